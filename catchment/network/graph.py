"""The road network as compact arrays: junctions, segments, their shape and class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class RoadNetwork:
    """Roads of a county; every segment is stored once, with the directions it may be used in.

    Attributes
    ----------
    x, y : (k,) float64
        Node positions in the region's metric CRS.
    tail, head : (e,) int32
        End nodes of each segment.
    length : (e,) float64
        Metres, > 0 (at least 0.01).
    road_class : (e,) int8
        Position in ``classes``.
    classes : tuple of str
        Road classes, as in ``roads.csv`` of this room.
    walk : (e,) bool
        Whether it may be walked (in both directions).
    drive_forward, drive_backward : (e,) bool
        Whether it may be driven from tail to head and from head to tail.
    hazard : (e,) bool
        Hazard links, where school buses keep to 20 km/h.
    maxspeed : (e,) float32
        Posted limit in km/h, nan where unknown.
    climb : (e,) float32
        Metres of height from tail to head; 0 where no elevation is known.
    offsets : (e + 1,) int64
        Where each segment's shape begins in ``shape``.
    shape : (c, 2) float64
        Vertices of all segments, tail first, head last, in metres.
    names : tuple of str
        Road name of each segment, empty where none.
    notes : tuple of str
        What was repaired or dropped while building, for people.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    tail: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    length: npt.NDArray[np.float64]
    road_class: npt.NDArray[np.int8]
    classes: tuple[str, ...]
    walk: npt.NDArray[np.bool_]
    drive_forward: npt.NDArray[np.bool_]
    drive_backward: npt.NDArray[np.bool_]
    hazard: npt.NDArray[np.bool_]
    maxspeed: npt.NDArray[np.float32]
    climb: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]
    shape: npt.NDArray[np.float64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
