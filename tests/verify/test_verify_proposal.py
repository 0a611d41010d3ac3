"""Plans of years counted again: silent where they are sound, loud on every planted fault."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from catchment.errors import CatchmentError
from catchment.optimise import consolidation as model
from catchment.run import Wish, propose
from catchment.scenario import parse_scenario
from catchment.verify import check_proposal, demand_sound
from catchment.verify.proposal_facts import fewest_classes
from tests.tiny_region import tiny_region
from tests.verify.random_proposals import SPOILS, sound

SEEDS = range(24)


@pytest.fixture(scope="module")
def cases():
    found = [case for seed in SEEDS if (case := sound(seed)) is not None]
    assert len(found) >= 12
    return found


def test_sound_plans_pass_and_cost_what_they_say(cases) -> None:
    for question, answer in cases:
        assert check_proposal(question, answer) == ()
        kept = model.keep_everything(question)
        assert [f for f in check_proposal(question, kept) if f.severity() == "broken"] == []


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda s: s.__name__)
def test_planted_faults_are_found_by_name(spoil, cases) -> None:
    tried = 0
    for k, (question, answer) in enumerate(cases):
        spoilt = spoil(question, answer, np.random.default_rng(k))
        if spoilt is None:
            continue
        tried += 1
        found = check_proposal(*spoilt[:2])
        assert spoilt[2] in {f.code for f in found}, (k, [f.said()[1] for f in found])
        with pytest.raises(CatchmentError, match="independent check"):
            demand_sound(found, limits=True)
    if spoil.__name__ != "too_large":  # a rare event in questions so small
        assert tried >= 1


def test_classes_are_as_few_as_any_way_of_sharing_them() -> None:
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 6))
        load, size = rng.integers(0, 40, n).tolist(), rng.integers(20, 46, n).tolist()
        most = int(rng.integers(0, 31))
        best = 10**9
        for cuts in itertools.product((0, 1), repeat=n - 1):
            edges = [0, *(k + 1 for k, cut in enumerate(cuts) if cut), n]
            total = 0
            for a, b in itertools.pairwise(edges):
                alone = sum(-(-x // s) for x, s in zip(load[a:b], size[a:b], strict=True))
                shared = 1 if b - a > 1 and 0 < sum(load[a:b]) <= most else 10**6
                total += min(alone, shared)
            best = min(best, total)
        assert fewest_classes(load, size, most) == best


def test_a_proposal_that_fails_its_check_is_not_shown(monkeypatch) -> None:
    recipe = parse_scenario({"name": "x", "years": [2026, 2027], "method": {"connected": False}})
    real = model.connected_as_far

    def dearer(*words, **more):
        question, answer = real(*words, **more)
        plan = answer.plan.replace(objective=answer.plan.objective + 1000.0)
        return question, dataclasses.replace(answer, plan=plan)

    wish = Wish(time_limit=5.0)
    assert propose(recipe, tiny_region(), wish=wish).violations == ()
    monkeypatch.setattr(model, "connected_as_far", dearer)
    with pytest.raises(CatchmentError, match="costs add up to"):
        propose(recipe, tiny_region(), wish=wish)
