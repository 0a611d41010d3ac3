"""One server a state file: two would each keep answers, jobs and a county of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catchment.errors import InputError


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other servers off a state file for as long as this one runs.

    The lock is one of the operating system, taken by SQLite on an empty file beside the state file:
    it goes with the process, however that ends, on Windows as elsewhere. The empty file may stay.

    Parameters
    ----------
    path : Path
        The state file.

    Yields
    ------
    None
        While the file is this server's.

    Raises
    ------
    InputError
        When another server runs on the file, or nothing can be written beside it.
    """
    path = path.resolve()
    lock = path.with_name(f"{path.name}.lock")
    db: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(lock, timeout=0.0, isolation_level=None, check_same_thread=False)
        db.execute("BEGIN EXCLUSIVE")
    except (sqlite3.Error, OSError) as fault:
        if db is not None:
            db.close()
        if getattr(fault, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise InputError(
                f"状态文件 {path.name} 已有一个工作台在用；请用它的链接，或先关掉它，或用 --state 另指文件 / a "
                f"workbench is already running on {path.name}: use its link, stop it first, or name "
                "another file with --state"
            ) from fault
        raise InputError(
            f"锁文件 {lock.name} 打不开：{fault}；请检查文件夹权限 / the lock file cannot be opened: {fault}; "
            "check that the folder may be written to"
        ) from fault
    try:
        yield
    finally:
        db.close()
