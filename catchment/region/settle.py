"""Settle a reading: set aside the rows in error, and freeze the rest into typed tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from catchment.region.faults import Problems
from catchment.region.relations import Table
from catchment.region.schema import PLACE_COLUMNS

REJECTED = ("layer", "row", "village_id", "grade", "year", "students", "reason")


def finish_rejected(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Make the table of rows set aside.

    Parameters
    ----------
    rows : list of tuple
        ``layer, row, village_id, grade, year, students, reason``; None where it does not apply.

    Returns
    -------
    DataFrame
        Text and nullable whole numbers.
    """
    frame = pd.DataFrame(rows, columns=list(REJECTED), dtype=object)
    for name in ("layer", "village_id", "reason"):
        frame[name] = frame[name].fillna("").astype("str")
    for name in ("row", "grade", "year", "students"):
        frame[name] = pd.to_numeric(frame[name]).astype("Int64")
    return frame


def settle(
    placed: Mapping[str, Table], found: Problems, crs: CRS, stored: pd.DataFrame
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Set aside what is in error and freeze the rest.

    Parameters
    ----------
    placed : mapping of str to Table
        All layers with all their rows.
    found : Problems
        Faults; rows and cells in error are those of severity error.
    crs : CRS
        Metric system of the geometry.
    stored : DataFrame
        Rows that an earlier reading set aside.

    Returns
    -------
    dict of str to DataFrame or GeoDataFrame, DataFrame
        Finished tables by layer, and the rows set aside, each with its reason. What hangs on a
        row set aside (the children of a village, the classes of a school) is set aside with it.
    """
    reasons = _reasons(found)
    tables = {name: _blank_cells(table, found) for name, table in placed.items()}
    rejected: list[tuple[Any, ...]] = []
    gone: dict[str, set[str]] = {}
    # Students are counted by the layer of children, and by their home points where there is none;
    # by one of the two alone, so that the column can be summed.
    counts = "children" if len(tables["children"].rows) else "students"
    for name in ("villages", "schools", "areas"):
        tables[name], gone[name] = _reject(tables[name], reasons.get(name, {}), rejected, counts)
    village = "所属村已被搁置 / its village was set aside"
    school = "所属学校已被搁置 / its school was set aside"
    for name, column, lost, why in (
        ("children", "village_id", gone["villages"], village),
        ("students", "village_id", gone["villages"], village),
        ("classes", "school_id", gone["schools"], school),
        ("sites", "", set(), ""),
        ("roads", "", set(), ""),
        ("boundaries", "", set(), ""),
    ):
        table = tables[name]
        more = dict(reasons.get(name, {}))
        if column:
            for row, value in zip(table.rows.tolist(), table.frame[column].tolist(), strict=True):
                if value in lost:
                    more.setdefault(row, why)
        tables[name], gone[name] = _reject(table, more, rejected, counts)
    tables = _forget(tables, gone)
    frames = {name: finish(table, crs) for name, table in tables.items()}
    frames["boundaries"] = _with_village_polygons(frames["boundaries"], tables["villages"], crs)
    frames["roads"] = frames["roads"].explode(ignore_index=True)
    aside = finish_rejected(rejected)
    if len(stored):
        aside = pd.concat([stored, aside], ignore_index=True)
    return frames, aside


def _reasons(found: Problems) -> dict[str, dict[int, str]]:
    """First reason for which each row is in error, by layer."""
    reasons: dict[str, dict[int, str]] = {}
    for fault in found.errors:
        if fault.spoils == "row" and fault.row is not None:
            text = f"{fault.say('what_zh')} / {fault.say('what_en')}"
            reasons.setdefault(fault.layer, {}).setdefault(fault.row, text)
    return reasons


def _blank_cells(table: Table, found: Problems) -> Table:
    """Blank the optional cells that are in error."""
    canonical = {title: name for name, title in table.titles.items()}
    cells = [
        (f.row, canonical.get(f.column, f.column))
        for f in found.errors
        if f.layer == table.layer.layer and f.spoils == "cell" and f.row is not None
    ]
    if not cells:
        return table
    frame = table.frame.copy()
    position = {int(row): k for k, row in enumerate(table.rows)}
    for row, column in cells:
        if column in frame and row in position:
            frame.loc[position[row], column] = None
    return replace(table, frame=frame)


def _reject(
    table: Table, reasons: Mapping[int, str], rejected: list[tuple[Any, ...]], counts: str
) -> tuple[Table, set[str]]:
    """Take rows out of a table into the list of rejected ones; ids that no longer exist."""
    bad = np.asarray([int(r) in reasons for r in table.rows], dtype=bool)
    if not bad.any():
        return table, set()
    layer = table.layer
    frame = table.frame
    for k in np.flatnonzero(bad).tolist():
        row = int(table.rows[k])
        cell = {c: frame[c].iat[k] for c in ("village_id", "grade", "year") if c in frame}
        count: Any = None
        if layer.layer == counts:
            count = frame["students"].iat[k] if counts == "children" else 1
        count = count if isinstance(count, (int, np.integer)) and count >= 0 else None
        rejected.append(
            (
                layer.layer,
                row,
                cell.get("village_id"),
                cell.get("grade"),
                cell.get("year"),
                count,
                reasons[row],
            )
        )
    key = layer.key[0] if layer.key else ""
    gone = {str(v) for v in frame.loc[bad, key] if v is not None} if key else set()
    return table.keep(~bad), gone


def _forget(tables: Mapping[str, Table], gone: Mapping[str, set[str]]) -> dict[str, Table]:
    """Blank references to schools and areas that were set aside."""
    result = dict(tables)
    for name, column, lost in (
        ("villages", "school_lower", gone["schools"]),
        ("villages", "school_upper", gone["schools"]),
        ("villages", "school_junior", gone["schools"]),
        ("students", "school_id", gone["schools"]),
        ("villages", "area_id", gone["areas"]),
        ("schools", "area_id", gone["areas"]),
    ):
        frame = result[name].frame
        hit = frame[column].isin(lost) if lost else pd.Series([], dtype=bool)
        if lost and hit.any():
            changed = frame.copy()
            changed.loc[hit, column] = None
            result[name] = replace(result[name], frame=changed)
    return result


def finish(table: Table, crs: CRS) -> Any:
    """Freeze a table: declared columns, one type each, geometry in the metric system.

    Parameters
    ----------
    table : Table
        Rows that are kept.
    crs : CRS
        Metric system.

    Returns
    -------
    GeoDataFrame or DataFrame
        Text columns hold ``""`` where blank; whole numbers that may be blank are ``Int64``;
        true-or-false columns that may be unknown are ``boolean``.
    """
    frame = table.frame
    data: dict[str, Any] = {}
    for column in table.layer.columns:
        values = frame[column.column]
        if column.column in PLACE_COLUMNS and table.layer.geometry == "point":
            data[column.column] = getattr(
                table, {"lon": "lon", "lat": "lat", "easting": "x", "northing": "y"}[column.column]
            )
        elif column.type in {"id", "text", "choice"}:
            default = {"status": "existing"}.get(column.column, "")
            data[column.column] = values.map(lambda v, d=default: d if v is None or v != v else v)
            data[column.column] = data[column.column].astype("str")
        elif column.type == "float":
            data[column.column] = values.astype("float64")
        elif column.type == "bool":
            data[column.column] = values.astype("boolean")
            if column.column in {"capacity_estimated", "hazard"}:
                data[column.column] = data[column.column].fillna(False).astype(bool)
        else:
            whole = pd.to_numeric(values).astype("Int64")
            data[column.column] = whole.astype("int64") if column.required else whole
    result = pd.DataFrame(data, columns=[c.column for c in table.layer.columns])
    if not table.layer.spatial:
        return result
    return gpd.GeoDataFrame(result, geometry=gpd.GeoSeries(list(table.geometry), crs=crs), crs=crs)


def _with_village_polygons(
    boundaries: gpd.GeoDataFrame, villages: Table, crs: CRS
) -> gpd.GeoDataFrame:
    """Keep the polygons of villages that came as areas, as boundaries of kind village."""
    has = np.asarray([g is not None for g in villages.polygons], dtype=bool)
    known = set(boundaries.loc[boundaries["kind"] == "village", "boundary_id"])
    rows = [
        (str(code), str(name or ""), "village", shape)
        for code, name, shape in zip(
            villages.frame.loc[has, "village_id"],
            villages.frame.loc[has, "name"],
            villages.polygons[has],
            strict=True,
        )
        if str(code) not in known
    ]
    if not rows:
        return boundaries
    more = gpd.GeoDataFrame(
        pd.DataFrame([r[:3] for r in rows], columns=["boundary_id", "name", "kind"], dtype="str"),
        geometry=gpd.GeoSeries([r[3] for r in rows], crs=crs),
        crs=crs,
    )
    if boundaries.empty:
        return more
    return gpd.GeoDataFrame(
        pd.concat([boundaries, more], ignore_index=True), geometry="geometry", crs=crs
    )
