"""The table of costs: every figure in yuan, editable, with unit and source."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError


@dataclass(frozen=True)
class Costs:
    """Figures of the table ``costs.csv``; units and sources stand there.

    Attributes
    ----------
    teachers_per_class, teacher_year : float
        Teachers of one class, and what one costs a year.
    combined_class : float
        Most students of a combined class (复式班) at a teaching point; 0 for none.
    site_year, band_year : float
        Running a site with one band, and each further band, a year.
    bus_km, boarding_year : float
        One student-kilometre by bus; one boarder a year.
    room_build, bed_build, seat_build, nap_build, site_build : float
        Building a classroom, a bed, a dining seat, a nap place, a new site without classrooms.
    site_reopen : float
        Reopening a closed school, added classrooms left out.
    building_life : float
        Years over which building is charged in equal parts, from the year of first use.
    minute : float
        One minute of one student.
    move : float
        One student who changes school once.
    unserved_year : float
        A student who could reach a school but has none, a year.
    school_days, school_weeks : float
        Days, and weeks, of a school year.
    discount_percent : float
        Discount rate a year.
    """

    teachers_per_class: float
    teacher_year: float
    combined_class: float
    site_year: float
    band_year: float
    bus_km: float
    boarding_year: float
    room_build: float
    bed_build: float
    seat_build: float
    nap_build: float
    site_build: float
    site_reopen: float
    building_life: float
    minute: float
    move: float
    unserved_year: float
    school_days: float
    school_weeks: float
    discount_percent: float

    def replace(self, **changes: Any) -> Costs:
        """Return a copy with some figures replaced.

        Parameters
        ----------
        **changes
            Figures and their new values.

        Returns
        -------
        Costs
            The changed copy.
        """
        return dataclasses.replace(self, **changes)

    @property
    def class_year(self) -> float:
        """Teachers of one class, a year."""
        return self.teachers_per_class * self.teacher_year

    def weights(self, years: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Weight of each year's costs.

        Parameters
        ----------
        years : tuple of int
            (t) school years; the first has weight 1.

        Returns
        -------
        (t,) float64
            From 1 downwards.
        """
        ages = np.asarray(years, dtype=np.float64) - years[0]
        return np.asarray((1.0 + self.discount_percent / 100.0) ** -ages, dtype=np.float64)


@dataclass(frozen=True)
class CostRow:
    """One row of the table.

    Attributes
    ----------
    key, unit, zh, en, source : str
        Name, unit, meaning in Chinese and English, source.
    value, least, most : float
        Value and the range it may take.
    """

    key: str
    value: float
    unit: str
    least: float
    most: float
    zh: str
    en: str
    source: str


def cost_table(path: Path | None = None) -> tuple[CostRow, ...]:
    """Read the table of costs.

    Parameters
    ----------
    path : Path, optional
        A county's own table (CSV in UTF-8 or GB 18030 with at least the columns ``key`` and ``value``); its
        rows replace those of the shipped table.

    Returns
    -------
    tuple of CostRow
        In the order of the shipped table.

    Raises
    ------
    InputError
        When a key is unknown, doubled, or a value is no number or out of range.
    """
    text = files("catchment.optimise").joinpath("costs.csv").read_text(encoding="utf-8")
    rows = {r["key"]: dict(r) for r in csv.DictReader(text.splitlines())}
    if path is not None:
        _override(rows, path)
    return tuple(
        CostRow(
            key,
            float(r["value"]),
            r["unit"],
            float(r["min"]),
            float(r["max"]),
            r["zh"],
            r["en"],
            r["source"],
        )
        for key, r in rows.items()
    )


def read_costs(path: Path | None = None) -> Costs:
    """Read the costs as plain figures.

    Parameters
    ----------
    path : Path, optional
        A county's own table, see :func:`cost_table`.

    Returns
    -------
    Costs
        All figures.
    """
    return Costs(**{row.key: row.value for row in cost_table(path)})


def _lines(path: Path) -> list[str]:
    """Return the lines of a table, as Excel in Chinese saves it too."""
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.splitlines()
    raise InputError(
        f"{path.name} 不是 UTF-8 或 GBK 编码的 CSV 文本；请另存为“CSV UTF-8” / is no CSV text in UTF-8 or GBK; "
        "save it as CSV UTF-8"
    )


def _override(rows: dict[str, dict[str, str]], path: Path) -> None:
    seen: set[str] = set()
    lines = _lines(path)
    for number, own in enumerate(csv.DictReader(lines), start=2):
        key = (own.get("key") or "").strip()
        where = f"{path.name} 第 {number} 行 / row {number}: "
        if key not in rows or key in seen:
            raise InputError(
                f"{where}key = {key!r} 不在成本表中或重复；可用：{', '.join(rows)} / unknown or doubled key"
            )
        seen.add(key)
        try:
            value = float(own.get("value") or "")
        except ValueError:
            value = np.nan
        least, most = float(rows[key]["min"]), float(rows[key]["max"])
        if not least <= value <= most:
            raise InputError(
                f"{where}{key} = {own.get('value')!r} 应为 {least:g}–{most:g} 的数 / must be a number "
                "in this range"
            )
        rows[key]["value"] = str(value)
        rows[key]["source"] = (own.get("source") or "县自定 / set by the county").strip()
