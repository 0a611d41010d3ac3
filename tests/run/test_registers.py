"""Registers kept from year to year: cohorts, the ledger continued, the survey out and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from catchment.demand import compare_villages, students_by_village
from catchment.errors import InputError
from catchment.region.model import Region
from catchment.region.read import read_region
from catchment.run import run_scenario
from catchment.scenario import parse_scenario
from catchment.views.registers import (
    Cohorts,
    continue_ledger,
    elimination_of,
    project_cohorts,
    read_special,
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
        "sources-villages.csv", "totals.csv", "uncertainty.csv",
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


def falling_region() -> Region:
    """Cohorts that shrink by some 6 % a year, in one counted year."""
    region = tiny_region()
    children = region.children.copy()
    children["students"] = [20 + 2 * int(g) + k % 3 for k, g in enumerate(children["grade"])]
    return region.replace(children=children)


def test_the_verb_and_the_table_of_demand_foretell_the_same_entrants() -> None:
    region = falling_region()
    base = int(region.children["year"].iloc[0])
    years = [base + k for k in range(8)]
    table = students_by_village(region, years)
    cohorts = project_cohorts(region, 7, draws=1)
    middle = np.asarray(cohorts.flows["middle"].counts)
    assert (middle == table.counts).all()
    assert (np.diff(middle[:, 0, :].sum(axis=0)) <= 0).all()
    assert middle[:, 0, -1].sum() < middle[:, 0, 0].sum()


def test_children_of_migrant_workers_arrive_in_the_town(tmp_path: Path) -> None:
    region = tiny_region()
    villages = region.villages.copy()
    villages["urban_class"] = ["111", *["220"] * (len(villages) - 1)]
    region = region.replace(villages=villages)
    plain = project_cohorts(region, 3, draws=1).flows["middle"]
    more = project_cohorts(region, 3, draws=1, incoming=(9,)).flows["middle"]
    grown = np.asarray(more.counts) - np.asarray(plain.counts)
    assert (np.asarray(more.arrivals) - np.asarray(plain.arrivals) == 9).all()
    assert (grown[1:, 1:, 1] == 0).all()
    assert grown[0, :, 1].sum() == 9
    by_grade = project_cohorts(region, 1, draws=1, incoming=(0, 0, 0, 0, 0, 0, 7, 0, 0))
    assert (np.asarray(by_grade.flows["middle"].counts) - plain.counts[:, :, :2])[0, 6, 1] == 7
    with pytest.raises(InputError, match="县城"):
        project_cohorts(tiny_region(), 3, draws=1, incoming=(9,))


def test_children_in_ordinary_classes_are_shown_by_township_only(tmp_path: Path) -> None:
    region = tiny_region()
    ids = [str(v) for v in region.villages["village_id"]]
    path = tmp_path / "special.csv"
    path.write_bytes(f"村代码,一年级,四年级\n{ids[0]},2,6\n{ids[-1]},1,\n".encode("gb18030"))
    told = read_special(path)
    assert told == {(ids[0], 1): 2, (ids[0], 4): 6, (ids[-1], 1): 1}
    cohorts = project_cohorts(region, 2, draws=1, special=told)
    assert cohorts.special is not None
    assert cohorts.special[:, :, 0].sum() == 9
    # next year they sit one grade higher
    assert cohorts.special[:, 1, 1].sum() == 3
    assert (cohorts.special <= np.asarray(cohorts.flows["middle"].counts)).all()
    write_cohorts(cohorts, region, tmp_path)
    shown = pd.read_csv(tmp_path / "special-needs.csv", encoding="utf-8-sig", dtype=str)
    first = shown[shown["year"] == shown["year"].min()].set_index("township")["students"]
    assert first["全县"] == "9"
    # one township has one child; the other is hidden with it, or the total would tell
    assert set(first.drop("全县")) == {"*"}
    path.write_text("村代码,一年级\nx,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="没有村 x"):
        project_cohorts(region, 2, draws=1, special=read_special(path))
    path.write_text("村代码,一年级\n1,many\n", encoding="utf-8")
    with pytest.raises(InputError, match="第 2 行"):
        read_special(path)


def test_named_sources_stand_side_by_side_by_village() -> None:
    region = tiny_region()
    children = region.children
    base = int(children["year"].iloc[0])
    one = children.iloc[0]
    extra = pd.DataFrame(
        [
            {"village_id": one["village_id"], "grade": 1, "year": base, "students": 13,
             "source": "registered"},
            {"village_id": one["village_id"], "grade": 1, "year": base, "students": 8,
             "source": "births"},
        ]
    )  # fmt: skip
    region = region.replace(children=pd.concat([children, extra], ignore_index=True))
    table = compare_villages(region, base)
    assert list(table.columns)[3:7] == ["births", "registered", "residents", "enrolled"]
    top = table.iloc[0]
    # compared over grade 1 alone, which all three sources have; nobody asked the residents
    assert (top["births"], top["registered"], top["enrolled"], top["spread"]) == (8, 13, 10, 5)
    assert np.isnan(top["residents"])
    assert top["grades"] == "1"
    assert len(table) == len(region.villages)
    rest = table.iloc[1:]
    assert (rest["enrolled"] == 90).all()
    assert rest["spread"].isna().all()


@pytest.mark.parametrize("bad", [{"spread": -0.1}, {"spread": 1.0}, {"draws": 0}])
def test_spread_and_draws_are_checked(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="spread"):
        project_cohorts(tiny_region(), 3, **bad)  # type: ignore[arg-type]


def test_more_spread_and_the_seed_decide_the_ensemble() -> None:
    region = falling_region()
    narrow, wide = (project_cohorts(region, 6, spread=s, draws=5) for s in (0.01, 0.05))

    def width(cohorts: Cohorts) -> int:
        high, low = (np.asarray(cohorts.flows[n].counts)[:, :, -1].sum() for n in ("high", "low"))
        return int(high - low)

    assert 0 < width(narrow) < width(wide)
    again = project_cohorts(region, 6, spread=0.01, draws=5)
    assert (again.spread == narrow.spread).all()
    other = project_cohorts(region, 6, spread=0.01, draws=5, seed=1)
    assert (other.spread != narrow.spread).any()


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
