"""What planners add to catchments, from the recipe to the plan, on the county known by heart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catchment.errors import CatchmentError, InputError
from catchment.plan import split, students_at
from catchment.region.read import read_region
from catchment.run import Run, run_scenario
from catchment.run.change import ImpossibleError
from catchment.scenario import county_of, parse_scenario, read_scenario, resolve
from catchment.verify import check_plan
from catchment.views.folder import execute_again
from tests.tiny_region import tiny_region

YEARS = [2026, 2027, 2028, 2030]


def run(
    catchments: dict[str, Any] | None,
    *actions: dict[str, Any],
    years: list[int] = YEARS,
    limits: dict[str, float] | None = None,
    **method: Any,
) -> Run:
    recipe: dict[str, Any] = {
        "name": "试",
        "years": years,
        "method": {"assignment": "capacity", "stay_minutes": 0, **method},
        "action": list(actions),
        "effort": 0.2,
        "limits": limits or {},
    }
    if catchments is not None:
        recipe["catchments"] = catchments
    return run_scenario(parse_scenario(recipe), tiny_region())


def schools(done: Run, band: str, t: int = -1) -> list[str]:
    members = np.flatnonzero(done.problem.group_band == done.problem.bands.index(band))
    return [done.problem.site_ids[j] for j in done.plan.site_of[members, t]]


def load(done: Run, site: str, band: str, t: int = -1) -> int:
    problem = done.problem
    at = students_at(problem, done.plan)[problem.site_ids.index(site), :, t]
    return int(at[problem.grade_band == problem.bands.index(band)].sum())


@pytest.fixture(scope="module")
def plain() -> Run:
    return run(None)


def test_without_wishes_the_nearest_with_places(plain: Run) -> None:
    assert schools(plain, "lower") == ["S1", "S1", "S2", "T1", "T1"]
    assert schools(plain, "upper") == ["S1", "S1", "S2", "S2", "S2"]


def test_never_and_together_and_sizes_are_obeyed() -> None:
    done = run({"never": [{"villages": ["乙村"], "school": "东乡中心校"}]})
    assert schools(done, "upper") == ["S1", "S2", "S2", "S2", "S2"]
    done = run({"together": [{"villages": ["V2", "V3"], "bands": ["upper"]}]})
    upper = schools(done, "upper")
    assert upper[1] == upper[2]
    done = run({"size": [{"school": "S1", "bands": ["lower"], "max": 30}]})
    assert schools(done, "lower") == ["S1", "S2", "S2", "T1", "T1"]
    done = run({"size": [{"school": "S2", "bands": ["upper"], "min": 100}]})
    assert schools(done, "upper") == ["S1", "S2", "S2", "S2", "S2"]
    done = run({"apart": [{"villages": ["V1", "V2"], "bands": ["lower"]}]})
    lower = schools(done, "lower")
    assert lower[0] != lower[1]


def test_borders_and_compactness_move_a_village() -> None:
    far = run({"border": "township", "border_minutes": 200})
    # 乙村 and 甲村 are 东乡, whose only primary school is S1
    assert schools(far, "upper")[:2] == ["S1", "S1"]
    assert set(schools(far, "upper")[2:]) == {"S2"}
    assert run({"compactness": 3.0}).plan.objective >= run(None).plan.objective - 1e-6


def test_a_shared_catchment_is_divided_as_told_and_counted() -> None:
    done = run(
        {
            "shared": [
                {"villages": ["V2"], "schools": ["S1", "S2"], "shares": [0.7, 0.3],
                 "bands": ["lower", "upper"]}
            ]
        }
    )  # fmt: skip
    problem, parts = done.problem, done.plan.elsewhere
    assert parts is not None
    assert schools(done, "upper")[1] == "S1"
    t = 1
    mine = (problem.group_village[parts.group] == 1) & (parts.year == t)
    # 30 children of each band: 21 to S1, 9 to S2, three of each grade
    assert sorted(parts.students[mine].tolist()) == [3] * 6
    assert load(done, "S2", "upper", t) == 30 * schools(done, "upper", t).count("S2") + 9
    assert students_at(problem, done.plan).sum() == problem.students.sum()
    row = done.conservation.iloc[t]
    assert row["students_in"] == row["served"] == 450


def test_a_shared_catchment_by_choice_keeps_the_places() -> None:
    # S2 has places for two villages and a half of the upper band
    done = run(
        {"shared": [{"villages": ["V2", "V3"], "schools": ["S1", "S2"], "bands": ["upper"]}],
         "size": [{"school": "S2", "bands": ["upper"], "max": 75}]}
    )  # fmt: skip
    assert load(done, "S2", "upper") <= 75
    assert load(done, "S1", "upper") == 150 - load(done, "S2", "upper")
    assert sum(done.catchments["shared"] != "") > 0


def test_students_keep_their_school_grade_by_grade() -> None:
    move = {"do": "move", "year": 2027, "villages": ["V3"], "to": "S1", "bands": ["lower", "upper"]}
    years = [2026, 2027, 2028, 2029, 2032, 2033]
    done = run({"grandfather": True}, move, years=years, assignment="today")
    problem = done.problem
    v3 = [2 * 3, 2 * 3 + 1]
    for t, year in enumerate(problem.years):
        here = _where(done, v3, t)
        for grade in range(1, 7):
            begun = year - (grade - 1)
            # who began before 2027 goes on at S2 to the end of primary school
            assert here[grade] == ({"S2": 10} if begun < 2027 else {"S1": 10}), (year, grade)
    assert done.plan.elsewhere is not None
    # the year of the change: one grade in six has moved
    table = done.indicators
    moved = table.query("plan == 'plan' and indicator == 'moved_students' and scope == 'county'")
    by_year = dict(zip(moved["year"], moved["value"], strict=True))
    assert [by_year[y] for y in problem.years] == [0, 10, 20, 30, 60, 60]
    counted = split(problem, done.plan)
    assert not [f for f in check_plan(*counted) if f.severity() == "broken"]


def _where(done: Run, groups: list[int], t: int) -> dict[int, dict[str, int]]:
    """Children of some groups by grade and school."""
    problem, plan = done.problem, done.plan
    out: dict[int, dict[str, int]] = {}
    for i in groups:
        for g, grade in enumerate(problem.grades):
            total = int(problem.students[i, g, t])
            if not total:
                continue
            here = {problem.site_ids[plan.site_of[i, t]]: total}
            parts = plan.elsewhere
            if parts is not None:
                mine = (parts.group == i) & (parts.grade == g) & (parts.year == t)
                for j, k in zip(parts.site[mine], parts.students[mine], strict=True):
                    here[problem.site_ids[plan.site_of[i, t]]] -= int(k)
                    here[problem.site_ids[j]] = here.get(problem.site_ids[j], 0) + int(k)
            out[grade] = {s: k for s, k in here.items() if k}
    return out


def test_younger_siblings_follow_the_elder_child_while_it_is_there() -> None:
    move = {"do": "move", "year": 2027, "villages": ["V3"], "to": "S1", "bands": ["lower", "upper"]}
    done = run({"grandfather": True, "siblings": 0.3}, move, years=[2026, 2027, 2028])
    v3 = [6, 7]
    assert _where(done, v3, 1)[1] == {"S1": 7, "S2": 3}
    assert _where(done, v3, 2)[1] == {"S1": 7, "S2": 3}
    assert _where(done, v3, 2)[2] == {"S1": 7, "S2": 3}
    assert _where(done, v3, 2)[3] == {"S2": 10}


def test_a_closed_school_keeps_nobody() -> None:
    merge = {"do": "merge", "year": 2028, "school": "S2", "into": "S1"}
    done = run({"grandfather": True}, merge, {"do": "expand", "school": "S1", "rooms": 9})
    site = done.problem.site_ids.index("S2")
    assert students_at(done.problem, done.plan)[site, :, 2:].sum() == 0


def test_an_impossible_recipe_names_a_witness_and_changes_that_do() -> None:
    wanted = {
        "size": [
            {"school": "T1", "bands": ["lower"], "max": 30},
            {"school": "S2", "bands": ["lower"], "max": 50},
            {"school": "S1", "bands": ["lower"], "max": 60},
        ]
    }
    with pytest.raises(ImpossibleError) as caught:
        run(wanted)
    why = caught.value.why
    assert (why.students, why.places, why.proved) == (150, 140, True)
    assert set(why.schools) == {"S1", "S2", "T1"}
    assert "多出 10 人" in str(caught.value)
    # each change is the smallest that does: done, it gives a plan; one less does not
    tried = 0
    for _, en in why.changes:
        said = re.search(r"^(\S+) may have (\d+) in this band instead of (\d+)", en)
        if said is None:
            continue
        school = {"东乡中心校": "S1", "丙村小学": "S2", "丁村教学点": "T1"}[said[1]]
        for most, possible in ((int(said[2]), True), (int(said[2]) - 1, False)):
            sizes = [
                {**s, "max": most if s["school"] == school else s["max"]} for s in wanted["size"]
            ]
            if possible:
                assert load(run({"size": sizes}), school, "lower") <= most
            else:
                with pytest.raises(ImpossibleError):
                    run({"size": sizes})
        tried += 1
    # V4 is the school's own village and V5 lies behind it: T1 must take both
    assert [en for _, en in why.changes if "60" in en]
    assert tried == 1


def test_a_strict_limit_that_a_village_cannot_keep() -> None:
    def limited(minutes: int) -> Run:
        return run({"strict_limits": ["upper"]}, years=[2026, 2028], limits={"upper": minutes})

    with pytest.raises(ImpossibleError, match="没有任何可去的学校") as caught:
        limited(10)
    said = re.search(r"is (\d+) minutes instead of 10", str(caught.value))
    assert said is not None
    done = limited(int(said[1]))
    problem = done.problem
    upper = np.flatnonzero(problem.group_band == problem.bands.index("upper"))
    assert problem.minutes[0, upper, done.plan.site_of[upper, 1]].max() <= int(said[1])
    with pytest.raises(ImpossibleError):
        limited(int(said[1]) - 1)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"size": [{"school": "S1"}]}, "min"),
        ({"size": [{"school": "S1", "min": 9, "max": 3}]}, "大于 max"),
        ({"size": [{"school": "没有", "max": 3}]}, "没有学校"),
        ({"size": [{"school": "J1", "bands": ["lower"], "max": 3}]}, "不办所列学段"),
        ({"never": [{"villages": ["V9"], "school": "S1"}]}, "没有村"),
        ({"siblings": 0.5}, "grandfather"),
        ({"shared": [{"villages": ["V1"], "schools": ["S1", "S2"], "shares": [0.5, 0.6]}]}, "合计"),
        ({"shared": [{"villages": ["V1"], "schools": ["S1", "J1"]}]}, "没有共同的学段"),
        ({"togther": []}, "did you mean together"),
        ({"strict_limits": ["kinder"]}, "没有学段"),
        (
            {"together": [{"villages": ["V1", "V2"]}], "apart": [{"villages": ["V2", "V1"]}]},
            "既要求同校",
        ),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_in_words(wanted: Any, said: str) -> None:
    with pytest.raises(CatchmentError, match=said):
        run(wanted)


def test_wishes_of_the_search_need_its_method() -> None:
    with pytest.raises(InputError, match="capacity"):
        run({"size": [{"school": "S1", "max": 30}]}, assignment="today")


def test_the_shipped_example_fits_the_shipped_county() -> None:
    path = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "catchments.toml"
    scenario = read_scenario(path)
    ready = resolve(scenario, county_of(scenario, read_region(path.parent / scenario.region)))
    assert ready.catchments is not None
    assert ready.catchments.grandfather
    assert ready.catchments.shared[0].schools == ("2152270018", "2152270025")


def test_the_folder_of_a_run_without_a_plan_holds_the_witness(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("catchment.views.folder.execute", lambda *_a, **_k: run({
        "size": [{"school": s, "bands": ["lower"], "max": 40} for s in ("S1", "S2", "T1")]
    }))  # fmt: skip
    with pytest.raises(ImpossibleError):
        execute_again(tmp_path / "recipe.toml", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "impossible.json").read_text(encoding="utf-8"))
    assert (told["students"], told["places"], told["band"]) == (150, 120, "lower")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["impossible.json"]
