"""Check a county against its roads: unreadable files, shifted layers, far places, islands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from catchment.errors import CatchmentError
from catchment.network.graph import RoadNetwork, components, from_lines
from catchment.network.osm import read_graphml, read_pbf
from catchment.network.roads import read_road_classes
from catchment.network.snap import attach
from catchment.region.faults import Fault
from catchment.region.read import Reading
from catchment.region.relations import Table
from catchment.region.settle import finish
from catchment.region.surroundings import shifts

FAR_M = 5_000.0
_MARGIN_DEGREES = 0.25


def check_roads(reading: Reading) -> list[Fault]:
    """Check where villages, schools and sites stand on the roads of a county.

    Parameters
    ----------
    reading : Reading
        All layers, read and placed.

    Returns
    -------
    list of Fault
        An error where the roads cannot be read; else warnings: a layer that an undeclared offset
        of a map provider would put on the roads, places over 5 km from any road, places on a piece
        of road that does not reach the others, and what was left out of the roads. Empty where the
        county has no place or no roads.
    """
    if reading.county is None:
        return []
    try:
        network = _network(reading)
    except CatchmentError as fault:
        zh, _, en = str(fault).partition(" / ")
        file = reading.found.road_file
        name = file.name if file is not None else reading.tables["roads"].file
        return [
            Fault(
                "roads_unusable",
                "roads",
                details={"detail_zh": zh, "detail_en": en or zh},
                file=name,
            )
        ]
    if network is None:
        return []
    faults = [_said(note) for note in network.notes]
    if reading.found.road_file is not None:
        faults.extend(shifts(reading.tables, _lines(network), reading.county.crs))
    for name in ("villages", "schools", "sites"):
        faults.extend(_far(reading.tables[name], network))
    return faults


def _network(reading: Reading) -> RoadNetwork | None:
    assert reading.county is not None
    own = reading.found.root / "road_classes.csv"
    classes = read_road_classes(own if own.is_file() else None)
    file, crs = reading.found.road_file, reading.county.crs
    if file is not None and file.suffix.lower() == ".graphml":
        return read_graphml(file, crs, classes=classes)
    if file is not None:
        return read_pbf(file, crs, bounds=_bounds(reading), classes=classes)
    roads = reading.tables["roads"]
    there = np.asarray([g is not None for g in roads.geometry], dtype=bool)
    if not there.any():
        return None
    lines = finish(roads.keep(there), crs).explode(ignore_index=True)
    return from_lines(lines, classes=classes)


def _bounds(reading: Reading) -> tuple[float, float, float, float] | None:
    tables = [reading.tables[name] for name in ("villages", "schools", "sites")]
    lon = np.concatenate([t.lon for t in tables])
    lat = np.concatenate([t.lat for t in tables])
    good = np.isfinite(lon) & np.isfinite(lat)
    if not good.any():
        return None
    low, high = -_MARGIN_DEGREES, _MARGIN_DEGREES
    return (
        float(lon[good].min() + low), float(lat[good].min() + low),
        float(lon[good].max() + high), float(lat[good].max() + high),
    )  # fmt: skip


def _lines(network: RoadNetwork) -> npt.NDArray[np.object_]:
    owner = np.repeat(np.arange(len(network.tail)), np.diff(network.offsets))
    return np.asarray(shapely.linestrings(network.shape, indices=owner), dtype=object)


def _far(table: Table, network: RoadNetwork) -> list[Fault]:
    """Places beyond the reach of any road, and places whose road leads nowhere."""
    if not len(table.rows):
        return []
    allowed = np.asarray(network.walk, dtype=bool)
    at = attach(network, table.x, table.y, allowed=allowed, limit_m=FAR_M)
    labels, parts = components(network, allowed)
    km = dict(zip(parts["component"].tolist(), parts["km"].tolist(), strict=True))
    faults = []
    for k in np.flatnonzero(np.isfinite(table.x)).tolist():
        if at.beyond_limit[k]:
            away = f"{at.nearest_m[k]:,.0f}" if np.isfinite(at.nearest_m[k]) else "∞"
            faults.append(table.fault("far_from_road", k, "", away, limit=f"{FAR_M:,.0f}"))
            continue
        part = int(labels[network.tail[at.segment[k]]])
        if part > 0:
            faults.append(table.fault("road_island", k, "", f"{km[part]:.1f}"))
    return faults


def _said(note: str) -> Fault:
    zh, _, en = note.partition(" / ")
    return Fault("roads_said", "roads", details={"detail_zh": zh, "detail_en": en or zh})
