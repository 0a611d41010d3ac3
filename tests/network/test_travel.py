"""Door-to-door times on maps small enough to reckon by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import shapely

from catchment.errors import InputError
from catchment.network.graph import from_lines
from catchment.network.modes import read_modes
from catchment.network.travel import TravelTimes, best_mode, point_times, travel_times
from catchment.region.bands import read_bands
from tests.network.ascii_map import network, place, region, roads

WAITS = 8.0  # 5 minutes' wait and three stops of one minute
VILLAGE_KMH = 25.0  # unclassified


def walk(times: TravelTimes, village: str, site: str) -> tuple[float, float]:
    at = times.modes.index("walk_upper"), times.villages.index(village), times.sites.index(site)
    return float(times.minutes[at]), float(times.metres[at])


def bus(times: TravelTimes, village: str, site: str) -> tuple[float, float]:
    at = times.modes.index("bus"), times.villages.index(village), times.sites.index(site)
    return float(times.minutes[at]), float(times.metres[at])


def on_foot(metres: float) -> float:
    return metres / (4000.0 / 60.0)


def ride(metres: float, access: float = 0.0, kmh: float = VILLAGE_KMH) -> float:
    return metres / (kmh * 1000.0 / 60.0) + access / (3200.0 / 60.0) + WAITS


def test_walk_and_ride_with_access_legs() -> None:
    county = region({"v": place(1, 0.5)}, {"s": place(9, 0.4)})
    times = travel_times(county, network("A---------B"))
    assert times.modes == ("walk_lower", "walk_upper", "walk_junior", "bus")
    assert walk(times, "v", "s") == pytest.approx((on_foot(890), 890))
    assert bus(times, "v", "s") == pytest.approx((ride(800, 90), 890))
    lower = times.modes.index("walk_lower")
    assert times.minutes[lower, 0, 0] == pytest.approx(890 / (3200 / 60))


def test_island_is_unreachable_and_a_result() -> None:
    drawing = """
A---B---C

X---Y
"""
    county = region(
        {"main": place(0, 0), "island": place(1, 2)}, {"s": place(8, 0), "t": place(4, 2)}
    )
    modes = dataclasses.replace(read_modes(), snap_extra_m=0)
    times = travel_times(county, network(drawing), modes=modes)
    assert math.isinf(walk(times, "island", "s")[0])
    assert math.isinf(walk(times, "island", "s")[1])
    assert math.isinf(bus(times, "main", "t")[0])
    assert walk(times, "island", "t")[1] == pytest.approx(300)
    assert times.components["nodes"].tolist() == [3, 2]
    assert times.components["share"].sum() == pytest.approx(1.0)
    assert times.snaps["component"].tolist() == [0, 1, 0, 1]
    assert any("互不连通" in note for note in times.notes)


def test_village_that_reaches_nothing_is_named() -> None:
    drawing = """
A---B---C



X---Y
"""
    county = region({"岛村": place(1, 4), "m": place(0, 0)}, {"s": place(8, 0)})
    times = travel_times(county, network(drawing))
    assert np.isinf(times.minutes[:, 0]).all()
    assert any("没有任何道路通往任何学校：岛村 " in note for note in times.notes)


def test_one_way_trap_is_walked_out_of_but_not_driven() -> None:
    drawing = "A---B---C--->T"
    county = region({"trap": place(13, 0), "a": place(0, 0)}, {"s": place(4, 0), "t": place(13, 0)})
    modes = dataclasses.replace(read_modes(), snap_extra_m=0)
    times = travel_times(county, network(drawing), modes=modes)
    assert math.isinf(bus(times, "trap", "s")[0])
    assert walk(times, "trap", "s")[1] == pytest.approx(900)
    assert bus(times, "a", "t") == pytest.approx((ride(1300), 1300))
    assert any("单行" in note for note in times.notes)


def test_stop_moves_out_of_a_one_way_trap_nearby() -> None:
    drawing = "A---B---C--->T"
    county = region({"v": place(9.5, 0)}, {"s": place(4, 0)})
    times = travel_times(county, network(drawing))
    assert bus(times, "v", "s") == pytest.approx((ride(400, 150), 550))
    assert bool(times.snaps["moved"].iloc[0])


def test_one_way_street_is_followed() -> None:
    drawing = """
