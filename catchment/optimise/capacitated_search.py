"""Good choices of sites for capacitated location: drop, add and exchange with exact seatings.

The prices of a seating say, without another seating, the most that opening a site can save;
only exchanges that could help are then seated exactly.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from catchment.optimise import flow
from catchment.optimise.capacitated_bound import Places, openings
from catchment.optimise.location import FREE, OPEN, Bool, Float64, Int8

TRIALS = 6  # exchanges seated exactly for each site dropped


class Seats(NamedTuple):
    """Value of a seating with its sites, prices of the units, and demand that found no place."""

    value: float
    price: Float64
    missing: float


class Searcher:
    """Seatings of one instance, remembered by choice."""

    def __init__(self, places: Places, state: Int8, slack: float) -> None:
        self.places = places
        self.state = state
        self.slack = slack
        self.columns = np.ascontiguousarray(places.cost.T)
        self.refusal = flow.price_of_refusal(self.columns)
        self.known: dict[bytes, Seats] = {}

    def seat(self, chosen: Bool) -> Seats:
        """Seat all demand at a choice; what finds no place pays a price of refusal.

        Parameters
        ----------
        chosen : (m,) bool
            Open sites.

        Returns
        -------
        Seats
            Exact but for rounding.
        """
        key = np.packbits(chosen).tobytes()
        if key in self.known:
            return self.known[key]
        where = np.flatnonzero(chosen)
        n = len(self.columns)
        cost = np.column_stack([self.columns[:, where], np.full(n, self.refusal)])
        capacity = np.append(self.places.capacity[where], np.inf)
        state, _ = flow.solve(flow.new_flow(cost, capacity), self.places.demand, self.slack)
        pairs = flow.shares(state).tocoo()
        out = pairs.col == where.size
        missing = float(pairs.data[out].sum())
        value = float((pairs.data * cost[pairs.row, pairs.col]).sum())
        value += float(self.places.rent[where].sum())
        answer = Seats(value, (cost + state.price).min(axis=1), missing)
        if len(self.known) > 20_000:
            self.known.clear()
        self.known[key] = answer
        return answer

    def admissible(self, wish: Float64) -> Bool:
        """Choose by rank so that number and places suffice.

        Parameters
        ----------
        wish : (m,) float64
            How much each site is wanted; above 0.5 it is taken if it may be.

        Returns
        -------
        (m,) bool
            A choice; short of places only where the number does not allow more.
        """
        places, state = self.places, self.state
        chosen: Bool = state == OPEN
        order = [int(j) for j in np.argsort(-wish, kind="stable") if state[j] == FREE]
        count, held = int(chosen.sum()), float(places.capacity[chosen].sum())
        for j in order:
            enough = held >= places.total * (1 - 1e-12) and count >= places.least
            if count >= places.most or (wish[j] <= 0.5 and enough):
                break
            chosen[j] = True
            count, held = count + 1, held + float(places.capacity[j])
        if held < places.total * (1 - 1e-12):  # the number binds: take the largest instead
            for j in sorted(order, key=lambda j: -places.capacity[j]):
                inside = [k for k in order if chosen[k]]
                if chosen[j] or not inside or held >= places.total * (1 - 1e-12):
                    continue
                k = min(inside, key=lambda k: places.capacity[k])
                if places.capacity[k] < places.capacity[j]:
                    chosen[k], chosen[j] = False, True
                    held += float(places.capacity[j] - places.capacity[k])
        return chosen

    def descend(self, chosen: Bool, *, until: float, rng: np.random.Generator) -> Bool:
        """Drop, add and exchange sites while that helps.

        Parameters
        ----------
        chosen : (m,) bool
            Where to start.
        until : float
            When to stop, in ``time.perf_counter`` seconds.
        rng : numpy.random.Generator
            Order in which sites are tried.

        Returns
        -------
        (m,) bool
            A choice no such move improves, if there was time.
        """
        best = chosen.copy()
        while time.perf_counter() < until:
            better = self._add(best)
            if better is None:
                better = self._exchange(best, until, rng)
            if better is None:
                return best
            best = better
        return best

    def _improves(self, fresh: float, value: float) -> bool:
        return fresh < value - 1e-10 * max(1.0, abs(value))

    def _add(self, chosen: Bool) -> Bool | None:
        if int(chosen.sum()) >= self.places.most:
            return None
        here = self.seat(chosen)
        change = openings(self.places, here.price, ~chosen & (self.state == FREE))
        for k in np.argsort(change, kind="stable")[:TRIALS]:
            if not self._improves(here.value + change[k], here.value):
                return None
            trial = chosen.copy()
            trial[k] = True
            if self._improves(self.seat(trial).value, here.value):
                return trial
        return None

    def _exchange(self, chosen: Bool, until: float, rng: np.random.Generator) -> Bool | None:
        value = self.seat(chosen).value
        outside = ~chosen & (self.state == FREE)
        for j in rng.permutation(np.flatnonzero(chosen & (self.state == FREE))):
            if time.perf_counter() > until:
                return None
            less = chosen.copy()
            less[j] = False
            without = self.seat(less)
            if int(less.sum()) >= self.places.least and self._improves(without.value, value):
                return less
            change = openings(self.places, without.price, outside)
            for k in np.argsort(change, kind="stable")[:TRIALS]:
                if not self._improves(without.value + change[k], value):
                    break
                trial = less.copy()
                trial[k] = True
                if self._improves(self.seat(trial).value, value):
                    return trial
        return None

    def shaken(self, chosen: Bool, strength: int, rng: np.random.Generator) -> Bool:
        """Exchange some sites for random others.

        Parameters
        ----------
        chosen : (m,) bool
            Where to start.
        strength : int
            Number of exchanges.
        rng : numpy.random.Generator
            Random numbers.

        Returns
        -------
        (m,) bool
            Another choice.
        """
        trial = chosen.copy()
        inside = np.flatnonzero(chosen & (self.state == FREE))
        outside = np.flatnonzero(~chosen & (self.state == FREE))
        count = min(strength, inside.size, outside.size)
        if count:
            trial[rng.choice(inside, count, replace=False)] = False
            trial[rng.choice(outside, count, replace=False)] = True
        return trial
