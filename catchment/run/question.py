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
    )
    if not finishes(posed.scenario):
        return question
    return letting_finish(question, posed.scenario, names_of(region))


def connects(
    scenario: Scenario,
    *,
    steps: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Callable[[model.Question, model.Answer], model.Answer] | None:
    """Return what connects the catchments of a plan, None where the recipe does not ask for it.

    Parameters
    ----------
    scenario : Scenario
        The recipe, its seed too.
    steps : int, optional
        Rounds of the search, where it is not measured in seconds: the work is then always the same.
    progress : callable, optional
        Told a line of text before each plan.

    Returns
    -------
    callable or None
        Changes an answer of a question.
    """
    if not scenario.method.connected:
        return None

    def _mend(question: model.Question, answer: model.Answer) -> model.Answer:
        if progress is not None:
            progress("学区连片 / catchments are connected")
        # The search had its share of the seconds; the rest of them go into this.
        rest = answer.plan.seconds * (1.0 / model.SEARCH_SHARE - 1.0)
        return model.connect(
            question, answer, seed=scenario.seed, time_limit=rest if steps is None else 0.0
        )

    return _mend
