"""Students by village, grade and year from the table of children, gaps filled and flagged.

What a county's table says is kept as it stands. What it does not say is filled by rules that are
stated here, kept in whole numbers, and flagged ``estimated`` for the village and year:

1. Several sources for one village, grade and year: the one that stands first in :data:`SOURCES`.
2. A village that the table knows in a year, but without a row for a grade that the table holds for
   other villages in that year: no students in that grade (spreadsheets drop zeros).
   A grade that the first year holds for nobody counts as nobody.
3. A grade and year that the village's rows do not reach: those one grade lower a year before
   (survival 1); entrants of the lowest grade follow the county's trend of cohort sizes, shared out
   by the village's youngest grades.
4. A village without any row: its population times the county's own students per person by grade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.region.model import Region

SOURCES = ("enrolled", "", "registered", "births", "residents", "projected", "estimated")
"""Sources from most to least trusted; a blank source is a county's plain table of enrolment."""

_GUESSED = ("projected", "estimated")
_RATE_LIMIT = 0.10

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StudentsByVillage:
    """Students of every village, grade and year.

    Attributes
    ----------
    village_ids : tuple of str
        (v) codes, in the order of the region's villages.
    grades : tuple of int
        (g) grades that the bands cover, in order.
    years : tuple of int
        (t) school years, as asked for.
    counts : (v, g, t) int32
        Students, 0 or more.
    estimated : (v, t) bool
        Whether any figure of the village and year is not from a counting source.
    notes : tuple of str
        What was filled and how, for people (Chinese / English).
    """

    village_ids: tuple[str, ...]
    grades: tuple[int, ...]
    years: tuple[int, ...]
    counts: Int32
    estimated: Bool
    notes: tuple[str, ...] = ()

    def totals(self) -> pd.DataFrame:
        """County totals by grade and year.

        Returns
        -------
        DataFrame
            Grades as rows, years as columns, int64.
        """
        return pd.DataFrame(
            self.counts.sum(axis=0, dtype=np.int64),
            index=pd.Index(self.grades, name="grade"),
            columns=pd.Index(self.years, name="year"),
        )


def largest_remainder(shares: npt.ArrayLike, total: int) -> Int64:
    """Split a whole number in proportion to shares, in whole numbers that add up exactly.

    Parameters
    ----------
    shares : array_like
        (k) shares, 0 or more; all zero counts as equal shares.
    total : int
        Number to split, 0 or more.

    Returns
    -------
    (k,) int64
        Parts; they add up to ``total`` and differ from the exact share by less than 1. Of equal
        remainders the earlier place wins, so that the split is the same on every machine.

    Examples
    --------
    >>> largest_remainder([1, 1, 1], 10).tolist()
    [4, 3, 3]
    """
    weight = np.asarray(shares, dtype=np.float64)
    if weight.size == 0:
        return np.zeros(0, dtype=np.int64)
    weight = np.where(np.isfinite(weight) & (weight > 0), weight, 0.0)
    if weight.sum() == 0:
        weight = np.ones_like(weight)
    exact = weight / weight.sum() * total
    # 1e-9: an exact share of 3 that arithmetic left at 2.9999999999 is 3, on every machine
    parts: Int64 = np.floor(exact + 1e-9).astype(np.int64)
    left = total - int(parts.sum())
    if left > 0:
        order = np.argsort(-np.round(exact - parts, 9), kind="stable")
        parts[order[:left]] += 1
    elif left < 0:
        for place in np.argsort(np.round(exact - parts, 9), kind="stable"):
            if left == 0:
                break
            if parts[place] > 0:
                parts[place] -= 1
                left += 1
    return parts


