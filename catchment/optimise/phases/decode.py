"""From decisions to a plan: who is where, what is open, what must be built."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from catchment.optimise.phases.account import cost_asked, grade_sites, students_there
from catchment.optimise.phases.combined import classes_counted
from catchment.optimise.phases.compile import Model, hosting
from catchment.optimise.phases.question import (
    ALL,
    LOWEST,
    Answer,
    Building,
    Memory,
    Question,
)
from catchment.optimise.solution import Status
from catchment.places import classes_for_plan
from catchment.plan import Plan
from catchment.problem import Bool, Int8, Int32

Decision = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Option of each group (-1 = stays) and year of the move (number of years = never)."""


def keep_decision(model: Model, years: int) -> Decision:
    """Everyone stays who can; others go late and where their trips cost least.

    Parameters
    ----------
    model : Model
        The model.
    years : int
        Number of years.

    Returns
    -------
    Decision
        Moves at the user's demand, and of those whose school is given up, alone.
    """
    n = len(model.today)
    option, when = np.full(n, -1, dtype=np.int32), np.full(n, years, dtype=np.int32)
    only = (np.diff(model.first) == 1) & (model.latest < years)
    for i in np.flatnonzero(only):
        o = int(model.first[i])
        if model.earliest[o] == model.latest[i]:
            option[i], when[i] = o, model.latest[i]
    for i in np.flatnonzero((model.latest < years) & (option < 0) & (model.last > 0)):
        # Whoever cannot stay goes as late as may be to where the trips cost least.
        end = min(int(model.last[i]), int(model.latest[i]))
        there = np.flatnonzero(model.students[i].any(axis=0))
        best = np.inf
        for o in range(int(model.first[i]), int(model.first[i + 1])):
            open_years = there[(there >= model.earliest[o]) & (there <= end)]
            cost = float((model.go_cost[o] * model.students[i]).sum())
            if len(open_years) and cost < best:
                best, option[i], when[i] = cost, o, open_years[-1]
    return option, when


def trajectory(model: Model, decision: Decision, years: int) -> Int32:
    """Site of each group by year.

    Parameters
    ----------
    model : Model
        The model.
    decision : Decision
        Options and years.
    years : int
        Number of years.

    Returns
    -------
    (n, t) int32
        Site, -1 where a group has none yet.
    """
    option, when = decision
    target = model.site[np.maximum(option, 0)] if len(model.site) else np.zeros_like(option)
    after = (option[:, None] >= 0) & (np.arange(years)[None, :] >= when[:, None])
    return np.where(after, target[:, None], model.today[:, None]).astype(np.int32)


def decision_of(model: Model, site_of: Int32) -> Decision:
    """Decisions behind a plan's sites, as far as the question allows them.

    Parameters
    ----------
    model : Model
        The model.
    site_of : (n, t) int32
        Site of each group by year.

    Returns
    -------
    Decision
        The first change of each group that the model knows; other groups stay.
    """
    n, years = site_of.shape
    option, when = keep_decision(model, years)
    has = model.students.sum(axis=1) > 0
    for i in range(n):
        away = (site_of[i] >= 0) & (site_of[i] != model.today[i]) & has[i]
        away[0] = False
        if not away.any():
            continue
        year = int(np.flatnonzero(away)[0])
        for o in range(model.first[i], model.first[i + 1]):
            last = min(int(model.last[i]), int(model.latest[i]))
            if model.site[o] == site_of[i, year] and model.earliest[o] <= year <= last:
                option[i], when[i] = o, year
    return option, when


def needed_states(model: Model, where: Int32, students: Int32) -> Int8:
    """Lowest states that hold the students, heeding that a site changes in one direction only.

    Parameters
    ----------
    model : Model
        The model.
    where : (n, g, t) int32
        Site of every group, grade and year.
    students : (n, g, t) int32
        Students.

    Returns
    -------
    (m, t) int8
        States.
    """
    full, low = model.at_least == ALL, model.at_least >= LOWEST
    i, g, t = np.nonzero((students > 0) & (where >= 0))
    site = where[i, g, t]
    low[site, t] = True
    upper = model.kind[i, site]
    full[site[upper], t[upper]] = True
    full = _one_way(full, model.was == ALL)
    low = _one_way(low | full, model.was >= LOWEST)
    whole = ~model.downgrade & (model.was == ALL)
    full[whole] = low[whole]
    full[:, 0], low[:, 0] = model.was == ALL, model.was >= LOWEST
    return (low.astype(np.int8) + full.astype(np.int8)).astype(np.int8)


