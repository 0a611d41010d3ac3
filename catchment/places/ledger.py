"""The ledger of classes above standard (大班额台账): one row a class, with its ways out.

For the first year the county's own classes are used where the table of classes has them; for later
years classes are formed from the students and rooms of the plan, and the row says ``forecast``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.places.classes import class_table, needed_classes
from catchment.places.limits import CATEGORIES, ClassLimits
from catchment.places.own import OwnClass, own_classes

COLUMNS = (
    "year",
    "school_id",
    "school",
    "township",
    "grade",
    "class_no",
    "students",
    "category",
    "limit",
    "excess",
    "ways_out",
    "ways_out_en",
    "chosen",
    "chosen_en",
    "responsible",
    "target_date",
    "state",
    "struck_off",
    "note",
)
"""Columns of the ledger."""

STATES = ("open", "forecast", "struck_off")
"""States: to be resolved, expected in a later year if nothing is done, struck off."""

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Home:
    """Students of one site who live within the travel limit of the same other sites.

    Attributes
    ----------
    site : int
        Position of their site.
    near : (m, g) bool
        Sites within the travel limit of their homes, by grade.
    students : (g, t) int
        How many they are.
    """

    site: int
    near: Bool
    students: Int64


@dataclass(frozen=True)
class LedgerFacts:
    """What a plan says about classes, as plain arrays.

    Attributes
    ----------
    years : tuple of int
        (t) school years.
    grades : tuple of int
        (g) grades.
    site_ids, site_names, townships : tuple of str
        (m) codes, names and townships of the sites.
    students, classes : (m, g, t) int
        Students and classes, combined classes at their lowest grade.
    rooms : (m, t) int
        Classrooms.
    class_size : (m, g) int
        Most students of a standard class.
    hosted : (m, g, t) bool
        Grades taught.
    reach : (m, m, g) int
        Students of a grade at the first site who live within the travel limit of the second.
    teachers : (m,) float
        Staff, nan where unknown.
    homes : tuple of Home
        Students by where they can go, so that nobody is counted for two sites at once; ``reach``
        alone is used where it is empty.
    """

    years: tuple[int, ...]
    grades: tuple[int, ...]
    site_ids: tuple[str, ...]
    site_names: tuple[str, ...]
    townships: tuple[str, ...]
    students: Int64
    classes: Int32
    rooms: Int32
    class_size: Int32
    hosted: Bool
    reach: Int64
    teachers: npt.NDArray[np.float64]
    homes: tuple[Home, ...] = ()


@dataclass(frozen=True)
class _Large:
    site: int
    year: int
    grade: int
    number: str
    size: int


@dataclass(frozen=True)
class _Way:
    """A way out; ``entry`` is the year of the entrants it sends elsewhere (0 for other ways).

    ``mends`` is False where it only keeps the next class from growing too large; ``rooms`` are the
    free rooms that it takes up.
    """

    zh: str
    en: str
    responsible: str
    years: int
    entry: int = 0
    mends: bool = True
    rooms: int = 0


def ledger(
    facts: LedgerFacts, actual: pd.DataFrame | None = None, limits: ClassLimits | None = None
) -> pd.DataFrame:
    """List every class above standard with its ways out, in order of least disruption.

    Parameters
    ----------
    facts : LedgerFacts
        What the plan says about classes.
    actual : DataFrame, optional
        The county's own classes: ``school_id, grade, class_no, students, year``; rows without a
        year count for the first year.
    limits : ClassLimits, optional
        Limits; the national ones when left out.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, ordered by year, township, school, grade and class. ``category`` is
        ``over_standard``, ``large`` or ``super_large``. A free room is proposed to one grade alone,
        the one with the largest class first.
    """
    limits = limits or ClassLimits()
    rows = []
    own = own_classes(actual, facts.site_ids, facts.grades, facts.years[0])
    facts = _with_own(facts, own)
    promised: dict[tuple[int, int], dict[int, int]] = {}
    for one in sorted(_classes(facts, own), key=lambda x: (x.site, x.year, -x.size, x.grade)):
        grade = facts.grades[one.grade]
        level = int(limits.category([one.size], [grade])[0])
        if level == 0:
            continue
        taken = promised.setdefault((one.site, one.year), {})
        ways = _ways(facts, one, limits, {k: n for k, n in taken.items() if k != one.grade})
        zh, en, unit, date = _chosen(facts, one, limits, ways)
        if ways[0].rooms and zh == f"建议：{ways[0].zh}":
            taken[one.grade] = max(taken.get(one.grade, 0), ways[0].rooms)
        rows.append(
            {
                "year": facts.years[one.year],
                "school_id": facts.site_ids[one.site],
                "school": facts.site_names[one.site],
                "township": facts.townships[one.site],
                "grade": grade,
                "class_no": one.number,
                "students": one.size,
                "category": CATEGORIES[level],
                "limit": limits.standard(grade),
                "excess": one.size - limits.standard(grade),
                "ways_out": "；".join(f"{k}. {w.zh}" for k, w in enumerate(ways, 1)),
                "ways_out_en": "; ".join(f"{k}. {w.en}" for k, w in enumerate(ways, 1)),
                "chosen": zh,
                "chosen_en": en,
                "responsible": unit,
                "target_date": date,
                "state": "open" if one.year == 0 else "forecast",
                "struck_off": "",
                "note": "",
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = ["year", "township", "school", "school_id", "grade", "class_no"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def classes_today(
    facts: LedgerFacts, actual: pd.DataFrame | None = None
) -> dict[tuple[str, int], tuple[tuple[str, int], ...]]:
    """List every class of the first year.

    Parameters
    ----------
    facts : LedgerFacts
        What the plan says about classes.
    actual : DataFrame, optional
        The county's own classes, as in :func:`ledger`.

    Returns
    -------
    dict of (str, int) to tuple of (str, int)
        Class number and students by school and grade; a combined class stands at its lowest grade.
    """
    own = own_classes(actual, facts.site_ids, facts.grades, facts.years[0])
    found: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for one in _classes(_with_own(facts, own), own):
        if one.year == 0:
            key = (facts.site_ids[one.site], facts.grades[one.grade])
            found.setdefault(key, []).append((one.number, one.size))
    return {key: tuple(value) for key, value in found.items()}


def _with_own(facts: LedgerFacts, own: Mapping[int, tuple[OwnClass, ...]]) -> LedgerFacts:
    """Put the county's own classes of the first year in the place of formed ones."""
    classes, students = facts.classes.copy(), facts.students.copy()
    for j, rows in own.items():
        classes[j, :, 0] = 0
        students[j, :, 0] = 0
        for row in rows:
            classes[j, row.grade, 0] += 1
            students[j, row.grade, 0] += row.size
    return replace(facts, classes=classes, students=students)


