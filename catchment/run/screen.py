"""Candidate sites screened before anything is built on them: railways, main roads, slope, hazard, land."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from catchment.errors import InputError
from catchment.network.barriers import RAILWAY, barriers_of
from catchment.network.crossings import MAIN_CLASSES
from catchment.network.graph import RoadNetwork
from catchment.region.elevation import sample
from catchment.region.model import Region
from catchment.rules.ground import RAILWAY as RAILWAY_M
from catchment.rules.ground import TRUNK_ROAD as TRUNK_ROAD_M

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
_HAZARDS = ("hazards.gpkg", "hazards.geojson", "隐患区.gpkg", "隐患区.geojson")
_AROUND_M = 50.0
_FAST = frozenset({"motorway", "motorway_link"})


@dataclass(frozen=True)
class Check:
    """One row of the table of checks.

    Attributes
    ----------
    name : str
        ``railway``, ``main_road``, ``slope``, ``hazard`` or ``land``.
    least : bool
        Whether the limit is a least value, else a greatest.
    limit : float
        In ``unit``.
    unit : str
        m, % or classrooms a grade.
    excludes : bool
        Whether a site that fails may not be built on; otherwise it is only told.
    zh, en, source : str
        Meaning and where the limit comes from.
    verified : bool
        Whether the source's text was seen.
    """

    name: str
    least: bool
    limit: float
    unit: str
    excludes: bool
    zh: str
    en: str
    source: str
    verified: bool


def checks_of(folder: Path | None) -> tuple[Check, ...]:
    """Read the checks of candidate sites; rows of the county's ``screen.csv`` replace the shipped ones.

    Parameters
    ----------
    folder : Path or None
        The county's folder.

    Returns
    -------
    tuple of Check
        In the order of the shipped table.

    Raises
    ------
    InputError
        Where a row of the county's table names no check or a limit is no number.
    """
    text = files("catchment.run").joinpath("screen.csv").read_text(encoding="utf-8")
    rows = {row["check"]: row for row in csv.DictReader(text.splitlines())}
    own = None if folder is None else folder / "screen.csv"
    if own is not None and own.is_file():
        try:
            lines = own.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as fault:
            raise InputError("screen.csv 不是 UTF-8；请另存为 UTF-8 / is not UTF-8") from fault
        for number, row in enumerate(csv.DictReader(lines), start=2):
            name = str(row.get("check", ""))
            if name not in rows:
                raise InputError(
                    f"screen.csv 第 {number} 行 check = {name!r}：应为 {'、'.join(rows)} 之一 / row "
                    f"{number}: no such check"
                )
            rows[name] = {**rows[name], **{k: v for k, v in row.items() if k and v}}
    return tuple(_check(row) for row in rows.values())


def _check(row: dict[str, str]) -> Check:
    try:
        limit = float(row["limit"])
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit) or limit < 0:
        raise InputError(
            f"screen.csv {row['check']}: limit = {row['limit']!r} 应为不小于 0 的数 / must be a number, "
            "0 or more"
        )
    return Check(
        row["check"], row["operator"] == ">=", limit, row["unit"], row["excludes"] == "yes",
        row["zh"], row["en"], row["source"], row["verified"] == "yes",
    )  # fmt: skip


def screen_sites(
    region: Region, network: RoadNetwork, *, checks: tuple[Check, ...] | None = None
) -> pd.DataFrame:
    """Measure every candidate site of a county against the checks.

    Parameters
    ----------
    region : Region
        The county: candidate sites, elevation, railways of its road file or layer ``barriers``,
        and a layer of polygons ``hazards`` (``隐患区``) in its folder.
    network : RoadNetwork
        Roads, in the county's CRS.
    checks : tuple of Check, optional
        Limits; those of the county when left out.

    Returns
    -------
    DataFrame
        ``site, name, check, value, limit, unit, result`` (``pass``, ``fail``, ``unknown`` where
        nothing tells), ``excluded, source, verified``, a row a site and check.
    """
    asked = checks_of(region.folder) if checks is None else checks
    sites = region.sites
    if not len(sites):
        return pd.DataFrame()
    measured = {
        "railway": _to_railways(region),
        "main_road": _to_main_roads(sites, network),
        "slope": _slope(region),
        "hazard": _hazard(region),
        "land": _land(sites),
    }
    rows = []
    for k, (code, name) in enumerate(
        zip(sites["site_id"].astype(str), sites["name"].astype(str), strict=True)
    ):
        for check in asked:
            value = float(measured[check.name][k])
            result = UNKNOWN
            if not math.isnan(value):
                # A site in a hazard area is at a negative distance, so that a limit of 0 means out.
                good = value >= check.limit if check.least else value <= check.limit
                result = PASS if good else FAIL
            rows.append(
                {
                    "site": code,
                    "name": name,
                    "check": check.name,
                    "value": round(value, 1),
                    "limit": check.limit,
                    "unit": check.unit,
                    "result": result,
                    "excluded": check.excludes and result == FAIL,
                    "zh": check.zh,
                    "en": check.en,
                    "source": check.source,
                    "verified": check.verified,
                }
            )
    return pd.DataFrame(rows)


def grounds_of(region: Region, network: RoadNetwork) -> dict[str, dict[str, float]]:
    """Measure how far railways and main roads are from every candidate site.

    Parameters
    ----------
    region : Region
        The county.
    network : RoadNetwork
        Roads, in the county's CRS.

    Returns
    -------
    dict of str to dict
        Metres by quantity of ``R-SITE-01`` and code of site: inf without any such line, nan where
        the county has no source of railways.
    """
    codes = region.sites["site_id"].astype(str).tolist()
    measured = {
        RAILWAY_M: _to_railways(region),
        TRUNK_ROAD_M: _to_main_roads(region.sites, network),
    }
    return {
        name: dict(zip(codes, metres.astype(float).tolist(), strict=True))
        for name, metres in measured.items()
    }


def _distance(sites: gpd.GeoDataFrame, lines: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    points = sites.geometry.to_numpy()
    if not len(lines):
        return np.full(len(points), np.inf)
    tree = shapely.STRtree(lines)
    nearest = tree.nearest(points)
    return np.asarray(shapely.distance(points, lines[nearest]), dtype=np.float64)


def _to_railways(region: Region) -> npt.NDArray[np.float64]:
    barriers = barriers_of(region)
    if not barriers.known:
        return np.full(len(region.sites), np.nan)
    mine = [k for k, kind in enumerate(barriers.piece_kinds) if kind == RAILWAY]
    return _distance(region.sites, barriers.pieces[mine])


def _to_main_roads(sites: gpd.GeoDataFrame, network: RoadNetwork) -> npt.NDArray[np.float64]:
    main = np.array([c in MAIN_CLASSES | _FAST for c in network.classes], dtype=bool)
    mine = np.flatnonzero(main[network.road_class])
    lines = np.empty(len(mine), dtype=object)
    lines[:] = [
        shapely.LineString(network.shape[network.offsets[s] : network.offsets[s + 1]]) for s in mine
    ]
    return _distance(sites, lines)


def _slope(region: Region) -> npt.NDArray[np.float64]:
    """Steepest slope in per cent over 100 m, east-west and north-south together."""
    points = region.sites.geometry
    x, y = points.x.to_numpy(), points.y.to_numpy()
    if region.elevation is None:
        return np.full(len(points), np.nan)
    height = [
        sample(region.elevation, x + dx, y + dy, region.crs)
        for dx, dy in ((_AROUND_M, 0.0), (-_AROUND_M, 0.0), (0.0, _AROUND_M), (0.0, -_AROUND_M))
    ]
    rise = np.hypot(height[0] - height[1], height[2] - height[3])
    return np.asarray(100.0 * rise / (2 * _AROUND_M), dtype=np.float64)


def _hazard(region: Region) -> npt.NDArray[np.float64]:
    """Metres to the nearest hazard area, negative within one; nan where the county has no layer."""
    nothing = np.full(len(region.sites), np.nan)
    if region.folder is None:
        return nothing
    for name in _HAZARDS:
        file = region.folder / name
        if not file.is_file():
            continue
        try:
            layer = gpd.read_file(file)
        except Exception as fault:  # pyogrio raises many kinds for a damaged file
            raise InputError(
                f"{name} 无法读取，请重新导出 / cannot be read; export it again ({fault})"
            ) from fault
        if layer.crs is None:
            raise InputError(f"{name} 没有坐标系；请补上 / states no coordinate system")
        areas = shapely.make_valid(shapely.force_2d(layer.to_crs(region.crs).geometry.to_numpy()))
        areas = areas[~shapely.is_empty(areas) & ~shapely.is_missing(areas)]
        away = _distance(region.sites, areas)
        return np.where(away <= 0, -1.0, away)
    return nothing


def _land(sites: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    """Classrooms that fit, for each grade the site could teach; nan where nobody has said."""
    if "rooms_max" not in sites.columns:
        return np.full(len(sites), np.nan)
    rooms = pd.to_numeric(sites["rooms_max"], errors="coerce").to_numpy(
        dtype=float, na_value=np.nan
    )
    first = pd.to_numeric(sites["grade_from"]).to_numpy(dtype=float)
    last = pd.to_numeric(sites["grade_to"]).to_numpy(dtype=float)
    return np.asarray(rooms / np.maximum(last - first + 1, 1), dtype=np.float64)


def rooms_of_fit(region: Region, screened: pd.DataFrame, *, otherwise: int = 12) -> dict[str, int]:
    """Candidate sites that may be built on, with the classrooms their land holds.

    Parameters
    ----------
    region : Region
        The county.
    screened : DataFrame
        As :func:`screen_sites` gives it.
    otherwise : int
        Classrooms where the layer does not say.

    Returns
    -------
    dict of str to int
        Most classrooms by code of site; sites that a check excludes are left out.
    """
    if not len(screened):
        return {}
    out = set(screened.loc[screened["excluded"], "site"])
    sites = region.sites
    rooms = sites["rooms_max"] if "rooms_max" in sites.columns else pd.Series([pd.NA] * len(sites))
    return {
        code: otherwise if pd.isna(most) else int(most)
        for code, most in zip(sites["site_id"].astype(str), rooms, strict=True)
        if code not in out
    }
