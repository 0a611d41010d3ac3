"""What the walk to school crosses, on maps where it can be seen."""

from __future__ import annotations

import itertools
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import InputError, NotFoundError
from catchment.network.barriers import barriers_of, crossings_of, merged
from catchment.network.crossings import Crossings, crossings
from catchment.network.graph import RoadNetwork, from_lines
from catchment.network.load import load_network
from catchment.network.osm import read_barriers
from catchment.network.reach import paths
from catchment.region.model import Region
from catchment.region.read import read_region
from tests.network.ascii_map import METRIC, network, place, region, roads
from tests.network.test_osm import write_osm

ROAD = "A---------B"
DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


def fence(kind: str, *points: tuple[float, float], **more: object) -> gpd.GeoDataFrame:
    line = shapely.LineString([place(*p) for p in points])
    return gpd.GeoDataFrame([{"kind": kind, "name": "某线", **more, "geometry": line}], crs=METRIC)


def together(*layers: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(pd.concat(layers, ignore_index=True), crs=METRIC)


def met(
    county: Region, net: RoadNetwork, layer: gpd.GeoDataFrame | None = None, site: str = "s"
) -> Crossings:
    goals = {"upper": [site] * len(county.villages)}
    own = barriers_of(county, layer) if layer is not None else None
    return crossings(county, net, sites=goals, barriers=own)


def counts(found: Crossings) -> dict[str, int]:
    return dict(zip(found.table["kind"], found.table["count"], strict=True))


def along(x: float = 0.0, y: float = 0.0) -> Region:
    return region({"v": place(x, y)}, {"s": place(10, 0)})


def test_railway_is_crossed_once_and_named() -> None:
    found = met(along(), network(ROAD), fence("铁路", (3, -2), (3.5, 2)))
    assert found.table.to_dict("records") == [
        {"village_id": "v", "band": "upper", "site_id": "s", "kind": "railway", "count": 1,
         "names": "某线", "metres": 0.0}
    ]  # fmt: skip
    checked = found.checked.set_index("band")
    assert checked.loc["upper", "state"] == "crosses"
    assert checked.loc["upper", "minutes"] == pytest.approx(1000 / (4000 / 60))
    assert checked.loc["lower", "state"] == "no_school"


@pytest.mark.parametrize(
    "points",
    [
        [(5, -2), (5, 0), (5, 2)],  # a vertex of the railway on the course of the road
        [(5, -2), (5, 0), (8, 0.5), (8, -2), (9, -2)],  # and back once more
        [(0, -2), (0, 0), (0, 2)],  # through the village itself, at the end of the road
    ],
)
def test_crossing_at_a_vertex(points: list[tuple[float, float]]) -> None:
    lines = roads("A----B----C")
    found = met(along(), from_lines(lines), fence("railway", *points))
    expected = {3: 1, 5: 2}[len(points)]
    if points[0][0] == 0:
        assert counts(found) in ({}, {"railway": 1})
    else:
        assert counts(found) == {"railway": expected}


def test_a_level_crossing_whose_node_is_a_junction() -> None:
    drawing = """
A----B----C
     |
     D
"""
    rail = fence("railway", (4, -2), (5, 0), (6, 2))
    assert counts(met(along(), network(drawing), rail)) == {"railway": 1}


def test_touching_is_no_crossing() -> None:
    for points in ([(3, 2), (5, 0), (7, 2)], [(3, -2), (5, 0), (7, -2)]):
        assert counts(met(along(), network(ROAD), fence("railway", *points))) == {}
        # A vertex of the road at the same place makes no difference.
        assert counts(met(along(), network("A----B----C"), fence("railway", *points))) == {}


def test_another_level_is_no_crossing() -> None:
    rail = ((5, -2), (5, 2))
    assert counts(met(along(), network(ROAD), fence("railway", *rail, tunnel="yes"))) == {}
    assert counts(met(along(), network(ROAD), fence("railway", *rail, bridge="viaduct"))) == {}
    assert counts(met(along(), network(ROAD), fence("railway", *rail, bridge="no"))) == {
        "railway": 1
    }
    over = from_lines(roads(ROAD).assign(bridge="yes"))
    assert counts(met(along(), over, fence("railway", *rail))) == {}


def test_tracks_side_by_side_are_one_crossing() -> None:
    tracks = together(*(fence("railway", (x, -2), (x, 2)) for x in (5.0, 5.05, 5.4)))
    assert counts(met(along(), network(ROAD), tracks)) == {"railway": 1}
    apart = together(*(fence("railway", (x, -2), (x, 2)) for x in (5.0, 6.0)))
    assert counts(met(along(), network(ROAD), apart)) == {"railway": 2}


def test_a_river_without_a_bridge_and_with_one() -> None:
    drawing = "A---B-C---D"
    river = fence("运河", (5, -2), (5, 2))
    lines = roads(drawing)
    assert counts(met(along(), from_lines(lines), river)) == {"river": 1}
    lines["bridge"] = ["", "yes", ""]
    assert counts(met(along(), from_lines(lines), river)) == {}


def test_the_straight_walk_to_the_road_counts() -> None:
    county = region({"v": place(2, 5)}, {"s": place(8, -3)})
    river = fence("river", (-2, 3), (12, 3))
    assert counts(met(county, network(ROAD), river)) == {"river": 1}
    school_side = fence("railway", (-2, -1), (12, -1))
    assert counts(met(county, network(ROAD), together(river, school_side))) == {
        "railway": 1,
        "river": 1,
    }


def test_only_the_stretch_walked_counts() -> None:
    rails = together(*(fence("railway", (x, -2), (x, 2)) for x in (1.0, 5.0, 9.0)))
    county = region({"v": place(3, 0), "w": place(7, 0)}, {"s": place(6, 0)})
    table = met(county, network(ROAD), rails).table
    assert table[["village_id", "count"]].to_numpy().tolist() == [["v", 1]]


CROSSROADS = """
     C
     |
A----B----D
     |
     E
"""


def crossroads(main: str) -> RoadNetwork:
    lines = roads(CROSSROADS)
    lines.loc[lines["name"].isin(list(main.split())), "highway"] = "primary"
    return from_lines(lines)


def test_main_road_crossed_at_a_junction() -> None:
    county = region({"v": place(0, 2)}, {"s": place(10, 2)})
    found = met(county, crossroads("CB BE"))
    assert counts(found) == {"main_road_cross": 1}
    assert found.table["names"].tolist() == ["CB"]
    # Turning off before it is none.
    same_side = region({"v": place(0, 2)}, {"s": place(5, 4)})
    assert counts(met(same_side, crossroads("CB BD"))) == {}


def test_main_road_walked_along() -> None:
    county = region({"v": place(0, 2)}, {"s": place(10, 2)})
    found = met(county, crossroads("BD"))
    assert counts(found) == {"main_road_along": 1}
    assert found.table["metres"].tolist() == pytest.approx([500])
    # Joining it from a side road and leaving to the other is no crossing besides.
    assert counts(met(county, crossroads("AB BD"))) == {"main_road_along": 1}


def test_staggered_crossing_of_a_main_road() -> None:
    lines = roads("A----B")
    x = [place(0, 0), place(5, 0), place(5.2, 0), place(10, 0)]
    up, down = place(5, -3), place(5.2, 3)
    lines = lines.iloc[[0] * 5].copy()
    lines.geometry = [
        shapely.LineString(p)
        for p in ((x[0], x[1]), (x[1], x[2]), (x[2], x[3]), (up, x[1]), (x[2], down))
    ]
    lines["highway"] = ["primary", "primary", "primary", "unclassified", "unclassified"]
    county = region({"v": up}, {"s": down})
    net = from_lines(lines.reset_index(drop=True))
    assert counts(met(county, net)) == {"main_road_cross": 1}


def test_a_motorway_without_a_bridge_is_crossed() -> None:
    lines = roads(ROAD)
    both = lines.iloc[[0, 0]].copy()
    both.geometry = [lines.geometry.iloc[0], shapely.LineString([place(5, -3), place(5, 3)])]
    both["highway"] = ["unclassified", "motorway"]
    net = from_lines(both.reset_index(drop=True))
    assert counts(met(along(), net)) == {"main_road_cross": 1}
    both["bridge"] = ["", "yes"]
    assert counts(met(along(), from_lines(both.reset_index(drop=True)))) == {}


def test_what_is_not_known_is_said() -> None:
    found = met(along(), network(ROAD))
    assert found.checked.set_index("band").loc["upper", "state"] == "partly"
    assert any("没有铁路、河流的资料" in note for note in found.notes)
    cut = met(
        region({"v": place(0, 60)}, {"s": place(10, 0)}),
        network(ROAD),
        fence("river", (0, 1), (1, 1)),
    )
    assert cut.checked.set_index("band").loc["upper", "state"] == "no_way"
    assert any("无法核查" in note for note in cut.notes)


def test_schools_of_today_when_none_are_named() -> None:
    county = along()
    county.villages["school_lower"] = ["s"]
    county.villages["school_upper"] = [None]
    county.villages["school_junior"] = ["nowhere"]
    found = crossings(
        county, network(ROAD), barriers=barriers_of(county, fence("railway", (3, -2), (3, 2)))
    )
    assert found.table["band"].tolist() == ["lower"]
    assert found.checked["state"].tolist() == ["crosses", "no_school", "no_school"]
    with pytest.raises(InputError, match="一一对应"):
        crossings(county, network(ROAD), sites={"lower": []})


def test_layer_in_the_county_s_folder(tmp_path: Path) -> None:
    county = along().replace(folder=tmp_path)
    assert not barriers_of(county).known
    fence("河流", (3, -2), (3, 2)).to_file(tmp_path / "障碍.geojson", driver="GeoJSON")
    own = barriers_of(county)
    assert (own.kinds, own.names, own.known) == (("river",), ("某线",), True)
    with pytest.raises(InputError, match="kind"):
        barriers_of(county, fence("wall", (3, -2), (3, 2)))
    (tmp_path / "障碍.geojson").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="无法读取"):
        barriers_of(county)


