"""One table of all words that documents show, in Chinese and English."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Literal

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = ("zh", "en")


@cache
def words() -> dict[str, dict[str, str]]:
    """Read the table of words.

    Returns
    -------
    dict
        For every key the words by language.

    Raises
    ------
    ValueError
        When a key stands twice in the table.
    """
    text = files("catchment.views").joinpath("words.csv").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(text.splitlines()):
        if row["key"] in table:
            raise ValueError(f"words.csv: {row['key']!r} 重复 / stands twice")
        table[row["key"]] = {lang: row[lang] or "" for lang in LANGS}
    return table


def word(key: str, lang: str, **values: Any) -> str:
    """Words of one key in one language.

    Parameters
    ----------
    key : str
        Key of the table.
    lang : {"zh", "en"}
        Language.
    **values
        What stands in the places of ``{name}``; inserted as it is, never formatted further.

    Returns
    -------
    str
        The words.

    Raises
    ------
    LookupError
        When the key, the language or a value is missing.

    Examples
    --------
    >>> word("village", "en")
    'Village'
    """
    try:
        text = words()[key][lang]
    except KeyError:
        raise LookupError(f"words.csv 缺少 {key!r}（{lang}）/ no such word") from None
    if not text:
        raise LookupError(f"words.csv {key!r} 缺少 {lang} / has no words in this language")
    if not values and "{" not in text:
        return text
    return _filled(key, text, values)


def name_of(kind: str, value: Any, lang: str) -> str:
    """Words for a coded value of a table; the value itself where the table does not know it.

    Parameters
    ----------
    kind : str
        What is coded, for example ``role`` or ``mode``.
    value : object
        The code.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        Words for people.
    """
    entry = words().get(f"{kind}.{value}")
    return entry[lang] if entry and entry.get(lang) else str(value)


def fields(text: str) -> tuple[str, ...]:
    """Names of the places to be filled in a text.

    Parameters
    ----------
    text : str
        Words with ``{name}`` in them.

    Returns
    -------
    tuple of str
        Sorted, each once.
    """
    return tuple(sorted({name for _, name, _, _ in Formatter().parse(text) if name}))


def _filled(key: str, text: str, values: dict[str, Any]) -> str:
    parts: list[str] = []
    for literal, name, _, _ in Formatter().parse(text):
        parts.append(literal)
        if name:
            if name not in values:
                raise LookupError(f"words.csv {key!r} 需要 {name!r} / needs this value")
            parts.append(str(values[name]))
    return "".join(parts)
