"""The independent check: silent on sound plans, loud on every planted fault."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from catchment.errors import CatchmentError
from catchment.optimise.layout import recorded_plan, scenario_plan, today_plan
from catchment.verify import check_plan, demand_sound, fault_table
from tests.verify.random_counties import SPOILS, in_pieces, random_problem


def _broken(faults: tuple) -> list[str]:
    return [fault.code for fault in faults if fault.severity() == "broken"]


@pytest.mark.parametrize("seed", range(40))
def test_sound_plans_of_every_method_pass(seed: int) -> None:
    problem = random_problem(np.random.default_rng(seed))
    opened = np.repeat(problem.today_open[:, :, None], len(problem.years), axis=2)
    still = problem.replace(
        must_open=opened, must_close=~opened, fixed_site=np.full_like(problem.fixed_site, -1)
    )
    assert _broken(check_plan(still, today_plan(still))) == []
    for method in ("today", "nearest"):
        plan = scenario_plan(problem, method)
        strict = 0 if method == "nearest" else None
        assert _broken(check_plan(problem, plan, connected_from=strict)) == [], method


@pytest.mark.parametrize("seed", range(3))
def test_plans_within_places_pass(seed: int) -> None:
    problem = random_problem(np.random.default_rng(1000 + seed))
    plan = scenario_plan(problem, "capacity", time_limit=1.0)
    assert _broken(check_plan(problem, plan, connected_from=0)) == []


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda s: s.__name__)
def test_planted_faults_are_found(spoil) -> None:
    tried = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng)
        spoiled = spoil(problem, scenario_plan(problem, "nearest"), rng)
        if spoiled is None:
            continue
        tried += 1
        assert _broken(check_plan(problem, spoiled)), f"seed {seed}"
    assert tried >= 15


def test_a_village_in_pieces_is_found_though_all_sums_are_right() -> None:
    tried = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng)
        spoiled = in_pieces(problem, scenario_plan(problem, "nearest"), rng)
        if spoiled is None:
            continue
        tried += 1
        assert "detached" in _broken(check_plan(problem, spoiled, connected_from=0)), f"seed {seed}"
        assert _broken(check_plan(problem, spoiled)) == []
    assert tried >= 15


def test_a_broken_plan_is_refused_in_words() -> None:
    problem = random_problem(np.random.default_rng(3))
    plan = scenario_plan(problem, "nearest")
    demand_sound(check_plan(problem, plan))
    with pytest.raises(CatchmentError, match=r"student-minutes add up to"):
        demand_sound(check_plan(problem, plan.replace(objective=0.0, bound=np.nan)))


def test_the_table_is_complete_and_worst_first() -> None:
    problem = random_problem(np.random.default_rng(5))
    plan = recorded_plan(problem, scenario_plan(problem, "nearest").site_of, "nearest")
    spoiled = plan.replace(objective=plan.objective + 5, classes=plan.classes * 0)
    table = fault_table(check_plan(problem, spoiled))
    assert table["severity"].tolist() == sorted(
        table["severity"], key=["broken", "limit", "note"].index
    )
    assert (table["what_zh"].str.len() > 4).all()
    assert not table["what_en"].str.contains(r"[{}]").any()
    assert {"objective", "no_class"} <= set(table["code"])


def test_thousands_in_the_script_and_some_here(capsys, monkeypatch) -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "verify_plans.py"
    spec = importlib.util.spec_from_file_location("verify_plans", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("sys.argv", ["verify_plans.py", "--instances", "200", "--faults", "80"])
    assert module.main() == 0
    assert "one_too_many" in capsys.readouterr().out
