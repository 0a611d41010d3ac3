"""Some neighbouring catchments drawn anew by an exact model, the rest of the plan kept.

A unit may go to the sites of the region whose catchments come within a few steps of it. That every
catchment holds together is asked of solutions only: one in pieces gets rows that forbid them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix

from catchment.optimise.annealing import Ground
from catchment.optimise.milp import MilpAnswer, solve_milp

Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

NODES = 100  # of the search tree, each time the model is solved
ROUNDS = 25  # times the model is solved
STEPS = 4_000  # of the solver, after which no further round begins
# what costs more than it brings on models that start from a good plan
_PLAIN: dict[str, bool | int | float | str] = {
    "mip_max_nodes": NODES,
    "mip_heuristic_effort": 0.0,
    "mip_detect_symmetry": False,
    "mip_allow_restart": False,
}


class Redrawn(NamedTuple):
    """What came of it.

    ``site`` is the new plan, or the old one where nothing better was found; ``proved`` says that
    nothing better exists; ``effort`` counts the steps of the solver.
    """

    site: Int32
    proved: bool
    effort: int


class Patch(NamedTuple):
    """Units and sites of the region by position, and which unit may go to which site.

    ``units`` (u) and ``sites`` (s) are positions in the plan, ``graph`` (u, u) the neighbours
    among the units, ``own`` (u) the present site, ``root`` (s) the unit that must stay,
    ``pair`` (u, s) the number of the variable, -1 = not allowed.
    """

    units: Int64
    sites: Int64
    graph: csr_matrix
    own: Int64
    root: Int64
    pair: Int64


class _Rows(NamedTuple):
    """Rows "these variables with these factors lie between"."""

    row: Int64
    variable: Int64
    factor: Float64
    lower: Float64
    upper: Float64


def pairs(ground: Ground, site: Int32, region: Bool, hops: int) -> Patch:
    """Return which unit of the region may go to which of its sites.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        Connected plan, -1 = unserved.
    region : (m,) bool
        Sites whose catchments may change; those without units stay without.
    hops : int
        Steps between a unit and the nearest unit that belongs to the site today.

    Returns
    -------
    Patch
        The region.
    """
    n, m = ground.weight.shape
    filled = np.bincount(site[site >= 0], minlength=m) > 0
    sites = np.flatnonzero(region & filled)
    column = np.full(m, -1, dtype=np.int64)
    column[sites] = np.arange(sites.size)
    units = np.flatnonzero((site >= 0) & (column[site] >= 0))
    everywhere = csr_matrix(
        (np.ones(ground.indices.size, dtype=np.float32), ground.indices, ground.indptr),
        shape=(n, n),
    )
    graph = everywhere[units][:, units].tocsr()
    graph.sort_indices()
    own = column[site[units]]
    at = np.arange(units.size)
    near = np.zeros((units.size, sites.size), dtype=np.float32)
    near[at, own] = 1.0
    for _ in range(hops):
        near = np.minimum(near + graph @ near, 1.0)
    weight = ground.weight[np.ix_(units, sites)]
    may = (near > 0) & np.isfinite(weight)
    held = ground.fixed[units] >= 0
    root = np.full(sites.size, -1, dtype=np.int64)
    for s, j in enumerate(sites):
        home = np.flatnonzero(units == ground.root[j])
        of = np.flatnonzero(own == s)
        # without a home the unit nearest to the site holds the catchment together
        root[s] = home[0] if home.size else of[np.argmin(weight[of, s])]
    held[root] = True
    may[held] = False
    may[at[held], own[held]] = True
    pair = np.full(may.shape, -1, dtype=np.int64)
    pair[may] = np.arange(int(may.sum()))
    return Patch(units, sites, graph, own, root, pair)


def redraw(
    ground: Ground,
    site: Int32,
    patch: Patch,
    tariff: float,
    *,
    seed: int,
    left: Callable[[], float],
) -> Redrawn:
    """Search for the best catchments of a region, the rest of the plan kept.

    Parameters
    ----------
    ground : Ground
        The instance.
    site : (n,) int32
        Connected plan.
    patch : Patch
        The region, from :func:`pairs` for this plan.
    tariff : float
        Price of a place beyond capacity where the plan has such.
    seed : int
        Seed of the solver.
    left : callable
        Seconds left, asked whenever the solver is called.

    Returns
    -------
    Redrawn
        A connected plan, at most as heavy as the given one.
    """
    unit, s = np.nonzero(patch.pair >= 0)
    weight = ground.weight[patch.units[unit], patch.sites[s]]
    demand = ground.demand[patch.units]
    load = np.bincount(patch.own, demand, minlength=patch.sites.size)
    over = np.maximum(load - ground.capacity[patch.sites], 0.0)
    excess = np.flatnonzero(over > 1e-9 * (1.0 + demand.sum()))
    rows = [_served(patch, unit), _places(ground, patch, unit, s, excess), _joined(patch)]
    cost = np.concatenate([weight, np.full(excess.size, tariff)])
    start = np.concatenate([(patch.own[unit] == s).astype(np.float64), over[excess]])
    whole = np.arange(cost.size) < unit.size
    upper = np.where(whole, 1.0, np.inf)
    today = float(cost @ start)
    links = patch.graph.indptr.tolist(), patch.graph.indices.tolist()
    effort = stops = 0
    for _ in range(ROUNDS):
        answer = _solve(cost, rows, upper, whole, start, seed, left())
        effort += answer.iterations + cost.size
        stops += answer.status != "optimal"
        no_better = answer.x is None or answer.objective >= today - 1e-9 * max(1.0, abs(today))
        if answer.x is None or no_better or stops > 1:
            proved = no_better and answer.status in ("optimal", "infeasible")
            return Redrawn(site, proved, effort)
        chosen = np.flatnonzero(answer.x[: unit.size] > 0.5)
        to = np.full(patch.units.size, -1, dtype=np.int64)
        to[unit[chosen]] = s[chosen]
        cuts = _cuts(patch, to, links)
        if not cuts:
            better = site.copy()
            better[patch.units] = patch.sites[to]
            return Redrawn(better, answer.status == "optimal", effort)
        if effort > STEPS:
            break
        rows.append(_rows_of(cuts))
    return Redrawn(site, False, effort)


def _solve(
    cost: Float64,
    rows: list[_Rows],
    upper: Float64,
    whole: Bool,
    start: Float64,
    seed: int,
    left: float,
) -> MilpAnswer:
    counts = [block.lower.size for block in rows]
    first = np.concatenate([[0], np.cumsum(counts)])
    row = np.concatenate([block.row + at for block, at in zip(rows, first, strict=False)])
    variable = np.concatenate([block.variable for block in rows])
    factor = np.concatenate([block.factor for block in rows])
    table = coo_matrix((factor, (row, variable)), shape=(int(first[-1]), cost.size)).tocsc()
    return solve_milp(
        cost,
        table,
        np.concatenate([block.lower for block in rows]),
        np.concatenate([block.upper for block in rows]),
        upper=upper,
        integer=whole,
        start=start,
        time_limit=left,
        seed=seed,
        options=_PLAIN,
    )


def _served(patch: Patch, unit: Int64) -> _Rows:
    """Ask that every unit belongs to one site."""
    ones = np.ones(patch.units.size)
    return _Rows(unit, np.arange(unit.size), np.ones(unit.size), ones, ones)


def _places(ground: Ground, patch: Patch, unit: Int64, s: Int64, excess: Int64) -> _Rows:
    """Keep demand within places; where the plan exceeds them now, the excess has a price."""
    count = patch.sites.size
    return _Rows(
        np.concatenate([s, excess]),
        np.arange(unit.size + excess.size),
        np.concatenate([ground.demand[patch.units[unit]], -np.ones(excess.size)]),
        np.full(count, -np.inf),
        ground.capacity[patch.sites] * 1.0,
    )


def _joined(patch: Patch) -> _Rows:
    """Let a unit belong to a site only where a neighbour does too."""
    pair = patch.pair
    links = patch.graph.tocoo()
    free = pair >= 0
    by_root = (patch.graph[patch.root].T.toarray() > 0).astype(bool)
    by_root[patch.root, np.arange(patch.root.size)] = True
    asked = pair[free & ~by_root]
    number = np.full(int(free.sum()), -1, dtype=np.int64)
    number[asked] = np.arange(asked.size)
    link, at = np.nonzero((pair[links.row] >= 0) & (pair[links.col] >= 0))
    of, by = pair[links.row[link], at], pair[links.col[link], at]
    keep = number[of] >= 0
    return _Rows(
        np.concatenate([np.arange(asked.size), number[of[keep]]]),
        np.concatenate([asked, by[keep]]),
        np.concatenate([np.ones(asked.size), -np.ones(int(keep.sum()))]),
        np.full(asked.size, -np.inf),
        np.zeros(asked.size),
    )


def _rows_of(cuts: list[tuple[int, list[int]]]) -> _Rows:
    size = np.array([1 + len(by) for _, by in cuts])
    return _Rows(
        np.repeat(np.arange(len(cuts)), size),
        np.array([v for of, by in cuts for v in (of, *by)], dtype=np.int64),
        np.array([f for _, by in cuts for f in (1.0, *[-1.0] * len(by))]),
        np.full(len(cuts), -np.inf),
        np.zeros(len(cuts)),
    )


def _cuts(
    patch: Patch, to: Int64, links: tuple[list[int], list[int]]
) -> list[tuple[int, list[int]]]:
    """For each unit cut off from its root: the unit, and units of which one must go with it."""
    indptr, indices = links
    cuts: list[tuple[int, list[int]]] = []

    def reach(start: int, among: set[int]) -> set[int]:
        met, stack = {start}, [start]
        while stack:
            u = stack.pop()
            for k in indices[indptr[u] : indptr[u + 1]]:
                if k in among and k not in met:
                    met.add(k)
                    stack.append(k)
        return met

    for s, root in enumerate(patch.root.tolist()):
        members = set(np.flatnonzero(to == s).tolist())
        loose = members - reach(root, members)
        allowed = set(np.flatnonzero(patch.pair[:, s] >= 0).tolist())
        while loose:
            piece = reach(min(loose), loose)
            loose -= piece
            rim = {k for u in piece for k in indices[indptr[u] : indptr[u + 1]]} - piece
            rim &= allowed
            # of the rim only what the root can reach without passing the rim keeps the piece
            inner = reach(root, allowed - rim)
            gate = [
                int(patch.pair[k, s])
                for k in sorted(rim)
                if any(u in inner for u in indices[indptr[k] : indptr[k + 1]])
            ]
            cuts.extend((int(patch.pair[u, s]), gate) for u in sorted(piece))
    return cuts
