"""Lower bounds for location without capacities: prices of the units, and the tree of choices.

Every unit offers a price for being served. A site earns what the units it would serve offer
above their cost; the cheapest admissible set of sites at these earnings bounds every plan from
below, whatever the prices. Prices follow the subgradient. A site whose opening (or closing)
would lift the bound above the best plan is decided for good. What stays undecided is settled
by branching on sites, the lowest bound first.
"""

from __future__ import annotations

import heapq
import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.location import (
    CLOSED,
    FREE,
    OPEN,
    Bool,
    Float64,
    Int8,
    Location,
    complete,
    evaluate,
    goal,
    search,
)

Float32 = npt.NDArray[np.float32]


class Certificate(NamedTuple):
    """Best choice, its value, a bound on all choices, and nodes of the tree."""

    chosen: Bool
    value: float
    bound: float
    nodes: int


@njit(cache=True)
def _first_prices(problem: Location, chosen: Bool) -> Float64:
    """Offer, for each unit, what its second nearest open site would cost."""
    price = problem.cap.copy()
    for i in range(price.size):
        seen = 0
        for e in range(problem.ptr[i], problem.ptr[i + 1]):
            if chosen[problem.site[e]]:
                seen += 1
                if seen == 2:
                    price[i] = problem.far[e]
                    break
        if seen == 1:
            e = problem.ptr[i + 1] - 1
            price[i] = min(price[i], 1.5 * problem.far[e] + 1e-3)
    return price


@njit(cache=True)
def _narrowed(problem: Location, state: Int8) -> Location:
    """Drop closed sites from the rows, and what lies beyond a site that is surely open."""
    n = problem.cap.size
    ptr = np.zeros(n + 1, dtype=np.int32)
    site = np.empty_like(problem.site)
    far = np.empty_like(problem.far)
    cap = problem.cap.copy()
    count = 0
    for i in range(n):
        for e in range(problem.ptr[i], problem.ptr[i + 1]):
            s = problem.site[e]
            if state[s] == CLOSED:
                continue
            if state[s] == OPEN:
                cap[i] = problem.far[e]
                break
            site[count] = s
            far[count] = problem.far[e]
            count += 1
        ptr[i + 1] = count
    return Location(
        ptr, site[:count].copy(), far[:count].copy(), cap, problem.rent,
        state, problem.least, problem.most, problem.step, problem.scale,
    )  # fmt: skip


@njit(cache=True)
def ascend(
    whole: Location,
    state: Int8,
    price: Float64,
    value: float,
    cut: float,
    rounds: int,
    theta: float,
    wait: int,
    usual: Float64,
    chosen: Bool,
) -> float:
    """Raise the bound by subgradient steps and decide sites on the way.

    Parameters
    ----------
    whole : Location
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
        Filled: how often each site was chosen lately, 0 to 1.
    chosen : (m,) bool
        Filled: sites chosen at the best bound.

    Returns
    -------
    float
        The bound; inf where no admissible choice is left.
    """
    m = state.size
    n = price.size
    problem = _narrowed(whole, state)
    cap = problem.cap
    rho = np.empty(m)
    pick = np.zeros(m, dtype=np.bool_)
    trial = price.copy()
    way = np.zeros(n)
    best = -np.inf
    idle = 0
    changed = False
    decided = 0
    for round_ in range(rounds):
        if changed and (round_ % 8 == 0 or decided > 8):
            problem = _narrowed(problem, state)
            cap = problem.cap
            changed = False
            decided = 0
        total = 0.0
        rho[:] = problem.rent
        for i in range(n):
            begin = problem.ptr[i]
            end = problem.ptr[i + 1]
            u = min(trial[i], cap[i])
            low = problem.far[begin] if end > begin else cap[i]
            u = max(u, low)
            trial[i] = u
            total += u
            for e in range(begin, end):
                if problem.far[e] >= u:
                    break
                rho[problem.site[e]] += problem.far[e] - u
        # Rows end at a site known to be open when they were narrowed: the cap holds its earnings.
        free = np.flatnonzero(state == FREE)
        surely = 0
        pick[:] = False
        for j in range(m):
            if state[j] == OPEN:
                surely += 1
                pick[j] = True
                total += rho[j]
        need = problem.least - surely
        room = problem.most - surely
        if need > free.size or room < 0:
            return np.inf
        order = free[np.argsort(rho[free], kind="mergesort")]
        count = 0
        while count < order.size and count < room and (count < need or rho[order[count]] < 0.0):
            total += rho[order[count]]
            pick[order[count]] = True
            count += 1
        for j in range(m):
            usual[j] *= 0.93
            if pick[j]:
                usual[j] += 0.07
        if total > best:
            if total > best + 1e-4 * max(1.0, value - best):
                idle = 0
            best = total
            price[:] = trial
            chosen[:] = pick
        else:
            idle += 1
        if best >= cut:
            return best
        last = rho[order[count - 1]] if count > 0 else -np.inf
        following = rho[order[count]] if count < order.size else np.inf
        for at in range(order.size):
            j = order[at]
            if at < count:
                if count - 1 >= need:
                    rise = -rho[j] + (min(0.0, following) if count == room else 0.0)
                else:
                    rise = following - rho[j]
                if total + rise >= cut:
                    state[j] = OPEN
                    changed = True
                    decided += 1
            else:
                if count < room:
                    rise = rho[j] - (max(0.0, last) if count > 0 and count == need else 0.0)
                else:
                    rise = rho[j] - last if count > 0 else np.inf
                if total + rise >= cut:
                    state[j] = CLOSED
                    changed = True
                    decided += 1
        if idle >= wait:
            theta *= 0.5
            idle = 0
            trial[:] = price
            way[:] = 0.0
            if theta < 0.004:
                break
        norm = 0.0
        for i in range(n):
            served = 0
            u = trial[i]
            for e in range(problem.ptr[i], problem.ptr[i + 1]):
                if problem.far[e] >= u:
                    break
                if pick[problem.site[e]]:
                    served += 1
            slope = 1.0 - served
            begin = problem.ptr[i]
            if (slope > 0.0 and u >= cap[i]) or (
                slope < 0.0 and problem.ptr[i + 1] > begin and u <= problem.far[begin]
            ):
                slope = 0.0
            way[i] = slope + 0.6 * way[i]
            norm += way[i] * way[i] * problem.scale[i]
        if norm < 1e-12:
            break
        length = theta * max(value - total, 1e-6 * max(1.0, abs(value))) / norm
        for i in range(n):
            trial[i] += length * way[i] * problem.scale[i]
    return best


