"""Trips with a second measure: two ways of searching against a third, bit for bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from catchment.errors import InputError
from catchment.network.arcs import Arcs, check_arcs
from catchment.network.shortest import prepare
from catchment.network.trees import cost_and_measure, trees


def graph(seed: int, nodes: int, arcs: int, whole: bool) -> tuple[Arcs, npt.NDArray[np.float64]]:
    """Random graph with parallel arcs, loops and one-way traps; whole costs make many ties."""
    rng = np.random.default_rng(seed)
    tail, head = np.sort(rng.integers(0, nodes, arcs)), rng.integers(0, nodes, arcs)
    start = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=nodes))])
    cost = rng.integers(1, 5, arcs).astype(float) if whole else rng.random(arcs) + 0.01
    return check_arcs(start, head, cost), rng.integers(1, 9, arcs).astype(float)


def exact(
    arcs: Arcs, measure: npt.NDArray[np.float64], source: int
) -> list[tuple[Fraction, Fraction] | None]:
    """Least (cost, measure) to every node in fractions, by relaxing every arc until all is still."""
    best: list[tuple[Fraction, Fraction] | None] = [None] * arcs.nodes
    best[source] = (Fraction(0), Fraction(0))
    tails = np.repeat(np.arange(arcs.nodes), np.diff(arcs.start))
    changed = True
    while changed:
        changed = False
        for t, h, c, m in zip(tails, arcs.head, arcs.cost, measure, strict=True):
            own = best[t]
            if own is None:
                continue
            fresh = (own[0] + Fraction(float(c)), own[1] + Fraction(float(m)))
            held = best[h]
            if held is None or fresh < held:
                best[h], changed = fresh, True
    return best


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), nodes=st.integers(2, 25), reverse=st.booleans())
def test_both_searches_find_the_least_measure_of_the_least_cost(
    seed: int, nodes: int, reverse: bool
) -> None:
    arcs, measure = graph(seed, nodes, 3 * nodes, whole=True)
    every = np.arange(nodes)
    plain = cost_and_measure(arcs, measure, every, every, reverse=reverse)
    network = prepare(*arcs)
    swept = cost_and_measure(network, measure, every, every, reverse=reverse)
    for k in (0, 1):
        np.testing.assert_array_equal(plain[k], swept[k])
    for source in every[:5]:
        for target, found in enumerate(exact(arcs, measure, int(source))):
            i, j = (target, source) if reverse else (source, target)
            wanted = (np.inf, np.inf) if found is None else found
            assert (plain[0][i, j], plain[1][i, j]) == wanted


@pytest.mark.parametrize("reverse", [False, True])
def test_costs_are_those_of_scipy_to_the_last_bit(reverse: bool) -> None:
    arcs, measure = graph(5, 3000, 8000, whole=False)
    sources, targets = np.arange(12), np.arange(0, 3000, 3)
    # scipy adds parallel arcs up in some versions, so the cheapest is kept here.
    matrix = _cheapest(arcs)
    oracle = dijkstra(matrix.T.tocsr() if reverse else matrix, indices=sources)[:, targets]
    for network in (arcs, prepare(*arcs)):
        cost, _ = cost_and_measure(network, measure, sources, targets, reverse=reverse)
        np.testing.assert_array_equal(cost, oracle)


def _cheapest(arcs: Arcs) -> csr_matrix:
    tails = np.repeat(np.arange(arcs.nodes), np.diff(arcs.start))
    order = np.lexsort((arcs.cost, arcs.head, tails))
    t, h, c = tails[order], arcs.head[order], arcs.cost[order]
    first = np.concatenate([[True], (t[1:] != t[:-1]) | (h[1:] != h[:-1])]) & (t != h)
    return csr_matrix((c[first], (t[first], h[first])), shape=(arcs.nodes, arcs.nodes))


def test_free_arcs_in_circles_still_give_a_shortest_trip() -> None:
    # 0 -> 1 -> 2 -> 0 free, 2 -> 3 costs 1: circles of free arcs stop the following of trips.
    arcs = check_arcs([0, 1, 3, 5, 5], [1, 2, 0, 0, 3], [0.0, 0.0, 0.0, 0.0, 1.0])
    measure = np.array([2.0, 3.0, 1.0, 1.0, 5.0])
    for network in (arcs, prepare(*arcs)):
        cost, along = cost_and_measure(network, measure, [0], [0, 1, 2, 3])
        assert cost.tolist() == [[0.0, 0.0, 0.0, 1.0]]
        assert along.tolist() == [[0.0, 2.0, 5.0, 10.0]]


def test_trees_lead_back_along_what_they_say() -> None:
    arcs, measure = graph(9, 200, 600, whole=True)
    cost, along, onward = trees(arcs, measure, [7], reverse=True)
    tails = np.repeat(np.arange(200), np.diff(arcs.start))
    for node in np.flatnonzero(np.isfinite(cost[0])):
        at, spent, gone = int(node), 0.0, 0.0
        while at != 7:
            ahead = int(onward[0, at])
            arc = np.flatnonzero((tails == at) & (arcs.head == ahead))
            best = min(arc, key=lambda e: (arcs.cost[e], measure[e]))
            spent, gone, at = spent + arcs.cost[best], gone + measure[best], ahead
        assert (spent, gone) == (cost[0, node], along[0, node])


def test_measures_are_checked() -> None:
    arcs = check_arcs([0, 1, 1], [1], [1.0])
    with pytest.raises(InputError):
        cost_and_measure(arcs, [1.0, 2.0], [0], [1])
    with pytest.raises(InputError):
        cost_and_measure(arcs, [-1.0], [0], [1])
