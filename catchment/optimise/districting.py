"""Whole units, kept capacities, connected catchments: the search behind ``assignment.districts``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise import annealing, flow, growth, regions, witness
from catchment.optimise.annealing import Ground
from catchment.optimise.contiguity import adjacency
from catchment.optimise.course import Search
from catchment.optimise.dice import dice
from catchment.optimise.partition import Store
from catchment.optimise.solution import Solution, Status

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

DESCENT = 3_000_000  # proposals of the last descent, at most
PACE = 1_000_000  # proposals per second that the length of single runs is planned with
PART = 0.2  # share of the work, where it is limited, that a single run may take


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
    work: float = np.inf,
    clock: Callable[[], float] = time.perf_counter,
    enough: float = -np.inf,
) -> Solution:
    """Search for the cheapest plan of whole units and connected catchments.

    Parameters
    ----------
    cost, demand, capacity, neighbours, home
        As in :func:`catchment.optimise.assignment.districts`, checked.
    began : float
        ``clock()`` at the start.
    time_limit : float
        Seconds of search, by the clock.
    seed : int
        Seed of the search.
    work : float
        Proposals of the search, inf = as many as the time allows.
    clock : callable
        Seconds since some moment; ``time.process_time`` counts what both workers used.
    enough : float
        Weight of a plan at which the search may end.

    Returns
    -------
    Solution
        The best plan met; ``timed_out`` where the clock ended the search and not the work.
    """
    n, m = cost.shape
    until = clock()
    warm_up()
    until = began + time_limit + clock() - until
    indptr, indices = adjacency(neighbours, n)
    shut = (capacity <= 0) | ~np.isfinite(cost).any(axis=0)
    allowed = np.where(shut, np.inf, cost)
    places = np.where(shut, 0.0, capacity)
    fixed, said = _fixed_units(allowed, home)
    bound, price, short = _relaxation(allowed, demand, places, fixed)
    said += short
    weight = np.where(np.isfinite(allowed), allowed, 0.0) * _weights(demand)[:, None]
    weight[~np.isfinite(allowed)] = np.inf
    ground = annealing.make_ground(weight, demand, places, indptr, indices, fixed)
    # with the prices of the splittable optimum in the costs, catchments grow to about their places
    priced = ground._replace(weight=weight + demand[:, None] * price)
    start, reachable = growth.grow(priced, home, shut)
    left = np.flatnonzero(~reachable)
    if left.size:
        said.append(
            (
                f"单元 {witness.listed(left)} 与任何可去的学校不相连",
                f"units {witness.listed(left)} are not joined to any site they may use",
            )
        )
    proved = bool(said)
    best, over, late = _search(
        ground, start, price, bound, until, time_limit, seed, work, clock, enough
    )
    if over > 0:
        best = growth.peel(ground, best)
    out = np.flatnonzero(best < 0)
    if out.size and not proved:
        said.append(
            (
                f"限时内未找到容纳全部的方案，未安排单元 {witness.listed(out)}",
                f"no plan for all was found in time; units {witness.listed(out)} are left out",
            )
        )
    status: Status = "infeasible" if proved else ("unknown" if out.size else "feasible")
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
        seconds=clock() - began,
        seed=seed,
        reason=witness.joined(said),
        timed_out=late,
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
    cost: Float64, demand: Float64, capacity: Float64, fixed: Int32
) -> tuple[float, Float64, list[witness.Said]]:
    """Splittable assignment with home units kept: a bound, prices, and why there is no plan."""
    kept = cost.copy()
    homes = np.flatnonzero(fixed >= 0)
    kept[homes] = np.inf
    kept[homes, fixed[homes]] = cost[homes, fixed[homes]]
    state = flow.new_flow(kept, capacity)
    limited = capacity[np.isfinite(capacity)]
    state, stuck = flow.solve(state, demand, 1e-12 * float(demand.sum() + limited.sum()))
    short = witness.shortage(kept, demand, capacity, stuck)
    if short:
        return np.nan, np.zeros_like(capacity), short
    return flow.dual_value(kept, demand, capacity, state.price), state.price, []


def _rates(ground: Ground, price: Float64) -> Float64:
    """Return what each unit pays in the splittable assignment, site price included."""
    paid = (ground.weight + ground.demand[:, None] * price).min(axis=1)
    homes = np.flatnonzero(ground.fixed >= 0)
    at = ground.fixed[homes]
    paid[homes] = ground.weight[homes, at] + ground.demand[homes] * price[at]
    return np.where(np.isfinite(paid), paid, 0.0)


@cache
def warm_up() -> None:
    """Compile the loops (first call on a machine), so that it does not eat the time limit."""
    line = csr_matrix(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool))
    indptr, indices = adjacency(line, 3)
    fixed = np.array([0, -1, 1], dtype=np.int32)
    ground = annealing.make_ground(
        np.ones((3, 2)), np.ones(3), np.full(2, 2.0), indptr, indices, fixed
    )
    site = np.array([0, 0, 1], dtype=np.int32)
    full, halt = np.ones(2, dtype=bool), np.zeros(1, dtype=bool)
    pool = annealing.make_pool(3, 1)
    annealing.anneal(
        ground, site, 1.0, 1.0, 1.0, 0.1, 1, 0.3, 0.1, full, -np.inf, dice(0), pool, halt
    )
    flow.solve(flow.new_flow(np.ones((3, 2)), np.full(2, 2.0)), np.ones(3), 0.0)


def _search(
    ground: Ground,
    start: Int32,
    price: Float64,
    bound: float,
    until: float,
    time_limit: float,
    seed: int,
    work: float,
    clock: Callable[[], float],
    enough: float,
) -> tuple[Int32, float, bool]:
    """Search; the best plan with its overload, and whether the clock ended the search."""
    if not (start >= 0).any():
        return start, 0.0, False
    scale = regions.measure(ground, start, price)
    search = Search(
        ground=ground,
        scale=scale,
        tariff=regions.TARIFF * scale.price,
        seed=seed,
        until=until,
        clock=clock,
        start=start,
        budget=int(PACE * min(time_limit, 1e4) if np.isinf(work) else max(1.0, PART * work)),
        work=work,
        bound=bound if np.isfinite(bound) else -np.inf,
        enough=enough,
        store=Store(_rates(ground, price), np.where(price > 0, price * ground.capacity, 0.0)),
    )
    regions.run(search)
    best = search.kept or search.best()
    # a last descent: units without demand go where they cost least
    full = np.ones(ground.capacity.size, dtype=bool)
    site, _, over = annealing.anneal(
        ground,
        best.site.copy(),
        1e3 * scale.price,
        1e3 * scale.price,
        1e-9 * scale.shift,
        1e-12 * scale.shift,
        min(300 * start.size, DESCENT),
        0.0,
        0.0,
        full,
        -np.inf,
        dice(seed),
        annealing.make_pool(1, 1),
        np.zeros(1, dtype=bool),
    )
    return site, over, search.late
