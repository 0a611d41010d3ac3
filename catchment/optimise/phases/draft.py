"""Columns of the consolidation model, and its rows as matrix and as text."""

from __future__ import annotations

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


def emptied_from(draft: Draft, j: int) -> int:
    """Return the first year from which nobody that is held needs a working site.

    Parameters
    ----------
    draft : Draft
        Columns, with who is held.
    j : int
        Site.

    Returns
    -------
    int
        Year; the number of years where it is always needed.
    """
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
    t = emptied_from(draft, j)
    if model.was[j] < LOWEST or t >= draft.years or model.at_most[j, t] < LOWEST:
        return False
    small = bool(model.min_size) and t >= model.min_from and not model.exempt[j]
    # Of today's children a site that is open keeps some; where they finish, only in the last year.
    emptied = model.keeps[0, j, t] > 0 and not model.finish
    return not (small or emptied)


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
