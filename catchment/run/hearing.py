"""What a hearing asks: why each action, who travels how much longer, what keeping a school costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.model import names_of_sites
from catchment.run.offer import Offer

WORSE = 10.0
"""Minutes one way by which a village's trip must grow to be named."""

_RULES_ZH = {
    "rooms": "教室尚未建成（先建后撤，国办发〔2012〕48号）",
    "beds": "床位尚未建成（国办发〔2012〕48号：住宿不能满足不得撤并）",
    "dining seats": "餐位尚未建成（国办发〔2012〕48号：就餐不能满足不得撤并）",
    "a room for every class": "接收学校当年教室不足（先建后撤，国办发〔2012〕48号）",
    "the new trip keeps its limit": "当年新行程超过上限",
    "largest size": "接收学校超过规模上限",
    "closures a year": "超过每年撤并所数上限",
    "students moved a year": "超过每年转学人数上限",
    "the first year is today": "首年为现状，不变动",
}


def moves_table(offer: Offer) -> pd.DataFrame:
    """Villages whose school changes, with the minutes that their trip gains or loses.

    Parameters
    ----------
    offer : Offer
        A plan.

    Returns
    -------
    DataFrame
        The table of :func:`catchment.run.explain.explain` with ``minutes_more``, ``worse`` (more
        than :data:`WORSE` minutes longer one way every day) and ``boards`` (begins to board: its
        minutes are those of the weekly trip), those that lose most first,
        boarders last.
    """
    table = offer.changes
    table = table[table["students"] > 0].copy()
    more = table["minutes_after"] - table["minutes_before"]
    table["minutes_more"] = more.round(1)
    weekly = table["mode_after"] == "board"
    table["worse"] = (more > WORSE) & ~weekly
    table["boards"] = weekly & (table["mode_before"] != "board")
    order = ["boards", "minutes_more", "village_id", "band", "year"]
    return table.sort_values(
        order, ascending=[True, False, True, True, True], kind="stable"
    ).reset_index(drop=True)


def pieces_table(offer: Offer, region: Region) -> pd.DataFrame:
    """Name village-bands that are cut off from their school by villages of another catchment.

    Parameters
    ----------
    offer : Offer
        A plan.
    region : Region
        The county.

    Returns
    -------
    DataFrame
        ``village_id, village, band, school, school_name, years, why_zh, why_en``: those that today's
        catchments cut off and that stay where they are (geography), and those that the plan does.
    """
    question, plan = offer.question, offer.answer.plan
    problem = question.problem
    names = names_of_sites(region)
    village = dict(
        zip(
            region.villages["village_id"].astype(str),
            region.villages["name"].astype(str),
            strict=True,
        )
    )
    apart = model.cut_off_today(question)
    cut = model.cut_off(question, plan.site_of)
    with_children = problem.students.sum(axis=1) > 0
    rows = []
    for i in range(len(apart)):
        stays = apart[i] & (plan.site_of[i] == plan.site_of[i, 0]) & with_children[i]
        for mask, zh, en in (
            (
                stays,
                "今日学区即如此（地形或村界），方案未改变",
                "so today (terrain or borders), unchanged",
            ),
            (cut[i], "由方案造成，未能以连片方案代替", "by the plan; no connected plan was found"),
        ):
            if not mask.any():
                continue
            code = problem.village_ids[int(problem.group_village[i])]
            t = int(np.flatnonzero(mask)[-1])
            school = problem.site_ids[int(plan.site_of[i, t])]
            rows.append(
                {
                    "village_id": code,
                    "village": village.get(code, code),
                    "band": problem.bands[int(problem.group_band[i])],
                    "school": school,
                    "school_name": names.get(school, school),
                    "years": "、".join(str(problem.years[int(y)]) for y in np.flatnonzero(mask)),
                    "why_zh": zh,
                    "why_en": en,
                }
            )
    return pd.DataFrame(rows)


