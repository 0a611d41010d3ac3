"""The made-up county with villages that change school twice, as no single change tells."""

from __future__ import annotations

import dataclasses

import numpy as np

from catchment.plan import trip_mode
from catchment.run import Run


def by_two_steps(run: Run) -> tuple[Run, int]:
    """Send a village-band farther in two years, by less than ten minutes each time.

    Parameters
    ----------
    run : Run
        A run of three years or more.

    Returns
    -------
    Run
        The same with another plan.
    int
        Position of the village-band, whose trip ends more than ten minutes over today's.
    """
    problem = run.problem
    for i in range(len(problem.group_band)):
        here = int(run.today.site_of[i, 0])
        if here < 0 or not problem.students[i].sum():
            continue
        minutes = problem.minutes[problem.network[0], i]
        ready = run.plan.open[:, problem.group_band[i], -1] & np.isfinite(minutes)
        growth = minutes - minutes[here]
        middle = np.flatnonzero(ready & (growth > 5) & (growth < 9))
        end = np.flatnonzero(ready & (growth > 11) & (growth < 14))
        if len(middle) and len(end):
            return _through(run, i, int(middle[0]), int(end[0])), i
    raise AssertionError("no village fits")


def by_bus_and_back(run: Run, by: str = "bus") -> tuple[Run, int, int]:
    """Send a village that else walks to its school to a new one in the middle years.

    Parameters
    ----------
    run : Run
        A run of three years or more that builds a school.
    by : {"bus", "board"}
        How its children go in between.

    Returns
    -------
    Run
        The same with another plan.
    int
        Position of the village.
    int
        Position of the school built.
    """
    problem, walk = run.problem, run.problem.modes.index("walk")
    built = [
        j for j in range(len(problem.site_ids))
        if not problem.existing[j] and run.plan.open[j].any()
    ]  # fmt: skip
    for i in range(len(problem.group_band)):
        village, band = int(problem.group_village[i]), int(problem.group_band[i])
        mine = problem.group_village == village
        here = run.today.site_of[mine, 0]
        for j in built:
            if (here >= 0).all() and run.plan.open[j, band, -1] and not (here == j).any():
                site, mode = run.plan.site_of.copy(), run.plan.mode_of.copy()
                now = run.today.mode_of.copy()
                site[mine], mode[mine], now[mine] = here[:, None], walk, walk
                site[i, 1:-1], mode[i, 1:-1] = j, problem.modes.index(by)
                plan = run.plan.replace(site_of=site, mode_of=mode)
                today = run.today.replace(mode_of=now)
                return dataclasses.replace(run, plan=plan, today=today), village, j
    raise AssertionError("no village fits")


def _through(run: Run, i: int, middle: int, end: int) -> Run:
    """Today's school in the first year, another in between, a third in the last."""
    problem, site, mode = run.problem, run.plan.site_of.copy(), run.plan.mode_of.copy()
    site[i, 0], site[i, 1:-1], site[i, -1] = run.today.site_of[i, 0], middle, end
    group = np.array([i], np.int32)
    for t, j in enumerate(site[i]):
        mode[i, t] = trip_mode(problem, group, np.array([j], np.int32), t)[0]
    return dataclasses.replace(run, plan=run.plan.replace(site_of=site, mode_of=mode))
