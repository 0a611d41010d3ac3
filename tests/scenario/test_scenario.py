"""Recipes: what is refused and in which words, and the county of a year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catchment.errors import CatchmentError, InputError, NotFoundError
from catchment.scenario import apply, parse_scenario, read_scenario, resolve, roads_of
from tests.tiny_region import tiny_region


def recipe(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "试", "years": [2026, 2028, 2030], "action": list(actions), **more}


def resolved(*actions: dict[str, Any]) -> Any:
    return resolve(parse_scenario(recipe(*actions)), tiny_region())


MERGE = {"do": "merge", "school": "T1", "into": "S2", "year": 2028}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (recipe(colour="red"), ["colour", "未知的键"]),
        (recipe(sede=1), ["sede", "seed"]),
        (recipe({**MERGE, "inot": "S1"}), ["inot", "未知的键"]),
        (recipe({"do": "explode", "school": "T1"}), ["explode", "未知的行动"]),
        (recipe({"school": "T1"}), ["action", "do"]),
        (recipe({"do": "expand", "school": "S1", "rooms": -1}), ["rooms", "-1"]),
        (recipe({"do": "build", "site": "C1", "rooms": "many"}), ["rooms", "many"]),
        (recipe({**MERGE, "year": 2040}), ["2040", "2026–2030"]),
        ({"name": "试", "years": [2028, 2026]}, ["years", "[2028, 2026]"]),
        ({"name": "试", "years": []}, ["years"]),
        (recipe(method={"assignment": "magic"}), ["assignment", "magic"]),
        (recipe(method={"stages": []}), ["stages"]),
        (recipe(time_limit=0), ["time_limit"]),
    ],
)
def test_a_recipe_of_wrong_form_is_refused_by_name(data: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_scenario(data, "recipe.toml")
    for word in ["recipe.toml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("actions", "kind", "words"),
    [
        ([{**MERGE, "into": "X1"}], InputError, ["戊村小学", "不办学"]),
        ([{**MERGE, "into": "C1"}], InputError, ["C1", "不办学"]),
        ([{**MERGE, "school": "X1"}], InputError, ["戊村小学", "已不办学"]),
        ([{**MERGE, "into": "T1"}], InputError, ["成环"]),
        (
            [
                {"do": "merge", "school": "S1", "into": "S2", "year": 2028},
                {"do": "merge", "school": "S2", "into": "S1", "year": 2030},
            ],
            InputError,
            ["成环", "S1 → S2 → S1"],
        ),
        (
            [{**MERGE}, {"do": "merge", "school": "S2", "into": "S1", "year": 2028}],
            InputError,
            ["S2"],
        ),
        ([{**MERGE, "into": "J1"}], InputError, ["东乡初中", "小学低年级"]),
        ([{**MERGE, "school": "丁村"}], NotFoundError, ["丁村教学点"]),
        ([{"do": "downgrade", "school": "T1"}], InputError, ["1–3"]),
        ([{"do": "downgrade", "school": "J1"}], InputError, ["7–9"]),
        ([{"do": "expand", "school": "S1"}], InputError, ["rooms"]),
        ([{"do": "build", "site": "C1", "rooms": 13}], InputError, ["12", "13"]),
        ([{"do": "build", "site": "C9", "rooms": 3}], NotFoundError, ["C9"]),
        ([{"do": "reopen", "school": "S1"}], InputError, ["仍在办学"]),
        (
            [{**MERGE}, {"do": "keep", "school": "T1", "year": 2028}],
            InputError,
            ["矛盾", "merge", "keep"],
        ),
        (
            [{**MERGE}, {"do": "expand", "school": "T1", "rooms": 2, "year": 2030}],
            InputError,
            ["丁村教学点", "2030"],
        ),
    ],
)
def test_an_action_that_cannot_be_carried_out_is_refused(
    actions: list[dict[str, Any]], kind: type[CatchmentError], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        resolved(*actions)
    for word in words:
        assert word in str(caught.value)


def test_merging_sends_the_villages_on_and_later_mergers_send_them_further() -> None:
    scenario = resolved(MERGE, {"do": "merge", "school": "S2", "into": "S1", "year": 2030})
    region = tiny_region()
    by_year = {y: apply(scenario, region, y) for y in (2026, 2028, 2030)}
    assert by_year[2026].villages["school_lower"].tolist() == ["S1", "S1", "S2", "T1", "T1"]
    assert by_year[2028].villages["school_lower"].tolist() == ["S1", "S1", "S2", "S2", "S2"]
    assert by_year[2030].villages["school_lower"].tolist() == ["S1"] * 5
    assert by_year[2030].villages["school_upper"].tolist() == ["S1"] * 5
    assert by_year[2030].villages["school_junior"].tolist() == ["J1"] * 5
    status = by_year[2030].schools.set_index("school_id")["status"]
    assert status.to_dict() == {
        "S1": "existing", "S2": "closed", "T1": "closed", "J1": "existing", "X1": "closed",
    }  # fmt: skip
    # The county of today is untouched.
    assert region.schools["status"].tolist() == ["existing"] * 4 + ["closed"]
    assert region.villages["school_lower"].tolist() == ["S1", "S1", "S2", "T1", "T1"]


def test_downgrading_keeps_the_lowest_band() -> None:
    scenario = resolved({"do": "downgrade", "school": "丙村小学", "into": "S1", "year": 2028})
    after = apply(scenario, tiny_region(), 2028)
    row = after.schools.set_index("school_id").loc["S2"]
    assert (row["role"], row["grade_to"]) == ("teaching_point", 3)
    assert after.villages["school_upper"].tolist() == ["S1"] * 5
    assert after.villages["school_lower"].tolist() == ["S1", "S1", "S2", "T1", "T1"]


def test_a_school_may_be_built_or_reopened_in_the_year_it_receives() -> None:
    scenario = resolved(
        {"do": "merge", "school": "T1", "into": "X1", "year": 2028},
        {"do": "reopen", "school": "X1", "year": 2028, "rooms": 3},
        {"do": "merge", "school": "S2", "into": "C1", "year": 2030},
        {"do": "build", "site": "C1", "rooms": 12, "year": 2030},
        {"do": "expand", "school": "S1", "rooms": 2, "beds": 10, "year": 2026},
    )
    after = apply(scenario, tiny_region(), 2030).schools.set_index("school_id")
    assert after.loc["X1", ["status", "rooms"]].tolist() == ["existing", 3]
    assert after.loc["C1", ["status", "rooms", "role"]].tolist() == ["existing", 12, "complete"]
    assert after.loc["S1", ["rooms", "beds"]].tolist() == [8, 10]


def test_roads_are_told_by_year() -> None:
    new = {"do": "road", "from": [1.0, 2.0], "to": [1.0, 3.0], "year": 2028}
    scenario = resolved(new)
    assert roads_of(scenario, 2026) == ()
    assert roads_of(scenario, 2028)[0].end == (1.0, 3.0)


def test_a_missing_and_a_broken_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.toml"):
        read_scenario(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = \n", encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.toml"):
        read_scenario(broken)
