"""Whole and connected catchments on cases small enough to check by drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from catchment.errors import InputError
from catchment.optimise import assignment, contiguity, regions


def row_of(n):
    return csr_matrix(
        (np.ones(n - 1, dtype=bool), (np.arange(n - 1), np.arange(1, n))), shape=(n, n)
    )


def row_cost(n, sites):
    return np.abs(np.arange(n)[:, None] - np.array(sites)[None, :]).astype(float)


def test_a_row_of_villages_is_cut_where_the_places_end():
    # ten villages of one student; the school at the left end holds three
    answer = assignment.districts(
        row_cost(10, [0, 9]), np.ones(10), np.array([3.0, 9.0]), row_of(10), [0, 9], time_limit=5
    )
    assert answer.site_of.tolist() == [0] * 3 + [1] * 7
    assert answer.status == "optimal"
    assert answer.objective == answer.bound == 3 + 21
    assert answer.open.tolist() == [True, True]


def test_a_village_is_not_cut_off_by_one_that_is_nearer_elsewhere():
    # village 2 is cheaper for site 1, but lies between site 0 and its village 3
    cost = np.array([[0.0, 9.0], [1.0, 9.0], [5.0, 1.0], [2.0, 9.0], [9.0, 2.0], [9.0, 0.0]])
    answer = assignment.districts(
        cost,
        np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0]),
        np.array([9.0, 9.0]),
        row_of(6),
        [0, 5],
        time_limit=0.5,
    )
    assert answer.site_of.tolist() == [0, 0, 0, 0, 1, 1]
    assert contiguity.pieces(answer.site_of, row_of(6), 2).tolist() == [1, 1]
    assert answer.bound <= answer.objective


def test_a_village_without_students_still_belongs_to_a_catchment():
    answer = assignment.districts(
        row_cost(5, [0, 4]),
        np.array([1.0, 0.0, 0.0, 0.0, 1.0]),
        np.array([1.0, 1.0]),
        row_of(5),
        [0, 4],
        time_limit=1,
    )
    assert answer.site_of[[0, 1, 3, 4]].tolist() == [0, 0, 1, 1]
    assert answer.site_of[2] in (0, 1)


def test_closed_sites_and_forbidden_pairs_are_left_alone():
    cost = row_cost(6, [0, 3, 5])
    cost[2, 0] = np.inf
    answer = assignment.districts(
        cost, np.ones(6), np.array([9.0, 0.0, 9.0]), row_of(6), [0, 3, 5], time_limit=1
    )
    assert answer.site_of.tolist() == [0, 0, 2, 2, 2, 2]
    assert answer.open.tolist() == [True, False, True]


def test_two_schools_in_one_village_share_its_surroundings():
    # a cross of three villages around village 1; both schools stand in village 1
    answer = assignment.districts(
        np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]),
        np.ones(3),
        np.array([2.0, 2.0]),
        row_of(3),
        [1, 1],
        time_limit=1,
    )
    assert answer.status in ("feasible", "optimal")
    assert np.bincount(answer.site_of, minlength=2).max() == 2


def test_too_few_places_are_named_and_the_rest_is_served():
    answer = assignment.districts(
        row_cost(4, [0, 3]),
        np.full(4, 5.0),
        np.array([10.0, 6.0]),
        row_of(4),
        [0, 3],
        time_limit=0.5,
    )
    assert answer.status == "infeasible"
    assert "with demand 20" in answer.reason
    assert "16 places: 4 too few" in answer.reason
    assert (answer.site_of >= 0).sum() == 3
    served = answer.site_of >= 0
    loads = np.bincount(answer.site_of[served], np.full(4, 5.0)[served], minlength=2)
    assert (loads <= [10.0, 6.0]).all()
    assert contiguity.pieces(answer.site_of, row_of(4), 2).max() == 1
    assert np.isnan(answer.bound)


def test_an_island_is_named():
    graph = csr_matrix(([True], ([0], [1])), shape=(3, 3))
    answer = assignment.districts(
        row_cost(3, [0]), np.ones(3), np.array([9.0]), graph, [0], time_limit=0.5
    )
    assert answer.status == "infeasible"
    assert "units 2 are not joined" in answer.reason
    assert answer.site_of.tolist() == [0, 0, -1]


def test_a_home_larger_than_its_school_is_named():
    answer = assignment.districts(
        row_cost(3, [0, 2]),
        np.array([5.0, 1.0, 1.0]),
        np.array([4.0, 9.0]),
        row_of(3),
        [0, 2],
        time_limit=0.5,
    )
    assert answer.status == "infeasible"
    assert "units 0" in answer.reason


def test_the_same_seed_gives_the_same_plan_when_the_search_ends_by_itself(monkeypatch):
    monkeypatch.setattr(regions, "STALLED", 40)
    monkeypatch.setattr(regions, "AFRESH", 1)
    rng = np.random.default_rng(5)
    side = 5
    n = side * side
    right = [(i, i + 1) for i in range(n) if (i + 1) % side]
    down = [(i, i + side) for i in range(n - side)]
    ends = np.array(right + down)
    graph = csr_matrix((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(n, n))
    cost = rng.random((n, 3))
    demand = rng.integers(1, 9, n).astype(float)
    capacity = np.full(3, np.ceil(demand.sum() * 0.38))
    problem = cost, demand, capacity, graph, np.array([0, 12, 24])
    one = assignment.districts(*problem, time_limit=60, seed=7)
    two = assignment.districts(*problem, time_limit=60, seed=7)
    assert one.seconds < 55  # not ended by the clock
    assert (one.site_of == two.site_of).all()


@pytest.mark.parametrize(
    ("home", "limit", "named"), [([0], 1, "home"), ([0, 4], 1, "home"), ([0, 3], 0, "time_limit")]
)
def test_impossible_arguments_are_refused(home, limit, named):
    with pytest.raises(InputError, match=named):
        assignment.districts(
            row_cost(4, [0, 3]), np.ones(4), np.full(2, 9.0), row_of(4), home, time_limit=limit
        )
