"""Tables that a county keeps beside its layers: evidence, school resources, factors of need.

One declaration serves the templates, the reader and the documents. Headings may be the names, the
Chinese or the English titles.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from catchment.errors import InputError

Language = Literal["zh", "en"]

FILES: Mapping[str, str] = {
    "evidence": "evidence.csv",
    "resources": "resources.csv",
    "need_factors": "need_factors.csv",
}
"""File of each table in the county's folder."""


@dataclass(frozen=True)
class OwnColumn:
    """One column of a county's own table.

    Attributes
    ----------
    column : str
        Name in code.
    zh, en : str
        Headings.
    aliases : tuple of str
        Other headings that are understood.
    meaning_zh, meaning_en : str
        What is to be filled in.
    """

    column: str
    zh: str
    en: str
    aliases: tuple[str, ...]
    meaning_zh: str
    meaning_en: str


@cache
def own_columns(table: str) -> tuple[OwnColumn, ...]:
    """Columns of a table.

    Parameters
    ----------
    table : str
        A key of :data:`FILES`.

    Returns
    -------
    tuple of OwnColumn
        In the order of the template.
    """
    text = files("catchment.region").joinpath("county_tables.csv").read_text(encoding="utf-8")
    return tuple(
        OwnColumn(
            column=r["column"],
            zh=r["zh"],
            en=r["en"],
            aliases=tuple(a for a in r["aliases"].split("|") if a),
            meaning_zh=r["meaning_zh"],
            meaning_en=r["meaning_en"],
        )
        for r in csv.DictReader(text.splitlines())
        if r["table"] == table
    )


@cache
def factor_rows() -> tuple[dict[str, str], ...]:
    """Factors of need with their usual values.

    Returns
    -------
    tuple of dict
        ``factor, value, zh, en``.
    """
    text = files("catchment.region").joinpath("need_factors.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def office_text(path: Path) -> str:
    """Read a text file that an office saved.

    Parameters
    ----------
    path : Path
        UTF-8 (with or without a mark) or GB18030.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    InputError
        When it is neither.
    """
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(
        f"{path.name} 不是 UTF-8 或 GB18030 文字，请另存为“CSV UTF-8” / is neither UTF-8 nor GB18030; "
        "save it as CSV UTF-8"
    )


def office_rows(path: Path) -> list[list[str]]:
    """Read the lines of a table (CSV) that an office saved.

    Parameters
    ----------
    path : Path
        As :func:`office_text` reads it.

    Returns
    -------
    list of list of str
        Cells of every line.

    Raises
    ------
    InputError
        When it is no text, or a cell is longer than any table's.
    """
    try:
        return list(csv.reader(io.StringIO(office_text(path), newline="")))
    except csv.Error as fault:
        raise InputError(
            f"{path.name} 不是可读的 CSV 表格（有超长单元格或多余的引号），请另存一次 / cannot be read as CSV "
            "(an overlong cell or a stray quote); save it again"
        ) from fault


def read_rows(folder: Path, table: str, required: Sequence[str]) -> list[dict[str, str]] | None:
    """Read a county's own table.

    Parameters
    ----------
    folder : Path
        Folder of the county.
    table : str
        A key of :data:`FILES`.
    required : sequence of str
        Columns that have to be there.

    Returns
    -------
    list of dict or None
        Rows by column name, with ``row``: the line in the file; empty lines and lines of
        explanation (``#``) left out. None where there is no such file.

    Raises
    ------
    InputError
        When a column is missing or named twice, or a line has more cells than there are headings.
    """
    path = folder / FILES[table]
    if not path.is_file():
        return None
    lines = [
        (n, cells)
        for n, cells in enumerate(office_rows(path), start=1)
        if any(c.strip() for c in cells) and not cells[0].lstrip().startswith("#")
    ]
    known = {
        _plain(name): c.column
        for c in own_columns(table)
        for name in (c.column, c.zh, c.en, *c.aliases)
    }
    heads = [known.get(_plain(h), h.strip()) for h in lines[0][1]] if lines else []
    missing = [c for c in required if c not in heads]
    if missing:
        raise InputError(
            f"{path.name} 缺少列 {'、'.join(missing)}，请补上 / columns missing: {missing}"
        )
    double = sorted({h for h in heads if h and heads.count(h) > 1})
    if double:
        raise InputError(f"{path.name} 有重复的列 {'、'.join(double)} / columns named twice")
    out = []
    for number, cells in lines[1:]:
        if len(cells) > len(heads) and any(c.strip() for c in cells[len(heads) :]):
            raise InputError(
                f"{path.name} 第 {number} 行的格数多于列名，请检查逗号 / row {number} has more cells "
                "than headings; check the commas"
            )
        padded = [*cells, *[""] * len(heads)][: len(heads)]
        out.append(
            {"row": str(number), **dict(zip(heads, (c.strip() for c in padded), strict=True))}
        )
    return out


def template_text(table: str, lang: Language) -> str:
    """Text of an empty table, ready to be opened in a spreadsheet program.

    Parameters
    ----------
    table : str
        A key of :data:`FILES`.
    lang : {"zh", "en"}
        Language of headings and explanations.

    Returns
    -------
    str
        Comma-separated, with a byte order mark; factors have their usual values filled in, other
        tables hold headings and one line of explanation that is not read.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    columns = own_columns(table)
    zh = lang == "zh"
    writer.writerow([c.zh if zh else c.en for c in columns])
    if table == "need_factors":
        for row in factor_rows():
            writer.writerow([row["factor"], row["value"], row[lang]])
    else:
        told = [c.meaning_zh if zh else c.meaning_en for c in columns]
        note = "# 本行是说明，不读入：" if zh else "# explained here, not read: "
        writer.writerow([note + told[0], *told[1:]])
    return "\ufeff" + out.getvalue()


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()
