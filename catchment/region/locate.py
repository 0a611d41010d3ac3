"""Find the files of a region: by manifest, or by layer name and Chinese alias.

No path leaves the region's folder: the manifest may not name absolute paths or ``..``, and links
that lead outside are refused.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from catchment.errors import InputError, NotFoundError
from catchment.region.faults import Fault, LayerError
from catchment.region.guard import bad_name, inside
from catchment.region.postgis import table_name
from catchment.region.raw import Place
from catchment.region.schema import heading_key, layers
from catchment.region.tables import sheet_names
from catchment.region.vector import gpkg_layers, gpkg_settings, shapefile_parts

MANIFEST = "region.toml"
TABLE_KINDS = (".csv", ".xlsx")
VECTOR_KINDS = (".gpkg", ".geojson", ".json", ".shp")
_UNSUPPORTED = frozenset(
    [
        ".xls",
        ".et",
        ".ods",
        ".xlsm",
        ".xlsb",
        ".tsv",
        ".mdb",
        ".accdb",
        ".sqlite",
        ".db",
        ".kml",
        ".kmz",
        ".gml",
        ".fgb",
        ".parquet",
        ".feather",
        ".o5m",
        ".zip",
        ".rar",
        ".7z",
        ".tar",
        ".tgz",
        ".gz",
        ".bz2",
        ".xz",
        ".vrt",
        ".tab",
        ".mif",
        ".dwg",
        ".dxf",
        ".gdb",
        ".pkl",
    ]
)
_TOP = ("name", "note", "crs", "sources")
_SOURCE = ("file", "layer", "crs", "encoding", "sheet", "postgis")


@dataclass(frozen=True)
class Manifest:
    """What ``region.toml`` says.

    Attributes
    ----------
    name, note, crs : str
        Name of the county, note for every output, system of sources that declare none.
    sources : mapping of str to mapping
        Layer to its ``file, layer, crs, encoding, sheet, postgis``.
    metric : str
        Metric system the region was written in; only in GeoPackages of this package.
    """

    name: str = ""
    note: str = ""
    crs: str = ""
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metric: str = ""


@dataclass(frozen=True)
class Found:
    """Where every layer of a region is.

    Attributes
    ----------
    root : Path
        Folder that confines every path.
    manifest : Manifest
        What the manifest says, or nothing.
    places : mapping of str to Place
        Layer to its source.
    road_file : Path or None
        ``.osm.pbf`` or ``.graphml`` file with the roads.
    bands : Path or None
        The county's own ``bands.csv``.
    faults : tuple of Fault
        What is missing, ambiguous or unused.
    """

    root: Path
    manifest: Manifest
    places: Mapping[str, Place]
    road_file: Path | None
    bands: Path | None
    faults: tuple[Fault, ...]


def locate(path: Path) -> Found:
    """Find the sources of a region.

    Parameters
    ----------
    path : Path
        A folder, or one GeoPackage.

    Returns
    -------
    Found
        Sources of the layers that exist, and what is wrong with the others.

    Raises
    ------
    NotFoundError
        When there is nothing at the path.
    InputError
        When the manifest cannot be used.
    """
    if not path.exists():
        raise NotFoundError(
            f"找不到县域数据 {path.name}；请检查路径 / no region at {path.name}; check the path"
        )
    if path.is_dir():
        return _in_folder(path)
    if path.suffix.lower() == ".gpkg":
        return _in_package(path)
    raise InputError(
        f"{path.name} 既不是文件夹也不是 .gpkg；请给出数据文件夹或一个 GeoPackage / "
        f"{path.name} is neither a folder nor a .gpkg; give the region's folder or one GeoPackage"
    )


def read_manifest(path: Path) -> Manifest:
    """Read ``region.toml``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Manifest
        Its content.

    Raises
    ------
    InputError
        When it is no TOML, or holds an unknown key or a value that is no text.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise InputError(
            f"{path.name} 无法读取：{fault}；请按 TOML 格式、UTF-8 编码改正 / "
            f"{path.name} cannot be read: {fault}; correct it as TOML in UTF-8"
        ) from fault
    _known(path.name, "", document, _TOP)
    sources = document.get("sources", {})
    _known(path.name, "sources", sources, tuple(layers()))
    for layer, entry in sources.items():
        _known(path.name, f"sources.{layer}", entry, _SOURCE)
    for key in ("name", "note", "crs"):
        _text(path.name, key, document.get(key, ""))
    return Manifest(
        name=document.get("name", ""),
        note=document.get("note", ""),
        crs=document.get("crs", ""),
        sources={
            layer: {k: _text(path.name, f"sources.{layer}.{k}", v) for k, v in entry.items()}
            for layer, entry in sources.items()
        },
    )


