"""Travel times from every village to every site, by mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.network.allowed import BUS, WALK, BandMode, band_modes_of, read_band_modes
from catchment.network.build import without_built
from catchment.network.direct import direct_walks, offered
from catchment.network.graph import RoadNetwork, components
from catchment.network.journey import Search, door_to_door
from catchment.network.means import RIDES, Means, means_of
from catchment.network.modes import Modes, modes_of
from catchment.network.notices import joining_notes, snap_table, straight_note
from catchment.network.places import Places, sites_of, villages_of
from catchment.network.roads import RoadClass, road_classes_of
from catchment.region.bands import Band
from catchment.region.model import Region

Direction = Literal["there", "back", "worst"]
"""From home to school, from school home, or whichever of the two takes longer."""


def _none() -> npt.NDArray[np.float32]:
    return np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class TravelTimes:
    """Minutes and metres by mode, village and site, one way, from home to school.

    Attributes
    ----------
    modes : tuple of str
        ``walk_lower``, ``walk_upper``, ``walk_junior`` (one a band), ``bus``, and where a band may
        use them ``ebike`` and ``car``.
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
    direction : {"there", "back", "worst"}
        From home to school, back, or whichever takes longer.
    home_m, site_m : (modes, n) and (modes, m) float32
        Access legs at both ends, part of the metres: the straight walk between the point and the
        road; inf = not joined to a road of the mode (``direct`` then has the straight walks).
    allowed : tuple of BandMode
        Modes and limits of every band of the county; empty = the shipped table.
    direct : (n, m) bool
        Pairs whose walk is the straight line, because no road is mapped at the village; empty
        where there is none.
    """

    modes: tuple[str, ...]
    villages: tuple[str, ...]
    sites: tuple[str, ...]
    minutes: npt.NDArray[np.float32]
    metres: npt.NDArray[np.float32]
    snaps: pd.DataFrame
    components: pd.DataFrame
    notes: tuple[str, ...] = ()
    direction: Direction = "there"
    home_m: npt.NDArray[np.float32] = field(default_factory=_none)
    site_m: npt.NDArray[np.float32] = field(default_factory=_none)
    allowed: tuple[BandMode, ...] = ()
    direct: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))


def travel_times(
    region: Region,
    network: RoadNetwork,
    *,
    sites: Sequence[str] | None = None,
    modes: Modes | None = None,
    classes: Sequence[RoadClass] | None = None,
    metres: bool = True,
    direction: Direction = "there",
    search: Search | None = None,
) -> TravelTimes:
    """Door-to-door minutes and metres from every village to every school and candidate site.

    Walking goes at the speed of the band, times Tobler's factor for slope in the direction walked;
    the straight walk to and from the nearest walkable road is charged at the same speed. The bus
    needs a drivable road within the longest access walk at both ends; access walk, wait, ride by
    class of road under the legal caps, and stops are charged. Metres are those of the path that is
    shortest in time, straight walks included. One-way roads bind vehicles, not walkers. A parent's
    e-bike and vehicle are reckoned where a band may use them (``band_modes.csv``).

    A village with no mapped road within the snapping limit is offered the straight walk to a school
    beside it (``direct_limit_m``), where that crosses no known barrier: ``direct`` says which these
    are, a note names the villages, and they stay listed as beyond the limit.

    Where a plan builds roads, a trip is never longer than on the roads there were: a point joins the
    road nearest to it, and one that joins a new road keeps the trip by its old one where shorter.

    Parameters
    ----------
    region : Region
        County with n villages, its schools and candidate sites.
    network : RoadNetwork
        Roads in the region's CRS.
    sites : sequence of str, optional
        Ids of schools and candidate sites; all, schools first, when left out.
    modes : Modes, optional
        Speeds, waits and limits; the county's own or the shipped when left out.
    classes : sequence of RoadClass, optional
        Table of road classes; the county's own or the shipped when left out.
    metres : bool, default True
        False = minutes alone, from the many-to-many kernel; ``metres`` is then all nan.
    direction : {"there", "back", "worst"}, default "there"
        From home to school, from school home, or for every pair and mode whichever takes longer.
    search : callable, optional
        Searches the roads in place of ``door_to_door``; that of ``Kept`` remembers what it found.

    Returns
    -------
    TravelTimes
        ``walk_<band>`` for every band, then ``bus``; inf = unreachable.

    Raises
    ------
    InputError
        When a site does not exist, or two share an id.
    """
    found, *old = (
        _times(
            region,
            roads,
            villages_of(region),
            sites_of(region, sites),
            modes if modes is not None else modes_of(region),
            classes if classes is not None else road_classes_of(region),
            _How(metres, direction, search or door_to_door),
        )
        for roads in ((network, without_built(network)) if network.built.any() else (network,))
    )
    return _no_longer(found, old[0]) if old else found


def _no_longer(found: TravelTimes, old: TravelTimes) -> TravelTimes:
    """Let whoever has a shorter way on the old roads keep it: a road more makes no trip longer.

    A point joins the road nearest to it, and a new one may pass nearer than the one it uses.
    """
    shorter = old.minutes < found.minutes
    if not shorter.any():
        return found
    walks = [k for k, name in enumerate(found.modes) if name.startswith("walk_")]
    direct = found.direct
    if found.direct.size or old.direct.size:
        shape = found.minutes.shape[1:]
        here = found.direct if found.direct.size else np.zeros(shape, dtype=np.bool_)
        there = old.direct if old.direct.size else np.zeros(shape, dtype=np.bool_)
        direct = np.where(shorter[walks].any(axis=0), there, here)
    return dataclasses.replace(
        found,
        minutes=np.where(shorter, old.minutes, found.minutes),
        metres=np.where(shorter, old.metres, found.metres),
        direct=direct,
    )


def point_times(
    region: Region,
    network: RoadNetwork,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    ids: Sequence[str] | None = None,
    sites: Sequence[str] | None = None,
    modes: Modes | None = None,
    classes: Sequence[RoadClass] | None = None,
    metres: bool = False,
    direction: Direction = "there",
) -> TravelTimes:
    """Minutes from any points, such as students' homes, to every school and candidate site.

    The answer has a row a point and stays on the machine: it belongs in no output.

    Parameters
    ----------
    region : Region
        County with its schools and candidate sites.
    network : RoadNetwork
        Roads in the region's CRS.
    x, y : (n,) array-like of float
        Points in the region's CRS, metres; nan = no place.
    ids : sequence of str, optional
        Ids of the points; their positions when left out.
    sites, modes, classes
        As in ``travel_times``.
    metres : bool, default False
        True = metres too.
    direction : {"there", "back", "worst"}, default "there"
        As in ``travel_times``.

    Returns
    -------
    TravelTimes
        As of ``travel_times``, with ``villages`` = ids of the points.

    Raises
    ------
    InputError
        When a site does not exist, or two share an id.
    """
    px, py = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    names = tuple(str(k) for k in (ids if ids is not None else range(len(px))))
    return _times(
        region,
        network,
        Places(names, ("point",) * len(px), px, py),
        sites_of(region, sites),
        modes if modes is not None else modes_of(region),
        classes if classes is not None else road_classes_of(region),
        _How(metres, direction, door_to_door),
    )


def best_mode(
    times: TravelTimes, bands: Sequence[Band]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Minutes, metres and mode of every group of children: on foot if near enough, else by bus.

    A band walks where that takes no longer than its ``walk_limit_min``; else it rides where there
    is a bus; else it walks, however far (the rules say that it is too far). Where the county lets
    the band go by a parent's e-bike or vehicle, the first of walking, bus, e-bike and vehicle that
    keeps to its limit is taken; if none does, the first ride there is; else walking.

    Parameters
    ----------
    times : TravelTimes
        Times of v villages to m sites, with ``walk_<band>`` for every band, and maybe ``bus``.
    bands : sequence of Band
        Bands in order.

    Returns
    -------
    minutes, metres : (v * bands, m) float32
        One row a village and band, by village, then band; inf = unreachable.
    mode : (v * bands, m) int8
        Position in ``times.modes``; -1 = unreachable.

    Raises
    ------
    InputError
        When the times lack a band's mode.
    """
    count, groups = len(times.sites), len(times.villages) * len(bands)
    minutes = np.full((len(times.villages), len(bands), count), np.inf, dtype=np.float32)
    metres = np.full_like(minutes, np.inf)
    mode = np.full(minutes.shape, -1, dtype=np.int8)
    for k, band in enumerate(bands):
        if f"walk_{band.band}" not in times.modes:
            raise InputError(
                f"出行时间缺少学段 {band.band} 的步行方式，请重新计算 / travel times lack walking "
                f"for band {band.band}; compute them again"
            )
        ways = mode_limits(times, band)
        chosen = np.full((len(times.villages), count), -1, dtype=np.int8)
        for which, limit in ways:
            chosen[(chosen < 0) & (times.minutes[which] <= limit)] = which
        # Beyond every limit: any ride before any walk.
        for which, _ in sorted(ways, key=lambda way: times.modes[way[0]].startswith(WALK)):
            chosen[(chosen < 0) & np.isfinite(times.minutes[which])] = which
        mode[:, k] = chosen
        for which, _ in ways:
            here = chosen == which
            minutes[:, k][here] = times.minutes[which][here]
            metres[:, k][here] = times.metres[which][here]
    return (
        minutes.reshape(groups, count),
        metres.reshape(groups, count),
        mode.reshape(groups, count),
    )


