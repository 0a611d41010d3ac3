"""Cheapest splittable assignment by successive shortest paths on the graph of the sites.

Units are not nodes here: the arc from site j to site k stands for the cheapest shift of one
unit of demand from j to k, so a path of shifts is searched among m nodes instead of n + m.
Every site has a price (what one more place there would save); prices prove the plan optimal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix

from catchment.optimise.auction import VISITS, assign_nearest, balance
from catchment.optimise.holdings import Flow, add, grown, held, new_flow, take, with_site
from catchment.optimise.paths import FULL, STUCK, fill, relieve

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

__all__ = [
    "FULL",
    "Flow",
    "add",
    "dual_value",
    "fill",
    "grown",
    "held",
    "new_flow",
    "price_of_refusal",
    "relieve",
    "shares",
    "solve",
    "take",
    "with_site",
]


@njit(cache=True)
def _assign(flow: Flow, demand: Float64, site: Int32) -> None:
    """Write whole units into an empty assignment."""
    for i in range(site.size):
        if site[i] >= 0:
            add(flow, i, site[i], demand[i])


def solve(flow: Flow, demand: Float64, tolerance: float) -> tuple[Flow, list[Float64]]:
    """Assign all demand at least cost, as far as the capacities can be kept.

    Parameters
    ----------
    flow : Flow
        Empty.
    demand : (n,) float64
        Demand of each unit.
    tolerance : float
        Overloads up to this count as none.

    Returns
    -------
    flow : Flow
        The plan; optimal where nothing is stuck.
    stuck : list of (m,) float64
        For each site that stays overloaded, finite exactly where its demand could be shifted.
    """
    site = assign_nearest(flow.cost, demand, flow.price)
    balance(flow.cost, demand, flow.capacity, flow.price, site, VISITS)
    _assign(flow, demand, site)
    stuck = []
    seen = np.empty(flow.load.size)
    for source in np.flatnonzero(flow.load > flow.capacity):
        while True:
            code = relieve(flow, int(source), tolerance, seen)
            if code != FULL:
                break
            flow = grown(flow)
        if code == STUCK:
            stuck.append(seen.copy())
    return flow, stuck


def price_of_refusal(cost: Float64) -> float:
    """Return a cost so high that refusing one unit of demand outweighs any chain of shifts.

    Parameters
    ----------
    cost : (n, m) float64
        Costs, inf = not allowed.

    Returns
    -------
    float
        A whole number.
    """
    finite = cost[np.isfinite(cost)]
    if not finite.size:
        return 1.0
    spread = float(finite.max() - finite.min())
    return float(np.ceil(abs(finite.max()) + (spread + 1.0) * (cost.shape[1] + 1)))


def shares(flow: Flow) -> csr_matrix:
    """Return the assignment as a sparse matrix.

    Parameters
    ----------
    flow : Flow
        The assignment.

    Returns
    -------
    csr_matrix
        (n, m) amounts, sorted, without zeros.
    """
    used = flow.unit >= 0
    table = csr_matrix(
        (flow.amount[used], (flow.unit[used], flow.site[used])), shape=flow.cost.shape
    )
    table.sort_indices()
    return table


def dual_value(cost: Float64, demand: Float64, capacity: Float64, price: Float64) -> float:
    """Return a lower bound on every plan from the prices of the sites alone.

    Any prices of zero or more give a valid bound: each unit pays at least its least cost plus
    price, and a site gives back its price for at most as many places as it has.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float64
        Demand of each unit.
    capacity : (m,) float64
        Places of each site.
    price : (m,) float64
        Prices; those below zero count as zero.

    Returns
    -------
    float
        The bound; inf where a unit with demand has no possible site.
    """
    price = np.maximum(price, 0.0)
    if not cost.size:
        return np.inf if (demand > 0).any() else 0.0
    rows = 500  # blocks that stay in the cache
    blocks = [(cost[at : at + rows] + price).min(axis=1) for at in range(0, len(cost), rows)]
    least = np.concatenate(blocks)
    some = demand > 0
    paid = price > 0
    return float((demand[some] * least[some]).sum() - (price[paid] * capacity[paid]).sum())
