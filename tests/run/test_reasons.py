"""Reasons of actions and the hearing list: who, where, what it saves, in both languages."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from catchment.optimise import consolidation as model
from catchment.optimise.phases import verify
from catchment.optimise.phases.account import grade_sites
from catchment.optimise.phases.singly import closed_alone, without_moves
from catchment.plan import Plan
from catchment.run import Proposal, Wish, propose
from catchment.run.spoken import spoken, words_of
from catchment.scenario import parse_scenario
from tests.tiny_region import tiny_region

SLOW = {"closures_per_year": 1, "moved_per_year": 40}


@pytest.fixture(scope="module")
def found() -> Proposal:
    recipe = parse_scenario({"name": "试", "years": [2026, 2030], "consolidation": SLOW})
    return propose(recipe, tiny_region(students=3, naps=100), wish=Wish(steps=1, prices=1))


def closings(found: Proposal):
    return found.actions[found.actions["do"].isin(["merge", "downgrade"])]


def test_a_reason_names_receivers_losers_and_gainers_in_both_languages(found: Proposal) -> None:
    rows = closings(found)
    assert len(rows) == 2
    moves = found.moves
    for row in rows.itertuples():
        mine = moves[(moves["from_site"] == row.school) & (moves["year"] == row.year)]
        assert row.students_moved == mine["students"].sum()
        by_school = mine.groupby("to_name")["students"].sum()
        for name, count in by_school.items():
            assert f"{name} {count} 人" in row.reason_zh
            assert f"{count} to {name}" in row.reason_en
        assert "主要" not in row.reason_zh
        assert "mainly" not in row.reason_en
        for village in mine.loc[mine["worse"], "village"]:
            assert village in row.reason_zh
            assert village in row.reason_en
        gains = mine[(mine["minutes_more"] < 0) & (mine["mode_after"] != "board")]
        for village in gains["village"]:
            assert village in row.better_names
            assert village in row.reason_en
        assert not re.search(r"\b1 (villages|students|rooms)\b", row.reason_en)


def test_what_an_action_saves_is_the_difference_to_the_plan_without_it(found: Proposal) -> None:
    offer = found.offers[found.proposed]
    question, plan = offer.question, offer.answer.plan
    for row in closings(found).itertuples():
        j = question.problem.site_ids.index(row.school)
        site_of = plan.site_of.copy()
        site_of[site_of[:, 0] == j] = j
        other = recounted(question, plan, site_of)
        assert row.saves_yuan == pytest.approx(other - offer.answer.plan.objective, abs=1.0)
        assert f"{row.saves_yuan:,.0f} yuan" in row.reason_en
        assert f"{row.saves_yuan / 1e4:,.1f} 万元" in row.reason_zh


def recounted(question: model.Question, plan: Plan, site_of: np.ndarray) -> float:
    """Cost of the plan with other sites: schools open as long as anybody sits there."""
    problem = question.problem
    opened = plan.open.copy()
    where = grade_sites(problem, site_of, "together")
    for i, g, t in zip(*np.nonzero(problem.students), strict=True):
        opened[where[i, g, t], problem.group_band[i], t] = True
    changed = plan.replace(open=opened, site_of=site_of)
    total = model.cost_of(problem, changed, question.costs).total
    own = model.cost_of(problem, plan, question.costs).total
    # The tiny plan builds nothing, so that its cost is told without what is built.
    assert own == pytest.approx(plan.objective)
    return total


def test_only_rules_stand_where_rules_are_told_and_english_is_english(found: Proposal) -> None:
    rows = closings(found)
    late = rows[rows["year"] > 2027]
    assert len(late) == 1
    # Nothing but the user's own limits stands against a year earlier here.
    assert (late["earlier_breaks"] == "").all()
    assert "每年撤并所数" in late["earlier_limits"].item()
    assert "closures in a year" in late["earlier_limits_en"].item()
    assert "2 " not in late["earlier_breaks_en"].item()
    first = rows[rows["year"] == 2027]
    assert (first["earlier_breaks"] == "").all()
    assert first["earlier_limits"].str.contains("首年为现状").all()
    for column in ("earlier_breaks_en", "earlier_limits_en", "build_first_en"):
        text = re.sub("[甲乙丙丁戊]村|小学|教学点|东乡|中心校", "", "".join(found.actions[column]))
        assert not re.search("[\u4e00-\u9fff]", text), column


def test_every_rule_of_a_plan_has_words(found: Proposal) -> None:
    source = __import__("inspect").getsource(verify)
    rules = set(re.findall(r'Violation\(\s*"([^"]+)"', source))
    rules |= set(re.findall(r'\("(rooms|beds|seats|naps|dining seats|nap places)", ', source))
    assert len(rules) > 20
    for rule in rules:
        words = words_of(rule)
        assert words.zh != rule, rule
        assert words.kind in ("rule", "limit", "model")
    zh, en = spoken(model.Violation("smallest size", "S1", 2027, 24, 50), {"S1": "东乡中心校"})
    assert zh == "东乡中心校，2027 年，低于所定最小规模（24，限 50）"
    assert en.startswith("东乡中心校, 2027, below the smallest size")


def test_the_hearing_list_has_every_school_that_changes_without_being_asked() -> None:
    recipe = parse_scenario({"name": "试", "years": [2026, 2030], "consolidation": SLOW})
    plain = propose(recipe, tiny_region(students=3), wish=Wish(steps=1))
    offer = plain.offers[plain.proposed]
    changed = {a["school"] for a in offer.recipe["action"] if a["do"] in ("merge", "downgrade")}
    assert changed <= set(plain.schools["school"])
    rows = plain.schools.set_index("school")
    for code in changed:
        j = offer.question.problem.site_ids.index(code)
        mine = offer.answer.plan.site_of[:, 0] == j
        (kept,) = without_moves(offer.question, offer.answer, [mine])
        more = kept.plan.objective - offer.answer.plan.objective
        assert rows.loc[code, "keep_yuan"] == pytest.approx(more, abs=1.0)
        assert more > 0
        assert rows.loc[code, "close_yuan"] == 0
        # A plan that cuts villages off is told as such and proves no ceiling.
        apart = model.cut_off(offer.question, kept.plan.site_of).any()
        assert rows.loc[code, "how"] == ("apart" if apart else "alone")
        assert np.isnan(rows.loc[code, "keep_most"]) == apart
    # Who travels longer is named with minutes before and after.
    told = "、".join(rows.loc[sorted(changed), "close_names"])
    for row in plain.moves[plain.moves["worse"]].itertuples():
        assert row.village in told


def test_a_price_with_the_surroundings_planned_anew_is_no_higher(found: Proposal) -> None:
    rows = found.schools
    anew = rows[(rows["how"] == "anew")]
    assert len(anew) == 1
    offer = found.offers[found.proposed]
    j = offer.question.problem.site_ids.index(anew["school"].item())
    mine = offer.answer.plan.site_of[:, 0] == j
    (alone,) = without_moves(offer.question, offer.answer, [mine])
    assert anew["keep_yuan"].item() <= alone.plan.objective - offer.answer.plan.objective + 1.0


def test_closing_one_more_school_alone_sends_its_children_to_schools_that_are_open() -> None:
    recipe = parse_scenario({"name": "试", "years": [2026, 2028], "consolidation": {"closures_total": 0}})  # fmt: skip
    plan = propose(recipe, tiny_region(students=3), wish=Wish(steps=1))
    offer = plan.offers[plan.proposed]
    question = offer.question.replace(limits=model.Limits())
    j = question.problem.site_ids.index("T1")
    ((closed, stuck),) = closed_alone(question, offer.answer, [j])
    assert closed is not None
    assert not len(stuck)
    assert not closed.plan.open[j, :, -1].any()
    assert model.check(question.replace(limits=model.Limits(kept_share=0.0)), closed) == []
    # The cheapest plan that closes the school is no dearer.
    least = np.full((len(question.problem.site_ids), 3), 2, dtype=np.int8)
    least[j, 1:] = 0
    best = model.consolidate(question.replace(at_most=least), steps=1)
    assert best.plan.objective <= closed.plan.objective + 1e-6
    row = plan.schools.set_index("school").loc["T1"]
    assert row["close_yuan"] == pytest.approx(closed.plan.objective - offer.answer.plan.objective, abs=1.0)  # fmt: skip


@pytest.mark.parametrize("prices", [0, 1])
def test_a_kept_school_below_the_least_size_is_no_saving_but_told(prices: int, tmp_path) -> None:
    # Trips are dear and schools cheap: T1 (18 students) closes for the least size alone.
    (tmp_path / "costs.csv").write_text("key,value\nminute,20\nsite_year,1000\n", encoding="utf-8")
    region = dataclasses.replace(tiny_region(students=3), folder=tmp_path)
    limits = {"min_size": 20, "moved_per_year": 20}
    recipe = parse_scenario({"name": "试", "years": [2026, 2027, 2028], "consolidation": limits})
    found = propose(recipe, region, wish=Wish(steps=1, prices=prices))
    offer = found.offers[found.proposed]
    row = found.schools.set_index("school").loc["T1"]
    assert row["in_plan"] == "merge 2027"
    j = offer.question.problem.site_ids.index("T1")
    mine = offer.answer.plan.site_of[:, 0] == j
    (kept,) = without_moves(offer.question, offer.answer, [mine])
    less = offer.answer.plan.objective - kept.plan.objective
    assert less > 1000
    assert row["keep_yuan"] == 0
    assert not row["keep_most"] < 0
    zh, _, en = row["keep_note"].partition(" / ")
    assert "2027 年起不足 20 人，最多差 2 人" in zh
    assert f"少花 {less:,.0f} 元" in zh
    assert "不是保留该校省下的" in zh
    assert "from 2027 it is below 20, by up to 2 students" in en
    assert f"{less:,.0f} yuan less" in en
    assert "no saving by keeping" in en
    # Without that limit nothing is left out, and nothing need be said.
    free = parse_scenario({"name": "试", "years": [2026, 2027, 2028]})
    plain = propose(free, region, wish=Wish(steps=1, prices=prices)).schools
    assert (plain["keep_note"] == "").all()
    assert (plain["keep_yuan"] >= 0).all()


@pytest.mark.parametrize("prices", [0, 1])
@pytest.mark.parametrize("minute", [0.05, 20])
def test_keeping_what_the_recipe_itself_closes_is_priced_and_told(prices, minute, tmp_path) -> None:
    costs = f"key,value\nminute,{minute}\nsite_year,1000\n"
    (tmp_path / "costs.csv").write_text(costs, encoding="utf-8")
    region = dataclasses.replace(tiny_region(students=3), folder=tmp_path)
    close = {"do": "merge", "school": "T1", "into": "S2", "year": 2027}
    others = [{"do": "keep", "school": s, "year": 2026} for s in ("S2", "J1")]
    recipe = parse_scenario({"name": "试", "years": [2026, 2027], "action": [close, *others]})
    found = propose(recipe, region, wish=Wish(steps=1, prices=prices))
    offer = found.offers[found.proposed]
    row = found.schools.set_index("school").loc["T1"]
    j = offer.question.problem.site_ids.index("T1")
    (kept,) = without_moves(offer.question, offer.answer, [offer.answer.plan.site_of[:, 0] == j])
    more = kept.plan.objective - offer.answer.plan.objective
    assert (more < 0) == (minute == 20)
    # Nobody else moves here, so that both ways of pricing come to the same.
    assert row["keep_yuan"] == pytest.approx(max(more, 0.0), abs=1.0)
    assert "方案文件自己的行动" in row["keep_note"]
    assert (f"少花 {-more:,.0f} 元" in row["keep_note"]) == (more < 0)
