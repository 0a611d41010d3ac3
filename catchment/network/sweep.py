"""Restricted downward sweeps over a hierarchy, many sources side by side (RPHAST)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from catchment.network.native import native

_Ints = npt.NDArray[np.int32]
_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Bytes = npt.NDArray[np.uint8]

# Code written for the vector registers of whatever processor compiles it.
_in_registers: Callable[[Callable[..., Any]], Any] = intrinsic


@_in_registers
def _relax_row(
    typingctx: Any,
    rows: Any,
    row: Any,
    first: Any,
    last: Any,
    node: Any,
    cost: Any,
    fresh: Any,
    lanes: Any,
) -> Any:
    """Take the minimum of a row and of the rows its arcs come from, in vector registers.

    A row holds one number for each of ``len(lanes)`` sources; ``lanes`` is a tuple so that its
    length is known when this is compiled. With ``fresh`` the row counts as unreached, whatever
    it holds. Plain loops leave the row in memory between arcs and cost three times as much.
    """
    number = rows.dtype
    width = lanes.count
    signature = types.void(
        rows, types.intp, types.intp, types.intp, node, cost, types.boolean, lanes
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        row_data = context.make_array(kinds[0])(context, builder, args[0]).data
        node_data = context.make_array(kinds[4])(context, builder, args[4]).data
        cost_data = context.make_array(kinds[5])(context, builder, args[5]).data
        scalar = context.get_value_type(number)
        vector = ir.VectorType(scalar, width)
        whole = context.get_value_type(types.intp)
        step = ir.Constant(whole, width)
        align = number.bitwidth // 8
        infinite = ir.Constant(vector, [ir.Constant(scalar, float("inf"))] * width)
        place = builder.bitcast(
            builder.gep(row_data, [builder.mul(args[1], step)]), vector.as_pointer()
        )
        entry = builder.block
        held = builder.append_basic_block("held")
        head = builder.append_basic_block("head")
        body = builder.append_basic_block("body")
        done = builder.append_basic_block("done")
        unreached = builder.icmp_unsigned("!=", args[6], ir.Constant(args[6].type, 0))
        builder.cbranch(unreached, head, held)
        builder.position_at_end(held)
        before = builder.load(place, align=align)
        builder.branch(head)
        builder.position_at_end(head)
        arc = builder.phi(whole)
        best = builder.phi(vector)
        arc.add_incoming(args[2], entry)
        arc.add_incoming(args[2], held)
        best.add_incoming(infinite, entry)
        best.add_incoming(before, held)
        builder.cbranch(builder.icmp_signed("<", arc, args[3]), body, done)
        builder.position_at_end(body)
        origin = builder.sext(builder.load(builder.gep(node_data, [arc])), whole)
        single = builder.load(builder.gep(cost_data, [arc]))
        lane = builder.insert_element(
            ir.Constant(vector, ir.Undefined), single, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
        spread = builder.shuffle_vector(lane, ir.Constant(vector, ir.Undefined), zeros)
        source = builder.bitcast(
            builder.gep(row_data, [builder.mul(origin, step)]), vector.as_pointer()
        )
        reach = builder.fadd(builder.load(source, align=align), spread)
        better = builder.select(builder.fcmp_ordered("<", reach, best), reach, best)
        arc.add_incoming(builder.add(arc, ir.Constant(whole, 1)), body)
        best.add_incoming(better, body)
        builder.branch(head)
        builder.position_at_end(done)
        builder.store(best, place, align=align)
        return context.get_dummy_value()

    return signature, generate


@native
def select_rows(
    places: _Ints, start: _Ints, node: _Ints, cost: _Floats
) -> tuple[_Ints, _Ints, _Ints, _Floats]:
    """Keep what can matter for the targets: row of each position (-1: none) and the arcs kept.

    Parameters
    ----------
    places : ndarray of int32
        Positions of the targets.
    start : (n + 1,) ndarray of int32
        Where the arcs of each position begin.
    node : (a,) ndarray of int32
        Other end of each arc.
    cost : (a,) ndarray of float64
        Cost of each arc.

    Returns
    -------
    tuple of ndarray
        Row of each position (-1: none), then the arcs kept: where those of each row begin, the row
        they come from, and costs.
    """
    n = start.size - 1
    row_of = np.full(n, -1, np.int32)
    for i in range(places.size):
        row_of[places[i]] = 0
    rows = 0
    arcs = 0
    for v in range(n - 1, -1, -1):
        if row_of[v] >= 0:
            rows += 1
            arcs += start[v + 1] - start[v]
            for e in range(start[v], start[v + 1]):
                row_of[node[e]] = 0
    kept_start = np.zeros(rows + 1, np.int32)
    kept_node = np.empty(arcs, np.int32)
    kept_cost = np.empty(arcs, np.float64)
    row = 0
    filled = 0
    for v in range(n):
        if row_of[v] >= 0:
            row_of[v] = row
            for e in range(start[v], start[v + 1]):
                kept_node[filled] = row_of[node[e]]
                kept_cost[filled] = cost[e]
                filled += 1
            row += 1
            kept_start[row] = filled
    return row_of, kept_start, kept_node, kept_cost


@native
def _climb(
    source: int,
    start: _Ints,
    node: _Ints,
    cost: _Floats,
    dist: _Floats,
    queue: _Ints,
    settled: _Ints,
) -> int:
    """Search upward; positions settled, in falling order, are returned with their dist set.

    All upward arcs lead to lower positions, so the highest waiting position is final, whatever
    its distance.
    """
    count = 0
    size = 1
    queue[0] = source
    dist[source] = 0.0
    while size > 0:
        v = queue[0]
        size -= 1
        x = queue[size]
        at = 0
        while True:
            below = 2 * at + 1
            if below >= size:
                break
            if below + 1 < size and queue[below + 1] > queue[below]:
                below += 1
            if queue[below] <= x:
                break
            queue[at] = queue[below]
            at = below
        queue[at] = x
        settled[count] = v
        count += 1
        k = dist[v]
        for e in range(start[v], start[v + 1]):
            u = node[e]
            reach = k + cost[e]
            if reach < dist[u]:
                if dist[u] == np.inf:
                    at = size
                    size += 1
                    while at > 0:
                        above = (at - 1) >> 1
                        if queue[above] >= u:
                            break
                        queue[at] = queue[above]
                        at = above
                    queue[at] = u
                dist[u] = reach
    return count


@native
def sweep_block(
    sources: _Ints,
    lanes: Any,
    up_start: _Ints,
    up_node: _Ints,
    up_cost: _Floats,
    row_of: _Ints,
    start: _Ints,
    node: _Ints,
    cost: _Floats,
    single_cost: _Singles,
    double: int,
    rows: _Singles,
    double_rows: _Floats,
    reached: _Bytes,
    dist: _Floats,
    queue: _Ints,
    settled: _Ints,
) -> None:
    """Fill ``rows`` (row, lane) with costs from up to ``len(lanes)`` sources.

    Parameters
    ----------
    sources : ndarray of int32
        Positions, at most ``len(lanes)``.
    lanes : tuple of int
        As long as a row; its values do not matter.
    up_start, up_node, up_cost : ndarray
        Upward arcs by position.
    row_of : (n,) ndarray of int32
        Row of each position; -1 for none.
    start, node, cost : ndarray
        Downward arcs by row.
    single_cost : ndarray of float32
        The same costs.
    double : int
        Rows below it are summed in float64.
    rows : (rows * lanes,) ndarray of float32
        Written: costs by row and lane.
    double_rows : (double * lanes,) ndarray of float64
        Room.
    reached : (rows,) ndarray of uint8
        Room; 0 before and after.
    dist : (n,) ndarray of float64
        Room; inf before and after.
    queue, settled : (n,) ndarray of int32
        Room.
    """
    width = len(lanes)
    count = start.size - 1
    for lane in range(sources.size):
        found = _climb(sources[lane], up_start, up_node, up_cost, dist, queue, settled)
        for i in range(found):
            v = settled[i]
            value = dist[v]
            dist[v] = np.inf
            row = row_of[v]
            if row >= 0:
                if row < double:
                    if reached[row] == 0:
                        reached[row] = 1
                        for j in range(width):
                            double_rows[row * width + j] = np.inf
                    double_rows[row * width + lane] = value
                else:
                    if reached[row] == 0:
                        reached[row] = 1
                        for j in range(width):
                            rows[row * width + j] = np.inf
                    rows[row * width + lane] = value
    for row in range(double):
        _relax_row(
            double_rows, row, start[row], start[row + 1], node, cost, reached[row] == 0, lanes
        )
        reached[row] = 0
    for i in range(min(double, count) * width if rows.size > 0 else 0):
        rows[i] = double_rows[i]
    for row in range(double, count):
        _relax_row(
            rows, row, start[row], start[row + 1], node, single_cost, reached[row] == 0, lanes
        )
        reached[row] = 0


_TILE = 16


@_in_registers
def _turn_tile(
    typingctx: Any,
    rows: Any,
    offset: Any,
    first: Any,
    lane: Any,
    out: Any,
    out_offset: Any,
    column: Any,
    low: Any,
    high: Any,
) -> Any:
    """Write 16 targets of 16 sources, transposed in registers; nonzero if any cost is unsure.

    Row ``first + i`` of the 16 begins at ``offset[first + i] + lane`` in ``rows``, and goes to
    ``out_offset[lane + j] + column + i`` in ``out`` for each lane ``j``. Sixteen more entries of
    ``offset`` must follow: their rows are fetched in advance.
    """
    signature = types.int64(
        rows, offset, types.intp, types.intp, out, out_offset, types.intp,
        types.float32, types.float32,
    )  # fmt: skip

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args

        def data(number: int) -> Any:
            return context.make_array(kinds[number])(context, builder, args[number]).data

        row_data, offsets, out_data, out_offsets = data(0), data(1), data(4), data(5)
        whole = context.get_value_type(types.intp)
        index = ir.IntType(32)
        scalar = ir.FloatType()
        vector = ir.VectorType(scalar, _TILE)

        def at(base: Any, position: Any, plus: int) -> Any:
            place = builder.add(position, ir.Constant(whole, plus))
            return builder.load(builder.gep(base, [place]))

        byte = ir.IntType(8).as_pointer()
        fetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, index, index, index])
        )
        block = []
        for i in range(_TILE):
            place = builder.gep(row_data, [builder.add(at(offsets, args[2], i), args[3])])
            block.append(builder.load(builder.bitcast(place, vector.as_pointer()), align=4))
            later = builder.gep(row_data, [builder.add(at(offsets, args[2], i + _TILE), args[3])])
            builder.call(
                fetch,
                [
                    builder.bitcast(later, byte),
                    ir.Constant(index, 0),
                    ir.Constant(index, 3),
                    ir.Constant(index, 1),
                ],
            )
        half = _TILE // 2
        masks = [
            ir.Constant(
                ir.VectorType(index, _TILE),
                [(base + k // 2) + (_TILE if k % 2 else 0) for k in range(_TILE)],
            )
            for base in (0, half)
        ]
        # Four perfect shuffles of sixteen registers are a transposition.
        for _ in range(4):
            block = [
                builder.shuffle_vector(block[i // 2], block[i // 2 + half], masks[i % 2])
                for i in range(_TILE)
            ]

        def spread(value: Any) -> Any:
            lane = builder.insert_element(
                ir.Constant(vector, ir.Undefined), value, ir.Constant(index, 0)
            )
            zeros = ir.Constant(ir.VectorType(index, _TILE), [0] * _TILE)
            return builder.shuffle_vector(lane, ir.Constant(vector, ir.Undefined), zeros)

        infinite = ir.Constant(vector, [ir.Constant(scalar, float("inf"))] * _TILE)
        lowest, highest = spread(args[7]), spread(args[8])
        unsure = ir.Constant(ir.VectorType(ir.IntType(1), _TILE), [0] * _TILE)
        for j in range(_TILE):
            within = builder.fcmp_ordered("<=", block[j], highest)
            kept = builder.select(within, block[j], infinite)
            doubt = builder.and_(
                builder.fcmp_ordered(">", kept, lowest),
                builder.fcmp_ordered("<", kept, infinite),
            )
            unsure = builder.or_(unsure, doubt)
            place = builder.add(at(out_offsets, args[3], j), args[6])
            builder.store(
                kept,
                builder.bitcast(builder.gep(out_data, [place]), vector.as_pointer()),
                align=4,
            )
        return builder.zext(builder.bitcast(unsure, ir.IntType(_TILE)), ir.IntType(64))

    return signature, generate


@native
def write_block(
    rows: Any,
    lanes: Any,
    offset: npt.NDArray[np.int64],
    targets: int,
    out: _Singles,
    out_offset: npt.NDArray[np.int64],
    low: np.float32,
    high: np.float32,
) -> bool:
    """Turn (row, lane) into (source, target); tell whether a cost is too near the cutoff.

    Parameters
    ----------
    rows : ndarray of float32
        Costs by row and lane.
    lanes : tuple of int
        As long as a row.
    offset : (targets + 32,) ndarray of int64
        Where the row of each target begins in ``rows``; zeros at the end.
    targets : int
        How many.
    out : ndarray of float32
        Written: the matrix, flat.
    out_offset : ndarray of int64
        Where the row of each source begins in ``out``.
    low, high : float32
        Costs up to ``low`` are within the cutoff and costs above ``high`` beyond it for certain.

    Returns
    -------
    bool
        Whether a cost lies between.
    """
    sources = out_offset.size
    full_targets = targets - targets % _TILE
    full_sources = sources - sources % _TILE if len(lanes) >= _TILE else 0
    unsure = False
    for begin in range(0, full_targets, _TILE):
        for lane in range(0, full_sources, _TILE):
            if _turn_tile(rows, offset, begin, lane, out, out_offset, begin, low, high) != 0:
                unsure = True
    infinite = np.float32(np.inf)
    for begin in range(0, targets, _TILE):
        end = min(begin + _TILE, targets)
        for lane in range(full_sources if begin < full_targets else 0, sources):
            to = out_offset[lane]
            for j in range(begin, end):
                value = np.float32(rows[offset[j] + lane])
                if value > low:
                    if value > high:
                        value = infinite
                    elif value < infinite:
                        unsure = True
                out[to + j] = value
    return unsure


@native
def sweep_one(
    source: int,
    up_start: _Ints,
    up_node: _Ints,
    up_cost: _Floats,
    start: _Ints,
    node: _Ints,
    cost: _Floats,
) -> _Floats:
    """Costs in float64 from one source to every position.

    Parameters
    ----------
    source : int
        Position.
    up_start, up_node, up_cost : ndarray
        Upward arcs by position.
    start, node, cost : ndarray
        Downward arcs by position.

    Returns
    -------
    (n,) ndarray of float64
        Costs by position; inf where unreachable.
    """
    n = start.size - 1
    dist = np.full(n, np.inf, np.float64)
    _climb(source, up_start, up_node, up_cost, dist, np.empty(n, np.int32), np.empty(n, np.int32))
    e = start[0]
    for v in range(n):
        best = dist[v]
        last = start[v + 1]
        while e < last:
            reach = dist[node[e]] + cost[e]
            best = reach if reach < best else best
            e += 1
        dist[v] = best
    return dist


@native
def pick_row(
    costs: _Floats, position: _Ints, targets: _Ints, cutoff: float, slack: float, out: _Singles
) -> int:
    """Write costs by position to a row of targets; return how many are too near the cutoff.

    Parameters
    ----------
    costs : (n,) ndarray of float64
        Costs by position.
    position : (n,) ndarray of int32
        Position of each node.
    targets : ndarray of int32
        Nodes.
    cutoff : float
        Costs above it are written as inf.
    slack : float
        Costs no farther than this from the cutoff are too near.
    out : ndarray of float32
        Written: costs of the targets.

    Returns
    -------
    int
        How many are too near.
    """
    infinite = np.float32(np.inf)
    unsure = 0
    for j in range(targets.size):
        value = costs[position[targets[j]]]
        if abs(value - cutoff) <= slack:
            unsure += 1
        out[j] = np.float32(value) if value <= cutoff else infinite
    return unsure
