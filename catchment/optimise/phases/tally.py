"""What a plan costs and breaks, counted anew or carried along change by change.

The compiled functions bear no types: the compiler infers them from the arrays that
:mod:`catchment.optimise.phases.table` names once for all of them, and would read none written here.
"""

from __future__ import annotations

from numba import njit

from catchment.optimise.phases.combined import fewest_classes


@njit(cache=True)
def count_all(  # type: ignore[no-untyped-def]
    groups, options, students, uses, option_uses, allowed, go, stay, moved, lag, kind, low_grade,
    sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
    plan, load, users, site, until, total, pace,
):  # fmt: skip
    """Count everything anew from the decisions."""
    load[:] = 0
    users[:] = 0
    total[:] = 0.0
    pace[:] = 0
    for i in range(len(groups)):
        _enter(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, i, 1,
        )  # fmt: skip
    years = students.shape[2]
    for j in range(len(sites)):
        judge(
            low_grade, sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
            load, users, site, until, j,
        )  # fmt: skip
        total[1] += site[j, 0]
        total[2] += site[j, 1]
        if sites[j, 0] > 0 and site[j, 2] < years:
            pace[0, int(site[j, 2])] += 1


@njit(cache=True)
def _enter(  # type: ignore[no-untyped-def]
    groups, options, students, uses, option_uses, go, stay, moved, lag,
    plan, load, users, total, pace, i, sign,
):  # fmt: skip
    """Add (or take away) what the present decision about a group brings."""
    years = students.shape[2]
    o, when, home = plan[0, i], plan[1, i], groups[i, 0]
    if o >= 0:
        total[0] += sign * go[o, when]
        if home >= 0:
            pace[1, when] += sign * moved[i, when]
    else:
        total[0] += sign * stay[i]
    for g in range(groups[i, 1], groups[i, 2]):
        turn = years if o < 0 else min(when + lag[g], years)
        if home >= 0:
            for t in range(1, turn):
                count = sign * students[i, g, t]
                load[home, g, t] += count
                if uses[i, t]:
                    users[1, home, t] += count
        if o >= 0:
            j = options[o, 0]
            for t in range(turn, years):
                count = sign * students[i, g, t]
                load[j, g, t] += count
                users[0, j, t] += count
                if option_uses[o, t]:
                    users[1, j, t] += count


