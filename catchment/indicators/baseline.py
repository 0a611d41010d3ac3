"""What a county's layers already know of the baseline survey (摸底), to be filled into its forms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from catchment.problem import Problem
from catchment.region.model import Region

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
