"""Conservation: every student of every year is accounted for."""

from __future__ import annotations

import pandas as pd

from catchment.demand import StudentsByVillage, rejected_students
from catchment.errors import InputError
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region


def conserve(
    problem: Problem, plan: Plan, region: Region, students: StudentsByVillage
) -> pd.DataFrame:
    """Account for every student: in = served + unserved + rejected, exactly, in every year.

    Students in are counted before the problem is assembled, the others after the plan is made.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    region : Region
        The county, with the rows set aside.
    students : StudentsByVillage
        Students as counted.

    Returns
    -------
    DataFrame
        ``year, students_in, served, unserved, rejected`` (integers).

    Raises
    ------
    InputError
        When the sums do not agree, which would be a fault of the program.
    """
    demand = problem.demand()
    aside = rejected_students(region, problem.years, problem.grades)
    grades = [students.grades.index(g) for g in problem.grades]
    rows = []
    for t, year in enumerate(problem.years):
        served_mask = plan.site_of[:, t] >= 0
        counted = int(students.counts[:, grades, students.years.index(year)].sum())
        served = int(demand[served_mask, t].sum())
        unserved = int(demand[~served_mask, t].sum())
        rows.append((year, counted + aside[t], served, unserved, aside[t]))
        if counted != served + unserved:
            raise InputError(f"{year}: 学生数不守恒 / students are not conserved: {rows[-1]}")
    return pd.DataFrame(rows, columns=["year", "students_in", "served", "unserved", "rejected"])
