"""Named points that travel begins or ends at: villages, schools, candidate sites, other points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.network.snap import coordinates
from catchment.region.model import Region

_SHOWN = 8


@dataclass(frozen=True)
class Places:
    """Points with their ids.

    Attributes
    ----------
    ids : tuple of str
        One a point.
    kinds : tuple of str
        ``village``, ``school``, ``site`` or ``point``.
    x, y : (p,) float64
        Metres in the region's CRS; nan = no place.
    """

    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]

    @staticmethod
    def of(table: gpd.GeoDataFrame, key: str, kind: str) -> Places:
        """Take the points of a layer.

        Parameters
        ----------
        table : GeoDataFrame
            Layer of points.
        key : str
            Column with their ids.
        kind : str
            What they are.

        Returns
        -------
        Places
            One a row.
        """
        ids = tuple(str(k) for k in table[key])
        return Places(ids, (kind,) * len(ids), *coordinates(table.geometry.to_numpy()))

    def take(self, which: Sequence[int]) -> Places:
        """Take some of the points.

        Parameters
        ----------
        which : sequence of int
            Their positions.

        Returns
        -------
        Places
            In that order.
        """
        at = np.asarray(which, dtype=np.int64)
        return Places(
            tuple(self.ids[k] for k in at),
            tuple(self.kinds[k] for k in at),
            self.x[at],
            self.y[at],
        )

    def then(self, others: Places) -> Places:
        """Put other points behind these.

        Parameters
        ----------
        others : Places
            Points.

        Returns
        -------
        Places
            Both.
        """
        return Places(
            self.ids + others.ids,
            self.kinds + others.kinds,
            np.concatenate([self.x, others.x]),
            np.concatenate([self.y, others.y]),
        )


def villages_of(region: Region) -> Places:
    """Take the villages of a county.

    Parameters
    ----------
    region : Region
        County.

    Returns
    -------
    Places
        In the order of the layer.
    """
    return Places.of(region.villages, "village_id", "village")


def sites_of(region: Region, wanted: Sequence[str] | None = None) -> Places:
    """Take the schools and candidate sites of a county.

    Parameters
    ----------
    region : Region
        County.
    wanted : sequence of str, optional
        Ids of those that are wanted; all, schools first, when left out.

    Returns
    -------
    Places
        In the order asked for.

    Raises
    ------
    InputError
        When one does not exist, or two share an id.
    """
    every = Places.of(region.schools, "school_id", "school").then(
        Places.of(region.sites, "site_id", "site")
    )
    position: dict[str, int] = {}
    for k, name in enumerate(every.ids):
        if name in position:
            raise InputError(
                f"schools/sites：代码 {name} 重复，学校与备选校址的代码必须各不相同 / id {name} "
                "stands for two schools or sites; give each its own"
            )
        position[name] = k
    if wanted is None:
        return every
    missing = [name for name in wanted if name not in position]
    if missing:
        raise InputError(
            f"sites：没有 {'、'.join(missing[:_SHOWN])} 这样的学校或备选校址 / no such school or "
            "candidate site"
        )
    return every.take([position[name] for name in wanted])
