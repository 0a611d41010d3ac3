"""Check a plan against rule books: findings with value, limit, excess and citation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from catchment.indicators.provision import estimated_sites
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.rules import size, travel
from catchment.rules.books import class_limits
from catchment.rules.clause import Rule
from catchment.rules.facts import Case, Facts, case_of, facts_of
from catchment.rules.findings import COLUMNS, NAN, RESULTS, Findings
from catchment.rules.gate import check_gate
from catchment.rules.ground import RAILWAY, TRUNK_ROAD, Grounds, check_ground
from catchment.rules.records import judged
from catchment.rules.resources import check_resources
from catchment.rules.ways import Ways

__all__ = ["COLUMNS", "RESULTS", "Rule", "check"]

_Check = Callable[[Case, Rule, Findings], None]


def check(
    problem: Problem,
    plan: Plan,
    today: Plan,
    region_facts: Region | Sequence[Region] | Facts,
    rules: Sequence[Rule],
    indicators: pd.DataFrame | None = None,
    *,
    evidence: pd.DataFrame | None = None,
    public_transport: bool | None = None,
    resources: pd.DataFrame | None = None,
    base: Problem | None = None,
    ways: Ways | None = None,
    grounds: Grounds | None = None,
) -> pd.DataFrame:
    """Check a plan against every clause.

    Parameters
    ----------
    problem : Problem
        The question.
    plan, today : Plan
        The proposal and today's arrangement.
    region_facts : Region, sequence of Region or Facts
        The county (one entry, or one a year), or facts already collected.
    rules : sequence of Rule
        Clauses, as read by :func:`catchment.rules.books.read_books`.
    indicators : DataFrame, optional
        Table of indicators.
    evidence : DataFrame, optional
        Record of evidence: ``school_id, code, item, date, value, document``.
    public_transport : bool, optional
        Whether public transport serves long trips everywhere; what the record of evidence says of
        the county or of a school when left out.
    resources : DataFrame, optional
        Resources of the schools, see :mod:`catchment.indicators.balance`.
    base : Problem, optional
        The question of today's arrangement; ``problem`` when left out.
    ways : Ways, optional
        What is known of the ways of the plan: home again, crossings, straight walks.
    grounds : mapping, optional
        Metres from candidate sites to railways and trunk roads.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`. One row a place and year that breaks a clause or leaves it
        undecided, one row for a clause and year that nothing breaks, and for every closing one row
        an item and a verdict. ``result`` is ``pass``, ``fail``, ``unknown`` or ``evidence``.
        Clauses that only state something have no row.
    """
    if isinstance(region_facts, Facts):
        facts = region_facts
    else:
        regions = [region_facts] if isinstance(region_facts, Region) else list(region_facts)
        facts = facts_of(regions, problem, evidence, public_transport, resources)
    if ways is not None:
        facts = replace(facts, ways=ways)
    if grounds is not None:
        facts = replace(facts, grounds=grounds)
    table = pd.DataFrame() if indicators is None else indicators
    case = case_of(problem, plan, today, facts, rules, class_limits(rules), table, base)
    out = Findings()
    balance = [r for r in case.rules if r.code.startswith("R-YZ-") and r.evaluate == "computed"]
    for rule in case.rules:
        if rule.evaluate == "statement" or "closing" in rule.scope or rule in balance:
            continue
        if rule.evaluate == "nodata":
            _unknown(case, rule, out, "没有相应数据层", "no layer holds this")
        elif rule.evaluate == "evidence":
            _evidence(case, rule, out)
        else:
            _checker(rule)(case, rule, out)
    check_resources(case, balance, out)
    check_gate(case, out)
    return _marked(case, out.table())


def _marked(case: Case, table: pd.DataFrame) -> pd.DataFrame:
    """Say of every finding whether students of its place and year are projected or estimated."""
    problem, plan = case.problem, case.plan
    at = {y: t for t, y in enumerate(problem.years)}
    by_site = estimated_sites(problem, plan)
    site = {s: j for j, s in enumerate(problem.site_ids)}
    village = {v: k for k, v in enumerate(problem.village_ids)}
    town: dict[str, list[int]] = {}
    for k, name in enumerate(case.facts.village_town):
        town.setdefault(name, []).append(k)

    def guessed(kind: str, ident: str, year: int) -> bool:
        t = at.get(year)
        if t is None:
            return False
        first = ident.split("/")[0]
        if kind in ("site", "class") and first in site:
            return bool(by_site[site[first], t])
        if kind in ("village", "group") and first in village:
            return bool(problem.estimated[village[first], t])
        places = town.get(ident, []) if kind == "township" else slice(None)
        return bool(problem.estimated[places, t].any())

    marks = [
        guessed(str(k), str(i), int(y))
        for k, i, y in zip(table["kind"], table["id"], table["year"], strict=True)
    ]
    return table.assign(estimated=np.array(marks, dtype=bool))


def _checker(rule: Rule) -> _Check:
    by_quantity: dict[str, _Check] = {
        "class_students": size.check_classes,
        "large_class_share": size.check_large_share,
        "students": size.check_school_size,
        "students_per_staff": size.check_staff,
        "staff_per_class": size.check_staff,
        "unserved_students": travel.check_unserved,
        "walk_beyond_limit": travel.check_bus_need,
        "boarders": travel.check_boarders,
        "bus_speed": travel.check_bus_speed,
        "junior_schools": travel.check_towns,
        "barrier_crossings": travel.check_crossings,
        RAILWAY: check_ground,
        TRUNK_ROAD: check_ground,
    }
    by_quantity |= dict.fromkeys(travel.TRIP_QUANTITIES, travel.check_trips)
    return by_quantity.get(rule.quantity, _not_recorded)


def _not_recorded(case: Case, rule: Rule, out: Findings) -> None:
    _unknown(case, rule, out, "尚无数据", "no data yet")


def _unknown(case: Case, rule: Rule, out: Findings, zh: str, en: str) -> None:
    out.add(rule, "county", "county", "全县", case.problem.years[0], NAN, "unknown", zh, en)


def _evidence(case: Case, rule: Rule, out: Findings) -> None:
    """Ask for documents where the plan makes them necessary; recorded ones are judged."""
    problem, roll = case.problem, case.rolls[0]
    if "new" in rule.scope:
        opened = case.plan.open.any(axis=1) & ~problem.existing[:, None]
        for j in np.flatnonzero(opened.any(axis=1)):
            year = int(problem.years[int(opened[j].argmax())])
            _recorded(case, rule, out, int(j), year, dt.date(year, 9, 1))
        return
    if "grades" in rule.scope:
        grades = travel.grades_of(case, rule)
        for y, year in enumerate(problem.years):
            pupils = problem.students[:, grades, y].sum(axis=1, dtype=np.int64)
            far = roll.minutes[:, y] > problem.trip_limit[problem.group_band]
            far &= roll.served[:, y] & np.isfinite(roll.minutes[:, y]) & (pupils > 0)
            for site in sorted({int(s) for s in case.plan.site_of[far, y]}):
                need = int(pupils[far & (case.plan.site_of[:, y] == site)].sum())
                _recorded(
                    case,
                    rule,
                    out,
                    site,
                    int(year),
                    dt.date(int(year) + 1, 8, 31),
                    f"{need} 人单程超过时限，如寄宿须确认四项保障",
                    f"{need} students beyond the limit; boarding needs the four guarantees",
                    students=need,
                )
        return
    if rule.scope.get("mode") == ("bus",):
        riders = np.array([m.startswith("bus") for m in problem.modes] + [False])
        if not riders[case.plan.mode_of].any():
            return
    year = int(problem.years[0])
    _recorded(case, rule, out, None, year, dt.date(year + 1, 8, 31))


def _recorded(
    case: Case,
    rule: Rule,
    out: Findings,
    site: int | None,
    year: int,
    by: dt.date,
    zh: str = "待补证据",
    en: str = "evidence awaited",
    *,
    students: int = 0,
) -> None:
    """Add what is recorded of a site, or of the county; awaited where nothing is."""
    code = "" if site is None else case.problem.site_ids[site]
    name = "全县" if site is None else case.facts.site_name[site]
    alone = sum(r.code == rule.code and r.evaluate == rule.evaluate for r in case.rules) == 1
    found = judged(case.facts.evidence, rule, code, by=by, alone=alone)
    kind, ident = ("county", "county") if site is None else ("site", code)
    if found is None:
        out.add(rule, kind, ident, name, year, NAN, "evidence", zh, en, students=students)
        return
    out.add(
        rule,
        kind,
        ident,
        name,
        year,
        found.value,
        found.result,
        found.zh,
        found.en,
        students=students,
    )