def _classes(facts: LedgerFacts, own: Mapping[int, tuple[OwnClass, ...]]) -> list[_Large]:
    formed = np.where(
        (facts.classes.sum(axis=1) == 0)[:, None, :] & (facts.students > 0), 1, facts.classes
    )
    table = class_table(facts.students, formed)
    out = [_Large(j, 0, c.grade, c.number, c.size) for j, rows in own.items() for c in rows]
    for j, t, k, top, n, size in zip(
        table.site.tolist(),
        table.year.tolist(),
        table.grade.tolist(),
        table.grade_to.tolist(),
        table.number.tolist(),
        table.size.tolist(),
        strict=True,
    ):
        if t == 0 and j in own:
            continue
        mixed = f"（复式 {facts.grades[k]}–{facts.grades[top]}）" if top > k else ""
        out.append(_Large(j, t, k, f"{n}{mixed}", size))
    return out


def _ways(
    facts: LedgerFacts, one: _Large, limits: ClassLimits, promised: Mapping[int, int]
) -> list[_Way]:
    """Ways out that exist for a class, in order of least disruption.

    ``promised`` are the free rooms of the school already proposed to other grades, by position.
    """
    j, k, t = one.site, one.grade, one.year
    standard = limits.standard(facts.grades[k])
    have = max(int(facts.classes[j, k, t]), 1)
    students = max(int(facts.students[j, k, t]), one.size)
    extra = max(int(needed_classes(students, standard)) - have, 1)
    free = max(int(facts.rooms[j, t]) - int(facts.classes[j, :, t].sum()), 0)
    gone = min(sum(promised.values()), free)
    free -= gone
    others = "、".join(str(facts.grades[x]) for x in sorted(promised)) if gone else ""
    school, town = facts.site_names[j], facts.townships[j]
    ways: list[_Way] = []
    if free >= extra:
        ways.append(
            _Way(
                f"本校有空余教室{free}间，增开{extra}个班",
                f"{free} free room(s) in the school: open {extra} more class(es)",
                school,
                1,
                rooms=extra,
            )
        )
        if np.isnan(facts.teachers[j]):
            ways.append(
                _Way(
                    f"增班需配备教师（现有教职工数未填报），按{extra}个班配备",
                    f"teachers for {extra} more (present staff not reported)",
                    "县教育局",
                    1,
                )
            )
        elif facts.teachers[j] < facts.classes[j, :, t].sum() + gone + extra:
            ways.append(
                _Way(
                    f"增配教师{extra}名以上（现有{facts.teachers[j]:g}名）",
                    f"at least {extra} more teachers ({facts.teachers[j]:g} now)",
                    "县教育局",
                    1,
                )
            )
    entrants = _entrant_ways(facts, one, limits)
    ways += [w for w in entrants if w.mends]
    if free < extra:
        ways.append(
            _Way(
                f"扩建教室{extra - free}间"
                + (f"（另用空余教室{free}间）" if free else "")
                + (f"（空余教室{gone}间已拟给{others}年级）" if gone else ""),
                f"build {extra - free} room(s)"
                + (f" (and use {free} free ones)" if free else "")
                + (f" ({gone} free one(s) are proposed to grade {others})" if gone else ""),
                f"县教育局、{town}",
                2,
            )
        )
    ways.append(_Way("新建校点分流", "a new site", "县人民政府", 3))
    return ways + [w for w in entrants if not w.mends]


