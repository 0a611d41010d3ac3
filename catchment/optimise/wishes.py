"""What planners add to a plan of catchments, as arrays, and the answer where nothing meets it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InfeasibleError
from catchment.optimise import assignment
from catchment.problem import Bool, Int32, Problem

Float64 = npt.NDArray[np.float64]

RIDE_MINUTES = 30.0
"""How many minutes longer a ride counts when schools are compared: walking before the bus."""


@dataclass(frozen=True)
class Shared:
    """Village-bands of one band that several schools share (多校划片).

    Attributes
    ----------
    groups : tuple of int
        Positions of the groups.
    sites : tuple of int
        Schools, two or more.
    shares : tuple of float
        Share of each school in every village; empty where places and travel decide.
    """

    groups: tuple[int, ...]
    sites: tuple[int, ...]
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class Wishes:
    """What planners add (sizes as in :mod:`catchment.problem`); nothing by default.

    Attributes
    ----------
    barred : (n, m) bool or None
        Pairs of village-band and school that must not be.
    extra : (n, m) float64 or None
        Minutes by which a school counts as farther: borders crossed, compactness.
    ride_minutes : float
        Minutes that a ride counts longer than a walk.
    least, most : (m, b) int32 or None
        Fewest and most students of a school in a band; 0 and -1 where it does not matter.
    together, apart : tuple of tuple of int
        Groups of one band that go to one school, and of which no two go to one school.
    shared : tuple of Shared
        Shared catchments.
    strict : (b,) bool or None
        Bands whose limit of a daily trip no plan may exceed.
    pinned : (n, t) int32 or None
        Present school that a village must keep in a year because an action names it, -1 = none.
    keep : bool
        Whether students stay at the school they began at while new entrants go to the new one.
    keep_band : bool
        Whether those who stay do so to the end of their band alone.
    siblings : float
        Share of new entrants who follow an elder child to the school that it keeps, 0 to 1.
    """

    barred: Bool | None = None
    extra: Float64 | None = None
    ride_minutes: float = RIDE_MINUTES
    least: Int32 | None = None
    most: Int32 | None = None
    together: tuple[tuple[int, ...], ...] = ()
    apart: tuple[tuple[int, ...], ...] = ()
    shared: tuple[Shared, ...] = ()
    strict: Bool | None = None
    pinned: Int32 | None = None
    keep: bool = False
    keep_band: bool = False
    siblings: float = 0.0

    def replace(self, **changes: Any) -> Wishes:
        """Return a copy with some wishes replaced.

        Parameters
        ----------
        **changes
            Attributes and their new values.

        Returns
        -------
        Wishes
            The changed copy.
        """
        return dataclasses.replace(self, **changes)

    def hard(self) -> bool:
        """Say whether any wish can make a plan impossible.

        Returns
        -------
        bool
            False where only costs or the order of moving are touched.
        """
        given = (self.barred, self.least, self.most, self.strict)
        return any(x is not None for x in given) or bool(self.together or self.apart or self.shared)


@dataclass(frozen=True)
class Witness:
    """Why a band and year have no plan, in positions, so that a person can count it.

    Attributes
    ----------
    band, year : int
        Positions.
    kind : {"nowhere", "share", "places", "least", "cut", "joined", "whole"}
        A village that may go to no school; students of a shared village whose share is a school
        that they may not go to; more students than places at all the schools that these villages
        may go to; fewer students than the least sizes of these schools together; villages that
        cannot lie in one piece with any school they may go to; more students than places at all
        the schools that these villages can lie in one piece with; enough places, but not for
        whole and connected catchments that do all that is asked.
    groups : tuple of int
        Village-bands.
    sites : tuple of int
        Schools they may go to.
    students, places : int
        How many there are of each; with ``least``, places are the students asked for.
    proved : bool
        Whether it is certain that no plan exists; else none was found.
    detail : str
        Further words in positions of units.
    """

    band: int
    year: int
    kind: str
    groups: tuple[int, ...] = ()
    sites: tuple[int, ...] = ()
    students: int = 0
    places: int = 0
    proved: bool = True
    detail: str = ""


class NoPlanError(InfeasibleError):
    """No plan does all that planners ask of a band in a year; ``witness`` says why.

    Parameters
    ----------
    witness : Witness
        Why.
    """

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        super().__init__(
            f"没有满足全部要求的学区方案（{witness.kind}） / no plan does all that is asked"
        )


def barred_pairs(problem: Problem, wishes: Wishes, members: Int32, band: int, t: int) -> Bool:
    """Pairs that must not be, in a band and year.

    Parameters
    ----------
    problem : Problem
        The question.
    wishes : Wishes
        What is asked.
    members : (k,) int32
        Groups of the band.
    band, t : int
        Positions of band and year.

    Returns
    -------
    (k, m) bool
        Those named, and trips beyond a strict limit; who boards at a school with beds makes no
        daily trip.
    """
    out = np.zeros((len(members), len(problem.site_ids)), dtype=bool)
    if wishes.barred is not None:
        out |= wishes.barred[members]
    if wishes.strict is not None and wishes.strict[band]:
        net = int(problem.network[t])
        far = problem.minutes[net, members] > problem.trip_limit[band]
        if "board" in problem.modes:
            boards = problem.mode[net, members] == problem.modes.index("board")
            far &= ~(boards & (problem.beds[:, t] > 0)[None, :])
        out |= far
    for shared in wishes.shared:
        rows = np.flatnonzero(np.isin(members, shared.groups))
        others = np.ones(out.shape[1], dtype=bool)
        others[list(shared.sites)] = False
        out[np.ix_(rows, others)] = True
    return out


def too_few_places(cost: Float64, demand: Float64, places: Float64) -> tuple[Int32, Int32] | None:
    """Find rows whose possible sites together hold too few places.

    Parameters
    ----------
    cost : (n, m) float64
        Finite where a row may go to a site.
    demand : (n,) float64
        Students.
    places : (m,) float64
        Places, inf = no limit.

    Returns
    -------
    rows, sites : int32, or None
        The smallest such set met: all the sites that its rows may go to, and fewer places there
        than its students, none of which can be left out; None where all can be seated, villages
        being divided.
    """
    found = assignment.transport(cost, demand, places)
    if found.status != "infeasible" or found.share is None:
        return None
    possible = np.isfinite(cost)
    share = np.asarray(found.share.todense()) > 1e-9
    best: tuple[Int32, Int32] | None = None
    unseated = np.asarray(found.share.sum(axis=1)).ravel() < demand - 1e-9
    for start in np.flatnonzero(unseated):
        rows = np.zeros(len(demand), dtype=bool)
        rows[start] = True
        while True:
            sites = possible[rows].any(axis=0)
            more = rows | share[:, sites].any(axis=1)
            if (more == rows).all():
                break
            rows = more
        rows = _needed(rows, possible, demand, places)
        if best is None or int(rows.sum()) < len(best[0]):
            best = (
                np.flatnonzero(rows).astype(np.int32),
                np.flatnonzero(possible[rows].any(axis=0)).astype(np.int32),
            )
    return best


def _needed(rows: Bool, possible: Bool, demand: Float64, places: Float64) -> Bool:
    """Leave out rows without which the others still have too few places, the smallest first."""
    kept = rows.copy()
    # how many of the rows that are kept may go to each site
    reach = possible[kept].sum(axis=0)
    total = float(demand[kept].sum())
    again = True
    while again:
        again = False
        for i in sorted(np.flatnonzero(kept).tolist(), key=lambda i: (float(demand[i]), i)):
            left = reach - possible[i]
            if total - demand[i] > places[left > 0].sum() + 1e-9:
                kept[i], reach, total, again = False, left, total - float(demand[i]), True
    return kept
