"""A small world whose rules all hold, and knobs that break them one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from tiny_county import plan_of, tiny_problem

from catchment.places import classes_for_plan
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.bands import read_bands
from catchment.rules import books, rule
from catchment.rules.clause import Rule
from catchment.rules.facts import EVIDENCE_COLUMNS, Facts


@dataclass(frozen=True)
class World:
    """Problem, what is open, who goes where, facts and rules; C closes in the second year."""

    problem: Problem
    site_of: np.ndarray
    opened: np.ndarray
    facts: Facts
    rules: tuple[Rule, ...]

    def findings(self) -> pd.DataFrame:
        problem = self.problem
        plan = plan_of(problem, self.site_of, self.opened)
        today = plan_of(problem, problem.today, problem.today_open)
        return rule.check(problem, plan, today, self.facts, self.rules)

    def with_facts(self, **changes: Any) -> World:
        return replace(self, facts=replace(self.facts, **changes))

    def with_problem(self, **changes: Any) -> World:
        return replace(self, problem=self.problem.replace(**changes))

    def with_limit(self, code: str, applies_to: str, limit: float | None) -> World:
        rules = tuple(
            replace(r, limit=limit) if (r.code, r.applies_to) == (code, applies_to) else r
            for r in self.rules
        )
        return replace(self, rules=rules)


Knob = Callable[[World], World]


def class_rows(rows: list[tuple[str, int, str, int]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["school_id", "grade", "class_no", "students"])
    return table.assign(year=2026)


def good_world() -> World:
    problem = tiny_problem()
    minutes = np.array([[5, 25, 40], [20, 10, 30], [35, 15, 12], [25, 20, 8]], dtype=np.float32)
    trip = minutes[problem.group_village][None]
    today = problem.today.copy()
    today[11] = 0
    mode = np.where(trip > 30, 3, problem.group_band[None, :, None]).astype(np.int8)
    students = problem.students.copy()
    # the receiver is small enough to take C's 42 students
    problem = problem.replace(
        minutes=trip,
        metres=trip * 60,
        mode=mode,
        today=today,
        students=students,
        beds=np.full((3, 2), 100, dtype=np.int32),
        dining_seats=np.full((3, 2), 1000, dtype=np.int32),
    )
    site = np.repeat(today[:, None], 2, axis=1)
    opened = np.repeat(problem.today_open[:, :, None], 2, axis=2)
    site[[6, 7, 9, 10], 1] = 1
    opened[2, :, 1] = False
    facts = Facts(
        site_name=("A", "B", "C"),
        site_town=("north", "north", "south"),
        site_urban=("121", "220", "220"),
        naps=np.array([1000.0, 1000.0, 100.0]),
        teachers=np.array([60.0, 20.0, 8.0]),
        village_name=("v0", "v1", "v2", "v3"),
        village_town=("north", "north", "north", "north"),
        village_urban=("121", "220", "220", "220"),
        classes=class_rows([("B", g, "1", 20) for g in range(1, 7)]),
        bands={b.band: b for b in read_bands()},
        evidence=pd.DataFrame(columns=list(EVIDENCE_COLUMNS)),
        public_transport=False,
        resources=resource_rows(),
    )
    rules = books.read_books(books.book_names())
    return World(problem, site, opened, facts, rules)


def closing_plan(world: World) -> Plan:
    return plan_of(world.problem, world.site_of, world.opened)


def resource_rows(factor: float = 1.0, uneven: float = 1.0, **changes: float) -> pd.DataFrame:
    """Resources of A, B and C that meet every standard with room to spare, times a factor."""
    per_student = {
        "teachers_degree": 0.08, "teachers_key": 0.02, "teachers_arts": 0.018,
        "teaching_area": 12.0, "sports_area": 20.0, "equipment": 5000.0, "multimedia_rooms": 0.05,
    }  # fmt: skip
    rows = []
    for name, stage, students, share in (
        ("A", "primary", 360, 1.0), ("A", "junior", 261, 1.0), ("B", "junior", 60, uneven),
        ("B", "primary", 120, uneven), ("C", "primary", 42, uneven),
    ):  # fmt: skip
        amounts = {k: v * students * factor * share for k, v in per_student.items()}
        amounts |= {k: v * students for k, v in changes.items()}
        rows.append(
            {"school_id": name, "stage": stage, "students": students, "kind": "", **amounts}
        )
    return pd.DataFrame(rows)


def crowded(problem: Problem, factor: int) -> Problem:
    return problem.replace(students=(problem.students * factor).astype(np.int32))


__all__ = [
    "Knob",
    "World",
    "class_rows",
    "classes_for_plan",
    "closing_plan",
    "crowded",
    "good_world",
]
