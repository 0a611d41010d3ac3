"""From where schools are reached within some minutes: sets of villages, and areas to draw."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from catchment.errors import InputError
from catchment.network.allowed import WALK
from catchment.network.arcs import check_arcs, transpose
from catchment.network.dijkstra import search_one
from catchment.network.direct import direct_walks, straight_minutes
from catchment.network.graph import RoadNetwork, directed
from catchment.network.journey import door_to_door
from catchment.network.means import RIDES, Means, means_of
from catchment.network.modes import Modes, modes_of
from catchment.network.places import Places, sites_of, villages_of
from catchment.network.roads import road_classes_of
from catchment.network.routes import ends_of, stretch_shape
from catchment.network.travel import TravelTimes
from catchment.region.model import Region

LIMITS = (15.0, 30.0, 40.0)
"""One-way minutes of the areas drawn around a school."""

_Floats = npt.NDArray[np.float64]


def village_sets(
    times: TravelTimes,
    *,
    limits: Sequence[float] = LIMITS,
    sites: Sequence[str] | None = None,
    modes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Say from which villages every school is reached within some minutes.

    Parameters
    ----------
    times : TravelTimes
        Times of villages to schools and candidate sites.
    limits : sequence of float, default (15, 30, 40)
        One-way minutes, > 0; exactly at a limit is within.
    sites : sequence of str, optional
        Ids of schools and sites; all of ``times`` when left out.
    modes : sequence of str, optional
        Of ``times.modes``; all when left out.

    Returns
    -------
    DataFrame
        ``site_id, mode, minutes`` (the limit), ``villages`` (how many), ``village_ids`` (tuple, in
        the order of ``times.villages``); by site, then mode, then limit. Larger limits contain
        smaller ones.

    Raises
    ------
    InputError
        When a site or mode is not among the times, or a limit is not positive.
    """
    wanted = _limits(limits)
    site_at = {name: k for k, name in enumerate(times.sites)}
    mode_at = {name: k for k, name in enumerate(times.modes)}
    chosen = list(times.sites if sites is None else sites)
    ways = list(times.modes if modes is None else modes)
    for given, known, what in ((chosen, site_at, "sites"), (ways, mode_at, "modes")):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise InputError(
                f"{what}：出行时间中没有 {'、'.join(map(str, unknown[:8]))} / not among the travel times"
            )
    names = np.array(times.villages, dtype=object)
    rows = []
    for site in chosen:
        for mode in ways:
            minutes = times.minutes[mode_at[mode], :, site_at[site]]
            for limit in wanted:
                ids = tuple(names[minutes <= limit])
                rows.append((site, mode, limit, len(ids), ids))
    return pd.DataFrame(rows, columns=["site_id", "mode", "minutes", "villages", "village_ids"])


def isochrones(
    region: Region,
    network: RoadNetwork,
    site: str,
    *,
    mode: str,
    limits: Sequence[float] = LIMITS,
    buffer_m: float = 100.0,
) -> gpd.GeoDataFrame:
    """Draw from where a school is reached within some minutes, and say from which villages.

    The area is drawn from the stretches of road, parts of segments included, from which the school
    is reached in time, and the straight walks of the villages that do; both widened by
    ``buffer_m``, cut at the county's boundary. Larger limits contain smaller ones. The villages are
    exact: those whose minutes as of ``travel_times`` are at most the limit.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Roads in the region's CRS.
    site : str
        Id of a school or candidate site.
    mode : str
        ``walk_<band>``, ``bus``, ``ebike`` or ``car``.
    limits : sequence of float, default (15, 30, 40)
        One-way minutes from home to school, > 0.
    buffer_m : float, default 100
        Width to either side of the road, metres, > 0.

    Returns
    -------
    GeoDataFrame
        ``site_id, mode, minutes, villages`` (how many), ``village_ids`` (tuple) and polygons in
        the region's CRS, smallest limit first.

    Raises
    ------
    InputError
        When the site or mode does not exist, or a limit is not positive.
    """
    return school_areas(region, network, mode=mode, sites=[site], limits=limits, buffer_m=buffer_m)


