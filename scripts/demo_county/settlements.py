"""Townships, villages and the roads between them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from demo_county import roads
from demo_county.roads import Grid, cell_at
from demo_county.terrain import CELL, COLUMNS, ROWS, SOUTH, WEST, Bools, Floats, Terrain

COUNTY_CODE = "529927"
_VILLAGES = 300
_LONELY = 4
_FERRY = 4


@dataclass(frozen=True)
class Village:
    """One village or town community.

    Attributes
    ----------
    code, name : str
        Twelve-digit code and name.
    township : int
        Position of its township; 0 is the county town's.
    cell : int
        Its cell on the grid.
    x, y : float
        Metres.
    kind : str
        ``town``, ``suburb``, ``seat``, ``village``, ``lonely`` (no mapped road) or ``ferry``.
    """

    code: str
    name: str
    township: int
    cell: int
    x: float
    y: float
    kind: str


@dataclass(frozen=True)
class County:
    """Everything that stands on the ground but schools.

    Attributes
    ----------
    terrain : Terrain
        The terrain.
    grid : Grid
        The laid roads.
    townships : tuple of str
        Names, the county town's first.
    seats : tuple of int
        Cells of the townships' seats.
    polygons : tuple of shapely.Polygon
        The townships' land; together the county.
    villages : tuple of Village
        In order of code.
    ferry : (2, 2) float64
        Landings of the ferry, metres.
    """

    terrain: Terrain
    grid: Grid
    townships: tuple[str, ...]
    seats: tuple[int, ...]
    polygons: tuple[shapely.Polygon, ...]
    villages: tuple[Village, ...]
    ferry: Floats


def read_names() -> dict[str, Any]:
    """Read the table of invented names.

    Returns
    -------
    dict
        The content of ``names.toml``.
    """
    path = Path(__file__).with_name("names.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def settle(rng: np.random.Generator, terrain: Terrain, names: Mapping[str, Any]) -> County:
    """Settle the county and build its roads.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    terrain : Terrain
        The terrain.
    names : mapping
        Content of ``names.toml``.

    Returns
    -------
    County
        Villages, townships and roads.
    """
    grid = roads.lay_grid(rng, terrain)
    seats = [_on_land(grid, terrain, *t["at"]) for t in names["township"]]
    polygons = _townships(grid, terrain, seats)
    across, landings = _across_the_river(grid, terrain)
    _main_roads(grid, terrain, names, seats)
    town = grid.name  # labels of the town's streets
    labels = [town(street) for street in names["town"]["streets"]]
    free = ~grid.blocked
    grid.blocked = grid.blocked | across
    roads.streets(grid, seats[0], 9, 2, labels)
    for seat in seats[1:]:
        roads.streets(grid, seat, 2, 2, [0])
    roads.prune(grid, seats[0])
    cells, kinds = _village_cells(rng, grid, terrain, seats, across)
    rural = [c for c, k in zip(cells, kinds, strict=True) if k in {"village", "suburb"}]
    roads.connect(grid, rural, "unclassified")
    _short_cuts(rng, grid, rural)
    grid.blocked = ~free
    ferry_cells = [c for c, k in zip(cells, kinds, strict=True) if k == "ferry"]
    roads.connect(grid, ferry_cells, "unclassified", within=across)
    lonely = _lonely(grid, terrain, across)
    cells += lonely
    kinds += ["lonely"] * len(lonely)
    villages = _name_villages(rng, grid, terrain, names, polygons, cells, kinds)
    return County(
        terrain,
        grid,
        tuple(t["name"] for t in names["township"]),
        tuple(seats),
        polygons,
        villages,
        landings,
    )


def _on_land(grid: Grid, terrain: Terrain, east: float, north: float) -> int:
    """Find the gentlest dry cell within 1.2 km of a place."""
    column, row = int(east * 1000 / CELL), int(north * 1000 / CELL)
    steep = np.hypot(*np.gradient(terrain.height))
    best = (np.inf, 0)
    for r in range(row - 6, row + 7):
        for c in range(column - 6, column + 7):
            wet = terrain.river[r - 1 : r + 2, c - 1 : c + 2].any() or terrain.bridge[r, c]
            if not wet:
                far = 0.4 * np.hypot(r - row, c - column)
                best = min(best, (float(steep[r, c]) + far, r * COLUMNS + c))
    return best[1]


def _townships(grid: Grid, terrain: Terrain, seats: list[int]) -> tuple[shapely.Polygon, ...]:
    """Draw the land of each township: nearer to its seat over the hills than to any other seat."""
    straight = (np.abs(grid.head - grid.tail) == 1) | (np.abs(grid.head - grid.tail) == COLUMNS)
    land = terrain.county.ravel()
    wet = (terrain.river | terrain.bridge).ravel()
    keep = straight & land[grid.tail] & land[grid.head]
    cost = grid.length * (1.0 + 6.0 * grid.slope) + 900.0 * (wet[grid.tail] | wet[grid.head])
    a, b, w = grid.tail[keep], grid.head[keep], cost[keep]
    both = (np.concatenate([a, b]), np.concatenate([b, a]))
    graph = csr_matrix((np.concatenate([w, w]), both), shape=(len(land), len(land)))
    _, _, source = dijkstra(graph, indices=seats, return_predecessors=True, min_only=True)
    squares = []
    for seat in seats:
        row, column = np.divmod(np.flatnonzero((source == seat) & land), COLUMNS)
        west, south = WEST + column * CELL, SOUTH + row * CELL
        squares.append(shapely.union_all(shapely.box(west, south, west + CELL, south + CELL)))
    return _smoothed(shapely.coverage_simplify(np.array(squares), 260.0))


def _smoothed(pieces: npt.NDArray[np.object_]) -> tuple[shapely.Polygon, ...]:
    """Round the borders of pieces that tile, so that they still tile to the last digit."""
    border = shapely.line_merge(shapely.union_all(shapely.boundary(pieces)))
    arcs = []
    for arc in shapely.get_parts(border):
        points = shapely.get_coordinates(arc)
        for _ in range(3):
            cut = np.empty((2 * len(points) - 2, 2))
            cut[0::2] = 0.75 * points[:-1] + 0.25 * points[1:]
            cut[1::2] = 0.25 * points[:-1] + 0.75 * points[1:]
            points = np.vstack([points[:1], cut[1:-1], points[-1:]])
        arcs.append(shapely.LineString(np.round(points, 2)))
    rounded = shapely.get_parts(shapely.polygonize(arcs))
    if len(rounded) != len(pieces):
        raise RuntimeError("the rounded borders cross; choose another seed")
    result = []
    for piece in pieces:
        shared = shapely.area(shapely.intersection(rounded, piece))
        result.append(shapely.normalize(rounded[int(np.argmax(shared))]))
    return tuple(result)


def _across_the_river(grid: Grid, terrain: Terrain) -> tuple[Bools, Floats]:
    """Cells of the far bank that only the ferry reaches, and the ferry's landings."""
    main = terrain.streams[0].points
    at = int(0.81 * (len(main) - 1))
    along = main[at + 8] - main[at - 8]
    normal = np.array([-along[1], along[0]]) / np.hypot(*along)
    centre = main[at] + 1900.0 * normal
    offset = grid.spot - centre
    near = np.hypot(*offset.T) <= 2300.0
    side = (grid.spot - main[at]) @ normal
    dry = ~(terrain.river | terrain.bridge).ravel()
    landings = np.array([main[at] + 330.0 * normal, main[at] - 330.0 * normal])
    return near & (side > 150.0) & dry, landings


