"""Actions on arrays against the slow way: the same question, or the slow way decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import CatchmentError
from catchment.optimise.layout import scenario_plan
from catchment.run import pose
from catchment.scenario import county_of, identify, parse_scenario
from catchment.web.answer import Reckoner
from catchment.web.ground import OpenCounty
from catchment.web.restate import DoubtError, question_of
from tests.tiny_region import tiny_region

YEARS = [2026, 2027, 2028, 2030]
SCHOOLS = ["S1", "S2", "T1", "J1", "X1", "C1", "N1"]
FIELDS = (
    "minutes", "metres", "mode", "daily_mode", "network", "rooms", "beds", "dining_seats", "class_size",
    "must_open", "must_close", "can_host", "fixed_site", "today", "today_open", "trip_limit", "home",
    "students", "existing",
)  # fmt: skip

year = st.sampled_from([None, *YEARS, 2029])
school = st.sampled_from(SCHOOLS)
into = st.sampled_from([None, "S1", "S2", "T1", "J1", "C1", "N1"])
action = st.one_of(
    st.fixed_dictionaries({"do": st.just("keep"), "school": school, "year": year}),
    st.fixed_dictionaries(
        {"do": st.sampled_from(["merge", "downgrade"]), "school": school, "into": into, "year": year}
    ),
    st.fixed_dictionaries(
        {"do": st.just("expand"), "school": school, "rooms": st.integers(0, 3),
         "beds": st.sampled_from([0, 40]), "year": year}
    ),
    st.fixed_dictionaries(
        {"do": st.just("build"), "site": st.just("C1"), "rooms": st.integers(1, 14), "year": year}
    ),
    st.fixed_dictionaries(
        {"do": st.just("build"), "site": st.just("N1"), "rooms": st.integers(1, 4),
         "beds": st.sampled_from([0, 30]), "at": st.just([108.016, 27.1119]),
         "grades": st.sampled_from([(1, 6), (1, 3), (1, 9)]), "year": year}
    ),
    st.fixed_dictionaries(
        {"do": st.just("reopen"), "school": st.sampled_from(["X1", "T1"]),
         "rooms": st.sampled_from([None, 3]), "year": year}
    ),
    st.fixed_dictionaries(
        {"do": st.just("move"), "to": school, "year": year,
         "villages": st.lists(st.sampled_from(["V1", "V2", "V3", "V4", "V5"]), min_size=1, max_size=3),
         "bands": st.sampled_from([[], ["lower"], ["upper"], ["lower", "upper"], ["junior"]])}
    ),
)  # fmt: skip


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None}


@pytest.fixture(scope="module")
def county() -> OpenCounty:
    region = tiny_region()
    return OpenCounty(region, parse_scenario({"name": "今", "years": YEARS}))


def _both(county: OpenCounty, recipe: dict[str, Any]) -> bool:
    """Compare both ways; True where the quick way carried the recipe out."""
    scenario = parse_scenario(recipe)
    try:
        named = identify(scenario, county_of(scenario, county.region))
    except CatchmentError:
        with pytest.raises(CatchmentError):
            pose(scenario, county.region)
        return False
    try:
        slow = pose(scenario, county.region).problem
    except CatchmentError:
        with pytest.raises((DoubtError, CatchmentError)):
            question_of(county.ground(named), named)
        with pytest.raises(CatchmentError):
            Reckoner(county).reckon(named)
        return False
    try:
        quick = question_of(county.ground(named), named)
    except DoubtError:
        return False
    assert quick.site_ids == slow.site_ids
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name), err_msg=name)
    plan = scenario_plan(slow, "today", start=1)
    found = Reckoner(county).reckon(named)
    np.testing.assert_array_equal(found.plan.site_of, plan.site_of)
    np.testing.assert_array_equal(found.plan.classes, plan.classes)
    return True


@settings(deadline=None, max_examples=25)
@given(actions=st.lists(action, max_size=5), size=st.sampled_from([None, None, 30]))
def test_random_recipes(county: OpenCounty, actions: list[Any], size: int | None) -> None:
    recipe = {"name": "试", "years": YEARS, "action": [_plain(a) for a in actions]}
    if size is not None:
        recipe["class_size"] = size
    _both(county, recipe)


@pytest.mark.parametrize(
    "actions",
    [
        [{"do": "merge", "school": "T1", "into": "S2", "year": 2028}],
        [{"do": "merge", "school": "T1", "year": 2027}, {"do": "reopen", "school": "T1", "year": 2030}],
        [{"do": "downgrade", "school": "S2", "into": "S1", "year": 2028}],
        [{"do": "build", "site": "C1", "rooms": 6, "year": 2027},
         {"do": "merge", "school": "S2", "into": "C1", "year": 2028}],
        [{"do": "move", "villages": ["V3"], "to": "S1", "bands": ["upper"], "year": 2028}],
        [{"do": "expand", "school": "S1", "rooms": 2, "beds": 40, "year": 2029}],
        [{"do": "merge", "school": "东乡中心校", "into": "丙村小学", "year": 2028}],
    ],
)  # fmt: skip
def test_sound_recipes_need_no_slow_way(county: OpenCounty, actions: list[Any]) -> None:
    assert _both(county, {"name": "试", "years": YEARS, "action": actions})


def test_limits_and_roads(county: OpenCounty) -> None:
    recipe = {
        "name": "试", "years": YEARS, "limits": {"lower": 12},
        "action": [{"do": "road", "road": "closed", "from": [108.0252, 27.1116], "year": 2028}],
    }  # fmt: skip
    assert _both(county, recipe)
