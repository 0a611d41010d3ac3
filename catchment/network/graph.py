"""The road network as compact arrays: junctions, segments, their shape and class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
import shapely
from pyproj import CRS
from scipy.sparse import csgraph

from catchment.english import counted
from catchment.errors import InputError
from catchment.network.noding import NEAR_MISS_M, end_on_line, merge_vertices, near_misses
from catchment.network.roads import (
    RoadClass,
    RoadUse,
    class_index,
    read_road_classes,
    road_use,
)

SHORTEST_M = 0.01
"""Segments count as at least this long, metres."""


@dataclass(frozen=True)
class RoadNetwork:
    """Roads of a county; every segment is stored once, with the directions it may be used in.

    Attributes
    ----------
    x, y : (k,) float64
        Node positions in the region's metric CRS.
    tail, head : (e,) int32
        End nodes of each segment.
    length : (e,) float64
        Metres, > 0 (at least 0.01).
    road_class : (e,) int8
        Position in ``classes``.
    classes : tuple of str
        Road classes, as in ``roads.csv`` of this room.
    walk : (e,) bool
        Whether it may be walked (in both directions).
    drive_forward, drive_backward : (e,) bool
        Whether it may be driven from tail to head and from head to tail.
    hazard : (e,) bool
        Hazard links, where school buses keep to 20 km/h.
    maxspeed : (e,) float32
        Posted limit in km/h, nan where unknown.
    climb : (e,) float32
        Metres of height from tail to head; 0 where no elevation is known.
    offsets : (e + 1,) int64
        Where each segment's shape begins in ``shape``.
    shape : (c, 2) float64
        Vertices of all segments, tail first, head last, in metres.
    names : tuple of str
        Road name of each segment, empty where none.
    notes : tuple of str
        What was repaired or dropped while building, for people.
    bridge : (e,) or (0,) bool
        Bridges and tunnels, whose heights are not those of the ground; empty where not known.
    walk_factor_forward, walk_factor_backward : (e,) or (0,) float32
        Walking time of a segment over its time on the flat, tail to head and head to tail, as
        sampled along it; empty = to be taken from ``climb`` and ``length``.
    built : (e,) or (0,) bool
        Segments that a plan adds to the roads there are; empty where it adds none.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    tail: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    length: npt.NDArray[np.float64]
    road_class: npt.NDArray[np.int8]
    classes: tuple[str, ...]
    walk: npt.NDArray[np.bool_]
    drive_forward: npt.NDArray[np.bool_]
    drive_backward: npt.NDArray[np.bool_]
    hazard: npt.NDArray[np.bool_]
    maxspeed: npt.NDArray[np.float32]
    climb: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]
    shape: npt.NDArray[np.float64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    bridge: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    walk_factor_forward: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(0, dtype=np.float32)
    )
    walk_factor_backward: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(0, dtype=np.float32)
    )
    built: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