def school_areas(
    region: Region,
    network: RoadNetwork,
    *,
    mode: str,
    sites: Sequence[str] | None = None,
    limits: Sequence[float] = LIMITS,
    buffer_m: float = 100.0,
    simplify_m: float = 0.0,
) -> gpd.GeoDataFrame:
    """Draw the areas of many schools as ``isochrones`` draws those of one, roads laid out once.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Roads in the region's CRS.
    mode : str
        ``walk_<band>``, ``bus``, ``ebike`` or ``car``.
    sites : sequence of str, optional
        Ids of schools and candidate sites; all, schools first, when left out.
    limits : sequence of float, default (15, 30, 40)
        One-way minutes from home to school, > 0.
    buffer_m : float, default 100
        Width to either side of the road, metres, > 0.
    simplify_m : float, default 0
        By how much outlines may be simplified, metres, >= 0; an area may then lose so much where
        it touches a smaller one.

    Returns
    -------
    GeoDataFrame
        As of ``isochrones``, by site in the order asked for, then smallest limit first.

    Raises
    ------
    InputError
        When a site or mode does not exist, or a limit is not positive.
    """
    wanted = _limits(limits)
    if not buffer_m > 0 or not simplify_m >= 0:
        raise InputError(
            f"buffer_m = {buffer_m}, simplify_m = {simplify_m}：应为正数 / must be positive"
        )
    homes, places = villages_of(region), sites_of(region, sites)
    means, kmh, settings = mode_means(region, network, mode, homes.then(places))
    n = len(homes.ids)
    cost, _ = door_to_door(
        network, means.forward, means.backward, means.at, slice(0, n), slice(n, None), True
    )
    legs = means.at.walk_m[:n, None] + means.at.walk_m[None, n:]
    # Rounded as in TravelTimes, so that a village exactly at a limit is judged alike.
    minutes = means.minutes(cost, legs, kmh).astype(np.float32)
    if means.name == WALK:
        roadless = means.at.segment[:n] < 0
        walks = direct_walks(region, network, homes, places, roadless, settings)
        straight = straight_minutes(walks, region.bands, mode, (n, len(places.ids)))
        minutes = np.minimum(minutes, straight)
    roads = _Roads(network, means)
    county = _county(region)
    rows: list[tuple[str, str, float, int, tuple[str, ...]]] = []
    shapes: list[BaseGeometry] = []
    for j, site in enumerate(places.ids):
        reach = _Reach(roads, n + j, kmh)
        before: BaseGeometry = shapely.Polygon()
        for limit in wanted:
            inside = np.flatnonzero(minutes[:, j] <= limit)
            legs_drawn = _legs(homes, means, inside, (places.x[j], places.y[j]))
            parts: list[BaseGeometry] = [*reach.lines(limit), *legs_drawn]
            if reach.site_reached(limit):
                parts.append(shapely.Point(places.x[j], places.y[j]))
            wide = shapely.buffer(np.array(parts, dtype=object), buffer_m, quad_segs=4)
            area = shapely.union_all(wide)
            before = _polygons(shapely.union(area if county is None else area & county, before))
            ids = tuple(homes.ids[k] for k in inside)
            rows.append((site, mode, limit, len(ids), ids))
            shapes.append(shapely.simplify(before, simplify_m) if simplify_m else before)
    columns = ("site_id", "mode", "minutes", "villages", "village_ids")
    return gpd.GeoDataFrame(
        {name: [row[k] for row in rows] for k, name in enumerate(columns)},
        geometry=shapes,
        crs=region.crs,
    )


def _limits(limits: Sequence[float]) -> list[float]:
    """Limits in order, each once."""
    wanted = sorted({float(limit) for limit in limits})
    if not wanted or not wanted[0] > 0 or not np.isfinite(wanted[-1]):
        raise InputError(f"limits = {list(limits)}：应为正数 / must be positive")
    return wanted


def mode_means(
    region: Region, network: RoadNetwork, mode: str, places: Places
) -> tuple[Means, float, Modes]:
    """Lay out one mode with its points.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Roads in the region's CRS.
    mode : str
        ``walk_<band>``, ``bus``, ``ebike`` or ``car``.
    places : Places
        Points that it joins to the roads.

    Returns
    -------
    tuple of (Means, float, Modes)
        The means, the walking speed of its band in km/h (0 for rides), and the settings.

    Raises
    ------
    InputError
        When there is no such mode.
    """
    speed = {f"walk_{band.band}": band.walk_kmh for band in region.bands}
    if mode not in speed and mode not in RIDES:
        raise InputError(
            f"mode = {mode!r}：没有这种方式 / no such mode; one of {', '.join([*speed, *RIDES])}"
        )
    settings = modes_of(region)
    name = WALK if mode in speed else mode
    (means,) = means_of(network, places.x, places.y, settings, road_classes_of(region), {name})
    return means, speed.get(mode, 0.0), settings


