"""Conservation: every student of every year is accounted for."""

from __future__ import annotations

import pandas as pd

from catchment.errors import InputError
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region


def conserve(problem: Problem, plan: Plan, region: Region) -> pd.DataFrame:
    """Account for every student: in = served + unserved + rejected, exactly, in every year.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county, with the rows set aside.

    Returns
    -------
    DataFrame
        ``year, students_in, served, unserved, rejected`` (integers).

    Raises
    ------
    InputError
        When the sums do not agree, which would be a fault of the program.
    """
    rejected = region.rejected
    demand = problem.demand()
    rows = []
    for t, year in enumerate(problem.years):
        served_mask = plan.site_of[:, t] >= 0
        aside = 0
        if len(rejected):
            count = pd.to_numeric(rejected["students"]).fillna(0)
            same_year = pd.to_numeric(rejected["year"]) == year
            grade = pd.to_numeric(rejected["grade"])
            inside = grade.isin(problem.grades) | grade.isna()
            aside = int(count[same_year & inside].sum())
        served = int(demand[served_mask, t].sum())
        unserved = int(demand[~served_mask, t].sum())
        rows.append((year, int(problem.students[:, :, t].sum()) + aside, served, unserved, aside))
        if rows[-1][1] != served + unserved + aside:
            raise InputError(f"{year}: 学生数不守恒 / students are not conserved: {rows[-1]}")
    return pd.DataFrame(rows, columns=["year", "students_in", "served", "unserved", "rejected"])
