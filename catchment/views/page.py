"""Pages that need nothing but themselves: assets inlined, a strict policy, data as data."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError
from catchment.views.files import write_bytes

LANGS = ("zh", "en")
POLICY_MARK = "<!--policy-->"
"""Stands in a page where the policy goes; every page has exactly one."""

_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "object": "data"}


def asset(name: str) -> str:
    """Read one of the files that pages are made of.

    Parameters
    ----------
    name : str
        Path below ``assets``, for example ``leaflet/leaflet.css``.

    Returns
    -------
    str
        Its text with plain line ends.
    """
    return files("catchment.views").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def style(name: str) -> str:
    """Read a style sheet with every picture inlined as a data address.

    Parameters
    ----------
    name : str
        Path below ``assets``.

    Returns
    -------
    str
        The sheet; pictures that are not shipped are left out.
    """
    folder = name.rpartition("/")[0]

    def inline(found: re.Match[str]) -> str:
        target = found.group(1).strip("'\"")
        if target.startswith(("data:", "#")):
            return found.group(0)
        picture = files("catchment.views").joinpath("assets", folder, *target.split("/"))
        if not picture.is_file():
            return "none"
        return f"url(data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()})"

    return re.sub(r"url\(([^)]*)\)", inline, asset(name))


@cache
def map_words() -> dict[str, dict[str, str]]:
    """Read the table of words that pages show.

    Returns
    -------
    dict
        For every language the words by key.

    Raises
    ------
    ValueError
        When a key stands twice or a word is missing.
    """
    text = files("catchment.views").joinpath("map_words.csv").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = {lang: {} for lang in LANGS}
    for row in csv.DictReader(text.splitlines()):
        for lang in LANGS:
            if row["key"] in table[lang] or not row[lang]:
                raise ValueError(
                    f"map_words.csv: {row['key']!r} 重复或缺词 / twice or without word"
                )
            table[lang][row["key"]] = row[lang]
    return table


def pick_words(*rooms: str) -> dict[str, dict[str, str]]:
    """Words of some rooms of the table, in both languages.

    Parameters
    ----------
    *rooms : str
        First part of the key, before the dot.

    Returns
    -------
    dict
        For every language the words by key.
    """
    return {
        lang: {k: w for k, w in table.items() if k.partition(".")[0] in rooms}
        for lang, table in map_words().items()
    }


def data_block(name: str, data: Any) -> str:
    """Write data into a page so that no text in it can end the block or run.

    Parameters
    ----------
    name : str
        Id of the block.
    data : object
        Anything JSON can hold; no nan, no infinity.

    Returns
    -------
    str
        A ``script`` element of type ``application/json``.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign, escape in _ESCAPES.items():
        text = text.replace(sign, escape)
    # Half characters cannot be written as UTF-8.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return f'<script type="application/json" id="{name}">{text}</script>'


class _Blocks(HTMLParser):
    """Collects inline scripts and styles, and everything a browser would fetch."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.outside: list[str] = []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {key: value or "" for key, value in attrs}
        target = named.get(_LOADS.get(tag, ""), "")
        if target and not target.startswith("data:"):
            self.outside.append(f"{tag} {target}")
        if "style" in named or any(key.startswith("on") for key in named):
            self.outside.append(f"{tag} carries inline style or script")
        if tag == "script" and named.get("type", "text/javascript") != "application/json":
            self._into = self.scripts
            self.scripts.append("")
        elif tag == "style":
            self._into = self.styles
            self.styles.append("")

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._into = None


def seal(html: str, *, pictures: Sequence[str] = ()) -> str:
    """Give a page the strictest policy it can live with.

    Only the scripts and styles in it now may run; nothing is fetched, save pictures from the
    hosts asked for.

    Parameters
    ----------
    html : str
        The page, with :data:`POLICY_MARK` once in its head.
    pictures : sequence of str
        Origins of map tiles, for example ``https://tile.openstreetmap.org``.

    Returns
    -------
    str
        The page with its policy.

    Raises
    ------
    CatchmentError
        When the page would load something from outside or has no place for the policy.
    """
    html = html.replace("\r\n", "\n").replace("\r", "\n")
    head, mark, rest = html.partition(POLICY_MARK)
    blocks = _Blocks()
    blocks.feed(html)
    blocks.close()
    if not mark or blocks.outside:
        raise CatchmentError(
            f"网页不能离线使用：{blocks.outside or '缺少安全策略位置'} / "
            "the page would not work offline"
        )
    scripts = " ".join(dict.fromkeys(_digest(s) for s in blocks.scripts)) or "'none'"
    styles = " ".join(dict.fromkeys(_digest(s) for s in blocks.styles)) or "'none'"
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; "
        f"img-src {' '.join(['data:', *pictures])}; connect-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-src 'none'; object-src 'none'"
    )
    return f'{head}<meta http-equiv="Content-Security-Policy" content="{policy}">{rest}'


def write_page(html: str, path: Path, *, pictures: Sequence[str] = ()) -> Path:
    """Seal a page and write it whole or not at all.

    Parameters
    ----------
    html : str
        The page, with :data:`POLICY_MARK` once in its head.
    path : Path
        The file wanted.
    pictures : sequence of str
        Origins of map tiles.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    CatchmentError
        When the page would load something from outside, or the file cannot be written.
    """
    return write_bytes(path, seal(html, pictures=pictures).encode("utf-8"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
