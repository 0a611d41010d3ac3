"""What a file must prove before any parser is shown it: name, size, kind, no document type."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO
from xml.parsers import expat

MAX_TEXT_BYTES = 300_000_000
MAX_BYTES, MAX_RATIO, MAX_MEMBERS = 1_000_000_000, 200, 10_000
# Below this an archive cannot hurt, however well it packs.
SMALL_BYTES = 20_000_000
# Devices that Windows opens instead of a file, with any extension.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³"}
)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')


class UnsafeError(Exception):
    """A file is not what it may be; the text says why, for people, Chinese and English."""


def bad_name(name: str) -> str:
    """Say why a relative path is not accepted on every system.

    Parameters
    ----------
    name : str
        Path as written, with ``/`` or backslashes.

    Returns
    -------
    str
        The offending part; empty when there is none. Device names of Windows, streams
        (``a.csv:b``), wildcards, control characters, and parts that end in a dot or blank.
    """
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        if part in {"/", "."}:
            continue
        stem = part.split(".")[0].rstrip(" ").lower()
        if stem in _DEVICES or _FORBIDDEN.search(part) or part != part.rstrip(" ."):
            return part
    return ""


def inside(root: Path, path: Path) -> bool:
    """Say whether a file, all links followed, lies in a folder.

    Parameters
    ----------
    root, path : Path
        Folder and file.

    Returns
    -------
    bool
        False also where a link leads nowhere or in a circle.
    """
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve(strict=True))
    except (OSError, RuntimeError):
        return False


def refuse_doctype(stream: IO[bytes]) -> None:
    """Refuse XML that declares a document type: its entities can grow without bound.

    Parameters
    ----------
    stream : binary stream
        XML in any encoding; read up to its first element.

    Raises
    ------
    UnsafeError
        When there is a document type, or no first element within the first mebibyte.
    """
    parser = expat.ParserCreate()
    state = {"root": False, "doctype": False}

    def _doctype(*_: object) -> None:
        state["doctype"] = True

    def _root(*_: object) -> None:
        state["root"] = True

    parser.StartDoctypeDeclHandler = _doctype
    parser.StartElementHandler = _root
    read = 0
    try:
        while not any(state.values()) and read < 1 << 20:
            chunk = stream.read(4096)
            read += len(chunk)
            parser.Parse(chunk, not chunk)
            if not chunk:
                break
    except expat.ExpatError as fault:
        # What follows the first element is the parser's own business.
        if not any(state.values()):
            raise UnsafeError(f"不是有效的 XML（{fault}） / not valid XML ({fault})") from fault
    if state["doctype"]:
        raise UnsafeError(
            "含 DOCTYPE 声明，其中的实体可耗尽内存 / declares a DOCTYPE, whose entities could exhaust "
            "memory"
        )
    if not state["root"]:
        raise UnsafeError("XML 中没有任何元素 / the XML holds no element")


def judge_archive(infos: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse an archive by the names and sizes its directory states, before anything is unpacked.

    Parameters
    ----------
    infos : iterable of ZipInfo
        Directory of the archive.

    Raises
    ------
    UnsafeError
        When names lead outside or repeat, members are too many, links or encrypted, or the whole
        unpacks to too much.
    """
    members = list(infos)
    if len(members) > MAX_MEMBERS:
        raise UnsafeError(f"{len(members)} 个成员 / {len(members)} members")
    packed = sum(i.compress_size for i in members)
    full = sum(i.file_size for i in members)
    if full > MAX_BYTES or (full > SMALL_BYTES and full > MAX_RATIO * max(packed, 1)):
        raise UnsafeError(
            f"{packed:,} 字节解压成 {full:,} 字节 / {packed:,} bytes unpack to {full:,}"
        )
    seen: set[str] = set()
    for info in members:
        name = info.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if ".." in parts or name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise UnsafeError(f"成员名 {info.filename!r} / member name {info.filename!r}")
        if name.lower() in seen:
            raise UnsafeError(f"成员重复 {info.filename!r} / member {info.filename!r} twice")
        seen.add(name.lower())
        if info.flag_bits & 0x1:
            raise UnsafeError("已加密，请先去除密码 / encrypted; take the password off first")
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            raise UnsafeError(f"成员是链接 {info.filename!r} / member {info.filename!r} is a link")
