"""Positions of rows: read from geometry or columns, tested, and turned into one metric system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from catchment.coordinates import (
    SourceCrs,
    gauss_krueger_epsg,
    in_china,
    metric_crs,
    parse_crs,
    to_lonlat,
    transform,
)
from catchment.english import counted
from catchment.region.clean import Cleaned
from catchment.region.faults import Fault
from catchment.region.raw import Raw

FloatArray = npt.NDArray[np.float64]
COUNTY_BUFFER_M = 20_000.0
FAR_FACTOR, FAR_FLOOR_M = 10.0, 60_000.0
TWO_WAYS_M = 100.0
_POINTS = {"Point"}
_LINES = {"LineString", "LinearRing", "MultiLineString"}
_POLYGONS = {"Polygon", "MultiPolygon"}
_WANTED = {"point": "点", "line": "线", "polygon": "面"}


@dataclass(frozen=True)
class Located:
    """Positions of a point layer as its source states them.

    Attributes
    ----------
    x, y : ndarray of float64
        Easting or longitude, northing or latitude; NaN where there is none.
    polygons : ndarray of object
        Polygon the point stands for, None for true points.
    columns : tuple of str
        Headings the numbers came from, for the faults.
    faults : tuple of Fault
        Geometry of the wrong kind, two differing positions.
    """

    x: FloatArray
    y: FloatArray
    polygons: npt.NDArray[np.object_]
    columns: tuple[str, str]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class County:
    """What decides whether a place belongs to the county.

    Attributes
    ----------
    crs : CRS
        Metric system.
    outline : BaseGeometry or None
        County boundary in ``crs``.
    middle : tuple of float
        Median place in ``crs``, used where there is no boundary.
    reach : float
        Distance from the middle beyond which a place is outside, metres.
    """

    crs: CRS
    outline: BaseGeometry | None
    middle: tuple[float, float]
    reach: float

    def excess(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Distance by which places lie outside the county, metres.

        Parameters
        ----------
        x, y : ndarray of float64
            Places in ``crs``.

        Returns
        -------
        ndarray of float64
            Zero inside, infinity where a place cannot be given in ``crs``.
        """
        good = np.isfinite(x) & np.isfinite(y)
        px, py = np.where(good, x, 0.0), np.where(good, y, 0.0)
        if self.outline is not None:
            far = shapely.distance(self.outline, shapely.points(px, py))
            far = np.where(far > COUNTY_BUFFER_M, far, 0.0)
        else:
            far = np.hypot(px - self.middle[0], py - self.middle[1])
            far = np.where(far > self.reach, far, 0.0)
        return np.where(good, far, np.inf)


def locate_points(raw: Raw, cleaned: Cleaned, layer: str, source: SourceCrs, file: str) -> Located:
    """Take the positions of a point layer from its geometry or its columns.

    Parameters
    ----------
    raw : Raw
        Source with geometry, if any.
    cleaned : Cleaned
        Its typed rows.
    layer : str
        Canonical layer name.
    source : SourceCrs
        System the source is in.
    file : str
        File name for the faults.

    Returns
    -------
    Located
        Positions in the source's own system.
    """
    n = len(cleaned.rows)
    polygons = np.full(n, None, dtype=object)
    table = cleaned.table
    if raw.geometry is None:
        pair = ("lon", "lat") if _filled(table, "lon", "lat") else ("easting", "northing")
        if not source.is_geographic and _filled(table, "easting", "northing"):
            pair = ("easting", "northing")
        x = table[pair[0]].to_numpy(dtype=np.float64, na_value=np.nan)
        y = table[pair[1]].to_numpy(dtype=np.float64, na_value=np.nan)
        named = (cleaned.titles.get(pair[0], pair[0]), cleaned.titles.get(pair[1], pair[1]))
        faults = _both_columns(x, y, cleaned, layer, source, file, pair)
        return Located(x, y, polygons, named, tuple(faults))
    geometry = shapely.force_2d(raw.geometry[cleaned.source])
    kinds = [g.geom_type if g is not None else "" for g in geometry]
    faults = []
    points = np.full(n, None, dtype=object)
    for k, (kind, shape) in enumerate(zip(kinds, geometry, strict=True)):
        row = int(cleaned.rows[k])
        if shape is None or shape.is_empty:
            continue
        if kind in _POINTS:
            points[k] = shape
        elif kind == "MultiPoint" and len(shape.geoms) == 1:
            points[k] = shape.geoms[0]
        elif kind in _POLYGONS:
            whole, found = repaired(shape, layer, row, file)
            faults.extend(found)
            if whole is not None:
                polygons[k] = whole
                points[k] = shapely.point_on_surface(whole)
        else:
            faults.append(
                Fault(
                    "geometry_kind",
                    layer,
                    row,
                    value=kind,
                    details={"wanted": _WANTED["point"]},
                    file=file,
                )
            )
    x, y = shapely.get_x(points), shapely.get_y(points)
    faults.extend(_two_ways(x, y, cleaned, layer, source, file))
    return Located(x, y, polygons, ("geometry", "geometry"), tuple(faults))


