"""Travel times from every village to every site, by mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.network.graph import RoadNetwork, components, lengths, strong_components
from catchment.network.journey import door_to_door
from catchment.network.modes import Modes, modes_of
from catchment.network.roads import RoadClass, class_index, road_classes_of
from catchment.network.slope import slope_factors
from catchment.network.snap import Attachments, attach, coordinates, whole_parts
from catchment.region.bands import Band
from catchment.region.model import Region

_SHOWN = 8


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


def travel_times(
    region: Region,
    network: RoadNetwork,
    *,
    sites: Sequence[str] | None = None,
    modes: Modes | None = None,
    classes: Sequence[RoadClass] | None = None,
    metres: bool = True,
) -> TravelTimes:
    """Door-to-door minutes and metres from every village to every school and candidate site.

    Walking goes at the speed of the band, times Tobler's factor for slope in the direction walked;
    the straight walk to and from the nearest walkable road is charged at the same speed. The bus
    needs a drivable road within the longest access walk at both ends; access walk, wait, ride by
    class of road under the legal caps, and stops are charged. Metres are those of the path that is
    shortest in time, straight walks included. One-way roads bind vehicles, not walkers.

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

    Returns
    -------
    TravelTimes
        ``walk_<band>`` for every band, then ``bus``; inf = unreachable.

    Raises
    ------
    InputError
        When a site does not exist, or two share an id.
    """
    homes = _Places.of(region.villages, "village_id", "village")
    return _times(region, network, homes, _sites(region, sites), modes, classes, metres)


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
    homes = _Places(names, ("point",) * len(px), px, py)
    return _times(region, network, homes, _sites(region, sites), modes, classes, metres)


def best_mode(
    times: TravelTimes, bands: Sequence[Band]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Minutes, metres and mode of every group of children: on foot if near enough, else by bus.

    A band walks where that takes no longer than its ``walk_limit_min``; else it rides where there
    is a bus; else it walks, however far (the rules say that it is too far).

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
    bus = times.modes.index("bus") if "bus" in times.modes else -1
    for k, band in enumerate(bands):
        if f"walk_{band.band}" not in times.modes:
            raise InputError(
                f"出行时间缺少学段 {band.band} 的步行方式，请重新计算 / travel times lack walking "
                f"for band {band.band}; compute them again"
            )
        walk = times.modes.index(f"walk_{band.band}")
        chosen = np.where(np.isfinite(times.minutes[walk]), walk, -1)
        if bus >= 0:
            rides = ~(times.minutes[walk] <= band.walk_limit_min)
            chosen[rides & np.isfinite(times.minutes[bus])] = bus
        mode[:, k] = chosen
        for which in sorted({walk, bus} - {-1}):
            here = chosen == which
            minutes[:, k][here] = times.minutes[which][here]
            metres[:, k][here] = times.metres[which][here]
    return (
        minutes.reshape(groups, count),
        metres.reshape(groups, count),
        mode.reshape(groups, count),
    )


def bus_seconds(
    network: RoadNetwork, modes: Modes, classes: Sequence[RoadClass]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Seconds a school bus takes on every segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    modes : Modes
        Legal caps.
    classes : sequence of RoadClass
        Speed and cap by class.

    Returns
    -------
    forward, backward : (e,) float64
        Seconds from tail to head and back; inf where it may not be driven.
    """
    table = _classes_of(network, classes)
    kmh = np.array([min(c.bus_kmh, c.cap_kmh, modes.bus_cap_kmh) for c in table])[
        network.road_class
    ]
    kmh = np.fmin(kmh, network.maxspeed.astype(np.float64))
    kmh = np.where(network.hazard, np.minimum(kmh, modes.bus_hazard_kmh), kmh)
    seconds = lengths(network) / (kmh / 3.6)
    return (
        np.where(network.drive_forward, seconds, np.inf),
        np.where(network.drive_backward, seconds, np.inf),
    )


