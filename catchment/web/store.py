"""The state of a county's workbench in one SQLite file: variants, their history, jobs, sessions.

A connection of its own for every request; write-ahead log and full synchronous, so that what is acknowledged is on
disk. History is only ever added to: the file itself refuses to change or delete a row of it, and
every row carries the digest of the one before.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError, InputError, NotFoundError

_IDLE = 18
"""Connections kept for the requests to come."""
_LINE = 500
"""Steps that can be undone."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS variants (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version INTEGER NOT NULL,
  state TEXT NOT NULL, deleted INTEGER NOT NULL, source TEXT, by TEXT NOT NULL, at TEXT NOT NULL,
  line TEXT NOT NULL, place INTEGER NOT NULL, words TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS history (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, variant INTEGER NOT NULL, version INTEGER NOT NULL,
  at TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, kind TEXT NOT NULL, words TEXT NOT NULL,
  document TEXT NOT NULL, before TEXT NOT NULL, digest TEXT NOT NULL,
  UNIQUE (variant, version)) STRICT;
CREATE TRIGGER IF NOT EXISTS history_stays BEFORE UPDATE ON history
  BEGIN SELECT RAISE(ABORT, 'history is only added to'); END;
CREATE TRIGGER IF NOT EXISTS history_keeps BEFORE DELETE ON history
  BEGIN SELECT RAISE(ABORT, 'history is only added to'); END;
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
  token TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, until TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS users (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, secret TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS asks (
  variant INTEGER NOT NULL, by TEXT NOT NULL, ask TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (variant, by, ask)) STRICT;
"""

_UNDER = {"save", "undo", "redo"}
_IDLE_STEPS = {
    ("approve", "approved", False), ("reopen", "draft", False),
    ("restore", "draft", False), ("restore", "approved", False),
}  # fmt: skip
"""Kind, state, put away: steps that would leave a line in the history and change nothing."""


class MissingError(NotFoundError):
    """An address names nothing that is kept."""


class ConflictError(Exception):
    """Somebody else has changed the variant in the meantime.

    Parameters
    ----------
    now : dict
        The variant as it is, document included.
    changes : list of dict
        What happened since the version that was expected.
    approved : bool
        Whether the variant is approved, and therefore closed.
    """

    def __init__(
        self, now: dict[str, Any], changes: list[dict[str, Any]], *, approved: bool = False
    ) -> None:
        super().__init__("conflict")
        self.now = now
        self.changes = changes
        self.approved = approved


@dataclass(frozen=True)
class Change:
    """One change about to be made.

    Attributes
    ----------
    by, why : str
        Who and why.
    kind : str
        ``create``, ``save``, ``undo``, ``redo``, ``approve``, ``reopen``, ``delete``, ``restore``,
        ``import`` or ``job``.
    words : dict
        ``zh`` and ``en``: what it is, lines of words.
    ask : str
        Name the asker gave the request, by which it is known when it comes again; or empty.
    """

    by: str
    why: str
    kind: str
    words: Mapping[str, Sequence[str]]
    ask: str = ""


def moment() -> str:
    """Return the time now.

    Returns
    -------
    str
        UTC, to the millisecond.
    """
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """The state file of one county.

    Parameters
    ----------
    path : Path
        SQLite file, made if need be.

    Attributes
    ----------
    stamp : int
        Goes up with every write by this process, after it is on disk.

    Raises
    ------
    InputError
        When the file is no state file of a workbench, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self.stamp = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._open() as db:
                mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if mode != "wal" or found != "ok":
                    raise InputError(
                        f"状态文件 {path.name} 损坏或不支持 WAL（{found}，{mode}）；请恢复备份或换到本机磁盘 / "
                        "the state file is damaged or cannot keep a write-ahead log: restore a "
                        "backup, or put it on a local disk"
                    )
                db.executescript(_SCHEMA)
                db.execute("INSERT OR IGNORE INTO meta VALUES ('format', '1')")
        except sqlite3.DatabaseError as fault:
            raise InputError(
                f"状态文件 {path.name} 打不开：{fault}；请检查路径和权限，或恢复备份 / the state file cannot "
                f"be opened: {fault}"
            ) from fault

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to one request alone; it is kept for the next when that went well.

        The last connection that closes makes SQLite empty the log into the file, which costs more
        than the change that was written: so some are kept.
        """
        try:
            db = self._idle.pop()
        except IndexError:
            db = self._connect()
        sound = False
        try:
            yield db
            sound = True
        except (ConflictError, CatchmentError):
            # Nothing is wrong with the connection.
            sound = True
            raise
        finally:
            if sound and not db.in_transaction and len(self._idle) < _IDLE:
                self._idle.append(db)
            else:
                db.close()

    def _connect(self) -> sqlite3.Connection:
        # Lent to one thread at a time, not to one thread for ever.
        db = sqlite3.connect(self.path, timeout=30.0, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        db.row_factory = sqlite3.Row
        return db

    def close(self) -> None:
        """Close the connections that nobody uses; the file then stands alone, without its log."""
        while self._idle:
            self._idle.pop().close()

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        # Whoever read before this keeps an older stamp: what was read is then read again.
        self.stamp += 1

    # ------------------------------------------------------------------ variants

    def variants(self, *, deleted: bool = False) -> list[dict[str, Any]]:
        """List the variants.

        Parameters
        ----------
        deleted : bool
            Whether those put away are listed too.

        Returns
        -------
        list of dict
            In order of their making.
        """
        with self._open() as db:
            rows = db.execute("SELECT * FROM variants ORDER BY id").fetchall()
        return [_entry(r) for r in rows if deleted or not r["deleted"]]

    def variant(self, ident: int, version: int | None = None) -> dict[str, Any]:
        """Return one variant with its document.

        Parameters
        ----------
        ident : int
            Its number.
        version : int, optional
            An older version.

        Returns
        -------
        dict
            The entry of the list, and ``document``.

        Raises
        ------
        MissingError
            When there is none.
        """
        with self._open() as db:
            return self._variant(db, ident, version)

    def _variant(
        self, db: sqlite3.Connection, ident: int, version: int | None = None
    ) -> dict[str, Any]:
        row = db.execute("SELECT * FROM variants WHERE id = ?", (ident,)).fetchone()
        if row is None:
            raise MissingError(f"没有方案 {ident} / no variant {ident}")
        asked = row["version"] if version is None else version
        past = db.execute(
            "SELECT * FROM history WHERE variant = ? AND version = ?", (ident, asked)
        ).fetchone()
        if past is None:
            raise MissingError(f"方案 {ident} 没有第 {asked} 版 / no version {asked}")
        entry = {**_entry(row), "document": json.loads(past["document"])}
        if version is not None and version != row["version"]:
            entry |= {"version": asked, "by": past["by"], "at": past["at"]}
        return entry

    def create(
        self, document: Mapping[str, Any], change: Change, source: str | None = None
    ) -> dict[str, Any]:
        """Add a variant.

        Parameters
        ----------
        document : mapping
            Its document.
        change : Change
            Who, why.
        source : str, optional
            Where it comes from, such as ``variant 2`` or ``job 3``.

        Returns
        -------
        dict
            The new variant with its document.
        """
        now = moment()
        with self._write() as db:
            cursor = db.execute(
                "INSERT INTO variants (name, version, state, deleted, source, by, at, line, place,"
                " words) VALUES (?, 1, 'draft', 0, ?, ?, ?, '[1]', 0, ?)",
                (str(document["name"]), source, change.by, now, _text(change.words)),
            )
            ident = int(cursor.lastrowid or 0)
            _add(db, ident, 1, now, change, document)
            return self._variant(db, ident)

    def change(
        self, ident: int, expected: int, change: Change, document: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make one change to a variant, if nobody else has made one since.

        Parameters
        ----------
        ident : int
            Its number.
        expected : int
            Version that the change was made on.
        change : Change
            Who, why and what kind.
        document : mapping, optional
            The new document of a ``save``.

        Returns
        -------
        dict
            The variant with its document; it is on disk.

        Raises
        ------
        MissingError
            When there is no such variant.
        ConflictError
            When the version is another one, or the variant is approved.
        InputError
            When there is nothing to undo or redo, or the state does not allow the change.
        """
        now = moment()
        with self._write() as db:
            held = self._variant(db, ident)
            row = db.execute("SELECT * FROM variants WHERE id = ?", (ident,)).fetchone()
            if held["version"] != expected:
                if (
                    change.ask
                    and db.execute(
                        "SELECT 1 FROM asks WHERE variant = ? AND by = ? AND ask = ?",
                        (ident, change.by, change.ask),
                    ).fetchone()
                ):
                    # It came again while it was being taken.
                    return held
                raise ConflictError(held, _since(db, ident, expected))
            if row["state"] == "approved" and change.kind in (*_UNDER, "delete"):
                raise ConflictError(held, [], approved=True)
            if row["deleted"] and change.kind != "restore":
                raise MissingError(f"方案 {ident} 已删除，可先恢复 / variant was put away")
            if (change.kind, row["state"], bool(row["deleted"])) in _IDLE_STEPS:
                raise InputError("方案已是这个状态 / the variant is in that state already")
            line, place = json.loads(row["line"]), int(row["place"])
            version = expected + 1
            kept = held["document"]
            if change.kind == "save":
                kept = document if document is not None else kept
                line, place = [*line[: place + 1], version][-_LINE:], place + 1
                place = min(place, len(line) - 1)
            elif change.kind in ("undo", "redo"):
                place += 1 if change.kind == "redo" else -1
                if not 0 <= place < len(line):
                    raise InputError("没有可撤销或重做的步骤 / nothing to undo or redo")
                kept = self._variant(db, ident, line[place])["document"]
            state = {"approve": "approved", "reopen": "draft"}.get(change.kind, row["state"])
            gone = {"delete": 1, "restore": 0}.get(change.kind, row["deleted"])
            words = _text(change.words)
            _add(db, ident, version, now, change, kept)
            db.execute(
                "UPDATE variants SET name = ?, version = ?, state = ?, deleted = ?, by = ?, at = ?,"
                " line = ?, place = ?, words = ? WHERE id = ? AND version = ?",
                (str(kept["name"]), version, state, gone, change.by, now, json.dumps(line), place,
                 words, ident, expected),
            )  # fmt: skip
            if change.ask:
                db.execute(
                    "INSERT INTO asks VALUES (?, ?, ?, ?)", (ident, change.by, change.ask, version)
                )
            return self._variant(db, ident)

    def taken(self, ident: int, by: str, ask: str) -> dict[str, Any] | None:
        """Find out whether a request was taken before; its answer may have been lost.

        Parameters
        ----------
        ident : int
            Number of the variant.
        by, ask : str
            Who asked, and the name given to the request.

        Returns
        -------
        dict or None
            The variant as it is now; None where the request is a new one.
        """
        with self._open() as db:
            row = db.execute(
                "SELECT 1 FROM asks WHERE variant = ? AND by = ? AND ask = ?", (ident, by, ask)
            ).fetchone()
            return None if row is None else self._variant(db, ident)

    def replace_county(
        self,
        change: Change,
        document: Mapping[str, Any],
        note: str,
        revision: int,
        *,
        withdraw: bool,
    ) -> list[int]:
        """Keep that the county was replaced: in its own history and in that of every variant.

        Every variant goes one version up, so that nobody saves on figures of the county before. An
        approval was given on the county before, and is withdrawn.

        Parameters
        ----------
        change : Change
            Who, why; kind ``import``.
        document : mapping
            What the history of the county itself (variant 0) keeps: ``name``, ``before``,
            ``after``.
        note : str
            What a restart opens.
        revision : int
            Number of the new county.
        withdraw : bool
            Whether who does it may withdraw approvals.

        Returns
        -------
        list of int
            Variants whose approval was withdrawn.

        Raises
        ------
        ConflictError
            When a variant is approved and that may not be withdrawn.
        InputError
            When another county was accepted in the meantime.
        """
        now = moment()
        with self._write() as db:
            rows = db.execute("SELECT * FROM variants ORDER BY id").fetchall()
            closed = [int(r["id"]) for r in rows if r["state"] == "approved"]
            if closed and not withdraw:
                raise ConflictError(self._variant(db, closed[0]), [], approved=True)
            taken = db.execute("SELECT MAX(version) FROM history WHERE variant = 0").fetchone()[0]
            if taken is not None and taken >= revision:
                raise InputError(
                    "另一份县域数据刚刚启用，请重新导入 / another county was accepted meanwhile; import again"
                )
            _add(db, 0, revision, now, change, document)
            for row in rows:
                ident, version = int(row["id"]), int(row["version"]) + 1
                gone = ident in closed
                own = replace(
                    change,
                    words={
                        "zh": [*change.words["zh"], *(["审定随之撤销"] if gone else [])],
                        "en": [
                            *change.words["en"],
                            *(["its approval is withdrawn"] if gone else []),
                        ],
                    },
                )
                _add(db, ident, version, now, own, self._variant(db, ident)["document"])
                db.execute(
                    "UPDATE variants SET version = ?, state = 'draft', by = ?, at = ?, words = ?"
                    " WHERE id = ?",
                    (version, change.by, now, _text(own.words), ident),
                )
            db.execute("INSERT OR REPLACE INTO meta VALUES ('county', ?)", (note,))
        return closed

    def expect(self, ident: int, version: int) -> dict[str, Any]:
        """Return a variant if it is still at a version; :meth:`change` asks once more.

        Parameters
        ----------
        ident, version : int
            Its number, and the version a change is to be made on.

        Returns
        -------
        dict
            The variant with its document.

        Raises
        ------
        MissingError
            When there is none.
        ConflictError
            When the version is another one.
        """
        with self._open() as db:
            held = self._variant(db, ident)
            if held["version"] != version:
                raise ConflictError(held, _since(db, ident, version))
            return held

    def neighbour(self, ident: int, step: int) -> dict[str, Any] | None:
        """Return the document that an undo or a redo would bring back.

        Parameters
        ----------
        ident : int
            Number of the variant.
        step : {-1, 1}
            Undo or redo.

        Returns
        -------
        dict or None
            None where there is nothing to undo or redo.
        """
        with self._open() as db:
            row = db.execute("SELECT * FROM variants WHERE id = ?", (ident,)).fetchone()
            if row is None:
                raise MissingError(f"没有方案 {ident} / no variant {ident}")
            line, place = json.loads(row["line"]), int(row["place"]) + step
            if not 0 <= place < len(line):
                return None
            found: dict[str, Any] = self._variant(db, ident, line[place])["document"]
            return found

    def history(
        self, ident: int | None = None, *, after: int = 0, most: int = 500
    ) -> list[dict[str, Any]]:
        """List changes.

        Parameters
        ----------
        ident : int, optional
            One variant; all when left out.
        after : int
            Only rows after this one.
        most : int
            How many at most, the newest.

        Returns
        -------
        list of dict
            Newest first.
        """
        with self._open() as db:
            if ident is not None:
                self._variant(db, ident)
            rows = db.execute(
                "SELECT * FROM history WHERE seq > ? AND (? IS NULL OR variant = ?)"
                " ORDER BY seq DESC LIMIT ?",
                (after, ident, ident, most),
            ).fetchall()
        return [_row(r) for r in rows]

    def last(self) -> int:
        """Return the number of the last change.

        Returns
        -------
        int
            0 where nothing has happened.
        """
        with self._open() as db:
            return int(db.execute("SELECT COALESCE(MAX(seq), 0) FROM history").fetchone()[0])

    def meta(self, key: str) -> str | None:
        """Look up a note of the file.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        str or None
            Its text.
        """
        with self._open() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keep a note.

        Parameters
        ----------
        key, value : str
            Name and text.
        """
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def sound(self) -> list[str]:
        """Check the file: its pages, the chain of digests, every variant against its history.

        Returns
        -------
        list of str
            What is wrong; empty when all is well.
        """
        wrong: list[str] = []
        with self._open() as db:
            found = [r[0] for r in db.execute("PRAGMA integrity_check").fetchall()]
            wrong += [f for f in found if f != "ok"]
            before = ""
            for row in db.execute("SELECT * FROM history ORDER BY seq"):
                if row["before"] != before or row["digest"] != _digest(row):
                    wrong.append(f"history {row['seq']}: chain broken")
                before = row["digest"]
            for row in db.execute(
                "SELECT v.id FROM variants v WHERE v.version <> (SELECT MAX(h.version) FROM history h"
                " WHERE h.variant = v.id)"
            ):
                wrong.append(f"variant {row['id']}: version does not stand in its history")
        return wrong

    # ------------------------------------------------------------------ jobs

    def add_job(self, body: Mapping[str, Any]) -> int:
        """Add a job.

        Parameters
        ----------
        body : mapping
            What is known of it.

        Returns
        -------
        int
            Its number.
        """
        with self._write() as db:
            cursor = db.execute(
                "INSERT INTO jobs (state, body) VALUES (?, ?)", (body["state"], _text(body))
            )
            return int(cursor.lastrowid or 0)

    def set_job(self, ident: int, body: Mapping[str, Any]) -> None:
        """Keep what is known of a job now.

        Parameters
        ----------
        ident : int
            Its number.
        body : mapping
            What is known.
        """
        with self._write() as db:
            db.execute(
                "UPDATE jobs SET state = ?, body = ? WHERE id = ?",
                (body["state"], _text(body), ident),
            )

    def jobs(self, most: int = 50) -> list[dict[str, Any]]:
        """List jobs.

        Parameters
        ----------
        most : int
            How many at most.

        Returns
        -------
        list of dict
            Newest first.
        """
        with self._open() as db:
            rows = db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (most,)).fetchall()
        return [{"id": r["id"], **json.loads(r["body"])} for r in rows]

    def job(self, ident: int) -> dict[str, Any]:
        """Return one job.

        Parameters
        ----------
        ident : int
            Its number.

        Returns
        -------
        dict
            What is known of it.

        Raises
        ------
        MissingError
            When there is none.
        """
        with self._open() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (ident,)).fetchone()
        if row is None:
            raise MissingError(f"没有任务 {ident} / no job {ident}")
        return {"id": row["id"], **json.loads(row["body"])}

    # ------------------------------------------------------------------ people

    def open_session(self, name: str, role: str, hours: float = 12.0) -> str:
        """Begin a session.

        Parameters
        ----------
        name, role : str
            Who, and as what.
        hours : float
            How long it lasts.

        Returns
        -------
        str
            Its token; the file holds a digest alone.
        """
        token = secrets.token_urlsafe(32)
        until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
        with self._write() as db:
            db.execute("DELETE FROM sessions WHERE until < ?", (moment(),))
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)",
                (_hashed(token), name, role, until.isoformat()),
            )
        return token

    def session(self, token: str) -> tuple[str, str] | None:
        """Find a session.

        Parameters
        ----------
        token : str
            What the browser sent.

        Returns
        -------
        (str, str) or None
            Name and role; None where there is no such session or it is over.
        """
        with self._open() as db:
            row = db.execute("SELECT * FROM sessions WHERE token = ?", (_hashed(token),)).fetchone()
        if row is None or dt.datetime.fromisoformat(row["until"]) < dt.datetime.now(dt.UTC):
            return None
        return row["name"], row["role"]

    def close_session(self, token: str) -> None:
        """End a session.

        Parameters
        ----------
        token : str
            What the browser sent.
        """
        with self._write() as db:
            db.execute("DELETE FROM sessions WHERE token = ?", (_hashed(token),))

    def set_user(self, name: str, role: str, secret: str) -> None:
        """Add a user or replace role and password; their sessions end.

        Parameters
        ----------
        name, role : str
            Who, and as what.
        secret : str
            Hash of the password.
        """
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO users VALUES (?, ?, ?)", (name, role, secret))
            db.execute("DELETE FROM sessions WHERE name = ?", (name,))

    def user(self, name: str) -> tuple[str, str] | None:
        """Find a user.

        Parameters
        ----------
        name : str
            Who.

        Returns
        -------
        (str, str) or None
            Role and hash of the password.
        """
        with self._open() as db:
            row = db.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else (row["role"], row["secret"])

    def users(self) -> list[tuple[str, str]]:
        """List users.

        Returns
        -------
        list of (str, str)
            Name and role.
        """
        with self._open() as db:
            rows = db.execute("SELECT name, role FROM users ORDER BY name").fetchall()
        return [(r["name"], r["role"]) for r in rows]


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _digest(row: Any) -> str:
    keys = ("variant", "version", "at", "by", "why", "kind", "words", "document", "before")
    return hashlib.sha256(json.dumps([row[k] for k in keys]).encode()).hexdigest()


def _add(
    db: sqlite3.Connection,
    ident: int,
    version: int,
    now: str,
    change: Change,
    document: Mapping[str, Any],
) -> None:
    last = db.execute("SELECT digest FROM history ORDER BY seq DESC LIMIT 1").fetchone()
    row = {
        "variant": ident,
        "version": version,
        "at": now,
        "by": change.by,
        "why": change.why,
        "kind": change.kind,
        "words": _text(change.words),
        "document": _text(document),
        "before": "" if last is None else last[0],
    }
    db.execute(
        "INSERT INTO history (variant, version, at, by, why, kind, words, document, before, digest)"
        " VALUES (:variant, :version, :at, :by, :why, :kind, :words, :document, :before, :digest)",
        {**row, "digest": _digest(row)},
    )


def _since(db: sqlite3.Connection, ident: int, version: int) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT * FROM history WHERE variant = ? AND version > ? ORDER BY seq DESC LIMIT 100",
        (ident, version),
    ).fetchall()
    return [_row(r) for r in rows]


def _row(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "seq": row["seq"],
        "variant": row["variant"],
        "name": json.loads(row["document"])["name"],
        "version": row["version"],
        "at": row["at"],
        "by": row["by"],
        "why": row["why"],
        "kind": row["kind"],
        "words": json.loads(row["words"]),
    }


def _entry(row: sqlite3.Row) -> dict[str, Any]:
    line = json.loads(row["line"])
    return {
        "id": row["id"],
        "name": row["name"],
        "version": row["version"],
        "by": row["by"],
        "at": row["at"],
        "state": row["state"],
        "deleted": bool(row["deleted"]),
        "from": row["source"],
        "summary": json.loads(row["words"]),
        "can_undo": row["place"] > 0,
        "can_redo": row["place"] < len(line) - 1,
    }
