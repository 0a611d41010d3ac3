"""Why each action: whom it moves where, who loses and gains, what it saves, what stands before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from catchment.english import counted
from catchment.optimise import consolidation as model
from catchment.optimise.phases.account import grade_sites, students_there
from catchment.optimise.phases.singly import without_moves
from catchment.problem import Bool
from catchment.region.model import Region
from catchment.run.offer import Offer
from catchment.run.spoken import names_of, spoken, words_of

WORSE = 10.0
"""Minutes one way by which a village's trip must grow to be named."""

_BUILT = (
    ("rooms", "间教室", "room", "rooms"),
    ("beds", "个床位", "bed", "beds"),
    ("dining_seats", "个餐位", "dining seat", "dining seats"),
    ("nap_places", "个午休位", "nap place", "nap places"),
)
_GIVES_UP = ("merge", "downgrade")
_UNTOLD = ("road", "keep", "move")


@dataclass(frozen=True)
class _Told:
    """An offer with what is looked up for every action."""

    offer: Offer
    names: dict[str, str]
    before: frozenset[tuple[str, str, int]]

    def name(self, code: str) -> str:
        return self.names.get(code, code)


def actions_table(offer: Offer, region: Region) -> pd.DataFrame:
    """Actions of a plan, each with its reason, figures and what would be broken a year earlier.

    Parameters
    ----------
    offer : Offer
        A plan.
    region : Region
        The county.

    Returns
    -------
    DataFrame
        One row an action, then (``do`` = ``move``) one a year and pair of schools between which
        villages change though their school goes on: ``year, do, school, name, into, into_name,
        students_today, students_year, students_moved, receivers, minutes_before, minutes_after,
        villages_worse, worse_names, villages_better, better_names, students_boarding,
        boarding_names, saves_yuan, saves_teachers`` (all years, a year; what the plan would cost
        more without this action, everything else unchanged), ``build_first, build_first_en,
        earlier_breaks, earlier_breaks_en`` (rules that a year earlier would break),
        ``earlier_limits, earlier_limits_en`` (limits of the user and of the model), ``earlier_yuan,
        reason_zh, reason_en``.
    """
    question = offer.question
    told = _Told(
        offer,
        names_of(region),
        frozenset((v.rule, v.where, v.year) for v in model.check(question, offer.answer)),
    )
    listed = [
        (action, str(action.get("school", action.get("site", ""))))
        for action in offer.recipe["action"]
        if action["do"] not in _UNTOLD
    ]
    listed = [(a, code) for a, code in listed if code in question.problem.site_ids]
    changes = [_of_action(offer, action, code) for action, code in listed]
    moved = _moved_on(offer)
    groups = [_groups(offer, rows) for rows in [*changes, *(rows for _, rows in moved)]]
    saved = _saved(offer, groups)
    rows = [
        _action_row(told, action, code, rows, gain)
        for (action, code), rows, gain in zip(listed, changes, saved, strict=False)
    ]
    rows += [
        _move_row(told, key, rows, gain)
        for (key, rows), gain in zip(moved, saved[len(listed) :], strict=True)
    ]
    return pd.DataFrame(rows)


def _of_action(offer: Offer, action: dict[str, Any], code: str) -> pd.DataFrame:
    """Return the changes of school that an action makes."""
    changes, problem = offer.changes, offer.question.problem
    mine = (changes["from_site"] == code) & (changes["students"] > 0)
    if action["do"] not in _GIVES_UP:
        mine &= False
    else:
        # Who leaves a band that is taught on is told by a row of its own. Where current students
        # finish, the last of them leave in the action's year, the first before.
        j, t = problem.site_ids.index(code), problem.years.index(int(action["year"]))
        lost = [b for k, b in enumerate(problem.bands) if not offer.answer.plan.open[j, k, t]]
        last = offer.question.transition == "finish"
        when = changes["year"] <= action["year"] if last else changes["year"] == action["year"]
        mine &= when & changes["band"].isin(lost)
    return pd.DataFrame(changes[mine])


