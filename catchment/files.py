"""Write a file whole or not at all; the one writer of every room."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from catchment.errors import CatchmentError

# A temporary whose writer cannot be asked (another machine, or Windows) is stale after this.
STALE_SECONDS = 24 * 3600.0
_TRAILS = ("", "-journal", "-wal", "-shm")
_TEMPORARY = re.compile(
    r"\..+\.(?P<machine>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}\.tmp(?:\.[^.]+)?(?:-\w+)?"
)


class NotWrittenError(CatchmentError, OSError):
    """A file could not be written or replaced; what was there before is still there.

    Parameters
    ----------
    text : str
        For people.
    strerror : str
        What the system said.
    """

    def __init__(self, text: str, strerror: str = "") -> None:
        super().__init__(text)
        self.strerror = strerror


def write_atomically(path: Path, writer: Callable[[Path], None]) -> Path:
    """Let ``writer`` fill a new file beside ``path``, then put it in the place of ``path``.

    A killed run leaves the old file or the new one, never half of one. The new name keeps the
    suffix, because drivers choose the format by it. What killed runs have left in the folder is
    swept away first.

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
    NotWrittenError
        When the file cannot be written or replaced (disk full, open in another program); what was
        there before is still there. It is a CatchmentError and an OSError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        beside = path.with_name(f".{path.stem}.{_mark()}.tmp{path.suffix}")
        try:
            writer(beside)
            with beside.open("r+b") as stream:
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)
            _sync_folder(path.parent)
        finally:
            for trail in _TRAILS:
                with contextlib.suppress(OSError):
                    beside.with_name(beside.name + trail).unlink(missing_ok=True)
    except (OSError, RuntimeError, sqlite3.Error) as fault:
        # The geometry libraries report a full disk as RuntimeError, SQLite in its own way.
        if isinstance(fault, CatchmentError):
            raise
        text = str(getattr(fault, "strerror", None) or (str(fault).splitlines() or [""])[0])
        raise NotWrittenError(
            f"无法写入 {path.name}：{text}；请关闭正在打开它的程序，检查磁盘空间和权限 / "
            f"{path.name} cannot be written; close the program that has it open, check free space "
            "and permissions",
            text,
        ) from fault
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


def sweep(folder: Path) -> int:
    """Delete temporaries whose writer is gone.

    Parameters
    ----------
    folder : Path
        Folder to look through; folders inside are left alone.

    Returns
    -------
    int
        Files deleted. A temporary is stale when its process no longer runs on this machine, or
        when it is older than a day.
    """
    gone = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None or not _stale(entry, found["machine"], int(found["process"])):
                continue
            with contextlib.suppress(OSError):
                Path(entry.path).unlink()
                gone += 1
    return gone


def _stale(entry: os.DirEntry[str], machine: str, process: int) -> bool:
    try:
        if not entry.is_file(follow_symlinks=False):
            return False
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS:
            return True
    except OSError:
        return False
    # Asking after a process by signal 0 would interrupt it on Windows.
    return os.name == "posix" and machine == _machine() and not _runs(process)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _mark() -> str:
    return f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def _machine() -> str:
    return hashlib.sha256(platform.node().encode("utf-8")).hexdigest()[:6]


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where folders can be flushed."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
