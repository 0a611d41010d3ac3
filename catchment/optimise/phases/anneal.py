"""Search by annealing: villages move, years shift, whole schools close, shrink, stay or open.

The compiled functions bear no types: the compiler infers them from the arrays that
:mod:`catchment.optimise.phases.table` names once for all of them, and would read none written here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.dice import uniform
from catchment.optimise.phases.beside import beside
from catchment.optimise.phases.contiguous import Cuts, Ground, count_cut
from catchment.optimise.phases.proposals import one_village, one_year, school
from catchment.optimise.phases.table import Run, Table, restart
from catchment.optimise.phases.tally import judge, over, swap

Float64 = npt.NDArray[np.float64]

NEIGHBOURLY = 0.5
"""Share of the proposals that heed who neighbours whom, where catchments are to be in one piece."""


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    groups, options, students, uses, option_uses, allowed, go, stay, moved, lag, kind, low_grade,
    sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
    from_first, from_group, to_first, to_option, choosers, changeable,
    plan, load, users, site, until, total, pace, dice, undo, touched, old_site, old_until, mark,
    best, best_value,
    first, near, home, village, band, group_at, idle, passing, excused, astray, sent,
    lost, member, counted, reach, rows, seen, stack, waiting,
    steps, hot, cold, weight, whole, penalty, rises,
):  # fmt: skip
    """Propose, judge, accept or take back; with ``rises`` given, measure and always take back."""
    kept, taken, measure = np.zeros(3), 0, len(rises) > 0
    years, bands = students.shape[2], len(lost)
    if len(choosers) == 0:
        steps = 0
    fall = (cold / hot) ** (1.0 / max(steps, 1))
    heat = hot
    old_lost = np.zeros((bands, len(touched)), dtype=np.int64)
    hurt = np.zeros(bands, dtype=np.bool_)
    cut = 0
    if whole:
        for b in range(bands):
            for j in range(len(sites)):
                lost[b, j] = count_cut(
                    groups, options, plan, from_first, from_group, to_first, to_option,
                    first, near, home, village, band, idle, passing, excused, astray, sent, years,
                    member, counted, reach, rows, seen, stack, waiting, b, j,
                )  # fmt: skip
                cut += lost[b, j]
    broken = total[2] + over(limits, pace)
    now = total[0] + total[1] + weight * broken + penalty * cut
    # Measuring counts no cuts: what it begins with need not be valid.
    if not measure and broken < 1e-6 and cut == 0 and total[0] + total[1] < best_value[0] - 1e-6:
        best_value[0] = total[0] + total[1]
        best[:] = plan
    for _ in range(steps):
        heat *= fall
        kept[:] = total
        undo[-1, 0] = 0
        if whole and uniform(dice) < NEIGHBOURLY:
            beside(
                groups, options, allowed, plan, dice, undo, choosers,
                first, near, village, band, group_at, idle, lost, waiting, stack, cut,
            )  # fmt: skip
        else:
            choice = uniform(dice)
            if choice < 0.64:
                one_village(
                    groups, options, allowed, kind, sites, choosers, plan, until, dice, undo
                )
            elif choice < 0.86:
                one_year(allowed, choosers, plan, dice, undo)
            else:
                what = 0 if choice < 0.90 else 1 if choice < 0.92 else 2 if choice < 0.95 else 3
                if choice >= 0.985:
                    what = 4
                school(
                    groups, options, allowed, go, stay, kind, sites, from_first, from_group,
                    to_first, to_option, changeable, plan, until, dice, undo, what,
                )  # fmt: skip
        if undo[-1, 0] == 0:
            continue
        if whole:
            hurt[:] = False
            for k in range(undo[-1, 0]):
                hurt[band[undo[k, 0]]] = True
        swap(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, undo, touched, mark,
        )  # fmt: skip
        free = 0
        for p in range(touched[-1]):
            j = touched[p]
            mark[j] = False
            old_site[p, 0], old_site[p, 1], old_site[p, 2] = site[j, 0], site[j, 1], site[j, 2]
            old_until[p, 0], old_until[p, 1] = until[j, 0], until[j, 1]
            judge(
                low_grade, sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
                load, users, site, until, j,
            )  # fmt: skip
            total[1] += site[j, 0] - old_site[p, 0]
            total[2] += site[j, 1] - old_site[p, 1]
            if sites[j, 0] > 0:
                pace[0, int(old_site[p, 2])] -= 1
                pace[0, int(site[j, 2])] += 1
            if whole:
                for b in range(bands):
                    if hurt[b]:
                        free += lost[b, j]
        broken = total[2] + over(limits, pace)
        new = total[0] + total[1] + weight * broken + penalty * (cut - free)
        counts, was = False, cut
        if measure:
            if new > now and taken < len(rises):
                rises[taken] = new - now
                taken += 1
            good = False
        else:
            # The most that is accepted is drawn first: what is too dear before the cuts are
            # counted need not have them counted.
            limit = now
            if new > now:
                limit = now - heat * np.log(1.0 - uniform(dice))
            good = new <= limit
            if good and whole:
                counts = True
                cut -= free
                for p in range(touched[-1]):
                    j = touched[p]
                    for b in range(bands):
                        if hurt[b]:
                            old_lost[b, p] = lost[b, j]
                            lost[b, j] = count_cut(
                                groups, options, plan, from_first, from_group, to_first, to_option,
                                first, near, home, village, band, idle, passing, excused, astray,
                                sent, years, member, counted, reach, rows, seen, stack, waiting, b, j,
                            )  # fmt: skip
                            cut += lost[b, j]
                new = total[0] + total[1] + weight * broken + penalty * cut
                if new > now and limit == now:
                    limit = now - heat * np.log(1.0 - uniform(dice))
                good = new <= limit
        if good:
            now = new
            taken += 1
            touched[-1] = 0
            if broken < 1e-6 and cut == 0 and total[0] + total[1] < best_value[0] - 1e-6:
                best_value[0] = total[0] + total[1]
                best[:] = plan
            continue
        cut = was
        for p in range(touched[-1]):
            j = touched[p]
            if sites[j, 0] > 0:
                pace[0, int(site[j, 2])] -= 1
                pace[0, int(old_site[p, 2])] += 1
            site[j, 0], site[j, 1], site[j, 2] = old_site[p, 0], old_site[p, 1], old_site[p, 2]
            until[j, 0], until[j, 1] = old_until[p, 0], old_until[p, 1]
            if counts:
                for b in range(bands):
                    if hurt[b]:
                        lost[b, j] = old_lost[b, p]
            mark[j] = True
        swap(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, undo, touched, mark,
        )  # fmt: skip
        for p in range(touched[-1]):
            mark[touched[p]] = False
        touched[-1] = 0
        total[:] = kept
    undo[-1, 0] = 0
    return taken, cut


def anneal(
    c: Table,
    run: Run,
    ground: Ground,
    cuts: Cuts,
    steps: int,
    hot: float,
    cold: float,
    weight: float,
    whole: bool = False,
    penalty: float = 0.0,
) -> tuple[float, int]:
    """Carry out steps while the temperature falls; the best valid plan is kept in ``run``.

    Parameters
    ----------
    c : Table
        Constant arrays.
    run : Run
        State, changed in place.
    ground : Ground
        Who neighbours whom.
    cuts : Cuts
        What is cut off, changed in place.
    steps : int
        Proposals.
    hot, cold : float
        First and last temperature in yuan.
    weight : float
        Yuan of one unit of violation.
    whole : bool
        Whether the best plan must have its catchments in one piece.
    penalty : float
        Yuan of a village-band that is cut off for a year; not read otherwise.

    Returns
    -------
    broken : float
        Violation at the end; 0 when the present plan is valid.
    cut : int
        Village-bands cut off at the end, added up over the years; 0 where that is not asked.
    """
    _, cut = _walk(*c, *run, *ground, *cuts, steps, hot, cold, weight, whole, penalty, np.zeros(0))
    # Sums that run along drift; every round begins from counted ones.
    restart(c, run)
    return float(run.total[2] + over(c.limits, run.pace)), int(cut)


def rises(c: Table, run: Run, ground: Ground, cuts: Cuts, count: int, weight: float) -> Float64:
    """Measure by how much random proposals make the plan dearer; nothing is changed.

    Parameters
    ----------
    c : Table
        Constant arrays.
    run : Run
        State; only its stream of random numbers advances.
    ground, cuts : Ground, Cuts
        Not read here.
    count : int
        Proposals.
    weight : float
        Yuan of one unit of violation.

    Returns
    -------
    (k,) float64
        The rises in yuan.
    """
    out = np.zeros(count)
    seen: Any = _walk(*c, *run, *ground, *cuts, count, 1.0, 1.0, weight, False, 0.0, out)
    return out[: int(seen[0])]
