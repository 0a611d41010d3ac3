"""The workbook of a proposal: its tables with headings and values in the reader's language."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter

from catchment.files import TEXT_STAYS_TEXT
from catchment.views.files import steady_zip
from catchment.views.plain import plain
from catchment.views.words import name_of

ORDER = (
    "plans", "actions", "villages", "hearing", "broken", "byhand", "demands", "certain", "outlook",
    "futures", "areas", "pieces", "screening", "costs",
)  # fmt: skip
"""Sheets in the order in which they are read."""

_COUNTED = ("year", "year_from", "year_to", "year_few", "year_short", "plan")
_CODED = (
    "do", "how", "in_plan", "status", "mode_before", "mode_after", "band", "kind", "severity",
    "result", "item", "demand",
)  # fmt: skip
"""Columns whose values are codes of the program; any other text is the county's own."""

_LEAD = {
    "plans": (
        "plan", "name", "status", "yuan", "bound", "gap", "teachers", "mean_trip", "worst_trip",
        "schools", "small_kept", "hard_rules_broken",
    ),
    "actions": (
        "year", "do", "name", "into_name", "students_moved", "students_boarding", "villages_worse",
        "saves_yuan", "build_first", "reason",
    ),
    "villages": (
        "village", "township", "band", "year", "from_name", "to_name", "students", "mode_after",
        "minutes_before", "minutes_after", "minutes_more", "reason",
    ),
    "hearing": (
        "name", "township", "students_today", "students_last", "in_plan", "keep_yuan",
        "keep_teachers", "keep_note", "close_yuan", "close_students", "close_boarding", "close_names",
        "close_note", "how",
    ),
    "broken": ("plan", "code", "place", "year", "value", "limit", "title", "detail", "demand"),
}  # fmt: skip
"""Columns that stand first and are printed; the others are there to be looked up."""

_WIDE = (
    "reason", "detail", "zh", "en", "close_names", "keep_note", "close_note", "build_first", "title",
)  # fmt: skip

_TOLD_TWICE = ("keep_note", "close_note", "source")
_OWN_NAMES = ("plans", "outlook", "byhand", "demands")
"""Tables whose names are those of plans, given in both languages."""

_SHARES = ("gap", "built_gap", "short_share", "share_small", "share_few", "share_short")


@cache
def _words() -> dict[str, dict[str, str]]:
    text = files("catchment.views").joinpath("proposal_words.csv").read_text(encoding="utf-8")
    return {row["key"]: row for row in csv.DictReader(text.splitlines())}


def heading(table: str, column: str, lang: str) -> str:
    """Heading of a column.

    Parameters
    ----------
    table, column : str
        Name of the table and of its column.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        Its heading; the column's own name where the table of words has none.
    """
    words = _words()
    row = words.get(f"col.{table}.{column}") or words.get(f"col.{column}")
    return column if row is None else row[lang]


