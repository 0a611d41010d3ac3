"""The ways themselves: which stretches of which segments a trip goes along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.network.arcs import check_arcs
from catchment.network.graph import RoadNetwork, directed_arcs, lengths
from catchment.network.snap import Attachments
from catchment.network.trees import trees

_BLOCK = 16

_Floats = npt.NDArray[np.float64]
_Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Routes:
    """Shortest ways of p pairs, as stretches of segments in the order travelled.

    Attributes
    ----------
    first : (p + 1,) int64
        Where the stretches of each way begin; none = no way, or both ends at one place.
    segment : (s,) int64
        Segment of each stretch.
    begin, end : (s,) float64
        Fractions of the segment where the stretch begins and ends; begin > end = from its head.
    cost : (p,) float64
        Cost along the roads; inf = no way.
    metres : (p,) float64
        Metres along the roads; inf = no way.
    """

    first: _Longs
    segment: _Longs
    begin: _Floats
    end: _Floats
    cost: _Floats
    metres: _Floats


def trace(
    network: RoadNetwork,
    forward: _Floats,
    backward: _Floats,
    at: Attachments,
    homes: npt.ArrayLike,
    places: npt.ArrayLike,
) -> Routes:
    """Follow the shortest way of every pair, as ``door_to_door`` reckons it.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    forward, backward : (e,) float64
        Cost of each segment from tail to head and back, > 0; inf = not usable.
    at : Attachments
        Where points join the roads.
    homes, places : (p,) array-like of int
        Position in ``at`` of both ends of each pair.

    Returns
    -------
    Routes
        One way a pair.
    """
    start, goal = np.asarray(homes, dtype=np.int64), np.asarray(places, dtype=np.int64)
    p = len(start)
    cost = np.full(p, np.inf)
    parts = _Parts()
    if p and len(network.tail):
        search = _Search(network, forward, backward)
        wanted = np.unique(goal[(at.segment[start] >= 0) & (at.segment[goal] >= 0)])
        for block in range(0, len(wanted), _BLOCK):
            search.root(at, wanted[block : block + _BLOCK])
            for place in wanted[block : block + _BLOCK]:
                rows = np.flatnonzero((goal == place) & (at.segment[start] >= 0))
                cost[rows] = search.follow(at, start[rows], int(place), rows, parts)
    row, order, segment, begin, end = parts.together()
    ranked = np.lexsort((order, row))
    row, segment, begin, end = row[ranked], segment[ranked], begin[ranked], end[ranked]
    first = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=p))]).astype(np.int64)
    travelled = np.abs(end - begin) * lengths(network)[segment] if len(segment) else np.zeros(0)
    metres = np.bincount(row, weights=travelled, minlength=p).astype(np.float64)
    metres[~np.isfinite(cost)] = np.inf
    return Routes(first, segment, begin, end, cost, metres)


def ends_of(
    network: RoadNetwork, forward: _Floats, backward: _Floats, at: Attachments, place: int
) -> list[tuple[int, float, float]]:
    """List the junctions from which a place is reached without passing another.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    forward, backward : (e,) float64
        Cost of each segment from tail to head and back, > 0; inf = not usable.
    at : Attachments
        Where points join the roads.
    place : int
        Position in ``at`` of the place.

    Returns
    -------
    list of (int, float, float)
        Junction, cost from it to the place, and the fraction of the place's segment at which the
        junction lies (0 or 1); none where the place joins no road.
    """
    s, f = int(at.segment[place]), float(at.fraction[place])
    found: list[tuple[int, float, float]] = []
    if s < 0:
        return found
    for node, share, cost, end in (
        (network.tail[s], f, forward[s], 0.0),
        (network.head[s], 1.0 - f, backward[s], 1.0),
    ):
        last = 0.0 if share == 0.0 else share * float(cost)
        if np.isfinite(last):
            found.append((int(node), last, end))
    return found


def stretch_shape(network: RoadNetwork, segment: int, begin: float, end: float) -> _Floats:
    """Draw a stretch of a segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads.
    segment : int
        Segment.
    begin, end : float
        Fractions where it begins and ends, 0 to 1; begin > end = from its head.

    Returns
    -------
    (c, 2) float64
        Vertices in the order travelled, metres; at least two.
    """
    xy = network.shape[network.offsets[segment] : network.offsets[segment + 1]]
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*(xy[1:] - xy[:-1]).T))])
    low, high = min(begin, end) * run[-1], max(begin, end) * run[-1]
    inner = xy[(run > low) & (run < high)]
    ends = np.column_stack([np.interp([low, high], run, xy[:, k]) for k in (0, 1)])
    drawn = np.vstack([ends[:1], inner, ends[1:]])
    return drawn if begin <= end else drawn[::-1]


class _Parts:
    """Stretches gathered row by row, not yet in order."""

    def __init__(self) -> None:
        self._held: list[tuple[_Longs, _Longs, _Longs, _Floats, _Floats]] = []

    def add(
        self, row: _Longs, order: int, segment: npt.ArrayLike, begin: _Floats, end: _Floats
    ) -> None:
        moved = begin != end
        where = np.broadcast_to(np.asarray(segment, dtype=np.int64), row.shape)
        step = np.full(int(moved.sum()), order, dtype=np.int64)
        self._held.append((row[moved], step, where[moved], begin[moved], end[moved]))

    def together(self) -> tuple[_Longs, _Longs, _Longs, _Floats, _Floats]:
        if not self._held:
            none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
            return none, none, none, nothing, nothing
        row, order, segment, begin, end = (np.concatenate(c) for c in zip(*self._held, strict=True))
        return row, order, segment, begin, end


class _Search:
    """Trees of shortest ways towards places."""

    def __init__(self, network: RoadNetwork, forward: _Floats, backward: _Floats) -> None:
        self.network, self.forward, self.backward = network, forward, backward
        indptr, indices, weight, self._segment = directed_arcs(network, forward, backward)
        self._k = len(network.x)
        self._arcs = check_arcs(indptr, indices, weight)
        self._length = lengths(network)[self._segment]
        self._pair = np.repeat(np.arange(self._k, dtype=np.int64), np.diff(indptr)) * self._k
        self._pair = self._pair + indices
        self.rank: dict[int, int] = {}
        self.cost, self._onward = np.zeros((0, self._k)), np.zeros((0, self._k), dtype=np.int32)

    def ends(self, at: Attachments, place: int) -> list[tuple[int, float, float]]:
        """Nodes from which a place is reached at once: node, cost and fraction of that end."""
        return ends_of(self.network, self.forward, self.backward, at, place)

    def root(self, at: Attachments, places: _Longs) -> None:
        """Grow the trees of some places."""
        nodes = sorted({node for place in places for node, _, _ in self.ends(at, int(place))})
        self.rank = {node: k for k, node in enumerate(nodes)}
        if nodes:
            self.cost, _, self._onward = trees(self._arcs, self._length, nodes, reverse=True)

    def follow(
        self, at: Attachments, start: _Longs, place: int, rows: _Longs, parts: _Parts
    ) -> _Floats:
        """Add the stretches of the ways from some points to a place; returns their costs."""
        network = self.network
        s, f = at.segment[start], at.fraction[start]
        best = np.full(len(start), np.inf)
        out_by, in_by = np.full(len(start), -1), np.full(len(start), -1)
        goal = self.ends(at, place)
        leave = (
            (network.tail[s].astype(np.int64), _share(f, self.backward[s])),
            (network.head[s].astype(np.int64), _share(1.0 - f, self.forward[s])),
        )
        # The order of trial is that of door_to_door, so that ties fall alike.
        for q, (node, last, _) in enumerate(goal):
            tree = self.cost[self.rank[node]]
            for p, (first, cost) in enumerate(leave):
                through = tree[first] + cost + last
                better = through < best
                best = np.where(better, through, best)
                out_by, in_by = np.where(better, p, out_by), np.where(better, q, in_by)
        s1, f1 = int(at.segment[place]), float(at.fraction[place])
        ahead = f1 - f
        way = np.where(ahead >= 0, self.forward[s1], self.backward[s1])
        straight = np.where(s == s1, _share(np.abs(ahead), way), np.inf)
        direct = straight < best
        best = np.where(direct, straight, best)
        parts.add(rows[direct], 0, s1, f[direct], np.full(int(direct.sum()), f1))
        for q, (node, _, end) in enumerate(goal):
            mine = np.flatnonzero(~direct & (in_by == q) & np.isfinite(best))
            by = out_by[mine].astype(np.float64)
            parts.add(rows[mine], 0, s[mine], f[mine], by)
            here = np.where(by == 0, leave[0][0][mine], leave[1][0][mine])
            steps = self._walk(self.rank[node], here, rows[mine], parts)
            parts.add(rows[mine], steps, s1, np.full(len(mine), end), np.full(len(mine), f1))
        return best

    def _walk(self, tree: int, node: _Longs, rows: _Longs, parts: _Parts) -> int:
        """Go from junction to junction towards the root, all rows side by side."""
        onward, order = self._onward[tree], 1
        while len(node):
            ahead = onward[node].astype(np.int64)
            moving = ahead >= 0
            node, ahead, rows = node[moving], ahead[moving], rows[moving]
            segment = self._segment[np.searchsorted(self._pair, node * self._k + ahead)]
            along = self.network.tail[segment] == node
            parts.add(rows, order, segment, np.where(along, 0.0, 1.0), np.where(along, 1.0, 0.0))
            node, order = ahead, order + 1
        return order


def _share(share: _Floats, cost: _Floats) -> _Floats:
    """Cost of a share of a segment: at a junction nothing, even of one that may not be used."""
    with np.errstate(invalid="ignore"):
        part = np.where(share == 0.0, 0.0, share * cost)
    return np.where(np.isnan(part), np.inf, part)
