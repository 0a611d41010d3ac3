"""Region: everything known about one county, as frozen tables in one metric CRS."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from pyproj import CRS

from catchment.region.bands import Band
from catchment.region.elevation import Elevation


@dataclass(frozen=True)
class Source:
    """Where a layer came from: enough to prove that the same input was read.

    Attributes
    ----------
    layer : str
        Name of the layer, as in ``layers.csv``.
    file : str
        File name relative to the region's folder (never an absolute path).
    sha256 : str
        Digest of the file's bytes.
    rows : int
        Rows read, before any was set aside.
    crs : str
        Declared or found coordinate system.
    encoding : str
        Text encoding, for tables.
    notes : tuple of str
        Repairs and findings while reading, for people.
    """

    layer: str
    file: str
    sha256: str
    rows: int
    crs: str = ""
    encoding: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """One county (县域).

    Columns of every table are those of ``columns.csv``; ids are text; geometry is in ``crs``
    (metres). Tables that a county does not have are empty, with all their columns. Missing text is
    ``""``; optional whole numbers are ``Int64`` with NA, required ones ``int64``, others NaN.

    Attributes
    ----------
    name : str
        Name of the county.
    crs : pyproj.CRS
        The one metric CRS of all geometry.
    bands : tuple of Band
        Table of bands.
    villages, schools, sites, students, boundaries, roads : GeoDataFrame
        Spatial layers (points, points, points, points, polygons, lines). ``roads`` is empty where
        the network comes from ``road_file``.
    children : DataFrame
        ``village_id, grade, year, students, source``; one row a village, grade and year.
    classes, areas : DataFrame
        Classes and areas.
    road_file : Path or None
        ``.osm.pbf`` or ``.graphml`` file with the roads.
    elevation : Elevation or None
        Elevation raster.
    rejected : DataFrame
        Rows set aside: ``layer, row, village_id, grade, year, students, reason``; ``students`` is
        filled for rows of ``children`` alone, so that it can be summed.
    sources : tuple of Source
        Where each layer came from.
    folder : Path or None
        Folder of the county, with its own tables of bands, modes, road classes and rules.
    note : str
        Note shown on every output, for example that all figures are invented.
    """

    name: str
    crs: CRS
    bands: tuple[Band, ...]
    villages: gpd.GeoDataFrame
    children: pd.DataFrame
    schools: gpd.GeoDataFrame
    classes: pd.DataFrame
    sites: gpd.GeoDataFrame
    students: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame
    boundaries: gpd.GeoDataFrame
    areas: pd.DataFrame
    road_file: Path | None = None
    elevation: Elevation | None = None
    rejected: pd.DataFrame = field(default_factory=pd.DataFrame)
    sources: tuple[Source, ...] = ()
    folder: Path | None = None
    note: str = ""

    def replace(self, **changes: Any) -> Region:
        """Return a copy with some tables replaced; the original is untouched.

        Parameters
        ----------
        **changes
            Attributes and their new values.

        Returns
        -------
        Region
            The changed copy.
        """
        return dataclasses.replace(self, **changes)
