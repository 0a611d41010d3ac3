"""Who is cut off from a school, by whose doing, and of whom connection is no longer asked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from catchment.optimise import consolidation as model
from catchment.run import Proposal, Wish, propose
from catchment.run.pieces import by_whose_doing
from catchment.scenario import parse_scenario
from tests.tiny_consolidation import in_a_landscape, tiny_problem, tiny_question, wide_question
from tests.tiny_region import tiny_region

YEARS = [2026, 2027, 2028]
KEEP = [{"do": "keep", "school": s, "year": 2026} for s in ("S2", "T1")]


def in_a_row(today: list[int], later: tuple[int, ...] = ()) -> model.Question:
    """Villages 0 to 4 in a row, a school in the first and one in the last; two bands, three years.

    Everybody has children in all years, but for some that have none today.
    """
    problem = tiny_problem(np.random.default_rng(1), sites=2)
    touch = np.eye(5, k=1, dtype=bool) | np.eye(5, k=-1, dtype=bool)
    students = np.where(problem.students.any(axis=2, keepdims=True), 5, 0).repeat(3, axis=2)
    for v in later:
        students[problem.group_village == v, :, 0] = 0
    opened = np.ones((2, 2), dtype=bool)
    problem = problem.replace(
        neighbours=csr_matrix(touch),
        home=np.array([0, 4], dtype=np.int32),
        today=np.repeat(today, 2).astype(np.int32),
        minutes=np.full_like(problem.minutes, 10.0),
        mode=np.zeros_like(problem.mode),
        students=students.astype(np.int32),
        today_open=opened,
        can_host=opened,
        existing=np.ones(2, dtype=bool),
    )
    return model.question_of(problem).replace(connected=True)


def told(question: model.Question, course: list[list[int]]) -> dict[str, list[tuple[int, int]]]:
    """Villages and years by reason, alike in both bands; the course is that of the villages."""
    marks = by_whose_doing(question, np.repeat(course, 2, axis=0).astype(np.int32))
    assert all((m[::2] == m[1::2]).all() for m in marks.values())
    return {why: list(zip(*np.nonzero(m[::2]), strict=True)) for why, m in marks.items() if m.any()}


def stay(today: list[int]) -> list[list[int]]:
    return [[j] * 3 for j in today]


def sent(question: model.Question, village: int, site: int) -> model.Question:
    wish = np.full((10, 3), -1, dtype=np.int32)
    wish[2 * village : 2 * village + 2, 1:] = site
    return question.replace(sent=wish)


def test_each_reason_is_told_apart() -> None:
    island = [0, 0, 1, 0, 1]
    assert told(in_a_row(island), stay(island)) == {
        "today": [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
    }
    # Its first children come in the second year; until then nobody is parted by it either.
    assert told(in_a_row(island, later=(3,)), stay(island)) == {
        "later": [(3, 1), (3, 2)], "between": [(2, 1), (2, 2)],
    }  # fmt: skip
    row = [0, 0, 0, 1, 1]
    moved = [[0] * 3, [0, 1, 1], *stay(row)[2:]]
    cut = [(1, 1), (1, 2), (2, 1), (2, 2)]
    question = in_a_row(row)
    assert told(question, moved) == {"plan": cut}
    assert told(question.replace(connected=False), moved) == {"unasked": cut}
    assert told(sent(question, 1, 1), moved) == {"sent": cut[:2], "around": cut[2:]}
    assert told(question, stay(row)) == {}


@pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
def test_whoever_is_cut_off_has_one_reason(kind) -> None:
    seen: set[str] = set()
    for seed in range(60):
        question = in_a_landscape(seed, kind(seed))
        plan = model.consolidate(question, steps=1).plan
        marks = by_whose_doing(question, plan.site_of)
        assert sum(m.astype(int) for m in marks.values()).max() <= 1, seed
        every = np.logical_or.reduce([m for why, m in marks.items() if why != "today"])
        cut = model.cut_off(question, plan.site_of, everybody=True)
        assert (every | marks["today"])[cut].all(), seed
        assert not (every & ~cut).any(), seed
        # Whom the plan alone has moved is never said to be someone else's doing.
        mine = (plan.site_of != plan.site_of[:, :1]) & cut
        if question.sent is not None:
            mine &= (question.sent < 0).all(axis=1, keepdims=True)
        assert marks["unasked"][mine].all(), seed
        seen |= {why for why, m in marks.items() if m.any()}
    assert {"today", "unasked"} < seen


def with_a_school_in_the_last_village() -> Proposal:
    """V5 has a school of its own that the recipe closes; only S1, four villages away, may take it."""
    region = tiny_region(students=3)
    schools, villages = region.schools.copy(), region.villages.copy()
    schools.loc[schools["school_id"] == "X1", ["status", "students"]] = ["existing", 18]
    villages.loc[villages["village_id"] == "V5", ["school_lower", "school_upper"]] = "X1"
    crowded = pd.DataFrame(
        {"school_id": ["S2", "T1"], "grade": [1, 1], "class_no": ["1", "1"], "students": [70, 70],
         "year": [2026, 2026]}
    )  # fmt: skip
    region = dataclasses.replace(region, schools=schools, villages=villages, classes=crowded)
    close = {"do": "merge", "school": "X1", "year": 2027}
    recipe = parse_scenario({"name": "试", "years": YEARS, "action": [close, *KEEP]})
    return propose(recipe, region, wish=Wish(steps=1))


def test_only_those_who_cannot_be_connected_are_let_go_and_named() -> None:
    found = with_a_school_in_the_last_village()
    offer = found.offers[found.proposed]
    problem = offer.question.problem
    loose = [problem.village_ids[v] for v in problem.group_village[offer.question.loose]]
    assert offer.question.connected
    assert loose == ["V5", "V5"]
    assert found.violations == ()
    (note,) = [n for n in found.notes if "连片" in n]
    zh, _, en = note.partition(" / ")
    for text, word in ((zh, "只对它们不再要求"), (en, "of these village-bands alone")):
        assert word in text
        assert "戊村 lower → 东乡中心校" in text
        assert "丁村" not in text
    assert set(found.pieces["village_id"]) == {"V5"}
    assert set(found.pieces["why_en"]) == {"by the plan; no connected plan was found"}


@pytest.mark.parametrize(("connected", "word"), [(True, "自己的行动"), (False, "自己的行动")])
def test_whom_the_recipe_sends_across_others_stands_in_the_list(connected, word) -> None:
    recipe = parse_scenario(
        {
            "name": "试", "years": YEARS, "method": {"connected": connected},
            "action": [{"do": "move", "villages": ["V5"], "to": "S1", "year": 2027}, *KEEP],
        }
    )  # fmt: skip
    found = propose(recipe, tiny_region(students=3), wish=Wish(steps=1))
    mine = found.pieces[found.pieces["village_id"] == "V5"]
    assert set(mine["band"]) == {"lower", "upper"}
    assert mine["why_zh"].str.contains(word).all()
    assert mine["years"].tolist() == ["2027、2028"] * 2
    assert not any("未能与学校连片" in n for n in found.notes)