def students_by_village(region: Region, years: Sequence[int]) -> StudentsByVillage:
    """Students of every village by grade, for the years asked for.

    Parameters
    ----------
    region : Region
        The county; its tables ``children``, ``villages`` and, where ``children`` is empty,
        ``students`` are read.
    years : sequence of int
        School years (year in which the school year starts), rising, at least one.

    Returns
    -------
    StudentsByVillage
        Whole numbers for every village, grade and year; estimates flagged.

    Raises
    ------
    InputError
        When the region names no student at all, when years do not rise, or when a figure is
        negative or not whole.
    """
    wanted = tuple(int(y) for y in years)
    if not wanted or any(b <= a for a, b in pairwise(wanted)):
        raise InputError(
            f"规划年份 {list(wanted)} 应逐年递增且不为空 / years must rise and not be empty"
        )
    grades = tuple(sorted({g for band in region.bands for g in band.grades}))
    villages = tuple(str(v) for v in region.villages["village_id"])
    notes: list[str] = []
    rows = _rows(region, grades, wanted[0], notes)
    span = tuple(range(min(wanted[0], int(rows["year"].min())), wanted[-1] + 1))
    counts, known, guessed = _cells(rows, villages, grades, span, notes)
    _leave_out(known, region.rejected, villages, grades, span, wanted[0])
    estimated = _fill(counts, known, guessed, grades, span, notes)
    population = pd.to_numeric(region.villages.get("population"), errors="coerce")
    people = (
        np.zeros(len(villages))
        if region.villages.get("population") is None
        else np.nan_to_num(np.asarray(population, dtype=np.float64), nan=0.0)
    )
    _fill_from_population(counts, known, estimated, people, villages, notes)
    pick = [span.index(y) for y in wanted]
    return StudentsByVillage(
        village_ids=villages,
        grades=grades,
        years=wanted,
        counts=np.ascontiguousarray(counts[:, :, pick]).astype(np.int32),
        estimated=np.ascontiguousarray(estimated[:, pick]),
        notes=tuple(notes),
    )


def _rows(region: Region, grades: tuple[int, ...], base: int, notes: list[str]) -> pd.DataFrame:
    """Rows of the table of children; counts of home points where the table is empty."""
    if len(region.children):
        rows = region.children.copy()
        if "source" not in rows:
            rows["source"] = ""
        rows["source"] = rows["source"].fillna("").astype(str)
    elif len(region.students):
        points = region.students.dropna(subset=["village_id"])
        rows = points.groupby(["village_id", "grade"], as_index=False, sort=True).size()
        rows = rows.rename(columns={"size": "students"})
        rows["year"], rows["source"] = base, "enrolled"
        notes.append(
            "没有分村学生数表，按学生住址点逐村计数 / "
            "no table of children: students' home points were counted by village"
        )
        if len(points) < len(region.students):
            notes.append(
                f"{len(region.students) - len(points)} 个学生住址点未归入任何村，未计入 / "
                "home points without a village were not counted"
            )
    else:
        raise InputError(
            "children 层为空且没有学生住址点，无法得知学生数；请提供分村分年级学生数 / "
            "layer children is empty and there are no home points; "
            "provide students by village and grade"
        )
    number = pd.to_numeric(rows["students"], errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(number) | (number < 0) | (number != np.round(number))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"children 层第 {at + 1} 行 students = {rows['students'].iloc[at]!r}，"
            "应为非负整数；请改正 / must be a whole number, 0 or more; correct it"
        )
    rows["students"] = number.astype(np.int64)
    rows["grade"] = rows["grade"].astype(int)
    rows["year"] = rows["year"].astype(int)
    rows["village_id"] = rows["village_id"].astype(str)
    outside = ~rows["grade"].isin(grades)
    if outside.any():
        lost = int(rows.loc[outside, "students"].sum())
        notes.append(
            f"{int(outside.sum())} 行的年级不在任何学段内，未计入（{lost} 人） / "
            "rows whose grade is in no band were not counted"
        )
        rows = rows[~outside]
    if rows.empty:
        raise InputError(
            "children 层没有任何学段内的年级 / layer children holds no grade of any band"
        )
    return rows


def _cells(
    rows: pd.DataFrame,
    villages: tuple[str, ...],
    grades: tuple[int, ...],
    span: tuple[int, ...],
    notes: list[str],
) -> tuple[Int64, Bool, Bool]:
    """Place the rows: counts, cells decided by a row, and cells that the source itself guessed."""
    position = {v: k for k, v in enumerate(villages)}
    strange = ~rows["village_id"].isin(position)
    if strange.any():
        notes.append(
            f"{int(rows.loc[strange, 'students'].sum())} 名学生所在村代码不在村庄层，未计入 / "
            "students of villages that are not in layer villages were not counted"
        )
    rows = rows[~strange & (rows["year"] <= span[-1])]
    rank = {s: k for k, s in enumerate(SOURCES)}
    rows = rows.assign(rank=rows["source"].map(lambda s: rank.get(s, 1)))
    rows = rows.sort_values(["village_id", "grade", "year", "rank"], kind="stable")
    key = ["village_id", "grade", "year"]
    several = rows.duplicated(key)
    if several.any():
        notes.append(
            f"{int(several.sum())} 个村·年级·年度有多个来源，"
            "按在籍>户籍>出生>常住>预测>估算取用 / several sources: the most trusted was used"
        )
    rows = rows[~several]
    shape = (len(villages), len(grades), len(span))
    counts = np.zeros(shape, dtype=np.int64)
    known = np.zeros(shape, dtype=bool)
    guessed = np.zeros(shape, dtype=bool)
    v = rows["village_id"].map(position).to_numpy(dtype=np.int64)
    g = np.searchsorted(np.asarray(grades), rows["grade"].to_numpy())
    t = rows["year"].to_numpy() - span[0]
    counts[v, g, t] = rows["students"].to_numpy()
    known[v, g, t] = True
    guessed[v, g, t] = rows["source"].isin(_GUESSED).to_numpy()
    # a village with rows in a year, but not for a grade that others have: no students there
    tabled = _any(known, 0)
    present = _any(known, 1)
    known |= present[:, None, :] & tabled[None, :, :]
    return counts, known, guessed