@njit(cache=True)
def judge(  # type: ignore[no-untyped-def]
    low_grade, sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
    load, users, site, until, j,
):  # fmt: skip
    """Cost, violation and closing year of one site as it is loaded now."""
    grades, years = load.shape[1], load.shape[2]
    was, shrinks = sites[j, 0], sites[j, 1] > 0
    low_from, low_to, full_from, full_to = years, 0, years, 0
    for t in range(1, years):
        low, full = limits_of_state[0, j, t] >= 1, limits_of_state[0, j, t] >= 2
        for g in range(grades):
            if load[j, g, t] > 0:
                low = True
                if not low_grade[j, g]:
                    full = True
        if low:
            low_from, low_to = min(low_from, t), t
        if full:
            full_from, full_to = min(full_from, t), t
    if was == 2 and not shrinks:
        full_to = max(full_to, low_to)
    if was == 1 and full_from < years:
        low_to = years - 1
    until[j, 0] = low_to if was >= 1 else low_from
    until[j, 1] = full_to if was == 2 else full_from
    cost, broken, closes = 0.0, 0.0, years
    rooms, beds, seats, naps = 0, 0, 0, 0
    for t in range(1, years):
        low = t <= low_to if was >= 1 else t >= low_from
        full = t <= full_to if was == 2 else t >= full_from
        if not low and closes == years:
            closes = t
        state = 0
        if low:
            state = 2 if full else 1
            cost += rent[j, t]
            if full:
                cost += yuan[1, t] * (sites[j, 3] - 1)
        if state > limits_of_state[1, j, t]:
            broken += 3.0
        classes, size, lowest = 0, 0, 0
        for g in range(grades):
            here = load[j, g, t]
            if here > 0:
                classes += (here + class_size[j, g] - 1) // class_size[j, g]
                size += here
                if low_grade[j, g]:
                    lowest += here
        if was >= 1 and (low_to == years - 1 or (low and not limits[5])):
            broken += max(0, cap[5, j, t] - lowest) / 5.0
        if was == 2 and (full_to == years - 1 or (full and not limits[5])):
            broken += max(0, cap[6, j, t] - (size - lowest)) / 5.0
        if state == 1 and classes > 1 and sites[j, 4] > 1:
            a, b = sites[j, 5], sites[j, 6]
            classes = fewest_classes(load[j, a:b, t], class_size[j, a:b], sites[j, 4])
        cost += classes * yuan[0, t]
        rooms = max(rooms, classes - cap[0, j, t])
        # Where nobody has moved to, today's children alone are there: nothing more is asked.
        moved_here = users[0, j, t]
        if moved_here > 0:
            beds = max(beds, users[1, j, t] - cap[1, j, t])
            seats = max(seats, size - cap[2, j, t])
            naps = max(naps, moved_here - cap[3, j, t])
            broken += max(0, size - cap[4, j, t]) / 10.0
        cost += rooms * yuan[2, t] + beds * yuan[3, t] + seats * yuan[4, t] + naps * yuan[5, t]
        broken += max(0, rooms - extra[0, j])
        broken += max(0, beds - extra[1, j]) / 10.0
        broken += max(0, seats - extra[2, j]) / 20.0
        broken += max(0, naps - extra[3, j]) / 20.0
        if low and t >= limits[1] and not sites[j, 2]:
            broken += max(0, limits[0] - size) / 5.0
    site[j, 0], site[j, 1], site[j, 2] = cost, broken, closes


@njit(cache=True)
def over(limits, pace):  # type: ignore[no-untyped-def]
    """How far closures and moves are above their yearly limits."""
    out, closed = 0.0, 0
    for t in range(1, pace.shape[1]):
        if t < pace.shape[1] - 1:
            closed += pace[0, t]
        out += 3.0 * max(0, pace[0, t] - limits[2]) * (t < pace.shape[1] - 1)
        out += max(0, pace[1, t] - limits[3]) / 10.0
    return out + 3.0 * max(0, closed - limits[4])


@njit(cache=True)
def _touch(groups, options, plan, touched, mark, i):  # type: ignore[no-untyped-def]
    j = groups[i, 0]
    if j >= 0 and not mark[j]:
        mark[j] = True
        touched[touched[-1]] = j
        touched[-1] += 1
    if plan[0, i] >= 0:
        j = options[plan[0, i], 0]
        if not mark[j]:
            mark[j] = True
            touched[touched[-1]] = j
            touched[-1] += 1


@njit(cache=True)
def note(undo, plan, i, o, when):  # type: ignore[no-untyped-def]
    """Note a change of one decision; a group changes once a proposal."""
    k = undo[-1, 0]
    for p in range(k):
        if undo[p, 0] == i:
            return
    undo[k, 0], undo[k, 1], undo[k, 2] = i, o, when
    undo[-1, 0] = k + 1


@njit(cache=True)
def swap(  # type: ignore[no-untyped-def]
    groups, options, students, uses, option_uses, go, stay, moved, lag,
    plan, load, users, total, pace, undo, touched, mark,
):  # fmt: skip
    """Exchange noted and present decisions; a second call brings the old ones back."""
    for k in range(undo[-1, 0]):
        i = undo[k, 0]
        _touch(groups, options, plan, touched, mark, i)
        _enter(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, i, -1,
        )  # fmt: skip
        o, when = plan[0, i], plan[1, i]
        plan[0, i], plan[1, i] = undo[k, 1], undo[k, 2]
        undo[k, 1], undo[k, 2] = o, when
        _enter(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, i, 1,
        )  # fmt: skip
        _touch(groups, options, plan, touched, mark, i)