A->-B
|   |
C---D
"""
    county = region({"v": place(3, 0)}, {"s": place(1, 0), "t": place(4, 0)})
    times = travel_times(county, network(drawing))
    # Backwards on one and the same one-way segment: once round the block.
    assert bus(times, "v", "s") == pytest.approx((ride(100 + 200 + 400 + 200 + 100), 1000))
    assert walk(times, "v", "s")[1] == pytest.approx(200)
    assert bus(times, "v", "t")[1] == pytest.approx(100)


def test_reversed_one_way() -> None:
    county = region({"v": place(1, 0)}, {"s": place(3, 0)})
    county_back = region({"v": place(3, 0)}, {"s": place(1, 0)})
    net = network("A-<-B")
    assert math.isinf(bus(travel_times(county, net), "v", "s")[0])
    assert bus(travel_times(county_back, net), "v", "s")[1] == pytest.approx(200)


def test_home_at_the_junction_of_a_one_way_street_may_leave_by_any_road() -> None:
    drawing = """
A>>>B
|
C
"""
    lines = roads(drawing)
    county = region({"v": place(0, 0)}, {"s": place(0, 2)})
    for order in ([0, 1], [1, 0]):
        times = travel_times(county, from_lines(lines.iloc[order].reset_index(drop=True)))
        assert bus(times, "v", "s")[1] == pytest.approx(200)


def test_same_segment_direct_both_ways() -> None:
    county = region({"v": place(2, 0), "w": place(8, 0)}, {"s": place(5, 0)})
    times = travel_times(county, network("A---------B"))
    assert walk(times, "v", "s")[1] == pytest.approx(300)
    assert walk(times, "w", "s")[1] == pytest.approx(300)
    here = region({"v": place(5, 0)}, {"s": place(5, 0)})
    assert walk(travel_times(here, network("A---------B")), "v", "s") == pytest.approx((0, 0))


def test_same_segment_by_its_ends_when_that_is_shorter() -> None:
    ring = shapely.LineString([place(0, 0), place(0, 10), place(2, 10), place(2, 0)])
    lines = roads("A-B")
    bow = lines.iloc[[0, 0]].copy()
    bow.geometry = [ring, lines.geometry.iloc[0]]
    county = region({"v": place(0, 1)}, {"s": place(2, 1)})
    times = travel_times(county, from_lines(bow.reset_index(drop=True)))
    assert walk(times, "v", "s")[1] == pytest.approx(400)


def test_parallel_roads_the_shorter_counts() -> None:
    lines = roads("A---B---C")
    around = shapely.LineString([place(4, 0), place(4, 3), place(8, 3), place(8, 0)])
    both = lines.iloc[[0, 1, 1]].copy()
    both.geometry = [*lines.geometry, around]
    county = region({"v": place(0, 0)}, {"s": place(8, 0), "detour": place(6, 3)})
    times = travel_times(county, from_lines(both.reset_index(drop=True)))
    assert walk(times, "v", "s")[1] == pytest.approx(800)
    assert walk(times, "v", "detour")[1] == pytest.approx(400 + 300 + 200)


def test_school_on_a_loop_is_reached_the_shorter_way() -> None:
    lines = roads("A---B")
    loop = shapely.LineString([place(4, 0), place(4, 5), place(9, 5), place(9, 0), place(4.0, 0.0)])
    both = lines.iloc[[0, 0]].copy()
    both.geometry = [lines.geometry.iloc[0], loop]
    net = from_lines(both.reset_index(drop=True))
    county = region({"v": place(0, 0), "w": place(4, 2)}, {"s": place(8, 0)})
    times = travel_times(county, net)
    assert walk(times, "v", "s")[1] == pytest.approx(800)
    assert walk(times, "w", "s")[1] == pytest.approx(600)


def test_segments_without_length_are_measured_and_zero_ones_kept() -> None:
    net = network("A---B---C---D")
    net = dataclasses.replace(net, length=np.array([np.nan, 0.0, -3.0]))
    county = region({"v": place(0, 0)}, {"s": place(12, 0)})
    assert walk(travel_times(county, net), "v", "s")[1] == pytest.approx(1200)


def test_zero_length_segment_still_joins() -> None:
    lines = roads("A---B---C")
    shapes = [
        lines.geometry.iloc[0],
        shapely.LineString([place(4, 0), place(4, 1e-5)]),
        shapely.LineString([place(4, 1e-5), place(8, 0)]),
    ]
    three = lines.iloc[[0, 0, 0]].copy()
    three.geometry = shapes
    county = region({"v": place(0, 0)}, {"s": place(8, 0)})
    times = travel_times(county, from_lines(three.reset_index(drop=True)))
    assert walk(times, "v", "s")[1] == pytest.approx(800, abs=0.05)


def test_bridge_does_not_meet_the_road_below() -> None:
    lines = roads("A---B")
    over = shapely.LineString([place(2, -2), place(2, 2)])
    both = lines.iloc[[0, 0]].copy()
    both.geometry = [lines.geometry.iloc[0], over]
    county = region({"v": place(0, 0)}, {"s": place(2, -2)})
    modes = dataclasses.replace(read_modes(), snap_extra_m=0)
    times = travel_times(county, from_lines(both.reset_index(drop=True)), modes=modes)
    assert math.isinf(walk(times, "v", "s")[0])


def test_footpath_is_walked_but_not_driven() -> None:
    drawing = """
