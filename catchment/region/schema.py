"""Schema of the layers: one declaration a column, read from tables, used by code, checks and docs.

``layers.csv`` names the layers, ``columns.csv`` their columns, ``values.csv`` the Chinese spellings
of their values. The pandera schemas are built from the same rows.
"""

from __future__ import annotations

import csv
import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import pandera.pandas as pa

GRADES = tuple(range(1, 10))
PLACE_COLUMNS = ("lon", "lat", "easting", "northing")
YES, NO = "yes", "no"

# Zero-width and directional marks that spreadsheets and web pages leave behind.
_INVISIBLE = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad\u0000-\u0008\u000e-\u001f]"
)
_IGNORED = {"备注", "note", "notes", "remark", "remarks", "说明", "fid", "ogcfid", "geom"}
# Personal data of children has no place in any layer; see docs/data.md.
_PRIVATE = re.compile(
    r"身份证|证件号|电话|手机|联系方式|监护人|家长|学生姓名|^姓名$|phone|mobile|idcard|identitynumber"
)


@dataclass(frozen=True)
class Column:
    """One column of a layer, as declared in ``columns.csv``.

    Attributes
    ----------
    layer, column : str
        Layer and canonical name.
    type : str
        ``id``, ``text``, ``int``, ``float``, ``grade``, ``year``, ``choice`` or ``bool``.
    unit : str
        Unit of measure, may be empty.
    required : bool
        Whether every row must hold a value.
    low, high : float or None
        Least and greatest value.
    values : tuple of str
        Values of a choice.
    aliases : tuple of str
        Other headings that mean the column.
    zh, en : str
        Meaning.
    """

    layer: str
    column: str
    type: str
    unit: str
    required: bool
    low: float | None
    high: float | None
    values: tuple[str, ...]
    aliases: tuple[str, ...]
    zh: str
    en: str

    @property
    def title(self) -> str:
        """First Chinese heading, or the canonical name."""
        return self.aliases[0] if self.aliases else self.column


@dataclass(frozen=True)
class Layer:
    """One layer, as declared in ``layers.csv``.

    Attributes
    ----------
    layer : str
        Canonical name.
    geometry : str
        ``point``, ``line``, ``polygon``, ``raster`` or ``none``.
    required : bool
        Whether a region must have it.
    key : tuple of str
        Columns that together name a row.
    aliases : tuple of str
        Chinese names by which files are found.
    zh, en : str
        Meaning.
    columns : tuple of Column
        Its columns in order.
    """

    layer: str
    geometry: str
    required: bool
    key: tuple[str, ...]
    aliases: tuple[str, ...]
    zh: str
    en: str
    columns: tuple[Column, ...]

    @property
    def title(self) -> str:
        """First Chinese name, or the canonical name."""
        return self.aliases[0] if self.aliases else self.layer

    @property
    def spatial(self) -> bool:
        """Whether its rows have a geometry."""
        return self.geometry in {"point", "line", "polygon"}

    def column(self, name: str) -> Column:
        """Look up a column by canonical name.

        Parameters
        ----------
        name : str
            Canonical name.

        Returns
        -------
        Column
            Its declaration; KeyError when there is none.
        """
        for column in self.columns:
            if column.column == name:
                return column
        raise KeyError(name)


def tidy(text: str) -> str:
    """Take invisible characters and surplus blanks out of a text, keeping its spelling.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        NFC text without zero-width characters; runs of blanks (U+3000 too) become one space.
    """
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def plain(text: str) -> str:
    """Reduce a text to plain width: NFKC, no invisible characters, single blanks.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        For ids, numbers and names that are matched against each other.
    """
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).split())


def heading_key(text: str) -> str:
    """Reduce a heading to what is compared: plain, lower case, without blanks, marks and units.

    Parameters
    ----------
    text : str
        Heading as written.

    Returns
    -------
    str
        Key; two headings with the same key mean the same column.
    """
    low = re.sub(r"[\s*_\-:/·、。.\"']+", "", plain(text).lower())
    without_unit = re.sub(
        r"\((?:人|间|个|米|元|度|m|km|万元|张|座|名|班|必填|选填|可选)\)$", "", low
    )
    return without_unit or low


@lru_cache(maxsize=1)
def layers() -> Mapping[str, Layer]:
    """Read the declared layers.

    Returns
    -------
    mapping of str to Layer
        In the order of ``layers.csv``.
    """
    columns: dict[str, list[Column]] = {}
    for row in read_rows("columns.csv"):
        columns.setdefault(row["layer"], []).append(
            Column(
                layer=row["layer"],
                column=row["column"],
                type=row["type"],
                unit=row["unit"],
                required=row["required"] == YES,
                low=float(row["min"]) if row["min"] else None,
                high=float(row["max"]) if row["max"] else None,
                values=tuple(v for v in row["values"].split("|") if v),
                aliases=tuple(v for v in row["aliases"].split("|") if v),
                zh=row["zh"],
                en=row["en"],
            )
        )
    return {
        row["layer"]: Layer(
            layer=row["layer"],
            geometry=row["geometry"],
            required=row["required"] == YES,
            key=tuple(k for k in row["key"].split("+") if k),
            aliases=tuple(v for v in row["aliases"].split("|") if v),
            zh=row["zh"],
            en=row["en"],
            columns=tuple(columns.get(row["layer"], [])),
        )
        for row in read_rows("layers.csv")
    }


