"""What hands do on a map, in a recipe: villages moved, own sites, limits."""

from __future__ import annotations

from typing import Any

import pytest

from catchment.errors import CatchmentError, InputError
from catchment.run import run_scenario
from catchment.scenario import apply, county_of, parse_scenario, resolve
from tests.tiny_region import tiny_region

YEARS = [2026, 2028]


def _recipe(*actions: dict[str, Any], **more: Any) -> Any:
    return parse_scenario({"name": "试", "years": YEARS, "action": list(actions), **more})


def test_moved_villages_go_where_they_are_sent() -> None:
    move = {"do": "move", "villages": ["V3", "丁村"], "to": "S1", "bands": ["upper"], "year": 2028}
    run = run_scenario(_recipe(move), tiny_region())
    site = list(run.problem.site_ids).index("S1")
    upper = [i for i, b in enumerate(run.problem.group_band) if b == 1]
    assert [int(run.plan.site_of[i, 1]) for i in upper[2:4]] == [site, site]
    assert [int(run.plan.site_of[i, 0]) for i in upper[2:4]] != [site, site]
    before = run.today.site_of[:, 0].copy()
    moved = {upper[2], upper[3]}
    assert all(run.plan.site_of[i, 1] == before[i] for i in range(len(before)) if i not in moved)


def test_a_hand_has_the_last_word_of_its_year() -> None:
    region = tiny_region()
    recipe = resolve(
        _recipe(
            {"do": "move", "villages": ["V5"], "to": "S1", "bands": ["lower"], "year": 2028},
            {"do": "merge", "school": "T1", "into": "S2", "year": 2028},
        ),
        region,
    )
    villages = apply(recipe, region, 2028).villages.set_index("village_id")
    assert villages["school_lower"]["V5"] == "S1"
    assert villages["school_lower"]["V4"] == "S2"


@pytest.mark.parametrize(
    "action",
    [
        {"do": "move", "villages": ["V9"], "to": "S1"},
        {"do": "move", "villages": ["V1"], "to": "nobody"},
        {"do": "move", "villages": ["V1"], "to": "X1"},
        {"do": "move", "villages": ["V1"], "to": "T1", "bands": ["upper"]},
        {"do": "move", "villages": ["V1"], "to": "S1", "bands": ["evening"]},
        {"do": "move", "villages": [], "to": "S1"},
        {"do": "build", "site": "S1", "at": [108.0, 27.1], "rooms": 2},
        {"do": "build", "site": "N1", "at": [500.0, 27.1], "rooms": 2},
        {"do": "build", "site": "N1", "at": [108.0, 27.1], "grades": [2, 3], "rooms": 2},
    ],
)
def test_impossible_moves_and_sites(action: dict[str, Any]) -> None:
    region = tiny_region()

    def carry_out() -> None:
        recipe = _recipe({**action, "year": 2028})
        resolve(recipe, county_of(recipe, region))

    with pytest.raises(CatchmentError):
        carry_out()


def test_own_site_and_limit_are_the_county_s() -> None:
    build = {"do": "build", "site": "N1", "name": "新校", "at": [108.016, 27.1119], "rooms": 4, "year": 2028}  # fmt: skip
    recipe = _recipe(build, limits={"lower": 12})
    county = county_of(recipe, tiny_region())
    row = county.sites.set_index("site_id").loc["N1"]
    assert (row["name"], row["township"], row["grade_to"]) == ("新校", "西乡", 6)
    assert county.bands[0].trip_limit_min == 12
    again = county_of(recipe, county)
    assert list(again.sites["site_id"]) == list(county.sites["site_id"])
    run = run_scenario(recipe, tiny_region())
    assert float(run.problem.trip_limit[0]) == 12
    assert "N1" in run.problem.site_ids
    with pytest.raises(InputError):
        county_of(_recipe(limits={"evening": 20}), tiny_region())
