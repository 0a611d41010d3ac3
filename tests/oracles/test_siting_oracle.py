"""Siting against brute force over all choices of sites, which shares no code with it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_matrix

from catchment.optimise import capacitated, capacitated_bound, capacitated_whole, seating, siting

SECONDS = 20.0


def random_masks(rng, m):
    draw = rng.integers(0, 6, m)
    return (draw == 0, draw == 1) if rng.random() < 0.6 else (None, None)


def choices(m, sizes, fixed, forbidden):
    fixed = np.zeros(m, bool) if fixed is None else fixed
    forbidden = np.zeros(m, bool) if forbidden is None else forbidden
    for size in sizes:
        for where in itertools.combinations(range(m), size):
            chosen = np.zeros(m, bool)
            chosen[list(where)] = True
            if (chosen | ~fixed).all() and not (chosen & forbidden).any():
                yield chosen


def random_cost(rng, most_units=8, most_sites=6):
    n, m = int(rng.integers(1, most_units)), int(rng.integers(1, most_sites))
    cost = rng.integers(0, 20, (n, m)).astype(float)
    if rng.random() < 0.3:
        cost = rng.uniform(-3, 20, (n, m))
    cost[rng.random((n, m)) < rng.choice([0.0, 0.2, 0.5])] = np.inf
    return cost


def random_weight(rng, n):
    return rng.integers(0, 5, n).astype(float) if rng.random() < 0.5 else rng.uniform(0, 3, n)


def check(answer, best, *, upper=False):
    """The answer is the optimum, proved; or proved impossible where there is none."""
    if best is None:
        assert answer.status == "infeasible"
        assert answer.reason
        assert np.isnan(answer.objective)
        assert np.isnan(answer.bound)
        assert not answer.open.any()
        return
    assert answer.status == "optimal", answer
    assert answer.objective == pytest.approx(best, abs=1e-7, rel=1e-9)
    assert answer.bound == pytest.approx(answer.objective, abs=2e-6, rel=1e-9)
    assert answer.bound >= answer.objective if upper else answer.bound <= answer.objective


def check_masks(answer, p, fixed, forbidden):
    if answer.status != "optimal":
        return
    assert p is None or answer.open.sum() == p
    assert fixed is None or answer.open[fixed].all()
    assert forbidden is None or not answer.open[forbidden].any()
    assert answer.open[answer.site_of[answer.site_of >= 0]].all()


def nearest(cost, chosen):
    return np.where(chosen, cost, np.inf).min(axis=1)


@pytest.mark.parametrize("block", range(4))
def test_median_equals_brute_force(block):
    rng = np.random.default_rng(block)
    for _ in range(400):
        cost = random_cost(rng)
        n, m = cost.shape
        weight, p = random_weight(rng, n), int(rng.integers(1, m + 1))
        fixed, forbidden = random_masks(rng, m)
        values = []
        for chosen in choices(m, [p], fixed, forbidden):
            far = nearest(cost, chosen)[weight > 0]
            values.append((weight[weight > 0] * far).sum() if np.isfinite(far).all() else np.inf)
        best = min(values, default=np.inf)
        answer = siting.p_median(
            cost, weight, p, fixed=fixed, forbidden=forbidden, time_limit=SECONDS
        )
        check(answer, best if np.isfinite(best) else None)
        check_masks(answer, p, fixed, forbidden)
        if answer.status == "optimal":
            some = weight > 0
            sent = cost[some, answer.site_of[some]]
            assert (sent == nearest(cost, answer.open)[some]).all()
            assert answer.objective == pytest.approx((weight[some] * sent).sum())


@pytest.mark.parametrize("block", range(2))
def test_centre_equals_brute_force(block):
    rng = np.random.default_rng(10 + block)
    for _ in range(400):
        cost = random_cost(rng)
        n, m = cost.shape
        weight, p = random_weight(rng, n), int(rng.integers(1, m + 1))
        fixed, forbidden = random_masks(rng, m)
        some = weight > 0
        best = min(
            (
                (weight[some] * nearest(cost, chosen)[some]).max(initial=-np.inf)
                for chosen in choices(m, [p], fixed, forbidden)
            ),
            default=np.inf,
        )
        if not some.any() and np.isneginf(best):
            best = 0.0
        answer = siting.p_center(
            cost, p, weight=weight, fixed=fixed, forbidden=forbidden, time_limit=SECONDS
        )
        check(answer, best if np.isfinite(best) else None)
        check_masks(answer, p, fixed, forbidden)


@pytest.mark.parametrize("block", range(2))
def test_coverage_equals_brute_force(block):
    rng = np.random.default_rng(20 + block)
    for _ in range(400):
        cost = random_cost(rng)
        n, m = cost.shape
        weight, p = random_weight(rng, n), int(rng.integers(1, m + 1))
        fixed, forbidden = random_masks(rng, m)
        limit = float(rng.integers(0, 20)) if rng.random() < 0.7 else rng.uniform(0, 20, n)
        values = [
            weight[np.isfinite(far) & (far <= limit)].sum()
            for far in (nearest(cost, c) for c in choices(m, [p], fixed, forbidden))
        ]
        answer = siting.max_coverage(
            cost, weight, p, limit, fixed=fixed, forbidden=forbidden, time_limit=SECONDS
        )
        check(answer, max(values, default=None), upper=True)
        check_masks(answer, p, fixed, forbidden)
        if answer.status == "optimal":
            assert answer.objective == pytest.approx(weight[answer.site_of >= 0].sum())


@pytest.mark.parametrize("block", range(2))
def test_cover_equals_brute_force(block):
    rng = np.random.default_rng(30 + block)
    for _ in range(400):
        cost = random_cost(rng)
        n, m = cost.shape
        weight = random_weight(rng, n) if rng.random() < 0.5 else None
        rent = rng.choice([None, 1, 2])
        if rent is not None:
            rent = rng.integers(0, 4, m).astype(float) if rent == 1 else rng.uniform(0, 4, m)
        fixed, forbidden = random_masks(rng, m)
        limit = float(rng.integers(3, 20))
        must = np.ones(n, bool) if weight is None else weight > 0
        price = np.ones(m) if rent is None else rent
        values = [
            price[chosen].sum()
            for chosen in choices(m, range(m + 1), fixed, forbidden)
            if (nearest(cost, chosen)[must] <= limit).all()
        ]
        answer = siting.set_cover(
            cost, limit, weight=weight, fixed_cost=rent, fixed=fixed, forbidden=forbidden,
            time_limit=SECONDS,
        )  # fmt: skip
        check(answer, min(values, default=None))
        check_masks(answer, None, fixed, forbidden)


def seat_by_enumeration(cost, demand, capacity, floor, chosen):
    """Cheapest assignment of whole units, None where there is none."""
    some, where = np.flatnonzero(demand > 0), np.flatnonzero(chosen)
    best = None
    for site_of in itertools.product(where, repeat=some.size):
        load = np.bincount(np.array(site_of, int), weights=demand[some], minlength=chosen.size)
        if (load > capacity + 1e-9).any() or (load < floor - 1e-9)[chosen].any():
            continue
        value = (demand[some] * cost[some, list(site_of)]).sum()
        if np.isfinite(value) and (best is None or value < best):
            best = value
    return best


def seat_by_linear_program(cost, demand, capacity, floor, chosen):
    """Cheapest assignment of split demand, None where there is none."""
    some, where = np.flatnonzero(demand > 0), np.flatnonzero(chosen)
    part = cost[np.ix_(some, where)]
    if not np.isfinite(part).any(axis=1).all():
        return None
    if some.size == 0:
        return 0.0 if not floor[chosen].any() else None
    rows, columns = part.shape
    to_unit = np.kron(np.eye(rows), np.ones((1, columns)))
    to_site = np.kron(np.ones((1, rows)), np.eye(columns))
    top = np.where(np.isfinite(part).ravel(), np.inf, 0.0)
    limits = np.concatenate([capacity[where], -floor[where]])
    finite = np.isfinite(limits)
    answer = linprog(
        np.where(np.isfinite(part), part, 0.0).ravel(),
        A_ub=np.vstack([to_site, -to_site])[finite], b_ub=limits[finite],
        A_eq=to_unit, b_eq=demand[some], bounds=np.column_stack([np.zeros(top.size), top]),
    )  # fmt: skip
    return answer.fun if answer.status == 0 else None


@pytest.mark.parametrize(("whole", "block"), [(False, 0), (False, 1), (True, 2), (True, 3)])
def test_capacitated_equals_brute_force(whole, block):
    rng = np.random.default_rng(40 + block)
    seat = seat_by_enumeration if whole else seat_by_linear_program
    solved = 0
    for _ in range(150):
        cost = random_cost(rng, 6, 5)
        n, m = cost.shape
        demand = rng.integers(0, 6, n).astype(float)
        capacity = rng.integers(0, 2 * int(demand.sum() / m) + 6, m).astype(float)
        if rng.random() < 0.2:
            demand, capacity = demand * rng.uniform(0.5, 1.5, n), capacity * rng.uniform(1, 2, m)
        if rng.random() < 0.2:
            capacity[rng.integers(0, m)] = np.inf
        rent = rng.integers(0, 30, m).astype(float)
        floor = np.zeros(m)
        if rng.random() < 0.4:
            floor = rng.integers(0, 4, m).astype(float)
        p = int(rng.integers(1, m + 1)) if rng.random() < 0.5 else None
        fixed, forbidden = random_masks(rng, m)
        values = []
        for chosen in choices(m, range(m + 1) if p is None else [p], fixed, forbidden):
            value = seat(cost, demand, capacity, floor, chosen)
            if value is not None:
                values.append(value + rent[chosen].sum())
        answer = siting.capacitated(
            cost, demand, capacity, rent, p=p, single_source=whole,
            min_load=floor if floor.any() else None, fixed=fixed, forbidden=forbidden,
            time_limit=SECONDS,
        )  # fmt: skip
        check(answer, min(values, default=None))
        check_masks(answer, p, fixed, forbidden)
        if answer.status == "optimal":
            solved += 1
            recheck(answer, cost, demand, capacity, rent, floor, whole)
    assert solved > 20


def recheck(answer, cost, demand, capacity, rent, floor, whole):
    """Count the plan again from who goes where."""
    some = demand > 0
    if whole:
        assert answer.share is None
        share = np.zeros_like(cost)
        share[some, answer.site_of[some]] = demand[some]
    else:
        share = answer.share.toarray()
    assert share.sum(axis=1) == pytest.approx(demand, abs=1e-9)
    load = share.sum(axis=0)
    assert (load <= capacity + 1e-9).all()
    assert (load >= floor - 1e-9)[answer.open].all()
    assert not load[~answer.open].any()
    paid = np.where(share > 0, np.where(np.isfinite(cost), cost, np.nan), 0) * share
    assert paid.sum() + rent[answer.open].sum() == pytest.approx(answer.objective)


@pytest.mark.parametrize("least_loads", [False, True])
def test_capacitated_equals_brute_force_when_prices_choose_the_pairs(monkeypatch, least_loads):
    """The same without the shortcut for small questions: prices, left-over pairs, branching."""
    monkeypatch.setattr(capacitated.solve, "__kwdefaults__", {"seed": 0, "few": 0})
    monkeypatch.setattr(capacitated_whole, "SMALL", 1)
    rng = np.random.default_rng(50 + least_loads)
    for _ in range(150):
        cost = random_cost(rng, 6, 5)
        n, m = cost.shape
        demand = rng.integers(0, 6, n) + (0.5 if rng.random() < 0.3 else 0.0)
        capacity = rng.integers(0, 2 * int(demand.sum() / m) + 6, m).astype(float)
        rent = rng.integers(0, 30, m).astype(float)
        floor = rng.integers(0, 4, m).astype(float) if least_loads else np.zeros(m)
        whole = not least_loads or rng.random() < 0.3
        p = int(rng.integers(1, m + 1)) if rng.random() < 0.5 else None
        fixed, forbidden = random_masks(rng, m)
        seat = seat_by_enumeration if whole else seat_by_linear_program
        values = []
        for chosen in choices(m, range(m + 1) if p is None else [p], fixed, forbidden):
            value = seat(cost, demand, capacity, floor, chosen)
            if value is not None:
                values.append(value + rent[chosen].sum())
        answer = siting.capacitated(
            cost, demand, capacity, rent, p=p, single_source=whole,
            min_load=floor if floor.any() else None, fixed=fixed, forbidden=forbidden,
            time_limit=SECONDS,
        )  # fmt: skip
        check(answer, min(values, default=None))
        check_masks(answer, p, fixed, forbidden)


def test_every_bound_is_below_every_plan():
    """Prices at random, not only good ones: the bound must hold for any."""
    rng = np.random.default_rng(60)
    for _ in range(80):
        cost = rng.integers(0, 20, (int(rng.integers(1, 6)), int(rng.integers(2, 5)))).astype(float)
        n, m = cost.shape
        demand = rng.integers(1, 6, n).astype(float)
        capacity = rng.integers(1, 2 * int(demand.sum() / m) + 6, m).astype(float)
        rent = rng.integers(0, 30, m).astype(float)
        whole = bool(rng.random() < 0.5)
        question = seating.Question(
            cost, demand, capacity, rent, np.zeros(m), np.zeros(m, np.int8), None, whole
        )
        places = capacitated._places(question)
        price = rng.uniform(-5, 30, n)
        bound, rise = capacitated_bound.pair_rises(places, price, question.state.copy())
        seat = seat_by_enumeration if whole else seat_by_linear_program
        for chosen in choices(m, range(m + 1), None, None):
            if capacity[chosen].sum() < demand.sum():
                continue
            value = seat(cost, demand, capacity, np.zeros(m), chosen)
            if value is None:
                continue
            value += rent[chosen].sum()
            assert bound <= value + 1e-6
            if whole:  # each pair of the best seating of these sites, and of a forced one
                for i, j in itertools.product(range(n), np.flatnonzero(chosen)):
                    forced = cost.copy()
                    forced[i, np.arange(m) != j] = np.inf
                    dearer = seat_by_enumeration(forced, demand, capacity, np.zeros(m), chosen)
                    if dearer is not None:
                        assert bound + rise[j, i] <= dearer + rent[chosen].sum() + 1e-6


def test_a_fixed_site_stays_when_prices_decide_all_others():
    """Found by random questions: branching once turned round a site that had to stay."""
    question = seating.Question(
        np.array([[4.0, 4.0], [np.inf, 5.0]]), np.array([1.5, 2.5]), np.array([7.0, 8.0]),
        np.array([21.0, 8.0]), np.zeros(2), np.array([1, 0], np.int8), None, True,
    )  # fmt: skip
    answer = capacitated.solve(question, until=np.inf, few=0)
    assert answer.chosen.tolist() == [True, True]
    assert answer.value == 47.5


def test_impossible_number_of_sites_is_proved():
    """Found by random questions: the bound rose above every plan, and that was not read."""
    cost = np.array([[np.inf, 19.0], [4.0, np.inf], [14.0, 18.0], [18.0, np.inf]])
    answer = siting.capacitated(
        cost, np.array([4.0, 0.0, 5.0, 2.0]), np.array([13.0, 12.0]), np.array([14.0, 14.0]), p=1
    )
    check(answer, None)


def by_plain_model(cost, demand, capacity, rent, p, whole):
    """The textbook model given to scipy's solver."""
    n, m = cost.shape
    pairs = m + np.arange(n * m).reshape(n, m)
    rows, low, high = [], [], []

    def row(columns, values, least, most):
        line = np.zeros(m + n * m)
        line[columns] = values
        rows.append(line)
        low.append(least)
        high.append(most)

    for i in range(n):
        row(pairs[i], 1.0, 1.0, 1.0)
        for j in range(m):
            row([pairs[i, j], j], [1.0, -1.0], -np.inf, 0.0)
    for j in range(m):
        row(np.append(pairs[:, j], j), np.append(demand, -capacity[j]), -np.inf, 0.0)
    if p is not None:
        row(np.arange(m), 1.0, p, p)
    answer = milp(
        np.concatenate([rent, (demand[:, None] * cost).ravel()]),
        constraints=LinearConstraint(csr_matrix(np.array(rows)), low, high),
        integrality=np.concatenate([np.ones(m), np.full(n * m, float(whole))]),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return answer.fun if answer.status == 0 else None


@pytest.mark.parametrize("seed", range(6))
def test_middle_sizes_equal_the_plain_model(seed):
    rng = np.random.default_rng(70 + seed)
    n, m, p = 30, 14, int(rng.integers(3, 6))
    where, site = rng.uniform(0, 50, (n, 2)), rng.uniform(0, 50, (m, 2))
    cost = np.round(np.hypot(*(where[:, None] - site[None]).transpose(2, 0, 1)), 2)
    demand = rng.integers(1, 12, n).astype(float)
    rent = rng.integers(50, 400, m).astype(float)
    capacity = np.round(demand.sum() / p * rng.uniform(0.9, 1.8, m))
    endless = np.full(m, demand.sum())
    median = siting.p_median(cost, demand, p)
    check(median, by_plain_model(cost, demand, endless, np.zeros(m), p, False))
    free = siting.capacitated(cost, demand, endless, rent)
    check(free, by_plain_model(cost, demand, endless, rent, None, False))
    for count, whole in ((None, False), (p, False), (p + 1, True)):
        answer = siting.capacitated(cost, demand, capacity, rent, p=count, single_source=whole)
        check(answer, by_plain_model(cost, demand, capacity, rent, count, whole))
