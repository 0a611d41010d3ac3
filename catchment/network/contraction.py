"""Contraction of a graph: nodes removed one after another, distances kept by shortcuts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.network.dijkstra import pop, push
from catchment.network.native import native

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

# A witness no longer than the shortcut but for rounding makes the shortcut superfluous.
_EQUAL = 1.0 + 2.0**-44
# Arcs looked at in the search for one witness, by the number of neighbours: in the dense core
# that is left at the end a short search would find nothing and leave it denser still.
_RANK_BASE, _RANK_SLOPE = 0, 6  # when the worth of removing a node is estimated
_REMOVE_BASE, _REMOVE_SLOPE = 200, 800  # when it is removed
_LONGEST_SEARCH = 100_000
# Importance: how late a node comes at best, and shortcuts added per arc removed.
_LEVEL = 200
_QUOTIENT = 2000
_MOST_NEIGHBOURS = 4000  # a node with half as many at its turn is not one of a road network
_EAGER = 6  # nodes with more neighbours are looked into when their turn seems to come
# Arcs looked at per arc of the graph before it counts as one that does not contract.
PATIENCE = 10_000
# Neighbours a node, on average, of a core that is given up on, and of a large one, over the root of
# the share that is left. A full grid has 4.5 over that root all the way (14 when a tenth is left),
# roads less; a graph without near and far has more than twice that before half of it is gone.
_DENSE = 200
_DENSE_EARLY = 9.0


@native
def breadth_first(start: _Ints, node: _Ints) -> _Ints:
    """Renumber nodes so that neighbours are near each other in memory.

    Parameters
    ----------
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    node : (a,) ndarray of int32
        Other end of each arc.

    Returns
    -------
    (n,) ndarray of int32
        New number of each node.
    """
    n = start.size - 1
    number = np.full(n, -1, np.int32)
    queue = np.empty(n, np.int32)
    filled = 0
    taken = 0
    for root in range(n):
        if number[root] >= 0:
            continue
        number[root] = filled
        queue[filled] = root
        filled += 1
        while taken < filled:
            v = queue[taken]
            taken += 1
            for e in range(start[v], start[v + 1]):
                u = node[e]
                if number[u] < 0:
                    number[u] = filled
                    queue[filled] = u
                    filled += 1
    return number


@native
def both_ways(start: _Ints, head: _Ints, cost: _Floats) -> tuple[_Ints, _Ints, _Floats]:
    """Neighbours of each node once, with the cheapest cost to and from it; loops dropped.

    Parameters
    ----------
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    head : (a,) ndarray of int32
        Head of each arc.
    cost : (a,) ndarray of float64
        Cost of each arc.

    Returns
    -------
    tuple of ndarray
        Where the neighbours of each node begin, the neighbours in rising order, and costs to and
        from them (inf where there is no such arc).
    """
    n = start.size - 1
    # Sorting by neighbour first and by node second leaves each list sorted.
    count = np.zeros(n + 1, np.int32)
    for v in range(n):
        for e in range(start[v], start[v + 1]):
            if head[e] != v:
                count[v + 1] += 1
                count[head[e] + 1] += 1
    for v in range(n):
        count[v + 1] += count[v]
    total = count[n]
    first_node = np.empty(total, np.int32)
    first_cost = np.empty((total, 2), np.float64)
    cursor = count[:-1].copy()
    for v in range(n):
        for e in range(start[v], start[v + 1]):
            u = head[e]
            if u != v:
                at = cursor[u]
                cursor[u] += 1
                first_node[at] = v
                first_cost[at, 0] = cost[e]
                first_cost[at, 1] = np.inf
                at = cursor[v]
                cursor[v] += 1
                first_node[at] = u
                first_cost[at, 0] = np.inf
                first_cost[at, 1] = cost[e]
    node = np.empty(total, np.int32)
    pair = np.empty((total, 2), np.float64)
    last = count[:-1].copy()  # end of each merged list
    for u in range(n):
        for e in range(count[u], count[u + 1]):
            v = first_node[e]
            at = last[v] - 1
            if at >= count[v] and node[at] == u:
                pair[at, 0] = min(pair[at, 0], first_cost[e, 0])
                pair[at, 1] = min(pair[at, 1], first_cost[e, 1])
            else:
                at = last[v]
                last[v] += 1
                node[at] = u
                pair[at, 0] = first_cost[e, 0]
                pair[at, 1] = first_cost[e, 1]
    merged = np.zeros(n + 1, np.int32)
    filled = 0
    for v in range(n):
        for e in range(count[v], last[v]):
            node[filled] = node[e]
            pair[filled, 0] = pair[e, 0]
            pair[filled, 1] = pair[e, 1]
            filled += 1
        merged[v + 1] = filled
    return merged, node[:filled].copy(), pair[:filled].copy()


@native
def renumber(
    start: _Ints, node: _Ints, pair: _Floats, number: _Ints
) -> tuple[_Ints, _Ints, _Floats]:
    """Apply new node numbers to adjacency lists.

    Parameters
    ----------
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    node : (a,) ndarray of int32
        Other end of each arc.
    pair : (a, 2) ndarray of float64
        Costs to and from the neighbour; inf where there is no such arc.
    number : (n,) ndarray of int32
        New number of each node.

    Returns
    -------
    tuple of ndarray
        The same lists by new numbers.
    """
    n = start.size - 1
    new_start = np.zeros(n + 1, np.int32)
    for v in range(n):
        new_start[number[v] + 1] = start[v + 1] - start[v]
    for v in range(n):
        new_start[v + 1] += new_start[v]
    new_node = np.empty(node.size, np.int32)
    new_pair = np.empty((node.size, 2), np.float64)
    for v in range(n):
        at = new_start[number[v]]
        for e in range(start[v], start[v + 1]):
            new_node[at] = number[node[e]]
            new_pair[at, 0] = pair[e, 0]
            new_pair[at, 1] = pair[e, 1]
            at += 1
    return new_start, new_node, new_pair


class _Lists(NamedTuple):
    """Neighbours of every node, in one pool that is added to at its end."""

    begin: _Longs
    degree: _Ints
    room: _Ints
    node: _Ints
    pair: _Floats  # costs to and from the neighbour


class _Search(NamedTuple):
    """Room for searches; left as it was found (inf, -1) by each of them."""

    dist: _Floats  # -1 where a node is not to be entered
    need: _Floats
    key: _Floats
    item: _Ints
    touched: _Ints


class _Shortcuts(NamedTuple):
    """Shortcuts that removing a node makes necessary."""

    tail: _Ints
    head: _Ints
    cost: _Floats


@native
def _witnesses(
    u: int, want: int, limit: float, patience: int, lists: _Lists, search: _Search
) -> int:
    """Search from u; set need to -1 where a path as short as need is found.

    Returns how many arcs were looked at.
    """
    dist = search.dist
    need = search.need
    key = search.key
    item = search.item
    dist[u] = 0.0
    search.touched[0] = u
    changed = 1
    size = push(key, item, 0, 0.0, u)
    left = patience
    while size > 0 and want > 0 and left > 0:
        k = key[0]
        x = item[0]
        size = pop(key, item, size)
        if k > dist[x]:
            continue
        first = lists.begin[x]
        last = first + min(lists.degree[x], left)
        left -= lists.degree[x]
        for e in range(first, last):
            y = lists.node[e]
            reach = k + lists.pair[e, 0]
            if reach < dist[y] and reach <= limit:
                if dist[y] == np.inf:
                    search.touched[changed] = y
                    changed += 1
                dist[y] = reach
                if reach <= need[y]:
                    need[y] = -1.0
                    want -= 1
                    if want == 0:
                        break
                size = push(key, item, size, reach, y)
    for i in range(changed):
        dist[search.touched[i]] = np.inf
    return patience - left


@native
def _missing(
    v: int, patience: int, lists: _Lists, search: _Search, cuts: _Shortcuts
) -> tuple[int, int]:
    """List the shortcuts that removing v makes necessary; return their number and the work."""
    first = lists.begin[v]
    last = first + lists.degree[v]
    node = lists.node
    pair = lists.pair
    need = search.need
    count = 0
    work = 0
    search.dist[v] = -1.0
    for eu in range(first, last):
        to_v = pair[eu, 1]
        if to_v == np.inf:
            continue
        want = 0
        limit = 0.0
        for ew in range(first, last):
            if ew != eu and pair[ew, 0] < np.inf:
                via = (to_v + pair[ew, 0]) * _EQUAL
                need[node[ew]] = via
                limit = max(limit, via)
                want += 1
        if want == 0:
            continue
        u = node[eu]
        work += want + _witnesses(u, want, limit, patience, lists, search)
        for ew in range(first, last):
            w = node[ew]
            if need[w] >= 0.0:
                need[w] = -1.0
                cuts.tail[count] = u
                cuts.head[count] = w
                cuts.cost[count] = to_v + pair[ew, 0]
                count += 1
    search.dist[v] = np.inf
    return count, work


@native
def _room(size: int) -> _Shortcuts:
    """Make room for shortcuts."""
    return _Shortcuts(
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.float64)
    )


@native
def _ordered(worth: int, v: int) -> int:
    """Break ties by a scattered number, so that rounds remove many nodes at once."""
    return int((np.int64(worth) << 32) | ((np.int64(v) * 2654435761) & 0xFFFFFFFF))


@native
def _importance(
    v: int, level: int, lists: _Lists, search: _Search, cuts: _Shortcuts
) -> tuple[int, int]:
    """Estimate what removing v costs; return it and the work."""
    patience = min(_LONGEST_SEARCH, _RANK_BASE + _RANK_SLOPE * lists.degree[v])
    added, work = _missing(v, patience, lists, search, cuts)
    removed = 0
    for e in range(lists.begin[v], lists.begin[v] + lists.degree[v]):
        removed += lists.pair[e, 0] < np.inf
        removed += lists.pair[e, 1] < np.inf
    return _ordered(_LEVEL * level + (_QUOTIENT * added) // max(removed, 1), v), work


@native
def _insert(u: int, w: int, cost: float, way: int, lists: _Lists, filled: int) -> int:
    """Make the list of u know w at this cost (way 0: to w, 1: from w); return the pool's end."""
    begin, degree, room, node, pair = lists
    at = begin[u]
    end = at + degree[u]
    while at < end and node[at] != w:
        at += 1
    if at == end:
        if degree[u] == room[u]:
            moved = begin[u]
            begin[u] = filled
            for i in range(degree[u]):
                node[filled + i] = node[moved + i]
                for j in range(2):
                    pair[filled + i, j] = pair[moved + i, j]
            room[u] = 2 * room[u] + 2
            filled += room[u]
            at = begin[u] + degree[u]
        degree[u] += 1
        node[at] = w
        for j in range(2):
            pair[at, j] = np.inf
    pair[at, way] = min(pair[at, way], cost)
    return filled


