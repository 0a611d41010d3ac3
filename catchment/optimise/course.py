"""The state of one search for catchments: plans, tasks in flight, and what they brought so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.annealing import Ground, Pool
from catchment.optimise.partition import Store
from catchment.optimise.redraw import Redrawn

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

MEMORY = 1e8  # proposals after which what a kind of task brought counts a third
PAIRS = 100.0  # choices of an exact model of neighbours at first
CHOICES = 60.0  # choices of an exact model of what plans do differently, beside those made

# kinds of tasks
RUN = "run"  # annealing the whole
ANNEALED, MODELLED, MIXED = "annealed", "modelled", "mixed"  # parts of the best plan
RAISED = "raised"  # all runs of new plans beside it
UNITED = "united"  # what plans do differently, solved when a new plan is done
KINDS = (ANNEALED, MODELLED, MIXED)


class Scale(NamedTuple):
    """Measured sizes: what a shift typically costs, and a place at the dearest site."""

    shift: float
    price: float
    demand: float


@dataclass
class Yield:
    """What tasks of a kind brought lately per proposal, and what they cost in all."""

    rate: float = 0.0
    cost: float = 0.0

    def book(self, gain: float, cost: float) -> None:
        """Add a task.

        Parameters
        ----------
        gain : float
            What the plan it worked on became better by, zero or more.
        cost : float
            Proposals, or steps of the solver counted as such.
        """
        kept = float(np.exp(-cost / MEMORY))
        self.rate = kept * self.rate + (1.0 - kept) * gain / max(cost, 1.0)
        self.cost += cost


@dataclass(eq=False)
class Plan:
    """A plan in the running; ``merit`` is its weight and a high price for its overload.

    ``idle`` counts tasks since it last gained, ``echoes`` are the states in which runs from it
    lately ended, ``cost`` the proposals it was given since it was new, ``lately`` the last of
    them with the merit it had before.
    """

    site: Int32
    value: float
    over: float
    merit: float
    idle: int = 0
    echoes: list[Int32] = field(default_factory=list)
    cost: float = 0.0
    lately: list[tuple[float, float]] = field(default_factory=list)


class Setting(NamedTuple):
    """Logarithms of the first temperature (10, in shifts) and of the penalty (2, in prices)."""

    heat: float
    penalty: float


class Found(NamedTuple):
    """What a run brings: best plan, weight, overload, catchments met, and the state it ended in."""

    site: Int32
    value: float
    over: float
    pool: Pool | None
    last: Int32 | None = None


class Task(NamedTuple):
    """A task in flight: its coming result, and what it began with.

    ``kind`` names the yield it is booked to; ``parent`` is the plan in the running that it works
    on, ``base`` what that was at the time, ``region`` the sites that may change, ``cost`` its
    length in proposals, 0 = told by the result, ``booked`` what was put down for it until then.
    """

    result: Future[Found | Redrawn | None]
    kind: str
    parent: Plan | None = None
    base: Plan | None = None
    region: Bool | None = None
    cost: int = 0
    booked: int = 0
    setting: Setting | None = None


class Trial(NamedTuple):
    """A run of the whole: how it was set, and the plan it gave."""

    setting: Setting
    value: float
    over: float


class Due(NamedTuple):
    """Plans to be united with one; ``parent`` none = with the best, others of the archive too.

    ``needed`` says that it is done even where uniting had more than its share of the work.
    """

    parent: Plan | None
    others: list[Int32]
    needed: bool = False


@dataclass
class Search:
    """The state of one search.

    ``work`` is how many proposals may be made (inf = no limit), ``spent`` how many the tasks begun
    so far were given, steps of the solver counted as proposals, ``begun`` how many when the search
    last began afresh; ``late`` says that the time was
    over before the work was done. ``pairs`` is how large exact models of neighbours are, ``each``
    what a catchment adds to one, ``choices`` how large those of differences are, ``tried`` are
    those met before. ``crowded`` says that new plans are raised beside the best: ``novice`` is the
    one at work (``coming``: its first run is in flight), ``archive`` holds those done, ``due``
    what is to be united, ``trials`` how first runs were set and what came of it.
    """

    ground: Ground
    scale: Scale
    store: Store
    seed: int
    until: float
    clock: Callable[[], float]
    start: Int32
    budget: int
    work: float
    bound: float
    enough: float
    tariff: float
    plans: list[Plan] = field(default_factory=list)
    made: int = 0
    spent: int = 0
    begun: int = 0
    taken: int = 0
    afresh: int = 0
    last_gain: int = 0
    kept: Plan | None = None
    late: bool = False
    yields: dict[str, Yield] = field(
        default_factory=lambda: {kind: Yield() for kind in (RUN, *KINDS, RAISED, UNITED)}
    )
    pairs: float = PAIRS
    each: float = 50.0
    choices: float = CHOICES
    tried: set[bytes] = field(default_factory=set)
    crowded: bool = False
    novice: Plan | None = None
    coming: bool = False
    archive: list[Int32] = field(default_factory=list)
    due: deque[Due] = field(default_factory=deque)
    trials: list[Trial] = field(default_factory=list)
    halt: Bool = field(default_factory=lambda: np.zeros(1, dtype=bool))

    def best(self) -> Plan:
        """Return the best plan in the running."""
        return self.plans[0]

    def seconds(self) -> float:
        """Return the seconds left."""
        return self.until - self.clock()

    def plan(self, found: Found) -> Plan:
        """Return what was found as a plan, at today's price of overload.

        Parameters
        ----------
        found : Found
            What a run or a model brought.

        Returns
        -------
        Plan
            With its merit.
        """
        merit = found.value + self.tariff * found.over
        return Plan(found.site, found.value, found.over, merit)


def weigh(ground: Ground, site: Int32) -> tuple[float, float]:
    """Return the weight of a plan and its overload.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        A plan, -1 = unserved.

    Returns
    -------
    value, over : float
        Demand x cost of all that is served; places taken beyond capacity, zero where only by
        rounding.
    """
    served = np.flatnonzero(site >= 0)
    load = np.bincount(site[served], ground.demand[served], minlength=ground.capacity.size)
    over = float(np.maximum(load - ground.capacity, 0.0).sum())
    slip = 1e-9 * (1.0 + float(ground.demand.sum()))
    return float(ground.weight[served, site[served]].sum()), over if over > slip else 0.0


def less(one: float, other: float) -> bool:
    """Tell whether a value is less than another by more than rounding.

    Parameters
    ----------
    one, other : float
        Values.

    Returns
    -------
    bool
        True where ``one`` is less.
    """
    return one < other - 1e-12 * max(1.0, abs(one))


def brought_up_to_date(task: Task, drawn: Int32) -> Int32:
    """Put what was changed into the plan as it is now, where others changed only the rest of it.

    Parameters
    ----------
    task : Task
        What changed its region of its parent as it was at the time.
    drawn : (n,) int32
        The plan that came of it.

    Returns
    -------
    (n,) int32
        The same array where the parent has not changed or its region has.
    """
    parent, base, region = task.parent, task.base, task.region
    if parent is None or base is None or region is None or parent.site is base.site:
        return drawn
    inside = (base.site >= 0) & region[base.site]
    now = (parent.site >= 0) & region[parent.site]
    if (inside != now).any() or (base.site[inside] != parent.site[inside]).any():
        return drawn
    site = parent.site.copy()
    site[inside] = drawn[inside]
    return site
