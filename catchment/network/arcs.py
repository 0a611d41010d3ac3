"""Checks of a graph given as plain arrays, before compiled code trusts its positions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.network.native import native

_MOST = 2**30  # nodes or arcs: positions are 32 bits, and adjacency holds every arc twice
DEAREST = 1e28  # a trip over all nodes still fits into float32
_NAMED = 5


class Arcs(NamedTuple):
    """A directed graph in CSR form, checked.

    Attributes
    ----------
    start : (n + 1,) int32
        Where the arcs of each node begin.
    head : (a,) int32
        Head of each arc.
    cost : (a,) float64
        Cost of each arc, 0 to 1e28.
    """

    start: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    cost: npt.NDArray[np.float64]

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.start.size) - 1


@native
def _transpose(
    start: npt.NDArray[np.int32], head: npt.NDArray[np.int32], cost: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    n = start.size - 1
    back_start = np.zeros(n + 1, np.int32)
    for e in range(head.size):
        back_start[head[e] + 1] += 1
    for v in range(n):
        back_start[v + 1] += back_start[v]
    cursor = back_start[:-1].copy()
    back_head = np.empty(head.size, np.int32)
    back_cost = np.empty(head.size, np.float64)
    for v in range(n):
        for e in range(start[v], start[v + 1]):
            at = cursor[head[e]]
            cursor[head[e]] += 1
            back_head[at] = v
            back_cost[at] = cost[e]
    return back_start, back_head, back_cost


def transpose(arcs: Arcs) -> Arcs:
    """Turn every arc round.

    Parameters
    ----------
    arcs : Arcs
        A graph.

    Returns
    -------
    Arcs
        The graph with heads and tails exchanged.
    """
    return Arcs(*_transpose(*arcs))


def _whole_numbers(values: npt.ArrayLike, zh: str, en: str) -> npt.NDArray[np.int64]:
    """One-dimensional whole numbers as int64."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(
            f"{zh}应为一维数组，实为 {array.ndim} 维 / {en} must be one-dimensional, "
            f"not {array.ndim}-dimensional"
        )
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype.kind not in "iu":
        raise InputError(
            f"{zh}应为整数，实为 {array.dtype} / {en} must be whole numbers (positions, not a "
            f"mask), not {array.dtype}"
        )
    if array.dtype == np.uint64 and int(array.max()) >= 2**63:
        raise InputError(f"{zh}中有过大的数 / {en} holds a number beyond any position")
    return array.astype(np.int64, copy=False)


def _positions(wrong: npt.NDArray[np.bool_]) -> str:
    """Name the first few positions of a mask, and how many there are."""
    where = np.flatnonzero(wrong)
    named = ", ".join(str(i) for i in where[:_NAMED])
    return named if where.size <= _NAMED else f"{named} … ({where.size})"


