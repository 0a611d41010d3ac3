"""Write a mended copy of a county into a new folder; the source is never touched."""

from __future__ import annotations

import csv
import filecmp
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import shapely

from catchment.errors import InputError
from catchment.files import folder_beside, put_folder, write_bytes, write_text
from catchment.region.doctor import Repair, Treated, Treatment, kinds, propose
from catchment.region.faults import Fault
from catchment.region.guard import inside
from catchment.region.locate import MANIFEST, Found, Manifest
from catchment.region.raw import Place, Raw
from catchment.region.read import Reading
from catchment.region.schema import layers
from catchment.region.vector import shapefile_parts

# Repairs can lay open others (a system corrected, then two coordinates swapped).
ROUNDS = 4
_KEPT_FOLDERS = ("scenarios",)


def mend_region(
    source: Path,
    target: Path,
    *,
    further: Callable[[Reading], list[Fault]] | None = None,
    listing: Path | None = None,
) -> tuple[Repair, ...]:
    """Apply all repairs that the data allow, into a new folder.

    The folder gets its name in one step, when it is whole and on the disk and the list of what was
    done to it is there: a killed run leaves no half folder, and none without its list.

    Parameters
    ----------
    source : Path
        Folder of the county.
    target : Path
        Folder to make; an existing one is accepted when it already holds the same.
    further : callable, optional
        A check of a higher floor (the roads).
    listing : Path, optional
        Where to write :func:`repairs_csv`.

    Returns
    -------
    tuple of Repair
        What was done; empty, and nothing written, where there was nothing to mend.

    Raises
    ------
    InputError
        When the source is no folder, or the target is in it or holds something else.
    NotWrittenError
        When the disk is full or fails.
    """
    if not source.is_dir():
        raise InputError(
            f"{source.name} 不是文件夹，无法生成修复副本 / {source.name} is no folder; only folders can "
            "be mended"
        )
    if target.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"{target.name} 在数据文件夹之内；请用 --out 指定别处 / {target.name} lies inside the region's "
            "folder; choose another place with --out"
        )
    done: list[Repair] = []
    with folder_beside(target) as place:
        current = source
        for k in range(ROUNDS):
            treatment = propose(current, further)
            if not treatment.repairs:
                break
            made = place / str(k)
            _write(treatment, made)
            done.extend(treatment.repairs)
            current = made
        if current is source:
            return ()
        there = _is_there(current, target)
        if listing is not None:
            write_text(listing, repairs_csv(tuple(done)))
        if not there:
            put_folder(current, target)
    return tuple(done)


def repairs_csv(repairs: tuple[Repair, ...]) -> str:
    """Lay repairs out as CSV.

    Parameters
    ----------
    repairs : tuple of Repair
        What was done.

    Returns
    -------
    str
        ``layer, file, row, column, before, after, kind, why_zh, why_en``; text that a spreadsheet
        would take for a formula begins with an apostrophe.
    """
    stream = io.StringIO(newline="")
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(["layer", "file", "row", "column", "before", "after", "kind", "why_zh", "why_en"])
    for r in repairs:
        why = kinds()[r.kind]
        cells = [r.layer, r.file, "" if r.row is None else str(r.row), r.column, r.before, r.after]
        out.writerow([*(_harmless(c) for c in cells), r.kind, why["zh"], why["en"]])
    return stream.getvalue()


def _harmless(text: str) -> str:
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _write(treatment: Treatment, folder: Path) -> None:
    """Copy what stays and write anew what changes."""
    found = treatment.reading.found
    folder.mkdir(parents=True)
    replaced = {t.part.place.path for t in treatment.treated.values()}
    kept = {p.path for n, p in found.places.items() if n not in treatment.treated}
    gone = {part for path in replaced - kept for part in _parts(path)}
    named = [p for place in found.places.values() if not place.table for p in _parts(place.path)]
    for path in sorted({*_files(found.root), *named}):
        if path in gone or path == found.root / MANIFEST:
            continue
        copy = folder / path.relative_to(found.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for name, treated in treatment.treated.items():
        write_bytes(folder / _file_name(name, treated), _content(treated.raw))
    text = _manifest(found, treatment.treated)
    write_bytes(folder / MANIFEST, text.encode("utf-8"))


def _files(root: Path) -> list[Path]:
    """Files that belong to a county: those of its folder and its recipes; no links outward."""
    top = [p for p in root.iterdir() if p.is_file() and not p.name.startswith((".", "~$"))]
    below = [p for sub in _KEPT_FOLDERS for p in (root / sub).rglob("*") if p.is_file()]
    return sorted(p for p in [*top, *below] if inside(root, p))


def _parts(path: Path) -> list[Path]:
    return list(shapefile_parts(path).values()) if path.suffix.lower() == ".shp" else [path]


def _file_name(layer: str, treated: Treated) -> str:
    return layers()[layer].title + (".csv" if treated.raw.geometry is None else ".geojson")


def _content(raw: Raw) -> bytes:
    if raw.geometry is None:
        stream = io.StringIO(newline="")
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(raw.headings)
        out.writerows(raw.cells)
        return stream.getvalue().encode("utf-8")
    lines = [
        json.dumps(
            {
                "type": "Feature",
                "properties": dict(zip(raw.headings, line, strict=True)),
                "geometry": None if g is None or g.is_empty else shapely.geometry.mapping(g),
            },
            ensure_ascii=False,
        )
        for line, g in zip(raw.cells, raw.geometry, strict=True)
    ]
    text = '{"type": "FeatureCollection", "features": [\n' + ",\n".join(lines) + "\n]}\n"
    return text.encode("utf-8")


def _manifest(found: Found, treated: Mapping[str, Treated]) -> str:
    """Write the manifest anew: the old one's entries, and one for every layer that changed."""
    manifest: Manifest = found.manifest
    lines = [f"{k} = {_quoted(v)}" for k in ("name", "note", "crs") if (v := getattr(manifest, k))]
    for name in layers():
        entry = dict(manifest.sources.get(name, {}))
        if name in treated:
            entry = _entry(name, treated[name], found.places[name])
        if entry:
            lines.append(f"\n[sources.{name}]")
            lines.extend(f"{k} = {_quoted(v)}" for k, v in entry.items())
    return "\n".join(lines) + "\n"


def _entry(name: str, treated: Treated, place: Place) -> dict[str, str]:
    entry = {"file": _file_name(name, treated)}
    crs = treated.crs or place.crs
    source = treated.part.source
    if not crs and treated.raw.geometry is not None and source is not None:
        # The new file states no system of its own.
        crs = source.name if ":" in source.name or source.offset != "none" else treated.raw.crs
    if crs:
        entry["crs"] = crs
    return entry


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_there(made: Path, target: Path) -> bool:
    """Whether the folder is there already, byte for byte; anything else there is refused."""
    if not target.exists():
        return False
    if target.is_dir() and _same(made, target):
        return True
    if not target.is_dir() or any(target.iterdir()):
        raise InputError(
            f"{target.name} 已存在且内容不同，未改动；请用 --out 指定新的文件夹 / {target.name} is "
            "already there and differs; nothing was changed; choose a new folder with --out"
        )
    return False


def _same(one: Path, two: Path) -> bool:
    names = [{p.relative_to(d) for p in d.rglob("*") if p.is_file()} for d in (one, two)]
    return names[0] == names[1] and all(
        filecmp.cmp(one / n, two / n, shallow=False) for n in names[0]
    )
