"""The straight walk of a village without a mapped road, where a school stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from catchment.network.barriers import barriers_of
from catchment.network.graph import RoadNetwork
from catchment.network.modes import Modes
from catchment.network.places import Places
from catchment.network.slope import tobler_factor
from catchment.region.bands import Band
from catchment.region.elevation import sample
from catchment.region.model import Region

MAIN_ROADS = frozenset(
    {"motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link"}
)
"""Classes that a straight walk must not cross."""

_Floats = npt.NDArray[np.float64]
_Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DirectWalks:
    """Straight walks that may be offered; one entry a pair.

    Attributes
    ----------
    home, place : (p,) int64
        Positions of the village and of the school or site.
    metres : (p,) float64
        Straight distance.
    effort : (p,) float64
        Metres on the flat that take as long to walk, in the direction asked for.
    checked : bool
        Whether there was a source of railways and rivers to hold the walks against.
    """

    home: _Longs
    place: _Longs
    metres: _Floats
    effort: _Floats
    checked: bool


def direct_walks(
    region: Region,
    network: RoadNetwork,
    homes: Places,
    places: Places,
    roadless: npt.NDArray[np.bool_],
    modes: Modes,
    *,
    back: bool = False,
) -> DirectWalks:
    """Find the straight walks of villages without a road to schools beside them.

    A walk is offered where it is no longer than ``modes.direct_limit_m`` and keeps within the
    walking limit of the band, stays inside the county (where its outline is known), and crosses no
    railway or river (where a source of them is known) and no trunk or national road or motorway.
    Slope counts as on a road, where heights are known. Farther off the map does not tell what lies
    between, and nothing is guessed.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Its roads.
    homes, places : Places
        n points of departure and m schools and sites.
    roadless : (n,) bool
        Which homes join no road; of these villages alone are looked at, never students.
    modes : Modes
        Longest straight walk, whether slope counts, and how finely.
    back : bool, default False
        True = the way home.

    Returns
    -------
    DirectWalks
        Pairs by home, then place.
    """
    village = np.array([kind == "village" for kind in homes.kinds], dtype=np.bool_)
    rows = np.flatnonzero(roadless & village & np.isfinite(homes.x + homes.y))
    columns = np.flatnonzero(np.isfinite(places.x + places.y))
    # A tree, because a province has too many pairs for a matrix; a metre more than is asked for.
    near = shapely.STRtree(_points(places, columns)).query(
        _points(homes, rows), predicate="dwithin", distance=modes.direct_limit_m + 1.0
    )
    near = near[:, np.lexsort((near[1], near[0]))]
    home, place = rows[near[0]], columns[near[1]]
    metres = np.hypot(homes.x[home] - places.x[place], homes.y[home] - places.y[place])
    close = metres <= modes.direct_limit_m
    home, place, metres = home[close], place[close], metres[close]
    if not len(home):
        return DirectWalks(home, place, metres, metres, checked=True)
    ends = np.stack([np.column_stack([homes.x, homes.y])[home],
                     np.column_stack([places.x, places.y])[place]], axis=1)  # fmt: skip
    lines = np.asarray(shapely.linestrings(ends), dtype=object)
    fences = barriers_of(region)
    stopped = _crossed(lines, fences.lines[~fences.separated]) | _crossed(
        lines, _main_roads(network)
    )
    outline = _outline(region)
    if outline is not None:
        stopped |= ~shapely.covered_by(lines, outline)
    free = ~stopped
    effort = np.array(
        [
            _effort(region, xy[::-1] if back else xy, far, modes)
            for xy, far in zip(ends[free], metres[free], strict=True)
        ]
    ).reshape(-1)
    return DirectWalks(home[free], place[free], metres[free], effort, checked=fences.known)


def _points(places: Places, which: _Longs) -> npt.NDArray[np.object_]:
    return np.asarray(
        shapely.points(np.column_stack([places.x, places.y])[which]), dtype=object
    ).reshape(-1)


def _crossed(
    lines: npt.NDArray[np.object_], fences: npt.NDArray[np.object_]
) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(lines), dtype=np.bool_)
    if len(fences):
        found[shapely.STRtree(fences).query(lines, predicate="intersects")[0]] = True
    return found


def _main_roads(network: RoadNetwork) -> npt.NDArray[np.object_]:
    main = np.array([code in MAIN_ROADS for code in network.classes], dtype=np.bool_)
    mine = np.flatnonzero(main[network.road_class]) if len(network.tail) else np.zeros(0, int)
    found = np.empty(len(mine), dtype=object)
    found[:] = [
        shapely.LineString(network.shape[network.offsets[s] : network.offsets[s + 1]]) for s in mine
    ]
    return found


def _outline(region: Region) -> shapely.Geometry | None:
    if not len(region.boundaries) or "kind" not in region.boundaries.columns:
        return None
    shapes = region.boundaries.geometry[(region.boundaries["kind"] == "county").to_numpy()]
    shapes = shapes[~(shapes.isna() | shapes.is_empty)]
    return shapely.union_all(shapely.make_valid(shapes.to_numpy())) if len(shapes) else None


def _effort(region: Region, xy: _Floats, metres: float, modes: Modes) -> float:
    """Metres on the flat that take as long as a straight walk."""
    if region.elevation is None or not modes.walk_slope or metres == 0:
        return metres
    count = max(int(np.ceil(metres / modes.walk_slope_step_m)), 1)
    share = np.linspace(0.0, 1.0, count + 1)
    where = xy[0] + share[:, None] * (xy[1] - xy[0])
    height = sample(region.elevation, where[:, 0], where[:, 1], region.crs)
    slope = np.diff(height) / (metres / count)
    cap = modes.walk_slope_cap
    factor = tobler_factor(np.clip(np.where(np.isfinite(slope), slope, 0.0), -cap, cap))
    return float(metres * factor.mean())


def offered(
    walks: DirectWalks, bands: Sequence[Band]
) -> list[tuple[Band, npt.NDArray[np.bool_], _Floats]]:
    """Judge straight walks by the limits of the bands.

    Parameters
    ----------
    walks : DirectWalks
        Walks.
    bands : sequence of Band
        Bands.

    Returns
    -------
    list of (Band, (p,) bool, (p,) float64)
        For each band which walks are offered to it, and their minutes.
    """
    found = []
    for band in bands:
        minutes = walks.effort / (band.walk_kmh * 1000.0 / 60.0)
        found.append((band, minutes <= band.walk_limit_min, minutes))
    return found


def straight_minutes(
    walks: DirectWalks, bands: Sequence[Band], mode: str, shape: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Lay the straight walks that are offered to a mode out as a matrix.

    Parameters
    ----------
    walks : DirectWalks
        Walks.
    bands : sequence of Band
        Bands.
    mode : str
        ``walk_<band>``; other modes have none.
    shape : (int, int)
        Homes and places.

    Returns
    -------
    (n, m) float32
        Minutes; inf = none offered.
    """
    found = np.full(shape, np.inf, dtype=np.float32)
    for band, fits, taken in offered(walks, bands):
        if mode == f"walk_{band.band}":
            found[walks.home[fits], walks.place[fits]] = taken[fits]
    return found
