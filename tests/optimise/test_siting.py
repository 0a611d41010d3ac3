"""Siting on questions small enough to answer by hand, and refused input."""

from __future__ import annotations

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.optimise import siting

# Five villages along a road, one kilometre apart; a school could stand in each.
ROAD = np.abs(np.arange(5)[:, None] - np.arange(5)[None, :]).astype(float)
CHILDREN = np.array([1.0, 1.0, 1.0, 1.0, 6.0])


def mask(m, *where):
    chosen = np.zeros(m, dtype=bool)
    chosen[list(where)] = True
    return chosen


def everything(**words):
    """All five models on the road."""
    return {
        "median": siting.p_median(ROAD, CHILDREN, 2, **words),
        "centre": siting.p_center(ROAD, 2, **words),
        "coverage": siting.max_coverage(ROAD, CHILDREN, 2, 1.0, **words),
        "cover": siting.set_cover(ROAD, 1.0, **words),
        "capacitated": siting.capacitated(ROAD, CHILDREN, np.full(5, 8.0), 1.0, **words),
    }


def test_road_of_five_villages():
    plans = everything()
    assert plans["median"].objective == 2.0 + 1.0  # schools at 1 and 4: 0 and 2 walk 1, 3 walks 1
    assert plans["median"].open.tolist() == [False, True, False, False, True]
    assert plans["median"].site_of.tolist() == [1, 1, 1, 4, 4]
    assert plans["centre"].objective == 1.0
    assert plans["coverage"].objective == 10.0
    assert plans["coverage"].bound == 10.0
    assert plans["cover"].objective == 2.0
    assert plans["capacitated"].objective == 2 * 1.0 + 3.0
    assert plans["capacitated"].share.toarray().sum(axis=1).tolist() == CHILDREN.tolist()
    for plan in plans.values():
        assert plan.status == "optimal"
        assert plan.bound == plan.objective
        assert plan.reason == ""
        assert plan.seconds > 0
        assert plan.open.dtype == np.bool_
        assert plan.site_of.dtype == np.int32


def test_one_school_of_one_village():
    one = np.array([[3.0]])
    assert siting.p_median(one, None, 1).objective == 3.0
    assert siting.p_center(one, 1).objective == 3.0
    assert siting.max_coverage(one, None, 1, 2.0).objective == 0.0
    assert siting.set_cover(one, 3.0).objective == 1.0
    assert siting.capacitated(one, np.ones(1), np.ones(1), 5.0).objective == 8.0


def test_fixed_stay_and_forbidden_do_not_open():
    for plan in everything(fixed=mask(5, 0), forbidden=mask(5, 4)).values():
        assert plan.status == "optimal"
        assert plan.open[0]
        assert not plan.open[4]


def test_fixed_sites_count_among_p():
    plan = siting.p_median(ROAD, CHILDREN, 2, fixed=mask(5, 0, 1))
    assert np.flatnonzero(plan.open).tolist() == [0, 1]


def test_units_without_demand_need_no_site_but_get_one():
    cost = ROAD.copy()
    cost[0] = np.inf
    weight = np.array([0.0, 1, 1, 1, 0])
    plan = siting.p_median(cost, weight, 1)
    assert plan.objective == 2.0
    assert plan.site_of.tolist() == [-1, 2, 2, 2, 2]
    seats = siting.capacitated(cost, weight, np.full(5, 3.0), 1.0)
    assert seats.site_of[0] == -1
    assert (seats.site_of[1:] >= 0).all()


def test_covered_is_within_the_limit_itself():
    assert siting.max_coverage(ROAD, None, 1, 1.0).objective == 3.0
    assert siting.max_coverage(ROAD, None, 1, 0.999).objective == 1.0
    assert siting.max_coverage(ROAD, None, 1, np.array([2.0, 1, 1, 1, 2])).objective == 5.0


def test_uncovered_units_are_unserved():
    plan = siting.max_coverage(ROAD, CHILDREN, 1, 1.0)
    assert plan.objective == 8.0  # a school at 3 reaches 2, 3 and 4
    assert plan.site_of.tolist() == [-1, -1, 3, 3, 3]


def test_cover_by_cost_and_only_who_counts():
    rent = np.array([1.0, 9.0, 1.0, 9.0, 1.0])
    plan = siting.set_cover(ROAD, 1.0, fixed_cost=rent)
    assert np.flatnonzero(plan.open).tolist() == [0, 2, 4]
    few = siting.set_cover(ROAD, 1.0, weight=np.array([0.0, 0, 1, 0, 0]), fixed_cost=rent)
    assert np.flatnonzero(few.open).tolist() == [2]


