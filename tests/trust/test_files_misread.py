"""What a reader would have taken for something else: sums for classes, house numbers for codes."""

from __future__ import annotations

import pytest
from dirty_files import CLASSES, DIRTY, county, write

from catchment.region.read import gather, region_of
from catchment.region.totals import is_total


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
