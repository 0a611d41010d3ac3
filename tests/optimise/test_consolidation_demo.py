"""The demo county: a valid plan, its bound, and its actions as a recipe the county accepts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from catchment.optimise import consolidation as model
from catchment.region.read import read_region
from catchment.scenario import apply, parse_scenario, resolve

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo"


@pytest.fixture(scope="module")
def question() -> model.Question:
    if str(ROOT / "scripts") not in sys.path:
        sys.path.insert(0, str(ROOT / "scripts"))
    from benchmarks.consolidation import demo_question

    limits = model.Limits(closures_per_year=4, moved_per_year=300)
    return demo_question(2030, limits)


@pytest.fixture(scope="module")
def answer(question: model.Question) -> model.Answer:
    return model.consolidate(question, seed=1, steps=1)


def test_plan_is_valid_and_bounded(question, answer):
    assert model.check(question, answer) == []
    kept = model.keep_everything(question)
    assert model.check(question, kept) == []
    assert answer.plan.bound < answer.plan.objective < kept.plan.objective
    assert answer.gap < 0.12


def test_students_are_conserved(question, answer):
    problem = question.problem
    served = problem.demand()[answer.plan.site_of >= 0].sum()
    lost = problem.demand()[answer.plan.site_of < 0].sum()
    assert served + lost == problem.students.sum()
    # Only who cannot reach any school is without one; where there are no children in a year, and
    # their school has closed, a village-band has none either.
    cut = ~np.isfinite(
        np.where(problem.can_host[:, problem.group_band].T, problem.minutes[0], np.inf)
    )
    without = ((answer.plan.site_of < 0) & (problem.demand() > 0)).any(axis=1)
    assert cut.all(axis=1)[without].all()


def test_actions_are_accepted_by_the_county(question, answer):
    region = read_region(DEMO)
    listed = model.actions(question, answer, candidates=set(region.sites["site_id"].astype(str)))
    assert listed
    recipe = {"name": "x", "years": list(question.problem.years), "action": listed}
    scenario = resolve(parse_scenario(recipe), region)
    last = apply(scenario, region, question.problem.years[-1])
    runs = last.schools.set_index("school_id")["status"] == "existing"
    for j, code in enumerate(question.problem.site_ids):
        if code in runs.index and question.problem.today_open[j].any():
            assert bool(runs[code]) == bool(answer.plan.open[j, :, -1].any()), code
