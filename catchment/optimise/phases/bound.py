"""A lower bound on every plan: prices for the students, one small question a site.

The rule that every village-band is somewhere in every year is replaced by a price; so are the
yearly limits on closures and moves, added up over the years, and the rule that a village which
has moved stays where it is. What is left falls apart into one question a site: in which years does
it teach what, with how many classes, and which villages are worth having at these prices? That a
school which teaches on keeps part of its children is asked of every site and year by itself. A year
in a given state is answered from above (never less than its true gain), the way through the states,
which lead in one direction, exactly; so the sum is a valid bound for any prices of the right sign,
however they were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.decode import Decision
from catchment.optimise.phases.relaxed import evaluate
from catchment.optimise.phases.siteyears import Parts, owners

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


IDLE, SHORTER, MEMORY = 15, 0.7, 0.7
"""Steps without a better bound until they become shorter, by how much, and how long they last."""
SHARPEN, SHARP_PULL = 0.02, 0.06
"""Length of the step below which villages are taken whole, and the length to go on with."""
SHORTEST, AGAIN = 1e-3, 0.03
"""Length below which nothing is gained any more, and the length to begin again with."""


@dataclass
class Prices:
    """Prices, and the best bound they have given so far.

    Attributes
    ----------
    unit : (u, t) float64
        Price of serving a unit in a year.
    pace : (2, t) float64
        Prices of closures and of moves up to each year, 0 or more.
    link : (k, t) float64
        Prices, 0 or more, of a unit that leaves a site it has moved to, or comes back to its old
        one, between a year and the next.
    best : float
        Best bound, the first year included.
    done : bool
        Whether no step is left to take: the relaxed plan keeps every rule that has a price.
    """

    unit: Float64
    pace: Float64
    link: Float64
    best: float = -np.inf
    best_at: tuple[Float64, ...] | None = None
    smooth: tuple[Float64, ...] | None = None
    pull: float = 1.0
    whole: bool = False
    idle: int = 0
    done: bool = False


def first_prices(model: Model, parts: Parts, decision: Decision) -> Prices:
    """Prices from a plan: every unit bears its trip and its share of classes and sites.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Site-years.
    decision : Decision
        A plan.

    Returns
    -------
    Prices
        Prices to begin with.
    """
    units, per, years = parts.students.shape
    m, bands = parts.start.shape[0], parts.start.shape[1] - 1
    price = np.zeros((units, years))
    owner = owners(model, parts)
    site = np.full((units, years), -1, dtype=np.int64)
    value = np.zeros((units, years))
    band_of = np.zeros(units, dtype=np.int64)
    for j in range(m):
        for b in range(bands):
            for k in range(parts.start[j, b], parts.start[j, b + 1]):
                u = parts.unit[k]
                band_of[u] = b
                i, lag = owner[u]
                o, when = int(decision[0][i]), int(decision[1][i])
                moved = (np.arange(years) >= when + lag) & (o >= 0)
                target = int(model.site[o]) if o >= 0 else -1
                mine = (moved & (j == target)) | (~moved & (j == model.today[i]))
                mine &= parts.students[u].sum(axis=0) > 0
                site[u, mine] = j
                value[u, mine] = np.where(
                    np.isfinite(parts.value[k, mine]), parts.value[k, mine], 0
                )
    load = np.zeros((m, bands, per, years))
    for u in range(units):
        for t in range(1, years):
            if site[u, t] >= 0:
                load[site[u, t], band_of[u], :, t] += parts.students[u, :, t]
    size = np.maximum(parts.size, 1)[:, :, :, None]
    classes = np.ceil(load / size) * parts.yuan[0]
    taught = load.sum(axis=2).sum(axis=1)
    for u in range(units):
        for t in range(1, years):
            j = site[u, t]
            if j < 0:
                continue
            mine = parts.students[u, :, t]
            share = mine / np.maximum(load[j, band_of[u], :, t], 1)
            price[u, t] = value[u, t] + float((share * classes[j, band_of[u], :, t]).sum())
            price[u, t] += mine.sum() / taught[j, t] * (parts.rent[j, t] + parts.yuan[1, t])
    link = np.zeros((len(parts.unit), years))
    return Prices(price, np.zeros((2, years)), link)


def kept(prices: Prices) -> tuple[Float64, ...]:
    """Return the best prices so far, to be kept for another day.

    Parameters
    ----------
    prices : Prices
        Prices.

    Returns
    -------
    tuple of ndarray
        Of units, pace and links.
    """
    now = (prices.unit, prices.pace, prices.link)
    return now if prices.best_at is None else prices.best_at


def remembered(parts: Parts, arrays: tuple[Float64, ...]) -> Prices | None:
    """Take up prices that were kept.

    Parameters
    ----------
    parts : Parts
        Site-years.
    arrays : tuple of ndarray
        As :func:`kept` gave them.

    Returns
    -------
    Prices or None
        None where they are of another question.
    """
    units, _, years = parts.students.shape
    shapes = [(units, years), (2, years), (len(parts.unit), years)]
    if [a.shape for a in arrays] != shapes or not all(np.isfinite(a).all() for a in arrays):
        return None
    active = _active(parts)
    # Prices have a sign, and none where they stand for no rule.
    unit, pace, link = (np.where(a, x, 0.0) for a, x in zip(active, arrays, strict=True))
    return Prices(unit, np.maximum(pace, 0.0), np.maximum(link, 0.0), pull=0.1)


def improve(
    model: Model,
    parts: Parts,
    prices: Prices,
    target: float,
    rounds: int,
    *,
    whole: bool | None = None,
) -> float:
    """Turn the prices towards a better bound.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Site-years.
    prices : Prices
        Changed: best prices and bound are kept in it.
    target : float
        Yuan of the best plan known.
    rounds : int
        Steps.
    whole : bool, optional
        Whether villages are taken whole within one grade's classes: sharper, and ten times as
        slow. By default from when the steps have become short.

    Returns
    -------
    float
        The best bound so far.
    """
    units, _, years = parts.students.shape
    m, entries = len(parts.sites), len(parts.unit)
    used, closed, moved = np.zeros((units, years)), np.zeros((m, years)), np.zeros(years)
    stays = np.zeros((entries, years))
    active = _active(parts)
    pace = np.where(active[1], parts.pace, 0.0)
    sign = np.where(parts.away, 1.0, -1.0)[:, None]
    compiled: Any = evaluate
    # A price is of a whole unit, so those of large villages are larger, and their steps too.
    large = np.sqrt(np.maximum(parts.students.sum(axis=1), 1.0))
    scale = (large, np.array([1.0, 1e-2])[:, None], large[parts.unit])
    for _ in range(rounds):
        if not prices.whole and prices.pull < SHARPEN:
            prices.whole, prices.pull, prices.smooth = True, SHARP_PULL, None
        sharp = prices.whole if whole is None else whole
        now: tuple[Float64, ...] = (prices.unit, prices.pace, prices.link)
        value = model.fixed_cost + compiled(*parts, *now, sharp, used, closed, moved, stays)
        # What adding up so many prices may have rounded away is no part of the bound.
        value -= _rounding(now)
        prices.idle = 0 if value > prices.best + 1e-7 * abs(target) else prices.idle + 1
        if value > prices.best:
            prices.best, prices.best_at = value, now
        if prices.idle >= IDLE and prices.best_at is not None:
            prices.pull, prices.idle = prices.pull * SHORTER, 0
            if prices.pull < SHORTEST:
                prices.pull = AGAIN
            now, prices.smooth = prices.best_at, None
        slope = (
            1.0 - used,
            np.stack([closed.sum(axis=0), moved]) - pace,
            sign * (stays - np.roll(stays, -1, axis=1)),
        )
        turned = tuple(
            np.where(a, x, 0.0) * z for a, x, z in zip(active, slope, scale, strict=True)
        )
        if prices.smooth is None:
            prices.smooth = turned
        else:
            prices.smooth = tuple(
                MEMORY * a + (1.0 - MEMORY) * b for a, b in zip(prices.smooth, turned, strict=True)
            )
        length = float(sum((x**2).sum() for x in prices.smooth))
        if length < 1e-12:
            prices.done = sharp
            if sharp:
                break
            prices.whole, prices.smooth = True, None
            continue
        step = prices.pull * max(target - value, 1e-3 * abs(target)) / length
        new = [p + step * x * z for p, x, z in zip(now, prices.smooth, scale, strict=True)]
        prices.unit = new[0]
        prices.pace, prices.link = (np.maximum(x, 0.0) for x in new[1:])
    return prices.best


def _rounding(prices: tuple[Float64, ...]) -> float:
    """Most that a sum of these prices may be wrong by in double precision."""
    return float(sum(np.finfo(np.float64).eps * p.size * np.abs(p).sum() for p in prices))


def _active(parts: Parts) -> tuple[Bool, ...]:
    """Where each kind of price stands for a rule at all."""
    there = parts.students.sum(axis=1) > 0
    there[:, 0] = False
    limited = np.isfinite(parts.pace)
    limited[:, 0] = False
    may = np.isfinite(parts.value)
    may[:, 0] = False
    link = np.zeros_like(may)
    # A unit that has moved stays; the one that has left today's site does not come back. Both
    # bind from one year to the next where it has students in both and may be there in both.
    link[:, :-1] = may[:, :-1] & may[:, 1:]
    return there, limited, link
