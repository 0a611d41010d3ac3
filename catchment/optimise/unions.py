"""Which unit may go where, were it only to sites that one of several good plans sends it to.

Plans found independently agree on most units. A model of the rest, which keeps each of the plans'
choices open, is small enough to be solved exactly and often has a better plan than any of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catchment.optimise.annealing import Ground
from catchment.optimise.redraw import Patch, pairs

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def of_plans(ground: Ground, site: Int32, others: list[Int32], room: float) -> Bool:
    """Collect what other plans do differently, plan by plan, as far as there is room.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        The plan that is to become better.
    others : list of (n,) int32
        Other plans; the first is taken in whatever its size.
    room : float
        Choices that may be added.

    Returns
    -------
    (n, m) bool
        Choices beside those of the plan.
    """
    may = np.zeros(ground.weight.shape, dtype=bool)
    count = 0
    for other in others:
        unit = _differing(ground, site, other)
        unit = unit[~may[unit, other[unit]]]
        if count == 0 or count + unit.size <= room:
            may[unit, other[unit]] = True
            count += unit.size
    return may


def of_neighbours(
    ground: Ground, site: Int32, others: list[Int32], room: float, rng: np.random.Generator
) -> Bool:
    """Collect all that other plans do differently in a few neighbouring catchments.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        The plan that is to become better.
    others : list of (n,) int32
        Other plans.
    room : float
        Choices that may be added.
    rng : numpy.random.Generator
        Draws the catchments.

    Returns
    -------
    (n, m) bool
        Choices beside those of the plan; none where the plans are the same.
    """
    may = np.zeros(ground.weight.shape, dtype=bool)
    for other in others:
        unit = _differing(ground, site, other)
        may[unit, other[unit]] = True
    unit, to = np.nonzero(may)
    if not unit.size:
        return may
    m = ground.capacity.size
    between = np.zeros((m, m), dtype=np.int64)
    np.add.at(between, (site[unit], to), 1)
    between += between.T
    region = np.zeros(m, dtype=bool)
    region[site[unit[rng.integers(unit.size)]]] = True
    count = 0
    while True:
        more = np.where(region, 0, between[region].sum(axis=0))
        if not more.any():
            break
        j = int(np.argmax(more * rng.random(m)))
        if count and count + more[j] > room:
            break
        region[j] = True
        count += int(more[j])
    may[:, ~region] = False
    may[~region[site]] = False
    return may


def patch_of(ground: Ground, site: Int32, may: Bool) -> tuple[Patch, Bool] | None:
    """Return the part of a plan that choices concern, with these choices open.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        The plan.
    may : (n, m) bool
        Choices beside those of the plan.

    Returns
    -------
    patch : Patch
        For :func:`catchment.optimise.redraw.redraw`.
    region : (m,) bool
        Sites whose catchments may change.
        None in place of both where there is no choice.
    """
    if not may.any():
        return None
    region: Bool = np.asarray(may.any(axis=0))
    region[site[may.any(axis=1)]] = True
    patch = pairs(ground, site, region, 0)
    # the unit that holds a catchment without a home together stays, whatever other plans do
    free = np.ones(patch.units.size, dtype=bool)
    free[patch.root] = False
    allowed = (patch.pair >= 0) | (may[np.ix_(patch.units, patch.sites)] & free[:, None])
    pair: Int64 = np.full(allowed.shape, -1, dtype=np.int64)
    pair[allowed] = np.arange(int(allowed.sum()))
    return patch._replace(pair=pair), region


def _differing(ground: Ground, site: Int32, other: Int32) -> Int64:
    """Units that two plans send to different sites, both of them with units in the first."""
    filled = np.bincount(site[site >= 0], minlength=ground.capacity.size) > 0
    apart = (site != other) & (site >= 0) & (other >= 0) & (ground.fixed < 0)
    return np.flatnonzero(apart & filled[other])
