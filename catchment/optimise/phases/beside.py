"""Random changes that keep catchments in one piece: what a neighbour does, or a whole piece.

The compiled functions bear no types: the compiler infers them from the arrays that
:mod:`catchment.optimise.phases.table` names once for all of them, and would read none written here.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from catchment.optimise.dice import below, uniform
from catchment.optimise.phases.proposals import some_year
from catchment.optimise.phases.tally import note

TRIES = 30
"""Catchments looked at for one that cuts somebody off."""


@njit(cache=True)
def _site_at(groups, options, plan, i, t):  # type: ignore[no-untyped-def]
    if plan[0, i] >= 0 and t >= plan[1, i]:
        return int(options[plan[0, i], 0])
    return int(groups[i, 0])


@njit(cache=True)
def _decide(groups, options, allowed, plan, undo, i, j, wish):  # type: ignore[no-untyped-def]
    """Note that a group shall be at a site from about a year on, if it may."""
    years = allowed.shape[1]
    if j == groups[i, 0]:
        if groups[i, 6] and plan[0, i] >= 0:
            note(undo, plan, i, -1, years)
        return
    for o in range(groups[i, 3], groups[i, 4]):
        if options[o, 0] == j:
            when = some_year(allowed, o, min(max(wish, 1), years - 1))
            if when and (plan[0, i] != o or plan[1, i] != when):
                note(undo, plan, i, o, when)
            return


@njit(cache=True)
def _piece(  # type: ignore[no-untyped-def]
    groups, options, plan, first, near, village, band, idle, group_at, i, t, waiting, stack
):
    """Piece of a catchment around a group in a year, as the first so many of ``stack``."""
    j = _site_at(groups, options, plan, i, t)
    bit = np.uint64(1) << np.uint64(t)
    stack[0] = village[i]
    waiting[village[i]] = True
    at, count = 0, 1
    while at < count:
        v = stack[at]
        at += 1
        for p in range(first[v], first[v + 1]):
            w = near[p]
            k = group_at[band[i], w]
            if waiting[w] or k < 0 or idle[k] & bit != np.uint64(0):
                continue
            if _site_at(groups, options, plan, k, t) == j:
                waiting[w] = True
                stack[count] = w
                count += 1
    for at in range(count):
        waiting[stack[at]] = False
    return count


@njit(cache=True)
def beside(  # type: ignore[no-untyped-def]
    groups, options, allowed, plan, dice, undo, choosers,
    first, near, village, band, group_at, idle, lost, waiting, stack, any_lost,
):  # fmt: skip
    """Propose: a village or a piece goes where a neighbour goes, back, or in another year."""
    years = allowed.shape[1]
    i = choosers[below(dice, len(choosers))]
    t = 1 + below(dice, years - 1)
    if any_lost > 0 and uniform(dice) < 0.3:
        for _ in range(TRIES):
            j = _site_at(groups, options, plan, i, t)
            if j >= 0 and lost[band[i], j] > 0:
                break
            i = choosers[below(dice, len(choosers))]
            t = 1 + below(dice, years - 1)
    v = village[i]
    here = _site_at(groups, options, plan, i, t)
    if first[v + 1] == first[v]:
        return
    k = group_at[band[i], near[first[v] + below(dice, first[v + 1] - first[v])]]
    if k < 0:
        return
    there = _site_at(groups, options, plan, k, t)
    wish = t
    if uniform(dice) < 0.7:
        wish = plan[1, k] if plan[0, k] >= 0 else (plan[1, i] if plan[0, i] >= 0 else t)
    choice = uniform(dice)
    if choice < 0.45:
        if there >= 0 and there != here:
            _decide(groups, options, allowed, plan, undo, i, there, wish)
        elif there == here and plan[0, i] >= 0 and plan[0, k] >= 0:
            _decide(groups, options, allowed, plan, undo, i, here, plan[1, k])
        return
    if choice < 0.55:
        # The neighbour comes along.
        if there != here and here >= 0:
            _decide(groups, options, allowed, plan, undo, k, here, wish)
        return
    count = _piece(
        groups, options, plan, first, near, village, band, idle, group_at, i, t, waiting, stack
    )
    count = min(count, len(undo) - 2)
    if choice < 0.8:
        # The piece, or those of it that share today's school, goes to a school next to it.
        p = stack[below(dice, count)]
        if first[p + 1] == first[p]:
            return
        k = group_at[band[i], near[first[p] + below(dice, first[p + 1] - first[p])]]
        if k < 0:
            return
        there = _site_at(groups, options, plan, k, t)
        if there < 0 or there == here:
            return
        part = uniform(dice) < 0.5
        wish = plan[1, k] if plan[0, k] >= 0 and uniform(dice) < 0.5 else t
        for q in range(count):
            g = group_at[band[i], stack[q]]
            if part and groups[g, 0] != groups[i, 0]:
                continue
            when = plan[1, g] if plan[0, g] >= 0 and choice < 0.68 else wish
            _decide(groups, options, allowed, plan, undo, g, there, when)
    elif choice < 0.92:
        for q in range(count):
            g = group_at[band[i], stack[q]]
            if groups[g, 0] == groups[i, 0] and plan[0, g] >= 0:
                _decide(groups, options, allowed, plan, undo, g, groups[g, 0], years)
    else:
        # All who went with it go in one and the same year.
        wish = 1 + below(dice, years - 1)
        for q in range(count):
            g = group_at[band[i], stack[q]]
            if groups[g, 0] == groups[i, 0] and plan[0, g] >= 0:
                _decide(groups, options, allowed, plan, undo, g, here, wish)
