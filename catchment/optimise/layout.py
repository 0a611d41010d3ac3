"""Plans for a given set of open schools: as today, nearest, or within the places there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise import assignment, contiguity, districting, keeping
from catchment.optimise.wished import Asked, draw
from catchment.optimise.wishes import (
    RIDE_MINUTES,
    NoPlanError,
    Wishes,
    Witness,
    barred_pairs,
    too_few_places,
)
from catchment.places import classes_for_plan
from catchment.plan import Elsewhere, Plan, split, students_at, trip_mode
from catchment.problem import Bool, Int8, Int32, Problem

Cost = npt.NDArray[np.float64]


_BY_THE_CLOCK = (
    "求解时间用尽，划片搜索未做完既定步数：再算一次可能得到另一方案（可加大 time_limit） / "
    "the time limit ended the search before its work was done: another run may find another plan "
    "(raise time_limit)"
)

STEPS = 20_000
"""Proposals of the search for each village of a band and year, at ``effort`` 1."""


def today_plan(problem: Problem) -> Plan:
    """Today's arrangement carried through all years: the same schools, the same catchments.

    Groups without a designated school go to the nearest school that is open today; where a band
    has none designated, catchments are made connected.

    Parameters
    ----------
    problem : Problem
        The question of today: its rooms and roads are today's in every year.

    Returns
    -------
    Plan
        Method ``today``.
    """
    started = time.perf_counter()
    years = len(problem.years)
    opened = np.repeat(problem.today_open[:, :, None], years, axis=2)
    site_of = np.full((len(problem.group_band), years), -1, dtype=np.int32)
    for band in range(len(problem.bands)):
        members = _members(problem, band)
        usable = opened[:, band, 0]
        cost = _preferring_walks(problem, members, 0, _cost(problem, members, band, 0, usable))
        kept = _usable(problem.today[members], usable)
        site = np.where(kept >= 0, kept, assignment.nearest(cost)).astype(np.int32)
        if not (kept >= 0).any():
            # A county that names no school at all: whole catchments are the fairer assumption.
            site, _ = _connect(problem, site, members, cost, kept, band, 0)
        site_of[members] = site[:, None]
    return _finish(problem, opened, site_of, "today", started, 0, "feasible", np.nan, ())


def scenario_plan(
    problem: Problem,
    method: str,
    *,
    connected: bool = True,
    stay_minutes: float = 0.0,
    start: int = 0,
    effort: float = 1.0,
    time_limit: float = 120.0,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    wishes: Wishes | None = None,
) -> Plan:
    """Assign every group of every year to a school that is open in it.

    Parameters
    ----------
    problem : Problem
        The question; ``must_open`` says what is open.
    method : {"today", "nearest", "capacity"}
        ``today`` keeps designated schools that stay open and sends the others where the actions
        say, else to the nearest; ``nearest`` sends all to the nearest; ``capacity`` minimises
        student-minutes within the places of each school, every catchment connected.
    connected : bool
        Whether pieces cut off from their school are moved to an adjoining catchment (``nearest``;
        ``capacity`` is connected by itself; ``today`` is left as it is).
    stay_minutes : float
        Minutes that another school must be better by before a village leaves today's school
        (``nearest`` and ``capacity``); in later years, the school of the year before.
    start : int
        Position of the first year in which the method holds; before it, ``today`` does.
    effort : float
        How long the search is, 1 = :data:`STEPS` a village (``capacity``). It ends by this work,
        so that the same question and seed give the same plan on every run.
    time_limit : float
        Seconds for the whole plan (``capacity``), should the machine be too slow for the work;
        the plan says so where it was.
    seed : int
        Seed of the search (``capacity``).
    progress : callable, optional
        Told a line of text before each step.
    wishes : Wishes, optional
        What planners add; it holds from ``start`` on. Sizes, villages together or apart and
        shared catchments are for ``capacity``.

    Returns
    -------
    Plan
        With notes on what had to be moved or could not be seated.

    Raises
    ------
    NoPlanError
        When no plan of ``capacity`` does all that the wishes demand.
    """
    started = time.perf_counter()
    asked = wishes or Wishes()
    rows: list[keeping.Row] = []
    years, bands = len(problem.years), len(problem.bands)
    site_of = np.full((len(problem.group_band), years), -1, dtype=np.int32)
    notes: list[Note] = []
    bound = 0.0
    clock = _Clock(time_limit, (years - start) * bands, effort)
    if method == "capacity":
        districting.warm_up()
    for t in range(years):
        for band in range(bands):
            if progress is not None:
                progress(f"{problem.years[t]} · {problem.bands[band]}")
            members = _members(problem, band)
            usable = problem.must_open[:, band, t]
            fixed = _usable(problem.fixed_site[members, t], usable)
            now = asked if t >= start else Wishes(ride_minutes=asked.ride_minutes)
            cost = _wanted(problem, members, band, t, now)
            before = site_of[members, t - 1] if t else problem.today[members]
            if stay_minutes:
                cost = _sticky(cost, before, stay_minutes)
            cost = _forward_only(cost, problem.today[members], site_of[members, :t], before, usable)
            way = method if t >= start else "today"
            if way == "capacity":
                drawn = _capacity(problem, members, band, t, cost, fixed, clock, seed, now)
                site, low, more = drawn.site, drawn.bound, drawn.notes
                rows.extend(drawn.rows)
                clock = clock.less(drawn.seconds)
            else:
                wanted = assignment.nearest(cost)
                if way == "today":
                    kept = _usable(problem.today[members], usable)
                    wanted = np.where(kept >= 0, kept, wanted)
                site, more = np.where(fixed >= 0, fixed, wanted).astype(np.int32), ()
                if connected and way == "nearest":
                    site, more = _connect(problem, site, members, cost, fixed, band, t)
                low = _least(problem, members, band, t, site)
            site_of[members, t] = site
            bound += low
            notes.extend(more)
            notes.extend(_unused(problem, site, members, band, t))
    if asked.keep:
        but = frozenset(i for shared in asked.shared for i in shared.groups)
        rows += keeping.kept(
            problem, site_of, problem.must_open,
            siblings=asked.siblings, but=but, by_band=asked.keep_band,
        )  # fmt: skip
    return _finish(
        problem,
        problem.must_open,
        site_of,
        method,
        started,
        seed,
        "feasible",
        bound,
        _folded(problem, notes),
        keeping.elsewhere(rows),
    )


def possible(
    problem: Problem,
    wishes: Wishes,
    band: int,
    t: int,
    *,
    effort: float = 1.0,
    time_limit: float = 20.0,
    seed: int = 0,
) -> bool:
    """Say whether a plan of ``capacity`` is found that does what is asked of one band and year.

    Parameters
    ----------
    problem : Problem
        The question.
    wishes : Wishes
        What is asked.
    band, t : int
        Positions of band and year.
    effort, time_limit, seed
        As of :func:`scenario_plan`, for this one search.

    Returns
    -------
    bool
        True where a plan was found.
    """
    members = _members(problem, band)
    usable = problem.must_open[:, band, t]
    fixed = _usable(problem.fixed_site[members, t], usable)
    cost = _wanted(problem, members, band, t, wishes)
    clock = _Clock(time_limit, 1, effort)
    try:
        _capacity(problem, members, band, t, cost, fixed, clock, seed, wishes)
    except NoPlanError:
        return False
    return True


def recorded_plan(
    problem: Problem,
    site_of: Int32,
    method: str,
    *,
    bound: float = float("nan"),
    seed: int = 0,
    notes: tuple[str, ...] = (),
    elsewhere: Elsewhere | None = None,
) -> Plan:
    """Rebuild a plan from a recorded assignment, without searching again.

    Parameters
    ----------
    problem : Problem
        The question.
    site_of : (n, t) int32
        Site of each group, -1 = unserved.
    method : str
        Method that made it.
    bound : float
        Its bound.
    seed : int
        Its seed.
    notes : tuple of str
        Its notes.
    elsewhere : Elsewhere, optional
        Students who do not go to the school of their group.

    Returns
    -------
    Plan
        Classes, modes and objective computed anew.
    """
    started = time.perf_counter()
    return _finish(
        problem,
        problem.must_open,
        site_of,
        method,
        started,
        seed,
        "feasible",
        bound,
        notes,
        elsewhere,
    )


@dataclass(frozen=True)
class Note:
    """One thing a method had to do in one year, told once a band over all years.

    Attributes
    ----------
    band : int
        Position of the band.
    what : str
        What was done.
    year : str
        The year and the figures.
    """

    band: int
    what: str
    year: str


def _folded(problem: Problem, notes: list[Note]) -> tuple[str, ...]:
    lines: dict[tuple[int, str], list[str]] = {}
    for note in notes:
        lines.setdefault((note.band, note.what), []).append(note.year)
    return tuple(
        f"{problem.bands[band]}: {what}: {'; '.join(years)}"
        for (band, what), years in sorted(lines.items())
    )


def _excess(
    problem: Problem, band: int, t: int, what: str, students: npt.NDArray[np.int64]
) -> Note:
    worst = [j for j in np.argsort(-students, kind="stable")[:5] if students[j]]
    sites = "、".join(f"{problem.site_ids[j]} {students[j]}" for j in worst)
    return Note(band, what, f"{problem.years[t]}: {students.sum()}（{sites}）")


def _members(problem: Problem, band: int) -> Int32:
    return np.flatnonzero(problem.group_band == band).astype(np.int32)


def _usable(wanted: Int32, usable: Bool) -> Int32:
    """Blank out wishes for a site that is not open."""
    return np.where((wanted >= 0) & usable[np.maximum(wanted, 0)], wanted, -1).astype(np.int32)


def _cost(problem: Problem, members: Int32, band: int, t: int, usable: Bool) -> Cost:
    cost: Cost = problem.minutes[problem.network[t], members].astype(np.float64)
    cost[:, ~usable] = np.inf
    return cost


RETURN_MINUTES = 60.0
"""How many minutes longer a school counts that the village has left in an earlier year."""


def _least(problem: Problem, members: Int32, band: int, t: int, site: Int32) -> float:
    """Student-minutes if all who are served went to the nearest open school: none has fewer."""
    minutes = _cost(problem, members, band, t, problem.must_open[:, band, t])
    demand = problem.demand()[members, t]
    rows = np.flatnonzero((site >= 0) & np.isfinite(minutes[np.arange(len(site)), site]))
    return float((demand[rows] * minutes[rows].min(axis=1)).sum())


def _preferring_walks(
    problem: Problem, members: Int32, t: int, cost: Cost, minutes: float = RIDE_MINUTES
) -> Cost:
    """Make rides dearer than walks, so that a bus never beats a school within walking distance."""
    walks = problem.mode[problem.network[t], members] == problem.modes.index("walk")
    dearer: Cost = cost + np.where(walks, 0.0, minutes)
    return dearer


def _wanted(problem: Problem, members: Int32, band: int, t: int, wishes: Wishes) -> Cost:
    """Minutes as they count in a choice: what is barred is no choice, rides and borders are dear."""
    cost = _cost(problem, members, band, t, problem.must_open[:, band, t])
    cost = _preferring_walks(problem, members, t, cost, wishes.ride_minutes)
    if wishes.extra is not None:
        cost = cost + wishes.extra[members]
    cost[barred_pairs(problem, wishes, members, band, t)] = np.inf
    return cost


def _forward_only(cost: Cost, today: Int32, past: Int32, before: Int32, usable: Bool) -> Cost:
    """Make schools dear that a village has left: no going back and forth.

    A village whose present school closes must move anyway, and may go back.
    """
    left = np.zeros(cost.shape, dtype=bool)
    settled = _usable(before, usable) >= 0
    for earlier in (today, *past.T):
        rows = np.flatnonzero(settled & (earlier >= 0) & (earlier != before))
        left[rows, earlier[rows]] = True
    dearer: Cost = cost + np.where(left, RETURN_MINUTES, 0.0)
    return dearer


def _unused(problem: Problem, site: Int32, members: Int32, band: int, t: int) -> tuple[Note, ...]:
    """Tell of a school that is new or reopened and that nobody goes to."""
    usable = problem.must_open[:, band, t] & ~problem.today_open[:, band]
    demand = problem.demand()[members, t]
    load = np.bincount(np.maximum(site, 0), np.where(site >= 0, demand, 0), len(usable))
    empty = [problem.site_ids[j] for j in np.flatnonzero(usable & (load == 0))]
    if not empty:
        return ()
    what = "新开办而无人就读的学校 / new schools that no village goes to"
    return (Note(band, what, f"{problem.years[t]}: {'、'.join(empty)}"),)


def _sticky(cost: Cost, today: Int32, stay_minutes: float) -> Cost:
    """Make every school but today's dearer."""
    moved = np.ones(cost.shape, dtype=bool)
    known = np.flatnonzero(today >= 0)
    moved[known, today[known]] = False
    moved[today < 0] = False
    dearer: Cost = cost + np.where(moved, stay_minutes, 0.0)
    return dearer


