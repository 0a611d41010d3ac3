"""Yuan of plans counted again from the indicators, and by the checker that shares no code with them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from catchment.indicators import compute
from catchment.optimise.consolidation import consolidate
from catchment.optimise.phases.blocks import BLOCKS
from catchment.optimise.phases.compile import compile_model
from catchment.optimise.phases.exact import solve_exactly
from catchment.verify import check_proposal
from tests.tiny_consolidation import tiny_question, wide_question
from tests.tiny_plans import brute_force

CASES = int(os.environ.get("CATCHMENT_CASES", "60"))
"""More for a long run: CATCHMENT_CASES=3000."""
BLOCK = 20


def by_indicators(question, plan) -> dict[str, np.ndarray]:
    """Yuan by kind and year, from the table of indicators and the question's costs alone."""
    problem, costs = question.problem, question.costs
    table = compute(problem, plan, detail=False)
    years = len(problem.years)

    def total(indicator: str, scope: str = "county", name: str = "county") -> np.ndarray:
        rows = table[
            (table["indicator"] == indicator) & (table["scope"] == scope) & (table["id"] == name)
        ].set_index("year")["value"]
        return rows.reindex(problem.years, fill_value=0.0).to_numpy(dtype=float)

    days, weeks = 2 * costs.school_days, 2 * costs.school_weeks
    trips = {"walk": days, "bus": days, "board": weeks}
    bands = plan.open.sum(axis=(0, 1))
    runs = total("schools_open") + total("teaching_points")
    yuan = {
        "teachers": costs.teachers_per_class * costs.teacher_year * total("classes"),
        "sites": costs.site_year * runs + costs.band_year * (bands - runs),
        "minutes": costs.minute
        * sum(n * total("student_minutes", "mode", m) for m, n in trips.items()),
        "bus": costs.bus_km
        * sum(n * total("student_km", "mode", m) for m, n in trips.items() if m != "walk"),
        "boarding": costs.boarding_year * total("students", "mode", "board"),
    }
    age = np.array(problem.years, dtype=float) - problem.years[0]
    weight = (1 + costs.discount_percent / 100) ** -age
    return {item: value * weight * np.ones(years) for item, value in yuan.items()}


def short_of_rooms(question, answer) -> bool:
    """Whether the classes of some school, each grade by itself, outnumber its rooms."""
    problem = question.problem
    load = np.zeros((len(problem.site_ids), len(problem.grades), len(problem.years)), dtype=int)
    for i, t in zip(*np.nonzero(answer.plan.site_of >= 0), strict=True):
        load[answer.plan.site_of[i, t], :, t] += problem.students[i, :, t]
    classes = -(-load // problem.class_size[:, :, None])
    return bool((classes.sum(axis=1) > problem.rooms + answer.built.rooms).any())


@pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
@pytest.mark.parametrize("first", range(8000, 8000 + CASES, BLOCK))
def test_the_objective_is_that_of_the_indicators_and_of_the_checker(first, kind):
    told = 0
    for seed in range(first, first + BLOCK):
        question = kind(seed)
        if seed % 2:
            # Indicators form classes in the rooms there are: here there are enough for all.
            rooms = question.problem.rooms
            rooms = np.where((rooms > 0).any(axis=1)[:, None], 99, 0 * rooms).astype(np.int32)
            question = question.replace(problem=question.problem.replace(rooms=rooms))
        answer = consolidate(question, steps=1)
        if answer.plan.status != "optimal":
            continue
        assert check_proposal(question, answer) == (), seed
        plan = answer.plan
        if not seed % 2 or question.transition != "together":
            continue  # indicators know whole village-bands
        if short_of_rooms(question, answer):
            # Only a new teaching point, built for combined classes, which indicators do not form.
            new = ~question.problem.today_open.any(axis=1)
            assert (answer.plan.open[new].sum(axis=1) == 1).any(), seed
            continue
        told += 1
        for item, yuan in by_indicators(question, plan).items():
            mine = answer.breakdown.yuan[answer.breakdown.items.index(item)]
            assert mine == pytest.approx(yuan, rel=1e-6, abs=0.5), (seed, item)
        rest = ("rooms", "beds", "seats", "naps", "new_sites", "moves", "unserved")
        parts = sum(v.sum() for v in by_indicators(question, plan).values())
        parts += sum(answer.breakdown.of(item) for item in rest)
        assert plan.objective == pytest.approx(parts, rel=1e-6), seed
    assert told >= 1


NEEDED = {
    "serve": 0, "stay_open": 0, "classes": 0, "combined": 7, "move_open": 11, "states": 11,
    "one_way": 11, "kept": 11, "closures": 16, "receiving": 17, "seats": 17, "rooms": 47,
    "naps": 54, "lasting": 54, "sizes": 91, "beds": 110, "moved": 110,
}  # fmt: skip
"""A tiny question for every block that has a cheaper plan without it."""


@pytest.mark.parametrize("block", [*BLOCKS, *(set(NEEDED) - set(BLOCKS))])
def test_without_a_block_the_model_finds_a_plan_cheaper_than_the_best_of_all(block, monkeypatch):
    assert block in NEEDED, f"no tiny question shows what the block {block} is for"
    question = tiny_question(NEEDED[block])
    best = brute_force(question, 20_000)
    model = compile_model(question)
    assert solve_exactly(model, time_limit=60, seed=0).bound == pytest.approx(best, rel=1e-6)
    monkeypatch.delitem(BLOCKS, block)
    assert solve_exactly(model, time_limit=60, seed=0).bound < best * (1 - 1e-6) - 1.0
