"""Which plans cut nobody off from a school, for all plans of tiny questions, against networkx."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from catchment.optimise.consolidation import cut_off
from tests.tiny_consolidation import homes, in_a_landscape, tiny_question, wide_question
from tests.tiny_plans import Together, brute_force, courses, sent_ones

MOST = 400
"""Plans of a band that are all looked at; bands of more are passed over."""


@pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
def test_the_plans_that_cut_nobody_off_are_those_of_networkx(kind):
    whole = apart = 0
    for seed in range(40):
        question = in_a_landscape(seed, kind(seed))
        problem, home = question.problem, homes(question.problem)
        course = np.repeat(np.array(home)[:, None], len(problem.years), axis=1).astype(np.int32)
        for band in range(len(problem.bands)):
            mine = np.flatnonzero(problem.group_band == band)
            sure = Together(problem, home, band, sent_ones(question))
            choices = [courses(question, int(i)) for i in mine]
            if math.prod(len(c) for c in choices) > MOST:
                continue
            for plan in itertools.product(*choices):
                course[mine] = plan
                holds = sure.holds([list(row) for row in plan])
                assert holds == (not cut_off(question, course)[mine].any()), (seed, band, plan)
                whole += holds
                apart += not holds
            course[mine] = np.array(home)[mine][:, None]
    assert min(whole, apart) > 500


def test_among_fewer_plans_the_best_is_no_better():
    told = dict.fromkeys(("dearer", "alike", "none"), 0)
    for seed in range(150):
        question = in_a_landscape(seed, wide_question(seed))
        best = brute_force(question, 5_000)
        if best is None or math.isinf(best):
            continue
        held = brute_force(question, 5_000, connected=True)
        assert held >= best
        told["none" if math.isinf(held) else "dearer" if held > best else "alike"] += 1
    assert min(told.values()) > 0, told