def actions_table(offer: Offer, region: Region) -> pd.DataFrame:
    """Every action of a plan with its reason, who loses and gains, and what must come first.

    Parameters
    ----------
    offer : Offer
        A plan.
    region : Region
        The county.

    Returns
    -------
    DataFrame
        ``year, do, school, name, into, into_name, students_today, students_year, students_moved,
        minutes_before, minutes_after (of those who travel daily), villages_worse, worse_names,
        villages_better, students_boarding (who begin to), boarding_names, build_first,
        earlier_breaks, earlier_yuan, reason_zh, reason_en``.
    """
    names = names_of_sites(region)
    rows = []
    for action in offer.recipe["action"]:
        if action["do"] in ("road", "keep", "move"):
            continue
        code = str(action.get("school", action.get("site", "")))
        if code not in offer.question.problem.site_ids:
            continue
        facts = _facts(offer, action, code, names)
        zh, en = _sentence(offer, action, facts, names.get(code, code), names)
        rows.append({**facts, "reason_zh": zh, "reason_en": en})
    rows += _moved_on(offer, names)
    return pd.DataFrame(rows)


def _moved_on(offer: Offer, names: dict[str, str]) -> list[dict[str, Any]]:
    """Tell villages that leave a school which goes on teaching their band: a row a pair of schools."""
    problem, opened = offer.question.problem, offer.answer.plan.open
    site = {code: j for j, code in enumerate(problem.site_ids)}
    changes = offer.changes[offer.changes["students"] > 0]
    stays = [
        str(f) in site
        and bool(opened[site[str(f)], problem.bands.index(b), problem.years.index(y)])
        for f, b, y in zip(changes["from_site"], changes["band"], changes["year"], strict=True)
    ]
    mine = changes[np.array(stays, dtype=bool) & (changes["from_site"] != changes["to_site"])]
    demand = problem.demand()
    out = []
    for (year, code, into), rows in mine.groupby(["year", "from_site", "to_site"], sort=True):
        when = int(str(year))
        t = problem.years.index(when)
        home = offer.answer.plan.site_of[:, 0] == site[str(code)]
        who = "、".join(dict.fromkeys(rows["village"].astype(str)))
        moved, effects = int(rows["students"].sum()), _effects(rows)
        worse = effects["worse_names"]
        name, target = names.get(str(code), str(code)), names.get(str(into), str(into))
        out.append(
            {
                "year": when,
                "do": "move",
                "school": str(code),
                "name": name,
                "into": str(into),
                "into_name": target,
                "students_today": int(demand[home, 0].sum()),
                "students_year": int(demand[home, t].sum()),
                "students_moved": moved,
                **effects,
                "build_first": "",
                "earlier_breaks": "",
                "earlier_yuan": np.nan,
                "reason_zh": f"{name}不撤；{who} {moved} 人 {when} 年改到{target}，是全县方案的安排（总费用与学区连片一并考虑）"
                f"；每日单程{_trips(effects)[0]}；"
                + (
                    f"{effects['villages_worse']} 个村多走 10 分钟以上：{worse}"
                    if worse
                    else "没有村多走 10 分钟以上"
                ),
                "reason_en": f"{name} stays open; {moved} students of {who} go to {target} "
                f"from {when}, as part of the whole plan (cost and connected catchments); "
                f"mean daily trip {_trips(effects)[1]}; "
                f"more than 10 min longer: {worse or 'nobody'}",
            }
        )
    return out


