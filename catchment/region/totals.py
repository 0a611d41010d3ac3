"""Rows that sum others: told by a word in any of their cells, in any format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from catchment.region.faults import Fault
from catchment.region.schema import Layer, ignored_heading, plain

TOTALS = frozenset(
    {
        "合计",
        "小计",
        "总计",
        "共计",
        "累计",
        "总数",
        "计",
        "合計",
        "小計",
        "總計",
        "total",
        "subtotal",
        "sum",
    }
)
_ENDS = re.compile(r"\D{0,12}(合计|小计|总计|共计)")
_OF_A_GRADE = re.compile(r"\S{1,3}(年级|班|校)(合计|小计|总计|共计)")
_NAMING = frozenset({"name", "class_no"})
# A row names itself in its first cells; farther right only a whole word makes it a total.
_FIRST = 3


def total_word(text: str) -> bool:
    """Say whether a name or code is that of a sum.

    Parameters
    ----------
    text : str
        Cell that should name a row.

    Returns
    -------
    bool
        True for 合计 and its like, alone or behind what is summed up.
    """
    word = _word(text)
    return word in TOTALS or _ENDS.fullmatch(word) is not None


def is_total(line: Sequence[str], titles: Sequence[str]) -> bool:
    """Say whether a row of a table sums others.

    Parameters
    ----------
    line : sequence of str
        Cells.
    titles : sequence of str
        Headings; columns of remarks are not looked at beyond the first cells.

    Returns
    -------
    bool
        True where one of its first cells is a sum's name, or any other cell no other word.
    """
    filled = [(plain(cell), title) for cell, title in zip(line, titles, strict=True) if cell]
    if any(total_word(cell) for cell, _ in filled[:_FIRST]):
        return True
    return any(
        (word in TOTALS or _OF_A_GRADE.fullmatch(word)) and not ignored_heading(title)
        for word, title in ((_word(cell), title) for cell, title in filled[_FIRST:])
    )


def named_totals(
    table: pd.DataFrame, rows: Iterable[int], layer: Layer, titles: dict[str, str], file: str
) -> list[Fault]:
    """Find rows whose code or name is that of a sum, where the reader has left none out.

    Parameters
    ----------
    table : DataFrame
        Typed rows.
    rows : iterable of int
        Their row numbers.
    layer : Layer
        Declaration.
    titles : dict of str to str
        Canonical column to the heading in the file.
    file : str
        File name for the faults.

    Returns
    -------
    list of Fault
        One a row.
    """
    naming = [
        c.column
        for c in layer.columns
        if c.column in titles and (c.column in layer.key or c.column in _NAMING)
    ]
    found = []
    for k, row in enumerate(rows):
        for name in naming:
            value = table[name].iat[k]
            if isinstance(value, str) and total_word(value):
                found.append(
                    Fault("row_is_total", layer.layer, int(row), titles[name], value, file=file)
                )
                break
    return found


def _word(text: str) -> str:
    return plain(text).replace(" ", "").lower().strip(":")
