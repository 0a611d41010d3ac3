"""Who holds whose places: an assignment in progress as arrays that compiled loops change."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.lean import lean

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[Any]

NONE = -1  # no unit can make this shift
STALE = -2  # the value is a lower bound, the unit has to be looked up again
SPARES = 8  # units kept as next to the cheapest of each shift
MANY = 100  # units a site from which on they are


class Flow(NamedTuple):
    """Arrays of an assignment in progress; kernels change them in place.

    Amounts are kept as entries (unit, site, amount): a list by site (both directions) and one
    by unit. ``shift[j, k]`` is the cheapest shift from j to k, ``back[k, j]`` the same, and
    ``mover[j, k]`` its unit. ``spare[j, k]`` are the units that come next to it, cheapest first,
    -1 = no more; some may have left since. No other unit makes the shift for less than
    ``rest[j, k]``. Where sites hold few units each, looking at all is as fast: no spares then.
    """

    cost: Floats
    capacity: Float64
    load: Float64
    price: Float64
    shift: Floats
    back: Floats
    mover: Int32
    spare: Int32
    rest: Floats
    unit: Int32
    site: Int32
    amount: Float64
    after: Int32
    before: Int32
    peer: Int32
    first: Int32
    own: Int32
    free: Int32


def new_flow(cost: Floats, capacity: Float64) -> Flow:
    """Return an empty assignment with all prices zero.

    Parameters
    ----------
    cost : (n, m) float32 or float64
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
        shift=np.full((m, m), np.inf, dtype=cost.dtype),
        back=np.full((m, m), np.inf, dtype=cost.dtype),
        mover=np.full((m, m), NONE, dtype=np.int32),
        spare=np.full((m, m, SPARES if n > MANY * m else 0), NONE, dtype=np.int32),
        rest=np.full((m, m), np.inf, dtype=cost.dtype),
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


def in_width(flow: Flow, kind: type[np.floating[Any]]) -> Flow:
    """Return the same assignment with its costs kept in another kind of number.

    Parameters
    ----------
    flow : Flow
        An assignment.
    kind : type
        float32 or float64.

    Returns
    -------
    Flow
        The same where that is its kind already.
    """
    if flow.shift.dtype == kind:
        return flow
    return flow._replace(
        cost=flow.cost.astype(kind),
        shift=flow.shift.astype(kind),
        back=flow.back.astype(kind),
        rest=flow.rest.astype(kind),
    )


def with_site(flow: Flow, cost: Floats, capacity: float) -> Flow:
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
    shift, mover = (
        np.full((m + 1, m + 1), np.inf, dtype=flow.shift.dtype),
        np.full((m + 1, m + 1), NONE, dtype=np.int32),
    )
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
        spare=np.full((m + 1, m + 1, flow.spare.shape[2]), NONE, dtype=np.int32),
        rest=shift.copy(),
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


@lean
def put(flow: Flow, i: int, j: int, more: float) -> None:
    """Assign an amount of unit i to site j.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    i, j : int
        Unit and site.
    more : float
        Above zero.
    """
    cost, shift, mover, rest = flow.cost, flow.shift, flow.mover, flow.rest
    flow.load[j] += more
    e = flow.own[i]
    while e >= 0:
        if flow.site[e] == j:
            flow.amount[e] += more
            return
        e = flow.peer[e]
    enter(flow, i, j, more)
    here = cost[i, j]
    spares = flow.spare.shape[2] > 0
    if spares:
        for k in range(cost.shape[1]):
            value = cost[i, k] - here
            rest[j, k] = value if (value < rest[j, k]) & (value >= shift[j, k]) else rest[j, k]
    cheaper = 0
    for k in range(cost.shape[1]):  # no branches: several at a time
        cheaper += cost[i, k] - here < shift[j, k]
    if cheaper == 0:
        return
    for k in range(cost.shape[1]):
        value = cost[i, k] - here
        if value < shift[j, k]:
            if spares:
                _step_back(flow, j, k)
            shift[j, k] = value
            flow.back[k, j] = value
            mover[j, k] = i
            cheaper -= 1
            if cheaper == 0:
                return


@lean
def enter(flow: Flow, i: int, j: int, amount: float) -> None:
    """Make an entry in the lists.

    Parameters
    ----------
    flow : Flow
        Changed in place, loads and shifts excepted.
    i, j : int
        Unit and site, without an entry so far.
    amount : float
        Above zero.
    """
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


