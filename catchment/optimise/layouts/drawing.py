"""Catchments of one band and year within the places that there are, doing what planners ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from catchment.optimise import assignment, contiguity, keeping
from catchment.optimise.layouts.joined import homes
from catchment.optimise.layouts.places import (
    SLACKS,
    WIDE_SLACKS,
    Seats,
    Task,
    band_places,
    demand_seats,
    overflow,
    who_is_short,
)
from catchment.optimise.layouts.reach import linked
from catchment.optimise.layouts.refused import Ground, refusal
from catchment.optimise.layouts.sharing import (
    Divided,
    again,
    divisions,
    led_by_most,
    solved_at_once,
    taken,
    told_counts,
)
from catchment.optimise.layouts.told import Note, excess
from catchment.optimise.layouts.weights import Cost, minutes_of
from catchment.optimise.wished import draw
from catchment.optimise.wishes import NoPlanError, Wishes, Witness
from catchment.problem import Bool, Int32, Problem

STEPS = 20_000
"""Proposals of the search for each village of a band and year, at ``effort`` 1."""

OVER_LIMIT_MINUTES = 120.0
"""What a minute limit is worth: a trip beyond it counts as so many minutes longer."""

_BY_THE_CLOCK = (
    "求解时间用尽，划片搜索未做完既定步数：再算一次可能得到另一方案（可加大 time_limit） / "
    "the time limit ended the search before its work was done: another run may find another plan "
    "(raise time_limit)"
)


@dataclass(frozen=True)
class Clock:
    """Seconds left for so many searches, and how much work each may do.

    Attributes
    ----------
    seconds : float
        Left for all of them.
    searches : int
        How many.
    effort : float
        1 = :data:`STEPS` a village.
    """

    seconds: float
    searches: int
    effort: float

    def share(self) -> float:
        """Seconds the next search may take; what it does not use is left for those after it."""
        return self.seconds / max(self.searches, 1)

    def less(self, used: float) -> Clock:
        """Return the clock after a search.

        Parameters
        ----------
        used : float
            Seconds that it took.

        Returns
        -------
        Clock
            With one search less to do.
        """
        return Clock(max(self.seconds - used, 0.0), self.searches - 1, self.effort)

    def work(self, units: int) -> float:
        """Proposals a search over so many units may make.

        Parameters
        ----------
        units : int
            Villages.

        Returns
        -------
        float
            At least one.
        """
        return max(self.effort * STEPS * units, 1.0)


class Drawn(NamedTuple):
    """Catchments of a band and year, their bound, what had to be done, seconds, who is divided."""

    site: Int32
    bound: float
    notes: tuple[Note, ...]
    seconds: float
    rows: tuple[keeping.Row, ...] = ()


def drawn_catchments(
    problem: Problem,
    members: Int32,
    band: int,
    t: int,
    cost: Cost,
    fixed: Int32,
    clock: Clock,
    seed: int,
    wishes: Wishes,
) -> Drawn:
    """Draw the catchments of one band and year within places, doing what is asked.

    Parameters
    ----------
    problem : Problem
        The question.
    members : (k,) int32
        Groups of the band.
    band, t : int
        Positions of band and year.
    cost : (k, m) float64
        Minutes as they count, inf = must not be.
    fixed : (k,) int32
        Site that each must go to, -1 = none.
    clock : Clock
        Work and seconds of the search.
    seed : int
        Seed of the search.
    wishes : Wishes
        What planners add.

    Returns
    -------
    Drawn
        The catchments.

    Raises
    ------
    NoPlanError
        Where no plan does all that the wishes demand.
    """
    usable = problem.must_open[:, band, t]
    minutes = minutes_of(problem, members, band, t, usable)
    demand = problem.demand()[members, t].astype(np.int64)
    nearest_one = minutes.min(axis=1, keepdims=True)
    far = minutes > np.maximum(float(problem.trip_limit[band]), nearest_one)
    loose = cost + np.where(far, OVER_LIMIT_MINUTES, 0.0)
    wanted = loose.copy()
    pinned = np.flatnonzero(fixed >= 0)
    wanted[pinned] = np.inf
    wanted[pinned, fixed[pinned]] = cost[pinned, fixed[pinned]]
    allowed = np.isfinite(wanted).any(axis=1)
    reached: Bool = np.asarray(np.isfinite(minutes).any(axis=1))
    reached[pinned] &= np.isfinite(minutes[pinned, fixed[pinned]])
    if (reached & ~allowed & (demand > 0)).any():
        stuck = np.flatnonzero(reached & ~allowed & (demand > 0))
        raise NoPlanError(
            Witness(
                band, t, "nowhere", tuple(members[stuck].tolist()), (), int(demand[stuck].sum())
            )
        )
    # a village without children that is barred everywhere still lies in some catchment
    idle = np.flatnonzero(reached & ~allowed)
    wanted[idle] = loose[idle] = minutes_of(problem, members[idle], band, t, usable)
    served = np.flatnonzero(np.isfinite(wanted).any(axis=1)).astype(np.int32)
    if not len(served):
        return Drawn(np.full(len(members), -1, dtype=np.int32), 0.0, (), 0.0)
    task = Task(
        problem, band, t, members[served], wanted[served], minutes[served], demand[served],
        fixed[served], wishes, loose[served],
    )  # fmt: skip
    drawn = _draw(task, clock, seed, served, fixed)
    site = np.full(len(members), -1, dtype=np.int32)
    site[served] = drawn.site
    return drawn._replace(site=site)


def _draw(task: Task, clock: Clock, seed: int, served: Int32, fixed: Int32) -> Drawn:
    """Seat, divide the shared, draw the rest, and say what was exceeded."""
    problem, band, t = task.problem, task.band, task.t
    usable = problem.must_open[:, band, t]
    places = band_places(problem, band, t).astype(np.int64)
    most = task.most()
    demand_seats(task, most)
    short, share = overflow(task.demand, places, task.wanted, most)
    notes: list[Note] = []
    if short.any():
        notes.append(excess(problem, band, t, "学位缺口，超出标准容量接收 / places short", short))
        notes.extend(who_is_short(task, np.minimum(places, most)))
    capacity = places + short
    seats = Seats(places, capacity, most, share)
    ground = _ground(task, served, fixed)
    found = _searched(task, seats, ground, clock, seed)
    done = found.plan
    if done is not None and done.parts:
        done = led_by_most(task, done, ground.neighbours, ground.own)
    if done is None:
        if task.wishes.hard():
            raise NoPlanError(refusal(task, seats, ground, proved=found.proved))
        seated = np.where(
            share.sum(axis=1) > 0, share.argmax(axis=1), assignment.nearest(task.wanted)
        )
        site = contiguity.connect(
            seated.astype(np.int32), task.wanted, ground.neighbours, ground.home, usable
        )
        done = Divided(task.demand, task.wanted, {}, site)
    site, whole, parts = done.site, done.whole, done.parts
    load = np.bincount(site, weights=whole, minlength=len(places)).astype(np.int64)
    rows: list[keeping.Row] = []
    for row, count in parts.items():
        for j, k in count.items():
            load[j] += k if j != site[row] else k - whole[row]
        rows += keeping.divided(problem, int(task.groups[row]), t, count, int(site[row]))
    over = np.maximum(load - capacity, 0)
    if over.any():
        what = "村不拆分而超出容量的学生 / students above capacity, villages being kept whole"
        notes.append(excess(problem, band, t, what, over))
    low = assignment.transport(
        task.minutes, task.demand.astype(np.float64), np.maximum(capacity, load).astype(np.float64)
    ).bound
    if found.late:
        notes.append(Note(band, _BY_THE_CLOCK, str(problem.years[t])))
    return Drawn(site, float(low), tuple(notes), found.seconds, tuple(rows))


def _ground(task: Task, served: Int32, fixed: Int32) -> Ground:
    """Who borders on whom, and where each catchment begins."""
    problem = task.problem
    usable = problem.must_open[:, task.band, task.t]
    position = np.full(len(problem.village_ids), -1, dtype=np.int32)
    position[served] = np.arange(len(served), dtype=np.int32)
    home = homes(problem, usable, task.minutes, position, fixed)
    own = np.where(home == position[problem.home], home, -1).astype(np.int32)
    at = np.maximum(home, 0)
    fits = (home >= 0) & np.isfinite(task.wanted[at, np.arange(len(home))])
    touching = problem.neighbours[served][:, served]
    neighbours = linked(task.wanted, touching, np.where(fits, home, -1), task.fixed)
    return Ground(neighbours, home, own)


class _Found(NamedTuple):
    """The plan of a search, whether it is certain that there is none, seconds, the clock's end."""

    plan: Divided | None
    proved: bool
    seconds: float
    late: bool


