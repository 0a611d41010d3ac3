"""Operations on sessions: the one-time link, names and passwords."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from catchment.web import shapes as s
from catchment.web.bench import Bench
from catchment.web.operations import Call, Operation, Reply, Strict
from catchment.web.people import can, folded

Plain = dict[str, Any]


class Link(Strict):
    """The token of a one-time link."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class Login(Strict):
    """Name and password."""

    user: Annotated[str, Field(min_length=1, max_length=80)]
    password: Annotated[str, Field(min_length=1, max_length=200)]


def about(bench: Bench, user: str, role: str) -> Plain:
    """Describe a session.

    Parameters
    ----------
    bench : Bench
        The bench.
    user, role : str
        Who.

    Returns
    -------
    dict
        What the page needs to know.
    """
    return {
        "user": user,
        "role": role,
        "mode": "office" if bench.people.office else "local",
        "lang": bench.lang,
        "boot": bench.boot,
        "county": bench.opened.county.region.name,
        "can": can(role),
    }


def _entered(bench: Bench, call: Call, token: str) -> Reply:
    who = bench.people.who(token)
    if who is None:
        return _refused("session", "会话无效", "no such session")
    cookie: str = call.request.scope["catchment.cookie"](token)
    return Reply(about(bench, *who), 200, {"set-cookie": cookie})


def _refused(code: str, zh: str, en: str, status: int = 401, **headers: str) -> Reply:
    return Reply({"error": code, "zh": zh, "en": en}, status, headers)


def session(bench: Bench, call: Call) -> Reply:
    """Say who is asking."""
    if not call.user:
        mode = "office" if bench.people.office else "local"
        zh, en = (
            "请先登录，或使用启动时给出的链接打开",
            "log in, or open the link shown at the start",
        )
        return Reply(
            {"error": "session", "zh": zh, "en": en, "mode": mode, "lang": bench.lang}, 401
        )
    return Reply(about(bench, call.user, call.role))


def open_link(bench: Bench, call: Call) -> Reply:
    """Turn the one-time link into a session."""
    wait = bench.people.tries_of_all.wait("link")
    if wait:
        return _slow(wait)
    token = bench.people.open_link(call.body.token)
    if token is None:
        zh = "链接已经用过或不正确；请在启动窗口取新链接"
        return _refused("link", zh, "the link was used already or is wrong; take a new one")
    return _entered(bench, call, token)


def log_in(bench: Bench, call: Call) -> Reply:
    """Log in with name and password."""
    people = bench.people
    address = (call.request.scope.get("client") or ("?",))[0]
    wait = max(
        people.tries.wait(f"n:{folded(call.body.user)}"),
        people.tries.wait(f"a:{address}"),
        people.tries_of_all.wait("all"),
    )
    if wait:
        return _slow(wait)
    token = people.log_in(call.body.user, call.body.password) if people.office else None
    if token is None:
        return _refused("login", "用户名或密码不正确", "name or password is wrong")
    return _entered(bench, call, token)


def _slow(wait: float) -> Reply:
    seconds = str(math.ceil(wait))
    zh, en = f"尝试过多，请 {seconds} 秒后再试", f"too many tries; wait {seconds} s"
    return _refused("rate", zh, en, 429, **{"retry-after": seconds})


def log_out(bench: Bench, call: Call) -> Reply:
    """End the session."""
    bench.people.log_out(call.token)
    cookie: str = call.request.scope["catchment.cookie"]("")
    return Reply(b"", 204, {"set-cookie": cookie}, "")


OPERATIONS = (
    Operation("GET", "/api/session", "session", "当前会话 / this session", session, "open",
              answers={200: s.SESSION}, refusals=(401,), swift=True),
    Operation("POST", "/api/session", "open_link", "一次性链接换取会话 / one-time link", open_link,
              "open", Link, answers={200: s.SESSION}, refusals=(401, 429)),
    Operation("POST", "/api/login", "log_in", "登录 / log in", log_in, "open", Login,
              answers={200: s.SESSION}, refusals=(401, 429), heavy=True),
    Operation("POST", "/api/logout", "log_out", "退出 / log out", log_out, "read",
              answers={204: {}}),
)  # fmt: skip
"""Operations of this room."""
