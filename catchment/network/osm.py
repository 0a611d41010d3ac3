"""Roads from OpenStreetMap: local ``.osm.pbf`` and GraphML files, and the web through osmnx.

The only importer of osmium and osmnx. Every request to the web goes through ``download``.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import numpy.typing as npt
import osmium
import osmnx
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from catchment.english import counted
from catchment.errors import InputError, NotFoundError
from catchment.network.graph import Lines, RoadNetwork, build, require_metric
from catchment.network.roads import (
    RoadClass,
    RoadUse,
    class_index,
    read_road_classes,
    road_use,
)
from catchment.region.apart import tried
from catchment.region.guard import UnsafeError, refuse_doctype
from catchment.region.soundness import pbf_blocks

_KEYS = (
    "highway", "oneway", "oneway:bus", "oneway:psv", "junction", "access", "foot", "vehicle",
    "motor_vehicle", "bus", "psv", "maxspeed", "hazard", "bridge", "tunnel", "name", "ref",
)  # fmt: skip
_NAMES = ("name", "name:zh", "name:zh-Hans")
_SAME_M = 0.5
_READ_FAULTS = (RuntimeError, ValueError, LookupError, osmium.InvalidLocationError)
# What reading a damaged graph trips over, down to literals nested too deeply.
_GRAPH_FAULTS = (
    LookupError, ValueError, TypeError, AttributeError, SyntaxError, ArithmeticError, RuntimeError,
    MemoryError, nx.NetworkXError, shapely.errors.ShapelyError,
)  # fmt: skip
_BARRIERS = {
    "railway": ("railway", frozenset({"rail", "light_rail", "narrow_gauge"})),
    "waterway": ("river", frozenset({"river", "canal"})),
}
_UNBUILT = frozenset(
    {
        "construction", "proposed", "planned", "abandoned", "razed", "disused", "demolished",
        "platform", "raceway", "bus_stop", "elevator", "corridor", "rest_area", "services",
        "no", "emergency_bay", "escape", "via_ferrata", "crossing",
    }
)  # fmt: skip


def read_pbf(
    path: Path,
    crs: CRS,
    *,
    drop: Collection[str] = (),
    keep_all: bool = False,
    respect_access: bool = True,
    bounds: tuple[float, float, float, float] | None = None,
    classes: tuple[RoadClass, ...] | None = None,
) -> RoadNetwork:
    """Read the roads of an OpenStreetMap file.

    Every vertex shared by two ways, or the end of one, is a node. One-way roads (``-1``,
    roundabouts and motorways among them), access, limits, hazard links, bridges and names are read
    from the tags.

    Parameters
    ----------
    path : Path
        File in ``.osm.pbf`` (or plain ``.osm`` without a document type).
    crs : pyproj.CRS
        Metric CRS of the network.
    drop : collection of str, default ()
        Values of ``highway`` to leave out.
    keep_all : bool, default False
        True = every vertex is a node.
    respect_access : bool, default True
        False = use by class of road alone, whatever the access tags say.
    bounds : (west, south, east, north), optional
        Degrees; ways without a vertex inside are left out.
    classes : tuple of RoadClass, optional
        Table of classes; the shipped one when left out.

    Returns
    -------
    RoadNetwork
        Roads for walking and driving; what was left out stands in ``notes``.

    Raises
    ------
    NotFoundError
        When there is no such file.
    InputError
        When the file cannot be read, holds no road, or ``crs`` is not metric.
    """
    metric = require_metric(crs, path.name)
    if not path.is_file():
        raise NotFoundError(f"找不到道路文件 {path.name} / no such road file: {path.name}")
    if path.suffix.lower() not in {".osm", ".pbf"}:
        # Packed XML would pass the test for document types.
        raise InputError(
            f"{path.name}：道路文件须为 .osm.pbf 或 .osm（先解压） / road files must be .osm.pbf or "
            ".osm; unpack them first"
        )
    _prove(path)
    table = classes if classes is not None else read_road_classes()
    reader = _Ways(table, frozenset(drop), respect_access, bounds)
    try:
        reader.read(path)
    except _READ_FAULTS as fault:
        raise InputError(
            f"{path.name}：无法作为 OpenStreetMap 文件读取（{fault}），请重新下载 / cannot be read "
            f"as an OpenStreetMap file ({fault}); fetch it again"
        ) from fault
    if not reader.uses:
        raise InputError(f"{path.name}：没有可用的道路（highway） / holds no usable road (highway)")
    lon, lat = np.frombuffer(reader.lon, dtype=np.float64), np.frombuffer(reader.lat)
    x, y = Transformer.from_crs(4326, metric, always_xy=True).transform(lon, lat)
    lines = Lines(
        x=np.asarray(x),
        y=np.asarray(y),
        keys=np.frombuffer(reader.refs, dtype=np.int64),
        starts=np.array([*reader.starts, len(lon)], dtype=np.int64),
        uses=tuple(reader.uses),
    )
    return build(lines, table, keep_all=keep_all, notes=reader.notes())


def read_barriers(
    path: Path, crs: CRS, *, bounds: tuple[float, float, float, float] | None = None
) -> gpd.GeoDataFrame:
    """Read what cuts walking ways in an OpenStreetMap file: railways, rivers and canals.

    Parameters
    ----------
    path : Path
        File in ``.osm.pbf`` (or plain ``.osm`` without a document type).
    crs : pyproj.CRS
        Metric CRS wanted.
    bounds : (west, south, east, north), optional
        Degrees; lines without a vertex inside are left out.

    Returns
    -------
    GeoDataFrame
        ``kind`` (``railway`` or ``river``), ``name``, ``separated`` (bool: on a bridge, in a tunnel
        or culvert) and lines, in the order of the file.

    Raises
    ------
    NotFoundError
        When there is no such file.
    InputError
        When the file cannot be read or ``crs`` is not metric.
    """
    metric = require_metric(crs, path.name)
    if not path.is_file():
        raise NotFoundError(f"找不到道路文件 {path.name} / no such road file: {path.name}")
    _prove(path)
    rows: list[tuple[str, str, bool, shapely.LineString]] = []
    try:
        ways = osmium.FileProcessor(str(path)).with_locations()
        for way in ways.with_filter(osmium.filter.KeyFilter(*_BARRIERS)):
            if not isinstance(way, osmium.osm.Way):
                continue
            tags = way.tags
            kind = next((k for key, (k, of) in _BARRIERS.items() if tags.get(key, "") in of), "")
            if not kind:
                continue
            name = next((tags[key] for key in (*_NAMES, "ref") if key in tags), "")
            apart = any(tags.get(key, "no") != "no" for key in ("bridge", "tunnel", "covered"))
            rows += [
                (kind, name, apart, shapely.LineString([(lon, lat) for _, lon, lat in run]))
                for run in _runs_of(way, bounds)[0]
            ]
    except _READ_FAULTS as fault:
        raise InputError(
            f"{path.name}：无法作为 OpenStreetMap 文件读取（{fault}），请重新下载 / cannot be read "
            f"as an OpenStreetMap file ({fault}); fetch it again"
        ) from fault
    columns = ("kind", "name", "separated")
    table = gpd.GeoDataFrame(
        {name: [row[k] for row in rows] for k, name in enumerate(columns)},
        geometry=[row[3] for row in rows],
        crs=4326,
    )
    return table.to_crs(metric)


def read_graphml(
    path: Path, crs: CRS, *, classes: tuple[RoadClass, ...] | None = None
) -> RoadNetwork:
    """Read a road graph saved by osmnx.

    Parameters
    ----------
    path : Path
        GraphML file.
    crs : pyproj.CRS
        Metric CRS of the network.
    classes : tuple of RoadClass, optional
        Table of classes; the shipped one when left out.

    Returns
    -------
    RoadNetwork
        The network; pairs of opposite arcs became one segment.

    Raises
    ------
    NotFoundError
        When there is no such file.
    InputError
        When it declares a document type, or is no road graph.
    """
    metric = require_metric(crs, path.name)
    if not path.is_file():
        raise NotFoundError(f"找不到道路文件 {path.name} / no such road file: {path.name}")
    _prove(path)
    try:
        graph = osmnx.load_graphml(path)
        return _from_graph(graph, metric, classes)
    except _GRAPH_FAULTS as bad:
        if isinstance(bad, InputError):
            raise
        raise InputError(
            f"{path.name}：不是可用的路网 GraphML（{bad!r}） / not a usable road graph in GraphML"
        ) from bad


def download(
    place: str | BaseGeometry,
    crs: CRS,
    *,
    overpass_url: str | None = None,
    nominatim_url: str | None = None,
    cache: Path | None = None,
    timeout: float = 180.0,
    classes: tuple[RoadClass, ...] | None = None,
) -> RoadNetwork:
    """Fetch the roads of a place from OpenStreetMap over the web.

    Parameters
    ----------
    place : str or polygon
        Name of a county, or a polygon in longitude and latitude.
    crs : pyproj.CRS
        Metric CRS of the network.
    overpass_url : str, optional
        Address of the Overpass service; osmnx's own when left out.
    nominatim_url : str, optional
        Address of the service that finds places by name.
    cache : Path, optional
        Folder for answers; none are kept when left out.
    timeout : float, default 180
        Seconds to wait for an answer.
    classes : tuple of RoadClass, optional
        Table of classes; the shipped one when left out.

    Returns
    -------
    RoadNetwork
        The network.

    Raises
    ------
    InputError
        When the service cannot be reached, refuses, or has no road there.
    """
    metric = require_metric(crs, "roads")
    try:
        with _web(overpass_url, nominatim_url, cache, timeout):
            if isinstance(place, str):
                outline = osmnx.geocode_to_gdf(place).geometry.union_all()
            else:
                outline = place
            graph = osmnx.graph_from_polygon(
                outline,
                network_type="all",
                simplify=False,
                retain_all=True,
                truncate_by_edge=True,
            )
    except (OSError, ValueError, TypeError, KeyError) as fault:
        # requests' and osmnx's own errors are kinds of these.
        raise InputError(
            f"无法从网上取得道路（{type(fault).__name__}：{fault}），可改用本地 .osm.pbf 文件 / "
            f"roads could not be fetched; use a local .osm.pbf file instead"
        ) from fault
    return _from_graph(osmnx.simplify_graph(graph, edge_attrs_differ=["osmid"]), metric, classes)


@contextlib.contextmanager
def _web(
    overpass_url: str | None, nominatim_url: str | None, cache: Path | None, timeout: float
) -> Iterator[None]:
    """Set osmnx up for one request and put it back: the library keeps its settings globally."""
    wanted: dict[str, Any] = {
        "use_cache": cache is not None,
        "requests_timeout": timeout,
        "log_console": False,
        "log_file": False,
        "doh_url_template": None,
        "useful_tags_way": list(_KEYS),
        "all_oneway": False,
    }
    if cache is not None:
        wanted["cache_folder"] = cache
    if overpass_url is not None:
        wanted["overpass_url"] = overpass_url
        wanted["overpass_rate_limit"] = False
    if nominatim_url is not None:
        wanted["nominatim_url"] = nominatim_url
    before = {name: getattr(osmnx.settings, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(osmnx.settings, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(osmnx.settings, name, value)


class _Ways:
    """Collects road ways from a stream into flat arrays."""

    def __init__(
        self,
        table: tuple[RoadClass, ...],
        drop: frozenset[str],
        respect_access: bool,
        bounds: tuple[float, float, float, float] | None,
    ) -> None:
        self.lon, self.lat, self.refs = array("d"), array("d"), array("q")
        self.starts: list[int] = []
        self.uses: list[RoadUse] = []
        self._table = table
        self._index = {name: k for name, k in class_index(table).items() if name not in drop}
        self._dropped = drop
        self._respect_access = respect_access
        self._bounds = bounds
        self._unknown: dict[str, int] = {}
        self._cut = 0
        self._ferries = 0

    def read(self, path: Path) -> None:
        ways = osmium.FileProcessor(str(path)).with_locations()
        for way in ways.with_filter(osmium.filter.KeyFilter("highway", "route")):
            if isinstance(way, osmium.osm.Way):
                self._take(way)

    def notes(self) -> list[str]:
        said = [
            f"highway={value}：{count} 条不认识，已略去 / {count} ways of unknown class left out"
            for value, count in sorted(self._unknown.items())
        ]
        if self._cut:
            said.append(
                f"{self._cut} 条道路在文件边缘缺点，按断开处理 / {self._cut} ways lack nodes at "
                "the edge of the file and end there"
            )
        if self._ferries:
            said.append(
                f"{self._ferries} 条轮渡航线未计入路网 / {self._ferries} ferry routes are not part "
                "of the network"
            )
        return said

    def _take(self, way: Any) -> None:
        tags = way.tags
        value = tags.get("highway", "")
        if not value:
            self._ferries += tags.get("route", "") == "ferry"
            return
        if value in _UNBUILT or value in self._dropped:
            return
        position = self._index.get(value.lower(), -1)
        if position < 0:
            self._unknown[value] = self._unknown.get(value, 0) + 1
            return
        runs = self._runs(way)
        if not runs:
            return
        known = {key: tags[key] for key in _KEYS if key in tags}
        known["name"] = next((tags[key] for key in _NAMES if key in tags), "")
        use = road_use(known, position, self._table[position], respect_access=self._respect_access)
        for run in runs:
            self.starts.append(len(self.refs))
            self.uses.append(use)
            for ref, lon, lat in run:
                self.refs.append(ref)
                self.lon.append(lon)
                self.lat.append(lat)

    def _runs(self, way: Any) -> list[list[tuple[int, float, float]]]:
        runs, cut = _runs_of(way, self._bounds)
        self._cut += cut
        return runs


def _runs_of(
    way: Any, bounds: tuple[float, float, float, float] | None
) -> tuple[list[list[tuple[int, float, float]]], bool]:
    """Stretches of a way whose vertices are all in the file (and which touch the bounds).

    Also whether it lacks any.
    """
    runs: list[list[tuple[int, float, float]]] = [[]]
    for node in way.nodes:
        place = node.location
        if place.valid():
            runs[-1].append((node.ref, place.lon, place.lat))
        elif runs[-1]:
            runs.append([])
    whole = [run for run in runs if len(run) > 1]
    cut = sum(len(run) for run in runs) < len(way.nodes)
    if bounds is None:
        return whole, cut
    west, south, east, north = bounds
    return [
        run
        for run in whole
        if any(west <= lon <= east and south <= lat <= north for _, lon, lat in run)
    ], cut


def _from_graph(graph: Any, crs: CRS, classes: tuple[RoadClass, ...] | None) -> RoadNetwork:
    """Turn osmnx's arcs into segments: opposite arcs of one road become one."""
    table = classes if classes is not None else read_road_classes()
    index = class_index(table)
    other = index.get("road", len(table) - 1)
    nodes = {node: k for k, node in enumerate(sorted(graph.nodes))}
    transformer = Transformer.from_crs(
        CRS.from_user_input(graph.graph.get("crs", 4326)), crs, always_xy=True
    )
    unknown: dict[str, int] = {}
    found: dict[tuple[int, int, tuple[str, ...]], list[tuple[float, int]]] = {}
    uses: list[RoadUse] = []
    shapes: list[npt.NDArray[np.float64]] = []
    ends: list[tuple[int, int]] = []
    arcs = sorted(graph.edges(keys=True, data=True), key=lambda a: (nodes[a[0]], nodes[a[1]], a[2]))
    for u, v, _, data in arcs:
        tail, head = nodes[u], nodes[v]
        length, ways = float(data.get("length", 0.0)), _ways_of(data.get("osmid", ""))
        opposite = found.get((head, tail, ways), [])
        # Both arcs of one road are equally long but for rounding; parallel roads are not.
        pair = min(opposite, key=lambda arc: abs(arc[0] - length), default=None)
        if pair is not None and abs(pair[0] - length) < _SAME_M:
            opposite.remove(pair)
            uses[pair[1]] = _both_ways(uses[pair[1]])
            continue
        said = _first(data.get("highway", ""))
        position = index.get(said.lower(), -1)
        if position < 0:
            unknown[said] = unknown.get(said, 0) + 1
            position = other
        found.setdefault((tail, head, ways), []).append((length, len(uses)))
        uses.append(_use_of_arc(data, position, table[position]))
        shape = data.get("geometry")
        shapes.append(
            shapely.get_coordinates(shape)
            if shape is not None
            else np.array([[graph.nodes[n]["x"], graph.nodes[n]["y"]] for n in (u, v)], dtype=float)
        )
        ends.append((tail, head))
    if not uses:
        raise InputError("路网中没有道路 / the graph holds no road")
    notes = [
        f"highway={value}：{count} 条按未定级道路计 / {counted(count, 'road')} of unknown class"
        for value, count in sorted(unknown.items())
    ]
    return _of_shapes(transformer, shapes, ends, uses, table, notes)


