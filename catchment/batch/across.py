"""Figures, rows and lines of the province that those taken in across borders change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from catchment.batch.guests import Guests

ADDED = (
    pa.field("school_county", pa.string()),
    pa.field("school_after", pa.string()),
    pa.field("minutes_after", pa.float64()),
    pa.field("over_limit_after", pa.bool_()),
)
"""What the merged villages say beyond the counties' own: where children go, borders settled."""


def after_border(table: pa.Table, guests: pd.DataFrame) -> pa.Table:
    """Add where each row's students go once the borders are settled.

    Parameters
    ----------
    table : pyarrow.Table
        Villages of one county (``villages.parquet`` of its task).
    guests : DataFrame
        ``guests`` of :class:`catchment.batch.guests.Guests`.

    Returns
    -------
    pyarrow.Table
        The same rows with :data:`ADDED`; every student stays in one row, that of the own village.
    """
    seated = guests[guests["school_id"] != ""]
    found = {
        (g["recipe"], str(g["year"]), g["county"], g["village_id"], g["band"]): g
        for g in seated.to_dict("records")
    }
    columns: list[list[Any]] = [[] for _ in ADDED]
    names = ["recipe", "year", "county", "village_id", "band", "school", "minutes", "over_limit"]
    for row in table.select(names).to_pylist():
        guest = found.get(
            (row["recipe"], str(row["year"]), row["county"], row["village_id"], row["band"])
        )
        after = (row["county"] if row["school"] else "", row["school"], row["minutes"])
        late = row["over_limit"]
        if guest is not None:
            after = (guest["host_county"], guest["school"], round(float(guest["minutes"]), 1))
            late = False
        for values, value in zip(columns, (*after, late), strict=True):
            values.append(value)
    for field, values in zip(ADDED, columns, strict=True):
        table = table.append_column(field, pa.array(values, field.type))
    return table


def with_guests(ranked: pd.DataFrame, across: Guests) -> pd.DataFrame:
    """Add to the ranking how many go to school abroad and how many come, in the last year.

    Parameters
    ----------
    ranked : DataFrame
        Of :func:`ranking`.
    across : Guests
        What was settled across borders.

    Returns
    -------
    DataFrame
        With ``served_abroad``, ``guests``, ``unserved_after`` and ``over_limit_after`` before
        ``said``; missing where a county is not done.
    """
    last = across.counties.sort_values("year", kind="stable")
    last = last.groupby(["county", "recipe"], as_index=False).last()
    last = last.assign(name=last["county"] + "/" + last["recipe"])
    last = last.rename(columns={"unserved": "unserved_after"})
    added = ["served_abroad", "guests", "unserved_after", "over_limit_after"]
    out = ranked.merge(last[["name", *added]], on="name", how="left").astype(
        dict.fromkeys(added, "Int64")
    )
    return out[[*(c for c in ranked.columns if c != "said"), *added, "said"]]


def border_indicators(measures: pd.DataFrame, across: Guests) -> pd.DataFrame:
    """Figures of the province with those taken in across borders, as a third ``plan``.

    Parameters
    ----------
    measures : DataFrame
        Of :func:`merged_indicators`.
    across : Guests
        What was settled.

    Returns
    -------
    DataFrame
        Rows like those of ``measures`` with ``plan`` ``border``: students, served, unserved, over
        the limit, student-minutes and their mean, by recipe and year.
    """
    plan = measures[(measures["scope"] == "province") & (measures["plan"] == "plan")]
    seated = across.guests[across.guests["school_id"] != ""]
    rows = []
    for (recipe, year), mine in plan.groupby(["recipe", "year"], sort=True):
        units = dict(zip(mine["indicator"], mine["unit"], strict=True))
        value = dict(zip(mine["indicator"], mine["value"].astype(float), strict=True))
        now = seated[(seated["recipe"] == recipe) & (seated["year"] == year)]
        fresh = now[now["need"] == "unserved"]["students"].sum()
        late = now[now["need"] == "over_limit"]
        number = now["students"].astype(float)
        there = float((number * now["minutes"].astype(float)).sum())
        home = float((late["students"] * late["minutes_home"].astype(float)).sum())
        value["served"] += fresh
        value["unserved"] -= fresh
        value["over_limit_students"] -= late["students"].sum()
        value["student_minutes"] += there - home
        with_trip = value["served"] - value.get("no_trip_students", 0.0)
        if with_trip:
            value["over_limit_share"] = value["over_limit_students"] / with_trip
            value["minutes_mean"] = value["student_minutes"] / with_trip
        rows += [
            (code, units[code], "province", recipe, year, value[code], "border", recipe)
            for code in _BORDER
            if code in units
        ]
    return pd.DataFrame(rows, columns=list(measures.columns))


_BORDER = (
    "students", "served", "unserved", "student_minutes", "minutes_mean", "over_limit_students",
    "over_limit_share",
)  # fmt: skip


def links_of(
    across: Guests, hulls: dict[str, Any], folders: list[tuple[str, Path]]
) -> list[dict[str, Any]]:
    """Lines of the last year from the villages to the schools that take them in.

    Parameters
    ----------
    across : Guests
        What was settled.
    hulls : dict
        Outline and points by task name, in the order of the villages.
    folders : list of (str, Path)
        Names and folders of tasks that are done.

    Returns
    -------
    list of dict
        ``from`` and ``to`` (lon, lat), ``village``, ``school``, ``county``, ``host``, ``students``;
        one a recipe, village and school.
    """
    seated = across.guests[across.guests["school_id"] != ""]
    seated = seated[seated["year"] == seated.groupby("recipe")["year"].transform("max")]
    asked = {f"{c}/{r}" for c, r in zip(seated["county"], seated["recipe"], strict=True)}
    places: dict[tuple[str, str], tuple[float, float]] = {}
    for name, folder in folders:
        if name in asked:
            table = pd.read_parquet(folder / "villages.parquet", columns=["village_id"])
            codes = table["village_id"].drop_duplicates()
            places |= {(name, str(c)): p for c, p in zip(codes, hulls[name][1], strict=True)}
    keys = ["recipe", "year", "county", "school_id"]
    spots = {tuple(str(h[k]) for k in keys): h for h in across.hosts.to_dict("records")}
    group = ["recipe", "year", "county", "village_id", "host_county", "school_id"]
    links = []
    for key, mine in seated.groupby(group, sort=True):
        recipe, year, county, village, host, school = map(str, key)
        spot = spots[recipe, year, host, school]
        links.append(
            {
                "from": places[f"{county}/{recipe}", village],
                "to": (float(spot["lon"]), float(spot["lat"])),
                "village": mine["village"].iloc[0],
                "school": spot["school"],
                "county": county,
                "host": host,
                "students": int(mine["students"].sum()),
            }
        )
    return links


def last_left(across: Guests) -> list[dict[str, Any]]:
    """Catchments that some leave for a neighbouring county, in the last year of each recipe.

    Parameters
    ----------
    across : Guests
        What was settled.

    Returns
    -------
    list of dict
        Rows of ``left_behind.csv``.
    """
    last = across.counties.groupby("recipe")["year"].max().to_dict()
    rows = [{str(k): v for k, v in row.items()} for row in across.left.to_dict("records")]
    return [row for row in rows if row["year"] == last[row["recipe"]]]
