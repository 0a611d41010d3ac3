"""A whole plan from who goes where: classes, modes, students counted where they go."""

from __future__ import annotations

import time

import numpy as np

from catchment.optimise.layouts.weights import members_of, minutes_of
from catchment.places import classes_for_plan
from catchment.plan import Elsewhere, Plan, split, students_at, trip_mode
from catchment.problem import Bool, Int8, Int32, Problem


def finished(
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
    """Form the classes, look up the modes, and drop groups that cannot reach their site.

    Parameters
    ----------
    problem : Problem
        The question.
    opened : (m, b, t) bool
        What is taught.
    site_of : (n, t) int32
        Site of each group, -1 = unserved.
    method : str
        Method that made it.
    started : float
        ``time.perf_counter()`` at its start.
    seed : int
        Its seed.
    status : str
        Its status.
    bound : float
        Student-minutes that no plan of the question goes below.
    notes : tuple of str
        Its notes.
    elsewhere : Elsewhere, optional
        Students who do not go to the school of their group.

    Returns
    -------
    Plan
        The whole plan.
    """
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
            members = members_of(problem, band)
            cost = minutes_of(problem, members, band, t, problem.must_open[:, band, t])
            best = cost.min(axis=1)
            some = np.isfinite(best)
            total += float((demand[members[some], t] * best[some]).sum())
    return total
