"""What a proposal says: small schools that stay, caps that forbid all, today's cost, remedies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from catchment.cli.propose import _tell
from catchment.optimise import consolidation as model
from catchment.run import Proposal, Wish, propose
from catchment.run.offer import different
from catchment.run.spoken import remedies
from catchment.scenario import Scenario, parse_scenario
from tests.tiny_region import tiny_region

ONE = Wish(steps=1)
YEARS = [2026, 2027, 2028, 2029]
MERGE = {"do": "merge", "school": "S2", "into": "S1", "year": 2027}


def asked(**more: object) -> Scenario:
    return parse_scenario({"name": "试", "years": YEARS, **more})


def told(found: Proposal, capsys: pytest.CaptureFixture[str], lang: str = "zh") -> str:
    from pathlib import Path

    _tell(found, [Path("a"), Path("b")], lang)
    return capsys.readouterr().out.replace("\n", "")


@pytest.fixture(scope="module")
def merged() -> Proposal:
    return propose(asked(action=[MERGE]), tiny_region(students=20), wish=ONE)


def test_todays_arrangement_stands_beside_a_recipe_that_closes_a_school_itself(
    merged: Proposal, capsys: pytest.CaptureFixture[str]
) -> None:
    # Today's cost from a proposal that is asked nothing of.
    kept = propose(asked(), tiny_region(students=20), wish=ONE).costs["keep"].sum()
    first, last = merged.plans.iloc[0], merged.plans.iloc[-1]
    assert first["name"].startswith("只做方案自己的行动")
    assert not merged.plans["name"].str.contains("维持现状").any()
    assert (last["plan"], last["name"].split(" / ")[0]) == (0, "今天的布局")
    assert last["yuan"] == pytest.approx(kept, rel=1e-9)
    assert last["yuan"] != pytest.approx(first["yuan"], rel=1e-3)
    less = kept - merged.plans.iloc[1]["yuan"]
    text = told(merged, capsys)
    assert f"今天的布局（不做任何行动）总成本 {kept:,.0f} 元" in text
    assert f"推荐方案比它{'少' if less >= 0 else '多'} {abs(less):,.0f} 元" in text
    # Today's arrangement is no plan of its own where the recipe itself changes nothing.
    plain = propose(asked(), tiny_region(students=20), wish=ONE)
    assert plain.today is None
    assert plain.plans["plan"].tolist() == [1, 2]
    assert plain.plans["name"].iloc[0].startswith("维持现状")


def test_a_forbidden_closing_is_not_called_a_lack(
    merged: Proposal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(merged.offers[1].broken["code"]) == {"R-CON-07", "R-GATE"}
    text = told(merged, capsys)
    assert "丙村小学不得撤并（R-CON-07）" in text
    assert "补齐后再撤" not in text
    text = told(merged, capsys, "en")
    assert "may not be closed (R-CON-07)" in text
    assert "comes first" not in text
    for code, word in (
        ("R-CON-01", "不得撤并"), ("R-CON-03", "补齐后再撤"), ("R-CON-06", "补齐后再撤"),
        ("R-CON-02", "未解决前不得实施"), ("R-GATE", "未解决前不得实施"),
    ):  # fmt: skip
        zh, _ = remedies(pd.DataFrame({"code": [code], "place": ["丙村小学"]}))
        assert word in zh
        assert zh.count("；") == 0
    both = pd.DataFrame({"code": ["R-CON-07", "R-CON-06"], "place": ["丙村小学"] * 2})
    assert [w in remedies(both)[0] for w in ("不得撤并", "补齐后再撤")] == [True, True]


def test_schools_below_the_smallest_size_that_may_not_close_are_named() -> None:
    region = tiny_region(students=20)
    found = propose(asked(consolidation={"min_size": 500}), region, wish=ONE)
    (note,) = [n for n in found.notes if "500" in n]
    offer = found.offers[found.proposed]
    plan, problem = offer.answer.plan, offer.question.problem
    for j, code in enumerate(problem.site_ids):
        name = {"S1": "东乡中心校", "S2": "丙村小学", "T1": "丁村教学点", "J1": "东乡初中"}.get(
            code
        )
        here = [
            int(problem.demand()[plan.site_of[:, t] == j, t].sum())
            for t in range(1, len(YEARS)) if plan.open[j, :, t].any()
        ]  # fmt: skip
        if here and min(here) < 500:
            assert name
            assert f"{name} {min(here)} 人" in note
    assert "中心校或九年一贯制学校" in note
    assert "R-CON-07" in note
    assert " / " in note
    kept = propose(asked(action=[{"do": "keep", "school": "T1", "year": 2026}],
                         consolidation={"min_size": 500}), region, wish=ONE)  # fmt: skip
    assert "丁村教学点" in kept.notes[-1]
    assert "方案要求保留" in kept.notes[-1]
    assert not propose(asked(consolidation={"min_size": 1}), region, wish=ONE).notes


def test_a_cap_that_forbids_every_move_is_told() -> None:
    region = tiny_region(students=3)
    free = propose(asked(), region, wish=ONE)
    need = model.movers(
        free.offers[1].question.problem, free.offers[1].answer.plan.site_of, "together"
    ).sum(axis=0).max()  # fmt: skip
    assert need > 1
    found = propose(asked(consolidation={"moved_per_year": 1}), region, wish=ONE)
    assert not [a for a in found.recipe["action"] if a["do"] == "merge"]
    (note,) = found.notes
    assert "每年转学人数 1" in note
    assert f"用到 {need}" in note
    # Two caps, each of which forbids everything, are told together.
    both = {"moved_per_year": 1, "closures_total": 1}
    assert "每年转学人数 1" in propose(asked(consolidation=both), region, wish=ONE).notes[0]
    # Whoever asks for no closure is told nothing, nor is one whose cap leaves something to do.
    assert not propose(asked(consolidation={"closures_total": 0}), region, wish=ONE).notes
    assert not propose(asked(consolidation={"closures_total": 1}), region, wish=ONE).notes


def test_plans_that_are_the_same_under_several_names_are_counted_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = propose(asked(), tiny_region(students=3), wish=Wish(steps=1, plans=6))
    plans = [o.answer.plan for o in found.offers]
    apart: list[np.ndarray] = []
    for plan in plans:
        if not any(np.array_equal(plan.site_of, other) for other in apart):
            apart.append(plan.site_of)
    assert different(found.offers) == len(apart) < len(plans)
    assert f"{len(plans)} 个方案（去掉重复为 {len(apart)} 个）" in told(found, capsys)
