"""One result for the province: indicators, villages, a ranking of the counties, and a map."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq
from shapely import MultiPoint

from catchment.batch.across import (
    ADDED,
    after_border,
    border_indicators,
    last_left,
    links_of,
    with_guests,
)
from catchment.batch.guests import Guests, settle_guests
from catchment.files import write_atomically, write_bytes, write_text
from catchment.rules.clause import SEVERITIES
from catchment.views.province import write_province_map
from catchment.views.tables import INDICATOR_COLUMNS, frame_csv

Key = tuple[str, str, str, int, str]


@dataclass(frozen=True)
class Merging:
    """How an indicator of counties becomes one of the province.

    Attributes
    ----------
    indicator : str
        Code.
    how : str
        ``sum``, ``max``, ``ratio`` (of ``by`` to the students with a trip), ``share`` (the same,
        of students), ``per`` (of two sums), ``students`` (quantile ``by`` of all students' trips),
        ``none`` (cannot be merged).
    by : str
        What it is merged by.
    """

    indicator: str
    how: str
    by: str


@lru_cache(maxsize=1)
def merging() -> tuple[Merging, ...]:
    """Table of how indicators are merged.

    Returns
    -------
    tuple of Merging
        Rows of ``merging.csv``.
    """
    text = files("catchment.batch").joinpath("merging.csv").read_text(encoding="utf-8")
    return tuple(Merging(**row) for row in csv.DictReader(text.splitlines()))


def write_province(table: pd.DataFrame, out: Path, *, lang: str = "zh") -> list[Path]:
    """Merge the results of all counties that are done.

    Parameters
    ----------
    table : DataFrame
        The batch's ledger (``name, state, output, said, ...``).
    out : Path
        Folder of the batch.
    lang : {"zh", "en"}
        Language the page opens in.

    Returns
    -------
    list of Path
        ``province/`` ``counties.csv`` (every task, its state, figures and rank),
        ``indicators.csv``, ``villages.parquet``, ``province.html``, ``batch.json`` (digests); where
        borders were looked across also ``border.csv`` and ``guests.csv``, ``hosts.csv``,
        ``border_counties.csv``, ``left_behind.csv``, ``border_proof.csv``
        (:class:`catchment.batch.guests.Guests`).

    Raises
    ------
    CatchmentError
        When a file cannot be written, or those taken in across a border fail their check.
    """
    target = out / "province"
    target.mkdir(parents=True, exist_ok=True)
    done = [str(name) for name in table.loc[table["state"] == "done", "name"]]
    folders = [(name, out / "counties" / name) for name in done]
    across = settle_guests(folders)
    ranked, measures = ranking(table, folders), merged_indicators(folders)
    if across is not None:
        ranked = with_guests(ranked, across)
        measures = pd.concat([measures, border_indicators(measures, across)], ignore_index=True)
    written = [write_text(target / "counties.csv", frame_csv(ranked))]
    written.append(write_text(target / "indicators.csv", frame_csv(measures)))
    if across is not None:
        tables = {"guests": across.guests, "hosts": across.hosts}
        tables |= {"border_counties": across.counties, "border_proof": across.proofs}
        tables |= {"left_behind": across.left}
        for stem, each in tables.items():
            written.append(write_text(target / f"{stem}.csv", frame_csv(each)))
    borders = [_read(f / "border.csv") for _, f in folders if (f / "border.csv").is_file()]
    if borders:
        written.append(write_text(target / "border.csv", frame_csv(pd.concat(borders))))
    if folders:
        written.append(_villages(folders, target / "villages.parquet", across))
    hulls = {name: outline_of(folder) for name, folder in folders}
    links = [] if across is None else _named(links_of(across, hulls, folders), ranked)
    page = target / "province.html"
    left = [] if across is None else _named(last_left(across), ranked)
    written.append(write_province_map(ranked, hulls, page, links=links, left=left, lang=lang))
    facts = {
        "counties": {
            str(row["name"]): {"state": str(row["state"]), "output": str(row["output"])}
            for row in table.to_dict("records")
        }
    }
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
    written.append(write_bytes(target / "batch.json", text.encode()))
    return written


def _named(rows: list[dict[str, Any]], ranked: pd.DataFrame) -> list[dict[str, Any]]:
    """Counties by the names people call them by; their folders are in the tables."""
    names = {
        str(name).split("/")[0]: str(said)
        for name, said in zip(ranked["name"], ranked["county_name"], strict=True)
        if isinstance(said, str) and said
    }
    keys = ("county", "host")
    return [row | {k: names.get(row[k], row[k]) for k in keys if k in row} for row in rows]


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)


def ranking(table: pd.DataFrame, folders: list[tuple[str, Path]]) -> pd.DataFrame:
    """Rank counties by findings: hard ones that fail first, then all that fail, then students.

    Parameters
    ----------
    table : DataFrame
        The batch's ledger.
    folders : list of (str, Path)
        Names and folders of tasks that are done.

    Returns
    -------
    DataFrame
        ``rank, name, county_name, state``, numbers of findings, figures of the last year, ``said``.
    """
    facts: dict[str, dict[str, Any]] = {}
    for name, folder in folders:
        found = _read(folder / "findings.csv")
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        fails = found[found["result"] == "fail"]
        facts[name] = {
            "county_name": record["region"],
            "findings_fail": len(fails),
            "findings_hard": int((fails["severity"] == SEVERITIES[0]).sum()),
            "findings_unknown": int((found["result"] == "unknown").sum()),
            **_last(folder),
        }
    rows = []
    for row in table.to_dict("records"):
        name = str(row["name"])
        rows.append(
            {
                "rank": None,
                "name": name,
                "state": str(row["state"]),
                "said": str(row["said"]),
                **facts.get(name, {}),
            }
        )
    columns = ["rank", "name", "county_name", "state", "findings_hard", "findings_fail"]
    columns += ["findings_unknown", *_SHOWN, "said"]
    out = pd.DataFrame(rows, columns=columns)
    order = out[out["state"] == "done"].sort_values(
        ["findings_hard", "findings_fail", "students", "name"],
        ascending=[False, False, False, True],
        kind="stable",
    )
    out.loc[order.index, "rank"] = range(1, len(order) + 1)
    whole = [c for c in columns if c.startswith("findings") or c in ("rank", *_WHOLE)]
    out = out.astype(dict.fromkeys(whole, "Int64"))
    return out.sort_values(["rank", "name"], na_position="last", kind="stable", ignore_index=True)


_WHOLE = ("year", "students", "over_limit_students", "large_classes", "place_shortfall")
_SHOWN = (*_WHOLE, "minutes_mean")


def _last(folder: Path) -> dict[str, Any]:
    """Figures of the plan's last year."""
    table = _read(folder / "indicators.csv")
    table = table[(table["scope"] == "county") & (table["plan"] == "plan")]
    year = table["year"].astype(int).max() if len(table) else 0
    last = table[table["year"].astype(int) == year].set_index("indicator")["value"]
    facts: dict[str, Any] = {"year": int(year)}
    for code in _SHOWN[1:]:
        if code in last.index and last[code] != "":
            value = float(last[code])
            facts[code] = round(value) if code in _WHOLE else round(value, 1)
    return facts


def merged_indicators(folders: list[tuple[str, Path]]) -> pd.DataFrame:
    """Add the counties' indicators up by recipe; scope county becomes province.

    Parameters
    ----------
    folders : list of (str, Path)
        Names and folders of tasks that are done.

    Returns
    -------
    DataFrame
        Columns of ``indicators.csv`` and ``recipe``.
    """
    sums: dict[Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    most: dict[Key, dict[str, float]] = defaultdict(dict)
    units: dict[str, str] = {}
    trips: dict[Key, dict[float, int]] = defaultdict(lambda: defaultdict(int))
    for name, folder in folders:
        recipe = name.split("/")[-1]
        table = _read(folder / "indicators.csv")
        for row in table[table["scope"].isin(["county", "band"])].to_dict("records"):
            if row["value"] == "":
                continue
            scope = "province" if row["scope"] == "county" else "band"
            label = recipe if scope == "province" else row["id"]
            key = (recipe, scope, label, int(row["year"]), row["plan"])
            value, code = float(row["value"]), row["indicator"]
            units[code] = row["unit"]
            sums[key][code] += value
            most[key][code] = max(most[key].get(code, -math.inf), value)
        for key, minutes, students in _trips(folder, recipe):
            trips[key][minutes] += students
    rows = [
        (rule.indicator, units[rule.indicator], scope, label, year, value, plan, recipe)
        for (recipe, scope, label, year, plan), found in sorted(sums.items())
        for rule in merging()
        if rule.indicator in found
        for value in [
            _value(
                rule,
                found,
                most[recipe, scope, label, year, plan],
                trips.get((recipe, scope, label, year, plan), {}),
            )
        ]
        if value is not None
    ]
    return pd.DataFrame(rows, columns=[*INDICATOR_COLUMNS, "recipe"])


def _value(
    rule: Merging, sums: dict[str, float], most: dict[str, float], trips: dict[float, int]
) -> float | None:
    with_trip = sums.get("served", 0.0) - sums.get("no_trip_students", 0.0)
    if rule.how == "sum":
        return sums[rule.indicator]
    if rule.how == "max":
        return most[rule.indicator]
    if rule.how in ("ratio", "share"):
        return sums.get(rule.by, 0.0) / with_trip if with_trip else None
    if rule.how == "per":
        above, below = rule.by.split()
        return sums.get(above, 0.0) / sums[below] if sums.get(below) else None
    if rule.how == "students":
        return _quantile(trips, float(rule.by))
    return None


def _quantile(trips: dict[float, int], share: float) -> float | None:
    """Least minutes within which at least that share of the students arrive."""
    total, so_far = sum(trips.values()), 0
    for minutes in sorted(trips):
        so_far += trips[minutes]
        if so_far >= share * total:
            return minutes
    return None


def _trips(folder: Path, recipe: str) -> Iterator[tuple[Key, float, int]]:
    """Students by minutes; the years of today's arrangement are those of the plan."""
    columns = ["band", "year", "students", "minutes_today", "minutes"]
    table = pq.read_table(folder / "villages.parquet", columns=columns).to_pandas()
    for plan, column in (("today", "minutes_today"), ("plan", "minutes")):
        there = table[table[column].notna() & (table["students"] > 0)]
        grouped = there.groupby(["band", "year", column])["students"].sum()
        for (band, year, minutes), students in grouped.items():
            value, number = float(minutes), int(students)
            yield (recipe, "province", recipe, int(year), plan), value, number
            yield (recipe, "band", str(band), int(year), plan), value, number


def _villages(folders: list[tuple[str, Path]], path: Path, across: Guests | None) -> Path:
    """All villages in one GeoParquet, a row group a county, so that memory stays flat."""

    def fill(beside: Path) -> None:
        first = pq.read_schema(folders[0][1] / "villages.parquet")
        facts = json.loads(first.metadata[b"geo"])
        for column in facts["columns"].values():
            column.pop("bbox", None)
        schema = first.remove_metadata().with_metadata({b"geo": json.dumps(facts).encode()})
        whole = schema
        for field in ADDED if across is not None else ():
            whole = whole.append(field)
        with pq.ParquetWriter(beside, whole) as writer:
            for _, folder in folders:
                table = pq.read_table(folder / "villages.parquet").cast(schema)
                if across is not None:
                    table = after_border(table, across.guests)
                writer.write_table(table.cast(whole))

    return write_atomically(path, fill)


def outline_of(folder: Path) -> list[list[tuple[float, float]]]:
    """Outline around a county's village points, and the points themselves.

    Parameters
    ----------
    folder : Path
        Folder of a task that is done.

    Returns
    -------
    list of two lists of (lon, lat)
        Degrees.
    """
    frame = gpd.read_parquet(folder / "villages.parquet", columns=["village_id", "geometry"])
    points = frame.drop_duplicates("village_id").geometry
    around = MultiPoint(list(points)).convex_hull.buffer(0.01, quad_segs=3)
    outline = [(float(x), float(y)) for x, y in around.exterior.coords]
    return [outline, [(float(p.x), float(p.y)) for p in points]]