def _homes(problem: Problem, usable: Bool, minutes: Cost, position: Int32, fixed: Int32) -> Int32:
    """Row of each open site's own village, -1 for the second site of a village or one cut off.

    ``position`` turns a village into a row of ``minutes``, -1 where it has none. Where the own
    village must go elsewhere (``fixed``, by village), the nearest village that need not stands in
    for it, so that the catchment does not begin behind another one.
    """
    free = np.array([j < 0 for j in fixed])
    home = np.full(len(problem.home), -1, dtype=np.int32)
    best: dict[int, int] = {}
    for j in np.flatnonzero(usable):
        own = int(problem.home[j])
        row = int(position[own])
        if fixed[own] >= 0 and fixed[own] != j:
            rows = position[free & (position >= 0)]
            near = rows[np.isfinite(minutes[rows, j])]
            row = int(near[minutes[near, j].argmin()]) if len(near) else -1
        if row < 0 or not np.isfinite(minutes[row, j]):
            continue
        if row not in best or minutes[row, j] < minutes[row, best[row]]:
            best[row] = int(j)
    for row, site in best.items():
        home[site] = row
    return home


def _connect(
    problem: Problem,
    site: Int32,
    members: Int32,
    cost: Cost,
    fixed: Int32,
    band: int,
    t: int,
) -> tuple[Int32, tuple[Note, ...]]:
    usable = problem.must_open[:, band, t]
    everyone = np.arange(len(members), dtype=np.int32)
    home = _homes(problem, usable, cost, everyone, fixed)
    # Villages named by an action stay where it sends them; the others are joined around them.
    pinned = np.flatnonzero(fixed >= 0)
    bound = cost.copy()
    bound[pinned] = np.inf
    bound[pinned, fixed[pinned]] = cost[pinned, fixed[pinned]]
    # One that cannot get there is unserved in the end, so it holds no catchment together.
    lost = pinned[~np.isfinite(cost[pinned, fixed[pinned]])]
    there = site.copy()
    there[lost] = -1
    whole = contiguity.connect(there, bound, problem.neighbours, home, usable)
    whole = np.where(fixed >= 0, fixed, whole).astype(np.int32)
    moved = np.flatnonzero(whole != site)
    if not len(moved):
        return site, ()
    demand = problem.demand()[members, t]
    reach = moved[np.isfinite(cost[moved, whole[moved]]) & np.isfinite(cost[moved, site[moved]])]
    extra = float((demand[reach] * (cost[reach, whole[reach]] - cost[reach, site[reach]])).sum())
    note = Note(
        band,
        "为使学区连片而调整的村 / villages moved to keep catchments connected",
        f"{problem.years[t]}: {len(moved)}（+{extra:.0f} 学生·分钟 / student-minutes）",
    )
    return whole, (note,)


