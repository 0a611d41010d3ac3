"""Recheck of a plan in whole numbers; shares nothing with model, search or bound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from catchment.optimise.phases.account import cost_asked
from catchment.optimise.phases.question import Answer, Question

_Load = dict[tuple[int, int, int], int]


@dataclass(frozen=True)
class Violation:
    """One rule that a plan breaks.

    Attributes
    ----------
    rule : str
        Name of the rule.
    where : str
        Code of the site or village, empty for the whole county.
    year : int
        School year, 0 for all years.
    value, limit : float
        What the plan has and what is allowed; nan where there is no figure.
    """

    rule: str
    where: str
    year: int
    value: float = math.nan
    limit: float = math.nan


@dataclass(frozen=True)
class _Facts:
    """What the plan means, worked out once, student by student's group."""

    sits: dict[tuple[int, int, int], int]
    load: _Load
    boarders: dict[tuple[int, int], int]
    moved: dict[tuple[int, int], int]


def check(question: Question, answer: Answer) -> list[Violation]:
    """Recheck a plan against every rule of its question.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        A plan with what is built.

    Returns
    -------
    list of Violation
        Empty when the plan is valid.
    """
    facts = _facts(question, answer.plan.site_of)
    keep = _facts(question, _stay(question))
    out = list(_years_of_sites(question, answer))
    out += _moves(question, answer, keep)
    out += _places(question, answer, facts, keep)
    out += _sizes(question, answer, facts)
    out += _emptied(question, answer, facts)
    out += _pace(question, answer)
    if question.connected:
        out += _apart(question, answer)
    out += _books(question, answer, facts)
    return out


def _lag(question: Question, g: int) -> int:
    if question.transition != "finish":
        return 0
    bands = question.problem.grade_band
    return sum(1 for k in range(g) if bands[k] == bands[g])


def _trip(question: Question, i: int, j: int, t: int) -> tuple[float, str]:
    problem = question.problem
    net = problem.network[t]
    minutes = float(problem.minutes[net, i, j])
    if not math.isfinite(minutes):
        return math.inf, ""
    return minutes, problem.modes[problem.mode[net, i, j]]


def _stay(question: Question) -> np.ndarray:
    """Everyone where they are today."""
    problem = question.problem
    out = np.full((len(problem.group_band), len(problem.years)), -1, dtype=np.int32)
    for i, b in enumerate(problem.group_band):
        works = [j for j in range(len(problem.site_ids)) if problem.today_open[j, b]]
        near = [(_trip(question, i, j, 0)[0], j) for j in works]
        near = [(x, j) for x, j in near if math.isfinite(x)]
        given = int(problem.today[i])
        if given in [j for _, j in near]:
            out[i] = given
        elif near:
            out[i] = min(near)[1]
    return out


def _facts(question: Question, site_of: np.ndarray) -> _Facts:
    problem = question.problem
    facts = _Facts({}, {}, {}, {})
    home = _stay(question)[:, 0]
    for i, g, t in zip(*np.nonzero(problem.students), strict=True):
        i, g, t = int(i), int(g), int(t)
        j = int(site_of[i, max(t - _lag(question, g), 0)])
        facts.sits[i, g, t] = j
        if j < 0:
            continue
        count = int(problem.students[i, g, t])
        facts.load[j, g, t] = facts.load.get((j, g, t), 0) + count
        if j != int(home[i]):
            facts.moved[j, t] = facts.moved.get((j, t), 0) + count
        minutes, kind = _trip(question, i, j, t)
        if math.isfinite(minutes) and kind == "board":
            facts.boarders[j, t] = facts.boarders.get((j, t), 0) + count
    return facts


