"""Map of many counties: where findings fail most, and which counties could not be computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from catchment.errors import InputError
from catchment.views.maps import write_drawn
from catchment.views.page import LANGS, asset, pick_words
from catchment.views.payload import text

_STEP = 1e5
_FIGURES = (
    "findings_hard", "findings_fail", "findings_unknown", "students", "over_limit_students",
    "large_classes", "place_shortfall", "minutes_mean", "year", "served_abroad", "guests",
)  # fmt: skip


def write_province_map(
    counties: pd.DataFrame,
    outlines: Mapping[str, Sequence[Sequence[tuple[float, float]]]],
    path: Path,
    *,
    links: Sequence[Mapping[str, Any]] = (),
    left: Sequence[Mapping[str, Any]] = (),
    lang: str = "zh",
) -> Path:
    """Write the map and ranking of the counties of a batch.

    Parameters
    ----------
    counties : DataFrame
        ``rank, name, county_name, state, said`` and figures; missing where a county is not done.
    outlines : mapping of str to (outline, points)
        Degrees of longitude and latitude by task name.
    path : Path
        The ``.html`` file wanted.
    links : sequence of mapping
        Villages whose children a neighbouring county takes in: ``from`` and ``to`` (degrees),
        ``village``, ``school``, ``county``, ``host``, ``students``.
    left : sequence of mapping
        Catchments that those children leave: ``county``, ``school``, ``grade_from``, ``grade_to``,
        ``cut_off``, ``cut_off_villages``, ``cut_off_students``.
    lang : {"zh", "en"}
        Language the page opens in.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        When the language is unknown.
    CatchmentError
        When the file cannot be written.
    """
    if lang not in LANGS:
        raise InputError(f"语言 {lang!r} 不支持；请用 zh 或 en / language must be zh or en")
    rows: list[dict[str, Any]] = []
    for row in counties.to_dict("records"):
        outline, points = outlines.get(str(row["name"]), ((), ()))
        rows.append(
            {
                "rank": None if pd.isna(row["rank"]) else int(row["rank"]),
                "name": text(row["name"], longest=200),
                "county": text(row.get("county_name"), longest=200),
                "state": str(row["state"]),
                "said": text(row["said"], longest=400),
                "figures": [None if pd.isna(row.get(f)) else float(row[f]) for f in _FIGURES],
                "outline": _steps(outline),
                "points": [round(c * _STEP) for point in points for c in point],
            }
        )
    payload = {
        "format": 1,
        "lang": lang,
        "words": pick_words("map", "prov"),
        "rows": rows,
        "links": [_link(link) for link in links],
        "left": {
            "all": len(left),
            "whole": sum(not row["cut_off"] for row in left),
            "cut": [_cut(row) for row in left if row["cut_off"]],
        },
    }
    title = "各县结果 / Results by county"
    page = asset("province.html")
    return write_drawn("Catchment.province", page, ["province.js"], payload, title, path)


def _link(link: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: text(link[key], longest=120) for key in ("village", "school", "county", "host")}
    ends = [round(c * _STEP) for end in ("from", "to") for c in link[end]]
    return said | {"students": int(link["students"]), "line": ends}


def _cut(row: Mapping[str, Any]) -> dict[str, Any]:
    longest = {"county": 120, "school": 120, "cut_off_villages": 2000}
    said = {key: text(row[key], longest=most) for key, most in longest.items()}
    numbers = {"from": "grade_from", "to": "grade_to", "students": "cut_off_students"}
    return said | {key: int(row[column]) for key, column in numbers.items()}


def _steps(outline: Sequence[tuple[float, float]]) -> list[int]:
    """Count and steps, as the drawing module decodes them."""
    flat: list[int] = [len(outline)] if outline else []
    before = (0, 0)
    for x, y in outline:
        here = (round(x * _STEP), round(y * _STEP))
        flat += [here[0] - before[0], here[1] - before[1]]
        before = here
    return flat
