"""Land of a run as integers: roads, outlines, cells and points, and colours for catchments.

Geometry is in WGS84 in steps of 1e-5 degree (about a metre), each vertex counted from the one
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import shapely
from pyproj import CRS, Transformer

from catchment.network.graph import RoadNetwork
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.run.colours import stable_colours
from catchment.run.colours import touching as joined
from catchment.views.plain import plain

Numbers = npt.NDArray[Any]

_STEP = 1e5
_SIMPLIFY_M = 6.0
_CELL_SIMPLIFY_M = 15.0
_LONGEST_NAME = 160
_RANKS = {
    "motorway": 0, "trunk": 0, "primary": 0, "secondary": 1, "tertiary": 2,
    "unclassified": 3, "residential": 3, "living_street": 3, "road": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Turns points in metres into steps of 1e-5 degree.

    Attributes
    ----------
    change : Transformer
        From the region's metric CRS to WGS84.
    """

    change: Transformer

    def points(self, x: Numbers, y: Numbers) -> npt.NDArray[np.int64]:
        """Change points to steps.

        Parameters
        ----------
        x, y : (k,) array
            Metres.

        Returns
        -------
        (k, 2) int64
            Longitude and latitude.
        """
        lon, lat = self.change.transform(np.asarray(x, float), np.asarray(y, float))
        at = np.column_stack([lon, lat])
        return np.rint(np.where(np.isfinite(at), at, 0.0) * _STEP).astype(np.int64)


def frame_of(crs: CRS) -> Frame:
    """Prepare the change from a metric CRS.

    Parameters
    ----------
    crs : CRS
        Metric coordinate system.

    Returns
    -------
    Frame
        The change.
    """
    return Frame(Transformer.from_crs(crs, CRS.from_epsg(4326), always_xy=True))


def _steps(points: npt.NDArray[np.int64]) -> list[int]:
    """Write one line as its count of points, its first point and the steps from there."""
    keep = np.ones(len(points), bool)
    keep[1:] = (np.diff(points, axis=0) != 0).any(axis=1)
    kept = points[keep]
    moved = np.diff(kept, axis=0, prepend=np.zeros((1, 2), np.int64))
    return [len(kept), *moved.ravel().tolist()]


def rings(shape: Any, frame: Frame) -> list[int]:
    """List outer and inner rings of a polygon or several, one after the other.

    Parameters
    ----------
    shape : geometry
        Polygon, several, or empty.
    frame : Frame
        Change of coordinates.

    Returns
    -------
    list of int
        For each ring its count of points, its first point and the steps from there.
    """
    out: list[int] = []
    if shape.is_empty:
        return out
    for part in shapely.get_parts(shapely.get_parts(shape)):
        if part.geom_type != "Polygon":
            continue
        for ring in (part.exterior, *part.interiors):
            at = shapely.get_coordinates(ring)
            steps = _steps(frame.points(at[:, 0], at[:, 1]))
            if steps[0] >= 4:
                out += steps
    return out


def outlines(region: Region, kind: str, frame: Frame) -> list[dict[str, Any]]:
    """List boundaries of one kind.

    Parameters
    ----------
    region : Region
        The county.
    kind : {"county", "township", "village"}
        Kind of boundary.
    frame : Frame
        Change of coordinates.

    Returns
    -------
    list of dict
        ``name``, ``at`` (where to write the name), ``rings``.
    """
    table = region.boundaries
    if not len(table):
        return []
    rows = table[table["kind"] == kind].sort_values("boundary_id")
    shapes = shapely.make_valid(rows.geometry.to_numpy())
    shapes = shapely.coverage_simplify(shapes, _CELL_SIMPLIFY_M) if len(rows) else shapes
    out = []
    for name, shape in zip(rows["name"], shapes, strict=True):
        spot = shape.representative_point() if not shape.is_empty else None
        out.append(
            {
                "name": plain(name, longest=_LONGEST_NAME),
                "at": frame.points(*shapely.get_coordinates(spot).T)[0].tolist() if spot else [],
                "rings": rings(shape, frame),
            }
        )
    return out


