"""Which sites to open: medians, centres, coverage, covers and capacitated location.

All five answer with a plan and a proved bound. Sites that must stay open (``fixed``) and sites
that must not be open (``forbidden``) are boolean masks. ``optimal`` means that objective and
bound are equal up to rounding: 1e-9 of the objective, 1e-7 where the solver had to settle what
was left (units that may not be split, least loads).
"""

from __future__ import annotations

import functools
import time

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.optimise import capacitated as sized
from catchment.optimise import covering, expanding, lagrange, location, witness
from catchment.optimise.candidates import (
    checked_cost,
    checked_count,
    checked_numbers,
    checked_seconds,
    site_states,
)
from catchment.optimise.location import CLOSED, OPEN, Int8
from catchment.optimise.seating import Question
from catchment.optimise.solution import Solution, Status

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


def p_median(
    cost: Float64,
    weight: Float64 | None,
    p: int,
    *,
    fixed: Bool | None = None,
    forbidden: Bool | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> Solution:
    """Open exactly p sites so that the weighted cost to the nearest open site is least.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of weight of i at j, inf = not allowed.
    weight : (n,) float or None
        Weight of each unit, zero or more; None for 1 each. Units without weight go to their
        nearest open site and need not have one.
    p : int
        Number of open sites, those in ``fixed`` among them.
    fixed, forbidden : (m,) bool, optional
        Sites that must be open, and that must not.
    time_limit : float
        Seconds.
    seed : int
        Seed of the search.

    Returns
    -------
    Solution
        ``objective`` is the sum of weight x cost, ``bound`` a lower bound on it.

    Raises
    ------
    InputError
        Where shapes do not fit, a number is impossible or a mask is not boolean.
    """
    began = time.perf_counter()
    cost = checked_cost(cost)
    n, m = cost.shape
    weight = checked_numbers(weight, n, "weight", 1.0)
    p, state = checked_count(p, m), site_states(m, fixed, forbidden)
    until = _until(time_limit)
    some = weight > 0
    said = _too_many(state, p) or _alone(cost, some, state)
    if said:
        return _none(n, m, said, began, seed)
    whole = weight[some, None] * cost[some]
    chosen = _reaching(cost[some], state, p, until, seed)
    if isinstance(chosen, list):
        return _none(n, m, chosen, began, seed)
    base = whole.min(axis=1)
    far = whole - base[:, None]
    refusal = float(np.where(np.isfinite(far), far, 0.0).max(axis=1).sum()) + 1.0
    # A plan that leaves someone unserved costs more than any plan that serves everyone.
    ceiling = np.full(len(far), np.ceil(refusal))
    problem = location.make_location(far, ceiling, np.zeros(m), state, p, p, weight[some])
    soon = time.perf_counter() + (until - time.perf_counter()) / 4
    start, value = location.search(problem, chosen, patience=20, until=soon, seed=seed)
    answer = lagrange.certify(problem, start, value, until=until, seed=seed)
    site_of = _nearest(cost, answer.chosen)
    if (site_of[some] < 0).any():
        return _unknown(n, m, _seconds(began), seed)
    objective = _total(cost, weight, site_of)
    proved = answer.bound >= answer.value
    bound = objective if proved else min(objective, answer.bound + float(base.sum()))
    return _found(answer.chosen, site_of, objective, bound, proved, began, seed)


def p_center(
    cost: Float64,
    p: int,
    *,
    weight: Float64 | None = None,
    fixed: Bool | None = None,
    forbidden: Bool | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> Solution:
    """Open exactly p sites so that the farthest unit is as near as possible to an open site.

    Parameters
    ----------
    cost : (n, m) float
        Cost of i at j, inf = not allowed.
    p : int
        Number of open sites, those in ``fixed`` among them.
    weight : (n,) float, optional
        Factors of the costs, zero or more; 1 each by default. Units of weight zero are left out
        of the question.
    fixed, forbidden : (m,) bool, optional
        Sites that must be open, and that must not.
    time_limit : float
        Seconds.
    seed : int
        Seed of the search.

    Returns
    -------
    Solution
        ``objective`` is the largest weight x cost of a unit at its nearest open site, ``bound``
        a lower bound on it. Without any unit that counts both are 0.

    Raises
    ------
    InputError
        Where shapes do not fit, a number is impossible or a mask is not boolean.
    """
    began = time.perf_counter()
    cost = checked_cost(cost)
    n, m = cost.shape
    weight = checked_numbers(weight, n, "weight", 1.0)
    p, state = checked_count(p, m), site_states(m, fixed, forbidden)
    until = _until(time_limit)
    some = weight > 0
    said = _too_many(state, p) or _alone(cost, some, state)
    if said:
        return _none(n, m, said, began, seed)
    if not some.any():
        chosen = _filled(state == OPEN, state, p)
        return _found(chosen, _nearest(cost, chosen), 0.0, 0.0, True, began, seed)
    reach = weight[some, None] * cost[some]
    answer = covering.smallest_radius(reach, p, state, until=until, seed=seed)
    if np.isinf(answer.radius):
        if np.isinf(answer.bound):
            return _none(n, m, _few_sites(p), began, seed)
        return _unknown(n, m, _seconds(began), seed)
    chosen = _filled(answer.chosen, state, p)
    objective = covering.radius_of(reach, chosen)
    bound = min(answer.bound, objective)
    return _found(
        chosen, _nearest(cost, chosen), objective, bound, bound >= objective, began, seed
    )  # fmt: skip


def max_coverage(
    cost: Float64,
    weight: Float64 | None,
    p: int,
    limit: Float64 | float,
    *,
    fixed: Bool | None = None,
    forbidden: Bool | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> Solution:
    """Open exactly p sites so that the weight within the limit of an open site is greatest.

    Parameters
    ----------
    cost : (n, m) float
        Cost of i at j, inf = not allowed.
    weight : (n,) float or None
        Weight of each unit, zero or more; None for 1 each.
    p : int
        Number of open sites, those in ``fixed`` among them.
    limit : float or (n,) float
        A unit is covered where the cost to an open site is at most this.
    fixed, forbidden : (m,) bool, optional
        Sites that must be open, and that must not.
    time_limit : float
        Seconds.
    seed : int
        Seed of the search.

    Returns
    -------
    Solution
        The one model that maximises: ``objective`` is the covered weight and ``bound`` an UPPER
        bound on it (``bound >= objective``). ``site_of`` is the nearest open site of each covered
        unit, -1 for the others.

    Raises
    ------
    InputError
        Where shapes do not fit, a number is impossible or a mask is not boolean.
    """
    began = time.perf_counter()
    cost = checked_cost(cost)
    n, m = cost.shape
    weight = checked_numbers(weight, n, "weight", 1.0)
    limit = checked_numbers(limit, n, "limit", np.inf, least=-np.inf, endless=True)
    p, state = checked_count(p, m), site_states(m, fixed, forbidden)
    until = _until(time_limit)
    said = _too_many(state, p)
    if said:
        return _none(n, m, said, began, seed)
    covers = _within(cost, limit)
    answer = covering.most_covered(covers, weight, p, state, until=until, seed=seed)
    site_of = _nearest(np.where(covers, cost, np.inf), answer.chosen)
    objective = float(weight[site_of >= 0].sum())
    proved = answer.bound >= answer.value
    bound = objective if proved else max(objective, float(weight.sum()) - answer.bound)
    return _found(answer.chosen, site_of, objective, bound, proved, began, seed)


def set_cover(
    cost: Float64,
    limit: Float64 | float,
    *,
    weight: Float64 | None = None,
    fixed_cost: Float64 | float | None = None,
    fixed: Bool | None = None,
    forbidden: Bool | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> Solution:
    """Open the fewest (or cheapest) sites that have every unit within the limit of one.

    Parameters
    ----------
    cost : (n, m) float
        Cost of i at j, inf = not allowed.
    limit : float or (n,) float
        A unit is covered where the cost to an open site is at most this.
    weight : (n,) float, optional
        Units of weight zero need not be covered; all need by default.
    fixed_cost : (m,) float or float, optional
        Cost of an open site, zero or more; 1 each by default, so that sites are counted.
    fixed, forbidden : (m,) bool, optional
        Sites that must be open (and are paid for), and that must not be open.
    time_limit : float
        Seconds.
    seed : int
        Seed of the search.

    Returns
    -------
    Solution
        ``objective`` is the sum of ``fixed_cost`` of the open sites, ``bound`` a lower bound on
        it. ``site_of`` is the nearest open site of each covered unit, -1 for the others.

    Raises
    ------
    InputError
        Where shapes do not fit, a number is impossible or a mask is not boolean.
    """
    began = time.perf_counter()
    cost = checked_cost(cost)
    n, m = cost.shape
    weight = checked_numbers(weight, n, "weight", 1.0)
    limit = checked_numbers(limit, n, "limit", np.inf, least=-np.inf, endless=True)
    rent = checked_numbers(fixed_cost, m, "fixed_cost", 1.0)
    state = site_states(m, fixed, forbidden)
    until = _until(time_limit)
    some = weight > 0
    covers = _within(cost, limit)
    said = _alone(np.where(covers, cost, np.inf), some, state, within=True)
    if said:
        return _none(n, m, said, began, seed)
    answer = covering.cheapest_cover(covers[some], rent, state, until=until, seed=seed)
    site_of = _nearest(np.where(covers, cost, np.inf), answer.chosen)
    objective = float(rent[answer.chosen].sum())
    proved = answer.bound >= answer.value
    bound = objective if proved else min(objective, answer.bound)
    return _found(answer.chosen, site_of, objective, bound, proved, began, seed)


def capacitated(
    cost: Float64,
    demand: Float64,
    capacity: Float64,
    fixed_cost: Float64 | float | None,
    *,
    p: int | None = None,
    single_source: bool = False,
    min_load: Float64 | float | None = None,
    fixed: Bool | None = None,
    forbidden: Bool | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> Solution:
    """Open sites and assign all demand within their capacities at least total cost.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand of i at j, inf = not allowed.
    demand : (n,) float
        Demand of each unit, zero or more.
    capacity : (m,) float
        Places of each site when open, inf = no limit.
    fixed_cost : (m,) float, float or None
        Cost of an open site; None for none.
    p : int, optional
        Open exactly so many sites; as many as are worth it by default.
    single_source : bool
        Whether each unit goes whole to one site; otherwise its demand may be split.
    min_load : (m,) float or float, optional
        Least demand of an open site; none by default.
    fixed, forbidden : (m,) bool, optional
        Sites that must be open, and that must not.
    time_limit : float
        Seconds.
    seed : int
        Seed of the search.

    Returns
    -------
    Solution
        ``objective`` is the sum of demand x cost plus the fixed costs of the open sites, ``bound``
        a lower bound on it; ``share`` holds the split unless ``single_source``. Units without
        demand go to their nearest open site.

    Raises
    ------
    InputError
        Where shapes do not fit, a number is impossible or a mask is not boolean.
    """
    began = time.perf_counter()
    cost = checked_cost(cost)
    n, m = cost.shape
    demand = checked_numbers(demand, n, "demand", 1.0)
    capacity = checked_numbers(capacity, m, "capacity", np.inf, endless=True)
    rent = checked_numbers(fixed_cost, m, "fixed_cost", 0.0, least=-np.inf)
    floor = checked_numbers(min_load, m, "min_load", 0.0)
    state = site_states(m, fixed, forbidden)
    if p is not None:
        p = checked_count(p, m)
    if not isinstance(single_source, bool | np.bool_):
        raise InputError(
            f"single_source 应为 True 或 False，实为 {single_source!r} / "
            "single_source must be True or False"
        )
    until = _until(time_limit, sized=True)
    said = _too_many(state, p) if p is not None else []
    if said:
        return _none(n, m, said, began, seed)
    question = Question(
        cost, demand, capacity, rent, floor, state, p, bool(single_source)
    )  # fmt: skip
    answer = sized.solve(question, until=until, seed=seed)
    if answer.chosen is None:
        if answer.said:
            return _none(n, m, answer.said, began, seed)
        return _unknown(n, m, _seconds(began), seed, bound=answer.bound)
    site_of = np.where(demand > 0, answer.site_of, _nearest(cost, answer.chosen)).astype(np.int32)
    proved = answer.bound >= answer.value - 1e-7 * max(1.0, abs(answer.value))
    return Solution(
        open=answer.chosen,
        site_of=site_of,
        share=None if single_source else answer.share,
        objective=answer.value,
        bound=min(answer.bound, answer.value),
        status="optimal" if proved else "feasible",
        seconds=time.perf_counter() - began,
        seed=seed,
    )


def expanded(
    cost: Float64,
    demand: Float64,
    capacity: Float64,
    fixed_cost: Float64 | float | None,
    *,
    room_places: Float64 | float,
    room_cost: Float64 | float,
    rooms_most: npt.NDArray[np.integer] | int,
    p: int | None = None,
    single_source: bool = False,
    min_load: Float64 | float | None = None,
    fixed: Bool | None = None,
    forbidden: Bool | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> Solution:
    """Open sites and add whole classrooms to open ones, at least total cost.

    A school that stands is a site in ``fixed`` (or one with a rent of running it); a candidate is
    a site with a fixed cost of building. Adding rooms to the one is so weighed against building
    the other.

    Parameters
    ----------
    cost : (n, m) float
        Cost of one unit of demand of i at j, inf = not allowed.
    demand : (n,) float
        Demand of each unit, zero or more.
    capacity : (m,) float
        Places of each site when open, without rooms added.
    fixed_cost : (m,) float, float or None
        Cost of an open site; None for none.
    room_places : (m,) float or float
        Places of one classroom added.
    room_cost : (m,) float or float
        Cost of one, zero or more.
    rooms_most : (m,) int or int
        Most classrooms added to each site.
    p, single_source, min_load, fixed, forbidden, time_limit, seed
        As of :func:`capacitated`.

    Returns
    -------
    Solution
        As of :func:`capacitated`; ``rooms`` are the classrooms added, none at closed sites, and
        ``objective`` holds their cost.

    Raises
    ------
    InputError
        Where shapes do not fit, a number is impossible or a mask is not boolean.
    """
    began = time.perf_counter()
    cost = checked_cost(cost)
    n, m = cost.shape
    most = checked_numbers(np.asarray(rooms_most, dtype=np.float64), m, "rooms_most", 0.0)
    if (most != np.rint(most)).any() or (most > 1e6).any():
        raise InputError(
            "rooms_most 应为不大于一百万的整数 / must be whole numbers up to a million"
        )
    growth = expanding.Growth(
        checked_numbers(room_places, m, "room_places", 0.0),
        checked_numbers(room_cost, m, "room_cost", 0.0),
        most.astype(np.int32),
    )
    state = site_states(m, fixed, forbidden)
    count = None if p is None else checked_count(p, m)
    said = _too_many(state, count) if count is not None else []
    if said:
        return _none(n, m, said, began, seed)
    question = Question(
        cost,
        checked_numbers(demand, n, "demand", 1.0),
        checked_numbers(capacity, m, "capacity", np.inf),
        checked_numbers(fixed_cost, m, "fixed_cost", 0.0, least=-np.inf),
        checked_numbers(min_load, m, "min_load", 0.0),
        state,
        count,
        bool(single_source),
    )
    answer = expanding.solve(question, growth, until=_until(time_limit, sized=True), seed=seed)
    if answer.chosen is None:
        if answer.said:
            return _none(n, m, answer.said, began, seed)
        return _unknown(n, m, _seconds(began), seed, bound=answer.bound)
    served = question.demand > 0
    proved = answer.bound >= answer.value - 1e-7 * max(1.0, abs(answer.value))
    return Solution(
        open=answer.chosen,
        site_of=np.where(served, answer.site_of, _nearest(cost, answer.chosen)).astype(np.int32),
        share=None if single_source else answer.share,
        objective=answer.value,
        bound=min(answer.bound, answer.value),
        status="optimal" if proved else "feasible",
        seconds=_seconds(began),
        seed=seed,
        rooms=answer.rooms,
    )


def _until(time_limit: float, *, sized: bool = False) -> float:
    """Return when to stop; compiling, once on a machine, is not counted."""
    seconds = checked_seconds(time_limit)
    if sized:
        _compile_sized()
    else:
        _compile()
    return time.perf_counter() + seconds


@functools.cache
def _compile() -> None:
    """Run a question of three units through all compiled parts."""
    far = np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0], [4.0, 3.0, 0.0]])
    state = np.zeros(3, dtype=np.int8)
    problem = location.make_location(far, np.full(3, 9.0), np.zeros(3), state, 1, 1)
    chosen, value = location.search(problem, state == OPEN, patience=4, until=np.inf, seed=0)
    lagrange.certify(problem, chosen, value, until=np.inf)


@functools.cache
def _compile_sized() -> None:
    """Run the same with places, for units that may be split and units that may not."""
    cost = np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0], [4.0, 3.0, 0.0]])
    ones, state = np.ones(3), np.zeros(3, dtype=np.int8)
    for whole in (False, True):
        question = Question(cost, ones, 2 * ones, ones, 0 * ones, state, None, whole)
        sized.solve(question, until=np.inf, few=0)


