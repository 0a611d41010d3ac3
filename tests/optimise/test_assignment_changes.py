"""What-ifs on a ready assignment: the same as solving the changed problem from the start."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from catchment.errors import InputError, NotFoundError
from catchment.optimise import assignment

COST = np.array([[1.0, 4.0, 9.0], [2.0, 2.0, 9.0], [8.0, 1.0, np.inf]])


def small():
    return assignment.prepare(COST, np.array([5.0, 3.0, 4.0]), np.array([6.0, 6.0, 10.0]))


def test_closing_and_reopening_by_hand():
    today = small()
    # site 0: all 5 of unit 0 and 1 of unit 1; site 1: 2 of unit 1 and 4 of unit 2
    assert today.objective == today.bound == 5 + 2 + 4 + 4
    assert today.refused == 0
    closed = today.close(1)
    # unit 2 can only go to site 0 (8 each); two of unit 0 stay, everyone else is sent to site 2
    assert closed.objective == 4 * 8 + 2 * 1 + 3 * 9 + 3 * 9
    assert closed.load.tolist() == [6.0, 0.0, 6.0]
    assert closed.bound == closed.objective
    assert today.objective == 15  # the old state is untouched
    assert closed.reopen(1).objective == 15
    assert closed.reopen(1).bound == 15


def test_what_finds_no_place_is_refused_and_comes_back():
    narrow = small().resize(0, 0).resize(2, 0)
    assert narrow.refused == 6
    assert np.isnan(narrow.bound)
    assert narrow.objective == 4 * 1 + 2 * 2
    assert narrow.reopen(0).reopen(2).objective == 15


def test_places_demand_and_a_new_site():
    today = small()
    assert today.resize(0, 8).objective == 5 + 6 + 4
    # site 1 is full of unit 2, so two of unit 1 have to go to site 2
    assert today.set_demand(2, 6).objective == 5 + 2 + 2 * 9 + 6
    assert today.set_demand(0, 0).objective == 3 * 2 + 4
    wider = today.add_site(np.array([0.0, np.inf, 0.0]), 4.0)
    assert (
        wider.objective
        == assignment.transport(
            np.column_stack([COST, [0.0, np.inf, 0.0]]), wider.demand, wider.capacity
        ).objective
    )
    assert wider.capacity.size == 4


@pytest.mark.parametrize("whole", [True, False])
def test_long_chains_of_changes_equal_solving_again(whole):
    rng = np.random.default_rng(21)
    for _ in range(60):
        n, m = int(rng.integers(2, 25)), int(rng.integers(2, 8))
        cost = rng.integers(0, 50, (n, m)).astype(float)
        if not whole:
            cost *= rng.uniform(0.5, 2.0, (n, m))
        cost[rng.random((n, m)) < 0.25] = np.inf
        demand = rng.integers(0, 10, n).astype(float)
        capacity = rng.integers(0, int(2.4 * demand.sum() / m) + 2, m).astype(float)
        state = assignment.prepare(cost, demand, capacity)
        for _ in range(10):
            site = int(rng.integers(m))
            kind = rng.integers(4)
            if kind == 0:
                state = state.close(site)
            elif kind == 1:
                state = state.reopen(site)
            elif kind == 2:
                state = state.resize(site, float(rng.integers(0, 30)))
            else:
                state = state.set_demand(int(rng.integers(n)), float(rng.integers(0, 15)))
            cold = assignment.transport(cost, state.demand, state.capacity)
            assert state.refused == pytest.approx(state.demand.sum() - cold.share.sum())
            assert state.objective == pytest.approx(cold.objective, rel=1e-11, abs=1e-9)
            share = state.share.toarray()
            assert (share.sum(axis=0) <= state.capacity + 1e-9).all()
            assert (share.sum(axis=1) <= state.demand + 1e-9).all()
            assert share.sum(axis=0) == pytest.approx(state.load)
            if cold.status == "optimal":
                assert state.bound == pytest.approx(state.objective, rel=1e-11, abs=1e-9)


def test_closing_every_site_of_a_larger_problem_in_turn():
    rng = np.random.default_rng(22)
    where, sites = rng.random((600, 2)), rng.random((25, 2))
    cost = np.rint(1000 * np.hypot(*(where[:, None] - sites[None]).transpose(2, 0, 1)))
    demand = rng.integers(1, 31, 600).astype(float)
    capacity = np.full(25, np.ceil(1.15 * demand.sum() / 25))
    today = assignment.prepare(cost, demand, capacity)
    for site in range(25):
        without = today.close(site)
        cold = assignment.transport(cost, demand, without.capacity)
        assert without.objective == cold.objective == without.bound
        again = without.reopen(site)
        assert again.objective == again.bound == today.objective


def test_positions_and_numbers_that_cannot_be_are_refused():
    for change in (lambda: small().close(3), lambda: small().set_demand(-1, 2.0)):
        with pytest.raises(NotFoundError):
            change()
    for change in (
        lambda: small().resize(0, -1),
        lambda: small().set_demand(0, np.nan),
        lambda: small().add_site(np.ones(2), 3.0),
    ):
        with pytest.raises(InputError):
            change()


@pytest.mark.parametrize("whole", [True, False])
def test_new_sites_one_after_the_other_equal_solving_again(whole, monkeypatch):
    from catchment.optimise import adjust

    rng = np.random.default_rng(77)
    solved = []
    afresh = adjust.prepare
    monkeypatch.setattr(adjust, "prepare", lambda *args: solved.append(1) or afresh(*args))
    changes = 0
    for _ in range(60):
        n, m = int(rng.integers(1, 25)), int(rng.integers(1, 6))
        cost = rng.integers(0, 50, (n, m)).astype(float)
        cost[rng.random((n, m)) < 0.2] = np.inf
        demand = rng.integers(0, 10, n).astype(float)
        capacity = rng.integers(0, int(2.4 * demand.sum() / m) + 2, m).astype(float)
        state = afresh(cost, demand, capacity)
        for _ in range(4):
            column = rng.integers(0, 90, n).astype(float) * (1 if whole else rng.uniform(0.5, 2))
            column[rng.random(n) < 0.3] = np.inf
            before = state.cost.copy(), state.objective
            refused = state.refused
            wider = state.add_site(column, float(rng.integers(0, 20)))
            changes += refused == 0
            assert (state.cost == before[0]).all()
            assert state.objective == before[1]
            state = wider
            if rng.random() < 0.5:
                state = state.close(int(rng.integers(state.capacity.size)))
            cold = assignment.transport(state.cost, state.demand, state.capacity)
            assert state.refused == pytest.approx(state.demand.sum() - cold.share.sum())
            assert state.objective == pytest.approx(cold.objective, rel=1e-11, abs=1e-9)
            assert np.asarray(state.share.sum(axis=0)).ravel() == pytest.approx(state.load)
    assert changes > 40
    assert len(solved) <= 4 * 60 - changes  # only where somebody was refused


def random_state(rng, tight=2.4):
    n, m = int(rng.integers(2, 25)), int(rng.integers(2, 8))
    cost = rng.integers(0, 50, (n, m)).astype(float)
    cost[rng.random((n, m)) < 0.25] = np.inf
    demand = rng.integers(0, 10, n).astype(float)
    capacity = rng.integers(0, int(tight * demand.sum() / m) + 2, m).astype(float)
    return assignment.prepare(cost, demand, capacity)


def test_what_a_place_is_worth_is_what_changes_with_one_more_and_one_fewer():
    rng = np.random.default_rng(31)
    seen = {"saves": 0, "serves": 0, "costs": 0, "refuses": 0}
    for _ in range(60):
        state = random_state(rng)
        if rng.random() < 0.5:
            state = state.close(int(rng.integers(state.capacity.size)))
        limits = state.limits
        for j, places in enumerate(state.capacity):
            assert limits.full[j] == (state.load[j] == places)
            cold = assignment.transport(
                state.cost,
                state.demand,
                np.where(np.arange(state.capacity.size) == j, places + 1, state.capacity),
            )
            served = float(cold.share.sum())
            assert limits.serves[j] == (served > state.demand.sum() - state.refused)
            assert limits.saves[j] == state.objective - cold.objective
            seen["saves"] += limits.saves[j] > 0
            seen["serves"] += limits.serves[j]
            if places == 0:
                assert np.isnan(limits.costs[j])
                continue
            less = state.resize(j, places - 1)
            assert limits.refuses[j] == (less.refused > state.refused)
            assert limits.costs[j] == less.objective - state.objective
            seen["costs"] += limits.costs[j] > 0
            seen["refuses"] += limits.refuses[j]
    assert min(seen.values()) > 20, seen


def test_prices_do_not_depend_on_how_the_plan_came_about():
    rng = np.random.default_rng(32)
    for _ in range(40):
        state = random_state(rng, tight=3.0)
        there_and_back = state
        for site in rng.permutation(state.capacity.size).tolist():
            there_and_back = there_and_back.close(site).reopen(site)
        assert there_and_back.price.tolist() == state.price.tolist()
        assert there_and_back.limits.costs.tobytes() == state.limits.costs.tobytes()


def test_a_village_sent_by_hand_equals_solving_again_without_its_other_sites():
    rng = np.random.default_rng(33)
    moved = 0
    for _ in range(80):
        state = random_state(rng)
        for _ in range(3):
            unit = int(rng.integers(state.demand.size))
            can = np.flatnonzero(np.isfinite(state.cost[unit]))
            if not can.size:
                with pytest.raises(InputError, match="cannot go"):
                    state.send(unit, 0)
                continue
            site = int(rng.choice(can))
            before = state.cost.copy(), state.objective
            sent = state.send(unit, site)
            assert (state.cost == before[0]).all()
            assert state.objective == before[1]
            moved += sent.objective != state.objective
            state = sent.close(int(rng.integers(state.capacity.size)))
            for made in (sent, state):
                cold = assignment.transport(made.cost, made.demand, made.capacity)
                assert made.refused == made.demand.sum() - cold.share.sum()
                assert made.objective == cold.objective
                if cold.status == "optimal":
                    assert made.bound == made.objective
            assert np.isfinite(sent.cost[unit]).sum() == 1
    assert moved > 40
    with pytest.raises(NotFoundError):
        small().send(9, 0)


@pytest.mark.parametrize("scale", [1.0, 2.0**20, 0.3])
def test_sites_with_hundreds_of_villages_equal_linear_programming(scale):
    # so many villages a site that the next best of each shift are kept; whole costs in 4 bytes,
    # in 8 because of their size, and costs that are no whole numbers
    rng = np.random.default_rng(31)
    n, m = 700, 5
    cost = scale * rng.integers(0, 400, (n, m)).astype(float)
    cost[rng.random((n, m)) < 0.2] = np.inf
    cost[:, 0] = scale * rng.integers(0, 400, n)
    demand = rng.integers(1, 9, n).astype(float)
    capacity = np.ceil(demand.sum() * rng.uniform(0.2, 0.3, m))
    now = assignment.prepare(cost, demand, capacity)
    unit, site = np.nonzero(np.isfinite(cost))
    pair = np.arange(unit.size)
    out = csr_matrix((np.ones(unit.size), (unit, pair)))
    into = csr_matrix((np.ones(unit.size), (site, pair)), shape=(m, unit.size))
    for _ in range(12):
        changed = int(rng.integers(1, m))
        now = now.resize(changed, float(rng.integers(0, int(1.5 * capacity[changed]))))
        now = now.resize(0, demand.sum())
        other = linprog(cost[unit, site], A_ub=into, b_ub=now.capacity, A_eq=out, b_eq=now.demand)
        assert now.refused == 0
        assert now.objective == pytest.approx(other.fun, rel=1e-9)
        assert now.bound == pytest.approx(other.fun, rel=1e-9)
        now = now.resize(0, capacity[0])


def test_a_new_site_with_fractions_joins_costs_that_were_whole():
    rng = np.random.default_rng(5)
    for _ in range(30):
        n, m = int(rng.integers(5, 30)), int(rng.integers(2, 6))
        cost = rng.integers(0, 50, (n, m)).astype(float)
        demand = rng.integers(1, 9, n).astype(float)
        capacity = np.ceil(demand.sum() * rng.uniform(1.0, 1.4, m) / m)
        column = rng.uniform(0, 50, n) if rng.random() < 0.7 else rng.integers(0, 10**6, n)
        places = float(rng.integers(1, 30))
        wider = assignment.prepare(cost, demand, capacity).add_site(column, places)
        again = assignment.transport(
            np.column_stack([cost, column]), demand, np.append(capacity, places)
        )
        assert wider.objective == pytest.approx(again.objective, rel=1e-12)
        closed = wider.close(0)
        if not closed.refused:
            assert closed.bound == pytest.approx(closed.objective, rel=1e-12)
