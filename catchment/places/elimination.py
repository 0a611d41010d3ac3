"""Plan by year that brings every class under its limit (大班额消除计划).

Two ways are weighed against each other: students of a cohort go to a neighbour with places within
the travel limit, and rooms are added. Opening a class in a free room costs nothing. A cohort moves
once, when it enters (or, where ``transfers`` allows it, in the first year after today), and stays
until it leaves the stage. Combined classes are left as they are; where one is above its limit, it
is named among what stands in the way. The model is an integer programme; its answer is counted
again in whole numbers by code that knows nothing of the solver.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from catchment.errors import CatchmentError, InputError
from catchment.places.blocked import known_excess, mixed_years, still_above
from catchment.places.ledger import LedgerFacts
from catchment.places.limits import ClassLimits

Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]

MOVE_COLUMNS = ("year", "grade", "from_id", "from_name", "to_id", "to_name", "students")
ROOM_COLUMNS = ("year", "school_id", "school", "rooms")


@dataclass(frozen=True)
class Elimination:
    """A plan that brings classes under their limit, with its certificate.

    Attributes
    ----------
    moves : DataFrame
        ``year, grade, from_id, from_name, to_id, to_name, students``: cohorts sent elsewhere.
    rooms : DataFrame
        ``year, school_id, school, rooms``: rooms to be ready by the year.
    blocked : DataFrame
        ``year, school_id, school, grade, students, excess, reason_zh, reason_en``: every grade
        whose classes stay above the limit, combined classes and schools without a class among
        them; empty where every class can be brought under its limit.
    students : (m, g, t) int64
        Students by site, grade and year under the plan.
    classes : (m, g, t) int64
        Classes to open.
    moved, new_rooms, excess : int
        Students moved, rooms added, students above the limit that remain.
    objective, bound : float
        Moved students plus ``room_weight`` x new rooms, and a proved lower bound of it: no plan of
        moves and rooms that leaves no more excess costs less.
    excess_bound : int
        Proved lower bound of ``excess``: no plan of moves and rooms leaves less.
    status : str
        ``optimal`` where both bounds are reached, else ``feasible``.
    seconds : float
        Time used.
    """

    moves: pd.DataFrame
    rooms: pd.DataFrame
    blocked: pd.DataFrame
    students: Int64
    classes: Int64
    moved: int
    new_rooms: int
    excess: int
    objective: float
    bound: float
    excess_bound: int
    status: str
    seconds: float


@dataclass(frozen=True)
class _Move:
    origin: int
    target: int
    cohort: int
    first: int
    cells: tuple[tuple[int, int], ...]
    most: int
    home: int = -1


def eliminate(
    facts: LedgerFacts,
    *,
    limits: ClassLimits | None = None,
    target: str = "over_standard",
    room_weight: float = 45.0,
    room_limit: npt.ArrayLike | None = None,
    build_years: int = 1,
    transfers: bool = False,
    time_limit: float = 60.0,
) -> Elimination:
    """Bring every class from the second year on under its limit, at the least disruption.

    Parameters
    ----------
    facts : LedgerFacts
        Students, classes, rooms and reach by site.
    limits : ClassLimits, optional
        Limits; the national ones when left out.
    target : {"over_standard", "large", "super_large"}
        The category to be emptied.
    room_weight : float
        How many moved students one new room is worth.
    room_limit : array_like of int, optional
        (m,) most rooms that can be added; no limit when left out.
    build_years : int
        Years from today until a new room can be used.
    transfers : bool
        Whether cohorts already at school may move in the first year after today; otherwise only
        entrants move.
    time_limit : float
        Seconds for all solving.

    Returns
    -------
    Elimination
        The plan. ``status`` is ``optimal`` where both the least excess and the least cost were
        proved.

    Raises
    ------
    InputError
        When ``target`` is not known or a number is negative.
    """
    limits = limits or ClassLimits()
    start = time.perf_counter()
    size = _sizes(facts, limits, target)
    m = len(facts.site_ids)
    most = np.full(m, 10**6) if room_limit is None else np.asarray(room_limit, dtype=np.int64)
    if (most < 0).any() or room_weight < 0 or build_years < 0:
        raise InputError(
            "教室上限、权重、工期应为非负数 / room limit, weight and years must be 0 or more"
        )
    moves = _candidates(facts, size, transfers)
    trouble = _trouble(facts, size)
    built: dict[int, int] = {}
    opened: dict[tuple[int, int, int], int] = {}
    bound, least = 0.0, 0
    proved = True
    chosen: list[tuple[_Move, int]] = []
    parts = _components(m, moves, trouble)
    for part in parts:
        left = max(time_limit - (time.perf_counter() - start), 1.0)
        mine = [x for x in moves if x.origin in part]
        answer = _solve(facts, size, part, mine, most, room_weight, build_years, left / len(parts))
        bound += answer.bound
        least += answer.least
        proved &= answer.optimal
        chosen += [(x, n) for x, n in zip(mine, answer.flow, strict=True) if n]
        opened |= answer.classes
        built |= dict(zip(sorted(part), answer.rooms.tolist(), strict=True))
    students = _apply(facts, chosen)
    inside = {j for part in parts for j in part}
    classes = _count_classes(facts, students, opened, size, inside)
    rooms = _rooms_needed(facts, students, classes, built, parts)
    blocked, excess = still_above(facts, students, classes, size)
    least += known_excess(facts, students, classes, size, set(range(m)) - inside)
    moved = sum(n for _, n in chosen)
    added = int(rooms[:, -1].sum()) if rooms.size else 0
    objective = float(moved + room_weight * added)
    return Elimination(
        moves=_move_table(facts, chosen),
        rooms=_room_table(facts, rooms),
        blocked=blocked,
        students=students,
        classes=classes,
        moved=moved,
        new_rooms=added,
        excess=excess,
        objective=objective,
        bound=bound,
        excess_bound=min(least, excess),
        status="optimal" if proved else "feasible",
        seconds=time.perf_counter() - start,
    )


def _sizes(facts: LedgerFacts, limits: ClassLimits, target: str) -> Int64:
    """Return the most students of a class by grade that is not in the category to be emptied."""
    if target == "over_standard":
        return np.array([limits.standard(g) for g in facts.grades], dtype=np.int64)
    if target in ("large", "super_large"):
        value = limits.large if target == "large" else limits.super_large
        return np.full(len(facts.grades), value - 1, dtype=np.int64)
    raise InputError(
        f"target = {target!r}，应为 over_standard、large、super_large 之一 / must be one of these"
    )


def _trouble(facts: LedgerFacts, size: Int64) -> npt.NDArray[np.bool_]:
    """Return sites where the rooms do not suffice in a year after today (m,)."""
    need = -(-facts.students // size[None, :, None])
    classes = facts.classes
    per_class = -(-facts.students // np.maximum(classes, 1))
    large = (per_class > size[None, :, None]) & (facts.students > 0) & (classes > 0)
    short = (need.sum(axis=1) > facts.rooms) & large.any(axis=1) & ~mixed_years(facts)
    return np.asarray(short[:, 1:].any(axis=1), dtype=bool)


def _stage(facts: LedgerFacts, k: int) -> tuple[int, int]:
    """First and last grade position of the stage of a grade (primary to 6, junior from 7)."""
    primary = [n for n, g in enumerate(facts.grades) if g <= 6]
    junior = [n for n, g in enumerate(facts.grades) if g > 6]
    mine = primary if k in primary else junior
    return mine[0], mine[-1]


def _candidates(facts: LedgerFacts, size: Int64, transfers: bool) -> list[_Move]:
    """Every cohort that may go from a site in trouble to a site within reach."""
    trouble = _trouble(facts, size)
    need = -(-facts.students // size[None, :, None])
    whole = need.sum(axis=1) <= facts.rooms
    mixed = mixed_years(facts)
    years, grades = facts.years, facts.grades
    place = {g: k for k, g in enumerate(grades)}
    out: list[_Move] = []
    for j in np.flatnonzero(trouble):
        for cohort in range(years[0] - grades[-1], years[-1] - grades[0] + 1):
            at = [(t, place[y - cohort]) for t, y in enumerate(years) if t and y - cohort in place]
            for stage in {_stage(facts, k) for _, k in at}:
                cells = [(t, k) for t, k in at if stage[0] <= k <= stage[1]]
                entered = years[0] < cohort + grades[stage[0]]
                if not cells or not (entered or transfers):
                    continue
                for home, n, limit in _from_homes(facts, int(j), cells):
                    able = all(facts.hosted[n, k, t] and not mixed[n, t] for t, k in cells)
                    if n == j or not able or not (whole[n, 1:].all() or trouble[n]):
                        continue
                    if limit:
                        out.append(_Move(int(j), n, cohort, cells[0][0], tuple(cells), limit, home))
    return sorted(out, key=lambda x: (x.origin, x.home, x.target, x.cohort, x.first))


def _from_homes(
    facts: LedgerFacts, j: int, cells: list[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """Where a cohort of a site can go: position of the home (-1 for all), target, most students."""
    first = cells[0][1]
    whole = min(int(facts.students[j, k, t]) for t, k in cells)
    if not facts.homes:
        reach = facts.reach[j, :, first]
        return [(-1, int(n), min(whole, int(reach[n]))) for n in np.flatnonzero(reach > 0)]
    out = []
    for number, home in enumerate(facts.homes):
        if home.site == j:
            most = min(whole, *(int(home.students[k, t]) for t, k in cells))
            out += [(number, int(n), most) for n in np.flatnonzero(home.near[:, first]) if most]
    return out


def _components(
    m: int, moves: list[_Move], trouble: npt.NDArray[np.bool_]
) -> list[tuple[int, ...]]:
    """Return groups of sites that share moves; every group holds a site in trouble."""
    rows, columns = [x.origin for x in moves], [x.target for x in moves]
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(m, m))
    _, label = connected_components(graph, directed=False)
    wanted = sorted(set(label[trouble].tolist()))
    return [tuple(int(j) for j in np.flatnonzero(label == c)) for c in wanted]


@dataclass(frozen=True)
class _Answer:
    flow: tuple[int, ...]
    rooms: Int64
    classes: dict[tuple[int, int, int], int]
    objective: float
    bound: float
    least: int
    optimal: bool


class _Model:
    """Rows and columns of one integer programme, collected before they are solved."""

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.row: list[int] = []
        self.column: list[int] = []
        self.value: list[float] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def variable(self, low: float, high: float) -> int:
        self.lower.append(low)
        self.upper.append(high)
        return len(self.lower) - 1

    def constraint(self, terms: list[tuple[int, float]], low: float, high: float) -> None:
        for column, value in terms:
            self.row.append(len(self.low))
            self.column.append(column)
            self.value.append(value)
        self.low.append(low)
        self.high.append(high)

    def solve(
        self, cost: Float, seconds: float, *, fallback: Float | None = None
    ) -> tuple[Float, float, bool]:
        """Return the answer, its proved bound and whether it is optimal."""
        shape = (len(self.low), len(self.lower))
        matrix = coo_matrix((self.value, (self.row, self.column)), shape=shape).tocsr()
        result = milp(
            cost,
            constraints=LinearConstraint(matrix, self.low, self.high) if self.low else (),
            integrality=np.ones(len(cost)),
            bounds=Bounds(np.array(self.lower), np.array(self.upper)),
            options={"time_limit": max(seconds, 0.5), "mip_rel_gap": 0.0},
        )
        if result.x is None and fallback is not None:
            return fallback, 0.0, False
        if result.x is None:
            raise CatchmentError(
                "消除计划在时限内没有得到可行解，请延长时限 / no plan was found in time; allow more"
            )
        bound = result.mip_dual_bound
        proved = 0.0 if bound is None else float(bound)
        return np.round(result.x), proved, bool(result.status == 0)


def _solve(
    facts: LedgerFacts,
    size: Int64,
    part: tuple[int, ...],
    moves: list[_Move],
    most: Int64,
    room_weight: float,
    build_years: int,
    seconds: float,
) -> _Answer:
    """Least excess first, then least cost at that excess."""
    model = _Model()
    mixed = mixed_years(facts)
    t_max, g = len(facts.years), len(facts.grades)
    flow = [model.variable(0, x.most) for x in moves]
    at = {j: n for n, j in enumerate(sorted(part))}
    rooms = [[model.variable(0, float(most[j])) for _ in range(t_max)] for j in sorted(part)]
    slack: list[int] = []
    opening: list[tuple[int, int, int, int]] = []
    change: dict[tuple[int, int, int], list[tuple[int, float]]] = {}
    coming: dict[tuple[int, int, int], int] = {}
    for x, column in zip(moves, flow, strict=True):
        for t, k in x.cells:
            change.setdefault((x.origin, k, t), []).append((column, -1.0))
            change.setdefault((x.target, k, t), []).append((column, 1.0))
            coming[x.target, k, t] = coming.get((x.target, k, t), 0) + x.most
    for j in sorted(part):
        for t in range(t_max):
            column = rooms[at[j]][t]
            early = facts.years[t] < facts.years[0] + build_years or t == 0
            if early:
                model.constraint([(column, 1.0)], 0, 0)
            if t:
                model.constraint([(column, 1.0), (rooms[at[j]][t - 1], -1.0)], 0, np.inf)
        for t in range(1, t_max):
            opened: list[tuple[int, float]] = []
            # grades that share a class are left as they are: moves can only make them smaller
            for k in range(0 if mixed[j, t] else g):
                terms = change.get((j, k, t), [])
                now = int(facts.students[j, k, t])
                top = now + coming.get((j, k, t), 0)
                if top == 0:
                    continue
                classes = model.variable(0, float(-(-top // int(size[k]))))
                over = model.variable(0, float(top))
                slack.append(over)
                opened.append((classes, 1.0))
                model.constraint(
                    [*terms, (classes, -float(size[k])), (over, -1.0)], -np.inf, -float(now)
                )
                # a grade with students has a class: none is left out to save a room
                model.constraint([*terms, (classes, -float(top))], -np.inf, -float(now))
                opening.append((j, k, t, classes))
                if terms:
                    model.constraint(terms, -float(now), np.inf)
            if opened:
                # grades beyond the rooms keep their one class, as class formation does
                have = max(int(facts.rooms[j, t]), int((facts.students[j, :, t] > 0).sum()))
                model.constraint([*opened, (rooms[at[j]][t], -1.0)], -np.inf, float(have))
    by_cohort: dict[tuple[int, int, int], tuple[_Move, list[int]]] = {}
    by_home: dict[tuple[int, int, int], tuple[_Move, list[int]]] = {}
    for x, column in zip(moves, flow, strict=True):
        by_cohort.setdefault((x.origin, x.cohort, x.first), (x, []))[1].append(column)
        if x.home >= 0:
            by_home.setdefault((x.home, x.cohort, x.first), (x, []))[1].append(column)
    for x, columns in by_cohort.values():
        limit = min(int(facts.students[x.origin, k, t]) for t, k in x.cells)
        model.constraint([(c, 1.0) for c in columns], 0, float(limit))
    # nobody goes to two schools: what a home sends out is no more than live there
    for x, columns in by_home.values():
        model.constraint([(c, 1.0) for c in columns], 0, float(x.most))
    count = len(model.lower)
    excess = np.zeros(count)
    excess[slack] = 1.0
    answer, least, first_done = model.solve(excess, seconds / 2)
    reached = float(answer[slack].sum()) if slack else 0.0
    model.constraint([(c, 1.0) for c in slack], 0, reached)
    cost = np.zeros(count)
    cost[flow] = 1.0
    for row in rooms:
        cost[row[-1]] += room_weight
    answer, bound, done = model.solve(cost, seconds / 2, fallback=answer)
    built = np.array([[int(answer[c]) for c in row] for row in rooms], dtype=np.int64)
    moved = [int(answer[c]) for c in flow]
    objective = float(sum(moved) + room_weight * built[:, -1].sum())
    proved = first_done and done and (least > reached - 0.5)
    return _Answer(
        flow=tuple(moved),
        rooms=built[:, -1],
        classes={(j, k, t): int(answer[c]) for j, k, t, c in opening},
        objective=objective,
        bound=min(bound, objective),
        least=max(0, int(np.ceil(least - 1e-6))),
        optimal=proved,
    )


def _apply(facts: LedgerFacts, chosen: list[tuple[_Move, int]]) -> Int64:
    students = facts.students.astype(np.int64).copy()
    for move, number in chosen:
        for t, k in move.cells:
            students[move.origin, k, t] -= number
            students[move.target, k, t] += number
    if (students < 0).any():
        raise CatchmentError("消除计划不守恒 / students are not conserved")
    return students


def _count_classes(
    facts: LedgerFacts,
    students: Int64,
    opened: dict[tuple[int, int, int], int],
    size: Int64,
    inside: set[int],
) -> Int64:
    """Count classes to open: those of the plan, never more than are needed.

    A school without a way in the plan opens what its own free rooms allow: that disturbs nobody.
    """
    classes = facts.classes.astype(np.int64).copy()
    need = -(-students // size[None, :, None])
    free = (need.sum(axis=1) <= facts.rooms) & ~mixed_years(facts)
    free[sorted(inside)] = False
    free[:, 0] = False
    classes = np.where(free[:, None, :], np.maximum(classes, need), classes)
    for (j, k, t), number in opened.items():
        classes[j, k, t] = min(number, -(-int(students[j, k, t]) // int(size[k])))
    return classes


def _rooms_needed(
    facts: LedgerFacts,
    students: Int64,
    classes: Int64,
    built: dict[int, int],
    parts: list[tuple[int, ...]],
) -> Int64:
    """Rooms to add by year, as late as they may be; checked against what was to be built."""
    rooms = np.zeros(facts.rooms.shape, dtype=np.int64)
    for j in sorted(x for part in parts for x in part):
        have = np.maximum(facts.rooms[j, 1:], (facts.students[j, :, 1:] > 0).sum(axis=0))
        short = np.maximum(classes[j, :, 1:].sum(axis=0) - have, 0)
        rooms[j, 1:] = np.maximum.accumulate(short)
        if rooms[j].max(initial=0) > built[j]:
            raise CatchmentError("消除计划的教室数不一致 / rooms of the plan do not agree")
    return rooms


def _move_table(facts: LedgerFacts, chosen: list[tuple[_Move, int]]) -> pd.DataFrame:
    rows = [
        (
            *_when(facts, x),
            facts.site_ids[x.origin],
            facts.site_names[x.origin],
            facts.site_ids[x.target],
            facts.site_names[x.target],
            n,
        )
        for x, n in chosen
    ]
    table = pd.DataFrame(rows, columns=list(MOVE_COLUMNS))
    names = [c for c in MOVE_COLUMNS if c != "students"]
    whole = pd.DataFrame(table.groupby(names, as_index=False, sort=True)["students"].sum())
    return whole.sort_values(["year", "from_id", "grade", "to_id"], ignore_index=True)


def _when(facts: LedgerFacts, move: _Move) -> tuple[int, int]:
    """Year and grade in which a cohort goes elsewhere: on entry, or else in the first year."""
    t, k = move.cells[0]
    grade = facts.grades[_stage(facts, k)[0]]
    entry = move.cohort + grade
    return (entry, grade) if entry > facts.years[0] else (facts.years[t], facts.grades[k])


def _room_table(facts: LedgerFacts, rooms: Int64) -> pd.DataFrame:
    rows = []
    for j in range(rooms.shape[0]):
        before = 0
        for t in range(rooms.shape[1]):
            if rooms[j, t] > before:
                more = int(rooms[j, t]) - before
                rows.append((facts.years[t], facts.site_ids[j], facts.site_names[j], more))
                before = int(rooms[j, t])
    table = pd.DataFrame(rows, columns=list(ROOM_COLUMNS))
    return table.sort_values(["year", "school_id"], ignore_index=True)
