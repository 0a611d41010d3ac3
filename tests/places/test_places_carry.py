from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from catchment.errors import InputError
from catchment.places.carry import ThisYear, carry, read_ledger
from catchment.places.ledger import COLUMNS

TODAY = dt.date(2027, 9, 1)


def row(
    year: int, school: str, grade: int, class_no: str, students: int, **more: str
) -> dict[str, object]:
    base = dict.fromkeys(COLUMNS, "")
    return base | {
        "year": year, "school_id": school, "school": school, "township": "town", "grade": grade,
        "class_no": class_no, "students": students,
        "category": "super_large" if students >= 66 else "large", "limit": 45,
        "excess": students - 45, "state": "open", "chosen": "建议：扩建教室1间",
    } | more  # fmt: skip


def table(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def sheet(path: Path, rows: list[list[object]], title: bool = True) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    if title:
        page.append(["大班额销号台账"])
        page.append([])
    for line in rows:
        page.append(line)
    book.save(path)
    return path


HEAD = ["序号", "台账编号", "学年", "学校", "学校代码", "年级", "班号", "学生数", "拟采取办法",
        "责任单位（人）", "完成时限", "销号状态", "销号日期", "备注"]  # fmt: skip


def test_edits_survive_the_round_trip(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "ledger.xlsx",
        [HEAD, [1, "x", 2026, "城关", "0017", 1, "2班", 60, "新生分流", "张主任",
                dt.date(2027, 8, 31), "整改中", None, "已开协调会"]],
    )  # fmt: skip
    old = read_ledger(path).table
    assert old["school_id"].tolist() == ["0017"]
    got = carry(old, table(row(2027, "0017", 2, "2", 58)), today=TODAY)
    line = got.table.iloc[0]
    assert (line["chosen"], line["responsible"], line["note"]) == (
        "新生分流",
        "张主任",
        "已开协调会",
    )
    assert line["state"] == "doing"
    assert line["students"] == 58
    assert got.zero_growth
    # the date has passed and the class is still too large
    assert got.problems["column"].tolist() == ["target_date"]
    assert got.problems["row"].tolist() == [4]


def test_a_class_that_is_no_longer_too_large_is_struck_off_with_a_date() -> None:
    old = table(row(2026, "a", 3, "1", 60, responsible="李校长")).assign(row=2)
    got = carry(old, table(), today=TODAY)
    line = got.table.iloc[0]
    assert (line["state"], line["struck_off"], line["responsible"]) == (
        "struck_off",
        "2027-09-01",
        "李校长",
    )
    assert got.zero_growth
    assert got.problems.empty


def test_growth_is_found() -> None:
    old = table(row(2026, "a", 3, "1", 60)).assign(row=2)
    current = table(
        row(2027, "a", 4, "1", 57), row(2027, "a", 1, "1", 70), row(2028, "a", 5, "1", 57)
    )
    got = carry(old, current, today=TODAY)
    assert not got.zero_growth
    assert got.new[["grade", "students"]].to_numpy().tolist() == [[1, 70]]
    assert len(got.table) == 3


def test_contradictions_are_answered_row_by_row() -> None:
    old = table(
        row(2027, "a", 1, "1", 60, state="已销号", struck_off="2027-03-01"),
        row(2027, "b", 1, "1", 60, state="已销号"),
        row(2027, "c", 1, "1", 60, struck_off="2027-03-01"),
        row(2027, "d", 1, "1", 60, state="差不多了"),
        row(2027, "e", 1, "1", 60, target_date="明年"),
        row(2027, "f", 1, "1", 60),
        row(2027, "f", 1, "1班", 61),
        row(2026, "g", 1, "1", 60, state="已销号", struck_off="2026-12-01"),
        row(2027, "h", 1, "1", 60, state="已销号", struck_off="2030-01-01"),
    )
    old = old.assign(row=range(2, 11))
    current = table(
        row(2027, "a", 1, "1", 60), row(2027, "f", 1, "1", 60), row(2027, "g", 2, "1", 60)
    )
    got = carry(old, current, today=TODAY)
    found = got.problems.groupby("row")["column"].agg(list).to_dict()
    assert found == {
        2: ["struck_off", "state"], 3: ["struck_off"], 4: ["state", "struck_off"], 5: ["state"], 6: ["target_date"],
        8: ["class_no"], 9: ["state"], 10: ["struck_off"],
    }  # fmt: skip
    assert (got.problems["remedy_zh"] != "").all()
    assert got.new["school_id"].tolist() == ["g"]
    assert got.table.loc[got.table["school_id"] == "a", "state"].tolist() == ["open"]


def test_half_empty_rows_are_answered(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "ledger.xlsx",
        [HEAD, [1, "", None, "城关", "a", 1, "1", 60], [2, "", 2026, "城关", "", 1, "1", 60],
         [3, "", 2026, "城关", "a", "三", "1", 60], [4, "", 2026, "城关", "a", 2, "1", "很多"],
         [5, "", 2026, "城关", "a", 2, None, 50], [None] * 14],
    )  # fmt: skip
    got = carry(read_ledger(path).table, table(), today=TODAY)
    assert got.problems[["row", "column"]].to_numpy().tolist() == [
        [4, "year"], [5, "school_id"], [6, "grade"], [7, "students"], [8, "class_no"],
    ]  # fmt: skip
    assert len(got.table) == 1


def test_csv_in_gb18030_with_english_headings(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_bytes(
        "School year,School code,Grade,Class,Students,Responsible\n2026,007,1,1,60,张\n".encode(
            "gb18030"
        )
    )
    assert read_ledger(path).table["responsible"].tolist() == ["张"]


def test_files_that_are_no_ledger_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="表头"):
        read_ledger(sheet(tmp_path / "x.xlsx", [["a", "b"]]))
    (tmp_path / "y.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(InputError, match="工作簿"):
        read_ledger(tmp_path / "y.xlsx")


def test_nothing_earlier_means_everything_is_new() -> None:
    current = table(row(2027, "a", 1, "1", 60))
    got = carry(table().assign(row=0), current, today=TODAY)
    assert len(got.new) == 1
    assert got.problems.empty


PRESENT = ThisYear(
    grades={"a": (1, 6), "b": (1, 6)},
    classes={("a", 4): (("1", 40),), ("a", 5): (("1", 60), ("2", 41)), ("b", 1): (("1", 30),)},
)


def test_striking_off_is_checked_against_this_year_s_classes() -> None:
    old = table(
        row(2026, "a", 3, "1", 60),  # now grade 4, one class of 40: struck off
        row(2026, "a", 4, "3", 60),  # now grade 5, where class 1 of 60 is on no row: renumbered?
        row(2026, "a", 6, "1", 60),  # has left the school: struck off
        row(2026, "b", 3, "1", 60),  # no class of grade 4 reported this year
        row(2026, "z", 3, "1", 60),  # unknown school
        row(2026, "a", 8, "1", 60),  # the school has no grade 8
    ).assign(row=range(2, 8))
    got = carry(old, table(row(2027, "a", 5, "1", 60)), today=TODAY, year=2027, present=PRESENT)
    state = {
        (r["school_id"], r["grade"]): r["state"]
        for r in got.table[got.table["year"] == 2026].to_dict("records")
    }
    assert state == {
        ("a", 3): "struck_off", ("a", 4): "open", ("a", 6): "struck_off", ("b", 3): "open",
        ("z", 3): "open", ("a", 8): "open",
    }  # fmt: skip
    assert got.problems[["row", "column"]].to_numpy().tolist() == [
        [3, "class_no"], [5, "class_no"], [6, "school_id"], [7, "grade"],
    ]  # fmt: skip
    assert (got.problems[["remedy_zh", "remedy_en"]] != "").all().all()
    assert not got.zero_growth


def test_what_a_person_struck_off_stays_so_and_is_doubted_aloud() -> None:
    done = {"state": "已销号", "struck_off": "2027-01-15"}
    old = table(
        row(2026, "a", 4, "3", 60, **done),
        row(2026, "a", 3, "1", 60, **done),
        row(2024, "z", 3, "1", 60, state="已销号", struck_off="2025-01-15"),
    ).assign(row=range(2, 5))
    got = carry(old, table(row(2027, "a", 5, "1", 60)), today=TODAY, year=2027, present=PRESENT)
    assert set(got.table.loc[got.table["year"] < 2027, "state"]) == {"struck_off"}
    assert got.problems["row"].tolist() == [2]


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({"excess": "3"}, ["excess"]),
        ({"category": "超大班额"}, ["category"]),
        ({"category": "大班额"}, []),
        ({"category": "拥挤"}, ["category"]),
        ({"limit": "多"}, ["limit"]),
        ({"limit": "40", "excess": "20"}, []),
        ({"state": "已销号", "struck_off": "2026-03-01"}, ["struck_off"]),
        ({"target_date": "2025-08-31"}, ["target_date"]),
        ({"state": "整改中", "struck_off": "2026-12-01"}, ["state"]),
        ({"limit": "", "excess": "", "category": ""}, []),
    ],
)
def test_a_row_that_contradicts_itself_is_answered(
    change: dict[str, str], columns: list[str]
) -> None:
    old = table(row(2026, "a", 3, "1", 60) | change).assign(row=[2])
    got = carry(old, table(), today=TODAY, year=2027)
    assert got.problems["column"].tolist() == columns
    assert (got.problems["row"] == 2).all()