def _classes(
    question: Question, facts: _Facts, j: int, t: int, taught: np.ndarray
) -> tuple[list[int], int]:
    """Classes by grade if none is shared, and the fewest in all at a site of these bands."""
    problem = question.problem
    size = problem.class_size[j]
    load = [facts.load.get((j, g, t), 0) for g in range(len(size))]
    alone = [-(-n // int(s)) for n, s in zip(load, size, strict=True)]
    low = [g for g in range(len(size)) if problem.grade_band[g] == 0]
    if list(np.flatnonzero(taught)) != [0] or len(problem.bands) < 2 or len(low) < 2:
        return alone, sum(alone)
    most = min(int(question.costs.combined_class), *(int(size[g]) for g in low))
    fewest = sum(alone)
    # Every way of cutting the grades into runs of neighbours.
    for cuts in range(2 ** (len(low) - 1)):
        runs: list[list[int]] = [[low[0]]]
        for k, g in enumerate(low[1:]):
            if cuts >> k & 1:
                runs.append([g])
            else:
                runs[-1].append(g)
        total = sum(alone) - sum(alone[g] for g in low)
        for run in runs:
            together = sum(load[g] for g in run)
            if len(run) == 1 or sum(load[g] > 0 for g in run) < 2:
                total += sum(alone[g] for g in run)
            elif together <= most:
                total += 1
            else:
                total += 10**6
        fewest = min(fewest, total)
    return alone, fewest


def _levels(question: Question, opened: np.ndarray, j: int) -> list[int]:
    """State of a site by year: 0 closed, 1 lowest band only, 2 all; -1 for anything else."""
    problem = question.problem
    can = [b for b in range(len(problem.bands)) if problem.can_host[j, b]]
    now = [b for b in range(len(problem.bands)) if problem.today_open[j, b]]
    if now and now not in (can, can[:1]):
        can = now
    out = []
    for t in range(opened.shape[2]):
        taught = [b for b in range(len(problem.bands)) if opened[j, b, t]]
        if not taught:
            out.append(0)
        elif len(can) > 1 and taught == can:
            out.append(2)
        else:
            out.append(1 if taught == can[:1] else -1)
    return out


def _years_of_sites(question: Question, answer: Answer) -> Iterator[Violation]:
    problem, opened = question.problem, answer.plan.open
    for j, code in enumerate(problem.site_ids):
        level = _levels(question, opened, j)
        if not np.array_equal(opened[j, :, 0], problem.today_open[j]):
            yield Violation("the first year is today", code, problem.years[0])
        works = level[0] > 0
        for t in range(1, len(level)):
            year, now = problem.years[t], level[t]
            low, high = _range(question, j, t, level[0])
            if now < 0:
                yield Violation("a site has one of three states", code, year)
            if not low <= now <= high:
                yield Violation("state allowed", code, year, now, low if now < low else high)
            full_back = now == 2 and level[t - 1] < 2 and level[0] == 2
            if (works and (now == 0) < (level[t - 1] == 0)) or full_back:
                yield Violation("a site changes in one direction", code, year, now, level[t - 1])
            if not works and now < level[t - 1]:
                yield Violation("a new site stays", code, year, now, level[t - 1])
            forced = question.at_most is not None and question.at_most[j, t] == 1
            if now == 1 and level[0] == 2 and not question.may_downgrade[j] and not forced:
                yield Violation("teaching point allowed", code, year)


def _range(question: Question, j: int, t: int, today: int) -> tuple[int, int]:
    problem = question.problem
    top = min(int(problem.can_host[j].sum()), 2)
    low = today
    if question.may_downgrade[j]:
        low = min(low, 1)
    if question.may_close[j]:
        low = 0
    high = max(top, today) if question.may_open[j] else today
    if question.at_least is not None:
        low = max(low, int(question.at_least[j, t]))
        high = max(high, min(int(question.at_least[j, t]), top))
    if question.at_most is not None:
        high = min(high, int(question.at_most[j, t]))
        low = min(low, int(question.at_most[j, t]))
    return low, high


def _moves(question: Question, answer: Answer, keep: _Facts) -> Iterator[Violation]:
    problem, site_of = question.problem, answer.plan.site_of
    stay = _stay(question)
    short = {
        (j, t)
        for j in range(len(problem.site_ids))
        for t in range(1, len(problem.years))
        if question.tolerate_shortage
        and _classes(question, keep, j, t, problem.today_open[j])[1] > int(problem.rooms[j, t])
    }
    for i in range(len(problem.group_band)):
        village = problem.village_ids[int(problem.group_village[i])]
        total = problem.students[i].sum(axis=0)
        here, changes = int(stay[i, 0]), 0
        for t, year in enumerate(problem.years):
            j = int(site_of[i, t])
            if j < 0:
                cut = here < 0 or not math.isfinite(_trip(question, i, here, t)[0])
                if total[t] and not cut:
                    yield Violation("everyone has a school", village, year, int(total[t]), 0)
                continue
            if j != here:
                changes += 1
                here = j
                if t == 0:
                    yield Violation("the first year is today", village, year)
            demanded = question.sent is not None and bool((question.sent[i] == j).any())
            if changes and total[t] and not demanded:
                yield from _new_trip(question, i, j, t, village)
                if question.within is not None and not question.within[i, j]:
                    yield Violation("the new school is of the village's area", village, year, j)
                if question.receives is not None and not question.receives[j]:
                    yield Violation(
                        "a school with classes over standard receives nobody",
                        problem.site_ids[j],
                        year,
                    )
                if (j, t) in short:
                    yield Violation(
                        "a school short of rooms receives nobody", problem.site_ids[j], year
                    )
        yield from _sent(question, i, site_of[i], total, village)
        sent = question.sent is not None and bool((question.sent[i] >= 0).any())
        if changes and question.stay is not None and question.stay[i] and not sent:
            yield Violation("a village that may not move", village, 0, changes, 0)
        if changes > 1:
            yield Violation("a village moves once", village, 0, changes, 1)
    for (i, g, t), j in _facts(question, site_of).sits.items():
        if j >= 0 and not answer.plan.open[j, int(problem.group_band[i]), t]:
            village = problem.village_ids[int(problem.group_village[i])]
            yield Violation("the school is open", village, problem.years[t], g, j)


def _sent(
    question: Question, i: int, course: np.ndarray, total: np.ndarray, village: str
) -> Iterator[Violation]:
    """Whoever is sent somewhere by the user is there from that year on."""
    if question.sent is None:
        return
    problem = question.problem
    wishes = [(t, int(j)) for t, j in enumerate(question.sent[i]) if j >= 0]
    if not wishes or not math.isfinite(_trip(question, i, wishes[0][1], wishes[0][0])[0]):
        return
    when, where = wishes[0]
    for t in range(max(when, 1), len(problem.years)):
        if total[t] and int(course[t]) not in (where, -1):
            yield Violation("sent as demanded", village, problem.years[t], int(course[t]), where)
            return


def _new_trip(question: Question, i: int, j: int, t: int, village: str) -> Iterator[Violation]:
    problem = question.problem
    minutes, kind = _trip(question, i, j, t)
    daily = float(problem.trip_limit[int(problem.group_band[i])])
    if any(problem.students[i, g, t] for g, grade in enumerate(problem.grades) if grade <= 3):
        daily = min(daily, question.limits.young_minutes)
    limit = question.limits.boarding_minutes if kind == "board" else daily
    if not minutes <= limit:
        yield Violation("the new trip keeps its limit", village, problem.years[t], minutes, limit)


def _places(question: Question, answer: Answer, facts: _Facts, keep: _Facts) -> Iterator[Violation]:
    problem, built = question.problem, answer.built
    for j, code in enumerate(problem.site_ids):
        for name, stock, most in (
            ("rooms", built.rooms[j], question.extra_rooms[j]),
            ("beds", built.beds[j], question.extra_beds[j]),
            ("seats", built.seats[j], question.extra_seats[j]),
            ("naps", built.naps[j], question.extra_naps[j]),
        ):
            if stock[0] != 0 or (np.diff(stock) < 0).any() or int(stock[-1]) > int(most):
                rule = f"{name}: built before they are used, kept, within the limit"
                yield Violation(rule, code, 0, int(stock.max()), int(most))
        for t in range(1, len(problem.years)):
            year = problem.years[t]
            formed = _classes(question, facts, j, t, answer.plan.open[j, :, t])[1]
            today = _classes(question, keep, j, t, problem.today_open[j])[1]
            lacking = today if question.tolerate_shortage else 0
            room = max(int(problem.rooms[j, t]), lacking) + int(built.rooms[j, t])
            if formed > room:
                yield Violation("a room for every class", code, year, formed, room)
            if facts.moved.get((j, t), 0):
                yield from _receiving(question, answer, facts, j, t)


def _receiving(
    question: Question, answer: Answer, facts: _Facts, j: int, t: int
) -> Iterator[Violation]:
    """Look whether a site that children have moved to has what all of them need, if reported."""
    problem, built = question.problem, answer.built
    everyone = sum(facts.load.get((j, g, t), 0) for g in range(len(problem.grades)))
    works = bool(problem.today_open[j].any())
    naps = -1 if problem.nap_places is None else int(problem.nap_places[j, t])
    for rule, need, there, more, counts in (
        ("beds", facts.boarders.get((j, t), 0), int(problem.beds[j, t]), built.beds, True),
        ("dining seats", everyone, int(problem.dining_seats[j, t]), built.seats, not works),
        ("nap places", facts.moved[j, t], naps, built.naps, not works),
    ):
        have = max(there, 0) + int(more[j, t])
        if need > have and (there >= 0 or counts):
            yield Violation(rule, problem.site_ids[j], problem.years[t], need, have)
    if everyone > question.limits.max_size:
        most = question.limits.max_size
        yield Violation("largest size", problem.site_ids[j], problem.years[t], everyone, most)


def _sizes(question: Question, answer: Answer, facts: _Facts) -> Iterator[Violation]:
    problem, limits = question.problem, question.limits
    grades = range(len(problem.grades))
    for j, code in enumerate(problem.site_ids):
        today = bool(problem.today_open[j].any())
        lows = [
            _range(question, j, t, _levels(question, answer.plan.open, j)[0])[0]
            for t in range(1, len(problem.years))
        ]
        protected = today and all(low > 0 for low in lows)
        for t in range(1, len(problem.years)):
            size = sum(facts.load.get((j, g, t), 0) for g in grades)
            bound = np.any(answer.plan.open[j, :, t]) and not protected
            if bound and t >= max(limits.min_size_from, 1) and size < limits.min_size:
                yield Violation("smallest size", code, problem.years[t], size, limits.min_size)


def _emptied(question: Question, answer: Answer, facts: _Facts) -> Iterator[Violation]:
    """Schools that teach on and have too few left of today's children."""
    problem, share = question.problem, question.limits.kept_share
    end = len(problem.years) - 1
    stay = [int(j) for j in _stay(question)[:, 0]]
    sent = question.sent
    for j, code in enumerate(problem.site_ids):
        if not problem.today_open[j].any():
            continue
        level = _levels(question, answer.plan.open, j)
        highest = [level[0]] + [_range(question, j, t, level[0])[1] for t in range(1, end + 1)]
        taught = [b for b in range(len(problem.bands)) if problem.today_open[j, b]]
        bands = [b for b in range(len(problem.bands)) if problem.can_host[j, b]]
        first = taught[0] if taught not in (bands, bands[:1]) else bands[0]
        for need, mine in ((1, [first]), (2, [b for b in taught if b != first])):
            finish = question.transition == "finish"
            if level[0] < need or min(highest) < need or (finish and level[end] < need):
                continue
            grades = [g for g in range(len(problem.grades)) if problem.grade_band[g] in mine]
            for t in range(1, end + 1):
                if level[t] < need and not finish:
                    continue
                today = sum(
                    int(problem.students[i, g, t])
                    for i, home in enumerate(stay)
                    if home == j and not (sent is not None and (sent[i] >= 0).any())
                    for g in grades
                )
                here = sum(facts.load.get((j, g, t), 0) for g in grades)
                if here < share * today - 1e-9:
                    yield Violation(
                        "a school is not emptied", code, problem.years[t], here, share * today
                    )


def _apart(question: Question, answer: Answer) -> Iterator[Violation]:
    """Villages that cannot reach their school over villages of its catchment, and could today."""
    problem = question.problem
    beside = _beside(question)
    stay = _stay(question)
    sent = [question.sent is not None and bool((row >= 0).any()) for row in
            (question.sent if question.sent is not None else stay)]  # fmt: skip
    if question.loose is not None:
        sent = [mine or bool(free) for mine, free in zip(sent, question.loose, strict=True)]
    for b in range(len(problem.bands)):
        group = {int(problem.group_village[i]): int(i)
                 for i in np.flatnonzero(problem.group_band == b)}  # fmt: skip
        first = _lost(question, beside, group, stay[:, 0], 0)
        for t in range(1, len(problem.years)):
            course = answer.plan.site_of[:, t]
            lost = _lost(question, beside, group, course, t)
            for v, i in group.items():
                j = int(course[i])
                if v in lost and not sent[i] and not (v in first and j == int(stay[i, 0])):
                    village = problem.village_ids[v]
                    yield Violation("reached through its catchment", village, problem.years[t])
            for j, v in enumerate(problem.home):
                i = group.get(int(v), -1)
                if i < 0 or sent[i] or int(stay[i, 0]) != j or int(course[i]) == j:
                    continue
                others = [k for k in group.values() if int(course[k]) == j]
                if problem.students[i, :, t].any() and problem.students[others, :, t].any():
                    code = problem.site_ids[j]
                    yield Violation("its own village", code, problem.years[t])


def _beside(question: Question) -> list[set[int]]:
    """Neighbours of each village."""
    table = question.problem.neighbours.tocoo()
    out: list[set[int]] = [set() for _ in question.problem.village_ids]
    for v, w, touch in zip(table.row, table.col, table.data, strict=True):
        if touch and v != w:
            out[int(v)].add(int(w))
            out[int(w)].add(int(v))
    return out


def _lost(
    question: Question, beside: list[set[int]], group: dict[int, int], course: np.ndarray, t: int
) -> set[int]:
    """Villages with children that are not in the part of a catchment that holds its school."""
    problem = question.problem
    here = {v: int(course[i]) for v, i in group.items() if problem.students[i, :, t].any()}
    idle = set(range(len(beside))) - set(here)
    lost: set[int] = set()
    for j in set(here.values()) - {-1}:
        left = {v for v, k in here.items() if k == j}
        own = int(problem.home[j])
        parts = []
        if own in idle or own in left:
            parts.append(_part(beside, left | idle, own))
        else:
            rest = set(left)
            while rest:
                parts.append(_part(beside, left | idle, min(rest)))
                rest -= parts[-1]
            parts.sort(key=lambda part: (-len(part & left), min(part & left)))
        lost |= left - parts[0]
    return lost


def _part(beside: list[set[int]], inside: set[int], root: int) -> set[int]:
    """All that is reached from a village inside of a set."""
    out, queue = {root}, [root]
    while queue:
        for w in beside[queue.pop()] & inside:
            if w not in out:
                out.add(w)
                queue.append(w)
    return out


def _pace(question: Question, answer: Answer) -> Iterator[Violation]:
    problem, limits = question.problem, question.limits
    runs = np.asarray(answer.plan.open.any(axis=1))
    here = [int(j) for j in _stay(question)[:, 0]]
    gone = int((runs[:, 0] & ~runs[:, -1]).sum())
    if limits.closures_total is not None and gone > limits.closures_total:
        yield Violation("closures in all", "", 0, gone, limits.closures_total)
    for t in range(1, len(problem.years)):
        closed = int((runs[:, t - 1] & ~runs[:, t]).sum())
        if limits.closures_per_year is not None and closed > limits.closures_per_year:
            limit = limits.closures_per_year
            yield Violation("closures a year", "", problem.years[t], closed, limit)
        moved = 0
        for i in range(len(here)):
            j = int(answer.plan.site_of[i, t])
            if j < 0 or j == here[i]:
                continue
            if here[i] >= 0:
                first = [g for g in range(len(problem.grades)) if _lag(question, g) == 0]
                moved += int(sum(problem.students[i, g, t] for g in first))
            here[i] = j
        if limits.moved_per_year is not None and moved > limits.moved_per_year:
            limit = limits.moved_per_year
            yield Violation("students moved a year", "", problem.years[t], moved, limit)


def _books(question: Question, answer: Answer, facts: _Facts) -> Iterator[Violation]:
    problem, plan = question.problem, answer.plan
    for j, code in enumerate(problem.site_ids):
        for t, year in enumerate(problem.years):
            alone, fewest = _classes(question, facts, j, t, plan.open[j, :, t])
            rooms = int(problem.rooms[j, t]) + int(answer.built.rooms[j, t])
            here = [int(x) for x in plan.classes[j, :, t]]
            wrong = here != alone if fewest == sum(alone) else sum(here) != fewest
            if fewest <= rooms and wrong:
                yield Violation("whole classes as counted", code, year)
    table = cost_asked(question, plan, answer.built)
    if abs(table.total - plan.objective) > 1e-6 * max(1.0, abs(table.total)):
        yield Violation("the objective adds up", "", 0, plan.objective, table.total)
    if plan.bound > plan.objective * (1 + 1e-9) + 1e-6:
        yield Violation("the bound is below the plan", "", 0, plan.bound, plan.objective)
    for i, t in zip(*np.nonzero(plan.site_of >= 0), strict=True):
        j = int(plan.site_of[i, t])
        if plan.mode_of[i, t] != problem.mode[problem.network[t], i, j]:
            village = problem.village_ids[int(problem.group_village[i])]
            yield Violation("mode of the trip", village, problem.years[t])