def _within(cost: Float64, limit: Float64) -> Bool:
    covers: Bool = np.isfinite(cost) & (cost <= limit[:, None])
    return covers


def _nearest(cost: Float64, chosen: Bool) -> Int32:
    """Site of least cost among the open ones, the lowest position among equals, -1 for none."""
    n = len(cost)
    site_of = np.full(n, -1, dtype=np.int32)
    where = np.flatnonzero(chosen)
    if where.size and n:
        part = cost[:, where]
        best = part.argmin(axis=1)
        some = np.isfinite(part[np.arange(n), best])
        site_of[some] = where[best[some]]
    return site_of


def _total(cost: Float64, weight: Float64, site_of: Int32) -> float:
    some = np.flatnonzero((weight > 0) & (site_of >= 0))
    return float((weight[some] * cost[some, site_of[some]]).sum())


def _filled(chosen: Bool, state: Int8, p: int) -> Bool:
    """Open further free sites, lowest positions first, up to p."""
    full = chosen.copy()
    spare = np.flatnonzero(~full & (state != CLOSED))
    full[spare[: p - int(full.sum())]] = True
    return full


def _reaching(
    cost: Float64, state: Int8, p: int, until: float, seed: int
) -> Bool | list[witness.Said]:
    """Return sites to start from, or the proof that no p sites reach every unit."""
    start: Bool = state == OPEN
    covers = np.isfinite(cost)
    if covers[:, state != CLOSED].all():
        return start
    cover = covering.cheapest_cover(
        covers, np.ones(state.size), state, until=until, enough=p, hopeless=p + 1.0, seed=seed
    )  # fmt: skip
    if cover.value > p and cover.bound >= p + 0.9:
        return _few_sites(p)
    return cover.chosen if cover.value <= p else start


