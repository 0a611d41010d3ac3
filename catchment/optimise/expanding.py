"""Location with places that grow by whole classrooms: adding rooms weighed against opening sites."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix, hstack, vstack

from catchment.optimise import capacitated as sized
from catchment.optimise import capacitated_model as model
from catchment.optimise import witness
from catchment.optimise.milp import solve_milp
from catchment.optimise.seating import Question, Seating, seated

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

FIRST = 0.3  # share of the time for the plan that rooms cost nothing in


class Growth(NamedTuple):
    """How sites may grow: places and yuan of one room, and most rooms, by site."""

    places: Float64
    price: Float64
    most: Int32


class Answer(NamedTuple):
    """Best choice with its seating, its rooms and a bound; without a choice, why there is none."""

    chosen: Bool | None
    rooms: Int32
    value: float
    bound: float
    site_of: Int32
    share: csr_matrix | None
    said: list[witness.Said]


def solve(question: Question, growth: Growth, *, until: float, seed: int = 0) -> Answer:
    """Find sites, rooms to add and a seating of least cost, with a bound.

    Parameters
    ----------
    question : Question
        The instance, its capacity that of the rooms there are.
    growth : Growth
        What may be added.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed.

    Returns
    -------
    Answer
        The best plan met and what is proved of it.
    """
    full = question._replace(capacity=question.capacity + growth.places * growth.most)
    now = time.perf_counter()
    # With all rooms for nothing: no plan at all if this has none, and a bound on every plan.
    easy = sized.solve(full, until=now + FIRST * (until - now), seed=seed)
    none = np.zeros(question.state.size, dtype=np.int32)
    if easy.chosen is None:
        return Answer(None, none, np.nan, easy.bound, easy.site_of, None, easy.said)
    seating = Seating(easy.value, easy.site_of, easy.share)
    chosen, best, rooms = _with_rooms(question, growth, easy.chosen, seating)
    bound, found = _model(question, full, growth, until, seed)
    for plan in (found, _refitted(question, growth, chosen, until, seed)):
        if plan is not None and plan[1].value < best.value:
            chosen, best, rooms = plan
    low = min(max(bound, easy.bound), best.value)
    return Answer(chosen, rooms, best.value, low, best.site_of, best.share, [])


def _with_rooms(
    question: Question, growth: Growth, chosen: Bool, seating: Seating
) -> tuple[Bool, Seating, Int32]:
    """Add the rooms that a seating needs, and their cost to its value."""
    if seating.share is None:
        some = np.flatnonzero(question.demand > 0)
        where = seating.site_of[some]
        load = np.bincount(where, weights=question.demand[some], minlength=chosen.size)
    else:
        load = np.asarray(seating.share.sum(axis=0)).ravel()
    room = np.where(growth.places > 0, growth.places, 1.0)
    over = (load - question.capacity) / room
    near = 1e-9 * np.maximum(1.0, question.demand.sum() / room)
    rooms = np.where(chosen, np.ceil(over - near), 0.0)
    rooms = np.clip(rooms, 0, growth.most).astype(np.int32)
    return chosen, seating._replace(value=seating.value + float(rooms @ growth.price)), rooms


def _model(
    question: Question, full: Question, growth: Growth, until: float, seed: int
) -> tuple[float, tuple[Bool, Seating, Int32] | None]:
    """Give sites, rooms and pairs to the solver; its plan is seated anew in the numbers given."""
    built = model.build(question, model.allowed_pairs(full))
    m, rows = question.state.size, built.matrix.shape[0]
    some = int((question.demand > 0).sum())
    links = built.unit.size if built.unit.size <= model.LINKS else 0
    sites = np.arange(m)
    grown = csc_matrix((-growth.places, (some + links + sites, sites)), shape=(rows, m))
    only_open = csc_matrix(
        (-growth.most.astype(np.float64), (sites, sites)), shape=(m, built.matrix.shape[1])
    )
    unit = csc_matrix((np.ones(m), (sites, sites)), shape=(m, m))
    answer = solve_milp(
        np.concatenate([built.cost, growth.price]),
        vstack([hstack([built.matrix, grown]), hstack([only_open, unit])]).tocsc(),
        np.concatenate([built.row_lower, np.full(m, -np.inf)]),
        np.concatenate([built.row_upper, np.zeros(m)]),
        lower=np.concatenate([built.lower, np.zeros(m)]),
        upper=np.concatenate([built.upper, growth.most.astype(np.float64)]),
        integer=np.concatenate([built.integer, np.ones(m, dtype=bool)]),
        time_limit=until - time.perf_counter(), seed=seed,
    )  # fmt: skip
    bound = answer.bound if answer.status in ("optimal", "stopped") else -np.inf
    if answer.x is None:
        return bound, None
    chosen = answer.x[:m] > 0.5
    rooms = np.rint(answer.x[-m:]).astype(np.int32)
    site_of = np.full(question.demand.size, -1, dtype=np.int32)
    amount = answer.x[m : m + built.unit.size]
    order = np.argsort(amount, kind="stable")
    site_of[built.unit[order]] = built.site[order]
    return bound, _seated(question, growth, chosen, rooms, site_of)


def _seated(
    question: Question, growth: Growth, chosen: Bool, rooms: Int32, site_of: Int32 | None
) -> tuple[Bool, Seating, Int32] | None:
    """Seat a choice in its rooms exactly; None where a limit is broken."""
    larger = question._replace(capacity=question.capacity + growth.places * rooms)
    found = seated(larger, chosen, site_of)
    return None if found is None else _with_rooms(question, growth, *found)


def _refitted(
    question: Question, growth: Growth, chosen: Bool, until: float, seed: int
) -> tuple[Bool, Seating, Int32] | None:
    """Fill the rooms there are first: the same sites, seated with as few rooms as are needed."""
    if question.whole or not chosen.any():
        return None
    demand, there = float(question.demand.sum()), float(question.capacity[chosen].sum())
    rooms = np.zeros(chosen.size, dtype=np.int32)
    for j in np.flatnonzero(chosen)[np.argsort(growth.price[chosen], kind="stable")]:
        if there >= demand or growth.places[j] <= 0:
            continue
        rooms[j] = min(int(growth.most[j]), int(np.ceil((demand - there) / growth.places[j])))
        there += float(rooms[j] * growth.places[j])
    return _seated(question, growth, chosen, rooms, None)
