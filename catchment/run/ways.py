"""The ways of a plan: home again, what they cross, and which of them no road is mapped for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.network.barriers import barriers_of
from catchment.network.crossings import Crossings, crossings
from catchment.network.graph import RoadNetwork
from catchment.network.journey import Search
from catchment.network.travel import TravelTimes, travel_times
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.rules.ways import CLEAR, CROSSES, UNKNOWN, Ways

_STATES = {"crosses": CROSSES, "clear": CLEAR}
_WORDS = {
    "railway": ("穿越铁路 {count} 处", "{count} railway crossing(s)"),
    "main_road_along": ("沿干线公路步行 {metres:.0f} 米", "{metres:.0f} m along a main road"),
    "main_road_cross": ("横穿干线公路 {count} 处", "{count} main road crossing(s)"),
    # The clause that the finding cites names roads and railways alone.
    "river": (
        "涉无桥河流 {count} 处（所引条文未列河流，按地方惯例提示）",
        "{count} river crossing(s) without a bridge (not named by the clause cited: local practice)",
    ),
}


def ways_of(
    problem: Problem,
    plan: Plan,
    region: Region,
    networks: Sequence[RoadNetwork],
    there: Sequence[TravelTimes],
    *,
    search: Search | None = None,
) -> Ways:
    """Follow the ways that a plan gives its groups.

    Parameters
    ----------
    problem : Problem
        The question; ``network`` says which roads hold in each year.
    plan : Plan
        The answer.
    region : Region
        The county with all schools and sites of the plan.
    networks : sequence of RoadNetwork
        Roads, by position in ``problem.network``.
    there : sequence of TravelTimes
        Times from home to school on each of them.
    search : callable, optional
        Searches the roads, as of ``travel_times``.

    Returns
    -------
    Ways
        By group and year.
    """
    n, t = plan.site_of.shape
    back = np.full((n, t), np.nan)
    state = np.full((n, t), UNKNOWN, dtype=np.int8)
    count = np.zeros((n, t), dtype=np.int32)
    met = (np.full((n, t), "", dtype=object), np.full((n, t), "", dtype=object))
    direct = np.zeros((n, t), dtype=np.bool_)
    fences = barriers_of(region)
    homeward: dict[int, TravelTimes] = {}
    walked: dict[tuple[Any, ...], Crossings] = {}
    for y in range(t):
        roads = int(problem.network[y])
        if roads not in homeward:
            homeward[roads] = travel_times(region, networks[roads], direction="back", search=search)
        goals = _goals(problem, plan, y)
        key = (roads, *((band, *own) for band, own in goals.items()))
        if key not in walked:
            walked[key] = crossings(region, networks[roads], sites=goals, barriers=fences)
        _fill_back(problem, plan, y, homeward[roads], back)
        _fill_direct(problem, plan, y, there[roads], direct)
        _fill_met(problem, y, walked[key], state, count, met)
    return Ways(back, state, count, *met, direct)


def ways_of_parts(
    problem: Problem,
    plan: Plan,
    whole: int,
    region: Region,
    networks: Sequence[RoadNetwork],
    there: Sequence[TravelTimes],
    *,
    search: Search | None = None,
) -> Ways:
    """Follow the ways of a question whose groups were split by where their students go.

    Parameters
    ----------
    problem, plan
        As :func:`catchment.plan.split` gives them.
    whole : int
        Groups before the split: one a village and band.
    region, networks, there, search
        As of :func:`ways_of`.

    Returns
    -------
    Ways
        By group and year.
    """
    first = _part(problem, plan, np.arange(whole))
    out = [ways_of(*first, region, networks, there, search=search)]
    bands, begin = len(problem.bands), whole
    while begin < len(problem.group_band):
        # further parts, as many villages at a time as are different
        seen: set[int] = set()
        end = begin
        while end < len(problem.group_band) and int(problem.group_village[end]) not in seen:
            seen.add(int(problem.group_village[end]))
            end += bands
        part = _part(problem, plan, np.arange(begin, end))
        out.append(ways_of(*part, region, networks, there, search=search))
        begin = end
    if len(out) == 1:
        return out[0]
    return Ways(
        *(
            np.concatenate([getattr(ways, name) for ways in out])
            for name in ("back", "state", "count", "met_zh", "met_en", "direct")
        )
    )


def _part(problem: Problem, plan: Plan, rows: npt.NDArray[np.intp]) -> tuple[Problem, Plan]:
    """Question and answer of some groups alone."""
    if len(rows) == len(problem.group_band):
        return problem, plan
    daily = problem.daily_mode
    own = problem.replace(
        group_village=problem.group_village[rows],
        group_band=problem.group_band[rows],
        students=problem.students[rows],
        minutes=problem.minutes[:, rows],
        metres=problem.metres[:, rows],
        mode=problem.mode[:, rows],
        today=problem.today[rows],
        fixed_site=problem.fixed_site[rows],
        daily_mode=None if daily is None else daily[:, rows],
    )
    return own, plan.replace(site_of=plan.site_of[rows], mode_of=plan.mode_of[rows])


def _goals(problem: Problem, plan: Plan, y: int) -> dict[str, list[str]]:
    """School of every village by band, empty where none."""
    found = {band: [""] * len(problem.village_ids) for band in problem.bands}
    for i, j in enumerate(plan.site_of[:, y]):
        if j >= 0:
            band = problem.bands[int(problem.group_band[i])]
            found[band][int(problem.group_village[i])] = problem.site_ids[int(j)]
    return found


def _fill_back(problem: Problem, plan: Plan, y: int, times: TravelTimes, back: Any) -> None:
    rows = {v: k for k, v in enumerate(times.villages)}
    columns = {s: k for k, s in enumerate(times.sites)}
    modes = {m: k for k, m in enumerate(times.modes)}
    for i, j in enumerate(plan.site_of[:, y]):
        mode = problem.modes[int(plan.mode_of[i, y])] if plan.mode_of[i, y] >= 0 else "board"
        if mode == "walk":
            mode = f"walk_{problem.bands[int(problem.group_band[i])]}"
        if j < 0 or mode not in modes or problem.site_ids[int(j)] not in columns:
            continue  # boarders make no daily trip
        home = problem.village_ids[int(problem.group_village[i])]
        back[i, y] = times.minutes[modes[mode], rows[home], columns[problem.site_ids[int(j)]]]


def _fill_direct(problem: Problem, plan: Plan, y: int, times: TravelTimes, direct: Any) -> None:
    if not times.direct.size:
        return
    rows = {v: k for k, v in enumerate(times.villages)}
    columns = {s: k for k, s in enumerate(times.sites)}
    walk = problem.modes.index("walk") if "walk" in problem.modes else -2
    for i, j in enumerate(plan.site_of[:, y]):
        if j >= 0 and plan.mode_of[i, y] == walk and problem.site_ids[int(j)] in columns:
            home = rows[problem.village_ids[int(problem.group_village[i])]]
            direct[i, y] = times.direct[home, columns[problem.site_ids[int(j)]]]


def _fill_met(
    problem: Problem, y: int, found: Crossings, state: Any, count: Any, met: tuple[Any, Any]
) -> None:
    group = {
        (problem.village_ids[int(v)], problem.bands[int(b)]): i
        for i, (v, b) in enumerate(zip(problem.group_village, problem.group_band, strict=True))
    }
    for row in found.checked.to_dict("records"):
        i = group.get((str(row["village_id"]), str(row["band"])))
        if i is not None:
            state[i, y] = _STATES.get(str(row["state"]), UNKNOWN)
    for line in found.table.to_dict("records"):
        i = group.get((line["village_id"], line["band"]))
        if i is None:
            continue
        count[i, y] += int(line["count"])
        for said, words in zip(met, _said(line), strict=True):
            said[i, y] = "；".join(x for x in (said[i, y], words) if x)


def _said(line: Mapping[Any, Any]) -> tuple[str, str]:
    zh, en = (w.format(count=line["count"], metres=line["metres"]) for w in _WORDS[line["kind"]])
    return (f"{zh}（{line['names']}）", f"{en} ({line['names']})") if line["names"] else (zh, en)
