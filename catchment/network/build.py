"""Road actions: a new road between two places, or a road closed."""

from __future__ import annotations

import dataclasses

import numpy as np
from pyproj import CRS, Transformer

from catchment.errors import InputError
from catchment.network.graph import RoadNetwork
from catchment.region.elevation import Elevation, sample

REACH_M = 500.0
"""How far the ends of a road action may lie from a mapped road."""


def build_road(
    network: RoadNetwork,
    start: tuple[float, float],
    end: tuple[float, float],
    crs: CRS,
    road_class: str,
    elevation: Elevation | None = None,
) -> RoadNetwork:
    """Return the network with one straight road more, joined to the nearest junctions.

    Parameters
    ----------
    network : RoadNetwork
        Roads of today.
    start, end : (float, float)
        Longitude and latitude of its ends, WGS84 or CGCS2000.
    crs : pyproj.CRS
        The region's metric CRS.
    road_class : str
        One of ``network.classes``, or ``tertiary`` and the like if the county has none of it yet.
    elevation : Elevation, optional
        Heights, so that walking the new road costs its climb; level where unknown.

    Returns
    -------
    RoadNetwork
        A new network; the given one is untouched.

    Raises
    ------
    InputError
        When an end lies farther than 500 m from every junction, or both at the same one.
    """
    a, b = (_junction(network, point, crs) for point in (start, end))
    if a == b:
        raise InputError(
            f"新路两端 {start}、{end} 落在同一路口；请给出不同的端点 / both ends meet the same junction"
        )
    classes = network.classes
    if road_class not in classes:
        classes = (*classes, road_class)
    shape = np.array([[network.x[a], network.y[a]], [network.x[b], network.y[b]]], dtype=np.float64)
    length = max(float(np.hypot(*(shape[1] - shape[0]))), 0.01)
    climb = 0.0
    if elevation is not None:
        heights = sample(elevation, shape[:, 0], shape[:, 1], crs.to_wkt())
        climb = float(heights[1] - heights[0]) if np.isfinite(heights).all() else 0.0
    return dataclasses.replace(
        network,
        tail=np.append(network.tail, np.int32(a)),
        head=np.append(network.head, np.int32(b)),
        length=np.append(network.length, length),
        road_class=np.append(network.road_class, np.int8(classes.index(road_class))),
        classes=classes,
        walk=np.append(network.walk, True),
        drive_forward=np.append(network.drive_forward, True),
        drive_backward=np.append(network.drive_backward, True),
        hazard=np.append(network.hazard, False),
        maxspeed=np.append(network.maxspeed, np.float32(np.nan)),
        climb=np.append(network.climb, np.float32(climb)),
        offsets=np.append(network.offsets, network.offsets[-1] + 2),
        shape=np.vstack([network.shape, shape]),
        names=(*network.names, ""),
        bridge=np.append(network.bridge, False) if len(network.bridge) else network.bridge,
        built=np.append(
            network.built if len(network.built) else np.zeros(len(network.tail), dtype=np.bool_),
            True,
        ),
    )


def without_built(network: RoadNetwork) -> RoadNetwork:
    """Return the network as if nothing were built; what is closed stays closed.

    Parameters
    ----------
    network : RoadNetwork
        Roads with segments that a plan adds.

    Returns
    -------
    RoadNetwork
        The same segments, the added ones neither walked nor driven.
    """
    if not network.built.any():
        return network
    old = ~network.built
    return dataclasses.replace(
        network,
        walk=network.walk & old,
        drive_forward=network.drive_forward & old,
        drive_backward=network.drive_backward & old,
        built=np.zeros(0, dtype=np.bool_),
    )


def close_road(network: RoadNetwork, place: tuple[float, float], crs: CRS) -> RoadNetwork:
    """Return the network without the segment nearest to a place.

    Parameters
    ----------
    network : RoadNetwork
        Roads of today.
    place : (float, float)
        Longitude and latitude.
    crs : pyproj.CRS
        The region's metric CRS.

    Returns
    -------
    RoadNetwork
        A new network in which that segment can be neither walked nor driven.

    Raises
    ------
    InputError
        When no road lies within 500 m.
    """
    x, y = _metric(place, crs)
    first = network.shape[:-1]
    step = network.shape[1:] - first
    square = np.maximum((step**2).sum(axis=1), 1e-12)
    along = np.clip((([x, y] - first) * step).sum(axis=1) / square, 0, 1)
    gap = np.hypot(*(first + along[:, None] * step - [x, y]).T)
    # The step from one segment's last vertex to the next segment's first is no road.
    gap[network.offsets[1:-1] - 1] = np.inf
    nearest = int(np.argmin(gap))
    if gap[nearest] > REACH_M:
        raise InputError(
            f"{place} 周围 {REACH_M:.0f} 米内没有道路可关闭 / no road within {REACH_M:.0f} m of {place}"
        )
    segment = int(np.searchsorted(network.offsets, nearest, side="right") - 1)
    shut = np.zeros(len(network.tail), dtype=bool)
    shut[segment] = True
    return dataclasses.replace(
        network,
        walk=network.walk & ~shut,
        drive_forward=network.drive_forward & ~shut,
        drive_backward=network.drive_backward & ~shut,
    )


def _metric(point: tuple[float, float], crs: CRS) -> tuple[float, float]:
    transformer = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = transformer.transform(*point)
    return float(x), float(y)


def _junction(network: RoadNetwork, point: tuple[float, float], crs: CRS) -> int:
    x, y = _metric(point, crs)
    gap = np.hypot(network.x - x, network.y - y)
    nearest = int(np.argmin(gap))
    if not gap[nearest] <= REACH_M:
        raise InputError(
            f"新路端点 {point} 距最近路口 {gap[nearest]:.0f} 米，超过 {REACH_M:.0f} 米；请改端点（经度在前）/ "
            f"end of the new road lies {gap[nearest]:.0f} m from the nearest junction; longitude first"
        )
    return nearest
