"""Villages that several schools share (多校划片): who of them goes where."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise import assignment
from catchment.optimise.layouts.places import Task
from catchment.optimise.layouts.weights import Cost
from catchment.problem import Int32


class Divided(NamedTuple):
    """Demand and cost of what the search assigns whole, who of the shared goes where, the plan."""

    whole: npt.NDArray[np.int64]
    wanted: Cost
    parts: dict[int, dict[int, int]]
    site: Int32


def divisions(task: Task, share: npt.NDArray[np.int64]) -> list[Divided]:
    """Ways to divide the shared villages before the rest is drawn.

    First as in the optimum in which every village may be divided, or as told; then, where places
    and travel decide, with nobody of them counted, so that they take what the others leave.

    Parameters
    ----------
    task : Task
        Band and year.
    share : (r, m) int64
        How many of each row go to each site where every village may be divided.

    Returns
    -------
    list of Divided
        One or two.
    """
    none = np.zeros(0, dtype=np.int32)
    if not task.wishes.shared:
        return [Divided(task.demand, task.wanted, {}, none)]
    first = _divided(task, share)
    whole, wanted, parts = task.demand.copy(), first.wanted.copy(), dict(first.parts)
    for row in by_choice(task):
        whole[row], wanted[row] = 0, task.wanted[row]
        parts[row] = dict.fromkeys(parts[row], 0)
    told = [row for row in parts if row not in by_choice(task)]
    whole[told] = first.whole[told]
    return [first, Divided(whole, wanted, parts, none)] if by_choice(task) else [first]


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


def _divided(task: Task, share: npt.NDArray[np.int64]) -> Divided:
    whole, wanted = task.demand.copy(), task.wanted.copy()
    parts: dict[int, dict[int, int]] = {}
    row_of = {int(i): k for k, i in enumerate(task.groups)}
    for shared in task.wishes.shared:
        for i in shared.groups:
            if i not in row_of:
                continue
            row = row_of[i]
            sites = [j for j in shared.sites if np.isfinite(wanted[row, j])]
            count = {j: int(share[row, j]) for j in sites}
            if shared.shares:
                weight = np.array([shared.shares[shared.sites.index(j)] for j in sites])
                count = _by_share(weight, sites, int(task.demand[row]))
            first = max(sites, key=lambda j: (count[j], -float(wanted[row, j])))
            wanted[row, [j for j in sites if j != first]] = np.inf
            whole[row] = count[first]
            parts[row] = count
    return Divided(whole, wanted, parts, np.zeros(0, dtype=np.int32))


def _by_share(weight: Cost, sites: list[int], total: int) -> dict[int, int]:
    """Whole students in given shares, by largest remainders."""
    exact = weight / weight.sum() * total
    part = np.floor(exact + 1e-9).astype(np.int64)
    order = sorted(range(len(sites)), key=lambda k: (-(exact[k] - part[k]), k))
    for k in order[: total - int(part.sum())]:
        part[k] += 1
    return {j: int(k) for j, k in zip(sites, part, strict=True)}


def again(
    task: Task, site: Int32, divided: Divided, capacity: npt.NDArray[np.int64]
) -> Divided | None:
    """Divide the shared villages without given shares anew, in the places that the others leave.

    None where those places do not suffice and no division was made before.

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
    if not free:
        return kept
    load = np.bincount(site, weights=divided.whole, minlength=len(capacity))
    for row in free:
        load[site[row]] -= divided.whole[row]
    for row in set(divided.parts) - set(free):
        for j, k in divided.parts[row].items():
            load[j] += k if j != site[row] else 0
    counted = all(sum(divided.parts[row].values()) == task.demand[row] for row in free)
    for limit in (np.minimum(capacity, task.most()), task.most()):
        found = assignment.transport(
            task.wanted[free],
            task.demand[free].astype(np.float64),
            np.maximum(limit - load, 0.0),
        )
        if found.status != "infeasible" and found.share is not None:
            share = np.rint(np.asarray(found.share.todense())).astype(np.int64)
            parts = dict(divided.parts)
            for k, row in enumerate(free):
                parts[row] = {j: int(share[k, j]) for j in parts[row]}
            return kept._replace(parts=parts)
        if counted:
            return kept
    return None
