"""Small counties in one folder, and a county that kills whoever computes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import shapely
from shapely import geometry

from tests.tiny_files import _TO_DEGREES, write_tiny


def write_counties(folder: Path, number: int) -> Path:
    """Write so many counties, each with other numbers of children."""
    for k in range(number):
        county = write_tiny(folder / f"county-{k:03d}")
        text = (county / "children.csv").read_text(encoding="utf-8")
        (county / "children.csv").write_text(
            text.replace("10,10", f"{5 + k % 50},10"), encoding="utf-8"
        )
        (county / "region.toml").write_text(
            f'name = "第{k}县"\ncrs = "EPSG:4490"\n', encoding="utf-8"
        )
    return folder


def spoil_rows(county: Path) -> None:
    """Give a county a school without a place."""
    path = county / "schools.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:-2], "200", "95"])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy_of(county: Path, name: str) -> Path:
    """Copy a county under another name."""
    target = county.parent / name
    shutil.copytree(county, target)
    return target


def moved_east(county: Path, metres: float) -> Path:
    """Move every place of a county east, with ids of its own."""
    for path in sorted(county.glob("*.csv")):
        lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        if "经度" in lines[0]:
            at = lines[0].index("经度")
            for cells in lines[1:]:
                cells[at], cells[at + 1] = _east(float(cells[at]), float(cells[at + 1]), metres)
        path.write_text("\n".join(",".join(cells) for cells in lines) + "\n", encoding="utf-8")
    for path in sorted(county.glob("*.geojson")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for feature in data["features"]:
            shape = shapely.transform(
                geometry.shape(feature["geometry"]),
                lambda lonlat: np.array([_east(*pair, metres) for pair in lonlat], dtype=float),
            )
            feature["geometry"] = geometry.mapping(shape)
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return county


def _east(lon: float, lat: float, metres: float) -> tuple[str, str]:
    x, y = _TO_DEGREES.transform(lon, lat, direction="INVERSE")
    lon, lat = _TO_DEGREES.transform(x + metres, y)
    return f"{lon:.9f}", f"{lat:.9f}"
