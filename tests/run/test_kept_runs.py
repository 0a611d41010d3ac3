"""A run with a cache folder writes the same bytes as one without."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import zipfile
from pathlib import Path

from catchment.network.kept import Kept
from catchment.run import execute
from catchment.views.folder import write_run
from tests.tiny_files import write_tiny


def _written(folder: Path, out: Path, kept: Kept | None) -> dict[str, bytes]:
    recipe = folder / "scenario.toml"
    write_run(execute(recipe, kept=kept), out, recipe=recipe)
    # Seconds taken are no result.
    return {p.name: p.read_bytes() for p in sorted(out.iterdir()) if p.name != "timing.json"}


def _different(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


def test_the_same_bytes_with_and_without(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    (county / "scenario.toml").write_text(
        'name = "试"\nregion = "."\nyears = [2026, 2028]\n\n[method]\nassignment = "today"\n\n'
        '[[action]]\ndo = "merge"\nschool = "T1"\ninto = "S2"\nyear = 2028\n',
        encoding="utf-8",
    )
    cache = tmp_path / "cache"
    plain = _written(county, tmp_path / "plain", None)
    first, again = Kept(cache), Kept(cache)
    assert _different(_written(county, tmp_path / "first", first), plain) == []
    assert _different(_written(county, tmp_path / "again", again), plain) == []
    assert first.searched > 0
    assert (again.searched, again.notes) == (0, [])
    assert json.loads(plain["run.json"])["name"] == "试"
    # No student's point and no village's name is in the cache.
    assert {p.name.split("-")[0] for p in cache.iterdir()} == {"network", "trips"}


def test_nothing_is_kept_unless_asked(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    before = sorted(p.name for p in county.iterdir())
    _written(county, tmp_path / "plain", None)
    assert sorted(p.name for p in county.iterdir()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["county", "plain"]


def test_every_file_of_a_run_tells_its_origin_or_is_told_in_the_record(tmp_path: Path) -> None:
    county = write_tiny(tmp_path / "county")
    plain = _written(county, tmp_path / "plain", None)
    facts = json.loads(plain["run.json"])
    short = facts["provenance"]["digest"][:16]
    sums = {n: hashlib.sha256(b).hexdigest() for n, b in plain.items() if n.endswith(".csv")}
    assert sums == facts["tables"]
    assert len(sums) > 4
    with contextlib.closing(sqlite3.connect(tmp_path / "plain" / "plan.gpkg")) as base:
        (told,) = base.execute("SELECT metadata FROM gpkg_metadata").fetchone()
    assert short in told
    assert f"seed {facts['provenance']['seed']}" in told
    for name, part in (("deck.pptx", "docProps/core.xml"), ("ledger.xlsx", "docProps/core.xml")):
        with zipfile.ZipFile(tmp_path / "plain" / name) as packed:
            assert told in packed.read(part).decode("utf-8"), name
    for name in ("map.html", "parents.html", "report.html"):
        assert short in plain[name].decode("utf-8"), name
