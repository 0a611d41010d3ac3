"""Merged cells of a sheet: text is repeated as a reader sees it, a number is never counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openpyxl.utils import get_column_letter

from catchment.region.faults import Fault
from catchment.region.schema import grade_heading, heading_key, headings, layers, plain, tidy

Range = tuple[int, int, int, int]
"""Top, left, bottom and right of a merged range, counted from 1."""


def fill_merged(
    merged: Iterable[Range], grid: list[list[str]], totals: Iterable[str]
) -> tuple[list[list[str]], frozenset[tuple[int, int]]]:
    """Repeat the text of cells merged downwards, as a reader of the sheet sees it.

    Parameters
    ----------
    merged : iterable of tuple of int
        Merged ranges.
    grid : list of list of str
        Cells of the sheet.
    totals : iterable of str
        Words of total rows, which are not repeated.

    Returns
    -------
    list of list of str, frozenset of (int, int)
        The cells, and row and column (from 0) of those that were filled.
    """
    words, filled = set(totals), set()
    grid = [list(line) for line in grid]
    for top, left, bottom, right in merged:
        if bottom == top or left != right or bottom > len(grid):
            continue
        source = grid[top - 1]
        text = source[left - 1] if left <= len(source) else ""
        if not text or plain(text).replace(" ", "") in words:
            continue
        for r in range(top, bottom):
            line = grid[r]
            line.extend([""] * (left - len(line)))
            if not line[left - 1]:
                line[left - 1] = text
                filled.add((r, left - 1))
    return grid, frozenset(filled)


def shared_numbers(
    layer: str, titles: Sequence[str], filled: Iterable[tuple[int, int]], grid: list[list[str]]
) -> dict[tuple[int, int], tuple[str, str, str]]:
    """Mark the filled cells of columns that count: one number for several rows is nobody's.

    Parameters
    ----------
    layer : str
        Layer that is read.
    titles : sequence of str
        Headings.
    filled : iterable of (int, int)
        Of :func:`fill_merged`.
    grid : list of list of str
        Cells of the sheet.

    Returns
    -------
    dict
        Code, cell name and text by row and column, as for other spoilt cells.
    """
    known, declared = headings(layer), layers()[layer]
    counted = set()
    for c, title in enumerate(titles):
        name = known.get(heading_key(title)) if title else None
        if name is not None:
            counts = declared.column(name).type in {"int", "float"}
        else:
            counts = layer == "children" and grade_heading(title) is not None
        if counts:
            counted.add(c)
    return {
        (r, c): ("merged_number", f"{get_column_letter(c + 1)}{r + 1}", grid[r][c])
        for r, c in sorted(filled)
        if c in counted
    }


def columns_without_heading(
    layer: str,
    file: str,
    titles: Sequence[str],
    heading: range,
    merged: Iterable[Range],
    grid: list[list[str]],
) -> list[Fault]:
    """Find columns that hold cells and have no heading of their own.

    Parameters
    ----------
    layer : str
        Layer that is read.
    file : str
        File name.
    titles : sequence of str
        Headings as they were understood.
    heading : range
        Rows of the heading, from 0.
    merged : iterable of tuple of int
        Merged ranges.
    grid : list of list of str
        Cells of the sheet.

    Returns
    -------
    list of Fault
        An error for one heading merged over several columns with figures: only the first of them
        would be read. A warning for any other column without a heading inside the table.
    """
    body = grid[heading.stop :]
    width = max((len(line) for line in body), default=0)
    holds = [sum(bool(tidy(line[c])) for line in body if c < len(line)) for c in range(width)]
    bare = {c for c in range(width) if holds[c] and not (titles[c] if c < len(titles) else "")}
    faults = []
    for top, left, bottom, right in merged:
        # Its text is the title of its first column, not that of a group of columns below it.
        ends = bottom - 1 == heading.stop - 1 and top - 1 >= heading.start
        covered = bare & set(range(left, right))
        if ends and covered and left <= len(titles) and titles[left - 1]:
            names = "、".join(get_column_letter(c + 1) for c in sorted(covered))
            faults.append(
                Fault("heading_merged", layer, value=titles[left - 1], file=file,
                      details={"columns": names})
            )  # fmt: skip
            bare -= covered
    faults.extend(
        Fault(
            "column_unnamed", layer, value=get_column_letter(c + 1), file=file,
            details={"count": holds[c]},
        )
        for c in sorted(bare)
        if c < len(titles)
    )  # fmt: skip
    return faults
