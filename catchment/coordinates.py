"""Coordinate systems: read their names, choose one metric system, undo map-provider offsets.

CGCS2000 and WGS84 differ by far less than a metre and are treated as one datum. GCJ-02 (used by
AMap and Tencent) and BD-09 (used by Baidu) are WGS84 with an offset of up to 1.5 km inside China;
their inverses are iterated until they agree to well below a millimetre.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from catchment.errors import InputError

FloatArray = npt.NDArray[np.float64]
Offset = Literal["none", "gcj02", "bd09"]

WGS84 = "EPSG:4326"

# Parameters of the Krasovsky ellipsoid as the published GCJ-02 algorithm uses them.
_A = 6378245.0
_EE = 0.00669342162296594323
_X_PI = np.pi * 3000.0 / 180.0
# The algorithm itself applies no offset outside this box.
_CHINA = (72.004, 0.8293, 137.8347, 55.8271)
_CONVERGED_DEGREES = 1e-12
_ROUNDS = 40

_NAMES: dict[str, str] = {
    "wgs84": "EPSG:4326",
    "wgs1984": "EPSG:4326",
    "gps": "EPSG:4326",
    "crs84": "EPSG:4326",
    "ogccrs84": "EPSG:4326",
    "cgcs2000": "EPSG:4490",
    "gcscgcs2000": "EPSG:4490",
    "gcschinageodeticcoordinatesystem2000": "EPSG:4490",
    "chinageodeticcoordinatesystem2000": "EPSG:4490",
    "国家2000": "EPSG:4490",
    "2000国家": "EPSG:4490",
    "大地2000": "EPSG:4490",
    "国家大地2000": "EPSG:4490",
    "2000国家大地": "EPSG:4490",
    "国家2000大地": "EPSG:4490",
    "天地图": "EPSG:4490",
    "beijing54": "EPSG:4214",
    "beijing1954": "EPSG:4214",
    "北京54": "EPSG:4214",
    "1954北京": "EPSG:4214",
    "北京1954": "EPSG:4214",
    "xian80": "EPSG:4610",
    "xian1980": "EPSG:4610",
    "西安80": "EPSG:4610",
    "1980西安": "EPSG:4610",
    "西安1980": "EPSG:4610",
    "webmercator": "EPSG:3857",
    "墨卡托": "EPSG:3857",
    "web墨卡托": "EPSG:3857",
}
_GCJ02 = {"gcj02", "gcj", "火星", "高德", "高德地图", "腾讯", "腾讯地图", "国测局", "amap", "mars"}
_BD09 = {"bd09", "bd09ll", "bd", "百度", "百度地图", "baidu"}


@dataclass(frozen=True)
class SourceCrs:
    """Coordinate system in which a source states its positions.

    Attributes
    ----------
    name : str
        Name shown to people: an authority code, ``GCJ-02`` or ``BD-09``.
    crs : pyproj.CRS
        Coordinate system behind the name (WGS84 for the two offset systems).
    offset : {"none", "gcj02", "bd09"}
        Offset that a map provider has added.
    """

    name: str
    crs: CRS
    offset: Offset = "none"

    @property
    def is_geographic(self) -> bool:
        """Whether positions are longitude and latitude in degrees."""
        return bool(self.crs.is_geographic)


@dataclass(frozen=True)
class ZoneHint:
    """What an easting says about its Gauss-Krueger zone.

    Attributes
    ----------
    epsg : int or None
        Code of the zone-prefixed system, None when the easting does not decide it.
    zone : int or None
        Zone number in front of the easting.
    message : str
        Explanation for people; says when the central meridian is missing.
    """

    epsg: int | None
    zone: int | None
    message: str


def parse_crs(text: str | int | CRS | SourceCrs) -> SourceCrs:
    """Read the name of a coordinate system as people write it.

    Parameters
    ----------
    text : str, int, CRS or SourceCrs
        For example ``EPSG:4490``, ``4549``, ``CGCS2000``, ``GCJ-02``, ``百度坐标``,
        ``CGCS2000 3度带 中央经线120``, ``CGCS2000_3_Degree_GK_Zone_40`` or WKT.

    Returns
    -------
    SourceCrs
        The system; a system that has passed through this function passes unchanged.

    Raises
    ------
    InputError
        When the name is unknown, or the system is vertical or geocentric.

    Examples
    --------
    >>> parse_crs("CGCS2000 三度带 中央经线 120").name
    'EPSG:4549'
    >>> parse_crs("高德坐标").offset
    'gcj02'
    """
    if isinstance(text, SourceCrs):
        return text
    if isinstance(text, CRS):
        return _usable(text, str(text.name))
    if isinstance(text, int):
        return _from_pyproj(f"EPSG:{text}", str(text))
    raw = unicodedata.normalize("NFKC", str(text)).strip()
    key = _key(raw)
    if key in _GCJ02:
        return SourceCrs("GCJ-02", CRS.from_epsg(4326), "gcj02")
    if key in _BD09:
        return SourceCrs("BD-09", CRS.from_epsg(4326), "bd09")
    if key in _NAMES:
        return _from_pyproj(_NAMES[key], raw)
    zone = _gauss_krueger_name(raw)
    if zone is not None:
        return _from_pyproj(f"EPSG:{zone}", raw)
    digits = re.fullmatch(
        r"(?:urn:ogc:def:crs:)?(?:EPSG)?\s*:{0,2}\s*(\d{4,6})", raw, re.IGNORECASE
    )
    if digits:
        return _from_pyproj(f"EPSG:{digits.group(1)}", raw)
    if not raw:
        raise _unknown(raw)
    return _from_pyproj(raw, raw)


def _key(raw: str) -> str:
    """Reduce a name to what distinguishes it."""
    short = re.sub(r"[\s_\-()/.,:]+", "", raw.lower())
    return re.sub(r"(坐标系统|坐标系|坐标)$", "", short) or short


def _gauss_krueger_name(raw: str) -> int | None:
    """EPSG code of a CGCS2000 Gauss-Krueger system named in words, None when it is not one."""
    low = raw.lower().replace("_", " ")
    if not re.search(r"cgcs|2000|gauss|高斯|\bgk\b|度带", low):
        return None
    wide = re.search(r"(?<!\d)6\s*[-°]?\s*(?:degree|度)|六度", low) is not None
    narrow = re.search(r"(?<!\d)3\s*[-°]?\s*(?:degree|度)|三度", low) is not None
    # EPSG and Esri name the six-degree systems without a width; in Chinese words a width left out
    # means three degrees, as county surveys use.
    wide = wide or re.search(r"cgcs\s?2000[\s/]*(?:gk|gauss)", low) is not None
    step = 6 if wide and not narrow else 3
    meridian = re.search(
        r"(?:cm|central meridian|中央经线|中央子午线|meridian)\D{0,6}(\d{2,3})(?!\d)", low
    ) or re.search(r"(?<!\d)(\d{2,3})\s*°?\s*e\b", low)
    if meridian:
        degrees = int(meridian.group(1))
        if step == 3 and degrees % 3 == 0 and 75 <= degrees <= 135:
            return 4509 + degrees // 3
        if step == 6 and degrees % 6 == 3 and 75 <= degrees <= 135:
            return 4489 + (degrees + 3) // 6
        return None
    zone = re.search(r"(?:zone|带号|第)\D{0,4}(\d{2})(?!\d)", low) or re.search(
        r"(?<!\d)(\d{2})\s*(?:号?带|zone)", low
    )
    if zone:
        number = int(zone.group(1))
        if 25 <= number <= 45 and not (wide and not narrow):
            return 4488 + number
        if 13 <= number <= 23:
            return 4478 + number
    return None


@lru_cache(maxsize=256)
def _from_pyproj(name: str, shown: str) -> SourceCrs:
    try:
        crs = CRS.from_user_input(name)
    except CRSError as fault:
        raise _unknown(shown) from fault
    return _usable(crs, shown)


def _usable(crs: CRS, shown: str) -> SourceCrs:
    flat = crs.to_2d() if len(crs.axis_info) > 2 and not crs.is_geocentric else crs
    if crs.is_geocentric or not (flat.is_geographic or flat.is_projected):
        raise InputError(
            f"坐标系“{shown}”不是平面或经纬度坐标系；请改用经纬度或投影坐标 / "
            f"coordinate system {shown!r} is neither geographic nor projected; use one of those"
        )
    authority = flat.to_authority(min_confidence=70)
    name = f"{authority[0]}:{authority[1]}" if authority else str(flat.name)
    if authority and authority[0] == "OGC" and authority[1] == "CRS84":
        name = "EPSG:4326"
    return SourceCrs(name, CRS.from_user_input(name) if authority else flat)


def _unknown(shown: str) -> InputError:
    return InputError(
        f"无法识别坐标系“{shown}”；请写 EPSG 代码（如 EPSG:4490、EPSG:4549）、CGCS2000、WGS84、"
        f"GCJ-02 或 BD-09 / unknown coordinate system {shown!r}; write an EPSG code (EPSG:4490, "
        "EPSG:4549), CGCS2000, WGS84, GCJ-02 or BD-09"
    )


def in_china(lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Say where the GCJ-02 offset applies.

    Parameters
    ----------
    lon, lat : array_like of float
        Degrees.

    Returns
    -------
    ndarray of bool
        True inside the box in which the published algorithm shifts positions.
    """
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    west, south, east, north = _CHINA
    return (x >= west) & (x <= east) & (y >= south) & (y <= north)


