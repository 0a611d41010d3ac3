"""Which villages can lie in one piece with which school, whatever the plan."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from catchment.optimise.layouts.weights import Cost
from catchment.problem import Bool, Int32


def joinable(cost: Cost, neighbours: csr_matrix, home: Int32) -> Bool:
    """Mark the rows that some connected catchment of a site can hold.

    A way from the row to the site's own village leads over rows that may go to the site and are
    not the own village of another.

    Parameters
    ----------
    cost : (r, m) float64
        Finite where a row may go to a site.
    neighbours : csr_matrix of bool
        (r, r) rows that touch.
    home : (m,) int32
        Row of each site's own village, -1 where it has none: then every row it may take.

    Returns
    -------
    (r, m) bool
        False where no plan of connected catchments has the pair.
    """
    out: Bool = np.isfinite(cost)
    owned = np.full(len(cost), -1, dtype=np.int64)
    for j in np.flatnonzero(home >= 0).tolist():
        owned[home[j]] = j
    for j in np.flatnonzero(home >= 0).tolist():
        rows = np.flatnonzero(out[:, j] & ((owned < 0) | (owned == j)))
        at = np.flatnonzero(rows == home[j])
        out[:, j] = False
        if len(at):
            label = connected_components(neighbours[rows][:, rows], directed=False)[1]
            out[rows[label == label[at[0]]], j] = True
    return out


def linked(cost: Cost, neighbours: csr_matrix, home: Int32, fixed: Int32) -> csr_matrix:
    """Let villages that an action sends across others, and islands, belong to a catchment.

    A village that must go to a school with which it cannot be joined counts as a neighbour of the
    school's own village; so does, of villages that touch no catchment at all, the one nearest to a
    school that it may go to. All others have to be joined as they lie.

    Parameters
    ----------
    cost : (r, m) float64
        Finite where a row may go to a site.
    neighbours : csr_matrix of bool
        (r, r) rows that touch.
    home : (m,) int32
        Row of each site's own village, -1 where it has none.
    fixed : (r,) int32
        Site that each row must go to, -1 = none.

    Returns
    -------
    csr_matrix of bool
        The same where nothing has to be added.
    """
    pairs: list[tuple[int, int]] = []
    pinned = np.flatnonzero((fixed >= 0) & (home[np.maximum(fixed, 0)] >= 0))
    if len(pinned):
        reach = joinable(cost, neighbours, home)
        pairs += [(int(i), int(home[fixed[i]])) for i in pinned if not reach[i, fixed[i]]]
    count, label = connected_components(neighbours, directed=False)
    if count > 1:
        housed = set(label[home[home >= 0]].tolist())
        anywhere = np.asarray(np.isfinite(cost[:, home < 0]).any(axis=1))
        with_home = np.where(home >= 0, cost, np.inf)
        for each in sorted(set(label.tolist()) - housed):
            rows = np.flatnonzero(label == each)
            if anywhere[rows].any() or not np.isfinite(with_home[rows]).any():
                continue
            k, j = divmod(int(with_home[rows].argmin()), with_home.shape[1])
            pairs.append((int(rows[k]), int(home[j])))
    if not pairs:
        return neighbours
    ends = np.array(pairs).T
    more = coo_matrix((np.ones(len(pairs), dtype=bool), (ends[0], ends[1])), shape=neighbours.shape)
    both = csr_matrix(neighbours.astype(bool) + more.tocsr() + more.T.tocsr())
    return both.astype(np.bool_)
