"""The state file: nothing acknowledged is lost, nothing is saved over another's change."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import CatchmentError, InputError
from catchment.web.store import Change, ConflictError, Store

WORDS = {"zh": ["改"], "en": ["changed"]}


def _change(kind: str = "save", by: str = "甲") -> Change:
    return Change(by, "", kind, WORDS)


def test_many_hands_on_one_variant(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    ident = store.create({"name": "0"}, _change("create"))["id"]
    kept: list[tuple[int, str]] = []
    refused = [0]
    lock = threading.Lock()

    def work(who: int) -> None:
        for k in range(12):
            now = store.variant(ident)["version"]
            try:
                found = store.change(ident, now, _change(by=str(who)), {"name": f"{who}.{k}"})
            except ConflictError:
                with lock:
                    refused[0] += 1
                continue
            with lock:
                kept.append((found["version"], f"{who}.{k}"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(kept) + refused[0] == 72
    assert sorted(v for v, _ in kept) == list(range(2, len(kept) + 2))
    for version, name in kept:
        assert store.variant(ident, version)["document"]["name"] == name
    assert store.sound() == []


def test_history_cannot_be_rewritten(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    ident = store.create({"name": "甲"}, _change("create"))["id"]
    store.change(ident, 1, _change(), {"name": "乙"})
    with sqlite3.connect(store.path) as db:
        for order in ("DELETE FROM history", "UPDATE history SET by = '丙'"):
            with pytest.raises(sqlite3.DatabaseError, match="only added to"):
                db.execute(order)
        db.execute("DROP TRIGGER history_stays")
        db.execute("UPDATE history SET by = '丙' WHERE version = 1")
    db.close()
    assert any("chain" in line for line in store.sound())


@settings(deadline=None, max_examples=15)
@given(steps=st.lists(st.sampled_from(["save", "undo", "redo"]), max_size=14))
def test_undo_and_redo_as_an_editor_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    store = Store(tmp_path_factory.mktemp("s") / "s.sqlite")
    ident = store.create({"name": "0"}, _change("create"))["id"]
    line, place, version = ["0"], 0, 1
    for k, step in enumerate(steps):
        if step == "save":
            line, place = [*line[: place + 1], str(k + 1)], place + 1
        elif 0 <= place + (1 if step == "redo" else -1) < len(line):
            place += 1 if step == "redo" else -1
        else:
            with pytest.raises(InputError):
                store.change(ident, version, _change(step))
            continue
        found = store.change(ident, version, _change(step), {"name": line[place]})
        version += 1
        assert found["document"]["name"] == line[place]
        assert (found["can_undo"], found["can_redo"]) == (place > 0, place < len(line) - 1)
    assert len(store.history(ident)) == version
    assert store.sound() == []


def test_approved_is_closed(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    ident = store.create({"name": "甲"}, _change("create"))["id"]
    store.change(ident, 1, _change("approve"))
    for kind in ("save", "undo", "delete"):
        with pytest.raises(ConflictError) as clash:
            store.change(ident, 2, _change(kind), {"name": "乙"})
        assert clash.value.approved
    assert store.change(ident, 2, _change("reopen"))["state"] == "draft"


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"s\.sqlite"):
        Store(path)
    assert path.read_bytes() == content


def test_sessions(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    token = store.open_session("甲", "editor")
    assert Store(store.path).session(token) == ("甲", "editor")
    assert store.session(token + "x") is None
    with sqlite3.connect(store.path) as db:
        held: Any = db.execute("SELECT token FROM sessions").fetchall()
    db.close()
    assert token not in held[0][0]
    store.close_session(token)
    assert store.session(token) is None
    assert store.session(store.open_session("甲", "editor", hours=-1)) is None


def test_a_missing_variant(tmp_path: Path) -> None:
    with pytest.raises(CatchmentError):
        Store(tmp_path / "s.sqlite").variant(7)
