"""Empty templates for a county office: a workbook with a sheet a layer, two recipes, own tables."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from catchment.errors import InputError
from catchment.files import TEXT_STAYS_TEXT, write_atomically
from catchment.region.county_tables import FILES, template_text
from catchment.region.schema import (
    GRADES,
    PLACE_COLUMNS,
    Column,
    Layer,
    layers,
    value_aliases,
)

Language = Literal["zh", "en"]
ROWS = 5000
# A fixed date keeps the file the same from run to run.
_CREATED = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_SHEETS = ("villages", "children", "schools", "classes", "sites", "areas")
_GRADE_NAMES = ("一", "二", "三", "四", "五", "六", "七", "八", "九")

_REGION_ZH = """# 县域说明。井号后面是注释；不认识的键会报错。
name = "某某县"
note = ""

# 坐标系：没有另外说明的来源都按它理解。可写 CGCS2000、WGS84、EPSG:4549（高斯-克吕格）、
# GCJ-02（高德、腾讯）、BD-09（百度）。
crs = "CGCS2000"

# 文件按图层名自动寻找（如 县域数据.xlsx 中的各表、道路.osm.pbf、高程.tif）。
# 需要单独说明时，去掉下面的井号：
# [sources.schools]
# file = "县域数据.xlsx"      # 只能是本文件夹内的相对路径
# sheet = "学校"
# crs = "GCJ-02"
#
# [sources.children]
# file = "学龄人口.csv"
# encoding = "gb18030"
"""
_REGION_EN = """# The county. Text after # is a comment; unknown keys are errors.
name = "County"
note = ""

# Coordinate system of every source that states none: CGCS2000, WGS84, EPSG:4549 (Gauss-Krueger),
# GCJ-02 (AMap, Tencent) or BD-09 (Baidu).
crs = "WGS84"

# Files are found by the name of their layer (the sheets of county.xlsx, roads.osm.pbf,
# elevation.tif). Where one needs saying, take the # away:
# [sources.schools]
# file = "county.xlsx"        # a path inside this folder
# sheet = "schools"
# crs = "GCJ-02"
#
# [sources.children]
# file = "children.csv"
# encoding = "gb18030"
"""
_SCENARIO_ZH = """# 方案。井号后面是注释；不认识的键会报错。
name = "现状评估"
region = "."
years = [2026]
seed = 0
time_limit = 60.0

[method]
assignment = "today"   # today 现状；nearest 就近；capacity 就近且不超学位

# 动作（去掉井号使用，可写多个）：
# [[action]]
# do = "merge"         # keep 保留、downgrade 改教学点、merge 撤并、expand 扩建、build 新建、reopen 恢复、road 修路
# school = "学校代码"
# into = "并入学校代码"
# year = 2026
"""
_SCENARIO_EN = """# A scenario. Text after # is a comment; unknown keys are errors.
name = "Today"
region = "."
years = [2026]
seed = 0
time_limit = 60.0

[method]
assignment = "today"   # today, nearest or capacity (nearest within school places)

