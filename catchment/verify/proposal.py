"""A plan of years (which schools close, which villages move when, what is built) counted again.

Plain loops over whole numbers; neither the model of such plans nor its own recheck nor its account
of costs is used, so that one mistake cannot hide in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from catchment.verify.faults import Fault
from catchment.verify.proposal_facts import Facts, levels

_NEAR = 1e-6


def check_proposal(question: Any, answer: Any) -> tuple[Fault, ...]:
    """Check a plan of years again against its question.

    Parameters
    ----------
    question : Question
        What was asked (:class:`catchment.optimise.phases.question.Question`).
    answer : Answer
        The plan with what is built (:class:`catchment.optimise.phases.question.Answer`).

    Returns
    -------
    tuple of Fault
        What does not hold; those of severity ``limit`` may stand in a plan that nobody chose, such
        as keeping everything.
    """
    facts = Facts(question, answer)
    if facts.misshapen:
        return tuple(Fault("shape", what=what) for what in facts.misshapen)
    return (
        *_states(facts),
        *_villages(facts),
        *_rooms(facts),
        *_sizes(facts),
        *_emptied(facts),
        *_pace(facts),
        *_sums(facts),
    )


def _states(facts: Facts) -> Iterator[Fault]:
    """Three states, today first, one direction, within what the masks allow."""
    problem, question = facts.problem, facts.question
    for j, code in enumerate(problem.site_ids):
        course = levels(problem, facts.answer.plan.open, j)
        today = [bool(problem.today_open[j, b]) for b in range(len(problem.bands))]
        first = [bool(facts.answer.plan.open[j, b, 0]) for b in range(len(problem.bands))]
        if first != today:
            yield Fault("first_year", problem.years[0], code)
        for t in range(1, len(problem.years)):
            year, now, last = problem.years[t], course[t], course[t - 1]
            low, high = facts.allowed(j, t)
            if now < 0:
                yield Fault("no_state", year, code)
                continue
            if not low <= now <= high:
                yield Fault("state", year, code, found=str(now), expected=f"{low}–{high}")
            reopened = course[0] > 0 and now > 0 and last == 0
            raised = course[0] == 2 and now == 2 and 0 <= last < 2
            fell = course[0] == 0 and now < last
            if reopened or raised or fell:
                yield Fault("direction", year, code, found=str(now), expected=str(last))
            forced = question.at_most is not None and int(question.at_most[j, t]) == 1
            if now == 1 and course[0] == 2 and not question.may_downgrade[j] and not forced:
                yield Fault("state", year, code, found="1", expected="0, 2")


def _villages(facts: Facts) -> Iterator[Fault]:
    problem, plan = facts.problem, facts.answer.plan
    for i in range(len(problem.group_band)):
        village = problem.village_ids[int(problem.group_village[i])]
        band = problem.bands[int(problem.group_band[i])]
        here, moves = facts.home[i], 0
        for t, year in enumerate(problem.years):
            j = int(plan.site_of[i, t])
            students = facts.students(i, t)
            if j < 0:
                if students and here >= 0 and math.isfinite(facts.minutes(i, here, t)):
                    yield Fault("dropped", year, "", village, band, found=str(students))
                continue
            if j != here:
                here, moves = j, moves + 1
                if t == 0:
                    yield Fault("first_year", year, "", village, band)
            if moves and students:
                yield from _trip(facts, i, j, t)
            if int(plan.mode_of[i, t]) != int(problem.mode[int(problem.network[t]), i, j]):
                yield Fault("mode", year, problem.site_ids[j], village, band)
        stay = facts.question.stay
        if moves > 1 or (moves and stay is not None and bool(stay[i])):
            yield Fault("moved", None, "", village, band, found=str(moves))
        yield from _demanded(facts, i, village, band)
    for i, g, t in facts.rows():
        j = facts.sits(i, g, t)
        if j >= 0 and not plan.open[j, int(problem.group_band[i]), t]:
            where = problem.site_ids[j], problem.village_ids[int(problem.group_village[i])]
            yield Fault("closed_site", problem.years[t], *where, str(problem.grades[g]))


def _trip(facts: Facts, i: int, j: int, t: int) -> Iterator[Fault]:
    """Look at a school new to a village: near enough, of its area, and fit to receive anybody."""
    question, problem = facts.question, facts.problem
    if question.sent is not None and any(int(s) == j for s in question.sent[i]):
        return
    where = problem.site_ids[j], problem.village_ids[int(problem.group_village[i])]
    band = problem.bands[int(problem.group_band[i])]
    minutes = facts.minutes(i, j, t)
    boards = facts.mode(i, j, t) == "board"
    daily = float(problem.trip_limit[int(problem.group_band[i])])
    if facts.young(i, t):
        daily = min(daily, float(question.limits.young_minutes))
    limit = float(question.limits.boarding_minutes) if boards else daily
    if not minutes <= limit:
        yield Fault(
            "trip", problem.years[t], *where, band, found=f"{minutes:g}", expected=f"{limit:g}"
        )
    if question.within is not None and not question.within[i, j]:
        yield Fault("area", problem.years[t], *where, band)
    if question.receives is not None and not question.receives[j]:
        yield Fault("receives_large", problem.years[t], *where, band)
    if (
        t
        and question.tolerate_shortage
        and facts.classes(j, t, today=True) > int(problem.rooms[j, t])
    ):
        yield Fault("receives_short", problem.years[t], *where, band)


def _demanded(facts: Facts, i: int, village: str, band: str) -> Iterator[Fault]:
    question, problem = facts.question, facts.problem
    if question.sent is None:
        return
    wishes = [(t, int(j)) for t, j in enumerate(question.sent[i]) if int(j) >= 0]
    if not wishes or not math.isfinite(facts.minutes(i, wishes[0][1], wishes[0][0])):
        return
    when, where = wishes[0]
    for t in range(max(when, 1), len(problem.years)):
        j = int(facts.answer.plan.site_of[i, t])
        if facts.students(i, t) and j not in (where, -1):
            yield Fault(
                "not_merged", problem.years[t], "", village, band,
                found=problem.site_ids[j], expected=problem.site_ids[where],
            )  # fmt: skip
            return


def _rooms(facts: Facts) -> Iterator[Fault]:
    """Look whether what is used is there, built a year before, kept, and no more than allowed."""
    problem, question, built = facts.problem, facts.question, facts.answer.built
    for j, code in enumerate(problem.site_ids):
        for stock, most in (
            (built.rooms[j], question.extra_rooms[j]),
            (built.beds[j], question.extra_beds[j]),
            (built.seats[j], question.extra_seats[j]),
            (built.naps[j], question.extra_naps[j]),
        ):
            course = [int(x) for x in stock]
            if course[0] != 0 or sorted(course) != course:
                yield Fault("built", None, code, found=str(course))
            elif course[-1] > int(most):
                yield Fault(
                    "built_over", None, code, found=str(course[-1]), expected=str(int(most))
                )
        for t, year in enumerate(problem.years):
            formed = facts.classes(j, t)
            own = int(problem.rooms[j, t])
            if t and question.tolerate_shortage:
                own = max(own, facts.classes(j, t, today=True))
            room = own + int(built.rooms[j, t])
            if t and formed > room:
                yield Fault("class_rooms", year, code, found=str(formed), expected=str(room))
            yield from _class_rows(facts, j, t, formed)
            if t and facts.newcomers(j, t):
                yield from _receiving(facts, j, t)


def _class_rows(facts: Facts, j: int, t: int, formed: int) -> Iterator[Fault]:
    problem = facts.problem
    said = [int(c) for c in facts.answer.plan.classes[j, :, t]]
    alone = facts.alone(j, t)
    room = int(problem.rooms[j, t]) + int(facts.answer.built.rooms[j, t])
    if formed <= room:
        wrong = sum(said) != formed or (formed == sum(alone) and said != alone)
    elif not facts.is_point(j, t):
        # Short of rooms: no class without a room but one a grade, and the fullest as small as can be.
        active = sum(c > 0 for c in alone)
        wrong = sum(said) > max(room, active)
        wrong |= any((c > 0) != (a > 0) or c > a for c, a in zip(said, alone, strict=True))
        wrong |= room >= active and not facts.least_excess(j, t, said, room)
    else:
        # There neighbouring grades share what rooms there are.
        wrong = not 1 <= sum(said) <= max(room, sum(c > 0 for c in alone))
    if wrong or min(said) < 0:
        yield Fault(
            "classes", problem.years[t], problem.site_ids[j], found=str(said), expected=str(alone)
        )


def _receiving(facts: Facts, j: int, t: int) -> Iterator[Fault]:
    """Look whether a site that others have moved to has what all who are there need."""
    problem, built = facts.problem, facts.answer.built
    year, code = problem.years[t], problem.site_ids[j]
    runs_today = any(bool(o) for o in problem.today_open[j])
    size = facts.size(j, t)
    beds = max(int(problem.beds[j, t]), 0) + int(built.beds[j, t])
    if facts.boarders(j, t) > beds:
        yield Fault("beds", year, code, found=str(facts.boarders(j, t)), expected=str(beds))
    for rule, need, stock, more in (
        ("seats", size, problem.dining_seats, built.seats),
        ("naps", facts.newcomers(j, t), problem.nap_places, built.naps),
    ):
        said = -1 if stock is None else int(stock[j, t])
        if said < 0 and runs_today:
            continue
        have = max(said, 0) + int(more[j, t])
        if need > have:
            yield Fault(rule, year, code, found=str(need), expected=str(have))
    most = int(facts.question.limits.max_size)
    if size > most:
        yield Fault("school_size", year, code, found=str(size), expected=f"–{most}")


def _sizes(facts: Facts) -> Iterator[Fault]:
    problem, limits = facts.problem, facts.question.limits
    for j, code in enumerate(problem.site_ids):
        later = range(1, len(problem.years))
        worked = any(bool(o) for o in problem.today_open[j])
        protected = worked and all(facts.allowed(j, t)[0] > 0 for t in later)
        for t in later:
            size = facts.size(j, t)
            runs = any(bool(o) for o in facts.answer.plan.open[j, :, t])
            small = size < int(limits.min_size) and t >= max(int(limits.min_size_from), 1)
            if runs and small and not protected:
                expected = f"{limits.min_size}–"
                yield Fault(
                    "school_size", problem.years[t], code, found=str(size), expected=expected
                )


def _emptied(facts: Facts) -> Iterator[Fault]:
    """Look for schools that are open on paper to the end, and whose children were sent away."""
    problem, question = facts.problem, facts.question
    share, end = float(question.limits.kept_share), len(problem.years) - 1
    for j, code in enumerate(problem.site_ids):
        today = [b for b in range(len(problem.bands)) if problem.today_open[j, b]]
        course = levels(problem, facts.answer.plan.open, j)
        if not today:
            continue
        finish = question.transition == "finish"
        highest = min([course[0], *(facts.allowed(j, t)[1] for t in range(1, end + 1))])
        if highest < 1:
            continue
        for rank in range(min(highest, 2)):
            for t in range(1, end + 1):
                # With ``finish`` a closing school empties by itself, so the last year tells.
                if course[end if finish else t] <= rank:
                    continue
                taught = [b for b in today if facts.answer.plan.open[j, b, end if finish else t]]
                bands = taught[1:] if rank else taught[:1]
                was = now = 0
                for i, g, year in facts.rows():
                    if year != t or int(problem.grade_band[g]) not in bands:
                        continue
                    number = int(problem.students[i, g, t])
                    sent = question.sent is not None and any(int(s) >= 0 for s in question.sent[i])
                    was += number * (facts.home[i] == j and not sent)
                    now += number * (facts.sits(i, g, t) == j)
                if now < share * was - _NEAR:
                    yield Fault(
                        "emptied",
                        problem.years[t],
                        code,
                        found=str(now),
                        expected=f"{share * was:g}",
                    )


def _pace(facts: Facts) -> Iterator[Fault]:
    problem, limits, plan = facts.problem, facts.question.limits, facts.answer.plan
    runs = [
        [any(bool(o) for o in plan.open[j, :, t]) for t in range(len(problem.years))]
        for j in range(len(problem.site_ids))
    ]
    told = [("closures_total", None, sum(row[0] and not row[-1] for row in runs))]
    for t in range(1, len(problem.years)):
        closed = sum(row[t - 1] and not row[t] for row in runs)
        told.append(("closures_per_year", problem.years[t], closed))
        told.append(("moved_per_year", problem.years[t], facts.moved(t)))
    for name, year, value in told:
        limit = getattr(limits, name)
        if limit is not None and value > int(limit):
            yield Fault("pace", year, found=str(value), expected=str(limit), what=name)


def _sums(facts: Facts) -> Iterator[Fault]:
    total = facts.yuan()
    said, bound = float(facts.answer.plan.objective), float(facts.answer.plan.bound)
    if not abs(said - total) <= _NEAR * max(1.0, abs(total)):
        yield Fault("yuan", found=f"{said:.2f}", expected=f"{total:.2f}")
    if bound > total + _NEAR * max(1.0, abs(total)):
        yield Fault("bound", found=f"{bound:.2f}", expected=f"{total:.2f}")
