"""Nearest and capacitated assignment on cases small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.optimise import assignment

INF = np.inf


def test_nearest_takes_the_lowest_position_among_equals():
    cost = np.array([[2.0, 1.0, 1.0], [INF, INF, INF], [0.0, 0.0, INF]])
    assert assignment.nearest(cost).tolist() == [1, -1, 0]
    assert assignment.nearest(cost).dtype == np.int32


def test_nearest_heeds_masks_of_sites_and_of_pairs():
    cost = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert assignment.nearest(cost, np.array([True, False])).tolist() == [0, 0]
    assert assignment.nearest(cost, np.array([[True, False], [False, False]])).tolist() == [0, -1]
    assert assignment.nearest(np.empty((2, 0))).tolist() == [-1, -1]


def test_transport_splits_a_village_where_it_must():
    # 10 and 6 students, both nearer to site 0 with 8 places: the cheapest to move are those of 1
    answer = assignment.transport(
        np.array([[1.0, 9.0], [2.0, 5.0]]), np.array([10.0, 6.0]), np.array([8.0, 20.0])
    )
    assert answer.share.toarray().tolist() == [[8.0, 2.0], [0.0, 6.0]]
    assert answer.objective == answer.bound == 8 + 18 + 30
    assert answer.site_of.tolist() == [0, 1]
    assert answer.open.tolist() == [True, True]
    assert answer.status == "optimal"


def test_transport_says_which_units_have_too_few_places():
    # units 0 and 1 (9 students) can only go to site 1 with 5 places; site 0 stays empty
    cost = np.array([[INF, 1.0], [INF, 2.0], [1.0, 3.0]])
    answer = assignment.transport(cost, np.array([4.0, 5.0, 2.0]), np.array([9.0, 5.0]))
    assert answer.status == "infeasible"
    assert "units 0, 1 (2 with demand 9) can go only to sites 1 with 5 places: 4 too few" in (
        answer.reason
    )
    assert "缺 4 个" in answer.reason
    assert answer.share.sum() == 7
    assert answer.share.toarray().tolist() == [[0.0, 4.0], [0.0, 1.0], [2.0, 0.0]]
    assert answer.objective == 4 + 2 + 2
    assert np.isnan(answer.bound)


def test_transport_names_units_without_any_site():
    answer = assignment.transport(
        np.array([[INF], [1.0]]), np.array([3.0, 2.0]), np.array([9.0]), cutoff=5
    )
    assert answer.status == "infeasible"
    assert "units 0 (1 with demand 3) can reach no site" in answer.reason
    assert answer.site_of.tolist() == [-1, 0]


def test_transport_gives_units_without_demand_a_site_but_no_share():
    answer = assignment.transport(
        np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([0.0, 2.0]), np.array([5.0, INF])
    )
    assert answer.site_of.tolist() == [0, 1]
    assert answer.share.nnz == 1
    assert answer.status == "optimal"
    empty = assignment.transport(np.empty((0, 2)), np.empty(0), np.ones(2))
    assert empty.status == "optimal"
    assert empty.objective == 0
    nowhere = assignment.transport(np.empty((1, 0)), np.ones(1), np.empty(0))
    assert nowhere.status == "infeasible"


def test_transport_leaves_its_arguments_alone():
    cost, demand, capacity = np.array([[1.0, 2.0]]), np.array([5.0]), np.array([2.0, 9.0])
    copies = cost.copy(), demand.copy(), capacity.copy()
    assignment.transport(cost, demand, capacity, cutoff=1.5)
    for argument, copy in zip((cost, demand, capacity), copies, strict=True):
        assert (argument == copy).all()


@pytest.mark.parametrize(
    ("cost", "demand", "capacity", "named"),
    [
        ([1.0, 2.0], [1.0], [1.0], "2 dimensions"),
        ([[np.nan]], [1.0], [1.0], r"\(0, 0\) is nan"),
        ([[-INF]], [1.0], [1.0], r"\(0, 0\) is -inf"),
        ([[1.0]], [1.0, 2.0], [1.0], "demand needs 1"),
        ([[1.0]], [-1.0], [1.0], "demand at position 0 is -1"),
        ([[1.0]], [INF], [1.0], "demand at position 0 is inf"),
        ([[1.0]], [1.0], [np.nan], "capacity at position 0 is nan"),
    ],
)
def test_impossible_numbers_are_refused(cost, demand, capacity, named):
    with pytest.raises(InputError, match=named):
        assignment.transport(np.array(cost), np.array(demand), np.array(capacity))
