"""Made-up counties with few students a village, where an attacker has most to find."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from catchment import indicators
from catchment.plan import Plan, split, students_at
from catchment.problem import Problem
from catchment.run import Run
from tests.views.document_run import _longer
from tests.views.map_county import build_run


def poor_run(villages: int, seed: int, share: float, *, variant: int = 0) -> Run:
    """Keep a share of the students of a made-up county; ``variant`` closes schools of its own.

    Runs of one seed have the same children and today's schools; their plans differ by the variant.
    """
    run = _longer(build_run(villages=villages, seed=seed), 4)
    students = np.random.default_rng(seed).binomial(run.problem.students, share).astype(np.int32)
    problem = run.problem.replace(students=students)
    plan = run.plan if not variant else _other(problem, run.plan, seed + 1000 * variant)
    changed = dataclasses.replace(run, name=f"{run.name} {variant}", problem=problem, plan=plan)
    return counted(changed)


def counted(run: Run) -> Run:
    """Form the classes of a run by the rule and count its figures anew."""
    problem = run.problem
    today, plan = formed(problem, run.today), formed(problem, run.plan)
    towns = run.region.villages["township"].astype(str).tolist()
    figures = []
    for name, answer in (("today", today), ("plan", plan)):
        apart, going = split(problem, answer)
        figures.append(indicators.compute(apart, going, which=name, townships=towns))
    return dataclasses.replace(
        run, today=today, plan=plan, indicators=pd.concat(figures, ignore_index=True)
    )


def formed(problem: Problem, plan: Plan) -> Plan:
    """Form classes of the standard size for whoever goes to each school."""
    load = students_at(problem, plan)
    return plan.replace(classes=np.ceil(load / problem.class_size[:, :, None]).astype(np.int32))


def _other(problem: Problem, plan: Plan, seed: int) -> Plan:
    """Close some schools at the start and more in the last year; everybody goes to the nearest."""
    rng = np.random.default_rng(seed)
    opened = problem.today_open[:, :, None].repeat(len(problem.years), axis=2)
    for t, count in ((0, 3), (len(problem.years) - 1, 8)):
        opened[rng.choice(len(problem.site_ids), count, replace=False), :, t:] = False
    site_of, mode_of = plan.site_of.copy(), plan.mode_of.copy()
    for t in range(len(problem.years)):
        cost = problem.minutes[problem.network[t]].astype(float)
        cost = np.where(opened[:, problem.group_band, t].T, cost, np.inf)
        site_of[:, t] = np.where(np.isfinite(cost).any(axis=1), cost.argmin(axis=1), -1)
        rows = np.arange(len(site_of))
        mode_of[:, t] = np.where(
            site_of[:, t] >= 0, problem.mode[problem.network[t], rows, site_of[:, t]], -1
        )
    return plan.replace(open=opened, site_of=site_of, mode_of=mode_of)
