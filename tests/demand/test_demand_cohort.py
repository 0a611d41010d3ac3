from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.demand.cohort import (
    Assumptions,
    ensemble,
    entry_rates,
    part_of,
    progression_rates,
    project,
    variants,
)
from catchment.errors import InputError

SAME = Assumptions(progression=(1.0, 1.0))


def test_hand_worked_table_with_survival_one() -> None:
    base = [[10, 20, 30], [1, 2, 3]]
    births = [[7, 8], [4, 5]]
    flows = project(base, 2, SAME, births=births)
    assert flows.counts[:, :, 1].tolist() == [[7, 10, 20], [4, 1, 2]]
    assert flows.counts[:, :, 2].tolist() == [[8, 7, 10], [5, 4, 1]]
    assert flows.entrants.tolist() == [11, 13]
    assert flows.graduates.tolist() == [33, 22]


def test_hand_worked_table_with_rates() -> None:
    # grade 1 to 2: 0.9 of 30 = 27; grade 2 to 3: 1.1 of 40 = 44; entrants 0.8 x 50 = 40
    rates = Assumptions(progression=(0.9, 1.1), entry=0.8)
    flows = project([[20, 10, 5], [10, 30, 5]], 1, rates, births=[[25], [25]])
    assert flows.counts[:, :, 1].tolist() == [[20, 18, 11], [20, 9, 33]]
    assert flows.leavers.tolist() == [3]
    assert flows.arrivals.tolist() == [4]


def test_hand_worked_migration_to_the_town() -> None:
    rates = Assumptions(progression=(1.0, 1.0), migration=0.1, incoming=(2, 0, 0))
    flows = project(
        [[20, 20, 0], [40, 20, 0], [0, 10, 10]], 1, rates,
        births=[[20], [30], [10]], town=[False, False, True],
    )  # fmt: skip
    # grade 1: 50 outside, 5 move (2 and 3); grade 2: 60, 6 (2 and 4); grade 3: 40, 4 (2 and 2)
    assert flows.counts[:, :, 1].tolist() == [[18, 18, 18], [27, 36, 18], [17, 6, 14]]
    assert flows.moved.tolist() == [15]


def test_known_rates_come_back() -> None:
    history = np.zeros((2, 3, 4))
    history[:, 0, :] = 100
    history[:, 1, :] = 90
    history[:, 2, :] = 99
    assert progression_rates(history) == pytest.approx([0.9, 1.1])
    assert entry_rates([[80, 80]], [[100, 100]], prior=0) == pytest.approx([0.8])
    few = entry_rates([[1], [800]], [[2], [1000]])
    assert 0.5 < few[0] < 0.81
    with pytest.raises(InputError, match="连续"):
        progression_rates(history[:, :, :1])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_cohorts_pass_through_unchanged(seed: int, years: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 60, (5, 9))
    births = rng.integers(0, 60, (5, years)).astype(float)
    counts = project(base, years, Assumptions(progression=(1.0,) * 8), births=births).counts
    for t in range(years):
        assert (counts[:, 1:, t + 1] == counts[:, :-1, t]).all()
        # village births only add up to whole numbers in the county: here each is whole
        assert (counts[:, 0, t + 1] == births[:, t]).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_children_are_conserved_with_any_rates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    v, g, years = 6, 9, 8
    base = rng.integers(0, 50, (v, g))
    births = rng.integers(0, 50, (v, years)).astype(float)
    births[:, rng.random(years) < 0.4] = np.nan
    rates = Assumptions(
        progression=tuple(rng.uniform(0.8, 1.2, g - 1)),
        entry=float(rng.uniform(0.5, 1.5)),
        growth=float(rng.uniform(-0.1, 0.1)),
        migration=float(rng.uniform(0, 0.3)),
        incoming=tuple(int(x) for x in rng.integers(0, 5, g)),
        tilt=float(rng.uniform(-0.05, 0.05)),
    )
    town = np.zeros(v, dtype=bool)
    town[0] = True
    flows = project(base, years, rates, births=births, town=town)
    total = flows.counts.sum(axis=(0, 1))
    change = flows.entrants + flows.arrivals - flows.leavers - flows.graduates
    assert (np.diff(total) == change).all()
    assert (flows.counts >= 0).all()


def test_variants_are_ordered_and_the_middle_is_the_projection() -> None:
    base = np.full((3, 9), 40)
    rates = Assumptions(progression=(1.0,) * 8, growth=-0.03)
    found = variants(base, 10, rates, spread=0.02)
    totals = {k: x.counts.sum(axis=(0, 1)) for k, x in found.items()}
    assert (totals["high"] >= totals["middle"]).all()
    assert (totals["middle"] >= totals["low"]).all()
    assert totals["high"][-1] > totals["low"][-1]
    assert (found["middle"].counts == project(base, 10, rates).counts).all()


def test_ensemble_is_seeded_and_spreads_with_the_years() -> None:
    base = np.full((3, 9), 40)
    rates = Assumptions(progression=(1.0,) * 8)
    a = ensemble(base, 8, rates, draws=40, seed=7)
    b = ensemble(base, 8, rates, draws=40, seed=7)
    c = ensemble(base, 8, rates, draws=40, seed=8)
    assert (a == b).all()
    assert (a != c).any()
    sd = a.sum(axis=(1, 2)).std(axis=0)
    assert sd[0] == 0
    assert sd[8] > sd[2] > 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_a_part_never_exceeds_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 30, (4, 9))
    part = (base * rng.random((4, 9))).astype(int)
    counts = project(base, 6, Assumptions(progression=(1.0,) * 8)).counts
    some = part_of(counts, part)
    assert (some >= 0).all()
    assert (some <= counts).all()
    assert (some[:, :, 0] == part).all()
    assert some[:, 8, 1].sum() == part[:, 7].sum()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="县城"):
        project([[1, 1, 1]], 1, Assumptions(progression=(1.0, 1.0), migration=0.1))
    with pytest.raises(InputError, match="升级率"):
        project([[1, 1]], 1, SAME)
    with pytest.raises(InputError, match="负"):
        project([[1, -1, 1]], 1, SAME)
    with pytest.raises(InputError, match="births"):
        project([[1, 1, 1]], 2, SAME, births=[[1.0]])
