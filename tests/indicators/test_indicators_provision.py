"""Needs, places over the years, smaller classes and estimated figures, by hand on a tiny county."""

from __future__ import annotations

import math

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.indicators.provision import (
    estimated_sites,
    need_table,
    place_table,
    smaller_class_table,
)
from catchment.places import NeedFactors, begins, needs, spell
from catchment.run import Run, run_scenario
from catchment.scenario import parse_scenario
from tests.tiny_region import tiny_region


@pytest.fixture(scope="module")
def run() -> Run:
    return run_scenario(
        parse_scenario({"name": "试", "years": [2026, 2028]}), tiny_region(students=30)
    )


def test_staff_of_a_nine_year_school_is_by_grades() -> None:
    students = np.full((1, 9, 1), 38)
    got = needs(students, np.ones((1, 9, 1), int), np.arange(9) < 6)
    # 6 x 38 / 19 = 12 and 3 x 38 / 13.5 = 8.44: 20.44, rounded up once
    assert got.staff_by_ratio.tolist() == [[21]]
    assert got.staff_by_class.tolist() == [[0]]
    assert got.staff.tolist() == [[21]]


def test_small_schools_are_staffed_by_class_where_that_is_more() -> None:
    students = np.array([[[5], [6], [7]]])
    got = needs(
        students, np.ones((1, 3, 1), int), np.ones(3, bool), factors=NeedFactors(class_factor=1.5)
    )
    assert (got.staff_by_ratio[0, 0], got.staff_by_class[0, 0], got.staff[0, 0]) == (1, 5, 5)


def test_first_last_and_lasting_years() -> None:
    years = (2026, 2028, 2031)
    amount = [[3, 1, 0], [0, 0, 4], [0, 2, 2], [0, 0, 0]]
    first, last = spell(amount, years)
    assert first.tolist() == [2026, 2031, 2028, 0]
    assert last.tolist() == [2028, 2031, 2031, 0]
    assert begins(amount, years).tolist() == [0, 2031, 2028, 0]


def test_needs_add_up_with_the_students_of_the_plan(run: Run) -> None:
    table = need_table(run.problem, run.plan, run.region)
    for t, year in enumerate(run.problem.years):
        mine = table[table["year"] == year]
        served = run.plan.site_of[:, t] >= 0
        assert mine["students"].sum() == run.problem.students[served, :, t].sum()
        assert mine["classes"].sum() == run.plan.classes[:, :, t].sum()
        assert (mine["dining_needed"] == mine["students"]).all()
    assert (table["staff_needed"] >= table["staff_by_ratio"]).all()
    known = table[table["staff_now"].notna()]
    assert (known["staff_short"] == np.maximum(known["staff_needed"] - known["staff_now"], 0)).all()
    assert table.loc[table["staff_now"].isna(), "staff_short"].isna().all()


def test_factors_change_the_needs(run: Run) -> None:
    plain = need_table(run.problem, run.plan, run.region)
    two = need_table(run.problem, run.plan, run.region, NeedFactors(sittings=2, primary_ratio=9.5))
    assert two["dining_needed"].tolist() == [math.ceil(n / 2) for n in plain["dining_needed"]]
    assert (two["staff_by_ratio"] >= plain["staff_by_ratio"]).all()
    with pytest.raises(InputError):
        NeedFactors(primary_ratio=0)


def test_places_are_told_by_enumeration(run: Run) -> None:
    table = place_table(run.problem, run.plan).set_index("site_id")
    at_site = np.zeros((len(run.problem.site_ids), len(run.problem.grades), 2), dtype=int)
    for i, t in np.argwhere(run.plan.site_of >= 0):
        at_site[run.plan.site_of[i, t], :, t] += run.problem.students[i, :, t]
    for j, code in enumerate(run.problem.site_ids):
        if not at_site[j].any():
            assert code not in table.index
            continue
        short, spare = [], []
        for t in range(2):
            size = run.problem.class_size[j]
            full = sorted(
                (min(int(size[k]), left) for k in range(9)
                 for left in range(int(at_site[j, k, t]), 0, -int(size[k]))), reverse=True,
            )  # fmt: skip
            rooms = int(run.problem.rooms[j, t])
            short.append(sum(full[rooms:]))
            spare.append(max(rooms - len(full), 0))
        years = run.problem.years
        row = table.loc[code]
        assert row["shortfall_most"] == max(short)
        assert row["shortfall_first_year"] == next(
            (y for y, n in zip(years, short, strict=False) if n), 0
        )
        assert [row["spare_rooms_first"], row["spare_rooms_last"]] == spare
        lasting = years[0] if all(spare) else years[1] if spare[1] else 0
        assert row["surplus_begins"] == lasting


def test_smaller_classes_need_more_of_them(run: Run) -> None:
    table = smaller_class_table(run.problem, run.plan)
    assert set(table["target"]) == {0, 40, 35, 30}
    for _, rows in table.groupby("year"):
        by = rows.set_index("target")
        order = [by.loc[t, "classes_needed"] for t in (0, 40, 35, 30)]
        assert order == sorted(order)
        spare = [by.loc[t, "rooms_spare"] for t in (0, 40, 35, 30)]
        assert spare == sorted(spare, reverse=True)


def test_projected_years_are_marked_and_counted_ones_are_not(run: Run) -> None:
    flags = estimated_sites(run.problem, run.plan)
    assert not flags[:, 0].any()
    students = np.zeros_like(flags)
    for i, t in np.argwhere(run.plan.site_of >= 0):
        students[run.plan.site_of[i, t], t] |= bool(run.problem.students[i, :, t].sum())
    assert (flags[:, 1] == students[:, 1]).all()
    found = run.findings
    assert not found.loc[found["year"] == 2026, "estimated"].any()
    later = found[(found["year"] == 2028) & (found["kind"].isin(["site", "class", "group"]))]
    assert len(later)
    assert later["estimated"].all()
    assert found.loc[(found["year"] == 2028) & (found["kind"] == "county"), "estimated"].all()