def _of_shapes(
    transformer: Transformer,
    shapes: list[npt.NDArray[np.float64]],
    ends: list[tuple[int, int]],
    uses: list[RoadUse],
    table: tuple[RoadClass, ...],
    notes: list[str],
) -> RoadNetwork:
    """Lines that meet at their ends alone."""
    xy = np.concatenate(shapes)
    x, y = transformer.transform(xy[:, 0], xy[:, 1])
    starts = np.concatenate([[0], np.cumsum([len(s) for s in shapes])]).astype(np.int64)
    inner = max(max(pair) for pair in ends) + 1
    keys = inner + np.arange(len(xy), dtype=np.int64)
    keys[starts[:-1]] = [tail for tail, _ in ends]
    keys[starts[1:] - 1] = [head for _, head in ends]
    lines = Lines(np.asarray(x), np.asarray(y), keys, starts, tuple(uses))
    return build(lines, table, notes=notes)


def _use_of_arc(data: dict[str, Any], position: int, road_class: RoadClass) -> RoadUse:
    """Use of one arc: the graph has already laid out its directions, so tags do not repeat them."""
    tags = {key: _first(data[key]) for key in _KEYS if data.get(key) is not None}
    tags.pop("junction", None)
    tags.pop("oneway:bus", None)
    tags.pop("oneway:psv", None)
    tags["oneway"] = "yes"
    return road_use(tags, position, road_class)