def walk_effort(
    network: RoadNetwork, modes: Modes
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Metres on the flat that take as long to walk as every segment.

    Parameters
    ----------
    network : RoadNetwork
        Roads with e segments.
    modes : Modes
        Whether and how slope counts.

    Returns
    -------
    forward, backward : (e,) float64
        Metres from tail to head and back; inf where it may not be walked.
    """
    forward, backward = slope_factors(network, modes)
    metres = lengths(network)
    return (
        np.where(network.walk, metres * forward, np.inf),
        np.where(network.walk, metres * backward, np.inf),
    )


@dataclass(frozen=True)
class _Places:
    """Points with their ids."""

    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]

    @staticmethod
    def of(table: gpd.GeoDataFrame, key: str, kind: str) -> _Places:
        ids = tuple(str(k) for k in table[key])
        return _Places(ids, (kind,) * len(ids), *coordinates(table.geometry.to_numpy()))

    def take(self, which: Sequence[int]) -> _Places:
        at = np.asarray(which, dtype=np.int64)
        return _Places(
            tuple(self.ids[k] for k in at),
            tuple(self.kinds[k] for k in at),
            self.x[at],
            self.y[at],
        )


def _sites(region: Region, wanted: Sequence[str] | None) -> _Places:
    schools = _Places.of(region.schools, "school_id", "school")
    new = _Places.of(region.sites, "site_id", "site")
    every = _Places(
        schools.ids + new.ids,
        schools.kinds + new.kinds,
        np.concatenate([schools.x, new.x]),
        np.concatenate([schools.y, new.y]),
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


def _classes_of(network: RoadNetwork, classes: Sequence[RoadClass]) -> list[RoadClass]:
    """Class rows in the network's own order; a class the table lacks counts as ``road``."""
    index = class_index(classes)
    other = index.get("road", len(classes) - 1)
    return [classes[index.get(code.lower(), other)] for code in network.classes]


def _times(
    region: Region,
    network: RoadNetwork,
    homes: _Places,
    places: _Places,
    modes: Modes | None,
    classes: Sequence[RoadClass] | None,
    metres: bool,
) -> TravelTimes:
    settings = modes if modes is not None else modes_of(region)
    table = classes if classes is not None else road_classes_of(region)
    both = _Places(
        homes.ids + places.ids,
        homes.kinds + places.kinds,
        np.concatenate([homes.x, places.x]),
        np.concatenate([homes.y, places.y]),
    )
    n = len(homes.ids)
    walk_at = attach(
        network,
        both.x,
        both.y,
        allowed=network.walk,
        limit_m=settings.snap_limit_m,
        extra_m=settings.snap_extra_m,
        fragment_m=settings.snap_fragment_m,
    )
    bus_at = _bus_stops(network, both, settings, table)
    shape = (len(region.bands) + 1, n, len(places.ids))
    minutes = np.full(shape, np.inf, dtype=np.float32)
    path = np.full(shape, np.inf if metres else np.nan, dtype=np.float32)

    # Every band walks the same path at its own speed, so one search serves them all.
    effort, walked = door_to_door(
        network, *walk_effort(network, settings), walk_at, slice(0, n), slice(n, None), metres
    )
    legs = walk_at.walk_m[:n, None] + walk_at.walk_m[None, n:]
    for k, band in enumerate(region.bands):
        minutes[k] = (effort + legs) / (band.walk_kmh * 1000.0 / 60.0)
        path[k] = walked + legs
    ride, ridden = door_to_door(
        network, *bus_seconds(network, settings, table), bus_at, slice(0, n), slice(n, None), metres
    )
    legs = bus_at.walk_m[:n, None] + bus_at.walk_m[None, n:]
    waits = settings.bus_wait_min + settings.bus_stop_min * settings.bus_stops
    minutes[-1] = ride / 60.0 + legs / (settings.bus_access_kmh * 1000.0 / 60.0) + waits
    path[-1] = ridden + legs
    if metres:
        path[~np.isfinite(minutes)] = np.inf
    drivable = network.drive_forward | network.drive_backward
    labels, _ = components(network, network.walk)
    _, parts = components(network, drivable)
    return TravelTimes(
        modes=(*(f"walk_{band.band}" for band in region.bands), "bus"),
        villages=homes.ids,
        sites=places.ids,
        minutes=minutes,
        metres=path,
        snaps=_snap_table(network, both, walk_at, bus_at, labels),
        components=parts,
        notes=tuple(_notes(network, both, n, walk_at, bus_at, minutes, parts, settings)),
    )


def _bus_stops(
    network: RoadNetwork, places: _Places, modes: Modes, classes: Sequence[RoadClass]
) -> Attachments:
    """Attach to roads where a bus may stop, within the access walk, out of one-way traps if near.

    A bus must come and go, so what counts as a part are junctions that can all be driven to from
    each other.
    """
    stop = np.array([c.stop for c in _classes_of(network, classes)])[network.road_class]
    strong = strong_components(network, network.drive_forward, network.drive_backward)
    drivable = network.drive_forward | network.drive_backward
    main = whole_parts(network, drivable, modes.snap_fragment_m, strong)
    limit = modes.bus_access_limit_min * modes.bus_access_kmh * 1000.0 / 60.0
    return attach(
        network,
        places.x,
        places.y,
        allowed=drivable & stop,
        limit_m=max(min(limit, modes.snap_limit_m), 1e-6),
        extra_m=modes.snap_extra_m,
        preferred=main,
    )


def _snap_table(
    network: RoadNetwork,
    places: _Places,
    walk_at: Attachments,
    bus_at: Attachments,
    labels: npt.NDArray[np.int32],
) -> pd.DataFrame:
    on = walk_at.segment >= 0
    component = np.full(len(places.ids), -1, dtype=np.int64)
    component[on] = labels[network.tail[walk_at.segment[on]]]
    return pd.DataFrame(
        {
            "kind": list(places.kinds),
            "id": list(places.ids),
            "walk_m": np.where(on, walk_at.walk_m, walk_at.nearest_m),
            "drive_m": np.where(bus_at.segment >= 0, bus_at.walk_m, bus_at.nearest_m),
            "component": component,
            "beyond_limit": walk_at.beyond_limit,
            "moved": walk_at.moved | bus_at.moved,
            "bus": bus_at.segment >= 0,
        }
    )


def _notes(
    network: RoadNetwork,
    places: _Places,
    n: int,
    walk_at: Attachments,
    bus_at: Attachments,
    minutes: npt.NDArray[np.float32],
    parts: pd.DataFrame,
    modes: Modes,
) -> list[str]:
    """Say what people must know about reach; homes of students are counted, never named."""

    def who(mask: npt.NDArray[np.bool_]) -> str:
        named = [places.ids[k] for k in np.flatnonzero(mask) if places.kinds[k] != "point"]
        tail = "…" if len(named) > _SHOWN else ""
        return f"：{'、'.join(named[:_SHOWN])}{tail}" if named else ""

    notes: list[str] = []
    far = walk_at.beyond_limit
    if far.any():
        notes.append(
            f"{int(far.sum())} 个点离最近道路超过 {modes.snap_limit_m:g} 米，未接入路网{who(far)} / "
            f"{int(far.sum())} points lie farther than {modes.snap_limit_m:g} m from every road "
            "and were not attached"
        )
    lost = np.zeros(len(places.ids), dtype=np.bool_)
    lost[:n] = ~np.isfinite(minutes).any(axis=(0, 2))
    if lost.any():
        notes.append(
            f"{int(lost.sum())} 个村（点）没有任何道路通往任何学校{who(lost)} / {int(lost.sum())} "
            "villages (points) have no road to any school"
        )
    no_bus = bus_at.segment < 0
    no_bus[n:] = False
    if no_bus.any():
        notes.append(
            f"{int(no_bus.sum())} 个村（点）步行 {modes.bus_access_limit_min:g} 分钟内没有可行车道路，"
            f"不能乘车{who(no_bus)} / {int(no_bus.sum())} villages (points) have no drivable road "
            f"within {modes.bus_access_limit_min:g} minutes' walk: no bus"
        )
    moved = walk_at.moved | bus_at.moved
    if moved.any():
        notes.append(
            f"{int(moved.sum())} 个点的最近道路是孤立的零碎路段，改接成片路网{who(moved)} / "
            f"{int(moved.sum())} points were attached past the road nearest to them, a fragment "
            "that leads nowhere"
        )
    if len(parts) > 1:
        notes.append(
            f"可行车道路分为 {len(parts)} 个互不连通的部分，最大部分占 {parts['share'].iloc[0]:.1%} 的"
            f"路口 / drivable roads form {len(parts)} separate parts; the largest holds "
            f"{parts['share'].iloc[0]:.1%} of the junctions"
        )
    strong = strong_components(network, network.drive_forward, network.drive_backward)
    weak, _ = components(network, network.drive_forward | network.drive_backward)
    trapped = int(((weak == 0) & (strong != 0)).sum())
    if trapped:
        notes.append(
            f"主路网中 {trapped} 个路口受单行限制不能往返 / {trapped} junctions of the main network "
            "cannot be both reached and left by vehicles (one-way roads)"
        )
    return notes
