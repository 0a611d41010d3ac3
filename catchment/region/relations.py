"""Checks that need more than one row or one layer: keys, references, sums, borders, shifts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.region.bands import Band
from catchment.region.faults import Fault
from catchment.region.schema import Layer

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Table:
    """One layer, typed and placed, with the row numbers people know.

    Attributes
    ----------
    layer : Layer
        Declaration.
    frame : DataFrame
        Declared columns; None or NaN where blank.
    rows : ndarray of int64
        Row numbers.
    geometry : ndarray of object
        Geometry in the metric system, None where there is none.
    polygons : ndarray of object
        Polygon behind a point, None for true points.
    lon, lat : ndarray of float64
        WGS84 degrees of point layers, NaN elsewhere.
    x, y : ndarray of float64
        Metres of point layers, NaN elsewhere.
    titles : mapping of str to str
        Canonical column to the heading in the file.
    file : str
        File name.
    offset : str
        Offset that was undone: ``none``, ``gcj02`` or ``bd09``.
    """

    layer: Layer
    frame: pd.DataFrame
    rows: npt.NDArray[np.int64]
    geometry: ObjectArray
    polygons: ObjectArray
    lon: FloatArray
    lat: FloatArray
    x: FloatArray
    y: FloatArray
    titles: Mapping[str, str]
    file: str = ""
    offset: str = "none"

    @classmethod
    def empty(cls, layer: Layer) -> Table:
        """Make the table of a layer that a county does not have.

        Parameters
        ----------
        layer : Layer
            Declaration.

        Returns
        -------
        Table
            No rows, all columns.
        """
        frame = pd.DataFrame({c.column: [] for c in layer.columns}, dtype=object)
        none: FloatArray = np.zeros(0)
        nothing: ObjectArray = np.zeros(0, dtype=object)
        rows: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        return cls(layer, frame, rows, nothing, nothing, none, none, none, none, {})

    def keep(self, mask: npt.NDArray[np.bool_]) -> Table:
        """Keep some rows.

        Parameters
        ----------
        mask : ndarray of bool
            Rows to keep.

        Returns
        -------
        Table
            The kept rows in order.
        """
        return replace(
            self,
            frame=self.frame[mask].reset_index(drop=True),
            rows=self.rows[mask],
            geometry=self.geometry[mask],
            polygons=self.polygons[mask],
            lon=self.lon[mask],
            lat=self.lat[mask],
            x=self.x[mask],
            y=self.y[mask],
        )

    def title(self, column: str) -> str:
        """Name a column as the file does.

        Parameters
        ----------
        column : str
            Canonical name.

        Returns
        -------
        str
            Heading in the file.
        """
        return self.titles.get(column, column)

    def fault(self, code: str, k: int, column: str = "", value: Any = "", **details: Any) -> Fault:
        """Report something about one row.

        Parameters
        ----------
        code : str
            Kind of fault.
        k : int
            Position of the row.
        column : str
            Canonical column, may be empty.
        value : object
            Offending value.
        **details
            What the wording needs.

        Returns
        -------
        Fault
            The fault.
        """
        title = self.title(column) if column else ""
        return Fault(
            code,
            self.layer.layer,
            int(self.rows[k]),
            title,
            "" if value is None else str(value),
            details,
            file=self.file,
        )


def check_relations(tables: Mapping[str, Table], bands: tuple[Band, ...]) -> list[Fault]:
    """Check everything that lies between rows and layers.

    Parameters
    ----------
    tables : mapping of str to Table
        All layers.
    bands : tuple of Band
        Table of bands.

    Returns
    -------
    list of Fault
        What was found.
    """
    faults: list[Fault] = []
    for table in tables.values():
        faults.extend(repeated_keys(table))
    faults.extend(unknown_references(tables))
    faults.extend(_taken_codes(tables["sites"], tables["schools"]))
    for name in ("schools", "sites"):
        faults.extend(_reversed_grades(tables[name]))
    faults.extend(_role_grades(tables["schools"]))
    faults.extend(_uncovered_grades(tables["schools"], bands))
    faults.extend(_partial_bands(tables["schools"], bands))
    faults.extend(_unfit_designations(tables["villages"], tables["schools"], bands))
    faults.extend(_childless(tables["villages"], tables["children"]))
    faults.extend(_class_sums(tables["schools"], tables["classes"]))
    faults.extend(_sums_among_classes(tables["classes"]))
    faults.extend(_crowding(tables["schools"]))
    for name in ("villages", "schools"):
        faults.extend(_same_places(tables[name]))
    return faults


def repeated_keys(table: Table) -> list[Fault]:
    """Find rows that share their key.

    Parameters
    ----------
    table : Table
        Any layer with a key.

    Returns
    -------
    list of Fault
        One for every row after the first.
    """
    key = table.layer.key
    if not key or not len(table.rows):
        return []
    seen: dict[tuple[Any, ...], int] = {}
    faults = []
    single = len(key) == 1
    for k, values in enumerate(table.frame[list(key)].itertuples(index=False, name=None)):
        # A blank optional part (the year of a class) is a value like any other.
        parts = tuple(None if v is None or v != v else v for v in values)
        if single and parts[0] is None:
            continue
        if any(
            p is None and table.layer.column(c).required for p, c in zip(parts, key, strict=True)
        ):
            continue
        if parts in seen:
            shown = " · ".join(str(p) for p in parts if p is not None)
            faults.append(
                table.fault(
                    "id_repeated" if single else "key_repeated",
                    k,
                    key[0],
                    shown,
                    first=int(table.rows[seen[parts]]),
                )
            )
        else:
            seen[parts] = k
    return faults


def unknown_references(tables: Mapping[str, Table]) -> list[Fault]:
    """Find codes that name a village, school or area which does not exist.

    Parameters
    ----------
    tables : mapping of str to Table
        All layers.

    Returns
    -------
    list of Fault
        One a cell.
    """
    faults = []
    for name, column, target, code in (
        ("children", "village_id", "villages", "village_unknown"),
        ("students", "village_id", "villages", "village_unknown"),
        ("students", "school_id", "schools", "school_unknown_cell"),
        ("classes", "school_id", "schools", "school_unknown"),
        ("villages", "school_lower", "schools", "school_unknown_cell"),
        ("villages", "school_upper", "schools", "school_unknown_cell"),
        ("villages", "school_junior", "schools", "school_unknown_cell"),
        ("villages", "area_id", "areas", "area_unknown"),
        ("schools", "area_id", "areas", "area_unknown"),
        ("areas", "central_school_id", "schools", "school_unknown"),
    ):
        there = tables[target]
        # Without a table of areas their codes are labels that nothing contradicts.
        if target == "areas" and not len(there.rows):
            continue
        known = set(there.frame[there.layer.key[0]])
        table = tables[name]
        told: set[tuple[int, str]] = set()
        for k, value in enumerate(table.frame[column]):
            if value is None or value != value or value in known:
                continue
            if (int(table.rows[k]), value) not in told:
                told.add((int(table.rows[k]), value))
                faults.append(table.fault(code, k, column, value))
    return faults


def _taken_codes(sites: Table, schools: Table) -> list[Fault]:
    """Find sites under the code of a school: a plan could not tell them apart."""
    taken = {v for v in schools.frame["school_id"] if v is not None}
    return [
        sites.fault("site_is_school", k, "site_id", code)
        for k, code in enumerate(sites.frame["site_id"])
        if code in taken
    ]


def _value(value: Any) -> Any:
    """Give None for anything blank."""
    return None if value is None or value != value else value


def _reversed_grades(table: Table) -> list[Fault]:
    return [
        table.fault("grades_reversed", k, "grade_from", low, high=high)
        for k, (low, high) in enumerate(
            zip(table.frame["grade_from"], table.frame["grade_to"], strict=True)
        )
        if _value(low) is not None and _value(high) is not None and low > high
    ]


def _role_grades(schools: Table) -> list[Fault]:
    """Compare the role with the grades taught: primary roles end by 6, junior ones start at 7."""
    fits = {
        "central": lambda low, high: low <= 6,
        "complete": lambda low, high: low == 1 and high >= 5,
        "teaching_point": lambda low, high: high <= 6,
        "junior": lambda low, high: low >= 6 and high >= 8,
        "nine_year": lambda low, high: low <= 1 and high >= 9,
    }
    found = []
    columns = (schools.frame[c] for c in ("role", "grade_from", "grade_to"))
    for k, (role, low, high) in enumerate(zip(*columns, strict=True)):
        if role not in fits or _value(low) is None or _value(high) is None or low > high:
            continue
        if not fits[role](low, high):
            found.append(schools.fault("grades_from_role", k, "role", role, low=low, high=high))
    return found


def _uncovered_grades(schools: Table, bands: tuple[Band, ...]) -> list[Fault]:
    if not len(schools.rows):
        return []
    taught: set[int] = set()
    columns = (schools.frame[c] for c in ("grade_from", "grade_to", "status"))
    for low, high, status in zip(*columns, strict=True):
        if _value(low) is not None and _value(high) is not None and status != "closed":
            taught.update(range(int(low), int(high) + 1))
    wanted = sorted({grade for band in bands for grade in band.grades} - taught)
    return [
        Fault("grades_uncovered", "schools", value=str(grade), file=schools.file)
        for grade in wanted
    ]


def _partial_bands(schools: Table, bands: tuple[Band, ...]) -> list[Fault]:
    """Schools that teach only some grades of a band: a run refuses them."""
    found = []
    columns = (schools.frame[c] for c in ("grade_from", "grade_to", "status"))
    for k, (low, high, status) in enumerate(zip(*columns, strict=True)):
        if _value(low) is None or _value(high) is None or low > high or status == "closed":
            continue
        for band in bands:
            meets = low <= band.grade_to and band.grade_from <= high
            if meets and not (low <= band.grade_from and band.grade_to <= high):
                found.append(schools.fault("band_partial", k, "grade_to", high, band=band.zh))
    return found


def _unfit_designations(villages: Table, schools: Table, bands: tuple[Band, ...]) -> list[Fault]:
    """Villages whose school is closed or does not teach the band: a run sends them elsewhere."""
    taught: dict[str, tuple[float, float, bool]] = {}
    columns = (schools.frame[c] for c in ("school_id", "grade_from", "grade_to", "status"))
    for school, low, high, status in zip(*columns, strict=True):
        if _value(low) is not None and _value(high) is not None:
            taught[school] = (low, high, status == "closed")
    found = []
    for band in bands:
        column = f"school_{band.band}"
        if column not in villages.frame:
            continue
        for k, school in enumerate(villages.frame[column]):
            if school not in taught:
                continue
            low, high, closed = taught[school]
            if closed:
                found.append(villages.fault("school_closed", k, column, school))
            elif not (low <= band.grade_from and band.grade_to <= high):
                found.append(villages.fault("school_unfit", k, column, school, band=band.zh))
    return found


def _childless(villages: Table, children: Table) -> list[Fault]:
    """Find villages without rows of children; with population they will be estimated."""
    counted = set(children.frame["village_id"])
    found = []
    for k, (code, population) in enumerate(
        zip(villages.frame["village_id"], villages.frame["population"], strict=True)
    ):
        if code is None or code in counted:
            continue
        people = _value(population)
        if people is not None and people > 0:
            found.append(villages.fault("village_to_estimate", k, "village_id", code))
        elif people is None:
            found.append(villages.fault("village_without_children", k, "village_id", code))
    return found


def _class_sums(schools: Table, classes: Table) -> list[Fault]:
    """Compare classes of the latest year with the enrolment, grades and rooms of their school."""
    if not len(classes.rows) or not len(schools.rows):
        return []
    years = [y for y in classes.frame["year"] if _value(y) is not None]
    latest = max(years) if years else None
    position = {code: k for k, code in enumerate(schools.frame["school_id"])}
    sums: dict[int, int] = {}
    counts: dict[int, int] = {}
    found = []
    columns = (classes.frame[c] for c in ("school_id", "grade", "students", "year"))
    for k, (code, grade, students, year) in enumerate(zip(*columns, strict=True)):
        at = position.get(code)
        if at is None or (latest is not None and _value(year) not in {latest, None}):
            continue
        low, high = schools.frame["grade_from"].iat[at], schools.frame["grade_to"].iat[at]
        if all(_value(v) is not None for v in (grade, low, high)) and not low <= grade <= high:
            found.append(
                classes.fault("class_grade_outside", k, "grade", grade, low=low, high=high)
            )
        sums[at] = sums.get(at, 0) + int(_value(students) or 0)
        counts[at] = counts.get(at, 0) + 1
    for at, total in sorted(sums.items()):
        stated = _value(schools.frame["students"].iat[at])
        if stated is not None and int(stated) != total:
            found.append(schools.fault("classes_differ", at, "students", int(stated), total=total))
        rooms = _value(schools.frame["rooms"].iat[at])
        if rooms is not None and counts[at] > rooms:
            found.append(schools.fault("rooms_few", at, "rooms", rooms, total=counts[at]))
    return found


def _sums_among_classes(classes: Table) -> list[Fault]:
    """Find classes as large as the others of their grade together: subtotals under any name."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    columns = (classes.frame[c] for c in ("school_id", "year", "grade"))
    for k, values in enumerate(zip(*columns, strict=True)):
        groups.setdefault(tuple(_value(v) for v in values), []).append(k)
    sizes = [int(_value(v) or 0) for v in classes.frame["students"]]
    found = []
    for rows in groups.values():
        total = sum(sizes[k] for k in rows)
        largest = max(rows, key=lambda k: sizes[k])
        others = [k for k in rows if k != largest and sizes[k] > 0]
        if len(others) > 1 and sizes[largest] * 2 == total:
            found.append(classes.fault("class_is_sum", largest, "students", sizes[largest]))
    return found


def _crowding(schools: Table) -> list[Fault]:
    """Find schools whose enrolment would fill every room beyond a super-large class."""
    found = []
    columns = (schools.frame[c] for c in ("students", "rooms"))
    for k, (students, rooms) in enumerate(zip(*columns, strict=True)):
        count, number = _value(students), _value(rooms)
        if count is not None and number is not None and number > 0 and count / number > 66:
            found.append(schools.fault("rooms_crowded", k, "students", f"{count / number:.1f}"))
        elif count and number == 0:
            found.append(schools.fault("rooms_few", k, "rooms", 0, total=">0"))
    return found


def _same_places(table: Table) -> list[Fault]:
    """Find rows that stand in exactly one place; usually one was copied from the other."""
    seen: dict[tuple[float, float], int] = {}
    found = []
    for k, place in enumerate(zip(table.x.tolist(), table.y.tolist(), strict=True)):
        if place[0] != place[0]:
            continue
        if place in seen:
            found.append(table.fault("same_place", k, first=int(table.rows[seen[place]])))
        else:
            seen[place] = k
    return found
