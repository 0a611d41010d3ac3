"""Check a county's layers: every problem in one table, never stopping at the first."""

from __future__ import annotations

from pathlib import Path

from catchment.region.bands import Band
from catchment.region.faults import Problems
from catchment.region.read import gather


def check_region(path: str | Path, *, bands: tuple[Band, ...] | None = None) -> Problems:
    """Collect everything that is wrong with a region.

    Parameters
    ----------
    path : str or Path
        A folder or one GeoPackage.
    bands : tuple of Band, optional
        Table of bands; that of the folder, else the shipped one, when left out.

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
    return gather(path, bands=bands).problems
