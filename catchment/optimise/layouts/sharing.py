"""Villages that several schools share (多校划片): who of them goes where.

A shared village belongs to the catchment of one of its schools, which at least one of its students
goes to. Small questions are solved to the end, catchments and divisions at once; in larger ones the
shared are divided first, the rest is drawn, and those without given shares are divided anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise import assignment
from catchment.optimise.contiguity import pieces
from catchment.optimise.layouts.places import Task
from catchment.optimise.layouts.weights import Cost
from catchment.optimise.wished import Asked, Shared, draw_shared, is_small
from catchment.optimise.wishes import NoPlanError, Witness
from catchment.problem import Int32

Count = npt.NDArray[np.int64]


class Divided(NamedTuple):
    """Demand and cost of what the search assigns whole, who of the shared goes where, the plan."""

    whole: npt.NDArray[np.int64]
    wanted: Cost
    parts: dict[int, dict[int, int]]
    site: Int32


def by_choice(task: Task) -> list[int]:
    """Rows of the shared villages without given shares.

    Parameters
    ----------
    task : Task
        Band and year.

    Returns
    -------
    list of int
        Rows.
    """
    row_of = {int(i): k for k, i in enumerate(task.groups)}
    return [row_of[i] for s in task.wishes.shared if not s.shares for i in s.groups if i in row_of]


def told_counts(task: Task) -> dict[int, dict[int, int]]:
    """Students of the villages with given shares at each of their schools.

    Parameters
    ----------
    task : Task
        Band and year.

    Returns
    -------
    dict of int to dict of int to int
        By row and site.

    Raises
    ------
    NoPlanError
        Where some must go to a school that they may not go to.
    """
    row_of = {int(i): k for k, i in enumerate(task.groups)}
    out: dict[int, dict[int, int]] = {}
    for shared in task.wishes.shared:
        for i in shared.groups if shared.shares else ():
            if i not in row_of:
                continue
            row = row_of[i]
            count = _by_share(np.array(shared.shares), list(shared.sites), int(task.demand[row]))
            for j, k in count.items():
                if k and not np.isfinite(task.loose[row, j]):
                    raise NoPlanError(Witness(task.band, task.t, "share", (i,), (j,), k))
            out[row] = count
    return out


def _by_share(weight: Cost, sites: list[int], total: int) -> dict[int, int]:
    """Whole students in given shares, by largest remainders."""
    exact = weight / weight.sum() * total
    part = np.floor(exact + 1e-9).astype(np.int64)
    # equal remainders are equal, whatever the last digit says: the first school first
    order = sorted(range(len(sites)), key=lambda k: (-round(float(exact[k] - part[k]), 9), k))
    for k in order[: total - int(part.sum())]:
        part[k] += 1
    return {j: int(k) for j, k in zip(sites, part, strict=True)}


def solved_at_once(
    task: Task,
    told: dict[int, dict[int, int]],
    room: Cost,
    neighbours: csr_matrix,
    home: Int32,
    *,
    time_limit: float,
    seed: int,
) -> tuple[Divided | None, bool, float] | None:
    """Draw catchments and divide the shared villages together, where the question is small.

    Parameters
    ----------
    task : Task
        Band and year.
    told : dict
        Given shares as of :func:`told_counts`.
    room : (m,) float64
        Places.
    neighbours : csr_matrix of bool
        Rows that touch.
    home : (m,) int32
        Row of each site's own village, -1 where it has none.
    time_limit : float
        Seconds.
    seed : int
        Seed of the solver.

    Returns
    -------
    plan : Divided or None
        The cheapest plan at this room.
    proved : bool
        Whether it is certain that there is none.
    seconds : float
        Time taken; None instead of all three where the question is too large.
    """
    if not is_small(task.wanted):
        return None
    main, shared, m = task.wanted.copy(), [], len(room)
    for row in [*by_choice(task), *told]:
        given = None
        if row in told:
            given = np.zeros(m)
            given[list(told[row])] = list(told[row].values())
            some = np.isfinite(main[row]) & (given > 0)
            # where an action sends it and no student of its share goes, it is counted there alone
            main[row] = np.where(some, main[row], np.inf) if some.any() else main[row]
        shared.append(Shared(row, given, task.loose[row]))
    at = np.maximum(home, 0)
    fits = (home >= 0) & np.isfinite(main[at, np.arange(m)])
    drawn, parts = draw_shared(
        main, task.demand.astype(np.float64), room, neighbours,
        np.where(fits, home, -1).astype(np.int32), task.asked(), shared,
        time_limit=time_limit, seed=seed,
    )  # fmt: skip
    if drawn.status not in ("optimal", "feasible"):
        return None, drawn.status == "infeasible", drawn.seconds
    whole, counts = task.demand.copy(), dict[int, dict[int, int]]()
    for each, part in zip(shared, parts, strict=True):
        sites = np.flatnonzero(np.isfinite(each.cost))
        counts[each.row] = {int(j): int(part[j]) for j in sites}
        whole[each.row] = int(part[drawn.site_of[each.row]])
    return Divided(whole, task.wanted, counts, drawn.site_of), False, drawn.seconds


def divisions(
    task: Task, told: dict[int, dict[int, int]], share: Count, home: Int32
) -> list[Divided]:
    """Ways to divide the shared villages before the rest is drawn.

    First as in the optimum in which every village may be divided, or as told; then, where places
    and travel decide, with nobody of them counted, so that they take what the others leave.

    Parameters
    ----------
    task : Task
        Band and year.
    told : dict
        Given shares as of :func:`told_counts`.
    share : (r, m) int64
        How many of each row go to each site where every village may be divided.
    home : (m,) int32
        Row of each site's own village, -1 where it has none.

    Returns
    -------
    list of Divided
        One or two.
    """
    none = np.zeros(0, dtype=np.int32)
    if not task.wishes.shared:
        return [Divided(task.demand, task.wanted, {}, none)]
    first = _divided(task, told, share, home)
    whole, wanted, parts = task.demand.copy(), first.wanted.copy(), dict(first.parts)
    for row in by_choice(task):
        whole[row], wanted[row] = 0, task.wanted[row]
        parts[row] = dict.fromkeys(parts[row], 0)
    whole[list(told)] = first.whole[list(told)]
    return [first, Divided(whole, wanted, parts, none)] if by_choice(task) else [first]


def _divided(task: Task, told: dict[int, dict[int, int]], share: Count, home: Int32) -> Divided:
    whole, wanted = task.demand.copy(), task.wanted.copy()
    parts: dict[int, dict[int, int]] = dict(told)
    for row in by_choice(task):
        sites = np.flatnonzero(np.isfinite(task.loose[row])).tolist()
        parts[row] = {j: int(share[row, j]) for j in sites}
    for row, count in list(parts.items()):
        open_to = [j for j in count if np.isfinite(wanted[row, j])]
        if not open_to:  # nobody lives there and it is barred everywhere: in some catchment
            parts[row] = count = dict.fromkeys(np.flatnonzero(np.isfinite(wanted[row])).tolist(), 0)
            open_to = list(count)
        some = [j for j in open_to if count[j]] or open_to
        own = [j for j in some if home[j] == row]
        first = max(own or some, key=lambda j: (count[j], -float(wanted[row, j])))
        wanted[row, np.arange(wanted.shape[1]) != first] = np.inf
        whole[row] = count[first]
    for each in task.asked().apart:
        for row in set(each) & set(parts):
            there = [j for j, k in parts[row].items() if k or row not in told]
            for other in set(each) - {row}:
                # an own village stays in its catchment: what meets there is refused afterwards
                wanted[other, [j for j in there if home[j] != other]] = np.inf
    return Divided(whole, wanted, parts, np.zeros(0, dtype=np.int32))


def taken(divided: Divided, sites: int) -> Cost:
    """Count students of shared villages who go to other sites than the one that they are drawn at.

    Parameters
    ----------
    divided : Divided
        How the shared are divided.
    sites : int
        Number of sites.

    Returns
    -------
    (m,) float64
        Students.
    """
    out = np.zeros(sites)
    for row, count in divided.parts.items():
        for j, k in count.items():
            if np.isinf(divided.wanted[row, j]):
                out[j] += k
    return out


def again(task: Task, site: Int32, divided: Divided, capacity: Count) -> Divided | None:
    """Divide the shared villages without given shares anew, in the places that the others leave.

    The division made before stays where that is not possible or breaks what is asked; None where
    it does so too, or nobody was counted in it.

    Parameters
    ----------
    task : Task
        Band and year.
    site : (r,) int32
        Plan of whole villages.
    divided : Divided
        How the shared were divided for it.
    capacity : (m,) int64
        Places.

    Returns
    -------
    Divided or None
        With the plan and its division.
    """
    free = by_choice(task)
    kept = divided._replace(site=site)
    asked = task.asked()
    if not free:
        return kept if _keeps(kept, asked) else None
    load = np.bincount(site, weights=divided.whole, minlength=len(capacity))
    for row in free:
        load[site[row]] -= divided.whole[row]
    for row in set(divided.parts) - set(free):
        for j, k in divided.parts[row].items():
            load[j] += k if j != site[row] else 0
    # one student at least goes to the school whose catchment the village is counted in
    one = np.minimum(task.demand[free], 1)
    np.add.at(load, site[free], one)
    counted = all(sum(divided.parts[row].values()) == task.demand[row] for row in free)
    for limit in (np.minimum(capacity, task.most()), task.most()):
        found = assignment.transport(
            task.loose[free], (task.demand[free] - one).astype(np.float64),
            np.maximum(limit - load, 0.0),
        )  # fmt: skip
        if found.status != "infeasible" and found.share is not None and (load <= limit).all():
            share = np.rint(np.asarray(found.share.todense())).astype(np.int64)
            parts, whole = dict(divided.parts), divided.whole.copy()
            for k, row in enumerate(free):
                share[k, site[row]] += one[k]
                parts[row] = {j: int(share[k, j]) for j in parts[row]}
                whole[row] = parts[row][int(site[row])]
            anew = kept._replace(parts=parts, whole=whole)
            if _keeps(anew, asked):
                return anew
        if counted and _keeps(kept, asked):
            return kept
    return None


def led_by_most(task: Task, plan: Divided, neighbours: csr_matrix, home: Int32) -> Divided:
    """Count shared villages with the school that most of them go to, where that can be.

    Parameters
    ----------
    task : Task
        Band and year.
    plan : Divided
        A plan.
    neighbours : csr_matrix of bool
        Rows that touch.
    home : (m,) int32
        Row of each site's own village, -1 where it has none.

    Returns
    -------
    Divided
        The same students at the same schools; no catchment falls into pieces by it.
    """
    held = {i for each in task.asked().together for i in each} | set(home.tolist())
    site, whole, m = plan.site.copy(), plan.whole.copy(), len(home)
    for row, count in plan.parts.items():
        most = max(count, key=lambda j: (count[j], -float(task.loose[row, j])))
        now = int(site[row])
        if row in held or task.fixed[row] >= 0 or count[most] <= count.get(now, 0):
            continue
        moved = site.copy()
        moved[row] = most
        before, after = pieces(site, neighbours, m), pieces(moved, neighbours, m)
        if after[most] <= max(before[most], 1) and after[now] <= before[now]:
            site, whole[row] = moved, count[most]
    return plan._replace(site=site, whole=whole)


def _keeps(plan: Divided, asked: Asked) -> bool:
    """Whether least sizes and villages apart hold, everybody counted where they go."""
    m = len(asked.least)
    load = np.bincount(plan.site, weights=plan.whole, minlength=m)
    where = {row: {int(plan.site[row])} for each in asked.apart for row in each}
    for row, count in plan.parts.items():
        main = int(plan.site[row])
        for j, k in count.items():
            load[j] += k if j != main else k - plan.whole[row]
            if k and row in where:
                where[row].add(j)
    meet = any(where[a] & where[b] for each in asked.apart for a in each for b in each if a < b)
    return bool((load >= asked.least).all()) and not meet
