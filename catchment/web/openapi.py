"""The document of the API, written from the same table that requests are dispatched from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from catchment import __version__
from catchment.web import shapes as s
from catchment.web.operations import Operation

Plain = dict[str, Any]

_ALWAYS = (400, 401, 403, 429)
_SAID = {
    304: "没有变化 / not changed", 400: "请求不符合接口说明 / malformed", 401: "没有会话 / no session",
    403: "角色或来源不允许 / role or origin not allowed", 404: "没有此项 / not found",
    409: "已被他人修改 / conflict", 413: "内容过大 / too large", 415: "内容类型不符 / media type",
    422: "方案不能执行 / cannot be carried out", 429: "请求过于频繁 / too many requests",
    503: "忙 / busy",
}  # fmt: skip


def document(operations: Sequence[Operation], cookie: str) -> Plain:
    """Write the document.

    Parameters
    ----------
    operations : sequence of Operation
        The table.
    cookie : str
        Name of the session's cookie.

    Returns
    -------
    dict
        OpenAPI 3.1.
    """
    shared: Plain = {"Refusal": s.REFUSAL, "Conflict": s.CONFLICT}
    paths: Plain = {}
    for operation in operations:
        entry = _operation(operation, shared)
        paths.setdefault(operation.path, {})[operation.method.lower()] = entry
    paths["/api/import"] = {"post": _upload()}
    paths["/api/events"] = {"get": _events()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "catchment workbench",
            "version": __version__,
            "description": (
                "规划工作台接口。写操作须同源（Origin 或 Sec-Fetch-Site），Host 须与启动地址完全一致。/ API of the "
                "planning workbench. Writes must come from the same origin; the Host must be exact."
            ),
        },
        "paths": paths,
        "components": {
            "schemas": shared,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": cookie}},
        },
        "security": [{"session": []}],
    }


def _operation(operation: Operation, shared: Plain) -> Plain:
    entry: Plain = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_in_path(operation.path), *_in_query(operation, shared)],
        "responses": _answers(operation),
    }
    if operation.need == "open":
        entry["security"] = []
    if operation.body is not None:
        schema = _schema(operation.body, shared)
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return entry


def _answers(operation: Operation) -> Plain:
    out: Plain = {}
    for status, schema in operation.answers.items():
        said = {"description": _SAID.get(status, "成功 / done")}
        if status in (204, 304):
            out[str(status)] = said
        else:
            out[str(status)] = {**said, "content": {operation.media: {"schema": schema}}}
    more = {413, 415} if operation.body is not None else {413}
    found = {404} if "{" in operation.path else set()
    for status in sorted({*_ALWAYS, *more, *found, *operation.refusals}):
        if str(status) not in out:
            out[str(status)] = _refusal(status)
    return out


def _refusal(status: int) -> Plain:
    name = "Conflict" if status == 409 else "Refusal"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": _SAID[status], "content": {"application/json": {"schema": schema}}}


def _in_path(path: str) -> list[Plain]:
    found = []
    for name in re.findall(r"\{(\w+)\}", path):
        schema: Plain = {"type": "string", "minLength": 1, "maxLength": 200}
        if name == "id":
            schema = {"type": "integer", "minimum": 1, "maximum": 10**12}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _in_query(operation: Operation, shared: Plain) -> list[Plain]:
    schema = operation.query.model_json_schema(ref_template="#/components/schemas/{model}")
    needed = schema.get("required", [])
    found = []
    for name, part in schema.get("properties", {}).items():
        # An absent value is written by leaving the parameter out, not as null.
        some = next(p for p in part.get("anyOf", [part]) if p.get("type") != "null")
        clean = {k: v for k, v in some.items() if k not in ("title", "default")}
        found.append({"name": name, "in": "query", "required": name in needed, "schema": clean})
    return found


def _schema(kind: Any, shared: Plain) -> Plain:
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}", by_alias=True)
    for name, part in schema.pop("$defs", {}).items():
        shared[name] = part
    shared[kind.__name__ + "Body"] = schema
    return {"$ref": f"#/components/schemas/{kind.__name__}Body"}


def _upload() -> Plain:
    form = {
        "type": "object",
        "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        "required": ["files"],
    }
    refused = {str(k): _refusal(k) for k in (*_ALWAYS, 413, 415, 422, 503)}
    return {
        "operationId": "import",
        "summary": "导入县域数据并检查 / send a county in",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {
            "200": {
                "description": "检查结果 / problems found",
                "content": {"application/json": {"schema": s.IMPORT}},
            },
            **refused,
        },
    }


def _events() -> Plain:
    refused = {str(k): _refusal(k) for k in (*_ALWAYS, 413, 503)}
    return {
        "operationId": "events",
        "summary": "事件流 / news (server-sent events)",
        "responses": {
            "200": {
                "description": "hello, change, check, job, county",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **refused,
        },
    }
