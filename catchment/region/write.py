"""Write a region as one GeoPackage, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import rasterio
from affine import Affine

from catchment.errors import InputError
from catchment.files import settle_geopackage, write_atomically
from catchment.region.elevation import Elevation
from catchment.region.model import Region
from catchment.region.schema import PLACE_COLUMNS, layers
from catchment.region.templates import write_templates

__all__ = ["write_region", "write_templates"]


def write_region(region: Region, path: str | Path) -> tuple[Path, ...]:
    """Write a region as one GeoPackage that ``read_region`` reads back unchanged.

    Road file and elevation raster cannot live in it; they are written beside it under its name.
    Home points of students are written too: such a file stays on the machine.

    Parameters
    ----------
    region : Region
        The county.
    path : str or Path
        Target ``.gpkg``; an existing file is replaced only when the new one is complete.

    Returns
    -------
    tuple of Path
        Files written, the GeoPackage last.

    Raises
    ------
    InputError
        When the name does not end in ``.gpkg`` or its folder does not exist.
    """
    target = Path(path)
    if target.suffix.lower() != ".gpkg" or not target.parent.is_dir():
        raise InputError(
            f"{target.name} 应以 .gpkg 结尾且所在文件夹已存在 / {target.name} must end in .gpkg and its "
            "folder must exist"
        )
    written: list[Path] = []
    settings = {"name": region.name, "note": region.note, "crs": _crs_name(region)}
    if region.road_file is not None:
        suffix = region.road_file.suffix.lower()
        suffix = suffix if suffix in {".graphml", ".osm"} else ".osm.pbf"
        beside = target.with_name(target.stem + suffix)
        if not (beside.exists() and beside.samefile(region.road_file)):
            source = region.road_file
            write_atomically(beside, lambda temporary: _copy(source, temporary))
        settings["road_file"] = beside.name
        written.append(beside)
    if region.elevation is not None:
        beside = target.with_name(target.stem + ".elevation.tif")
        heights = region.elevation
        write_atomically(beside, lambda temporary: _write_elevation(heights, temporary))
        settings["elevation"] = beside.name
        written.append(beside)
    write_atomically(target, lambda temporary: _write_layers(region, settings, temporary))
    return (*written, target)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _crs_name(region: Region) -> str:
    authority = region.crs.to_authority()
    return f"{authority[0]}:{authority[1]}" if authority else str(region.crs.to_wkt())


def _write_layers(region: Region, settings: dict[str, str], target: Path) -> None:
    for layer in layers().values():
        if layer.geometry == "raster":
            continue
        frame = getattr(region, layer.layer)
        if len(frame) == 0 and not layer.required:
            continue
        names = [
            c.column
            for c in layer.columns
            if layer.geometry != "point" or c.column not in PLACE_COLUMNS
        ]
        kept = frame[[*names, "geometry"]] if layer.spatial else frame[names]
        if layer.geometry == "point":
            pyogrio.write_dataframe(kept, target, layer=layer.layer, driver="GPKG")
        elif layer.spatial:
            # One declared type lets a county's parts be single or many without a warning.
            pyogrio.write_dataframe(
                kept,
                target,
                layer=layer.layer,
                driver="GPKG",
                geometry_type="Unknown",
            )
        else:
            _write_table(kept, target, layer.layer)
    bands = pd.DataFrame([asdict(band) for band in region.bands])
    bands["note"] = ""
    _write_table(bands, target, "bands")
    if len(region.rejected):
        _write_table(region.rejected, target, "rejected")
    pairs = pd.DataFrame(sorted(settings.items()), columns=["key", "value"], dtype="str")
    _write_table(pairs, target, "region_settings")
    settle_geopackage(target)


def _write_table(frame: pd.DataFrame, target: Path, layer: str) -> None:
    pyogrio.write_dataframe(frame, target, layer=layer, driver="GPKG")


def _write_elevation(elevation: Elevation, target: Path) -> None:
    rows, columns = elevation.heights.shape
    options: dict[str, Any] = {
        "driver": "GTiff",
        "height": rows,
        "width": columns,
        "count": 1,
        "dtype": "float32",
        "nodata": float("nan"),
        "crs": elevation.crs,
        "transform": Affine(*elevation.transform),
        "compress": "deflate",
    }
    with rasterio.open(target, "w", **options) as raster:
        raster.write(np.asarray(elevation.heights, dtype=np.float32), 1)
