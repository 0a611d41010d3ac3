"""A county of eight villages, its layers in any format, and every way to make them dirty.

``dirty_classes.csv`` names each class, the formats it occurs in and what is asked for; the function
of the same name here makes it. ``docs/dirty.md`` is written from the two by ``make_page``.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xlsxwriter

from catchment.coordinates import transform, wgs84_to_bd09, wgs84_to_gcj02

Rows = list[dict[str, Any]]
HERE = Path(__file__).parent
REGISTRY = HERE / "dirty_classes.csv"
MANIFEST = 'name = "小县"\nnote = "虚构"\ncrs = "CGCS2000"\n'
FILES = {"villages": "村庄", "schools": "学校", "children": "学龄人口", "students": "学生住址",
         "boundaries": "行政区划", "roads": "道路", "classes": "班级",
         "sites": "备选校址"}  # fmt: skip
PLACES = ("经度", "纬度", "东坐标", "北坐标")
VILLAGES: Rows = [
    {
        "村代码": f"0{k + 1:02d}",
        "村名": f"{'东南西北上下左右'[k]}村",
        "乡镇": "甲镇" if k < 4 else "乙镇",
        "人口": str(300 - 20 * k),
        "经度": round(104.10 + 0.012 * k, 5),
        "纬度": round(30.10 + 0.007 * (k % 4), 5),
    }
    for k in range(8)
]
SCHOOLS: Rows = [
    {"学校代码": "0101", "学校名称": "中心小学", "乡镇": "甲镇", "办学类型": "中心校",
     "起始年级": "1", "终止年级": "6", "教室数": "12", "经度": 104.11, "纬度": 30.105},
    {"学校代码": "0102", "学校名称": "乙镇九年制学校", "乡镇": "乙镇", "办学类型": "九年一贯制",
     "起始年级": "1", "终止年级": "9", "教室数": "18", "经度": 104.155, "纬度": 30.115},
]  # fmt: skip
CHILDREN: Rows = [
    {"村代码": v["村代码"], "年级": str(1 + k % 3), "年度": "2026", "学生数": str(3 + k)}
    for k, v in enumerate(VILLAGES)
]
TOTAL = sum(int(c["学生数"]) for c in CHILDREN)
Builder = Callable[[Path, str], int]


# Writing a layer in any format -----------------------------------------------------------------


def as_csv(rows: Rows) -> str:
    stream = io.StringIO(newline="")
    heads = list(dict.fromkeys(k for row in rows for k in row))
    writer = csv.DictWriter(stream, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def changed(rows: Rows, at: int, **cells: Any) -> Rows:
    return [{**row, **cells} if k == at else dict(row) for k, row in enumerate(rows)]


def point(row: dict[str, Any]) -> Any:
    try:
        pair = next((row[a], row[b]) for a, b in (PLACES[:2], PLACES[2:]) if a in row)
        return shapely.Point(float(pair[0]), float(pair[1]))
    except (StopIteration, ValueError):
        return None


def frame(rows: Rows, crs: Any = 4490, shapes: list[Any] | None = None) -> gpd.GeoDataFrame:
    heads = list(dict.fromkeys(k for row in rows for k in row if k not in PLACES))
    table = pd.DataFrame([{h: row.get(h) for h in heads} for row in rows])
    geometry = shapes if shapes is not None else [point(row) for row in rows]
    return gpd.GeoDataFrame(table, geometry=geometry, crs=crs)


def workbook(path: Path, rows: Rows, put: Callable[[Any, Any], None] | None = None,
             top: int = 0, formats: dict[str, str] | None = None) -> None:  # fmt: skip
    book = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet()
    heads = list(dict.fromkeys(k for row in rows for k in row))
    sheet.write_row(top, 0, heads)
    for r, row in enumerate(rows, start=top + 1):
        for c, head in enumerate(heads):
            value = row.get(head, "")
            style = None
            if formats and head in formats:
                style = book.add_format({"num_format": formats[head]})
            if isinstance(value, datetime):
                sheet.write_datetime(r, c, value, book.add_format({"num_format": "yyyy-mm-dd"}))
            elif isinstance(value, (int, float)):
                sheet.write_number(r, c, value, style)
            else:
                sheet.write_string(r, c, str(value))
    if put:
        put(book, sheet)
    book.close()


def write(folder: Path, layer: str, kind: str, rows: Rows, *, crs: Any = 4490,
          shapes: list[Any] | None = None, encoding: str = "utf-8") -> Path:  # fmt: skip
    """Write one layer; text formats in the encoding."""
    path = folder / f"{FILES[layer]}.{kind}"
    if kind == "csv":
        path.write_bytes(as_csv(rows).encode(encoding))
    elif kind == "xlsx":
        workbook(path, rows)
    elif kind == "geojson":
        features = [
            {"type": "Feature",
             "properties": {k: v for k, v in row.items() if k not in PLACES},
             "geometry": None if (g := (shapes[k] if shapes else point(row))) is None
             else shapely.geometry.mapping(g)}
            for k, row in enumerate(rows)
        ]  # fmt: skip
        document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
        if crs is not None:
            document["crs"] = {
                "type": "name",
                "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs}"},
            }
        path.write_bytes(json.dumps(document, ensure_ascii=False).encode(encoding))
    elif kind == "shp":
        if shapes is None and not any(p in rows[0] for p in PLACES):
            shapes = [shapely.Point(104.1, 30.1)] * len(rows)
        frame(rows, crs, shapes).to_file(
            path, encoding="gb18030" if encoding == "utf-8" else encoding
        )
    else:
        frame(rows, crs, shapes).to_file(path, layer=layer)
    return path


def county(
    folder: Path, *, manifest: str = MANIFEST, leave: tuple[str, ...] = (), **rows: Rows
) -> Path:
    """Write the clean county in CSV, but for the layers left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for layer, table in {
        "villages": VILLAGES,
        "schools": SCHOOLS,
        "children": CHILDREN,
        **rows,
    }.items():
        if layer not in leave:
            (folder / f"{FILES[layer]}.csv").write_text(as_csv(table), encoding="utf-8")
    (folder / "region.toml").write_text(manifest, encoding="utf-8")
    return folder


