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
        ``plan, site_id, band, year, villages, students, pieces, geometry``; ``pieces`` counts the
        connected parts of the catchment in the neighbour graph.
    """
    demand = problem.demand()
    frames = []
    shapes = cells.geometry.to_numpy()
    for label, answer in (("today", today), ("plan", plan)):
        drawn: dict[bytes, gpd.GeoSeries] = {}
        for t, year in enumerate(problem.years):
            if label == "today" and t:
                continue
            for b, band in enumerate(problem.bands):
                members = np.flatnonzero(problem.group_band == b)
                site = answer.site_of[members, t]
                parts = pieces(site, problem.neighbours, len(problem.site_ids))
                key = site.tobytes()
                if key not in drawn:
                    served = site >= 0
                    union = gpd.GeoDataFrame(
                        {"site": site[served]}, geometry=shapes[served], crs=cells.crs
                    ).dissolve(by="site", method="coverage")
                    drawn[key] = union.geometry
                used = drawn[key].index.to_numpy()
                load = np.bincount(
                    np.maximum(site, 0),
                    weights=np.where(site >= 0, demand[members, t], 0),
                    minlength=len(problem.site_ids),
                )
                count = np.bincount(site[site >= 0], minlength=len(problem.site_ids))
                frames.append(
                    gpd.GeoDataFrame(
                        {
                            "plan": label,
                            "site_id": [problem.site_ids[j] for j in used],
                            "band": band,
                            "year": year,
                            "villages": count[used],
                            "students": load[used].astype(int),
                            "pieces": parts[used],
                        },
                        geometry=drawn[key].to_numpy(),
                        crs=cells.crs,
                    )
                )
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=cells.crs)
