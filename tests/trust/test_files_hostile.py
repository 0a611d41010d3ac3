"""Hostile files are refused in under a second, and nothing outside the county's folder is read."""

from __future__ import annotations

import builtins
import io
import os
import sqlite3
import sys
import time
import zipfile
from pathlib import Path

import pytest
from dirty_files import DIRTY, MANIFEST, VILLAGES, county, osm_text, workbook, write

from catchment.errors import CatchmentError
from catchment.network.doubts import check_roads
from catchment.region.apart import tried
from catchment.region.check import check_region
from catchment.region.guard import UnsafeError, bad_name, inside, judge_archive, refuse_doctype
from catchment.region.locate import confined
from catchment.region.soundness import pbf_blocks, shapes_sound

SECONDS = 1.0


def refused_in(folder: Path) -> tuple[str, float]:
    """Words of the refusal, and the processor time it took."""
    start = time.process_time()
    try:
        found = check_region(folder, further=check_roads)
    except CatchmentError as fault:
        return str(fault), time.process_time() - start
    took = time.process_time() - start
    assert found.errors
    return "\n".join(f.line() for f in found.errors), took


@pytest.fixture(autouse=True, scope="module")
def warm(tmp_path_factory):
    """Import and compile everything once: the time of a refusal is not that of a first start."""
    folder = tmp_path_factory.mktemp("warm") / "county"
    folder.mkdir()
    DIRTY["osm_clean"](folder, "osm")
    check_region(folder, further=check_roads)


def test_an_archive_that_unpacks_to_a_thousand_times_its_size(tmp_path):
    folder = county(tmp_path / "county", leave=("villages",))
    path = folder / "村庄.xlsx"
    workbook(path, VILLAGES)
    block = bytes(1 << 20)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("xl/worksheets/sheet9.xml", "w", force_zip64=True) as member,
    ):
        for _ in range(1_600):
            member.write(block)
    assert path.stat().st_size < 1_700_000
    said, took = refused_in(folder)
    assert "file" in said
    assert "1,67" in said  # bytes unpacked, named
    assert took < SECONDS


def test_a_workbook_with_one_far_cell(tmp_path):
    folder = county(tmp_path / "county", leave=("villages",))
    workbook(folder / "村庄.xlsx", VILLAGES, lambda _, s: s.write_string(1048575, 16383, "x"))
    assert (folder / "村庄.xlsx").stat().st_size < 8_000
    said, took = refused_in(folder)
    assert "XFD1048576" in said
    assert took < SECONDS


@pytest.mark.parametrize(
    "name", ["osm_entity_bomb", "osm_external_entity", "osm_entities_in_graphml"]
)
def test_entity_bombs(tmp_path, name):
    folder = tmp_path / "county"
    folder.mkdir()
    DIRTY[name](folder, "osm")
    said, took = refused_in(folder)
    assert "DOCTYPE" in said
    assert took < SECONDS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("before", ["", "<!-- " + "x" * 9_000 + " -->"])
def test_a_document_type_is_found_wherever_it_hides(encoding, before):
    head = '<?xml version="1.0"?>' if encoding == "utf-8" else ""
    text = f'{head}{before}<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    data = (b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding)
    with pytest.raises(UnsafeError, match="DOCTYPE"):
        refuse_doctype(io.BytesIO(data))
    refuse_doctype(
        io.BytesIO(text.replace('<!DOCTYPE x [<!ENTITY a "b">]>', "").replace("&a;", "").encode())
    )


