"""Location with places: which sites to open and who goes where, split or whole."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise import capacitated_model as model
from catchment.optimise import flow, witness
from catchment.optimise.capacitated_bound import Places
from catchment.optimise.capacitated_tree import Tree, limits
from catchment.optimise.capacitated_whole import FEW, Whole
from catchment.optimise.location import CLOSED, OPEN
from catchment.optimise.seating import Question, seated, slack

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

ROOM = 200_000  # whole demand up to which sites are filled by dynamic programming


class Answer(NamedTuple):
    """Best choice with its seating and a bound; without a choice, why there is none."""

    chosen: Bool | None
    value: float
    bound: float
    site_of: Int32
    share: csr_matrix | None
    said: list[witness.Said]


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


def solve(question: Question, *, until: float, seed: int = 0, few: int = FEW) -> Answer:
    """Find a choice of sites and a seating of least cost, with a bound.

    Parameters
    ----------
    question : Question
        The instance.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed.
    few : int
        Pairs up to which the solver gets a question of whole units or least loads at once.

    Returns
    -------
    Answer
        The best plan met and what is proved of it.
    """
    said = impossible(question)
    if said:
        return _nothing(question, np.nan, said)
    if not question.state.size:
        return Answer(np.zeros(0, dtype=bool), 0.0, 0.0, _nowhere(question), None, [])
    places = _places(question)
    if question.whole or question.floor.any():
        found, bound = Whole(question, places, seed, few).solve(until)
    else:
        outcome = Tree(places, question.state, slack(question), seed).solve(until)
        bound = outcome.bound
        found = None if outcome.chosen is None else seated(question, outcome.chosen, None)
    if found is None:
        return _refused(question, bound, until, seed)
    chosen, seating = found
    low = min(bound, seating.value)
    return Answer(chosen, seating.value, low, seating.site_of, seating.share, [])


def _places(question: Question) -> Places:
    """Turn the instance into rows of sites over the units with demand."""
    some = question.demand > 0
    demand = question.demand[some]
    total = float(demand.sum())
    capacity = np.minimum(question.capacity, total)
    cost = np.ascontiguousarray(question.cost[some].T)
    size, room = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    if question.whole:
        cost[demand[None, :] > (capacity + slack(question))[:, None]] = np.inf
        if (demand == np.rint(demand)).all() and total <= ROOM:
            size = demand.astype(np.int32)
            room = np.floor(capacity).astype(np.int32)
    least, most = limits(capacity, question.floor, question.state, total, question.p)
    return Places(
        cost, demand, capacity, question.rent, least, most, total, _step(question), size, room
    )


def _step(question: Question) -> float:
    """Return 1 where every plan worth looking at has a whole value, else 0."""
    some = question.demand > 0
    unit = question.demand[some, None] if question.whole else 1.0
    values = unit * question.cost[some]
    limits_ = (question.capacity, question.floor, question.demand)
    parts = [values.ravel(), question.rent]
    if not question.whole:
        parts += list(limits_)
    numbers = np.concatenate(parts)
    numbers = numbers[np.isfinite(numbers)]
    near = np.abs(numbers - np.rint(numbers)) <= 1e-9 * np.maximum(1.0, np.abs(numbers))
    return 1.0 if bool(near.all()) and float(np.abs(numbers).sum()) < 2.0**45 else 0.0


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
    return Answer(None, np.nan, bound, _nowhere(question), None, said)


def _nowhere(question: Question) -> Int32:
    return np.full(question.demand.size, -1, dtype=np.int32)
