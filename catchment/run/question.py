"""The optimiser's question of a recipe, as every door that optimises asks it."""

from __future__ import annotations

from collections.abc import Callable

from catchment.errors import InfeasibleError
from catchment.network.kept import Kept
from catchment.optimise import consolidation as model
from catchment.region.model import Region
from catchment.run.asked import every_year, finishes, letting_finish, limits_of
from catchment.run.contradict import moved_twice
from catchment.run.demands import costs_of, question_of_recipe
from catchment.run.order import Posed, pose
from catchment.run.spoken import names_of
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


IN_PIECES = (
    "找不到学区全部连片的方案：改为不要求连片，未连片的村逐一列出 / no plan with all catchments in one "
    "piece was found: planned without asking for it, villages that are cut off are listed"
)
"""Said where catchments could not be connected."""


def planned(
    question: model.Question,
    *,
    time_limit: float,
    seed: int,
    steps: int | None = None,
    memory: model.Memory | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[model.Question, model.Answer]:
    """Plan with connected catchments where they are asked for, without where there is no such plan.

    Parameters
    ----------
    question : Question
        The question.
    time_limit : float
        Seconds, twice where catchments cannot be connected.
    seed, steps, memory, progress
        As in :func:`catchment.optimise.consolidation.consolidate`.

    Returns
    -------
    question : Question
        The question answered: the given one, or the same without connected catchments.
    answer : Answer
        The best plan found.
    """
    best = model.consolidate(
        question, time_limit=time_limit, seed=seed, steps=steps, memory=memory, progress=progress
    )
    if not question.connected or best.plan.status in ("optimal", "feasible"):
        return question, best
    apart = question.replace(connected=False)
    found = model.consolidate(
        apart, time_limit=time_limit, seed=seed, steps=steps, memory=memory, progress=progress
    )
    return apart, found
