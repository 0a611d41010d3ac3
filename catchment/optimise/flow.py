"""Cheapest splittable assignment by successive shortest paths on the graph of the sites.

Units are not nodes here: the arc from site j to site k stands for the cheapest shift of one
unit of demand from j to k, so a path of shifts is searched among m nodes instead of n + m.
Every site has a price (what one more place there would save); prices prove the plan optimal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

NONE = -1  # no unit can make this shift
STALE = -2  # the value is a lower bound, the unit has to be looked up again

DONE, STUCK, FULL = 0, 1, 2

SHORT = 16  # sites of each unit looked at before all of them
VISITS = 6  # turns of a site in the auction, on average


class Flow(NamedTuple):
    """Arrays of an assignment in progress; kernels change them in place.

    Amounts are kept as entries (unit, site, amount): a list by site (both directions) and one
    by unit. ``shift[j, k]`` is the cheapest shift from j to k and ``mover[j, k]`` its unit.
    """

    cost: Float64
    capacity: Float64
    load: Float64
    price: Float64
    shift: Float64
    mover: Int32
    unit: Int32
    site: Int32
    amount: Float64
    after: Int32
    before: Int32
    peer: Int32
    first: Int32
    own: Int32
    free: Int32


def new_flow(cost: Float64, capacity: Float64) -> Flow:
    """Return an empty assignment with all prices zero.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    capacity : (m,) float64
        Places of each site.

    Returns
    -------
    Flow
        Nothing assigned yet.
    """
    n, m = cost.shape
    size = n + 8 * m + 64
    chain = np.arange(1, size + 1, dtype=np.int32)
    chain[-1] = -1
    return Flow(
        cost=cost,
        capacity=capacity.copy(),
        load=np.zeros(m),
        price=np.zeros(m),
        shift=np.full((m, m), np.inf),
        mover=np.full((m, m), NONE, dtype=np.int32),
        unit=np.full(size, -1, dtype=np.int32),
        site=np.full(size, -1, dtype=np.int32),
        amount=np.zeros(size),
        after=chain,
        before=np.full(size, -1, dtype=np.int32),
        peer=np.full(size, -1, dtype=np.int32),
        first=np.full(m, -1, dtype=np.int32),
        own=np.full(n, -1, dtype=np.int32),
        free=np.array([0, size], dtype=np.int32),
    )


def grown(flow: Flow) -> Flow:
    """Return the same assignment with twice the room for entries.

    Parameters
    ----------
    flow : Flow
        An assignment whose entries are used up.

    Returns
    -------
    Flow
        The same, larger.
    """
    size = flow.unit.size

    def longer(old: Int32) -> Int32:
        return np.concatenate([old, np.full(size, -1, dtype=np.int32)])

    after = longer(flow.after)
    after[size:-1] = np.arange(size + 1, 2 * size, dtype=np.int32)
    after[-1] = flow.free[0]
    return flow._replace(
        unit=longer(flow.unit),
        site=longer(flow.site),
        amount=np.concatenate([flow.amount, np.zeros(size)]),
        after=after,
        before=longer(flow.before),
        peer=longer(flow.peer),
        free=np.array([size, flow.free[1] + size], dtype=np.int32),
    )


@njit(cache=True)
def add(flow: Flow, i: int, j: int, amount: float) -> None:
    """Assign an amount of unit i to site j.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    i, j : int
        Unit and site.
    amount : float
        Above zero.
    """
    flow.load[j] += amount
    e = flow.own[i]
    while e >= 0:
        if flow.site[e] == j:
            flow.amount[e] += amount
            return
        e = flow.peer[e]
    e = flow.free[0]
    flow.free[0] = flow.after[e]
    flow.free[1] -= 1
    flow.unit[e] = i
    flow.site[e] = j
    flow.amount[e] = amount
    flow.peer[e] = flow.own[i]
    flow.own[i] = e
    head = flow.first[j]
    flow.after[e] = head
    flow.before[e] = -1
    if head >= 0:
        flow.before[head] = e
    flow.first[j] = e
    here = flow.cost[i, j]
    for k in range(flow.cost.shape[1]):
        value = flow.cost[i, k] - here
        if value < flow.shift[j, k]:
            flow.shift[j, k] = value
            flow.mover[j, k] = i


@njit(cache=True)
def take(flow: Flow, i: int, j: int, amount: float) -> None:
    """Take an amount of unit i away from site j, where at least that much is assigned.

    Parameters
    ----------
    flow : Flow
        Changed in place.
    i, j : int
        Unit and site.
    amount : float
        Above zero.
    """
    flow.load[j] -= amount
    last = -1
    e = flow.own[i]
    while flow.site[e] != j:
        last = e
        e = flow.peer[e]
    flow.amount[e] -= amount
    if flow.amount[e] > 0.0:
        return
    if last < 0:
        flow.own[i] = flow.peer[e]
    else:
        flow.peer[last] = flow.peer[e]
    if flow.before[e] < 0:
        flow.first[j] = flow.after[e]
    else:
        flow.after[flow.before[e]] = flow.after[e]
    if flow.after[e] >= 0:
        flow.before[flow.after[e]] = flow.before[e]
    flow.unit[e] = -1
    flow.site[e] = -1
    flow.after[e] = flow.free[0]
    flow.free[0] = e
    flow.free[1] += 1
    for k in range(flow.mover.shape[1]):
        if flow.mover[j, k] == i:
            flow.mover[j, k] = STALE


@njit(cache=True)
def held(flow: Flow, i: int, j: int) -> float:
    """Return the amount of unit i at site j.

    Parameters
    ----------
    flow : Flow
        The assignment.
    i, j : int
        Unit and site.

    Returns
    -------
    float
        Zero where nothing is assigned.
    """
    e = flow.own[i]
    while e >= 0:
        if flow.site[e] == j:
            return float(flow.amount[e])
        e = flow.peer[e]
    return 0.0


@njit(cache=True)
def _look_up(flow: Flow, j: int, k: int) -> None:
    """Find the cheapest shift from j to k again."""
    best = np.inf
    who = NONE
    e = flow.first[j]
    while e >= 0:
        i = flow.unit[e]
        value = flow.cost[i, k] - flow.cost[i, j]
        if value < best:
            best = value
            who = i
        e = flow.after[e]
    flow.shift[j, k] = best
    flow.mover[j, k] = who


@njit(cache=True)
def assign_nearest(cost: Float64, demand: Float64, price: Float64) -> Int32:
    """Find for each unit with demand the site where cost plus price is least.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) float64
        Demand of each unit.
    price : (m,) float64
        Prices of the sites.

    Returns
    -------
    (n,) int32
        Lowest position among equals; -1 without demand or without a possible site.
    """
    n, m = cost.shape
    site = np.full(n, -1, dtype=np.int32)
    for i in range(n):
        if demand[i] <= 0.0:
            continue
        best = np.inf
        for k in range(m):
            value = cost[i, k] + price[k]
            if value < best:
                best = value
                site[i] = k
    return site


@njit(cache=True)
def _shortlist(cost: Float64, site: Int32) -> tuple[Int32, Float64]:
    """Sites of least cost of every assigned unit in ascending order, padded with -1 and inf."""
    n, m = cost.shape
    most = min(SHORT, m)
    near = np.full((n, most), -1, dtype=np.int32)
    value = np.full((n, most), np.inf)
    for i in range(n):
        if site[i] < 0:
            continue
        worst = np.inf
        for k in range(m):
            here = cost[i, k]
            if here < worst:
                at = most - 1
                while at > 0 and value[i, at - 1] > here:
                    value[i, at] = value[i, at - 1]
                    near[i, at] = near[i, at - 1]
                    at -= 1
                value[i, at] = here
                near[i, at] = k
                worst = value[i, most - 1]
    return near, value


@njit(cache=True)
def balance(
    cost: Float64, demand: Float64, capacity: Float64, price: Float64, site: Int32, visits: int
) -> None:
    """Let overloaded sites raise their prices in turn until whole units leave for the next best.

    An auction that keeps the plan optimal for its prices: every unit stays where cost plus
    price is least, and a site with a price stays full. It only saves work for what follows.

    Parameters
    ----------
    cost, demand, capacity
        The problem.
    price : (m,) float64
        Prices, raised in place.
    site : (n,) int32
        Site of each unit, -1 for none; changed in place.
    visits : int
        How often a site may have its turn, on average.
    """
    n, m = cost.shape
    near, value = _shortlist(cost, site)
    most = near.shape[1]
    load = np.zeros(m)
    first = np.full(m, -1, dtype=np.int32)
    after = np.full(n, -1, dtype=np.int32)
    for i in range(n):
        if site[i] >= 0:
            load[site[i]] += demand[i]
            after[i] = first[site[i]]
            first[site[i]] = i
    queue = np.empty(m + 1, dtype=np.int32)
    queued = np.zeros(m, dtype=np.bool_)
    head = 0
    tail = 0
    for j in range(m):
        if load[j] > capacity[j]:
            queue[tail] = j
            tail += 1
            queued[j] = True
    who = np.empty(n, dtype=np.int32)
    to = np.empty(n, dtype=np.int32)
    margin = np.empty(n)
    for _ in range(visits * m):
        if head == tail:
            break
        j = queue[head]
        head = (head + 1) % (m + 1)
        queued[j] = False
        count = 0
        i = first[j]
        while i >= 0:
            best = np.inf
            alternative = -1
            last = 0.0
            for at in range(most):
                k = near[i, at]
                last = value[i, at]
                if last >= best:  # prices are never negative: nothing better follows
                    break
                if k != j and last + price[k] < best:
                    best = last + price[k]
                    alternative = k
            if last < best:
                for k in range(m):
                    if cost[i, k] + price[k] < best and k != j:
                        best = cost[i, k] + price[k]
                        alternative = k
            who[count] = i
            to[count] = alternative
            margin[count] = best - cost[i, j] - price[j]
            count += 1
            i = after[i]
        rise = 0.0
        order = np.argsort(margin[:count])
        first[j] = -1
        leaving = True
        for at in order:
            i = who[at]
            k = to[at]
            if leaving and (k < 0 or load[j] - demand[i] < capacity[j]):
                leaving = False
            if not leaving:
                after[i] = first[j]
                first[j] = i
                continue
            rise = max(rise, margin[at])
            site[i] = k
            load[j] -= demand[i]
            load[k] += demand[i]
            after[i] = first[k]
            first[k] = i
            if load[k] > capacity[k] and not queued[k]:
                queue[tail] = k
                tail = (tail + 1) % (m + 1)
                queued[k] = True
        price[j] += rise


@njit(cache=True)
def _assign(flow: Flow, demand: Float64, site: Int32) -> None:
    """Write whole units into an empty assignment."""
    for i in range(site.size):
        if site[i] >= 0:
            add(flow, i, site[i], demand[i])


@njit(cache=True)
def relieve(flow: Flow, source: int, tolerance: float, seen: Float64) -> int:
    """Shift what a site has beyond its capacity along cheapest paths to sites with places.

    Parameters
    ----------
    flow : Flow
        Prices prove it optimal but for the overload; changed in place.
    source : int
        The overloaded site.
    tolerance : float
        Overloads up to this count as none (zero for whole numbers).
    seen : (m,) float64
        Work space; when stuck, finite exactly for the sites that can be reached.

    Returns
    -------
    int
        ``DONE``; ``STUCK`` (no path to a free place); ``FULL`` (make room for entries, call again).
    """
    m = flow.load.size
    dust = 0.1 * tolerance
    parent = np.empty(m, dtype=np.int32)
    done = np.zeros(m, dtype=np.bool_)
    order = np.empty(m, dtype=np.int32)
    while flow.load[source] - flow.capacity[source] > tolerance:
        if flow.free[1] < m + 1:
            return FULL
        seen[:] = np.inf
        done[:] = False
        seen[source] = 0.0
        parent[source] = -1
        settled = 0
        target = -1
        j = source
        nearest = 0.0
        while j >= 0:
            if flow.capacity[j] - flow.load[j] > tolerance:
                target = j
                break
            done[j] = True
            order[settled] = j
            settled += 1
            following = -1
            lowest = np.inf
            for k in range(m):  # one pass: shorten the ways over j, find the nearest site left
                if done[k]:
                    continue
                way = seen[k]
                value = nearest + max(flow.shift[j, k] + flow.price[k] - flow.price[j], 0.0)
                if value < way:
                    if flow.mover[j, k] == STALE:
                        _look_up(flow, j, k)
                        value = nearest + max(flow.shift[j, k] + flow.price[k] - flow.price[j], 0.0)
                    if value < way:
                        seen[k] = value
                        parent[k] = j
                        way = value
                if way < lowest:
                    lowest = way
                    following = k
            j = following
            nearest = lowest
        if target < 0:
            return STUCK
        reach = seen[target]
        for at in range(settled):
            j = order[at]
            flow.price[j] += reach - seen[j]
        amount = min(
            flow.load[source] - flow.capacity[source], flow.capacity[target] - flow.load[target]
        )
        k = target
        while parent[k] >= 0:
            j = parent[k]
            amount = min(amount, held(flow, flow.mover[j, k], j))
            k = j
        k = target
        while parent[k] >= 0:
            j = parent[k]
            i = flow.mover[j, k]
            here = held(flow, i, j)
            part = here if here - amount <= dust else amount  # no crumbs of rounding stay behind
            take(flow, i, j, part)
            add(flow, i, k, part)
            k = j
    return DONE


@njit(cache=True)
def fill(flow: Flow, target: int, tolerance: float, cheap: float) -> int:
    """Use free places of a site that has a price: shift demand there while that saves cost.

    Parameters
    ----------
    flow : Flow
        Prices prove it optimal but for the free places; changed in place.
    target : int
        The site.
    tolerance : float
        Free places up to this count as none.
    cheap : float
        Prices up to this count as none (zero for whole numbers).

    Returns
    -------
    int
        ``DONE``; ``FULL`` (make room for entries, call again).
    """
    m = flow.load.size
    dust = 0.1 * tolerance
    seen = np.empty(m)
    onward = np.empty(m, dtype=np.int32)
    done = np.zeros(m, dtype=np.bool_)
    order = np.empty(m, dtype=np.int32)
    while flow.capacity[target] - flow.load[target] > tolerance and flow.price[target] > cheap:
        if flow.free[1] < m + 1:
            return FULL
        seen[:] = np.inf
        done[:] = False
        seen[target] = 0.0
        settled = 0
        source = target  # nobody comes, the price falls to nothing
        reach = flow.price[target]
        k = target
        nearest = 0.0
        while k >= 0 and nearest < reach:
            done[k] = True
            order[settled] = k
            settled += 1
            if nearest + flow.price[k] < reach:
                reach = nearest + flow.price[k]
                source = k
            following = -1
            lowest = np.inf
            for j in range(m):
                if done[j]:
                    continue
                way = seen[j]
                limit = min(way, reach)
                value = nearest + max(flow.shift[j, k] + flow.price[k] - flow.price[j], 0.0)
                if value < limit:
                    if flow.mover[j, k] == STALE:
                        _look_up(flow, j, k)
                        value = nearest + max(flow.shift[j, k] + flow.price[k] - flow.price[j], 0.0)
                    if value < limit:
                        seen[j] = value
                        onward[j] = k
                        way = value
                if way < lowest:
                    lowest = way
                    following = j
            k = following
            nearest = lowest
        for at in range(settled):
            k = order[at]
            flow.price[k] -= max(0.0, reach - seen[k])
            if flow.price[k] < 0.0:
                flow.price[k] = 0.0  # rounding
        if source == target:
            flow.price[target] = 0.0
            break
        amount = flow.capacity[target] - flow.load[target]
        j = source
        while j != target:
            k = onward[j]
            amount = min(amount, held(flow, flow.mover[j, k], j))
            j = k
        _pass_on(flow, source, target, onward, amount, dust)
        flow.price[source] = 0.0
    return DONE


@njit(cache=True)
def _pass_on(
    flow: Flow, source: int, target: int, onward: Int32, amount: float, dust: float
) -> None:
    """Shift an amount along the way from source to target, the last step first."""
    way = np.empty(onward.size + 1, dtype=np.int32)
    count = 0
    j = source
    while j != target:
        way[count] = j
        count += 1
        j = onward[j]
    k = target
    for at in range(count - 1, -1, -1):
        j = way[at]
        i = flow.mover[j, k]
        here = held(flow, i, j)
        part = here if here - amount <= dust else amount
        take(flow, i, j, part)
        add(flow, i, k, part)
        k = j


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
