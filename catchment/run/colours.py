"""Colours of catchments: neighbours differ, and a school keeps its colour while it is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import numpy.typing as npt

Graph: TypeAlias = "nx.Graph[Any]"

PLAIN_COLOURS = 4
"""Colours of catchments; what cannot do with them is hatched."""


PARTED = 32
"""Times that further nodes are given a colour for each of their neighbourhoods."""


def touching(pairs: npt.NDArray[np.int64], cell: npt.NDArray[Any]) -> Graph:
    """Join the areas whose villages touch.

    Parameters
    ----------
    pairs : (k, 2) int64
        Villages that touch.
    cell : (v,) int
        Area of each village, -1 = none.

    Returns
    -------
    Graph
        Of areas.
    """
    graph: Graph = nx.Graph()
    graph.add_nodes_from(sorted(set(cell[cell >= 0].tolist())))
    ends = cell[pairs] if len(pairs) else np.zeros((0, 2), int)
    for a, c in ends.tolist():
        if a >= 0 and c >= 0 and a != c:
            graph.add_edge(a, c)
    return graph


def stable_colours(graphs: Iterable[Graph], size: int) -> list[npt.NDArray[np.int64]]:
    """Colour a row of graphs so that neighbours differ and colours change as little as may be.

    Four colours wherever one colouring of all graphs together can do it, a few nodes having a
    colour for each of their neighbourhoods where it must be; else the graphs are coloured one after
    the other, with exchanges along chains of two colours, and a further colour where none helps.

    Parameters
    ----------
    graphs : iterable of Graph
        Nodes are positions below ``size``.
    size : int
        Number of positions.

    Returns
    -------
    list of (size,) int64
        Colours, 0 upwards. Positions that are in no graph have colour 0.
    """
    states = list(graphs)
    together = _together(states, size)
    if together is not None:
        return together
    now: dict[int, int] = {}
    out = []
    for graph in states:
        now = {**now, **_recoloured(graph, now)}
        out.append(_by_position(now, size))
    return out


def _together(states: list[Graph], size: int) -> list[npt.NDArray[np.int64]] | None:
    """Colour all graphs as one, nodes that need it parted by their neighbourhoods."""
    around: list[dict[frozenset[int], int]] = [{} for _ in range(size)]
    own = [
        {n: around[n].setdefault(frozenset(g[n]), len(around[n])) for n in sorted(g.nodes)}
        for g in states
    ]
    parted: set[int] = set()
    for _ in range(PARTED):
        copies = [{n: n + size * (k if n in parted else 0) for n, k in o.items()} for o in own]
        union: Graph = nx.Graph()
        for graph, copy in zip(states, copies, strict=True):
            union.add_nodes_from(copy.values())
            union.add_edges_from(sorted(tuple(sorted((copy[a], copy[b]))) for a, b in graph.edges))
        whole = _recoloured(union, {})
        above = {n % size for n, colour in whole.items() if colour >= PLAIN_COLOURS}
        if not above:
            out = []
            last: dict[int, int] = {n: c for n, c in whole.items() if n < size}
            for copy in copies:
                last |= {n: whole[at] for n, at in copy.items()}
                out.append(_by_position(last, size))
            return out
        # of these and those around them, the one that touches most: parted, it frees most
        near = above | {k % size for n in above for k in union[n]}
        more = [n for n in near - parted if len(around[n]) > 1]
        if not more:
            return None
        touched = {n: len(set().union(*around[n])) for n in more}
        parted.add(min(more, key=lambda n: (-touched[n], n)))
    return None


def _by_position(colours: Mapping[int, int], size: int) -> npt.NDArray[np.int64]:
    out = np.zeros(size, np.int64)
    for node, colour in colours.items():
        out[node] = colour
    return out


def _recoloured(graph: Graph, before: Mapping[int, int]) -> dict[int, int]:
    """Colour a graph, keeping the colours of before where they do not clash."""
    now: dict[int, int] = {}
    rank = {n: (-graph.degree(n), n) for n in graph.nodes}
    fresh = []
    for node in sorted(graph.nodes, key=lambda n: rank[n]):
        old = before.get(node, PLAIN_COLOURS)
        if old >= PLAIN_COLOURS or any(now.get(k) == old for k in graph[node]):
            fresh.append(node)
        else:
            now[node] = old
    while fresh:
        # The node that sees most colours already has the least choice.
        node = min(fresh, key=lambda n: (-len({now.get(k) for k in graph[n]}), rank[n]))
        fresh.remove(node)
        near = {now[k] for k in graph[node] if k in now}
        free = [c for c in range(PLAIN_COLOURS) if c not in near]
        if free:
            # The colour used least, so that no colour takes over the map.
            used = list(now.values())
            now[node] = min(free, key=lambda c: (used.count(c), c))
        else:
            now[node] = _exchange(graph, now, node)
    return now


def _exchange(graph: Graph, now: dict[int, int], node: int) -> int:
    """Free a colour next to a node by exchanging two colours along a chain; else one more."""
    best: tuple[int, int, int] | None = None
    turned: set[int] = set()
    for first, second in permutations(range(PLAIN_COLOURS), 2):
        chain: set[int] = set()
        queue = [k for k in graph[node] if now.get(k) == first]
        while queue:
            at = queue.pop()
            if at in chain:
                continue
            chain.add(at)
            queue += [k for k in graph[at] if now.get(k) in (first, second)]
        met = any(now[k] == second for k in chain & set(graph[node]))
        # the shortest chain: the fewest catchments change their colour
        if not met and (best is None or (len(chain), first, second) < best):
            best, turned = (len(chain), first, second), chain
    if best is not None:
        for k in turned:
            now[k] = best[1] + best[2] - now[k]
        return best[1]
    near = {now[k] for k in graph[node] if k in now}
    return next(c for c in range(len(near) + 1) if c not in near)
