"""Arguments of location models: costs, weights, and which sites stay, close or may be chosen."""

from __future__ import annotations

import operator

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.optimise.location import CLOSED, OPEN, Int8

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


def checked_cost(cost: Float64) -> Float64:
    """Return costs as float64, or refuse them.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand, inf = not allowed.

    Returns
    -------
    (n, m) float64
        The same, C order.

    Raises
    ------
    InputError
        Where it is not two-dimensional, or holds nan or minus infinity.
    """
    cost = np.ascontiguousarray(cost, dtype=np.float64)
    if cost.ndim != 2:
        raise InputError(
            f"cost 应为二维，实为 {cost.ndim} 维 / cost must have 2 dimensions, not {cost.ndim}"
        )
    if not (cost > -np.inf).all():
        i, j = np.argwhere(~(cost > -np.inf))[0]
        raise InputError(
            f"cost 第 ({i}, {j}) 个为 {cost[i, j]}，应为数或 inf / "
            f"cost at ({i}, {j}) is {cost[i, j]}; it must be a number or inf"
        )
    return cost


def checked_numbers(
    values: Float64 | float | None,
    size: int,
    name: str,
    default: float,
    *,
    least: float = 0.0,
    endless: bool = False,
) -> Float64:
    """Return one number per unit or site as float64, or refuse them.

    Parameters
    ----------
    values : (size,) float, float or None
        A single number stands for all; None for the default.
    size : int
        How many there must be.
    name : str
        Name of the argument, for messages.
    default : float
        What None stands for.
    least : float
        Smallest number allowed.
    endless : bool
        Whether inf is allowed.

    Returns
    -------
    (size,) float64
        The numbers.

    Raises
    ------
    InputError
        Where the shape does not fit or a number is impossible.
    """
    given = np.asarray(default if values is None else values, dtype=np.float64)
    numbers = np.full(size, float(given)) if given.ndim == 0 else np.ascontiguousarray(given)
    if numbers.shape != (size,):
        raise InputError(
            f"{name} 应有 {size} 个数，实为 {numbers.shape} / "
            f"{name} needs {size} numbers, not shape {numbers.shape}"
        )
    fits = (numbers >= least) & (np.isfinite(numbers) | endless)
    bad = np.flatnonzero(~fits)
    if bad.size:
        zh = "应为有限的数" if least == -np.inf else f"应为不小于 {least:g} 的数"
        en = "a finite number" if least == -np.inf else f"{least:g} or more"
        raise InputError(
            f"{name} 第 {bad[0]} 个为 {numbers[bad[0]]}，{zh} / "
            f"{name} at position {bad[0]} is {numbers[bad[0]]}; it must be {en}"
        )
    return numbers


def site_states(m: int, fixed: Bool | None, forbidden: Bool | None) -> Int8:
    """Return for each site whether it is closed, free or open from the start.

    Parameters
    ----------
    m : int
        Number of sites.
    fixed, forbidden : (m,) bool, optional
        Sites that must be open, and that must not.

    Returns
    -------
    (m,) int8
        ``CLOSED``, ``FREE`` or ``OPEN`` of :mod:`catchment.optimise.location`.

    Raises
    ------
    InputError
        Where a mask is not boolean, does not fit, or a site is in both.
    """
    state = np.zeros(m, dtype=np.int8)
    stay, closed = _mask(fixed, m, "fixed"), _mask(forbidden, m, "forbidden")
    both = np.flatnonzero(stay & closed)
    if both.size:
        raise InputError(
            f"学校 {both.tolist()} 同时要求保留（fixed）和关闭（forbidden），请去掉其一 / "
            f"sites {both.tolist()} are both fixed and forbidden; take them out of one of the masks"
        )
    state[stay] = OPEN
    state[closed] = CLOSED
    return state


def _mask(mask: Bool | None, m: int, name: str) -> Bool:
    if mask is None:
        return np.zeros(m, dtype=bool)
    given = np.asarray(mask)
    if given.dtype != np.bool_:
        raise InputError(
            f"{name} 应为布尔数组（每个学校 True 或 False），实为 {given.dtype}；"
            f"0/1 整数请用 {name}.astype(bool)，序号请先转为布尔数组 / "
            f"{name} must be a boolean mask with one entry a site, not {given.dtype}; "
            f"use {name}.astype(bool) for 0/1 numbers and build a mask from positions"
        )
    if given.shape != (m,):
        raise InputError(
            f"{name} 应有 {m} 个，实为 {given.shape} / {name} needs {m} entries, not {given.shape}"
        )
    return given


def checked_count(p: int, m: int) -> int:
    """Return the number of sites to open, or refuse it.

    Parameters
    ----------
    p : int
        Number of sites to open.
    m : int
        Number of sites.

    Returns
    -------
    int
        The same.

    Raises
    ------
    InputError
        Where it is not a whole number from 1 to m.
    """
    try:
        count = operator.index(p)
    except TypeError:
        count = -1
    if isinstance(p, bool) or not 1 <= count <= m:
        raise InputError(
            f"p 应为 1 至 {m} 的整数（学校数），实为 {p!r} / "
            f"p must be a whole number of sites from 1 to {m}, not {p!r}"
        )
    return count


def checked_seconds(time_limit: float) -> float:
    """Return the time limit, or refuse it.

    Parameters
    ----------
    time_limit : float
        Seconds.

    Returns
    -------
    float
        The same.

    Raises
    ------
    InputError
        Where it is not above zero.
    """
    if not time_limit > 0:
        raise InputError(f"time_limit 应大于 0，实为 {time_limit} / time_limit must be above 0")
    return float(time_limit)
