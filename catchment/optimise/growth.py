"""First connected plans, and cutting plans back to what the places allow."""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np
import numpy.typing as npt

from catchment.optimise.annealing import Ground, stays_whole

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]


def grow(ground: Ground, home: Int32, shut: Bool) -> tuple[Int32, Bool]:
    """Grow connected catchments from the homes, whatever the capacities.

    Units that others cut off from all sites they may use are given a way through first, and
    everything is grown again.

    Parameters
    ----------
    ground : Ground
        The instance.
    home : (m,) int32
        Unit of each site or -1.
    shut : (m,) bool
        Sites without a catchment.

    Returns
    -------
    site : (n,) int32
        Site of each unit, -1 where none was found.
    reachable : (n,) bool
        False where no site can be reached over units that may use it: such a unit cannot
        belong to any connected catchment.
    """
    n = ground.fixed.size
    begun = ground.fixed.copy()
    site = _spread(ground, home, shut, begun)
    reachable = np.ones(n, dtype=bool)
    hopeless = np.zeros(n, dtype=bool)
    while True:
        left = np.flatnonzero((site < 0) & ~hopeless)
        if not left.size:
            return site, reachable
        i = int(left[0])
        if not _reach(ground, shut, ground.fixed, i):
            reachable[i] = False
            hopeless[i] = True
            continue
        way = _reach(ground, shut, begun, i)
        if not way:
            hopeless[i] = True
            continue
        begun[list(way[1])] = way[0]
        site = _spread(ground, home, shut, begun)


def _reach(
    ground: Ground, shut: Bool, begun: Int32, i: int
) -> tuple[int, tuple[int, ...]] | tuple[()]:
    """Find the cheapest site that unit i can reach, and the units of the way; () where none."""
    order = np.argsort(ground.weight[i], kind="stable")
    for j in order:
        if shut[j] or not np.isfinite(ground.weight[i, j]):
            continue
        if ground.root[j] < 0 and not (begun == j).any():
            return int(j), (i,)
        before = {i: i}
        queue = deque([i])
        while queue:
            u = queue.popleft()
            if begun[u] == j:
                way = [u]
                while before[way[-1]] != way[-1]:
                    way.append(before[way[-1]])
                return int(j), tuple(way)
            for k in ground.indices[ground.indptr[u] : ground.indptr[u + 1]].tolist():
                if k not in before and begun[k] in (-1, j) and np.isfinite(ground.weight[k, j]):
                    before[k] = u
                    queue.append(k)
    return ()


def _spread(ground: Ground, home: Int32, shut: Bool, begun: Int32) -> Int32:
    """Grow connected catchments from what is begun, least regret first, until nothing is left."""
    m = ground.weight.shape[1]
    site = begun.copy()
    least = ground.weight.min(axis=1)
    for j in range(m):
        if shut[j] or (home[j] >= 0 and site[home[j]] == j) or (site == j).any():
            continue
        order = np.argsort(ground.weight[:, j], kind="stable")
        free = [int(i) for i in order if site[i] < 0 and np.isfinite(ground.weight[i, j])]
        if free:
            site[free[0]] = j
    queue: list[tuple[float, float, int, int]] = []

    def offer(i: int) -> None:
        for k in ground.indices[ground.indptr[i] : ground.indptr[i + 1]]:
            value = ground.weight[k, site[i]]
            if site[k] < 0 and np.isfinite(value):
                queue_item = (float(value - least[k]), float(value), int(k), int(site[i]))
                heapq.heappush(queue, queue_item)

    for start in np.flatnonzero(site >= 0):
        offer(int(start))
    while queue:
        _, _, i, j = heapq.heappop(queue)
        if site[i] < 0:
            site[i] = j
            offer(i)
    return site


def peel(ground: Ground, site: Int32) -> Int32:
    """Leave units out, from the rims of overloaded catchments, until capacities are kept.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        Connected catchments, perhaps overloaded.

    Returns
    -------
    (n,) int32
        Connected catchments within capacity; -1 = left out.
    """
    site = site.copy()
    n, m = ground.weight.shape
    mark = np.zeros(n, dtype=np.int32)
    stack = np.empty(n, dtype=np.int32)
    stamp = 0
    for j in range(m):
        while True:
            over = ground.demand[site == j].sum() - ground.capacity[j]
            if over <= 1e-9 * (1.0 + ground.demand.sum()):
                break
            rim: list[tuple[float, int]] = []
            for i in np.flatnonzero((site == j) & (ground.demand > 0)):
                stamp += 1
                alone = (site == j).sum() == 1
                whole = alone or stays_whole(ground, int(i), site, mark, stamp, stack)
                if whole and (ground.fixed[i] != j or alone):
                    d = float(ground.demand[i])
                    rim.append((d - over if d >= over else 1e18 - d, int(i)))
            if not rim:
                idle = np.flatnonzero((site == j) & (ground.fixed != j))
                site[idle if idle.size else site == j] = -1
                break
            site[min(rim)[1]] = -1
    return site
