"""Write a file whole or not at all, and with the same bytes for the same content."""

from __future__ import annotations

import io
import os
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path

from catchment.errors import CatchmentError

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_atomically(path: Path, writer: Callable[[Path], None]) -> Path:
    """Let ``writer`` fill a new file beside ``path``, then put it in the place of ``path``.

    A killed run leaves the old file or the new one, never half of one. The new name keeps the
    suffix, because drivers choose the format by it.

    Parameters
    ----------
    path : Path
        The file wanted; its folder is made when missing.
    writer : callable
        Writes everything to the path it is given.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    CatchmentError
        When the file cannot be written or replaced (for example open in another program).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        writer(beside)
        with beside.open("r+b") as stream:
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as fault:
        raise CatchmentError(
            f"无法写入 {path.name}：{fault.strerror or fault}；请关闭正在打开它的程序，"
            f"检查磁盘空间和权限 / {path.name} cannot be written; close the program that has it "
            "open, check free space and permissions"
        ) from fault
    finally:
        for trail in ("", "-journal", "-wal", "-shm"):
            beside.with_name(beside.name + trail).unlink(missing_ok=True)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes whole or not at all.

    Parameters
    ----------
    path : Path
        The file wanted.
    content : bytes
        All of it.

    Returns
    -------
    Path
        ``path``.
    """

    def fill(beside: Path) -> None:
        beside.write_bytes(content)

    return write_atomically(path, fill)


def steady_zip(content: bytes) -> bytes:
    """Pack an office file anew with fixed dates, so that equal content has equal bytes.

    Parameters
    ----------
    content : bytes
        A zip archive (docx, xlsx).

    Returns
    -------
    bytes
        The same members in the same order, dated 1980-01-01.
    """
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new,
    ):
        for member in old.infolist():
            info = zipfile.ZipInfo(member.filename, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            info.create_system = 0
            new.writestr(info, old.read(member))
    return out.getvalue()


def write_text(path: Path, text: str) -> Path:
    """Write text in UTF-8 whole or not at all; line ends stay as they are.

    Parameters
    ----------
    path : Path
        The file wanted.
    text : str
        All of it.

    Returns
    -------
    Path
        ``path``.
    """
    return write_bytes(path, text.encode("utf-8"))
