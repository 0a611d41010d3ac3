"""Dirty input as county offices send it; the numbers are those of the list of known cases."""

from __future__ import annotations

import re
import zipfile
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import xlsxwriter
from small_county import (
    CHILDREN,
    MANIFEST,
    SCHOOLS,
    TOTAL,
    VILLAGES,
    as_csv,
    changed,
    write_county,
)

from catchment.coordinates import transform
from catchment.errors import InputError
from catchment.region.check import check_region
from catchment.region.read import read_region


def codes(folder) -> set[tuple[str, int | None]]:
    """Codes and rows of the errors found."""
    return {(f.code, f.row) for f in check_region(folder).errors}


def only_error(folder):
    found = check_region(folder).errors
    assert len(found) == 1, [f.line() for f in found]
    text = found[0].line()
    # Every error names what is wrong and what to do, in both languages, and refuses the region.
    assert found[0].say("remedy_zh")
    assert found[0].say("remedy_en")
    with pytest.raises(InputError, match=re.escape(text)):
        read_region(folder)
    return found[0]


def workbook(folder, rows, *, name="村庄.xlsx", formats=None, put=None, title=None):
    """Write rows as a workbook; ``put`` may write single cells by row, column."""
    book = xlsxwriter.Workbook(folder / name)
    sheet = book.add_worksheet()
    top = 0
    if title:
        sheet.merge_range(0, 0, 0, len(rows[0]) - 1, title)
        top = 1
    heads = list(rows[0])
    sheet.write_row(top, 0, heads)
    for r, row in enumerate(rows, start=top + 1):
        for c, head in enumerate(heads):
            value = row[head]
            style = (
                book.add_format({"num_format": formats[head]}) if head in (formats or {}) else None
            )
            if isinstance(value, date):
                style = book.add_format({"num_format": "yyyy-mm-dd"})
                sheet.write_datetime(r, c, pd.Timestamp(value).to_pydatetime(), style)
            elif isinstance(value, (int, float)):
                sheet.write_number(r, c, value, style)
            else:
                sheet.write_string(r, c, str(value), style)
    if put:
        put(book, sheet)
    book.close()
    return folder


# 1-4: encodings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-tab", "utf-16"),
    ],
)
def test_01_03_04_encodings_are_recognised_and_said(tmp_path, encoding, said):
    rows = VILLAGES if encoding in {"gbk"} else changed(VILLAGES, 0, 村名="㐱坪村𠀀")
    text = as_csv(rows)
    if encoding == "utf-16-tab":
        text, encoding = text.replace(",", "\t"), "utf-16"
    folder = write_county(tmp_path, villages=text.encode(encoding))
    region = read_region(folder)
    assert region.villages["name"].tolist() == [r["村名"] for r in rows]
    assert next(s for s in region.sources if s.layer == "villages").encoding == said


def test_02_latin_1_is_never_a_way_out(tmp_path):
    data = as_csv(VILLAGES).encode("gb18030") + b"\xff\xff\x80"
    assert only_error_code(write_county(tmp_path, villages=data)) == "encoding_unknown"


def only_error_code(folder) -> str:
    found = check_region(folder).errors
    first = [f for f in found if f.layer == "villages"]
    assert first
    with pytest.raises(InputError):
        read_region(folder)
    return first[0].code


def test_02_a_declared_encoding_that_lies_is_refused(tmp_path):
    manifest = MANIFEST + '[sources.villages]\nencoding = "utf-8"\n'
    folder = write_county(tmp_path, villages=as_csv(VILLAGES).encode("gbk"), manifest=manifest)
    assert only_error_code(folder) == "encoding_wrong"


# 5-9: codes ----------------------------------------------------------------------------------


def test_05_06_leading_zeros_and_long_codes_stay(tmp_path):
    rows = changed(VILLAGES, 0, 村代码="001020304050607089")
    children = [c for c in CHILDREN if c["村代码"] != "001"]
    region = read_region(write_county(tmp_path, villages=rows, children=children))
    assert region.villages["village_id"].tolist() == ["001020304050607089", "002", "003", "010"]


def test_06_a_blank_code_beside_long_ones(tmp_path):
    rows = [{**VILLAGES[0], "村代码": "510123201001011234"}, {**VILLAGES[1], "村代码": ""}]
    folder = write_county(tmp_path, villages=rows, children=None)
    fault = only_error(folder)
    assert (fault.code, fault.row, fault.column) == ("value_missing", 3, "村代码")
    assert read_region(folder, set_aside=True).villages["village_id"].tolist() == [
        "510123201001011234"
    ]


