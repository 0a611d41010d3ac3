"""Vector files: GeoPackage, GeoJSON and Shapefile turned into text cells and geometry.

A file is opened only after its first bytes and its extension agree, so that no other driver of
the geometry library ever sees it. GeoJSON and the attribute table of a Shapefile are read here,
because codes must stay text and encodings must be proven.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyogrio
from shapely.geometry import shape

from catchment.region.apart import APART_BYTES, tried
from catchment.region.faults import Fault, LayerError
from catchment.region.guard import MAX_TEXT_BYTES, UnsafeError
from catchment.region.raw import Place, Raw, cell_text
from catchment.region.schema import heading_key, layers, plain
from catchment.region.soundness import busy, package_fault, shapes_sound

_SHP_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_VIRTUAL_TABLES = ("rtree", "fts3", "fts4", "fts5")


def read_gpkg(place: Place) -> Raw:
    """Read one layer of a GeoPackage.

    Parameters
    ----------
    place : Place
        Where it is; ``sublayer`` names the layer, otherwise it is found by name.

    Returns
    -------
    Raw
        Cells, geometry and the system the file states.

    Raises
    ------
    LayerError
        When the file is no GeoPackage, is damaged, or lacks the layer.
    """
    names = gpkg_layers(place)
    _vouch(place)
    layer = _choose(place, list(names))
    spatial = names[layer]
    if package_fault(place.path)[1] or place.path.stat().st_size >= APART_BYTES:
        _apart(place, place.path, layer)
    try:
        frame = pyogrio.read_dataframe(
            place.path,
            layer=layer,
            read_geometry=spatial,
            fid_as_index=True,
            datetime_as_string=True,
        )
        info = pyogrio.read_info(place.path, layer=layer) if spatial else {}
    except Exception as fault:
        raise _fault(place, "file_unreadable", detail=_short(fault)) from fault
    geometry = np.asarray(frame.geometry.array, dtype=object) if spatial else None
    columns = [c for c in frame.columns if c != "geometry"]
    series = [[cell_text(v) for v in frame[c].tolist()] for c in columns]
    marks = {}
    for c, name in enumerate(columns):
        # A column of whole numbers with blanks arrives as floats; beyond 2**53 digits are lost.
        if frame[name].dtype.kind == "f":
            for r, text in enumerate(series[c]):
                if "e+" in text:
                    marks[r, c] = ("number_too_long", f"{name}", text)
    cells = (
        [list(row) for row in zip(*series, strict=True)] if series else [[] for _ in frame.index]
    )
    return Raw(
        headings=tuple(str(c) for c in columns),
        cells=cells,
        rows=[k + 1 for k in range(len(frame))],
        marks=marks,
        geometry=geometry,
        crs=_stated_crs(info),
        encoding="utf-8",
    )


def _stated_crs(info: Mapping[str, Any]) -> str:
    """System a file states; the standard's own "undefined" is none."""
    stated = str(info.get("crs") or "")
    return "" if "undefined" in stated.lower() else stated


def _vouch(place: Place) -> None:
    """Refuse a database that is damaged or being written by another program."""
    journal = busy(place.path)
    if journal:
        raise _fault(place, "file_busy", journal=journal)
    fault, _ = package_fault(place.path)
    if fault:
        raise _fault(place, "file_unreadable", detail=fault)


def _apart(place: Place, path: Path, *words: str) -> None:
    try:
        tried("catchment.region.vector:open_apart", path, *words)
    except UnsafeError as fault:
        raise _fault(place, "file_unreadable", detail=str(fault)) from fault


def open_apart(path: Path, layer: str = "") -> None:
    """Read a file with the geometry library and drop it: run in a process of its own.

    Parameters
    ----------
    path : Path
        Shapefile or GeoPackage.
    layer : str
        Layer of a GeoPackage.
    """
    pyogrio.read_dataframe(path, **({"layer": layer} if layer else {}))


