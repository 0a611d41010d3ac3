"""The doorkeeper: who may ask what from where, before any other code sees the request.

Exact Host (against rebinding), Origin and Fetch Metadata on writes, a body limit counted as the
bytes arrive, a rate for every caller, a session for everything under ``/api``; and on every answer
the headers that keep the page to itself.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
JSON_LIMIT = 1_000_000
"""Most bytes of a body that is not an upload."""
UPLOAD_LIMIT = 200_000_000
"""Most bytes of an upload."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_READS = ("GET", "HEAD")
_OPEN = {"/api/session", "/api/login", "/api/openapi.json", "/api/words"}


@dataclass(frozen=True)
class Door:
    """Where the workbench is reached.

    Attributes
    ----------
    hosts : frozenset of str
        Host headers that are answered, port included, lower case.
    secure : bool
        Whether it speaks TLS.
    """

    hosts: frozenset[str]
    secure: bool = False

    def origin(self, host: str) -> str:
        """Return the origin of the pages of a host.

        Parameters
        ----------
        host : str
            Host header.

        Returns
        -------
        str
            With its scheme.
        """
        return f"{'https' if self.secure else 'http'}://{host}"


@dataclass
class Rate:
    """So many requests a second for every caller, with a reserve.

    Attributes
    ----------
    each : float
        Requests a second.
    reserve : float
        Requests that may come at once.
    """

    each: float
    reserve: float
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, caller: str, now: float | None = None) -> float:
        """Take one request from a caller's reserve.

        Parameters
        ----------
        caller : str
            Whose.
        now : float, optional
            Seconds of a steady clock; the present when left out.

        Returns
        -------
        float
            Seconds to wait; 0 where the request may pass.
        """
        moment = time.monotonic() if now is None else now
        with self._lock:
            left, seen = self._left.pop(caller, (self.reserve, moment))
            left = min(self.reserve, left + (moment - seen) * self.each)
            passes = left >= 1
            self._left[caller] = (left - 1 if passes else left, moment)
            while len(self._left) > 10_000:
                self._left.popitem(last=False)
            return 0.0 if passes else (1 - left) / self.each


def refusal(status: int, code: str, zh: str, en: str, **more: Any) -> tuple[int, bytes]:
    """Word a refusal.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        Short code.
    zh, en : str
        What is wrong and what to do.
    **more
        Further plain values.

    Returns
    -------
    (int, bytes)
        Status and JSON.
    """
    body = {"error": code, "zh": zh, "en": en, **more}
    return status, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


class Guard:
    """Wraps an application.

    Parameters
    ----------
    app : ASGI application
        What is guarded; finds who asks under ``scope["catchment"]``.
    door : Door
        Where it is reached.
    who : callable
        Token of a cookie -> name and role, or None.
    cookie : str
        Name of the cookie.
    rate : Rate
        For every session or address.
    """

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        who: Callable[[str], tuple[str, str] | None],
        cookie: str,
        rate: Rate,
    ) -> None:
        self.app, self.door, self.who, self.cookie, self.rate = app, door, who, cookie, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass or refuse it.

        Parameters
        ----------
        scope, receive, send
            As ASGI has them.
        """
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(k, v) for k, v in message["headers"] if k not in dict(HEADERS)]
                names = {k for k, _ in own}
                if b"cache-control" not in names:
                    own.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*own, *HEADERS]}
            await send(message)

        refused = self._refused(scope)
        if refused is not None:
            await _say(answer, *refused)
            return
        limit = UPLOAD_LIMIT if scope["path"] == "/api/import" else JSON_LIMIT
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise HTTPException(413)
            return message

        await self.app(scope, bounded, answer)

    def _refused(self, scope: Scope) -> tuple[int, bytes, list[tuple[bytes, bytes]]] | None:
        headers = _headers(scope)
        method, path = scope["method"], scope["path"]
        hosts = headers.get("host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.door.hosts:
            return (
                *refusal(421, "host", "主机名不符，拒绝访问", "this host name is not answered"),
                [],
            )
        if method not in _METHODS:
            status, body = refusal(405, "method", "不支持的请求方法", "this method is not answered")
            return status, body, [(b"allow", ", ".join(_METHODS).encode())]
        api = path.startswith("/api/")
        if not self._same_site(headers, method, api, hosts[0].lower()):
            return (
                *refusal(403, "cross_site", "拒绝跨站请求", "cross-site requests are refused"),
                [],
            )
        length = (headers.get("content-length") or ["0"])[0]
        limit = UPLOAD_LIMIT if path == "/api/import" else JSON_LIMIT
        if not re.fullmatch(r"\d{1,15}", length) or int(length) > limit:
            return _too_large(limit)
        token = _cookie(headers, self.cookie)
        who = self.who(token) if token else None
        caller = f"s:{token}" if who else f"a:{(scope.get('client') or ('?',))[0]}"
        wait = self.rate.wait(caller)
        if wait:
            status, body = refusal(
                429, "rate", "请求过于频繁，请稍候", "too many requests, wait a moment"
            )
            return status, body, [(b"retry-after", str(int(wait) + 1).encode())]
        scope["catchment"] = {"who": who, "token": token}
        if api and who is None and path not in _OPEN:
            return (*refusal(401, "session", "请先登录，或使用启动时给出的链接打开", "log in, or open the link shown at the start"), [])  # fmt: skip
        return None

    def _same_site(self, headers: dict[str, list[str]], method: str, api: bool, host: str) -> bool:
        site = headers.get("sec-fetch-site", [])
        origin = headers.get("origin", [])
        if len(site) > 1 or len(origin) > 1:
            return False
        if origin and origin[0].lower() != self.door.origin(host):
            return False
        if method in _READS:
            # A link from elsewhere may lead to the page, never to data.
            return not api or not site or site[0] in ("same-origin", "none")
        if site and site[0] != "same-origin":
            return False
        return bool(site or origin)


def _too_large(limit: int) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    zh, en = f"内容超过 {limit // 1_000_000} MB", f"more than {limit // 1_000_000} MB"
    return (*refusal(413, "too_large", zh, en), [(b"connection", b"close")])


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in scope["headers"]:
        found.setdefault(key.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _cookie(headers: dict[str, list[str]], name: str) -> str:
    for line in headers.get("cookie", []):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == name and re.fullmatch(r"[A-Za-z0-9_-]{20,100}", value):
                return value
    return ""


async def _say(
    send: Send, status: int, body: bytes, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