def roads(net: RoadNetwork, frame: Frame) -> list[dict[str, Any]]:
    """Join the lines of the road network where a road goes on, thinned to what can be seen.

    Parameters
    ----------
    net : RoadNetwork
        Roads.
    frame : Frame
        Change of coordinates.

    Returns
    -------
    list of dict
        By class and hazard: ``rank`` (0 = main), ``hazard``, ``line`` (counts and steps; each line
        starts from where the one before ended).
    """
    ranks = np.array(
        [_RANKS.get(c.removesuffix("_link"), 4) for c in net.classes] or [4], dtype=np.int8
    )
    rank = ranks[net.road_class] if len(net.road_class) else np.zeros(0, np.int8)
    counts = np.diff(net.offsets)
    owner = np.repeat(np.arange(len(counts)), counts)
    out = []
    for hazard in (False, True):
        for level in range(5):
            mine = (rank == level) & (net.hazard == hazard)
            if not mine.any():
                continue
            keep = mine[owner]
            index = np.cumsum(mine) - 1
            lines = shapely.linestrings(net.shape[keep], indices=index[owner[keep]])
            whole = shapely.line_merge(shapely.multilinestrings(lines))
            parts = shapely.get_parts(shapely.simplify(whole, _SIMPLIFY_M))
            parts = parts[shapely.length(parts) > 0]
            flat: list[int] = []
            last = np.zeros(2, np.int64)
            for part in parts:
                at = shapely.get_coordinates(part)
                points = frame.points(at[:, 0], at[:, 1])
                steps = _steps(points - last)
                last = points[-1]
                flat += steps
            out.append({"rank": level, "hazard": hazard, "line": flat})
    return out


def spots(points: Numbers, frame: Frame) -> list[list[int]]:
    """Change points to steps, leaving an empty list where there is no point.

    Parameters
    ----------
    points : (k,) array of geometry
        Points, None or empty.
    frame : Frame
        Change of coordinates.

    Returns
    -------
    list of list of int
        Longitude and latitude.
    """
    there = np.array([p is not None and not p.is_empty for p in points], dtype=bool)
    out: list[list[int]] = [[] for _ in points]
    if there.any():
        at = shapely.get_coordinates(points[there])
        for i, xy in zip(np.flatnonzero(there), frame.points(at[:, 0], at[:, 1]), strict=True):
            out[i] = xy.tolist()
    return out


def catchment_colours(
    problem: Problem, plans: Mapping[str, Plan], touching: sp.csr_matrix
) -> dict[str, list[npt.NDArray[np.int64]]]:
    """Colours of the catchments: neighbours differ, a school keeps its colour.

    Parameters
    ----------
    problem : Problem
        The question.
    plans : mapping of str to Plan
        Arrangements by label.
    touching : (v, v) csr_matrix of bool
        Villages whose cells touch.

    Returns
    -------
    dict
        By label and band: (m, t) colours of the sites.
    """
    upper = sp.triu(touching, k=1).tocoo()
    pairs = np.column_stack([upper.row, upper.col]).astype(np.int64)
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    out: dict[str, list[npt.NDArray[np.int64]]] = {label: [] for label in plans}
    for k in range(len(problem.bands)):
        rows = np.flatnonzero(problem.group_band == k)
        at = np.full(len(problem.village_ids), -1)
        at[problem.group_village[rows]] = rows
        states = [(label, t) for label in plans for t in range(len(problem.years))]
        graphs = []
        for label, t in states:
            site_of = plans[label].site_of[:, t]
            graphs.append(joined(pairs, np.where(at >= 0, site_of[np.maximum(at, 0)], -1)))
        chosen = stable_colours(graphs, len(problem.site_ids))
        for label in plans:
            mine = [c for (q, _), c in zip(states, chosen, strict=True) if q == label]
            out[label].append(np.column_stack(mine))
    return out
