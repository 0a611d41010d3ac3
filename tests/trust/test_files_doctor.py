"""The data doctor: repairs told before and after, a new folder, never the source, once and for all."""

from __future__ import annotations

import csv
import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dirty_files import (
    CHILDREN,
    DIRTY,
    SCHOOLS,
    TOTAL,
    VILLAGES,
    as_csv,
    changed,
    county,
    write,
)
from typer.testing import CliRunner

from catchment.cli import app
from catchment.errors import InputError
from catchment.network.doubts import check_roads
from catchment.region.check import check_region
from catchment.region.mend import mend_region, repairs_csv
from catchment.region.read import read_region


def digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


# Classes that the doctor mends for good: kind of repair, formats, and whether the county is then
# the clean one in every place.
MENDED = [
    ("codes_without_zeros", "zeros", "csv xlsx shp gpkg geojson"),
    ("number_with_unit", "unit", "csv gpkg"),
    ("chinese_numeral", "words", "csv xlsx"),
    ("full_width_number", "plain", "csv xlsx shp gpkg geojson"),
    ("thousands_separator", "plain", "csv geojson"),
    ("invisible_characters", "plain", "csv gpkg"),
    ("garbled_names", "garbled", "csv shp gpkg geojson"),
    ("half_of_two_encodings", "garbled", "csv"),
    ("swapped_coordinates", "swapped", "csv xlsx shp gpkg geojson"),
    ("repeated_row", "repeated", "csv xlsx gpkg"),
    ("total_row", "total", "shp gpkg geojson"),
    ("column_private", "private", "csv gpkg"),
    ("zone_under_plain_system", "zone", "csv shp gpkg geojson"),
    ("no_zone_under_zoned_system", "zone", "csv gpkg"),
    ("zone_of_another_system", "crs", "csv shp"),
    ("metres_as_degrees", "crs", "csv"),
    ("degrees_as_metres", "crs", "csv gpkg"),
    ("undeclared_gcj02", "shift", "csv gpkg"),
    ("undeclared_bd09", "shift", "csv shp"),
    ("self_crossing_polygon", "outline", "shp gpkg geojson"),
    ("gb18030_text", "rewritten", "csv shp geojson"),
    ("utf16_text", "rewritten", "csv"),
    ("title_rows", "rewritten", "csv xlsx"),
    ("two_row_heading", "rewritten", "xlsx"),
    ("merged_cells", "rewritten", "xlsx"),
    ("headings_cut_to_ten_bytes", "rewritten", "shp"),
]
CELLS = [pytest.param(n, k, f, id=f"{n}-{f}") for n, k, formats in MENDED for f in formats.split()]


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "kind", "form"), CELLS)
def test_mended_once_and_for_all(tmp_path, name, kind, form):
    source = tmp_path / "county"
    source.mkdir()
    DIRTY[name](source, form)
    before = digests(source)
    repairs = mend_region(source, tmp_path / "mended", further=check_roads)
    assert kind in {r.kind for r in repairs}
    assert digests(source) == before
    found = check_region(tmp_path / "mended", further=check_roads)
    assert found.ok, [f.line() for f in found.errors]
    told = [
        f.line()
        for f in found.faults
        if f.code in {"repaired", "geometry_repaired", "text_garbled"}
    ]
    assert not told
    assert not [f for f in found.faults if f.code == "looks_shifted"]
    region = read_region(tmp_path / "mended")
    asked = {"number_with_unit": 85 - 3, "chinese_numeral": 85 - 3}
    assert int(region.children["students"].sum()) == TOTAL + asked.get(name, 0)
    # A second visit finds nothing, and the same visit gives the same bytes.
    assert mend_region(tmp_path / "mended", tmp_path / "again", further=check_roads) == ()
    assert not (tmp_path / "again").exists()
    if form == "csv":
        assert mend_region(source, tmp_path / "twin", further=check_roads) == repairs
        assert digests(tmp_path / "twin") == digests(tmp_path / "mended")


LEFT = [
    "code_as_date_cell", "code_as_long_number", "formula_without_value", "error_value",
    "number_merged_downwards", "heading_over_two_columns",
]  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_what_a_spreadsheet_has_lost_stays_an_error(tmp_path, name):
    source = tmp_path / "county"
    source.mkdir()
    DIRTY[name](source, "xlsx")
    before = [f.line() for f in check_region(source).errors]
    mend_region(source, tmp_path / "mended")
    if (tmp_path / "mended").exists():
        assert [f.line() for f in check_region(tmp_path / "mended").errors] == before
    assert before


@pytest.mark.parametrize("name", ["township_undeclared_gcj02", "column_without_heading"])
def test_what_only_people_can_settle_is_told_again(tmp_path, name):
    source = tmp_path / "county"
    source.mkdir()
    DIRTY[name](source, "csv")
    codes = {"looks_shifted", "column_unnamed"}
    before = [f.line() for f in check_region(source, further=check_roads).faults if f.code in codes]
    mend_region(source, tmp_path / "mended", further=check_roads)
    place = tmp_path / "mended" if (tmp_path / "mended").exists() else source
    after = [f.line() for f in check_region(place, further=check_roads).faults if f.code in codes]
    assert after == before != []


