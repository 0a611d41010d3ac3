"""Terrain of the invented county: streams, heights, the county's outline, on one metric grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

METRIC_CRS = "EPSG:4545"  # CGCS2000, 3-degree Gauss-Krueger, central meridian 108 E
WEST, SOUTH = 422_000.0, 3_004_000.0
CELL = 150.0
COLUMNS, ROWS = 320, 294

# Courses in kilometres from the south-west corner, source first.
_MAIN = [
    (1, 33),
    (9, 30),
    (15, 31),
    (20, 26),
    (24, 22),
    (29, 20),
    (33, 15),
    (38, 14),
    (42, 9),
    (48, 7),
]
_TRIBUTARIES = [
    [(10, 43), (12, 38), (14, 34), (15, 31)],
    [(24, 43), (22, 37), (24, 31), (20.5, 25.5)],
    [(36, 42), (33, 36), (30, 31), (28, 26), (25.5, 21.2)],
    [(46, 33), (40, 29), (37, 24), (34, 19), (32.5, 15.6)],
    [(2, 14), (8, 17), (13, 19), (18, 21), (22.3, 23.7)],
    [(10, 2), (13, 8), (18, 12), (22, 16), (24.6, 21.7)],
    [(27, 1), (28, 7), (31, 10), (34, 14.8)],
    [(41, 0.5), (40, 5), (42, 9)],
    [(3, 23), (6, 27), (9, 30)],
    [(47, 21), (43, 16), (39.5, 12.3)],
]
_BRIDGES = (0.16, 0.31, 0.455, 0.485, 0.62, 0.73, 0.885)  # places along the main river, 0 to 1


@dataclass(frozen=True)
class Stream:
    """One water course.

    Attributes
    ----------
    points : (k, 2) float64
        Metres, source first.
    height : (k,) float64
        Metres above the sea.
    kind : str
        ``main``, ``tributary`` or ``side``.
    """

    points: Floats
    height: Floats
    kind: str


@dataclass(frozen=True)
class Terrain:
    """Heights and masks on the metric grid; row 0 is the south.

    Attributes
    ----------
    height : (ROWS, COLUMNS) float64
        Metres above the sea.
    streams : tuple of Stream
        Main river first.
    river : (ROWS, COLUMNS) bool
        Cells of the main river that cannot be crossed.
    bridge : (ROWS, COLUMNS) bool
        Cells of the main river where a bridge stands.
    county : (ROWS, COLUMNS) bool
        Cells of the county.
    """

    height: Floats
    streams: tuple[Stream, ...]
    river: Bools
    bridge: Bools
    county: Bools


def centres() -> tuple[Floats, Floats]:
    """Positions of the cell centres.

    Returns
    -------
    x, y : (ROWS, COLUMNS) float64
        Metres.
    """
    columns = WEST + (np.arange(COLUMNS) + 0.5) * CELL
    rows = SOUTH + (np.arange(ROWS) + 0.5) * CELL
    x, y = np.meshgrid(columns, rows)
    return x, y


def build(rng: np.random.Generator) -> Terrain:
    """Build the terrain.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Terrain
        Terrain whose valleys follow its streams.
    """
    streams = _streams(rng)
    x, y = centres()
    flat = np.column_stack([x.ravel(), y.ravel()])
    relief = 560.0 * (0.8 + 0.45 * _noise(rng, (5, 9, 17)).ravel())
    height = np.full(flat.shape[0], np.inf)
    nearest = np.full(flat.shape[0], np.inf)
    for stream in streams:
        distance, at = cKDTree(stream.points).query(flat)
        floor = {"main": 330.0, "tributary": 220.0, "side": 130.0}[stream.kind]
        rise = relief * (1.0 - np.exp(-np.maximum(distance - floor, 0.0) / 1900.0))
        # The lowest of all valleys' slopes: continuous over the divides.
        height = np.minimum(height, stream.height[at] + rise + 0.012 * np.minimum(distance, floor))
        nearest = np.minimum(nearest, distance)
    rough = 70.0 * _noise(rng, (17, 33, 65)).ravel() * np.clip((nearest - 250.0) / 900.0, 0.0, 1.0)
    # Rounded here and below, so that machines whose last digits differ make the same county.
    grid = np.round(gaussian_filter((height + rough).reshape(ROWS, COLUMNS), 0.7), 3)
    main = cKDTree(streams[0].points)
    river = (main.query(flat)[0] <= 125.0).reshape(ROWS, COLUMNS)
    crossings = streams[0].points[[int(f * (len(streams[0].points) - 1)) for f in _BRIDGES]]
    near_bridge = (cKDTree(crossings).query(flat)[0] <= 230.0).reshape(ROWS, COLUMNS)
    return Terrain(grid, streams, river & ~near_bridge, river & near_bridge, _county(rng, x, y))


def height_at(terrain: Terrain, x: Floats, y: Floats) -> Floats:
    """Heights at points, bilinear.

    Parameters
    ----------
    terrain : Terrain
        The terrain.
    x, y : (n,) float64
        Metres.

    Returns
    -------
    (n,) float64
        Metres above the sea; the edge's height outside the grid.
    """
    column = np.clip((x - WEST) / CELL - 0.5, 0.0, COLUMNS - 1.001)
    row = np.clip((y - SOUTH) / CELL - 0.5, 0.0, ROWS - 1.001)
    c, r = column.astype(int), row.astype(int)
    u, v = column - c, row - r
    h = terrain.height
    low = h[r, c] * (1 - u) + h[r, c + 1] * u
    high = h[r + 1, c] * (1 - u) + h[r + 1, c + 1] * u
    return np.asarray(low * (1 - v) + high * v)


def _noise(rng: np.random.Generator, sizes: tuple[int, ...]) -> Floats:
    """Smooth noise between about -1 and 1, halved at each finer size."""
    total = np.zeros((ROWS, COLUMNS))
    for k, size in enumerate(sizes):
        coarse = rng.uniform(-1.0, 1.0, (size, size))
        fine = zoom(coarse, (ROWS / size, COLUMNS / size), order=3, mode="nearest", grid_mode=True)
        total += fine / 2**k
    return total


def _meander(rng: np.random.Generator, corners: Floats, swing: float) -> Floats:
    """Draw a course through corners with bends, a point about every 100 m."""
    steps = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(along[-1] / 100.0) + 1
    s = np.linspace(0.0, along[-1], count)
    line = np.column_stack([np.interp(s, along, corners[:, k]) for k in (0, 1)])
    line = gaussian_filter(line, (12, 0), mode="nearest")
    tangent = np.gradient(line, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None]
    wave = np.zeros(count)
    for length, size in ((5200.0, 1.0), (2300.0, 0.55), (1100.0, 0.25)):
        wave += size * np.sin(2 * np.pi * (s / length + rng.uniform()))
    fade = np.minimum(1.0, np.minimum(s, along[-1] - s) / 2000.0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    return np.asarray(np.round(line + normal * (swing * wave * fade)[:, None], 2))


def _streams(rng: np.random.Generator) -> tuple[Stream, ...]:
    origin = np.array([WEST, SOUTH])
    course = _meander(rng, origin + 1000.0 * np.array(_MAIN, dtype=float), 420.0)
    streams = [Stream(course, np.linspace(655.0, 470.0, len(course)), "main")]
    for corners in _TRIBUTARIES:
        points = origin + 1000.0 * np.array(corners, dtype=float)
        at = int(cKDTree(course).query(points[-1])[1])
        points[-1] = course[at]
        line = _meander(rng, points, 300.0)
        line[-1] = course[at]
        s = np.arange(len(line))[::-1] * 0.1
        streams.append(Stream(line, streams[0].height[at] + 9.0 * s + 0.35 * s**2, "tributary"))
    taken = [s.points for s in streams]
    for parent in tuple(streams):
        side = 1.0
        place = rng.uniform(8, 20)
        while place < len(parent.points) - 8:
            at = int(place)
            line = _side(rng, parent.points, at, side, np.vstack(taken))
            if len(line) >= 14:
                s = np.arange(len(line)) * 0.1
                climb = parent.height[at] + 26.0 * s + 4.0 * s**2
                streams.append(Stream(line[::-1], climb[::-1], "side"))
                taken.append(line)
            side = -side
            place += rng.uniform(11, 19)
    return tuple(streams)


def _side(rng: np.random.Generator, parent: Floats, at: int, side: float, taken: Floats) -> Floats:
    """Draw a short stream out of a valley's flank, stopped before it meets another."""
    ahead = parent[min(at + 5, len(parent) - 1)] - parent[max(at - 5, 0)]
    heading = float(np.arctan2(ahead[1], ahead[0])) + side * (np.pi / 2 + rng.uniform(-0.2, 0.7))
    tree = cKDTree(taken)
    points = [parent[at]]
    turn = 0.0
    for k in range(int(rng.uniform(28, 68))):
        turn = 0.85 * turn + rng.normal(0.0, 0.06)
        heading += turn * 0.6
        step = points[-1] + 100.0 * np.array([np.cos(heading), np.sin(heading)])
        if k > 10 and tree.query(step)[0] < min(100.0 * k * 0.7, 1000.0):
            break
        points.append(step)
    return np.round(np.array(points), 2)


def _county(rng: np.random.Generator, x: Floats, y: Floats) -> Bools:
    """Mark the county's cells: one rounded, indented patch."""
    dx = (x - (WEST + 24_000.0)) / 22_300.0
    dy = (y - (SOUTH + 22_000.0)) / 20_300.0
    angle = np.arctan2(dy, dx)
    reach = np.full(x.shape, 0.955)
    for k, size in ((2, 0.02), (3, 0.03), (5, 0.022), (8, 0.016), (13, 0.012), (21, 0.007)):
        reach += size * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    away = (np.abs(dx) ** 2.7 + np.abs(dy) ** 2.7) ** (1 / 2.7)  # between an ellipse and a box
    return np.asarray(away <= np.minimum(reach, 1.04))
