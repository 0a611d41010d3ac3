"""Limits that make a class over standard, large or super-large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CATEGORIES = ("", "over_standard", "large", "super_large")
"""Categories by number: 0 within the standard, 1 over standard, 2 large, 3 super-large."""


@dataclass(frozen=True)
class ClassLimits:
    """Limits of class and school size.

    The values are those of the national rule book (``R-CLS-01``, ``R-CLS-03``, ``R-CLS-04``,
    ``R-DEF-01``, ``R-SIZ-01``); ``catchment.rules.books.class_limits`` reads them from a book, so
    that a county's override reaches every count.

    Attributes
    ----------
    primary, junior : int
        A class with more students is over standard.
    large, super_large : int
        A class with at least so many students is large or super-large.
    small_school : int
        A school with fewer students is small.
    school, nine_year : int
        Most students of a school and of the compulsory grades of a nine-year school.
    last_primary : int
        Last grade of primary school.
    """

    primary: int = 45
    junior: int = 50
    large: int = 56
    super_large: int = 66
    small_school: int = 100
    school: int = 2000
    nine_year: int = 2500
    last_primary: int = 6

    def standard(self, grade: int) -> int:
        """Most students of a standard class of a grade.

        Parameters
        ----------
        grade : int
            Grade, 1 to 9.

        Returns
        -------
        int
            Students.
        """
        return self.primary if grade <= self.last_primary else self.junior

    def category(self, size: npt.ArrayLike, grade: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """Category of classes, as a position in :data:`CATEGORIES`.

        Parameters
        ----------
        size : array_like of int
            Students of each class.
        grade : array_like of int
            Grade of each class, of the same shape or one for all.

        Returns
        -------
        ndarray of int8
            0 within the standard, 1 over standard, 2 large, 3 super-large.
        """
        students = np.asarray(size)
        standard = np.where(np.asarray(grade) <= self.last_primary, self.primary, self.junior)
        level = (students > standard).astype(np.int8)
        level = np.where(students >= self.large, np.int8(2), level)
        level = np.where(students >= self.super_large, np.int8(3), level)
        return np.asarray(level, dtype=np.int8)
