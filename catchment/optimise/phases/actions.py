"""A plan as the actions of a recipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from catchment.optimise.phases.question import Answer, Question


def actions(
    question: Question,
    answer: Answer,
    *,
    candidates: Collection[str] = (),
    given: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Write a plan as the actions of a recipe, the first that must be done first.

    A school that gives up bands names as receiver the site that takes most of its students; the
    reason says how many go elsewhere. Rooms, beds, seats and nap places of a working school are added one year
    before their first use; a new or reopened school opens with what it needs in that year. Villages
    that go elsewhere than the recipe's actions would send them are moved by name, so that the
    recipe says all that the plan decides.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its answer.
    candidates : collection of str
        Codes of building sites; other sites that open are closed schools that reopen.
    given : sequence of mapping
        Actions that the recipe has already; they are not written again.

    Returns
    -------
    list of dict
        Keys ``do``, ``year``, ``school`` (or ``site``), ``into``, ``rooms``, ``beds``,
        ``dining_seats``, ``nap_places``, ``villages``, ``to``, ``bands`` and ``reason`` as :class:`catchment.scenario.Scenario` takes them.
    """
    problem, plan = question.problem, answer.plan
    out: list[dict[str, Any]] = []
    bands = plan.open.sum(axis=1)
    for j, code in enumerate(problem.site_ids):
        for t in range(1, len(problem.years)):
            before, now = int(bands[j, t - 1]), int(bands[j, t])
            if now < before:
                out.append(_giving_up(question, answer, j, t, now == 0))
            elif now > before and before == 0:
                out.append(_opening(question, answer, j, t, code in candidates))
        out += _expansions(question, answer, j)
    known = {_subject(a) for a in given}
    out = [a for a in out if a["do"] == "expand" or _subject(a) not in known]
    out += _moves(question, answer, [*given, *out])
    order = {"build": 0, "reopen": 0, "expand": 1, "downgrade": 2, "merge": 3, "move": 4}
    return sorted(
        out, key=lambda a: (a["year"], order[a["do"]], _subject(a)[1], a.get("bands", []))
    )


def _subject(action: Mapping[str, Any]) -> tuple[str, str, Any]:
    place = action.get("school") or action.get("site") or action.get("to") or ""
    return str(action["do"]), str(place), action.get("year")


