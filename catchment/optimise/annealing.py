"""Annealing of connected catchments: shifts and chains of two shifts, compiled.

A plan is always connected; capacities may be exceeded at a price per place. Every good catchment within its capacity that is met goes into
a pool, from which :mod:`catchment.optimise.partition` puts better plans together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.dice import UInt64, below, uniform

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

WORD = 64  # neighbours a unit may have for the quick test of connectedness


class Ground(NamedTuple):
    """What a search stands on.

    ``weight`` (n, m) is demand x cost, inf = not allowed; ``fixed`` (n) the site a home unit must
    keep, -1 = free; ``ring`` says, for each entry of ``indices``, which of the same unit's
    neighbours touch that neighbour (bits by position); ``sign`` (n) are random words for hashing;
    ``root`` (m) the home unit of each site, -1 = none (its catchment may then be empty).
    """

    weight: Float64
    demand: Float64
    capacity: Float64
    indptr: Int32
    indices: Int32
    ring: UInt64
    fixed: Int32
    sign: UInt64
    root: Int32


class Pool(NamedTuple):
    """Catchments met: members as bits, site, weight; ``table`` finds them by hash."""

    bits: UInt64
    site: Int32
    weight: Float64
    table: UInt64
    used: Int32


def make_ground(
    weight: Float64,
    demand: Float64,
    capacity: Float64,
    indptr: Int32,
    indices: Int32,
    fixed: Int32,
) -> Ground:
    """Return the instance with what the kernels look up.

    Parameters
    ----------
    weight : (n, m) float64
        Demand x cost, inf = not allowed.
    demand, capacity : (n,) and (m,) float64
        Demand and places.
    indptr, indices : int32
        Neighbour lists.
    fixed : (n,) int32
        Site a home unit must keep, -1 = free.

    Returns
    -------
    Ground
        The instance.
    """
    n, m = weight.shape
    root = np.full(m, -1, dtype=np.int32)
    homes = np.flatnonzero(fixed >= 0)
    root[fixed[homes]] = homes
    sign: UInt64 = np.random.SeedSequence(n).generate_state(n, dtype=np.uint64).astype(np.uint64)
    ring = _rings(indptr, indices)
    return Ground(weight, demand, capacity, indptr, indices, ring, fixed, sign, root)


def make_pool(n: int, most: int) -> Pool:
    """Return an empty pool.

    Parameters
    ----------
    n : int
        Number of units.
    most : int
        Room, in catchments.

    Returns
    -------
    Pool
        Nothing in it.
    """
    size = 1 << int(16 * most).bit_length()
    return Pool(
        bits=np.zeros((most, (n + 63) // 64), dtype=np.uint64),
        site=np.zeros(most, dtype=np.int32),
        weight=np.zeros(most),
        table=np.zeros(size, dtype=np.uint64),
        used=np.zeros(1, dtype=np.int32),
    )


@njit(cache=True)
def _rings(indptr: Int32, indices: Int32) -> UInt64:
    ring = np.zeros(indices.size, dtype=np.uint64)
    for i in range(indptr.size - 1):
        if indptr[i + 1] - indptr[i] > WORD:
            continue
        for p in range(indptr[i], indptr[i + 1]):
            u = indices[p]
            for q in range(indptr[i], indptr[i + 1]):
                for at in range(indptr[u], indptr[u + 1]):
                    if indices[at] == indices[q]:
                        ring[p] |= np.uint64(1) << np.uint64(q - indptr[i])
    return ring


@njit(cache=True, nogil=True)
def stays_whole(ground: Ground, i: int, site: Int32, mark: Int32, stamp: int, stack: Int32) -> bool:
    """Tell whether the catchment of unit i holds together without it.

    Parameters
    ----------
    ground : Ground
        The instance.
    i : int
        The unit that would leave.
    site : (n,) int32
        Site of each unit.
    mark, stack : (n,) int32
        Work space; ``mark`` keeps stamps from call to call.
    stamp : int
        Above all stamps used before.

    Returns
    -------
    bool
        False also where nothing would be left.
    """
    a = site[i]
    begin, end = ground.indptr[i], ground.indptr[i + 1]
    if end - begin <= WORD:
        same = np.uint64(0)
        for at in range(begin, end):
            if site[ground.indices[at]] == a:
                same |= np.uint64(1) << np.uint64(at - begin)
        if same == np.uint64(0):
            return False
        reached = same & (~same + np.uint64(1))
        while True:
            wider = reached
            for at in range(begin, end):
                if (reached >> np.uint64(at - begin)) & np.uint64(1):
                    wider |= ground.ring[at]
            wider &= same
            if wider == reached:
                break
            reached = wider
        if reached == same:
            return True
    wanted = 0
    first = -1
    for at in range(begin, end):
        k = ground.indices[at]
        if site[k] == a:
            wanted += 1
            first = k
            mark[k] = -stamp
    if wanted <= 1:
        return wanted == 1
    mark[i] = stamp
    mark[first] = stamp
    wanted -= 1
    stack[0] = first
    top = 1
    while top > 0:
        top -= 1
        u = stack[top]
        for at in range(ground.indptr[u], ground.indptr[u + 1]):
            k = ground.indices[at]
            if site[k] != a or mark[k] == stamp:
                continue
            if mark[k] == -stamp:
                wanted -= 1
                if wanted == 0:
                    return True
            mark[k] = stamp
            stack[top] = k
            top += 1
    return False


@njit(cache=True, nogil=True)
def _keep(ground: Ground, pool: Pool, j: int, key: np.uint64, members: Int32, count: int) -> None:
    """Put catchment j into the pool unless it is there."""
    if 2 * pool.used[0] >= pool.table.size:
        return
    key ^= np.uint64(j + 1) * np.uint64(11400714819323198485)
    if key == np.uint64(0):
        key = np.uint64(1)
    mask = np.uint64(pool.table.size - 1)
    at = key & mask
    while pool.table[at] != np.uint64(0):
        if pool.table[at] == key:
            return
        at = (at + np.uint64(1)) & mask
    pool.table[at] = key
    c = pool.used[0] % pool.site.size  # when full, the oldest makes room
    pool.used[0] += 1
    pool.site[c] = j
    pool.bits[c] = np.uint64(0)
    value = 0.0
    for p in range(count):
        i = members[p]
        value += ground.weight[i, j]
        pool.bits[c, i >> 6] |= np.uint64(1) << np.uint64(i & 63)
    pool.weight[c] = value


@njit(cache=True, nogil=True)
def _over(load: float, capacity: float) -> float:
    return max(0.0, load - capacity)


@njit(cache=True, nogil=True)
def _branch(
    ground: Ground, i: int, site: Int32, mark: Int32, stamp: int, stack: Int32, branch: Int32
) -> int:
    """List unit i and all units cut off from their home without it; return how many."""
    a = site[i]
    root = ground.root[a]
    mark[i] = stamp
    mark[root] = stamp
    stack[0] = root
    top = 1
    while top > 0:
        top -= 1
        u = stack[top]
        for at in range(ground.indptr[u], ground.indptr[u + 1]):
            k = ground.indices[at]
            if site[k] == a and mark[k] != stamp:
                mark[k] = stamp
                stack[top] = k
                top += 1
    # whatever of the catchment hangs on i and was not reached
    branch[0] = i
    count = 1
    done = 0
    while done < count:
        u = branch[done]
        done += 1
        for at in range(ground.indptr[u], ground.indptr[u + 1]):
            k = ground.indices[at]
            if site[k] == a and mark[k] != stamp:
                mark[k] = stamp
                branch[count] = k
                count += 1
    return count


@njit(cache=True, nogil=True)
def _sum_move(ground: Ground, branch: Int32, count: int, a: int, b: int) -> tuple[float, float]:
    """Weight added and demand moved when these units go from a to b."""
    total = 0.0
    d = 0.0
    for p in range(count):
        total += ground.weight[branch[p], b] - ground.weight[branch[p], a]
        d += ground.demand[branch[p]]
    return total, d


@njit(cache=True, nogil=True)
def _change(capacity: Float64, load: Float64, a: int, b: int, c: int, d: float, e: float) -> float:
    """Overload added when demand d goes from a to b and e from b to c (c < 0: nothing)."""
    before = _over(load[a], capacity[a]) + _over(load[b], capacity[b])
    if c < 0:
        return _over(load[a] - d, capacity[a]) + _over(load[b] + d, capacity[b]) - before
    if c == a:
        return _over(load[a] - d + e, capacity[a]) + _over(load[b] + d - e, capacity[b]) - before
    before += _over(load[c], capacity[c])
    return (
        _over(load[a] - d, capacity[a])
        + _over(load[b] + d - e, capacity[b])
        + _over(load[c] + e, capacity[c])
        - before
    )


@njit(cache=True, nogil=True)
def _shift(
    ground: Ground,
    i: int,
    a: int,
    b: int,
    load: Float64,
    size: Int32,
    member: Int32,
    place: Int32,
    key: UInt64,
) -> None:
    """Move unit i from a to b in all books but ``site``."""
    last = member[a, size[a] - 1]
    member[a, place[i]] = last
    place[last] = place[i]
    size[a] -= 1
    place[i] = size[b]
    member[b, size[b]] = i
    size[b] += 1
    load[a] -= ground.demand[i]
    load[b] += ground.demand[i]
    key[a] ^= ground.sign[i]
    key[b] ^= ground.sign[i]


@njit(cache=True, nogil=True)
def anneal(
    ground: Ground,
    site: Int32,
    penalty: float,
    tariff: float,
    hot: float,
    cold: float,
    proposals: int,
    chains: float,
    branches: float,
    region: Bool,
    keep_below: float,
    stream: UInt64,
    pool: Pool,
    halt: Bool,
) -> tuple[Int32, float, float]:
    """Anneal a connected plan in place.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        Connected plan to start from; ends as the last state.
    penalty : float
        Price of a place beyond capacity during the run.
    tariff : float
        Price of a place beyond capacity when plans are compared.
    hot, cold : float
        First and last temperature, geometric in between.
    proposals : int
        Length of the run.
    chains, branches : float
        Shares of proposals that are chains of two shifts, and that take along what a unit
        would cut off from its home.
    region : (m,) bool
        Sites whose catchments may change.
    keep_below : float
        Catchments of states of at most this weight are kept in the pool.
    stream : (1,) uint64
        Random numbers.
    pool : Pool
        Grows in place.
    halt : (1,) bool
        Set from outside to end the run.

    Returns
    -------
    best : (n,) int32
        Best plan met by weight and tariff.
    value, over : float
        Its weight and its overload (zero where capacities are kept).
    """
    n, m = ground.weight.shape
    weight, demand, capacity = ground.weight, ground.demand, ground.capacity
    load = np.zeros(m)
    size = np.zeros(m, dtype=np.int32)
    member = np.empty((m, n), dtype=np.int32)
    place = np.zeros(n, dtype=np.int32)
    key = np.zeros(m, dtype=np.uint64)
    value = 0.0
    for i in range(n):
        j = site[i]
        if j >= 0:
            load[j] += demand[i]
            value += weight[i, j]
            place[i] = size[j]
            member[j, size[j]] = i
            size[j] += 1
            key[j] ^= ground.sign[i]
    over = 0.0
    for j in range(m):
        over += _over(load[j], capacity[j])
    slip = 1e-9 * (1.0 + demand.sum())
    best = site.copy()
    best_value = value
    movable = np.empty(n, dtype=np.int32)
    units = 0
    for i in range(n):
        if ground.fixed[i] < 0 and site[i] >= 0 and region[site[i]]:
            movable[units] = i
            units += 1
    if units == 0:
        return best, best_value, over if over > slip else 0.0
    rootless = False
    for j in range(m):
        rootless = rootless or (region[j] and ground.root[j] < 0)
    mark = np.zeros(n, dtype=np.int32)
    stack = np.empty(n, dtype=np.int32)
    first = np.empty(n, dtype=np.int32)
    other = np.empty(n, dtype=np.int32)
    stamp = 0
    heat = hot
    pace = 256
    step = (cold / hot) ** (1.0 / max(1.0, proposals / pace))
    best_over = over
    best_merit = value + (tariff * over if over > slip else 0.0)
    for turn in range(proposals):
        if turn % pace == pace - 1:
            heat *= step
            if halt[0]:
                break
        i = movable[below(stream, units)]
        a = site[i]
        degree = ground.indptr[i + 1] - ground.indptr[i]
        if degree == 0:
            continue
        b = site[ground.indices[ground.indptr[i] + below(stream, degree)]]
        if b == a and rootless:
            b = below(stream, m)  # an empty catchment may begin anywhere
            if size[b] > 0 or ground.root[b] >= 0:
                continue
        if b == a or b < 0 or not region[b]:
            continue
        k = -1
        c = -1
        e = 0.0
        chance = uniform(stream)
        if chance < branches:
            if ground.root[a] < 0:
                continue
            stamp += 1
            legs = _branch(ground, i, site, mark, stamp, stack, first)
            total, d = _sum_move(ground, first, legs, a, b)
            if total == np.inf:
                continue
            second = 0
            for p in range(legs):
                site[first[p]] = b
            if chance < 0.75 * branches and ground.root[b] >= 0:
                k = member[b, below(stream, size[b])]
                degree = max(1, ground.indptr[k + 1] - ground.indptr[k])
                c = site[ground.indices[ground.indptr[k] + below(stream, degree)]]
                if ground.fixed[k] >= 0 or c == b or c < 0 or not region[c]:
                    c = -1
                else:
                    stamp += 1
                    second = _branch(ground, k, site, mark, stamp, stack, other)
                    extra, e = _sum_move(ground, other, second, b, c)
                    total += extra
            change = _change(capacity, load, a, b, c, d, e)
            energy = total + penalty * change
            if energy > 0.0 and uniform(stream) >= np.exp(-energy / heat):
                for p in range(legs):
                    site[first[p]] = a
                continue
            for p in range(legs):
                _shift(ground, first[p], a, b, load, size, member, place, key)
            for p in range(second):
                site[other[p]] = c
                _shift(ground, other[p], b, c, load, size, member, place, key)
        else:
            total = weight[i, b] - weight[i, a]
            if total == np.inf:
                continue
            d = demand[i]
            if chance < branches + chains:
                if size[b] == 0:
                    continue
                k = member[b, below(stream, size[b])]
                degree = ground.indptr[k + 1] - ground.indptr[k]
                if ground.fixed[k] >= 0 or degree == 0:
                    continue
                u = ground.indices[ground.indptr[k] + below(stream, degree)]
                c = site[u]
                if c == b or c < 0 or u == i or not region[c]:
                    continue
                total += weight[k, c] - weight[k, b]
                if total == np.inf:
                    continue
                e = demand[k]
            change = _change(capacity, load, a, b, c, d, e)
            energy = total + penalty * change
            if energy > 0.0 and uniform(stream) >= np.exp(-energy / heat):
                continue
            if size[a] == 1:
                if ground.root[a] >= 0 or k >= 0:
                    continue
            else:
                stamp += 1
                if not stays_whole(ground, i, site, mark, stamp, stack):
                    continue
            site[i] = b
            if k >= 0:
                stamp += 1
                if not stays_whole(ground, k, site, mark, stamp, stack):
                    site[i] = a
                    continue
                site[k] = c
            _shift(ground, i, a, b, load, size, member, place, key)
            if k >= 0:
                _shift(ground, k, b, c, load, size, member, place, key)
        value += total
        over += change
        if value <= keep_below:
            if load[a] <= capacity[a] + slip:
                _keep(ground, pool, a, key[a], member[a], size[a])
            if load[b] <= capacity[b] + slip:
                _keep(ground, pool, b, key[b], member[b], size[b])
            if c >= 0 and load[c] <= capacity[c] + slip:
                _keep(ground, pool, c, key[c], member[c], size[c])
        merit = value + (tariff * over if over > slip else 0.0)
        if merit < best_merit:
            best_merit = merit - 1e-12 * abs(merit)
            best_value = value
            best_over = over
            best[:] = site
    return best, best_value, best_over if best_over > slip else 0.0
