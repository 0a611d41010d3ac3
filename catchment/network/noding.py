"""Where lines meet: equal vertices, ends on the course of another line, near misses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import shapely
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

TOLERANCE_M = 0.01
"""Ends this near to another vertex or line meet it, metres."""

NEAR_MISS_M = 2.0
"""Dead ends this near to another line are reported, metres."""

_Geometries = npt.NDArray[np.object_]


def end_on_line(parts: _Geometries) -> tuple[_Geometries, int]:
    """Give a line a vertex wherever the end of another lies on its course.

    Parameters
    ----------
    parts : (l,) array of LineString
        Lines, metres.

    Returns
    -------
    parts : (l,) array of LineString
        The same lines, some with more vertices.
    count : int
        How many ends were joined to the course of a line.
    """
    xy, owner = shapely.get_coordinates(parts, return_index=True)
    starts = np.searchsorted(owner, np.arange(len(parts)))
    stops = np.searchsorted(owner, np.arange(len(parts)), side="right") - 1
    ends: _Geometries = np.asarray(shapely.points(xy[np.concatenate([starts, stops])]))
    tree = shapely.STRtree(parts)
    end, line = tree.query(ends, predicate="dwithin", distance=TOLERANCE_M)
    own = end % len(parts) == line
    end, line = end[~own], line[~own]
    if not len(end):
        return parts, 0
    vertices: _Geometries = np.asarray(
        shapely.multipoints(np.asarray(shapely.points(xy)), indices=owner)
    )
    apart = shapely.distance(ends[end], vertices[line]) > TOLERANCE_M
    end, line = end[apart], line[apart]
    if not len(end):
        return parts, 0
    result = parts.copy()
    order = np.lexsort((end, line))
    changed, first = np.unique(line[order], return_index=True)
    for k, group in zip(changed, np.split(end[order], first[1:]), strict=True):
        mine = ends[np.unique(group)]
        own_xy = shapely.get_coordinates(parts[k])
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(own_xy, axis=0).T))])
        at = shapely.line_locate_point(parts[k], mine)
        more = np.concatenate([own_xy, shapely.get_coordinates(mine)])
        result[k] = shapely.linestrings(
            more[np.argsort(np.concatenate([along, at]), kind="stable")]
        )
    return result, len(end)


def merge_vertices(
    coordinates: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Give every place one key: equal vertices, and line ends very near to any vertex.

    Parameters
    ----------
    coordinates : (c, 2) float64
        Vertices of all lines, metres.
    starts : (l + 1,) int64
        Where each line begins.

    Returns
    -------
    keys : (c,) int64
        Place of each vertex.
    place : (c, 2) float64
        Where that place is.
    """
    places, key = np.unique(coordinates, axis=0, return_inverse=True)
    key = key.reshape(-1)
    ends = np.unique(key[np.concatenate([starts[:-1], starts[1:] - 1])])
    tree = cKDTree(places)
    near = tree.query_ball_point(places[ends], TOLERANCE_M)
    first = np.repeat(ends, [len(n) for n in near])
    second = np.concatenate([np.asarray(n, dtype=np.int64) for n in near])
    pairs = sp.coo_matrix(
        (np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(places), len(places))
    )
    _, group = csgraph.connected_components(pairs, directed=False)
    _, lead = np.unique(group, return_index=True)
    return group[key].astype(np.int64), places[lead[group[key]]]


def near_misses(
    parts: _Geometries,
    coordinates: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64],
) -> int:
    """Count dead ends that stop a little short of another road: often a drawing fault.

    Parameters
    ----------
    parts : (l,) array of LineString
        Lines.
    coordinates : (c, 2) float64
        Their vertices, metres.
    starts : (l + 1,) int64
        Where each line begins.
    keys : (c,) int64
        Place of each vertex.

    Returns
    -------
    int
        Ends that touch nothing, with another line within 2 m.
    """
    at = np.concatenate([starts[:-1], starts[1:] - 1])
    count = np.bincount(keys)
    dead = at[count[keys[at]] == 1]
    if not len(dead):
        return 0
    owner = np.searchsorted(starts, dead, side="right") - 1
    tree = shapely.STRtree(parts)
    points: _Geometries = np.asarray(shapely.points(coordinates[dead]))
    end, line = tree.query(points, predicate="dwithin", distance=NEAR_MISS_M)
    return len(np.unique(end[owner[end] != line]))
