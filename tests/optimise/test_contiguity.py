"""Pieces of catchments on a small grid everybody can draw."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from catchment.errors import InputError
from catchment.optimise import assignment, contiguity


def grid(rows, columns):
    """Units of a rectangle, numbered along the rows; edges in one direction only."""
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, columns), ordering="sorted")
    pairs = np.array(graph.edges, dtype=int).reshape(-1, 2)
    n = rows * columns
    return csr_matrix((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))


def parts(site_of, neighbours, m):
    """Connected parts by networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(site_of)))
    graph.add_edges_from(zip(*neighbours.nonzero(), strict=True))
    return [
        nx.number_connected_components(graph.subgraph(np.flatnonzero(site_of == j).tolist()))
        for j in range(m)
    ]


def test_pieces_counts_parts_and_skips_the_unserved():
    site_of = np.array([0, 1, 0, -1, 1, 0, 1, 1, 2])
    assert contiguity.pieces(site_of, grid(3, 3), 4).tolist() == [2, 1, 1, 0]
    split = np.array([0, 1, 0, 0, 1, 0, 0, 1, 0])
    assert contiguity.pieces(split, grid(3, 3), 2).tolist() == [2, 1]


def test_pieces_equals_networkx():
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows, columns, m = rng.integers(1, 9), rng.integers(1, 9), rng.integers(1, 6)
        site_of = rng.integers(0, m, rows * columns)
        neighbours = grid(rows, columns)
        assert contiguity.pieces(site_of, neighbours, m).tolist() == parts(site_of, neighbours, m)


def test_connect_moves_the_cheap_way_and_keeps_the_home():
    # a row of five: site 0 holds 0 and 4, its home is 4
    site_of = np.array([0, 1, 1, 1, 0])
    cost = np.array([[0.0, 5.0], [9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    mended = contiguity.connect(site_of, cost, grid(1, 5), np.array([4, 2]))
    assert mended.tolist() == [1, 1, 1, 1, 0]
    assert site_of.tolist() == [0, 1, 1, 1, 0]
    mended = contiguity.connect(site_of, cost, grid(1, 5), np.array([0, 2]))
    assert mended.tolist() == [0, 1, 1, 1, 1]


def test_connect_never_uses_what_is_not_allowed():
    site_of = np.array([0, 1, 0])
    cost = np.array([[0.0, 1.0], [np.inf, 0.0], [0.0, np.inf]])
    assert contiguity.connect(site_of, cost, grid(1, 3), np.array([0, 1])).tolist() == [0, 1, 0]
    usable = np.array([True, False])
    finite = np.where(np.isfinite(cost), cost, 1.0)
    kept = contiguity.connect(site_of, finite, grid(1, 3), np.array([0, 1]), usable)
    assert kept.tolist() == [0, 1, 0]


def test_connect_leaves_connected_catchments_and_the_unserved_alone():
    site_of = np.array([0, 0, 1, 1, -1])
    cost = np.ones((5, 2))
    assert (contiguity.connect(site_of, cost, grid(1, 5), np.array([0, 3])) == site_of).all()


def test_connect_mends_nearest_plans_of_random_grids():
    rng = np.random.default_rng(1)
    for _ in range(100):
        rows, columns, m = rng.integers(2, 10), rng.integers(2, 10), rng.integers(1, 6)
        n = rows * columns
        cost = rng.random((n, m))
        home = rng.choice(n, size=m, replace=m > n).astype(np.int32)
        cost[home, np.arange(m)] = -1.0
        site_of = assignment.nearest(cost)
        neighbours = grid(rows, columns)
        mended = contiguity.connect(site_of, cost, neighbours, home)
        assert (mended >= 0).all()
        assert max(parts(mended, neighbours, m)) <= 1  # all costs finite, the grid connected
        at_home = site_of[home] == np.arange(m)
        assert (mended[home] == np.arange(m))[at_home].all()


def test_a_matrix_of_the_wrong_size_is_refused():
    with pytest.raises(InputError, match="neighbours"):
        contiguity.pieces(np.zeros(5, dtype=np.int32), grid(2, 2), 1)
