"""What a plan needs besides rooms, where places run short or stay empty, and smaller classes.

Tables for people: one row a school and year, or a school, or a policy. Present amounts that a
county has not reported stay nan, and nothing is called short against them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.indicators.measure import roll
from catchment.places import (
    SUBJECTS,
    NeedFactors,
    begins,
    compare_class_sizes,
    needs,
    seats,
    spell,
)
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region

NEED_COLUMNS = (
    "year", "site_id", "students", "classes", "small", "staff_by_ratio", "staff_by_class",
    "staff_needed", "staff_now", "staff_short", "subject_teachers", "dining_needed", "dining_now",
    "dining_short", "nap_needed", "nap_now", "nap_short", "beds_needed", "beds_now", "beds_short",
    "estimated",
)  # fmt: skip
"""Columns of the table of needs."""

PLACE_COLUMNS = (
    "site_id", "rooms_first", "rooms_last", "shortfall_first_year", "shortfall_last_year",
    "shortfall_begins", "shortfall_most", "spare_rooms_first", "spare_rooms_last", "surplus_begins",
    "estimated",
)  # fmt: skip
"""Columns of the table of places."""

POLICIES = (40, 35, 30)
"""Class sizes of the policy of smaller classes that are compared with the standard."""

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]


def estimated_sites(problem: Problem, plan: Plan) -> Bool:
    """Say where the students of a school and year are projected or estimated, not counted.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    (m, t) bool
        Whether a village with students there has figures from no counting source.
    """
    out = np.zeros((len(problem.site_ids), len(problem.years)), dtype=bool)
    some = problem.students.sum(axis=1) > 0
    guessed = problem.estimated[problem.group_village] & some & (plan.site_of >= 0)
    for i, t in np.argwhere(guessed):
        out[plan.site_of[i, t], t] = True
    return out


def need_table(
    problem: Problem, plan: Plan, region: Region, factors: NeedFactors | None = None
) -> pd.DataFrame:
    """Count what every school with students needs in every year, beside what it has.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county: staff and nap places of today.
    factors : NeedFactors, optional
        Factors; the usual ones when left out.

    Returns
    -------
    DataFrame
        Columns :data:`NEED_COLUMNS`. Staff and nap places at hand are those of today in every year;
        beds and dining seats those of the plan. ``subject_teachers`` is one text. What is short is
        nan where the amount at hand is not known.
    """
    at_site = roll(problem, plan).at_site.astype(np.int64)
    primary = np.asarray(problem.grades) <= 6
    got = needs(at_site, plan.classes, primary, _boarders(problem, plan), factors, problem.grades)
    small = at_site.sum(axis=1) < (factors or NeedFactors()).small_school
    staff = _of_schools(region, problem, "teachers")
    naps = _of_schools(region, problem, "nap_places")
    guessed = estimated_sites(problem, plan)
    rows = []
    for t, year in enumerate(problem.years):
        for j in np.flatnonzero(at_site[:, :, t].sum(axis=1) > 0):
            pairs = (
                (got.staff[j, t], staff[j]),
                (got.dining_seats[j, t], _known(problem.dining_seats[j, t])),
                (got.nap_places[j, t], naps[j]),
                (got.beds[j, t], _known(problem.beds[j, t])),
            )
            short = [(n, have, max(0.0, float(n) - have)) for n, have in pairs]
            subjects = "、".join(
                f"{name} {number:g}"
                for name, number in zip(SUBJECTS, got.subject_teachers[j, :, t], strict=True)
            )
            rows.append(
                (
                    year, problem.site_ids[j], int(at_site[j, :, t].sum()),
                    int(plan.classes[j, :, t].sum()), bool(small[j, t]),
                    int(got.staff_by_ratio[j, t]), int(got.staff_by_class[j, t]),
                    *short[0], subjects, *short[1], *short[2], *short[3], bool(guessed[j, t]),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(NEED_COLUMNS))


def place_table(problem: Problem, plan: Plan) -> pd.DataFrame:
    """Say when each school begins to be short of places, and when rooms begin to stay empty.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    DataFrame
        Columns :data:`PLACE_COLUMNS`, one row a school with students in some year. A shortfall has a
        first and a last year, and begins for good where it lasts to the last year of the plan; a
        surplus begins for good where from then on at least one room is not needed (0 = never).
        Years between those of the plan are not known.
    """
    at_site = roll(problem, plan).at_site.astype(np.int64)
    hosted = plan.open[:, problem.grade_band, :]
    _, short, _ = seats(at_site, problem.rooms, problem.class_size, hosted)
    need = (-(-at_site // problem.class_size[:, :, None].astype(np.int64))).sum(axis=1)
    busy = at_site.sum(axis=1) > 0
    spare = np.where(busy, np.maximum(problem.rooms - need, 0), 0)
    first, last = spell(short, problem.years)
    lasting, idle = begins(short, problem.years), begins(spare, problem.years)
    guessed = estimated_sites(problem, plan)
    rows = [
        (
            problem.site_ids[j], int(problem.rooms[j, 0]), int(problem.rooms[j, -1]),
            int(first[j]), int(last[j]), int(lasting[j]), int(short[j].max()), int(spare[j, 0]),
            int(spare[j, -1]), int(idle[j]), bool(guessed[j].any()),
        )
        for j in np.flatnonzero(busy.any(axis=1))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(PLACE_COLUMNS))


def smaller_class_table(problem: Problem, plan: Plan) -> pd.DataFrame:
    """Answer a falling cohort by smaller classes instead of closures: each policy and year.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    DataFrame
        As :func:`catchment.places.compare_class_sizes` returns it, ``estimated`` added;
        ``target`` 0 is the standard of today.
    """
    at_site = roll(problem, plan).at_site.astype(np.int64)
    top = int(problem.class_size.max())
    table = compare_class_sizes(
        at_site, problem.rooms, problem.class_size, problem.years, (top, *POLICIES)
    )
    flags = np.asarray(estimated_sites(problem, plan).any(axis=0), dtype=bool)
    guessed = {y: bool(f) for y, f in zip(problem.years, flags, strict=True)}
    return table.assign(
        target=table["target"].where(table["target"] != top, 0),
        estimated=table["year"].map(guessed),
    )


def _boarders(problem: Problem, plan: Plan) -> Int64:
    """Students who board by site and year (m, t)."""
    out = np.zeros((len(problem.site_ids), len(problem.years)), dtype=np.int64)
    if "board" not in problem.modes:
        return out
    there = (plan.mode_of == problem.modes.index("board")) & (plan.site_of >= 0)
    number = problem.students.sum(axis=1, dtype=np.int64)
    for i, t in np.argwhere(there):
        out[plan.site_of[i, t], t] += number[i, t]
    return out


def _of_schools(region: Region, problem: Problem, column: str) -> npt.NDArray[np.float64]:
    if column not in region.schools:
        return np.full(len(problem.site_ids), np.nan)
    values = pd.to_numeric(region.schools[column], errors="coerce")
    known = dict(zip(region.schools["school_id"].astype(str), values, strict=True))
    found = [known.get(s, float("nan")) for s in problem.site_ids]
    return np.array([float("nan") if pd.isna(v) else float(v) for v in found])


def _known(value: int) -> float:
    return float(value) if value >= 0 else float("nan")
