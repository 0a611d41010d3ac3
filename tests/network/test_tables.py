"""Tables of modes and road classes, tags, and what slope does to walking."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.network.load import with_heights
from catchment.network.modes import read_modes
from catchment.network.roads import read_road_classes, road_use, speed_kmh
from catchment.network.slope import slope_factors, tobler_factor
from catchment.network.travel import travel_times
from catchment.region.elevation import Elevation
from tests.network.ascii_map import METRIC, network, place, region


def use(highway: str, **tags: str) -> tuple[bool, bool, bool]:
    classes = read_road_classes()
    at = next(k for k, c in enumerate(classes) if c.code == highway)
    found = road_use({k.replace("__", ":"): v for k, v in tags.items()}, at, classes[at])
    return found.walk, found.forward, found.backward


@pytest.mark.parametrize(
    ("highway", "tags", "expected"),
    [
        ("primary", {}, (True, True, True)),
        ("primary", {"oneway": "yes"}, (True, True, False)),
        ("primary", {"oneway": "-1"}, (True, False, True)),
        ("primary", {"oneway": "yes", "oneway__bus": "no"}, (True, True, True)),
        ("tertiary", {"junction": "roundabout"}, (True, True, False)),
        ("tertiary", {"junction": "roundabout", "oneway": "no"}, (True, True, True)),
        ("motorway", {}, (False, True, False)),
        ("motorway", {"oneway": "no"}, (False, True, True)),
        ("service", {"access": "private"}, (False, False, False)),
        ("service", {"access": "private", "foot": "yes"}, (True, False, False)),
        ("service", {"access": "no", "motor_vehicle": "yes"}, (False, True, True)),
        ("service", {"access": "no", "bus": "designated"}, (False, True, True)),
        ("tertiary", {"motor_vehicle": "no"}, (True, False, False)),
        ("tertiary", {"foot": "no"}, (False, True, True)),
        ("tertiary", {"access": "destination"}, (True, True, True)),
        ("track", {}, (True, False, False)),
        ("track", {"motor_vehicle": "yes"}, (True, True, True)),
        ("track", {"access": "yes"}, (True, False, False)),
        ("path", {"motor_vehicle": "yes"}, (True, False, False)),
        ("motorway", {"access": "yes"}, (False, True, False)),
    ],
)
def test_use_of_roads(highway: str, tags: dict[str, str], expected: tuple[bool, ...]) -> None:
    assert use(highway, **tags) == expected


@pytest.mark.parametrize(
    ("text", "kmh"),
    [("40", 40), ("40 km/h", 40), ("30 mph", 48.28), ("４０", 40), ("40.0", 40)],
)
def test_speed_limits(text: str, kmh: float) -> None:
    assert speed_kmh(text) == pytest.approx(kmh, abs=0.01)


@pytest.mark.parametrize("text", ["", "none", "signals", "CN:urban", "0", "999", "-5"])
def test_speed_limits_that_are_none(text: str) -> None:
    assert math.isnan(speed_kmh(text))


def test_county_table_overrides_and_is_checked(tmp_path: Path) -> None:
    own = tmp_path / "modes.csv"
    own.write_text("key,value\nbus_wait_min,10\n", encoding="utf-8-sig")
    assert read_modes(own).bus_wait_min == 10
    assert read_modes(own).bus_cap_kmh == 60
    own.write_text("key,value\nbus_wait,10\n", encoding="utf-8")
    with pytest.raises(InputError, match="第 2 行：没有“bus_wait”"):
        read_modes(own)
    for value in ("快", "-1", "nan", "inf", ""):
        own.write_text(f"key,value\nbus_wait_min,{value}\n", encoding="utf-8")
        with pytest.raises(InputError, match="bus_wait_min"):
            read_modes(own)


def test_a_county_s_own_table_is_used(tmp_path: Path) -> None:
    (tmp_path / "modes.csv").write_text("key,value\nbus_wait_min,15\n", encoding="utf-8")
    county = region({"v": place(0, 0)}, {"s": place(9, 0)})
    net = network("A---------B")
    own = county.replace(folder=tmp_path)
    at = travel_times(county, net).minutes[-1, 0, 0]
    assert travel_times(own, net).minutes[-1, 0, 0] == pytest.approx(float(at) + 10)


def test_road_classes_are_checked(tmp_path: Path) -> None:
    own = tmp_path / "roads.csv"
    head = "class,aliases,walk,drive,stop,bus_kmh,cap_kmh,oneway,rank,zh,en,source\n"
    own.write_text(head + "primary,国道,yes,yes,yes,50,60,no,1,国道,National,\n", encoding="utf-8")
    assert read_road_classes(own)[0].bus_kmh == 50
    own.write_text(
        head + "primary,国道,yes,maybe,yes,50,60,no,1,国道,National,\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="第 2 行"):
        read_road_classes(own)
    row = "{},国道,yes,yes,yes,50,60,no,1,国道,National,\n"
    own.write_text(head + row.format("primary") + row.format("trunk"), encoding="utf-8")
    with pytest.raises(InputError, match="国道"):
        read_road_classes(own)


def test_no_bus_goes_faster_than_the_law() -> None:
    modes = read_modes()
    assert modes.bus_cap_kmh <= 60
    assert modes.bus_hazard_kmh <= 20
    for item in read_road_classes():
        assert min(item.bus_kmh, item.cap_kmh) <= 60


def plane(east: float, void: bool = False) -> Elevation:
    """Heights that rise ``east`` metres a metre, 30 m cells around the drawing."""
    corner = place(-20, -20)
    columns = 500
    centre = (np.arange(columns) + 0.5) * 30.0 - 2000.0
    heights = np.tile((1000.0 + east * centre).astype(np.float32), (columns, 1))
    if void:
        heights[:, centre > 500] = np.nan
    return Elevation(heights, (30.0, 0.0, corner.x, 0.0, -30.0, corner.y), "EPSG:4547")


def test_walking_uphill_and_downhill() -> None:
    net = with_heights(network("A---------B"), plane(0.10), METRIC, read_modes())
    west = region({"v": place(0, 0)}, {"s": place(10, 0)})
    east = region({"v": place(10, 0)}, {"s": place(0, 0)})
    up = travel_times(west, net).minutes[0, 0, 0]
    down = travel_times(east, net).minutes[0, 0, 0]
    flat = 1000 / (3200 / 60)
    assert up == pytest.approx(flat * math.exp(3.5 * 0.10), rel=1e-4)
    assert down == pytest.approx(flat * math.exp(3.5 * (0.05 - 0.05)), rel=1e-4)
    assert travel_times(west, net).metres[0, 0, 0] == pytest.approx(1000)
    bus = travel_times(west, net).minutes[-1, 0, 0]
    assert bus == pytest.approx(travel_times(east, net).minutes[-1, 0, 0])
    level = dataclasses.replace(read_modes(), walk_slope=0)
    assert travel_times(west, net, modes=level).minutes[0, 0, 0] == pytest.approx(flat)


def test_hill_between_level_ends_is_felt() -> None:
    raster = plane(0.0)
    hill = raster.heights.copy()
    centre = (np.arange(hill.shape[1]) + 0.5) * 30.0 - 2000.0
    hill += (200.0 - np.abs(centre - 500.0) * 0.4).clip(0).astype(np.float32)
    net = with_heights(
        network("A---------B"), dataclasses.replace(raster, heights=hill), METRIC, read_modes()
    )
    assert abs(float(net.climb[0])) < 2.0
    assert net.walk_factor_forward[0] > 1.8
    assert net.walk_factor_forward[0] == pytest.approx(float(net.walk_factor_backward[0]), rel=0.02)
    over = dataclasses.replace(network("A---------B"), bridge=np.array([True]))
    across = with_heights(over, dataclasses.replace(raster, heights=hill), METRIC, read_modes())
    assert across.walk_factor_forward[0] == pytest.approx(1.0, abs=0.02)


def test_voids_count_as_flat_and_are_noted() -> None:
    net = with_heights(network("A---------B"), plane(0.1, void=True), METRIC, read_modes())
    assert net.climb[0] == 0
    assert 1.0 < net.walk_factor_forward[0] < 1.419
    assert any("1 段道路共 0.6 公里（全部 1.0 公里）没有高程" in note for note in net.notes)


def test_steepest_slope_is_capped_and_symmetric() -> None:
    net = with_heights(network("A---------B"), plane(3.0), METRIC, read_modes())
    assert net.walk_factor_forward[0] == pytest.approx(float(tobler_factor(0.45)), rel=1e-5)
    assert net.walk_factor_backward[0] == pytest.approx(float(tobler_factor(-0.45)), rel=1e-5)


def test_factors_of_a_road_added_later_go_by_its_climb() -> None:
    net = with_heights(network("A---------B"), plane(0.1), METRIC, read_modes())
    more = dataclasses.replace(
        net,
        tail=np.append(net.tail, 0).astype(np.int32),
        head=np.append(net.head, 1).astype(np.int32),
        length=np.append(net.length, 500.0),
        climb=np.append(net.climb, 50.0).astype(np.float32),
    )
    forward, backward = slope_factors(more, read_modes())
    assert forward[1] == pytest.approx(float(tobler_factor(0.1)), rel=1e-6)
    assert backward[1] == pytest.approx(float(tobler_factor(-0.1)), rel=1e-6)
