"""Demand: students by village, grade and year, whole and conserved."""

from catchment.demand.cohort import (
    NAMED_SOURCES,
    Assumptions,
    Flows,
    compare_sources,
    compare_villages,
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
    entrant_level,
    entrant_rate,
    largest_remainder,
    rejected_students,
    students_by_village,
)

__all__ = [
    "NAMED_SOURCES",
    "SOURCES",
    "Assumptions",
    "Flows",
    "StudentsByVillage",
    "compare_sources",
    "compare_villages",
    "ensemble",
    "entrant_level",
    "entrant_rate",
    "entry_rates",
    "largest_remainder",
    "part_of",
    "progression_rates",
    "project",
    "rejected_students",
    "students_by_village",
    "variants",
]
