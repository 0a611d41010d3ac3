"""Class formation: whole classes, as even as possible, in the rooms there are.

A combined class (复式班) holds neighbouring grades and is counted once, at its lowest grade; its
other grades show 0 classes though they have students. So classes always add up to rooms in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError

Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]
_Score = tuple[int, int, int, int]


@dataclass(frozen=True)
class ClassTable:
    """One entry a class.

    Attributes
    ----------
    site, year : (c,) int32
        Position of the site and of the year.
    grade, grade_to : (c,) int32
        Position of the lowest and of the highest grade in the class; equal but for combined
        classes.
    number : (c,) int32
        Number of the class within its site, grade and year, from 1.
    size : (c,) int32
        Students.
    """

    site: Int32
    year: Int32
    grade: Int32
    grade_to: Int32
    number: Int32
    size: Int32


def needed_classes(students: npt.ArrayLike, class_size: npt.ArrayLike) -> Int32:
    """Classes needed so that none is over its size.

    Parameters
    ----------
    students : array_like of int
        Students, 0 or more.
    class_size : array_like of int
        Most students of a class, 1 or more; broadcast against ``students``.

    Returns
    -------
    ndarray of int32
        Students / class size, rounded up.
    """
    count, size = _checked(students, class_size)
    return np.asarray(-(-count // size), dtype=np.int32)


def form_classes(
    students: npt.ArrayLike, rooms: int, class_size: npt.ArrayLike, *, combined: bool = False
) -> Int32:
    """Classes by grade at one site in one year.

    Where the rooms suffice, every grade gets the fewest classes that keep the standard size.
    Where they do not, rooms go where they make, in this order, (1) the largest excess of a class
    over the standard of its own grade smallest (in a nine-year school 52 primary pupils are worse
    than 53 junior students), (2) the classes over their standard size fewest, (3) the students
    above standard fewest, (4) the classes fewest. The choice is exact (a dynamic programme over grades, checked against
    enumeration in the tests). Where there are more grades with students than rooms, neighbouring
    grades share a class if ``combined`` allows it, by the same order; if not, every such grade
    keeps one class and the rooms are exceeded, which is a shortage for the caller to show.

    Parameters
    ----------
    students : array_like of int
        (g) students by grade, in order of grade.
    rooms : int
        Classrooms, 0 or more.
    class_size : array_like of int
        (g) most students of a standard class.
    combined : bool
        Whether combined classes are allowed (teaching points).

    Returns
    -------
    (g,) int32
        Classes by grade; a combined class counts at its lowest grade.

    Raises
    ------
    InputError
        When a number is negative or a class size is 0.

    Examples
    --------
    >>> form_classes([90, 46, 45], 9, [45, 45, 45]).tolist()
    [2, 2, 1]
    >>> form_classes([90, 46, 45], 4, [45, 45, 45]).tolist()
    [2, 1, 1]
    >>> form_classes([6, 4, 5], 2, [30, 30, 30], combined=True).tolist()
    [1, 1, 0]
    """
    count, size = _checked(students, class_size)
    count, size = np.atleast_1d(count), np.broadcast_to(size, np.shape(count))
    if rooms < 0:
        raise InputError(f"教室数为 {rooms}，应为非负整数 / rooms must be 0 or more")
    need = -(-count // size)
    if int(need.sum()) <= rooms:
        return need.astype(np.int32)
    active = np.flatnonzero(count > 0)
    out = np.zeros(len(count), dtype=np.int32)
    pairs = tuple((int(count[k]), int(size[k])) for k in active)
    if rooms >= len(active):
        out[active] = _spread(pairs, rooms)
    elif combined and rooms > 0:
        out[active[list(_runs(pairs, rooms))]] = 1
    else:
        out[active] = 1
    return out


def classes_for_plan(
    students_at_site: npt.ArrayLike,
    rooms: npt.ArrayLike,
    class_size: npt.ArrayLike,
    combined_allowed: npt.ArrayLike,
) -> tuple[Int32, Bool]:
    """Classes of every site, grade and year.

    Parameters
    ----------
    students_at_site : array_like of int
        (m, g, t) students.
    rooms : array_like of int
        (m, t) classrooms.
    class_size : array_like of int
        (m, g) most students of a standard class.
    combined_allowed : array_like of bool
        (m,) sites that may hold combined classes, or (m, t).

    Returns
    -------
    classes : (m, g, t) int32
        Classes; their sum over grades is above ``rooms`` only where :func:`form_classes` says so.
    combined : (m, t) bool
        Where combined classes were formed.
    """
    count = np.asarray(students_at_site, dtype=np.int64)
    room = np.asarray(rooms, dtype=np.int64)
    size = np.asarray(class_size, dtype=np.int64)
    if (count < 0).any() or (room < 0).any() or (size < 1).any():
        raise InputError(
            "学生数、教室数应为非负整数，班额应为正整数 / students and rooms must be 0 or more, "
            "class sizes 1 or more"
        )
    allowed = np.asarray(combined_allowed, dtype=bool)
    allowed = np.broadcast_to(allowed if allowed.ndim == 2 else allowed[:, None], room.shape)
    classes = -(-count // size[:, :, None])
    combined = np.zeros(room.shape, dtype=bool)
    for j, t in np.argwhere(classes.sum(axis=1) > room):
        formed = form_classes(
            count[j, :, t], int(room[j, t]), size[j], combined=bool(allowed[j, t])
        )
        classes[j, :, t] = formed
        combined[j, t] = bool(((formed == 0) & (count[j, :, t] > 0)).any())
    return classes.astype(np.int32), combined


def class_sizes(students: npt.ArrayLike, classes: npt.ArrayLike) -> tuple[tuple[int, ...], ...]:
    """Sizes of the classes of one site and year, split as evenly as whole students allow.

    Parameters
    ----------
    students : array_like of int
        (g) students by grade.
    classes : array_like of int
        (g) classes by grade, combined classes at their lowest grade.

    Returns
    -------
    tuple of tuple of int
        For each grade the sizes of its classes, larger ones first; sizes within a grade differ by
        1 at most; a combined class holds all its grades. All sizes add up to all students.

    Examples
    --------
    >>> class_sizes([91, 46], [2, 1])
    ((46, 45), (46,))
    >>> class_sizes([6, 4, 5], [1, 0, 1])
    ((10,), (), (5,))
    """
    table = class_table(np.asarray(students)[None, :, None], np.asarray(classes)[None, :, None])
    out: list[list[int]] = [[] for _ in range(len(np.asarray(students)))]
    for grade, size in zip(table.grade.tolist(), table.size.tolist(), strict=True):
        out[grade].append(size)
    return tuple(tuple(sizes) for sizes in out)


def class_table(students_at_site: npt.ArrayLike, classes: npt.ArrayLike) -> ClassTable:
    """Every class of a plan with its students.

    Parameters
    ----------
    students_at_site : array_like of int
        (m, g, t) students.
    classes : array_like of int
        (m, g, t) classes, combined classes at their lowest grade.

    Returns
    -------
    ClassTable
        Classes in order of site, year, grade and number. A grade with students but without a
        class joins the nearest lower grade with one, or else the nearest higher.

    Raises
    ------
    InputError
        When a site has students in a year but no class at all.
    """
    count = np.asarray(students_at_site, dtype=np.int64).transpose(0, 2, 1)
    formed = np.asarray(classes, dtype=np.int64).transpose(0, 2, 1)
    m, t, g = count.shape
    holder, bare = _holders(formed, g)
    if (bare & (count.sum(axis=2) > 0)).any():
        j, y = np.argwhere(bare & (count.sum(axis=2) > 0))[0]
        raise InputError(
            f"第 {j + 1} 个校点第 {y + 1} 年有学生而没有班级 / site {j + 1} has students in year "
            f"{y + 1} but no class"
        )
    load = np.zeros_like(count)
    top = np.broadcast_to(np.arange(g), count.shape).copy()
    if m and t and g:
        site, year = np.indices((m, t))
        for k in range(g):
            np.add.at(load, (site, year, holder[:, :, k]), count[:, :, k])
            joined = (holder[:, :, k] < k) & (count[:, :, k] > 0)
            where = (site[joined], year[joined], holder[:, :, k][joined])
            top[where] = np.maximum(top[where], k)
    times = formed.ravel()
    cell = np.repeat(np.arange(times.size), times)
    start = np.cumsum(times) - times
    number = np.arange(cell.size) - start[cell]
    base, over = np.divmod(load.ravel()[cell], np.maximum(times[cell], 1))
    site_of, year_of, grade_of = np.unravel_index(cell, (m, t, g))
    return ClassTable(
        site=site_of.astype(np.int32),
        year=year_of.astype(np.int32),
        grade=grade_of.astype(np.int32),
        grade_to=top.ravel()[cell].astype(np.int32),
        number=(number + 1).astype(np.int32),
        size=(base + (number < over)).astype(np.int32),
    )


def _holders(formed: npt.NDArray[np.int64], g: int) -> tuple[npt.NDArray[np.int64], Bool]:
    """Grade whose classes hold each grade's students, and sites and years without any class."""
    at = np.where(formed > 0, np.arange(g), -1)
    lower = np.maximum.accumulate(at, axis=2)
    at = np.where(formed > 0, np.arange(g), g)
    upper = np.minimum.accumulate(at[:, :, ::-1], axis=2)[:, :, ::-1]
    holder = np.where(lower >= 0, lower, upper)
    bare = np.asarray((formed.sum(axis=2) == 0), dtype=bool)
    return np.where(bare[:, :, None], 0, holder), bare


