"""Start of the workbench: open the county and its state, bind, say where it is."""

from __future__ import annotations

import gc
import socket
import ssl
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from catchment.errors import InputError
from catchment.region.read import read_region
from catchment.scenario import Scenario, parse_scenario, read_scenario
from catchment.web.alone import alone
from catchment.web.api_import import remembered
from catchment.web.api_jobs import finished, shown
from catchment.web.app import Quiet, build
from catchment.web.bench import Bench, open_county
from catchment.web.events import Hub
from catchment.web.guard import Door
from catchment.web.people import People
from catchment.web.store import Store
from catchment.web.workers import Checker, Jobs

LOCAL = ("127.0.0.1", "localhost")
EVERYWHERE = "0.0.0.0"  # noqa: S104
"""Asked for in office mode alone, to listen on every address of an office's server."""


@dataclass(frozen=True)
class Settings:
    """How the workbench is started.

    Attributes
    ----------
    folder : Path
        The county.
    scenario : Path or None
        Recipe whose years, stages and rule books variants start from.
    state : Path or None
        State file; beside the county when left out.
    host, port : str, int
        Where it listens; port 0 takes a free one.
    names : tuple of str
        Further host names it answers to (office).
    office : bool
        Whether named users log in.
    cert, key : Path or None
        TLS certificate and its key.
    set_aside : bool
        Whether rows in error are set aside.
    lang : {"zh", "en"}
        Language pages open in.
    """

    folder: Path
    scenario: Path | None = None
    state: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()
    office: bool = False
    cert: Path | None = None
    key: Path | None = None
    set_aside: bool = False
    lang: str = "zh"
    rate: tuple[float, float] = field(default=(200.0, 600.0))


def state_path(folder: Path) -> Path:
    """Place of the state file when none is given.

    Parameters
    ----------
    folder : Path
        The county.

    Returns
    -------
    Path
        Beside the county, never inside it.
    """
    own = folder.resolve()
    return own.parent / f"{own.stem}.workbench.sqlite"


def first_scenario(folder: Path, given: Path | None) -> Scenario:
    """Recipe that variants start from.

    Parameters
    ----------
    folder : Path
        The county.
    given : Path or None
        A recipe; else the first of the county's own, else this year and the nine after it.

    Returns
    -------
    Scenario
        Its years, stages, rule books and seed count.
    """
    if given is not None:
        return read_scenario(given)
    own = sorted(folder.glob("scenarios/*.toml")) if folder.is_dir() else []
    found = [read_scenario(p) for p in own]
    if found:
        return max(found, key=lambda s: len(s.years))
    import datetime as dt

    year = dt.datetime.now(dt.UTC).year
    return parse_scenario({"name": "工作台", "years": [year, year + 1, year + 2, year + 5]})


def set_table(settings: Settings, say: Callable[[str], None]) -> Bench:
    """Open everything the server works with.

    Parameters
    ----------
    settings : Settings
        How it is started.
    say : callable
        Told what is being done.

    Returns
    -------
    Bench
        The bench.

    Raises
    ------
    CatchmentError
        When county, recipe or state cannot be opened.
    """
    path = settings.state or state_path(settings.folder)
    store = Store(path)
    files = path.with_name(f"{path.stem}.files")
    files.mkdir(parents=True, exist_ok=True)
    scenario = first_scenario(settings.folder, settings.scenario)
    held = remembered(store, files)
    folder, aside, revision = held or (settings.folder, settings.set_aside, 1)
    say("读取县域数据 / reading the county")
    region = read_region(folder, set_aside=aside)
    say("道路、出行时间、今日布局 / roads, travel times, today")
    opened = open_county(
        region, scenario, folder=folder.resolve(), revision=revision, lang=settings.lang,
        set_aside=aside,
    )  # fmt: skip
    if settings.office and not store.users():
        raise InputError(
            "办公模式需要用户：先运行 catchment serve REGION --add-user 姓名:角色 / office mode needs users: "
            "first run catchment serve REGION --add-user NAME:ROLE"
        )
    hub = Hub()
    setup = {
        "folder": str(opened.folder),
        "set_aside": aside,
        "scenario": opened.county.scenario.model_dump(mode="json", by_alias=True),
    }
    checker = Checker(setup, hub.tell)
    holder: list[Bench] = []
    jobs = Jobs(
        setup, store, lambda event, job: hub.tell(event, shown(job)),
        lambda job, result: finished(holder[0], job, result),
    )  # fmt: skip
    bench = Bench(opened, store, People(store, office=settings.office), hub, checker, jobs, settings.lang, files)  # fmt: skip
    holder.append(bench)
    return bench


def serve(settings: Settings, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Run the workbench until it is stopped.

    Parameters
    ----------
    settings : Settings
        How it is started.
    say : callable
        Told what is being done.
    ready : callable
        Told the link, once the server listens.

    Raises
    ------
    CatchmentError
        When it cannot be started.
    """
    if settings.host not in LOCAL and not settings.office:
        raise InputError(
            f"{settings.host} 不是本机地址；对外开放须用 --office 并建立用户 / not an address of this machine: "
            "open it to others with --office and named users alone"
        )
    if (settings.cert is None) != (settings.key is None):
        raise InputError(
            "--tls-cert 与 --tls-key 须同时给出 / --tls-cert and --tls-key go together"
        )
    with alone(settings.state or state_path(settings.folder)):
        _serve(settings, say, ready)


def _serve(settings: Settings, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    bench = set_table(settings, say)
    # The county stays for as long as the server: walking over it again to look for rubbish would
    # hold a click up for some hundred milliseconds now and then.
    gc.collect()
    gc.freeze()
    try:
        bound = _bind(settings)
        port = int(bound.getsockname()[1])
        secure = settings.cert is not None
        door = Door(_hosts(settings, port), secure)
        config = uvicorn.Config(
            Quiet(build(bench, door), _report),
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            h11_max_incomplete_event_size=32_768,
            limit_concurrency=1000,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=2,
            ssl_certfile=settings.cert,
            ssl_keyfile=settings.key,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
        )
        base = f"{'https' if secure else 'http'}://{_shown(settings)}:{port}/"
        server = _Server(config, lambda: ready(base if settings.office else f"{base}#t={bench.people.link}"))  # fmt: skip
        server.run(sockets=[bound])
    finally:
        bench.checker.close()
        bench.jobs.close()
        bench.store.close()


class _Server(uvicorn.Server):
    """Says when it listens; lets the listeners of news go before it shuts down."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _shown(settings: Settings) -> str:
    if settings.names:
        return settings.names[0]
    return "127.0.0.1" if settings.host in (EVERYWHERE, *LOCAL) else settings.host


def _bind(settings: Settings) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as fault:
        bound.close()
        raise InputError(
            f"端口 {settings.port} 已被占用或不可用：{fault.strerror}；请换 --port / port {settings.port} cannot "
            "be used; take another with --port"
        ) from fault
    return bound


def _hosts(settings: Settings, port: int) -> frozenset[str]:
    names = {*settings.names, *LOCAL} if settings.office else set(LOCAL)
    if settings.office and settings.host not in (EVERYWHERE, ""):
        names.add(settings.host)
    standard = 443 if settings.cert is not None else 80
    found = {f"{n.lower()}:{port}" for n in names}
    return frozenset(found | {n.lower() for n in names} if port == standard else found)


def _report(fault: Exception) -> None:
    # The place in the program, never the data that was being worked on.
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    lines = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    sys.stderr.write(f"内部错误 / internal error: {type(fault).__name__} at {lines}\n")
