"""Catchments as polygons."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from catchment.optimise.contiguity import pieces
from catchment.plan import Plan
from catchment.problem import Problem


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
        ``plan, site_id, band, year, villages, students, pieces, shared, geometry``; ``pieces``
        counts the connected parts of the catchment in the neighbour graph. Villages that several
        schools share in a year stand in a row of their own, ``shared`` naming the schools ("A、B"),
        ``site_id`` the one that most of their students go to; else it is empty.
    """
    demand = problem.demand()
    frames = []
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
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=cells.crs)


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
