"""Villages near a county border and the schools beyond it, on the joined roads of both counties."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from catchment.batch.joint import Joint
from catchment.optimise.layout import scenario_plan
from catchment.run import Run

COLUMNS = (
    "county", "township", "village_id", "village", "band", "students", "school_today",
    "minutes_today", "neighbour", "school_id", "school", "minutes", "saving", "spare_places", "note",
)  # fmt: skip
SAVING_MINUTES = 10.0
"""A school beyond the border is named where it is nearer by more than this, or the only one."""


def border_table(
    run: Run, county: str, joints: Iterable[Joint], refused: Iterable[tuple[str, str]] = ()
) -> pd.DataFrame:
    """Villages for which a school of a neighbouring county is clearly nearer, or the only one.

    A list to look at: whom the neighbour takes in is in ``guests.csv`` of the province.

    Parameters
    ----------
    run : Run
        The county's own run.
    county : str
        Its name in the batch.
    joints : iterable of Joint
        The county with each neighbour.
    refused : iterable of (str, str)
        Neighbours that cannot be read, and why.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; a neighbour that cannot be read is one row with a ``note``. Students and
        minutes are those of the first year; ``spare_places`` are rooms x the standard class size
        less the students the neighbour's school reports, missing where it does not say.
    """
    rows: list[dict[str, Any]] = []
    for joint in joints:
        rows += _rows(run, county, joint)
    rows += [{"county": county, "neighbour": name, "note": said} for name, said in refused]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({"students": "Int64", "spare_places": "Int64"})
    return table.sort_values(
        ["neighbour", "village_id", "band"], kind="stable", ignore_index=True, na_position="last"
    )


def _rows(run: Run, county: str, both: Joint) -> list[dict[str, Any]]:
    joint, known, neighbour = both.problem, both.known, both.neighbour
    site_of = scenario_plan(joint, "nearest", connected=False).site_of[:, 0]
    base = run.problem_of("today")
    own = {
        (base.village_ids[v], base.bands[b]): i
        for i, (v, b) in enumerate(zip(base.group_village, base.group_band, strict=True))
    }
    village = run.region.villages.set_index("village_id")
    names = run.region.schools.set_index("school_id")["name"].to_dict()
    rows = []
    for i, j in enumerate(site_of.tolist()):
        code, band = joint.village_ids[joint.group_village[i]], joint.bands[joint.group_band[i]]
        students = int(joint.students[i, :, 0].sum())
        school = joint.site_ids[j] if j >= 0 else ""
        if not students or school not in known:
            continue
        group = own[code, band]
        now = int(run.today.site_of[group, 0])
        before = float(base.minutes[base.network[0], group, now]) if now >= 0 else np.inf
        minutes = float(joint.minutes[0, i, j])
        if before - minutes <= SAVING_MINUTES:
            continue
        finite = np.isfinite(before)
        rows.append(
            {
                "county": county,
                "township": str(village.at[code, "township"]),
                "village_id": code,
                "village": str(village.at[code, "name"]),
                "band": band,
                "students": students,
                "school_today": names.get(base.site_ids[now], "") if now >= 0 else "",
                "minutes_today": round(before, 1) if finite else None,
                "neighbour": neighbour,
                "school_id": str(known[school]["school_id"]),
                "school": str(known[school]["name"]),
                "minutes": round(minutes, 1),
                "saving": round(before - minutes, 1) if finite else None,
                "spare_places": _spare(known[school], int(joint.class_size[j].min())),
                "note": "",
            }
        )
    return rows


def _spare(school: dict[str, Any], size: int) -> int | None:
    rooms, students = school.get("rooms"), school.get("students")
    if rooms is None or students is None or pd.isna(rooms) or pd.isna(students):
        return None
    return max(int(rooms) * size - int(students), 0)
