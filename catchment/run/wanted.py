"""What a recipe adds to the catchments, turned into arrays of the question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse.csgraph import connected_components

from catchment.errors import InputError
from catchment.optimise.wishes import Shared, Wishes
from catchment.plan import Plan
from catchment.problem import Bool, Int32, Problem
from catchment.region.model import Region
from catchment.scenario import Catchments, Move, Scenario, Size, Villages, start_of

Float64 = npt.NDArray[np.float64]


def wishes_of(problem: Problem, region: Region, scenario: Scenario) -> Wishes:
    """Turn the wishes of a recipe into arrays.

    Parameters
    ----------
    problem : Problem
        The question of the recipe.
    region : Region
        The county with the recipe's own sites.
    scenario : Scenario
        The resolved recipe.

    Returns
    -------
    Wishes
        Nothing but the defaults where the recipe adds nothing.

    Raises
    ------
    InputError
        When a wish contradicts another or names a school that never teaches the band.
    """
    wanted, pinned = scenario.catchments, _pinned(problem, scenario)
    if wanted is None:
        return Wishes(pinned=pinned)
    start = start_of(scenario)
    barred = np.zeros((len(problem.group_band), len(problem.site_ids)), dtype=bool)
    for never in wanted.never:
        groups = _groups(problem, never.villages, never.bands)
        barred[groups, _site(problem, never.school)] = True
    strict = np.array([b in wanted.strict_limits for b in problem.bands], dtype=bool)
    sets = {key: _sets(problem, getattr(wanted, key)) for key in ("together", "apart")}
    _refuse_contradictions(problem, sets["together"], sets["apart"])
    _refuse_bars(problem, region, scenario, barred)
    return Wishes(
        barred=barred if barred.any() else None,
        extra=_extra(problem, region, wanted),
        ride_minutes=wanted.ride_minutes,
        least=_sizes(problem, wanted.size, start, "least"),
        most=_sizes(problem, wanted.size, start, "most"),
        together=sets["together"],
        apart=sets["apart"],
        shared=_shared(problem, scenario, barred, start),
        strict=strict if strict.any() else None,
        pinned=pinned,
        keep=bool(wanted.grandfather),
        keep_band=wanted.grandfather == "band",
        siblings=wanted.siblings,
    )


def named_by_wishes(problem: Problem, plan: Plan, wishes: Wishes, *, start: int = 0) -> Problem:
    """Mark villages as sent by hand that actions name or that are put together without bordering.

    Their catchment may lie in parts, as that of a village which an action names may; the check of
    the plan then notes the parts.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        Its answer.
    wishes : Wishes
        What is asked.
    start : int
        Position of the first year in which wishes hold.

    Returns
    -------
    Problem
        With ``fixed_site`` of those villages as the plan has them.
    """
    fixed = problem.fixed_site.copy()
    if wishes.pinned is not None:
        named = wishes.pinned[:, start:]
        fixed[:, start:] = np.where(fixed[:, start:] >= 0, fixed[:, start:], named)
    for each in wishes.together:
        villages = problem.group_village[list(each)]
        among = problem.neighbours[villages][:, villages]
        if connected_components(among, directed=False)[0] > 1:
            rows = np.array(each)
            fixed[rows] = np.where(fixed[rows] >= 0, fixed[rows], plan.site_of[rows])
    return problem.replace(fixed_site=fixed)


def _site(problem: Problem, code: str) -> int:
    return problem.site_ids.index(code)


def _band_positions(problem: Problem, bands: Sequence[str]) -> list[int]:
    """Positions of the bands that are asked for and planned; all where none is named."""
    return [k for k, band in enumerate(problem.bands) if not bands or band in bands]


def _groups(problem: Problem, villages: Iterable[str], bands: Sequence[str]) -> list[int]:
    row = {v: k for k, v in enumerate(problem.village_ids)}
    count = len(problem.bands)
    return [row[v] * count + b for v in villages for b in _band_positions(problem, bands)]


def _sets(problem: Problem, entries: Iterable[Villages]) -> tuple[tuple[int, ...], ...]:
    out: list[tuple[int, ...]] = []
    for entry in entries:
        for b in _band_positions(problem, entry.bands):
            out += [tuple(_groups(problem, entry.villages, (problem.bands[b],)))]
    return tuple(out)


def _refuse_contradictions(
    problem: Problem, together: Sequence[Sequence[int]], apart: Sequence[Sequence[int]]
) -> None:
    for one in together:
        for other in apart:
            both = sorted(set(one) & set(other))
            if len(both) > 1:
                names = [problem.village_ids[int(problem.group_village[i])] for i in both[:2]]
                raise InputError(
                    f"catchments: {names[0]} 与 {names[1]} 既要求同校（together）又要求分校（apart）；请删去"
                    "其一 / are both to go together and to be kept apart; delete one of the two"
                )


def _sizes(problem: Problem, sizes: Sequence[Size], start: int, which: str) -> Int32 | None:
    """Limits by site and band; a school's own figure is shared by the grades it teaches."""
    blank = 0 if which == "least" else -1
    out = np.full((len(problem.site_ids), len(problem.bands)), blank, dtype=np.int32)
    grades = np.bincount(problem.grade_band, minlength=len(problem.bands))
    for size in sizes:
        value = getattr(size, which)
        if value is None:
            continue
        j = _site(problem, size.school)
        taught: Bool = np.asarray(problem.must_open[j, :, start:].any(axis=1))
        named = _band_positions(problem, size.bands)
        if not any(taught[b] for b in named):
            raise InputError(
                f"catchments.size: {size.school} 在方案年份内不办所列学段；请改学段或学校 / teaches none of "
                "these bands in the years of the recipe"
            )
        for b in named:
            if not taught[b]:
                continue
            own = value
            if not size.bands:
                part = value * int(grades[b]) / int(grades[taught].sum())
                # whole parts that never sum to more than the most, nor to fewer than the least
                own = int(np.ceil(part - 1e-9) if which == "least" else np.floor(part + 1e-9))
            # a school that is named twice keeps both figures
            if which == "least":
                out[j, b] = max(int(out[j, b]), own)
            else:
                out[j, b] = own if out[j, b] < 0 else min(int(out[j, b]), own)
    return out if (out != blank).any() else None