@njit(cache=True)
def _settled(problem: Location, state: Int8) -> bool:
    """Tell whether a choice follows from the decisions; if so, write it into the states."""
    surely = 0
    free = 0
    for j in range(state.size):
        if state[j] == OPEN:
            surely += 1
        elif state[j] == FREE:
            free += 1
    if surely == problem.most:
        state[state == FREE] = CLOSED
        return True
    if surely + free == problem.least:
        state[state == FREE] = OPEN
        return True
    return free == 0


@njit(cache=True)
def _shortened(problem: Location, price: Float64) -> Location:
    """Cut off rows far above the prices: what lies beyond costs at least the first cut off."""
    n = price.size
    ptr = np.zeros(n + 1, dtype=np.int32)
    site = np.empty_like(problem.site)
    far = np.empty_like(problem.far)
    cap = problem.cap.copy()
    count = 0
    for i in range(n):
        begin = problem.ptr[i]
        for e in range(begin, problem.ptr[i + 1]):
            if e > begin + 3 and problem.far[e] > 2.0 * price[i]:
                cap[i] = problem.far[e]
                break
            site[count] = problem.site[e]
            far[count] = problem.far[e]
            count += 1
        ptr[i + 1] = count
    return Location(
        ptr, site[:count].copy(), far[:count].copy(), cap, problem.rent,
        problem.state, problem.least, problem.most, problem.step, problem.scale,
    )  # fmt: skip


def certify(
    problem: Location,
    chosen: Bool,
    value: float,
    *,
    until: float,
    target: float = -np.inf,
    seed: int = 0,
) -> Certificate:
    """Prove a choice optimal, or find a better one, as far as the time allows.

    Parameters
    ----------
    problem : Location
        The instance.
    chosen : (m,) bool
        An admissible choice.
    value : float
        Its value.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    target : float
        Stop as soon as a plan of this value or less is known.
    seed : int
        Seed of the searches among undecided sites.

    Returns
    -------
    Certificate
        The best choice and a bound; equal where it is proved optimal.
    """
    tree = _Tree(problem, chosen.copy(), value, seed)
    tree.root(until, target)
    while tree.heap and tree.value > target and time.perf_counter() < until:
        low, _, state, offer, usual = heapq.heappop(tree.heap)
        if low >= goal(problem, tree.value):
            tree.pruned = min(tree.pruned, low)
            continue
        for child in _branches(state, usual):
            tree.enter(child, offer.astype(np.float64), low, until)
    return Certificate(tree.chosen, tree.value, tree.bound(), tree.nodes)


