"""Costs, recheck, special plans, actions and prices of the consolidation model."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from catchment.errors import InputError, NotFoundError
from catchment.optimise import consolidation as model
from catchment.optimise.phases import population, solve
from catchment.scenario import parse_scenario
from tests.tiny_consolidation import tiny_question


def answered(first: int, **wanted: object) -> tuple[model.Question, model.Answer]:
    """The first tiny question from a seed on, without demands, whose best plan closes a school and moves students."""
    for seed in range(first, first + 300):
        question = tiny_question(seed).replace(**wanted)
        if question.at_least is not None or question.at_most is not None:
            continue
        answer = model.consolidate(question, time_limit=20)
        if answer.plan.status != "optimal":
            continue
        runs = answer.plan.open.any(axis=1)
        moves = answer.breakdown.of("moves") > 0
        if (runs[:, 0] & ~runs[:, -1]).any() and moves:
            return question, answer
    raise AssertionError("no such question")


@pytest.fixture(scope="module")
def case() -> tuple[model.Question, model.Answer]:
    return answered(100)


def rules(question: model.Question, answer: model.Answer) -> set[str]:
    return {v.rule for v in model.check(question, answer)}


def test_every_cost_has_unit_words_and_source():
    table = model.cost_table()
    assert {r.key for r in table} == {f.name for f in dataclasses.fields(model.Costs)}
    for row in table:
        assert row.unit, row.key
        assert row.zh, row.key
        assert row.en, row.key
        assert row.source, row.key
        assert row.least <= row.value <= row.most, row.key


def test_a_county_sets_its_own_costs(tmp_path):
    own = tmp_path / "costs.csv"
    own.write_text("key,value,source\nteacher_year,98000,财政局 2026\n", encoding="utf-8-sig")
    assert model.read_costs(own).teacher_year == 98000
    assert model.read_costs(own).site_year == model.read_costs().site_year
    row = next(r for r in model.cost_table(own) if r.key == "teacher_year")
    assert row.source == "财政局 2026"


@pytest.mark.parametrize("line", ["teacher,1", "minute,many", "minute,-1", "minute,1\nminute,2"])
def test_wrong_costs_are_refused(tmp_path, line):
    own = tmp_path / "costs.csv"
    own.write_text(f"key,value\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"costs\.csv"):
        model.read_costs(own)


def test_objective_is_the_sum_of_the_breakdown(case):
    question, answer = case
    table = model.cost_of(
        question.problem,
        answer.plan,
        question.costs,
        built=answer.built,
        transition=question.transition,
    )
    assert table.total == pytest.approx(answer.plan.objective)
    assert sum(table.of(item) for item in table.items) == pytest.approx(table.total)
    assert answer.breakdown.items == table.items


def test_keeping_everything_is_never_cheaper(case):
    question, answer = case
    kept = model.keep_everything(question)
    assert model.check(question, kept) == []
    assert kept.plan.objective >= answer.plan.objective
    assert math.isnan(kept.gap)


def test_recheck_sees_every_kind_of_fault(case):
    question, answer = case
    plan, problem = answer.plan, question.problem
    assert model.check(question, answer) == []
    closed = np.flatnonzero(plan.open.any(axis=1)[:, 0] & ~plan.open.any(axis=1)[:, -1])[0]

    def with_plan(**changes):
        return dataclasses.replace(answer, plan=plan.replace(**changes))

    assert "the objective adds up" in rules(question, with_plan(objective=plan.objective + 50))
    assert "the bound is below the plan" in rules(question, with_plan(bound=plan.objective * 2))
    shut = np.zeros_like(plan.open)
    assert "the school is open" in rules(question, with_plan(open=shut))
    assert "the first year is today" in rules(question, with_plan(open=shut))
    back = plan.open.copy()
    back[closed, :, 1], back[closed, :, 2] = False, problem.today_open[closed]
    assert "a site changes in one direction" in rules(question, with_plan(open=back))
    protected = question.replace(may_close=np.zeros_like(question.may_close))
    assert "state allowed" in rules(protected, answer)
    limits = dataclasses.replace(
        question.limits, closures_per_year=0, closures_total=0, moved_per_year=0
    )
    strict = rules(question.replace(limits=limits), answer)
    assert {"closures a year", "closures in all", "students moved a year"} <= strict
    far = problem.replace(trip_limit=np.zeros_like(problem.trip_limit))
    tight = dataclasses.replace(question.limits, boarding_minutes=0.0)
    strict = rules(question.replace(problem=far, limits=tight), answer)
    assert "the new trip keeps its limit" in strict
    small = dataclasses.replace(question.limits, max_size=0)
    bare = problem.replace(
        rooms=np.zeros_like(problem.rooms), dining_seats=np.zeros_like(problem.rooms)
    )
    strict = rules(question.replace(problem=bare, limits=small), answer)
    assert "largest size" in strict
    assert "a room for every class" in strict | rules(
        question.replace(problem=bare, tolerate_shortage=False), answer
    )
    wrong = plan.classes + 1
    assert "whole classes as counted" in rules(question, with_plan(classes=wrong))
    nobody = np.full_like(plan.site_of, -1)
    assert "everyone has a school" in rules(question, with_plan(site_of=nobody))
    early = dataclasses.replace(answer.built, rooms=answer.built.rooms + 1)
    broken = rules(question, dataclasses.replace(answer, built=early))
    assert any(r.startswith("rooms: built before") for r in broken)


def test_a_village_that_moves_back_is_seen(case):
    question, answer = case
    plan = answer.plan
    served = int(np.flatnonzero(plan.site_of[:, 0] >= 0)[0])
    home, sites = plan.site_of[served, 0], len(question.problem.site_ids)
    site_of = plan.site_of.copy()
    site_of[served] = [home, (home + 1) % sites, home]
    changed = dataclasses.replace(answer, plan=plan.replace(site_of=site_of))
    assert "a village moves once" in rules(question, changed)


def test_actions_are_a_recipe(case):
    question, answer = case
    listed = model.actions(question, answer)
    assert [a["year"] for a in listed] == sorted(a["year"] for a in listed)
    recipe = {"name": "x", "years": list(question.problem.years), "action": listed}
    scenario = parse_scenario(recipe)
    merged = {a.school for a in scenario.actions if a.do == "merge"}
    runs = answer.plan.open.any(axis=1)
    gone = {
        question.problem.site_ids[j] for j in np.flatnonzero(runs[:, 0] & ~runs[:, -1]).tolist()
    }
    assert merged == gone
    rooms = {a.school: 0 for a in scenario.actions if a.do == "expand"}
    for a in scenario.actions:
        if a.do == "expand":
            rooms[a.school] += a.rooms
    for school, count in rooms.items():
        j = question.problem.site_ids.index(school)
        assert count == answer.built.rooms[j, -1]


def test_rooms_are_built_the_year_before_they_are_needed():
    for seed in range(400):
        question = tiny_question(seed)
        answer = model.consolidate(question, time_limit=20)
        if answer.plan.status != "optimal" or not answer.built.rooms.any():
            continue
        j = int(np.flatnonzero(answer.built.rooms.any(axis=1))[0])
        first = int(np.flatnonzero(answer.built.rooms[j])[0])
        if not answer.plan.open[j, :, first - 1].any():
            continue
        year = question.problem.years[first - 1]
        mine = [a for a in model.actions(question, answer) if a["do"] == "expand"]
        assert any(a["year"] == year and a["school"] == question.problem.site_ids[j] for a in mine)
        assert answer.built.rooms[j, 0] == 0
        return
    raise AssertionError("no plan builds")


def test_price_of_keeping_is_the_difference_of_two_best_plans(case):
    question, answer = case
    runs = answer.plan.open.any(axis=1)
    j = int(np.flatnonzero(runs[:, 0] & ~runs[:, -1])[0])
    code = question.problem.site_ids[j]
    price = model.price_of_keeping(question, answer, code)
    if price.answer.plan.status == "optimal":
        assert price.changed
        assert price.yuan >= -1e-6
        assert price.least <= price.yuan + 1e-6
        assert price.yuan <= price.most + 1e-6
        assert price.answer.plan.open[j].any(axis=0).all()
        mine = answer.plan.site_of[:, 0] == j
        stays = price.answer.plan.site_of[mine]
        assert ((stays == j) | (stays < 0)).all()
        held = question.replace(stay=mine)
        assert ("a village that may not move" in rules(held, answer)) == bool(mine.any())
    again = model.price_of_closing(question, answer, code)
    assert not again.changed
    assert again.yuan == 0.0
    with pytest.raises(NotFoundError):
        model.price_of_keeping(question, answer, "nowhere")


def test_price_of_closing_closes_or_says_why(case):
    question, answer = case
    open_now = answer.plan.open.any(axis=1)
    j = int(np.flatnonzero(open_now[:, 0] & open_now[:, -1])[0])
    code = question.problem.site_ids[j]
    price = model.price_of_closing(question, answer, code)
    if price.answer.plan.status == "optimal":
        assert not price.answer.plan.open[j, :, -1].any()
    else:
        assert price.answer.plan.status == "infeasible"
        assert price.answer.reason
        assert math.isinf(price.yuan)


def test_frontier_is_valid_and_marks_what_is_worse(case):
    question, _ = case
    plans = model.frontier(question, 8, time_limit=80)
    assert len(plans) == 8
    for choice in plans:
        assert model.check(choice.question, choice.answer) == [], choice.name
        if not math.isnan(choice.answer.plan.bound):
            assert choice.answer.plan.bound <= choice.answer.plan.objective * (1 + 1e-9)
    cheapest = min(c.figures.yuan for c in plans)
    assert plans[1].figures.yuan == pytest.approx(cheapest)
    assert not all(c.dominated for c in plans)
    with pytest.raises(InputError):
        model.frontier(question, 4)


def test_smaller_classes_keep_every_school(case):
    question, _ = case
    asked, answer = model.smaller_classes(question, 3)
    assert (answer.plan.open == question.problem.today_open[:, :, None]).all()
    assert asked.problem.class_size.max() <= 3
    assert answer.breakdown.of("teachers") >= model.keep_everything(question).breakdown.of(
        "teachers"
    )


def searched(question: model.Question, monkeypatch: pytest.MonkeyPatch, **how: object):
    """The answer of the search alone, as for a large county."""
    monkeypatch.setattr(solve, "TINY_COLUMNS", -1)
    monkeypatch.setattr(solve, "EXACT_COLUMNS", -1)
    monkeypatch.setattr(solve, "ROUND", 60_000)
    monkeypatch.setattr(population, "NEIGHBOURHOOD_SECONDS", 20.0)
    return model.consolidate(question, **how)


def test_search_with_counted_steps_repeats_itself(case, monkeypatch):
    question, best = case
    one = searched(question, monkeypatch, seed=5, steps=2)
    two = searched(question, monkeypatch, seed=5, steps=2)
    assert np.array_equal(one.plan.site_of, two.plan.site_of)
    assert one.plan.objective == two.plan.objective
    assert one.plan.bound == two.plan.bound
    assert model.check(question, one) == []
    assert one.plan.objective >= best.plan.objective * (1 - 1e-9)
    assert one.plan.bound <= best.plan.objective * (1 + 1e-9)


def test_search_meets_the_best_of_tiny_questions(monkeypatch):
    met = tried = 0
    for seed in range(300, 330):
        question = tiny_question(seed)
        best = model.consolidate(question, time_limit=20)
        if best.plan.status != "optimal":
            continue
        found = searched(question, monkeypatch, seed=1, steps=1)
        monkeypatch.undo()
        tried += 1
        assert found.plan.bound <= best.plan.objective * (1 + 1e-9), seed
        if found.plan.status in ("optimal", "feasible"):
            assert model.check(question, found) == [], seed
            met += found.plan.objective <= best.plan.objective * (1 + 1e-6)
    assert met >= 0.9 * tried


def test_search_lets_emptied_schools_wait_for_their_turn_to_close(monkeypatch):
    """Few may close, and children run out: a school without anybody stays open until it may."""
    waited = 0
    for seed in (61, 142, 158, 163, 176, 296):
        question = tiny_question(seed)
        rng = np.random.default_rng(seed)
        limits = dataclasses.replace(
            question.limits,
            min_size=0,
            closures_per_year=int(rng.integers(0, 2)),
            closures_total=None if rng.random() < 0.5 else 1,
        )
        question = question.replace(limits=limits)
        best = model.consolidate(question, time_limit=20)
        assert best.plan.status == "optimal", seed
        found = searched(question, monkeypatch, seed=1, steps=1)
        monkeypatch.undo()
        assert found.plan.status in ("feasible", "optimal"), seed
        assert model.check(question, found) == [], seed
        assert found.plan.bound <= best.plan.objective * (1 + 1e-9), seed
        assert found.plan.objective >= best.plan.objective * (1 - 1e-9), seed
        runs = np.asarray(found.plan.open.any(axis=1))
        served = np.zeros_like(runs)
        group, year = np.nonzero(found.plan.site_of >= 0)
        served[found.plan.site_of[group, year], year] = True
        waited += int((runs & ~served).any())
    assert waited


def test_interrupting_gives_the_best_so_far(case, monkeypatch):
    question, _ = case
    told: list[str] = []

    def stop(text: str) -> None:
        told.append(text)
        raise KeyboardInterrupt

    answer = searched(question, monkeypatch, time_limit=20.0, progress=stop)
    assert told
    assert answer.plan.status in ("feasible", "optimal")
    assert model.check(question, answer) == []


def test_history_only_improves(case, monkeypatch):
    question, _ = case
    answer = searched(question, monkeypatch, seed=2, steps=2)
    values = [h[1] for h in answer.history]
    bounds = [h[2] for h in answer.history]
    assert values == sorted(values, reverse=True)
    assert bounds == sorted(bounds)


def test_wrong_questions_are_refused(case):
    question, _ = case
    with pytest.raises(InputError, match="may_close"):
        model.consolidate(question.replace(may_close=np.ones(1, dtype=bool)), time_limit=1)
    with pytest.raises(InputError, match="extra_rooms"):
        model.consolidate(question.replace(extra_rooms=question.extra_rooms - 99), time_limit=1)
    with pytest.raises(InputError, match="transition"):
        model.consolidate(question.replace(transition="later"), time_limit=1)


def test_suggested_question_spares_large_schools(case):
    problem = case[0].problem
    question = model.question_of(problem, extra_rooms=4)
    today = np.bincount(
        problem.today[problem.today >= 0],
        weights=problem.demand()[problem.today >= 0, 0],
        minlength=len(problem.site_ids),
    )
    assert not (question.may_close & (today >= 100)).any()
    assert not question.may_open.any()
    assert not (question.extra_rooms[question.may_close] > 0).any()