def _both_ways(use: RoadUse) -> RoadUse:
    drive = use.forward or use.backward
    return RoadUse(
        use.road_class, use.walk, drive, drive, use.hazard, use.maxspeed, use.bridge, use.name
    )


def _ways_of(value: object) -> tuple[str, ...]:
    """Ids of the ways that an arc was merged of, in no direction's order."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return tuple(sorted(str(part) for part in parts))


def _first(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return _first(value[0]) if value else ""
    return "" if value is None else str(value)


def _prove(path: Path) -> None:
    """Refuse a file that is not plainly XML without a document type, or whole blocks of a PBF."""
    if path.suffix.lower() == ".pbf":
        fault, packed = pbf_blocks(path)
        if fault:
            raise InputError(
                f"{path.name}：无法作为 OpenStreetMap 文件读取（{fault}），请重新下载 / cannot be read "
                f"as an OpenStreetMap file ({fault}); fetch it again"
            )
        if packed:
            return
        # Blocks without compression carry no checksum.
        try:
            tried("catchment.network.osm:open_apart", path)
        except UnsafeError as unsafe:
            raise InputError(
                f"{path.name}：无法读取（{unsafe}），请重新下载 / cannot be read; fetch it again"
            ) from unsafe
        return
    try:
        with path.open("rb") as stream:
            refuse_doctype(stream)
    except UnsafeError as unsafe:
        raise InputError(f"{path.name}：{unsafe}") from unsafe


def open_apart(path: Path) -> None:
    """Read a road file and drop it: run in a process of its own.

    Parameters
    ----------
    path : Path
        An OpenStreetMap file.
    """
    for _ in osmium.FileProcessor(str(path)).with_locations():
        pass
