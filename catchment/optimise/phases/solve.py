"""One answer: solved exactly where that comes to its end, else searched while its bound is raised."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from catchment.optimise.phases import bound as low
from catchment.optimise.phases.chain import worth
from catchment.optimise.phases.compile import Model, compile_model
from catchment.optimise.phases.contiguous import Ground, ground_of
from catchment.optimise.phases.decode import (
    Decision,
    answer_of,
    decision_of,
    keep_decision,
    trajectory,
)
from catchment.optimise.phases.exact import ROUNDS, solve_exactly
from catchment.optimise.phases.population import AGAIN, TEMPTING, Population, surroundings
from catchment.optimise.phases.question import Answer, Memory, Question
from catchment.optimise.phases.siteyears import Parts, split
from catchment.optimise.phases.table import tabulate
from catchment.optimise.phases.verify import check
from catchment.optimise.phases.waiting import in_turn
from catchment.optimise.phases.workers import Workers, climbed
from catchment.optimise.solution import Status
from catchment.plan import Plan
from catchment.problem import Int8, Int32

EXACT_COLUMNS = 4000
"""Moves by year up to which the whole model is handed to the solver."""
COUNTED = 1500
"""Moves by year up to which that is done for each round when steps are counted: no clock ends it."""
TINY_COLUMNS = 150
"""Moves by year up to which that is done at once, before any search."""
EXACT_SECONDS = 2.0
"""Seconds the solver may take for those; what needs more is searched first and then solved again."""
ROUND, ROUND_OF_MOVE = 400_000, 100
"""Proposals of one round of the search when steps are counted: so many, and so many for each move by
year that there is, whichever is more."""
NODES = 200
"""Nodes of the solver in a neighbourhood when steps are counted; ten times as many for a whole
model, a hundred times for a tiny one, so that nothing depends on the clock."""
BOUND_STEPS = 600
"""Steps of the bound in one round when steps are counted."""
PRICE_MOVES = 400
"""Moves by year of the surroundings of a school that is priced."""
LOCAL_GAP = 1e-4
"""Gap, of the yuan of the surroundings alone, at which a price of one school is near enough."""
QUICK_STEPS, QUICK_SECONDS = 1_000_000, 3.0
"""Proposals, and seconds, of the search for a first plan at most."""


@dataclass
class _State:
    """What is known while the answer is being made."""

    question: Question
    model: Model
    ground: Ground
    began: float
    progress: Callable[[str], None] | None
    best: Decision | None = None
    value: float = np.inf
    bound: float = -np.inf
    states: Int8 | None = None
    prices: low.Prices | None = None
    history: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def joined(self) -> Ground | None:
        """Who neighbours whom, where catchments are to be in one piece."""
        return self.ground if self.question.connected else None

    def closed(self) -> bool:
        """Whether plan and bound have met."""
        # Without a plan there is everything left to do.
        return np.isfinite(self.value) and self.value - self.bound <= 1e-9 * abs(self.value)

    def take(self, found: Population) -> None:
        """Take over the best plan found so far."""
        value, best = found.top()
        if np.isfinite(value):
            self.note(value + self.model.fixed_cost, -np.inf, best)

    def note(self, value: float, bound: float, decision: Decision | None) -> None:
        """Keep what is better."""
        if value < self.value - 1e-6 and decision is not None:
            self.value, self.best = value, (decision[0].copy(), decision[1].copy())
            self.states = None
        self.bound = max(self.bound, bound)
        last = self.history[-1] if self.history else (0.0, np.inf, -np.inf)
        if (self.value, self.bound) == last[1:]:
            return
        seconds = time.perf_counter() - self.began
        self.history.append((seconds, self.value, self.bound))
        if self.progress is not None:
            plan, low = (
                f"{x / 1e4:.1f}" if np.isfinite(x) else "–" for x in (self.value, self.bound)
            )
            gap = (self.value - self.bound) / max(abs(self.value), 1e-9)
            share = f" · {100 * gap:.2f} %" if np.isfinite(gap) else ""
            self.progress(f"{seconds:.1f} s · 方案 / plan {plan} · 下界 / bound {low} 万元{share}")


def consolidate(
    question: Question,
    *,
    time_limit: float = 60.0,
    seed: int = 0,
    start: Plan | None = None,
    progress: Callable[[str], None] | None = None,
    steps: int | None = None,
    memory: Memory | None = None,
) -> Answer:
    """Find a cheap plan of years, and prove how far it may be from the cheapest.

    Small questions are solved exactly. Larger ones are searched by annealing (chains that begin
    anew, mergers of their plans, the best one heated again) and exact neighbourhoods in a thread for
    each processor, while a Lagrangian bound is improved in another. The same seed
    gives the same plan with ``steps``; a limit in seconds depends on the machine.

    Parameters
    ----------
    question : Question
        What is asked.
    time_limit : float
        Seconds, all in all; not heeded by the search where ``steps`` is given.
    seed : int
        Seed of the search.
    start : Plan, optional
        A plan to start from, such as the one of an earlier answer.
    progress : callable, optional
        Told a line of text whenever plan or bound improve.
    steps : int, optional
        Rounds of search and bound instead of a time limit, so that the answer does not depend
        on the machine.
    memory : Memory, optional
        What an earlier answer to the same question ended with: search and bound go on from there.

    Returns
    -------
    Answer
        Best plan and bound. On Ctrl-C the best so far. ``infeasible`` only where that is proved;
        where no valid plan was found, the status is ``unknown`` and the reason says what the
        nearest plan breaks.
    """
    began = time.perf_counter()
    model = compile_model(question)
    years = len(question.problem.years)
    if model.impossible:
        return _impossible(question, model, began, seed)
    state = _State(question, model, ground_of(question), began, progress)
    from_where = memory.site_of if start is None and memory is not None else None
    if start is not None:
        from_where = start.site_of
    first = keep_decision(model, years) if from_where is None else decision_of(model, from_where)
    nearest = first
    with contextlib.suppress(KeyboardInterrupt):
        nearest = _work(state, first, time_limit, seed, steps, memory)
    return _finish(state, nearest, seed)


def polish(
    question: Question, start: Plan, site: int, *, seed: int = 0, moves: int = PRICE_MOVES
) -> Answer:
    """Solve the surroundings of one school exactly, the rest of a plan held.

    Parameters
    ----------
    question : Question
        What is asked.
    start : Plan
        A plan; what the question forbids of it is given up first.
    site : int
        Position of the school.
    seed : int
        Seed of the choice of surroundings.
    moves : int
        Moves by year of the surroundings, at most.

    Returns
    -------
    Answer
        The plan, without a bound; ``unknown`` where the surroundings allow none.
    """
    model = compile_model(question)
    state = _State(question, model, ground_of(question), time.perf_counter(), None)
    if model.impossible:
        return _impossible(question, model, state.began, seed)
    held = decision_of(model, start.site_of)
    table = tabulate(model)
    value = worth(table, state.ground, held, question.connected) + model.fixed_cost
    if np.isfinite(value):
        state.note(value, -np.inf, held)
    free = surroundings(table, held, site, np.random.default_rng(seed), moves)
    if free.any():
        exact = solve_exactly(
            model, free=free, held=held, time_limit=np.inf, seed=seed, start=state.best,
            gap=LOCAL_GAP, options=_nodes(2 * NODES), ground=state.joined, rounds=AGAIN,
        )  # fmt: skip
        if exact.decision is not None:
            trial = _answer(state, exact.decision, exact.state, "feasible", seed)
            if not check(question, trial) and trial.plan.objective < state.value - 1e-6:
                state.note(trial.plan.objective, -np.inf, exact.decision)
                # A school that waits for its turn to close is open without anybody in it.
                state.states = exact.state
    return _finish(state, held, seed)


def _work(
    state: _State,
    first: Decision,
    time_limit: float,
    seed: int,
    steps: int | None,
    memory: Memory | None = None,
) -> Decision:
    model = state.model
    table = tabulate(model)
    today = keep_decision(model, len(state.question.problem.years))
    found = Population(model, table, state.ground, state.question.connected, first, today, seed)
    try:
        _search(state, found, time_limit, seed, steps, memory)
    finally:
        # What was found up to an interruption counts.
        state.take(found)
    return found.nearest


def _search(
    state: _State,
    found: Population,
    time_limit: float,
    seed: int,
    steps: int | None,
    memory: Memory | None,
) -> None:
    model = state.model
    state.take(found)
    end = np.inf if steps is not None else state.began + time_limit
    columns = int(found.table.allowed.sum())
    if columns <= TINY_COLUMNS:
        soon = min(state.began + EXACT_SECONDS, end) if steps is None else np.inf
        if _exact(state, soon, seed, None if steps is None else 100 * NODES):
            return
    found.measure()
    counted = max(ROUND, ROUND_OF_MOVE * columns)
    if steps is None:
        found.quick(QUICK_STEPS, min(QUICK_SECONDS, time_limit / 10))
    else:
        found.advance(counted * (1 + steps), counted)
    state.take(found)
    again = steps is None or columns > TINY_COLUMNS
    if again and columns <= (
        EXACT_COLUMNS if steps is None else min(EXACT_COLUMNS, steps * COUNTED)
    ):
        # Where the exact model comes to its end, it is worth most of the time; where it does not,
        # its bound and its plan are what search and prices go on from.
        limit = state.began + 0.95 * time_limit if steps is None else np.inf
        nodes = None if steps is None else 10 * NODES
        hints: list[Int32] = []
        if state.question.connected and steps is None:
            hints = found.tempting(TEMPTING, 0.08 * time_limit)
        elif state.question.connected:
            hints = found.tempting(8, np.inf)
        if _exact(state, limit, seed, nodes, hints, ROUNDS if steps is None else AGAIN):
            return
        if state.best is not None:
            found.add(state.best)
    problem = state.question.problem
    parts = split(model, problem.group_band, problem.grade_band)
    prices = low.first_prices(model, parts, found.nearest)
    if memory is not None:
        prices = low.remembered(parts, memory.prices) or prices
    state.prices = prices
    if steps is None:
        _at_once(state, parts, prices, found, end)
        return
    for _ in range(steps):
        state.note(np.inf, climbed(model, parts, prices, state.value, BOUND_STEPS), None)
        found.advance(counted * (1 + steps), counted)
        found.rebuild(NODES)
        state.take(found)
        if state.closed():
            break


def _at_once(
    state: _State, parts: Parts, prices: low.Prices, found: Population, end: float
) -> None:
    """Search and raise the bound until the time is over or the gap is closed."""
    with Workers(state.model, parts, prices, found, end) as workers:
        try:
            while time.perf_counter() < end and not state.closed():
                workers.wait()
                state.take(found)
                state.note(np.inf, workers.bound, None)
        finally:
            state.note(np.inf, workers.bound, None)
    state.take(found)
    state.note(np.inf, workers.bound, None)


def _exact(
    state: _State,
    end: float,
    seed: int,
    nodes: int | None = None,
    hints: Sequence[Int32] = (),
    rounds: int = ROUNDS,
) -> bool:
    """Hand the whole model to the solver; True when nothing is left to do."""
    left = end - time.perf_counter()
    exact = solve_exactly(
        state.model, time_limit=left, seed=seed, start=state.best, options=_nodes(nodes),
        ground=state.joined, hints=hints, rounds=rounds,
    )  # fmt: skip
    if exact.status == "infeasible":
        if state.best is not None:
            # A plan that has been rechecked says otherwise.
            return False
        state.bound = np.inf
        return True
    if exact.decision is not None:
        trial = _answer(state, exact.decision, exact.state, "feasible", seed)
        if not check(state.question, trial) and trial.plan.objective < state.value - 1e-6:
            state.note(trial.plan.objective, -np.inf, exact.decision)
            state.states = exact.state
    if exact.bound > state.value * (1 + 1e-6):
        # A plan that has been rechecked is below it, so the solver's bound cannot be right.
        return False
    state.note(np.inf, exact.bound - 1e-9 * abs(exact.bound), None)
    return exact.status == "optimal" and np.isfinite(state.value)


def _nodes(nodes: int | None) -> dict[str, bool | int | float | str] | None:
    return None if nodes is None else {"mip_max_nodes": nodes}


def _answer(
    state: _State,
    decision: Decision,
    states: Int8 | None,
    status: Status,
    seed: int,
    reason: str = "",
) -> Answer:
    years = len(state.question.problem.years)
    return answer_of(
        state.question,
        state.model,
        decision,
        state=states,
        status=status,
        bound=state.bound,
        seconds=time.perf_counter() - state.began,
        seed=seed,
        history=tuple(state.history),
        reason=reason,
        memory=None
        if state.prices is None
        else Memory(trajectory(state.model, decision, years), low.kept(state.prices)),
    )


def _let_wait(state: _State, nearest: Decision, seed: int) -> None:
    """Where the search found no plan, one may do in which emptied schools wait to close."""
    stay = keep_decision(state.model, len(state.question.problem.years))
    for decision in (nearest, stay):
        states = in_turn(state.question, state.model, decision)
        if states is None:
            continue
        trial = _answer(state, decision, states, "feasible", seed)
        if not check(state.question, trial):
            state.note(trial.plan.objective, -np.inf, decision)
            state.states = states
            return


def _finish(state: _State, nearest: Decision, seed: int) -> Answer:
    if state.best is None and state.bound < np.inf:
        _let_wait(state, nearest, seed)
    if state.best is None:
        if state.bound == np.inf:
            reason = "求解器证明没有可行方案 / proved: no plan keeps all limits"
            return _answer(state, nearest, None, "infeasible", seed, reason)
        trial = _answer(state, nearest, None, "unknown", seed)
        broken = sorted({f"{v.rule} {v.where}".strip() for v in check(state.question, trial)})
        reason = "未找到可行方案；最接近的方案违反 / no valid plan found; the nearest breaks: "
        return _answer(state, nearest, None, "unknown", seed, reason + "; ".join(broken[:20]))
    closed = state.value - state.bound <= 1e-6 * max(abs(state.value), 1.0)
    return _answer(state, state.best, state.states, "optimal" if closed else "feasible", seed)


def _impossible(question: Question, model: Model, began: float, seed: int) -> Answer:
    problem = question.problem
    names = "、".join(
        f"{problem.village_ids[int(problem.group_village[i])]} {problem.bands[int(problem.group_band[i])]}"
        f" ({problem.site_ids[int(model.today[i])]})"
        for i in model.impossible[:20]
    )
    state = _State(question, model, ground_of(question), began, None)
    state.bound = np.inf
    reason = (
        f"{len(model.impossible)} 个村（学段）须离开现校而别无合规去处；请放宽行程上限、增开校点或保留其学校 / "
        f"must leave their school and have nowhere to go within the limits: {names}"
    )
    return _answer(
        state, keep_decision(model, len(problem.years)), None, "infeasible", seed, reason
    )