def test_07_long_numeric_codes_of_excel_are_refused_by_cell(tmp_path):
    rows = changed(VILLAGES, 2, 村代码=510123201001011234.0)
    folder = workbook(write_county(tmp_path, villages=None, children=None), rows)
    fault = only_error(folder)
    assert (fault.code, fault.row, fault.details["cell"]) == ("number_too_long", 4, "A4")


def test_08_dates_as_codes_are_refused_by_cell(tmp_path):
    rows = changed(VILLAGES, 1, 村代码=date(2023, 3, 1))
    folder = workbook(write_county(tmp_path, villages=None, children=None), rows)
    fault = only_error(folder)
    assert (fault.code, fault.details["cell"], fault.value) == ("id_is_date", "A3", "2023-03-01")


def test_09_zeros_of_a_number_format_are_restored(tmp_path):
    rows = [{**v, "村代码": int(v["村代码"])} for v in VILLAGES]
    folder = workbook(write_county(tmp_path, villages=None), rows, formats={"村代码": "000"})
    region = read_region(folder)
    assert region.villages["village_id"].tolist() == ["001", "002", "003", "010"]
    notes = next(s for s in region.sources if s.layer == "villages").notes
    assert any("前导零" in n for n in notes)


@pytest.mark.parametrize("value", ["5.10123E+11", "12.0", "3.5"])
def test_05_codes_in_scientific_notation_are_refused(tmp_path, value):
    folder = write_county(tmp_path, villages=changed(VILLAGES, 1, 村代码=value), children=None)
    assert only_error(folder).code == "id_is_float"


def test_05_codes_kept_by_spreadsheet_tricks(tmp_path):
    text = as_csv(VILLAGES).replace("\n001,", '\n"=""001""",').replace("\n002,", "\n'002,")
    region = read_region(write_county(tmp_path, villages=text))
    assert region.villages["village_id"].tolist() == ["001", "002", "003", "010"]


# 10-14: spreadsheet habits -------------------------------------------------------------------


def test_10_title_and_two_row_headings(tmp_path):
    folder = write_county(tmp_path, children=None)

    def put(book, sheet):
        sheet.merge_range(0, 0, 0, 5, "小县学龄人口统计表（2026年）")
        sheet.merge_range(1, 0, 2, 0, "村代码")
        sheet.merge_range(1, 1, 2, 1, "年度")
        sheet.merge_range(1, 2, 1, 4, "各年级人数")
        sheet.write_row(2, 2, ["一年级", "二年级", "三年级"])
        sheet.write_row(3, 2, ["（人）", "（人）", "（人）"])
        sheet.write_row(4, 0, ["001", 2026, 10, 12])
        sheet.write_row(5, 0, ["010", 2026, "", "", 2])
        sheet.write_row(6, 0, ["注：含随迁子女"])

    book = xlsxwriter.Workbook(folder / "学龄人口.xlsx")
    put(book, book.add_worksheet())
    book.close()
    region = read_region(folder)
    assert region.children[["village_id", "grade", "students"]].to_numpy().tolist() == [
        ["001", 1, 10],
        ["001", 2, 12],
        ["010", 3, 2],
    ]
    notes = next(s for s in region.sources if s.layer == "children").notes
    assert any("跳过表头上方" in n and "统计表" in n for n in notes)
    assert any("表尾" in n for n in notes)


def test_10_cells_merged_downwards_are_filled(tmp_path):
    folder = write_county(tmp_path, villages=None)
    blank = [{**v, "乡镇": ""} for v in VILLAGES]

    def put(book, sheet):
        sheet.merge_range(1, 2, 2, 2, "甲镇")
        sheet.merge_range(3, 2, 4, 2, "乙镇")

    region = read_region(workbook(folder, blank, put=put))
    assert region.villages["township"].tolist() == ["甲镇", "甲镇", "乙镇", "乙镇"]


@pytest.mark.parametrize("word", ["合计", "小计", "总　计", "合 计：", "甲镇小计"])
def test_11_totals_do_not_count_twice(tmp_path, word):
    text = as_csv(CHILDREN) + f"{word},,2026,{TOTAL}\n"
    region = read_region(write_county(tmp_path, children=text))
    assert region.children["students"].sum() == TOTAL
    notes = next(s for s in region.sources if s.layer == "children").notes
    assert any("合计" in n and "7" in n for n in notes)


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda s: s.write_formula(2, 3, "=D2*2", None, ""), "formula_no_value"),
        (lambda s: s.write_formula(2, 3, "=D2*2", None, "#REF!"), "cell_error"),
        (lambda s: s.write_formula(2, 3, "=NA()", None, "#N/A"), "cell_error"),
    ],
)
def test_12_13_formulas_without_value_and_errors_are_refused_by_cell(tmp_path, write, code):
    folder = write_county(tmp_path, children=None)
    rows = [{k: int(v) if k != "村代码" else v for k, v in c.items()} for c in CHILDREN]
    workbook(folder, rows, name="学龄人口.xlsx", put=lambda _, sheet: write(sheet))
    if code == "formula_no_value":
        _drop_stored_values(folder / "学龄人口.xlsx")
    fault = only_error(folder)
    assert (fault.code, fault.details["cell"], fault.row) == (code, "D3", 3)


