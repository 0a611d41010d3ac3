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

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from numba.extending import overload

from catchment.optimise.holdings import STALE, Flow, look_up
from catchment.optimise.lean import lean

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[Any]
Ints = npt.NDArray[Any]

_UNKNOWN = -2  # a lower bound whose next site has not been asked for
_INFINITE = 0x7FF0000000000000  # the bits of inf
_POSITIVE = 0x7FFFFFFFFFFFFFFF
_INFINITE_32 = 0x7F800000
_POSITIVE_32 = 0x7FFFFFFF


class Space(NamedTuple):
    """Work space of :func:`mend`, (m,) each, but for the last four.

    ``gone`` says in which turn a site lost its last way, -1 for those that have one; ``bits``
    is ``sums`` (m + 1) read as whole numbers, ``order`` is ``gap`` (m + 1) read so.
    """

    mark: Int8
    lost: Int32
    last: Floats
    bound: Floats
    next_: Int32
    gone: Int32
    sums: Floats
    bits: Ints
    gap: Floats
    order: Ints


@njit(cache=True)
def new_space(shift: Floats) -> Space:
    """Return work space for a graph of sites.

    Parameters
    ----------
    shift : (m, m) float
        Its arcs; numbers are kept in the same width.

    Returns
    -------
    Space
        Nothing in it.
    """
    m = shift.shape[0]
    sums = np.zeros(m + 1, shift.dtype)
    gap = np.zeros(m + 1, shift.dtype)
    return Space(
        np.zeros(m, dtype=np.int8),
        np.zeros(m, dtype=np.int32),
        np.zeros(m, shift.dtype),
        np.zeros(m, shift.dtype),
        np.zeros(m, dtype=np.int32),
        np.full(m, -1, dtype=np.int32),
        sums,
        read_whole(sums),
        gap,
        read_whole(gap),
    )


def read_whole(numbers: Floats) -> Ints:
    """Return the memory of numbers as whole numbers of the same width.

    Parameters
    ----------
    numbers : (a,) float
        Of 4 or of 8 bytes.

    Returns
    -------
    (a,) int
        The same memory.
    """
    return numbers.view(np.int32 if numbers.itemsize == 4 else np.int64)


@overload(read_whole)
def _read_whole(numbers: Any) -> Any:
    def of_four(numbers: Any) -> Any:
        return numbers.view(np.int32)

    def of_eight(numbers: Any) -> Any:
        return numbers.view(np.int64)

    return of_four if numbers.dtype.bitwidth == 32 else of_eight


@lean
def smallest(numbers: Floats, bits: Ints, size: int) -> float:
    """Return the least of the first so many numbers.

    The bits of a number, those below zero turned over, are whole numbers in the same order;
    of these a processor finds the least several at a time, three times as fast.

    Parameters
    ----------
    numbers : (a,) float
        Numbers or inf; what stands after the last is overwritten.
    bits : (a,) int
        The same memory.
    size : int
        How many, fewer than there are.

    Returns
    -------
    float
        inf where none is finite.
    """
    if numbers.itemsize == 4:
        low = np.int32(_INFINITE_32)
        for k in range(size):
            # np.int32 again and again: compiled sums of whole numbers are 8 bytes wide otherwise
            turn = np.int32(np.int32(bits[k] >> 31) & np.int32(_POSITIVE_32))
            here = np.int32(bits[k] ^ turn)
            low = here if here < low else low
        bits[size] = np.int32(low ^ np.int32(np.int32(low >> 31) & np.int32(_POSITIVE_32)))
    else:
        best = np.int64(_INFINITE)
        for k in range(size):
            value = np.int64(bits[k])
            value = value ^ ((value >> np.int64(63)) & np.int64(_POSITIVE))
            best = value if value < best else best
        bits[size] = best ^ ((best >> np.int64(63)) & np.int64(_POSITIVE))
    return float(numbers[size])


@lean
def position(numbers: Floats, size: int, wanted: float) -> int:
    """Return where a number first stands among the first so many.

    Parameters
    ----------
    numbers : (a,) float
        Numbers or inf.
    size : int
        How many.
    wanted : float
        One of them.

    Returns
    -------
    int
        ``size`` where it does not stand.
    """
    at = np.int32(size)
    for k in range(size):  # to the end: several at a time
        here = np.int32(k) if numbers[k] == wanted else np.int32(size)
        at = here if here < at else at
    return int(at)


