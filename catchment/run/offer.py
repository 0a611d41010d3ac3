"""One plan of the optimiser as a recipe, run as a recipe is run, and judged by the rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from catchment import indicators
from catchment.assemble import assemble
from catchment.optimise import consolidation as model
from catchment.optimise.layout import scenario_plan
from catchment.optimise.phases.account import grade_sites
from catchment.plan import Plan, split
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.rules import books, rule
from catchment.run.borders import with_borders
from catchment.run.designate import settle_designations
from catchment.run.explain import explain
from catchment.run.order import Posed, pose
from catchment.run.wanted import wishes_of
from catchment.scenario import Scenario, apply, county_of, parse_scenario, resolve

_KEY = ["code", "kind", "id", "year"]


@dataclass(frozen=True)
class Offer:
    """A plan that can be chosen.

    Attributes
    ----------
    name : str
        What was asked, in Chinese and English.
    recipe : dict
        The plan as a recipe.
    question, answer, figures
        As in :class:`catchment.optimise.consolidation.Choice`.
    dominated : bool
        Whether another plan is at least as good in cost, travel and small schools kept.
    elsewhere : int
        Village-bands and years in which the recipe, run, sends children elsewhere than the plan.
    broken : DataFrame
        Hard rules that the recipe, run, breaks and today's arrangement does not: rows of findings,
        and ``demand``, the user's own action that breaks them, blank where there is none.
    changes : DataFrame
        As :func:`catchment.run.explain.explain` gives them.
    """

    name: str
    recipe: dict[str, Any]
    question: model.Question
    answer: model.Answer
    figures: model.Figures
    dominated: bool
    elsewhere: int
    broken: pd.DataFrame
    changes: pd.DataFrame


def recipe_of(
    scenario: Scenario, region: Region, question: model.Question, answer: model.Answer, name: str
) -> dict[str, Any]:
    """Write a plan as a recipe: the actions of the scenario itself, then those of the plan.

    Parameters
    ----------
    scenario : Scenario
        The resolved recipe.
    region : Region
        The county.
    question, answer
        The question and its plan.
    name : str
        Name of the recipe.

    Returns
    -------
    dict
        Plain values that :func:`catchment.scenario.parse_scenario` takes.
    """
    own = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    if question.transition == "finish":
        own["catchments"] = {**own.get("catchments", {}), "grandfather": "band"}
    sites = set(region.sites["site_id"].astype(str))
    given = own.get("action", [])
    # A recipe may build where the county lists no site.
    sites |= {str(a["site"]) for a in given if a["do"] == "build"}
    done = model.actions(question, answer, candidates=sites, given=given)
    return {
        **own,
        "name": name[:200],
        "method": {**own["method"], "assignment": "today"},
        "action": [*given, *done],
    }


OWN = "只做方案自己的行动 / the recipe's own actions alone"
TODAY = "今天的布局 / today's arrangement"


def today_beside(posed: Posed, question: model.Question, kept: model.Answer) -> Offer | None:
    """Price today's arrangement where the recipe's own actions change it.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    question : Question
        Its question.
    kept : Answer
        The plan in which nothing changes beyond the recipe's own actions.

    Returns
    -------
    Offer or None
        Today's schools and catchments carried through all years, to compare with and not to choose;
        None where the recipe changes neither.
    """
    base = posed.base.replace(class_size=question.problem.class_size)
    asked = question.replace(problem=base, at_least=None, at_most=None, sent=None)
    answer = model.keep_everything(asked)
    same = (
        np.array_equal(answer.plan.site_of, kept.plan.site_of),
        np.array_equal(answer.plan.open, kept.plan.open),
    )
    if all(same):
        return None
    nothing = pd.DataFrame()
    figures = model.figures(asked, answer)
    return Offer(TODAY, {}, asked, answer, figures, False, 0, nothing, nothing)


def different(offers: Sequence[Offer]) -> int:
    """Count the plans that differ in schools, catchments or class sizes, whatever their names.

    Parameters
    ----------
    offers : sequence of Offer
        Plans.

    Returns
    -------
    int
        How many differ from each other.
    """
    return len(
        {
            tuple(
                a.tobytes()
                for a in (o.answer.plan.site_of, o.answer.plan.open, o.question.problem.class_size)
            )
            for o in offers
        }
    )


def broken_today(posed: Posed, region: Region) -> set[tuple[str, ...]]:
    """Hard rules that today's arrangement breaks in the years of the recipe.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    region : Region
        The county.

    Returns
    -------
    set of tuple of str
        Code, kind of place, place and year.
    """
    still = [region] * len(posed.problem.years)
    found = hard_findings(posed, region, posed.base, posed.today, still)
    return set(map(tuple, found[_KEY].astype(str).to_numpy().tolist()))


def judge(
    posed: Posed,
    region: Region,
    choice: model.Choice,
    name: str,
    *,
    already: Collection[tuple[str, ...]],
) -> Offer:
    """Run a plan's recipe and check it against the rules.

    Parameters
    ----------
    posed : Posed
        The recipe that was asked, on the county.
    region : Region
        The county.
    choice : Choice
        A plan.
    name : str
        Name of its recipe.
    already : collection of tuple of str
        What today's arrangement breaks, see :func:`broken_today`.

    Returns
    -------
    Offer
        The plan with what it breaks.
    """
    recipe = recipe_of(posed.scenario, region, choice.question, choice.answer, name)
    asked = resolve(parse_scenario(recipe), county_of(posed.scenario, region))
    problem, regions = _restated(posed, region, asked)
    plan = scenario_plan(
        problem,
        "today",
        connected=asked.method.connected,
        time_limit=60.0,
        seed=asked.seed,
        wishes=wishes_of(problem, region, asked),
    )
    elsewhere = _elsewhere(problem, plan, choice)
    found = hard_findings(posed, region, *split(problem, plan), regions)
    keys = map(tuple, found[_KEY].astype(str).to_numpy().tolist())
    new = np.array([key not in already for key in keys], dtype=bool)
    broken = found[new].reset_index(drop=True)
    return Offer(
        name=choice.name,
        recipe=recipe,
        question=choice.question,
        answer=choice.answer,
        figures=choice.figures,
        dominated=choice.dominated,
        elsewhere=elsewhere,
        broken=broken.assign(demand=_demand(broken, posed.scenario)),
        changes=with_borders(
            _changes(posed, problem, plan, region, asked, choice), problem, region
        ),
    )


def _changes(
    posed: Posed,
    problem: Problem,
    plan: Plan,
    region: Region,
    asked: Scenario,
    choice: model.Choice,
) -> pd.DataFrame:
    """Tell changes of school with the students who change: new entrants where the others finish.

    Of a village without entrants in the year of its change, those of the next year that has any.
    """
    table = explain(problem, posed.today, plan, region, asked)
    if choice.question.transition != "finish" or not len(table):
        return table
    village = {code: v for v, code in enumerate(problem.village_ids)}
    counts = []
    for code, name, year in zip(table["village_id"], table["band"], table["year"], strict=True):
        band, t = problem.bands.index(name), problem.years.index(year)
        here = (problem.group_village == village[str(code)]) & (problem.group_band == band)
        first = int(np.flatnonzero(problem.grade_band == band)[0])
        entrants = problem.students[here, first, t:].sum(axis=0)
        counts.append(int(entrants[entrants > 0][0]) if entrants.any() else 0)
    return table.assign(students=counts)


def _elsewhere(problem: Problem, plan: Plan, choice: model.Choice) -> int:
    """Count village-bands and years in which children sit elsewhere than the choice has them."""
    meant = choice.answer.plan.site_of
    wanted = grade_sites(problem, meant, choice.question.transition)
    there = np.repeat(plan.site_of[:, None, :], len(problem.grades), axis=1)
    parts = plan.elsewhere
    if parts is not None:
        there[parts.group, parts.grade, parts.year] = parts.site
    differs = ((there != wanted) & (problem.students > 0)).any(axis=1)
    return int(differs[:, 1:].sum())


def _restated(posed: Posed, region: Region, asked: Scenario) -> tuple[Problem, Sequence[Region]]:
    """Pose the question of another list of actions; roads are searched again only if any is built."""
    if any(a.do == "road" for a in asked.actions):
        again = pose(asked, region)
        return again.problem, again.regions
    county, _ = settle_designations(county_of(asked, region), posed.base, posed.today)
    years = asked.years
    regions = [apply(asked, county, year) for year in years]
    problem = assemble(
        regions,
        years,
        [posed.times],
        [0] * len(years),
        posed.students,
        posed.problem.neighbours,
        posed.bands,
        county=county,
    )
    return problem.replace(class_size=posed.problem.class_size), regions


def hard_findings(
    posed: Posed, region: Region, problem: Problem, plan: Plan, regions: Sequence[Region]
) -> pd.DataFrame:
    """Return the findings of hard rules that fail.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    region : Region
        The county.
    problem : Problem
        The question that the plan answers.
    plan : Plan
        The plan.
    regions : sequence of Region
        The county of each year.

    Returns
    -------
    DataFrame
        Rows of findings.
    """
    book = books.read_books(posed.scenario.rules.books, county_folder=region.folder)
    folder = region.folder
    measures = indicators.compute(
        problem,
        plan,
        which="plan",
        townships=region.villages["township"].astype(str).tolist(),
        bands=posed.bands,
        limits=books.class_limits(book),
        actual=region.classes,
    )
    found = rule.check(
        problem,
        plan,
        posed.today,
        regions,
        book,
        measures,
        base=posed.base,
        evidence=None if folder is None else books.read_evidence(folder),
        resources=None if folder is None else books.read_resources(folder),
    )
    return found[(found["severity"] == "hard") & (found["result"] == "fail")]


def _demand(broken: pd.DataFrame, scenario: Scenario) -> list[str]:
    """Return the user's own action about the place of each finding."""
    own: dict[str, str] = {}
    for action in scenario.actions:
        place = getattr(action, "school", None) or getattr(action, "site", None)
        place = place or getattr(action, "to", "")
        own[str(place)] = f"{action.do} {place} {action.year}"
        for village in getattr(action, "villages", ()):
            own.setdefault(str(village), own[str(place)])
    return [own.get(str(code), "") for code in broken["id"]]
