"""What places need besides rooms: staff, subject teachers, seats, nap places, beds; smaller classes.

National ratios are 1:19 for primary and 1:13.5 for junior students; small schools are staffed by
class as well, with a factor that the county sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.places.seats import seats

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

SUBJECTS = ("体育", "音乐", "美术", "科学", "英语", "信息科技")
"""Subjects whose teachers are counted apart."""


@dataclass(frozen=True)
class NeedFactors:
    """Factors by which needs are counted; every one can be edited.

    Attributes
    ----------
    primary_ratio, junior_ratio : float
        Students for one member of staff.
    class_factor : float
        Staff for each class of a small school; 0 leaves the ratio alone.
    small_school : int
        A school with fewer students is small.
    sittings : float
        Sittings at lunch: students a dining seat serves.
    nap_last_grade : int
        Last grade that rests at midday; 0 for none.
    lessons_per_class : tuple of float
        Weekly lessons of each of :data:`SUBJECTS` in a class.
    lessons_per_teacher : float
        Weekly lessons of a full-time subject teacher.
    """

    primary_ratio: float = 19.0
    junior_ratio: float = 13.5
    class_factor: float = 1.5
    small_school: int = 100
    sittings: float = 1.0
    nap_last_grade: int = 6
    lessons_per_class: tuple[float, ...] = (4.0, 2.0, 2.0, 2.0, 3.0, 1.0)
    lessons_per_teacher: float = 14.0

    def __post_init__(self) -> None:
        """Refuse factors that cannot be used."""
        ratios = (self.primary_ratio, self.junior_ratio, self.sittings, self.lessons_per_teacher)
        if min(ratios) <= 0 or min(self.class_factor, self.small_school) < 0:
            raise InputError("配备系数应为正数 / factors must be above 0")
        if len(self.lessons_per_class) != len(SUBJECTS) or min(self.lessons_per_class) < 0:
            raise InputError(
                f"周课时应有 {len(SUBJECTS)} 个非负数 / {len(SUBJECTS)} numbers of lessons"
            )


@dataclass(frozen=True)
class Needs:
    """Needs by site and year.

    Attributes
    ----------
    staff : (m, t) int64
        Staff: the larger of the two counts below.
    staff_by_ratio : (m, t) int64
        Students by the ratio of their own grades' stage, so that a nine-year school has both.
    staff_by_class : (m, t) int64
        ``class_factor`` for each class of a small school; 0 for other schools.
    subject_teachers : (m, subjects, t) float64
        Full-time subject teachers, to one decimal; below 1 they travel between schools.
    dining_seats, nap_places, beds : (m, t) int64
        Seats, nap places and beds.
    """

    staff: Int64
    staff_by_ratio: Int64
    staff_by_class: Int64
    subject_teachers: npt.NDArray[np.float64]
    dining_seats: Int64
    nap_places: Int64
    beds: Int64


def needs(
    students: npt.ArrayLike,
    classes: npt.ArrayLike,
    primary: npt.ArrayLike,
    boarders: npt.ArrayLike | None = None,
    factors: NeedFactors | None = None,
    grades: npt.ArrayLike | None = None,
) -> Needs:
    """Count staff, seats, nap places and beds.

    Parameters
    ----------
    students, classes : array_like of int
        (m, g, t) students and classes.
    primary : array_like of bool
        (g) grades of primary school; the others are junior.
    boarders : array_like of int, optional
        (m, t) students who board; none when left out.
    factors : NeedFactors, optional
        Factors; the usual ones when left out.
    grades : array_like of int, optional
        (g) grades, for midday rest; 1, 2, 3 and so on when left out.

    Returns
    -------
    Needs
        Needs; staff, seats and places are rounded up to whole numbers.
    """
    use = factors or NeedFactors()
    count, formed = np.asarray(students, dtype=np.int64), np.asarray(classes, dtype=np.int64)
    stage = np.asarray(primary, dtype=bool)
    m, g, t = count.shape
    small = count.sum(axis=1) < use.small_school
    by_ratio = (
        count[:, stage].sum(axis=1) / use.primary_ratio
        + count[:, ~stage].sum(axis=1) / use.junior_ratio
    )
    by_class = np.where(small, use.class_factor * formed.sum(axis=1), 0.0)
    lessons = np.asarray(use.lessons_per_class)[None, :, None] * formed.sum(axis=1)[:, None, :]
    level = np.arange(1, g + 1) if grades is None else np.asarray(grades)
    resting = count[:, level <= use.nap_last_grade].sum(axis=1)
    beds = np.zeros((m, t), dtype=np.int64) if boarders is None else np.asarray(boarders)
    return Needs(
        staff=_up(np.maximum(by_ratio, by_class)),
        staff_by_ratio=_up(by_ratio),
        staff_by_class=_up(by_class),
        subject_teachers=np.round(lessons / use.lessons_per_teacher, 1),
        dining_seats=_up(count.sum(axis=1) / use.sittings),
        nap_places=np.maximum(resting - beds, 0).astype(np.int64),
        beds=beds.astype(np.int64),
    )


def smaller_classes(class_size: npt.ArrayLike, target: int) -> npt.NDArray[np.int32]:
    """Apply a policy of smaller classes (小班化): no class size above the target.

    Parameters
    ----------
    class_size : array_like of int
        (m, g) most students of a standard class.
    target : int
        Policy: 30, 35, 40 or any other number, 1 or more.

    Returns
    -------
    (m, g) int32
        Class sizes, none above the target and none above what they were.
    """
    if target < 1:
        raise InputError(f"小班化目标 {target} 应为正整数 / must be 1 or more")
    return np.asarray(np.minimum(np.asarray(class_size), target), dtype=np.int32)


def begins(amount: npt.ArrayLike, years: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the year in which a shortfall or surplus begins and stays until the last year.

    Parameters
    ----------
    amount : array_like of int
        (m, t) shortfall or surplus.
    years : array_like of int
        (t) years.

    Returns
    -------
    (m,) int64
        First year from which the amount is above 0 in every later year; 0 where it never stays.
    """
    some = np.asarray(amount) > 0
    when = np.asarray(years, dtype=np.int64)
    lasting = np.minimum.accumulate(some[:, ::-1], axis=1)[:, ::-1]
    first = lasting.argmax(axis=1)
    return np.where(lasting.any(axis=1), when[first], 0)