def _drop_stored_values(path):
    """Take the stored results of formulas out of a workbook, as programs without a calculator do."""
    parts = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts[name] = archive.read(name)
    name = "xl/worksheets/sheet1.xml"
    parts[name] = re.sub(rb"</f><v>[^<]*</v>", b"</f>", parts[name])
    parts[name] = parts[name].replace(b' t="str"', b"")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("name", ["NA", "null", "None", "nan", "N/A", "True", "1"])
def test_14_names_that_programs_take_for_blanks(tmp_path, name):
    region = read_region(write_county(tmp_path, villages=changed(VILLAGES, 3, 村名=name)))
    assert region.villages["name"].tolist()[3] == name


# 15-21: numbers and names --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("７", 7),
        ("１２", 12),
        ("1,200", 1200),
        ("１，２００", 1200),
        (" 8 ", 8),
        ("9.0", 9),
        ("+4", 4),
    ],
)
def test_15_16_numbers_people_type(tmp_path, text, value):
    region = read_region(write_county(tmp_path, children=changed(CHILDREN, 0, 学生数=text)))
    assert region.children["students"].tolist()[0] == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("85人", "not_a_number"),
        ("八十五", "not_a_number"),
        ("—", "value_missing"),
        ("", "value_missing"),
        ("٣", "not_a_number"),
        ("1,20", "not_a_number"),
        ("0x10", "not_a_number"),
        ("1_000", "not_a_number"),
        ("NaN", "not_a_number"),
        ("inf", "not_a_number"),
        ("-3", "out_of_range"),
        ("1e9", "not_an_integer"),
        ("1000000000", "out_of_range"),
        ("99999999999999999999", "not_a_number"),
        ("7.5", "not_an_integer"),
        ("12.5", "not_an_integer"),
        ("１２．５", "not_an_integer"),
    ],
)
def test_16_17_19_what_is_no_count_is_refused(tmp_path, text, code):
    fault = only_error(write_county(tmp_path, children=changed(CHILDREN, 1, 学生数=text)))
    assert (fault.code, fault.layer, fault.row, fault.column) == (code, "children", 3, "学生数")


def test_17_superscripts_are_digits_only_after_normalising(tmp_path):
    # NFKC turns ² into 2; nothing else may.
    region = read_region(write_county(tmp_path, children=changed(CHILDREN, 0, 学生数="²")))
    assert region.children["students"].tolist()[0] == 2


def test_18_blanks_and_invisible_characters_do_not_break_joins(tmp_path):
    children = changed(CHILDREN, 0, 村代码="\u3000001\u200b ")
    villages = changed(VILLAGES, 0, 乡镇="甲\u200b镇\u3000", 村名="\ufeff东村 ")
    region = read_region(write_county(tmp_path, children=children, villages=villages))
    assert region.children["village_id"].tolist()[0] == "001"
    assert region.villages[["name", "township"]].to_numpy().tolist()[0] == ["东村", "甲镇"]
    text = as_csv(VILLAGES).replace("村代码", "村\u200b代码\u3000*")
    assert len(read_region(write_county(tmp_path / "b", villages=text)).villages) == 4


def test_20_duplicated_ids_are_refused_naming_both_rows(tmp_path):
    fault = only_error(write_county(tmp_path, schools=[*SCHOOLS, {**SCHOOLS[0], "经度": 104.12}]))
    assert (fault.code, fault.row, fault.value, fault.details["first"]) == (
        "id_repeated", 4, "0101", 2,
    )  # fmt: skip
    again = [*CHILDREN, CHILDREN[0]]
    fault = only_error(write_county(tmp_path / "b", children=again))
    assert (fault.code, fault.row) == ("key_repeated", 7)


def test_21_numbers_and_texts_of_one_code_meet(tmp_path):
    folder = write_county(tmp_path, villages=None, children=None)
    workbook(folder, [{**v, "村代码": f"1{v['村代码']}"} for v in VILLAGES])
    rows = [{**c, "村代码": int(f"1{c['村代码']}")} for c in CHILDREN]
    workbook(folder, rows, name="学龄人口.xlsx")
    assert read_region(folder).children["students"].sum() == TOTAL


