"""An answer of the kernel against its arrays, recounted without the solver's code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.verify.faults import Fault


class Answer(Protocol):
    """What is read of an answer (:class:`catchment.optimise.solution.Solution` has it)."""

    open: npt.NDArray[np.bool_]
    site_of: npt.NDArray[np.int32]
    share: csr_matrix | None
    objective: float
    bound: float
    status: str


def check_solution(
    cost: npt.ArrayLike,
    demand: npt.ArrayLike,
    capacity: npt.ArrayLike,
    answer: Answer,
    *,
    neighbours: csr_matrix | None = None,
    home: Sequence[int] | None = None,
    fixed_cost: Sequence[float] | None = None,
) -> tuple[Fault, ...]:
    """Check an assignment or siting again: places, pairs, sums, bound and connectedness.

    Parameters
    ----------
    cost : (n, m) array_like of float
        Cost of one unit of demand, inf = not allowed.
    demand : (n,) array_like of float
        Demand.
    capacity : (m,) array_like of float
        Places.
    answer : Answer
        Status ``optimal`` or ``feasible``; others hold no plan and are not checked.
    neighbours : csr_matrix, optional
        (n, n) units that touch; every catchment must then be connected.
    home : sequence of int, optional
        Unit each site stands in, -1 where it has none; it must belong to one of the sites of it.
    fixed_cost : sequence of float, optional
        Cost of each open site.

    Returns
    -------
    tuple of Fault
        What does not hold; sites and units are named by position.
    """
    if answer.status not in ("optimal", "feasible"):
        return ()
    costs = np.asarray(cost, dtype=float).tolist()
    need, room = _floats(demand), _floats(capacity)
    parts = _parts(answer, need)
    faults = [*_pairs(costs, need, answer, parts), *_loads(need, room, answer, parts)]
    faults += _worth(costs, answer, parts, fixed_cost)
    if neighbours is not None:
        faults += _whole(answer.site_of.tolist(), neighbours, home, room, costs)
    return tuple(faults)


def _floats(values: npt.ArrayLike) -> list[float]:
    return [float(v) for v in np.asarray(values, dtype=float)]


def _parts(answer: Answer, need: list[float]) -> list[tuple[int, int, float]]:
    if answer.share is None:
        return [(i, int(j), need[i]) for i, j in enumerate(answer.site_of.tolist()) if j >= 0]
    pairs = answer.share.tocoo()
    return [
        (int(i), int(j), float(d))
        for i, j, d in zip(pairs.row, pairs.col, pairs.data, strict=True)
        if d
    ]


def _pairs(
    costs: list[list[float]],
    need: list[float],
    answer: Answer,
    parts: list[tuple[int, int, float]],
) -> list[Fault]:
    m = len(costs[0]) if costs else 0
    out: list[Fault] = []
    sent = [0.0] * len(need)
    for i, j, amount in parts:
        if not 0 <= j < m:
            out.append(Fault("unknown_site", village=str(i), found=str(j)))
            continue
        sent[i] += amount
        if not math.isfinite(costs[i][j]):
            out.append(Fault("unreachable", site=str(j), village=str(i)))
        if not answer.open[j] and amount > 0:
            out.append(Fault("closed_site", site=str(j), village=str(i)))
        if amount < 0:
            out.append(Fault("conservation", found=str(need[i]), expected=str(amount)))
    for i, wanted in enumerate(need):
        if abs(sent[i] - wanted) > 1e-6 * max(1.0, wanted):
            out.append(
                Fault("conservation", village=str(i), found=str(wanted), expected=f"{sent[i]}")
            )
    return out


def _loads(
    need: list[float], room: list[float], answer: Answer, parts: list[tuple[int, int, float]]
) -> list[Fault]:
    load: dict[int, list[float]] = {}
    for _, j, amount in parts:
        load.setdefault(j, []).append(amount)
    out = []
    for j in sorted(load):
        total = math.fsum(load[j])
        if 0 <= j < len(room) and total > room[j] + 1e-6 * max(1.0, room[j]):
            out.append(
                Fault("over_places", site=str(j), found=f"{total:g}", expected=f"{room[j]:g}")
            )
    return out


def _worth(
    costs: list[list[float]],
    answer: Answer,
    parts: list[tuple[int, int, float]],
    fixed_cost: Sequence[float] | None,
) -> list[Fault]:
    terms = [a * costs[i][j] for i, j, a in parts if 0 <= j < len(costs[i]) and a]
    finite = [term for term in terms if math.isfinite(term)]
    if fixed_cost is not None:
        finite += [float(f) for f, is_open in zip(fixed_cost, answer.open, strict=True) if is_open]
    total, size = math.fsum(finite), math.fsum(abs(term) for term in finite)
    near = 1e-7 * max(1.0, size)
    out = []
    if not abs(float(answer.objective) - total) <= near:
        out.append(Fault("objective", found=f"{answer.objective:.6f}", expected=f"{total:.6f}"))
    if answer.bound > total + near:
        out.append(Fault("bound", found=f"{answer.bound:.6f}", expected=f"{total:.6f}"))
    if answer.status == "optimal" and answer.bound < total - 1e-5 * max(1.0, size):
        out.append(Fault("not_proved", found=f"{answer.bound:.6f}", expected=f"{total:.6f}"))
    return out


def _whole(
    site_of: list[int],
    neighbours: csr_matrix,
    home: Sequence[int] | None,
    room: list[float],
    costs: list[list[float]],
) -> list[Fault]:
    n = len(site_of)
    pairs = neighbours.tocoo()
    touching: list[set[int]] = [set() for _ in range(n)]
    for a, b, there in zip(pairs.row.tolist(), pairs.col.tolist(), pairs.data, strict=True):
        if there and a != b:
            touching[a].add(b)
            touching[b].add(a)
    out = []
    for j in sorted(set(site_of) - {-1}):
        members = {i for i, site in enumerate(site_of) if site == j}
        reached = {min(members)}
        queue = [min(members)]
        while queue:
            fresh = (touching[queue.pop()] & members) - reached
            reached |= fresh
            queue.extend(sorted(fresh))
        if reached != members:
            names = "、".join(str(i) for i in sorted(members - reached)[:8])
            out.append(Fault("detached", site=str(j), found=names))
    if home is None:
        return out
    for unit in sorted({int(h) for h in home if h >= 0}):
        owners = [
            j
            for j, h in enumerate(home)
            if h == unit and room[j] > 0 and math.isfinite(costs[unit][j])
        ]
        if owners and site_of[unit] not in owners:
            out.append(
                Fault("not_home", village=str(unit), found=str(site_of[unit]), expected=str(owners))
            )
    return out
