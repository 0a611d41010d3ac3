"""A county of four villages and three schools that can be worked out by hand.

Schools: A central (grades 1-9, 20 rooms), B complete (1-6, 6 rooms), C teaching point (1-6 today,
3 rooms). Villages v0 to v3; v3 is on an island without a road to anywhere but C.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from catchment.places import classes_for_plan
from catchment.plan import Plan
from catchment.problem import Problem

BANDS = ("lower", "upper", "junior")
GRADES = tuple(range(1, 10))
MINUTES = np.array(
    # A, B, C
    [
        [5.0, 25.0, 40.0],
        [20.0, 10.0, 30.0],
        [35.0, 15.0, 12.0],
        [np.inf, np.inf, 8.0],
    ]
)


def tiny_problem(years: tuple[int, ...] = (2026, 2027)) -> Problem:
    t = len(years)
    grade_band = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2], dtype=np.int8)
    village = np.repeat(np.arange(4), 3).astype(np.int32)
    band = np.tile(np.arange(3), 4).astype(np.int8)
    per_grade = np.array([60, 20, 5, 2])
    students = np.zeros((12, 9, t), dtype=np.int32)
    for i in range(12):
        for g in range(9):
            if grade_band[g] == band[i]:
                students[i, g, :] = per_grade[village[i]]
    minutes = MINUTES[village][None].astype(np.float32)
    metres = minutes * 100
    mode = np.where(np.isfinite(minutes), np.where(minutes > 30, 3, band[None, :, None]), -1)
    can = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 0]], dtype=bool)
    adjacency = np.zeros((4, 4), dtype=bool)
    for a, b in ((0, 1), (1, 2), (2, 3)):
        adjacency[a, b] = adjacency[b, a] = True
    today = np.array([0, 0, 0, 1, 1, 0, 2, 2, 0, 2, 2, -1], dtype=np.int32)
    return Problem(
        village_ids=("v0", "v1", "v2", "v3"),
        site_ids=("A", "B", "C"),
        bands=BANDS,
        grades=GRADES,
        grade_band=grade_band,
        years=years,
        group_village=village,
        group_band=band,
        students=students,
        estimated=np.zeros((4, t), dtype=bool),
        modes=("walk_lower", "walk_upper", "walk_junior", "bus"),
        minutes=minutes,
        metres=metres,
        mode=mode.astype(np.int8),
        network=np.zeros(t, dtype=np.int32),
        rooms=np.repeat(np.array([[20], [6], [3]], dtype=np.int32), t, axis=1),
        beds=np.repeat(np.array([[30], [0], [0]], dtype=np.int32), t, axis=1),
        dining_seats=np.repeat(np.array([[800], [150], [-1]], dtype=np.int32), t, axis=1),
        class_size=np.tile(np.array([45] * 6 + [50] * 3, dtype=np.int32), (3, 1)),
        neighbours=csr_matrix(adjacency),
        home=np.array([0, 1, 2], dtype=np.int32),
        existing=np.ones(3, dtype=bool),
        today_open=can.copy(),
        can_host=can,
        must_open=np.zeros((3, 3, t), dtype=bool),
        must_close=np.zeros((3, 3, t), dtype=bool),
        today=today,
        fixed_site=np.full((12, t), -1, dtype=np.int32),
        trip_limit=np.array([30, 40, 60], dtype=np.float32),
    )


def plan_of(problem: Problem, site_of: np.ndarray, is_open: np.ndarray) -> Plan:
    """Plan that sends groups to sites as given, every year; classes formed in the rooms."""
    t = len(problem.years)
    site = np.asarray(site_of, dtype=np.int32)
    site = np.repeat(site[:, None], t, axis=1) if site.ndim == 1 else site
    opened = np.asarray(is_open, dtype=bool)
    opened = np.repeat(opened[:, :, None], t, axis=2) if opened.ndim == 2 else opened
    at_site = np.zeros((len(problem.site_ids), len(problem.grades), t), dtype=np.int64)
    minutes = 0.0
    mode_of = np.full(site.shape, -1, dtype=np.int8)
    for i in range(site.shape[0]):
        for y in range(t):
            j = site[i, y]
            if j < 0:
                continue
            at_site[j, :, y] += problem.students[i, :, y]
            trip = float(problem.minutes[problem.network[y], i, j])
            mode_of[i, y] = problem.mode[problem.network[y], i, j]
            if np.isfinite(trip):
                minutes += trip * int(problem.students[i, :, y].sum())
    classes, _ = classes_for_plan(at_site, problem.rooms, problem.class_size, [False, False, True])
    return Plan(
        open=opened,
        site_of=site,
        classes=classes,
        mode_of=mode_of,
        method="today",
        status="feasible",
        objective=minutes,
        bound=float("nan"),
        seconds=0.0,
        seed=0,
    )


def today_plan(problem: Problem) -> Plan:
    return plan_of(problem, problem.today, problem.today_open)
