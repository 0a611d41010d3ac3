"""Areas, ways, villages without a road and crossings as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from catchment.network.access import access_report, component_report
from catchment.network.crossings import crossings
from catchment.network.graph import RoadNetwork
from catchment.network.reach import isochrones, paths
from catchment.network.travel import TravelTimes
from catchment.network.trips import trips
from catchment.region.model import Region
from catchment.views.files import write_text
from catchment.views.tables import frame_csv

_DIGITS = 6  # a decimetre


def write_reports(
    region: Region, network: RoadNetwork, times: TravelTimes, folder: Path
) -> tuple[list[Path], tuple[str, ...]]:
    """Write who lies off the roads, which roads lie apart, and what walks to school cross.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Its roads.
    times : TravelTimes
        Its travel times.
    folder : Path
        Folder to write to.

    Returns
    -------
    list of Path
        ``access.csv``, ``parts.csv``, ``crossings.csv`` and ``crossings_checked.csv``.
    tuple of str
        What could not be judged, for people.
    """
    parts = component_report(region, network, times)
    for column in ("village_ids", "school_ids"):
        # Those on the largest part are nearly all: only the others are named.
        named = zip(parts["component"], parts[column], strict=True)
        parts[column] = ["、".join(ids) if part else "" for part, ids in named]
    met = crossings(region, network)
    tables = {
        "access.csv": access_report(region, network, times),
        "parts.csv": parts,
        "crossings.csv": met.table,
        "crossings_checked.csv": met.checked,
    }
    for name, table in tables.items():
        write_text(folder / name, frame_csv(table))
    return [folder / name for name in tables], met.notes


def write_trips(region: Region, there: TravelTimes, back: TravelTimes, folder: Path) -> Path:
    """Write the trip of every village and band to its school of today, door to door.

    Parameters
    ----------
    region : Region
        County; ``school_<band>`` of the villages names the schools.
    there, back : TravelTimes
        Times from home to school and back.
    folder : Path
        Folder to write to.

    Returns
    -------
    Path
        ``trips.csv``: columns of ``network.trips.trips``, and ``direct`` (a straight walk for want
        of a mapped road).
    """
    known = set(there.sites)
    sites = {}
    for band in region.bands:
        column = f"school_{band.band}"
        if column in region.villages.columns:
            own = ["" if pd.isna(k) else str(k) for k in region.villages[column]]
            sites[band.band] = [k if k in known else "" for k in own]
    beds: set[str] = set()
    if "beds" in region.schools.columns:
        held = pd.to_numeric(region.schools["beds"], errors="coerce").fillna(0) > 0
        beds = set(region.schools["school_id"][held].astype(str))
    table = trips(there, region.bands, sites, back=back, beds=beds)
    row = {k: i for i, k in enumerate(there.villages)}
    column_of = {k: j for j, k in enumerate(there.sites)}
    table["direct"] = [
        bool(there.direct.size and mode == "walk" and there.direct[row[v], column_of[s]])
        for v, s, mode in zip(table["village_id"], table["site_id"], table["mode"], strict=True)
    ]
    write_text(folder / "trips.csv", frame_csv(table))
    return folder / "trips.csv"


def write_reach(
    region: Region,
    network: RoadNetwork,
    site: str,
    folder: Path,
    *,
    limits: Sequence[float] = (15, 30, 40),
) -> list[Path]:
    """Write from where a school is reached, and the ways of all villages to it.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Its roads.
    site : str
        Id of a school or candidate site.
    folder : Path
        Folder to write to.
    limits : sequence of float, default (15, 30, 40)
        One-way minutes.

    Returns
    -------
    list of Path
        ``isochrones.geojson`` and ``paths.geojson``, in longitude and latitude; metres and
        minutes are rounded to a tenth.
    """
    degrees = Transformer.from_crs(region.crs, CRS.from_epsg(4326), always_xy=True)
    modes = [*(f"walk_{band.band}" for band in region.bands), "bus"]
    areas, ways = [], []
    for mode in modes:
        table = isochrones(region, network, site, mode=mode, limits=limits)
        for row in table.itertuples(index=False):
            facts = {
                "site_id": row.site_id, "mode": row.mode, "minutes": row.minutes,
                "villages": row.villages, "village_ids": list(row.village_ids),
            }  # fmt: skip
            areas.append(_feature(row.geometry, facts, degrees))
    for mode in (modes[0], modes[-1]):
        # Every band walks the same way at its own speed, so that it is written once.
        same = [m for m in modes if m.startswith("walk") == mode.startswith("walk")]
        minutes = [paths(region, network, site, mode=m) for m in same]
        for several in zip(*minutes, strict=True):
            # A straight walk may be within the limit of an older band alone.
            way = next((each for each in several if np.isfinite(each.minutes)), several[0])
            facts = {
                "village_id": way.village_id, "site_id": way.site_id,
                "mode": "walk" if mode.startswith("walk") else mode,
                "minutes": {each.mode: _number(each.minutes) for each in several},
                "metres": _number(way.metres), "home_m": _number(way.home_m),
                "site_m": _number(way.site_m), "ascent": _number(way.ascent),
                "descent": _number(way.descent),
                "classes": {code: _number(m) for code, m in way.classes},
                "names": list(way.names),
                "profile": [
                    [_number(d), _number(h)]
                    for d, h in zip(way.distance_m, way.height_m, strict=True)
                ],
            }  # fmt: skip
            ways.append(_feature(way.line, facts, degrees))
    written = []
    for name, features in (("isochrones.geojson", areas), ("paths.geojson", ways)):
        whole = {"type": "FeatureCollection", "features": features}
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        write_text(folder / name, text + "\n")
        written.append(folder / name)
    return written


def _feature(shape: BaseGeometry, facts: dict[str, Any], degrees: Transformer) -> dict[str, Any]:
    if shape.is_empty:
        return {"type": "Feature", "properties": facts, "geometry": None}

    def turned(xy: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
        lon, lat = degrees.transform(xy[:, 0], xy[:, 1])
        return np.round(np.column_stack([lon, lat]), _DIGITS)

    place = shapely.geometry.mapping(shapely.transform(shape, turned))
    return {"type": "Feature", "properties": facts, "geometry": place}


def _number(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None
