"""The workbench asks the optimiser what `catchment propose` asks, and its plans are as whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.optimise import consolidation as model
from catchment.region.read import read_region
from catchment.run import pose, run_scenario
from catchment.run.propose import Wish, propose
from catchment.scenario import parse_scenario
from catchment.web import tasks
from catchment.web.answer import answer
from catchment.web.bench import open_county
from catchment.web.document import document_of_toml, parse_document, scenario_of, toml_of
from catchment.web.tasks import Table, _question, finish, open_table
from tests.tiny_files import write_tiny

ONE = Wish(steps=1)
GAPS = [2026, 2028, 2031]
MERGE = {"do": "merge", "school": "T1", "into": "S2", "year": 2030}
CAPS = {"closures_per_year": 1, "closures_total": 2, "moved_per_year": 900, "min_size": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    county = write_tiny(tmp_path_factory.mktemp("alike") / "county")
    (county / "costs.csv").write_text("key,value\nteacher_year,60000\n", encoding="utf-8")
    (county / "evidence.csv").write_text(
        "school_id,code,item,date,value,document\nT1,R-CON-01,,2026-10-01,80,家长意见表\n",
        encoding="utf-8",
    )
    (county / "classes.csv").write_text(
        "学校代码,年级,班号,人数,年度\nS1,1,1,48,2026\n", encoding="utf-8"
    )
    return county


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("alike") / "plain")


def sit_down(folder: Path, recipe: dict[str, Any]) -> Table:
    """A worker's table, with the county's recipe as the server sends it."""
    opened = open_county(read_region(folder), parse_scenario(recipe), folder=folder)
    sent = opened.county.scenario.model_dump(mode="json", by_alias=True)
    return open_table({"folder": str(folder), "scenario": sent})


def silent(zh: str, en: str, **more: Any) -> None:
    """Hear nothing."""


@pytest.mark.parametrize(
    "demands",
    [
        {},
        {"years": GAPS, "consolidation": {"finish": True}},
        {"years": GAPS, "consolidation": CAPS},
        {"years": GAPS, "catchments": {"grandfather": "band"}},
        {"method": {"connected": False, "stay_minutes": 3}},
    ],
)
@pytest.mark.parametrize("actions", [[], [MERGE]])
def test_both_doors_ask_the_same(
    folder: Path, actions: list[dict[str, object]], demands: dict[str, Any]
) -> None:
    recipe = {"name": "试", "years": [2026, 2030, 2031], **demands}
    whole = parse_scenario({**recipe, "action": actions})
    table = sit_down(folder, recipe)
    own = scenario_of(table.county, parse_document({"name": "试", "actions": actions}))
    assert own.method.connected == whole.method.connected
    scenario, mine, _ = _question(table, own, {"keep": []})
    assert scenario.years == tuple(range(2026, 2032))
    other = propose(whole, read_region(folder), wish=ONE).offers[0].question
    assert mine.costs == other.costs
    assert mine.costs.teacher_year == 60000
    assert mine.limits == other.limits
    assert mine.limits.young_minutes == 30.0
    assert mine.transition == other.transition
    assert mine.problem.years == other.problem.years
    for field in dataclasses.fields(model.Question):
        here, there = getattr(mine, field.name), getattr(other, field.name)
        if here is None or there is None:
            assert here is there, field.name
        elif isinstance(here, np.ndarray):
            assert np.array_equal(here, there, equal_nan=here.dtype.kind == "f"), field.name
    for name in ("students", "must_open", "can_host", "rooms", "fixed_site", "minutes", "today"):
        assert np.array_equal(getattr(mine.problem, name), getattr(other.problem, name)), name
    code = mine.problem.site_ids.index
    assert mine.receives is not None
    assert not mine.receives[code("S1")]
    assert mine.receives[code("S2")]
    # Opposition on record keeps the school unless the user's own action gives it up.
    assert mine.may_close[code("T1")] == bool(actions)


def test_what_the_county_demands_is_in_a_variant_and_its_toml(folder: Path) -> None:
    recipe = {
        "name": "试", "years": GAPS, "consolidation": CAPS, "catchments": {"ride_minutes": 7.0},
        "publication": {"author": "县教育局"}, "notice": {"place": "二楼"}, "effort": 2.0,
    }  # fmt: skip
    table = sit_down(folder, recipe)
    asked = parse_scenario(recipe)
    document = parse_document({"name": "甲"})
    again = document_of_toml(table.county, toml_of(table.county, document))
    for each in (document, again):
        scenario = scenario_of(table.county, each)
        for name in ("consolidation", "catchments", "publication", "notice", "effort"):
            assert getattr(scenario, name) == getattr(asked, name), name
    other = "[consolidation]\nclosures_total = 1\n"
    sent = document_of_toml(table.county, f'name = "乙"\nyears = [2026, 2028]\n{other}')
    assert sent.consolidation is not None
    assert sent.consolidation.closures_total == 1


def test_a_county_whose_recipe_draws_catchments_opens(folder: Path) -> None:
    never = {"villages": ["V1"], "school": "S2"}
    recipe = {
        "name": "划", "years": GAPS, "method": {"assignment": "capacity"},
        "catchments": {"never": [never], "compactness": 2.0, "grandfather": True},
    }  # fmt: skip
    table = sit_down(folder, recipe)
    wanted = scenario_of(table.county, parse_document({"name": "甲"})).catchments
    assert wanted is not None
    assert wanted.grandfather is True
    assert not wanted.never


def test_finish_this_keeps_the_demands_of_the_county(plain_folder: Path) -> None:
    task = {"document": {"name": "甲"}, "keep": [], "seconds": 3}
    free = finish(sit_down(plain_folder, {"name": "今", "years": GAPS}), task, silent)
    acts = free["documents"][0]["actions"]
    assert any(a["do"] in ("merge", "downgrade") for a in acts)
    held = {"name": "今", "years": GAPS, "consolidation": {"closures_per_year": 0}}
    found = finish(sit_down(plain_folder, held), task, silent)
    assert not any(a["do"] == "merge" for a in found["documents"][0]["actions"])
    assert found["violations"] == []


def test_where_students_finish_the_variant_runs_as_it_was_planned(plain_folder: Path) -> None:
    recipe = {"name": "今", "years": GAPS, "consolidation": {"finish": True}}
    table = sit_down(plain_folder, recipe)
    task = {"document": {"name": "甲", "actions": [MERGE]}, "keep": [], "seconds": 3}
    made = finish(table, task, silent)["documents"][0]
    assert made["years"] == list(range(2026, 2032))
    document = parse_document(made)
    assert document.catchments is not None
    assert document.catchments.grandfather == "band"
    quick = table.reckoner.reckon(scenario_of(table.county, document))
    run = run_scenario(scenario_of(table.county, document), table.county.region)
    assert quick.plan.elsewhere is not None
    assert tasks.proof_of(quick.plan) == tasks.proof_of(run.plan)
    assert (run.conservation["unserved"] == 0).all()
    for year in made["years"]:
        shown = answer(table.county, quick, year)
        rows = run.indicators[
            (run.indicators["plan"] == "plan") & (run.indicators["year"] == year)
            & (run.indicators["scope"] == "county")
        ]  # fmt: skip
        full = dict(zip(rows["indicator"], rows["value"], strict=True))
        mine = {f["name"]: f["plan"] for f in shown["figures"] if f["scope"] == "county"}
        assert mine.keys() <= full.keys()
        for name, value in mine.items():
            assert value == pytest.approx(full[name], abs=1e-4, nan_ok=True), (year, name)
        answer(table.county, quick, year, whole=False)


@pytest.mark.parametrize("connected", [True, False])
def test_plans_are_connected_where_the_recipe_says_so(
    plain_folder: Path, monkeypatch: pytest.MonkeyPatch, connected: bool
) -> None:
    asked: list[tuple[bool, int]] = []
    real = model.connected_as_far

    def connected_as_far(question: Any, **more: Any) -> Any:
        asked.append((question.connected, more["seed"]))
        return real(question, **more)

    monkeypatch.setattr(model, "connected_as_far", connected_as_far)
    recipe = {"name": "今", "years": GAPS, "seed": 5, "method": {"connected": connected}}
    table = sit_down(plain_folder, recipe)
    task = {"document": {"name": "甲"}, "keep": [], "seconds": 2}
    found = finish(table, task, silent)
    assert asked == [(connected, 5)]
    assert found["violations"] == []
    made = parse_document(found["documents"][0])
    problem = pose(scenario_of(table.county, made), table.county.region).problem
    assert problem.years == tuple(range(2026, 2032))
    tasks.three(table, {**task, "seconds": 4}, silent)
    assert {c for c, _ in asked} == {connected}


def test_what_a_plan_breaks_is_told_in_words(
    plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = model.Violation("closures in a year", "", 2028, 3.0, 1.0)
    monkeypatch.setattr(model, "check", lambda question, found: (broken,))
    table = sit_down(plain_folder, {"name": "今", "years": GAPS})
    task = {"document": {"name": "甲"}, "keep": [], "seconds": 2}
    (said,) = finish(table, task, silent)["violations"]
    assert said["zh"].startswith("2028 年")
    assert "Violation" not in said["zh"] + said["en"]


def test_a_school_kept_below_the_least_size_costs_nothing_and_that_is_told(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    (county / "costs.csv").write_text("key,value\nminute,20\nsite_year,1000\n", encoding="utf-8")
    # T1 has 60 students: it closes for the least size alone, however long the trips.
    limits = {"min_size": 70, "kept_share": 0.6}
    table = sit_down(county, {"name": "今", "years": [2026, 2027], "consolidation": limits})
    task = {"document": {"name": "甲"}, "keep": [], "seconds": 4, "school": "T1"}
    found = tasks.price(table, task, silent)
    (row,) = found["prices"]
    assert row["changed"]
    assert (row["yuan"], row["least"]) == (0.0, 0.0)
    assert row["most"] >= 0
    (said,) = found["violations"]
    assert "2027 年起不足 70 人，最多差 10 人" in said["zh"]
    assert "no saving by keeping" in said["en"]


def test_what_a_plan_may_do_beyond_the_variant(tmp_path: Path) -> None:
    """Reopen and build only where that is ticked; areas that the county does not have are refused."""
    county = write_tiny(tmp_path / "county")
    (county / "costs.csv").write_text(
        "key,value\nminute,50\nsite_reopen,0\nsite_year,0\nsite_build,0\nroom_build,0\n",
        encoding="utf-8",
    )
    (county / "sites.csv").write_text(
        "校址代码,校址名称,所在乡镇,起始年级,终止年级,最多教室数,建设投资,经度,纬度\n"
        "C1,戊村备选,西乡,1,6,12,0,108.0397,27.1080\n",
        encoding="utf-8",
    )
    table = sit_down(county, {"name": "试", "years": [2026, 2028]})
    own = scenario_of(table.county, parse_document({"name": "甲"}))
    free: dict[tuple[bool, bool], set[str]] = {}
    for build in (False, True):
        for reopen in (False, True):
            asked = {"keep": [], "build": build, "reopen": reopen}
            _, question, _ = _question(table, own, asked)
            opens = np.flatnonzero(question.may_open)
            free[build, reopen] = {question.problem.site_ids[j] for j in opens}
    assert free[False, False] == set()
    assert free[False, True] == {"X1"}
    assert free[True, False] <= {"C1"}
    assert free[True, True] == free[True, False] | {"X1"}
    task = {"document": {"name": "甲"}, "keep": [], "seconds": 3, "reopen": True}
    result = finish(table, task, silent)
    done = result["documents"][0]["actions"]
    assert [a["school"] for a in done if a["do"] == "reopen"] == ["X1"]
    # What the optimiser wrote is what the table reckons, and the run of the recipe as well.
    document = parse_document(result["documents"][0])
    found = table.reckoner.reckon(scenario_of(table.county, document))
    run = run_scenario(scenario_of(table.county, document), table.county.region)
    assert np.array_equal(found.plan.site_of, run.plan.site_of)
    with pytest.raises(InputError, match="片区"):
        _question(table, own, {"keep": [], "areas": True})
