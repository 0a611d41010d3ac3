from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_county import plan_of, tiny_problem

from catchment.errors import InputError
from catchment.indicators.balance import RESOURCES, after, assess, split_stages, variation
from catchment.region.bands import read_bands

STANDARDS = {
    ("primary", n): v
    for n, v in zip(RESOURCES, (4.2, 1, 0.9, 4.5, 7.5, 2000, 2.3), strict=True)
} | {
    ("junior", n): v
    for n, v in zip(RESOURCES, (5.3, 1, 0.9, 5.8, 10.2, 2500, 2.4), strict=True)
}  # fmt: skip
LIMITS = {"primary": 0.50, "junior": 0.45}


def school(
    name: str, stage: str, students: int, factor: float = 1.0, kind: str = "", **changes: float
) -> dict[str, object]:
    standard = {
        n: STANDARDS["primary" if stage == "both" else stage, n] * students / per * factor
        for n, per in RESOURCES.items()
    }
    return {
        "school_id": name,
        "stage": stage,
        "students": students,
        "kind": kind,
        **standard,
        **changes,
    }


def test_published_example_of_the_weighted_coefficient() -> None:
    students, books = [45, 37, 89, 76, 55], [279, 137, 935, 160, 402]
    cv = variation(books, students)
    assert cv == pytest.approx(0.5153, abs=5e-5)
    ratio = np.array(books) / np.array(students)
    unweighted = ratio.std() / ratio.mean()
    assert unweighted == pytest.approx(0.4888, abs=5e-5)
    assert (cv > 0.50) != (unweighted > 0.50)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 5000)), min_size=1, max_size=12))
def test_coefficient_equals_the_one_over_single_students(rows: list[tuple[int, int]]) -> None:
    students = np.array([p for p, _ in rows])
    amount = np.array([a for _, a in rows], dtype=float)
    if amount.sum() == 0:
        assert np.isnan(variation(amount, students))
        return
    single = np.repeat(amount / students, students)
    assert variation(amount, students) == pytest.approx(
        single.std() / single.mean(), rel=1e-9, abs=1e-9
    )


def test_six_of_seven_and_eighty_five_percent() -> None:
    good = school("a", "primary", 200)
    six = {**good, "school_id": "b", "sports_area": good["sports_area"] * 0.85}  # type: ignore[operator]
    low = {**good, "school_id": "c", "sports_area": good["sports_area"] * 0.84}  # type: ignore[operator]
    five = {**six, "school_id": "d", "teaching_area": good["teaching_area"] * 0.9}  # type: ignore[operator]
    unknown = {**good, "school_id": "e", "sports_area": np.nan}
    hopeless = {**low, "school_id": "f", "equipment": np.nan}
    got = assess(pd.DataFrame([good, six, low, five, unknown, hopeless]), STANDARDS, LIMITS)
    verdict = dict(zip(got.verdicts["school_id"], got.verdicts["result"], strict=True))
    assert verdict == {
        "a": "pass",
        "b": "pass",
        "c": "fail",
        "d": "fail",
        "e": "unknown",
        "f": "fail",
    }
    cv = got.county.set_index(["stage", "indicator"])["result"]
    assert cv["primary", "sports_area"] == "unknown"
    assert cv["primary", "teachers_key"] == "pass"
    assert cv["junior", "teachers_key"] == "unknown"


def test_small_points_and_special_schools_are_left_out() -> None:
    table = pd.DataFrame(
        [
            school("a", "primary", 100), school("p", "primary", 49, 0.1, "teaching_point"),
            school("q", "primary", 50, 0.1, "teaching_point"), school("s", "primary", 80, 9, "special"),
        ]
    )  # fmt: skip
    got = assess(table, STANDARDS, LIMITS)
    assert got.verdicts["school_id"].tolist() == ["a", "q"]
    assert len(got.left_out) == 2


def test_nine_year_schools_are_split_by_stage() -> None:
    row = school("n", "both", 300, students_primary=200, students_junior=100)
    split = split_stages(pd.DataFrame([row]))
    assert split[["stage", "students"]].to_numpy().tolist() == [["primary", 200], ["junior", 100]]
    assert split["equipment"].sum() == pytest.approx(row["equipment"])
    with pytest.raises(InputError, match="分列"):
        split_stages(pd.DataFrame([school("n", "both", 300)]))


