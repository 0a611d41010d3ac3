"""Areas are a partition, connected, each around a central school of its own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from catchment.errors import InputError
from catchment.optimise import consolidation as model
from catchment.problem import Problem
from catchment.run import pose
from catchment.run.areas import areas_table, draw_areas, given_areas
from catchment.scenario import parse_scenario
from tests.tiny_consolidation import tiny_problem
from tests.tiny_region import tiny_region


def row_of_villages(seed: int) -> Problem:
    """Eight villages in a row, five schools in some of them."""
    rng = np.random.default_rng(seed)
    problem = tiny_problem(rng, villages=8, sites=5)
    home = rng.choice(8, 5, replace=False).astype(np.int32)
    along = np.abs(np.arange(8)[:, None] - home[None, :]) * 7.0 + 1.0
    line = csr_matrix(np.abs(np.subtract.outer(np.arange(8), np.arange(8))) == 1)
    return problem.replace(
        home=home,
        minutes=np.repeat(along, 2, axis=0)[None].astype(np.float32),
        neighbours=line,
        today_open=np.ones((5, 2), dtype=bool),
    )


@pytest.mark.parametrize("seed", range(6))
def test_areas_are_connected_and_central_schools_the_best(seed):
    problem = row_of_villages(seed)
    small = np.zeros(5, dtype=bool)
    areas = draw_areas(problem, tiny_region(students=1), 2, small=small)
    assert len(set(areas.of_village.tolist())) == 2
    for k, j in enumerate(areas.central):
        mine = np.flatnonzero(areas.of_village == k)
        assert problem.home[j] in mine
        parts, _ = connected_components(problem.neighbours[mine][:, mine], directed=False)
        assert parts == 1
    weight = np.bincount(problem.group_village, problem.demand()[:, 0])
    minutes = problem.minutes[0, ::2].astype(float)
    best = min(
        float(weight @ minutes[:, list(pair)].min(axis=1))
        for pair in itertools.combinations(range(5), 2)
    )
    assert areas.bound * weight.sum() == pytest.approx(best)
    assert areas.minutes >= areas.bound - 1e-9


def test_nobody_moves_out_of_the_area():
    problem = row_of_villages(3)
    question = model.question_of(problem)
    areas = draw_areas(problem, tiny_region(students=1), 2, small=np.zeros(5, dtype=bool))
    inside = question.replace(within=areas.allowed(problem))
    free = model.consolidate(question, time_limit=10)
    held = model.consolidate(inside, time_limit=10)
    assert model.check(inside, held) == []
    if free.plan.status == held.plan.status == "optimal":
        assert held.plan.objective >= free.plan.objective - 1e-6
    moved = (held.plan.site_of[:, -1] != held.plan.site_of[:, 0]) & (held.plan.site_of[:, -1] >= 0)
    rows = np.flatnonzero(moved)
    assert areas.allowed(problem)[rows, held.plan.site_of[rows, -1]].all()


def test_too_many_areas_and_none_given_are_refused():
    problem = row_of_villages(1)
    with pytest.raises(InputError, match="1–5"):
        draw_areas(problem, tiny_region(students=1), 6, small=np.zeros(5, dtype=bool))
    region = tiny_region(students=1)
    bare = region.replace(villages=region.villages.drop(columns="area_id", errors="ignore"))
    # A blank is no area: the county is not one area of that name.
    blank = region.replace(villages=region.villages.assign(area_id=[" ", "", None, "", ""]))
    for county in (bare, blank):
        with pytest.raises(InputError, match="area_id"):
            given_areas(problem, county)
    some = region.replace(villages=region.villages.assign(area_id=["A1", "", None, "A2 ", "A2"]))
    told = dict(
        zip(problem.village_ids, given_areas(problem, some).of_village.tolist(), strict=True)
    )
    assert [told[f"V{v}"] for v in range(1, 6)] == [0, -1, -1, 1, 1]


def test_the_table_names_every_village():
    region = tiny_region(students=3)
    problem = pose(parse_scenario({"name": "x", "years": [2026, 2027]}), region).problem
    small = np.zeros(len(problem.site_ids), dtype=bool)
    table = areas_table(draw_areas(problem, region, 1, small=small), problem, region)
    assert sorted(table["village_id"]) == sorted(problem.village_ids)
    assert table["students_today"].sum() == problem.demand()[:, 0].sum()