def _main_roads(grid: Grid, terrain: Terrain, names: Mapping[str, Any], seats: list[int]) -> None:
    """Lay the national road along the river, province roads across, county roads to every seat."""
    across, _ = _across_the_river(grid, terrain)
    free = ~grid.blocked
    grid.blocked = grid.blocked | across
    short = [t["name"][:-1] for t in names["township"]]
    national = grid.name("国道", "G999")
    river = terrain.streams[0].points
    for east, north in (river[4] + (0.0, -300.0), river[-6] + (0.0, 300.0)):
        roads.lay(grid, _dry(grid, cell_at(east, north)), seats[0], "primary", national)
    province = grid.name("省道", "S998")
    for course in (terrain.streams[2].points, terrain.streams[7].points):
        inside = course[(course[:, 1] > SOUTH + 300) & (course[:, 1] < SOUTH + ROWS * CELL - 300)]
        place = _dry(grid, cell_at(*inside[0]))
        roads.lay(grid, place, seats[0], "secondary", province)
    second = grid.name("省道", "S997")
    roads.lay(grid, seats[6], seats[0], "secondary", second)
    roads.lay(grid, seats[7], seats[0], "secondary", second)
    order = np.argsort([np.hypot(*(grid.spot[s] - grid.spot[seats[0]])) for s in seats])
    for k in order[1:].tolist():
        label = grid.name(f"{short[0][0]}{short[k][:2]}公路", f"X{900 + k}")
        roads.lay(grid, seats[k], seats[0], "tertiary", label)
    for j, k in ((4, 5), (5, 6), (11, 10), (8, 13), (3, 7), (12, 4), (2, 11), (9, 13)):
        label = grid.name(f"{short[j][:2]}至{short[k][:2]}公路", f"X{930 + k}")
        roads.lay(grid, seats[j], seats[k], "tertiary", label)
    grid.blocked = ~free


