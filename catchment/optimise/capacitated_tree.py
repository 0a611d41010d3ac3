"""Capacitated location proved: the bound of the prices, a search for plans, and branching."""

from __future__ import annotations

import heapq
import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.capacitated_bound import Places, ascend, fewest, goal
from catchment.optimise.capacitated_search import Searcher
from catchment.optimise.location import CLOSED, FREE, OPEN, Bool, Float64, Int8

Float32 = npt.NDArray[np.float32]


class Outcome(NamedTuple):
    """Best choice (None where none is known), its value, and a lower bound."""

    chosen: Bool | None
    value: float
    bound: float


class Tree:
    """Open nodes of the search with the best choice so far."""

    def __init__(self, places: Places, state: Int8, slack: float, seed: int) -> None:
        self.places = places
        self.state = state
        self.searcher = Searcher(places, state, slack)
        self.rng = np.random.default_rng(seed)
        self.chosen: Bool | None = None
        self.value = np.inf
        self.heap: list[tuple[float, int, Int8, Float32, Float64]] = []
        self.pruned = np.inf
        self.nodes = 0
        self.polish_at = 40

    def solve(self, until: float) -> Outcome:
        """Prove a choice optimal as far as the time allows.

        Parameters
        ----------
        until : float
            When to stop, in ``time.perf_counter`` seconds.

        Returns
        -------
        Outcome
            Value and bound are equal up to rounding where it is proved optimal.
        """
        self.root(until)
        while self.heap and time.perf_counter() < until:
            low, _, state, price, usual = heapq.heappop(self.heap)
            if low >= self.cut():
                self.pruned = min(self.pruned, low)
                continue
            doubt = np.where(state == FREE, np.abs(usual - 0.5), np.inf)
            for decision in (OPEN, CLOSED):
                child = state.copy()
                child[int(doubt.argmin())] = decision
                self.enter(child, price.astype(np.float64), low, until)
        least = min([self.pruned, *(low for low, *_ in self.heap)])
        if least >= self.cut():  # nothing better, or nothing at all
            least = self.value
        return Outcome(self.chosen, self.value, float(min(least, self.value)))

    def take(self, chosen: Bool) -> bool:
        """Keep a choice if it seats everyone and is the best; tell whether it is.

        Parameters
        ----------
        chosen : (m,) bool
            Open sites.

        Returns
        -------
        bool
            Whether it is now the best.
        """
        if not self.places.least <= int(chosen.sum()) <= self.places.most:
            return False
        seats = self.searcher.seat(chosen)
        if seats.missing > self.searcher.slack or seats.value >= self.value:
            return False
        self.chosen, self.value = chosen.copy(), seats.value
        return True

    def estimate(self) -> float:
        """Return the value of the best choice, or what no plan can exceed."""
        if np.isfinite(self.value):
            return self.value
        cost = self.places.cost
        dearest = np.where(np.isfinite(cost), cost, -np.inf).max(axis=0)
        return float((self.places.demand * dearest).sum() + np.abs(self.places.rent).sum())

    def cut(self) -> float:
        """Return the bound from which on a node is of no interest."""
        if np.isfinite(self.value):
            return goal(self.places, self.value)
        most = self.estimate()
        return most + 1e-6 * abs(most) + 1.0

    def root(self, until: float) -> None:
        """Bound the whole problem, again as long as that finds better choices.

        Parameters
        ----------
        until : float
            When to stop, in ``time.perf_counter`` seconds.
        """
        places, m = self.places, self.state.size
        nearest = np.where(np.isfinite(places.cost), places.cost, np.inf).min(axis=0)
        price, usual = nearest + 0.5 * np.abs(nearest) + 1e-6, np.zeros(m)
        low, state = -np.inf, self.state.copy()
        for rounds in (40, 200, 600, 1500, 1500, 1500):
            self.nodes += 1
            pick = np.zeros(m, dtype=bool)
            value, cut = self.estimate(), self.cut()
            here = ascend(places, state, price, value, cut, rounds, 1.0, 20, usual, pick)
            low = max(low, float(here))
            if low >= self.cut() or np.isinf(low):
                break
            before = self.value
            stop = self.soon(until)
            for wish in (np.where(pick, 1.0 + usual, usual), usual):
                start = self.searcher.admissible(wish)
                self.take(start)
                if rounds >= 600 and self.seatable(start):
                    self.take(self.searcher.descend(start, until=stop, rng=self.rng))
            if rounds >= 600:
                self.shake(stop, 10)
            late = time.perf_counter() > until
            if late or (rounds >= 600 and self.value >= before):
                break
        if low >= self.cut() or np.isinf(low):
            self.pruned = min(self.pruned, low)
            return
        if not (state == FREE).any():
            self.leaf(state)
            return
        heapq.heappush(self.heap, (low, self.nodes, state, price.astype(np.float32), usual))

    def soon(self, until: float) -> float:
        """Return when a search for plans should stop so that most time is left for bounds."""
        now = time.perf_counter()
        return now + 0.1 * max(until - now, 0.0)

    def seatable(self, chosen: Bool) -> bool:
        """Tell whether a search may start at a choice (it may be short of places)."""
        return int(chosen.sum()) <= self.places.most

    def shake(self, until: float, rounds: int) -> None:
        """Search around the best choice."""
        strength = 1
        for _ in range(rounds):
            if self.chosen is None or time.perf_counter() > until:
                return
            trial = self.searcher.shaken(self.chosen, strength, self.rng)
            better = self.take(self.searcher.descend(trial, until=until, rng=self.rng))
            strength = 1 if better else min(strength + 1, 4)

    def leaf(self, state: Int8) -> None:
        """Seat the only choice that is left."""
        pick = state == OPEN
        if self.places.least <= int(pick.sum()) <= self.places.most:
            seats = self.searcher.seat(pick)
            if seats.missing <= self.searcher.slack:
                self.pruned = min(self.pruned, seats.value)
                self.take(pick)

    def enter(self, state: Int8, price: Float64, low: float, until: float) -> None:
        """Bound a node; settle it, give it up or keep it for branching."""
        places, m = self.places, self.state.size
        self.nodes += 1
        usual, pick = np.zeros(m), np.zeros(m, dtype=bool)
        if (state == FREE).any():
            cut = self.cut()
            here = ascend(places, state, price, self.estimate(), cut, 60, 0.35, 6, usual, pick)
            low = max(low, float(here))
        if low >= self.cut() or np.isinf(low):
            self.pruned = min(self.pruned, low)
            return
        if not (state == FREE).any():
            self.leaf(state)
            return
        pick |= state == OPEN
        start = self.searcher.admissible(np.where(pick, 1.0 + usual, usual))
        self.take(start)
        if self.nodes >= self.polish_at:
            self.polish_at *= 2
            stop = self.soon(until)
            self.take(self.searcher.descend(start, until=stop, rng=self.rng))
            self.shake(stop, 4)
        heapq.heappush(self.heap, (low, self.nodes, state, price.astype(np.float32), usual))


def limits(
    capacity: Float64, floor: Float64, state: Int8, total: float, p: int | None
) -> tuple[int, int]:
    """Return the fewest and most sites that any plan opens.

    Parameters
    ----------
    capacity, floor : (m,) float64
        Places and least loads.
    state : (m,) int8
        Decisions.
    total : float
        Demand.
    p : int or None
        Number of open sites, where it is given.

    Returns
    -------
    least, most : int
        Limits.
    """
    if p is not None:
        return p, p
    least = int(fewest(capacity, state, total))
    loads = np.cumsum(np.sort(floor[state == FREE])) + floor[state == OPEN].sum()
    most = int((state == OPEN).sum()) + int((loads <= total * (1 + 1e-12)).sum())
    return least, most
