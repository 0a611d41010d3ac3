"""Building networks of lines, the directed graph, components and snapping."""

from __future__ import annotations

import dataclasses
import time

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from catchment.errors import InputError
from catchment.network.graph import (
    RoadNetwork,
    components,
    directed,
    from_lines,
    lengths,
    strong_components,
)
from catchment.network.shortest import travel_matrix
from catchment.network.snap import attach
from tests.network.ascii_map import METRIC, STEP, network, place, roads


def layer(*lines: list[tuple[float, float]], **columns: list[object]) -> gpd.GeoDataFrame:
    shapes = [shapely.LineString([place(*p) for p in line]) for line in lines]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=METRIC)


def flat(net: RoadNetwork) -> tuple[np.ndarray, np.ndarray]:
    metres = lengths(net)
    return metres, metres


def test_nodes_are_ends_and_shared_vertices() -> None:
    net = from_lines(layer([(0, 0), (1, 0), (2, 0), (3, 0)], [(1, 0), (1, 2)]))
    assert len(net.x) == 4
    assert sorted(net.length.tolist()) == pytest.approx([100, 200, 200])
    every = from_lines(layer([(0, 0), (1, 0), (2, 0), (3, 0)], [(1, 0), (1, 2)]), keep_all=True)
    assert len(every.x) == 5
    assert every.length.sum() == pytest.approx(net.length.sum())


def test_interior_vertices_shared_by_two_lines_join_them() -> None:
    net = from_lines(layer([(0, 1), (1, 1), (2, 1)], [(1, 0), (1, 1), (1, 2)]))
    assert len(net.x) == 5
    assert len(components(net, net.walk)[1]) == 1


def test_crossing_lines_do_not_meet() -> None:
    net = from_lines(layer([(0, 1), (2, 1)], [(1, 0), (1, 2)]))
    assert len(components(net, net.walk)[1]) == 2


def test_ends_within_a_centimetre_meet_and_farther_ones_are_reported() -> None:
    near = from_lines(layer([(0, 0), (1, 0)], [(1.00005, 0), (2, 0)]))
    assert len(components(near, near.walk)[1]) == 1
    apart = from_lines(layer([(0, 0), (1, 0)], [(1.005, 0), (2, 0)]))
    assert len(components(apart, apart.walk)[1]) == 2
    assert any("2 处道路端点" in note and "未相接" in note for note in apart.notes)


def test_end_on_the_course_of_another_line_joins_it() -> None:
    net = from_lines(layer([(0, 0), (4, 0)], [(1, 0), (1, 3)], [(3, 0.00005), (3, 3)]))
    assert len(components(net, net.walk)[1]) == 1
    assert len(net.x) == 6
    assert net.length.sum() == pytest.approx(1000, abs=0.05)
    assert any("2 处道路端点落在另一条路中间" in note for note in net.notes)


def test_multilines_repeated_vertices_and_rows_without_a_line() -> None:
    inf = float("inf")
    frame = layer(
        [(0, 0), (0, 0), (1, 0)], [(0, 0), (1, 1)], [(5, 5), (5, 5)], [(0, 0), (inf, inf)]
    )
    frame.loc[1, "geometry"] = shapely.MultiLineString(
        [[place(1, 0), place(2, 0)], [place(2, 0), place(2, 1)]]
    )
    frame.loc[4, "geometry"] = None
    net = from_lines(frame)
    assert net.length.tolist() == pytest.approx([100, 100, 100])
    assert any("2 行道路无线形" in note for note in net.notes)
    assert any("1 条道路不足两个" in note for note in net.notes)


def test_closed_line_is_a_loop() -> None:
    net = from_lines(layer([(0, 0), (1, 0), (1, 1), (0, 0)]))
    assert net.tail.tolist() == net.head.tolist() == [0]
    assert directed(net, *flat(net))[1].size == 0


def test_classes_in_chinese_and_unknown_ones() -> None:
    names = ["国道", "省道", "县道", "乡道", "村道", "步道", "primary", "神道", None]
    shapes = [[(0, k), (1, k)] for k in range(len(names))]
    net = from_lines(layer(*shapes, highway=list(names)))
    codes = [net.classes[c] for c in net.road_class]
    assert codes == [
        "primary", "secondary", "tertiary", "unclassified", "village", "path", "primary",
        "road", "road",
    ]  # fmt: skip
    assert net.drive_forward.tolist() == [True] * 5 + [False] + [True] * 3
    assert net.walk.all()
    assert any("“神道”不认识，1 条" in note for note in net.notes)


def test_layer_without_metric_crs_or_line_is_refused() -> None:
    frame = layer([(0, 0), (1, 0)])
    with pytest.raises(InputError, match="没有坐标系"):
        from_lines(gpd.GeoDataFrame(geometry=list(frame.geometry)))
    with pytest.raises(InputError, match="不是米制投影"):
        from_lines(frame.set_crs(4326, allow_override=True))
    with pytest.raises(InputError, match="没有可用的道路线"):
        from_lines(frame.iloc[:0])