# 22-26: places -------------------------------------------------------------------------------

FORMATS = ["csv", "gpkg", "geojson", "xlsx", "shp"]


def spoil(folder, kind, at, lon, lat, crs="EPSG:4490"):
    """Write the villages with one place replaced."""
    rows = changed(VILLAGES, at, 经度=lon, 纬度=lat)
    if kind == "csv":
        (folder / "村庄.csv").write_text(as_csv(rows), encoding="utf-8")
    elif kind == "xlsx":
        workbook(folder, rows)
    else:
        points = [shapely.Point(float(r["经度"]), float(r["纬度"])) for r in rows]
        table = pd.DataFrame(rows).drop(columns=["经度", "纬度"])
        gpd.GeoDataFrame(table, geometry=points, crs=crs).to_file(folder / f"村庄.{kind}")
    return folder


@pytest.mark.parametrize("kind", FORMATS)
def test_22_swapped_coordinates(tmp_path, kind):
    folder = spoil(write_county(tmp_path, villages=None), kind, 1, 30.11, 104.12)
    fault = only_error(folder)
    assert fault.code == "place_swapped"
    assert fault.row == (3 if kind in {"csv", "xlsx"} else 2)


def test_22_swapped_where_both_numbers_could_be_latitudes(tmp_path):
    def there(rows):
        return [{**r, "经度": 80 + r["经度"] - 104, "纬度": 40 + r["纬度"] - 30} for r in rows]

    villages = there(VILLAGES)
    villages[2] = {**villages[2], "经度": villages[2]["纬度"], "纬度": villages[2]["经度"]}
    folder = write_county(tmp_path, villages=villages, schools=there(SCHOOLS))
    assert only_error(folder).code == "place_swapped"


@pytest.mark.parametrize("kind", FORMATS)
def test_23_zero_zero(tmp_path, kind):
    folder = spoil(write_county(tmp_path, villages=None), kind, 0, 0.0, 0.0)
    assert only_error(folder).code == "place_zero"


def test_23_where_no_place_at_all_makes_sense(tmp_path):
    zero = {"经度": "0", "纬度": "0"}
    folder = write_county(
        tmp_path,
        villages=[{**v, **zero} for v in VILLAGES],
        schools=[{**s, **zero} for s in SCHOOLS],
    )
    assert [f.code for f in check_region(folder).errors] == ["place_zero"] * 6
    with pytest.raises(InputError, match="有可用的位置"):
        read_region(folder, set_aside=True)


@pytest.mark.parametrize("kind", FORMATS)
def test_24_outside_the_county(tmp_path, kind):
    folder = spoil(write_county(tmp_path, villages=None), kind, 0, 108.10, 30.10)
    fault = only_error(folder)
    assert fault.code == "place_outside"
    assert fault.place == pytest.approx((108.10, 30.10), abs=1e-6)
    kept = read_region(folder, set_aside=True)
    assert len(kept.villages) == 3
    assert int(kept.children["students"].sum() + kept.rejected["students"].sum()) == TOTAL


def test_24_the_boundary_decides_with_twenty_kilometres_of_grace(tmp_path):
    folder = write_county(tmp_path, villages=changed(VILLAGES, 0, 经度=104.35))
    box = gpd.GeoDataFrame(
        {"区划代码": ["51"], "名称": ["小县"], "级别": ["县"]},
        geometry=[shapely.box(104.0, 30.0, 104.2, 30.2)],
        crs=4490,
    )
    box.to_file(folder / "行政区划.gpkg")
    assert check_region(folder).ok
    write_county(tmp_path, villages=changed(VILLAGES, 0, 经度=104.45))
    assert only_error(folder).code == "place_outside"


@pytest.mark.parametrize("value", ["", "NaN", "inf", "abc", "１０４．１度"])
def test_25_coordinates_that_are_no_numbers(tmp_path, value):
    folder = write_county(tmp_path, villages=changed(VILLAGES, 0, 经度=value))
    fault = only_error(folder)
    assert (fault.row, fault.spoils) == (2, "row")
    assert fault.code == ("place_missing" if not value else "not_a_number")
    assert len(read_region(folder, set_aside=True).villages) == 3


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "shp"])
@pytest.mark.parametrize("empty", [None, shapely.Point()])
def test_26_empty_geometry_is_counted_not_dropped(tmp_path, kind, empty):
    folder = write_county(tmp_path, villages=None)
    points = [shapely.Point(r["经度"], r["纬度"]) for r in VILLAGES]
    points[1] = empty
    table = pd.DataFrame(VILLAGES).drop(columns=["经度", "纬度"])
    gpd.GeoDataFrame(table, geometry=points, crs=4490).to_file(folder / f"村庄.{kind}")
    fault = only_error(folder)
    assert (fault.code, fault.row) == ("geometry_missing", 2)
    kept = read_region(folder, set_aside=True)
    assert int(kept.rejected["students"].sum()) == 7


