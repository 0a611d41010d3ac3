"""Operations of the HTTP API: declared once, dispatched from the table and documented from it."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from catchment.errors import CatchmentError
from catchment.web.bench import Bench
from catchment.web.languages import halves
from catchment.web.people import can
from catchment.web.store import ConflictError, MissingError
from catchment.web.workers import BusyError

Plain = dict[str, Any]
_MOST_ID = 10**12
_MOST_KEPT = 400
"""Answers kept written out."""


class Strict(BaseModel):
    """A body or a query; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Strict):
    """No query."""


@dataclass(frozen=True)
class Call:
    """One request, read and judged.

    Attributes
    ----------
    user, role : str
        Who asks; empty before a session.
    token : str
        Value of the cookie.
    path : mapping
        Parameters in the path.
    body, query : BaseModel or None
        What was sent.
    request : Request
        The request itself.
    raw : bytes
        Body as sent.
    """

    user: str
    role: str
    token: str
    path: Mapping[str, Any]
    body: Any
    query: Any
    request: Request
    raw: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes
    ----------
    data : object
        Plain values, or bytes as they are.
    status : int
        HTTP status.
    headers : mapping
        Further headers.
    media : str
        Media type of bytes.
    """

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes
    ----------
    method, path : str
        As in the document of the API; ``{id}`` are whole numbers, ``{name}`` text.
    name, summary : str
        Name of the operation and what it does.
    call : callable
        (bench, call) -> Reply, in a thread.
    need : {"open", "read", "edit", "approve"}
        What the caller must be allowed.
    body : type of BaseModel, optional
        What must be sent.
    query : type of BaseModel
        What may stand in the query.
    answers : mapping of int to schema
        Successful answers.
    refusals : sequence of int
        Further statuses.
    heavy : bool
        Whether it reckons; few of those go at a time.
    swift : bool
        Whether it needs neither disk nor reckoning, and is answered without a thread.
    kept : bool
        Whether its answer follows from address and state file alone: it is kept, written out,
        until something is written to the file.
    media : str
        Media type of the answer.
    """

    method: str
    path: str
    name: str
    summary: str
    call: Callable[[Bench, Call], Reply]
    need: str = "read"
    body: type[BaseModel] | None = None
    query: type[BaseModel] = Nothing
    answers: Mapping[int, Plain] = field(default_factory=lambda: {200: {"type": "object"}})
    refusals: Sequence[int] = ()
    heavy: bool = False
    swift: bool = False
    kept: bool = False
    media: str = "application/json"


class Dispatcher:
    """Carries out operations: reads, judges, runs in a thread, words what went wrong.

    Parameters
    ----------
    bench : Bench
        The bench.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._heavy: anyio.CapacityLimiter | None = None
        self._light: anyio.CapacityLimiter | None = None
        self._kept: OrderedDict[str, tuple[int, bytes, str]] = OrderedDict()

    async def __call__(self, operation: Operation, request: Request) -> Response:
        """Carry out an operation.

        Parameters
        ----------
        operation : Operation
            Which.
        request : Request
            The request.

        Returns
        -------
        Response
            Its answer, or a refusal in words.
        """
        if self._heavy is None or self._light is None:
            # More threads than cores would only make every one of them slower.
            self._heavy, self._light = anyio.CapacityLimiter(2), anyio.CapacityLimiter(16)
        held = request.scope["catchment"]
        user, role = held["who"] or ("", "")
        if operation.need != "open" and operation.need not in can(role):
            zh, en = "您的角色不能进行此操作", "your role does not allow this"
            return said(403, "role", zh, en)
        address = f"{request.url.path}?{request.url.query}"
        if operation.kept:
            found = self._kept.get(address)
            if found is not None and found[0] == self.bench.store.stamp:
                return _unchanged(request, *found[1:])
        call = await _read(operation, request, user, role, held["token"])
        if isinstance(call, Response):
            return call
        if operation.swift:
            return self._run(operation, call)
        if operation.kept:
            return await anyio.to_thread.run_sync(
                self._keep, operation, call, address, limiter=self._light
            )
        limiter = self._heavy if operation.heavy else self._light
        return await anyio.to_thread.run_sync(self._run, operation, call, limiter=limiter)

    def _keep(self, operation: Operation, call: Call, address: str) -> Response:
        # Taken before reading: a write in between makes what is kept out of date, never too new.
        stamp = self.bench.store.stamp
        found = self._run(operation, call)
        if found.status_code != 200:
            return found
        body = bytes(found.body)
        tag = hashlib.sha256(body).hexdigest()[:24]
        self._kept[address] = (stamp, body, tag)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return _unchanged(call.request, body, tag)

    def _run(self, operation: Operation, call: Call) -> Response:
        try:
            reply = operation.call(self.bench, call)
        except ConflictError as clash:
            return _conflict(clash, call)
        except MissingError as fault:
            return _worded(404, fault)
        except BusyError as busy:
            return said(503, "busy", *halves(str(busy)), headers={"retry-after": "2"})
        except CatchmentError as fault:
            return _worded(422, fault)
        if isinstance(reply.data, bytes):
            return Response(reply.data, reply.status, dict(reply.headers), reply.media)
        return Response(packed(reply.data), reply.status, dict(reply.headers), reply.media)


def _unchanged(request: Request, body: bytes, tag: str) -> Response:
    """Answer with what is kept, or say that the asker has it already."""
    headers = {"etag": f'"{tag}"', "cache-control": "no-cache, private"}
    if request.headers.get("if-none-match") == f'"{tag}"':
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")


def packed(data: Any) -> bytes:
    """Write plain values as JSON.

    Parameters
    ----------
    data : object
        Plain values.

    Returns
    -------
    bytes
        UTF-8; empty for None.
    """
    if data is None:
        return b""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def said(
    status: int, code: str, zh: str, en: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Word a refusal.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        Short code.
    zh, en : str
        What is wrong.
    headers : mapping, optional
        Further headers.
    **more
        Further plain values.

    Returns
    -------
    Response
        JSON.
    """
    body = packed({"error": code, "zh": zh, "en": en, **more})
    return Response(body, status, dict(headers or {}), "application/json")