def test_input_is_untouched() -> None:
    frame = layer([(0, 0), (4, 0)], [(1, 0), (1, 3)], highway=["县道", "村道"])
    before = frame.copy()
    from_lines(frame)
    assert frame.equals(before)


def test_directed_keeps_the_cheapest_parallel_arc_and_drops_loops() -> None:
    net = RoadNetwork(
        **{
            **vars(network("A---B---C")),
            "tail": np.array([0, 0, 1, 2], dtype=np.int32),
            "head": np.array([1, 1, 0, 2], dtype=np.int32),
            "length": np.array([7.0, 5.0, 6.0, 3.0]),
        }
    )
    forward = np.array([7.0, 5.0, 6.0, 3.0])
    backward = np.array([7.0, np.inf, 6.0, 3.0])
    indptr, indices, weight = directed(net, forward, backward)
    assert indptr.tolist() == [0, 1, 2, 2]
    assert indices.tolist() == [1, 0]
    assert weight.tolist() == [5.0, 6.0]


def test_zero_costs_stay_usable_and_wrong_ones_are_refused() -> None:
    net = network("A---B---C")
    zero = np.zeros(2)
    indptr, indices, weight = directed(net, zero, zero)
    assert (weight > 0).all()
    assert np.isfinite(travel_matrix(indptr, indices, weight, [0], [0, 1, 2])).all()
    for bad in (-1.0, np.nan):
        with pytest.raises(ValueError, match="negative or nan"):
            directed(net, np.array([bad, 1.0]), zero)


def test_components_largest_first() -> None:
    drawing = """
A-B
     X-Y-Z
C-D
"""
    net = network(drawing)
    labels, table = components(net, net.walk)
    assert table["nodes"].tolist() == [3, 2, 2]
    assert table["km"].tolist() == pytest.approx([0.4, 0.2, 0.2])
    assert table["share"].tolist() == pytest.approx([3 / 7, 2 / 7, 2 / 7])
    assert np.bincount(labels).tolist() == [3, 2, 2]
    none, empty = components(net, np.zeros(len(net.tail), dtype=bool))
    assert (none == -1).all()
    assert len(empty) == 0


def test_strong_components_know_one_way_traps() -> None:
    net = network("A---B--->T")
    strong = strong_components(net, net.drive_forward, net.drive_backward)
    assert sorted(strong.tolist()) == [0, 0, 1]


def test_attach_to_edges_with_fraction_and_walk() -> None:
    net = network("A---------B")
    at = attach(net, [place(3, 2).x], [place(3, 2).y], allowed=net.walk)
    assert at.segment.tolist() == [0]
    assert at.walk_m[0] == pytest.approx(200)
    assert at.fraction[0] in (pytest.approx(0.3), pytest.approx(0.7))
    assert (at.x[0], at.y[0]) == pytest.approx((place(3, 0).x, place(3, 0).y))


def test_attach_prefers_the_main_part_within_the_extra_walk() -> None:
    drawing = """
A---------B

 C-D
"""
    net = network(drawing)
    x, y = [place(2, 1.9).x] * 2, [place(2, 1.9).y] * 2
    moved = attach(net, x, y, allowed=net.walk)
    assert moved.moved.tolist() == [True, True]
    assert moved.walk_m[0] == pytest.approx(190)
    assert moved.nearest_m[0] == pytest.approx(10)
    near = attach(net, x, y, allowed=net.walk, extra_m=170)
    assert near.moved.tolist() == [False, False]
    assert near.walk_m[0] == pytest.approx(10)


def test_roads_beyond_a_river_keep_their_village() -> None:
    drawing = """
A---------B-E

C---------D
"""
    net = network(drawing)
    x, y = [place(2, 1.9).x], [place(2, 1.9).y]
    at = attach(net, x, y, allowed=net.walk)
    assert at.moved.tolist() == [False]
    assert at.walk_m[0] == pytest.approx(10)
    few = attach(net, x, y, allowed=net.walk, fragment_m=1001)
    assert few.moved.tolist() == [True]