def _searched(task: Task, seats: Seats, ground: Ground, clock: Clock, seed: int) -> _Found:
    """Search at the least excess of places at which a plan is found."""
    hard, asked = task.wishes.hard(), task.asked()
    told = told_counts(task)
    slacks = (*SLACKS, *WIDE_SLACKS) if hard else SLACKS
    begin = [ground.home]
    if (ground.own != ground.home).any():
        begin.append(ground.own)  # what stands in for an own village is wanted, not demanded
    used, late, proved = 0.0, False, False
    for home in begin:
        for slack in slacks:
            left = max(clock.share() - used, 0.1)
            if task.wishes.shared:
                room = _room(task, seats, None, home, slack)[1]
                whole = solved_at_once(
                    task, told, room, ground.neighbours, home, time_limit=left, seed=seed
                )
                if whole is not None:
                    done, proved, seconds = whole
                    used += seconds
                    late = late or (done is None and not proved)
                    if done is not None:
                        return _Found(done, False, used, late)
                    continue
            for divided in divisions(task, told, seats.share, home):
                own, room = _room(task, seats, divided, home, slack)
                gone = taken(divided, len(room))
                crowded = (own >= 0) & (room <= 0) & (seats.most > 0)
                if divided.parts and ((gone > seats.most) | crowded).any():
                    proved = False
                    continue
                found = draw(
                    divided.wanted, divided.whole.astype(np.float64), room, ground.neighbours, own,
                    asked.fewer(gone),
                    time_limit=left, seed=seed, work=clock.work(len(task.groups)), prove=hard,
                )  # fmt: skip
                used += found.seconds
                late = late or found.timed_out
                # other divisions of the shared are left out by one of them
                proved = found.status == "infeasible" and not task.wishes.shared
                if (found.site_of >= 0).all() and found.status in ("optimal", "feasible"):
                    done = again(task, found.site_of, divided, seats.capacity)
                    if done is not None:
                        return _Found(done, False, used, late)
    return _Found(None, proved, used, late)


def _room(
    task: Task, seats: Seats, divided: Divided | None, home: Int32, slack: float
) -> tuple[Int32, Cost]:
    """Homes as the search may keep them, and places left to it at a slack."""
    m = len(home)
    wanted = task.wanted if divided is None else divided.wanted
    whole, gone = task.demand.copy(), np.zeros(m)
    if divided is not None:
        whole, gone = divided.whole, taken(divided, m)
    else:
        shared = [i for each in task.wishes.shared for i in each.groups]
        whole[np.isin(task.groups, shared)] = 0
    at = np.maximum(home, 0)
    fits = (home >= 0) & np.isfinite(wanted[at, np.arange(m)])
    own = np.where(fits, home, -1).astype(np.int32)
    usable = task.problem.must_open[:, task.band, task.t]
    everybody = np.full(m, float(task.demand.sum()))
    wide = everybody if np.isinf(slack) else np.ceil(seats.capacity * (1 + slack))
    room = np.maximum(wide - gone, np.where(fits, whole[at], 0))
    room = np.where(usable, np.minimum(room, seats.most - gone), 0.0)
    return own, np.maximum(room, 0.0)
