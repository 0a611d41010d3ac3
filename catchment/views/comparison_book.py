"""The workbook of a comparison: plain sheets that can be sorted, filtered and printed."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter

from catchment.files import TEXT_STAYS_TEXT
from catchment.views.files import steady_zip
from catchment.views.plain import plain
from catchment.views.words import word


def book_bytes(sheets: Mapping[str, pd.DataFrame], lang: str, year: int, standing: str) -> bytes:
    """Make a workbook of tables and a sheet that explains them.

    Parameters
    ----------
    sheets : mapping of str to DataFrame
        Tables by the key of their name in the words; ``KEY_meaning`` explains each.
    lang : {"zh", "en"}
        Language.
    year : int
        Year put into the file's properties.
    standing : str
        What the sheets are, at the foot of every page.

    Returns
    -------
    bytes
        An ``.xlsx`` file; text is text, numbers are numbers.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, TEXT_STAYS_TEXT)
    book.set_properties({"created": dt.datetime(year, 9, 1)})  # noqa: DTZ001 - no zone in the format
    font = {"font_name": "宋体", "font_size": 10, "valign": "vcenter", "border": 1}
    looks = {
        "head": book.add_format({**font, "bold": True, "text_wrap": True, "bg_color": "#D9E2EC"}),
        "text": book.add_format({**font, "num_format": "@", "text_wrap": True}),
        "number": book.add_format({**font, "num_format": "#,##0.0"}),
        "whole": book.add_format({**font, "num_format": "#,##0"}),
        "year": book.add_format({**font, "num_format": "0"}),
    }
    for key, table in sheets.items():
        _sheet(book.add_worksheet(word(key, lang)[:31]), table, looks, lang, standing)
    guide = pd.DataFrame(
        {
            word("dict.sheet", lang): [word(key, lang) for key in sheets],
            word("dict.meaning", lang): [word(f"{key}_meaning", lang) for key in sheets],
        }
    )
    page = book.add_worksheet(word("book.dictionary", lang)[:31])
    _sheet(page, guide, looks, lang, standing)
    page.set_column(1, 1, 90)
    book.close()
    return steady_zip(out.getvalue())


def _sheet(
    page: Any, table: pd.DataFrame, looks: Mapping[str, Any], lang: str, standing: str
) -> None:
    years = {word("year", lang), word("cmp.seed", lang)}
    for column, name in enumerate(table.columns):
        page.write_string(0, column, plain(name, longest=120), looks["head"])
        texts = [plain(v, longest=60) for v in table.iloc[:60, column]]
        widest = max([len(t) + sum(ord(c) > 0x2E7F for c in t) for t in texts], default=8)
        page.set_column(column, column, min(max(widest + 2, 10), 30))
        look = "year" if str(name) in years else ""
        for row, value in enumerate(table.iloc[:, column], start=1):
            _cell(page, row, column, value, looks, look)
    page.set_row(0, 44)
    page.freeze_panes(1, min(2, max(len(table.columns) - 1, 0)))
    page.autofilter(0, 0, max(len(table), 1), max(len(table.columns) - 1, 0))
    page.repeat_rows(0)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    # "&" begins a code in a foot, and 255 characters fit.
    foot = plain(standing, longest=110).replace("&", "&&")
    page.set_footer(f"&C&8{foot}\n&P / &N")


def _cell(
    page: Any, row: int, column: int, value: Any, looks: Mapping[str, Any], look: str
) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if number and np.isfinite(float(value)):
        even = float(value) == round(float(value))
        page.write_number(row, column, value, looks[look or ("whole" if even else "number")])
        return
    text = "" if number else plain(value)
    if text:
        page.write_string(row, column, text, looks["text"])
    else:
        page.write_blank(row, column, None, looks["text"])
