"""The consolidation model as linear rows: one function a constraint block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise.phases.compile import UNLIMITED, Model
from catchment.optimise.phases.decode import Decision
from catchment.optimise.phases.question import ALL, LOWEST
from catchment.problem import Bool

Term = tuple[int, float]
Terms = list[Term]


@dataclass(frozen=True)
class Row:
    """One constraint: ``lower <= sum of terms <= upper``.

    Attributes
    ----------
    name : str
        Block and indices.
    terms : list of (int, float)
        Columns and coefficients.
    lower, upper : float
        Limits, infinite for none.
    """

    name: str
    terms: Terms
    lower: float
    upper: float


@dataclass
class Draft:
    """Columns under construction, and what groups that are not free bring along.

    Attributes
    ----------
    model : Model
        The compiled question.
    free : (n,) bool
        Groups whose decision is open.
    names, cost, lower, upper, whole : list
        Columns.
    move : dict
        (group, option, year) to column.
    stay : dict
        Group to column.
    """

    model: Model
    free: Bool
    held: Decision
    names: list[str] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    stay: dict[int, int] = field(default_factory=dict)
    move: dict[tuple[int, int, int], int] = field(default_factory=dict)
    low: dict[tuple[int, int], int] = field(default_factory=dict)
    full: dict[tuple[int, int], int] = field(default_factory=dict)
    classes: dict[tuple[int, int, int], int] = field(default_factory=dict)
    shared: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    added: tuple[dict[tuple[int, int], int], ...] = ()
    load: dict[tuple[int, int, int], Terms] = field(default_factory=dict)
    base: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.int64))
    arrivals: dict[tuple[int, int], Terms] = field(default_factory=dict)
    boards: dict[tuple[int, int], Terms] = field(default_factory=dict)
    base_arrivals: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 0), dtype=np.int64)
    )
    base_boards: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 0), dtype=np.int64)
    )
    receives: dict[tuple[int, int], int] = field(default_factory=dict)
    base_open: dict[tuple[int, int, int], bool] = field(default_factory=dict)
    base_moved: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    constant: float = 0.0
    sites: tuple[int, ...] = ()

    @property
    def years(self) -> int:
        """Number of years."""
        return int(self.model.at_least.shape[1])

    def column(self, name: str, cost: float, lower: float, upper: float, whole: bool = True) -> int:
        """Add a column.

        Parameters
        ----------
        name : str
            Name in the text of the model.
        cost : float
            Yuan.
        lower, upper : float
            Limits.
        whole : bool
            Whether it takes whole numbers only.

        Returns
        -------
        int
            Its position.
        """
        self.names.append(name)
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.names) - 1


def present(model: Model, i: int, t: int) -> tuple[int, int]:
    """Lags of the first and of the last grade of a group with students in a year.

    Parameters
    ----------
    model : Model
        The model.
    i, t : int
        Group and year.

    Returns
    -------
    tuple of int
        Least and most lag, (-1, -1) without students.
    """
    lags = model.lag[model.students[i, :, t] > 0]
    return (int(lags.min()), int(lags.max())) if len(lags) else (-1, -1)


def move_years(model: Model, i: int, o: int) -> list[int]:
    """Years in which a group may move to an option.

    Parameters
    ----------
    model : Model
        The model.
    i, o : int
        Group and option.

    Returns
    -------
    list of int
        Years with students, from the option's first to the last the group may wait for.
    """
    last = min(int(model.last[i]), int(model.latest[i]))
    has = model.students[i].sum(axis=0) > 0
    return [t for t in range(int(model.earliest[o]), last + 1) if has[t]]


def move_value(model: Model, i: int, o: int, when: int) -> float:
    """Yuan of all trips of a group that moves, and of the move itself.

    Parameters
    ----------
    model : Model
        The model.
    i, o, when : int
        Group, option and year; option -1 for staying.

    Returns
    -------
    float
        Yuan from the second year on.
    """
    years = model.at_least.shape[1]
    total = 0.0
    for g in np.flatnonzero(model.students[i].any(axis=1)):
        count = model.students[i, g]
        turn = years if o < 0 else min(when + int(model.lag[g]), years)
        total += float(count[1:turn] @ model.stay_cost[i, 1:turn])
        if o >= 0:
            total += float(count[turn:] @ model.go_cost[o, turn:])
    if o >= 0 and model.today[i] >= 0:
        total += moved_students(model, i, when) * float(model.move_cost[when])
    return total


def moved_students(model: Model, i: int, when: int) -> int:
    """Students who change school when a group moves.

    Parameters
    ----------
    model : Model
        The model.
    i, when : int
        Group and year.

    Returns
    -------
    int
        All of the group, or its entrants where current students finish.
    """
    mine = np.flatnonzero(model.students[i].any(axis=1))
    if not model.lag.any():
        return int(model.students[i, mine, when].sum())
    # Entrants are the first grade of the band, whether or not it has students in other years.
    return int(model.students[i, model.lag == 0, when].sum())


def lay_out(model: Model, free: Bool, held: Decision) -> Draft:
    """Columns of all decisions about the free groups and the sites they touch.

    Parameters
    ----------
    model : Model
        The model.
    free : (n,) bool
        Groups whose decision is open.
    held : Decision
        Decisions of the others.

    Returns
    -------
    Draft
        Columns, and the students they bring to every site.
    """
    draft = Draft(model, free, held)
    m, years = model.at_least.shape
    draft.base = np.zeros((m, model.students.shape[1], years), dtype=np.int64)
    draft.base_arrivals = np.zeros((m, years), dtype=np.int64)
    draft.base_boards = np.zeros((m, years), dtype=np.int64)
    draft.base_moved = np.zeros(years, dtype=np.int64)
    draft.constant = model.fixed_cost
    touched: set[int] = set()
    for i in range(len(free)):
        if free[i]:
            touched |= _choices(draft, i)
        else:
            _hold(draft, i)
    if model.closures < UNLIMITED or model.closures_total < UNLIMITED:
        touched |= {j for j in range(m) if _may_wait(draft, j)}
    draft.sites = tuple(
        j for j in range(m) if model.low[j] >= 0 and (j in touched or bool(free.all()))
    )
    _site_columns(draft)
    return draft


def _choices(draft: Draft, i: int) -> set[int]:
    model = draft.model
    touched = set()
    if model.last[i] < 1:
        draft.constant += move_value(model, i, -1, 0)
        _brings(draft, i, -1, draft.years, None)
        return {int(model.today[i])} if model.today[i] >= 0 else set()
    stays = 1.0 if model.latest[i] >= draft.years else 0.0
    column = draft.column(f"stay[{i}]", move_value(model, i, -1, 0), 0.0, stays)
    draft.stay[i] = column
    _brings(draft, i, -1, draft.years, column)
    if model.today[i] >= 0:
        touched.add(int(model.today[i]))
    for o in range(model.first[i], model.first[i + 1]):
        for when in move_years(model, i, o):
            name = f"move[{i},{model.site[o]},{when}]"
            column = draft.column(name, move_value(model, i, o, when), 0.0, 1.0)
            draft.move[i, o, when] = column
            _brings(draft, i, o, when, column)
            touched.add(int(model.site[o]))
    return touched


def _hold(draft: Draft, i: int) -> None:
    model = draft.model
    o, when = int(draft.held[0][i]), int(draft.held[1][i])
    draft.constant += move_value(model, i, o, when)
    _brings(draft, i, o, when, None)
    if o >= 0 and model.today[i] >= 0:
        draft.base_moved[when] += moved_students(model, i, when)


def _brings(draft: Draft, i: int, o: int, when: int, column: int | None) -> None:
    """Enter the students of one decision at the sites where they are, year by year."""
    model = draft.model
    home = int(model.today[i])
    for g in np.flatnonzero(model.students[i].any(axis=1)):
        for t in range(1, draft.years):
            count = int(model.students[i, g, t])
            moved = o >= 0 and t >= when + int(model.lag[g])
            j = int(model.site[o]) if moved else home
            if not count or j < 0:
                continue
            boards = bool(model.go_boards[o, t] if moved else model.stay_boards[i, t])
            if column is None:
                draft.base[j, g, t] += count
                draft.base_arrivals[j, t] += count * moved
                draft.base_boards[j, t] += count * boards
                draft.base_open[j, LOWEST, t] = True
                if model.kind[i, j]:
                    draft.base_open[j, ALL, t] = True
                continue
            draft.load.setdefault((j, int(g), t), []).append((column, float(count)))
            if moved:
                draft.arrivals.setdefault((j, t), []).append((column, float(count)))
            if boards:
                draft.boards.setdefault((j, t), []).append((column, float(count)))


BUILT = ("rooms", "beds", "seats", "naps")
"""What can be added to a site, in order."""


def _site_columns(draft: Draft) -> None:
    model = draft.model
    added: tuple[dict[tuple[int, int], int], ...] = tuple({} for _ in BUILT)
    for j in draft.sites:
        for t in range(1, draft.years):
            least, most = int(model.at_least[j, t]), int(model.at_most[j, t])
            opening = float(model.rent[j, t])
            held = draft.base_open.get((j, LOWEST, t), False)
            draft.low[j, t] = draft.column(
                f"low[{j},{t}]", opening, float(least >= LOWEST or held), float(most >= LOWEST)
            )
            more = float(model.band_cost[t]) * (int(model.bands[j]) - 1)
            held = draft.base_open.get((j, ALL, t), False)
            several = model.bands[j] > 1 and most == ALL
            draft.full[j, t] = draft.column(
                f"full[{j},{t}]", more, float(least == ALL or held), float(several)
            )
            for g in range(model.students.shape[1]):
                if (j, g, t) in draft.load or draft.base[j, g, t]:
                    draft.classes[j, g, t] = draft.column(
                        f"classes[{j},{g},{t}]", float(model.class_cost[t]), 0.0, np.inf
                    )
            _shared_columns(draft, j, t)
            if (j, t) in draft.arrivals or draft.base_arrivals[j, t]:
                here = float(draft.base_arrivals[j, t] > 0)
                draft.receives[j, t] = draft.column(f"receives[{j},{t}]", 0.0, here, 1.0, False)
            for k, name in enumerate(BUILT):
                yuan = float(model.unit[k] * model.weight[t])
                limit = float(model.extra[k, j])
                added[k][j, t] = draft.column(f"{name}[{j},{t}]", yuan, 0.0, limit, False)
    draft.added = added


def _shared_columns(draft: Draft, j: int, t: int) -> None:
    """One column for every run of neighbouring grades that may share a class (复式班)."""
    model = draft.model
    always_full = model.was[j] == ALL and not model.downgrade[j] and model.bands[j] > 1
    if model.together[j] < 1 or always_full or draft.lower[draft.full[j, t]] > 0:
        return
    taught = [g for g in np.flatnonzero(model.low_grade[j]) if (j, int(g), t) in draft.classes]
    for k, first in enumerate(taught):
        for last in taught[k + 1 :]:
            draft.shared[j, int(first), int(last), t] = draft.column(
                f"shared[{j},{first}-{last},{t}]", float(model.class_cost[t]), 0.0, 1.0
            )


def serve(draft: Draft) -> Iterator[Row]:
    """Every group stays or moves once."""
    terms: dict[int, Terms] = {i: [(column, 1.0)] for i, column in draft.stay.items()}
    for (i, _, _), column in draft.move.items():
        terms[i].append((column, 1.0))
    for i, here in terms.items():
        yield Row(f"serve[{i}]", here, 1.0, 1.0)


def stay_open(draft: Draft) -> Iterator[Row]:
    """Where students stay, their band is taught."""
    model = draft.model
    by_group: dict[int, list[tuple[int, int]]] = {}
    for (i, _, when), c in draft.move.items():
        by_group.setdefault(i, []).append((when, c))
    for i, column in draft.stay.items():
        s = int(model.today[i])
        if s < 0:
            continue
        state = draft.full if model.kind[i, s] else draft.low
        for t in range(1, draft.years):
            _, lag = present(model, i, t)
            if lag < 0:
                continue
            later = [(c, 1.0) for when, c in by_group.get(i, []) if when > t - lag]
            yield Row(
                f"stay_open[{i},{t}]", [(column, 1.0), *later, (state[s, t], -1.0)], -np.inf, 0.0
            )


def move_open(draft: Draft) -> Iterator[Row]:
    """Where students move to, their band is taught."""
    model = draft.model
    by_option: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (i, o, when), c in draft.move.items():
        by_option.setdefault((i, o), []).append((when, c))
    for (i, o), moves in by_option.items():
        j = int(model.site[o])
        needed = ALL if model.kind[i, j] else LOWEST
        state = draft.full if needed == ALL else draft.low
        years = [t for t in range(1, draft.years) if present(model, i, t)[0] >= 0]
        # A working site that teaches the band in the last year has taught it all the time.
        if model.was[j] >= needed:
            years = years[-1:]
        for t in years:
            lag, _ = present(model, i, t)
            here = [(c, 1.0) for when, c in moves if when <= t - lag]
            if here:
                yield Row(f"move_open[{i},{j},{t}]", [*here, (state[j, t], -1.0)], -np.inf, 0.0)


def states(draft: Draft) -> Iterator[Row]:
    """All bands only with the lowest; a teaching point only where that is allowed."""
    model = draft.model
    for j in draft.sites:
        equal = not model.downgrade[j] and model.was[j] == ALL
        for t in range(1, draft.years):
            pair = [(draft.low[j, t], 1.0), (draft.full[j, t], -1.0)]
            yield Row(f"states[{j},{t}]", pair, 0.0, 0.0 if equal else np.inf)


def one_way(draft: Draft) -> Iterator[Row]:
    """Let a working site only give up bands, another site only take them up."""
    model = draft.model
    for j in draft.sites:
        for name, state, working in (
            ("low", draft.low, model.was[j] >= LOWEST),
            ("full", draft.full, model.was[j] == ALL),
        ):
            for t in range(2, draft.years):
                pair = [(state[j, t - 1], 1.0), (state[j, t], -1.0)]
                lower, upper = (0.0, np.inf) if working else (-np.inf, 0.0)
                yield Row(f"one_way[{name},{j},{t}]", pair, lower, upper)


def classes(draft: Draft) -> Iterator[Row]:
    """Whole classes, or a combined one, hold all students of a grade."""
    over = _sharing(draft)
    for (j, g, t), column in draft.classes.items():
        size = float(draft.model.class_size[j, g])
        minus = [(c, -v) for c, v in draft.load.get((j, g, t), [])]
        joined = [(c, float(draft.model.together[j])) for c in over.get((j, g, t), [])]
        yield Row(
            f"classes[{j},{g},{t}]",
            [(column, size), *joined, *minus],
            float(draft.base[j, g, t]),
            np.inf,
        )


def _sharing(draft: Draft) -> dict[tuple[int, int, int], list[int]]:
    """Columns of the combined classes that a grade may be in."""
    out: dict[tuple[int, int, int], list[int]] = {}
    for (j, first, last, t), column in draft.shared.items():
        for g in range(first, last + 1):
            out.setdefault((j, g, t), []).append(column)
    return out


def combined(draft: Draft) -> Iterator[Row]:
    """Let grades share a class at teaching points alone, each in one at most, none too large."""
    model = draft.model
    for (j, g, t), columns in _sharing(draft).items():
        terms = [(c, 1.0) for c in columns]
        point = [(draft.low[j, t], -1.0), (draft.full[j, t], 1.0)]
        yield Row(f"combined[{j},{g},{t}]", [*terms, *point], -np.inf, 0.0)
    for (j, first, last, t), column in draft.shared.items():
        terms = [x for g in range(first, last + 1) for x in draft.load.get((j, g, t), [])]
        there = float(draft.base[j, first : last + 1, t].sum())
        spare = there + sum(v for _, v in terms) - float(model.together[j])
        if spare > 0:
            full = [*terms, (column, spare)]
            limit = float(model.together[j]) + spare - there
            yield Row(f"combined[{j},{first}-{last},{t}]", full, -np.inf, limit)


def rooms(draft: Draft) -> Iterator[Row]:
    """Every class has a room: there already, lacking already today, or built the year before."""
    model = draft.model
    shared: dict[tuple[int, int], list[int]] = {}
    for (j, _, _, t), column in draft.shared.items():
        shared.setdefault((j, t), []).append(column)
    for j in draft.sites:
        for t in range(1, draft.years):
            terms = [
                (draft.classes[j, g, t], 1.0)
                for g in range(model.students.shape[1])
                if (j, g, t) in draft.classes
            ]
            if terms:
                terms += [(c, 1.0) for c in shared.get((j, t), [])]
                terms.append((draft.added[0][j, t], -1.0))
                yield Row(f"rooms[{j},{t}]", terms, -np.inf, float(model.cap_rooms[j, t]))


def receiving(draft: Draft) -> Iterator[Row]:
    """Whoever moves makes the site one that receives, in every year in which they are there."""
    here: dict[tuple[int, int, int, int], set[int]] = {}
    owner = {c: (i, o) for (i, o, _), c in draft.move.items()}
    for (j, t), terms in draft.arrivals.items():
        for column, _ in terms:
            here.setdefault((*owner[column], j, t), set()).add(column)
    for (i, _, j, t), columns in here.items():
        terms = [(c, 1.0) for c in sorted(columns)]
        # A grade that follows later is there only with one that came before.
        yield Row(f"receiving[{i},{j},{t}]", [*terms, (draft.receives[j, t], -1.0)], -np.inf, 0.0)


def beds(draft: Draft) -> Iterator[Row]:
    """Every boarder has a bed where children have moved to."""
    model = draft.model
    yield from _needed(draft, "beds", 1, draft.boards, draft.base_boards, model.keep_beds)


def seats(draft: Draft) -> Iterator[Row]:
    """Everyone has a dining seat where children have moved to and the seats are known."""
    everyone: dict[tuple[int, int], Terms] = {}
    for (j, _, t), terms in draft.load.items():
        everyone.setdefault((j, t), []).extend(terms)
    base = draft.base.sum(axis=1)
    yield from _needed(draft, "seats", 2, everyone, base, draft.model.keep_size)


def naps(draft: Draft) -> Iterator[Row]:
    """Whoever has moved has a nap place, where the places are known."""
    nobody = np.zeros_like(draft.model.keep_size)
    yield from _needed(draft, "naps", 3, draft.arrivals, draft.base_arrivals, nobody)


def _needed(
    draft: Draft,
    name: str,
    k: int,
    users: dict[tuple[int, int], Terms],
    base: npt.NDArray[np.int64],
    keep: npt.NDArray[np.int64],
) -> Iterator[Row]:
    """Places for all users of a site that receives; what today's alone lack is let go elsewhere."""
    model = draft.model
    cap = (model.cap_rooms, model.cap_beds, model.cap_seats, model.cap_naps)[k]
    for (j, t), receives in draft.receives.items():
        terms = users.get((j, t), [])
        if (not terms and not base[j, t]) or cap[j, t] >= UNLIMITED:
            continue
        lacking = float(max(keep[j, t] - cap[j, t], 0))
        if lacking:
            terms = [*terms, (receives, lacking)]
        free = float(cap[j, t] - base[j, t]) + lacking
        yield Row(f"{name}[{j},{t}]", [*terms, (draft.added[k][j, t], -1.0)], -np.inf, free)


