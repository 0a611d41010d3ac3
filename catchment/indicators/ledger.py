"""The ledger of large classes of a plan: turns a plan into the plain arrays that it needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.indicators.measure import roll
from catchment.places import ClassLimits
from catchment.places.ledger import Home, LedgerFacts, ledger
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region


def class_ledger(
    problem: Problem, plan: Plan, region: Region, limits: ClassLimits | None = None
) -> pd.DataFrame:
    """Ledger of the classes above standard of a plan.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county: names, townships, teachers and its own table of classes.
    limits : ClassLimits, optional
        Limits; the national ones when left out.

    Returns
    -------
    DataFrame
        As :func:`catchment.places.ledger.ledger` returns it.
    """
    return ledger(ledger_facts(problem, plan, region), region.classes, limits)


def ledger_facts(problem: Problem, plan: Plan, region: Region) -> LedgerFacts:
    """Collect what the ledger needs to know of a plan.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county.

    Returns
    -------
    LedgerFacts
        Plain arrays.
    """
    columns = ["id", "name", "township", "teachers"]
    schools = region.schools.rename(columns={"school_id": "id"}).reindex(columns=columns)
    sites = region.sites.rename(columns={"site_id": "id"}).reindex(columns=columns)
    known = {
        str(row["id"]): row
        for table in (sites, schools)
        for row in pd.DataFrame(table).to_dict("records")
    }
    rows = [known.get(s, {}) for s in problem.site_ids]
    teachers = pd.to_numeric(pd.Series([r.get("teachers") for r in rows]), errors="coerce")
    m, g = len(problem.site_ids), len(problem.grades)
    reach = np.zeros((m, m, g), dtype=np.int64)
    network = int(problem.network[0])
    limit = problem.trip_limit[problem.group_band]
    within = problem.minutes[network] <= limit[:, None]
    here = plan.site_of[:, 0]
    served = np.flatnonzero(here >= 0)
    for i in served:
        reach[here[i]] += within[i][:, None] * problem.students[i, :, 0][None, :]
    return LedgerFacts(
        years=problem.years,
        grades=problem.grades,
        site_ids=problem.site_ids,
        site_names=tuple(
            str(r.get("name") or s) for r, s in zip(rows, problem.site_ids, strict=True)
        ),
        townships=tuple(str(r.get("township") or "") for r in rows),
        students=roll(problem, plan).at_site,
        classes=plan.classes,
        rooms=problem.rooms,
        class_size=problem.class_size,
        hosted=plan.open[:, problem.grade_band, :],
        reach=reach,
        teachers=teachers.to_numpy(dtype=np.float64),
        homes=_homes(problem, plan, within),
    )


def _homes(problem: Problem, plan: Plan, within: npt.NDArray[np.bool_]) -> tuple[Home, ...]:
    """Students of every site by the sites that lie within the limits of their village."""
    b, m = len(problem.bands), len(problem.site_ids)
    patterns, pattern = np.unique(within.reshape(-1, b * m), axis=0, return_inverse=True)
    pattern = np.asarray(pattern).reshape(-1)
    shape = (len(problem.grades), len(problem.years))
    count: dict[tuple[int, int], npt.NDArray[np.int64]] = {}
    for i, t in zip(*np.nonzero(plan.site_of >= 0), strict=True):
        key = (int(plan.site_of[i, t]), int(pattern[i // b]))
        here = count.setdefault(key, np.zeros(shape, dtype=np.int64))
        here[:, t] += problem.students[i, :, t]
    near = [p.reshape(b, m)[problem.grade_band].T for p in patterns]
    return tuple(Home(j, near[p], count[j, p]) for j, p in sorted(count))
