"""Check a county's layers: every problem in one table, never stopping at the first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from catchment.region.bands import Band
from catchment.region.faults import Fault, Problems, placed, problems
from catchment.region.read import Reading, gather, row_places
from catchment.region.schema import layers


def check_region(
    path: str | Path,
    *,
    bands: tuple[Band, ...] | None = None,
    further: Callable[[Reading], list[Fault]] | None = None,
) -> Problems:
    """Collect everything that is wrong with a region.

    Parameters
    ----------
    path : str or Path
        A folder or one GeoPackage.
    bands : tuple of Band, optional
        Table of bands; that of the folder, else the shipped one, when left out.
    further : callable, optional
        A check of a higher floor (the roads), given all that was read.

    Returns
    -------
    Problems
        All errors, warnings and notes; ``.table()`` lays them out, ``.ok`` says whether the
        region can be read.

    Raises
    ------
    InputError
        When the manifest or the table of bands itself cannot be used.
    NotFoundError
        When there is nothing at the path.
    """
    reading = gather(path, bands=bands)
    if further is None:
        return reading.problems
    more = further(reading)
    places = {name: row_places(reading.tables[name]) for name in {f.layer for f in more}}
    more = [placed(f, places[f.layer].get(f.row)) for f in more]
    told = {(f.layer, f.code) for f in reading.problems.faults if f.code == "looks_shifted"}
    more = [f for f in more if (f.layer, f.code) not in told]
    return problems([*reading.problems.faults, *more], layers())
