"""The ledger of large classes of a plan: what the ledger needs, taken from problem and plan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.optimise.layout import students_at_sites
from catchment.places.ledger import LedgerFacts, ledger
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.run.model import names_of_sites


def ledger_of(problem: Problem, plan: Plan, region: Region) -> pd.DataFrame:
    """List every class above standard under a plan, with its ways out.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county, with its own classes of today.

    Returns
    -------
    DataFrame
        See :func:`catchment.places.ledger.ledger`.
    """
    names = names_of_sites(region)
    towns = dict(zip(region.schools["school_id"], region.schools["township"], strict=True))
    towns |= dict(zip(region.sites["site_id"], region.sites["township"], strict=True))
    staff = dict(
        zip(
            region.schools["school_id"],
            pd.to_numeric(region.schools["teachers"]).astype("float64"),
            strict=True,
        )
    )
    facts = LedgerFacts(
        years=problem.years,
        grades=problem.grades,
        site_ids=problem.site_ids,
        site_names=tuple(names.get(s, s) for s in problem.site_ids),
        townships=tuple(str(towns.get(s, "")) for s in problem.site_ids),
        students=students_at_sites(problem, plan.site_of).astype(np.int64),
        classes=plan.classes,
        rooms=problem.rooms,
        class_size=problem.class_size,
        hosted=plan.open[:, problem.grade_band, :],
        reach=_reach(problem, plan),
        teachers=np.array([staff.get(s, np.nan) for s in problem.site_ids], dtype=np.float64),
    )
    return ledger(facts, region.classes if len(region.classes) else None)


def _reach(problem: Problem, plan: Plan) -> npt.NDArray[np.int64]:
    """Students of a grade at one site who live within the travel limit of another, first year."""
    m = len(problem.site_ids)
    limit = problem.trip_limit[problem.group_band]
    near = problem.minutes[problem.network[0]] <= limit[:, None]
    out = np.zeros((m, m, len(problem.grades)), dtype=np.int64)
    for j in range(m):
        here = np.flatnonzero(plan.site_of[:, 0] == j)
        out[j] = near[here].T.astype(np.int64) @ problem.students[here, :, 0]
    return out