def _few_sites(p: int) -> list[witness.Said]:
    return [
        (
            f"任选 {p} 所学校都不能使每个单元有可去的学校（已证明），请增加 p 或放宽限制",
            (
                f"no choice of {p} sites gives every unit a site it may go to (proved); "
                "raise p or relax the limits"
            ),
        )
    ]


def _too_many(state: Int8, p: int) -> list[witness.Said]:
    """Say where the masks leave too few sites, or keep too many."""
    stay, usable = np.flatnonzero(state == OPEN), np.flatnonzero(state != CLOSED)
    if stay.size > p:
        where = witness.listed(stay)
        return [
            (
                f"要求保留的学校 {where} 有 {stay.size} 所，多于 p = {p}",
                f"fixed sites {where} number {stay.size}, more than p = {p}",
            )
        ]
    if usable.size < p:
        where = witness.listed(np.flatnonzero(state == CLOSED))
        return [
            (
                f"除关闭的学校 {where} 外只有 {usable.size} 所可开，少于 p = {p}",
                (
                    f"without the forbidden sites {where} only {usable.size} can be open, "
                    f"fewer than p = {p}"
                ),
            )
        ]
    return []


def _alone(cost: Float64, some: Bool, state: Int8, *, within: bool = False) -> list[witness.Said]:
    """Name units that no site serves which may be open."""
    reached = np.isfinite(cost[:, state != CLOSED]).any(axis=1)
    alone = np.flatnonzero(some & ~reached)
    if not alone.size:
        return []
    where = witness.listed(alone)
    zh, en = ("限值内", " within the limit") if within else ("", "")
    return [
        (
            f"单元 {where}（共 {alone.size} 个）{zh}没有可去的学校",
            f"units {where} ({alone.size}) can reach no site{en} that may be open",
        )
    ]


def _seconds(began: float) -> float:
    return time.perf_counter() - began


def _found(
    chosen: Bool,
    site_of: Int32,
    objective: float,
    bound: float,
    proved: bool,
    began: float,
    seed: int,
) -> Solution:
    status: Status = "optimal" if proved else "feasible"
    return Solution(chosen, site_of, None, objective, bound, status, _seconds(began), seed)


def _none(n: int, m: int, said: list[witness.Said], began: float, seed: int) -> Solution:
    return Solution(
        np.zeros(m, dtype=bool), np.full(n, -1, dtype=np.int32), None, np.nan, np.nan,
        "infeasible", _seconds(began), seed, witness.joined(said),
    )  # fmt: skip


def _unknown(n: int, m: int, seconds: float, seed: int, *, bound: float = np.nan) -> Solution:
    reason = (
        "在时限内没有找到方案，也没有证明无解，请加长 time_limit / "
        "no plan was found within the time limit, nor proved impossible; raise time_limit"
    )
    return Solution(
        np.zeros(m, dtype=bool), np.full(n, -1, dtype=np.int32), None, np.nan, bound,
        "unknown", seconds, seed, reason,
    )  # fmt: skip