def gpkg_layers(place: Place) -> dict[str, bool]:
    """List the layers of a GeoPackage after proving that it is one.

    Parameters
    ----------
    place : Place
        Where it is.

    Returns
    -------
    dict of str to bool
        Layer name to whether it has geometry.

    Raises
    ------
    LayerError
        When the file is something else, or holds virtual tables that could reach other files.
    """
    with place.path.open("rb") as stream:
        if stream.read(16) != b"SQLite format 3\x00":
            raise _fault(place, "file_disguised")
    address = f"file:{quote(place.path.resolve().as_posix())}?mode=ro&immutable=1"
    try:
        base = sqlite3.connect(address, uri=True)
        base.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            for (sql,) in base.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"):
                module = str(sql).lower().split(" using ", 1)[-1].strip()
                if str(sql).lower().lstrip().startswith("create virtual") and not module.startswith(
                    _VIRTUAL_TABLES
                ):
                    raise _fault(place, "file_unsafe", detail=module[:40])
            found = base.execute(
                "SELECT table_name, data_type FROM gpkg_contents WHERE data_type IN "
                "('features', 'attributes') ORDER BY table_name"
            ).fetchall()
        finally:
            base.close()
    except (sqlite3.Error, UnicodeError) as fault:
        raise _fault(place, "file_unreadable", detail=_short(fault)) from fault
    return {str(name): kind == "features" for name, kind in found}


def gpkg_settings(place: Place) -> dict[str, str]:
    """Read the table ``region_settings`` that this package writes into its own GeoPackages.

    Parameters
    ----------
    place : Place
        Where the GeoPackage is.

    Returns
    -------
    dict of str to str
        Key to value; empty when there is no such table.
    """
    if "region_settings" not in gpkg_layers(place):
        return {}
    address = f"file:{quote(place.path.resolve().as_posix())}?mode=ro&immutable=1"
    base = sqlite3.connect(address, uri=True)
    try:
        rows = base.execute("SELECT key, value FROM region_settings").fetchall()
    except (sqlite3.Error, UnicodeError):
        return {}
    finally:
        base.close()
    return {str(k): str(v) for k, v in rows}


def read_geojson(place: Place) -> Raw:
    """Read a GeoJSON file.

    Parameters
    ----------
    place : Place
        Where it is.

    Returns
    -------
    Raw
        Cells, geometry and the system: that of a ``crs`` member, else WGS84 as RFC 7946 says.

    Raises
    ------
    LayerError
        When it is no GeoJSON feature collection.
    """
    if place.path.stat().st_size > MAX_TEXT_BYTES:
        raise _fault(place, "file_too_large", detail=f"{place.path.stat().st_size} bytes")
    data = place.path.read_bytes()
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "gb18030"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as fault:
            raise _fault(place, "encoding_unknown") from fault
    if not text.lstrip().startswith("{"):
        raise _fault(place, "file_disguised")
    try:
        document = json.loads(text, object_pairs_hook=_object)
        if _HALVES.search(text):
            # An escaped half of a pair of surrogates is no character and can be written nowhere.
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as fault:
        raise _fault(place, "file_unreadable", detail=_short(fault)) from fault
    features = document.get("features")
    if document.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise _fault(place, "file_disguised")
    return _from_features(place, document, features, encoding)


_HALVES = re.compile(r"\\u[dD][89a-fA-F]")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that gives one key twice: the parser would silently keep the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [k for k, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} twice")
    return made


def _from_features(place: Place, document: Any, features: list[Any], encoding: str) -> Raw:
    names: dict[str, int] = {}
    for feature in features:
        if not isinstance(feature, dict):
            raise _fault(place, "file_unreadable", detail="a feature is not an object")
        for key in feature.get("properties") or {}:
            names.setdefault(str(key), len(names))
    cells: list[list[str]] = []
    geometry = np.empty(len(features), dtype=object)
    for k, feature in enumerate(features):
        line = [""] * len(names)
        for key, value in (feature.get("properties") or {}).items():
            line[names[str(key)]] = cell_text(value)
        cells.append(line)
        if feature.get("geometry"):
            try:
                geometry[k] = shape(feature["geometry"])
            except Exception as fault:
                raise _fault(
                    place, "file_unreadable", detail=f"feature {k + 1}: {_short(fault)}"
                ) from fault
    stated = document.get("crs")
    crs = ""
    if isinstance(stated, dict):
        crs = str((stated.get("properties") or {}).get("name") or "")
    return Raw(
        headings=tuple(names),
        cells=cells,
        rows=[k + 1 for k in range(len(features))],
        geometry=geometry,
        crs=crs or "EPSG:4326",
        encoding=encoding,
        notes=(("按 gb18030 编码读取", "read as gb18030"),) if encoding == "gb18030" else (),
    )


