"""Demands that contradict each other are named: villages, schools, actions, and what would help."""

from __future__ import annotations

import pytest

from catchment.errors import InfeasibleError
from catchment.optimise import consolidation as model
from catchment.run import Wish, pose, propose
from catchment.run.contradict import given_up, moved_twice
from catchment.run.demands import question_of_recipe
from catchment.run.spoken import names_of
from catchment.scenario import parse_scenario
from tests.tiny_region import tiny_region


def merge(school: str, year: int, into: str = "") -> dict[str, object]:
    return {"do": "merge", "school": school, "year": year, **({"into": into} if into else {})}


def move(village: str, to: str, year: int) -> dict[str, object]:
    return {"do": "move", "villages": [village], "to": to, "year": year, "bands": ["lower"]}


def refused(**more: object) -> str:
    recipe = parse_scenario({"name": "试", "years": [2026, 2027, 2028, 2029], **more})
    with pytest.raises(InfeasibleError) as stopped:
        propose(recipe, tiny_region(students=3), wish=Wish(steps=1))
    return str(stopped.value)


@pytest.mark.parametrize("last", ["S1", ""])
def test_a_chain_of_mergers_names_its_villages_schools_and_what_to_write_instead(last: str) -> None:
    text = refused(action=[merge("T1", 2027, "S2"), merge("S2", 2028, last)])
    assert "丁村、戊村" in text
    assert "丙村、" not in text
    assert "2027 年撤并 丁村教学点→丙村小学" in text
    assert "2028 年撤并 丙村小学" in text
    assert "--hand" in text
    # What it says to write instead has a plan.
    done = [merge("T1", 2027, "S1"), merge("S2", 2028, "S1")]
    recipe = parse_scenario({"name": "试", "years": [2026, 2027, 2028, 2029], "action": done})
    assert propose(recipe, tiny_region(students=3), wish=Wish(steps=1)).violations == ()


def test_a_village_sent_twice_is_named_and_one_sent_once_is_not() -> None:
    text = refused(action=[move("V4", "S1", 2027), move("V4", "S2", 2028)])
    assert "丁村：先“2027 年调整学区 丁村→东乡中心校”，再“2028 年调整学区 丁村→丙村小学”" in text
    region = tiny_region(students=3)
    for actions in (
        # In one year the village goes where it is sent, once.
        [merge("T1", 2027, "S2"), move("V4", "S1", 2027)],
        # It has left before its school closes.
        [move("V4", "S1", 2027), merge("T1", 2028, "S2")],
        [merge("T1", 2027, "S2"), move("V4", "S2", 2028)],
    ):
        recipe = parse_scenario({"name": "试", "years": [2026, 2027, 2028], "action": actions})
        posed = pose(recipe, region)
        assert moved_twice(posed.scenario, posed.problem, names_of(region)) == []


def test_a_proposal_can_be_proposed_again() -> None:
    # What a recipe has built already is no cost of the next proposal: here nothing is built.
    region = tiny_region(students=3, naps=100)
    recipe = parse_scenario({"name": "试", "years": [2026, 2029]})
    first = propose(recipe, region, wish=Wish(steps=1))
    again = propose(parse_scenario(first.recipe), region, wish=Wish(steps=1))
    assert again.objective == pytest.approx(first.objective, rel=1e-9)


def test_limits_and_actions_that_clash_are_tried_one_by_one() -> None:
    text = refused(action=[merge("T1", 2027, "S2")], consolidation={"closures_total": 0})
    assert "撤并总数" in text
    assert "由 0 到 1 即有方案" in text
    assert "放弃行动“2027 年撤并 丁村教学点→丙村小学”即有方案" in text
    # The reason stands there once in each language.
    assert text.count("求解器证明没有可行方案") == 1
    assert text.count("proved: no plan keeps all limits") == 1


def test_only_actions_that_help_by_themselves_are_told() -> None:
    region = tiny_region(students=3)
    keep = {"do": "keep", "school": "J1", "year": 2026}
    recipe = parse_scenario(
        {
            "name": "试", "years": [2026, 2027, 2028],
            "action": [keep, merge("T1", 2027, "S1"), merge("S2", 2027, "S1")],
        }
    )  # fmt: skip
    limits = model.Limits(closures_per_year=1)
    lines = given_up(
        recipe, lambda r: question_of_recipe(pose(r, region), limits=limits), names_of(region)
    )
    assert [line.split("”")[0] for line in lines] == [
        "放弃行动“2027 年撤并 丁村教学点→东乡中心校",
        "放弃行动“2027 年撤并 丙村小学→东乡中心校",
    ]
