"""What a recipe or a command may ask of the optimiser, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catchment.cli.propose import read_memory, write_memory
from catchment.errors import InputError
from catchment.optimise.consolidation import Memory, cost_of, cost_table, read_costs
from catchment.optimise.phases.account import grade_sites, students_there
from catchment.plan import students_at
from catchment.run import Proposal, Wish, pose, propose, run_scenario
from catchment.run.areas import draw_areas
from catchment.run.asked import every_year, limits_of, with_demands
from catchment.scenario import Scenario, parse_scenario
from tests.tiny_region import tiny_region

ONE = Wish(steps=1)


def asked(**more: object) -> Scenario:
    return parse_scenario({"name": "试", "years": [2026, 2027, 2028, 2029], **more})


def closings(found: Proposal) -> list[int]:
    return [a["year"] for a in found.recipe["action"] if a["do"] == "merge"]


def test_years_that_the_recipe_leaves_out_are_planned_too() -> None:
    region = tiny_region(students=3)
    gaps = propose(parse_scenario({"name": "试", "years": [2026, 2029]}), region, wish=ONE)
    whole = propose(asked(), region, wish=ONE)
    assert gaps.recipe["years"] == [2026, 2027, 2028, 2029]
    assert gaps.objective == pytest.approx(whole.objective, rel=1e-12)
    assert "2026、2029" in gaps.notes[0]
    assert not whole.notes
    # A limit a year binds every year, not every listed one.
    gone = sorted(closings(whole))
    assert gone == [2027, 2027]
    slow = asked(years=[2026, 2029], consolidation={"closures_per_year": 1})
    assert sorted(closings(propose(slow, region, wish=ONE))) == [2027, 2028]


def test_the_recipe_says_what_plans_have_to_keep_and_the_command_has_the_last_word() -> None:
    region = tiny_region(students=3)
    one = asked(consolidation={"closures_total": 1})
    found = propose(one, region, wish=ONE)
    assert len(closings(found)) == 1
    # What was asked stands in the recipe of the plan.
    assert found.recipe["consolidation"]["closures_total"] == 1
    assert limits_of(with_demands(one, closures_total=0, min_size=None)).closures_total == 0
    assert limits_of(with_demands(one, min_size=None)) == limits_of(one)
    least = parse_scenario(found.recipe)
    assert limits_of(least).closures_total == 1
    # No school may grow beyond 50 students: two of 36 and 27 cannot be put together.
    small = propose(asked(consolidation={"max_size": 50}), region, wish=ONE)
    assert len(closings(small)) < len(closings(propose(asked(), region, wish=ONE))) == 2
    load = small.offers[1].answer.plan
    there = students_at(small.offers[1].question.problem, load).sum(axis=1)
    assert (there <= np.maximum(there[:, :1], 50)).all()


def test_current_students_finish_where_they_are_in_the_plan_and_in_its_recipe() -> None:
    region = tiny_region(students=3)
    years = [2026, 2031]
    whole = propose(asked(years=years), region, wish=ONE)
    found = propose(asked(years=years, consolidation={"finish": True}), region, wish=ONE)
    assert found.violations == ()
    # The last who entered in 2026 are in grade 3 (or 6) in 2028: the schools close a year later.
    assert closings(whole) == [2027, 2027]
    assert closings(found) == [2029, 2029]
    offer = found.offers[found.proposed]
    run = run_scenario(parse_scenario(offer.recipe), region)
    where = grade_sites(offer.question.problem, offer.answer.plan.site_of, "finish")
    meant = students_there(offer.question.problem, where)
    assert np.array_equal(students_at(run.problem, run.plan), meant)
    # Were they to stay through all bands, the run would be another plan.
    other = {**offer.recipe, "catchments": {"grandfather": True}}
    stays = run_scenario(parse_scenario(other), region)
    assert not np.array_equal(students_at(stays.problem, stays.plan), meant)


@pytest.mark.parametrize(
    ("recipe", "word"),
    [
        ({"years": [2026]}, "years"),
        ({"years": [2026, 2060]}, "30"),
        (
            {
                "method": {"assignment": "capacity"},
                "catchments": {"size": [{"school": "S1", "min": 5}]},
            },
            "size",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused_in_words(recipe: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        every_year(asked(**recipe))


def test_costs_as_excel_saves_them_are_read_and_what_is_no_table_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "costs.csv"
    own.write_bytes("key,value,source\nteacher_year,98000,本县财政局\n".encode("gb18030"))
    assert read_costs(own).teacher_year == 98000
    (row,) = [r for r in cost_table(own) if r.key == "teacher_year"]
    assert row.source == "本县财政局"
    for content in (b"\xff\xfe\x00\x81", "key,value\n".encode("utf-16")):
        own.write_bytes(content)
        with pytest.raises(InputError, match=r"costs\.csv.*UTF-8"):
            read_costs(own)


def test_a_search_that_is_cut_off_or_of_another_recipe_is_refused(tmp_path: Path) -> None:
    region = tiny_region(students=3)
    posed = pose(asked(), region)
    n, t = len(posed.problem.group_band), 4
    prices = tuple(np.zeros((1, 1)) for _ in range(3))
    path = write_memory(Memory(np.zeros((n, t), np.int32), prices), tmp_path / "search.npz")
    assert read_memory(path).site_of.shape == (n, t)
    whole = path.read_bytes()
    for cut in (30, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"search\.npz"):
            read_memory(path)
    for site_of in (np.zeros((n, t + 1), np.int32), np.full((n, t), 99, np.int32)):
        with pytest.raises(InputError, match="--resume"):
            propose(asked(), region, wish=ONE, memory=Memory(site_of, prices))
    # Prices of another question do no harm.
    found = propose(asked(), region, wish=ONE, memory=Memory(np.zeros((n, t), np.int32), prices))
    assert found.violations == ()


def test_areas_cannot_be_drawn_where_no_school_is_fit_and_the_range_is_told() -> None:
    region = tiny_region(students=3)
    problem = pose(asked(), region).problem
    with pytest.raises(InputError, match="没有学校可作中心校"):
        draw_areas(problem, region, 2, small=np.ones(len(problem.site_ids), dtype=bool))
    with pytest.raises(InputError, match="应为 1–2"):
        propose(asked(), tiny_region(students=12), wish=Wish(steps=1, areas=5))


def test_a_plan_in_two_steps_by_hand_breaks_no_demand_of_todays_year() -> None:
    region = tiny_region(students=3)
    hand = asked(
        name="手工",
        action=[
            {"do": "merge", "school": "T1", "into": "S2", "year": 2027},
            {"do": "merge", "school": "S2", "into": "S1", "year": 2028},
        ],
    )
    found = propose(asked(), region, wish=ONE, hands=[hand])
    table = found.demands
    # Moving twice is no demand of anybody: it is told, and not counted. Today is nobody's plan.
    twice = table[table["kind"] == "model"]
    assert set(twice["place"]) == {"丁村", "戊村"}
    assert twice["zh"].str.contains("换了两次学校").all()
    assert not (table["year"] == 2026).any()
    assert found.byhand.iloc[1]["demands_broken"] == (table["kind"] != "model").sum()
    assert table["zh"].str.contains("[\u4e00-\u9fff]").all()
    assert not table["zh"].str.contains("[a-z]").any()
    strict = asked(name="试", consolidation={"closures_total": 1})
    table = propose(strict, region, wish=ONE, hands=[hand]).demands
    (row,) = table[table["kind"] == "limit"].to_dict("records")
    assert row["value"] == 2
    assert row["limit"] == 1
    assert row["zh"] == "超过所定撤并总数（2，限 1）"


def test_plans_with_dearer_minutes_are_told_in_the_countys_yuan_and_say_what_they_weigh() -> None:
    region = tiny_region(students=12)
    found = propose(asked(), region, wish=Wish(steps=1, plans=5, class_size=10))
    table = found.plans
    weighed = table[table["minutes_weigh"] > 1]
    assert len(weighed) > 0
    for k, offer in enumerate(found.offers):
        row = table.iloc[k]
        own = found.offers[0].question.costs
        again = cost_of(
            offer.question.problem, offer.answer.plan, own, built=offer.answer.built,
            site_build=offer.question.site_build,
        )  # fmt: skip
        assert row["yuan"] == pytest.approx(again.total, rel=1e-9)
        name = row["name"].split(" / ")[0]
        told = float(name.split("×")[1]) if "×" in name else 1.0
        assert row["minutes_weigh"] == told
        assert row["bound"] <= row["objective"] * (1 + 1e-9) or np.isnan(row["bound"])
        if told == 1.0 and "小班化" not in name:
            assert row["objective"] == pytest.approx(row["yuan"], rel=1e-9)
        assert row["rooms_built"] == offer.answer.built.rooms[:, -1].sum()
    # Smaller classes need rooms, and these stand in the table.
    assert table.iloc[-1]["rooms_built"] > 0
    assert table.iloc[-1]["build_yuan"] > 0


def test_a_village_whose_children_have_finished_is_not_sent_to_a_school_that_closes() -> None:
    region = tiny_region(students=3)
    children = region.children
    young = (children["village_id"] == "V5") & (children["grade"] <= 2)
    children = children.assign(students=np.where(young, 0, children["students"]))
    years = pd.DataFrame(
        [
            {**row, "year": year, "students": 0 if row["village_id"] == "V5" else row["students"]}
            for year in range(2027, 2032)
            for row in children[children["grade"] <= 6].to_dict("records")
        ]
    )
    region = region.replace(children=pd.concat([children, years], ignore_index=True))
    recipe = asked(years=[2026, 2031], consolidation={"finish": True})
    found = propose(recipe, region, wish=ONE)
    assert found.violations == ()
    gone = [a for a in found.recipe["action"] if a["do"] == "merge"]
    assert {a["school"] for a in gone} == {"S2", "T1"}
    run = run_scenario(parse_scenario(found.recipe), region)
    assert (run.conservation["unserved"] == 0).all()


def test_a_school_that_the_recipe_closes_stops_taking_entrants_a_band_before() -> None:
    region = tiny_region(students=3)
    merge = {"do": "merge", "school": "T1", "into": "S2", "year": 2029}
    demand = {"consolidation": {"finish": True, "closures_total": 1}, "years": [2026, 2031]}
    found = propose(asked(action=[merge], **demand), region, wish=ONE)
    assert found.violations == ()
    assert closings(found) == [2029]
    offer = found.offers[found.proposed]
    problem = offer.question.problem
    lower = (problem.today == problem.site_ids.index("T1")) & (problem.group_band == 0)
    # Grades 1 to 3: the last entrants come in 2026 and leave grade 3 in 2028.
    there = offer.answer.plan.site_of[lower]
    assert (there[:, 1:] == problem.site_ids.index("S2")).all()
    with pytest.raises(InputError, match="2029 年或以后"):
        propose(asked(action=[{**merge, "year": 2028}], **demand), region, wish=ONE)
