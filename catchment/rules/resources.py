"""Rules of balanced development (优质均衡): seven resources by school, variation by county."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from catchment.indicators.balance import RESOURCES, TABLE_COLUMNS, Balance, after, assess
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.bands import Band
from catchment.rules.clause import Rule
from catchment.rules.facts import Case
from catchment.rules.findings import NAN, Findings

STAGES = ("primary", "junior")


def standards(
    rules: Sequence[Rule],
) -> tuple[dict[tuple[str, str], float], dict[str, float], int, float]:
    """Read the standards of the seven resources from the books.

    Parameters
    ----------
    rules : sequence of Rule
        Clauses.

    Returns
    -------
    standards : dict of (stage, resource) to float
        Least amounts.
    variations : dict of stage to float
        Most that a coefficient of variation may be.
    least : int
        Indicators a school must meet.
    rest : float
        Share of the standard that the others must reach.
    """
    amount: dict[tuple[str, str], float] = {}
    variation: dict[str, float] = {}
    least, rest = len(RESOURCES) - 1, 0.85
    for rule in rules:
        if rule.limit is None:
            continue
        for stage in rule.scope.get("stage", ()):
            if rule.quantity in RESOURCES:
                amount[stage, rule.quantity] = rule.limit
            elif rule.code == "R-YZ-09":
                variation[stage] = rule.limit
        if rule.quantity == "indicators_met":
            least = int(rule.limit)
        elif rule.quantity == "indicator_ratio":
            rest = rule.limit / 100.0
    return amount, variation, least, rest


def check_resources(case: Case, rules: Sequence[Rule], out: Findings) -> None:
    """Check the clauses of balanced development for every year of the plan.

    Parameters
    ----------
    case : Case
        The case; without a table of resources everything is unknown.
    rules : sequence of Rule
        Clauses ``R-YZ-01`` to ``R-YZ-09`` that are computed.
    out : Findings
        Takes one finding a school, stage and year, or county and resource, that breaks a clause or
        leaves it undecided.
    """
    if not rules:
        return
    table = case.facts.resources
    if table is None or table.empty:
        for rule in rules:
            zh, en = "没有学校资源表", "no table of school resources"
            year = case.problem.years[0]
            out.add(rule, "county", "county", "全县", year, NAN, "unknown", zh, en)
        return
    amount, variation, least, rest = standards(case.rules)
    bands = tuple(case.facts.bands.values())
    for y, year in enumerate(case.problem.years):
        now = after(table, case.problem, case.plan, y, bands)
        got = assess(now, amount, variation, met_least=least, rest_least=rest)
        for rule in rules:
            start = len(out.rows)
            if rule.quantity == "cv":
                _variation(case, rule, got, year, out)
            elif rule.quantity in ("indicators_met", "indicator_ratio"):
                _verdicts(case, rule, got, year, out)
            else:
                _amounts(case, rule, got, year, out)
            if len(out.rows) == start:
                out.add(rule, "county", "county", "全县", year, NAN, "pass")


def balance_tables(
    table: pd.DataFrame,
    before: tuple[Problem, Plan, int],
    now: tuple[Problem, Plan, int],
    rules: Sequence[Rule],
    bands: Sequence[Band],
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Balanced development before and after, for people.

    Parameters
    ----------
    table : DataFrame
        Resources of the schools.
    before, now : (Problem, Plan, int)
        Question, answer and position of the year of today and of the plan.
    rules : sequence of Rule
        Clauses ``R-YZ-01`` to ``R-YZ-09``.
    bands : sequence of Band
        Table of bands.

    Returns
    -------
    county : DataFrame
        ``stage, indicator, limit, cv_before, result_before, cv_after, result_after``.
    schools : DataFrame
        ``school_id, stage, met_before, unknown_before, worst_before, result_before, met_after,
        unknown_after, worst_after, result_after``; a school or stage that is not there in one of
        the two has blanks.
    left_out : tuple of str
        Schools that are not assessed under the plan, and why.
    """
    amount, variation, least, rest = standards(rules)
    got = [
        assess(after(table, p, q, y, bands), amount, variation, met_least=least, rest_least=rest)
        for p, q, y in (before, now)
    ]
    county = got[0].county.merge(
        got[1].county.drop(columns="limit"),
        on=["stage", "indicator"],
        suffixes=("_before", "_after"),
    )
    county = county[
        ["stage", "indicator", "limit", "cv_before", "result_before", "cv_after", "result_after"]
    ]
    parts = [g.verdicts.rename(columns={"worst_ratio": "worst"}) for g in got]
    schools = parts[0].merge(
        parts[1], on=["school_id", "stage"], how="outer", suffixes=("_before", "_after")
    )
    return county, schools.sort_values(["school_id", "stage"], ignore_index=True), got[1].left_out


