"""Villages near a county border and the schools beyond it, on the joined roads of both counties."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from catchment.errors import CatchmentError
from catchment.network.graph import RoadNetwork
from catchment.network.load import load_network
from catchment.optimise.layout import scenario_plan
from catchment.region.model import Region
from catchment.region.read import read_region
from catchment.run import Run
from catchment.run.order import pose
from catchment.scenario import Method, Scenario

COLUMNS = (
    "county", "township", "village_id", "village", "band", "students", "school_today",
    "minutes_today", "neighbour", "school_id", "school", "minutes", "saving", "spare_places", "note",
)  # fmt: skip
SAVING_MINUTES = 10.0
"""A school beyond the border is named where it is nearer by more than this, or the only one."""
_SAME_PLACE = 1.0  # metres between the ends of one road in two counties' files


def border_table(
    run: Run, county: str, neighbours: Sequence[Path], reach_km: float, *, set_aside: bool = False
) -> pd.DataFrame:
    """Villages for which a school of a neighbouring county is clearly nearer, or the only one.

    Nothing is assigned across the border: whose places these are is for the two counties to settle.

    Parameters
    ----------
    run : Run
        The county's own run.
    county : str
        Its name in the batch.
    neighbours : sequence of Path
        Folders of the neighbouring counties.
    reach_km : float
        Straight distance between a village and a school beyond which nothing is looked at.
    set_aside : bool
        Whether rows in error of a neighbour are set aside.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; a neighbour that cannot be read is one row with a ``note``. Students and
        minutes are those of the first year; ``spare_places`` are rooms x the standard class size
        less the students the neighbour's school reports, missing where it does not say.
    """
    rows: list[dict[str, Any]] = []
    for folder in neighbours:
        try:
            other = read_region(folder, set_aside=set_aside)
            rows += _beyond(run, county, _reprojected(other, run.region), reach_km)
        except CatchmentError as fault:
            said = str(fault).splitlines()[0]
            rows.append({"county": county, "neighbour": folder.name, "note": said})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({"students": "Int64", "spare_places": "Int64"})
    return table.sort_values(
        ["neighbour", "village_id", "band"], kind="stable", ignore_index=True, na_position="last"
    )


def _reprojected(other: Region, own: Region) -> Region:
    layers = ("villages", "schools", "sites", "students", "roads", "boundaries")
    return other.replace(
        crs=own.crs, **{name: getattr(other, name).to_crs(own.crs) for name in layers}
    )


def _beyond(run: Run, county: str, other: Region, reach_km: float) -> list[dict[str, Any]]:
    own = run.region
    theirs = other.schools[other.schools["status"] == "existing"]
    if theirs.empty or own.villages.empty:
        return []
    apart, _ = cKDTree(_xy(theirs)).query(_xy(own.villages))
    villages = own.villages[apart <= reach_km * 1000].reset_index(drop=True)
    if villages.empty:
        return []
    far, _ = cKDTree(_xy(villages)).query(_xy(theirs))
    taken = set(own.schools["school_id"].astype(str)) | set(own.sites["site_id"].astype(str))
    theirs = theirs[far <= reach_km * 1000].reset_index(drop=True)
    codes = [f"{other.name}:{code}" for code in theirs["school_id"].astype(str)]
    assert not taken & set(codes)
    known = dict(zip(codes, theirs.to_dict("records"), strict=True))
    theirs = theirs.assign(school_id=codes, area_id="")
    ids = set(villages["village_id"])
    joint = own.replace(
        villages=villages,
        children=own.children[own.children["village_id"].isin(ids)].reset_index(drop=True),
        students=own.students[own.students["village_id"].isin(ids)].reset_index(drop=True),
        schools=pd.concat([own.schools, theirs], ignore_index=True),
        classes=own.classes.iloc[:0],
    )
    recipe = Scenario(
        name=own.name,
        years=run.problem.years[:1],
        method=Method.model_validate(
            {**run.scenario["method"], "assignment": "nearest", "connected": False}
        ),
    )
    posed = pose(recipe, joint, roads=join(run.network, load_network(other)))
    plan = scenario_plan(posed.problem, "nearest", connected=False)
    return _rows(run, county, other.name, posed.problem, plan.site_of[:, 0], known)


def _rows(
    run: Run, county: str, neighbour: str, joint: Any, site_of: Any, known: dict[str, Any]
) -> list[dict[str, Any]]:
    base = run.problem_of("today")
    own = {
        (base.village_ids[v], base.bands[b]): i
        for i, (v, b) in enumerate(zip(base.group_village, base.group_band, strict=True))
    }
    village = run.region.villages.set_index("village_id")
    names = run.region.schools.set_index("school_id")["name"].to_dict()
    rows = []
    for i, j in enumerate(site_of.tolist()):
        code, band = joint.village_ids[joint.group_village[i]], joint.bands[joint.group_band[i]]
        students = int(joint.students[i, :, 0].sum())
        school = joint.site_ids[j] if j >= 0 else ""
        if not students or school not in known:
            continue
        group = own[code, band]
        now = int(run.today.site_of[group, 0])
        before = float(base.minutes[base.network[0], group, now]) if now >= 0 else np.inf
        minutes = float(joint.minutes[0, i, j])
        if before - minutes <= SAVING_MINUTES:
            continue
        finite = np.isfinite(before)
        rows.append(
            {
                "county": county,
                "township": str(village.at[code, "township"]),
                "village_id": code,
                "village": str(village.at[code, "name"]),
                "band": band,
                "students": students,
                "school_today": names.get(base.site_ids[now], "") if now >= 0 else "",
                "minutes_today": round(before, 1) if finite else None,
                "neighbour": neighbour,
                "school_id": str(known[school]["school_id"]),
                "school": str(known[school]["name"]),
                "minutes": round(minutes, 1),
                "saving": round(before - minutes, 1) if finite else None,
                "spare_places": _spare(known[school], int(joint.class_size[j].min())),
                "note": "",
            }
        )
    return rows


def _spare(school: dict[str, Any], size: int) -> int | None:
    rooms, students = school.get("rooms"), school.get("students")
    if rooms is None or students is None or pd.isna(rooms) or pd.isna(students):
        return None
    return max(int(rooms) * size - int(students), 0)


def _xy(layer: Any) -> Any:
    return np.column_stack([layer.geometry.x, layer.geometry.y])


def join(one: RoadNetwork, other: RoadNetwork) -> RoadNetwork:
    """Join the roads of two counties where they meet.

    Parameters
    ----------
    one, other : RoadNetwork
        Networks in the same metric CRS. Nodes of the second within a metre of one of the first are
        that node; segments that both files hold stand side by side, which changes no shortest way.

    Returns
    -------
    RoadNetwork
        All segments of both; heights stay with their segments.
    """
    near, at = cKDTree(np.column_stack([one.x, one.y])).query(
        np.column_stack([other.x, other.y]), distance_upper_bound=_SAME_PLACE
    )
    same = np.isfinite(near)
    fresh = np.cumsum(~same) - 1 + len(one.x)
    place = np.where(same, at, fresh).astype(np.int32)
    classes = tuple(dict.fromkeys((*one.classes, *other.classes)))
    position = {name: k for k, name in enumerate(classes)}

    heights = len(one.walk_factor_forward) or len(other.walk_factor_forward)
    return dataclasses.replace(
        one,
        x=np.concatenate([one.x, other.x[~same]]),
        y=np.concatenate([one.y, other.y[~same]]),
        tail=np.concatenate([one.tail, place[other.tail]]),
        head=np.concatenate([one.head, place[other.head]]),
        length=_both(one, other, "length"),
        road_class=np.concatenate([_renumbered(one, position), _renumbered(other, position)]),
        classes=classes,
        walk=_both(one, other, "walk"),
        drive_forward=_both(one, other, "drive_forward"),
        drive_backward=_both(one, other, "drive_backward"),
        hazard=_both(one, other, "hazard"),
        maxspeed=_both(one, other, "maxspeed"),
        climb=_both(one, other, "climb"),
        offsets=np.concatenate([one.offsets, other.offsets[1:] + one.offsets[-1]]),
        shape=_both(one, other, "shape"),
        names=(*one.names, *other.names),
        notes=(*one.notes, *other.notes),
        bridge=_known(one, other, "bridge", 0),
        walk_factor_forward=_known(one, other, "walk_factor_forward", 1.0)
        if heights
        else _both(one, other, "walk_factor_forward"),
        walk_factor_backward=_known(one, other, "walk_factor_backward", 1.0)
        if heights
        else _both(one, other, "walk_factor_backward"),
    )


def _renumbered(network: RoadNetwork, position: dict[str, int]) -> Any:
    table = np.array([position[name] for name in network.classes], dtype=np.int8)
    return table[network.road_class]


def _both(one: RoadNetwork, other: RoadNetwork, name: str) -> Any:
    return np.concatenate([getattr(one, name), getattr(other, name)])


def _known(one: RoadNetwork, other: RoadNetwork, name: str, missing: float) -> Any:
    """Join what one of the networks may not know."""
    parts = []
    for network in (one, other):
        values, wanted = getattr(network, name), len(network.tail)
        parts.append(values if len(values) == wanted else np.full(wanted, missing, values.dtype))
    return np.concatenate(parts)
