"""Areas around schools, ways drawn, and what lies apart, on maps small enough to reckon by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import InputError, NotFoundError
from catchment.network.graph import RoadNetwork, from_lines
from catchment.network.reach import access_report, component_report, isochrones, path
from catchment.network.travel import point_times, travel_times
from catchment.region.elevation import Elevation
from tests.network.ascii_map import METRIC, network, place, region, roads

WALK = "walk_upper"  # 4 km/h: 66.67 m a minute
LONG_ROAD = "A---------B---------C---------D---------E"


def test_isochrone_ends_within_a_segment_and_is_nested() -> None:
    county = region({"near": place(10, 0), "far": place(31, 0)}, {"s": place(0, 0)})
    areas = isochrones(county, network(LONG_ROAD), "s", mode=WALK)
    assert areas["minutes"].tolist() == [15, 30, 40]
    assert areas["village_ids"].tolist() == [("near",), ("near",), ("near",)]
    assert areas["villages"].tolist() == [1, 1, 1]
    # 15, 30 and 40 minutes at 4 km/h = 1000, 2000 and 2667 m, and 100 m around.
    east = areas.geometry.bounds["maxx"].to_numpy() - place(0, 0).x
    assert east == pytest.approx([1100, 2100, 2666.7 + 100], abs=0.1)
    small, middle, large = areas.geometry
    assert middle.covers(small)
    assert large.covers(middle)
    assert areas.crs == METRIC


def test_a_village_exactly_at_the_limit_is_within() -> None:
    # 1500 m at 4 km/h take 22.5 minutes; 1499.99... and float noise do not matter.
    county = region({"v": place(15, 0), "beyond": place(15.001, 0)}, {"s": place(0, 0)})
    areas = isochrones(county, network(LONG_ROAD), "s", mode=WALK, limits=(22.5,))
    assert areas["village_ids"].iloc[0] == ("v",)


def test_access_legs_count_and_reached_villages_lie_inside() -> None:
    county = region({"off": place(5, 4)}, {"s": place(0, 3)})
    areas = isochrones(county, network(LONG_ROAD), "s", mode=WALK, limits=(10, 18))
    assert areas["villages"].tolist() == [0, 1]
    assert not areas.geometry.iloc[0].covers(place(5, 4))
    assert areas.geometry.iloc[1].covers(place(5, 4))
    # 10 minutes = 666.7 m, of which 300 m are the school's own leg.
    assert areas.geometry.iloc[0].bounds[2] - place(0, 0).x == pytest.approx(366.7 + 100, abs=0.1)


def test_area_is_cut_at_the_county() -> None:
    box = gpd.GeoDataFrame(
        {"boundary_id": ["c"], "kind": ["county"]},
        geometry=[shapely.box(place(-1, 0).x, place(0, 1).y, place(5, 0).x, place(0, -1).y)],
        crs=METRIC,
    )
    county = region({"v": place(10, 0)}, {"s": place(0, 0)}, boundaries=box)
    areas = isochrones(county, network(LONG_ROAD), "s", mode=WALK)
    assert (areas.geometry.bounds["maxx"] <= place(5, 0).x + 1e-6).all()
    # The village beyond the boundary still counts: its minutes are what they are.
    assert areas["villages"].tolist() == [1, 1, 1]


def test_bus_waits_and_follows_one_way_roads() -> None:
    county = region({"v": place(2, 0)}, {"s": place(10, 0)})
    net = network("A--->-----B")
    there = isochrones(county, net, "s", mode="bus", limits=(8, 15))
    assert there["villages"].tolist() == [0, 1]
    assert there.geometry.iloc[1].covers(place(0, 0))
    home = isochrones(region({"v": place(10, 0)}, {"s": place(2, 0)}), net, "s", mode="bus")
    assert home["villages"].sum() == 0
    assert not home.geometry.iloc[2].covers(place(6, 0))


def test_a_site_off_the_roads_reaches_nothing() -> None:
    county = region({"v": place(0, 0)}, {"s": place(0, 50)})
    areas = isochrones(county, network(LONG_ROAD), "s", mode=WALK)
    assert areas["villages"].tolist() == [0, 0, 0]
    assert areas.geometry.is_empty.all()


@pytest.mark.parametrize("wrong", [{"limits": ()}, {"limits": (0,)}, {"limits": (math.inf,)}])
def test_limits_are_checked(wrong: dict[str, tuple[float, ...]]) -> None:
    county = region({"v": place(0, 0)}, {"s": place(0, 0)})
    with pytest.raises(InputError, match="limits"):
        isochrones(county, network(LONG_ROAD), "s", mode=WALK, **wrong)
    with pytest.raises(InputError, match="没有这种方式"):
        isochrones(county, network(LONG_ROAD), "s", mode="balloon")
    with pytest.raises(InputError, match="没有 x"):
        isochrones(county, network(LONG_ROAD), "x", mode=WALK)


GRID = """
A--B->-C---D
|  |   :   |
E<-F---G---H
|  :   |   v
I--J---K---L
"""


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A county's folder whose table allows a parent's e-bike and vehicle."""
    folder = tmp_path_factory.mktemp("county")
    (folder / "band_modes.csv").write_text(
        "band,mode,allowed\n*,ebike,yes\n*,car,是\n", encoding="utf-8"
    )
    return folder


