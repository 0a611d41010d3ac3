"""Neighbouring catchments drawn anew: equal to trying everything, and never a catchment in pieces."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from catchment.optimise import annealing, assignment, contiguity, redraw, regions, tasks

WIDE, HIGH = 4, 3


def county(seed, homes=(0, 6, 11), spare=1.15):
    """Villages on a grid, three schools."""
    rng = np.random.default_rng(seed)
    n, m = WIDE * HIGH, len(homes)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(HIGH, WIDE))
    demand = rng.integers(1, 9, n).astype(float)
    cost = rng.integers(1, 60, (n, m)).astype(float)
    capacity = np.full(m, np.ceil(demand.sum() * spare / m))
    fixed = np.full(n, -1, dtype=np.int32)
    for j, home in enumerate(homes):
        if home >= 0:
            fixed[home] = j
    touch = nx.to_scipy_sparse_array(graph, nodelist=range(n)).astype(bool).tocsr()
    indptr, indices = contiguity.adjacency(touch, n)
    ground = annealing.make_ground(cost * demand[:, None], demand, capacity, indptr, indices, fixed)
    return ground, graph


def plans(ground, graph, kept=()):
    """Every connected plan with its weight and its overload."""
    n, m = ground.weight.shape
    free = [i for i in range(n) if ground.fixed[i] < 0 and i not in dict(kept)]
    for choice in itertools.product(range(m), repeat=len(free)):
        site = ground.fixed.copy()
        site[free] = choice
        for i, j in kept:
            site[i] = j
        members = [np.flatnonzero(site == j).tolist() for j in range(m)]
        if all(units and nx.is_connected(graph.subgraph(units)) for units in members):
            load = np.bincount(site, ground.demand, minlength=m)
            over = float(np.maximum(load - ground.capacity, 0).sum())
            yield site, float(ground.weight[np.arange(n), site].sum()), over


def drawn(ground, site, region=None, hops=12, tariff=1e6):
    region = np.ones(ground.capacity.size, dtype=bool) if region is None else region
    patch = redraw.pairs(ground, site, region, hops)
    return redraw.redraw(ground, site, patch, tariff, seed=0, left=lambda: 60.0)


def weight(ground, site):
    return float(ground.weight[np.arange(site.size), site].sum())


@pytest.mark.parametrize("seed", range(4))
def test_the_whole_county_drawn_anew_is_the_best_of_all_plans(seed):
    ground, graph = county(seed)
    every = list(plans(ground, graph))
    feasible = [plan for plan in every if plan[2] == 0]
    worst = max(feasible, key=lambda plan: plan[1])
    best = min(plan[1] for plan in feasible)
    result = drawn(ground, worst[0])
    assert result.proved
    assert weight(ground, result.site) == pytest.approx(best)
    assert contiguity.pieces(result.site, county_touch(graph), 3).tolist() == [1, 1, 1]
    again = drawn(ground, result.site)
    assert again.proved
    assert again.site is result.site


def county_touch(graph):
    return nx.to_scipy_sparse_array(graph, nodelist=range(len(graph))).astype(bool).tocsr()


def test_a_plan_over_its_places_is_brought_back_within_them():
    ground, graph = county(7)
    every = list(plans(ground, graph))
    fullest = max(every, key=lambda plan: plan[2])
    best = min(plan[1] for plan in every if plan[2] == 0)
    result = drawn(ground, fullest[0])
    load = np.bincount(result.site, ground.demand, minlength=3)
    assert (load <= ground.capacity).all()
    assert weight(ground, result.site) == pytest.approx(best)


def test_overload_stays_where_its_price_is_less_than_the_way():
    ground, graph = county(7)
    every = list(plans(ground, graph))
    fullest = max(every, key=lambda plan: plan[2])
    over = np.bincount(fullest[0], ground.demand, minlength=3) > ground.capacity
    # only catchments that exceed their places today may go on doing so, at two a place
    expected = np.inf
    for site, value, excess in every:
        load = np.bincount(site, ground.demand, minlength=3)
        if (load <= ground.capacity)[~over].all():
            expected = min(expected, value + 2 * excess)
    result = drawn(ground, fullest[0], tariff=2.0)
    load = np.bincount(result.site, ground.demand, minlength=3)
    excess = np.maximum(load - ground.capacity, 0).sum()
    assert weight(ground, result.site) + 2 * excess == pytest.approx(expected)


def test_catchments_outside_the_region_are_left_alone():
    ground, graph = county(3)
    every = [plan for plan in plans(ground, graph) if plan[2] == 0]
    site = max(every, key=lambda plan: plan[1])[0]
    region = np.array([True, True, False])
    result = drawn(ground, site, region)
    assert (result.site[site == 2] == 2).all()
    assert ((result.site == 2) == (site == 2)).all()
    best = min(value for other, value, _ in every if ((other == 2) == (site == 2)).all())
    assert weight(ground, result.site) == pytest.approx(best)


def test_a_catchment_without_a_home_holds_together_around_its_nearest_village():
    ground, graph = county(5, homes=(0, 11, -1))
    fixed_plans = [plan for plan in plans(ground, graph) if plan[2] == 0]
    site = max(fixed_plans, key=lambda plan: plan[1])[0]
    of = np.flatnonzero(site == 2)
    anchor = int(of[np.argmin(ground.weight[of, 2])])
    best = min(value for _, value, over in plans(ground, graph, [(anchor, 2)]) if over == 0)
    result = drawn(ground, site)
    assert weight(ground, result.site) == pytest.approx(best)
    assert contiguity.pieces(result.site, county_touch(graph), 3).tolist() == [1, 1, 1]


def test_a_unit_goes_only_to_catchments_within_its_steps():
    ground, graph = county(1)
    site = next(plan[0] for plan in plans(ground, graph) if plan[2] == 0)
    for hops in (1, 2):
        patch = redraw.pairs(ground, site, np.ones(3, dtype=bool), hops)
        for u, unit in enumerate(patch.units):
            for s, j in enumerate(patch.sites):
                steps = min(
                    nx.shortest_path_length(graph, unit, k) for k in np.flatnonzero(site == j)
                )
                allowed = patch.pair[u, s] >= 0
                if ground.fixed[unit] >= 0:
                    assert allowed == (site[unit] == j)
                else:
                    assert allowed == (steps <= hops)


def test_a_search_with_exact_models_is_the_same_on_every_run(monkeypatch):
    drawn = []

    def counted(*args, **named):
        result = redraw.redraw(*args, **named)
        drawn.append(result.effort)
        return result

    monkeypatch.setattr(regions, "BEFORE", 5_000)
    monkeypatch.setattr(tasks, "redraw", counted)
    rng = np.random.default_rng(2)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(10, 10))
    demand = rng.integers(1, 9, 100).astype(float)
    home = rng.choice(100, 6, replace=False)
    cost = np.array([[nx.shortest_path_length(graph, i, j) for j in home] for i in range(100)])
    cost = cost + rng.random(cost.shape)
    problem = cost, demand, np.full(6, np.ceil(demand.sum() * 1.05 / 6)), county_touch(graph), home
    one = assignment.districts(*problem, time_limit=300, seed=4, work=8e6)
    models = len(drawn)
    two = assignment.districts(*problem, time_limit=200, seed=4, work=8e6)
    assert not one.timed_out
    assert models > 0
    assert drawn[:models] == drawn[models:]
    assert one.site_of.tobytes() == two.site_of.tobytes()
    assert contiguity.pieces(one.site_of, county_touch(graph), 6).tolist() == [1] * 6


def test_a_search_that_gets_nowhere_begins_again_and_keeps_the_best_plan(monkeypatch):
    ground, graph = county(2)
    best = min(value for _, value, over in plans(ground, graph) if over == 0)
    begun = []
    again = regions._begin_again

    def counted(search):
        again(search)
        begun.append((search.kept.value, search.best().value))

    monkeypatch.setattr(regions, "STALLED", 12)
    monkeypatch.setattr(regions, "AFRESH", 3)
    monkeypatch.setattr(regions, "_begin_again", counted)
    answer = assignment.districts(
        ground.weight / ground.demand[:, None],
        ground.demand,
        ground.capacity,
        county_touch(graph),
        np.array([0, 6, 11]),
        time_limit=300,
    )
    assert not answer.timed_out
    assert len(begun) == 3
    assert answer.objective == pytest.approx(best)
    assert begun[-1][0] == pytest.approx(best)
