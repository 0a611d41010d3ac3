"""A road graph prepared once and asked many times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.network.arcs import Arcs, check_cutoff, check_nodes
from catchment.network.dijkstra import along_shortest, search_one
from catchment.network.hierarchy import FLOAT32_LEVELS, Hierarchy
from catchment.network.rows import aligned, cpu_threads, in_parallel, room, search_rows
from catchment.network.sweep import pick_row, select_rows, sweep_block, sweep_one, write_block

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Singles = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]

_WIDE = 32  # sources side by side: two AVX-512 or four AVX registers
_NARROW = 8
_FEW = 1  # as many sources are swept one by one in float64

# Each number of a sweep has been rounded once when it came from float64, and each arc since may
# have rounded its cost and the sum.
_SINGLE_ERROR = (FLOAT32_LEVELS + 4) * 2.0**-24
# Costs from the hierarchy in float64, by the way sums are grouped and by witnesses taken as equal.
_DOUBLE_ERROR = 1e-10
_SMALLEST_CUTOFF = 1e-30  # below, float32 loses relative precision

# Work in units of one node settled by Dijkstra's algorithm, measured on road graphs.
SETTLE_PREPARE = 130.0  # contracting, per node
_SETTLE_SELECT = 0.3  # restricting the hierarchy to targets, per node
_SETTLE_SWEEP = 0.06  # sweeping, per node and block of 32 sources
_SETTLE_ONE = 0.15  # sweeping in float64, per node and source


@dataclass(frozen=True)
class Method:
    """How a matrix was computed.

    Attributes
    ----------
    name : str
        ``sweep`` (contraction hierarchy, swept for many sources at once), ``dijkstra`` (bounded
        search from each source) or ``none`` (nothing was asked).
    reason : str
        Why, for people: Chinese / English.
    rechecked : int, default 0
        Costs too near the cutoff for float32 that were judged again in float64.
    """

    name: str
    reason: str
    rechecked: int = 0


class _Selection(NamedTuple):
    """What part of the hierarchy matters for some targets."""

    row_of: _Ints
    start: _Ints
    node: _Ints
    cost: _Floats
    single_cost: _Singles
    double: int
    offset: _Longs


class _Limits(NamedTuple):
    """How float32 costs are judged against the cutoff."""

    cutoff: float
    low: np.float32
    high: np.float32


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """A graph with its contraction hierarchy; made by ``prepare`` or ``load``, safe in threads.

    Costs are exact shortest costs: sums are formed in float64 except for at most 80 additions at
    the end of a trip, so that every value is within 5.1e-6 of the float64 value (relative), and
    usually within 5e-7. Whether a cost is within the cutoff is decided by its float64 value,
    summed arc by arc from the source as Dijkstra's algorithm does: equal to the cutoff is within.

    Attributes
    ----------
    arcs, back : Arcs
        The graph and its transpose.
    hierarchy : Hierarchy or None
        None where the graph does not contract (it is no road network); then every question is
        answered by Dijkstra's algorithm.
    unit : float
        Largest power of two, at most 1, of which all weights are whole multiples and in which all
        sums are exact in float64; 0 where there is none.
    digest : str
        Of the graph, for recognising it.
    """

    arcs: Arcs
    back: Arcs
    hierarchy: Hierarchy | None
    unit: float
    digest: str

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.arcs.nodes

    def matrix(
        self,
        sources: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        cutoff: float = math.inf,
        reverse: bool = False,
        out: _Singles | None = None,
        threads: int | None = None,
    ) -> _Singles:
        """Exact shortest costs from every source to every target.

        Parameters
        ----------
        sources, targets : array_like of int
            Nodes, 0 to n - 1; duplicates are allowed.
        cutoff : float, default inf
            Costs above it become inf; equal to it is within.
        reverse : bool, default False
            Whether costs run from the targets to the sources.
        out : (len(sources), len(targets)) ndarray of float32, optional
            C-contiguous array to write into, instead of a new one.
        threads : int, optional
            How many threads; as many as there are processors by default.

        Returns
        -------
        (len(sources), len(targets)) ndarray of float32
            Costs in the unit of the weights; inf where unreachable or beyond the cutoff.

        Raises
        ------
        InputError
            Sources or targets that are no nodes, a negative cutoff, or an unsuitable ``out``.
        """
        return self.matrix_explained(
            sources, targets, cutoff=cutoff, reverse=reverse, out=out, threads=threads
        )[0]

    def matrix_explained(
        self,
        sources: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        cutoff: float = math.inf,
        reverse: bool = False,
        out: _Singles | None = None,
        threads: int | None = None,
    ) -> tuple[_Singles, Method]:
        """As ``matrix``, and how it was computed.

        Parameters
        ----------
        sources, targets, cutoff, reverse, out, threads
            As in ``matrix``.

        Returns
        -------
        tuple of (ndarray of float32, Method)
            Costs, and the method with its reason.
        """
        rows, columns = self._ends(sources, targets)
        limit = check_cutoff(cutoff)
        matrix = room(out, rows.size, columns.size)
        if matrix.size == 0:
            return matrix, Method("none", "没有要算的 / nothing was asked")
        workers = cpu_threads(threads)
        if self.hierarchy is None:
            reason = "路网无法有效收缩 / the graph does not contract"
        elif limit < _SMALLEST_CUTOFF:
            reason = "时限极小 / the cutoff is next to nothing"
        else:
            if limit < math.inf:
                done, matrix_done = self._try_dijkstra(
                    rows, columns, limit, reverse, matrix, workers
                )
                if matrix_done:
                    return matrix, done
            rechecked = self._by_sweep(rows, columns, limit, reverse, matrix, workers)
            how = "分层图已备好 / the hierarchy is at hand"
            return matrix, Method("sweep", how, rechecked)
        search_rows(self.arcs if not reverse else self.back, rows, columns, limit, matrix, workers)
        return matrix, Method("dijkstra", reason)

    def stream(
        self,
        sources: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        block: int = 64,
        cutoff: float = math.inf,
        reverse: bool = False,
        threads: int | None = None,
    ) -> Iterator[tuple[slice, _Singles]]:
        """Blocks of rows of a matrix that need not fit into memory.

        Parameters
        ----------
        sources, targets : array_like of int
            Nodes, 0 to n - 1; duplicates are allowed.
        block : int, default 64
            Rows at a time; best a multiple of 32 times the number of threads.
        cutoff, reverse, threads
            As in ``matrix``.

        Yields
        ------
        tuple of (slice, ndarray of float32)
            Which rows, and their costs. The array is written over by the next block: copy what is
            to be kept.

        Raises
        ------
        InputError
            As ``matrix``, and for a block below 1. Raised by the call, before the first block.
        """
        rows, columns = self._ends(sources, targets)
        limit = check_cutoff(cutoff)
        if block < 1:
            raise InputError(
                f"block 应至少为 1，实为 {block} / block must be at least 1, not {block}"
            )
        return self._blocks(rows, columns, block, limit, reverse, cpu_threads(threads))

    def _blocks(
        self, rows: _Ints, columns: _Ints, block: int, limit: float, reverse: bool, workers: int
    ) -> Iterator[tuple[slice, _Singles]]:
        held = np.empty((min(block, rows.size), columns.size), np.float32)
        selection: _Selection | None = None
        swept = self.hierarchy is not None and limit >= _SMALLEST_CUTOFF and columns.size > 0
        if swept and rows.size > _NARROW:
            selection = self._select(columns, reverse)
        for begin in range(0, rows.size, block):
            part = slice(begin, min(begin + block, rows.size))
            matrix = held[: part.stop - part.start]
            if swept:
                self._by_sweep(rows[part], columns, limit, reverse, matrix, workers, selection)
            elif columns.size:
                arcs = self.back if reverse else self.arcs
                search_rows(arcs, rows[part], columns, limit, matrix, workers)
            yield part, matrix

    def path(self, source: int, target: int) -> _Ints:
        """Nodes of one shortest trip, both ends included.

        Parameters
        ----------
        source, target : int
            Nodes, 0 to n - 1.

        Returns
        -------
        ndarray of int32
            Nodes on the way; empty where the target cannot be reached.

        Raises
        ------
        InputError
            An end that is no node.
        """
        ends = check_nodes([source, target], self.nodes, "起终点", "ends of the trip")
        near = self._near(int(ends[0]), False)
        if not np.isfinite(near[ends[1]]):
            return np.zeros(0, np.int32)
        before = np.full(self.nodes, -1, np.int32)
        self._fold(int(ends[0]), ends[1:], near, False, before)
        way = [int(ends[1])]
        while way[-1] != ends[0]:
            way.append(int(before[way[-1]]))
        return np.array(way[::-1], np.int32)

    def _ends(self, sources: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[_Ints, _Ints]:
        rows = check_nodes(sources, self.nodes, "起点 sources ", "sources")
        return rows, check_nodes(targets, self.nodes, "终点 targets ", "targets")

    def _try_dijkstra(
        self,
        rows: _Ints,
        columns: _Ints,
        limit: float,
        reverse: bool,
        matrix: _Singles,
        workers: int,
    ) -> tuple[Method, bool]:
        """Search from one source; go on so if few nodes lie within the cutoff."""
        arcs = self.back if reverse else self.arcs
        n = self.nodes
        blocks = -(-rows.size // _WIDE)
        sweep = n * (
            _SETTLE_ONE * rows.size
            if rows.size <= _FEW
            else _SETTLE_SELECT * (rows.size > _NARROW) + _SETTLE_SWEEP * blocks
        )
        most = int(sweep / rows.size)
        if search_rows(arcs, rows[:1], columns, limit, matrix[:1], 1, most) < 0:
            return Method("", ""), False
        if search_rows(arcs, rows[1:], columns, limit, matrix[1:], workers, 4 * most) < 0:
            return Method("", ""), False
        return Method("dijkstra", "时限内节点少 / few nodes lie within the cutoff"), True

    def _down(self, reverse: bool) -> tuple[_Ints, _Ints, _Floats]:
        h = self._built()
        if reverse:
            return h.up_start, h.up_node, h.up_cost
        return h.down_start, h.down_node, h.down_cost

    def _built(self) -> Hierarchy:
        if self.hierarchy is None:  # pragma: no cover - callers have asked
            raise AssertionError("no hierarchy")
        return self.hierarchy

    def _select(self, columns: _Ints, reverse: bool) -> _Selection:
        hierarchy = self._built()
        places = hierarchy.position[columns]
        row_of, start, node, cost = select_rows(places, *self._down(reverse))
        double = int(np.count_nonzero(row_of[: hierarchy.double] >= 0))
        offset = np.zeros(columns.size + _WIDE, np.int64)
        offset[: columns.size] = row_of[places].astype(np.int64) * _WIDE
        return _Selection(row_of, start, node, cost, cost.astype(np.float32), double, offset)

    def _whole(self, columns: _Ints, reverse: bool) -> _Selection:
        """Take the hierarchy as it is: for few sources, restricting it costs more than it saves."""
        hierarchy = self._built()
        start, node, cost = self._down(reverse)
        offset = np.zeros(columns.size + _WIDE, np.int64)
        offset[: columns.size] = hierarchy.position[columns].astype(np.int64) * _NARROW
        all_rows = np.arange(self.nodes, dtype=np.int32)
        return _Selection(
            all_rows, start, node, cost, cost.astype(np.float32), hierarchy.double, offset
        )

    def _limits(self, cutoff: float) -> _Limits:
        infinite = np.float32(np.inf)
        if cutoff == math.inf:
            return _Limits(cutoff, infinite, infinite)
        below = np.float32(min(cutoff, 3e38))
        if float(below) > cutoff:
            below = np.nextafter(below, np.float32(0.0))
        if self.unit and cutoff / self.unit < 2.0**24:
            return _Limits(cutoff, below, below)  # float32 sums up to the cutoff are exact
        with np.errstate(over="ignore"):
            low = np.nextafter(np.float32(cutoff * (1.0 - _SINGLE_ERROR)), np.float32(0.0))
            high = np.nextafter(np.float32(cutoff * (1.0 + _SINGLE_ERROR)), infinite)
        return _Limits(cutoff, low, high)

    def _by_sweep(
        self,
        rows: _Ints,
        columns: _Ints,
        cutoff: float,
        reverse: bool,
        matrix: _Singles,
        workers: int,
        selection: _Selection | None = None,
    ) -> int:
        if rows.size <= _FEW:
            return self._one_by_one(rows, columns, cutoff, reverse, matrix)
        hierarchy = self._built()
        if selection is None:
            choose = self._whole if rows.size <= _NARROW else self._select
            selection = choose(columns, reverse)
            width = _NARROW if rows.size <= _NARROW else _WIDE
        else:
            width = _WIDE
        up_start, up_node, up_cost = self._down(not reverse)
        limits = self._limits(cutoff)
        places = hierarchy.position[rows]
        order = np.argsort(places, kind="stable")  # neighbours side by side share the climb
        lanes = (0,) * width
        count = -(-rows.size // width)
        flat = matrix.reshape(-1)
        unsure = np.zeros(count, np.bool_)
        sel = selection
        height = sel.start.size - 1
        used = min(count, workers)

        def run(worker: int) -> None:
            single = aligned(height * width, np.float32)
            double = aligned(sel.double * width, np.float64)
            reached = np.zeros(height, np.uint8)
            dist = np.full(self.nodes, np.inf)
            queue = np.empty(self.nodes, np.int32)
            settled = np.empty(self.nodes, np.int32)
            for i in range(worker, count, used):
                mine = order[i * width : (i + 1) * width]
                sweep_block(
                    places[mine], lanes, up_start, up_node, up_cost, sel.row_of, sel.start,
                    sel.node, sel.cost, sel.single_cost, sel.double, single, double, reached,
                    dist, queue, settled,
                )  # fmt: skip
                unsure[i] = write_block(
                    single, lanes, sel.offset, columns.size, flat, mine * columns.size,
                    limits.low, limits.high,
                )  # fmt: skip

        in_parallel(run, used, workers)
        if limits.low == limits.high or not unsure.any():
            return 0
        blocks = [order[i * width : (i + 1) * width] for i in np.flatnonzero(unsure)]
        return self._recheck(
            np.concatenate(blocks), rows, columns, limits, reverse, matrix, workers
        )

    def _recheck(
        self,
        doubtful: _Longs,
        rows: _Ints,
        columns: _Ints,
        limits: _Limits,
        reverse: bool,
        matrix: _Singles,
        workers: int,
    ) -> int:
        """Judge costs that float32 cannot tell from the cutoff; return how many there were."""
        rechecked = np.zeros(doubtful.size, np.int64)
        cutoff = limits.cutoff

        def judge(i: int) -> None:
            row = int(doubtful[i])
            costs = matrix[row]
            where = np.flatnonzero((costs > limits.low) & (costs < np.inf))
            if where.size == 0:
                return
            near = self._near(int(rows[row]), reverse)
            within = self._within(int(rows[row]), columns[where], near, cutoff, reverse)
            costs[where] = np.where(
                within, np.minimum(costs[where], np.float32(cutoff)), np.float32(np.inf)
            )
            rechecked[i] = where.size

        in_parallel(judge, doubtful.size, workers)
        return int(rechecked.sum())

    def _one_by_one(
        self, rows: _Ints, columns: _Ints, cutoff: float, reverse: bool, matrix: _Singles
    ) -> int:
        position = self._built().position
        rechecked = 0
        for i, source in enumerate(rows):
            costs = self.swept(int(source), reverse)
            slack = cutoff * _DOUBLE_ERROR if cutoff < math.inf else 0.0
            if pick_row(costs, position, columns, cutoff, slack, matrix[i]) == 0:
                continue
            near = costs[position]
            where = np.flatnonzero(np.abs(near[columns] - cutoff) <= slack)
            within = self._within(int(source), columns[where], near, cutoff, reverse)
            value = np.minimum(near[columns[where]], cutoff).astype(np.float32)
            matrix[i, where] = np.where(within, value, np.float32(np.inf))
            rechecked += where.size
        return rechecked

    def swept(self, source: int, reverse: bool) -> _Floats:
        """Costs in float64 from one source to every node of a graph that contracts.

        Parameters
        ----------
        source : int
            Node.
        reverse : bool
            Whether costs run to the source.

        Returns
        -------
        (n,) ndarray of float64
            Right but for rounding, by position in ``hierarchy``.
        """
        place = int(self._built().position[source])
        return sweep_one(place, *self._down(not reverse), *self._down(reverse))

    def _near(self, source: int, reverse: bool) -> _Floats:
        """Costs from one source to all nodes, right but for rounding in float64."""
        if self.hierarchy is None:
            return search_one(source, *(self.back if reverse else self.arcs))
        return self.swept(source, reverse)[self.hierarchy.position]

    def _within(
        self, source: int, nodes: _Ints, near: _Floats, cutoff: float, reverse: bool
    ) -> npt.NDArray[np.bool_]:
        """Whether costs are within the cutoff, by their float64 sums from the source."""
        value = near[nodes]
        within = value <= cutoff
        if self.unit:
            return within  # sums of whole units are the same in any order
        close = np.flatnonzero(np.abs(value - cutoff) <= cutoff * _DOUBLE_ERROR)
        if close.size:
            before = np.empty(self.nodes, np.int32)
            within[close] = self._fold(source, nodes[close], near, reverse, before) <= cutoff
        return within

    def _fold(
        self, source: int, nodes: _Ints, near: _Floats, reverse: bool, before: _Ints
    ) -> _Floats:
        """Float64 costs of some trips as Dijkstra's algorithm would sum them."""
        arcs, back = (self.back, self.arcs) if reverse else (self.arcs, self.back)
        n = self.nodes
        dist = np.full(n, np.inf)
        chosen = np.zeros(n, np.bool_)
        key = np.empty(arcs.head.size + 2)
        item = np.empty(arcs.head.size + 2, np.int32)
        touched = np.empty(n, np.int32)
        costs = np.empty(nodes.size)
        for i, node in enumerate(nodes):
            slack = float(near[node]) * _DOUBLE_ERROR
            costs[i] = along_shortest(
                source, int(node), near, slack, *arcs, *back, dist, before, chosen, key, item,
                touched,
            )  # fmt: skip
        return costs