def test_attach_beyond_limit_without_place_and_without_roads() -> None:
    net = network("A---------B")
    at = attach(
        net,
        [place(3, 5).x, np.nan, place(3, 1).x],
        [place(3, 5).y, 0.0, place(3, 1).y],
        allowed=net.walk,
        limit_m=400,
    )
    assert at.beyond_limit.tolist() == [True, True, False]
    assert at.nearest_m.tolist() == pytest.approx([500, np.inf, 100])
    assert at.segment.tolist() == [-1, -1, 0]
    assert np.isinf(at.walk_m[:2]).all()
    nowhere = attach(net, [0.0], [0.0], allowed=np.zeros_like(net.walk))
    assert nowhere.beyond_limit.all()
    assert np.isinf(nowhere.nearest_m).all()
    assert len(attach(net, [], [], allowed=net.walk).segment) == 0
    with pytest.raises(ValueError, match="limit_m"):
        attach(net, [0.0], [0.0], allowed=net.walk, limit_m=0)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_attach_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [
        np.cumsum(rng.uniform(-3, 3, (rng.integers(2, 6), 2)), axis=0) + rng.uniform(0, 20, 2)
        for _ in range(12)
    ]
    net = from_lines(layer(*[[tuple(p) for p in line] for line in lines]))
    points = shapely.points(
        place(0, 0).x + rng.uniform(-5, 25, 40) * STEP,
        place(0, 0).y - rng.uniform(-5, 25, 40) * STEP,
    )
    x, y = shapely.get_x(points), shapely.get_y(points)
    at = attach(net, x, y, allowed=net.walk, extra_m=0, limit_m=1e6)
    shapes = [
        shapely.LineString(net.shape[net.offsets[k] : net.offsets[k + 1]])
        for k in range(len(net.tail))
    ]
    gap = np.array([shapely.distance(p, shapes) for p in points])
    np.testing.assert_allclose(at.walk_m, gap.min(axis=1), atol=1e-6)
    spots = shapely.points(at.x, at.y)
    for k, point in enumerate(points):
        line = shapes[at.segment[k]]
        assert shapely.distance(spots[k], line) < 1e-6
        along = line.line_locate_point(point, normalized=True)
        assert at.fraction[k] == pytest.approx(along, abs=0.011 / line.length)


def test_fifteen_thousand_points_in_seconds() -> None:
    rng = np.random.default_rng(0)
    k = 150
    rows = [[(i, j) for i in range(k)] for j in range(0, k, 2)]
    columns = [[(i, j) for j in range(k)] for i in range(0, k, 2)]
    net = from_lines(layer(*rows, *columns))
    x = place(0, 0).x + rng.uniform(0, k - 2, 15_000) * STEP
    y = place(0, 0).y - rng.uniform(0, k - 2, 15_000) * STEP
    start = time.process_time()
    at = attach(net, x, y, allowed=net.walk)
    assert time.process_time() - start < 8.0
    assert (at.walk_m <= STEP + 1e-6).all()


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_roads_longer_never_nearer_and_roads_more_never_farther(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spots = [tuple(p) for p in rng.integers(0, 6, (14, 2)).astype(float)]
    pairs = [(spots[a], spots[b]) for a, b in rng.integers(0, 14, (24, 2)) if spots[a] != spots[b]]
    net = from_lines(layer(*[list(pair) for pair in pairs]))
    nodes = np.arange(len(net.x))

    def cost(metres: np.ndarray, mask: np.ndarray) -> np.ndarray:
        seconds = np.where(mask, metres, np.inf)
        return travel_matrix(*directed(net, seconds, seconds), nodes, nodes).astype(float)

    metres, every = lengths(net), np.ones(len(net.tail), dtype=bool)
    base = cost(metres, every)
    longer = metres * rng.uniform(1, 3, len(metres))
    assert (cost(longer, every) >= base * (1 - 1e-6)).all()
    assert (cost(metres, rng.random(len(metres)) < 0.7) >= base * (1 - 1e-6)).all()
    best = base[:, None, :] <= (base[:, :, None] + base[None, :, :]) * (1 + 1e-5) + 1e-3
    assert best.all()
    straight = np.hypot(net.x[:, None] - net.x, net.y[:, None] - net.y)
    assert (base >= 0.999 * straight).all()


def test_row_order_does_not_change_times() -> None:
    frame = roads(
        """
A---B-->C
|   |   |
D---E---F
"""
    )
    turned = frame.iloc[::-1].reset_index(drop=True)
    one, two = from_lines(frame), from_lines(turned)

    def all_pairs(net: RoadNetwork) -> np.ndarray:
        order = np.lexsort((net.y, net.x))
        seconds = lengths(net)
        graph = directed(
            net,
            np.where(net.drive_forward, seconds, np.inf),
            np.where(net.drive_backward, seconds, np.inf),
        )
        return travel_matrix(*graph, order, order)

    np.testing.assert_array_equal(all_pairs(one), all_pairs(two))


def test_missing_lengths_are_measured() -> None:
    net = dataclasses.replace(network("A---B---C"), length=np.array([np.nan, -1.0]))
    assert lengths(net).tolist() == [400.0, 400.0]


def test_metric_crs_in_feet_is_refused() -> None:
    feet = layer([(0, 0), (1, 0)]).set_crs(CRS.from_epsg(2263), allow_override=True)
    with pytest.raises(InputError, match="不是米制投影"):
        from_lines(feet)
