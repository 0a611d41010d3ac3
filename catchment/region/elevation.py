"""Elevation raster: heights sampled at points, voids answered as NaN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Elevation:
    """Heights on a regular grid in the region's metric CRS or any other CRS given by name.

    Attributes
    ----------
    heights : (rows, columns) float32
        Metres; NaN where the raster has a void.
    transform : tuple of six floats
        Affine transform (a, b, c, d, e, f): x = a*col + b*row + c, y = d*col + e*row + f.
    crs : str
        CRS of the transform, as an authority string or WKT.
    """

    heights: npt.NDArray[np.float32]
    transform: tuple[float, float, float, float, float, float]
    crs: str