def lasting(draft: Draft) -> Iterator[Row]:
    """Keep what is built."""
    for name, columns in zip(BUILT, draft.added, strict=True):
        for j in draft.sites:
            for t in range(2, draft.years):
                pair = [(columns[j, t - 1], 1.0), (columns[j, t], -1.0)]
                yield Row(f"lasting[{name},{j},{t}]", pair, -np.inf, 0.0)


def sizes(draft: Draft) -> Iterator[Row]:
    """No site that receives is too large, none that is not protected smaller than the least."""
    model = draft.model
    for j in draft.sites:
        for t in range(1, draft.years):
            grades = range(model.students.shape[1])
            terms = [x for g in grades for x in draft.load.get((j, g, t), [])]
            there = float(draft.base[j, :, t].sum())
            if (j, t) in draft.receives:
                beyond = float(max(model.keep_size[j, t] - model.cap_size[j, t], 0))
                limit = float(model.cap_size[j, t]) - there
                if sum(v for _, v in terms) > limit:
                    more = [(draft.receives[j, t], beyond)] if beyond else []
                    yield Row(f"largest[{j},{t}]", [*terms, *more], -np.inf, limit + beyond)
            if model.min_size and t >= model.min_from and not model.exempt[j]:
                open_now = (draft.low[j, t], -float(model.min_size))
                yield Row(f"smallest[{j},{t}]", [*terms, open_now], -there, np.inf)


