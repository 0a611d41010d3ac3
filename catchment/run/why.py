"""Why every village goes where it goes, and what binds every school: limits and their price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.english import counted
from catchment.optimise import assignment
from catchment.optimise.contiguity import pieces
from catchment.optimise.layouts.places import band_places
from catchment.optimise.wishes import Wishes, barred_pairs
from catchment.plan import Plan, students_at
from catchment.problem import Int32, Problem
from catchment.region.model import Region
from catchment.run.explain import not_with_the_village
from catchment.run.model import names_of_sites

Float64 = npt.NDArray[np.float64]

VILLAGES = (
    "village_id", "village", "township", "band", "year", "students", "site_id", "site", "minutes",
    "nearest_id", "nearest", "nearest_minutes", "farther", "limit", "places_short",
    "student_minutes", "reason_zh", "reason_en",
)  # fmt: skip
"""Columns of :func:`why_villages`."""

SCHOOLS = (
    "site_id", "site", "band", "year", "students", "places", "least", "most", "limit",
    "price_student_minutes", "reason_zh", "reason_en",
)  # fmt: skip
"""Columns of :func:`why_schools`."""

LIMITS: Mapping[str, tuple[str, str]] = {
    "action": ("方案行动指定了去向", "an action of the recipe sends it"),
    "never": ("方案规定不得去该校", "the recipe bars it from that school"),
    "trip": ("去该校的路超过本学段时限", "the way there is beyond the limit of the band"),
    "shared": ("该村是多校划片，不含该校", "it is shared by other schools"),
    "most": ("该校达到方案规定的最大规模", "that school would be above its most students"),
    "places": ("该校学位不足", "that school has too few places"),
    "apart": ("方案要求与该校的另一村分校", "it is kept apart from another village there"),
    "together": ("方案要求与别村同校", "it goes together with other villages"),
    "least": (
        "其现校会低于方案规定的最小规模",
        "its own school would fall below its least students",
    ),
    "walk": ("去该校须乘车，现校可步行", "it would ride there and walks now"),
    "border": ("跨界或不紧凑的代价更大", "crossing the border or a stretched catchment costs more"),
    "stay": ("近得不多，仍留原校", "it is not nearer by enough to leave its school"),
    "whole": ("去该校则学区不连片", "a catchment would fall into pieces"),
    "today": ("沿用现有学区", "today's catchments are kept"),
    "others": (
        "没有单独一项限制：为全县总路程与别村一并安排",
        "no limit by itself: it was arranged with other villages for the least travel of all",
    ),
}
"""What can stand against the nearest school, the first that holds is named."""


@dataclass(frozen=True)
class _Year:
    """One band and year of a plan."""

    problem: Problem
    plan: Plan
    wishes: Wishes
    stay: float
    names: Mapping[str, str]
    band: int
    t: int
    members: Int32
    minutes: Float64
    barred: npt.NDArray[np.bool_]
    demand: npt.NDArray[np.int64]
    load: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    most: Float64

    def site(self, row: int) -> int:
        return int(self.plan.site_of[self.members[row], self.t])

    def name(self, j: int) -> str:
        code = self.problem.site_ids[j]
        return self.names.get(code, code)


def _year(
    problem: Problem, plan: Plan, wishes: Wishes, stay: float, names: Mapping[str, str],
    band: int, t: int,
) -> _Year:  # fmt: skip
    members = np.flatnonzero(problem.group_band == band).astype(np.int32)
    minutes = problem.minutes[int(problem.network[t]), members].astype(np.float64)
    minutes[:, ~plan.open[:, band, t]] = np.inf
    grades = problem.grade_band == band
    most = np.full(len(problem.site_ids), np.inf)
    if wishes.most is not None:
        most = np.where(wishes.most[:, band] >= 0, wishes.most[:, band], np.inf)
    return _Year(
        problem, plan, wishes, stay, names, band, t, members, minutes,
        barred_pairs(problem, wishes, members, band, t),
        problem.demand()[members, t].astype(np.int64),
        students_at(problem, plan)[:, grades, t].sum(axis=1).astype(np.int64),
        band_places(problem, band, t).astype(np.int64), most,
    )  # fmt: skip


def why_villages(
    problem: Problem,
    plan: Plan,
    region: Region,
    *,
    wishes: Wishes | None = None,
    stay_minutes: float = 0.0,
    start: int = 0,
) -> pd.DataFrame:
    """Say for every village, band and year why this school and not the nearest.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county.
    wishes : Wishes, optional
        What planners added.
    stay_minutes : float
        Minutes that a school must be nearer by before a village leaves its own.
    start : int
        Position of the first year in which wishes hold.

    Returns
    -------
    DataFrame
        Columns :data:`VILLAGES`; ``limit`` is a key of :data:`LIMITS`, empty where the village goes
        to the nearest open school; ``places_short`` is how many places it would need there beyond
        those left; ``student_minutes`` how much more all students of the band together travel, one
        way, in the best arrangement of all in which this village has the nearest school than in
        the best one without that demand, villages being divided in the places there are and minutes
        alone counted: a price of the question, not what this very plan would gain or lose. It is
        blank where those places cannot seat all.
    """
    names = names_of_sites(region)
    table = region.villages.set_index(region.villages["village_id"].astype(str))
    name = table["name"].astype(str).reindex(list(problem.village_ids)).tolist()
    township = table["township"].astype(str).reindex(list(problem.village_ids)).tolist()
    rows: list[tuple[Any, ...]] = []
    for t, year in enumerate(problem.years):
        asked = wishes if wishes is not None and t >= start else Wishes()
        for b, band in enumerate(problem.bands):
            at = _year(problem, plan, asked, stay_minutes, names, b, t)
            price = _cost_of_nearest(at)
            for row, i in enumerate(at.members):
                j = at.site(row)
                v = int(problem.group_village[i])
                told = _told(at, row, j, price)
                also = not_with_the_village(problem, plan, int(i), t, names)
                told = (*told[:-2], told[-2] + also[0], told[-1] + also[1])
                own = ("", "", np.nan) if j < 0 else (
                    problem.site_ids[j], at.name(j), round(float(at.minutes[row, j]), 1)
                )  # fmt: skip
                rows.append(
                    (problem.village_ids[v], name[v], township[v], band, year,
                     int(at.demand[row]), *own, *told)
                )  # fmt: skip
    return pd.DataFrame(rows, columns=list(VILLAGES))


def _told(at: _Year, row: int, j: int, price: Callable[[int, int], float]) -> tuple[Any, ...]:
    """Nearest school, what stands against it, what it would take, and both in words."""
    near = int(at.minutes[row].argmin()) if np.isfinite(at.minutes[row]).any() else -1
    if near < 0:
        zh, en = "没有可到达的学校", "no school can be reached"
        return ("", "", np.nan, np.nan, "", 0, np.nan, zh, en)
    close = round(float(at.minutes[row, near]), 1)
    head = (at.problem.site_ids[near], at.name(near), close)
    if j < 0 or j == near or not at.minutes[row, j] - at.minutes[row, near] > 0.05:
        return (*head, 0.0, "", 0, 0.0, "就近入学", "the nearest open school")
    farther = round(float(at.minutes[row, j] - at.minutes[row, near]), 1)
    count = int(at.demand[row])
    short = max(int(at.load[near]) + count - int(min(at.places[near], at.most[near])), 0)
    limit = _limit(at, row, j, near)
    zh, en = LIMITS[limit]
    zh = f"最近的{at.name(near)}近 {farther:.1f} 分钟：{zh}"
    en = f"{at.name(near)} is nearer by {farther:.1f} minutes: {en}"
    if limit in ("places", "most"):
        zh += f"，该学段现有 {at.load[near]} 人，再收本村 {count} 人还缺 {short} 个学位"
        en += (
            f"; {counted(int(at.load[near]), 'child is', 'children are')} there, "
            f"{counted(short, 'more place')} would be needed for {count}"
        )
    cost = price(row, near) if count else 0.0
    if np.isfinite(cost) and cost >= 0.5:
        zh += f"；该村去最近的学校时，全学段最短的单程合计（村可拆分、只计路程）比不去时多 {cost:.0f} 学生·分钟"
        en += "; with it there, the least that all of this band could travel (villages divided, minutes "
        en += f"alone) is {counted(cost, 'student-minute', form='.0f')} more than without"
    return (*head, farther, limit, short, cost if count else 0.0, zh, en)


def _limit(at: _Year, row: int, j: int, near: int) -> str:
    """First limit that stands against the nearest school."""
    i, t, wishes = int(at.members[row]), at.t, at.wishes
    fixed = int(at.problem.fixed_site[i, t])
    if fixed == j or (wishes.pinned is not None and int(wishes.pinned[i, t]) == j):
        return "action"
    if at.barred[row, near]:
        if wishes.barred is not None and wishes.barred[i, near]:
            return "never"
        shared = any(i in s.groups and near not in s.sites for s in wishes.shared)
        return "shared" if shared else "trip"
    if at.plan.method == "today":
        return "today"
    if at.plan.method == "capacity":
        more = int(at.load[near]) + int(at.demand[row])
        if more > at.most[near]:
            return "most"
        if more > at.places[near] and at.demand[row]:
            return "places"
        mates = _mates(at, i)
        if any(at.plan.site_of[k, t] == near for each in wishes.apart if i in each for k in each):
            return "apart"
        if any(at.plan.site_of[k, t] == j for k in mates):
            return "together"
        least = 0 if wishes.least is None else int(wishes.least[j, at.band])
        if int(at.load[j]) - int(at.demand[row]) < least:
            return "least"
    saved = float(at.minutes[row, j] - at.minutes[row, near])
    net, walk = int(at.problem.network[t]), at.problem.modes.index("walk")
    mode = at.problem.mode[net, i]
    if mode[j] == walk and mode[near] != walk and saved < wishes.ride_minutes:
        return "walk"
    if wishes.extra is not None and saved < wishes.extra[i, near] - wishes.extra[i, j]:
        return "border"
    before = int(at.plan.site_of[i, t - 1]) if t else int(at.problem.today[i])
    if before == j and saved < at.stay:
        return "stay"
    return "others" if _holds(at, row, near) else "whole"


def _mates(at: _Year, i: int) -> list[int]:
    return [k for each in at.wishes.together if i in each for k in each if k != i]


def _holds(at: _Year, row: int, near: int) -> bool:
    """Whether both catchments are no more in pieces when the village goes to its nearest school."""
    site = at.plan.site_of[at.members, at.t].copy()
    sites = len(at.problem.site_ids)
    before = pieces(site, at.problem.neighbours, sites)
    own = int(site[row])
    if int(at.problem.home[own]) == row:
        return False
    site[row] = near
    after = pieces(site, at.problem.neighbours, sites)
    return bool(after[near] <= max(before[near], 1) and after[own] <= before[own])


def _capacity(at: _Year) -> Float64:
    """Places that count: those of the school, never more than allowed, or what is seated anyway."""
    return np.maximum(np.minimum(at.places, at.most), at.load).astype(np.float64)


def _cost_of_nearest(at: _Year) -> Callable[[int, int], float]:
    """Return a function that says what it costs all if a row goes to a site."""
    cost = np.where(at.barred, np.inf, at.minutes)
    served = np.flatnonzero(np.isfinite(cost).any(axis=1))
    position = {int(row): k for k, row in enumerate(served)}
    if not len(served):
        return lambda _row, _near: float("nan")
    capacity = _capacity(at)
    state = assignment.prepare(cost[served], at.demand[served].astype(np.float64), capacity)

    def price(row: int, near: int) -> float:
        count = float(at.demand[row])
        if row not in position or state.refused > 0 or capacity[near] < count:
            return float("nan")
        other = state.set_demand(position[row], 0.0).resize(near, capacity[near] - count)
        if other.refused > 0:
            return float("nan")
        total = other.objective + count * float(at.minutes[row, near])
        return round(total - state.objective, 1)

    return price


def why_schools(
    problem: Problem,
    plan: Plan,
    region: Region,
    *,
    wishes: Wishes | None = None,
    start: int = 0,
) -> pd.DataFrame:
    """Say for every school, band and year which limit binds and what one more place would save.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county.
    wishes : Wishes, optional
        What planners added.
    start : int
        Position of the first year in which wishes hold.

    Returns
    -------
    DataFrame
        Columns :data:`SCHOOLS`; ``limit`` is ``over`` (more students than places), ``full`` (no
        place left), ``most``, ``above`` (more than its most students, while current ones finish),
        ``least`` or empty; ``price_student_minutes`` is what all students of
        the band would travel less, one way, with one more place there, everybody being seated at
        the best for all and villages divided: the optimum with the place and without it.
    """
    names = names_of_sites(region)
    rows: list[tuple[Any, ...]] = []
    for t, year in enumerate(problem.years):
        asked = wishes if wishes is not None and t >= start else Wishes()
        for b, band in enumerate(problem.bands):
            at = _year(problem, plan, asked, 0.0, names, b, t)
            price = _price_of_places(at)
            least = np.zeros(len(at.load)) if asked.least is None else asked.least[:, b]
            for j in np.flatnonzero(plan.open[:, b, t]).tolist():
                limit = _binding(at, j, int(least[j]))
                zh, en = _binding_words(at, j, limit, int(least[j]), price[j])
                most = "" if np.isinf(at.most[j]) else int(at.most[j])
                rows.append(
                    (problem.site_ids[j], at.name(j), band, year, int(at.load[j]),
                     int(at.places[j]), int(least[j]) or "", most, limit, price[j], zh, en)
                )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SCHOOLS))


def _price_of_places(at: _Year) -> Float64:
    """Reckon what one more place saves at each site: two optima."""
    cost = np.where(at.barred, np.inf, at.minutes)
    served = np.flatnonzero(np.isfinite(cost).any(axis=1))
    out = np.zeros(len(at.load))
    if not len(served):
        return out
    capacity = _capacity(at)
    state = assignment.prepare(cost[served], at.demand[served].astype(np.float64), capacity)
    for j in np.flatnonzero(state.load >= capacity - 0.5):
        if at.plan.open[j, at.band, at.t]:
            saved = state.objective - state.resize(int(j), capacity[j] + 1).objective
            out[j] = max(round(saved, 1), 0.0)
    return out


def _binding(at: _Year, j: int, least: int) -> str:
    if at.load[j] > at.places[j]:
        return "over"
    if at.load[j] >= at.most[j]:
        return "most" if at.load[j] == at.most[j] else "above"
    if at.load[j] == at.places[j]:
        return "full"
    return "least" if least and at.load[j] <= least else ""


def _binding_words(at: _Year, j: int, limit: str, least: int, price: float) -> tuple[str, str]:
    load, places = int(at.load[j]), int(at.places[j])
    over = 0 if np.isinf(at.most[j]) else load - int(at.most[j])
    zh, en = {
        "over": (
            f"学位已满并超出 {load - places} 人",
            f"full, and {load - places} above its places",
        ),
        "full": ("学位已满", "full"),
        "most": ("达到方案规定的最大规模", "at its most students"),
        "above": (
            f"超过方案规定的最大规模 {over} 人，在校生读完为止",
            f"{over} above its most students until those who are there have finished",
        ),
        "least": (f"处于方案规定的最小规模 {least}", f"at its least students, {least}"),
        "": (f"尚余 {places - load} 个学位", f"{counted(places - load, 'place')} left"),
    }[limit]
    if price > 0:
        zh += f"；多 1 个学位可使全学段单程少走 {price:.1f} 学生·分钟"
        en += f"; one more place saves {price:.1f} student-minutes one way"
    return zh, en