@native
def _forget(u: int, lists: _Lists, dist: _Floats) -> None:
    """Take removed nodes out of the list of u."""
    first = lists.begin[u]
    at = first
    for e in range(first, first + lists.degree[u]):
        if dist[lists.node[e]] >= 0.0:
            if at != e:
                lists.node[at] = lists.node[e]
                for j in range(2):
                    lists.pair[at, j] = lists.pair[e, j]
            at += 1
    lists.degree[u] = at - first


@native
def _pool(start: _Ints, arc_node: _Ints, arc_pair: _Floats) -> tuple[_Lists, int]:
    """Lay out neighbour lists with room to grow."""
    n = start.size - 1
    pool = 2 * arc_node.size + 4 * n + 1024
    begin = np.empty(n, np.int64)
    degree = np.empty(n, np.int32)
    room = np.empty(n, np.int32)
    node = np.empty(pool, np.int32)
    pair = np.empty((pool, 2), np.float64)
    filled = 0
    for v in range(n):
        begin[v] = filled
        degree[v] = start[v + 1] - start[v]
        room[v] = degree[v] + 1
        for i in range(degree[v]):
            node[filled + i] = arc_node[start[v] + i]
            for j in range(2):
                pair[filled + i, j] = arc_pair[start[v] + i, j]
        filled += room[v]
    return _Lists(begin, degree, room, node, pair), filled


