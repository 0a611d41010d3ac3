"""The same question and seed give the same catchments, however slow or busy the machine is."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from catchment.errors import InputError
from catchment.optimise import assignment
from catchment.optimise.annealing import anneal
from catchment.optimise.layout import scenario_plan
from catchment.region.read import read_region
from catchment.run.order import pose, start_of
from catchment.scenario import read_scenario

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "capacity.toml"


def grid(side, sites, seed):
    rng = np.random.default_rng(seed)
    n = side * side
    right = [(i, i + 1) for i in range(n) if (i + 1) % side]
    down = [(i, i + side) for i in range(n - side)]
    ends = np.array(right + down)
    graph = csr_matrix((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(n, n))
    place = np.column_stack(np.divmod(np.arange(n), side))
    home = rng.choice(n, sites, replace=False)
    cost = np.abs(place[:, None] - place[home][None]).sum(axis=2) + rng.random((n, sites))
    demand = rng.integers(1, 9, n).astype(float)
    return cost, demand, np.full(sites, np.ceil(demand.sum() * 1.1 / sites)), graph, home


class Busy:
    """Keep the interpreter's lock and a core busy meanwhile."""

    def __enter__(self):
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.turn) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def turn(self):
        while not self.over.is_set():
            sum(range(20_000))

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_work_ends_a_search_at_the_same_plan_whatever_the_clock_says():
    problem = grid(12, 8, seed=3)
    one = assignment.districts(*problem, time_limit=60, seed=5, work=3e6)
    with Busy():
        two = assignment.districts(*problem, time_limit=90, seed=5, work=3e6)
    assert not one.timed_out
    assert not two.timed_out
    assert one.site_of.tobytes() == two.site_of.tobytes()
    assert (one.objective, one.bound, one.status) == (two.objective, two.bound, two.status)


def test_the_work_is_what_the_tasks_were_given_and_no_more_than_a_task_above_it(monkeypatch):
    from catchment.optimise import tasks

    lengths = []

    def counted(*args):
        lengths.append(args[6])
        return anneal(*args)

    monkeypatch.setattr(tasks, "anneal", counted)
    assignment.districts(*grid(12, 8, seed=3), time_limit=60, seed=5, work=2e6)
    assert 2e6 <= sum(lengths) <= 1.2 * 2e6


def test_a_search_that_the_clock_ends_says_so():
    answer = assignment.districts(*grid(14, 10, seed=1), time_limit=0.3, seed=1, work=1e12)
    assert answer.timed_out


def test_work_must_be_above_zero():
    with pytest.raises(InputError, match="work must be above 0"):
        assignment.districts(*grid(3, 2, seed=0), time_limit=1, work=0)


@pytest.fixture(scope="module")
def demo():
    scenario = read_scenario(DEMO).replace(years=(2026, 2028))
    return scenario, pose(scenario, read_region(DEMO.parent / scenario.region)).problem


def planned(demo, *, effort, time_limit):
    scenario, problem = demo
    return scenario_plan(
        problem,
        "capacity",
        start=start_of(scenario),
        effort=effort,
        time_limit=time_limit,
        seed=scenario.seed,
    )


def test_the_demo_countys_capacity_plan_is_the_same_to_the_byte(demo):
    one = planned(demo, effort=0.5, time_limit=300)
    with Busy():
        two = planned(demo, effort=0.5, time_limit=200)
    for name in ("site_of", "classes", "mode_of", "open"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name
    assert (one.objective, one.bound, one.notes) == (two.objective, two.bound, two.notes)
    assert not any("time_limit" in note for note in one.notes)


def test_a_plan_cut_short_by_the_clock_says_so_in_its_notes(demo):
    plan = planned(demo, effort=500, time_limit=0.5)
    assert any("raise time_limit" in note and "2028" in note for note in plan.notes)
