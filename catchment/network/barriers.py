"""What cuts walking ways: railways and rivers, and where lines cross."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import CRS

from catchment.errors import InputError
from catchment.network.graph import require_metric
from catchment.network.load import roads_bounds
from catchment.network.osm import read_barriers
from catchment.region.model import Region

RAILWAY, RIVER, MAIN_ROAD = "railway", "river", "main_road"

_KINDS = {
    RAILWAY: RAILWAY, "rail": RAILWAY, "light_rail": RAILWAY, "narrow_gauge": RAILWAY,
    "铁路": RAILWAY, "轨道": RAILWAY, RIVER: RIVER, "canal": RIVER, "河流": RIVER, "河": RIVER,
    "江": RIVER, "运河": RIVER, "干渠": RIVER, "水系": RIVER,
}  # fmt: skip
_NOT = frozenset({"", "no", "否", "无", "0", "0.0", "false"})
_OWN = ("barriers.gpkg", "barriers.geojson", "障碍.gpkg", "障碍.geojson")


@dataclass(frozen=True)
class Barriers:
    """Lines that a walking child should not have to cross.

    Attributes
    ----------
    lines : (b,) ndarray of LineString
        In the region's CRS; pieces that follow each other are one.
    kinds : tuple of str
        ``railway``, ``river`` or ``main_road``.
    separated : (b,) bool
        On a bridge, in a tunnel or culvert: not crossed at grade.
    pieces : (p,) ndarray of LineString
        The lines as they were given.
    piece_kinds, names : tuple of str
        Kind and name of each piece; names are empty where there is none.
    known : bool
        Whether there was a source at all; without one nothing can be said.
    """

    lines: npt.NDArray[np.object_]
    kinds: tuple[str, ...]
    separated: npt.NDArray[np.bool_]
    pieces: npt.NDArray[np.object_]
    piece_kinds: tuple[str, ...]
    names: tuple[str, ...]
    known: bool = True

    def of_kind(self, kind: str) -> Barriers:
        """Take the barriers of one kind.

        Parameters
        ----------
        kind : str
            ``railway``, ``river`` or ``main_road``.

        Returns
        -------
        Barriers
            Those.
        """
        mine = np.array([k == kind for k in self.kinds], dtype=np.bool_)
        held = [k for k, own in enumerate(self.piece_kinds) if own == kind]
        return dataclasses.replace(
            self,
            lines=self.lines[mine],
            kinds=(kind,) * int(mine.sum()),
            separated=self.separated[mine],
            pieces=self.pieces[held],
            piece_kinds=(kind,) * len(held),
            names=tuple(self.names[k] for k in held),
        )

    def named_at(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> list[str]:
        """Name the pieces nearest to places on the barriers.

        Parameters
        ----------
        x, y : (p,) float64
            Places, metres.

        Returns
        -------
        list of str
            A name a place, the first that is not empty of pieces equally near.
        """
        names = [""] * len(x)
        if len(self.pieces) and len(x):
            at, piece = shapely.STRtree(self.pieces).query_nearest(shapely.points(x, y))
            for k, which in sorted(zip(at.tolist(), piece.tolist(), strict=True)):
                names[k] = names[k] or self.names[which]
        return names


@dataclass(frozen=True)
class Hits:
    """Where lines cross barriers, by line, then from its start.

    Attributes
    ----------
    line : (h,) int64
        Line crossed.
    metres : (h,) float64
        Where along it.
    barrier : (h,) int64
        Barrier that it crosses there.
    x, y : (h,) float64
        The place.
    """

    line: npt.NDArray[np.int64]
    metres: npt.NDArray[np.float64]
    barrier: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]

    def take(self, which: npt.NDArray[Any]) -> Hits:
        """Take some of the crossings.

        Parameters
        ----------
        which : (h,) bool or (k,) int
            Those that are wanted.

        Returns
        -------
        Hits
            Those.
        """
        return Hits(*(getattr(self, f.name)[which] for f in dataclasses.fields(self)))


def joined(parts: Sequence[Hits]) -> Hits:
    """Put crossings behind each other.

    Parameters
    ----------
    parts : sequence of Hits
        At least one.

    Returns
    -------
    Hits
        All.
    """
    names = [field.name for field in dataclasses.fields(Hits)]
    return Hits(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def barriers_of(region: Region, layer: gpd.GeoDataFrame | None = None) -> Barriers:
    """Find the railways and rivers of a county.

    Parameters
    ----------
    region : Region
        County; a layer ``barriers`` (``障碍``) in its folder, as ``.gpkg`` or ``.geojson``, goes
        before its OpenStreetMap file.
    layer : GeoDataFrame, optional
        Lines with ``kind`` (``railway``, ``river``, ``铁路``, ``河流`` and the like) and maybe
        ``name``, ``bridge``, ``tunnel``, ``separated``; goes before either.

    Returns
    -------
    Barriers
        Lines; ``known`` is False where the county has no source of them.

    Raises
    ------
    InputError
        When a layer cannot be read or holds an unknown kind.
    """
    if layer is not None:
        return _of_layer(layer, region.crs, "barriers")
    if region.folder is not None:
        for name in _OWN:
            file = region.folder / name
            if file.is_file():
                return _of_layer(_read(file), region.crs, name)
    road_file = region.road_file
    if road_file is not None and road_file.suffix.lower() in (".pbf", ".osm"):
        table = read_barriers(road_file, region.crs, bounds=roads_bounds(region))
        return merged(
            table.geometry.to_numpy(), list(table["kind"]), list(table["name"]),
            table["separated"].to_numpy(dtype=bool),
        )  # fmt: skip
    nothing = np.zeros(0, dtype=object)
    return Barriers(nothing, (), np.zeros(0, dtype=np.bool_), nothing, (), (), known=False)


def merged(
    lines: npt.NDArray[np.object_],
    kinds: list[str],
    names: list[str],
    separated: npt.NDArray[np.bool_],
) -> Barriers:
    """Join pieces of one and the same barrier end to end.

    Parameters
    ----------
    lines : (b,) ndarray of LineString
        Pieces.
    kinds, names : list of str
        Of each piece.
    separated : (b,) bool
        Of each piece.

    Returns
    -------
    Barriers
        Fewer, longer lines.
    """
    # Names do not part a barrier: a road or river that changes its name at a junction is one.
    groups: dict[tuple[str, bool], list[int]] = {}
    for k, key in enumerate(zip(kinds, separated.tolist(), strict=True)):
        groups.setdefault(key, []).append(k)
    found: list[shapely.LineString] = []
    said: list[tuple[str, bool]] = []
    for key in sorted(groups):
        whole = shapely.line_merge(shapely.multilinestrings(lines[groups[key]]))
        parts = shapely.get_parts(whole)
        found += list(parts)
        said += [key] * len(parts)
    out = np.empty(len(found), dtype=object)
    out[:] = found
    return Barriers(
        out,
        tuple(kind for kind, _ in said),
        np.array([apart for _, apart in said], dtype=np.bool_),
        lines,
        tuple(kinds),
        tuple(names),
    )


def crossings_of(
    shape: npt.NDArray[np.float64], offsets: npt.NDArray[np.int64], barriers: Barriers
) -> Hits:
    """Find where lines cross barriers that are not on another level.

    A line that passes through a vertex of a barrier crosses once; one that merely touches crosses
    twice at one place or not at all, so that pairs at one place may be struck out. The lines are
    taken as moved by a distance smaller than any other, which leaves no tie to decide.

    Parameters
    ----------
    shape : (c, 2) float64
        Vertices of all lines, metres.
    offsets : (l + 1,) int64
        Where each line begins.
    barriers : Barriers
        What is crossed.

    Returns
    -------
    Hits
        All crossings.
    """
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    at_grade = np.flatnonzero(~barriers.separated)
    xy, of = shapely.get_coordinates(barriers.lines[at_grade], return_index=True)
    second = np.flatnonzero(of[1:] == of[:-1]) + 1 if len(of) else none
    owner = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
    later = np.flatnonzero(owner[1:] == owner[:-1]) + 1 if len(owner) else none
    if not len(second) or not len(later):
        return Hits(none, nothing, none, nothing, nothing)
    fence = np.asarray(shapely.linestrings(np.stack([xy[second - 1], xy[second]], axis=1)))
    way = np.asarray(shapely.linestrings(np.stack([shape[later - 1], shape[later]], axis=1)))
    mine, other = shapely.STRtree(fence).query(way)
    a, b = shape[later[mine] - 1], shape[later[mine]]
    c, d = xy[second[other] - 1], xy[second[other]]
    from_a, from_b = _cross(d - c, a - c), _cross(d - c, b - c)
    apart = _side(from_a, d - c, -1.0) != _side(from_b, d - c, -1.0)
    from_c, from_d = _cross(b - a, c - a), _cross(b - a, d - a)
    apart &= _side(from_c, b - a, 1.0) != _side(from_d, b - a, 1.0)
    hit = np.flatnonzero(apart)
    span = from_a[hit] - from_b[hit]
    share = np.clip(np.divide(from_a[hit], span, out=np.full(len(hit), 0.5), where=span != 0), 0, 1)
    step = np.zeros(len(shape))
    step[1:] = np.hypot(*(shape[1:] - shape[:-1]).T)
    step[offsets[:-1][np.diff(offsets) > 0]] = 0.0
    run = np.cumsum(step)
    at = later[mine[hit]]
    line = owner[at]
    metres = run[at - 1] + share * step[at] - run[offsets[:-1]][line]
    barrier = at_grade[of[second[other[hit]]]].astype(np.int64)
    order = np.lexsort((barrier, metres, line))
    spot = (a[hit] + share[:, None] * (b[hit] - a[hit]))[order]
    return Hits(line[order], metres[order], barrier[order], spot[:, 0], spot[:, 1])


def _cross(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def _side(
    value: npt.NDArray[np.float64], along: npt.NDArray[np.float64], sign: float
) -> npt.NDArray[np.bool_]:
    """On which side a point lies; on the line itself, where a small move east-north takes it."""
    moved = np.where(along[:, 1] != 0, sign * along[:, 1], -sign * along[:, 0])
    return np.where(value != 0, value, moved) > 0


def _read(file: Path) -> gpd.GeoDataFrame:
    try:
        return gpd.read_file(file)
    except Exception as fault:  # pyogrio raises many kinds for a damaged file
        raise InputError(
            f"{file.name} 无法读取，请重新导出 / cannot be read; export it again ({fault})"
        ) from fault


def _of_layer(layer: gpd.GeoDataFrame, crs: CRS, where: str) -> Barriers:
    if layer.crs is None:
        require_metric(None, where)
    lines = layer.to_crs(crs).reset_index(drop=True)
    said = lines["kind"] if "kind" in lines.columns else pd.Series([""] * len(lines))
    kinds = []
    for row, value in enumerate(said.astype(str), start=1):
        kind = _KINDS.get(value.strip().lower())
        if kind is None:
            raise InputError(
                f"{where} 第 {row} 行 kind = {value!r}：应为 railway（铁路）或 river（河流） / row "
                f"{row}: kind must be railway or river"
            )
        kinds.append(kind)
    names = _column(lines, "name")
    apart = np.zeros(len(lines), dtype=np.bool_)
    for key in ("separated", "bridge", "tunnel"):
        apart |= np.array([v.strip().lower() not in _NOT for v in _column(lines, key)])
    geometry = shapely.force_2d(lines.geometry.to_numpy())
    parts, row_of = shapely.get_parts(geometry, return_index=True)
    usable = (shapely.get_type_id(parts) == 1) & ~shapely.is_empty(parts)
    usable &= np.isfinite(shapely.bounds(parts)).all(axis=1)
    parts, row_of = parts[usable], row_of[usable]
    return merged(parts, [kinds[k] for k in row_of], [names[k] for k in row_of], apart[row_of])


def _column(table: gpd.GeoDataFrame, name: str) -> list[str]:
    if name not in table.columns:
        return [""] * len(table)
    return ["" if pd.isna(v) else str(v) for v in table[name]]
