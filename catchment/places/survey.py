"""The baseline survey (摸清底数): forms to be filled in, read back and counted by township.

Two forms: one row a school (rooms, grounds, classes that can be opened, places, lunch, rest and
transport needs) and one row a village (children, distance to the central school, present mode).
What the county's layers know is filled in; the rest is asked for.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from openpyxl import load_workbook

from catchment.errors import InputError
from catchment.files import TEXT_STAYS_TEXT

FORMS = ("school", "village")
TITLES = {"school": "学校基本情况", "village": "村学生情况"}
"""Names of the sheets."""

PROBLEM_COLUMNS = ("form", "row", "column", "value", "problem_zh", "problem_en", "remedy_zh")
MISSING_COLUMNS = ("township", "form", "rows", "rows_complete", "cells_missing")

_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Survey:
    """A survey that was read back.

    Attributes
    ----------
    forms : dict of str to DataFrame
        ``school`` and ``village``: columns of ``survey_columns.csv``; numbers are float64 with nan
        for blank.
    problems : DataFrame
        ``form, row, column, value, problem_zh, problem_en, remedy_zh``.
    missing : DataFrame
        ``township, form, rows, rows_complete, cells_missing``: what is still to be filled in.
    """

    forms: dict[str, pd.DataFrame]
    problems: pd.DataFrame
    missing: pd.DataFrame


def survey_bytes(tables: Mapping[str, pd.DataFrame], *, note: str = "") -> bytes:
    """Make the workbook of forms.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        ``school`` and ``village``; columns of ``survey_columns.csv`` that are known are filled in,
        columns that are not there stay blank.
    note : str
        Line under the title.

    Returns
    -------
    bytes
        An ``.xlsx`` file; the same tables give the same bytes. Text is text: nothing becomes a
        formula or a link.
    """
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, TEXT_STAYS_TEXT)
    book.set_properties({"created": _EPOCH.replace(tzinfo=None)})
    styles = {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "head": book.add_format(
            {"bold": True, "text_wrap": True, "border": 1, "bg_color": "#DDE8F0", "valign": "top"}
        ),
        "known": book.add_format({"border": 1, "num_format": "@", "bg_color": "#F3F3F3"}),
        "figure": book.add_format({"border": 1, "bg_color": "#F3F3F3"}),
        "ask": book.add_format({"border": 1, "bg_color": "#FFFBE6"}),
    }
    for form in FORMS:
        columns = _columns(form)
        sheet = book.add_worksheet(TITLES[form])
        sheet.write_string(0, 0, f"{TITLES[form]}（摸底表）", styles["title"])
        sheet.write_string(1, 0, note or "灰色为已有数据，请核对；黄色请填写，没有填 0，不清楚留空")
        table = tables.get(form, pd.DataFrame())
        for k, column in enumerate(columns):
            sheet.write_string(2, k, column["zh"], styles["head"])
            wide = column["column"] in ("school", "village", "central_school")
            sheet.set_column(k, k, 22 if wide else 13 if column["kind"] == "text" else 10)
        for number, row in enumerate(_records(table), start=3):
            for k, column in enumerate(columns):
                value = row.get(column["column"], "")
                given = value is not None and value == value and value != ""
                text = column["kind"] == "text"
                style = styles[("known" if text else "figure") if given else "ask"]
                if not given:
                    sheet.write_blank(number, k, None, style)
                elif text:
                    sheet.write_string(number, k, str(value), style)
                else:
                    sheet.write_number(number, k, float(value), style)
        sheet.set_default_row(17)
        sheet.set_row(2, 48)
        sheet.freeze_panes(3, 3)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(2)
    book.close()
    return buffer.getvalue()


def read_survey(path: Path, known: Mapping[str, Mapping[str, str]] | None = None) -> Survey:
    """Read forms that a township has filled in.

    Parameters
    ----------
    path : Path
        The workbook; sheets are known by their headings, in any order.
    known : mapping of str to mapping of str to str, optional
        Names by code of ``school`` and ``village`` as the county's layers have them. A row with
        another code is set aside and listed, a code without a row is listed; nothing is compared
        when left out.

    Returns
    -------
    Survey
        Tables, problems row by row, and what is missing by township.

    Raises
    ------
    InputError
        When the file is no workbook or holds neither form.
    """
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as fault:
        raise InputError(
            f"{path.name} 无法作为工作簿打开，请另存为 .xlsx / cannot be opened as a workbook; "
            "save it as .xlsx"
        ) from fault
    forms: dict[str, pd.DataFrame] = {}
    problems: list[tuple[Any, ...]] = []
    try:
        for sheet in book.worksheets:
            rows = [list(r) for r in sheet.iter_rows(values_only=True)]
            for form in FORMS:
                at = _header(rows, form)
                if at is not None and form not in forms:
                    forms[form] = _read_form(rows, at, form, problems)
    finally:
        book.close()
    if not forms:
        raise InputError(
            f"{path.name} 中没有摸底表（学校代码或村代码一列） / no survey form was found"
        )
    for form in (f for f in FORMS if f not in forms):
        zh, en = f"没有“{TITLES[form]}”一表", f"the form of the {form}s is missing"
        problems.append((form, 0, "", "", zh, en, "补回工作表和代码一列"))
    for form in FORMS:
        empty = pd.DataFrame(columns=["row", *(c["column"] for c in _columns(form))])
        forms.setdefault(form, empty)
    if known is not None:
        forms = {f: _compared(f, forms[f], known.get(f, {}), problems) for f in FORMS}
    _contradictions(forms, problems)
    return Survey(
        forms=forms,
        problems=pd.DataFrame(problems, columns=list(PROBLEM_COLUMNS)),
        missing=_missing(forms),
    )


@cache
def _columns(form: str) -> tuple[dict[str, str], ...]:
    text = files("catchment.places").joinpath("survey_columns.csv").read_text(encoding="utf-8")
    return tuple(r for r in csv.DictReader(text.splitlines()) if r["form"] == form)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(c) for c in table.columns]
    return [dict(zip(names, r, strict=True)) for r in table.itertuples(index=False, name=None)]


def _plain(text: object) -> str:
    shown = "" if text is None else str(text).replace("（", "(").replace("）", ")")
    return "".join(shown.split()).lower()


def _names(form: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for c in _columns(form):
        for name in (c["column"], c["zh"], c["en"], *c["aliases"].split("|")):
            if name:
                out[_plain(name)] = c["column"]
    return out


def _header(rows: list[list[Any]], form: str) -> int | None:
    key = _columns(form)[0]["column"]
    names = _names(form)
    for number, row in enumerate(rows[:20]):
        if key in {names.get(_plain(cell), "") for cell in row}:
            return number
    return None


def _read_form(
    rows: list[list[Any]], at: int, form: str, problems: list[tuple[Any, ...]]
) -> pd.DataFrame:
    names = _names(form)
    _headings(form, rows[at], at + 1, problems)
    place = {names[_plain(c)]: k for k, c in enumerate(rows[at]) if _plain(c) in names}
    seen: dict[str, int] = {}
    out = []
    for number, row in enumerate(rows[at + 1 :], start=at + 2):
        cells = {c: row[k] if k < len(row) else None for c, k in place.items()}
        if all(v is None or str(v).strip() == "" for v in cells.values()):
            continue
        entry: dict[str, Any] = {"row": number}
        for column in _columns(form):
            entry[column["column"]] = _value(form, number, column, cells, problems)
        key = _columns(form)[0]["column"]
        code = entry[key]
        if not code:
            problems.append(
                (form, number, key, "", "代码空缺，该行未采用", "no code; row not used", "补填代码")
            )
            continue
        if code in seen:
            text = f"与第 {seen[code]} 行重复，该行未采用"
            problems.append(
                (form, number, key, code, text, f"repeats row {seen[code]}", "删去一行")
            )
            continue
        seen[code] = number
        out.append(entry)
    return pd.DataFrame(out, columns=["row", *(c["column"] for c in _columns(form))])


def _headings(form: str, cells: list[Any], row: int, problems: list[tuple[Any, ...]]) -> None:
    """List columns of the form that are missing, twice or not known."""
    names = _names(form)
    found = [names.get(_plain(c), "") for c in cells]
    strange = [str(c).strip() for c, n in zip(cells, found, strict=True) if not n and _plain(c)]
    seen = f"；不认识的列：{'、'.join(strange)}" if strange else ""
    told = f"; unknown headings: {', '.join(strange)}" if strange else ""
    for column in _columns(form):
        times = found.count(column["column"])
        if times == 0:
            zh = f"没有“{column['zh']}”一列，其内容没有读入{seen}"
            en = f"no column {column['en']!r}: what it held was not read{told}"
            problems.append((form, row, column["column"], "", zh, en, "恢复原列名"))
        elif times > 1:
            zh, en = "列名重复，只读最后一列", "heading twice; the last is read"
            problems.append((form, row, column["column"], column["zh"], zh, en, "删去或改名"))
    for name in strange:
        zh, en = "不认识的列，没有读入", "unknown heading; not read"
        problems.append((form, row, "", name, zh, en, "如是原有列改名，请恢复原名"))


def _compared(
    form: str, table: pd.DataFrame, names: Mapping[str, str], problems: list[tuple[Any, ...]]
) -> pd.DataFrame:
    """Set rows of unknown codes aside and name the rows that were deleted."""
    key, title = _columns(form)[0]["column"], _columns(form)[1]["column"]
    here = table[key].astype(str)
    for number, code in zip(table["row"], here, strict=True):
        if code not in names:
            zh, en = "数据中没有这个代码，该行未采用", "no such code in the layers; row not used"
            problems.append((form, int(number), key, code, zh, en, "核对代码，注意前导零"))
    kept = table[here.isin(list(names))].reset_index(drop=True)
    for number, code, name in zip(kept["row"], kept[key].astype(str), kept[title], strict=True):
        if _plain(name) and _plain(name) != _plain(names[code]):
            zh, en = f"代码 {code} 在数据中是“{names[code]}”", f"code {code} is {names[code]!r}"
            problems.append((form, int(number), title, name, zh, en, "核对是否填错行"))
    for code in sorted(set(names) - set(here)):
        zh, en = f"表中没有“{names[code]}”一行", f"no row of {names[code]!r}"
        problems.append((form, 0, key, code, zh, en, "补回被删去的行"))
    return kept


def _value(
    form: str,
    number: int,
    column: dict[str, str],
    cells: Mapping[str, Any],
    problems: list[tuple[Any, ...]],
) -> Any:
    value = cells.get(column["column"])
    blank = value is None or str(value).strip() == ""
    if column["kind"] == "text":
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if blank else str(value).strip()
    if blank:
        return float("nan")
    try:
        figure = float(str(value).strip().replace(",", "").replace("，", ""))
        whole = column["kind"] == "number" or figure.is_integer()
        if not math.isfinite(figure) or figure < 0 or not whole:
            raise ValueError(value)
    except ValueError:
        zh = "应为非负数" if column["kind"] == "number" else "应为非负整数"
        problems.append(
            (
                form,
                number,
                column["column"],
                str(value),
                zh,
                "must be a number, 0 or more",
                "改正数字",
            )
        )
        return float("nan")
    return figure


LARGEST_CLASS = 50
"""Most students of a standard class of any stage: no school has more places than rooms times this."""


def _contradictions(forms: dict[str, pd.DataFrame], problems: list[tuple[Any, ...]]) -> None:
    """Find figures that contradict each other within a row."""
    for row in _records(forms["school"]):
        if row["classes_possible"] > row["rooms"]:
            text = f"可开设班级数多于教室数 {row['rooms']:g}"
            value = f"{row['classes_possible']:g}"
            problems.append(
                (
                    "school",
                    row["row"],
                    "classes_possible",
                    value,
                    text,
                    "more classes than rooms",
                    "核对",
                )
            )
        for column, other, most, zh, en in (
            (
                "places",
                "rooms",
                LARGEST_CLASS,
                "学位数超过教室数 × {most} 人",
                "more places than rooms x {most}",
            ),
            (
                "sports_area",
                "land_area",
                1,
                "运动场地大于校园占地",
                "sports ground larger than the land",
            ),
        ):
            if row[column] > row[other] * most:
                shown = f"{row[column]:g}"
                told = (zh.format(most=most), en.format(most=most))
                problems.append(("school", row["row"], column, shown, *told, "核对"))
    modes = ("walk", "bus", "public_transport", "family", "board")
    for row in _records(forms["village"]):
        known = [row[m] for m in modes if row[m] == row[m]]
        children = [row[c] for c in ("children_lower", "children_upper", "children_junior")]
        total = sum(c for c in children if c == c)
        whole = len(known) == len(modes) and all(c == c for c in children)
        if (whole and sum(known) != total) or (
            sum(known) > total and all(c == c for c in children)
        ):
            text = f"各上学方式合计 {sum(known):g} 人，与学生数 {total:g} 人不符"
            en = f"modes add up to {sum(known):g}, children to {total:g}"
            problems.append(
                ("village", row["row"], "walk", f"{sum(known):g}", text, en, "核对人数")
            )


def _missing(forms: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    for form in FORMS:
        table = forms[form]
        asked = [c["column"] for c in _columns(form) if c["kind"] != "text"]
        town = table["township"].replace("", "（乡镇未填）")
        for name in sorted(set(town)):
            mine = table.loc[town == name, asked].isna()
            rows.append(
                (name, form, len(mine), int((~mine.any(axis=1)).sum()), int(mine.to_numpy().sum()))
            )
    table = pd.DataFrame(rows, columns=list(MISSING_COLUMNS))
    return table.sort_values(["township", "form"], ignore_index=True)
