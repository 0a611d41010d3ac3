"""What one change of a plan is worth by itself, everything else as in the plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from catchment.optimise.phases.compile import Model, compile_model
from catchment.optimise.phases.decode import answer_of, decision_of
from catchment.optimise.phases.question import Answer, Question
from catchment.problem import Bool, Int32


def without_moves(question: Question, answer: Answer, stays: Sequence[Bool]) -> list[Answer]:
    """Return the plan with some village-bands left where they are today and nobody else changed.

    What the plan costs less than that is what the change of their school saves by itself. For all
    village-bands of a school, what that costs more is an upper estimate of the price of keeping the
    school, since other schools might yield too.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its answer.
    stays : sequence of (n,) bool
        For each plan that is wanted, the village-bands that stay.

    Returns
    -------
    list of Answer
        The changed plans, valid or not: whoever the user sends away stays in them as well.
    """
    if not len(stays):
        return []
    model = compile_model(question)
    years = answer.plan.site_of.shape[1]
    option, when = decision_of(model, answer.plan.site_of)
    return [
        _told(
            question,
            model,
            np.where(mask, -1, option).astype(np.int32),
            np.where(mask, years, when).astype(np.int32),
        )
        for mask in stays
    ]


def closed_alone(
    question: Question, answer: Answer, sites: Sequence[int]
) -> list[tuple[Answer | None, Int32]]:
    """Return, for each school, the plan with it closed as well, its children at the next best schools.

    Each village-band that the plan leaves there goes, as early as it may, to the school open to the
    last whose trips cost least; what these schools lack is built, whatever is allowed.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its answer.
    sites : sequence of int
        Positions of working schools.

    Returns
    -------
    list of (Answer or None, (k,) int32)
        The changed plan, None where some village-band has no school to go to, and those bands.
    """
    if not len(sites):
        return []
    model = compile_model(question)
    decision = decision_of(model, answer.plan.site_of)
    return [_closed(question, model, decision, answer, j) for j in sites]


def _closed(
    question: Question, model: Model, decision: tuple[Int32, Int32], answer: Answer, site: int
) -> tuple[Answer | None, Int32]:
    option, when = decision[0].copy(), decision[1].copy()
    stuck = []
    for i in np.flatnonzero((model.today == site) & (option < 0) & (model.last > 0)):
        ways = np.arange(model.first[i], model.first[i + 1])
        opened = answer.plan.open[model.site[ways], question.problem.group_band[i], -1]
        ways = ways[opened]
        if not len(ways):
            stuck.append(int(i))
            continue
        cost = [float((model.go_cost[o] * model.students[i]).sum()) for o in ways]
        best = int(ways[int(np.argmin(cost))])
        option[i], when[i] = best, model.earliest[best]
    if stuck:
        return None, np.asarray(stuck, dtype=np.int32)
    return _told(question, model, option, when), np.zeros(0, dtype=np.int32)


def _told(question: Question, model: Model, option: Int32, when: Int32) -> Answer:
    return answer_of(
        question, model, (option, when), status="feasible", bound=np.nan, seconds=0.0, seed=0
    )
