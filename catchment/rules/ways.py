"""Rules about what lies on the way to school, and what is known of the way beyond its minutes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CROSSES, CLEAR, UNKNOWN = 1, 0, -1
"""States of a walk: crosses something, crosses nothing, cannot be judged."""


@dataclass(frozen=True)
class Ways:
    """What is known of the way of every group to the school that a plan gives it.

    Attributes
    ----------
    back : (n, t) float64
        Minutes of the way home by the same mode; nan where it was not reckoned.
    state : (n, t) int8
        Of the walk: ``CROSSES``, ``CLEAR`` or ``UNKNOWN``.
    count : (n, t) int32
        Crossings of railways, main roads and rivers without a bridge on the walk, and stretches
        walked along a main road.
    met_zh, met_en : (n, t) object
        What the walk meets, in words; empty where nothing.
    direct : (n, t) bool
        Whether the walk is a straight line, because no road is mapped at the village.
    """

    back: npt.NDArray[np.float64]
    state: npt.NDArray[np.int8]
    count: npt.NDArray[np.int32]
    met_zh: npt.NDArray[np.object_]
    met_en: npt.NDArray[np.object_]
    direct: npt.NDArray[np.bool_]
