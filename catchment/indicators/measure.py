"""Measures of a plan: travel burden, places, classes, schools, by scope and year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.indicators.registry import registry
from catchment.places import ClassLimits, ClassTable, class_table, own_classes, seats
from catchment.plan import Plan, split
from catchment.problem import Problem
from catchment.region.bands import Band, read_bands

COLUMNS = ("indicator", "unit", "scope", "id", "year", "value", "plan")
"""Columns of the table of indicators."""

WORSE_MINUTES = 10.0
"""A trip longer by more than so many minutes is clearly longer."""

Float = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
_Row = tuple[str, str, str, int, float]


@dataclass(frozen=True)
class Roll:
    """What a plan means for every group and site.

    Attributes
    ----------
    students : (n, t) int64
        Students of each group.
    served : (n, t) bool
        Groups with a site.
    minutes, metres : (n, t) float64
        One-way trip; inf without a site or without a trip.
    minutes_today : (n,) float64
        One-way trip of today on today's roads; inf where unknown.
    at_site : (m, g, t) int64
        Students by site, grade and year.
    """

    students: Int64
    served: Bool
    minutes: Float
    metres: Float
    minutes_today: Float
    at_site: Int64


def roll(problem: Problem, plan: Plan) -> Roll:
    """Trips and students at the sites of a plan.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    Roll
        Trips by group and year, students by site, grade and year.
    """
    n, _, t = problem.students.shape
    m = len(problem.site_ids)
    site = np.asarray(plan.site_of, dtype=np.int64)
    served = site >= 0
    at = np.maximum(site, 0)
    group = np.broadcast_to(np.arange(n)[:, None], (n, t))
    network = np.broadcast_to(np.asarray(problem.network, dtype=np.int64)[None, :], (n, t))
    if m:
        minutes = np.where(served, problem.minutes[network, group, at].astype(np.float64), np.inf)
        metres = np.where(served, problem.metres[network, group, at].astype(np.float64), np.inf)
        today = np.asarray(problem.today, dtype=np.int64)
        first = int(problem.network[0])
        before = problem.minutes[first, np.arange(n), np.maximum(today, 0)].astype(np.float64)
        before = np.where(today >= 0, before, np.inf)
    else:
        minutes = np.full((n, t), np.inf)
        metres = np.full((n, t), np.inf)
        before = np.full(n, np.inf)
    at_site = np.zeros((m, t, problem.students.shape[1]), dtype=np.int64)
    i, y = np.nonzero(served)
    np.add.at(at_site, (site[i, y], y), problem.students[i, :, y].astype(np.int64))
    return Roll(
        students=problem.students.sum(axis=1, dtype=np.int64),
        served=np.asarray(served, dtype=bool),
        minutes=minutes,
        metres=metres,
        minutes_today=before,
        at_site=np.ascontiguousarray(at_site.transpose(0, 2, 1)),
    )


def compute(
    problem: Problem,
    plan: Plan,
    *,
    which: str = "plan",
    townships: Sequence[str] | None = None,
    bands: Sequence[Band] | None = None,
    limits: ClassLimits | None = None,
    actual: pd.DataFrame | None = None,
    detail: bool = True,
) -> pd.DataFrame:
    """Every indicator of a plan in long form.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    which : str
        Name put in column ``plan``, such as ``today`` or ``plan``.
    townships : sequence of str, optional
        (v) township of each village; rows by township are left out without it.
    bands : sequence of Band, optional
        Table of bands, for stages and boarding; the shipped one when left out.
    limits : ClassLimits, optional
        Limits of class and school size; the national ones when left out.
    actual : DataFrame, optional
        The county's own classes. In the first year they stand in for formed ones at every site
        whose students the plan leaves as they are today.
    detail : bool
        Whether every village and site has rows of its own.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`. ``scope`` is ``county``, ``band``, ``mode``, ``township``,
        ``village`` or ``site``; ``id`` is ``county`` for the county. Values that do not exist,
        such as the mean trip of nobody, have no row.
    """
    table = {b.band: b for b in (read_bands() if bands is None else bands)}
    limits = limits or ClassLimits()
    facts = roll(problem, plan)
    rows: list[_Row] = []
    scopes = _scopes(problem, townships)
    for y, year in enumerate(problem.years):
        for scope, name, groups in scopes:
            _travel(rows, problem, plan, facts, table, scope, name, groups, y, year)
        for k, mode in enumerate(problem.modes):
            used = np.flatnonzero((plan.mode_of[:, y] == k) & (facts.students[:, y] > 0))
            _trips(rows, problem, facts, "mode", mode, used, y, year)
        if detail:
            _villages(rows, problem, facts, y, year)
    _sites(rows, problem, plan, facts, table, limits, actual, detail)
    units = {code: row.unit for code, row in registry().items()}
    return pd.DataFrame(
        [(i, units[i], s, name, year, value, which) for i, s, name, year, value in rows],
        columns=list(COLUMNS),
    )


def weighted_quantile(values: Float, weights: Int64, share: float) -> float:
    """Least value within which at least the given share of the weight lies.

    Parameters
    ----------
    values : (k,) float64
        Values.
    weights : (k,) int64
        Weights, 0 or more, not all 0.
    share : float
        Share, above 0 and at most 1.

    Returns
    -------
    float
        One of ``values``; nothing is interpolated.

    Examples
    --------
    >>> weighted_quantile(np.array([5.0, 20.0, 60.0]), np.array([5, 4, 1]), 0.9)
    20.0
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    # whole students: 0.9 of 10 is 9, whatever 0.9 * 10 is in binary
    wanted = int(np.ceil(round(share * int(reached[-1]), 9)))
    return float(values[order][int(np.searchsorted(reached, max(wanted, 1)))])


def _scopes(
    problem: Problem, townships: Sequence[str] | None
) -> list[tuple[str, str, npt.NDArray[np.intp]]]:
    scopes = [("county", "county", np.arange(len(problem.group_village)))]
    for k, band in enumerate(problem.bands):
        scopes.append(("band", band, np.flatnonzero(problem.group_band == k)))
    if townships is not None:
        town = np.asarray([str(x) for x in townships], dtype=object)[problem.group_village]
        names = sorted(set(town.tolist()))
        scopes += [("township", name, np.flatnonzero(town == name)) for name in names]
    return scopes


def _travel(
    rows: list[_Row],
    problem: Problem,
    plan: Plan,
    facts: Roll,
    table: dict[str, Band],
    scope: str,
    name: str,
    groups: npt.NDArray[np.intp],
    y: int,
    year: int,
) -> None:
    weight = facts.students[groups, y]
    served = facts.served[groups, y]
    site = plan.site_of[groups, y]
    today = problem.today[groups]

    def add(indicator: str, value: float) -> None:
        rows.append((indicator, scope, name, year, float(value)))

    add("students", weight.sum())
    add("served", weight[served].sum())
    add("unserved", weight[~served].sum())
    _trips(rows, problem, facts, scope, name, groups[served], y, year)
    bus = np.array([m.startswith("bus") for m in problem.modes] + [False])
    add("bus_riders", weight[bus[plan.mode_of[groups, y]] & served].sum())
    over = facts.minutes[groups, y] > problem.trip_limit[problem.group_band[groups]]
    may = np.array([b in table and table[b].boarding != "no" for b in problem.bands])
    add("boarders_need", weight[served & over & may[problem.group_band[groups]]].sum())
    add("moved_students", weight[served & (today >= 0) & (site != today)].sum())
    longer = np.zeros(len(groups), dtype=bool)
    both = np.isfinite(facts.minutes[groups, y]) & np.isfinite(facts.minutes_today[groups])
    longer[both] = (
        facts.minutes[groups, y][both] - facts.minutes_today[groups][both] > WORSE_MINUTES
    )
    add("worsened_students", weight[longer].sum())


def _trips(
    rows: list[_Row],
    problem: Problem,
    facts: Roll,
    scope: str,
    name: str,
    groups: npt.NDArray[np.intp],
    y: int,
    year: int,
) -> None:
    """Add the measures of trips of the groups served."""
    weight = facts.students[groups, y]
    trip = np.isfinite(facts.minutes[groups, y])

    def add(indicator: str, value: float) -> None:
        rows.append((indicator, scope, name, year, float(value)))

    if scope == "mode":
        add("students", weight.sum())
    add("no_trip_students", weight[~trip].sum())
    some = trip & (weight > 0)
    groups, weight = groups[some], weight[some]
    minutes, metres = facts.minutes[groups, y], facts.metres[groups, y]
    total = int(weight.sum())
    add("student_minutes", (weight * minutes).sum())
    known = np.isfinite(metres)
    add("student_km", (weight[known] * metres[known]).sum() / 1000.0)
    over = minutes > problem.trip_limit[problem.group_band[groups]]
    add("over_limit_students", weight[over].sum())
    young = np.asarray([g <= 3 for g in problem.grades], dtype=bool)
    small = problem.students[groups, :, y][:, young].sum(axis=1, dtype=np.int64)
    late = minutes > 30.0
    add("over_30_students", small[late].sum())
    if small.sum():
        add("over_30_share", small[late].sum() / small.sum())
    if not total:
        return
    add("over_limit_share", weight[over].sum() / total)
    add("minutes_mean", (weight * minutes).sum() / total)
    add("minutes_median", weighted_quantile(minutes, weight, 0.5))
    add("minutes_p90", weighted_quantile(minutes, weight, 0.9))
    add("minutes_max", minutes.max())
    if known.any():
        add("km_mean", (weight[known] * metres[known]).sum() / weight[known].sum() / 1000.0)


def _villages(rows: list[_Row], problem: Problem, facts: Roll, y: int, year: int) -> None:
    """Add mean and worst minutes of each village."""
    v = len(problem.village_ids)
    weight = facts.students[:, y]
    some = np.isfinite(facts.minutes[:, y]) & (weight > 0)
    where = problem.group_village[some]
    total = np.bincount(where, weights=weight[some], minlength=v)
    spent = np.bincount(where, weights=weight[some] * facts.minutes[some, y], minlength=v)
    worst = np.zeros(v)
    np.maximum.at(worst, where, facts.minutes[some, y])
    for k in np.flatnonzero(total > 0):
        name = problem.village_ids[k]
        rows.append(("minutes_mean", "village", name, year, float(spent[k] / total[k])))
        rows.append(("minutes_max", "village", name, year, float(worst[k])))


def _sites(
    rows: list[_Row],
    problem: Problem,
    plan: Plan,
    facts: Roll,
    table: dict[str, Band],
    limits: ClassLimits,
    actual: pd.DataFrame | None,
    detail: bool,
) -> None:
    """Add places, classes and schools of the county and, where asked, of each site."""
    m, _, t = facts.at_site.shape
    hosted = plan.open[:, problem.grade_band, :]
    is_open = plan.open.any(axis=1)
    used = is_open | (facts.at_site.sum(axis=1) > 0)
    held, short, spare = seats(
        facts.at_site, np.where(used, problem.rooms, 0), problem.class_size, hosted
    )
    classes = _listed(problem, plan, facts, actual)
    grade = np.asarray(problem.grades)[classes.grade]
    level = limits.category(classes.size, grade)

    def tally(flag: Bool) -> Int64:
        out = np.zeros((m, t), dtype=np.int64)
        np.add.at(out, (classes.site[flag], classes.year[flag]), 1)
        return out

    largest = np.zeros((m, t), dtype=np.int64)
    np.maximum.at(largest, (classes.site, classes.year), classes.size)
    count = tally(np.ones(len(classes.site), dtype=bool))
    students = facts.at_site.sum(axis=1)
    by_site: dict[str, Int64] = {
        "students": students,
        "places": held.astype(np.int64),
        "place_shortfall": short.astype(np.int64),
        "place_surplus": spare.astype(np.int64),
        "classes": count,
        "combined_classes": tally(classes.grade_to > classes.grade),
        "over_standard_classes": tally(level >= 1),
        "large_classes": tally(level >= 2),
        "super_large_classes": tally(level >= 3),
        "room_shortage": np.maximum(count - problem.rooms, 0),
    }
    schools, points, small = _kinds(problem, plan, students, table, limits)
    for y, year in enumerate(problem.years):
        for code, values in by_site.items():
            if code != "students":
                rows.append((code, "county", "county", year, float(values[:, y].sum())))
        total = int(count[:, y].sum())
        if total:
            mean = float(students[:, y].sum() / total)
            share = float(by_site["large_classes"][:, y].sum() / total)
            rows.append(("students_per_class", "county", "county", year, mean))
            rows.append(("large_class_share", "county", "county", year, share))
            rows.append(("largest_class", "county", "county", year, float(largest[:, y].max())))
        rows.append(("schools_open", "county", "county", year, float(schools[:, y].sum())))
        rows.append(("teaching_points", "county", "county", year, float(points[:, y].sum())))
        rows.append(("small_schools", "county", "county", year, float(small[:, y].sum())))
        for j in np.flatnonzero(used[:, y]) if detail else ():
            name = problem.site_ids[j]
            for code, values in by_site.items():
                rows.append((code, "site", name, year, float(values[j, y])))
            if count[j, y]:
                mean = float(students[j, y] / count[j, y])
                rows.append(("students_per_class", "site", name, year, mean))
                rows.append(("largest_class", "site", name, year, float(largest[j, y])))


def classes_listed(problem: Problem, plan: Plan, actual: pd.DataFrame | None = None) -> ClassTable:
    """List the classes that the figures of a plan count: one list for every document.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.
    actual : DataFrame, optional
        The county's own classes; in the first year they stand in for formed ones at every site
        whose students the plan leaves as they are today.

    Returns
    -------
    ClassTable
        One class a row.
    """
    apart, going = split(problem, plan)
    return _listed(apart, going, roll(apart, going), actual)


def _listed(problem: Problem, plan: Plan, facts: Roll, actual: pd.DataFrame | None) -> ClassTable:
    formed = np.where(
        (plan.classes.sum(axis=1) == 0)[:, None, :] & (facts.at_site > 0), 1, plan.classes
    )
    return _with_own(problem, facts, class_table(facts.at_site, formed), actual)


def _with_own(
    problem: Problem, facts: Roll, formed: ClassTable, actual: pd.DataFrame | None
) -> ClassTable:
    """Put the county's own classes of today in the place of formed ones, where nothing changes."""
    own = own_classes(actual, problem.site_ids, problem.grades, problem.years[0])
    today = np.zeros(facts.at_site.shape[:2], dtype=np.int64)
    known = np.flatnonzero(problem.today >= 0)
    np.add.at(today, problem.today[known], problem.students[known, :, 0].astype(np.int64))
    same = (today == facts.at_site[:, :, 0]).all(axis=1)
    rows = [c for j, found in own.items() if same[j] for c in found]
    taken = np.zeros(len(problem.site_ids), dtype=bool)
    taken[[c.site for c in rows]] = True
    keep = ~((formed.year == 0) & taken[formed.site])

    def joined(old: Int32, new: list[int]) -> Int32:
        return np.concatenate([old[keep], np.asarray(new, dtype=np.int32)])

    grade = [c.grade for c in rows]
    return ClassTable(
        site=joined(formed.site, [c.site for c in rows]),
        year=joined(formed.year, [0] * len(rows)),
        grade=joined(formed.grade, grade),
        grade_to=joined(formed.grade_to, grade),
        number=joined(formed.number, list(range(1, len(rows) + 1))),
        size=joined(formed.size, [c.size for c in rows]),
    )


def _kinds(
    problem: Problem,
    plan: Plan,
    students: Int64,
    table: dict[str, Band],
    limits: ClassLimits,
) -> tuple[Bool, Bool, Bool]:
    """Sites that are schools, teaching points and small schools, by year.

    A site is a teaching point where it teaches some but not all primary bands and nothing else.
    """
    primary = np.array([table[b].stage == "primary" if b in table else True for b in problem.bands])
    is_open = plan.open.any(axis=1)
    lower = plan.open[:, primary, :]
    junior = plan.open[:, ~primary, :].any(axis=1)
    point = lower.any(axis=1) & ~lower.all(axis=1) & ~junior
    small = lower.any(axis=1) & ~junior & (students > 0) & (students < limits.small_school)
    return (
        np.asarray(is_open & ~point, dtype=bool),
        np.asarray(point, dtype=bool),
        np.asarray(small, dtype=bool),
    )
