"""Eight plans between cost, travel and small schools kept, each with its bound and worth choosing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from catchment.optimise import consolidation as model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def choices() -> tuple[model.Choice, ...]:
    """Twenty-six connected villages of the demo county and the schools in them, three years."""
    if str(ROOT / "scripts") not in sys.path:
        sys.path.insert(0, str(ROOT / "scripts"))
    from benchmarks.consolidation import demo_question, part_of_question, townships

    whole = demo_question(2028)
    # Schools that need not keep half of their children: the same choice, solved in seconds.
    limits = model.Limits(kept_share=0.0)
    question = part_of_question(whole, townships(whole.problem, 26)[1], 3, limits)
    return model.frontier(question, 8, steps=1)


def merits(choice: model.Choice) -> tuple[float, float, float]:
    return -choice.figures.yuan, -choice.figures.minutes, float(choice.figures.small_kept)


def test_eight_plans_are_dominated_by_none(choices):
    good = [c for c in choices if not c.dominated]
    assert len(good) >= 8
    for mine in choices:
        better = [
            other.name
            for other in choices
            if merits(other) != merits(mine)
            and all(a >= b for a, b in zip(merits(other), merits(mine), strict=True))
        ]
        assert mine.dominated == bool(better), (mine.name, better)


def test_every_plan_is_sound_and_has_the_bound_of_its_own_question(choices):
    for choice in choices:
        assert model.check(choice.question, choice.answer) == [], choice.name
        if choice.name != model.KEPT:
            assert choice.answer.plan.bound <= choice.answer.plan.objective
            assert choice.answer.gap < 0.01, choice.name


def test_a_plan_beside_a_better_one_is_marked(choices):
    good = [c for c in choices if not c.dominated]
    told = model.mark_dominated([*good, good[0]])
    assert [c.dominated for c in told] == [False] * len(good) + [True]
