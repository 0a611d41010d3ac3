"""Every class of dirty file in every format it occurs in: repaired and told, or refused with words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from dirty_files import (
    CHILDREN,
    DIRTY,
    TOTAL,
    VILLAGES,
    county,
    make_page,
    registry,
    roads,
    write,
)

from catchment.errors import CatchmentError, InputError
from catchment.network.doubts import check_roads
from catchment.region.faults import Problems, problems
from catchment.region.read import Reading, gather, read_region, region_of
from catchment.region.schema import layers

CELLS = [
    pytest.param(row, kind, id=f"{row['class']}-{kind}")
    for row in registry()
    for kind in row["formats"].split()
]
# Classes whose point is a value that differs from the clean county's.
OTHER = {
    "rare_characters", "garbled_names", "replacement_characters", "names_like_blanks",
    "formula_as_name", "markup_as_name", "sql_as_name", "same_place", "thousands_separator",
    "undeclared_gcj02", "undeclared_bd09", "far_from_any_road", "road_island",
    "township_undeclared_gcj02", "village_under_two_codes", "name_and_township_swapped",
    "half_of_two_encodings",
    "osm_shifted_villages", "osm_far_village", "osm_island", "row_total_differs",
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return read_region(county(tmp_path_factory.mktemp("plain") / "c"))


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("row", "kind"), CELLS)
def test_cell(tmp_path, plain, row, kind):
    folder = tmp_path / "county"
    folder.mkdir()
    total = DIRTY[row["class"]](folder, kind)
    codes = [c for c in row["code"].split("|") if c]
    refusal = ""
    try:
        reading = gather(folder)
        found = problems([*reading.problems.faults, *check_roads(reading)], layers())
    except CatchmentError as fault:
        refusal = str(fault)
    if refusal:
        assert row["expected"] == "refused", refusal
        assert any(c in refusal for c in codes), refusal
        assert " / " in refusal
        return
    if row["expected"] == "refused":
        _refused(reading, found, codes, total)
        return
    assert found.ok, [f.line() for f in found.errors]
    region = region_of(reading)
    assert int(region.children["students"].sum()) == total
    assert int(region.rejected["students"].sum()) == 0
    _told(found, row, codes)
    if row["class"] in OTHER:
        added = {"township_undeclared_gcj02": 22, "village_under_two_codes": 1}
        assert len(region.villages) == len(VILLAGES) + added.get(row["class"], 0)
        return
    for name in ("village_id", "name", "township"):
        assert region.villages[name].tolist() == plain.villages[name].tolist()
    assert region.villages.geometry.distance(plain.villages.geometry).max() < 0.02
    assert region.children["students"].tolist() == plain.children["students"].tolist()


def _refused(reading: Reading, found: Problems, codes: list[str], total: int) -> None:
    named = [
        f
        for f in found.errors
        if f.code in codes or (f.layer and any(c in f.line() for c in codes))
    ]
    assert named, [f.line() for f in found.faults]
    for fault in named:
        # Layer, place, value and remedy in both languages, and no unfilled blank.
        assert fault.layer
        assert fault.say("remedy_zh")
        assert fault.say("remedy_en")
        assert "{" not in fault.line().replace(str(fault.value), "")
        assert fault.row is not None or fault.spoils == "refuse" or fault.file
    if all(f.code == "roads_unusable" for f in named):
        return
    with pytest.raises(InputError, match="/"):
        region_of(reading)
    try:
        region = region_of(reading, set_aside=True)
    except InputError:
        return
    kept, aside = int(region.children["students"].sum()), int(region.rejected["students"].sum())
    assert kept + aside == total


def _told(found: Problems, row: dict[str, str], codes: list[str]) -> None:
    told = [f for f in found.faults if f.code in codes]
    told += [f for f in found.faults if f.code == "repaired" and any(c in f.line() for c in codes)]
    if row["expected"] == "read":
        strange = [
            f.line() for f in found.faults if f.severity == "warning" and f.code != "no_roads"
        ]
        assert not strange
        assert not [f for f in found.faults if f.code == "repaired"]
        return
    assert told, [f.line() for f in found.faults]


def test_every_class_is_made_and_listed():
    listed = {row["class"] for row in registry()}
    assert listed == set(DIRTY)
    assert len(listed) >= 60
    assert {row["expected"] for row in registry()} == {"read", "repaired", "reported", "refused"}
    assert TOTAL > 0


def test_the_page_is_up_to_date():
    page = Path(__file__).resolve().parents[2] / "docs" / "dirty.md"
    assert page.read_text(encoding="utf-8") == make_page(), "run python tests/trust/dirty_files.py"


def test_a_shift_of_one_township_is_told_by_its_name(tmp_path):
    DIRTY["township_undeclared_gcj02"](tmp_path, "csv")
    told = [f for f in gather(tmp_path).problems.faults if f.code == "looks_shifted"]
    assert [(f.layer, f.value, f.details["count"]) for f in told] == [("villages", "乙镇", 10)]
    assert "GCJ-02" in told[0].line()


@pytest.mark.parametrize("seed", range(8))
def test_townships_off_the_road_are_not_said_to_be_shifted(tmp_path, seed):
    rng = np.random.default_rng([seed, 21])
    rows = [
        {**VILLAGES[0], "村代码": f"{k:03d}", "村名": f"{k}村", "乡镇": f"{k // 12}镇",
         "经度": round(104.1 + float(rng.uniform(0, 0.15)), 5),
         "纬度": round(30.1 + 0.02 * float(rng.integers(0, 5)) + float(rng.normal(0, 0.002)), 5)}
        for k in range(96)
    ]  # fmt: skip
    county(tmp_path, villages=rows, children=[dict(CHILDREN[0], 村代码="001")])
    lines = [
        shapely.LineString([(104.0, 30.1 + 0.02 * t), (104.3, 30.1 + 0.02 * t)]) for t in range(5)
    ]
    roads(tmp_path, lines)
    assert not [f for f in gather(tmp_path).problems.faults if f.code == "looks_shifted"]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "gpkg", "geojson", "shp"])
def test_broken_homes_are_counted_where_homes_count_the_students(tmp_path, kind):
    county(tmp_path, leave=("children",))
    rng = np.random.default_rng(4)
    rows = [
        {"学生编号": f"S{k:05d}", "村代码": VILLAGES[k % 8]["村代码"], "年级": str(1 + k % 6),
         "经度": VILLAGES[k % 8]["经度"], "纬度": VILLAGES[k % 8]["纬度"]}
        for k in range(2000)
    ]  # fmt: skip
    bad = rng.choice(2000, 20, replace=False).tolist()
    for k in bad[:10]:
        rows[k]["年级"] = "13"
    for k in bad[10:]:
        rows[k]["经度"], rows[k]["纬度"] = rows[k]["纬度"], rows[k]["经度"]
    write(tmp_path, "students", kind, rows)
    region = region_of(gather(tmp_path), set_aside=True)
    assert len(region.students) == 1980
    assert int(region.rejected["students"].sum()) == 20
    # With a layer of children the homes count nobody, lest a student be counted twice.
    write(tmp_path, "children", "csv", CHILDREN)
    region = region_of(gather(tmp_path), set_aside=True)
    assert int(region.rejected["students"].sum()) == 0
    assert int(region.children["students"].sum()) == TOTAL
