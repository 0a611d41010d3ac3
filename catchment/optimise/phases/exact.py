"""The whole model, or the part around some groups, handed to the solver."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.optimise.milp import MilpAnswer, solve_milp
from catchment.optimise.phases.blocks import BLOCKS
from catchment.optimise.phases.combined import formed
from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.contiguous import Ground
from catchment.optimise.phases.decode import Decision, keep_decision, trajectory
from catchment.optimise.phases.draft import Draft, Row, Terms, lay_out, matrix
from catchment.optimise.phases.separate import connecting
from catchment.problem import Bool, Int8, Int32

ROUGH = 0.01
"""Gap of the first round: rows are found with a rough plan as well as with the best."""
ROUNDS = 1000
"""Times that a model is solved again with what its last plan cuts off forbidden, at most."""
PLAIN_COLUMNS = 400
"""Moves by year up to which the solver's presolve is left out."""


@dataclass(frozen=True)
class Exact:
    """What the solver found.

    Attributes
    ----------
    status : {"optimal", "infeasible", "stopped", "failed"}
        As the solver says; plans are rechecked by the caller.
    decision : Decision or None
        Moves of all groups.
    state : (m, t) int8 or None
        States of the sites of the model; -1 for sites left out.
    bound : float
        Lower bound in yuan, whole county (only valid where all groups were free).
    """

    status: str
    decision: Decision | None
    state: Int8 | None
    bound: float


def solve_exactly(
    model: Model,
    *,
    free: Bool | None = None,
    held: Decision | None = None,
    time_limit: float,
    seed: int = 0,
    start: Decision | None = None,
    gap: float = 0.0,
    options: dict[str, bool | int | float | str] | None = None,
    ground: Ground | None = None,
    hints: Sequence[Int32] = (),
    rounds: int = ROUNDS,
) -> Exact:
    """Solve the model for the free groups, all others held.

    Parameters
    ----------
    model : Model
        The compiled question.
    free : (n,) bool, optional
        Groups that may change; all by default.
    held : Decision, optional
        Decisions of the others; everyone stays by default.
    time_limit : float
        Seconds, building the model included.
    seed : int
        Seed of the solver.
    start : Decision, optional
        Decisions to start from.
    gap : float
        Relative gap at which the solver may stop.
    options : dict, optional
        Further options of the solver.
    ground : Ground, optional
        Who neighbours whom, where catchments are to be in one piece: what a plan cuts off is
        forbidden and the model solved again, until nobody is.
    hints : sequence of (n, t) int32
        Sites of plans whose cuts are forbidden from the start.
    rounds : int
        Times that the model is solved at most where catchments are to be in one piece.

    Returns
    -------
    Exact
        Decisions, states and bound. Where the time ends before nobody is cut off, the decisions
        are None and the bound, of fewer rows than there are, holds all the same.
    """
    began = time.perf_counter()
    years = model.at_least.shape[1]
    everyone = np.ones(len(model.today), dtype=bool)
    held = held if held is not None else keep_decision(model, years)
    draft = lay_out(model, everyone if free is None else free, held)
    rows = [row for block in BLOCKS.values() for row in block(draft)]
    if np.any(np.array(draft.lower) > np.array(draft.upper)):
        return Exact("infeasible", None, None, np.inf)
    if ground is not None:
        hinted = [row for plan in hints for row in connecting(draft, ground, plan)]
        rows += list({row.name: row for row in hinted}.values())
    known = {row.name for row in rows}
    bound, best = -np.inf, np.inf
    found: tuple[Decision, Int8] | None = None
    if ground is not None and start is not None:
        best = float(np.array(draft.cost) @ _start(draft, start)) + draft.constant
    rough = 0.0 if ground is None else ROUGH
    for _ in range(rounds):
        left = max(time_limit - (time.perf_counter() - began), 0.0)
        answer = _solved(draft, rows, left, seed, start, max(gap, rough), options)
        bound = max(bound, answer.bound + draft.constant)
        if answer.x is None:
            break
        decision, state = _read(draft, answer.x)
        more = []
        if ground is not None:
            more = connecting(draft, ground, trajectory(model, decision, years))
        if not more:
            value = answer.objective + draft.constant
            if found is None or value < best:
                best, found = value, (decision, state)
            if rough <= gap or answer.status != "optimal":
                return Exact(answer.status, *found, bound)
            rough = gap
            continue
        fresh = [row for row in more if row.name not in known]
        if not fresh:
            # A plan that its own rows forbid: the solver's tolerance, nothing to go on from.
            break
        rows += fresh
        known |= {row.name for row in more}
        # A tenth of what is still unproved is near enough to find rows with.
        if np.isfinite(best):
            rough = max(0.1 * (best - bound) / max(abs(best), 1.0), gap)
    if answer.status == "infeasible":
        return Exact("infeasible", None, None, np.inf)
    if found is None:
        return Exact("failed" if answer.status == "failed" else "stopped", None, None, bound)
    return Exact("stopped", *found, bound)


def _solved(
    draft: Draft,
    rows: list[Row],
    time_limit: float,
    seed: int,
    start: Decision | None,
    gap: float,
    options: dict[str, bool | int | float | str] | None,
) -> MilpAnswer:
    """Hand the rows to the solver."""
    began = time.perf_counter()
    table, lower, upper = matrix(draft, rows)
    # Presolve has been seen to fail on sound models, and to call one infeasible that was not (2 of
    # 6,000 tiny ones, equal to trying every plan without it): small models do without it, and
    # nothing is infeasible before that was found without it.
    for presolve in (True, False) if len(draft.move) > PLAIN_COLUMNS else (False,):
        answer = solve_milp(
            np.array(draft.cost),
            table,
            lower,
            upper,
            lower=np.array(draft.lower),
            upper=np.array(draft.upper),
            integer=np.array(draft.whole, dtype=bool),
            time_limit=max(time_limit - (time.perf_counter() - began), 0.0),
            gap=gap,
            start=None if start is None else _start(draft, start),
            presolve=presolve,
            seed=seed,
            options=options,
        )
        if answer.status not in ("failed", "infeasible"):
            break
    return answer


