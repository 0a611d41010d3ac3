"""Write a file whole or not at all; the one writer of every room."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from catchment.errors import CatchmentError

# A temporary whose writer cannot be asked (another machine, or Windows) is stale after this.
STALE_SECONDS = 24 * 3600.0
STAMP = "2000-01-01T00:00:00.000Z"  # the date of change in every GeoPackage
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


TEXT_STAYS_TEXT = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
"""Options of every workbook that is written: no text of the data becomes a formula or a link."""


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
        raise _not_written(path, fault) from fault
    return path


def _not_written(path: Path, fault: Exception) -> NotWrittenError:
    text = str(getattr(fault, "strerror", None) or (str(fault).splitlines() or [""])[0])
    return NotWrittenError(
        f"无法写入 {path.name}：{text}；请关闭正在打开它的程序，检查磁盘空间和权限 / "
        f"{path.name} cannot be written; close the program that has it open, check free space "
        "and permissions",
        text,
    )


@contextlib.contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """Give a place for a new folder beside another; whatever is left there goes at the end.

    What a killed run leaves has a name that :func:`sweep` knows, and is swept here.

    Parameters
    ----------
    target : Path
        The folder wanted; its parent is made when missing.

    Yields
    ------
    Path
        Place of a folder in the same parent, not made yet.

    Raises
    ------
    NotWrittenError
        When something within cannot be written.
    """
    place = target.with_name(f".{target.name}.{_mark()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        yield place
    except OSError as fault:
        if isinstance(fault, CatchmentError):
            raise
        raise _not_written(target, fault) from fault
    finally:
        shutil.rmtree(place, ignore_errors=True)


def put_folder(made: Path, target: Path) -> None:
    """Give a finished folder its name, when all of it is on the disk.

    A folder cannot replace another in one step everywhere, so an old one steps aside first; a
    process killed between the two leaves no folder there, never a mixed one.

    Parameters
    ----------
    made : Path
        The finished folder, in the same parent.
    target : Path
        Its name.

    Raises
    ------
    OSError
        When it cannot be flushed or renamed; what was there is still there.
    """
    for root, _, names in os.walk(made, topdown=False):
        for name in names:
            with Path(root, name).open("r+b") as stream:
                os.fsync(stream.fileno())
        _sync_folder(Path(root))
    aside = target.with_name(f".{target.name}.{_mark()}.tmp")
    if target.exists():
        target.replace(aside)
    try:
        made.replace(target)
    except OSError:
        if aside.exists():
            aside.replace(target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


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


def settle_geopackage(path: Path) -> Path:
    """Take out of a finished GeoPackage what depends on when and how fast it was written.

    Parameters
    ----------
    path : Path
        A GeoPackage that no program has open; it is compacted, every layer's date of change
        becomes ``STAMP``, and the count of transactions in the header becomes 1.

    Returns
    -------
    Path
        ``path``; the same content gives the same bytes.

    Raises
    ------
    sqlite3.Error
        When it is no SQLite file, or is locked.
    """
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("UPDATE gpkg_contents SET last_change = ?", (STAMP,))
        base.commit()
        base.execute("VACUUM")
    # The driver ends a transaction by the clock now and then; the header counts them twice.
    with path.open("rb+") as stream:
        for offset in (24, 92):
            stream.seek(offset)
            stream.write((1).to_bytes(4, "big"))
    return path


def sweep(folder: Path) -> int:
    """Delete temporaries whose writer is gone.

    Parameters
    ----------
    folder : Path
        Folder to look through; what lies deeper is left alone.

    Returns
    -------
    int
        Temporary files and folders deleted. A temporary is stale when its process no longer runs on this machine, or
        when it is older than a day.
    """
    gone = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None or not _stale(entry, found["machine"], int(found["process"])):
                continue
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    Path(entry.path).unlink()
                gone += 1
    return gone


def _stale(entry: os.DirEntry[str], machine: str, process: int) -> bool:
    try:
        if entry.is_symlink():
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
