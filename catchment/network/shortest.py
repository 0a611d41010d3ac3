"""The many-to-many kernel: exact shortest travel costs between nodes of a directed graph."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from catchment.network.arcs import Arcs, check_arcs, check_cutoff, check_nodes, transpose
from catchment.network.hierarchy import build_hierarchy
from catchment.network.prepared import (
    SETTLE_PREPARE,
    Method,
    PreparedNetwork,
)
from catchment.network.rows import cpu_threads, search_rows
from catchment.network.stored import StoredNetworkError, digest_arcs, load_network, save_network

__all__ = [
    "Method",
    "PreparedNetwork",
    "StoredNetworkError",
    "load_network",
    "prepare",
    "save_network",
    "travel_matrix",
    "travel_matrix_explained",
]

_PROBES = 5
_FINEST = 12  # units down to 1/4096


def travel_matrix(
    indptr: npt.ArrayLike,
    indices: npt.ArrayLike,
    weight: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    cutoff: float = math.inf,
    reverse: bool = False,
) -> npt.NDArray[np.float32]:
    """Exact shortest travel costs from every source to every target.

    Every value is within 5.1e-6 of the float64 value (relative; usually within 5e-7). Whether
    a trip is within the cutoff is decided in float64, summed arc by arc from the source as
    Dijkstra's algorithm does; a trip of exactly the cutoff is within.

    Parameters
    ----------
    indptr : (n + 1,) array_like of int
        Where the arcs of each node begin in ``indices``.
    indices : (a,) array_like of int
        Head node of each arc, 0 to n - 1; loops and parallel arcs are allowed.
    weight : (a,) array_like of float
        Cost of each arc, 0 to 1e28; 0 costs nothing. Trips below 1e-37 lose digits, because
        float32 holds such numbers as multiples of 1.4e-45.
    sources, targets : array_like of int
        Nodes, 0 to n - 1; duplicates are allowed.
    cutoff : float, default inf
        Costs above it become inf.
    reverse : bool, default False
        Whether costs run from the targets to the sources.

    Returns
    -------
    (len(sources), len(targets)) ndarray of float32
        Costs in the unit of ``weight``; inf where unreachable or beyond ``cutoff``.

    Raises
    ------
    InputError
        A malformed graph, a cost that is negative, infinite or no number, ends that are no nodes.
    """
    return travel_matrix_explained(
        indptr, indices, weight, sources, targets, cutoff=cutoff, reverse=reverse
    )[0]


def travel_matrix_explained(
    indptr: npt.ArrayLike,
    indices: npt.ArrayLike,
    weight: npt.ArrayLike,
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    cutoff: float = math.inf,
    reverse: bool = False,
) -> tuple[npt.NDArray[np.float32], Method]:
    """As ``travel_matrix``, and how it was computed.

    Parameters
    ----------
    indptr, indices, weight, sources, targets, cutoff, reverse
        As in ``travel_matrix``.

    Returns
    -------
    tuple of (ndarray of float32, Method)
        Costs, and the method with its reason.

    Raises
    ------
    InputError
        As ``travel_matrix``.
    """
    arcs = check_arcs(indptr, indices, weight)
    n = arcs.nodes
    rows = check_nodes(sources, n, "起点 sources ", "sources")
    columns = check_nodes(targets, n, "终点 targets ", "targets")
    limit = check_cutoff(cutoff)
    if rows.size == 0 or columns.size == 0:
        empty = np.empty((rows.size, columns.size), np.float32)
        return empty, Method("none", "没有要算的 / nothing was asked")
    reason = ""
    graph = transpose(arcs) if reverse else arcs
    if rows.size <= SETTLE_PREPARE:
        reason = "起点少，不值得预处理 / too few sources to prepare for"
    elif limit < math.inf:
        probes = rows[np.linspace(0, rows.size - 1, _PROBES).astype(np.int64)]
        room = np.empty((_PROBES, 1), np.float32)
        reached = search_rows(graph, probes, columns[:1], limit, room, cpu_threads())
        if reached / _PROBES * rows.size <= SETTLE_PREPARE * n:
            reason = "时限内节点少，不值得预处理 / few nodes lie within the cutoff"
    if not reason:
        network = _prepare(arcs)
        return network.matrix_explained(rows, columns, cutoff=limit, reverse=reverse)
    matrix = np.empty((rows.size, columns.size), np.float32)
    search_rows(graph, rows, columns, limit, matrix, cpu_threads())
    return matrix, Method("dijkstra", reason)


def prepare(
    indptr: npt.ArrayLike, indices: npt.ArrayLike, weight: npt.ArrayLike
) -> PreparedNetwork:
    """Prepare a graph so that many questions can be asked of it.

    Parameters
    ----------
    indptr, indices, weight : array_like
        As in ``travel_matrix``.

    Returns
    -------
    PreparedNetwork
        Ask it with ``matrix``, ``stream`` and ``path``; keep it with ``save_network``.

    Raises
    ------
    InputError
        A malformed graph, or a cost that is negative, infinite or no number.
    """
    return _prepare(check_arcs(indptr, indices, weight))


def _prepare(arcs: Arcs) -> PreparedNetwork:
    return PreparedNetwork(
        arcs, transpose(arcs), build_hierarchy(*arcs), _unit(arcs), digest_arcs(arcs)
    )


def _unit(arcs: Arcs) -> float:
    """Largest power of two of which all weights are multiples, if sums of them are exact."""
    most = float(arcs.cost.max(initial=0.0))
    for fine in range(_FINEST + 1):
        scaled = arcs.cost * 2.0**fine
        if np.array_equal(scaled, np.rint(scaled)):
            return 2.0**-fine if most * 2.0**fine * (arcs.nodes + 1) < 2.0**43 else 0.0
    return 0.0
