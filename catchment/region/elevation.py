"""Elevation raster: heights sampled at points, voids answered as NaN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.windows import Window

from catchment.coordinates import SourceCrs, parse_crs, transform
from catchment.errors import InputError, NotFoundError

MAX_PIXELS = 400_000_000
STRIP_PIXELS = 4_000_000
PACKED_FROM, PACKED_MOST = 100_000_000, 2_000
"""A raster of more bytes that is packed more tightly than this holds nothing, or is an attack."""
# Heights beyond these cannot be on land; rasters use such numbers for voids they do not declare.
LOWEST_M, HIGHEST_M = -500.0, 9_000.0
_TIFF_MARKS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


@dataclass(frozen=True)
class Elevation:
    """Heights on a regular grid in the region's metric CRS or any other CRS given by name.

    Attributes
    ----------
    heights : (rows, columns) float32
        Metres; NaN where the raster has a void.
    transform : tuple of six floats
        Affine transform (a, b, c, d, e, f): x = a*col + b*row + c, y = d*col + e*row + f.
    crs : str
        CRS of the transform, as an authority string or WKT.
    """

    heights: npt.NDArray[np.float32]
    transform: tuple[float, float, float, float, float, float]
    crs: str


def read_elevation(path: str | Path, *, crs: str = "") -> Elevation:
    """Read the first band of a GeoTIFF.

    Parameters
    ----------
    path : str or Path
        The ``.tif`` file.
    crs : str, optional
        System of the raster where the file does not state one.

    Returns
    -------
    Elevation
        Heights in metres; declared voids and impossible heights are NaN.

    Raises
    ------
    NotFoundError
        When there is no such file.
    InputError
        When it is no GeoTIFF, too large, or states no coordinate system.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFoundError(
            f"找不到高程文件 {file.name}；请检查文件名 / no elevation file {file.name}; check its name"
        )
    with file.open("rb") as stream:
        if not stream.read(4).startswith(_TIFF_MARKS):
            raise InputError(
                f"{file.name} 不是 GeoTIFF；请导出为 GeoTIFF / {file.name} is not a GeoTIFF; export it "
                "as GeoTIFF"
            )
    try:
        with rasterio.open(file, driver="GTiff") as raster:
            if raster.width * raster.height > MAX_PIXELS:
                raise InputError(
                    f"{file.name} 过大（{raster.width} x {raster.height}）；请裁剪到县域 / {file.name} is "
                    f"too large ({raster.width} x {raster.height}); clip it to the county"
                )
            size = raster.width * raster.height * np.dtype(raster.dtypes[0]).itemsize
            if size > PACKED_FROM and size > PACKED_MOST * file.stat().st_size:
                raise InputError(
                    f"{file.name} 解开后是文件的 {size // file.stat().st_size:,} 倍，不像高程数据；请重新导出 "
                    f"/ {file.name} unpacks to {size // file.stat().st_size:,} times its size and is "
                    "no plausible raster; export it again"
                )
            heights = _heights(raster)
            affine, stated = raster.transform, raster.crs
    except rasterio.errors.RasterioError as fault:
        raise InputError(
            f"{file.name} 无法读取；请重新导出为 GeoTIFF / {file.name} cannot be read; export it again as "
            "GeoTIFF"
        ) from fault
    if crs:
        name = parse_crs(crs).name
    elif stated is not None:
        code = stated.to_epsg()
        name = f"EPSG:{code}" if code else stated.to_wkt()
    else:
        raise InputError(
            f"{file.name} 没有坐标系；请在 region.toml 的 [sources.elevation] 写 crs / {file.name} states "
            "no coordinate system; set crs under [sources.elevation] in region.toml"
        )
    a, b, c, d, e, f = (float(v) for v in affine[:6])
    return Elevation(heights, (a, b, c, d, e, f), name)


def _heights(raster: Any) -> npt.NDArray[np.float32]:
    """Read a band strip by strip, so that no second copy of the whole is ever held."""
    heights = np.empty((raster.height, raster.width), dtype=np.float32)
    step = max(1, STRIP_PIXELS // raster.width)
    for top in range(0, raster.height, step):
        rows = min(step, raster.height - top)
        band = raster.read(1, masked=True, window=Window(0, top, raster.width, rows))
        strip = band.astype(np.float64).filled(np.nan)
        with np.errstate(invalid="ignore"):
            strip[~((strip >= LOWEST_M) & (strip <= HIGHEST_M))] = np.nan
        heights[top : top + rows] = strip
    return heights


def sample(
    elevation: Elevation,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    crs: str | int | CRS | SourceCrs,
) -> npt.NDArray[np.float64]:
    """Sample heights at points, bilinearly.

    Parameters
    ----------
    elevation : Elevation
        Raster.
    x, y : array_like of float
        Points, x east and y north, of one shape.
    crs : str, int, CRS or SourceCrs
        System of the points.

    Returns
    -------
    ndarray of float64
        Metres, of the shape of the points; NaN outside the raster and where the pixel that holds
        the point is a void. Void neighbours are left out of the mean.
    """
    px, py = transform(x, y, crs, elevation.crs)
    inverse = ~Affine(*elevation.transform)
    column = inverse.a * px + inverse.b * py + inverse.c
    row = inverse.d * px + inverse.e * py + inverse.f
    rows, columns = elevation.heights.shape
    inside = (column >= 0) & (column <= columns) & (row >= 0) & (row <= rows)
    column, row = np.where(inside, column, 0.5), np.where(inside, row, 0.5)
    own = elevation.heights[
        np.minimum(row.astype(np.int64), rows - 1), np.minimum(column.astype(np.int64), columns - 1)
    ]
    # Heights stand for the middles of pixels; the outer half pixel repeats the edge.
    u = np.clip(column - 0.5, 0.0, columns - 1.0)
    v = np.clip(row - 0.5, 0.0, rows - 1.0)
    left, top = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    fu, fv = u - left, v - top
    total, weight = np.zeros(u.shape), np.zeros(u.shape)
    for r, c, w in (
        (top, left, (1 - fu) * (1 - fv)),
        (top, right, fu * (1 - fv)),
        (bottom, left, (1 - fu) * fv),
        (bottom, right, fu * fv),
    ):
        height = elevation.heights[r, c].astype(np.float64)
        known = np.isfinite(height)
        total += np.where(known, height, 0.0) * np.where(known, w, 0.0)
        weight += np.where(known, w, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / weight
    return np.where(inside & np.isfinite(own), mean, np.nan)
