"""Capacitated location as a mixed-integer model, over all pairs or those still undecided."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csc_matrix, hstack, vstack

from catchment.optimise.location import CLOSED, OPEN
from catchment.optimise.milp import solve_milp
from catchment.optimise.seating import Question, Seating

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

LINKS = 300_000  # pairs up to which every pair has a row of its own that links it to its site


class Model(NamedTuple):
    """Arrays of the model: first a variable for each site, then one for each pair."""

    cost: Float64
    matrix: csc_matrix
    row_lower: Float64
    row_upper: Float64
    lower: Float64
    upper: Float64
    integer: Bool
    unit: Int64
    site: Int64


def allowed_pairs(question: Question) -> Bool:
    """Return the pairs that a plan may use.

    Parameters
    ----------
    question : Question
        The instance.

    Returns
    -------
    (n, m) bool
        Units with demand, sites not closed, finite cost, and places for a unit to stay whole.
    """
    pairs: Bool = np.isfinite(question.cost) & (question.demand > 0)[:, None]
    pairs &= question.state != CLOSED
    pairs &= question.capacity > 0
    if question.whole:
        pairs &= question.demand[:, None] <= question.capacity * (1 + 1e-12)
    return pairs


def build(question: Question, pairs: Bool) -> Model:
    """Write the model over the pairs given.

    Parameters
    ----------
    question : Question
        The instance.
    pairs : (n, m) bool
        Pairs that may be used.

    Returns
    -------
    Model
        Minimise; every unit with demand is served in full.
    """
    m = question.capacity.size
    some = np.flatnonzero(question.demand > 0)
    row_of = np.full(question.demand.size, -1)
    row_of[some] = np.arange(some.size)
    unit, site = np.nonzero(pairs)
    k = unit.size
    column = m + np.arange(k)
    demand = question.demand[unit]
    blocks: list[tuple[Int64, Int64, Float64, Float64, Float64]] = []
    ones = np.ones(k)
    blocks.append((row_of[unit], column, ones, np.ones(some.size), np.ones(some.size)))
    if k <= LINKS:
        rows = np.arange(k)
        blocks.append(
            (
                np.concatenate([rows, rows]), np.concatenate([column, site]),
                np.concatenate([ones, -ones]), np.full(k, -np.inf), np.zeros(k),
            )
        )  # fmt: skip
    places = np.minimum(question.capacity, question.demand.sum())
    sites = np.arange(m)
    blocks.append(
        (
            np.concatenate([site, sites]), np.concatenate([column, sites]),
            np.concatenate([demand, -places]), np.full(m, -np.inf), np.zeros(m),
        )
    )  # fmt: skip
    if question.floor.any():
        blocks.append(
            (
                np.concatenate([site, sites]), np.concatenate([column, sites]),
                np.concatenate([demand, -question.floor]), np.zeros(m), np.full(m, np.inf),
            )
        )  # fmt: skip
    if question.p is not None:
        count = np.array([float(question.p)])
        blocks.append((np.zeros(m, dtype=np.int64), sites, np.ones(m), count, count))
    first = np.cumsum([0] + [lower.size for *_, lower, _ in blocks])
    matrix = coo_matrix(
        (
            np.concatenate([values for _, _, values, _, _ in blocks]),
            (
                np.concatenate([r + at for (r, *_), at in zip(blocks, first, strict=False)]),
                np.concatenate([c for _, c, _, _, _ in blocks]),
            ),
        ),
        shape=(int(first[-1]), m + k),
    ).tocsc()
    cost = np.concatenate([question.rent, demand * question.cost[unit, site]])
    lower = np.concatenate([question.state == OPEN, np.zeros(k)]).astype(np.float64)
    upper = np.concatenate([question.state != CLOSED, np.ones(k)]).astype(np.float64)
    integer = np.concatenate([np.ones(m, dtype=bool), np.full(k, question.whole)])
    return Model(
        cost, matrix,
        np.concatenate([low for *_, low, _ in blocks]),
        np.concatenate([high for *_, high in blocks]),
        lower, upper, integer, unit, site,
    )  # fmt: skip


def optimise(
    question: Question,
    *,
    until: float,
    seed: int = 0,
    pairs: Bool | None = None,
    start: tuple[Bool, Seating] | None = None,
    gap: float = 0.0,
    ceiling: float = np.inf,
) -> tuple[float, tuple[Bool, Int32] | None]:
    """Give the model to the solver.

    Parameters
    ----------
    question : Question
        The instance.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed of the solver.
    pairs : (n, m) bool, optional
        Pairs to look at; all that are allowed by default.
    start : (chosen, Seating), optional
        A plan of whole units to start from, within the pairs.
    ceiling : float
        Plans of this value or more are of no interest; the bound proves no more than this.
    gap : float
        Relative gap that will do; above zero plans matter more than bounds.

    Returns
    -------
    bound : float
        A lower bound over the pairs given; inf where the solver finds no plan possible.
    plan : (chosen, site_of) or None
        Open sites and the site with the largest share of each unit, unchecked.
    """
    pairs = allowed_pairs(question) if pairs is None else pairs
    built = build(question, pairs)
    options = {"mip_heuristic_effort": 0.3} if gap > 0 else {}
    first = None
    if start is not None and question.whole:
        first = np.concatenate([start[0], start[1].site_of[built.unit] == built.site]).astype(
            np.float64
        )
    if np.isfinite(ceiling):
        built = _with_way_out(built, question, ceiling)
    answer = solve_milp(
        built.cost, built.matrix, built.row_lower, built.row_upper,
        lower=built.lower, upper=built.upper, integer=built.integer, start=first,
        time_limit=until - time.perf_counter(), seed=seed, gap=gap, options=dict(options),
    )  # fmt: skip
    if answer.x is None:
        return (answer.bound if answer.status != "failed" else -np.inf), None
    m = question.capacity.size
    if np.isfinite(ceiling) and answer.x[-1] > 0.5:
        return answer.bound, None
    chosen = answer.x[:m] > 0.5
    site_of = np.full(question.demand.size, -1, dtype=np.int32)
    amount = answer.x[m : m + built.unit.size]
    order = np.argsort(amount, kind="stable")
    site_of[built.unit[order]] = built.site[order]
    return answer.bound, (chosen, site_of)


def _with_way_out(built: Model, question: Question, ceiling: float) -> Model:
    """Add a plan of value ``ceiling`` that does nothing, so that the model is never infeasible."""
    rows, count = built.matrix.shape
    column = np.zeros(rows)
    some = int((question.demand > 0).sum())
    column[:some] = 1.0
    if question.p is not None:
        column[-1] = question.p
    stay = np.flatnonzero(built.lower > 0)  # sites that must be open, but not in this plan
    keep = coo_matrix((np.ones(stay.size), (np.arange(stay.size), stay)), shape=(stay.size, count))
    matrix = hstack(
        [vstack([built.matrix, keep]), np.concatenate([column, np.ones(stay.size)])[:, None]]
    )
    return built._replace(
        cost=np.append(built.cost, ceiling),
        matrix=matrix.tocsc(),
        row_lower=np.concatenate([built.row_lower, np.ones(stay.size)]),
        row_upper=np.concatenate([built.row_upper, np.full(stay.size, np.inf)]),
        lower=np.zeros(count + 1),
        upper=np.append(built.upper, 1.0),
        integer=np.append(built.integer, True),
    )


def least_unserved(question: Question, *, until: float, seed: int = 0) -> tuple[float, Int64]:
    """Find how much demand, or load below the least loads, no plan can avoid leaving out.

    Parameters
    ----------
    question : Question
        The instance.
    until : float
        When to stop, in ``time.perf_counter`` seconds.
    seed : int
        Seed of the solver.

    Returns
    -------
    amount : float
        Proved to be unavoidable; zero where nothing is proved.
    units : (k,) int
        Units left out in the plan found.
    """
    built = build(question, allowed_pairs(question))
    m, some = question.capacity.size, np.flatnonzero(question.demand > 0)
    floors = m if question.floor.any() else 0
    columns = some.size + floors
    # Extra variables: the share of each unit left out, and the load missing at each site.
    missing = built.row_lower.size - floors - (question.p is not None)
    rows = np.concatenate([np.arange(some.size), missing + np.arange(floors)])
    extra = coo_matrix(
        (np.ones(columns), (rows, np.arange(columns))), shape=(built.row_lower.size, columns)
    )
    count = built.cost.size
    cost = np.concatenate([np.zeros(count), question.demand[some], np.ones(floors)])
    top = np.concatenate([np.ones(some.size), np.full(floors, np.inf)])
    answer = solve_milp(
        cost, hstack([built.matrix, extra]).tocsc(), built.row_lower, built.row_upper,
        lower=np.concatenate([built.lower, np.zeros(columns)]),
        upper=np.concatenate([built.upper, top]),
        integer=np.concatenate(
            [built.integer, np.full(some.size, question.whole), np.zeros(floors, dtype=bool)]
        ),
        time_limit=until - time.perf_counter(), seed=seed,
    )  # fmt: skip
    if answer.x is None or not answer.bound > 1e-6 * max(1.0, float(question.demand.sum())):
        return 0.0, np.zeros(0, dtype=np.int64)
    out = answer.x[count : count + some.size]
    return float(answer.bound), some[out > 1e-6]
