"""A real Chromium without a network; every page opened is watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.serving import demo_copy, pass_card, server, sit  # noqa: F401
from tests.views.map_county import build_run

FORCED = bool(os.environ.get("CI")) or os.environ.get("CATCHMENT_REQUIRE_BROWSER") == "1"
DESKTOP, PHONE = (1366, 768), (390, 844)


def chromium() -> str | None:
    """Find a Chromium on this machine."""
    given = os.environ.get("CATCHMENT_CHROMIUM")
    places = [given] if given else ["/usr/bin/chromium", "chromium", "chromium-browser"]
    return next((found for p in places if p and (found := shutil.which(p))), None)


# One browser a module: another module may drive its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = chromium()
    if program is None:
        reason = "no Chromium found; set CATCHMENT_CHROMIUM to its path"
        if FORCED:
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@dataclass
class Watched:
    """A page and what it tried to do."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def quiet(self) -> None:
        """Assert that nothing was said, asked for or executed."""
        assert self.complaints == []
        assert self.requests == []
        assert self.dialogs == []
        assert self.page.evaluate("window.__hit") is None

    def painted(self) -> float:
        """Milliseconds from opening to the first whole picture, by the page's own mark."""
        return float(
            self.page.evaluate("performance.getEntriesByName('catchment:painted')[0].startTime")
        )

    def picture(self, number: int = 0) -> str:
        """Pixels of one of the map's sheets."""
        return str(
            self.page.evaluate(
                "n => document.querySelectorAll('.leaflet-pane canvas')[n].toDataURL()", number
            )
        )


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Watched]]:
    contexts: list[Any] = []

    def start(path: Path, size: tuple[int, int] = DESKTOP, **options: Any) -> Watched:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, offline=True, **options
        )
        contexts.append(context)
        watched = Watched(context.new_page())

        def route(handler: Any) -> None:
            address = handler.request.url
            if address == path.as_uri():
                handler.continue_()
            else:
                watched.requests.append(address)
                handler.abort()

        def dialog(box: Any) -> None:
            watched.dialogs.append(box.message)
            box.dismiss()

        watched.page.route("**/*", route)
        watched.page.on(
            "console",
            lambda m: watched.complaints.append(m.text) if m.type in ("error", "warning") else None,
        )
        watched.page.on("pageerror", lambda e: watched.complaints.append(str(e)))
        watched.page.on("dialog", dialog)
        watched.page.goto(path.as_uri())
        watched.page.wait_for_selector("html[data-ready]", timeout=20_000)
        return watched

    yield start
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every page of the made-up county, and of the same county with hostile names."""
    import pandas as pd

    from catchment.views.maps import write_map
    from catchment.views.parents import write_parents
    from catchment.views.problem_map import write_problem_map
    from tests.views.map_county import HOSTILE

    folder = tmp_path_factory.mktemp("pages")
    run, hostile = build_run(), build_run(hostile=True)
    problems = pd.DataFrame(
        [("villages", k, bad, bad, "error", bad, bad, bad, bad, 105 + k / 50, 27.4)
         for k, bad in enumerate(HOSTILE)],
        columns=["layer", "row", "column", "value", "severity", "what_zh", "what_en",
                 "remedy_zh", "remedy_en", "x", "y"],
    )  # fmt: skip
    return {
        "map": write_map(run, folder / "map.html"),
        "parents": write_parents(run, folder / "parents.html"),
        "hostile": write_map(hostile, folder / "hostile.html"),
        "hostile_parents": write_parents(
            hostile, folder / "hostile_parents.html", notice={"place": HOSTILE[0]}
        ),
        "problems": write_problem_map(problems, folder / "problems.html"),
        "osm": write_map(run, folder / "osm.html", tiles="osm"),
    }