@dataclass(frozen=True)
class Lines:
    """Lines of road as flat arrays, before they are cut at junctions.

    Attributes
    ----------
    x, y : (c,) float64
        Vertices of all lines, metres.
    keys : (c,) int64
        Identity of each vertex: equal keys are one place.
    starts : (l + 1,) int64
        Where each line begins.
    uses : tuple of RoadUse
        One a line.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    keys: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    uses: tuple[RoadUse, ...]


def build(
    lines: Lines,
    classes: Sequence[RoadClass],
    *,
    keep_all: bool = False,
    notes: Sequence[str] = (),
) -> RoadNetwork:
    """Cut lines at the vertices they share and make a network of the pieces.

    Parameters
    ----------
    lines : Lines
        Lines with vertex keys.
    classes : sequence of RoadClass
        Table that ``uses`` refers to.
    keep_all : bool, default False
        True = every vertex is a node; False = only ends and shared vertices.
    notes : sequence of str
        Notes to carry on.

    Returns
    -------
    RoadNetwork
        Segments in the order of the lines.
    """
    said = list(notes)
    line = np.repeat(np.arange(len(lines.uses)), np.diff(lines.starts))
    fresh = np.ones(len(line), dtype=np.bool_)
    fresh[1:] = (line[1:] != line[:-1]) | (lines.keys[1:] != lines.keys[:-1])
    x, y, keys, line = lines.x[fresh], lines.y[fresh], lines.keys[fresh], line[fresh]
    single = np.bincount(line, minlength=len(lines.uses)) < 2
    if single.any():
        said.append(
            f"{int(single.sum())} 条道路不足两个不同的点，已略去 / "
            f"{counted(int(single.sum()), 'road')} with fewer than two different vertices left out"
        )
        fresh = ~single[line]
        x, y, keys, line = x[fresh], y[fresh], keys[fresh], line[fresh]
    change = line[1:] != line[:-1]
    first = np.concatenate([np.ones(min(len(line), 1), dtype=np.bool_), change])
    last = np.concatenate([change, np.ones(min(len(line), 1), dtype=np.bool_)])
    unique, where, count = np.unique(keys, return_inverse=True, return_counts=True)
    is_node = count >= (1 if keep_all else 2)
    is_node[where[first | last]] = True
    cuts = np.flatnonzero(is_node[where])
    begins = ~last[cuts]
    begin = cuts[begins]
    end = cuts[np.flatnonzero(begins) + 1]
    number = np.cumsum(is_node) - 1
    representative = np.zeros(len(unique), dtype=np.int64)
    representative[where[::-1]] = np.arange(len(keys))[::-1]
    at = representative[is_node]
    sizes = end - begin + 1
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    take = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - begin, sizes)
    shape = np.column_stack([x[take], y[take]])
    uses = [lines.uses[k] for k in line[begin]]
    length = shape_lengths(shape, offsets)
    short = int((length < SHORTEST_M).sum())
    if short:
        said.append(
            f"{short} 段长度为零，按 {SHORTEST_M} 米计 / "
            f"{short} segments of zero length count as {SHORTEST_M} m"
        )
    return RoadNetwork(
        x=x[at],
        y=y[at],
        tail=number[where[begin]].astype(np.int32),
        head=number[where[end]].astype(np.int32),
        length=np.maximum(length, SHORTEST_M),
        road_class=np.array([u.road_class for u in uses], dtype=np.int8),
        classes=tuple(c.code for c in classes),
        walk=np.array([u.walk for u in uses], dtype=np.bool_),
        drive_forward=np.array([u.forward for u in uses], dtype=np.bool_),
        drive_backward=np.array([u.backward for u in uses], dtype=np.bool_),
        hazard=np.array([u.hazard for u in uses], dtype=np.bool_),
        maxspeed=np.array([u.maxspeed for u in uses], dtype=np.float32),
        climb=np.zeros(len(uses), dtype=np.float32),
        offsets=offsets,
        shape=shape,
        names=tuple(u.name for u in uses),
        notes=tuple(said),
        bridge=np.array([u.bridge for u in uses], dtype=np.bool_),
    )


def from_lines(
    roads: gpd.GeoDataFrame,
    *,
    classes: Sequence[RoadClass] | None = None,
    keep_all: bool = False,
) -> RoadNetwork:
    """Make a network of a layer of road centre lines.

    Lines meet where they share a vertex exactly, or where an end of one lies within 0.01 m of a
    vertex or of the course of another. Lines that merely cross (a bridge) do not meet.

    Parameters
    ----------
    roads : GeoDataFrame
        Lines in a metric CRS with any of the columns ``highway`` (OpenStreetMap value or Chinese
        class), ``name``, ``oneway``, ``maxspeed``, ``bridge``, ``hazard``, ``access``.
    classes : sequence of RoadClass, optional
        Table of classes; the shipped one when left out.
    keep_all : bool, default False
        True = every vertex is a node.

    Returns
    -------
    RoadNetwork
        The network; what was repaired stands in ``notes``.

    Raises
    ------
    InputError
        When the layer has no metric CRS or no line.
    """
    table = tuple(classes) if classes is not None else read_road_classes()
    require_metric(roads.crs, "roads")
    notes: list[str] = []
    geometry = shapely.force_2d(roads.geometry.to_numpy())
    usable = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    usable &= np.isin(shapely.get_type_id(geometry), (1, 2, 5))
    usable &= np.isfinite(shapely.bounds(geometry)).all(axis=1)
    if not usable.all():
        lost = int((~usable).sum())
        notes.append(
            f"{lost} 行道路无线形，已略去 / {counted(lost, 'road row')} without a line left out"
        )
    parts, row = shapely.get_parts(geometry[usable], return_index=True)
    if not len(parts):
        raise InputError(
            "roads：没有可用的道路线，请提供道路图层或 .osm.pbf 文件 / no usable road line; "
            "give a line layer or an .osm.pbf file"
        )
    uses, said = _uses_of_rows(roads[usable], table)
    notes += said
    parts, joined = end_on_line(parts)
    if joined:
        notes.append(
            f"{joined} 处道路端点落在另一条路中间，已相接 / {joined} road ends that lie on the "
            "course of another road were joined to it"
        )
    coordinates, index = shapely.get_coordinates(parts, return_index=True)
    starts = np.searchsorted(index, np.arange(len(parts) + 1)).astype(np.int64)
    keys, place = merge_vertices(coordinates, starts)
    misses = near_misses(parts, coordinates, starts, keys)
    if misses:
        notes.append(
            f"{misses} 处道路端点距另一条路不足 {NEAR_MISS_M:g} 米但未相接，按不连通处理，"
            f"请核对 / {misses} road ends lie within {NEAR_MISS_M:g} m of another road without "
            "touching it: treated as not connected, please check"
        )
    lines = Lines(place[:, 0], place[:, 1], keys, starts, tuple(uses[k] for k in row))
    return build(lines, table, keep_all=keep_all, notes=notes)


def lengths(network: RoadNetwork) -> npt.NDArray[np.float64]:
    """Lengths of segments that can be relied on.

    Parameters
    ----------
    network : RoadNetwork
        Roads.

    Returns
    -------
    (e,) float64
        Metres, at least 0.01; where ``length`` is missing, not finite or not positive, it is
        computed from the segment's shape.
    """
    given = np.asarray(network.length, dtype=np.float64)
    bad = ~(np.isfinite(given) & (given > 0))
    if bad.any():
        given = np.where(bad, shape_lengths(network.shape, network.offsets), given)
    return np.maximum(given, SHORTEST_M)


def shape_lengths(
    shape: npt.NDArray[np.float64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Lengths of shapes.

    Parameters
    ----------
    shape : (c, 2) float64
        Vertices.
    offsets : (e + 1,) int64
        Where each shape begins.

    Returns
    -------
    (e,) float64
        Metres, may be 0.
    """
    step = np.zeros(len(shape))
    if len(shape):
        step[1:] = np.hypot(*(shape[1:] - shape[:-1]).T)
        step[offsets[:-1]] = 0.0
    segment = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.bincount(segment, weights=step, minlength=len(offsets) - 1).astype(np.float64)