def _checked(
    students: npt.ArrayLike, class_size: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    count = np.asarray(students, dtype=np.int64)
    size = np.asarray(class_size, dtype=np.int64)
    if (count < 0).any() or (size < 1).any():
        raise InputError(
            "学生数应为非负整数，班额应为正整数 / students must be 0 or more, class sizes 1 or more"
        )
    return count, size


def _split(students: int, classes: int, size: int) -> tuple[int, int]:
    """Classes over standard and students above standard in an even split."""
    base, larger = divmod(students, classes)
    over = (larger if base + 1 > size else 0) + (classes - larger if base > size else 0)
    excess = larger * max(0, base + 1 - size) + (classes - larger) * max(0, base - size)
    return over, excess


@lru_cache(maxsize=65536)
def _spread(pairs: tuple[tuple[int, int], ...], rooms: int) -> tuple[int, ...]:
    """Classes by grade when rooms are short but every grade can have one.

    The largest excess: giving each next room to the grade with the largest excess is optimal,
    because the excess of a grade never grows with a room more (exchange argument). The other three
    aims are then met by a dynamic programme over grades and rooms.
    """
    least = [1] * len(pairs)
    for _ in range(rooms - len(pairs)):
        worst = max(range(len(pairs)), key=lambda k: -(-pairs[k][0] // least[k]) - pairs[k][1])
        least[worst] += 1
    excess_left = max(-(-s // k) - z for (s, z), k in zip(pairs, least, strict=True))
    floor = [-(-s // (z + excess_left)) for s, z in pairs]
    best: dict[int, tuple[_Score, tuple[int, ...]]] = {0: ((0, 0, 0, 0), ())}
    for place, (s, size) in enumerate(pairs):
        rest = sum(floor[place + 1 :])
        grown: dict[int, tuple[_Score, tuple[int, ...]]] = {}
        most = max(floor[place], -(-s // size))
        for used, (score, chosen) in best.items():
            for k in range(floor[place], min(most, rooms - rest - used) + 1):
                over, excess = _split(s, k, size)
                new = (score[0] + over, score[1] + excess, score[2] + k, 0)
                if used + k not in grown or (new, (*chosen, k)) < grown[used + k]:
                    grown[used + k] = (new, (*chosen, k))
        best = grown
    return min(best.values())[1]


@lru_cache(maxsize=65536)
def _runs(pairs: tuple[tuple[int, int], ...], rooms: int) -> tuple[int, ...]:
    """First grades of the combined classes when there are fewer rooms than grades.

    Neighbouring grades share a class; all rooms are used, so that fewest grades share. In order:
    the largest excess smallest (over the strictest standard of the grades in the class), fewest
    over standard, the students above standard fewest, then sizes as even as possible.
    """
    g = len(pairs)

    def solve(cap: int) -> tuple[_Score, tuple[int, ...]] | None:
        table: list[dict[int, tuple[_Score, tuple[int, ...]]]] = [{} for _ in range(g + 1)]
        table[0][0] = ((0, 0, 0, 0), ())
        for end in range(1, g + 1):
            for start in range(end):
                load = sum(s for s, _ in pairs[start:end])
                size = min(z for _, z in pairs[start:end])
                if load - size > cap:
                    continue
                for used, (score, firsts) in table[start].items():
                    if used == rooms:
                        continue
                    new = (
                        score[0] + (load > size),
                        score[1] + max(0, load - size),
                        score[2] + load * load,
                        0,
                    )
                    item = (new, (*firsts, start))
                    if used + 1 not in table[end] or item < table[end][used + 1]:
                        table[end][used + 1] = item
        return table[g].get(rooms)

    caps = {
        sum(s for s, _ in pairs[a:b]) - min(z for _, z in pairs[a:b])
        for a in range(g)
        for b in range(a + 1, g + 1)
    }
    for cap in sorted(caps):
        found = solve(cap)
        if found is not None:
            return found[1]
    return (0,)
