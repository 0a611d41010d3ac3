"""Catchments with what planners add: villages together or apart, and a least size of schools.

What the search for catchments takes by itself (pairs that must not be, most students, dearer
trips) stays with it. Villages that belong together are one unit of that search. A least size and
villages kept apart it does not know: where its plan breaks one, an exact model mends it, catchments
being made connected by cuts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise import assignment
from catchment.optimise.contiguity import adjacency
from catchment.optimise.milp import solve_milp
from catchment.optimise.solution import Status

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]

EXACT_PAIRS = 1_000
"""Up to so many pairs of unit and site the model is solved to the end."""
NODES = 1_000
"""Nodes of one solution of the model beyond that."""
GAP = 2e-3
"""Relative gap at which a larger model may stop."""
CIRCLES = 4
"""Circles of catchments around a broken wish in which a larger plan is mended."""
ROUNDS, FEW_ROUNDS = 300, 25
"""Times that cuts are added at most, and in one circle of a larger plan."""


@dataclass(frozen=True)
class Asked:
    """What planners ask of the catchments of one band and year, by row and site.

    Attributes
    ----------
    least : (m,) float64
        Fewest students of each site, 0 = no matter.
    together : tuple of tuple of int
        Rows that go to one site.
    apart : tuple of tuple of int
        Rows of which no two go to one site.
    """

    least: Float64
    together: tuple[tuple[int, ...], ...] = ()
    apart: tuple[tuple[int, ...], ...] = ()

    def binds(self) -> bool:
        """Say whether anything is asked.

        Returns
        -------
        bool
            False where the plain search does.
        """
        return bool(self.together or self.apart or (self.least > 0).any())


@dataclass(frozen=True)
class Drawn:
    """Catchments, or why there are none.

    Attributes
    ----------
    site_of : (n,) int32
        Site of each row; all -1 without a plan.
    status : {"optimal", "feasible", "infeasible", "unknown"}
        ``infeasible`` is proved, ``unknown`` means that none was found.
    reason : str
        Of the search, in positions.
    seconds : float
        Time taken.
    timed_out : bool
        Whether the clock ended the search.
    """

    site_of: Int32
    status: Status
    reason: str
    seconds: float
    timed_out: bool


def draw(
    cost: Float64,
    demand: Float64,
    room: Float64,
    neighbours: csr_matrix,
    home: Int32,
    asked: Asked,
    *,
    time_limit: float,
    seed: int = 0,
    work: float = np.inf,
    prove: bool = True,
) -> Drawn:
    """Draw connected catchments within the places that also do what is asked.

    Parameters
    ----------
    cost, demand, room, neighbours, home
        As of :func:`catchment.optimise.assignment.districts` (``room`` are its capacities).
    asked : Asked
        What planners ask beyond it.
    time_limit, seed, work
        As of the same function.
    prove : bool
        Whether a small instance in which the search finds no plan is solved to the end.

    Returns
    -------
    Drawn
        A plan in which all is kept, or none.
    """
    began = time.perf_counter()
    unit = _merged(len(demand), asked.together)
    torn = _torn(unit, cost, room, home)
    if torn:
        none = np.full(len(demand), -1, dtype=np.int32)
        return Drawn(none, "infeasible", torn, time.perf_counter() - began, timed_out=False)
    cost_u, demand_u, touching, home_u = _of_units(unit, cost, demand, neighbours, home)
    found = assignment.districts(
        cost_u, demand_u, room, touching, home_u, time_limit=time_limit, seed=seed, work=work
    )
    site = np.asarray(found.site_of, dtype=np.int32)
    status: Status = found.status
    late, reason = found.timed_out, found.reason
    whole = status in ("optimal", "feasible") and bool((site >= 0).all())
    apart = [tuple(int(unit[i]) for i in rows) for rows in asked.apart]
    if status != "infeasible" and not (whole and _keeps(site, demand_u, asked.least, apart)):
        small = int(np.isfinite(cost_u).sum()) <= EXACT_PAIRS
        left = max(time_limit - (time.perf_counter() - began), 1.0)
        model = _Model(cost_u, demand_u, room, touching, home_u, asked.least, apart)
        if whole and not small:
            site, status = _mended(model, site, left, seed)
        elif small and (whole or prove):
            site, status = _exact(model, left, seed)
        else:
            site, status = np.full(len(site), -1, dtype=np.int32), "unknown"
        late = late or (status == "unknown" and time.perf_counter() - began > time_limit)
    elif status != "infeasible" and asked.binds() and status == "optimal":
        status = "feasible"  # the bound of the merged units is not one of the villages
    return Drawn(site[unit], status, reason, time.perf_counter() - began, late)


def _merged(n: int, together: Iterable[Sequence[int]]) -> Int32:
    """Return the unit of each row; rows that belong together share one."""
    head = list(range(n))

    def top(i: int) -> int:
        while head[i] != i:
            i = head[i]
        return i

    for rows in together:
        first = min(top(i) for i in rows)
        for i in rows:
            head[top(i)] = first
    _, unit = np.unique([top(i) for i in range(n)], return_inverse=True)
    return np.asarray(unit, dtype=np.int32).reshape(-1)


def _torn(unit: Int32, cost: Float64, room: Float64, home: Int32) -> str:
    """Name schools whose own villages are put together with what cannot go there."""
    own: dict[int, tuple[int, int]] = {}
    for j in np.flatnonzero((home >= 0) & (room > 0)).tolist():
        i = int(home[j])
        mates = np.flatnonzero(unit == unit[i])
        if not np.isfinite(cost[i, j]) or len(mates) == 1:
            continue
        stuck = mates[~np.isfinite(cost[mates, j])]
        if len(stuck):
            return (
                f"单元 {i} 是学校 {j} 所在村，与之同校的单元 {stuck[0]} 不可到该校 / "
                f"unit {i} is the home of site {j}, and unit {stuck[0]}, kept with it, may not go there"
            )
        other, k = own.setdefault(int(unit[i]), (i, j))
        if other != i:
            return (
                f"单元 {other}、{i} 分别是学校 {k}、{j} 所在村，不能同校 / "
                f"units {other} and {i} are the homes of sites {k} and {j} and cannot be kept together"
            )
    return ""


def _of_units(
    unit: Int32, cost: Float64, demand: Float64, neighbours: csr_matrix, home: Int32
) -> tuple[Float64, Float64, csr_matrix, Int32]:
    """Cost of one student, demand, neighbours and homes of units of several rows."""
    count = int(unit.max(initial=-1)) + 1
    if count == len(unit):
        return cost, demand, neighbours, home
    total: Float64 = np.bincount(unit, demand, count).astype(np.float64)
    size = np.bincount(unit, minlength=count)
    # a unit nobody lives in counts each of its villages alike
    weight = np.where(total[unit] > 0, demand, 1.0) / np.where(total > 0, total, size)[unit]
    some = np.where(np.isfinite(cost), cost, 0.0)
    out = np.zeros((count, cost.shape[1]))
    np.add.at(out, unit, some * weight[:, None])
    barred = np.zeros(out.shape, dtype=bool)
    np.logical_or.at(barred, unit, ~np.isfinite(cost))
    out[barred] = np.inf
    pairs = neighbours.tocoo()
    a, b = unit[pairs.row], unit[pairs.col]
    keep = (a != b) & pairs.data.astype(bool)
    touching = csr_matrix(
        (np.ones(int(keep.sum()), dtype=np.bool_), (a[keep], b[keep])), shape=(count, count)
    )
    touching.sum_duplicates()
    homes = np.where(home >= 0, unit[np.maximum(home, 0)], -1).astype(np.int32)
    return out, total, touching.astype(np.bool_), homes


def _keeps(site: Int32, demand: Float64, least: Float64, apart: Sequence[Sequence[int]]) -> bool:
    load = np.bincount(site[site >= 0], demand[site >= 0], len(least))
    split = all(len(set(site[list(rows)].tolist())) == len(rows) for rows in apart)
    return split and bool((load >= least).all())


class _Model:
    """Rows and columns of the exact model of one band and year."""

    def __init__(
        self,
        cost: Float64,
        demand: Float64,
        room: Float64,
        neighbours: csr_matrix,
        home: Int32,
        least: Float64,
        apart: Sequence[Sequence[int]],
    ) -> None:
        n, m = cost.shape
        usable = np.isfinite(cost) & (room > 0)[None, :]
        self.given = (cost, demand, room, neighbours, home, least, apart)
        self.home = np.full(m, -1, dtype=np.int32)
        own = np.full(n, -1, dtype=np.int32)
        for j in range(m):
            i = int(home[j])
            if i >= 0 and usable[i, j] and (own[i] < 0 or cost[i, j] < cost[i, own[i]]):
                own[i] = j
        for i in np.flatnonzero(own >= 0).tolist():
            usable[i] = np.arange(m) == own[i]
            self.home[own[i]] = i
        self.unit, self.site = np.nonzero(usable)
        self.column = np.full((n, m), -1, dtype=np.int64)
        self.column[self.unit, self.site] = np.arange(len(self.unit))
        trifle = 1e-6 * float(demand[demand > 0].mean()) if (demand > 0).any() else 1.0
        self.weight = np.maximum(demand, trifle)[self.unit] * cost[self.unit, self.site]
        self.indptr, self.indices = adjacency(neighbours, n)
        self.count = n
        self.small = len(self.unit) <= EXACT_PAIRS
        self.rows: list[tuple[list[int], list[float], float, float]] = []
        self._fill(demand, room, least, apart)

    def _fill(
        self, demand: Float64, room: Float64, least: Float64, apart: Sequence[Sequence[int]]
    ) -> None:
        for i in range(self.count):
            columns = self.column[i][self.column[i] >= 0].tolist()
            self.rows.append((columns, [1.0] * len(columns), 1.0, 1.0))
        for j in range(len(room)):
            units = np.flatnonzero(self.column[:, j] >= 0)
            columns = self.column[units, j].tolist()
            if columns or least[j] > 0:
                self.rows.append((columns, demand[units].tolist(), float(least[j]), float(room[j])))
            for rows in apart:
                both = [int(self.column[u, j]) for u in rows if self.column[u, j] >= 0]
                if len(both) > 1:
                    self.rows.append((both, [1.0] * len(both), -np.inf, 1.0))
                if len(set(rows)) < len(rows):  # put together and kept apart at once
                    self.rows.append(([], [], 1.0, 1.0))

    def matrix(self) -> tuple[csr_matrix, Float64, Float64]:
        """Rows as the solver takes them."""
        at = [k for k, row in enumerate(self.rows) for _ in row[0]]
        column = [c for row in self.rows for c in row[0]]
        value = [x for row in self.rows for x in row[1]]
        table = csr_matrix((value, (at, column)), shape=(len(self.rows), len(self.unit)))
        return table, np.array([r[2] for r in self.rows]), np.array([r[3] for r in self.rows])

    def cut(self, site: Int32) -> bool:
        """Add rows against parts that do not hang together; say whether any was needed."""
        before = len(self.rows)
        for j in np.unique(site):
            parts = self._parts(np.flatnonzero(site == j))
            home = int(self.home[j])
            main = max(parts, key=lambda part: (home in part, len(part), -min(part)))
            for part in parts:
                if part is not main:
                    self._forbid(part, int(j), home if home >= 0 else min(main))
        return len(self.rows) > before

    def _parts(self, members: npt.NDArray[np.intp]) -> list[set[int]]:
        left, parts = set(members.tolist()), []
        while left:
            queue = [min(left)]
            part = set(queue)
            while queue:
                i = queue.pop()
                for k in self.indices[self.indptr[i] : self.indptr[i + 1]].tolist():
                    if k in left and k not in part:
                        part.add(k)
                        queue.append(k)
            left -= part
            parts.append(part)
        return parts

    def _forbid(self, part: set[int], j: int, root: int) -> None:
        """Allow each unit of a part, beside the root, only with a unit that borders on the part."""
        ring = {
            k for i in part for k in self.indices[self.indptr[i] : self.indptr[i + 1]].tolist()
        } - part
        bridge = sorted(int(self.column[k, j]) for k in ring if self.column[k, j] >= 0)
        for i in sorted(part):
            columns = [int(self.column[i, j]), int(self.column[root, j]), *bridge]
            self.rows.append((columns, [1.0, 1.0] + [-1.0] * len(bridge), -np.inf, 1.0))

    def among(self, units: npt.NDArray[np.intp], sites: npt.NDArray[np.intp]) -> _Model:
        """Pose the same question for some units and sites alone, all others left as they are."""
        cost, demand, room, neighbours, home, least, apart = self.given
        row = {int(i): k for k, i in enumerate(units)}
        own = np.array([row.get(int(home[j]), -1) for j in sites], dtype=np.int32)
        sets = [tuple(row[i] for i in each if i in row) for each in apart]
        return _Model(
            cost[np.ix_(units, sites)],
            demand[units],
            room[sites],
            neighbours[units][:, units],
            own,
            least[sites],
            [each for each in sets if len(each) > 1],
        )


def _mended(model: _Model, site: Int32, time_limit: float, seed: int) -> tuple[Int32, Status]:
    """Mend a plan around the sites that break a wish, in ever wider circles of catchments."""
    _, demand, room, neighbours, _, least, apart = model.given
    until = time.perf_counter() + time_limit
    pairs = neighbours.tocoo()
    load = np.bincount(site, demand, len(room))
    bad = {int(j) for j in np.flatnonzero(load < least)}
    for each in apart:
        there = site[list(each)].tolist()
        bad |= {j for j in there if there.count(j) > 1}
    circle = bad
    for _ in range(CIRCLES):
        ends = np.column_stack([site[pairs.row], site[pairs.col]])
        wider = circle | {int(b) for a, b in ends.tolist() if a in circle}
        # a school without children touches nothing: those of its own village are around it
        wider |= {int(site[h]) for j in circle if (h := int(model.home[j])) >= 0}
        if wider == circle:
            break
        circle = wider
        sites = np.array(sorted(circle), dtype=np.intp)
        units = np.flatnonzero(np.isin(site, sites))
        part, status = _exact(
            model.among(units, sites), until - time.perf_counter(), seed, FEW_ROUNDS
        )
        if status in ("optimal", "feasible"):
            out = site.copy()
            out[units] = sites[part]
            return out, "feasible"
    return np.full(len(site), -1, dtype=np.int32), "unknown"


def _exact(
    model: _Model, time_limit: float, seed: int, rounds: int = ROUNDS
) -> tuple[Int32, Status]:
    """Solve the model, adding cuts until every catchment hangs together."""
    none = np.full(model.count, -1, dtype=np.int32)
    until = time.perf_counter() + time_limit
    proved = True
    for _ in range(rounds):
        table, lower, upper = model.matrix()
        if not len(model.unit):
            return none, "infeasible"
        answer = solve_milp(
            model.weight, table, lower, upper,
            upper=1.0, integer=np.ones(len(model.unit), dtype=bool),
            time_limit=max(until - time.perf_counter(), 0.0),
            gap=0.0 if model.small else GAP, seed=seed,
            options={} if model.small else {"mip_max_nodes": NODES},
        )  # fmt: skip
        if answer.status == "infeasible":
            return none, "infeasible"
        if answer.x is None:
            return none, "unknown"
        proved = proved and model.small and answer.status == "optimal"
        site = none.copy()
        chosen = np.flatnonzero(answer.x > 0.5)
        site[model.unit[chosen]] = model.site[chosen]
        if not model.cut(site):
            return site, "optimal" if proved else "feasible"
    return none, "unknown"
