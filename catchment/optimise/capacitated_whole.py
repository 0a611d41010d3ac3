"""Capacitated location with whole units or least loads: prices leave over a model to solve.

The prices bound every plan and say of each pair how much dearer a plan with it is at least.
Pairs that no better plan can hold are left out; what remains goes to the solver, after
branching on sites where it is still too much.
"""

from __future__ import annotations

import heapq
import time

import numpy as np
import numpy.typing as npt

from catchment.optimise import capacitated_model as model
from catchment.optimise.capacitated_bound import Places, ascend, goal, pair_rises
from catchment.optimise.location import CLOSED, FREE, OPEN, Bool, Float64, Int8
from catchment.optimise.seating import Question, Seating, seated

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

FEW = 600  # pairs up to which the solver gets the whole model at once
LIKELY = 8  # pairs a unit in the first, smaller model
SMALL = 3  # pairs a unit up to which a node goes to the solver
TRIES = 2  # rough models at the root


class Whole:
    """Search for one instance with the best plan so far."""

    def __init__(self, question: Question, places: Places, seed: int, few: int = FEW) -> None:
        self.question = question
        self.places = places
        self.seed = seed
        self.few = few
        self.pairs = model.allowed_pairs(question)
        self.rows = np.flatnonzero(question.demand > 0)
        self.best: tuple[Bool, Seating] | None = None
        self.heap: list[tuple[float, int, Int8, Float32, Float64]] = []
        self.pruned = np.inf
        self.nodes = 0
        self.polish_at = 200

    def solve(self, until: float) -> tuple[tuple[Bool, Seating] | None, float]:
        """Find the best plan and a bound.

        Parameters
        ----------
        until : float
            When to stop, in ``time.perf_counter`` seconds.

        Returns
        -------
        plan : (chosen, Seating) or None
            The best plan met.
        bound : float
            A lower bound on every plan; inf where the solver finds none possible.
        """
        if int(self.pairs.sum()) <= self.few:
            low, plan = model.optimise(self.question, until=until, seed=self.seed)
            if plan is not None:
                self.best = seated(self.question, *plan)
            return self.best, self.value() if low >= self.cut() else low
        low, node = self.root(until)
        if node is not None:
            heapq.heappush(self.heap, (low, 0, *node))
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
        if least >= self.cut() and self.best is not None:
            return self.best, self.value()
        return self.best, float(min(least, self.value()))

    def value(self) -> float:
        """Return the value of the best plan, inf without one."""
        return np.inf if self.best is None else self.best[1].value

    def cut(self) -> float:
        """Return the bound from which on a node is of no interest."""
        return goal(self.places, self.value())

    def scale(self) -> float:
        """Return the value of the best plan, or what no plan can exceed."""
        if self.best is not None:
            return self.value()
        dearest = np.where(np.isfinite(self.places.cost), self.places.cost, -np.inf).max(axis=0)
        return float((self.places.demand * dearest).sum() + np.abs(self.places.rent).sum())

    def take(self, plan: tuple[Bool, npt.NDArray[np.int32]] | None) -> bool:
        """Keep a plan of the solver if it holds in the numbers given and is the best.

        Parameters
        ----------
        plan : (chosen, site_of) or None
            Open sites and the site of each unit.

        Returns
        -------
        bool
            Whether it is the best now.
        """
        fresh = None if plan is None else seated(self.question, *plan)
        if fresh is None or not fresh[1].value < self.value():
            return False
        self.best = fresh
        return True

    def root(self, until: float) -> tuple[float, tuple[Int8, Float32, Float64] | None]:
        """Bound the whole problem and look for plans among the pairs that the prices favour."""
        nearest = self.places.cost.min(axis=0)
        price = nearest + 0.5 * np.abs(nearest) + 1e-6
        state, low, tries = self.question.state.copy(), -np.inf, 0
        while True:
            usual = np.zeros(state.size)
            low = max(low, self.ascend(state, price, usual, 1500))
            if low >= self.cut():
                self.pruned = low
                return low, None
            left, rise = self.left(state, price)
            if int(left.sum()) <= SMALL * self.rows.size or not (state == FREE).any():
                self.hand_over(state, left, low, until)
                return low, None
            now = time.perf_counter()
            if tries >= TRIES or now >= until:
                return low, (state, price.astype(np.float32), usual)
            better = self.polish(left, rise, usual, until)
            tries = tries + 1 if better else TRIES

    def polish(self, left: Bool, rise: Float64, usual: Float64, until: float) -> bool:
        """Look for a better plan among the pairs that the prices favour; tell whether one is."""
        near = _likely(left, rise, self.rows, usual, self.best)
        if self.best is not None:
            near[self.rows, self.best[1].site_of[self.rows]] = True
        now = time.perf_counter()
        stop = now + (until - now) * (0.5 if self.best is None else 0.05)
        _, plan = model.optimise(
            self.question, until=stop, seed=self.seed + self.nodes, pairs=near, start=self.best,
            gap=0.05 if self.nodes == 0 else 0.005,
        )  # fmt: skip
        return self.take(plan)

    def ascend(self, state: Int8, price: Float64, usual: Float64, rounds: int) -> float:
        """Raise the bound at a node; decides sites and moves prices in place."""
        pick = np.zeros(state.size, dtype=bool)
        theta, wait = (1.0, 20) if rounds > 100 else (0.35, 6)
        return float(
            ascend(
                self.places, state, price, self.scale(), self.cut(),
                rounds, theta, wait, usual, pick,
            )
        )  # fmt: skip

    def left(self, state: Int8, price: Float64) -> tuple[Bool, Float64]:
        """Return the pairs that a better plan at a node may hold, and what each costs."""
        at, rise = pair_rises(self.places, price, state.copy())
        room = self.cut() - at
        left = np.zeros_like(self.pairs)
        left[self.rows] = (rise < room).T if np.isfinite(room) else True
        left &= self.pairs & (state != CLOSED)
        return left, rise

    def hand_over(self, state: Int8, left: Bool, low: float, until: float) -> None:
        """Let the solver settle a node; without time it stays open with its bound."""
        bound, plan = model.optimise(
            self.question._replace(state=state), until=until, seed=self.seed, pairs=left,
            ceiling=self.value(),
        )  # fmt: skip
        better = self.take(plan)
        if better and bound >= self.cut():
            bound = self.value()
        self.pruned = min(self.pruned, max(low, bound))

    def enter(self, state: Int8, price: Float64, low: float, until: float) -> None:
        """Bound a node; settle it, give it up or keep it for branching."""
        self.nodes += 1
        usual = np.zeros(state.size)
        low = max(low, self.ascend(state, price, usual, 80))
        if low >= self.cut():
            self.pruned = min(self.pruned, low)
            return
        left, rise = self.left(state, price)
        if int(left.sum()) <= SMALL * self.rows.size or not (state == FREE).any():
            self.hand_over(state, left, low, until)
            return
        if self.nodes >= self.polish_at:
            self.polish_at *= 2
            self.polish(left, rise, usual, until)
        heapq.heappush(self.heap, (low, self.nodes, state, price.astype(np.float32), usual))


def _likely(
    pairs: Bool, rise: Float64, rows: Int64, usual: Float64, best: tuple[Bool, Seating] | None
) -> Bool:
    """Keep the pairs that the prices favour: of each unit first, then of the favoured sites."""
    near = np.zeros_like(pairs)
    if best is None:
        near[rows] = _rank(rise).T < LIKELY
        return pairs & near
    count = max(4, round(float(usual.sum())))
    sites = np.argsort(-usual, kind="stable")[: 2 * count]
    near[:, sites] = True
    near[:, best[0]] = True
    rank = _rank(np.where(near[rows].T, rise, np.inf))
    near[rows] &= (rank < 2 * LIKELY).T
    return pairs & near


def _rank(values: Float64) -> Int64:
    order = np.argsort(values, axis=0, kind="stable")
    rank: Int64 = np.argsort(order, axis=0, kind="stable")
    return rank
