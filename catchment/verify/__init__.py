"""Plans checked again, in whole numbers, by code that shares nothing with what made them."""

from __future__ import annotations

from catchment.verify.faults import Fault, demand_sound, fault_table
from catchment.verify.plan import check_plan
from catchment.verify.proposal import check_proposal
from catchment.verify.solution import check_solution

__all__ = ["Fault", "check_plan", "check_proposal", "check_solution", "demand_sound", "fault_table"]
