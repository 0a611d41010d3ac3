"""Read a county's layers: files to one checked, frozen Region in one metric system."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from catchment.coordinates import SourceCrs, parse_crs, to_lonlat
from catchment.errors import InputError
from catchment.region.bands import Band, read_bands
from catchment.region.clean import Cleaned, clean
from catchment.region.elevation import Elevation, read_elevation
from catchment.region.faults import Fault, LayerError, Problems, placed, problems
from catchment.region.homes import at_villages, by_address, without_village
from catchment.region.likeness import check_likeness
from catchment.region.locate import Found, Manifest, digest, locate
from catchment.region.model import Region, Source
from catchment.region.positions import (
    County,
    Located,
    county_of,
    fit_zone,
    judge_places,
    locate_points,
    project,
    repaired,
    sound_places,
)
from catchment.region.postgis import content_digest, read_postgis
from catchment.region.raw import Place, Raw
from catchment.region.relations import Table, check_relations
from catchment.region.schema import Layer, layers
from catchment.region.settle import REJECTED, finish_rejected, settle
from catchment.region.surroundings import check_surroundings
from catchment.region.tables import read_csv, read_xlsx
from catchment.region.vector import read_geojson, read_gpkg, read_shapefile

FloatArray = npt.NDArray[np.float64]
_READERS: Mapping[str, Callable[[Place], Raw]] = {
    ".csv": read_csv,
    ".xlsx": read_xlsx,
    ".gpkg": read_gpkg,
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".shp": read_shapefile,
}
_MUST_HAVE_ROWS = frozenset({"villages", "schools", "children"})
_WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Reading:
    """Everything read from a region before it is decided what becomes of its faults.

    Attributes
    ----------
    found : Found
        Files and manifest.
    bands : tuple of Band
        Table of bands.
    county : County or None
        Metric system and outline; None when no place is known.
    tables : mapping of str to Table
        Typed and placed tables; absent layers are empty.
    problems : Problems
        All faults.
    sources : tuple of Source
        Where each layer came from.
    elevation : Elevation or None
        Elevation raster.
    stored : DataFrame
        Rows that an earlier reading set aside, kept in a GeoPackage of this package.
    """

    found: Found
    bands: tuple[Band, ...]
    county: County | None
    tables: Mapping[str, Table]
    problems: Problems
    sources: tuple[Source, ...]
    elevation: Elevation | None
    stored: pd.DataFrame


@dataclass
class Part:
    """One layer on its way from file to table.

    Attributes
    ----------
    layer : Layer
        Declaration.
    place : Place
        Its source.
    raw, cleaned
        Its text cells, and the typed rows made of them.
    source : SourceCrs or None
        System of its positions.
    located : Located or None
        Positions of points.
    geometry : ndarray of object or None
        Lines or polygons.
    notes : list of (str, str)
        What was repaired or left out.
    """

    layer: Layer
    place: Place
    raw: Raw
    cleaned: Cleaned
    source: SourceCrs | None = None
    located: Located | None = None
    geometry: npt.NDArray[np.object_] | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)


def read_region(
    path: str | Path, *, set_aside: bool = False, bands: tuple[Band, ...] | None = None
) -> Region:
    """Read one county.

    Parameters
    ----------
    path : str or Path
        A folder with one file a layer (``region.toml`` may name them), or one GeoPackage.
    set_aside : bool, default False
        False: any error refuses the region. True: rows in error go to ``Region.rejected`` with
        their students counted; errors of whole layers still refuse.
    bands : tuple of Band, optional
        Table of bands; ``bands.csv`` of the folder, else the shipped one, when left out.

    Returns
    -------
    Region
        Frozen tables in one metric system. Text that is missing is ``""``, numbers ``NaN`` or
        ``NA``; ``lon, lat`` are WGS84 degrees and ``easting, northing`` metres in ``Region.crs``.

    Raises
    ------
    InputError
        With the first ten errors (layer, row, column, value, what, remedy) and their count.
    NotFoundError
        When the path or a file of the manifest does not exist.
    """
    return region_of(gather(path, bands=bands), set_aside=set_aside)


def region_of(reading: Reading, *, set_aside: bool = False) -> Region:
    """Make a region of a reading, or refuse it.

    Parameters
    ----------
    reading : Reading
        What ``gather`` found.
    set_aside : bool, default False
        As for ``read_region``.

    Returns
    -------
    Region
        Frozen tables in one metric system.

    Raises
    ------
    InputError
        With the first ten errors and their count.
    """
    errors = reading.problems.errors
    if set_aside:
        errors = tuple(f for f in errors if f.spoils == "refuse")
    reading.problems.raise_if(errors)
    if reading.county is None:
        raise InputError(
            "没有任何一行有可用的位置；请检查坐标与坐标系 / no row has a usable place; check the "
            "coordinates and their system"
        )
    frames, rejected = settle(reading.tables, reading.problems, reading.county.crs, reading.stored)
    manifest = reading.found.manifest
    return Region(
        name=manifest.name or reading.found.root.resolve().name,
        crs=reading.county.crs,
        bands=reading.bands,
        road_file=reading.found.road_file,
        elevation=reading.elevation,
        rejected=rejected,
        sources=reading.sources,
        folder=reading.found.root,
        note=manifest.note,
        **frames,
    )


def gather(path: str | Path, *, bands: tuple[Band, ...] | None = None) -> Reading:
    """Read every layer and collect every fault; the common ground of reading and checking.

    Parameters
    ----------
    path : str or Path
        A folder or one GeoPackage.
    bands : tuple of Band, optional
        Table of bands.

    Returns
    -------
    Reading
        Tables with all their rows, and everything wrong with them.

    Raises
    ------
    InputError
        When the manifest or the bands cannot be used.
    NotFoundError
        When the path or a file of the manifest does not exist.
    """
    found = locate(Path(path))
    bands = bands if bands is not None else _bands(found)
    faults = list(found.faults)
    parts: dict[str, Part] = {}
    for name, layer in layers().items():
        place = found.places.get(name)
        if place is None or layer.geometry == "raster":
            continue
        try:
            parts[name] = _read(layer, place, faults)
        except LayerError as stop:
            faults.append(stop.fault)
    if "students" in parts and "villages" in parts:
        homes = parts["students"]
        homes.cleaned, told = by_address(
            homes.cleaned,
            homes.raw,
            parts["villages"].cleaned.table,
            homes.place.file,
            found.manifest.name,
        )
        faults.extend(told)
    for spatial in parts.values():
        if spatial.layer.spatial:
            _locate(spatial, found.manifest, faults)
    outline = _outline(parts.get("boundaries"))
    near = [
        sound_places(part.located, part.source)
        for name in ("villages", "schools")
        if (part := parts.get(name)) and part.located is not None and part.source is not None
    ]
    county = county_of(outline, near, found.manifest.metric)
    tables = {
        name: _table(parts.get(name), layer, county, faults)
        for name, layer in layers().items()
        if layer.geometry != "raster"
    }
    tables["students"], faults = at_villages(tables["students"], tables["villages"], faults)
    if "children" not in found.places:
        faults.extend(
            without_village(tables["students"], tables["children"], tables["villages"], faults)
        )
    faults.extend(check_relations(tables, bands))
    faults.extend(check_likeness(tables))
    if county is not None:
        faults.extend(check_surroundings(tables, county.crs))
    elevation, sources = _elevation(found, faults)
    sources = [*(_source(part) for part in parts.values()), *sources]
    for part in parts.values():
        # What was repaired or left out while reading is told by the check too.
        faults.extend(
            Fault(
                "repaired",
                part.layer.layer,
                file=part.place.file,
                details={"detail_zh": zh, "detail_en": en},
            )
            for zh, en in part.notes
        )
    if found.road_file is not None:
        sources.append(
            Source(
                "roads",
                found.road_file.relative_to(found.root).as_posix(),
                digest(found.road_file),
                0,
            )
        )
    places = {name: row_places(table) for name, table in tables.items()}
    faults = [placed(f, places.get(f.layer, {}).get(f.row)) for f in faults]
    return Reading(
        found,
        bands,
        county,
        tables,
        problems(faults, layers()),
        tuple(sources),
        elevation,
        _stored(found),
    )


def village_box(path: str | Path) -> tuple[float, float, float, float] | None:
    """Box around the villages of a county, from their layer alone.

    Parameters
    ----------
    path : str or Path
        A folder or one GeoPackage.

    Returns
    -------
    tuple of float or None
        West, south, east and north in degrees; None where no village can be placed. Villages that a
        whole reading would refuse may make it larger, never smaller.

    Raises
    ------
    InputError
        When the manifest cannot be used.
    NotFoundError
        When the path does not exist.
    """
    found = locate(Path(path))
    place, ignored = found.places.get("villages"), list[Fault]()
    if place is None:
        return None
    try:
        part = _read(layers()["villages"], place, ignored)
    except LayerError:
        return None
    _locate(part, found.manifest, ignored)
    if part.located is None or part.source is None:
        return None
    lon, lat = sound_places(part.located, part.source)
    good = np.isfinite(lon) & np.isfinite(lat)
    if not good.any():
        return None
    lon, lat = lon[good], lat[good]
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def read_part(reading: Reading, name: str) -> Part | None:
    """Read one layer's source again, as far as text cells and system.

    Parameters
    ----------
    reading : Reading
        The county.
    name : str
        Canonical layer name.

    Returns
    -------
    Part or None
        None where its file cannot be read.
    """
    ignored: list[Fault] = []
    try:
        part = _read(layers()[name], reading.found.places[name], ignored)
    except LayerError:
        return None
    if part.layer.spatial:
        _locate(part, reading.found.manifest, ignored)
    return part


def _bands(found: Found) -> tuple[Band, ...]:
    """Bands of the folder, of a GeoPackage of this package, or the shipped ones."""
    package = _own_package(found)
    if package is None:
        return read_bands(found.bands)
    try:
        raw = read_gpkg(Place("bands", package, package.name, sublayer="bands"))
    except LayerError:
        return read_bands(None)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "bands.csv"
        with table.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([raw.headings, *raw.cells])
        return read_bands(table)


def _own_package(found: Found) -> Path | None:
    """GeoPackage of the region, where this package has written it."""
    if not found.manifest.metric:
        return None
    return next((p.path for p in found.places.values() if p.path.suffix.lower() == ".gpkg"), None)


def _read(layer: Layer, place: Place, faults: list[Fault]) -> Part:
    reader = read_postgis if place.table else _READERS.get(place.path.suffix.lower())
    if reader is None:
        raise LayerError(Fault("file_unsupported", layer.layer, file=place.file, effect="refuse"))
    try:
        raw = reader(place)
    except LayerError:
        raise
    except Exception as fault:  # a damaged file is an error for people, whatever trips over it
        details = {"detail": type(fault).__name__}
        raise LayerError(
            Fault("file_unreadable", layer.layer, details=details, file=place.file)
        ) from fault
    cleaned = clean(raw, layer, place.file)
    faults.extend(raw.faults)
    faults.extend(cleaned.faults)
    if not len(cleaned.rows):
        code = "layer_empty" if layer.layer in _MUST_HAVE_ROWS else "layer_empty_optional"
        faults.append(Fault(code, layer.layer, file=place.file))
    part = Part(layer, place, raw, cleaned)
    part.notes.extend(raw.notes)
    part.notes.extend(cleaned.notes)
    return part


def _locate(part: Part, manifest: Manifest, faults: list[Fault]) -> None:
    """Find the system and the positions of a spatial layer."""
    layer, raw, file = part.layer.layer, part.raw, part.place.file
    try:
        part.source = _declared(part, manifest)
    except InputError as fault:
        zh, _, en = str(fault).partition(" / ")
        details = {"detail_zh": zh, "detail_en": en}
        faults.append(Fault("crs_unknown", layer, file=file, details=details))
        return
    has_columns = any(
        a in part.cleaned.titles and b in part.cleaned.titles
        for a, b in (("lon", "lat"), ("easting", "northing"))
    )
    known = {"address", "village_id"} & set(part.cleaned.titles)
    if raw.geometry is None and layer == "students" and not has_columns and known:
        # Students may be known by village or address alone.
        part.source = part.source or parse_crs(_WGS84)
        has_columns = True
    if raw.geometry is None and (part.layer.geometry != "point" or not has_columns):
        faults.append(Fault("place_columns_missing", layer, file=file))
        return
    if part.source is None:
        faults.append(Fault("crs_missing", layer, file=file))
        return
    if part.layer.geometry == "point":
        located = locate_points(raw, part.cleaned, layer, part.source, file)
        part.located, part.source, notes = fit_zone(located, part.source)
        part.notes.extend(notes)
        faults.extend(located.faults)
        return
    if raw.geometry is not None:
        part.geometry = shapely.force_2d(raw.geometry[part.cleaned.source])


def _declared(part: Part, manifest: Manifest) -> SourceCrs | None:
    """System of a source: its own declaration, the file's, or the region's.

    A file of a map provider says WGS84 whatever its offset, so the region's declaration wins over
    a geographic system stated by the file, and never over a projected one.
    """
    if part.place.crs:
        return parse_crs(part.place.crs)
    own = parse_crs(part.raw.crs) if part.raw.crs else None
    whole = parse_crs(manifest.crs) if manifest.crs else None
    if own is None:
        return whole
    if whole is not None and own.is_geographic and whole.is_geographic:
        return whole
    return own


def _outline(part: Part | None) -> BaseGeometry | None:
    """County boundary in WGS84 degrees, from the county itself or all townships."""
    if part is None or part.geometry is None or part.source is None:
        return None
    kinds = part.cleaned.table["kind"].tolist()
    for wanted in ("county", "township"):
        shapes = [
            g
            for g, kind in zip(part.geometry, kinds, strict=True)
            if kind == wanted and g is not None and "Polygon" in g.geom_type and not g.is_empty
        ]
        if shapes:
            whole = shapely.union_all(shapely.make_valid(np.asarray(shapes, dtype=object)))
            moved = project(whole, part.source, CRS.from_epsg(4326))
            bounds = np.asarray(moved.bounds)
            sane = np.isfinite(bounds).all() and np.abs(bounds[[1, 3]]).max() <= 90.0
            if sane and np.abs(bounds[[0, 2]]).max() <= 180.0 and moved.area > 0.0:
                return cast("BaseGeometry", moved)
    return None


def _table(part: Part | None, layer: Layer, county: County | None, faults: list[Fault]) -> Table:
    """Place the rows of a layer in the county's metric system."""
    if part is None:
        return Table.empty(layer)
    n = len(part.cleaned.rows)
    x, y = np.full(n, np.nan), np.full(n, np.nan)
    geometry = np.full(n, None, dtype=object)
    polygons = np.full(n, None, dtype=object)
    file = part.place.file
    if part.located is not None and part.source is not None:
        x, y, found = judge_places(
            part.located, part.source, county, part.cleaned, layer.layer, file
        )
        faults.extend(found)
        good = np.isfinite(x) & np.isfinite(y)
        geometry[good] = shapely.points(x[good], y[good])
        for k, shape in enumerate(part.located.polygons):
            if shape is not None and good[k] and county is not None:
                polygons[k] = project(shape, part.source, county.crs)
    elif county is not None and part.geometry is not None and part.source is not None:
        geometry = _shapes(part, county, faults)
    lon, lat = np.full(n, np.nan), np.full(n, np.nan)
    if county is not None:
        lon, lat = to_lonlat(x, y, county.crs)
    return Table(
        layer,
        part.cleaned.table,
        part.cleaned.rows,
        geometry,
        polygons,
        lon,
        lat,
        x,
        y,
        part.cleaned.titles,
        file,
        part.source.offset if part.source is not None else "none",
    )


