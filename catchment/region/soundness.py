"""Whether a binary file is plainly built as its format says, told without a foreign parser."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

# Parts and points of a record, by shape type: bytes before them.
_SIMPLE = {0: 4, 1: 20, 11: 36, 21: 28}
_PARTED = {3, 5, 13, 15, 23, 25}
_MULTI = {8, 18, 28}
_COMPUTED = ("create view", "create trigger", "generated", " as (")
_MAX_HEADER, _MAX_BLOB = 64 << 10, 32 << 20


def shapes_sound(shp: Path, shx: Path) -> bool:
    """Walk the records of a Shapefile and its index.

    Parameters
    ----------
    shp, shx : Path
        Geometry and index.

    Returns
    -------
    bool
        Whether lengths, types and counts fit each other to the last byte.
    """
    data, index = shp.read_bytes(), shx.read_bytes()
    if len(data) < 100 or len(index) < 100 or (len(index) - 100) % 8:
        return False
    if struct.unpack(">i", data[24:28])[0] * 2 != len(data) or data[28:32] != b"\xe8\x03\0\0":
        return False
    kind = struct.unpack("<i", data[32:36])[0]
    at, count = 100, 0
    while at < len(data):
        if at + 12 > len(data):
            return False
        length = struct.unpack(">i", data[at + 4 : at + 8])[0] * 2
        end = at + 8 + length
        if length < 4 or end > len(data):
            return False
        place = index[100 + 8 * count : 108 + 8 * count]
        if len(place) < 8 or struct.unpack(">2i", place) != (at // 2, length // 2):
            return False
        if not _record_sound(data[at + 8 : end], kind):
            return False
        at, count = end, count + 1
    return count == (len(index) - 100) // 8


def _record_sound(record: bytes, kind: int) -> bool:
    own = int(struct.unpack("<i", record[:4])[0])
    if own not in {0, kind}:
        return False
    if own in _SIMPLE:
        return len(record) >= _SIMPLE[own]
    if own in _PARTED and len(record) >= 44:
        parts, points = struct.unpack("<2i", record[36:44])
        if parts < 0 or points < 0 or len(record) < 44 + 4 * parts + 16 * points:
            return False
        starts = struct.unpack(f"<{parts}i", record[44 : 44 + 4 * parts])
        return list(starts) == sorted(starts) and all(0 <= s < max(points, 1) for s in starts)
    if own in _MULTI and len(record) >= 40:
        points = int(struct.unpack("<i", record[36:40])[0])
        return points >= 0 and len(record) >= 40 + 16 * points
    return False


def package_fault(path: Path) -> tuple[str, bool]:
    """Check a GeoPackage as a database.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    fault : str
        What SQLite finds wrong; empty when nothing is.
    computes : bool
        Whether it holds views, triggers or computed columns, which run when read.
    """
    state = path.stat()
    return _package_fault(str(path.resolve()), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _package_fault(path: str, size: int, changed: int) -> tuple[str, bool]:
    # Size and time are part of the key: a changed file is checked anew.
    del size, changed
    address = f"file:{quote(Path(path).as_posix())}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as base:
            base.text_factory = lambda raw: raw.decode("utf-8", "replace")
            said = str(base.execute("PRAGMA quick_check(1)").fetchone()[0])
            texts = [
                " ".join(str(sql).lower().split())
                for kind, sql in base.execute(
                    "SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL"
                )
                if kind != "trigger" or "rtree_" not in str(sql).lower()
            ]
    except (sqlite3.Error, OverflowError, TypeError) as fault:
        return str(fault)[:120], False
    plain = [t for t in texts if not t.startswith("create trigger")]
    return "" if said == "ok" else said[:120], any(w in t for t in plain for w in _COMPUTED)


def busy(path: Path) -> str:
    """Name the file beside a database that shows unfinished writing by another program.

    Parameters
    ----------
    path : Path
        The database.

    Returns
    -------
    str
        Name of a journal that is not empty; empty when there is none.
    """
    for trail in ("-wal", "-journal"):
        beside = path.with_name(path.name + trail)
        if beside.is_file() and beside.stat().st_size:
            return beside.name
    return ""


def pbf_blocks(path: Path) -> tuple[str, bool]:
    """Walk the blocks of an OpenStreetMap file without unpacking them.

    Parameters
    ----------
    path : Path
        A ``.osm.pbf`` file.

    Returns
    -------
    fault : str
        What is wrong; empty when the blocks fill the file exactly.
    packed : bool
        Whether every block is compressed, and so carries a checksum.
    """
    size, packed, first = path.stat().st_size, True, True
    with path.open("rb") as stream:
        at = 0
        while at < size:
            head = stream.read(4)
            length = int.from_bytes(head, "big")
            if len(head) < 4 or not 0 < length <= _MAX_HEADER:
                return f"byte {at}: block header of {length} bytes", packed
            kind, content = _blob_header(stream.read(length))
            if kind != ("OSMHeader" if first else "OSMData") or not 0 < content <= _MAX_BLOB:
                return f"byte {at}: block {kind[:20]!r} of {content} bytes", packed
            start = stream.read(min(content, 16))
            packed &= bool(start) and start[0] != 0x0A
            at += 4 + length + content
            if at > size:
                return f"byte {at}: the file ends at {size}", packed
            stream.seek(at)
            first = False
    return ("no block" if first else ""), packed


def _blob_header(data: bytes) -> tuple[str, int]:
    """Type and size of a block: fields 1 and 3 of a BlobHeader message."""
    at, kind, size = 0, "", 0
    while at < len(data):
        tag = data[at]
        number, at = _varint(data, at + 1)
        if tag & 7 == 2:
            if tag >> 3 == 1:
                kind = data[at : at + number].decode("ascii", "replace")
            at += number
        elif tag & 7 == 0:
            size = number if tag >> 3 == 3 else size
        else:
            return "", 0
    return kind, size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 64:
        number |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            break
    return number, at
