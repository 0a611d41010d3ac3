"""Who changes to a school of another area is told by village and by number."""

from __future__ import annotations

import dataclasses

import pandas as pd

from catchment.run import Wish, pose, propose
from catchment.run.borders import with_borders
from catchment.scenario import parse_scenario
from tests.tiny_region import tiny_region

YEARS = [2026, 2027, 2028]


def two_areas():
    region = tiny_region(students=3)
    villages = region.villages.copy()
    villages["area_id"] = ["A1", "A1", "A2", "A2", pd.NA]
    areas = pd.DataFrame({"area_id": ["A1", "A2"], "name": ["东片", None]})
    return dataclasses.replace(region, villages=villages, areas=areas)


def test_a_change_over_a_border_is_told():
    region = two_areas()
    problem = pose(parse_scenario({"name": "试", "years": YEARS}), region).problem
    changes = pd.DataFrame(
        {"village_id": ["V1", "V2", "V3", "V4", "V5"], "to_site": ["S2", "S1", "T1", "S1", "S1"]}
    )
    told = with_borders(changes, problem, region)
    # S1 stands in V1, S2 in V3, T1 in V4; V5 is of no area.
    assert told["across"].tolist() == [True, False, False, True, False]
    assert told["area"].tolist() == ["东片", "东片", "A2", "A2", ""]
    assert told["to_area"].tolist() == ["A2", "东片", "A2", "东片", "东片"]
    bare = dataclasses.replace(region, villages=region.villages.drop(columns="area_id"))
    assert not with_borders(changes, problem, bare)["across"].any()


def test_within_areas_nobody_goes_over_a_border():
    region = two_areas()
    merge = {"do": "merge", "school": "T1", "into": "S1", "year": 2027}
    keep = {"do": "keep", "school": "S2", "year": 2026}
    asked = parse_scenario({"name": "试", "years": YEARS, "action": [merge, keep]})
    moves = propose(asked, region, wish=Wish(steps=1)).moves
    crossing = moves[moves["across"]]
    assert set(crossing["village_id"]) == {"V4"}
    assert set(crossing["to_area"]) == {"东片"}
    free = parse_scenario({"name": "试", "years": YEARS})
    assert not propose(free, region, wish=Wish(steps=1, areas=0)).moves["across"].any()
