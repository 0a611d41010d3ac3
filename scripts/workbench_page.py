"""From a click to the last paint of the workbench, in a real Chromium against the real server.

Opens the shipped county, or an invented one of 500 villages and some 20,000 road segments, and
switches schools one after another by their card; the page measures from the click to the frame in
which every figure stands (``performance.measure``). Once more with the processor throttled::

    python scripts/workbench_page.py
    python scripts/workbench_page.py --large --clicks 60
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS
from shapely.geometry import LineString, Point, box

from catchment.region.bands import read_bands
from catchment.region.model import Region
from catchment.region.write import write_region

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
METRIC = CRS.from_epsg(4545)
STEP, SIDE = 400.0, 101


def large_region(villages: int = 500, schools: int = 60, seed: int = 3) -> Region:
    """Build an invented county on a grid of roads.

    Parameters
    ----------
    villages, schools : int
        How many.
    seed : int
        Seed of positions and children.

    Returns
    -------
    Region
        Roads of four vertices a segment.
    """
    rng = np.random.default_rng(seed)
    x0, y0, wide = 480_000.0, 3_000_000.0, STEP * (SIDE - 1)
    spots = rng.uniform(0.02, 0.98, (villages, 2)) * wide
    at = spots[rng.choice(villages, schools, replace=False)] + rng.normal(0, 60, (schools, 2))
    junior = np.arange(schools) % 10 == 0
    points = [Point(x0 + x, y0 + y) for x, y in spots]
    places = [Point(x0 + x, y0 + y) for x, y in at]
    towns = (spots // (wide / 4)).astype(int) @ np.array([1, 4])
    near = np.linalg.norm(spots[:, None] - at[None], axis=2)
    low = np.where(junior[None], np.inf, near).argmin(axis=1)
    high = np.where(~junior[None], np.inf, near).argmin(axis=1)
    ids = [f"S{k:03d}" for k in range(schools)]
    grades = rng.integers(1, 9, (villages, 9))
    return Region(
        name="大县（虚构）",
        crs=METRIC,
        bands=read_bands(),
        villages=gpd.GeoDataFrame(
            {
                "village_id": [f"V{k:03d}" for k in range(villages)],
                "name": [f"村{k}" for k in range(villages)],
                "township": [f"乡{t}" for t in towns],
                "area_id": "",
                "population": 600.0,
                "urban_class": "220",
                "school_lower": [ids[j] for j in low],
                "school_upper": [ids[j] for j in low],
                "school_junior": [ids[j] for j in high],
            },
            geometry=points,
            crs=METRIC,
        ),
        children=pd.DataFrame(
            [
                (f"V{v:03d}", g + 1, 2026, int(grades[v, g]), "enrolled")
                for v in range(villages)
                for g in range(9)
            ],
            columns=["village_id", "grade", "year", "students", "source"],
        ),
        schools=gpd.GeoDataFrame(
            {
                "school_id": ids,
                "name": [f"学校{k}" for k in range(schools)],
                "township": [f"乡{towns[v]}" for v in near.argmin(axis=0)],
                "role": np.where(junior, "junior", "complete"),
                "grade_from": np.where(junior, 7, 1),
                "grade_to": np.where(junior, 9, 6),
                "rooms": np.where(junior, 36, 12),
                "capacity_estimated": False,
                "area_id": "",
                "urban_class": "220",
                "boarding": False,
                "beds": 0,
                "dining_seats": 300,
                "nap_places": 0,
                "teachers": 20,
                "students": 200,
                "status": "existing",
            },
            geometry=places,
            crs=METRIC,
        ),
        classes=pd.DataFrame(columns=["school_id", "grade", "class_no", "students", "year"]),
        sites=gpd.GeoDataFrame(
            {c: [] for c in ("site_id", "name", "grade_from", "grade_to", "rooms_max")},
            geometry=[],
            crs=METRIC,
        ),
        students=gpd.GeoDataFrame(
            {c: [] for c in ("student_id", "village_id", "grade", "school_id")},
            geometry=[],
            crs=METRIC,
        ),
        roads=_roads(rng, x0, y0),
        boundaries=gpd.GeoDataFrame(
            {"boundary_id": ["C"], "name": ["大县"], "kind": ["county"]},
            geometry=[box(x0 - 500, y0 - 500, x0 + wide + 500, y0 + wide + 500)],
            crs=METRIC,
        ),
        areas=pd.DataFrame(columns=["area_id", "name", "central_school_id"]),
        rejected=pd.DataFrame(
            columns=["layer", "row", "village_id", "grade", "year", "students", "reason"]
        ),
    )


def _roads(rng: np.random.Generator, x0: float, y0: float) -> gpd.GeoDataFrame:
    lines, kinds = [], []
    for i in range(SIDE):
        for j in range(SIDE):
            for di, dj in ((1, 0), (0, 1)):
                if i + di == SIDE or j + dj == SIDE:
                    continue
                a = np.array([x0 + i * STEP, y0 + j * STEP])
                b = a + np.array([di, dj]) * STEP
                bend = [a + (b - a) * s + rng.normal(0, 15, 2) for s in (1 / 3, 2 / 3)]
                lines.append(LineString([a, *bend, b]))
                main = (j if di else i) % 10 == 0
                kinds.append("tertiary" if main else "unclassified")
    return gpd.GeoDataFrame(
        {
            "road_id": [f"R{k}" for k in range(len(lines))],
            "highway": kinds,
            "name": "",
            "oneway": "no",
            "surface": "",
            "maxspeed": "",
            "bridge": "",
            "hazard": False,
        },
        geometry=lines,
        crs=METRIC,
    )


@contextmanager
def served(region: Path, state: Path) -> Iterator[str]:
    """Serve a county and give the link.

    Parameters
    ----------
    region, state : Path
        The county's folder and the workbench's file.

    Yields
    ------
    str
        The one-time link.
    """
    command = [
        sys.executable, "-m", "catchment", "serve", str(region), "--port", "0", "--no-browser",
        "--state", str(state),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
    finally:
        process.kill()
        process.wait()


def measure(link: str, clicks: int, throttle: int) -> dict[str, list[float]]:
    """Switch schools and read the page's own measure.

    Parameters
    ----------
    link : str
        The one-time link.
    clicks : int
        How many switches, in each of the two runs.
    throttle : int
        How much slower the processor shall be in the second run.

    Returns
    -------
    dict
        Milliseconds of every click by run.
    """
    from playwright.sync_api import sync_playwright

    out: dict[str, list[float]] = {}
    with sync_playwright() as play:
        program = os.environ.get("CATCHMENT_CHROMIUM") or shutil.which("chromium")
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(link)
        page.wait_for_selector("html[data-ready]", timeout=120_000)
        for name, rate in (("plain", 1), (f"throttled x{throttle}", throttle)):
            page.context.new_cdp_session(page).send(
                "Emulation.setCPUThrottlingRate", {"rate": rate}
            )
            _switch(page, clicks)
            took = page.evaluate(
                "performance.getEntriesByName('catchment:change').map(e => e.duration)"
            )
            out[name] = took[-clicks:]
            drawn = page.evaluate(
                "performance.getEntriesByName('catchment:drawn').map(e => e.duration)"
            )
            out[f"{name}, from the answer on"] = drawn[-clicks:]
        browser.close()
    return out


def _switch(page: Any, clicks: int) -> None:
    """Close and reopen schools that teach the band shown, each by its card."""
    schools = page.evaluate(
        "(() => { const m = Catchment.workbench.model, out = []; for (let j = 0; j < m.nSites; j++) "
        "{ if (m.today().open[j] & 1) { out.push(j); } } return out; })()"
    )
    for k in range(clicks):
        j = schools[(k // 2) % len(schools)]
        before = page.evaluate("performance.getEntriesByName('catchment:change').length")
        page.evaluate("j => Catchment.workbench.open(['site', j], false)", j)
        state = "closed" if k % 2 == 0 else "all"
        page.click(f"[data-state={state}]")
        page.wait_for_function(
            "n => performance.getEntriesByName('catchment:change').length > n", arg=before
        )
        page.wait_for_timeout(700)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="500 villages, 20,000 road segments")
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--throttle", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        region = Path(folder) / "county.gpkg"
        if asked.large:
            write_region(large_region(), region)
        else:
            region = region.with_suffix("")
            shutil.copytree(DEMO, region)
        with served(region, Path(folder) / "state.sqlite") as link:
            for name, took in measure(link, asked.clicks, asked.throttle).items():
                cut = np.percentile(took, [50, 95])
                print(
                    f"{name}: median {cut[0]:.0f} ms, p95 {cut[1]:.0f} ms, max {max(took):.0f} ms, n {len(took)}"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
