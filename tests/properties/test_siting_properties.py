"""What must hold for any question of siting, whatever the answer is."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from catchment.optimise import siting

FEW = settings(deadline=None, max_examples=60)


def questions(*, gaps=True):
    def build(draw_seed, n, m, whole, missing):
        rng = np.random.default_rng(draw_seed)
        cost = rng.integers(0, 30, (n, m)).astype(float)
        if not whole:
            cost = cost * rng.uniform(0.5, 1.5, (n, m))
        if missing and gaps:
            cost[rng.random((n, m)) < 0.3] = np.inf
        demand = rng.integers(1, 6, n).astype(float)
        capacity = rng.integers(1, 2 * int(demand.sum() / m) + 8, m).astype(float)
        rent = rng.integers(0, 40, m).astype(float)
        p = int(rng.integers(1, m + 1))
        return rng, cost, demand, capacity, rent, p

    return st.builds(
        build,
        st.integers(0, 2**32 - 1),
        st.integers(1, 25),
        st.integers(1, 9),
        st.booleans(),
        st.booleans(),
    )


def models(cost, demand, capacity, rent, p, **words):
    """Objective of every model, negative where it is the better the larger; inf = impossible."""
    plans = {
        "median": siting.p_median(cost, demand, p, **words),
        "centre": siting.p_center(cost, p, **words),
        "coverage": siting.max_coverage(cost, demand, p, 12.0, **words),
        "cover": siting.set_cover(cost, 20.0, fixed_cost=rent, **words),
        "split": siting.capacitated(cost, demand, capacity, rent, **words),
        "whole": siting.capacitated(cost, demand, capacity, rent, single_source=True, **words),
    }
    for name, plan in plans.items():
        assert plan.status in ("optimal", "infeasible"), (name, plan)
    return {
        name: np.inf
        if plan.status == "infeasible"
        else plan.objective * (-1 if name == "coverage" else 1)
        for name, plan in plans.items()
    }


def alike(first, second):
    return all(
        first[name] == second[name] or first[name] == pytest.approx(second[name], rel=1e-9)
        for name in first
    )


@FEW
@given(questions())
def test_order_does_not_matter(question):
    rng, cost, demand, capacity, rent, p = question
    rows, columns = rng.permutation(len(demand)), rng.permutation(len(rent))
    again = models(cost[rows][:, columns], demand[rows], capacity[columns], rent[columns], p)
    assert alike(models(cost, demand, capacity, rent, p), again)


@FEW
@given(questions())
def test_other_units_of_measure(question):
    _, cost, demand, capacity, rent, p = question
    plain = siting.capacitated(cost, demand, capacity, rent)
    money = siting.capacitated(8 * cost, demand, capacity, 8 * rent)
    people = siting.capacitated(cost, 4 * demand, 4 * capacity, 4 * rent)
    assert plain.status == money.status == people.status
    if plain.status == "optimal":
        assert money.objective == pytest.approx(8 * plain.objective)
        assert people.objective == pytest.approx(4 * plain.objective)
    near, far = siting.p_median(cost, demand, p), siting.p_median(cost / 4, 2 * demand, p)
    assert near.status == far.status
    if near.status == "optimal":
        assert far.objective == pytest.approx(near.objective / 2)


@FEW
@given(questions())
def test_another_candidate_is_never_worse(question):
    rng, cost, demand, capacity, rent, p = question
    more = rng.integers(0, 30, len(demand)).astype(float)
    before = models(cost, demand, capacity, rent, p)
    after = models(
        np.column_stack([cost, more]),
        demand,
        np.append(capacity, 5.0),
        np.append(rent, 10.0),
        p,
    )
    assert all(after[name] <= before[name] + 1e-6 for name in before)


@FEW
@given(questions())
def test_closing_or_keeping_by_order_is_never_better(question):
    rng, cost, demand, capacity, rent, p = question
    before = models(cost, demand, capacity, rent, p)
    one = np.zeros(len(rent), dtype=bool)
    one[rng.integers(0, len(rent))] = True
    for words in ({"forbidden": one}, {"fixed": one}):
        after = models(cost, demand, capacity, rent, p, **words)
        assert all(after[name] >= before[name] - 1e-6 for name in before)


@FEW
@given(questions())
def test_more_places_are_never_worse(question):
    rng, cost, demand, capacity, rent, _ = question
    more = capacity + rng.integers(0, 5, len(rent))
    for whole in (False, True):
        before = siting.capacitated(cost, demand, capacity, rent, single_source=whole)
        after = siting.capacitated(cost, demand, more, rent, single_source=whole)
        if before.status == "optimal":
            assert after.objective <= before.objective + 1e-6


@FEW
@given(questions())
def test_splitting_is_never_worse_and_least_loads_never_better(question):
    _, cost, demand, capacity, rent, _ = question
    split = siting.capacitated(cost, demand, capacity, rent)
    whole = siting.capacitated(cost, demand, capacity, rent, single_source=True)
    least = siting.capacitated(cost, demand, capacity, rent, min_load=3.0)
    if whole.status == "optimal":
        assert split.objective <= whole.objective + 1e-6
    if least.status == "optimal":
        assert split.objective <= least.objective + 1e-6


@FEW
@given(questions(gaps=False))
def test_one_more_site_is_never_worse(question):
    _, cost, demand, _, rent, p = question
    if p == len(rent):
        return
    few, more = siting.p_median(cost, demand, p), siting.p_median(cost, demand, p + 1)
    assert more.objective <= few.objective + 1e-6
    few, more = siting.p_center(cost, p), siting.p_center(cost, p + 1)
    assert more.objective <= few.objective
    cover = siting.set_cover(cost, few.objective)
    assert cover.objective <= p  # p sites reach everyone within the radius they reach


@FEW
@given(questions(gaps=False))
def test_without_limits_of_places_it_is_the_median(question):
    _, cost, demand, _, rent, p = question
    endless = np.full(len(rent), np.inf)
    sized = siting.capacitated(cost, demand, endless, 0.0, p=p)
    assert sized.objective == pytest.approx(siting.p_median(cost, demand, p).objective)
