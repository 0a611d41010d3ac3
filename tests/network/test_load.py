"""The network of a region, its lines for the map, and the real case of Rutland."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from pyproj import CRS, Transformer

from catchment.errors import InputError
from catchment.network.graph import components, directed, from_lines, lengths
from catchment.network.load import base_roads, load_network
from catchment.network.osm import read_pbf
from catchment.network.shortest import travel_matrix
from catchment.network.snap import attach
from catchment.network.travel import travel_times
from tests.network.ascii_map import METRIC, place, region, roads
from tests.network.test_osm import write_osm
from tests.network.test_tables import plane

ROOT = Path(__file__).resolve().parents[2]
RUTLAND = Path(os.environ.get("CATCHMENT_SHARED", ROOT / ".." / "shared")) / "cases" / "rutland"

DRAWING = """
A---B---C
    |
    D
"""


def test_network_of_a_layer() -> None:
    county = region({"v": place(0, 0)}, {"s": place(8, 0)}, lines=roads(DRAWING))
    net = load_network(county)
    assert net.length.sum() == pytest.approx(1000)
    assert travel_times(county, net).metres[0, 0, 0] == pytest.approx(800)


def test_layer_in_degrees_is_brought_to_the_county(tmp_path: Path) -> None:
    county = region({"v": place(0, 0)}, {"s": place(8, 0)}, lines=roads(DRAWING).to_crs(4490))
    assert load_network(county).length.sum() == pytest.approx(1000, abs=0.01)


def test_heights_reach_the_network() -> None:
    county = region({"v": place(0, 0)}, {"s": place(8, 0)}, lines=roads(DRAWING))
    net = load_network(county.replace(elevation=plane(0.1)))
    assert sorted(np.abs(net.climb).round(1).tolist()) == pytest.approx([0, 40, 40], abs=0.1)
    assert len(net.walk_factor_forward) == 3


def test_road_file_goes_before_the_layer_and_is_clipped(tmp_path: Path) -> None:
    file = write_osm(tmp_path / "roads.osm.pbf")
    x, y = Transformer.from_crs(4326, METRIC, always_xy=True).transform(114.0, 36.0)
    at = place(0, 0)
    here = {"v": type(at)(x, y)}
    net = load_network(region(here, {}, lines=roads(DRAWING)).replace(road_file=file))
    assert "云岭大道" in net.names
    far = region({"v": type(at)(x + 200_000, y)}, {}).replace(road_file=file)
    with pytest.raises(InputError, match="没有可用的道路"):
        load_network(far)


def test_region_without_roads_is_told_what_to_do() -> None:
    with pytest.raises(InputError, match=r"没有道路.*osm\.pbf"):
        load_network(region({"v": place(0, 0)}, {"s": place(8, 0)}))


def test_base_roads_keep_to_their_budget() -> None:
    lines = roads(DRAWING)
    lines["highway"] = ["国道", "村道", "步道"]
    net = from_lines(lines)
    drawn = base_roads(net, METRIC)
    assert [code for code, _ in drawn] == ["primary", "village", "path"]
    lon, lat = Transformer.from_crs(METRIC, 4326, always_xy=True).transform(*net.shape.T)
    every = np.concatenate([xy for _, found in drawn for xy in found])
    assert every[:, 0].min() == pytest.approx(min(lon))
    assert every[:, 1].max() == pytest.approx(max(lat))
    assert [code for code, _ in base_roads(net, METRIC, max_vertices=4)] == ["primary", "village"]
    assert [code for code, _ in base_roads(net, METRIC, max_vertices=2)] == ["primary"]
    with pytest.raises(ValueError, match="max_vertices"):
        base_roads(net, METRIC, max_vertices=1)


@pytest.mark.shared
@pytest.mark.skipif(not RUTLAND.is_dir(), reason="the folder of real cases is absent")
def test_rutland_known_facts() -> None:
    """Independent figures of the case.

    The drive graph that they describe: every vertex of ways from motorway to road and service a
    node, whatever the access tags say, one-way signs not heeded; settlements and schools at the
    nearest node of the largest part.
    """
    crs = CRS.from_epsg(27700)
    net = read_pbf(
        RUTLAND / "rutland-latest.osm.pbf",
        crs,
        drop=["track", "footway", "bridleway", "path", "cycleway", "steps", "pedestrian"],
        keep_all=True,
        respect_access=False,
    )
    drivable = net.drive_forward | net.drive_backward
    assert drivable.all()
    labels, table = components(net, drivable)
    assert len(net.x) == 20_265
    # Grid lengths of the British grid; 808.3 km on the ellipsoid.
    assert net.length.sum() / 1000 == pytest.approx(807.5, abs=1.0)
    assert len(table) == 31
    assert table["share"].iloc[0] == pytest.approx(0.956, abs=0.0005)

    settlements = gpd.read_file(RUTLAND / "rutland.gpkg", layer="settlements").to_crs(crs)
    schools = gpd.read_file(RUTLAND / "rutland.gpkg", layer="schools").to_crs(crs)
    primary = schools[schools["stage_by_name"].isin(["state primary (by name)", "unnamed"])]
    assert (len(settlements), len(primary)) == (61, 19)
    main = np.flatnonzero(labels == 0)

    def node(points: gpd.GeoSeries) -> tuple[np.ndarray, np.ndarray]:
        gap = np.hypot(
            net.x[main][None, :] - points.x.to_numpy()[:, None],
            net.y[main][None, :] - points.y.to_numpy()[:, None],
        )
        return main[gap.argmin(axis=1)], gap.min(axis=1)

    homes, snap = node(settlements.geometry)
    assert snap.max() == pytest.approx(93, abs=0.5)
    targets, _ = node(primary.geometry)
    metres = lengths(net)
    km = travel_matrix(*directed(net, metres, metres), targets, homes, reverse=True) / 1000
    nearest = km.min(axis=0)
    assert nearest.mean() == pytest.approx(2.9, abs=0.05)
    assert nearest.max() == pytest.approx(8.5, abs=0.05)

    # Snapping to edges instead of nodes can only bring the road nearer.
    at = attach(net, settlements.geometry.x, settlements.geometry.y, allowed=drivable)
    assert not at.beyond_limit.any()
    assert (at.walk_m <= snap + 1e-6).all()
    assert at.walk_m.max() == pytest.approx(86.5, abs=0.5)
