"""What a reader would have taken for something else: sums for classes, house numbers for codes."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from dirty_files import CHILDREN, CLASSES, DIRTY, TOTAL, VILLAGES, children_in_sheets, county, write
from pyproj import CRS

from catchment.coordinates import parse_crs
from catchment.demand import rejected_students
from catchment.errors import InputError
from catchment.region import elevation
from catchment.region.address import Village, match_addresses
from catchment.region.elevation import read_elevation
from catchment.region.positions import _zone_of
from catchment.region.read import gather, region_of
from catchment.region.totals import is_total
from catchment.scenario import read_scenario


@pytest.mark.parametrize("kind", ["csv", "xlsx", "shp", "gpkg", "geojson"])
def test_a_sum_is_no_class(tmp_path, kind):
    DIRTY["class_total_row"](tmp_path, kind)
    region = region_of(gather(tmp_path), set_aside=True)
    assert region.classes["students"].tolist() == [30, 32, 29]


@pytest.mark.parametrize("sizes", [(30, 32, 29), (40,), (20, 20), (45, 46, 44, 45)])
def test_classes_of_like_size_are_no_sum(tmp_path, sizes):
    rows = [{**CLASSES[0], "班号": str(k), "人数": str(n)} for k, n in enumerate(sizes)]
    write(county(tmp_path), "classes", "csv", rows)
    assert not [f for f in gather(tmp_path).problems.faults if f.code == "class_is_sum"]


@pytest.mark.parametrize(
    ("line", "total"),
    [
        (["0101", "2026", "一年级", "小 计", "62"], True),
        (["0101", "2026", "", "一年级合计", "62"], True),
        (["全县总计", "", "", "", "900"], True),
        (["0101", "2026", "一年级", "1", "62"], False),
    ],
)
def test_a_sum_is_told_by_its_word(line, total):
    assert is_total(line, ["学校代码", "年度", "年级", "班号", "人数"]) is total


def test_a_remark_makes_no_sum():
    assert not is_total(["0101", "2026", "一年级", "1", "合计"], ["a", "b", "c", "d", "备注"])


def told(folder, code):
    return [f.value for f in gather(folder).problems.faults if f.code == code]


def test_a_visible_sheet_named_after_the_layer_is_read_and_its_like_is_told(tmp_path):
    old = [{**row, "学生数": "99"} for row in CHILDREN]
    children_in_sheets(tmp_path, 去年=old, 学龄人口=CHILDREN).close()
    assert int(region_of(gather(tmp_path)).children["students"].sum()) == TOTAL
    assert told(tmp_path, "sheet_unread") == ["去年"]


def test_a_hidden_sheet_is_read_where_no_visible_one_will_do_and_told(tmp_path):
    book = children_in_sheets(tmp_path, 封面=[], 学生数=CHILDREN)
    book.get_worksheet_by_name("学生数").hide()
    book.close()
    reading = gather(tmp_path)
    assert int(region_of(reading).children["students"].sum()) == TOTAL
    assert [f for f in reading.problems.faults if f.code == "repaired" and "隐藏" in f.line()]


def test_sheets_of_other_layers_or_without_rows_are_no_rivals(tmp_path):
    villages = [{**row, "村名": "x"} for row in CHILDREN]
    children_in_sheets(tmp_path, 村庄=villages, 填表说明=CHILDREN, 空表=[], 数据=CHILDREN).close()
    reading = gather(tmp_path)
    assert int(region_of(reading).children["students"].sum()) == TOTAL
    assert not told(tmp_path, "sheet_unread")


PLACES = [
    Village("101", "东村", "甲镇"),
    Village("102", "南村", "甲镇"),
    Village("103", "东风村", "甲镇"),
    Village("104", "东村坝村", "甲镇"),
    Village("105", "东村", "乙镇"),
    Village("106", "上石门子村", "乙镇"),
    Village("331125100201", "云章村", "崇头镇"),
]


@pytest.mark.parametrize(
    ("address", "code", "way"),
    [
        # a house number is no code
        ("甲镇东村102号", "101", "name"),
        ("甲镇东村 102 室", "101", "name"),
        ("甲镇东村102-3", "101", "name"),
        ("甲镇东村2组 102", "", "ambiguous"),
        # a code
        ("村代码:106 二组", "106", "code"),
        ("甲镇101,3组", "101", "code"),
        ("甲镇东村 101 3组", "101", "code"),
        ("331125100201", "331125100201", "code"),
        ("浙江省丽水市小县崇头镇331125100201", "331125100201", "code"),
        ("甲镇云章村331125100201", "", "ambiguous"),
        ("甲镇新东村5号 102", "", "ambiguous"),
        ("乙镇102", "", "ambiguous"),
        # a name that only holds that of a village
        ("甲镇新东村5号", "", "unmatched"),
        ("甲镇南村路12号", "", "unmatched"),
        ("甲镇南村坝村5组", "", "unmatched"),
        ("甲镇东风岭村5组", "", "unmatched"),
        ("甲镇东风一村5组", "", "unmatched"),
        ("乙镇石门子村5组", "", "unmatched"),
        ("乙镇下石门子村5组", "", "unmatched"),
        ("甲镇东村坝村5组", "104", "name"),
        # a township of another county or another township
        ("邻县甲镇东村", "", "ambiguous"),
        ("浙江省邻市邻县甲镇东村", "", "ambiguous"),
        ("新甲镇东村", "", "ambiguous"),
        ("乙镇甲镇东村", "", "ambiguous"),
        ("邻县甲镇 101", "", "ambiguous"),
        # what was read rightly
        ("小县甲镇东村3组12号", "101", "name"),
        ("浙江省丽水市小县甲镇东村3组", "101", "name"),
        ("丽水市甲镇东村3组", "101", "name"),
        ("家庭住址:甲镇东村王家湾3组", "101", "name"),
        ("甲镇 东村村委会 3组", "101", "name"),
        ("甲镇人民政府东村", "101", "name"),
        ("甲镇东风三组", "103", "name"),
        ("甲镇东风社区3号", "103", "name"),
        ("甲镇东风", "103", "name"),
        ("甲镇东村桥头组", "101", "name"),
        ("东村3组", "", "ambiguous"),
        ("甲镇东村与南村之间", "", "ambiguous"),
        ("甲镇朝阳村1组", "", "unmatched"),
    ],
)
def test_an_address_names_a_village_or_none(address, code, way):
    others = ["浙江省丽水市小县甲镇东村"] * 2
    found = match_addresses([address, *others], PLACES, "小县")[0]
    assert (found.code, found.way) == (code, way)
    assert not (found.code and found.candidates)


@pytest.mark.parametrize("name", ["", "county"])
def test_the_county_that_most_addresses_name_is_the_own_one(name):
    addresses = ["云和县甲镇东村1组", "云和县甲镇东村2组", "邻县甲镇东村3组", "甲镇东村4组"]
    found = match_addresses(addresses, PLACES, name)
    assert [m.code for m in found] == ["101", "101", "", "101"]


@pytest.mark.parametrize(
    ("address", "code"),
    [("丙镇东村3组", "001"), ("东村3组", "001"), ("新东村3组", ""), ("邻县丙镇东村", "")],
)
def test_a_county_without_townships_is_matched_by_name(address, code):
    places = [Village("001", "东村", ""), Village("002", "西村", "")]
    assert match_addresses([address], places, "小县")[0].code == code


def test_homes_without_a_village_are_counted_as_set_aside(tmp_path):
    DIRTY["home_without_a_village"](tmp_path, "csv")
    with pytest.raises(InputError, match="counts for no village"):
        region_of(gather(tmp_path))
    region = region_of(gather(tmp_path), set_aside=True)
    assert len(region.students) == 20
    assert rejected_students(region, [2026, 2027], range(1, 10)) == (4, 4)


def test_homes_without_a_village_may_stand_beside_a_layer_of_children(tmp_path):
    DIRTY["home_without_a_village"](tmp_path, "csv")
    write(tmp_path, "children", "csv", CHILDREN)
    assert len(region_of(gather(tmp_path)).students) == 24


@pytest.mark.parametrize("half", ["\\ud800", "\\uDC00x", "\\udc00\\ud800"])
def test_half_a_character_is_refused_before_anything_is_written(tmp_path, half):
    county(tmp_path, leave=("villages",))
    path = write(tmp_path, "villages", "geojson", VILLAGES)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("东村", half), encoding="utf-8")
    assert [f.layer for f in gather(tmp_path).problems.errors if f.code == "file_unreadable"] == [
        "villages"
    ]
    path.write_text(text.replace("东村", "\\ud840\\udc0b村"), encoding="utf-8")
    assert region_of(gather(tmp_path)).villages["name"][0] == "\U0002000b村"


def test_toml_nested_without_end_is_refused_in_words(tmp_path):
    county(tmp_path)
    path = tmp_path / "region.toml"
    path.write_text("a=" + "[" * 5000, encoding="utf-8")
    with pytest.raises(InputError, match=" / "):
        gather(tmp_path)
    with pytest.raises(InputError, match=" / "):
        read_scenario(path)


@pytest.mark.parametrize(
    "code",
    [
        *(4513, 4533, 4534, 4554, 4491, 4501, 4502, 4512),
        *(2349, 2369, 2370, 2390, 2327, 2337, 2338, 2348),
        *(2401, 2421, 2422, 2442, 21413, 21423, 21453, 21463),
    ],
)
def test_zones_of_the_chinese_systems_are_those_of_their_definitions(code):
    zone, prefixed = _zone_of(parse_crs(f"EPSG:{code}"))
    operation = CRS.from_epsg(code).coordinate_operation
    told = {p.name: p.value for p in operation.params}
    middle, false = told["Longitude of natural origin"], told["False easting"]
    assert zone is not None
    assert middle in {3.0 * zone, 6.0 * zone - 3.0}
    assert false == 500_000.0 + (zone * 1e6 if prefixed else 0.0)


def test_a_raster_that_unpacks_without_end_is_refused_unread(tmp_path):
    path = tmp_path / "dem.tif"
    shape = {"width": 6000, "height": 6000, "count": 1, "dtype": "float64"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:4490", compress="deflate", tiled=True,
                       sparse_ok=True, transform=Affine(1e-4, 0, 104, 0, -1e-4, 31), **shape):  # fmt: skip
        pass
    with pytest.raises(InputError, match=" / "):
        read_elevation(path)


@pytest.mark.parametrize("dtype", ["int16", "float64"])
def test_strips_of_a_raster_make_the_whole(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(elevation, "STRIP_PIXELS", 70)
    heights = np.arange(35 * 20, dtype=dtype).reshape(35, 20)
    heights[3, 4], heights[30, 7] = -9999, 30_000
    path = tmp_path / "dem.tif"
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:4490", width=20, height=35, count=1,
                       dtype=dtype, nodata=-9999, transform=Affine(1e-4, 0, 104, 0, -1e-4, 31)) as raster:  # fmt: skip
        raster.write(heights, 1)
    read = read_elevation(path).heights
    good = np.ones(read.shape, dtype=bool)
    good[3, 4] = good[30, 7] = False
    assert read[good].tolist() == heights[good].tolist()
    assert np.isnan(read[~good]).all()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_degrees_are_held_against_metres_row_by_row(tmp_path, kind):
    DIRTY["degrees_and_metres_differ"](tmp_path, kind)
    faults = gather(tmp_path).problems.faults
    found = [(f.row, f.details["metres"]) for f in faults if f.code == "place_columns_differ"]
    assert [row for row, _ in found] == [5]
    assert abs(float(found[0][1].replace(",", "")) - 1000.0) < 5.0
