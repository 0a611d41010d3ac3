"""Search by drawing parts of good plans anew, a few neighbouring catchments at a time.

The first plans are annealed, as a whole and part by part. After that new ones are raised beside
the best (:mod:`catchment.optimise.crowd`), and parts are solved exactly.

Tasks are numbered, each with its own random numbers, and their results are taken in order: the
course of the search depends on the seed alone. A limit of work ends it at the same proposal
wherever and however often it runs; a time limit ends it where the machine has got to.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from catchment.optimise import crowd
from catchment.optimise.annealing import Ground
from catchment.optimise.course import (
    ANNEALED,
    RAISED,
    RUN,
    Found,
    Plan,
    Scale,
    Search,
    Setting,
    Task,
    Yield,
    brought_up_to_date,
    less,
    weigh,
)
from catchment.optimise.partition import best_partition
from catchment.optimise.redraw import Redrawn
from catchment.optimise.tasks import STEP, Heat, heat, run_region, run_whole

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

# tasks in flight, at first and later; fixed, so that the number of cores does not change the plan
AHEAD, LATER = 4, 6
TARIFF = 24.0  # how many times the dearest place one beyond capacity counts in comparisons
STARTS = 3  # runs from the grown plan
LENGTH = 5_000  # proposals per unit of a run from the grown plan; the first two are shorter
RUNNING = 3  # plans worked on at a time, at first
PATIENCE = 60  # tasks without gain after which a plan, unless the best, is given up
JOIN = 150  # tasks between attempts to put a plan together from catchments met, at first
BEFORE = 40_000  # proposals per unit before new plans are raised
STALLED = 1000  # tasks without a better plan after which the search begins again
AFRESH = 9  # times it does so before it ends


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
    joined = pause = JOIN  # tasks before the latest or next attempt to join, and between two
    with ThreadPoolExecutor(max_workers=2) as workers:
        while not search.halt[0]:
            while len(flying) < (LATER if search.crowded else AHEAD) and search.spent < search.work:
                flying.append(_launch(search, workers))
            if not flying:
                break
            task = flying.popleft()
            _take_in(search, task, _await(search, task))
            kept = search.kept
            if joint is not None and search.taken >= joined + JOIN - 1:
                _take_in(search, joint, _await(search, joint))
                # in vain: the next attempt comes later
                pause = JOIN if search.kept is not kept else 2 * pause
                joint, joined = None, joined + pause
            elif joint is None and search.taken >= joined:
                if kept is not None and kept.over == 0.0:
                    joint, joined = _join(search, kept, workers), search.taken
                else:
                    joined += JOIN
            stalled = search.taken - search.last_gain > STALLED
            least = max(search.bound, search.enough)
            done = kept is not None and kept.over == 0.0 and not less(least, kept.value)
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
    value, over = weigh(search.ground, search.start)
    search.plans = [Plan(search.start, value, over, value + search.tariff * over)]
    search.crowded, search.novice, search.coming = False, None, False
    search.due.clear()
    search.begun = search.spent
    search.yields = {kind: Yield() for kind in search.yields}
    if search.kept is not None:
        search.archive.append(search.kept.site)


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
    if (
        not search.crowded
        and search.plans
        and search.spent - search.begun > BEFORE * search.start.size
    ):
        crowd.begin(search)
    if search.crowded:
        return crowd.launch(search, workers, rng)
    scale = search.scale
    length = LENGTH * search.start.size
    if number < STARTS or len(search.plans) < 2:
        penalty = scale.price * 2.0 ** rng.uniform(2.0, 4.5)
        hot = 0.3 * penalty * scale.demand
        if number < 2:  # soon a fair plan
            penalty, hot, length = TARIFF * scale.price, 3.0 * scale.shift, length // 5
        heats = Heat(hot, min(0.1 * scale.shift, hot), penalty)
        return run_whole(search, workers, rng, RUN, search.start, heats, length)
    setting = crowd.draw(rng, crowd.COOLING)
    if len(search.plans) < RUNNING:
        heats = heat(scale, Setting(float(rng.uniform(0.5, 1.5)), setting.penalty))
        site = search.best().site
        return run_whole(search, workers, rng, RUN, site, heats, length, shaken=True)
    parent = _choose(search, rng)
    return run_region(search, workers, rng, ANNEALED, parent, heat(scale, setting))


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
            columns, must, site, value, left=search.seconds, seed=search.seed
        )
        return None if better is None else Found(better, weight, 0.0, None)

    return Task(workers.submit(work), RUN)


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
    before = search.best().merit if search.plans else np.inf
    plan = _book(search, task, result)
    search.taken += task.region is not None
    kept = search.kept
    if kept is None or (plan.over, plan.value) < (kept.over, kept.value):
        search.kept = replace(plan)
        search.last_gain = search.taken
    parent = task.parent
    if task.kind == RAISED and parent is None:
        crowd.take_first_run(search, task, plan)
    elif parent is None:
        search.plans.append(plan)
    elif parent in search.plans or parent is search.novice:
        _replace(search, task, parent, plan)
        if search.crowded:
            crowd.follow(search, task, result)
    _sort(search)
    if less(search.best().merit, before):
        search.last_gain = search.taken
    none_yet = search.kept is not None and search.kept.over > 0.0
    if search.best().over > 0.0 and (
        search.best().idle > PATIENCE or (none_yet and search.taken % PATIENCE == 0)
    ):
        _raise_tariff(search)


def _book(search: Search, task: Task, result: Found | Redrawn) -> Plan:
    """Count what a task cost, and return its plan, brought up to date where that is possible."""
    if isinstance(result, Redrawn):
        search.spent += STEP * result.effort - task.booked
        crowd.resize(search, task, result)
        site = brought_up_to_date(task, result.site)
        return search.plan(Found(site, *weigh(search.ground, site), None))
    if result.pool is not None:
        search.store.add(result.pool)
    if search.crowded:
        site = brought_up_to_date(task, result.site)
        if site is not result.site:
            return search.plan(Found(site, *weigh(search.ground, site), None))
    return search.plan(result)


def _replace(search: Search, task: Task, parent: Plan, plan: Plan) -> None:
    """Put a plan where the one was that it came from, and note what it brought."""
    gain = max(0.0, parent.merit - plan.merit)
    result = task.result.result()
    cost = STEP * result.effort if isinstance(result, Redrawn) else task.cost
    search.yields[task.kind].book(gain if task.kind != RAISED else 0.0, cost)
    parent.idle = 0 if less(plan.merit, parent.merit) else parent.idle + 1
    if plan.merit <= parent.merit:
        parent.site, parent.value = plan.site, plan.value
        parent.over, parent.merit = plan.over, plan.merit


def _sort(search: Search) -> None:
    """Bring the plans in the running into order; the same ones and those given up leave."""
    search.plans.sort(key=lambda plan: plan.merit)
    if search.crowded:
        search.archive.extend(plan.site for plan in search.plans[1:])
        search.plans = search.plans[:1]
        return
    search.plans = [
        plan
        for plan, better in zip(search.plans, [None, *search.plans], strict=False)
        if better is None or less(better.merit, plan.merit) or (better.site != plan.site).any()
    ]
    stale = [plan for plan in search.plans[1:] if plan.idle > PATIENCE]
    if stale or len(search.plans) > STARTS:
        search.plans.remove(stale[-1] if stale else search.plans[-1])


def _raise_tariff(search: Search) -> None:
    """Make overload count double where the best plan does not get rid of it."""
    search.tariff *= 2.0
    if search.kept is not None and search.kept.over == 0.0:
        search.plans.append(replace(search.kept, idle=0))
    for plan in [*search.plans, *([search.novice] if search.novice is not None else [])]:
        plan.merit = plan.value + search.tariff * plan.over
        plan.idle = 0
        plan.lately.clear()
    search.plans.sort(key=lambda plan: plan.merit)
