"""A lower bound on every plan: prices for the students, one small question a site.

The rule that every village-band is somewhere in every year is replaced by a price; so are the
yearly limits on closures and moves, added up over the years, and the rule that a village which
has moved stays where it is. What is left falls apart into one question a site: in which years does
it teach what, with how many classes, and which villages are worth having at these prices? A year in
a given state is answered from above (never less than its true gain), the way through the states,
which lead in one direction, exactly; so the sum is a valid bound for any prices of the right sign,
however they were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.phases.combined import fewest_classes
from catchment.optimise.phases.compile import UNLIMITED, Model
from catchment.optimise.phases.decode import Decision

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


IDLE, SHORTER, MEMORY = 15, 0.7, 0.7
"""Steps without a better bound until they become shorter, by how much, and how long they last."""
FEW = 10
"""Villages worth having up to which every set of them is tried."""
SHARPEN, SHARP_PULL = 0.02, 0.06
"""Length of the step below which villages are taken whole, and the length to go on with."""
SHORTEST, AGAIN = 1e-3, 0.03
"""Length below which nothing is gained any more, and the length to begin again with."""


class Parts(NamedTuple):
    """Constant arrays of the site-years (u units, k entries, m sites, b bands, t years).

    A unit is a group, or one grade of it where current students finish. An entry is a unit that
    may be at a site; entries are ordered by site and band.

    Attributes
    ----------
    start : (m, b + 1) int64
        First entry of each site and band.
    unit : (k,) int64
        Unit of each entry.
    value : (k, t) float64
        Yuan of the unit's trips at the site, inf where it may not be there.
    away : (k,) bool
        Whether the site is not today's.
    students : (u, p, t) int64
        Students by grade within the band.
    settle : (u, t) float64
        Least students who have changed school if the unit is away in the year.
    free : (u, t) float64
        Yuan of having no site in the year, inf where that may not be.
    size : (m, b, p) int64
        Class size, 0 beyond the band's grades.
    sites : (m, 5) int64
        State today, whether a teaching point is allowed, bands, lowest band, most students of a
        combined class of a teaching point.
    states : (2, m, t) int64
        Lowest and highest state.
    rooms : (2, m, t) int64
        Rooms there, and with all that may be added.
    yuan : (3, t) float64
        One class, further band, added room.
    rent : (m, t) float64
        Running a site, and opening it where it is closed today.
    pace : (2, t) float64
        Sites closed and students moved, at most, up to each year; inf for no limit.
    """

    start: Int64
    unit: Int64
    value: Float64
    away: Bool
    students: Int64
    settle: Float64
    free: Float64
    size: Int64
    sites: Int64
    states: Int64
    rooms: Int64
    yuan: Float64
    rent: Float64
    pace: Float64


@dataclass
class Prices:
    """Prices, and the best bound they have given so far.

    Attributes
    ----------
    unit : (u, t) float64
        Price of serving a unit in a year.
    pace : (2, t) float64
        Prices of closures and of moves up to each year, 0 or more.
    link : (k, t) float64
        Prices, 0 or more, of a unit that leaves a site it has moved to, or comes back to its old
        one, between a year and the next.
    best : float
        Best bound, the first year included.
    done : bool
        Whether no step is left to take: the relaxed plan keeps every rule that has a price.
    """

    unit: Float64
    pace: Float64
    link: Float64
    best: float = -np.inf
    best_at: tuple[Float64, ...] | None = None
    smooth: tuple[Float64, ...] | None = None
    pull: float = 1.0
    whole: bool = False
    idle: int = 0
    done: bool = False


def split(
    model: Model, group_band: npt.NDArray[np.int8], grade_band: npt.NDArray[np.int8]
) -> Parts:
    """Lay the model out by site and year.

    Parameters
    ----------
    model : Model
        The compiled question.
    group_band : (n,) int8
        Band of each group.
    grade_band : (g,) int8
        Band of each grade.

    Returns
    -------
    Parts
        Constant arrays.
    """
    n, _, years = model.students.shape
    m, bands = len(model.low), int(grade_band.max()) + 1
    per = int(np.bincount(grade_band).max())
    place = np.array(
        [g - int(np.flatnonzero(grade_band == grade_band[g])[0]) for g in range(len(grade_band))]
    )
    units: list[tuple[int, int]] = []
    for i in range(n):
        mine = np.flatnonzero(grade_band == group_band[i])
        if model.lag.any():
            units += [(i, int(g)) for g in mine if model.students[i, g].any()]
        elif model.students[i].any():
            units.append((i, -1))
    count = np.zeros((len(units), per, years), dtype=np.int64)
    settle, free = np.zeros((len(units), years)), np.full((len(units), years), np.inf)
    rows: list[tuple[int, int, int, bool, Float64]] = []
    for u, (i, g) in enumerate(units):
        grades = [g] if g >= 0 else np.flatnonzero(grade_band == group_band[i]).tolist()
        lag = int(model.lag[g]) if g >= 0 else 0
        for k in grades:
            count[u, place[k]] = model.students[i, k]
        students = count[u].sum(axis=0)
        _unit_rows(model, rows, settle, free, u, i, lag, students, int(group_band[i]))
    rows.sort(key=lambda r: (r[0], r[1], r[2]))
    start = np.zeros((m, bands + 1), dtype=np.int64)
    keys = np.array([r[0] * bands + r[1] for r in rows], dtype=np.int64)
    edges = np.searchsorted(keys, np.arange(m * bands + 1))
    for j in range(m):
        start[j] = edges[j * bands : (j + 1) * bands + 1]
    size = np.zeros((m, bands, per), dtype=np.int64)
    for k, b in enumerate(grade_band):
        size[:, b, place[k]] = model.class_size[:, k]
    ahead = np.arange(years, dtype=np.float64)
    pace = np.full((2, years), np.inf)
    if model.closures < UNLIMITED:
        pace[0] = ahead * model.closures
    if model.closures_total < UNLIMITED:
        pace[0] = np.minimum(pace[0], float(model.closures_total))
    if model.moved < UNLIMITED:
        pace[1] = ahead * model.moved
    room = model.cap_rooms
    return Parts(
        start=start,
        unit=np.array([r[2] for r in rows], dtype=np.int64),
        value=np.array([r[4] for r in rows]).reshape(-1, years),
        away=np.array([r[3] for r in rows], dtype=bool),
        students=count,
        settle=settle,
        free=free,
        size=size,
        sites=np.column_stack(
            (model.was, model.downgrade, model.bands, model.low, model.together)
        ).astype(np.int64),
        states=np.stack([model.at_least, model.at_most]).astype(np.int64),
        rooms=np.stack([room, room + model.extra[0][:, None]]),
        yuan=np.vstack((model.class_cost, model.band_cost, model.unit[0] * model.weight)),
        rent=model.rent,
        pace=pace,
    )


def _unit_rows(
    model: Model,
    rows: list[tuple[int, int, int, bool, Float64]],
    settle: Float64,
    free: Float64,
    u: int,
    i: int,
    lag: int,
    students: Int64,
    band: int,
) -> None:
    """Enter where a unit may be and what that costs."""
    years = len(students)
    there = students > 0
    home = int(model.today[i])
    until = years if model.latest[i] >= years else int(model.latest[i]) + lag
    stays = there & (np.arange(years) < until)
    if home >= 0:
        rows.append((home, band, u, False, np.where(stays, students * model.stay_cost[i], np.inf)))
    else:
        free[u] = np.where(stays, students * model.stay_cost[i], np.inf)
    fresh = model.students[i, model.lag == 0].sum(axis=0)
    has = model.students[i].sum(axis=0) > 0
    end = int(np.flatnonzero(there)[-1])
    for o in range(model.first[i], model.first[i + 1]):
        may = there & (np.arange(years) >= model.earliest[o] + lag)
        value = np.where(may, students * model.go_cost[o], np.inf)
        if home >= 0 and lag == 0:
            # Whoever is away in the last year has moved once: at least the cheapest move is paid.
            when = [t for t in range(int(model.earliest[o]), end + 1) if has[t]]
            if when:
                value[end] += min(float(fresh[t] * model.move_cost[t]) for t in when)
        rows.append((int(model.site[o]), band, u, True, value))
    if home >= 0 and lag == 0:
        least = np.inf
        for t in range(1, years):
            if has[t]:
                least = min(least, float(fresh[t]))
            settle[u, t] = least if np.isfinite(least) else 0.0


def first_prices(model: Model, parts: Parts, decision: Decision) -> Prices:
    """Prices from a plan: every unit bears its trip and its share of classes and sites.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Site-years.
    decision : Decision
        A plan.

    Returns
    -------
    Prices
        Prices to begin with.
    """
    units, per, years = parts.students.shape
    m, bands = parts.start.shape[0], parts.start.shape[1] - 1
    price = np.zeros((units, years))
    owner = _owners(model, parts)
    site = np.full((units, years), -1, dtype=np.int64)
    value = np.zeros((units, years))
    band_of = np.zeros(units, dtype=np.int64)
    for j in range(m):
        for b in range(bands):
            for k in range(parts.start[j, b], parts.start[j, b + 1]):
                u = parts.unit[k]
                band_of[u] = b
                i, lag = owner[u]
                o, when = int(decision[0][i]), int(decision[1][i])
                moved = (np.arange(years) >= when + lag) & (o >= 0)
                target = int(model.site[o]) if o >= 0 else -1
                mine = (moved & (j == target)) | (~moved & (j == model.today[i]))
                mine &= parts.students[u].sum(axis=0) > 0
                site[u, mine] = j
                value[u, mine] = np.where(
                    np.isfinite(parts.value[k, mine]), parts.value[k, mine], 0
                )
    load = np.zeros((m, bands, per, years))
    for u in range(units):
        for t in range(1, years):
            if site[u, t] >= 0:
                load[site[u, t], band_of[u], :, t] += parts.students[u, :, t]
    size = np.maximum(parts.size, 1)[:, :, :, None]
    classes = np.ceil(load / size) * parts.yuan[0]
    taught = load.sum(axis=2).sum(axis=1)
    for u in range(units):
        for t in range(1, years):
            j = site[u, t]
            if j < 0:
                continue
            mine = parts.students[u, :, t]
            share = mine / np.maximum(load[j, band_of[u], :, t], 1)
            price[u, t] = value[u, t] + float((share * classes[j, band_of[u], :, t]).sum())
            price[u, t] += mine.sum() / taught[j, t] * (parts.rent[j, t] + parts.yuan[1, t])
    link = np.zeros((len(parts.unit), years))
    return Prices(price, np.zeros((2, years)), link)


def kept(prices: Prices) -> tuple[Float64, ...]:
    """Return the best prices so far, to be kept for another day.

    Parameters
    ----------
    prices : Prices
        Prices.

    Returns
    -------
    tuple of ndarray
        Of units, pace and links.
    """
    now = (prices.unit, prices.pace, prices.link)
    return now if prices.best_at is None else prices.best_at


def remembered(parts: Parts, arrays: tuple[Float64, ...]) -> Prices | None:
    """Take up prices that were kept.

    Parameters
    ----------
    parts : Parts
        Site-years.
    arrays : tuple of ndarray
        As :func:`kept` gave them.

    Returns
    -------
    Prices or None
        None where they are of another question.
    """
    units, _, years = parts.students.shape
    shapes = [(units, years), (2, years), (len(parts.unit), years)]
    if [a.shape for a in arrays] != shapes or not all(np.isfinite(a).all() for a in arrays):
        return None
    active = _active(parts)
    # Prices have a sign, and none where they stand for no rule.
    unit, pace, link = (np.where(a, x, 0.0) for a, x in zip(active, arrays, strict=True))
    return Prices(unit, np.maximum(pace, 0.0), np.maximum(link, 0.0), pull=0.1)


def _owners(model: Model, parts: Parts) -> list[tuple[int, int]]:
    """Group and lag of every unit, in the order of :func:`split`."""
    out = []
    for i in range(len(model.today)):
        if model.lag.any():
            out += [(i, int(model.lag[g])) for g in np.flatnonzero(model.students[i].any(axis=1))]
        elif model.students[i].any():
            out.append((i, 0))
    return out


@njit(cache=True)
def _knapsack(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    size: int,
    most: int,
    out: Float64,
    more: int = 0,
) -> None:
    """Most profit by number of classes, villages divisible; an upper bound on whole villages."""
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
def _whole_knapsack(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    room: int,
    table: Float64,
) -> int:
    """Most profit by places, villages whole, in ``table``; return from where on all have one."""
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
def _fill(profit: Float64, weight: Float64, chosen: Int64, room: float, x: Float64) -> None:
    """Shares of the entries in the divisible optimum of one knapsack."""
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
def _whole_fill(
    profit: Float64,
    weight: Float64,
    chosen: Int64,
    room: int,
    table: Float64,
    taken: Bool,
    x: Float64,
) -> None:
    """Entries in the optimum of one knapsack of whole villages."""
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
def _every_set(
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
    """Profit of a band by its classes from every set of villages; exact.

    The knapsack is told as one beyond the grades, the set in place of the room.
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
def _band_gain(
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
    """Upper bound on the profit of a band by its classes, and the knapsack that gives it.

    ``weight`` is (p + 1, k): students by grade, then of all grades. With a given number of classes
    in all, no more fits than (a) into their places together, and (b) into the classes of each
    grade; the classes are shared among the grades so that the tightest of the latter is loosest.
    At a teaching point one of the classes may be a combined one, of at most ``shared`` students:
    then only (a) binds, with that class smaller.
    """
    per = len(sizes)
    single = np.zeros((per, most + 1))
    together = np.zeros(most + 1)
    largest = 0
    for g in range(per):
        largest = max(largest, sizes[g])
        if sizes[g]:
            if whole:
                full = _whole_knapsack(profit, weight[g], chosen, most * sizes[g], table)
                for classes in range(most + 1):
                    single[g, classes] = table[min(classes * sizes[g], full)]
            else:
                _knapsack(profit, weight[g], chosen, sizes[g], most, single[g])
    full = 0
    if whole:
        full = _whole_knapsack(profit, weight[per], chosen, most * largest, table)
        for classes in range(most + 1):
            together[classes] = table[min(classes * largest, full)]
    else:
        _knapsack(profit, weight[per], chosen, largest, most, together)
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
        _knapsack(profit, weight[per], chosen, largest, most, mixed, shared - largest)
    for classes in range(most + 1):
        point_gain[classes] = gain[classes]
        point_which[classes, 0], point_which[classes, 1] = which[classes, 0], which[classes, 1]
        if classes and mixed[classes] > gain[classes]:
            point_gain[classes] = mixed[classes]
            point_which[classes, 0] = per
            point_which[classes, 1] = shared + (classes - 1) * largest


@njit(cache=True)
def _site_profit(
    j: int, t: int, start: Int64, unit: Int64, value: Float64, away: Bool, count: Int64,
    settle: Float64, price: Float64, pace_price: Float64, link: Float64, profit: Float64,
    weight: Float64,
) -> None:  # fmt: skip
    """Enter what every unit brings to a site in a year, and its students by grade and in all."""
    per = count.shape[1]
    for k in range(start[j, 0], start[j, -1]):
        u = unit[k]
        profit[k] = 0.0
        if value[k, t] == np.inf:
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


@njit(cache=True, nogil=True)
def _evaluate(
    start: Int64, unit: Int64, value: Float64, away: Bool, count: Int64, settle: Float64,
    free: Float64, size: Int64, sites: Int64, states: Int64, rooms: Int64, yuan: Float64,
    rent: Float64, pace: Float64, price: Float64, pace_price: Float64, link: Float64, whole: bool, used: Float64,
    closed: Float64, moved: Float64, there: Float64,
) -> float:  # fmt: skip
    """Bound without the first year at given prices, and how the relaxed plan uses units."""
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
                profit, weight,
            )  # fmt: skip
            most_of = np.zeros(bands, dtype=np.int64)
            for b in range(bands):
                top, load = _worth(start, profit, weight, j, b, chosen)
                need = 0
                for g in range(per):
                    if size[j, b, g]:
                        need += int((load[g] + size[j, b, g] - 1) // size[j, b, g])
                most_of[b] = min(need, rooms[1, j, t])
                shared = sites[j, 4] if b == sites[j, 3] else 0
                if need and whole and top <= FEW:
                    _every_set(
                        profit, weight, chosen[:top], size[j, b], most_of[b], shared,
                        gain[b], which[b], point_gain, point_which,
                    )  # fmt: skip
                elif need:
                    _band_gain(
                        profit, weight, chosen[:top], size[j, b], most_of[b], whole,
                        shared, table, gain[b], which[b], point_gain, point_which,
                    )  # fmt: skip
                else:
                    gain[b, 0] = 0.0
                    if shared:
                        point_gain[0] = 0.0
            _best_classes(
                j, t, sites, states, rooms, yuan, rent, most_of, gain, which, point_gain, point_which,
                bands, cost, filled,
            )  # fmt: skip
        total += _best_path(sites[j, 0], cost, path)
        for t in range(1, years):
            state = path[t]
            if state == 0:
                if sites[j, 0] > 0:
                    closed[j, t] = 1.0
                continue
            _site_profit(
                j, t, start, unit, value, away, count, settle, price, pace_price, link,
                profit, weight,
            )  # fmt: skip
            for b in range(bands):
                by, room = filled[state, t, b, 0], filled[state, t, b, 1]
                if by < 0:
                    continue
                top, _ = _worth(start, profit, weight, j, b, chosen)
                mine = chosen[:top]
                x[start[j, b] : start[j, b + 1]] = 0.0
                if by > per:
                    for k in range(top):
                        x[mine[k]] = float((room >> k) & 1)
                elif whole:
                    _whole_fill(profit, weight[by], mine, room, table, taken, x)
                else:
                    _fill(profit, weight[by], mine, float(room), x)
                for k in mine:
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
def _best_path(was: int, cost: Float64, path: Int64) -> float:
    """Cheapest way of a site through its states, each band given up or taken up once at most."""
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
    most_of: Int64, gain: Float64, which: Int64, point_gain: Float64, point_which: Int64, bands: int,
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
        # All bands share the rooms: best gain by classes in all, band after band.
        path = np.zeros((bands, limit + 1), dtype=np.int64)
        now = np.full(limit + 1, -np.inf)
        now[0] = 0.0
        for b in range(bands):
            if state == 1 and b != low:
                continue
            new = np.full(limit + 1, -np.inf)
            mine = point_gain if point else gain[b]
            for have in range(limit + 1):
                if now[have] == -np.inf:
                    continue
                for k in range(min(most_of[b], limit - have) + 1):
                    if now[have] + mine[k] > new[have + k]:
                        new[have + k] = now[have] + mine[k]
                        path[b, have + k] = k
            now = new
        chosen = 0
        for k in range(limit + 1):
            value = base + k * yuan[0, t] + max(0, k - rooms[0, j, t]) * yuan[2, t] - now[k]
            if value < cost[state, t]:
                cost[state, t], chosen = value, k
        for b in range(bands - 1, -1, -1):
            if state == 1 and b != low:
                continue
            classes = path[b, chosen]
            chosen -= classes
            if classes and point:
                filled[state, t, b] = point_which[classes]
            elif classes:
                filled[state, t, b] = which[b, classes]


def improve(
    model: Model,
    parts: Parts,
    prices: Prices,
    target: float,
    rounds: int,
    *,
    whole: bool | None = None,
) -> float:
    """Turn the prices towards a better bound.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Site-years.
    prices : Prices
        Changed: best prices and bound are kept in it.
    target : float
        Yuan of the best plan known.
    rounds : int
        Steps.
    whole : bool, optional
        Whether villages are taken whole within one grade's classes: sharper, and ten times as
        slow. By default from when the steps have become short.

    Returns
    -------
    float
        The best bound so far.
    """
    units, _, years = parts.students.shape
    m, entries = len(parts.sites), len(parts.unit)
    used, closed, moved = np.zeros((units, years)), np.zeros((m, years)), np.zeros(years)
    stays = np.zeros((entries, years))
    active = _active(parts)
    pace = np.where(active[1], parts.pace, 0.0)
    sign = np.where(parts.away, 1.0, -1.0)[:, None]
    evaluate: Any = _evaluate
    # A price is of a whole unit, so those of large villages are larger, and their steps too.
    large = np.sqrt(np.maximum(parts.students.sum(axis=1), 1.0))
    scale = (large, np.array([1.0, 1e-2])[:, None], large[parts.unit])
    for _ in range(rounds):
        if not prices.whole and prices.pull < SHARPEN:
            prices.whole, prices.pull, prices.smooth = True, SHARP_PULL, None
        sharp = prices.whole if whole is None else whole
        now: tuple[Float64, ...] = (prices.unit, prices.pace, prices.link)
        value = model.fixed_cost + evaluate(*parts, *now, sharp, used, closed, moved, stays)
        prices.idle = 0 if value > prices.best + 1e-7 * abs(target) else prices.idle + 1
        if value > prices.best:
            prices.best, prices.best_at = value, now
        if prices.idle >= IDLE and prices.best_at is not None:
            prices.pull, prices.idle = prices.pull * SHORTER, 0
            if prices.pull < SHORTEST:
                prices.pull = AGAIN
            now, prices.smooth = prices.best_at, None
        slope = (
            1.0 - used,
            np.stack([closed.sum(axis=0), moved]) - pace,
            sign * (stays - np.roll(stays, -1, axis=1)),
        )
        turned = tuple(
            np.where(a, x, 0.0) * z for a, x, z in zip(active, slope, scale, strict=True)
        )
        if prices.smooth is None:
            prices.smooth = turned
        else:
            prices.smooth = tuple(
                MEMORY * a + (1.0 - MEMORY) * b for a, b in zip(prices.smooth, turned, strict=True)
            )
        length = float(sum((x**2).sum() for x in prices.smooth))
        if length < 1e-12:
            prices.done = sharp
            if sharp:
                break
            prices.whole, prices.smooth = True, None
            continue
        step = prices.pull * max(target - value, 1e-3 * abs(target)) / length
        new = [p + step * x * z for p, x, z in zip(now, prices.smooth, scale, strict=True)]
        prices.unit = new[0]
        prices.pace, prices.link = (np.maximum(x, 0.0) for x in new[1:])
    return prices.best


def _active(parts: Parts) -> tuple[Bool, ...]:
    """Where each kind of price stands for a rule at all."""
    there = parts.students.sum(axis=1) > 0
    there[:, 0] = False
    limited = np.isfinite(parts.pace)
    limited[:, 0] = False
    may = np.isfinite(parts.value)
    may[:, 0] = False
    link = np.zeros_like(may)
    # A unit that has moved stays; the one that has left today's site does not come back. Both
    # bind from one year to the next where it has students in both and may be there in both.
    link[:, :-1] = may[:, :-1] & may[:, 1:]
    return there, limited, link
