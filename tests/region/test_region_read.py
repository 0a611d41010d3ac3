"""Reading a county in every format that offices use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xlsxwriter
from small_county import (
    CHILDREN,
    FILES,
    MANIFEST,
    SCHOOLS,
    TOTAL,
    VILLAGES,
    as_csv,
    changed,
    write_county,
)

from catchment.coordinates import to_lonlat, transform, wgs84_to_bd09, wgs84_to_gcj02
from catchment.errors import InputError, NotFoundError
from catchment.region.check import check_region
from catchment.region.read import read_region


def frame(rows, crs="EPSG:4490", **kinds) -> gpd.GeoDataFrame:
    table = pd.DataFrame(rows).drop(columns=["经度", "纬度"])
    points = gpd.points_from_xy([r["经度"] for r in rows], [r["纬度"] for r in rows])
    return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4490").to_crs(crs)


def test_plain_county(tmp_path):
    region = read_region(write_county(tmp_path / "某县"))
    assert region.name == "小县"
    assert region.note == "虚构"
    assert region.crs.to_epsg() == 4544
    assert region.villages["village_id"].tolist() == ["001", "002", "003", "010"]
    assert region.villages["name"].tolist()[3] == "NA"
    assert region.children["students"].sum() == TOTAL
    assert region.schools["role"].tolist() == ["central", "nine_year"]
    assert region.schools["status"].tolist() == ["existing", "existing"]
    assert region.schools["beds"].isna().all()
    assert region.rejected.empty
    assert len(region.roads) == len(region.boundaries) == len(region.students) == 0
    lon, lat = to_lonlat(region.villages.geometry.x, region.villages.geometry.y, region.crs)
    np.testing.assert_allclose(lon, [v["经度"] for v in VILLAGES], atol=1e-8)
    np.testing.assert_allclose(lat, [v["纬度"] for v in VILLAGES], atol=1e-8)
    np.testing.assert_allclose(region.villages["lon"], lon)
    np.testing.assert_allclose(region.villages["easting"], region.villages.geometry.x)


def test_sources_say_where_everything_came_from(tmp_path):
    import hashlib

    folder = write_county(tmp_path)
    region = read_region(folder)
    source = next(s for s in region.sources if s.layer == "villages")
    assert source.file == FILES["villages"]
    assert source.sha256 == hashlib.sha256((folder / source.file).read_bytes()).hexdigest()
    assert (source.rows, source.crs, source.encoding) == (4, "EPSG:4490", "utf-8")


def test_reading_twice_gives_the_same(tmp_path):
    folder = write_county(tmp_path)
    one, two = read_region(folder), read_region(folder)
    for name in ("villages", "schools", "children"):
        pd.testing.assert_frame_equal(
            pd.DataFrame(getattr(one, name)), pd.DataFrame(getattr(two, name))
        )
    assert one.sources == two.sources


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "shp", "xlsx", "csv"])
def test_every_format_gives_the_same_villages(tmp_path, kind):
    folder = write_county(tmp_path, villages=None)
    path = folder / f"村庄.{kind}"
    if kind == "gpkg":
        frame(VILLAGES).to_file(path, layer="村庄")
    elif kind == "geojson":
        frame(VILLAGES, "EPSG:4326").to_file(path)
    elif kind == "shp":
        frame(VILLAGES, "EPSG:4523").to_file(path, encoding="gb18030")
    elif kind == "xlsx":
        pd.DataFrame(VILLAGES).to_excel(path, index=False, engine="xlsxwriter")
    else:
        path.write_text(as_csv(VILLAGES), encoding="utf-8")
    region = read_region(folder)
    plain = read_region(write_county(tmp_path / "plain"))
    pd.testing.assert_frame_equal(
        pd.DataFrame(region.villages.drop(columns="geometry")),
        pd.DataFrame(plain.villages.drop(columns="geometry")),
        atol=1e-6,
    )
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 1e-3


@pytest.mark.parametrize(
    ("crs", "offset"), [("GCJ-02", wgs84_to_gcj02), ("百度坐标", wgs84_to_bd09)]
)
def test_offsets_of_a_declared_source_are_undone(tmp_path, crs, offset):
    lon, lat = offset([s["经度"] for s in SCHOOLS], [s["纬度"] for s in SCHOOLS])
    rows = [
        {**s, "经度": repr(float(x)), "纬度": repr(float(y))}
        for s, x, y in zip(SCHOOLS, lon, lat, strict=True)
    ]
    manifest = MANIFEST + f'[sources.schools]\ncrs = "{crs}"\n'
    moved = read_region(write_county(tmp_path / "a", schools=rows, manifest=manifest))
    plain = read_region(write_county(tmp_path / "b"))
    assert moved.schools.geometry.distance(plain.schools.geometry).max() < 0.001


@pytest.mark.parametrize(
    "crs", ["EPSG:4544", "EPSG:4523", "CGCS2000 3度带 中央经线105", "EPSG:4509"]
)
def test_projected_columns(tmp_path, crs):
    if crs == "EPSG:4509":
        crs = "EPSG:4507"  # six degrees, meridian 105
    x, y = transform([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES], "CGCS2000", crs)
    rows = [
        {k: c for k, c in v.items() if k not in {"经度", "纬度"}}
        | {"东坐标Y": f"{a:.3f}", "北坐标X": f"{b:.3f}"}
        for v, a, b in zip(VILLAGES, x, y, strict=True)
    ]
    manifest = MANIFEST + f'[sources.villages]\ncrs = "{crs}"\n'
    region = read_region(write_county(tmp_path / "a", villages=rows, manifest=manifest))
    plain = read_region(write_county(tmp_path / "b"))
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 0.01


def test_children_in_wide_form(tmp_path):
    wide = (
        "村代码,年度,一年级,２年级,g3,七年级,合计\n"
        "001,2026,10,12,,,22\n002,2026-2027学年,7,,,,7\n003,2026年,,,,5,5\n010,2026,,,2,0,2\n"
    )
    region = read_region(write_county(tmp_path, children=wide))
    long = read_region(write_county(tmp_path / "long")).children
    zero = (region.children["village_id"] == "010") & (region.children["grade"] == 7)
    assert region.children.loc[zero, "students"].tolist() == [0]
    pd.testing.assert_frame_equal(region.children[~zero].reset_index(drop=True), long)


def test_wide_form_reports_a_wrong_row_total(tmp_path):
    wide = "村代码,年度,一年级,二年级,合计\n001,2026,10,12,23\n"
    found = check_region(write_county(tmp_path, children=wide)).table()
    row = found[found["code"] == "row_total_differs"].iloc[0]
    assert (row["row"], row["value"], row["severity"]) == (2, "23", "warning")


def test_one_workbook_with_a_sheet_a_layer(tmp_path):
    folder = write_county(tmp_path, villages=None, schools=None, children=None)
    book = xlsxwriter.Workbook(folder / "县域数据.xlsx")
    book.add_worksheet("填写说明").write(0, 0, "说明")
    for name, rows in (("村庄", VILLAGES), ("学校", SCHOOLS), ("学龄人口", CHILDREN)):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, list(rows[0]))
        for k, row in enumerate(rows, start=1):
            sheet.write_row(k, 0, list(row.values()))
    book.close()
    assert read_region(folder).children["students"].sum() == TOTAL


def test_choices_in_chinese(tmp_path):
    spelt = ["中心校", "完全小学", "村小", "教学点", "初中", "九年一贯制"]
    grades = ["1-6", "1-6", "1-6", "1-3", "7-9", "1-9"]
    rows = [
        {
            **SCHOOLS[0],
            "学校代码": f"S{k}",
            "办学类型": role,
            "起始年级": g[0],
            "终止年级": f"{g[-1]}年级",
            "是否寄宿制": "是" if k % 2 else "否",
            "状态": "撤并" if k == 3 else "",
            "经度": 104.11 + k / 1000,
        }
        for k, (role, g) in enumerate(zip(spelt, grades, strict=True))
    ]
    region = read_region(write_county(tmp_path, schools=rows))
    assert region.schools["role"].tolist() == [
        "central", "complete", "complete", "teaching_point", "junior", "nine_year",
    ]  # fmt: skip
    assert region.schools["grade_to"].tolist() == [6, 6, 6, 3, 9, 9]
    assert region.schools["boarding"].tolist() == [False, True] * 3
    assert region.schools["status"].tolist().count("closed") == 1


def test_village_polygons_become_points_and_stay_as_boundaries(tmp_path):
    shapes = [shapely.Point(v["经度"], v["纬度"]).buffer(0.002, 4) for v in VILLAGES]
    # A crescent: its centroid lies outside, the point taken must not.
    shapes[0] = shapes[0].difference(shapely.affinity.translate(shapes[0], 0.001, 0))
    table = pd.DataFrame(VILLAGES).drop(columns=["经度", "纬度"])
    folder = write_county(tmp_path, villages=None)
    gpd.GeoDataFrame(table, geometry=shapes, crs=4490).to_file(folder / "村庄.gpkg")
    region = read_region(folder)
    assert set(region.villages.geom_type) == {"Point"}
    kept = region.boundaries.set_index("boundary_id")
    assert kept["kind"].tolist() == ["village"] * 4
    for _, row in region.villages.iterrows():
        assert kept.geometry[row["village_id"]].contains(row.geometry)


def test_roads_keep_only_their_columns_and_single_lines(tmp_path):
    folder = write_county(tmp_path)
    lines = [
        shapely.LineString([(104.1, 30.1), (104.12, 30.11)]),
        shapely.MultiLineString([[(104.1, 30.1), (104.1, 30.2)], [(104.2, 30.1), (104.2, 30.2)]]),
    ]
    gpd.GeoDataFrame(
        {"highway": ["residential", "primary"], "oneway": ["是", "-1"], "奇怪列": ["x", "y"]},
        geometry=lines,
        crs=4326,
    ).to_file(folder / "道路.gpkg")
    roads = read_region(folder).roads
    assert roads["oneway"].tolist() == ["yes", "-1", "-1"]
    assert set(roads.geom_type) == {"LineString"}
    assert "奇怪列" not in roads
    assert roads["hazard"].tolist() == [False] * 3


def test_road_file_is_found_and_left_to_the_network(tmp_path):
    folder = write_county(tmp_path)
    (folder / "路网.osm.pbf").write_bytes(b"\x00\x00\x00\x0d\x0a\x09OSMHeader")
    region = read_region(folder)
    assert region.road_file == folder / "路网.osm.pbf"
    assert any(s.layer == "roads" and s.file == "路网.osm.pbf" for s in region.sources)


def test_county_bands_of_the_folder(tmp_path):
    from importlib.resources import files

    folder = write_county(tmp_path)
    text = files("catchment.region").joinpath("bands.csv").read_text(encoding="utf-8")
    (folder / "bands.csv").write_text(text.replace("lower,", "small,"), encoding="utf-8")
    assert read_region(folder).bands[0].band == "small"
    assert len(read_region(folder, bands=read_region(folder).bands[:1]).bands) == 1


def test_regions_crs_replaces_a_geographic_one_but_not_a_projected_one(tmp_path):
    lon, lat = wgs84_to_gcj02([v["经度"] for v in VILLAGES], [v["纬度"] for v in VILLAGES])
    rows = [{**v, "经度": a, "纬度": b} for v, a, b in zip(VILLAGES, lon, lat, strict=True)]
    folder = write_county(
        tmp_path, villages=None, schools=None, manifest=MANIFEST.replace("CGCS2000", "GCJ-02")
    )
    frame(rows).to_crs(4326).to_file(folder / "村庄.gpkg")
    frame(SCHOOLS, "EPSG:4544").to_file(folder / "学校.gpkg")
    region = read_region(folder)
    plain = read_region(write_county(tmp_path / "plain"))
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 0.01
    assert region.schools.geometry.distance(plain.schools.geometry).max() < 0.01


def test_manifest_names_files_sheets_and_encodings(tmp_path):
    folder = write_county(tmp_path, villages=None)
    (folder / "数据").mkdir()
    (folder / "数据" / "a.csv").write_bytes(as_csv(VILLAGES).encode("gb18030"))
    (folder / "region.toml").write_text(
        MANIFEST + '[sources.villages]\nfile = "数据/a.csv"\nencoding = "gbk"\n', encoding="utf-8"
    )
    region = read_region(folder)
    source = next(s for s in region.sources if s.layer == "villages")
    assert (source.file, source.encoding) == ("数据/a.csv", "gb18030")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nam = 'x'\n", "'nam'.*'name'"),
        ("[sources.village]\n", "'village'.*'villages'"),
        ("[sources.villages]\nfiles = 'x'\n", "'files'.*'file'"),
        ("crs = 4490.5\n", "crs"),
        ("x = \n", "TOML"),
        ("[sources.villages]\nfile = '/etc/passwd'\n", "相对路径"),
        ("[sources.villages]\nfile = '../x.csv'\n", r"\.\."),
        ("[sources.villages]\nfile = 'C:\\\\x.csv'\n", "相对路径"),
        ("[sources.villages]\nfile = '\\\\\\\\host\\\\x.csv'\n", "相对路径"),
    ],
)
def test_bad_manifests_are_refused(tmp_path, text, words):
    folder = write_county(tmp_path, manifest=text)
    with pytest.raises(InputError, match=words):
        read_region(folder)


def test_links_that_lead_outside_are_refused(tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text(as_csv(VILLAGES), encoding="utf-8")
    folder = write_county(tmp_path / "county", villages=None)
    try:
        (folder / "村庄.csv").symlink_to(outside)
    except OSError:
        pytest.skip("this machine does not allow links")
    with pytest.raises(InputError, match="villages"):
        read_region(folder)
    (folder / "region.toml").write_text(
        MANIFEST + '[sources.villages]\nfile = "村庄.csv"\n', encoding="utf-8"
    )
    with pytest.raises(InputError, match="之外"):
        read_region(folder)


def test_missing_places_are_named(tmp_path):
    with pytest.raises(NotFoundError):
        read_region(tmp_path / "nowhere")
    (tmp_path / "x.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError):
        read_region(tmp_path / "x.txt")
    folder = write_county(tmp_path / "a", manifest=MANIFEST + "[sources.roads]\nfile = 'x.csv'\n")
    with pytest.raises(NotFoundError, match=r"x\.csv"):
        read_region(folder)
    with pytest.raises(InputError, match="villages"):
        read_region(write_county(tmp_path / "b", villages=None))


def test_two_files_for_one_layer_are_refused(tmp_path):
    folder = write_county(tmp_path)
    shutil.copy(folder / "村庄.csv", folder / "villages.csv")
    with pytest.raises(InputError, match=r"villages\.csv"):
        read_region(folder)


def test_the_first_ten_errors_and_the_count(tmp_path):
    rows = [
        {**CHILDREN[0], "村代码": "001", "年度": str(1990 + k), "学生数": "-1"} for k in range(14)
    ]
    with pytest.raises(InputError) as caught:
        read_region(write_county(tmp_path, children=rows))
    text = str(caught.value)
    assert "14 个错误" in text
    assert "14 errors" in text
    assert text.count("remedy") == 0
    assert "10. children" in text
    assert "11. children" not in text
    assert "catchment check" in text


def test_set_aside_conserves_every_student(tmp_path):
    villages = changed(VILLAGES, 0, 经度="0", 纬度="0")
    children = [
        *CHILDREN,
        {"村代码": "999", "年级": "1", "年度": "2026", "学生数": "4"},
        {"村代码": "002", "年级": "10", "年度": "2026", "学生数": "3"},
        {"村代码": "002", "年级": "2", "年度": "2026", "学生数": "-3"},
        {"村代码": "002", "年级": "3", "年度": "2026", "学生数": "很多"},
    ]
    schools = changed(SCHOOLS, 1, 床位="abc")
    folder = write_county(tmp_path, villages=villages, children=children, schools=schools)
    with pytest.raises(InputError):
        read_region(folder)
    region = read_region(folder, set_aside=True)
    kept = int(region.children["students"].sum())
    rejected = int(region.rejected["students"].sum())
    assert (kept, rejected) == (14, 22 + 4 + 3)
    assert kept + rejected == TOTAL + 4 + 3
    assert region.villages["village_id"].tolist() == ["002", "003", "010"]
    assert set(region.children["village_id"]) <= set(region.villages["village_id"])
    assert len(region.schools) == 2
    assert region.schools["beds"].isna().all()
    aside = region.rejected
    assert aside[aside["layer"] == "villages"]["row"].tolist() == [2]
    assert aside["reason"].str.len().min() > 0


def test_structural_errors_refuse_even_with_set_aside(tmp_path):
    for k, layers in enumerate(
        (
            {"villages": [*VILLAGES, VILLAGES[0]]},
            {"manifest": 'name = "x"\n'},
            {"schools": None},
            {"villages": [{**v, "海拔": "1"} for v in VILLAGES]},
        )
    ):
        with pytest.raises(InputError):
            read_region(write_county(tmp_path / str(k), **layers), set_aside=True)


def test_classes_and_references_follow_a_school_set_aside(tmp_path):
    villages = [{**v, "现就读学校": "0101"} for v in VILLAGES]
    classes = [
        {"学校代码": "0101", "年级": "1", "班号": "1", "人数": "30"},
        {"学校代码": "0102", "年级": "1", "班号": "1", "人数": "20"},
    ]
    folder = write_county(
        tmp_path, villages=villages, classes=classes, schools=changed(SCHOOLS, 0, 教室数="十二")
    )
    region = read_region(folder, set_aside=True)
    assert region.schools["school_id"].tolist() == ["0102"]
    assert region.classes["school_id"].tolist() == ["0102"]
    assert set(region.villages["school_lower"]) == {""}


def test_geojson_ids_stay_text(tmp_path):
    folder = write_county(tmp_path, villages=None)
    features = [
        {
            "type": "Feature",
            "properties": {"village_id": v["村代码"], "name": v["村名"], "township": v["乡镇"]},
            "geometry": {"type": "Point", "coordinates": [v["经度"], v["纬度"], 512.0]},
        }
        for v in VILLAGES
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (folder / "村庄.geojson").write_text(text, encoding="utf-8")
    region = read_region(folder)
    assert region.villages["village_id"].tolist()[0] == "001"
    assert not region.villages.geometry.has_z.any()


def test_demo_county_reads_without_an_error():
    folder = Path(__file__).resolve().parents[2] / "data" / "demo"
    if not (folder / "region.toml").is_file():
        pytest.skip("the demo county has not been made")
    found = check_region(folder)
    assert found.ok, "\n".join(f.line() for f in found.errors[:5])
    region = read_region(folder)
    assert len(region.villages) > 200
    assert len(region.schools) > 60


def test_further_sheets_of_a_workbook_named_after_one_layer(tmp_path):
    folder = write_county(tmp_path, schools=None, children=None)
    book = xlsxwriter.Workbook(folder / "学校情况表.xlsx")
    for name, rows in (("学校", SCHOOLS), ("学龄人口", CHILDREN)):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, list(rows[0]))
        for k, row in enumerate(rows, start=1):
            sheet.write_row(k, 0, list(row.values()))
    book.close()
    assert read_region(folder).children["students"].sum() == TOTAL
    (folder / "学龄人口.csv").write_text(as_csv(CHILDREN[:2]), encoding="utf-8")
    assert read_region(folder).children["students"].sum() == 22


def test_a_title_with_commas_does_not_hide_the_delimiter(tmp_path):
    text = as_csv(VILLAGES).replace(",", ";")
    title = "说明,一,二,三,四,五,六,七,八,九,十\n"
    assert len(read_region(write_county(tmp_path, villages=title + text)).villages) == 4