def _known(file: str, where: str, entry: Any, keys: tuple[str, ...]) -> None:
    place = f"[{where}]" if where else "/"
    if not isinstance(entry, dict):
        raise InputError(
            f"{file} {place} 应为表；请写成 [{where}] / {file} {place} must be a table [{where}]"
        )
    for key in entry:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1, cutoff=0.0)[0]
            raise InputError(
                f"{file} {place} 中有不认识的键 {key!r}；最接近的是 {near!r}，可用：{', '.join(keys)} / "
                f"unknown key {key!r} in {file} {place}; the nearest is {near!r}; known: "
                f"{', '.join(keys)}"
            )


def _text(file: str, key: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and key.endswith("crs"):
        return str(value)
    if not isinstance(value, str):
        raise InputError(
            f"{file} 的 {key} = {value!r} 应为文字；请加引号 / {key} = {value!r} in {file} must be "
            "text; put it in quotes"
        )
    return value


def confined(root: Path, name: str, where: str) -> Path:
    """Resolve a path of the manifest inside the region's folder.

    Parameters
    ----------
    root : Path
        Folder that confines it.
    name : str
        Relative path as written.
    where : str
        Key that holds it, for the message.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        When the path is absolute or leads outside.
    NotFoundError
        When there is no such file.
    """
    windows, posix = PureWindowsPath(name), PurePosixPath(name.replace("\\", "/"))
    if windows.drive or windows.root or posix.is_absolute() or ".." in posix.parts or not name:
        raise InputError(
            f"{where} = {name!r} 必须是数据文件夹内的相对路径，不能含 .. / {where} = {name!r} must be "
            "a path inside the region's folder, without .."
        )
    if part := bad_name(name):
        raise InputError(
            f"{where} = {name!r} 中的“{part}”不能作文件名；请改名 / {part!r} in {where} = {name!r} cannot "
            "be a file name on every system; rename the file"
        )
    path = root.joinpath(*posix.parts)
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{where} = {name!r} 指向数据文件夹之外；请把文件复制进来 / {where} = {name!r} leads "
            "outside the region's folder; copy the file into it"
        )
    if not path.is_file():
        raise NotFoundError(
            f"{where} = {name!r}：没有这个文件；请核对文件名 / {where} = {name!r}: no such file; check "
            "its name"
        )
    _parts_inside(root, path)
    return path


def _parts_inside(root: Path, path: Path) -> None:
    """Refuse a Shapefile one of whose parts is a link that leads outside."""
    if path.suffix.lower() != ".shp":
        return
    for part in shapefile_parts(path).values():
        if not inside(root, part):
            raise InputError(
                f"{part.name} 指向数据文件夹之外；请把文件复制进来 / {part.name} leads outside the "
                "region's folder; copy the file into it"
            )


