"""What if: one year of an arrangement with some sites closed, reduced or opened, at once.

Everything is whole numbers (tenths of a minute, students, rooms), so that the page of the map can
reckon the same and get the same. Only villages that lose their site move, and those that a newly
opened site is nearer to; all others stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.places import class_table, classes_for_plan
from catchment.plan import Plan
from catchment.problem import Problem

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

UNREACHED = 65535
"""Tenths of a minute where there is no way."""
LARGE, SUPER_LARGE = 56, 66
"""Students from which a class is large, and super-large."""


@dataclass(frozen=True)
class Start:
    """One year of an arrangement (sizes as in :mod:`catchment.problem`).

    Attributes
    ----------
    tenths : (n, m) int64
        Tenths of a minute one way; :data:`UNREACHED` where there is no way.
    mode : (n, m) int64
        Mode of that trip, -1 where there is none.
    limit : (b,) int64
        Tenths beyond which a daily trip is over the limit.
    students : (n, g) int64
        Students by grade.
    group_band : (n,) int64
        Band of each group.
    grade_band : (g,) int64
        Band of each grade, in order.
    site_of : (n,) int64
        Site of each group, -1 = unserved.
    mode_of : (n,) int64
        Mode of each group, -1 = unserved.
    opened : (m, b) bool
        Bands taught.
    rooms : (m,) int64
        Classrooms each site has; a closed site without any has the most of all years.
    class_size : (m, g) int64
        Most students of a standard class.
    """

    tenths: Int64
    mode: Int64
    limit: Int64
    students: Int64
    group_band: Int64
    grade_band: Int64
    site_of: Int64
    mode_of: Int64
    opened: Bool
    rooms: Int64
    class_size: Int64


@dataclass(frozen=True)
class Answer:
    """What follows from a set of open sites.

    Attributes
    ----------
    site_of, mode_of : (n,) int64
        Site and mode of each group, -1 = unserved.
    load : (m, g) int64
        Students by site and grade.
    places : (m, b) int64
        Places by site and band, rooms shared in proportion to the grades taught.
    classes : (m, g) int64
        Classes formed, combined classes at their lowest grade.
    sizes : tuple of tuple of int
        For each site the sizes of its classes, even split, in order of grade.
    served, unserved : int
        Students with and without a school.
    student_tenths : int
        Tenths of a minute summed over the students served; their mean is this by ``served``.
    worst : int
        Longest trip of a village with students, tenths.
    over_limit : int
        Students whose trip is over the limit, boarders included.
    moved : int
        Students who go elsewhere than at the start.
    over_places : int
        Students above the places of their site and band, summed.
    large, super_large : int
        Classes of at least :data:`LARGE` and of at least :data:`SUPER_LARGE` students.
    """

    site_of: Int64
    mode_of: Int64
    load: Int64
    places: Int64
    classes: Int64
    sizes: tuple[tuple[int, ...], ...]
    served: int
    unserved: int
    student_tenths: int
    worst: int
    over_limit: int
    moved: int
    over_places: int
    large: int
    super_large: int


def tenths_of(problem: Problem, network: int) -> Int64:
    """Turn minutes into whole tenths that judge the limit as the exact minutes do.

    Parameters
    ----------
    problem : Problem
        The question.
    network : int
        Which road network.

    Returns
    -------
    (n, m) int64
        Rounded tenths, :data:`UNREACHED` where there is no way. A trip that exceeds its limit by
        less than rounding shows is given one tenth above it, and never the other way round.
    """
    exact = problem.minutes[network].astype(np.float64)
    reached = np.isfinite(exact)
    rounded = np.rint(np.where(reached, exact, 0.0) * 10).astype(np.int64)
    bound = problem.trip_limit.astype(np.float64)[problem.group_band][:, None]
    most = limits_of(problem)[problem.group_band][:, None]
    within = np.where(exact > bound, np.maximum(rounded, most + 1), np.minimum(rounded, most))
    return np.where(reached, np.minimum(within, UNREACHED - 1), UNREACHED).astype(np.int64)


def limits_of(problem: Problem) -> Int64:
    """Limits of daily trips in whole tenths of a minute.

    Parameters
    ----------
    problem : Problem
        The question.

    Returns
    -------
    (b,) int64
        Rounded down.
    """
    return np.floor(problem.trip_limit.astype(np.float64) * 10 + 1e-6).astype(np.int64)


def start_of(
    problem: Problem, plan: Plan, year: int, *, most_rooms: npt.ArrayLike | None = None
) -> Start:
    """Take one year of an arrangement to start from.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The arrangement.
    year : int
        Position of the year.
    most_rooms : (m,) array_like of int, optional
        Classrooms of sites that have none in any year, should they be opened.

    Returns
    -------
    Start
        Whole numbers.
    """
    network = int(problem.network[year])
    runs = plan.open[:, :, year].any(axis=1)
    closed = problem.rooms.max(axis=1)
    if most_rooms is not None:
        closed = np.where(closed > 0, closed, np.asarray(most_rooms, dtype=np.int64))
    now = problem.rooms[:, year]
    return Start(
        tenths=tenths_of(problem, network),
        mode=problem.mode[network].astype(np.int64),
        limit=limits_of(problem),
        students=problem.students[:, :, year].astype(np.int64),
        group_band=problem.group_band.astype(np.int64),
        grade_band=problem.grade_band.astype(np.int64),
        site_of=plan.site_of[:, year].astype(np.int64),
        mode_of=plan.mode_of[:, year].astype(np.int64),
        opened=plan.open[:, :, year].copy(),
        rooms=np.where(runs | (now > 0), now, closed).astype(np.int64),
        class_size=problem.class_size.astype(np.int64),
    )


def places_by_band(start: Start, opened: Bool) -> Int64:
    """Places of every site and band when the rooms are shared by the grades taught.

    Parameters
    ----------
    start : Start
        Rooms and class sizes.
    opened : (m, b) bool
        Bands taught.

    Returns
    -------
    (m, b) int64
        Rooms x grades of the band x its smallest class size, by all grades taught, rounded down.
    """
    bands = opened.shape[1]
    count = np.bincount(start.grade_band, minlength=bands)
    grades = (opened * count).sum(axis=1)
    out = np.zeros(opened.shape, dtype=np.int64)
    for b in range(bands):
        if count[b]:
            size = start.class_size[:, start.grade_band == b].min(axis=1)
            share = start.rooms * int(count[b]) * size // np.maximum(grades, 1)
            out[:, b] = np.where(opened[:, b], share, 0)
    return out


def whatif(start: Start, opened: Bool, *, capacity: bool = True) -> Answer:
    """Say what follows when other sites are open than at the start.

    The rule, band by band. Groups whose site no longer teaches the band are *lost*; groups that
    reach a site which newly teaches it in fewer tenths than their own (or that had none) are
    *drawn*. Everybody else stays. With ``capacity``, first the drawn and then the lost are placed
    one after another, most students first, ties by position: the drawn at the nearest newly open
    site nearer than their own that has places left for all of them, else they stay; the lost at
    the nearest open site with places left for all of them, else at the nearest of all, which is
    then over its places. Without ``capacity``, and for groups without students, the nearest counts.
    Ties of minutes go to the site that stands first. Nobody who is moved is moved again.

    Parameters
    ----------
    start : Start
        One year of an arrangement.
    opened : (m, b) bool
        Bands taught now.
    capacity : bool
        Whether places are minded.

    Returns
    -------
    Answer
        Whole numbers throughout.

    Raises
    ------
    InputError
        When ``opened`` has not the shape of ``start.opened``.
    """
    if opened.shape != start.opened.shape or opened.dtype != np.bool_:
        raise InputError(
            f"opened 应为布尔数组 {start.opened.shape}，得到 {opened.shape} {opened.dtype} / "
            "opened must be a bool array of the shape of start.opened"
        )
    places = places_by_band(start, opened)
    demand = start.students.sum(axis=1)
    site = start.site_of.copy()
    for band in range(opened.shape[1]):
        _place_band(start, opened[:, band], places[:, band], demand, band, site, capacity)
    return _reckon(start, opened, places, demand, site)


def _place_band(
    start: Start,
    teaches: npt.NDArray[Any],
    places: Int64,
    demand: Int64,
    band: int,
    site: Int64,
    capacity: bool,
) -> None:
    """Place the groups of one band in ``site`` (the caller's own array)."""
    members = np.flatnonzero(start.group_band == band)
    fresh = np.flatnonzero(teaches & ~start.opened[:, band])
    own = start.site_of[members]
    stays = np.asarray((own < 0) | teaches[np.maximum(own, 0)], dtype=bool)
    lost, kept = members[~stays], members[stays]
    left = places.copy()
    np.subtract.at(left, site[kept][site[kept] >= 0], demand[kept][site[kept] >= 0])
    for i in _by_size(kept, demand) if len(fresh) else ():
        at = int(site[i])
        reach = int(start.tenths[i, at]) if at >= 0 else UNREACHED
        for j in _by_nearness(start.tenths[i], fresh):
            if start.tenths[i, j] >= reach:
                break
            if not capacity or not demand[i] or left[j] >= demand[i]:
                if at >= 0:
                    left[at] += demand[i]
                left[j] -= demand[i]
                site[i] = j
                break
    able = np.flatnonzero(teaches)
    for i in _by_size(lost, demand):
        near = [j for j in _by_nearness(start.tenths[i], able) if start.tenths[i, j] < UNREACHED]
        fits = [j for j in near if not capacity or not demand[i] or left[j] >= demand[i]]
        site[i] = (fits or near or [-1])[0]
        if site[i] >= 0:
            left[site[i]] -= demand[i]


def _by_size(groups: Int64, demand: Int64) -> list[int]:
    return sorted(groups.tolist(), key=lambda i: (-int(demand[i]), i))


def _by_nearness(tenths: Int64, sites: Int64) -> list[int]:
    return sorted(sites.tolist(), key=lambda j: (int(tenths[j]), j))


def _reckon(start: Start, opened: Bool, places: Int64, demand: Int64, site: Int64) -> Answer:
    n, m = start.tenths.shape
    rows, served = np.arange(n), site >= 0
    at = np.maximum(site, 0)
    stays = site == start.site_of
    mode = np.where(stays, start.mode_of, np.where(served, start.mode[rows, at], -1))
    tenths = start.tenths[rows, at]
    load = np.zeros((m, start.students.shape[1]), dtype=np.int64)
    np.add.at(load, site[served], start.students[served])
    travels = served & (tenths < UNREACHED)
    over = travels & (tenths > start.limit[start.group_band])
    lowest = opened[:, 0] & (opened.sum(axis=1) == 1)
    formed, _ = classes_for_plan(load[:, :, None], start.rooms[:, None], start.class_size, lowest)
    table = class_table(load[:, :, None], formed)
    sizes: list[list[int]] = [[] for _ in range(m)]
    for j, size in zip(table.site.tolist(), table.size.tolist(), strict=True):
        sizes[j].append(size)
    in_band = np.zeros_like(places)
    for band in range(opened.shape[1]):
        in_band[:, band] = load[:, start.grade_band == band].sum(axis=1)
    return Answer(
        site_of=site,
        mode_of=mode,
        load=load,
        places=places,
        classes=formed[:, :, 0].astype(np.int64),
        sizes=tuple(tuple(s) for s in sizes),
        served=int(demand[served].sum()),
        unserved=int(demand[~served].sum()),
        student_tenths=int((demand[travels] * tenths[travels]).sum()),
        worst=int(tenths[travels & (demand > 0)].max(initial=0)),
        over_limit=int(demand[over].sum()),
        moved=int(demand[~stays].sum()),
        over_places=int(np.maximum(in_band - places, 0).sum()),
        large=int((table.size >= LARGE).sum()),
        super_large=int((table.size >= SUPER_LARGE).sum()),
    )