def _one_way(used: Bool, working: Bool) -> Bool:
    """Working sites stay open until last used, others from first use on."""
    until = np.logical_or.accumulate(used[:, ::-1], axis=1)[:, ::-1]
    since = np.logical_or.accumulate(used, axis=1)
    return np.asarray(np.where(working[:, None], until, since), dtype=bool)


def open_bands(question: Question, state: Int8) -> Bool:
    """Bands taught by site and year.

    Parameters
    ----------
    question : Question
        The question.
    state : (m, t) int8
        States.

    Returns
    -------
    (m, b, t) bool
        Open.
    """
    can = hosting(question)
    lowest = can & (np.cumsum(can, axis=1) == 1)
    out = np.where(
        state[:, None, :] == ALL,
        can[:, :, None],
        lowest[:, :, None] & (state[:, None, :] == LOWEST),
    )
    out[:, :, 0] = question.problem.today_open
    return np.asarray(out, dtype=bool)


def construction(question: Question, model: Model, where: Int32, opened: Bool) -> Building:
    """Fewest rooms, beds, seats and nap places that must be added.

    Parameters
    ----------
    question : Question
        The question.
    model : Model
        The model.
    where : (n, g, t) int32
        Site of every group, grade and year.
    opened : (m, b, t) bool
        Bands taught.

    Returns
    -------
    Building
        By the year of first use, never falling; the limits of what may be added are not heeded.
    """
    problem = question.problem
    at_site = students_there(problem, where)
    classes = classes_counted(problem, at_site, opened, question.costs).sum(axis=1)
    beds, naps = np.zeros_like(classes), np.zeros_like(classes)
    names = np.array(problem.modes)
    i, g, t = np.nonzero((problem.students > 0) & (where >= 0))
    site = where[i, g, t]
    count = problem.students[i, g, t].astype(np.int64)
    mode = problem.mode[problem.network[t], i, site]
    kind = np.where(mode < 0, "", names[np.maximum(mode, 0)])
    np.add.at(beds, (site, t), count * (kind == "board"))
    np.add.at(naps, (site, t), count * (site != model.today[i]))
    receives = naps > 0
    seats = np.where(receives, at_site.sum(axis=1), 0)
    beds = np.where(receives, beds, 0)
    added = []
    for need, cap in (
        (classes, model.cap_rooms),
        (beds, model.cap_beds),
        (seats, model.cap_seats),
        (naps, model.cap_naps),
    ):
        more = np.maximum(need - cap, 0)
        more[:, 0] = 0
        added.append(np.maximum.accumulate(more, axis=1).astype(np.int32))
    return Building(*added)