class _Roads:
    """Roads laid out for one means of travel, for many schools."""

    def __init__(self, network: RoadNetwork, means: Means) -> None:
        self.network, self.means = network, means
        self._back = transpose(check_arcs(*directed(network, means.forward, means.backward)))
        owner = np.repeat(np.arange(len(network.tail)), np.diff(network.offsets))
        self.lines = np.asarray(shapely.linestrings(network.shape, indices=owner), dtype=object)

    def costs(self, place: int) -> _Floats:
        """Cost from every junction to one place; inf = unreachable."""
        best = np.full(len(self.network.x), np.inf)
        for node, last, _ in ends_of(self.network, self.means.forward, self.means.backward,
                                     self.means.at, place):  # fmt: skip
            best = np.minimum(best, search_one(node, *self._back) + last)
        return best


class _Reach:
    """From which stretches of road a school is reached within a cost."""

    def __init__(self, roads: _Roads, place: int, kmh: float) -> None:
        self._network, self._means, self._lines = roads.network, roads.means, roads.lines
        self._place, self._kmh, self._cost = place, kmh, roads.costs(place)

    def _budget(self, minutes: float) -> float:
        """Cost along the roads that the minutes leave, for one who lives on the road."""
        leg = float(self._means.at.walk_m[self._place])
        if self._means.name == WALK:
            return minutes * self._kmh * 1000.0 / 60.0 - leg
        access = leg / (self._means.access_kmh * 1000.0 / 60.0)
        return (minutes - access - self._means.fixed_min) * 60.0

    def site_reached(self, minutes: float) -> bool:
        """Whether the place itself lies within the minutes."""
        return self._budget(minutes) >= 0

    def lines(self, minutes: float) -> list[shapely.LineString]:
        """Stretches of road, whole segments as they are."""
        budget, means = self._budget(minutes), self._means
        if not budget >= 0 or not len(self._network.tail):
            return []
        tail, head = self._cost[self._network.tail], self._cost[self._network.head]
        with np.errstate(invalid="ignore"):
            up_to = np.clip((budget - tail) / means.backward, 0.0, 1.0)
            beyond = 1.0 - np.clip((budget - head) / means.forward, 0.0, 1.0)
        up_to = np.where((tail <= budget) & np.isfinite(means.backward), up_to, 0.0)
        beyond = np.where((head <= budget) & np.isfinite(means.forward), beyond, 1.0)
        whole = up_to >= beyond
        found = list(self._lines[whole])
        for k in np.flatnonzero(~whole & ((up_to > 0) | (beyond < 1))):
            found += self._stretches(int(k), ((0.0, up_to[k]), (beyond[k], 1.0)))
        s, f = int(means.at.segment[self._place]), float(means.at.fraction[self._place])
        if s >= 0 and not whole[s]:
            # On the school's own segment one need not pass a junction.
            low = max(f - budget / means.forward[s], 0.0)
            high = min(f + budget / means.backward[s], 1.0)
            found += self._stretches(s, ((low, f), (f, high)))
        return found

    def _stretches(
        self, segment: int, parts: Sequence[tuple[float, float]]
    ) -> list[shapely.LineString]:
        return [
            shapely.LineString(stretch_shape(self._network, segment, low, high))
            for low, high in parts
            if high > low
        ]


def _legs(
    homes: Places, means: Means, which: npt.NDArray[np.int64], site: tuple[float, float]
) -> list[shapely.LineString]:
    """Straight walks of villages to the road, or to the site where they join none."""
    at = means.at
    return [
        shapely.LineString(
            [(homes.x[k], homes.y[k]), (at.x[k], at.y[k]) if at.segment[k] >= 0 else site]
        )
        for k in which
    ]


def _county(region: Region) -> BaseGeometry | None:
    """Outline of the county, where it is known."""
    if not len(region.boundaries) or "kind" not in region.boundaries.columns:
        return None
    outline = region.boundaries.geometry[(region.boundaries["kind"] == "county").to_numpy()]
    outline = outline[~(outline.isna() | outline.is_empty)]
    if not len(outline):
        return None
    return shapely.union_all(shapely.make_valid(outline.to_numpy()))


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    """Leave the areas of a shape, without lines or points where it merely touched."""
    parts = shapely.get_parts(shapely.make_valid(shape))
    return shapely.union_all(parts[shapely.get_type_id(parts) == 3])
