"""Search by annealing: villages move, years shift, whole schools close, shrink, stay or open.

The compiled loops take plain arrays, not records: a record of many arrays costs a reference count
for each of them at every call. The names of the arrays are told once, in :class:`Table` and
:class:`Run`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from catchment.optimise.dice import below, uniform
from catchment.optimise.phases.combined import fewest_classes
from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.decode import Decision

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Table(NamedTuple):
    """Constant arrays (n groups, o options, m sites, g grades, t years).

    Attributes
    ----------
    groups : (n, 7) int32
        Site today, first grade, last grade plus one, first option, last option plus one, last year
        with students, whether the group may stay for good.
    options : (o, 2) int32
        Site and group.
    students : (n, g, t) int32
        Students.
    uses, option_uses : (n, t), (o, t) bool
        Whether the trip is boarding.
    allowed : (o, t) bool
        Years in which an option may be taken.
    go, stay : (o, t), (n,) float64
        Yuan of trips and move by option and year, and of staying.
    moved : (n, t) int64
        Students who change school if the group moves in the year.
    lag : (g,) int32
        Years until a grade follows.
    kind : (n, m) bool
        Whether the group needs more than the site's lowest band.
    low_grade : (m, g) bool
        Grades of the site's lowest band.
    sites : (m, 7) int64
        State today, whether a teaching point is allowed, exempt from the least size, bands, most
        students of a combined class, first and last plus one of the lowest band's grades.
    limits_of_state : (2, m, t) int8
        Lowest and highest state.
    cap : (7, m, t) int64
        Rooms without building; beds, seats, nap places, students of a site that has children who
        moved to it; least students of the lowest band's grades and of the others where they are
        taught.
    extra : (4, m) int64
        Rooms, beds, seats, nap places that may be added.
    class_size : (m, g) int32
        Class size.
    yuan : (6, t) float64
        One class, further band, added room, bed, seat, nap place.
    rent : (m, t) float64
        Running a site, and opening it where it is closed today.
    limits : (6,) int64
        Least size, its first year, closures and moved students a year, closures in all, whether
        what a site keeps is asked only of those open in the last year.
    from_first, from_group : (m + 1,), (k,) int32
        Groups whose site today it is.
    to_first, to_option : (m + 1,), (o,) int32
        Options that lead to the site.
    choosers, changeable : (k,) int32
        Groups with a choice, sites that a choice touches.
    """

    groups: Int32
    options: Int32
    students: Int32
    uses: Bool
    option_uses: Bool
    allowed: Bool
    go: Float64
    stay: Float64
    moved: Int64
    lag: Int32
    kind: Bool
    low_grade: Bool
    sites: Int64
    limits_of_state: npt.NDArray[np.int8]
    cap: Int64
    extra: Int64
    class_size: Int32
    yuan: Float64
    rent: Float64
    limits: Int64
    from_first: Int32
    from_group: Int32
    to_first: Int32
    to_option: Int32
    choosers: Int32
    changeable: Int32


class Run(NamedTuple):
    """What changes during the search; every array is changed in place.

    Attributes
    ----------
    plan : (2, n) int32
        Option (-1 = stays) and year of every group.
    load : (m, g, t) int64
        Students.
    users : (2, m, t) int64
        Students who have moved here, and boarders.
    site : (m, 3) float64
        Cost, violation and closing year of every site.
    until : (m, 2) int32
        Year until which (a working site) or from which (any other) each state holds.
    total : (3,) float64
        Yuan of trips, yuan of sites, violation of sites.
    pace : (2, t + 1) int64
        Sites closed and students moved by year.
    dice : (1,) uint64
        Stream of random numbers.
    undo : (n + 1, 3) int32
        Changed groups with their old decision; how many stands in the last row.
    touched : (m + 1,) int32
        Sites changed; how many stands last.
    old_site, old_until : (m, 3), (m, 2)
        Their old verdicts.
    mark : (m,) bool
        Whether a site is in ``touched``.
    best : (2, n) int32
        Best valid plan.
    best_value : (1,) float64
        Its yuan without the first year, inf if there is none yet.
    """

    plan: Int32
    load: Int64
    users: Int64
    site: Float64
    until: Int32
    total: Float64
    pace: Int64
    dice: npt.NDArray[np.uint64]
    undo: Int32
    touched: Int32
    old_site: Float64
    old_until: Int32
    mark: Bool
    best: Int32
    best_value: Float64


def tabulate(model: Model) -> Table:
    """Lay the model out for the compiled loops.

    Parameters
    ----------
    model : Model
        The compiled question.

    Returns
    -------
    Table
        Constant arrays.
    """
    n, grades, years = model.students.shape
    m = len(model.low)
    has = np.asarray(model.students.any(axis=2), dtype=bool)
    begin_grade = np.where(has.any(axis=1), has.argmax(axis=1), 0)
    end_grade = np.where(has.any(axis=1), grades - has[:, ::-1].argmax(axis=1), 0)
    owner = np.repeat(np.arange(n), np.diff(model.first)).astype(np.int32)
    present = model.students.sum(axis=1) > 0
    year = np.arange(years)
    allowed = (
        present[owner]
        & (year[None, :] >= model.earliest[:, None])
        & (year[None, :] <= np.minimum(model.last, model.latest)[owner][:, None])
    )
    low_grade = model.low_grade
    first_grade = np.where(low_grade.any(axis=1), low_grade.argmax(axis=1), 0)
    last_grade = first_grade + low_grade.sum(axis=1)
    moved = model.students[:, model.lag == 0].sum(axis=1).astype(np.int64)
    go, stay = _values(model, owner, moved)
    served = np.flatnonzero(model.today >= 0)
    order = served[np.argsort(model.today[served], kind="stable")]
    by_site = np.argsort(model.site, kind="stable")
    choosers = np.unique(owner[allowed.any(axis=1)])
    reached = np.zeros(m, dtype=bool)
    at_home = choosers[model.today[choosers] >= 0]
    reached[model.today[at_home]] = True
    reached[model.site] = True
    can_stay = model.latest >= years
    return Table(
        groups=np.column_stack(
            (
                model.today,
                begin_grade,
                end_grade,
                model.first[:-1],
                model.first[1:],
                model.last,
                can_stay,
            )
        ).astype(np.int32),
        options=np.column_stack([model.site, owner]).astype(np.int32).reshape(-1, 2),
        students=np.ascontiguousarray(model.students, dtype=np.int32),
        uses=np.ascontiguousarray(model.stay_boards),
        option_uses=np.ascontiguousarray(model.go_boards),
        allowed=allowed,
        go=go,
        stay=stay,
        moved=moved,
        lag=model.lag.astype(np.int32),
        kind=np.ascontiguousarray(model.kind),
        low_grade=low_grade,
        sites=np.column_stack(
            (
                model.was,
                model.downgrade,
                model.exempt,
                model.bands,
                model.together,
                first_grade,
                last_grade,
            )
        ).astype(np.int64),
        limits_of_state=np.stack([model.at_least, model.at_most]),
        cap=np.stack(
            [
                model.cap_rooms,
                model.cap_beds,
                model.cap_seats,
                model.cap_naps,
                model.cap_size,
                *model.keeps,
            ]
        ),
        extra=model.extra,
        class_size=model.class_size,
        yuan=np.vstack(
            (
                model.class_cost,
                model.band_cost,
                *(u * model.weight for u in model.unit),
            )
        ),
        rent=model.rent,
        limits=np.array(
            (
                model.min_size,
                model.min_from,
                model.closures,
                model.moved,
                model.closures_total,
                model.finish,
            ),
            dtype=np.int64,
        ),
        from_first=np.searchsorted(model.today[order], np.arange(m + 1)).astype(np.int32),
        from_group=order.astype(np.int32),
        to_first=np.searchsorted(model.site[by_site], np.arange(m + 1)).astype(np.int32),
        to_option=by_site.astype(np.int32),
        choosers=choosers.astype(np.int32),
        changeable=np.flatnonzero(reached).astype(np.int32),
    )


def heaviest(table: Table) -> float:
    """Yuan of the dearest single thing: a class, a site or a further band in one year.

    Parameters
    ----------
    table : Table
        Constant arrays.

    Returns
    -------
    float
        1 at least.
    """
    return max(float(table.yuan[:2].max()), float(table.rent.max(initial=0.0)), 1.0)


def _values(model: Model, owner: Int32, moved: Int64) -> tuple[Float64, Float64]:
    """Yuan of every option by year of the move, and of staying, trips and move together."""
    count, years = len(owner), model.at_least.shape[1]
    go = np.zeros((count, years))
    stay = (model.students.sum(axis=1)[:, 1:] * model.stay_cost[:, 1:]).sum(axis=1)
    for g in range(model.students.shape[1]):
        lag = int(model.lag[g])
        at_home = model.students[:, g] * model.stay_cost
        at_home[:, 0] = 0.0
        before = np.cumsum(np.pad(at_home, ((0, 0), (1, 0))), axis=1)
        away = np.pad(model.students[owner, g] * model.go_cost, ((0, 0), (0, 1)))
        after = np.cumsum(away[:, ::-1], axis=1)[:, ::-1]
        for when in range(1, years):
            turn = min(when + lag, years)
            go[:, when] += before[owner, turn] + after[:, turn]
    counted = np.where(model.today[owner] >= 0, 1.0, 0.0)[:, None]
    return go + moved[owner] * model.move_cost[None, :] * counted, stay


def begin(c: Table, decision: Decision, stream: npt.NDArray[np.uint64]) -> Run:
    """Set the search up at given decisions.

    Parameters
    ----------
    c : Table
        Constant arrays.
    decision : Decision
        Options and years.
    stream : (1,) uint64
        Stream of random numbers.

    Returns
    -------
    Run
        The state of the search.
    """
    n, grades, years = c.students.shape
    m = len(c.sites)
    run = Run(
        plan=np.stack(decision).astype(np.int32),
        load=np.zeros((m, grades, years), dtype=np.int64),
        users=np.zeros((2, m, years), dtype=np.int64),
        site=np.zeros((m, 3)),
        until=np.zeros((m, 2), dtype=np.int32),
        total=np.zeros(3),
        pace=np.zeros((2, years + 1), dtype=np.int64),
        dice=stream,
        undo=np.zeros((n + 1, 3), dtype=np.int32),
        touched=np.zeros(m + 1, dtype=np.int32),
        old_site=np.zeros((m, 3)),
        old_until=np.zeros((m, 2), dtype=np.int32),
        mark=np.zeros(m, dtype=np.bool_),
        best=np.stack(decision).astype(np.int32),
        best_value=np.array([np.inf]),
    )
    restart(c, run)
    return run


def restart(c: Table, run: Run) -> None:
    """Count everything anew from the decisions in ``run.plan``.

    Parameters
    ----------
    c : Table
        Constant arrays.
    run : Run
        State, changed in place.
    """
    _count(*c[:20], *run[:7])


@njit(cache=True)
def _count(  # type: ignore[no-untyped-def]
    groups, options, students, uses, option_uses, allowed, go, stay, moved, lag, kind, low_grade,
    sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
    plan, load, users, site, until, total, pace,
):  # fmt: skip
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
        _judge(
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
def _judge(  # type: ignore[no-untyped-def]
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
def _over(limits, pace):  # type: ignore[no-untyped-def]
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
def _wish(undo, plan, i, o, when):  # type: ignore[no-untyped-def]
    """Note a change of one decision; a group changes once a proposal."""
    k = undo[-1, 0]
    for p in range(k):
        if undo[p, 0] == i:
            return
    undo[k, 0], undo[k, 1], undo[k, 2] = i, o, when
    undo[-1, 0] = k + 1


@njit(cache=True)
def _swap(  # type: ignore[no-untyped-def]
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


@njit(cache=True)
def _is_open(groups, kind, sites, until, years, i, j):  # type: ignore[no-untyped-def]
    """Whether a site teaches the group's band as long as the group has students."""
    level = 1 if kind[i, j] else 0
    if sites[j, 0] > level:
        return until[j, level] >= groups[i, 5]
    return until[j, level] < years