def _moved_on(offer: Offer) -> list[tuple[tuple[int, str, str], pd.DataFrame]]:
    """Villages that leave a school which goes on teaching their band, by year and pair of schools."""
    problem, opened = offer.question.problem, offer.answer.plan.open
    site = {code: j for j, code in enumerate(problem.site_ids)}
    changes = offer.changes[offer.changes["students"] > 0]
    last = offer.question.transition == "finish"
    stays = [
        str(f) in site
        and bool(
            opened[site[str(f)], problem.bands.index(b), -1 if last else problem.years.index(y)]
        )
        for f, b, y in zip(changes["from_site"], changes["band"], changes["year"], strict=True)
    ]
    mine = changes[np.array(stays, dtype=bool) & (changes["from_site"] != changes["to_site"])]
    return [
        ((int(str(year)), str(code), str(into)), rows)
        for (year, code, into), rows in mine.groupby(["year", "from_site", "to_site"], sort=True)
    ]


def _groups(offer: Offer, rows: pd.DataFrame) -> Bool:
    """Village-bands of some changes."""
    problem = offer.question.problem
    out = np.zeros(len(problem.group_band), dtype=bool)
    village = {code: v for v, code in enumerate(problem.village_ids)}
    for code, band in zip(rows["village_id"].astype(str), rows["band"], strict=True):
        mine = problem.group_village == village[code]
        out |= mine & (problem.group_band == problem.bands.index(band))
    return out


def _saved(offer: Offer, groups: list[Bool]) -> list[tuple[float, float]]:
    """Yuan over all years and teachers a year that the plan saves by each set of moves alone."""
    asked = [k for k, mask in enumerate(groups) if mask.any()]
    out = [(float("nan"), float("nan"))] * len(groups)
    others = without_moves(offer.question, offer.answer, [groups[k] for k in asked])
    mine = _teachers(offer.question, offer.answer)
    for k, other in zip(asked, others, strict=True):
        teachers = _teachers(offer.question, other) - mine
        yuan = other.plan.objective - offer.answer.plan.objective
        out[k] = (round(yuan, 0), round(teachers, 2))
    return out


def _teachers(question: model.Question, answer: model.Answer) -> float:
    """Teachers, mean over the years after today."""
    problem, plan = question.problem, answer.plan
    there = students_there(problem, grade_sites(problem, plan.site_of, question.transition))
    classes = model.classes_counted(problem, there, plan.open, question.costs)
    years = max(len(problem.years) - 1, 1)
    return question.costs.teachers_per_class * float(classes[:, :, 1:].sum()) / years


def _action_row(
    told: _Told,
    action: dict[str, Any],
    code: str,
    rows: pd.DataFrame,
    gain: tuple[float, float],
) -> dict[str, Any]:
    offer = told.offer
    question, plan = offer.question, offer.answer.plan
    problem = question.problem
    j, year = problem.site_ids.index(code), int(action["year"])
    t = problem.years.index(year) if year in problem.years else 0
    demand = problem.demand()
    mine = plan.site_of[:, 0] == j
    gives_up = action["do"] in _GIVES_UP
    into = str(action.get("into") or "")
    facts = {
        "year": year,
        "do": action["do"],
        "school": code,
        "name": told.name(code),
        "into": into,
        "into_name": told.names.get(into, ""),
        "students_today": int(demand[mine, 0].sum()),
        "students_year": int(demand[mine, t].sum()),
        **_common(told, rows, gain),
        **_before(told, rows, year if gives_up else None, j, t),
    }
    zh, en = _gives_up(told, facts, rows) if gives_up else _builds(action, facts)
    return {**facts, "reason_zh": zh, "reason_en": en}