def test_barriers_of_an_osm_file(tmp_path: Path) -> None:
    table = read_barriers(write_osm(tmp_path / "roads.osm.pbf"), METRIC)
    assert table["kind"].tolist() == ["river"]
    assert table.geometry.iloc[0].length > 100
    county = along().replace(road_file=tmp_path / "roads.osm.pbf")
    # The file's river lies outside the county's surroundings or inside: read without complaint.
    assert barriers_of(county).known


def test_tags_of_barriers(tmp_path: Path) -> None:
    places = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (3, 1), 5: (4, 1)}
    ways: dict[int, tuple[list[int], dict[str, str]]] = {
        1: ([1, 2], {"railway": "rail", "name": "Line", "name:zh": "铁路线"}),
        2: ([2, 3], {"railway": "rail", "bridge": "viaduct"}),
        3: ([3, 4], {"waterway": "canal", "tunnel": "culvert"}),
        4: ([4, 5], {"waterway": "river", "bridge": "no", "name": "江"}),
        5: ([1, 3], {"waterway": "stream"}),
        6: ([1, 4], {"railway": "abandoned"}),
        7: ([1, 5], {"highway": "residential"}),
        8: ([5, 99], {"railway": "rail"}),
    }
    writer = osmium.SimpleWriter(str(tmp_path / "a.osm.pbf"))
    try:
        for ref, (x, y) in places.items():
            spot = (114.0 + x / 100, 36.0 + y / 100)
            writer.add_node(osmium.osm.mutable.Node(id=ref, location=spot, version=1))
        for ref, (nodes, tags) in ways.items():
            writer.add_way(osmium.osm.mutable.Way(id=ref, nodes=nodes, tags=tags, version=1))
    finally:
        writer.close()
    table = read_barriers(tmp_path / "a.osm.pbf", METRIC)
    assert table["kind"].tolist() == ["railway", "railway", "river", "river"]
    assert table["name"].tolist() == ["Line", "", "", "江"]
    assert table["separated"].tolist() == [False, True, True, False]
    with pytest.raises(NotFoundError, match="找不到"):
        read_barriers(tmp_path / "none.osm.pbf", METRIC)


