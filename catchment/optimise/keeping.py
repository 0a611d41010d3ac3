"""Who does not go where the village goes: children who keep their school, and shared villages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.plan import Elsewhere
from catchment.problem import Int32, Problem

Row = tuple[int, int, int, int, int, bool]
"""Group, grade, year, site, students, whether the village is shared."""


def elsewhere(rows: Iterable[Row]) -> Elsewhere | None:
    """Put rows into arrays.

    Parameters
    ----------
    rows : iterable of (group, grade, year, site, students, shared)
        Positions and how many.

    Returns
    -------
    Elsewhere or None
        In order, rows without students left out; None where none is left.
    """
    table = np.array(sorted(row for row in rows if row[4] > 0), dtype=np.int32).reshape(-1, 6)
    if not len(table):
        return None
    group, grade, year, site, students, shared = table.T
    return Elsewhere(group, grade, year, site, students, shared.astype(bool))


def divided(problem: Problem, group: int, t: int, count: dict[int, int], own: int) -> list[Row]:
    """Divide the grades of a shared village among its schools.

    Parameters
    ----------
    problem : Problem
        The question.
    group, t : int
        Group and year.
    count : dict of int to int
        Students of each site; they sum to those of the group.
    own : int
        Site that the group itself is assigned to.

    Returns
    -------
    list of (group, grade, year, site, students, shared)
        Those who go to the other sites; every grade in the same parts as far as whole children
        allow.
    """
    left = problem.students[group, :, t].astype(np.int64).copy()
    rows: list[Row] = []
    for site in sorted(set(count) - {own}):
        part = apportioned(left, count[site])
        left -= part
        rows += [(group, g, t, site, int(k), True) for g, k in enumerate(part) if k]
    return rows


def apportioned(weights: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Whole parts in proportion to weights, none above its weight, by largest remainders.

    Parameters
    ----------
    weights : (k,) int64
        Weights, 0 or more.
    total : int
        Sum of the parts, at most the sum of the weights.

    Returns
    -------
    (k,) int64
        Parts.

    Examples
    --------
    >>> apportioned(np.array([5, 4, 1]), 5).tolist()
    [3, 2, 0]
    """
    everything = int(weights.sum())
    if not everything:
        return np.zeros_like(weights)
    part = weights * total // everything
    rest = weights * total - part * everything
    order = sorted(range(len(weights)), key=lambda k: (-int(rest[k]), k))
    for k in order[: total - int(part.sum())]:
        part[k] += 1
    return part


@dataclass(frozen=True)
class _Walk:
    """One village through the years: designated schools by band, and what is taught where."""

    problem: Problem
    site_of: Int32
    opened: npt.NDArray[np.bool_]
    village: int
    by_band: bool = False

    def designated(self, band: int, k: int) -> int:
        return int(self.site_of[self.village * len(self.problem.bands) + band, k])

    def stays(self, site: int, band: int, k: int) -> bool:
        """Whether a child can go on at a school: it teaches the band and can be reached."""
        i = self.village * len(self.problem.bands) + band
        reached = site >= 0 and np.isfinite(
            self.problem.minutes[int(self.problem.network[k]), i, site]
        )
        return bool(reached and self.opened[site, band, k])

    def cohort(self, begins: int, first: int = -1) -> list[int]:
        """School in each grade of the children who begin the first grade in a calendar year."""
        bands, band_of = len(self.problem.bands), self.problem.grade_band.tolist()
        schools: list[int] = []
        site, promised = -1, [-1] * bands
        for p, band in enumerate(band_of):
            k = self.year(begins + p)
            if p == 0:
                site = first if first >= 0 else self.designated(band, k)
                promised = [first if first >= 0 else self.designated(b, k) for b in range(bands)]
            elif band == band_of[p - 1]:
                site = site if self.stays(site, band, k) else self.designated(band, k)
            elif self.by_band or not (promised[band] == site and self.stays(site, band, k)):
                # A new school at a new band, unless the same school was meant from the start.
                site = self.designated(band, k)
                promised = [self.designated(b, k) for b in range(bands)]
            schools.append(site)
        return schools

    def year(self, calendar: int) -> int:
        """Position of the recipe's year whose catchments hold in a calendar year."""
        return max(int(np.searchsorted(self.problem.years, calendar, side="right")) - 1, 0)


