"""Travel times from every village to every site, by mode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class TravelTimes:
    """Minutes and metres by mode, village and site, one way, from home to school.

    Attributes
    ----------
    modes : tuple of str
        ``walk_lower``, ``walk_upper``, ``walk_junior`` (one a band) and ``bus``.
    villages, sites : tuple of str
        Ids of rows and columns.
    minutes, metres : (modes, n, m) float32
        Door to door (access walk, wait and stops included); inf = unreachable.
    snaps : DataFrame
        One row a point: ``kind`` (village, school, site), ``id``, ``walk_m`` (metres to the nearest
        walkable road), ``drive_m`` (to the nearest drivable road), ``component`` (of the walk
        network), ``beyond_limit`` (bool: not snapped).
    components : DataFrame
        Disconnected parts of the drivable network: ``component, nodes, segments, km, share``.
    notes : tuple of str
        For people: what is unreachable and why.
    """

    modes: tuple[str, ...]
    villages: tuple[str, ...]
    sites: tuple[str, ...]
    minutes: npt.NDArray[np.float32]
    metres: npt.NDArray[np.float32]
    snaps: pd.DataFrame
    components: pd.DataFrame
    notes: tuple[str, ...] = ()
