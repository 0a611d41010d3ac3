"""Map and list of the problems of the input: errors first, those with a place on the map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from catchment.errors import InputError
from catchment.views.maps import write_drawn
from catchment.views.page import LANGS, asset, pick_words
from catchment.views.payload import text
from catchment.views.words import name_of

_STEP = 1e5
_TEXTS = (
    "layer",
    "row",
    "column",
    "value",
    "severity",
    "what_zh",
    "what_en",
    "remedy_zh",
    "remedy_en",
)
_GRAVITY = {"error": 0, "warning": 1}
MOST_ROWS = 2000
"""Most problems in the page, the gravest; all are in the table of problems."""  # fmt: skip


def write_problem_map(problems: pd.DataFrame, path: Path, lang: str = "zh") -> Path:
    """Write a map of the rows of the input that need attention.

    Parameters
    ----------
    problems : DataFrame
        ``layer, row, column, value, severity, what_zh, what_en, x, y`` (degrees of longitude and
        latitude; missing where a row has no place).
    path : Path
        The ``.html`` file wanted.
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
    payload = problem_payload(problems, lang=lang)
    title = "数据问题 / Problems of the data"
    page = asset("problems.html")
    return write_drawn("Catchment.problems", page, ["problems.js"], payload, title, path)


def problem_payload(
    problems: pd.DataFrame, *, lang: str = "zh", outline: Sequence[Sequence[float]] = ()
) -> dict[str, Any]:
    """Rows of a table of problems, errors first.

    Parameters
    ----------
    problems : DataFrame
        ``layer, row, column, value, severity, what_zh, what_en, x, y``; degrees of longitude and
        latitude, missing where a row has no place.
    lang : {"zh", "en"}
        Language the page opens in.
    outline : sequence of (lon, lat), optional
        Outline drawn behind the rows.

    Returns
    -------
    dict
        Plain values: rows without a place have none; ``layers`` names the layers in both
        languages, ``counts`` says how many there are by severity, ``left_out`` how many rows are
        in the table alone.
    """
    x = pd.to_numeric(problems["x"], errors="coerce").to_numpy(float)
    y = pd.to_numeric(problems["y"], errors="coerce").to_numpy(float)
    there = np.isfinite(x) & np.isfinite(y) & (np.abs(x) <= 180) & (np.abs(y) <= 85)
    grave = problems["severity"].map(lambda word: _GRAVITY.get(str(word), 2)).to_numpy()
    order = np.argsort(grave, kind="stable")[:MOST_ROWS]
    rows = []
    for k, record in zip(order, problems.iloc[order].to_dict("records"), strict=True):
        place = [round(x[k] * _STEP), round(y[k] * _STEP)] if there[k] else [None, None]
        rows.append(
            [*(text(record.get(c), longest=400) for c in _TEXTS), *place,
             text(record.get("file"), longest=120)]
        )  # fmt: skip
    layers = sorted({str(row[0]) for row in rows})
    severities = problems["severity"].astype(str)
    return {
        "format": 1,
        "lang": lang,
        "words": pick_words("map", "prob"),
        "rows": rows,
        "layers": {code: [name_of("layer", code, lang) for lang in LANGS] for code in layers},
        "counts": [int((severities == word).sum()) for word in ("error", "warning")]
        + [int((~severities.isin(["error", "warning"])).sum())],
        "left_out": len(problems) - len(rows),
        "outline": [round(c * _STEP) for point in outline for c in point],
    }
