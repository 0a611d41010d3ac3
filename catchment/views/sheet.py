"""A sheet of a workbook as data: columns, rows, shades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """One column of a sheet.

    Attributes
    ----------
    key : str
        Key of its heading (``x.``) and of its meaning (``m.``) in the words.
    width : float
        Width in characters.
    kind : str
        ``text``, ``int``, ``decimal`` or ``date``.
    choice : str
        Name of the list that the cell is chosen from; empty where it is not.
    edit : bool
        Whether people fill it in.
    year : int
        Year in the heading; 0 where there is none.
    """

    key: str
    width: float = 10.0
    kind: str = "text"
    choice: str = ""
    edit: bool = False
    year: int = 0


@dataclass(frozen=True)
class Sheet:
    """One sheet.

    Attributes
    ----------
    key : str
        Key of its name (``book.``).
    fields : tuple of Field
        Columns.
    rows : list of tuple
        Values.
    empty : str
        What is said where there are no rows.
    marks : dict
        Shade of rows by position: ``bad`` or ``warn``.
    told : str
        What the reader has to know of the figures; stands above the headings.
    printed : bool
        Whether its rows are printed; a long list that is there to be filtered prints its head alone.
    """

    key: str
    fields: tuple[Field, ...]
    rows: list[tuple[Any, ...]]
    empty: str
    marks: dict[int, str]
    told: str = ""
    printed: bool = True