def _move_row(
    told: _Told, key: tuple[int, str, str], rows: pd.DataFrame, gain: tuple[float, float]
) -> dict[str, Any]:
    year, code, into = key
    problem = told.offer.question.problem
    demand = problem.demand()
    home = told.offer.answer.plan.site_of[:, 0] == problem.site_ids.index(code)
    facts = {
        "year": year,
        "do": "move",
        "school": code,
        "name": told.name(code),
        "into": into,
        "into_name": told.name(into),
        "students_today": int(demand[home, 0].sum()),
        "students_year": int(demand[home, problem.years.index(year)].sum()),
        **_common(told, rows, gain),
        **_before(told, rows, None, 0, 0),
    }
    who = "、".join(dict.fromkeys(rows["village"].astype(str)))
    moved = facts["students_moved"]
    zh = (
        f"{facts['name']}不撤；{who} {moved} 人 {year} 年改到{facts['into_name']}，是全县方案的安排"
        f"（总费用与学区连片一并考虑）；{_effects_zh(facts)}"
    )
    en = (
        f"{facts['name']} stays open; {counted(moved, 'student')} of {who.replace('、', ', ')} "
        f"{'goes' if moved == 1 else 'go'} to {facts['into_name']} from {year}, as part of the whole "
        f"plan (cost and connected catchments); {_effects_en(facts)}"
    )
    return {**facts, "reason_zh": zh, "reason_en": en}


def _common(told: _Told, rows: pd.DataFrame, gain: tuple[float, float]) -> dict[str, Any]:
    return {
        "students_moved": int(rows["students"].sum()),
        "receivers": "、".join(f"{name} {count}" for name, count in _receivers(rows)),
        **effects(rows),
        "saves_yuan": gain[0],
        "saves_teachers": gain[1],
    }