@given(seed=st.integers(0, 2**32 - 1), mode=st.sampled_from([WALK, "bus", "car", "ebike"]))
@settings(deadline=None, max_examples=15)
def test_reached_stretches_are_those_whose_points_reach_the_school(
    allowing: Path, seed: int, mode: str
) -> None:
    rng = np.random.default_rng(seed)
    net = network(GRID)
    county = region({}, {"s": place(rng.uniform(0, 11), rng.uniform(0, 4))})
    county = county.replace(folder=allowing)
    limit = float(rng.uniform(3, 14))
    area = isochrones(county, net, "s", mode=mode, limits=(limit,), buffer_m=0.5).geometry.iloc[0]
    segment = rng.integers(0, len(net.tail), 60)
    spots = [
        _line(net, int(s)).interpolate(rng.uniform(0.02, 0.98), normalized=True) for s in segment
    ]
    times = point_times(county, net, [p.x for p in spots], [p.y for p in spots])
    minutes = times.minutes[times.modes.index(mode), :, 0]
    for k, spot in enumerate(spots):
        # Near the limit the buffer decides; off roads that the mode may use the leg does.
        if abs(minutes[k] - limit) < 0.05 or times.home_m[times.modes.index(mode), k] > 0.01:
            continue
        assert area.covers(spot) == (minutes[k] <= limit), (mode, limit, minutes[k], spot)


def _line(net: RoadNetwork, segment: int) -> shapely.LineString:
    return shapely.LineString(net.shape[net.offsets[segment] : net.offsets[segment + 1]])


def test_way_with_legs_classes_and_names() -> None:
    lines = roads("A---B---C")
    lines["highway"] = ["unclassified", "primary"]
    net = from_lines(lines)
    county = region({"v": place(1, 0.5)}, {"s": place(6, 1)})
    way = path(county, net, "v", "s", mode=WALK)
    assert way.metres == pytest.approx(50 + 500 + 100)
    assert way.minutes == pytest.approx(650 / (4000 / 60))
    assert (way.home_m, way.site_m) == pytest.approx((50, 100))
    assert dict(way.classes) == pytest.approx({"primary": 200, "unclassified": 300})
    assert way.names == ("AB", "BC")
    expected = [place(1, 0.5), place(1, 0), place(4, 0), place(6, 0), place(6, 1)]
    assert shapely.get_coordinates(way.line) == pytest.approx(shapely.get_coordinates(expected))
    assert way.distance_m.size == way.height_m.size == 0
    assert math.isnan(way.ascent)


def test_way_back_of_a_one_way_road_goes_round() -> None:
    drawing = """
A->-B
|   |
C---D
"""
    county = region({"v": place(1, 0)}, {"s": place(3, 0)})
    net = network(drawing)
    assert path(county, net, "v", "s", mode="bus").metres == pytest.approx(200)
    back = path(county, net, "v", "s", mode="bus", direction="back")
    assert back.metres == pytest.approx(100 + 200 + 400 + 200 + 100)
    assert shapely.get_coordinates(back.line)[[0, -1]] == pytest.approx(
        shapely.get_coordinates([place(3, 0), place(1, 0)])
    )