def _pinned(problem: Problem, scenario: Scenario) -> Int32 | None:
    """Where ``move`` names the school that a village has already: it has to stay there.

    A later action that names the village, or that sends it elsewhere, takes its place.
    """
    out = np.full(problem.fixed_site.shape, -1, dtype=np.int32)
    for action in sorted(
        (a for a in scenario.actions if isinstance(a, Move)), key=lambda a: int(a.year or 0)
    ):
        j, since = _site(problem, action.to), np.array(problem.years) >= int(action.year or 0)
        for i in _groups(problem, action.villages, action.bands):
            b = int(problem.group_band[i])
            if action.bands or problem.can_host[j, b]:
                stays = since & problem.must_open[j, b] & (int(problem.today[i]) == j)
                out[i] = np.where(since, np.where(stays, j, -1), out[i])
    out = np.where(problem.fixed_site >= 0, -1, out).astype(np.int32)
    return out if (out >= 0).any() else None


def _refuse_bars(problem: Problem, region: Region, scenario: Scenario, barred: Bool) -> None:
    """Refuse to send a village by an action to a school that it is barred from."""
    start = start_of(scenario)
    for i, j in np.argwhere(barred).tolist():
        years = np.flatnonzero(problem.fixed_site[i, start:] == j)
        if len(years) and problem.must_open[j, problem.group_band[i], start + years].any():
            village = problem.village_ids[int(problem.group_village[i])]
            year = problem.years[start + int(years[0])]
            raise InputError(
                f"catchments.never: {village}（{problem.bands[int(problem.group_band[i])]}）不得去 "
                f"{problem.site_ids[j]}，而方案行动 {year} 年把该村送到该校；请删去其一 / the village may not go to "
                "the school that an action sends it to; delete one of the two"
            )