def read_rows(name: str) -> list[dict[str, str]]:
    """Read one of the package's own tables.

    Parameters
    ----------
    name : str
        File name, for example ``columns.csv``.

    Returns
    -------
    list of dict
        One dict a row.
    """
    text = files("catchment.region").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=64)
def headings(layer: str) -> Mapping[str, str]:
    """Map every accepted heading of a layer to its column.

    Parameters
    ----------
    layer : str
        Canonical layer name.

    Returns
    -------
    mapping of str to str
        ``heading_key`` of names and aliases to the canonical column.
    """
    found: dict[str, str] = {}
    for column in layers()[layer].columns:
        found[heading_key(column.column)] = column.column
    for column in layers()[layer].columns:
        for alias in column.aliases:
            found.setdefault(heading_key(alias), column.column)
    return found


def grade_heading(text: str) -> int | None:
    """Recognise a heading that names a grade (一年级, 1年级, g1).

    Parameters
    ----------
    text : str
        Heading as written.

    Returns
    -------
    int or None
        Grade 1 to 9, or None.
    """
    key = re.sub(r"(人数|学生数|在校生)$", "", heading_key(text))
    if key.isdigit() or len(key) < 2:
        return None
    value = value_aliases("children", "grade").get(key)
    return int(value) if value else None


def ignored_heading(text: str) -> bool:
    """Say whether a column is left out without a word.

    Parameters
    ----------
    text : str
        Heading as written.

    Returns
    -------
    bool
        True for headings that start with ``_`` and for notes.
    """
    return plain(text).startswith("_") or heading_key(text) in _IGNORED


def private_heading(text: str) -> bool:
    """Say whether a column looks like personal data that may not be read.

    Parameters
    ----------
    text : str
        Heading as written.

    Returns
    -------
    bool
        True for names of children, identity numbers, phones.
    """
    return _PRIVATE.search(heading_key(text)) is not None


def nearest_heading(layer: str, text: str) -> str:
    """Find the accepted heading that is spelt most like a text.

    Parameters
    ----------
    layer : str
        Canonical layer name.
    text : str
        Heading as written.

    Returns
    -------
    str
        Canonical name, with the Chinese heading in brackets where there is one.
    """
    known = headings(layer)
    key = heading_key(text)
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.0)
    if not close:
        return ""
    column = layers()[layer].column(known[close[0]])
    return f"{column.column}（{column.title}）" if column.aliases else column.column


@lru_cache(maxsize=256)
def value_aliases(layer: str, column: str) -> Mapping[str, str]:
    """Map spellings of a choice, grade or bool to its value.

    Parameters
    ----------
    layer, column : str
        Canonical layer and column; ``bool`` and ``grade`` serve as columns too.

    Returns
    -------
    mapping of str to str
        ``value_key`` of the spelling to the value.
    """
    found: dict[str, str] = {}
    for row in read_rows("values.csv"):
        if row["column"] == column and row["layer"] in {"*", layer}:
            for spelling in (row["value"], *row["aliases"].split("|")):
                found[value_key(spelling)] = row["value"]
    return found


def value_key(text: str) -> str:
    """Reduce a value of a choice to what is compared.

    Parameters
    ----------
    text : str
        Value as written.

    Returns
    -------
    str
        Plain, lower case, without blanks.
    """
    return plain(text).lower().replace(" ", "")


@lru_cache(maxsize=16)
def table_schema(layer: str) -> pa.DataFrameSchema:
    """Build the pandera schema of a layer from its declaration.

    Parameters
    ----------
    layer : str
        Canonical layer name.

    Returns
    -------
    pandera.DataFrameSchema
        Presence, ranges and choices of every declared column; validate it lazily.
    """
    return pa.DataFrameSchema(
        {c.column: _pandera_column(c) for c in layers()[layer].columns}, strict=False, name=layer
    )


def _pandera_column(column: Column) -> pa.Column:
    checks = []
    if column.low is not None and column.high is not None:
        checks.append(pa.Check.in_range(column.low, column.high))
    if column.values:
        checks.append(pa.Check.isin(list(column.values)))
    return pa.Column(
        checks=checks,
        nullable=not column.required,
        required=column.required,
        title=column.title,
        description=column.en,
    )
