"""Means of travel: what every segment costs by each, where points join the roads, what is added."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.network.allowed import BUS, CAR, EBIKE, WALK
from catchment.network.graph import RoadNetwork, lengths, strong_components
from catchment.network.modes import Modes
from catchment.network.roads import RoadClass, class_index
from catchment.network.slope import slope_factors
from catchment.network.snap import Attachments, attach, whole_parts

RIDES = (BUS, EBIKE, CAR)
"""Means that ride on roads, after an access walk."""

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Means:
    """One means of travel on one network, with the points that it joins.

    Attributes
    ----------
    name : str
        ``walk``, ``bus``, ``ebike`` or ``car``.
    forward, backward : (e,) float64
        Cost of each segment from tail to head and back: on foot metres on the flat that take as
        long, else seconds; inf = not usable.
    at : Attachments
        Where the points join the roads.
    access_kmh : float
        Walking speed of the access legs of a ride, km/h.
    fixed_min : float
        Wait, stops, getting out and parking, minutes.
    """

    name: str
    forward: _Floats
    backward: _Floats
    at: Attachments
    access_kmh: float = 0.0
    fixed_min: float = 0.0

    def minutes(self, cost: _Floats, legs: _Floats, walk_kmh: float) -> _Floats:
        """Turn costs along the roads into minutes from door to door.

        Parameters
        ----------
        cost : ndarray of float64
            Costs of trips along the roads.
        legs : ndarray of float64
            Straight walks at both ends together, metres.
        walk_kmh : float
            Walking speed of the band, km/h; rides have their own.

        Returns
        -------
        ndarray of float64
            Minutes.
        """
        if self.name == WALK:
            return (cost + legs) / (walk_kmh * 1000.0 / 60.0)
        return cost / 60.0 + legs / (self.access_kmh * 1000.0 / 60.0) + self.fixed_min


def means_of(
    network: RoadNetwork,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    modes: Modes,
    classes: Sequence[RoadClass],
    names: Collection[str],
) -> tuple[Means, ...]:
    """Lay out means of travel on a network and join points to it.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    x, y : (p,) float64
        Points, metres; nan = no place.
    modes : Modes
        Speeds, waits and limits.
    classes : sequence of RoadClass
        Table of road classes.
    names : collection of str
        Which means are wanted, of ``walk``, ``bus``, ``ebike``, ``car``.

    Returns
    -------
    tuple of Means
        In that order.
    """
    found: list[Means] = []
    if WALK in names:
        at = attach(
            network,
            x,
            y,
            allowed=network.walk,
            limit_m=modes.snap_limit_m,
            extra_m=modes.snap_extra_m,
            fragment_m=modes.snap_fragment_m,
        )
        found.append(Means(WALK, *walk_effort(network, modes), at))
    stop = np.array([c.stop for c in _table_of(network, classes)], dtype=np.bool_)[
        network.road_class
    ]
    for name, cost, usable, limit_min, fixed in (
        (BUS, bus_seconds, stop, modes.bus_access_limit_min,
         modes.bus_wait_min + modes.bus_stop_min * modes.bus_stops),
        (EBIKE, ebike_seconds, network.walk, modes.ebike_access_limit_min, modes.ebike_start_min),
        (CAR, car_seconds, stop, modes.car_access_limit_min, modes.car_start_min),
    ):  # fmt: skip
        if name in names:
            forward, backward = cost(network, modes, classes)
            ahead, back = np.isfinite(forward), np.isfinite(backward)
            at = _stops(network, x, y, modes, ahead, back, usable, limit_min)
            found.append(Means(name, forward, backward, at, modes.bus_access_kmh, fixed))
    return tuple(found)


def walk_effort(network: RoadNetwork, modes: Modes) -> tuple[_Floats, _Floats]:
    """Metres on the flat that take as long to walk as every segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    modes : Modes
        Whether and how slope counts.

    Returns
    -------
    forward, backward : (e,) float64
        Metres from tail to head and back; inf where it may not be walked.
    """
    forward, backward = slope_factors(network, modes)
    metres = lengths(network)
    return (
        np.where(network.walk, metres * forward, np.inf),
        np.where(network.walk, metres * backward, np.inf),
    )


def bus_seconds(
    network: RoadNetwork, modes: Modes, classes: Sequence[RoadClass]
) -> tuple[_Floats, _Floats]:
    """Seconds a school bus takes on every segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    modes : Modes
        Legal caps.
    classes : sequence of RoadClass
        Speed and cap by class.

    Returns
    -------
    forward, backward : (e,) float64
        Seconds from tail to head and back; inf where it may not be driven.
    """
    table = _table_of(network, classes)
    kmh = np.array([min(c.bus_kmh, c.cap_kmh, modes.bus_cap_kmh) for c in table])[
        network.road_class
    ]
    seconds = _seconds(network, kmh, modes.bus_hazard_kmh)
    return (
        np.where(network.drive_forward, seconds, np.inf),
        np.where(network.drive_backward, seconds, np.inf),
    )


def car_seconds(
    network: RoadNetwork, modes: Modes, classes: Sequence[RoadClass]
) -> tuple[_Floats, _Floats]:
    """Seconds a parent's vehicle takes on every segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    modes : Modes
        Its speed over that of the bus, and its limits.
    classes : sequence of RoadClass
        Speed of the bus by class.

    Returns
    -------
    forward, backward : (e,) float64
        Seconds from tail to head and back; inf where it may not be driven.
    """
    table = _table_of(network, classes)
    kmh = np.array([min(c.bus_kmh * modes.car_factor, modes.car_cap_kmh) for c in table])[
        network.road_class
    ]
    seconds = _seconds(network, kmh, modes.car_hazard_kmh)
    return (
        np.where(network.drive_forward, seconds, np.inf),
        np.where(network.drive_backward, seconds, np.inf),
    )


def ebike_seconds(
    network: RoadNetwork, modes: Modes, classes: Sequence[RoadClass]
) -> tuple[_Floats, _Floats]:
    """Seconds a parent's e-bike takes on every segment.

    It goes where vehicles go, in their direction, but for roads that may not be walked; and both
    ways on roads for walking whose class it may use, such as cycleways. Slope does not count.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    modes : Modes
        Its speeds.
    classes : sequence of RoadClass
        Which classes it may use.

    Returns
    -------
    forward, backward : (e,) float64
        Seconds from tail to head and back; inf where it may not be ridden.
    """
    table = _table_of(network, classes)
    may = np.array([c.ebike for c in table], dtype=np.bool_)[network.road_class] & network.walk
    roadless = ~(network.drive_forward | network.drive_backward)
    kmh = np.full(len(network.tail), modes.ebike_kmh)
    seconds = _seconds(network, kmh, modes.ebike_hazard_kmh)
    return (
        np.where(may & (network.drive_forward | roadless), seconds, np.inf),
        np.where(may & (network.drive_backward | roadless), seconds, np.inf),
    )


def _seconds(network: RoadNetwork, kmh: _Floats, hazard_kmh: float) -> _Floats:
    kmh = np.fmin(kmh, network.maxspeed.astype(np.float64))
    kmh = np.where(network.hazard, np.minimum(kmh, hazard_kmh), kmh)
    return lengths(network) / (kmh / 3.6)


def _stops(
    network: RoadNetwork,
    x: _Floats,
    y: _Floats,
    modes: Modes,
    forward: _Bools,
    backward: _Bools,
    stop: _Bools,
    limit_min: float,
) -> Attachments:
    """Attach to roads where one may get on, within the access walk, out of one-way traps if near.

    A vehicle must come and go, so what counts as a part are junctions that can all be driven to
    from each other.
    """
    strong = strong_components(network, forward, backward)
    drivable = forward | backward
    main = whole_parts(network, drivable, modes.snap_fragment_m, strong)
    limit = limit_min * modes.bus_access_kmh * 1000.0 / 60.0
    return attach(
        network,
        x,
        y,
        allowed=drivable & stop,
        limit_m=max(min(limit, modes.snap_limit_m), 1e-6),
        extra_m=modes.snap_extra_m,
        preferred=main,
    )


def _table_of(network: RoadNetwork, classes: Sequence[RoadClass]) -> list[RoadClass]:
    """Class rows in the network's own order; a class the table lacks counts as ``road``."""
    index = class_index(classes)
    other = index.get("road", len(classes) - 1)
    return [classes[index.get(code.lower(), other)] for code in network.classes]