def check_arcs(
    indptr: npt.ArrayLike,
    indices: npt.ArrayLike,
    weight: npt.ArrayLike,
    dearest: float = DEAREST,
) -> Arcs:
    """Check a graph in CSR form.

    Parameters
    ----------
    indptr : (n + 1,) array_like of int
        Where the arcs of each node begin, rising from 0 to a.
    indices : (a,) array_like of int
        Head of each arc, 0 to n - 1, in any order; loops and parallel arcs are allowed.
    weight : (a,) array_like of float
        Cost of each arc, 0 to ``dearest``.
    dearest : float, default 1e28
        Highest cost; shortcuts, which stand for whole trips, may cost more than arcs.

    Returns
    -------
    Arcs
        The graph, in arrays of its own.

    Raises
    ------
    InputError
        Malformed arrays, heads out of range, or costs that are negative, infinite or no number;
        the text names the arcs by position.
    """
    start = _whole_numbers(indptr, "indptr ", "indptr")
    head = _whole_numbers(indices, "indices ", "indices")
    if start.size == 0:
        raise InputError(
            "indptr 为空，至少应有一个 0 / indptr is empty; it must hold at least one 0"
        )
    n = start.size - 1
    if max(n, head.size) >= _MOST:
        raise InputError(
            f"路网过大：{n} 个节点、{head.size} 条弧，上限 {_MOST} / the graph is too large: "
            f"{n} nodes and {head.size} arcs, at most {_MOST}"
        )
    falls = np.diff(start) < 0
    if start[0] != 0 or start[-1] != head.size or falls.any():
        found = f"{int(start[0])} … {int(start[-1])}"
        raise InputError(
            f"indptr 应从 0 不减地升到弧数 {head.size}，实为 {found}；下降处：{_positions(falls)} "
            f"/ indptr must rise from 0 to the number of arcs {head.size} and never fall; it runs "
            f"{found} and falls after positions: {_positions(falls)}"
        )
    outside = (head < 0) | (head >= n)
    if outside.any():
        raise InputError(
            f"弧的终点应在 0 与 {n - 1} 之间，位置 {_positions(outside)} 不是 / heads of arcs must "
            f"be nodes 0 to {n - 1}; positions {_positions(outside)} are not"
        )
    raw = np.asarray(weight)
    if raw.ndim != 1 or raw.size != head.size or (raw.size and raw.dtype.kind not in "iuf"):
        raise InputError(
            f"weight 应为 {head.size} 个数（每条弧一个），实为 {raw.dtype} {raw.shape} / weight "
            f"must be {head.size} numbers, one an arc, not {raw.dtype} of shape {raw.shape}"
        )
    cost = raw.astype(np.float64)
    wrong = ~((cost >= 0.0) & (cost <= dearest))
    if wrong.any():
        first = float(cost[int(np.flatnonzero(wrong)[0])])
        raise InputError(
            f"弧的费用应为 0 至 {dearest:g} 的有限数，位置 {_positions(wrong)} 不是（首个为 "
            f"{first}）；不可通行的弧请删去 / costs of arcs must be finite, 0 to {dearest:g}; "
            f"positions {_positions(wrong)} are not (the first is {first}); leave impassable arcs "
            "out"
        )
    # Adding 0.0 turns -0.0 into 0.0.
    return Arcs(start.astype(np.int32), head.astype(np.int32), cost + 0.0)


def check_nodes(nodes: npt.ArrayLike, n: int, zh: str, en: str) -> npt.NDArray[np.int32]:
    """Check positions of nodes.

    Parameters
    ----------
    nodes : array_like of int
        Positions, 0 to n - 1.
    n : int
        Number of nodes.
    zh, en : str
        What they are, for messages.

    Returns
    -------
    ndarray of int32
        The positions.

    Raises
    ------
    InputError
        Anything that is not a node.
    """
    found = _whole_numbers(nodes, zh, en)
    if found.size and (found.min() < 0 or found.max() >= n):
        outside = (found < 0) | (found >= n)
        first = int(found[int(np.flatnonzero(outside)[0])])
        raise InputError(
            f"{zh}应为 0 至 {n - 1} 的节点，位置 {_positions(outside)} 不是（首个为 {first}）/ {en} "
            f"must be nodes 0 to {n - 1}; positions {_positions(outside)} are not (the first is "
            f"{first})"
        )
    return found.astype(np.int32)


def check_cutoff(cutoff: float) -> float:
    """Check a limit.

    Parameters
    ----------
    cutoff : float
        Limit, >= 0; inf for none.

    Returns
    -------
    float
        The limit.

    Raises
    ------
    InputError
        A negative limit or no number.
    """
    if not isinstance(cutoff, (int, float, np.integer, np.floating)) or not cutoff >= 0:
        raise InputError(
            f"cutoff 应为不小于 0 的数，实为 {cutoff} / cutoff must be a number >= 0, not {cutoff}"
        )
    return float(cutoff)