def _worded(status: int, fault: CatchmentError) -> Response:
    code = "not_found" if status == 404 else "refused"
    lines = str(fault).splitlines()[:20]
    zh = "\n".join(halves(line)[0] for line in lines)
    en = "\n".join(halves(line)[1] for line in lines)
    return said(status, code, zh[:4000], en[:4000])


def _conflict(clash: ConflictError, call: Call) -> Response:
    if clash.approved:
        zh, en = "方案已批准，须先退回草稿才能修改", "the variant is approved; reopen it first"
        return said(409, "approved", zh, en, variant=clash.now, changes=[])
    last = clash.changes[0] if clash.changes else None
    if last is None:
        zh, en = "版本号不符", "this is not the version"
    else:
        zh = f"{last['by']} 于 {last['at']} 改过此方案：{'；'.join(last['words']['zh'][:3])}"
        en = f"{last['by']} changed it at {last['at']}: {'; '.join(last['words']['en'][:3])}"
    expected = getattr(call.body, "expected", None)
    return said(
        409, "conflict", zh, en, expected=expected, version=clash.now["version"],
        variant=clash.now, changes=clash.changes,
    )  # fmt: skip


def _malformed(details: list[str]) -> Response:
    zh, en = "请求内容不符合接口说明", "this is not what the API document asks for"
    return said(400, "malformed", zh, en, details=details[:20])


def _faults(fault: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}"[:300]
        for e in fault.errors(include_url=False, include_input=False, include_context=False)
    ]


async def _read(
    operation: Operation, request: Request, user: str, role: str, token: str
) -> Call | Response:
    path: dict[str, Any] = {}
    for key, value in request.path_params.items():
        if key in ("id", "version"):
            if not (value.isascii() and value.isdigit()) or int(value[:20]) > _MOST_ID:
                return said(404, "not_found", "没有此项", "there is no such thing")
            path[key] = int(value)
        else:
            path[key] = value
    pairs = request.query_params.multi_items()
    if len({k for k, _ in pairs}) < len(pairs):
        return _malformed(["a query parameter stands twice"])
    try:
        query = operation.query.model_validate_strings(dict(pairs))
    except ValidationError as fault:
        return _malformed(_faults(fault))
    try:
        raw = await request.body() if operation.method != "GET" else b""
    except ClientDisconnect:
        return Response(status_code=400)
    body: BaseModel | None = None
    if operation.body is not None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            zh, en = "请以 application/json 发送", "send application/json"
            return said(415, "media", zh, en)
        found = _body(operation.body, raw)
        if isinstance(found, Response):
            return found
        body = found
    return Call(user, role, token, path, body, query, request, raw)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _body(kind: type[BaseModel], raw: bytes) -> BaseModel | Response:
    try:
        values = json.loads(raw, parse_constant=_no_number)
        # Half characters and numbers beyond all bounds are nothing that could be kept.
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        return _malformed(["no sound JSON"])
    try:
        return kind.model_validate_json(raw, strict=True)
    except ValidationError as fault:
        return _malformed(_faults(fault))
