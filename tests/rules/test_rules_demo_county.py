"""The whole chain on the shipped county: figures that must agree with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catchment.indicators import compute, ledger_facts
from catchment.places import eliminate
from catchment.rules import books, rule
from catchment.run.model import Run
from catchment.run.order import execute

SCENARIO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "merge-2028.toml"


@pytest.fixture(scope="module")
def run() -> Run:
    return execute(SCENARIO)


def test_indicators_agree_with_objective_and_conservation(run: Run) -> None:
    for which, plan in (("today", run.today), ("plan", run.plan)):
        rows = run.indicators[
            (run.indicators["plan"] == which) & (run.indicators["scope"] == "county")
        ]
        minutes = rows.loc[rows["indicator"] == "student_minutes", "value"].sum()
        assert minutes == pytest.approx(plan.objective, rel=1e-6)
    rows = run.indicators[
        (run.indicators["plan"] == "plan") & (run.indicators["scope"] == "county")
    ]
    served = rows[rows["indicator"] == "served"].set_index("year")["value"]
    kept = run.conservation.set_index("year")
    assert (served == kept["served"]).all()


def test_ledger_and_indicators_count_the_same_large_classes(run: Run) -> None:
    table = compute(run.problem, run.today, which="today", actual=run.region.classes)
    year = run.problem.years[0]
    rows = table[(table["scope"] == "county") & (table["year"] == year)]
    count = rows.set_index("indicator")["value"]
    ledger = run.ledger[run.ledger["year"] == year]
    assert count["over_standard_classes"] == len(ledger)
    assert count["super_large_classes"] == (ledger["category"] == "super_large").sum()
    assert count["large_classes"] == ledger["category"].isin(["large", "super_large"]).sum()


def test_every_closing_has_one_verdict_and_every_gate_item(run: Run) -> None:
    book = books.read_books(["national"])
    table = rule.check(run.problem, run.plan, run.today, run.region, book)
    verdicts = table[table["code"] == "R-GATE"]
    closed = run.problem.today_open[:, :, None] & ~run.plan.open
    schools = {run.problem.site_ids[j] for j in np.flatnonzero(closed.any(axis=(1, 2)))}
    assert schools
    assert set(verdicts["id"]) == schools
    items = {r.code for r in book if "closing" in r.scope and r.code != "R-CON-04"}
    for school in schools:
        assert items <= set(table.loc[table["id"] == school, "code"])
    assert not (verdicts["result"] == "pass").any()
    assert table["citation_zh"].str.contains("《").all()
    assert not table.to_csv().count("http")


def test_elimination_of_large_classes_is_proved_in_seconds(run: Run) -> None:
    facts = ledger_facts(run.problem, run.plan, run.region)
    plan = eliminate(facts, time_limit=30)
    assert plan.status == "optimal"
    assert plan.excess == 0
    assert plan.bound == pytest.approx(plan.objective, rel=1e-6)
    assert (plan.students.sum(axis=0) == facts.students.sum(axis=0)).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bound_of_the_elimination_is_that_of_another_formulation_and_solver(run: Run) -> None:
    pytest.importorskip("pulp", reason="the second solver comes with spopt")
    from tests.elimination_oracle import least_cost

    facts = ledger_facts(run.problem, run.plan, run.region)
    plan = eliminate(facts, time_limit=30)
    size = [45 if g <= 6 else 50 for g in facts.grades]
    assert plan.objective == pytest.approx(least_cost(facts, size, 45.0))
