"""Writers under a full disk, a failing disk and kills: the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from dirty_files import county

from catchment import files
from catchment.errors import CatchmentError
from catchment.files import NotWrittenError, sweep, write_atomically, write_bytes
from catchment.region.read import read_region
from catchment.region.write import write_region


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_every_nth_step_may_fail(tmp_path, monkeypatch, code):
    """Fail the 1st, 2nd, ... system call of a write until one goes through clean."""
    path = tmp_path / "figures.csv"
    write_bytes(path, b"old")
    calls = {"n": 0, "stop": 0}

    def failing(real):
        def call(*words, **more):
            calls["n"] += 1
            if calls["n"] == calls["stop"]:
                raise OSError(code, os.strerror(code))
            return real(*words, **more)

        return call

    def fill(beside: Path) -> None:
        with beside.open("wb") as stream:
            for k in range(5):
                failing(stream.write)(b"new%d" % k)

    for name in ("open", "replace"):
        monkeypatch.setattr(Path, name, failing(getattr(Path, name)))
    monkeypatch.setattr(files.os, "fsync", failing(os.fsync))
    clean = 0
    for stop in range(1, 40):
        calls.update(n=0, stop=stop)
        said = ""
        try:
            write_atomically(path, fill)
            clean += 1
        except NotWrittenError as fault:
            said = str(fault)
        calls["stop"] = 0
        assert not said or os.strerror(code) in said
        assert path.read_bytes() in {b"old", b"new0new1new2new3new4"}
        assert [p.name for p in tmp_path.iterdir()] == ["figures.csv"]
    assert 0 < clean < 39
    assert path.read_bytes() == b"new0new1new2new3new4"


_FULL = """
import resource, signal, sys, hashlib
from pathlib import Path
from catchment.errors import CatchmentError
from catchment.region.read import read_region
from catchment.region.write import write_region
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
county, target = Path(sys.argv[1]), Path(sys.argv[2])
region = read_region(county)
before = hashlib.sha256(target.read_bytes()).hexdigest()
size = target.stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
failed = 0
for limit in [0, 1, 512, 4095, 4096, *range(8192, size, 16384), size - 1]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        write_region(region.replace(name="x"), target)
    except CatchmentError:
        failed += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    if hashlib.sha256(target.read_bytes()).hexdigest() != before:
        print("changed", limit)
        break
    read_region(target)
    left = [p.name for p in target.parent.iterdir() if p.name != target.name]
    if left:
        print("left", limit, left)
        break
print("failed", failed)
write_region(region.replace(name="x"), target)
print(read_region(target).name)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes here")
def test_a_disk_that_fills_up_under_the_geometry_library(tmp_path):
    """Every write of a GeoPackage beyond a growing limit fails, in C code too."""
    folder = county(tmp_path / "county")
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "r.gpkg"
    write_region(read_region(folder), target)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FULL), str(folder), str(target)],
        capture_output=True, text=True, encoding="utf-8", check=False, timeout=300,
        env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    lines = done.stdout.split("\n")
    assert "changed" not in done.stdout, done.stdout
    assert "left" not in done.stdout, done.stdout
    assert lines[-2] == "x", done.stdout + done.stderr[-2000:]
    assert int(lines[-3].split()[1]) >= 10


_KILL = """
import sys
from pathlib import Path
from catchment.files import write_atomically
target, stop = Path(sys.argv[1]), int(sys.argv[2])
def fill(beside):
    with beside.open("wb", buffering=0) as stream:
        for k in range(6):
            stream.write(b"new%d" % k)
            if k == stop:
                import os, signal
                os.kill(os.getpid(), signal.SIGKILL)
write_atomically(target, fill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are asked after on POSIX only")
def test_killed_writers_leave_the_old_file_and_are_swept(tmp_path):
    path = tmp_path / "表.csv"
    write_bytes(path, b"old")
    for stop in (0, 3):
        subprocess.run([sys.executable, "-c", _KILL, str(path), str(stop)], check=False)
        assert path.read_bytes() == b"old"
    # The second run has swept what the first one left.
    assert len(list(tmp_path.iterdir())) == 2
    write_bytes(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["表.csv"]


def test_only_stale_temporaries_of_our_own_are_swept(tmp_path):
    mine = tmp_path / f".a.{files._mark()}.tmp.csv"
    old = tmp_path / ".a.000000-1-0123abcd.tmp.csv"
    other = tmp_path / ".a.000000-1-0123abce.tmp.csv"
    strange = [tmp_path / n for n in (".bashrc", ".a.tmp.csv", "a.000000-1-0123abcd.tmp.csv")]
    for path in (mine, old, other, *strange):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    for path in strange:
        os.utime(path, (1, 1))
    assert sweep(tmp_path) == 1
    assert not old.exists()
    assert mine.exists()
    assert other.exists()
    assert all(p.exists() for p in strange)


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    def stop(beside: Path) -> None:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.csv", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_writer_itself_is_passed_on(tmp_path):
    def refuse(_: Path) -> None:
        raise CatchmentError("no / nein")

    with pytest.raises(CatchmentError, match="nein"):
        write_atomically(tmp_path / "a.csv", refuse)


def test_what_is_written_is_what_is_there(tmp_path):
    rng = np.random.default_rng(1)
    content = rng.bytes(200_000)
    write_bytes(tmp_path / "deep" / "a.bin", content)
    assert (
        hashlib.sha256((tmp_path / "deep" / "a.bin").read_bytes()).digest()
        == hashlib.sha256(content).digest()
    )


def test_a_settled_geopackage_does_not_tell_how_it_was_written(tmp_path):
    import geopandas as gpd
    from shapely import Point

    made = []
    for name, pauses in (("one", 0), ("two", 5)):
        path = tmp_path / f"{name}.gpkg"
        table = gpd.GeoDataFrame({"n": [1, 2]}, geometry=[Point(1, 2), Point(3, 4)], crs=4490)
        table.to_file(path, layer="places", driver="GPKG", engine="pyogrio")
        with contextlib.closing(sqlite3.connect(path)) as base:
            for pause in range(pauses):
                base.execute("UPDATE gpkg_contents SET last_change = ?", (f"200{pause}-01-01",))
                base.commit()
        files.settle_geopackage(path)
        made.append(path)
        assert gpd.read_file(path, layer="places")["n"].tolist() == [1, 2]
        with contextlib.closing(sqlite3.connect(path)) as base:
            assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert made[0].read_bytes() == made[1].read_bytes()
