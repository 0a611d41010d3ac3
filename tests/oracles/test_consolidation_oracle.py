"""Consolidation against trying every plan of tiny questions."""

from __future__ import annotations

import itertools
import math
import os

import numpy as np
import pytest

from catchment.optimise.consolidation import check, consolidate
from catchment.optimise.dice import dice
from catchment.optimise.phases import bound as low
from catchment.optimise.phases import knapsack, relaxed
from catchment.optimise.phases.anneal import anneal
from catchment.optimise.phases.combined import fewest_classes
from catchment.optimise.phases.compile import compile_model
from catchment.optimise.phases.contiguous import ground_of, room_for
from catchment.optimise.phases.decode import answer_of, keep_decision
from catchment.optimise.phases.siteyears import split
from catchment.optimise.phases.table import begin, tabulate
from tests.tiny_consolidation import tiny_question, wide_question
from tests.tiny_plans import brute_force

CASES = int(os.environ.get("CATCHMENT_CASES", "80"))
"""More for a long run: CATCHMENT_CASES=3000."""
BLOCK = 20
KINDS = pytest.mark.parametrize("kind", [tiny_question, wide_question], ids=("alike", "unlike"))
"""Questions in which classes, years and roads are all alike, and those in which they differ."""


@KINDS
@pytest.mark.parametrize("first", range(0, CASES, BLOCK))
def test_equal_to_the_best_of_all_plans(first, kind):
    tried = 0
    for seed in range(first, first + BLOCK):
        question = kind(seed)
        best = brute_force(question, 60_000)
        if best is None:
            continue
        tried += 1
        answer = consolidate(question, steps=1)
        if math.isinf(best):
            assert answer.plan.status == "infeasible", seed
            assert answer.reason, seed
            continue
        assert answer.plan.status == "optimal", seed
        assert check(question, answer) == [], seed
        assert answer.plan.objective == pytest.approx(best, rel=1e-9), seed
        assert answer.plan.bound <= best * (1 + 1e-9), seed
    assert tried > BLOCK // 2


@KINDS
@pytest.mark.parametrize("first", range(5000, 5000 + CASES, BLOCK))
def test_search_is_valid_and_bound_below_the_best(first, kind):
    for seed in range(first, first + BLOCK):
        question = kind(seed)
        best = brute_force(question, 20_000)
        model = compile_model(question)
        if best is None or model.impossible:
            continue
        years = len(question.problem.years)
        table = tabulate(model)
        run = begin(table, keep_decision(model, years), dice(seed))
        ground = ground_of(question)
        cuts = room_for(ground)
        for _ in range(3):
            anneal(table, run, ground, cuts, 4000, 30_000.0, 30.0, 200_000.0)
        found = float(run.best_value[0]) + model.fixed_cost
        if np.isfinite(found):
            plan = (run.best[0], run.best[1])
            answer = answer_of(
                question, model, plan, status="feasible", bound=-np.inf, seconds=0.0, seed=0
            )
            assert check(question, answer) == [], seed
            assert answer.plan.objective == pytest.approx(found, rel=1e-9), seed
            assert found >= best * (1 - 1e-9), seed
        parts = split(model, question.problem.group_band, question.problem.grade_band)
        prices = low.first_prices(model, parts, (run.plan[0], run.plan[1]))
        target = found if np.isfinite(found) else abs(model.fixed_cost) * 4 + 1.0
        for whole in (False, True):
            bound = low.improve(model, parts, prices, target, 60, whole=whole)
            assert bound <= best * (1 + 1e-9) + 1e-6, (seed, whole)


@KINDS
def test_bound_holds_at_any_prices(kind):
    rng = np.random.default_rng(3)
    for seed in range(6000, 6030):
        question = kind(seed)
        best = brute_force(question, 20_000)
        model = compile_model(question)
        if best is None or model.impossible or math.isinf(best):
            continue
        parts = split(model, question.problem.group_band, question.problem.grade_band)
        prices = low.first_prices(model, parts, keep_decision(model, len(question.problem.years)))
        linked = low._active(parts)
        for _ in range(5):
            prices.unit = prices.unit * rng.uniform(0.2, 2.5, prices.unit.shape)
            prices.pace = rng.uniform(0, 20_000, prices.pace.shape)
            prices.pace[~np.isfinite(parts.pace)] = 0.0
            prices.link = rng.uniform(0, 20_000, prices.link.shape) * linked[2]
            for whole in (False, True):
                low.improve(model, parts, prices, best, 1, whole=whole)
        assert prices.best <= best * (1 + 1e-9) + 1e-6, seed


