"""Catchments with sizes, villages together and apart, against brute force on small counties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from catchment.optimise.wished import Asked, draw
from catchment.optimise.wishes import too_few_places


def county(seed: int):
    """Make a small county with a random wish of each kind."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(5, 8)), int(rng.integers(2, 4))
    xy, home = rng.random((n, 2)), rng.choice(n, m, replace=False)
    cost = np.linalg.norm(xy[:, None] - xy[home][None], axis=2) * 10
    demand = rng.integers(1, 10, n).astype(float)
    touching = np.zeros((n, n), dtype=bool)
    for i in range(n):
        for j in np.argsort(np.linalg.norm(xy - xy[i], axis=1))[1:4]:
            touching[i, j] = touching[j, i] = True
    cost[rng.random((n, m)) < 0.1] = np.inf
    room = np.ceil(rng.uniform(0.4, 1.2, m) * demand.sum() * 2 / m)
    least = np.where(rng.random(m) < 0.5, np.floor(demand.sum() * rng.uniform(0, 0.6, m)), 0.0)
    pairs = [tuple(rng.choice(n, 2, replace=False).tolist()) for _ in range(2)]
    given = rng.random(2) < 0.5
    asked = Asked(least, (pairs[0],) if given[0] else (), (pairs[1],) if given[1] else ())
    own = [int(h) if np.isfinite(cost[h, j]) else -1 for j, h in enumerate(home)]
    return cost, demand, room, touching, np.array(own, dtype=np.int32), asked


def whole(members: list[int], touching: np.ndarray, together) -> bool:
    """Whether units hang together; villages put together count as one."""
    seen, queue = {members[0]}, [members[0]]
    while queue:
        i = queue.pop()
        near = {k for k in members if touching[i, k]}
        near |= {k for each in together if i in each for k in each}
        queue += sorted(near - seen)
        seen |= near
    return seen >= set(members)


def allowed(site, cost, demand, room, touching, home, asked) -> bool:
    n, m = cost.shape
    if any(not np.isfinite(cost[i, site[i]]) for i in range(n)):
        return False
    if any(home[j] >= 0 and site[home[j]] != j for j in range(m)):
        return False
    load = [sum(demand[i] for i in range(n) if site[i] == j) for j in range(m)]
    if any(x > r for x, r in zip(load, room, strict=True)):
        return False
    if any(x < k for x, k in zip(load, asked.least, strict=True)):
        return False
    if any(len({site[i] for i in each}) != 1 for each in asked.together):
        return False
    if any(len({site[i] for i in each}) != len(each) for each in asked.apart):
        return False
    parts = ([i for i in range(n) if site[i] == j] for j in set(site))
    return all(whole(part, touching, asked.together) for part in parts)


def brute(cost, demand, room, touching, home, asked) -> float:
    n, m = cost.shape
    best = np.inf
    for site in itertools.product(range(m), repeat=n):
        value = sum(demand[i] * cost[i, site[i]] for i in range(n))
        if value < best and allowed(site, cost, demand, room, touching, home, asked):
            best = value
    return float(best)


@pytest.mark.parametrize("block", range(6))
def test_the_cheapest_plan_that_does_what_is_asked(block: int) -> None:
    found = 0
    for seed in range(block * 25, block * 25 + 25):
        cost, demand, room, touching, home, asked = county(seed)
        least = brute(cost, demand, room, touching, home, asked)
        drawn = draw(
            cost, demand, room, csr_matrix(touching), home, asked, time_limit=20, work=20_000
        )
        if np.isinf(least):
            assert drawn.status == "infeasible", seed
            continue
        assert drawn.status in ("optimal", "feasible"), seed
        site = drawn.site_of.tolist()
        assert allowed(site, cost, demand, room, touching, home, asked), seed
        value = sum(demand[i] * cost[i, j] for i, j in enumerate(site))
        assert value == pytest.approx(least), seed
        found += 1
    assert found > 2


def test_a_wish_changes_the_plan_and_is_kept() -> None:
    # five villages in a row, a school at each end
    cost = np.array([[0.0, 4], [1, 3], [2, 2.5], [3, 1], [4, 0]])
    line = csr_matrix(np.eye(5, k=1, dtype=bool))
    home, demand, room = np.array([0, 4], dtype=np.int32), np.ones(5), np.full(2, 5.0)

    def plan(asked: Asked) -> list[int]:
        drawn = draw(cost, demand, room, line, home, asked, time_limit=20, work=20_000)
        return drawn.site_of.tolist()

    none = np.zeros(2)
    assert plan(Asked(none)) == [0, 0, 0, 1, 1]
    assert plan(Asked(np.array([0.0, 4]))) == [0, 1, 1, 1, 1]
    assert plan(Asked(none, together=((2, 3),))) == [0, 0, 1, 1, 1]
    assert plan(Asked(none, apart=((1, 2),))) == [0, 0, 1, 1, 1]
    assert plan(Asked(none, together=((0, 4),))) == [-1] * 5
    assert plan(Asked(np.array([3.0, 3.0]))) == [-1] * 5


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_a_witness_can_be_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    cost = np.where(rng.random((n, m)) < 0.5, rng.random((n, m)), np.inf)
    demand = rng.integers(0, 9, n).astype(float)
    places = rng.integers(0, 15, m).astype(float)
    found = too_few_places(cost, demand, places)
    # Hall: places suffice where they do for every set of villages
    short = any(
        demand[list(rows)].sum() > places[np.isfinite(cost[list(rows)]).any(axis=0)].sum()
        for k in range(1, n + 1)
        for rows in itertools.combinations(range(n), k)
    )
    assert (found is not None) == short
    if found is not None:
        rows, sites = found
        assert set(np.flatnonzero(np.isfinite(cost[rows]).any(axis=0))) == set(sites.tolist())
        assert demand[rows].sum() > places[sites].sum()