def band_places(problem: Problem, band: int, t: int) -> Int32:
    """Students of one band that each open site can seat within standard class size.

    A site's classrooms are shared among its bands in proportion to their grades.

    Parameters
    ----------
    problem : Problem
        The question.
    band : int
        Position of the band.
    t : int
        Position of the year.

    Returns
    -------
    (m,) int32
        Places; zero where the band is not taught.
    """
    per_band = np.bincount(problem.grade_band, minlength=len(problem.bands))
    hosted = problem.must_open[:, :, t]
    grades = hosted @ per_band
    size = problem.class_size[:, problem.grade_band == band].min(axis=1)
    rooms = np.where(
        hosted[:, band], problem.rooms[:, t] * per_band[band] / np.maximum(grades, 1), 0.0
    )
    places: Int32 = np.floor(rooms * size + 1e-9).astype(np.int32)
    return places


SLACKS = (0.0, 0.1, 0.3)
"""Shares by which places are exceeded when whole villages do not fit otherwise, tried in order."""

WIDE_SLACKS = (0.6, 1.0, 2.0, np.inf)
"""Further shares where planners ask what else would be refused for want of places alone."""

OVER_LIMIT_MINUTES = 120.0
"""What a minute limit is worth: a trip beyond it counts as so many minutes longer."""


