"""What the rules of a closing leave to a search for plans: the gate, read before a plan is there.

The gate (:mod:`catchment.rules.gate`) judges a plan that exists. A search needs to know beforehand
which schools may be given up at all, which may receive, and how far those who are moved may go.
Both read the same clauses and the same records; where the gate leaves a thing undecided for want
of data, nothing is assumed here either.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.places import own_classes
from catchment.problem import Problem
from catchment.rules.books import class_limits
from catchment.rules.clause import Rule
from catchment.rules.records import judged

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Terms:
    """What a plan may do to schools.

    Attributes
    ----------
    receives : (m,) bool
        Schools that may take in others' children: none of their classes of today is over standard
        (R-CON-05). A school without a class table is not barred; the gate leaves it undecided.
    opposed : (m,) bool
        Schools that a record of evidence keeps from closing: a clause about closings that it
        breaks in some year of the plan (R-CON-01, R-CON-02, R-CON-08 and others).
    small : float
        Students below which a school may be given up at all (R-CON-07), the county's own number
        of "very few" included; inf where no clause holds one.
    young_minutes : float
        Longest daily trip of grades 1 to 3 who are moved (R-CON-02 with R-TRV-01); inf where no
        clause holds one.
    largest : float
        Most students of a school that receives (R-CON-04); inf where no clause holds one.
    seats, naps : float
        Dining seats for each student of a school that receives, and nap places for each who moved
        there (R-CON-03, less than 1 where a county eats in several sittings); 0 where no clause
        holds one.
    """

    receives: Bool
    opposed: Bool
    small: float
    young_minutes: float
    largest: float
    seats: float
    naps: float


def terms_of_closing(
    problem: Problem,
    rules: Sequence[Rule],
    classes: pd.DataFrame | None,
    evidence: pd.DataFrame | None,
) -> Terms:
    """Read the clauses about closings, the classes of today and the record of evidence.

    Parameters
    ----------
    problem : Problem
        The question.
    rules : sequence of Rule
        Clauses, as read by :func:`catchment.rules.books.read_books`.
    classes : DataFrame or None
        The county's own table of classes.
    evidence : DataFrame or None
        Record of evidence.

    Returns
    -------
    Terms
        What a plan may do.
    """
    mine = [r for r in rules if "closing" in r.scope]
    sizes = [r for r in mine if r.code == "R-CON-04" and _item(r) in ("school", "nine_year")]
    few = [r for r in mine if r.code == "R-CON-07" and _item(r) in ("small", "very_few")]
    young = [r for r in rules if r.code == "R-TRV-01" and r.applies_to == "grades=1-3"]
    trips = any(r.code == "R-CON-02" and r.evaluate == "computed" for r in mine)
    return Terms(
        receives=~_crowded(problem, rules, classes)
        if any(r.code == "R-CON-05" for r in mine)
        else np.ones(len(problem.site_ids), dtype=bool),
        opposed=_opposed(problem, mine, evidence),
        small=_least(few),
        young_minutes=_least(young) if trips else float("inf"),
        largest=_least(sizes),
        seats=_for_each(mine, "dining"),
        naps=_for_each(mine, "nap"),
    )


def _item(rule: Rule) -> str:
    return str(rule.scope.get("item", ("",))[0])


def _least(rules: Sequence[Rule]) -> float:
    return min((float(r.limit) for r in rules if r.limit is not None), default=float("inf"))


def _for_each(rules: Sequence[Rule], item: str) -> float:
    found = [r for r in rules if r.code == "R-CON-03" and _item(r) == item]
    return max((1.0 if r.limit is None else float(r.limit) for r in found), default=0.0)


def _crowded(problem: Problem, rules: Sequence[Rule], classes: pd.DataFrame | None) -> Bool:
    """Whether a school has a class over standard in the county's own table of the first year."""
    limits = class_limits(rules)
    out = np.zeros(len(problem.site_ids), dtype=bool)
    found = own_classes(classes, problem.site_ids, problem.grades, problem.years[0])
    for j, rows in found.items():
        grade = np.array([problem.grades[c.grade] for c in rows])
        size = np.array([c.size for c in rows])
        out[j] = bool((limits.category(size, grade) >= 1).any())
    return out


def _opposed(problem: Problem, rules: Sequence[Rule], evidence: pd.DataFrame | None) -> Bool:
    """Whether a record speaks against giving a school up in some year after today."""
    out = np.zeros(len(problem.site_ids), dtype=bool)
    if evidence is None or evidence.empty:
        return out
    asked = [r for r in rules if r.evaluate == "evidence"]
    for j in np.flatnonzero(problem.today_open.any(axis=1)):
        for rule in asked:
            alone = sum(r.code == rule.code and r.evaluate == rule.evaluate for r in rules) == 1
            found = (
                judged(evidence, rule, problem.site_ids[j], by=dt.date(year, 9, 1), alone=alone)
                for year in problem.years[1:]
            )
            out[j] |= any(record is not None and record.result == "fail" for record in found)
    return out
