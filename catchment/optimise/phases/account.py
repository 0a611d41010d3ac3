"""What a plan costs, counted plainly from the plan itself; knows nothing of the search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catchment.optimise.phases.combined import classes_counted
from catchment.optimise.phases.costs import Costs
from catchment.optimise.phases.question import Breakdown, Building, Question
from catchment.plan import Plan
from catchment.problem import Int32, Problem

ITEMS = (
    "teachers",
    "sites",
    "bus",
    "boarding",
    "rooms",
    "beds",
    "seats",
    "naps",
    "new_sites",
    "moves",
    "minutes",
    "unserved",
)
"""Kinds of cost, in order."""


def grade_sites(problem: Problem, site_of: Int32, transition: str) -> Int32:
    """Site of the students of every group, grade and year.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    site_of : (n, t) int32
        Site of each group, -1 = unserved.
    transition : {"together", "finish"}
        With ``finish``, students are where their own entrants' year went to.

    Returns
    -------
    (n, g, t) int32
        Site, -1 = unserved; only entries of the group's own grades mean anything.
    """
    n, years = site_of.shape
    out = np.empty((n, len(problem.grades), years), dtype=np.int32)
    for g, band in enumerate(problem.grade_band):
        first = int(np.flatnonzero(problem.grade_band == band)[0])
        back = g - first if transition == "finish" else 0
        for t in range(years):
            out[:, g, t] = site_of[:, max(t - back, 0)]
    return out


def students_there(problem: Problem, where: Int32) -> Int32:
    """Students of each site by grade and year.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    where : (n, g, t) int32
        Site of every group, grade and year.

    Returns
    -------
    (m, g, t) int32
        Students.
    """
    out = np.zeros((len(problem.site_ids), len(problem.grades), len(problem.years)), dtype=np.int32)
    i, g, t = np.nonzero((problem.students > 0) & (where >= 0))
    np.add.at(out, (where[i, g, t], g, t), problem.students[i, g, t])
    return out


def cost_of(
    problem: Problem,
    plan: Plan,
    costs: Costs,
    *,
    built: Building | None = None,
    transition: str = "together",
    site_build: npt.NDArray[np.float64] | None = None,
) -> Breakdown:
    """Count what a plan costs, whoever made it.

    Teachers: whole classes by grade at the standard class size, whether or not there is a room for
    each; at a teaching point small neighbouring grades share a class. Minutes, bus and boarding: from every student's own trip; a boarder travels once a week.
    Building: charged in equal parts over its life from the year of first use. Moves: students of a
    group in the first year at another site. Unserved: students without a school, from the second
    year on, where some site that could host them can be reached.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    plan : Plan
        Any plan of it.
    costs : Costs
        Figures in yuan.
    built : Building, optional
        What is built; nothing by default.
    transition : {"together", "finish"}
        Whether current students finish where they are.
    site_build : (m,) float64, optional
        Yuan of opening each site, see :class:`catchment.optimise.phases.question.Question`.

    Returns
    -------
    Breakdown
        Yuan by kind and year.
    """
    years = len(problem.years)
    weight = costs.weights(problem.years)
    yuan = np.zeros((len(ITEMS), years))
    where = grade_sites(problem, plan.site_of, transition)
    at_site = students_there(problem, where)
    classes = classes_counted(problem, at_site, plan.open, costs)
    new = ~problem.today_open.any(axis=1)
    life = costs.building_life
    opening = opening_yuan(costs, site_build, len(problem.site_ids))
    for t in range(years):
        row = dict.fromkeys(ITEMS, 0.0)
        row["teachers"] = costs.class_year * float(classes[:, :, t].sum())
        open_bands = plan.open[:, :, t].sum(axis=1)
        runs = open_bands > 0
        row["sites"] = costs.site_year * float(runs.sum()) + costs.band_year * float(
            (open_bands[runs] - 1).sum()
        )
        row["new_sites"] = float(opening[runs & new].sum())
        if built is not None:
            row["rooms"] = costs.room_build / life * float(built.rooms[:, t].sum())
            row["beds"] = costs.bed_build / life * float(built.beds[:, t].sum())
            row["seats"] = costs.seat_build / life * float(built.seats[:, t].sum())
            row["naps"] = costs.nap_build / life * float(built.naps[:, t].sum())
        _trips(problem, where, t, costs, row)
        if t:
            row["moves"] = costs.move * float(movers(problem, plan.site_of, transition)[:, t].sum())
        yuan[:, t] = [row[item] * weight[t] for item in ITEMS]
    return Breakdown(ITEMS, yuan)


def cost_asked(question: Question, plan: Plan, built: Building) -> Breakdown:
    """Count what a plan costs as an answer to a question.

    Parameters
    ----------
    question : Question
        Whose costs, transition and yuan of opening hold.
    plan : Plan
        Any plan of it.
    built : Building
        What is built.

    Returns
    -------
    Breakdown
        Yuan by kind and year, as of :func:`cost_of`.
    """
    return cost_of(
        question.problem,
        plan,
        question.costs,
        built=built,
        transition=question.transition,
        site_build=question.site_build,
    )


def opening_yuan(
    costs: Costs, site_build: npt.NDArray[np.float64] | None, sites: int
) -> npt.NDArray[np.float64]:
    """Yuan that a year of each new site bears of its opening.

    Parameters
    ----------
    costs : Costs
        Figures in yuan.
    site_build : (m,) float64 or None
        Yuan of opening each site; nan, or None, for the figure of the costs.
    sites : int
        Number of sites.

    Returns
    -------
    (m,) float64
        In equal parts over the life of a building.
    """
    own = np.full(sites, np.nan) if site_build is None else site_build
    return np.where(np.isnan(own), costs.site_build, own) / costs.building_life


def _trips(problem: Problem, where: Int32, t: int, costs: Costs, row: dict[str, float]) -> None:
    net = int(problem.network[t])
    band_hosts = problem.can_host[:, problem.group_band].T
    reachable = (np.isfinite(problem.minutes[net]) & band_hosts).any(axis=1)
    for i, g in zip(*np.nonzero(problem.students[:, :, t]), strict=True):
        count, site = int(problem.students[i, g, t]), int(where[i, g, t])
        minutes = float(problem.minutes[net, i, site]) if site >= 0 else np.inf
        if not np.isfinite(minutes):
            if t and reachable[i]:
                row["unserved"] += costs.unserved_year * count
            continue
        kind = problem.modes[problem.mode[net, i, site]]
        trips = 2 * (costs.school_weeks if kind == "board" else costs.school_days)
        row["minutes"] += costs.minute * trips * minutes * count
        if kind != "walk":
            row["bus"] += costs.bus_km * trips * float(problem.metres[net, i, site]) / 1000 * count
        if kind == "board":
            row["boarding"] += costs.boarding_year * count


def movers(problem: Problem, site_of: Int32, transition: str) -> npt.NDArray[np.int64]:
    """Students of each group who begin at another site, by the year of the change.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    site_of : (n, t) int32
        Site of each group.
    transition : {"together", "finish"}
        With ``finish`` only entrants change.

    Returns
    -------
    (n, t) int64
        Students; zero in the first year. A group that had no school before does not move.
    """
    out = np.zeros(site_of.shape, dtype=np.int64)
    demand = problem.demand()
    entrants = np.zeros_like(demand)
    for b in range(len(problem.bands)):
        mine = np.flatnonzero(problem.group_band == b)
        first = int(np.flatnonzero(problem.grade_band == b)[0])
        entrants[mine] = problem.students[mine, first]
    counted = entrants if transition == "finish" else demand
    last = site_of[:, 0].copy()
    for t in range(1, site_of.shape[1]):
        here = site_of[:, t]
        out[:, t] = np.where((here >= 0) & (last >= 0) & (here != last), counted[:, t], 0)
        last = np.where(here >= 0, here, last)
    return out
