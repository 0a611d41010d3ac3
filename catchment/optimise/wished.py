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
from catchment.optimise.solution import Status
from catchment.optimise.wished_model import (
    EXACT_PAIRS,
    Model,
    Split,
    exact,
    exact_parts,
    mended,
)

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


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

    def fewer(self, there: Float64) -> Asked:
        """Take students who are there already from the least sizes.

        Parameters
        ----------
        there : (m,) float64
            Students of each site.

        Returns
        -------
        Asked
            What is left to be drawn.
        """
        if not there.any():
            return self
        return Asked(np.maximum(self.least - there, 0.0), self.together, self.apart)

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
    unit = merged(len(demand), asked.together)
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
        small = is_small(cost_u)
        left = max(time_limit - (time.perf_counter() - began), 1.0)
        model = Model(cost_u, demand_u, room, touching, home_u, asked.least, apart)
        if whole and not small:
            site, status = mended(model, site, left, seed)
        elif small and (whole or prove):
            site, status = exact(model, left, seed)
        else:
            site, status = np.full(len(site), -1, dtype=np.int32), "unknown"
        late = late or (status == "unknown" and time.perf_counter() - began > time_limit)
    elif status != "infeasible" and asked.binds() and status == "optimal":
        status = "feasible"  # the bound of the merged units is not one of the villages
    return Drawn(site[unit], status, reason, time.perf_counter() - began, late)


@dataclass(frozen=True)
class Shared:
    """A row that several sites share.

    Attributes
    ----------
    row : int
        The row.
    told : (m,) float64 or None
        How many of its students go to each site; None where places and travel decide.
    cost : (m,) float64
        Cost of one of them, inf = not allowed.
    """

    row: int
    told: Float64 | None
    cost: Float64


def is_small(cost: Float64) -> bool:
    """Say whether a question is small enough to be solved to the end.

    Parameters
    ----------
    cost : (n, m) float64
        Finite where a row may go to a site.

    Returns
    -------
    bool
        Up to :data:`catchment.optimise.wished_model.EXACT_PAIRS` pairs.
    """
    return int(np.isfinite(cost).sum()) <= EXACT_PAIRS


def draw_shared(
    cost: Float64,
    demand: Float64,
    room: Float64,
    neighbours: csr_matrix,
    home: Int32,
    asked: Asked,
    shared: Sequence[Shared],
    *,
    time_limit: float,
    seed: int = 0,
) -> tuple[Drawn, Float64]:
    """Draw catchments and divide the shared rows at once, to the end.

    ``cost`` says which catchments a row may belong to. Every row belongs to one; of a shared row at
    least one student goes to the site of that catchment, the others where the shares or places and
    travel want it. A least size counts everybody where they go, and a row kept apart from a shared
    one goes to no site that has students of it.

    Parameters
    ----------
    cost, demand, room, neighbours, home, asked
        As of :func:`draw`; ``demand`` counts the shared rows whole.
    shared : sequence of Shared
        Rows that are shared.
    time_limit : float
        Seconds.
    seed : int
        Seed of the solver.

    Returns
    -------
    drawn : Drawn
        The catchment of each row; ``infeasible`` is proved for any division.
    parts : (k, m) float64
        Students of each shared row at each site.
    """
    began = time.perf_counter()
    unit = merged(len(demand), asked.together)
    rows = [each.row for each in shared]
    alone = demand.copy()
    alone[rows] = 0.0
    cost_u, demand_u, touching, home_u = _of_units(unit, cost, alone, neighbours, home)
    # nobody of a row without students can be divided: it goes whole
    some = [k for k, row in enumerate(rows) if demand[row] > 0]
    splits = [
        Split(int(unit[rows[k]]), float(demand[rows[k]]), shared[k].cost, shared[k].told)
        for k in some
    ]
    code = {rows[k]: ~at for at, k in enumerate(some)}
    apart = [tuple(code.get(i, int(unit[i])) for i in each) for each in asked.apart]
    torn = _torn(unit, cost, room, home)
    nobody = np.zeros((len(rows), cost.shape[1]))
    if torn:
        none = np.full(len(demand), -1, dtype=np.int32)
        seconds = time.perf_counter() - began
        return Drawn(none, "infeasible", torn, seconds, timed_out=False), nobody
    model = Model(cost_u, demand_u, room, touching, home_u, asked.least, apart, splits)
    site, parts, status = exact_parts(model, time_limit, seed)
    nobody[some] = parts
    seconds = time.perf_counter() - began
    late = status == "unknown" and seconds > time_limit
    return Drawn(site[unit], status, "", seconds, late), nobody


def touching_together(neighbours: csr_matrix, together: Iterable[Sequence[int]]) -> csr_matrix:
    """Let rows that belong together count as neighbours.

    Parameters
    ----------
    neighbours : csr_matrix of bool
        (n, n) rows that touch.
    together : iterable of sequences of int
        Rows that go to one site.

    Returns
    -------
    csr_matrix of bool
        (n, n).
    """
    pairs = [(each[0], i) for each in together for i in each[1:]]
    if not pairs:
        return neighbours
    a, b = np.array(pairs).T
    more = csr_matrix((np.ones(len(pairs), dtype=np.int8), (a, b)), shape=neighbours.shape)
    return ((neighbours.astype(np.int8) + more + more.T) > 0).astype(np.bool_)


def merged(n: int, together: Iterable[Sequence[int]]) -> Int32:
    """Find the unit of each row.

    Parameters
    ----------
    n : int
        Number of rows.
    together : iterable of sequences of int
        Rows that go to one site.

    Returns
    -------
    (n,) int32
        Rows that belong together share one.
    """
    head = list(range(n))

    def _top(i: int) -> int:
        while head[i] != i:
            i = head[i]
        return i

    for rows in together:
        first = min(_top(i) for i in rows)
        for i in rows:
            head[_top(i)] = first
    _, unit = np.unique([_top(i) for i in range(n)], return_inverse=True)
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
