"""What a county tells its neighbours: villages in need with their ways abroad, and its free seats.

Both are written by the county's own task, so that whom a neighbour takes in can be settled for all
counties at once from files alone (:mod:`catchment.batch.guests`), wherever the tasks were run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from catchment.batch.joint import Joint
from catchment.plan import students_at
from catchment.run import Run, names_of_sites

WAYS = (
    "county", "township", "village_id", "village", "band", "year", "need", "students", "grades",
    "minutes_home", "school_home", "limit", "neighbour", "school_id", "school", "minutes", "mode",
)  # fmt: skip
SEATS = ("county", "site_id", "site", "year", "rooms", "grade", "students", "size", "lon", "lat")
NEEDS = ("unserved", "over_limit")


def ways_table(run: Run, county: str, joints: Mapping[str, Joint]) -> pd.DataFrame:
    """Ways to a neighbour's schools for whom there is none at home, or only one over the limit.

    Parameters
    ----------
    run : Run
        The county's own run.
    county : str
        Its name in the batch.
    joints : mapping of str to Joint
        The county with each neighbour, by the neighbour's name in the batch.

    Returns
    -------
    DataFrame
        :data:`WAYS`, one row a village, band, year and school within the band's limit of a daily
        trip over the joined roads. ``need`` is ``unserved`` or ``over_limit`` (one-way minutes of
        the plan above ``limit``); ``grades`` are ``grade:students`` pairs. Left out are village-bands
        whose school an action of the recipe names, and those of which some keep another school.
    """
    own = run.problem
    position = {
        (own.village_ids[v], own.bands[b]): i
        for i, (v, b) in enumerate(zip(own.group_village, own.group_band, strict=True))
    }
    rows: list[dict[str, Any]] = []
    for neighbour in sorted(joints):
        joint = joints[neighbour].problem
        for k, (v, b) in enumerate(zip(joint.group_village, joint.group_band, strict=True)):
            i = position[joint.village_ids[v], joint.bands[b]]
            for t in range(len(own.years)):
                need = _need(run, i, t)
                if need:
                    facts = _party(run, county, i, t) | {"need": need, "neighbour": neighbour}
                    rows += [facts | way for way in _ways(joints[neighbour], k, t)]
    table = pd.DataFrame(rows, columns=list(WAYS))
    order = ["year", "village_id", "band", "neighbour", "school_id"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _need(run: Run, i: int, t: int) -> str:
    problem, plan = run.problem, run.plan
    if not problem.students[i, :, t].any():
        return ""
    j = int(plan.site_of[i, t])
    if j < 0:
        return "unserved"
    named = int(problem.fixed_site[i, t]) >= 0
    kept = plan.elsewhere
    split = kept is not None and bool(((kept.group == i) & (kept.year == t)).any())
    minutes = float(problem.minutes[problem.network[t], i, j])
    over = minutes > float(problem.trip_limit[problem.group_band[i]])
    return "over_limit" if over and not named and not split else ""


def _party(run: Run, county: str, i: int, t: int) -> dict[str, Any]:
    problem = run.problem
    code = problem.village_ids[problem.group_village[i]]
    village = run.region.villages.set_index(run.region.villages["village_id"].astype(str)).loc[code]
    counts = problem.students[i, :, t].tolist()
    j = int(run.plan.site_of[i, t])
    minutes = float(problem.minutes[problem.network[t], i, j]) if j >= 0 else np.inf
    return {
        "county": county,
        "township": str(village["township"]),
        "village_id": code,
        "village": str(village["name"]),
        "band": problem.bands[problem.group_band[i]],
        "year": int(problem.years[t]),
        "students": int(sum(counts)),
        "grades": " ".join(f"{g}:{n}" for g, n in zip(problem.grades, counts, strict=True) if n),
        "minutes_home": round(minutes, 3) if np.isfinite(minutes) else None,
        "school_home": problem.site_ids[j] if j >= 0 else "",
        "limit": round(float(problem.trip_limit[problem.group_band[i]]), 3),
    }


def _ways(both: Joint, k: int, t: int) -> list[dict[str, Any]]:
    joint = both.problem
    net = int(joint.network[t])
    limit = float(joint.trip_limit[joint.group_band[k]])
    rows = []
    for j, code in enumerate(joint.site_ids):
        minutes = float(joint.minutes[net, k, j])
        if code not in both.known or not minutes <= limit:
            continue
        mode = joint.modes[joint.mode[net, k, j]]
        if mode == "board":
            continue
        site = both.known[code]
        rows.append(
            {
                "school_id": code.split(":", 1)[1],
                "school": str(site["name"]),
                "minutes": round(minutes, 3),
                "mode": mode,
            }
        )
    return rows


def seats_table(run: Run, county: str) -> pd.DataFrame:
    """Own students and class sizes of every grade that a school teaches in the plan.

    Parameters
    ----------
    run : Run
        The county's own run.
    county : str
        Its name in the batch.

    Returns
    -------
    DataFrame
        :data:`SEATS`, one row a school, year and grade taught.
    """
    problem, plan = run.problem, run.plan
    names = names_of_sites(run.region)
    places = {
        str(code): (round(float(p.x), 6), round(float(p.y), 6))
        for table, key in ((run.region.schools, "school_id"), (run.region.sites, "site_id"))
        for code, p in zip(table[key], table.geometry.to_crs("EPSG:4490"), strict=True)
    }
    here = students_at(problem, plan)
    rows = []
    for j, code in enumerate(problem.site_ids):
        for t, year in enumerate(problem.years):
            for g, grade in enumerate(problem.grades):
                if plan.open[j, problem.grade_band[g], t]:
                    rows.append(
                        (
                            county, code, names.get(code, ""), int(year), int(problem.rooms[j, t]),
                            int(grade), int(here[j, g, t]), int(problem.class_size[j, g]),
                            *places[code],
                        )
                    )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SEATS))
