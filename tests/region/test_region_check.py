"""The check: every problem in one table, between rows, layers and places."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from small_county import (
    CHILDREN,
    MANIFEST,
    SCHOOLS,
    VILLAGES,
    as_csv,
    changed,
    write_county,
)

from catchment.coordinates import wgs84_to_bd09, wgs84_to_gcj02
from catchment.region.check import check_region
from catchment.region.read import read_region

COLUMNS = [
    "layer", "row", "column", "value", "severity", "what_zh", "what_en", "remedy_zh", "remedy_en",
    "x", "y",
]  # fmt: skip


def found(folder, code):
    return [f for f in check_region(folder).faults if f.code == code]


def test_everything_is_collected_at_once(tmp_path):
    folder = write_county(
        tmp_path,
        villages=[
            *changed(VILLAGES, 0, 经度="30.1", 纬度="104.1"),
            {**VILLAGES[1], "村名": "又西村"},
        ],
        schools=changed(SCHOOLS, 0, 办学类型="大学", 教室数="-1", 起始年级="6", 终止年级="1"),
        children=changed(CHILDREN, 0, 村代码="777", 学生数="x"),
        classes="学校代码,年级,班号\n0101,1,1\n",
    )
    problems = check_region(folder)
    table = problems.table()
    assert list(table.columns[:11]) == COLUMNS
    codes = set(zip(table["layer"], table["code"], strict=True))
    assert {
        ("villages", "place_swapped"),
        ("villages", "id_repeated"),
        ("schools", "not_a_choice"),
        ("schools", "out_of_range"),
        ("schools", "grades_reversed"),
        ("children", "village_unknown"),
        ("children", "not_a_number"),
        ("classes", "column_missing"),
    } <= codes
    assert not problems.ok
    text = table[["what_zh", "what_en", "remedy_zh", "remedy_en"]]
    assert (text.apply(lambda c: c.str.len()) > 0).all(axis=None)
    assert not text.apply(lambda c: c.str.contains(r"[{}]")).any(axis=None)


def test_rows_with_a_place_have_it_in_degrees(tmp_path):
    schools = changed(SCHOOLS, 0, 教室数="-1")
    table = check_region(write_county(tmp_path, schools=schools)).table()
    row = table[table["code"] == "out_of_range"].iloc[0]
    assert (row["x"], row["y"]) == pytest.approx((104.11, 30.10), abs=1e-7)
    assert table[table["layer"] == "roads"]["x"].isna().all()


def test_home_points_are_in_no_fault(tmp_path):
    students = [
        {"学生编号": "1", "村代码": "001", "年级": "1", "经度": 104.3654321, "纬度": 30.1234567},
        {"学生编号": "2", "村代码": "001", "年级": "1", "经度": 108.7654321, "纬度": 30.1234567},
        {"学生编号": "3", "村代码": "001", "年级": "1", "经度": 30.1234567, "纬度": 104.3654321},
        {"学生编号": "4", "村代码": "888", "年级": "1", "经度": 104.1, "纬度": 30.1},
    ]
    table = check_region(write_county(tmp_path, students=students)).table()
    table = table[table["layer"] == "students"]
    assert set(table["code"]) == {
        "student_far",
        "place_outside",
        "place_swapped",
        "village_unknown",
    }
    assert table["x"].isna().all()
    for part in ("654321", "365432", "76543", "123456", "30.12"):
        assert part not in table.to_csv()


def test_unknown_codes(tmp_path):
    villages = [{**v, "现就读学校": "0101", "片区代码": "P1"} for v in VILLAGES]
    villages[2]["现就读学校"] = "9999"
    villages[3]["片区代码"] = "P9"
    folder = write_county(
        tmp_path,
        villages=villages,
        areas=[{"片区代码": "P1", "片区名称": "东片", "中心校代码": "0101"}],
        classes=[{"学校代码": "7777", "年级": "1", "班号": "1", "人数": "30"}],
    )
    assert [(f.row, f.value) for f in found(folder, "school_unknown_cell")] == [(4, "9999")]
    assert [(f.row, f.value) for f in found(folder, "area_unknown")] == [(5, "P9")]
    assert [(f.layer, f.value) for f in found(folder, "school_unknown")] == [("classes", "7777")]
    region = read_region(folder, set_aside=True)
    assert region.villages["school_lower"].tolist() == ["0101", "0101", "", "0101"]
    assert region.villages["area_id"].tolist() == ["P1", "P1", "P1", ""]
    assert len(region.classes) == 0


def test_areas_without_a_table_are_labels(tmp_path):
    villages = [{**v, "片区代码": "P1"} for v in VILLAGES]
    assert read_region(write_county(tmp_path, villages=villages)).villages["area_id"].nunique() == 1


def test_villages_without_children(tmp_path):
    villages = [*changed(VILLAGES, 3, 人口=""), {**VILLAGES[0], "村代码": "011", "经度": 104.17}]
    children = [c for c in CHILDREN if c["村代码"] != "010"]
    folder = write_county(tmp_path, villages=villages, children=children)
    assert [f.row for f in found(folder, "village_without_children")] == [5]
    assert [f.row for f in found(folder, "village_to_estimate")] == [6]
    assert check_region(folder).ok


def test_classes_against_their_school(tmp_path):
    schools = changed(changed(SCHOOLS, 0, 在校生="70"), 1, 教室数="1", 在校生="60")
    schools = [{"在校生": "", **s} for s in schools]
    classes = [
        {"学校代码": "0101", "年级": "1", "班号": "1", "人数": "30", "学年": "2026"},
        {"学校代码": "0101", "年级": "7", "班号": "1", "人数": "30", "学年": "2026"},
        {"学校代码": "0101", "年级": "1", "班号": "1", "人数": "99", "学年": "2020"},
        {"学校代码": "0102", "年级": "1", "班号": "1", "人数": "30", "学年": "2026"},
        {"学校代码": "0102", "年级": "2", "班号": "1", "人数": "30", "学年": "2026"},
    ]
    folder = write_county(tmp_path, schools=schools, classes=classes)
    assert [(f.row, f.value, f.details["total"]) for f in found(folder, "classes_differ")] == [
        (2, "70", 60)
    ]
    assert [f.row for f in found(folder, "rooms_few")] == [3]
    assert [f.row for f in found(folder, "class_grade_outside")] == [3]
    crowded = changed(schools, 1, 教室数="2", 在校生="140")
    assert [
        f.value for f in found(write_county(tmp_path / "b", schools=crowded), "rooms_crowded")
    ] == ["70.0"]


def test_grades_of_schools(tmp_path):
    schools = changed(SCHOOLS, 1, 办学类型="初中", 起始年级="1", 终止年级="6")
    folder = write_county(tmp_path, schools=schools)
    assert [f.row for f in found(folder, "grades_from_role")] == [3]
    assert [f.value for f in found(folder, "grades_uncovered")] == ["7", "8", "9"]


def test_two_rows_in_one_place(tmp_path):
    folder = write_county(tmp_path, villages=changed(VILLAGES, 2, 经度=104.12, 纬度=30.11))
    assert [(f.row, f.details["first"]) for f in found(folder, "same_place")] == [(4, 3)]


def grid_county(folder, shift=None, crs="CGCS2000", apart=0.02, road=True):
    """Write 100 villages beside roads and near township borders, perhaps shifted."""
    rng = np.random.default_rng(7)
    lon = 104.0 + apart * (np.arange(100) % 10) + rng.uniform(-0.0005, 0.0005, 100)
    lat = 30.0 + apart * (np.arange(100) // 10) + rng.uniform(-0.0005, 0.0005, 100)
    town = ["甲镇" if x < 104.09 else "乙镇" for x in lon]
    x, y = shift(lon, lat) if shift else (lon, lat)
    villages = [
        {"村代码": f"{k:03d}", "村名": f"村{k}", "乡镇": town[k], "经度": repr(float(x[k])),
         "纬度": repr(float(y[k]))}
        for k in range(100)
    ]  # fmt: skip
    manifest = MANIFEST + f'[sources.villages]\ncrs = "{crs}"\n'
    write_county(folder, villages=villages, children=None, manifest=manifest)
    if road:
        lines = [
            shapely.LineString([(104.0 + apart * k, 29.99), (104.0 + apart * k, 30.3)])
            for k in range(10)
        ]
        gpd.GeoDataFrame(geometry=lines, crs=4490).to_file(folder / "道路.gpkg")
    return folder


def test_a_shifted_layer_is_noticed_by_the_roads(tmp_path):
    for name, shift in (("GCJ-02", wgs84_to_gcj02), ("BD-09", wgs84_to_bd09)):
        faults = found(grid_county(tmp_path / name, shift), "looks_shifted")
        assert len(faults) == 1
        assert name in faults[0].say("what_zh")
        assert faults[0].severity == "warning"


@pytest.mark.parametrize("crs", ["GCJ-02", "BD-09"])
def test_an_offset_undone_twice_is_noticed(tmp_path, crs):
    faults = found(grid_county(tmp_path, crs=crs), "looks_shifted")
    assert [f.details["direction_en"] for f in faults] == [
        f"had a {crs} offset undone that they did not carry"
    ]


@pytest.mark.parametrize(("shift", "crs"), [(None, "CGCS2000"), (wgs84_to_gcj02, "GCJ-02")])
def test_a_layer_in_its_place_is_not_called_shifted(tmp_path, shift, crs):
    assert not found(grid_county(tmp_path, shift, crs), "looks_shifted")


def test_a_shifted_layer_is_noticed_by_the_townships(tmp_path):
    # Every village lies 200 m inside the western side of a township 1.1 km wide.
    lon = 104.0 + 0.01 * (np.arange(40) % 20) + 0.008
    lat = 30.0 + 0.02 * (np.arange(40) // 20) + 0.01
    x, y = wgs84_to_gcj02(lon, lat)
    villages = [
        {"村代码": str(k), "村名": f"村{k}", "乡镇": f"镇{k % 20}", "经度": x[k], "纬度": y[k]}
        for k in range(40)
    ]
    folder = write_county(tmp_path, villages=villages, children=None)
    boxes = [shapely.box(104 + 0.01 * k, 29.9, 104.01 + 0.01 * k, 30.2) for k in range(20)]
    gpd.GeoDataFrame(
        {"代码": range(20), "名称": [f"镇{k}" for k in range(20)], "级别": "乡镇"},
        geometry=boxes,
        crs=4490,
    ).to_file(folder / "行政区划.gpkg")
    assert len(found(folder, "looks_shifted")) == 1
    assert not found(folder, "township_differs")
    (folder / "region.toml").write_text(
        MANIFEST + '[sources.villages]\ncrs = "GCJ-02"\n', encoding="utf-8"
    )
    assert not found(folder, "looks_shifted")


def test_a_village_in_the_wrong_township(tmp_path):
    folder = write_county(tmp_path)
    gpd.GeoDataFrame(
        {"代码": ["1", "2"], "名称": ["甲镇", "乙镇"], "级别": ["乡镇"] * 2},
        geometry=[shapely.box(104.0, 30.0, 104.155, 30.3), shapely.box(104.155, 30.0, 104.3, 30.3)],
        crs=4490,
    ).to_file(folder / "行政区划.gpkg")
    faults = [f for f in found(folder, "township_differs") if f.layer == "villages"]
    assert [(f.row, f.value, f.details["other"]) for f in faults] == [(4, "乙镇", "甲镇")]


def test_no_roads_and_no_children_are_said(tmp_path):
    table = check_region(write_county(tmp_path, children=None)).table()
    assert {"no_roads", "no_children_layer"} <= set(table["code"])
    region = read_region(tmp_path)
    assert len(region.children) == 0
    assert list(region.children.columns) == ["village_id", "grade", "year", "students", "source"]


def test_unused_and_unsupported_files_are_said(tmp_path):
    folder = write_county(tmp_path)
    (folder / "杂项.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (folder / "学校.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    table = check_region(folder).table()
    assert set(table.loc[table["code"] == "file_unused", "file"]) == {"杂项.csv"}
    assert set(table.loc[table["code"] == "file_unsupported", "file"]) == {"学校.xls"}


def test_values_from_data_are_never_wording(tmp_path):
    rows = changed(SCHOOLS, 0, 办学类型="{layer}{0.__class__}", 学校名称="<img onerror=x>${y}`z`")
    table = check_region(write_county(tmp_path, schools=rows)).table()
    row = table[table["code"] == "not_a_choice"].iloc[0]
    assert "{layer}{0.__class__}" in row["what_zh"]


def test_the_order_of_rows_does_not_change_what_is_found(tmp_path):
    def about(rows, at):
        table = check_region(write_county(tmp_path / at, children=rows)).table()
        return sorted(zip(table["code"], table["value"], strict=True))

    rows = [*CHILDREN, {"村代码": "777", "年级": "1", "年度": "2026", "学生数": "-4"}]
    assert about(rows, "a") == about(rows[::-1], "b")


def test_a_large_county_is_checked_quickly(tmp_path):
    import time

    villages = [
        {"村代码": f"{k:05d}", "村名": f"村{k}", "乡镇": "甲镇", "经度": 104 + (k % 100) / 500,
         "纬度": 30 + (k // 100) / 500}
        for k in range(3000)
    ]  # fmt: skip
    children = pd.DataFrame(
        [(f"{k:05d}", g, 2026, (k + g) % 9) for k in range(3000) for g in range(1, 10)],
        columns=["村代码", "年级", "年度", "学生数"],
    )
    folder = write_county(
        tmp_path, villages=villages, children=as_csv(children.astype(str).to_dict("records"))
    )
    start = time.perf_counter()
    assert check_region(folder).ok
    assert time.perf_counter() - start < 20
