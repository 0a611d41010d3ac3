"""Shortest trips with a second measure along them: costs, and metres of the very path found.

Costs are those of Dijkstra's algorithm in double precision, bit by bit: summed arc by arc from the
source. Among trips of exactly the same cost the least measure counts, so that the answer does not
depend on how it was searched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.network.arcs import Arcs, check_arcs, check_nodes, transpose
from catchment.network.dijkstra import pop, push
from catchment.network.native import native
from catchment.network.prepared import PreparedNetwork
from catchment.network.rows import cpu_threads, in_parallel

_Ints = npt.NDArray[np.int32]
_Floats = npt.NDArray[np.float64]
_Bytes = npt.NDArray[np.uint8]

# Costs swept over the hierarchy differ from those summed arc by arc by less than this (relative).
_SLACK = 1e-10


@native
def grow(
    source: int,
    start: _Ints,
    head: _Ints,
    cost: _Floats,
    measure: _Floats,
    dist: _Floats,
    along: _Floats,
    before: _Ints,
    key: _Floats,
    item: _Ints,
) -> None:
    """Grow the tree of shortest trips from a source by Dijkstra's algorithm.

    Parameters
    ----------
    source : int
        Node.
    start, head, cost : ndarray
        Graph in CSR form.
    measure : (a,) ndarray of float64
        Second measure of each arc.
    dist, along : (n,) ndarray of float64
        Written: costs and measures; inf where unreachable.
    before : (n,) ndarray of int32
        Written: the node before each one; -1 for the source and what is unreachable.
    key, item : (a + 2,) ndarray
        Room.
    """
    dist[:] = np.inf
    along[:] = np.inf
    before[:] = -1
    dist[source] = 0.0
    along[source] = 0.0
    size = push(key, item, 0, 0.0, source)
    while size > 0:
        k = key[0]
        v = item[0]
        size = pop(key, item, size)
        if k > dist[v]:
            continue
        for e in range(start[v], start[v + 1]):
            u = head[e]
            reach = k + cost[e]
            far = along[v] + measure[e]
            if reach < dist[u]:
                dist[u] = reach
                along[u] = far
                before[u] = v
                size = push(key, item, size, reach, u)
            elif reach == dist[u] and far < along[u] and reach > k:
                # Over an arc that costs nothing u may be settled already: the first trip stays.
                along[u] = far
                before[u] = v


@native
def _renumbered(
    order: _Ints, position: _Ints, start: _Ints, head: _Ints, cost: _Floats, measure: _Floats
) -> tuple[_Ints, _Ints, _Floats, _Floats]:
    """Lay a graph out by position, so that neighbours lie near each other in memory."""
    n = order.size
    new_start = np.zeros(n + 1, np.int32)
    new_head = np.empty(head.size, np.int32)
    new_cost = np.empty(head.size, np.float64)
    new_measure = np.empty(head.size, np.float64)
    filled = 0
    for p in range(n):
        v = order[p]
        for e in range(start[v], start[v + 1]):
            new_head[filled] = position[head[e]]
            new_cost[filled] = cost[e]
            new_measure[filled] = measure[e]
            filled += 1
        new_start[p + 1] = filled
    return new_start, new_head, new_cost, new_measure


@native
def follow_back(
    source: int,
    targets: _Ints,
    near: _Floats,
    start: _Ints,
    head: _Ints,
    cost: _Floats,
    measure: _Floats,
    dist: _Floats,
    along: _Floats,
    by: _Ints,
    stack: _Ints,
    touched: _Ints,
    out_cost: _Floats,
    out_along: _Floats,
) -> bool:
    """Sum the shortest trips to some targets arc by arc, given what they cost but for rounding.

    Parameters
    ----------
    source : int
        Node.
    targets : ndarray of int32
        Nodes.
    near : (n,) ndarray of float64
        Costs from the source, right but for rounding.
    start, head, cost, measure : ndarray
        The transpose of the graph and the second measure of its arcs.
    dist, along : (n,) ndarray of float64
        Room.
    by : (n,) ndarray of int32
        Room; -4 before and after.
    stack, touched : (n,) ndarray of int32
        Room.
    out_cost, out_along : ndarray of float64
        Written: costs and measures of the targets.

    Returns
    -------
    bool
        Whether it succeeded; it does not where arcs that cost next to nothing go in circles.
    """
    # by: -4 not seen, -3 summed, -2 waiting for several nodes before it, else the arc it is
    # reached by, waiting for the node before it.
    count = 1
    touched[0] = source
    by[source] = -3
    dist[source] = 0.0
    along[source] = 0.0
    sound = True
    for j in range(targets.size):
        goal = targets[j]
        if near[goal] == np.inf:
            out_cost[j] = np.inf
            out_along[j] = np.inf
            continue
        size = 0
        u = goal
        while sound:
            if by[u] == -4:
                most = near[u] * (1.0 + _SLACK)
                found = -4
                for e in range(start[u], start[u + 1]):
                    if near[head[e]] + cost[e] <= most and head[e] != u:
                        found = e if found == -4 else -2
                by[u] = found
                touched[count] = u
                count += 1
                stack[size] = u
                size += 1
                if found >= 0:
                    u = head[found]
                    sound = by[u] == -4 or by[u] == -3
                    continue
                sound = found == -2
            # Sum what waits, from the source outward, until another node must be looked into.
            onward = False
            while size > 0 and sound and not onward:
                u = stack[size - 1]
                e = by[u]
                if e >= 0:
                    dist[u] = dist[head[e]] + cost[e]
                    along[u] = along[head[e]] + measure[e]
                else:
                    most = near[u] * (1.0 + _SLACK)
                    best = np.inf
                    far = np.inf
                    for e in range(start[u], start[u + 1]):
                        v = head[e]
                        if v == u or near[v] + cost[e] > most:
                            continue
                        if by[v] == -3:
                            reach = dist[v] + cost[e]
                            length = along[v] + measure[e]
                            if reach < best or (reach == best and length < far):
                                best = reach
                                far = length
                        else:
                            sound = by[v] == -4
                            onward = True
                            u = v
                            break
                    if onward:
                        break
                    dist[u] = best
                    along[u] = far
                by[u] = -3
                size -= 1
            if not onward:
                break
        if not sound or not dist[goal] <= near[goal] * (1.0 + _SLACK):
            sound = False
            break
        out_cost[j] = dist[goal]
        out_along[j] = along[goal]
    for i in range(count):
        by[touched[i]] = -4
    return sound


def cost_and_measure(
    network: Arcs | PreparedNetwork,
    measure: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    reverse: bool = False,
    threads: int | None = None,
) -> tuple[_Floats, _Floats]:
    """Exact shortest costs from every source to every target, and a measure along those trips.

    Parameters
    ----------
    network : Arcs or PreparedNetwork
        Graph with a arcs. A prepared one is swept and only the trips are followed; else, and where
        it does not contract, Dijkstra's algorithm runs from every source: the answer is the same.
    measure : (a,) array_like of float
        Second measure of each arc, >= 0, such as metres.
    sources, targets : array_like of int
        Nodes.
    reverse : bool, default False
        Whether trips run from the targets to the sources.
    threads : int, optional
        How many threads; as many as there are processors by default.

    Returns
    -------
    cost, measure : (len(sources), len(targets)) ndarray of float64
        Costs summed arc by arc from the source in double precision, and the measure of the trip;
        of trips of exactly the same cost that with the least measure (any of them where arcs cost
        nothing). inf = unreachable.

    Raises
    ------
    InputError
        Ends that are no nodes, or measures that are not one an arc, negative or no number.
    """
    prepared = network if isinstance(network, PreparedNetwork) else None
    arcs = network.arcs if isinstance(network, PreparedNetwork) else network
    n = arcs.nodes
    rows = check_nodes(sources, n, "起点 sources ", "sources")
    columns = check_nodes(targets, n, "终点 targets ", "targets")
    second = _checked(measure, arcs)
    # A transpose keeps the order of arcs, so that two of the same graph fit together.
    back = prepared.back if prepared is not None else transpose(arcs)
    turned = transpose(Arcs(arcs.start, arcs.head, second)).cost
    ahead, astern = (
        ((back, turned), (arcs, second)) if reverse else ((arcs, second), (back, turned))
    )
    cost = np.empty((rows.size, columns.size))
    along = np.empty_like(cost)
    if not cost.size:
        return cost, along
    used = min(rows.size, cpu_threads(threads))
    hierarchy = prepared.hierarchy if prepared is not None else None
    laid_out: tuple[Any, ...] = ()
    if hierarchy is not None:
        order = np.argsort(hierarchy.position).astype(np.int32)
        laid_out = _renumbered(order, hierarchy.position, *astern[0], astern[1])

    def _run(worker: int) -> None:
        search = _Dijkstra(*ahead)
        follow = None if hierarchy is None else _Follower(hierarchy.position, columns, *laid_out)
        for i in range(worker, rows.size, used):
            source = int(rows[i])
            if prepared is not None and follow is not None:
                near = prepared.swept(source, reverse)
                if follow.ask(source, near, cost[i], along[i]):
                    continue
            search.ask(source)
            cost[i], along[i] = search.dist[columns], search.along[columns]

    in_parallel(_run, used, used)
    return cost, along


def trees(
    arcs: Arcs, measure: npt.ArrayLike, sources: npt.ArrayLike, *, reverse: bool = False
) -> tuple[_Floats, _Floats, _Ints]:
    """Whole trees of shortest trips, by the rule of ``cost_and_measure``.

    Parameters
    ----------
    arcs : Arcs
        Graph with n nodes and a arcs.
    measure : (a,) array_like of float
        Second measure of each arc, >= 0.
    sources : array_like of int
        Nodes.
    reverse : bool, default False
        Whether trips run from the nodes to the sources.

    Returns
    -------
    cost, measure : (len(sources), n) ndarray of float64
        Of the trip between each source and each node; inf = none.
    onward : (len(sources), n) ndarray of int32
        The node next to each one on its trip, towards the source; -1 for the source and where
        there is no trip.

    Raises
    ------
    InputError
        As ``cost_and_measure``.
    """
    rows = check_nodes(sources, arcs.nodes, "起点 sources ", "sources")
    second = _checked(measure, arcs)
    ahead = (arcs, second)
    if reverse:
        ahead = (transpose(arcs), transpose(Arcs(arcs.start, arcs.head, second)).cost)
    search = _Dijkstra(*ahead)
    shape = (rows.size, arcs.nodes)
    cost, along, onward = np.empty(shape), np.empty(shape), np.empty(shape, np.int32)
    for i, source in enumerate(rows):
        search.ask(int(source))
        cost[i], along[i], onward[i] = search.dist, search.along, search.before
    return cost, along, onward


def _checked(measure: npt.ArrayLike, arcs: Arcs) -> _Floats:
    """Return the second measure as Arcs hold their costs."""
    second = np.asarray(measure, dtype=np.float64)
    if second.shape != arcs.cost.shape:
        raise InputError(
            f"measure 应为 {arcs.cost.size} 个数（每条弧一个）/ measure must be {arcs.cost.size} "
            "numbers, one an arc"
        )
    return check_arcs(arcs.start, arcs.head, second).cost


class _Dijkstra:
    """Room for searches on one graph."""

    def __init__(self, arcs: Arcs, measure: _Floats) -> None:
        self._graph: tuple[_Ints, _Ints, _Floats, _Floats] = (*arcs, measure)
        self.dist, self.along = np.empty(0), np.empty(0)
        self.before = np.empty(0, np.int32)
        self._room: tuple[Any, ...] = ()

    def ask(self, source: int) -> None:
        """Grow the tree of a source into ``dist``, ``along`` and ``before``."""
        if not self._room:
            n, a = self._graph[0].size - 1, self._graph[1].size
            self.dist, self.along, self.before = np.empty(n), np.empty(n), np.empty(n, np.int32)
            self._room = (np.empty(a + 2), np.empty(a + 2, np.int32))
        given: tuple[Any, ...] = (source, *self._graph, self.dist, self.along, self.before)
        grow(*given, *self._room)


class _Follower:
    """Room for following trips on one graph laid out by position."""

    def __init__(self, position: _Ints, targets: _Ints, *graph: Any) -> None:
        n = position.size
        self._position, self._targets, self._graph = position, position[targets], graph
        self._room: tuple[Any, ...] = (
            np.empty(n), np.empty(n), np.full(n, -4, np.int32), np.empty(n, np.int32),
            np.empty(n, np.int32),
        )  # fmt: skip

    def ask(self, source: int, near: _Floats, cost: _Floats, along: _Floats) -> bool:
        """Write costs and measures of the targets; tell whether it succeeded."""
        place = int(self._position[source])
        given: tuple[Any, ...] = (
            place,
            self._targets,
            near,
            *self._graph,
            *self._room,
            cost,
            along,
        )
        return bool(follow_back(*given))
