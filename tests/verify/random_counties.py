"""Small random questions, and ways to spoil their answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from catchment.plan import Plan
from catchment.problem import Problem

GRADES = (1, 2, 3, 4)
GRADE_BAND = np.array([0, 0, 1, 1], dtype=np.int8)
MODES = ("walk", "bus", "board")


def random_problem(rng: np.random.Generator) -> Problem:
    """Villages on a grid, a few schools, three years; a school closes or opens on the way."""
    wide, deep, m, t = int(rng.integers(3, 6)), int(rng.integers(2, 5)), int(rng.integers(2, 5)), 3
    v, b = wide * deep, 2
    home = rng.choice(v, size=m, replace=False).astype(np.int32)
    place = np.array([(i % wide, i // wide) for i in range(v)], dtype=float)
    apart = np.abs(place[:, None, :] - place[None, home, :]).sum(axis=2)
    minutes = (apart * 7 + rng.random((v, m)) * 4 + 1).repeat(b, axis=0)
    minutes[rng.random(minutes.shape) < 0.03] = np.inf
    opened = np.ones((m, b, t), dtype=bool)
    opened[:, 1, :] = rng.random((m, 1)) < 0.7
    opened[0] = True
    for j in range(1, m):
        kind = rng.integers(0, 4)
        if kind == 1:
            opened[j, :, int(rng.integers(1, t)) :] = False
        elif kind == 2:
            opened[j, :, : int(rng.integers(1, t))] = False
    students = rng.integers(0, 14, size=(v * b, 4, t)).astype(np.int32)
    band_of = np.tile(np.arange(b, dtype=np.int8), v)
    students[GRADE_BAND[None, :].repeat(v * b, 0) != band_of[:, None]] = 0
    mode = rng.integers(0, 3, size=minutes.shape).astype(np.int8)
    daily = np.where(mode == 2, 1, mode).astype(np.int8)
    unreached = ~np.isfinite(minutes)
    mode[unreached], daily[unreached] = -1, -1
    today = np.full(v * b, -1, dtype=np.int32)
    for i in range(v * b):
        able = np.flatnonzero(opened[:, band_of[i], 0] & np.isfinite(minutes[i]))
        if len(able) and rng.random() < 0.8:
            today[i] = able[minutes[i, able].argmin()]
    fixed = np.full((v * b, t), -1, dtype=np.int32)
    if rng.random() < 0.3:
        fixed[int(rng.integers(v * b)), 1:] = 0
    rows, cols = [], []
    for i in range(v):
        for k in range(v):
            if np.abs(place[i] - place[k]).sum() == 1:
                rows.append(i)
                cols.append(k)
    near = csr_matrix((np.ones(len(rows), dtype=bool), (rows, cols)), shape=(v, v))
    return Problem(
        village_ids=tuple(f"V{i}" for i in range(v)),
        site_ids=tuple(f"S{j}" for j in range(m)),
        bands=("lower", "upper"),
        grades=GRADES,
        grade_band=GRADE_BAND,
        years=(2026, 2027, 2028),
        group_village=np.repeat(np.arange(v, dtype=np.int32), b),
        group_band=band_of,
        students=students,
        estimated=np.zeros((v, t), dtype=bool),
        modes=MODES,
        minutes=minutes[None].astype(np.float32),
        metres=(minutes[None] * 80).astype(np.float32),
        mode=mode[None],
        network=np.zeros(t, dtype=np.int32),
        rooms=rng.integers(1, 12, size=(m, t)).astype(np.int32),
        beds=rng.integers(-1, 3, size=(m, t)).astype(np.int32),
        dining_seats=np.full((m, t), -1, dtype=np.int32),
        class_size=rng.integers(20, 46, size=(m, 4)).astype(np.int32),
        neighbours=near,
        home=home,
        existing=opened[:, :, 0].any(axis=1),
        today_open=opened[:, :, 0],
        can_host=np.ones((m, b), dtype=bool),
        must_open=opened,
        must_close=~opened,
        today=today,
        fixed_site=fixed,
        trip_limit=np.array([30, 40], dtype=np.float32),
        daily_mode=daily[None],
    )


Spoil = Callable[[Problem, Plan, np.random.Generator], Plan | None]


def _one(mask: np.ndarray, rng: np.random.Generator) -> tuple[int, ...] | None:
    places = np.argwhere(mask)
    return tuple(int(k) for k in places[rng.integers(len(places))]) if len(places) else None


def _set(array: np.ndarray, at: tuple[int, ...], value: float) -> np.ndarray:
    out = array.copy()
    out[at] = value
    return out


def closed_school(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Send a village to a school that does not teach its band."""
    shut = ~plan.open[:, problem.group_band, :].transpose(1, 2, 0)
    at = _one(shut, rng)
    return None if at is None else plan.replace(site_of=_set(plan.site_of, at[:2], at[2]))


