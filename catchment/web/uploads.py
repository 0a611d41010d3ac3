"""Files sent in: put into a folder of their own, by name and size, before anything reads them."""

from __future__ import annotations

import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from catchment.errors import InputError

SUFFIXES = (
    ".csv", ".xlsx", ".gpkg", ".geojson", ".json", ".shp", ".shx", ".dbf", ".prj", ".cpg", ".pbf",
    ".graphml", ".tif", ".tiff", ".toml", ".txt",
)  # fmt: skip
"""Kinds of file a county may hold."""
MOST_FILES = 200
MOST_BYTES = 1_000_000_000
MOST_RATIO = 200
"""Bytes that one byte of an archive may grow to."""
_SLACK = 1_000_000
_CHUNK = 1 << 20
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Taken:
    """What was taken in.

    Attributes
    ----------
    names : tuple of str
        Files kept.
    skipped : tuple of str
        What a computer puts beside the files by itself, left out.
    """

    names: tuple[str, ...]
    skipped: tuple[str, ...]


def safe_name(name: str) -> str:
    """Name under which a file is kept.

    Parameters
    ----------
    name : str
        As sent.

    Returns
    -------
    str
        The same name, if it is plain.

    Raises
    ------
    InputError
        When it holds a path, a drive, a control character, or is of no known kind.
    """
    clean = unicodedata.normalize("NFC", name)
    stem = clean.partition(".")[0]
    bad = (
        not clean
        or len(clean.encode("utf-8", "replace")) > 200
        or clean != clean.strip(" .")
        or clean.startswith((".", "~"))
        or any(c in '<>:"/\\|?*' or unicodedata.category(c)[0] == "C" for c in clean)
        or _RESERVED.fullmatch(stem) is not None
    )
    if bad:
        raise InputError(
            f"文件名 {clean[:60]!r} 不能接受；请用普通文件名 / this file name is not taken"
        )
    if not any(clean.lower().endswith(suffix) for suffix in SUFFIXES):
        raise InputError(
            f"文件 {clean} 的类型不在可导入之列（{' '.join(sorted(SUFFIXES))}） / files of this kind are not taken"
        )
    return clean


def take(files: Iterable[tuple[str, IO[bytes]]], folder: Path) -> Taken:
    """Put files, or the one archive among them, into a folder.

    Parameters
    ----------
    files : iterable of (str, binary file)
        As sent.
    folder : Path
        An empty folder.

    Returns
    -------
    Taken
        Names kept, and names left out.

    Raises
    ------
    InputError
        When a name, a size or a number of files goes beyond the bounds.
    """
    sent = list(files)
    skipped = tuple(name[:200] for name, _ in sent if _ignored(name))
    listed = [(name, stream) for name, stream in sent if not _ignored(name)]
    if not listed:
        raise InputError("没有文件；请选择一个 zip 或若干数据文件 / no file was sent")
    if len(listed) > MOST_FILES:
        raise InputError(f"文件超过 {MOST_FILES} 个 / more than {MOST_FILES} files")
    if len(listed) == 1 and listed[0][0].lower().endswith(".zip"):
        return _unpack(listed[0][1], folder)
    names: list[str] = []
    left = MOST_BYTES
    for name, stream in listed:
        kept = _fresh(safe_name(name), names)
        left = _copy(stream, folder / kept, left)
        names.append(kept)
    return Taken(tuple(names), skipped)


def _fresh(name: str, names: list[str]) -> str:
    if name.casefold() in {n.casefold() for n in names}:
        raise InputError(f"文件名 {name} 重复 / two files bear this name")
    return name


def _copy(stream: IO[bytes], path: Path, left: int) -> int:
    with path.open("xb") as out:
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise InputError("文件总量超过上限 / the files are larger than the bound")
            out.write(chunk)
    return left


def _unpack(stream: IO[bytes], folder: Path) -> Taken:
    try:
        archive = zipfile.ZipFile(stream)
        listed = [m for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as fault:
        raise InputError("zip 文件无法打开 / the archive cannot be opened") from fault
    # What is left out is never unpacked.
    skipped = tuple(m.filename[:200] for m in listed if _ignored(m.filename))
    members = [m for m in listed if not _ignored(m.filename)]
    _bound(members)
    plain = [(m, _inside(m.filename)) for m in members]
    roots = {path.parts[:-1] for _, path in plain}
    if len(roots) != 1:
        raise InputError(
            "zip 内的文件应都在同一文件夹 / files of the archive must be in one folder"
        )
    names: list[str] = []
    left = MOST_BYTES
    for member, path in plain:
        kept = _fresh(safe_name(path.name), names)
        try:
            with archive.open(member) as inner:
                # Sizes that the archive declares are not believed: what comes out is counted.
                bound = min(left, member.compress_size * MOST_RATIO + _SLACK)
                left -= bound - _copy(inner, folder / kept, bound)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError, zlib.error) as fault:  # fmt: skip
            raise InputError(f"zip 内的 {kept} 无法解开 / {kept} cannot be unpacked") from fault
        names.append(kept)
    return Taken(tuple(names), skipped)


def _bound(members: list[zipfile.ZipInfo]) -> None:
    if not members:
        raise InputError("zip 是空的 / the archive is empty")
    if len(members) > MOST_FILES:
        raise InputError(
            f"zip 内文件超过 {MOST_FILES} 个 / more than {MOST_FILES} files in the archive"
        )
    total = sum(m.file_size for m in members)
    packed = sum(m.compress_size for m in members)
    if total > MOST_BYTES or total > packed * MOST_RATIO + _SLACK:
        raise InputError(
            "zip 解开后过大，疑似压缩炸弹，拒绝导入 / the archive grows beyond the bound; it is refused"
        )
    for member in members:
        if member.flag_bits & 0x1:
            raise InputError("zip 有密码，请去掉密码 / the archive is encrypted")
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise InputError("zip 含有链接，拒绝导入 / the archive holds a link; it is refused")


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or len(path.parts) > 3 or ":" in name:
        raise InputError(f"zip 内的路径 {name[:60]!r} 不能接受 / a path in the archive is refused")
    return path


def _ignored(name: str) -> bool:
    """Say whether macOS, Windows or an office program put the file there by itself."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts:
        return False
    return (
        "__MACOSX" in parts
        or any(p.startswith(".") for p in parts)
        or parts[-1].startswith("~$")
        or parts[-1].casefold() in ("thumbs.db", "desktop.ini")
    )
