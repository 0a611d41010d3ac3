"""The best plan that can be put together from catchments met on the way (set partitioning)."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise.annealing import Pool
from catchment.optimise.milp import solve_milp

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

ADDED = 3000  # columns added to the linear program at a time
MOST = 12000  # columns in the whole-number program


class Columns(NamedTuple):
    """Catchments as rows of a 0/1 matrix over units, with site and weight."""

    table: csr_matrix
    site: Int32
    weight: Float64


def columns_of(pools: list[Pool], n: int) -> Columns:
    """Return the catchments of several pools without repeats.

    Parameters
    ----------
    pools : list of Pool
        What was met.
    n : int
        Number of units.

    Returns
    -------
    Columns
        Sorted, so that the order of the pools does not matter.
    """
    bits = np.concatenate([pool.bits[: pool.used[0]] for pool in pools])
    site = np.concatenate([pool.site[: pool.used[0]] for pool in pools])
    weight = np.concatenate([pool.weight[: pool.used[0]] for pool in pools])
    keyed = np.column_stack([bits, site.astype(np.uint64)])
    _, keep = np.unique(keyed, axis=0, return_index=True)
    flags = np.unpackbits(bits[keep].view(np.uint8), axis=1, bitorder="little")[:, :n]
    return Columns(csr_matrix(flags, dtype=np.float64), site[keep], weight[keep])


def best_partition(
    columns: Columns,
    m: int,
    must: npt.NDArray[np.bool_],
    plan: Int32,
    value: float,
    *,
    until: float,
    seed: int,
) -> tuple[Int32 | None, float, float]:
    """Choose one catchment per site so that every unit is covered once, at least weight.

    Parameters
    ----------
    columns : Columns
        Catchments to choose from.
    m : int
        Number of sites.
    must : (m,) bool
        Sites that need a catchment; the others may have none.
    plan : (n,) int32
        Best plan so far; its catchments should be among the columns.
    value : float
        Its weight.
    until : float
        ``time.perf_counter()`` at which to stop.
    seed : int
        Seed of the solver.

    Returns
    -------
    plan : (n,) int32 or None
        A better plan, or none found.
    value : float
        Its weight; inf where none was found.
    bound : float
        Lower bound on what these catchments can give, -inf where not computed.
    """
    count, n = columns.table.shape
    seat = csr_matrix((np.ones(count), (np.arange(count), columns.site)), shape=(count, m))
    lower = np.concatenate([np.ones(n), must.astype(np.float64)])
    upper = np.ones(n + m)
    from scipy.sparse import hstack

    table = hstack([columns.table, seat]).tocsr()
    inside = np.zeros(count, dtype=bool)
    # the plan's own catchments make the first linear program solvable
    for j in range(m):
        units = np.flatnonzero(plan == j)
        rows = np.flatnonzero(columns.site == j)
        same = np.asarray(columns.table[rows][:, units].sum(axis=1)).ravel() == units.size
        exact = same & (np.diff(columns.table.indptr)[rows] == units.size)
        inside[rows[exact]] = True
    spread = (
        columns.weight
        - np.bincount(columns.site, columns.weight, minlength=m)[columns.site]
        / np.maximum(1, np.bincount(columns.site, minlength=m))[columns.site]
    )
    inside[np.argsort(spread, kind="stable")[:ADDED]] = True
    while True:
        chosen = np.flatnonzero(inside)
        left = until - time.perf_counter()
        answer = solve_milp(
            columns.weight[chosen], table[chosen].T, lower, upper, time_limit=left, seed=seed
        )
        if answer.status != "optimal" or answer.row_dual is None:
            return None, np.inf, -np.inf
        reduced = columns.weight - table @ answer.row_dual
        slack = 1e-7 * (1.0 + abs(value) / m)
        wanting = np.flatnonzero((reduced < -slack) & ~inside)
        if not wanting.size:
            break
        order = np.argsort(reduced[wanting], kind="stable")[:ADDED]
        inside[wanting[order]] = True
    bound = answer.objective
    room = value - bound
    chosen = np.flatnonzero(reduced < room + slack)
    chosen = chosen[np.argsort(reduced[chosen], kind="stable")[:MOST]]
    chosen.sort()
    rows = _distinct_rows(table[chosen])
    answer = solve_milp(
        columns.weight[chosen],
        table[chosen][:, rows].T,
        lower[rows],
        upper[rows],
        upper=1.0,
        integer=np.ones(chosen.size, dtype=bool),
        time_limit=until - time.perf_counter(),
        presolve=False,
        seed=seed,
        options={"objective_bound": value, "mip_heuristic_effort": 0.2},
    )
    if answer.x is None or answer.objective >= value * (1 - 1e-12):
        return None, np.inf, bound
    better = np.full(n, -1, dtype=np.int32)
    for c in chosen[answer.x > 0.5]:
        units = columns.table.indices[columns.table.indptr[c] : columns.table.indptr[c + 1]]
        better[units] = columns.site[c]
    return better, float(answer.objective), bound


def _distinct_rows(table: csr_matrix) -> Int64:
    """Positions of units (columns of the table) that differ from all before them."""
    by_unit = table.tocsc()
    by_unit.sort_indices()
    seen: dict[bytes, int] = {}
    for i in range(by_unit.shape[1]):
        mark = by_unit.indices[by_unit.indptr[i] : by_unit.indptr[i + 1]].tobytes()
        seen.setdefault(mark, i)
    return np.array(sorted(seen.values()), dtype=np.int64)