def mode_limits(times: TravelTimes, band: Band) -> list[tuple[int, float]]:
    """List the modes that a band may use, in the order in which it takes them.

    Parameters
    ----------
    times : TravelTimes
        Times by mode.
    band : Band
        The band.

    Returns
    -------
    list of (int, float)
        Position in ``times.modes`` and limit in one-way minutes.
    """
    rows = [row for row in times.allowed if row.band == band.band] or read_band_modes([band])
    found = []
    for row in rows:
        name = f"walk_{band.band}" if row.mode == WALK else row.mode
        if row.allowed and name in times.modes:
            found.append((times.modes.index(name), row.limit_of(band)))
    return found


@dataclass(frozen=True)
class _How:
    """How times are asked for."""

    metres: bool
    direction: Direction
    search: Search


def _times(
    region: Region,
    network: RoadNetwork,
    homes: Places,
    places: Places,
    modes: Modes,
    classes: Sequence[RoadClass],
    how: _How,
) -> TravelTimes:
    both = homes.then(places)
    n = len(homes.ids)
    allowed = band_modes_of(region)
    # Walking and the bus are always reckoned: the rules ask of them.
    extra = {row.mode for row in allowed if row.allowed} & set(RIDES)
    means = means_of(network, both.x, both.y, modes, classes, {WALK, BUS} | extra)
    named = [
        (item, band.walk_kmh, f"walk_{band.band}") for item in means[:1] for band in region.bands
    ]
    named += [(item, 0.0, item.name) for item in means[1:]]
    shape = (len(named), n, len(places.ids))
    minutes = np.full(shape, np.inf, dtype=np.float32)
    path = np.full(shape, np.inf if how.metres else np.nan, dtype=np.float32)
    for item in means:
        # Every band walks the same path at its own speed, so one search serves them all.
        rows = [k for k, (own, _, _) in enumerate(named) if own is item]
        for back in {"there": (False,), "back": (True,), "worst": (False, True)}[how.direction]:
            _fill(network, item, n, how, back, [(k, named[k][1]) for k in rows], minutes, path)
    if how.metres:
        path[~np.isfinite(minutes)] = np.inf
    direct, said = _walk_straight(
        region, network, homes, places, means[0], how, minutes, path, modes
    )
    drivable = network.drive_forward | network.drive_backward
    labels, _ = components(network, network.walk)
    _, parts = components(network, drivable)
    walk_at, bus_at = means[0].at, means[1].at
    legs = np.array([item.at.walk_m for item, _, _ in named], dtype=np.float32)
    return TravelTimes(
        modes=tuple(name for _, _, name in named),
        villages=homes.ids,
        sites=places.ids,
        minutes=minutes,
        metres=path,
        snaps=snap_table(network, both, walk_at, bus_at, labels),
        components=parts,
        notes=(*joining_notes(network, both, n, walk_at, bus_at, minutes, parts, modes), *said),
        direction=how.direction,
        home_m=legs[:, :n],
        site_m=legs[:, n:],
        allowed=allowed,
        direct=direct,
    )


