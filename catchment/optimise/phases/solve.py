"""One answer: search and exact neighbourhoods take turns while a second thread raises the bound."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from catchment.optimise.dice import dice
from catchment.optimise.phases import bound as low
from catchment.optimise.phases.anneal import anneal, rises
from catchment.optimise.phases.compile import Model, compile_model
from catchment.optimise.phases.contiguous import Cuts, Ground, ground_of, room_for
from catchment.optimise.phases.decode import (
    Decision,
    answer_of,
    decision_of,
    keep_decision,
    trajectory,
)
from catchment.optimise.phases.exact import ROUNDS, solve_exactly
from catchment.optimise.phases.question import Answer, Memory, Question
from catchment.optimise.phases.siteyears import Parts, split
from catchment.optimise.phases.table import Run, Table, begin, heaviest, restart, tabulate
from catchment.optimise.phases.verify import check
from catchment.optimise.solution import Status
from catchment.plan import Plan
from catchment.problem import Int8, Int32

EXACT_COLUMNS = 4000
"""Moves by year up to which the whole model is handed to the solver."""
TINY_COLUMNS = 150
"""Moves by year up to which that is done at once, before any search."""
EXACT_SECONDS = 2.0
"""Seconds the solver may take for those; what needs more is searched first and then solved again."""
SLICE = 60_000
"""Proposals between two looks at the clock."""
SHARES = np.array([0.86, 0.14])
"""Shares of the time of search and of exact neighbourhoods."""
GROUPS, MOVES = 24, 700
"""Village-bands, and moves by year, of an exact neighbourhood at most."""
NEIGHBOURHOOD_SECONDS = 2.0
"""Seconds the solver may take for one of them."""
ROUND, ROUND_OF_MOVE = 400_000, 100
"""Proposals of one round of the search when steps are counted: so many, and so many for each move by
year that there is, whichever is more."""
NODES = 200
"""Nodes of the solver in a neighbourhood when steps are counted; ten times as many for a whole
model, a hundred times for a tiny one, so that nothing depends on the clock."""
BOUND_STEPS = 600
"""Steps of the bound in one round when steps are counted."""
TEMPTING, TEMPERATURES = 40, 8
"""Quick plans that heed their neighbours little, and steps in which each of them cools: what they cut
off is forbidden before the exact model is solved."""
PRICE_MOVES = 400
"""Moves by year of the surroundings of a school that is priced."""
LOCAL_GAP = 1e-4
"""Gap, of the yuan of the surroundings alone, at which a price of one school is near enough."""
AGAIN = 4
"""Times that a neighbourhood is solved again with what its plan cuts off forbidden; where steps are
counted, a whole model, too, that is not tiny."""
HOT, COLD = 8.0, 3e-3
"""First and last temperature of a whole round, shares of what a random change costs."""
CUT, CUT_LAST = 0.003, 0.3
"""What a village-band weighs that is cut off for a year, at the first and at the last temperature,
as a share of the weight of a broken limit: what is soft at first is firm in the end."""


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
        return self.value - self.bound <= 1e-9 * abs(self.value)

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

    Small questions are solved exactly. Larger ones are searched by annealing with restarts and
    exact neighbourhoods, while a Lagrangian bound is improved in a second thread. The same seed
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
    if steps is not None:
        time_limit = 60.0  # shares of the time lay down the lengths of rounds
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


def polish(question: Question, start: Plan, site: int, *, seed: int = 0) -> Answer:
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

    Returns
    -------
    Answer
        The plan, without a bound; ``unknown`` where the surroundings allow none.
    """
    model = compile_model(question)
    state = _State(question, model, ground_of(question), time.perf_counter(), None)
    if model.impossible:
        return _impossible(question, model, state.began, seed)
    table = tabulate(model)
    run = begin(table, decision_of(model, start.site_of), dice(seed))
    search = _Search(state, table, run, room_for(state.ground), seed)
    search.look()
    if np.isfinite(run.best_value[0]):
        now = float(run.best_value[0]) + model.fixed_cost
        state.note(now, -np.inf, (run.best[0], run.best[1]))
    held = search.now()
    free = search.surroundings(site, np.random.default_rng(seed), held, PRICE_MOVES)
    if free.any():
        exact = solve_exactly(
            model, free=free, held=held, time_limit=np.inf, seed=seed, start=state.best,
            gap=LOCAL_GAP, options=_nodes(2 * NODES), ground=state.joined, rounds=AGAIN,
        )  # fmt: skip
        if exact.decision is not None:
            trial = _answer(state, exact.decision, None, "feasible", seed)
            if not check(question, trial):
                state.note(trial.plan.objective, -np.inf, exact.decision)
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
    run = begin(table, first, dice(seed))
    end = np.inf if steps is not None else state.began + time_limit
    columns = int(table.allowed.sum())
    search = _Search(state, table, run, room_for(state.ground), seed)
    if columns <= TINY_COLUMNS:
        soon = min(state.began + EXACT_SECONDS, end) if steps is None else np.inf
        if _exact(state, soon, seed, None if steps is None else 100 * NODES):
            return search.now()
    search.measure()
    # The first round takes about a tenth of the time, on a machine of ordinary speed.
    first_round = min(max(round(time_limit / 10 * 1e5), 4 * SLICE), 20 * SLICE)
    counted = max(ROUND, ROUND_OF_MOVE * columns)
    length = counted if steps is not None else first_round
    search.round(length, HOT, end)
    if not np.isfinite(run.best_value[0]):
        # What was given breaks limits, and mending it has failed: today's catchments are tried.
        run.plan[:] = np.stack(keep_decision(model, len(state.question.problem.years)))
        search.look()
        search.weight = 2.0 * heaviest(table)
        search.round(length, HOT, end)
    again = steps is None or columns > TINY_COLUMNS
    if again and columns <= EXACT_COLUMNS:
        # Where the exact model comes to its end, it is worth most of the time; where it does not,
        # its bound and its plan are what search and prices go on from.
        limit = state.began + 0.95 * time_limit if steps is None else np.inf
        nodes = None if steps is None else 10 * NODES
        hints = search.tempting(None if steps is not None else 0.08 * time_limit)
        if _exact(state, limit, seed, nodes, hints, ROUNDS if steps is None else AGAIN):
            return search.now()
    problem = state.question.problem
    parts = split(model, problem.group_band, problem.grade_band)
    prices = low.first_prices(model, parts, state.best or search.now())
    if memory is not None:
        prices = low.remembered(parts, memory.prices) or prices
    state.prices = prices
    rng = np.random.default_rng(seed)
    if steps is not None:
        for _ in range(steps):
            _raise_bound(state, parts, prices, BOUND_STEPS)
            search.round(counted, HOT, end)
            search.rebuild(rng, end, NODES)
            if state.closed():
                break
        return search.now()
    with _Climb(state, parts, prices) as climb:
        _take_turns(state, search, climb, rng, end, first_round)
    return search.now()


