"""Plans found so far, and what to search next: a new one, a merger of several, or the best reheated.

Plans of independent chains agree on most villages. Merged, what they agree on is held and the rest
searched among what one of them does: a far smaller space, in which most of what is good about each
can be had at once. Reheating the best plan then finds what none of them had.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.phases.chain import HOT, Chained, Scale, chain, scale_of, worth
from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.contiguous import Ground
from catchment.optimise.phases.decode import Decision, trajectory
from catchment.optimise.phases.exact import solve_exactly
from catchment.optimise.phases.merge import narrowed, unlike
from catchment.optimise.phases.table import Table
from catchment.problem import Int32

STARTS, CHAIN = (3, 9), 60
"""Chains of their own before plans are merged, at least and at most, and the proposals for each move
by year that one of them should have."""
NEW, MERGED, REHEATED = 0.45, 0.03, 0.10
"""Shares of all the time of these chains together, of one merger and of one reheated plan."""
EVERY = 3
"""One task in so many is an exact neighbourhood."""
REHEAT, MERGE_HEAT = (1.0, 0.3), (0.3, 1.0)
"""First temperatures of reheated and of merged plans, by turns."""
KEPT, MERGED_PLANS = 12, 6
"""Best plans that are kept, and those of them that are merged."""
ALIKE = 0.08
"""Share of the choosers below which plans differ too little to merge: another chain begins anew."""
FIRMER = 4.0
"""Factor of what cut-off villages cost after a chain that could not connect them."""
GROUPS, MOVES = 24, 700
"""Village-bands, and moves by year, of an exact neighbourhood at most."""
NEIGHBOURHOOD_SECONDS = 2.0
"""Seconds the solver may take for one of them."""
AGAIN = 4
"""Times that a neighbourhood is solved again with what its plan cuts off forbidden; where steps are
counted, a whole model, too, that is not tiny."""
TEMPTING = 40
"""Quick plans that heed their neighbours little: what they cut off is forbidden before the exact
model is solved."""
TEMPTING_STEPS = 80_000
"""Proposals of each of them."""


class _Task(NamedTuple):
    kind: str
    share: float
    seed: int
    heat: float = HOT
    start: Decision | None = None
    table: Table | None = None


class Population:
    """Plans of one question, best first; several threads may search it at once.

    Parameters
    ----------
    model : Model
        The compiled question.
    table : Table
        Constant arrays of the search.
    ground : Ground
        Who neighbours whom.
    whole : bool
        Whether catchments must be in one piece.
    first : Decision
        Where chains begin.
    today : Decision
        What they begin with by turns, should ``first`` break limits.
    seed : int
        Seed of all streams.
    """

    def __init__(
        self, model: Model, table: Table, ground: Ground, whole: bool, first: Decision,
        today: Decision, seed: int,
    ) -> None:  # fmt: skip
        self.table, self.whole = table, whole
        self._model, self._ground = model, ground
        self._first, self._today, self._seed = first, today, seed
        self._plans: list[tuple[float, Decision]] = []
        self._nearest, self._least = first, np.inf
        self._lock = threading.Lock()
        self._starts, self._rate = STARTS[1], 1.0
        self._chains = self._tasks = self._streams = self._reheated = self._mergers = 0
        self._fresh, self._firm = False, 1.0
        self.scale = Scale(1.0, 1.0)
        self.best, self.value = first, np.inf
        self.add(first)

    def measure(self) -> None:
        """Set temperatures and the weight of limits from what proposals cost here."""
        self.scale = scale_of(self.table, self._ground, self._first, self._seed)

    def top(self) -> tuple[float, Decision]:
        """Return the best plan's yuan without the first year, inf for none, and the plan."""
        with self._lock:
            return self.value, self.best

    @property
    def nearest(self) -> Decision:
        """The best plan, or the one that breaks limits least."""
        return self.best if np.isfinite(self.value) else self._nearest

    def add(self, decision: Decision) -> None:
        """Take in a plan, if it is valid.

        Parameters
        ----------
        decision : Decision
            Options and years.
        """
        self._keep(worth(self.table, self._ground, decision, self.whole), decision)

    def _keep(self, value: float, decision: Decision) -> None:
        if not np.isfinite(value):
            return
        self._better(value, decision)
        with self._lock:
            if all(unlike(decision, plan) for _, plan in self._plans):
                self._plans.append((value, decision))
                self._plans.sort(key=lambda known: known[0])
                del self._plans[KEPT:]
                self._fresh = True

    def _better(self, value: float, decision: Decision) -> None:
        """Take a valid plan for the best if it is cheaper."""
        with self._lock:
            if value < self.value - 1e-6:
                self.value, self.best = value, (decision[0].copy(), decision[1].copy())

    def _budget(self, steps: float) -> None:
        """Lay down with how many chains a search of so many proposals begins."""
        long = CHAIN * max(float(self.table.allowed.sum()), 1.0)
        self._starts = int(np.clip(NEW * steps / long, *STARTS))

    def advance(self, total: int, steps: int) -> None:
        """Search for so many proposals, the same on every machine.

        Parameters
        ----------
        total : int
            Proposals of the whole search, of which tasks take their shares.
        steps : int
            Proposals of this call.
        """
        self._budget(total)
        while steps > 0 and len(self.table.choosers):
            task = self._next(exact=False)
            count = min(max(round(task.share * total), 1), steps)
            self._chain(task, count, np.inf, None)
            steps -= count

    def begin(self, seconds: float) -> None:
        """Lay down with how many chains a search begins.

        Parameters
        ----------
        seconds : float
            Time of all threads together.
        """
        self._budget(self._rate * seconds)

    def work(self, seconds: float, end: float, stopped: Callable[[], bool]) -> None:
        """Search until the time is over; several threads may do so at once.

        Parameters
        ----------
        seconds : float
            Time of all threads together, of which tasks take their shares.
        end : float
            When to stop, by :func:`time.perf_counter`.
        stopped : callable
            Asked often whether to stop before that.
        """
        while len(self.table.choosers) and not stopped():
            left = end - time.perf_counter()
            if left <= 0:
                return
            task = self._next(exact=True)
            if task.kind == "exact":
                self._rebuild(task.seed, min(NEIGHBOURHOOD_SECONDS, left), None)
            else:
                self._chain(task, None, min(task.share * seconds, left), stopped)

    def quick(self, steps: int, seconds: float) -> None:
        """Search a first plan.

        Parameters
        ----------
        steps, seconds : int, float
            Proposals, and time they may take.
        """
        if len(self.table.choosers):
            began = time.perf_counter()
            run = self._chain(self._anew(), steps, seconds, None)
            self._rate = run.steps / max(time.perf_counter() - began, 1e-3)

    def _next(self, *, exact: bool) -> _Task:
        with self._lock:
            self._tasks += 1
            if self._chains < self._starts or not self._plans:
                return self._anew()
            if exact and self._tasks % EVERY == 0:
                return _Task("exact", 0.0, self._stream())
            plans = [plan for _, plan in self._plans[:MERGED_PLANS]]
            if self._fresh and len(plans) > 1:
                self._fresh = False
                table = narrowed(self.table, plans)
                if len(table.choosers) < ALIKE * len(self.table.choosers):
                    return self._anew()
                self._mergers += 1
                heat = MERGE_HEAT[self._mergers % len(MERGE_HEAT)]
                return _Task("merged", MERGED, self._stream(), heat, plans[0], table)
            self._reheated += 1
            heat = REHEAT[self._reheated % len(REHEAT)]
            return _Task("reheated", REHEATED, self._stream(), heat, self.best)

    def _anew(self) -> _Task:
        self._chains += 1
        start = self._first if self._chains % 2 else self._today
        return _Task("new", NEW / self._starts, self._stream(), HOT, start)

    def _stream(self) -> int:
        """Seed of the next task."""
        self._streams += 1
        return abs(self._seed) * 100_003 + self._streams

    def _chain(
        self,
        task: _Task,
        steps: int | None,
        seconds: float,
        stopped: Callable[[], bool] | None,
    ) -> Chained:
        def tell(value: float, decision: Decision) -> bool:
            self._better(value, decision)
            return stopped is not None and stopped()

        run = chain(
            self.table if task.table is None else task.table, self._ground, self.scale,
            self._first if task.start is None else task.start,
            seed=task.seed, heat=task.heat, whole=self.whole, steps=steps, seconds=seconds,
            firm=self._firm, tell=tell,
        )  # fmt: skip
        self._keep(run.value, run.best)
        if self.whole and task.kind == "new" and np.isinf(run.value) and run.broken <= 1e-6:
            self._firm *= FIRMER
        if run.broken < self._least:
            self._least, self._nearest = run.broken, run.best
        return run

    def tempting(self, limit: int, seconds: float) -> list[Int32]:
        """Sites of quick plans that heed their neighbours little.

        Parameters
        ----------
        limit : int
            Plans at most.
        seconds : float
            Time they may take.

        Returns
        -------
        list of (n, t) int32
            Site of every group by year.
        """
        years = self.table.students.shape[2]
        began = time.perf_counter()
        start = self.nearest
        out: list[Int32] = []
        # In an order in which the first few differ as much as all of them.
        order = np.argsort(np.arange(TEMPTING) * 0.6180339887 % 1.0)
        for cut in np.geomspace(0.005, 2.0, TEMPTING)[order][:limit]:
            if time.perf_counter() - began > seconds:
                break
            run = chain(
                self.table, self._ground, self.scale, start, seed=self._stream(), heat=2.0 * HOT,
                whole=bool(out), steps=TEMPTING_STEPS, cut=cut,
            )  # fmt: skip
            start = run.last
            out.append(trajectory(self._model, run.last, years))
        return out

    def rebuild(self, nodes: int) -> None:
        """Solve the surroundings of one school exactly, everything else held.

        Parameters
        ----------
        nodes : int
            Nodes of the solver at most, so that nothing depends on the machine.
        """
        with self._lock:
            seed = self._stream()
        self._rebuild(seed, np.inf, nodes)

    def _rebuild(self, seed: int, seconds: float, nodes: int | None) -> None:
        (value, held), c = self.top(), self.table
        if not np.isfinite(value) or len(c.changeable) == 0:
            return
        rng = np.random.default_rng(seed)
        free = surroundings(c, held, int(rng.choice(c.changeable)), rng)
        if not free.any():
            return
        exact = solve_exactly(
            self._model, free=free, held=held, time_limit=seconds, seed=seed,
            start=held, gap=1e-5, options=None if nodes is None else {"mip_max_nodes": nodes},
            ground=self._ground if self.whole else None, rounds=AGAIN,
        )  # fmt: skip
        if exact.decision is not None:
            self.add(exact.decision)


def surroundings(
    c: Table, held: Decision, j: int, rng: np.random.Generator, room: int = MOVES
) -> npt.NDArray[np.bool_]:
    """Village-bands at a school and at those that share most villages with it.

    Parameters
    ----------
    c : Table
        Constant arrays.
    held : Decision
        A plan.
    j : int
        The school.
    rng : Generator
        Varies whom it is said to share most with.
    room : int
        Moves by year of all of them, at most.

    Returns
    -------
    (n,) bool
        No more than :data:`GROUPS` of them.
    """
    free = np.zeros(len(c.groups), dtype=bool)
    if not len(c.options):
        return free
    choosers = np.zeros(len(free), dtype=bool)
    choosers[c.choosers] = True
    site = np.where(held[0] >= 0, c.options[np.maximum(held[0], 0), 0], c.groups[:, 0])
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
