"""Settings of the modes of travel, read from ``modes.csv``; a county may keep its own copy."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from catchment.errors import InputError
from catchment.region.model import Region


@dataclass(frozen=True)
class Modes:
    """Speeds, waits and limits of walking and riding; every field is a row of ``modes.csv``.

    Attributes
    ----------
    snap_limit_m : float
        Points farther than this from every road are not attached, metres.
    snap_extra_m : float
        Extra metres allowed to reach a real part of the network past a fragment.
    snap_fragment_m : float
        Separate parts of the network shorter than this are fragments, metres.
    direct_limit_m : float
        Longest straight walk offered to a village that joins no road, metres.
    walk_slope : float
        1 where walking heeds slope, 0 where it does not.
    walk_slope_cap : float
        Steepest slope believed, metres a metre.
    walk_slope_step_m : float
        Spacing of heights along a road, metres.
    bus_access_kmh : float
        Walking speed to the stop, km/h.
    bus_access_limit_min : float
        Longest walk to a drivable road, minutes.
    bus_wait_min, bus_stop_min : float
        Wait at the stop and time of one stop, minutes.
    bus_stops : float
        Stops on the way after boarding.
    bus_cap_kmh, bus_hazard_kmh : float
        Highest speeds, anywhere and on hazard links, km/h.
    ebike_kmh, ebike_hazard_kmh : float
        Speed of a parent's e-bike, anywhere and on hazard links, km/h.
    ebike_start_min, car_start_min : float
        Getting the vehicle out and parking it, minutes.
    ebike_access_limit_min, car_access_limit_min : float
        Longest walk to a road that it can use, minutes.
    car_factor : float
        Speed of a parent's vehicle over that of the school bus.
    car_cap_kmh, car_hazard_kmh : float
        Its highest speeds, anywhere and on hazard links, km/h.
    """

    snap_limit_m: float
    snap_extra_m: float
    snap_fragment_m: float
    walk_slope: float
    walk_slope_cap: float
    walk_slope_step_m: float
    bus_access_kmh: float
    bus_access_limit_min: float
    bus_wait_min: float
    bus_stop_min: float
    bus_stops: float
    bus_cap_kmh: float
    bus_hazard_kmh: float
    ebike_kmh: float = 15.0
    ebike_hazard_kmh: float = 10.0
    ebike_start_min: float = 2.0
    ebike_access_limit_min: float = 15.0
    car_factor: float = 1.2
    car_cap_kmh: float = 60.0
    car_hazard_kmh: float = 30.0
    car_start_min: float = 3.0
    car_access_limit_min: float = 15.0
    direct_limit_m: float = 500.0


def read_modes(path: Path | None = None) -> Modes:
    """Read the settings of the modes; a county's file may hold only the rows it changes.

    Parameters
    ----------
    path : Path, optional
        A county's own ``modes.csv`` (``key``, ``value`` are enough); shipped rows fill the rest.

    Returns
    -------
    Modes
        Settings.

    Raises
    ------
    InputError
        When a key is unknown or a value is no number within the row's limits.

    Examples
    --------
    >>> read_modes().bus_cap_kmh
    60.0
    """
    shipped = files("catchment.network").joinpath("modes.csv").read_text(encoding="utf-8")
    limits: dict[str, tuple[float, float]] = {}
    values: dict[str, float] = {}
    for row in csv.DictReader(shipped.splitlines()):
        limits[row["key"]] = float(row["min"]), float(row["max"])
        values[row["key"]] = float(row["value"])
    if path is not None:
        rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        for number, row in enumerate(rows, start=2):
            key, value = (row.get("key") or "").strip(), (row.get("value") or "").strip()
            if key not in limits:
                raise InputError(
                    f"{path.name} 第 {number} 行：没有“{key}”这一项 / row {number}: unknown key "
                    f"{key!r}; known: {', '.join(limits)}"
                )
            values[key] = _number(value, limits[key], f"{path.name} 第 {number} 行 {key}")
    return Modes(**values)


def modes_of(region: Region) -> Modes:
    """Read the settings of a county: its own ``modes.csv`` beside its road file, else the shipped.

    Parameters
    ----------
    region : Region
        County.

    Returns
    -------
    Modes
        Settings.

    Raises
    ------
    InputError
        When the county's table cannot be read.
    """
    own = region.folder / "modes.csv" if region.folder is not None else None
    return read_modes(own if own is not None and own.is_file() else None)


def _number(text: str, limit: tuple[float, float], where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not limit[0] <= value <= limit[1]:
        raise InputError(
            f"{where} = {text!r}：应为 {limit[0]:g} 至 {limit[1]:g} 的数 / "
            f"must be a number from {limit[0]:g} to {limit[1]:g}"
        )
    return value
