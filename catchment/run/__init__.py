"""Story: one run, from a recipe to everything there is to show."""

from catchment.run.account import conserve
from catchment.run.draw import catchments_of
from catchment.run.explain import explain
from catchment.run.model import Run, names_of_sites
from catchment.run.order import Posed, execute, pose, run_scenario
from catchment.run.propose import Proposal, Wish, propose

__all__ = [
    "Posed",
    "Proposal",
    "Run",
    "Wish",
    "catchments_of",
    "conserve",
    "execute",
    "explain",
    "names_of_sites",
    "pose",
    "propose",
    "run_scenario",
]
