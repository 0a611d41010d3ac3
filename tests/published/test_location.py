"""Published p-median and capacitated instances: the optimum, proved, recounted by own code."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import floyd_warshall

from catchment.optimise import siting

SHARED = Path(
    os.environ.get("CATCHMENT_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")
)
FOLDER = SHARED / "benchmarks"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="published instances are not beside the project"
    ),
]


def published(folder):
    path = FOLDER / folder / "published.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [(row["instance"], float(row["optimum"])) for row in csv.DictReader(file)]


def numbers(folder, name):
    words = (FOLDER / folder / f"{name}.txt").read_text(encoding="utf-8").split()
    return [float(word) for word in words]


@pytest.mark.parametrize(("name", "optimum"), published("p-median"))
def test_p_median(name, optimum):
    data = numbers("p-median", name)
    n, edges, p = (int(value) for value in data[:3])
    table = np.zeros((n, n))
    for i, j, length in np.array(data[3 : 3 + 3 * edges]).reshape(-1, 3):
        table[int(i) - 1, int(j) - 1] = table[int(j) - 1, int(i) - 1] = length
    cost = floyd_warshall(csr_matrix(table), directed=False)
    plan = siting.p_median(cost, np.ones(n), p, time_limit=30)
    assert plan.status == "optimal"
    assert plan.objective == plan.bound == optimum
    assert plan.open.sum() == p
    assert plan.open[plan.site_of].all()
    assert sum(cost[i, j] for i, j in enumerate(plan.site_of)) == optimum


@pytest.mark.parametrize(("name", "optimum"), published("capacitated-location"))
def test_capacitated_location(name, optimum):
    data = numbers("capacitated-location", name)
    m, n = int(data[0]), int(data[1])
    sites = np.array(data[2 : 2 + 2 * m]).reshape(m, 2)
    rows = np.array(data[2 + 2 * m :]).reshape(n, m + 1)
    demand, cost = rows[:, 0], rows[:, 1:] / rows[:, :1]
    plan = siting.capacitated(cost, demand, sites[:, 0], sites[:, 1], time_limit=30)
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(optimum, abs=0.01)
    assert plan.bound == pytest.approx(optimum, abs=0.01)
    share = plan.share.toarray()
    assert share.sum(axis=1) == pytest.approx(demand)
    assert (share.sum(axis=0) <= sites[:, 0] * plan.open + 1e-6).all()
    paid = (share / demand[:, None] * rows[:, 1:]).sum() + sites[plan.open, 1].sum()
    assert paid == pytest.approx(optimum, abs=0.01)


@pytest.mark.parametrize(("name", "optimum"), published("capacitated-p-median"))
def test_capacitated_p_median(name, optimum):
    data = numbers("capacitated-p-median", name)
    n, p, places = int(data[2]), int(data[3]), data[4]
    rows = np.array(data[5 : 5 + 4 * n]).reshape(n, 4)
    where, demand = rows[:, 1:3], rows[:, 3]
    far = np.floor(np.sqrt(((where[:, None] - where[None]) ** 2).sum(axis=2)))
    plan = siting.capacitated(
        far / demand[:, None], demand, np.full(n, places), None, p=p, single_source=True,
        time_limit=120,
    )  # fmt: skip
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(optimum)
    assert plan.bound == pytest.approx(optimum)
    load = np.zeros(n)
    for i, j in enumerate(plan.site_of):
        load[j] += demand[i]
    assert (load <= places).all()
    assert plan.open.sum() == p
    assert plan.open[plan.site_of].all()
    assert sum(far[i, j] for i, j in enumerate(plan.site_of)) == optimum
