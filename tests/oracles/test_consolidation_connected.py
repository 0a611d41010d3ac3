"""Consolidation with connected catchments against trying every connected plan."""

from __future__ import annotations

import math
import os

import pytest

from catchment.optimise.consolidation import check, consolidate, cut_off
from tests.tiny_consolidation import in_a_landscape, tiny_question, wide_question
from tests.tiny_plans import brute_force

CASES = int(os.environ.get("CATCHMENT_CASES", "80"))
"""More for a long run: CATCHMENT_CASES=3000."""
BLOCK = 20


@pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
@pytest.mark.parametrize("first", range(0, CASES, BLOCK))
def test_equal_to_the_best_of_all_connected_plans(first, kind):
    tried = 0
    for seed in range(first, first + BLOCK):
        question = in_a_landscape(seed, kind(seed))
        best = brute_force(question, 60_000, connected=True)
        if best is None:
            continue
        tried += 1
        answer = consolidate(question.replace(connected=True), steps=1)
        if math.isinf(best):
            assert answer.plan.status == "infeasible", seed
            assert answer.reason, seed
            continue
        assert answer.plan.status == "optimal", seed
        asked = question.replace(connected=True)
        assert check(asked, answer) == [], seed
        assert not cut_off(asked, answer.plan.site_of).any(), seed
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed
        assert answer.plan.bound <= best * (1 + 1e-9), seed
    assert tried > BLOCK // 2
