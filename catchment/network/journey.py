"""Costs between points on segments: partial segments at both ends, shortest paths between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from catchment.network.arcs import check_arcs
from catchment.network.graph import RoadNetwork, directed_arcs, lengths
from catchment.network.prepared import PreparedNetwork
from catchment.network.shortest import prepare, travel_matrix
from catchment.network.snap import Attachments
from catchment.network.trees import cost_and_measure

# From so many junctions on it pays to prepare a network for trips with metres, unless it is small.
_PREPARE_FROM = 150
_PREPARE_NODES = 3000

Prepare = Callable[
    [npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]], PreparedNetwork
]
"""Prepares a graph in CSR form, as ``prepare`` of ``shortest`` or one that remembers."""


class Search(Protocol):
    """What searches the roads: ``door_to_door``, or one that remembers what it found."""

    def __call__(
        self,
        network: RoadNetwork,
        forward: npt.NDArray[np.float64],
        backward: npt.NDArray[np.float64],
        at: Attachments,
        homes: slice,
        places: slice,
        metres: bool,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """As ``door_to_door``."""


def door_to_door(
    network: RoadNetwork,
    forward: npt.NDArray[np.float64],
    backward: npt.NDArray[np.float64],
    at: Attachments,
    homes: slice,
    places: slice,
    metres: bool,
    *,
    prepare: Prepare = prepare,
    prepare_from: int = _PREPARE_FROM,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Cost from every home to every place along the roads, and the metres of that path.

    The cost between two points is the least over the ends of their segments that may be used, plus
    the parts of the segments travelled, and over the direct way where both lie on one segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    forward, backward : (e,) float64
        Cost of each segment from tail to head and back, > 0; inf = not usable.
    at : Attachments
        Where all points meet the roads.
    homes, places : slice
        Which of them are n origins and m destinations.
    metres : bool
        True = double precision, and the metres of every path; False = the many-to-many kernel
        alone, metres all nan.
    prepare : callable, optional
        Prepares the network where that pays, the answer being the same; one that remembers may be
        given.
    prepare_from : int, optional
        Junctions at the destinations from which on it is taken to pay.

    Returns
    -------
    cost, metres : (n, m) float64
        In the unit of the costs, and metres; inf = unreachable. Straight walks are not included.
    """
    length = lengths(network)
    indptr, indices, weight, segment = directed_arcs(network, forward, backward)
    origin = ends(network, at, homes, backward, forward)
    target = ends(network, at, places, forward, backward)
    sources, targets = target.nodes(), origin.nodes()
    if metres:
        much = len(sources) >= prepare_from and len(network.x) >= _PREPARE_NODES
        graph = prepare(indptr, indices, weight) if much else check_arcs(indptr, indices, weight)
        # Of ways that take equally long the shortest counts.
        cost, path = cost_and_measure(graph, length[segment], sources, targets, reverse=True)
    else:
        cost = travel_matrix(indptr, indices, weight, sources, targets, reverse=True).astype(
            np.float64
        )
        path = np.full_like(cost, np.nan)
    best = np.full((len(origin.segment), len(target.segment)), np.inf)
    walked = np.full(best.shape, np.inf if metres else np.nan)
    for q in (0, 1):
        column = np.flatnonzero(np.isfinite(target.cost[q]))
        to = np.searchsorted(sources, target.node[q][column])
        for p in (0, 1):
            row = np.flatnonzero(np.isfinite(origin.cost[p]))
            out = np.searchsorted(targets, origin.node[p][row])
            through = (
                cost.T[np.ix_(out, to)] + origin.cost[p][row, None] + target.cost[q][None, column]
            )
            window = np.ix_(row, column)
            better = through < best[window]
            best[window] = np.where(better, through, best[window])
            if metres:
                along = (
                    path.T[np.ix_(out, to)]
                    + origin.metres[p][row, None]
                    + target.metres[q][None, column]
                )
                walked[window] = np.where(better, along, walked[window])
    _direct(origin, target, forward, backward, length, best, walked, metres)
    return best, walked


