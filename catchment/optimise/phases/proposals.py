"""Random changes: a village, a year, a whole school.

The compiled functions bear no types: the compiler infers them from the arrays that
:mod:`catchment.optimise.phases.table` names once for all of them, and would read none written here.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from catchment.optimise.dice import below, uniform
from catchment.optimise.phases.tally import note


@njit(cache=True)
def _is_open(groups, kind, sites, until, years, i, j):  # type: ignore[no-untyped-def]
    """Whether a site teaches the group's band as long as the group has students."""
    level = 1 if kind[i, j] else 0
    if sites[j, 0] > level:
        return until[j, level] >= groups[i, 5]
    return until[j, level] < years


@njit(cache=True)
def some_year(allowed, o, wish):  # type: ignore[no-untyped-def]
    """Year from the wish on (else before it) in which an option may be taken, 0 for none."""
    for t in range(wish, allowed.shape[1]):
        if allowed[o, t]:
            return t
    for t in range(wish - 1, 0, -1):
        if allowed[o, t]:
            return t
    return 0


@njit(cache=True)
def _send(groups, options, allowed, go, stay, kind, sites, plan, until, dice, undo, i, avoid, wish):  # type: ignore[no-untyped-def]
    """Send a group to a good open site other than the one to avoid."""
    best, chosen, year, years = np.inf, -1, 0, allowed.shape[1]
    for o in range(groups[i, 3], groups[i, 4]):
        j = options[o, 0]
        if j == avoid:
            continue
        when = some_year(allowed, o, wish)
        if when == 0:
            continue
        value = go[o, when] * (0.8 + 0.4 * uniform(dice))
        if not _is_open(groups, kind, sites, until, years, i, j):
            value += 1e9
        if value < best:
            best, chosen, year = value, o, when
    home = groups[i, 0]
    if home >= 0 and home != avoid and groups[i, 6]:
        value = stay[i]
        if not _is_open(groups, kind, sites, until, years, i, home):
            value += 1e9
        if value < best:
            note(undo, plan, i, -1, years)
            return
    if chosen >= 0:
        note(undo, plan, i, chosen, year)


@njit(cache=True)
def one_village(groups, options, allowed, kind, sites, choosers, plan, until, dice, undo):  # type: ignore[no-untyped-def]
    """Propose that a village goes to a school within its reach, mostly an open one."""
    i = choosers[below(dice, len(choosers))]
    years = allowed.shape[1]
    pick = below(dice, groups[i, 4] - groups[i, 3] + 1)
    if pick == groups[i, 4] - groups[i, 3]:
        if groups[i, 6] and plan[0, i] >= 0:
            note(undo, plan, i, -1, years)
        return
    o = groups[i, 3] + pick
    if uniform(dice) < 0.9 and not _is_open(groups, kind, sites, until, years, i, options[o, 0]):
        return
    wish = plan[1, i] if plan[0, i] >= 0 else 1 + below(dice, years - 1)
    when = some_year(allowed, o, wish)
    if when and (o != plan[0, i] or when != plan[1, i]):
        note(undo, plan, i, o, when)


@njit(cache=True)
def one_year(allowed, choosers, plan, dice, undo):  # type: ignore[no-untyped-def]
    """Propose another year for a village that moves."""
    i = choosers[below(dice, len(choosers))]
    o, years = plan[0, i], allowed.shape[1]
    if o < 0:
        return
    wish = 1 + below(dice, years - 1)
    if uniform(dice) < 0.5:
        wish = plan[1, i] + (1 if uniform(dice) < 0.5 else -1)
    if 1 <= wish < years and wish != plan[1, i] and allowed[o, wish]:
        note(undo, plan, i, o, wish)


@njit(cache=True)
def school(  # type: ignore[no-untyped-def]
    groups, options, allowed, go, stay, kind, sites, from_first, from_group, to_first, to_option,
    changeable, plan, until, dice, undo, what,
):  # fmt: skip
    """Close (0), downgrade (1), keep (2), shift in time (3) or fill (4) one school."""
    j = changeable[below(dice, len(changeable))]
    years = allowed.shape[1]
    wish = 1 + below(dice, years - 1)
    # Half the time one band alone: bands of a school often have different years.
    only = -1 if uniform(dice) < 0.5 else below(dice, 2)
    for p in range(from_first[j], from_first[j + 1]):
        i = from_group[p]
        o = plan[0, i]
        if groups[i, 3] == groups[i, 4] or (only >= 0 and only != kind[i, j] and what != 1):
            continue
        if what == 0 or (what == 1 and kind[i, j]):
            if o < 0:
                _send(
                    groups, options, allowed, go, stay, kind, sites, plan, until, dice, undo,
                    i, j, wish,
                )  # fmt: skip
            elif plan[1, i] > wish:
                when = some_year(allowed, o, wish)
                if when:
                    note(undo, plan, i, o, when)
        elif what == 2 and o >= 0 and groups[i, 6]:
            note(undo, plan, i, -1, years)
        elif what == 3 and o >= 0:
            when = some_year(allowed, o, wish)
            if when and when != plan[1, i]:
                note(undo, plan, i, o, when)
    if what == 2 or what == 3:
        return
    for p in range(to_first[j], to_first[j + 1]):
        o = to_option[p]
        i = options[o, 1]
        if what == 4:
            if plan[0, i] == o or (only >= 0 and only != kind[i, j]):
                continue
            now = stay[i] if plan[0, i] < 0 else go[plan[0, i], plan[1, i]]
            when = some_year(allowed, o, wish if plan[0, i] < 0 else plan[1, i])
            if when and go[o, when] < now and uniform(dice) < 0.7:
                note(undo, plan, i, o, when)
        elif plan[0, i] == o and (what == 0 or kind[i, j]):
            _send(
                groups, options, allowed, go, stay, kind, sites, plan, until, dice, undo,
                i, j, plan[1, i],
            )  # fmt: skip
