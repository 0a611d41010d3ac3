"""Whether catchments hold together, and how to mend those that do not."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix

from catchment.errors import InputError

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


def adjacency(neighbours: csr_matrix, n: int) -> tuple[Int32, Int32]:
    """Return the neighbour graph as sorted, symmetric lists without loops.

    Parameters
    ----------
    neighbours : csr_matrix of bool
        (n, n) units that touch; either direction is enough.
    n : int
        Number of units.

    Returns
    -------
    indptr, indices : (n + 1,) and (k,) int32
        Neighbours of unit i are ``indices[indptr[i]:indptr[i + 1]]``, ascending.

    Raises
    ------
    InputError
        Where the matrix is not (n, n).
    """
    graph = csr_matrix(neighbours)
    if graph.shape != (n, n):
        raise InputError(
            f"相邻矩阵应为 {n} x {n}，实为 {graph.shape[0]} x {graph.shape[1]}"
            f" / neighbours must be {n} x {n}, not {graph.shape[0]} x {graph.shape[1]}"
        )
    pairs = graph.tocoo()
    there = (pairs.data != 0) & (pairs.row != pairs.col)
    row, col = pairs.row[there], pairs.col[there]
    ones = np.ones(2 * row.size, dtype=np.int8)
    both = csr_matrix(
        (ones, (np.concatenate([row, col]), np.concatenate([col, row]))), shape=(n, n)
    )
    both.sum_duplicates()
    both.sort_indices()
    return both.indptr.astype(np.int32), both.indices.astype(np.int32)


@njit(cache=True)
def label_pieces(site_of: Int32, indptr: Int32, indices: Int32) -> tuple[Int32, int]:
    """Give numbers to the connected parts of all catchments.

    Parameters
    ----------
    site_of : (n,) int32
        Site of each unit; units with -1 belong to no part.
    indptr, indices : int32
        Neighbour lists as made by :func:`adjacency`.

    Returns
    -------
    piece : (n,) int32
        Number of the part of each unit in order of its first unit; -1 where unserved.
    count : int
        How many parts there are.
    """
    n = site_of.size
    piece = np.full(n, -1, dtype=np.int32)
    stack = np.empty(n, dtype=np.int32)
    count = 0
    for start in range(n):
        if site_of[start] < 0 or piece[start] >= 0:
            continue
        piece[start] = count
        stack[0] = start
        top = 1
        while top > 0:
            top -= 1
            i = stack[top]
            for at in range(indptr[i], indptr[i + 1]):
                k = indices[at]
                if piece[k] < 0 and site_of[k] == site_of[start]:
                    piece[k] = count
                    stack[top] = k
                    top += 1
        count += 1
    return piece, count


def pieces(site_of: Int32, neighbours: csr_matrix, m: int) -> Int32:
    """Count the connected parts of each catchment.

    Parameters
    ----------
    site_of : (n,) int
        Site of each unit, -1 = unserved.
    neighbours : csr_matrix of bool
        (n, n) units that touch.
    m : int
        Number of sites.

    Returns
    -------
    (m,) int32
        0 for an empty catchment, 1 for one that holds together, more for one in pieces.
    """
    site_of = np.asarray(site_of, dtype=np.int32)
    indptr, indices = adjacency(neighbours, site_of.size)
    piece, count = label_pieces(site_of, indptr, indices)
    served = piece >= 0
    owner = np.zeros(count, dtype=np.int32)
    owner[piece[served]] = site_of[served]
    return np.bincount(owner, minlength=m).astype(np.int32)


def connect(
    site_of: Int32,
    cost: Float64,
    neighbours: csr_matrix,
    home: Int32,
    usable: Bool | None = None,
) -> Int32:
    """Move detached pieces of catchments to adjoining ones at least added cost.

    Of each catchment the piece with its home unit stays, or the largest piece where the
    catchment does not hold its home. Detached units join adjoining catchments one by one,
    least added cost first. A unit is never moved to a site of infinite cost; what
    adjoins no possible catchment stays where it was, so a catchment can remain in pieces
    (count them with :func:`pieces`). Capacities are not looked at.

    Parameters
    ----------
    site_of : (n,) int
        Site of each unit, -1 = unserved (stays unserved).
    cost : (n, m) float
        Cost of one unit of demand, inf = not allowed.
    neighbours : csr_matrix of bool
        (n, n) units that touch.
    home : (m,) int
        Unit of each site, -1 where it has none.
    usable : (m,) or (n, m) bool, optional
        Sites, or pairs, that may be used; all by default.

    Returns
    -------
    (n,) int32
        The mended plan.
    """
    site = np.array(site_of, dtype=np.int32)
    cost = np.asarray(cost, dtype=np.float64)
    if usable is not None:
        cost = np.where(np.broadcast_to(np.asarray(usable, dtype=bool), cost.shape), cost, np.inf)
    n, m = cost.shape
    indptr, indices = adjacency(neighbours, n)
    piece, count = label_pieces(site, indptr, indices)
    loose = _detached(site, piece, count, np.asarray(home), m)
    origin = np.where(site >= 0, cost[np.arange(n), np.maximum(site, 0)], 0.0)
    origin[~np.isfinite(origin)] = 0.0  # leaving a forbidden site is always worth it
    queue: list[tuple[float, int, int]] = []

    def offer(i: int, j: int) -> None:
        if np.isfinite(cost[i, j]):
            heapq.heappush(queue, (float(cost[i, j] - origin[i]), i, j))

    for u in np.flatnonzero(loose):
        for near in {int(site[k]) for k in indices[indptr[u] : indptr[u + 1]] if not loose[k]}:
            if near >= 0:
                offer(int(u), near)
    while queue:
        _, i, j = heapq.heappop(queue)
        if not loose[i]:
            continue
        loose[i] = False
        site[i] = j
        for k in indices[indptr[i] : indptr[i + 1]]:
            if loose[k]:
                offer(int(k), j)
    return site


def _detached(site: Int32, piece: Int32, count: int, home: Int32, m: int) -> Bool:
    """Mark the units outside the piece of their catchment that stays."""
    served = piece >= 0
    size = np.bincount(piece[served], minlength=count)
    keep = np.full(m, -1, dtype=np.int64)
    for i in np.flatnonzero(served):
        j, part = site[i], piece[i]
        if keep[j] < 0 or size[part] > size[keep[j]]:
            keep[j] = part
    for j in range(m):
        if home[j] >= 0 and site[home[j]] == j:
            keep[j] = piece[home[j]]
    detached = np.zeros(site.size, dtype=bool)
    detached[served] = piece[served] != keep[site[served]]
    return detached
