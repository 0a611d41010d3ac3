"""The tutorial says what its commands have written, and the recorded plan is what it says it is."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from catchment.optimise import consolidation as model
from catchment.optimise.layout import scenario_plan
from catchment.optimise.phases.compile import compile_model
from catchment.optimise.phases.decode import answer_of, decision_of
from catchment.region.read import read_region
from catchment.run import pose
from catchment.run.demands import question_of_recipe
from catchment.run.hearing import moves_table
from catchment.run.offer import broken_today, judge
from catchment.scenario import read_scenario

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "docs" / "tutorial"


def rows(name: str) -> list[dict[str, str]]:
    path = RECORDED / name
    # What there is none of has no table.
    text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    return list(csv.DictReader(text.splitlines()))


def script() -> ModuleType:
    if str(ROOT / "scripts") not in sys.path:
        sys.path.insert(0, str(ROOT / "scripts"))
    import tutorial

    return tutorial


def test_the_page_is_what_the_recorded_files_say():
    tutorial = script()
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert page == tutorial.rendered()
    assert "{{" not in page
    for command in ("catchment run", "catchment propose", "catchment compare", "catchment report"):
        assert command in page


@pytest.mark.parametrize("name", ["plan.toml", "proposal.toml"])
def test_the_recorded_recipes_run_where_they_stand(name):
    recipe = read_scenario(RECORDED / name)
    assert recipe.region == "../../data/demo"
    assert (RECORDED / recipe.region).resolve() == ROOT / "data" / "demo"


@pytest.fixture(scope="module")
def judged():
    region = read_region(ROOT / "data" / "demo")
    limits = model.Limits(closures_per_year=6, moved_per_year=400)
    posed = pose(read_scenario(RECORDED / "plan.toml"), region)
    question = question_of_recipe(posed, limits=limits)
    recorded = pose(read_scenario(RECORDED / "proposal.toml"), region)
    plan = scenario_plan(recorded.problem, "today")
    layout = compile_model(question)
    answer = answer_of(
        question, layout, decision_of(layout, plan.site_of),
        status="feasible", bound=float("nan"), seconds=0.0, seed=0,
    )  # fmt: skip
    choice = model.Choice(model.CHEAPEST, question, answer, model.figures(question, answer))
    return judge(posed, region, choice, "again", already=broken_today(posed, region))


def test_the_recorded_plan_costs_and_does_what_is_told(judged):
    told = rows("plans.csv")[1]
    assert model.check(judged.question, judged.answer) == []
    assert judged.elsewhere == 0
    assert judged.answer.plan.objective == pytest.approx(float(told["objective"]), rel=1e-9)
    for name in ("teachers", "mean_trip", "worst_trip", "schools", "small_kept"):
        assert getattr(judged.figures, name) == pytest.approx(float(told[name]), rel=1e-9), name
    assert float(told["bound"]) <= float(told["objective"])


def test_the_hard_rules_that_the_recorded_plan_breaks_are_those_told(judged):
    assert len(judged.broken) == int(rows("plans.csv")[1]["hard_rules_broken"])
    # The recipe asks for nothing, so that no plan breaks a rule.
    assert [p["hard_rules_broken"] for p in rows("plans.csv")] == ["0"] * len(rows("plans.csv"))
    assert rows("broken.csv") == []


def test_the_recorded_villages_and_keeping_everything(judged):
    again, told = moves_table(judged), rows("villages.csv")
    assert again["village_id"].tolist() == [r["village_id"] for r in told]
    assert [str(x).lower() for x in again["worse"]] == [r["worse"] for r in told]
    kept = model.keep_everything(judged.question)
    first = rows("plans.csv")[0]
    assert kept.plan.objective == pytest.approx(float(first["objective"]), rel=1e-9)


def test_who_closes_and_who_shrinks_is_counted_school_by_school(judged):
    """A school that is a teaching point first and closes later is one school."""
    runs = np.asarray(judged.answer.plan.open).sum(axis=1)
    works = runs[:, 0] > 0
    closed = int((works & (runs[:, -1] == 0)).sum())
    reduced = int((works & (runs[:, -1] > 0) & (runs[:, -1] < runs[:, 0])).sum())
    told = script().values()
    assert (int(told["merges"]), int(told["downgrades"])) == (closed, reduced)
    assert told["changed_share"] == f"{(closed + reduced) / int(works.sum()):.0%}"
    assert int(told["schools_today"]) == int(works.sum())


def test_every_child_stands_in_one_row_of_the_actions_and_goes_to_its_receiver(judged):
    actions, villages = rows("actions.csv"), rows("villages.csv")
    told, moved = Counter(), Counter()
    for row in actions:
        told[row["year"]] += int(row["students_moved"] or 0)
    for row in villages:
        moved[row["year"]] += int(row["students"])
    assert {y: n for y, n in told.items() if n} == dict(moved)
    goes = Counter()
    for row in villages:
        place = (row["year"], row["from_site"], row["to_site"], row["band"])
        goes[place] += int(row["students"])
    for action in judged.recipe["action"]:
        if action["do"] in ("merge", "downgrade") and action.get("into"):
            key = (str(action["year"]), action["school"])
            leaving: Counter[str] = Counter()
            for (*place, to, band), n in goes.items():
                # Whoever leaves a band that is taught on is sent by an action of its own.
                if tuple(place) == key and (action["do"] == "merge" or band != "lower"):
                    leaving[to] += n
            if leaving:
                assert action["into"] in leaving, action
                assert action["reason"].split(" ")[0] == str(leaving[action["into"]]), action
