"""Reading OpenStreetMap: pbf and xml files, GraphML, and the web by way of a stub on loopback."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import networkx as nx
import numpy as np
import osmium
import osmnx
import pytest
import shapely
from pyproj import CRS, Transformer

from catchment.errors import InputError, NotFoundError
from catchment.network.graph import RoadNetwork, components
from catchment.network.osm import download, read_graphml, read_pbf

CRS_M = CRS.from_epsg(4547)
LON, LAT = 114.0, 36.0
STEP = 0.001
DATA = Path(__file__).parent / "data"

NODES = {
    1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (3, 0), 5: (1, 1), 6: (1, 2), 7: (2, 1), 8: (3, 1),
    9: (9, 9), 10: (10, 9), 11: (4, 0), 12: (5, 0),
}  # fmt: skip
WAYS: dict[int, tuple[list[int], dict[str, str]]] = {
    100: ([1, 2, 3, 4], {"highway": "primary", "name": "云岭大道", "maxspeed": "70"}),
    101: ([2, 5, 6], {"highway": "unclassified", "oneway": "-1", "hazard": "yes"}),
    102: ([3, 7, 8, 4], {"highway": "path", "bridge": "yes"}),
    103: ([5, 7, 2, 5], {"highway": "tertiary", "junction": "roundabout"}),
    104: ([9, 10], {"highway": "service", "access": "private"}),
    105: ([4, 11, 99, 12], {"highway": "motorway"}),
    106: ([1, 6], {"highway": "construction"}),
    107: ([1, 6], {"highway": "moonwalk"}),
    108: ([1, 9], {"route": "ferry"}),
    109: ([1, 5, 6], {"waterway": "river"}),
}


def write_osm(path: Path, ways: Collection[int] = tuple(WAYS)) -> Path:
    writer = osmium.SimpleWriter(str(path))
    try:
        for ref, (x, y) in NODES.items():
            place = (LON + STEP * x, LAT + STEP * y)
            writer.add_node(osmium.osm.mutable.Node(id=ref, location=place, version=1))
        for ref in ways:
            nodes, tags = WAYS[ref]
            writer.add_way(osmium.osm.mutable.Way(id=ref, nodes=nodes, tags=tags, version=1))
    finally:
        writer.close()
    return path


def named(net: RoadNetwork, highway: str) -> list[int]:
    return [k for k in range(len(net.tail)) if net.classes[net.road_class[k]] == highway]


@pytest.mark.parametrize("suffix", [".osm.pbf", ".osm"])
def test_ways_become_segments(tmp_path: Path, suffix: str) -> None:
    net = read_pbf(write_osm(tmp_path / f"roads{suffix}"), CRS_M)
    primary = named(net, "primary")
    # Cut at the shared vertices 2 and 3, not elsewhere.
    assert len(primary) == 3
    assert {net.names[k] for k in primary} == {"云岭大道"}
    assert net.maxspeed[primary].tolist() == [70, 70, 70]
    x, y = Transformer.from_crs(4326, CRS_M, always_xy=True).transform(LON, LAT)
    k = primary[0]
    assert (net.x[net.tail[k]], net.y[net.tail[k]]) == pytest.approx((x, y), abs=0.01)
    one_way = named(net, "unclassified")
    assert len(one_way) == 2
    assert not net.drive_forward[one_way].any()
    assert net.drive_backward[one_way].all()
    assert net.hazard[one_way].all()
    assert net.walk[one_way].all()
    ring = named(net, "tertiary")
    assert net.drive_forward[ring].all()
    assert not net.drive_backward[ring].any()
    path = named(net, "path")
    assert not (net.drive_forward | net.drive_backward)[path].any()
    assert net.bridge[path].all()
    private = named(net, "service")
    assert not net.walk[private].any()
    motorway = named(net, "motorway")
    assert len(motorway) == 1
    assert not net.walk[motorway].any()
    assert net.drive_forward[motorway].all()
    assert not net.drive_backward[motorway].any()


def test_what_is_left_out_is_noted(tmp_path: Path) -> None:
    net = read_pbf(write_osm(tmp_path / "roads.osm.pbf"), CRS_M)
    notes = "\n".join(net.notes)
    assert "highway=moonwalk：1 条不认识" in notes
    assert "1 条道路在文件边缘缺点" in notes
    assert "1 条轮渡航线未计入" in notes
    assert "construction" not in notes


def test_drop_access_keep_all_and_bounds(tmp_path: Path) -> None:
    file = write_osm(tmp_path / "roads.osm.pbf")
    assert not named(read_pbf(file, CRS_M, drop=["path", "primary"]), "path")
    free = read_pbf(file, CRS_M, respect_access=False)
    assert free.walk[named(free, "service")].all()
    every = read_pbf(file, CRS_M, keep_all=True)
    assert len(every.x) == len(NODES) - 1  # node 12 hangs on a missing one
    assert np.allclose(every.length.sum(), free.length.sum())
    near = read_pbf(file, CRS_M, bounds=(LON - 1e-4, LAT - 1e-4, LON + 1e-4, LAT + 1e-4))
    assert {near.classes[c] for c in near.road_class} == {"primary"}
    with pytest.raises(InputError, match="没有可用的道路"):
        read_pbf(file, CRS_M, bounds=(0, 0, 1, 1))


def test_same_file_same_bytes(tmp_path: Path) -> None:
    file = write_osm(tmp_path / "roads.osm.pbf")
    one, two = read_pbf(file, CRS_M), read_pbf(file, CRS_M)
    for name, value in vars(one).items():
        other = getattr(two, name)
        same = value.tobytes() == other.tobytes() if hasattr(value, "tobytes") else value == other
        assert same, name


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"没有?找不到|找不到道路文件"):
        read_pbf(tmp_path / "none.osm.pbf", CRS_M)
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"not a map at all")
    with pytest.raises(InputError, match="无法作为 OpenStreetMap 文件读取"):
        read_pbf(broken, CRS_M)
    whole = write_osm(tmp_path / "roads.osm.pbf").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        read_pbf(broken, CRS_M)
    packed = tmp_path / "roads.osm.gz"
    packed.write_bytes(b"")
    with pytest.raises(InputError, match="先解压"):
        read_pbf(packed, CRS_M)
    with pytest.raises(InputError, match="不是米制投影"):
        read_pbf(tmp_path / "roads.osm.pbf", CRS.from_epsg(4326))


def test_xml_with_a_doctype_is_refused(tmp_path: Path) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        "<osm>&b;</osm>"
    )
    for name, reader in (("a.osm", read_pbf), ("a.graphml", read_graphml)):
        file = tmp_path / name
        for encoding in ("utf-8", "utf-16"):
            file.write_text(bomb, encoding=encoding)
            with pytest.raises(InputError, match="DOCTYPE"):
                reader(file, CRS_M)


def test_graphml_is_read_like_the_file_it_came_from(tmp_path: Path) -> None:
    direct = read_pbf(write_osm(tmp_path / "roads.osm", range(100, 104)), CRS_M)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(osmnx.settings, "useful_tags_way", [
            "highway", "oneway", "name", "maxspeed", "access", "hazard", "bridge", "junction",
        ])  # fmt: skip
        graph = osmnx.graph_from_xml(tmp_path / "roads.osm", simplify=False, retain_all=True)
    osmnx.save_graphml(
        osmnx.simplify_graph(graph, edge_attrs_differ=["osmid"]), tmp_path / "g.graphml"
    )
    net = read_graphml(tmp_path / "g.graphml", CRS_M)

    def told(source: RoadNetwork) -> list[tuple[object, ...]]:
        keep = [
            k
            for k in range(len(source.tail))
            if source.classes[source.road_class[k]]
            in ("primary", "unclassified", "tertiary", "path")
        ]
        rows = []
        for k in keep:
            ahead, back = bool(source.drive_forward[k]), bool(source.drive_backward[k])
            a = round(float(source.x[source.tail[k]])), round(float(source.y[source.tail[k]]))
            b = round(float(source.x[source.head[k]])), round(float(source.y[source.head[k]]))
            if b < a:
                a, b, ahead, back = b, a, back, ahead
            rows.append((
                a, b, ahead, back, bool(source.walk[k]), bool(source.hazard[k]),
                round(float(source.length[k])), source.classes[source.road_class[k]],
            ))  # fmt: skip
        return sorted(rows)

    assert told(net) == told(direct)


def test_opposite_arcs_of_merged_ways_are_one_road(tmp_path: Path) -> None:
    graph = nx.MultiDiGraph(crs="EPSG:4326")
    graph.add_node(1, x=LON, y=LAT)
    graph.add_node(2, x=LON + STEP, y=LAT)
    common = {"highway": "tertiary", "oneway": False}
    graph.add_edge(1, 2, osmid=[7, 8], length=90.1234, reversed=False, **common)
    graph.add_edge(2, 1, osmid=[8, 7], length=90.1236, reversed=True, **common)
    graph.add_edge(1, 2, osmid=[7, 8], length=140.0, reversed=False, **common)
    osmnx.save_graphml(graph, tmp_path / "g.graphml")
    net = read_graphml(tmp_path / "g.graphml", CRS_M)
    assert sorted(zip(net.drive_forward, net.drive_backward, strict=True)) == [
        (True, False),
        (True, True),
    ]


def test_graphml_that_is_no_road_graph(tmp_path: Path) -> None:
    file = tmp_path / "g.graphml"
    file.write_text("<graphml><graph edgedefault='directed'/></graphml>", encoding="utf-8")
    with pytest.raises(InputError, match="没有道路"):
        read_graphml(file, CRS_M)
    file.write_text("not xml", encoding="utf-8")
    with pytest.raises(InputError, match="XML"):
        read_graphml(file, CRS_M)
    with pytest.raises(NotFoundError):
        read_graphml(tmp_path / "none.graphml", CRS_M)


@contextmanager
def overpass(answer: bytes, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A stand-in for the Overpass service on loopback that gives one recorded answer."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8")
            asked.append(urllib.parse.unquote_plus(body))
            self._send()

        def do_GET(self) -> None:
            asked.append(urllib.parse.unquote_plus(self.path))
            self._send()

        def _send(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


AREA = shapely.box(LON - 0.01, LAT - 0.01, LON + 0.02, LAT + 0.02)


def test_download_reads_a_recorded_answer(tmp_path: Path) -> None:
    before = {
        name: getattr(osmnx.settings, name)
        for name in (
            "overpass_url",
            "use_cache",
            "useful_tags_way",
            "cache_folder",
            "overpass_rate_limit",
        )
    }
    with overpass((DATA / "overpass_answer.json").read_bytes()) as (url, asked):
        net = download(AREA, CRS_M, overpass_url=url)
        again = download(AREA, CRS_M, overpass_url=url, cache=tmp_path / "cache")
        kept = len(asked)
        download(AREA, CRS_M, overpass_url=url, cache=tmp_path / "cache")
        assert len(asked) == kept
    assert "highway" in asked[0]
    assert net.length.sum() == pytest.approx(again.length.sum())
    assert {net.classes[c] for c in net.road_class} == {"secondary", "unclassified", "footway"}
    one_way = named(net, "unclassified")
    assert (net.drive_forward ^ net.drive_backward)[one_way].all()
    assert net.hazard[one_way].all()
    assert net.drive_forward[named(net, "secondary")].all()
    assert net.drive_backward[named(net, "secondary")].all()
    assert "滨河路" in net.names
    assert len(components(net, net.walk)[1]) == 1
    assert before == {name: getattr(osmnx.settings, name) for name in before}


def test_download_by_name_asks_for_the_place_first() -> None:
    place = [
        {
            "place_id": 1, "osm_type": "relation", "osm_id": 7, "lat": str(LAT), "lon": str(LON),
            "class": "boundary", "type": "administrative", "importance": 0.5, "name": "云岭县",
            "display_name": "云岭县", "boundingbox": ["35.99", "36.02", "113.99", "114.02"],
            "geojson": shapely.geometry.mapping(AREA),
        }
    ]  # fmt: skip
    with (
        overpass(json.dumps(place).encode()) as (names, asked),
        overpass((DATA / "overpass_answer.json").read_bytes()) as (url, _),
    ):
        net = download("云岭县", CRS_M, overpass_url=url, nominatim_url=names)
    assert "云岭县" in asked[0]
    assert len(net.tail) > 3


def test_download_failures_are_for_people() -> None:
    with (
        overpass(b'{"elements": []}') as (url, _),
        pytest.raises(InputError, match="无法从网上取得"),
    ):
        download(AREA, CRS_M, overpass_url=url)
    with overpass(b"no json", 200) as (url, _), pytest.raises(InputError, match="无法从网上取得"):
        download(AREA, CRS_M, overpass_url=url)
    closed = "http://127.0.0.1:9/api"
    with pytest.raises(InputError, match=r"本地 \.osm\.pbf"):
        download(AREA, CRS_M, overpass_url=closed, timeout=2)
