"""Cheapest paths of shifts: for what a site has too much, and for what a new place draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.holdings import STALE, Flow, held, look_up, pull, put

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

DONE, STUCK, FULL = 0, 1, 2


@njit(cache=True)
def _closer(
    arcs: Float64, price: Float64, nearest: float, lift: float, seen: Float64, way: Float64
) -> int:
    """Reckon the ways over one site; return how many of them are shorter than those known.

    Kept free of branches, so that it is done for several sites at a time.
    """
    shorter = 0
    for k in range(arcs.size):
        value = arcs[k] + price[k] + lift
        value = nearest if value < nearest else value
        way[k] = value
        shorter += value < seen[k]
    return shorter


@njit(cache=True)
def _first(open_: Float64) -> int:
    """Position of the least value; -1 where all are inf."""
    lowest = np.inf
    who = -1
    for k in range(open_.size):
        if open_[k] < lowest:
            lowest = open_[k]
            who = k
    return who


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
    cost, load, capacity, price = flow.cost, flow.load, flow.capacity, flow.price
    shift, back, mover = flow.shift, flow.back, flow.mover
    unit, after, first = flow.unit, flow.after, flow.first
    dust = 0.1 * tolerance
    link = np.empty(m, dtype=np.int32)
    open_ = np.empty(m)  # distances of the sites that are not settled
    way = np.empty(m)
    order = np.empty(m, dtype=np.int32)
    while load[source] - capacity[source] > tolerance:
        if flow.free[1] < m + 1:
            return FULL
        seen[:] = np.inf
        open_[:] = np.inf
        seen[source] = 0.0
        link[source] = -1
        settled = 0
        j = source
        while j >= 0 and not capacity[j] - load[j] > tolerance:
            open_[j] = np.inf
            order[settled] = j
            settled += 1
            nearest = seen[j]
            if _closer(shift[j], price, nearest, nearest - price[j], seen, way):
                for k in range(m):
                    if way[k] < seen[k]:
                        value = way[k]
                        if mover[j, k] == STALE:
                            look_up(cost, shift, back, mover, unit, after, first, j, k)
                            value = max(shift[j, k] + price[k] + (nearest - price[j]), nearest)
                        if value < seen[k]:
                            seen[k] = value
                            open_[k] = value
                            link[k] = j
            j = _first(open_)
        if j < 0:
            return STUCK
        reach = seen[j]
        for at in range(settled):
            k = order[at]
            price[k] += reach - seen[k]
        _pass_on(flow, source, j, link, True, dust)
    return DONE


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
    cost, price, shift, back, mover = flow.cost, flow.price, flow.shift, flow.back, flow.mover
    unit, after, first = flow.unit, flow.after, flow.first
    dust = 0.1 * tolerance
    seen = np.empty(m)
    open_ = np.empty(m)
    way = np.empty(m)
    less = np.empty(m)
    link = np.empty(m, dtype=np.int32)
    order = np.empty(m, dtype=np.int32)
    while flow.capacity[target] - flow.load[target] > tolerance and price[target] > cheap:
        if flow.free[1] < m + 1:
            return FULL
        seen[:] = np.inf
        open_[:] = np.inf
        for k in range(m):
            less[k] = -price[k]
        seen[target] = 0.0
        link[target] = -1
        settled = 0
        source = target  # nobody comes, the price falls to nothing
        reach = price[target]
        k = target
        while k >= 0 and seen[k] < reach:
            open_[k] = np.inf
            order[settled] = k
            settled += 1
            nearest = seen[k]
            if nearest + price[k] < reach:
                reach = nearest + price[k]
                source = k
            if _closer(back[k], less, nearest, nearest + price[k], seen, way):
                for j in range(m):
                    if way[j] < seen[j] and way[j] < reach:
                        value = way[j]
                        if mover[j, k] == STALE:
                            look_up(cost, shift, back, mover, unit, after, first, j, k)
                            value = max(shift[j, k] - price[j] + (nearest + price[k]), nearest)
                        if value < seen[j]:
                            seen[j] = value
                            open_[j] = value
                            link[j] = k
            k = _first(open_)
        for at in range(settled):
            k = order[at]
            price[k] = max(0.0, price[k] - max(0.0, reach - seen[k]))
        if source == target:
            price[target] = 0.0
            break
        _pass_on(flow, source, target, link, False, dust)
        price[source] = 0.0
    return DONE


@njit(cache=True)
def _pass_on(
    flow: Flow,
    source: int,
    target: int,
    link: Int32,
    forward: bool,
    dust: float,
) -> None:
    """Shift as much as goes along the way from source to target, the last step first.

    ``link`` holds the site before each one (``forward``) or the one after it.
    """
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
    cost, load, shift, back, mover = flow.cost, flow.load, flow.shift, flow.back, flow.mover
    unit, site, holding, peer, own = flow.unit, flow.site, flow.amount, flow.peer, flow.own
    after, before, first, free = flow.after, flow.before, flow.first, flow.free
    for at in range(1, count):
        j = way[at]
        k = way[at - 1]
        i = mover[j, k]
        e = own[i]
        while site[e] != j:
            e = peer[e]
        # no crumbs of rounding stay behind
        part = holding[e] if holding[e] - amount <= dust else amount
        pull(load, mover, unit, site, holding, after, before, peer, first, own, free, i, j, part)
        put(
            cost,
            load,
            shift,
            back,
            mover,
            unit,
            site,
            holding,
            after,
            before,
            peer,
            first,
            own,
            free,
            i,
            k,
            part,
        )
