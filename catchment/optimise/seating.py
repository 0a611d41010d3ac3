"""Who goes where at given sites: the capacitated question, and its seatings checked exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise import flow
from catchment.optimise.location import CLOSED, OPEN, Int8

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


class Question(NamedTuple):
    """An instance: arrays as in :func:`catchment.optimise.siting.capacitated`.

    ``floor`` is the least load of an open site, ``state`` the decisions on the sites, ``p`` the
    number of open sites or None, ``whole`` whether units may not be split.
    """

    cost: Float64
    demand: Float64
    capacity: Float64
    rent: Float64
    floor: Float64
    state: Int8
    p: int | None
    whole: bool


class Seating(NamedTuple):
    """Who goes where at a choice of sites, and what it costs with the sites."""

    value: float
    site_of: Int32
    share: csr_matrix | None


def slack(question: Question) -> float:
    """Return the overload that counts as none: zero for whole numbers, else rounding size.

    Parameters
    ----------
    question : Question
        The instance.

    Returns
    -------
    float
        In units of demand.
    """
    parts = [question.demand, question.capacity[np.isfinite(question.capacity)], question.floor]
    numbers = np.concatenate(parts)
    return 0.0 if bool((numbers == np.rint(numbers)).all()) else 1e-12 * float(numbers.sum())


def seat_split(question: Question, chosen: Bool) -> Seating | None:
    """Assign all demand, split where needed, to the open sites at least cost.

    Parameters
    ----------
    question : Question
        The instance.
    chosen : (m,) bool
        Open sites.

    Returns
    -------
    Seating or None
        None where the places, or the least loads, cannot be met.
    """
    n, m = question.cost.shape
    rows, columns = np.flatnonzero(question.demand > 0), np.flatnonzero(chosen)
    cost = question.cost[np.ix_(rows, columns)]
    demand, capacity = question.demand[rows], question.capacity[columns]
    floor = question.floor[columns]
    tolerance = slack(question)
    if (floor > capacity + tolerance).any() or not (np.isfinite(cost).any(axis=1)).all():
        return None
    wanted, places = cost, capacity
    if floor.any():
        # Places that must be filled are so cheap that every optimal plan fills them if any can.
        reward = flow.price_of_refusal(cost)
        wanted = np.column_stack([cost, cost - reward])
        places = np.concatenate([capacity - floor, floor])
    state, stuck = flow.solve(
        flow.new_flow(np.ascontiguousarray(wanted), places), demand, tolerance
    )
    if stuck:
        return None
    filled = flow.shares(state)
    if floor.any():
        must = filled[:, columns.size :]
        if (np.asarray(must.sum(axis=0)).ravel() < floor - tolerance).any():
            return None
        filled = csr_matrix(filled[:, : columns.size] + must)
    pairs = filled.tocoo()
    value = float((pairs.data * cost[pairs.row, pairs.col]).sum() + question.rent[chosen].sum())
    share = csr_matrix((pairs.data, (rows[pairs.row], columns[pairs.col])), shape=(n, m))
    share.sort_indices()
    return Seating(value, _largest(share), share)


def seat_whole(question: Question, chosen: Bool, site_of: Int32) -> Seating | None:
    """Check an assignment of whole units, in the numbers given, and reckon its value.

    Parameters
    ----------
    question : Question
        The instance.
    chosen : (m,) bool
        Open sites.
    site_of : (n,) int32
        Site of each unit with demand.

    Returns
    -------
    Seating or None
        None where a limit is broken.
    """
    some = np.flatnonzero(question.demand > 0)
    where = site_of[some]
    if (where < 0).any() or not chosen[where].all():
        return None
    cost = question.cost[some, where]
    load = np.bincount(where, weights=question.demand[some], minlength=chosen.size)
    tolerance = slack(question)
    if (
        not np.isfinite(cost).all()
        or (load > question.capacity + tolerance)[chosen].any()
        or (load < question.floor - tolerance)[chosen].any()
    ):
        return None
    value = float((question.demand[some] * cost).sum() + question.rent[chosen].sum())
    return Seating(value, site_of, None)


def _largest(share: csr_matrix) -> Int32:
    site_of = np.full(share.shape[0], -1, dtype=np.int32)
    lengths = np.diff(share.indptr)
    some = np.flatnonzero(lengths > 0)
    site_of[some] = share.indices[share.indptr[some]]
    for i in np.flatnonzero(lengths > 1):
        part = slice(share.indptr[i], share.indptr[i + 1])
        site_of[i] = share.indices[part][share.data[part].argmax()]
    return site_of


def seated(question: Question, chosen: Bool, site_of: Int32 | None) -> tuple[Bool, Seating] | None:
    """Seat a choice exactly, or check a seating of whole units.

    Parameters
    ----------
    question : Question
        The instance.
    chosen : (m,) bool
        Open sites.
    site_of : (n,) int32 or None
        Site of each unit, where units are whole.

    Returns
    -------
    (chosen, Seating) or None
        None where a limit is broken, a fixed site closed, a forbidden one open, or the number
        of open sites wrong.
    """
    wrong = (chosen & (question.state == CLOSED)) | (~chosen & (question.state == OPEN))
    if wrong.any() or (question.p is not None and int(chosen.sum()) != question.p):
        return None
    if question.whole:
        seating = None if site_of is None else seat_whole(question, chosen, site_of)
    else:
        seating = seat_split(question, chosen)
    return None if seating is None else (chosen, seating)
