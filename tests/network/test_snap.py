"""Where points join the roads: the nearest edge is not always the one to take."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.network.graph import RoadNetwork, from_lines
from catchment.network.journey import door_to_door
from catchment.network.snap import Attachments, attach
from catchment.network.travel import travel_times
from tests.network.ascii_map import network, place, region, roads


def joined(net: RoadNetwork, *points: shapely.Point, **more: float) -> Attachments:
    return attach(
        net, [p.x for p in points], [p.y for p in points], allowed=net.walk, **more
    )  # fmt: skip


def names(net: RoadNetwork, at: Attachments) -> list[str]:
    return [net.names[s] if s >= 0 else "" for s in at.segment]


def test_the_part_of_an_edge_is_charged_with_its_one_way() -> None:
    net = network("A->>>>>>>>-B")
    at = joined(net, place(2, 0.5), place(8, 0))
    assert at.fraction.tolist() == pytest.approx([2 / 11, 8 / 11])
    assert at.walk_m.tolist() == pytest.approx([50, 0])
    seconds = np.array([110.0])
    ahead = door_to_door(net, seconds, seconds * np.inf, at, slice(0, 1), slice(1, 2), True)
    assert ahead[0][0, 0] == pytest.approx(60)
    assert ahead[1][0, 0] == pytest.approx(600)
    behind = door_to_door(net, seconds, seconds * np.inf, at, slice(1, 2), slice(0, 1), True)
    assert np.isinf(behind[0][0, 0])


MOTORWAYS = """
A---------B

C---------D

E---------F
"""


def test_past_several_motorways_to_the_next_road() -> None:
    lines = roads(MOTORWAYS)
    lines["highway"] = ["motorway", "motorway_link", "unclassified"]
    county = region({"v": place(3, 0.1)}, {"s": place(9, 4)})
    times = travel_times(county, from_lines(lines))
    snap = times.snaps.set_index("id").loc["v"]
    assert (snap["walk_m"], snap["drive_m"]) == pytest.approx((390, 390))
    assert times.metres[:, 0, 0] == pytest.approx(600 + 390)
    # Neither road was passed over as a fragment: they were never candidates.
    assert not snap["moved"]


def test_motorway_alone_leaves_a_village_without_a_road() -> None:
    lines = roads("A---------B").assign(highway="motorway")
    times = travel_times(region({"v": place(3, 0)}, {"s": place(9, 0)}), from_lines(lines))
    assert np.isinf(times.minutes).all()
    assert times.snaps["beyond_limit"].all()
    assert np.isinf(times.snaps["walk_m"]).all()


FRAGMENTS = """
A--B

C----D

E---------F---------G
"""


def test_past_several_fragments_to_the_main_part() -> None:
    net = network(FRAGMENTS)
    near, beyond = place(1, 2.3), place(1, 2.1)
    # The fragment C-D lies 30 and 10 m away, the main part 170 and 190: 140 and 180 m farther.
    at = joined(net, near, beyond, extra_m=150)
    assert names(net, at) == ["EF", "CD"]
    assert at.moved.tolist() == [True, False]
    assert at.walk_m.tolist() == pytest.approx([170, 10])
    assert names(net, joined(net, beyond, extra_m=181)) == ["EF"]
    # From the other fragment past both.
    assert names(net, joined(net, place(1, 0.1), extra_m=1000)) == ["EF"]
    # Never beyond the limit.
    assert names(net, joined(net, near, limit_m=150)) == ["CD"]


def test_a_longer_part_that_is_cut_off_keeps_its_points() -> None:
    drawing = """
A-----------B

E---------F---------G
"""
    net = network(drawing)
    assert names(net, joined(net, place(1, 0.1), extra_m=1000)) == ["AB"]
    assert names(net, joined(net, place(1, 0.1), extra_m=1000, fragment_m=1300)) == ["EF"]


def test_everything_beyond_the_limit_is_told_with_its_distance() -> None:
    net = network("A---------B")
    at = joined(net, place(5, 19.99), place(5, 20.01), shapely.Point(np.nan, np.nan), limit_m=2000)
    assert at.beyond_limit.tolist() == [False, True, True]
    assert at.nearest_m.tolist() == pytest.approx([1999, 2001, np.inf])
    assert np.isinf(at.walk_m[1:]).all()


def test_an_edge_on_footpaths_alone_is_no_stop() -> None:
    drawing = """
A=========B
          |
C---------D
"""
    net = network(drawing)
    county = region({"v": place(0, 0.1)}, {"s": place(10, 2)})
    times = travel_times(county, net)
    snap = times.snaps.set_index("id").loc["v"]
    assert (snap["walk_m"], snap["drive_m"]) == pytest.approx((10, 190))
    assert times.metres[times.modes.index("bus"), 0, 0] == pytest.approx(190 + 1000)
    assert times.metres[0, 0, 0] == pytest.approx(10 + 1000 + 200)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_nearest_as_shapely_reckons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = network(FRAGMENTS)
    points = [place(rng.uniform(-2, 22), rng.uniform(-2, 6)) for _ in range(8)]
    allowed = rng.random(len(net.tail)) < 0.7
    at = attach(
        net, [p.x for p in points], [p.y for p in points], allowed=allowed, extra_m=0, limit_m=300
    )
    lines = [
        shapely.LineString(net.shape[net.offsets[s] : net.offsets[s + 1]])
        for s in np.flatnonzero(allowed)
    ]
    for k, point in enumerate(points):
        nearest = min((line.distance(point) for line in lines), default=np.inf)
        assert at.nearest_m[k] == pytest.approx(nearest)
        assert at.beyond_limit[k] == (nearest > 300)
        if at.segment[k] >= 0:
            assert allowed[at.segment[k]]
            assert at.walk_m[k] == pytest.approx(nearest)
            s = at.segment[k]
            line = shapely.LineString(net.shape[net.offsets[s] : net.offsets[s + 1]])
            spot = line.interpolate(at.fraction[k], normalized=True)
            assert (at.x[k], at.y[k]) == pytest.approx((spot.x, spot.y), abs=0.02)
