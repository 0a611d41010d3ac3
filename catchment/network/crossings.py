"""Railways, main roads and rivers on the walk to school."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from catchment.english import counted
from catchment.errors import InputError
from catchment.network.allowed import WALK
from catchment.network.barriers import (
    MAIN_ROAD,
    RAILWAY,
    RIVER,
    Barriers,
    Hits,
    barriers_of,
    crossings_of,
    joined,
    merged,
)
from catchment.network.graph import RoadNetwork, lengths, shape_lengths
from catchment.network.means import Means, means_of
from catchment.network.modes import Modes, modes_of
from catchment.network.places import Places, sites_of, villages_of
from catchment.network.roads import RoadClass, road_classes_of
from catchment.network.routes import Routes, trace
from catchment.region.model import Region

KINDS = ("railway", "main_road_along", "main_road_cross", "river")
"""A railway at grade; a main road walked along, or crossed; a river without a mapped bridge."""

MAIN_CLASSES = frozenset({"trunk", "trunk_link", "primary", "primary_link"})
_CARS_ONLY = frozenset({"motorway", "motorway_link"})
_TOUCH_M = 0.5  # crossings of one line this near each other are one touch
_SAME_M = 50.0  # tracks, carriageways and arms this near each other are crossed at once
_ALONG_M = 30.0  # a main road walked for less is crossed

_Floats = npt.NDArray[np.float64]
_Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crossings:
    """What the walk of every village to its school crosses.

    Attributes
    ----------
    table : DataFrame
        ``village_id, band, site_id, kind, count, names, metres``: one row a village, band and kind
        (of ``KINDS``) that occurs. ``count`` is crossings, or stretches walked along a main road;
        ``names`` joins the names met by ``、``; ``metres`` is the length walked along, else 0.
    checked : DataFrame
        ``village_id, band, site_id, minutes, state``: one row a village and band. ``minutes`` on
        foot; ``state`` is ``crosses``, ``clear``, ``partly`` (no main road met; railways and rivers
        are not known), ``no_way`` (cannot be walked along mapped roads) or ``no_school``.
    notes : tuple of str
        For people: what could not be judged.
    """

    table: pd.DataFrame
    checked: pd.DataFrame
    notes: tuple[str, ...]


def crossings(
    region: Region,
    network: RoadNetwork,
    *,
    sites: Mapping[str, Sequence[str]] | None = None,
    barriers: Barriers | None = None,
    modes: Modes | None = None,
    classes: Sequence[RoadClass] | None = None,
) -> Crossings:
    """List what every village's walk to its school crosses.

    Judged is the way that ``travel_times`` reckons on foot, whether or not the children walk, and
    the straight walks to and from the road. A railway on another level (bridge or tunnel of either)
    is not crossed; nor is a river on a mapped bridge. Several tracks, carriageways or arms within
    50 m are crossed once. A trunk or national road walked for 30 m or more is walked along, else
    crossed.

    Parameters
    ----------
    region : Region
        County.
    network : RoadNetwork
        Its roads.
    sites : mapping of str to sequence of str, optional
        For each band the school or site of every village, empty where none; the schools of today
        (``school_<band>`` of the villages) when left out.
    barriers : Barriers, optional
        Railways and rivers; those of ``barriers_of`` when left out.
    modes : Modes, optional
        Settings; the county's own or the shipped when left out.
    classes : sequence of RoadClass, optional
        Table of road classes; the county's own or the shipped when left out.

    Returns
    -------
    Crossings
        Table, what was checked, and notes.

    Raises
    ------
    InputError
        When ``sites`` does not fit the villages or names a site that does not exist.
    """
    homes = villages_of(region)
    goals = _goals(region, homes, sites)
    ids = sorted({site for own in goals.values() for site in own if site})
    places = sites_of(region, ids)
    both = homes.then(places)
    settings = modes if modes is not None else modes_of(region)
    table = classes if classes is not None else road_classes_of(region)
    (means,) = means_of(network, both.x, both.y, settings, table, {WALK})
    n, position = len(homes.ids), {site: k for k, site in enumerate(ids)}
    wanted = sorted(
        {(k, position[site]) for own in goals.values() for k, site in enumerate(own) if site}
    )
    home = np.array([k for k, _ in wanted], dtype=np.int64)
    place = np.array([n + j for _, j in wanted], dtype=np.int64)
    routes = trace(network, means.forward, means.backward, means.at, home, place)
    fences = barriers if barriers is not None else barriers_of(region)
    found = _Walks(network, means, both, home, place, routes).met(fences)
    legs = means.at.walk_m[home] + means.at.walk_m[place]
    which = {pair: k for k, pair in enumerate(wanted)}
    rows: list[tuple[str, str, str, str, int, str, float]] = []
    checked: list[tuple[str, str, str, float, str]] = []
    for band in region.bands:
        for k, site in enumerate(goals.get(band.band, ())):
            pair = which[k, position[site]] if site else -1
            minutes = np.inf
            if site:
                cost, leg = routes.cost[[pair]], legs[[pair]]
                minutes = float(means.minutes(cost, leg, band.walk_kmh).astype(np.float32)[0])
            met = found.get(pair, []) if np.isfinite(minutes) else []
            state = "crosses" if met else "clear" if fences.known else "partly"
            if not np.isfinite(minutes):
                state = "no_way" if site else "no_school"
            checked.append((homes.ids[k], band.band, site, minutes, state))
            rows += [(homes.ids[k], band.band, site, *each) for each in met]
    return Crossings(
        pd.DataFrame(
            rows,
            columns=["village_id", "band", "site_id", "kind", "count", "names", "metres"],
        ),
        pd.DataFrame(checked, columns=["village_id", "band", "site_id", "minutes", "state"]),
        _notes(fences, checked),
    )


def _goals(
    region: Region, homes: Places, sites: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    """School of every village, by band."""
    found: dict[str, tuple[str, ...]] = {}
    known = set(sites_of(region).ids)
    for band in region.bands:
        column = f"school_{band.band}"
        if sites is not None:
            own = list(sites.get(band.band, [""] * len(homes.ids)))
        elif column in region.villages.columns:
            # A designation that names no school is told by the check of the county.
            own = [site if str(site) in known else "" for site in region.villages[column]]
        else:
            own = [""] * len(homes.ids)
        if len(own) != len(homes.ids):
            raise InputError(
                f"sites[{band.band!r}]：{len(own)} 个，应与 {len(homes.ids)} 个村一一对应 / must name "
                "one site a village"
            )
        found[band.band] = tuple("" if pd.isna(site) else str(site) for site in own)
    return found


def _notes(
    fences: Barriers, checked: Sequence[tuple[str, str, str, float, str]]
) -> tuple[str, ...]:
    notes = []
    if not fences.known:
        notes.append(
            "没有铁路、河流的资料（.osm.pbf 或“障碍”图层），只核查了干线公路 / there is no source of "
            "railways and rivers (an .osm.pbf file or a layer of barriers); main roads alone were "
            "checked"
        )
    lost = sum(state == "no_way" for *_, state in checked)
    if lost:
        notes.append(
            f"{lost} 个村、学段没有沿道路步行到校的路径，无法核查 / not checked: "
            f"{counted(lost, 'village-band')} without a way along mapped roads to walk to school"
        )
    return tuple(notes)


@dataclass(frozen=True)
class _Walks:
    """Ways on foot, and what they meet."""

    network: RoadNetwork
    means: Means
    both: Places
    home: _Longs
    place: _Longs
    routes: Routes

    def met(self, fences: Barriers) -> dict[int, list[tuple[str, int, str, float]]]:
        """Kind, count, names and metres of what each way meets, in the order of ``KINDS``."""
        found: dict[int, dict[str, tuple[int, str, float]]] = {}
        roads = self._main_roads()
        for kind, own in ((RAILWAY, fences), (RIVER, fences), (MAIN_ROAD, roads)):
            for way, places in self._crossed(own.of_kind(kind), kind == MAIN_ROAD).items():
                names = "、".join(sorted({name for name in places if name}))
                key = "main_road_cross" if kind == MAIN_ROAD else kind
                found.setdefault(way, {})[key] = (len(places), names, 0.0)
        for way, (along, short, met, metres) in self._along().items():
            own_way = found.setdefault(way, {})
            if along:
                own_way["main_road_along"] = (along, "、".join(met), metres)
            if short:
                count, said, _ = own_way.get("main_road_cross", (0, "", 0.0))
                every = {name for name in (*said.split("、"), *met) if name}
                own_way["main_road_cross"] = (count + short, "、".join(sorted(every)), 0.0)
        return {
            way: [(kind, *own_way[kind]) for kind in KINDS if kind in own_way]
            for way, own_way in found.items()
        }

    def _is_main(self) -> npt.NDArray[np.bool_]:
        """Which stretches follow a main road."""
        main = np.array([code in MAIN_CLASSES for code in self.network.classes], dtype=np.bool_)
        return main[self.network.road_class[self.routes.segment]]

    def _main_roads(self) -> Barriers:
        """Take main roads and motorways as barriers, those on bridges and in tunnels apart."""
        network = self.network
        main = np.array([c in MAIN_CLASSES | _CARS_ONLY for c in network.classes], dtype=np.bool_)
        mine = np.flatnonzero(main[network.road_class])
        lines = np.empty(len(mine), dtype=object)
        lines[:] = [
            shapely.LineString(network.shape[network.offsets[s] : network.offsets[s + 1]])
            for s in mine
        ]
        apart = network.bridge[mine] if len(network.bridge) else np.zeros(len(mine), dtype=bool)
        return merged(
            lines, [MAIN_ROAD] * len(mine), [network.names[s] for s in mine], np.asarray(apart)
        )

    def _along(self) -> dict[int, tuple[int, int, list[str], float]]:
        """Stretches along main roads: how many, how many short ones, names and metres."""
        routes, main = self.routes, self._is_main()
        of = np.repeat(np.arange(len(self.home)), np.diff(routes.first))
        metres = np.abs(routes.end - routes.begin) * lengths(self.network)[routes.segment]
        start = main.copy()
        start[1:] &= ~(main[:-1] & (of[1:] == of[:-1]))
        run = np.cumsum(start) - 1
        held = np.flatnonzero(main)
        total = np.bincount(run[held], weights=metres[held], minlength=int(start.sum()))
        found: dict[int, tuple[int, int, list[str], float]] = {}
        for first, long in zip(np.flatnonzero(start), total, strict=True):
            along, short, names, sum_m = found.get(int(of[first]), (0, 0, [], 0.0))
            is_along = long >= _ALONG_M
            found[int(of[first])] = (
                along + is_along, short + (not is_along), names, sum_m + (long if is_along else 0),
            )  # fmt: skip
        for k in held:
            name = self.network.names[routes.segment[k]]
            names = found[int(of[k])][2]
            if name and name not in names:
                names.append(name)
        return found

    def _crossed(self, fences: Barriers, main_roads: bool) -> dict[int, list[str]]:
        """Name of the barrier at each place where a way crosses one."""
        hits = self._hits(fences, main_roads)
        names = fences.named_at(hits.x, hits.y)
        found: dict[int, list[str]] = {}
        last: dict[int, float] = {}
        for k in _without_touches(hits):
            way, metres = int(hits.line[k]), float(hits.metres[k])
            if way not in last or metres - last[way] > _SAME_M:
                found.setdefault(way, []).append(names[k])
            last[way] = metres
        return found

    def _hits(self, fences: Barriers, main_roads: bool) -> Hits:
        """Crossings of barriers by way, metres from the village on."""
        network, routes, at = self.network, self.routes, self.means.at
        ways, count = len(self.home), np.diff(routes.first)
        of = np.repeat(np.arange(ways, dtype=np.int64), count)
        size = lengths(network)[routes.segment]
        travelled = np.abs(routes.end - routes.begin) * size
        before = np.cumsum(travelled) - travelled
        zero = np.concatenate([before, [travelled.sum()]])[routes.first[:-1]]
        from_home = at.walk_m[self.home]
        begins = before - zero[of] + from_home[of]
        step, fraction, met = self._on_roads(fences)
        metres = begins[step] + np.abs(fraction - routes.begin[step]) * size[step]
        keep = np.ones(len(step), dtype=np.bool_)
        if main_roads:
            # Where a main road is walked along, joining and leaving it is no crossing.
            main = self._is_main()
            beside = np.zeros((2, len(main)), dtype=np.bool_)
            linked = np.flatnonzero(of[1:] == of[:-1])
            beside[0, linked + 1] = main[linked]
            beside[1, linked] = main[linked + 1]
            gone = np.abs(fraction - routes.begin[step]) * size[step]
            left = np.abs(routes.end[step] - fraction) * size[step]
            keep &= ~main[step]
            keep &= ~(beside[0, step] & (gone < _TOUCH_M)) & ~(beside[1, step] & (left < _TOUCH_M))
        found = [Hits(of[step], metres, met.barrier, met.x, met.y).take(keep)]
        total = np.bincount(of, weights=travelled, minlength=ways) + from_home
        for point, offset, end in ((self.home, np.zeros(ways), 0), (self.place, total, 1)):
            leg = self._on_legs(fences, point, end == 1)
            touched = np.zeros(len(leg.line), dtype=np.bool_)
            if main_roads and len(of):
                edge = routes.first[:-1] if end == 0 else routes.first[1:] - 1
                joins = (count > 0) & self._is_main()[np.clip(edge, 0, len(of) - 1)]
                far = at.walk_m[point][leg.line] - leg.metres if end == 0 else leg.metres
                touched = joins[leg.line] & (far < _TOUCH_M)
            further = dataclasses.replace(leg, metres=offset[leg.line] + leg.metres)
            found.append(further.take(~touched))
        return joined(found)

    def _on_roads(self, fences: Barriers) -> tuple[_Longs, _Floats, Hits]:
        """Stretch, fraction of its segment and hit of each crossing on the roads."""
        network, routes = self.network, self.routes
        used = np.unique(routes.segment)
        if len(network.bridge):
            used = used[~network.bridge[used]]
        sizes = np.diff(network.offsets)[used]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        take = np.arange(offsets[-1]) + np.repeat(network.offsets[used] - offsets[:-1], sizes)
        shape = network.shape[take]
        hits = crossings_of(shape, offsets, fences)
        fraction = hits.metres / np.maximum(shape_lengths(shape, offsets)[hits.line], 1e-12)
        segment = used[hits.line]
        # Every stretch on a segment meets all crossings that lie between its ends.
        first = np.searchsorted(segment, routes.segment, side="left")
        last = np.searchsorted(segment, routes.segment, side="right")
        many = last - first
        stretch = np.repeat(np.arange(len(many), dtype=np.int64), many)
        hit = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many) + first[stretch]
        low = np.minimum(routes.begin, routes.end)[stretch]
        high = np.maximum(routes.begin, routes.end)[stretch]
        inside = (fraction[hit] >= low) & (fraction[hit] <= high)
        return stretch[inside], fraction[hit[inside]], hits.take(hit[inside])

    def _on_legs(self, fences: Barriers, point: _Longs, away: bool) -> Hits:
        """Crossings of the straight walks between points and the road, in walking order."""
        at, both = self.means.at, self.both
        off = np.column_stack([both.x[point], both.y[point]])
        on = np.column_stack([at.x[point], at.y[point]])
        placed = np.isfinite(off).all(axis=1) & np.isfinite(on).all(axis=1)
        placed &= np.isfinite(self.routes.cost)
        who = np.flatnonzero(placed)
        ends = (on, off) if away else (off, on)
        shape = np.stack([ends[0][who], ends[1][who]], axis=1).reshape(-1, 2)
        hits = crossings_of(shape, np.arange(len(who) + 1, dtype=np.int64) * 2, fences)
        return dataclasses.replace(hits, line=who[hits.line])


def _without_touches(hits: Hits) -> list[int]:
    """Strike out pairs of crossings of one barrier at one place; the rest by way and metres."""
    kept: list[int] = []
    for k in np.lexsort((hits.metres, hits.barrier, hits.line)).tolist():
        if kept and (
            hits.line[kept[-1]] == hits.line[k]
            and hits.barrier[kept[-1]] == hits.barrier[k]
            and hits.metres[k] - hits.metres[kept[-1]] < _TOUCH_M
        ):
            kept.pop()
        else:
            kept.append(k)
    return sorted(kept, key=lambda k: (int(hits.line[k]), float(hits.metres[k]), k))
