"""Catchments in one piece: which villages a plan cuts off from their school, and plans that do not.

A catchment of a band in a year holds together where every village of it is reached from the
school's own village over neighbouring villages of the same catchment. A village without children
of the band in the year belongs to no one and may be passed through.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.contiguity import adjacency
from catchment.optimise.dice import below, dice, uniform
from catchment.optimise.phases import anneal as walk
from catchment.optimise.phases.compile import Model, compile_model, settled_today
from catchment.optimise.phases.decode import Decision, answer_of, decision_of, keep_decision
from catchment.optimise.phases.question import Answer, Question
from catchment.optimise.phases.verify import check
from catchment.problem import Bool, Int8, Int32

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

SEARCH_SHARE = 0.6
"""Share of the time in which a plan is searched; what is left of it connects its catchments."""
STEPS = 90_000
"""Proposals of one repair; the same question and seed give the same plan on every machine."""

TURNS = 30
"""Turns into which the proposals are divided; half as many more where none has mended the plan."""

HOT, COLD = 0.1, 1e-3
"""First and last temperature, shares of what a random change costs."""

PENALTY, RAISE = 0.01, 1.2
"""Weight of one village-band cut off for a year (of two classes'), and how it grows a turn."""


@dataclass(frozen=True)
class _Ground:
    """Villages, who neighbours whom, and what today's catchments are (v villages, b bands)."""

    indptr: Int32
    indices: Int32
    home: Int32
    village: Int32
    band: Int8
    group_at: Int32
    idle: Bool
    today: Int32
    excused: Bool
    astray: Bool


def cut_off(question: Question, site_of: Int32) -> Bool:
    """Mark village-bands that a plan cuts off from their school.

    What is cut off today already and stays where it is, is geography and not marked; see
    :func:`cut_off_today`. A school whose own village goes elsewhere, though not today, has that
    village marked.

    Parameters
    ----------
    question : Question
        The question.
    site_of : (n, t) int32
        Site of each group by year.

    Returns
    -------
    (n, t) bool
        True where children are cut off; never in the first year.
    """
    return _cut(_ground(question, settled_today(question)), np.asarray(site_of, dtype=np.int32))


def cut_off_today(question: Question) -> Bool:
    """Mark village-bands that today's catchments cut off from their school: geography.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    (n,) bool
        True where a village is reached from its school's village by no villages of the same
        catchment today.
    """
    return _ground(question, settled_today(question)).excused


def _ground(question: Question, today: Int32) -> _Ground:
    problem = question.problem
    villages, bands = len(problem.village_ids), len(problem.bands)
    indptr, indices = adjacency(problem.neighbours, villages)
    group_at = np.full((bands, villages), -1, dtype=np.int32)
    group_at[problem.group_band, problem.group_village] = np.arange(len(problem.group_band))
    idle = np.ascontiguousarray(problem.students.sum(axis=1) == 0)
    own = group_at[:, problem.home]
    astray = (own < 0) | (today[np.maximum(own, 0)] != np.arange(len(problem.home)))
    ground = _Ground(
        indptr, indices, problem.home.astype(np.int32), problem.group_village.astype(np.int32),
        problem.group_band.astype(np.int8), group_at, np.repeat(idle[:, :1], 2, axis=1),
        today.astype(np.int32), np.zeros(len(today), dtype=bool), np.ascontiguousarray(astray),
    )  # fmt: skip
    excused = _cut(ground, np.repeat(ground.today[:, None], 2, axis=1))[:, 1]
    return dataclasses.replace(ground, idle=idle, excused=np.ascontiguousarray(excused))


def _cut(ground: _Ground, site_of: Int32) -> Bool:
    out = np.zeros(site_of.shape, dtype=np.bool_)
    for t in range(1, site_of.shape[1]):
        for b in range(len(ground.group_at)):
            rows = ground.group_at[b]
            site = np.where(rows < 0, -2, site_of[rows, t]).astype(np.int32)
            site[(rows >= 0) & ground.idle[rows, t]] = -2
            for j in np.unique(site[site >= 0]):
                reached = _reached(ground, site, int(j))
                lost = np.flatnonzero((site == j) & ~reached)
                out[rows[lost], t] = ~(ground.excused[rows[lost]] & (ground.today[rows[lost]] == j))
                own = int(ground.home[j])
                if site[own] not in (j, -2) and rows[own] >= 0 and not ground.astray[b, j]:
                    out[rows[own], t] = True
    return out


def _reached(ground: _Ground, site: Int32, j: int) -> Bool:
    """Villages that a school's catchment holds together; its largest piece without the school's."""
    own = int(ground.home[j])
    stack = np.empty(len(site), dtype=np.int32)
    seen = np.zeros(len(site), dtype=np.int32)
    if site[own] in (j, -2):
        _reach(ground.indptr, ground.indices, site, j, own, seen, 1, stack)
        return np.asarray(seen == 1)
    best, most = seen == 1, 0
    for v in np.flatnonzero(site == j):
        if best[v]:
            continue
        seen[:] = 0
        size = _reach(ground.indptr, ground.indices, site, j, int(v), seen, 1, stack)
        if size > most:
            best, most = seen == 1, size
    return np.asarray(best)


@njit(cache=True)
def _reach(
    indptr: Int32, indices: Int32, site: Int32, j: int, root: int, seen: Int32, stamp: int,
    stack: Int32,
) -> int:  # fmt: skip
    """Stamp what is reached from a village within a catchment; -2 in ``site`` is passed through."""
    count, top = 0, 1
    stack[0] = root
    seen[root] = stamp
    while top > 0:
        top -= 1
        v = stack[top]
        if site[v] == j:
            count += 1
        for at in range(indptr[v], indptr[v + 1]):
            w = indices[at]
            if seen[w] != stamp and (site[w] == j or site[w] == -2):
                seen[w] = stamp
                stack[top] = w
                top += 1
    return count


def connect(
    question: Question,
    answer: Answer,
    *,
    seed: int = 0,
    steps: int = STEPS,
    time_limit: float = 0.0,
) -> Answer:
    """Mend a plan so that it cuts no village off from its school, at least added cost.

    Annealing around the plan, in which what is cut off weighs more and more. The bound of the
    answer stays: what no plan undercuts, no connected plan does.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        A valid plan of it.
    seed : int
        Seed of the search.
    steps : int
        Proposals of the first search.
    time_limit : float
        Seconds in all. What the first search leaves of them goes into a second, as long as they
        allow; the same seed then need not give the same plan. 0 for the first search alone.

    Returns
    -------
    Answer
        The cheapest valid plan found that cuts nobody off; where none is found, the given one.
    """
    if answer.plan.status not in ("optimal", "feasible"):
        return answer
    if not cut_off(question, answer.plan.site_of).any():
        return answer
    began = time.perf_counter()
    model = compile_model(question)
    ground = _ground(question, model.today)
    years = len(question.problem.years)
    first = decision_of(model, answer.plan.site_of)
    made: list[Answer] = []

    def _attempt(start: Decision, seed: int, steps: int) -> None:
        decision = _mended(model, ground, start, seed, steps)
        if decision is None:
            return
        trial = answer_of(
            question, model, decision, status="feasible", bound=answer.plan.bound,
            seconds=answer.plan.seconds, seed=answer.plan.seed, history=answer.history,
            reason=answer.reason, memory=answer.memory,
        )  # fmt: skip
        if not check(question, trial) and not cut_off(question, trial.plan.site_of).any():
            more = trial.plan.objective - answer.plan.objective
            made.append(dataclasses.replace(trial, mended=max(more, 0.0)))

    _attempt(first, seed, steps)
    spent = time.perf_counter() - began
    # One long search finds more than several short ones.
    longer = int(steps * (time_limit - spent) / max(spent, 1e-3) * 0.9)
    if made and longer > steps:
        _attempt(first, seed + 1, longer)
    if not made:
        # From today's catchments, whole as they are, only where the plan itself cannot be mended.
        _attempt(keep_decision(model, years), seed, steps)
    return min(made, key=lambda a: a.plan.objective) if made else answer


def _mended(
    model: Model, ground: _Ground, start: Decision, seed: int, steps: int
) -> Decision | None:
    """Search from a decision; the best valid one that cuts nobody off, None where there is none."""
    table = walk.tabulate(model)
    run = walk.begin(table, start, dice(seed))
    weight = 2.0 * walk.heaviest(table)
    seen = walk.rises(table, run, 4000, weight)
    middle = float(np.median(seen)) if len(seen) else 1.0
    # Measuring has noted the start as the best plan; it need not be whole.
    run.best_value[0] = np.inf
    sites, years = len(ground.home), model.students.shape[2]
    bands = len(ground.group_at)
    cuts = np.zeros((bands, sites, years), dtype=np.int32)
    penalty, heat = PENALTY * weight, HOT * middle
    fall = (COLD / HOT) ** (1.0 / TURNS)
    for turn in range(2 * TURNS):
        found = bool(np.isfinite(run.best_value[0]))
        if turn >= TURNS and (found or turn >= TURNS + TURNS // 2):
            break
        lost = _mend(
            *table, *run, ground.indptr, ground.indices, ground.home, ground.village, ground.band,
            ground.group_at, ground.idle, ground.excused, ground.astray, cuts,
            max(steps // TURNS, 1), heat, max(heat * fall, COLD * middle), weight, penalty,
        )  # fmt: skip
        walk.restart(table, run)
        heat = max(heat * fall, COLD * middle)
        penalty *= RAISE if lost else 1.0
        # Limits that stay broken weigh more, kept ones slowly less.
        broken = float(run.total[2]) + float(walk._over(table.limits, run.pace))
        weight *= 1.5 if broken > 1e-6 else 0.9
    if not np.isfinite(run.best_value[0]):
        return None
    return run.best[0].copy(), run.best[1].copy()


@njit(cache=True)
def _site_at(model_today: Int32, options: Int32, plan: Int32, i: int, t: int) -> int:
    if plan[0, i] >= 0 and t >= plan[1, i]:
        return int(options[plan[0, i], 0])
    return int(model_today[i, 0])


@njit(cache=True)
def _cuts_of(
    groups: Int32, options: Int32, plan: Int32, indptr: Int32, indices: Int32, home: Int32,
    group_at: Int32, idle: Bool, excused: Bool, astray: Bool, b: int, j: int, t: int, seen: Int32,
    stack: Int32,
) -> int:  # fmt: skip
    """Village-bands that one catchment cuts off in one year; ``seen[-1]`` holds the last stamp."""
    villages = group_at.shape[1]
    total = 0
    for v in range(villages):
        i = group_at[b, v]
        if i < 0 or idle[i, t] or (excused[i] and groups[i, 0] == j):
            continue
        if _site_at(groups, options, plan, i, t) == j:
            total += 1
    if total == 0:
        return 0
    own = home[j]
    i = group_at[b, own]
    missing = 0
    most = 0
    inside = i < 0 or idle[i, t] or _site_at(groups, options, plan, i, t) == j
    if inside:
        most = _count_reach(
            groups, options, plan, indptr, indices, group_at, idle, excused, b, j, t, own, seen,
            stack,
        )  # fmt: skip
    else:
        if not astray[b, j]:
            missing = 1
        first = seen[-1] + 1
        for v in range(villages):
            k = group_at[b, v]
            if k < 0 or idle[k, t] or seen[v] >= first:
                continue
            if _site_at(groups, options, plan, k, t) == j:
                size = _count_reach(
                    groups, options, plan, indptr, indices, group_at, idle, excused, b, j, t, v,
                    seen, stack,
                )  # fmt: skip
                most = max(most, size)
    return total - most + missing


@njit(cache=True)
def _count_reach(
    groups: Int32, options: Int32, plan: Int32, indptr: Int32, indices: Int32, group_at: Int32,
    idle: Bool, excused: Bool, b: int, j: int, t: int, root: int, seen: Int32, stack: Int32,
) -> int:  # fmt: skip
    """Members that count and are reached from a village."""
    seen[-1] += 1
    stamp = seen[-1]
    count, top = 0, 1
    stack[0] = root
    seen[root] = stamp
    while top > 0:
        top -= 1
        v = stack[top]
        i = group_at[b, v]
        if i >= 0 and not idle[i, t] and not (excused[i] and groups[i, 0] == j):
            count += 1
        for at in range(indptr[v], indptr[v + 1]):
            w = indices[at]
            if seen[w] == stamp:
                continue
            k = group_at[b, w]
            if k < 0 or idle[k, t] or _site_at(groups, options, plan, k, t) == j:
                seen[w] = stamp
                stack[top] = w
                top += 1
    return count


@njit(cache=True)
def _decide(
    groups: Int32, options: Int32, allowed: Bool, plan: Int32, undo: Int32, i: int, j: int,
    wish: int,
) -> bool:  # fmt: skip
    """Note that a group shall be at a site from about a year on; False where it may not."""
    years = allowed.shape[1]
    if j == groups[i, 0]:
        if groups[i, 6]:
            if plan[0, i] >= 0:
                walk._wish(undo, plan, i, -1, years)
            return True
        return False
    for o in range(groups[i, 3], groups[i, 4]):
        if options[o, 0] == j:
            when = walk._some_year(allowed, o, min(max(wish, 1), years - 1))
            if when == 0:
                return False
            if plan[0, i] != o or plan[1, i] != when:
                walk._wish(undo, plan, i, o, when)
            return True
    return False


@njit(cache=True)
def _piece(
    groups: Int32, options: Int32, plan: Int32, indptr: Int32, indices: Int32, village: Int32,
    band: Int8, group_at: Int32, idle: Bool, i: int, t: int, seen: Int32, stack: Int32,
) -> int:  # fmt: skip
    """Piece of a catchment around a village in a year, as the first so many of ``stack``."""
    seen[-1] += 1
    stamp = seen[-1]
    j = _site_at(groups, options, plan, i, t)
    stack[0] = village[i]
    seen[village[i]] = stamp
    at, count = 0, 1
    while at < count:
        v = stack[at]
        at += 1
        for p in range(indptr[v], indptr[v + 1]):
            w = indices[p]
            if seen[w] == stamp:
                continue
            k = group_at[band[i], w]
            if k >= 0 and not idle[k, t] and _site_at(groups, options, plan, k, t) == j:
                seen[w] = stamp
                stack[count] = w
                count += 1
    return count


@njit(cache=True)
def _suggest(
    groups: Int32, options: Int32, allowed: Bool, plan: Int32, dice_: UInt64, undo: Int32,
    choosers: Int32, indptr: Int32, indices: Int32, village: Int32, band: Int8, group_at: Int32,
    idle: Bool, cuts: Int32, seen: Int32, stack: Int32,
) -> None:  # fmt: skip
    """Propose: a village or a piece goes where a neighbour goes, back, or in another year."""
    years = allowed.shape[1]
    i = choosers[below(dice_, len(choosers))]
    t = 1 + below(dice_, years - 1)
    if uniform(dice_) < 0.6:
        for _ in range(30):
            j = _site_at(groups, options, plan, i, t)
            if j >= 0 and cuts[band[i], j, t] > 0:
                break
            i = choosers[below(dice_, len(choosers))]
            t = 1 + below(dice_, years - 1)
    v = village[i]
    here = _site_at(groups, options, plan, i, t)
    if indptr[v + 1] == indptr[v]:
        return
    k = group_at[band[i], indices[indptr[v] + below(dice_, indptr[v + 1] - indptr[v])]]
    if k < 0:
        return
    there = _site_at(groups, options, plan, k, t)
    wish = t
    if uniform(dice_) < 0.7:
        wish = plan[1, k] if plan[0, k] >= 0 else (plan[1, i] if plan[0, i] >= 0 else t)
    choice = uniform(dice_)
    if choice < 0.35:
        if there >= 0 and there != here:
            _decide(groups, options, allowed, plan, undo, i, there, wish)
        elif there == here and plan[0, i] >= 0 and plan[0, k] >= 0:
            _decide(groups, options, allowed, plan, undo, i, here, plan[1, k])
        return
    if choice < 0.45:
        # The neighbour comes along.
        if there != here and here >= 0:
            _decide(groups, options, allowed, plan, undo, k, here, wish)
        return
    count = _piece(
        groups, options, plan, indptr, indices, village, band, group_at, idle, i, t, seen, stack
    )
    count = min(count, len(undo) - 2)
    if choice < 0.75:
        # The piece, or those of it that share today's school, goes to a school next to it.
        p = stack[below(dice_, count)]
        k = (
            group_at[band[i], indices[indptr[p] + below(dice_, indptr[p + 1] - indptr[p])]]
            if (indptr[p + 1] > indptr[p])
            else -1
        )
        if k < 0:
            return
        there = _site_at(groups, options, plan, k, t)
        if there < 0 or there == here:
            return
        part = uniform(dice_) < 0.5
        wish = plan[1, k] if plan[0, k] >= 0 and uniform(dice_) < 0.5 else t
        for q in range(count):
            g = group_at[band[i], stack[q]]
            if part and groups[g, 0] != groups[i, 0]:
                continue
            _decide(
                groups, options, allowed, plan, undo, g, there,
                plan[1, g] if plan[0, g] >= 0 and choice < 0.65 else wish,
            )  # fmt: skip
    elif choice < 0.9:
        for q in range(count):
            g = group_at[band[i], stack[q]]
            if groups[g, 0] == groups[i, 0] and plan[0, g] >= 0:
                _decide(groups, options, allowed, plan, undo, g, groups[g, 0], years)
    else:
        # All who went with it go in one and the same year.
        wish = 1 + below(dice_, years - 1)
        for q in range(count):
            g = group_at[band[i], stack[q]]
            if groups[g, 0] == groups[i, 0] and plan[0, g] >= 0:
                _decide(groups, options, allowed, plan, undo, g, here, wish)


@njit(cache=True)
def _mend(
    groups: Int32, options: Int32, students: Int32, uses: Bool, option_uses: Bool, allowed: Bool,
    go: Float64, stay: Float64, moved: Int64, lag: Int32, kind: Bool, low_grade: Bool,
    sites: Int64, limits_of_state: Int8, cap: Int64, extra: Int64, class_size: Int32,
    yuan: Float64, rent: Float64, limits: Int64, from_first: Int32, from_group: Int32, to_first: Int32,
    to_option: Int32, choosers: Int32, changeable: Int32, plan: Int32, load: Int64, users: Int64,
    site: Float64, until: Int32, total: Float64, pace: Int64, dice_: UInt64, undo: Int32,
    touched: Int32, old_site: Float64, old_until: Int32, mark: Bool, best: Int32,
    best_value: Float64, indptr: Int32, indices: Int32, home: Int32, village: Int32, band: Int8,
    group_at: Int32, idle: Bool, excused: Bool, astray: Bool, cuts: Int32, steps: int, hot: float,
    cold: float, weight: float, penalty: float,
) -> int:  # fmt: skip
    """Propose, judge, accept or take back; returns how many are cut off at the end."""
    bands, villages = group_at.shape
    m, years = len(sites), students.shape[2]
    kept = np.zeros(3)
    seen = np.zeros(villages + 1, dtype=np.int32)
    stack = np.zeros(villages, dtype=np.int32)
    old_cuts = np.zeros((len(touched), bands, years), dtype=np.int32)
    hurt = np.zeros(bands, dtype=np.bool_)
    lost = 0
    for b in range(bands):
        for j in range(m):
            for t in range(1, years):
                cuts[b, j, t] = _cuts_of(
                    groups, options, plan, indptr, indices, home, group_at, idle, excused, astray,
                    b, j, t, seen, stack,
                )  # fmt: skip
                lost += cuts[b, j, t]
    broken = total[2] + walk._over(limits, pace)
    now = total[0] + total[1] + weight * broken + penalty * lost
    if broken < 1e-6 and lost == 0 and total[0] + total[1] < best_value[0] - 1e-6:
        best_value[0] = total[0] + total[1]
        best[:] = plan
    fall = (cold / hot) ** (1.0 / max(steps, 1))
    heat = hot
    if len(choosers) == 0:
        return lost
    for _ in range(steps):
        heat *= fall
        kept[:] = total
        undo[-1, 0] = 0
        _suggest(
            groups, options, allowed, plan, dice_, undo, choosers, indptr, indices, village, band,
            group_at, idle, cuts, seen, stack,
        )  # fmt: skip
        if undo[-1, 0] == 0:
            continue
        hurt[:] = False
        for k in range(undo[-1, 0]):
            hurt[band[undo[k, 0]]] = True
        walk._swap(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, undo, touched, mark,
        )  # fmt: skip
        was_lost = lost
        for p in range(touched[-1]):
            j = touched[p]
            mark[j] = False
            old_site[p, 0], old_site[p, 1], old_site[p, 2] = site[j, 0], site[j, 1], site[j, 2]
            old_until[p, 0], old_until[p, 1] = until[j, 0], until[j, 1]
            walk._judge(
                low_grade, sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
                load, users, site, until, j,
            )  # fmt: skip
            total[1] += site[j, 0] - old_site[p, 0]
            total[2] += site[j, 1] - old_site[p, 1]
            if sites[j, 0] > 0:
                pace[0, int(old_site[p, 2])] -= 1
                pace[0, int(site[j, 2])] += 1
            for b in range(bands):
                if hurt[b]:
                    for t in range(1, years):
                        old_cuts[p, b, t] = cuts[b, j, t]
                        cuts[b, j, t] = _cuts_of(
                            groups, options, plan, indptr, indices, home, group_at, idle, excused,
                            astray, b, j, t, seen, stack,
                        )  # fmt: skip
                        lost += cuts[b, j, t] - old_cuts[p, b, t]
        broken = total[2] + walk._over(limits, pace)
        new = total[0] + total[1] + weight * broken + penalty * lost
        if new <= now or uniform(dice_) < np.exp((now - new) / heat):
            now = new
            touched[-1] = 0
            if broken < 1e-6 and lost == 0 and total[0] + total[1] < best_value[0] - 1e-6:
                best_value[0] = total[0] + total[1]
                best[:] = plan
            continue
        lost = was_lost
        for p in range(touched[-1]):
            j = touched[p]
            if sites[j, 0] > 0:
                pace[0, int(site[j, 2])] -= 1
                pace[0, int(old_site[p, 2])] += 1
            site[j, 0], site[j, 1], site[j, 2] = old_site[p, 0], old_site[p, 1], old_site[p, 2]
            until[j, 0], until[j, 1] = old_until[p, 0], old_until[p, 1]
            for b in range(bands):
                if hurt[b]:
                    for t in range(1, years):
                        cuts[b, j, t] = old_cuts[p, b, t]
            mark[j] = True
        walk._swap(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, undo, touched, mark,
        )  # fmt: skip
        for p in range(touched[-1]):
            mark[touched[p]] = False
        touched[-1] = 0
        total[:] = kept
    undo[-1, 0] = 0
    return lost
