"""The optimiser's proposal is a recipe that runs, with a bound, reasons, prices and nothing broken."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catchment.cli import main
from catchment.cli.propose import read_memory, write_memory
from catchment.errors import InfeasibleError, InputError, NotFoundError
from catchment.optimise import consolidation as model
from catchment.run import Proposal, Wish, pose, propose, reasons, run_scenario
from catchment.run.demands import question_of_recipe
from catchment.scenario import parse_scenario, read_scenario
from tests.tiny_files import write_tiny
from tests.tiny_region import tiny_region

YEARS = [2026, 2027, 2028, 2029]
ALL = Wish(steps=1, plans=8, prices=2, draws=8, class_size=20)


def asked(**more: object):
    return parse_scenario({"name": "试", "years": YEARS, **more})


@pytest.fixture(scope="module")
def proposal() -> Proposal:
    return propose(asked(), tiny_region(students=3), wish=ALL)


def test_a_proposal_is_certified_and_runs_as_a_recipe(proposal: Proposal) -> None:
    assert proposal.violations == ()
    assert proposal.status in ("optimal", "feasible")
    assert proposal.bound <= proposal.objective * (1 + 1e-9)
    assert proposal.costs["plan"].sum() == pytest.approx(proposal.objective, rel=1e-9)
    # Keeping everything is one of the plans there are.
    assert proposal.objective <= proposal.costs["keep"].sum() + 1e-6


def test_every_recipe_gives_the_plan_itself(proposal: Proposal) -> None:
    for offer in proposal.offers:
        assert offer.elsewhere == 0, offer.name
    offer = proposal.offers[proposal.proposed]
    run = run_scenario(parse_scenario(offer.recipe), tiny_region(students=3))
    plan = offer.answer.plan
    students = offer.question.problem.demand() > 0
    assert np.array_equal(run.plan.site_of[students], plan.site_of[students])
    assert (run.conservation["unserved"] == 0).all()


def proposal_rows(mode_after: str) -> pd.DataFrame:
    row = {"village_id": "V1", "village": "甲村", "minutes_before": 5.0, "minutes_after": 20.0,
           "mode_before": "walk", "mode_after": mode_after, "students": 6}  # fmt: skip
    return pd.DataFrame([row])


def _hard(run) -> set[tuple[str, ...]]:
    fails = run.findings[(run.findings["severity"] == "hard") & (run.findings["result"] == "fail")]
    return set(map(tuple, fails[["code", "kind", "id", "year"]].astype(str).to_numpy().tolist()))


def test_the_hard_rules_told_are_those_that_a_run_finds_broken(proposal: Proposal) -> None:
    today = _hard(run_scenario(asked(), tiny_region(students=3)))
    for offer in proposal.offers:
        found = _hard(run_scenario(parse_scenario(offer.recipe), tiny_region(students=3))) - today
        rows = offer.broken[["code", "kind", "id", "year"]].astype(str).to_numpy().tolist()
        assert set(map(tuple, rows)) == found, offer.name
        assert not rows, offer.name


def test_the_frontier_has_eight_plans_each_with_its_bound(proposal: Proposal) -> None:
    plans = proposal.plans
    assert len(plans) == 9  # and the plan of smaller classes
    assert plans["name"].is_unique
    assert plans.iloc[0]["small_kept"] == plans["small_kept"].max()
    chosen = plans[plans["bound"].notna()]
    assert len(chosen) >= 7
    assert (chosen["bound"] <= chosen["objective"] * (1 + 1e-9)).all()
    same = plans.iloc[:8]
    assert same["yuan"].min() == same.iloc[1]["yuan"]
    assert not plans["dominated"].all()
    # What breaks a hard rule is told by rule, place and year.
    assert plans["hard_rules_broken"].sum() == len(proposal.broken)


def test_every_change_has_a_reason_with_figures(proposal: Proposal) -> None:
    actions = proposal.actions
    listed = [a for a in proposal.recipe["action"] if a["do"] not in ("move", "road", "keep")]
    assert len(actions) == len(listed)
    assert actions["reason_zh"].str.contains(r"\d", regex=True).all()
    assert actions["reason_en"].str.len().gt(20).all()
    closing = actions[actions["do"].isin(["merge", "downgrade"])]
    for row in closing.itertuples():
        # Either something stands against a year earlier, or it is told what that would cost.
        assert row.earlier_limits or np.isfinite(row.earlier_yuan)
    moves = proposal.moves
    daily = moves[moves["mode_after"] != "board"]
    assert (daily["worse"] == (daily["minutes_more"] > 10)).all()
    assert not moves.loc[moves["mode_after"] == "board", "worse"].any()
    assert moves.loc[~moves["boards"], "minutes_more"].is_monotonic_decreasing


def test_the_hearing_list_prices_keeping_and_closing(proposal: Proposal) -> None:
    schools = proposal.schools
    assert schools["how"].tolist()[:2] == ["anew", "anew"]
    assert (schools["how"] == "anew").sum() == 2
    finite = schools[np.isfinite(schools["keep_yuan"])]
    assert (finite["keep_yuan"] <= finite["keep_most"] + 1).all()
    closed = schools[schools["in_plan"].str.startswith("merge")]
    # Both that close do so because it is cheaper.
    assert len(closed) == 2
    assert (closed["keep_yuan"] > 0).all()
    assert (closed["close_yuan"] == 0).all()


def test_price_near_is_that_of_the_whole_question_where_all_is_near() -> None:
    question = question_of_recipe(pose(asked(), tiny_region(students=3)))
    answer = model.consolidate(question, steps=1)
    assert answer.plan.status == "optimal"
    for j in np.flatnonzero(question.may_close)[:1]:
        code = question.problem.site_ids[j]
        for price in (model.price_of_keeping, model.price_of_closing):
            near = price(question, answer, code, near=True)
            whole = price(question, answer, code, steps=1)
            assert near.yuan >= whole.yuan - 1e-6
            assert near.changed == whole.changed


def test_plans_are_judged_over_uncertain_children(proposal: Proposal) -> None:
    table = proposal.outlook
    assert len(table) == 8
    assert table["robust"].sum() == 1
    assert (table["regret_mean"] >= -1e-6).all()
    assert table.loc[table["robust"], "regret_most"].item() == table["regret_most"].min()
    assert proposal.futures["share_small"].between(0, 1).all()
    certain = {(r.do, r.school) for r in proposal.certain.itertuples()}
    mine = {(a["do"], a.get("school")) for a in proposal.recipe["action"]}
    assert certain <= mine


def test_outlook_of_the_expected_children_is_the_plans_own_cost(proposal: Proposal) -> None:
    offers = [o for o in proposal.offers if np.isfinite(o.answer.plan.bound)][:3]
    question = proposal.offers[1].question
    expected = question.problem.students[None]
    result = model.outlook(question, [o.answer for o in offers], expected)
    for k, offer in enumerate(offers):
        total = model.cost_of(
            question.problem, offer.answer.plan, question.costs, built=offer.answer.built
        ).total
        assert result.yuan[k, 0] == pytest.approx(total, rel=1e-9)


def test_the_recipes_own_actions_bind() -> None:
    region = tiny_region(students=3)
    free = propose(asked(), region, wish=Wish(steps=1))
    gone = [a for a in free.recipe["action"] if a["do"] == "merge"]
    assert gone, "the tiny county's cheapest plan closes a school"
    school = gone[0]["school"]
    kept = propose(
        asked(action=[{"do": "keep", "school": school, "year": 2026}]), region, wish=Wish(steps=1)
    )
    assert not [a for a in kept.recipe["action"] if a["do"] == "merge" and a["school"] == school]
    assert kept.objective >= free.objective - 1e-6
    late = {"do": "merge", "school": school, "into": gone[0].get("into"), "year": 2029}
    late = {k: v for k, v in late.items() if v}
    forced = propose(asked(action=[late]), region, wish=Wish(steps=1))
    question, plan = forced.offers[1].question, forced.offers[1].answer.plan
    j = question.problem.site_ids.index(school)
    assert plan.open[j].any(axis=0).tolist() == [True, True, True, False]
    assert forced.violations == ()
    merges = [a for a in forced.recipe["action"] if a.get("school") == school]
    assert [a["year"] for a in merges if a["do"] == "merge"] == [2029]


def test_an_impossible_demand_names_village_school_limit_and_what_must_give() -> None:
    region = tiny_region(students=3)
    works = region.schools["status"] == "existing"
    schools = region.schools.loc[works, "school_id"].astype(str).tolist()
    demands = [{"do": "merge", "school": s, "year": 2028} for s in schools]
    with pytest.raises(InfeasibleError) as stopped:
        propose(asked(action=demands), region, wish=Wish(steps=1))
    text = str(stopped.value)
    village = region.villages["village_id"].astype(str).iloc[0]
    assert village in text
    assert "/" in text
    assert "no other school can be reached" in text or "allow" in text


def test_a_search_goes_on_where_it_ended(tmp_path: Path) -> None:
    posed = pose(asked(), tiny_region(students=3))
    question = question_of_recipe(posed)
    n, t = question.problem.today.shape[0], len(question.problem.years)
    plan = model.consolidate(question, steps=1).plan
    memory = model.Memory(plan.site_of, tuple(np.zeros((2, 2)) for _ in range(3)))
    path = write_memory(memory, tmp_path / "search.npz")
    again = read_memory(path)
    assert again.site_of.shape == (n, t)
    assert np.array_equal(again.site_of, plan.site_of)
    answer = model.consolidate(question, steps=1, memory=again)
    assert answer.plan.objective <= plan.objective + 1e-6
    assert path.read_bytes() == write_memory(memory, tmp_path / "b.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"c\.npz"):
        read_memory(tmp_path / "c.npz")
    with pytest.raises(NotFoundError):
        read_memory(tmp_path / "d.npz")


def test_the_command_writes_recipes_and_tables_that_read_back(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    for name in ("p", "q"):
        with pytest.raises(SystemExit) as stopped:
            main(
                ["propose", str(county / "scenario.toml"), "--steps", "1", "--plans", "5",
                 "--prices", "1", "--draws", "3", "--out", str(tmp_path / name)]
            )  # fmt: skip
        assert stopped.value.code in (0, None)
    out = tmp_path / "p"
    recipe = read_scenario(out / "proposal.toml")
    assert recipe.years == (2026, 2027, 2028)
    assert (out / recipe.region / "region.toml").is_file()
    rows = list(csv.DictReader((out / "plans.csv").read_text(encoding="utf-8-sig").splitlines()))
    # The county's recipe merges a school itself: today's arrangement stands below, no recipe.
    assert [row["plan"] for row in rows] == ["1", "2", "3", "4", "5", "0"]
    assert len(list((out / "plans").glob("plan-*.toml"))) == 5
    for path in (out / "plans").glob("*.toml"):
        assert tomllib.loads(path.read_text(encoding="utf-8"))["method"]["assignment"] == "today"
    # The same recipe and seed give the same bytes.
    for path in sorted(out.rglob("*")):
        if path.is_file():
            twin = tmp_path / "q" / path.relative_to(out)
            assert path.read_bytes() == twin.read_bytes(), path.name


def test_every_village_that_is_worse_off_stands_in_an_action(proposal: Proposal) -> None:
    worse = proposal.moves[proposal.moves["worse"]]
    assert len(worse) > 0
    named = set("、".join(proposal.actions["worse_names"].astype(str)).split("、"))
    assert set(worse["village"]) <= named
    for column in ("reason_zh", "reason_en"):
        assert not proposal.actions[column].str.contains("nan").any()


def test_an_action_after_which_all_board_tells_no_daily_trip() -> None:
    rows = proposal_rows(mode_after="board")
    effects = reasons.effects(rows)
    assert np.isnan(effects["minutes_before"])
    assert effects["students_boarding"] == 6
    assert reasons.trips(effects)[0] == "不比较（无人每日往返）"
    daily = reasons.effects(proposal_rows(mode_after="bus"))
    assert reasons.trips(daily)[1] == "5 to 20 min"
    assert daily["worse_names"] == "甲村"


def test_smaller_classes_pay_for_their_rooms() -> None:
    posed = pose(asked(), tiny_region(students=3))
    question = question_of_recipe(posed)
    small, answer = model.smaller_classes(question, 1)
    problem = small.problem
    short = answer.plan.classes.sum(axis=1) - problem.rooms
    assert short[:, 1:].max() > 0
    assert (answer.built.rooms[:, 1:] >= short[:, 1:]).all()
    assert answer.breakdown.of("rooms") > 0
    assert not [v for v in model.check(small, answer) if v.rule != "the bound is below the plan"]


def test_a_proposal_is_not_written_over_the_county(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    with pytest.raises(SystemExit) as end:
        main(["propose", str(folder / "scenario.toml"), "--out", str(folder)])
    assert end.value.code == 2
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_nothing_of_an_earlier_proposal_stays_beside_a_new_one(tmp_path: Path) -> None:
    folder, out = write_tiny(tmp_path / "county"), tmp_path / "out"
    (out / "plans").mkdir(parents=True)
    (out / "futures.csv").write_text("not ours", encoding="utf-8")
    command = ["propose", str(folder / "scenario.toml"), "--steps", "1", "--out", str(out)]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    # No proposal stood here before: what lies in the folder is somebody else's.
    assert (out / "futures.csv").read_text(encoding="utf-8") == "not ours"
    (out / "plans" / "plan-09.toml").write_text("old", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    assert not (out / "futures.csv").exists()
    assert not (out / "plans" / "plan-09.toml").exists()
