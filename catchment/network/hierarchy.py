"""Contraction hierarchy of a directed graph: built once, swept for many sources at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.network.contraction import PATIENCE, both_ways, breadth_first, contract, renumber
from catchment.network.native import native

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

# Sweeps add at most this many float32 numbers in a row; what lies above is added in float64.
FLOAT32_LEVELS = 80


class Hierarchy(NamedTuple):
    """Nodes renumbered so that all arcs of the downward graph run from low to high positions.

    Attributes
    ----------
    position : (n,) int32
        Position of each node.
    up_start, down_start : (n + 1,) int32
        By position: where its arcs begin.
    up_node, down_node : int32
        The other, more important end: heads of arcs leaving and tails of arcs entering.
    up_cost, down_cost : float64
        Costs.
    double : int
        Positions below it are swept in float64, so that no sum of float32 is a long one.
    levels : int
        Longest chain of arcs upward.
    """

    position: _Ints
    up_start: _Ints
    up_node: _Ints
    up_cost: _Floats
    down_start: _Ints
    down_node: _Ints
    down_cost: _Floats
    double: int
    levels: int


@native
def _elimination_tree(out_start: _Longs, up: _Ints) -> _Ints:
    """Parent of each rank in the elimination tree (Liu 1986): every upward arc leads to an ancestor."""
    n = out_start.size - 1
    below_start = np.zeros(n + 1, np.int64)
    for e in range(out_start[n]):
        below_start[up[e] + 1] += 1
    for v in range(n):
        below_start[v + 1] += below_start[v]
    below = np.empty(out_start[n], np.int32)
    cursor = below_start[:-1].copy()
    for v in range(n):
        for e in range(out_start[v], out_start[v + 1]):
            below[cursor[up[e]]] = v
            cursor[up[e]] += 1
    parent = np.full(n, -1, np.int32)
    root = np.full(n, -1, np.int32)
    for v in range(n):
        for e in range(below_start[v], below_start[v + 1]):
            x = below[e]
            while root[x] != -1 and root[x] != v:
                above = root[x]
                root[x] = v
                x = above
            if root[x] == -1:
                root[x] = v
                parent[x] = v
    return parent


@native
def _positions(
    out_start: _Longs, up: _Ints, parent: _Ints, float32_levels: int
) -> tuple[_Ints, int, int]:
    """Position of each rank: tree walked from the root, subtrees together, long chains first."""
    n = parent.size
    level = np.zeros(n, np.int32)
    size = np.ones(n, np.int32)
    levels = 0
    for v in range(n):
        if parent[v] >= 0:
            size[parent[v]] += size[v]
        levels = max(levels, level[v])
        for e in range(out_start[v], out_start[v + 1]):
            level[up[e]] = max(level[up[e]], level[v] + 1)
    walk = np.empty(n, np.int32)
    free = np.zeros(n, np.int32)
    roots = 0
    for v in range(n - 1, -1, -1):
        if parent[v] < 0:
            walk[v] = roots
            roots += size[v]
        else:
            walk[v] = free[parent[v]]
            free[parent[v]] += size[v]
        free[v] = walk[v] + 1
    by_walk = np.empty(n, np.int32)
    for v in range(n):
        by_walk[walk[v]] = v
    position = np.empty(n, np.int32)
    filled = 0
    for i in range(n):
        if level[by_walk[i]] > float32_levels:
            position[by_walk[i]] = filled
            filled += 1
    double = filled
    for i in range(n):
        if level[by_walk[i]] <= float32_levels:
            position[by_walk[i]] = filled
            filled += 1
    return position, double, levels


@native
def _one_way(
    out_start: _Longs,
    up: _Ints,
    pair: _Floats,
    position: _Ints,
    way: int,
) -> tuple[_Ints, _Ints, _Floats]:
    """Arcs of one direction by position: where they begin, other end, cost."""
    n = out_start.size - 1
    start = np.zeros(n + 1, np.int32)
    for v in range(n):
        for e in range(out_start[v], out_start[v + 1]):
            if pair[e, way] < np.inf:
                start[position[v] + 1] += 1
    for v in range(n):
        start[v + 1] += start[v]
    node = np.empty(start[n], np.int32)
    cost = np.empty(start[n], np.float64)
    for v in range(n):
        at = start[position[v]]
        for e in range(out_start[v], out_start[v + 1]):
            if pair[e, way] < np.inf:
                node[at] = position[up[e]]
                cost[at] = pair[e, way]
                at += 1
    return start, node, cost


def build_hierarchy(start: _Ints, head: _Ints, cost: _Floats) -> Hierarchy | None:
    """Contract a graph.

    Parameters
    ----------
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    head : (a,) ndarray of int32
        Head of each arc.
    cost : (a,) ndarray of float64
        Cost of each arc, >= 0 and finite.

    Returns
    -------
    Hierarchy or None
        None where the graph is no road network and does not contract at a bearable cost.
    """
    merged, node, pair = both_ways(start, head, cost)
    number = breadth_first(merged, node)
    merged, node, pair = renumber(merged, node, pair, number)
    budget = PATIENCE * (node.size + 100)
    done, rank, out_start, out_node, out_pair = contract(merged, node, pair, budget)
    if not done:
        return None
    up = rank[out_node[: out_start[-1]]]
    parent = _elimination_tree(out_start, up)
    position, double, levels = _positions(out_start, up, parent, FLOAT32_LEVELS)
    ways = [_one_way(out_start, up, out_pair, position, way) for way in (0, 1)]
    return Hierarchy(position[rank][number], *ways[0], *ways[1], double, levels)
