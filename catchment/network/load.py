"""The road network of a region: from its road file or its road layer, with heights."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer

from catchment.errors import InputError
from catchment.network.graph import RoadNetwork, from_lines, lengths
from catchment.network.modes import Modes, modes_of
from catchment.network.osm import read_graphml, read_pbf
from catchment.network.roads import RoadClass, road_classes_of
from catchment.network.slope import walk_factors
from catchment.region.elevation import Elevation
from catchment.region.model import Region

_MARGIN_M = 20_000.0
_DRAWN_M = 15.0
_LAYERS = ("villages", "schools", "sites", "boundaries")


def load_network(
    region: Region,
    *,
    modes: Modes | None = None,
    classes: tuple[RoadClass, ...] | None = None,
) -> RoadNetwork:
    """Read the roads of a region, for walking and driving, with heights where they are known.

    A road file goes before a layer of lines. Of a file that covers more than the county, ways
    within 20 km around its places and boundaries are kept.

    Parameters
    ----------
    region : Region
        County with ``road_file`` (``.osm.pbf``, ``.osm``, ``.graphml``) or a layer ``roads``.
    modes : Modes, optional
        Settings; the shipped or the county's own when left out.
    classes : tuple of RoadClass, optional
        Table of classes; the shipped or the county's own when left out.

    Returns
    -------
    RoadNetwork
        The network in the region's CRS.

    Raises
    ------
    InputError
        When the region has neither a road file nor a layer of roads, or it cannot be used.
    """
    table = classes if classes is not None else road_classes_of(region)
    settings = modes if modes is not None else modes_of(region)
    file = region.road_file
    if file is not None:
        if file.suffix.lower() == ".graphml":
            network = read_graphml(file, region.crs, classes=table)
        else:
            network = read_pbf(file, region.crs, bounds=roads_bounds(region), classes=table)
    elif len(region.roads):
        network = from_lines(region.roads.to_crs(region.crs), classes=table)
    else:
        raise InputError(
            "roads：没有道路。请在县域文件夹放入道路图层（道路.gpkg 等）或 .osm.pbf 文件 / the region "
            "has no roads; add a road layer or an .osm.pbf file to its folder"
        )
    if region.elevation is None:
        return network
    return with_heights(network, region.elevation, region.crs, settings)


def with_heights(network: RoadNetwork, elevation: Elevation, crs: CRS, modes: Modes) -> RoadNetwork:
    """Give a network the climb of its segments and what it does to walking.

    Parameters
    ----------
    network : RoadNetwork
        Roads.
    elevation : Elevation
        Raster of heights; where it has a void or ends, roads count as flat.
    crs : pyproj.CRS
        CRS of the network.
    modes : Modes
        Spacing of heights and steepest slope believed.

    Returns
    -------
    RoadNetwork
        A copy with ``climb`` and walking factors.
    """
    climb, forward, backward, void_m = walk_factors(network, elevation, crs, modes)
    notes = network.notes
    if void_m.any():
        count, km = int((void_m > 0).sum()), float(void_m.sum()) / 1000.0
        whole = float(lengths(network).sum()) / 1000.0
        said = (
            f"{count} 段道路共 {km:.1f} 公里（全部 {whole:.1f} 公里）没有高程，按平路计 / {km:.1f} of "
            f"{whole:.1f} km of road in {count} segments have no known height and count as flat"
        )
        notes = (*notes, said)
    return dataclasses.replace(
        network,
        climb=climb,
        walk_factor_forward=forward,
        walk_factor_backward=backward,
        notes=notes,
    )


def base_roads(
    network: RoadNetwork, crs: CRS, *, max_vertices: int = 20_000
) -> list[tuple[str, list[npt.NDArray[np.float64]]]]:
    """Draw the roads as lines, simplified until they fit a budget of vertices.

    Lines are simplified by up to 15 m first; then the least important classes go; only then is the
    rest simplified further.

    Parameters
    ----------
    network : RoadNetwork
        Roads; those that can be neither walked nor driven are left out.
    crs : pyproj.CRS
        CRS of the network.
    max_vertices : int, default 20000
        Most vertices in all, >= 2.

    Returns
    -------
    list of (str, list of (c, 2) float64)
        Class of road and its lines in longitude and latitude, WGS84, most important class first.

    Raises
    ------
    ValueError
        When the budget is below two vertices.
    """
    if max_vertices < 2:
        raise ValueError(f"max_vertices = {max_vertices}; >= 2")
    used = network.walk | network.drive_forward | network.drive_backward
    vertex = np.repeat(np.arange(len(network.tail)), np.diff(network.offsets))
    merged: list[tuple[str, npt.NDArray[np.object_]]] = []
    for position, code in enumerate(network.classes):
        mine = np.flatnonzero(used & (network.road_class == position))
        if len(mine):
            inside = np.isin(vertex, mine)
            lines = shapely.linestrings(network.shape[inside], indices=_ranks(vertex[inside]))
            whole = shapely.line_merge(shapely.multilinestrings(np.asarray(lines)))
            merged.append((code, shapely.get_parts(whole)))
    tolerance = 1.0
    while merged:
        drawn = [(code, shapely.simplify(lines, tolerance)) for code, lines in merged]
        count = sum(int(shapely.get_num_coordinates(lines).sum()) for _, lines in drawn)
        if count <= max_vertices:
            break
        if tolerance < _DRAWN_M or (len(merged) == 1 and tolerance < 1e5):
            tolerance *= 1.5
        else:
            merged = merged[:-1]
    if not merged:
        return []
    degrees = Transformer.from_crs(crs, 4326, always_xy=True)
    return [(code, [_in_degrees(line, degrees) for line in lines]) for code, lines in drawn]


def _ranks(owner: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Owners renumbered from 0 without gaps, in their order."""
    return np.concatenate([[0], np.cumsum(owner[1:] != owner[:-1])]).astype(np.int64)


def _in_degrees(line: shapely.LineString, degrees: Transformer) -> npt.NDArray[np.float64]:
    xy = shapely.get_coordinates(line)
    lon, lat = degrees.transform(xy[:, 0], xy[:, 1])
    return np.column_stack([lon, lat])


def roads_bounds(region: Region) -> tuple[float, float, float, float] | None:
    """Box around everything the county has, with 20 km for roads that lead round it.

    Parameters
    ----------
    region : Region
        County.

    Returns
    -------
    (west, south, east, north) or None
        Degrees; None where the county has no place.
    """
    boxes = [
        getattr(region, layer).total_bounds for layer in _LAYERS if len(getattr(region, layer))
    ]
    boxes = [box for box in boxes if np.isfinite(box).all()]
    if not boxes:
        return None
    low = np.min([box[:2] for box in boxes], axis=0) - _MARGIN_M
    high = np.max([box[2:] for box in boxes], axis=0) + _MARGIN_M
    to_degrees = Transformer.from_crs(region.crs, 4326, always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*low, *high)
    return float(west), float(south), float(east), float(north)