@njit(cache=True)
def _some_year(allowed, o, wish):  # type: ignore[no-untyped-def]
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
        when = _some_year(allowed, o, wish)
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
            _wish(undo, plan, i, -1, years)
            return
    if chosen >= 0:
        _wish(undo, plan, i, chosen, year)


@njit(cache=True)
def _one_village(groups, options, allowed, kind, sites, choosers, plan, until, dice, undo):  # type: ignore[no-untyped-def]
    i = choosers[below(dice, len(choosers))]
    years = allowed.shape[1]
    pick = below(dice, groups[i, 4] - groups[i, 3] + 1)
    if pick == groups[i, 4] - groups[i, 3]:
        if groups[i, 6] and plan[0, i] >= 0:
            _wish(undo, plan, i, -1, years)
        return
    o = groups[i, 3] + pick
    if uniform(dice) < 0.9 and not _is_open(groups, kind, sites, until, years, i, options[o, 0]):
        return
    wish = plan[1, i] if plan[0, i] >= 0 else 1 + below(dice, years - 1)
    when = _some_year(allowed, o, wish)
    if when and (o != plan[0, i] or when != plan[1, i]):
        _wish(undo, plan, i, o, when)


@njit(cache=True)
def _one_year(allowed, choosers, plan, dice, undo):  # type: ignore[no-untyped-def]
    i = choosers[below(dice, len(choosers))]
    o, years = plan[0, i], allowed.shape[1]
    if o < 0:
        return
    wish = 1 + below(dice, years - 1)
    if uniform(dice) < 0.5:
        wish = plan[1, i] + (1 if uniform(dice) < 0.5 else -1)
    if 1 <= wish < years and wish != plan[1, i] and allowed[o, wish]:
        _wish(undo, plan, i, o, wish)


