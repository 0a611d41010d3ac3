"""Actions of a recipe on arrays: what :func:`catchment.scenario.apply` does, at once.

Only recipes that are plainly sound are carried out here. Whatever is not, is left to the slow way
(:func:`catchment.run.pose`), which says in words what is wrong. The two must agree: the full check
of a variant goes the slow way and compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.assemble import SiteYears, restate
from catchment.places.needs import smaller_classes
from catchment.problem import Problem
from catchment.region.bands import Band
from catchment.scenario import Scenario
from catchment.web.ground import Ground

Int64 = npt.NDArray[np.int64]


class DoubtError(Exception):
    """An action is not plainly sound; the slow way has to judge it."""


class _Sheet:
    """The county of one year in arrays, while actions are being carried out on a copy."""

    def __init__(self, ground: Ground) -> None:
        start = ground.sites
        self.ground = ground
        self.working = start.working.copy()
        self.school = start.school.copy()
        self.first, self.last = start.first.copy(), start.last.copy()
        self.rooms, self.beds = start.rooms.copy(), start.beds.copy()
        self.seats, self.naps = start.seats.copy(), start.naps.copy()
        bands = len(ground.question.bands)
        self.origin: Int64 = ground.question.today.reshape(-1, bands).astype(np.int64)
        self.sent: Int64 = self.origin.copy()
        every = ground.region.bands
        self.bands: tuple[Band, ...] = every
        used = {b: k for k, b in enumerate(ground.question.bands)}
        self.column = [used.get(b.band, -1) for b in every]

    def taught(self, first: int, last: int) -> set[int]:
        return {k for k, b in enumerate(self.bands) if first <= b.grade_from and b.grade_to <= last}

    def at(self, code: str) -> int:
        found = self.ground.site.get(code)
        if found is None:
            raise DoubtError(code)
        return found

    def step(self, actions: Sequence[Any]) -> None:
        """Carry out the actions of one year, in the order that a recipe means."""
        subjects = [
            a.site if a.do == "build" else a.school
            for a in actions
            if a.do not in ("expand", "move")
        ]
        if len(subjects) != len(set(subjects)):
            raise DoubtError("two actions on one school")
        for action in sorted(actions, key=lambda a: a.do not in ("build", "reopen")):
            self._carry_out(action)
        for action in actions:
            if action.do == "reopen":
                j = self.at(action.school)
                self.sent[self.origin == j] = j
        for action in actions:
            if action.do in ("merge", "downgrade"):
                self._redirect(action)
        for action in actions:
            if action.do == "move":
                self._move(action)

    def _carry_out(self, action: Any) -> None:
        if action.do == "move":
            return
        if action.do == "build":
            self._build(action)
            return
        j = self.at(action.school)
        if not self.school[j]:
            raise DoubtError(action.school)
        if action.do == "reopen":
            if self.working[j]:
                raise DoubtError(action.school)
            self.working[j] = True
            if action.rooms is not None:
                self.rooms[j] = action.rooms
            return
        if not self.working[j]:
            raise DoubtError(action.school)
        if action.do == "expand":
            if not (action.rooms or action.beds or action.dining_seats or action.nap_places):
                raise DoubtError(action.school)
            for column, more in (
                (self.rooms, action.rooms), (self.beds, action.beds), (self.seats, action.dining_seats),
                (self.naps, action.nap_places),
            ):  # fmt: skip
                if more:
                    column[j] = more if np.isnan(column[j]) else column[j] + more
        elif action.do == "downgrade":
            taught = self.taught(int(self.first[j]), int(self.last[j]))
            if 0 not in taught or len(taught) < 2:
                raise DoubtError(action.school)
            self.last[j] = self.bands[0].grade_to
        elif action.do == "merge":
            self.working[j] = False
        elif action.do != "keep":
            raise DoubtError(action.do)

    def _build(self, action: Any) -> None:
        j, start = self.at(action.site), self.ground.sites
        if self.school[j] or action.rooms > start.rooms_max[j]:
            raise DoubtError(action.site)
        self.school[j] = self.working[j] = True
        self.first[j], self.last[j] = start.own_first[j], start.own_last[j]
        self.rooms[j], self.beds[j] = action.rooms, action.beds
        self.seats[j], self.naps[j] = action.dining_seats, action.nap_places

    def _redirect(self, action: Any) -> None:
        j = self.at(action.school)
        given_up = set(range(len(self.bands))) - (set() if action.do == "merge" else {0})
        into = -1
        if action.into is not None:
            into = self.at(action.into)
            # What a school taught counts as the county had it before any action.
            own = self.ground.sites if self.ground.sites.school[j] else self
            moved = given_up & self.taught(int(own.first[j]), int(own.last[j]))
            able = self.taught(int(self.first[into]), int(self.last[into]))
            if into == j or not self.working[into] or moved - able:
                raise DoubtError(action.school)
        for k in given_up:
            if self.column[k] >= 0:
                column = self.sent[:, self.column[k]]
                column[column == j] = into

    def _move(self, action: Any) -> None:
        to = self.at(action.to)
        taught = self.taught(int(self.first[to]), int(self.last[to]))
        names = {b.band: k for k, b in enumerate(self.bands)}
        wanted = {names[b] for b in action.bands if b in names} if action.bands else taught
        if not self.working[to] or wanted - taught or len(wanted) < len(set(action.bands)):
            raise DoubtError(action.to)
        try:
            rows = [self.ground.village[v] for v in action.villages]
        except KeyError as missing:
            raise DoubtError(str(missing)) from missing
        for k in wanted:
            if self.column[k] >= 0:
                self.sent[rows, self.column[k]] = to

    def opened(self) -> npt.NDArray[np.bool_]:
        whole = np.zeros((len(self.working), len(self.ground.bands)), dtype=bool)
        for k, band in enumerate(self.ground.bands):
            whole[:, k] = (
                self.working & (self.first <= band.grade_from) & (band.grade_to <= self.last)
            )
        return whole


def _filled(column: npt.NDArray[np.float64], missing: int) -> npt.NDArray[np.int32]:
    return np.where(np.isnan(column), missing, column).astype(np.int32)


def question_of(ground: Ground, scenario: Scenario) -> Problem:
    """Pose a recipe's question on a ground.

    Parameters
    ----------
    ground : Ground
        The ground of the recipe.
    scenario : Scenario
        The recipe, ids and years everywhere.

    Returns
    -------
    Problem
        As :func:`catchment.run.pose` makes it.

    Raises
    ------
    DoubtError
        When some action is not plainly sound.
    """
    sheet = _Sheet(ground)
    due = [a for a in scenario.actions if a.do != "road"]
    done = -1
    opened, rooms, beds, seats, naps, sent = [], [], [], [], [], []
    for year in scenario.years:
        for step in sorted({a.year for a in due if a.year is not None and done < a.year <= year}):
            sheet.step([a for a in due if a.year == step])
        done = year
        opened.append(sheet.opened())
        rooms.append(np.where(sheet.working, _filled(sheet.rooms, 0), 0))
        beds.append(_filled(sheet.beds, -1))
        seats.append(_filled(sheet.seats, -1))
        naps.append(_filled(sheet.naps, -1))
        sent.append(sheet.sent.reshape(-1).copy())
    years = SiteYears(
        opened=np.stack(opened, axis=2),
        rooms=np.stack(rooms, axis=1).astype(np.int32),
        beds=np.stack(beds, axis=1),
        dining_seats=np.stack(seats, axis=1),
        nap_places=np.stack(naps, axis=1),
        designated=np.stack(sent, axis=1).astype(np.int32),
    )
    problem = restate(ground.question, years, ground.bands, ground.times.allowed)
    if scenario.class_size is not None:
        problem = problem.replace(
            class_size=smaller_classes(problem.class_size, scenario.class_size)
        )
    return problem
