"""Which villages fill a number of classes best: bounds on one band of a site, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.phases.combined import fewest_classes

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@njit(cache=True)
def knapsack(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    size: int,
    most: int,
    out: Float64,
    more: int = 0,
) -> None:
    """Enter the most profit by number of classes, villages divisible: no less than that of whole ones.

    Parameters
    ----------
    profit : (k,) float64
        Yuan that each entry brings.
    weight : (k,) float64
        Students of each entry.
    chosen : (c,) int64
        Entries that bring something.
    size : int
        Places of a class.
    most : int
        Most classes.
    out : (most + 1,) float64
        Takes the profit by number of classes.
    more : int
        Places beyond those of the classes; may be negative.
    """
    n = len(chosen)
    ratio = np.empty(n)
    for k in range(n):
        e = chosen[k]
        ratio[k] = -profit[e] / weight[e] if weight[e] > 0 else -np.inf
    order = np.argsort(ratio)
    gained, filled, k = 0.0, 0.0, 0
    for classes in range(most + 1):
        room = float(max(classes * size + more, 0))
        while k < n:
            e = chosen[order[k]]
            if filled + weight[e] > room:
                break
            filled += weight[e]
            gained += profit[e]
            k += 1
        part = 0.0
        if k < n:
            e = chosen[order[k]]
            part = profit[e] * (room - filled) / weight[e]
        out[classes] = gained + part


@njit(cache=True)
def whole_knapsack(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    room: int,
    table: Float64,
) -> int:
    """Enter the most profit by places, villages whole.

    Parameters
    ----------
    profit : (k,) float64
        Yuan that each entry brings.
    weight : (k,) float64
        Students of each entry, whole numbers.
    chosen : (c,) int64
        Entries that bring something.
    room : int
        Most places asked about.
    table : (at least room + 1,) float64
        Takes the profit by places.

    Returns
    -------
    int
        Places from which on all entries have one; the table ends there.
    """
    load = 0
    for k in range(len(chosen)):
        load += int(weight[chosen[k]])
    room = min(room, load)
    for w in range(room + 1):
        table[w] = 0.0
    there = 0
    for k in range(len(chosen)):
        e = chosen[k]
        heavy, gain = int(weight[e]), profit[e]
        if heavy == 0:
            for w in range(room + 1):
                table[w] += gain
            continue
        # Beyond what the villages so far weigh together, the table is flat.
        for w in range(min(there, room) + 1, min(there + heavy, room) + 1):
            table[w] = table[min(there, room)]
        there += heavy
        for w in range(min(there, room), heavy - 1, -1):
            if table[w - heavy] + gain > table[w]:
                table[w] = table[w - heavy] + gain
    for w in range(min(there, room) + 1, room + 1):
        table[w] = table[min(there, room)]
    return room


@njit(cache=True)
def fill(profit: Float64, weight: Float64, chosen: Int64, room: float, x: Float64) -> None:
    """Enter the shares of the entries in the divisible optimum of one knapsack.

    Parameters
    ----------
    profit : (k,) float64
        Yuan that each entry brings.
    weight : (k,) float64
        Students of each entry.
    chosen : (c,) int64
        Entries that bring something.
    room : float
        Places.
    x : (k,) float64
        Takes the share, 0 to 1, of each entry that is taken.
    """
    n = len(chosen)
    ratio = np.empty(n)
    for k in range(n):
        e = chosen[k]
        ratio[k] = -profit[e] / weight[e] if weight[e] > 0 else -np.inf
    order = np.argsort(ratio)
    left = room
    for k in range(n):
        e = chosen[order[k]]
        if weight[e] <= left:
            x[e] = 1.0
            left -= weight[e]
        else:
            x[e] = left / weight[e]
            break


@njit(cache=True)
def whole_fill(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    room: int,
    table: Float64,
    taken: Bool,
    x: Float64,
) -> None:
    """Enter the entries in the optimum of one knapsack of whole villages.

    Parameters
    ----------
    profit : (k,) float64
        Yuan that each entry brings.
    weight : (k,) float64
        Students of each entry, whole numbers.
    chosen : (c,) int64
        Entries that bring something.
    room : int
        Places.
    table : (at least room + 1,) float64
        Work space.
    taken : (at least c, at least room + 1) bool
        Work space.
    x : (k,) float64
        Takes 1 for each entry that is taken.
    """
    load = 0
    for k in range(len(chosen)):
        load += int(weight[chosen[k]])
    room = min(room, load)
    for w in range(room + 1):
        table[w] = 0.0
    for k in range(len(chosen)):
        e = chosen[k]
        heavy, gain = int(weight[e]), profit[e]
        for w in range(room + 1):
            taken[k, w] = False
        for w in range(room, heavy - 1, -1):
            if heavy and table[w - heavy] + gain > table[w]:
                table[w] = table[w - heavy] + gain
                taken[k, w] = True
    left = room
    for k in range(len(chosen) - 1, -1, -1):
        e = chosen[k]
        if weight[e] == 0.0:
            x[e] = 1.0
        elif taken[k, left]:
            x[e] = 1.0
            left -= int(weight[e])


@njit(cache=True)
def every_set(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    sizes: Int64,
    most: int,
    shared: int,
    gain: Float64,
    which: Int64,
    point_gain: Float64,
    point_which: Int64,
) -> None:
    """Enter the profit of a band by its classes from every set of villages; exact.

    The knapsack is told as one beyond the grades, the set in place of the room.

    Parameters
    ----------
    profit : (k,) float64
        Yuan that each entry brings.
    weight : (p + 1, k) float64
        Students of each entry by grade, then of all grades.
    chosen : (c,) int64
        Entries that bring something.
    sizes : (p,) int64
        Class size by grade, 0 beyond the band's grades.
    most : int
        Most classes.
    shared : int
        Most students of the combined class of a teaching point, 0 or 1 for none.
    gain, which, point_gain, point_which : (at least most + 1,) float64, (.., 2) int64
        Take the profit by number of classes and the knapsack that gives it, without and with a
        combined class.
    """
    per = len(sizes)
    gain[: most + 1] = 0.0
    which[: most + 1] = 0
    if shared > 1:
        point_gain[: most + 1] = 0.0
        point_which[: most + 1] = 0
    load = np.zeros(per, dtype=np.int64)
    now, last = 0.0, 0
    for step in range(1, 1 << len(chosen)):
        # From one set to the next a single village comes or goes.
        code = step ^ (step >> 1)
        turned = code ^ last
        k = 0
        while turned >> (k + 1):
            k += 1
        e, sign = chosen[k], 1 if code & turned else -1
        now += sign * profit[e]
        last = code
        classes = 0
        for g in range(per):
            load[g] += sign * int(weight[g, e])
            if sizes[g]:
                classes += (load[g] + sizes[g] - 1) // sizes[g]
        if classes <= most and now > gain[classes]:
            gain[classes] = now
            which[classes, 0], which[classes, 1] = per + 1, code
        if shared > 1:
            if classes > 1:
                classes = fewest_classes(load, np.maximum(sizes, 1), shared)
            if classes <= most and now > point_gain[classes]:
                point_gain[classes] = now
                point_which[classes, 0], point_which[classes, 1] = per + 1, code
    for classes in range(1, most + 1):
        if gain[classes - 1] >= gain[classes]:
            gain[classes] = gain[classes - 1]
            which[classes] = which[classes - 1]
        if shared > 1 and point_gain[classes - 1] >= point_gain[classes]:
            point_gain[classes] = point_gain[classes - 1]
            point_which[classes] = point_which[classes - 1]


@njit(cache=True)
def band_gain(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    sizes: Int64,
    most: int,
    whole: bool,
    shared: int,
    table: Float64,
    gain: Float64,
    which: Int64,
    point_gain: Float64,
    point_which: Int64,
) -> None:
    """Enter an upper bound on the profit of a band by its classes, and the knapsack that gives it.

    With a given number of classes in all, no more fits than (a) into their places together, and (b)
    into the classes of each grade; the classes are shared among the grades so that the tightest of
    the latter is loosest. At a teaching point one of the classes may be a combined one, of at most
    ``shared`` students: then only (a) binds, with that class smaller.

    Parameters
    ----------
    profit : (k,) float64
        Yuan that each entry brings.
    weight : (p + 1, k) float64
        Students of each entry by grade, then of all grades.
    chosen : (c,) int64
        Entries that bring something.
    sizes : (p,) int64
        Class size by grade, 0 beyond the band's grades.
    most : int
        Most classes.
    whole : bool
        Whether villages are taken whole within one knapsack.
    shared : int
        Most students of the combined class of a teaching point, 0 or 1 for none.
    table : float64
        Work space for whole villages.
    gain, which, point_gain, point_which : (at least most + 1,) float64, (.., 2) int64
        Take the profit by number of classes and the knapsack that gives it (a grade, or p for all,
        and its places), without and with a combined class.
    """
    per = len(sizes)
    single = np.zeros((per, most + 1))
    together = np.zeros(most + 1)
    largest = 0
    for g in range(per):
        largest = max(largest, sizes[g])
        if sizes[g]:
            if whole:
                full = whole_knapsack(profit, weight[g], chosen, most * sizes[g], table)
                for classes in range(most + 1):
                    single[g, classes] = table[min(classes * sizes[g], full)]
            else:
                knapsack(profit, weight[g], chosen, sizes[g], most, single[g])
    full = 0
    if whole:
        full = whole_knapsack(profit, weight[per], chosen, most * largest, table)
        for classes in range(most + 1):
            together[classes] = table[min(classes * largest, full)]
    else:
        knapsack(profit, weight[per], chosen, largest, most, together)
    given = np.zeros(per, dtype=np.int64)
    for classes in range(most + 1):
        if classes:
            tight = -1
            for g in range(per):
                if sizes[g] and (tight < 0 or single[g, given[g]] < single[tight, given[tight]]):
                    tight = g
            given[tight] += 1
        low, by, room = together[classes], per, classes * largest
        for g in range(per):
            if sizes[g] and single[g, given[g]] < low - 1e-9:
                low, by, room = single[g, given[g]], g, given[g] * sizes[g]
        gain[classes] = low
        which[classes, 0], which[classes, 1] = by, room
    if shared < 2:
        return
    mixed = np.zeros(most + 1)
    if whole:
        for classes in range(1, most + 1):
            mixed[classes] = table[min(shared + (classes - 1) * largest, full)]
    else:
        knapsack(profit, weight[per], chosen, largest, most, mixed, shared - largest)
    for classes in range(most + 1):
        point_gain[classes] = gain[classes]
        point_which[classes, 0], point_which[classes, 1] = which[classes, 0], which[classes, 1]
        if classes and mixed[classes] > gain[classes]:
            point_gain[classes] = mixed[classes]
            point_which[classes, 0] = per
            point_which[classes, 1] = shared + (classes - 1) * largest
