"""Indicators: every measure of a plan, with name, unit, range and definition."""

from catchment.indicators.measure import Roll, compute, roll
from catchment.indicators.registry import Indicator, registry

__all__ = ["Indicator", "Roll", "compute", "registry", "roll"]
