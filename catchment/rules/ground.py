"""Rules about the ground that a new school stands on: how far railways and trunk roads are."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from catchment.rules.clause import Rule
from catchment.rules.facts import Case
from catchment.rules.findings import NAN, Findings

RAILWAY, TRUNK_ROAD = "distance_railway", "distance_trunk_road"
"""Quantities of ``R-SITE-01``."""

Grounds = Mapping[str, Mapping[str, float]]
"""Metres by quantity and code of site: inf where the county has no such line, nan where nobody knows."""


def check_ground(case: Case, rule: Rule, out: Findings) -> None:
    """Check how far a newly opened school is from railways and trunk roads.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        A clause of ``R-SITE-01``.
    out : Findings
        Takes one finding a new school that is too near or was not measured, in the year it opens.
        A site that stands already is not asked, nor is one that a plan reopens.
    """
    problem, measured = case.problem, case.facts.grounds
    metres = {} if measured is None else measured.get(rule.quantity, {})
    opened = case.plan.open.any(axis=1) & ~problem.existing[:, None]
    new = np.flatnonzero(opened.any(axis=1))
    nearest, bad = math.inf, False
    for j in new:
        code, year = problem.site_ids[j], problem.years[int(opened[j].argmax())]
        value = float(metres.get(code, NAN))
        if math.isnan(value):
            said = ("unknown", "附近线路无数据", "no data of the lines around")
        elif not rule.holds(value):
            said = ("fail", "", "")
        else:
            nearest = min(nearest, value)
            continue
        bad = True
        out.add(rule, "site", code, case.facts.site_name[j], year, value, *said)
    if not bad:
        value = nearest if math.isfinite(nearest) else NAN
        note = ("", "") if len(new) else ("无适用对象", "applies to nothing")
        out.add(rule, "county", "county", "全县", problem.years[0], value, "pass", *note)
