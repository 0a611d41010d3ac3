"""Demand: students by village, grade and year, whole and conserved."""

from catchment.demand.table import (
    SOURCES,
    StudentsByVillage,
    largest_remainder,
    students_by_village,
)

__all__ = ["SOURCES", "StudentsByVillage", "largest_remainder", "students_by_village"]
