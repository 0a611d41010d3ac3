"""Classes of a plan, with combined classes (复式班) at teaching points.

A teaching point teaches the lowest band alone. Its neighbouring grades may share a class as long
as all their students are at most so many (``combined_class`` of the cost table, never above the
standard of one of the grades); a grade of several classes shares none of them. Everywhere else
every grade has classes of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.phases.costs import Costs
from catchment.problem import Bool, Problem

Int64 = npt.NDArray[np.int64]


def most_together(problem: Problem, costs: Costs) -> Int64:
    """Most students of a combined class, should the site be a teaching point.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    costs : Costs
        Figures; ``combined_class`` 0 for no combined classes at all.

    Returns
    -------
    (m,) int64
        Students, 0 where grades never share a class: a county planned with one band alone cannot
        tell a teaching point from a school.
    """
    m = len(problem.site_ids)
    grades = problem.grade_band == 0
    if len(problem.bands) < 2 or grades.sum() < 2:
        return np.zeros(m, dtype=np.int64)
    strictest = problem.class_size[:, grades].min(axis=1).astype(np.int64)
    return np.asarray(np.minimum(strictest, int(costs.combined_class)), dtype=np.int64)


@njit(cache=True)
def fewest_classes(load: Int64, size: Int64, together: int) -> int:
    """Return the fewest classes of neighbouring grades at a teaching point.

    Parameters
    ----------
    load, size : (g,) int
        Students and class size of the grades of the lowest band.
    together : int
        Most students of a combined class.

    Returns
    -------
    int
        Classes.
    """
    grades = len(load)
    best = np.zeros(grades + 1, dtype=np.int64)
    for end in range(1, grades + 1):
        best[end] = best[end - 1] + (load[end - 1] + size[end - 1] - 1) // size[end - 1]
        there = load[end - 1]
        for start in range(end - 2, -1, -1):
            there += load[start]
            if there > together:
                break
            if there > 0 and best[start] + 1 < best[end]:
                best[end] = best[start] + 1
    return int(best[grades])


def formed(load: Int64, size: Int64, together: int) -> list[int]:
    """Classes by grade of one teaching point, a combined class counted at its lowest grade.

    Of the ways with the fewest classes, one in which fewest grades share.

    Parameters
    ----------
    load, size : (g,) int64
        Students and class size of the grades of the lowest band.
    together : int
        Most students of a combined class.

    Returns
    -------
    list of int
        Classes; 0 for a grade without students or in the class of a lower one.
    """
    best: list[tuple[int, int, list[int]]] = [(0, 0, [])]
    for end in range(1, len(load) + 1):
        count, shared, row = best[end - 1]
        own = int(-(-load[end - 1] // size[end - 1]))
        options = [(count + own, shared, [*row, own])]
        for start in range(end - 2, -1, -1):
            there = load[start:end]
            if int(there.sum()) > together:
                break
            active = np.flatnonzero(there)
            if len(active) < 2:
                continue
            count, shared, row = best[start]
            classes = [int(k == active[0]) for k in range(end - start)]
            options.append((count + 1, shared + len(active), [*row, *classes]))
        best.append(min(options, key=lambda o: (o[0], o[1])))
    return best[-1][2]


def classes_counted(
    problem: Problem, students: npt.NDArray[np.int32], taught: Bool, costs: Costs
) -> Int64:
    """Whole classes by site, grade and year, whether or not there is a room for each.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    students : (m, g, t) int32
        Students of each site.
    taught : (m, b, t) bool
        Bands taught.
    costs : Costs
        Figures, for ``combined_class``.

    Returns
    -------
    (m, g, t) int64
        Classes; a combined class counts at its lowest grade.
    """
    classes = (-(-students // problem.class_size[:, :, None])).astype(np.int64)
    together = most_together(problem, costs)
    low = np.flatnonzero(problem.grade_band == 0)
    point = taught[:, 0] & (taught.sum(axis=1) == 1) & (together > 0)[:, None]
    several = (classes[:, low] > 0).sum(axis=1) > 1
    for j, t in np.argwhere(point & several):
        classes[j, low, t] = formed(
            students[j, low, t].astype(np.int64),
            problem.class_size[j, low].astype(np.int64),
            int(together[j]),
        )
    return classes
