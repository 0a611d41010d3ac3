"""Search by annealing parts of good plans again, a few neighbouring catchments at a time.

Tasks are numbered, each with its own random numbers, and their results are taken in order: the
course of the search depends on the seed alone, the time limit only says where it ends.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.annealing import Ground, Pool, anneal, make_pool
from catchment.optimise.dice import dice

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

AHEAD = 4  # tasks in flight; fixed, so that the number of cores does not change the plan
CHAINS, BRANCHES = 0.3, 0.1  # shares of proposals
STARTS = 6  # runs from the grown plan
LENGTH = 5_000  # proposals per unit of a run from the grown plan; the first two are shorter
AGAIN = 5_000  # proposals per unit of a region, times 1/3 to 3
STALLED = 1500  # tasks without a better plan after which the search ends


class Scale(NamedTuple):
    """Measured sizes: what a shift typically costs, and a place at the dearest site."""

    shift: float
    price: float
    demand: float


@dataclass
class Plan:
    """A plan in the running; ``rank`` is overload, then weight."""

    site: Int32
    value: float
    over: float
    born: int
    tried: int = 0

    @property
    def rank(self) -> tuple[float, float, int]:
        """Order of plans: the first is the best."""
        return (self.over, self.value, self.born)


@dataclass
class Search:
    """The state of one search."""

    ground: Ground
    scale: Scale
    seed: int
    until: float
    start: Int32
    budget: int
    plans: list[Plan] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    made: int = 0
    taken: int = 0
    last_gain: int = 0
    halt: Bool = field(default_factory=lambda: np.zeros(1, dtype=bool))

    def best(self) -> Plan:
        """Return the best plan met."""
        return min(self.plans, key=lambda plan: plan.rank)


def measure(ground: Ground, site: Int32, price: Float64) -> Scale:
    """Measure what moves of a plan cost.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        A plan.
    price : (m,) float64
        Prices of the sites in the splittable assignment.

    Returns
    -------
    Scale
        All above zero.
    """
    row = np.repeat(np.arange(site.size), np.diff(ground.indptr))
    rim = (site[row] >= 0) & (site[ground.indices] >= 0) & (ground.fixed[row] < 0)
    row, to = row[rim], site[ground.indices[rim]]
    change = ground.weight[row, to] - ground.weight[row, site[row]]
    change = change[np.isfinite(change) & (change > 0)]
    finite = ground.weight[np.isfinite(ground.weight) & (ground.weight > 0)]
    typical = float(np.median(change)) if change.size else float(finite.mean() or 1.0)
    some = ground.demand[ground.demand > 0]
    mean = float(some.mean()) if some.size else 1.0
    dearest = float(price[np.isfinite(price)].max(initial=0.0))
    return Scale(typical, max(dearest, typical / mean), mean)


def run(search: Search, *, goal: float) -> None:
    """Search until the time is over, the goal is reached or nothing better is found for long.

    Parameters
    ----------
    search : Search
        Changed in place.
    goal : float
        Weight that cannot be beaten.
    """
    flying: deque[tuple[Plan | None, Future[tuple[Int32, float, float, Pool]]]] = deque()
    with ThreadPoolExecutor(max_workers=2) as workers:
        while True:
            stalled = search.taken - search.last_gain > STALLED
            done = bool(search.plans) and (
                search.best().over == 0.0 and search.best().value <= goal * (1 + 1e-12)
            )
            if stalled or done or search.halt[0]:
                search.halt[0] = True
                break
            while len(flying) < AHEAD:
                flying.append(_launch(search, workers))
            parent, future = flying.popleft()
            try:
                result = future.result(timeout=max(0.0, search.until - time.perf_counter()))
            except TimeoutError:
                search.halt[0] = True  # running tasks end within microseconds
                result = future.result()
            _take_in(search, parent, *result)


def _launch(
    search: Search, workers: ThreadPoolExecutor
) -> tuple[Plan | None, Future[tuple[Int32, float, float, Pool]]]:
    """Start the next task: a run from the grown plan, or a region of a plan in the running."""
    task = search.made
    search.made += 1
    rng = np.random.default_rng([search.seed, task])
    ground, scale = search.ground, search.scale
    n, m = ground.weight.shape
    if task < STARTS or not search.plans:
        penalty = scale.price * 2.0 ** rng.uniform(2.0, 4.5)
        hot = 0.3 * penalty * scale.demand
        length = min((LENGTH if task > 1 else LENGTH // 5) * n, search.budget)
        region = np.ones(m, dtype=bool)
        site, parent = search.start.copy(), None
    else:
        parent = _choose(search, rng)
        penalty = scale.price * 2.0 ** rng.uniform(1.0, 4.5)
        hot = scale.shift * 10.0 ** rng.uniform(-0.5, 1.2)
        region = _cluster(ground, parent.site, int(rng.integers(3, 13)), rng)
        units = int(region[parent.site[parent.site >= 0]].sum())
        length = min(int(units * AGAIN * 3.0 ** rng.uniform(-1.0, 1.0)), search.budget)
        site = parent.site.copy()
    cold = min(0.1 * scale.shift, hot)
    stream = dice(int(rng.integers(2**62)))

    halt = search.halt

    def work() -> tuple[Int32, float, float, Pool]:
        pool = make_pool(1, 1)
        found = anneal(
            ground,
            site,
            penalty,
            hot,
            cold,
            length,
            CHAINS,
            BRANCHES,
            region,
            -np.inf,
            stream,
            pool,
            halt,
        )
        return (*found, pool)

    return parent, workers.submit(work)


def _choose(search: Search, rng: np.random.Generator) -> Plan:
    """Choose a plan to work on: the best half of the time, else any in the running."""
    plans = sorted(search.plans, key=lambda plan: plan.rank)
    keep = max(2, 6 - (search.taken - STARTS) // 100)
    del plans[keep:]
    search.plans = plans
    if rng.random() < 0.5:
        return plans[0]
    return plans[int(rng.integers(len(plans)))]


def _take_in(
    search: Search, parent: Plan | None, site: Int32, value: float, over: float, pool: Pool
) -> None:
    """Let a result take the place of the plan it came from where it is at least as good."""
    search.taken += 1
    before = search.best().rank[:2] if search.plans else (np.inf, np.inf)
    if parent is None:
        search.plans.append(Plan(site, value, over, search.taken))
    elif (over, value) <= (parent.over, parent.value):
        parent.site, parent.value, parent.over = site, value, over
    after = search.best().rank[:2]
    if after[0] < before[0] or after[1] < before[1] - 1e-12 * abs(before[1]):
        search.last_gain = search.taken


def _cluster(ground: Ground, site: Int32, size: int, rng: np.random.Generator) -> Bool:
    """Pick neighbouring catchments, one after the other at random."""
    m = ground.capacity.size
    row = np.repeat(site, np.diff(ground.indptr))
    to = site[ground.indices]
    there = (row >= 0) & (to >= 0)
    touch = np.zeros((m, m), dtype=bool)
    touch[row[there], to[there]] = True
    region = np.zeros(m, dtype=bool)
    region[int(rng.choice(np.unique(site[site >= 0])))] = True
    for _ in range(size - 1):
        rim = np.flatnonzero(touch[region].any(axis=0) & ~region)
        if not rim.size:
            break
        region[int(rng.choice(rim))] = True
    size_of = np.bincount(site[site >= 0], minlength=m)
    # empty catchments come along where they may begin somewhere
    region[(size_of == 0) & (ground.root < 0)] = True
    return region