@pytest.mark.skipif(not hasattr(sys, "addaudithook"), reason="no audit hooks")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("vrt_in_disguise", k) for k in ("csv", "xlsx", "shp", "gpkg", "geojson")]
    + [
        (n, "csv")
        for n in (
            "path_out_of_the_folder",
            "absolute_path",
            "network_path",
            "link_out_of_the_folder",
        )
    ]
    + [("pickle_in_disguise", "geojson"), ("foreign_virtual_table", "gpkg")],
)
def test_nothing_outside_is_opened(tmp_path, monkeypatch, name, kind):
    folder = tmp_path / "county"
    folder.mkdir()
    DIRTY[name](folder, kind)
    real, opened = io.open, []

    def watch(file, *words, **more):
        opened.append(file)
        return real(file, *words, **more)

    monkeypatch.setattr(builtins, "open", watch)
    monkeypatch.setattr(io, "open", watch)
    asked = []
    monkeypatch.setattr(
        "catchment.region.vector.pyogrio.read_dataframe", lambda *a, **k: asked.append(a)
    )
    said, took = refused_in(folder)
    outside = [
        f for f in opened
        if isinstance(f, (str, os.PathLike)) and str(f).startswith(str(tmp_path)) and not str(f).startswith(str(folder))
    ]  # fmt: skip
    assert not outside
    assert not asked
    assert "密" not in said
    assert took < SECONDS


@pytest.mark.parametrize(
    "name",
    ["../x.csv", "a/../../x.csv", "/etc/passwd", "C:\\x.csv", "C:x.csv", "\\\\host\\share\\x.csv",
     "//host/share/x.csv", "\\\\?\\C:\\x.csv", "\\x.csv", "con.csv", "NUL", "a/aux.tar.gz", "com1.csv",
     "x.csv:stream", "x.csv.", "x.csv ", "a\x00b.csv", "a|b.csv", "..\\x.csv", "lpt¹.csv", ""],
)  # fmt: skip
def test_paths_that_leave_the_folder_or_name_devices(tmp_path, name):
    (tmp_path / "x.csv").write_text("secret", encoding="utf-8")
    root = tmp_path / "county"
    root.mkdir()
    with pytest.raises(CatchmentError, match="where"):
        confined(root, name, "where")


def test_names_of_every_day_are_fine():
    for name in ("村庄.csv", "a/b/学校情况表（2026）.xlsx", "console.csv", "com10.csv", "./x.csv"):
        assert bad_name(name) == ""


def test_links_are_followed_before_they_are_believed(tmp_path):
    root = tmp_path / "county"
    root.mkdir()
    (tmp_path / "out.csv").write_text("x", encoding="utf-8")
    (root / "in.csv").write_text("x", encoding="utf-8")
    (root / "good.csv").symlink_to(root / "in.csv")
    (root / "bad.csv").symlink_to(tmp_path / "out.csv")
    (root / "loop.csv").symlink_to(root / "loop.csv")
    found = {n: inside(root, root / f"{n}.csv") for n in ("in", "good", "bad", "loop", "none")}
    assert found == {"in": True, "good": True, "bad": False, "loop": False, "none": False}
    folder = county(tmp_path / "shp", leave=("villages",))
    write(folder, "villages", "shp", VILLAGES)
    table = folder / "村庄.dbf"
    table.replace(tmp_path / "村庄.dbf")
    table.symlink_to(tmp_path / "村庄.dbf")
    assert "村庄.dbf" in refused_in(folder)[0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"filename": "a/../../b"}, "member name"),
        ({"filename": "/b"}, "member name"),
        ({"filename": "C:\\b"}, "member name"),
        ({"flag_bits": 1}, "encrypted"),
        ({"external_attr": 0o120777 << 16}, "link"),
        ({"file_size": 2_000_000_000, "compress_size": 1_999_999_999}, "unpack"),
        ({"file_size": 30_000_000, "compress_size": 100_000}, "unpack"),
    ],
)
def test_archives_are_judged_by_their_directory(change, why):
    info = zipfile.ZipInfo("xl/a.xml")
    for name, value in change.items():
        setattr(info, name, value)
    with pytest.raises(UnsafeError, match=why):
        judge_archive([info])
    with pytest.raises(UnsafeError, match="twice"):
        judge_archive([zipfile.ZipInfo("A"), zipfile.ZipInfo("a")])
    with pytest.raises(UnsafeError, match="members"):
        judge_archive([zipfile.ZipInfo(str(k)) for k in range(10_001)])


