"""The what-if of the page: the same numbers as the engine, undone, reset and handed on."""

from __future__ import annotations

import dataclasses
import statistics
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catchment.optimise.whatif import start_of, whatif
from catchment.plan import split, students_at
from catchment.run import Run, execute
from catchment.scenario import parse_scenario
from catchment.views.facts import read_facts
from catchment.views.maps import write_map
from catchment.views.trial import most_rooms
from tests.browser.conftest import Watched
from tests.views.map_county import HOSTILE, build_run
from tests.views.shared_run import shared_run

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]
DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "merge-2028.toml"
FIGURES = (
    "served", "unserved", "student_tenths", "worst", "over_limit", "moved", "over_places",
    "large", "super_large",
)  # fmt: skip
ASK = """
cases => cases.map(([year, bits, minded]) => {
  const a = Catchment.reckon(year, bits, minded);
  return {...Object.fromEntries(FIGURES.map(k => [k, a[k]])), site: a.site, mode: a.mode, load: a.load,
    places: a.places, sizes: a.classes.map(list => list.map(c => c[2]))};
})
""".replace("FIGURES", str(list(FIGURES)))


def random_cases(run: Run, count: int, seed: int) -> list[tuple[int, np.ndarray, bool]]:
    """Years and sets of open sites: mostly closures, some teaching points, some opened."""
    rng = np.random.default_rng(seed)
    problem, cases = run.problem, []
    for _ in range(count):
        year = int(rng.integers(len(problem.years)))
        opened = run.plan.open[:, :, year].copy()
        running = np.flatnonzero(opened.any(axis=1))
        for j in rng.choice(running, int(rng.integers(1, 9)), replace=False):
            opened[j] = False
            opened[j, 0] = problem.can_host[j, 0] and rng.random() < 0.3
        idle = np.flatnonzero(~run.plan.open[:, :, year].any(axis=1))
        for j in idle[rng.random(len(idle)) < 0.15]:
            opened[j] = (
                problem.today_open[j] if problem.today_open[j].any() else problem.can_host[j]
            )
        cases.append((year, opened, bool(rng.random() < 0.8)))
    return cases


def agree(page: Any, run: Run, count: int, seed: int) -> int:
    """Assert that the page and the engine say the same; count the cases in which somebody moves."""
    cases = random_cases(run, count, seed)
    weight = 1 << np.arange(len(run.problem.bands))
    asked = [[y, (o * weight).sum(axis=1).tolist(), c] for y, o, c in cases]
    problem, plan = split(run.problem, run.plan)
    starts = [
        start_of(problem, plan, t, most_rooms=most_rooms(run))
        for t in range(len(run.problem.years))
    ]
    moved = 0
    for (year, opened, minded), said in zip(cases, page.evaluate(ASK, asked), strict=True):
        answer = whatif(starts[year], opened, capacity=minded)
        for name in FIGURES:
            assert said[name] == getattr(answer, name), name
        assert said["site"] == answer.site_of.tolist()
        assert said["mode"] == answer.mode_of.tolist()
        assert said["load"] == answer.load.ravel().tolist()
        assert said["places"] == answer.places.ravel().tolist()
        assert said["sizes"] == [list(s) for s in answer.sizes]
        moved += answer.moved > 0
    return moved


@pytest.fixture(scope="module")
def demo() -> Run:
    if not DEMO.exists():
        pytest.skip("the shipped county is not in this checkout")
    return execute(DEMO)


def test_page_and_engine_agree_on_the_shipped_county(
    demo: Run, visit: Visit, tmp_path: Path
) -> None:
    seen = visit(write_map(demo, tmp_path / "map.html"))
    assert agree(seen.page, demo, 500, seed=11) > 450
    seen.quiet()


def test_page_and_engine_agree_where_schools_share_villages(visit: Visit, tmp_path: Path) -> None:
    """Each part of a village is placed by itself, and only the part that loses its school."""
    run = shared_run(90)
    seen = visit(write_map(run, tmp_path / "map.html"))
    assert agree(seen.page, run, 200, seed=7) > 150
    t, parts = read_facts(run).focus_at, run.plan.elsewhere
    assert parts is not None
    closed = int(parts.site[np.flatnonzero(parts.shared & (parts.year == t))[0]])
    opened = run.plan.open[:, :, t].copy()
    opened[closed] = False
    bits = (opened * (1 << np.arange(opened.shape[1]))).sum(axis=1).tolist()
    said = seen.page.evaluate("([y, o]) => Catchment.reckon(y, o, true)", [t, bits])
    # Whoever was there moves, and nobody else of the same village.
    assert said["moved"] == students_at(run.problem, run.plan)[closed, :, t].sum()
    seen.quiet()


def test_the_plan_itself_has_the_figures_of_the_run(demo: Run) -> None:
    table = demo.indicators
    for t, year in enumerate(demo.problem.years):
        start = start_of(demo.problem, demo.plan, t, most_rooms=most_rooms(demo))
        answer = whatif(start, start.opened)
        mine = table[
            (table["scope"] == "county") & (table["year"] == year) & (table["plan"] == "plan")
        ].set_index("indicator")["value"]
        assert answer.over_limit == mine["over_limit_students"]
        assert answer.served == mine["served"]
        assert answer.unserved == mine["unserved"]
        assert answer.student_tenths / answer.served / 10 == pytest.approx(
            mine["minutes_mean"], abs=0.02
        )
        assert answer.worst / 10 == pytest.approx(mine["minutes_max"], abs=0.1)
        assert (answer.classes == demo.plan.classes[:, :, t]).all()


