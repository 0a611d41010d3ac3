"""Road actions and the joining of villages: a road more makes no trip longer, odd changes are told."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pytest

from catchment.network.build import without_built
from catchment.network.graph import RoadNetwork, from_lines
from catchment.network.notices import odd_change
from catchment.network.travel import travel_times
from tests.network.ascii_map import network, place, region, roads

# The village stands 100 m off the road; the second road passes as near, joined at its far end.
COUNTY = region({"v": place(1, 1), "w": place(5, 0)}, {"s": place(0, 0)})
NEAR = region({"v": place(1, 1.2), "w": place(5, 0)}, {"s": place(0, 0)})
OLD = "A--------B"
BOTH = "A--------B\n         |\nC--------D"


def _built(whole: RoadNetwork) -> RoadNetwork:
    """Mark everything that lies off the first line as built."""
    middle = whole.shape[(whole.offsets[:-1] + whole.offsets[1:] - 1) // 2]
    line = whole.y[whole.tail[0]]
    apart = np.hypot(0, middle[:, 1] - line) > 1
    apart |= np.abs(whole.y[whole.head] - whole.y[whole.tail]) > 1
    return dataclasses.replace(whole, built=apart)


@pytest.mark.parametrize("direction", ["there", "back", "worst"])
def test_a_new_road_at_the_door_that_leads_the_wrong_way_lengthens_nothing(
    direction: Literal["there", "back", "worst"],
) -> None:
    whole = from_lines(roads(BOTH))
    before = travel_times(NEAR, network(OLD), direction=direction)
    # Taken as a road of the county it is the nearest one, and the way by it is long.
    joined = travel_times(NEAR, whole, direction=direction)
    assert joined.minutes[0, 0, 0] > before.minutes[0, 0, 0] + 10
    after = travel_times(NEAR, _built(whole), direction=direction)
    assert (after.minutes <= before.minutes + 1e-4).all()
    assert after.minutes[0, 0, 0] == pytest.approx(float(before.minutes[0, 0, 0]))
    assert after.metres[0, 0, 0] == pytest.approx(float(before.metres[0, 0, 0]))


def test_a_built_road_that_helps_is_used() -> None:
    whole = _built(from_lines(roads(BOTH)))
    far = region({"v": place(8, 2)}, {"s": place(1, 2)})
    old = travel_times(far, without_built(whole)).minutes[0, 0, 0]
    assert travel_times(far, whole).minutes[0, 0, 0] < old


@pytest.mark.parametrize("seed", range(12))
def test_random_roads_built_lengthen_no_trip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    county = region(
        {f"v{k}": place(*rng.uniform(0, 9, 2)) for k in range(12)},
        {f"s{k}": place(*rng.uniform(0, 9, 2)) for k in range(3)},
    )
    grid = "\n".join(["A--B--C--D", "|     |", "E--F--G--H", "   |     |", "I--J--K--L"])
    whole = from_lines(roads(grid))
    built = dataclasses.replace(whole, built=rng.random(len(whole.tail)) < 0.4)
    before = travel_times(county, without_built(built)).minutes
    after = travel_times(county, built).minutes
    assert (after <= before).all()


def test_a_closed_road_that_shortens_a_trip_is_told() -> None:
    long = travel_times(NEAR, from_lines(roads(BOTH))).minutes
    short = travel_times(NEAR, network(OLD)).minutes
    said = odd_change(("v", "w"), long, short)
    assert "：v /" in said
    assert "变短" in said
    assert f"{(long - short)[:, 0].max():.1f}" in said


def test_what_is_no_oddity_is_not_told() -> None:
    shorter, longer = np.full((1, 1, 1), 5, np.float32), np.full((1, 1, 1), 9, np.float32)
    never = np.full((1, 1, 1), np.inf, np.float32)
    assert not odd_change(("v",), shorter, longer)
    assert not odd_change(("v",), shorter, never)
    assert not odd_change(("v",), never, never)
    assert "：v /" in odd_change(("v",), never, shorter)