def test_profile_up_and_down_and_on_a_bridge() -> None:
    # A ridge across the road: 0 m at both ends, 100 m in the middle, a metre of height every 10 m.
    x = np.arange(-500, 2600, 100.0)
    heights = np.tile(100.0 - np.abs(x + 50 - 1000) / 10.0, (30, 1)).astype(np.float32)
    origin = place(0, 0)
    ridge = Elevation(
        heights, (100.0, 0.0, origin.x - 500, 0.0, -100.0, origin.y + 1500), METRIC.to_wkt()
    )
    county = region({"v": place(0, 0)}, {"s": place(20, 0)}).replace(elevation=ridge)
    net = network("A---------B---------C")
    way = path(county, net, "v", "s", mode=WALK)
    assert way.distance_m[[0, -1]] == pytest.approx([0, 2000])
    assert way.ascent == pytest.approx(95, abs=5.1)
    assert way.descent == pytest.approx(way.ascent, abs=5.1)
    assert way.height_m.max() == pytest.approx(95, abs=5.1)
    # A tunnel through the ridge is level.
    under = dataclasses.replace(net, bridge=np.ones(len(net.tail), dtype=bool))
    through = path(county, under, "v", "s", mode=WALK)
    assert len(through.height_m) == 3
    out, home = (path(county, net, "v", "s", mode=WALK, direction=d) for d in ("there", "back"))
    assert home.height_m == pytest.approx(out.height_m[::-1])
    assert (home.ascent, home.descent) == pytest.approx((out.descent, out.ascent))


def test_no_way_is_a_result() -> None:
    county = region({"v": place(0, 0)}, {"s": place(0, 60)})
    way = path(county, network(LONG_ROAD), "v", "s", mode=WALK)
    assert way.line.is_empty
    assert math.isinf(way.minutes)
    assert math.isinf(way.metres)
    assert way.classes == ()


def test_school_in_the_village() -> None:
    county = region({"v": place(1, 0)}, {"s": place(1, 0)})
    way = path(county, network(LONG_ROAD), "v", "s", mode=WALK)
    assert (way.minutes, way.metres, way.line.length) == (0, 0, 0)
    assert not way.line.is_empty


def test_no_way_of_a_student_or_a_point() -> None:
    pupils = gpd.GeoDataFrame({"student_id": ["p1"]}, geometry=[place(0, 0)], crs=METRIC)
    county = region({"v": place(0, 0)}, {"s": place(1, 0)}).replace(students=pupils)
    net = network(LONG_ROAD)
    with pytest.raises(InputError, match="never for a student"):
        path(county, net, "p1", "s", mode=WALK)
    with pytest.raises(InputError, match="never for a student"):
        path(county, net, place(0, 0), "s", mode=WALK)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="没有村 w"):
        path(county, net, "w", "s", mode=WALK)


@given(st.integers(0, 2**32 - 1), st.sampled_from([WALK, "bus"]))
@settings(deadline=None, max_examples=25)
def test_ways_are_as_long_as_the_times_say(seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    net = network(GRID)
    points = {f"v{k}": place(rng.uniform(0, 11), rng.uniform(0, 4)) for k in range(3)}
    county = region(points, {"s": place(rng.uniform(0, 11), rng.uniform(0, 4))})
    for direction in ("there", "back"):
        times = travel_times(county, net, direction=direction)
        at = times.modes.index(mode)
        for k, village in enumerate(times.villages):
            way = path(county, net, village, "s", mode=mode, direction=direction)
            assert way.minutes == times.minutes[at, k, 0]
            if math.isfinite(way.minutes):
                assert way.metres == pytest.approx(float(times.metres[at, k, 0]), abs=0.02)
                assert way.line.length == pytest.approx(way.metres, abs=0.05)


def test_villages_without_a_road_are_listed_with_their_leg() -> None:
    county = region(
        {"on": place(2, 0), "long": place(2, 6), "foot": place(5, 12), "none": place(5, 40)},
        {"s": place(0, 0)},
    )
    county.villages["name"] = ["甲", "乙", "丙", "丁"]
    net = network(LONG_ROAD)
    table = access_report(county, net, travel_times(county, net))
    assert table["village_id"].tolist() == ["none", "foot", "long"]
    assert table["state"].tolist() == ["no_road", "no_vehicle_road", "long_leg"]
    assert table["walk_m"].tolist() == pytest.approx([4000, 1200, 600])
    assert table["walk_min"].iloc[2] == pytest.approx(600 / (3200 / 60))
    assert table["name"].tolist() == ["丁", "丙", "乙"]


def test_parts_that_are_cut_off_name_their_villages() -> None:
    drawing = """
A---------B---------C



X---------Y
"""
    county = region({"v": place(1, 0), "cut": place(2, 4)}, {"s": place(5, 0)}, {"c": place(6, 0)})
    net = network(drawing)
    table = component_report(county, net, travel_times(county, net))
    assert table["km"].tolist() == pytest.approx([2, 1])
    assert table["village_ids"].tolist() == [("v",), ("cut",)]
    assert table["school_ids"].tolist() == [("s",), ()]
    assert table["sites"].tolist() == [1, 0]
    assert table["cut_off"].tolist() == [False, True]