A-----B
:     |
C-----D
"""
    county = region({"v": place(0, 0)}, {"s": place(0, 2)})
    times = travel_times(county, network(drawing))
    assert walk(times, "v", "s")[1] == pytest.approx(200)
    assert bus(times, "v", "s")[1] == pytest.approx(1400)


def test_speeds_and_caps_of_the_bus() -> None:
    lines = roads("A---------B", highway="国道")
    county = region({"v": place(0, 0)}, {"s": place(10, 0)})
    for tags, kmh in (
        ({}, 45.0),
        ({"maxspeed": "30"}, 30.0),
        ({"maxspeed": "80"}, 45.0),
        ({"hazard": "yes"}, 20.0),
        ({"hazard": "是", "maxspeed": "15"}, 15.0),
        ({"highway": "县道"}, 35.0),
        ({"highway": "村道"}, 15.0),
    ):
        times = travel_times(county, from_lines(lines.assign(**tags)))
        assert bus(times, "v", "s")[0] == pytest.approx(ride(1000, kmh=kmh)), tags


def test_no_bus_beyond_the_access_walk_and_the_table_says_so() -> None:
    county = region({"near": place(5, 7.9), "far": place(5, 8.1)}, {"s": place(0, 0)})
    times = travel_times(county, network("A---------B"))
    assert bus(times, "near", "s")[0] == pytest.approx(ride(500, 790))
    assert math.isinf(bus(times, "far", "s")[0])
    assert walk(times, "far", "s")[1] == pytest.approx(1310)
    assert times.snaps["bus"].tolist() == [True, False, True]
    assert times.snaps["drive_m"].tolist() == pytest.approx([790, 810, 0])
    assert any("far" in note and "不能乘车" in note for note in times.notes)


def test_nothing_is_snapped_beyond_the_limit() -> None:
    county = region({"far": place(35, 20.1), "v": place(5, 19.9)}, {"s": place(0, 0)})
    times = travel_times(county, network("A-------------------------------------------B"))
    assert times.snaps["beyond_limit"].tolist() == [True, False, False]
    assert times.snaps["walk_m"].iloc[0] == pytest.approx(2010)
    assert np.isinf(times.minutes[:, 0]).all()
    assert walk(times, "v", "s")[1] == pytest.approx(500 + 1990)
    assert any("far" in note and "未接入" in note for note in times.notes)


def test_no_bus_stop_on_a_motorway() -> None:
    lines = roads(
        """
A---------B