def _dry(grid: Grid, cell: int) -> int:
    """Find the nearest cell that is not blocked."""
    free = np.flatnonzero(~grid.blocked)
    return int(free[cKDTree(grid.spot[free]).query(grid.spot[cell])[1]])


def _village_cells(
    rng: np.random.Generator, grid: Grid, terrain: Terrain, seats: list[int], across: Bools
) -> tuple[list[int], list[str]]:
    """Cells and kinds of all villages that have a road."""
    taken: list[int] = []
    kinds: list[str] = []
    ring = roads.distances(grid, [seats[0]])[0]
    row0, column0 = divmod(seats[0], COLUMNS)
    town = np.flatnonzero(grid.on_road() & np.isfinite(ring))
    apart = np.hypot(town // COLUMNS - row0, town % COLUMNS - column0)
    town = town[apart <= 9]
    for _ in range(16):  # farthest-first over the town's streets
        far = (
            np.full(len(town), 1.0)
            if not taken
            else cKDTree(grid.spot[taken]).query(grid.spot[town])[0]
        )
        far = far - 28.0 * np.hypot(town // COLUMNS - row0, town % COLUMNS - column0)
        taken.append(int(town[np.argmax(far)]))
        kinds.append("town")
    taken += seats[1:]
    kinds += ["seat"] * (len(seats) - 1)
    land = terrain.county.ravel() & ~(terrain.river | terrain.bridge).ravel()
    inner = distance_transform_edt(terrain.county).ravel() > 3
    offers = _offers(rng, terrain)
    offers = [c for c in offers if land[c] and inner[c]]
    home = [c for c in offers if across[c]]
    for cell in home:
        if kinds.count("ferry") < _FERRY and _clear(grid, taken, cell, 750.0):
            taken.append(cell)
            kinds.append("ferry")
    near_across = cKDTree(grid.spot[across])
    for gap in (1250.0, 1000.0, 800.0, 650.0):
        for cell in offers:
            if len(taken) >= _VILLAGES - _LONELY:
                return taken, kinds
            if near_across.query(grid.spot[cell])[0] < 900.0 or across[cell]:
                continue
            from_town = np.hypot(*(grid.spot[cell] - grid.spot[seats[0]]))
            if from_town > 1700.0 and _clear(grid, taken, cell, gap):
                taken.append(cell)
                kinds.append("suburb" if from_town < 4000.0 else "village")
    return taken, kinds


def _clear(grid: Grid, taken: list[int], cell: int, gap: float) -> bool:
    return bool(np.hypot(*(grid.spot[taken] - grid.spot[cell]).T).min() >= gap)


def _offers(rng: np.random.Generator, terrain: Terrain) -> list[int]:
    """Cells beside streams, some higher on the flanks, in an order left to chance."""
    offers = []
    for stream in terrain.streams:
        for at in range(3, len(stream.points) - 2, 3):
            along = stream.points[at + 1] - stream.points[at - 1]
            normal = np.array([-along[1], along[0]]) / np.hypot(*along)
            high = rng.uniform() < 0.22
            away = rng.uniform(550, 1100) if high else rng.uniform(120, 420)
            place = stream.points[at] + normal * away * rng.choice([-1.0, 1.0])
            if 0 < place[0] - WEST < COLUMNS * CELL and 0 < place[1] - SOUTH < ROWS * CELL:
                offers.append(cell_at(place[0], place[1]))
    return [offers[k] for k in rng.permutation(len(offers))]


def _short_cuts(rng: np.random.Generator, grid: Grid, rural: list[int]) -> None:
    """Tracks and footpaths over the divides between villages that are near but far by road."""
    tree = cKDTree(grid.spot[rural])
    pairs = sorted(tree.query_pairs(2600.0))
    by_road = roads.distances(grid, rural)
    far = []
    for a, b in pairs:
        straight = float(np.hypot(*(grid.spot[rural[a]] - grid.spot[rural[b]])))
        detour = by_road[a, rural[b]] / straight
        if detour > 3.2:
            far.append((-detour, a, b))
    linked: set[int] = set()
    laid = 0
    for _, a, b in sorted(far):
        if a in linked or b in linked or laid >= 46:
            continue
        kind = ("path", "path", "track", "unclassified")[int(rng.integers(4))]
        roads.lay(grid, rural[a], rural[b], kind, 0)
        linked |= {a, b}
        laid += 1


def _lonely(grid: Grid, terrain: Terrain, across: Bools) -> list[int]:
    """Places in the county more than 2 km from every road."""
    result: list[int] = []
    near = grid.on_road() | across
    inner = distance_transform_edt(terrain.county).ravel() > 5
    dry = ~(terrain.river | terrain.bridge).ravel()
    while len(result) < _LONELY:
        far = cKDTree(grid.spot[near]).query(grid.spot)[0]
        best = int(np.argmin(np.where(inner & dry, np.abs(far - 2450.0), np.inf)))
        if abs(far[best] - 2450.0) > 300.0:
            return result
        result.append(best)
        near = near.copy()
        near |= np.hypot(*(grid.spot - grid.spot[best]).T) < 6000.0
    return result


def _name_villages(
    rng: np.random.Generator,
    grid: Grid,
    terrain: Terrain,
    names: Mapping[str, Any],
    polygons: tuple[shapely.Polygon, ...],
    cells: list[int],
    kinds: list[str],
) -> tuple[Village, ...]:
    """Give every village a place beside its road, a township, a name and a code."""
    words = names["village"]
    hill = set(words["hill"])
    pool = [m + land for m in words["marks"] for land in words["lands"] if m[-1] != land]
    homes = [s + h for s in words["surnames"] for h in words["homes"]]
    pool = [pool[k] for k in rng.permutation(len(pool))]
    homes = [homes[k] for k in rng.permutation(len(homes)) if homes[k] != "李家坝"]
    steep = np.hypot(*np.gradient(terrain.height)).ravel()
    found: list[Village] = []
    towns = list(names["town"]["communities"])
    used: set[str] = set()
    for cell, kind in zip(cells, kinds, strict=True):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(25, 130)
        x = float(round(grid.spot[cell, 0] + away * np.cos(angle), 1))
        y = float(round(grid.spot[cell, 1] + away * np.sin(angle), 1))
        at = shapely.points(x, y)
        township = int(np.argmin([p.distance(at) for p in polygons]))
        if kind == "town":
            name = towns.pop(0) + "社区"
        elif kind == "seat":
            township_name = names["township"][township]["name"]
            name = township_name[:-1] + "街"
        else:
            shelf = homes if rng.uniform() < 0.5 else pool
            upland = bool(steep[cell] > 24.0)
            fits = (n for n in shelf if n not in used and (n[-1] in hill) == upland)
            name = next(fits, None) or next(n for n in shelf if n not in used)
        used.add(name)
        found.append(Village("", name, township, cell, x, y, kind))
    return _coded(found)


def _coded(villages: list[Village]) -> tuple[Village, ...]:
    """Give the villages of each township codes, from its seat outwards."""
    result = []
    for township in sorted({v.township for v in villages}):
        own = [v for v in villages if v.township == township]
        seat = next(v for v in own if v.kind in {"town", "seat"})
        own.sort(key=lambda v: (v.kind != "town", np.hypot(v.x - seat.x, v.y - seat.y), v.name))
        for k, village in enumerate(own):
            number = k + 1 if village.kind == "town" else 200 + k
            town_kind = 100 + township if township < 8 else 192 + township
            code = f"{COUNTY_CODE}{town_kind:03d}{number:03d}"
            result.append(replace(village, code=code))
    return tuple(result)
