"""Text cells turned into the typed columns of a layer, every refusal kept with its row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors

from catchment.region.faults import Fault
from catchment.region.raw import Raw
from catchment.region.schema import (
    PLACE_COLUMNS,
    Column,
    Layer,
    grade_heading,
    heading_key,
    headings,
    ignored_heading,
    nearest_heading,
    plain,
    private_heading,
    table_schema,
    tidy,
    value_aliases,
    value_key,
)
from catchment.region.totals import named_totals

TOLERANT = frozenset({"roads"})
_INTEGER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.0*)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_YEAR = re.compile(
    r"([0-9]{4})(?:\.0)?\s*(?:[-\u2013\u2014~/至]\s*[0-9]{2,4})?\s*(?:年|学年|学年度|年度|年秋季?|秋季?)?"
)
_LOST_CODE = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]+|[0-9]+\.[0-9]+")
# What spreadsheets make of 3-1 and 2023-3-1 when a table is saved as text.
_DATE = re.compile(
    r"(?:[0-9]{4}[-/年][0-9]{1,2}[-/月][0-9]{1,2}日?(?: 0?0:00(?::00)?)?|[0-9]{1,2}月[0-9]{1,2}日|"
    r"[0-9]{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{1,2})",
    re.IGNORECASE,
)
_GARBLED = re.compile(
    "[\ufffd\ue000-\uf8ff]|锟斤拷|烫烫|屯屯|[ÃÂÐÑ][\u0080-\u00ff]|(?:[À-ÿ]{2}){2}"
)
_BLANKS = frozenset({"-", "--", "\u2014", "\u2014\u2014", "/", "\\", "无", "空", "缺"})
_SUMS = frozenset({"合计", "小计", "总计", "学生合计", "总人数", "total"})
_MADE_BY_GIS = frozenset({"objectid", "shapelength", "shapearea", "shapeleng"})


@dataclass(frozen=True)
class Cleaned:
    """A layer's rows, typed but not yet placed.

    Attributes
    ----------
    table : DataFrame
        Declared columns; None or NaN where blank or refused; index 0..n-1.
    rows : ndarray of int64
        Row number of every table row as people see it.
    source : ndarray of int64
        Position of the table row in the raw rows (and its geometry).
    faults : tuple of Fault
        Faults found.
    titles : dict of str to str
        Canonical column to the heading in the file.
    notes : tuple of (str, str)
        Notes added.
    grade_columns : tuple of int
        Positions of the columns that stand for one grade each.
    """

    table: pd.DataFrame
    rows: np.ndarray[Any, np.dtype[np.int64]]
    source: np.ndarray[Any, np.dtype[np.int64]]
    faults: tuple[Fault, ...]
    titles: dict[str, str]
    notes: tuple[tuple[str, str], ...] = ()
    grade_columns: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Matched:
    """Which raw column means what."""

    columns: dict[str, int]
    grades: dict[int, int]
    totals: tuple[int, ...]
    faults: list[Fault]
    notes: list[tuple[str, str]]


def clean(raw: Raw, layer: Layer, file: str) -> Cleaned:
    """Understand the cells of one source.

    Parameters
    ----------
    raw : Raw
        Text cells.
    layer : Layer
        Declaration of the layer.
    file : str
        File name for the faults.

    Returns
    -------
    Cleaned
        Typed table and faults; rows are never dropped here.
    """
    matched = _match(raw, layer, file)
    faults = list(matched.faults)
    wide = bool(matched.grades)
    present = set(matched.columns) | ({"grade", "students"} if wide else set())
    faults.extend(
        Fault(
            "column_missing",
            layer.layer,
            column=column.column,
            file=file,
            details={
                "title": column.title,
                "aliases": "、".join([column.column, *column.aliases]),
            },
        )
        for column in layer.columns
        if column.required and column.column not in present | set(PLACE_COLUMNS)
    )
    data: dict[str, list[Any]] = {}
    count = len(raw.cells)
    titles = {name: raw.headings[at] for name, at in matched.columns.items()}
    for column in layer.columns:
        at = matched.columns.get(column.column)
        if at is None:
            data[column.column] = [None] * count
            continue
        values, found = _column(raw, layer, column, at, file)
        data[column.column] = values
        faults.extend(found)
    matched.notes.extend(_normalised(raw, layer, matched))
    faults.extend(_garbled(raw, layer, matched, file))
    rows = np.asarray(raw.rows, dtype=np.int64)
    source = np.arange(count, dtype=np.int64)
    table = pd.DataFrame(data, columns=[c.column for c in layer.columns], dtype=object)
    if layer.layer not in TOLERANT:
        faults.extend(named_totals(table, raw.rows, layer, titles, file))
    if wide:
        table, rows, source, found = _long(raw, layer, matched, table, file)
        faults.extend(found)
    faults.extend(_validate(table, rows, layer, titles, faults, file, present))
    return Cleaned(
        table,
        rows,
        source,
        tuple(faults),
        titles,
        tuple(matched.notes),
        tuple(matched.grades.values()),
    )


def _match(raw: Raw, layer: Layer, file: str) -> _Matched:
    known = headings(layer.layer)
    matched = _Matched({}, {}, (), [], [])
    totals: list[int] = []
    extra: list[str] = []
    for at, heading in enumerate(raw.headings):
        key = heading_key(heading)
        if not key or ignored_heading(heading) or key in _MADE_BY_GIS:
            continue
        name = known.get(key)
        if name is None and layer.layer == "children":
            grade = grade_heading(heading)
            if grade is not None:
                if grade in matched.grades:
                    first = raw.headings[matched.grades[grade]]
                    matched.faults.append(_repeated(heading, first, f"{grade}", layer, file))
                    continue
                matched.grades[grade] = at
                continue
            if key in _SUMS:
                totals.append(at)
                continue
        if name is None and raw.truncated:
            name = _by_prefix(known, key)
            if name is not None:
                matched.notes.append(
                    (
                        f"列名“{heading}”被截断，按 {name} 读取",
                        f"heading {heading!r} was cut to ten bytes; read as {name}",
                    )
                )
        if name is None:
            extra.append(heading)
            continue
        if name in matched.columns:
            first = raw.headings[matched.columns[name]]
            if layer.layer in TOLERANT:
                if key == heading_key(name):
                    matched.columns[name] = at
                continue
            matched.faults.append(_repeated(heading, first, name, layer, file))
            continue
        matched.columns[name] = at
    if matched.grades and "students" in matched.columns:
        # Beside one column a grade the number of students is the row's total.
        totals.append(matched.columns.pop("students"))
    if matched.grades and "grade" in matched.columns:
        stray, wide = matched.columns.pop("grade"), min(matched.grades.values())
        heads = raw.headings[stray], raw.headings[wide]
        matched.faults.append(_repeated(*heads, "grade", layer, file))
    if layer.layer not in TOLERANT:
        matched.faults.extend(_unknown(h, layer, file) for h in extra)
    return _Matched(matched.columns, matched.grades, tuple(totals), matched.faults, matched.notes)


def _repeated(heading: str, first: str, name: str, layer: Layer, file: str) -> Fault:
    details = {"first": first, "canonical": name}
    return Fault("column_repeated", layer.layer, column=heading, file=file, details=details)


def _unknown(heading: str, layer: Layer, file: str) -> Fault:
    if private_heading(heading):
        return Fault("column_private", layer.layer, column=heading, file=file)
    near = nearest_heading(layer.layer, heading)
    return Fault("column_unknown", layer.layer, column=heading, file=file, details={"near": near})


def _by_prefix(known: Any, key: str) -> str | None:
    """Column whose heading starts with a heading that a Shapefile has cut."""
    if len(key.encode("utf-8")) < 9:
        return None
    found = {column for heading, column in known.items() if heading.startswith(key)}
    return found.pop() if len(found) == 1 else None


def _column(
    raw: Raw, layer: Layer, column: Column, at: int, file: str
) -> tuple[list[Any], list[Fault]]:
    """Parse one column; equal texts are parsed once."""
    parse = _parser(layer, column)
    memo: dict[str, tuple[Any, str]] = {}
    values: list[Any] = []
    faults: list[Fault] = []
    effect = _effect(layer, column)
    marked = {r: mark for (r, c), mark in raw.marks.items() if c == at}
    for r, line in enumerate(raw.cells):
        text = line[at]
        if r in marked and (code := _mark_code(column, marked[r][0])):
            _, cell, shown = marked[r]
            values.append(None)
            faults.append(
                Fault(
                    code,
                    layer.layer,
                    raw.rows[r],
                    raw.headings[at],
                    shown,
                    {"cell": cell},
                    effect,
                    file=file,
                )
            )
            continue
        if text not in memo:
            memo[text] = parse(text)
        value, code = memo[text]
        values.append(value)
        if code:
            details = {"choices": "、".join(_choices(layer, column))} if column.values else {}
            faults.append(
                Fault(
                    code,
                    layer.layer,
                    raw.rows[r],
                    raw.headings[at],
                    tidy(text)[:60],
                    details,
                    effect,
                    file=file,
                )
            )
    return values, faults


def _garbled(raw: Raw, layer: Layer, matched: _Matched, file: str) -> list[Fault]:
    """Find names that an earlier program has read in the wrong encoding and saved so."""
    return [
        Fault("text_garbled", layer.layer, raw.rows[r], raw.headings[at], line[at][:60], file=file)
        for name, at in matched.columns.items()
        if layer.column(name).type == "text" and name != "address" and layer.layer not in TOLERANT
        for r, line in enumerate(raw.cells)
        if not line[at].isascii() and (_GARBLED.search(line[at]) or decoded_again(line[at]))
    ]


def decoded_again(text: str) -> str:
    """Recover Chinese that was read as Latin-1, or UTF-8 as GBK, and saved so.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        What it was, told by whole pairs or triples of bytes; empty where it is no such text.
    """
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return _utf8_in_gbk(text)
    runs = re.findall(rb"[\x80-\xff]+", data)
    for codec, size in (("gb2312", 2), ("utf-8", 3)):
        if runs and all(len(run) % size == 0 for run in runs):
            try:
                return data.decode(codec)
            except UnicodeDecodeError:
                continue
    return ""


def _utf8_in_gbk(text: str) -> str:
    """Chinese whose UTF-8 bytes were read as GBK: what comes out is Chinese from end to end."""
    try:
        was = text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return ""
    return was if all(c.isascii() or "\u4e00" <= c <= "\u9fff" for c in was) else ""


def _normalised(raw: Raw, layer: Layer, matched: _Matched) -> list[tuple[str, str]]:
    """Say in which columns digits of full width, invisible characters or separators were undone."""
    counted = [
        (name, at) for name, at in matched.columns.items() if layer.column(name).type != "text"
    ]
    counted += [("students", at) for at in matched.grades.values()]
    notes = []
    for name, at in counted:
        texts = [line[at] for line in raw.cells]
        odd = sum(1 for t in texts if not (t.isascii() and t.isprintable()) and _odd(t))
        if layer.column(name).type in {"int", "float"}:
            odd += sum(1 for t in texts if t.isascii() and "," in t)
        if odd:
            notes.append(
                (
                    f"列“{raw.headings[at]}”有 {odd} 格含全角字符、不可见字符或千分位，已转换",
                    f"column {raw.headings[at]!r}: characters made plain in {odd} cells",
                )
            )
    return notes


def _odd(text: str) -> bool:
    """Say whether a cell reads differently once it is made plain; blanks around it do not count."""
    return plain(text) != text.strip() and any(c in "0123456789" for c in plain(text))


def _effect(layer: Layer, column: Column) -> str:
    """Say what a bad cell spoils: itself where it is optional, its row where it is required."""
    return "row" if column.required or layer.key == () or column.column in PLACE_COLUMNS else "cell"


def _mark_code(column: Column, code: str) -> str:
    """Whether a spoilt spreadsheet cell matters in a column of this type."""
    if code in {"cell_error", "formula_no_value", "merged_number"}:
        return code
    if column.type in {"id", "text"}:
        return code
    return ""


def _choices(layer: Layer, column: Column) -> list[str]:
    spellings = {v: v for v in column.values}
    for spelling, value in value_aliases(layer.layer, column.column).items():
        if value in spellings and spellings[value] == value and spelling != value:
            spellings[value] = f"{spelling}（{value}）"
    return list(spellings.values())


def _parser(layer: Layer, column: Column) -> Callable[[str], tuple[Any, str]]:
    """Choose the parser of a column: text to (value or None, code of the fault or empty)."""
    if column.type == "id":
        return _parse_id
    if column.type == "int":
        return _parse_int
    if column.type == "float":
        return _parse_float
    if column.type == "year":
        return _parse_year
    if column.type in {"choice", "bool", "grade"}:
        spelt = value_aliases(layer.layer, "bool" if column.type == "bool" else column.column)
        if column.type == "grade":
            spelt = value_aliases(layer.layer, "grade")
        return _spelling_parser(spelt, column.type)
    spelt = value_aliases(layer.layer, column.column)
    return _text_parser(spelt, keep_width=column.column == "name")


def _text_parser(spelt: Any, *, keep_width: bool) -> Callable[[str], tuple[Any, str]]:
    def parse(text: str) -> tuple[Any, str]:
        value = tidy(text) if keep_width else plain(text)
        if not value:
            return None, ""
        return spelt.get(value_key(value), value), ""

    return parse


def _spelling_parser(spelt: Any, kind: str) -> Callable[[str], tuple[Any, str]]:
    wrong = {"grade": "not_a_grade", "bool": "not_a_choice", "choice": "not_a_choice"}[kind]

    def parse(text: str) -> tuple[Any, str]:
        key = value_key(text)
        if not key or (key in _BLANKS and key not in spelt):
            return None, ""
        value = spelt.get(key) or spelt.get(re.sub(r"\.0+$", "", key))
        if value is None:
            return None, wrong
        if kind == "grade":
            return int(value), ""
        return (value == "yes", "") if kind == "bool" else (value, "")

    return parse


def _parse_id(text: str) -> tuple[Any, str]:
    value = plain(text)
    if not value:
        return None, ""
    joined = value.replace(" ", "")
    if joined.isdigit():
        return joined, ""
    if _LOST_CODE.fullmatch(value):
        return None, "id_is_float"
    if _DATE.fullmatch(value):
        return None, "id_like_date"
    return value, ""


def _parse_int(text: str) -> tuple[Any, str]:
    value = plain(text)
    if not value or value in _BLANKS:
        return None, ""
    if _INTEGER.fullmatch(value):
        digits = value.replace(",", "").split(".")[0]
        return (int(digits), "") if len(digits) <= 15 else (None, "not_a_number")
    if _is_decimal(value):
        return None, "not_an_integer"
    return None, "not_a_number"


def _parse_float(text: str) -> tuple[Any, str]:
    value = plain(text)
    if not value or value in _BLANKS:
        return None, ""
    if not _is_decimal(value):
        return None, "not_a_number"
    number = float(value.replace(",", ""))
    return (number, "") if np.isfinite(number) else (None, "not_a_number")


def _is_decimal(value: str) -> bool:
    return _DECIMAL.fullmatch(value) is not None and any(c in "0123456789" for c in value)


def _parse_year(text: str) -> tuple[Any, str]:
    value = plain(text)
    if not value:
        return None, ""
    found = _YEAR.fullmatch(value)
    return (int(found.group(1)), "") if found else (None, "not_a_year")


def _long(
    raw: Raw, layer: Layer, matched: _Matched, table: pd.DataFrame, file: str
) -> tuple[pd.DataFrame, Any, Any, list[Fault]]:
    """Turn one column a grade into one row a grade; a blank cell is no row."""
    students = layer.column("students")
    pieces: list[pd.DataFrame] = []
    faults: list[Fault] = []
    sums = np.zeros(len(table), dtype=np.int64)
    for grade, at in sorted(matched.grades.items()):
        values, found = _column(raw, layer, students, at, file)
        faults.extend(found)
        refused = {f.row for f in found}
        piece = table.copy()
        piece["grade"] = pd.Series([grade] * len(table), dtype=object)
        piece["students"] = pd.Series(values, dtype=object)
        keep = [v is not None or raw.rows[k] in refused for k, v in enumerate(values)]
        sums += np.asarray([v if isinstance(v, int) else 0 for v in values], dtype=np.int64)
        pieces.append(piece.assign(_source=range(len(table)), _grade=grade)[np.asarray(keep, bool)])
    long = pd.concat(pieces).sort_values(["_source", "_grade"], kind="stable")
    source = long["_source"].to_numpy(dtype=np.int64)
    for total in matched.totals[-1:]:
        stated, _ = _column(raw, layer, students, total, file)
        for k, value in enumerate(stated):
            if value is not None and value != sums[k]:
                faults.append(
                    Fault(
                        "row_total_differs",
                        layer.layer,
                        raw.rows[k],
                        raw.headings[total],
                        str(value),
                        {"total": int(sums[k])},
                        file=file,
                    )
                )
    long = long.drop(columns=["_source", "_grade"]).reset_index(drop=True)
    return long, np.asarray(raw.rows, dtype=np.int64)[source], source, faults


def _validate(
    table: pd.DataFrame,
    rows: np.ndarray[Any, np.dtype[np.int64]],
    layer: Layer,
    titles: dict[str, str],
    known: list[Fault],
    file: str,
    present: set[str],
) -> list[Fault]:
    """Check presence, ranges and choices by the pandera schema; one fault a cell."""
    if table.empty:
        return []
    typed = table.copy()
    for column in layer.columns:
        if column.type in {"int", "float", "grade", "year"}:
            typed[column.column] = typed[column.column].astype("float64")
    try:
        table_schema(layer.layer).validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as failure:
        cases = failure.failure_cases
    else:
        return []
    said = {(f.row, f.column) for f in known}
    faults: list[Fault] = []
    for name, check, value, at in zip(
        cases["column"], cases["check"], cases["failure_case"], cases["index"], strict=True
    ):
        if at is None or pd.isna(at) or name not in present or name in PLACE_COLUMNS:
            continue
        column = layer.column(str(name))
        row, title = int(rows[int(at)]), titles.get(column.column, column.column)
        if (row, title) in said:
            continue
        faults.append(_failed(layer, column, str(check), value, row, title, file))
    # In the wide form all grades of a line share its number; a refused cell is told only once.
    wide_refused = {f.row for f in known if f.code in {"not_a_number", "not_an_integer"}}
    return [
        f
        for f in faults
        if not (f.code == "value_missing" and f.column == "students" and f.row in wide_refused)
    ]


def _failed(
    layer: Layer, column: Column, check: str, value: Any, row: int, title: str, file: str
) -> Fault:
    code = "value_missing"
    if check.startswith("in_range"):
        code = "out_of_range"
    elif check.startswith("isin"):
        code = "not_a_choice"
    if code == "out_of_range" and column.type in {"grade", "year"}:
        code = f"not_a_{column.type}"
    details: dict[str, Any] = {
        "low": _number(column.low),
        "high": _number(column.high),
        "choices": "、".join(_choices(layer, column)),
    }
    shown = "" if code == "value_missing" else _number(value)
    return Fault(code, layer.layer, row, title, shown, details, _effect(layer, column), file=file)


def _number(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return "" if value is None else str(value)