# 30-34: coordinate systems -------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize("kind", ["csv", "xlsx", "gpkg", "shp"])
def test_30_missing_crs_is_refused(tmp_path, kind):
    folder = spoil(
        write_county(tmp_path, villages=None, schools=None, manifest='name = "x"\n'),
        kind, 0, 104.10, 30.10, crs=None,
    )  # fmt: skip
    spoil_schools = pd.DataFrame(SCHOOLS).drop(columns=["经度", "纬度"])
    points = [shapely.Point(s["经度"], s["纬度"]) for s in SCHOOLS]
    gpd.GeoDataFrame(spoil_schools, geometry=points, crs=4326).to_file(folder / "学校.gpkg")
    assert ("crs_missing", None) in codes(folder)
    with pytest.raises(InputError, match="坐标系"):
        read_region(folder, set_aside=True)


def test_30_unknown_crs_is_refused(tmp_path):
    folder = write_county(tmp_path, manifest='crs = "某市独立坐标系"\n')
    found = check_region(folder)
    assert {f.code for f in found.errors} >= {"crs_unknown"}


@pytest.mark.parametrize("kind", ["csv", "gpkg", "shp"])
def test_31_degrees_under_a_projected_system(tmp_path, kind):
    folder = write_county(
        tmp_path, villages=None, manifest=MANIFEST + '[sources.villages]\ncrs = "EPSG:4544"\n'
    )
    spoil(folder, kind, 0, 104.10, 30.10, crs="EPSG:4544")
    found = codes(folder)
    assert {c for c, _ in found} == {"place_degrees"}
    assert len(found) == 4


def test_31_metres_under_a_geographic_system_name_the_zone(tmp_path):
    x, y = transform([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES], 4490, 4523)
    rows = [{**v, "经度": a, "纬度": b} for v, a, b in zip(VILLAGES, x, y, strict=True)]
    found = check_region(write_county(tmp_path, villages=rows)).errors
    assert {f.code for f in found} >= {"place_metres"}
    assert any("4523" in f.line() for f in found)


def test_32_zone_in_front_of_the_easting(tmp_path):
    x, y = transform([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES], 4490, 4523)
    rows = [
        {k: c for k, c in v.items() if k not in {"经度", "纬度"}} | {"东坐标": a, "北坐标": b}
        for v, a, b in zip(VILLAGES, x, y, strict=True)
    ]
    plain = read_region(write_county(tmp_path / "plain"))
    manifest = MANIFEST + '[sources.villages]\ncrs = "EPSG:4544"\n'
    region = read_region(write_county(tmp_path / "a", villages=rows, manifest=manifest))
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 0.01
    notes = next(s for s in region.sources if s.layer == "villages").notes
    assert any("带号" in n for n in notes)
    wrong = MANIFEST + '[sources.villages]\ncrs = "EPSG:4549"\n'
    found = check_region(write_county(tmp_path / "b", villages=rows, manifest=wrong)).errors
    assert {f.code for f in found} >= {"place_zone"}
    assert any("4523" in f.say("what_zh") for f in found)


def test_33_north_and_east_swapped(tmp_path):
    x, y = transform([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES], 4490, 4544)
    rows = [
        {k: c for k, c in v.items() if k not in {"经度", "纬度"}} | {"东坐标": b, "北坐标": a}
        for v, a, b in zip(VILLAGES, x, y, strict=True)
    ]
    manifest = MANIFEST + '[sources.villages]\ncrs = "EPSG:4544"\n'
    found = codes(write_county(tmp_path, villages=rows, manifest=manifest))
    assert {c for c, _ in found} == {"place_swapped"}


def test_34_35_layers_in_different_systems_meet_in_one(tmp_path):
    folder = write_county(tmp_path, villages=None)
    table = pd.DataFrame(VILLAGES).drop(columns=["经度", "纬度"])
    points = [shapely.Point(v["经度"], v["纬度"]) for v in VILLAGES]
    gpd.GeoDataFrame(table, geometry=points, crs=4326).to_crs(32648).to_file(folder / "村庄.gpkg")
    region = read_region(folder)
    assert region.villages.crs == region.schools.crs == region.crs
    assert region.crs.axis_info[0].unit_name == "metre"
    plain = read_region(write_county(tmp_path / "b"))
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 0.01


