"""Search by drawing parts of good plans anew, a few neighbouring catchments at a time.

Some parts are annealed, others solved exactly (:mod:`catchment.optimise.redraw`).

Tasks are numbered, each with its own random numbers, and their results are taken in order: the
course of the search depends on the seed alone. A limit of work ends it at the same proposal
wherever and however often it runs; a time limit ends it where the machine has got to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.annealing import Ground, Pool, anneal, make_pool
from catchment.optimise.dice import dice
from catchment.optimise.partition import Store, best_partition
from catchment.optimise.redraw import Redrawn, pairs, redraw

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

AHEAD = 4  # tasks in flight; fixed, so that the number of cores does not change the plan
CHAINS, BRANCHES = 0.3, 0.1  # shares of proposals
TARIFF = 24.0  # how many times the dearest place one beyond capacity counts in comparisons
STARTS = 3  # runs from the grown plan
LENGTH = 5_000  # proposals per unit of a run from the grown plan; the first two are shorter
SHAKE = 200  # proposals per unit, hot, that make a new plan of a good one
AGAIN = 5_000  # proposals per unit of a region, times 1/3 to 3
MET = 500  # catchments a run may hand over
NEAR = 1.002  # those of states of up to this weight, relative to the plan it began with
RUNNING = 3  # plans worked on at a time
PATIENCE = 60  # tasks without gain after which a plan, unless the best, is given up
JOIN = 150  # tasks between attempts to put a plan together from catchments met
STEP = 2_500  # proposals that take as long as a step of the solver
PAIRS = 100.0  # choices of an exact model at first
CHEAP = 4_000_000  # proposals a model may cost for the next to be larger, more without gain
WIDER, NARROWER = 1.1, 0.9  # change of the size after a cheap model, and after a dear one
MEMORY = 1e8  # proposals after which what a kind of task brought counts a third
BEFORE = 5e7  # proposals of annealing before the first exact model
LEAST = 0.1  # share of the work that the kind of task gets that lately brought less
ON_BEST = 0.6  # share of exact models that are of the best plan in any case
DULL = 40  # tasks without gain up to which models may cost ever more
FRESH = 10  # regions looked at for one not tried before
STALLED = 1000  # tasks without a better plan after which the search begins again
AFRESH = 9  # times it does so before it ends


class Scale(NamedTuple):
    """Measured sizes: what a shift typically costs, and a place at the dearest site."""

    shift: float
    price: float
    demand: float


@dataclass
class Yield:
    """What tasks of a kind brought lately per proposal, and what they cost in all."""

    rate: float = 0.0
    cost: float = 0.0

    def book(self, gain: float, cost: float) -> None:
        """Add a task."""
        kept = float(np.exp(-cost / MEMORY))
        self.rate = kept * self.rate + (1.0 - kept) * gain / max(cost, 1.0)
        self.cost += cost


@dataclass(eq=False)
class Plan:
    """A plan in the running; ``merit`` is its weight and a high price for its overload."""

    site: Int32
    value: float
    over: float
    merit: float
    idle: int = 0


class Found(NamedTuple):
    """What a task brings: plan, weight, overload, catchments met."""

    site: Int32
    value: float
    over: float
    pool: Pool | None


class Task(NamedTuple):
    """A task in flight: its coming result, and what it began with.

    ``parent`` is the plan in the running that it works on, ``base`` what that was at the time,
    ``region`` the sites that may change, ``cost`` its length in proposals, 0 = told by the
    result, ``booked`` what was put down for it until then.
    """

    result: Future[Found | Redrawn | None]
    parent: Plan | None = None
    base: Plan | None = None
    region: Bool | None = None
    cost: int = 0
    booked: int = 0


@dataclass
class Search:
    """The state of one search.

    ``work`` is how many proposals may be made (inf = no limit), ``spent`` how many the tasks begun
    so far were given, steps of the solver counted as proposals; ``late`` says that the time was
    over before the work was done. ``pairs`` is how large exact models are, ``each`` what a
    catchment adds to one, ``tried`` are those met before.
    """

    ground: Ground
    scale: Scale
    store: Store
    seed: int
    until: float
    clock: Callable[[], float]
    start: Int32
    budget: int
    work: float
    bound: float
    enough: float
    tariff: float
    plans: list[Plan] = field(default_factory=list)
    made: int = 0
    spent: int = 0
    taken: int = 0
    afresh: int = 0
    last_gain: int = 0
    kept: Plan | None = None
    late: bool = False
    annealed: Yield = field(default_factory=Yield)
    modelled: Yield = field(default_factory=Yield)
    pairs: float = PAIRS
    each: float = 50.0
    tried: set[bytes] = field(default_factory=set)
    halt: Bool = field(default_factory=lambda: np.zeros(1, dtype=bool))

    def best(self) -> Plan:
        """Return the best plan in the running."""
        return self.plans[0]


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


def run(search: Search) -> None:
    """Search until time or work are over, the bound is reached or new beginnings bring nothing.

    Tasks that were begun before the work was over are waited for, so that the plan does not depend
    on which of them happened to be ready.

    Parameters
    ----------
    search : Search
        Changed in place.
    """
    flying: deque[Task] = deque()
    joint: Task | None = None
    with ThreadPoolExecutor(max_workers=2) as workers:
        while not search.halt[0]:
            while len(flying) < AHEAD and search.spent < search.work:
                flying.append(_launch(search, workers))
            if not flying:
                break
            task = flying.popleft()
            _take_in(search, task, _await(search, task))
            if joint is not None and search.taken % JOIN == JOIN - 1:
                _take_in(search, joint, _await(search, joint))
                joint = None
            kept = search.kept
            if search.taken % JOIN == 0 and kept is not None and kept.over == 0.0:
                joint = _join(search, kept, workers)
            stalled = search.taken - search.last_gain > STALLED
            least = max(search.bound, search.enough)
            done = kept is not None and kept.over == 0.0 and not _less(least, kept.value)
            if done or (stalled and search.afresh == AFRESH):
                search.halt[0] = True
            elif stalled:
                _begin_again(search)
        if joint is not None:
            _take_in(search, joint, _await(search, joint))


def _begin_again(search: Search) -> None:
    """Give up the plans in the running for new ones; the best met and its catchments are kept."""
    search.afresh += 1
    search.last_gain = search.taken
    value, over = _weigh(search.ground, search.start)
    search.plans = [Plan(search.start, value, over, value + search.tariff * over)]


def _await(search: Search, task: Task) -> Found | Redrawn | None:
    """Return the result of a task; when the time is over, tell all tasks to end."""
    while (left := search.until - search.clock()) > 0:
        try:
            # two workers: a clock of processor time may run twice as fast as the one on the wall
            return task.result.result(timeout=left / 2 + 1e-3)
        except TimeoutError:
            continue
    if not task.result.done():
        search.late = True
        search.halt[0] = True  # compiled loops end within microseconds
    elif task.cost == 0:
        search.late = True  # the clock may have cut the solver short
    return task.result.result()


def _launch(search: Search, workers: ThreadPoolExecutor) -> Task:
    """Start the next task: a run of the whole, or a region of a plan in the running."""
    number = search.made
    search.made += 1
    rng = np.random.default_rng([search.seed, number])
    if len(search.plans) >= RUNNING and _prefers_exact(search):
        task = _launch_exact(search, workers, rng)
        if task is not None:
            return task
    ground, scale, halt = search.ground, search.scale, search.halt
    tariff = search.tariff
    n, m = ground.weight.shape
    parent: Plan | None = None
    keep = -np.inf
    region = np.ones(m, dtype=bool)
    shaken = False
    length = LENGTH * n
    if number < STARTS or len(search.plans) < 2:
        site = search.start
        penalty = scale.price * 2.0 ** rng.uniform(2.0, 4.5)
        hot = 0.3 * penalty * scale.demand
        if number < 2:  # soon a fair plan
            penalty, hot, length = TARIFF * scale.price, 3.0 * scale.shift, length // 5
    else:
        penalty = scale.price * 2.0 ** rng.uniform(1.0, 4.5)
        hot = scale.shift * 10.0 ** rng.uniform(-0.5, 1.2)
        if len(search.plans) < RUNNING:
            site = search.best().site
            shaken = True
            hot = scale.shift * 10.0 ** rng.uniform(0.5, 1.5)
        else:
            parent = _choose(search, rng)
            site, keep = parent.site, parent.value * NEAR
            region = _cluster(ground, site, int(rng.integers(3, 13)), rng)
            units = int(region[site[site >= 0]].sum())
            length = int(units * AGAIN * 3.0 ** rng.uniform(-1.0, 1.0))
    length = min(length, search.budget)
    search.spent += length + (SHAKE * n if shaken else 0)
    cold = min(0.1 * scale.shift, hot)
    stream = dice(int(rng.integers(2**62)))
    site = site.copy()

    def work() -> Found:
        pool = make_pool(n, MET)
        if shaken:  # leave the plan behind, else it would itself be the best one met
            anneal(
                ground,
                site,
                penalty,
                tariff,
                hot,
                hot,
                SHAKE * n,
                CHAINS,
                BRANCHES,
                region,
                keep,
                stream,
                pool,
                halt,
            )
        found = anneal(
            ground,
            site,
            penalty,
            tariff,
            hot,
            cold,
            length,
            CHAINS,
            BRANCHES,
            region,
            keep,
            stream,
            pool,
            halt,
        )
        return Found(*found, pool)

    base = None if parent is None else replace(parent)
    return Task(workers.submit(work), parent, base, region, length)


def _prefers_exact(search: Search) -> bool:
    """Whether exact models are due: they brought more lately, or are below their least share."""
    exact, other = search.modelled, search.annealed
    most = 1.0 - LEAST if exact.rate > other.rate else LEAST
    return other.cost > BEFORE and exact.cost < most * (exact.cost + other.cost)


def _launch_exact(
    search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator
) -> Task | None:
    """Start an exact model of some catchments that was not solved before; None where none is met."""
    ground = search.ground
    parent = search.best() if rng.random() < ON_BEST else _choose(search, rng)
    site = parent.site
    hops = 2 if rng.random() < 0.7 else 3
    for _ in range(FRESH):
        size = search.pairs / search.each * rng.uniform(0.7, 1.3)
        region = _cluster(ground, site, max(2, round(size)), rng)
        patch = pairs(ground, site, region, hops)
        key = blake2b(patch.units.tobytes() + site[patch.units].tobytes(), digest_size=16)
        key.update(patch.pair.tobytes())
        if key.digest() not in search.tried:
            break
    else:
        search.pairs = min(WIDER * search.pairs, float(ground.weight.size))
        search.modelled.book(0.0, CHEAP)
        return None
    search.tried.add(key.digest())
    choices = int((patch.pair >= 0).sum())
    booked = 2 * STEP * choices  # a step or two per choice are usual
    search.spent += booked
    each = choices / max(1, patch.sites.size)
    search.each += 0.1 * (each - search.each)
    seed = int(rng.integers(2**31))
    tariff = search.tariff

    def work() -> Redrawn:
        return redraw(
            ground, site, patch, tariff, seed=seed, left=lambda: search.until - search.clock()
        )

    return Task(workers.submit(work), parent, replace(parent), region, booked=booked)


def _join(search: Search, kept: Plan, workers: ThreadPoolExecutor) -> Task:
    """Start putting a plan together from catchments met."""
    for plan in [*search.plans, kept]:
        search.store.add_plan(
            plan.site, search.ground.weight, search.ground.capacity, search.ground.demand
        )
    columns = search.store.columns(kept.value - search.bound)
    site, value = kept.site.copy(), kept.value
    must = search.ground.root >= 0

    def work() -> Found | None:
        better, weight, _ = best_partition(
            columns, must, site, value, left=lambda: search.until - search.clock(), seed=search.seed
        )
        return None if better is None else Found(better, weight, 0.0, None)

    return Task(workers.submit(work))


def _choose(search: Search, rng: np.random.Generator) -> Plan:
    """Choose a plan to work on: the best often while it gains, else any in the running."""
    best = search.best()
    if rng.random() < (0.5 if best.idle < PATIENCE else 0.2):
        return best
    return search.plans[int(rng.integers(len(search.plans)))]


def _take_in(search: Search, task: Task, result: Found | Redrawn | None) -> None:
    """Let a result take the place of the plan it came from where it is at least as good."""
    if result is None:
        return
    found = _book(search, task, result) if isinstance(result, Redrawn) else result
    before = search.best().merit if search.plans else np.inf
    search.taken += task.region is not None
    if found.pool is not None:
        search.store.add(found.pool)
    parent = task.parent
    plan = Plan(found.site, found.value, found.over, found.value + search.tariff * found.over)
    kept = search.kept
    if kept is None or (plan.over, plan.value) < (kept.over, kept.value):
        search.kept = replace(plan)
        search.last_gain = search.taken
    if parent is None:
        search.plans.append(plan)
    elif parent in search.plans:
        kind = search.modelled if isinstance(result, Redrawn) else search.annealed
        cost = STEP * result.effort if isinstance(result, Redrawn) else task.cost
        kind.book(max(0.0, parent.merit - plan.merit), cost)
        parent.idle = 0 if _less(plan.merit, parent.merit) else parent.idle + 1
        if plan.merit <= parent.merit:
            parent.site, parent.value = plan.site, plan.value
            parent.over, parent.merit = plan.over, plan.merit
    search.plans.sort(key=lambda plan: plan.merit)
    search.plans = [
        plan
        for plan, better in zip(search.plans, [None, *search.plans], strict=False)
        if better is None or _less(better.merit, plan.merit) or (better.site != plan.site).any()
    ]
    if _less(search.best().merit, before):
        search.last_gain = search.taken
    stale = [plan for plan in search.plans[1:] if plan.idle > PATIENCE]
    if stale or len(search.plans) > STARTS:
        search.plans.remove(stale[-1] if stale else search.plans[-1])
    none_yet = search.kept is not None and search.kept.over > 0.0
    if search.best().over > 0.0 and (
        search.best().idle > PATIENCE or (none_yet and search.taken % PATIENCE == 0)
    ):
        _raise_tariff(search)


def _book(search: Search, task: Task, result: Redrawn) -> Found:
    """Count what an exact model cost, and set the size of the next ones."""
    spent = STEP * result.effort
    search.spent += spent - task.booked
    idle = 0 if task.base is None else task.base.idle
    limit = CHEAP * (1.0 + min(idle, DULL) / 10)
    if spent > 2.0 * limit:
        search.pairs *= NARROWER
    elif spent < limit and result.proved:
        search.pairs *= WIDER
    search.pairs = min(max(search.pairs, PAIRS / 2), float(search.ground.weight.size))
    site = _brought_up_to_date(task, result.site)
    return Found(site, *_weigh(search.ground, site), None)


def _weigh(ground: Ground, site: Int32) -> tuple[float, float]:
    """Return the weight of a plan and its overload."""
    served = np.flatnonzero(site >= 0)
    load = np.bincount(site[served], ground.demand[served], minlength=ground.capacity.size)
    over = float(np.maximum(load - ground.capacity, 0.0).sum())
    slip = 1e-9 * (1.0 + float(ground.demand.sum()))
    return float(ground.weight[served, site[served]].sum()), over if over > slip else 0.0


def _brought_up_to_date(task: Task, drawn: Int32) -> Int32:
    """Put what was changed into the plan as it is now, where others changed only the rest of it."""
    parent, base, region = task.parent, task.base, task.region
    if parent is None or base is None or region is None or parent.site is base.site:
        return drawn
    inside = (base.site >= 0) & region[base.site]
    now = (parent.site >= 0) & region[parent.site]
    if (inside != now).any() or (base.site[inside] != parent.site[inside]).any():
        return drawn
    site = parent.site.copy()
    site[inside] = drawn[inside]
    return site


def _raise_tariff(search: Search) -> None:
    """Make overload count double where the best plan does not get rid of it."""
    search.tariff *= 2.0
    if search.kept is not None and search.kept.over == 0.0:
        search.plans.append(replace(search.kept, idle=0))
    for plan in search.plans:
        plan.merit = plan.value + search.tariff * plan.over
        plan.idle = 0
    search.plans.sort(key=lambda plan: plan.merit)


def _less(one: float, other: float) -> bool:
    """Whether a value is less by more than rounding."""
    return one < other - 1e-12 * max(1.0, abs(one))


def _cluster(ground: Ground, site: Int32, size: int, rng: np.random.Generator) -> Bool:
    """Pick neighbouring catchments one after the other, often around an overloaded one."""
    m = ground.capacity.size
    row = np.repeat(site, np.diff(ground.indptr))
    to = site[ground.indices]
    there = (row >= 0) & (to >= 0)
    touch = np.zeros((m, m), dtype=bool)
    touch[row[there], to[there]] = True
    region = np.zeros(m, dtype=bool)
    served = site >= 0
    load = np.bincount(site[served], ground.demand[served], minlength=m)
    first = np.flatnonzero(load > ground.capacity * (1 + 1e-9))
    if not first.size or rng.random() < 0.3:
        first = np.unique(site[served])
    region[int(rng.choice(first))] = True
    for _ in range(size - 1):
        rim = np.flatnonzero(touch[region].any(axis=0) & ~region)
        if not rim.size:
            break
        region[int(rng.choice(rim))] = True
    size_of = np.bincount(site[site >= 0], minlength=m)
    # empty catchments come along where they may begin somewhere
    region[(size_of == 0) & (ground.root < 0)] = True
    return region
