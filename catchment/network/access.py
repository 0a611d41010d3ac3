"""Who lies off the roads, and which roads lie apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from catchment.network.graph import RoadNetwork, components
from catchment.network.travel import TravelTimes
from catchment.region.model import Region

LONG_M = 500.0
"""Access legs longer than this count as long, metres."""


def access_report(
    region: Region, network: RoadNetwork, times: TravelTimes, *, long_m: float = LONG_M
) -> pd.DataFrame:
    """List the villages without a mapped road, with the length of their access leg.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Its roads.
    times : TravelTimes
        Its travel times.
    long_m : float, default 500
        Straight walks to the road longer than this are listed, metres, >= 0.

    Returns
    -------
    DataFrame
        ``village_id, name, township, state, walk_m, drive_m, walk_min``, the longest first.
        ``state`` is ``no_road`` (no road within the limit: not joined), ``no_vehicle_road`` (roads
        for walking alone within the access walk: no bus) or ``long_leg``. ``walk_m`` and
        ``drive_m`` are metres to the nearest road for walking and for vehicles (inf = none),
        ``walk_min`` minutes of that walk at the speed of the slowest band.
    """
    snaps = times.snaps[times.snaps["kind"] == "village"]
    walk = snaps["walk_m"].to_numpy(dtype=np.float64)
    drive = snaps["drive_m"].to_numpy(dtype=np.float64)
    off = snaps["beyond_limit"].to_numpy(dtype=bool)
    bus = snaps["bus"].to_numpy(dtype=bool)
    slowest = min((band.walk_kmh for band in region.bands), default=np.nan)
    villages = region.villages.set_index(region.villages["village_id"].astype(str))
    names = villages.reindex([str(k) for k in snaps["id"]])
    table = pd.DataFrame(
        {
            "village_id": [str(k) for k in snaps["id"]],
            "name": _text(names, "name"),
            "township": _text(names, "township"),
            "state": np.select(
                [off, ~bus, walk > long_m], ["no_road", "no_vehicle_road", "long_leg"], "on_road"
            ),
            "walk_m": walk,
            "drive_m": drive,
            "walk_min": walk / (slowest * 1000.0 / 60.0),
        }
    )
    table = table[table["state"] != "on_road"]
    return table.sort_values(
        ["walk_m", "village_id"], ascending=[False, True], kind="stable", ignore_index=True
    )


def component_report(region: Region, network: RoadNetwork, times: TravelTimes) -> pd.DataFrame:
    """List the parts of the roads for walking that are not connected, and who lies on them.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Its roads.
    times : TravelTimes
        Its travel times.

    Returns
    -------
    DataFrame
        ``component, nodes, segments, km, share`` (of nodes), ``villages, schools, sites`` (how
        many), ``village_ids, school_ids`` (tuples) and ``cut_off`` (villages, but neither a school
        nor a candidate site), largest first.
    """
    _, table = components(network, network.walk)
    of = {
        kind: own.groupby("component")["id"].agg(tuple)
        for kind, own in times.snaps.groupby("kind", sort=False)
    }
    none = pd.Series(dtype=object)

    def _ids(kind: str) -> pd.Series:
        found = of.get(kind, none)
        return pd.Series([tuple(found.get(c, ())) for c in table["component"]], dtype=object)

    villages, schools, sites = _ids("village"), _ids("school"), _ids("site")
    return table.assign(
        villages=[len(k) for k in villages],
        schools=[len(k) for k in schools],
        sites=[len(k) for k in sites],
        village_ids=villages,
        school_ids=schools,
        cut_off=[
            bool(v) and not s and not c for v, s, c in zip(villages, schools, sites, strict=True)
        ],
    )


def _text(table: pd.DataFrame, column: str) -> list[str]:
    if column not in table.columns:
        return [""] * len(table)
    return ["" if pd.isna(k) else str(k) for k in table[column]]
