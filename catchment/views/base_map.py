"""A base map that the user supplies, under the maps of documents, slides and page.

A county takes the picture from its own mapping authority, with a review number of its own. It is
read once, laid into the system wanted, and never fetched from anywhere.
"""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from catchment.errors import CatchmentError, InputError, NotFoundError
from catchment.views.plain import plain

DRIVERS = ("GTiff", "PNG", "JPEG")
LONGEST, LONGEST_PRINTED = 1800, 3600
"""Pixels of the longer side of what is kept, on a page and for documents."""
_MERCATOR = "EPSG:3857"
_MOST_PIXELS = 400_000_000


@dataclass(frozen=True)
class BaseMap:
    """A picture in a known place.

    Attributes
    ----------
    picture : (h, w, 3) uint8
        Colours; white where the file has nothing.
    box : tuple of float
        West, south, east and north in the system wanted.
    number : str
        The picture's own review number; empty where it was not given.
    """

    picture: npt.NDArray[np.uint8]
    box: tuple[float, float, float, float]
    number: str = ""


def read_base_map(path: Path, crs: Any, *, number: str = "", longest: int = LONGEST) -> BaseMap:
    """Read a picture with a place and lay it into a system.

    Parameters
    ----------
    path : Path
        GeoTIFF, or PNG or JPEG with a world file and its system (``.aux.xml``).
    crs : CRS or str
        The system wanted.
    number : str
        The picture's own review number.
    longest : int
        Most pixels of the longer side; documents that show single townships want more.

    Returns
    -------
    BaseMap
        At most so many pixels on the longer side.

    Raises
    ------
    NotFoundError
        When there is no such file.
    InputError
        When it is no picture, or does not say where it lies.
    """
    if not path.is_file():
        raise NotFoundError(f"底图 {path.name} 不存在 / there is no base map {path.name}")
    try:
        with _opened(path) as raster:
            if raster.width * raster.height > _MOST_PIXELS:
                raise InputError(
                    f"底图 {path.name} 有 {raster.width} × {raster.height} 个像素，超过上限 "
                    f"{_MOST_PIXELS:,}；请先缩小 / the base map is too large; make it smaller first"
                )
            if raster.crs is None or raster.transform.is_identity:
                raise InputError(
                    f"底图 {path.name} 没有坐标系或位置；请另存为带坐标的 GeoTIFF / the base map does not "
                    "say where it lies; save it as a GeoTIFF with its coordinate system"
                )
            return _laid(raster, crs, plain(number, longest=60), longest)
    except rasterio.errors.RasterioError as fault:
        raise InputError(
            f"底图 {path.name} 读不了：{plain(fault, longest=200)}；请用 GeoTIFF、PNG 或 JPEG / the base map "
            "cannot be read; use GeoTIFF, PNG or JPEG"
        ) from fault


def _opened(path: Path) -> Any:
    """Open a picture by the first of the drivers allowed that knows it."""
    last: Exception | None = None
    for driver in DRIVERS:
        try:
            with warnings.catch_warnings():
                # A picture without a place is refused in words of our own.
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
                return rasterio.open(path, driver=driver)
        except rasterio.errors.RasterioIOError as fault:
            last = fault
    assert last is not None
    raise last


def _laid(raster: Any, crs: Any, number: str, longest: int) -> BaseMap:
    wanted = crs if isinstance(crs, str) else CRS.from_user_input(crs).to_wkt()
    with WarpedVRT(raster, crs=wanted, resampling=Resampling.bilinear, add_alpha=True) as laid:
        scale = min(1.0, longest / max(laid.width, laid.height))
        high, wide = max(1, round(laid.height * scale)), max(1, round(laid.width * scale))
        bands = list(range(1, min(raster.count, 3) + 1))
        palette = _palette(raster)
        how = Resampling.nearest if palette is not None else Resampling.average
        read = laid.read(bands, out_shape=(len(bands), high, wide), resampling=how)
        there = laid.dataset_mask(out_shape=(high, wide)) > 0
        box = tuple(float(v) for v in laid.bounds)
    if read.dtype != np.uint8:
        raise InputError(
            "底图须为 8 位彩色或灰度图片 / the base map must be a picture of 8 bits a colour"
        )
    if palette is not None:
        colours = palette[read[0]]
    else:
        colours = np.moveaxis(read if len(bands) == 3 else np.repeat(read[:1], 3, axis=0), 0, -1)
    picture = np.where(there[..., None], colours, 255).astype(np.uint8)
    return BaseMap(picture, (box[0], box[1], box[2], box[3]), number)


def _palette(raster: Any) -> npt.NDArray[np.uint8] | None:
    """Colours of a picture with a palette; nothing for others."""
    try:
        table = raster.colormap(1)
    except ValueError:
        return None
    colours = np.full((256, 3), 255, np.uint8)
    for value, colour in table.items():
        if 0 <= value < len(colours):
            colours[value] = colour[:3]
    return colours


def overlay_of(path: Path, *, number: str = "") -> dict[str, Any]:
    """Prepare a base map for a page, which lays it in Web Mercator.

    Parameters
    ----------
    path : Path
        As :func:`read_base_map`.
    number : str
        The picture's own review number.

    Returns
    -------
    dict
        ``src`` (a data address), ``bounds`` (south, west, north and east in degrees), ``number``.

    Raises
    ------
    CatchmentError
        As :func:`read_base_map`.
    """
    base = read_base_map(path, _MERCATOR, number=number)
    out = io.BytesIO()
    Image.fromarray(base.picture).save(out, "JPEG", quality=78, optimize=True)
    back = Transformer.from_crs(_MERCATOR, "EPSG:4326", always_xy=True)
    west, south = back.transform(base.box[0], base.box[1])
    east, north = back.transform(base.box[2], base.box[3])
    if not np.isfinite([west, south, east, north]).all():
        raise CatchmentError(
            "底图的位置换算失败 / the place of the base map cannot be told in degrees"
        )
    return {
        "src": f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}",
        "bounds": [[south, west], [north, east]],
        "number": base.number,
    }
