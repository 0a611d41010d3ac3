"""Village cells: the land of every village, and which cells touch."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import shapely
from scipy.sparse import csgraph
from shapely.geometry.base import BaseGeometry

from catchment.network.snap import coordinates
from catchment.region.model import Region

_APART_M = 2.0
_MARGIN_M = 400.0
_GAP_M = 1.0
_BORDER_M = 10.0

_Geometries = npt.NDArray[np.object_]


def village_cells(region: Region) -> gpd.GeoDataFrame:
    """Divide the county among its villages.

    Where there are village boundaries, a village has the polygon of its own code, or the one its
    point lies in; several villages in one polygon share it. Elsewhere a village has the land nearer
    to it than to any other village of the same part of the county (an island is a part of its own;
    a part without a village goes to the village nearest to it). Villages at the same point are
    treated as if two metres apart. A village outside the county's boundary has a circle of 400 m.

    Parameters
    ----------
    region : Region
        County with v villages, and boundaries of kind ``village`` or ``county`` where it has them
        (else its townships, else a hull around the villages).

    Returns
    -------
    GeoDataFrame
        One row a village, in the order of ``region.villages``: ``village_id``, ``made``
        (``boundary``, ``shared boundary``, ``nearest``, ``none`` = the village has no place) and
        the cell, empty where ``made`` is ``none``. Cells do not overlap.
    """
    ids = [str(k) for k in region.villages["village_id"]]
    xy = _spread(_coordinates(region.villages))
    placed = np.isfinite(xy).all(axis=1)
    cells: _Geometries = np.full(len(ids), shapely.MultiPolygon(), dtype=object)
    made = np.full(len(ids), "none", dtype=object)
    taken, zones = _boundary_zones(region, ids, xy)
    for zone, members in zones:
        _share(zone, members, xy, cells)
        made[members] = "boundary" if len(members) == 1 else "shared boundary"
    rest = np.flatnonzero(placed & (made == "none"))
    if len(rest):
        land = _outline(
            region, xy[rest], shapely.union_all(np.array([z for z, _ in zones], dtype=object))
        )
        if taken is not None:
            land = shapely.difference(land, taken)
        _share(land, rest, xy, cells)
        made[rest] = "nearest"
    return gpd.GeoDataFrame({"village_id": ids, "made": made}, geometry=cells, crs=region.crs)


def neighbours(cells: gpd.GeoDataFrame, *, link_parts: bool = True) -> sp.csr_matrix:
    """Find the cells that share a border.

    Borders count when at least 10 m long; gaps of up to 1 m between drawn boundaries are bridged;
    cells that meet in a corner do not touch.

    Parameters
    ----------
    cells : GeoDataFrame
        v cells, as of ``village_cells``.
    link_parts : bool, default True
        Whether parts of the county that touch nowhere (islands) are joined by their nearest cells,
        so that a catchment may reach over the water where it must.

    Returns
    -------
    (v, v) csr_matrix of bool
        Symmetric, no cell its own neighbour.
    """
    shapes: _Geometries = np.asarray(cells.geometry.to_numpy(), dtype=object)
    count = len(shapes)
    solid = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    tree = shapely.STRtree(shapes[solid])
    a, b = tree.query(shapes[solid], predicate="dwithin", distance=_GAP_M)
    pair = a < b
    a, b = solid[a[pair]], solid[b[pair]]
    near: _Geometries = np.full(count, None, dtype=object)
    near[solid] = shapely.buffer(shapes[solid], _GAP_M, join_style="mitre", mitre_limit=2.0)
    edge: _Geometries = np.full(count, None, dtype=object)
    edge[solid] = shapely.boundary(shapes[solid])
    shared = shapely.length(shapely.intersection(edge[a], near[b]))
    a, b = a[shared >= _BORDER_M], b[shared >= _BORDER_M]
    if link_parts:
        a, b = _linked(shapes, solid, a, b)
    rows, columns = np.concatenate([a, b]), np.concatenate([b, a])
    touching = sp.csr_matrix(
        (np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=(count, count)
    )
    touching.sum_duplicates()
    return touching.astype(np.bool_)


def _coordinates(villages: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    return np.column_stack(coordinates(villages.geometry.to_numpy()))


def _spread(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Set villages at one point a little apart, so that each has a cell: always the same way."""
    result = xy.copy()
    seen: dict[tuple[float, float], int] = {}
    for k, place in enumerate(np.round(xy, 2)):
        if not np.isfinite(place).all():
            continue
        key = float(place[0]), float(place[1])
        earlier = seen.get(key, 0)
        seen[key] = earlier + 1
        if earlier:
            # Golden angles on a growing spiral never meet again.
            turn = 2.399963 * earlier
            reach = _APART_M * np.sqrt(earlier)
            result[k] = xy[k] + reach * np.array([np.cos(turn), np.sin(turn)])
    return result


def _boundary_zones(
    region: Region, ids: list[str], xy: npt.NDArray[np.float64]
) -> tuple[BaseGeometry | None, list[tuple[BaseGeometry, npt.NDArray[np.int64]]]]:
    """Village polygons with the villages in them, and the land that they take."""
    table = region.boundaries
    if not len(table) or not (table["kind"] == "village").any():
        return None, []
    table = table[table["kind"] == "village"]
    shapes = _disjoint(_polygonal(table.geometry.to_numpy()))
    codes = {str(code): k for k, code in enumerate(table["boundary_id"])}
    zone_of = np.array([codes.get(name, -1) for name in ids], dtype=np.int64)
    loose = np.flatnonzero((zone_of < 0) & np.isfinite(xy).all(axis=1))
    if len(loose):
        points: _Geometries = np.asarray(shapely.points(xy[loose]), dtype=object)
        point, zone = shapely.STRtree(shapes).query(points, predicate="intersects")
        # On a shared border the first polygon has the village.
        for p, z in sorted(zip(point.tolist(), zone.tolist(), strict=True), reverse=True):
            zone_of[loose[p]] = z
    zones: list[tuple[BaseGeometry, npt.NDArray[np.int64]]] = [
        (shapes[z], np.flatnonzero(zone_of == z))
        for z in np.unique(zone_of[zone_of >= 0])
        if not shapes[z].is_empty
    ]
    if not zones:
        return None, []
    return shapely.union_all(np.array([zone for zone, _ in zones], dtype=object)), zones