def test_shifted_rows_are_not_trimmed_away(tmp_path):
    source = tmp_path / "county"
    source.mkdir()
    DIRTY["unquoted_delimiter"](source, "csv")
    assert mend_region(source, tmp_path / "mended") == ()


def test_clean_counties_have_nothing_to_mend(tmp_path):
    source = county(tmp_path / "county")
    assert mend_region(source, tmp_path / "mended") == ()
    assert [p.name for p in tmp_path.iterdir()] == ["county"]


def test_never_into_the_source_nor_over_something_else(tmp_path):
    source = county(tmp_path / "county", children=changed(CHILDREN, 0, 学生数="３"))
    with pytest.raises(InputError, match="lies inside"):
        mend_region(source, source / "mended")
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="already there"):
        mend_region(source, other)
    assert [p.name for p in other.iterdir()] == ["mine.txt"]
    assert mend_region(source, tmp_path / "mended")
    first = digests(tmp_path / "mended")
    assert mend_region(source, tmp_path / "mended")
    assert digests(tmp_path / "mended") == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["county", "mended", "other"]


def test_untouched_files_go_along_byte_for_byte(tmp_path):
    source = county(tmp_path / "county", children=changed(CHILDREN, 0, 学生数="３"))
    (source / "bands.csv").write_bytes(b"")
    (source / "scenarios").mkdir()
    (source / "scenarios" / "a.toml").write_text("x", encoding="utf-8")
    (source / "bands.csv").unlink()
    mend_region(source, tmp_path / "mended")
    one, two = digests(source), digests(tmp_path / "mended")
    assert {n for n in one if one[n] != two.get(n)} == {"学龄人口.csv", "region.toml"}


def test_homes_and_addresses_are_not_in_the_list(tmp_path):
    rows = [
        {"学生编号": "１", "村代码": "001", "年级": "1", "经度": 30.1054321, "纬度": 104.1112345},
        {
            "学生编号": "2",
            "村代码": "001",
            "年级": "1",
            "经度": "１０４．１１２３４５",
            "纬度": 30.10,
        },
    ]
    source = county(tmp_path / "county")
    write(source, "students", "csv", rows)
    repairs = mend_region(source, tmp_path / "mended")
    text = repairs_csv(repairs)
    assert {r.kind for r in repairs} == {"plain", "swapped", "rewritten"}
    for part in ("1054321", "1112345", "１１２３４５", "112345"):
        assert part not in text
    assert check_region(tmp_path / "mended").ok


def test_the_list_is_no_formula(tmp_path):
    source = county(
        tmp_path / "county", schools=changed(SCHOOLS, 0, 教室数="１２", 学校名称="=1+1")
    )
    rows = [*CHILDREN, {**CHILDREN[0], "村代码": "合计"}]
    write(source, "children", "gpkg", rows)
    (source / "学龄人口.csv").unlink()
    text = repairs_csv(mend_region(source, tmp_path / "mended"))
    for line in csv.reader(text.splitlines()):
        assert not any(c[:1] in {"=", "+", "-", "@"} for c in line)


def test_the_command_shows_before_and_after(tmp_path):
    source = county(tmp_path / "county", leave=("villages",))
    (source / "村庄.csv").write_text(
        as_csv(changed(VILLAGES, 1, 经度=30.107, 纬度=104.112)), encoding="utf-8"
    )
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["check", str(source), "--out", str(out), "--fix", "--lang", "en"]
    )
    assert done.exit_code == 0, done.output
    assert "104.112" in done.output
    assert "the source is untouched" in done.output.replace("\n", " ")
    listed = list(csv.DictReader((out / "repairs.csv").read_text(encoding="utf-8").splitlines()))
    assert [(r["row"], r["column"], r["before"], r["after"]) for r in listed] == [
        ("3", "经度", "30.107", "104.112"),
        ("3", "纬度", "104.112", "30.107"),
    ]
    assert check_region(out / "mended").ok


_KILLED = """
import os, signal, sys
from pathlib import Path
from catchment import files
from catchment.region import mend
where = sys.argv[3]
real = getattr(mend, where)
def die(*words, **more):
    if where == "propose" and not hasattr(die, "asked"):
        die.asked = True
        return real(*words, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(mend, where, die)
source, out = Path(sys.argv[1]), Path(sys.argv[2])
mend.mend_region(source, out / "mended", listing=out / "repairs.csv")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are asked after on POSIX only")
@pytest.mark.parametrize("where", ["_content", "propose", "write_text", "put_folder"])
def test_a_kill_leaves_no_half_folder_and_is_swept(tmp_path, where):
    source = county(tmp_path / "county", children=changed(CHILDREN, 0, 学生数="３"))
    out = tmp_path / "out"
    words = [sys.executable, "-c", _KILLED, str(source), str(out), where]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    left = sorted(p.name for p in out.iterdir())
    assert "mended" not in left
    assert any(name.startswith(".mended.") for name in left)
    repairs = mend_region(source, out / "mended", listing=out / "repairs.csv")
    assert sorted(p.name for p in out.iterdir()) == ["mended", "repairs.csv"]
    assert (out / "repairs.csv").read_text(encoding="utf-8") == repairs_csv(repairs)
    assert read_region(out / "mended").children["students"].sum() == TOTAL
