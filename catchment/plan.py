"""The answer: what is open, who goes where, by which mode, in how many classes, each year."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from catchment.problem import Bool, Int8, Int32

STATUSES = ("optimal", "feasible", "infeasible", "unknown")


@dataclass(frozen=True)
class Plan:
    """A decision for every village-band and year (sizes as in :mod:`catchment.problem`).

    Attributes
    ----------
    open : (m, b, t) bool
        Which sites teach which band in which year.
    site_of : (n, t) int32
        Site of each group; -1 = unserved.
    classes : (m, g, t) int32
        Classes formed by site, grade and year.
    mode_of : (n, t) int8
        Position in ``Problem.modes``; -1 = unserved.
    method : str
        How the plan was made: ``today``, ``nearest``, ``capacity``, ``consolidation``.
    status : str
        ``optimal``, ``feasible``, ``infeasible`` or ``unknown``.
    objective, bound : float
        Student-minutes one way, summed over the years, and a proved lower bound (nan: none).
    seconds : float
        Time the method took.
    seed : int
        Seed of the method.
    notes : tuple of str
        What the method had to do or could not do, for people.
    """

    open: Bool
    site_of: Int32
    classes: Int32
    mode_of: Int8
    method: str
    status: str
    objective: float
    bound: float
    seconds: float
    seed: int
    notes: tuple[str, ...] = ()

    def replace(self, **changes: Any) -> Plan:
        """Return a copy with some fields replaced; the original is untouched.

        Parameters
        ----------
        **changes
            Fields and their new values.

        Returns
        -------
        Plan
            The changed copy.
        """
        return dataclasses.replace(self, **changes)