# Ways to be dirty --------------------------------------------------------------------------------

DIRTY: dict[str, Builder] = {}


def dirty(build: Builder) -> Builder:
    DIRTY[build.__name__] = build
    return build


def cell(name: str, layer: str, at: int, column: str, value: Any, total: int = TOTAL) -> None:
    """Register a class that is one bad cell."""

    def build(folder: Path, kind: str) -> int:
        rows = {"villages": VILLAGES, "schools": SCHOOLS, "children": CHILDREN}[layer]
        county(folder, leave=(layer,))
        write(folder, layer, kind, changed(rows, at, **{column: value}))
        return total

    DIRTY[name] = build


def table(
    name: str, layer: str, change: Callable[[Rows], Rows], total: int = TOTAL, **how: Any
) -> None:
    """Register a class that is a change of all rows of a layer."""

    def build(folder: Path, kind: str) -> int:
        rows = {"villages": VILLAGES, "schools": SCHOOLS, "children": CHILDREN}[layer]
        county(folder, leave=(layer,), manifest=how.get("manifest", MANIFEST))
        write(folder, layer, kind, change([dict(r) for r in rows]), crs=how.get("crs", 4490))
        return total

    DIRTY[name] = build


def without(k: int) -> int:
    """Students without those of one row."""
    return TOTAL - int(CHILDREN[k]["学生数"])


# Text and encodings


@dirty
def clean(folder: Path, kind: str) -> int:
    county(folder, leave=("villages", "children"))
    write(folder, "villages", kind, VILLAGES)
    write(folder, "children", kind, CHILDREN)
    return TOTAL


@dirty
def gb18030_text(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES, encoding="gb18030")
    if kind == "shp":
        path.with_suffix(".cpg").unlink()
    return TOTAL


@dirty
def rare_characters(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, changed(VILLAGES, 0, 村名="㐱坪村"), encoding="gb18030")
    if kind == "shp":
        path.with_suffix(".cpg").unlink()
    return TOTAL


@dirty
def no_encoding_fits(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES, encoding="gb18030")
    if kind == "shp":
        path = path.with_suffix(".dbf")
        path.with_suffix(".cpg").unlink()
    name = "东村".encode("gb18030")
    path.write_bytes(path.read_bytes().replace(name, b"\xff\xff\x80\xff"))
    return TOTAL


@dirty
def half_of_two_encodings(folder: Path, kind: str) -> int:
    """Rows of two offices in one file: one saved as UTF-8, the others as GBK."""
    county(folder, leave=("villages",))
    if kind == "shp":
        path = write(folder, "villages", kind, VILLAGES).with_suffix(".dbf")
        path.with_suffix(".cpg").unlink()
        name = "东村".encode("gb18030")
        path.write_bytes(path.read_bytes().replace(name + b"  ", "东村".encode(), 1))
        return TOTAL
    path = write(folder, "villages", kind, VILLAGES, encoding="gb18030")
    for name in ("东村", "甲镇"):
        path.write_bytes(path.read_bytes().replace(name.encode("gb18030"), name.encode(), 1))
    return TOTAL