def _polygonal(shapes: npt.ArrayLike) -> _Geometries:
    """Polygons made valid, without the stray lines that repairing leaves."""
    whole = np.array(shapely.make_valid(shapely.force_2d(np.asarray(shapes, dtype=object))))
    whole[shapely.is_missing(whole)] = shapely.MultiPolygon()
    return np.array([_areas(shape) for shape in whole], dtype=object)


def _areas(shape: BaseGeometry) -> BaseGeometry:
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [
        part
        for piece in getattr(shape, "geoms", [])
        for part in shapely.get_parts(piece)
        if part.geom_type == "Polygon"
    ]
    return shapely.MultiPolygon(parts)


def _disjoint(shapes: _Geometries) -> _Geometries:
    """Give land that two polygons claim to the first of them."""
    result = shapes.copy()
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pair = a < b
    for first, second in sorted(zip(a[pair].tolist(), b[pair].tolist(), strict=True)):
        if shapely.area(shapely.intersection(result[first], result[second])) > 1.0:
            result[second] = _areas(shapely.difference(result[second], result[first]))
    return result


def _outline(region: Region, xy: npt.NDArray[np.float64], drawn: BaseGeometry) -> BaseGeometry:
    """Take the county, and a circle around every village outside it."""
    points: _Geometries = np.asarray(shapely.points(xy), dtype=object)
    table = region.boundaries
    for kind in ("county", "township"):
        if len(table) and (table["kind"] == kind).any():
            land = shapely.union_all(_polygonal(table.geometry[table["kind"] == kind].to_numpy()))
            if not land.is_empty:
                outside = points[~shapely.covers(land, points)]
                return shapely.union_all(np.array([land, *shapely.buffer(outside, _MARGIN_M)]))
    hull = shapely.convex_hull(shapely.union_all(np.array([drawn, *points], dtype=object)))
    return shapely.buffer(hull, max(_MARGIN_M, 0.02 * shapely.length(hull)))


def _share(
    land: BaseGeometry,
    members: npt.NDArray[np.int64],
    xy: npt.NDArray[np.float64],
    cells: _Geometries,
) -> None:
    """Divide land among villages, part by part, into ``cells`` (the caller's own array)."""
    if len(members) == 1:
        cells[members[0]] = land
        return
    parts = shapely.get_parts(_areas(land))
    points: _Geometries = np.asarray(shapely.points(xy[members]), dtype=object)
    gap = np.array([shapely.distance(part, points) for part in parts])
    pieces: list[list[BaseGeometry]] = [[] for _ in members]
    if not len(parts):
        for k, point in enumerate(points):
            pieces[k].append(shapely.buffer(point, _MARGIN_M))
    home = gap.argmin(axis=0) if len(parts) else np.full(len(members), -1)
    for p, part in enumerate(parts):
        inside = np.flatnonzero(home == p)
        if len(inside) == 0:
            pieces[int(gap[p].argmin())].append(part)
        elif len(inside) == 1:
            pieces[inside[0]].append(part)
        else:
            for at, piece in zip(inside, _nearest_land(points[inside], part), strict=True):
                pieces[at].append(piece)
    for member, mine in zip(members, pieces, strict=True):
        cells[member] = _areas(shapely.union_all(np.array(mine, dtype=object)))


def _nearest_land(points: _Geometries, part: BaseGeometry) -> _Geometries:
    """Voronoi cells of points within one polygon, in the order of the points."""
    cloud = shapely.multipoints(points)
    reach = shapely.box(*shapely.bounds(shapely.union_all(np.array([part, cloud]))))
    found = shapely.voronoi_polygons(
        cloud, extend_to=shapely.buffer(reach, 1000.0, join_style="mitre"), ordered=True
    )
    raw = shapely.get_parts(found)
    shapely.prepare(part)
    return np.array([_areas(shape) for shape in shapely.intersection(raw, part)], dtype=object)


def _linked(
    shapes: _Geometries,
    solid: npt.NDArray[np.int64],
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Join parts that touch nowhere: each in turn to the cell nearest to it."""
    count = len(shapes)
    graph: Any = sp.coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    _, part = csgraph.connected_components(graph, directed=False)
    sizes = np.bincount(part[solid], minlength=count)
    more: list[tuple[int, int]] = []
    while True:
        left = np.unique(part[solid])
        if len(left) < 2:
            break
        # The smallest part first, so that an islet joins its island and not the other way round.
        here = min(left.tolist(), key=lambda p: (int(sizes[p]), p))
        mine, others = solid[part[solid] == here], solid[part[solid] != here]
        whole = shapely.union_all(shapes[mine])
        to = others[int(np.argmin(shapely.distance(whole, shapes[others])))]
        at = mine[int(np.argmin(shapely.distance(shapes[to], shapes[mine])))]
        more.append((int(at), int(to)))
        sizes[part[to]] += sizes[here]
        part[mine] = part[to]
    if more:
        extra = np.array(more, dtype=np.int64)
        a, b = np.concatenate([a, extra[:, 0]]), np.concatenate([b, extra[:, 1]])
    return a, b
