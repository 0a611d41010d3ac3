"""Catchments that hold together: where they begin, and joining what is cut off."""

from __future__ import annotations

import numpy as np

from catchment.optimise import contiguity
from catchment.optimise.layouts.told import Note
from catchment.optimise.layouts.weights import Cost
from catchment.problem import Bool, Int32, Problem


def homes(problem: Problem, usable: Bool, minutes: Cost, position: Int32, fixed: Int32) -> Int32:
    """Row of each open site's own village, -1 for the second site of a village or one cut off.

    ``position`` turns a village into a row of ``minutes``, -1 where it has none. Where the own
    village must go elsewhere (``fixed``, by village), the nearest village that need not stands in
    for it, so that the catchment does not begin behind another one.

    Parameters
    ----------
    problem : Problem
        The question.
    usable : (m,) bool
        Sites that are open.
    minutes : (r, m) float64
        Minutes of the rows.
    position : (v,) int32
        Row of each village.
    fixed : (v,) int32
        Site that each village must go to, -1 = none.

    Returns
    -------
    (m,) int32
        Rows.
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


def connected_plan(
    problem: Problem,
    site: Int32,
    members: Int32,
    cost: Cost,
    fixed: Int32,
    band: int,
    t: int,
) -> tuple[Int32, tuple[Note, ...]]:
    """Join pieces that are cut off from their school to catchments beside them.

    Parameters
    ----------
    problem : Problem
        The question.
    site : (k,) int32
        A plan of the members.
    members : (k,) int32
        Groups of the band.
    cost : (k, m) float64
        Minutes as they count.
    fixed : (k,) int32
        Site that each must go to, -1 = none.
    band, t : int
        Positions of band and year.

    Returns
    -------
    site : (k,) int32
        The plan in whole catchments where that can be had.
    notes : tuple of Note
        What was moved.
    """
    usable = problem.must_open[:, band, t]
    everyone = np.arange(len(members), dtype=np.int32)
    home = homes(problem, usable, cost, everyone, fixed)
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
