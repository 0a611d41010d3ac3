"""Propose repairs of a county's layers: only what follows from the data, each before and after.

A layer in which a spreadsheet has spoilt cells, or whose rows may have shifted, is left alone:
writing it anew would hide what was lost. Everything that is no clear repair stays for people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely

from catchment.coordinates import gauss_krueger_epsg
from catchment.region.clean import decoded_again
from catchment.region.faults import Fault
from catchment.region.positions import fit_zone, locate_points, repaired
from catchment.region.raw import Raw
from catchment.region.read import Part, Reading, gather, read_part
from catchment.region.schema import Layer, layers, plain, private_heading, read_rows

_SPOILT = {"row_too_long", "heading_merged", "column_unnamed"}
_UNIT = re.compile(r"([0-9]+)(?:人|名|个|间|班|张|位|座|床)")
_NUMERALS = {c: k for k, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000}
_REFERENCES = {
    "village_unknown": "villages",
    "school_unknown": "schools",
    "school_unknown_cell": "schools",
}


@dataclass(frozen=True)
class Repair:
    """One change proposed.

    Attributes
    ----------
    kind : str
        A row of ``repairs.csv``.
    layer, file : str
        Where.
    row : int or None
        Row as people see it; None = the whole layer.
    column : str
        Heading in the file, may be empty.
    before, after : str
        What stood there and what will; home points and addresses of students are masked.
    """

    kind: str
    layer: str
    file: str
    row: int | None
    column: str
    before: str
    after: str


@dataclass(frozen=True)
class Treated:
    """A layer after its repairs.

    Attributes
    ----------
    part : Part
        The layer as it was read.
    raw : Raw
        Cells and geometry after the repairs.
    crs : str
        System to declare, empty = as before.
    """

    part: Part
    raw: Raw
    crs: str


@dataclass(frozen=True)
class Treatment:
    """All repairs proposed for a county.

    Attributes
    ----------
    reading : Reading
        The county as it is.
    repairs : tuple of Repair
        In the order of layers and rows.
    treated : mapping of str to Treated
        Layers that change.
    """

    reading: Reading
    repairs: tuple[Repair, ...]
    treated: Mapping[str, Treated]


def propose(path: Path, further: Callable[[Reading], list[Fault]] | None = None) -> Treatment:
    """Find the repairs that a county's layers allow; nothing is written.

    Parameters
    ----------
    path : Path
        Folder of the county.
    further : callable, optional
        A check of a higher floor (the roads), for shifted layers.

    Returns
    -------
    Treatment
        Repairs, and the layers with them applied.

    Raises
    ------
    InputError
        When the manifest or the bands cannot be used.
    NotFoundError
        When there is nothing at the path.
    """
    reading = gather(path)
    faults = list(reading.problems.faults)
    if further is not None:
        faults += further(reading)
    repairs: list[Repair] = []
    treated: dict[str, Treated] = {}
    for name, layer in layers().items():
        place = reading.found.places.get(name)
        if place is None or layer.geometry == "raster" or place.table:
            continue
        part = read_part(reading, name)
        if part is None or part.raw.marks or any(f.code in _SPOILT for f in part.raw.faults):
            continue
        mine = [f for f in faults if f.layer == name]
        found, raw, crs = _treat(layer, part, mine, reading)
        if found:
            repairs.extend(found)
            treated[name] = Treated(part, raw, crs)
    return Treatment(reading, tuple(repairs), treated)


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, Mapping[str, str]]:
    """Read the kinds of repairs.

    Returns
    -------
    mapping of str to mapping
        Kind to the row of ``repairs.csv``.
    """
    return {row["kind"]: row for row in read_rows("repairs.csv")}


def _treat(
    layer: Layer, part: Part, faults: list[Fault], reading: Reading
) -> tuple[list[Repair], Raw, str]:
    desk = _Desk(layer, part)
    desk.make_plain()
    desk.restore_codes(faults, reading)
    desk.drop_rows(faults)
    desk.turn_round({f.row for f in faults if f.code == "place_swapped"})
    desk.fit_zone()
    desk.mend_outlines()
    desk.drop_private()
    crs = desk.correct_crs(faults)
    for zh, en in part.notes:
        desk.note("rewritten", None, "", f"{zh} / {en}", "")
    for fault in part.raw.faults:
        desk.note("rewritten", fault.row, "", fault.value, "")
    return desk.repairs, desk.raw(), crs


class _Desk:
    """One layer on the desk: its cells and geometry as copies, and what was done to them."""

    def __init__(self, layer: Layer, part: Part) -> None:
        self.layer, self.part = layer, part
        self.repairs: list[Repair] = []
        self._cells = [list(line) for line in part.raw.cells]
        self._headings = list(part.raw.headings)
        self._gone: set[int] = set()
        self._geometry = None if part.raw.geometry is None else part.raw.geometry.copy()
        self._at = {name: self._headings.index(t) for name, t in part.cleaned.titles.items()}
        self._position = {row: k for k, row in enumerate(part.raw.rows)}

    def note(self, kind: str, row: int | None, column: str, before: str, after: str) -> None:
        home = {"lon", "lat", "easting", "northing", "address"}
        hidden = {self._headings[self._at[n]] for n in home if n in self._at} | {"geometry"}
        if self.layer.layer == "students" and column in hidden:
            before = after = "***"
        self.repairs.append(
            Repair(kind, self.layer.layer, self.part.place.file, row, column, before, after)
        )

    def raw(self) -> Raw:
        keep = [k for k in range(len(self._cells)) if k not in self._gone]
        columns = [c for c, h in enumerate(self._headings) if h]
        return replace(
            self.part.raw,
            headings=tuple(self._names(columns)),
            cells=[[self._cells[k][c] for c in columns] for k in keep],
            rows=[self.part.raw.rows[k] for k in keep],
            geometry=None if self._geometry is None else self._geometry[keep],
        )

    def _names(self, columns: list[int]) -> list[str]:
        """Headings in full where the source had cut them, and no two alike."""
        full = {at: name for name, at in self._at.items()} if self.part.raw.truncated else {}
        names: list[str] = []
        for c in columns:
            name = full.get(c, self._headings[c])
            names.append(name if name not in names else f"_{name}_{c}")
        return names

    def _set(self, kind: str, k: int, at: int, value: str) -> None:
        before = self._cells[k][at]
        if before != value:
            self.note(kind, self.part.raw.rows[k], self._headings[at], before, value)
            self._cells[k][at] = value

    def make_plain(self) -> None:
        """Numbers and codes in ASCII, units and numerals as digits, garbled names decoded."""
        grades = [at for at, h in enumerate(self._headings) if at in self._grades()]
        for name, at in [*self._at.items(), *(("students", at) for at in grades)]:
            kind = self.layer.column(name).type
            for k, line in enumerate(self._cells):
                text = line[at]
                if kind == "text":
                    again = decoded_again(text) if name != "address" else ""
                    if again:
                        self._set("garbled", k, at, again)
                    continue
                simple = plain(text)
                if kind in {"int", "float"}:
                    simple = (
                        simple.replace(",", "")
                        if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?", simple)
                        else simple
                    )
                if simple != text.strip() and any(c in "0123456789" for c in simple):
                    self._set("plain", k, at, simple)
                if kind == "int":
                    self._number(k, at, simple)

    def _grades(self) -> set[int]:
        return set(self.part.cleaned.grade_columns)

    def _number(self, k: int, at: int, text: str) -> None:
        unit = _UNIT.fullmatch(text)
        if unit:
            self._set("unit", k, at, unit[1])
        elif (value := _numeral(text)) is not None:
            self._set("words", k, at, str(value))

    def restore_codes(self, faults: Iterable[Fault], reading: Reading) -> None:
        """Codes that lost their zeros, where exactly one known code differs by zeros alone."""
        titles = {h: at for at, h in enumerate(self._headings)}
        for fault in faults:
            target = _REFERENCES.get(fault.code)
            if target is None or fault.row is None or fault.column not in titles:
                continue
            table = reading.tables[target]
            bare = fault.value.lstrip("0")
            near = {
                str(c)
                for c in table.frame[table.layer.key[0]]
                if c is not None and str(c).lstrip("0") == bare and bare.isdigit()
            }
            k = self._position.get(fault.row)
            if len(near) == 1 and k is not None:
                self._set("zeros", k, titles[fault.column], near.pop())

    def drop_rows(self, faults: Iterable[Fault]) -> None:
        """Rows like an earlier one in every cell, and total rows that no reader knew as such."""
        codes = {(f.row, f.code): f for f in faults}
        seen: dict[tuple[str, ...], int] = {}
        for k, line in enumerate(self._cells):
            row = self.part.raw.rows[k]
            shape = (
                "" if self._geometry is None or self._geometry[k] is None else self._geometry[k].wkt
            )
            key = (*line, shape)
            told = (row, "key_repeated") in codes or (row, "id_repeated") in codes
            if told and key in seen:
                self._gone.add(k)
                self.note("repeated", row, "", self._shown(line), "")
            seen.setdefault(key, k)
            if (row, "row_is_total") in codes:
                self._gone.add(k)
                self.note("total", row, "", self._shown(line), "")

    def _shown(self, line: list[str]) -> str:
        return "***" if self.layer.layer == "students" else " · ".join(filter(None, line))[:120]

    def turn_round(self, rows: set[int | None]) -> None:
        """Coordinates that the check knows to be swapped."""
        for row in sorted(r for r in rows if r is not None):
            k = self._position.get(row)
            if k is None:
                continue
            if self._geometry is not None and self._geometry[k] is not None:
                before = self._geometry[k]
                self._geometry[k] = shapely.transform(before, lambda xy: xy[:, ::-1])
                self.note("swapped", row, "geometry", before.wkt[:80], self._geometry[k].wkt[:80])
                continue
            pair = self._pair()
            if pair is not None:
                one, two = self._cells[k][pair[0]], self._cells[k][pair[1]]
                self._set("swapped", k, pair[0], two)
                self._set("swapped", k, pair[1], one)

    def _pair(self) -> tuple[int, int] | None:
        for a, b in (("lon", "lat"), ("easting", "northing")):
            if a in self._at and b in self._at and any(line[self._at[a]] for line in self._cells):
                return self._at[a], self._at[b]
        return None

    def fit_zone(self) -> None:
        """Eastings that carry a zone the system lacks, or lack one it has."""
        part, source = self.part, self.part.source
        if source is None or self.layer.geometry != "point":
            return
        located = locate_points(part.raw, part.cleaned, self.layer.layer, source, part.place.file)
        fitted, _, notes = fit_zone(located, source)
        if not notes:
            return
        pair = self._pair()
        for k in np.flatnonzero(fitted.x != located.x).tolist():
            shift = float(fitted.x[k] - located.x[k])
            if not np.isfinite(shift):
                continue
            row = part.raw.rows[k]
            if self._geometry is not None:
                before = self._geometry[k]
                self._geometry[k] = shapely.transform(before, _mover(shift))
                self.note("zone", row, "geometry", before.wkt[:80], self._geometry[k].wkt[:80])
            elif pair is not None:
                self._set("zone", k, pair[0], f"{float(fitted.x[k]):.3f}".rstrip("0").rstrip("."))

    def mend_outlines(self) -> None:
        """Polygons that cross themselves."""
        if self._geometry is None:
            return
        for k, shape in enumerate(self._geometry):
            if shape is None or "Polygon" not in shape.geom_type or shape.is_valid:
                continue
            whole, _ = repaired(shapely.force_2d(shape), self.layer.layer, 0, "")
            if whole is not None:
                self._geometry[k] = whole
                shown = f"{abs(shape.area):.6g}", f"{whole.area:.6g}"
                self.note("outline", self.part.raw.rows[k], "geometry", *shown)

    def drop_private(self) -> None:
        """Columns of personal data; their content is not shown."""
        for at, heading in enumerate(self._headings):
            if heading and at not in self._at.values() and private_heading(heading):
                self.note("private", None, heading, "***", "")
                self._headings[at] = ""

    def correct_crs(self, faults: list[Fault]) -> str:
        """System that all rows agree on, where the declared one fits none of them."""
        # What is said of one township is no reason to move the others.
        shifted = [f for f in faults if f.code == "looks_shifted" and not f.value]
        if shifted and "undeclared" in str(shifted[0].details["direction_en"]):
            said = "GCJ-02" if "GCJ-02" in str(shifted[0].details["direction_en"]) else "BD-09"
            return self._declare("shift", said)
        wrong = [f for f in faults if f.code in {"place_zone", "place_metres", "place_degrees"}]
        if not wrong or len(wrong) < len(self._cells) - len(self._gone):
            return ""
        if all(f.code == "place_degrees" for f in wrong):
            return self._declare("crs", "CGCS2000")
        zones = {
            gauss_krueger_epsg(float(x)).epsg
            for f in wrong
            for x in [str(f.value).split(",")[0]]
            if re.fullmatch(r"-?[0-9.]+", x)
        }
        return (
            self._declare("crs", f"EPSG:{zones.pop()}")
            if len(zones) == 1 and None not in zones
            else ""
        )

    def _declare(self, kind: str, name: str) -> str:
        before = self.part.source.name if self.part.source is not None else ""
        self.note(kind, None, "crs", before, name)
        return name


def _mover(shift: float) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    def move(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack([xy[:, 0] + shift, xy[:, 1]])

    return move


def _numeral(text: str) -> int | None:
    """Read a whole number below ten thousand in Chinese words."""
    if not text or any(c not in _NUMERALS and c not in _POWERS for c in text):
        return None
    total, digit, last = 0, -1, 10_000
    for c in text:
        if c in _POWERS:
            if _POWERS[c] >= last:
                return None
            last = _POWERS[c]
            total += (digit if digit >= 0 else 1) * last
            digit = -1
        elif _NUMERALS[c] == 0:
            digit = -1
        elif digit >= 0:
            return None
        else:
            digit = _NUMERALS[c]
    return total + max(digit, 0)