@dirty
def utf8_mark(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return TOTAL


@dirty
def utf16_text(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    text = as_csv(VILLAGES).replace(",", "\t")
    (folder / "村庄.csv").write_bytes(text.encode("utf-16"))
    return TOTAL


@dirty
def declared_encoding_lies(folder: Path, kind: str) -> int:
    county(
        folder, leave=("villages",), manifest=MANIFEST + '[sources.villages]\nencoding = "utf-8"\n'
    )
    write(folder, "villages", kind, VILLAGES, encoding="gb18030")
    return TOTAL


@dirty
def cpg_lies(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES)
    path.with_suffix(".cpg").write_text("UTF-8", encoding="ascii")
    return TOTAL


cell("garbled_names", "villages", 2, "村名", "Î÷´å")
cell("replacement_characters", "villages", 2, "村名", "锟斤拷村")


@dirty
def other_delimiter(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    (folder / "村庄.csv").write_text(as_csv(VILLAGES).replace(",", ";"), encoding="utf-8")
    return TOTAL


@dirty
def unquoted_delimiter(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    rows = [{**c, "来源": "在籍"} for c in CHILDREN]
    text = as_csv(rows).replace(",3,在籍", ",3,在籍,含随迁", 1)
    (folder / "学龄人口.csv").write_text(text, encoding="utf-8")
    return TOTAL


@dirty
def jotting_beside_the_table(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    workbook(folder / "学龄人口.xlsx", CHILDREN, lambda _, s: s.write_string(3, 6, "待核"))
    return TOTAL


@dirty
def binary_as_text(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    (folder / "村庄.csv").write_bytes(b"PK\x03\x04" + bytes(200))
    return TOTAL


cell("names_like_blanks", "villages", 3, "村名", "NA")
cell("formula_as_name", "villages", 3, "村名", '=HYPERLINK("http://x","y")')
cell("markup_as_name", "villages", 3, "村名", "<script>alert(1)</script>")
cell("sql_as_name", "villages", 3, "村名", "x'); DROP TABLE villages;--")
cell("control_characters", "children", 0, "学生数", "3\x08")
cell("invisible_characters", "children", 0, "村代码", "\u3000001\u200b")

# Codes

table("codes_without_zeros", "children",
      lambda rows: [{**r, "村代码": str(int(r["村代码"]))} for r in rows])  # fmt: skip
cell("code_in_scientific_notation", "villages", 1, "村代码", "5.10123E+17")
cell("code_with_decimals", "villages", 1, "村代码", "12.50")
cell("full_width_code", "children", 0, "村代码", "００１")
cell("code_with_apostrophe", "children", 0, "村代码", "'001")
cell("code_as_date_text", "villages", 1, "村代码", "3月1日")
cell("blank_code", "villages", 1, "村代码", "")
cell("unknown_code", "children", 1, "村代码", "777")


@dirty
def code_as_long_number(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    if kind == "geojson":
        path = write(folder, "villages", kind, changed(VILLAGES, 1, 村代码="@"))
        text = path.read_text(encoding="utf-8").replace('"@"', "5.1012320100101123e17")
        path.write_text(text, encoding="utf-8")
    else:
        rows = [{**v, "村代码": 510123201001011234.0 + 1000 * k} for k, v in enumerate(VILLAGES)]
        write(folder, "villages", kind, rows)
    return TOTAL


@dirty
def code_as_date_cell(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    workbook(folder / "村庄.xlsx", changed(VILLAGES, 1, 村代码=datetime(2023, 3, 1)))  # noqa: DTZ001
    return TOTAL


@dirty
def zeros_in_format_only(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    rows = [{**v, "村代码": int(v["村代码"])} for v in VILLAGES]
    workbook(folder / "村庄.xlsx", rows, formats={"村代码": "000"})
    return TOTAL


@dirty
def repeated_code(folder: Path, kind: str) -> int:
    county(folder, leave=("schools",))
    write(folder, "schools", kind, [*SCHOOLS, {**SCHOOLS[0], "经度": 104.12}])
    return TOTAL


@dirty
def repeated_row(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    write(folder, "children", kind, [*CHILDREN, CHILDREN[0]])
    return TOTAL + int(CHILDREN[0]["学生数"])


# Headings and rows


@dirty
def title_rows(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    if kind == "csv":
        (folder / "学龄人口.csv").write_text(
            "小县统计表,,,\n,,,\n" + as_csv(CHILDREN), encoding="utf-8"
        )
    else:
        workbook(folder / "学龄人口.xlsx", CHILDREN,
                 lambda _, s: s.merge_range(0, 0, 0, 3, "小县统计表"), top=2)  # fmt: skip
    return TOTAL


@dirty
def two_row_heading(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    book = xlsxwriter.Workbook(folder / "学龄人口.xlsx")
    sheet = book.add_worksheet()
    sheet.merge_range(0, 0, 0, 4, "统计表")
    sheet.merge_range(1, 0, 2, 0, "村代码")
    sheet.merge_range(1, 1, 2, 1, "年度")
    sheet.merge_range(1, 2, 1, 4, "各年级人数")
    sheet.write_row(2, 2, ["一年级", "二年级", "三年级"])
    for r, c in enumerate(CHILDREN, start=3):
        sheet.write_row(r, 0, [c["村代码"], 2026])
        sheet.write_number(r, 1 + int(c["年级"]), int(c["学生数"]))
    book.close()
    return TOTAL


@dirty
def merged_cells(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    rows = [{**v, "乡镇": ""} for v in VILLAGES]

    def put(_: Any, sheet: Any) -> None:
        sheet.merge_range(1, 2, 4, 2, "甲镇")
        sheet.merge_range(5, 2, 8, 2, "乙镇")

    workbook(folder / "村庄.xlsx", rows, put)
    return TOTAL


@dirty
def number_merged_downwards(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    rows = changed(CHILDREN, 1, 学生数="")

    def put(book: Any, sheet: Any) -> None:
        sheet.merge_range(1, 3, 2, 3, "")
        sheet.write_number(1, 3, int(CHILDREN[0]["学生数"]))

    workbook(folder / "学龄人口.xlsx", rows, put)
    return without(1)  # what stands for two rows counts once, and the other row is refused


@dirty
def heading_over_two_columns(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    rows = [
        {"村代码": c["村代码"], "年度": "2026", "一年级": c["学生数"], "": "7"} for c in CHILDREN
    ]
    workbook(folder / "学龄人口.xlsx", rows, lambda _, s: s.merge_range(0, 2, 0, 3, "一年级"))
    return TOTAL


def wide(name: str, *extra: str, total: int = TOTAL) -> None:
    """Register a class of one column a grade, and of columns beside them that contradict them."""

    def build(folder: Path, kind: str) -> int:
        county(folder, leave=("children",))
        rows = [
            {
                "村代码": c["村代码"],
                "年度": "2026",
                "一年级": c["学生数"],
                **dict.fromkeys(extra, "7"),
            }
            for c in CHILDREN
        ]
        write(folder, "children", kind, rows)
        return total

    DIRTY[name] = build


wide("grade_in_two_columns", "1年级")
wide("grade_column_beside_grades", "年级")
wide("total_under_another_name", "学生数")


@dirty
def hidden_rows(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    workbook(
        folder / "学龄人口.xlsx", CHILDREN, lambda _, s: s.set_row(3, None, None, {"hidden": True})
    )
    return TOTAL


table(
    "column_without_heading",
    "villages",
    lambda rows: [{"村代码": r["村代码"], "": "7", **r} for r in rows],
)
table(
    "code_and_name_swapped",
    "schools",
    lambda rows: [{**r, "学校代码": r["学校名称"], "学校名称": r["学校代码"]} for r in rows],
)
table(
    "name_and_township_swapped",
    "villages",
    lambda rows: [{**r, "村名": r["乡镇"], "乡镇": r["村名"]} for r in rows],
)
table(
    "rooms_and_students_swapped",
    "schools",
    lambda rows: [{**r, "教室数": "120", "在校生": r["教室数"]} for r in rows],
)
cell("rooms_in_square_metres", "schools", 0, "教室数", "280")
cell("population_of_too_many_digits", "villages", 0, "人口", "300000")
table(
    "village_under_two_codes",
    "villages",
    lambda rows: [*rows, {**rows[0], "村代码": "099", "人口": "0", "经度": 104.1005}],
)


@dirty
def total_row(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    last = {"村代码": "合计", "年级": "", "年度": "2026", "学生数": str(TOTAL)}
    write(folder, "children", kind, [*CHILDREN, last])
    return TOTAL if kind in {"csv", "xlsx"} else 2 * TOTAL


CLASSES: Rows = [
    {"学校代码": "0101", "年度": "2026", "年级": "一年级", "班号": str(k + 1), "人数": str(n)}
    for k, n in enumerate((30, 32, 29))
]


@dirty
def class_total_row(folder: Path, kind: str) -> int:
    """A subtotal after the classes of a grade, its word in the fourth column."""
    county(folder)
    write(folder, "classes", kind, [*CLASSES, {**CLASSES[0], "班号": "合计", "人数": "91"}])
    return TOTAL


@dirty
def class_total_without_word(folder: Path, kind: str) -> int:
    county(folder)
    write(folder, "classes", kind, [*CLASSES, {**CLASSES[0], "班号": "全部", "人数": "91"}])
    return TOTAL


@dirty
def unit_and_footer_rows(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    unit = {"村代码": "", "年级": "", "年度": "", "学生数": "（人）"}
    foot = {"村代码": "填表人：张三", "年级": "", "年度": "", "学生数": ""}
    write(folder, "children", kind, [unit, *CHILDREN, foot])
    return TOTAL


@dirty
def blank_rows(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    blank = dict.fromkeys(CHILDREN[0], "")
    write(folder, "children", kind, [*CHILDREN[:2], blank, blank, *CHILDREN[2:]])
    return TOTAL


@dirty
def no_heading(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    heads = {h: f"F{k}" for k, h in enumerate(VILLAGES[0])}
    rows = [{heads[k]: v for k, v in row.items()} for row in VILLAGES]
    write(folder, "villages", kind, rows, shapes=[point(v) for v in VILLAGES])
    return TOTAL


table(
    "column_missing",
    "villages",
    lambda rows: [{k: v for k, v in r.items() if k != "乡镇"} for r in rows],
)
table("column_unknown", "villages", lambda rows: [{**r, "教室量": "3"} for r in rows])
table("column_twice", "villages", lambda rows: [{**r, "村编码": r["村代码"]} for r in rows])
table("column_private", "villages", lambda rows: [{**r, "家长电话": "1"} for r in rows])
table("empty_layer", "villages", lambda rows: [dict.fromkeys(rows[0], "")])


@dirty
def several_sheets(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    workbook(
        folder / "村庄.xlsx",
        VILLAGES,
        lambda b, _: b.add_worksheet("去年").write_row(0, 0, ["村代码"]),
    )
    return TOTAL


def children_in_sheets(folder: Path, **sheets: Rows) -> Any:
    """A workbook of children with a sheet a name; the book is still open."""
    county(folder, leave=("children",))
    book = xlsxwriter.Workbook(folder / "学龄人口.xlsx")
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for r, line in enumerate([list(CHILDREN[0]), *(list(row.values()) for row in rows)]):
            sheet.write_row(r, 0, line)
    return book


@dirty
def sheet_a_township(folder: Path, kind: str) -> int:
    children_in_sheets(folder, 甲镇=CHILDREN[:4], 乙镇=CHILDREN[4:]).close()
    return 0


@dirty
def hidden_sheet_named_after_the_layer(folder: Path, kind: str) -> int:
    old = [{**row, "学生数": "99"} for row in CHILDREN]
    book = children_in_sheets(folder, 今年=CHILDREN, 学生数=old)
    book.get_worksheet_by_name("学生数").hide()
    book.close()
    return TOTAL


@dirty
def rows_in_two_sheets(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))

    def put(book: Any, _: Any) -> None:
        other = book.add_worksheet("2027")
        other.write_row(0, 0, list(CHILDREN[0]))
        for r, row in enumerate(CHILDREN, start=1):
            other.write_row(r, 0, list({**row, "年度": "2027"}.values()))

    workbook(folder / "学龄人口.xlsx", CHILDREN, put)
    return TOTAL


@dirty
def several_files(folder: Path, kind: str) -> int:
    county(folder)
    write(folder, "villages", "geojson" if kind == "csv" else kind, VILLAGES)
    return TOTAL


@dirty
def formula_without_value(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    workbook(
        folder / "学龄人口.xlsx", CHILDREN, lambda _, s: s.write_formula(2, 3, "=D2*2", None, "")
    )
    edit(folder / "学龄人口.xlsx", "sheet1.xml",
         lambda x: re.sub(rb"</f><v>[^<]*</v>", b"</f>", x).replace(b' t="str"', b""))  # fmt: skip
    return without(1)


@dirty
def error_value(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    workbook(
        folder / "学龄人口.xlsx",
        CHILDREN,
        lambda _, s: s.write_formula(2, 3, "=D2*2", None, "#REF!"),
    )
    return without(1)


# Numbers

for _name, _value, _left in (
    ("full_width_number", "３", TOTAL), ("number_with_unit", "85人", without(0)),
    ("chinese_numeral", "八十五", without(0)), ("dash_for_nothing", "—", without(0)),
    ("foreign_digits", "٣", without(0)), ("negative_number", "-3", without(0)),
    ("fraction", "7.5", without(0)), ("huge_number", "1000000000", without(0) + 1_000_000_000),
    ("not_a_number", "NaN", without(0)), ("decimal_comma", "1,20", without(0)),
    ("blank_number", "", without(0)), ("hexadecimal", "0x10", without(0)),
):  # fmt: skip
    cell(_name, "children", 0, "学生数", _value, _left)
cell("thousands_separator", "villages", 0, "人口", "1,200")
cell("grade_out_of_range", "children", 0, "年级", "13")
cell("year_that_is_none", "children", 0, "年度", "去年")
cell("choice_misspelt", "schools", 0, "办学类型", "大学")


@dirty
def row_total_differs(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    rows = [
        {"村代码": c["村代码"], "年度": "2026", "一年级": c["学生数"], "合计": c["学生数"]}
        for c in CHILDREN
    ]
    rows[0]["合计"] = "99"
    write(folder, "children", kind, rows)
    return TOTAL


# Places


def moved(name: str, at: int, lon: Any, lat: Any) -> None:
    def build(folder: Path, kind: str) -> int:
        county(folder, leave=("villages",))
        write(folder, "villages", kind, changed(VILLAGES, at, 经度=lon, 纬度=lat))
        return TOTAL

    DIRTY[name] = build


moved("swapped_coordinates", 1, VILLAGES[1]["纬度"], VILLAGES[1]["经度"])
moved("zero_coordinates", 0, 0.0, 0.0)
moved("outside_the_county", 0, 108.1, 30.1)
moved("missing_coordinates", 0, "", "")
moved("coordinates_in_words", 0, "104度6分", "30度6分")
moved("same_place", 1, VILLAGES[0]["经度"], VILLAGES[0]["纬度"])


@dirty
def empty_geometry(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    shapes = [point(v) for v in VILLAGES]
    shapes[1] = shapely.Point()
    write(folder, "villages", kind, VILLAGES, shapes=shapes)
    return TOTAL


@dirty
def geometry_of_another_kind(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    shapes: list[Any] = [point(v) for v in VILLAGES]
    if kind == "shp":
        shapes = [shapely.LineString([(p.x, p.y), (p.x + 0.01, p.y)]) for p in shapes]
    else:
        shapes[0] = shapely.LineString([(104.1, 30.1), (104.2, 30.2)])
    write(folder, "villages", kind, VILLAGES, shapes=shapes)
    return TOTAL


@dirty
def heights(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    shapes = [shapely.Point(v["经度"], v["纬度"], 900.0) for v in VILLAGES]
    write(folder, "villages", kind, VILLAGES, shapes=shapes)
    return TOTAL


@dirty
def two_places_differ(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    rows = [{**v, "lon": v["经度"], "lat": v["纬度"]} for v in VILLAGES]
    rows[2]["lat"] = rows[2]["lat"] + 0.02
    write(folder, "villages", kind, rows)
    return TOTAL


@dirty
def no_crs(folder: Path, kind: str) -> int:
    county(
        folder, leave=("villages",), manifest='name = "小县"\n[sources.schools]\ncrs = "CGCS2000"\n'
    )
    path = write(folder, "villages", kind, VILLAGES)
    if kind == "shp":
        path.with_suffix(".prj").unlink()
    elif kind == "gpkg":
        with sqlite3.connect(path) as base:
            base.execute("UPDATE gpkg_geometry_columns SET srs_id = -1")
            base.execute("UPDATE gpkg_contents SET srs_id = -1")
        base.close()
    return TOTAL


@dirty
def unknown_crs(folder: Path, kind: str) -> int:
    county(
        folder,
        leave=("villages",),
        manifest=MANIFEST + '[sources.villages]\ncrs = "某市独立坐标系"\n',
    )
    write(folder, "villages", kind, VILLAGES)
    return TOTAL


table("degrees_as_metres", "villages", list, crs=4544,
      manifest=MANIFEST + '[sources.villages]\ncrs = "EPSG:4544"\n')  # fmt: skip


def in_metres(epsg: int, east: str = "东坐标", north: str = "北坐标") -> Rows:
    x, y = transform([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES], 4490, epsg)
    rows = [{k: c for k, c in v.items() if k not in PLACES} for v in VILLAGES]
    return [{**r, east: float(a), north: float(b)} for r, a, b in zip(rows, x, y, strict=True)]


def projected(name: str, stated: int, rows: Callable[[], Rows]) -> None:
    def build(folder: Path, kind: str) -> int:
        county(folder, leave=("villages",),
               manifest=MANIFEST + f'[sources.villages]\ncrs = "EPSG:{stated}"\n')  # fmt: skip
        write(folder, "villages", kind, rows(), crs=stated)
        return TOTAL

    DIRTY[name] = build


projected("zone_under_plain_system", 4544, lambda: in_metres(4523))
projected("no_zone_under_zoned_system", 4523, lambda: in_metres(4544))
projected("zone_of_another_system", 4549, lambda: in_metres(4523))
projected("metres_as_degrees", 4490, lambda: in_metres(4523, "经度", "纬度"))
projected("north_and_east_swapped", 4544, lambda: in_metres(4544, "北坐标", "东坐标"))


@dirty
def two_systems(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    write(folder, "villages", kind, in_metres(32648), crs=32648)
    return TOTAL


# Shifts, roads, polygons


def streets() -> list[Any]:
    """A road through every village, and one along each row of them."""
    by_row: dict[float, list[tuple[float, float]]] = {}
    for v in VILLAGES:
        by_row.setdefault(v["纬度"], []).append((v["经度"], v["纬度"]))
    spine = [(v["经度"], v["纬度"]) for v in VILLAGES]
    rows = [[(104.05, lat), *sorted(places), (104.3, lat)] for lat, places in by_row.items()]
    return [shapely.LineString(line) for line in [spine, *rows]]


def roads(folder: Path, shapes: list[Any] | None = None) -> None:
    lines = shapes if shapes is not None else streets()
    gpd.GeoDataFrame({"道路等级": ["乡道"] * len(lines)}, geometry=lines, crs=4490).to_file(
        folder / "道路.gpkg"
    )


def shifted(name: str, shift: Callable[..., Any]) -> None:
    def build(folder: Path, kind: str) -> int:
        county(folder, leave=("villages",))
        lon, lat = shift([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES])
        rows = [
            {**v, "经度": float(a), "纬度": float(b)}
            for v, a, b in zip(VILLAGES, lon, lat, strict=True)
        ]
        write(folder, "villages", kind, rows)
        roads(folder)
        return TOTAL

    DIRTY[name] = build


shifted("undeclared_gcj02", wgs84_to_gcj02)
shifted("undeclared_bd09", wgs84_to_bd09)


@dirty
def site_under_a_schools_code(folder: Path, kind: str) -> int:
    county(folder)
    row = {"校址代码": "0101", "名称": "新址", "乡镇": "甲镇", "起始年级": "1", "终止年级": "6",
           "最多教室数": "6", "经度": 104.12, "纬度": 30.11}  # fmt: skip
    write(folder, "sites", kind, [row])
    return TOTAL


@dirty
def township_undeclared_gcj02(folder: Path, kind: str) -> int:
    """Of three townships with ten villages each, one was taken from a map provider."""
    county(folder, leave=("villages",))
    rows = [
        {
            **VILLAGES[k % 8],
            "村代码": VILLAGES[k]["村代码"] if k < 8 else f"9{k:02d}",
            "村名": f"{k}村",
            "乡镇": "甲乙丙"[k // 10] + "镇",
            "人口": "0",
            "经度": round(104.10 + 0.004 * (k % 10), 5),
            "纬度": round(30.10 + 0.01 * (k // 10), 5),
        }
        for k in range(30)
    ]
    roads(
        folder,
        [
            shapely.LineString([(104.0, 30.1 + 0.01 * t), (104.2, 30.1 + 0.01 * t)])
            for t in range(3)
        ],
    )
    for row in rows[10:20]:
        lon, lat = wgs84_to_gcj02(np.array([row["经度"]]), np.array([row["纬度"]]))
        row["经度"], row["纬度"] = float(lon[0]), float(lat[0])
    write(folder, "villages", kind, rows)
    return TOTAL


@dirty
def far_from_any_road(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    write(folder, "villages", kind, changed(VILLAGES, 7, 经度=104.25, 纬度=30.25))
    roads(folder, streets()[:1])
    return TOTAL


@dirty
def road_island(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    write(folder, "villages", kind, changed(VILLAGES, 7, 经度=104.30, 纬度=30.20))
    island = shapely.LineString([(104.29, 30.20), (104.30, 30.20), (104.31, 30.20)])
    roads(folder, [*streets()[:1], island])
    return TOTAL


def borders(name: str, shapes: list[Any], kinds: list[str], names: list[str]) -> None:
    def build(folder: Path, kind: str) -> int:
        county(folder)
        rows = [
            {"区划代码": str(k), "名称": n, "级别": s}
            for k, (n, s) in enumerate(zip(names, kinds, strict=True))
        ]
        write(folder, "boundaries", kind, rows, shapes=shapes)
        return TOTAL

    DIRTY[name] = build


_box = shapely.box
borders("self_crossing_polygon", [shapely.Polygon([(104, 30), (104.3, 30.3), (104.3, 30), (104, 30.3)])],
        ["县"], ["小县"])  # fmt: skip
borders("polygon_without_area", [shapely.Polygon([(104, 30), (104.3, 30.3), (104, 30)]), _box(104, 30, 104.3, 30.3)],
        ["乡镇", "县"], ["甲镇", "小县"])  # fmt: skip
borders("overlapping_polygons", [_box(104, 30, 104.2, 30.3), _box(104.14, 30, 104.3, 30.3)],
        ["乡镇", "乡镇"], ["甲镇", "乙镇"])  # fmt: skip
borders("point_on_shared_border", [_box(104, 30, 104.148, 30.3), _box(104.148, 30, 104.3, 30.3)],
        ["乡镇", "乡镇"], ["甲镇", "乙镇"])  # fmt: skip
borders("wrong_township", [_box(104, 30, 104.14, 30.3), _box(104.14, 30, 104.3, 30.3)],
        ["乡镇", "乡镇"], ["乙镇", "甲镇"])  # fmt: skip


# Files that are not what they seem


def edit(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    """Change one member of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(data) if name.endswith(member) else data)


@dirty
def vrt_in_disguise(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    secret = folder.parent / "secret.csv"
    secret.write_text("村代码,村名\n1,密\n", encoding="utf-8")
    text = (f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{secret}</SrcDataSource>'
            "</OGRVRTLayer></OGRVRTDataSource>")  # fmt: skip
    (folder / f"村庄.{kind}").write_text(text, encoding="utf-8")
    if kind == "shp":
        for part in (".shx", ".dbf"):
            (folder / f"村庄{part}").write_bytes(bytes(100))
    return TOTAL


@dirty
def pickle_in_disguise(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    (folder / f"村庄.{kind}").write_bytes(pickle.dumps({"a": list(range(99))}))
    if kind == "shp":
        for part in (".shx", ".dbf"):
            (folder / f"村庄{part}").write_bytes(bytes(100))
    return TOTAL


@dirty
def truncated_file(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return TOTAL


@dirty
def file_of_no_bytes(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    write(folder, "villages", kind, VILLAGES).write_bytes(b"")
    return TOTAL


@dirty
def archive_bomb(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = folder / "村庄.xlsx"
    workbook(path, VILLAGES)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.bin", bytes(60_000_000))
    return TOTAL


@dirty
def archive_with_paths(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = folder / "村庄.xlsx"
    workbook(path, VILLAGES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.xml", "<a/>")
    return TOTAL


@dirty
def far_cell(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    workbook(folder / "村庄.xlsx", VILLAGES, lambda _, s: s.write_string(1048575, 16383, "x"))
    return TOTAL


@dirty
def entities_in_workbook(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    workbook(folder / "村庄.xlsx", VILLAGES)
    edit(folder / "村庄.xlsx", "sheet1.xml",
         lambda x: x.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1))  # fmt: skip
    return TOTAL


@dirty
def old_or_locked_workbook(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    (folder / "村庄.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    return TOTAL


@dirty
def one_key_twice(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    path = write(folder, "children", "geojson", CHILDREN)
    text = path.read_text(encoding="utf-8").replace(
        '"学生数": "3"', '"学生数": "3", "学生数": "30"'
    )
    path.write_text(text, encoding="utf-8")
    return TOTAL


@dirty
def deep_nesting(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    (folder / "村庄.geojson").write_text('{"a":' * 200_000, encoding="utf-8")
    return TOTAL


@dirty
def foreign_virtual_table(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    base = sqlite3.connect(write(folder, "villages", kind, VILLAGES))
    base.execute("PRAGMA writable_schema = 1")
    base.execute("INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, "
                 "'CREATE VIRTUAL TABLE x USING VirtualOGR(''/etc/hostname'')')")  # fmt: skip
    base.commit()
    base.close()
    return TOTAL


@dirty
def endless_view(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    base = sqlite3.connect(write(folder, "villages", kind, VILLAGES))
    # VACUUM has fixed the columns' names: the view keeps them and never ends in a crash.
    base.execute("CREATE VIEW bomb AS SELECT zeroblob(3000000000) AS 村代码")
    base.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                 "VALUES ('bomb', 'attributes', 'bomb')")  # fmt: skip
    base.execute("DELETE FROM gpkg_contents WHERE table_name = 'villages'")
    base.commit()
    base.close()
    return TOTAL


@dirty
def open_in_another_program(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES)
    path.with_name(path.name + "-wal").write_bytes(bytes(4096))
    return TOTAL


@dirty
def shapefile_without_index(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    write(folder, "villages", kind, VILLAGES).with_suffix(".shx").unlink()
    return TOTAL


@dirty
def shapefile_without_table(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    write(folder, "villages", kind, VILLAGES).with_suffix(".dbf").unlink()
    return TOTAL


@dirty
def shapefile_of_two_lengths(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES).with_suffix(".dbf")
    write(folder, "villages", kind, VILLAGES[:7])
    data = path.read_bytes()
    write(folder, "villages", kind, VILLAGES)
    path.write_bytes(data)
    return TOTAL


@dirty
def headings_cut_to_ten_bytes(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    rows = [{**v, "低年级就读学校": "0101"} for v in VILLAGES]
    write(folder, "villages", kind, rows)
    return TOTAL


@dirty
def deleted_records(folder: Path, kind: str) -> int:
    county(folder, leave=("children",))
    path = write(folder, "children", kind, [*CHILDREN, CHILDREN[0]]).with_suffix(".dbf")
    data = bytearray(path.read_bytes())
    start, size = struct.unpack("<HH", data[8:12])
    data[start + len(CHILDREN) * size] = ord("*")
    path.write_bytes(bytes(data))
    return TOTAL


@dirty
def path_out_of_the_folder(folder: Path, kind: str) -> int:
    county(
        folder,
        leave=("villages",),
        manifest=MANIFEST + f'[sources.villages]\nfile = "../村庄.{kind}"\n',
    )
    write(folder.parent, "villages", kind, VILLAGES)
    return TOTAL


@dirty
def absolute_path(folder: Path, kind: str) -> int:
    county(
        folder,
        leave=("villages",),
        manifest=MANIFEST + f'[sources.villages]\nfile = "C:/x/村庄.{kind}"\n',
    )
    write(folder, "villages", kind, VILLAGES)
    return TOTAL


@dirty
def network_path(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",),
           manifest=MANIFEST + f"[sources.villages]\nfile = '\\\\server\\share\\村庄.{kind}'\n")  # fmt: skip
    write(folder, "villages", kind, VILLAGES)
    return TOTAL


@dirty
def device_name(folder: Path, kind: str) -> int:
    county(
        folder,
        leave=("villages",),
        manifest=MANIFEST + f'[sources.villages]\nfile = "con.{kind}"\n',
    )
    return TOTAL


@dirty
def link_out_of_the_folder(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder.parent, "villages", kind, VILLAGES)
    for part in sorted(folder.parent.glob("村庄.*")):
        (folder / part.name).symlink_to(part)
    assert path.exists()
    return TOTAL


# Roads of OpenStreetMap --------------------------------------------------------------------------


def osm_text(
    extra: str = "", head: str = "", lines: list[Any] | None = None, tag: str = "tertiary"
) -> str:
    """Roads as OpenStreetMap XML; lines share a node where they share a place."""
    nodes: dict[tuple[float, float], int] = {}
    ways = []
    for k, line in enumerate(lines if lines is not None else streets(), start=1):
        refs = [nodes.setdefault(xy[:2], len(nodes) + 1) for xy in line.coords]
        ways.append(f'<way id="{k}" version="1">' + "".join(f'<nd ref="{r}"/>' for r in refs)
                    + f'<tag k="highway" v="{tag}"/></way>')  # fmt: skip
    points = "".join(
        f'<node id="{r}" version="1" lon="{x}" lat="{y}"/>' for (x, y), r in nodes.items()
    )
    return f'<?xml version="1.0"?>\n{head}<osm version="0.6">{points}{"".join(ways)}{extra}</osm>'


def osm(
    name: str, make: Callable[[Path], bytes], suffix: str = "osm", spoil: Rows | None = None
) -> None:
    def build(folder: Path, kind: str) -> int:
        county(folder, **({"villages": spoil} if spoil else {}))
        (folder / f"道路.{suffix}").write_bytes(make(folder))
        return TOTAL

    DIRTY[name] = build


def pbf(folder: Path) -> bytes:
    import osmium

    source, target = folder / "x.osm", folder / "x.osm.pbf"
    source.write_text(osm_text(), encoding="utf-8")
    with osmium.SimpleWriter(str(target)) as writer:
        for thing in osmium.FileProcessor(str(source)):
            writer.add(thing)
    data = target.read_bytes()
    source.unlink()
    target.unlink()
    return data


_BOMB = "<!DOCTYPE osm [" + "".join(
    f'<!ENTITY e{k} "{f"&e{k - 1};" * 10 if k else "x" * 10}">' for k in range(9)
) + "]>\n"  # fmt: skip
osm("osm_clean", lambda f: osm_text().encode())
osm("osm_pbf_clean", pbf, "osm.pbf")
osm("osm_entity_bomb", lambda f: osm_text('<note a="&e8;"/>', _BOMB).encode())
osm(
    "osm_external_entity",
    lambda f: osm_text("", '<!DOCTYPE osm SYSTEM "file:///etc/hostname">').encode(),
)
osm("osm_entities_in_graphml", lambda f: (_BOMB + "<graphml>&e8;</graphml>").encode(), "graphml")
osm("osm_truncated", lambda f: osm_text()[:-200].encode())
osm("osm_pbf_truncated", lambda f: pbf(f)[:-40], "osm.pbf")
osm("osm_pbf_in_disguise", lambda f: b"\x1f\x8b\x08" + bytes(500), "osm.pbf")
osm("osm_no_roads", lambda f: osm_text(tag="proposed").encode())
osm("osm_unknown_class", lambda f: osm_text(
    '<way id="99" version="1"><nd ref="1"/><nd ref="3"/><tag k="highway" v="cableway"/></way>').encode())  # fmt: skip
osm("osm_missing_nodes", lambda f: osm_text(
    '<way id="99" version="1"><nd ref="1"/><nd ref="9999"/><nd ref="2"/><nd ref="3"/>'
    '<tag k="highway" v="tertiary"/></way>').encode())  # fmt: skip
osm("osm_nodes_in_one_place", lambda f: osm_text(
    '<node id="901" version="1" lon="104.1" lat="30.1"/><way id="99" version="1"><nd ref="1"/>'
    '<nd ref="901"/><tag k="highway" v="tertiary"/></way>').encode())  # fmt: skip
osm("osm_coordinates_beyond_the_earth", lambda f: osm_text(
    '<node id="901" version="1" lon="1104.1" lat="130.1"/>').encode())  # fmt: skip
osm("osm_shifted_villages", lambda f: osm_text().encode(), spoil=[
    {**v, "经度": float(a), "纬度": float(b)} for v, a, b in zip(
        VILLAGES, *wgs84_to_gcj02([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES]), strict=True)])  # fmt: skip
osm("osm_far_village", lambda f: osm_text(lines=streets()[:1]).encode(),
    spoil=changed(VILLAGES, 7, 经度=104.25, 纬度=30.25))  # fmt: skip
osm("osm_island", lambda f: osm_text(lines=[*streets()[:1], shapely.LineString(
    [(104.29, 30.20), (104.30, 30.20), (104.31, 30.20)])]).encode(),
    spoil=changed(VILLAGES, 7, 经度=104.30, 纬度=30.20))  # fmt: skip
osm("osm_packed", lambda f: b"BZh9" + bytes(100), "osm.bz2")


# Students by address ------------------------------------------------------------------------------


def at_address(name: str, address: str, total: int = TOTAL) -> None:
    def build(folder: Path, kind: str) -> int:
        county(folder)
        rows = [{"学生编号": "s1", "年级": "1", "住址": "甲镇东村3组12号"},
                {"学生编号": "s2", "年级": "2", "住址": address}]  # fmt: skip
        path = folder / f"学生住址.{kind}"
        if kind == "csv":
            path.write_text(as_csv(rows), encoding="utf-8")
        else:
            workbook(path, rows)
        return total

    DIRTY[name] = build


at_address("address_with_code", "村代码006 二组")
at_address("address_by_name", "小县乙镇左村2组")
at_address("address_without_township", "东村3组")
at_address("address_of_two_villages", "甲镇东村与西村之间")
at_address("address_elsewhere", "甲镇朝阳村1组")
at_address("address_house_number_like_a_code", "甲镇东村002室")
at_address("address_contradicts_its_code", "甲镇东村 002")
at_address("address_of_a_longer_name", "甲镇新东村5号")
at_address("address_on_a_road", "甲镇南村路12号")
at_address("address_in_another_county", "邻县甲镇东村3组")


@dirty
def home_without_a_village(folder: Path, kind: str) -> int:
    """Home points count the students, and four of them name no village."""
    county(folder, leave=("children",))
    rows = [
        {"学生编号": f"s{k}", "年级": "1", "村代码": "" if k < 4 else f"00{k % 8 + 1}",
         "经度": 104.11, "纬度": 30.105}
        for k in range(24)
    ]  # fmt: skip
    write(folder, "students", kind, rows)
    return 4


@dirty
def half_a_character(folder: Path, kind: str) -> int:
    county(folder, leave=("villages",))
    path = write(folder, "villages", kind, VILLAGES)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("东村", "\\ud800"), encoding="utf-8")
    return TOTAL


@dirty
def degrees_and_metres_differ(folder: Path, kind: str) -> int:
    """Both kinds of columns, and one row moved by a kilometre in one of them."""
    county(folder, leave=("villages",))
    east, north = transform(
        [v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES], 4490, 4543
    )
    rows = [
        {**v, "东坐标": round(float(east[k]) + (1000 if k == 3 else 0), 1),
         "北坐标": round(float(north[k]), 1)}
        for k, v in enumerate(VILLAGES)
    ]  # fmt: skip
    write(folder, "villages", kind, rows)
    return TOTAL


def registry() -> list[dict[str, str]]:
    """Rows of the table of classes."""
    return list(csv.DictReader(REGISTRY.read_text(encoding="utf-8").splitlines()))


def make_page() -> str:
    """Lay the table out as ``docs/dirty.md``."""
    formats = ["csv", "xlsx", "shp", "gpkg", "geojson", "osm"]
    by_class: dict[str, list[dict[str, str]]] = {}
    for row in registry():
        by_class.setdefault(row["class"], []).append(row)
    cells = sum(len(r["formats"].split()) for r in registry())
    head = f"""# Dirty and hostile files / 脏数据与恶意文件

*This page is written by `python tests/trust/dirty_files.py` from `tests/trust/dirty_classes.csv`;
`tests/trust/test_files_dirty.py` makes each file and holds the reader to each cell.*

{len(by_class)} classes, {cells} cells. `read`: read as it is meant, nothing to tell. `repaired`: read
as it is meant, and told. `reported`: read as it stands, with a warning or note. `refused`: an error
with layer, row, value and remedy; nothing is computed until it is mended or its rows are set aside
and counted. In every cell students in = read + rejected. In brackets: the kind of fault in
`faults.csv`, or a word of the note.
"""
    lines = [
        head,
        "| class | 含义 | meaning | " + " | ".join(f.upper() for f in formats) + " |",
        "|---|---|---|" + "---|" * len(formats),
    ]
    for name, rows in by_class.items():
        told = {f: f"{r['expected']} ({r['code']})" if r["code"] else r["expected"]
                for r in rows for f in r["formats"].split()}  # fmt: skip
        first = rows[0]
        lines.append(
            f"| `{name}` | {first['zh']} | {first['en']} | "
            + " | ".join(told.get(f, "").replace("|", " or ") for f in formats)
            + " |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    page = Path(__file__).resolve().parents[2] / "docs" / "dirty.md"
    page.write_text(make_page(), encoding="utf-8")
    print(f"wrote {page.name}, {np.size(registry())} rows")
