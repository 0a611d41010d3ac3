"""The answer: what is open, who goes where, by which mode, in how many classes, each year."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.problem import Bool, Int8, Int32, Problem

STATUSES = ("optimal", "feasible", "infeasible", "unknown")


@dataclass(frozen=True)
class Elsewhere:
    """Students who go to another school than the one their village-band is assigned to.

    Those who were at a school before the catchments changed and keep it, and those of a village
    that several schools share. One row a group, grade, year and school.

    Attributes
    ----------
    group, grade, year, site : (k,) int32
        Positions in the problem's arrays.
    students : (k,) int32
        How many, 1 or more; never more, taken together, than the group has in that grade and year.
    shared : (k,) bool
        Whether they go there because several schools share the village, else because they keep
        the school they began at.
    """

    group: Int32
    grade: Int32
    year: Int32
    site: Int32
    students: Int32
    shared: Bool


@dataclass(frozen=True)
class Plan:
    """A decision for every village-band and year (sizes as in :mod:`catchment.problem`).

    Attributes
    ----------
    open : (m, b, t) bool
        Which sites teach which band in which year.
    site_of : (n, t) int32
        Site of each group; -1 = unserved.
    classes : (m, g, t) int32
        Classes formed by site, grade and year.
    mode_of : (n, t) int8
        Position in ``Problem.modes``; -1 = unserved.
    method : str
        How the plan was made: ``today``, ``nearest``, ``capacity``, ``consolidation``.
    status : str
        ``optimal``, ``feasible``, ``infeasible`` or ``unknown``.
    objective, bound : float
        Student-minutes one way, summed over the years, and a proved lower bound (nan: none).
    seconds : float
        Time the method took.
    seed : int
        Seed of the method.
    notes : tuple of str
        What the method had to do or could not do, for people.
    elsewhere : Elsewhere or None
        Students who do not go to the school of their group; None where all do. ``classes`` and
        ``objective`` count them where they go.
    """

    open: Bool
    site_of: Int32
    classes: Int32
    mode_of: Int8
    method: str
    status: str
    objective: float
    bound: float
    seconds: float
    seed: int
    notes: tuple[str, ...] = ()
    elsewhere: Elsewhere | None = None

    def replace(self, **changes: Any) -> Plan:
        """Return a copy with some fields replaced; the original is untouched.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        Plan
            The changed copy.
        """
        return dataclasses.replace(self, **changes)


def trip_mode(problem: Problem, groups: Int32, sites: Int32, t: int) -> Int8:
    """Mode by which groups travel to sites in a year.

    Parameters
    ----------
    problem : Problem
        The question.
    groups, sites : (k,) int
        Positions; sites 0 or more.
    t : int
        Position of the year.

    Returns
    -------
    (k,) int8
        Positions in ``problem.modes``. Boarding needs a bed in the year itself; without one the
        child travels every day.
    """
    net = int(problem.network[t])
    mode: Int8 = problem.mode[net, groups, sites]
    if problem.daily_mode is not None:
        bed = problem.beds[sites, t] > 0
        mode = np.where(bed, mode, problem.daily_mode[net, groups, sites]).astype(np.int8)
    return mode


def students_at(problem: Problem, plan: Plan) -> Int32:
    """Students at each site by grade and year, those who go elsewhere counted where they go.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    (m, g, t) int32
        Students.
    """
    out = np.zeros((len(problem.site_ids), len(problem.grades), len(problem.years)), dtype=np.int32)
    for t in range(len(problem.years)):
        served = plan.site_of[:, t] >= 0
        np.add.at(out[:, :, t], plan.site_of[served, t], problem.students[served, :, t])
    parts = plan.elsewhere
    if parts is not None:
        own = plan.site_of[parts.group, parts.year]
        there = own >= 0
        np.subtract.at(
            out, (own[there], parts.grade[there], parts.year[there]), parts.students[there]
        )
        np.add.at(out, (parts.site, parts.grade, parts.year), parts.students)
    return out


def split(problem: Problem, plan: Plan) -> tuple[Problem, Plan]:
    """Pose question and answer with one group for each school that a group's students go to.

    Measures, rules and checks that count whole groups then count everybody where they go.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    problem : Problem
        The groups of the question, without the students who go elsewhere, then for every village
        that has such students one more group a band and further school. The question itself where
        nobody goes elsewhere.
    plan : Plan
        The same answer on those groups, with no ``elsewhere``.
    """
    parts = plan.elsewhere
    if parts is None or not len(parts.group):
        return problem, plan
    bands, years = len(problem.bands), len(problem.years)
    rank = _ranks(parts)
    village = problem.group_village[parts.group]
    blocks = sorted(
        {(int(k), int(v)) for top, v in zip(rank, village, strict=True) for k in range(top + 1)}
    )
    place = {block: k for k, block in enumerate(blocks)}
    source = np.array([v * bands + b for _, v in blocks for b in range(bands)], dtype=np.int32)
    students = problem.students.copy()
    np.subtract.at(students, (parts.group, parts.grade, parts.year), parts.students)
    more = np.zeros((len(source), len(problem.grades), years), dtype=np.int32)
    site_of = plan.site_of[source].copy()
    block = np.array([place[int(k), int(v)] for k, v in zip(rank, village, strict=True)])
    row = block * bands + problem.group_band[parts.group]
    np.add.at(more, (row, parts.grade, parts.year), parts.students)
    site_of[row, parts.year] = parts.site
    mode_of = np.full(site_of.shape, -1, dtype=np.int8)
    for t in range(years):
        there = np.flatnonzero(site_of[:, t] >= 0)
        mode_of[there, t] = trip_mode(problem, source[there], site_of[there, t], t)
    every = np.concatenate([np.arange(len(problem.group_band), dtype=np.int32), source])
    fixed = problem.fixed_site[every].copy()
    fixed[len(problem.group_band) :] = -1
    daily = problem.daily_mode
    apart = problem.replace(
        group_village=problem.group_village[every],
        group_band=problem.group_band[every],
        students=np.concatenate([students, more]),
        minutes=problem.minutes[:, every],
        metres=problem.metres[:, every],
        mode=problem.mode[:, every],
        today=problem.today[every],
        fixed_site=fixed,
        daily_mode=None if daily is None else daily[:, every],
    )
    return apart, plan.replace(
        site_of=np.concatenate([plan.site_of, site_of]),
        mode_of=np.concatenate([plan.mode_of, mode_of]),
        elsewhere=None,
    )


def _ranks(parts: Elsewhere) -> npt.NDArray[np.int64]:
    """Position of each row's school among those that its group's students go to in that year."""
    seen: dict[tuple[int, int], list[int]] = {}
    for i, t, j in zip(parts.group.tolist(), parts.year.tolist(), parts.site.tolist(), strict=True):
        sites = seen.setdefault((i, t), [])
        if j not in sites:
            sites.append(j)
    return np.array(
        [
            sorted(seen[i, t]).index(j)
            for i, t, j in zip(
                parts.group.tolist(), parts.year.tolist(), parts.site.tolist(), strict=True
            )
        ],
        dtype=np.int64,
    )
