"""The maps of the shipped county and of a real one, made by the whole pipeline."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from catchment.run import Run, execute
from catchment.views.maps import write_map
from catchment.views.parents import write_parents
from tests.browser.conftest import Watched

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo" / "scenarios" / "merge-2028.toml"
SHARED = Path(os.environ.get("CATCHMENT_SHARED", ROOT / ".." / "shared"))


def opens_and_answers(seen: Watched, run: Run, path: Path) -> None:
    """Assert what every map of a run must do."""
    page = seen.page
    seen.quiet()
    assert path.stat().st_size < 2_000_000
    assert seen.painted() < 3000
    plan = seen.picture(2)
    page.click("#view [data-value=today]")
    moves = (run.today.site_of != run.plan.site_of).any()
    assert (seen.picture(2) != plan) == bool(moves)
    village = run.region.villages.iloc[len(run.region.villages) // 2]
    page.fill("#find", str(village["name"])[1:] or str(village["name"]))
    names = page.locator("#found .name").all_inner_texts()
    assert any(str(village["name"])[1:] in n for n in names)
    page.fill("#find", str(village["village_id"]))
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    assert page.inner_text(".place h2") == village["name"]
    page.click("#view [data-value=both]")
    page.click("#lang")
    seen.quiet()


@pytest.fixture(scope="module")
def demo() -> Run:
    if not DEMO.exists():
        pytest.skip("the shipped county is not in this checkout")
    return execute(DEMO)


def test_demo_map(demo: Run, visit: Visit, tmp_path: Path) -> None:
    path = write_map(demo, tmp_path / "map.html")
    opens_and_answers(visit(path), demo, path)


def test_demo_figures_on_the_page_are_those_of_the_run(
    demo: Run, visit: Visit, tmp_path: Path
) -> None:
    page = visit(write_map(demo, tmp_path / "map.html")).page
    year = int(page.inner_text("#year-out"))
    table = demo.indicators
    mine = table[(table["scope"] == "county") & (table["year"] == year)]
    for number, label in ((1, "today"), (2, "plan")):
        for name in ("students", "schools_open", "large_classes", "over_limit_students"):
            value = mine[(mine["indicator"] == name) & (mine["plan"] == label)]["value"].item()
            title = page.evaluate(
                "n => JSON.parse(document.getElementById('catchment-data').textContent)"
                ".measures[n][0]",
                name,
            )
            rows = page.locator(".figures tbody tr").all()
            row = next(r for r in rows if r.locator("th").inner_text().startswith(title))
            assert row.locator("td").nth(number).inner_text() == f"{value:,.0f}"


def test_demo_parents_page_and_map_say_the_same_minutes(
    demo: Run, visit: Visit, tmp_path: Path
) -> None:
    row = demo.explanations.sort_values(["year", "village_id"]).iloc[-1]
    parents = visit(write_parents(demo, tmp_path / "parents.html")).page
    parents.fill("#find", str(row["village_id"]))
    parents.keyboard.press("Enter")
    chart = visit(write_map(demo, tmp_path / "map.html")).page
    chart.fill("#find", str(row["village_id"]))
    chart.keyboard.press("Enter")
    chart.focus("#year")
    chart.keyboard.press("End")
    last = demo.problem.years[-1]
    index = demo.problem.village_ids.index(str(row["village_id"]))
    for k in range(len(demo.problem.bands)):
        i = index * len(demo.problem.bands) + k
        j = demo.plan.site_of[i, -1]
        if j < 0:
            continue
        minutes = demo.problem.minutes[demo.problem.network[-1], i, j]
        said = f"{minutes:,.1f}"
        assert f"{said} 分钟" in parents.inner_text("#answer"), (last, k)
        assert said in chart.inner_text(f"section.band >> nth={k}")


def test_demo_home_visits_take_one_sheet_a_village(demo: Run, visit: Visit, tmp_path: Path) -> None:
    page = visit(write_parents(demo, tmp_path / "parents.html")).page
    page.evaluate("window.print = () => {}")
    towns = demo.region.villages.groupby("township")["village_id"].agg(["first", "size"])
    for village, size in towns.sort_values("size").tail(3).itertuples(index=False):
        page.fill("#find", str(village))
        page.keyboard.press("Enter")
        page.click("#print-town")
        paper = page.pdf(prefer_css_page_size=True, print_background=True)
        assert len(re.findall(rb"/Type /Page\b", paper)) == size


@pytest.mark.shared
def test_rutland_map(visit: Visit, tmp_path: Path) -> None:
    if not (SHARED / "cases" / "rutland").exists():
        pytest.skip("the folder of real cases is absent")
    from tests.cases.real_regions import write_rutland

    run = execute(write_rutland(tmp_path / "region") / "scenarios" / "run.toml")
    path = write_map(run, tmp_path / "map.html")
    opens_and_answers(visit(path), run, path)
