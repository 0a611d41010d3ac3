"""What a file says before it is understood: text cells, geometry, and where each row stood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.region.faults import Fault


@dataclass(frozen=True)
class Place:
    """Where one layer's source is found and how it is to be read.

    Attributes
    ----------
    layer : str
        Canonical layer name.
    path : Path
        The file.
    file : str
        Its name relative to the region.
    sublayer : str
        Layer inside a GeoPackage or sheet of a workbook; empty = find it.
    crs, encoding : str
        What the manifest declares; empty = nothing.
    table : str
        Table of the office's database, in the place of a file; empty = a file.
    """

    layer: str
    path: Path
    file: str
    sublayer: str = ""
    crs: str = ""
    encoding: str = ""
    table: str = ""


@dataclass(frozen=True)
class Raw:
    """One source as text cells.

    Attributes
    ----------
    headings : tuple of str
        Headings as written.
    cells : list of list of str
        One list a row, as long as ``headings``; empty text = blank.
    rows : list of int
        Row numbers as people see them.
    marks : mapping of (row position, column position) to (code, cell name, shown value)
        Cells that a spreadsheet spoilt: dates, errors, formulas without a value, long numbers.
    geometry : ndarray of object or None
        Shapely geometries, None where a feature has none.
    crs : str
        System the file itself states, empty = none.
    encoding : str
        Text encoding that was used.
    notes : tuple of (str, str)
        What was repaired or skipped, in Chinese and English.
    truncated : bool
        Whether headings may have been cut to ten bytes (Shapefile).
    faults : tuple of Fault
        Faults found while reading.
    """

    headings: tuple[str, ...]
    cells: list[list[str]]
    rows: list[int]
    marks: Mapping[tuple[int, int], tuple[str, str, str]] = field(default_factory=dict)
    geometry: npt.NDArray[np.object_] | None = None
    crs: str = ""
    encoding: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    truncated: bool = False
    faults: tuple[Fault, ...] = ()


def cell_text(value: Any) -> str:
    """Write a value from a typed source as the text a person would type.

    Parameters
    ----------
    value : object
        Text, number, bool, date or None.

    Returns
    -------
    str
        Whole floats without ``.0``; blank for None and NaN.
    """
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if number != number:
            return ""
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return ";".join(cell_text(v) for v in value)
    return str(value)