# 36-43: Shapefiles ---------------------------------------------------------------------------


def shapefile(folder, encoding, rows=VILLAGES, crs=4490):
    table = pd.DataFrame(rows).drop(columns=["经度", "纬度"])
    points = [shapely.Point(r["经度"], r["纬度"]) for r in rows]
    gpd.GeoDataFrame(table, geometry=points, crs=crs).to_file(
        folder / "村庄.shp", encoding=encoding
    )
    return folder


@pytest.mark.parametrize("cpg", [None, "GBK", "UTF-8", "ISO-8859-1x"])
def test_36_37_gbk_tables_with_no_or_a_lying_cpg(tmp_path, cpg):
    folder = shapefile(write_county(tmp_path, villages=None), "gb18030")
    if cpg is None:
        (folder / "村庄.cpg").unlink()
    else:
        (folder / "村庄.cpg").write_text(cpg, encoding="ascii")
    region = read_region(folder)
    assert region.villages["name"].tolist() == [v["村名"] for v in VILLAGES]
    source = next(s for s in region.sources if s.layer == "villages")
    assert source.encoding == "gb18030"
    if cpg in {"UTF-8", "ISO-8859-1x"}:
        assert any("不符" in n for n in source.notes)


def test_38_utf8_headings_cut_in_the_middle_of_a_character(tmp_path):
    folder = write_county(tmp_path, villages=None)
    rows = [
        {
            "A" * 10: v["村代码"],
            "B": v["村名"],
            "C": v["乡镇"],
            "经度": v["经度"],
            "纬度": v["纬度"],
        }
        for v in VILLAGES
    ]
    shapefile(folder, "utf-8", rows)
    data = bytearray((folder / "村庄.dbf").read_bytes())
    for k, name in enumerate(("统计用区划代码", "村名", "乡镇")):
        data[32 + 32 * k : 43 + 32 * k] = name.encode()[:10].ljust(11, b"\x00")
    (folder / "村庄.dbf").write_bytes(bytes(data))
    region = read_region(folder)
    assert region.villages["village_id"].tolist() == ["001", "002", "003", "010"]
    assert region.villages["name"].tolist() == [v["村名"] for v in VILLAGES]


@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")
def test_39_headings_cut_to_ten_bytes_are_understood(tmp_path):
    rows = [{**v, "低年级就读学校": "0101", "高年级就读学校": "0102"} for v in VILLAGES]
    folder = shapefile(write_county(tmp_path, villages=None), "gb18030", rows)
    region = read_region(folder)
    assert set(region.villages["school_lower"]) == {"0101"}
    assert set(region.villages["school_upper"]) == {"0102"}
    notes = next(s for s in region.sources if s.layer == "villages").notes
    assert sum("截断" in n for n in notes) == 2


@pytest.mark.parametrize("part", [".shx", ".dbf"])
def test_41_42_missing_parts_are_named(tmp_path, part):
    folder = shapefile(write_county(tmp_path, villages=None), "gb18030")
    (folder / f"村庄{part}").unlink()
    assert only_error_code(folder) == "file_missing_part"
    with pytest.raises(InputError, match=f"缺少 {part}"):
        read_region(folder)


def test_41_missing_prj_needs_a_declared_system(tmp_path):
    folder = shapefile(write_county(tmp_path, villages=None), "gb18030")
    (folder / "村庄.prj").unlink()
    assert len(read_region(folder).villages) == 4
    (folder / "region.toml").unlink()
    assert ("crs_missing", None) in codes(folder)


def test_43_wrong_and_mixed_geometry(tmp_path):
    folder = write_county(tmp_path, villages=None)
    table = pd.DataFrame(VILLAGES).drop(columns=["经度", "纬度"])
    shapes = [shapely.Point(v["经度"], v["纬度"]) for v in VILLAGES]
    shapes[0] = shapely.LineString([(104.1, 30.1), (104.2, 30.2)])
    shapes[1] = shapely.MultiPoint([shapes[1]])
    shapes[2] = shapes[2].buffer(0.001)
    gpd.GeoDataFrame(table, geometry=shapes, crs=4490).to_file(folder / "村庄.geojson")
    found = check_region(folder).errors
    assert [(f.code, f.row, f.value) for f in found] == [("geometry_kind", 1, "LineString")]
    assert len(read_region(folder, set_aside=True).villages) == 3


