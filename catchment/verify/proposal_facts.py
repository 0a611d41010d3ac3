"""What a plan of years means, student by student: where they sit, in which classes, at what cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np


def levels(problem: Any, opened: Any, j: int) -> list[int]:
    """State of a site by year.

    Parameters
    ----------
    problem : Problem
        The arrays.
    opened : (m, b, t) bool
        Bands open.
    j : int
        The site.

    Returns
    -------
    list of int
        0 closed, 1 its lowest band alone, 2 all it can host, -1 anything else.
    """
    bands = range(len(problem.bands))
    every = [b for b in bands if problem.can_host[j, b]]
    today = [b for b in bands if problem.today_open[j, b]]
    if today and today not in (every, every[:1]):
        every = today
    out = []
    for t in range(opened.shape[2]):
        taught = [b for b in bands if opened[j, b, t]]
        state = -1
        if not taught:
            state = 0
        elif taught == every and len(every) > 1:
            state = 2
        elif taught == every[:1]:
            state = 1
        out.append(state)
    return out


def fewest_classes(load: list[int], size: list[int], together: int) -> int:
    """Fewest classes where neighbouring grades may share one of so many students at most.

    Parameters
    ----------
    load, size : list of int
        Students and class size by grade.
    together : int
        Most students of a shared class, 0 for none.

    Returns
    -------
    int
        Classes.
    """
    if not load:
        return 0
    best = -(-load[0] // size[0]) + fewest_classes(load[1:], size[1:], together)
    for end in range(2, len(load) + 1):
        if 0 < sum(load[:end]) <= together:
            best = min(best, 1 + fewest_classes(load[end:], size[end:], together))
    return best


class Facts:
    """A question and an answer, worked out once.

    Parameters
    ----------
    question, answer : Question, Answer
        See :func:`catchment.verify.proposal.check_proposal`.
    """

    def __init__(self, question: Any, answer: Any) -> None:
        self.question, self.answer, self.problem = question, answer, question.problem
        self.misshapen = self._shapes()
        if self.misshapen:
            return
        problem = self.problem
        self.home = [self._today(i) for i in range(len(problem.group_band))]
        first: dict[int, int] = {}
        self._step = []
        for g, b in enumerate(problem.grade_band.tolist()):
            first.setdefault(b, g)
            self._step.append(g - first[b])
        self._rows = [(int(i), int(g), int(t)) for i, g, t in np.argwhere(problem.students > 0)]
        self._now = self._count([self.sits(*row) for row in self._rows])
        self._then = self._count([self.home[i] for i, _, _ in self._rows])

    def _shapes(self) -> list[str]:
        problem, plan, built = self.problem, self.answer.plan, self.answer.built
        n, m, years = len(problem.group_band), len(problem.site_ids), len(problem.years)
        wanted = {
            "open": (plan.open, (m, len(problem.bands), years)),
            "site_of": (plan.site_of, (n, years)),
            "mode_of": (plan.mode_of, (n, years)),
            "classes": (plan.classes, (m, len(problem.grades), years)),
            "rooms": (built.rooms, (m, years)),
            "beds": (built.beds, (m, years)),
            "seats": (built.seats, (m, years)),
            "naps": (built.naps, (m, years)),
        }
        wrong = [name for name, (array, shape) in wanted.items() if np.shape(array) != shape]
        sites = np.asarray(plan.site_of)
        if "site_of" not in wrong and (sites.min(initial=-1) < -1 or sites.max(initial=-1) >= m):
            wrong.append("site_of")
        return wrong

    def _today(self, i: int) -> int:
        """Site that a group goes to today: the one recorded, else the nearest that works."""
        problem, b = self.problem, int(self.problem.group_band[i])
        near = [
            (self.minutes(i, j, 0), j)
            for j in range(len(problem.site_ids))
            if problem.today_open[j, b] and math.isfinite(self.minutes(i, j, 0))
        ]
        said = int(problem.today[i])
        return said if said in [j for _, j in near] else min(near, default=(0.0, -1))[1]

    def _count(self, sites: list[int]) -> tuple[Counter[Any], Counter[Any], Counter[Any]]:
        load: Counter[Any] = Counter()
        boarders: Counter[Any] = Counter()
        came: Counter[Any] = Counter()
        for (i, g, t), j in zip(self._rows, sites, strict=True):
            if j < 0:
                continue
            number = int(self.problem.students[i, g, t])
            load[j, g, t] += number
            came[j, t] += number * (j != self.home[i])
            if math.isfinite(self.minutes(i, j, t)):
                boarders[j, t] += number * (self.mode(i, j, t) == "board")
        return load, boarders, came

    def _counted(self, today: bool) -> tuple[Counter[Any], Counter[Any], Counter[Any]]:
        return self._then if today else self._now

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Group, grade and year of everyone."""
        yield from self._rows

    def sits(self, i: int, g: int, t: int) -> int:
        """Site of a grade: with ``finish``, the one its entrants' year went to.

        Parameters
        ----------
        i : int
            Position of the group (a village and band).
        g : int
            Position of the grade in its band.
        t : int
            Position of the year.
        """
        back = self._step[g] if self.question.transition == "finish" else 0
        return int(self.answer.plan.site_of[i, max(t - back, 0)])

    def minutes(self, i: int, j: int, t: int) -> float:
        """One-way minutes.

        Parameters
        ----------
        i : int
            Position of the group (a village and band).
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        return float(self.problem.minutes[int(self.problem.network[t]), i, j])

    def mode(self, i: int, j: int, t: int) -> str:
        """Name of the mode of a trip.

        Parameters
        ----------
        i : int
            Position of the group (a village and band).
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        return str(self.problem.modes[int(self.problem.mode[int(self.problem.network[t]), i, j])])

    def students(self, i: int, t: int) -> int:
        """Students of a group.

        Parameters
        ----------
        i : int
            Position of the group (a village and band).
        t : int
            Position of the year.
        """
        return sum(int(s) for s in self.problem.students[i, :, t])

    def alone(self, j: int, t: int) -> list[int]:
        """Classes by grade where none is shared.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        return self._alone(self._now[0], j, t)

    def _alone(self, load: Counter[Any], j: int, t: int) -> list[int]:
        size = self.problem.class_size[j]
        return [-(-load[j, g, t] // int(size[g])) for g in range(len(size))]

    def classes(self, j: int, t: int, *, today: bool = False) -> int:
        """Fewest classes at a site.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        today : bool
            Where everyone stays, instead of in the plan.
        """
        taught = self.problem.today_open[j] if today else self.answer.plan.open[j, :, t]
        return self._formed(self._counted(today)[0], j, t, taught)

    def is_point(self, j: int, t: int) -> bool:
        """Whether the plan makes a site a teaching point: its lowest band alone.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        taught = self.answer.plan.open[j, :, t]
        return [b for b in range(len(self.problem.bands)) if taught[b]] == [0]

    def least_excess(self, j: int, t: int, classes: list[int], rooms: int) -> bool:
        """Whether no other share of the rooms makes the fullest class exceed its size by less.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        classes : list[int]
            Classes by grade that the plan forms.
        rooms : int
            Classrooms that the site has.
        """
        size = [int(s) for s in self.problem.class_size[j]]
        load = [self._now[0][j, g, t] for g in range(len(size))]
        here = [(n, c, s) for n, c, s in zip(load, classes, size, strict=True) if n]
        if any(c <= 0 for _, c, _ in here):
            return False
        worst = max((-(-n // c) - s for n, c, s in here), default=0)
        less = worst - 1
        return worst <= 0 or sum(-(-n // max(s + less, 1)) for n, _, s in here) > rooms

    def _formed(self, load: Counter[Any], j: int, t: int, taught: Any) -> int:
        problem = self.problem
        low = [g for g, b in enumerate(problem.grade_band.tolist()) if b == 0]
        alone = self._alone(load, j, t)
        point = [b for b in range(len(problem.bands)) if taught[b]] == [0]
        if not point or len(problem.bands) < 2 or len(low) < 2:
            return sum(alone)
        size = [int(problem.class_size[j, g]) for g in low]
        together = min(int(self.question.costs.combined_class), *size)
        rest = sum(alone) - sum(alone[g] for g in low)
        return rest + fewest_classes([load[j, g, t] for g in low], size, together)

    def size(self, j: int, t: int, *, today: bool = False) -> int:
        """Students of a site.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        today : bool
            Where everyone stays, instead of in the plan.
        """
        load = self._counted(today)[0]
        return sum(load[j, g, t] for g in range(len(self.problem.grades)))

    def boarders(self, j: int, t: int) -> int:
        """Boarders at a site.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        return int(self._now[1][j, t])

    def newcomers(self, j: int, t: int) -> int:
        """Students at a site whose school of today is another one, or who have none.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        return int(self._now[2][j, t])

    def young(self, i: int, t: int) -> bool:
        """Whether a group has children of grades 1 to 3.

        Parameters
        ----------
        i : int
            Position of the group (a village and band).
        t : int
            Position of the year.
        """
        return any(
            int(self.problem.students[i, g, t]) > 0
            for g, grade in enumerate(self.problem.grades)
            if int(grade) <= 3
        )

    def allowed(self, j: int, t: int) -> tuple[int, int]:
        """Lowest and highest state that the masks and demands leave a site.

        Parameters
        ----------
        j : int
            Position of the site.
        t : int
            Position of the year.
        """
        question = self.question
        today = levels(self.problem, self.problem.today_open[:, :, None], j)[0]
        top = min(sum(bool(h) for h in self.problem.can_host[j]), 2)
        low = 0 if question.may_close[j] else today
        if question.may_downgrade[j]:
            low = min(low, 1)
        high = max(top, today) if question.may_open[j] else today
        if question.at_least is not None:
            wanted = int(question.at_least[j, t])
            low, high = max(low, wanted), max(high, min(wanted, top))
        if question.at_most is not None:
            wanted = int(question.at_most[j, t])
            low, high = min(low, wanted), min(high, wanted)
        return low, high

    def moved(self, t: int, *, known: bool = True) -> int:
        """Students who begin at another site in a year than where their group was last.

        With ``known`` a group that the plan's first year leaves out was where it goes today.

        Parameters
        ----------
        t : int
            Position of the year.
        known : bool
            Whether a group that the first year leaves out was where it goes today.
        """
        total = 0
        for i, home in enumerate(self.home):
            before = [home] if known else []
            before += [int(s) for s in self.answer.plan.site_of[i, :t]]
            last = [s for s in before if s >= 0][-1:]
            here = int(self.answer.plan.site_of[i, t])
            if here >= 0 and last and last[0] != here:
                total += self._entering(i, t)
        return total

    def _entering(self, i: int, t: int) -> int:
        """Students of a group who move with it: all, or the band's first grade with ``finish``."""
        grades = range(len(self.problem.grades))
        whole = self.question.transition != "finish"
        return sum(
            int(self.problem.students[i, g, t]) for g in grades if whole or not self._step[g]
        )

    def yuan(self) -> float:
        """Cost of the plan over all years."""
        costs, problem = self.question.costs, self.problem
        rate = 1.0 + float(costs.discount_percent) / 100.0
        terms = []
        for t, year in enumerate(problem.years):
            terms.append(self._year(t) / rate ** (year - problem.years[0]))
        return math.fsum(terms)

    def _year(self, t: int) -> float:
        costs, problem, built = self.question.costs, self.problem, self.answer.built
        terms: list[float] = []
        for j in range(len(problem.site_ids)):
            terms.append(costs.teachers_per_class * costs.teacher_year * self.classes(j, t))
            bands = sum(bool(o) for o in self.answer.plan.open[j, :, t])
            if bands:
                terms.append(costs.site_year + costs.band_year * (bands - 1))
                if not any(bool(o) for o in problem.today_open[j]):
                    own = self.question.site_build
                    dear = own is None or math.isnan(own[j])
                    price = costs.site_build if dear else float(own[j])
                    terms.append(price / costs.building_life)
            for price, stock in (
                (costs.room_build, built.rooms),
                (costs.bed_build, built.beds),
                (costs.seat_build, built.seats),
                (costs.nap_build, built.naps),
            ):
                terms.append(price / costs.building_life * int(stock[j, t]))
        for i, g, year in self._rows:
            if year == t:
                terms.append(int(problem.students[i, g, t]) * self._student(i, g, t))
        if t:
            terms.append(costs.move * self.moved(t, known=False))
        return math.fsum(terms)

    def _student(self, i: int, g: int, t: int) -> float:
        """Cost of one student's year of travel, or of having no school."""
        costs, problem = self.question.costs, self.problem
        j = self.sits(i, g, t)
        if j < 0 or not math.isfinite(self.minutes(i, j, t)):
            b = int(problem.group_band[i])
            could = any(
                problem.can_host[k, b] and math.isfinite(self.minutes(i, k, t))
                for k in range(len(problem.site_ids))
            )
            return float(costs.unserved_year) if t and could else 0.0
        kind = self.mode(i, j, t)
        trips = 2 * (costs.school_weeks if kind == "board" else costs.school_days)
        yuan = costs.minute * trips * self.minutes(i, j, t)
        if kind != "walk":
            metres = float(problem.metres[int(problem.network[t]), i, j])
            yuan += costs.bus_km * trips * metres / 1000
        if kind == "board":
            yuan += costs.boarding_year
        return float(yuan)
