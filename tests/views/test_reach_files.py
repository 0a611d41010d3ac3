"""Isochrones, ways and reports as files, by way of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import shapely

from catchment.cli import main
from catchment.network.load import load_network
from catchment.network.travel import travel_times
from catchment.views.reach import write_reach, write_reports, write_trips
from tests.tiny_region import tiny_region

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


def test_areas_and_ways_of_the_tiny_county(tmp_path: Path) -> None:
    county = tiny_region()
    network = load_network(county)
    written = write_reach(county, network, "S1", tmp_path)
    assert [p.name for p in written] == ["isochrones.geojson", "paths.geojson"]
    areas = json.loads(written[0].read_text(encoding="utf-8"))["features"]
    assert len(areas) == 4 * 3
    walk = [f for f in areas if f["properties"]["mode"] == "walk_upper"]
    # S1 stands 50 m east of V1, villages 1000 m apart; at 4 km/h 1000, 2000 and 2667 m.
    assert [f["properties"]["village_ids"] for f in walk] == [
        ["V1", "V2"], ["V1", "V2", "V3"], ["V1", "V2", "V3"],
    ]  # fmt: skip
    assert all(shapely.geometry.shape(f["geometry"]).is_valid for f in areas)
    ways = json.loads(written[1].read_text(encoding="utf-8"))["features"]
    assert len(ways) == 2 * 5
    far = ways[4]["properties"]
    assert (far["village_id"], far["mode"], far["metres"]) == ("V5", "walk", 3950.0)
    assert far["minutes"] == {
        "walk_lower": 74.1, "walk_upper": 59.2, "walk_junior": 52.7,
    }  # fmt: skip
    assert far["classes"] == {"tertiary": 3950.0}
    again = tmp_path / "again"
    again.mkdir()
    for one, other in zip(written, write_reach(county, network, "S1", again), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_reports_of_the_tiny_county(tmp_path: Path) -> None:
    county = tiny_region()
    network = load_network(county)
    written, notes = write_reports(county, network, travel_times(county, network), tmp_path)
    assert [p.name for p in written] == [
        "access.csv", "parts.csv", "crossings.csv", "crossings_checked.csv",
    ]  # fmt: skip
    assert any("没有铁路、河流的资料" in note for note in notes)
    checked = pd.read_csv(tmp_path / "crossings_checked.csv")
    assert set(checked["state"]) == {"partly"}
    assert len(checked) == 15
    assert len(pd.read_csv(tmp_path / "access.csv")) == 0


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["times", str(DEMO), "--cache", str(tmp_path / "cache")]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(tmp_path / "one")])
    assert ended.value.code == 0
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(tmp_path / "two")])
    assert ended.value.code == 0
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [p.name for p in one] == [p.name for p in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))
    assert "crossings.csv" in {p.name for p in one}
    met = pd.read_csv(tmp_path / "one" / "crossings.csv")
    assert "云岭铁路" in set(met["names"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["times", str(DEMO), "--isochrones"])
    assert ended.value.code == 2
    assert "--site" in capsys.readouterr().err


def test_trips_of_today_there_and_back(tmp_path: Path) -> None:
    county = tiny_region()
    network = load_network(county)
    there = travel_times(county, network)
    back = travel_times(county, network, direction="back")
    table = pd.read_csv(write_trips(county, there, back, tmp_path)).set_index(
        ["village_id", "band"]
    )
    assert len(table) == 15
    own = table.loc[("V2", "lower")]
    # 950 m at 3.2 km/h, flat: as long either way.
    assert own["mode"] == "walk"
    assert own["minutes"] == own["minutes_back"] == pytest.approx(950 / (3200 / 60), rel=1e-6)
    assert own["site_id"] == "S1"
    assert not table["direct"].any()
