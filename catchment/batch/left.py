"""Whether catchments stay whole that children leave for a school in a neighbouring county.

A county's own task writes down the villages of every such catchment and which of them touch
(:func:`catchments_table`); once it is settled who leaves, :func:`left_behind` tells of each catchment
how many pieces it had and has, and names the villages that are cut off from the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from catchment.run import Run, names_of_sites
from catchment.verify.guests import Catchment, Left

CATCHMENTS = (
    "county", "year", "band", "grade_from", "grade_to", "school_id", "school", "village_id",
    "village", "students", "home", "touching",
)  # fmt: skip
LEFT = (
    "recipe", "year", "county", "school_id", "school", "band", "grade_from", "grade_to", "villages",
    "leaving", "pieces_before", "pieces_after", "cut_off", "cut_off_villages", "cut_off_students",
)  # fmt: skip


def catchments_table(run: Run, county: str, ways: pd.DataFrame) -> pd.DataFrame:
    """Villages of the catchments that some may leave, and which of them touch.

    Parameters
    ----------
    run : Run
        The county's own run.
    county : str
        Its name in the batch.
    ways : DataFrame
        Of :func:`catchment.batch.offers.ways_table`; those over the limit may leave.

    Returns
    -------
    DataFrame
        :data:`CATCHMENTS`, one row a village; ``touching`` holds the row numbers (from 0, within the
        catchment) of the villages it touches, ``home`` is 1 for the village the school stands in.
    """
    problem, plan = run.problem, run.plan
    names = names_of_sites(run.region)
    village_names = dict(
        zip(run.region.villages["village_id"].astype(str), run.region.villages["name"], strict=True)
    )
    may = ways[ways["need"] == "over_limit"]
    wanted = sorted(set(zip(may["year"], may["band"], may["school_home"], strict=True)))
    touching = problem.neighbours.tocsr()
    size, rows = len(problem.bands), []
    for year, band, school in wanted:
        t, b = problem.years.index(int(year)), problem.bands.index(band)
        j = problem.site_ids.index(school)
        # Groups are ordered by village, then band; parts that keep another school stand behind.
        own = plan.site_of[b : len(problem.village_ids) * size : size, t]
        members = np.flatnonzero(own == j)
        grades = [g for g, of in zip(problem.grades, problem.grade_band, strict=True) if of == b]
        near = touching[members][:, members].tocsr()
        for k, v in enumerate(members.tolist()):
            beside = sorted(set(near.indices[near.indptr[k] : near.indptr[k + 1]].tolist()) - {k})
            code = problem.village_ids[v]
            rows.append(
                (
                    county, int(year), band, min(grades), max(grades), school,
                    names.get(school, ""), code, str(village_names[code]), int(problem.students[v * size + b, :, t].sum()),
                    int(int(problem.home[j]) == v), " ".join(map(str, beside)),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(CATCHMENTS))


def left_behind(
    catchments: pd.DataFrame, guests: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], Catchment, Left]]:
    """Tell of every catchment that some leave whether the rest holds together.

    Parameters
    ----------
    catchments : DataFrame
        Rows of :func:`catchments_table` of all counties for one recipe and year.
    guests : list of dict
        Rows of ``guests.csv`` of that recipe and year.

    Returns
    -------
    list of (dict, Catchment, Left)
        A row of :data:`LEFT`, and the same as question and answer for the independent check.
    """
    gone = {
        (g["county"], g["band"], g["school_home"], g["village_id"])
        for g in guests
        if g["school_id"] and g["need"] == "over_limit"
    }
    found = []
    for key, table in catchments.groupby(["county", "band", "school_id"], sort=True):
        county, band, school = map(str, key)
        codes = table["village_id"].tolist()
        leaving = [v for v, c in enumerate(codes) if (county, band, school, c) in gone]
        if not leaving:
            continue
        touching = tuple(tuple(int(u) for u in said.split()) for said in table["touching"])
        homes = [v for v, said in enumerate(table["home"]) if int(said)]
        catchment = Catchment(school, band, touching, homes[0] if homes else -1)
        left = _left(catchment, leaving)
        apart = set(left.cut_off)
        students = table["students"].astype(int).tolist()
        row = {
            "county": county,
            "school_id": school,
            "school": table["school"].iloc[0],
            "band": band,
            "grade_from": int(table["grade_from"].iloc[0]),
            "grade_to": int(table["grade_to"].iloc[0]),
            "villages": len(codes),
            "leaving": len(leaving),
            "pieces_before": left.pieces_before,
            "pieces_after": left.pieces_after,
            "cut_off": len(apart),
            "cut_off_villages": "、".join(
                f"{name}（{code}）"
                for v, (name, code) in enumerate(zip(table["village"], codes, strict=True))
                if v in apart
            ),
            "cut_off_students": sum(students[v] for v in apart),
        }
        found.append((row, catchment, left))
    return found


def _left(catchment: Catchment, leaving: list[int]) -> Left:
    n = len(catchment.touching)
    graph = np.zeros((n, n), dtype=bool)
    for v, near in enumerate(catchment.touching):
        graph[v, list(near)] = True
    stay = np.ones(n, dtype=bool)
    before, main = _pieces(graph, stay, catchment.home)
    stay[leaving] = False
    after, kept = _pieces(graph, stay, catchment.home)
    cut = np.flatnonzero(stay & main & ~kept)
    return Left(tuple(leaving), before, after, tuple(cut.tolist()))


def _pieces(
    graph: np.ndarray[Any, np.dtype[np.bool_]],
    stay: np.ndarray[Any, np.dtype[np.bool_]],
    home: int,
) -> tuple[int, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Count the pieces and mark the main one: that of the school's village, else the largest."""
    members = np.flatnonzero(stay)
    main = np.zeros(len(stay), dtype=bool)
    if not len(members):
        return 0, main
    count, label = connected_components(graph[np.ix_(members, members)], directed=False)
    chosen = int(np.bincount(label).argmax())  # the first of equals holds the first village
    if home >= 0 and stay[home]:
        chosen = int(label[np.searchsorted(members, home)])
    main[members[label == chosen]] = True
    return int(count), main