def _take_turns(
    state: _State,
    search: _Search,
    climb: _Climb,
    rng: np.random.Generator,
    end: float,
    first_round: int,
) -> None:
    """Search and solve neighbourhoods by turns until the time is over or the gap is closed."""
    spent = np.zeros(2)
    if len(search.table.choosers) == 0:
        # Nobody can move: there is nothing to search, only a bound to wait for.
        while time.perf_counter() < end and not state.closed():
            climb.look(wait=min(1.0, max(end - time.perf_counter(), 0.0)))
        return
    while time.perf_counter() < end and not state.closed():
        kind = int(np.argmin(spent / SHARES))
        turn = time.perf_counter()
        if kind == 0:
            # One long round is worth more than several short ones: most of what is left goes
            # into the next, and what is too short for a hot start begins cooler.
            left = max(end - time.perf_counter(), 0.0) * SHARES[0]
            length = int(search.rate * left * 0.6)
            heat = HOT if length >= first_round else float(rng.choice([0.5, 1.0, 2.0]))
            search.round(max(length, 4 * SLICE), heat, end, climb.look)
        else:
            search.rebuild(rng, end, None)
        spent[kind] += time.perf_counter() - turn
        climb.look()


class _Climb:
    """Raises the bound in a thread of its own; the compiled loops leave the interpreter free."""

    def __init__(self, state: _State, parts: Parts, prices: low.Prices) -> None:
        self._state, self._parts, self._prices = state, parts, prices
        self._stop, self._news = threading.Event(), threading.Event()
        self._found = -np.inf
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._raise, name="bound", daemon=True)

    def __enter__(self) -> _Climb:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()

    def look(self, wait: float = 0.0) -> None:
        """Take over what has been found since the last look."""
        if wait:
            self._news.wait(wait)
        self._news.clear()
        if self._fault is not None:
            raise self._fault
        if self._found > self._state.bound:
            self._state.note(np.inf, self._found, None)

    def _raise(self) -> None:
        try:
            while not (self._stop.is_set() or self._prices.done):
                before = self._found
                self._found = _climbed(self._state, self._parts, self._prices, 10)
                if self._found > before:
                    self._news.set()
        except Exception as fault:  # told by the thread that asked
            self._fault = fault
            self._news.set()


