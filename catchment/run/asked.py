"""What a recipe asks of the optimiser besides its actions: limits, current students, every year."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from catchment.errors import InputError
from catchment.optimise import consolidation as model
from catchment.scenario import Consolidation, Scenario

_SAME = (
    "closures_per_year", "closures_total", "moved_per_year", "min_size", "max_size",
    "boarding_minutes", "kept_share",
)  # fmt: skip
_SEARCHED = (
    "size", "together", "apart", "never", "shared", "strict_limits", "compactness",
    "siblings",
)  # fmt: skip
_MOST_YEARS = 30


def limits_of(scenario: Scenario) -> model.Limits:
    """Limits of every plan as the recipe's table ``[consolidation]`` gives them.

    Parameters
    ----------
    scenario : Scenario
        A recipe.

    Returns
    -------
    Limits
        The model's own figure where the recipe gives none.
    """
    asked = scenario.consolidation or Consolidation()
    given: dict[str, Any] = {k: getattr(asked, k) for k in _SAME if getattr(asked, k) is not None}
    return model.Limits(**given)


def finishes(scenario: Scenario) -> bool:
    """Whether current students finish their band where they are.

    Parameters
    ----------
    scenario : Scenario
        A recipe.

    Returns
    -------
    bool
        Whether its ``[consolidation]`` or its ``[catchments]`` asks for that.
    """
    wanted = scenario.catchments
    own = scenario.consolidation
    return bool((own is not None and own.finish) or (wanted is not None and wanted.grandfather))


def with_demands(scenario: Scenario, **given: Any) -> Scenario:
    """Let demands given beside the recipe take the place of its own.

    Parameters
    ----------
    scenario : Scenario
        A recipe.
    **given
        Fields of :class:`catchment.scenario.Consolidation`; None leaves the recipe's own.

    Returns
    -------
    Scenario
        The recipe with these demands, so that every plan's recipe tells what was asked.
    """
    told = {k: v for k, v in given.items() if v is not None}
    if not told:
        return scenario
    own = scenario.consolidation or Consolidation()
    return scenario.replace(consolidation=own.model_copy(update=told))


def every_year(scenario: Scenario) -> Scenario:
    """Let a recipe plan every year from its first to its last.

    A school closes in some year, and that year has its costs, whether the recipe lists it or not:
    costs, and limits of closures and moves a year, mean nothing over years that are left out.

    Parameters
    ----------
    scenario : Scenario
        A recipe.

    Returns
    -------
    Scenario
        The same with all years; the recipe itself where it lists them.

    Raises
    ------
    InputError
        When it has only one year, these would be too many, or it asks for catchments that the
        optimiser does not know.
    """
    first, last = scenario.years[0], scenario.years[-1]
    if first == last:
        raise InputError(
            f"方案只有 {first} 一年，即现状；请在 years 中加上要规划的年份 / the recipe has one year alone, "
            "which is today; add years to plan"
        )
    if last - first >= _MOST_YEARS:
        raise InputError(
            f"years {first}–{last} 共 {last - first + 1} 年，逐年规划最多 {_MOST_YEARS} 年；请提前最后一年 / "
            f"at most {_MOST_YEARS} years can be planned, year by year; end earlier"
        )
    wanted = scenario.catchments
    known = [k for k in _SEARCHED if wanted is not None and getattr(wanted, k)]
    known += ["border"] if wanted is not None and wanted.border != "none" else []
    if known:
        raise InputError(
            f"[catchments] 的 {'、'.join(known)} 只用于 catchment run 的划片，propose 不能遵守；请在另一个方案中"
            "使用，或从本方案删去 / are held by catchment run alone, not by propose: delete them here"
        )
    return scenario.replace(years=tuple(range(first, last + 1)))


def letting_finish(
    question: model.Question, scenario: Scenario, names: Mapping[str, str]
) -> model.Question:
    """Let current students finish their band where they are, at schools the recipe gives up, too.

    A school that the recipe closes in a year has no students left by then: its entrants go elsewhere
    from the length of a band before.

    Parameters
    ----------
    question : Question
        The question of the recipe.
    scenario : Scenario
        The resolved recipe, every year of it planned.
    names : mapping of str to str
        Names of schools by code.

    Returns
    -------
    Question
        The question in which only entrants move.

    Raises
    ------
    InputError
        When a school would have to stop taking entrants before the second year.
    """
    problem = question.problem
    length = np.bincount(problem.grade_band, minlength=len(problem.bands))
    sent = None if question.sent is None else question.sent.copy()
    for action in scenario.actions:
        if action.do not in ("merge", "downgrade") or action.school not in problem.site_ids:
            continue
        j, k = problem.site_ids.index(action.school), problem.years.index(int(action.year or 0))
        taught = np.flatnonzero(problem.today_open[j])
        lost = taught if action.do == "merge" else taught[1:]
        back = int(max((length[b] - 1 for b in lost), default=0))
        if len(lost) and k - back < 1:
            name, first = names.get(action.school, action.school), problem.years[1] + back
            raise InputError(
                f"在校生读完本学段时，{name} {action.year} 年不能停办：须从 {int(action.year or 0) - back} 年起停招新生；"
                f"请把该行动改到 {first} 年或以后，或不要求读完 / with current students finishing, {name} "
                f"cannot close in {action.year}: set its action to {first} or later, or let all students move"
            )
        for i in np.flatnonzero((problem.today == j) & np.isin(problem.group_band, lost)):
            if sent is not None and sent[i, k] >= 0 and not (sent[i, :k] >= 0).any():
                sent[i, k - int(length[problem.group_band[i]]) + 1 : k] = sent[i, k]
    return question.replace(transition="finish", sent=sent)
