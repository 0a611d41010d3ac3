"""Layers from a real PostGIS that the test starts for itself: read-only, and its address a secret."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from dirty_files import CHILDREN, MANIFEST, TOTAL, VILLAGES, county

from catchment.errors import InputError
from catchment.region.check import check_region
from catchment.region.postgis import VARIABLE
from catchment.region.read import gather, read_region

psycopg = pytest.importorskip("psycopg")
TABLES = MANIFEST + (
    '[sources.villages]\npostgis = "edu.village"\n[sources.children]\npostgis = "edu.children"\n'
)


def _binaries() -> Path | None:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    found = [p.parent for p in homes] or [Path(p).parent for p in [shutil.which("initdb")] if p]
    extension = any(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))
    return found[0] if found and extension else None


@pytest.fixture(scope="module")
def server():
    """Start a cluster of its own and hand out its address."""
    home = _binaries()
    if home is None:
        if os.environ.get("CATCHMENT_REQUIRE_POSTGIS"):
            pytest.fail("PostgreSQL with PostGIS is not installed, and CI may skip nothing")
        pytest.skip("PostgreSQL with PostGIS is not installed")
    folder = Path(tempfile.mkdtemp(prefix="catchment-pg-"))
    root = os.geteuid() == 0
    if root:
        shutil.chown(folder, "postgres")
    asme = ["runuser", "-u", "postgres", "--"] if root else []

    def call(name: str, *words: str) -> None:
        subprocess.run([*asme, str(home / name), *words], check=True, cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

    try:
        call("initdb", "-D", str(folder / "data"), "-U", "planner", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync")  # fmt: skip
        call("pg_ctl", "-D", str(folder / "data"), "-l", str(folder / "log"), "-w", "-o",
             f"-k {folder} -c listen_addresses='' -c fsync=off", "start")  # fmt: skip
        try:
            address = f"host={folder} dbname=postgres user=planner password=geheim"
            with psycopg.connect(address, autocommit=True) as base:
                _fill(base)
            yield address
        finally:
            call("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(base) -> None:
    base.execute("CREATE EXTENSION postgis")
    base.execute("CREATE SCHEMA edu")
    base.execute('CREATE TABLE edu.village (村代码 text, 村名 text, 乡镇 text, 人口 numeric, '
                 "geom geometry(Point, 4490))")  # fmt: skip
    for v in reversed(VILLAGES):
        base.execute(
            "INSERT INTO edu.village VALUES (%s, %s, %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
            [v["村代码"], v["村名"], v["乡镇"], v["人口"], v["经度"], v["纬度"]],
        )
    base.execute("CREATE TABLE edu.children (村代码 text, 年级 int, 年度 int, 学生数 int)")
    for c in CHILDREN:
        base.execute("INSERT INTO edu.children VALUES (%s, %s, %s, %s)", list(c.values()))
    base.execute("CREATE TABLE edu.bad AS SELECT * FROM edu.village")
    base.execute("INSERT INTO edu.bad VALUES ('001', '重村', '甲镇', 1, NULL)")
    base.execute("CREATE FUNCTION edu.spend() RETURNS text LANGUAGE plpgsql AS "
                 "$$ BEGIN DELETE FROM edu.children; RETURN 'x'; END $$")  # fmt: skip
    base.execute(
        "CREATE VIEW edu.trap AS SELECT edu.spend() AS 村代码, 1 AS 年级, 2026 AS 年度, 1 AS 学生数"
    )


@pytest.fixture
def address(server, monkeypatch):
    monkeypatch.setenv(VARIABLE, server)
    return server


def test_tables_give_the_same_county_as_files(tmp_path, address):
    plain = read_region(county(tmp_path / "files"))
    folder = county(tmp_path / "base", leave=("villages", "children"), manifest=TABLES)
    region = read_region(folder)
    assert region.villages["village_id"].tolist() == plain.villages["village_id"].tolist()
    assert region.villages["name"].tolist() == plain.villages["name"].tolist()
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 0.01
    assert int(region.children["students"].sum()) == TOTAL
    source = next(s for s in region.sources if s.layer == "villages")
    assert (source.file, source.rows, source.crs) == ("postgis:edu.village", 8, "EPSG:4490")
    # The same content has the same digest, whatever the order of its rows.
    with psycopg.connect(address, autocommit=True) as base:
        base.execute("CREATE TABLE edu.copy AS SELECT * FROM edu.village ORDER BY 人口 DESC")
    other = county(tmp_path / "copy", leave=("villages", "children"),
                   manifest=TABLES.replace("edu.village", "edu.copy"))  # fmt: skip
    again = next(s for s in read_region(other).sources if s.layer == "villages")
    assert again.sha256 == source.sha256


def test_faults_in_tables_are_faults_of_rows(tmp_path, address):
    folder = county(tmp_path / "base", leave=("villages",),
                    manifest=MANIFEST + '[sources.villages]\npostgis = "edu.bad"\n')  # fmt: skip
    found = {(f.code, f.row is not None) for f in check_region(folder).errors}
    assert found >= {("id_repeated", True), ("geometry_missing", True)}


def test_nothing_is_ever_written(tmp_path, address):
    folder = county(tmp_path / "base", leave=("children",),
                    manifest=MANIFEST + '[sources.children]\npostgis = "edu.trap"\n')  # fmt: skip
    errors = check_region(folder).errors
    assert [f.code for f in errors] == ["database_failed"]
    assert "read-only" in errors[0].line()
    with psycopg.connect(address) as base:
        count = base.execute("SELECT count(*) FROM edu.children").fetchone()
    assert count == (len(CHILDREN),)


@pytest.mark.parametrize("change", ["dbname=postgres", "user=planner", "host="])
def test_the_address_is_in_no_fault(tmp_path, monkeypatch, server, change):
    wrong = server.replace(change, {"dbname=postgres": "dbname=nowhere", "user=planner": "user=mallory",
                                    "host=": "host=/nowhere"}[change])  # fmt: skip
    monkeypatch.setenv(VARIABLE, wrong)
    folder = county(tmp_path / "base", leave=("villages", "children"), manifest=TABLES)
    with pytest.raises(InputError) as told:
        read_region(folder)
    text = str(told.value) + repr(gather(folder)) + check_region(folder).table().to_csv()
    assert "database_failed" in text
    for secret in ("geheim", "mallory", "nowhere", "planner", "catchment-pg-"):
        assert secret not in text


def test_missing_tables_and_addresses_are_named(tmp_path, monkeypatch, address):
    folder = county(tmp_path / "base", leave=("villages",),
                    manifest=MANIFEST + '[sources.villages]\npostgis = "edu.none"\n')  # fmt: skip
    assert [f.code for f in check_region(folder).errors][:1] == ["database_failed"]
    monkeypatch.delenv(VARIABLE)
    found = check_region(folder).errors
    assert "database_address" in {f.code for f in found}
    assert VARIABLE in next(f for f in found if f.code == "database_address").line()


@pytest.mark.parametrize("name", ['a"; DROP TABLE x', "a.b.c", "", "a b", "1a"])
def test_only_plain_names_of_tables(tmp_path, name):
    manifest = MANIFEST + f"[sources.villages]\npostgis = '{name}'\n"
    with pytest.raises(InputError, match="postgis"):
        read_region(county(tmp_path / "base", leave=("villages",), manifest=manifest))


def test_the_address_is_asked_for_once_where_there_is_a_terminal(tmp_path, monkeypatch, server):
    from catchment.region import postgis

    asked = []
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(postgis.getpass, "getpass", lambda words: (asked.append(words), server)[1])
    monkeypatch.setattr(postgis.sys.stdin, "isatty", lambda: True, raising=False)
    postgis._asked.cache_clear()
    try:
        folder = county(tmp_path / "base", leave=("villages", "children"), manifest=TABLES)
        assert len(read_region(folder).villages) == len(VILLAGES)
    finally:
        postgis._asked.cache_clear()
    assert len(asked) == 1
