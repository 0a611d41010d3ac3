"""Where points join the roads, and what people must be told about it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.english import counted
from catchment.network.graph import RoadNetwork, components, strong_components
from catchment.network.modes import Modes
from catchment.network.places import Places
from catchment.network.snap import Attachments

SHOWN = 8
"""How many ids a note names."""


def snap_table(
    network: RoadNetwork,
    places: Places,
    walk_at: Attachments,
    bus_at: Attachments,
    labels: npt.NDArray[np.int32],
) -> pd.DataFrame:
    """List where points join the roads.

    Parameters
    ----------
    network : RoadNetwork
        Roads.
    places : Places
        p points, villages before schools and sites.
    walk_at, bus_at : Attachments
        Where they join the roads on foot and by bus.
    labels : (k,) int32
        Part of each junction on foot.

    Returns
    -------
    DataFrame
        As ``TravelTimes.snaps``, one row a point.
    """
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


def joining_notes(
    network: RoadNetwork,
    places: Places,
    n: int,
    walk_at: Attachments,
    bus_at: Attachments,
    minutes: npt.NDArray[np.float32] | None,
    parts: pd.DataFrame,
    modes: Modes,
) -> list[str]:
    """Say what people must know about reach; homes of students are counted, never named.

    Parameters
    ----------
    network : RoadNetwork
        Roads.
    places : Places
        p points, homes first.
    n : int
        How many of them are homes.
    walk_at, bus_at : Attachments
        Where they join the roads on foot and by bus.
    minutes : (modes, n, m) float32 or None
        Times; None = not at hand, as while a province is being reckoned.
    parts : DataFrame
        Parts of the roads for vehicles, as of ``components``.
    modes : Modes
        Limits.

    Returns
    -------
    list of str
        Chinese / English.
    """

    def _who(mask: npt.NDArray[np.bool_]) -> str:
        named = [places.ids[k] for k in np.flatnonzero(mask) if places.kinds[k] != "point"]
        tail = "…" if len(named) > SHOWN else ""
        return f"：{'、'.join(named[:SHOWN])}{tail}" if named else ""

    notes: list[str] = []
    far = walk_at.beyond_limit
    if far.any():
        notes.append(
            f"{int(far.sum())} 个点离最近道路超过 {modes.snap_limit_m:g} 米，未接入路网{_who(far)} / "
            f"not attached: {counted(int(far.sum()), 'point')} farther than {modes.snap_limit_m:g} m "
            "from every road"
        )
    lost = np.zeros(len(places.ids), dtype=np.bool_)
    if minutes is not None:
        lost[:n] = ~np.isfinite(minutes).any(axis=(0, 2))
    if lost.any():
        notes.append(
            f"{int(lost.sum())} 个村（点）没有任何道路通往任何学校{_who(lost)} / "
            f"{counted(int(lost.sum()), 'village (point) has', 'villages (points) have')} no road "
            "to any school"
        )
    no_bus = bus_at.segment < 0
    no_bus[n:] = False
    if no_bus.any():
        notes.append(
            f"{int(no_bus.sum())} 个村（点）步行 {modes.bus_access_limit_min:g} 分钟内没有可行车道路，"
            f"不能乘车{_who(no_bus)} / "
            f"{counted(int(no_bus.sum()), 'village (point) has', 'villages (points) have')} no "
            f"drivable road within {modes.bus_access_limit_min:g} minutes' walk: no bus"
        )
    moved = walk_at.moved | bus_at.moved
    if moved.any():
        notes.append(
            f"{int(moved.sum())} 个点的最近道路是孤立的零碎路段，改接成片路网{_who(moved)} / "
            f"attached past the nearest road, a fragment that leads nowhere: "
            f"{counted(int(moved.sum()), 'point')}"
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


def straight_note(homes: Places, served: npt.NDArray[np.bool_], checked: bool) -> str:
    """Say which villages are served by a straight walk for want of a mapped road.

    Parameters
    ----------
    homes : Places
        n homes.
    served : (n,) bool
        Which of them.
    checked : bool
        Whether railways and rivers were at hand.

    Returns
    -------
    str
        Chinese / English.
    """
    who = np.flatnonzero(served)
    names = "、".join(homes.ids[k] for k in who[:SHOWN]) + ("…" if len(who) > SHOWN else "")
    zh, en = ("", "") if checked else ("；没有铁路、河流资料", "; railways, rivers unknown")
    return (
        f"{len(who)} 个村附近没有道路资料，到近旁学校按直线步行估算，须现场核实{zh}：{names} / "
        f"{counted(len(who), 'village has', 'villages have')} no mapped road: the straight walk to "
        f"a school beside it is taken, to be verified on site{en}"
    )


def odd_change(
    villages: tuple[str, ...],
    before: npt.NDArray[np.float32],
    after: npt.NDArray[np.float32],
    *,
    least: float = 0.1,
) -> str:
    """Name the villages whose trips grow shorter though roads are only closed.

    A point joins the road nearest to it. Where that one is closed it joins another, and by that a
    trip may grow shorter. That follows from the joining and not from the roads.

    Parameters
    ----------
    villages : tuple of str
        Ids of n villages.
    before, after : (modes, n, m) float32
        Minutes on the roads of today and with some of them closed; inf = unreachable.
    least : float, default 0.1
        Differences up to this count as none, minutes.

    Returns
    -------
    str
        Chinese / English; empty where there is none.
    """
    odd = before > after + np.float32(least)
    who = np.flatnonzero(odd.any(axis=(0, 2)))
    if not len(who):
        return ""
    with np.errstate(invalid="ignore"):
        most = float(np.abs(after - before)[odd].max())
    names = "、".join(villages[k] for k in who[:SHOWN]) + ("…" if len(who) > SHOWN else "")
    return (
        f"封路后 {len(who)} 个村改接另一条道路，行程反而变短（最多 {most:.1f} 分钟），系接入点变化所致，"
        f"须逐村核实：{names} / {counted(len(who), 'village joins', 'villages join')} another road "
        f"after roads are closed and trips become shorter (by up to {most:.1f} min): an effect of "
        "the joining, to be checked village by village"
    )
