"""Location with places: which sites to open and who goes where, split or whole."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise import capacitated_model as model
from catchment.optimise import flow, witness
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


class Answer(NamedTuple):
    """Best choice with its seating and a bound; without a choice, why there is none."""

    chosen: Bool | None
    value: float
    bound: float
    site_of: Int32
    share: csr_matrix | None
    said: list[witness.Said]


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


def impossible(question: Question) -> list[witness.Said]:
    """Name what cannot be met even with every site open that may be.

    Parameters
    ----------
    question : Question
        The instance.

    Returns
    -------
    list of (str, str)
        Chinese and English; empty where nothing was found.
    """
    usable = question.state != CLOSED
    some = question.demand > 0
    cost = np.where(usable, question.cost, np.inf)
    tolerance = slack(question)
    said: list[witness.Said] = []
    if question.whole:
        fits = question.demand[:, None] <= question.capacity[None, :] + tolerance
        large = np.flatnonzero(
            some & np.isfinite(cost).any(axis=1) & ~(fits & np.isfinite(cost)).any(axis=1)
        )
        if large.size:
            where = witness.listed(large)
            said.append(
                (
                    f"单元 {where} 的需求大于可去的每一所学校的学位，不拆分则无法安排",
                    (
                        f"units {where} have more demand than places at any site they can reach, "
                        "and may not be split"
                    ),
                )
            )
        cost = np.where(fits, cost, np.inf)
    tall = np.flatnonzero((question.state == OPEN) & (question.floor > question.capacity))
    if tall.size:
        where = witness.listed(tall)
        said.append(
            (
                f"要求保留的学校 {where} 的最小规模大于学位数",
                f"fixed sites {where} have a least load above their places",
            )
        )
    where_some = np.flatnonzero(some)
    capacity = np.where(usable, question.capacity, 0.0)
    state, stuck = flow.solve(
        flow.new_flow(np.ascontiguousarray(cost), capacity),
        np.where(some, question.demand, 0.0),
        tolerance,
    )
    said += witness.shortage(cost, question.demand, capacity, stuck)
    del state, where_some
    total = float(question.demand.sum())
    if question.p is not None:
        stay = question.state == OPEN
        spare = np.sort(question.capacity[usable & ~stay])[::-1][: question.p - int(stay.sum())]
        places = float(question.capacity[stay].sum() + spare.sum())
        if places < total - tolerance:
            said.append(
                (
                    f"开 {question.p} 所最多有 {places:g} 个学位，少于总需求 {total:g}",
                    (
                        f"{question.p} open sites have at most {places:g} places, "
                        f"fewer than the demand of {total:g}"
                    ),
                )
            )
    must = np.flatnonzero((question.state == OPEN) & (question.floor > 0))
    least = float(question.floor[must].sum())
    if least > total + tolerance:
        where = witness.listed(must)
        said.append(
            (
                f"要求保留的学校 {where} 的最小规模合计 {least:g}，多于总需求 {total:g}",
                (
                    f"fixed sites {where} need a load of {least:g} together, "
                    f"more than the demand of {total:g}"
                ),
            )
        )
    return said


def solve(question: Question, *, until: float, seed: int = 0) -> Answer:
    """Find a choice of sites and a seating of least cost, with a bound.

    Parameters
    ----------
    question : Question
        The instance.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed.

    Returns
    -------
    Answer
        The best plan met and what is proved of it.
    """
    said = impossible(question)
    if said:
        return _nothing(question, np.nan, said)
    low, plan = model.optimise(question, until=until, seed=seed)
    if plan is None:
        return _refused(question, low, until, seed)
    chosen, site_of = plan
    seating = (
        seat_whole(question, chosen, site_of) if question.whole else seat_split(question, chosen)
    )
    if seating is None:
        return _nothing(question, low, [])
    return Answer(
        chosen, seating.value, min(low, seating.value), seating.site_of, seating.share, []
    )


def _refused(question: Question, low: float, until: float, seed: int) -> Answer:
    """Without a plan: say why if a second, elastic model proves that some demand stays out."""
    if low < np.inf:
        return _nothing(question, low if np.isfinite(low) else np.nan, [])
    left = max(until, time.perf_counter() + 5.0)
    out, where = model.least_unserved(question, until=left, seed=seed)
    if out <= 0.0:
        return _nothing(question, np.nan, [])
    units = witness.listed(where) if where.size else "-"
    return _nothing(
        question,
        np.nan,
        [
            (
                (
                    f"在开放数量、学位、最小规模和可达性限制下，至少 {out:.6g} 的需求无法安排"
                    f"（例如单元 {units}）（已证明）"
                ),
                (
                    f"within the number of sites, places, least loads and allowed pairs at least "
                    f"{out:.6g} of demand or of least load cannot be met (units {units}, for example; "
                    "proved)"
                ),
            )
        ],
    )


def _nothing(question: Question, bound: float, said: list[witness.Said]) -> Answer:
    nowhere = np.full(question.demand.size, -1, dtype=np.int32)
    return Answer(None, np.nan, bound, nowhere, None, said)
