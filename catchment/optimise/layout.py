"""Plans for a given set of open schools: as today, nearest, or within the places there are."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from catchment.optimise import assignment, contiguity
from catchment.places import classes_for_plan
from catchment.plan import Plan
from catchment.problem import Bool, Int8, Int32, Problem

Cost = npt.NDArray[np.float64]
Assign = Callable[[Problem, int, int, Cost, Int32], tuple[Int32, str, float, tuple[str, ...]]]


def today_plan(problem: Problem) -> Plan:
    """Today's arrangement carried through all years: the same schools, the same catchments.

    Groups without a designated school go to the nearest school that is open today.

    Parameters
    ----------
    problem : Problem
        The question.

    Returns
    -------
    Plan
        Method ``today``.
    """
    started = time.perf_counter()
    years = len(problem.years)
    opened = np.repeat(problem.today_open[:, :, None], years, axis=2)
    base = problem.replace(
        rooms=np.repeat(problem.rooms[:, :1], years, axis=1),
        network=np.zeros(years, dtype=np.int32),
    )
    site_of = np.full((len(problem.group_band), years), -1, dtype=np.int32)
    for band in range(len(problem.bands)):
        members = np.flatnonzero(problem.group_band == band)
        cost = _cost(base, members, band, 0, opened[:, band, 0])
        kept = _usable(problem.today[members], opened[:, band, 0])
        site = np.where(kept >= 0, kept, assignment.nearest(cost))
        site_of[members] = site[:, None]
    return _finish(base, opened, site_of, "today", started, 0, "feasible", np.nan, ())


def scenario_plan(
    problem: Problem,
    method: str,
    *,
    connected: bool = True,
    time_limit: float = 20.0,
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
    time_limit : float
        Seconds for the whole plan (``capacity``).
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
    notes: list[str] = []
    bound = 0.0
    statuses: set[str] = set()
    share = time_limit / (years * bands)
    for t in range(years):
        for band in range(bands):
            if progress is not None:
                progress(f"{problem.years[t]} · {problem.bands[band]}")
            members = np.flatnonzero(problem.group_band == band)
            usable = problem.must_open[:, band, t]
            cost = _cost(problem, members, band, t, usable)
            fixed = _usable(problem.fixed_site[members, t], usable)
            if method == "capacity":
                site, status, low, more = _capacity(
                    problem, members, band, t, cost, fixed, share, seed
                )
            else:
                wanted = assignment.nearest(cost)
                if method == "today":
                    kept = _usable(problem.today[members], usable)
                    wanted = np.where(kept >= 0, kept, wanted)
                site = np.where(fixed >= 0, fixed, wanted).astype(np.int32)
                status, low, more = "feasible", np.nan, ()
                if connected and method == "nearest":
                    site, more = _connect(problem, site, members, cost, fixed, band, t)
            site_of[members, t] = site
            statuses.add(status)
            bound += low
            notes.extend(more)
    status = "optimal" if statuses == {"optimal"} else "feasible"
    return _finish(
        problem, problem.must_open, site_of, method, started, seed, status, bound, tuple(notes)
    )


def _usable(wanted: Int32, usable: Bool) -> Int32:
    """Blank out wishes for a site that is not open."""
    return np.where((wanted >= 0) & usable[np.maximum(wanted, 0)], wanted, -1).astype(np.int32)


def _cost(problem: Problem, members: Int32, band: int, t: int, usable: Bool) -> Cost:
    cost = problem.minutes[problem.network[t], members].astype(np.float64)
    cost[:, ~usable] = np.inf
    return cost


def _homes(problem: Problem, usable: Bool, cost: Cost) -> Int32:
    """Village of each open site, -1 for a second site in one village or one it cannot reach."""
    home = np.full(len(problem.home), -1, dtype=np.int32)
    best: dict[int, int] = {}
    for j in np.flatnonzero(usable):
        village = int(problem.home[j])
        if np.isfinite(cost[village, j]) and (
            village not in best or cost[village, j] < cost[village, best[village]]
        ):
            best[village] = int(j)
    for village, j in best.items():
        home[j] = village
    return home


def _connect(
    problem: Problem,
    site: Int32,
    members: Int32,
    cost: Cost,
    fixed: Int32,
    band: int,
    t: int,
) -> tuple[Int32, tuple[str, ...]]:
    usable = problem.must_open[:, band, t]
    home = _homes(problem, usable, cost)
    whole = contiguity.connect(site, cost, problem.neighbours, home, usable)
    whole = np.where(fixed >= 0, fixed, whole).astype(np.int32)
    moved = np.flatnonzero(whole != site)
    if not len(moved):
        return site, ()
    demand = problem.demand()[members, t]
    reach = moved[np.isfinite(cost[moved, whole[moved]]) & np.isfinite(cost[moved, site[moved]])]
    extra = float((demand[reach] * (cost[reach, whole[reach]] - cost[reach, site[reach]])).sum())
    return whole, (
        (
            f"{problem.years[t]} {problem.bands[band]}: 为使学区连片调整 {len(moved)} 个村，"
            f"增加 {extra:.0f} 学生分钟 / {len(moved)} villages moved to keep catchments connected "
            f"(+{extra:.0f} student-minutes)"
        ),
    )


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
    return np.floor(rooms * size + 1e-9).astype(np.int32)


def _capacity(
    problem: Problem,
    members: Int32,
    band: int,
    t: int,
    cost: Cost,
    fixed: Int32,
    time_limit: float,
    seed: int,
) -> tuple[Int32, str, float, tuple[str, ...]]:
    usable = problem.must_open[:, band, t]
    demand = problem.demand()[members, t].astype(np.int64)
    limit = float(problem.trip_limit[band])
    allowed = np.where(cost <= np.maximum(limit, cost.min(axis=1, keepdims=True)), cost, np.inf)
    pinned = np.flatnonzero(fixed >= 0)
    allowed[pinned] = np.inf
    allowed[pinned, fixed[pinned]] = cost[pinned, fixed[pinned]]
    reachable = np.isfinite(allowed).any(axis=1)
    places = band_places(problem, band, t).astype(np.int64)
    short = _overflow(np.where(reachable, demand, 0), places, allowed)
    notes: list[str] = []
    name = f"{problem.years[t]} {problem.bands[band]}"
    if short.any():
        sites = "、".join(
            f"{problem.site_ids[j]}（{short[j]}）" for j in np.argsort(-short)[:8] if short[j]
        )
        notes.append(
            f"{name}: 限时范围内学位缺口 {short.sum()} 个，超出标准容量接收于 {sites} / "
            f"{short.sum()} places short within the travel limit; seated above standard there"
        )
    home = _homes(problem, usable, allowed)
    served = np.flatnonzero(reachable)
    position = np.full(len(members), -1, dtype=np.int32)
    position[served] = np.arange(len(served), dtype=np.int32)
    home = np.where(home >= 0, position[np.maximum(home, 0)], -1).astype(np.int32)
    capacity = places + short
    neighbours = problem.neighbours[served][:, served]
    site = np.full(len(members), -1, dtype=np.int32)
    solution = None
    # Whole villages need a little more room than divided ones: the slack is found, and told.
    for slack in (0.0, 0.05, 0.1, 0.2, 0.4, 1.0):
        room = np.where(usable, np.ceil(capacity * (1 + slack)), 0).astype(np.int64)
        solution = assignment.districts(
            allowed[served],
            demand[served],
            room,
            neighbours,
            home,
            time_limit=time_limit,
            seed=seed,
        )
        if (solution.site_of >= 0).all() and solution.status in ("optimal", "feasible"):
            if slack:
                notes.append(
                    f"{name}: 整村划片须放宽容量 {slack:.0%} / whole villages need {slack:.0%} more room"
                )
            break
    else:
        notes.append(
            f"{name}: 找不到整村、连片且满足容量的划片，改用最近学校 / no connected plan of whole villages "
            "within the places was found; nearest schools are used"
        )
        nearest = assignment.nearest(allowed)
        return nearest, "feasible", np.nan, tuple(notes)
    site[served] = solution.site_of
    bound = solution.bound if not short.any() else np.nan
    return site, solution.status, bound, tuple(notes)


def _overflow(
    demand: npt.NDArray[np.int64], places: npt.NDArray[np.int64], cost: Cost
) -> npt.NDArray[np.int64]:
    """Fewest places that must be added, and where, so that every student can be seated.

    Each site gets a twin of unlimited size whose seats cost more than any journey.
    """
    finite = cost[np.isfinite(cost)]
    penalty = (float(finite.max()) if len(finite) else 0.0) * 10 + 1000
    total = int(demand.sum())
    twin = np.where(np.isfinite(cost).any(axis=0), total, 0)
    both = assignment.transport(
        np.hstack([cost, cost + penalty]), demand, np.concatenate([places, twin])
    )
    if both.share is None:
        return np.zeros(len(places), dtype=np.int64)
    load = np.asarray(both.share.sum(axis=0)).ravel()[len(places) :]
    return np.ceil(load - 1e-6).astype(np.int64)


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
        mode_of[:, t] = np.where(served, problem.mode[net, rows, site], -1)
        objective += float((demand[served, t] * minutes[served]).sum())
    at_site = students_at_sites(problem, site_of)
    combined = np.zeros(len(problem.site_ids), dtype=bool)
    combined |= opened.any(axis=2)[:, 0] & ~opened[:, 1:].any(axis=(1, 2))
    classes = classes_for_plan(at_site, problem.rooms, problem.class_size, combined)
    if isinstance(classes, tuple):
        classes = classes[0]
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