@lean
def _step_back(flow: Flow, j: int, k: int) -> None:
    """Make the unit that shifts from j to k the first of the spares."""
    i = flow.mover[j, k]
    if i < 0:
        return
    last = flow.spare.shape[2] - 1
    if flow.spare[j, k, last] >= 0:  # it drops out; what comes before it is as cheap or cheaper
        u = flow.spare[j, k, last - 1]
        flow.rest[j, k] = min(flow.rest[j, k], flow.cost[u, k] - flow.cost[u, j])
    for at in range(last, 0, -1):
        flow.spare[j, k, at] = flow.spare[j, k, at - 1]
    flow.spare[j, k, 0] = i


@lean
def pull(flow: Flow, i: int, j: int, less: float) -> None:
    """Take an amount of unit i away from site j, where at least that much is assigned.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    i, j : int
        Unit and site.
    less : float
        Above zero.
    """
    own, peer, after, before, mover = flow.own, flow.peer, flow.after, flow.before, flow.mover
    flow.load[j] -= less
    last = -1
    e = own[i]
    while flow.site[e] != j:
        last = e
        e = peer[e]
    flow.amount[e] -= less
    if flow.amount[e] > 0.0:
        return
    if last < 0:
        own[i] = peer[e]
    else:
        peer[last] = peer[e]
    if before[e] < 0:
        flow.first[j] = after[e]
    else:
        after[before[e]] = after[e]
    if after[e] >= 0:
        before[after[e]] = before[e]
    flow.unit[e] = -1
    flow.site[e] = -1
    after[e] = flow.free[0]
    flow.free[0] = e
    flow.free[1] += 1
    stale = np.int32(STALE)
    for k in range(mover.shape[1]):
        mover[j, k] = stale if mover[j, k] == i else mover[j, k]


@lean
def look_up(flow: Flow, j: int, k: int) -> None:
    """Find the cheapest shift from j to k again.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    j, k : int
        Sites.
    """
    cost, spare, rest = flow.cost, flow.spare, flow.rest
    keep = spare.shape[2]
    while keep > 0 and spare[j, k, 0] >= 0:
        u = spare[j, k, 0]
        for at in range(1, keep):
            spare[j, k, at - 1] = spare[j, k, at]
        spare[j, k, keep - 1] = NONE
        e = flow.own[u]
        while e >= 0 and flow.site[e] != j:
            e = flow.peer[e]
        value = cost[u, k] - cost[u, j]
        if value > rest[j, k]:
            break
        if e >= 0:
            flow.shift[j, k] = value
            flow.back[k, j] = value
            flow.mover[j, k] = u
            return
    if keep > 0:
        _list(flow, j, k)
        return
    best = cost.dtype.type(np.inf)
    who = NONE
    e = flow.first[j]
    while e >= 0:
        i = flow.unit[e]
        value = cost[i, k] - cost[i, j]
        if value < best:
            best = value
            who = i
        e = flow.after[e]
    flow.shift[j, k] = best
    flow.back[k, j] = best
    flow.mover[j, k] = who


@lean
def _list(flow: Flow, j: int, k: int) -> None:
    """Find the cheapest shift from j to k and the units that come next."""
    cost, spare = flow.cost, flow.spare
    keep = spare.shape[2]
    best = worst = cost.dtype.type(np.inf)
    who = NONE
    count = 0
    e = flow.first[j]
    while e >= 0:
        i = flow.unit[e]
        value = cost[i, k] - cost[i, j]
        if value < worst:
            if value < best:
                best, value = value, best
                who, i = i, who
            if i >= 0:
                at = min(count, keep - 1)
                while at > 0:
                    u = spare[j, k, at - 1]
                    if cost[u, k] - cost[u, j] <= value:
                        break
                    spare[j, k, at] = u
                    at -= 1
                spare[j, k, at] = i
                count = min(count + 1, keep)
                if count == keep:
                    u = spare[j, k, keep - 1]
                    worst = cost[u, k] - cost[u, j]
        e = flow.after[e]
    for at in range(count, keep):
        spare[j, k, at] = NONE
    flow.rest[j, k] = worst
    flow.shift[j, k] = best
    flow.back[k, j] = best
    flow.mover[j, k] = who
