"""Minutes of a whole province, block by block of sites, so that no matrix need fit into memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.network.allowed import BUS, WALK, band_modes_of
from catchment.network.direct import DirectWalks, direct_walks, offered
from catchment.network.graph import RoadNetwork, components, directed
from catchment.network.journey import Prepare, direct_costs, ends
from catchment.network.means import RIDES, Means, means_of
from catchment.network.modes import Modes, modes_of
from catchment.network.native import native
from catchment.network.notices import joining_notes, snap_table, straight_note
from catchment.network.places import Places, sites_of
from catchment.network.roads import road_classes_of
from catchment.network.shortest import prepare
from catchment.region.model import Region

_SITES = 32  # at a time: two ends each fill two rows of lanes
# The kernel answers in float32; what it cuts off must lie beyond the limit for certain.
_ROOM = 1.0 + 1e-4

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TimesBlock:
    """Minutes from all homes to some sites by one mode.

    Attributes
    ----------
    mode : str
        As in ``TravelTimes.modes``.
    first : int
        Position of the first of the sites.
    minutes : (sites, homes) float32
        Door to door; inf = unreachable or beyond the cutoff.
    """

    mode: str
    first: int
    minutes: _Singles


@native
def _joined(
    costs: _Singles, site_cost: _Floats, column: _Longs, home_cost: _Floats, out: _Floats
) -> None:
    """Least cost over both ends of the segments of a site and of every home."""
    for i in range(out.size):
        best = np.inf
        for p in range(2):
            for q in range(2):
                cost = costs[q, column[p, i]] + home_cost[p, i] + site_cost[q]
                best = min(best, cost)
        out[i] = best


def stream_times(
    region: Region,
    network: RoadNetwork,
    homes: Places,
    *,
    sites: Sequence[str] | None = None,
    cutoff: float = math.inf,
    prepare: Prepare = prepare,
    progress: Callable[[int, int], None] | None = None,
    joined: Callable[[pd.DataFrame, tuple[str, ...]], None] | None = None,
) -> Iterator[TimesBlock]:
    """Reckon minutes from homes to schools as ``travel_times`` does, a block of sites at a time.

    Minutes are within 5.1e-6 (relative; usually 5e-7) of those of ``travel_times``, which are
    reckoned in double precision. A trip is within the cutoff if its minutes as returned are.

    Parameters
    ----------
    region : Region
        County or province.
    network : RoadNetwork
        Its roads.
    homes : Places
        n points: villages, or students' homes, which belong in no output.
    sites : sequence of str, optional
        Ids of schools and candidate sites; all, schools first, when left out.
    cutoff : float, default inf
        Minutes above which a trip does not matter, > 0.
    prepare : callable, optional
        Prepares a network; one that remembers may be given.
    progress : callable, optional
        Told how many searches are done, and of how many: sites times means of travel.
    joined : callable, optional
        Told once, before the first block, where every point joins the roads (as
        ``TravelTimes.snaps``; of students' homes it belongs in no output) and notes for people.

    Yields
    ------
    TimesBlock
        By mode (bands that walk come together), then site.

    Raises
    ------
    InputError
        When a site does not exist or the cutoff is not positive.
    """
    if not cutoff > 0:
        raise InputError(f"cutoff = {cutoff}：应为正数 / must be positive")
    places, settings = sites_of(region, sites), modes_of(region)
    both = homes.then(places)
    extra = {row.mode for row in band_modes_of(region) if row.allowed} & set(RIDES)
    every = means_of(
        network, both.x, both.y, settings, road_classes_of(region), {WALK, BUS} | extra
    )
    roadless = every[0].at.segment[: len(homes.ids)] < 0
    walks = direct_walks(region, network, homes, places, roadless, settings)
    straight = {
        f"walk_{band.band}": (fits, taken) for band, fits, taken in offered(walks, region.bands)
    }
    if joined is not None:
        joined(*_joining(network, both, every, settings, homes, walks, straight))
    total = len(places.ids) * len(every)
    for number, means in enumerate(every):
        speeds = [(means.name, 0.0)]
        if means.name == WALK:
            speeds = [(f"walk_{band.band}", band.walk_kmh) for band in region.bands]
        done = number * len(places.ids)
        for first, cost, legs in _costs(network, means, len(homes.ids), speeds, cutoff, prepare):
            for mode, kmh in speeds:
                minutes = means.minutes(cost, legs, kmh).astype(np.float32)
                if mode in straight:
                    _write_straight(walks, *straight[mode], first, minutes)
                minutes[minutes > cutoff] = np.inf
                yield TimesBlock(mode, first, minutes)
            if progress is not None:
                progress(done + first + len(cost), total)


def _joining(
    network: RoadNetwork,
    both: Places,
    every: Sequence[Means],
    modes: Modes,
    homes: Places,
    walks: DirectWalks,
    straight: Mapping[str, tuple[npt.NDArray[np.bool_], _Floats]],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Where all points join the roads, and what people must be told of it."""
    walk_at, bus_at = every[0].at, every[1].at
    labels, _ = components(network, network.walk)
    _, parts = components(network, network.drive_forward | network.drive_backward)
    notes = joining_notes(network, both, len(homes.ids), walk_at, bus_at, None, parts, modes)
    served = np.zeros(len(homes.ids), dtype=np.bool_)
    for fits, _ in straight.values():
        served[walks.home[fits]] = True
    if served.any():
        notes.append(straight_note(homes, served, walks.checked))
    return snap_table(network, both, walk_at, bus_at, labels), tuple(notes)


def _costs(
    network: RoadNetwork,
    means: Means,
    n: int,
    speeds: Sequence[tuple[str, float]],
    cutoff: float,
    prepare: Prepare,
) -> Iterator[tuple[int, _Floats, _Floats]]:
    """First site, costs along the roads and straight walks of block after block."""
    origin = ends(network, means.at, slice(0, n), means.backward, means.forward)
    target = ends(network, means.at, slice(n, None), means.forward, means.backward)
    graph = prepare(*directed(network, means.forward, means.backward))
    targets = origin.nodes()
    if not len(targets):
        targets = np.zeros(1, dtype=np.int64)
    column = np.stack([np.searchsorted(targets, node) for node in origin.node])
    column = np.minimum(column, len(targets) - 1)
    home_cost = np.stack(origin.cost)
    count = len(target.segment)
    rows = np.stack(target.node, axis=1).ravel()
    site_cost = np.stack(target.cost, axis=1)
    order = np.argsort(origin.segment, kind="stable")
    held = np.empty((_SITES, n))
    if not count or not graph.nodes:
        return
    for part, costs in graph.stream(
        rows, targets, block=2 * _SITES, cutoff=_most(means, speeds, cutoff), reverse=True
    ):
        first, some = part.start // 2, (part.stop - part.start) // 2
        for k in range(some):
            _joined(costs[2 * k : 2 * k + 2], site_cost[first + k], column, home_cost, held[k])
            where, straight = direct_costs(
                origin, order, target, first + k, means.forward, means.backward
            )
            held[k, where] = np.minimum(held[k, where], straight)
        site_legs = means.at.walk_m[n + first : n + first + some]
        yield first, held[:some], site_legs[:, None] + means.at.walk_m[None, :n]


def _most(means: Means, speeds: Sequence[tuple[str, float]], cutoff: float) -> float:
    """Cost along the roads that no trip within the cutoff exceeds."""
    if means.name == WALK:
        return max(kmh for _, kmh in speeds) * 1000.0 / 60.0 * cutoff * _ROOM
    return max(cutoff - means.fixed_min, 0.0) * 60.0 * _ROOM


def _write_straight(
    walks: DirectWalks, fits: npt.NDArray[np.bool_], taken: _Floats, first: int, minutes: _Singles
) -> None:
    """Write the straight walks of villages without a road into the caller's own block."""
    mine = fits & (walks.place >= first) & (walks.place < first + len(minutes))
    minutes[walks.place[mine] - first, walks.home[mine]] = taken[mine]