def test_split_and_whole_demand_differ():
    cost = np.zeros((3, 2))
    split = siting.capacitated(cost, np.full(3, 2.0), np.full(2, 3.0), 1.0)
    whole = siting.capacitated(cost, np.full(3, 2.0), np.full(2, 3.0), 1.0, single_source=True)
    assert split.status == "optimal"
    assert split.share.toarray().sum(axis=0).tolist() == [3.0, 3.0]
    assert whole.status == "infeasible"
    assert whole.share is None


def test_least_loads_are_kept():
    cost = np.array([[0.0, 5.0], [0.0, 5.0], [5.0, 0.0]])
    free = siting.capacitated(cost, np.ones(3), np.full(2, 3.0), 0.5)
    assert free.objective == 1.0
    least = siting.capacitated(cost, np.ones(3), np.full(2, 3.0), 0.5, min_load=2.0)
    assert least.objective == 5.5  # one school only: two would need four children
    both = siting.capacitated(
        cost, np.ones(3), np.full(2, 3.0), 0.5, min_load=1.5, fixed=mask(2, 0, 1)
    )
    assert both.objective == pytest.approx(1.0 + 0.5 * 5)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            lambda: siting.p_median(ROAD, None, 1, fixed=mask(5, 1, 3)),
            ["fixed sites 1, 3", "p = 1"],
        ),
        (
            lambda: siting.p_center(ROAD, 4, forbidden=mask(5, 0, 2)),
            ["forbidden sites 0, 2", "only 3"],
        ),
        (
            lambda: siting.p_median(np.where(ROAD > 1, np.inf, ROAD), None, 1),
            ["no choice of 1 sites", "raise p"],
        ),
        (
            lambda: siting.p_center(np.where(ROAD > 1, np.inf, ROAD), 1),
            ["no choice of 1 sites", "raise p"],
        ),
        (lambda: siting.set_cover(ROAD, 0.5, forbidden=mask(5, 2)), ["units 2 (1)", "limit"]),
        (
            lambda: siting.p_median(
                np.where(ROAD > 0, np.inf, ROAD), None, 4, forbidden=mask(5, 3)
            ),
            ["units 3 (1)", "no site"],
        ),
        (
            lambda: siting.capacitated(ROAD, CHILDREN, np.full(5, 1.0), 0.0),
            ["sites", "5 places", "5 too few"],
        ),
        (
            lambda: siting.capacitated(ROAD, CHILDREN, np.full(5, 4.0), 0.0, p=2),
            ["2 open sites", "8 places", "10"],
        ),
        (
            lambda: siting.capacitated(ROAD, CHILDREN, np.full(5, 5.0), 0.0, single_source=True),
            ["units 4", "may not be split"],
        ),
        (
            lambda: siting.capacitated(
                ROAD, CHILDREN, np.full(5, 9.0), 0.0, min_load=6.0, fixed=mask(5, 0, 1)
            ),
            ["fixed sites 0, 1", "12", "10"],
        ),
        (
            lambda: siting.capacitated(ROAD, CHILDREN, np.full(5, 9.0), 0.0, min_load=6.0, p=2),
            ["at least", "cannot be met"],
        ),
        (
            lambda: siting.capacitated(
                np.where(ROAD > 1, np.inf, ROAD), CHILDREN, np.full(5, 10.0), 0.0, p=1
            ),
            ["cannot be met", "proved"],
        ),
    ],
)
def test_impossible_questions_say_why(plan, words):
    answer = plan()
    assert answer.status == "infeasible"
    assert np.isnan(answer.objective)
    assert (answer.site_of == -1).all()
    for word in words:
        assert word in answer.reason
    assert " / " in answer.reason
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.reason.split(" / ")[0])