def _entrant_ways(facts: LedgerFacts, one: _Large, limits: ClassLimits) -> list[_Way]:
    """Ways by entrants: they mend a class that has not entered yet, never one that already sits.

    A class of today in the entry grade is followed by next year's entrants: sending some of those
    to a neighbour keeps the next class from growing too large, and is said to do no more.
    """
    j, k, t = one.site, one.grade, one.year
    grade, first = facts.grades[k], facts.grades[_entry(facts, j, k, t, limits)]
    entered = facts.years[t] - (grade - first)
    sits = entered <= facts.years[0]
    if sits and (t > 0 or grade != first):
        return []
    when = facts.years[0] + 1 if sits else entered
    at = min(t + 1, len(facts.years) - 1) if sits else t
    ways = []
    for n, spare, near in _neighbours(facts, j, k, at)[:3]:
        name = facts.site_names[n]
        zh = f"{when}年新生分流至{name}（余{spare}个学位，时限内{near}人）"
        en = f"entrants of {when} to {name} ({spare} places, {near} students within the travel limit)"
        if sits:
            zh, en = (
                f"{zh}：只防止新增，不减小本班",
                f"{en}: keeps the next class small, not this one",
            )
        unit = f"县教育局、{facts.townships[j]}"
        ways.append(_Way(zh, en, unit, 1, entry=when, mends=not sits))
    return ways