def read_shapefile(place: Place) -> Raw:
    """Read a Shapefile.

    Parameters
    ----------
    place : Place
        Where its ``.shp`` is and which encoding is declared, if any.

    Returns
    -------
    Raw
        Cells, geometry and the system of its ``.prj``.

    Raises
    ------
    LayerError
        When a part is missing or damaged, or the encoding cannot be proven.
    """
    parts = shapefile_parts(place.path)
    for part in (".shx", ".dbf"):
        if part not in parts:
            raise _fault(place, "file_missing_part", part=part)
    with parts[".shp"].open("rb") as stream:
        head = stream.read(28)
    if head[:4] != b"\x00\x00\x27\x0a":
        raise _fault(place, "file_disguised")
    if 2 * int.from_bytes(head[24:28], "big") > parts[".shp"].stat().st_size:
        raise _fault(place, "file_unreadable", detail=".shp ends early")
    declared = place.encoding
    stated = parts[".cpg"].read_text("ascii", "replace").strip() if ".cpg" in parts else ""
    heads, cells, encoding, notes = _read_dbf(place, parts[".dbf"], declared, stated)
    geometry, crs = _shapes(place, parts)
    if len(geometry) != len(cells):
        raise _fault(
            place, "file_unreadable", detail=f".shp {len(geometry)} != .dbf {len(cells)} records"
        )
    kept = [k for k, line in enumerate(cells) if line is not None]
    return Raw(
        headings=heads,
        cells=[line for line in cells if line is not None],
        rows=[k + 1 for k in kept],
        geometry=geometry[kept],
        crs=crs,
        encoding=encoding,
        notes=tuple(notes),
        truncated=True,
    )


def _shapes(place: Place, parts: dict[str, Path]) -> tuple[Any, str]:
    """Geometry and system of a Shapefile, read apart from its table.

    The geometry library decodes field names with the wrong encoding and then stops, so it is shown
    a copy without the table.
    """
    with tempfile.TemporaryDirectory() as folder:
        for kind in (".shp", ".shx", ".prj"):
            if kind in parts:
                shutil.copyfile(parts[kind], Path(folder) / f"shapes{kind}")
        bare = Path(folder) / "shapes.shp"
        whole = parts[".shp"].stat().st_size < APART_BYTES
        if not (whole and shapes_sound(parts[".shp"], parts[".shx"])):
            _apart(place, bare)
        try:
            frame = pyogrio.read_dataframe(bare, columns=[])
            info = pyogrio.read_info(bare)
        except Exception as fault:
            raise _fault(place, "file_unreadable", detail=_short(fault)) from fault
    geometry = np.asarray(frame.geometry.array, dtype=object)
    return geometry, str(info.get("crs") or "") if ".prj" in parts else ""


def shapefile_parts(path: Path) -> dict[str, Path]:
    """Find the files that make up a Shapefile, whatever the case of their extensions.

    Parameters
    ----------
    path : Path
        The ``.shp`` file.

    Returns
    -------
    dict of str to Path
        Lower-case extension to file.
    """
    return {
        p.suffix.lower(): p
        for p in sorted(path.parent.iterdir())
        if p.stem == path.stem and p.suffix.lower() in _SHP_PARTS
    }