def _shared(problem: Problem, scenario: Scenario, barred: Bool, start: int) -> tuple[Shared, ...]:
    wanted = scenario.catchments or Catchments()
    out: list[Shared] = []
    taken: dict[int, int] = {}
    for number, entry in enumerate(wanted.shared, start=1):
        sites = tuple(_site(problem, s) for s in entry.schools)
        for b in _band_positions(problem, entry.bands):
            teaching = [j for j in sites if problem.must_open[j, b, start:].all()]
            if len(teaching) < len(sites):
                if entry.bands:
                    lacks = next(j for j in sites if j not in teaching)
                    raise InputError(
                        f"catchments.shared 第 {number} 项：{problem.site_ids[lacks]} 不是每年都办 "
                        f"{problem.bands[b]}；请换学校或学段 / does not teach this band in every year"
                    )
                continue
            groups = tuple(_groups(problem, entry.villages, (problem.bands[b],)))
            for i in groups:
                if i in taken:
                    village = problem.village_ids[int(problem.group_village[i])]
                    raise InputError(
                        f"catchments.shared: {village} 列在第 {taken[i]} 和第 {number} 项；请并成一项 / "
                        "a village stands in two shared catchments; make them one"
                    )
                taken[i] = number
                _refuse_share(problem, scenario, barred, i, sites, number, start)
            out.append(Shared(groups, sites, entry.shares))
        if not any(n == number for n in taken.values()):
            raise InputError(
                f"catchments.shared 第 {number} 项：所列学校没有共同的学段 / these schools teach no band in "
                "common"
            )
    return tuple(out)


def _refuse_share(
    problem: Problem,
    scenario: Scenario,
    barred: Bool,
    i: int,
    sites: tuple[int, ...],
    number: int,
    start: int,
) -> None:
    """Refuse a shared village that something else keeps from, or binds to, one of its schools."""
    village = problem.village_ids[int(problem.group_village[i])]
    where = f"catchments.shared 第 {number} 项：{village}"
    for j in sites:
        if barred[i, j]:
            raise InputError(
                f"{where} 由 {problem.site_ids[j]} 参与划片，而 never 规定不得去该校；请删去其一 / is shared by a "
                "school that it may not go to; delete one of the two"
            )
    b = int(problem.group_band[i])
    for action in scenario.actions:
        if not isinstance(action, Move) or village not in action.villages:
            continue
        if not action.bands or problem.bands[b] in action.bands:
            raise InputError(
                f"{where} 又由行动 move 送到 {action.to}；请删去其一 / is shared and also sent to one school by "
                "an action; delete one of the two"
            )
    for t in range(start, len(problem.years)):
        j = int(problem.fixed_site[i, t])
        if j >= 0 and problem.must_open[j, b, t] and j not in sites:
            raise InputError(
                f"{where} 按方案行动 {problem.years[t]} 年并入 {problem.site_ids[j]}，而该校不在划片学校之列；请加上该校或"
                "删去其一 / an action sends it to a school that is not among those that share it"
            )


def _extra(problem: Problem, region: Region, wanted: Catchments) -> Float64 | None:
    """Minutes by which each school counts as farther for each group."""
    by_village = np.zeros((len(problem.village_ids), len(problem.site_ids)))
    villages = region.villages.set_index(region.villages["village_id"].astype(str))
    villages = villages.reindex(list(problem.village_ids))
    schools = region.schools.rename(columns={"school_id": "id"})
    sites = region.sites.rename(columns={"site_id": "id"})
    columns = ["id", "township", "area_id", "geometry"]
    places = pd.concat([pd.DataFrame(t.reindex(columns=columns)) for t in (schools, sites)])
    places = places.set_index(places["id"].astype(str)).reindex(list(problem.site_ids))
    if wanted.border != "none":
        column = "township" if wanted.border == "township" else "area_id"
        if column not in villages.columns:
            raise InputError(
                'catchments.border = "area"：村庄表没有片区代码（area_id） / villages name no area'
            )
        mine = villages[column].astype("object").to_numpy()
        theirs = places[column].astype("object").to_numpy()
        theirs = np.where(pd.isna(theirs), mine[problem.home], theirs)
        known = ~pd.isna(mine)[:, None] & ~pd.isna(theirs)[None, :]
        other = mine[:, None].astype(str) != theirs[None, :].astype(str)
        by_village += np.where(known & other, wanted.border_minutes, 0.0)
    if wanted.compactness:
        x = np.array([[p.x, p.y] for p in villages["geometry"]])
        y = np.array([[p.x, p.y] for p in places["geometry"]])
        km = np.hypot(*(x[:, None, :] - y[None, :, :]).transpose(2, 0, 1)) / 1000.0
        by_village += wanted.compactness * km
    return by_village[problem.group_village] if by_village.any() else None