def answer_of(
    question: Question,
    model: Model,
    decision: Decision,
    *,
    state: Int8 | None = None,
    status: Status,
    bound: float,
    seconds: float,
    seed: int,
    history: tuple[tuple[float, float, float], ...] = (),
    reason: str = "",
    memory: Memory | None = None,
) -> Answer:
    """Write decisions out as a plan with its costs.

    Parameters
    ----------
    question : Question
        The question.
    model : Model
        The model.
    decision : Decision
        Options and years of the moves.
    state : (m, t) int8, optional
        States of the sites; the fewest that hold the students by default and where it is -1.
    status, bound, seconds, seed, history, reason, memory
        As in :class:`Answer` and :class:`catchment.plan.Plan`.

    Returns
    -------
    Answer
        The plan; its objective is counted from the plan itself.
    """
    problem = question.problem
    years = len(problem.years)
    site_of = trajectory(model, decision, years)
    where = grade_sites(problem, site_of, question.transition)
    fewest = needed_states(model, where, problem.students)
    state = fewest if state is None else np.where(state < 0, fewest, state).astype(np.int8)
    opened = open_bands(question, state)
    built = construction(question, model, where, opened)
    classes = _classes(question, where, opened, built)
    rows = np.arange(len(site_of))
    mode_of = np.full(site_of.shape, -1, dtype=np.int8)
    for t in range(years):
        served = site_of[:, t] >= 0
        chosen = problem.mode[int(problem.network[t]), rows, np.maximum(site_of[:, t], 0)]
        mode_of[:, t] = np.where(served, chosen, -1)
        if question.transition == "together":
            idle = problem.students[:, :, t].sum(axis=1) == 0
            at = np.maximum(site_of[:, t], 0)
            shut = ~opened[at, problem.group_band, t]
            site_of[idle & shut, t] = -1
    mode_of[site_of < 0] = -1
    # A road may be cut in a later year: then nobody is served by that trip.
    # Whom no road leads to their school in a year stays on its roll: they are not served.
    site_of = site_of.astype(np.int32)
    plan = Plan(
        open=opened,
        site_of=site_of,
        classes=classes,
        mode_of=mode_of,
        method="consolidation",
        status=status,
        objective=np.nan,
        bound=bound,
        seconds=seconds,
        seed=seed,
        notes=_notes(question, model, where, opened, built),
    )
    table = cost_asked(question, plan, built)
    lowest = bound if status == "infeasible" else min(bound, table.total)
    plan = plan.replace(objective=table.total, bound=lowest)
    return Answer(plan, built, table, history, _pieces(question, site_of), reason, memory)


def _classes(question: Question, where: Int32, opened: Bool, built: Building) -> Int32:
    """Classes as counted where the rooms suffice, else as the rooms allow."""
    problem = question.problem
    there = students_there(problem, where)
    rooms = problem.rooms + built.rooms
    point = opened[:, 0] & (opened.sum(axis=1) == 1)
    squeezed, _ = classes_for_plan(there, rooms, problem.class_size, point)
    counted = classes_counted(problem, there, opened, question.costs)
    fits = counted.sum(axis=1) <= rooms
    return np.where(fits[:, None, :], counted, squeezed).astype(np.int32)


def _notes(
    question: Question, model: Model, where: Int32, opened: Bool, built: Building
) -> tuple[str, ...]:
    problem = question.problem
    notes = ["目标值与下界以元计 / objective and bound are in yuan"]
    lost = (where[:, 0, :] < 0) & (problem.students.sum(axis=1) > 0)
    groups = np.flatnonzero(lost.any(axis=1))
    if len(groups):
        names = "、".join(
            sorted({problem.village_ids[int(problem.group_village[i])] for i in groups})[:10]
        )
        notes.append(f"到不了任何学校的村 / villages without a school: {names}")
    at_site = students_there(problem, where)
    classes = classes_counted(problem, at_site, opened, question.costs).sum(axis=1)
    short = np.maximum(classes - problem.rooms - built.rooms, 0)
    if short[:, 1:].any():
        lines = "、".join(
            f"{problem.site_ids[j]} {int(short[j, 1:].max())}"
            for j in np.flatnonzero(short[:, 1:].any(axis=1))
        )
        notes.append(
            "现有学区本身就缺教室，方案未加重（缺口最多的年份，间）/ rooms short already with today's "
            f"catchments, not made worse: {lines}"
        )
    return tuple(notes)


def _pieces(question: Question, site_of: Int32) -> int:
    """Villages cut off from the largest part of their catchment, last year, over all bands."""
    problem = question.problem
    cut = 0
    for band in range(len(problem.bands)):
        members = np.flatnonzero(problem.group_band == band)
        site = np.full(len(problem.village_ids), -1, dtype=np.int64)
        site[problem.group_village[members]] = site_of[members, -1]
        for j in np.unique(site[site >= 0]):
            mine = np.flatnonzero(site == j)
            _, label = connected_components(problem.neighbours[mine][:, mine], directed=False)
            cut += len(mine) - int(np.bincount(label).max())
    return cut