def digest(path: Path) -> str:
    """Compute the SHA-256 of a source; of all its parts in order of extension for a Shapefile.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    parts = [path]
    if path.suffix.lower() == ".shp":
        found = shapefile_parts(path)
        parts = [found[kind] for kind in sorted(found)]
    total = hashlib.sha256()
    for part in parts:
        with part.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def _is_road_file(path: Path) -> bool:
    return path.name.lower().endswith((".osm.pbf", ".osm", ".graphml"))


def _in_folder(root: Path) -> Found:
    manifest = read_manifest(root / MANIFEST) if (root / MANIFEST).is_file() else Manifest()
    faults: list[Fault] = []
    places: dict[str, Place] = {}
    roads: Path | None = None
    used: set[Path] = set()
    for name, entry in manifest.sources.items():
        if "postgis" in entry:
            places[name] = _in_database(root, name, entry)
            continue
        if "file" not in entry:
            continue
        path = confined(root, entry["file"], f"[sources.{name}] file")
        used.add(path.resolve())
        if name == "roads" and _is_road_file(path):
            roads = path
        else:
            places[name] = _place(root, name, path, manifest)
    candidates = _candidates(root, used, faults)
    for layer in layers().values():
        if layer.layer in places or (layer.layer == "roads" and roads is not None):
            continue
        files = candidates.get(layer.layer, [])
        if len(files) > 1:
            names = "、".join(sorted({f.name for f, _ in files}))
            faults.append(
                Fault(
                    "file_ambiguous",
                    layer.layer,
                    details={"title": layer.title, "files": names},
                )
            )
        elif files:
            path, sub = files[0]
            if _is_road_file(path):
                roads = path
            else:
                places[layer.layer] = _place(root, layer.layer, path, manifest, sub)
    faults.extend(_missing(places, roads, faults))
    bands = root / "bands.csv"
    if bands.exists() and not inside(root, bands):
        faults.append(Fault("file_outside", "", file=bands.name))
        bands = root / "-"
    return Found(root, manifest, places, roads, bands if bands.is_file() else None, tuple(faults))


def _in_database(root: Path, name: str, entry: Mapping[str, str]) -> Place:
    table = entry["postgis"]
    if "file" in entry or not table_name(table):
        raise InputError(
            f"[sources.{name}] postgis = {table!r} 应为“模式.表名”，且不能同时写 file / [sources.{name}] "
            f"postgis = {table!r} must be schema.table, without file beside it"
        )
    return Place(name, root, f"postgis:{table}", crs=entry.get("crs", ""), table=table)


def _missing(places: Mapping[str, Place], roads: Path | None, known: list[Fault]) -> list[Fault]:
    said = {f.layer for f in known if f.code == "file_ambiguous"}
    found = [
        Fault("layer_missing", layer.layer, details={"title": layer.title})
        for layer in layers().values()
        if layer.required and layer.layer not in places and layer.layer not in said
    ]
    if "children" not in places:
        found.append(Fault("no_children_layer", "children"))
    if "roads" not in places and roads is None:
        found.append(Fault("no_roads", "roads"))
    return found


def _place(root: Path, layer: str, path: Path, manifest: Manifest, sub: str = "") -> Place:
    entry = manifest.sources.get(layer, {})
    return Place(
        layer=layer,
        path=path,
        file=path.relative_to(root).as_posix(),
        sublayer=entry.get("sheet") or entry.get("layer") or sub,
        crs=entry.get("crs", ""),
        encoding=entry.get("encoding", ""),
    )


def _candidates(
    root: Path, used: set[Path], faults: list[Fault]
) -> dict[str, list[tuple[Path, str]]]:
    """Files of a folder by the layer their name, sheets or inner layers stand for."""
    found: dict[str, list[tuple[Path, str]]] = {}
    spare: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(p for p in root.iterdir() if p.is_file()):
        kind = path.suffix.lower()
        if path.resolve() in used or path.name.startswith((".", "~$")) or _own_table(path):
            continue
        if not inside(root, path):
            faults.append(Fault("file_outside", _layer_named(path.stem) or "", file=path.name))
            continue
        _parts_inside(root, path)
        alone = kind == ".dbf" and not any(p.suffix.lower() == ".shp" for p in _same_stem(path))
        if kind in _UNSUPPORTED or alone:
            faults.append(Fault("file_unsupported", _layer_named(path.stem) or "", file=path.name))
            continue
        if _is_road_file(path):
            found.setdefault("roads", []).append((path, ""))
        elif kind in {".tif", ".tiff"}:
            found.setdefault("elevation", []).append((path, ""))
        elif kind in TABLE_KINDS + VECTOR_KINDS:
            named = _layer_named(path.stem)
            inner = _inner(path)
            if named:
                found.setdefault(named, []).append((path, ""))
            for layer, sub in inner:
                # Further sheets of a file named after one layer count where nothing else does.
                if layer != named:
                    (spare if named else found).setdefault(layer, []).append((path, sub))
            if not named and not inner:
                faults.append(Fault("file_unused", "", file=path.name))
    for layer, files in spare.items():
        found.setdefault(layer, files)
    return found


def _same_stem(path: Path) -> list[Path]:
    return [p for p in path.parent.iterdir() if p.stem == path.stem]


OWN_TABLES = (
    "band_modes",
    "bands",
    "barriers",
    "evidence",
    "modes",
    "need_factors",
    "resources",
    "road_classes",
    "rules",
    "障碍",
)
"""Tables of a county that other rooms read; they are no layers."""


def _own_table(path: Path) -> bool:
    return path.name.split(".")[0] in OWN_TABLES


def _inner(path: Path) -> list[tuple[str, str]]:
    """Layers that the sheets of a workbook or the layers of a GeoPackage are named after."""
    place = Place("", path, path.name)
    try:
        if path.suffix.lower() == ".xlsx":
            names = sheet_names(place)
        elif path.suffix.lower() == ".gpkg":
            names = list(gpkg_layers(place))
        else:
            return []
    except LayerError:
        return []
    named = ((_layer_named(name), name) for name in names)
    return [(layer, name) for layer, name in named if layer]


def _layer_named(stem: str) -> str:
    """Layer that a file or sheet name stands for, empty when it is none or unclear."""
    key = re.sub(r"[\d年月日版()【】\[\]]+", "", heading_key(stem))
    best: list[tuple[int, str]] = []
    for layer in layers().values():
        names = [layer.layer, *layer.aliases]
        if any(heading_key(n) == key for n in names):
            return layer.layer
        inside = [len(a) for a in layer.aliases if len(a) > 1 and heading_key(a) in key]
        if inside:
            best.append((max(inside), layer.layer))
    best.sort(reverse=True)
    if not best or (len(best) > 1 and best[0][0] == best[1][0]):
        return ""
    return best[0][1]


def _in_package(path: Path) -> Found:
    root = path.parent
    whole = Place("", path, path.name)
    try:
        names = gpkg_layers(whole)
        settings = gpkg_settings(whole)
    except LayerError as stop:
        raise InputError(stop.fault.line()) from stop
    manifest = Manifest(
        name=settings.get("name") or path.stem,
        note=settings.get("note", ""),
        metric=settings.get("crs", ""),
    )
    places: dict[str, Place] = {}
    faults: list[Fault] = []
    for name in names:
        layer = name if name in layers() else _layer_named(name)
        if not layer or layer in places:
            if name not in {"region_settings", "bands", "rejected", "layer_styles"}:
                faults.append(Fault("file_unused", "", file=f"{path.name}:{name}"))
            continue
        places[layer] = Place(layer, path, path.name, sublayer=name)
    roads = None
    if settings.get("road_file"):
        roads = confined(root, settings["road_file"], "road_file")
    if settings.get("elevation"):
        tif = confined(root, settings["elevation"], "elevation")
        places["elevation"] = Place("elevation", tif, tif.name)
    faults.extend(_missing(places, roads, faults))
    return Found(root, manifest, places, roads, None, tuple(faults))