def _shapes(part: Part, county: County, faults: list[Fault]) -> npt.NDArray[np.object_]:
    """Lines or polygons in the county's metric system; what cannot be used becomes a fault."""
    wanted = (
        ("LineString", "MultiLineString")
        if part.layer.geometry == "line"
        else ("Polygon", "MultiPolygon")
    )
    assert part.geometry is not None
    assert part.source is not None
    name, file = part.layer.layer, part.place.file
    result = np.full(len(part.geometry), None, dtype=object)
    for k, shape in enumerate(part.geometry):
        row = int(part.cleaned.rows[k])
        if shape is None or shape.is_empty:
            faults.append(Fault("geometry_missing", name, row, file=file))
        elif shape.geom_type not in wanted:
            title = "线" if part.layer.geometry == "line" else "面"
            faults.append(
                Fault(
                    "geometry_kind",
                    name,
                    row,
                    value=shape.geom_type,
                    details={"wanted": title},
                    file=file,
                )
            )
        elif part.layer.geometry == "polygon":
            whole, found = repaired(shape, name, row, file)
            faults.extend(found)
            result[k] = whole
        else:
            result[k] = shape
    good = np.asarray([g is not None for g in result], dtype=bool)
    if good.any():
        moved = project(result[good], part.source, county.crs)
        bounds = shapely.bounds(moved)
        middle_x, middle_y = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
        far = county.excess(middle_x, middle_y)
        for k, at in enumerate(np.flatnonzero(good)):
            if (far[k] > 0.0 and county.outline is None) or not np.isfinite(far[k]):
                faults.append(
                    _outside(
                        part,
                        int(part.cleaned.rows[at]),
                        middle_x[k],
                        middle_y[k],
                        float(far[k]),
                        county,
                    )
                )
                moved[k] = None
        result[good] = moved
    return result


