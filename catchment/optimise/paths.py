"""Students put in, and places filled, along cheapest paths of shifts; the plan stays optimal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.holdings import STALE, Floats, Flow, pull, put
from catchment.optimise.lean import lean
from catchment.optimise.ways import Space, least, mend, new_space, prove, reckon, where

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

DONE, FULL = 0, 1


@njit(cache=True)
def place(flow: Flow, who: Int32, left: Float64, tolerance: float) -> int:
    """Put amounts of units in, one after the other, each along the cheapest path.

    Parameters
    ----------
    flow : Flow
        Prices prove it optimal for what is in it, nothing overloaded; changed in place.
    who : (k,) int32
        Units.
    left : (k,) float64
        Their amounts; what is put in is taken off in place, what stays finds no place at all.
    tolerance : float
        Free places up to this count as none (zero for whole numbers).

    Returns
    -------
    int
        ``DONE``; ``FULL`` (make room for entries, call again).
    """
    m = flow.load.size
    value = np.empty(m, flow.shift.dtype)
    link = np.empty(m, dtype=np.int32)
    reckon(flow, True, tolerance, value, link)
    space = new_space(flow.shift)
    space.gone[value == np.inf] = 0
    seeds = np.empty(m, dtype=np.int32)
    chain = np.empty(m, dtype=np.int32)
    code = _place(flow, who, left, tolerance, value, link, space, seeds, chain)
    prove(flow, value, space)
    return int(code)


@lean
def _place(
    flow: Flow,
    who: Int32,
    left: Float64,
    tolerance: float,
    value: Floats,
    link: Int32,
    space: Space,
    seeds: Int32,
    chain: Int32,
) -> int:
    """Put amounts in, the ways being known: the loop of :func:`place`."""
    dust = 0.1 * tolerance
    load, capacity, mover = flow.load, flow.capacity, flow.mover
    for at in range(who.size):
        i = who[at]
        while left[at] > 0.0:
            if flow.free[1] < load.size + 2:
                return FULL
            best = least(flow.cost, i, value, space.sums, space.bits)
            if best == np.inf:
                break
            k = where(flow.cost, i, value, best)
            amount, size = _room(flow, link, i, k, left[at], chain)
            end = link[chain[size - 1]] if size else k
            amount = min(amount, capacity[end] - load[end])
            if left[at] - amount <= dust:  # no crumbs of rounding stay behind
                amount = left[at]
            count = 0
            to = end
            for a in range(size - 1, -1, -1):
                j = chain[a]
                goes = mover[j, link[j]]
                if goes == (mover[chain[a - 1], j] if a > 0 else i):
                    continue  # it comes here and goes on: one shift
                _shift(flow, goes, j, to, amount, dust)
                if mover[j, link[j]] == STALE:
                    seeds[count] = j
                    count += 1
                to = j
            put(flow, i, to, amount)
            if not capacity[end] - load[end] > tolerance:
                seeds[count] = end
                count += 1
            left[at] -= amount
            if count:
                mend(flow, True, seeds, count, value, link, space)
    return DONE


@njit(cache=True)
def draw(flow: Flow, target: int, tolerance: float, cheap: float) -> int:
    """Fill free places of a site that has a price, as far as that saves cost.

    Parameters
    ----------
    flow : Flow
        Prices prove it optimal but for the free places; changed in place.
    target : int
        The site.
    tolerance : float
        Free places up to this count as none.
    cheap : float
        Savings up to this count as none (zero for whole numbers).

    Returns
    -------
    int
        ``DONE``; ``FULL`` (make room for entries, call again).
    """
    m = flow.load.size
    value = np.empty(m, flow.shift.dtype)
    link = np.empty(m, dtype=np.int32)
    reckon(flow, False, tolerance, value, link)
    space = new_space(flow.shift)
    seeds = np.empty(m, dtype=np.int32)
    code = _draw(flow, target, tolerance, cheap, value, link, space, seeds)
    for j in range(m):
        flow.price[j] = -value[j]
    if flow.capacity[target] - flow.load[target] > tolerance:
        flow.price[target] = 0.0
    return int(code)


@lean
def _draw(
    flow: Flow,
    target: int,
    tolerance: float,
    cheap: float,
    value: Floats,
    link: Int32,
    space: Space,
    seeds: Int32,
) -> int:
    """Fill free places, the ways being known: the loop of :func:`draw`."""
    load, capacity, mover = flow.load, flow.capacity, flow.mover
    m = load.size
    dust = 0.1 * tolerance
    while capacity[target] - load[target] > tolerance and -value[target] > cheap:
        if flow.free[1] < m + 2:
            return FULL
        amount = capacity[target] - load[target]
        j = target
        while link[j] >= 0:
            k = link[j]
            if link[k] < 0 or mover[link[k], k] != mover[k, j]:
                amount = min(amount, flow.amount[_entry(flow, mover[k, j], k)])
            j = k
        count = 0
        j = target
        to = target
        while link[j] >= 0:
            k = link[j]
            if link[k] >= 0 and mover[link[k], k] == mover[k, j]:
                j = k  # it comes here and goes on: one shift
                continue
            _shift(flow, mover[k, j], k, to, amount, dust)
            if mover[k, j] == STALE:
                for other in range(m):  # the same unit may have been the way of several sites
                    if link[other] == k and mover[k, other] == STALE:
                        seeds[count] = other
                        count += 1
            j = k
            to = k
        if count:
            mend(flow, False, seeds, count, value, link, space)
    return DONE


@njit(cache=True)
def worth(flow: Flow, away: bool, tolerance: float) -> tuple[Float64, Int32]:
    """Say what one more student, or one more place, changes at every site of an optimal plan.

    Parameters
    ----------
    flow : Flow
        Optimal; stale steps are looked up in place.
    away : bool
        One more student; else one more place.
    tolerance : float
        Free places up to this count as none.

    Returns
    -------
    change : (m,) float64
        Change of the total cost; inf where nobody can go away.
    end : (m,) int32
        Site that gets the student on, or from which one leaves, at the end of the way.
    """
    m = flow.load.size
    value = np.empty(m, flow.shift.dtype)
    link = np.empty(m, dtype=np.int32)
    reckon(flow, away, tolerance, value, link)
    end = np.empty(m, dtype=np.int32)
    for j in range(m):
        k = j
        while link[k] >= 0:
            k = link[k]
        end[j] = k
    return value, end


@lean
def _room(
    flow: Flow, link: Int32, coming: int, start: int, most: float, chain: Int32
) -> tuple[float, int]:
    """List the sites on the way from a start, but the last; say how much can go along it."""
    amount = most
    size = 0
    j = start
    while link[j] >= 0:
        chain[size] = j
        size += 1
        goes = flow.mover[j, link[j]]
        if goes != coming:  # who only passes through need not be there yet
            amount = min(amount, flow.amount[_entry(flow, goes, j)])
        coming = goes
        j = link[j]
    return amount, size


@lean
def _entry(flow: Flow, i: int, j: int) -> int:
    """Where unit i at site j stands among the entries."""
    e = flow.own[i]
    while flow.site[e] != j:
        e = flow.peer[e]
    return int(e)


@lean
def _shift(flow: Flow, i: int, j: int, k: int, amount: float, dust: float) -> None:
    """Shift an amount of unit i from site j to site k, all where only dust would stay."""
    here = flow.amount[_entry(flow, i, j)]
    part = here if here - amount <= dust else amount
    pull(flow, i, j, part)
    put(flow, i, k, part)
