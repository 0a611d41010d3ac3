"""Places of a band and year: how many there are, how many must be added, who is short of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise import assignment
from catchment.optimise.layouts.told import Note, named
from catchment.optimise.layouts.weights import Cost
from catchment.optimise.wished import Asked
from catchment.optimise.wishes import NoPlanError, Wishes, Witness, too_few_places
from catchment.problem import Int32, Problem

SLACKS = (0.0, 0.1, 0.3)
"""Shares by which places are exceeded when whole villages do not fit otherwise, tried in order."""

WIDE_SLACKS = (0.6, 1.0, 2.0, np.inf)
"""Further shares where planners ask what else would be refused for want of places alone."""


def band_places(problem: Problem, band: int, t: int) -> Int32:
    """Students of one band that each open site can seat within standard class size.

    A site's classrooms are shared among its bands in proportion to their grades.

    Parameters
    ----------
    problem : Problem
        The question.
    band : int
        Position of the band.
    t : int
        Position of the year.

    Returns
    -------
    (m,) int32
        Places; zero where the band is not taught.
    """
    per_band = np.bincount(problem.grade_band, minlength=len(problem.bands))
    hosted = problem.must_open[:, :, t]
    grades = hosted @ per_band
    size = problem.class_size[:, problem.grade_band == band].min(axis=1)
    rooms = np.where(
        hosted[:, band], problem.rooms[:, t] * per_band[band] / np.maximum(grades, 1), 0.0
    )
    places: Int32 = np.floor(rooms * size + 1e-9).astype(np.int32)
    return places


class Task(NamedTuple):
    """One band and year that is to be drawn: rows are the groups that can be served.

    ``wanted`` holds what actions demand; in ``loose`` a village may also go where they do not send
    it, as parts of a shared one do.
    """

    problem: Problem
    band: int
    t: int
    groups: Int32
    wanted: Cost
    minutes: Cost
    demand: npt.NDArray[np.int64]
    fixed: Int32
    wishes: Wishes
    loose: Cost

    def most(self) -> Cost:
        """Return the most students that each site may have, inf where that is not limited."""
        limit = self.wishes.most
        if limit is None:
            return np.full(self.wanted.shape[1], np.inf)
        own = limit[:, self.band].astype(np.float64)
        return np.where(own >= 0, own, np.inf)

    def asked(self) -> Asked:
        """Return what is asked of the search beyond costs and places."""
        row = {int(i): k for k, i in enumerate(self.groups)}
        usable = self.problem.must_open[:, self.band, self.t]
        least = self.wishes.least
        few = np.zeros(len(usable)) if least is None else least[:, self.band].astype(np.float64)

        def rows(sets: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
            own = (tuple(row[i] for i in each if i in row) for each in sets)
            return tuple(each for each in own if len(each) > 1)

        return Asked(
            np.where(usable, few, 0.0), rows(self.wishes.together), rows(self.wishes.apart)
        )


class Seats(NamedTuple):
    """Places of the sites, with those added, the most allowed, and who is seated where."""

    places: npt.NDArray[np.int64]
    capacity: npt.NDArray[np.int64]
    most: Cost
    share: npt.NDArray[np.int64]


def overflow(
    demand: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    cost: Cost,
    most: Cost,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Fewest places that must be added, and where, so that every student can be seated.

    Each site gets a twin, as large as the site may grow, whose seats cost more than any journey.
    The second answer is how many of each row go to each site.

    Parameters
    ----------
    demand : (r,) int64
        Students.
    places : (m,) int64
        Places.
    cost : (r, m) float64
        Minutes as they count, inf = must not be.
    most : (m,) float64
        The most students of each site, inf = no limit.

    Returns
    -------
    added : (m,) int64
        Places that must be added.
    share : (r, m) int64
        How many of each row go to each site.
    """
    finite = cost[np.isfinite(cost)]
    penalty = (float(finite.max()) if len(finite) else 0.0) * 10 + 1000
    twin = np.where(np.isfinite(cost).any(axis=0), float(demand.sum()), 0.0)
    twin = np.clip(most - places, 0.0, twin)
    both = assignment.transport(
        np.hstack([cost, cost + penalty]),
        demand.astype(np.float64),
        np.concatenate([np.minimum(places, most), twin]),
    )
    if both.share is None:
        return np.zeros(len(places), dtype=np.int64), np.zeros(cost.shape, dtype=np.int64)
    share = np.asarray(both.share.todense())
    load = share[:, len(places) :].sum(axis=0)
    merged = share[:, : len(places)] + share[:, len(places) :]
    return np.ceil(load - 1e-6).astype(np.int64), np.rint(merged).astype(np.int64)


def who_is_short(task: Task, places: Cost) -> list[Note]:
    """Name villages with more students than there are places at all the schools they may go to.

    Parameters
    ----------
    task : Task
        Band and year.
    places : (m,) float64
        Places of each site.

    Returns
    -------
    list of Note
        None or one.
    """
    found = too_few_places(task.wanted, task.demand.astype(np.float64), places)
    if found is None:
        return []
    problem = task.problem
    rows, sites = found[0][task.demand[found[0]] > 0], found[1]
    students, seats = int(task.demand[rows].sum()), int(places[sites].sum())
    villages = [problem.village_ids[problem.group_village[i]] for i in task.groups[rows]]
    schools = [problem.site_ids[j] for j in sites]
    figures = (
        f"{problem.years[task.t]}: {named(villages)} → {named(schools)}，"
        f"{students} / {seats}，{students - seats}"
    )
    what = (
        "这些村只能去这些学校，学生数/学位数，缺口"
        " / villages that can go only to these schools, students/places, too few by"
    )
    return [Note(task.band, what, figures)]


def demand_seats(task: Task, most: Cost) -> None:
    """Refuse, with a witness, where the most that schools may hold is too little.

    Parameters
    ----------
    task : Task
        Band and year.
    most : (m,) float64
        The most students of each site, inf = no limit.

    Raises
    ------
    NoPlanError
        Where these are too few.
    """
    if np.isinf(most).all():
        return
    found = too_few_places(task.wanted, task.demand.astype(np.float64), most)
    if found is not None:
        rows, sites = found
        raise NoPlanError(
            Witness(
                task.band, task.t, "places", tuple(task.groups[rows].tolist()),
                tuple(sites.tolist()), int(task.demand[rows].sum()), int(most[sites].sum()),
            )
        )  # fmt: skip
