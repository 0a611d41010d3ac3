"""Sound plans of years for tiny questions, and ways to spoil them; each names what must be found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from catchment.optimise import consolidation as model
from tests.tiny_consolidation import tiny_question

Case = tuple[model.Question, model.Answer]
Spoilt = tuple[model.Question, model.Answer, str]
Spoil = Callable[[model.Question, model.Answer, np.random.Generator], Spoilt | None]


@lru_cache(maxsize=64)
def sound(seed: int) -> Case | None:
    """A tiny question with a plan; None where there is none."""
    question = tiny_question(seed)
    answer = model.consolidate(question, time_limit=20, seed=0)
    return (question, answer) if answer.plan.status in ("optimal", "feasible") else None


def _with(answer: model.Answer, **changes: Any) -> model.Answer:
    return dataclasses.replace(answer, plan=answer.plan.replace(**changes))


def _pick(rng: np.random.Generator, found: np.ndarray) -> tuple[int, ...] | None:
    return tuple(map(int, found[rng.integers(len(found))])) if len(found) else None


def _moved(answer: model.Answer) -> np.ndarray:
    """Groups with the year in which they go elsewhere than before."""
    course = answer.plan.site_of
    there = (course[:, 1:] != course[:, :-1]) & (course[:, 1:] >= 0) & (course[:, :-1] >= 0)
    return np.argwhere(there) + np.array([0, 1])


def wrong_sum(question, answer, rng):
    more = (1 + answer.plan.objective) * float(rng.uniform(1e-4, 1))
    return question, _with(answer, objective=answer.plan.objective + more), "yuan"


def bound_above(question, answer, rng):
    above = answer.plan.objective * (1 + float(rng.uniform(1e-4, 1))) + 1
    return question, _with(answer, bound=above), "bound"


def one_student_more(question, answer, rng):
    problem = question.problem
    served = answer.plan.site_of >= 0
    at = _pick(rng, np.argwhere((problem.students > 0) & served[:, None, :]))
    if at is None:
        return None
    students = problem.students.copy()
    students[at] += 1
    return question.replace(problem=problem.replace(students=students)), answer, "yuan"


def other_first_year(question, answer, rng):
    opened = answer.plan.open.copy()
    j, b = (int(rng.integers(n)) for n in opened.shape[:2])
    opened[j, b, 0] = ~opened[j, b, 0]
    return question, _with(answer, open=opened), "first_year"


def reopened(question, answer, rng):
    today = answer.plan.open[:, :, 0].any(axis=1)
    at = _pick(rng, np.argwhere(today))
    if at is None or answer.plan.open.shape[2] < 3:
        return None
    opened = answer.plan.open.copy()
    opened[at[0], :, 1], opened[at[0], :, 2] = False, opened[at[0], :, 0]
    return question, _with(answer, open=opened), "direction"


def _sat(question, answer):
    course = answer.plan.site_of
    some = question.problem.students.sum(axis=1) > 0
    return np.argwhere((course >= 0) & some)


def closed_under_them(question, answer, rng):
    if question.transition == "finish":
        return None
    at = _pick(rng, _sat(question, answer))
    if at is None:
        return None
    opened = answer.plan.open.copy()
    opened[answer.plan.site_of[at], :, at[1]] = False
    return question, _with(answer, open=opened), "closed_site"


def sent_to_a_closed_school(question, answer, rng):
    if question.transition == "finish":
        return None
    problem = question.problem
    shut = ~answer.plan.open[:, problem.group_band, :]
    some = problem.students.sum(axis=1) > 0
    at = _pick(rng, np.argwhere(shut.transpose(1, 2, 0) & some[:, :, None]))
    if at is None:
        return None
    course = answer.plan.site_of.copy()
    course[at[0], at[1]] = at[2]
    return question, _with(answer, site_of=course), "closed_site"


def left_without(question, answer, rng):
    found = [a for a in _sat(question, answer) if a[1] > 0 and answer.plan.site_of[a[0], 0] >= 0]
    at = _pick(rng, np.array(found))
    if at is None:
        return None
    course, mode = answer.plan.site_of.copy(), answer.plan.mode_of.copy()
    course[at], mode[at] = -1, -1
    minutes = question.problem.minutes[question.problem.network[at[1]], at[0]]
    home = answer.plan.site_of[at[0], at[1] - 1]
    if not np.isfinite(minutes[home]):
        return None
    return question, _with(answer, site_of=course, mode_of=mode), "dropped"


def moved_twice(question, answer, rng):
    course = answer.plan.site_of
    if course.shape[1] < 3:
        return None
    at = _pick(rng, np.argwhere(course[:, 0] >= 0))
    if at is None:
        return None
    other = (course[at[0], 0] + 1) % len(question.problem.site_ids)
    course = course.copy()
    course[at[0], 1], course[at[0], 2] = other, course[at[0], 0]
    return question, _with(answer, site_of=course), "moved"


def wrong_mode(question, answer, rng):
    at = _pick(rng, np.argwhere(answer.plan.site_of >= 0))
    if at is None:
        return None
    mode = answer.plan.mode_of.copy()
    mode[at] = (mode[at] + 1) % len(question.problem.modes)
    return question, _with(answer, mode_of=mode), "mode"


def _roomy(question, answer):
    """Sites and years with all bands, students, and a room for every class of standard size."""
    problem = question.problem
    here = np.zeros(answer.plan.classes.shape, dtype=np.int64)
    for t in range(here.shape[2]):
        served = answer.plan.site_of[:, t] >= 0
        site = answer.plan.site_of[served, t]
        np.add.at(here[:, :, t], site, problem.students[served, :, t])
    formed = (-(-here // problem.class_size[:, :, None])).sum(axis=1)
    fits = (formed > 0) & (formed <= problem.rooms + answer.built.rooms)
    return fits & answer.plan.open.all(axis=1) & (question.transition != "finish")


def a_class_more(question, answer, rng):
    at = _pick(rng, np.argwhere(_roomy(question, answer)))
    if at is None:
        return None
    classes = answer.plan.classes.copy()
    classes[at[0], int(rng.integers(classes.shape[1])), at[1]] += 1
    return question, _with(answer, classes=classes), "classes"


def a_class_less(question, answer, rng):
    roomy = _roomy(question, answer)
    at = _pick(rng, np.argwhere((answer.plan.classes > 0) & roomy[:, None, :]))
    if at is None:
        return None
    classes = answer.plan.classes.copy()
    classes[at] -= 1
    return question, _with(answer, classes=classes), "classes"


def _built(answer, name, stock):
    return dataclasses.replace(answer, built=dataclasses.replace(answer.built, **{name: stock}))


def _kind(rng):
    return ("rooms", "beds", "seats", "naps")[int(rng.integers(4))]


def built_before_it_can_be(question, answer, rng):
    name = _kind(rng)
    stock = getattr(answer.built, name).copy()
    stock[int(rng.integers(len(stock))), 0] = 1
    return question, _built(answer, name, stock), "built"


def built_too_much(question, answer, rng):
    name = _kind(rng)
    stock, j = getattr(answer.built, name).copy(), int(rng.integers(len(question.extra_rooms)))
    stock[j, 1:] = getattr(question, f"extra_{name}")[j] + 1
    return question, _built(answer, name, stock), "built_over"


def pulled_down_again(question, answer, rng):
    name = _kind(rng)
    stock = getattr(answer.built, name).copy()
    j = int(rng.integers(len(stock)))
    stock[j, 1] = stock[j, -1] + 1
    return question, _built(answer, name, stock), "built"


def a_room_too_few(question, answer, rng):
    formed = answer.plan.classes.sum(axis=1)
    formed[:, 0] = 0
    at = _pick(rng, np.argwhere(formed > 0))
    if at is None:
        return None
    rooms = question.problem.rooms.copy()
    rooms[at] = formed[at] - answer.built.rooms[at] - 1
    spoilt = question.replace(
        problem=question.problem.replace(rooms=rooms), tolerate_shortage=False
    )
    return spoilt, answer, "class_rooms"


def may_not_close(question, answer, rng):
    runs = answer.plan.open.any(axis=1)
    at = _pick(rng, np.argwhere(runs[:, 0] & ~runs[:, -1]))
    if at is None or question.at_most is not None:
        return None
    closes, lowers = question.may_close.copy(), question.may_downgrade.copy()
    closes[at[0]] = lowers[at[0]] = False
    return question.replace(may_close=closes, may_downgrade=lowers), answer, "state"


def too_many_closures(question, answer, rng):
    runs = answer.plan.open.any(axis=1)
    gone = int((runs[:, 0] & ~runs[:, -1]).sum())
    if not gone:
        return None
    limits = dataclasses.replace(question.limits, closures_total=gone - 1)
    return question.replace(limits=limits), answer, "pace"


def _free_move(question, answer, rng):
    at = _pick(rng, _moved(answer))
    if at is None or question.sent is not None:
        return None
    return at if question.problem.students[at[0], :, at[1]].any() else None


def _arrived(question, answer, rng):
    """A site and year in which children are there who have moved to it, and how many others."""
    at = _pick(rng, _moved(answer))
    if at is None or question.transition == "finish":
        return None
    problem, t = question.problem, at[1]
    if not problem.students[at[0], :, t].any():
        return None
    j = int(answer.plan.site_of[at])
    return j, t, int(problem.students[answer.plan.site_of[:, t] == j, :, t].sum())


def a_seat_too_few(question, answer, rng):
    found = _arrived(question, answer, rng)
    if found is None or found[2] <= answer.built.seats[found[0], found[1]]:
        return None
    j, t, everyone = found
    seats = question.problem.dining_seats.copy()
    seats[j, t] = everyone - answer.built.seats[j, t] - 1
    return question.replace(problem=question.problem.replace(dining_seats=seats)), answer, "seats"


def no_nap_place(question, answer, rng):
    found = _arrived(question, answer, rng)
    if found is None or answer.built.naps[found[0], found[1]]:
        return None
    naps = np.zeros_like(question.problem.beds)
    return question.replace(problem=question.problem.replace(nap_places=naps)), answer, "naps"


def into_large_classes(question, answer, rng):
    at = _free_move(question, answer, rng)
    if at is None:
        return None
    receives = np.ones(len(question.problem.site_ids), dtype=bool)
    receives[answer.plan.site_of[at]] = False
    return question.replace(receives=receives), answer, "receives_large"


def too_far_for_the_young(question, answer, rng):
    at = _free_move(question, answer, rng)
    problem = question.problem
    if at is None or not problem.students[at[0], np.asarray(problem.grades) <= 3, at[1]].any():
        return None
    place = problem.network[at[1]], at[0], answer.plan.site_of[at]
    boards = problem.modes[problem.mode[place]] == "board"
    if boards or problem.minutes[place] <= 0:
        return None
    limits = dataclasses.replace(question.limits, young_minutes=0.0)
    return question.replace(limits=limits), answer, "trip"


def too_far(question, answer, rng):
    at = _free_move(question, answer, rng)
    if at is None:
        return None
    problem = question.problem
    limit = np.zeros_like(problem.trip_limit)
    limits = dataclasses.replace(question.limits, boarding_minutes=-1.0)
    there = answer.plan.site_of[at]
    if problem.minutes[problem.network[at[1]], at[0], there] <= 0:
        return None
    spoilt = question.replace(problem=problem.replace(trip_limit=limit), limits=limits)
    return spoilt, answer, "trip"


def out_of_its_area(question, answer, rng):
    at = _free_move(question, answer, rng)
    if at is None:
        return None
    shape = len(question.problem.today), len(question.problem.site_ids)
    within = np.ones(shape, dtype=bool) if question.within is None else question.within.copy()
    within[at[0], answer.plan.site_of[at]] = False
    return question.replace(within=within), answer, "area"


def may_not_move(question, answer, rng):
    at = _pick(rng, _moved(answer))
    if at is None:
        return None
    stay = np.zeros(len(question.problem.today), dtype=bool)
    stay[at[0]] = True
    return question.replace(stay=stay), answer, "moved"


def too_small(question, answer, rng):
    limits = dataclasses.replace(question.limits, min_size=10**6, min_size_from=1)
    runs = answer.plan.open[:, :, 1:].any(axis=(1, 2))
    free = question.may_close & question.problem.today_open.any(axis=1) & runs
    if not free.any() or question.at_least is not None:
        return None
    return question.replace(limits=limits), answer, "school_size"


def too_large(question, answer, rng):
    if _arrived(question, answer, rng) is None:
        return None
    limits = dataclasses.replace(question.limits, max_size=0)
    return question.replace(limits=limits), answer, "school_size"


def emptied(question, answer, rng):
    """All of today's children are to stay where a school teaches on, and some have left."""
    plan, problem = answer.plan, question.problem
    if question.sent is not None or question.at_most is not None or len(problem.bands) != 2:
        return None
    if question.transition != "together":
        return None
    people = problem.students.sum(axis=1)
    for j in np.flatnonzero(problem.today_open.any(axis=1)):
        for b in np.flatnonzero(plan.open[j, :, -1] & problem.today_open[j]):
            mine = problem.group_band == b
            for t in range(1, len(problem.years)):
                was = people[mine & (plan.site_of[:, 0] == j), t].sum()
                if people[mine & (plan.site_of[:, t] == j), t].sum() < was:
                    limits = dataclasses.replace(question.limits, kept_share=1.0)
                    return question.replace(limits=limits), answer, "emptied"
    return None


def another_shape(question, answer, rng):
    return question, _with(answer, site_of=answer.plan.site_of[:, 1:]), "shape"


SPOILS: tuple[Spoil, ...] = (
    wrong_sum, bound_above, one_student_more, other_first_year, reopened, closed_under_them,
    sent_to_a_closed_school, left_without, moved_twice, wrong_mode, a_class_more, a_class_less,
    built_before_it_can_be, built_too_much, pulled_down_again, a_room_too_few, may_not_close,
    too_many_closures, too_far, out_of_its_area, may_not_move, too_small, too_large, emptied,
    another_shape, a_seat_too_few, no_nap_place, into_large_classes, too_far_for_the_young,
)  # fmt: skip
