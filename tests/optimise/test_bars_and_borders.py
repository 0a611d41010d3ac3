"""Schools barred and borders made dear, through the whole plan, against trying every assignment."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from catchment.optimise.layout import scenario_plan
from catchment.optimise.layouts.drawing import OVER_LIMIT_MINUTES
from catchment.optimise.layouts.places import band_places
from catchment.optimise.wishes import RIDE_MINUTES, NoPlanError, Wishes
from tests.run.test_layout import problem_of
from tests.tiny_region import tiny_region


@pytest.fixture(scope="module")
def county():
    return problem_of(tiny_region())


def asked(county, seed):
    """Other numbers of students, some pairs barred, some dearer by so many minutes."""
    rng = np.random.default_rng(seed)
    scale = rng.integers(2, 16, county.students.shape[0])
    students = np.repeat(scale, county.students[0].size).reshape(county.students.shape)
    problem = county.replace(students=np.where(county.students > 0, students, 0).astype(np.int32))
    pairs = county.minutes[0].shape
    barred = rng.random(pairs) < 0.15
    extra = np.where(rng.random(pairs) < 0.4, rng.uniform(0, 90, pairs), 0.0)
    return problem, Wishes(barred=barred, extra=extra)


def cheapest(problem, wishes, band):
    """Weight of the best plan of the first year and the sites it may use, inf where none fits."""
    members = np.flatnonzero(problem.group_band == band)
    usable = np.flatnonzero(problem.must_open[:, band, 0])
    minutes = problem.minutes[0][members].astype(float)
    walks = problem.mode[0][members] == problem.modes.index("walk")
    weight = minutes + wishes.extra[members] + np.where(walks, 0.0, RIDE_MINUTES)
    nearest = minutes[:, usable].min(axis=1, keepdims=True)
    weight += OVER_LIMIT_MINUTES * (minutes > np.maximum(problem.trip_limit[band], nearest))
    weight[wishes.barred[members]] = np.inf
    demand = problem.demand()[members, 0]
    places = band_places(problem, band, 0)
    village = problem.group_village[members]
    graph = nx.from_scipy_sparse_array(problem.neighbours[village][:, village])
    best = np.inf
    for choice in itertools.product(usable, repeat=len(members)):
        site = np.array(choice)
        own = [j for j in usable if np.isfinite(weight[village == problem.home[j], j]).all()]
        if any((site[village == problem.home[j]] != j).any() for j in own):
            continue
        groups = [np.flatnonzero(site == j) for j in usable]
        if any(demand[rows].sum() > places[j] for j, rows in zip(usable, groups, strict=True)):
            continue
        if all(nx.is_connected(graph.subgraph(rows.tolist())) for rows in groups if len(rows)):
            value = float((demand * weight[np.arange(len(members)), site]).sum())
            best = min(best, value)
    return best, weight, demand, members


@pytest.mark.parametrize("block", range(3))
def test_barred_schools_are_avoided_and_borders_weighed_as_no_other_plan_does_better(county, block):
    compared = 0
    for seed in range(10 * block, 10 * block + 10):
        problem, wishes = asked(county, seed)
        bands = range(len(problem.bands))
        best = [cheapest(problem, wishes, band) for band in bands]
        if not all(np.isfinite(each[0]) for each in best):
            continue
        plan = scenario_plan(problem, "capacity", time_limit=60, wishes=wishes)
        for value, weight, demand, members in best:
            site = plan.site_of[members, 0]
            assert not wishes.barred[members, site].any(), seed
            total = float((demand * weight[np.arange(len(members)), site]).sum())
            assert total == pytest.approx(value, rel=1e-6), seed
            compared += 1
    assert compared > 2


def test_a_village_barred_from_every_school_is_named(county):
    barred = np.zeros(county.minutes[0].shape, dtype=bool)
    row = int(np.flatnonzero(county.group_band == 0)[2])
    barred[row] = True
    with pytest.raises(NoPlanError) as refused:
        scenario_plan(county, "capacity", time_limit=20, wishes=Wishes(barred=barred))
    witness = refused.value.witness
    assert (witness.kind, witness.groups) == ("nowhere", (row,))
    assert witness.students == county.demand()[row, 0]