@lean
def least(arcs: Floats, j: int, value: Floats, sums: Floats, bits: Ints) -> float:
    """Return the least sum of a row and the values.

    Parameters
    ----------
    arcs : (a, m) float
        Numbers or inf.
    j : int
        Which row.
    value : (m,) float
        Numbers or inf.
    sums : (m + 1,) float
        Work space; the sums, on return.
    bits : (m + 1,) int
        The same memory.

    Returns
    -------
    float
        inf where no sum is finite.
    """
    m = value.size
    for k in range(m):
        sums[k] = arcs[j, k] + value[k]
    return smallest(sums, bits, m)


@lean
def where(arcs: Floats, j: int, value: Floats, best: float) -> int:
    """Return the first position where a row and the values sum to a number.

    Parameters
    ----------
    arcs : (a, m) float
        Numbers or inf.
    j : int
        Which row.
    value : (m,) float
        Numbers or inf.
    best : float
        As :func:`least` found it.

    Returns
    -------
    int
        -1 where there is none.
    """
    m = value.size
    at = np.int32(m)
    for k in range(m):  # to the end: several at a time
        here = np.int32(k) if arcs[j, k] + value[k] == best else np.int32(m)
        at = here if here < at else at
    return int(at) if at < m else -1


@njit(cache=True)
def reckon(flow: Flow, away: bool, tolerance: float, value: Floats, link: Int32) -> None:
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
    open_ = np.full(m + 1, np.inf)  # lower bounds above the heights, of sites not settled
    next_ = np.full(m, -1, dtype=np.int32)
    settled = np.zeros(m, dtype=np.bool_)
    space = new_space(flow.shift)
    sums, bits, order = space.sums, space.bits, read_whole(open_)
    mover = flow.mover
    value[:] = np.inf
    link[:] = -1
    for j in range(m):
        if not away or flow.capacity[j] - flow.load[j] > tolerance:
            open_[j] = max(0.0, -height[j])
    while True:
        low = smallest(open_, order, m)
        if low == np.inf:
            break
        k = position(open_, m, low)
        a = k if away else next_[k]
        b = next_[k] if away else k
        if next_[k] >= 0 and (
            mover[a, b] == STALE or arcs[k, next_[k]] + value[next_[k]] - height[k] > low
        ):
            if mover[a, b] == STALE:
                look_up(flow, a, b)
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
        base = float(value[k])
        for j in range(m):
            here = max(low, reverse[k, j] + base - height[j])
            less = (here < open_[j]) & (not settled[j])
            open_[j] = here if less else open_[j]
            next_[j] = np.int32(k) if less else next_[j]


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


@lean
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


@lean
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
    mark, lost, last, bound, next_, gone, sums, bits, gap, order = space
    mover = flow.mover
    arcs = flow.shift if away else flow.back
    reverse = flow.back if away else flow.shift
    root = np.inf if away else 0.0
    left = _behind(link, seeds, count, mark, lost)
    for a in range(left):
        j = lost[a]
        last[a] = value[j]
        value[j] = np.inf
        next_[a] = _UNKNOWN
    for a in range(count):
        mark[seeds[a]] = 3
    for a in range(left):
        bound[a] = min(root, least(arcs, lost[a], value, sums, bits))
        gap[a] = bound[a] - last[a]
    rise = np.inf
    while True:
        rise = smallest(gap, order, left)
        if rise == np.inf:
            break
        at = position(gap, left, rise)
        k: Any = np.int32(lost[at])
        if next_[at] == _UNKNOWN:
            next_[at] = where(arcs, k, value, bound[at]) if bound[at] < root else -1
        to = next_[at]
        a = k if away else to
        b = to if away else k
        if to >= 0 and (mover[a, b] == STALE or arcs[k, to] + value[to] > bound[at]):
            if mover[a, b] == STALE:
                look_up(flow, a, b)
            bound[at] = min(root, least(arcs, k, value, sums, bits))
            gap[at] = bound[at] - last[at]
            next_[at] = _UNKNOWN
            continue
        value[k] = bound[at]
        link[k] = to
        count -= mark[k] == 3
        left -= 1
        lost[at] = lost[left]
        last[at] = last[left]
        bound[at] = bound[left]
        next_[at] = next_[left]
        gap[at] = gap[left]
        if count == 0:
            break
        base = value[k]
        for a in range(left):
            sums[a] = reverse[k, np.uint32(lost[a])]
        for a in range(left):
            here = sums[a] + base
            was = bound[a]
            low = here if here < was else was
            next_[a] = k if here < was else next_[a]
            bound[a] = low
            gap[a] = low - last[a]
    for a in range(left):
        value[lost[a]] = last[a] + rise
    if rise == np.inf and left > 0:
        turn: Any = np.int32(0)
        for k in range(gone.size):
            turn = max(turn, gone[k] + 1)
        for a in range(left):
            j = lost[a]
            link[j] = -1
            gone[j] = turn
            flow.price[j] = last[a]  # still proves what is among them
