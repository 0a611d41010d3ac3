"""Village cells and which of them touch."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from catchment.network.cells import neighbours, village_cells
from tests.network.ascii_map import METRIC, STEP, place, region


def box(west: float, north: float, east: float, south: float) -> shapely.Polygon:
    a, b = place(west, south), place(east, north)
    return shapely.box(a.x, a.y, b.x, b.y)


def borders(*rows: tuple[str, str, shapely.Geometry]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"boundary_id": [r[0] for r in rows], "kind": [r[1] for r in rows]},
        geometry=[r[2] for r in rows],
        crs=METRIC,
    )


def pairs(cells: gpd.GeoDataFrame, **options: bool) -> set[tuple[str, str]]:
    found = neighbours(cells, **options).tocoo()
    names = cells["village_id"].to_list()
    return {(names[a], names[b]) for a, b in zip(found.row, found.col, strict=True) if a < b}


COUNTY = box(0, 0, 40, 20)


def test_nearest_land_within_the_county() -> None:
    villages = {"a": place(10, 10), "b": place(30, 10)}
    cells = village_cells(region(villages, {}, boundaries=borders(("1", "county", COUNTY))))
    assert cells["village_id"].tolist() == ["a", "b"]
    assert cells["made"].tolist() == ["nearest", "nearest"]
    assert cells.area.tolist() == pytest.approx([4e6, 4e6])
    assert cells.geometry[0].contains(villages["a"])
    assert pairs(cells) == {("a", "b")}
    assert cells.crs == METRIC


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@settings(deadline=None, max_examples=25)
def test_cells_divide_the_county_and_hold_their_villages(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    villages = {
        f"v{k}": place(*p) for k, p in enumerate(rng.integers(1, 19, (count, 2)).astype(float))
    }
    county = borders(("1", "county", COUNTY))
    cells = village_cells(region(villages, {}, boundaries=county))
    assert cells.area.sum() == pytest.approx(COUNTY.area, rel=1e-9)
    assert shapely.union_all(cells.geometry.to_numpy()).area == pytest.approx(COUNTY.area, rel=1e-9)
    assert (cells.area > 1.0).all()
    gap = shapely.distance(cells.geometry.to_numpy(), list(villages.values()))
    assert gap.max() < 2.0 * np.sqrt(count) + 1e-6
    touching = neighbours(cells)
    assert (touching != touching.T).nnz == 0
    assert touching.diagonal().sum() == 0
    assert touching.dtype == np.bool_
    assert connected_components(touching)[0] == 1


def test_villages_at_one_point_have_cells_that_touch() -> None:
    villages = {"a": place(10, 10), "b": place(10, 10), "c": place(10, 10), "d": place(30, 10)}
    county = borders(("1", "county", COUNTY))
    cells = village_cells(region(villages, {}, boundaries=county))
    assert (cells.area > 1e5).all()
    assert cells.area.sum() == pytest.approx(COUNTY.area)
    assert {("a", "b"), ("a", "c")} <= pairs(cells) | {("b", "c")}
    again = village_cells(region(villages, {}, boundaries=county))
    assert shapely.to_wkb(again.geometry.to_numpy()).tolist() == (
        shapely.to_wkb(cells.geometry.to_numpy()).tolist()
    )


def test_corner_is_no_border() -> None:
    villages = {"a": place(5, 5), "b": place(15, 5), "c": place(5, 15), "d": place(15, 15)}
    county = borders(("1", "county", box(0, 0, 20, 20)))
    cells = village_cells(region(villages, {}, boundaries=county))
    assert pairs(cells) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}


def test_islands_are_parts_of_their_own() -> None:
    island, rock = box(50, 0, 60, 20), box(44, 0, 45, 1)
    whole = shapely.MultiPolygon([COUNTY, island, rock])
    villages = {"a": place(10, 10), "b": place(39, 10), "i": place(58, 10), "j": place(55, 15)}
    cells = village_cells(region(villages, {}, boundaries=borders(("1", "county", whole))))
    assert cells.area.sum() == pytest.approx(whole.area)
    by = dict(zip(cells["village_id"], cells.geometry, strict=True))
    assert by["i"].union(by["j"]).equals(island) or (
        by["i"].union(by["j"]).symmetric_difference(island).area < 1e-3
    )
    assert by["b"].covers(rock.buffer(-1))
    assert pairs(cells, link_parts=False) == {("a", "b"), ("i", "j")}
    linked = pairs(cells)
    assert len(linked) == 3
    assert len(linked & {("b", "i"), ("b", "j")}) == 1


def test_village_boundaries_by_code_and_by_place() -> None:
    rows = borders(
        ("v1", "village", box(0, 0, 10, 20)),
        ("x", "village", box(10, 0, 30, 20)),
        ("empty", "village", box(60, 0, 70, 20)),
        ("1", "county", COUNTY),
    )
    villages = {
        "v1": place(1, 1), "p": place(15, 10), "q": place(25, 10), "rest": place(35, 10),
    }  # fmt: skip
    cells = village_cells(region(villages, {}, boundaries=rows))
    assert cells["made"].tolist() == ["boundary", "shared boundary", "shared boundary", "nearest"]
    assert cells.area.tolist() == pytest.approx([2e6, 2e6, 2e6, 2e6])
    assert pairs(cells) == {("v1", "p"), ("p", "q"), ("q", "rest")}


def test_drawn_boundaries_with_gaps_and_overlaps() -> None:
    rows = borders(
        ("a", "village", box(0, 0, 10, 10)),
        ("b", "village", box(10.005, 0, 20, 10)),
        ("c", "village", box(19.5, 0, 30, 10)),
        (
            "bow",
            "village",
            shapely.Polygon([place(30, 0), place(40, 10), place(40, 0), place(30, 10)]),
        ),
    )
    villages = {"a": place(5, 5), "b": place(15, 5), "c": place(25, 5), "bow": place(31, 5)}
    cells = village_cells(region(villages, {}, boundaries=rows))
    assert pairs(cells, link_parts=False) >= {("a", "b"), ("b", "c")}
    assert cells.area.sum() == pytest.approx(
        shapely.union_all(cells.geometry.to_numpy()).area, rel=1e-9
    )
    assert cells.geometry.is_valid.all()


def test_village_outside_the_county_and_without_boundaries() -> None:
    villages = {"a": place(10, 10), "out": place(80, 10)}
    cells = village_cells(region(villages, {}, boundaries=borders(("1", "county", COUNTY))))
    assert cells.geometry[1].contains(villages["out"])
    assert cells.area[1] == pytest.approx(np.pi * 400**2, rel=0.02)
    assert pairs(cells) == {("a", "out")}
    bare = village_cells(region(villages, {}))
    assert bare.geometry.contains(gpd.GeoSeries(list(villages.values()), crs=METRIC)).all()
    assert len(pairs(bare)) == 1


def test_townships_stand_in_for_the_county() -> None:
    rows = borders(("1", "township", box(0, 0, 20, 20)), ("2", "township", box(20, 0, 40, 20)))
    villages = {"a": place(10, 10), "b": place(30, 10)}
    cells = village_cells(region(villages, {}, boundaries=rows))
    assert cells.area.sum() == pytest.approx(COUNTY.area)


def test_village_without_a_place_and_no_villages() -> None:
    county = borders(("1", "county", COUNTY))
    cells = village_cells(
        region({"a": place(10, 10), "lost": shapely.Point()}, {}, boundaries=county)
    )
    assert cells["made"].tolist() == ["nearest", "none"]
    assert cells.geometry[1].is_empty
    assert neighbours(cells).nnz == 0
    none = village_cells(region({}, {}, boundaries=county))
    assert len(none) == 0
    assert neighbours(none).shape == (0, 0)


def test_cells_of_a_line_of_villages() -> None:
    villages = {f"v{k}": place(2 + 4 * k, 10) for k in range(9)}
    cells = village_cells(region(villages, {}, boundaries=borders(("1", "county", COUNTY))))
    assert pairs(cells) == {(f"v{k}", f"v{k + 1}") for k in range(8)}
    assert STEP == 100.0
