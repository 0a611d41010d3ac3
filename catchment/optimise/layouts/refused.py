"""Why a band and year have no plan: numbers that a person can count, where numbers show it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from catchment.optimise.layouts.places import Seats, Task
from catchment.optimise.layouts.reach import joinable
from catchment.optimise.layouts.weights import Cost
from catchment.optimise.wished import merged, touching_together
from catchment.optimise.wishes import Witness, too_few_places
from catchment.problem import Int32


class Ground(NamedTuple):
    """Rows that touch, and the row where the catchment of each site begins.

    Attributes
    ----------
    neighbours : csr_matrix of bool
        (r, r) rows that touch.
    home : (m,) int32
        Row of the own village of each site or of what stands in for it, -1 = none.
    own : (m,) int32
        The same, -1 where another stands in.
    """

    neighbours: csr_matrix
    home: Int32
    own: Int32


def refusal(task: Task, seats: Seats, ground: Ground, *, proved: bool) -> Witness:
    """Say why no plan does what is asked.

    Parameters
    ----------
    task : Task
        Band and year.
    seats : Seats
        Places.
    ground : Ground
        Who borders on whom.
    proved : bool
        Whether the search proved that there is none.

    Returns
    -------
    Witness
        Too few children for the least sizes, or too few places for those who can be joined with no
        other schools, where that is so; else that whole and connected catchments do not exist.
    """
    where = _possible(task, ground)
    demand = task.demand.astype(np.float64)
    asked = task.asked()
    found = too_few_places(np.where(np.isfinite(where), where, np.inf).T, asked.least, demand)
    if found is not None:
        sites, rows = found
        return Witness(
            task.band, task.t, "least", tuple(task.groups[rows].tolist()), tuple(sites.tolist()),
            int(task.demand[rows].sum()), int(asked.least[sites].sum()),
        )  # fmt: skip
    cut = np.flatnonzero(~np.isfinite(where).any(axis=1))
    if len(cut):
        return Witness(
            task.band, task.t, "cut", tuple(task.groups[cut].tolist()), (),
            int(task.demand[cut].sum()),
        )  # fmt: skip
    found = too_few_places(where, demand, seats.most)
    if found is not None:
        rows, sites = found
        return Witness(
            task.band, task.t, "joined", tuple(task.groups[rows].tolist()), tuple(sites.tolist()),
            int(task.demand[rows].sum()), int(seats.most[sites].sum()),
        )  # fmt: skip
    usable = task.problem.must_open[:, task.band, task.t]
    return Witness(
        task.band, task.t, "whole", tuple(task.groups.tolist()),
        tuple(np.flatnonzero(usable).tolist()), int(task.demand.sum()),
        int(np.minimum(seats.places, seats.most).sum()), proved,
    )  # fmt: skip


def _possible(task: Task, ground: Ground) -> Cost:
    """Costs of the pairs that some plan of whole and connected catchments can have."""
    where = task.wanted.copy()
    own = np.where(
        (ground.own >= 0) & np.isfinite(where[np.maximum(ground.own, 0), np.arange(len(ground.own))]),
        ground.own, -1,
    )  # fmt: skip
    sets = task.asked().together
    reach = joinable(where, touching_together(ground.neighbours, sets), own)
    where[~reach] = np.inf
    for j in np.flatnonzero(own >= 0).tolist():
        where[own[j], np.arange(where.shape[1]) != j] = np.inf
    # rows together go where all of them can
    unit = merged(len(where), sets)
    for each in sets:
        rows = np.flatnonzero(unit == unit[each[0]])
        where[rows] = np.where(np.isfinite(where[rows]).all(axis=0), where[rows], np.inf)
    # a shared village belongs to a catchment, its students go where its schools are
    shared = [i for s in task.wishes.shared for i in s.groups]
    rows = np.flatnonzero(np.isin(task.groups, shared))
    where[rows] = task.loose[rows]
    return where
