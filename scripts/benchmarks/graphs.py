"""Road graphs made from a seed, the same for every peer and every run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay

_SPEEDS = np.array([1000.0, 600.0, 300.0])  # metres a minute: trunk, county road, village road
_SHARES = np.array([0.1, 0.3, 0.6])
_SPACING = 400.0  # metres between neighbouring junctions


@dataclass(frozen=True)
class RoadGraph:
    """A strongly connected road graph in CSR form with sites and homes.

    Attributes
    ----------
    indptr, indices : ndarray of int32
        CSR structure.
    weight : ndarray of float64
        Whole tenths of a second; divide by 600 for minutes.
    x, y : (n,) ndarray of float64
        Junctions in metres.
    sites, homes : ndarray of int64
        Sources and targets, without repetition.
    """

    indptr: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    sites: npt.NDArray[np.int64]
    homes: npt.NDArray[np.int64]


def road_graph(side: int, sites: int, homes: int, *, seed: int = 0) -> RoadGraph:
    """Perturbed grid, Delaunay, spanning tree, thinned to 2.5 directed arcs a node, ids shuffled.

    Parameters
    ----------
    side : int
        Junctions along one side; the graph has ``side ** 2`` of them.
    sites, homes : int
        How many sources and targets to draw.
    seed : int, default 0
        Seed of everything drawn.

    Returns
    -------
    RoadGraph
        The graph; arcs run both ways at the same cost.
    """
    rng = np.random.default_rng(seed)
    n = side * side
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    points = (grid + rng.uniform(-0.4, 0.4, (n, 2))) * _SPACING
    corners = Delaunay(points).simplices
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    pairs.sort(axis=1)
    key = np.unique(pairs[:, 0].astype(np.int64) * n + pairs[:, 1])
    tail, head = key // n, key % n
    length = np.hypot(*(points[tail] - points[head]).T)
    draw = rng.uniform(0.5, 1.5, key.size) * length  # a tree of mostly short, not only short, edges
    tree = minimum_spanning_tree(csr_array((draw, (tail, head)), shape=(n, n))).tocoo()
    in_tree = np.isin(
        key, np.minimum(tree.row, tree.col).astype(np.int64) * n + np.maximum(tree.row, tree.col)
    )
    others = np.flatnonzero(~in_tree & (length < 3 * _SPACING))
    extra = rng.choice(others, round(1.25 * n) - (n - 1), replace=False)
    keep = np.sort(np.concatenate([np.flatnonzero(in_tree), extra]))
    tail, head, length = tail[keep], head[keep], length[keep]
    speed = _SPEEDS[rng.choice(3, keep.size, p=_SHARES)]
    cost = np.maximum(np.rint(length / speed * 600.0), 1.0)
    name = rng.permutation(n)
    tail, head = name[tail], name[head]
    both = (np.concatenate([tail, head]), np.concatenate([head, tail]))
    graph = csr_array((np.concatenate([cost, cost]), both), shape=(n, n))
    graph.sort_indices()
    where = np.empty((n, 2))
    where[name] = points
    return RoadGraph(
        graph.indptr.astype(np.int32),
        graph.indices.astype(np.int32),
        graph.data.astype(np.float64),
        where[:, 0].copy(),
        where[:, 1].copy(),
        rng.choice(n, sites, replace=False),
        rng.choice(n, homes, replace=False),
    )
