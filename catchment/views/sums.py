"""Sums of students as slides for the public tell them: never so that a village can be worked out.

The parents' page lets anyone list who is over the limit, rides, boards or has no school. A sum over
such a list is told in tens; it is kept back where what else is public leaves too little of it open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.views.facts import WORSE_MINUTES
from catchment.views.parents import largest_classes, village_numbers
from catchment.views.public import (
    FEWER,
    ROUND_TO,
    WITHHELD,
    limit_of,
    rounded_sum,
    rounded_up,
)
from catchment.views.story import Story


def listed(story: Story, code: str, year: int, plan: str) -> pd.DataFrame | None:
    """List the village-bands whose students a figure adds up, those without students too.

    Parameters
    ----------
    story : Story
        The run.
    code : str
        Code of the measure; ``board`` are those who board.
    year : int
        School year.
    plan : {"today", "plan"}
        Which arrangement.

    Returns
    -------
    DataFrame or None
        Rows of ``Facts.trips``; None where the public cannot list them.
    """
    trips = story.facts.trips
    rows: pd.DataFrame = trips[(trips["plan"] == plan) & (trips["year"] == year)]
    if code == "students":
        return rows
    if code == "unserved":
        return rows.loc[rows["site_id"] == ""]
    if code == "over_limit_students":
        return rows.loc[rows["over_limit"]]
    if code == "bus_riders":
        return rows.loc[rows["mode"].str.startswith("bus")]
    if code == "board":
        return rows.loc[rows["mode"] == "board"]
    if code == "worsened_students":
        first = trips[(trips["plan"] == "today") & (trips["year"] == story.facts.first)]
        before = first[first["own"]].set_index(["village_id", "band"])["minutes"]
        keys = pd.MultiIndex.from_frame(rows[["village_id", "band"]])
        growth = rows["minutes"].to_numpy() - before.reindex(keys).to_numpy()
        longer: pd.DataFrame = rows.loc[growth > WORSE_MINUTES]
        return longer
    return None


@dataclass(frozen=True)
class Known:
    """What else the public knows of the students of a run.

    Attributes
    ----------
    villages : dict of str to int
        Told students of the first year by village; below 0 where kept back.
    classes : dict of str to (m, b, t) int64
        Largest classes as they may be told, of ``today`` and ``plan``.
    """

    villages: dict[str, int]
    classes: dict[str, npt.NDArray[np.int64]]


def known_of(story: Story) -> Known:
    """Collect what else the public knows of the students of a run.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    Known
        To be handed to :func:`told_sum`.
    """
    run = story.run
    cells = village_numbers(run)[0].tolist()
    return Known(
        dict(zip(run.problem.village_ids, cells, strict=True)),
        {
            name: rounded_up(
                largest_classes(run.problem_of(name), plan, run.region.classes), limit=limit_of(run)
            )
            for name, plan in (("today", run.today), ("plan", run.plan))
        },
    )


def told_sum(story: Story, known: Known, value: float, rows: pd.DataFrame | None) -> int:
    """Tell a sum of students to the public.

    Parameters
    ----------
    story : Story
        The run.
    known : Known
        What else the public knows.
    value : float
        Students.
    rows : DataFrame or None
        Village-bands of one arrangement and year that are added up, see :func:`listed`; None where
        the public cannot list them.

    Returns
    -------
    int
        In tens, 0 where nobody is listed; :data:`FEWER` below twice the limit, also where all who
        are listed have no students; :data:`WITHHELD` where what is known of the villages and
        classes in it leaves fewer than the limit open.
    """
    limit = limit_of(story.run)
    told = rounded_sum(value, limit=limit)
    if rows is None or rows.empty:
        return told
    if told <= 0:
        return FEWER
    return WITHHELD if value - _least(story, known, rows) < limit else told


def mean_places(students: float, longest: float, limit: int) -> int | None:
    """Decimals with which the mean trip of so many students may be told.

    Today's mean and the plan's, told to a tenth of a minute, pin down in a small county how many
    students have a village's longer trip. A step of the mean has to be worth the whole limit of
    students on the longest trip, so that it may be any of them that the rounding hides.

    Parameters
    ----------
    students : float
        Students the mean is taken over.
    longest : float
        Longest trip in minutes.
    limit : int
        Privacy limit.

    Returns
    -------
    int or None
        1, 0 or, where whole minutes are too fine already, None: the mean is not told.

    Examples
    --------
    >>> [mean_places(n, 40.0, 10) for n in (15_000, 4_000, 3_999, 400, 399)]
    [1, 1, 0, 0, None]
    """
    for places in (1, 0):
        if students >= round(limit * longest * 10**places, 6):
            return places
    return None


def _least(story: Story, known: Known, rows: pd.DataFrame) -> int:
    """Students that the rows have at least, going by villages and classes that are told."""
    trips, year, plan = story.facts.trips, int(rows["year"].iloc[0]), rows["plan"].iloc[0]
    every = trips[(trips["plan"] == plan) & (trips["year"] == year)]
    problem = story.run.problem_of(plan)
    chosen = every.index.isin(rows.index)
    by_village = 0
    if year == story.facts.first:
        cells = known.villages
        inside = pd.Series(chosen, index=every.index).groupby(every["village_id"]).all()
        by_village = sum(
            max(cells[v] - ROUND_TO // 2, limit_of(story.run))
            for v in inside.index[inside]
            if cells[v] > 0
        )
    served = (every["site_id"] != "").to_numpy()
    there = every[served].assign(inside=chosen[served])
    schools = there.groupby(["site_id", "band"])["inside"].all()
    sizes = known.classes[plan]
    site = {code: j for j, code in enumerate(problem.site_ids)}
    band, t = {name: b for b, name in enumerate(problem.bands)}, problem.years.index(year)
    told = np.array([sizes[site[j], band[b], t] for j, b in schools.index[schools]], np.int64)
    by_class = int(np.maximum(told - ROUND_TO + 1, 0).sum())
    return max(by_village, by_class)
