"""The kinds of tasks of a search: annealing, and exact models of a part of a plan."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.annealing import Ground, anneal, make_pool
from catchment.optimise.course import Found, Plan, Scale, Search, Setting, Task
from catchment.optimise.dice import dice
from catchment.optimise.redraw import Patch, redraw

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]

CHAINS, BRANCHES = 0.3, 0.1  # shares of proposals
SHAKE = 200  # proposals per unit, hot, that make a new plan of a good one
AGAIN = 5_000  # proposals per unit of a region, times 1/3 to 3
MET = 500  # catchments a run may hand over
NEAR = 1.002  # those of states of up to this weight, relative to the plan it began with
STEP = 2_500  # proposals that take as long as a step of the solver


class Heat(NamedTuple):
    """Temperatures of a run and its price of a place beyond capacity."""

    hot: float
    cold: float
    penalty: float


def heat(scale: Scale, setting: Setting) -> Heat:
    """Return what a setting means on this instance.

    Parameters
    ----------
    scale : Scale
        Sizes measured.
    setting : Setting
        Logarithms.

    Returns
    -------
    Heat
        Down to where hardly a shift is accepted.
    """
    hot = scale.shift * 10.0**setting.heat
    return Heat(hot, min(0.1 * scale.shift, hot), scale.price * 2.0**setting.penalty)


def run_whole(
    search: Search,
    workers: ThreadPoolExecutor,
    rng: np.random.Generator,
    kind: str,
    site: Int32,
    heat: Heat,
    length: int,
    *,
    shaken: bool = False,
    setting: Setting | None = None,
) -> Task:
    """Start a run in which every catchment may change.

    Parameters
    ----------
    search : Search
        The search; what the run costs is counted.
    workers : ThreadPoolExecutor
        Who does it.
    rng : numpy.random.Generator
        Random numbers of the task.
    kind : str
        The yield it is booked to.
    site : (n,) int32
        Plan to begin with.
    heat : Heat
        Temperatures and penalty.
    length : int
        Proposals.
    shaken : bool
        Whether the plan is left behind first, hot; else it would itself be the best one met.
    setting : Setting, optional
        How it was set, for the books.

    Returns
    -------
    Task
        In flight.
    """
    length = min(length, search.budget)
    shake = SHAKE * site.size if shaken else 0
    search.spent += length + shake
    everywhere = np.ones(search.ground.capacity.size, dtype=bool)
    work = _annealing(search, rng, site, heat, (shake, length), everywhere, -np.inf)
    return Task(workers.submit(work), kind, region=everywhere, cost=length, setting=setting)


def run_region(
    search: Search,
    workers: ThreadPoolExecutor,
    rng: np.random.Generator,
    kind: str,
    parent: Plan,
    heat: Heat,
) -> Task:
    """Start a run on a few neighbouring catchments of a plan.

    Parameters
    ----------
    search, workers, rng, kind
        As of :func:`run_whole`.
    parent : Plan
        The plan.
    heat : Heat
        Temperatures and penalty.

    Returns
    -------
    Task
        In flight.
    """
    site = parent.site
    region = cluster(search.ground, site, int(rng.integers(3, 13)), rng)
    units = int(region[site[site >= 0]].sum())
    length = min(int(units * AGAIN * 3.0 ** rng.uniform(-1.0, 1.0)), search.budget)
    search.spent += length
    work = _annealing(search, rng, site, heat, (0, length), region, parent.value * NEAR)
    return Task(workers.submit(work), kind, parent, replace(parent), region, length)


def _annealing(
    search: Search,
    rng: np.random.Generator,
    site: Int32,
    heat: Heat,
    lengths: tuple[int, int],
    region: Bool,
    keep: float,
) -> Callable[[], Found]:
    """Return the work of a run: so many proposals hot, then so many cooling down."""
    ground, tariff, halt = search.ground, search.tariff, search.halt
    stream = dice(int(rng.integers(2**62)))
    site = site.copy()

    def work() -> Found:
        pool = make_pool(site.size, MET)

        def run(cold: float, length: int) -> tuple[Int32, float, float]:
            return anneal(
                ground,
                site,
                heat.penalty,
                tariff,
                heat.hot,
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

        if lengths[0]:
            run(heat.hot, lengths[0])
        best, value, over = run(heat.cold, lengths[1])
        return Found(best, value, over, pool, site)

    return work


def solve_exactly(
    search: Search,
    workers: ThreadPoolExecutor,
    rng: np.random.Generator,
    kind: str,
    parent: Plan,
    patch: Patch,
    region: Bool,
) -> Task:
    """Start an exact model of a part of a plan.

    Parameters
    ----------
    search, workers, rng, kind, parent
        As of :func:`run_region`.
    patch : Patch
        The part, and which unit may go where.
    region : (m,) bool
        Sites whose catchments may change.

    Returns
    -------
    Task
        In flight.
    """
    several = (patch.pair >= 0).sum(axis=1)
    booked = 2 * STEP * int(several[several > 1].sum())  # a step or two per choice are usual
    search.spent += booked
    ground, site, tariff = search.ground, parent.site, search.tariff
    seed = int(rng.integers(2**31))
    left = search.seconds
    work = partial(redraw, ground, site, patch, tariff, seed=seed, left=left)
    return Task(workers.submit(work), kind, parent, replace(parent), region, booked=booked)


def new_to(search: Search, parent: Plan, patch: Patch) -> bool:
    """Tell whether a model was not solved before, and remember it.

    Parameters
    ----------
    search : Search
        The search.
    parent : Plan
        The plan that the model starts from.
    patch : Patch
        The model.

    Returns
    -------
    bool
        False for the same choices from the same plan.
    """
    key = blake2b(patch.units.tobytes() + parent.site[patch.units].tobytes(), digest_size=16)
    key.update(patch.pair.tobytes())
    if key.digest() in search.tried:
        return False
    search.tried.add(key.digest())
    return True


def cluster(ground: Ground, site: Int32, size: int, rng: np.random.Generator) -> Bool:
    """Pick neighbouring catchments one after the other, often around an overloaded one.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        The plan.
    size : int
        Catchments.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    (m,) bool
        Their sites, and those without units where these may begin anywhere.
    """
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
