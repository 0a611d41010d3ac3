"""Pages and documents: size, first paint and repaints of the map; seconds of all documents of a run.

The map is that of 500 villages and 20,000 road segments, opened offline in a real Chromium, with
the processor as it is and throttled four times. The documents are those of 800 villages, 150
schools and 11 years; six such runs are compared. Both are made-up counties of the tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ("catchment/views", "catchment/run", "tests/views", "scripts/benchmarks/pages.py")
PAINT_S, LIMIT_MS = 3.0, {1: 100, 4: 250}
ROUNDS = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a part be left out.

    Parameters
    ----------
    parser : ArgumentParser
        Of this theme.
    """
    parser.add_argument("--only", choices=("map", "documents"), help="one of the two parts")


def run(options: argparse.Namespace) -> str:
    """Measure and lay out the tables.

    Parameters
    ----------
    options : Namespace
        ``only``.

    Returns
    -------
    str
        Markdown.
    """
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    parts = ["`python scripts/benchmark.py pages --write`"]
    with tempfile.TemporaryDirectory() as folder:
        if options.only in (None, "map"):
            parts.append(_map(Path(folder)))
        if options.only in (None, "documents"):
            parts.append(_documents(Path(folder)))
    return "\n\n".join(parts)


# ---------------------------------------------------------------- the map


def _map(folder: Path) -> str:
    from catchment.views.maps import write_map
    from tests.views.map_county import build_run

    made = build_run(villages=500, pieces=14)
    page = write_map(made, folder / "map.html")
    lines = [
        (
            f"**Map of 500 villages, {len(made.problem.site_ids)} schools and "
            f"{len(made.network.tail):,} road segments**, {page.stat().st_size / 1e6:.2f} MB, window of "
            "1366 x 768, Chromium without a graphics processor. From the click to the picture handed to "
            "the screen, panel included."
        ),
        "",
        (
            "| processor | first paint | year changed: median | 90 % | worst | school closed (what if): "
            "median | 90 % | worst | limit |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rate in (1, 4):
        painted, years, trials = _repaints(page, rate)
        lines.append(
            f"| {'as it is' if rate == 1 else f'throttled {rate} x'} | {painted / 1000:.2f} s | "
            f"{_three(years)} | {_three(trials)} | {LIMIT_MS[rate]} ms, paint {PAINT_S:g} s |"
        )
    return "\n".join(lines)


def _three(took: list[float]) -> str:
    ordered = sorted(took)
    tail = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return f"{statistics.median(ordered):.0f} ms | {tail:.0f} ms | {ordered[-1]:.0f} ms"


def _repaints(page: Path, rate: int) -> tuple[float, list[float], list[float]]:
    """First paint, year changes and what-ifs in milliseconds."""
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CATCHMENT_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_context(viewport={"width": 1366, "height": 768}, offline=True).new_page()
        view.goto(page.as_uri())
        view.context.new_cdp_session(view).send("Emulation.setCPUThrottlingRate", {"rate": rate})
        view.reload()
        view.wait_for_selector("html[data-ready]", timeout=60_000)
        painted = float(
            view.evaluate("performance.getEntriesByName('catchment:painted')[0].startTime")
        )

        def took(act: Callable[[int], object], rounds: int) -> list[float]:
            view.evaluate("performance.clearMeasures()")
            for k in range(rounds):
                act(k)
                view.wait_for_timeout(150 + 150 * rate)
            entries = view.evaluate(
                "performance.getEntriesByName('catchment:switch').map(e => e.duration)"
            )
            return [float(e) for e in entries]

        view.focus("#year")
        years = took(lambda k: view.keyboard.press("Home" if k % 2 else "End"), ROUNDS + 1)[1:]
        view.fill("#find", "S030")
        view.keyboard.press("Enter")
        view.wait_for_timeout(1500)
        trials = took(lambda k: view.locator("[data-try]").first.click(), ROUNDS)
        browser.close()
    return painted, years, trials


# ---------------------------------------------------------------- the documents


def _documents(folder: Path) -> str:
    from catchment.views import folder as runs
    from catchment.views.book import write_book
    from catchment.views.comparison import write_comparison
    from catchment.views.deck import write_deck
    from catchment.views.geopackage import write_geopackage
    from catchment.views.maps import write_map
    from catchment.views.notice_sheet import write_notice
    from catchment.views.parents import write_parents
    from catchment.views.report import write_report
    from catchment.views.tables import write_tables
    from catchment.views.workbook import write_ledger
    from tests.views.document_run import document_run

    made = document_run(villages=800, village_schools=126, years=11)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("planner's map", lambda: write_map(made, folder / "map.html")),
        ("parents' page", lambda: write_parents(made, folder / "parents.html")),
        ("report (DOCX, HTML)", lambda: write_report(made, folder)),
        ("review book (DOCX, HTML)", lambda: write_book(made, folder)),
        ("notice (DOCX, HTML)", lambda: write_notice(made, folder)),
        ("slides", lambda: write_deck(made, folder / "deck.pptx")),
        ("workbook", lambda: write_ledger(made, folder / "ledger.xlsx")),
        ("GeoPackage", lambda: write_geopackage(made, folder / "plan.gpkg")),
        ("tables (CSV)", lambda: write_tables(made, folder)),
    )
    rows, total = [], 0.0
    for name, make in steps:
        seconds = _seconds(make)
        rows.append(f"| {name} | {seconds:.1f} s |")
        total += seconds
    folders = []
    for k in range(6):
        place = folder / f"run{k}"
        place.mkdir()
        # Of every sixth village and band the plan leaves the school as it is: six differing plans.
        site = made.plan.site_of.copy()
        site[k::6] = made.today.site_of[k::6]
        each = dataclasses.replace(made, name=f"Plan {k + 1}", plan=made.plan.replace(site_of=site))
        write_geopackage(each, place / "plan.gpkg")
        write_tables(each, place)
        runs.write_record(each, place)
        folders.append(place)
    compared = _seconds(lambda: write_comparison(folders, folder / "compare"))
    return "\n".join(
        [
            (
                f"**Documents of {len(made.problem.village_ids)} villages, "
                f"{len(made.region.schools)} schools and {len(made.problem.years)} years**"
            ),
            "",
            "| file | seconds |",
            "|---|---|",
            *rows,
            f"| **all documents of the run** (limit 60 s) | **{total:.1f} s** |",
            f"| **six runs compared** (DOCX, HTML, XLSX, CSV; limit 30 s) | **{compared:.1f} s** |",
        ]
    )


def _seconds(make: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    make()
    return time.perf_counter() - begun
