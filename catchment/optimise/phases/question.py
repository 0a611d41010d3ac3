"""Question and answer of the consolidation model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.optimise.phases.costs import Costs, read_costs
from catchment.plan import Plan
from catchment.problem import Bool, Int8, Int32, Problem

CLOSED, LOWEST, ALL = 0, 1, 2
"""States of a site: closed, its lowest band only (teaching point), all bands it can host."""


@dataclass(frozen=True)
class Limits:
    """What every plan has to keep.

    Attributes
    ----------
    min_size : int
        Fewest students of an open site that may be closed or opened; protected sites are exempt.
    min_size_from : int
        Position of the first year in which ``min_size`` holds.
    max_size : int
        Most students of a site; one that is larger by itself may stay so but not grow.
    closures_per_year : int or None
        Most sites closed in one year.
    closures_total : int or None
        Most sites closed over all years.
    moved_per_year : int or None
        Most students who change school in one year.
    boarding_minutes : float
        Longest weekly trip of a boarder.
    young_minutes : float
        Longest daily trip of a village-band that is moved, in years in which it has children of
        grades 1 to 3, where that is less than the limit of the band; inf for no such limit.
    kept_share : float
        Least students of a working school in every year in which it is open, in its lowest band
        and in its others together, as a share, 0 to 1, of those its catchment of today would bring
        in that year: a school is closed openly or not at all. Heads are counted, whoever they are:
        villages of today's catchment may leave where others come. Where current students finish, a school that closes
        empties year by year, and only those still open in the last year are held to it. Children
        whom the user sends elsewhere do not count; bands that are to be given up at the user's
        demand are exempt.
    """

    min_size: int = 0
    min_size_from: int = 1
    max_size: int = 2000
    closures_per_year: int | None = None
    closures_total: int | None = None
    moved_per_year: int | None = None
    boarding_minutes: float = 120.0
    young_minutes: float = float("inf")
    kept_share: float = 0.5


@dataclass(frozen=True)
class Question:
    """What is asked (sizes as in :mod:`catchment.problem`).

    The first year is today and stays as it is. A site changes in one direction only: a working
    school stays, becomes a teaching point or closes; a closed or candidate site opens and stays.
    Every village-band moves at most once, and only where its new trip keeps the limits. In a year in
    which a site has children who have moved to it, it has beds for all its boarders, dining seats
    for all its students, nap places for all who have moved, and is not too large; what it lacks
    today is built before (先建后撤). Numbers that nobody has reported ask for nothing.

    Attributes
    ----------
    problem : Problem
        Villages, sites, years. ``must_open``, ``must_close`` and ``fixed_site`` are not read:
        the masks below say what is free.
    costs : Costs
        Figures in yuan.
    limits : Limits
        Limits of every plan.
    may_close, may_downgrade, may_open : (m,) bool
        Working sites that may close, that may become teaching points; other sites that may open.
    extra_rooms, extra_beds, extra_seats, extra_naps : (m,) int32
        Most classrooms, beds, dining seats and nap places that may be added.
    transition : {"together", "finish"}
        Whether all students of a village-band move in one year, or only new entrants move and
        current students finish their band where they are.
    tolerate_shortage : bool
        Whether a lack of classrooms that today's catchments bring by themselves may go on (such a
        school receives nobody); otherwise it must be built away from the second year on.
    at_least, at_most : (m, t) int8 or None
        Lowest and highest state of a site by year, for demands beyond the masks.
    stay : (n,) bool or None
        Village-bands that may not move, but for those that are sent.
    receives : (m,) bool or None
        Sites to which village-bands may move at all; None for all. A site that is left out still
        takes those whom the user sends to it.
    within : (n, m) bool or None
        Sites to which a village-band may move, those of its area (片区), say; None for all.
    sent : (n, t) int32 or None
        Site to which a village-band is sent in a year at the user's demand, -1 where it is free:
        it goes there in that very year, whatever the limit of its trip, and nowhere else after.
    site_build : (m,) float64 or None
        Yuan of opening each site that is closed today, its classrooms left out; nan for the figure
        of the costs, None for that everywhere.
    connected : bool
        Whether catchments are to be in one piece: no village-band may be cut off from its school
        (see :func:`catchment.optimise.phases.contiguous.cut_off`).
    loose : (n,) bool or None
        Village-bands of which that is not asked, wherever they go; None for none.
    """

    problem: Problem
    costs: Costs
    limits: Limits
    may_close: Bool
    may_downgrade: Bool
    may_open: Bool
    extra_rooms: Int32
    extra_beds: Int32
    extra_seats: Int32
    extra_naps: Int32
    transition: Literal["together", "finish"] = "together"
    tolerate_shortage: bool = True
    at_least: Int8 | None = None
    at_most: Int8 | None = None
    stay: Bool | None = None
    receives: Bool | None = None
    within: Bool | None = None
    sent: Int32 | None = None
    site_build: npt.NDArray[np.float64] | None = None
    connected: bool = False
    loose: Bool | None = None

    def replace(self, **changes: Any) -> Question:
        """Return a copy with some fields replaced; the original is untouched.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        Question
            The changed copy.
        """
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class Building:
    """What has been built and may be used in each year, added up over the years.

    A unit that is first used in year t is built in year t - 1 (先建后撤).

    Attributes
    ----------
    rooms, beds, seats, naps : (m, t) int32
        Classrooms, beds, dining seats, nap places beyond those of the problem; never falling.
    """

    rooms: Int32
    beds: Int32
    seats: Int32
    naps: Int32


@dataclass(frozen=True)
class Breakdown:
    """Costs of a plan by kind and year, in yuan.

    Attributes
    ----------
    items : tuple of str
        Kinds of cost.
    yuan : (k, t) float64
        Discounted yuan by kind and year.
    """

    items: tuple[str, ...]
    yuan: npt.NDArray[np.float64]

    @property
    def total(self) -> float:
        """Sum over kinds and years."""
        return float(self.yuan.sum())

    def of(self, item: str) -> float:
        """Sum of one kind over the years.

        Parameters
        ----------
        item : str
            One of ``items``.

        Returns
        -------
        float
            Yuan.
        """
        return float(self.yuan[self.items.index(item)].sum())


@dataclass(frozen=True)
class Memory:
    """What a search needs to go on: a plan, and the prices behind its bound.

    Attributes
    ----------
    site_of : (n, t) int32
        Site of each group by year.
    prices : tuple of ndarray
        Prices of the bound, of shapes that depend on the question. The bound is counted anew from
        them, so that prices of another question do no harm.
    """

    site_of: Int32
    prices: tuple[npt.NDArray[np.float64], ...]


@dataclass(frozen=True)
class Answer:
    """A plan of years with its certificate.

    Attributes
    ----------
    plan : Plan
        Decision; ``objective`` and ``bound`` are yuan over all years. With ``finish`` the site of
        a group is that of its entrants; ``classes`` count all students where they really are.
    built : Building
        What is built, by the year of first use.
    breakdown : Breakdown
        Costs by kind and year; their sum is the objective.
    history : tuple of (float, float, float)
        Seconds, objective and bound whenever one of them improved; inf and -inf before.
    pieces : int
        Villages in parts of a catchment cut off from its school, added up over bands, last year.
    reason : str
        For ``infeasible`` and ``unknown``: what stands against a plan.
    memory : Memory or None
        To go on from here; None where the question was solved without search.
    """

    plan: Plan
    built: Building
    breakdown: Breakdown
    history: tuple[tuple[float, float, float], ...] = field(default=())
    pieces: int = 0
    reason: str = ""
    memory: Memory | None = None

    @property
    def gap(self) -> float:
        """Relative distance of the bound below the objective; nan where either is missing."""
        if not np.isfinite(self.plan.objective) or not np.isfinite(self.plan.bound):
            return float("nan")
        return (self.plan.objective - self.plan.bound) / max(abs(self.plan.objective), 1e-9)


MOST_YEARS = 63
"""Years of a question with connected catchments at most: each is one bit of a number."""

SMALL = 100
"""Students below which a rural school is small (国办发〔2018〕27号) and closing may be thought of."""


def question_of(
    problem: Problem,
    *,
    costs: Costs | None = None,
    limits: Limits | None = None,
    extra_rooms: int = 12,
    small: float = SMALL,
    **changes: Any,
) -> Question:
    """Question with the masks that the rules suggest.

    Only small schools (fewer than 100 students in every year if nobody moves) may close or become
    teaching points, and only where every village that goes there today has a known way to it; only
    larger schools that teach all their bands may be given classrooms and beds; nothing is opened.
    Dining seats and nap places may be added wherever there are classrooms for the students.

    Parameters
    ----------
    problem : Problem
        Villages, sites, years.
    costs : Costs, optional
        Figures in yuan; the shipped table by default.
    limits : Limits, optional
        Limits; the default ones otherwise.
    extra_rooms : int
        Most classrooms added to one receiving school; beds follow at 20 a room, and what today's
        boarders lack.
    small : float
        Students below which a school is small.
    **changes
        Further fields of :class:`Question`.

    Returns
    -------
    Question
        The question.
    """
    m, years = len(problem.site_ids), len(problem.years)
    served, demand = problem.today >= 0, problem.demand()
    size, boarders = np.zeros((m, years), dtype=np.int64), np.zeros((m, years), dtype=np.int64)
    np.add.at(size, problem.today[served], demand[served])
    np.add.at(boarders, problem.today[served], (demand * _boards(problem))[served])
    works = problem.today_open.any(axis=1)
    hosts = problem.can_host.sum(axis=1)
    # A school that closes in a year has been small in the year before.
    most = size[:, : max(years - 1, 1)].max(axis=1)
    closable = works & (most < small)
    grows = works & (size[:, 0] >= SMALL) & (problem.today_open == problem.can_host).all(axis=1)
    rooms = np.where(grows, extra_rooms, 0).astype(np.int32)
    seats = np.where(works, (problem.rooms.max(axis=1) + rooms) * problem.class_size.max(axis=1), 0)
    beds = np.maximum(boarders - problem.beds, 0).max(axis=1) + rooms * 20
    astray = _astray(problem)
    base = Question(
        problem=problem,
        costs=costs or read_costs(),
        limits=limits or Limits(),
        may_close=closable & ~astray.any(axis=1),
        may_downgrade=closable
        & (hosts > 1)
        & (problem.today_open.sum(axis=1) > 1)
        & ~astray[:, 1:].any(axis=1),
        may_open=np.zeros(m, dtype=bool),
        extra_rooms=rooms,
        extra_beds=np.where(problem.beds[:, 0] > 0, beds, 0).astype(np.int32),
        extra_seats=seats.astype(np.int32),
        extra_naps=seats.astype(np.int32),
    )
    return base.replace(**changes)


def _boards(problem: Problem) -> Bool:
    """Whether a group boards at its school of today, (n, t)."""
    if "board" not in problem.modes:
        return np.zeros((len(problem.today), len(problem.years)), dtype=bool)
    rows, at = np.arange(len(problem.today)), np.maximum(problem.today, 0)
    mode = problem.mode[:, rows, at][problem.network].T
    return np.asarray((mode == problem.modes.index("board")) & (problem.today >= 0)[:, None])


def _astray(problem: Problem) -> Bool:
    """Bands of each site with children whose way to it, their school, is unknown, (m, b).

    Nobody can say that their way to another school would be fit.
    """
    rows, at = np.arange(len(problem.today)), np.maximum(problem.today, 0)
    known = np.isfinite(problem.minutes[problem.network[0], rows, at])
    lost = (problem.today >= 0) & ~known & problem.students.any(axis=(1, 2))
    out = np.zeros(problem.today_open.shape, dtype=bool)
    out[problem.today[lost], problem.group_band[lost]] = True
    return out


def checked(question: Question) -> Question:
    """Refuse a question whose arrays do not fit together.

    Parameters
    ----------
    question : Question
        Any question.

    Returns
    -------
    Question
        The same question.

    Raises
    ------
    InputError
        Naming the array.
    """
    m, t = len(question.problem.site_ids), len(question.problem.years)
    for name in ("may_close", "may_downgrade", "may_open"):
        array = getattr(question, name)
        if array.shape != (m,) or array.dtype != np.bool_:
            raise InputError(f"{name} 应为每个校点一个真假值（{m}） / one bool a site")
    for name in ("extra_rooms", "extra_beds", "extra_seats", "extra_naps"):
        array = getattr(question, name)
        if array.shape != (m,) or (array < 0).any():
            raise InputError(f"{name} 应为每个校点一个非负整数（{m}） / one whole number a site")
    for name in ("at_least", "at_most"):
        array = getattr(question, name)
        if array is not None and (array.shape != (m, t) or (array < 0).any() or (array > 2).any()):
            raise InputError(f"{name} 应为（校点 {m} x 年 {t}）的 0、1、2 / states 0, 1, 2")
    if not 0.0 <= question.limits.kept_share <= 1.0:
        raise InputError(
            f"kept_share = {question.limits.kept_share} 应在 0 与 1 之间 / must be from 0 to 1"
        )
    receives = question.receives
    if receives is not None and (receives.shape != (m,) or receives.dtype != np.bool_):
        raise InputError(f"receives 应为每个校点一个真假值（{m}） / one bool a site")
    if question.stay is not None and question.stay.shape != question.problem.today.shape:
        raise InputError("stay 应为每个村（学段）一个真假值 / one bool a village-band")
    if question.within is not None and question.within.shape != (len(question.problem.today), m):
        raise InputError("within 应为（村学段 x 校点）的真假值 / one bool a village-band and site")
    sent = question.sent
    if sent is not None and (sent.shape != (len(question.problem.today), t) or (sent >= m).any()):
        raise InputError(
            "sent 应为（村学段 x 年）的校点位置，-1 为不限 / a site by year, -1 for none"
        )
    yuan = question.site_build
    if yuan is not None and (yuan.shape != (m,) or np.isinf(yuan).any() or (yuan < 0).any()):
        raise InputError(f"site_build 应为每个校点一个非负数（{m}） / one number a site, 0 or more")
    loose = question.loose
    if loose is not None and (
        loose.shape != question.problem.today.shape or loose.dtype != np.bool_
    ):
        raise InputError("loose 应为每个村（学段）一个真假值 / one bool a village-band")
    if question.transition not in ("together", "finish"):
        raise InputError(
            f"transition = {question.transition!r} 应为 together 或 finish / one of two"
        )
    if question.connected and t > MOST_YEARS:
        raise InputError(
            f"学区连片的方案最多 {MOST_YEARS} 年，现有 {t} 年 / connected catchments: at most "
            f"{MOST_YEARS} years, not {t}"
        )
    if (np.diff(question.problem.years) <= 0).any():
        raise InputError("years 应递增 / must rise")
    if question.transition == "finish" and (np.diff(question.problem.years) != 1).any():
        raise InputError(
            "“在校生读完本学段”要求 years 连续 / to let current students finish, years must be consecutive"
        )
    return question
