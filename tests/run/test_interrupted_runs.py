"""A run that is stopped at any write leaves whole files, says so, and goes on from there."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from catchment import files
from catchment.errors import CatchmentError, InputError
from catchment.run import execute, order
from catchment.views import folder as run_folder
from catchment.views.folder import UNFINISHED, execute_again, reload_run, write_run
from tests.tiny_files import write_tiny

_OLD = (
    'name = "旧"\nregion = "."\nyears = [2026, 2028]\n\n[method]\nassignment = "today"\n'
)  # fmt: skip


def _bytes(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(out.iterdir()) if p.name != "timing.json"}


@pytest.fixture(scope="module")
def county(tmp_path_factory) -> Path:
    folder = write_tiny(tmp_path_factory.mktemp("county"))
    (folder / "old.toml").write_text(_OLD, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def runs(county):
    return execute(county / "old.toml"), execute(county / "scenario.toml")


class Stop:
    """Lets so many whole-file writes pass and fails the next one."""

    def __init__(self, passes: int, fault: BaseException) -> None:
        self.left, self.fault, self.real = passes, fault, files.os.fsync
        self.count = 0

    def __call__(self, number: int) -> None:
        self.count += 1
        if self.left == 0:
            raise self.fault
        self.left -= 1
        self.real(number)


def test_every_write_in_turn_may_fail(county, runs, tmp_path, monkeypatch) -> None:
    old, new = runs
    whole = tmp_path / "whole"
    before = _bytes_of(old, whole / "a", county / "old.toml")
    after = _bytes_of(new, whole / "b", county / "scenario.toml")
    out = tmp_path / "out"
    write_run(old, out, recipe=county / "old.toml")
    assert _same(_bytes(out), before)
    # The documents are written again as they are: what counts here is the writing.
    for name, file in (("write_map", "map.html"), ("write_parents", "parents.html")):
        monkeypatch.setattr(run_folder, name, _copier(after, file))
    monkeypatch.setattr(run_folder, "write_deck", _copier(after, "deck.pptx"))
    monkeypatch.setattr(run_folder, "write_report", _reporter(after))
    faults = [OSError(errno.ENOSPC, "no space"), OSError(errno.EIO, "input/output error")]
    n = 0
    while True:
        with monkeypatch.context() as failing:
            failing.setattr(files.os, "fsync", Stop(n, faults[n % 2]))
            said = _refusal(lambda: write_run(new, out, recipe=county / "scenario.toml"))
        if not said:
            break
        assert "cannot be written" in said
        now = _bytes(out)
        marked = UNFINISHED in now
        now.pop(UNFINISHED, None)
        assert all(now[name] in (before[name], after[name]) for name in now), f"write {n}"
        assert set(now) == set(before)
        if marked:
            with pytest.raises(InputError, match="interrupted"):
                reload_run(out)
        else:
            assert _same(now, before)
        n += 1
        assert n < 200
    assert n > 8
    assert _same(_bytes(out), after)
    assert not [p.name for p in out.iterdir() if p.name.startswith(".")]


def _refusal(write) -> str:
    try:
        write()
    except CatchmentError as fault:
        return str(fault)
    return ""


def _copier(content: dict[str, bytes], name: str):
    return lambda run, path, **_: files.write_bytes(path, content[name])


def _reporter(content: dict[str, bytes]):
    names = [name for name in content if name.startswith("report")]
    return lambda run, folder, **_: [files.write_bytes(folder / n, content[n]) for n in names]


def _bytes_of(run, out: Path, recipe: Path) -> dict[str, bytes]:
    # The place of the recipe relative to the folder is part of the record: same depth, same name.
    out = out.parent.parent / f"{out.name}-out"
    write_run(run, out, recipe=recipe)
    return _bytes(out)


def _same(one: dict[str, bytes], other: dict[str, bytes]) -> bool:
    assert [name for name in sorted(one | other) if one.get(name) != other.get(name)] == []
    return True


def test_an_interrupted_run_goes_on_without_searching_again(county, tmp_path, monkeypatch) -> None:
    out, recipe = tmp_path / "out", county / "scenario.toml"
    whole = tmp_path / "whole"
    write_run(execute(recipe), whole, recipe=recipe)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "write_map", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_run(execute(recipe), out, recipe=recipe)
    monkeypatch.undo()
    said: list[str] = []
    monkeypatch.setattr(order, "scenario_plan", stopped)
    again = execute_again(recipe, out, progress=said.append)
    monkeypatch.undo()
    assert any("interrupted" in line for line in said)
    write_run(again, out, recipe=recipe)
    assert _same(_bytes(out), _bytes(whole))
    assert reload_run(out).name == again.name


@pytest.mark.parametrize(
    "left",
    [b"", b"{", b"[]", b'{"provenance": 3}', b'{"provenance": {"recipe_sha256": "x"}}'],
)
def test_a_damaged_or_foreign_record_is_not_used(county, tmp_path, left: bytes) -> None:
    recipe = county / "scenario.toml"
    (tmp_path / UNFINISHED).write_bytes(left)
    run = execute_again(recipe, tmp_path)
    assert run.plan.site_of.tolist() == execute(recipe).plan.site_of.tolist()


def test_a_record_of_other_layers_is_not_used(county, tmp_path) -> None:
    recipe = county / "scenario.toml"
    facts = run_folder.record(execute(recipe))
    for entry in facts["assignment"]:
        entry["site"] = dict.fromkeys(entry["site"], "S1")
    facts["provenance"]["digest"] = "of other layers"
    (tmp_path / UNFINISHED).write_text(json.dumps(facts), encoding="utf-8")
    run = execute_again(recipe, tmp_path)
    assert run.plan.site_of.tolist() == execute(recipe).plan.site_of.tolist()
