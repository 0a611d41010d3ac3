"""What one more student, or one more place, is worth at every site, kept up to date.

``value[j]`` is the cost of the cheapest way out of site j, ``link[j]`` its next site (-1 where it
ends). Two kinds of ways:

- *away*: room is made at j by a student who goes on to a site with a free place, directly or by
  making room there in turn. The value is what one more student at j costs.
- not away: a place that falls free at j is taken by a student of another site, whose place is
  taken in turn. The value, never above zero, is minus what one more place at j saves.

Either way values only ever rise while students (places) are put in one after the other along
cheapest ways, and a step that can no longer be made spoils only the ways that lead over it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.holdings import STALE, Flow, look_up

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_UNKNOWN = -2  # a lower bound whose next site has not been asked for
_INFINITE = 0x7FF0000000000000  # the bits of inf
_POSITIVE = 0x7FFFFFFFFFFFFFFF


class Space(NamedTuple):
    """Work space of :func:`mend`, (m,) each, but for the last two.

    ``gone`` says in which turn a site lost its last way, -1 for those that have one; ``bits``
    is ``sums`` (m + 1) read as whole numbers.
    """

    mark: Int8
    lost: Int32
    last: Float64
    bound: Float64
    next_: Int32
    gone: Int32
    sums: Float64
    bits: Int64


@njit(cache=True)
def new_space(m: int) -> Space:
    """Return work space for so many sites.

    Parameters
    ----------
    m : int
        Number of sites.

    Returns
    -------
    Space
        Nothing in it.
    """
    sums = np.zeros(m + 1)
    return Space(
        np.zeros(m, dtype=np.int8),
        np.zeros(m, dtype=np.int32),
        np.zeros(m),
        np.zeros(m),
        np.zeros(m, dtype=np.int32),
        np.full(m, -1, dtype=np.int32),
        sums,
        sums.view(np.int64),
    )


@njit(cache=True)
def least(arcs: Float64, j: int, value: Float64, sums: Float64, bits: Int64) -> float:
    """Return the least sum of a row and the values.

    The bits of a number, those below zero turned over, are whole numbers in the same order;
    of these a processor finds the least several at a time, three times as fast.

    Parameters
    ----------
    arcs : (a, m) float64
        Numbers or inf.
    j : int
        Which row.
    value : (m,) float64
        Numbers or inf.
    sums : (m + 1,) float64
        Work space.
    bits : (m + 1,) int64
        The same memory.

    Returns
    -------
    float
        inf where no sum is finite.
    """
    m = value.size
    for k in range(m):
        sums[k] = arcs[j, k] + value[k]
    best = np.int64(_INFINITE)
    for k in range(m):
        here = bits[k]
        here = here ^ ((here >> np.int64(63)) & np.int64(_POSITIVE))
        best = here if here < best else best
    bits[m] = best ^ ((best >> np.int64(63)) & np.int64(_POSITIVE))
    return float(sums[m])


@njit(cache=True)
def where(arcs: Float64, j: int, value: Float64, best: float) -> int:
    """Return the first position where a row and the values sum to a number.

    Parameters
    ----------
    arcs : (a, m) float64
        Numbers or inf.
    j : int
        Which row.
    value : (m,) float64
        Numbers or inf.
    best : float
        As :func:`least` found it.

    Returns
    -------
    int
        -1 where there is none.
    """
    for k in range(value.size):
        if arcs[j, k] + value[k] == best:
            return k
    return -1


@njit(cache=True)
def reckon(flow: Flow, away: bool, tolerance: float, value: Float64, link: Int32) -> None:
    """Find all cheapest ways, helped by prices that prove the plan optimal.

    Parameters
    ----------
    flow : Flow
        The plan; stale steps are looked up in place.
    away : bool
        Kind of way.
    tolerance : float
        Free places up to this count as none.
    value, link
        (m,), written.
    """
    m = flow.load.size
    arcs = flow.shift if away else flow.back
    reverse = flow.back if away else flow.shift
    height = flow.price.copy() if away else -flow.price
    open_ = np.full(m, np.inf)  # lower bounds above the heights, of sites not settled
    next_ = np.full(m, -1, dtype=np.int32)
    settled = np.zeros(m, dtype=np.bool_)
    sums = np.empty(m + 1)
    bits = sums.view(np.int64)
    cost, shift, back, mover = flow.cost, flow.shift, flow.back, flow.mover
    unit, after, first = flow.unit, flow.after, flow.first
    value[:] = np.inf
    link[:] = -1
    for j in range(m):
        if not away or flow.capacity[j] - flow.load[j] > tolerance:
            open_[j] = max(0.0, -height[j])
    while True:
        k = -1
        low = np.inf
        for j in range(m):
            if open_[j] < low:
                low = open_[j]
                k = j
        if k < 0:
            break
        a = k if away else next_[k]
        b = next_[k] if away else k
        if next_[k] >= 0 and mover[a, b] == STALE:
            look_up(cost, shift, back, mover, unit, after, first, a, b)
            best = least(arcs, k, value, sums, bits)
            next_[k] = where(arcs, k, value, best) if best < np.inf else -1
            if not away and not best < 0.0:
                next_[k] = -1
                best = 0.0
            open_[k] = max(low, best - height[k])
            continue
        open_[k] = np.inf
        settled[k] = True
        link[k] = next_[k]
        value[k] = arcs[k, link[k]] + value[link[k]] if link[k] >= 0 else 0.0
        base = value[k]
        for j in range(m):
            here = max(low, reverse[k, j] + base - height[j])
            if here < open_[j] and not settled[j]:
                open_[j] = here
                next_[j] = k


@njit(cache=True)
def prove(flow: Flow, value: Float64, space: Space) -> None:
    """Set the prices to the values away, and beyond all others where no way is left.

    Parameters
    ----------
    flow : Flow
        Its prices are changed in place; those of sites without a way were true when they
        lost it.
    value : (m,) float64
        Values of the ways.
    space : Space
        Who lost the last way when.
    """
    m = value.size
    gone = space.gone
    for j in range(m):
        if gone[j] < 0:
            flow.price[j] = value[j]
    # whoever lost it later may still go to those who lost it before, never the other way round
    for turn in range(gone.max(), -1, -1):
        more = 0.0
        for k in range(m):
            if gone[k] == turn:
                for j in range(m):
                    if gone[j] < 0 or gone[j] > turn:
                        more = max(more, flow.price[j] - flow.shift[j, k] - flow.price[k])
        for k in range(m):
            if gone[k] == turn:
                flow.price[k] += more


@njit(cache=True)
def _behind(link: Int32, seeds: Int32, count: int, mark: Int8, lost: Int32) -> int:
    """List the sites whose ways lead over the first so many seeds; mark them with 1."""
    mark[:] = 0
    for a in range(count):
        mark[seeds[a]] = 1
    size = 0
    for j in range(link.size):
        k = j
        while mark[k] == 0 and link[k] >= 0:
            k = link[k]
        kind = 1 if mark[k] == 1 else 2
        k = j
        while mark[k] == 0:
            mark[k] = kind
            if link[k] < 0:
                break
            k = link[k]
        if mark[j] == 1:
            lost[size] = j
            size += 1
    return size


@njit(cache=True)
def mend(
    flow: Flow,
    away: bool,
    seeds: Int32,
    count: int,
    value: Float64,
    link: Int32,
    space: Space,
) -> None:
    """Find new ways for sites that have lost theirs, and for those whose ways led over them.

    Sites are taken in the order in which their values rise. Once the seeds have new ways all
    others keep theirs: they rise as much as the last seed.

    Parameters
    ----------
    flow : Flow
        The plan; stale steps are looked up in place.
    away : bool
        Kind of way.
    seeds : (m,) int32
        Sites whose first step is gone, the first ``count`` of them.
    count : int
        How many.
    value, link
        (m,) ways before, changed in place.
    space : Space
        Work space.
    """
    mark, lost, last, bound, next_, gone, sums, bits = space
    cost, shift, back, mover = flow.cost, flow.shift, flow.back, flow.mover
    unit, after, first = flow.unit, flow.after, flow.first
    arcs = shift if away else back
    root = np.inf if away else 0.0
    left = _behind(link, seeds, count, mark, lost)
    for a in range(left):
        j = lost[a]
        last[j] = value[j]
        value[j] = np.inf
        next_[j] = _UNKNOWN
    for a in range(count):
        mark[seeds[a]] = 3
    for a in range(left):
        bound[lost[a]] = min(root, least(arcs, lost[a], value, sums, bits))
    rise = np.inf
    at = -1
    while count > 0:
        if at < 0:
            rise = np.inf
            for a in range(left):
                here = bound[lost[a]] - last[lost[a]]
                if here < rise:
                    rise = here
                    at = a
            if at < 0:
                break
        k = lost[at]
        if next_[k] == _UNKNOWN:
            next_[k] = where(arcs, k, value, bound[k]) if bound[k] < root else -1
        a = k if away else next_[k]
        b = next_[k] if away else k
        if next_[k] >= 0 and mover[a, b] == STALE:
            look_up(cost, shift, back, mover, unit, after, first, a, b)
            bound[k] = min(root, least(arcs, k, value, sums, bits))
            next_[k] = _UNKNOWN
            at = -1
            continue
        left -= 1
        lost[at] = lost[left]
        value[k] = bound[k]
        link[k] = next_[k]
        count -= mark[k] == 3
        at = -1
        for a in range(left):
            j = lost[a]
            here = arcs[j, k] + value[k]  # these rows have just been read
            if here < bound[j]:
                bound[j] = here
                next_[j] = k
            if bound[j] - last[j] <= rise:  # none rises less: the next one
                at = a
    for a in range(left):
        value[lost[a]] = last[lost[a]] + rise
    if rise == np.inf and left > 0:
        turn = gone.max() + 1
        for a in range(left):
            j = lost[a]
            link[j] = -1
            gone[j] = turn
            flow.price[j] = last[j]  # still proves what is among them
