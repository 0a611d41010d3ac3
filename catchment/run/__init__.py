"""Story: one run, from a recipe to everything there is to show."""

from catchment.run.account import conserve
from catchment.run.draw import catchments_of
from catchment.run.explain import explain
from catchment.run.model import Run, names_of_sites
from catchment.run.order import execute, run_scenario

__all__ = [
    "Run",
    "catchments_of",
    "conserve",
    "execute",
    "explain",
    "names_of_sites",
    "run_scenario",
]