# 44-47: polygons -----------------------------------------------------------------------------


def boundaries(folder, shapes, kinds, names=None, **columns):
    names = names or [f"镇{k}" for k in range(len(shapes))]
    gpd.GeoDataFrame(
        {"区划代码": [str(k) for k in range(len(shapes))], "名称": names, "级别": kinds, **columns},
        geometry=shapes,
        crs=4490,
    ).to_file(folder / "行政区划.gpkg")
    return folder


def test_44_self_crossing_polygons_are_repaired_and_reported(tmp_path):
    bow = shapely.Polygon([(104, 30), (104.3, 30.3), (104.3, 30), (104, 30.3)])
    folder = boundaries(write_county(tmp_path), [bow], ["县"])
    found = [f for f in check_region(folder).faults if f.code == "geometry_repaired"]
    assert [(f.row, f.severity) for f in found] == [(1, "warning")]
    region = read_region(folder)
    assert region.boundaries.is_valid.all()
    whole = gpd.GeoSeries([shapely.box(104, 30, 104.3, 30.3)], crs=4490).to_crs(region.crs)
    assert region.boundaries.area.sum() == pytest.approx(whole.area.sum() / 2, rel=0.01)


def test_44_a_polygon_without_area_is_refused(tmp_path):
    line = shapely.Polygon([(104, 30), (104.3, 30.3), (104, 30)])
    folder = boundaries(
        write_county(tmp_path), [line, shapely.box(104, 30, 104.3, 30.3)], ["乡镇", "县"]
    )
    assert only_error(folder).code == "geometry_lost"


def test_45_overlapping_borders_are_warned_of(tmp_path):
    shapes = [shapely.box(104.0, 30.0, 104.2, 30.3), shapely.box(104.15, 30.0, 104.3, 30.3)]
    folder = boundaries(write_county(tmp_path), shapes, ["乡镇", "乡镇"], ["甲镇", "乙镇"])
    found = [f for f in check_region(folder).faults if f.code == "overlap"]
    assert len(found) == 1
    assert found[0].details["other"] == "甲镇"
    area = gpd.GeoSeries([shapely.box(104.15, 30.0, 104.2, 30.3)], crs=4490).to_crs(4544).area[0]
    assert float(found[0].details["hectares"].replace(",", "")) == pytest.approx(
        area / 1e4, rel=1e-3
    )
    assert read_region(folder).children["students"].sum() == TOTAL


def test_46_a_point_on_a_shared_border_belongs_to_the_township_it_names(tmp_path):
    shapes = [shapely.box(104.0, 30.0, 104.12, 30.3), shapely.box(104.12, 30.0, 104.3, 30.3)]
    for k, names in enumerate((["甲镇", "乙镇"], ["乙镇", "甲镇"])):
        villages = changed(VILLAGES, 1, 经度=104.12)
        folder = boundaries(
            write_county(tmp_path / str(k), villages=villages), shapes, ["乡镇"] * 2, names
        )
        rows = {f.row for f in check_region(folder).faults if f.code == "township_differs"
                and f.layer == "villages"}  # fmt: skip
        assert 3 not in rows
        assert bool(rows) is bool(k)


def test_47_heights_are_dropped(tmp_path):
    folder = write_county(tmp_path, villages=None)
    table = pd.DataFrame(VILLAGES).drop(columns=["经度", "纬度"])
    points = [shapely.Point(v["经度"], v["纬度"], 900.0) for v in VILLAGES]
    gpd.GeoDataFrame(table, geometry=points, crs=4490).to_file(folder / "村庄.gpkg")
    region = read_region(folder)
    assert not region.villages.has_z.any()
    assert np.isfinite(region.villages.geometry.x).all()


# Columns, layers, security -------------------------------------------------------------------


def test_unknown_columns_name_the_nearest(tmp_path):
    rows = [{**s, "教室数量": "3"} for s in SCHOOLS]
    fault = only_error(write_county(tmp_path, schools=rows))
    assert (fault.code, fault.column) == ("column_unknown", "教室数量")
    assert "教室数" in fault.details["near"]
    kept = [{**s, "_临时": "3", "备注": "x", "Note": "y", "fid": "1"} for s in SCHOOLS]
    assert len(read_region(write_county(tmp_path / "b", schools=kept)).schools) == 2


@pytest.mark.parametrize("heading", ["学生姓名", "身份证号", "家长电话", "联系方式"])
def test_personal_data_is_refused(tmp_path, heading):
    rows = [{"学生编号": "1", "年级": "1", "经度": 104.1, "纬度": 30.1, heading: "x"}]
    fault = only_error(write_county(tmp_path, students=rows))
    assert (fault.code, fault.column) == ("column_private", heading)


