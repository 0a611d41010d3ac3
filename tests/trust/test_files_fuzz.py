"""A bounded, seeded run of the mutation fuzzer; long runs are recorded in docs/files.md."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from catchment.region.faults import LayerError
from catchment.region.raw import Place
from catchment.region.vector import _read_dbf

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz_readers.py"
SECONDS = 15


def test_mutated_files_break_no_promise():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--seconds", str(SECONDS), "--seed", "20261122"],
        capture_output=True, text=True, encoding="utf-8", check=False, timeout=180,
        env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "broken promises: 0" in done.stdout
    assert int(done.stdout.split(": ")[1].split()[0]) >= 8


def test_an_untold_change_would_be_found(tmp_path, monkeypatch):
    """The fuzzer itself can fail: a reader that loses a row is caught."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import dirty_files as make

    import fuzz_readers

    folder = make.county(tmp_path / "county")
    kept = make.as_csv(make.CHILDREN)
    told = {f.line() for f in _faults(folder)}
    (folder / "学龄人口.csv").write_text(kept.replace(",3\n", ",4\n", 1), encoding="utf-8")
    assert fuzz_readers.outcome(folder, "csv", told, make.TOTAL) == "other figures, as in the file"
    real = fuzz_readers.independent_total
    monkeypatch.setattr(fuzz_readers, "independent_total", lambda *a: real(*a) + 1)
    assert fuzz_readers.outcome(folder, "csv", told, make.TOTAL).startswith("UNTOLD")


def _faults(folder):
    from catchment.network.doubts import check_roads
    from catchment.region.check import check_region

    return check_region(folder, further=check_roads).faults


def test_a_table_that_says_its_header_is_longer_than_the_file_is_refused(tmp_path):
    """Found by coverage: the fields were looked for beyond the end of the file."""
    path = tmp_path / "村庄.dbf"
    words = (
        "MjAyNiw1CjAwNCwyNiw5CjAwAOYwMjYsMwowMDIsMiwyMDI2LDQKMDAzLDMsMjAyNiw1CjAwNCwyNiw5CjAwOCwy"
        "1M3PzTYsMTAK"
    )
    path.write_bytes(base64.b64decode(words)[1:])
    with pytest.raises(LayerError) as told:
        _read_dbf(Place("children", path, "村庄.shp"), path, "", "")
    assert told.value.fault.code == "file_unreadable"
