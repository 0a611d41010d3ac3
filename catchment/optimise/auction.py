"""A good start for the splittable assignment: overloaded sites raise their prices in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.lean import lean

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[Any]

SHORT = 16  # sites of each unit looked at before all of them
VISITS = 6  # turns of a site in the auction, on average
_UNKNOWN = -2  # sites of a unit not asked for yet


@njit(cache=True)
def assign_nearest(cost: Floats, demand: Float64, price: Float64) -> Int32:
    """Find for each unit with demand the site where cost plus price is least.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float64
        Demand of each unit.
    price : (m,) float64
        Prices of the sites.

    Returns
    -------
    (n,) int32
        Lowest position among equals; -1 without demand or without a possible site.
    """
    n, m = cost.shape
    site = np.full(n, -1, dtype=np.int32)
    for i in range(n):
        if demand[i] <= 0.0:
            continue
        best = np.inf
        for k in range(m):
            value = cost[i, k] + price[k]
            if value < best:
                best = value
                site[i] = k
    return site


@lean
def _shortlist(cost: Floats, i: int, near: Int32, value: Floats) -> None:
    """Write the sites of least cost of a unit in ascending order, padded with -1 and inf."""
    most = near.shape[1]
    for at in range(most):
        near[i, at] = -1
        value[i, at] = np.inf
    worst = np.inf
    for k in range(cost.shape[1]):
        here = cost[i, k]
        if here < worst:
            at = most - 1
            while at > 0 and value[i, at - 1] > here:
                value[i, at] = value[i, at - 1]
                near[i, at] = near[i, at - 1]
                at -= 1
            value[i, at] = here
            near[i, at] = k
            worst = value[i, most - 1]


@njit(cache=True)
def balance(
    cost: Floats, demand: Float64, capacity: Float64, price: Float64, site: Int32, visits: int
) -> None:
    """Let overloaded sites raise their prices in turn until whole units leave for the next best.

    An auction that keeps the plan optimal for its prices: every unit stays where cost plus
    price is least, and a site with a price stays full. It only saves work for what follows.

    Parameters
    ----------
    cost, demand, capacity
        The problem.
    price : (m,) float64
        Prices, raised in place.
    site : (n,) int32
        Site of each unit, -1 for none; changed in place.
    visits : int
        How often a site may have its turn, on average.
    """
    n, m = cost.shape
    most = min(SHORT, m)
    near = np.full((n, most), _UNKNOWN, dtype=np.int32)
    value = np.empty((n, most), cost.dtype)
    load = np.zeros(m)
    first = np.full(m, -1, dtype=np.int32)
    after = np.full(n, -1, dtype=np.int32)
    for i in range(n):
        if site[i] >= 0:
            load[site[i]] += demand[i]
            after[i] = first[site[i]]
            first[site[i]] = i
    queue = np.empty(m + 1, dtype=np.int32)
    queued = np.zeros(m, dtype=np.bool_)
    head = 0
    tail = 0
    for j in range(m):
        if load[j] > capacity[j]:
            queue[tail] = j
            tail += 1
            queued[j] = True
    who = np.empty(n, dtype=np.int32)
    to = np.empty(n, dtype=np.int32)
    margin = np.empty(n)
    for _ in range(visits * m):
        if head == tail:
            break
        j = queue[head]
        head = (head + 1) % (m + 1)
        queued[j] = False
        count = 0
        i = first[j]
        while i >= 0:
            best = np.inf
            alternative = -1
            last = 0.0
            if near[i, 0] == _UNKNOWN:  # many units never need theirs
                _shortlist(cost, i, near, value)
            for at in range(most):
                k = near[i, at]
                last = value[i, at]
                if last >= best:  # prices are never negative: nothing better follows
                    break
                if k != j and last + price[k] < best:
                    best = last + price[k]
                    alternative = k
            if last < best:
                for k in range(m):
                    if cost[i, k] + price[k] < best and k != j:
                        best = cost[i, k] + price[k]
                        alternative = k
            who[count] = i
            to[count] = alternative
            margin[count] = best - cost[i, j] - price[j]
            count += 1
            i = after[i]
        rise = 0.0
        left = count
        while left > 0:  # only few leave: cheaper than putting all in order
            at = 0
            for a in range(1, left):
                if margin[a] < margin[at]:
                    at = a
            i = who[at]
            k = to[at]
            if k < 0 or load[j] - demand[i] < capacity[j]:
                break
            rise = max(rise, margin[at])
            left -= 1
            who[at] = who[left]
            to[at] = to[left]
            margin[at] = margin[left]
            site[i] = k
            load[j] -= demand[i]
            load[k] += demand[i]
            after[i] = first[k]
            first[k] = i
            if load[k] > capacity[k] and not queued[k]:
                queue[tail] = k
                tail = (tail + 1) % (m + 1)
                queued[k] = True
        first[j] = -1
        for a in range(left):
            after[who[a]] = first[j]
            first[j] = who[a]
        price[j] += rise
