"""Multi-year consolidation: which schools stay, shrink or merge, when, and who goes where."""

from __future__ import annotations

from catchment.optimise.phases.account import cost_asked, cost_of, movers
from catchment.optimise.phases.actions import actions, counts_students
from catchment.optimise.phases.choice import (
    CHEAPEST,
    FEWEST_PLANS,
    KEPT,
    Choice,
    Figures,
    a_year_earlier,
    figures,
    frontier,
    keep_everything,
    mark_dominated,
    smaller_classes,
)
from catchment.optimise.phases.combined import classes_counted
from catchment.optimise.phases.compile import stranded
from catchment.optimise.phases.contiguous import cut_off, cut_off_today
from catchment.optimise.phases.costs import CostRow, Costs, cost_table, read_costs
from catchment.optimise.phases.loosen import connected_as_far
from catchment.optimise.phases.prices import (
    Price,
    below_least,
    demanded,
    price_of_closing,
    price_of_keeping,
)
from catchment.optimise.phases.question import (
    SMALL,
    Answer,
    Breakdown,
    Building,
    Limits,
    Memory,
    Question,
    question_of,
)
from catchment.optimise.phases.solve import consolidate
from catchment.optimise.phases.uncertain import (
    Outlook,
    in_every_good_plan,
    most_robust,
    outlook,
    sizes_if_kept,
)
from catchment.optimise.phases.verify import Violation, check

__all__ = [
    "CHEAPEST",
    "FEWEST_PLANS",
    "KEPT",
    "SMALL",
    "Answer",
    "Breakdown",
    "Building",
    "Choice",
    "CostRow",
    "Costs",
    "Figures",
    "Limits",
    "Memory",
    "Outlook",
    "Price",
    "Question",
    "Violation",
    "a_year_earlier",
    "actions",
    "below_least",
    "check",
    "classes_counted",
    "connected_as_far",
    "consolidate",
    "cost_asked",
    "cost_of",
    "cost_table",
    "counts_students",
    "cut_off",
    "cut_off_today",
    "demanded",
    "figures",
    "frontier",
    "in_every_good_plan",
    "keep_everything",
    "mark_dominated",
    "most_robust",
    "movers",
    "outlook",
    "price_of_closing",
    "price_of_keeping",
    "question_of",
    "read_costs",
    "sizes_if_kept",
    "smaller_classes",
    "stranded",
]