def _read(draft: Draft, x: npt.NDArray[np.float64]) -> tuple[Decision, Int8]:
    option, when = draft.held[0].copy(), draft.held[1].copy()
    for i in draft.stay:
        option[i], when[i] = -1, draft.years
    for (i, o, year), column in draft.move.items():
        if x[column] > 0.5:
            option[i], when[i] = o, year
    state = np.full(draft.model.at_least.shape, -1, dtype=np.int8)
    for j in draft.sites:
        state[j, 0] = draft.model.was[j]
    for (j, t), column in draft.low.items():
        state[j, t] = round(x[column]) + round(x[draft.full[j, t]])
    return (option, when), state


def _start(draft: Draft, decision: Decision) -> npt.NDArray[np.float64]:
    """Return values of all columns: the decisions, and as little open and built as they need."""
    model = draft.model
    x = np.zeros(len(draft.names))
    for i, column in draft.stay.items():
        o, when = int(decision[0][i]), int(decision[1][i])
        x[draft.move.get((i, o, when), column)] = 1.0
    count = {key: float(draft.base[key]) for key in draft.classes}
    for key, terms in draft.load.items():
        count[key] = float(draft.base[key]) + sum(x[c] * v for c, v in terms)
    _start_states(draft, x, count)
    need: dict[tuple[int, int], float] = {}
    size = {(j, t): float(draft.base[j, :, t].sum()) for j, t in draft.receives}
    for (j, _, t), terms in draft.load.items():
        if (j, t) in size:
            size[j, t] += sum(x[c] * v for c, v in terms)
    came = _users(draft, x, draft.arrivals, draft.base_arrivals)
    for place, column in draft.receives.items():
        x[column] = float(came[place] > 0)
    for (j, g, t), column in draft.classes.items():
        x[column] = np.ceil(count[j, g, t] / model.class_size[j, g] - 1e-9)
    _start_shared(draft, x, count)
    for (j, _, t), column in draft.classes.items():
        need[j, t] = need.get((j, t), 0.0) + x[column]
    for (j, _, _, t), column in draft.shared.items():
        need[j, t] = need.get((j, t), 0.0) + x[column]
    boarders = _users(draft, x, draft.boards, draft.base_boards)
    for k, (used, cap) in enumerate(
        (
            (need, model.cap_rooms),
            (boarders, model.cap_beds),
            (size, model.cap_seats),
            (came, model.cap_naps),
        )
    ):
        for j in draft.sites:
            most = 0.0
            for t in range(1, draft.years):
                if k == 0 or came.get((j, t), 0.0) > 0:
                    most = max(most, used.get((j, t), 0.0) - float(cap[j, t]))
                x[draft.added[k][j, t]] = most
    return x


def _users(
    draft: Draft,
    x: npt.NDArray[np.float64],
    users: dict[tuple[int, int], Terms],
    base: npt.NDArray[np.int64],
) -> dict[tuple[int, int], float]:
    """Users by site and year, where the site can receive at all."""
    return {
        (j, t): float(base[j, t]) + sum(x[c] * v for c, v in users.get((j, t), []))
        for j, t in draft.receives
    }


def _start_shared(
    draft: Draft, x: npt.NDArray[np.float64], count: dict[tuple[int, int, int], float]
) -> None:
    """Form the combined classes of the teaching points."""
    model = draft.model
    for j, t in sorted({(j, t) for j, _, _, t in draft.shared}):
        if x[draft.low[j, t]] < 0.5 or x[draft.full[j, t]] > 0.5:
            continue
        grades = np.flatnonzero(model.low_grade[j])
        load = np.array([round(count.get((j, int(g), t), 0.0)) for g in grades], dtype=np.int64)
        size = model.class_size[j, grades].astype(np.int64)
        row = formed(load, size, int(model.together[j]))
        for k, g in enumerate(grades):
            joined = [k]
            for other in range(k + 1, len(grades)):
                if row[other]:
                    break
                joined += [other] if load[other] else []
            if row[k] and len(joined) > 1:
                x[draft.shared[j, int(g), int(grades[joined[-1]]), t]] = 1.0
                for other in joined:
                    x[draft.classes[j, int(grades[other]), t]] = 0.0


def _start_states(
    draft: Draft, x: npt.NDArray[np.float64], count: dict[tuple[int, int, int], float]
) -> None:
    model = draft.model
    grade_kind: dict[tuple[int, int, int], bool] = {}
    for (j, g, t), value in count.items():
        if value > 0:
            grade_kind[j, 1, t] = True
            if not model.low_grade[j, g]:
                grade_kind[j, 2, t] = True
    for j in draft.sites:
        for level, state in ((1, draft.low), (2, draft.full)):
            used = [
                t
                for t in range(1, draft.years)
                if grade_kind.get((j, level, t), False) or model.at_least[j, t] >= level
            ]
            working = model.was[j] >= level
            for t in range(1, draft.years):
                on = bool(used) and (t <= max(used) if working else t >= min(used))
                x[state[j, t]] = float(on)
        equal = not model.downgrade[j] and model.was[j] == 2
        for t in range(1, draft.years):
            both = max(x[draft.low[j, t]], x[draft.full[j, t]])
            x[draft.low[j, t]] = both
            if equal:
                x[draft.full[j, t]] = both
