"""Seat border villages in the free places of neighbouring counties, exactly.

Every party (village, band, year) is seated whole at one school or not at all. A school takes guests
in only while classes of standard size for its own students and its guests fit its rooms. As many
unserved students as possible come first, then as many as possible whose way is over the limit, then
those who stay where they were seated the year before, then the fewest minutes: four questions one
after the other, each with the answers to those before it held fast, for each set of parties and
schools that have to do with each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from catchment.optimise.milp import solve_milp
from catchment.verify.guests import Crossing, Seated, worth_of

Worth = tuple[int, int, int, int]
NODES = 20_000
"""Branches after which the best answer so far is taken, its bound told: work, not time, so that the
same question has the same answer everywhere."""


def seat_guests(crossing: Crossing, *, nodes: int = NODES, seed: int = 0) -> Seated:
    """Seat the parties of one year.

    Parameters
    ----------
    crossing : Crossing
        The question.
    nodes : int
        Branches that the search may open for each of the four questions.
    seed : int
        Seed of the solver.

    Returns
    -------
    Seated
        The answer with its bounds.
    """
    ways = [k for k, way in enumerate(crossing.ways) if _possible(crossing, way)]
    host_of = [-1] * len(crossing.parties)
    bound = [0, 0, 0, 0]
    for part in _parts(crossing, ways):
        model = _Model(crossing, part)
        chosen, proved = model.solve(nodes, seed)
        for k in chosen:
            party, host, _ = crossing.ways[k]
            host_of[party] = host
        bound = [a + b for a, b in zip(bound, proved, strict=True)]
    worth = worth_of(crossing, host_of)
    return Seated(tuple(host_of), worth, (bound[0], bound[1], bound[2], bound[3]))


def _possible(crossing: Crossing, way: tuple[int, int, float]) -> bool:
    """Whether a party may go there at all: other county, within the limit, taught, alone fits."""
    party, host = crossing.parties[way[0]], crossing.hosts[way[1]]
    taught = {grade for grade, _, _ in host.grades}
    if party.county == host.county or way[2] > party.limit:
        return False
    if not all(grade in taught for grade, _ in party.grades):
        return False
    coming = dict(party.grades)
    need = sum(math.ceil((own + coming.get(g, 0)) / size) for g, own, size in host.grades)
    return need <= host.rooms


def _parts(crossing: Crossing, ways: list[int]) -> Iterator[list[int]]:
    """Ways by sets of parties and hosts that are joined by any."""
    if not ways:
        return
    n = len(crossing.parties)
    rows = [crossing.ways[k][0] for k in ways]
    columns = [n + crossing.ways[k][1] for k in ways]
    size = n + len(crossing.hosts)
    graph = csr_matrix((np.ones(len(ways)), (rows, columns)), shape=(size, size))
    label = connected_components(graph, directed=False)[1]
    found: dict[int, list[int]] = {}
    for k in ways:
        found.setdefault(int(label[crossing.ways[k][0]]), []).append(k)
    yield from found.values()


@dataclass(frozen=True)
class _Rows:
    """Rows of the model: columns, values and limits."""

    at: list[tuple[int, int, float]]
    lower: list[float]
    upper: list[float]

    def add(self, cells: list[tuple[int, float]], lower: float, upper: float) -> None:
        row = len(self.lower)
        self.at.extend((row, column, value) for column, value in cells)
        self.lower.append(lower)
        self.upper.append(upper)


class _Model:
    """One set of parties and hosts: a variable a way, and one for the classes of a host's grade."""

    def __init__(self, crossing: Crossing, ways: list[int]) -> None:
        self._crossing, self._ways = crossing, ways
        self._count = len(ways)
        self._upper = [1.0] * len(ways)
        self._rows = _Rows([], [], [])
        self._one_host()
        self._classes()

    def _one_host(self) -> None:
        cells: dict[int, list[tuple[int, float]]] = {}
        for c, k in enumerate(self._ways):
            cells.setdefault(self._crossing.ways[k][0], []).append((c, 1.0))
        for party in sorted(cells):
            self._rows.add(cells[party], -math.inf, 1.0)

    def _classes(self) -> None:
        crossing = self._crossing
        asking: dict[int, list[tuple[int, dict[int, int]]]] = {}
        for c, k in enumerate(self._ways):
            party, h, _ = crossing.ways[k]
            asking.setdefault(h, []).append((c, dict(crossing.parties[party].grades)))
        for h in sorted(asking):
            host, guests = crossing.hosts[h], asking[h]
            rooms, classes = host.rooms, []
            for grade, own, size in host.grades:
                coming = [(c, float(-said[grade])) for c, said in guests if grade in said]
                if not coming:
                    rooms -= math.ceil(own / size)
                    continue
                column = self._count
                self._count += 1
                self._upper.append(float(host.rooms))
                classes.append((column, 1.0))
                self._rows.add([(column, float(size)), *coming], float(own), math.inf)
            self._rows.add(classes, -math.inf, float(rooms))

    def solve(self, nodes: int, seed: int) -> tuple[list[int], list[int]]:
        """Answer the four questions; return the ways chosen and the four bounds."""
        x = np.zeros(self._count)
        bounds = []
        for gain in self._gains():
            if not gain.any():
                bounds.append(0)
                continue
            cost = np.zeros(self._count)
            cost[: len(self._ways)] = -gain
            answer = solve_milp(
                cost,
                self._matrix(),
                np.array(self._rows.lower),
                np.array(self._rows.upper),
                upper=np.array(self._upper),
                integer=np.ones(self._count, dtype=bool),
                seed=seed,
                options={"mip_max_nodes": nodes},
            )
            if answer.x is not None:
                x = np.round(answer.x)
            value = int(gain @ x[: len(self._ways)].astype(np.int64))
            best = -answer.bound if math.isfinite(answer.bound) else float(abs(gain).sum())
            limit = value if answer.status == "optimal" else max(math.floor(best + 1e-6), value)
            bounds.append(abs(limit))
            self._rows.add(
                [(c, float(g)) for c, g in enumerate(gain.tolist()) if g], float(value), math.inf
            )
        return [k for c, k in enumerate(self._ways) if x[c] > 0.5], bounds

    def _gains(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield what each way adds to each of the four questions; minutes are negative."""
        crossing = self._crossing
        facts = [
            (crossing.parties[p], p, h, m) for p, h, m in map(crossing.ways.__getitem__, self._ways)
        ]
        number = np.array([party.students() for party, _, _, _ in facts], dtype=np.int64)
        unserved = np.array([party.unserved for party, _, _, _ in facts])
        stays = np.array([crossing.before[p] == h for _, p, h, _ in facts])
        minutes = np.array([round(m * 1000) for _, _, _, m in facts], dtype=np.int64)
        yield number * unserved
        yield number * ~unserved
        yield number * stays
        yield -number * minutes

    def _matrix(self) -> coo_matrix:
        row, column, value = zip(*self._rows.at, strict=True)
        return coo_matrix((value, (row, column)), shape=(len(self._rows.lower), self._count))
