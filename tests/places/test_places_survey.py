from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from catchment.errors import InputError
from catchment.places.survey import read_survey, survey_bytes

SCHOOLS = pd.DataFrame(
    {
        "school_id": ["0017", "0018"], "school": ["=1+1", "城关小学"],
        "township": ["北乡", "南镇"], "role": ["complete", "central"], "rooms": [6, 20],
        "beds": [float("nan"), 40],
    }
)  # fmt: skip
VILLAGES = pd.DataFrame(
    {
        "village_id": ["01", "02"], "village": ["上坪", "下坪"], "township": ["北乡", "北乡"],
        "central_school": ["城关小学", "城关小学"], "distance_km": [3.5, 1.25],
        "children_lower": [6, 3], "children_upper": [4, 3], "children_junior": [0, 0],
    }
)  # fmt: skip


def written(tmp_path: Path) -> Path:
    path = tmp_path / "survey.xlsx"
    path.write_bytes(survey_bytes({"school": SCHOOLS, "village": VILLAGES}))
    return path


def test_forms_survive_the_round_trip(tmp_path: Path) -> None:
    got = read_survey(written(tmp_path))
    assert got.forms["school"]["school_id"].tolist() == ["0017", "0018"]
    assert got.forms["school"]["school"].tolist() == ["=1+1", "城关小学"]
    assert got.forms["village"]["distance_km"].tolist() == [3.5, 1.25]
    assert got.problems.empty


def test_same_tables_same_bytes() -> None:
    tables = {"school": SCHOOLS, "village": VILLAGES}
    assert survey_bytes(tables) == survey_bytes(tables)


def test_what_is_missing_is_counted_by_township(tmp_path: Path) -> None:
    got = read_survey(written(tmp_path)).missing.set_index(["township", "form"])
    # a school is asked for 15 figures: one of the first is known, two of the second
    assert got.loc[("北乡", "school"), ["rows", "rows_complete", "cells_missing"]].tolist() == [
        1,
        0,
        14,
    ]
    assert got.loc[("南镇", "school"), "cells_missing"] == 13
    # a village is asked for 9 figures, 4 of them known
    assert got.loc[("北乡", "village"), "cells_missing"] == 10


def edit(path: Path, sheet: str, cells: dict[str, object]) -> Path:
    book = openpyxl.load_workbook(path)
    page = book[sheet]
    heading = {c.value: c.column for c in page[3]}
    for where, value in cells.items():
        row, name = where.split(" ", 1)
        page.cell(int(row), heading[name]).value = value  # type: ignore[union-attr]
    book.save(path)
    return path


def test_wrong_and_contradictory_entries_are_answered_row_by_row(tmp_path: Path) -> None:
    path = edit(
        written(tmp_path), "学校基本情况",
        {"4 校园占地面积（平方米）": "三亩", "4 可开设班级数": 9, "5 功能室（间）": 2.5, "5 学校代码": "0017"},
    )  # fmt: skip
    edit(
        path, "村学生情况",
        {"4 步行上学人数": 4, "4 乘校车人数": 0, "4 乘公共交通人数": 0, "4 家长接送人数": 5,
         "4 寄宿人数": 0, "5 步行上学人数": 7, "5 村代码": ""},
    )  # fmt: skip
    got = read_survey(path)
    found = got.problems[["form", "row", "column"]].to_numpy().tolist()
    assert found == [
        ["school", 4, "land_area"], ["school", 5, "function_rooms"], ["school", 5, "school_id"],
        ["village", 5, "village_id"], ["school", 4, "classes_possible"], ["village", 4, "walk"],
    ]  # fmt: skip
    assert len(got.forms["school"]) == 1


def test_places_and_grounds_beyond_the_school_are_asked_about(tmp_path: Path) -> None:
    path = edit(
        written(tmp_path), "学校基本情况",
        {"4 普通教室（间）": 0, "4 可提供学位": 40, "4 校园占地面积（平方米）": 800,
         "4 运动场地面积（平方米）": 8000},
    )  # fmt: skip
    found = read_survey(path).problems[["row", "column"]].to_numpy().tolist()
    assert [4, "places"] in found
    assert [4, "sports_area"] in found


def test_a_filled_form_is_complete(tmp_path: Path) -> None:
    names = ("步行上学人数", "乘校车人数", "乘公共交通人数", "家长接送人数", "寄宿人数")
    cells = {f"4 {n}": v for n, v in zip(names, (10, 0, 0, 0, 0), strict=True)}
    got = read_survey(edit(written(tmp_path), "村学生情况", cells))
    assert got.problems.empty
    assert (
        got.missing.set_index(["township", "form"]).loc[("北乡", "village"), "rows_complete"] == 1
    )


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"no")
    with pytest.raises(InputError, match="工作簿"):
        read_survey(tmp_path / "x.xlsx")
    book = openpyxl.Workbook()
    book.save(tmp_path / "y.xlsx")
    with pytest.raises(InputError, match="摸底表"):
        read_survey(tmp_path / "y.xlsx")