def _receivers(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """Schools that take students in, the one that takes most first."""
    count = rows.groupby("to_name", sort=True)["students"].sum()
    return sorted(((str(k), int(n)) for k, n in count.items()), key=lambda x: (-x[1], x[0]))


def effects(rows: pd.DataFrame) -> dict[str, Any]:
    """Sum up changes of school: trips of those who travel daily, and who begins to board.

    Parameters
    ----------
    rows : DataFrame
        Rows of :func:`catchment.run.explain.explain`.

    Returns
    -------
    dict
        ``minutes_before, minutes_after`` (mean daily trip one way, weighted by students; nan where
        nobody travels daily), villages that lose more than :data:`WORSE` minutes and villages that
        gain, by number and by name, and students who begin to board.
    """
    weekly = rows["mode_after"] == "board"
    begin = rows["mode_before"] != "board"
    daily = rows[~weekly]
    more = daily["minutes_after"] - daily["minutes_before"]
    weight = daily["students"].to_numpy(dtype=float)
    total = max(float(weight.sum()), 1.0)
    worse, better = daily[more > WORSE], daily[more < 0]
    return {
        "minutes_before": _mean(daily["minutes_before"], weight, total),
        "minutes_after": _mean(daily["minutes_after"], weight, total),
        "villages_worse": int(worse["village_id"].nunique()),
        "worse_names": _named(worse),
        "villages_better": int(better["village_id"].nunique()),
        "better_names": _named(better),
        "students_boarding": int(rows.loc[weekly & begin, "students"].sum()),
        "boarding_names": _named(rows[weekly & begin]),
    }


def _named(rows: pd.DataFrame) -> str:
    return "、".join(dict.fromkeys(rows["village"].astype(str)))


def _mean(minutes: pd.Series, weight: np.ndarray[Any, Any], total: float) -> float:
    if not len(minutes):
        return float("nan")
    return round(float(minutes.fillna(0).to_numpy(dtype=float) @ weight) / total, 1)


def trips(facts: dict[str, Any]) -> tuple[str, str]:
    """Say how the daily trip changes.

    Parameters
    ----------
    facts : dict
        As :func:`effects` gives them.

    Returns
    -------
    tuple of str
        In Chinese and English; where everybody boards there is no daily trip.
    """
    before, after = facts["minutes_before"], facts["minutes_after"]
    if np.isnan(before) or np.isnan(after):
        return "不比较（无人每日往返）", "not compared (nobody travels daily)"
    return f"由 {before:g} 分钟变为 {after:g} 分钟", f"{before:g} to {after:g} min"


def _effects_zh(facts: dict[str, Any]) -> str:
    parts = [f"每日往返的平均单程{trips(facts)[0]}"]
    if facts["villages_worse"]:
        parts.append(f"{facts['villages_worse']} 个村多走 10 分钟以上：{facts['worse_names']}")
    else:
        parts.append("没有村多走 10 分钟以上")
    if facts["villages_better"]:
        parts.append(f"{facts['villages_better']} 个村路变短：{facts['better_names']}")
    if np.isfinite(facts["saves_yuan"]):
        parts.append(_saving(facts["saves_yuan"], facts["saves_teachers"])[0])
    return "；".join(parts)


def _effects_en(facts: dict[str, Any]) -> str:
    worse, better = facts["villages_worse"], facts["villages_better"]
    parts = [f"mean daily trip {trips(facts)[1]}"]
    names = facts["worse_names"].replace("、", ", ")
    parts.append(
        f"more than 10 min longer for {counted(worse, 'village')}: {names}"
        if worse
        else "no village travels more than 10 min longer"
    )
    if better:
        names = facts["better_names"].replace("、", ", ")
        parts.append(f"shorter for {counted(better, 'village')}: {names}")
    if np.isfinite(facts["saves_yuan"]):
        parts.append(_saving(facts["saves_yuan"], facts["saves_teachers"])[1])
    return "; ".join(parts)


def _saving(yuan: float, teachers: float) -> tuple[str, str]:
    """Say what an action saves, or costs, by itself."""
    zh = (
        f"单独看，这一行动使各年总费用{'减少' if yuan >= 0 else '增加'} {abs(yuan) / 1e4:,.1f} 万元"
    )
    en = f"by itself this {'saves' if yuan >= 0 else 'costs'} {abs(yuan):,.0f} yuan over all years"
    if abs(teachers) >= 0.05:
        zh += f"，平均每年{'少' if teachers > 0 else '多'}用 {abs(teachers):.1f} 名教师"
        en += (
            f" and takes {abs(teachers):.1f} teachers {'fewer' if teachers > 0 else 'more'} a year"
        )
    return zh + "（其余照方案）", en + " (all else as in the plan)"


def _gives_up(told: _Told, facts: dict[str, Any], rows: pd.DataFrame) -> tuple[str, str]:
    small = facts["students_today"] < model.SMALL
    merge, moved, year = facts["do"] == "merge", facts["students_moved"], facts["year"]
    boards, finish = facts["students_boarding"], told.offer.question.transition == "finish"
    there = _receivers(rows)
    where_zh = "、".join(f"{name} {n} 人" for name, n in there)
    where_en = ", ".join(f"{n} to {name}" for name, n in there)
    since = int(rows["year"].min()) if len(rows) else year
    does = "撤并" if merge else "改为教学点（低年级留在村里）"
    act = "closes" if merge else "becomes a teaching point"
    if not there:
        does_zh, does_en = f"{does}，没有学生要换校", f"{act}; nobody has to change school"
    elif finish:
        does_zh = f"自 {since} 年起新生改到{where_zh}（头一年人数），在校生读完本学段后{does}"
        does_en = f"{act} when current students have finished; entrants go elsewhere from {since} on (first year: {where_en})"
    else:
        does_zh = f"{does}后 {moved} 人换校：{where_zh}"
        does_en = f"{act} and {counted(moved, 'student goes', 'students go')} elsewhere: {where_en}"
    zh = (
        f"{facts['name']}现有 {facts['students_today']} 人"
        + ("，不足 100 人属小规模学校（国办发〔2018〕27号）" if small else "")
        + f"，{year} 年 {facts['students_year']} 人；{does_zh}"
        + (f"，其中 {boards} 人改为寄宿（{facts['boarding_names']}）" if boards else "")
        + f"；{_effects_zh(facts)}"
    )
    en = (
        f"{facts['name']} has {counted(facts['students_today'], 'student')} today"
        + (" (small school, Guobanfa 2018 No. 27)" if small else "")
        + f", {facts['students_year']} in {year}; it {does_en}"
        + (
            f"; {counted(boards, 'of them boards', 'of them board')} "
            f"({facts['boarding_names'].replace('、', ', ')})"
            if boards
            else ""
        )
        + f"; {_effects_en(facts)}"
    )
    return zh, en


def _builds(action: dict[str, Any], facts: dict[str, Any]) -> tuple[str, str]:
    zh, en = _built(action)
    name, year = facts["name"], facts["year"]
    if action["do"] != "expand":
        opens = "新建" if action["do"] == "build" else "恢复办学"
        does = "is built" if action["do"] == "build" else "opens again"
        told = f"{name} {does} in {year}, with {en} finished before it opens"
        return f"{name} {year} 年{opens}，开学前建成 {zh}", told
    return (
        f"{name} {year} 年加建 {zh}，以便下一年接收学生（先建后撤，国办发〔2012〕48号）",
        f"{name} adds {en} in {year}, before it receives (build first, Guobanfa 2012 No. 48)",
    )


def _built(action: dict[str, Any]) -> tuple[str, str]:
    given = [(int(action.get(key) or 0), zh, one, many) for key, zh, one, many in _BUILT]
    zh = "、".join(f"{n} {unit}" for n, unit, _, _ in given if n)
    en = ", ".join(f"{n} {one if n == 1 else many}" for n, _, one, many in given if n)
    return zh or "所需用房", en or "what it needs"


def _before(told: _Told, rows: pd.DataFrame, year: int | None, j: int, t: int) -> dict[str, Any]:
    """Tell what has to be built before an action, and what stands against doing it a year earlier."""
    offer = told.offer
    blank = {
        "build_first": "", "build_first_en": "", "earlier_breaks": "", "earlier_breaks_en": "",
        "earlier_limits": "", "earlier_limits_en": "", "earlier_yuan": float("nan"),
    }  # fmt: skip
    if year is None:
        return blank
    taking = set(rows["to_site"].astype(str))
    first = [
        (a["school"], a["year"], *_built(a))
        for a in offer.recipe["action"]
        if a["do"] == "expand" and a["school"] in taking and a["year"] < year
    ]
    built = {
        "build_first": "；".join(f"{told.name(s)} {y} 年加建 {zh}" for s, y, zh, _ in first),
        "build_first_en": "; ".join(f"{told.name(s)} adds {en} in {y}" for s, y, _, en in first),
    }
    if offer.question.transition == "finish" and len(rows):
        # What could be earlier is the first year of entrants who go elsewhere.
        t = offer.question.problem.years.index(int(rows["year"].min()))
    if t < 2:
        today = words_of("the first year is today")
        return {**blank, **built, "earlier_limits": today.zh, "earlier_limits_en": today.en}
    trial = model.a_year_earlier(offer.question, offer.answer, j, t)
    found = [
        v
        for v in model.check(offer.question, trial)
        if (v.rule, v.where, v.year) not in told.before
    ]
    more = trial.plan.objective - offer.answer.plan.objective
    rules = [spoken(v, told.names) for v in found if words_of(v.rule).kind == "rule"]
    limits = [spoken(v, told.names) for v in found if words_of(v.rule).kind != "rule"]
    return {
        **built,
        "earlier_breaks": "；".join(dict.fromkeys(zh for zh, _ in rules)),
        "earlier_breaks_en": "; ".join(dict.fromkeys(en for _, en in rules)),
        "earlier_limits": "；".join(dict.fromkeys(zh for zh, _ in limits)),
        "earlier_limits_en": "; ".join(dict.fromkeys(en for _, en in limits)),
        "earlier_yuan": round(more, 0),
    }
