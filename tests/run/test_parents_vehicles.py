"""A county that lets children go by a parent's e-bike: the whole run knows the mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catchment.run import execute
from catchment.views.folder import write_run
from tests.tiny_files import write_tiny

RECIPE = """name = "试"
region = "."
years = [2026, 2028]

[method]
assignment = "nearest"

[[action]]
do = "merge"
school = "S2"
into = "S1"
year = 2028
"""


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny(tmp_path_factory.mktemp("parents") / "county")
    (folder / "scenario.toml").write_text(RECIPE, encoding="utf-8")
    return folder


def test_off_by_default(county: Path) -> None:
    assert execute(county / "scenario.toml").problem.modes == ("walk", "bus", "board")


def test_riders_are_no_walkers_and_no_bus_riders(county: Path, tmp_path: Path) -> None:
    plain = execute(county / "scenario.toml")
    table = county / "band_modes.csv"
    table.write_text("band,mode,allowed\n*,ebike,yes\n*,bus,no\n", encoding="utf-8")
    try:
        run = execute(county / "scenario.toml")
    finally:
        table.unlink()
    assert run.problem.modes == ("walk", "bus", "board", "ebike")
    modes = np.array([*run.problem.modes, ""])[run.plan.mode_of]
    before = np.array([*plain.problem.modes, ""])[plain.plan.mode_of]
    # Those who rode a bus now ride with a parent; walkers walk as before.
    assert (before == "bus").any()
    assert (modes[before == "bus"] == "ebike").all()
    assert (modes[before == "walk"] == "walk").all()
    measures = run.indicators
    riders = measures[(measures["indicator"] == "bus_riders") & (measures["scope"] == "county")]
    assert (riders["value"] == 0).all()
    for lang in ("zh", "en"):
        written = write_run(run, tmp_path / lang, lang=lang, recipe=county / "scenario.toml")
        assert written
    assert "tables_of_the_county" in run.provenance
    assert "band_modes.csv" in run.provenance["tables_of_the_county"]


def test_boarding_goes_by_the_same_table(county: Path) -> None:
    far = county / "bands.csv"
    shipped = "band,zh,en,grade_from,grade_to,stage,class_size,walk_kmh,walk_limit_min,trip_limit_min,boarding\n"
    far.write_text(
        shipped
        + "lower,低,L,1,3,primary,45,3.2,30,30,no\nupper,高,U,4,6,primary,45,4.0,40,40,conditional\n"
        + "junior,初,J,7,9,junior,50,4.5,5,5,yes\n",
        encoding="utf-8",
    )
    table = county / "band_modes.csv"
    try:
        run = execute(county / "scenario.toml")
        assert "board" in np.array([*run.problem.modes, ""])[run.plan.mode_of]
        table.write_text("band,mode,allowed\njunior,board,no\n", encoding="utf-8")
        run = execute(county / "scenario.toml")
        assert "board" not in np.array([*run.problem.modes, ""])[run.plan.mode_of]
        table.write_text("band,mode,allowed,limit_min\njunior,board,,60\n", encoding="utf-8")
        run = execute(county / "scenario.toml")
        assert "board" not in np.array([*run.problem.modes, ""])[run.plan.mode_of]
    finally:
        far.unlink()
        table.unlink()
