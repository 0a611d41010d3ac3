"""A bounded, seeded run of the mutation fuzzer; long runs are recorded in docs/files.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
