"""Demand: students by village, grade and year, whole and conserved."""

from catchment.demand.cohort import (
    Assumptions,
    Flows,
    compare_sources,
    ensemble,
    entry_rates,
    part_of,
    progression_rates,
    project,
    variants,
)
from catchment.demand.table import (
    SOURCES,
    StudentsByVillage,
    largest_remainder,
    rejected_students,
    students_by_village,
)

__all__ = [
    "SOURCES",
    "Assumptions",
    "Flows",
    "StudentsByVillage",
    "compare_sources",
    "ensemble",
    "entry_rates",
    "largest_remainder",
    "part_of",
    "progression_rates",
    "project",
    "rejected_students",
    "students_by_village",
    "variants",
]