def kept(draft: Draft) -> Iterator[Row]:
    """Keep part of today's children where a working school still teaches them."""
    model = draft.model
    finish = model.finish
    for j in draft.sites:
        for part, state, working in (
            (0, draft.low, model.was[j] >= LOWEST),
            (1, draft.full, model.was[j] == ALL),
        ):
            grades = np.flatnonzero(model.low_grade[j] == (part == 0))
            for t in range(1, draft.years):
                least = float(model.keeps[part, j, t])
                if not working or least <= 0:
                    continue
                terms = [x for g in grades for x in draft.load.get((j, int(g), t), [])]
                there = float(draft.base[j, grades, t].sum())
                taught = (state[j, draft.years - 1 if finish else t], -least)
                yield Row(f"kept[{part},{j},{t}]", [*terms, taught], -there, np.inf)


def closures(draft: Draft) -> Iterator[Row]:
    """At most so many sites close in a year, and over all years."""
    model = draft.model
    working = [j for j in draft.sites if model.was[j] >= LOWEST]
    others = _held_closures(draft)
    for t in range(1, draft.years):
        terms = [(draft.low[j, t], -1.0) for j in working]
        already = 0.0
        if t > 1:
            terms += [(draft.low[j, t - 1], 1.0) for j in working]
        else:
            already = float(len(working))
        if terms:
            upper = model.closures - already - float(others[t])
            if model.closures < UNLIMITED:
                yield Row(f"closures[{t}]", terms, -np.inf, upper)
    if model.closures_total < UNLIMITED and working:
        terms = [(draft.low[j, draft.years - 1], -1.0) for j in working]
        upper = float(model.closures_total - len(working) - others.sum())
        yield Row("closures[all]", terms, -np.inf, upper)


