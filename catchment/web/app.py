"""The application: routes from the table of operations, the page's files, the stream of news."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from catchment.web import api_import, api_jobs, api_people, api_variants
from catchment.web.bench import Bench
from catchment.web.guard import Door, Guard, Rate
from catchment.web.openapi import document
from catchment.web.operations import Dispatcher, Operation, packed, said

OPERATIONS: tuple[Operation, ...] = (
    *api_people.OPERATIONS,
    *api_variants.OPERATIONS,
    *api_jobs.OPERATIONS,
    *api_import.OPERATIONS,
)
"""The whole table."""

_TYPES = {
    ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8", ".json": "application/json", ".png": "image/png",
    ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip


@lru_cache(maxsize=256)
def _asset(package: str, name: str) -> tuple[bytes, str] | None:
    parts = name.split("/")
    if not 1 <= len(parts) <= 3 or any(not _plain(p) for p in parts):
        return None
    found = files(package).joinpath("assets", *parts)
    if not found.is_file():
        return None
    content = found.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:24]


def _plain(part: str) -> bool:
    return bool(part) and not part.startswith(".") and all(
        c.isascii() and (c.isalnum() or c in "._-") for c in part
    )  # fmt: skip


def _file(request: Request, package: str, name: str) -> Response:
    found = _asset(package, name)
    if found is None:
        return said(404, "not_found", "没有此文件", "there is no such file")
    content, tag = found
    headers = {"etag": f'"{tag}"', "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == f'"{tag}"':
        return Response(status_code=304, headers=headers)
    suffix = "." + name.rpartition(".")[2]
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, headers=headers, media_type=kind)


async def _page(request: Request) -> Response:
    return _file(request, "catchment.web", "workbench.html")


async def _shared(request: Request) -> Response:
    return _file(request, "catchment.views", request.path_params["name"])


async def _assets(request: Request) -> Response:
    return _file(request, "catchment.web", request.path_params["name"])


async def _wrong(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    allowed = getattr(fault, "headers", None) or {}
    if status == 405:
        return said(
            405, "method", "不支持的请求方法", "this method is not answered", headers=allowed
        )
    if status == 404:
        return said(404, "not_found", "没有此项", "there is no such thing")
    if status == 413:
        return said(413, "too_large", "内容过大", "the body is too large")
    return said(status, "refused", "请求不能处理", "the request cannot be handled")


def build(bench: Bench, door: Door, *, rate: Rate | None = None) -> ASGIApp:
    """Build the application.

    Parameters
    ----------
    bench : Bench
        What it works with.
    door : Door
        Where it is reached.
    rate : Rate, optional
        Requests of one session or address.

    Returns
    -------
    ASGI application
        Guarded.
    """
    port = next(iter(sorted(door.hosts))).rpartition(":")[2]
    # Browsers do not tell ports apart in cookies; two workbenches on one machine must.
    name = f"catchment_{port}" if port.isdigit() else "catchment"
    dispatch = Dispatcher(bench)
    imports = api_import.Imports(bench)
    described = packed(document(OPERATIONS, name))

    def _route(operation: Operation) -> Route:
        async def _endpoint(request: Request) -> Response:
            request.scope["catchment.cookie"] = lambda token: _cookie(name, token, door.secure)
            return await dispatch(operation, request)

        return Route(operation.path, _endpoint, methods=[operation.method], name=operation.name)

    async def _events(request: Request) -> Response:
        if bench.hub.full():
            zh, en = "连接过多，请稍候", "too many listeners"
            return said(503, "busy", zh, en, headers={"retry-after": "5"})
        first = {"boot": bench.boot, "seq": bench.store.last(), "revision": bench.opened.revision}
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(bench.hub.listen(first), headers=headers, media_type="text/event-stream")  # fmt: skip

    async def _openapi(request: Request) -> Response:
        return Response(described, media_type="application/json")

    @asynccontextmanager
    async def _life(app: Starlette) -> AsyncIterator[None]:
        bench.hub.bind(asyncio.get_running_loop())
        yield
        bench.hub.close()

    app = Starlette(
        routes=[
            Route("/", _page, methods=["GET"]),
            Route("/assets/shared/{name:path}", _shared, methods=["GET"]),
            Route("/assets/{name:path}", _assets, methods=["GET"]),
            Route("/api/openapi.json", _openapi, methods=["GET"]),
            Route("/api/events", _events, methods=["GET"]),
            Route("/api/import", imports.receive, methods=["POST"]),
            *(_route(operation) for operation in OPERATIONS),
        ],
        exception_handlers={HTTPException: _wrong, Exception: _wrong},
        lifespan=_life,
    )
    app.router.redirect_slashes = False
    return Guard(app, door, bench.people.who, name, rate or Rate(each=200, reserve=600))


def _cookie(name: str, token: str, secure: bool) -> str:
    age = 12 * 3600 if token else 0
    tail = "; Secure" if secure else ""
    return f"{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{tail}"


class Quiet:
    """Turns what no handler caught into an answer in words; nothing of it leaves the machine.

    Parameters
    ----------
    app : ASGI application
        The application.
    report : callable
        Told the fault.
    """

    def __init__(self, app: ASGIApp, report: Any) -> None:
        self.app, self.report = app, report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on.

        Parameters
        ----------
        scope, receive, send
            As ASGI has them.
        """
        try:
            await self.app(scope, receive, send)
        except Exception as fault:
            self.report(fault)
