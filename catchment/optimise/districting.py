"""Whole units, kept capacities, connected catchments: the search behind ``assignment.districts``."""

from __future__ import annotations

import heapq
import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix

from catchment.optimise import flow, witness
from catchment.optimise.contiguity import adjacency
from catchment.optimise.dice import UInt64, below, dice, uniform
from catchment.optimise.solution import Solution, Status

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

ROUND = 400  # proposals per unit in one round


class Ground(NamedTuple):
    """What the search stands on: weights (n, m), demand, capacity, neighbour lists, homes."""

    weight: Float64
    demand: Float64
    capacity: Float64
    indptr: Int32
    indices: Int32
    fixed: Int32


def solve(
    cost: Float64,
    demand: Float64,
    capacity: Float64,
    neighbours: csr_matrix,
    home: Int32,
    *,
    began: float,
    time_limit: float,
    seed: int,
) -> Solution:
    """Search for the cheapest plan of whole units and connected catchments.

    Parameters
    ----------
    cost, demand, capacity, neighbours, home
        As in :func:`catchment.optimise.assignment.districts`, checked.
    began : float
        ``time.perf_counter()`` at the start.
    time_limit : float
        Seconds of search.
    seed : int
        Seed of the search.

    Returns
    -------
    Solution
        The best plan met.
    """
    n, m = cost.shape
    indptr, indices = adjacency(neighbours, n)
    shut = (capacity <= 0) | ~np.isfinite(cost).any(axis=0)
    allowed = np.where(shut, np.inf, cost)
    fixed, said = _fixed_units(allowed, home)
    bound, short = _relaxation(allowed, demand, np.where(shut, 0.0, capacity))
    said += short
    weight = np.where(np.isfinite(allowed), allowed * _weights(demand)[:, None], np.inf)
    ground = Ground(weight, demand, np.where(shut, 0.0, capacity), indptr, indices, fixed)
    site = grow(ground, home, shut)
    left = np.flatnonzero(site < 0)
    if left.size:
        said.append(
            (
                f"单元 {witness.listed(left)} 与任何可去的学校不相连",
                f"units {witness.listed(left)} are not joined to any site they may use",
            )
        )
    best, found = _search(ground, site, began, time_limit, seed)
    status: Status = "feasible" if found else "unknown"
    if not found:
        best = peel(ground, best)
        out = np.flatnonzero(best < 0)
        if not said:
            said.append(
                (
                    f"限时内未找到容纳全部的方案，未安排单元 {witness.listed(out)}",
                    f"no plan for all was found in time; units {witness.listed(out)} are left out",
                )
            )
    if said and (not found or left.size):
        status = "infeasible" if (short or left.size or fixed.size == 0) else "unknown"
    used = np.zeros(m, dtype=bool)
    used[best[best >= 0]] = True
    served = np.flatnonzero(best >= 0)
    objective = float((demand[served] * cost[served, best[served]]).sum())
    if status == "feasible" and objective <= bound + 1e-9 * abs(bound):
        status = "optimal"
    return Solution(
        open=used,
        site_of=best,
        share=None,
        objective=objective,
        bound=bound if status in ("feasible", "optimal") else np.nan,
        status=status,
        seconds=time.perf_counter() - began,
        seed=seed,
        reason=witness.joined(said),
    )


def _weights(demand: Float64) -> Float64:
    """Demand, with a trifle for units that have none, so that they too go somewhere near."""
    some = demand[demand > 0]
    trifle = 1e-6 * float(some.mean()) if some.size else 1.0
    return np.where(demand > 0, demand, trifle)


def _fixed_units(cost: Float64, home: Int32) -> tuple[Int32, list[witness.Said]]:
    """Site that each home unit must belong to, -1 for all other units."""
    n, m = cost.shape
    fixed = np.full(n, -1, dtype=np.int32)
    said: list[witness.Said] = []
    for j in range(m):
        i = home[j]
        if i < 0 or not np.isfinite(cost[:, j]).any():
            continue
        if not np.isfinite(cost[i, j]):
            said.append(
                (
                    f"学校 {j} 所在单元 {i} 不可到该校",
                    f"the home unit {i} of site {j} may not go there",
                )
            )
        elif fixed[i] < 0 or cost[i, j] < cost[i, fixed[i]]:
            fixed[i] = j
    return fixed, said


