"""Streamed times on disk and through the command: what stands there, what never does."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point

from catchment.cli import main
from catchment.errors import InputError
from catchment.network.load import load_network
from catchment.network.travel import point_times, travel_times
from catchment.views.streamed import write_homes, write_stream
from catchment.views.tables import frame_csv
from tests.tiny_files import write_tiny
from tests.tiny_region import METRIC, X0, Y0, tiny_region


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_pairs_within_the_limit_and_no_others(tmp_path: Path, kind: str) -> None:
    region = tiny_region()
    network = load_network(region)
    times = travel_times(region, network)
    file = write_stream(region, network, tmp_path, kind=kind, cutoff=20)
    table = pd.read_csv(file) if kind == "csv" else pd.read_parquet(file)
    found = {
        (r["mode"], r["village_id"], r["site_id"]): float(r["minutes"])
        for r in table.to_dict("records")
    }
    wanted = {
        (mode, village, site): float(times.minutes[k, i, j])
        for k, mode in enumerate(times.modes)
        for i, village in enumerate(times.villages)
        for j, site in enumerate(times.sites)
        if times.minutes[k, i, j] <= 20
    }
    assert found.keys() == wanted.keys()
    assert all(abs(found[key] - value) < 0.006 for key, value in wanted.items())


def test_homes_are_counted_and_nothing_of_them_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x, y = X0 + rng.uniform(0, 4000, 20), Y0 + rng.uniform(-50, 50, 20)
    students = gpd.GeoDataFrame(
        {"student_id": [f"PUPIL{k}" for k in range(20)], "village_id": ["V1"] * 20,
         "grade": [1] * 20, "school_id": ["S1"] * 20},
        geometry=gpd.points_from_xy(x, y), crs=METRIC,
    )  # fmt: skip
    region = tiny_region().replace(students=students)
    network = load_network(region)
    file = write_homes(region, network, tmp_path, cutoff=50)
    table = pd.read_csv(file, dtype={"students": str})
    times = point_times(region, network, x, y)
    for row in table.to_dict("records"):
        where = times.modes.index(str(row["mode"])), times.sites.index(str(row["site_id"]))
        minutes = times.minutes[where[0], :, where[1]]
        count = int((minutes <= float(str(row["minutes"]))).sum())
        assert row["students"] == ("<5" if 0 < count < 5 else str(count // 5 * 5)), row
    assert "<5" in set(table["students"])
    text = file.read_text(encoding="utf-8-sig")
    assert "PUPIL" not in text
    assert list(table.columns) == ["mode", "site_id", "minutes", "students"]
    # Rows of two limits must not tell, by their difference, of a ring with a single home.
    told = pd.to_numeric(table["students"], errors="coerce").dropna()
    assert (told % 5 == 0).all()
    assert (told > 5).any()
    with pytest.raises(InputError, match="students"):
        write_homes(tiny_region(), network, tmp_path)


def test_who_joins_no_road_is_listed_and_told_as_by_the_times(tmp_path: Path) -> None:
    region = tiny_region()
    villages, schools = region.villages.copy(), region.schools.copy()
    villages.loc[3, "geometry"] = Point(X0 + 90_000, Y0)
    villages.loc[4, "geometry"] = Point(X0 + 20_000, Y0)
    schools.loc[2, "geometry"] = Point(X0 + 20_400, Y0)
    far = region.replace(villages=villages, schools=schools, boundaries=region.boundaries[:0])
    network = load_network(far)
    times = travel_times(far, network)
    notes: list[str] = []
    write_stream(far, network, tmp_path, note=notes.append)
    assert (tmp_path / "snaps.csv").read_bytes().decode("utf-8") == frame_csv(times.snaps)
    assert set(notes) == {note for note in times.notes if "没有任何道路" not in note}
    assert any("直线步行" in note and "V5" in note for note in notes)
    rows = pd.read_csv(tmp_path / "times.csv").set_index(["mode", "village_id", "site_id"])
    assert rows.loc[("walk_lower", "V5", str(times.sites[2])), "minutes"] == pytest.approx(7.5)
    assert "V4" not in set(rows.reset_index()["village_id"])


def test_notes_about_homes_count_them_and_name_none(tmp_path: Path) -> None:
    students = gpd.GeoDataFrame(
        {"student_id": ["PUPIL7"], "village_id": ["V1"], "grade": [1], "school_id": ["S1"]},
        geometry=[Point(X0 + 90_000, Y0)], crs=METRIC,
    )  # fmt: skip
    region = tiny_region().replace(students=students)
    notes: list[str] = []
    write_homes(region, load_network(region), tmp_path, note=notes.append)
    assert any("1 个点" in note for note in notes)
    assert not any("PUPIL" in note or "：" in note for note in notes)
    assert [p.name for p in tmp_path.iterdir()] == ["homes.csv"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, InputError])
def test_a_stopped_stream_leaves_the_old_file(tmp_path: Path, fault: type[BaseException]) -> None:
    region = tiny_region()
    network = load_network(region)
    (tmp_path / "times.csv").write_text("old", encoding="utf-8")

    def stop(done: int, _: int) -> None:
        if done > 6:
            raise fault

    with pytest.raises(fault):
        write_stream(region, network, tmp_path, cutoff=math.inf, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["times.csv"]
    assert (tmp_path / "times.csv").read_text(encoding="utf-8") == "old"


_STOPPED = """
import signal, sys
# A shell that starts tests in the background has them ignore the signal; a person has not.
signal.signal(signal.SIGINT, signal.default_int_handler)
from catchment import cli
from catchment.views import streamed

whole = streamed.stream_times

def stopped(*args, **more):
    for number, block in enumerate(whole(*args, **more)):
        if number == 2:
            signal.raise_signal(signal.SIGINT)
        yield block

streamed.stream_times = stopped
cli.main(["times", sys.argv[1], "--stream", "--out", sys.argv[2]])
"""


def test_ctrl_c_in_a_process_of_its_own_says_so_and_leaves_the_old_file(tmp_path: Path) -> None:
    county, out = write_tiny(tmp_path / "county"), tmp_path / "out"
    out.mkdir()
    (out / "times.csv").write_text("old", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", _STOPPED, str(county), str(out)],
        capture_output=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"}, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "已停止" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in out.iterdir()] == ["times.csv"]
    assert (out / "times.csv").read_text(encoding="utf-8") == "old"


def test_the_format_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="csv"):
        write_stream(tiny_region(), load_network(tiny_region()), tmp_path, kind="xls")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [["--stream", "--cutoff", "nan"], ["--stream", "--cutoff", "0"], ["--stream", "--format", "xls"],
     ["--site", "NOPE", "--isochrones"]],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_before_anything_is_written(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    county, out = write_tiny(tmp_path / "county"), tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["times", str(county), *words, "--out", str(out)])
    assert stopped.value.code == 2
    assert "错误" in capsys.readouterr().err
    assert not out.exists()
