"""Adding whole classrooms against building: compared with trying all sites and all numbers of rooms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from catchment.errors import InputError
from catchment.optimise import siting


def cheapest_seats(cost, demand, capacity, floor, chosen, whole):
    """Cheapest way to seat all in the places of the chosen sites; None where there is none."""
    some, where = np.flatnonzero(demand > 0), np.flatnonzero(chosen)
    if not some.size:
        return 0.0 if not floor[chosen].any() else None
    if not where.size:
        return None
    part = cost[np.ix_(some, where)]
    if whole:
        best = None
        for seats in itertools.product(range(where.size), repeat=some.size):
            load = np.bincount(seats, weights=demand[some], minlength=where.size)
            value = (demand[some] * part[np.arange(some.size), list(seats)]).sum()
            good = (load <= capacity[where] + 1e-9).all() and (load >= floor[where] - 1e-9).all()
            if good and np.isfinite(value) and (best is None or value < best):
                best = value
        return best
    rows, columns = part.shape
    if not np.isfinite(part).any(axis=1).all():
        return None
    to_site = np.kron(np.ones((1, rows)), np.eye(columns))
    top = np.where(np.isfinite(part).ravel(), np.inf, 0.0)
    answer = linprog(
        np.where(np.isfinite(part), part, 0.0).ravel(),
        A_ub=np.vstack([to_site, -to_site]),
        b_ub=np.concatenate([capacity[where], -floor[where]]),
        A_eq=np.kron(np.eye(rows), np.ones((1, columns))), b_eq=demand[some],
        bounds=np.column_stack([np.zeros(top.size), top]),
    )  # fmt: skip
    return answer.fun if answer.status == 0 else None


def best_of_all(cost, demand, capacity, rent, floor, places, price, most, p, fixed, whole):
    best, m = None, capacity.size
    for chosen in map(np.array, itertools.product([False, True], repeat=m)):
        if (fixed & ~chosen).any() or (p is not None and chosen.sum() != p):
            continue
        for rooms in itertools.product(*(range(int(k) + 1) if c else (0,) for k, c in zip(most, chosen, strict=True))):  # fmt: skip
            paid = rent[chosen].sum() + float(np.dot(rooms, price))
            if best is not None and paid >= best and (cost >= 0).all():
                continue
            value = cheapest_seats(
                cost, demand, capacity + places * np.array(rooms), floor, chosen, whole
            )
            if value is not None and (best is None or value + paid < best):
                best = value + paid
    return best


@pytest.mark.parametrize("whole", [False, True])
def test_rooms_and_sites_equal_brute_force(whole):
    rng = np.random.default_rng(7 + whole)
    solved = grown = 0
    for _ in range(90):
        n, m = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        cost = rng.integers(0, 20, (n, m)).astype(float)
        cost[rng.random((n, m)) < 0.15] = np.inf
        demand = rng.integers(0, 7, n).astype(float)
        capacity = rng.integers(0, int(demand.sum() / m) + 3, m).astype(float)
        rent, price = rng.integers(0, 40, m).astype(float), rng.integers(0, 15, m).astype(float)
        places, most = rng.integers(1, 5, m).astype(float), rng.integers(0, 3, m)
        floor = rng.integers(0, 4, m).astype(float) if rng.random() < 0.3 else np.zeros(m)
        p = int(rng.integers(1, m + 1)) if rng.random() < 0.3 else None
        fixed = rng.random(m) < 0.3
        if p is not None and fixed.sum() > p:
            fixed[:] = False
        best = best_of_all(
            cost, demand, capacity, rent, floor, places, price, most, p, fixed, whole
        )
        answer = siting.expanded(
            cost, demand, capacity, rent, room_places=places, room_cost=price, rooms_most=most,
            p=p, single_source=whole, min_load=floor, fixed=fixed, time_limit=300.0,
        )  # fmt: skip
        if best is None:
            assert answer.status == "infeasible"
            assert answer.reason
            continue
        solved += 1
        assert answer.status == "optimal"
        assert answer.objective == pytest.approx(best, abs=1e-7)
        assert answer.bound <= answer.objective
        assert answer.bound == pytest.approx(best, abs=1e-5)
        # Counted again from who goes where.
        share = np.zeros((n, m))
        some = np.flatnonzero(demand > 0)
        if whole:
            share[some, answer.site_of[some]] = demand[some]
        else:
            share = answer.share.toarray()
        load = share.sum(axis=0)
        assert (load <= capacity + places * answer.rooms + 1e-9).all()
        assert not answer.rooms[~answer.open].any()
        assert not load[~answer.open].any()
        assert (answer.rooms <= most).all()
        paid = np.where(share > 0, np.where(np.isfinite(cost), cost, np.nan), 0.0) * share
        total = paid.sum() + rent[answer.open].sum() + answer.rooms @ price
        assert total == pytest.approx(answer.objective)
        grown += bool(answer.rooms.any())
    assert solved > 20
    assert grown > 5


def test_without_rooms_it_is_capacitated_location_and_dear_rooms_build_a_site():
    cost = np.array([[1.0, 9.0], [2.0, 1.0], [9.0, 1.0]])
    demand, capacity = np.array([20.0, 20.0, 20.0]), np.array([30.0, 60.0])
    rent, stands = np.array([0.0, 100.0]), np.array([True, False])
    growth = {"room_places": 15.0, "rooms_most": [4, 0], "fixed": stands}
    cheap = siting.expanded(cost, demand, capacity, rent, room_cost=10.0, **growth)
    # Two rooms for 20 and far ways against 100 for a school near by.
    assert cheap.open.tolist() == [True, True]
    assert cheap.objective == pytest.approx(20 + 20 + 20 + 100)
    near = np.array([[1.0, 9.0], [2.0, 9.0], [2.5, 9.0]])
    grown = siting.expanded(near, demand, capacity, rent, room_cost=10.0, **growth)
    assert grown.open.tolist() == [True, False]
    assert grown.rooms.tolist() == [2, 0]
    assert grown.objective == pytest.approx(20 + 40 + 50 + 20)
    none = {**growth, "rooms_most": 0}
    plain = siting.capacitated(cost, demand, capacity, rent, fixed=stands)
    same = siting.expanded(cost, demand, capacity, rent, room_cost=10.0, **none)
    assert same.objective == pytest.approx(plain.objective)
    assert not same.rooms.any()
    with pytest.raises(InputError, match="rooms_most"):
        siting.expanded(
            cost, demand, capacity, rent, room_cost=1.0, **{**growth, "rooms_most": 1.5}
        )


def test_a_county_of_200_villages_and_30_sites_is_proved():
    rng = np.random.default_rng(3)
    village, site = rng.uniform(0, 100, (200, 2)), rng.uniform(0, 100, (30, 2))
    cost = np.linalg.norm(village[:, None] - site[None], axis=2)
    demand = rng.integers(5, 40, 200).astype(float)
    stands = np.arange(30) < 18
    capacity = np.where(stands, 180.0, 270.0)
    answer = siting.expanded(
        cost, demand, capacity, np.where(stands, 0.0, 9000.0), room_places=45.0, room_cost=900.0,
        rooms_most=np.where(stands, 6, 4), fixed=stands, time_limit=40.0,
    )  # fmt: skip
    assert answer.status in ("optimal", "feasible")
    assert answer.objective - answer.bound <= 0.01 * answer.objective
    load = np.asarray(answer.share.sum(axis=0)).ravel()
    assert (load <= capacity + 45.0 * answer.rooms + 1e-6).all()