def test_cheapest_way_through_the_states_is_that_of_all_ways():
    rng = np.random.default_rng(4)
    # What the linear rows of the model allow: a band once given up (or taken up) stays so.
    for _ in range(400):
        years, was = int(rng.integers(2, 6)), int(rng.integers(0, 3))
        cost = rng.integers(-9, 10, (3, years)).astype(np.float64)
        cost[rng.random(cost.shape) < 0.15] = np.inf
        best = np.inf
        for way in itertools.product(range(3), repeat=years - 1):
            low_band, all_bands = np.array(way) > 0, np.array(way) > 1
            sign = -1 if was > 0 else 1, -1 if was > 1 else 1
            steps = (
                np.diff(low_band.astype(int)) * sign[0],
                np.diff(all_bands.astype(int)) * sign[1],
            )
            if all((s >= 0).all() for s in steps):
                best = min(best, float(sum(cost[s, t + 1] for t, s in enumerate(way))))
        path = np.zeros(years, dtype=np.int64)
        assert relaxed.best_path(was, cost, path) == best
        if np.isfinite(best):
            assert sum(cost[path[t], t] for t in range(1, years)) == best


def test_whole_villages_fill_classes_as_the_best_of_all_subsets():
    rng = np.random.default_rng(5)
    for _ in range(200):
        count, size, most = (
            int(rng.integers(1, 9)),
            int(rng.integers(2, 9)),
            int(rng.integers(1, 5)),
        )
        weight = rng.integers(0, 9, count).astype(np.float64)
        profit = rng.integers(1, 100, count).astype(np.float64)
        chosen, table, x = np.arange(count), np.zeros(most * size + 1), np.zeros(count)
        full = knapsack.whole_knapsack(profit, weight, chosen, most * size, table)
        for room in range(most * size + 1):
            sets = itertools.product((0.0, 1.0), repeat=count)
            best = max(np.dot(profit, s) for s in sets if np.dot(weight, s) <= room)
            assert table[min(room, full)] == best
        taken = np.zeros((count, len(table)), dtype=bool)
        knapsack.whole_fill(profit, weight, chosen, most * size, np.zeros_like(table), taken, x)
        assert np.dot(weight, x) <= most * size
        assert np.dot(profit, x) == best


def test_few_villages_are_taken_as_the_best_of_all_sets():
    rng = np.random.default_rng(6)
    for _ in range(150):
        count, most = int(rng.integers(1, 7)), int(rng.integers(1, 5))
        weight = rng.integers(0, 5, (4, count)).astype(np.float64)
        weight[3] = weight[:3].sum(axis=0)
        profit = rng.integers(1, 100, count).astype(np.float64)
        sizes, shared = rng.integers(2, 6, 3), int(rng.choice([0, 4]))
        best, point = np.zeros(most + 1), np.zeros(most + 1)
        for chosen in itertools.product((0, 1), repeat=count):
            load = (weight[:3] @ np.array(chosen)).astype(np.int64)
            for gain, together in ((best, 0), (point, shared)):
                least = fewest_classes(load, sizes, together)
                gain[least:] = np.maximum(gain[least:], float(profit @ np.array(chosen)))
        found, by = np.full(most + 1, -1.0), np.zeros((most + 1, 2), dtype=np.int64)
        # Without combined classes those of another band are left alone.
        other, other_by = np.full(most + 1, -1.0), np.full((most + 1, 2), -1)
        knapsack.every_set(
            profit, weight, np.arange(count), sizes, most, shared, found, by, other, other_by
        )
        assert (found == best).all()
        assert (other == (point if shared else -1.0)).all()
        for classes in range(most + 1):
            if by[classes, 0]:
                mine = np.array([(by[classes, 1] >> k) & 1 for k in range(count)])
                assert profit @ mine == found[classes]
