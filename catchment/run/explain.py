"""Why a village goes to another school, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from catchment.english import counted
from catchment.optimise import consolidation as model
from catchment.optimise.layouts.places import band_places
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.run.model import names_of_sites
from catchment.scenario import Scenario


def explain(
    problem: Problem, today: Plan, plan: Plan, region: Region, scenario: Scenario
) -> pd.DataFrame:
    """Say for every village-band whose school or schools change where it goes and why.

    Parameters
    ----------
    problem : Problem
        The question.
    today, plan : Plan
        The two answers.
    region : Region
        The county.
    scenario : Scenario
        The resolved recipe.

    Returns
    -------
    DataFrame
        One row a village, band and first year of a change; a village that other schools come to
        share while its own school stays has one too, from its school to the same: ``village_id, village, township, band,
        year, from_site, from_name, to_site, to_name, minutes_before, minutes_after, mode_before,
        mode_after, students, reason_zh, reason_en``.
    """
    names = names_of_sites(region)
    villages = region.villages
    name = villages["name"].astype(str).tolist()
    township = villages["township"].astype(str).tolist()
    demand = problem.demand()
    by_school = {(a.school, a.year): a for a in scenario.actions if hasattr(a, "school")}
    rows = []
    for i in range(len(problem.group_band)):
        before, sharing = int(today.site_of[i, 0]), frozenset[int]()
        for t, year in enumerate(problem.years):
            after, others = int(plan.site_of[i, t]), _shared_by(plan, i, t)
            if after == before and others <= sharing:
                continue
            sharing = others
            v, b = int(problem.group_village[i]), int(problem.group_band[i])
            if after == before:
                zh, en = _STAYS
            else:
                zh, en = _reason(problem, plan, by_school, before, after, b, t, names)
            for more in (
                _not_the_nearest(problem, plan, i, t, names),
                not_with_the_village(problem, plan, i, t, names),
            ):
                zh, en = zh + more[0], en + more[1]
            rows.append(
                {
                    "village_id": problem.village_ids[v],
                    "village": name[v],
                    "township": township[v],
                    "band": problem.bands[b],
                    "year": year,
                    "from_site": problem.site_ids[before] if before >= 0 else "",
                    "from_name": names.get(problem.site_ids[before], "") if before >= 0 else "",
                    "to_site": problem.site_ids[after] if after >= 0 else "",
                    "to_name": names.get(problem.site_ids[after], "") if after >= 0 else "",
                    "minutes_before": _minutes(problem, i, before, 0),
                    "minutes_after": _minutes(problem, i, after, t),
                    "mode_before": _mode(problem, int(today.mode_of[i, 0])),
                    "mode_after": _mode(problem, int(plan.mode_of[i, t])),
                    "students": int(demand[i, t]),
                    "reason_zh": zh,
                    "reason_en": en,
                }
            )
            before = after
    columns = [
        "village_id", "village", "township", "band", "year", "from_site", "from_name", "to_site",
        "to_name", "minutes_before", "minutes_after", "mode_before", "mode_after", "students",
        "reason_zh", "reason_en",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


_STAYS = "本村仍去原校", "the village keeps its school"


def _shared_by(plan: Plan, i: int, t: int) -> frozenset[int]:
    """Further schools that share a group in a year."""
    parts = plan.elsewhere
    if parts is None:
        return frozenset()
    mine = (parts.group == i) & (parts.year == t) & parts.shared
    return frozenset(parts.site[mine].tolist())


def _not_the_nearest(
    problem: Problem, plan: Plan, i: int, t: int, names: dict[str, str]
) -> tuple[str, str]:
    """Say which limit keeps a group from its nearest open school, and what having it would take."""
    after, band = int(plan.site_of[i, t]), int(problem.group_band[i])
    if after < 0 or plan.method != "capacity":
        return "", ""
    minutes = problem.minutes[problem.network[t], i].astype(float)
    minutes[~plan.open[:, band, t]] = np.inf
    nearest = int(minutes.argmin())
    saved = float(minutes[after] - minutes[nearest])
    if nearest == after or not saved > 0.05:
        return "", ""
    group = np.flatnonzero(problem.group_band == band)
    demand = problem.demand()[:, t]
    inside = int(demand[group[plan.site_of[group, t] == nearest]].sum())
    places = int(band_places(problem, band, t)[nearest])
    lacking = inside + int(demand[i]) - places
    who = names.get(problem.site_ids[nearest], problem.site_ids[nearest])
    count = int(demand[i])
    zh = f"；最近的{who}近{saved:.1f}分钟，"
    en = f"; {who} is nearer by {saved:.1f} minutes, "
    if lacking > 0:
        zh += f"该学段{places}个学位已有{inside}人，再收本村{count}人缺{lacking}个学位"
        en += f"but {counted(inside, 'child holds', 'children hold')} its "
        en += f"{counted(places, 'place')} of this band: {counted(lacking, 'more place')} "
        en += f"would be needed for the {count} of this village"
    else:
        zh += f"尚有{places - inside}个学位：学区连片、他村去向、先步行后乘车或方案动作使其未去"
        en += f"and has {counted(places - inside, 'place')} left: keeping catchments whole, other villages, "
        en += "walks before rides or an action stand against it"
    return zh, en


def not_with_the_village(
    problem: Problem, plan: Plan, i: int, t: int, names: Mapping[str, str]
) -> tuple[str, str]:
    """Say which children do not go to the school of their village, and where they go.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    i, t : int
        Group and year.
    names : mapping of str to str
        Names of schools by code.

    Returns
    -------
    tuple of str
        A clause to be added to a sentence, in Chinese and in English; empty where all go there.
    """
    parts = plan.elsewhere
    if parts is None:
        return "", ""
    zh, en = "", ""
    for shared in (True, False):
        mine = (parts.group == i) & (parts.year == t) & (parts.shared == shared)
        sites = sorted(set(parts.site[mine].tolist()))
        if not sites:
            continue
        count = {j: int(parts.students[mine & (parts.site == j)].sum()) for j in sites}
        who = {j: names.get(problem.site_ids[j], problem.site_ids[j]) for j in sites}
        there_zh = "、".join(f"{who[j]} {count[j]} 人" for j in sites)
        there_en = ", ".join(f"{count[j]} to {who[j]}" for j in sites)
        if shared:
            zh += f"；多校划片，另有 {there_zh}"
            en += f"; shared with other schools: {there_en}"
        else:
            zh += f"；在校生及其弟妹仍在原校就读：{there_zh}"
            en += f"; children already at a school, and siblings, go on there: {there_en}"
    return zh, en


def _minutes(problem: Problem, i: int, site: int, t: int) -> float:
    if site < 0:
        return float("nan")
    return round(float(problem.minutes[problem.network[t], i, site]), 1)


def _mode(problem: Problem, mode: int) -> str:
    return problem.modes[mode] if mode >= 0 else ""


def _reason(
    problem: Problem,
    plan: Plan,
    by_school: dict[Any, Any],
    before: int,
    after: int,
    band: int,
    t: int,
    names: dict[str, str],
) -> tuple[str, str]:
    """One sentence on why a group leaves its school."""
    if after < 0:
        return "没有可到达的学校", "no school can be reached"
    if before < 0:
        return "原先没有可到达的学校", "no school could be reached before"
    left, target = problem.site_ids[before], names.get(problem.site_ids[after], "")
    action = None
    for year in problem.years[: t + 1]:
        for (school, when), each in by_school.items():
            if (
                school == left
                and when is not None
                and when <= year
                and each.do
                in (
                    "merge",
                    "downgrade",
                )
            ):
                action = each
    if not plan.open[before, band, t]:
        # A reason of the program's own stands in two languages; how many leave a school in all is
        # told of the school, not of each of its villages.
        note = (
            f"（{action.reason.partition(' / ')[0]}）"
            if action is not None and action.reason and not model.counts_students(action.reason)
            else ""
        )
        what_zh = "撤并" if action is None or action.do == "merge" else "改为教学点"
        what_en = "closed" if action is None or action.do == "merge" else "made a teaching point"
        year = action.year if action is not None else problem.years[t]
        return (
            f"{names.get(left, left)}{year}年{what_zh}，改到{target}{note}",
            f"{names.get(left, left)} is {what_en} in {year}; goes to {target}",
        )
    if plan.method == "today":
        return (
            f"{names.get(left, left)}仍开办，按布局方案改到{target}",
            f"{names.get(left, left)} stays open; the plan sends it to {target}",
        )
    nearer = "就近" if plan.method == "nearest" else "按学位和距离"
    return (
        f"{nearer}调整到{target}",
        f"assigned to {target} by {'distance' if plan.method == 'nearest' else 'places and distance'}",
    )