def directed(
    network: RoadNetwork,
    seconds_forward: npt.NDArray[np.float64],
    seconds_backward: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Lay the network out as a directed graph in CSR form.

    Loops are dropped and of parallel arcs the cheapest stays: neither changes a shortest path.

    Parameters
    ----------
    network : RoadNetwork
        Roads with k nodes and e segments.
    seconds_forward, seconds_backward : (e,) float64
        Cost of each segment from tail to head and from head to tail, >= 0; inf = not usable.

    Returns
    -------
    indptr : (k + 1,) int64
        Where the arcs of each node begin.
    indices : (a,) int32
        Nodes they lead to, ascending within a node.
    weight : (a,) float64
        Their costs, > 0.

    Raises
    ------
    ValueError
        When a cost is negative or nan.
    """
    indptr, indices, weight, _ = directed_arcs(network, seconds_forward, seconds_backward)
    return indptr, indices, weight


def directed_arcs(
    network: RoadNetwork,
    seconds_forward: npt.NDArray[np.float64],
    seconds_backward: npt.NDArray[np.float64],
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.int64]
]:
    """Lay the network out as ``directed`` does and say which segment each arc is.

    Parameters
    ----------
    network : RoadNetwork
        Roads with k nodes and e segments.
    seconds_forward, seconds_backward : (e,) float64
        Cost of each segment in both directions, >= 0; inf = not usable.

    Returns
    -------
    indptr, indices, weight
        As in ``directed``.
    segment : (a,) int64
        Segment of each arc.

    Raises
    ------
    ValueError
        When a cost is negative or nan.
    """
    cost = np.concatenate([seconds_forward, seconds_backward]).astype(np.float64)
    if np.isnan(cost).any() or (cost < 0).any():
        raise ValueError("路段费用须为非负数 / segment costs must not be negative or nan")
    tail = np.concatenate([network.tail, network.head]).astype(np.int64)
    head = np.concatenate([network.head, network.tail]).astype(np.int64)
    segment = np.tile(np.arange(len(network.tail), dtype=np.int64), 2)
    keep = np.flatnonzero(np.isfinite(cost) & (tail != head))
    # Ties between parallel segments go to the shorter, then the first: the same arcs every time.
    order = keep[
        np.lexsort((keep, lengths(network)[segment[keep]], cost[keep], head[keep], tail[keep]))
    ]
    tail, head = tail[order], head[order]
    best = np.ones(len(order), dtype=np.bool_)
    best[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    order, tail, head = order[best], tail[best], head[best]
    indptr = np.zeros(len(network.x) + 1, dtype=np.int64)
    np.cumsum(np.bincount(tail, minlength=len(network.x)), out=indptr[1:])
    # A zero would vanish in a sparse matrix; a nanosecond is below every figure shown.
    weight = np.maximum(cost[order], 1e-9)
    return indptr, head.astype(np.int32), weight, segment[order]


def components(
    network: RoadNetwork, mask: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int32], pd.DataFrame]:
    """Disconnected parts of the roads in a mask, one-way or not.

    Parameters
    ----------
    network : RoadNetwork
        Roads with k nodes and e segments.
    mask : (e,) bool
        Segments to look at.

    Returns
    -------
    labels : (k,) int32
        Part of each node, 0 = the one with most nodes; -1 = on no road of the mask.
    table : DataFrame
        ``component, nodes, segments, km, share`` (share of nodes), largest first.
    """
    kept = np.flatnonzero(mask)
    labels = _labels(network, network.tail[kept], network.head[kept], "weak")
    return labels, _component_table(network, kept, labels)


def strong_components(
    network: RoadNetwork,
    forward: npt.NDArray[np.bool_],
    backward: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int32]:
    """Parts of the network within which every junction can be driven to from every other.

    Parameters
    ----------
    network : RoadNetwork
        Roads with k nodes and e segments.
    forward, backward : (e,) bool
        Whether each segment may be driven from tail to head and from head to tail.

    Returns
    -------
    (k,) int32
        Part of each node, 0 = the one with most nodes; -1 = on no road that may be driven.
    """
    tail = np.concatenate([network.tail[forward], network.head[backward]])
    head = np.concatenate([network.head[forward], network.tail[backward]])
    return _labels(network, tail, head, "strong")


def require_metric(crs: object, layer: str) -> CRS:
    """Refuse a coordinate system in which lengths are not metres.

    Parameters
    ----------
    crs : object
        Anything pyproj reads, or None.
    layer : str
        Layer named in the error.

    Returns
    -------
    pyproj.CRS
        The coordinate system.

    Raises
    ------
    InputError
        When there is none, or it is in degrees or another unit.
    """
    if crs is None:
        raise InputError(
            f"{layer}：没有坐标系，请注明（如 EPSG:4547） / no coordinate system; "
            "declare one, for example EPSG:4547"
        )
    found = CRS.from_user_input(crs)
    if not found.is_projected or found.axis_info[0].unit_name not in ("metre", "meter"):
        raise InputError(
            f"{layer}：坐标系 {found.name} 不是米制投影，请先转换 / {found.name} is not a metric "
            "projection; convert it first"
        )
    return found


def _labels(
    network: RoadNetwork,
    tail: npt.NDArray[np.int32],
    head: npt.NDArray[np.int32],
    connection: str,
) -> npt.NDArray[np.int32]:
    k = len(network.x)
    touched = np.zeros(k, dtype=np.bool_)
    touched[tail] = True
    touched[head] = True
    matrix = sp.csr_matrix((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(k, k))
    _, raw = csgraph.connected_components(matrix, directed=True, connection=connection)
    labels = np.full(k, -1, dtype=np.int32)
    nodes = np.flatnonzero(touched)
    if len(nodes):
        found, first, inverse, count = np.unique(
            raw[nodes], return_index=True, return_inverse=True, return_counts=True
        )
        rank = np.empty(len(found), dtype=np.int32)
        rank[np.lexsort((first, -count))] = np.arange(len(found), dtype=np.int32)
        labels[nodes] = rank[inverse]
    return labels


def _component_table(
    network: RoadNetwork, kept: npt.NDArray[np.int64], labels: npt.NDArray[np.int32]
) -> pd.DataFrame:
    parts = int(labels.max()) + 1 if len(labels) else 0
    of_segment = labels[network.tail[kept]]
    nodes = np.bincount(labels[labels >= 0], minlength=parts)
    metres = np.bincount(of_segment, weights=lengths(network)[kept], minlength=parts)
    return pd.DataFrame(
        {
            "component": np.arange(parts, dtype=np.int64),
            "nodes": nodes.astype(np.int64),
            "segments": np.bincount(of_segment, minlength=parts).astype(np.int64),
            "km": metres / 1000.0,
            "share": nodes / max(int(nodes.sum()), 1),
        }
    )


def _uses_of_rows(
    roads: gpd.GeoDataFrame, table: Sequence[RoadClass]
) -> tuple[list[RoadUse], list[str]]:
    """Read the attributes of every row; a class that is not known counts as ``road``."""
    index = class_index(table)
    other = index.get("road", len(table) - 1)
    wanted = (
        "highway", "name", "ref", "oneway", "junction", "maxspeed", "bridge", "tunnel",
        "hazard", "access", "foot", "motor_vehicle", "vehicle", "bus", "psv",
    )  # fmt: skip
    columns = {c: [_text(v) for v in roads[c]] for c in wanted if c in roads.columns}
    unknown: dict[str, int] = {}
    uses: list[RoadUse] = []
    for k in range(len(roads)):
        tags = {c: values[k] for c, values in columns.items() if values[k]}
        said = tags.get("highway", "")
        position = index.get(said.lower(), -1)
        if position < 0:
            unknown[said] = unknown.get(said, 0) + 1
            position = other
        uses.append(road_use(tags, position, table[position]))
    notes = [
        f"道路等级“{value or '（空）'}”不认识，{count} 条按未定级道路计 / class {value!r} is not "
        f"known: {counted(count, 'road counts', 'roads count')} as of unknown class"
        for value, count in sorted(unknown.items())
    ]
    return uses, notes


def _text(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (list, tuple)):
        return _text(value[0]) if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