def _outside(part: Part, row: int, x: float, y: float, far: float, county: County) -> Fault:
    lon, lat = to_lonlat(x, y, county.crs)
    km = f"{far / 1000.0:,.0f}" if np.isfinite(far) else "∞"
    details = {"lon": f"{float(lon):.5f}", "lat": f"{float(lat):.5f}", "km": km}
    return Fault(
        "place_outside", part.layer.layer, row, "geometry", details=details, file=part.place.file
    )


def row_places(table: Table) -> dict[int | None, tuple[float, float]]:
    """Give the place of every row that has one, by its number.

    Parameters
    ----------
    table : Table
        A layer.

    Returns
    -------
    dict of int to (lon, lat)
        WGS84 degrees; empty for students.
    """
    # Home points of students are in no output, not even in the table of faults.
    if table.layer.layer == "students":
        return {}
    good = np.isfinite(table.lon) & np.isfinite(table.lat)
    columns = (table.rows[good].tolist(), table.lon[good].tolist(), table.lat[good].tolist())
    return {row: (lon, lat) for row, lon, lat in zip(*columns, strict=True)}


def _elevation(found: Found, faults: list[Fault]) -> tuple[Elevation | None, list[Source]]:
    place = found.places.get("elevation")
    if place is None:
        return None, []
    try:
        heights = read_elevation(place.path, crs=place.crs)
    except InputError as fault:
        text = str(fault)
        faults.append(
            Fault("file_unreadable", "elevation", file=place.file, details={"detail": text})
        )
        return None, []
    source = Source(
        "elevation",
        place.file,
        digest(place.path),
        heights.heights.size,
        heights.crs if len(heights.crs) < 20 else "WKT",
    )
    return heights, [source]


def _source(part: Part) -> Source:
    return Source(
        layer=part.layer.layer,
        file=part.place.file,
        sha256=content_digest(part.raw) if part.place.table else digest(part.place.path),
        rows=len(part.cleaned.rows),
        crs=part.source.name if part.source is not None else "",
        encoding=part.raw.encoding,
        notes=tuple(f"{zh} / {en}" for zh, en in part.notes),
    )


def _stored(found: Found) -> pd.DataFrame:
    """Rows set aside by an earlier reading; only GeoPackages of this package hold them."""
    empty = finish_rejected([])
    path = _own_package(found)
    if path is None:
        return empty
    try:
        raw = read_gpkg(Place("rejected", path, path.name, sublayer="rejected"))
    except LayerError:
        return empty
    if tuple(raw.headings) != REJECTED:
        return empty
    return finish_rejected([tuple(v if v != "" else None for v in line) for line in raw.cells])