def test_demo_county_against_lines_laid_over_each_other() -> None:
    county = read_region(DEMO, set_aside=True)
    net = load_network(county)
    own = barriers_of(county)
    found = crossings(county, net, barriers=own)
    table = found.table[found.table["band"] == "lower"]
    schools = county.villages.set_index("village_id")["school_lower"]
    bridges = shapely.union_all(
        [
            shapely.LineString(net.shape[net.offsets[s] : net.offsets[s + 1]])
            for s in np.flatnonzero(net.bridge)
        ]
    )
    for kind in ("railway", "river"):
        lines = shapely.union_all(own.of_kind(kind).lines)
        crosses = set()
        for site, own_villages in schools[schools.isin(county.schools["school_id"])].groupby(
            schools
        ):
            for way in paths(
                county, net, str(site), mode="walk_lower", villages=list(own_villages.index)
            ):
                met = shapely.get_coordinates(way.line.intersection(lines))
                if any(bridges.distance(shapely.Point(xy)) > 1e-6 for xy in met):
                    crosses.add(way.village_id)
        assert set(table.loc[table["kind"] == kind, "village_id"]) == crosses
    assert (table["kind"] == "railway").sum() > 10


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_as_many_crossings_as_lines_intersect(seed: int) -> None:
    rng = np.random.default_rng(seed)
    walks = [rng.uniform(0, 1000, (rng.integers(2, 9), 2)) for _ in range(4)]
    fences = [shapely.LineString(rng.uniform(0, 1000, (rng.integers(2, 9), 2))) for _ in range(3)]
    lines = np.empty(3, dtype=object)
    lines[:] = fences
    kinds = ["railway", "river", "railway"]
    own = merged(lines, kinds, ["a", "b", "c"], np.zeros(3, dtype=bool))
    offsets = np.concatenate([[0], np.cumsum([len(w) for w in walks])])
    hits = crossings_of(np.vstack(walks), offsets, own)
    for k, walk in enumerate(walks):
        way = shapely.LineString(walk)
        for b, line in enumerate(own.lines):
            # In general position every pair of pieces meets in at most one point.
            pieces = [
                shapely.LineString(p).intersects(shapely.LineString(q))
                for p in itertools.pairwise(walk)
                for c in [shapely.get_coordinates(line)]
                for q in itertools.pairwise(c)
            ]
            mine = (hits.line == k) & (hits.barrier == b)
            assert int(mine.sum()) == sum(pieces)
            for metres in hits.metres[mine]:
                assert line.distance(way.interpolate(metres)) < 1e-6 or not way.is_simple


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_parity_holds_on_a_lattice_full_of_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # A closed ring is crossed an even number of times from outside to outside, whatever touches.
    corner = np.array([[1, 1], [4, 1], [4, 3], [3, 3], [3, 4], [1, 4], [1, 1]], dtype=float)
    inner = rng.integers(0, 6, (rng.integers(0, 12), 2)).astype(float)
    walk = np.vstack([[[-1, -1]], inner, [[7, 6]]])
    fresh = np.concatenate([[True], (np.diff(walk, axis=0) != 0).any(axis=1)])
    walk = walk[fresh]
    lines = np.empty(1, dtype=object)
    lines[0] = shapely.LineString(corner)
    own = merged(lines, ["river"], [""], np.zeros(1, dtype=bool))
    hits = crossings_of(walk, np.array([0, len(walk)]), own)
    assert len(hits.line) % 2 == 0
    # And it ends inside an odd number of times.
    inside = np.vstack([walk[:-1], [[2, 2]]])
    assert len(crossings_of(inside, np.array([0, len(inside)]), own).line) % 2 == 1
