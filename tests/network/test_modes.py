"""Modes a band may use, both directions, and the answer from door to door."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.network.allowed import read_band_modes
from catchment.network.graph import from_lines
from catchment.network.modes import read_modes
from catchment.network.travel import TravelTimes, best_mode, travel_times
from catchment.network.trips import trips
from catchment.region.bands import read_bands
from tests.network.ascii_map import network, place, region, roads

BANDS = read_bands()


def allow(folder: Path, text: str) -> Path:
    (folder / "band_modes.csv").write_text("band,mode,allowed,limit_min\n" + text, encoding="utf-8")
    return folder


def minutes(times: TravelTimes, mode: str, village: int = 0, site: int = 0) -> float:
    return float(times.minutes[times.modes.index(mode), village, site])


def test_shipped_table_walks_and_rides_and_boards_as_the_bands_say() -> None:
    table = {(row.band, row.mode): row for row in read_band_modes(BANDS)}
    assert len(table) == 15
    assert [table["lower", m].allowed for m in ("walk", "bus", "ebike", "car", "board")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert table["junior", "board"].allowed
    assert table["upper", "walk"].limit_of(BANDS[1]) == 40
    assert table["lower", "bus"].limit_of(BANDS[0]) == 30


def test_county_table_overrides_by_band_and_for_all(tmp_path: Path) -> None:
    own = allow(tmp_path, "*,ebike,yes,20\nlower,ebike,否,\njunior,board,no,\n") / "band_modes.csv"
    table = {(row.band, row.mode): row for row in read_band_modes(BANDS, own)}
    assert [table[b.band, "ebike"].allowed for b in BANDS] == [False, True, True]
    assert table["upper", "ebike"].limit_of(BANDS[1]) == 20
    assert not table["junior", "board"].allowed
    assert table["upper", "bus"].allowed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nobody,walk,yes,\n", "没有学段"),
        ("lower,sled,yes,\n", "没有学段"),
        ("lower,walk,maybe,\n", "yes 或 no"),
        ("lower,walk,yes,-3\n", "分钟数"),
        ("lower,walk,yes,long\n", "分钟数"),
        ("lower,walk,yes,\nlower,walk,no,\n", "重复"),
    ],
)
def test_wrong_rows_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_band_modes(BANDS, allow(tmp_path, text) / "band_modes.csv")


def test_parents_vehicles_are_off_unless_allowed(tmp_path: Path) -> None:
    county = region({"v": place(0, 0.5)}, {"s": place(10, 0)})
    net = network("A---------B")
    assert "ebike" not in travel_times(county, net).modes
    county = county.replace(folder=allow(tmp_path, "upper,ebike,yes,\nlower,car,yes,\n"))
    times = travel_times(county, net)
    assert times.modes == ("walk_lower", "walk_upper", "walk_junior", "bus", "ebike", "car")
    leg = 50 / (3200 / 60)
    assert minutes(times, "ebike") == pytest.approx(1000 / (15_000 / 60) + leg + 2)
    # 1.2 times the bus's 25 km/h.
    assert minutes(times, "car") == pytest.approx(1000 / (30_000 / 60) + leg + 3)
    assert times.metres[4:, 0, 0] == pytest.approx(1050)
    assert times.home_m[4, 0] == pytest.approx(50)
    assert times.site_m[4, 0] == pytest.approx(0)


def test_vehicles_keep_to_their_roads_and_limits(tmp_path: Path) -> None:
    folder = allow(tmp_path, "*,ebike,yes,\n*,car,yes,\n")
    county = region({"v": place(0, 0)}, {"s": place(10, 0)}).replace(folder=folder)
    lines = roads("A---------B")
    for tags, ebike, car in (
        ({"highway": "cycleway"}, 15.0, math.nan),
        ({"highway": "path"}, math.nan, math.nan),
        ({"highway": "motorway"}, math.nan, math.nan),
        ({"highway": "primary"}, 15.0, 54.0),
        ({"highway": "primary", "maxspeed": "10"}, 10.0, 10.0),
        ({"highway": "primary", "hazard": "yes"}, 10.0, 30.0),
        ({"highway": "primary", "oneway": "-1"}, math.nan, math.nan),
    ):
        times = travel_times(county, from_lines(lines.assign(**tags)))
        for mode, kmh, fixed in (("ebike", ebike, 2), ("car", car, 3)):
            expected = np.inf if math.isnan(kmh) else 1000 / (kmh * 1000 / 60) + fixed
            assert minutes(times, mode) == pytest.approx(expected), (tags, mode)


def test_best_mode_takes_the_first_within_its_limit() -> None:
    names = ("walk_lower", "walk_upper", "walk_junior", "bus", "ebike", "car")
    values = np.array(
        [
            #  near  far   slow bus  all far  no bus  far on foot alone
            [[20.0, 50.0, 50.0, 99.0, 50.0, 70.0]],
            [[20.0, 50.0, 50.0, 99.0, 50.0, 70.0]],
            [[20.0, 50.0, 50.0, 99.0, 50.0, 70.0]],
            [[10.0, 15.0, 45.0, 80.0, np.inf, np.inf]],
            [[5.0, 10.0, 20.0, 70.0, 12.0, np.inf]],
            [[4.0, 8.0, 15.0, 60.0, 9.0, np.inf]],
        ],
        dtype=np.float32,
    )
    empty = travel_times(region({}, {}), network("A-B"))
    times = dataclasses.replace(
        empty, modes=names, villages=("v",), sites=tuple("abcdef"), minutes=values,
        metres=values * 10,
    )  # fmt: skip
    lower = BANDS[:1]
    plain = best_mode(times, lower)[2][0].tolist()
    assert plain == [0, 3, 3, 3, 0, 0]
    with_parents = tuple(
        dataclasses.replace(row, allowed=True) if row.mode in ("ebike", "car") else row
        for row in read_band_modes(BANDS)
    )
    chosen = best_mode(dataclasses.replace(times, allowed=with_parents), lower)[2][0].tolist()
    assert chosen == [0, 3, 4, 3, 4, 0]
    on_foot_only = tuple(
        dataclasses.replace(row, allowed=row.mode == "walk") for row in read_band_modes(BANDS)
    )
    walks = best_mode(dataclasses.replace(times, allowed=on_foot_only), lower)[2][0].tolist()
    assert walks == [0] * 6


def test_a_trip_exactly_at_the_limit_is_within() -> None:
    # 1600 m at 3.2 km/h are 30 minutes sharp, whatever the sum of the pieces rounds to.
    county = region({"v": place(0, 0), "w": place(0.00001, 0)}, {"s": place(16, 0)})
    net = network("A--B---C-----D---E")
    times = travel_times(county, net)
    assert best_mode(times, BANDS[:1])[2][:, 0].tolist() == [0, 0]
    beyond = region({"v": place(-0.01, 0)}, {"s": place(16, 0)})
    assert best_mode(travel_times(beyond, net), BANDS[:1])[2][0, 0] == times.modes.index("bus")


ONE_WAY = """
A->-B
|   |
C---D
"""


def test_there_back_and_the_worse_of_both() -> None:
    county = region({"v": place(1, 0), "w": place(3, 0)}, {"s": place(3, 0)})
    net = network(ONE_WAY)
    there, back, worst = (
        travel_times(county, net, direction=d) for d in ("there", "back", "worst")
    )
    bus = there.modes.index("bus")
    assert there.metres[bus, :, 0].tolist() == pytest.approx([200, 0])
    assert back.metres[bus, :, 0].tolist() == pytest.approx([1000, 0])
    assert worst.minutes.tobytes() == np.maximum(there.minutes, back.minutes).tobytes()
    assert worst.metres[bus, 0, 0] == pytest.approx(1000)
    assert (there.direction, back.direction, worst.direction) == ("there", "back", "worst")
    # On foot both ways are alike on the flat.
    assert there.minutes[:3] == pytest.approx(back.minutes[:3])


def test_uphill_home_takes_longer_than_downhill_to_school() -> None:
    net = network("A---------B")
    net = dataclasses.replace(net, climb=np.array([-100.0], dtype=np.float32))
    county = region({"v": place(0, 0)}, {"s": place(10, 0)})
    there, back = (travel_times(county, net, direction=d) for d in ("there", "back"))
    # Tobler at 10 %: 1.419 up, 1.0 down.
    assert minutes(there, "walk_upper") == pytest.approx(15.0)
    assert minutes(back, "walk_upper") == pytest.approx(15.0 * math.exp(0.35))
    flat = travel_times(
        county, net, direction="back", modes=dataclasses.replace(read_modes(), walk_slope=0)
    )
    assert minutes(flat, "walk_upper") == pytest.approx(15.0)


def test_a_way_that_goes_only_one_way_is_no_way_in_the_worst() -> None:
    county = region({"v": place(0, 0)}, {"s": place(10, 0)})
    net = network("A---->----B")
    assert math.isfinite(minutes(travel_times(county, net), "bus"))
    for direction in ("back", "worst"):
        assert math.isinf(minutes(travel_times(county, net, direction=direction), "bus"))


def test_door_to_door_names_mode_minutes_metres_and_legs() -> None:
    county = region(
        {"near": place(2, 0.5), "far": place(60, 0), "off": place(0, 50)}, {"s": place(0, 0.2)}
    )
    net = network("A" + "-" * 60 + "B")
    there, back = (travel_times(county, net, direction=d) for d in ("there", "back"))
    goals = {band.band: ["s", "s", "s"] for band in BANDS}
    table = trips(there, BANDS, goals, back=back).set_index(["village_id", "band"])
    near = table.loc["near", "upper"]
    assert (near["mode"], near["within"]) == ("walk", True)
    assert near["metres"] == pytest.approx(200 + 50 + 20)
    assert (near["home_m"], near["site_m"]) == pytest.approx((50, 20))
    assert near["minutes"] == near["minutes_back"] == near["minutes_worst"]
    far = table.loc["far", "lower"]
    assert far["mode"] == "bus"
    assert far["minutes"] == pytest.approx(6000 / (25_000 / 60) + 20 / (3200 / 60) + 8)
    assert far["limit_min"] == 30
    assert table.loc["off", "lower"]["mode"] == ""
    assert math.isinf(table.loc["off", "lower"]["minutes"])
    assert not table.loc["off", "lower"]["within"]
    some = trips(there, BANDS, {"lower": ["", "s", "s"]}, back=None).set_index(
        ["village_id", "band"]
    )
    assert some.loc["near", "lower"]["site_id"] == ""
    assert math.isnan(some.loc["near", "lower"]["minutes"])
    assert math.isnan(some.loc["far", "lower"]["minutes_back"])
    assert some.loc["far", "lower"]["minutes_worst"] == some.loc["far", "lower"]["minutes"]


def test_boarding_has_no_daily_trip() -> None:
    county = region({"v": place(250, 0), "w": place(200, 0)}, {"s": place(0, 0)})
    net = network("A" + "-" * 250 + "B")
    there = travel_times(county, net)
    goals = {band.band: ["s", "s"] for band in BANDS}
    table = trips(there, BANDS, goals, beds={"s"}).set_index(["village_id", "band"])
    # 25 km by bus take 68 minutes: beyond 60 for grades 7-9; 20 km take 56.
    boards = table.loc["v", "junior"]
    assert (boards["mode"], boards["within"]) == ("board", True)
    assert math.isnan(boards["minutes"])
    assert boards["weekly_min"] == pytest.approx(25_000 / (25_000 / 60) + 8)
    assert table.loc["w", "junior"]["mode"] == "bus"
    # Grades 1-3 do not board, and nobody does without beds.
    assert table.loc["v", "lower"]["mode"] == "bus"
    assert not table.loc["v", "lower"]["within"]
    assert "board" not in set(trips(there, BANDS, goals)["mode"])


def test_trips_refuse_what_does_not_fit() -> None:
    county = region({"v": place(0, 0)}, {"s": place(1, 0)}, {"c": place(2, 0)})
    net = network("A---B")
    there = travel_times(county, net)
    with pytest.raises(InputError, match="一一对应"):
        trips(there, BANDS, {"lower": []})
    with pytest.raises(InputError, match="没有校点 x"):
        trips(there, BANDS, {"lower": ["x"]})
    with pytest.raises(InputError, match="不一致"):
        trips(there, BANDS, {}, back=travel_times(county, net, sites=["s"]))
