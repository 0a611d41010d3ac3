"""Rules about the size of classes and schools, and about staff."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.places import class_table, own_classes
from catchment.rules.books import staff_ratios
from catchment.rules.clause import Rule
from catchment.rules.facts import URBAN, Case
from catchment.rules.findings import NAN, Findings
from catchment.rules.travel import grades_of

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OneClass:
    """One class of a plan, or of the county's own table for today.

    Attributes
    ----------
    site, year, grade : int
        Positions.
    number : str
        Class number or name.
    size : int
        Students.
    actual : bool
        Whether it comes from the county's table.
    """

    site: int
    year: int
    grade: int
    number: str
    size: int
    actual: bool


def actual_classes(case: Case) -> dict[int, list[OneClass]]:
    """Classes of the first year from the county's own table, by position of the site.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    dict of int to list of OneClass
        Rows of the first year, or rows without a year.
    """
    problem = case.problem
    found = own_classes(case.facts.classes, problem.site_ids, problem.grades, problem.years[0])
    return {
        j: [OneClass(j, 0, c.grade, c.number, c.size, True) for c in rows]
        for j, rows in found.items()
    }


def classes_of(case: Case, sites: Collection[int] | None = None) -> list[OneClass]:
    """Every class of the plan.

    Parameters
    ----------
    case : Case
        The case.
    sites : collection of int, optional
        Positions of the only sites asked for.

    Returns
    -------
    list of OneClass
        Formed classes; in the first year the county's own rows where the plan leaves the school's
        students as they are today.
    """
    at_site = case.rolls[0].at_site
    formed = np.where(
        (case.plan.classes.sum(axis=1) == 0)[:, None, :] & (at_site > 0), 1, case.plan.classes
    )
    table = class_table(at_site, formed)
    same = (at_site[:, :, 0] == case.rolls[1].at_site[:, :, 0]).all(axis=1)
    actual = {j: rows for j, rows in actual_classes(case).items() if same[j]}
    if sites is not None:
        actual = {j: rows for j, rows in actual.items() if j in sites}
    out = [row for j in sorted(actual) for row in actual[j]]
    mine = slice(None) if sites is None else np.isin(table.site, list(sites))
    for j, t, g, n, s in zip(
        table.site[mine].tolist(),
        table.year[mine].tolist(),
        table.grade[mine].tolist(),
        table.number[mine].tolist(),
        table.size[mine].tolist(),
        strict=True,
    ):
        if t or j not in actual:
            out.append(OneClass(j, t, g, str(n), s, False))
    return out


def check_classes(case: Case, rule: Rule, out: Findings) -> None:
    """Check the size of every class.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        A clause with quantity ``class_students``.
    out : Findings
        Takes one finding a class beyond the limit; a site with students but no class is unknown.
    """
    problem = case.problem
    if rule.limit is None:
        _no_limit(case, rule, out)
        return
    grades = grades_of(case, rule)
    incomplete = _incomplete(case) if "role" in rule.scope else None
    largest = np.full(len(problem.years), NAN)
    broken = np.zeros(len(problem.years), dtype=bool)
    for one in classes_of(case):
        if not grades[one.grade] or (incomplete is not None and not incomplete[one.site, one.year]):
            continue
        largest[one.year] = np.nanmax([largest[one.year], one.size])
        if rule.holds(one.size):
            continue
        broken[one.year] = True
        grade = problem.grades[one.grade]
        out.add(
            rule,
            "class",
            f"{problem.site_ids[one.site]}/{grade}/{one.number}",
            case.facts.site_name[one.site],
            problem.years[one.year],
            float(one.size),
            "fail",
            f"{grade} 年级 {one.number} 班" + ("" if one.actual else "（按教室数编班推算）"),
            f"grade {grade}, class {one.number}" + ("" if one.actual else " (formed from rooms)"),
            students=one.size,
        )
    bare = _bare(case)
    for j, y in np.argwhere(bare):
        broken[y] = True
        out.add(
            rule,
            "site",
            problem.site_ids[j],
            case.facts.site_name[j],
            problem.years[y],
            NAN,
            "unknown",
            "有学生而没有班级",
            "students but no class",
            students=int(case.rolls[0].at_site[j, :, y].sum()),
        )
    for y in np.flatnonzero(~broken):
        note = ("", "") if largest[y] == largest[y] else ("无适用对象", "applies to nothing")
        out.add(
            rule, "county", "county", "全县", problem.years[y], float(largest[y]), "pass", *note
        )


def check_large_share(case: Case, rule: Rule, out: Findings) -> None:
    """Check the county's share of large classes.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-CLS-04`` for the county.
    out : Findings
        One finding a year; unknown where there are no classes.
    """
    total = np.zeros(len(case.problem.years))
    large = np.zeros(len(case.problem.years))
    for one in classes_of(case):
        total[one.year] += 1
        large[one.year] += one.size >= case.limits.large
    for y, year in enumerate(case.problem.years):
        if total[y] == 0:
            out.add(rule, "county", "county", "全县", year, NAN, "unknown", "没有班级", "no class")
            continue
        share = float(100 * large[y] / total[y])
        result = "pass" if rule.holds(share) else "fail"
        out.add(rule, "county", "county", "全县", year, share, result)


def check_school_size(case: Case, rule: Rule, out: Findings) -> None:
    """Check the number of students of schools, or of new schools alone.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-SIZ-01`` or ``R-SIZ-02``.
    out : Findings
        Takes one finding a school and year beyond the limit; an open school that nobody is assigned
        to is unknown, and so is one beyond a rural limit whose urban-rural class is missing. Urban
        schools are outside a clause with ``urban=rural``.
    """
    problem, scope = case.problem, rule.scope
    students = case.rolls[0].at_site.sum(axis=1)
    kind = _kind(case)
    roles = scope.get("role", ())
    wanted = {"school": ("complete", "incomplete", "junior")}.get(roles[0], roles)
    rural_only = scope.get("urban") == ("rural",)
    place = np.array(case.facts.site_urban, dtype=object)
    for y, year in enumerate(problem.years):
        about = np.isin(kind[:, y], wanted)
        if "new" in scope:
            about &= ~problem.existing
        if rural_only:
            about &= ~np.isin(place, URBAN)
        # a school that nobody is assigned to has a number of students that is not known
        empty = about & ~np.isin(np.arange(len(about)), case.plan.site_of[:, y])
        bad = False
        for j in np.flatnonzero(about):
            value = float(students[j, y])
            if not empty[j] and rule.holds(value):
                continue
            bad = True
            unclear = rural_only and not place[j]
            zh, en = "", ""
            if empty[j]:
                zh, en = "招生范围不明", "catchment not known"
            elif unclear:
                zh, en = "城乡分类缺失", "the urban-rural class is missing"
            out.add(
                rule,
                "site",
                problem.site_ids[j],
                case.facts.site_name[j],
                year,
                NAN if empty[j] else value,
                "unknown" if empty[j] or unclear else "fail",
                zh,
                en,
                students=int(value),
            )
        if not bad:
            top = float(students[about, y].max()) if about.any() else NAN
            note = ("", "") if about.any() else ("无适用对象", "applies to nothing")
            out.add(rule, "county", "county", "全县", year, top, "pass", *note)


def check_staff(case: Case, rule: Rule, out: Findings) -> None:
    """Check today's staff against students, or against classes in small schools.

    Parameters
    ----------
    case : Case
        The case.
    rule : Rule
        ``R-STF-01`` or ``R-STF-02``.
    out : Findings
        First year only: staff of later years is not known. The staff of a nine-year school is
        shared out to its stages by what its grades need, at the ratios of the books.
    """
    if rule.limit is None:
        _no_limit(case, rule, out)
        return
    problem, y = case.problem, 0
    stage = np.array([case.stage(int(b)) for b in problem.grade_band])
    at_site = case.rolls[0].at_site[:, :, y]
    primary, junior = (
        at_site[:, stage == "primary"].sum(axis=1),
        at_site[:, stage == "junior"].sum(axis=1),
    )
    ratio = staff_ratios(case.rules)
    bad = False
    best = NAN
    for j in range(len(problem.site_ids)):
        if at_site[j].sum() == 0:
            continue
        staff = float(case.facts.teachers[j])
        if rule.quantity == "staff_per_class":
            if at_site[j].sum() >= case.limits.small_school:
                continue
            classes = int(case.plan.classes[j, :, y].sum())
            value = staff / classes if classes else NAN
        else:
            mine = (primary if "primary" in rule.scope["stage"] else junior)[j]
            if mine == 0:
                continue
            need = {s: n[j] / ratio[s] for s, n in (("primary", primary), ("junior", junior))}
            own = need["primary" if "primary" in rule.scope["stage"] else "junior"]
            share = own / sum(need.values())
            value = mine / (staff * share) if staff * share > 0 else NAN
        ok = value == value and rule.holds(round(value, 9))
        best = value if best != best else max(best, value)
        if ok:
            continue
        bad = True
        unknown = value != value
        out.add(
            rule,
            "site",
            problem.site_ids[j],
            case.facts.site_name[j],
            problem.years[y],
            value,
            "unknown" if unknown else "fail",
            "教职工数缺失或为0" if unknown else f"教职工 {staff:g} 人",
            "staff missing or 0" if unknown else f"{staff:g} staff",
            students=int(at_site[j].sum()),
        )
    if not bad:
        out.add(rule, "county", "county", "全县", problem.years[y], best, "pass")


def _no_limit(case: Case, rule: Rule, out: Findings) -> None:
    out.add(
        rule,
        "county",
        "county",
        "全县",
        case.problem.years[0],
        NAN,
        "unknown",
        "国家无数值，县尚未填写",
        "no national number and none entered by the county",
    )


def _bare(case: Case) -> Bool:
    students = case.rolls[0].at_site.sum(axis=1)
    return np.asarray((students > 0) & (case.plan.classes.sum(axis=1) == 0), dtype=bool)


def _kind(case: Case) -> npt.NDArray[np.object_]:
    """Kind of every open site by year: complete, incomplete, junior, nine_year or empty."""
    stage = np.array([case.stage(b) == "primary" for b in range(len(case.problem.bands))])
    opened = case.plan.open
    some = opened[:, stage, :].any(axis=1)
    whole = some & opened[:, stage, :].all(axis=1)
    upper = opened[:, ~stage, :].any(axis=1)
    kind = np.full(some.shape, "", dtype=object)
    kind[whole & ~upper] = "complete"
    kind[some & ~whole & ~upper] = "incomplete"
    kind[upper & ~some] = "junior"
    kind[upper & some] = "nine_year"
    return kind


def _incomplete(case: Case) -> Bool:
    return np.asarray(_kind(case) == "incomplete", dtype=bool)