@native
def contract(
    start: _Ints, arc_node: _Ints, arc_pair: _Floats, budget: int
) -> tuple[bool, _Ints, _Longs, _Ints, _Floats]:
    """Remove nodes in rounds, least important first, keeping all distances by shortcuts.

    Parameters
    ----------
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    arc_node : (a,) ndarray of int32
        Neighbours.
    arc_pair : (a, 2) ndarray of float64
        Costs to and from the neighbour; inf where there is no such arc.
    budget : int
        Arcs that may be looked at before the graph counts as one that does not contract.

    Returns
    -------
    tuple of (bool, ndarray, ndarray, ndarray, ndarray)
        Whether it ended within the budget, rank of each node, and by rank the arcs to nodes of
        higher rank: where they begin, the other end, costs to and from it.
    """
    n = start.size - 1
    lists, filled = _pool(start, arc_node, arc_pair)
    search = _Search(
        np.full(n, np.inf, np.float64),
        np.full(n, -1.0, np.float64),
        np.empty(_LONGEST_SEARCH + 8, np.float64),
        np.empty(_LONGEST_SEARCH + 8, np.int32),
        np.empty(_LONGEST_SEARCH + 8, np.int32),
    )
    most = max(16, _EAGER)
    cuts = _room(most * most)
    dirty = np.ones(n, np.bool_)
    passed = np.zeros(n, np.int32)  # the last round in which a neighbour was removed
    level = np.zeros(n, np.int32)
    importance = np.empty(n, np.int64)
    for v in range(n):
        # Until it is looked into: as if every pair of neighbours needed a shortcut.
        importance[v] = _ordered(_QUOTIENT // 2 * max(lists.degree[v] - 1, 0), v)
    rank = np.empty(n, np.int32)
    out_start = np.zeros(n + 1, np.int64)
    out_node = np.empty(arc_node.size + 16, np.int32)
    out_pair = np.empty((arc_node.size + 16, 2), np.float64)
    active = np.arange(n).astype(np.int32)
    chosen = np.empty(n, np.int32)
    left = n
    done = 0
    work = 0
    turn = 0
    while left > 0:
        # A round removes every node less important than all its neighbours. Of nodes with
        # many neighbours only those that seem so are looked into.
        turn += 1
        picked = 0
        kept = 0
        neighbours = 0
        for a in range(left):
            v = active[a]
            neighbours += lists.degree[v]
            if dirty[v] and lists.degree[v] <= _EAGER:
                dirty[v] = False
                importance[v], looked = _importance(v, level[v], lists, search, cuts)
                work += looked
        for a in range(left):
            v = active[a]
            least = passed[v] != turn
            first = lists.begin[v]
            last = first + lists.degree[v]
            while least:
                for e in range(first, last):
                    if importance[lists.node[e]] < importance[v]:
                        least = False
                        break
                if not least or not dirty[v]:
                    break
                dirty[v] = False
                if lists.degree[v] > most:
                    most = 2 * lists.degree[v]
                    if most > _MOST_NEIGHBOURS:
                        return False, rank, out_start, out_node, out_pair
                    cuts = _room(most * most)
                importance[v], looked = _importance(v, level[v], lists, search, cuts)
                work += looked
            if not least:
                active[kept] = v
                kept += 1
                continue
            chosen[picked] = v
            picked += 1
            for e in range(first, last):
                passed[lists.node[e]] = turn
        large = left > max(1000, n // 10)
        most_neighbours = _DENSE_EARLY * np.sqrt(n / left) if large else _DENSE
        if work > budget or (left > _DENSE and neighbours > most_neighbours * left):
            return False, rank, out_start, out_node, out_pair
        left = kept
        for c in range(picked):
            v = chosen[c]
            degree = lists.degree[v]
            patience = min(_LONGEST_SEARCH, _REMOVE_BASE + _REMOVE_SLOPE * degree)
            count, looked = _missing(v, patience, lists, search, cuts)
            work += looked
            # Its arcs go to the hierarchy.
            so_far = out_start[done]
            if so_far + degree > out_node.size:
                more = out_node.size // 2 + degree
                out_node = np.append(out_node, np.empty(more, np.int32))
                out_pair = np.concatenate((out_pair, np.empty((more, 2), np.float64)))
            first = lists.begin[v]
            for i in range(degree):
                out_node[so_far + i] = lists.node[first + i]
                for j in range(2):
                    out_pair[so_far + i, j] = lists.pair[first + i, j]
            rank[v] = done
            done += 1
            out_start[done] = so_far + degree
            search.dist[v] = -1.0
            for i in range(count):
                u = cuts.tail[i]
                w = cuts.head[i]
                space = 2 * (lists.room[u] + lists.room[w]) + 8
                if filled + space > lists.node.size:
                    more = lists.node.size // 2 + space
                    lists = _Lists(
                        lists.begin, lists.degree, lists.room,
                        np.append(lists.node, np.empty(more, np.int32)),
                        np.concatenate((lists.pair, np.empty((more, 2), np.float64))),
                    )  # fmt: skip
                filled = _insert(u, w, cuts.cost[i], 0, lists, filled)
                filled = _insert(w, u, cuts.cost[i], 1, lists, filled)
        for c in range(picked):
            v = chosen[c]
            first = lists.begin[v]
            for e in range(first, first + lists.degree[v]):
                u = lists.node[e]
                if level[u] <= level[v]:
                    importance[u] += np.int64(_LEVEL * (level[v] + 1 - level[u])) << 32
                    level[u] = level[v] + 1
                dirty[u] = True
                if passed[u] == turn:
                    passed[u] = 0
                    _forget(u, lists, search.dist)
    return True, rank, out_start, out_node, out_pair
