"""Dijkstra's algorithm in float64, bounded by a cutoff: for single rows and short limits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catchment.network.native import native

_Ints = npt.NDArray[np.int32]
_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]


@native
def push(key: _Floats, item: _Ints, size: int, k: float, x: int) -> int:
    """Insert into a binary heap and return its new size.

    Parameters
    ----------
    key : ndarray of float64
        Keys of the heap.
    item : ndarray of int32
        What they belong to.
    size : int
        Entries so far.
    k : float
        New key.
    x : int
        What it belongs to.

    Returns
    -------
    int
        Entries now.
    """
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if key[above] <= k:
            break
        key[at] = key[above]
        item[at] = item[above]
        at = above
    key[at] = k
    item[at] = x
    return size + 1


@native
def pop(key: _Floats, item: _Ints, size: int) -> int:
    """Remove the first entry of a binary heap and return its new size.

    Parameters
    ----------
    key : ndarray of float64
        Keys of the heap.
    item : ndarray of int32
        What they belong to.
    size : int
        Entries so far, at least 1.

    Returns
    -------
    int
        Entries now.
    """
    size -= 1
    k = key[size]
    x = item[size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and key[below + 1] < key[below]:
            below += 1
        if key[below] >= k:
            break
        key[at] = key[below]
        item[at] = item[below]
        at = below
    key[at] = k
    item[at] = x
    return size


@native
def _by_heap(
    source: int,
    start: _Ints,
    head: _Ints,
    cost: _Floats,
    cutoff: float,
    dist: _Floats,
    key: _Floats,
    item: _Ints,
    touched: _Ints,
    most: int,
) -> int:
    """Binary heap: any weights. Returns how many nodes were touched."""
    dist[source] = 0.0
    touched[0] = source
    changed = 1
    size = push(key, item, 0, 0.0, source)
    while size > 0 and changed <= most:
        k = key[0]
        v = item[0]
        size = pop(key, item, size)
        if k > dist[v]:
            continue
        for e in range(start[v], start[v + 1]):
            u = head[e]
            reach = k + cost[e]
            if reach < dist[u] and reach <= cutoff:
                if dist[u] == np.inf:
                    touched[changed] = u
                    changed += 1
                dist[u] = reach
                size = push(key, item, size, reach, u)
    return changed


@native
def _by_buckets(
    source: int,
    start: _Ints,
    head: _Ints,
    cost: _Floats,
    cutoff: float,
    per_bucket: float,
    dist: _Floats,
    bucket: _Ints,
    following: _Ints,
    item: _Ints,
    key: _Floats,
    touched: _Ints,
    most: int,
) -> tuple[int, bool]:
    """Buckets of equal width, each emptied until nothing in it changes: exact for any width.

    Returns how many nodes were touched and whether it ended (where the width suits the weights
    badly, nodes are looked at again and again: then a heap is better).
    """
    mask = bucket.size - 1
    patience = 4 * dist.size + 64
    pool = item.size
    dist[source] = 0.0
    touched[0] = source
    changed = 1
    item[0] = source
    key[0] = 0.0
    following[0] = -1
    bucket[0] = 0
    used = 1
    free = -1
    waiting = 1
    now = 0
    ended = True
    while waiting > 0 and changed <= most:
        entry = bucket[now & mask]
        if entry < 0:
            now += 1
            continue
        bucket[now & mask] = following[entry]
        waiting -= 1
        v = item[entry]
        k = key[entry]
        following[entry] = free
        free = entry
        if k != dist[v]:
            continue
        patience -= 1
        if patience < 0:
            ended = False
            break
        for e in range(start[v], start[v + 1]):
            u = head[e]
            reach = k + cost[e]
            if reach < dist[u] and reach <= cutoff:
                if dist[u] == np.inf:
                    touched[changed] = u
                    changed += 1
                dist[u] = reach
                if free >= 0:
                    entry = free
                    free = following[entry]
                elif used < pool:
                    entry = used
                    used += 1
                else:
                    ended = False
                    break
                item[entry] = u
                key[entry] = reach
                place = np.int64(reach * per_bucket) & mask
                following[entry] = bucket[place]
                bucket[place] = entry
                waiting += 1
        if not ended:
            break
    if waiting > 0:
        bucket[:] = -1
    if not ended:
        for i in range(changed):
            dist[touched[i]] = np.inf
    return changed, ended


@native
def dijkstra_rows(
    sources: _Ints,
    targets: _Ints,
    start: _Ints,
    head: _Ints,
    cost: _Floats,
    cutoff: float,
    per_bucket: float,
    buckets: int,
    most: int,
    out: _Singles,
    out_row: npt.NDArray[np.int64],
) -> int:
    """Write costs of rows, found by Dijkstra's algorithm.

    Parameters
    ----------
    sources, targets : ndarray of int32
        Nodes.
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    head : (a,) ndarray of int32
        Head of each arc.
    cost : (a,) ndarray of float64
        Cost of each arc.
    cutoff : float
        Costs above it are written as inf.
    per_bucket : float
        Buckets in a unit of cost.
    buckets : int
        A power of two that covers the dearest arc; 0 for a heap.
    most : int
        Give up when a source reaches more nodes.
    out : (rows, targets) ndarray of float32
        Written.
    out_row : ndarray of int64
        Row of each source.

    Returns
    -------
    int
        How many nodes were reached, or -1 where the work was given up.
    """
    n = start.size - 1
    dist = np.full(n, np.inf, np.float64)
    touched = np.empty(n, np.int32)
    pool = head.size + 2
    key = np.empty(pool, np.float64)
    item = np.empty(pool, np.int32)
    bucket = np.full(buckets, -1, np.int32)
    following = np.empty(pool if buckets > 0 else 0, np.int32)
    total = 0
    infinite = np.float32(np.inf)
    for s in range(sources.size):
        ended = False
        changed = 0
        if buckets > 0:
            changed, ended = _by_buckets(
                sources[s], start, head, cost, cutoff, per_bucket, dist, bucket, following, item,
                key, touched, most,
            )  # fmt: skip
        if not ended:
            changed = _by_heap(
                sources[s], start, head, cost, cutoff, dist, key, item, touched, most
            )
        if changed > most:
            return -1
        total += changed
        row = out_row[s]
        for j in range(targets.size):
            value = dist[targets[j]]
            out[row, j] = np.float32(value) if value <= cutoff else infinite
        for i in range(changed):
            dist[touched[i]] = np.inf
    return total


@native
def search_one(source: int, start: _Ints, head: _Ints, cost: _Floats) -> _Floats:
    """Costs in float64 from one source to every node.

    Parameters
    ----------
    source : int
        Node.
    start : (n + 1,) ndarray of int32
        Where the arcs of each node begin.
    head : (a,) ndarray of int32
        Head of each arc.
    cost : (a,) ndarray of float64
        Cost of each arc.

    Returns
    -------
    (n,) ndarray of float64
        Costs; inf where unreachable.
    """
    n = start.size - 1
    dist = np.full(n, np.inf, np.float64)
    _by_heap(
        source, start, head, cost, np.inf, dist, np.empty(head.size + 2, np.float64),
        np.empty(head.size + 2, np.int32), np.empty(n, np.int32), n,
    )  # fmt: skip
    return dist


@native
def along_shortest(
    source: int,
    target: int,
    near: _Floats,
    slack: float,
    start: _Ints,
    head: _Ints,
    cost: _Floats,
    back_start: _Ints,
    back_head: _Ints,
    back_cost: _Floats,
    dist: _Floats,
    before: _Ints,
    chosen: _Bools,
    key: _Floats,
    item: _Ints,
    touched: _Ints,
) -> float:
    """Sum the best trip arc by arc from the source, as Dijkstra's algorithm would.

    Parameters
    ----------
    source, target : int
        Nodes.
    near : (n,) ndarray of float64
        Costs from the source, right but for rounding.
    slack : float
        Only trips this much longer than the best are looked at.
    start, head, cost : ndarray
        The graph.
    back_start, back_head, back_cost : ndarray
        Its transpose.
    dist : (n,) ndarray of float64
        Room; inf before and after.
    before : (n,) ndarray of int32
        Written: the node before each one on the way.
    chosen : (n,) ndarray of bool
        Room; False before and after.
    key, item : (a + 2,) ndarray
        Room.
    touched : (n,) ndarray of int32
        Room.

    Returns
    -------
    float
        The cost.
    """
    count = 1
    touched[0] = target
    chosen[target] = True
    taken = 0
    while taken < count:
        u = touched[taken]
        taken += 1
        for e in range(back_start[u], back_start[u + 1]):
            v = back_head[e]
            if not chosen[v] and near[v] + back_cost[e] <= near[u] + slack:
                chosen[v] = True
                touched[count] = v
                count += 1
    dist[source] = 0.0
    before[source] = -1
    size = push(key, item, 0, 0.0, source)
    while size > 0:
        k = key[0]
        v = item[0]
        size = pop(key, item, size)
        if k > dist[v]:
            continue
        if v == target:
            break
        for e in range(start[v], start[v + 1]):
            u = head[e]
            reach = k + cost[e]
            if chosen[u] and reach < dist[u]:
                dist[u] = reach
                before[u] = v
                size = push(key, item, size, reach, u)
    value: float = dist[target]
    for i in range(count):
        dist[touched[i]] = np.inf
        chosen[touched[i]] = False
    dist[source] = np.inf
    return value
