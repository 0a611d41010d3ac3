"""Roads that are cut in some years, against trying every plan."""

from __future__ import annotations

import math

import numpy as np
import pytest

from catchment.optimise.consolidation import Answer, Question, check, consolidate
from catchment.optimise.dice import dice
from catchment.optimise.phases import bound as low
from catchment.optimise.phases.compile import compile_model
from catchment.optimise.phases.decode import decision_of, keep_decision
from catchment.optimise.phases.exact import solve_exactly
from catchment.optimise.phases.siteyears import split
from catchment.optimise.phases.table import begin, tabulate
from catchment.verify import check_proposal
from tests.tiny_consolidation import homes, wide_question
from tests.tiny_plans import brute_force

TRIPS = ("bus", "boarding", "minutes", "moves", "unserved")
"""Kinds of cost that belong to a village-band, not to a school."""


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_equal_to_the_best_of_all_plans_where_roads_are_cut(first):
    for seed in range(first, first + 20):
        question = wide_question(seed, cut=True)
        best = brute_force(question, 20_000)
        if best is None:
            continue
        answer = consolidate(question, steps=1)
        if math.isinf(best):
            assert answer.plan.status == "infeasible", seed
            continue
        assert answer.plan.status == "optimal", seed
        assert check(question, answer) == [], seed
        assert check_proposal(question, answer) == (), seed
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed


def _sent_over_a_road_that_is_cut_later(seed: int) -> Question | None:
    """A village-band that the user sends where no road leads in a later year."""
    question = wide_question(seed, cut=True)
    problem, own = question.problem, np.random.default_rng(seed + 10**10)
    years, home = len(problem.years), homes(problem)
    ways = [
        (i, j, t)
        for i, band in enumerate(problem.group_band)
        for j in range(len(problem.site_ids))
        for t in range(1, years - 1)
        if j != home[i]
        and problem.today_open[j].all()
        and problem.can_host[j, band]
        and math.isfinite(problem.minutes[problem.network[t], i, j])
        and problem.students[i, :, t].any()
        and problem.students[i, :, t + 1 :].any()
    ]
    if not ways:
        return None
    i, j, t = ways[int(own.integers(len(ways)))]
    minutes, mode = (np.repeat(x, 2, axis=0) for x in (problem.minutes, problem.mode))
    minutes[1::2, i, j], mode[1::2, i, j] = np.inf, -1
    network = 2 * problem.network
    network[t + 1 :] += own.random(years - t - 1) < 0.7
    sent = np.full((len(home), years), -1, dtype=np.int32)
    sent[i, t:] = j
    cut = problem.replace(
        minutes=minutes,
        metres=np.repeat(problem.metres, 2, axis=0),
        mode=mode,
        network=network.astype(np.int32),
    )
    return question.replace(problem=cut, sent=sent, stay=None)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_whoever_is_sent_where_the_road_is_cut_later_is_charged_as_without_a_school(first):
    charged = 0
    for seed in range(first, first + 20):
        question = _sent_over_a_road_that_is_cut_later(seed)
        best = None if question is None else brute_force(question, 20_000)
        if best is None or math.isinf(best):
            continue
        exact = solve_exactly(compile_model(question), time_limit=30.0)
        answer = consolidate(question, steps=1)
        assert answer.plan.status == "optimal", seed
        assert check(question, answer) == [], seed
        assert check_proposal(question, answer) == (), seed
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed
        assert exact.bound == pytest.approx(best, rel=1e-6), seed
        rows = [answer.breakdown.items.index(item) for item in TRIPS]
        trips = float(answer.breakdown.yuan[rows, 1:].sum())
        assert _searched(question, answer) == pytest.approx(trips, rel=1e-9), seed
        assert _proved(question, best) <= best * (1 + 1e-9), seed
        charged += answer.breakdown.of("unserved") > 0
    assert charged >= 3


def _searched(question: Question, answer: Answer) -> float:
    """What the search says that trips and moves cost, counted from decisions, not from the plan."""
    model = compile_model(question)
    run = begin(tabulate(model), decision_of(model, answer.plan.site_of), dice(1))
    return float(run.total[0])


def _proved(question: Question, best: float) -> float:
    """What the bound proves by itself."""
    model = compile_model(question)
    parts = split(model, question.problem.group_band, question.problem.grade_band)
    start = keep_decision(model, len(question.problem.years))
    return float(low.improve(model, parts, low.first_prices(model, parts, start), best, 40))
