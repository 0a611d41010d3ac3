"""Real counties with published answers: plans recounted by code of its own."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from catchment.optimise import assignment, contiguity

SHARED = Path(
    os.environ.get("CATCHMENT_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")
)
FOLDER = SHARED / "benchmarks" / "districting"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="published instances are not beside the project"
    ),
]


def rows_of(name):
    with (FOLDER / name).open(encoding="utf-8") as file:
        first = file.readline()
        yield from csv.reader(file, delimiter="\t" if "\t" in first else ",")


def instance(name):
    """Cost in km, demand, capacity, neighbours, home; and best known value."""
    units = [row for row in rows_of(f"{name}.txt") if row]
    position = {int(row[0]): i for i, row in enumerate(units)}
    table = np.array([[float(cell) for cell in row[:7]] for row in units])
    home = np.flatnonzero(table[:, 6] > 0)
    where = table[:, 2:4] / 1000
    cost = np.hypot(*(where[:, None, :] - where[None, home, :]).transpose(2, 0, 1))
    pairs = [
        (position[int(row[1])], position[int(row[2])])
        for row in rows_of(f"{name.split('_')[0]}_connectivity.txt")
        if len(row) > 2
    ]
    ends = np.array(pairs)
    flags = np.ones(len(pairs), dtype=bool)
    neighbours = csr_matrix((flags, (ends[:, 0], ends[:, 1])), shape=(len(units), len(units)))
    with (FOLDER / "published.csv").open(encoding="utf-8") as file:
        best = {row["instance"]: float(row["best_known"]) for row in csv.DictReader(file)}
    return (cost, table[:, 1], table[home, 6], neighbours, home.astype(np.int32)), best[name]


def recount(problem, site_of):
    """Cost of the plan, after checking all that was asked for."""
    cost, demand, capacity, neighbours, home = problem
    graph = nx.Graph(list(zip(*neighbours.nonzero(), strict=True)))
    assert len(site_of) == len(demand)
    assert (site_of >= 0).all()
    total = 0.0
    for j, seats in enumerate(capacity):
        units = np.flatnonzero(site_of == j).tolist()
        assert home[j] in units
        assert sum(int(demand[i]) for i in units) <= int(seats)
        assert nx.is_connected(graph.subgraph(units))
        total += sum(demand[i] * cost[i, j] for i in units)
    return total


@pytest.mark.parametrize(
    ("name", "seconds", "gap"),
    [("zys_17b", 5, 0.04), ("zys_16d", 5, 0.05), ("gys_39b", 8, 0.12), ("gy2s_21b", 6, 0.02)],
)
def test_plans_of_real_counties_hold_and_are_near_the_best_known(name, seconds, gap):
    problem, best_known = instance(name)
    answer = assignment.districts(*problem, time_limit=seconds, seed=1)
    assert answer.status == "feasible"
    total = recount(problem, answer.site_of)
    assert answer.objective == pytest.approx(total, rel=1e-12)
    assert answer.bound <= best_known * (1 + 1e-6)
    assert total <= best_known * (1 + gap)
    assert contiguity.pieces(answer.site_of, problem[3], len(problem[2])).tolist() == [1] * len(
        problem[2]
    )
    assert answer.seconds < seconds + 30  # compiling on the first call included


def test_a_longer_search_is_never_worse():
    problem, _ = instance("zys_15b")
    assignment.districts(*problem, time_limit=0.1)
    short = assignment.districts(*problem, time_limit=1, seed=3)
    long = assignment.districts(*problem, time_limit=4, seed=3)
    if short.status == "feasible":
        assert long.status == "feasible"
        assert long.objective <= short.objective * 1.01


def test_the_splittable_bound_is_below_every_published_value():
    for name in ("zys_13b", "gys_37b", "gy2s_18a"):
        problem, best_known = instance(name)
        answer = assignment.transport(*problem[:3])
        assert answer.status == "optimal"
        assert answer.objective <= best_known
