from __future__ import annotations

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
from tiny_county import tiny_problem, today_plan

from catchment.region.bands import read_bands
from catchment.rules import books, rule
from catchment.rules.facts import facts_of


def region(**changes: pd.DataFrame) -> SimpleNamespace:
    schools = pd.DataFrame(
        {
            "school_id": ["A", "B"], "name": ["甲校", None], "township": ["北乡", "北乡"],
            "urban_class": [121.0, np.nan], "nap_places": [10, None], "teachers": ["60", None],
            "role": ["nine_year", "complete"],
        }
    )  # fmt: skip
    base = {
        "schools": schools,
        "sites": pd.DataFrame({"site_id": ["C"], "name": ["新址"], "township": ["南镇"]}),
        "villages": pd.DataFrame(
            {"village_id": ["v1", "v0"], "name": ["下坪", "上坪"], "township": ["南镇", "北乡"],
             "urban_class": ["220", "121"]}
        ),
        "classes": pd.DataFrame(columns=["school_id", "grade", "class_no", "students", "year"]),
        "bands": read_bands(),
    }  # fmt: skip
    return SimpleNamespace(**(base | changes))


def test_tables_are_put_in_the_order_of_the_problem() -> None:
    facts = facts_of([region()], tiny_problem())  # type: ignore[list-item]
    assert facts.site_name == ("甲校", "B", "新址")
    assert facts.site_town == ("北乡", "北乡", "南镇")
    assert facts.site_urban == ("121", "", "")
    assert facts.teachers[0] == 60
    assert np.isnan(facts.teachers[1:]).all()
    assert facts.naps[0] == 10
    assert facts.village_name == ("上坪", "下坪", "v2", "v3")
    assert facts.village_urban == ("121", "220", "", "")


def test_a_county_with_bare_layers_is_checked_without_fault() -> None:
    problem = tiny_problem()
    today = today_plan(problem)
    facts = facts_of([region()], problem)  # type: ignore[list-item]
    table = rule.check(problem, today, today, facts, books.read_books())
    assert set(table["result"]) <= {"pass", "fail", "unknown", "evidence"}
    assert not table[["code", "title_zh", "title_en", "unit", "citation_zh"]].isna().any().any()
    assert (table["detail_zh"].notna() & table["detail_en"].notna()).all()


def test_children_of_no_year_and_no_site() -> None:
    problem = tiny_problem()
    empty = problem.replace(students=problem.students * 0)
    today = today_plan(empty)
    facts = facts_of([region()], empty)  # type: ignore[list-item]
    table = rule.check(empty, today, today, facts, books.read_books())
    assert not (table["result"] == "fail").any() or set(
        table.loc[table["result"] == "fail", "code"]
    ) <= {"R-TOWN-01"}


def test_a_candidate_site_has_the_class_of_its_place_unless_it_lies_on_the_edge() -> None:
    points = gpd.points_from_xy([0, 5000, 10000, 10400], [0, 0, 0, 0])
    villages = gpd.GeoDataFrame(
        {"village_id": ["v0", "v1", "v2", "v3"], "name": list("甲乙丙丁"),
         "township": ["北乡"] * 4, "urban_class": ["111", "220", "220", "121"]},
        geometry=points,
    )  # fmt: skip
    for x, wanted in ((300, "111"), (4600, "220"), (10100, ""), (7000, "220")):
        sites = gpd.GeoDataFrame(
            {"site_id": ["C"], "name": ["新址"], "township": ["南镇"]},
            geometry=gpd.points_from_xy([x], [0]),
        )
        county = region(villages=villages, sites=sites)
        facts = facts_of([county], tiny_problem())  # type: ignore[list-item]
        assert facts.site_urban == ("121", "", wanted)
