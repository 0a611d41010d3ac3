"""A document as a neutral list of headings, paragraphs, tables and pictures.

The content of a report is built once in these words; ``docx_writer`` and ``html_writer`` show it.
Every text in it is plain text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
