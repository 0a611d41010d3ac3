"""A plan made by hand beside the optimum: the same figures, its distance from the bound, its demands."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from catchment.errors import InputError
from catchment.optimise import consolidation as model
from catchment.optimise.layout import scenario_plan
from catchment.optimise.phases.account import grade_sites, students_there
from catchment.problem import Int32, Problem
from catchment.region.model import Region
from catchment.run.demands import served, terms_of
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
        The proposed plan first: ``name, more_yuan, bound, gap`` (of the question's bound; a
        plan that breaks demands may lie below it), the figures of
        :class:`catchment.optimise.consolidation.Figures`, ``hard_rules_broken, demands_broken``;
        then what the plan lacks (``rooms_lacking, beds_lacking, seats_lacking, naps_lacking``),
        and with all of it built ``built_yuan, built_more_yuan`` (than the proposed plan),
        ``built_gap`` and the demands still broken, ``built_demands_broken``. What the proposed
        plan needs is in its cost already.
    demands : DataFrame
        What each plan breaks of the question: ``name, kind, where, place, year, year_to, value,
        limit, zh, en``; ``kind`` as of :class:`catchment.run.spoken.Words`. A fault that goes on
        is one row with its first and its last year and its worst figure. What is ``model`` is no
        demand of anybody, only how the optimiser's own plans are made, and is not counted.

    Raises
    ------
    InputError
        Where years or stages differ.
    """
    rows = [_row(best.name, best.figures, best, len(best.broken), 0, _Built.nothing(best.figures))]
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
        broken = _once(asked, answer)
        found = hard_findings(own, region, own.problem, plan, own.regions)
        keys = map(tuple, found[["code", "kind", "id", "year"]].astype(str).to_numpy().tolist())
        new = sum(key not in already for key in keys)
        whole = _built(asked, answer, broken)
        figures = model.figures(asked, answer)
        rows.append(_row(hand.name, figures, best, new, _counted(broken), whole))
        told += [_told(hand.name, found, places) for found in broken]
    return pd.DataFrame(rows), pd.DataFrame(told, columns=list(_COLUMNS))


_COLUMNS = ("name", "kind", "where", "place", "year", "year_to", "value", "limit", "zh", "en")
_BOOKS = (
    "whole classes as counted", "mode of the trip", "the objective adds up",
    "the bound is below the plan",
)  # fmt: skip
"""How a plan is reckoned: a plan made by hand is run, its classes formed by the rooms there are."""

_EACH_YEAR = ("closures a year", "students moved a year")
"""Limits of what happens in a year: over them in two years is two faults, not one that goes on."""

_KINDS = ("rooms", "beds", "seats", "naps")
_LACKS = {
    "a room for every class": "rooms", "a school short of rooms receives nobody": "rooms",
    "beds": "beds", "dining seats": "seats", "nap places": "naps",
}  # fmt: skip
"""Faults that building mends, and what is built."""

_Fault = list[model.Violation]
"""One fault: what was found of it, by year."""


@dataclasses.dataclass(frozen=True)
class _Built:
    """A plan with what it lacks built: how much that is, its cost then, demands broken still."""

    lacking: dict[str, int]
    yuan: float
    demands: int

    @staticmethod
    def nothing(figures: model.Figures) -> _Built:
        """Nothing is lacking."""
        return _Built(dict.fromkeys(_KINDS, 0), figures.yuan, 0)


def _once(asked: model.Question, answer: model.Answer) -> list[_Fault]:
    """Faults of a plan made by hand, each once however long it goes on; today is nobody's plan."""
    out: dict[tuple[object, ...], _Fault] = {}
    for found in model.check(asked, answer):
        if found.rule in _BOOKS or found.year == asked.problem.years[0]:
            continue
        when = found.year if found.rule in _EACH_YEAR else 0
        out.setdefault((found.rule, found.where, when), []).append(found)
    return list(out.values())


def _counted(broken: Sequence[_Fault]) -> int:
    return sum(words_of(fault[0].rule).kind != "model" for fault in broken)


def _built(asked: model.Question, answer: model.Answer, broken: Sequence[_Fault]) -> _Built:
    """Build what a plan lacks, each by the year in which it is first lacking, and price it anew."""
    problem = asked.problem
    place = {code: j for j, code in enumerate(problem.site_ids)}
    column = {year: t for t, year in enumerate(problem.years)}
    more = {kind: np.zeros(problem.rooms.shape, dtype=np.int32) for kind in _KINDS}
    roomless = _roomless(asked, answer)
    for found in (v for fault in broken for v in fault):
        kind = _LACKS.get(found.rule)
        if kind is not None:
            j, t = place[found.where], column[found.year]
            lack = roomless[j, t] if kind == "rooms" else found.value - found.limit
            more[kind][j, t] = max(more[kind][j, t], int(lack))
    stock = {
        kind: np.maximum.accumulate(getattr(answer.built, kind) + more[kind], axis=1)
        for kind in _KINDS
    }
    built = model.Building(**{kind: n.astype(np.int32) for kind, n in stock.items()})
    table = model.cost_asked(asked, answer.plan, built)
    plan = answer.plan.replace(objective=table.total)
    left = _once(asked, model.Answer(plan, built, table))
    # A school that lacked rooms receives nobody in plans of the optimiser; here they are built.
    left = [fault for fault in left if fault[0].rule not in _LACKS]
    lacking = {k: int((n - getattr(answer.built, k))[:, -1].sum()) for k, n in stock.items()}
    return _Built(lacking, table.total, _counted(left))


def _roomless(asked: model.Question, answer: model.Answer) -> Int32:
    """Classes without a room by school and year, those that lack one today included."""
    there = students_there(
        asked.problem, grade_sites(asked.problem, answer.plan.site_of, asked.transition)
    )
    formed = model.classes_counted(asked.problem, there, answer.plan.open, asked.costs).sum(axis=1)
    lacking = np.maximum(formed - asked.problem.rooms - answer.built.rooms, 0)
    return np.asarray(lacking, dtype=np.int32)


def _told(name: str, fault: _Fault, places: dict[str, str]) -> dict[str, object]:
    worst = max(fault, key=lambda v: 0.0 if math.isnan(v.value) else abs(v.value - v.limit))
    years = sorted({found.year for found in fault})
    zh, en = spoken(worst, places, years=years)
    return {
        "name": name,
        "kind": words_of(worst.rule).kind,
        "where": worst.where,
        "place": places.get(worst.where, ""),
        "year": years[0],
        "year_to": years[-1],
        "value": worst.value,
        "limit": worst.limit,
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
    problem = served(problem, terms_of(posed))
    asked = question.replace(problem=problem)
    table = model.cost_asked(asked, plan, built)
    changed = plan.replace(objective=table.total, bound=float("nan"), status="feasible")
    return model.Answer(changed, built, table), asked


def _naps(problem: Problem) -> Int32:
    unknown = np.full(problem.beds.shape, -1, dtype=np.int32)
    return unknown if problem.nap_places is None else problem.nap_places


def _row(
    name: str, figures: model.Figures, best: Offer, hard: int, demands: int, whole: _Built
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
        **{f"{kind}_lacking": n for kind, n in whole.lacking.items()},
        "built_yuan": whole.yuan,
        "built_more_yuan": whole.yuan - best.figures.yuan,
        "built_gap": (whole.yuan - bound) / max(abs(whole.yuan), 1e-9),
        "built_demands_broken": whole.demands,
    }
