"""What a plan had to do, told once a band over all years."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.problem import Int32, Problem


@dataclass(frozen=True)
class Note:
    """One thing a method had to do in one year, told once a band over all years.

    Attributes
    ----------
    band : int
        Position of the band.
    what : str
        What was done.
    year : str
        The year and the figures.
    """

    band: int
    what: str
    year: str


def folded(problem: Problem, notes: list[Note]) -> tuple[str, ...]:
    """Put notes of one kind into one line, band by band.

    Parameters
    ----------
    problem : Problem
        The question.
    notes : list of Note
        Notes of all bands and years.

    Returns
    -------
    tuple of str
        One line a band and thing done, its years after it.
    """
    lines: dict[tuple[int, str], list[str]] = {}
    for note in notes:
        lines.setdefault((note.band, note.what), []).append(note.year)
    return tuple(
        f"{problem.bands[band]}: {what}: {'; '.join(years)}"
        for (band, what), years in sorted(lines.items())
    )


def excess(problem: Problem, band: int, t: int, what: str, students: npt.NDArray[np.int64]) -> Note:
    """Tell how many students are above what a site has.

    Parameters
    ----------
    problem : Problem
        The question.
    band, t : int
        Positions of band and year.
    what : str
        What was done.
    students : (m,) int64
        How many of each site.

    Returns
    -------
    Note
        With the five sites of most students.
    """
    worst = [j for j in np.argsort(-students, kind="stable")[:5] if students[j]]
    sites = "、".join(f"{problem.site_ids[j]} {students[j]}" for j in worst)
    return Note(band, what, f"{problem.years[t]}: {students.sum()}（{sites}）")


def unused(problem: Problem, site: Int32, members: Int32, band: int, t: int) -> tuple[Note, ...]:
    """Tell of a school that is new or reopened and that nobody goes to.

    Parameters
    ----------
    problem : Problem
        The question.
    site : (k,) int32
        Plan of the members.
    members : (k,) int32
        Groups of the band.
    band, t : int
        Positions of band and year.

    Returns
    -------
    tuple of Note
        None or one.
    """
    usable = problem.must_open[:, band, t] & ~problem.today_open[:, band]
    demand = problem.demand()[members, t]
    load = np.bincount(np.maximum(site, 0), np.where(site >= 0, demand, 0), len(usable))
    empty = [problem.site_ids[j] for j in np.flatnonzero(usable & (load == 0))]
    if not empty:
        return ()
    what = "新开办而无人就读的学校 / new schools that no village goes to"
    return (Note(band, what, f"{problem.years[t]}: {'、'.join(empty)}"),)


def named(ids: list[str], most: int = 12) -> str:
    """Return ids as text, cut off after the first ones, with how many there are.

    Parameters
    ----------
    ids : list of str
        Ids.
    most : int
        How many to spell out.

    Returns
    -------
    str
        Ids with a stop between them.
    """
    return "、".join(ids) if len(ids) <= most else f"{'、'.join(ids[:most])}…（{len(ids)}）"
