"""A part of the county planned anew, all else held, against trying every plan of that part."""

from __future__ import annotations

import math

import numpy as np
import pytest

from catchment.optimise.consolidation import Answer, Question, check, consolidate
from catchment.optimise.phases.account import grade_sites
from catchment.optimise.phases.compile import Model, compile_model
from catchment.optimise.phases.decode import answer_of, decision_of, needed_states, trajectory
from catchment.optimise.phases.exact import Exact, solve_exactly
from tests.tiny_consolidation import tiny_question, wide_question
from tests.tiny_plans import brute_force


def _capped(seed: int, kind) -> Question:
    """A question in which schools may be emptied and few may close."""
    question, own = kind(seed), np.random.default_rng(seed + 10**11)
    limits = question.limits
    return question.replace(
        limits=type(limits)(
            min_size=limits.min_size if own.random() < 0.3 else 0,
            min_size_from=limits.min_size_from,
            closures_per_year=[None, 0, 1, 1][int(own.integers(4))],
            closures_total=[None, 1, 1, 2][int(own.integers(4))],
            moved_per_year=limits.moved_per_year if own.random() < 0.3 else None,
            boarding_minutes=limits.boarding_minutes,
            kept_share=0.0 if own.random() < 0.8 else 0.5,
        ),
        may_close=own.random(len(question.may_close)) < 0.9,
    )


def _whole(question: Question, model: Model, exact: Exact) -> Answer:
    """Write the plan out for the whole county: sites left out are in the lowest states there are."""
    problem = question.problem
    site_of = trajectory(model, exact.decision, len(problem.years))
    where = grade_sites(problem, site_of, question.transition)
    lowest = needed_states(model, where, problem.students)
    state = np.where(exact.state < 0, lowest, exact.state).astype(np.int8)
    return answer_of(
        question, model, exact.decision, state=state, status="feasible", bound=-np.inf,
        seconds=0.0, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
@pytest.mark.parametrize("first", range(30_000, 30_160, 40))
def test_equal_to_the_best_of_all_plans_of_the_part(first, kind):
    tried = 0
    for seed in range(first, first + 40):
        question, own = _capped(seed, kind), np.random.default_rng(seed)
        # A valid plan that is not the best: the best of other costs.
        other = question.costs.replace(minute=float(own.choice([0.001, 5.0])), site_year=90_000.0)
        held = consolidate(question.replace(costs=other), steps=1)
        if held.plan.status != "optimal" or check(question.replace(costs=other), held):
            continue
        model, n = compile_model(question), len(question.problem.group_band)
        decision = decision_of(model, held.plan.site_of)
        free = own.random(n) < own.choice([0.15, 0.3, 0.5])
        best = brute_force(question, 20_000, held=_told(model, decision, free))
        if best is None or not free.any():
            continue
        assert math.isfinite(best), seed
        exact = solve_exactly(model, free=free, held=decision, time_limit=np.inf)
        assert exact.status == "optimal", seed
        answer = _whole(question, model, exact)
        assert check(question, answer) == [], seed
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed
        tried += 1
    assert tried > 10


def _told(model: Model, decision, free) -> dict[int, tuple[int, int]]:
    """Site and year of the move of each group that is held."""
    option, when = decision
    years = model.at_least.shape[1]
    return {
        int(i): (int(model.site[option[i]]), int(when[i]))
        if option[i] >= 0
        else (int(model.today[i]), years)
        for i in np.flatnonzero(~free)
    }
