"""What a trip counts when schools are compared: rides, borders, bars, schools left before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catchment.optimise.wishes import RIDE_MINUTES, Wishes, barred_pairs
from catchment.problem import Bool, Int32, Problem

Cost = npt.NDArray[np.float64]

RETURN_MINUTES = 60.0
"""How many minutes longer a school counts that the village has left in an earlier year."""


def members_of(problem: Problem, band: int) -> Int32:
    """List the groups of a band.

    Parameters
    ----------
    problem : Problem
        The question.
    band : int
        Position of the band.

    Returns
    -------
    (k,) int32
        Groups, ascending.
    """
    return np.flatnonzero(problem.group_band == band).astype(np.int32)


def still_open(wanted: Int32, usable: Bool) -> Int32:
    """Blank out wishes for a site that is not open.

    Parameters
    ----------
    wanted : (k,) int32
        Sites, -1 = none.
    usable : (m,) bool
        Sites that are open.

    Returns
    -------
    (k,) int32
        The same, -1 where the site is not open.
    """
    return np.where((wanted >= 0) & usable[np.maximum(wanted, 0)], wanted, -1).astype(np.int32)


def sent_to(problem: Problem, wishes: Wishes, members: Int32, t: int, usable: Bool) -> Int32:
    """Find the sites that actions send groups to, their present ones included.

    Parameters
    ----------
    problem : Problem
        The question.
    wishes : Wishes
        What planners add.
    members : (k,) int32
        Groups of the band.
    t : int
        Position of the year.
    usable : (m,) bool
        Sites that are open.

    Returns
    -------
    (k,) int32
        Sites, -1 = free.
    """
    fixed = still_open(problem.fixed_site[members, t], usable)
    if wishes.pinned is None:
        return fixed
    return np.where(fixed >= 0, fixed, still_open(wishes.pinned[members, t], usable))


def minutes_of(problem: Problem, members: Int32, band: int, t: int, usable: Bool) -> Cost:
    """Minutes of a band's groups to the sites that are open.

    Parameters
    ----------
    problem : Problem
        The question.
    members : (k,) int32
        Groups of the band.
    band, t : int
        Positions of band and year.
    usable : (m,) bool
        Sites that are open.

    Returns
    -------
    (k, m) float64
        Minutes one way, inf where no way leads or the site is closed.
    """
    cost: Cost = problem.minutes[problem.network[t], members].astype(np.float64)
    cost[:, ~usable] = np.inf
    return cost


def least_minutes(problem: Problem, members: Int32, band: int, t: int, site: Int32) -> float:
    """Student-minutes if all who are served went to the nearest open school: none has fewer.

    Parameters
    ----------
    problem : Problem
        The question.
    members : (k,) int32
        Groups of the band.
    band, t : int
        Positions of band and year.
    site : (k,) int32
        Plan of the members, -1 = unserved.

    Returns
    -------
    float
        Student-minutes.
    """
    minutes = minutes_of(problem, members, band, t, problem.must_open[:, band, t])
    demand = problem.demand()[members, t]
    rows = np.flatnonzero((site >= 0) & np.isfinite(minutes[np.arange(len(site)), site]))
    return float((demand[rows] * minutes[rows].min(axis=1)).sum())


def preferring_walks(
    problem: Problem, members: Int32, t: int, cost: Cost, minutes: float = RIDE_MINUTES
) -> Cost:
    """Make rides dearer than walks, so that a bus never beats a school within walking distance.

    Parameters
    ----------
    problem : Problem
        The question.
    members : (k,) int32
        Groups of the band.
    t : int
        Position of the year.
    cost : (k, m) float64
        Minutes.
    minutes : float
        How much longer a ride counts.

    Returns
    -------
    (k, m) float64
        Minutes as they count.
    """
    walks = problem.mode[problem.network[t], members] == problem.modes.index("walk")
    dearer: Cost = cost + np.where(walks, 0.0, minutes)
    return dearer


def wanted_minutes(problem: Problem, members: Int32, band: int, t: int, wishes: Wishes) -> Cost:
    """Minutes as they count in a choice: what is barred is no choice, rides and borders are dear.

    Parameters
    ----------
    problem : Problem
        The question.
    members : (k,) int32
        Groups of the band.
    band, t : int
        Positions of band and year.
    wishes : Wishes
        What planners add.

    Returns
    -------
    (k, m) float64
        Minutes as they count, inf where a pair must not be.
    """
    cost = minutes_of(problem, members, band, t, problem.must_open[:, band, t])
    cost = preferring_walks(problem, members, t, cost, wishes.ride_minutes)
    if wishes.extra is not None:
        cost = cost + wishes.extra[members]
    cost[barred_pairs(problem, wishes, members, band, t)] = np.inf
    return cost


def forward_only(cost: Cost, today: Int32, past: Int32, before: Int32, usable: Bool) -> Cost:
    """Make schools dear that a village has left: no going back and forth.

    A village whose present school closes must move anyway, and may go back.

    Parameters
    ----------
    cost : (k, m) float64
        Minutes.
    today : (k,) int32
        Sites of today, -1 = none.
    past : (k, t) int32
        Sites of the years before.
    before : (k,) int32
        Sites of the year before.
    usable : (m,) bool
        Sites that are open.

    Returns
    -------
    (k, m) float64
        Minutes as they count.
    """
    left = np.zeros(cost.shape, dtype=bool)
    settled = still_open(before, usable) >= 0
    for earlier in (today, *past.T):
        rows = np.flatnonzero(settled & (earlier >= 0) & (earlier != before))
        left[rows, earlier[rows]] = True
    dearer: Cost = cost + np.where(left, RETURN_MINUTES, 0.0)
    return dearer


def sticky(cost: Cost, today: Int32, stay_minutes: float) -> Cost:
    """Make every school but today's dearer.

    Parameters
    ----------
    cost : (k, m) float64
        Minutes.
    today : (k,) int32
        Sites that are better kept, -1 = none.
    stay_minutes : float
        How much longer every other site counts.

    Returns
    -------
    (k, m) float64
        Minutes as they count.
    """
    moved = np.ones(cost.shape, dtype=bool)
    known = np.flatnonzero(today >= 0)
    moved[known, today[known]] = False
    moved[today < 0] = False
    dearer: Cost = cost + np.where(moved, stay_minutes, 0.0)
    return dearer
