"""Plans keep the hard rules of a closing, and say which demand of the user's breaks one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catchment.errors import InfeasibleError
from catchment.optimise import consolidation as model
from catchment.region.read import read_region
from catchment.rules import books
from catchment.rules.terms import terms_of_closing
from catchment.run import Wish, pose, propose, run_scenario
from catchment.run.demands import question_of_recipe, terms_of
from catchment.run.relax import relaxations
from catchment.scenario import parse_scenario
from tests.tiny_files import write_tiny
from tests.tiny_region import tiny_region

YEARS = [2026, 2027, 2028]
ONE = Wish(steps=1)


def asked(**more: object):
    return parse_scenario({"name": "试", "years": YEARS, **more})


def crowded(school: str, size: int = 50):
    region = tiny_region(students=3)
    table = pd.DataFrame(
        {"school_id": [school], "grade": [1], "class_no": ["1"], "students": [size], "year": [2026]}
    )
    return dataclasses.replace(region, classes=table)


def merge(school: str, into: str):
    return {"do": "merge", "school": school, "into": into, "year": 2027}


def hard(run) -> set[tuple[str, ...]]:
    fails = run.findings[(run.findings["severity"] == "hard") & (run.findings["result"] == "fail")]
    return set(map(tuple, fails[["code", "id", "year"]].astype(str).to_numpy().tolist()))


@pytest.fixture(scope="module")
def opposed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny(tmp_path_factory.mktemp("opposed") / "county")
    (folder / "evidence.csv").write_text(
        "school_id,code,item,date,value,document\nT1,R-CON-01,,2026-10-01,80,家长意见表\n",
        encoding="utf-8",
    )
    return folder


def test_a_plan_builds_what_the_receiving_schools_lack() -> None:
    # T1 has 20 seats and S2 no nap place: whoever is moved there is fed and has a place to rest.
    region = tiny_region(students=3)
    found = propose(asked(), region, wish=ONE)
    offer = found.offers[found.proposed]
    assert len(found.broken) == 0
    closes = [a for a in offer.recipe["action"] if a["do"] in ("merge", "downgrade")]
    assert closes
    problem, answer = offer.question.problem, offer.answer
    came = (answer.plan.site_of != problem.today[:, None]) & (answer.plan.site_of >= 0)
    count = problem.demand()
    for j in np.unique(answer.plan.site_of[came]):
        for t in range(1, len(YEARS)):
            here = answer.plan.site_of[:, t] == j
            new = int(count[here & came[:, t], t].sum())
            if new:
                seats = problem.dining_seats[j, t] + answer.built.seats[j, t]
                assert seats >= count[here, t].sum()
                assert problem.nap_places[j, t] + answer.built.naps[j, t] >= new
    assert answer.built.naps.any()
    added = [a for a in offer.recipe["action"] if a["do"] == "expand" and a.get("nap_places")]
    assert added
    assert all(a["year"] < 2028 for a in added)
    run = run_scenario(parse_scenario(offer.recipe), region)
    assert hard(run) == hard(run_scenario(asked(), region))


def test_a_school_with_a_class_over_standard_receives_nobody() -> None:
    free = question_of_recipe(pose(asked(), crowded("S2", 45)))
    assert free.receives is not None
    assert free.receives.all()
    region = crowded("S2", 46)
    question = question_of_recipe(pose(asked(), region))
    j = question.problem.site_ids.index("S2")
    assert question.receives is not None
    assert np.flatnonzero(~question.receives).tolist() == [j]
    answer = model.consolidate(question, steps=1)
    came = (answer.plan.site_of == j) & (question.problem.today != j)[:, None]
    assert not came.any()
    assert model.check(question, answer) == []


def test_a_demand_that_breaks_a_rule_is_named_with_the_rule() -> None:
    region = crowded("S2", 50)
    found = propose(asked(action=[merge("T1", "S2")]), region, wish=ONE)
    best = found.offers[found.proposed].broken
    assert set(best["code"]) == {"R-CON-05", "R-GATE"}
    assert set(best["id"]) == {"T1"}
    assert set(best["demand"]) == {"merge T1 2027"}
    # Without the demand nothing is broken.
    assert len(propose(asked(), region, wish=ONE).broken) == 0


def test_opposition_on_record_keeps_a_school(opposed: Path) -> None:
    region = read_region(opposed)
    posed = pose(asked(), region)
    question = question_of_recipe(posed)
    j = question.problem.site_ids.index("T1")
    assert terms_of(posed).opposed.tolist() == [s == "T1" for s in posed.problem.site_ids]
    assert not question.may_close[j]
    assert not question.may_downgrade[j]
    other = question_of_recipe(pose(asked(), read_region(write_tiny(opposed.parent / "other"))))
    assert other.may_close[j]
    demanded = propose(asked(action=[merge("T1", "S2")]), region, wish=ONE)
    told = demanded.offers[demanded.proposed].broken
    assert ("R-CON-01", "T1", "merge T1 2027") in set(
        zip(told["code"], told["id"], told["demand"], strict=True)
    )


def test_a_record_after_the_plan_keeps_nothing(opposed: Path) -> None:
    problem = pose(asked(), tiny_region()).problem
    row = {"school_id": "T1", "code": "R-CON-01", "item": "", "date": "", "value": "80",
           "document": "表"}  # fmt: skip
    rules = books.read_books()
    for day, value, kept in (
        ("2028-09-01", "80", True), ("2028-09-02", "80", False), ("2026-01-01", "50", False),
        ("2026-01-01", "51", True),
    ):  # fmt: skip
        table = pd.DataFrame([row | {"date": day, "value": value}])
        terms = terms_of_closing(problem, rules, None, table)
        assert terms.opposed[problem.site_ids.index("T1")] == kept, (day, value)


def test_the_rules_of_the_county_are_the_limits_of_the_search() -> None:
    posed = pose(asked(), tiny_region(students=3))
    question = question_of_recipe(posed)
    assert question.limits.young_minutes == 30.0
    assert question.limits.max_size == 2000
    rules = list(books.read_books())
    few = [r for r in rules if r.code == "R-CON-07" and "very_few" in r.applies_to]
    stricter = [dataclasses.replace(r, limit=30.0) if r in few else r for r in rules]
    assert len(few) == 1
    assert terms_of_closing(posed.problem, stricter, None, None).small == 30.0
    none = [r for r in rules if r.code not in ("R-TRV-01", "R-CON-04", "R-CON-05", "R-CON-07")]
    free = terms_of_closing(posed.problem, none, crowded("S2").classes, None)
    assert free.receives.all()
    assert np.isinf([free.young_minutes, free.small, free.largest]).all()
    assert (free.seats, free.naps) == (1.0, 1.0)
    bare = [r for r in rules if r.code != "R-CON-03"]
    assert terms_of_closing(posed.problem, bare, None, None).seats == 0.0


def test_a_school_that_grows_beyond_small_is_not_given_up() -> None:
    problem = pose(asked(), tiny_region(students=3)).problem
    question = model.question_of(problem)
    j = problem.site_ids.index("S2")
    assert question.may_close[j]
    students = problem.students.copy()
    students[problem.today == j, :, 1] *= 12
    assert students[problem.today == j, :, 1].sum() >= 100
    assert not model.question_of(problem.replace(students=students)).may_close[j]
    # In the last year it no longer matters: the school has closed in the year after at most.
    students = problem.students.copy()
    students[problem.today == j, :, 2] *= 12
    assert model.question_of(problem.replace(students=students)).may_close[j]


def test_a_school_whose_villages_have_no_known_way_is_not_given_up() -> None:
    problem = pose(asked(), tiny_region(students=3)).problem
    minutes = problem.minutes.copy()
    i = int(np.flatnonzero(problem.today == problem.site_ids.index("T1"))[0])
    minutes[:, i] = np.inf
    question = model.question_of(problem.replace(minutes=minutes))
    assert not question.may_close[problem.site_ids.index("T1")]
    assert model.question_of(problem).may_close[problem.site_ids.index("T1")]


def test_a_demand_that_only_a_barred_school_could_meet_names_it() -> None:
    # T1's children could go to S1 and S2 alone; both have a class over standard.
    table = pd.DataFrame(
        {"school_id": ["S1", "S2"], "grade": [1, 1], "class_no": ["1", "1"], "students": [50, 50],
         "year": [2026, 2026]}
    )  # fmt: skip
    region = dataclasses.replace(tiny_region(students=3), classes=table)
    alone = {"do": "merge", "school": "T1", "year": 2027}
    with pytest.raises(InfeasibleError, match=r"丙村小学.*R-CON-05"):
        propose(asked(action=[alone]), region, wish=ONE)


def test_a_way_too_long_for_the_young_is_told_with_its_own_limit() -> None:
    region = tiny_region(students=3)
    posed = pose(asked(action=[{"do": "merge", "school": "T1", "year": 2027}]), region)
    question = question_of_recipe(posed)
    shorter = question.replace(limits=dataclasses.replace(question.limits, young_minutes=1.0))
    stuck = model.stranded(shorter)
    assert stuck
    assert {row[3] for row in stuck} == {1.0}
    lines = relaxations(posed.problem, shorter, model.consolidate(shorter, steps=1), {})
    assert any("R-TRV-01" in line and "有方案" in line for line in lines)


def test_a_county_that_eats_in_two_sittings_needs_half_the_seats(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "county")
    once = question_of_recipe(pose(asked(), read_region(folder)))
    (folder / "rules.csv").write_text(
        "code,applies_to,limit,reason\nR-CON-03,closing;item=dining,0.5,分两批就餐\n",
        encoding="utf-8",
    )
    posed = pose(asked(), read_region(folder))
    assert terms_of(posed).seats == 0.5
    twice = question_of_recipe(posed)
    assert (twice.problem.dining_seats == 2 * once.problem.dining_seats).all()
    # The county's own number stays what it is.
    assert (posed.problem.dining_seats == once.problem.dining_seats).all()
    free = propose(asked(), read_region(folder), wish=ONE)
    assert len(free.broken) == 0