def _held_closures(draft: Draft) -> npt.NDArray[np.int64]:
    """Closures of sites that have no columns: they close as soon as nobody is there."""
    model = draft.model
    out = np.zeros(draft.years, dtype=np.int64)
    if draft.free.all():
        return out
    mine = set(draft.sites)
    for j in np.flatnonzero(model.was >= LOWEST):
        end = _emptied(draft, int(j))
        if int(j) not in mine and end < draft.years:
            out[end] += 1
    return out


def _emptied(draft: Draft, j: int) -> int:
    """First year from which none of those held needs a working site; the number of years if any."""
    used = [
        t
        for t in range(1, draft.years)
        if draft.base_open.get((j, LOWEST, t), False) or draft.model.at_least[j, t] >= LOWEST
    ]
    return (max(used) if used else 0) + 1


def _may_wait(draft: Draft, j: int) -> bool:
    """Whether a working site that is empty may stay open all the same, so that others close first.

    Where few sites may close, that is a choice, and the site needs its columns.
    """
    model = draft.model
    t = _emptied(draft, j)
    if model.was[j] < LOWEST or t >= draft.years or model.at_most[j, t] < LOWEST:
        return False
    small = bool(model.min_size) and t >= model.min_from and not model.exempt[j]
    # Of today's children a site that is open keeps some; where they finish, only in the last year.
    emptied = model.keeps[0, j, t] > 0 and not model.finish
    return not (small or emptied)


