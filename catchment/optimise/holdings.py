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
    by unit. ``shift[j, k]`` is the cheapest shift from j to k, ``back[k, j]`` the same, and
    ``mover[j, k]`` its unit.
    """

    cost: Float64
    capacity: Float64
    load: Float64
    price: Float64
    shift: Float64
    back: Float64
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
        back=np.full((m, m), np.inf),
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


def with_site(flow: Flow, cost: Float64, capacity: float) -> Flow:
    """Return the same assignment with one more site before the last, empty and too dear to go to.

    Parameters
    ----------
    flow : Flow
        Optimal for its prices.
    cost : (n, m + 1) float64
        Costs with the new site in the column before the last.
    capacity : float
        Its places.

    Returns
    -------
    Flow
        Optimal for its prices but for the free places of the new site.
    """
    m = flow.load.size
    at = m - 1
    used = np.flatnonzero(flow.unit >= 0)
    unit, site = flow.unit[used], flow.site[used]
    column = cost[:, at]
    change = column[unit] - flow.cost[unit, site]
    order = np.lexsort((change, site))  # the cheapest of each site first
    first = order[np.unique(site[order], return_index=True)[1]]
    shift, mover = np.full((m + 1, m + 1), np.inf), np.full((m + 1, m + 1), NONE, dtype=np.int32)
    kept = np.delete(np.arange(m + 1), at)
    shift[np.ix_(kept, kept)], mover[np.ix_(kept, kept)] = flow.shift, flow.mover
    come = first[np.isfinite(change[first])]
    origin = kept[site[come]]
    shift[origin, at], mover[origin, at] = change[come], unit[come]
    enough = flow.price[site[come]] - change[come]
    moved = flow.site.copy()
    moved[used] = kept[site]
    return flow._replace(
        cost=cost,
        capacity=np.insert(flow.capacity, at, capacity),
        load=np.insert(flow.load, at, 0.0),
        price=np.insert(flow.price, at, max(0.0, float(enough.max(initial=0.0)))),
        shift=shift,
        back=shift.T.copy(),
        mover=mover,
        unit=flow.unit.copy(),
        site=moved,
        amount=flow.amount.copy(),
        after=flow.after.copy(),
        before=flow.before.copy(),
        peer=flow.peer.copy(),
        first=np.insert(flow.first, at, np.int32(-1)),
        own=flow.own.copy(),
        free=flow.free.copy(),
    )


@njit(cache=True)
def put(
    cost: Float64,
    load: Float64,
    shift: Float64,
    back: Float64,
    mover: Int32,
    unit: Int32,
    site: Int32,
    amount: Float64,
    after: Int32,
    before: Int32,
    peer: Int32,
    first: Int32,
    own: Int32,
    free: Int32,
    i: int,
    j: int,
    more: float,
) -> None:
    """Assign an amount of unit i to site j; the arrays are given one by one.

    Each array taken out of a tuple counts a reference, which would cost more than the work.

    Parameters
    ----------
    cost, load, shift, back, mover, unit, site, amount, after, before, peer, first, own, free
        As in :class:`Flow`, changed in place.
    i, j : int
        Unit and site.
    more : float
        Above zero.
    """
    load[j] += more
    e = own[i]
    while e >= 0:
        if site[e] == j:
            amount[e] += more
            return
        e = peer[e]
    e = free[0]
    free[0] = after[e]
    free[1] -= 1
    unit[e] = i
    site[e] = j
    amount[e] = more
    peer[e] = own[i]
    own[i] = e
    head = first[j]
    after[e] = head
    before[e] = -1
    if head >= 0:
        before[head] = e
    first[j] = e
    here = cost[i, j]
    cheaper = 0
    for k in range(cost.shape[1]):  # no branches: several at a time
        cheaper += cost[i, k] - here < shift[j, k]
    if cheaper == 0:
        return
    for k in range(cost.shape[1]):
        value = cost[i, k] - here
        if value < shift[j, k]:
            shift[j, k] = value
            back[k, j] = value
            mover[j, k] = i
            cheaper -= 1
            if cheaper == 0:
                return


@njit(cache=True)
def pull(
    load: Float64,
    mover: Int32,
    unit: Int32,
    site: Int32,
    amount: Float64,
    after: Int32,
    before: Int32,
    peer: Int32,
    first: Int32,
    own: Int32,
    free: Int32,
    i: int,
    j: int,
    less: float,
) -> None:
    """Take an amount of unit i away from site j: :func:`take` for loops.

    Parameters
    ----------
    load, mover, unit, site, amount, after, before, peer, first, own, free
        As in :class:`Flow`, changed in place.
    i, j : int
        Unit and site.
    less : float
        Above zero, at most what is assigned.
    """
    load[j] -= less
    last = -1
    e = own[i]
    while site[e] != j:
        last = e
        e = peer[e]
    amount[e] -= less
    if amount[e] > 0.0:
        return
    if last < 0:
        own[i] = peer[e]
    else:
        peer[last] = peer[e]
    if before[e] < 0:
        first[j] = after[e]
    else:
        after[before[e]] = after[e]
    if after[e] >= 0:
        before[after[e]] = before[e]
    unit[e] = -1
    site[e] = -1
    after[e] = free[0]
    free[0] = e
    free[1] += 1
    stale = np.int32(STALE)
    for k in range(mover.shape[1]):
        mover[j, k] = stale if mover[j, k] == i else mover[j, k]


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
    pull(
        flow.load,
        flow.mover,
        flow.unit,
        flow.site,
        flow.amount,
        flow.after,
        flow.before,
        flow.peer,
        flow.first,
        flow.own,
        flow.free,
        i,
        j,
        amount,
    )


@njit(cache=True)
def look_up(
    cost: Float64,
    shift: Float64,
    back: Float64,
    mover: Int32,
    unit: Int32,
    after: Int32,
    first: Int32,
    j: int,
    k: int,
) -> None:
    """Find the cheapest shift from j to k again.

    Parameters
    ----------
    cost, shift, back, mover, unit, after, first
        As in :class:`Flow`, changed in place.
    j, k : int
        Sites.
    """
    best = np.inf
    who = NONE
    e = first[j]
    while e >= 0:
        i = unit[e]
        value = cost[i, k] - cost[i, j]
        if value < best:
            best = value
            who = i
        e = after[e]
    shift[j, k] = best
    back[k, j] = best
    mover[j, k] = who
