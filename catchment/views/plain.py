"""Text from data is text: no markup, no formula, nothing a reader's program would run or refuse."""

from __future__ import annotations

import math
import re
from typing import Any

LONGEST = 2000
"""Longest text shown in one cell or paragraph; the rest is cut and marked by an ellipsis."""

# Characters that XML 1.0 forbids, and marks that reverse or hide the text around them.
_ILLEGAL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BEYOND = re.compile(
    "[\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U000ffffe\U000fffff\U0010fffe\U0010ffff]"
)
_BREAKS = re.compile(r"[\t\r\n\x85\u2028\u2029]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def plain(value: Any, *, longest: int = LONGEST) -> str:
    r"""Turn any value of a table into one line of text that every format can hold.

    Parameters
    ----------
    value : object
        A cell; ``None`` and missing numbers become empty text.
    longest : int
        Most characters kept.

    Returns
    -------
    str
        Without control characters, line breaks and direction marks.

    Examples
    --------
    >>> plain("a\x00b\nc")
    'ab c'
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value)
    if text in ("<NA>", "NaT"):
        return ""
    # Nothing that the patterns look for is printable, and most cells hold nothing else.
    if not text.isprintable():
        for pattern in (_ILLEGAL, _UNSEEN, _BEYOND):
            text = pattern.sub("", text)
        text = _BREAKS.sub(" ", text)
    text = text.strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def guarded(value: Any, *, longest: int = LONGEST) -> str:
    """Like :func:`plain`, and no spreadsheet takes the text for a formula.

    Parameters
    ----------
    value : object
        A text cell of a CSV file.
    longest : int
        Most characters kept.

    Returns
    -------
    str
        With an apostrophe in front where the text begins like a formula.

    Examples
    --------
    >>> guarded("=1+1")
    "'=1+1"
    """
    text = plain(value, longest=longest)
    return "'" + text if text.startswith(_FORMULA) else text


def whole(value: Any) -> str:
    """Show a count.

    Parameters
    ----------
    value : object
        A number; missing or infinite ones are shown as a dash.

    Returns
    -------
    str
        Without decimals, thousands separated.
    """
    number = _number(value)
    return "—" if number is None else f"{round(number):,}"


def decimal(value: Any, places: int = 1) -> str:
    """Show a measured figure.

    Parameters
    ----------
    value : object
        A number; missing or infinite ones are shown as a dash.
    places : int
        Decimals.

    Returns
    -------
    str
        Rounded, thousands separated.
    """
    number = _number(value)
    return "—" if number is None else f"{number:,.{places}f}"


def percent(value: Any) -> str:
    """Show a share.

    Parameters
    ----------
    value : object
        A share from 0 to 1.

    Returns
    -------
    str
        In per cent with one decimal.
    """
    number = _number(value)
    return "—" if number is None else f"{number * 100:.1f}%"


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
