"""Small counties in one folder, and a county that kills whoever computes it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.tiny_files import write_tiny


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
