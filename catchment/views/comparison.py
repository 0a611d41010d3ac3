"""Several runs side by side: county figures by year, and what differs school by school."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from catchment.errors import InputError
from catchment.indicators import registry
from catchment.views.files import write_bytes
from catchment.views.folder import read_record
from catchment.views.tables import frame_csv


def _county(folder: Path, which: str) -> pd.DataFrame:
    path = folder / "indicators.csv"
    if not path.is_file():
        raise InputError(f"{folder}: 缺少 indicators.csv；请重新运行 / indicators.csv is missing")
    table = pd.read_csv(path, encoding="utf-8-sig", dtype={"id": str}, keep_default_na=False)
    kept = table[(table["scope"] == "county") & (table["plan"] == which)]
    return kept.assign(value=pd.to_numeric(kept["value"], errors="coerce"))


def compare_table(runs: Sequence[Path], lang: str = "zh") -> pd.DataFrame:
    """County figures of several runs, today first.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    lang : {"zh", "en"}
        Language of headings and indicator names.

    Returns
    -------
    DataFrame
        One row an indicator and year; one column today (of the first run) and one a run.

    Raises
    ------
    CatchmentError
        When a folder holds no run.
    """
    records = [read_record(folder) for folder in runs]
    names = {row.indicator: (row.zh if lang == "zh" else row.en) for row in registry().values()}
    heads = {
        "zh": ("指标", "单位", "年份", "现状延续"),
        "en": ("indicator", "unit", "year", "today kept"),
    }
    first = heads[lang]
    columns: dict[str, pd.Series[Any]] = {}
    key = ["indicator", "unit", "year"]
    columns[first[3]] = _county(runs[0], "today").set_index(key)["value"]
    for number, (folder, record) in enumerate(zip(runs, records, strict=True), start=1):
        columns[f"{number} {record['name']}"] = _county(folder, "plan").set_index(key)["value"]
    table = pd.DataFrame(columns).reset_index()
    order = {name: k for k, name in enumerate(names)}
    table["_order"] = table["indicator"].map(order)
    table = table.sort_values(["_order", "year"]).drop(columns="_order")
    table["indicator"] = table["indicator"].map(names)
    table = table.rename(columns=dict(zip(key, (first[0], first[1], first[2]), strict=True)))
    figures = [c for c in table.columns if c not in first[:3]]
    table[figures] = table[figures].map(lambda v: "" if pd.isna(v) else f"{v:,.6g}")
    return table.reset_index(drop=True)


def schools_that_differ(runs: Sequence[Path], lang: str = "zh") -> pd.DataFrame:
    """Schools whose bands differ between runs in the last year, or from today.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    lang : {"zh", "en"}
        Language of headings.

    Returns
    -------
    DataFrame
        One row a school; the bands it teaches today and in the last year of each run.
    """
    records = [read_record(folder) for folder in runs]
    heads = {"zh": ("代码", "学校", "现状"), "en": ("code", "school", "today")}[lang]
    rows: dict[str, dict[str, str]] = {}
    for number, record in enumerate(records, start=1):
        last = str(record["years"][-1])
        for site in record["sites"]:
            row = rows.setdefault(
                site["id"],
                {heads[0]: site["id"], heads[1]: site["name"], heads[2]: " ".join(site["today"])},
            )
            row[f"{number} {record['name']}"] = " ".join(site["open"][last])
    table = pd.DataFrame(list(rows.values())).fillna("")
    differs = table.iloc[:, 2:].nunique(axis=1) > 1
    return table[differs].replace("", "—").reset_index(drop=True)


def write_comparison(runs: Sequence[Path], folder: Path, lang: str = "zh") -> list[Path]:
    """Write the comparison as CSV and as one page without scripts.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    folder : Path
        Folder to write to.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    list of Path
        Files written.
    """
    figures, schools = compare_table(runs, lang), schools_that_differ(runs, lang)
    title = "方案比较" if lang == "zh" else "Comparison of plans"
    second = "办学学段不同的学校（末年）" if lang == "zh" else "Schools that differ (last year)"
    page = (
        f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>"
        "body{font:16px/1.6 system-ui,'Microsoft YaHei','Noto Sans CJK SC',sans-serif;margin:2rem;"
        "color:#1b2430}table{border-collapse:collapse;margin-bottom:2rem}th,td{border:1px solid #b9c2cc;"
        "padding:.3rem .6rem;text-align:right}th{background:#eef2f6;position:sticky;top:0}"
        "td:first-child,td:nth-child(2),th:first-child{text-align:left}@media print{th{position:static}}"
        f"</style></head><body><h1>{escape(title)}</h1>{_rows(figures)}<h2>{escape(second)}</h2>"
        f"{_rows(schools)}</body></html>"
    )
    return [
        write_bytes(folder / "compare.csv", frame_csv(figures).encode("utf-8")),
        write_bytes(folder / "schools.csv", frame_csv(schools).encode("utf-8")),
        write_bytes(folder / "compare.html", page.encode("utf-8")),
    ]


def _rows(table: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(c))}</th>" for c in table.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
