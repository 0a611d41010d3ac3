"""The optimiser's question of a recipe, as every door that optimises asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from catchment.errors import InfeasibleError
from catchment.network.kept import Kept
from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.asked import every_year, finishes, letting_finish, limits_of
from catchment.run.contradict import moved_twice
from catchment.run.demands import costs_of, question_of_recipe
from catchment.run.order import Posed, pose
from catchment.run.spoken import names_of, spoken
from catchment.scenario import Scenario


def pose_question(
    scenario: Scenario,
    region: Region,
    *,
    kept: Kept | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Posed, model.Question]:
    """Pose a recipe on a county, all its years, and ask how they are best planned.

    Parameters
    ----------
    scenario : Scenario
        The recipe; every year from its first to its last is planned.
    region : Region
        The county.
    kept : Kept, optional
        Memory of road networks and searches.
    progress : callable, optional
        Told a line of text before each step.

    Returns
    -------
    posed : Posed
        The recipe with all its years on the county.
    question : Question
        See :func:`question_on`.

    Raises
    ------
    InfeasibleError
        When the recipe's own actions contradict each other.
    """
    posed = pose(every_year(scenario), region, kept=kept, progress=progress)
    twice = moved_twice(posed.scenario, posed.problem, names_of(region))
    if twice:
        raise InfeasibleError(
            "方案自身的行动互相矛盾 / the recipe's own actions contradict each other\n"
            + "\n".join(twice)
        )
    return posed, question_on(posed, region)


def question_on(posed: Posed, region: Region) -> model.Question:
    """Ask what a recipe asks, with the county's costs and the recipe's own limits.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    region : Region
        The county.

    Returns
    -------
    Question
        In which only new entrants move where the recipe lets current students finish.
    """
    question = question_of_recipe(
        posed, costs=costs_of(region.folder), limits=limits_of(posed.scenario)
    ).replace(connected=posed.scenario.method.connected)
    if not finishes(posed.scenario):
        return question
    return letting_finish(question, posed.scenario, names_of(region))


TOLD = 30
"""Village-bands named at most in one sentence; all of them stand in ``pieces.csv``."""


def loosened(question: model.Question, answer: model.Answer, names: Mapping[str, str]) -> str:
    """Say of whom connected catchments could not be asked, with the school they go to.

    Parameters
    ----------
    question : Question
        The question answered.
    answer : Answer
        Its answer.
    names : mapping of str to str
        Names of villages and schools by code.

    Returns
    -------
    str
        A sentence in Chinese and English, empty where it is asked of everybody.
    """
    if question.loose is None or not question.loose.any():
        return ""
    problem = question.problem
    cut = model.cut_off(question, answer.plan.site_of)
    told = []
    for i in np.flatnonzero(question.loose):
        village = problem.village_ids[int(problem.group_village[i])]
        years = np.flatnonzero(cut[i])
        j = int(answer.plan.site_of[i, years[-1] if len(years) else -1])
        school = problem.site_ids[j] if j >= 0 else ""
        told.append(
            f"{names.get(village, village)} {problem.bands[int(problem.group_band[i])]} → "
            f"{names.get(school, school)}"
        )
    more = len(told) - TOLD
    zh = "、".join(told[:TOLD]) + (f" 等 {len(told)} 个" if more > 0 else "")
    en = ", ".join(told[:TOLD]) + (f" and {more} more" if more > 0 else "")
    return (
        f"找不到学区全部连片的方案：以下村（学段）未能与学校连片，只对它们不再要求，其余仍全部要求连片：{zh} / no plan "
        f"with all catchments in one piece was found: of these village-bands alone it is no longer asked, of "
        f"all others it still is: {en}"
    )


FAULTS_TOLD = 8
"""Things that the nearest plan breaks, told at most."""


def nearest_breaks(
    question: model.Question, answer: model.Answer, names: Mapping[str, str]
) -> tuple[str, str]:
    """Say what the nearest arrangement breaks where no plan was found, in words and with names.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its answer, of status ``unknown``.
    names : mapping of str to str
        Names of villages and schools by code.

    Returns
    -------
    tuple of str
        In Chinese and English.
    """
    said = list(dict.fromkeys(spoken(v, names) for v in model.check(question, answer)))
    more = len(said) - FAULTS_TOLD
    zh = "；".join(s[0] for s in said[:FAULTS_TOLD]) + (
        f"；等共 {len(said)} 处" if more > 0 else ""
    )
    en = "; ".join(s[1] for s in said[:FAULTS_TOLD]) + (f"; and {more} more" if more > 0 else "")
    return f"最接近的方案违反：{zh}", f"the nearest breaks: {en}"