# Actions (take the # away; as many as needed):
# [[action]]
# do = "merge"         # keep, downgrade, merge, expand, build, reopen, road
# school = "school code"
# into = "school code"
# year = 2026
"""


def write_templates(folder: str | Path, lang: Language = "zh") -> tuple[Path, ...]:
    """Write empty templates into a folder.

    Parameters
    ----------
    folder : str or Path
        Folder to write into; made when it does not exist.
    lang : {"zh", "en"}, default "zh"
        Language of headings and explanations.

    Returns
    -------
    tuple of Path
        The workbook, ``region.toml``, ``scenario.toml`` and the county's own tables:
        ``evidence.csv``, ``resources.csv`` and ``need_factors.csv``.

    Raises
    ------
    InputError
        When one of the files already exists; nothing is written then.
    """
    root = Path(folder)
    zh = lang == "zh"
    book = root / ("县域数据.xlsx" if zh else "county.xlsx")
    texts = {
        root / "region.toml": _REGION_ZH if zh else _REGION_EN,
        root / "scenario.toml": _SCENARIO_ZH if zh else _SCENARIO_EN,
        **{root / name: template_text(table, lang) for table, name in FILES.items()},
    }
    taken = [path.name for path in (book, *texts) if path.exists()]
    if taken:
        names = "、".join(taken)
        raise InputError(
            f"{names} 已存在，未写入任何文件；请换一个空文件夹 / {names} already there, nothing was "
            "written; choose an empty folder"
        )
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(book, lambda temporary: _workbook(temporary, lang))
    for path, text in texts.items():
        write_atomically(path, partial(_write_text, text))
    return (book, *texts)


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="" if path.suffix == ".csv" else "\n")


def template_headings(layer: Layer, lang: Language) -> list[tuple[str, Column | None]]:
    """List the headings of a layer's template sheet.

    Parameters
    ----------
    layer : Layer
        Declaration.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    list of (heading, Column)
        Children have one column a grade; tables state places by longitude and latitude.
    """
    found: list[tuple[str, Column | None]] = []
    for column in layer.columns:
        if column.column in {"easting", "northing"}:
            continue
        if layer.layer == "children" and column.column in {"grade", "students"}:
            continue
        found.append((column.title if lang == "zh" else column.column, column))
    if layer.layer == "children":
        students = layer.column("students")
        for grade in GRADES:
            title = f"{_GRADE_NAMES[grade - 1]}年级" if lang == "zh" else f"g{grade}"
            found.append((title, students))
    return found


def _workbook(path: Path, lang: Language) -> None:
    with xlsxwriter.Workbook(path, TEXT_STAYS_TEXT) as book:
        book.set_properties({"title": "catchment", "created": _CREATED})
        styles = {
            "must": book.add_format({"bold": True, "bg_color": "#FDE9D9", "border": 1}),
            "may": book.add_format({"bold": True, "bg_color": "#EEF3F8", "border": 1}),
            "text": book.add_format({"num_format": "@"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
            "bold": book.add_format({"bold": True}),
        }
        _explain(book, styles, lang)
        for name in _SHEETS:
            layer = layers()[name]
            sheet = book.add_worksheet(layer.title if lang == "zh" else name)
            sheet.freeze_panes(1, 0)
            for at, (title, column) in enumerate(template_headings(layer, lang)):
                required = column is not None and (
                    column.required or column.column in PLACE_COLUMNS
                )
                sheet.write_string(0, at, title, styles["must" if required else "may"])
                text = column is not None and column.type in {"id", "text"}
                sheet.set_column(
                    at, at, max(10, 2 * len(title) + 2), styles["text"] if text else None
                )
                if column is not None:
                    _validate(sheet, at, column, lang)


def choices_of(column: Column, lang: Language) -> list[str]:
    """List the values of a column that can only hold a few.

    Parameters
    ----------
    column : Column
        Declaration.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    list of str
        First Chinese spelling of each value, or the values themselves; empty for other columns.
    """
    values = ("yes", "no") if column.type == "bool" else column.values
    if lang == "en" or not values:
        return list(values)
    spelt = value_aliases(column.layer, "bool" if column.type == "bool" else column.column)
    return [
        next((s for s, v in spelt.items() if v == value and s != value), value) for value in values
    ]


def _validate(sheet: Any, at: int, column: Column, lang: Language) -> None:
    choices = choices_of(column, lang)
    letter = xl_col_to_name(at)
    area = f"{letter}2:{letter}{ROWS + 1}"
    if choices:
        rule: dict[str, Any] = {"validate": "list", "source": choices}
    elif column.low is not None and column.high is not None:
        kind = "decimal" if column.type == "float" else "integer"
        rule = {
            "validate": kind,
            "criteria": "between",
            "minimum": column.low,
            "maximum": column.high,
        }
    else:
        return
    rule["error_title"] = column.title if lang == "zh" else column.column
    rule["error_message"] = (column.zh if lang == "zh" else column.en)[:200]
    sheet.data_validation(area, rule)


def _explain(book: Any, styles: dict[str, Any], lang: Language) -> None:
    """Fill the first sheet: how to fill in the others."""
    zh = lang == "zh"
    sheet = book.add_worksheet("填写说明" if zh else "readme")
    lines = (
        (
            "每张表一行一条记录，第一行是列名，不要改名；底色较深的列必填，其余可空。",
            "代码一律按文本填写，保留前导零；人数只填数字，不写单位。",
            "经纬度的坐标系写在 region.toml 的 crs；高德、腾讯为 GCJ-02，百度为 BD-09。",
            "学生姓名、身份证号、电话不得录入。不需要的表可以整张删除。",
        )
        if zh
        else (
            "One record a row; the first row holds the headings, keep them. Darker ones are required.",
            "Codes are text and keep leading zeros; numbers are digits without units.",
            "State crs in region.toml (AMap and Tencent are GCJ-02; Baidu is BD-09).",
            "No names of children, identity numbers or phones. Sheets not needed may be deleted.",
        )
    )
    for row, line in enumerate(lines):
        sheet.write_string(row, 0, line)
    head = (
        ("表", "列", "必填", "类型", "单位", "范围或取值", "含义")
        if zh
        else ("sheet", "column", "required", "type", "unit", "range or values", "meaning")
    )
    start = len(lines) + 1
    for at, title in enumerate(head):
        sheet.write_string(start, at, title, styles["bold"])
    row = start + 1
    for name in _SHEETS:
        layer = layers()[name]
        for title, column in template_headings(layer, lang):
            if column is None:
                continue
            limits = "、".join(choices_of(column, lang))
            if not limits and column.low is not None and column.high is not None:
                limits = f"{column.low:g} – {column.high:g}"
            cells = (
                layer.title if zh else name,
                title,
                ("是" if zh else "yes") if column.required else "",
                column.type,
                column.unit,
                limits,
                column.zh if zh else column.en,
            )
            for at, text in enumerate(cells):
                sheet.write_string(row, at, text, styles["wrap"])
            row += 1
    sheet.set_column(0, 4, 14)
    sheet.set_column(5, 6, 48)
