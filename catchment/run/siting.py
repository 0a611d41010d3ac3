"""Where schools should stand: the five siting questions, asked of a county, with a proved bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.english import counted
from catchment.errors import InfeasibleError, InputError
from catchment.optimise import siting
from catchment.optimise.solution import Solution
from catchment.problem import Bool, Int32
from catchment.region.model import Region
from catchment.run.demands import costs_of
from catchment.run.order import Posed, pose
from catchment.run.screen import rooms_of_fit, screen_sites
from catchment.run.spoken import names_of
from catchment.scenario import Scenario

Ask = Literal["median", "centre", "coverage", "cover", "places"]
ASKS: tuple[Ask, ...] = get_args(Ask)
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """What is asked.

    Attributes
    ----------
    ask : str
        ``median`` (``count`` schools, least travel of all), ``centre`` (``count`` schools, the
        shortest longest trip), ``coverage`` (``count`` schools, most students within ``within``
        minutes), ``cover`` (fewest schools that have everybody within ``within`` minutes),
        ``places`` (least cost of schools, classrooms and trips, everybody with a place).
    count : int or None
        Schools, those that stay among them.
    within : float or None
        Minutes one way; None where ``cover`` and ``coverage`` take each band's own limit.
    bands : tuple of str
        Bands that are planned; all of the recipe's stages where none is named.
    year : int or None
        Year whose students count; the recipe's last by default.
    stay : bool
        Whether every school of today stays, so that only new ones are chosen.
    build, reopen : bool
        Whether candidate sites that pass the screening, and closed schools, may be chosen.
    time_limit : float
        Seconds.
    """

    ask: Ask
    count: int | None = None
    within: float | None = None
    bands: tuple[str, ...] = ()
    year: int | None = None
    stay: bool = False
    build: bool = False
    reopen: bool = False
    time_limit: float = 60.0


@dataclass(frozen=True)
class Sited:
    """An answer.

    Attributes
    ----------
    status : str
        ``optimal`` or ``feasible``.
    objective, bound : float
        In ``unit``; the bound is proved: no choice of sites does better.
    unit : str
        What objective and bound are.
    sites : DataFrame
        ``site, name, township, kind, chosen, stays, students, minutes_mean, minutes_longest,
        rooms_added``, a row a site that might have been chosen.
    villages : DataFrame
        ``village_id, village, band, students, site, name, minutes, today, minutes_today, limit,
        reached``: where each village goes; ``reached`` is False where no site can be reached at
        all, or (``cover``) none within the limit.
    figures : DataFrame
        ``figure, today, answer``: schools, mean and longest trip, students within the limit.
    """

    status: str
    objective: float
    bound: float
    unit: str
    sites: pd.DataFrame
    villages: pd.DataFrame
    figures: pd.DataFrame


@dataclass(frozen=True)
class _Question:
    """Units and sites of the question: groups with students, sites that may be open."""

    posed: Posed
    rows: Int32
    demand: Float64
    minutes: Float64
    limit: Float64
    fixed: Bool
    forbidden: Bool
    t: int
    rooms: dict[str, int]


def site_schools(
    scenario: Scenario, region: Region, wanted: Wanted, *, seed: int | None = None
) -> Sited:
    """Choose where schools stand, each village whole at its nearest one (``places``: at one with room).

    Schools that the recipe keeps must stay, those that it merges may not be chosen. Trips are one
    way, by the means that the band takes.

    Parameters
    ----------
    scenario : Scenario
        The recipe: county, stages, years, actions.
    region : Region
        The county.
    wanted : Wanted
        What is asked.
    seed : int, optional
        Seed of the search; the recipe's by default.

    Returns
    -------
    Sited
        Sites, villages, and how good the choice is at the very least.

    Raises
    ------
    InputError
        When the question lacks a number, or a number cannot be.
    InfeasibleError
        When no choice does what is asked.
    """
    _refuse(wanted)
    posed = pose(scenario, region)
    question = _question(posed, region, wanted)
    _refuse_count(question, wanted, names_of(region))
    reached = _reached(question, wanted)
    if not reached.any():
        raise InfeasibleError(
            "没有一个村能在限值内到达可选的校点；请放宽分钟数，或用 --build、--reopen 增加校点 / no village reaches "
            "any site within the limit; allow more minutes, or more sites with --build or --reopen"
        )
    answer = _answered(question, wanted, reached, posed.scenario.seed if seed is None else seed)
    if answer.status in ("infeasible", "unknown"):
        zh, _, en = answer.reason.partition(" / ")
        raise InfeasibleError(f"找不到方案：{zh} / no choice was found: {en or zh}")
    return _told(question, wanted, reached, answer, region)


def _refuse(wanted: Wanted) -> None:
    counted = wanted.ask in ("median", "centre", "coverage")
    if counted and wanted.count is None:
        raise InputError(f"{wanted.ask} 需要学校数 --count / needs the number of schools, --count")
    if wanted.count is not None and wanted.count < 1:
        raise InputError(f"--count {wanted.count} 应至少为 1 / must be 1 or more")
    if wanted.ask == "cover" and wanted.count is not None:
        raise InputError(
            "cover 求最少学校数，不能再给 --count；要固定学校数请用 coverage / cover finds the number of "
            "schools: leave --count out, or ask coverage"
        )
    if wanted.within is not None and not 0 < wanted.within <= 600:
        raise InputError(
            f"--within {wanted.within:g} 应在 0 与 600 分钟之间 / must be 0 to 600 minutes"
        )
    if wanted.within is not None and wanted.ask in ("median", "centre"):
        raise InputError(
            f"{wanted.ask} 不用 --within；按分钟数求请用 coverage 或 cover / takes no --within; ask coverage "
            "or cover"
        )


def _question(posed: Posed, region: Region, wanted: Wanted) -> _Question:
    problem = posed.problem
    year = problem.years[-1] if wanted.year is None else wanted.year
    if year not in problem.years:
        raise InputError(
            f"--year {year} 不在方案的 years {list(problem.years)} 中 / must be one of the recipe's years"
        )
    unknown = [b for b in wanted.bands if b not in problem.bands]
    if unknown:
        raise InputError(
            f"--band {unknown[0]} 应为 {'、'.join(problem.bands)} 之一 / must be one of these"
        )
    t = problem.years.index(year)
    bands = [k for k, b in enumerate(problem.bands) if not wanted.bands or b in wanted.bands]
    demand = problem.demand()[:, t]
    rows = np.flatnonzero(np.isin(problem.group_band, bands) & (demand > 0)).astype(np.int32)
    if not len(rows):
        raise InputError(f"{year} 年这些学段没有学生 / no students of these bands in {year}")
    band = problem.group_band[rows]
    minutes = problem.minutes[int(problem.network[t]), rows].astype(np.float64)
    minutes = np.where(problem.can_host[:, band].T, minutes, np.inf)
    fit = rooms_of_fit(region, screen_sites(region, posed.network)) if wanted.build else {}
    works: Bool = np.asarray(problem.today_open[:, bands].any(axis=1), dtype=bool)
    kind = _kinds(posed)
    may: Bool = works.copy()
    for j, code in enumerate(problem.site_ids):
        may[j] |= (kind[j] == "candidate" and code in fit) or (
            kind[j] == "closed" and wanted.reopen
        )
    stays = np.zeros(len(works), dtype=bool)
    place = {code: j for j, code in enumerate(problem.site_ids)}
    for action in posed.scenario.actions:
        j = place.get(str(getattr(action, "school", None) or getattr(action, "site", "")), -1)
        if j >= 0 and action.do == "keep":
            stays[j] = True
        elif j >= 0 and action.do in ("build", "reopen"):
            stays[j] = may[j] = True
        elif j >= 0 and action.do == "merge":
            may[j] = False
    if wanted.stay:
        stays |= works
    stays &= may
    limit = problem.trip_limit[band].astype(np.float64)
    within = limit if wanted.within is None else np.full(len(rows), wanted.within)
    return _Question(
        posed, rows, demand[rows].astype(np.float64), minutes, within, stays, ~may, t, fit
    )


def _kinds(posed: Posed) -> list[str]:
    """Whether each site is a working school, a closed one or a candidate site."""
    schools = set(posed.regions[0].schools["school_id"].astype(str))
    works: Bool = np.asarray(posed.problem.today_open.any(axis=1), dtype=bool)
    return [
        "existing" if works[j] else "closed" if code in schools else "candidate"
        for j, code in enumerate(posed.problem.site_ids)
    ]


def _refuse_count(question: _Question, wanted: Wanted, names: dict[str, str]) -> None:
    if wanted.count is None:
        return
    codes = question.posed.problem.site_ids
    fixed, most = np.flatnonzero(question.fixed), int((~question.forbidden).sum())
    if len(fixed) > wanted.count:
        told = "、".join(names.get(codes[j], codes[j]) for j in fixed[:10])
        raise InputError(
            f"--count {wanted.count} 少于必须保留的 {len(fixed)} 所（{told}{'等' if len(fixed) > 10 else ''}） / fewer "
            "than the schools that must stay"
        )
    if wanted.count > most:
        raise InputError(
            f"--count {wanted.count} 多于可选的 {most} 个校点；可用 --build、--reopen 增加 / more than the "
            f"{counted(most, 'site')} that may be chosen; --build and --reopen add some"
        )


def _reached(question: _Question, wanted: Wanted) -> Bool:
    """Units that some site can serve at all, or within the limit where that is demanded."""
    usable = question.minutes[:, ~question.forbidden]
    limit = question.limit if wanted.ask == "cover" else np.full(len(usable), np.inf)
    if wanted.ask == "places" and wanted.within is not None:
        limit = question.limit
    return np.asarray((np.isfinite(usable) & (usable <= limit[:, None])).any(axis=1), dtype=bool)


def _answered(question: _Question, wanted: Wanted, reached: Bool, seed: int) -> Solution:
    cost, weight, limit = (
        question.minutes[reached], question.demand[reached], question.limit[reached],
    )  # fmt: skip
    masks: dict[str, Any] = {
        "fixed": question.fixed, "forbidden": question.forbidden,
        "time_limit": wanted.time_limit, "seed": seed,
    }  # fmt: skip
    count = wanted.count or 1
    if wanted.ask == "median":
        return siting.p_median(cost, weight, count, **masks)
    if wanted.ask == "centre":
        return siting.p_center(cost, count, **masks)
    if wanted.ask == "coverage":
        return siting.max_coverage(cost, weight, count, limit, **masks)
    if wanted.ask == "cover":
        return siting.set_cover(cost, limit, weight=weight, **masks)
    return _with_places(question, wanted, cost, weight, limit, masks)


def _with_places(
    question: _Question,
    wanted: Wanted,
    cost: Float64,
    weight: Float64,
    limit: Float64,
    masks: dict[str, Any],
) -> Solution:
    """Ask for the least yuan a year of schools, classrooms and trips; villages stay whole."""
    posed = question.posed
    problem, costs = posed.problem, costs_of(posed.regions[0].folder)
    if wanted.within is not None:
        cost = np.where(cost <= limit[:, None], cost, np.inf)
    # Whole classes are not formed here: a classroom holds what the largest class of a grade may.
    size = problem.class_size.min(axis=1).astype(np.float64)
    taught = problem.can_host.sum(axis=1)
    rent = costs.site_year + costs.band_year * np.maximum(taught - 1, 0)
    new = ~problem.today_open.any(axis=1)
    rent = rent + np.where(new, costs.site_build / costs.building_life, 0.0)
    more = np.full(len(size), 12)
    for j, code in enumerate(problem.site_ids):
        more[j] = question.rooms.get(code, 12)
    # Teachers are as many wherever the classes are: they are left out.
    room = costs.room_build / costs.building_life
    return siting.expanded(
        cost * costs.minute * 2 * costs.school_days,
        weight,
        problem.rooms[:, question.t] * size,
        rent,
        room_places=size,
        room_cost=room,
        rooms_most=more,
        p=wanted.count,
        single_source=True,
        **masks,
    )


def _told(
    question: _Question, wanted: Wanted, reached: Bool, answer: Solution, region: Region
) -> Sited:
    problem = question.posed.problem
    students = question.demand
    site = np.full(len(students), -1, dtype=np.int32)
    site[reached] = answer.site_of
    # Outside the limit a village still goes somewhere: to the nearest school that is open.
    opened = np.where(answer.open[None, :], question.minutes, np.inf)
    nearest = np.where(np.isfinite(opened).any(axis=1), opened.argmin(axis=1), -1)
    site = np.where(site < 0, nearest, site).astype(np.int32)
    rows = np.arange(len(students))
    minutes = np.where(site >= 0, question.minutes[rows, np.maximum(site, 0)], np.nan)
    total = float(students[reached].sum())
    objective, bound, unit = answer.objective, answer.bound, "yuan/year"
    if wanted.ask == "median":
        objective, bound, unit = objective / total, bound / total, "minutes (mean, one way)"
    elif wanted.ask == "centre":
        unit = "minutes (longest, one way)"
    elif wanted.ask == "coverage":
        unit = "students within the limit"
    elif wanted.ask == "cover":
        unit = "schools"
    names = names_of(region)
    return Sited(
        answer.status, objective, bound, unit,
        _sites(question, answer, site, minutes, names),
        _villages(question, reached, site, minutes, names),
        _figures(question, answer, minutes, problem),
    )  # fmt: skip


def _sites(
    question: _Question, answer: Solution, site: Int32, minutes: Float64, names: dict[str, str]
) -> pd.DataFrame:
    posed = question.posed
    problem, kinds = posed.problem, _kinds(posed)
    township = dict(
        zip(
            posed.regions[0].schools["school_id"].astype(str),
            posed.regions[0].schools["township"].astype(str),
            strict=True,
        )
    )
    out = []
    for j in np.flatnonzero(~question.forbidden):
        code, mine = problem.site_ids[int(j)], site == j
        count = question.demand[mine]
        out.append(
            {
                "site": code,
                "name": names.get(code, code),
                "township": township.get(code, ""),
                "kind": kinds[int(j)],
                "chosen": bool(answer.open[j]),
                "stays": bool(question.fixed[j]),
                "students": int(count.sum()),
                "minutes_mean": round(float(count @ minutes[mine]) / count.sum(), 1)
                if count.sum()
                else float("nan"),
                "minutes_longest": round(float(minutes[mine].max()), 1)
                if mine.any()
                else float("nan"),
                "rooms_added": 0 if answer.rooms is None else int(answer.rooms[j]),
            }
        )
    return pd.DataFrame(out).sort_values(
        ["chosen", "students", "site"], ascending=[False, False, True], ignore_index=True
    )


def _villages(
    question: _Question, reached: Bool, site: Int32, minutes: Float64, names: dict[str, str]
) -> pd.DataFrame:
    problem = question.posed.problem
    today, before = _today(question)
    out = []
    for k, i in enumerate(question.rows):
        village = problem.village_ids[int(problem.group_village[i])]
        code = problem.site_ids[int(site[k])] if site[k] >= 0 else ""
        was = problem.site_ids[int(today[k])] if today[k] >= 0 else ""
        out.append(
            {
                "village_id": village,
                "village": names.get(village, village),
                "band": problem.bands[int(problem.group_band[i])],
                "students": int(question.demand[k]),
                "site": code,
                "name": names.get(code, code),
                "minutes": round(float(minutes[k]), 1),
                "today": was,
                "minutes_today": round(float(before[k]), 1),
                "limit": float(question.limit[k]),
                "reached": bool(reached[k] and site[k] >= 0),
            }
        )
    table = pd.DataFrame(out)
    return table.sort_values(
        ["minutes", "village_id", "band"], ascending=[False, True, True], ignore_index=True
    )


def _today(question: _Question) -> tuple[Int32, Float64]:
    """Today's school of each unit and its trip on today's roads."""
    problem = question.posed.problem
    today = np.asarray(problem.today[question.rows], dtype=np.int32)
    trip = problem.minutes[int(problem.network[0]), question.rows, np.maximum(today, 0)]
    finite = (today >= 0) & np.isfinite(trip)
    return today, np.where(finite, trip, np.nan).astype(np.float64)


def _figures(question: _Question, answer: Solution, minutes: Float64, problem: Any) -> pd.DataFrame:
    _, before = _today(question)
    bands = np.unique(problem.group_band[question.rows])
    students = question.demand

    def of(trip: Float64, schools: int) -> tuple[float, ...]:
        """Sum up a table of trips."""
        there = np.isfinite(trip)
        count = float(students[there].sum())
        return (
            float(schools),
            round(float(students[there] @ trip[there]) / max(count, 1.0), 2),
            round(float(trip[there].max(initial=0.0)), 1),
            float(students[there & (trip <= question.limit)].sum()),
            float(students.sum()),
        )

    names = ("schools", "minutes_mean", "minutes_longest", "students_within", "students")
    works = int(problem.today_open[:, bands].any(axis=1).sum())
    return pd.DataFrame(
        {"figure": names, "today": of(before, works), "answer": of(minutes, int(answer.open.sum()))}
    )
