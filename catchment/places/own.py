"""A county's own classes of today, from its table of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class OwnClass:
    """One class of the county's table.

    Attributes
    ----------
    site, grade : int
        Positions.
    number : str
        Class number or name.
    size : int
        Students.
    """

    site: int
    grade: int
    number: str
    size: int


def own_classes(
    table: pd.DataFrame | None, site_ids: Sequence[str], grades: Sequence[int], year: int
) -> dict[int, tuple[OwnClass, ...]]:
    """Classes of one year by position of the site.

    Parameters
    ----------
    table : DataFrame or None
        ``school_id, grade, class_no, students`` and perhaps ``year``; rows without a year count
        for the year asked for.
    site_ids : sequence of str
        (m) codes of the sites.
    grades : sequence of int
        (g) grades.
    year : int
        School year.

    Returns
    -------
    dict of int to tuple of OwnClass
        Sites that the table has, in order of position; classes in the order of the table.
    """
    if table is None or table.empty:
        return {}
    place = {s: j for j, s in enumerate(site_ids)}
    grade_at = {g: k for k, g in enumerate(grades)}
    rows = table
    if "year" in table:
        rows = table[pd.to_numeric(table["year"], errors="coerce").fillna(year) == year]
    found: dict[int, list[OwnClass]] = {}
    for school, grade, number, size in zip(
        rows["school_id"], rows["grade"], rows["class_no"], rows["students"], strict=True
    ):
        j, k = place.get(str(school)), grade_at.get(int(grade))
        if j is not None and k is not None:
            found.setdefault(j, []).append(OwnClass(j, k, str(number), int(size)))
    return {j: tuple(found[j]) for j in sorted(found)}
