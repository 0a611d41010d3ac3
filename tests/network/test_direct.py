"""Straight walks of villages without a mapped road: offered, refused, labelled."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pytest
import shapely

from catchment.network.graph import from_lines
from catchment.network.travel import TravelTimes, travel_times
from catchment.region.elevation import Elevation
from catchment.region.model import Region
from tests.network.ascii_map import METRIC, network, place, region, roads

# The island lies 30 km off the only road; its school a kilometre from the village.
ISLAND, SCHOOL, FAR_SCHOOL = place(300, 0), place(310, 0), place(340, 0)


def county(**more: object) -> Region:
    return region({"island": ISLAND, "v": place(5, 0)}, {"near": SCHOOL, "far": FAR_SCHOOL})


def minutes(times: TravelTimes, mode: str, site: str) -> float:
    where = times.modes.index(mode), times.villages.index("island"), times.sites.index(site)
    return float(times.minutes[where])


def test_straight_walk_at_the_speed_of_the_band_labelled_and_still_listed() -> None:
    times = travel_times(county(), network("A---------B"))
    assert minutes(times, "walk_lower", "near") == pytest.approx(1000 / (3200 / 60))
    assert minutes(times, "walk_junior", "near") == pytest.approx(1000 / (4500 / 60))
    assert times.metres[0, 0, 0] == pytest.approx(1000)
    assert np.isinf(minutes(times, "bus", "near"))
    assert np.isinf(minutes(times, "walk_junior", "far"))  # 4 km: beyond every walking limit
    assert times.direct.tolist() == [[True, False], [False, False]]
    assert times.snaps["beyond_limit"].tolist()[:2] == [True, False]
    assert any("island" in note and "直线步行" in note for note in times.notes)


def test_longest_straight_walk_is_the_limit_of_the_band() -> None:
    bands = county().bands
    lower = next(band for band in bands if band.band == "lower")
    metres = lower.walk_limit_min * lower.walk_kmh * 1000 / 60
    for over, offered in ((-1.0, True), (1.0, False)):
        at = shapely.Point(ISLAND.x + metres + over, ISLAND.y)
        times = travel_times(region({"island": ISLAND}, {"near": at}), network("A---------B"))
        assert np.isfinite(minutes(times, "walk_lower", "near")) == offered


def test_a_main_road_a_railway_or_the_county_line_between_forbids_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = roads("A---------B")
    lines["highway"] = ["unclassified"]
    wall = shapely.LineString([(ISLAND.x + 500, ISLAND.y - 900), (ISLAND.x + 500, ISLAND.y + 900)])
    trunk = gpd.GeoDataFrame({"highway": ["motorway"]}, geometry=[wall], crs=METRIC)
    both = gpd.GeoDataFrame(
        {"highway": ["unclassified", "motorway"]}, geometry=[*lines.geometry, wall], crs=METRIC
    )
    assert len(trunk) == 1
    assert not travel_times(county(), from_lines(both)).direct.size
    outline = gpd.GeoDataFrame(
        {"boundary_id": ["c"], "name": ["c"], "kind": ["county"]},
        geometry=[shapely.box(ISLAND.x - 1e5, ISLAND.y - 1e4, ISLAND.x + 400, ISLAND.y + 1e4)],
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
