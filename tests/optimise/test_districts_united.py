"""Plans united: the best of all that each unit does in one of them, by trying everything."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from catchment.optimise import annealing, assignment, contiguity, crowd, redraw, tasks, unions

SIDE, HOMES = 6, (0, 5, 14, 27, 30, 35)


def county(seed, spare=1.12):
    """Villages on a grid, six schools."""
    rng = np.random.default_rng(seed)
    n, m = SIDE * SIDE, len(HOMES)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(SIDE, SIDE))
    demand = rng.integers(1, 9, n).astype(float)
    place = np.column_stack(np.divmod(np.arange(n), SIDE))
    cost = np.abs(place[:, None] - place[list(HOMES)][None]).sum(axis=2) + rng.random((n, m))
    capacity = np.full(m, np.ceil(demand.sum() * spare / m))
    fixed = np.full(n, -1, dtype=np.int32)
    fixed[list(HOMES)] = np.arange(m)
    touch = nx.to_scipy_sparse_array(graph, nodelist=range(n)).astype(bool).tocsr()
    indptr, indices = contiguity.adjacency(touch, n)
    ground = annealing.make_ground(cost * demand[:, None], demand, capacity, indptr, indices, fixed)
    return ground, graph, (cost, demand, capacity, touch, np.array(HOMES))


def holds(ground, graph, site):
    members = [np.flatnonzero(site == j).tolist() for j in range(len(HOMES))]
    load = np.bincount(site, ground.demand, minlength=len(HOMES))
    kept = bool((load <= ground.capacity).all() and (site[list(HOMES)] == range(len(HOMES))).all())
    return kept and all(nx.is_connected(graph.subgraph(units)) for units in members)


def weight(ground, site):
    return float(ground.weight[np.arange(site.size), site].sum())


def a_plan(problem, seed):
    """A short search on costs of its own, so that plans differ."""
    cost, demand, capacity, touch, home = problem
    other = cost + 2 * np.random.default_rng(seed).random(cost.shape)
    answer = assignment.districts(
        other, demand, capacity, touch, home, time_limit=60, work=40_000, seed=seed
    )
    assert answer.status in ("feasible", "optimal")
    return answer.site_of


def best_mix(ground, graph, site, may):
    """The lightest plan in which every unit stays or goes where it may."""
    free = np.flatnonzero(may.any(axis=1))
    choices = [[site[i], *np.flatnonzero(may[i])] for i in free]
    best = weight(ground, site)
    for choice in itertools.product(*choices):
        other = site.copy()
        other[free] = choice
        value = weight(ground, other)
        if value < best and holds(ground, graph, other):
            best = value
    return best


@pytest.mark.parametrize("seed", range(6))
def test_united_plans_are_the_best_that_can_be_mixed_from_them(seed):
    ground, graph, problem = county(seed)
    plans = [a_plan(problem, 10 * seed + k) for k in range(3)]
    site = max(plans, key=lambda plan: weight(ground, plan))
    others = [plan for plan in plans if plan is not site]
    may = unions.of_plans(ground, site, others, 14)
    assert may.any()
    assert np.prod(1.0 + may.sum(axis=1)) < 2e5
    part = unions.patch_of(ground, site, may)
    assert part is not None
    result = redraw.redraw(ground, site, part[0], 1e6, seed=0, left=lambda: 60.0)
    assert result.proved
    assert holds(ground, graph, result.site)
    assert weight(ground, result.site) == pytest.approx(best_mix(ground, graph, site, may))
    changed = result.site != site
    assert may[changed, result.site[changed]].all()
    assert part[1][site[changed]].all()
    assert part[1][result.site[changed]].all()


def test_the_first_plan_is_taken_in_whatever_its_size_and_later_ones_as_far_as_there_is_room():
    ground, _, problem = county(3)
    site, *others = (a_plan(problem, k) for k in range(5))
    first = unions.of_plans(ground, site, others[:1], 0)
    unit, to = np.nonzero(first)
    assert set(unit) == set(np.flatnonzero(others[0] != site))
    assert (others[0][unit] == to).all()
    room = int(first.sum()) + 3
    assert unions.of_plans(ground, site, others, room).sum() <= room
    assert unions.of_plans(ground, site, [site], 10).sum() == 0


def test_neighbouring_catchments_bring_only_what_stays_among_them():
    ground, _, problem = county(4)
    site, *others = (a_plan(problem, k) for k in range(6))
    every = unions.of_plans(ground, site, others, np.inf)
    sizes = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        may = unions.of_neighbours(ground, site, others, 6, rng)
        unit, to = np.nonzero(may)
        region = set(site[unit]) | set(to)
        assert may.any()
        # all that is known among these catchments is there, and nothing else
        among = np.isin(np.arange(len(HOMES)), list(region))
        assert (may == (every & among[site][:, None] & among)).all()
        sizes.add(len(region))
    assert max(sizes) >= 2
    assert unions.of_neighbours(ground, site, [site], 6, rng).sum() == 0


def test_a_search_raises_new_plans_and_is_the_same_on_every_run(monkeypatch):
    begun, kinds = [], []
    exact = tasks.solve_exactly

    def counted(search, workers, rng, kind, *rest):
        kinds.append(kind)
        return exact(search, workers, rng, kind, *rest)

    first = crowd.take_first_run

    def noted(search, task, plan):
        begun.append(round(plan.value, 6))
        first(search, task, plan)

    monkeypatch.setattr(crowd, "solve_exactly", counted)
    monkeypatch.setattr(crowd, "take_first_run", noted)
    ground, graph, problem = county(2, spare=1.08)
    one = assignment.districts(*problem, time_limit=300, seed=4, work=3e7)
    novices, models = len(begun), len(kinds)
    two = assignment.districts(*problem, time_limit=200, seed=4, work=3e7)
    assert not one.timed_out
    assert novices > 1
    assert {"united", "modelled"} <= set(kinds[:models])
    assert begun[:novices] == begun[novices:]
    assert kinds[:models] == kinds[models:]
    assert one.site_of.tobytes() == two.site_of.tobytes()
    assert holds(ground, graph, one.site_of)
