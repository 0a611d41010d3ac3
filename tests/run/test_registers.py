"""Registers kept from year to year: cohorts, the ledger continued, the survey out and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from catchment.errors import InputError
from catchment.region.read import read_region
from catchment.run import run_scenario
from catchment.scenario import parse_scenario
from catchment.views.registers import (
    continue_ledger,
    elimination_of,
    project_cohorts,
    survey_read,
    write_answers,
    write_cohorts,
    write_continued,
    write_survey,
)
from catchment.views.workbook import write_ledger
from tests.tiny_files import write_tiny
from tests.tiny_region import tiny_region


def test_with_one_year_known_a_cohort_passes_through_unchanged(tmp_path: Path) -> None:
    region = tiny_region()
    cohorts = project_cohorts(region, 5, draws=10)
    middle = np.asarray(cohorts.flows["middle"].counts)
    assert middle.shape == (5, 9, 6)
    assert (middle == 10).all()
    high, low = (np.asarray(cohorts.flows[n].counts).sum(axis=(0, 1)) for n in ("high", "low"))
    assert (high >= middle.sum(axis=(0, 1))).all()
    assert (low <= middle.sum(axis=(0, 1))).all()
    assert (cohorts.spread[:, 0] <= cohorts.spread[:, 2]).all()
    written = write_cohorts(cohorts, region, tmp_path)
    assert {p.name for p in written} == {
        "children-high.csv", "children-low.csv", "children-middle.csv", "sources.csv",
        "totals.csv", "uncertainty.csv",
    }  # fmt: skip
    totals = pd.read_csv(tmp_path / "totals.csv", encoding="utf-8-sig")
    county = totals[totals["township"] == "全县"].set_index(["variant", "year"])["students"]
    parts = totals[totals["township"] != "全县"].groupby(["variant", "year"])["students"].sum()
    assert (county.sort_index() == parts.sort_index()).all()


def test_a_projected_layer_can_stand_as_the_county_s_own(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    cohorts = project_cohorts(read_region(county), 3, draws=2)
    write_cohorts(cohorts, read_region(county), tmp_path / "out")
    (county / "children.csv").write_bytes((tmp_path / "out" / "children-middle.csv").read_bytes())
    again = read_region(county)
    assert sorted(again.children["year"].unique()) == [2026, 2027, 2028, 2029]
    assert set(again.children["source"]) == {"enrolled", "projected"}


def test_an_unknown_base_is_refused() -> None:
    with pytest.raises(InputError, match="2031"):
        project_cohorts(tiny_region(), 3, base=2031)


def test_a_ledger_is_continued_and_its_classes_eliminated(tmp_path: Path) -> None:
    region = tiny_region(students=30)
    run = run_scenario(parse_scenario({"name": "试", "years": [2026, 2028]}), region)
    # 60 students a grade at S1 in one class each: six rooms for six grades.
    assert (run.ledger["category"] == "large").any()
    path = write_ledger(run, tmp_path / "ledger.xlsx")
    carried = continue_ledger(run, path, pd.Timestamp("2026-10-01").date())
    assert carried.zero_growth
    assert len(carried.problems) == 0
    plan = elimination_of(run, target="large")
    assert plan.excess == 0 or len(plan.blocked)
    assert plan.objective >= plan.bound - 1e-6


def test_the_continued_ledger_is_the_workbook_with_its_lists_and_edits(tmp_path: Path) -> None:
    run = run_scenario(
        parse_scenario({"name": "试", "years": [2026, 2028]}), tiny_region(students=30)
    )
    path = write_ledger(run, tmp_path / "ledger.xlsx")
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    heads = {c.value: k for k, c in enumerate(page[3], start=1)}
    page.cell(4, heads["责任单位（人）"]).value = "张主任"
    page.cell(4, heads["拟采取办法"]).value = "与二校对调教室"
    page.cell(4, heads["备注"]).value = "=1+1"
    book.save(path)
    carried = continue_ledger(run, path, pd.Timestamp("2026-10-01").date())
    written = write_continued(run, carried, tmp_path / "out")
    assert [p.suffix for p in written] == [".xlsx", ".csv", ".csv"]
    again = openpyxl.load_workbook(written[0]).worksheets[0]
    row = dict(zip([c.value for c in again[3]], [c.value for c in again[4]], strict=True))
    assert (row["责任单位（人）"], row["拟采取办法"]) == ("张主任", "与二校对调教室")
    assert all(c.data_type != "f" for line in again.iter_rows() for c in line)
    assert again.print_title_rows == "$1:$3"
    assert len([v for v in again.data_validations.dataValidation if v.type == "list"]) == 2
    # and it can be read and continued once more
    twice = continue_ledger(run, written[0], pd.Timestamp("2026-11-01").date())
    assert twice.table["responsible"].tolist() == carried.table["responsible"].tolist()
    assert len(twice.problems) == 0


def test_the_survey_goes_out_and_comes_back_as_layers(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    before = {p.name: p.read_bytes() for p in county.iterdir() if p.is_file()}
    region = read_region(county)
    run = run_scenario(parse_scenario({"name": "试", "years": [2026]}), region)
    path = write_survey(run, tmp_path / "survey.xlsx")
    found = survey_read(path, region)
    assert len(found.problems) == 0
    assert set(found.missing["township"]) >= {"东乡", "西乡"}
    book = openpyxl.load_workbook(path)
    page = book["学校基本情况"]
    heads = {c.value: k for k, c in enumerate(page[3], start=1)}
    code = page.cell(4, heads["学校代码"]).value
    page.cell(4, heads["普通教室（间）"]).value = 17
    page.cell(4, heads["餐位"]).value = 99999
    page.cell(4, heads["校园占地面积（平方米）"]).value = 5200
    page.cell(5, heads["学校代码"]).value = "nobody"
    page.cell(3, heads["床位"]).value = "铺位"
    page = book["村学生情况"]
    heads = {c.value: k for k, c in enumerate(page[3], start=1)}
    page.cell(4, heads["一至三年级学生数"]).value = 7
    page.delete_rows(5)
    book.save(path)
    found = survey_read(path, region)
    written, count = write_answers(found, region, tmp_path / "new")
    problems = pd.read_csv(tmp_path / "new" / "survey-problems.csv", encoding="utf-8-sig")
    assert count == len(problems)
    said = set(zip(problems["form"], problems["row"], problems["column"], strict=True))
    assert {
        ("school", 3, "beds"), ("school", 5, "school_id"), ("school", 0, "school_id"),
        ("school", 4, "dining_seats"), ("village", 0, "village_id"),
        ("village", 4, "children_lower"),
    } <= said  # fmt: skip
    again = read_region(tmp_path / "new" / "county.gpkg")
    rooms = again.schools.set_index("school_id")["rooms"]
    old = region.schools.set_index("school_id")["rooms"]
    assert rooms[code] == 17
    assert rooms.drop(code).equals(old.drop(code))
    assert len(again.students) == 0
    answers = pd.read_csv(
        tmp_path / "new" / "survey-schools.csv", encoding="utf-8-sig", dtype={"school_id": str}
    )
    assert answers.set_index("school_id").loc[code, "land_area"] == 5200
    assert {p.name: p.read_bytes() for p in county.iterdir() if p.is_file()} == before
    assert {p.name for p in written} >= {"county.gpkg", "survey-missing.csv"}
    with pytest.raises(InputError, match="已有"):
        write_answers(found, region, tmp_path / "new")
    for inside in (county, county / "deeper"):
        with pytest.raises(InputError, match="原数据"):
            write_answers(found, region, inside)