def _walk_straight(
    region: Region,
    network: RoadNetwork,
    homes: Places,
    places: Places,
    means: Means,
    how: _How,
    minutes: npt.NDArray[np.float32],
    path: npt.NDArray[np.float32],
    modes: Modes,
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Write straight walks of villages without a road into the caller's own arrays."""
    none = np.zeros((0, 0), dtype=np.bool_)
    n, bands = len(homes.ids), region.bands
    roadless = means.at.segment[:n] < 0
    ways = {"there": (False,), "back": (True,), "worst": (False, True)}[how.direction]
    found = [
        direct_walks(region, network, homes, places, roadless, modes, back=back) for back in ways
    ]
    if not len(found[0].home):
        return none, []
    direct = np.zeros((n, len(places.ids)), dtype=np.bool_)
    for k in range(len(bands)):
        longest = np.zeros(direct.shape, dtype=np.float32)
        for walks in found:
            _, fits, taken = offered(walks, bands)[k]
            own = np.full(direct.shape, np.inf, dtype=np.float32)
            own[walks.home[fits], walks.place[fits]] = taken[fits]
            longest = np.maximum(longest, own)
        mine = np.isfinite(longest)
        minutes[k][mine] = longest[mine]
        direct |= mine
        if how.metres:
            straight = np.zeros(direct.shape, dtype=np.float32)
            straight[found[0].home, found[0].place] = found[0].metres
            path[k][mine] = straight[mine]
    if not direct.any():
        return none, []
    return direct, [straight_note(homes, np.asarray(direct.any(axis=1)), found[0].checked)]


def _fill(
    network: RoadNetwork,
    means: Means,
    n: int,
    how: _How,
    back: bool,
    rows: Sequence[tuple[int, float]],
    minutes: npt.NDArray[np.float32],
    path: npt.NDArray[np.float32],
) -> None:
    """Write one search into ``minutes`` and ``path`` (the caller's own arrays), the longer staying.

    The way back is the way there on the roads turned round.
    """
    ways = (means.backward, means.forward) if back else (means.forward, means.backward)
    cost, along = how.search(network, *ways, means.at, slice(0, n), slice(n, None), how.metres)
    legs = means.at.walk_m[:n, None] + means.at.walk_m[None, n:]
    for k, kmh in rows:
        fresh = means.minutes(cost, legs, kmh).astype(np.float32)
        if how.direction == "worst" and back:
            longer = fresh > minutes[k]
            minutes[k] = np.where(longer, fresh, minutes[k])
            path[k] = np.where(longer, (along + legs).astype(np.float32), path[k])
        else:
            minutes[k] = fresh
            path[k] = along + legs
