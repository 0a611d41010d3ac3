"""Attach points to the nearest road: where on which segment, and how far the walk to it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from catchment.network.graph import SHORTEST_M, RoadNetwork, components, lengths


@dataclass(frozen=True)
class Attachments:
    """Where points meet the road network.

    Attributes
    ----------
    segment : (p,) int64
        Segment of the network; -1 = not attached.
    fraction : (p,) float64
        Position along the segment, 0 = tail, 1 = head; nan where not attached.
    walk_m : (p,) float64
        Straight walk to that position, metres; inf where not attached.
    x, y : (p,) float64
        The position on the road, metres in the network's CRS; nan where not attached.
    nearest_m : (p,) float64
        Distance to the nearest road of the mask, within the limit or not; inf where there is none.
    beyond_limit : (p,) bool
        Whether the nearest road is farther than the limit (or the point has no place).
    moved : (p,) bool
        Whether the point was attached past a nearer fragment of road that is cut off.
    """

    segment: npt.NDArray[np.int64]
    fraction: npt.NDArray[np.float64]
    walk_m: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    nearest_m: npt.NDArray[np.float64]
    beyond_limit: npt.NDArray[np.bool_]
    moved: npt.NDArray[np.bool_]


def coordinates(
    geometry: npt.ArrayLike,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Read the coordinates of points; of rows without a point, nan.

    Parameters
    ----------
    geometry : (p,) array-like of Point
        Points; None, empty points and other shapes count as no place.

    Returns
    -------
    x, y : (p,) float64
        Coordinates.
    """
    shapes = np.asarray(geometry, dtype=object)
    x, y = np.full(len(shapes), np.nan), np.full(len(shapes), np.nan)
    there = (shapely.get_type_id(shapes) == 0) & ~shapely.is_empty(shapes)
    x[there], y[there] = shapely.get_x(shapes[there]), shapely.get_y(shapes[there])
    return x, y


def attach(
    network: RoadNetwork,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    allowed: npt.NDArray[np.bool_],
    limit_m: float = 2000.0,
    extra_m: float = 200.0,
    fragment_m: float = 1000.0,
    preferred: npt.NDArray[np.bool_] | None = None,
) -> Attachments:
    """Attach points to the nearest allowed segment, past mere fragments of road if need be.

    A point whose nearest road is a fragment (cut off from the largest part of the network, and
    less than ``fragment_m`` of road in all) is attached to the nearest road that is none, where
    that is at most ``extra_m`` farther away and within the limit. A longer part that is cut off,
    such as the roads beyond a river without a bridge, keeps its points: that they cannot get away
    is a result. Among roads equally near, the first segment is taken; a position within 0.01 m of
    an end of a segment is that end.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    x, y : (p,) array-like of float
        Points in the network's CRS, metres; nan = no place.
    allowed : (e,) bool
        Segments a point may be attached to.
    limit_m : float, default 2000
        Farthest distance, metres, > 0.
    extra_m : float, default 200
        Extra distance allowed to reach the preferred segments, metres; 0 = nearest road always.
    fragment_m : float, default 1000
        Separate parts of at least this much road are no fragments, metres.
    preferred : (e,) bool, optional
        Segments that belong to no fragment, where the caller knows better.

    Returns
    -------
    Attachments
        One row a point.

    Raises
    ------
    ValueError
        When ``limit_m`` is not positive or ``extra_m`` is negative.
    """
    if not limit_m > 0 or not extra_m >= 0:
        raise ValueError(f"limit_m = {limit_m}, extra_m = {extra_m}")
    px = np.asarray(x, dtype=np.float64)
    py = np.asarray(y, dtype=np.float64)
    placed = np.flatnonzero(np.isfinite(px) & np.isfinite(py))
    points: npt.NDArray[np.object_] = np.atleast_1d(
        np.asarray(shapely.points(np.column_stack([px[placed], py[placed]])), dtype=object)
    )
    pieces = _Pieces.of(network, allowed)
    piece, nearest = pieces.nearest(points, limit_m)
    if preferred is None:
        preferred = whole_parts(network, allowed, fragment_m)
    moved = np.zeros(len(placed), dtype=np.bool_)
    if extra_m > 0 and len(pieces.segment):
        minor = np.flatnonzero((piece >= 0) & ~preferred[pieces.segment[piece]])
        inside = np.flatnonzero(preferred[pieces.segment])
        if len(minor) and len(inside):
            main = pieces.take(inside)
            other, distance = main.nearest(points[minor], limit_m)
            better = (other >= 0) & (distance <= nearest[minor] + extra_m)
            piece[minor[better]] = inside[other[better]]
            moved[minor[better]] = True
    far = np.flatnonzero(piece < 0)
    if len(far) and len(pieces.segment):
        _, nearest[far] = pieces.nearest(points[far], None)
    return _attachments(pieces, piece, nearest, moved, placed, px, py)


