"""Every class of dirty file in every format it occurs in: repaired and told, or refused with words."""

from __future__ import annotations

from pathlib import Path

import pytest
from dirty_files import DIRTY, TOTAL, VILLAGES, county, make_page, registry

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
        assert len(region.villages) == len(VILLAGES)
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
