"""Bands: grades that travel and are decided together, read from ``bands.csv``.

A county edits its own copy of the table; everything that depends on grades reads it from here.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from catchment.errors import InputError

Boarding = Literal["no", "conditional", "yes"]


@dataclass(frozen=True)
class Band:
    """One band (学段): a run of grades with its class size, walking speed and limits.

    Attributes
    ----------
    band : str
        Code, for example ``lower``.
    zh, en : str
        Names shown to people.
    grade_from, grade_to : int
        First and last grade, 1 to 9.
    stage : {"primary", "junior"}
        Stage of schooling.
    class_size : int
        Most students in a standard class.
    walk_kmh : float
        Walking speed on the flat, km/h.
    walk_limit_min, trip_limit_min : float
        One-way minutes: beyond the first a child rides; beyond the second the trip is over limit.
    boarding : {"no", "conditional", "yes"}
        Whether children of the band may board.
    """

    band: str
    zh: str
    en: str
    grade_from: int
    grade_to: int
    stage: str
    class_size: int
    walk_kmh: float
    walk_limit_min: float
    trip_limit_min: float
    boarding: Boarding

    @property
    def grades(self) -> tuple[int, ...]:
        """Grades of the band in order."""
        return tuple(range(self.grade_from, self.grade_to + 1))


def read_bands(path: Path | None = None) -> tuple[Band, ...]:
    """Read the table of bands.

    Parameters
    ----------
    path : Path, optional
        A county's own table; the shipped one when left out.

    Returns
    -------
    tuple of Band
        Bands in order of grade; their grades do not overlap.

    Raises
    ------
    InputError
        When grades overlap or a number cannot be read.

    Examples
    --------
    >>> [b.band for b in read_bands()]
    ['lower', 'upper', 'junior']
    """
    if path is None:
        text = files("catchment.region").joinpath("bands.csv").read_text(encoding="utf-8")
        where = "bands.csv"
    else:
        text = path.read_text(encoding="utf-8-sig")
        where = path.name
    bands: list[Band] = []
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            bands.append(
                Band(
                    band=row["band"],
                    zh=row["zh"],
                    en=row["en"],
                    grade_from=int(row["grade_from"]),
                    grade_to=int(row["grade_to"]),
                    stage=row["stage"],
                    class_size=int(row["class_size"]),
                    walk_kmh=float(row["walk_kmh"]),
                    walk_limit_min=float(row["walk_limit_min"]),
                    trip_limit_min=float(row["trip_limit_min"]),
                    boarding=_boarding(row["boarding"]),
                )
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise InputError(
                f"{where} 第 {number} 行无法读取 / row cannot be read: {fault}"
            ) from fault
    bands.sort(key=lambda b: b.grade_from)
    for before, after in itertools.pairwise(bands):
        if after.grade_from <= before.grade_to:
            raise InputError(
                f"{where}: 学段 {before.band} 与 {after.band} 年级重叠 / bands overlap in grade"
            )
    return tuple(bands)


def band_of_grade(bands: Sequence[Band], grade: int) -> int:
    """Position of the band that holds a grade, -1 when none does.

    Parameters
    ----------
    bands : sequence of Band
        Table of bands.
    grade : int
        Grade, 1 to 9.

    Returns
    -------
    int
        Position in ``bands`` or -1.
    """
    return next((k for k, b in enumerate(bands) if b.grade_from <= grade <= b.grade_to), -1)


def _boarding(value: str) -> Boarding:
    if value == "no":
        return "no"
    if value == "conditional":
        return "conditional"
    if value == "yes":
        return "yes"
    raise ValueError(f"boarding = {value!r}; use no, conditional or yes")