def _relaxation(
    cost: Float64, demand: Float64, capacity: Float64
) -> tuple[float, list[witness.Said]]:
    """Optimum of the splittable assignment, a bound on all plans; or why there is none."""
    state = flow.new_flow(cost, capacity)
    limited = capacity[np.isfinite(capacity)]
    state, stuck = flow.solve(state, demand, 1e-12 * float(demand.sum() + limited.sum()))
    short = witness.shortage(cost, demand, capacity, stuck)
    if short:
        return np.nan, short
    return flow.dual_value(cost, demand, capacity, state.price), []


def grow(ground: Ground, home: Int32, shut: Bool) -> Int32:
    """Grow connected catchments from the homes, least regret first, whatever the capacities.

    Parameters
    ----------
    ground : Ground
        The instance.
    home : (m,) int32
        Unit of each site or -1.
    shut : (m,) bool
        Sites without a catchment.

    Returns
    -------
    (n,) int32
        Site of each unit; -1 where nothing that can be reached is allowed.
    """
    m = ground.weight.shape[1]
    site = ground.fixed.copy()
    least = ground.weight.min(axis=1)
    for j in range(m):
        if shut[j] or (home[j] >= 0 and site[home[j]] == j):
            continue
        order = np.argsort(ground.weight[:, j], kind="stable")
        free = [int(i) for i in order if site[i] < 0 and np.isfinite(ground.weight[i, j])]
        if free:
            site[free[0]] = j
    queue: list[tuple[float, float, int, int]] = []

    def offer(i: int) -> None:
        for k in ground.indices[ground.indptr[i] : ground.indptr[i + 1]]:
            value = ground.weight[k, site[i]]
            if site[k] < 0 and np.isfinite(value):
                queue_item = (float(value - least[k]), float(value), int(k), int(site[i]))
                heapq.heappush(queue, queue_item)

    for start in np.flatnonzero(site >= 0):
        offer(int(start))
    while queue:
        _, _, i, j = heapq.heappop(queue)
        if site[i] < 0:
            site[i] = j
            offer(i)
    return site


@njit(cache=True)
def _stays_whole(
    i: int, site: Int32, indptr: Int32, indices: Int32, mark: Int32, stamp: int, stack: Int32
) -> bool:
    """Whether the catchment of unit i holds together without it (false where nothing is left)."""
    a = site[i]
    wanted = 0
    first = -1
    for at in range(indptr[i], indptr[i + 1]):
        k = indices[at]
        if site[k] == a:
            wanted += 1
            first = k
            mark[k] = -stamp
    if wanted == 0:
        return False
    if wanted == 1:
        return True
    mark[i] = stamp
    mark[first] = stamp
    wanted -= 1
    stack[0] = first
    top = 1
    while top > 0:
        top -= 1
        u = stack[top]
        for at in range(indptr[u], indptr[u + 1]):
            k = indices[at]
            if site[k] != a or mark[k] == stamp:
                continue
            if mark[k] == -stamp:
                wanted -= 1
                if wanted == 0:
                    return True
            mark[k] = stamp
            stack[top] = k
            top += 1
    return False


