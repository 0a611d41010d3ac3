"""Coverage within a limit: fewest sites, most units, smallest radius, as location problems."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from catchment.optimise import lagrange, location
from catchment.optimise.location import CLOSED, OPEN, Bool, Float64, Int8

DENSE = 4000  # units or sites up to which all pairs are compared for dominance


class Cover(NamedTuple):
    """Sites that cover every unit, their total cost, and a lower bound on it."""

    chosen: Bool
    value: float
    bound: float


def undominated(covers: Bool, rent: Float64, state: Int8) -> tuple[Bool, Bool]:
    """Find the units and sites that a smallest cover has to look at.

    A unit is left out where another's sites are all among its own; a free site where another
    that costs no more covers all it covers.

    Parameters
    ----------
    covers : (n, m) bool
        Whether a site covers a unit.
    rent : (m,) float64
        Cost of an open site.
    state : (m,) int8
        Decisions.

    Returns
    -------
    units, sites : (n,) and (m,) bool
        Which to keep.
    """
    units = ~(covers & (state == OPEN)).any(axis=1)
    sites = (state != CLOSED) & ((state == OPEN) | covers[units].any(axis=0))
    for _ in range(2):
        rows, columns = np.flatnonzero(units), np.flatnonzero(sites & (state != OPEN))
        part = covers[np.ix_(rows, columns)].astype(np.float32)
        if 0 < rows.size <= DENSE:
            size = part.sum(axis=1)
            inside = (part @ part.T >= size[:, None]) & (size[:, None] <= size)
            earlier = np.arange(rows.size)[:, None] < np.arange(rows.size)
            units[rows[(inside & ((size[:, None] < size) | earlier)).any(axis=0)]] = False
            part = covers[np.ix_(np.flatnonzero(units), columns)].astype(np.float32)
        if 0 < columns.size <= DENSE:
            size = part.sum(axis=0)
            inside = part.T @ part >= size[:, None]  # all of the first is in the second
            cheaper = rent[columns][None, :] <= rent[columns][:, None]
            same = inside & inside.T & cheaper & cheaper.T
            later = np.arange(columns.size)[:, None] > np.arange(columns.size)
            sites[columns[(inside & cheaper & (~same | later)).any(axis=1)]] = False
    return units, sites


def cheapest_cover(
    covers: Bool,
    rent: Float64,
    state: Int8,
    *,
    until: float,
    enough: float = -np.inf,
    hopeless: float = np.inf,
    seed: int = 0,
) -> Cover:
    """Cover every unit by sites of least total cost.

    Parameters
    ----------
    covers : (n, m) bool
        Whether a site covers a unit; every unit has one that is not closed.
    rent : (m,) float64
        Cost of an open site, zero or more.
    state : (m,) int8
        Decisions.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    enough : float
        Stop as soon as a cover of this value or less is known.
    hopeless : float
        Covers of this value or more are of no interest; the bound proves no more than this.
    seed : int
        Seed.

    Returns
    -------
    Cover
        A cover (perhaps of no interest) with its bound.
    """
    units, sites = undominated(covers, rent, state)
    narrowed = np.where(sites, state, np.int8(CLOSED)).astype(np.int8)
    reach = covers[units] & (narrowed != CLOSED)
    costs = np.where(reach, rent, np.inf)
    cheapest = costs.min(axis=1) if reach.size else np.zeros(0)
    cap = cheapest + max(1.0, float(rent.max(initial=0.0)))
    far = np.where(reach, 0.0, np.inf)
    problem = location.make_location(far, cap, rent, narrowed, 0, covers.shape[1])
    chosen, value = location.search(
        problem, narrowed == OPEN, patience=20, until=until, seed=seed
    )  # fmt: skip
    if value <= enough:
        return Cover(chosen, value, -np.inf)
    certificate = lagrange.certify(
        problem, chosen, min(value, hopeless), until=until, target=enough, seed=seed
    )
    if certificate.value < min(value, hopeless):
        chosen, value = certificate.chosen.copy(), certificate.value
        location.complete(problem, chosen)
        value = float(location.evaluate(problem, chosen))
    return Cover(chosen, value, certificate.bound)


class Centre(NamedTuple):
    """Sites, the largest cost of a unit to its nearest, and a lower bound on it."""

    chosen: Bool
    radius: float
    bound: float


def radius_of(reach: Float64, chosen: Bool) -> float:
    """Return the largest cost of a unit to its nearest open site.

    Parameters
    ----------
    reach : (n, m) float64
        Costs, inf = not allowed.
    chosen : (m,) bool
        Open sites.

    Returns
    -------
    float
        inf where a unit has none; minus infinity without units.
    """
    if not len(reach):
        return -np.inf
    return float(reach[:, chosen].min(axis=1, initial=np.inf).max())


def smallest_radius(reach: Float64, p: int, state: Int8, *, until: float, seed: int = 0) -> Centre:
    """Choose p sites so that the farthest unit is as near as possible.

    Radii are tried by bisection; for each the question is whether p sites cover every unit.

    Parameters
    ----------
    reach : (n, m) float64
        Costs, inf = not allowed; at least one unit, each with a site that is not closed.
    p : int
        Number of open sites.
    state : (m,) int8
        Decisions.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed.

    Returns
    -------
    Centre
        The radius is inf where no choice of p sites reaches everyone (proved where the bound
        is inf too).
    """
    usable = np.where(state != CLOSED, reach, np.inf)
    radii = np.unique(usable[np.isfinite(usable)])
    low = int(np.searchsorted(radii, usable.min(axis=1).max()))  # nothing below can do
    high = radii.size  # position of the best radius known to do; one beyond: none known
    chosen = state == OPEN
    rent = np.ones(state.size)
    stuck: set[int] = set()
    while low < high and time.perf_counter() < until:
        open_ones = [at for at in _bisection(low, high) if at not in stuck]
        if not open_ones:
            break
        at = open_ones[0]
        left = until - time.perf_counter()
        share = time.perf_counter() + max(left / 3.0, min(left, 1.0))
        covers = usable <= radii[at]
        answer = cheapest_cover(
            covers, rent, state, until=min(until, share), enough=p, hopeless=p + 1.0, seed=seed
        )
        if answer.value <= p:
            chosen = answer.chosen
            high = int(np.searchsorted(radii, radius_of(usable, chosen)))
        elif answer.bound >= p + 0.9:
            low = at + 1
        else:
            stuck.add(at)
    radius = float(radii[high]) if high < radii.size else np.inf
    bound = float(radii[low]) if low < radii.size else np.inf
    return Centre(chosen, radius, min(bound, radius))


def _bisection(low: int, high: int) -> list[int]:
    """Positions to try: the middle, then the middles of the halves, and so on."""
    tried: list[int] = []
    ranges = [(low, high)]
    while ranges and len(tried) < 31:
        a, b = ranges.pop(0)
        if a < b:
            middle = (a + b) // 2
            tried.append(middle)
            ranges += [(a, middle), (middle + 1, b)]
    return tried


def most_covered(
    covers: Bool, weight: Float64, p: int, state: Int8, *, until: float, seed: int = 0
) -> Cover:
    """Choose p sites that leave the least weight uncovered.

    Parameters
    ----------
    covers : (n, m) bool
        Whether a site covers a unit.
    weight : (n,) float64
        Weights, zero or more.
    p : int
        Number of open sites.
    state : (m,) int8
        Decisions.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed.

    Returns
    -------
    Cover
        Sites, weight left uncovered and a lower bound on it.
    """
    some = weight > 0
    far = np.where(covers[some], 0.0, np.inf)
    rent = np.zeros(state.size)
    problem = location.make_location(far, weight[some], rent, state, p, p, weight[some])
    began = time.perf_counter()
    soon = began + (until - began) / 4
    chosen, value = location.search(problem, state == OPEN, patience=20, until=soon, seed=seed)
    answer = lagrange.certify(problem, chosen, value, until=until, seed=seed)
    return Cover(answer.chosen, answer.value, answer.bound)
