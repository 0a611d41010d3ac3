"""Combined classes of teaching points: fewest, whole, and counted alike everywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from catchment.optimise import consolidation as model
from catchment.optimise.phases.combined import classes_counted, fewest_classes, formed
from catchment.places.classes import class_sizes
from tests.tiny_consolidation import tiny_question


def by_enumeration(load: list[int], size: list[int], together: int) -> int:
    """Fewest classes over every partition of the grades into runs of neighbours."""
    k = len(load)
    best = 10**9
    for parted in itertools.product((False, True), repeat=k - 1):
        runs, start = [], 0
        for end in range(1, k + 1):
            if end == k or parted[end - 1]:
                runs.append(range(start, end))
                start = end
        total = 0
        for run in runs:
            there = sum(load[g] for g in run)
            if len(run) == 1:
                total += -(-there // size[run[0]])
            elif there <= together:
                total += there > 0
            else:
                total = 10**9
        best = min(best, total)
    return best


def test_fewest_classes_are_those_of_every_partition():
    rng = np.random.default_rng(4)
    for _ in range(400):
        k = int(rng.integers(2, 6))
        load = rng.integers(0, 14, k) * (rng.random(k) < 0.8)
        size = rng.integers(6, 20, k)
        together = int(min(rng.integers(0, 20), size.min()))
        wanted = by_enumeration(load.tolist(), size.tolist(), together)
        assert fewest_classes(load, size, together) == wanted
        row = formed(load.astype(np.int64), size.astype(np.int64), together)
        assert sum(row) == wanted
        if load.sum():
            sizes = class_sizes(load, row)
            assert sum(map(sum, sizes)) == load.sum()
            assert max(map(max, (s for s in sizes if s))) <= size.max()


@pytest.fixture(scope="module")
def tiny() -> model.Question:
    """A question in which a school may become a teaching point of three grades."""
    for seed in range(2000):
        question = tiny_question(seed)
        if len(question.problem.grades) == 6 and question.costs.combined_class == 6:
            return question
    raise AssertionError("no such question")


def test_only_teaching_points_share(tiny):
    problem = tiny.problem
    m, years = len(problem.site_ids), len(problem.years)
    students = np.ones((m, 6, years), dtype=np.int32)
    both = np.ones((m, 2, years), dtype=bool)
    point = both.copy()
    point[:, 1] = False
    upper = ~point
    assert (classes_counted(problem, students, both, tiny.costs) == 1).all()
    assert (classes_counted(problem, students, upper, tiny.costs) == 1).all()
    here = classes_counted(problem, students, point, tiny.costs)
    size = int(problem.class_size[0, 0])
    shared = 1 if min(size, 6) >= 3 else 2
    assert (here[:, :3].sum(axis=1) == shared).all()
    alone = classes_counted(problem, students, point, tiny.costs.replace(combined_class=0))
    assert (alone == 1).all()


def test_combined_classes_never_make_a_plan_dearer():
    cheaper = 0
    for seed in range(80, 130):
        question = tiny_question(seed)
        some = question.replace(costs=question.costs.replace(combined_class=30))
        none = question.replace(costs=question.costs.replace(combined_class=0))
        # What today lacks in rooms is counted with combined classes too, so only plans without
        # any shortage compare.
        some, none = some.replace(tolerate_shortage=False), none.replace(tolerate_shortage=False)
        with_them = model.consolidate(some, time_limit=20)
        without = model.consolidate(none, time_limit=20)
        if without.plan.status != "optimal":
            continue
        assert with_them.plan.status == "optimal"
        assert with_them.plan.objective <= without.plan.objective + 1e-6
        cheaper += with_them.plan.objective < without.plan.objective - 1e-6
        assert model.check(some, with_them) == []
    assert cheaper
