"""Door-to-door times against networkx: points become nodes by splitting edges, code of its own."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import CRS

from catchment.network.graph import RoadNetwork, from_lines
from catchment.network.osm import read_pbf
from catchment.network.travel import TravelTimes, travel_times
from catchment.region.bands import read_bands
from catchment.region.model import Region

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("CATCHMENT_SHARED", ROOT / ".." / "shared")) / "cases"
PAIRS = 1000
BUS_KMH = {
    "trunk": 45, "trunk_link": 40, "primary": 45, "primary_link": 40, "secondary": 45,
    "tertiary": 35, "unclassified": 25, "residential": 25, "living_street": 15, "road": 20,
    "service": 15, "track": 15, "pedestrian": 10, "bridleway": 10,
}  # fmt: skip
WALK_KMH = {"walk_lower": 3.2, "walk_upper": 4.0, "walk_junior": 4.5}

pytestmark = pytest.mark.shared


def region_of(
    crs: CRS, homes: list[shapely.Point], schools: list[shapely.Point], names: tuple[str, str]
) -> Region:
    def table(key: str, letter: str, points: list[shapely.Point]) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame(
            {key: [f"{letter}{k}" for k in range(len(points))]}, geometry=points, crs=crs
        )

    none = gpd.GeoDataFrame({"site_id": []}, geometry=[], crs=crs)
    frame = pd.DataFrame()
    return Region(
        name=names[0],
        crs=crs,
        bands=read_bands(),
        villages=table("village_id", "v", homes),
        children=frame,
        schools=table("school_id", "s", schools),
        classes=frame,
        sites=none,
        students=none,
        roads=none,
        boundaries=none,
        areas=frame,
        note=names[1],
    )


class Oracle:
    """The same question answered by networkx on a graph in which the points are nodes."""

    def __init__(self, network: RoadNetwork, region: Region, mode: str) -> None:
        self.network, self.bus = network, mode == "bus"
        self.speed = (3.2 if self.bus else WALK_KMH[mode]) / 3.6
        self.limit = 800.0 if self.bus else 2000.0
        self.lines = [
            shapely.LineString(network.shape[network.offsets[k] : network.offsets[k + 1]])
            for k in range(len(network.tail))
        ]
        self.both = [self._seconds(k) for k in range(len(network.tail))]
        self.allowed = [k for k, (f, b) in enumerate(self.both) if min(f, b) < math.inf]
        self.shapes = np.array([self.lines[k] for k in self.allowed], dtype=object)
        self.main = self._main()
        self.points = [*region.villages.geometry, *region.schools.geometry]
        self.spots = [self._snap(point) for point in self.points]
        self.graph = self._graph()

    def _seconds(self, k: int) -> tuple[float, float]:
        net = self.network
        metres = float(net.length[k])
        if not self.bus:
            slope = max(-0.45, min(0.45, float(net.climb[k]) / metres))
            up, down = (
                metres / self.speed * math.exp(3.5 * (abs(s + 0.05) - 0.05))
                for s in (slope, -slope)
            )
            return (up, down) if net.walk[k] else (math.inf, math.inf)
        kmh = float(BUS_KMH.get(net.classes[net.road_class[k]], 10))
        if not math.isnan(net.maxspeed[k]):
            kmh = min(kmh, float(net.maxspeed[k]))
        if net.hazard[k]:
            kmh = min(kmh, 20.0)
        seconds = metres * 3.6 / kmh
        return (
            seconds if net.drive_forward[k] else math.inf,
            seconds if net.drive_backward[k] else math.inf,
        )

    def _main(self) -> set[int]:
        graph = nx.DiGraph()
        for k in self.allowed:
            tail, head = int(self.network.tail[k]), int(self.network.head[k])
            if self.both[k][0] < math.inf:
                graph.add_edge(tail, head)
            if self.both[k][1] < math.inf:
                graph.add_edge(head, tail)
        parts = list(nx.strongly_connected_components(graph))
        largest = max(parts, key=lambda nodes: (len(nodes), -min(nodes)))
        main: set[int] = set()
        for part in parts:
            inside = {
                k
                for k in self.allowed
                if int(self.network.tail[k]) in part and int(self.network.head[k]) in part
            }
            if part is largest or sum(float(self.network.length[k]) for k in inside) >= 1000:
                main |= inside
        return main

    def _snap(self, point: shapely.Point) -> tuple[int, float, float] | None:
        gap = shapely.distance(point, self.shapes)
        at = int(gap.argmin())
        if gap[at] > self.limit:
            return None
        if self.allowed[at] not in self.main:
            inside = np.array([n for n, k in enumerate(self.allowed) if k in self.main])
            other = inside[int(gap[inside].argmin())]
            if gap[other] <= min(gap[at] + 200.0, self.limit):
                at = int(other)
        k = self.allowed[at]
        share = self.lines[k].line_locate_point(point, normalized=True)
        metres = self.lines[k].length
        share = 0.0 if share * metres < 0.01 else 1.0 if (1 - share) * metres < 0.01 else share
        return k, share, float(gap[at])

    def _graph(self) -> nx.MultiDiGraph:
        graph = nx.MultiDiGraph()
        on: dict[int, list[tuple[float, int]]] = {}
        for p, spot in enumerate(self.spots):
            graph.add_node(("point", p))
            if spot is None:
                continue
            k, share, metres = spot
            if share in (0.0, 1.0):
                end = self.network.tail[k] if share == 0.0 else self.network.head[k]
                place: tuple[str, int] = ("node", int(end))
            else:
                place = ("spot", p)
                on.setdefault(k, []).append((share, p))
            walk = metres / self.speed
            graph.add_edge(("point", p), place, seconds=walk, metres=metres)
            graph.add_edge(place, ("point", p), seconds=walk, metres=metres)
        for k in self.allowed:
            chain: list[tuple[float, tuple[str, int]]] = [
                (0.0, ("node", int(self.network.tail[k]))),
                *((share, ("spot", p)) for share, p in sorted(on.get(k, []))),
                (1.0, ("node", int(self.network.head[k]))),
            ]
            for (a, start), (b, stop) in pairwise(chain):
                metres = (b - a) * float(self.network.length[k])
                if self.both[k][0] < math.inf:
                    graph.add_edge(start, stop, seconds=(b - a) * self.both[k][0], metres=metres)
                if self.both[k][1] < math.inf:
                    graph.add_edge(stop, start, seconds=(b - a) * self.both[k][1], metres=metres)
        return graph

    def answer(self, pairs: list[tuple[int, int]], homes: int) -> list[tuple[float, float]]:
        """Minutes and metres of pairs of (home, school)."""
        turned = self.graph.reverse(copy=True)
        trees = {
            j: nx.single_source_dijkstra(turned, ("point", homes + j), weight="seconds")
            for j in sorted({j for _, j in pairs})
        }
        result = []
        for i, j in pairs:
            seconds, paths = trees[j]
            home = ("point", i)
            if home not in seconds:
                result.append((math.inf, math.inf))
                continue
            path = paths[home]
            metres = sum(
                min(turned[a][b].values(), key=lambda d: (d["seconds"], d["metres"]))["metres"]
                for a, b in pairwise(path)
            )
            wait = 8.0 if self.bus else 0.0
            result.append((seconds[home] / 60.0 + wait, metres))
        return result


def straight(
    network: RoadNetwork, region: Region, mode: str, home: int, school: int
) -> tuple[float, float]:
    """Straight walk of a village far from every road, where it keeps within the band's limit."""
    nothing = (math.inf, math.inf)
    if mode == "bus":
        return nothing
    village = region.villages.geometry.iloc[home]
    metres = village.distance(region.schools.geometry.iloc[school])
    minutes = metres / (WALK_KMH[mode] * 1000 / 60)
    limit = next(b.walk_limit_min for b in region.bands if f"walk_{b.band}" == mode)
    if minutes > limit or metres > 500:
        return nothing
    shapes = [network.shape[a:b] for a, b in pairwise(network.offsets)]
    off = all(shapely.LineString(xy).distance(village) > 2000 for xy in shapes)
    return (minutes, metres) if off else nothing


