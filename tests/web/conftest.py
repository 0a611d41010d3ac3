"""A workbench over the tiny county: its bench, and a client that sits at its table."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from pyproj import Transformer

from catchment.web.app import build
from catchment.web.bench import Bench
from catchment.web.guard import Door, Rate
from catchment.web.people import add_user
from catchment.web.server import Settings, set_table
from catchment.web.store import Store
from tests.tiny_files import write_tiny
from tests.tiny_region import METRIC

HOST = "127.0.0.1:8765"
HOME = f"http://{HOST}"
MERGE = {"do": "merge", "school": "T1", "into": "S2", "year": 2028}


class Client:
    """A browser at the table: it says where it comes from, and keeps its cookie."""

    def __init__(self, app: Any, home: str = HOME) -> None:
        self._running = start_blocking_portal()
        self._portal = self._running.__enter__()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.own = httpx.AsyncClient(
            transport=transport, base_url=home, headers={"origin": home}, timeout=60
        )
        self.cookies = self.own.cookies

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask."""
        found: httpx.Response = self._portal.call(
            functools.partial(self.own.request, method, path, **more)
        )
        return found

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Read."""
        return self.request("GET", path, **more)

    def close(self) -> None:
        """Leave."""
        self._portal.call(self.own.aclose)
        self._running.__exit__(None, None, None)

    def send_json(self, method: str, path: str, data: Any, **headers: str) -> Any:
        """Send JSON; a dict of plain values."""
        return self.request(
            method,
            path,
            content=json.dumps(data),
            headers={"content-type": "application/json", **headers},
        )

    def add(self, name: str = "甲", actions: list[Any] | None = None) -> dict[str, Any]:
        """Add a variant."""
        found = self.send_json(
            "POST", "/api/variants", {"document": {"name": name, "actions": actions or []}}
        )
        assert found.status_code == 201, found.text
        entry: dict[str, Any] = found.json()["variant"]
        return entry


def client_of(bench: Bench, rate: Rate | None = None) -> Client:
    """A client without a session."""
    app = build(bench, Door(frozenset({HOST})), rate=rate or Rate(each=1e6, reserve=1e6))
    found = Client(app)
    _open.append(found)
    return found


_open: list[Client] = []


@pytest.fixture(autouse=True)
def _leave() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def _homes(folder: Path) -> None:
    """Homes of students, away from every public point."""
    to_degrees = Transformer.from_crs(METRIC, "EPSG:4490", always_xy=True)
    lines = ["学生编号,村代码,年级,经度,纬度"]
    for k, x in enumerate((137.0, 1391.0, 2213.0, 3307.0, 3911.0)):
        lon, lat = to_degrees.transform(500_000 + x, 3_000_000 + 271.0 + 13 * k)
        lines.append(f"P{k},V{k + 1},{k + 1},{lon:.7f},{lat:.7f}")
    (folder / "students.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny(tmp_path_factory.mktemp("county") / "tiny")
    _homes(folder)
    return folder


@pytest.fixture(scope="session")
def make_bench(
    tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(*, office: bool = False) -> Bench:
        state = tmp_path_factory.mktemp("state") / "tiny.sqlite"
        if office:
            store = Store(state)
            for name, role in (("看", "viewer"), ("编", "editor"), ("批", "approver")):
                add_user(store, name, role, f"pass-word-{role}")
        settings = Settings(
            tiny_folder, scenario=tiny_folder / "scenario.toml", state=state, office=office
        )
        made.append(set_table(settings, lambda text: None))
        return made[-1]

    yield make
    for bench in made:
        bench.checker.close()
        bench.jobs.close()


@pytest.fixture(scope="session")
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture(scope="session")
def office(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench(office=True)


@pytest.fixture
def client(bench: Bench) -> Client:
    found = client_of(bench)
    # Not through the door: it lets only so many in a second.
    token = bench.people.open_link(bench.people.new_link())
    found.cookies.set("catchment_8765", token or "")
    return found


@pytest.fixture
def as_role(office: Bench) -> Callable[[str], Client]:
    def enter(name: str) -> Client:
        found = client_of(office)
        role = {"看": "viewer", "编": "editor", "批": "approver"}[name]
        token = office.people.log_in(name, f"pass-word-{role}")
        found.cookies.set("catchment_8765", token or "")
        return found

    return enter


__all__ = ["HOME", "HOST", "MERGE", "Client", "client_of"]
