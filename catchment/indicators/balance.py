"""Balanced development (优质均衡): seven resources a student, and how evenly schools share them.

A row of the table is one stage of one school. The coefficient of variation is weighted by students,
as the assessment asks: unweighted it can fall on the other side of the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.indicators.measure import roll
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.bands import Band

RESOURCES: Mapping[str, float] = {
    "teachers_degree": 100.0,
    "teachers_key": 100.0,
    "teachers_arts": 100.0,
    "teaching_area": 1.0,
    "sports_area": 1.0,
    "equipment": 1.0,
    "multimedia_rooms": 100.0,
}
"""The seven resources and the number of students they are stated for."""

MOVABLE = ("teachers_degree", "teachers_key", "teachers_arts", "equipment")
"""Resources that go with the students when a school closes; rooms and grounds stay behind."""

TABLE_COLUMNS = ("school_id", "stage", "students", "kind", *RESOURCES)
"""Columns of the table of resources; ``kind`` is empty, ``teaching_point``, ``special`` or
``vocational``; a school that teaches both stages in one row has ``stage`` ``both`` and the students
of its stages in ``students_primary`` and ``students_junior``."""

SMALL_POINT = 50
"""Teaching points with fewer students are left out."""


@dataclass(frozen=True)
class Balance:
    """Verdicts of schools and of the county.

    Attributes
    ----------
    schools : DataFrame
        ``school_id, stage, indicator, value, standard, ratio, met`` (``met`` is ``yes``, ``no`` or
        ``unknown``).
    verdicts : DataFrame
        ``school_id, stage, met, unknown, worst_ratio, result``: six of seven met and the rest at
        85 % or more (``pass``), not so (``fail``), or undecided (``unknown``).
    county : DataFrame
        ``stage, indicator, cv, limit, result``.
    left_out : tuple of str
        Schools not assessed and why.
    """

    schools: pd.DataFrame
    verdicts: pd.DataFrame
    county: pd.DataFrame
    left_out: tuple[str, ...]


def variation(resource: npt.ArrayLike, students: npt.ArrayLike) -> float:
    """Student-weighted coefficient of variation of a resource a student.

    Parameters
    ----------
    resource : array_like of float
        (k) amount of the resource by school.
    students : array_like of float
        (k) students by school, above 0.

    Returns
    -------
    float
        Standard deviation over mean, both weighted by students; 0 or more. nan for no school or
        where the county has none of the resource.

    Raises
    ------
    InputError
        When a school has no students or a number is negative.

    Examples
    --------
    >>> round(variation([279, 137, 935, 160, 402], [45, 37, 89, 76, 55]), 4)
    0.5153
    """
    amount = np.asarray(resource, dtype=np.float64)
    pupils = np.asarray(students, dtype=np.float64)
    if (pupils <= 0).any() or (amount < 0).any():
        raise InputError(
            "差异系数：学生数应大于 0、资源数不得为负 / students must be above 0 and resources "
            "0 or more"
        )
    if pupils.size == 0 or amount.sum() == 0:
        return float("nan")
    mean = amount.sum() / pupils.sum()
    spread = np.sqrt((pupils / pupils.sum() * (amount / pupils - mean) ** 2).sum())
    return float(spread / mean)


def split_stages(table: pd.DataFrame) -> pd.DataFrame:
    """Split schools that teach both stages into a primary and a junior row.

    Parameters
    ----------
    table : DataFrame
        Columns :data:`TABLE_COLUMNS`.

    Returns
    -------
    DataFrame
        One row a stage; resources of a split school are shared by students, and ``shared`` says so.

    Raises
    ------
    InputError
        When a school of both stages lacks its students by stage.
    """
    rows = []
    for number, row in enumerate(_records(table), start=2):
        if row["stage"] != "both":
            rows.append({**row, "shared": False})
            continue
        parts = {s: float(row.get(f"students_{s}", np.nan)) for s in ("primary", "junior")}
        if any(np.isnan(p) for p in parts.values()):
            raise InputError(
                f"资源表第 {number} 行：一贯制学校 {row['school_id']} 须分列小学、初中学生数 / "
                "a nine-year school needs its students by stage"
            )
        total = sum(parts.values())
        for stage, pupils in parts.items():
            share = pupils / total if total else 0.0
            part = {r: row[r] * share for r in RESOURCES}
            rows.append({**row, "stage": stage, "students": pupils, **part, "shared": True})
    return pd.DataFrame(rows, columns=[*TABLE_COLUMNS, "shared"])


def assess(
    table: pd.DataFrame,
    standards: Mapping[tuple[str, str], float],
    cv_limits: Mapping[str, float],
    *,
    met_least: int = 6,
    rest_least: float = 0.85,
) -> Balance:
    """Assess every school and the county.

    Parameters
    ----------
    table : DataFrame
        Columns :data:`TABLE_COLUMNS`; missing amounts are nan.
    standards : mapping of (stage, resource) to float
        Standards, stated for the number of students of :data:`RESOURCES`.
    cv_limits : mapping of stage to float
        Most that a coefficient of variation may be.
    met_least : int
        Indicators that a school must meet.
    rest_least : float
        Share of the standard that the others must reach.

    Returns
    -------
    Balance
        Verdicts. A school with a missing amount is ``unknown`` unless what is known decides it.
    """
    split = split_stages(table)
    small = (split["kind"] == "teaching_point") & (split["students"] < SMALL_POINT)
    other = split["kind"].isin(["special", "vocational"])
    empty = ~(split["students"] > 0)
    left_out = tuple(
        f"{r['school_id']}（{why}）"
        for mask, why in (
            (small, "不足50人的教学点"),
            (other, "特教或职业学校"),
            (empty & ~small & ~other, "没有学生"),
        )
        for r in _records(split[mask])
    )
    used = split[~small & ~other & ~empty]
    rows, verdicts = [], []
    for row in _records(used):
        ratios = []
        for name, per in RESOURCES.items():
            value = float(row[name]) / float(row["students"]) * per
            standard = standards[row["stage"], name]
            # 1e-9: 4.2 for 100 students is 4.2, however it was divided
            ratio = value / standard + 1e-9
            ratios.append(ratio)
            met = "unknown" if value != value else "yes" if ratio >= 1 else "no"
            rows.append(
                (row["school_id"], row["stage"], name, value, standard, value / standard, met)
            )
        verdicts.append(_verdict(row, np.array(ratios), met_least, rest_least))
    county = []
    for stage in ("primary", "junior"):
        mine = used[used["stage"] == stage]
        for name in RESOURCES:
            amount = mine[name].to_numpy(dtype=np.float64)
            known = len(mine) > 0 and bool(np.isfinite(amount).all())
            cv = variation(amount, mine["students"]) if known else float("nan")
            limit = cv_limits[stage]
            result = "unknown" if cv != cv else "pass" if cv <= limit else "fail"
            county.append((stage, name, cv, limit, result))
    return Balance(
        schools=pd.DataFrame(
            rows,
            columns=["school_id", "stage", "indicator", "value", "standard", "ratio", "met"],
        ),
        verdicts=pd.DataFrame(
            verdicts, columns=["school_id", "stage", "met", "unknown", "worst_ratio", "result"]
        ),
        county=pd.DataFrame(county, columns=["stage", "indicator", "cv", "limit", "result"]),
        left_out=left_out,
    )


def _verdict(
    row: Mapping[str, Any], ratios: npt.NDArray[np.float64], least: int, rest: float
) -> tuple[object, ...]:
    known = np.isfinite(ratios)
    met, unknown = int((ratios[known] >= 1).sum()), int((~known).sum())
    worst = float(ratios[known].min()) if known.any() else float("nan")
    if (known.any() and worst < rest) or met + unknown < least:
        result = "fail"
    elif unknown:
        # whatever is missing may lie below 85 %, so the school is not decided
        result = "unknown"
    else:
        result = "pass" if met >= least else "fail"
    return row["school_id"], row["stage"], met, unknown, worst, result


def after(
    table: pd.DataFrame, problem: Problem, plan: Plan, year: int, bands: Sequence[Band]
) -> pd.DataFrame:
    """Resources and students of every school in a year of a plan.

    Parameters
    ----------
    table : DataFrame
        Resources of today, columns :data:`TABLE_COLUMNS`.
    problem : Problem
        The question.
    plan : Plan
        The answer.
    year : int
        Position of the year.
    bands : sequence of Band
        Table of bands, for stages.

    Returns
    -------
    DataFrame
        Students of the plan. Where a school loses all students of a stage, its teachers and
        equipment go to the receiving schools in proportion to the students they take; its rooms and
        grounds stay behind. What is not known of a school stays unknown, whatever it receives. A
        row of a site that has no students of the stage today says what it is planned to have:
        amounts in full, with nothing added by those who come.
    """
    stages = {b.band: b.stage for b in bands}
    stage_of = np.array([stages.get(b, "primary") for b in problem.bands])
    at_site = roll(problem, plan).at_site[:, :, year]
    grade_stage = stage_of[problem.grade_band]
    split = split_stages(table)
    amounts: dict[tuple[str, str], dict[str, Any]] = {
        (str(r["school_id"]), str(r["stage"])): dict(r) for r in _records(split)
    }
    demand = problem.students[:, :, year].sum(axis=1, dtype=np.int64)
    demand_today = problem.students[:, :, 0].sum(axis=1, dtype=np.int64)
    position = {s: j for j, s in enumerate(problem.site_ids)}
    for stage in ("primary", "junior"):
        pupils = at_site[:, grade_stage == stage].sum(axis=1)
        gained: dict[tuple[str, str], dict[str, float]] = {}
        for (school, _), row in [x for x in amounts.items() if x[0][1] == stage]:
            j = position.get(school)
            if j is None or pupils[j]:
                continue
            mine = (problem.today == j) & (stage_of[problem.group_band] == stage)
            mine &= plan.site_of[:, year] >= 0
            going = np.bincount(
                plan.site_of[mine, year], weights=demand[mine], minlength=len(problem.site_ids)
            )
            for n in np.flatnonzero(going):
                share = going[n] / going.sum()
                extra = gained.setdefault((problem.site_ids[n], stage), dict.fromkeys(MOVABLE, 0.0))
                for name in MOVABLE:
                    extra[name] += float(row[name]) * float(share)
            row.update(dict.fromkeys(MOVABLE, 0.0))
        for n in np.flatnonzero(pupils):
            key = (problem.site_ids[n], stage)
            base = {"school_id": key[0], "stage": stage, "kind": "", "shared": False}
            row = amounts.setdefault(key, {**base, **dict.fromkeys(RESOURCES, float("nan"))})
            here = (problem.today == n) & (stage_of[problem.group_band] == stage)
            if demand_today[here].sum() == 0:
                continue
            for name in MOVABLE:
                row[name] = float(row[name]) + gained.get(key, {}).get(name, 0.0)
        for (school, kind), row in amounts.items():
            if kind == stage and school in position:
                row["students"] = int(pupils[position[school]])
    columns = list(TABLE_COLUMNS)
    return pd.DataFrame([amounts[k] for k in sorted(amounts)], columns=columns)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(c) for c in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.itertuples(index=False, name=None)]
