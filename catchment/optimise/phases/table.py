"""Arrays of the search: the model as plain constants, and what changes while it runs.

The compiled loops take plain arrays, not records: a record of many arrays costs a reference count
for each of them at every call. The names of the arrays are told once, in :class:`Table` and
:class:`Run`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.decode import Decision
from catchment.optimise.phases.tally import count_all

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
    count_all(*c[:20], *run[:7])