class _Tree:
    """Open nodes of the search with the best plan so far."""

    def __init__(self, problem: Location, chosen: Bool, value: float, seed: int) -> None:
        self.problem = problem
        self.short = problem
        self.chosen = chosen
        self.value = value
        self.seed = seed
        self.heap: list[tuple[float, int, Int8, Float32, Float64]] = []
        self.pruned = np.inf  # least bound of a node that can hold nothing better
        self.nodes = 0
        self.polish_at = 50

    def bound(self) -> float:
        """Return the least bound of what is open or was given up, at most the value."""
        least = min([self.pruned, *(low for low, *_ in self.heap)])
        return self.value if least >= goal(self.problem, self.value) else float(least)

    def take(self, chosen: Bool, value: float) -> bool:
        """Keep a plan if it is the best; tell whether it is."""
        if not value < self.value:
            return False
        self.chosen, self.value = chosen.copy(), float(value)
        return True

    def root(self, until: float, target: float) -> None:
        """Bound the whole problem, again whenever the undecided sites hold a better plan."""
        problem, m = self.problem, self.chosen.size
        state, low = problem.state.copy(), -np.inf
        offer, usual = _first_prices(problem, self.chosen), np.zeros(m)
        while True:
            self.nodes += 1
            pick = np.zeros(m, dtype=bool)
            here = -np.inf
            if not _settled(problem, state):
                cut = goal(problem, self.value)
                here = ascend(
                    problem, state, offer, self.value, cut, 1500, 1.0, 20, usual, pick
                )  # fmt: skip
            low = max(low, float(here))
            if low >= goal(problem, self.value):
                self.pruned = min(self.pruned, low)
                return
            if _settled(problem, state):
                self.leaf(state)
                return
            late = time.perf_counter() >= until or self.value <= target
            if late or not self.polish(state, usual, pick, until):
                self.short = _shortened(_narrowed(problem, state), offer)
                heapq.heappush(self.heap, (low, self.nodes, state, offer.astype(np.float32), usual))
                return

    def polish(self, state: Int8, usual: Float64, pick: Bool, until: float) -> bool:
        """Search among the sites that the prices favour, then among all undecided ones."""
        self.seed += 1
        better = False
        for least, patience in ((0.02, 100), (0.0, 40)):
            tight = state.copy()
            tight[(state == FREE) & (usual < least) & ~self.chosen & ~pick] = CLOSED
            small = _narrowed(self.problem, tight)
            for start in (pick, self.chosen):
                found, _ = search(small, start, patience=patience, until=until, seed=self.seed)
                if self.problem.least <= int(found.sum()) <= self.problem.most:
                    better |= self.take(found, float(evaluate(self.problem, found)))
        return better

    def leaf(self, state: Int8) -> None:
        """Evaluate the only choice that is left."""
        pick = state == OPEN
        if self.problem.least <= int(pick.sum()) <= self.problem.most:
            value = float(evaluate(self.problem, pick))
            self.pruned = min(self.pruned, value)
            self.take(pick, value)

    def enter(self, state: Int8, offer: Float64, low: float, until: float) -> None:
        """Bound a node; settle it, give it up or keep it for branching."""
        problem, m = self.problem, self.chosen.size
        self.nodes += 1
        usual, pick = np.zeros(m), np.zeros(m, dtype=bool)
        if not _settled(problem, state):
            cut = goal(problem, self.value)
            here = ascend(self.short, state, offer, self.value, cut, 200, 0.35, 12, usual, pick)
            low = max(low, float(here))
        if low >= goal(problem, self.value):
            self.pruned = min(self.pruned, low)
            return
        if _settled(problem, state):
            self.leaf(state)
            return
        complete(problem, pick)
        self.take(pick, float(evaluate(problem, pick)))
        if self.nodes >= self.polish_at:
            self.polish_at *= 2
            self.polish(state, usual, pick, until)
        entry = (low, self.nodes, state, offer.astype(np.float32), usual)
        heapq.heappush(self.heap, entry)


def _branches(state: Int8, usual: Float64) -> list[Int8]:
    """Open and close the site that the prices are least sure of."""
    doubt = np.where(state == FREE, np.abs(usual - 0.5), np.inf)
    j = int(doubt.argmin())
    answers = []
    for decision in (OPEN, CLOSED):
        child = state.copy()
        child[j] = decision
        answers.append(child)
    return answers
