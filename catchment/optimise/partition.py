"""The best plan that can be put together from catchments met on the way (set partitioning)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from catchment.optimise.annealing import Pool
from catchment.optimise.dice import UInt64
from catchment.optimise.milp import solve_milp

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

STORED = 6_000  # catchments kept
ADDED = 2_000  # columns added to the linear program at a time
MOST = 1_000  # columns in the whole-number program
NODES = 5  # nodes of its search tree


class Columns(NamedTuple):
    """Catchments as rows of a 0/1 matrix over units, with site, weight and excess."""

    table: csr_matrix
    site: Int32
    weight: Float64
    excess: Float64


class Store:
    """Catchments met so far, the most promising ones."""

    def __init__(self, rate: Float64, fee: Float64) -> None:
        """Begin empty.

        Parameters
        ----------
        rate : (n,) float64
            What each unit pays in the splittable assignment.
        fee : (m,) float64
            What each site gives back: price x capacity.
        """
        self._rate, self._fee = rate, fee
        words = (rate.size + 63) // 64
        self._bits = np.zeros((0, words), dtype=np.uint64)
        self._site = np.zeros(0, dtype=np.int32)
        self._weight = np.zeros(0)
        self._fresh: list[Pool] = []
        self._plans: list[tuple[UInt64, Int32, Float64]] = []

    def add(self, pool: Pool) -> None:
        """Take in what a run met.

        Parameters
        ----------
        pool : Pool
            Catchments.
        """
        if pool.used[0]:
            self._fresh.append(pool)

    def add_plan(self, site: Int32, weight: Float64, capacity: Float64, demand: Float64) -> None:
        """Take in the catchments of a plan that keep their capacity.

        Parameters
        ----------
        site : (n,) int32
            The plan.
        weight : (n, m) float64
            Demand x cost.
        capacity, demand : (m,) and (n,) float64
            Places and demand.
        """
        m = capacity.size
        flags = np.zeros((m, self._bits.shape[1] * 64), dtype=bool)
        served = np.flatnonzero(site >= 0)
        flags[site[served], served] = True
        load = np.bincount(site[served], demand[served], minlength=m)
        value = np.bincount(site[served], weight[served, site[served]], minlength=m)
        good = flags.any(axis=1) & (load <= capacity + 1e-9 * (1.0 + demand.sum()))
        bits = np.packbits(flags[good], axis=1, bitorder="little").view(np.uint64)
        self._plans.append((bits, np.flatnonzero(good).astype(np.int32), value[good]))

    def columns(self, room: float) -> Columns:
        """Return what may be part of a plan within reach, without repeats, best first.

        A catchment that alone exceeds its share of the lower bound by more than the gap
        between plan and bound cannot be part of a better plan.

        Parameters
        ----------
        room : float
            Weight of the best plan less the lower bound.

        Returns
        -------
        Columns
            At most ``STORED``.
        """
        ends = [min(int(pool.used[0]), pool.site.size) for pool in self._fresh]
        parts = list(zip(self._fresh, ends, strict=True))
        plans = self._plans
        bits = np.concatenate(
            [*(p[0] for p in plans), self._bits, *(pool.bits[:end] for pool, end in parts)]
        )
        site = np.concatenate(
            [*(p[1] for p in plans), self._site, *(pool.site[:end] for pool, end in parts)]
        )
        weight = np.concatenate(
            [*(p[2] for p in plans), self._weight, *(pool.weight[:end] for pool, end in parts)]
        )
        first = np.arange(site.size) < sum(p[1].size for p in plans)
        self._fresh, self._plans = [], []
        n = self._rate.size
        _, keep = np.unique(
            np.column_stack([bits, site.astype(np.uint64)]), axis=0, return_index=True
        )
        bits, site, weight, first = bits[keep], site[keep], weight[keep], first[keep]
        flags = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :n]
        table = csr_matrix(flags, dtype=np.float64)
        excess = weight - table @ self._rate + self._fee[site]
        order = np.lexsort((excess, ~first))  # the catchments of plans come first
        order = order[first[order] | (excess[order] <= room * (1 + 1e-9) + 1e-9)][:STORED]
        self._bits, self._site, self._weight = bits[order], site[order], weight[order]
        return Columns(table[order], site[order], weight[order], excess[order])


def best_partition(
    columns: Columns,
    must: npt.NDArray[np.bool_],
    plan: Int32,
    value: float,
    *,
    left: Callable[[], float],
    seed: int,
) -> tuple[Int32 | None, float, float]:
    """Choose one catchment per site so that every unit is covered once, at least weight.

    Parameters
    ----------
    columns : Columns
        Catchments to choose from.
    must : (m,) bool
        Sites that need a catchment; the others may have none.
    plan : (n,) int32
        Best plan so far; its catchments should be among the columns.
    value : float
        Its weight.
    left : callable
        Seconds left, asked whenever the solver is called.
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
    m = must.size
    seat = csr_matrix((np.ones(count), (np.arange(count), columns.site)), shape=(count, m))
    covered = np.asarray(columns.table.sum(axis=0)).ravel() > 0
    lower = np.concatenate([covered.astype(np.float64), must.astype(np.float64)])
    upper = np.ones(n + m)
    table = hstack([columns.table, seat]).tocsr()
    inside = np.zeros(count, dtype=bool)
    inside[:ADDED] = True
    # the plan's own catchments make the first linear program solvable
    size = np.diff(columns.table.indptr)
    own = np.bincount(
        np.repeat(np.arange(count), size),
        plan[columns.table.indices] == np.repeat(columns.site, size),
        minlength=count,
    )
    inside[(own == size) & (size == np.bincount(plan[plan >= 0], minlength=m)[columns.site])] = True
    slack = 1e-7 * (1.0 + abs(value) / m)
    while True:
        chosen = np.flatnonzero(inside)
        answer = solve_milp(
            columns.weight[chosen], table[chosen].T, lower, upper, time_limit=left(), seed=seed
        )
        if answer.status != "optimal" or answer.row_dual is None:
            return None, np.inf, -np.inf
        reduced = columns.weight - table @ answer.row_dual
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
        time_limit=left(),
        presolve=False,
        seed=seed,
        options={"objective_bound": value, "mip_max_nodes": NODES},
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
