"""Lower bounds for capacitated location: a price for each unit, compiled.

Every unit offers a price for one unit of demand served. A site fills its places with the
demand that pays most above its cost; what it earns, less its fixed cost, says whether to open
it. The cheapest admissible set of sites bounds every plan from below, whatever the prices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from catchment.optimise.location import CLOSED, FREE, OPEN, Bool, Float64, Int8, Int32


class Places(NamedTuple):
    """An instance with sites as rows, for units with demand only.

    ``cost`` (m, n) per unit of demand, inf = not allowed; ``least`` and ``most`` limit the number
    of open sites; ``total`` is the whole demand; ``step`` the smallest difference between values
    of plans (0 = unknown); ``size`` (n) and ``room`` (m) are demand and places as whole numbers
    where units may not be split, else empty.
    """

    cost: Float64
    demand: Float64
    capacity: Float64
    rent: Float64
    least: int
    most: int
    total: float
    step: float
    size: Int32
    room: Int32


def goal(places: Places, value: float) -> float:
    """Return the bound from which on nothing better than a value can exist.

    Parameters
    ----------
    places : Places
        The instance.
    value : float
        Value of a plan.

    Returns
    -------
    float
        Slightly more than ``value - step`` where values come in steps, else ``value`` less
        rounding.
    """
    if np.isinf(value):
        return value
    if places.step > 0.0:
        return value - places.step + 1e-4 * places.step
    return value - 1e-10 * max(1.0, abs(value))


@njit(cache=True)
def fill(
    cost: Float64, demand: Float64, capacity: float, price: Float64, who: Int32, worth: Float64
) -> tuple[float, int, float]:
    """Fill the places of one site with the demand that pays most.

    Parameters
    ----------
    cost, demand, price : (n,) float64
        Cost and price of one unit of demand, and the demand.
    capacity : float
        Places.
    who, worth : (n,) work space
        The first entries of ``who`` are the units served, the last of them perhaps in part.

    Returns
    -------
    value : float
        Cost less prices of what is served, zero or less.
    count : int
        Number of units served.
    part : float
        Share of the last one served (1 where all fit).
    """
    count = 0
    value = 0.0
    load = 0.0
    for i in range(cost.size):
        gap = cost[i] - price[i]
        if gap < 0.0:
            who[count] = i
            worth[count] = gap
            count += 1
            load += demand[i]
            value += gap * demand[i]
    if load <= capacity:
        return value, count, 1.0
    # Weighted selection: split by a pivot, keep the side where the places run out.
    value = 0.0
    left = capacity
    low = 0
    high = count
    while high - low > 1:
        a, b, c = worth[low], worth[(low + high) // 2], worth[high - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        at = low
        same = low
        some = 0.0
        gain = 0.0
        equal = 0.0
        end = high
        # Three parts: better than the pivot, equal to it, worse.
        k = low
        while k < end:
            w = worth[k]
            i = who[k]
            if w < pivot:
                worth[k] = worth[at]
                who[k] = who[at]
                worth[at] = w
                who[at] = i
                some += demand[i]
                gain += w * demand[i]
                at += 1
                k += 1
            elif w > pivot:
                end -= 1
                worth[k] = worth[end]
                who[k] = who[end]
                worth[end] = w
                who[end] = i
            else:
                equal += demand[i]
                k += 1
        same = end
        if some > left:
            high = at
        elif some + equal >= left:
            value += gain
            left -= some
            low = at
            high = same
            for k in range(low, high):
                i = who[k]
                if demand[i] >= left:
                    return value + worth[k] * left, k + 1, left / demand[i]
                value += worth[k] * demand[i]
                left -= demand[i]
            return value, high, 1.0
        else:
            value += gain + pivot * equal
            left -= some + equal
            low = same
    if low < high:
        i = who[low]
        part = min(1.0, left / demand[i])
        return value + worth[low] * demand[i] * part, low + 1, part
    return value, low, 1.0


@njit(cache=True)
def fill_whole(
    cost: Float64, size: Int32, room: int, price: Float64, who: Int32, worth: Float64
) -> tuple[float, int, float]:
    """Fill the places of one site with the whole units that pay most, by dynamic programming.

    Parameters
    ----------
    cost, price : (n,) float64
        Cost and price of one unit of demand.
    size : (n,) int32
        Demand.
    room : int
        Places.
    who, worth : (n,) work space
        The first entries of ``who`` are the units served.

    Returns
    -------
    value : float
        Cost less prices of what is served, zero or less.
    count : int
        Number of units served.
    part : float
        Always 1.
    """
    count = 0
    value = 0.0
    load = 0
    for i in range(cost.size):
        gap = cost[i] - price[i]
        if gap < 0.0 and size[i] <= room:
            who[count] = i
            worth[count] = gap * size[i]
            count += 1
            load += size[i]
            value += gap * size[i]
    if load <= room:
        return value, count, 1.0
    best = np.zeros(room + 1)
    taken = np.zeros((count, room + 1), dtype=np.bool_)
    for k in range(count):
        need = size[who[k]]
        for held in range(room, need - 1, -1):
            other = best[held - need] + worth[k]
            if other < best[held]:
                best[held] = other
                taken[k, held] = True
    held = room
    kept = 0
    value = best[room]
    for k in range(count - 1, -1, -1):
        if taken[k, held]:
            held -= size[who[k]]
            worth[kept] = who[k]  # who is still read: remember here, copy below
            kept += 1
    for k in range(kept):
        who[k] = np.int32(worth[k])
    return value, kept, 1.0


@njit(cache=True)
def choose(
    worth: Float64, capacity: Float64, state: Int8, least: int, most: int, total: float,
    amount: Float64,
) -> tuple[float, float]:  # fmt: skip
    """Choose sites at their worth so that number and places suffice, or a relaxation of that.

    Parameters
    ----------
    worth, capacity : (m,) float64
        Fixed cost less earnings, and places.
    state : (m,) int8
        Decisions.
    least, most : int
        Limits of the number of open sites.
    total : float
        Demand.
    amount : (m,) float64
        Filled: how far each site is chosen, 0 to 1.

    Returns
    -------
    value : float
        Sum of worth, a lower bound for admissible choices; inf where there is none.
    rate : float
        What one more place would cost; -1 where places do not bind and the number decides.
    """
    m = worth.size
    amount[:] = 0.0
    value = 0.0
    places = 0.0
    surely = 0
    for j in range(m):
        if state[j] == OPEN:
            amount[j] = 1.0
            value += worth[j]
            places += capacity[j]
            surely += 1
    free = np.flatnonzero(state == FREE)
    need = least - surely
    room = most - surely
    if room < 0 or need > free.size:
        return np.inf, -1.0
    order = free[np.argsort(worth[free], kind="mergesort")]
    count = 0
    held = places
    while count < order.size and count < room and (count < need or worth[order[count]] < 0.0):
        value += worth[order[count]]
        amount[order[count]] = 1.0
        held += capacity[order[count]]
        count += 1
    if held >= total * (1.0 - 1e-12):
        return value, -1.0
    # Too few places: the cheapest way to have them, sites being chosen in part.
    other = 0.0
    spare = places
    for j in range(m):
        if state[j] == OPEN:
            other += worth[j]
        elif state[j] == FREE and worth[j] < 0.0:
            other += worth[j]
            spare += capacity[j]
    if spare >= total:
        return value, -1.0
    rate = np.full(free.size, np.inf)
    for at in range(free.size):
        j = free[at]
        if worth[j] >= 0.0 and capacity[j] > 0.0:
            rate[at] = worth[j] / capacity[j]
    critical = 0.0
    by_rate = np.argsort(rate, kind="mergesort")
    for at in by_rate:
        if rate[at] == np.inf:
            return np.inf, -1.0
        j = free[at]
        part = min(1.0, (total - spare) / capacity[j])
        other += worth[j] * part
        critical = rate[at]
        spare += capacity[j] * part
        if spare >= total * (1.0 - 1e-12):
            break
    if spare < total * (1.0 - 1e-9):
        return np.inf, -1.0
    if other <= value:
        return value, -1.0
    spare = places
    for j in range(m):
        if state[j] == FREE:
            amount[j] = 1.0 if worth[j] < 0.0 else 0.0
            spare += capacity[j] * amount[j]
    for at in by_rate:
        j = free[at]
        if spare >= total * (1.0 - 1e-12):
            break
        amount[j] = min(1.0, (total - spare) / capacity[j])
        spare += capacity[j] * amount[j]
    return other, critical


@njit(cache=True)
def fewest(capacity: Float64, state: Int8, total: float) -> int:
    """Return how many sites must be open, at the least, for the demand.

    Parameters
    ----------
    capacity : (m,) float64
        Places.
    state : (m,) int8
        Decisions.
    total : float
        Demand.

    Returns
    -------
    int
        One more than there are sites where all are too few.
    """
    held = 0.0
    count = 0
    for j in range(state.size):
        if state[j] == OPEN:
            held += capacity[j]
            count += 1
    free = -np.sort(-capacity[state == FREE])
    for places in free:
        if held >= total * (1.0 - 1e-12):
            return count
        held += places
        count += 1
    return count if held >= total * (1.0 - 1e-12) else state.size + 1


@njit(cache=True)
def ascend(
    places: Places,
    state: Int8,
    price: Float64,
    value: float,
    cut: float,
    rounds: int,
    theta: float,
    wait: int,
    usual: Float64,
    pick: Bool,
) -> float:
    """Raise the bound by subgradient steps and decide sites on the way.

    Parameters
    ----------
    places : Places
        The instance.
    state : (m,) int8
        Decisions so far; added to in place.
    price : (n,) float64
        Prices to start from; the best ones on return.
    value : float
        Value of the best plan known.
    cut : float
        Bound from which on nothing better can exist.
    rounds : int
        Most steps.
    theta : float
        First length of a step, as a share of the gap.
    wait : int
        Steps without a better bound after which steps are halved.
    usual : (m,) float64
        Filled: how far each site was chosen lately, 0 to 1.
    pick : (m,) bool
        Filled: sites chosen at the best bound.

    Returns
    -------
    float
        The bound; inf where no admissible choice is left.
    """
    m, n = places.cost.shape
    worth = np.zeros(m)
    amount = np.zeros(m)
    who = np.empty(n, dtype=np.int32)
    gaps = np.empty(n)
    served_by = np.empty((m, n), dtype=np.int32)
    served = np.zeros(m, dtype=np.int64)
    part = np.ones(m)
    trial = price.copy()
    slope = np.empty(n)
    way = np.zeros(n)
    best = -np.inf
    idle = 0
    for _ in range(rounds):
        total = 0.0
        for i in range(n):
            total += places.demand[i] * trial[i]
        for j in range(m):
            if state[j] == CLOSED:
                continue
            if places.size.size > 0:
                gain, count, last = fill_whole(
                    places.cost[j], places.size, places.room[j], trial, who, gaps
                )
            else:
                gain, count, last = fill(
                    places.cost[j], places.demand, places.capacity[j], trial, who, gaps
                )
            worth[j] = places.rent[j] + gain
            served[j] = count
            part[j] = last
            served_by[j, :count] = who[:count]
        least = max(places.least, fewest(places.capacity, state, places.total))
        chosen, rate = choose(
            worth, places.capacity, state, least, places.most, places.total, amount
        )
        if chosen == np.inf:
            return np.inf
        total += chosen
        for j in range(m):
            usual[j] = 0.93 * usual[j] + 0.07 * amount[j]
        if total > best:
            if total > best + 1e-3 * max(value - best, 0.0):
                idle = 0
            best = total
            price[:] = trial
            for j in range(m):
                pick[j] = amount[j] > 0.5
        else:
            idle += 1
        if best >= cut:
            return best
        _decide(worth, amount, places.capacity, rate, state, least, places.most, cut - total)
        if idle >= wait:
            theta *= 0.5
            idle = 0
            trial[:] = price
            way[:] = 0.0
            if theta < 0.01:
                break
            continue
        slope[:] = 1.0
        for j in range(m):
            if amount[j] > 0.0:
                for k in range(served[j]):
                    share = part[j] if k == served[j] - 1 else 1.0
                    slope[served_by[j, k]] -= amount[j] * share
        norm = 0.0
        for i in range(n):
            way[i] = slope[i] + 0.6 * way[i]
            norm += places.demand[i] * way[i] * way[i]
        if norm < 1e-12:
            break
        length = theta * max(value - total, 1e-6 * max(1.0, abs(value))) / norm
        for i in range(n):
            trial[i] += length * way[i]
    return best


@njit(cache=True)
def _decide(
    worth: Float64,
    amount: Float64,
    capacity: Float64,
    rate: float,
    state: Int8,
    least: int,
    most: int,
    room: float,
) -> None:
    """Open or close for good the sites whose other choice would lift the bound by ``room``."""
    last = -np.inf
    following = np.inf
    chosen = 0
    for j in range(state.size):
        if state[j] == OPEN:
            chosen += 1
        elif state[j] == FREE and amount[j] > 0.0:
            chosen += 1
            last = max(last, worth[j])
        elif state[j] == FREE:
            following = min(following, worth[j])
    for j in range(state.size):
        if state[j] != FREE:
            continue
        if rate >= 0.0:  # places bind: reduced costs of the relaxed choice
            rise = worth[j] - rate * capacity[j]
            if amount[j] >= 1.0 and -rise >= room:
                state[j] = OPEN
            elif amount[j] <= 0.0 and rise >= room:
                state[j] = CLOSED
        elif amount[j] > 0.0:
            if chosen > least:
                rise = -worth[j] + (min(0.0, following) if chosen == most else 0.0)
            else:
                rise = following - worth[j]
            if rise >= room:
                state[j] = OPEN
        else:
            if chosen < most:
                rise = worth[j] - (max(0.0, last) if chosen == least else 0.0)
            else:
                rise = worth[j] - last
            if rise >= room:
                state[j] = CLOSED


@njit(cache=True)
def openings(places: Places, price: Float64, wanted: Bool) -> Float64:
    """Return the least by which opening each site can change the value of an optimal seating.

    Parameters
    ----------
    places : Places
        The instance.
    price : (n,) float64
        What one more unit of demand of each unit costs in that seating.
    wanted : (m,) bool
        Sites to reckon.

    Returns
    -------
    (m,) float64
        Fixed cost less the most that the site can save; inf for the others.
    """
    m, n = places.cost.shape
    who = np.empty(n, dtype=np.int32)
    gaps = np.empty(n)
    change = np.full(m, np.inf)
    for j in range(m):
        if wanted[j]:
            value, _, _ = fill(places.cost[j], places.demand, places.capacity[j], price, who, gaps)
            change[j] = places.rent[j] + value
    return change


@njit(cache=True)
def pair_rises(places: Places, price: Float64, state: Int8) -> tuple[float, Float64]:
    """Return the bound at some prices, and how much each pair would lift it if it were used.

    Parameters
    ----------
    places : Places
        The instance.
    price : (n,) float64
        Prices.
    state : (m,) int8
        Decisions.

    Returns
    -------
    bound : float
        The bound.
    rise : (m, n) float64
        At least so much dearer is every plan in which the site serves the unit (all of it,
        where units are whole); inf where it cannot.
    """
    m, n = places.cost.shape
    who = np.empty(n, dtype=np.int32)
    gaps = np.empty(n)
    worth = np.zeros(m)
    amount = np.zeros(m)
    rise = np.full((m, n), np.inf)
    whole = places.size.size > 0
    for j in range(m):
        if state[j] == CLOSED:
            continue
        if whole:
            value = _whole_rises(
                places.cost[j], places.size, places.room[j], price, who, gaps, rise[j]
            )
        else:
            value, _, _ = fill(places.cost[j], places.demand, places.capacity[j], price, who, gaps)
            for i in range(n):
                if places.cost[j, i] < np.inf:
                    rise[j, i] = 0.0
        worth[j] = places.rent[j] + value
    least = max(places.least, fewest(places.capacity, state, places.total))
    base, _rate = choose(worth, places.capacity, state, least, places.most, places.total, amount)
    bound = base
    for i in range(n):
        bound += places.demand[i] * price[i]
    other = np.zeros(m)
    for j in range(m):
        if state[j] == FREE:
            state[j] = OPEN
            forced, _ = choose(
                worth, places.capacity, state, least, places.most, places.total, other
            )
            state[j] = FREE
            rise[j] += max(0.0, forced - base)
    return bound, rise


@njit(cache=True)
def _whole_rises(
    cost: Float64,
    size: Int32,
    room: int,
    price: Float64,
    who: Int32,
    worth: Float64,
    rise: Float64,
) -> float:
    """Fill a site with whole units; add to ``rise`` what serving each unit costs beyond that."""
    count = 0
    for i in range(cost.size):
        gap = cost[i] - price[i]
        if gap < 0.0 and size[i] <= room:
            who[count] = i
            worth[count] = gap * size[i]
            count += 1
    ahead = np.zeros((count + 1, room + 1))
    for k in range(count):
        need = size[who[k]]
        for held in range(room + 1):
            best = ahead[k, held]
            if held >= need and ahead[k, held - need] + worth[k] < best:
                best = ahead[k, held - need] + worth[k]
            ahead[k + 1, held] = best
    value = ahead[count, room]
    for i in range(cost.size):
        if size[i] <= room and cost[i] < np.inf:
            loss = (cost[i] - price[i]) * size[i]
            rise[i] = max(0.0, loss + ahead[count, room - size[i]] - value)
    behind = np.zeros(room + 1)
    fresh = np.zeros(room + 1)
    for k in range(count - 1, -1, -1):
        i = who[k]
        left = room - size[i]
        best = np.inf
        for held in range(left + 1):
            best = min(best, ahead[k, held] + behind[left - held])
        rise[i] = max(0.0, worth[k] + best - value)
        need = size[i]
        for held in range(room + 1):
            fresh[held] = behind[held]
            if held >= need and behind[held - need] + worth[k] < fresh[held]:
                fresh[held] = behind[held - need] + worth[k]
        behind[:] = fresh
    return float(value)