def _entry(facts: LedgerFacts, j: int, k: int, t: int, limits: ClassLimits) -> int:
    """Position of the grade in which a class of grade ``k`` came or comes to the school."""
    junior = facts.grades[k] > limits.last_primary
    first = k
    while first > 0 and facts.hosted[j, first - 1, t]:
        if junior and facts.grades[first - 1] <= limits.last_primary:
            break
        first -= 1
    return first


def _neighbours(facts: LedgerFacts, j: int, k: int, t: int) -> list[tuple[int, int, int]]:
    """Sites with places in the grade within the travel limit: position, places, students near."""
    size = facts.class_size[:, k].astype(np.int64)
    slack = np.maximum(facts.classes[:, k, t] * size - facts.students[:, k, t], 0)
    free = np.maximum(facts.rooms[:, t] - facts.classes[:, :, t].sum(axis=1), 0)
    spare = np.where(facts.hosted[:, k, t], slack + free * size, 0)
    spare[j] = 0
    near = facts.reach[j, :, k]
    found = [
        (int(n), int(spare[n]), int(near[n])) for n in np.flatnonzero((spare > 0) & (near > 0))
    ]
    return sorted(found, key=lambda x: (-min(x[1], x[2]), x[0]))


def _chosen(
    facts: LedgerFacts, one: _Large, limits: ClassLimits, ways: Sequence[_Way]
) -> tuple[str, str, str, str]:
    """Say what the plan does about a class, or else propose the least disruptive way."""
    j, k, t = one.site, one.grade, one.year
    year = facts.years[t]
    left = _years_left(facts, j, k, t)
    if t + 1 < len(facts.years):
        gap = facts.years[t + 1] - year
        if gap >= left:
            zh, en = "毕业或升学后自然消除", "ends when the grade leaves"
            return zh, en, facts.site_names[j], f"{year + left}-08-31"
        students = facts.students[j, k + gap, t + 1]
        classes = facts.classes[j, k + gap, t + 1]
        standard = limits.standard(facts.grades[k + gap])
        if classes and -(-students // classes) <= standard:
            zh, en = _reason(facts, one, k + gap)
            return (
                zh,
                en,
                next(w for w in ways if w.mends).responsible,
                f"{facts.years[t + 1]}-08-31",
            )
    way = next(w for w in ways if w.mends)
    done = way.entry or max(facts.years[0] + way.years, year)
    if t == 0 and done >= year + left:
        zh, en = "毕业或升学后自然消除", "ends when the grade leaves"
        return zh, en, facts.site_names[j], f"{year + left}-08-31"
    return f"建议：{way.zh}", f"proposed: {way.en}", way.responsible, f"{done}-08-31"


def _years_left(facts: LedgerFacts, j: int, k: int, t: int) -> int:
    """Years until a grade leaves the site, by the grades taught there."""
    taught = facts.hosted[j, :, t]
    last = k
    while last + 1 < len(taught) and taught[last + 1]:
        last += 1
    return last - k + 1


def _reason(facts: LedgerFacts, one: _Large, after: int) -> tuple[str, str]:
    j, k, t = one.site, one.grade, one.year
    if facts.classes[j, after, t + 1] > facts.classes[j, k, t]:
        if facts.rooms[j, t + 1] > facts.rooms[j, t]:
            return "方案：扩建教室后增班", "plan: more rooms, more classes"
        more = int(facts.classes[j, after, t + 1] - facts.classes[j, k, t])
        if facts.rooms[j, t] - facts.classes[j, :, t].sum() >= more:
            return "方案：利用空余教室增班", "plan: more classes in free rooms"
        return (
            "方案：利用其他年级腾出的教室增班",
            "plan: more classes in rooms that other grades free",
        )
    if facts.students[j, after, t + 1] < facts.students[j, k, t]:
        return "方案：调整招生范围，学生分流", "plan: catchment changed, fewer students"
    return "方案：重新编班", "plan: classes formed anew"
