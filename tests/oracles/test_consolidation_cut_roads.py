"""Roads that are cut in some years, against trying every plan."""

from __future__ import annotations

import math

import pytest

from catchment.optimise.consolidation import check, consolidate
from catchment.verify import check_proposal
from tests.tiny_consolidation import wide_question
from tests.tiny_plans import brute_force


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
