"""Checks of places against each other: overlapping borders, wrong townships, shifted layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS

from catchment.coordinates import (
    bd09_to_wgs84,
    gcj02_to_wgs84,
    in_china,
    transform,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from catchment.region.faults import Fault
from catchment.region.relations import Table
from catchment.region.schema import value_key

FloatArray = npt.NDArray[np.float64]
OVERLAP_SHARE, OVERLAP_M2 = 0.005, 10_000.0
STUDENT_FAR_M = 10_000.0
# Drawn borders are this uncertain; a village beside one is not said to stand on the wrong side.
BORDER_GRACE_M = 100.0
# A shift is reported when it explains at least half of the misplaced points, and at least these.
SHIFT_LEAST_POINTS, SHIFT_LEAST_GAIN, SHIFT_GAIN_SHARE = 8, 3, 0.03
SHIFT_ROAD_M, SHIFT_ROAD_SHARE = 50.0, 0.6
# The points of one township are few, and several are tried: what explains them must do so well.
PART_ROAD_M, PART_ROAD_SHARE = 100.0, 0.3

_Shift = tuple[str, str, Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]]
_SHIFTS: tuple[_Shift, ...] = (
    ("带有 GCJ-02 偏移而未声明", "carry an undeclared GCJ-02 offset", gcj02_to_wgs84),
    ("带有 BD-09 偏移而未声明", "carry an undeclared BD-09 offset", bd09_to_wgs84),
    (
        "被多做了一次 GCJ-02 纠偏",
        "had a GCJ-02 offset undone that they did not carry",
        wgs84_to_gcj02,
    ),
    (
        "被多做了一次 BD-09 纠偏",
        "had a BD-09 offset undone that they did not carry",
        wgs84_to_bd09,
    ),
)


@dataclass(frozen=True)
class _Townships:
    """Township polygons by plain name, with an index over them."""

    names: list[str]
    shapes: npt.NDArray[np.object_]
    tree: shapely.STRtree

    def of(self, x: FloatArray, y: FloatArray, grace: float = 0.0) -> list[set[int]]:
        """Positions of the townships that hold each point; its border belongs to both sides."""
        held: list[set[int]] = [set() for _ in x]
        good = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if len(good):
            pairs = self.tree.query(
                shapely.points(x[good], y[good]), predicate="dwithin", distance=grace
            )
            for point, shape in zip(*pairs.tolist(), strict=True):
                held[int(good[point])].add(shape)
        return held


def check_surroundings(tables: Mapping[str, Table], crs: CRS) -> list[Fault]:
    """Check where the rows stand.

    Parameters
    ----------
    tables : mapping of str to Table
        All layers, placed.
    crs : CRS
        Metric system of their geometry.

    Returns
    -------
    list of Fault
        Warnings only; nothing here spoils a row.
    """
    faults = overlaps(tables["boundaries"])
    townships, tree = _townships(tables["boundaries"]), _road_tree(tables["roads"].geometry)
    for name in ("villages", "schools", "sites"):
        shifted = _shifted(tables[name], tree, townships, crs)
        faults.extend(shifted)
        # A shifted layer is one thing to correct, not a list of misplaced rows.
        if townships is not None and not shifted:
            faults.extend(_wrong_township(tables[name], townships))
    faults.extend(_shifted(tables["students"], tree, None, crs))
    faults.extend(_far_students(tables["students"], tables["villages"]))
    return faults


def shifts(tables: Mapping[str, Table], roads: npt.NDArray[np.object_], crs: CRS) -> list[Fault]:
    """Find layers that an undeclared offset would put on roads from a file of their own.

    Parameters
    ----------
    tables : mapping of str to Table
        All layers, placed.
    roads : ndarray of object
        Lines in the metric system.
    crs : CRS
        Metric system.

    Returns
    -------
    list of Fault
        One a layer at most; layers that townships give away already are told by
        ``check_surroundings`` and here again in other words.
    """
    tree, townships = _road_tree(roads), _townships(tables["boundaries"])
    found = []
    for name in ("villages", "schools", "sites"):
        found.extend(_shifted(tables[name], tree, townships, crs))
    return [*found, *_shifted(tables["students"], tree, None, crs)]


def overlaps(boundaries: Table) -> list[Fault]:
    """Find polygons of one level that cover the same ground.

    Parameters
    ----------
    boundaries : Table
        Layer of boundaries.

    Returns
    -------
    list of Fault
        One a pair, with the overlap in hectares; slivers along a shared border are left out.
    """
    found = []
    kinds = boundaries.frame["kind"].tolist()
    for kind in ("county", "township", "village"):
        at = [k for k, g in enumerate(boundaries.geometry) if g is not None and kinds[k] == kind]
        if len(at) < 2:
            continue
        shapes = boundaries.geometry[at]
        left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        once = left < right
        left, right = left[once], right[once]
        shared = shapely.area(shapely.intersection(shapes[left], shapes[right]))
        least = np.minimum(shapely.area(shapes[left]), shapely.area(shapes[right]))
        wide = (shared > OVERLAP_M2) & (shared > OVERLAP_SHARE * least)
        for a, b, area in zip(left[wide], right[wide], shared[wide], strict=True):
            name = boundaries.frame["name"].iat[at[int(a)]]
            found.append(
                boundaries.fault(
                    "overlap",
                    at[int(b)],
                    "name",
                    boundaries.frame["name"].iat[at[int(b)]],
                    other=name,
                    hectares=f"{area / 10_000.0:,.1f}",
                )
            )
    return found


def _townships(boundaries: Table) -> _Townships | None:
    kinds = boundaries.frame["kind"].tolist()
    names = boundaries.frame["name"].tolist()
    at = [
        k
        for k, g in enumerate(boundaries.geometry)
        if g is not None and kinds[k] == "township" and names[k] is not None
    ]
    if not at:
        return None
    shapes = boundaries.geometry[at]
    return _Townships([value_key(names[k]) for k in at], shapes, shapely.STRtree(shapes))


def _stated(table: Table) -> list[str]:
    if "township" not in table.frame:
        return [""] * len(table.rows)
    return [value_key(str(v)) if v is not None else "" for v in table.frame["township"]]


def _wrong_township(table: Table, townships: _Townships) -> list[Fault]:
    known = set(townships.names)
    found = []
    stated = _stated(table)
    for k, held in enumerate(townships.of(table.x, table.y, BORDER_GRACE_M)):
        names = sorted(townships.names[t] for t in held)
        if names and stated[k] in known and stated[k] not in names:
            value = table.frame["township"].iat[k]
            found.append(table.fault("township_differs", k, "township", value, other=names[0]))
    return found


def _shifted(
    table: Table, tree: shapely.STRtree | None, townships: _Townships | None, crs: CRS
) -> list[Fault]:
    """Find out whether a known offset explains where a layer stands, or where townships of it do."""
    whole = _offset_of(table, tree, townships, crs)
    if whole is not None:
        return [whole]
    stated = np.asarray(_stated(table), dtype=object)
    found = []
    for town in sorted({t for t in stated.tolist() if t}):
        mine = stated == town
        if SHIFT_LEAST_POINTS <= mine.sum() < len(stated):
            part = _offset_of(table.keep(mine), tree, townships, crs, part=True)
            if part is not None:
                found.append(part)
    return found


def _offset_of(
    table: Table,
    tree: shapely.STRtree | None,
    townships: _Townships | None,
    crs: CRS,
    *,
    part: bool = False,
) -> Fault | None:
    """Find the known offset that explains best where the points stand."""
    good = np.isfinite(table.x) & np.isfinite(table.y)
    good &= in_china(np.nan_to_num(table.lon), np.nan_to_num(table.lat))
    if good.sum() < SHIFT_LEAST_POINTS:
        return None
    least, share = (PART_ROAD_M, PART_ROAD_SHARE) if part else (SHIFT_ROAD_M, SHIFT_ROAD_SHARE)
    lon, lat = table.lon[good], table.lat[good]
    stated = [name for name, ok in zip(_stated(table), good, strict=True) if ok]
    town = str(table.frame["township"].iat[0]) if part else ""
    hits, road = _score(table.x[good], table.y[good], stated, townships, tree)
    best: tuple[float, Fault] | None = None
    for zh, en, undo in _SHIFTS:
        x, y = transform(*undo(lon, lat), "EPSG:4326", crs)
        after_hits, after_road = _score(x, y, stated, townships, tree)
        named = _named(stated, townships)
        gain = after_hits - hits
        clearly = (
            named >= SHIFT_LEAST_POINTS
            and gain >= max(SHIFT_LEAST_GAIN, SHIFT_GAIN_SHARE * named)
            and 2 * (named - after_hits) <= named - hits
        )
        nearer = road > least and after_road < share * road
        contradicted = (nearer and gain < 0) or (clearly and after_road > road * 1.5)
        if (clearly or nearer) and not contradicted:
            fault = Fault(
                "looks_shifted",
                table.layer.layer,
                column=table.title("township") if part else "",
                value=town,
                details={
                    "count": int(good.sum()),
                    "direction_zh": zh,
                    "direction_en": en,
                    "before": hits,
                    "after": after_hits,
                    "road_before": _metres(road),
                    "road_after": _metres(after_road),
                },
                file=table.file,
            )
            merit = gain / max(named, 1) + (0.0 if np.isnan(road) else 1.0 - after_road / road)
            if best is None or merit > best[0]:
                best = (merit, fault)
    return best[1] if best else None


def _named(stated: list[str], townships: _Townships | None) -> int:
    known = set(townships.names) if townships is not None else set()
    return sum(name in known for name in stated)


def _score(
    x: FloatArray,
    y: FloatArray,
    stated: list[str],
    townships: _Townships | None,
    tree: shapely.STRtree | None,
) -> tuple[int, float]:
    """Points in the township they name, and the median distance to the nearest road."""
    hits = 0
    if townships is not None:
        for name, held in zip(stated, townships.of(x, y), strict=True):
            hits += any(townships.names[t] == name for t in held)
    if tree is None:
        return hits, float("nan")
    # A sample in fixed steps is enough for a median and keeps large student layers quick.
    step = max(1, len(x) // 2000)
    points = shapely.points(x[::step], y[::step])
    nearest = tree.nearest(points)
    return hits, float(np.median(shapely.distance(points, tree.geometries[nearest])))


def _road_tree(roads: npt.NDArray[np.object_]) -> shapely.STRtree | None:
    lines = [g for g in roads if g is not None]
    return shapely.STRtree(lines) if lines else None


def _metres(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:,.0f}"


def _far_students(students: Table, villages: Table) -> list[Fault]:
    position = {code: k for k, code in enumerate(villages.frame["village_id"])}
    found = []
    for k, code in enumerate(students.frame["village_id"]):
        at = position.get(code) if code is not None else None
        if at is None:
            continue
        away = float(np.hypot(students.x[k] - villages.x[at], students.y[k] - villages.y[at]))
        if np.isfinite(away) and away > STUDENT_FAR_M:
            found.append(
                students.fault("student_far", k, "village_id", code, km=f"{away / 1000.0:.1f}")
            )
    return found
