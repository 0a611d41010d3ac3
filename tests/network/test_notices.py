"""Changes of roads that move trips the wrong way, because villages join another road."""

from __future__ import annotations

import numpy as np

from catchment.network.graph import from_lines
from catchment.network.notices import odd_change
from catchment.network.travel import travel_times
from tests.network.ascii_map import network, place, region, roads

# The village stands 100 m off the road; the second road passes as near, joined at its far end.
COUNTY = region({"v": place(1, 1), "w": place(5, 0)}, {"s": place(0, 0)})
OLD = "A--------B"


def test_a_new_road_at_the_door_that_leads_the_wrong_way_is_told() -> None:
    both = roads("A--------B\n         |\nC--------D")
    before = travel_times(COUNTY, network(OLD)).minutes
    after = travel_times(COUNTY, from_lines(both)).minutes
    assert after[0, 0, 0] == before[0, 0, 0]  # as near as before: the first road is kept
    near = region({"v": place(1, 1.2), "w": place(5, 0)}, {"s": place(0, 0)})
    before = travel_times(near, network(OLD)).minutes
    after = travel_times(near, from_lines(both)).minutes
    assert after[0, 0, 0] > before[0, 0, 0] + 10
    said = odd_change(("v", "w"), before, after, built=True, closed=False)
    assert "：v /" in said
    assert "变长" in said
    assert f"{(after - before)[:, 0].max():.1f}" in said
    said = odd_change(("v", "w"), after, before, built=False, closed=True)
    assert "变短" in said


def test_changes_the_right_way_and_mixed_ones_are_not_told() -> None:
    longer, shorter = np.full((1, 1, 1), 9, np.float32), np.full((1, 1, 1), 4, np.float32)
    never = np.full((1, 1, 1), np.inf, np.float32)
    assert not odd_change(("v",), longer, shorter, built=True, closed=False)
    assert not odd_change(("v",), shorter, never, built=False, closed=True)
    assert not odd_change(("v",), never, never, built=True, closed=False)
    assert not odd_change(("v",), shorter, longer, built=True, closed=True)
    assert "：v /" in odd_change(("v",), shorter, never, built=True, closed=False)
