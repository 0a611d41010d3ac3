"""The reason of a village's school names the limit that binds, with figures that can be recounted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from catchment.optimise.layouts.places import band_places
from catchment.region.read import read_region
from catchment.run import Run
from catchment.run.order import run_scenario
from catchment.scenario import read_scenario

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "capacity.toml"
SAID = re.compile(
    r"nearer by ([\d.]+) minutes, (?:but (\d+) (?:child holds|children hold) its (\d+) places? "
    r"of this band: (\d+) more places? would be needed for the (\d+) of this village|and has "
    r"(\d+) places? left)"
)


@pytest.fixture(scope="module")
def run() -> Run:
    scenario = read_scenario(DEMO).replace(years=(2026, 2028), effort=0.1)
    return run_scenario(scenario, read_region(DEMO.parent / scenario.region))


def test_the_limit_that_keeps_a_village_from_the_nearer_school_is_named(run: Run) -> None:
    problem, plan = run.problem, run.plan
    demand = problem.demand()
    told = left = 0
    for row in run.explanations.itertuples():
        t = problem.years.index(row.year)
        band = problem.bands.index(row.band)
        village = problem.village_ids.index(row.village_id)
        i = village * len(problem.bands) + band
        minutes = problem.minutes[problem.network[t], i].astype(float)
        minutes = np.where(plan.open[:, band, t], minutes, np.inf)
        chosen = int(plan.site_of[i, t])
        said = SAID.search(row.reason_en)
        if chosen < 0 or minutes[chosen] - minutes.min() <= 0.05:
            assert said is None
            continue
        assert said is not None
        near = int(minutes.argmin())
        same = (problem.group_band == band) & (plan.site_of[:, t] == near)
        inside, places = int(demand[same, t].sum()), int(band_places(problem, band, t)[near])
        assert float(said[1]) == pytest.approx(minutes[chosen] - minutes[near], abs=0.051)
        if inside + demand[i, t] > places:
            expected = [inside, places, inside + int(demand[i, t]) - places, int(demand[i, t])]
            assert [int(x) for x in said.groups()[1:5]] == expected
            assert f"缺{expected[2]}个学位" in row.reason_zh
            told += 1
        else:
            assert int(said[6]) == places - inside
            left += 1
    assert told > 10
    assert left > 0


def test_every_catchment_that_the_search_drew_is_in_one_piece(run: Run) -> None:
    drawn = run.catchments.query("plan == 'plan' and year == 2028")
    assert len(drawn) > 50
    assert (drawn["pieces"] == 1).all()
    assert drawn.geometry.is_valid.all()
    assert not drawn.geometry.is_empty.any()
