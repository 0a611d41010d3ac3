"""Which modes a band may use and for how long, read from ``band_modes.csv``."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from catchment.errors import InputError
from catchment.region.bands import Band
from catchment.region.model import Region

WALK, BUS, EBIKE, CAR, BOARD = "walk", "bus", "ebike", "car", "board"
MODES = (WALK, BUS, EBIKE, CAR, BOARD)
"""Kinds of travel, in the order in which a band takes them."""

_YES = frozenset({"yes", "是", "1", "true"})
_NO = frozenset({"no", "否", "0", "false"})


@dataclass(frozen=True)
class BandMode:
    """Whether a band may use a mode, and for how long.

    Attributes
    ----------
    band : str
        Code of the band.
    mode : str
        ``walk``, ``bus``, ``ebike``, ``car`` or ``board``.
    allowed : bool
        Whether it may.
    limit_min : float, default nan
        One-way minutes up to which it is taken, > 0; of boarding, the minutes of a daily trip
        beyond which a child boards. nan = the band's own limit.
    """

    band: str
    mode: str
    allowed: bool
    limit_min: float = math.nan

    def limit_of(self, band: Band) -> float:
        """Look the limit up, in the table of bands where this row has none.

        Parameters
        ----------
        band : Band
            The band of the row.

        Returns
        -------
        float
            One-way minutes.
        """
        if not math.isnan(self.limit_min):
            return self.limit_min
        return band.walk_limit_min if self.mode == WALK else band.trip_limit_min


def read_band_modes(bands: Sequence[Band], path: Path | None = None) -> tuple[BandMode, ...]:
    """Read the table of allowed modes; a county's file may hold only the rows it changes.

    A row for band ``*`` holds for every band that has no row of its own. An empty limit is the
    band's own: ``walk_limit_min`` for walking, ``trip_limit_min`` else. Boarding without an answer
    is as the table of bands says.

    Parameters
    ----------
    bands : sequence of Band
        Table of bands.
    path : Path, optional
        A county's own ``band_modes.csv``.

    Returns
    -------
    tuple of BandMode
        A row for every band and mode: by band, then in the order of ``MODES``.

    Raises
    ------
    InputError
        When a band or mode is unknown, or an answer is neither yes nor no or a limit no number.

    Examples
    --------
    >>> from catchment.region.bands import read_bands
    >>> [(b.band, b.mode) for b in read_band_modes(read_bands()) if b.allowed][:3]
    [('lower', 'walk'), ('lower', 'bus'), ('upper', 'walk')]
    """
    shipped = files("catchment.network").joinpath("band_modes.csv").read_text(encoding="utf-8")
    rows = _rows(shipped, "band_modes.csv", bands)
    if path is not None:
        own = _rows(path.read_text(encoding="utf-8-sig"), path.name, bands)
        if any(band == "*" for band, _ in own):
            # The county's word for every band goes before the shipped word for one.
            starred = {mode for band, mode in own if band == "*"}
            rows = {key: row for key, row in rows.items() if key[1] not in starred}
        rows |= own
    found: list[BandMode] = []
    for band in bands:
        for mode in MODES:
            said, limit = rows.get((band.band, mode), rows.get(("*", mode), (None, None)))
            if said is None:
                said = band.boarding != "no" if mode == BOARD else False
            found.append(BandMode(band.band, mode, said, math.nan if limit is None else limit))
    return tuple(found)


def band_modes_of(region: Region) -> tuple[BandMode, ...]:
    """Read a county's own ``band_modes.csv``, else the shipped table.

    Parameters
    ----------
    region : Region
        County.

    Returns
    -------
    tuple of BandMode
        A row for every band and mode.

    Raises
    ------
    InputError
        When the county's table cannot be read.
    """
    own = region.folder / "band_modes.csv" if region.folder is not None else None
    return read_band_modes(region.bands, own if own is not None and own.is_file() else None)


def _rows(
    text: str, where: str, bands: Sequence[Band]
) -> dict[tuple[str, str], tuple[bool | None, float | None]]:
    known = {"*", *(band.band for band in bands)}
    found: dict[tuple[str, str], tuple[bool | None, float | None]] = {}
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        band, mode = (row.get("band") or "").strip(), (row.get("mode") or "").strip()
        if band not in known or mode not in MODES:
            raise InputError(
                f"{where} 第 {number} 行：没有学段“{band}”或方式“{mode}” / row {number}: unknown band "
                f"{band!r} or mode {mode!r}; bands: {', '.join(sorted(known))}; "
                f"modes: {', '.join(MODES)}"
            )
        if (band, mode) in found:
            raise InputError(
                f"{where} 第 {number} 行：{band}、{mode} 重复 / row {number}: said twice"
            )
        found[band, mode] = (
            _answer((row.get("allowed") or "").strip().lower(), f"{where} 第 {number} 行"),
            _limit((row.get("limit_min") or "").strip(), f"{where} 第 {number} 行"),
        )
    return found


def _answer(text: str, where: str) -> bool | None:
    if text in _YES:
        return True
    if text in _NO:
        return False
    if text:
        raise InputError(f"{where} allowed = {text!r}：应为 yes 或 no / must be yes or no")
    return None


def _limit(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 600:
        raise InputError(
            f"{where} limit_min = {text!r}：应为 0 至 600 的分钟数 / must be minutes from 0 to 600"
        )
    return value
