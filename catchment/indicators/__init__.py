"""Indicators: every measure of a plan, with name, unit, range and definition."""

from catchment.indicators.baseline import survey_names, survey_tables, with_answers
from catchment.indicators.ledger import class_ledger, ledger_facts
from catchment.indicators.measure import Roll, compute, roll
from catchment.indicators.registry import Indicator, registry

__all__ = [
    "Indicator",
    "Roll",
    "class_ledger",
    "compute",
    "ledger_facts",
    "registry",
    "roll",
    "survey_names",
    "survey_tables",
    "with_answers",
]
