"""Cheapest splittable assignment by successive shortest paths on the graph of the sites.

Units are not nodes here: the arc from site j to site k stands for the cheapest shift of one
unit of demand from j to k, so a path of shifts is searched among m nodes instead of n + m.
Every site has a price (what one more place there would save); prices prove the plan optimal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix

from catchment.optimise.auction import VISITS, assign_nearest, balance
from catchment.optimise.holdings import Flow, enter, grown, in_width, new_flow, pull, with_site
from catchment.optimise.paths import FULL, draw, place, worth
from catchment.optimise.ways import read_whole, smallest

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[Any]

__all__ = [
    "FULL",
    "Flow",
    "draw",
    "dual_value",
    "emptied",
    "grown",
    "in_width",
    "new_flow",
    "paid",
    "place",
    "price_of_refusal",
    "pull",
    "shares",
    "solve",
    "width",
    "with_site",
    "worth",
]


@njit(cache=True)
def _assign(flow: Flow, demand: Float64, site: Int32) -> None:
    """Write whole units into an empty assignment."""
    shift, mover, cost = flow.shift, flow.mover, flow.cost
    m = flow.load.size
    for i in range(site.size):
        j = site[i]
        if j < 0:
            continue
        flow.load[j] += demand[i]
        enter(flow, i, j, demand[i])
        here = cost[i, j]
        who = np.int32(i)
        for k in range(m):
            value = cost[i, k] - here
            mover[j, k] = who if value < shift[j, k] else mover[j, k]
            shift[j, k] = value if value < shift[j, k] else shift[j, k]
    flow.back[:] = flow.shift.T
    flow.rest[:] = flow.shift


@njit(cache=True)
def emptied(flow: Flow, j: int, most: float, tolerance: float) -> tuple[Int32, Float64]:
    """Take demand away from a site until it holds no more than so much.

    Parameters
    ----------
    flow : Flow
        Changed in place; with its prices, what leaves first is what has the best other site.
    j : int
        The site.
    most : float
        What may stay, zero or more.
    tolerance : float
        Amounts up to this count as none (zero for whole numbers).

    Returns
    -------
    who : (k,) int32
        Units that leave.
    amount : (k,) float64
        How much of each.
    """
    count = 0
    e = flow.first[j]
    while e >= 0:
        count += 1
        e = flow.after[e]
    who = np.empty(count, dtype=np.int32)
    amount = np.empty(count)
    margin = np.empty(count)
    count = 0
    e = flow.first[j]
    while e >= 0:
        i = flow.unit[e]
        who[count] = i
        amount[count] = flow.amount[e]
        best = 0.0
        if most > 0.0:  # else all leave, whoever is first
            best = np.inf
            for k in range(flow.load.size):
                here = flow.cost[i, k] + flow.price[k]
                if here < best and k != j:
                    best = here
        margin[count] = best - flow.cost[i, j]
        count += 1
        e = flow.after[e]
    order = np.argsort(margin, kind="mergesort")
    count = 0
    for at in order:
        part = flow.load[j] - most if most > 0.0 else amount[at]
        if not part > tolerance and most > 0.0:
            break
        if part > amount[at] - tolerance:
            part = amount[at]
        amount[at] = part
        pull(flow, who[at], j, part)
        count += 1
    return who[order[:count]], amount[order[:count]]


@njit(cache=True)
def _overflow(flow: Flow, tolerance: float) -> tuple[Int32, Float64]:
    """Take away what is too much anywhere."""
    size = flow.unit.size - flow.free[1]
    who = np.empty(size, dtype=np.int32)
    amount = np.empty(size)
    count = 0
    for j in range(flow.load.size):
        if flow.load[j] - flow.capacity[j] > tolerance:
            leaving, much = emptied(flow, j, flow.capacity[j], tolerance)
            who[count : count + leaving.size] = leaving
            amount[count : count + leaving.size] = much
            count += leaving.size
    return who[:count], amount[:count]


def _reached(flow: Flow, i: int) -> Float64:
    """Zero for the sites that demand of a unit could be shifted to in any number of steps."""
    seen = np.where(np.isfinite(flow.cost[i]), 0.0, np.inf)
    ready = np.flatnonzero(np.isfinite(seen)).tolist()
    while ready:
        members = np.unique(flow.unit[flow.site == ready.pop()])
        new = np.isfinite(flow.cost[members]).any(axis=0) & ~np.isfinite(seen)
        seen[new] = 0.0
        ready += np.flatnonzero(new).tolist()
    return seen


def solve(flow: Flow, demand: Float64, tolerance: float) -> tuple[Flow, list[Float64]]:
    """Assign all demand at least cost, as far as the capacities can be kept.

    Parameters
    ----------
    flow : Flow
        Empty.
    demand : (n,) float64
        Demand of each unit.
    tolerance : float
        Overloads up to this count as none.

    Returns
    -------
    flow : Flow
        The plan; optimal where nothing is stuck.
    stuck : list of (m,) float64
        For each unit that keeps demand without a place, although there are sites it may go to:
        finite exactly where its demand could be shifted.
    """
    site = assign_nearest(flow.cost, demand, flow.price)
    balance(flow.cost, demand, flow.capacity, flow.price, site, VISITS)
    _assign(flow, demand, site)
    who, left = _overflow(flow, tolerance)
    if not who.size:
        return flow, []
    while place(flow, who, left, tolerance) == FULL:
        flow = grown(flow)
    stays = who[left > tolerance]
    stuck = [_reached(flow, int(i)) for i in dict.fromkeys(stays.tolist())]
    return flow, stuck


@njit(cache=True)
def _extent(cost: Floats) -> tuple[float, float, bool]:
    """Least and largest finite cost, and whether all are whole numbers."""
    low, high, parts = np.inf, -np.inf, 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            here = cost[i, j]
            parts += here != np.floor(here)
            low = min(low, here)
            high = max(high, here if here < np.inf else -np.inf)
    return low, high, parts == 0


def width(cost: Float64) -> type[np.floating[Any]]:
    """Return the kind of number in which the search may keep costs.

    Parameters
    ----------
    cost : (n, m) float64
        Costs, inf = not allowed.

    Returns
    -------
    type
        float32 where nothing is lost by it: all costs are whole numbers, and whatever sums of
        them along ways become, that of refusal included, is none beyond 2 ** 24. Else float64.
    """
    if not cost.size:
        return np.float64
    low, high, whole = _extent(cost)
    most = 3.0 * max(abs(low), abs(high)) + (high - low + 1.0) * (cost.shape[1] + 4)
    return np.float32 if whole and most <= 2.0**24 else np.float64


def price_of_refusal(cost: Float64) -> float:
    """Return a cost so high that refusing one unit of demand outweighs any chain of shifts.

    Parameters
    ----------
    cost : (n, m) float64
        Costs, inf = not allowed.

    Returns
    -------
    float
        A whole number.
    """
    finite = cost[np.isfinite(cost)]
    if not finite.size:
        return 1.0
    spread = float(finite.max() - finite.min())
    return float(np.ceil(abs(finite.max()) + (spread + 1.0) * (cost.shape[1] + 1)))


@njit(cache=True)
def paid(flow: Flow, unit: Int32, site: Int32, before: Float64) -> Float64:
    """Return what each entry costs; looked up only where it is not what it was before.

    Parameters
    ----------
    flow : Flow
        The assignment.
    unit, site : (k,) int32
        Entries of an assignment with the same costs, in the same places or fewer.
    before : (k,) float64
        What those cost.

    Returns
    -------
    (entries,) float64
        Cost of each entry's unit at its site; zero where there is none.
    """
    cost = np.zeros(flow.unit.size)
    for e in range(cost.size):
        i, j = flow.unit[e], flow.site[e]
        if e < before.size and unit[e] == i and site[e] == j:
            cost[e] = before[e]
        elif i >= 0:
            cost[e] = flow.cost[i, j]
    return cost


@njit(cache=True)
def _rows(flow: Flow, sites: int) -> tuple[Int32, Int32, Float64]:
    """Entries by unit and site, in compressed rows."""
    n = flow.own.size
    start = np.zeros(n + 1, dtype=np.int32)
    indices = np.empty(flow.unit.size - flow.free[1], dtype=np.int32)
    data = np.empty(indices.size)
    at = 0
    for i in range(n):
        e = flow.own[i]
        while e >= 0:
            if flow.site[e] < sites:
                to = at
                while to > start[i] and indices[to - 1] > flow.site[e]:
                    indices[to] = indices[to - 1]
                    data[to] = data[to - 1]
                    to -= 1
                indices[to] = flow.site[e]
                data[to] = flow.amount[e]
                at += 1
            e = flow.peer[e]
        start[i + 1] = at
    return start, indices[:at], data[:at]


def shares(flow: Flow, sites: int | None = None) -> csr_matrix:
    """Return the assignment as a sparse matrix.

    Parameters
    ----------
    flow : Flow
        The assignment.
    sites : int, optional
        How many of the sites, from the first; all by default.

    Returns
    -------
    csr_matrix
        (n, sites) amounts, sorted, without zeros.
    """
    n, m = flow.cost.shape
    many = m if sites is None else sites
    start, indices, data = _rows(flow, many)
    table = csr_matrix((data, indices, start), shape=(n, many))
    table.has_sorted_indices = True
    table.has_canonical_format = True
    return table


@njit(cache=True)
def least_priced(cost: Float64, price: Float64) -> Float64:
    """Find the least of cost plus price for every unit.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed; m above zero.
    price : (m,) float64
        Prices of the sites.

    Returns
    -------
    (n,) float64
        inf where no cost is finite.
    """
    n, m = cost.shape
    least = np.empty(n)
    sums = np.empty(m + 1)
    bits = read_whole(sums)
    for i in range(n):
        for j in range(m):
            sums[j] = cost[i, j] + price[j]
        least[i] = smallest(sums, bits, m)
    return least


def dual_value(cost: Float64, demand: Float64, capacity: Float64, price: Float64) -> float:
    """Return a lower bound on every plan from the prices of the sites alone.

    Any prices of zero or more give a valid bound: each unit pays at least its least cost plus
    price, and a site gives back its price for at most as many places as it has.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float64
        Demand of each unit.
    capacity : (m,) float64
        Places of each site.
    price : (m,) float64
        Prices; those below zero count as zero.

    Returns
    -------
    float
        The bound; inf where a unit with demand has no possible site.
    """
    price = np.maximum(price, 0.0)
    if not cost.size:
        return np.inf if (demand > 0).any() else 0.0
    least = least_priced(cost, price)
    some = demand > 0
    paid = price > 0
    return float((demand[some] * least[some]).sum() - (price[paid] * capacity[paid]).sum())
