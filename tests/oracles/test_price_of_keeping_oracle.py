"""What keeping a school costs, against trying every plan with it and without."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from catchment.optimise import consolidation as model
from tests.tiny_consolidation import tiny_question, wide_question
from tests.tiny_plans import brute_force, homes


def _held_to_a_size(seed: int, kind) -> model.Question:
    """A question in which schools close for being small, however long the trips."""
    question, own = kind(seed), np.random.default_rng(seed + 10**12)
    limits = dataclasses.replace(
        question.limits, min_size=int(own.integers(5, 25)), closures_per_year=None,
        closures_total=None, moved_per_year=None, kept_share=0.0,
    )  # fmt: skip
    costs = question.costs.replace(minute=float(own.choice([0.05, 2.0])), site_year=1000.0)
    return question.replace(limits=limits, costs=costs)


def _lacks(question: model.Question, answer: model.Answer, j: int) -> tuple[int, int]:
    """Students below the least size in the worst year, and the first such year; in plain words."""
    problem, site_of = question.problem, answer.plan.site_of
    worst, since = 0, 0
    for t in range(max(question.limits.min_size_from, 1), len(problem.years)):
        here = 0
        for i in range(len(site_of)):
            grades = [g for g, b in enumerate(problem.grade_band) if b == problem.group_band[i]]
            for k, g in enumerate(grades):
                back = k if question.transition == "finish" else 0
                if site_of[i, max(t - back, 0)] == j:
                    here += int(problem.students[i, g, t])
        short = question.limits.min_size - here
        if answer.plan.open[j, :, t].any() and short > 0:
            worst, since = max(worst, short), since or problem.years[t]
    return worst, since


def test_the_difference_lies_between_least_and_most_also_below_nought():
    cheaper = tried = wishes = 0
    for seed in range(70_000, 70_240):
        question = _held_to_a_size(seed, wide_question if seed % 2 else tiny_question)
        best = brute_force(question, 8_000)
        if best is None or math.isinf(best):
            continue
        answer = model.consolidate(question, steps=1)
        home = np.array(homes(question.problem))
        for j, code in enumerate(question.problem.site_ids):
            today = question.problem.today_open[j]
            if not today.any() or (answer.plan.open[j] == today[:, None]).all():
                continue
            close, shrink = question.may_close.copy(), question.may_downgrade.copy()
            close[j] = shrink[j] = False
            mine = home == j
            stay = mine if question.stay is None else mine | question.stay
            most, sent = question.at_most, question.sent
            if most is not None:
                most = most.copy()
                top = question.problem.can_host[j].sum() > 1
                most[j] = np.maximum(most[j], 2 if top and today.sum() > 1 else 1)
            if sent is not None:
                away = mine & ((sent >= 0) & (sent != j)).any(axis=1)
                sent = np.where(away[:, None], -1, sent).astype(np.int32)
            free = question.replace(
                may_close=close, may_downgrade=shrink, stay=stay, at_most=most, sent=sent
            )
            kept = brute_force(free, 8_000)
            asked_away = model.demanded(question, j)
            wishes += asked_away
            price = model.price_of_keeping(question, answer, code, steps=1)
            near = model.price_of_keeping(question, answer, code, near=True)
            if math.isinf(kept):
                assert price.answer.plan.status == "infeasible", (seed, code)
                continue
            for each in (price, near):
                assert each.least <= kept - best + 1e-6 <= each.most + 2e-6, (seed, code)
            assert price.yuan == pytest.approx(kept - best, rel=1e-6, abs=0.01), (seed, code)
            short, since = model.below_least(question, price.answer, j)
            least = question.at_least
            exempt = not question.may_close[j] or (least is not None and least[j, 1:].all())
            if question.at_most is None or (question.at_most[j] == 2).all():
                lacks = (0, 0) if exempt else _lacks(question, price.answer, j)
                assert (short, since) == lacks, (seed, code)
            # Below nought only where a rule, or a demand, was left out for it.
            assert price.yuan > -0.01 or short or asked_away, (seed, code)
            assert price.answer.plan.open[j][today].all(), (seed, code)
            tried += 1
            cheaper += price.yuan < -0.01
    assert tried > 20
    assert cheaper > 0
    assert wishes > 0
