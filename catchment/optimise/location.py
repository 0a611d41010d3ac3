"""Location without capacities as sorted rows: one form for medians, coverage and covers.

Every unit has a row of sites in ascending order of cost and a ``cap``, what it costs when none
of the row is open; every site may have a cost of its own; between ``least`` and ``most`` sites
are opened. Everything here is compiled search for good plans; bounds are in ``lagrange``.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.dice import UInt64, below, dice

Bool = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

CLOSED, FREE, OPEN = -1, 0, 1


class Location(NamedTuple):
    """An instance of location without capacities.

    ``ptr`` (n + 1), ``site`` and ``far`` are the rows, ascending in ``far``; ``cap`` (n) is the
    cost of a unit none of whose row is open; ``rent`` (m) the cost of an open site; ``state``
    (m) says which sites are closed, free or open; ``step`` is the smallest difference between
    two values of plans (1 where all numbers are whole, else 0); ``scale`` (n) how far the prices
    of the units move against each other, as their weights do.
    """

    ptr: Int32
    site: Int32
    far: Float64
    cap: Float64
    rent: Float64
    state: Int8
    least: int
    most: int
    step: float
    scale: Float64


def make_location(
    far: Float64,
    cap: Float64,
    rent: Float64,
    state: Int8,
    least: int,
    most: int,
    weight: Float64 | None = None,
) -> Location:
    """Return the instance with its rows sorted.

    Parameters
    ----------
    far : (n, m) float64
        Cost of the whole demand of each unit at each site; values of ``cap`` or more are left out.
    cap : (n,) float64
        Cost of a unit that none of its sites serves; finite.
    rent : (m,) float64
        Cost of an open site.
    state : (m,) int8
        ``CLOSED``, ``FREE`` or ``OPEN``.
    least, most : int
        Limits of the number of open sites.
    weight : (n,) float64, optional
        Weights of the units, above zero, 1 each by default.

    Returns
    -------
    Location
        The instance.
    """
    allowed = (far < cap[:, None]) & (state != CLOSED)
    ptr = np.concatenate([[0], np.cumsum(allowed.sum(axis=1))]).astype(np.int32)
    order = np.argsort(np.where(allowed, far, np.inf), axis=1, kind="stable").astype(np.int32)
    inside = np.arange(far.shape[1])[None, :] < np.diff(ptr)[:, None]
    site = order[inside]
    value = np.take_along_axis(far, order, axis=1)[inside]
    numbers = (value, cap, rent)
    whole = all(bool((part == np.rint(part)).all()) for part in numbers)
    total = sum(float(np.abs(part).sum()) for part in (cap, rent))
    step = 1.0 if whole and total < 2.0**50 else 0.0
    scale = np.ones(len(far))
    if weight is not None and weight.size:
        scale = weight / weight.mean()
    return Location(
        ptr, np.ascontiguousarray(site), np.ascontiguousarray(value, dtype=np.float64),
        np.asarray(cap, dtype=np.float64), np.asarray(rent, dtype=np.float64),
        np.asarray(state, dtype=np.int8), least, most, step, scale,
    )  # fmt: skip


def goal(problem: Location, value: float) -> float:
    """Return the bound from which on nothing better than a value can exist.

    Parameters
    ----------
    problem : Location
        The instance.
    value : float
        Value of a plan.

    Returns
    -------
    float
        Slightly more than ``value - step`` for whole numbers, else ``value`` less rounding.
    """
    if problem.step > 0.0:
        return value - problem.step + 1e-4
    return value - 1e-10 * max(1.0, abs(value))


@njit(cache=True)
def evaluate(problem: Location, chosen: Bool) -> float:
    """Return the value of a choice of sites.

    Parameters
    ----------
    problem : Location
        The instance.
    chosen : (m,) bool
        Open sites.

    Returns
    -------
    float
        Costs of the units and of the open sites.
    """
    total = 0.0
    for j in range(chosen.size):
        if chosen[j]:
            total += problem.rent[j]
    for i in range(problem.cap.size):
        cost = problem.cap[i]
        for e in range(problem.ptr[i], problem.ptr[i + 1]):
            if chosen[problem.site[e]]:
                cost = problem.far[e]
                break
        total += cost
    return total


@njit(cache=True)
def complete(problem: Location, chosen: Bool) -> None:
    """Make a choice admissible: respect states, add greedily up to least, drop down to most.

    Parameters
    ----------
    problem : Location
        The instance.
    chosen : (m,) bool
        Changed in place.
    """
    m = chosen.size
    count = 0
    for j in range(m):
        if problem.state[j] == CLOSED:
            chosen[j] = False
        elif problem.state[j] == OPEN:
            chosen[j] = True
        if chosen[j]:
            count += 1
    best = problem.cap.copy()
    for i in range(best.size):
        for e in range(problem.ptr[i], problem.ptr[i + 1]):
            if chosen[problem.site[e]]:
                best[i] = problem.far[e]
                break
    gain = np.empty(m)
    while count < problem.most:
        gain[:] = -problem.rent
        for i in range(best.size):
            for e in range(problem.ptr[i], problem.ptr[i + 1]):
                if problem.far[e] >= best[i]:
                    break
                gain[problem.site[e]] += best[i] - problem.far[e]
        pick = -1
        for j in range(m):
            if problem.state[j] == FREE and not chosen[j] and (pick < 0 or gain[j] > gain[pick]):
                pick = j
        if pick < 0 or (count >= problem.least and gain[pick] <= 0.0):
            break
        chosen[pick] = True
        count += 1
        for i in range(best.size):
            for e in range(problem.ptr[i], problem.ptr[i + 1]):
                if problem.far[e] >= best[i]:
                    break
                if problem.site[e] == pick:
                    best[i] = problem.far[e]
                    break
    for j in range(m):
        if count <= problem.most:
            break
        if chosen[j] and problem.state[j] == FREE:
            chosen[j] = False
            count -= 1


@njit(cache=True)
def improve(problem: Location, chosen: Bool) -> float:
    """Swap, add and drop sites, the best move first, until no move helps.

    One pass over the rows gives the change of every possible move: what each site to be
    opened gains, what each open site loses, and how much of the loss the former makes good.

    Parameters
    ----------
    problem : Location
        The instance.
    chosen : (m,) bool
        An admissible choice, changed in place.

    Returns
    -------
    float
        Its value.
    """
    m = chosen.size
    gain = np.empty(m)
    loss = np.empty(m)
    slot = np.full(m, -1, dtype=np.int32)
    spared = np.zeros((m, max(int(chosen.sum()), 1) + 1))
    value = evaluate(problem, chosen)
    while True:
        held = np.flatnonzero(chosen)
        count = held.size
        if count > spared.shape[1]:
            spared = np.zeros((m, 2 * count))
        spared[:, :count] = 0.0
        for at in range(count):
            slot[held[at]] = at
        gain[:] = 0.0
        loss[:] = 0.0
        for i in range(problem.cap.size):
            begin = problem.ptr[i]
            end = problem.ptr[i + 1]
            nearest = -1
            first = problem.cap[i]
            second = problem.cap[i]
            stop = end
            for e in range(begin, end):
                if chosen[problem.site[e]]:
                    if nearest < 0:
                        nearest = problem.site[e]
                        first = problem.far[e]
                    else:
                        second = problem.far[e]
                        stop = e
                        break
            if nearest < 0:
                for e in range(begin, end):
                    gain[problem.site[e]] += first - problem.far[e]
                continue
            loss[nearest] += second - first
            at = slot[nearest]
            for e in range(begin, stop):
                far = problem.far[e]
                if far < first:
                    gain[problem.site[e]] += first - far
                    spared[problem.site[e], at] += second - first
                elif problem.site[e] != nearest:
                    spared[problem.site[e], at] += second - far
        best = 1e-9 * max(1.0, abs(value))
        add = -1
        drop = -1
        for k in range(m):
            if problem.state[k] != FREE or chosen[k]:
                continue
            here = gain[k] - problem.rent[k]
            if count < problem.most and here > best:
                best = here
                add = k
                drop = -1
            for at in range(count):
                r = held[at]
                if problem.state[r] == OPEN:
                    continue
                profit = here - loss[r] + problem.rent[r] + spared[k, at]
                if profit > best:
                    best = profit
                    add = k
                    drop = r
        if count > problem.least:
            for at in range(count):
                r = held[at]
                if problem.state[r] != OPEN and problem.rent[r] - loss[r] > best:
                    best = problem.rent[r] - loss[r]
                    add = -1
                    drop = r
        if add < 0 and drop < 0:
            return value
        if add >= 0:
            chosen[add] = True
        if drop >= 0:
            chosen[drop] = False
        fresh = evaluate(problem, chosen)
        if fresh >= value:  # rounding only: undo and stop
            if add >= 0:
                chosen[add] = False
            if drop >= 0:
                chosen[drop] = True
            return value
        value = fresh


@njit(cache=True)
def shake(problem: Location, chosen: Bool, strength: int, state: UInt64) -> None:
    """Exchange some free open sites for random others.

    Parameters
    ----------
    problem : Location
        The instance.
    chosen : (m,) bool
        An admissible choice, changed in place.
    strength : int
        Number of exchanges.
    state : (1,) uint64
        Stream of random numbers.
    """
    inside = np.flatnonzero(chosen & (problem.state == FREE))
    outside = np.flatnonzero(~chosen & (problem.state == FREE))
    for _ in range(min(strength, inside.size, outside.size)):
        a = below(state, inside.size)
        b = below(state, outside.size)
        chosen[inside[a]] = False
        chosen[outside[b]] = True
        inside[a], outside[b] = outside[b], inside[a]


@njit(cache=True)
def _rounds(problem: Location, best: Bool, value: float, rounds: int, state: UInt64) -> float:
    """Shake and improve a number of times, ever harder until something better is found."""
    strength = 1
    widest = max(2, min(12, int(best.sum())))
    for _ in range(rounds):
        trial = best.copy()
        shake(problem, trial, strength, state)
        fresh = improve(problem, trial)
        if fresh < value:
            value = fresh
            best[:] = trial
            strength = 1
        else:
            strength = strength + 1 if strength < widest else 1
    return value


def search(
    problem: Location, chosen: Bool, *, patience: int, until: float, seed: int
) -> tuple[Bool, float]:
    """Return the best choice met by variable neighbourhood search.

    Parameters
    ----------
    problem : Location
        The instance.
    chosen : (m,) bool
        Where to start; need not be admissible.
    patience : int
        Rounds without improvement after which to stop.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed.

    Returns
    -------
    chosen : (m,) bool
        Open sites.
    value : float
        Value.
    """
    stream = dice(seed)
    best = chosen.copy()
    complete(problem, best)
    value = improve(problem, best)
    idle = 0
    while idle < patience and time.perf_counter() < until:
        fresh = float(_rounds(problem, best, value, 4, stream))
        idle = 0 if fresh < value else idle + 4
        value = fresh
    return best, float(value)
