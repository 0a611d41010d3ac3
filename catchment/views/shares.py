"""Village-bands whose children go to several schools: shared villages, and children who stay.

Every view that tells where a village goes, or counts its students, reads the parts from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from catchment.plan import Plan, split
from catchment.problem import Int32, Problem

COLUMNS = ("group", "year", "site", "shared", "students", "mode")


def parts_of(problem: Problem, plan: Plan) -> pd.DataFrame:
    """Students who go to another school than their group, added up over the grades.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    DataFrame
        ``group, year, site`` (positions), ``shared`` (several schools share the village, else they
        keep the school they began at), ``students``, ``mode`` (position, -1 = none); in that order.
    """
    parts = plan.elsewhere
    if parts is None or not len(parts.group):
        return pd.DataFrame({name: pd.Series(dtype=np.int64) for name in COLUMNS})
    table = pd.DataFrame(
        {
            "group": parts.group, "year": parts.year, "site": parts.site,
            "shared": parts.shared.astype(np.int64), "students": parts.students,
        }
    ).astype(np.int64)  # fmt: skip
    table = table.groupby(["group", "year", "site", "shared"], as_index=False).sum()
    return table.assign(mode=_modes(problem, plan, table))[list(COLUMNS)]


def _modes(problem: Problem, plan: Plan, table: pd.DataFrame) -> list[int]:
    """Modes of the parts, as the split question has them."""
    apart, going = split(problem, plan)
    first = len(problem.group_band)
    bands = len(problem.bands)
    source = apart.group_village[first:] * bands + apart.group_band[first:]
    known = {
        (int(i), t, int(going.site_of[first + k, t])): int(going.mode_of[first + k, t])
        for k, i in enumerate(source)
        for t in range(going.site_of.shape[1])
    }
    keys = zip(table["group"], table["year"], table["site"], strict=True)
    return [known.get((int(i), int(t), int(j)), -1) for i, t, j in keys]


def own_students(problem: Problem, parts: pd.DataFrame) -> Int32:
    """Students of every group who go to the school of their group.

    Parameters
    ----------
    problem : Problem
        The question.
    parts : DataFrame
        See :func:`parts_of`.

    Returns
    -------
    (n, t) int32
        All students of the group without its parts.
    """
    own: Int32 = problem.demand().astype(np.int32)
    np.subtract.at(
        own, (parts["group"].to_numpy(), parts["year"].to_numpy()), parts["students"].to_numpy()
    )
    return own


def shared_with(plan: Plan) -> dict[int, tuple[int, ...]]:
    """Further schools of the groups that several schools share, over all years.

    Parameters
    ----------
    plan : Plan
        The answer.

    Returns
    -------
    dict
        Sites by group, in order. No numbers: that a village is shared is public, who goes is not.
    """
    parts = plan.elsewhere
    found: dict[int, set[int]] = {}
    if parts is not None:
        for k in np.flatnonzero(parts.shared).tolist():
            found.setdefault(int(parts.group[k]), set()).add(int(parts.site[k]))
    return {group: tuple(sorted(sites)) for group, sites in sorted(found.items())}


def stays(plan: Plan) -> bool:
    """Whether children already at a school keep it when the catchments change.

    Parameters
    ----------
    plan : Plan
        The answer.

    Returns
    -------
    bool
        True where some child does.
    """
    return plan.elsewhere is not None and bool((~plan.elsewhere.shared).any())


def whole(trips: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a village-band from trips by part.

    Parameters
    ----------
    trips : DataFrame
        Rows of ``Facts.trips`` of one plan and year.

    Returns
    -------
    list of dict
        The rows of the groups themselves, in order: ``students`` all of the group, ``over_limit``
        where some part is over; ``parts`` lists the rows of a group with several schools.
    """
    listed: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in trips.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        listed.setdefault((row["village_id"], row["band"]), []).append(row)
    out = []
    for rows in listed.values():
        own, several = next(row for row in rows if row["own"]), len(rows) > 1
        over = any(row["over_limit"] and row["students"] > 0 for row in rows)
        out.append(
            {
                **own,
                "students": sum(int(row["students"]) for row in rows),
                "over_limit": over if several else own["over_limit"],
                "parts": rows if several else [],
            }
        )
    return out