def _facts(
    offer: Offer, action: dict[str, Any], code: str, names: dict[str, str]
) -> dict[str, Any]:
    question, plan = offer.question, offer.answer.plan
    problem = question.problem
    j, year = problem.site_ids.index(code), int(action["year"])
    t = problem.years.index(year) if year in problem.years else 0
    mine = plan.site_of[:, 0] == j
    demand = problem.demand()
    leaves = mine & (plan.site_of[:, t] != j) & (plan.site_of[:, max(t - 1, 0)] == j)
    changes = offer.changes
    rows = changes[(changes["from_site"] == code) & (changes["year"] == year)]
    rows = rows[rows["students"] > 0]
    first_built = _first_built(offer, rows["to_site"], year, names)
    giving_up = action["do"] in ("merge", "downgrade")
    earlier = _earlier(question, offer.answer, j, t) if giving_up and t > 0 else ("", np.nan)
    into = str(action.get("into") or "")
    return {
        "year": year,
        "do": action["do"],
        "school": code,
        "name": names.get(code, code),
        "into": into,
        "into_name": names.get(into, ""),
        "students_today": int(demand[mine, 0].sum()),
        "students_year": int(demand[mine, t].sum()),
        "students_moved": int(demand[leaves, t].sum()) if giving_up else 0,
        **_effects(rows),
        "build_first": first_built if giving_up else "",
        "earlier_breaks": earlier[0],
        "earlier_yuan": earlier[1],
    }


def _effects(rows: pd.DataFrame) -> dict[str, Any]:
    """Sum up changes of school: trips of those who travel daily, and who begins to board."""
    weekly = rows["mode_after"] == "board"
    begin = rows["mode_before"] != "board"
    daily = rows[~weekly]
    more = daily["minutes_after"] - daily["minutes_before"]
    weight = daily["students"].to_numpy(dtype=float)
    total = max(float(weight.sum()), 1.0)
    worse = daily[more > WORSE]
    return {
        "minutes_before": _mean(daily["minutes_before"], weight, total),
        "minutes_after": _mean(daily["minutes_after"], weight, total),
        "villages_worse": int(worse["village_id"].nunique()),
        "worse_names": "、".join(dict.fromkeys(worse["village"].astype(str))),
        "villages_better": int(daily[more < 0]["village_id"].nunique()),
        "students_boarding": int(rows.loc[weekly & begin, "students"].sum()),
        "boarding_names": "、".join(dict.fromkeys(rows.loc[weekly, "village"].astype(str))),
    }


def _trips(effects: dict[str, Any]) -> tuple[str, str]:
    """Say how the daily trip changes; where everybody boards there is none."""
    before, after = effects["minutes_before"], effects["minutes_after"]
    if np.isnan(before) or np.isnan(after):
        return "不比较（无人每日往返）", "not compared (nobody travels daily)"
    return f"由 {before:g} 分钟变为 {after:g} 分钟", f"{before:g} to {after:g} min"


def _mean(minutes: pd.Series, weight: np.ndarray[Any, Any], total: float) -> float:
    if not len(minutes):
        return float("nan")
    return round(float(minutes.fillna(0).to_numpy(dtype=float) @ weight) / total, 1)


def _first_built(offer: Offer, receivers: pd.Series, year: int, names: dict[str, str]) -> str:
    """Name the building at the receiving schools that has to be finished before the year."""
    out = []
    taking = set(receivers.astype(str))
    for action in offer.recipe["action"]:
        if action["do"] != "expand" or action["school"] not in taking or action["year"] >= year:
            continue
        what = "、".join(
            f"{action[key]} {unit}"
            for key, unit in (("rooms", "间教室"), ("beds", "个床位"), ("dining_seats", "个餐位"))
            if action.get(key)
        )
        out.append(f"{names.get(action['school'], '')} {action['year']} 年加建 {what}")
    return "；".join(out)


def _earlier(question: model.Question, answer: model.Answer, j: int, t: int) -> tuple[str, float]:
    """Return what would be broken, or how much dearer it were, if a school gave up a year earlier."""
    if t < 2:
        return _RULES_ZH["the first year is today"], float("nan")
    trial = model.a_year_earlier(question, answer, j, t)
    before = {(v.rule, v.where, v.year) for v in model.check(question, answer)}
    found = [v for v in model.check(question, trial) if (v.rule, v.where, v.year) not in before]
    lines = []
    for v in found:
        rule = _RULES_ZH.get(v.rule.split(":")[0], v.rule)
        amount = "" if np.isnan(v.value) or np.isnan(v.limit) else f"：{v.value:g} > {v.limit:g}"
        lines.append(f"{rule}（{v.where} {v.year or ''}{amount}）".replace(" ）", "）"))
    more = trial.plan.objective - answer.plan.objective
    return "；".join(dict.fromkeys(lines)), round(more, 0)


