"""A run in which schools share villages and children keep the school they began at."""

from __future__ import annotations

import dataclasses

import numpy as np

from catchment.plan import Elsewhere
from catchment.run import Run
from tests.views.document_run import document_run


def shared_run(villages: int = 54) -> Run:
    """Send a third of every grade of some villages elsewhere, and of others a child a grade.

    Every fourth group is shared with the next school that teaches its band in all years; of every
    fifth one child in each grade keeps a school farther on.
    """
    made = document_run(villages=villages)
    problem, plan = made.problem, made.plan
    rows: list[tuple[int, int, int, int, int, bool]] = []
    for i in range(len(problem.group_band)):
        band = int(problem.group_band[i])
        for t in range(len(problem.years)):
            own = int(plan.site_of[i, t])
            if own < 0:
                continue
            minutes = problem.minutes[problem.network[t], i].astype(float)
            open_to = np.flatnonzero(plan.open[:, band, :].all(axis=1) & np.isfinite(minutes))
            near = [int(j) for j in open_to[np.argsort(minutes[open_to])] if j != own]
            for g in np.flatnonzero(problem.students[i, :, t]):
                count = int(problem.students[i, g, t])
                if i % 4 == 0 and near and count >= 3:
                    rows.append((i, int(g), t, near[0], count // 3, True))
                if i % 5 == 1 and len(near) > 1 and count >= 2:
                    rows.append((i, int(g), t, near[1], 1, False))
    table = np.array(sorted(rows), dtype=np.int32)
    group, grade, year, site, students, shared = table.T
    parts = Elsewhere(group, grade, year, site, students, shared.astype(bool))
    schools = made.region.schools
    own = [f"{n}·{code}" for n, code in zip(schools["name"], schools["school_id"], strict=True)]
    region = made.region.replace(schools=schools.assign(name=own))
    return dataclasses.replace(made, region=region, plan=plan.replace(elsewhere=parts))
