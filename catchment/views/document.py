"""A document as a neutral list of headings, paragraphs, tables and pictures.

The content of a report is built once in these words; ``docx_writer`` and ``html_writer`` show it.
Every text in it is plain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MANY_COLUMNS = 10
"""From so many columns on a table is set in smaller type."""
_LATIN = 0x2E7F
_WORDS = re.compile("[^\\s\u2e80-\uffff+]+")

Style = Literal["body", "note", "warning", "kicker", "right", "center"]
Tone = Literal["", "bad", "warn", "good", "sum"]
Align = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Heading:
    """A heading.

    Attributes
    ----------
    text : str
        Its words.
    level : int
        0 for the title of the document, then 1 to 3.
    new_page : bool
        Whether it begins a page.
    """

    text: str
    level: int = 1
    new_page: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A paragraph.

    Attributes
    ----------
    text : str
        Its words.
    style : str
        ``body`` (indented by two characters), ``note`` (small), ``warning`` (framed), ``kicker``
        (the line under the title), ``right`` or ``center``.
    keep : bool
        Whether it stays on one page with what follows.
    """

    text: str
    style: Style = "body"
    keep: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
        Heading of the column.
    width : float
        Share of the page's width, relative to the other columns.
    align : str
        ``left``, ``center`` or ``right``.
    """

    title: str
    width: float = 1.0
    align: Align = "left"


@dataclass(frozen=True)
class Table:
    """A table; its first row is repeated on every page.

    Attributes
    ----------
    columns : tuple of Column
        Columns from left to right.
    rows : tuple of tuple of str
        Cells.
    caption : str
        Line above the table.
    empty : str
        What is said where there are no rows.
    tones : tuple of str
        Shade of each row: empty, ``bad``, ``warn``, ``good`` or ``sum``; may be shorter than rows.
    tall : bool
        Whether rows are high enough to sign and stamp in.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    empty: str = ""
    tones: tuple[Tone, ...] = ()
    tall: bool = False

    def tone(self, row: int) -> Tone:
        """Shade of one row.

        Parameters
        ----------
        row : int
            Its position.

        Returns
        -------
        str
            Empty where none was given.
        """
        return self.tones[row] if row < len(self.tones) else ""

    @property
    def dense(self) -> bool:
        """Whether it has so many columns that it is set in smaller type."""
        return len(self.columns) >= MANY_COLUMNS

    def shares(self, wide_mm: float, letter_mm: float) -> list[float]:
        """Share of the width that each column gets, so that no word of a heading is broken.

        Parameters
        ----------
        wide_mm : float
            Width of the table.
        letter_mm : float
            Width of a small Latin letter or figure.

        Returns
        -------
        list of float
            In order, 1 in sum: as the columns ask, wider where a word or a number would not fit;
            what that takes comes from columns that have more than they need.
        """
        total = sum(column.width for column in self.columns)
        asked = [wide_mm * column.width / total for column in self.columns]
        least = self._needs(letter_mm, whole=True)
        if sum(least) > wide_mm:
            return self._crowded(wide_mm, letter_mm, least)
        lacking = sum(max(need - have, 0.0) for need, have in zip(least, asked, strict=True))
        spare = sum(max(have - need, 0.0) for need, have in zip(least, asked, strict=True))
        given = min(lacking, spare)
        found = [
            have + (need - have) * (given / lacking if need > have else given / spare)
            if given and need != have
            else have
            for need, have in zip(least, asked, strict=True)
        ]
        return [width / sum(found) for width in found]

    def _crowded(self, wide_mm: float, letter_mm: float, wished: list[float]) -> list[float]:
        """Shares where not all names fit: words stay whole, the rest goes where names need it."""
        words = self._needs(letter_mm, whole=False)
        left = max(wide_mm - sum(words), 0.0)
        lacking = [max(wish - word, 0.0) for wish, word in zip(wished, words, strict=True)]
        part = left / sum(lacking) if sum(lacking) else 0.0
        found = [word + lack * part for word, lack in zip(words, lacking, strict=True)]
        return [width / sum(found) for width in found]

    def _needs(self, letter_mm: float, *, whole: bool) -> list[float]:
        """Least width of every column; with ``whole``, short cells and names are kept together."""
        return [
            (min(max(_title(column.title), _longest_of(self.rows, k, whole=whole)), _LONGEST_WORD)
             + _CELL_EDGES) * letter_mm
            for k, column in enumerate(self.columns)
        ]  # fmt: skip


_LONGEST_WORD, _LONGEST_NAME, _SHORT, _CELL_EDGES, _SEEN = 15.0, 7, 12, 1.9, 400
"""Longest word that widens a column, characters of half a Chinese name, and a short cell in letters;
edges of a cell in letters; rows that are looked at."""


_WIDE = "mwMW".__contains__


def _longest(text: str, *, whole: bool = False) -> float:
    """Letters that a cell needs: its longest word, and Chinese names in two lines."""
    # What is short altogether ("School bus") is kept on one line, what is longer on two.
    capitals = 0.3 * sum(map(str.isupper, text))
    latin = whole and bool(text) and text.isascii()
    if latin and len(text) <= _SHORT:
        return len(text) + capitals
    wide = sum(ord(c) > _LATIN for c in text)
    most = 1.8 * min(-(-wide // 2), _LONGEST_NAME if whole else 3)
    if latin:
        most = len(text) / 2 + 2 + capitals
    for word in _WORDS.findall(text):
        most = max(
            most, len(word) + 0.3 * sum(map(str.isupper, word)) + 0.4 * sum(map(_WIDE, word))
        )
    return most


def _title(text: str) -> float:
    """Letters of the longest word of a heading, which is bold and may stand in two lines."""
    return max((_longest(word) for word in text.split()), default=0.0) * 1.15


def _longest_of(rows: tuple[tuple[str, ...], ...], k: int, *, whole: bool) -> float:
    return max((_longest(row[k], whole=whole) for row in rows[:_SEEN]), default=0.0)


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes
    ----------
    png : bytes
        The picture.
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        Line below it.
    width_mm : float
        Width on paper.
    """

    png: bytes
    alt: str
    caption: str
    width_mm: float = 152.0


@dataclass(frozen=True)
class PageBreak:
    """The next block begins a page."""


Block = Heading | Paragraph | Table | Picture | PageBreak


@dataclass(frozen=True)
class Document:
    """A whole document.

    Attributes
    ----------
    title : str
        Title, also in the file's properties.
    lang : str
        ``zh`` or ``en``.
    blocks : tuple of Block
        Content in order; the title is one of them.
    footer : tuple of str
        Lines at the foot of every page.
    page_words : tuple of str
        Words before, between and after the page number and the number of pages.
    year : int
        Year put into the file's properties (a fixed date, so that equal content has equal bytes).
    author : str
        Who made it.
    compact : bool
        Whether type and rows are set closer, so that a school keeps to its page.
    """

    title: str
    lang: str
    blocks: tuple[Block, ...]
    footer: tuple[str, ...] = ()
    page_words: tuple[str, str, str] = ("", " / ", "")
    year: int = 2000
    author: str = ""
    compact: bool = False