class Ends:
    """The two ends of the segments that points lie on, and what it costs to get there or back.

    Parameters
    ----------
    segment, fraction, node, cost, metres
        The attributes.

    Attributes
    ----------
    segment, fraction : (p,) ndarray
        Segment (-1 = none) and where on it.
    node, cost, metres : pair of (p,) ndarray
        Junctions at tail and head, cost to or from them (inf = not usable) and metres.
    """

    def __init__(
        self,
        segment: npt.NDArray[np.int64],
        fraction: npt.NDArray[np.float64],
        node: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        cost: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
        metres: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    ) -> None:
        self.segment, self.fraction = segment, fraction
        self.node, self.cost, self.metres = node, cost, metres

    def nodes(self) -> npt.NDArray[np.int64]:
        """List the junctions that can be used, each once.

        Returns
        -------
        ndarray of int64
            In rising order.
        """
        usable = [node[np.isfinite(cost)] for node, cost in zip(self.node, self.cost, strict=True)]
        return np.unique(np.concatenate(usable))


def ends(
    network: RoadNetwork,
    at: Attachments,
    which: slice,
    tail_cost: npt.NDArray[np.float64],
    head_cost: npt.NDArray[np.float64],
) -> Ends:
    """Look up the ends of the segments that some points lie on.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    at : Attachments
        Where all points meet the roads.
    which : slice
        Which of them.
    tail_cost, head_cost : (e,) float64
        Cost of each segment in the direction between the point and its tail, and its head.

    Returns
    -------
    Ends
        One a point.
    """
    length = lengths(network)
    segment, fraction = at.segment[which], at.fraction[which]
    on = segment >= 0
    safe = np.where(on, segment, 0)
    part = np.where(on, fraction, np.nan)
    if not len(length):
        nothing = np.full(len(segment), np.inf)
        none = np.zeros(len(segment), dtype=np.int64)
        return Ends(segment, part, (none, none), (nothing, nothing), (nothing, nothing))
    return Ends(
        segment,
        part,
        (network.tail[safe].astype(np.int64), network.head[safe].astype(np.int64)),
        (_partial(part, tail_cost[safe]), _partial(1.0 - part, head_cost[safe])),
        (part * length[safe], (1.0 - part) * length[safe]),
    )


def direct_costs(
    origin: Ends,
    order: npt.NDArray[np.int64],
    target: Ends,
    place: int,
    forward: npt.NDArray[np.float64],
    backward: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Cost of staying on one segment, for the homes on the segment of a place.

    Parameters
    ----------
    origin : Ends
        Of homes.
    order : (n,) int64
        Homes by segment.
    target : Ends
        Of places.
    place : int
        Position of the place.
    forward, backward : (e,) float64
        Cost of each segment from tail to head and back.

    Returns
    -------
    homes, cost : ndarray
        Positions of homes, and their costs; inf = not usable.
    """
    s = target.segment[place]
    if s < 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    first, last = np.searchsorted(origin.segment, [s, s + 1], sorter=order)
    rows = order[first:last]
    ahead = target.fraction[place] - origin.fraction[rows]
    return rows, _partial(np.abs(ahead), np.where(ahead >= 0, forward[s], backward[s]))


def _partial(
    share: npt.NDArray[np.float64], cost: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Cost of a share of a segment: at a junction nothing, even of one that may not be used."""
    with np.errstate(invalid="ignore"):
        part = np.where(share == 0.0, 0.0, share * cost)
    return np.where(np.isnan(part), np.inf, part)


def _direct(
    origin: Ends,
    target: Ends,
    forward: npt.NDArray[np.float64],
    backward: npt.NDArray[np.float64],
    length: npt.NDArray[np.float64],
    best: npt.NDArray[np.float64],
    walked: npt.NDArray[np.float64],
    metres: bool,
) -> None:
    """Lower ``best`` and ``walked`` (the caller's own arrays) where both lie on one segment."""
    order = np.argsort(origin.segment, kind="stable")
    ranked = origin.segment[order]
    first = np.searchsorted(ranked, target.segment, side="left")
    last = np.searchsorted(ranked, target.segment, side="right")
    for j in np.flatnonzero((target.segment >= 0) & (last > first)):
        s = target.segment[j]
        rows = order[first[j] : last[j]]
        ahead = target.fraction[j] - origin.fraction[rows]
        cost = _partial(np.abs(ahead), np.where(ahead >= 0, forward[s], backward[s]))
        better = cost < best[rows, j]
        best[rows[better], j] = cost[better]
        if metres:
            walked[rows[better], j] = (np.abs(ahead) * length[s])[better]