def _moves(
    question: Question, answer: Answer, listed: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Villages whose school the listed actions do not yet tell, year by year."""
    problem, site_of = question.problem, answer.plan.site_of
    place = {code: j for j, code in enumerate(problem.site_ids)}
    village = {code: v for v, code in enumerate(problem.village_ids)}
    told = site_of[:, 0].copy()
    out: list[dict[str, Any]] = []
    for t, year in enumerate(problem.years):
        for action in (a for a in listed if a.get("year") == year):
            if action["do"] in ("merge", "downgrade"):
                j = place[action["school"]]
                gone = np.asarray(problem.group_band) > (-1 if action["do"] == "merge" else 0)
                told[(told == j) & gone] = place.get(str(action.get("into")), -1)
        for action in (a for a in listed if a.get("year") == year and a["do"] == "move"):
            here = np.isin(problem.group_village, [village[v] for v in action["villages"]])
            bands = [b for b in problem.bands if not action.get("bands") or b in action["bands"]]
            taught = np.isin(problem.group_band, [problem.bands.index(b) for b in bands])
            told[here & taught] = place[action["to"]]
        if t == 0:
            continue
        # Where current students finish, a group without children is left at a school that closes.
        opened = answer.plan.open[np.maximum(site_of[:, t], 0), problem.group_band, t]
        differs = (site_of[:, t] >= 0) & (site_of[:, t] != told) & opened
        sets: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for v in np.unique(problem.group_village[differs]):
            mine = np.flatnonzero(differs & (problem.group_village == v))
            for j in np.unique(site_of[mine, t]):
                bands = [problem.bands[problem.group_band[i]] for i in mine if site_of[i, t] == j]
                key = (problem.site_ids[j], tuple(bands))
                sets.setdefault(key, []).append(problem.village_ids[v])
        for (code, taught_bands), names in sorted(sets.items()):
            out.append(
                {
                    "do": "move",
                    "year": year,
                    "villages": sorted(names),
                    "to": code,
                    "bands": list(taught_bands),
                    "reason": "布局方案调整学区 / catchment changed by the plan",
                }
            )
        told[differs] = site_of[differs, t]
    return out


_SEVERAL, _HERE = "名学生分流 / students go to several schools", "名学生并入 / students move here"


def counts_students(reason: str) -> bool:
    """Whether a reason is one that :func:`actions` writes of all who leave a school together.

    Parameters
    ----------
    reason : str
        Reason of an action.

    Returns
    -------
    bool
        True where it says nothing of the single village.

    Examples
    --------
    >>> counts_students("13 名学生并入 / students move here，另 4 名到其他学校 / 4 elsewhere")
    True
    >>> counts_students("家长会同意 / agreed by the parents")
    False
    """
    head, _, rest = reason.partition(" ")
    return head.isdigit() and rest.startswith((_SEVERAL, _HERE))


def _giving_up(question: Question, answer: Answer, j: int, t: int, closes: bool) -> dict[str, Any]:
    problem, plan = question.problem, answer.plan
    lost = plan.open[j, :, t - 1] & ~plan.open[j, :, t]
    # Where current students finish, the last of those who were ever there leave now; else only who
    # was there until now: whoever left in an earlier year goes nowhere by this action.
    since = 0 if question.transition == "finish" else t - 1
    mine = [
        i
        for i in range(len(problem.group_band))
        if lost[int(problem.group_band[i])] and j in plan.site_of[i, since:t]
    ]
    goes: dict[int, int] = {}
    for i in mine:
        where = int(plan.site_of[i, t])
        if where >= 0 and where != j and plan.open[where, int(problem.group_band[i]), t]:
            goes[where] = goes.get(where, 0) + int(problem.students[i, :, t].sum())
    # The recipe sends all to one school, so it has to teach every band that is given up.
    able = {k: n for k, n in goes.items() if (plan.open[k, lost, t]).all()}
    action: dict[str, Any] = {
        "do": "merge" if closes else "downgrade",
        "school": problem.site_ids[j],
        "year": problem.years[t],
    }
    if not able:
        action["reason"] = f"{sum(goes.values())} {_SEVERAL}"
        return action
    into = min(able, key=lambda k: (-able[k], problem.site_ids[k]))
    others = sum(goes.values()) - goes[into]
    action["into"] = problem.site_ids[into]
    action["reason"] = f"{goes[into]} {_HERE}" + (
        f"，另 {others} 名到其他学校 / {others} elsewhere" if others else ""
    )
    return action


def _opening(question: Question, answer: Answer, j: int, t: int, candidate: bool) -> dict[str, Any]:
    problem, built = question.problem, answer.built
    code, year = problem.site_ids[j], problem.years[t]
    rooms = max(int(problem.rooms[j, t]) + int(built.rooms[j, t]), 1)
    reason = "开学前建成 / finished before it opens"
    if not candidate:
        return {"do": "reopen", "school": code, "year": year, "rooms": rooms, "reason": reason}
    return {
        "do": "build",
        "site": code,
        "year": year,
        "rooms": rooms,
        "beds": int(built.beds[j, t]),
        "dining_seats": int(built.seats[j, t]),
        "nap_places": int(built.naps[j, t]),
        "reason": reason,
    }


def _expansions(question: Question, answer: Answer, j: int) -> list[dict[str, Any]]:
    problem, built = question.problem, answer.built
    out: list[dict[str, Any]] = []
    runs = answer.plan.open[j].any(axis=0)
    for t in range(1, len(problem.years)):
        if not runs[t - 1]:
            continue
        more = {
            "rooms": int(built.rooms[j, t] - built.rooms[j, t - 1]),
            "beds": int(built.beds[j, t] - built.beds[j, t - 1]),
            "dining_seats": int(built.seats[j, t] - built.seats[j, t - 1]),
            "nap_places": int(built.naps[j, t] - built.naps[j, t - 1]),
        }
        added = {name: count for name, count in more.items() if count > 0}
        if added:
            head = {"do": "expand", "school": problem.site_ids[j], "year": problem.years[t - 1]}
            reason = f"先建后撤：{problem.years[t]} 年接收前建成 / built before it receives"
            out.append({**head, **added, "reason": reason})
    return out
