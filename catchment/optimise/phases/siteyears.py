"""The model laid out by site and year, as the bound reads it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.phases.compile import UNLIMITED, Model
from catchment.optimise.phases.knapsack import band_gain
from catchment.optimise.phases.question import ALL, LOWEST

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


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
    need : (2, m, t) float64
        Students that a site which teaches on has at least, in its lowest band and in the others.
    least : (2, 2, m, t) int64
        Fewest classes in which they have a place, without and with a combined class.
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
    need: Float64
    least: Int64


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
    need = np.where(
        np.stack([model.was >= LOWEST, model.was == ALL])[:, :, None], model.keeps, 0
    ).astype(np.float64)
    if model.finish:
        # Only what teaches in the last year is held to it; which that is, the last year tells.
        need[:, :, :-1] = 0.0
    unit = np.array([r[2] for r in rows], dtype=np.int64)
    value = np.array([r[4] for r in rows]).reshape(-1, years)
    least = np.zeros((2, *need.shape), dtype=np.int64)
    fewest: Any = _fewest_to_keep
    fewest(start, unit, value, count, size, model.low, model.together, need, least)
    return Parts(
        start=start,
        unit=unit,
        value=value,
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
        need=need,
        least=least,
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


def owners(model: Model, parts: Parts) -> list[tuple[int, int]]:
    """Group and lag of every unit, in the order of :func:`split`.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Its site-years.

    Returns
    -------
    list of (int, int)
        One pair a unit.
    """
    out = []
    for i in range(len(model.today)):
        if model.lag.any():
            out += [(i, int(model.lag[g])) for g in np.flatnonzero(model.students[i].any(axis=1))]
        elif model.students[i].any():
            out.append((i, 0))
    return out


@njit(cache=True)
def _fewest_to_keep(
    start: Int64, unit: Int64, value: Float64, count: Int64, size: Int64, low: Int64,
    together: Int64, need: Float64, least: Int64,
) -> None:  # fmt: skip
    """Enter the fewest classes in which a site has places for those it has to keep."""
    m, bands = start.shape[0], start.shape[1] - 1
    per, years = count.shape[1], count.shape[2]
    weight = np.zeros((per + 1, len(unit)))
    which, table = np.zeros((1, 2), dtype=np.int64), np.zeros(1)
    for j in range(m):
        chosen = np.zeros(start[j, bands] - start[j, 0], dtype=np.int64)
        for t in range(1, years):
            for part in range(2):
                if need[part, j, t] <= 0:
                    continue
                most = int(need[part, j, t]) + bands * per
                held, mixed = np.zeros(most + 1), np.zeros(most + 1)
                for b in range(bands):
                    if (b == low[j]) != (part == 0):
                        continue
                    top = 0
                    for k in range(start[j, b], start[j, b + 1]):
                        if value[k, t] == np.inf:
                            continue
                        chosen[top] = k
                        top += 1
                        weight[per, k] = 0.0
                        for g in range(per):
                            weight[g, k] = count[unit[k], g, t]
                            weight[per, k] += weight[g, k]
                    gain, point_gain = np.zeros(most + 1), np.zeros(most + 1)
                    which = np.zeros((most + 1, 2), dtype=np.int64)
                    shared = together[j] if b == low[j] else 0
                    band_gain(
                        weight[per], weight, chosen[:top], size[j, b], most, False, shared,
                        table, gain, which, point_gain, which,
                    )  # fmt: skip
                    # Students by classes, band after band.
                    mixed[:] = point_gain if shared > 1 else gain
                    new = np.zeros(most + 1)
                    for k in range(most + 1):
                        for mine in range(k + 1):
                            new[k] = max(new[k], held[k - mine] + gain[mine])
                    held = new
                for way in range(2):
                    have = held if way == 0 or part == 1 else mixed
                    k = 0
                    while k < most and have[k] < need[part, j, t] - 1e-6:
                        k += 1
                    least[way, part, j, t] = k