def _read_dbf(
    place: Place, path: Path, declared: str, stated: str
) -> tuple[tuple[str, ...], list[list[str] | None], str, list[tuple[str, str]]]:
    """Headings and text cells of a dBase table, its encoding proven on every byte."""
    data = path.read_bytes()
    if len(data) < 33:
        raise _fault(place, "file_unreadable", detail=".dbf")
    count = int.from_bytes(data[4:8], "little")
    start = int.from_bytes(data[8:10], "little")
    size = int.from_bytes(data[10:12], "little")
    fields: list[tuple[bytes, str, int]] = []
    at = 32
    while at + 32 <= min(start, len(data)) and data[at] != 0x0D:
        name = data[at : at + 11].split(b"\x00")[0]
        kind = chr(data[at + 11])
        length = data[at + 16]
        fields.append((name, kind, length))
        at += 32
    if not size or start + count * size > len(data) + 1:
        raise _fault(place, "file_unreadable", detail=".dbf")
    if 1 + sum(f[2] for f in fields) > size:
        raise _fault(place, "file_unreadable", detail=".dbf")
    body = [data[start + k * size : start + (k + 1) * size] for k in range(count)]
    stated_names = [f[0] for f in fields]
    tries = [t for t in (declared, stated) if t] + ["utf-8", "gb18030"]
    for guess in tries:
        codec = _codec(guess)
        try:
            texts = [
                [cell.decode(codec).strip(" \x00") for cell in _split(r, fields)] for r in body
            ]
            heads = [_heading(n, codec) for n in stated_names]
        except (UnicodeDecodeError, LookupError):
            continue
        notes = []
        first = declared or stated
        if first and codec != _codec(first):
            notes.append(
                (
                    f"声明的编码 {first} 不符，按 {codec} 读取",
                    f"not in {first} as stated; read as {codec}",
                )
            )
        elif not first and codec != "utf-8":
            notes.append((f"没有 .cpg，按 {codec} 编码读取", f"no .cpg; read as {codec}"))
        kinds = [f[1] for f in fields]
        # A record marked with an asterisk is deleted but still there.
        rows = [
            None if record[:1] == b"*" else [_dbf_text(t, kinds[c]) for c, t in enumerate(row)]
            for record, row in zip(body, texts, strict=True)
        ]
        return tuple(heads), rows, codec, notes
    raise _fault(place, "encoding_unknown")


def _codec(name: str) -> str:
    low = name.strip().lower()
    if low in {"gbk", "gb2312", "cp936", "936", "ansi 936", "gb18030"}:
        return "gb18030"
    if low in {"utf8", "utf-8", "65001"}:
        return "utf-8"
    return low


def _split(record: bytes, fields: list[tuple[bytes, str, int]]) -> list[bytes]:
    cells, at = [], 1
    for _, _, length in fields:
        cells.append(record[at : at + length])
        at += length
    return cells


def _heading(name: bytes, codec: str) -> str:
    """Field name; a last character cut in half by the ten-byte limit is dropped."""
    for cut in range(4):
        try:
            return name[: len(name) - cut].decode(codec).strip()
        except UnicodeDecodeError:
            if len(name) < 9:
                raise
    return name.decode(codec)


def _dbf_text(text: str, kind: str) -> str:
    if kind in {"N", "F"}:
        bare = text.strip("* ")
        if "." in bare and "e" not in bare.lower():
            bare = bare.rstrip("0").rstrip(".") or "0"
        return bare
    if kind == "L":
        return {"T": "yes", "Y": "yes", "F": "no", "N": "no"}.get(text.upper(), "")
    return text


def _choose(place: Place, names: list[str]) -> str:
    if place.sublayer:
        wanted = [n for n in names if plain(n) == plain(place.sublayer)]
    else:
        layer = layers()[place.layer]
        keys = [heading_key(layer.layer), *(heading_key(a) for a in layer.aliases)]
        wanted = [n for key in keys for n in names if heading_key(n) == key]
        if not wanted and len(names) == 1:
            wanted = names
    if not wanted:
        raise _fault(
            place, "sheet_missing", sheet=place.sublayer or place.layer, names="、".join(names)
        )
    return wanted[0]


def _short(fault: BaseException) -> str:
    return (str(fault).splitlines() or [""])[0][:120] or type(fault).__name__


def _fault(place: Place, code: str, **details: Any) -> LayerError:
    return LayerError(Fault(code, place.layer, file=place.file, details=details))
