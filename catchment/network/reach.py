"""What can be reached: areas around a school by minutes, the way of one village, what lies apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from catchment.errors import InputError, NotFoundError
from catchment.network.access import access_report, component_report
from catchment.network.allowed import WALK
from catchment.network.areas import isochrones, mode_means
from catchment.network.direct import direct_walks, straight_minutes
from catchment.network.graph import RoadNetwork, lengths
from catchment.network.means import Means
from catchment.network.modes import Modes
from catchment.network.places import Places, sites_of, villages_of
from catchment.network.routes import Routes, stretch_shape, trace
from catchment.region.elevation import sample
from catchment.region.model import Region

__all__ = ["Path", "access_report", "component_report", "isochrones", "path", "paths"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """The way of one village to one school, or back.

    Attributes
    ----------
    village_id, site_id, mode : str
        Ends and mode.
    direction : {"there", "back"}
        From home to school, or back.
    line : LineString
        From the village to the school (or back), straight walks to and from the road included, in
        the region's CRS; empty = there is no way.
    minutes, metres : float
        Door to door; inf = there is no way.
    home_m, site_m : float
        Straight walks at the village's and at the school's end, metres; of a village without a
        mapped road the whole way and 0.
    classes : tuple of (str, float)
        Classes of road and the metres along them, in the order of the table of classes.
    names : tuple of str
        Names of the roads in the order travelled, each once.
    distance_m, height_m : (h,) float64
        Profile: metres from the start and height there, nan where it is not known; empty without
        an elevation raster.
    ascent, descent : float
        Metres of height climbed and gone down, >= 0; nan without an elevation raster.
    """

    village_id: str
    site_id: str
    mode: str
    direction: Literal["there", "back"]
    line: shapely.LineString
    minutes: float
    metres: float
    home_m: float
    site_m: float
    classes: tuple[tuple[str, float], ...]
    names: tuple[str, ...]
    distance_m: _Floats
    height_m: _Floats
    ascent: float
    descent: float


def path(
    region: Region,
    network: RoadNetwork,
    village: str,
    site: str,
    *,
    mode: str,
    direction: Literal["there", "back"] = "there",
) -> Path:
    """Follow the way of one village to one school.

    Only villages have ways drawn: the way of a student would show a home.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Roads in the region's CRS.
    village : str
        Id of a village.
    site : str
        Id of a school or candidate site.
    mode : str
        ``walk_<band>``, ``bus``, ``ebike`` or ``car``.
    direction : {"there", "back"}, default "there"
        From home to school, or back.

    Returns
    -------
    Path
        The way; its minutes and metres are those of ``travel_times``.

    Raises
    ------
    NotFoundError
        When there is no such village.
    InputError
        When a point or a student is given, or the site or mode does not exist.
    """
    return paths(region, network, site, mode=mode, villages=[village], direction=direction)[0]


def paths(
    region: Region,
    network: RoadNetwork,
    site: str,
    *,
    mode: str,
    villages: Sequence[str] | None = None,
    direction: Literal["there", "back"] = "there",
) -> tuple[Path, ...]:
    """Follow the ways of many villages to one school.

    Parameters
    ----------
    region, network, site, mode
        As of ``path``.
    villages : sequence of str, optional
        Ids of villages; all when left out.
    direction : {"there", "back"}, default "there"
        From home to school, or back.

    Returns
    -------
    tuple of Path
        One a village, in their order.

    Raises
    ------
    NotFoundError
        When there is no such village.
    InputError
        When a point or a student is given, or the site or mode does not exist.
    """
    homes = villages_of(region) if villages is None else _villages(region, villages)
    n = len(homes.ids)
    place = sites_of(region, [site])
    both = homes.then(place)
    means, kmh, settings = mode_means(region, network, mode, both)
    ahead, back = means.forward, means.backward
    ways = (ahead, back) if direction == "there" else (back, ahead)
    routes = trace(network, *ways, means.at, np.arange(n), np.full(n, n))
    legs = means.at.walk_m[:n] + means.at.walk_m[n]
    minutes = means.minutes(routes.cost, legs, kmh).astype(np.float32)
    metres = (routes.metres + legs).astype(np.float32)
    straight = np.full(n, np.inf, dtype=np.float32)
    if means.name == WALK:
        roadless = means.at.segment[:n] < 0
        walks = direct_walks(
            region, network, homes, place, roadless, settings, back=direction == "back"
        )
        straight = straight_minutes(walks, region.bands, mode, (n, 1))[:, 0]
        metres[walks.home] = walks.metres
    offroad = np.isfinite(straight)
    minutes = np.where(offroad, straight, minutes)
    metres = np.where(np.isfinite(minutes), metres, np.float32(np.inf))
    travelled = np.abs(routes.end - routes.begin) * lengths(network)[routes.segment]
    found = []
    for k in range(n):
        own = slice(int(routes.first[k]), int(routes.first[k + 1]))
        course = _course(network, routes, own, means, both, k) if np.isfinite(minutes[k]) else []
        if direction == "back":
            course = [(segment, xy[::-1]) for segment, xy in reversed(course)]
        by_class = np.bincount(
            network.road_class[routes.segment[own]],
            weights=travelled[own],
            minlength=len(network.classes),
        )
        distance, height = _profile(region, network, course, settings)
        rise = np.diff(height)
        rise = rise[np.isfinite(rise)]
        known = region.elevation is not None and bool(course)
        named = [network.names[s] for s, _ in course if s >= 0 and network.names[s]]
        found.append(
            Path(
                village_id=homes.ids[k],
                site_id=site,
                mode=mode,
                direction=direction,
                line=_line(course),
                minutes=float(minutes[k]),
                metres=float(metres[k]),
                home_m=float(metres[k] if offroad[k] else means.at.walk_m[k]),
                site_m=0.0 if offroad[k] else float(means.at.walk_m[n]),
                classes=tuple(
                    (code, float(m))
                    for code, m in zip(network.classes, by_class, strict=True)
                    if m > 0
                ),
                names=tuple(dict.fromkeys(named)),
                distance_m=distance,
                height_m=height,
                ascent=float(rise[rise > 0].sum()) if known else float("nan"),
                descent=float(-rise[rise < 0].sum()) if known else float("nan"),
            )
        )
    return tuple(found)


def _villages(region: Region, wanted: Sequence[str]) -> Places:
    position = {str(k): i for i, k in enumerate(region.villages["village_id"])}
    students = region.students
    known = set(students["student_id"].astype(str)) if "student_id" in students.columns else set()
    for village in wanted:
        if isinstance(village, str) and village in position:
            continue
        if not isinstance(village, str) or village in known:
            raise InputError(
                "只画村到学校的路径，不画学生或任意点的路径 / ways are drawn for villages only, never "
                "for a student or a point"
            )
        raise NotFoundError(f"villages：没有村 {village} / there is no village {village}")
    return villages_of(region).take([position[village] for village in wanted])


def _course(
    network: RoadNetwork, routes: Routes, own: slice, means: Means, points: Places, home: int
) -> list[tuple[int, _Floats]]:
    """Segment (-1 = off the road) and shape of every stretch from a village to the last point."""
    at = means.at
    off = np.column_stack([points.x, points.y])
    on = np.column_stack([at.x, at.y])
    course: list[tuple[int, _Floats]] = []
    if at.segment[home] < 0:  # no road is mapped: straight on
        return [(-1, np.stack([off[home], off[-1]]))]
    if at.walk_m[home] > 0:
        course.append((-1, np.stack([off[home], on[home]])))
    course += [
        (int(s), stretch_shape(network, int(s), float(a), float(b)))
        for s, a, b in zip(routes.segment[own], routes.begin[own], routes.end[own], strict=True)
    ]
    if at.walk_m[-1] > 0:
        course.append((-1, np.stack([on[-1], off[-1]])))
    # The school may stand where the village does.
    return course or [(-1, np.stack([off[home], off[-1]]))]


def _line(course: Sequence[tuple[int, _Floats]]) -> shapely.LineString:
    if not course:
        return shapely.LineString()
    xy = np.vstack([shape for _, shape in course])
    fresh = np.concatenate([[True], (np.abs(np.diff(xy, axis=0)) > 1e-6).any(axis=1)])
    kept = xy[fresh]
    return shapely.LineString(kept if len(kept) > 1 else np.vstack([kept, kept]))


def _profile(
    region: Region,
    network: RoadNetwork,
    course: Sequence[tuple[int, _Floats]],
    modes: Modes,
) -> tuple[_Floats, _Floats]:
    """Heights along the way; on bridges and in tunnels between their ends alone."""
    if region.elevation is None or not course:
        return np.zeros(0), np.zeros(0)
    spots: list[_Floats] = []
    distances: list[_Floats] = []
    done = 0.0
    known = len(network.bridge) == len(network.tail)
    for own, xy in course:
        run = np.concatenate([[0.0], np.cumsum(np.hypot(*(xy[1:] - xy[:-1]).T))])
        count = max(int(np.ceil(run[-1] / modes.walk_slope_step_m)), 1)
        if own >= 0 and known and network.bridge[own]:
            count = 1
        along = np.linspace(0.0, run[-1], count + 1)[1 if spots else 0 :]
        spots.append(np.column_stack([np.interp(along, run, xy[:, k]) for k in (0, 1)]))
        distances.append(done + along)
        done += float(run[-1])
    where = np.vstack(spots)
    return np.concatenate(distances), sample(region.elevation, where[:, 0], where[:, 1], region.crs)
