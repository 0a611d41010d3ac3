"""One run of the search from hot to cold, for so many proposals or for so long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from catchment.optimise.dice import dice
from catchment.optimise.phases.anneal import anneal, rises
from catchment.optimise.phases.contiguous import Ground, room_for
from catchment.optimise.phases.decode import Decision
from catchment.optimise.phases.table import Table, begin, heaviest

SLICE, SLICES = 20_000, 40
"""Proposals between two looks at the clock at most, and slices of a chain at least."""
HOT, COLD = 4.0, 0.01
"""First and last temperature of a chain that forgets what it began with, shares of what a random
change costs."""
CUT, CUT_LAST = 0.17, 22.0
"""What a village-band costs that is cut off for a year, at the first and at the last temperature, in
random changes: what is soft at first is firm in the end."""
BROKEN, KEPT = 1.3, 0.97
"""Factors of the weight of limits after a slice that ends with broken ones, and without."""


class Scale(NamedTuple):
    """What proposals cost in a question: the measure of temperatures and penalties.

    Attributes
    ----------
    rise : float
        Yuan of a random change that makes the plan dearer, their median.
    weight : float
        Yuan of one unit of violation, at first.
    """

    rise: float
    weight: float


class Chained(NamedTuple):
    """What a chain came to.

    Attributes
    ----------
    value : float
        Yuan of its best valid plan without the first year; inf if it met none.
    best : Decision
        That plan; the last one where there is none.
    last : Decision
        Where it ended.
    broken : float
        How far the last plan breaks limits.
    steps : int
        Proposals.
    """

    value: float
    best: Decision
    last: Decision
    broken: float
    steps: int


def scale_of(c: Table, ground: Ground, decision: Decision, seed: int) -> Scale:
    """Measure what proposals cost around given decisions.

    Parameters
    ----------
    c : Table
        Constant arrays.
    ground : Ground
        Who neighbours whom.
    decision : Decision
        Options and years.
    seed : int
        Seed of the proposals.

    Returns
    -------
    Scale
        A rise of 1 yuan where nothing makes the plan dearer.
    """
    weight = 2.0 * heaviest(c)
    seen = rises(c, begin(c, decision, dice(seed)), ground, room_for(ground), 4000, weight)
    return Scale(float(np.median(seen)) if len(seen) else 1.0, weight)


def worth(c: Table, ground: Ground, decision: Decision, whole: bool) -> float:
    """Yuan of given decisions without the first year.

    Parameters
    ----------
    c : Table
        Constant arrays.
    ground : Ground
        Who neighbours whom.
    decision : Decision
        Options and years.
    whole : bool
        Whether catchments must be in one piece.

    Returns
    -------
    float
        inf where they break a limit.
    """
    run = begin(c, decision, dice(0))
    anneal(c, run, ground, room_for(ground), 0, 1.0, 1.0, 1.0, whole, 0.0)
    return float(run.best_value[0])


def chain(
    c: Table,
    ground: Ground,
    scale: Scale,
    start: Decision,
    *,
    seed: int,
    heat: float,
    whole: bool,
    steps: int | None = None,
    seconds: float = np.inf,
    cut: float | None = None,
    firm: float = 1.0,
    tell: Callable[[float, Decision], bool] | None = None,
) -> Chained:
    """Anneal from a share of a random change's cost down to :data:`COLD`.

    Parameters
    ----------
    c : Table
        Constant arrays; the search stays within what they allow.
    ground : Ground
        Who neighbours whom.
    scale : Scale
        Measure of temperatures and penalties.
    start : Decision
        Where it begins; not counted as found.
    seed : int
        Seed of its own stream.
    heat : float
        First temperature.
    whole : bool
        Whether the best plan must have its catchments in one piece.
    steps : int, optional
        Proposals. Without them the temperature falls with the clock.
    seconds : float
        Time; with ``steps`` a limit only.
    cut : float, optional
        A fixed price of what is cut off, in random changes, instead of one that grows.
    firm : float
        Factor of the price that grows.
    tell : callable, optional
        Told of every better plan, and asked after every slice whether to stop.

    Returns
    -------
    Chained
        Its best valid plan.
    """
    run, cuts = begin(c, start, dice(seed)), room_for(ground)
    known = worth(c, ground, start, whole)
    began = time.perf_counter()
    fall = COLD / heat
    power = np.log(CUT_LAST / CUT) / np.log(HOT / COLD)
    weight, told, done, broken = scale.weight, np.inf, 0, 0.0
    size = SLICE if steps is None else min(SLICE, max(steps // SLICES, 1))
    share, ahead = 0.0, 1e-3 if steps is None else size / max(steps, 1)
    while share < 1.0:
        now, then = heat * fall**share, heat * fall ** min(share + ahead, 1.0)
        soft = firm * CUT * (HOT / now) ** power if cut is None else cut
        broken, _ = anneal(
            c, run, ground, cuts, size, now * scale.rise, then * scale.rise, weight,
            whole, soft * scale.rise,
        )  # fmt: skip
        if not done and run.best_value[0] >= known - 1e-6:
            # What it began with is known already.
            run.best_value[0] = np.inf
        # Limits that stay broken weigh more, kept ones slowly less.
        weight *= KEPT if broken <= 1e-6 else BROKEN
        done += 1
        gone = (time.perf_counter() - began) / max(seconds, 1e-9)
        last, share = share, gone if steps is None else max(done * size / max(steps, 1), gone)
        ahead = share - last
        value = float(run.best_value[0])
        found = value < told - 1e-6
        told = min(told, value)
        if tell is not None and tell(value if found else np.inf, (run.best[0], run.best[1])):
            break
    value, ended = float(run.best_value[0]), (run.plan[0], run.plan[1])
    best = (run.best[0], run.best[1]) if np.isfinite(value) else ended
    return Chained(value, best, ended, broken, done * size)
