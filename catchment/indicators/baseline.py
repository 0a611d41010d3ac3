"""What a county's layers already know of the baseline survey (摸底), to be filled into its forms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from catchment.places.survey import PROBLEM_COLUMNS, Survey
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.region.schema import layers

ROLES = {
    "central": "中心校",
    "complete": "完全小学",
    "teaching_point": "教学点",
    "junior": "初中",
    "nine_year": "九年一贯制学校",
}
"""School roles as county offices name them."""


def survey_tables(region: Region, problem: Problem) -> dict[str, pd.DataFrame]:
    """Fill the forms of the baseline survey with what is known.

    Parameters
    ----------
    region : Region
        The county.
    problem : Problem
        The question; its first year is today.

    Returns
    -------
    dict of str to DataFrame
        ``school`` and ``village`` for :func:`catchment.places.survey.survey_bytes`. The distance to
        the central school of the village's area is that of the youngest band's trip; blank where
        the village has no area or no trip is known.
    """
    return {"school": _schools(region), "village": _villages(region, problem)}


def survey_names(region: Region) -> dict[str, dict[str, str]]:
    """Names by code, to compare a filled survey with.

    Parameters
    ----------
    region : Region
        The county.

    Returns
    -------
    dict of str to dict of str to str
        ``school`` and ``village``.
    """
    return {
        form: dict(zip(table[key].astype(str), table["name"].astype(str), strict=True))
        for form, table, key in (
            ("school", region.schools, "school_id"),
            ("village", region.villages, "village_id"),
        )
    }


SURVEY_FIELDS = ("rooms", "dining_seats", "nap_places", "beds", "teachers")
"""Answers of the school form that a layer of the county holds."""


def with_answers(region: Region, survey: Survey) -> tuple[Region, pd.DataFrame]:
    """Put the answers of a survey in the place of what the layers say.

    Parameters
    ----------
    region : Region
        The county; it is not changed.
    survey : Survey
        A survey read back and compared with the county's codes.

    Returns
    -------
    region : Region
        Schools with the answers that their layer holds; home points of students left out, counted
        by village where the county has no table of children.
    problems : DataFrame
        Answers outside the range of their column, and villages whose children differ from the
        table of children; columns of :data:`catchment.places.survey.PROBLEM_COLUMNS`.
    """
    schools = region.schools.copy()
    at = {str(code): k for k, code in zip(schools.index, schools["school_id"], strict=True)}
    problems: list[tuple[object, ...]] = []
    limits = {c.column: c for c in layers()["schools"].columns}
    for row in survey.forms["school"].to_dict("records"):
        for name in SURVEY_FIELDS:
            value = float(row[name])
            if value != value or str(row["school_id"]) not in at:
                continue
            high = limits[name].high
            if high is not None and value > high:
                zh, en = f"超过 {high:g}，没有采用", f"above {high:g}; not used"
                problems.append(("school", row["row"], name, f"{value:g}", zh, en, "核对"))
                continue
            schools.loc[at[str(row["school_id"])], name] = int(value)
            if name == "rooms" and "capacity_estimated" in schools:
                schools.loc[at[str(row["school_id"])], "capacity_estimated"] = False
    problems += _children_differ(region, survey)
    children = region.children
    if not len(children) and len(region.students):
        homes = region.students.dropna(subset=["village_id"])
        counted = homes.groupby(["village_id", "grade"], as_index=False, sort=True).size()
        children = counted.rename(columns={"size": "students"})
        children["source"] = "enrolled"
        children["year"] = pd.Series(pd.NA, index=children.index, dtype="Int64")
        children = children.reindex(columns=region.children.columns)
    new = region.replace(schools=schools, students=region.students.iloc[0:0], children=children)
    return new, pd.DataFrame(problems, columns=list(PROBLEM_COLUMNS))


def _children_differ(region: Region, survey: Survey) -> list[tuple[object, ...]]:
    """Villages whose children by band differ from the latest counted year of the layers."""
    rows = region.children
    if not len(rows):
        return []
    counted = rows[rows["source"].isin(["enrolled", ""])]
    if not len(counted):
        return []
    enrolled = rows[rows["source"] == "enrolled"]
    # rows without a source may reach into years to come: their first year is the one counted
    year = int(pd.to_numeric(enrolled["year"]).max() if len(enrolled) else counted["year"].min())
    counted = counted[pd.to_numeric(counted["year"]) == year]
    told = set(counted["village_id"].astype(str))
    out: list[tuple[object, ...]] = []
    for band in region.bands:
        mine = counted[counted["grade"].isin(band.grades)]
        total = mine.groupby("village_id")["students"].sum()
        name = f"children_{band.band}"
        for row in survey.forms["village"].to_dict("records"):
            value = float(row.get(name, float("nan")))
            code = str(row["village_id"])
            if value == value and code in told and int(total.get(code, 0)) != int(value):
                number = int(total.get(code, 0))
                zh = f"学龄人口表 {year} 年在籍为 {number} 人，两者不符，未改动学龄人口表"
                en = f"the table of children has {number} for {year}; that table is unchanged"
                problems_row = ("village", row["row"], name, f"{value:g}", zh, en, "核对人数")
                out.append(problems_row)
    return out


def _schools(region: Region) -> pd.DataFrame:
    schools = region.schools
    table = pd.DataFrame(
        {
            "school_id": schools["school_id"].astype(str),
            "school": schools["name"].astype(str),
            "township": schools["township"].astype(str),
            "role": schools["role"].map(ROLES).fillna(""),
        }
    )
    for name in ("rooms", "dining_seats", "nap_places", "beds", "teachers"):
        table[name] = pd.to_numeric(schools[name], errors="coerce").astype(float)
    return table.sort_values(["township", "school_id"], ignore_index=True)


def _villages(region: Region, problem: Problem) -> pd.DataFrame:
    villages = region.villages
    central = dict(
        zip(
            region.areas["area_id"].astype(str),
            region.areas["central_school_id"].astype(str),
            strict=True,
        )
    )
    names = dict(zip(region.schools["school_id"].astype(str), region.schools["name"], strict=True))
    place = {s: j for j, s in enumerate(problem.site_ids)}
    at = {v: k for k, v in enumerate(problem.village_ids)}
    demand = problem.students[:, :, 0].sum(axis=1)
    metres = problem.metres[int(problem.network[0])]
    b = len(problem.bands)
    rows = []
    for code, name, town, area in zip(
        villages["village_id"].astype(str),
        villages["name"].astype(str),
        villages["township"].astype(str),
        villages["area_id"],
        strict=True,
    ):
        school = central.get(str(area), "")
        row: dict[str, object] = {
            "village_id": code,
            "village": name,
            "township": town,
            "central_school": names.get(school, ""),
        }
        if code in at:
            first = at[code] * b
            if school in place:
                distance = float(metres[first, place[school]])
                row["distance_km"] = round(distance / 1000, 2) if np.isfinite(distance) else None
            for k, band in enumerate(problem.bands):
                row[f"children_{band}"] = int(demand[first + k])
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.sort_values(["township", "village_id"], ignore_index=True)
