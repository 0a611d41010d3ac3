"""Who goes to which site, the sites being given: nearest, capacitated, and whole and connected."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix

from catchment.errors import InputError
from catchment.optimise import adjust, districting, flow, witness
from catchment.optimise.adjust import Limits, Transport
from catchment.optimise.solution import Solution

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


__all__ = ["Limits", "Transport", "checked", "districts", "nearest", "prepare", "transport"]


def nearest(cost: Float64, usable: Bool | None = None) -> Int32:
    """Assign every unit to the site of least cost, whatever the capacities.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand, inf = not allowed.
    usable : (m,) or (n, m) bool, optional
        Sites, or pairs, that may be used; all by default.

    Returns
    -------
    (n,) int32
        Site of each unit, the lowest position among equals; -1 where no cost is finite.

    Raises
    ------
    InputError
        Where a cost is not a number or minus infinity.
    """
    cost = _checked_cost(cost)
    if usable is not None:
        cost = np.where(np.broadcast_to(np.asarray(usable, dtype=bool), cost.shape), cost, np.inf)
    n, m = cost.shape
    if m == 0 or n == 0:
        return np.full(n, -1, dtype=np.int32)
    site_of: Int32 = cost.argmin(axis=1).astype(np.int32)
    site_of[~np.isfinite(cost[np.arange(n), site_of])] = -1
    return site_of


def transport(
    cost: Float64, demand: Float64, capacity: Float64, *, cutoff: float = np.inf
) -> Solution:
    """Assign demand, split where needed, to capacitated sites at least total cost.

    The plan is optimal: its bound is the dual value of the sites' prices, computed afresh from
    the input. Costs that are whole numbers (and demand and capacity too) give an exact plan;
    with real costs objective and bound agree to about 1e-12 of the sum of absolute terms.

    Where not all demand can be served, as much as possible is, at least cost, the status is
    ``infeasible`` and the reason names units that have too few places among all the sites
    they can reach.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand of i at j, inf = not allowed.
    demand : (n,) float
        Demand of each unit, zero or more.
    capacity : (m,) float
        Places of each site, zero or more, inf = no limit.
    cutoff : float
        Pairs of a cost above this are not allowed.

    Returns
    -------
    Solution
        ``share`` holds the split; ``site_of`` the site with the largest share (for units
        without demand the site where demand would be served best); ``open`` the sites in use.
        Without a full plan ``objective`` is the cost of what is served and ``bound`` is nan.

    Raises
    ------
    InputError
        Where shapes do not fit or a number is impossible.
    """
    began = time.perf_counter()
    cost, demand, capacity = checked(cost, demand, capacity)
    if np.isfinite(cutoff):
        cost = np.where(cost <= cutoff, cost, np.inf)
    width = flow.width(cost)
    state = flow.new_flow(cost.astype(width, copy=False), capacity)
    tolerance = _tolerance(demand, capacity)
    state, stuck = flow.solve(state, demand, tolerance)
    outcome = witness.shortage(cost, demand, capacity, stuck)
    n, m = cost.shape
    if outcome:
        price_out = flow.price_of_refusal(cost)
        wide = np.column_stack([cost, np.full(n, price_out)])
        state = flow.new_flow(wide.astype(width, copy=False), np.append(capacity, np.inf))
        state, _ = flow.solve(state, demand, tolerance)
    share = flow.shares(state, m)
    rows = np.repeat(np.arange(n), np.diff(share.indptr))
    site_of = _largest_share(share.indptr, share.indices, share.data, cost, demand, state.price[:m])
    used = np.zeros(m, dtype=bool)
    used[site_of[site_of >= 0]] = True
    used[share.indices] = True
    objective = float((share.data * cost[rows, share.indices]).sum())
    bound = np.nan if outcome else flow.dual_value(cost, demand, capacity, state.price)
    return Solution(
        open=used,
        site_of=site_of,
        share=share,
        objective=objective,
        bound=bound,
        status="infeasible" if outcome else "optimal",
        seconds=time.perf_counter() - began,
        reason=witness.joined(outcome),
    )


def prepare(
    cost: Float64, demand: Float64, capacity: Float64, *, cutoff: float = np.inf
) -> Transport:
    """Solve the splittable assignment and keep it ready for what-ifs.

    Closing, reopening and resizing a site and changing a unit's demand then take milliseconds
    and give the same cost as :func:`transport` on the changed problem.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand of i at j, inf = not allowed.
    demand : (n,) float
        Demand of each unit, zero or more.
    capacity : (m,) float
        Places of each site, zero or more, inf = no limit.
    cutoff : float
        Pairs of a cost above this are not allowed.

    Returns
    -------
    Transport
        The optimum; demand without a place is refused, never an error.

    Raises
    ------
    InputError
        Where shapes do not fit or a number is impossible.
    """
    cost, demand, capacity = checked(cost, demand, capacity)
    if np.isfinite(cutoff):
        cost = np.where(cost <= cutoff, cost, np.inf)
    return adjust.prepare(cost, demand, capacity)


def districts(
    cost: Float64,
    demand: Float64,
    capacity: Float64,
    neighbours: csr_matrix,
    home: Int32,
    *,
    time_limit: float,
    seed: int = 0,
    work: float = np.inf,
) -> Solution:
    """Assign whole units to sites so that capacities hold and every catchment is connected.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand of i at j, inf = not allowed.
    demand : (n,) float
        Demand of each unit, zero or more; a unit without demand belongs to a catchment too.
    capacity : (m,) float
        Places of each site; a site without places or without any finite cost is closed.
    neighbours : csr_matrix of bool
        (n, n) units that touch.
    home : (m,) int
        Unit each site stands in, -1 where it has none: its catchment is then only connected.
        A unit that is home of several open sites belongs to one of them.
    time_limit : float
        Seconds of search.
    seed : int
        Seed of the search.
    work : float
        Proposals of the search. A search that ends by its work gives the same plan on every
        run; one that the clock ends (``timed_out``) need not. By default time alone ends it.

    Returns
    -------
    Solution
        The best plan met; ``bound`` is the optimum of the splittable assignment, which no
        plan of whole units, connected or not, can beat.

    Raises
    ------
    InputError
        Where shapes do not fit or a number is impossible.
    """
    began = time.perf_counter()
    cost, demand, capacity = checked(cost, demand, capacity)
    n, m = cost.shape
    home = np.asarray(home, dtype=np.int32)
    if home.shape != (m,) or (home >= n).any() or (home < -1).any():
        raise InputError(
            f"home 应为 {m} 个村的序号（0 至 {n - 1}，无则 -1） / "
            f"home must hold {m} unit positions from 0 to {n - 1}, or -1 for none"
        )
    if not time_limit > 0:
        raise InputError(f"time_limit 应大于 0，实为 {time_limit} / time_limit must be above 0")
    if not work > 0:
        raise InputError(f"work 应大于 0，实为 {work} / work must be above 0, not {work}")
    return districting.solve(
        cost,
        demand,
        capacity,
        neighbours,
        home,
        began=began,
        time_limit=time_limit,
        seed=seed,
        work=work,
    )


def checked(cost: Float64, demand: Float64, capacity: Float64) -> tuple[Float64, Float64, Float64]:
    """Return cost, demand and capacity as float64, or refuse them.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float
        Demand of each unit.
    capacity : (m,) float
        Places of each site.

    Returns
    -------
    cost, demand, capacity : float64
        The same as float64, C order.

    Raises
    ------
    InputError
        Where shapes do not fit or a number is impossible.
    """
    cost = _two_dimensional(cost)
    demand = np.ascontiguousarray(demand, dtype=np.float64)
    capacity = np.ascontiguousarray(capacity, dtype=np.float64)
    n, m = cost.shape
    if demand.shape != (n,) or capacity.shape != (m,):
        raise InputError(
            f"cost 为 {n} x {m}，demand 应有 {n} 个、capacity 应有 {m} 个，"
            f"实为 {demand.shape} 和 {capacity.shape} / "
            f"cost is {n} x {m}: demand needs {n} numbers and capacity {m}, "
            f"not {demand.shape} and {capacity.shape}"
        )
    if _sound(cost, demand, capacity):
        return cost, demand, capacity
    _check_numbers(cost)
    bad = np.flatnonzero(~(np.isfinite(demand) & (demand >= 0)))
    if bad.size:
        raise InputError(
            f"demand 第 {bad[0]} 个为 {demand[bad[0]]}，应为不小于 0 的数 / "
            f"demand at position {bad[0]} is {demand[bad[0]]}; it must be zero or more"
        )
    bad = np.flatnonzero(~(capacity >= 0))
    if bad.size:
        raise InputError(
            f"capacity 第 {bad[0]} 个为 {capacity[bad[0]]}，应为不小于 0 的数 / "
            f"capacity at position {bad[0]} is {capacity[bad[0]]}; it must be zero or more"
        )
    return cost, demand, capacity


@njit(cache=True)
def _sound(cost: Float64, demand: Float64, capacity: Float64) -> bool:
    """Whether all numbers are possible; what is wrong is looked for only where they are not."""
    wrong = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            wrong += not cost[i, j] > -np.inf
        wrong += not 0.0 <= demand[i] < np.inf
    for j in range(capacity.size):
        wrong += not capacity[j] >= 0.0
    return wrong == 0


def _checked_cost(cost: Float64) -> Float64:
    cost = _two_dimensional(cost)
    _check_numbers(cost)
    return cost


def _two_dimensional(cost: Float64) -> Float64:
    cost = np.ascontiguousarray(cost, dtype=np.float64)
    if cost.ndim != 2:
        raise InputError(
            f"cost 应为二维，实为 {cost.ndim} 维 / cost must have 2 dimensions, not {cost.ndim}"
        )
    return cost


def _check_numbers(cost: Float64) -> None:
    if not (cost > -np.inf).all():
        i, j = np.argwhere(~(cost > -np.inf))[0]
        raise InputError(
            f"cost 第 ({i}, {j}) 个为 {cost[i, j]}，应为数或 inf / "
            f"cost at ({i}, {j}) is {cost[i, j]}; it must be a number or inf"
        )


def _tolerance(demand: Float64, capacity: Float64) -> float:
    """Overload that counts as none: zero for whole numbers, else rounding size."""
    limited = capacity[np.isfinite(capacity)]
    whole = bool((demand == np.rint(demand)).all() and (limited == np.rint(limited)).all())
    return 0.0 if whole else 1e-12 * float(demand.sum() + limited.sum())


@njit(cache=True)
def _largest_share(
    indptr: Int32, indices: Int32, data: Float64, cost: Float64, demand: Float64, price: Float64
) -> Int32:
    """Site with the largest share; for units without demand the one of least cost and price."""
    n, m = cost.shape
    site_of = np.full(n, -1, dtype=np.int32)
    for i in range(n):
        if demand[i] > 0.0:
            most = 0.0
            for at in range(indptr[i], indptr[i + 1]):
                if data[at] > most:
                    most = data[at]
                    site_of[i] = indices[at]
        else:
            least = np.inf
            for j in range(m):
                if cost[i, j] + price[j] < least:
                    least = cost[i, j] + price[j]
                    site_of[i] = j
    return site_of
