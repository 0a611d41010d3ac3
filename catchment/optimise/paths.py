"""Cheapest paths of shifts from site to site, searched on and not anew after each shift.

A shift along a path uses up the unit that made one of its steps; only sites whose cheapest way led
over such a step are looked at again. All other distances stay exact, for distances never fall.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.holdings import STALE, Flow, add, held, look_up, take

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

DONE, STUCK, FULL = 0, 1, 2

ROUNDING = 1e-13  # of the highest price: differences of sums that count as none (real costs)


@njit(cache=True)
def _step(flow: Flow, j: int, k: int, nearest: float, below: float) -> float:
    """Distance over the arc from j to k, looked up where it may be below a value."""
    value = nearest + max(flow.shift[j, k] + flow.price[k] - flow.price[j], 0.0)
    if value < below and flow.mover[j, k] == STALE:
        look_up(flow, j, k)
        value = nearest + max(flow.shift[j, k] + flow.price[k] - flow.price[j], 0.0)
    return value


@njit(cache=True)
def _first(key: Float64) -> int:
    """Position of the least value; -1 where all are inf."""
    lowest = np.inf
    who = -1
    for k in range(key.size):
        if key[k] < lowest:
            lowest = key[k]
            who = k
    return who


@njit(cache=True)
def _forget(
    flow: Flow,
    link: Int32,
    left: Bool,
    forward: bool,
    seen: Float64,
    key: Float64,
    order: Int32,
    settled: int,
) -> int:
    """Take sites back whose way led over a used-up shift; return how many stay settled.

    ``key`` is inf for settled sites. What a taken-back site had is a lower bound from then on.
    """
    kept = 0
    for at in range(settled):
        j = order[at]
        to = link[j]
        gone = False
        if to >= 0:
            if key[to] < np.inf:
                gone = True
            elif forward:
                gone = left[to] and flow.mover[to, j] == STALE
            else:
                gone = left[j] and flow.mover[j, to] == STALE
        if gone:
            key[j] = seen[j]
        else:
            order[kept] = j
            kept += 1
    return kept


@njit(cache=True)
def relieve(flow: Flow, source: int, tolerance: float, seen: Float64) -> int:
    """Shift what a site has beyond its capacity along cheapest paths to sites with places.

    Parameters
    ----------
    flow : Flow
        Prices prove it optimal but for the overload; changed in place.
    source : int
        The overloaded site.
    tolerance : float
        Overloads up to this count as none (zero for whole numbers).
    seen : (m,) float64
        Work space; when stuck, finite exactly for the sites that can be reached.

    Returns
    -------
    int
        ``DONE``; ``STUCK`` (no path to a free place); ``FULL`` (make room for entries, call again).
    """
    m = flow.load.size
    if flow.load[source] - flow.capacity[source] <= tolerance:
        return DONE
    if flow.free[1] < m + 1:
        return FULL
    dust = 0.1 * tolerance
    slip = ROUNDING * max(1.0, flow.price.max()) if tolerance > 0.0 else 0.0
    parent = np.full(m, -1, dtype=np.int32)
    key = np.full(m, np.inf)
    fresh = np.ones(m, dtype=np.bool_)
    pushed = np.zeros(m, dtype=np.bool_)
    left = np.zeros(m, dtype=np.bool_)
    order = np.empty(m, dtype=np.int32)
    settled = 0
    seen[:] = np.inf
    seen[source] = 0.0
    key[source] = 0.0
    reach = 0.0
    code = STUCK
    while True:
        j = _first(key)
        if j < 0:
            break
        if j != source:
            p = parent[j]
            limit = seen[j] + slip
            if key[p] < np.inf or _step(flow, p, j, seen[p], np.inf) > limit:
                best = np.inf
                for at in range(settled):
                    p = order[at]
                    value = _step(flow, p, j, seen[p], best)
                    if value < best:
                        best = value
                        parent[j] = p
                seen[j] = best
                key[j] = best
                fresh[j] = True
                if best > limit:
                    continue
            if flow.capacity[j] - flow.load[j] > tolerance:
                reach = seen[j]
                _pass_on(flow, source, j, parent, True, dust, left)
                if flow.load[source] - flow.capacity[source] <= tolerance:
                    code = DONE
                    break
                if flow.free[1] < m + 1:
                    code = FULL
                    break
                settled = _forget(flow, parent, left, True, seen, key, order, settled)
                continue
        key[j] = np.inf
        order[settled] = j
        settled += 1
        nearest = seen[j]
        for k in range(m):
            # what j gave to others before still is a lower bound, but for sites reckoned since
            if k == j or seen[k] <= nearest or (pushed[j] and not fresh[k]):
                continue
            if key[k] == np.inf and seen[k] < np.inf:
                continue
            value = _step(flow, j, k, nearest, seen[k])
            if value < seen[k]:
                seen[k] = value
                key[k] = value
                parent[k] = j
        pushed[j] = True
        fresh[j] = False
    for at in range(settled):
        j = order[at]
        flow.price[j] += max(0.0, reach - seen[j])
    return code


@njit(cache=True)
def fill(flow: Flow, target: int, tolerance: float, cheap: float) -> int:
    """Use free places of a site that has a price: shift demand there while that saves cost.

    Parameters
    ----------
    flow : Flow
        Prices prove it optimal but for the free places; changed in place.
    target : int
        The site.
    tolerance : float
        Free places up to this count as none.
    cheap : float
        Prices up to this count as none (zero for whole numbers).

    Returns
    -------
    int
        ``DONE``; ``FULL`` (make room for entries, call again).
    """
    m = flow.load.size
    dust = 0.1 * tolerance
    slip = ROUNDING * max(1.0, flow.price.max()) if tolerance > 0.0 else 0.0
    seen = np.full(m, np.inf)
    key = np.full(m, np.inf)
    onward = np.full(m, -1, dtype=np.int32)
    fresh = np.ones(m, dtype=np.bool_)
    pushed = np.zeros(m, dtype=np.bool_)
    left = np.zeros(m, dtype=np.bool_)
    order = np.empty(m, dtype=np.int32)
    settled = 0
    seen[target] = 0.0
    key[target] = 0.0
    while flow.capacity[target] - flow.load[target] > tolerance and flow.price[target] > cheap:
        if flow.free[1] < m + 1:
            return FULL
        source = target  # nobody comes, the price falls to nothing
        reach = flow.price[target]
        for at in range(settled):
            k = order[at]
            if seen[k] + flow.price[k] < reach:
                reach = seen[k] + flow.price[k]
                source = k
        while True:
            k = _first(key)
            if k < 0 or key[k] >= reach:
                break
            if k != target:
                to = onward[k]
                limit = seen[k] + slip
                if key[to] < np.inf or _step(flow, k, to, seen[to], np.inf) > limit:
                    best = np.inf
                    for at in range(settled):
                        to = order[at]
                        value = _step(flow, k, to, seen[to], best)
                        if value < best:
                            best = value
                            onward[k] = to
                    seen[k] = best
                    key[k] = best
                    fresh[k] = True
                    if best > limit:
                        continue
            key[k] = np.inf
            order[settled] = k
            settled += 1
            nearest = seen[k]
            if nearest + flow.price[k] < reach:
                reach = nearest + flow.price[k]
                source = k
            for j in range(m):
                if j == k or seen[j] <= nearest or (pushed[k] and not fresh[j]):
                    continue
                if key[j] == np.inf and seen[j] < np.inf:
                    continue
                value = _step(flow, j, k, nearest, seen[j])
                if value < seen[j]:
                    seen[j] = value
                    key[j] = value
                    onward[j] = k
            pushed[k] = True
            fresh[k] = False
        # prices follow at once, so that a site that has given demand away keeps the price nothing
        for j in range(m):
            if seen[j] < reach:
                if key[j] == np.inf:
                    flow.price[j] = max(0.0, flow.price[j] - (reach - seen[j]))
                seen[j] = 0.0
            else:
                seen[j] -= reach
            if key[j] < np.inf:
                key[j] = seen[j]
        if source == target:
            flow.price[target] = 0.0
            break
        flow.price[source] = 0.0
        _pass_on(flow, source, target, onward, False, dust, left)
        settled = _forget(flow, onward, left, False, seen, key, order, settled)
    return DONE


@njit(cache=True)
def _pass_on(
    flow: Flow,
    source: int,
    target: int,
    link: Int32,
    forward: bool,
    dust: float,
    left: Bool,
) -> None:
    """Shift as much as goes along the way from source to target, the last step first.

    ``link`` holds the site before each one (``forward``) or the one after it; ``left`` is set for
    the sites that a unit has left altogether.
    """
    left[:] = False
    way = np.empty(link.size + 1, dtype=np.int32)
    count = 0
    if forward:
        amount = min(
            flow.load[source] - flow.capacity[source], flow.capacity[target] - flow.load[target]
        )
        j = target
        while j >= 0:
            way[count] = j
            count += 1
            j = link[j]
    else:
        amount = flow.capacity[target] - flow.load[target]
        j = source
        while j >= 0:
            way[count] = j
            count += 1
            j = link[j]
        way[:count] = way[:count][::-1].copy()
    for at in range(1, count):
        amount = min(amount, held(flow, flow.mover[way[at], way[at - 1]], way[at]))
    for at in range(1, count):
        j = way[at]
        k = way[at - 1]
        i = flow.mover[j, k]
        here = held(flow, i, j)
        part = here if here - amount <= dust else amount  # no crumbs of rounding stay behind
        left[j] = part == here
        take(flow, i, j, part)
        add(flow, i, k, part)
