"""Roads of the invented county: least-cost courses over the grid, then ways with their tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from demo_county.terrain import CELL, COLUMNS, ROWS, SOUTH, WEST, Bools, Floats, Terrain

Ints = npt.NDArray[np.int64]

CLASSES = ("", "path", "track", "unclassified", "residential", "tertiary", "secondary", "primary")
RANK = {name: k for k, name in enumerate(CLASSES)}
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # row, column
_HAZARD_SLOPE = 0.105
_HAIRPIN = 1.79  # how much longer the drawn swing is than the straight step


@dataclass(frozen=True)
class Way:
    """One road of one kind between two junctions.

    Attributes
    ----------
    cells : tuple of int
        Grid cells on its course; the first and the last are shared with other ways.
    points : (k, 2) float64
        Its shape in metres; the first and last point are those of its end cells.
    tags : dict of str to str
        Its tags, as OpenStreetMap writes them.
    """

    cells: tuple[int, ...]
    points: Floats
    tags: dict[str, str]


@dataclass
class Grid:
    """The grid on which roads are laid out, with the roads laid so far.

    Attributes
    ----------
    terrain : Terrain
        The terrain.
    spot : (cells, 2) float64
        The place of each cell's node, metres, moved a little off the centre.
    level : (cells,) float64
        Its height.
    tail, head : (e,) int64
        Cells of each possible step.
    length, slope : (e,) float64
        Metres and rise over run of each step.
    rank : (e,) int64
        Road class of each step, 0 where there is none.
    label : (e,) int64
        Position in ``names``.
    blocked : (cells,) bool
        Cells that no further road may use.
    names : list of (str, str)
        Name and reference of every road laid.
    """

    terrain: Terrain
    spot: Floats
    level: Floats
    tail: Ints
    head: Ints
    length: Floats
    slope: Floats
    rank: Ints
    label: Ints
    blocked: Bools
    names: list[tuple[str, str]] = field(default_factory=lambda: [("", "")])

    def on_road(self) -> Bools:
        """Cells that lie on a road.

        Returns
        -------
        (cells,) bool
            True where a step of any class begins or ends.
        """
        used = np.zeros(ROWS * COLUMNS, dtype=bool)
        laid = self.rank > 0
        used[self.tail[laid]] = True
        used[self.head[laid]] = True
        return used

    def name(self, name: str, ref: str = "") -> int:
        """Register a road's name and reference.

        Parameters
        ----------
        name, ref : str
            Name and reference.

        Returns
        -------
        int
            Its label.
        """
        self.names.append((name, ref))
        return len(self.names) - 1


def cell_at(x: float, y: float) -> int:
    """Find the cell that holds a place.

    Parameters
    ----------
    x, y : float
        Metres.

    Returns
    -------
    int
        Number of the cell, row by row from the south-west.
    """
    column = min(max(int((x - WEST) // CELL), 0), COLUMNS - 1)
    row = min(max(int((y - SOUTH) // CELL), 0), ROWS - 1)
    return row * COLUMNS + column


def lay_grid(rng: np.random.Generator, terrain: Terrain) -> Grid:
    """Lay the grid of possible steps over the terrain.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    terrain : Terrain
        The terrain.

    Returns
    -------
    Grid
        A grid without roads; the river is blocked but for its bridges.
    """
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    tails, heads = [], []
    for dr, dc in _STEPS:
        a = number[: ROWS - dr, max(0, -dc) : COLUMNS - max(0, dc)]
        b = number[dr:, max(0, dc) : COLUMNS + min(0, dc)]
        tails.append(a.ravel())
        heads.append(b.ravel())
    tail, head = np.concatenate(tails), np.concatenate(heads)
    column, row = number.ravel() % COLUMNS, number.ravel() // COLUMNS
    spot = np.column_stack([WEST + (column + 0.5) * CELL, SOUTH + (row + 0.5) * CELL])
    spot = np.round(spot + rng.uniform(-42.0, 42.0, spot.shape), 2)
    level = terrain.height.ravel()
    length = np.round(np.hypot(*(spot[head] - spot[tail]).T), 3)
    slope = np.abs(level[head] - level[tail]) / length
    empty = np.zeros(len(tail), dtype=np.int64)
    blocked = terrain.river.ravel().copy()
    return Grid(terrain, spot, level, tail, head, length, slope, empty, empty.copy(), blocked)


def costs(grid: Grid, within: Bools | None = None) -> csr_matrix:
    """Cost of laying a road along each step: slopes dear, laid roads cheap.

    Parameters
    ----------
    grid : Grid
        The grid.
    within : (cells,) bool, optional
        Cells that may be used; all that are not blocked when left out.

    Returns
    -------
    csr_matrix
        (cells, cells), symmetric.
    """
    cost = grid.length * (1.0 + (grid.slope / 0.065) ** 2)
    cost = np.where(grid.rank > 0, 0.42 * grid.length * (1.0 + grid.slope / 0.1), cost)
    bridge = grid.terrain.bridge.ravel()
    cost = np.where(bridge[grid.tail] | bridge[grid.head], cost * 3.0, cost)
    free = ~grid.blocked if within is None else (within & ~grid.blocked)
    keep = free[grid.tail] & free[grid.head]
    return _symmetric(grid.tail[keep], grid.head[keep], cost[keep])


def distances(grid: Grid, sources: Sequence[int], lowest: int = 1) -> Floats:
    """Road distances from cells to all cells.

    Parameters
    ----------
    grid : Grid
        The grid with its roads.
    sources : sequence of int
        Cells to start from.
    lowest : int
        Lowest class rank that counts.

    Returns
    -------
    (len(sources), cells) float64
        Metres; inf where no road leads.
    """
    laid = grid.rank >= lowest
    graph = _symmetric(grid.tail[laid], grid.head[laid], step_lengths(grid)[laid])
    return np.asarray(dijkstra(graph, indices=list(sources)))


def step_lengths(grid: Grid) -> Floats:
    """Metres of each step as it is drawn, hairpins included.

    Parameters
    ----------
    grid : Grid
        The grid.

    Returns
    -------
    (e,) float64
        Metres.
    """
    return np.where(_bends(grid), grid.length * _HAIRPIN, grid.length)


def lay(grid: Grid, start: int, end: int, road: str, label: int) -> None:
    """Lay a road of a class along the cheapest course between two cells.

    Parameters
    ----------
    grid : Grid
        The grid; its ``rank`` and ``label`` are changed in place.
    start, end : int
        Cells.
    road : str
        Class of road.
    label : int
        Label of the road.
    """
    _, before = dijkstra(costs(grid), indices=start, return_predecessors=True)
    _carve(grid, _trace(before, end), road, label)


def connect(grid: Grid, places: Sequence[int], road: str, within: Bools | None = None) -> None:
    """Connect cells to the laid roads, the nearest tenth of them at a time.

    Parameters
    ----------
    grid : Grid
        The grid; its ``rank`` is changed in place.
    places : sequence of int
        Cells to connect.
    road : str
        Class of the new roads.
    within : (cells,) bool, optional
        Cells that may be used.
    """
    waiting = sorted(set(places))
    while waiting:
        used = grid.on_road()
        if within is not None:
            used &= within
        waiting = [p for p in waiting if not used[p]]
        if not waiting:
            return
        if not used.any():
            used[waiting.pop(0)] = True
            if not waiting:
                return
        cost, before, _ = dijkstra(
            costs(grid, within),
            indices=np.flatnonzero(used),
            return_predecessors=True,
            min_only=True,
        )
        waiting.sort(key=lambda p: (cost[p], p))
        batch = waiting[: max(1, len(waiting) // 10)]
        for place in batch:
            _carve(grid, _trace(before, place), road, 0)
        waiting = waiting[len(batch) :]


def streets(grid: Grid, centre: int, reach: int, every: int, labels: Sequence[int]) -> None:
    """Lay out a settlement's streets on every so many rows and columns.

    Parameters
    ----------
    grid : Grid
        The grid; changed in place.
    centre : int
        Cell in the middle.
    reach : int
        Cells from the middle to the edge.
    every : int
        Cells between parallel streets.
    labels : sequence of int
        Labels to give in turn to the streets.
    """
    row0, column0 = divmod(centre, COLUMNS)
    tr, tc = np.divmod(grid.tail, COLUMNS)
    hr, hc = np.divmod(grid.head, COLUMNS)
    near = (np.hypot(tr - row0, tc - column0) <= reach) & (
        np.hypot(hr - row0, hc - column0) <= reach
    )
    along = (tr == hr) & ((tr - row0) % every == 0)
    across = (tc == hc) & ((tc - column0) % every == 0)
    bridge = grid.terrain.bridge.ravel()
    dry = ~(grid.blocked | bridge)
    pick = near & (along | across) & dry[grid.tail] & dry[grid.head] & (grid.slope < 0.2)
    fresh = pick & (grid.rank < RANK["residential"])
    turn = np.where(along, (tr - row0) // every * 2, (tc - column0) // every * 2 + 1)
    grid.label[fresh] = np.array(labels)[turn[fresh] % len(labels)]
    grid.rank[fresh] = RANK["residential"]


def prune(grid: Grid, keep: int) -> None:
    """Take up streets that do not hang together with a cell.

    Parameters
    ----------
    grid : Grid
        The grid; changed in place.
    keep : int
        Cell of the part that stays.
    """
    reached = np.isfinite(distances(grid, [keep])[0])
    grid.rank[(grid.rank == RANK["residential"]) & ~reached[grid.tail]] = 0


def ways(grid: Grid, stops: Sequence[int], one_way: Sequence[str]) -> list[Way]:
    """Cut the laid roads into ways.

    Parameters
    ----------
    grid : Grid
        The grid with its roads.
    stops : sequence of int
        Further cells where ways end.
    one_way : sequence of str
        Names of streets that may be driven in one direction only.

    Returns
    -------
    list of Way
        In a fixed order; every laid step is in exactly one way.
    """
    laid = np.flatnonzero(grid.rank > 0)
    bends, bridge = _bends(grid), grid.terrain.bridge.ravel()
    kinds: dict[int, tuple[int, int, bool, bool]] = {}
    at: dict[int, list[int]] = {}
    for e in laid.tolist():
        a, b = int(grid.tail[e]), int(grid.head[e])
        kinds[e] = (
            int(grid.rank[e]),
            int(grid.label[e]),
            bool(bridge[a] or bridge[b]),
            bool(bends[e]),
        )
        at.setdefault(a, []).append(e)
        at.setdefault(b, []).append(e)
    ends = set(stops) & at.keys()
    ends |= {c for c, es in at.items() if len(es) != 2 or kinds[es[0]] != kinds[es[1]]}
    done: set[int] = set()
    result = []
    for cell in sorted(ends):
        for first in sorted(at[cell]):
            if first in done:
                continue
            chain, here, e = [cell], cell, first
            while True:
                done.add(e)
                here = int(grid.head[e]) if int(grid.tail[e]) == here else int(grid.tail[e])
                chain.append(here)
                if here in ends:
                    break
                e = next(k for k in at[here] if k != e)
            result.append(_way(grid, chain, kinds[first]))
    return _directed(result, one_way)


def _directed(ways: list[Way], one_way: Sequence[str]) -> list[Way]:
    """Make streets one-way where every place can still be left and reached again."""
    result = list(ways)
    parts = _strong_parts(result)
    for k, way in enumerate(ways):
        if way.tags["highway"] == "residential" and way.tags.get("name") in one_way:
            trial = [
                *result[:k],
                replace(way, tags={**way.tags, "oneway": "yes"}),
                *result[k + 1 :],
            ]
            if _strong_parts(trial) == parts:
                result = trial
    return result


def _strong_parts(ways: list[Way]) -> int:
    """Count the parts within which every place is reached from every other by vehicle."""
    driven = [w for w in ways if w.tags["highway"] not in {"path", "track"}]
    there = [(w.cells[0], w.cells[-1]) for w in driven]
    back = [(b, a) for (a, b), w in zip(there, driven, strict=True) if "oneway" not in w.tags]
    number: dict[int, int] = {}
    pairs = [
        (number.setdefault(a, len(number)), number.setdefault(b, len(number)))
        for a, b in there + back
    ]
    rows, columns = np.array(pairs).T
    graph = csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(number), len(number)))
    return int(connected_components(graph, connection="strong", return_labels=False))


def _way(grid: Grid, chain: list[int], kind: tuple[int, int, bool, bool]) -> Way:
    rank, label, bridge, hazard = kind
    road = CLASSES[rank]
    name, ref = grid.names[label]
    tags = {"highway": road}
    if name:
        tags["name"] = name
    if ref:
        tags["ref"] = ref
    speed = {"primary": "60", "secondary": "50", "tertiary": "40", "residential": "30"}.get(road)
    if speed:
        tags["maxspeed"] = "20" if hazard else speed
    if road in {"primary", "secondary", "tertiary", "residential"}:
        tags["surface"] = "asphalt"
    elif road == "unclassified":
        tags["surface"] = "concrete"
    if bridge:
        tags["bridge"] = "yes"
    if hazard and road not in {"path", "track"}:
        tags["hazard"] = "yes"
    points = grid.spot[chain]
    points = _hairpins(points) if hazard else _rounded(points)
    return Way(tuple(chain), points, tags)


def _rounded(points: Floats) -> Floats:
    """Cut the corners once; the ends stay."""
    if len(points) < 3:
        return points
    a, b = points[:-1], points[1:]
    cut = np.empty((2 * len(a), 2))
    cut[0::2] = 0.75 * a + 0.25 * b
    cut[1::2] = 0.25 * a + 0.75 * b
    return np.vstack([points[:1], cut[1:-1], points[-1:]])


def _hairpins(points: Floats) -> Floats:
    """Swing left and right on each step, as a road does on a steep flank."""
    result = [points[0]]
    for a, b in pairwise(points):
        along = b - a
        normal = np.array([-along[1], along[0]]) * 0.36
        result += [a + along * 0.36 + normal, a + along * 0.64 - normal, b]
    return np.array(result)


def _bends(grid: Grid) -> Bools:
    low = (grid.rank == RANK["path"]) | (grid.rank == RANK["residential"])
    bridge = grid.terrain.bridge.ravel()
    return np.asarray(
        (grid.slope > _HAZARD_SLOPE)
        & (grid.rank > 0)
        & ~low
        & ~(bridge[grid.tail] | bridge[grid.head])
    )


def _symmetric(tail: Ints, head: Ints, weight: Floats) -> csr_matrix:
    cells = ROWS * COLUMNS
    both = (np.concatenate([tail, head]), np.concatenate([head, tail]))
    return csr_matrix((np.concatenate([weight, weight]), both), shape=(cells, cells))


def _trace(before: npt.NDArray[np.int32], end: int) -> list[int]:
    course = [end]
    while before[course[-1]] >= 0:
        course.append(int(before[course[-1]]))
    return course


def _carve(grid: Grid, course: list[int], road: str, label: int) -> None:
    rank = RANK[road]
    if len(course) < 2:
        return
    step = _between(grid, course)
    for a, b in pairwise(course):
        e = step[(min(a, b), max(a, b))]
        if grid.rank[e] < rank:
            grid.rank[e] = rank
            grid.label[e] = label


def _between(grid: Grid, course: list[int]) -> dict[tuple[int, int], int]:
    """Find the steps whose two cells are both on a course; a step's tail is its lower cell."""
    on = np.zeros(ROWS * COLUMNS, dtype=bool)
    on[course] = True
    pick = np.flatnonzero(on[grid.tail] & on[grid.head])
    return {(int(grid.tail[e]), int(grid.head[e])): int(e) for e in pick}