def rejected_students(
    region: Region, years: Sequence[int], grades: Sequence[int]
) -> tuple[int, ...]:
    """Students set aside while reading, by year.

    A year that the table of children does not hold has as many as the nearest earlier year that it
    does hold (the first, where there is none), so that nobody is lost between the years. Rows
    without a year count for the first year asked for.

    Parameters
    ----------
    region : Region
        The county; ``rejected`` and ``children`` are read.
    years : sequence of int
        School years.
    grades : sequence of int
        Grades asked for; rows without a grade count too.

    Returns
    -------
    tuple of int
        One number a year.
    """
    rejected = region.rejected
    if not len(rejected):
        return (0,) * len(years)
    count = pd.to_numeric(rejected["students"], errors="coerce").fillna(0)
    year = pd.to_numeric(rejected["year"], errors="coerce").fillna(years[0]).astype(int)
    grade = pd.to_numeric(rejected["grade"], errors="coerce")
    inside = (grade.isin(list(grades)) | grade.isna()) & (count > 0)
    by_year = count[inside].groupby(year[inside]).sum()
    told = sorted({int(y) for y in by_year.index} | {int(y) for y in region.children["year"]})
    out = []
    for wanted in years:
        earlier = [y for y in told if y <= wanted]
        source = earlier[-1] if earlier else told[0]
        out.append(int(by_year.get(source, 0)))
    return tuple(out)


def _leave_out(
    known: Bool,
    rejected: pd.DataFrame,
    villages: tuple[str, ...],
    grades: tuple[int, ...],
    span: tuple[int, ...],
    base: int,
) -> None:
    """Cells whose rows were set aside stay empty, lest they be estimated again; in place."""
    if not len(rejected):
        return
    position = {v: k for k, v in enumerate(villages)}
    rows = rejected[rejected["layer"] == "children"]
    year = pd.to_numeric(rows["year"], errors="coerce").fillna(base)
    grade = pd.to_numeric(rows["grade"], errors="coerce")
    for village, y, g in zip(rows["village_id"], year, grade, strict=True):
        v = position.get(str(village))
        if v is None or int(y) not in span:
            continue
        t = span.index(int(y))
        if g != g:
            known[v, :, t] = True
        elif int(g) in grades:
            known[v, grades.index(int(g)), t] = True


def _fill(
    counts: Int64,
    known: Bool,
    guessed: Bool,
    grades: tuple[int, ...],
    span: tuple[int, ...],
    notes: list[str],
) -> Bool:
    """Fill cells that no row decides, for villages with at least one row; in place."""
    some = _any(known, (1, 2))
    estimated = _any(guessed, 1)
    if not some.any():
        return estimated
    _fill_back(counts, known, some, estimated)
    empty = [g for k, g in enumerate(grades) if not known[some, k].any()]
    if empty:
        notes.append(
            f"{'、'.join(str(g) for g in empty)} 年级没有任何数据，起始年按 0 计 / "
            "grades without any figure count as nobody in the first year"
        )
    progressed: set[int] = set()
    for t in range(1, len(span)):
        for k in range(1, len(grades)):
            gap = some & ~known[:, k, t]
            if gap.any():
                counts[gap, k, t] = counts[gap, k - 1, t - 1]
                estimated[gap, t] = True
                progressed.add(span[t])
        gap = some & ~known[:, 0, t]
        if gap.any():
            counts[gap, 0, t] = _entrants(counts[:, :, :t], gap, some)
            estimated[gap, t] = True
            progressed.add(span[t])
    if progressed:
        notes.append(
            f"{min(progressed)}–{max(progressed)} 年没有数据的年级按逐年升级推算，"
            "一年级按近年各级人数趋势推算（估算） / grades without figures were progressed; "
            "entrants follow the trend of cohort sizes (estimated)"
        )
    return estimated


