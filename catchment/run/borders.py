"""Changes of school over the borders of the county's areas (片区)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from catchment.problem import Problem
from catchment.region.model import Region


def with_borders(changes: pd.DataFrame, problem: Problem, region: Region) -> pd.DataFrame:
    """Say of every change of school from which area of the county to which it leads.

    A school is of the area of the village in which it stands, as in ``--areas 0``.

    Parameters
    ----------
    changes : DataFrame
        Changes of school with ``village_id`` and ``to_site``.
    problem : Problem
        The question's arrays.
    region : Region
        The county.

    Returns
    -------
    DataFrame
        The changes with ``area``, ``to_area`` (names, empty where the county tells none) and
        ``across`` (both are known and differ).
    """
    table = region.villages.set_index(region.villages["village_id"].astype(str))
    area: dict[str, str] = {}
    if "area_id" in table.columns:
        area = {str(v): str(a) for v, a in table["area_id"].items() if not pd.isna(a)}
    names = {}
    for row in region.areas.to_dict("records"):
        given = row.get("name")
        names[str(row["area_id"])] = str(row["area_id"]) if pd.isna(given) else str(given)
    village_of = {
        code: problem.village_ids[int(v)]
        for code, v in zip(problem.site_ids, problem.home, strict=True)
    }
    mine = [area.get(str(code), "") for code in changes["village_id"]]
    theirs = [area.get(village_of.get(str(code), ""), "") for code in changes["to_site"]]
    return changes.assign(
        area=[names.get(a, a) for a in mine],
        to_area=[names.get(a, a) for a in theirs],
        across=np.array(
            [bool(a and b and a != b) for a, b in zip(mine, theirs, strict=True)], dtype=bool
        ),
    )
