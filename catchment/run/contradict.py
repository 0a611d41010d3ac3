"""Demands of a recipe that contradict each other: which villages, which schools, which actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from catchment.errors import CatchmentError
from catchment.optimise import consolidation as model
from catchment.problem import Problem
from catchment.run.trials import Trials, trials
from catchment.scenario import Action, Scenario

MOST = 12
"""Actions that are given up by way of trial, one at a time."""

_ZH = {
    "keep": "保留", "downgrade": "改教学点", "merge": "撤并", "expand": "扩建", "build": "新建",
    "reopen": "恢复", "road": "修路", "move": "调整学区",
}  # fmt: skip


def named(action: Action, names: Mapping[str, str]) -> tuple[str, str]:
    """Name an action for people.

    Parameters
    ----------
    action : Action
        An action of a resolved recipe.
    names : mapping of str to str
        Names of places by code.

    Returns
    -------
    tuple of str
        In Chinese and in English.
    """
    place = str(getattr(action, "school", None) or getattr(action, "site", None) or "")
    into = str(getattr(action, "into", None) or getattr(action, "to", None) or "")
    villages = [names.get(v, v) for v in getattr(action, "villages", ())]
    who = names.get(place, place) or "、".join(villages[:5]) + ("等" if len(villages) > 5 else "")
    if action.do == "road":
        who, into = "", ""
    target = names.get(into, into)
    zh = f"{action.year} 年{_ZH[action.do]} {who}".rstrip() + (f"→{target}" if target else "")
    en = f"{action.do} {who.replace('、', ', ')}".rstrip() + (f" into {target}" if target else "")
    return zh, f"{en} in {action.year}"


def moved_twice(scenario: Scenario, problem: Problem, names: Mapping[str, str]) -> list[str]:
    """Name villages that a recipe's own actions make change school twice.

    Parameters
    ----------
    scenario : Scenario
        The resolved recipe.
    problem : Problem
        Its question.
    names : mapping of str to str
        Names of places by code.

    Returns
    -------
    list of str
        One line a pair of actions, with the villages, and what to do instead.
    """
    found: dict[tuple[str, str, str, str], list[str]] = {}
    children = problem.students.sum(axis=1)
    for i in np.flatnonzero((problem.fixed_site >= 0).any(axis=1)):
        village = problem.village_ids[int(problem.group_village[i])]
        pair = _two(scenario, problem, int(i), village)
        if pair is None or not children[i, 1:].any():
            continue
        first, second = (named(a, names) for a in pair)
        told = found.setdefault((*first, *second), [])
        told.append(names.get(village, village))
    return [
        f"{'、'.join(dict.fromkeys(who))}：先“{a_zh}”，再“{b_zh}”，要换两次学校，而优化器的方案中每村只换一次；"
        "请把前一行动直接写到最后的学校（into 或 to），或删去其一；要分两步走，请用 catchment run 运行该方案，并用"
        " propose --hand 评判"
        f" / {', '.join(dict.fromkeys(who))}: first '{a_en}', then '{b_en}': two changes of school, "
        "where plans of the optimiser have one; name the last school in the first action, or delete "
        "one; a plan in two steps is run by catchment run and judged by propose --hand"
        for (a_zh, a_en, b_zh, b_en), who in found.items()
    ]


def _two(
    scenario: Scenario, problem: Problem, i: int, village: str
) -> tuple[Action, Action] | None:
    """Return two actions that move one village-band, None where at most one does."""
    band, here = int(problem.group_band[i]), int(problem.today[i])
    causes: list[Action] = []
    for year in sorted({int(a.year or 0) for a in scenario.actions}):
        cause: Action | None = None
        target = here
        for action in (a for a in scenario.actions if a.year == year):
            leaves = here >= 0 and str(getattr(action, "school", "")) == problem.site_ids[here]
            lowest = here >= 0 and not problem.can_host[here, :band].any()
            if leaves and (action.do == "merge" or (action.do == "downgrade" and not lowest)):
                cause, target = action, _place(problem, getattr(action, "into", None))
        # A village that is named goes where it is sent, whatever becomes of its school that year.
        for action in (a for a in scenario.actions if a.year == year and a.do == "move"):
            to = _place(problem, getattr(action, "to", None))
            bands = getattr(action, "bands", ())
            named_here = village in getattr(action, "villages", ())
            taught = problem.bands[band] in bands if bands else bool(problem.can_host[to, band])
            if named_here and taught and to >= 0:
                cause, target = (action, to) if to != here else (None, here)
        if cause is not None:
            causes.append(cause)
            here = target
        if len(causes) == 2:
            return causes[0], causes[1]
    return None


def _place(problem: Problem, code: object) -> int:
    return problem.site_ids.index(str(code)) if code in problem.site_ids else -1


def given_up(
    scenario: Scenario,
    ask: Callable[[Scenario], model.Question],
    names: Mapping[str, str],
    *,
    tries: Trials | None = None,
) -> list[str]:
    """Say which of the recipe's own actions, given up alone, lets a plan be found.

    Parameters
    ----------
    scenario : Scenario
        The resolved recipe.
    ask : callable
        Poses the question of a recipe.
    names : mapping of str to str
        Names of places by code.
    tries : Trials, optional
        The searches and the time they have; one round of search each by default.

    Returns
    -------
    list of str
        One line an action; empty where none helps by itself. Last, how many were tried where not
        all were.
    """
    tries = trials(None) if tries is None else tries
    lines, count = [], 0
    tried = [a for a in scenario.actions if a.do not in ("road", "expand")]
    for action in tried[:MOST]:
        if tries.over():
            break
        count += 1
        left = tuple(a for a in scenario.actions if a is not action)
        try:
            asked = ask(scenario.replace(actions=left))
        except CatchmentError:
            # Without it the others make no sense: a school that must be built to receive, say.
            continue
        if _possible(asked, tries):
            zh, en = named(action, names)
            lines.append(
                f"放弃行动“{zh}”即有方案（已重新求解） / without '{en}' there is a plan (solved again)"
            )
    if len(tried) > count:
        lines.append(
            f"行动共 {len(tried)} 个，只逐个试了前 {count} 个 / of {len(tried)} actions the first {count} were tried"
        )
    return lines


def _possible(question: model.Question, tries: Trials) -> bool:
    """Whether a plan is found: the demands alone carried out, else by a short search."""
    if not model.check(question, model.keep_everything(question)):
        return True
    return tries.plan(question) is not None
