"""The real server as a process of its own, and browsers at its table."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
DESKTOP = (1366, 768)
_PATIENCE = 60.0


@dataclass
class Server:
    """One workbench; started again it keeps its port and its file."""

    region: Path
    state: Path
    options: tuple[str, ...] = ()
    port: int = 0
    link: str = ""
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None
    said: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Server:
        """Start, and wait for the line that names the link."""
        command = [
            sys.executable, "-m", "catchment", "serve", str(self.region), "--port", str(self.port),
            "--no-browser", "--state", str(self.state), *self.options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        lines: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, args=(self.process, lines), daemon=True)
        self.reader.start()
        while (line := lines.get(timeout=_PATIENCE)) is not None:
            if line.startswith("http"):
                self.link = line.strip()
                self.port = int(self.link.split("//")[1].split("/")[0].rpartition(":")[2])
                return self
        raise AssertionError("the server did not start:\n" + "".join(self.said[-30:]))

    def _read(self, process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line)
            lines.put(line)
        process.stdout.close()
        lines.put(None)

    def kill(self) -> None:
        """End at once, without a word to anybody."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=20)
        assert self.reader is not None
        self.reader.join(timeout=20)


@dataclass
class Seat:
    """A page at the table, watched."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    quiet_about: tuple[str, ...] = ()

    def quiet(self) -> None:
        """Assert that the page said nothing, fetched nothing from elsewhere, executed no data."""
        said = [c for c in self.complaints if not any(q in c for q in self.quiet_about)]
        assert said == []
        assert self.outside == []
        assert self.page.evaluate("window.__hit") is None

    def find(self, name: str) -> None:
        """Open the card of a place by the search box."""
        self.page.fill("#find", name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#page #back")

    def saved(self) -> None:
        """Wait until nothing is on its way any more."""
        # A dialog tells its answer by an event of its own, after the click that closed it.
        self.page.evaluate("() => new Promise(done => setTimeout(done, 150))")
        self.page.wait_for_function(
            "() => !Catchment.workbench.outbox.waiting && Catchment.workbench.model.variant"
        )

    def fresh(self, name: str) -> None:
        """Start a variant of its own."""
        self.page.click("#tab-variants")
        self.page.click("#variant-new")
        self.page.fill("#dialog input[name=name]", name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(
            "n => Catchment.workbench.model.variantName() === n && !Catchment.workbench.state.open",
            arg=name,
        )

    def document(self) -> dict[str, Any]:
        """Document of the variant on the table."""
        return dict(self.page.evaluate("Catchment.workbench.model.variant.document"))

    def year(self, year: int) -> None:
        """Show a year and wait for its figures."""
        self.page.evaluate(
            "y => { const r = document.getElementById('year'); r.value = "
            "Catchment.workbench.model.years.indexOf(y); r.dispatchEvent(new Event('input')); }",
            year,
        )
        self.page.wait_for_function(
            "y => !Catchment.workbench.model.answer || Catchment.workbench.model.answer.year === y",
            arg=year,
        )

    def figure(self, name: str) -> str:
        """One of the headline figures, as shown."""
        return str(self.page.inner_text(f"#headline [data-figure={name}] .big b"))

    def spot(self, kind: str, position: int) -> tuple[float, float]:
        """Where a place lies on the screen."""
        x, y = self.page.evaluate(
            """([kind, k]) => {
              const a = Catchment.workbench, at = (kind === "site" ? a.model.sitesAt() : a.model.payload.villages.at)[k];
              const q = a.scene.boards[0].map.latLngToContainerPoint([at[1] / 1e5, at[0] / 1e5]);
              const r = document.getElementById("map_a").getBoundingClientRect();
              return [r.left + q.x, r.top + q.y];
            }""",
            [kind, position],
        )
        return float(x), float(y)

    def site(self, name: str) -> int:
        """Position of a school by name."""
        return int(
            self.page.evaluate("n => Catchment.workbench.model.payload.sites.name.indexOf(n)", name)
        )


@pytest.fixture(scope="session")
def demo_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the shipped county, so that nothing is written beside it."""
    folder = tmp_path_factory.mktemp("county") / "demo"
    shutil.copytree(DEMO, folder)
    return folder


@pytest.fixture(scope="session")
def server(demo_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the shipped county to one person."""
    running = Server(demo_copy, tmp_path_factory.mktemp("state") / "state.sqlite").start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def pass_card() -> dict[str, Any]:
    """Hold the cookie of the first who came in: the link opens once, for one person."""
    return {}


@pytest.fixture
def sit(browser: Any, pass_card: dict[str, Any]) -> Iterator[Callable[..., Seat]]:
    """Sit down at a table; as somebody, in office mode."""
    contexts: list[Any] = []

    def start(
        server: Server,
        *,
        size: tuple[int, int] = DESKTOP,
        user: tuple[str, str] | None = None,
        at: str = "",
        **options: Any,
    ) -> Seat:
        key = f"{server.state}"
        if user is None and key in pass_card:
            options["storage_state"] = pass_card[key]
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        seat = Seat(context.new_page())
        page = seat.page
        page.on(
            "console",
            lambda m: seat.complaints.append(m.text) if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda e: seat.complaints.append(str(e)))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((server.home, "data:", "blob:"))
                else seat.outside.append(r.url)
            ),
        )
        first = user is None and key not in pass_card
        page.goto(server.link if first else server.home + at)
        if user is not None:
            seat.quiet_about = ("401",)
            page.fill("#dialog input[name=user]", user[0])
            page.fill("#dialog input[name=password]", user[1])
            page.keyboard.press("Enter")
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        if first:
            pass_card[key] = context.storage_state()
        return seat

    yield start
    for context in contexts:
        context.close()