def _fill_back(counts: Int64, known: Bool, some: Bool, estimated: Bool) -> None:
    """Carry a village's first figures back to the years before them; in place."""
    years = _any(known, 1)
    first = np.where(some, years.argmax(axis=1), 0)
    for v in np.flatnonzero(some & (first > 0)):
        at = int(first[v])
        counts[v, :, :at] = counts[v, :, at][:, None]
        estimated[v, :at] = True
        known[v, :, :at] = True
    # a grade that the first year holds for nobody counts as nobody: nothing is made up
    for v in np.flatnonzero(some):
        if not known[v, :, int(first[v])].all():
            estimated[v, int(first[v])] = True


def entrant_rate(children: npt.ArrayLike) -> float:
    """Yearly rate at which entrants change, from the sizes of the cohorts at school.

    Parameters
    ----------
    children : array_like of int
        (v, g) children of one year by village and grade.

    Returns
    -------
    float
        Rate r, entrants change by exp(r) a year: those now in grades 1 to 6 entered 0 to 5 years
        ago, and least squares on the logarithms of their county totals give the rate, held within
        10 % either way. 0 where fewer than three cohorts have children.
    """
    count = np.asarray(children, dtype=np.int64)
    cohorts = count[:, : min(6, count.shape[1])].sum(axis=0).astype(np.float64)
    usable = cohorts > 0
    if usable.sum() < 3:
        return 0.0
    age = -np.arange(len(cohorts), dtype=np.float64)
    rate = float(np.polyfit(age[usable], np.log(cohorts[usable]), 1)[0])
    return float(np.clip(rate, -_RATE_LIMIT, _RATE_LIMIT))


def entrant_level(young: npt.ArrayLike, rate: float) -> Float:
    """Entrants of next year that the youngest grades and a rate let expect.

    Parameters
    ----------
    young : array_like of int
        (v, d) children of the d youngest grades, at most three.
    rate : float
        See :func:`entrant_rate`.

    Returns
    -------
    (v,) float64
        Expected entrants, not yet whole.
    """
    count = np.asarray(young, dtype=np.float64)
    depth = count.shape[1]
    # the mean of the youngest grades stands one year (the middle of three) before today
    lead = float(np.exp(rate * ((depth - 1) / 2 + 1)))
    return np.asarray(count.sum(axis=1) / depth * lead, dtype=np.float64)


def _entrants(past: Int64, gap: Bool, some: Bool) -> Int64:
    """Entrants of the year after ``past`` for the villages in ``gap``."""
    rate = entrant_rate(past[some][:, :, -1])
    expected = entrant_level(past[gap][:, : min(3, past.shape[1]), -1], rate)
    if not expected.sum():
        return np.zeros(int(gap.sum()), dtype=np.int64)
    return largest_remainder(expected, round(float(expected.sum())))


def _fill_from_population(
    counts: Int64,
    known: Bool,
    estimated: Bool,
    people: Float,
    villages: tuple[str, ...],
    notes: list[str],
) -> None:
    """Estimate villages without any row by the county's students per person; in place."""
    none = ~_any(known, (1, 2))
    if not none.any():
        return
    estimated[none] = True
    base = ~none & (people > 0)
    target = none & (people > 0)
    for t in range(counts.shape[2]):
        if not base.any() or not target.any():
            break
        ratio = counts[base, :, t].sum(axis=0) / people[base].sum()
        totals = largest_remainder(ratio, round(float(ratio.sum() * people[target].sum())))
        if ratio.sum() == 0:
            totals[:] = 0
        for k, total in enumerate(totals):
            counts[target, k, t] = largest_remainder(people[target], int(total))
    notes.append(
        f"{int(target.sum())} 个村没有学生数，按人口与全县各年级生人比估算 / "
        "villages without figures were estimated from population"
    )
    empty = none & ~(people > 0)
    if empty.any():
        names = "、".join(villages[k] for k in np.flatnonzero(empty)[:10])
        notes.append(
            f"{int(empty.sum())} 个村既无学生数也无人口，按 0 计（{names}） / "
            "villages with neither figures nor population count as 0"
        )


def _any(flags: Bool, axis: int | tuple[int, ...]) -> Bool:
    return np.asarray(flags.any(axis=axis), dtype=bool)