def whole_parts(
    network: RoadNetwork,
    allowed: npt.NDArray[np.bool_],
    fragment_m: float,
    labels: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[np.bool_]:
    """Tell the segments of real parts of the network from those of mere fragments.

    Parameters
    ----------
    network : RoadNetwork
        Roads with k nodes and e segments.
    allowed : (e,) bool
        Segments that count.
    fragment_m : float
        Parts of at least this much road are no fragments, metres; the largest part never is.
    labels : (k,) int32, optional
        Part of each node, 0 = the largest; parts connected by ``allowed`` when left out.

    Returns
    -------
    (e,) bool
        Segments with both ends in one part that is no fragment.
    """
    if labels is None:
        labels, _ = components(network, allowed)
    tail, head = labels[network.tail], labels[network.head]
    inside = allowed & (tail == head) & (tail >= 0)
    metres = np.bincount(tail[inside], weights=lengths(network)[inside], minlength=1)
    whole = metres >= fragment_m
    whole[0] = True
    return np.asarray(inside & whole[np.minimum(np.maximum(tail, 0), len(whole) - 1)])


@dataclass(frozen=True)
class _Pieces:
    """Straight pieces of the allowed segments: small boxes, so that the tree is quick."""

    segment: npt.NDArray[np.int64]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    along: npt.NDArray[np.float64]  # metres from the tail to the start of the piece
    total: npt.NDArray[np.float64]  # length of the whole segment's shape

    @staticmethod
    def of(network: RoadNetwork, allowed: npt.NDArray[np.bool_]) -> _Pieces:
        sizes = np.diff(network.offsets)
        segment = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        first = np.ones(len(segment), dtype=np.bool_)
        first[1:] = segment[1:] != segment[:-1]
        at = np.flatnonzero(~first & allowed[segment])
        step = np.zeros(len(segment))
        step[1:] = np.hypot(*(network.shape[1:] - network.shape[:-1]).T)
        step[first] = 0.0
        run = np.cumsum(step)
        begin = run[network.offsets[:-1]]
        total = run[network.offsets[1:] - 1] - begin
        mine = segment[at]
        return _Pieces(
            segment=mine,
            start=network.shape[at - 1],
            end=network.shape[at],
            along=run[at - 1] - begin[mine],
            total=total[mine],
        )

    def take(self, which: npt.NDArray[np.int64]) -> _Pieces:
        return _Pieces(
            self.segment[which],
            self.start[which],
            self.end[which],
            self.along[which],
            self.total[which],
        )

    def nearest(
        self, points: npt.NDArray[np.object_], limit_m: float | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """First of the nearest pieces of each point (-1 = none) and its distance."""
        piece = np.full(len(points), -1, dtype=np.int64)
        distance = np.full(len(points), np.inf)
        if not len(self.segment) or not len(points):
            return piece, distance
        lines: npt.NDArray[np.object_] = np.asarray(
            shapely.linestrings(np.stack([self.start, self.end], axis=1))
        )
        tree = shapely.STRtree(lines)
        (who, which), metres = tree.query_nearest(
            points, max_distance=limit_m, return_distance=True, all_matches=True
        )
        order = np.lexsort((which, who))
        who, which, metres = who[order], which[order], metres[order]
        first = np.ones(len(who), dtype=np.bool_)
        first[1:] = who[1:] != who[:-1]
        piece[who[first]] = which[first]
        distance[who[first]] = metres[first]
        return piece, distance


def _attachments(
    pieces: _Pieces,
    piece: npt.NDArray[np.int64],
    nearest: npt.NDArray[np.float64],
    moved: npt.NDArray[np.bool_],
    placed: npt.NDArray[np.int64],
    px: npt.NDArray[np.float64],
    py: npt.NDArray[np.float64],
) -> Attachments:
    count = len(px)
    segment = np.full(count, -1, dtype=np.int64)
    fraction, at_x, at_y = (np.full(count, np.nan) for _ in range(3))
    walk_m, near = np.full(count, np.inf), np.full(count, np.inf)
    was_moved = np.zeros(count, dtype=np.bool_)
    near[placed] = nearest
    on = np.flatnonzero(piece >= 0)
    who, which = placed[on], piece[on]
    start, end = pieces.start[which], pieces.end[which]
    span = end - start
    size = np.hypot(span[:, 0], span[:, 1])
    offset = np.column_stack([px[who], py[who]]) - start
    share = np.clip((offset * span).sum(axis=1) / np.maximum(size, 1e-12) ** 2, 0.0, 1.0)
    share[size == 0] = 0.0
    total = pieces.total[which]
    along = pieces.along[which] + share * size
    part = along / np.maximum(total, 1e-12)
    at_tail = along < SHORTEST_M
    part = np.where(at_tail, 0.0, np.where(total - along < SHORTEST_M, 1.0, part))
    spot = start + share[:, None] * span
    segment[who] = pieces.segment[which]
    fraction[who] = part
    at_x[who], at_y[who] = spot[:, 0], spot[:, 1]
    walk_m[who] = np.hypot(px[who] - spot[:, 0], py[who] - spot[:, 1])
    was_moved[placed] = moved
    return Attachments(segment, fraction, walk_m, at_x, at_y, near, segment < 0, was_moved)
