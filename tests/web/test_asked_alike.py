"""The workbench asks the optimiser what `catchment propose` asks: costs, and the rules of a closing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catchment.region.read import read_region
from catchment.run import pose
from catchment.run.demands import costs_of, question_of_recipe
from catchment.scenario import parse_scenario
from catchment.web.tasks import _question, open_table
from tests.tiny_files import write_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    county = write_tiny(tmp_path_factory.mktemp("alike") / "county")
    (county / "costs.csv").write_text("key,value\nteacher_year,60000\n", encoding="utf-8")
    (county / "evidence.csv").write_text(
        "school_id,code,item,date,value,document\nT1,R-CON-01,,2026-10-01,80,家长意见表\n",
        encoding="utf-8",
    )
    (county / "classes.csv").write_text(
        "学校代码,年级,班号,人数,年度\nS1,1,1,48,2026\n", encoding="utf-8"
    )
    return county


@pytest.mark.parametrize("actions", [[], [{"do": "merge", "school": "T1", "year": 2028}]])
def test_both_doors_ask_the_same(folder: Path, actions: list[dict[str, object]]) -> None:
    recipe = {"name": "试", "years": [2026, 2027, 2028], "action": actions}
    table = open_table({"folder": str(folder), "scenario": recipe})
    mine, _ = _question(table, parse_scenario(recipe), keep=[])
    region = read_region(folder)
    posed = pose(parse_scenario(recipe), region)
    other = question_of_recipe(posed, costs=costs_of(region.folder))
    assert mine.costs == other.costs
    assert mine.costs.teacher_year == 60000
    assert mine.limits == other.limits
    assert mine.limits.young_minutes == 30.0
    for name in ("receives", "may_close", "extra_rooms", "extra_beds", "extra_seats", "extra_naps"):
        assert np.array_equal(getattr(mine, name), getattr(other, name)), name
    code = posed.problem.site_ids.index
    assert mine.receives is not None
    assert not mine.receives[code("S1")]
    assert mine.receives[code("S2")]
    # Opposition on record keeps the school unless the user's own action gives it up.
    assert mine.may_close[code("T1")] == bool(actions)
