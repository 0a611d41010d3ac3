"""Catchments as polygons."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from catchment.optimise.contiguity import pieces
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.run.colours import stable_colours, touching


def catchments_of(
    problem: Problem, today: Plan, plan: Plan, cells: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    """Draw the catchments of today and of the plan as polygons.

    Parameters
    ----------
    problem : Problem
        The question.
    today, plan : Plan
        The two answers.
    cells : GeoDataFrame
        Village cells, in the order of ``problem.village_ids``.

    Returns
    -------
    GeoDataFrame
        ``plan, site_id, band, year, villages, students, pieces, shared, colour, geometry``;
        ``pieces`` counts the connected parts of the catchment in the neighbour graph. Villages that
        several schools share in a year stand in a row of their own, ``shared`` naming the schools
        ("A、B"), ``site_id`` the one whose catchment they are counted in (that of most of their
        students, where the catchments hold together so); else it is empty. ``colour`` (0 upwards)
        differs between rows that touch, and a school keeps its own through today and all years
        wherever :func:`catchment.run.colours.stable_colours` finds that it can.
    """
    demand = problem.demand()
    frames: list[gpd.GeoDataFrame] = []
    states: list[tuple[int, Any, Any, Any]] = []
    shapes = cells.geometry.to_numpy()
    for label, answer in (("today", today), ("plan", plan)):
        drawn: dict[bytes, gpd.GeoSeries] = {}
        shared = _shared(problem, answer)
        for t, year in enumerate(problem.years):
            if label == "today" and t:
                continue
            for b, band in enumerate(problem.bands):
                members = np.flatnonzero(problem.group_band == b)
                site = answer.site_of[members, t]
                parts = pieces(site, problem.neighbours, len(problem.site_ids))
                # A shared village is drawn by itself: it is no part of one school's catchment alone.
                zone = np.array([shared.get((int(i), t), "") for i in members], dtype=object)
                key = site.tobytes() + "\0".join(zone).encode("utf-8")
                served = site >= 0
                if key not in drawn:
                    union = gpd.GeoDataFrame(
                        {"site": site[served], "zone": zone[served]},
                        geometry=shapes[served],
                        crs=cells.crs,
                    ).dissolve(by=["site", "zone"], method="coverage")
                    drawn[key] = union.geometry
                tally = pd.DataFrame(
                    {
                        "site": site[served],
                        "zone": zone[served],
                        "students": demand[members, t][served].astype(int),
                    }
                ).groupby(["site", "zone"])["students"]
                used = drawn[key].index
                states.append((b, site, zone, used))
                frames.append(
                    gpd.GeoDataFrame(
                        {
                            "plan": label,
                            "site_id": [problem.site_ids[j] for j, _ in used],
                            "band": band,
                            "year": year,
                            "villages": tally.size().reindex(used).to_numpy(),
                            "students": tally.sum().reindex(used).to_numpy(),
                            "pieces": [1 if z else int(parts[j]) for j, z in used],
                            "shared": [z for _, z in used],
                        },
                        geometry=drawn[key].to_numpy(),
                        crs=cells.crs,
                    )
                )
    for frame, colour in zip(frames, _colours(problem, states), strict=True):
        frame.insert(frame.columns.get_loc("geometry"), "colour", colour)
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=cells.crs)


def _colours(
    problem: Problem, states: list[tuple[int, Any, Any, Any]]
) -> list[npt.NDArray[np.int64]]:
    """Colours of the rows of each state, the states of one band coloured together."""
    upper = sp.triu(problem.neighbours, k=1).tocoo()
    pairs = np.column_stack([upper.row, upper.col]).astype(np.int64)
    out: dict[int, npt.NDArray[np.int64]] = {}
    for band in range(len(problem.bands)):
        mine = [k for k, state in enumerate(states) if state[0] == band]
        keys = sorted({key for k in mine for key in states[k][3]})
        place = {key: n for n, key in enumerate(keys)}
        graphs = []
        for k in mine:
            _, site, zone, _ = states[k]
            cell = [place.get((int(j), z), -1) for j, z in zip(site, zone, strict=True)]
            graphs.append(touching(pairs, np.array(cell, dtype=np.int64)))
        for k, chosen in zip(mine, stable_colours(graphs, len(keys)), strict=True):
            out[k] = chosen[[place[key] for key in states[k][3]]]
    return [out[k] for k in range(len(states))]


def _shared(problem: Problem, plan: Plan) -> dict[tuple[int, int], str]:
    """Schools of the village-bands that several schools share, by group and year.

    A village whose older children only keep their school is not shared.
    """
    parts = plan.elsewhere
    out: dict[tuple[int, int], str] = {}
    if parts is None:
        return out
    sites: dict[tuple[int, int], set[int]] = {}
    for k in np.flatnonzero(parts.shared):
        i, t = int(parts.group[k]), int(parts.year[k])
        sites.setdefault((i, t), {int(plan.site_of[i, t])}).add(int(parts.site[k]))
    for key, all_of in sites.items():
        out[key] = "、".join(sorted(problem.site_ids[j] for j in all_of))
    return out