def check(network: RoadNetwork, region: Region, times: TravelTimes, seed: int) -> dict[str, int]:
    """Compare random pairs of every mode; the number of reachable ones by mode."""
    rng = np.random.default_rng(seed)
    n, m = len(times.villages), len(times.sites)
    chosen = rng.choice(n * m, size=min(PAIRS, n * m), replace=False)
    pairs = [(int(c) // m, int(c) % m) for c in chosen]
    assert len(pairs) == PAIRS
    reachable = {}
    for mode in ("walk_lower", "bus"):
        at = times.modes.index(mode)
        expected = [
            straight(network, region, mode, *pair) if way[0] == math.inf else way
            for pair, way in zip(pairs, Oracle(network, region, mode).answer(pairs, n), strict=True)
        ]
        minutes = np.array([times.minutes[at, i, j] for i, j in pairs], dtype=float)
        metres = np.array([times.metres[at, i, j] for i, j in pairs], dtype=float)
        np.testing.assert_allclose(minutes, [e[0] for e in expected], rtol=1e-6)
        np.testing.assert_allclose(metres, [e[1] for e in expected], rtol=1e-6, atol=1e-3)
        reachable[mode] = int(np.isfinite(minutes).sum())
    return reachable


@pytest.fixture(scope="module")
def rutland() -> tuple[RoadNetwork, Region]:
    folder = CASES / "rutland"
    if not folder.is_dir():
        pytest.skip("the folder of real cases is absent")
    crs = CRS.from_epsg(27700)
    network = read_pbf(folder / "rutland-latest.osm.pbf", crs)
    # No raster comes with the case: made-up heights, so that slope is tested in both directions.
    height = 60 * np.sin(network.x / 900.0) * np.cos(network.y / 1300.0)
    climb = (height[network.head] - height[network.tail]).astype(np.float32)
    hazard = np.arange(len(climb)) % 7 == 0
    network = RoadNetwork(**{**vars(network), "climb": climb, "hazard": hazard})
    settlements = gpd.read_file(folder / "rutland.gpkg", layer="settlements").to_crs(crs)
    schools = gpd.read_file(folder / "rutland.gpkg", layer="schools").to_crs(crs)
    rng = np.random.default_rng(5)
    west, south, east, north = settlements.total_bounds
    more = shapely.points(rng.uniform(west, east, 60), rng.uniform(south, north, 60))
    # Homes beside schools: the same segment, on either side of the school.
    beside = [shapely.Point(p.x + dx, p.y + dx / 2) for p in schools.geometry for dx in (-25, 25)]
    homes = [*settlements.geometry, *more, *beside]
    return network, region_of(crs, homes, list(schools.geometry), ("Rutland", "oracle"))


@pytest.fixture(scope="module")
def taitung() -> tuple[RoadNetwork, Region]:
    folder = CASES / "taitung"
    if not folder.is_dir():
        pytest.skip("the folder of real cases is absent")
    crs = CRS.from_epsg(3826)
    roads = gpd.read_file(folder / "provincial_highways.geojson").to_crs(crs)
    network = from_lines(roads.rename(columns={"class": "highway"}))
    areas = gpd.read_file(folder / "inhabited_areas.gpkg").to_crs(crs)
    rng = np.random.default_rng(11)
    islands = areas[areas["town"].isin(["綠島鄉", "蘭嶼鄉"])]
    mainland = areas.drop(islands.index)
    homes = [
        *mainland.geometry.iloc[rng.choice(len(mainland), 170, replace=False)],
        *islands.geometry.iloc[:30],
    ]
    schools = [
        *mainland.geometry.iloc[rng.choice(len(mainland), 22, replace=False)],
        *islands.geometry.iloc[30:32],
    ]
    return network, region_of(crs, homes, schools, ("臺東縣", "oracle"))


def test_rutland_equals_networkx(rutland: tuple[RoadNetwork, Region]) -> None:
    network, region = rutland
    times = travel_times(region, network)
    reachable = check(network, region, times, 1)
    assert reachable["walk_lower"] > 900
    assert reachable["bus"] > 800


def test_rutland_by_the_kernel_alone(rutland: tuple[RoadNetwork, Region]) -> None:
    network, region = rutland
    exact = travel_times(region, network).minutes
    quick = travel_times(region, network, metres=False).minutes
    np.testing.assert_array_equal(np.isfinite(quick), np.isfinite(exact))
    np.testing.assert_allclose(quick, exact, rtol=1e-5)


def test_taitung_equals_networkx(taitung: tuple[RoadNetwork, Region]) -> None:
    network, region = taitung
    times = travel_times(region, network)
    reachable = check(network, region, times, 2)
    assert 200 < reachable["bus"] < 900
    assert 400 < reachable["walk_lower"] < 1000


def test_taitung_islands_are_reached_on_foot_in_a_straight_line_or_not_at_all(
    taitung: tuple[RoadNetwork, Region],
) -> None:
    network, region = taitung
    times = travel_times(region, network)
    island = np.arange(170, 200)
    for k, mode in enumerate(times.modes):
        for i in island:
            for j in range(24):
                wanted, _ = straight(network, region, mode, int(i), j)
                assert float(times.minutes[k, i, j]) == pytest.approx(wanted, rel=1e-6)
    assert times.direct[island].any()
    assert not times.direct[island, :22].any()  # no school of the mainland
    assert np.isinf(times.minutes[:, :170, 22:]).all()
    assert times.snaps["beyond_limit"].to_numpy()[island].all()
    assert any("直线步行" in note for note in times.notes)