def test_closing_moves_teachers_and_leaves_rooms_behind() -> None:
    problem = tiny_problem()
    site = problem.today.copy()
    site[[6, 7]] = 1
    site[[9, 10]] = -1
    opened = problem.today_open.copy()
    opened[2] = False
    plan = plan_of(problem, site, opened)
    table = pd.DataFrame(
        [
            school("A", "both", 615, students_primary=360, students_junior=255),
            school("B", "primary", 120), school("C", "primary", 42),
        ]
    )  # fmt: skip
    got = after(table, problem, plan, 0, read_bands()).set_index(["school_id", "stage"])
    b, c = table.iloc[1], table.iloc[2]
    assert got.loc[("B", "primary"), "students"] == 150
    assert got.loc[("B", "primary"), "equipment"] == pytest.approx(b["equipment"] + c["equipment"])
    assert got.loc[("B", "primary"), "sports_area"] == b["sports_area"]
    assert got.loc[("C", "primary"), "students"] == 0
    for name in ("teachers_key", "equipment"):
        assert got[name].sum() == pytest.approx(table[name].sum())
    before = assess(table, STANDARDS, LIMITS)
    later = assess(got.reset_index(), STANDARDS, LIMITS)
    assert before.verdicts.set_index("school_id").loc["B", "result"] == "pass"
    assert later.verdicts.set_index("school_id").loc["B", "result"] == "fail"


def test_what_is_unknown_of_a_receiving_school_stays_unknown() -> None:
    problem = tiny_problem()
    site = problem.today.copy()
    site[[6, 7]] = 1
    site[[9, 10]] = -1
    opened = problem.today_open.copy()
    opened[2] = False
    plan = plan_of(problem, site, opened)
    table = pd.DataFrame(
        [
            school("A", "both", 615, students_primary=360, students_junior=255),
            school("B", "primary", 120) | {"teachers_key": float("nan")},
            school("C", "primary", 42),
        ]
    )  # fmt: skip
    got = after(table, problem, plan, 0, read_bands())
    b = got.set_index(["school_id", "stage"]).loc[("B", "primary")]
    assert np.isnan(b["teachers_key"])
    verdict = assess(got, STANDARDS, LIMITS).verdicts.set_index(["school_id", "stage"])
    assert verdict.loc[("B", "primary"), "unknown"] == 1
    county = assess(got, STANDARDS, LIMITS).county.set_index(["stage", "indicator"])
    assert county.loc[("primary", "teachers_key"), "result"] == "unknown"


@pytest.mark.parametrize("planned", [True, False])
def test_a_new_school_has_what_is_planned_for_it_or_is_unknown(planned: bool) -> None:
    whole = tiny_problem()
    # B is new: today its villages go to A, under the plan it takes all of C
    opened = whole.today_open.copy()
    opened[1] = False
    problem = whole.replace(today=np.where(whole.today == 1, 0, whole.today), today_open=opened)
    moved = problem.today == 2
    later = problem.today_open.copy()
    later[1], later[2] = later[2], False
    plan = plan_of(problem, np.where(moved, 1, problem.today), later)
    rows = [
        school("A", "both", 615, students_primary=360, students_junior=255),
        school("C", "primary", 42),
    ]  # fmt: skip
    if planned:
        rows.append(school("B", "primary", 100) | {"students": 0})
    got = after(pd.DataFrame(rows), problem, plan, 0, read_bands())
    d = got.set_index(["school_id", "stage"]).loc[("B", "primary")]
    assert d["students"] == problem.students[moved][:, :, 0].sum() > 0
    county = assess(got, STANDARDS, LIMITS).county
    results = set(county.loc[county["stage"] == "primary", "result"])
    if planned:
        assert d["equipment"] == rows[-1]["equipment"]
        assert "unknown" not in results
    else:
        assert np.isnan(d[["equipment", "sports_area"]].astype(float)).all()
        assert results == {"unknown"}
