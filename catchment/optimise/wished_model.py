"""Exact model of whole, connected catchments: sizes, villages apart, villages that are shared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise.contiguity import adjacency
from catchment.optimise.milp import solve_milp
from catchment.optimise.solution import Status

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


class Split(NamedTuple):
    """Students of a unit who may be divided among sites.

    One of them at least, where there are any, goes to the site of the unit.

    Attributes
    ----------
    unit : int
        The unit, in whose demand they are not counted.
    total : float
        How many there are.
    cost : (m,) float64
        Cost of one of them, inf = not allowed.
    told : (m,) float64 or None
        How many go to each site where that is given.
    """

    unit: int
    total: float
    cost: Float64
    told: Float64 | None = None


class Model:
    """Rows and columns of the exact model of one band and year.

    Columns are pairs of unit and site; behind them, for every split, how many go to each site and
    whether any does.

    Parameters
    ----------
    cost : (n, m) float64
        Cost of one student of a unit, inf = not allowed.
    demand : (n,) float64
        Students of a unit who go together.
    room : (m,) float64
        Places.
    neighbours : csr_matrix of bool
        (n, n) units that touch.
    home : (m,) int32
        Unit of each site, -1 where it has none.
    least : (m,) float64
        Fewest students of each site.
    apart : sequence of sequences of int
        Sets of which no two go to one site: units, or splits as ``~k``.
    splits : sequence of Split
        Students who may be divided.
    """

    def __init__(
        self,
        cost: Float64,
        demand: Float64,
        room: Float64,
        neighbours: csr_matrix,
        home: Int32,
        least: Float64,
        apart: Sequence[Sequence[int]],
        splits: Sequence[Split] = (),
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
        self.lower = np.zeros(len(self.unit))
        self.upper = np.ones(len(self.unit))
        self.part = np.full((len(splits), m), -1, dtype=np.int64)
        self.used = np.full((len(splits), m), -1, dtype=np.int64)
        for k, split in enumerate(splits):
            self._divide(k, split, room)
        self._fill(demand, room, least, apart)

    def _divide(self, k: int, split: Split, room: Float64) -> None:
        """Add the columns of a split, and the rows that tie them together."""
        usable = np.isfinite(split.cost) & (room > 0)
        if split.told is not None:
            usable = split.told > 0
        sites = np.flatnonzero(usable)
        first, count = len(self.weight), len(sites)
        self.part[k, sites] = first + np.arange(count)
        self.used[k, sites] = first + count + np.arange(count)
        given = np.zeros(count) if split.told is None else split.told[sites]
        most = np.full(count, split.total) if split.told is None else given
        some = np.where(np.isfinite(split.cost), split.cost, 0.0)[sites]
        self.weight = np.concatenate([self.weight, some, np.zeros(count)])
        self.lower = np.concatenate([self.lower, given, np.zeros(count)])
        self.upper = np.concatenate([self.upper, most, np.ones(count)])
        parts = self.part[k, sites].tolist()
        self.rows.append((parts, [1.0] * count, split.total, split.total))
        for j in range(len(split.cost)):
            main, part, used = (
                int(self.column[split.unit, j]),
                int(self.part[k, j]),
                self.used[k, j],
            )
            if part >= 0:
                self.rows.append(([part, int(used)], [1.0, -split.total], -np.inf, 0.0))
            if main >= 0 and part >= 0:
                self.rows.append(([main, int(used)], [1.0, -1.0], -np.inf, 0.0))
                self.rows.append(([main, part], [min(split.total, 1.0), -1.0], -np.inf, 0.0))

    def _fill(
        self, demand: Float64, room: Float64, least: Float64, apart: Sequence[Sequence[int]]
    ) -> None:
        for i in range(self.count):
            columns = self.column[i][self.column[i] >= 0].tolist()
            self.rows.append((columns, [1.0] * len(columns), 1.0, 1.0))
        for j in range(len(room)):
            units = np.flatnonzero(self.column[:, j] >= 0)
            parts = [int(c) for c in self.part[:, j] if c >= 0]
            columns = self.column[units, j].tolist() + parts
            if columns or least[j] > 0:
                amount = demand[units].tolist() + [1.0] * len(parts)
                self.rows.append((columns, amount, float(least[j]), float(room[j])))
            for each in apart:
                there = [int(self.used[~u, j] if u < 0 else self.column[u, j]) for u in each]
                both = [c for c in there if c >= 0]
                if len(both) > 1:
                    self.rows.append((both, [1.0] * len(both), -np.inf, 1.0))
                if len(set(each)) < len(each):  # put together and kept apart at once
                    self.rows.append(([], [], 1.0, 1.0))

    def matrix(self) -> tuple[csr_matrix, Float64, Float64]:
        """Return rows as the solver takes them.

        Returns
        -------
        table : csr_matrix
            Coefficients.
        lower, upper : (r,) float64
            Limits.
        """
        at = [k for k, row in enumerate(self.rows) for _ in row[0]]
        column = [c for row in self.rows for c in row[0]]
        value = [x for row in self.rows for x in row[1]]
        table = csr_matrix((value, (at, column)), shape=(len(self.rows), len(self.weight)))
        return table, np.array([r[2] for r in self.rows]), np.array([r[3] for r in self.rows])

    def cut(self, site: Int32) -> bool:
        """Add rows against parts that do not hang together.

        Parameters
        ----------
        site : (n,) int32
            A plan.

        Returns
        -------
        bool
            Whether any was needed.
        """
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

    def among(self, units: npt.NDArray[np.intp], sites: npt.NDArray[np.intp]) -> Model:
        """Pose the same question for some units and sites alone, all others left as they are.

        Parameters
        ----------
        units, sites : (k,) int
            Positions.

        Returns
        -------
        Model
            Without splits.
        """
        cost, demand, room, neighbours, home, least, apart = self.given
        row = {int(i): k for k, i in enumerate(units)}
        own = np.array([row.get(int(home[j]), -1) for j in sites], dtype=np.int32)
        sets = [tuple(row[i] for i in each if i in row) for each in apart]
        return Model(
            cost[np.ix_(units, sites)],
            demand[units],
            room[sites],
            neighbours[units][:, units],
            own,
            least[sites],
            [each for each in sets if len(each) > 1],
        )


def mended(model: Model, site: Int32, time_limit: float, seed: int) -> tuple[Int32, Status]:
    """Mend a plan around the sites that break a wish, in ever wider circles of catchments.

    Parameters
    ----------
    model : Model
        Without splits.
    site : (n,) int32
        A plan that breaks a wish.
    time_limit : float
        Seconds.
    seed : int
        Seed of the solver.

    Returns
    -------
    site : (n,) int32
        A plan that breaks none, all -1 where none was found.
    status : {"feasible", "unknown"}
        Which it is.
    """
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
        part, status = exact(
            model.among(units, sites), until - time.perf_counter(), seed, FEW_ROUNDS
        )
        if status in ("optimal", "feasible"):
            out = site.copy()
            out[units] = sites[part]
            return out, "feasible"
    return np.full(len(site), -1, dtype=np.int32), "unknown"


def exact(model: Model, time_limit: float, seed: int, rounds: int = ROUNDS) -> tuple[Int32, Status]:
    """Solve the model, adding cuts until every catchment hangs together.

    Parameters
    ----------
    model : Model
        The question; cuts are added to it.
    time_limit : float
        Seconds.
    seed : int
        Seed of the solver.
    rounds : int
        How often cuts are added at most.

    Returns
    -------
    site : (n,) int32
        The plan, all -1 without one.
    status : Status
        ``optimal`` and ``infeasible`` are proved.
    """
    site, _, status = exact_parts(model, time_limit, seed, rounds)
    return site, status


def exact_parts(
    model: Model, time_limit: float, seed: int, rounds: int = ROUNDS
) -> tuple[Int32, Float64, Status]:
    """Solve the model with its splits, adding cuts until every catchment hangs together.

    Parameters
    ----------
    model, time_limit, seed, rounds
        As of :func:`exact`.

    Returns
    -------
    site : (n,) int32
        The plan, all -1 without one.
    parts : (k, m) float64
        Students of each split at each site.
    status : Status
        ``optimal`` and ``infeasible`` are proved.
    """
    none, nobody = np.full(model.count, -1, dtype=np.int32), np.zeros(model.part.shape)
    until = time.perf_counter() + time_limit
    proved = True
    for _ in range(rounds):
        table, lower, upper = model.matrix()
        if not len(model.unit):
            return none, nobody, "infeasible"
        answer = solve_milp(
            model.weight, table, lower, upper,
            lower=model.lower, upper=model.upper, integer=np.ones(len(model.weight), dtype=bool),
            time_limit=max(until - time.perf_counter(), 0.0),
            gap=0.0 if model.small else GAP, seed=seed,
            options={} if model.small else {"mip_max_nodes": NODES},
        )  # fmt: skip
        if answer.status == "infeasible":
            return none, nobody, "infeasible"
        if answer.x is None:
            return none, nobody, "unknown"
        proved = proved and model.small and answer.status == "optimal"
        site = none.copy()
        chosen = np.flatnonzero(answer.x[: len(model.unit)] > 0.5)
        site[model.unit[chosen]] = model.site[chosen]
        if not model.cut(site):
            there = np.rint(answer.x[np.maximum(model.part, 0)])
            parts = np.where(model.part >= 0, there, 0.0)
            return site, parts, "optimal" if proved else "feasible"
    return none, nobody, "unknown"