@njit(cache=True)
def _school(  # type: ignore[no-untyped-def]
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
                when = _some_year(allowed, o, wish)
                if when:
                    _wish(undo, plan, i, o, when)
        elif what == 2 and o >= 0 and groups[i, 6]:
            _wish(undo, plan, i, -1, years)
        elif what == 3 and o >= 0:
            when = _some_year(allowed, o, wish)
            if when and when != plan[1, i]:
                _wish(undo, plan, i, o, when)
    if what == 2 or what == 3:
        return
    for p in range(to_first[j], to_first[j + 1]):
        o = to_option[p]
        i = options[o, 1]
        if what == 4:
            if plan[0, i] == o or (only >= 0 and only != kind[i, j]):
                continue
            now = stay[i] if plan[0, i] < 0 else go[plan[0, i], plan[1, i]]
            when = _some_year(allowed, o, wish if plan[0, i] < 0 else plan[1, i])
            if when and go[o, when] < now and uniform(dice) < 0.7:
                _wish(undo, plan, i, o, when)
        elif plan[0, i] == o and (what == 0 or kind[i, j]):
            _send(
                groups, options, allowed, go, stay, kind, sites, plan, until, dice, undo,
                i, j, plan[1, i],
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    groups, options, students, uses, option_uses, allowed, go, stay, moved, lag, kind, low_grade,
    sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
    from_first, from_group, to_first, to_option, choosers, changeable,
    plan, load, users, site, until, total, pace, dice, undo, touched, old_site, old_until, mark,
    best, best_value, steps, hot, cold, weight, rises,
):  # fmt: skip
    """Propose, judge, accept or take back; with ``rises`` given, measure and always take back."""
    kept, taken, measure = np.zeros(3), 0, len(rises) > 0
    if len(choosers) == 0:
        steps = 0
    fall = (cold / hot) ** (1.0 / max(steps, 1))
    heat = hot
    broken = total[2] + _over(limits, pace)
    now = total[0] + total[1] + weight * broken
    if broken < 1e-6 and total[0] + total[1] < best_value[0] - 1e-6:
        best_value[0] = total[0] + total[1]
        best[:] = plan
    for _ in range(steps):
        heat *= fall
        kept[:] = total
        undo[-1, 0] = 0
        choice = uniform(dice)
        if choice < 0.64:
            _one_village(groups, options, allowed, kind, sites, choosers, plan, until, dice, undo)
        elif choice < 0.86:
            _one_year(allowed, choosers, plan, dice, undo)
        else:
            what = 0 if choice < 0.90 else 1 if choice < 0.92 else 2 if choice < 0.95 else 3
            if choice >= 0.985:
                what = 4
            _school(
                groups, options, allowed, go, stay, kind, sites, from_first, from_group, to_first,
                to_option, changeable, plan, until, dice, undo, what,
            )  # fmt: skip
        if undo[-1, 0] == 0:
            continue
        _swap(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, undo, touched, mark,
        )  # fmt: skip
        for p in range(touched[-1]):
            j = touched[p]
            mark[j] = False
            old_site[p, 0], old_site[p, 1], old_site[p, 2] = site[j, 0], site[j, 1], site[j, 2]
            old_until[p, 0], old_until[p, 1] = until[j, 0], until[j, 1]
            _judge(
                low_grade, sites, limits_of_state, cap, extra, class_size, yuan, rent, limits,
                load, users, site, until, j,
            )  # fmt: skip
            total[1] += site[j, 0] - old_site[p, 0]
            total[2] += site[j, 1] - old_site[p, 1]
            if sites[j, 0] > 0:
                pace[0, int(old_site[p, 2])] -= 1
                pace[0, int(site[j, 2])] += 1
        broken = total[2] + _over(limits, pace)
        new = total[0] + total[1] + weight * broken
        if measure:
            if new > now and taken < len(rises):
                rises[taken] = new - now
                taken += 1
            good = False
        else:
            good = new <= now or uniform(dice) < np.exp((now - new) / heat)
        if good:
            now = new
            taken += 1
            touched[-1] = 0
            if broken < 1e-6 and total[0] + total[1] < best_value[0] - 1e-6:
                best_value[0] = total[0] + total[1]
                best[:] = plan
            continue
        for p in range(touched[-1]):
            j = touched[p]
            if sites[j, 0] > 0:
                pace[0, int(site[j, 2])] -= 1
                pace[0, int(old_site[p, 2])] += 1
            site[j, 0], site[j, 1], site[j, 2] = old_site[p, 0], old_site[p, 1], old_site[p, 2]
            until[j, 0], until[j, 1] = old_until[p, 0], old_until[p, 1]
            mark[j] = True
        _swap(
            groups, options, students, uses, option_uses, go, stay, moved, lag,
            plan, load, users, total, pace, undo, touched, mark,
        )  # fmt: skip
        for p in range(touched[-1]):
            mark[touched[p]] = False
        touched[-1] = 0
        total[:] = kept
    undo[-1, 0] = 0
    return taken


def anneal(c: Table, run: Run, steps: int, hot: float, cold: float, weight: float) -> float:
    """Carry out steps while the temperature falls; the best valid plan is kept in ``run``.

    Parameters
    ----------
    c : Table
        Constant arrays.
    run : Run
        State, changed in place.
    steps : int
        Proposals.
    hot, cold : float
        First and last temperature in yuan.
    weight : float
        Yuan of one unit of violation.

    Returns
    -------
    float
        Violation at the end; 0 when the present plan is valid.
    """
    _walk(*c, *run, steps, hot, cold, weight, np.zeros(0))
    # Sums that run along drift; every round begins from counted ones.
    restart(c, run)
    return float(run.total[2] + _over(c.limits, run.pace))


def rises(c: Table, run: Run, count: int, weight: float) -> Float64:
    """Measure by how much random proposals make the plan dearer; nothing is changed.

    Parameters
    ----------
    c : Table
        Constant arrays.
    run : Run
        State; only its stream of random numbers advances.
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
    seen: Any = _walk(*c, *run, count, 1.0, 1.0, weight, out)
    return out[: int(seen)]
