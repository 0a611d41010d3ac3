"""What must hold for every splittable assignment, whatever its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.optimise import assignment

many = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def problems(draw):
    n, m = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    whole = st.integers(0, 40)
    cell = st.one_of(whole, whole, st.just(np.inf))
    cost = np.array(draw(st.lists(cell, min_size=n * m, max_size=n * m)), dtype=float)
    demand = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    capacity = draw(st.lists(st.integers(0, 25), min_size=m, max_size=m))
    return cost.reshape(n, m), np.array(demand, dtype=float), np.array(capacity, dtype=float)


def value(problem):
    """Refused demand first, then cost."""
    answer = assignment.transport(*problem)
    return problem[1].sum() - answer.share.sum(), answer.objective


@many
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_units_and_sites_does_not_matter(problem, random):
    cost, demand, capacity = problem
    rows, columns = list(range(len(demand))), list(range(len(capacity)))
    random.shuffle(rows)
    random.shuffle(columns)
    turned = cost[np.ix_(rows, columns)], demand[rows], capacity[columns]
    assert value(turned) == value(problem)


@many
@given(problems(), st.sampled_from([2.0, 3.0, 16.0]))
def test_scaling_costs_scales_the_objective(problem, factor):
    cost, demand, capacity = problem
    refused, objective = value(problem)
    assert value((cost * factor, demand, capacity)) == (refused, objective * factor)
    scaled = value((cost, demand * factor, capacity * factor))
    assert scaled == (refused * factor, objective * factor)


@many
@given(problems(), st.data())
def test_another_site_or_more_places_never_hurt(problem, data):
    cost, demand, capacity = problem
    before = value(problem)
    cell = st.one_of(st.integers(0, 40), st.just(np.inf))
    column = data.draw(st.lists(cell, min_size=len(demand), max_size=len(demand)))
    wider = np.column_stack([cost, np.array(column, dtype=float)])
    refused, objective = value((wider, demand, np.append(capacity, 7.0)))
    assert refused <= before[0]
    if refused == before[0]:
        assert objective <= before[1]
    larger = capacity.copy()
    larger[data.draw(st.integers(0, len(capacity) - 1))] += data.draw(st.integers(1, 9))
    refused, objective = value((cost, demand, larger))
    assert refused <= before[0]
    if refused == before[0]:
        assert objective <= before[1]


@many
@given(problems())
def test_every_answer_proves_itself(problem):
    cost, demand, capacity = problem
    answer = assignment.transport(cost, demand, capacity)
    share = answer.share.toarray()
    assert (share.sum(axis=0) <= capacity).all()
    assert (share.sum(axis=1) <= demand).all()
    assert (answer.status == "optimal") == (share.sum() == demand.sum())
    if answer.status == "optimal":
        assert answer.bound == answer.objective
        assert answer.reason == ""
    else:
        assert " / " in answer.reason
    served = share.sum(axis=1) > 0
    assert (share[served].argmax(axis=1) >= 0).all()
    chosen = share[np.flatnonzero(served), answer.site_of[served]]
    assert (chosen == share[served].max(axis=1)).all()
    assert (answer.site_of[(~served) & (demand > 0)] == -1).all()


@many
@given(problems(), st.integers(0, 40))
def test_a_cutoff_is_the_same_as_forbidding_the_pairs(problem, limit):
    cost, demand, capacity = problem
    cut = assignment.transport(cost, demand, capacity, cutoff=limit)
    masked = assignment.transport(np.where(cost <= limit, cost, np.inf), demand, capacity)
    assert cut.status == masked.status
    assert cut.objective == pytest.approx(masked.objective)
