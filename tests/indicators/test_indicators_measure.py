from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_county import plan_of, tiny_problem, today_plan

from catchment.indicators import compute, registry
from catchment.indicators.measure import weighted_quantile


def value(
    table: pd.DataFrame, indicator: str, scope: str = "county", name: str = "county"
) -> float:
    rows = table[
        (table["indicator"] == indicator) & (table["scope"] == scope) & (table["id"] == name)
    ]
    rows = rows[rows["year"] == 2026]
    assert len(rows) == 1, rows
    return float(rows["value"].iloc[0])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    problem = tiny_problem()
    return compute(
        problem, today_plan(problem), which="today", townships=["north", "north", "south", "isle"]
    )


def test_hand_worked_county(table: pd.DataFrame) -> None:
    # 87 students a grade; the island's junior students (6) have no school today
    assert value(table, "students") == 87 * 9
    assert value(table, "unserved") == 6
    assert value(table, "served") == 87 * 9 - 6
    minutes = 60 * 9 * 5 + 20 * 6 * 10 + 20 * 3 * 20 + 5 * 6 * 12 + 5 * 3 * 35 + 2 * 6 * 8
    assert value(table, "student_minutes") == minutes
    assert value(table, "minutes_mean") == pytest.approx(minutes / 777)
    assert value(table, "minutes_median") == 5
    # 540 at 5, 12 at 8, 120 at 10, 30 at 12: 702 >= 0.9 x 777 = 699.3
    assert value(table, "minutes_p90") == 12
    assert value(table, "minutes_max") == 35
    assert value(table, "over_30_students") == 0
    assert value(table, "moved_students") == 0
    assert value(table, "bus_riders") == 15
    assert value(table, "student_km") == pytest.approx(minutes / 10)


def test_classes_of_the_hand_worked_county(table: pd.DataFrame) -> None:
    # A: grades 1-6 hold 60 (2 classes each), grades 7-9 hold 60 + 20 + 5 = 85 (2 classes each)
    assert value(table, "classes", "site", "A") == 18
    assert value(table, "classes", "site", "B") == 6
    # C: 7 students a grade in six grades, three rooms: combined classes of two grades
    assert value(table, "classes", "site", "C") == 3
    assert value(table, "combined_classes", "site", "C") == 3
    assert value(table, "largest_class", "site", "C") == 14
    assert value(table, "over_standard_classes") == 0
    assert value(table, "schools_open") == 3
    assert value(table, "teaching_points") == 0
    assert value(table, "small_schools") == 1
    assert value(table, "place_shortfall", "site", "A") == 0
    # A: 12 classes of 45 + 6 of 50 + 2 spare rooms at 45; 615 students
    assert value(table, "places", "site", "A") == 12 * 45 + 6 * 50 + 2 * 45
    assert value(table, "place_surplus", "site", "A") == 930 - 615


def test_downgrade_makes_a_teaching_point_and_moves_students() -> None:
    problem = tiny_problem()
    site = problem.today.copy()
    site[7] = 1  # v2 upper to B
    site[10] = -1  # v3 upper: nowhere
    opened = problem.today_open.copy()
    opened[2, 1] = False
    after = compute(problem, plan_of(problem, site, opened))
    assert value(after, "teaching_points") == 1
    assert value(after, "schools_open") == 2
    assert value(after, "moved_students") == 15
    assert value(after, "unserved") == 12
    assert value(after, "worsened_students") == 0


def test_own_classes_of_today_stand_in_for_formed_ones() -> None:
    problem = tiny_problem()
    own = pd.DataFrame(
        [("B", 1, "1", 25, 2026), ("B", 2, "1", 70, 2026), ("A", 1, "1", 99, 2025)],
        columns=["school_id", "grade", "class_no", "students", "year"],
    )
    kept = compute(problem, today_plan(problem), actual=own)
    assert value(kept, "super_large_classes", "site", "B") == 1
    assert value(kept, "classes", "site", "B") == 2
    assert value(kept, "super_large_classes", "site", "A") == 0
    later = kept[(kept["indicator"] == "classes") & (kept["id"] == "B") & (kept["year"] == 2027)]
    assert later["value"].tolist() == [6]
    site = problem.today.copy()
    site[7] = 1
    moved = compute(problem, plan_of(problem, site, problem.today_open), actual=own)
    assert value(moved, "classes", "site", "B") == 6


def test_objective_agrees_with_the_plan() -> None:
    problem = tiny_problem()
    plan = today_plan(problem)
    table = compute(problem, plan)
    county = table[(table["indicator"] == "student_minutes") & (table["scope"] == "county")]
    assert county["value"].sum() == pytest.approx(plan.objective, rel=1e-9)


def test_scopes_add_up(table: pd.DataFrame) -> None:
    for code in ("students", "served", "unserved", "student_minutes", "student_km", "bus_riders"):
        for scope in ("band", "township"):
            rows = table[(table["indicator"] == code) & (table["scope"] == scope)]
            parts = rows[rows["year"] == 2026]["value"].sum()
            assert parts == pytest.approx(value(table, code)), (code, scope)
    modes = table[(table["indicator"] == "students") & (table["scope"] == "mode")]
    assert modes[modes["year"] == 2026]["value"].sum() == value(table, "served")


def test_every_indicator_is_registered_with_unit_and_definition(table: pd.DataFrame) -> None:
    known = registry()
    for row in known.values():
        assert row.unit, row
        assert row.zh, row
        assert row.en, row
        assert row.definition_zh, row
        assert row.definition_en, row
        assert row.range, row
    assert set(table["indicator"]) <= set(known)
    assert set(known) <= set(table["indicator"])
    for code, unit in zip(table["indicator"], table["unit"], strict=True):
        assert known[code].unit == unit


def test_ranges_hold(table: pd.DataFrame) -> None:
    assert (table["value"] >= 0).all()
    shares = table[table["unit"] == "share"]["value"]
    assert (shares <= 1).all()


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=30),
    st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]),
)
def test_quantile_equals_the_repeated_list(pairs: list[tuple[int, int]], share: float) -> None:
    if sum(w for _, w in pairs) == 0:
        return
    values = np.array([float(x) for x, _ in pairs])
    weights = np.array([w for _, w in pairs])
    spread = sorted(
        v for v, w in zip(values.tolist(), weights.tolist(), strict=True) for _ in range(w)
    )
    need = next(k for k in range(1, len(spread) + 1) if k >= share * len(spread) - 1e-9)
    assert weighted_quantile(values, weights, share) == spread[need - 1]


def test_same_input_same_table() -> None:
    problem = tiny_problem()
    plan = today_plan(problem)
    a = compute(problem, plan).to_csv(index=False)
    b = compute(problem, plan).to_csv(index=False)
    assert a == b