def test_renamed_and_deleted_columns_are_noticed(tmp_path: Path) -> None:
    head = [h if h != "责任单位（人）" else "谁来办" for h in HEAD if h != "备注"]
    line = [1, "x", 2026, "城关", "0017", 1, "2", 60, "", "张主任", None, "整改中", None]
    got = read_ledger(sheet(tmp_path / "l.xlsx", [head, line])).problems
    named = set(got["column"]) - {""}
    assert {"responsible", "note"} <= named
    assert "谁来办" in got.loc[got["column"] == "responsible", "problem_zh"].iloc[0]
    assert "谁来办" in set(got["value"])
    assert (got["row"] == 3).all()


def test_a_person_s_choice_stays_and_the_program_s_own_is_made_anew() -> None:
    current = table(
        row(2027, "a", 4, "1", 60, chosen="建议：利用空余教室", chosen_en="proposed: a free room")
    )
    old = table(row(2026, "a", 3, "1", 60)).assign(row=[2])
    assert carry(old, current, today=TODAY).table["chosen"].tolist() == ["建议：利用空余教室"]
    old = table(row(2026, "a", 3, "1", 60, chosen="与二校对调教室")).assign(row=[2])
    line = carry(old, current, today=TODAY).table.iloc[0]
    assert (line["chosen"], line["chosen_en"]) == ("与二校对调教室",) * 2


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"target_date": "99999999999999-1-1"}, "target_date"),
        ({"target_date": "2027-99999999999-1"}, "target_date"),
        ({"grade": "12"}, "grade"),
        ({"year": "1900"}, "year"),
        ({"students": "30", "category": "", "excess": "", "limit": ""}, "students"),
        ({"students": "6000", "category": "", "excess": "", "limit": ""}, "students"),
    ],
)
def test_absurd_figures_are_answered_and_strike_nothing_off(
    change: dict[str, str], column: str
) -> None:
    old = table(row(2026, "a", 3, "1", 60) | change).assign(row=[2])
    got = carry(old, table(row(2027, "b", 1, "1", 50)), today=TODAY)
    assert column in set(got.problems["column"])
    if column in ("year", "grade"):
        assert not (got.table["state"] == "struck_off").any()


@pytest.mark.parametrize("text", ["20270831", "2027-08-31 00:00:00", "2027/8/31 0:00"])
def test_dates_as_programs_write_them_are_dates(text: str) -> None:
    old = table(row(2026, "a", 3, "1", 60, target_date=text)).assign(row=[2])
    got = carry(old, table(row(2027, "a", 4, "1", 60)), today=dt.date(2027, 8, 1))
    assert got.problems.empty
    assert got.table["target_date"].tolist() == ["2027-08-31"]


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00\x81" * 50, b'a,"' + b"x" * 200_000])
def test_bytes_that_are_no_table_are_refused_in_words(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "l.csv"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"l\.csv"):
        read_ledger(path)
