"""Several plans merged: what they agree on is held, and of the rest only what one of them does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from catchment.optimise.phases.decode import Decision
from catchment.optimise.phases.table import Table


def narrowed(c: Table, plans: Sequence[Decision]) -> Table:
    """Allow only what at least one of some plans does.

    Parameters
    ----------
    c : Table
        Constant arrays.
    plans : sequence of Decision
        Plans within the table.

    Returns
    -------
    Table
        The same with fewer moves, years, groups that choose and sites that change.
    """
    allowed, may_stay = np.zeros_like(c.allowed), np.zeros(len(c.groups), dtype=np.bool_)
    for option, when in plans:
        gone = option >= 0
        allowed[option[gone], when[gone]] = True
        may_stay |= ~gone
    allowed &= c.allowed
    groups = c.groups.copy()
    groups[:, 6] *= may_stay
    ways = np.bincount(c.options[:, 1], weights=allowed.sum(axis=1), minlength=len(groups))
    several = np.flatnonzero(ways + may_stay > 1)
    choosers = np.intersect1d(several, c.choosers).astype(np.int32)
    reached = np.zeros(len(c.sites) + 1, dtype=np.bool_)
    reached[groups[choosers, 0]] = True
    for option, _ in plans:
        chosen = option[choosers]
        reached[c.options[chosen[chosen >= 0], 0]] = True
    changeable = np.intersect1d(np.flatnonzero(reached[:-1]), c.changeable).astype(np.int32)
    return c._replace(groups=groups, allowed=allowed, choosers=choosers, changeable=changeable)


def unlike(a: Decision, b: Decision) -> int:
    """Count the groups that two plans decide differently.

    Parameters
    ----------
    a, b : Decision
        Plans of the same question.

    Returns
    -------
    int
        0 where they are the same.
    """
    return int(((a[0] != b[0]) | ((a[1] != b[1]) & (a[0] >= 0))).sum())