def spell(
    amount: npt.ArrayLike, years: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first and the last year in which there is a shortfall or surplus.

    Parameters
    ----------
    amount : array_like of int
        (m, t) shortfall or surplus.
    years : array_like of int
        (t) years.

    Returns
    -------
    first, last : (m,) int64
        Years; 0 where there is none in any year.
    """
    some = np.asarray(amount) > 0
    when = np.asarray(years, dtype=np.int64)
    any_ = some.any(axis=1)
    first = when[some.argmax(axis=1)]
    last = when[some.shape[1] - 1 - some[:, ::-1].argmax(axis=1)]
    return np.where(any_, first, 0), np.where(any_, last, 0)


def compare_class_sizes(
    students: npt.ArrayLike,
    rooms: npt.ArrayLike,
    class_size: npt.ArrayLike,
    years: npt.ArrayLike,
    targets: tuple[int, ...] = (45, 40, 35, 30),
) -> pd.DataFrame:
    """Answer a falling cohort by smaller classes: places and spare rooms under each policy.

    Parameters
    ----------
    students : array_like of int
        (m, g, t) students.
    rooms : array_like of int
        (m, t) classrooms.
    class_size : array_like of int
        (m, g) standard class sizes of today.
    years : array_like of int
        (t) years.
    targets : tuple of int
        Policies.

    Returns
    -------
    DataFrame
        ``target, year, classes_needed, rooms_spare, places, shortfall, surplus, sites_short``;
        ``rooms_spare`` is what stays empty, school by school, when every grade has its classes.
    """
    count, room = np.asarray(students, dtype=np.int64), np.asarray(rooms, dtype=np.int64)
    rows = []
    for target in targets:
        size = smaller_classes(class_size, target)
        held, short, spare = seats(count, room, size)
        by_site = (-(-count // size[:, :, None])).sum(axis=1)
        need = by_site.sum(axis=0)
        open_ = count.sum(axis=1) > 0
        idle = np.where(open_, np.maximum(room - by_site, 0), 0).sum(axis=0)
        for t, year in enumerate(np.asarray(years).tolist()):
            rows.append(
                (
                    target,
                    year,
                    int(need[t]),
                    int(idle[t]),
                    int(held[:, t].sum()),
                    int(short[:, t].sum()),
                    int(spare[:, t].sum()),
                    int((short[:, t] > 0).sum()),
                )
            )
    columns = ["target", "year", "classes_needed", "rooms_spare", "places", "shortfall", "surplus"]
    return pd.DataFrame(rows, columns=[*columns, "sites_short"])


def _up(value: npt.NDArray[np.float64]) -> Int64:
    # 38 students at 19 are 2.0 whatever binary makes of it
    return np.ceil(np.round(value, 9)).astype(np.int64)