def wgs84_to_gcj02(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Add the GCJ-02 offset.

    Parameters
    ----------
    lon, lat : array_like of float
        WGS84 degrees; any matching shapes.

    Returns
    -------
    lon, lat : ndarray of float64
        GCJ-02 degrees; unchanged outside China.
    """
    x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    inside = in_china(x, y)
    gx, gy = _add_gcj(x, y)
    return np.where(inside, gx, x), np.where(inside, gy, y)


def gcj02_to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Undo the GCJ-02 offset, by iteration, to better than a millimetre.

    Parameters
    ----------
    lon, lat : array_like of float
        GCJ-02 degrees; any matching shapes.

    Returns
    -------
    lon, lat : ndarray of float64
        WGS84 degrees; unchanged outside China.
    """
    x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    wx, wy = _undo_gcj(x, y)
    inside = in_china(wx, wy)
    return np.where(inside, wx, x), np.where(inside, wy, y)


def wgs84_to_bd09(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Add the BD-09 offset.

    Parameters
    ----------
    lon, lat : array_like of float
        WGS84 degrees; any matching shapes.

    Returns
    -------
    lon, lat : ndarray of float64
        BD-09 degrees; unchanged outside China.
    """
    x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    inside = in_china(x, y)
    bx, by = _add_bd(*_add_gcj(x, y))
    return np.where(inside, bx, x), np.where(inside, by, y)


def bd09_to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Undo the BD-09 offset, by iteration, to better than a millimetre.

    Parameters
    ----------
    lon, lat : array_like of float
        BD-09 degrees; any matching shapes.

    Returns
    -------
    lon, lat : ndarray of float64
        WGS84 degrees; unchanged outside China.
    """
    x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    wx, wy = _undo_gcj(*_undo_bd(x, y))
    inside = in_china(wx, wy)
    return np.where(inside, wx, x), np.where(inside, wy, y)


def _add_gcj(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _EE * np.sin(phi) ** 2
    meridian = _A * (1.0 - _EE) / (magic * np.sqrt(magic))
    parallel = _A / np.sqrt(magic) * np.cos(phi)
    return lon + np.degrees(east / parallel), lat + np.degrees(north / meridian)


def _add_bd(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    z = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _X_PI)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _X_PI)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


def _undo_gcj(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    return _invert(_add_gcj, lon, lat)


def _undo_bd(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    return _invert(_add_bd, lon, lat)


def _invert(forward: Any, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Solve forward(x) = (lon, lat); both offsets change slowly, so each round gains 2-3 digits."""
    # Latitudes beyond the poles (dirty input) would make the parallel vanish; they stay as they are.
    sane = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) < 89.0) & (np.abs(lon) <= 180.0)
    tx, ty = np.where(sane, lon, 105.0), np.where(sane, lat, 35.0)
    x, y = tx.copy(), ty.copy()
    for _ in range(_ROUNDS):
        fx, fy = forward(x, y)
        dx, dy = tx - fx, ty - fy
        x, y = x + dx, y + dy
        if max(np.max(np.abs(dx), initial=0.0), np.max(np.abs(dy), initial=0.0)) < (
            _CONVERGED_DEGREES
        ):
            break
    return np.where(sane, x, lon), np.where(sane, y, lat)


def metric_crs(lon: float, lat: float) -> CRS:
    """Choose the metric system for a county.

    Parameters
    ----------
    lon, lat : float
        A point in the middle of the county, WGS84 degrees.

    Returns
    -------
    pyproj.CRS
        In China CGCS2000 / 3-degree Gauss-Krueger by central meridian (EPSG 4534 to 4554);
        elsewhere the UTM zone on WGS84; beyond 84N and 80S the polar system.

    Raises
    ------
    InputError
        When the point is not on the globe.

    Examples
    --------
    >>> metric_crs(120.2, 30.3).to_epsg()
    4549
    >>> metric_crs(-0.7, 52.6).to_epsg()
    32630
    """
    if not (np.isfinite(lon) and np.isfinite(lat) and abs(lon) <= 180.0 and abs(lat) <= 90.0):
        raise InputError(
            f"位置（{lon}, {lat}）不在地球上，无法选择投影；请检查坐标系 / position ({lon}, {lat}) "
            "is not on the globe, no projection can be chosen; check the coordinate system"
        )
    if bool(in_china(lon, lat)):
        zone = min(max(int(np.floor(lon / 3.0 + 0.5)), 25), 45)
        return CRS.from_epsg(4509 + zone)
    if lat > 84.0:
        return CRS.from_epsg(5041)
    if lat < -80.0:
        return CRS.from_epsg(5042)
    utm = min(int(np.floor((lon + 180.0) / 6.0)) + 1, 60)
    return CRS.from_epsg((32600 if lat >= 0.0 else 32700) + utm)


def gauss_krueger_epsg(easting: float, *, degrees: Literal[3, 6] = 3) -> ZoneHint:
    """Recognise the Gauss-Krueger zone that an easting carries in front.

    Parameters
    ----------
    easting : float
        Easting (东坐标 Y) in metres: eight digits with a zone, six without.
    degrees : {3, 6}, default 3
        Width of the zones where the number leaves it open.

    Returns
    -------
    ZoneHint
        Code, zone and an explanation; ``epsg`` is None when the central meridian has to be asked.

    Examples
    --------
    >>> gauss_krueger_epsg(40519238.969).epsg
    4528
    >>> gauss_krueger_epsg(519238.969).epsg is None
    True
    """
    number = int(abs(easting) // 1_000_000) if np.isfinite(easting) else 0
    within = abs(easting) - number * 1_000_000
    if 25 <= number <= 45 and 100_000 <= within <= 900_000 and degrees == 3:
        code = 4488 + number
        return ZoneHint(
            code,
            number,
            f"东坐标前两位 {number} 是三度带带号，应为 EPSG:{code} / "
            f"leading {number} is a 3-degree zone: EPSG:{code}",
        )
    if 13 <= number <= 23 and 100_000 <= within <= 900_000:
        code = 4478 + number
        return ZoneHint(
            code,
            number,
            f"东坐标前两位 {number} 是六度带带号，应为 EPSG:{code} / "
            f"leading {number} is a 6-degree zone: EPSG:{code}",
        )
    if number == 0 and 100_000 <= within <= 900_000:
        return ZoneHint(
            None,
            None,
            "六位东坐标不含带号，需要说明中央经线（EPSG:4534-4554） / a six-digit easting has no "
            "zone: state the central meridian (EPSG:4534-4554)",
        )
    return ZoneHint(
        None, None, "不像高斯-克吕格东坐标 / does not look like a Gauss-Krueger easting"
    )


def to_lonlat(
    x: npt.ArrayLike, y: npt.ArrayLike, source: str | int | CRS | SourceCrs
) -> tuple[FloatArray, FloatArray]:
    """Turn positions of any source into WGS84 degrees, offsets undone.

    Parameters
    ----------
    x, y : array_like of float
        Longitude and latitude, or easting and northing, always in this order.
    source : str, int, CRS or SourceCrs
        System the positions are in.

    Returns
    -------
    lon, lat : ndarray of float64
        WGS84 degrees; NaN where the position has none.
    """
    return transform(x, y, source, WGS84)


def transform(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    source: str | int | CRS | SourceCrs,
    target: str | int | CRS | SourceCrs,
) -> tuple[FloatArray, FloatArray]:
    """Turn positions of one system into another, x east and y north on both sides.

    Parameters
    ----------
    x, y : array_like of float
        Longitude and latitude, or easting and northing, always in this order.
    source, target : str, int, CRS or SourceCrs
        Systems, also ``GCJ-02`` and ``BD-09``.

    Returns
    -------
    x, y : ndarray of float64
        Positions in the target system; NaN where a position has none there.
    """
    before, after = parse_crs(source), parse_crs(target)
    px, py = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if before == after:
        return px.copy(), py.copy()
    if before.offset == "gcj02":
        px, py = gcj02_to_wgs84(px, py)
    elif before.offset == "bd09":
        px, py = bd09_to_wgs84(px, py)
    if before.crs != after.crs:
        px, py = _transformer(before.crs.to_wkt(), after.crs.to_wkt()).transform(px, py)
        px, py = np.asarray(px, np.float64), np.asarray(py, np.float64)
        lost = ~(np.isfinite(px) & np.isfinite(py))
        px, py = np.where(lost, np.nan, px), np.where(lost, np.nan, py)
    if after.offset == "gcj02":
        px, py = wgs84_to_gcj02(px, py)
    elif after.offset == "bd09":
        px, py = wgs84_to_bd09(px, py)
    return px, py


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(CRS.from_wkt(source), CRS.from_wkt(target), always_xy=True)