# The process apart -----------------------------------------------------------------------------


def test_a_parser_apart_gets_through_or_says_why(tmp_path):
    folder = county(tmp_path / "county", leave=("villages",))
    path = write(folder, "villages", "gpkg", VILLAGES)
    tried("catchment.region.vector:open_apart", path, "villages")
    with pytest.raises(UnsafeError, match="none"):
        tried("catchment.region.vector:open_apart", path, "none")


def test_a_hang_ends_at_the_limit(tmp_path):
    folder = county(tmp_path / "county", leave=("villages",))
    path = write(folder, "villages", "gpkg", VILLAGES)
    with sqlite3.connect(path) as base:
        base.execute("DELETE FROM gpkg_contents")
        base.execute("CREATE VIEW slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                     "FROM n) SELECT x FROM n WHERE x < 0")  # fmt: skip
        base.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                     "VALUES ('slow', 'attributes', 'slow')")  # fmt: skip
    base.close()
    start = time.monotonic()
    with pytest.raises(UnsafeError, match=r"took over|crashed"):
        tried("catchment.region.vector:open_apart", path, "slow", seconds=4.0)
    assert time.monotonic() - start < 15.0


def test_modules_are_not_taken_from_the_county(tmp_path, monkeypatch):
    folder = county(tmp_path / "county", leave=("villages",))
    path = write(folder, "villages", "gpkg", VILLAGES)
    (folder / "pyogrio.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    tried("catchment.region.vector:open_apart", path, "villages")


def test_sound_files_need_no_process_apart(tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("tried apart")

    monkeypatch.setattr("catchment.region.vector.tried", never)
    monkeypatch.setattr("catchment.network.osm.tried", never)
    for kind in ("gpkg", "shp", "geojson", "xlsx"):
        folder = county(tmp_path / kind, leave=("villages",))
        write(folder, "villages", kind, VILLAGES)
        assert check_region(folder).ok
    folder = tmp_path / "pbf"
    folder.mkdir()
    DIRTY["osm_pbf_clean"](folder, "osm")
    assert check_region(folder, further=check_roads).ok


def test_soundness_notices_every_changed_length(tmp_path):
    path = write(tmp_path, "villages", "shp", VILLAGES)
    shx, whole = path.with_suffix(".shx"), path.read_bytes()
    assert shapes_sound(path, shx)
    for at, value in ((24, 1), (28, 9), (104, 200), (107, 1), (108, 7)):
        data = bytearray(whole)
        data[at] = value
        path.write_bytes(bytes(data))
        assert not shapes_sound(path, shx), at
    path.write_bytes(whole[:-8])
    assert not shapes_sound(path, shx)


def test_blocks_of_a_road_file(tmp_path):
    (tmp_path / "county").mkdir()
    DIRTY["osm_pbf_clean"](tmp_path / "county", "osm")
    path = next((tmp_path / "county").glob("*.pbf"))
    assert pbf_blocks(path) == ("", True)
    whole = path.read_bytes()
    for data in (whole[:-1], whole + b"\0", whole[10:], b"", b"\0\0\0\x09" + bytes(9)):
        path.write_bytes(data)
        assert pbf_blocks(path)[0]
    path.with_suffix("").write_text(osm_text(), encoding="utf-8")


def test_manifests_do_not_follow_links(tmp_path):
    manifest = MANIFEST + '[sources.villages]\nfile = "sub/x.csv"\n'
    folder = county(tmp_path / "county", leave=("villages",), manifest=manifest)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.csv").write_text("村代码\n1\n", encoding="utf-8")
    (folder / "sub").symlink_to(tmp_path / "sub")
    assert "outside" in refused_in(folder)[0]