def kept(
    problem: Problem,
    site_of: Int32,
    opened: npt.NDArray[np.bool_],
    *,
    siblings: float = 0.0,
    but: frozenset[int] = frozenset(),
    by_band: bool = False,
) -> list[Row]:
    """Children who stay at the school they began at after the catchment has changed.

    A child goes, in its first grade, where its village is assigned in that year (between two
    years of the recipe, the earlier one holds; before the first, today's), and stays while the
    school teaches its band. At the end of a band it stays too where the same school was the
    village's for the next band when the child began; else it goes where the village is then
    assigned. A school that closes sends its children where their village is assigned that year.

    Parameters
    ----------
    problem : Problem
        The question.
    site_of : (n, t) int32
        Site of each group: where its new entrants go.
    opened : (m, b, t) bool
        What is taught.
    siblings : float
        Share of new entrants (rounded to whole children, halves up) who follow an elder child of
        the village, still at a school that is no longer the village's and that teaches their band.
    but : frozenset of int
        Groups left out.
    by_band : bool
        Whether a child goes where its village is assigned at the end of every band, whatever
        school was meant when it began.

    Returns
    -------
    list of (group, grade, year, site, students, shared)
        Those who go elsewhere than their group.
    """
    bands, grades = len(problem.bands), len(problem.grades)
    rows: list[Row] = []
    for v in range(len(problem.village_ids)):
        groups = range(v * bands, (v + 1) * bands)
        if all((site_of[i] == site_of[i, 0]).all() for i in groups):
            continue
        walk = _Walk(problem, site_of, opened, v, by_band)
        known: dict[int, list[int]] = {}
        for t, year in enumerate(problem.years):
            for g in range(grades):
                begins = year - g
                for c in range(begins - grades, begins + 1):
                    if c not in known:
                        known[c] = walk.cohort(c)
                i = v * bands + int(problem.grade_band[g])
                count, own = int(problem.students[i, g, t]), int(site_of[i, t])
                if not count or own < 0 or i in but:
                    continue
                follow = _elder(walk, known, begins) if siblings > 0 else -1
                many = int(np.floor(siblings * count + 0.5)) if follow >= 0 else 0
                if many:
                    there = walk.cohort(begins, follow)[g]
                    if there not in (own, known[begins][g]) and there >= 0:
                        rows.append((i, g, t, there, many, False))
                    else:
                        many = 0 if there == known[begins][g] else many
                if known[begins][g] not in (own, -1):
                    rows.append((i, g, t, known[begins][g], count - many, False))
    return rows


def staying(
    problem: Problem,
    site_of: Int32,
    opened: npt.NDArray[np.bool_],
    rows: Iterable[Row],
    since: int,
    *,
    by_band: bool = False,
) -> list[Row]:
    """Let children of shared villages who began before the sharing keep their school.

    Parameters
    ----------
    problem : Problem
        The question.
    site_of : (n, t) int32
        Site of each group, of a shared village the one that its catchment is.
    opened : (m, b, t) bool
        What is taught.
    rows : iterable of (group, grade, year, site, students, shared)
        How shared villages are divided, every grade alike.
    since : int
        Position of the first year in which they are shared.
    by_band : bool
        As of :func:`kept`.

    Returns
    -------
    list of (group, grade, year, site, students, shared)
        The same but for the grades whose children began earlier: all of them go where children
        who began with them go.
    """
    bands, out = len(problem.bands), []
    shared = sorted({(row[0], row[2]) for row in rows})
    old = {
        (i, g, t)
        for i, t in shared
        for g in np.flatnonzero(problem.grade_band == i % bands).tolist()
        if problem.years[t] - g < problem.years[since]
    }
    out = [row for row in rows if row[:3] not in old]
    for i, g, t in sorted(old):
        walk = _Walk(problem, site_of, opened, i // bands, by_band)
        site, count = walk.cohort(problem.years[t] - g)[g], int(problem.students[i, g, t])
        if site >= 0 and site != site_of[i, t]:
            out.append((i, g, t, site, count, False))
    return out


def _elder(walk: _Walk, known: dict[int, list[int]], begins: int) -> int:
    """School that an elder child of the village keeps when a cohort begins, -1 where none does."""
    k = walk.year(begins)
    band_of = walk.problem.grade_band.tolist()
    for p in range(1, len(band_of)):
        cohort = known.get(begins - p)
        if cohort is None:
            continue
        site = cohort[p]
        moved = site != walk.designated(band_of[p], k) and site != walk.designated(band_of[0], k)
        if moved and walk.stays(site, band_of[0], k):
            return site
    return -1
