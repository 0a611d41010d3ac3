"""Who holds whose places: an assignment in progress as arrays that compiled loops change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

NONE = -1  # no unit can make this shift
STALE = -2  # the value is a lower bound, the unit has to be looked up again


class Flow(NamedTuple):
    """Arrays of an assignment in progress; kernels change them in place.

    Amounts are kept as entries (unit, site, amount): a list by site (both directions) and one
    by unit. ``shift[j, k]`` is the cheapest shift from j to k and ``mover[j, k]`` its unit.
    """

    cost: Float64
    capacity: Float64
    load: Float64
    price: Float64
    shift: Float64
    mover: Int32
    unit: Int32
    site: Int32
    amount: Float64
    after: Int32
    before: Int32
    peer: Int32
    first: Int32
    own: Int32
    free: Int32


def new_flow(cost: Float64, capacity: Float64) -> Flow:
    """Return an empty assignment with all prices zero.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    capacity : (m,) float64
        Places of each site.

    Returns
    -------
    Flow
        Nothing assigned yet.
    """
    n, m = cost.shape
    size = n + 8 * m + 64
    chain = np.arange(1, size + 1, dtype=np.int32)
    chain[-1] = -1
    return Flow(
        cost=cost,
        capacity=capacity.copy(),
        load=np.zeros(m),
        price=np.zeros(m),
        shift=np.full((m, m), np.inf),
        mover=np.full((m, m), NONE, dtype=np.int32),
        unit=np.full(size, -1, dtype=np.int32),
        site=np.full(size, -1, dtype=np.int32),
        amount=np.zeros(size),
        after=chain,
        before=np.full(size, -1, dtype=np.int32),
        peer=np.full(size, -1, dtype=np.int32),
        first=np.full(m, -1, dtype=np.int32),
        own=np.full(n, -1, dtype=np.int32),
        free=np.array([0, size], dtype=np.int32),
    )


def grown(flow: Flow) -> Flow:
    """Return the same assignment with twice the room for entries.

    Parameters
    ----------
    flow : Flow
        An assignment whose entries are used up.

    Returns
    -------
    Flow
        The same, larger.
    """
    size = flow.unit.size

    def longer(old: Int32) -> Int32:
        return np.concatenate([old, np.full(size, -1, dtype=np.int32)])

    after = longer(flow.after)
    after[size:-1] = np.arange(size + 1, 2 * size, dtype=np.int32)
    after[-1] = flow.free[0]
    return flow._replace(
        unit=longer(flow.unit),
        site=longer(flow.site),
        amount=np.concatenate([flow.amount, np.zeros(size)]),
        after=after,
        before=longer(flow.before),
        peer=longer(flow.peer),
        free=np.array([size, flow.free[1] + size], dtype=np.int32),
    )


@njit(cache=True)
def add(flow: Flow, i: int, j: int, amount: float) -> None:
    """Assign an amount of unit i to site j.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    i, j : int
        Unit and site.
    amount : float
        Above zero.
    """
    flow.load[j] += amount
    e = flow.own[i]
    while e >= 0:
        if flow.site[e] == j:
            flow.amount[e] += amount
            return
        e = flow.peer[e]
    e = flow.free[0]
    flow.free[0] = flow.after[e]
    flow.free[1] -= 1
    flow.unit[e] = i
    flow.site[e] = j
    flow.amount[e] = amount
    flow.peer[e] = flow.own[i]
    flow.own[i] = e
    head = flow.first[j]
    flow.after[e] = head
    flow.before[e] = -1
    if head >= 0:
        flow.before[head] = e
    flow.first[j] = e
    here = flow.cost[i, j]
    for k in range(flow.cost.shape[1]):
        value = flow.cost[i, k] - here
        if value < flow.shift[j, k]:
            flow.shift[j, k] = value
            flow.mover[j, k] = i


@njit(cache=True)
def take(flow: Flow, i: int, j: int, amount: float) -> None:
    """Take an amount of unit i away from site j, where at least that much is assigned.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    i, j : int
        Unit and site.
    amount : float
        Above zero.
    """
    flow.load[j] -= amount
    last = -1
    e = flow.own[i]
    while flow.site[e] != j:
        last = e
        e = flow.peer[e]
    flow.amount[e] -= amount
    if flow.amount[e] > 0.0:
        return
    if last < 0:
        flow.own[i] = flow.peer[e]
    else:
        flow.peer[last] = flow.peer[e]
    if flow.before[e] < 0:
        flow.first[j] = flow.after[e]
    else:
        flow.after[flow.before[e]] = flow.after[e]
    if flow.after[e] >= 0:
        flow.before[flow.after[e]] = flow.before[e]
    flow.unit[e] = -1
    flow.site[e] = -1
    flow.after[e] = flow.free[0]
    flow.free[0] = e
    flow.free[1] += 1
    for k in range(flow.mover.shape[1]):
        if flow.mover[j, k] == i:
            flow.mover[j, k] = STALE


@njit(cache=True)
def held(flow: Flow, i: int, j: int) -> float:
    """Return the amount of unit i at site j.

    Parameters
    ----------
    flow : Flow
        The assignment.
    i, j : int
        Unit and site.

    Returns
    -------
    float
        Zero where nothing is assigned.
    """
    e = flow.own[i]
    while e >= 0:
        if flow.site[e] == j:
            return float(flow.amount[e])
        e = flow.peer[e]
    return 0.0


@njit(cache=True)
def look_up(flow: Flow, j: int, k: int) -> None:
    """Find the cheapest shift from j to k again.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    j, k : int
        Sites.
    """
    best = np.inf
    who = NONE
    e = flow.first[j]
    while e >= 0:
        i = flow.unit[e]
        value = flow.cost[i, k] - flow.cost[i, j]
        if value < best:
            best = value
            who = i
        e = flow.after[e]
    flow.shift[j, k] = best
    flow.mover[j, k] = who