@njit(cache=True)
def _anneal(
    ground: Ground,
    site: Int32,
    penalty: float,
    hot: float,
    cold: float,
    proposals: int,
    stream: UInt64,
) -> tuple[Int32, float]:
    """Anneal in place; return the best plan without overload met and its cost (inf: none)."""
    n, m = ground.weight.shape
    demand = ground.demand
    load = np.zeros(m)
    value = 0.0
    for i in range(n):
        if site[i] >= 0:
            load[site[i]] += demand[i]
            value += ground.weight[i, site[i]]
    over = 0.0
    for j in range(m):
        over += max(0.0, load[j] - ground.capacity[j])
    slip = 1e-9 * (1.0 + demand.sum())
    best = site.copy()
    best_value = value if over <= slip else np.inf
    mark = np.zeros(n, dtype=np.int32)
    stack = np.empty(n, dtype=np.int32)
    stamp = 0
    heat = hot
    step = (cold / hot) ** (1.0 / max(1, proposals // 1000))
    for turn in range(proposals):
        if turn % 1000 == 999:
            heat *= step
        i = below(stream, n)
        if ground.fixed[i] >= 0 or site[i] < 0:
            continue
        degree = ground.indptr[i + 1] - ground.indptr[i]
        if degree == 0:
            continue
        k = ground.indices[ground.indptr[i] + below(stream, degree)]
        a, b = site[i], site[k]
        if b == a or b < 0:
            continue
        gain = ground.weight[i, b] - ground.weight[i, a]
        if gain == np.inf:
            continue
        d = demand[i]
        more = max(0.0, load[b] + d - ground.capacity[b]) - max(0.0, load[b] - ground.capacity[b])
        less = max(0.0, load[a] - ground.capacity[a]) - max(0.0, load[a] - d - ground.capacity[a])
        total = gain + penalty * (more - less)
        if total > 0.0 and uniform(stream) >= np.exp(-total / heat):
            continue
        stamp += 1
        if not _stays_whole(i, site, ground.indptr, ground.indices, mark, stamp, stack):
            continue
        site[i] = b
        load[a] -= d
        load[b] += d
        over += more - less
        value += gain
        if over <= slip and value < best_value - 1e-12 * abs(value):
            best_value = value
            best[:] = site
    return best, best_value


def _search(
    ground: Ground, start: Int32, began: float, time_limit: float, seed: int
) -> tuple[Int32, bool]:
    """Anneal in rounds until the time is over; the best plan, and whether it keeps capacities."""
    n, m = ground.weight.shape
    finite = np.where(np.isfinite(ground.weight), ground.weight, np.nan)
    spread = finite - np.nanmin(finite, axis=1, keepdims=True) if n and m else finite
    positive = spread[np.isfinite(spread) & (spread > 0)]
    scale = float(np.quantile(positive, 0.1)) if positive.size else 1.0
    mean = float(ground.demand.mean()) if n else 1.0
    penalty = 2.0 * scale / mean if mean > 0 else 1.0
    current = start.copy()
    best, best_value = start.copy(), np.inf
    stream = dice(seed)
    turn = 0
    while turn == 0 or time.perf_counter() - began < time_limit:
        hot = scale * (1.0 if turn % 4 == 0 else 0.3)
        plan, value = _anneal(ground, current, penalty, hot, 0.003 * scale, ROUND * n, stream)
        if value < best_value:
            best, best_value = plan, value
        if np.isinf(value):
            penalty *= 1.5
            if np.isinf(best_value):
                best = current.copy()
        else:
            current = best.copy()
        turn += 1
    return best, bool(np.isfinite(best_value))


def peel(ground: Ground, site: Int32) -> Int32:
    """Leave units out, from the rims of overloaded catchments, until capacities are kept.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        Connected catchments, perhaps overloaded.

    Returns
    -------
    (n,) int32
        Connected catchments within capacity; -1 = left out.
    """
    site = site.copy()
    n, m = ground.weight.shape
    mark = np.zeros(n, dtype=np.int32)
    stack = np.empty(n, dtype=np.int32)
    stamp = 0
    for j in range(m):
        while True:
            over = ground.demand[site == j].sum() - ground.capacity[j]
            if over <= 1e-9 * (1.0 + ground.demand.sum()):
                break
            rim: list[tuple[float, int]] = []
            for i in np.flatnonzero((site == j) & (ground.demand > 0)):
                stamp += 1
                alone = (site == j).sum() == 1
                whole = alone or _stays_whole(
                    int(i), site, ground.indptr, ground.indices, mark, stamp, stack
                )
                if whole and (ground.fixed[i] != j or alone):
                    d = float(ground.demand[i])
                    rim.append((d - over if d >= over else 1e18 - d, int(i)))
            if not rim:
                idle = np.flatnonzero((site == j) & (ground.fixed != j))
                site[idle if idle.size else site == j] = -1
                break
            site[min(rim)[1]] = -1
    return site
