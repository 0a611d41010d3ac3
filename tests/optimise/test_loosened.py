"""Where catchments cannot all be in one piece: as few as can be are loosened, all others are not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from catchment.errors import InputError
from catchment.optimise.consolidation import (
    Question,
    check,
    connected_as_far,
    consolidate,
    cut_off,
)
from tests.tiny_consolidation import in_a_landscape, tiny_question, wide_question
from tests.tiny_plans import brute_force


def _landscape(seed: int, kind) -> Question:
    return in_a_landscape(seed, kind(seed)).replace(connected=True)


# Of the questions with seeds below 300 some in which no plan is connected, though there are plans.
@pytest.mark.parametrize(
    ("kind", "seeds"),
    [
        (tiny_question, (23, 49, 113, 157, 207, 251, 256, 261, 275, 286)),
        (wide_question, (2, 11, 49, 110, 221, 240, 248, 253, 275, 298)),
    ],
    ids=("alike", "unlike"),
)
def test_no_fewer_can_be_loosened_and_the_plan_is_the_best_of_those(kind, seeds):
    firm = 0
    for seed in seeds:
        question = _landscape(seed, kind)
        assert math.isinf(brute_force(question, connected=True)), seed
        asked, answer = connected_as_far(question, steps=1)
        assert asked.connected, seed
        assert asked.loose.any(), seed
        assert answer.plan.status == "optimal", seed
        assert check(asked, answer) == [], seed
        assert check(question, answer), seed
        assert np.array_equal(cut_off(asked, answer.plan.site_of).any(axis=1), asked.loose), seed
        best = brute_force(asked, connected=True)
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed
        for i in np.flatnonzero(asked.loose):
            one = asked.loose.copy()
            one[i] = False
            assert math.isinf(brute_force(asked.replace(loose=one), connected=True)), (seed, i)
        # The plan of which nothing is asked cuts off more, or others: that is not given up.
        apart = consolidate(question.replace(connected=False), steps=1)
        firm += int((cut_off(question, apart.plan.site_of).any(axis=1) & ~asked.loose).any())
    assert firm > 0


@pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
def test_with_some_loosened_the_best_of_all_plans_that_connect_the_others(kind):
    differs = 0
    for seed in range(50_000, 50_040):
        question = _landscape(seed, kind)
        own = np.random.default_rng(seed)
        asked = question.replace(loose=own.random(len(question.problem.today)) < 0.3)
        best = brute_force(asked, 20_000, connected=True)
        if best is None:
            continue
        answer = consolidate(asked, steps=1)
        if math.isinf(best):
            assert answer.plan.status == "infeasible", seed
            continue
        assert answer.plan.status == "optimal", seed
        assert check(asked, answer) == [], seed
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed
        differs += bool(check(question, answer))
    assert differs > 0


def test_nothing_is_loosened_where_there_is_a_connected_plan_or_none_at_all():
    question = _landscape(2, tiny_question)
    asked, answer = connected_as_far(question, steps=1)
    assert asked is question
    assert not cut_off(question, answer.plan.site_of).any()
    nobody = question.replace(
        at_most=np.zeros(
            (len(question.problem.site_ids), len(question.problem.years)), dtype=np.int8
        )
    )
    asked, answer = connected_as_far(nobody, steps=1)
    assert not asked.connected
    assert answer.plan.status == "infeasible"
    with pytest.raises(InputError, match="loose"):
        consolidate(question.replace(loose=np.zeros(1, dtype=bool)), steps=1)