@dataclass(frozen=True)
class _Clock:
    """Seconds left for so many searches, and how much work each may do."""

    seconds: float
    searches: int
    effort: float

    def share(self) -> float:
        """Seconds the next search may take; what it does not use is left for those after it."""
        return self.seconds / max(self.searches, 1)

    def less(self, used: float) -> _Clock:
        """Return the clock after a search."""
        return _Clock(max(self.seconds - used, 0.0), self.searches - 1, self.effort)

    def work(self, units: int) -> float:
        """Proposals a search over so many units may make."""
        return max(self.effort * STEPS * units, 1.0)


class _Drawn(NamedTuple):
    """Catchments of a band and year, their bound, what had to be done, seconds, who is divided."""

    site: Int32
    bound: float
    notes: tuple[Note, ...]
    seconds: float
    rows: tuple[keeping.Row, ...] = ()


class _Task(NamedTuple):
    """One band and year that is to be drawn: rows are the groups that can be served."""

    problem: Problem
    band: int
    t: int
    groups: Int32
    wanted: Cost
    minutes: Cost
    demand: npt.NDArray[np.int64]
    fixed: Int32
    wishes: Wishes

    def most(self) -> Cost:
        """Return the most students that each site may have, inf where that is not limited."""
        limit = self.wishes.most
        if limit is None:
            return np.full(self.wanted.shape[1], np.inf)
        own = limit[:, self.band].astype(np.float64)
        return np.where(own >= 0, own, np.inf)

    def asked(self) -> Asked:
        """Return what is asked of the search beyond costs and places."""
        row = {int(i): k for k, i in enumerate(self.groups)}
        usable = self.problem.must_open[:, self.band, self.t]
        least = self.wishes.least
        few = np.zeros(len(usable)) if least is None else least[:, self.band].astype(np.float64)

        def rows(sets: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
            own = (tuple(row[i] for i in each if i in row) for each in sets)
            return tuple(each for each in own if len(each) > 1)

        return Asked(
            np.where(usable, few, 0.0), rows(self.wishes.together), rows(self.wishes.apart)
        )


def _capacity(
    problem: Problem,
    members: Int32,
    band: int,
    t: int,
    cost: Cost,
    fixed: Int32,
    clock: _Clock,
    seed: int,
    wishes: Wishes,
) -> _Drawn:
    usable = problem.must_open[:, band, t]
    minutes = _cost(problem, members, band, t, usable)
    demand = problem.demand()[members, t].astype(np.int64)
    nearest_one = minutes.min(axis=1, keepdims=True)
    far = minutes > np.maximum(float(problem.trip_limit[band]), nearest_one)
    wanted = cost + np.where(far, OVER_LIMIT_MINUTES, 0.0)
    pinned = np.flatnonzero(fixed >= 0)
    wanted[pinned] = np.inf
    wanted[pinned, fixed[pinned]] = cost[pinned, fixed[pinned]]
    allowed = np.isfinite(wanted).any(axis=1)
    reached: Bool = np.asarray(np.isfinite(minutes).any(axis=1))
    reached[pinned] &= np.isfinite(minutes[pinned, fixed[pinned]])
    if (reached & ~allowed & (demand > 0)).any():
        stuck = np.flatnonzero(reached & ~allowed & (demand > 0))
        raise NoPlanError(
            Witness(
                band, t, "nowhere", tuple(members[stuck].tolist()), (), int(demand[stuck].sum())
            )
        )
    # a village without children that is barred everywhere still lies in some catchment
    idle = np.flatnonzero(reached & ~allowed)
    wanted[idle] = _cost(problem, members[idle], band, t, usable)
    served = np.flatnonzero(np.isfinite(wanted).any(axis=1)).astype(np.int32)
    if not len(served):
        return _Drawn(np.full(len(members), -1, dtype=np.int32), 0.0, (), 0.0)
    task = _Task(
        problem, band, t, members[served], wanted[served], minutes[served], demand[served],
        fixed[served], wishes,
    )  # fmt: skip
    drawn = _draw(task, clock, seed, served, fixed)
    site = np.full(len(members), -1, dtype=np.int32)
    site[served] = drawn.site
    return drawn._replace(site=site)


def _draw(task: _Task, clock: _Clock, seed: int, served: Int32, fixed: Int32) -> _Drawn:
    """Seat, divide the shared, draw the rest, and say what was exceeded."""
    problem, band, t = task.problem, task.band, task.t
    usable = problem.must_open[:, band, t]
    places = band_places(problem, band, t).astype(np.int64)
    most = task.most()
    _demand_seats(task, most)
    short, share = _overflow(task.demand, places, task.wanted, most)
    notes: list[Note] = []
    if short.any():
        notes.append(_excess(problem, band, t, "学位缺口，超出标准容量接收 / places short", short))
        notes.extend(_who_is_short(task, np.minimum(places, most)))
    capacity = places + short
    position = np.full(len(problem.village_ids), -1, dtype=np.int32)
    position[served] = np.arange(len(served), dtype=np.int32)
    home = _homes(problem, usable, task.minutes, position, fixed)
    neighbours = problem.neighbours[served][:, served]
    hard, asked = task.wishes.hard(), task.asked()
    seats = _Seats(places, capacity, most, share)
    used, late, found, done = 0.0, False, None, None
    for slack in (*SLACKS, *WIDE_SLACKS) if hard else SLACKS:
        for divided in _divisions(task, share):
            own, room = _room(task, seats, divided, home, slack)
            found = draw(
                divided.wanted, divided.whole.astype(np.float64), room, neighbours, own, asked,
                time_limit=max(clock.share() - used, 0.1), seed=seed,
                work=clock.work(len(served)), prove=hard,
            )  # fmt: skip
            used += found.seconds
            late = late or found.timed_out
            if (found.site_of >= 0).all() and found.status in ("optimal", "feasible"):
                done = _again(task, found.site_of, divided, capacity)
            if done is not None:
                break
        if done is not None:
            break
    if done is None:
        if hard and found is not None:
            raise NoPlanError(_whole_witness(task, seats, proved=found.status == "infeasible"))
        seated = np.where(
            share.sum(axis=1) > 0, share.argmax(axis=1), assignment.nearest(task.wanted)
        )
        site = contiguity.connect(seated.astype(np.int32), task.wanted, neighbours, home, usable)
        done = _Divided(task.demand, task.wanted, {}, site)
    site, whole, parts = done.site, done.whole, done.parts
    load = np.bincount(site, weights=whole, minlength=len(places)).astype(np.int64)
    rows: list[keeping.Row] = []
    for row, count in parts.items():
        for j, k in count.items():
            load[j] += k if j != site[row] else k - whole[row]
        rows += keeping.divided(problem, int(task.groups[row]), t, count, int(site[row]))
    over = np.maximum(load - capacity, 0)
    if over.any():
        what = "村不拆分而超出容量的学生 / students above capacity, villages being kept whole"
        notes.append(_excess(problem, band, t, what, over))
    low = assignment.transport(
        task.minutes, task.demand.astype(np.float64), np.maximum(capacity, load).astype(np.float64)
    ).bound
    if late:
        notes.append(Note(band, _BY_THE_CLOCK, str(problem.years[t])))
    return _Drawn(site, float(low), tuple(notes), used, tuple(rows))


def _who_is_short(task: _Task, places: Cost) -> list[Note]:
    """Name villages with more students than there are places at all the schools they may go to."""
    found = too_few_places(task.wanted, task.demand.astype(np.float64), places)
    if found is None:
        return []
    problem = task.problem
    rows, sites = found[0][task.demand[found[0]] > 0], found[1]
    students, seats = int(task.demand[rows].sum()), int(places[sites].sum())
    villages = [problem.village_ids[problem.group_village[i]] for i in task.groups[rows]]
    schools = [problem.site_ids[j] for j in sites]
    figures = (
        f"{problem.years[task.t]}: {_named(villages)} → {_named(schools)}，"
        f"{students} / {seats}，{students - seats}"
    )
    what = (
        "这些村只能去这些学校，学生数/学位数，缺口"
        " / villages that can go only to these schools, students/places, too few by"
    )
    return [Note(task.band, what, figures)]


def _named(ids: list[str], most: int = 12) -> str:
    """Return ids as text, cut off after the first ones, with how many there are."""
    return "、".join(ids) if len(ids) <= most else f"{'、'.join(ids[:most])}…（{len(ids)}）"


def _demand_seats(task: _Task, most: Cost) -> None:
    """Refuse, with a witness, where the most that schools may hold is too little."""
    if np.isinf(most).all():
        return
    found = too_few_places(task.wanted, task.demand.astype(np.float64), most)
    if found is not None:
        rows, sites = found
        raise NoPlanError(
            Witness(
                task.band, task.t, "places", tuple(task.groups[rows].tolist()),
                tuple(sites.tolist()), int(task.demand[rows].sum()), int(most[sites].sum()),
            )
        )  # fmt: skip


class _Seats(NamedTuple):
    """Places of the sites, with those added, the most allowed, and who is seated where."""

    places: npt.NDArray[np.int64]
    capacity: npt.NDArray[np.int64]
    most: Cost
    share: npt.NDArray[np.int64]


class _Divided(NamedTuple):
    """Demand and cost of what the search assigns whole, who of the shared goes where, the plan."""

    whole: npt.NDArray[np.int64]
    wanted: Cost
    parts: dict[int, dict[int, int]]
    site: Int32


def _room(
    task: _Task, seats: _Seats, divided: _Divided, home: Int32, slack: float
) -> tuple[Int32, Cost]:
    """Homes as the search may keep them, and places left to it at a slack."""
    at = np.maximum(home, 0)
    fits = (home >= 0) & np.isfinite(divided.wanted[at, np.arange(len(home))])
    own = np.where(fits, home, -1).astype(np.int32)
    taken = np.zeros(len(home))
    for row, count in divided.parts.items():
        for j, k in count.items():
            if np.isinf(divided.wanted[row, j]):
                taken[j] += k
    usable = task.problem.must_open[:, task.band, task.t]
    everybody = np.full(len(home), float(task.demand.sum()))
    wide = everybody if np.isinf(slack) else np.ceil(seats.capacity * (1 + slack))
    room = np.maximum(wide - taken, np.where(fits, divided.whole[at], 0))
    room = np.where(usable, np.minimum(room, seats.most - taken), 0.0)
    return own, np.maximum(room, 0.0)


def _whole_witness(task: _Task, seats: _Seats, *, proved: bool) -> Witness:
    """Say that numbers alone allow a plan, and whole connected catchments do not."""
    usable = task.problem.must_open[:, task.band, task.t]
    return Witness(
        task.band,
        task.t,
        "whole",
        tuple(task.groups.tolist()),
        tuple(np.flatnonzero(usable).tolist()),
        int(task.demand.sum()),
        int(np.minimum(seats.places, seats.most).sum()),
        proved,
    )


def _divisions(task: _Task, share: npt.NDArray[np.int64]) -> list[_Divided]:
    """Ways to divide the shared villages before the rest is drawn.

    First as in the optimum in which every village may be divided, or as told; then, where places
    and travel decide, with nobody of them counted, so that they take what the others leave.
    """
    none = np.zeros(0, dtype=np.int32)
    if not task.wishes.shared:
        return [_Divided(task.demand, task.wanted, {}, none)]
    first = _divided(task, share)
    whole, wanted, parts = task.demand.copy(), first.wanted.copy(), dict(first.parts)
    for row in _by_choice(task):
        whole[row], wanted[row] = 0, task.wanted[row]
        parts[row] = dict.fromkeys(parts[row], 0)
    told = [row for row in parts if row not in _by_choice(task)]
    whole[told] = first.whole[told]
    return [first, _Divided(whole, wanted, parts, none)] if _by_choice(task) else [first]


def _by_choice(task: _Task) -> list[int]:
    """Rows of the shared villages without given shares."""
    row_of = {int(i): k for k, i in enumerate(task.groups)}
    return [row_of[i] for s in task.wishes.shared if not s.shares for i in s.groups if i in row_of]


def _divided(task: _Task, share: npt.NDArray[np.int64]) -> _Divided:
    whole, wanted = task.demand.copy(), task.wanted.copy()
    parts: dict[int, dict[int, int]] = {}
    row_of = {int(i): k for k, i in enumerate(task.groups)}
    for shared in task.wishes.shared:
        for i in shared.groups:
            if i not in row_of:
                continue
            row = row_of[i]
            sites = [j for j in shared.sites if np.isfinite(wanted[row, j])]
            count = {j: int(share[row, j]) for j in sites}
            if shared.shares:
                weight = np.array([shared.shares[shared.sites.index(j)] for j in sites])
                count = _by_share(weight, sites, int(task.demand[row]))
            first = max(sites, key=lambda j: (count[j], -float(wanted[row, j])))
            wanted[row, [j for j in sites if j != first]] = np.inf
            whole[row] = count[first]
            parts[row] = count
    return _Divided(whole, wanted, parts, np.zeros(0, dtype=np.int32))


def _by_share(weight: Cost, sites: list[int], total: int) -> dict[int, int]:
    """Whole students in given shares, by largest remainders."""
    exact = weight / weight.sum() * total
    part = np.floor(exact + 1e-9).astype(np.int64)
    order = sorted(range(len(sites)), key=lambda k: (-(exact[k] - part[k]), k))
    for k in order[: total - int(part.sum())]:
        part[k] += 1
    return {j: int(k) for j, k in zip(sites, part, strict=True)}


def _again(
    task: _Task, site: Int32, divided: _Divided, capacity: npt.NDArray[np.int64]
) -> _Divided | None:
    """Divide the shared villages without given shares anew, in the places that the others leave.

    None where those places do not suffice and no division was made before.
    """
    free = _by_choice(task)
    kept = divided._replace(site=site)
    if not free:
        return kept
    load = np.bincount(site, weights=divided.whole, minlength=len(capacity))
    for row in free:
        load[site[row]] -= divided.whole[row]
    for row in set(divided.parts) - set(free):
        for j, k in divided.parts[row].items():
            load[j] += k if j != site[row] else 0
    counted = all(sum(divided.parts[row].values()) == task.demand[row] for row in free)
    for limit in (np.minimum(capacity, task.most()), task.most()):
        found = assignment.transport(
            task.wanted[free],
            task.demand[free].astype(np.float64),
            np.maximum(limit - load, 0.0),
        )
        if found.status != "infeasible" and found.share is not None:
            share = np.rint(np.asarray(found.share.todense())).astype(np.int64)
            parts = dict(divided.parts)
            for k, row in enumerate(free):
                parts[row] = {j: int(share[k, j]) for j in parts[row]}
            return kept._replace(parts=parts)
        if counted:
            return kept
    return None


def _overflow(
    demand: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    cost: Cost,
    most: Cost,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Fewest places that must be added, and where, so that every student can be seated.

    Each site gets a twin, as large as the site may grow, whose seats cost more than any journey.
    The second answer is how many of each row go to each site.
    """
    finite = cost[np.isfinite(cost)]
    penalty = (float(finite.max()) if len(finite) else 0.0) * 10 + 1000
    twin = np.where(np.isfinite(cost).any(axis=0), float(demand.sum()), 0.0)
    twin = np.clip(most - places, 0.0, twin)
    both = assignment.transport(
        np.hstack([cost, cost + penalty]),
        demand.astype(np.float64),
        np.concatenate([np.minimum(places, most), twin]),
    )
    if both.share is None:
        return np.zeros(len(places), dtype=np.int64), np.zeros(cost.shape, dtype=np.int64)
    share = np.asarray(both.share.todense())
    load = share[:, len(places) :].sum(axis=0)
    merged = share[:, : len(places)] + share[:, len(places) :]
    return np.ceil(load - 1e-6).astype(np.int64), np.rint(merged).astype(np.int64)


def _finish(
    problem: Problem,
    opened: Bool,
    site_of: Int32,
    method: str,
    started: float,
    seed: int,
    status: str,
    bound: float,
    notes: tuple[str, ...],
    elsewhere: Elsewhere | None = None,
) -> Plan:
    """Form the classes, look up the modes, and drop groups that cannot reach their site."""
    years = len(problem.years)
    rows = np.arange(len(site_of), dtype=np.int32)
    mode_of: Int8 = np.full(site_of.shape, -1, dtype=np.int8)
    site_of = site_of.copy()
    for t in range(years):
        minutes = problem.minutes[int(problem.network[t]), rows, np.maximum(site_of[:, t], 0)]
        site_of[(site_of[:, t] >= 0) & ~np.isfinite(minutes), t] = -1
        served = site_of[:, t] >= 0
        mode_of[served, t] = trip_mode(problem, rows[served], site_of[served, t], t)
    plan = Plan(
        open=opened.copy(),
        site_of=site_of,
        classes=np.zeros(0, dtype=np.int32),
        mode_of=mode_of,
        method=method,
        status=status,
        objective=0.0,
        bound=bound,
        seconds=0.0,
        seed=seed,
        notes=notes,
        elsewhere=elsewhere,
    )
    objective = _student_minutes(*split(problem, plan))
    if elsewhere is not None:
        # Who keeps a school may be nearer to it than any catchment within places allows.
        bound = min(bound, _all_nearest(problem))
    # Only where the lowest band alone is taught in a year (a teaching point) may grades share a
    # class; a school made a teaching point later may from then on.
    combined = opened[:, 0] & (opened.sum(axis=1) == 1)
    at_site = students_at(problem, plan)
    classes, _ = classes_for_plan(at_site, problem.rooms, problem.class_size, combined)
    return plan.replace(
        classes=classes, objective=objective, bound=bound, seconds=time.perf_counter() - started
    )


def _student_minutes(problem: Problem, plan: Plan) -> float:
    total, demand = 0.0, problem.demand()
    for t in range(len(problem.years)):
        served = np.flatnonzero(plan.site_of[:, t] >= 0)
        net = int(problem.network[t])
        minutes = problem.minutes[net, served, plan.site_of[served, t]].astype(np.float64)
        total += float((demand[served, t] * minutes).sum())
    return total


def _all_nearest(problem: Problem) -> float:
    """Student-minutes if everybody went to the nearest school that is open."""
    total, demand = 0.0, problem.demand()
    for t in range(len(problem.years)):
        for band in range(len(problem.bands)):
            members = _members(problem, band)
            cost = _cost(problem, members, band, t, problem.must_open[:, band, t])
            best = cost.min(axis=1)
            some = np.isfinite(best)
            total += float((demand[members[some], t] * best[some]).sum())
    return total