def book_of(tables: Mapping[str, pd.DataFrame], lang: str, year: int) -> bytes:
    """Make the workbook of a proposal.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables by name; empty ones get no sheet. Columns of the other language are left out.
    lang : {"zh", "en"}
        Language.
    year : int
        Year put into the file's properties.

    Returns
    -------
    bytes
        An ``.xlsx`` file; text is text, never a formula.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, TEXT_STAYS_TEXT)
    book.set_properties({"created": dt.datetime(year, 9, 1)})  # noqa: DTZ001 - no zone in the format
    font = {"font_name": "宋体", "font_size": 10, "valign": "vcenter", "border": 1}
    looks = {
        "head": book.add_format({**font, "bold": True, "text_wrap": True, "bg_color": "#D9E2EC"}),
        "told": book.add_format({"font_name": "宋体", "font_size": 9, "text_wrap": True}),
        "text": book.add_format({**font, "num_format": "@", "text_wrap": True}),
        "number": book.add_format({**font, "num_format": "#,##0.0"}),
        "whole": book.add_format({**font, "num_format": "#,##0"}),
        "counted": book.add_format({**font, "num_format": "0"}),
        "share": book.add_format({**font, "num_format": "0.0%"}),
    }
    for name in ORDER:
        table = tables.get(name)
        if table is not None and len(table):
            page = book.add_worksheet(_words()[f"sheet.{name}"][lang][:31])
            _fill(page, name, table, looks, lang)
    book.close()
    return steady_zip(out.getvalue())


def _fill(page: Any, name: str, table: pd.DataFrame, looks: Mapping[str, Any], lang: str) -> None:
    columns, lead = _in_order(name, table, lang)
    told = _words().get(f"told.{name}")
    top = 0
    if told is not None:
        page.merge_range(0, 0, 0, min(max(len(columns) - 1, 1), 9), told[lang], looks["told"])
        page.set_row(0, 42)
        top = 1
    widths: list[int] = []
    lines = [1] * len(table)
    for place, column in enumerate(columns):
        values = table[column]
        page.write_string(top, place, heading(name, column, lang), looks["head"])
        texts = [plain(v, longest=60) for v in values.iloc[:60]]
        widest = max([_width(t) for t in texts], default=8)
        most = 70 if _stem(column) in _WIDE else 24
        widths.append(min(max(widest + 2, 9), most))
        page.set_column(place, place, widths[-1])
        look = "counted" if column in _COUNTED else "share" if column in _SHARES else ""
        for row, value in enumerate(values, start=top + 1):
            said = said_of(value, lang, column in _CODED)
            said = name_of("unit", said, lang) if column == "unit" else said
            if column in _TOLD_TWICE or (column == "name" and name in _OWN_NAMES):
                said = _half(said, lang)
            lines[row - top - 1] = max(lines[row - top - 1], -(-_width(said) // widths[-1]))
            _cell(page, row, place, said, looks, look)
    for row, count in enumerate(lines, start=top + 1):
        if count > 1:
            page.set_row(row, 13.5 * min(count, 25))
    page.set_row(top, 44)
    page.freeze_panes(top + 1, min(4, max(len(columns) - 1, 0)))
    page.autofilter(top, 0, top + max(len(table), 1), max(len(columns) - 1, 0))
    page.repeat_rows(top)
    if lead:
        page.print_area(0, 0, top + len(table), lead - 1)
    page.set_landscape()
    page.set_paper(8)
    page.fit_to_pages(1, 0)
    page.set_footer("&C&P / &N")


def _in_order(name: str, table: pd.DataFrame, lang: str) -> tuple[list[str], int]:
    """Columns of the reader's language, those that are read first in front, and how many these are."""
    every = _in_language(table, lang)
    wanted = _LEAD.get(name, ())
    first = [c for w in wanted for c in every if _stem(c) == w]
    return [*first, *(c for c in every if c not in first)], len(first)


def _stem(column: str) -> str:
    stem, _, tail = column.rpartition("_")
    return stem if tail in ("zh", "en") and stem else column


def _width(value: Any) -> int:
    """Return the width of a text in letters, signs of Chinese counted twice."""
    text = value if isinstance(value, str) else ""
    return len(text) + sum(ord(c) > 0x2E7F for c in text)


def _in_language(table: pd.DataFrame, lang: str) -> list[str]:
    """Columns of the reader's language, each only once."""
    names = [str(c) for c in table.columns]
    other = "en" if lang == "zh" else "zh"
    return [
        name
        for name in names
        if name.rpartition("_")[2] != other
        # A column whose English stands in one of its own is Chinese.
        and not (lang == "en" and f"{name}_en" in names)
    ]


def said_of(value: Any, lang: str, coded: bool) -> Any:
    """Return a value as the reader says it: codes of the program, and truth.

    Parameters
    ----------
    value : object
        A cell of a table.
    lang : {"zh", "en"}
        Language.
    coded : bool
        Whether texts are codes of the program; any other text is the county's own.

    Returns
    -------
    object
        Words where the table of words has them, else the value.

    Examples
    --------
    >>> said_of("merge 2028", "zh", True)
    '2028 年撤并'
    """
    if isinstance(value, bool | np.bool_):
        return _words()["val.yes" if value else "val.no"][lang]
    if not coded or not isinstance(value, str):
        return value
    # A code, with the year, with the school and the year.
    first, *place, year = value.split(" ") if " " in value else (value, "")
    word = _words().get(f"val.{first}")
    if word is None:
        return value
    if not year:
        return word[lang]
    at = " ".join(place)
    if lang == "zh":
        return f"{year} 年{word[lang]}" + (f" {at}" if at else "")
    return " ".join(x for x in (word[lang], at, year) if x)


def _half(value: Any, lang: str) -> Any:
    """Return the reader's half of what is told in two languages."""
    zh, sign, en = str(value).partition(" / ")
    return (zh if lang == "zh" else en) if sign else value


def _cell(
    page: Any, row: int, column: int, value: Any, looks: Mapping[str, Any], look: str
) -> None:
    if isinstance(value, int | float | np.number):
        if np.isfinite(float(value)):
            even = float(value) == round(float(value)) or abs(float(value)) >= 10_000
            page.write_number(row, column, value, looks[look or ("whole" if even else "number")])
        else:
            page.write_blank(row, column, None, looks["text"])
        return
    text = plain(value)
    if text:
        page.write_string(row, column, text, looks["text"])
    else:
        page.write_blank(row, column, None, looks["text"])