def test_missing_and_repeated_columns(tmp_path):
    rows = [{k: v for k, v in s.items() if k != "教室数"} for s in SCHOOLS]
    fault = only_error(write_county(tmp_path / "a", schools=rows))
    assert (fault.code, fault.column) == ("column_missing", "rooms")
    rows = [{**v, "村编码": v["村代码"]} for v in VILLAGES]
    assert only_error(write_county(tmp_path / "b", villages=rows)).code == "column_repeated"


@pytest.mark.parametrize("layer", ["villages", "schools", "children"])
def test_empty_layers(tmp_path, layer):
    rows = {"villages": VILLAGES, "schools": SCHOOLS, "children": CHILDREN}[layer]
    folder = write_county(tmp_path / "a", **{layer: as_csv(rows[:1]).splitlines()[0] + "\n"})
    assert ("layer_empty", None) in codes(folder)
    with pytest.raises(InputError, match=layer):
        read_region(folder)
    for content in (b"", b"\xef\xbb\xbf", "\n\n"):
        folder = write_county(tmp_path / "b", **{layer: content})
        with pytest.raises(InputError, match=layer):
            read_region(folder, set_aside=True)


def test_disguised_files_never_reach_another_driver(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n", encoding="utf-8")
    vrt = (
        f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{secret}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    for kind in ("geojson", "gpkg", "shp", "xlsx"):
        folder = write_county(tmp_path / kind, villages=None)
        (folder / f"村庄.{kind}").write_text(vrt, encoding="utf-8")
        for part in (".shx", ".dbf") if kind == "shp" else ():
            (folder / f"村庄{part}").write_bytes(b"\x00" * 100)
        assert only_error_code(folder) == "file_disguised"


def test_a_package_with_foreign_virtual_tables_is_refused(tmp_path):
    import sqlite3

    folder = spoil(write_county(tmp_path, villages=None), "gpkg", 0, 104.1, 30.1)
    base = sqlite3.connect(folder / "村庄.gpkg")
    base.execute("PRAGMA writable_schema = 1")
    base.execute(
        "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, "
        "'CREATE VIRTUAL TABLE x USING VirtualOGR(''/etc/passwd'')')"
    )
    base.commit()
    base.close()
    assert only_error_code(folder) == "file_unsafe"


def test_xml_bombs_and_far_cells(tmp_path):
    folder = workbook(write_county(tmp_path / "a", villages=None), VILLAGES)
    parts = {}
    with zipfile.ZipFile(folder / "村庄.xlsx") as archive:
        for name in archive.namelist():
            parts[name] = archive.read(name)
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(
        b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1
    )
    with zipfile.ZipFile(folder / "村庄.xlsx", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    assert only_error_code(folder) == "file_unsafe"
    folder = write_county(tmp_path / "b", villages=None)
    workbook(folder, VILLAGES, put=lambda _, s: s.write_string(1048575, 16383, "x"))
    found = [f for f in check_region(folder).errors if f.layer == "villages"]
    assert [(f.code, f.details["detail"]) for f in found] == [("file_too_large", "XFD1048576")]


def test_damaged_files_are_errors_not_tracebacks(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("gpkg", "xlsx", "geojson", "shp"):
        folder = spoil(write_county(tmp_path / kind, villages=None), kind, 0, 104.1, 30.1)
        path = folder / f"村庄.{kind}"
        whole = path.read_bytes()
        for cut in (0, 3, 100, len(whole) // 2, len(whole) - 7):
            path.write_bytes(whole[:cut])
            check_region(folder)
        for _ in range(15):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), 20):
                data[at] = rng.integers(0, 256)
            path.write_bytes(bytes(data))
            check_region(folder)


def test_no_driver_but_three_is_ever_asked(tmp_path, monkeypatch):
    asked = []
    plain = pyogrio.read_dataframe
    monkeypatch.setattr(
        "catchment.region.vector.pyogrio.read_dataframe",
        lambda path, *a, **k: (asked.append(str(path)), plain(path, *a, **k))[1],
    )
    folder = spoil(write_county(tmp_path, villages=None), "geojson", 0, 104.1, 30.1)
    (folder / "学校.kml").write_text("<kml/>", encoding="utf-8")
    (folder / "路网.vrt").write_text("<OGRVRTDataSource/>", encoding="utf-8")
    found = check_region(folder)
    assert found.ok
    assert asked == []
    assert sum(f.code == "file_unsupported" for f in found.faults) == 2
