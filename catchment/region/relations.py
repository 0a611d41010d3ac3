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

    def place_of(self, row: int) -> tuple[float, float] | None:
        """Find the place of a row.

        Parameters
        ----------
        row : int
            Row number as people see it.

        Returns
        -------
        tuple of float or None
            WGS84 longitude and latitude.
        """
        at = np.flatnonzero(self.rows == row)
        if len(at) and np.isfinite(self.lon[at[0]]) and np.isfinite(self.lat[at[0]]):
            return float(self.lon[at[0]]), float(self.lat[at[0]])
        return None

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
