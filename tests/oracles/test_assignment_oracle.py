"""Assignments against solvers that share no code with them, and against trying every plan."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from catchment.optimise import assignment, regions


def random_problem(rng, *, most_units=25, most_sites=8, whole=True):
    n, m = rng.integers(1, most_units), rng.integers(1, most_sites)
    cost = rng.integers(0, 60, (n, m)).astype(float)
    cost[rng.random((n, m)) < rng.choice([0.0, 0.3, 0.6])] = np.inf
    demand = rng.integers(0, 12, n).astype(float)
    places = rng.uniform(0.5, 2.0) * demand.sum() / m
    capacity = rng.integers(0, int(2 * places) + 2, m).astype(float)
    if not whole:
        cost, demand = cost * rng.uniform(0.5, 2.0, (n, m)), demand * rng.uniform(0.1, 3.0, n)
    return cost, demand, capacity


def by_linear_program(cost, demand, capacity):
    """Optimum over all plans that serve everyone, None where there is none."""
    unit, site = np.nonzero(np.isfinite(cost))
    if unit.size == 0:
        return None if demand.any() else 0.0
    pairs = np.arange(unit.size)
    to_unit = csr_matrix((np.ones(unit.size), (unit, pairs)), shape=(cost.shape[0], unit.size))
    to_site = csr_matrix((np.ones(unit.size), (site, pairs)), shape=(cost.shape[1], unit.size))
    answer = linprog(
        cost[unit, site], A_ub=to_site, b_ub=capacity, A_eq=to_unit, b_eq=demand, method="highs"
    )
    return answer.fun if answer.status == 0 else None


def by_network_simplex(cost, demand, capacity):
    graph = nx.DiGraph()
    graph.add_node("end", demand=int(demand.sum()))
    for j, places in enumerate(capacity):
        graph.add_edge(("site", j), "end", capacity=int(places), weight=0)
    for i, d in enumerate(demand):
        graph.add_node(("unit", i), demand=-int(d))
        for j in np.flatnonzero(np.isfinite(cost[i])):
            graph.add_edge(("unit", i), ("site", int(j)), weight=int(cost[i, j]))
    try:
        return float(nx.network_simplex(graph)[0])
    except nx.NetworkXUnfeasible:
        return None


def most_served(cost, demand, capacity):
    """Largest demand that can be served, by a maximum flow."""
    graph = nx.DiGraph()
    graph.add_node("start")
    graph.add_node("end")
    for j, places in enumerate(capacity):
        graph.add_edge(("site", j), "end", capacity=float(places))
    for i, d in enumerate(demand):
        graph.add_edge("start", ("unit", i), capacity=float(d))
        for j in np.flatnonzero(np.isfinite(cost[i])):
            graph.add_edge(("unit", i), ("site", int(j)))
    return nx.maximum_flow_value(graph, "start", "end")


def recheck(cost, demand, capacity, answer):
    """Count the plan again from its shares; return its cost."""
    share = answer.share.toarray()
    tolerance = 1e-9 * (1 + demand.sum())
    assert (share >= 0).all()
    assert not share[~np.isfinite(cost)].any()
    assert (share.sum(axis=0) <= capacity + tolerance).all()
    if answer.status == "optimal":
        assert share.sum(axis=1) == pytest.approx(demand, abs=tolerance)
    return float((share * np.where(np.isfinite(cost), cost, 0)).sum())


def test_whole_numbers_equal_linear_programming():
    rng = np.random.default_rng(11)
    infeasible = 0
    for _ in range(1000):
        cost, demand, capacity = random_problem(rng)
        answer = assignment.transport(cost, demand, capacity)
        expected = by_linear_program(cost, demand, capacity)
        if expected is None:
            infeasible += 1
            assert answer.status == "infeasible"
            assert answer.reason
            assert np.isnan(answer.bound)
        else:
            assert answer.status == "optimal"
            assert answer.objective == pytest.approx(expected, abs=1e-6)
            assert answer.bound == answer.objective  # whole numbers: no tolerance
        assert recheck(cost, demand, capacity, answer) == answer.objective
    assert 200 < infeasible < 800


def test_real_numbers_equal_linear_programming():
    rng = np.random.default_rng(12)
    for _ in range(400):
        cost, demand, capacity = random_problem(rng, whole=False)
        answer = assignment.transport(cost, demand, capacity)
        expected = by_linear_program(cost, demand, capacity)
        assert (answer.status == "infeasible") == (expected is None)
        if expected is not None:
            assert answer.objective == pytest.approx(expected, rel=1e-9, abs=1e-9)
            assert answer.bound == pytest.approx(answer.objective, rel=1e-11, abs=1e-9)
        recheck(cost, demand, capacity, answer)


def test_equal_to_network_simplex():
    rng = np.random.default_rng(13)
    for _ in range(300):
        cost, demand, capacity = random_problem(rng, most_units=12, most_sites=5)
        answer = assignment.transport(cost, demand, capacity)
        expected = by_network_simplex(cost, demand, capacity)
        assert (answer.status == "infeasible") == (expected is None)
        if expected is not None:
            assert answer.objective == expected


def test_as_much_as_possible_is_served_at_least_cost():
    rng = np.random.default_rng(14)
    seen = 0
    for _ in range(300):
        cost, demand, capacity = random_problem(rng, most_units=12, most_sites=5)
        answer = assignment.transport(cost, demand, capacity)
        if answer.status != "infeasible":
            continue
        seen += 1
        served = most_served(cost, demand, capacity)
        assert answer.share.sum() == pytest.approx(served)
        # a site that takes everyone at a very high cost serves only whom no other can
        wide = np.column_stack([cost, np.full(len(demand), 1e6)])
        open_ended = by_linear_program(wide, demand, np.append(capacity, demand.sum()))
        refused = demand.sum() - served
        assert answer.objective == pytest.approx(open_ended - 1e6 * refused, abs=1e-4)
    assert seen > 50


def test_larger_problems_equal_the_network_simplex_of_lemon():
    pylmcf = pytest.importorskip("pylmcf")
    rng = np.random.default_rng(15)
    for _ in range(1000):
        n, m = int(rng.integers(20, 90)), int(rng.integers(2, 15))
        cost = rng.integers(0, 500, (n, m)).astype(float)
        demand = rng.integers(0, 30, n).astype(float)
        share = rng.uniform(0.5, 1.5, m)
        capacity = np.ceil(1.02 * demand.sum() * share / share.sum())
        start = np.concatenate([np.repeat(np.arange(n), m), np.arange(n, n + m)])
        end = np.concatenate([np.tile(np.arange(n, n + m), n), np.full(m, n + m)])
        graph = pylmcf.Graph(n + m + 1, start.astype(np.int32), end.astype(np.int32))
        supply = np.concatenate([demand, np.zeros(m), [-demand.sum()]])
        graph.set_node_supply(supply.astype(np.int64))
        graph.set_edge_capacities(np.concatenate([np.repeat(demand, m), capacity]).astype(np.int64))
        graph.set_edge_costs(np.concatenate([cost.ravel(), np.zeros(m)]).astype(np.int64))
        graph.solve()
        answer = assignment.transport(cost, demand, capacity)
        assert answer.status == "optimal"
        assert answer.objective == graph.total_cost()
        assert answer.bound == answer.objective


def best_connected_plan(cost, demand, capacity, graph, home):
    """Try every plan in the order of cost; None where no plan holds."""
    n, m = cost.shape
    plans = np.array(list(itertools.product(range(m), repeat=n)))
    plans = plans[(plans[:, home] == np.arange(m)).all(axis=1)]
    loads = np.stack([((plans == j) * demand).sum(axis=1) for j in range(m)], axis=1)
    plans = plans[(loads <= capacity).all(axis=1)]
    possible = np.isfinite(cost)
    weight = np.where(possible, np.where(possible, cost, 0.0) * demand[:, None], np.inf)
    values = weight[np.arange(n), plans].sum(axis=1)
    for at in np.argsort(values, kind="stable"):
        if np.isinf(values[at]):
            break
        groups = [np.flatnonzero(plans[at] == j).tolist() for j in range(m)]
        if all(nx.is_connected(graph.subgraph(group)) for group in groups):
            return float(values[at])
    return None


def test_districts_equal_brute_force(monkeypatch):
    monkeypatch.setattr(regions, "STALLED", 40)
    rng = np.random.default_rng(16)
    none = 0
    for case in range(40):
        rows, columns, m = 3, int(rng.integers(2, 4)), int(rng.integers(2, 4))
        graph = nx.convert_node_labels_to_integers(
            nx.grid_2d_graph(rows, columns), ordering="sorted"
        )
        n = rows * columns
        graph.remove_edges_from([edge for edge in list(graph.edges) if rng.random() < 0.15])
        cost = rng.integers(1, 40, (n, m)).astype(float)
        cost[rng.random((n, m)) < 0.1] = np.inf
        demand = rng.integers(0, 9, n).astype(float)
        home = rng.choice(n, m, replace=False)
        cost[home, np.arange(m)] = 0.0
        capacity = np.full(m, np.ceil(demand.sum() / m * rng.uniform(1.0, 1.5)))
        answer = assignment.districts(
            cost, demand, capacity, nx.to_scipy_sparse_array(graph), home, time_limit=20, seed=case
        )
        expected = best_connected_plan(cost, demand, capacity, graph, home)
        if expected is None:
            none += 1
            assert answer.status in ("infeasible", "unknown")
            assert answer.reason
            continue
        assert answer.status in ("feasible", "optimal")
        assert answer.objective == pytest.approx(expected)
        assert answer.bound <= expected + 1e-9
    assert 3 < none < 30