def moved(draft: Draft) -> Iterator[Row]:
    """At most so many students change school in a year."""
    model = draft.model
    if model.moved >= UNLIMITED:
        return
    for t in range(1, draft.years):
        terms = [
            (c, float(moved_students(model, i, t)))
            for (i, _, when), c in draft.move.items()
            if when == t and model.today[i] >= 0
        ]
        if terms:
            yield Row(f"moved[{t}]", terms, -np.inf, float(model.moved - draft.base_moved[t]))


BLOCKS: dict[str, Callable[[Draft], Iterator[Row]]] = {
    "serve": serve,
    "stay_open": stay_open,
    "move_open": move_open,
    "states": states,
    "one_way": one_way,
    "classes": classes,
    "combined": combined,
    "rooms": rooms,
    "receiving": receiving,
    "beds": beds,
    "seats": seats,
    "naps": naps,
    "lasting": lasting,
    "sizes": sizes,
    "kept": kept,
    "closures": closures,
    "moved": moved,
}
"""All constraint blocks by name, in the order of the model."""


def matrix(
    draft: Draft, rows: list[Row]
) -> tuple[csr_matrix, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rows as a sparse matrix with limits.

    Parameters
    ----------
    draft : Draft
        Columns.
    rows : list of Row
        Rows.

    Returns
    -------
    matrix, lower, upper
        Coefficients (rows x columns) and limits.
    """
    count = np.array([len(r.terms) for r in rows], dtype=np.int64)
    columns = np.array([c for r in rows for c, _ in r.terms], dtype=np.int64)
    values = np.array([v for r in rows for _, v in r.terms], dtype=np.float64)
    start = np.concatenate([[0], np.cumsum(count)])
    table = csr_matrix((values, columns, start), shape=(len(rows), len(draft.names)))
    table.sum_duplicates()
    return table, np.array([r.lower for r in rows]), np.array([r.upper for r in rows])


def lp_text(draft: Draft, rows: list[Row]) -> str:
    """Rows and the columns in them as text, one line each, for people and for golden tests.

    Parameters
    ----------
    draft : Draft
        Columns.
    rows : list of Row
        Rows.

    Returns
    -------
    str
        Lines ``name: terms <= limit``, then the columns with cost and limits.
    """
    lines, used = [], set()
    for row in rows:
        total: dict[int, float] = {}
        for c, v in row.terms:
            total[c] = total.get(c, 0.0) + v
        used |= set(total)
        text = " ".join(f"{v:+g} {draft.names[c]}" for c, v in sorted(total.items()))
        if row.lower == row.upper:
            lines.append(f"{row.name}: {text} = {row.lower + 0.0:g}")
        elif np.isfinite(row.lower):
            lines.append(f"{row.name}: {text} >= {row.lower + 0.0:g}")
        else:
            lines.append(f"{row.name}: {text} <= {row.upper + 0.0:g}")
    lines.append("columns")
    for c in sorted(used):
        kind = "whole" if draft.whole[c] else "real"
        lines.append(
            f"{draft.names[c]}: cost {draft.cost[c]:.2f} from {draft.lower[c]:g} "
            f"to {draft.upper[c]:g} {kind}"
        )
    return "\n".join(lines) + "\n"
