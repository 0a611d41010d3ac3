"""A plan made by hand beside the optimum: the same figures, its distance from the bound, its demands."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from catchment.errors import InputError
from catchment.optimise import consolidation as model
from catchment.optimise.layout import scenario_plan
from catchment.problem import Int32, Problem
from catchment.region.model import Region
from catchment.run.offer import Offer, hard_findings
from catchment.run.order import Posed, pose
from catchment.run.spoken import names_of, spoken, words_of
from catchment.scenario import Scenario, start_of


def beside_optimum(
    hands: Sequence[Scenario],
    posed: Posed,
    region: Region,
    question: model.Question,
    best: Offer,
    *,
    already: Collection[tuple[str, ...]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge recipes made by hand with the figures of the proposed plan.

    Parameters
    ----------
    hands : sequence of Scenario
        Recipes on the same county, years and stages; each is run by its own method.
    posed : Posed
        The recipe that the optimiser was asked.
    region : Region
        The county.
    question : Question
        The optimiser's question.
    best : Offer
        The proposed plan.
    already : collection of tuple of str
        Hard rules that today's arrangement breaks.

    Returns
    -------
    plans : DataFrame
        The proposed plan first: ``name, yuan, more_yuan, bound, gap`` (of the question's bound; a
        plan that breaks demands may lie below it), the figures of
        :class:`catchment.optimise.consolidation.Figures`, ``hard_rules_broken, demands_broken``.
    demands : DataFrame
        What each plan breaks of the question: ``name, kind, where, place, year, value, limit, zh,
        en``; ``kind`` as of :class:`catchment.run.spoken.Words`. What is ``model`` is no demand of
        anybody, only how the optimiser's own plans are made, and is not counted.

    Raises
    ------
    InputError
        Where years or stages differ.
    """
    rows = [_row(best.name, best.figures, best, len(best.broken), 0)]
    told: list[dict[str, object]] = []
    places = names_of(region)
    for hand in hands:
        if hand.years != posed.scenario.years or hand.method.stages != posed.scenario.method.stages:
            raise InputError(
                f"{hand.name}: years 和 method.stages 应与所比方案相同 / years and stages must be those of the "
                "recipe it is compared with"
            )
        own = pose(hand, region, roads=posed.network)
        plan = scenario_plan(
            own.problem, own.scenario.method.assignment, connected=own.scenario.method.connected,
            stay_minutes=own.scenario.method.stay_minutes, start=start_of(own.scenario),
            effort=own.scenario.effort, time_limit=own.scenario.time_limit, seed=own.scenario.seed,
        )  # fmt: skip
        answer, asked = _as_answer(own, posed, question, plan)
        broken = [v for v in model.check(asked, answer) if _says(v, posed.problem.years[0])]
        found = hard_findings(own, region, own.problem, plan, own.regions)
        keys = map(tuple, found[["code", "kind", "id", "year"]].astype(str).to_numpy().tolist())
        new = sum(key not in already for key in keys)
        rows.append(_row(hand.name, model.figures(asked, answer), best, new, _counted(broken)))
        told += [_told(hand.name, v, places) for v in broken]
    return pd.DataFrame(rows), pd.DataFrame(told, columns=list(_COLUMNS))


_COLUMNS = ("name", "kind", "where", "place", "year", "value", "limit", "zh", "en")
_BOOKS = (
    "whole classes as counted", "mode of the trip", "the objective adds up",
    "the bound is below the plan",
)  # fmt: skip
"""How a plan is reckoned: a plan made by hand is run, its classes formed by the rooms there are."""


def _says(found: model.Violation, first: int) -> bool:
    """Whether a finding tells anything of a plan made by hand: today is nobody's plan."""
    return found.rule not in _BOOKS and found.year != first


def _counted(broken: Sequence[model.Violation]) -> int:
    return sum(words_of(v.rule).kind != "model" for v in broken)


def _told(name: str, found: model.Violation, places: dict[str, str]) -> dict[str, object]:
    zh, en = spoken(found, places)
    return {
        "name": name,
        "kind": words_of(found.rule).kind,
        "where": found.where,
        "place": places.get(found.where, ""),
        "year": found.year,
        "value": found.value,
        "limit": found.limit,
        "zh": zh,
        "en": en,
    }


def _as_answer(
    own: Posed, posed: Posed, question: model.Question, plan: object
) -> tuple[model.Answer, model.Question]:
    """Take a plan of any method as an answer: what its recipe adds to today's schools is built."""
    from catchment.plan import Plan

    assert isinstance(plan, Plan)
    base, mine = posed.base, own.problem

    def more(after: np.ndarray, before: np.ndarray) -> np.ndarray:
        grown = np.maximum(np.maximum(after, 0) - np.maximum(before, 0), 0)
        return np.maximum.accumulate(grown, axis=1).astype(np.int32)

    built = model.Building(
        more(mine.rooms, base.rooms), more(mine.beds, base.beds),
        more(mine.dining_seats, base.dining_seats), more(_naps(mine), _naps(base)),
    )  # fmt: skip
    # Rooms that are built are not there by themselves.
    problem = mine.replace(
        rooms=base.rooms, beds=base.beds, dining_seats=base.dining_seats,
        nap_places=base.nap_places,
        class_size=question.problem.class_size,
    )  # fmt: skip
    asked = question.replace(problem=problem)
    table = model.cost_asked(asked, plan, built)
    changed = plan.replace(objective=table.total, bound=float("nan"), status="feasible")
    return model.Answer(changed, built, table), asked


def _naps(problem: Problem) -> Int32:
    unknown = np.full(problem.beds.shape, -1, dtype=np.int32)
    return unknown if problem.nap_places is None else problem.nap_places


def _row(
    name: str, figures: model.Figures, best: Offer, hard: int, demands: int
) -> dict[str, object]:
    bound = best.answer.plan.bound
    return {
        "name": name,
        "more_yuan": figures.yuan - best.figures.yuan,
        "bound": bound,
        "gap": (figures.yuan - bound) / max(abs(figures.yuan), 1e-9),
        **dataclasses.asdict(figures),
        "hard_rules_broken": hard,
        "demands_broken": demands,
    }
