"""From a question to the flat arrays on which model, search and bound work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.optimise.phases.account import opening_yuan
from catchment.optimise.phases.combined import classes_counted, most_together
from catchment.optimise.phases.question import ALL, LOWEST, Question, checked
from catchment.problem import Bool, Int32

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    """Flat arrays (n groups, m sites, g grades, t years, o options).

    An option is a group and a site it may move to; option ``first[i]`` to ``first[i + 1] - 1``
    belong to group i. A move takes place in a year from ``earliest`` of the option to the last.

    Attributes
    ----------
    today : (n,) int32
        Site of each group today, -1 where it has none.
    students : (n, g, t) int32
        Students.
    lag : (g,) int32
        Years after a move until the grade is at the new site.
    low : (m,) int32
        Lowest band of the site, -1 where it hosts none.
    kind : (n, m) bool
        Whether the group needs more than the site's lowest band.
    bands : (m,) int32
        Bands the site can host.
    first, site : (n + 1,), (o,) int32
        Options.
    earliest : (o,) int32
        First year in which the move may take place.
    latest : (n,) int32
        Last year in which a group may still be at today's site, plus one; the number of years
        where it may stay for good.
    last : (n,) int32
        Last year with students, -1 where there are none.
    stay_cost, go_cost : (n, g, t), (o, g, t) float64
        Yuan of one student's trip a year, weighted by the year.
    stay_boards, go_boards : (n, t), (o, t) bool
        Whether the trip is boarding.
    cap_rooms : (m, t) int64
        Classrooms there without building, those lacking today counted in.
    cap_size, cap_beds, cap_seats, cap_naps : (m, t) int64
        Most students, and beds, dining seats and nap places there without building, of a site that
        has children who moved to it; :data:`UNLIMITED` where unknown.
    keep_size, keep_beds : (m, t) int64
        Students and boarders of the site if nobody moved.
    finish : bool
        Whether current students finish where they are: ``keeps`` then binds only what still
        teaches in the last year.
    keeps : (2, m, t) int64
        Least students of the lowest band's grades and of the others where the site teaches them
        (in the last year, where current students finish).
    extra : (4, m) int64
        Rooms, beds, seats, nap places that may be added.
    unit : (4,) float64
        Yuan a year of one built room, bed, seat, nap place.
    class_size : (m, g) int32
        Class size.
    together : (m,) int64
        Most students of a combined class of a teaching point, 0 where there is none.
    low_grade : (m, g) bool
        Grades of the site's lowest band.
    class_cost, band_cost, move_cost : (t,) float64
        Yuan weighted by the year.
    rent : (m, t) float64
        Yuan of running a site with one band, and of opening it where it is closed today.
    at_least, at_most : (m, t) int8
        States between which a site must be.
    was : (m,) int8
        State today.
    downgrade : (m,) bool
        Whether the site may teach its lowest band only.
    exempt : (m,) bool
        Whether the smallest size does not bind.
    weight : (t,) float64
        Weight of each year's costs.
    min_size, min_from, closures, closures_total, moved : int
        Limits, :data:`UNLIMITED` for none.
    fixed_cost : float
        Yuan of the first year, and of what no decision changes.
    impossible : tuple of int
        Groups that must leave today's site but have nowhere to go.
    """

    today: Int32
    students: Int32
    lag: Int32
    low: Int32
    kind: Bool
    bands: Int32
    first: Int32
    site: Int32
    earliest: Int32
    latest: Int32
    last: Int32
    stay_cost: Float64
    go_cost: Float64
    stay_boards: Bool
    go_boards: Bool
    cap_rooms: Int64
    cap_size: Int64
    cap_beds: Int64
    cap_seats: Int64
    cap_naps: Int64
    keep_size: Int64
    keep_beds: Int64
    keeps: Int64
    finish: bool
    extra: Int64
    unit: Float64
    class_size: Int32
    together: Int64
    low_grade: Bool
    class_cost: Float64
    band_cost: Float64
    rent: Float64
    move_cost: Float64
    weight: Float64
    at_least: npt.NDArray[np.int8]
    at_most: npt.NDArray[np.int8]
    was: npt.NDArray[np.int8]
    downgrade: Bool
    exempt: Bool
    min_size: int
    min_from: int
    closures: int
    closures_total: int
    moved: int
    fixed_cost: float
    impossible: tuple[int, ...]


UNLIMITED = 1 << 40
"""Stands for no limit in whole numbers."""


def settled_today(question: Question) -> Int32:
    """Site of each group in the first year: as designated, else the nearest working school.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    (n,) int32
        Site, -1 where none can be reached.
    """
    problem = question.problem
    minutes = problem.minutes[problem.network[0]].astype(np.float64)
    works = problem.today_open[:, problem.group_band].T
    reach = np.where(works, minutes, np.inf)
    nearest = np.where(np.isfinite(reach).any(axis=1), reach.argmin(axis=1), -1)
    given = np.maximum(problem.today, 0)
    rows = np.arange(len(given))
    good = (problem.today >= 0) & np.isfinite(reach[rows, given])
    return np.where(good, problem.today, nearest).astype(np.int32)


def hosting(question: Question) -> Bool:
    """Bands of each site in its highest state.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    (m, b) bool
        What it can host; for a school that teaches neither all of that nor the lowest band alone,
        what it teaches today.
    """
    problem = question.problem
    now, can = problem.today_open, problem.can_host
    lowest = can & (np.cumsum(can, axis=1) == 1)
    plain = ~now.any(axis=1) | (now == lowest).all(axis=1) | (now == can).all(axis=1)
    return np.asarray(np.where(plain[:, None], can, now), dtype=bool)


def states(question: Question) -> tuple[npt.NDArray[np.int8], ...]:
    """State of each site today, and the lowest and highest it may have in each year.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    was : (m,) int8
        0 closed, 1 lowest band only, 2 all bands it can host.
    least, most : (m, t) int8
        Limits by year; in the first year both are today's.
    """
    problem = question.problem
    years = len(problem.years)
    count = problem.today_open.sum(axis=1)
    hosts = hosting(question).sum(axis=1)
    top = np.where(hosts > 1, ALL, np.where(hosts == 1, LOWEST, 0))
    was = np.where(count == 0, 0, np.where(count < hosts, LOWEST, top))
    least = np.repeat(was[:, None], years, axis=1)
    least[:, 1:] = np.where(
        question.may_close[:, None],
        0,
        np.where(question.may_downgrade, np.minimum(was, LOWEST), was)[:, None],
    )
    most = np.repeat(np.where(question.may_open, top, was)[:, None], years, axis=1)
    most[:, 0] = was
    if question.at_least is not None:
        least[:, 1:] = np.maximum(least, question.at_least)[:, 1:]
        most[:, 1:] = np.maximum(most, np.minimum(question.at_least, top[:, None]))[:, 1:]
    if question.at_most is not None:
        most[:, 1:] = np.minimum(most, question.at_most)[:, 1:]
        least[:, 1:] = np.minimum(least, question.at_most)[:, 1:]
    return was.astype(np.int8), least.astype(np.int8), most.astype(np.int8)


def compile_model(question: Question) -> Model:
    """Lay out a question for model, search and bound.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    Model
        Flat arrays.
    """
    problem, costs = checked(question).problem, question.costs
    n, years, grades = len(problem.group_band), len(problem.years), len(problem.grades)
    today = settled_today(question)
    was, least, most = states(question)
    students = problem.students.astype(np.int32)
    demand = students.sum(axis=1)
    can = hosting(question)
    low = np.where(can.any(axis=1), can.argmax(axis=1), -1)
    kind = problem.group_band[:, None] != low[None, :]
    weight = costs.weights(problem.years)
    has = demand > 0
    last = np.where(has.any(axis=1), years - 1 - has[:, ::-1].argmax(axis=1), -1)
    place = np.zeros(grades, dtype=np.int32)
    for g, band in enumerate(problem.grade_band):
        place[g] = g - int(np.flatnonzero(problem.grade_band == band)[0])
    lag = place if question.transition == "finish" else np.zeros_like(place)
    unit_cost, boards, reach, fits = trips(question, weight)
    if question.within is not None:
        fits &= question.within[:, :, None]
    if question.receives is not None:
        fits &= question.receives[None, :, None]
    keep = _keep(question, today, boards)
    short = keep[0] > problem.rooms
    tolerate = question.tolerate_shortage
    needed_state = np.where(kind, ALL, LOWEST)
    first: list[int] = [0]
    site: list[int] = []
    earliest: list[int] = []
    latest = np.full(n, years, dtype=np.int32)
    impossible: list[int] = []
    for i in range(n):
        target = _demanded(question, today, i)
        if target is not None:
            if target[0] >= 0:
                site.append(target[0])
                earliest.append(target[1])
                latest[i] = target[1]
        elif question.stay is None or not question.stay[i]:
            _options(
                i, today, last, fits, needed_state, most, can[:, problem.group_band[i]],
                short if tolerate else np.zeros_like(short), has, site, earliest,
            )  # fmt: skip
        first.append(len(site))
        s = today[i]
        if target is None and s >= 0 and last[i] > 0:
            grade, gone = np.nonzero((students[i] > 0) & (most[s] < needed_state[i, s]))
            if len(gone):
                latest[i] = max(int((gone - lag[grade]).min()), 0)
                mine = earliest[first[-2] :]
                if not mine or min(mine) > latest[i]:
                    impossible.append(i)
    option_group = np.repeat(np.arange(n), np.diff(first))
    rows, sites = np.arange(n), np.asarray(site, dtype=np.int32)
    served = today >= 0
    at = np.maximum(today, 0)
    stay = np.where(served[:, None], unit_cost[rows, at], np.inf)
    lost = np.where(reach, costs.unserved_year, 0.0) * weight[None, :]
    stay = np.where(np.isfinite(stay), stay, lost)
    stay[:, 0] = np.where(served, unit_cost[rows, at, 0], 0.0)
    go = unit_cost[option_group, sites] if len(sites) else np.zeros((0, years))
    # Only whom the user sends goes where a road is cut in a later year; no option is taken earlier.
    there = np.arange(years) >= np.asarray(earliest, dtype=np.int64).reshape(-1, 1)
    go = np.where(np.isfinite(go), go, np.where(there, lost[option_group], 0.0))
    existing = was > 0
    protected = (least > 0).all(axis=1) & existing
    life = costs.building_life
    limit = question.limits
    opening = opening_yuan(costs, question.site_build, len(was))
    return Model(
        today=today,
        students=students,
        lag=lag,
        finish=question.transition == "finish",
        low=low.astype(np.int32),
        kind=kind,
        bands=can.sum(axis=1).astype(np.int32),
        first=np.asarray(first, dtype=np.int32),
        site=sites,
        earliest=np.asarray(earliest, dtype=np.int32),
        latest=latest,
        last=last.astype(np.int32),
        stay_cost=stay,
        go_cost=go,
        stay_boards=boards[rows, at] & served[:, None],
        go_boards=boards[option_group, sites] if len(sites) else np.zeros((0, years), dtype=bool),
        cap_rooms=np.maximum(problem.rooms, keep[0] if tolerate else 0).astype(np.int64),
        cap_size=np.full((len(was), years), limit.max_size, dtype=np.int64),
        cap_beds=np.maximum(problem.beds, 0).astype(np.int64),
        cap_seats=_known(problem.dining_seats, existing),
        cap_naps=_known(
            np.full_like(problem.beds, -1) if problem.nap_places is None else problem.nap_places,
            existing,
        ),
        keep_size=keep[1].astype(np.int64),
        keep_beds=keep[2].astype(np.int64),
        keeps=_least_kept(question, today, most, low),
        extra=np.stack(
            [question.extra_rooms, question.extra_beds, question.extra_seats, question.extra_naps]
        ).astype(np.int64),
        unit=np.array([costs.room_build, costs.bed_build, costs.seat_build, costs.nap_build])
        / life,
        class_size=problem.class_size.astype(np.int32),
        together=np.where(low == 0, most_together(problem, costs), 0),
        low_grade=np.asarray(problem.grade_band[None, :] == low[:, None]),
        class_cost=costs.class_year * weight,
        band_cost=costs.band_year * weight,
        rent=(costs.site_year + np.where(was == 0, opening, 0.0)[:, None]) * weight,
        move_cost=costs.move * weight,
        weight=weight,
        at_least=least,
        at_most=most,
        was=was,
        downgrade=question.may_downgrade | (was != ALL),
        exempt=protected,
        min_size=limit.min_size,
        min_from=max(limit.min_size_from, 1),
        closures=UNLIMITED if limit.closures_per_year is None else limit.closures_per_year,
        closures_total=UNLIMITED if limit.closures_total is None else limit.closures_total,
        moved=UNLIMITED if limit.moved_per_year is None else limit.moved_per_year,
        fixed_cost=_first_year(question, today, was, stay, students),
        impossible=tuple(impossible),
    )


def _known(stock: Int32, existing: Bool) -> Int64:
    """Places there; no limit where a working school has not reported them, none at any other site."""
    unknown = np.where(existing[:, None], UNLIMITED, 0)
    return np.where(stock < 0, unknown, stock).astype(np.int64)


def trips(question: Question, weight: Float64) -> tuple[Float64, Bool, Bool, Bool]:
    """Yuan, mode and admissibility of every trip by group, site and year.

    Parameters
    ----------
    question : Question
        The question.
    weight : (t,) float64
        Weight of each year's costs.

    Returns
    -------
    cost : (n, m, t) float64
        Yuan of one student's trips a year, inf where there is no way.
    boards : (n, m, t) bool
        Whether the trip is boarding.
    reach : (n, t) bool
        Whether some site that could host the group can be reached.
    fits : (n, m, t) bool
        Whether the trip keeps its limit.
    """
    problem, costs = question.problem, question.costs
    n, m, years = len(problem.group_band), len(problem.site_ids), len(problem.years)
    cost = np.full((n, m, years), np.inf)
    boards = np.zeros((n, m, years), dtype=bool)
    fits, reach = np.zeros((n, m, years), dtype=bool), np.zeros((n, years), dtype=bool)
    names = np.array(problem.modes)
    limit = daily_limit(question)
    hosts = problem.can_host[:, problem.group_band].T
    for t in range(years):
        net = int(problem.network[t])
        minutes = problem.minutes[net].astype(np.float64)
        metres = problem.metres[net].astype(np.float64)
        kind = np.where(problem.mode[net] < 0, "", names[np.maximum(problem.mode[net], 0)])
        there = np.isfinite(minutes)
        board, walk = (kind == "board") & there, (kind == "walk") & there
        trips = np.where(board, costs.school_weeks, costs.school_days) * 2
        yuan = costs.minute * trips * np.where(there, minutes, 0.0)
        yuan += np.where(
            walk | ~there, 0.0, costs.bus_km * trips * np.where(there, metres, 0.0) / 1000
        )
        yuan += np.where(board, costs.boarding_year, 0.0)
        cost[:, :, t] = np.where(there, yuan * weight[t], np.inf)
        boards[:, :, t] = board
        fits[:, :, t] = there & np.where(
            board, minutes <= question.limits.boarding_minutes, minutes <= limit[:, t, None]
        )
        reach[:, t] = (there & hosts).any(axis=1)
    return cost, boards, reach, fits


def daily_limit(question: Question) -> Float64:
    """Longest daily trip of a group that is moved, by year.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    (n, t) float64
        Minutes: the band's limit, or that of grades 1 to 3 where the group has such children.
    """
    problem = question.problem
    limit = problem.trip_limit[problem.group_band].astype(np.float64)[:, None]
    young = problem.students[:, np.asarray(problem.grades) <= 3].sum(axis=1) > 0
    return np.where(young, np.minimum(limit, question.limits.young_minutes), limit)


def _keep(question: Question, today: Int32, boards: Bool) -> tuple[Int64, ...]:
    """Classes, students and boarders of each site if nobody moved."""
    problem = question.problem
    m, years = len(problem.site_ids), len(problem.years)
    load = np.zeros((m, len(problem.grades), years), dtype=np.int64)
    served = np.flatnonzero(today >= 0)
    np.add.at(load, today[served], problem.students[served])
    still = np.repeat(problem.today_open[:, :, None], years, axis=2)
    classes = classes_counted(problem, load.astype(np.int32), still, question.costs).sum(axis=1)
    demand = problem.demand().astype(np.int64)
    beds = np.zeros((m, years), dtype=np.int64)
    np.add.at(beds, today[served], demand[served] * boards[served, today[served]])
    return classes, load.sum(axis=1), beds


def _least_kept(
    question: Question, today: Int32, most: npt.NDArray[np.int8], low: npt.NDArray[np.int64]
) -> Int64:
    """Students that a school keeps where it still teaches them in the last year."""
    problem = question.problem
    m, years = most.shape
    load = np.zeros((m, len(problem.grades), years), dtype=np.int64)
    mine = today >= 0
    if question.sent is not None:
        mine &= (question.sent < 0).all(axis=1)
    np.add.at(load, today[mine], problem.students[mine])
    lowest = np.asarray(problem.grade_band)[None, :] == low[:, None]
    parts = [(load * (lowest == first)[:, :, None]).sum(axis=1) for first in (True, False)]
    out = np.ceil(np.stack(parts) * question.limits.kept_share - 1e-9).astype(np.int64)
    # What is to be given up at the user's demand is not held by half.
    out[0, (most < LOWEST).any(axis=1)] = 0
    out[1, (most < ALL).any(axis=1)] = 0
    out[:, :, 0] = 0
    return out


def _options(
    i: int,
    today: Int32,
    last: npt.NDArray[np.int64],
    fits: Bool,
    needed: npt.NDArray[np.int64],
    most: npt.NDArray[np.int8],
    hosts: Bool,
    short: Bool,
    has: Bool,
    site: list[int],
    earliest: list[int],
) -> None:
    """Append the sites a group may move to; each must be admissible from some year to the end."""
    if last[i] < 1:
        return
    end = last[i] + 1
    good = fits[i, :, :end] & (most[:, :end] >= needed[i][:, None]) & ~short[:, :end]
    good |= ~has[i, None, :end]
    for j in np.flatnonzero(hosts):
        if j == today[i]:
            continue
        bad = np.flatnonzero(~good[j])
        start = max(int(bad[-1]) + 1 if len(bad) else 0, 1)
        if start <= last[i]:
            site.append(int(j))
            earliest.append(start)


def _demanded(question: Question, today: Int32, i: int) -> tuple[int, int] | None:
    """Site and year of a group's move at the user's demand; site -1 where it is to stay."""
    if question.sent is None or not (question.sent[i] >= 0).any():
        return None
    problem = question.problem
    when = int(np.flatnonzero(question.sent[i] >= 0)[0])
    j = int(question.sent[i, when])
    if j == today[i]:
        return -1, when
    reach = np.isfinite(problem.minutes[problem.network[when], i, j])
    has = problem.students[i].sum(axis=0) > 0
    years = np.flatnonzero(has[max(when, 1) :]) + max(when, 1)
    return (j, int(years[0])) if reach and len(years) else (-1, when)


def stranded(question: Question) -> list[tuple[int, int, float, float]]:
    """Name who must leave a school and has nowhere to go within the limits.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    list of (int, int, float, float)
        Group, nearest site that might take it (-1 for none), minutes of that trip and its limit in
        the strictest year.
    """
    problem, model = question.problem, compile_model(question)
    _, _, most = states(question)
    can, daily = hosting(question), daily_limit(question)
    out = []
    for i in model.impossible:
        band = int(problem.group_band[i])
        minutes = problem.minutes[int(problem.network[-1]), i].astype(np.float64)
        needed = np.where(model.kind[i], ALL, LOWEST)
        open_ = can[:, band] & (most[:, -1] >= needed) & (np.arange(len(minutes)) != model.today[i])
        if question.within is not None:
            open_ &= question.within[i]
        if question.receives is not None:
            open_ &= question.receives
        away = np.where(open_, minutes, np.inf)
        j = int(away.argmin())
        limit = float(daily[i].min())
        out.append((i, j if np.isfinite(away[j]) else -1, float(away[j]), limit))
    return out


def _first_year(
    question: Question,
    today: Int32,
    was: npt.NDArray[np.int8],
    stay: Float64,
    students: Int32,
) -> float:
    """Yuan of today's year, which no decision changes."""
    problem, costs = question.problem, question.costs
    load = np.zeros((len(problem.site_ids), len(problem.grades)), dtype=np.int64)
    served = np.flatnonzero(today >= 0)
    np.add.at(load, today[served], students[served, :, 0])
    classes = float(
        classes_counted(
            problem,
            load[:, :, None].astype(np.int32),
            problem.today_open[:, :, None],
            costs,
        ).sum()
    )
    bands = np.where(was == ALL, hosting(question).sum(axis=1), np.where(was > 0, 1, 0))
    runs = bands > 0
    total = costs.class_year * classes + costs.site_year * float(runs.sum())
    total += costs.band_year * float((bands[runs] - 1).sum())
    return total + float((students[:, :, 0].sum(axis=1) * stay[:, 0]).sum())