def _two_ways(
    x: FloatArray, y: FloatArray, cleaned: Cleaned, layer: str, source: SourceCrs, file: str
) -> list[Fault]:
    """Compare geometry with columns of longitude and latitude in one source."""
    if not {"lon", "lat"} <= set(cleaned.titles):
        return []
    a, b = (
        cleaned.table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("lon", "lat")
    )
    lon, lat = to_lonlat(x, y, source)
    # Columns are taken as degrees of the source's own datum and offset.
    given_lon, given_lat = to_lonlat(a, b, source) if source.is_geographic else (a, b)
    away = np.hypot((lon - given_lon) * np.cos(np.radians(lat)), lat - given_lat) * 111_195.0
    return [
        Fault(
            "place_two_ways",
            layer,
            int(cleaned.rows[k]),
            details={"metres": f"{away[k]:,.0f}"},
            file=file,
        )
        for k in np.flatnonzero(away > TWO_WAYS_M)
    ]


def _both_columns(
    x: FloatArray,
    y: FloatArray,
    cleaned: Cleaned,
    layer: str,
    source: SourceCrs,
    file: str,
    used: tuple[str, str],
) -> list[Fault]:
    """Compare degrees with metres where a table states both; what is not used is never silent.

    Degrees are compared with metres in the declared projected system. Where degrees are declared,
    the system of the metres is unknown: the Gauss-Krueger zone that fits most rows is taken for it.
    """
    if not all(_filled(cleaned.table, *pair) for pair in (("lon", "lat"), ("easting", "northing"))):
        return []
    other = ("easting", "northing") if used[0] == "lon" else ("lon", "lat")
    a, b = (cleaned.table[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in other)
    lon, lat = to_lonlat(x, y, source)
    told = [(a, b)]
    if used[0] == "lon":
        told = [to_lonlat(a, b, system) for system in _likely_zones(lon, a)]
    away = [
        np.hypot((lon - u) * np.cos(np.radians(lat)), lat - v) * 111_195.0 for u, v in told
    ] or [np.full(len(x), np.inf)]
    middle = [float(np.median(w[np.isfinite(w)])) if np.isfinite(w).any() else np.inf for w in away]
    best = away[int(np.argmin(middle))]
    stated = np.isfinite(a) & np.isfinite(b) & np.isfinite(x) & np.isfinite(y)
    title = cleaned.titles.get(used[0], used[0])
    return [
        Fault(
            "place_columns_differ",
            layer,
            int(cleaned.rows[k]),
            title,
            details={"metres": f"{best[k]:,.0f}" if np.isfinite(best[k]) else "?"},
            file=file,
        )
        for k in np.flatnonzero(stated & ~(best <= TWO_WAYS_M))
    ]


def _likely_zones(lon: FloatArray, easting: FloatArray) -> list[SourceCrs]:
    """CGCS2000 zones of 3 and 6 degrees around a county, with or without the zone in the easting."""
    if not np.isfinite(lon).any() or not np.isfinite(easting).any():
        return []
    middle = float(np.nanmedian(lon))
    prefixed = float(np.nanmedian(np.abs(easting))) >= 1_000_000.0
    three, six = round(middle / 3.0), int(middle // 6.0) + 1
    codes = [z + (4488 if prefixed else 4509) for z in range(three - 1, three + 2) if 25 <= z <= 45]
    codes += [z + (4478 if prefixed else 4489) for z in (six,) if 13 <= z <= 23]
    return [parse_crs(f"EPSG:{code}") for code in codes]


def _filled(table: Any, *columns: str) -> bool:
    return all(bool(table[c].notna().any()) for c in columns)


def repaired(
    shape: BaseGeometry, layer: str, row: int, file: str
) -> tuple[BaseGeometry | None, list[Fault]]:
    """Repair a polygon that crosses itself, reporting how its area changed.

    Parameters
    ----------
    shape : BaseGeometry
        Polygon or multipolygon.
    layer : str
        Canonical layer name.
    row : int
        Row number as people see it.
    file : str
        File name for the faults.

    Returns
    -------
    BaseGeometry or None, list of Fault
        The valid polygon, None when nothing with an area remains; what was done.
    """
    if shape.is_valid:
        return shape, []
    before = abs(shape.area)
    fixed = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    parts = [g for g in shapely.get_parts(fixed) if g.geom_type == "Polygon" and g.area > 0]
    if not parts:
        return None, [Fault("geometry_lost", layer, row, file=file)]
    whole = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    after = whole.area
    percent = "∞" if before == 0 else f"{(after - before) / before * 100:+.2f}"
    return whole, [Fault("geometry_repaired", layer, row, details={"percent": percent}, file=file)]


def fit_zone(
    located: Located, source: SourceCrs
) -> tuple[Located, SourceCrs, list[tuple[str, str]]]:
    """Reconcile eastings that carry a zone with a declared system that does not, and the reverse.

    Parameters
    ----------
    located : Located
        Positions as stated.
    source : SourceCrs
        Declared system.

    Returns
    -------
    Located, SourceCrs, list of notes
        Positions with the zone taken off or put on where it agrees with the declared meridian.
    """
    zone, prefixed = _zone_of(source)
    if zone is None:
        return located, source, []
    number = np.floor(np.abs(np.nan_to_num(located.x)) / 1_000_000)
    if prefixed:
        fits = (number == 0) & (np.abs(located.x) > 1000.0)
        x = np.where(fits, located.x + zone * 1_000_000.0, located.x)
        zh, en = "东坐标缺带号，已补上", "eastings lacked the zone {z}; added"
    else:
        fits = number == zone
        x = np.where(fits, located.x - zone * 1_000_000.0, located.x)
        zh, en = "东坐标带带号，已去除", "eastings carried the zone {z}; taken off"
    if not fits.any():
        return located, source, []
    changed = Located(x, located.y, located.polygons, located.columns, located.faults)
    note = (
        f"{int(fits.sum())} 行{zh}（{zone}）",
        f"{counted(int(fits.sum()), 'row')}: {en.format(z=zone)}",
    )
    return changed, source, [note]


def _zone_of(source: SourceCrs) -> tuple[int | None, bool]:
    """Gauss-Krueger zone of a Chinese system and whether its eastings carry it."""
    if not source.name.startswith("EPSG:"):
        return None, False
    code = int(source.name[5:])
    for first, last, base, prefixed in (
        (4513, 4533, 4488, True),
        (4534, 4554, 4509, False),
        (4491, 4501, 4478, True),
        (4502, 4512, 4489, False),
        # Xi'an 1980
        (2349, 2369, 2324, True),
        (2370, 2390, 2345, False),
        (2327, 2337, 2314, True),
        (2338, 2348, 2325, False),
        # Beijing 1954
        (2401, 2421, 2376, True),
        (2422, 2442, 2397, False),
        (21413, 21423, 21400, True),
        (21453, 21463, 21440, False),
    ):
        if first <= code <= last:
            return code - base, prefixed
    return None, False


def sound_places(located: Located, source: SourceCrs) -> tuple[FloatArray, FloatArray]:
    """Places of a layer in degrees, as far as their bare numbers make sense.

    Parameters
    ----------
    located : Located
        Positions as stated.
    source : SourceCrs
        System they are in.

    Returns
    -------
    lon, lat : ndarray of float64
        WGS84 degrees; NaN where the numbers cannot be right.
    """
    sound = _plain_test(located.x, located.y, source) == ""
    x, y = np.where(sound, located.x, np.nan), np.where(sound, located.y, np.nan)
    return to_lonlat(x, y, source)


def middle_of(places: Iterable[tuple[FloatArray, FloatArray]]) -> tuple[float, float] | None:
    """Median longitude and latitude of several layers.

    Parameters
    ----------
    places : iterable of (lon, lat)
        Degrees, NaN where unknown.

    Returns
    -------
    tuple of float or None
        Median place; None when there is no valid one.
    """
    pairs = list(places)
    if not pairs:
        return None
    lon = np.concatenate([p[0] for p in pairs])
    lat = np.concatenate([p[1] for p in pairs])
    good = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
    good &= ~((np.abs(lon) < 1e-9) & (np.abs(lat) < 1e-9))
    if not good.any():
        return None
    return float(np.median(lon[good])), float(np.median(lat[good]))


def county_of(
    outline: BaseGeometry | None,
    places: list[tuple[FloatArray, FloatArray]],
    metric: str,
) -> County | None:
    """Choose the metric system and what counts as inside the county.

    Parameters
    ----------
    outline : BaseGeometry or None
        County boundary in WGS84 degrees.
    places : list of (lon, lat)
        Places of villages and schools, degrees.
    metric : str
        Metric system the region was written in, empty to choose one.

    Returns
    -------
    County or None
        None when no place is known at all.
    """
    if outline is not None:
        west, south, east, north = outline.bounds
        middle: tuple[float, float] | None = ((west + east) / 2.0, (south + north) / 2.0)
    else:
        middle = middle_of(places)
    if middle is None:
        return None
    crs = parse_crs(metric).crs if metric else metric_crs(*middle)
    x0, y0 = transform(middle[0], middle[1], "EPSG:4326", crs)
    shape = None if outline is None else project(outline, parse_crs("EPSG:4326"), crs)
    reach = FAR_FLOOR_M
    if places:
        lon, lat = (np.concatenate([p[k] for p in places]) for k in (0, 1))
        x, y = transform(lon, lat, "EPSG:4326", crs)
        away = np.hypot(x - float(x0), y - float(y0))
        good = away[np.isfinite(away)]
        if len(good):
            reach = max(FAR_FLOOR_M, FAR_FACTOR * float(np.median(good)))
    return County(crs, shape, (float(x0), float(y0)), min(reach, 400_000.0))


def project(shape: Any, source: SourceCrs, target: CRS) -> Any:
    """Turn a geometry, or an array of them, from its source system into another.

    Parameters
    ----------
    shape : BaseGeometry or ndarray of object
        Two-dimensional geometries.
    source : SourceCrs
        System they are in.
    target : CRS
        System wanted.

    Returns
    -------
    BaseGeometry or ndarray of object
        The same, transformed vertex by vertex.
    """

    def move(xy: FloatArray) -> FloatArray:
        x, y = transform(xy[:, 0], xy[:, 1], source, target)
        return np.column_stack([x, y])

    return shapely.transform(shape, move)


def judge_places(
    located: Located,
    source: SourceCrs,
    county: County | None,
    cleaned: Cleaned,
    layer: str,
    file: str,
) -> tuple[FloatArray, FloatArray, list[Fault]]:
    """Test every position and turn the good ones into the county's metric system.

    Parameters
    ----------
    located : Located
        Positions as stated.
    source : SourceCrs
        System they are in.
    county : County or None
        What counts as inside; None when no place of the region makes sense.
    cleaned : Cleaned
        Rows of the layer, for row numbers.
    layer, file : str
        Layer and file name for the faults.

    Returns
    -------
    x, y : ndarray of float64
        Metric positions, NaN where refused.
    list of Fault
        One fault a refused row.
    """
    x, y = located.x, located.y
    code = _plain_test(x, y, source)
    sound = code == ""
    mx = my = np.full(len(x), np.nan)
    excess = np.zeros(len(x))
    if county is not None:
        sx, sy = np.where(sound, x, np.nan), np.where(sound, y, np.nan)
        mx, my = transform(sx, sy, source, county.crs)
        excess = county.excess(mx, my)
    outside = sound & (excess > 0.0)
    if county is not None and outside.any():
        sx, sy = transform(
            np.where(outside, y, np.nan), np.where(outside, x, np.nan), source, county.crs
        )
        swapped = outside & (county.excess(sx, sy) == 0.0)
        code[outside] = "place_outside"
        code[swapped] = "place_swapped"
    already = {f.row for f in located.faults if f.spoils == "row"}
    already |= {f.row for f in cleaned.faults if f.column in located.columns and f.spoils == "row"}
    faults = []
    for k in np.flatnonzero(code != ""):
        row = int(cleaned.rows[k])
        if code[k] == "place_missing" and row in already:
            continue
        faults.append(
            _place_fault(str(code[k]), located, source, int(k), row, float(excess[k]), layer, file)
        )
    bad = code != ""
    return np.where(bad, np.nan, mx), np.where(bad, np.nan, my), faults


def _plain_test(x: FloatArray, y: FloatArray, source: SourceCrs) -> npt.NDArray[np.str_]:
    """Code of what the bare numbers show, empty where nothing is wrong yet."""
    code = np.full(len(x), "", dtype="<U16")
    ax, ay = np.abs(np.nan_to_num(x)), np.abs(np.nan_to_num(y))
    if source.is_geographic:
        code[(ax > 180.0) | (ay > 90.0)] = "place_metres"
        code[(ay > 90.0) & (ay <= 180.0) & (ax <= 90.0)] = "place_swapped"
        if source.offset != "none" or source.name == "EPSG:4490":
            code[(code == "") & ~in_china(x, y) & in_china(y, x)] = "place_swapped"
    else:
        code[(ax <= 180.0) & (ay <= 180.0)] = "place_degrees"
        zone, prefixed = _zone_of(source)
        if zone is not None:
            number = np.floor(ax / 1_000_000)
            carried = (number >= 13) & (number <= 45)
            code[carried & (number != (zone if prefixed else 0))] = "place_zone"
            flipped_y = np.floor(ay / 1_000_000)
            north = (ax >= 1_500_000) & (ax <= 6_200_000)
            east = ((ay >= 100_000) & (ay <= 900_000)) | ((flipped_y >= 13) & (flipped_y <= 45))
            code[north & east] = "place_swapped"
    code[(ax < 1e-9) & (ay < 1e-9)] = "place_zero"
    code[~(np.isfinite(x) & np.isfinite(y))] = "place_missing"
    return code


def _place_fault(
    code: str,
    located: Located,
    source: SourceCrs,
    k: int,
    row: int,
    excess: float,
    layer: str,
    file: str,
) -> Fault:
    x, y = float(located.x[k]), float(located.y[k])
    shown_x, shown_y = f"{x:.6f}".rstrip("0").rstrip("."), f"{y:.6f}".rstrip("0").rstrip(".")
    if layer == "students" and code != "place_zero":
        # Home points are in no output, not even in a fault.
        shown_x = shown_y = "***"
    details: dict[str, Any] = {"x": shown_x, "y": shown_y, "crs": source.name}
    column = "/".join(dict.fromkeys(located.columns))
    value = f"{shown_x}, {shown_y}" if code != "place_missing" else ""
    place = None
    if code == "place_missing" and column == "geometry":
        return Fault("geometry_missing", layer, row, column, file=file)
    if code in {"place_metres", "place_zone"}:
        hint = gauss_krueger_epsg(x)
        if hint.zone is None:
            hint = gauss_krueger_epsg(y)
        details["hint"] = hint.message.split(" / ")[0]
        details["hint_en"] = hint.message.split(" / ")[1]
    if code == "place_outside":
        lon, lat = to_lonlat(x, y, source)
        details["lon"], details["lat"] = f"{float(lon):.5f}", f"{float(lat):.5f}"
        details["km"] = f"{excess / 1000.0:,.0f}" if np.isfinite(excess) else "∞"
        if layer == "students":
            details["lon"] = details["lat"] = "***"
        elif np.isfinite(lon) and np.isfinite(lat):
            place = (float(lon), float(lat))
    return Fault(code, layer, row, column, value, details, place=place, file=file)
