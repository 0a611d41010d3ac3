"""Door to the planning workbench in the browser."""

from __future__ import annotations

import getpass
import os
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catchment.cli.doors import Lang, SetAside, app, check_lang, console, say
from catchment.errors import CatchmentError


@app.command()
def serve(
    region: Path,
    scenario: Annotated[
        Path | None,
        typer.Option(help="方案文件：取其年份、学段和规则 / recipe whose years and rules are used"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="端口，0 为任选 / 0 = any")] = 8765,
    state: Annotated[Path | None, typer.Option(help="状态文件 / state file")] = None,
    browser: Annotated[bool, typer.Option(help="打开浏览器 / open the browser")] = True,
    office: Annotated[
        bool, typer.Option("--office", help="办公模式：用户登录 / named users log in")
    ] = False,
    host: Annotated[str, typer.Option(help="监听地址（办公模式）/ address (office)")] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option("--name", help="对外主机名 / host name it answers to")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="TLS 证书 / certificate")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="TLS 私钥 / key")] = None,
    add_user: Annotated[
        str | None,
        typer.Option(
            help="新增或修改用户 姓名:角色（viewer、editor、approver）/ NAME:ROLE, then stop"
        ),
    ] = None,
    set_aside: SetAside = False,
    lang: Lang = "zh",
) -> None:
    """在浏览器中打开规划工作台 / open the planning workbench in the browser."""
    check_lang(lang)
    try:
        from catchment.web.server import Settings, state_path
        from catchment.web.server import serve as run_server
    except ModuleNotFoundError as missing:
        raise CatchmentError(
            f'工作台需要附加组件（缺 {missing.name}）：pip install "school-catchment[workbench]" / the workbench '
            'needs its extra: pip install "school-catchment[workbench]"'
        ) from missing
    if add_user is not None:
        _add_user(state or state_path(region), add_user, lang)
        return
    settings = Settings(
        folder=region, scenario=scenario, state=state, host=host, port=port,
        names=tuple(name or ()), office=office, cert=tls_cert, key=tls_key, set_aside=set_aside,
        lang=lang,
    )  # fmt: skip

    def _ready(link: str) -> None:
        # The line that people and programs read: the link alone.
        print(link, flush=True)
        say(lang, "按 Ctrl-C 停止", "stop with Ctrl-C")
        if browser:
            webbrowser.open(link)

    run_server(settings, lambda text: console(error=True).print(escape(f"· {text}")), _ready)


def _add_user(state: Path, entry: str, lang: str) -> None:
    from catchment.web.people import add_user as keep
    from catchment.web.store import Store

    who, _, role = entry.rpartition(":")
    if not who:
        raise CatchmentError("请写成 姓名:角色 / write NAME:ROLE")
    # Never as an argument: other users of the machine can read those.
    password = os.environ.get("CATCHMENT_PASSWORD") or getpass.getpass(f"{who} 密码 / password: ")
    keep(Store(state), who, role, password)
    say(lang, f"已保存用户 {who}（{role}）", f"user {who} ({role}) is kept")