def _sentence(
    offer: Offer, action: dict[str, Any], facts: dict[str, Any], name: str, names: dict[str, str]
) -> tuple[str, str]:
    kind = action["do"]
    if kind in ("expand", "build", "reopen"):
        what_zh = "、".join(
            f"{action[k]} {u}"
            for k, u in (("rooms", "间教室"), ("beds", "个床位"), ("dining_seats", "个餐位"))
            if action.get(k)
        )
        what_en = ", ".join(
            f"{action[k]} {u}"
            for k, u in (("rooms", "rooms"), ("beds", "beds"), ("dining_seats", "dining seats"))
            if action.get(k)
        )
        return (
            f"{name} {facts['year']} 年加建 {what_zh}，以便下一年接收学生（先建后撤，国办发〔2012〕48号）",
            f"{name} adds {what_en} in {facts['year']}, before it receives (build first, Guobanfa 2012 No. 48)",
        )
    into = names.get(str(action.get("into") or ""), "") or "附近几所学校"
    small = facts["students_today"] < model.SMALL
    clause = "，不足 100 人属小规模学校（国办发〔2018〕27号）" if small else ""
    does = "撤并" if kind == "merge" else "改为教学点（低年级留在村里）"
    zh = (
        f"{name}现有 {facts['students_today']} 人{clause}，{facts['year']} 年 {facts['students_year']} 人；"
        f"{does}后 {facts['students_moved']} 人主要到{into}"
        + (f"，其中 {facts['students_boarding']} 人改为寄宿" if facts["students_boarding"] else "")
        + f"；每日往返的平均单程{_trips(facts)[0]}；"
        + (
            f"{facts['villages_worse']} 个村多走 10 分钟以上：{facts['worse_names']}"
            if facts["villages_worse"]
            else "没有村多走 10 分钟以上"
        )
    )
    act = "closes" if kind == "merge" else "becomes a teaching point"
    en = (
        f"{name} has {facts['students_today']} students today"
        + (" (small school, Guobanfa 2018 No. 27)" if small else "")
        + f", {facts['students_year']} in {facts['year']}; it {act} and {facts['students_moved']} go mainly to "
        f"{into}, {facts['students_boarding']} of them to board; mean daily trip {_trips(facts)[1]}; "
        f"{facts['villages_worse']} villages more than 10 min worse"
    )
    return zh, en


