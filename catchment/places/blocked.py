"""What an elimination plan leaves above its limit: which school and grade stand in the way, and why.

Counted from the plan's students and classes alone, for every school, so that nothing that the
integer programme left aside (combined classes, schools without a class) can go unnamed.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.places.classes import class_table
from catchment.places.ledger import LedgerFacts

Int64 = npt.NDArray[np.int64]

BLOCK_COLUMNS = (
    "year",
    "school_id",
    "school",
    "grade",
    "students",
    "excess",
    "reason_zh",
    "reason_en",
)
"""Columns of the table of what stands in the way; ``grade`` is the lowest of a combined class."""

REASONS = {
    "rooms": ("没有足够的教室和可去的邻校", "neither rooms nor a neighbour with places suffice"),
    "combined": (
        "复式班：须先增加教室分开年级",
        "a combined class: rooms to part its grades are needed first",
    ),
    "no_class": ("有学生而没有教室和班级", "students but neither a room nor a class"),
}
"""Why a grade stays above its limit, in Chinese and English."""


def mixed_years(facts: LedgerFacts) -> npt.NDArray[np.bool_]:
    """Return where grades share a class.

    Parameters
    ----------
    facts : LedgerFacts
        Students and classes.

    Returns
    -------
    (m, t) bool
        Whether a grade with students has no class of its own though the school has classes.
    """
    bare = ((facts.students > 0) & (facts.classes == 0)).any(axis=1)
    return np.asarray(bare & (facts.classes.sum(axis=1) > 0), dtype=bool)


def still_above(
    facts: LedgerFacts, students: Int64, classes: Int64, size: Int64
) -> tuple[pd.DataFrame, int]:
    """List the grades whose classes are still above the limit from the second year on.

    Parameters
    ----------
    facts : LedgerFacts
        Names, years and grades.
    students, classes : (m, g, t) int64
        Students and classes of the plan; combined classes at their lowest grade.
    size : (g,) int64
        Most students of a class.

    Returns
    -------
    table : DataFrame
        Columns :data:`BLOCK_COLUMNS`, in order of school, year and grade.
    excess : int
        Students above the limit, over all schools, grades and years.
    """
    without = (classes.sum(axis=1) == 0) & (students.sum(axis=1) > 0)
    # a grade for which there is no class at all still sits somewhere: counted as one class
    formed = np.where(without[:, None, :] & (students > 0), 1, classes)
    table = class_table(students, formed)
    cells: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    for j, t, k, top, number in zip(
        table.site.tolist(),
        table.year.tolist(),
        table.grade.tolist(),
        table.grade_to.tolist(),
        table.size.tolist(),
        strict=True,
    ):
        sharing = [x for x in range(k, top + 1) if students[j, x, t] > 0] or [k]
        over = max(0, number - int(size[sharing].min()))
        total, above, last = cells.get((j, t, k), (0, 0, k))
        cells[j, t, k] = (total + number, above + over, max(last, top))
    rows: list[tuple[object, ...]] = []
    for (j, t, k), (total, above, top) in sorted(cells.items()):
        if t == 0 or above == 0:
            continue
        why = "no_class" if without[j, t] else "combined" if top > k else "rooms"
        rows.append(
            (
                facts.years[t],
                facts.site_ids[j],
                facts.site_names[j],
                facts.grades[k],
                total,
                above,
                *REASONS[why],
            )
        )
    out = pd.DataFrame(rows, columns=list(BLOCK_COLUMNS))
    return out, int(out["excess"].sum())


def known_excess(
    facts: LedgerFacts, students: Int64, classes: Int64, size: Int64, left: Collection[int]
) -> int:
    """Students above the limit at schools for which the plan has no way at all.

    Parameters
    ----------
    facts : LedgerFacts
        Names, years and grades.
    students, classes : (m, g, t) int64
        Students and classes of the plan.
    size : (g,) int64
        Most students of a class.
    left : collection of int
        Positions of those schools.

    Returns
    -------
    int
        Their students above the limit: nothing weighed can lower it.
    """
    table, _ = still_above(facts, students, classes, size)
    names = {facts.site_ids[j] for j in left}
    return int(table.loc[table["school_id"].isin(names), "excess"].sum())
