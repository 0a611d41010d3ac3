"""Tables as county offices keep them: CSV and XLSX turned into headings and text cells.

Nothing is guessed silently: encodings are proven by decoding, title and total rows are skipped
with a note, and a cell that a spreadsheet has spoilt is marked, never turned into a blank.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

import openpyxl
from openpyxl.utils import get_column_letter

from catchment.english import counted
from catchment.region.faults import Fault, LayerError
from catchment.region.guard import MAX_TEXT_BYTES, UnsafeError, judge_archive, refuse_doctype
from catchment.region.merges import Range, columns_without_heading, fill_merged, shared_numbers
from catchment.region.raw import Place, Raw
from catchment.region.schema import (
    PLACE_COLUMNS,
    grade_heading,
    heading_key,
    headings,
    ignored_heading,
    layers,
    plain,
    tidy,
)
from catchment.region.totals import TOTALS, is_total

MAX_ROWS, MAX_COLUMNS = 1_000_000, 400
HEADING_SEARCH = 15

Grid = list[list[str]]
Marks = dict[tuple[int, int], tuple[str, str, str]]

_FOOTERS = re.compile(
    r"^(注|备注|说明|填表人|制表人|填报人|审核|审核人|单位负责人|负责人|填表单位|填报单位|填表日期|制表日期|"
    r"note|notes|source)\s*[:\uff1a]",
    re.IGNORECASE,
)
_UNITS = {
    "人",
    "间",
    "个",
    "米",
    "元",
    "万元",
    "张",
    "座",
    "名",
    "班",
    "度",
    "年",
    "°",
    "km",
    "m",
    "平方米",
}
_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\s+ref=["']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})["']"""
)
_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s>/])([^<>]*)>")
_CELL_PLACE = re.compile(rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']""")
# A row that holds cells; an empty one is closed at once.
_HIDDEN = re.compile(rb"""<(?:\w+:)?row\s[^<>]*\bhidden=["'](?:1|true)["'][^<>]*(?<!/)>""")
_ZERO_PADDED = re.compile(r'^"?(0{2,})"?(?:;.*)?$')


@dataclass(frozen=True)
class _Sheet:
    """A grid of text cells with its first row number and its spoilt cells."""

    grid: Grid
    marks: Marks
    notes: list[tuple[str, str]]
    encoding: str = ""
    merged: tuple[Range, ...] = ()
    filled: frozenset[tuple[int, int]] = frozenset()


def read_csv(place: Place) -> Raw:
    """Read a delimited text file.

    Parameters
    ----------
    place : Place
        Where it is and which encoding is declared, if any.

    Returns
    -------
    Raw
        Headings, cells and row numbers.

    Raises
    ------
    LayerError
        When the encoding or the heading row cannot be found, or the file is no text.
    """
    if place.path.stat().st_size > MAX_TEXT_BYTES:
        raise _fault(place, "file_too_large", detail=f"{place.path.stat().st_size:,} bytes")
    data = place.path.read_bytes()
    text, encoding, notes = decode(place, data)
    lines = text.lstrip("\ufeff")
    try:
        mark = _delimiter(lines)
        grid = [list(row) for row in csv.reader(io.StringIO(lines, newline=""), delimiter=mark)]
    except csv.Error as fault:
        raise _fault(place, "file_unreadable", detail=str(fault)) from fault
    if len(grid) > MAX_ROWS or max((len(r) for r in grid), default=0) > MAX_COLUMNS:
        raise _fault(place, "file_too_large", detail=counted(len(grid), "row"))
    cleaned = [[_unquote(cell) for cell in row] for row in grid]
    if mark != ",":
        shown = {"\t": "TAB"}.get(mark, mark)
        notes.append((f"各列以 {shown} 分隔", f"columns are separated by {shown}"))
    freed = sum(
        a != b
        for old, new in zip(grid, cleaned, strict=True)
        for a, b in zip(old, new, strict=True)
    )
    if freed:
        notes.append(
            (
                f"{freed} 格去掉了表格软件的文本标记",
                f"spreadsheet text marks taken off {freed} cells",
            )
        )
    return _understand(place, _Sheet(cleaned, {}, notes, encoding))


def decode(place: Place, data: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    """Turn the bytes of a text file into text, proving the encoding by decoding all of it.

    Parameters
    ----------
    place : Place
        Where the file is and which encoding is declared, if any.
    data : bytes
        The whole file.

    Returns
    -------
    text, encoding, notes
        The text, the encoding that decoded it, and what to tell people.

    Raises
    ------
    LayerError
        When no encoding fits. Latin-1 is never tried: it accepts anything and means nothing.
    """
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    marked = next((name for mark, name in marks if data.startswith(mark)), "")
    declared = place.encoding.strip().lower()
    if declared in {"gbk", "gb2312", "cp936", "ansi"}:
        declared = "gb18030"
    tries = [marked] if marked else [declared] if declared else ["utf-8", "gb18030"]
    if not marked and b"\x00" in data[:4096] and not declared.startswith("utf-16"):
        raise _fault(place, "file_disguised")
    for name in tries:
        try:
            text = data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if name == "gb18030" and not declared and _mojibake(text):
            continue
        notes = []
        if name not in {"utf-8", "utf-8-sig"}:
            notes.append((f"按 {name} 编码读取", f"read as {name}"))
        return text, name, notes
    code = "encoding_wrong" if declared and not marked else "encoding_unknown"
    raise _fault(place, code, encoding=place.encoding)


def _mojibake(text: str) -> bool:
    """Say whether decoded text is no text: private-use or unassigned characters."""
    strange = sum(
        1 for c in text if "\ue000" <= c <= "\uf8ff" or c == "\ufffd" or c >= "\U000f0000"
    )
    return strange * 200 > len(text)


def _delimiter(text: str) -> str:
    """Choose the mark that the most of the first lines hold, then the one they hold most often."""
    head = [line for line in text.splitlines()[:HEADING_SEARCH] if line.strip()]

    def weight(mark: str) -> tuple[int, int]:
        return sum(mark in line for line in head), sum(line.count(mark) for line in head)

    return max(",\t;", key=weight)


def _unquote(cell: str) -> str:
    """Undo the ="0012" and '0012 that keep codes as text when a CSV passes through a spreadsheet."""
    found = re.fullmatch(r'\s*="([^"]*)"\s*', cell) or re.fullmatch(r"'(\d+)", cell.strip())
    return found.group(1) if found else cell


def read_xlsx(place: Place) -> Raw:
    """Read one sheet of an Excel workbook.

    Parameters
    ----------
    place : Place
        Where it is; ``sublayer`` names the sheet, otherwise the sheet named after the layer is
        taken, or the only one that has its headings.

    Returns
    -------
    Raw
        Headings, cells, row numbers and spoilt cells by name.

    Raises
    ------
    LayerError
        When the workbook is unsafe or unreadable, or the sheet or its heading row is missing.
    """
    choice = choose_sheet(place)
    name = choice.name
    sheet = _sheet(place, name)
    if choice.spare:
        listed = "、".join(choice.spare)[:80]
        sheet.notes.append(
            (f"读取工作表“{name}”；未读取：{listed}", f"read sheet {name!r}; not read: {listed}")
        )
    if choice.hidden:
        sheet.notes.append(
            (
                f"工作表“{name}”在表格软件中是隐藏的，也已读取",
                f"sheet {name!r} is hidden in the spreadsheet; it was read",
            )
        )
    raw = _understand(place, sheet)
    alike = [
        Fault(
            "sheet_unread", place.layer, value=other[:60], file=place.file, details={"read": name}
        )
        for other in choice.alike
    ]
    return replace(raw, faults=(*raw.faults, *alike))


def sheet_names(place: Place) -> list[str]:
    """List the sheets of a workbook.

    Parameters
    ----------
    place : Place
        Where it is.

    Returns
    -------
    list of str
        Names in order.
    """
    guard_zip(place)
    book = _open(place, values=True)
    try:
        return [str(name) for name in book.sheetnames]
    finally:
        book.close()


@dataclass(frozen=True)
class Choice:
    """The sheet of a workbook that holds a layer.

    Attributes
    ----------
    name : str
        Sheet that is read.
    spare : tuple of str
        Other sheets that might hold data, where none is named after the layer.
    alike : tuple of str
        Sheets with the same columns that are not read.
    hidden : bool
        Whether the sheet is hidden in the spreadsheet program.
    """

    name: str
    spare: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    hidden: bool = False


def choose_sheet(place: Place) -> Choice:
    """Find the sheet of a workbook that holds a layer.

    A visible sheet named after the layer comes first, then a visible one with its headings; a
    hidden sheet is read only where no visible one will do.

    Parameters
    ----------
    place : Place
        Where the workbook is and which layer is wanted.

    Returns
    -------
    Choice
        The sheet and those beside it.

    Raises
    ------
    LayerError
        When the sheet asked for is missing, or when several visible sheets hold the layer's
        columns and none says by its name that it is the one.
    """
    names = sheet_names(place)
    if place.sublayer:
        wanted = [n for n in names if plain(n) == plain(place.sublayer)]
        if not wanted:
            raise _fault(place, "sheet_missing", sheet=place.sublayer, names="、".join(names))
        return Choice(wanted[0])
    if len(names) == 1:
        return Choice(names[0])
    columns, hidden = _sheet_columns(place, [n for n in names if not _of_another(place.layer, n)])
    keys = _layer_keys(place.layer)
    named = sorted(
        (n for n in columns if heading_key(n) in keys), key=lambda n: keys.index(heading_key(n))
    )
    required = {c.column for c in layers()[place.layer].columns if c.required}
    bearing = [n for n in columns if required - set(PLACE_COLUMNS) <= columns[n]]
    seen = [n for n in columns if n not in hidden]
    order = [
        *(n for n in named if n not in hidden),
        *(n for n in seen if n in bearing),
        *(n for n in named if n in bearing),
        *seen,
        *names,
    ]
    name = order[0]
    alike = [n for n in bearing if n != name and _like(columns[n], columns.get(name, set()))]
    rivals = [n for n in alike if n not in hidden and (name not in named or n in named)]
    if rivals and name not in hidden:
        listed = "、".join([name, *rivals])
        raise _fault(place, "sheets_alike", names=listed[:120])
    spare = () if name in named else tuple(n for n in seen if n != name)
    return Choice(name, spare, tuple(alike), name in hidden)


def _layer_keys(layer: str) -> list[str]:
    declared = layers()[layer]
    return [heading_key(declared.layer), *(heading_key(a) for a in declared.aliases)]


def _of_another(layer: str, name: str) -> bool:
    """Say whether a sheet explains, or is named after another layer alone."""
    if "说明" in name or name.lower() in {"readme", "notes"}:
        return True
    key = heading_key(name)
    return key not in _layer_keys(layer) and any(key in _layer_keys(other) for other in layers())


def _sheet_columns(place: Place, names: list[str]) -> tuple[dict[str, set[str]], set[str]]:
    """Columns of a layer that the first rows of each sheet name, and which sheets are hidden."""
    found: dict[str, set[str]] = {}
    hidden = set()
    book = _open(place, values=True)
    try:
        for name in names:
            page = book[name]
            if getattr(page, "sheet_state", "visible") != "visible":
                hidden.add(name)
            try:
                page.reset_dimensions()
                rows = page.iter_rows(
                    max_row=HEADING_SEARCH + 2, max_col=MAX_COLUMNS, values_only=True
                )
                grid = [["" if v is None else str(v) for v in row] for row in rows]
                top, depth, titles = _find_heading(place, grid)
            except Exception:
                # A chart, a cover, or a damaged part, on which openpyxl raises anything. No column
                # is known of it; where it is the sheet to be read, reading it refuses the file.
                found[name] = set()
                continue
            rows_below = any(filter(None, line) for line in grid[top + depth :])
            found[name] = _named_columns(place.layer, titles) if rows_below else set()
    finally:
        book.close()
    return found, hidden


def _named_columns(layer: str, titles: list[str]) -> set[str]:
    known = headings(layer)
    named = {known[key] for t in titles if (key := heading_key(t)) in known}
    grades = {f"{g}" for t in titles if layer == "children" and (g := grade_heading(t)) is not None}
    return named | grades | ({"grade", "students"} if grades else set())


def _like(one: set[str], other: set[str]) -> bool:
    """Say whether two sheets name mostly the same columns of a layer."""
    return 2 * len(one & other) > len(one | other)


def guard_zip(place: Place) -> None:
    """Refuse a workbook that is no zip archive, or one made to exhaust memory or reach outside.

    Parameters
    ----------
    place : Place
        Where it is.
    """
    try:
        with zipfile.ZipFile(place.path) as archive:
            infos = archive.infolist()
            judge_archive(infos)
            for info in infos:
                if info.filename.lower().endswith((".xml", ".rels", ".vml")):
                    with archive.open(info) as part:
                        refuse_doctype(part)
            if "[Content_Types].xml" not in archive.namelist():
                raise _fault(place, "file_disguised")
    except LayerError:
        raise
    except UnsafeError as fault:
        raise _fault(place, "file_unsafe", detail=str(fault)) from fault
    except Exception as fault:  # a damaged archive trips over anything
        raise _fault(place, "file_disguised") from fault


def _open(place: Place, *, values: bool) -> Any:
    try:
        return openpyxl.load_workbook(
            place.path, read_only=True, data_only=values, keep_links=False
        )
    except Exception as fault:  # openpyxl raises anything on damaged parts
        raise _fault(place, "file_unreadable", detail=type(fault).__name__) from fault


def _sheet(place: Place, name: str) -> _Sheet:
    merged, last, width, hidden = _extent(place, name)
    if last > MAX_ROWS or width > MAX_COLUMNS:
        detail = f"{get_column_letter(min(width, 18_278))}{last}"
        raise _fault(place, "file_too_large", detail=detail)
    values, formulas = _open(place, values=True), _open(place, values=False)
    try:
        pages = values[name], formulas[name]
        for page in pages:
            page.reset_dimensions()
        streams = [
            page.iter_rows(max_row=last or MAX_ROWS + 1, max_col=MAX_COLUMNS + 1) for page in pages
        ]
        grid: Grid = []
        marks: Marks = {}
        notes: list[tuple[str, str]] = []
        padded = 0
        for r, (row, written) in enumerate(zip(*streams, strict=False)):
            line: list[str] = []
            for c, (cell, formula) in enumerate(zip(row, written, strict=False)):
                text, code = _cell(cell, formula)
                if code == "padded":
                    padded += 1
                elif code:
                    marks[r, c] = (code, f"{get_column_letter(c + 1)}{r + 1}", text)
                line.append(text)
            while line and not line[-1]:
                line.pop()
            if len(line) > MAX_COLUMNS or r >= MAX_ROWS:
                raise _fault(place, "file_too_large", detail=f"{r + 1} x {len(line)}")
            grid.append(line)
        while grid and not grid[-1]:
            grid.pop()
    except LayerError:
        raise
    except Exception as fault:  # openpyxl raises anything on damaged parts
        raise _fault(place, "file_unreadable", detail=type(fault).__name__) from fault
    finally:
        values.close()
        formulas.close()
    if padded:
        notes.append(
            (
                f"{padded} 个单元格的前导零只存在于显示格式，已按格式补回",
                f"{padded} cells kept leading zeros only in their number format; restored",
            )
        )
    if hidden:
        notes.append(
            (
                f"有 {hidden} 行在表格软件中是隐藏的，也已读取",
                f"read although hidden in the spreadsheet: {counted(hidden, 'row')}",
            )
        )
    grid, filled = fill_merged(merged, grid, TOTALS)
    return _Sheet(grid, marks, notes, "", tuple(merged), filled)


def _cell(cell: Any, formula: Any) -> tuple[str, str]:
    """Text of an Excel cell and the code of what is wrong with it, empty when nothing is."""
    value = cell.value
    if value is None:
        written = formula.value
        if isinstance(written, str) and formula.data_type == "f":
            return "", "formula_no_value"
        return "", ""
    if cell.data_type == "e":
        return str(value), "cell_error"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()[:10], "id_is_date"
    if isinstance(value, bool):
        return ("yes" if value else "no"), ""
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not value.is_integer():
            return repr(value), ""
        whole = str(int(value))
        if len(whole.lstrip("-")) > 15:
            return whole, "number_too_long"
        pad = _ZERO_PADDED.match(str(cell.number_format or ""))
        if pad and len(whole) < len(pad.group(1)) and value >= 0:
            return whole.zfill(len(pad.group(1))), "padded"
        return whole, ""
    return str(value), ""


def _extent(place: Place, name: str) -> tuple[list[Range], int, int, int]:
    """Find the merged ranges of a sheet, its last row and column that hold anything, hidden rows.

    The streaming reader leaves merged ranges out and fills every row up to a far cell, so both are
    told from the sheet's own text first. A last row of 0 means that its cells do not say where
    they stand.
    """
    book = _open(place, values=True)
    try:
        part = str(getattr(book[name], "_worksheet_path", ""))
    finally:
        book.close()
    found: set[Range] = set()
    last = width = hidden = 0
    placed = True
    try:
        with zipfile.ZipFile(place.path) as archive, archive.open(part.lstrip("/")) as stream:
            tail = b""
            while chunk := stream.read(1 << 20):
                text = tail + chunk
                cut = text.rfind(b"<") if len(chunk) == 1 << 20 else len(text)
                if len(text) - cut > 1 << 20:
                    raise _fault(place, "file_unsafe", detail="a cell of more than 1 MB")
                for m in _MERGED.finditer(text, 0, cut):
                    found.add(
                        (int(m[2]), _letters(m[1].decode()), int(m[4]), _letters(m[3].decode()))
                    )
                hidden += sum(1 for _ in _HIDDEN.finditer(text, 0, cut))
                for m in _CELL.finditer(text, 0, cut):
                    attributes = m[1]
                    if attributes.endswith(b"/") or text.startswith(b"</", m.end()):
                        continue
                    at = _CELL_PLACE.search(attributes)
                    if at is None:
                        placed = False
                        continue
                    last, width = max(last, int(at[2])), max(width, _letters(at[1].decode()))
                tail = text[cut:]
    except (KeyError, OSError, zipfile.BadZipFile):
        return [], 0, 0, 0
    return sorted(found), last if placed else 0, width, hidden


def _letters(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 26 + ord(letter) - 64
    return number


def _understand(place: Place, sheet: _Sheet) -> Raw:
    """Find the heading row, drop title, unit, total and footer rows, and say so."""
    grid = sheet.grid
    notes = list(sheet.notes)
    top, depth, titles = _find_heading(place, grid)
    if top:
        shown = "；".join(filter(None, (tidy(" ".join(r)) for r in grid[:top])))[:80]
        if shown:
            notes.append(
                (
                    f"跳过表头上方 {top} 行：{shown}",
                    f"skipped {counted(top, 'row')} above the heading",
                )
            )
    width = len(titles)
    marked = dict(sheet.marks)
    below = {(r, c) for r, c in sheet.filled if r >= top + depth}
    shared = shared_numbers(place.layer, titles, below, grid)
    marked |= shared
    if len(below) > len(shared):
        count = len(below) - len(shared)
        notes.append(
            (f"{count} 个合并单元格已向下填充", f"{count} cells of merged ranges filled downwards")
        )
    cells: Grid = []
    rows: list[int] = []
    places: dict[int, int] = {}
    totals: list[int] = []
    others: list[int] = []
    faults = columns_without_heading(
        place.layer, place.file, titles, range(top, top + depth), sheet.merged, grid
    )
    for r in range(top + depth, len(grid)):
        beyond = " ".join(filter(None, (tidy(cell) for cell in grid[r][width:])))
        line = [cell.strip() for cell in grid[r][:width]]
        line += [""] * (width - len(line))
        spoilt = any((r, c) in marked for c in range(width))
        filled = [plain(cell) for cell in line if cell]
        if not filled and not spoilt and not beyond:
            continue
        if is_total(line, titles):
            totals.append(r + 1)
            continue
        if filled and _FOOTERS.match(filled[0]) and len(filled) <= 3:
            others.append(r + 1)
            continue
        if r == top + depth and filled and all(cell.strip("()") in _UNITS for cell in filled):
            others.append(r + 1)
            continue
        if beyond:
            # Text tables shift when a separator stands in a cell; in a sheet it is a jotting.
            code = "row_too_long" if place.path.suffix.lower() == ".csv" else "cells_unread"
            faults.append(Fault(code, place.layer, r + 1, value=beyond[:60], file=place.file))
            if not filled and not spoilt and code == "cells_unread":
                continue
        places[r] = len(cells)
        cells.append(line)
        rows.append(r + 1)
    if totals:
        listed = _listed(totals)
        notes.append((f"剔除合计行：第 {listed} 行", f"total rows left out: {listed}"))
    if others:
        listed = _listed(others)
        notes.append(
            (f"跳过单位行或表尾：第 {listed} 行", f"unit or footer rows skipped: {listed}")
        )
    marks = {(places[r], c): mark for (r, c), mark in marked.items() if r in places and c < width}
    return Raw(
        headings=tuple(titles),
        cells=cells,
        rows=rows,
        marks=marks,
        encoding=sheet.encoding,
        notes=tuple(notes),
        faults=tuple(faults),
    )


def _listed(rows: list[int]) -> str:
    return ", ".join(str(r) for r in rows[:10]) + ("…" if len(rows) > 10 else "")


def _find_heading(place: Place, grid: Grid) -> tuple[int, int, list[str]]:
    """Position and depth (1 or 2 rows) of the heading, and its titles."""
    known = headings(place.layer)

    def score(titles: list[str]) -> int:
        return sum(
            1
            for t in titles
            if t
            and (
                heading_key(t) in known
                or (place.layer == "children" and grade_heading(t) is not None)
            )
        )

    best: tuple[int, int, int, list[str]] = (0, 0, 1, [])
    limit = min(len(grid), HEADING_SEARCH)
    for r in range(limit):
        single = [tidy(cell) for cell in grid[r]]
        if (points := score(single)) > best[0]:
            best = (points, r, 1, single)
    for r, (upper, lower) in enumerate(pairwise(grid[:limit])):
        if not score([tidy(cell) for cell in lower]):
            continue
        width = max(len(upper), len(lower))
        above = [tidy(c) for c in upper] + [""] * (width - len(upper))
        below = [tidy(c) for c in lower] + [""] * (width - len(lower))
        double = [b or a for a, b in zip(above, below, strict=True)]
        if (points := score(double)) > best[0]:
            best = (points, r, 2, double)
    points, top, depth, titles = best
    filled = [t for t in titles if t and not ignored_heading(t)]
    if points == 0 or (points == 1 and len(filled) > 4):
        required = [c for c in layers()[place.layer].columns if c.required]
        wanted = "、".join(f"{c.title}（{c.column}）" for c in required)
        raise _fault(place, "heading_missing", wanted=wanted)
    while titles and not titles[-1]:
        titles.pop()
    return top, depth, titles


def _fault(place: Place, code: str, **details: Any) -> LayerError:
    return LayerError(Fault(code, place.layer, file=place.file, details=details))
