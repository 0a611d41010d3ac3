"""Heights along roads and what slope does to walking."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from catchment.network.graph import RoadNetwork, lengths
from catchment.network.modes import Modes
from catchment.region.elevation import Elevation, sample

# Tobler (1993): km/h = 6 exp(-3.5 |slope + 0.05|); here relative to the flat, as a factor on time.
_STEEPNESS, _BEST = 3.5, 0.05


def tobler_factor(slope: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Divide walking time on a slope by that on the flat, by Tobler's hiking function.

    Parameters
    ----------
    slope : array-like of float
        Rise over run in the direction walked; negative = downhill.

    Returns
    -------
    ndarray of float64
        Factor on time: 1 on the flat, least (0.84) at 5 % downhill.

    References
    ----------
    Tobler, W. (1993). Three presentations on geographical analysis and modeling. NCGIA 93-1.

    Examples
    --------
    >>> tobler_factor([0.0, 0.10, -0.05]).round(3).tolist()
    [1.0, 1.419, 0.839]
    """
    s = np.asarray(slope, dtype=np.float64)
    return np.asarray(np.exp(_STEEPNESS * (np.abs(s + _BEST) - _BEST)), dtype=np.float64)


def walk_factors(
    network: RoadNetwork, elevation: Elevation, crs: CRS, modes: Modes
) -> tuple[
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float64],
]:
    """Climb of every segment and its factors on walking time in both directions.

    Heights are taken every ``walk_slope_step_m`` metres along a segment, at least at both ends;
    on bridges and in tunnels at the ends alone. Slopes steeper than ``walk_slope_cap`` are doubted
    and cut to it; a stretch between points of which one has no height counts as flat.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    elevation : Elevation
        Raster of heights.
    crs : pyproj.CRS
        CRS of the network.
    modes : Modes
        Spacing and steepest slope.

    Returns
    -------
    climb : (e,) float32
        Metres from tail to head; 0 where an end has no height.
    forward, backward : (e,) float32
        Factors on walking time from tail to head and back.
    void_m : (e,) float64
        Metres of each segment without known heights.
    """
    count = len(network.tail)
    if count == 0:
        nothing = np.zeros(0, dtype=np.float32)
        return nothing, nothing, nothing, np.zeros(0)
    step = np.zeros(len(network.shape))
    step[1:] = np.hypot(*(network.shape[1:] - network.shape[:-1]).T)
    # A gap of one metre keeps the end of a segment apart from the start of the next.
    step[network.offsets[:-1]] = 1.0
    run = np.cumsum(step)
    begin, end = run[network.offsets[:-1]], run[network.offsets[1:] - 1]
    metres = end - begin
    parts = np.maximum(np.ceil(metres / modes.walk_slope_step_m), 1).astype(np.int64)
    if len(network.bridge) == count:
        parts[network.bridge] = 1
    segment = np.repeat(np.arange(count), parts + 1)
    first = np.concatenate([[0], np.cumsum(parts + 1)])[:-1]
    order = np.arange(len(segment)) - first[segment]
    at = begin[segment] + metres[segment] * order / parts[segment]
    height = sample(
        elevation,
        np.interp(at, run, network.shape[:, 0]),
        np.interp(at, run, network.shape[:, 1]),
        crs,
    )
    inner = np.flatnonzero(order > 0)
    owner = segment[inner]
    rise = height[inner] - height[inner - 1]
    void = ~np.isfinite(rise)
    part = metres[owner] / parts[owner]
    cap = modes.walk_slope_cap
    slope = np.where(void, 0.0, np.clip(rise / np.maximum(part, 0.01), -cap, cap))
    climb = height[first + parts] - height[first]

    def mean(factor: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        return (np.bincount(owner, weights=factor, minlength=count) / parts).astype(np.float32)

    return (
        np.where(np.isfinite(climb), climb, 0.0).astype(np.float32),
        mean(tobler_factor(slope)),
        mean(tobler_factor(-slope)),
        np.bincount(owner, weights=np.where(void, part, 0.0), minlength=count).astype(np.float64),
    )


def slope_factors(
    network: RoadNetwork, modes: Modes
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Factors on walking time of every segment, sampled ones where there are any.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments; segments appended after heights were sampled go by their climb.
    modes : Modes
        Whether walking heeds slope, and the steepest believed.

    Returns
    -------
    forward, backward : (e,) float64
        Factors from tail to head and back; 1 where walking does not heed slope.
    """
    count = len(network.tail)
    if not modes.walk_slope:
        return np.ones(count), np.ones(count)
    cap = modes.walk_slope_cap
    slope = np.clip(network.climb.astype(np.float64) / lengths(network), -cap, cap)
    forward, backward = tobler_factor(slope), tobler_factor(-slope)
    known = min(len(network.walk_factor_forward), count)
    forward[:known] = network.walk_factor_forward[:known]
    backward[:known] = network.walk_factor_backward[:known]
    return forward, backward
