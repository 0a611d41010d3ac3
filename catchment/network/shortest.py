"""The many-to-many kernel: exact shortest travel costs between nodes of a directed graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

_BLOCK = 32


def travel_matrix(
    indptr: npt.ArrayLike,
    indices: npt.ArrayLike,
    weight: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    cutoff: float = math.inf,
    reverse: bool = False,
) -> npt.NDArray[np.float32]:
    """Exact shortest travel costs from every source to every target.

    Parameters
    ----------
    indptr : (n + 1,) array_like of int
        Where the arcs of each node begin in ``indices``.
    indices : (a,) array_like of int
        Head node of each arc, 0 to n - 1.
    weight : (a,) array_like of float
        Cost of each arc, >= 0 and finite.
    sources, targets : array_like of int
        Nodes, 0 to n - 1; duplicates are allowed.
    cutoff : float, default inf
        Costs above it become inf; a trip of exactly this cost counts as reachable.
    reverse : bool, default False
        Whether costs run from the targets to the sources.

    Returns
    -------
    (len(sources), len(targets)) ndarray of float32
        Costs in the unit of ``weight``; inf where unreachable or beyond ``cutoff``.
    """
    start = np.asarray(indptr, dtype=np.int64)
    head = np.asarray(indices, dtype=np.int64)
    cost = np.asarray(weight, dtype=np.float64)
    rows = np.asarray(sources, dtype=np.int64)
    columns = np.asarray(targets, dtype=np.int64)
    n = start.size - 1
    if reverse:
        tail = np.repeat(np.arange(n), np.diff(start))
        order = np.argsort(head, kind="stable")
        start = np.concatenate(([0], np.cumsum(np.bincount(head, minlength=n))))
        head, cost = tail[order], cost[order]
    graph: Any = csr_array((cost, head, start), shape=(n, n))
    out = np.full((rows.size, columns.size), np.inf, dtype=np.float32)
    for begin in range(0, rows.size if columns.size else 0, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        out[block] = dijkstra(graph, indices=rows[block], limit=cutoff)[:, columns]
    return out
