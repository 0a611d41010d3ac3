"""Small road maps drawn in text, so that a test shows what it is about."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import pandas as pd
import shapely
from pyproj import CRS

from catchment.network.graph import RoadNetwork, from_lines
from catchment.region.bands import read_bands
from catchment.region.model import Region

METRIC = CRS.from_epsg(4547)
STEP = 100.0
_X, _Y = 500_000.0, 4_000_000.0


def place(column: float, row: float) -> shapely.Point:
    """Point at a column and row of the drawing (row 0 = first line)."""
    return shapely.Point(_X + column * STEP, _Y - row * STEP)


def roads(drawing: str, highway: str = "unclassified") -> gpd.GeoDataFrame:
    """Lines between capital letters: ``-`` and ``|`` both ways, ``> < v ^`` one way, 100 m a step.

    ``=`` and ``:`` draw footpaths; letters joined by nothing are not joined.
    """
    rows = drawing.strip("\n").split("\n")
    wide = max(len(r) for r in rows)
    grid = [r.ljust(wide) for r in rows]
    found = []
    for r, text in enumerate(grid):
        for c, sign in enumerate(text):
            if not sign.isupper():
                continue
            for dc, dr, marks in ((1, 0, "-><="), (0, 1, "|v^:")):
                path, at_c, at_r = "", c + dc, r + dr
                while at_c < wide and at_r < len(grid) and grid[at_r][at_c] in marks:
                    path += grid[at_r][at_c]
                    at_c, at_r = at_c + dc, at_r + dr
                if path and at_c < wide and at_r < len(grid) and grid[at_r][at_c].isupper():
                    foot = any(p in "=:" for p in path)
                    ahead, back = any(p in ">v" for p in path), any(p in "<^" for p in path)
                    found.append(
                        {
                            "highway": "path" if foot else highway,
                            "oneway": "yes" if ahead else "-1" if back else "no",
                            "name": sign + grid[at_r][at_c],
                            "geometry": shapely.LineString([place(c, r), place(at_c, at_r)]),
                        }
                    )
    return gpd.GeoDataFrame(pd.DataFrame(found), geometry="geometry", crs=METRIC)


def network(drawing: str, highway: str = "unclassified") -> RoadNetwork:
    """The network of a drawing."""
    return from_lines(roads(drawing, highway))


def region(
    villages: Mapping[str, shapely.Point],
    schools: Mapping[str, shapely.Point],
    sites: Mapping[str, shapely.Point] | None = None,
    lines: gpd.GeoDataFrame | None = None,
    boundaries: gpd.GeoDataFrame | None = None,
) -> Region:
    """A county of named points."""

    def table(key: str, points: Mapping[str, shapely.Point]) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame({key: list(points)}, geometry=list(points.values()), crs=METRIC)

    none = gpd.GeoDataFrame({"boundary_id": [], "kind": []}, geometry=[], crs=METRIC)
    frame = pd.DataFrame()
    return Region(
        name="图上县",
        crs=METRIC,
        bands=read_bands(),
        villages=table("village_id", villages),
        children=frame,
        schools=table("school_id", schools),
        classes=frame,
        sites=table("site_id", sites or {}),
        students=none,
        roads=lines if lines is not None else none,
        boundaries=boundaries if boundaries is not None else none,
        areas=frame,
    )
