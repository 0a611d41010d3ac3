"""New plans raised beside the best one, and what they do better put into it.

A novice starts from a run of the whole, whose temperature and penalty are drawn near those that
gave good plans before. It is worked on while it comes closer to the best plan fast enough, then
united with it and with earlier novices by an exact model of what they do differently. The states
in which runs from a plan ended ("echoes") are united with it in the same way.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from catchment.optimise import unions
from catchment.optimise.course import (
    ANNEALED,
    KINDS,
    MIXED,
    MODELLED,
    PAIRS,
    RAISED,
    UNITED,
    Due,
    Found,
    Plan,
    Search,
    Setting,
    Task,
    Trial,
)
from catchment.optimise.redraw import Redrawn, pairs
from catchment.optimise.tasks import (
    STEP,
    cluster,
    heat,
    new_to,
    run_region,
    run_whole,
    solve_exactly,
)

Int32 = npt.NDArray[np.int32]

COOLING = (-0.5, 1.2), (1.0, 4.5)  # range of settings of a region's run
WIDE = (-0.6, 1.2), (1.0, 4.5)  # of a novice's first run
LONG = 8_000  # proposals per unit of it
LEARNT = 5  # first runs after which settings are drawn near those that were good
TRUST = 0.7  # share of first runs set so
SPREAD = 0.15, 0.4  # by how much these vary
NOVICES = 0.5  # share of the work that novices get, what unites them not counted
UNITING = 0.4  # share of the work that uniting plans may get, but for a finished novice's first
WATCH = 4  # runs over which a novice's progress is judged
PACE = 0.3  # share of the gap to the best that it must close while its cost doubles
ECHOES = 8  # ends of runs that are united with a plan at a time
ARCHIVE = 24  # novices kept
UNIONS = 2  # models of a finished novice, the best plan and others of the archive
LEAST = 0.1  # share of the rest of the work that each kind of task gets at least
NEARBY = 0.7  # share of exact models of neighbours with choices of two steps, not three
FRESH = 10  # regions looked at for one not tried before
CHEAP = 4_000_000  # proposals a model of neighbours may cost for the next to be larger, at first
DULL = 40  # tasks without gain up to which such models may cost ever more
MARGIN = 2.0  # times that, they make the next smaller
CHEAP_UNION = 4_000_000  # the same of models of differences
WIDER, NARROWER = 1.1, 0.9  # change of the size after a cheap model, and after a dear one
TOO_MANY = 1.5  # times the size wished, only neighbours are united
SMALLEST = 20.0  # choices of models of differences, at least


def draw(
    rng: np.random.Generator, ranges: tuple[tuple[float, float], tuple[float, float]]
) -> Setting:
    """Draw a setting.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random numbers; the penalty is drawn first.
    ranges : pairs of float
        Of temperature and penalty.

    Returns
    -------
    Setting
        Uniform in the ranges.
    """
    penalty = float(rng.uniform(*ranges[1]))
    return Setting(float(rng.uniform(*ranges[0])), penalty)


def begin(search: Search) -> None:
    """Keep the best plan in the running and put the others into the archive.

    Parameters
    ----------
    search : Search
        Changed in place.
    """
    search.crowded = True
    search.archive.extend(plan.site for plan in search.plans[1:])
    search.plans = search.plans[:1]


def launch(search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator) -> Task:
    """Start the next task.

    Parameters
    ----------
    search : Search
        In which new plans are raised.
    workers : ThreadPoolExecutor
        Who does it.
    rng : numpy.random.Generator
        Random numbers of the task.

    Returns
    -------
    Task
        In flight.
    """
    cost = {kind: search.yields[kind].cost for kind in (*KINDS, UNITED, RAISED)}
    while search.due:
        due = search.due.popleft()
        if due.needed or cost[UNITED] <= UNITING * sum(cost.values()):
            task = _unite(search, workers, rng, due)
            if task is not None:
                return task
    if cost[RAISED] <= NOVICES * (sum(cost.values()) - cost[UNITED]) and not search.coming:
        if search.novice is not None:
            setting = draw(rng, COOLING)
            return run_region(
                search, workers, rng, RAISED, search.novice, heat(search.scale, setting)
            )
        return _first_run(search, workers, rng)
    for kind in _wanting(search):
        if kind == MODELLED:
            task = _model(search, workers, rng)
        elif kind == MIXED:
            task = _mix(search, workers, rng)
        else:
            task = _anneal(search, workers, rng)
        if task is not None:
            return task
    return _anneal(search, workers, rng)


def _wanting(search: Search) -> list[str]:
    """Kinds of tasks, the one first that is most short of its share; the best gets most."""
    cost = np.array([search.yields[kind].cost for kind in KINDS])
    share = np.full(len(KINDS), LEAST)
    best = int(np.argmax([search.yields[kind].rate for kind in KINDS]))
    share[best] = 1.0 - LEAST * (len(KINDS) - 1)
    order = np.argsort(cost / max(1.0, float(cost.sum())) - share, kind="stable")
    return [KINDS[at] for at in order]


def _anneal(search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator) -> Task:
    setting = draw(rng, COOLING)
    return run_region(search, workers, rng, ANNEALED, search.best(), heat(search.scale, setting))


def _first_run(search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator) -> Task:
    """Start a novice."""
    setting = draw(rng, WIDE)
    trials = search.trials
    if len(trials) >= LEARNT and rng.random() < TRUST:
        merits = [trial.value + search.tariff * trial.over for trial in trials]
        good = np.argsort(merits, kind="stable")[: max(2, len(trials) // 3)]
        near = trials[int(rng.choice(good))].setting
        setting = Setting(
            near.heat + SPREAD[0] * float(rng.normal()),
            near.penalty + SPREAD[1] * float(rng.normal()),
        )
    search.coming = True
    length = LONG * search.start.size
    return run_whole(
        search,
        workers,
        rng,
        RAISED,
        search.start,
        heat(search.scale, setting),
        length,
        setting=setting,
    )


def _model(search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator) -> Task | None:
    """Start an exact model of some catchments of the best plan; None where all were tried."""
    ground, parent = search.ground, search.best()
    hops = 2 if rng.random() < NEARBY else 3
    for _ in range(FRESH):
        size = search.pairs / search.each * rng.uniform(0.7, 1.3)
        region = cluster(ground, parent.site, max(2, round(size)), rng)
        patch = pairs(ground, parent.site, region, hops)
        if new_to(search, parent, patch):
            break
    else:
        search.pairs = min(WIDER * search.pairs, float(ground.weight.size))
        search.yields[MODELLED].book(0.0, CHEAP)
        return None
    each = int((patch.pair >= 0).sum()) / max(1, patch.sites.size)
    search.each += 0.1 * (each - search.each)
    return solve_exactly(search, workers, rng, MODELLED, parent, patch, region)


def _mix(search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator) -> Task | None:
    """Start an exact model of what the archive does in some catchments; None where all is known."""
    archive, parent = search.archive, search.best()
    count = int(np.ceil(len(archive) * rng.uniform(0.5, 1.0)))
    others = [archive[k] for k in rng.permutation(len(archive))[:count]]
    room = search.choices * rng.uniform(0.7, 1.3)
    may = unions.of_neighbours(search.ground, parent.site, others, room, rng)
    part = unions.patch_of(search.ground, parent.site, may)
    if part is None or not new_to(search, parent, part[0]):
        if part is not None:
            search.choices = min(WIDER * search.choices, float(search.ground.weight.size))
        search.yields[MIXED].book(0.0, CHEAP)
        return None
    return solve_exactly(search, workers, rng, MIXED, parent, *part)


def _unite(
    search: Search, workers: ThreadPoolExecutor, rng: np.random.Generator, due: Due
) -> Task | None:
    """Start uniting plans; None where that is known or the plan is no longer worked on."""
    parent = due.parent or search.best()
    if parent is not search.novice and parent not in search.plans:
        return None
    others = due.others
    if due.parent is None:
        archive = search.archive
        others = [*others, *(archive[k] for k in rng.permutation(len(archive)))]
    may = unions.of_plans(search.ground, parent.site, others, search.choices)
    if may.sum() > TOO_MANY * search.choices:
        may = unions.of_neighbours(search.ground, parent.site, others, search.choices, rng)
    part = unions.patch_of(search.ground, parent.site, may)
    if part is None or not new_to(search, parent, part[0]):
        return None
    return solve_exactly(search, workers, rng, UNITED, parent, *part)


def take_first_run(search: Search, task: Task, plan: Plan) -> None:
    """Let the plan of a first run be the novice.

    Parameters
    ----------
    search : Search
        Changed in place.
    task : Task
        The run.
    plan : Plan
        What it found.
    """
    plan.cost = float(task.cost)
    search.novice, search.coming = plan, False
    search.yields[RAISED].book(0.0, task.cost)
    if task.setting is not None:
        search.trials.append(Trial(task.setting, plan.value, plan.over))


def follow(search: Search, task: Task, result: Found | Redrawn) -> None:
    """Note where a run ended, and end a novice's time when it is over.

    Parameters
    ----------
    search : Search
        Changed in place; what the run found has its place in it.
    task : Task
        The run or model.
    result : Found or Redrawn
        Its result.
    """
    parent = task.parent
    if parent is None or not isinstance(result, Found) or result.last is None:
        return
    parent.echoes.append(result.last)
    if len(parent.echoes) >= ECHOES:
        search.due.append(Due(parent, parent.echoes[::-1]))
        parent.echoes = []
    if parent is search.novice and _is_done(search, task, parent):
        _retire(search, parent)


def _is_done(search: Search, task: Task, novice: Plan) -> bool:
    """Whether a novice beats the best plan or no longer comes closer fast enough."""
    best = search.best().merit
    novice.cost += task.cost
    novice.lately.append((float(task.cost), novice.merit))
    if novice.merit < best:
        return True
    if len(novice.lately) <= WATCH:
        return False
    _, before = novice.lately.pop(0)
    share = sum(cost for cost, _ in novice.lately) / novice.cost
    return before - novice.merit < PACE * share * (novice.merit - best)


def _retire(search: Search, novice: Plan) -> None:
    """Put a novice into the archive, or the best plan where the novice is better, and unite."""
    search.novice = None
    if novice.merit < search.best().merit:
        search.plans, novice = [novice], search.best()
    search.due.append(Due(search.best(), [novice.site], needed=True))
    search.due.extend(Due(None, [novice.site]) for _ in range(UNIONS))
    search.archive.append(novice.site)
    del search.archive[:-ARCHIVE]


def resize(search: Search, task: Task, result: Redrawn) -> None:
    """Set the size of the next exact models by what one cost.

    Parameters
    ----------
    search : Search
        Changed in place.
    task : Task
        The model.
    result : Redrawn
        What it brought.
    """
    spent = STEP * result.effort
    most = float(search.ground.weight.size)
    if task.kind == MODELLED:
        idle = 0 if task.base is None else task.base.idle
        limit = CHEAP * (1.0 + min(idle, DULL) / 10)
        factor = _factor(spent, limit, result.proved)
        search.pairs = min(max(search.pairs * factor, PAIRS / 2), most)
    elif spent > CHEAP_UNION or task.booked > STEP * search.choices:
        # a small model that is solved fast says nothing of larger ones
        factor = _factor(spent, CHEAP_UNION, result.proved)
        search.choices = min(max(search.choices * factor, SMALLEST), most)


def _factor(spent: float, limit: float, proved: bool) -> float:
    if spent > MARGIN * limit:
        return NARROWER
    return WIDER if spent < limit and proved else 1.0
