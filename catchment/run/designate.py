"""Where a county names no school for a village, today's school is assumed, and said to be."""

from __future__ import annotations

import numpy as np

from catchment.english import counted
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region


def settle_designations(
    region: Region, base: Problem, today: Plan
) -> tuple[Region, tuple[str, ...]]:
    """Fill the villages' blank schools with those that today's arrangement gives them.

    Parameters
    ----------
    region : Region
        The county as read.
    base : Problem
        The question of today's arrangement.
    today : Plan
        Today's arrangement.

    Returns
    -------
    region : Region
        With a school for every village-band that can reach one, so that actions such as "merge
        into" have villages to send.
    notes : tuple of str
        How many village-bands are assumed.
    """
    villages = region.villages.copy()
    order = {v: k for k, v in enumerate(base.village_ids)}
    rows = np.array([order[str(v)] for v in villages["village_id"]])
    notes = []
    for b, band in enumerate(base.bands):
        members = np.flatnonzero(base.group_band == b)
        site = today.site_of[members, 0][rows]
        told = base.today[members][rows] >= 0
        column = f"school_{band}"
        given = (
            villages[column].astype("object").to_numpy()
            if column in villages.columns
            else np.full(len(villages), "", dtype=object)
        )
        names = np.array([base.site_ids[j] if j >= 0 else "" for j in site], dtype=object)
        villages[column] = np.where(told, given, names)
        assumed = int((~told & (site >= 0)).sum())
        if assumed:
            notes.append(
                f"{band}: {assumed} 个村没有写明就读学校，按最近的在办学校推定 / "
                f"{counted(assumed, 'village names', 'villages name')} no school; "
                "the nearest open one is assumed"
            )
    return region.replace(villages=villages), tuple(notes)