@pytest.mark.parametrize(
    ("ask", "word"),
    [
        (lambda: siting.p_median(ROAD, None, 2, fixed=np.array([0, 1, 0, 0, 0])), "astype(bool)"),
        (lambda: siting.p_median(ROAD, None, 2, forbidden=[0, 3]), "astype(bool)"),
        (lambda: siting.p_center(ROAD, 2, fixed=np.ones(4, bool)), "5 entries"),
        (
            lambda: siting.set_cover(ROAD, 1.0, fixed=mask(5, 2), forbidden=mask(5, 2)),
            "both fixed and forbidden",
        ),
        (lambda: siting.p_median(ROAD, None, 0), "from 1 to 5"),
        (lambda: siting.p_median(ROAD, None, 6), "from 1 to 5"),
        (lambda: siting.p_median(ROAD, None, 2.5), "from 1 to 5"),
        (lambda: siting.p_median(ROAD, None, True), "from 1 to 5"),
        (lambda: siting.p_median(ROAD[0], None, 1), "2 dimensions"),
        (lambda: siting.p_median(np.where(ROAD == 2, np.nan, ROAD), None, 1), "at (0, 2)"),
        (lambda: siting.p_median(ROAD, -CHILDREN, 1), "position 0"),
        (lambda: siting.p_median(ROAD, CHILDREN[:3], 1), "needs 5"),
        (lambda: siting.max_coverage(ROAD, None, 1, np.nan), "limit"),
        (lambda: siting.set_cover(ROAD, 1.0, fixed_cost=-1.0), "fixed_cost"),
        (lambda: siting.capacitated(ROAD, CHILDREN, -np.ones(5), 1.0), "capacity"),
        (lambda: siting.capacitated(ROAD, CHILDREN, np.ones(5), np.inf), "fixed_cost"),
        (lambda: siting.capacitated(ROAD, CHILDREN, np.ones(5), 1.0, min_load=-1), "min_load"),
        (lambda: siting.capacitated(ROAD, CHILDREN, np.ones(5), 1.0, single_source=1), "True"),
        (lambda: siting.p_median(ROAD, None, 1, time_limit=0), "time_limit"),
    ],
)
def test_impossible_input_is_refused(ask, word):
    with pytest.raises(InputError) as error:
        ask()
    assert word in str(error.value)
    assert " / " in str(error.value)


def test_arguments_are_left_as_they_were():
    cost, demand, capacity = ROAD.copy(), CHILDREN.copy(), np.full(5, 8.0)
    fixed, forbidden = mask(5, 0), mask(5, 4)
    siting.capacitated(cost, demand, capacity, 1.0, fixed=fixed, forbidden=forbidden)
    siting.p_median(cost, demand, 2, fixed=fixed, forbidden=forbidden)
    assert (cost == ROAD).all()
    assert (demand == CHILDREN).all()
    assert (capacity == 8).all()
    assert fixed.tolist() == mask(5, 0).tolist()
    assert forbidden.tolist() == mask(5, 4).tolist()


def test_float32_costs_and_whole_number_types():
    plan = siting.p_median(ROAD.astype(np.float32), CHILDREN.astype(int), np.int64(2))
    assert plan.objective == 3.0


def test_same_seed_same_plan():
    rng = np.random.default_rng(3)
    cost = rng.uniform(0, 100, (120, 40))
    demand = rng.integers(1, 9, 120).astype(float)
    capacity = np.full(40, demand.sum() / 6)
    for ask in (
        lambda: siting.p_median(cost, demand, 6, seed=5),
        lambda: siting.capacitated(cost, demand, capacity, 200.0, seed=5),
    ):
        first, second = ask(), ask()
        assert (first.open == second.open).all()
        assert (first.site_of == second.site_of).all()
        assert first.objective == second.objective


def test_stopped_early_the_bound_is_still_below():
    rng = np.random.default_rng(4)
    where = rng.uniform(0, 1000, (500, 2))
    cost = np.hypot(*(where[:, None] - where[None, :]).transpose(2, 0, 1))
    demand = rng.integers(1, 30, 500).astype(float)
    soon = siting.p_median(cost, demand, 30, time_limit=0.05)
    later = siting.p_median(cost, demand, 30, time_limit=20)
    assert soon.status in ("feasible", "optimal")
    assert soon.bound <= later.objective + 1e-6
    assert later.bound <= soon.objective + 1e-6
    assert soon.seconds < 10


def test_nothing_to_serve():
    nobody = np.zeros((0, 3))
    assert siting.p_median(nobody, None, 2).open.sum() == 2
    assert siting.p_center(nobody, 1).objective == 0.0
    assert siting.max_coverage(nobody, None, 1, 1.0).objective == 0.0
    assert not siting.set_cover(nobody, 1.0).open.any()
    assert not siting.capacitated(nobody, np.zeros(0), np.ones(3), 1.0).open.any()
    assert siting.capacitated(np.zeros((0, 0)), [], [], None).status == "optimal"
    idle = siting.capacitated(np.ones((2, 2)), np.zeros(2), np.ones(2), 1.0, single_source=True)
    assert idle.objective == 0.0
    assert siting.capacitated(np.zeros((2, 0)), np.ones(2), [], None).status == "infeasible"
