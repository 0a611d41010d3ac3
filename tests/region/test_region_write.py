"""Writing: one GeoPackage that reads back equal, whole or not at all; templates; the page."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from small_county import CHILDREN, MANIFEST, SCHOOLS, VILLAGES, changed, write_county

from catchment import files
from catchment.errors import InputError
from catchment.region.check import check_region
from catchment.region.read import read_region
from catchment.region.schema import layers
from catchment.region.write import write_region, write_templates

TABLES = (
    "villages", "children", "schools", "classes", "sites", "students", "roads", "boundaries",
    "areas", "rejected",
)  # fmt: skip


def full_county(folder):
    """Write a county with every layer, some rows of it in error."""
    write_county(
        folder,
        villages=changed([{**v, "城乡分类": "220"} for v in VILLAGES], 3, 人口=""),
        schools=[{**s, "床位": b, "是否寄宿制": c} for s, b, c in
                 zip(SCHOOLS, ("120", ""), ("是", ""), strict=True)],
        children=[*CHILDREN, {"村代码": "999", "年级": "1", "年度": "2026", "学生数": "4"}],
        classes=[{"学校代码": "0101", "年级": "1", "班号": "一（1）班", "人数": "30", "学年": ""}],
        areas=[{"片区代码": "P1", "片区名称": "东片", "中心校代码": "0101"}],
        sites=[{"备选代码": "X1", "名称": "新址", "乡镇": "甲镇", "起始年级": "1", "终止年级": "6",
                "最多教室数": "", "投资": "12000000", "经度": 104.13, "纬度": 30.12}],
        students=[{"学生编号": "0001", "村代码": "001", "年级": "1", "就读学校": "0101",
                   "经度": 104.1001, "纬度": 30.1002}],
    )  # fmt: skip
    lines = [shapely.LineString([(104.1, 30.1), (104.16, 30.16)])]
    gpd.GeoDataFrame({"highway": ["村道"], "hazard": ["是"]}, geometry=lines, crs=4490).to_file(
        folder / "道路.geojson"
    )
    gpd.GeoDataFrame(
        {"代码": ["51", "5101"], "名称": ["小县", "甲镇"], "级别": ["县", "乡镇"]},
        geometry=[
            shapely.MultiPolygon(
                [shapely.box(104, 30, 104.2, 30.2), shapely.box(105, 30, 105.1, 30.1)]
            ),
            shapely.box(104, 30, 104.13, 30.2),
        ],
        crs=4490,
    ).to_file(folder / "行政区划.gpkg")
    return folder


def same(one, two):
    for name in TABLES:
        left, right = getattr(one, name), getattr(two, name)
        pd.testing.assert_frame_equal(pd.DataFrame(left), pd.DataFrame(right), obj=name)
    assert (one.name, one.note, one.crs, one.bands) == (two.name, two.note, two.crs, two.bands)


def test_round_trip_is_exact(tmp_path):
    region = read_region(full_county(tmp_path / "a"), set_aside=True)
    assert len(region.rejected) == 1
    write_region(region, tmp_path / "全县.gpkg")
    again = read_region(tmp_path / "全县.gpkg")
    same(region, again)
    assert again.rejected["students"].sum() == 4
    write_region(again, tmp_path / "b.gpkg")
    same(region, read_region(tmp_path / "b.gpkg"))


def test_round_trip_keeps_road_file_elevation_and_bands(tmp_path):
    from dataclasses import replace

    from catchment.region.elevation import Elevation

    region = read_region(write_county(tmp_path / "a"))
    (tmp_path / "a" / "r.osm.pbf").write_bytes(b"\x00\x00\x00\x0d\x0a\x09OSMHeader")
    heights = np.arange(12, dtype=np.float32).reshape(3, 4)
    heights[1, 1] = np.nan
    elevation = Elevation(heights, (10.0, 0.0, 413000.0, 0.0, -10.0, 3332000.0), "EPSG:4544")
    bands = (replace(region.bands[0], class_size=40), *region.bands[1:])
    region = region.replace(
        road_file=tmp_path / "a" / "r.osm.pbf", elevation=elevation, bands=bands
    )
    written = write_region(region, tmp_path / "out.gpkg")
    assert [p.name for p in written] == ["out.osm.pbf", "out.elevation.tif", "out.gpkg"]
    again = read_region(tmp_path / "out.gpkg")
    same(region, again)
    assert again.road_file == tmp_path / "out.osm.pbf"
    assert again.elevation is not None
    np.testing.assert_array_equal(again.elevation.heights, heights)
    assert again.elevation.transform == elevation.transform


def test_same_region_same_bytes(tmp_path):
    region = read_region(full_county(tmp_path / "a"), set_aside=True)
    digests = set()
    for name in "uvwxyz":
        (tmp_path / name).mkdir()
        write_region(region, tmp_path / name / "r.gpkg")
        digests.add(hashlib.sha256((tmp_path / name / "r.gpkg").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    region = read_region(write_county(tmp_path / "a"))
    target = tmp_path / "r.gpkg"
    write_region(region, target)
    before = target.read_bytes()

    def stop(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", stop)
    with pytest.raises(OSError, match="disk full"):
        write_region(region.replace(name="other"), target)
    assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "r.gpkg"]


def test_bad_targets_are_refused(tmp_path):
    region = read_region(write_county(tmp_path / "a"))
    for target in (tmp_path / "x.shp", tmp_path / "no" / "x.gpkg"):
        with pytest.raises(InputError):
            write_region(region, target)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_templates_can_be_filled_in_and_read(tmp_path, lang):
    folder = tmp_path / "新县"
    written = write_templates(folder, lang)
    assert [p.suffix for p in written] == [".xlsx", ".toml", ".toml", *[".csv"] * 3]
    empty = check_region(folder)
    assert {f.code for f in empty.errors} == {"layer_empty"}
    book = openpyxl.load_workbook(written[0])
    zh = lang == "zh"
    fill = {
        "村庄" if zh else "villages": VILLAGES,
        "学校" if zh else "schools": SCHOOLS,
    }
    for name, rows in fill.items():
        sheet = book[name]
        heads = [c.value for c in sheet[1]]
        layer = layers()["villages" if rows is VILLAGES else "schools"]
        title = {c.column: (c.title if zh else c.column) for c in layer.columns}
        from catchment.region.schema import headings

        for k, row in enumerate(rows, start=2):
            for key, value in row.items():
                column = headings(layer.layer)[key]
                sheet.cell(k, heads.index(title[column]) + 1, value)
    sheet = book["学龄人口" if zh else "children"]
    heads = [c.value for c in sheet[1]]
    assert len(heads) == 3 + 9
    for k, village in enumerate(VILLAGES, start=2):
        sheet.cell(k, 1, village["村代码"])
        sheet.cell(k, heads.index("年度" if zh else "year") + 1, 2026)
        sheet.cell(k, heads.index("三年级" if zh else "g3") + 1, k)
    book.save(written[0])
    region = read_region(folder)
    assert region.children["students"].sum() == 2 + 3 + 4 + 5
    assert set(region.children["grade"]) == {3}
    assert region.villages["village_id"].tolist() == ["001", "002", "003", "010"]


def test_templates_have_choices_text_codes_and_no_formulas(tmp_path):
    written = write_templates(tmp_path, "zh")
    book = openpyxl.load_workbook(written[0])
    assert book.sheetnames == ["填写说明", "村庄", "学龄人口", "学校", "班级", "备选校址", "片区"]
    for sheet in book:
        assert all(c.data_type != "f" for row in sheet.iter_rows() for c in row)
    rules = {str(v.sqref): v for v in book["学校"].data_validations.dataValidation}
    assert any(v.type == "list" and "教学点" in v.formula1 for v in rules.values())
    assert book["村庄"].column_dimensions["A"].width > 8
    explained = [c.value for c in book["填写说明"]["B"]]
    assert {"村代码", "学校代码", "一年级"} <= set(explained)


def test_templates_never_overwrite(tmp_path):
    write_templates(tmp_path, "zh")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(InputError):
        write_templates(tmp_path, "zh")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_templates_are_the_same_every_time(tmp_path):
    one, two = (write_templates(tmp_path / name, "zh")[0].read_bytes() for name in "ab")
    assert one == two


def test_the_scenario_template_is_a_scenario(tmp_path):
    scenario = pytest.importorskip("catchment.scenario")
    import tomllib

    for lang in ("zh", "en"):
        path = write_templates(tmp_path / lang, lang)[2]
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        scenario.Scenario.model_validate(document)


def test_description_of_the_layers_is_up_to_date():
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("make_docs", root / "scripts" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (root / "docs" / "data.md").read_text(encoding="utf-8")
    assert page == module.render(), "run python scripts/make_docs.py"
    for layer in layers().values():
        for column in layer.columns:
            assert f"`{column.column}`" in page


def test_manifest_is_not_needed(tmp_path):
    folder = write_county(tmp_path / "甲县", manifest="")
    assert not check_region(folder).ok  # nobody says in which system the tables are
    (folder / "region.toml").write_text(MANIFEST, encoding="utf-8")
    assert read_region(folder).name == "小县"
