"""Networks and searches kept on disk: the same answers bit for bit, and no trust in files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from catchment.network.build import close_road
from catchment.network.kept import Kept
from catchment.network.load import load_network
from catchment.network.modes import read_modes
from catchment.network.shortest import prepare
from catchment.network.travel import TravelTimes, travel_times
from catchment.region.elevation import Elevation
from tests.network.ascii_map import METRIC, network, place, region, roads
from tests.network.test_osm import write_osm
from tests.tiny_region import tiny_region

MAP = """
A--B->-C---D
|  |   |   |
E<-F---G---H
"""
VILLAGES = {"v": place(1, 0.3), "w": place(9, 1.6), "x": place(4, 1), "off": place(0, 60)}
SCHOOLS = {"s": place(3, 0.1), "t": place(11, 1), "cut": place(5, 60)}


def same(one: TravelTimes, other: TravelTimes) -> None:
    for field in ("minutes", "metres", "home_m", "site_m"):
        assert getattr(one, field).tobytes() == getattr(other, field).tobytes(), field
    assert one.notes == other.notes
    assert one.snaps.equals(other.snaps)


def test_the_same_bits_with_and_without(tmp_path: Path) -> None:
    county, net = region(VILLAGES, SCHOOLS, {"new": place(7, 0)}), network(MAP)
    plain = travel_times(county, net)
    for _ in range(2):
        kept = Kept(tmp_path)
        same(travel_times(county, net, search=kept.door_to_door), plain)
        assert not kept.notes
    assert kept.searched == 0
    assert kept.remembered == 8
    for direction in ("back", "worst"):
        same(
            travel_times(county, net, search=kept.door_to_door, direction=direction),
            travel_times(county, net, direction=direction),
        )


def test_a_new_site_is_searched_alone_and_a_closed_school_not_at_all(tmp_path: Path) -> None:
    net = network(MAP)
    first = Kept(tmp_path)
    travel_times(region(VILLAGES, SCHOOLS), net, search=first.door_to_door)
    assert first.searched == 6
    more = region(VILLAGES, SCHOOLS, {"new": place(7, 0)})
    kept = Kept(tmp_path)
    same(travel_times(more, net, search=kept.door_to_door), travel_times(more, net))
    assert kept.searched == 2  # on foot and by bus
    fewer = region(VILLAGES, {"t": SCHOOLS["t"]})
    kept = Kept(tmp_path)
    same(travel_times(fewer, net, search=kept.door_to_door), travel_times(fewer, net))
    assert kept.searched == 0


def test_a_changed_road_is_searched_anew_by_those_who_feel_it(tmp_path: Path) -> None:
    county, net = region(VILLAGES, SCHOOLS), network(MAP)
    travel_times(county, net, search=Kept(tmp_path).door_to_door)
    # A hazard slows the bus alone: nobody walks otherwise.
    slow = dataclasses.replace(net, hazard=np.arange(len(net.tail)) == 0)
    kept = Kept(tmp_path)
    same(travel_times(county, slow, search=kept.door_to_door), travel_times(county, slow))
    assert (kept.searched, kept.remembered) == (3, 3)
    degrees = Transformer.from_crs(METRIC, 4326, always_xy=True)
    spot = place(5, 2)
    shut = close_road(net, degrees.transform(spot.x, spot.y), METRIC)
    kept = Kept(tmp_path)
    same(travel_times(county, shut, search=kept.door_to_door), travel_times(county, shut))
    assert kept.searched == 6


def test_a_moved_village_and_other_speeds(tmp_path: Path) -> None:
    county, net = region(VILLAGES, SCHOOLS), network(MAP)
    travel_times(county, net, search=Kept(tmp_path).door_to_door)
    moved = region({**VILLAGES, "v": place(2, 0)}, SCHOOLS)
    kept = Kept(tmp_path)
    same(travel_times(moved, net, search=kept.door_to_door), travel_times(moved, net))
    assert kept.searched == 6
    # A longer wait is added after the search.
    modes = dataclasses.replace(read_modes(), bus_wait_min=12)
    kept = Kept(tmp_path)
    same(
        travel_times(county, net, modes=modes, search=kept.door_to_door),
        travel_times(county, net, modes=modes),
    )
    assert kept.searched == 0


@pytest.mark.parametrize("how", ["cut", "flip", "foreign", "empty", "other"])
def test_a_damaged_or_foreign_file_is_noticed_and_rebuilt(tmp_path: Path, how: str) -> None:
    county = region(VILLAGES, SCHOOLS, lines=roads(MAP))
    first = Kept(tmp_path)
    net = first.network(county)
    plain = travel_times(county, net, search=first.door_to_door)
    files = sorted(tmp_path.glob("*.npz"))
    assert len(files) == 3
    whole = {file: file.read_bytes() for file in files}
    for file in files:
        data = bytearray(whole[file])
        if how == "cut":
            data = data[: len(data) // 2]
        elif how == "flip":
            data[len(data) // 2] ^= 0x40
        elif how == "foreign":
            data = bytearray(b"PK\x03\x04 not ours")
        elif how == "empty":
            data = bytearray()
        else:
            data = bytearray(whole[files[(files.index(file) + 1) % 3]])
        file.write_bytes(data)
    kept = Kept(tmp_path)
    again = kept.network(county)
    same(travel_times(county, again, search=kept.door_to_door), plain)
    assert len(kept.notes) == 3
    assert all("已重新计算" in note for note in kept.notes)
    assert {file: file.read_bytes() for file in sorted(tmp_path.glob("*.npz"))} == whole


def test_network_of_a_layer_and_of_a_file(tmp_path: Path) -> None:
    county = region(VILLAGES, SCHOOLS, lines=roads(MAP))
    heights = np.arange(900, dtype=np.float32).reshape(30, 30)
    spot = place(0, 0)
    hill = Elevation(
        heights, (100.0, 0.0, spot.x - 1000, 0.0, -100.0, spot.y + 1000), METRIC.to_wkt()
    )
    file = write_osm(tmp_path / "roads.osm.pbf")
    for case in (county, county.replace(elevation=hill), region({}, {}).replace(road_file=file)):
        plain = load_network(case)
        for _ in range(2):
            kept = Kept(tmp_path / "cache")
            found = kept.network(case)
            assert not kept.notes
            for field in dataclasses.fields(plain):
                one, other = getattr(plain, field.name), getattr(found, field.name)
                if isinstance(one, np.ndarray):
                    assert one.dtype == other.dtype
                    assert one.tobytes() == other.tobytes()
                else:
                    assert one == other
    # Three networks, three files; another name of a road is another network.
    assert len(list((tmp_path / "cache").glob("network-*.npz"))) == 3
    renamed = roads(MAP)
    renamed.loc[0, "name"] = "新名"
    Kept(tmp_path / "cache").network(region(VILLAGES, SCHOOLS, lines=renamed))
    assert len(list((tmp_path / "cache").glob("network-*.npz"))) == 4


def test_other_settings_are_another_network(tmp_path: Path) -> None:
    county = region(VILLAGES, SCHOOLS, lines=roads(MAP))
    Kept(tmp_path).network(county)
    Kept(tmp_path).network(county, modes=dataclasses.replace(read_modes(), walk_slope_cap=0.3))
    assert len(list(tmp_path.glob("network-*.npz"))) == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    kept = Kept(tmp_path / "file" / "cache")
    county = region(VILLAGES, SCHOOLS, lines=roads(MAP))
    net = kept.network(county)
    same(travel_times(county, net, search=kept.door_to_door), travel_times(county, net))
    assert kept.notes
    assert all("不受影响" in note for note in kept.notes)


def test_prepared_graphs_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    indptr = np.arange(0, 601, 3)
    indices, weight = rng.integers(0, 200, 600), rng.uniform(1, 9, 600)
    plain = prepare(indptr, indices, weight).matrix(np.arange(9), np.arange(200))
    for _ in range(2):
        found = Kept(tmp_path).prepared(indptr, indices, weight)
        assert found.matrix(np.arange(9), np.arange(200)).tobytes() == plain.tobytes()
    (file,) = tmp_path.glob("graph-*.npz")
    file.write_bytes(b"x")
    kept = Kept(tmp_path)
    assert kept.prepared(indptr, indices, weight).digest == found.digest
    assert len(kept.notes) == 1
    assert Kept().prepared(indptr, indices, weight).digest == found.digest


def test_minutes_alone_come_from_the_kernel(tmp_path: Path) -> None:
    county, net = region(VILLAGES, SCHOOLS), network(MAP)
    kept = Kept(tmp_path)
    quick = travel_times(county, net, metres=False, search=kept.door_to_door)
    assert quick.minutes.tobytes() == travel_times(county, net, metres=False).minutes.tobytes()
    assert kept.searched == 0
    assert not list(tmp_path.iterdir())


def test_the_tiny_county(tmp_path: Path) -> None:
    county = tiny_region()
    plain = travel_times(county, load_network(county))
    for _ in range(2):
        kept = Kept(tmp_path)
        same(travel_times(county, kept.network(county), search=kept.door_to_door), plain)
    # By hand: V1 to V5's candidate site C1 is 3950 m, at 3.2 km/h; by bus at 35 km/h and 8 minutes.
    to_c1 = plain.sites.index("C1")
    assert plain.minutes[0, 0, to_c1] == pytest.approx(3950 / (3200 / 60))
    assert plain.minutes[3, 0, to_c1] == pytest.approx(3950 / (35000 / 60) + 8)
    assert plain.modes == ("walk_lower", "walk_upper", "walk_junior", "bus")
