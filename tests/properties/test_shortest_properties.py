"""What must hold of shortest travel costs whatever the graph."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.network.shortest import PreparedNetwork, prepare, travel_matrix

Graph = tuple[np.ndarray, np.ndarray, np.ndarray]
NEAR = 2e-5


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, float]]]:
    """Any small graph: loops, parallel and zero arcs, islands."""
    n = draw(st.integers(1, 14))
    node = st.integers(0, n - 1)
    cost = st.one_of(
        st.integers(0, 9).map(float),
        st.floats(0.0, 100.0),
        st.sampled_from([0.1, 0.2, 0.3, 1e-9, 1e9]),
    )
    return n, draw(st.lists(st.tuples(node, node, cost), max_size=40))


def compressed(n: int, arcs: list[tuple[int, int, float]]) -> Graph:
    tail = np.array([a[0] for a in arcs], int)
    order = np.argsort(tail, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=n))])
    head = np.array([a[1] for a in arcs], int)[order]
    return start, head, np.array([a[2] for a in arcs], float)[order]


def all_pairs(network: PreparedNetwork) -> np.ndarray:
    nodes = np.arange(network.nodes)
    return network.matrix(nodes, nodes).astype(float)


@given(graphs())
@settings(deadline=None, max_examples=60)
def test_triangle_inequality(drawn: tuple[int, list[tuple[int, int, float]]]) -> None:
    costs = all_pairs(prepare(*compressed(*drawn)))
    assert (np.diag(costs) == 0.0).all()
    detour = (costs[:, :, None] + costs[None, :, :]).min(axis=1)
    assert (costs <= detour * (1 + NEAR)).all()


@given(graphs(), st.data())
@settings(deadline=None, max_examples=60)
def test_lengthening_a_road_never_shortens_a_trip(
    drawn: tuple[int, list[tuple[int, int, float]]], data: st.DataObject
) -> None:
    n, arcs = drawn
    if not arcs:
        return
    at = data.draw(st.integers(0, len(arcs) - 1))
    tail, head, cost = arcs[at]
    longer = [*arcs[:at], (tail, head, cost + data.draw(st.floats(0.0, 50.0))), *arcs[at + 1 :]]
    before, after = (all_pairs(prepare(*compressed(n, a))) for a in (arcs, longer))
    np.testing.assert_array_equal(np.isfinite(before), np.isfinite(after))
    assert (after >= before * (1 - NEAR)).all()


@given(graphs(), st.data())
@settings(deadline=None, max_examples=60)
def test_adding_a_road_never_lengthens_a_trip(
    drawn: tuple[int, list[tuple[int, int, float]]], data: st.DataObject
) -> None:
    n, arcs = drawn
    node = st.integers(0, n - 1)
    road = data.draw(st.tuples(node, node, st.floats(0.0, 100.0)))
    before, after = (all_pairs(prepare(*compressed(n, a))) for a in (arcs, [*arcs, road]))
    assert (after <= before * (1 + NEAR)).all()
    assert after[road[0], road[1]] <= road[2] * (1 + NEAR)


@given(graphs(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_order_of_arcs_rows_and_columns_does_not_matter(
    drawn: tuple[int, list[tuple[int, int, float]]], random: object
) -> None:
    n, arcs = drawn
    mixed = list(arcs)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    rows, columns = list(range(n)), list(range(n))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    first, second = prepare(*compressed(n, arcs)), prepare(*compressed(n, mixed))
    plain = first.matrix(range(n), range(n))
    np.testing.assert_array_equal(plain[np.ix_(rows, columns)], first.matrix(rows, columns))
    np.testing.assert_allclose(plain[np.ix_(rows, columns)], second.matrix(rows, columns), NEAR)


@given(graphs(), st.one_of(st.just(np.inf), st.floats(0.0, 60.0)))
@settings(deadline=None, max_examples=60)
def test_reverse_is_the_transposed_graph(
    drawn: tuple[int, list[tuple[int, int, float]]], cutoff: float
) -> None:
    n, arcs = drawn
    graph = compressed(n, arcs)
    turned = compressed(n, [(head, tail, cost) for tail, head, cost in arcs])
    nodes = np.arange(n)
    np.testing.assert_array_equal(
        travel_matrix(*graph, nodes, nodes, cutoff=cutoff, reverse=True),
        travel_matrix(*turned, nodes, nodes, cutoff=cutoff),
    )
    own, other = prepare(*graph), prepare(*turned)
    found = own.matrix(nodes, nodes, cutoff=cutoff, reverse=True)
    expected = other.matrix(nodes, nodes, cutoff=cutoff)
    np.testing.assert_allclose(found, expected, NEAR)
    np.testing.assert_allclose(own.matrix(nodes, nodes).T, own.matrix(nodes, nodes, reverse=True),
                               NEAR)  # fmt: skip


@given(graphs(), st.floats(0.0, 200.0))
@settings(deadline=None, max_examples=60)
def test_a_cutoff_only_takes_away(
    drawn: tuple[int, list[tuple[int, int, float]]], cutoff: float
) -> None:
    own = prepare(*compressed(*drawn))
    nodes = np.arange(own.nodes)
    whole, limited = own.matrix(nodes, nodes), own.matrix(nodes, nodes, cutoff=cutoff)
    kept = np.isfinite(limited)
    np.testing.assert_allclose(limited[kept], whole[kept], NEAR)
    assert (limited[kept] <= np.float32(cutoff)).all()
    assert (whole[~kept] >= cutoff * (1 - NEAR)).all()
