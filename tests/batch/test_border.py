"""Two counties on one road: who has a nearer school beyond the border."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catchment.batch import find_tasks, run_batch
from catchment.batch.border import _spare, border_table
from catchment.batch.joint import join, joint_question
from catchment.batch.work import carry_out
from catchment.network.load import load_network
from catchment.network.travel import travel_times
from catchment.region.read import read_region, village_box
from catchment.run import execute
from tests.batch.counties import moved_east, spoil_rows, write_counties


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    """The second county's road begins where the first one's ends, at the village V5."""
    folder = write_counties(tmp_path_factory.mktemp("pair"), 2)
    moved_east(folder / "county-001", 4000.0)
    return folder


def test_the_box_is_that_of_a_whole_reading(pair) -> None:
    for name in ("county-000", "county-001"):
        whole = read_region(pair / name).villages.to_crs("EPSG:4490").total_bounds
        assert village_box(pair / name) == pytest.approx(tuple(whole), abs=1e-7)


def test_villages_at_the_border_see_the_school_beyond_it(pair) -> None:
    run = execute(pair / "county-000" / "scenario.toml")
    both = joint_question(run, pair / "county-001", 20.0, recipe=None)
    table = border_table(run, "county-000", [both]).set_index(["village_id", "band"])
    # V5 is at 4,000 m; its upper grades go to S2 at 2,050 m; the neighbour's S1 stands at 4,050 m.
    row = table.loc[("V5", "upper")]
    assert (row["neighbour"], row["school_id"], row["school"]) == ("第1县", "S1", "东乡中心校")
    children = pd.read_csv(pair / "county-000" / "children.csv").set_index("村代码")
    assert row["students"] == children.loc["V5", ["4年级", "5年级", "6年级"]].sum()
    base = run.problem_of("today")
    group = next(
        i
        for i in range(len(base.group_band))
        if base.village_ids[base.group_village[i]] == "V5"
        and base.bands[base.group_band[i]] == "upper"
    )
    before = float(base.minutes[0, group, run.today.site_of[group, 0]])
    assert row["minutes_today"] == round(before, 1)
    assert row["minutes"] == pytest.approx(before * 50 / 1950, abs=0.06)
    assert row["saving"] == pytest.approx(row["minutes_today"] - row["minutes"], abs=0.11)
    assert ("V1", "upper") not in table.index
    # The county does not say how many attend; where it does, six rooms hold 270.
    assert pd.isna(row["spare_places"])
    assert _spare({"rooms": 6, "students": 120}, 45) == 150
    assert _spare({"rooms": 1, "students": 120}, 45) == 0


def test_out_of_reach_is_not_looked_at_and_bad_neighbours_are_named(pair, tmp_path) -> None:
    run = execute(pair / "county-000" / "scenario.toml")
    assert joint_question(run, pair / "county-001", 0.01, recipe=None) is None
    shutil.copytree(pair, tmp_path / "in")
    spoil_rows(tmp_path / "in" / "county-001")
    task = find_tasks(tmp_path / "in", reach_km=20)[0]
    task = dataclasses.replace(task, neighbours=(("county-001", str(tmp_path / "in/county-001")),))
    assert carry_out(task.plain(), str(tmp_path), "s", 0, 3, alone=False)["state"] == "done"
    table = pd.read_csv(tmp_path / "counties" / task.name / "border.csv", encoding="utf-8-sig")
    assert table["neighbour"].tolist() == ["county-001"]
    assert table["note"].str.contains("schools|layers").all()


def test_joined_roads_carry_trips_across_and_change_none_within(pair) -> None:
    one = read_region(pair / "county-000")
    other = read_region(pair / "county-001").replace()
    other = other.replace(
        crs=one.crs, **{n: getattr(other, n).to_crs(one.crs) for n in ("roads", "villages")}
    )
    first, second = load_network(one), load_network(other)
    both = join(first, second)
    assert len(both.x) == len(first.x) + len(second.x) - 1
    assert len(both.tail) == len(first.tail) + len(second.tail)
    alone, joined = travel_times(one, first), travel_times(one, both)
    np.testing.assert_allclose(joined.minutes, alone.minutes, rtol=1e-6)


def test_the_batch_looks_across_borders_when_asked(pair, tmp_path) -> None:
    tasks = find_tasks(pair, reach_km=20)
    assert [len(t.neighbours) for t in tasks] == [1, 1]
    assert [len(t.neighbours) for t in find_tasks(pair)] == [0, 0]
    run_batch(tasks, tmp_path, workers=1)
    table = pd.read_csv(tmp_path / "province" / "border.csv", encoding="utf-8-sig")
    assert set(table["county"]) == {"county-000", "county-001"} or set(table["county"]) == {
        "county-000"
    }
    assert "V5" in set(table["village_id"])