C---------D
"""
    )
    lines["highway"] = ["motorway", "unclassified"]
    county = region({"v": place(5, 0.1)}, {"s": place(0, 2)})
    times = travel_times(county, from_lines(lines))
    assert times.snaps["drive_m"].iloc[0] == pytest.approx(190)
    assert walk(times, "v", "s")[1] == pytest.approx(500 + 190)


def test_candidate_sites_and_chosen_sites() -> None:
    county = region({"v": place(0, 0)}, {"s": place(4, 0)}, {"new": place(9, 0)})
    net = network("A---------B")
    assert travel_times(county, net).sites == ("s", "new")
    one = travel_times(county, net, sites=["new"])
    assert one.sites == ("new",)
    assert walk(one, "v", "new")[1] == pytest.approx(900)
    with pytest.raises(InputError, match="没有 nowhere"):
        travel_times(county, net, sites=["nowhere"])
    twice = region({"v": place(0, 0)}, {"s": place(4, 0)}, {"s": place(9, 0)})
    with pytest.raises(InputError, match="代码 s 重复"):
        travel_times(twice, net)


def test_points_have_the_times_of_villages_and_are_not_named() -> None:
    net = network("A---------B")
    county = region({"v": place(2, 1), "far": place(0, 50)}, {"s": place(9, 0)})
    whole = travel_times(county, net)
    points = county.villages.geometry
    quick = point_times(county, net, points.x.to_numpy(), points.y.to_numpy(), ids=["p1", "p2"])
    np.testing.assert_allclose(quick.minutes, whole.minutes, rtol=1e-6)
    assert np.isnan(quick.metres[np.isfinite(quick.minutes)]).all()
    assert not any("p2" in note for note in quick.notes)
    full = point_times(county, net, points.x.to_numpy(), points.y.to_numpy(), metres=True)
    np.testing.assert_allclose(full.metres, whole.metres)


def test_no_villages_and_no_schools() -> None:
    net = network("A---------B")
    assert travel_times(region({}, {"s": place(1, 0)}), net).minutes.shape == (4, 0, 1)
    assert travel_times(region({"v": place(1, 0)}, {}), net).minutes.shape == (4, 1, 0)


def test_village_without_a_place_is_listed() -> None:
    county = region({"lost": shapely.Point(), "v": place(0, 0)}, {"s": place(4, 0)})
    times = travel_times(county, network("A---------B"))
    assert np.isinf(times.minutes[:, 0]).all()
    assert times.snaps["beyond_limit"].tolist() == [True, False, False]
    assert walk(times, "v", "s")[1] == pytest.approx(400)


def test_best_mode_walks_then_rides_then_walks_anyway() -> None:
    minutes = np.array(
        [
            # near, far, no bus, none
            [[20, 50, 50, np.inf]],
            [[16, 40, 45, np.inf]],
            [[14, 41, 40, np.inf]],
            [[10, 15, np.inf, np.inf]],
        ],
        dtype=np.float32,
    )
    names = ("walk_lower", "walk_upper", "walk_junior", "bus")
    metres = (minutes * 10).astype(np.float32)
    empty = travel_times(region({}, {}), network("A-B"))
    times = dataclasses.replace(
        empty, modes=names, villages=("v",), sites=tuple("abcd"), minutes=minutes, metres=metres
    )
    best, length, mode = best_mode(times, read_bands())
    assert mode.tolist() == [[0, 3, 0, -1], [1, 1, 1, -1], [2, 3, 2, -1]]
    assert best.tolist() == [[20, 15, 50, np.inf], [16, 40, 45, np.inf], [14, 15, 40, np.inf]]
    assert length.tolist() == (best * 10).tolist()
    with pytest.raises(InputError, match="缺少学段 lower"):
        best_mode(dataclasses.replace(times, modes=("a", "b", "c", "bus")), read_bands())


def test_groups_are_ordered_by_village_then_band() -> None:
    county = region({"v": place(0, 0), "w": place(5, 0)}, {"s": place(10, 0)})
    minutes, _, mode = best_mode(travel_times(county, network("A---------B")), read_bands())
    assert mode[:, 0].tolist() == [0, 1, 2, 0, 1, 2]
    assert minutes[3, 0] == pytest.approx(500 / (3200 / 60))


def test_same_input_same_bytes() -> None:
    county = region({"v": place(0, 0.3), "w": place(5, 0.2)}, {"s": place(10, 0.1)})
    one, two = (travel_times(county, network("A---B-----C")) for _ in range(2))
    assert one.minutes.tobytes() == two.minutes.tobytes()
    assert one.metres.tobytes() == two.metres.tobytes()
    assert one.notes == two.notes