def schools_table(
    offer: Offer,
    region: Region,
    *,
    most: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return the hearing list: what keeping or closing each small school costs, and whom.

    Only the surroundings of a school are planned anew, the rest of the county stays as in the plan.

    Parameters
    ----------
    offer : Offer
        The plan that is proposed.
    region : Region
        The county.
    most : int
        Schools at most: those that the plan changes first, then the smallest.
    seed : int
        Seed of the surroundings.
    progress : callable, optional
        Told the name of each school.

    Returns
    -------
    DataFrame
        ``school, name, township, students_today, students_last, in_plan, keep_yuan, keep_most,
        keep_teachers, keep_own_minutes, keep_other_minutes, close_yuan, close_most, close_teachers,
        close_own_minutes, close_other_minutes, close_villages, close_students, close_boarding,
        close_longest, close_note``. Yuan over all years, less negative than the plan's own; minutes are daily
        student-minutes one way.
    """
    question, answer = offer.question, offer.answer
    problem = question.problem
    names = names_of_sites(region)
    town = dict(
        zip(
            region.schools["school_id"].astype(str),
            region.schools["township"].astype(str),
            strict=True,
        )
    )
    village = dict(
        zip(
            region.villages["village_id"].astype(str),
            region.villages["name"].astype(str),
            strict=True,
        )
    )
    demand = problem.demand()
    rows = []
    for j in _asked(offer, most):
        code = problem.site_ids[j]
        if progress is not None:
            progress(f"{names.get(code, code)}：保留与撤并的代价 / price of keeping and closing")
        mine = answer.plan.site_of[:, 0] == j
        row: dict[str, Any] = {
            "school": code,
            "name": names.get(code, ""),
            "township": town.get(code, ""),
            "students_today": int(demand[mine, 0].sum()),
            "students_last": int(demand[mine, -1].sum()),
            "in_plan": _state(offer, j),
        }
        keep = model.price_of_keeping(question, answer, code, seed=seed, near=True)
        close = model.price_of_closing(question, answer, code, seed=seed, near=True)
        for head, price in (("keep", keep), ("close", close)):
            row[f"{head}_yuan"] = round(price.yuan, 0)
            row[f"{head}_most"] = round(price.most, 0)
            row[f"{head}_teachers"] = round(price.teachers, 2)
            row[f"{head}_own_minutes"] = round(price.own_minutes, 1)
            row[f"{head}_other_minutes"] = round(price.other_minutes, 1)
        rows.append({**row, **_closed(question, close, j, village)})
    return pd.DataFrame(rows)


def _asked(offer: Offer, most: int) -> Sequence[int]:
    """Small schools and schools that the plan changes, these first, then by size."""
    problem, plan = offer.question.problem, offer.answer.plan
    works = np.asarray(problem.today_open.any(axis=1))
    changed = works & (plan.open[:, :, -1] != problem.today_open).any(axis=1)
    small = works & (offer.question.may_close | offer.question.may_downgrade)
    size = np.bincount(
        np.maximum(plan.site_of[:, 0], 0), problem.demand()[:, 0], minlength=len(works)
    )
    order = [(not changed[j], size[j], j) for j in np.flatnonzero(changed | small)]
    return [int(j) for _, _, j in sorted(order)[:most]]


def _state(offer: Offer, j: int) -> str:
    plan, problem = offer.answer.plan, offer.question.problem
    bands = plan.open[j].sum(axis=0)
    for name, hit in (("merge", bands == 0), ("downgrade", bands < bands[0])):
        if hit.any():
            return f"{name} {problem.years[int(np.flatnonzero(hit)[0])]}"
    return "keep"


def _closed(
    question: model.Question, close: model.Price, j: int, names: dict[str, str]
) -> dict[str, Any]:
    """Tell who travels how much longer each day if the school closes: its villages, last year."""
    problem = question.problem
    plan = close.answer.plan
    empty: dict[str, Any] = {
        "close_villages": 0,
        "close_students": 0,
        "close_boarding": 0,
        "close_longest": float("nan"),
        "close_note": close.answer.reason,
    }
    if plan.status in ("infeasible", "unknown"):
        return empty
    students = problem.demand()[:, -1]
    mine = np.flatnonzero((plan.site_of[:, 0] == j) & (students > 0) & (plan.site_of[:, -1] >= 0))
    if not len(mine):
        return {**empty, "close_note": ""}
    net = int(problem.network[-1])
    after = problem.minutes[net, mine, plan.site_of[mine, -1]].astype(float)
    before = problem.minutes[int(problem.network[0]), mine, j].astype(float)
    mode = problem.mode[net, mine, plan.site_of[mine, -1]]
    weekly = np.array([problem.modes[k] == "board" for k in mode], dtype=bool)
    worse = (after - before > WORSE) & ~weekly
    villages = problem.group_village[mine[worse]]
    return {
        "close_villages": len(np.unique(villages)),
        "close_students": int(students[mine[worse]].sum()),
        "close_boarding": int(students[mine[weekly]].sum()),
        "close_longest": round(float(after[~weekly].max(initial=0.0)), 1),
        "close_note": "、".join(
            names.get(problem.village_ids[int(v)], "") for v in np.unique(villages)
        ),
    }
