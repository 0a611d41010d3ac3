"""Plans for a given set of open schools: as today, nearest, or within the places there are."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from catchment.optimise import assignment, districting, keeping
from catchment.optimise.layouts.drawing import Clock, drawn_catchments
from catchment.optimise.layouts.finished import finished
from catchment.optimise.layouts.joined import connected_plan
from catchment.optimise.layouts.told import Note, folded, unused
from catchment.optimise.layouts.weights import (
    forward_only,
    least_minutes,
    members_of,
    minutes_of,
    preferring_walks,
    sent_to,
    sticky,
    still_open,
    wanted_minutes,
)
from catchment.optimise.wishes import NoPlanError, Wishes, Witness
from catchment.plan import Elsewhere, Plan
from catchment.problem import Int32, Problem


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
        members = members_of(problem, band)
        usable = opened[:, band, 0]
        cost = preferring_walks(problem, members, 0, minutes_of(problem, members, band, 0, usable))
        kept = still_open(problem.today[members], usable)
        site = np.where(kept >= 0, kept, assignment.nearest(cost)).astype(np.int32)
        if not (kept >= 0).any():
            # A county that names no school at all: whole catchments are the fairer assumption.
            site, _ = connected_plan(problem, site, members, cost, kept, band, 0)
        site_of[members] = site[:, None]
    return finished(problem, opened, site_of, "today", started, 0, "feasible", np.nan, ())


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
        How long the search is, 1 = :data:`catchment.optimise.layouts.drawing.STEPS` a village (``capacity``). It ends by this work,
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
    clock = Clock(time_limit, (years - start) * bands, effort)
    if method == "capacity":
        districting.warm_up()
    for t in range(years):
        for band in range(bands):
            if progress is not None:
                progress(f"{problem.years[t]} · {problem.bands[band]}")
            members = members_of(problem, band)
            usable = problem.must_open[:, band, t]
            now = asked if t >= start else Wishes(ride_minutes=asked.ride_minutes)
            fixed = sent_to(problem, now, members, t, usable)
            cost = wanted_minutes(problem, members, band, t, now)
            before = site_of[members, t - 1] if t else problem.today[members]
            if stay_minutes:
                cost = sticky(cost, before, stay_minutes)
            cost = forward_only(cost, problem.today[members], site_of[members, :t], before, usable)
            way = method if t >= start else "today"
            if way == "capacity":
                drawn = drawn_catchments(problem, members, band, t, cost, fixed, clock, seed, now)
                site, low, more = drawn.site, drawn.bound, drawn.notes
                rows.extend(drawn.rows)
                clock = clock.less(drawn.seconds)
            else:
                wanted = assignment.nearest(cost)
                if way == "today":
                    kept = still_open(problem.today[members], usable)
                    wanted = np.where(kept >= 0, kept, wanted)
                site, more = np.where(fixed >= 0, fixed, wanted).astype(np.int32), ()
                if connected and way == "nearest":
                    site, more = connected_plan(problem, site, members, cost, fixed, band, t)
                low = least_minutes(problem, members, band, t, site)
            site_of[members, t] = site
            bound += low
            notes.extend(more)
            notes.extend(unused(problem, site, members, band, t))
    if asked.keep:
        but = frozenset(i for shared in asked.shared for i in shared.groups)
        rows = keeping.staying(
            problem, site_of, problem.must_open, rows, start, by_band=asked.keep_band
        )
        rows += keeping.kept(
            problem, site_of, problem.must_open,
            siblings=asked.siblings, but=but, by_band=asked.keep_band,
        )  # fmt: skip
    return finished(
        problem,
        problem.must_open,
        site_of,
        method,
        started,
        seed,
        "feasible",
        bound,
        folded(problem, notes),
        keeping.elsewhere(rows),
    )


def refused(
    problem: Problem,
    wishes: Wishes,
    band: int,
    t: int,
    *,
    effort: float = 1.0,
    time_limit: float = 20.0,
    seed: int = 0,
) -> Witness | None:
    """Say why no plan of ``capacity`` is found that does what is asked of one band and year.

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
    Witness or None
        None where a plan was found.
    """
    members = members_of(problem, band)
    usable = problem.must_open[:, band, t]
    fixed = sent_to(problem, wishes, members, t, usable)
    cost = wanted_minutes(problem, members, band, t, wishes)
    clock = Clock(time_limit, 1, effort)
    try:
        drawn_catchments(problem, members, band, t, cost, fixed, clock, seed, wishes)
    except NoPlanError as stuck:
        return stuck.witness
    return None


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
    return finished(
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
