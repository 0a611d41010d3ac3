"""The batch's own ledger: what is done survives anything that can happen to the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from catchment.batch.tasks import Task
from catchment.errors import InputError

STATES = ("waiting", "done", "refused", "quarantined")
_TABLES = """
create table if not exists tasks (
  name text primary key, input text not null, state text not null, spoiled integer not null,
  output text not null, said text not null, changed text not null
);
create table if not exists events (
  number integer primary key, at text not null, name text not null, state text not null,
  said text not null
);
"""


class Ledger:
    """State, failures and digests of every task, in one SQLite file (WAL, fully synchronous).

    One process writes at a time: opening it takes a lock that ends with the process.

    Parameters
    ----------
    path : Path
        The file; made when missing.

    Raises
    ------
    InputError
        When another batch is at work on it, or the file is no ledger.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = sqlite3.connect(path.with_suffix(".lock"), timeout=0, isolation_level=None)
        try:
            self._lock.execute("begin exclusive")
        except sqlite3.OperationalError as fault:
            self._lock.close()
            raise InputError(
                f"{path.parent}: 另一个批处理正在使用该文件夹 / another batch is at work in this folder"
            ) from fault
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            self._base.execute("pragma journal_mode=wal")
            self._base.execute("pragma synchronous=full")
            self._base.executescript(_TABLES)
        except sqlite3.DatabaseError as fault:
            self.close()
            raise InputError(
                f"{path}: 台账文件损坏；请移走后重新运行（已完成的县会被认出） / damaged ledger; move it "
                "away and run again (counties that are done will be recognised)"
            ) from fault

    def close(self) -> None:
        """Close the file and give the lock back."""
        for each in (getattr(self, "_base", None), self._lock):
            if each is not None:
                each.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def enter(self, tasks: Iterable[Task], *, retry: bool = False) -> None:
        """Enter tasks; those whose input has changed begin anew.

        Parameters
        ----------
        tasks : iterable of Task
            All tasks of the batch; others are taken out.
        retry : bool
            Whether refused and quarantined tasks are tried again.
        """
        wanted = {task.name: task.digest for task in tasks}
        now = _now()
        with closing(self._base.cursor()) as at:
            at.execute("begin immediate")
            known = dict(at.execute("select name, input from tasks"))
            at.executemany(
                "delete from tasks where name = ?", [(n,) for n in known if n not in wanted]
            )
            fresh = [(n, d, now) for n, d in wanted.items() if known.get(n) != d]
            at.executemany(
                "insert or replace into tasks values (?, ?, 'waiting', 0, '', '', ?)", fresh
            )
            if retry:
                at.execute(
                    "update tasks set state = 'waiting', spoiled = 0, said = '' "
                    "where state in ('refused', 'quarantined')"
                )
            at.execute("commit")

    def note(
        self, name: str, state: str, *, spoiled: int = 0, output: str = "", said: str = ""
    ) -> None:
        """Record what has become of a task; it is on the disk when this returns.

        Parameters
        ----------
        name : str
            The task.
        state : str
            One of ``STATES``.
        spoiled : int
            Failures so far.
        output : str
            Digest of its output.
        said : str
            Why it failed.
        """
        now = _now()
        with closing(self._base.cursor()) as at:
            at.execute("begin immediate")
            at.execute(
                "update tasks set state = ?, spoiled = ?, output = ?, said = ?, changed = ? "
                "where name = ?",
                (state, spoiled, output, said, now, name),
            )
            at.execute(
                "insert into events (at, name, state, said) values (?, ?, ?, ?)",
                (now, name, state, said),
            )
            at.execute("commit")

    def ended(self) -> int:
        """Count the tasks that are not waiting any more.

        Returns
        -------
        int
            Done, refused and quarantined ones.
        """
        found = self._base.execute("select count(*) from tasks where state != 'waiting'")
        return int(found.fetchone()[0])

    def table(self) -> pd.DataFrame:
        """All tasks.

        Returns
        -------
        DataFrame
            ``name, input, state, spoiled, output, said``, in order of name.
        """
        return pd.read_sql_query(
            "select name, input, state, spoiled, output, said from tasks order by name", self._base
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