def test_page_and_engine_agree_with_few_rooms_many_grades_and_two_roads(
    visit: Visit, tmp_path: Path
) -> None:
    run = build_run(villages=120, seed=5)
    rng = np.random.default_rng(2)
    problem = run.problem
    slower = problem.minutes * rng.uniform(0.8, 1.6, problem.minutes.shape).astype(np.float32)
    slower[:, rng.random(slower.shape[1:]) < 0.03] = np.inf
    mode = np.where(np.isfinite(slower), problem.mode, -1).astype(np.int8)
    problem = problem.replace(
        rooms=rng.integers(0, 7, problem.rooms.shape).astype(np.int32),
        class_size=rng.integers(20, 50, problem.class_size.shape).astype(np.int32),
        minutes=np.concatenate([problem.minutes, slower]),
        metres=np.concatenate([problem.metres] * 2),
        mode=np.concatenate([problem.mode, mode]),
        network=np.array([0, 0, 1, 1], np.int32),
    )
    seen = visit(write_map(dataclasses.replace(run, problem=problem), tmp_path / "map.html"))
    assert agree(seen.page, dataclasses.replace(run, problem=problem), 120, seed=3) > 100
    seen.quiet()


def test_close_undo_reset_and_hand_on(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    page, run = seen.page, build_run()
    before = seen.picture(0)
    j = next(
        j for j in range(24, 76)
        if run.plan.open[j, 0, -1] and (run.plan.site_of[:, -1] == j).sum() > 4
    )  # fmt: skip
    page.focus("#year")
    page.keyboard.press("End")
    page.fill("#find", run.problem.site_ids[j])
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    plain = seen.picture(0)
    page.click("[data-try=close]")
    assert seen.picture(0) != plain
    assert "试算" in page.inner_text("#tag-a")
    assert "停办" in page.inner_text("#trial-bar")
    page.click("#tab-trial")
    start = start_of(run.problem, run.plan, 3, most_rooms=most_rooms(run))
    opened = start.opened.copy()
    opened[j] = False
    answer = whatif(start, opened)
    rows = page.locator("#trial-figures tbody tr")
    shown = rows.nth(3).locator("td").nth(1).inner_text()
    assert shown == f"{answer.moved:,}"
    mean = answer.student_tenths / answer.served / 10
    assert rows.nth(0).locator("td").nth(1).inner_text() == f"{mean:.1f}"
    recipe = tomllib.loads(page.input_value("#recipe"))
    assert recipe["action"][0]["school"] == run.problem.site_ids[j]
    whole = parse_scenario({"name": "a", "years": [2026, 2029], **recipe})
    assert whole.actions[0].do in ("merge", "downgrade")
    page.click("#undo")
    assert page.locator("#trial-bar").is_hidden()
    assert seen.picture(0) == plain
    assert before
    seen.quiet()


def test_teaching_point_and_reopening(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    page, run = seen.page, build_run()
    page.focus("#year")
    page.keyboard.press("End")
    whole = next(j for j in range(24, 76) if run.plan.open[j, 1, -1])
    page.fill("#find", run.problem.site_ids[whole])
    page.keyboard.press("Enter")
    page.click("[data-try=point]")
    assert "教学点" in page.inner_text(".facts >> nth=0")
    gone = next(
        j for j in range(24, 76) if not run.plan.open[j, :, -1].any() and run.problem.existing[j]
    )
    page.fill("#find", run.problem.site_ids[gone])
    page.keyboard.press("Enter")
    assert page.locator("[data-try=close]").count() == 0
    page.locator("[data-try=reopen], [data-try=build], [data-try=open_point]").first.click()
    assert "2 处" in page.inner_text("#trial-bar")
    page.click("#lang")
    assert "What-if" in page.inner_text("#trial-bar")
    page.click("#reset")
    assert page.locator("#trial-bar").is_hidden()
    seen.quiet()


def test_what_if_repaints_in_a_tenth_of_a_second(visit: Visit, pages: dict[str, Path]) -> None:
    page = visit(pages["map"]).page
    page.fill("#find", "S030")
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    page.evaluate("performance.clearMeasures()")
    for _ in range(5):
        page.locator("[data-try]").first.click()
        page.wait_for_timeout(60)
    page.wait_for_timeout(200)
    took = page.evaluate("performance.getEntriesByName('catchment:switch').map(e => e.duration)")
    assert len(took) == 5
    assert statistics.median(took) < 100


def test_hostile_names_are_text_in_the_what_if(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["hostile"])
    page = seen.page
    page.fill("#find", "S030")
    page.keyboard.press("Enter")
    page.locator("[data-try]").first.click()
    page.click("#tab-trial")
    tomllib.loads(page.input_value("#recipe"))
    assert HOSTILE[0] in page.inner_text("#county")
    assert page.locator("img").count() == 0
    seen.quiet()