def _place(case: Case, school: str) -> str:
    sites = case.problem.site_ids
    return case.facts.site_name[sites.index(school)] if school in sites else school


def _amounts(case: Case, rule: Rule, got: Balance, year: int, out: Findings) -> None:
    rows = got.schools
    mine = rows[(rows["indicator"] == rule.quantity) & rows["stage"].isin(rule.scope["stage"])]
    for school, value, met in zip(mine["school_id"], mine["value"], mine["met"], strict=True):
        if met == "yes":
            continue
        result = "unknown" if met == "unknown" else "fail"
        out.add(rule, "site", str(school), _place(case, str(school)), year, float(value), result)


def _verdicts(case: Case, rule: Rule, got: Balance, year: int, out: Findings) -> None:
    for school, stage, met, unknown, worst in got.verdicts[
        ["school_id", "stage", "met", "unknown", "worst_ratio"]
    ].itertuples(index=False, name=None):
        value = float(met) if rule.quantity == "indicators_met" else 100.0 * float(worst)
        known = float(met + unknown) if rule.quantity == "indicators_met" else value
        if known != known or rule.holds(round(known, 6)):
            if not unknown or (rule.quantity == "indicators_met" and rule.holds(value)):
                continue
            result = "unknown"
        else:
            result = "fail"
        zh = "小学" if stage == "primary" else "初中"
        out.add(
            rule,
            "site",
            str(school),
            _place(case, str(school)),
            year,
            value,
            result,
            zh,
            str(stage),
        )


def _variation(case: Case, rule: Rule, got: Balance, year: int, out: Findings) -> None:
    mine = got.county[got.county["stage"].isin(rule.scope["stage"])]
    for name, cv, result in zip(mine["indicator"], mine["cv"], mine["result"], strict=True):
        if result == "pass":
            continue
        title = next((r for r in case.rules if r.quantity == name), None)
        zh, en = (title.title_zh, title.title_en) if title else (str(name), str(name))
        if result == "unknown":
            rows = got.schools
            blank = rows[
                (rows["indicator"] == name)
                & rows["stage"].isin(rule.scope["stage"])
                & (rows["met"] == "unknown")
            ]
            lacking = [_place(case, str(s)) for s in blank["school_id"]]
            if lacking:
                zh, en = f"{zh}：缺 {'、'.join(lacking)}", f"{en}: no data of {', '.join(lacking)}"
        out.add(rule, "county", "county", "全县", year, float(cv), str(result), zh, en)


def resource_template(schools: pd.DataFrame) -> pd.DataFrame:
    """Empty table of resources to be filled in, one row a school.

    Parameters
    ----------
    schools : DataFrame
        Schools of the region.

    Returns
    -------
    DataFrame
        Columns of :data:`catchment.indicators.balance.TABLE_COLUMNS`, ids filled in.
    """
    out = pd.DataFrame({"school_id": schools["school_id"].astype(str)})
    stage = schools["role"].map({"junior": "junior", "nine_year": "both"}).fillna("primary")
    out["stage"] = stage
    out["kind"] = (schools["role"] == "teaching_point").map({True: "teaching_point", False: ""})
    return out.reindex(columns=[*TABLE_COLUMNS, "students_primary", "students_junior"])
