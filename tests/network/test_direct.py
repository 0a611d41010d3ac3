"""Straight walks of villages without a mapped road: offered, refused, labelled."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from catchment.network.graph import from_lines
from catchment.network.modes import read_modes
from catchment.network.reach import isochrones, path
from catchment.network.travel import TravelTimes, travel_times
from catchment.network.trips import trips
from catchment.region.elevation import Elevation
from catchment.region.model import Region
from tests.network.ascii_map import METRIC, network, place, region, roads

# The island lies 30 km off the only road; its school 500 m from the village.
ISLAND, SCHOOL, FAR_SCHOOL = place(300, 0), place(305, 0), place(312, 0)


def county(**more: object) -> Region:
    return region({"island": ISLAND, "v": place(5, 0)}, {"near": SCHOOL, "far": FAR_SCHOOL})


def minutes(times: TravelTimes, mode: str, site: str) -> float:
    where = times.modes.index(mode), times.villages.index("island"), times.sites.index(site)
    return float(times.minutes[where])


def test_straight_walk_at_the_speed_of_the_band_labelled_and_still_listed() -> None:
    times = travel_times(county(), network("A---------B"))
    assert minutes(times, "walk_lower", "near") == pytest.approx(500 / (3200 / 60))
    assert minutes(times, "walk_junior", "near") == pytest.approx(500 / (4500 / 60))
    assert times.metres[0, 0, 0] == pytest.approx(500)
    assert np.isinf(minutes(times, "bus", "near"))
    assert np.isinf(minutes(times, "walk_junior", "far"))  # 1.2 km: not guessed at
    assert times.direct.tolist() == [[True, False], [False, False]]
    assert times.snaps["beyond_limit"].tolist()[:2] == [True, False]
    assert any("island" in note and "直线步行" in note for note in times.notes)


def test_a_school_farther_than_the_limit_of_the_table_is_not_guessed_at() -> None:
    # 1.2 km is 23 minutes on the flat, within every walking limit, but nobody knows what lies there.
    far = region({"island": ISLAND}, {"far": FAR_SCHOOL})
    times = travel_times(far, network("A---------B"))
    assert np.isinf(times.minutes).all()
    assert not times.direct.size
    assert times.snaps["beyond_limit"].tolist()[0]
    assert any("island" in note and "没有任何道路" in note for note in times.notes)
    for over, offered in ((0.0, True), (1.0, False)):
        at = shapely.Point(ISLAND.x + 500 + over, ISLAND.y)
        times = travel_times(region({"island": ISLAND}, {"near": at}), network("A---------B"))
        assert np.isfinite(minutes(times, "walk_lower", "near")) == offered


@pytest.mark.parametrize(("limit", "offered"), [(0, False), (1199, False), (1200, True)])
def test_a_county_that_knows_its_ground_says_how_far(
    tmp_path: Path, limit: int, offered: bool
) -> None:
    (tmp_path / "modes.csv").write_text(f"key,value\ndirect_limit_m,{limit}\n", encoding="utf-8")
    far = dataclasses.replace(region({"island": ISLAND}, {"far": FAR_SCHOOL}), folder=tmp_path)
    times = travel_times(far, network("A---------B"))
    assert np.isfinite(minutes(times, "walk_lower", "far")) == offered


def test_the_band_s_own_walking_limit_binds_as_well() -> None:
    lower = next(band for band in county().bands if band.band == "lower")
    metres = lower.walk_limit_min * lower.walk_kmh * 1000 / 60
    wide = dataclasses.replace(read_modes(), direct_limit_m=5000)
    for over, offered in ((-1.0, True), (1.0, False)):
        at = shapely.Point(ISLAND.x + metres + over, ISLAND.y)
        times = travel_times(
            region({"island": ISLAND}, {"near": at}), network("A---------B"), modes=wide
        )
        assert np.isfinite(minutes(times, "walk_lower", "near")) == offered


def test_a_main_road_or_the_county_line_between_forbids_it() -> None:
    lines = roads("A---------B")
    lines["highway"] = ["unclassified"]
    wall = shapely.LineString([(ISLAND.x + 250, ISLAND.y - 900), (ISLAND.x + 250, ISLAND.y + 900)])
    both = gpd.GeoDataFrame(
        {"highway": ["unclassified", "motorway"]}, geometry=[*lines.geometry, wall], crs=METRIC
    )
    assert not travel_times(county(), from_lines(both)).direct.size
    outline = gpd.GeoDataFrame(
        {"boundary_id": ["c"], "name": ["c"], "kind": ["county"]},
        geometry=[shapely.box(ISLAND.x - 1e5, ISLAND.y - 1e4, ISLAND.x + 200, ISLAND.y + 1e4)],
        crs=METRIC,
    )
    inside = dataclasses.replace(county(), boundaries=outline)
    assert not travel_times(inside, network("A---------B")).direct.size


def test_a_village_with_a_road_nearby_keeps_to_it() -> None:
    # The school stands beside the village across a gap; the road goes round.
    near = region({"v": place(0, 1)}, {"s": place(0, 3)})
    times = travel_times(near, network("A---------B"))
    assert not times.direct.size
    assert times.metres[0, 0, 0] == pytest.approx(400)  # walks to the road and from it


def test_slope_counts_and_both_ways_are_judged() -> None:
    # 20 % uphill to the school: 1 km takes twice as long as on the flat, and less coming home.
    heights = np.tile(np.arange(0.0, 4000.0, 20.0), (5, 1)).astype(np.float32)
    raster = Elevation(
        heights=heights,
        transform=(100.0, 0.0, ISLAND.x - 1000, 0.0, -100.0, ISLAND.y + 250),
        crs=METRIC.to_string(),
    )
    hill = dataclasses.replace(
        region({"island": ISLAND}, {"near": place(305, 0)}), elevation=raster
    )
    found = {
        way: minutes(
            travel_times(hill, network("A---------B"), direction=way), "walk_lower", "near"
        )
        for way in ("there", "back", "worst")
    }
    flat = 500 / (3200 / 60)
    assert found["there"] == pytest.approx(flat * np.exp(3.5 * 0.2), rel=1e-3)
    assert found["back"] == pytest.approx(flat * np.exp(3.5 * (0.15 - 0.05)), rel=1e-3)
    assert found["worst"] == found["there"]


def test_a_railway_or_river_between_forbids_it_and_a_bridge_does_not(tmp_path: Path) -> None:
    wall = shapely.LineString([(ISLAND.x + 250, ISLAND.y - 90), (ISLAND.x + 250, ISLAND.y + 90)])
    for kind, bridge, offered in (("铁路", "", False), ("河流", "", False), ("河流", "yes", True)):
        layer = gpd.GeoDataFrame({"kind": [kind], "bridge": [bridge]}, geometry=[wall], crs=METRIC)
        layer.to_file(tmp_path / "障碍.geojson", driver="GeoJSON")
        there = dataclasses.replace(county(), folder=tmp_path)
        times = travel_times(there, network("A---------B"))
        assert np.isfinite(minutes(times, "walk_lower", "near")) == offered
        assert not any("没有铁路、河流资料" in note for note in times.notes)


def test_path_area_and_trip_tell_the_same_as_the_times() -> None:
    there = county()
    net = network("A---------B")
    times = travel_times(there, net)
    wanted = minutes(times, "walk_lower", "near")
    way = path(there, net, "island", "near", mode="walk_lower")
    assert way.minutes == np.float32(wanted)
    assert (way.metres, way.home_m, way.site_m) == (500.0, 500.0, 0.0)
    assert list(way.line.coords) == [(ISLAND.x, ISLAND.y), (SCHOOL.x, SCHOOL.y)]
    assert path(there, net, "island", "far", mode="walk_lower").line.is_empty
    assert np.isinf(path(there, net, "island", "near", mode="bus").minutes)
    for limit, ids in ((wanted, ("island",)), (wanted - 0.01, ())):
        area = isochrones(there, net, "near", mode="walk_lower", limits=[limit])
        assert area["village_ids"].tolist() == [ids]
        assert area.geometry.iloc[0].covers(ISLAND) == bool(ids)
    bands = [band for band in there.bands if band.band == "lower"]
    trip = trips(times, bands, {"lower": ["near", ""]}).iloc[0]
    assert (trip["mode"], trip["metres"], trip["home_m"], trip["site_m"]) == ("walk", 500, 500, 0)


def test_path_home_is_the_slope_home() -> None:
    heights = np.tile(np.arange(0.0, 4000.0, 20.0), (5, 1)).astype(np.float32)
    raster = Elevation(
        heights=heights,
        transform=(100.0, 0.0, ISLAND.x - 1000, 0.0, -100.0, ISLAND.y + 250),
        crs=METRIC.to_string(),
    )
    hill = dataclasses.replace(county(), elevation=raster)
    net = network("A---------B")
    for direction in ("there", "back"):
        times = travel_times(hill, net, direction=direction)
        way = path(hill, net, "island", "near", mode="walk_lower", direction=direction)
        assert way.minutes == np.float32(minutes(times, "walk_lower", "near"))
        assert (way.ascent > 90) == (direction == "there")