def nowhere(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Send a village to a school that does not exist."""
    at = _one(plan.site_of >= 0, rng)
    wrong = len(problem.site_ids) if rng.random() < 0.5 else -2
    return None if at is None else plan.replace(site_of=_set(plan.site_of, at, wrong))


def no_way(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Send a village where there is no way."""
    cut = ~np.isfinite(problem.minutes[0])[:, None, :] & plan.open[
        :, problem.group_band, :
    ].transpose(1, 2, 0)
    at = _one(cut, rng)
    return None if at is None else plan.replace(site_of=_set(plan.site_of, at[:2], at[2]))


def other_school(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Send a village to another open school and leave classes and sums as they were."""
    demand = problem.demand()
    other = plan.open[:, problem.group_band, :].transpose(1, 2, 0).copy()
    other &= np.isfinite(problem.minutes[0])[:, None, :] & (demand > 0)[:, :, None]
    served = np.argwhere(plan.site_of >= 0)
    other[served[:, 0], served[:, 1], plan.site_of[served[:, 0], served[:, 1]]] = False
    at = _one(other & (plan.site_of >= 0)[:, :, None], rng)
    return None if at is None else plan.replace(site_of=_set(plan.site_of, at[:2], at[2]))


def dropped(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Leave a village out without saying so in the sums."""
    at = _one((plan.site_of >= 0) & (problem.demand() > 0), rng)
    return None if at is None else plan.replace(site_of=_set(plan.site_of, at, -1))


def wrong_mode(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Name another way of travelling."""
    at = _one(plan.site_of >= 0, rng)
    if at is None:
        return None
    return plan.replace(mode_of=_set(plan.mode_of, at, (int(plan.mode_of[at]) + 1) % len(MODES)))


def class_more(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Form a class for a grade without students."""
    at = _one(plan.classes == 0, rng)
    return None if at is None else plan.replace(classes=_set(plan.classes, at, 7))


def class_less(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Take the classes of a grade away."""
    at = _one(plan.classes > 0, rng)
    return None if at is None else plan.replace(classes=_set(plan.classes, at, -1))


def school_shut(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Shut a school that must be open."""
    at = _one(plan.open, rng)
    return None if at is None else plan.replace(open=_set(plan.open, at, False))


def school_opened(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Open a school that must be shut."""
    at = _one(~plan.open, rng)
    return None if at is None else plan.replace(open=_set(plan.open, at, True))


def wrong_sum(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Change the sum by one student-minute."""
    return plan.replace(objective=plan.objective + (1.0 if rng.random() < 0.5 else -1.0))


def bold_bound(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Claim a bound above the plan."""
    return plan.replace(bound=plan.objective * (1 + rng.random()) + 1)


def wrong_size(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Lose a year."""
    return plan.replace(classes=plan.classes[:, :, :-1])


SPOILS: tuple[Spoil, ...] = (
    closed_school,
    nowhere,
    no_way,
    other_school,
    dropped,
    wrong_mode,
    class_more,
    class_less,
    school_shut,
    school_opened,
    wrong_sum,
    bold_bound,
    wrong_size,
)


def in_pieces(problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Give a village in the middle of a catchment to a school whose catchment is elsewhere.

    Its classes, modes and sums are made right for it, so that only the map is wrong.
    """
    from catchment.optimise.layout import recorded_plan

    bands = len(problem.bands)
    for i, t in rng.permutation(np.argwhere(plan.site_of >= 0)):
        band, village = int(problem.group_band[i]), int(problem.group_village[i])
        here = plan.site_of[band::bands, t]
        around = np.unique(here[problem.neighbours[village].indices])
        pinned = problem.fixed_site[band::bands, t] >= 0
        if pinned.any() or here[village] < 0 or village in problem.home[plan.open[:, band, t]]:
            continue
        for j in np.flatnonzero(plan.open[:, band, t] & np.isfinite(problem.minutes[0, i])):
            back = np.isfinite(problem.minutes[0, i, around[around >= 0]]).any()
            if (
                j not in around
                and here[village] != j
                and (here == j).any()
                and back
                and problem.home[j] != village
            ):
                site_of = _set(plan.site_of, (int(i), int(t)), int(j))
                return recorded_plan(problem, site_of, plan.method)
    return None
