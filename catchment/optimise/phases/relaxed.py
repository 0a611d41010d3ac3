"""Best answer of every site by itself at given prices, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.phases.knapsack import band_gain, every_set, fill, whole_fill

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FEW = 10
"""Villages worth having up to which every set of them is tried."""


@njit(cache=True)
def _pulled(
    j: int, part: int, low: int, need: float, start: Int64, profit: Float64, weight: Float64,
    open_to: Bool,
) -> float:  # fmt: skip
    """Least yuan a student with which those worth having fill what a site has to keep.

    The price makes entries of a part worth having until they are as many as needed; inf where all
    together are too few.
    """
    per, bands = weight.shape[0] - 1, start.shape[1] - 1
    have, entries = 0.0, 0
    mine = np.empty(start[j, bands] - start[j, 0], dtype=np.int64)
    for b in range(bands):
        if (b == low) != (part == 0):
            continue
        for k in range(start[j, b], start[j, b + 1]):
            if not open_to[k] or weight[per, k] <= 0:
                continue
            if profit[k] > 1e-9:
                have += weight[per, k]
            else:
                mine[entries] = k
                entries += 1
    if have >= need:
        return 0.0
    dear = np.empty(entries)
    for k in range(entries):
        dear[k] = -profit[mine[k]] / weight[per, mine[k]]
    for k in np.argsort(dear):
        have += weight[per, mine[k]]
        if have >= need:
            return float(dear[k])
    return np.inf


@njit(cache=True)
def _site_profit(
    j: int, t: int, start: Int64, unit: Int64, value: Float64, away: Bool, count: Int64,
    settle: Float64, price: Float64, pace_price: Float64, link: Float64, low: int, need: Float64,
    profit: Float64, weight: Float64, open_to: Bool, pull: Float64,
) -> None:  # fmt: skip
    """Enter what every unit brings to a site in a year, and its students by grade and in all.

    Where fewer are worth having than the site has to keep, a price a student makes up for it; it
    is entered in ``pull`` by part.
    """
    per = count.shape[1]
    for k in range(start[j, 0], start[j, -1]):
        u = unit[k]
        profit[k] = 0.0
        open_to[k] = value[k, t] != np.inf
        if not open_to[k]:
            continue
        profit[k] = price[u, t] - value[k, t]
        turn = link[k, t] - link[k, t - 1]
        if away[k]:
            profit[k] -= pace_price[1, t] * settle[u, t] + turn
        else:
            profit[k] += turn
        weight[per, k] = 0.0
        for g in range(per):
            weight[g, k] = count[u, g, t]
            weight[per, k] += count[u, g, t]
    for part in range(2):
        pull[part] = 0.0
        if need[part, j, t] <= 0:
            continue
        pull[part] = _pulled(
            j, part, low, need[part, j, t], start, profit, weight, open_to
        )  # fmt: skip
        if pull[part] <= 0.0 or pull[part] == np.inf:
            continue
        for b in range(start.shape[1] - 1):
            if (b == low) == (part == 0):
                for k in range(start[j, b], start[j, b + 1]):
                    if open_to[k]:
                        profit[k] += pull[part] * weight[per, k]


@njit(cache=True)
def _topped_up(
    lo: int, hi: int, weight: Float64, profit: Float64, open_to: Bool, lack: float, x: Float64,
) -> None:  # fmt: skip
    """Take more of the entries that are just worth having, until none lacks."""
    per = weight.shape[0] - 1
    for k in range(lo, hi):
        if lack <= 0.0:
            return
        if not open_to[k] or abs(profit[k]) > 1e-6 or weight[per, k] <= 0 or x[k] >= 1.0:
            continue
        more = min(1.0 - x[k], lack / weight[per, k])
        x[k] += more
        lack -= more * weight[per, k]


@njit(cache=True, nogil=True)
def evaluate(
    start: Int64, unit: Int64, value: Float64, away: Bool, count: Int64, settle: Float64,
    free: Float64, size: Int64, sites: Int64, states: Int64, rooms: Int64, yuan: Float64,
    rent: Float64, pace: Float64, need: Float64, least: Int64, price: Float64, pace_price: Float64,
    link: Float64, whole: bool, used: Float64, closed: Float64, moved: Float64, there: Float64,
) -> float:  # fmt: skip
    """Add up the best answers of all sites at given prices, and how they use the units.

    The first arguments are the fields of :class:`~catchment.optimise.phases.siteyears.Parts`.

    Parameters
    ----------
    start, unit, value, away, count, settle, free, size, sites, states, rooms, yuan, rent : ndarray
        Site-years; ``count`` is ``students``.
    pace, need, least : ndarray
        Site-years.
    price, pace_price, link : ndarray
        Prices of units, of the yearly limits and of moves from one year to the next.
    whole : bool
        Whether villages are taken whole within one grade's classes: sharper, and slower.
    used : (u, t) float64
        Takes how often each unit is served.
    closed : (m, t) float64
        Takes 1 where a site is closed that was not at first.
    moved : (t,) float64
        Takes the students who are away from today's site.
    there : (k, t) float64
        Takes the share of each entry that is taken.

    Returns
    -------
    float
        Yuan from the second year on: no plan costs less.
    """
    m, bands = start.shape[0], start.shape[1] - 1
    units, per, years = count.shape
    used[:] = 0.0
    closed[:] = 0.0
    moved[:] = 0.0
    there[:] = 0.0
    total = 0.0
    deepest, widest = 0, 0
    for j in range(m):
        widest = max(widest, start[j, bands] - start[j, 0])
        for t in range(years):
            deepest = max(deepest, rooms[1, j, t])
    table = np.zeros(deepest * size.max() + 1)
    taken = np.zeros((widest, len(table)), dtype=np.bool_)
    profit, x = np.zeros(len(unit)), np.zeros(len(unit))
    weight = np.zeros((per + 1, len(unit)))
    open_to, pull = np.zeros(len(unit), dtype=np.bool_), np.zeros(2)
    gain = np.zeros((bands, deepest + 1))
    which = np.zeros((bands, deepest + 1, 2), dtype=np.int64)
    point_gain = np.zeros(deepest + 1)
    point_which = np.zeros((deepest + 1, 2), dtype=np.int64)
    cost = np.zeros((3, years))
    filled = np.zeros((3, years, bands, 2), dtype=np.int64)
    path = np.zeros(years, dtype=np.int64)
    for t in range(1, years):
        for k in range(2):
            if pace_price[k, t] > 0:
                total -= pace_price[k, t] * pace[k, t]
        for u in range(units):
            if count[u, :, t].sum() == 0:
                continue
            total += price[u, t]
            if free[u, t] - price[u, t] < 0:
                total += free[u, t] - price[u, t]
                used[u, t] += 1.0
    for j in range(m):
        chosen = np.zeros(start[j, bands] - start[j, 0], dtype=np.int64)
        for t in range(1, years):
            cost[:, t] = np.inf
            filled[:, t] = -1
            if states[0, j, t] == 0:
                cost[0, t] = pace_price[0, t] if sites[j, 0] > 0 else 0.0
            if states[1, j, t] == 0:
                continue
            _site_profit(
                j, t, start, unit, value, away, count, settle, price, pace_price, link,
                sites[j, 3], need, profit, weight, open_to, pull,
            )  # fmt: skip
            most_of = np.zeros(bands, dtype=np.int64)
            for b in range(bands):
                top, load = _worth(start, profit, weight, j, b, chosen)
                wanted = 0
                for g in range(per):
                    if size[j, b, g]:
                        wanted += int((load[g] + size[j, b, g] - 1) // size[j, b, g])
                # Those to be kept may want more classes than those worth having.
                part = 0 if b == sites[j, 3] else 1
                held = max(least[0, part, j, t], least[1, part, j, t])
                most_of[b] = min(max(wanted, held), rooms[1, j, t])
                shared = sites[j, 4] if b == sites[j, 3] else 0
                if wanted and whole and top <= FEW:
                    every_set(
                        profit, weight, chosen[:top], size[j, b], most_of[b], shared,
                        gain[b], which[b], point_gain, point_which,
                    )  # fmt: skip
                elif wanted:
                    band_gain(
                        profit, weight, chosen[:top], size[j, b], most_of[b], whole,
                        shared, table, gain[b], which[b], point_gain, point_which,
                    )  # fmt: skip
                else:
                    gain[b, : most_of[b] + 1] = 0.0
                    which[b, : most_of[b] + 1] = 0
                    if shared:
                        point_gain[: most_of[b] + 1] = 0.0
                        point_which[: most_of[b] + 1] = 0
            _best_classes(
                j, t, sites, states, rooms, yuan, rent, need, least, pull, most_of, gain, which,
                point_gain, point_which, bands, cost, filled,
            )  # fmt: skip
        total += best_path(sites[j, 0], cost, path)
        for t in range(1, years):
            state = path[t]
            if state == 0:
                if sites[j, 0] > 0:
                    closed[j, t] = 1.0
                continue
            _site_profit(
                j, t, start, unit, value, away, count, settle, price, pace_price, link,
                sites[j, 3], need, profit, weight, open_to, pull,
            )  # fmt: skip
            for b in range(bands):
                by, room = filled[state, t, b, 0], filled[state, t, b, 1]
                x[start[j, b] : start[j, b + 1]] = 0.0
                if by < 0:
                    continue
                top, _ = _worth(start, profit, weight, j, b, chosen)
                mine = chosen[:top]
                if by > per:
                    for k in range(top):
                        x[mine[k]] = float((room >> k) & 1)
                elif whole:
                    whole_fill(profit, weight[by], mine, room, table, taken, x)
                else:
                    fill(profit, weight[by], mine, float(room), x)
                part = 0 if b == sites[j, 3] else 1
                if pull[part] > 0.0:
                    lack = need[part, j, t]
                    for k in mine:
                        lack -= x[k] * weight[per, k]
                    _topped_up(start[j, b], start[j, b + 1], weight, profit, open_to, lack, x)
                for k in range(start[j, b], start[j, b + 1]):
                    if x[k] <= 0.0:
                        continue
                    used[unit[k], t] += x[k]
                    there[k, t] = x[k]
                    if away[k]:
                        moved[t] += x[k] * settle[unit[k], t]
    return total


@njit(cache=True)
def _worth(
    start: Int64, profit: Float64, weight: Float64, j: int, b: int, chosen: Int64,
) -> tuple[int, Float64]:  # fmt: skip
    """Entries of a band that bring something: enter them, return their number and students."""
    per = weight.shape[0] - 1
    top, load = 0, np.zeros(per)
    for k in range(start[j, b], start[j, b + 1]):
        if profit[k] > 1e-9:
            chosen[top] = k
            top += 1
            for g in range(per):
                load[g] += weight[g, k]
    return top, load


@njit(cache=True)
def best_path(was: int, cost: Float64, path: Int64) -> float:
    """Find the cheapest way of a site through its states, each band given up or taken up once at most.

    Parameters
    ----------
    was : int
        State in the first year.
    cost : (3, t) float64
        Yuan by state and year, inf where it may not be.
    path : (t,) int64
        Takes the state by year, from the second on.

    Returns
    -------
    float
        Yuan from the second year on.
    """
    years = cost.shape[1]
    back = np.zeros((3, years), dtype=np.int64)
    now = cost[:, 1].copy()
    for t in range(2, years):
        new = np.full(3, np.inf)
        for state in range(3):
            for last in range(3):
                # What is taught is given up where it was taught at first, taken up elsewhere.
                low = int(state > 0) - int(last > 0)
                full = int(state > 1) - int(last > 1)
                if (low > 0 if was > 0 else low < 0) or (full > 0 if was > 1 else full < 0):
                    continue
                if now[last] + cost[state, t] < new[state]:
                    new[state] = now[last] + cost[state, t]
                    back[state, t] = last
        now = new
    best = 0
    for state in range(3):
        if now[state] < now[best]:
            best = state
    if years > 1:
        path[years - 1] = best
    for t in range(years - 1, 1, -1):
        path[t - 1] = back[path[t], t]
    return float(now[best])


@njit(cache=True)
def _best_classes(
    j: int, t: int, sites: Int64, states: Int64, rooms: Int64, yuan: Float64, rent: Float64,
    need: Float64, least: Int64, pull: Float64, most_of: Int64, gain: Float64, which: Int64, point_gain: Float64, point_which: Int64, bands: int,
    cost: Float64, filled: Int64,
) -> None:  # fmt: skip
    """Cost of each working state of a site in a year, with the knapsack that each band fills."""
    was, low = sites[j, 0], sites[j, 3]
    limit = rooms[1, j, t]
    for state in range(1, 3):
        if state < states[0, j, t] or state > states[1, j, t]:
            continue
        if state == 2 and sites[j, 2] < 2:
            continue
        if state == 1 and was == 2 and sites[j, 1] == 0 and sites[j, 2] > 1:
            continue
        base = rent[j, t]
        if state == 2:
            base += yuan[1, t] * (sites[j, 2] - 1)
        point = state == 1 and sites[j, 4] > 1
        for part in range(state):
            if need[part, j, t] > 0:
                base += pull[part] * need[part, j, t]
        # All bands share the rooms: best gain by classes in all, band after band, the lowest last.
        path = np.zeros((bands, limit + 1), dtype=np.int64)
        now = np.full(limit + 1, -np.inf)
        now[0] = 0.0
        for turn in range(1, bands + 1):
            b = (low + turn) % bands
            if state == 1 and b != low:
                continue
            fewest = 0
            if b == low:
                fewest = least[1 if point else 0, 0, j, t]
                if state == 2:
                    now[: min(least[0, 1, j, t], limit + 1)] = -np.inf
            new = np.full(limit + 1, -np.inf)
            mine = point_gain if point else gain[b]
            for have in range(limit + 1):
                if now[have] == -np.inf:
                    continue
                for k in range(fewest, min(most_of[b], limit - have) + 1):
                    if now[have] + mine[k] > new[have + k]:
                        new[have + k] = now[have] + mine[k]
                        path[b, have + k] = k
            now = new
        chosen = 0
        for k in range(limit + 1):
            value = base + k * yuan[0, t] + max(0, k - rooms[0, j, t]) * yuan[2, t] - now[k]
            if value < cost[state, t]:
                cost[state, t], chosen = value, k
        for turn in range(bands, 0, -1):
            b = (low + turn) % bands
            if state == 1 and b != low:
                continue
            classes = path[b, chosen]
            chosen -= classes
            if classes and point:
                filled[state, t, b] = point_which[classes]
            elif classes:
                filled[state, t, b] = which[b, classes]
