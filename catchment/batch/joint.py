"""Two counties as one question: the joined roads, and the ways from one to the other's schools."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from catchment.network.graph import RoadNetwork
from catchment.network.load import load_network
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.region.read import read_region
from catchment.run import Run
from catchment.run.order import pose
from catchment.scenario import Method, Road, Scenario, county_of, read_scenario, resolve

_SAME_PLACE = 1.0  # metres between the ends of one road in two counties' files
_SAME_ROAD = 20.0  # metres between a road as two counties' files draw it
_LAYERS = ("villages", "schools", "sites", "students", "roads", "boundaries")


@dataclass(frozen=True)
class Joint:
    """A county's villages near the border with the schools beyond it.

    Attributes
    ----------
    problem : Problem
        The villages within reach, their own schools and the neighbour's, over the roads of both
        and of both recipes; nobody boards beyond the border.
    known : dict of str to dict
        Rows of the neighbour's schools and candidate sites by the code they have in ``problem``.
    neighbour : str
        Name of the neighbouring county.
    """

    problem: Problem
    known: dict[str, dict[str, Any]]
    neighbour: str


def recipe_beside(recipe: Path, neighbour: Path) -> Path | None:
    """Find the neighbour's recipe of the same name.

    Parameters
    ----------
    recipe : Path
        A county's recipe.
    neighbour : Path
        Folder of the neighbouring county.

    Returns
    -------
    Path or None
        The file; None where there is none.
    """
    places = (neighbour / recipe.name, neighbour / "scenarios" / recipe.name)
    return next((p for p in places if p.is_file()), None)


def joint_question(
    run: Run, folder: Path, reach_km: float, *, recipe: Path | None, set_aside: bool = False
) -> Joint | None:
    """Pose the question of a county's border villages with a neighbour's schools among their own.

    Parameters
    ----------
    run : Run
        The county's own run.
    folder : Path
        Folder of the neighbouring county.
    reach_km : float
        Straight distance between a village and a school beyond which nothing is looked at.
    recipe : Path, optional
        The neighbour's recipe, for the roads it changes and the sites it brings.
    set_aside : bool
        Whether rows in error of the neighbour are set aside.

    Returns
    -------
    Joint or None
        None where no village is within reach of a school.

    Raises
    ------
    CatchmentError
        When the neighbour or its recipe cannot be used.
    """
    other = read_region(folder, set_aside=set_aside)
    roads: list[Road] = []
    if recipe is not None:
        theirs = read_scenario(recipe)
        other = county_of(theirs, other)
        roads += [a for a in resolve(theirs, other).actions if isinstance(a, Road)]
    own = run.region
    other = other.replace(
        crs=own.crs, **{name: getattr(other, name).to_crs(own.crs) for name in _LAYERS}
    )
    joint = _near_the_border(own, other, reach_km)
    if joint is None:
        return None
    region, known = joint
    # The recipe of a run is resolved already: its roads bear their years.
    mine = Scenario.model_validate(run.scenario).actions
    both = (*(a for a in mine if isinstance(a, Road)), *roads)
    shut = [a.start for a in both if a.road == "closed"]
    networks = [without_roads(each, shut, own) for each in (run.network, load_network(other))]
    posed = pose(
        Scenario(
            name=own.name,
            years=run.problem.years,
            actions=tuple(a for a in both if a.road != "closed"),
            method=Method.model_validate(
                {**run.scenario["method"], "assignment": "nearest", "connected": False}
            ),
        ),
        region,
        roads=join(*networks),
    )
    return Joint(posed.problem, known, other.name)


def without_roads(
    network: RoadNetwork, places: Sequence[tuple[float, float]], region: Region
) -> RoadNetwork:
    """Take out the roads that either county's recipe closes, in whatever year.

    Both counties' files may hold a road near the border, so it must go from both; a road that one of
    the years has is not counted on in any.

    Parameters
    ----------
    network : RoadNetwork
        Roads of one county.
    places : sequence of (float, float)
        Longitudes and latitudes of closed roads.
    region : Region
        With the CRS of the network.

    Returns
    -------
    RoadNetwork
        Without the segments that pass within 20 m of a place.
    """
    if not len(places):
        return network
    points = gpd.GeoSeries.from_xy(*zip(*places, strict=True), crs="EPSG:4490").to_crs(region.crs)
    vertices = np.split(network.shape, network.offsets[1:-1])
    lines = shapely.STRtree([shapely.LineString(part) for part in vertices])
    found = lines.query(points.to_numpy(), predicate="dwithin", distance=_SAME_ROAD)[1]
    open_ = np.ones(len(network.tail), dtype=bool)
    open_[found] = False
    return dataclasses.replace(
        network,
        walk=network.walk & open_,
        drive_forward=network.drive_forward & open_,
        drive_backward=network.drive_backward & open_,
    )


def _near_the_border(
    own: Region, other: Region, reach_km: float
) -> tuple[Region, dict[str, dict[str, Any]]] | None:
    """Villages and foreign sites within reach of each other, the latter under codes of their own."""
    tables = {"school_id": other.schools, "site_id": other.sites}
    if own.villages.empty or not sum(len(t) for t in tables.values()):
        return None
    places = np.vstack([_xy(t) for t in tables.values() if len(t)])
    apart, _ = cKDTree(places).query(_xy(own.villages))
    villages = own.villages[apart <= reach_km * 1000].reset_index(drop=True)
    if villages.empty:
        return None
    near = cKDTree(_xy(villages))
    known: dict[str, dict[str, Any]] = {}
    foreign = {}
    for key, table in tables.items():
        if len(table):
            table = table[near.query(_xy(table))[0] <= reach_km * 1000].reset_index(drop=True)
        codes = [f"{other.name}:{code}" for code in table[key].astype(str)]
        known |= dict(zip(codes, table.to_dict("records"), strict=True))
        foreign[key] = table.assign(**{key: codes})
    schools = foreign["school_id"].assign(area_id="", beds=0)
    taken = set(own.schools["school_id"].astype(str)) | set(own.sites["site_id"].astype(str))
    assert not taken & set(known)
    ids = set(villages["village_id"])
    region = own.replace(
        villages=villages,
        children=own.children[own.children["village_id"].isin(ids)].reset_index(drop=True),
        students=own.students[own.students["village_id"].isin(ids)].reset_index(drop=True),
        schools=pd.concat([own.schools, schools.astype({"beds": own.schools["beds"].dtype})],
                          ignore_index=True),
        sites=pd.concat([own.sites, foreign["site_id"]], ignore_index=True)
        if len(foreign["site_id"]) else own.sites,
        classes=own.classes.iloc[:0],
    )  # fmt: skip
    return region, known


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
