"""Plans for a given set of open schools: as today, nearest, or within the places there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise import assignment, contiguity, districting
from catchment.places import classes_for_plan
from catchment.plan import Plan
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

    Returns
    -------
    Plan
        With notes on what had to be moved or could not be seated.
    """
    started = time.perf_counter()
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
            cost = _cost(problem, members, band, t, usable)
            cost = _preferring_walks(problem, members, t, cost)
            before = site_of[members, t - 1] if t else problem.today[members]
            if stay_minutes:
                cost = _sticky(cost, before, stay_minutes)
            cost = _forward_only(cost, problem.today[members], site_of[members, :t], before, usable)
            way = method if t >= start else "today"
            if way == "capacity":
                drawn = _capacity(problem, members, band, t, cost, fixed, clock, seed)
                site, low, more, used = drawn
                clock = clock.less(used)
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
    )


def recorded_plan(
    problem: Problem,
    site_of: Int32,
    method: str,
    *,
    bound: float = float("nan"),
    seed: int = 0,
    notes: tuple[str, ...] = (),
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

    Returns
    -------
    Plan
        Classes, modes and objective computed anew.
    """
    started = time.perf_counter()
    return _finish(
        problem, problem.must_open, site_of, method, started, seed, "feasible", bound, notes
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


RIDE_MINUTES = 30.0
"""How many minutes longer a ride counts when schools are compared: walking before the bus."""

RETURN_MINUTES = 60.0
"""How many minutes longer a school counts that the village has left in an earlier year."""


def _least(problem: Problem, members: Int32, band: int, t: int, site: Int32) -> float:
    """Student-minutes if all who are served went to the nearest open school: none has fewer."""
    minutes = _cost(problem, members, band, t, problem.must_open[:, band, t])
    demand = problem.demand()[members, t]
    rows = np.flatnonzero((site >= 0) & np.isfinite(minutes[np.arange(len(site)), site]))
    return float((demand[rows] * minutes[rows].min(axis=1)).sum())


def _preferring_walks(problem: Problem, members: Int32, t: int, cost: Cost) -> Cost:
    """Make rides dearer than walks, so that a bus never beats a school within walking distance."""
    walks = problem.mode[problem.network[t], members] == problem.modes.index("walk")
    dearer: Cost = cost + np.where(walks, 0.0, RIDE_MINUTES)
    return dearer


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
    """Catchments of a band and year, their bound, what had to be done, seconds of search."""

    site: Int32
    bound: float
    notes: tuple[Note, ...]
    seconds: float


def _capacity(
    problem: Problem,
    members: Int32,
    band: int,
    t: int,
    cost: Cost,
    fixed: Int32,
    clock: _Clock,
    seed: int,
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
    served = np.flatnonzero(np.isfinite(wanted).any(axis=1)).astype(np.int32)
    if not len(served):
        return _Drawn(np.full(len(members), -1, dtype=np.int32), 0.0, (), 0.0)
    wanted, demand, minutes = wanted[served], demand[served], minutes[served]
    places = band_places(problem, band, t).astype(np.int64)
    short, seated = _overflow(demand, places, wanted)
    notes: list[Note] = []
    if short.any():
        notes.append(_excess(problem, band, t, "学位缺口，超出标准容量接收 / places short", short))
    position = np.full(len(members), -1, dtype=np.int32)
    position[served] = np.arange(len(served), dtype=np.int32)
    home = _homes(problem, usable, minutes, position, fixed)
    capacity = places + short
    own = np.where(home >= 0, demand[np.maximum(home, 0)], 0)
    neighbours = problem.neighbours[served][:, served]
    site = np.full(len(members), -1, dtype=np.int32)
    used, late = 0.0, False
    for slack in SLACKS:
        room = np.where(usable, np.maximum(np.ceil(capacity * (1 + slack)), own), 0)
        solution = assignment.districts(
            wanted, demand, room, neighbours, home,
            time_limit=max(clock.share() - used, 0.1), seed=seed, work=clock.work(len(served)),
        )  # fmt: skip
        used += solution.seconds
        late = late or solution.timed_out
        if (solution.site_of >= 0).all() and solution.status in ("optimal", "feasible"):
            site[served] = solution.site_of
            break
    else:
        site[served] = contiguity.connect(seated, wanted, neighbours, home, usable)
    load = np.bincount(site[served], weights=demand, minlength=len(places)).astype(np.int64)
    over = np.maximum(load - capacity, 0)
    if over.any():
        what = "村不拆分而超出容量的学生 / students above capacity, villages being kept whole"
        notes.append(_excess(problem, band, t, what, over))
    low = assignment.transport(
        minutes, demand.astype(np.float64), np.maximum(capacity, load).astype(np.float64)
    ).bound
    if late:
        notes.append(Note(band, _BY_THE_CLOCK, str(problem.years[t])))
    return _Drawn(site, float(low), tuple(notes), used)


def _overflow(
    demand: npt.NDArray[np.int64], places: npt.NDArray[np.int64], cost: Cost
) -> tuple[npt.NDArray[np.int64], Int32]:
    """Fewest places that must be added, and where, so that every student can be seated.

    Each site gets a twin of unlimited size whose seats cost more than any journey. The second
    answer is the site that takes most of each village.
    """
    finite = cost[np.isfinite(cost)]
    penalty = (float(finite.max()) if len(finite) else 0.0) * 10 + 1000
    twin = np.where(np.isfinite(cost).any(axis=0), int(demand.sum()), 0)
    both = assignment.transport(
        np.hstack([cost, cost + penalty]),
        demand.astype(np.float64),
        np.concatenate([places, twin]).astype(np.float64),
    )
    nearest = assignment.nearest(cost)
    if both.share is None:
        return np.zeros(len(places), dtype=np.int64), nearest
    share = np.asarray(both.share.todense())
    load = share[:, len(places) :].sum(axis=0)
    merged = share[:, : len(places)] + share[:, len(places) :]
    most = np.where(merged.sum(axis=1) > 0, merged.argmax(axis=1), nearest)
    return np.ceil(load - 1e-6).astype(np.int64), most.astype(np.int32)


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
) -> Plan:
    """Form the classes, look up the modes, and drop groups that cannot reach their site."""
    years = len(problem.years)
    rows = np.arange(len(site_of))
    mode_of: Int8 = np.full(site_of.shape, -1, dtype=np.int8)
    site_of = site_of.copy()
    objective = 0.0
    demand = problem.demand()
    for t in range(years):
        net = int(problem.network[t])
        site = np.maximum(site_of[:, t], 0)
        minutes = problem.minutes[net, rows, site].astype(np.float64)
        site_of[(site_of[:, t] >= 0) & ~np.isfinite(minutes), t] = -1
        served = site_of[:, t] >= 0
        mode = problem.mode[net, rows, site]
        if problem.daily_mode is not None:
            # Boarding needs a bed in the year itself; without one the child travels every day.
            bed = problem.beds[site, t] > 0
            mode = np.where(bed, mode, problem.daily_mode[net, rows, site])
        mode_of[:, t] = np.where(served, mode, -1)
        objective += float((demand[served, t] * minutes[served]).sum())
    at_site = students_at_sites(problem, site_of)
    # Only where the lowest band alone is taught in a year (a teaching point) may grades share a
    # class; a school made a teaching point later may from then on.
    combined = opened[:, 0] & (opened.sum(axis=1) == 1)
    classes, _ = classes_for_plan(at_site, problem.rooms, problem.class_size, combined)
    return Plan(
        open=opened.copy(),
        site_of=site_of,
        classes=classes,
        mode_of=mode_of,
        method=method,
        status=status,
        objective=objective,
        bound=bound,
        seconds=time.perf_counter() - started,
        seed=seed,
        notes=notes,
    )


def students_at_sites(problem: Problem, site_of: Int32) -> Int32:
    """Students at each site by grade and year under an assignment.

    Parameters
    ----------
    problem : Problem
        The question.
    site_of : (n, t) int32
        Site of each group, -1 = unserved.

    Returns
    -------
    (m, g, t) int32
        Students.
    """
    out = np.zeros((len(problem.site_ids), len(problem.grades), len(problem.years)), dtype=np.int32)
    for t in range(len(problem.years)):
        served = site_of[:, t] >= 0
        np.add.at(out[:, :, t], site_of[served, t], problem.students[served, :, t])
    return out