def _raise_bound(state: _State, parts: Parts, prices: low.Prices, rounds: int) -> None:
    state.note(np.inf, _climbed(state, parts, prices, rounds), None)


def _climbed(state: _State, parts: Parts, prices: low.Prices, rounds: int) -> float:
    """Take some steps towards a better bound; the bound, a little less for rounding."""
    target = state.value if np.isfinite(state.value) else prices.best * 1.2
    if not np.isfinite(target):
        target = abs(state.model.fixed_cost) * len(state.question.problem.years)
    # Whole villages take several times as long as divisible ones.
    count = max(rounds // 5, 1) if prices.whole else rounds
    found = low.improve(state.model, parts, prices, target, count)
    return found - 1e-9 * abs(found)


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


@dataclass
class _Search:
    """Rounds of annealing around the best plan."""

    state: _State
    table: Table
    run: Run
    cuts: Cuts
    seed: int
    hot: float = 1.0
    weight: float = 1.0
    rate: float = 1e5

    def measure(self) -> None:
        """Set temperature and weight of violations from what proposals cost here."""
        self.weight = 2.0 * heaviest(self.table)
        seen = rises(self.table, self.run, self.state.ground, self.cuts, 4000, self.weight)
        self.hot = float(np.median(seen)) if len(seen) else 1.0

    def look(self) -> None:
        """Count the present decisions anew; they are kept if they are valid and better."""
        restart(self.table, self.run)
        self._steps(0, 1.0, 1.0)

    def _steps(self, steps: int, hot: float, cold: float) -> bool:
        """Anneal; whether the plan at the end keeps all limits."""
        whole = self.state.question.connected
        first = 2.0 * heaviest(self.table) * CUT
        power = np.log(CUT_LAST / CUT) / np.log(HOT / COLD)
        broken, _ = anneal(
            self.table, self.run, self.state.ground, self.cuts, steps, hot, cold, self.weight,
            whole, first * (HOT * self.hot / hot) ** power,
        )  # fmt: skip
        return broken <= 1e-6

    def tempting(self, seconds: float | None) -> list[Int32]:
        """Sites of quick plans that heed their neighbours little, where the question asks for it."""
        if not self.state.question.connected:
            return []
        began = time.perf_counter()
        run = begin(self.table, self.now(), dice(self.seed + 1))
        years = self.table.students.shape[2]
        fall = (COLD / HOT) ** (1.0 / TEMPERATURES)
        out: list[Int32] = []
        # In an order in which the first few differ as much as all of them.
        order = np.argsort(np.arange(TEMPTING) * 0.6180339887 % 1.0)
        for weight in np.geomspace(CUT / 30, CUT * 10, TEMPTING)[order]:
            enough = len(out) >= 8 if seconds is None else time.perf_counter() - began > seconds
            if enough:
                break
            for k in range(TEMPERATURES):
                hot = HOT * self.hot * fall**k
                anneal(
                    self.table, run, self.state.ground, self.cuts, SLICE // 6, hot, hot * fall,
                    self.weight, bool(out), weight * self.weight,
                )  # fmt: skip
            out.append(trajectory(self.state.model, (run.plan[0], run.plan[1]), years))
        return out

    def now(self) -> Decision:
        """Present decisions."""
        return self.run.plan[0].copy(), self.run.plan[1].copy()

    def round(
        self, steps: int, heat: float, end: float, look: Callable[[], None] | None = None
    ) -> None:
        """Anneal from the best plan down from a share of the first temperature."""
        state, run = self.state, self.run
        if np.isfinite(run.best_value[0]):
            run.plan[:] = run.best
            restart(self.table, run)
        slices = max(round(steps / SLICE), 1)
        hot, cold = self.hot * heat, self.hot * COLD
        fall = (cold / hot) ** (1.0 / slices)
        began = time.perf_counter()
        done = 0
        while done < slices:
            done += 1
            kept = self._steps(SLICE, hot, hot * fall)
            hot *= fall
            # Limits that stay broken weigh more, kept ones slowly less.
            self.weight *= 0.97 if kept else 1.3
            value = float(run.best_value[0]) + state.model.fixed_cost
            if value < state.value - 1e-6:
                state.note(value, -np.inf, (run.best[0], run.best[1]))
            if look is not None:
                look()
            if time.perf_counter() >= end or state.closed():
                break
        self.rate = done * SLICE / max(time.perf_counter() - began, 1e-3)

    def rebuild(self, rng: np.random.Generator, end: float, nodes: int | None) -> None:
        """Solve the surroundings of one school exactly, everything else held."""
        state, run, c = self.state, self.run, self.table
        if state.best is None or len(c.changeable) == 0:
            return
        free = self.surroundings(int(rng.choice(c.changeable)), rng)
        limit = np.inf if nodes else min(NEIGHBOURHOOD_SECONDS, end - time.perf_counter())
        if limit <= 0 or not free.any():
            return
        exact = solve_exactly(
            state.model, free=free, held=state.best, time_limit=limit, seed=self.seed,
            start=state.best, gap=1e-5, options=_nodes(nodes), ground=state.joined,
            rounds=AGAIN,
        )  # fmt: skip
        if exact.decision is None:
            return
        run.plan[:] = np.stack(exact.decision)
        self.look()
        value = float(run.best_value[0]) + state.model.fixed_cost
        if value < state.value - 1e-6:
            state.note(value, -np.inf, (run.best[0], run.best[1]))

    def surroundings(
        self,
        j: int,
        rng: np.random.Generator,
        around: Decision | None = None,
        room: int = MOVES,
    ) -> npt.NDArray[np.bool_]:
        """Village-bands at a school and at those that share most villages with it."""
        c, best = self.table, self.state.best if around is None else around
        free = np.zeros(len(c.groups), dtype=bool)
        if best is None or not len(c.options):
            return free
        choosers = np.zeros(len(free), dtype=bool)
        choosers[c.choosers] = True
        site = np.where(best[0] >= 0, c.options[np.maximum(best[0], 0), 0], c.groups[:, 0])
        m = len(c.sites)
        shared = np.zeros(m)
        near = set(c.options[c.to_option[c.to_first[j] : c.to_first[j + 1]], 1].tolist())
        near |= set(c.from_group[c.from_first[j] : c.from_first[j + 1]].tolist())
        for i in near:
            reach = set(c.options[c.groups[i, 3] : c.groups[i, 4], 0].tolist()) | {int(site[i])}
            for k in reach:
                if k >= 0:
                    shared[k] += 1.0
        shared = shared * rng.uniform(0.5, 1.0, m)
        shared[j] = np.inf
        moves = c.allowed.sum(axis=1)
        for k in np.argsort(-shared, kind="stable"):
            if shared[k] <= 0:
                break
            mine = np.flatnonzero(choosers & ((site == k) | (c.groups[:, 0] == k)) & ~free)
            need = sum(int(moves[c.groups[i, 3] : c.groups[i, 4]].sum()) for i in mine)
            if need > room or free.sum() + len(mine) > GROUPS:
                continue
            free[mine] = True
            room -= need
        return free


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


def _finish(state: _State, nearest: Decision, seed: int) -> Answer:
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
