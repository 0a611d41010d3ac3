"""Rows of a matrix: room for them, threads for them, and Dijkstra's algorithm from each source."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.network.arcs import Arcs
from catchment.network.dijkstra import dijkstra_rows

_Ints = npt.NDArray[np.int32]
_Singles = npt.NDArray[np.float32]


def aligned(size: int, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Make an array on a 64-byte boundary, so that no row straddles cache lines.

    Parameters
    ----------
    size : int
        How many numbers.
    kind : type
        Of numbers.

    Returns
    -------
    (size,) ndarray
        Not initialised.
    """
    item = np.dtype(kind).itemsize
    raw = np.empty(size * item + 64, np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + size * item].view(kind)


def in_parallel(task: Callable[[int], None], count: int, threads: int) -> None:
    """Call a task for 0 to count - 1 on several threads; compiled code frees the lock.

    Parameters
    ----------
    task : callable
        Takes a number.
    count : int
        How many calls.
    threads : int
        At most so many at once.
    """
    if min(count, threads) <= 1:
        for i in range(count):
            task(i)
        return
    with ThreadPoolExecutor(max_workers=min(count, threads)) as pool:
        for _ in pool.map(task, range(count)):
            pass


def cpu_threads(threads: int | None = None) -> int:
    """Tell how many threads to use.

    Parameters
    ----------
    threads : int, optional
        What the caller wants; as many as there are processors by default.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    InputError
        A number below 1.
    """
    if threads is None:
        return os.cpu_count() or 1
    if threads < 1:
        raise InputError(
            f"线程数应至少为 1，实为 {threads} / threads must be at least 1, not {threads}"
        )
    return threads


def room(out: _Singles | None, rows: int, columns: int) -> _Singles:
    """Make room for a matrix, or check the room given.

    Parameters
    ----------
    out : ndarray of float32 or None
        What the caller gave.
    rows, columns : int
        Shape wanted.

    Returns
    -------
    (rows, columns) ndarray of float32
        Not initialised.

    Raises
    ------
    InputError
        Another shape or kind, not contiguous, or not writeable.
    """
    if out is None:
        return np.empty((rows, columns), np.float32)
    if out.shape != (rows, columns) or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise InputError(
            f"out 应为 {rows} x {columns} 的连续 float32 数组，实为 {out.dtype} {out.shape} / out "
            f"must be a contiguous float32 array of {rows} x {columns}, not {out.dtype} of shape "
            f"{out.shape}"
        )
    if not out.flags.writeable:
        raise InputError("out 不可写 / out cannot be written to")
    return out


def search_rows(
    arcs: Arcs,
    rows: _Ints,
    columns: _Ints,
    cutoff: float,
    matrix: _Singles,
    workers: int,
    most: int | None = None,
) -> int:
    """Fill a matrix by Dijkstra's algorithm.

    Parameters
    ----------
    arcs : Arcs
        The graph.
    rows, columns : ndarray of int32
        Sources and targets.
    cutoff : float
        Limit.
    matrix : (rows, columns) ndarray of float32
        Where costs are written.
    workers : int
        How many threads.
    most : int, optional
        Give up when a source reaches more nodes.

    Returns
    -------
    int
        Nodes reached, over all sources; -1 where it was given up.
    """
    if rows.size == 0:
        return 0
    most_dear = float(arcs.cost.max(initial=0.0))
    width = max(float(arcs.cost.mean()) / 4.0 if arcs.cost.size else 0.0, most_dear / 16384.0)
    plain = width > 1e-300
    buckets = 1 << math.ceil(math.log2(most_dear / width + 3.0)) if plain else 0
    per_bucket = 1.0 / width if plain else 0.0
    bound = arcs.nodes if most is None else most
    used = min(workers, rows.size)
    reached = np.zeros(used, np.int64)

    def _search(worker: int) -> None:
        mine = np.arange(worker, rows.size, used)
        reached[worker] = dijkstra_rows(
            rows[mine], columns, *arcs, cutoff, per_bucket, buckets, bound, matrix, mine
        )

    in_parallel(_search, used, workers)
    return -1 if (reached < 0).any() else int(reached.sum())
