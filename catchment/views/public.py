"""The gate of public files: no student's home, no student's code, no count of a few.

Every file meant for the public is written by :func:`publish`, which looks at the finished page
beside the private layers and refuses it rather than let one line through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer
from scipy.spatial import cKDTree

from catchment.errors import CatchmentError, InputError
from catchment.views.page import write_page

if TYPE_CHECKING:
    from catchment.region.model import Region
    from catchment.run import Run

PRIVACY_LIMIT = 10
"""Counts of students below this are not shown to the public, unless a recipe lowers the limit."""
LEAST_LIMIT = 5
"""A recipe may lower the limit to this and no further."""
ROUND_TO = 5
SUM_ROUND_TO = 10
"""Sums over villages that a reader can list are rounded to this."""
FEWER, NONE, WITHHELD = -10, -1, -20
"""Stand for a count below the limit, for one that does not exist, and for one that is not told."""
HOME_METRES = 50.0
DISTANCE_BANDS_KM = (0, 1, 2, 3, 5, 10, 15, 20, 30, 50)
"""Lower ends of the bands in which the public is told distances; the last is open."""

Int64 = npt.NDArray[np.int64]
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_SCALES = (1.0, 1e5, 1e6, 1e7)


def limit_of(run: Run) -> int:
    """Privacy limit of the public files of a run.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    int
        As the recipe's ``[publication]`` says, else :data:`PRIVACY_LIMIT`.

    Raises
    ------
    InputError
        When the limit is too low.
    """
    given = run.scenario.get("publication")
    told = given.get("privacy_limit") if isinstance(given, Mapping) else None
    return _checked(PRIVACY_LIMIT if told is None else int(told))


def rounded_up(counts: npt.ArrayLike, *, limit: int = PRIVACY_LIMIT) -> Int64:
    """Sizes as they may be told as "at most": the next multiple of five, or kept back.

    Parameters
    ----------
    counts : array_like of int
        Students; below 0 stays as it is.
    limit : int
        Counts from 1 to below this become :data:`FEWER`.

    Returns
    -------
    ndarray of int64
        The same shape.

    Examples
    --------
    >>> rounded_up([-1, 0, 9, 10, 41, 45]).tolist()
    [-1, 0, -10, 10, 45, 45]
    """
    given = np.asarray(counts, dtype=np.int64)
    up = -(-given // ROUND_TO) * ROUND_TO
    return np.where(given <= 0, given, np.where(given < _checked(limit), FEWER, up))


def rounded_sum(count: float, *, limit: int = PRIVACY_LIMIT) -> int:
    """Tell a sum of students over villages that the reader can list.

    The parents' page tells which villages are over the limit, ride or change school, in every year
    and arrangement. Two sums whose villages differ by one would give that village away; rounded
    to ten each, the difference of two still leaves ten numbers open.

    Parameters
    ----------
    count : float
        Students, 0 or more.
    limit : int
        Privacy limit.

    Returns
    -------
    int
        The nearest multiple of ten; 0 for nobody; :data:`FEWER` below twice the limit.

    Examples
    --------
    >>> [rounded_sum(n) for n in (0, 1, 19, 24, 25, 15_570)]
    [0, -10, -10, 20, 30, 15570]
    """
    if count <= 0:
        return 0
    if count < 2 * _checked(limit):
        return FEWER
    return int(count + SUM_ROUND_TO / 2) // SUM_ROUND_TO * SUM_ROUND_TO


def public_counts(
    counts: npt.ArrayLike,
    groups: Sequence[object],
    *,
    limit: int = PRIVACY_LIMIT,
    floors: npt.ArrayLike | None = None,
) -> tuple[Int64, dict[object, int]]:
    """Count cells and groups so that none below the limit can be seen or worked out.

    A cell below the limit is kept back (an empty one is too: that nobody lives there says as much
    about the neighbours). If what is kept back in a group does not add up to the limit, or is one
    cell alone, the next smallest cells are kept back as well, until it does; if the group has too
    few, its total is kept back instead. Totals of groups that are kept back are treated likewise
    towards the sum of all. What is shown is rounded to the nearest five.

    Where something else that is public says how many a cell has at least (the class of a school to
    which this village alone goes), only what it has beyond that hides it and its neighbours.

    Parameters
    ----------
    counts : (k,) array_like of int
        Students of each cell, 0 or more.
    groups : sequence
        Group of each cell, for example its township.
    limit : int
        Privacy limit, 5 or more.
    floors : (k,) array_like of int, optional
        Students whom the public knows each cell to have at least; 0 where left out.

    Returns
    -------
    cells : (k,) int64
        Rounded counts, :data:`FEWER` where kept back.
    totals : dict
        Rounded total by group, :data:`FEWER` where kept back.

    Raises
    ------
    InputError
        When the limit is too low.

    Examples
    --------
    >>> cells, totals = public_counts([40, 7, 22, 31, 3], ["A", "A", "A", "B", "B"])
    >>> cells.tolist(), totals
    ([40, -10, -10, -10, -10], {'A': 70, 'B': 35})
    """
    given = np.asarray(counts, dtype=np.int64)
    least = _checked(limit)
    known = np.zeros_like(given) if floors is None else np.asarray(floors, dtype=np.int64)
    beyond = given - np.clip(known, 0, given)
    names = sorted(set(groups), key=str)
    shown = beyond >= least
    totals: dict[object, int] = {}
    whole: dict[object, int] = {}
    spare: list[int] = []
    for name in names:
        mine = np.array([g == name for g in groups], dtype=bool)
        shown = _complemented(beyond, shown, mine, least)
        whole[name] = int(given[mine].sum())
        spare.append(int(beyond[mine].sum()))
    sums = np.array(spare, dtype=np.int64)
    open_sums = _complemented(sums, sums >= least, np.ones(len(sums), dtype=bool), least)
    for k, name in enumerate(names):
        totals[name] = _nearest(whole[name]) if open_sums[k] else FEWER
    rounded = np.array([_nearest(int(n)) for n in given], dtype=np.int64).reshape(given.shape)
    return np.where(shown, rounded, FEWER), totals


def _complemented(
    counts: Int64, shown: npt.NDArray[np.bool_], mine: npt.NDArray[np.bool_], least: int
) -> npt.NDArray[np.bool_]:
    """Keep back further cells of one group until those kept back hide each other."""
    out = shown.copy()
    while True:
        back = np.flatnonzero(mine & ~out)
        rest = np.flatnonzero(mine & out)
        if not len(back) or not len(rest):
            return out
        if len(back) > 1 and counts[back].sum() >= least:
            return out
        out[min(rest, key=lambda k: (int(counts[k]), int(k)))] = False


def _nearest(count: int) -> int:
    return (count + ROUND_TO // 2) // ROUND_TO * ROUND_TO


def _checked(limit: int) -> int:
    if limit < LEAST_LIMIT:
        raise InputError(
            f"公开人数下限为 {limit}，不得低于 {LEAST_LIMIT} / the privacy limit may not be below "
            f"{LEAST_LIMIT}"
        )
    return limit


def distance_band(metres: float) -> int:
    """Band of a distance.

    Parameters
    ----------
    metres : float
        Distance; inf or nan = none.

    Returns
    -------
    int
        Position in :data:`DISTANCE_BANDS_KM`, -1 where there is no distance.

    Examples
    --------
    >>> [distance_band(m) for m in (0.0, 999.9, 1000.0, 12_345.0, 80_000.0, float("inf"))]
    [0, 0, 1, 5, 9, -1]
    """
    if not np.isfinite(metres):
        return -1
    return int(np.searchsorted(DISTANCE_BANDS_KM, metres / 1000.0, side="right")) - 1


def publish(
    page: str,
    path: Path,
    region: Region,
    *,
    counts: Iterable[int] = (),
    limit: int = PRIVACY_LIMIT,
) -> Path:
    """Write a page for the public, or refuse it.

    Parameters
    ----------
    page : str
        The finished page, policy mark included.
    path : Path
        The file wanted.
    region : Region
        The county; its students' homes and codes must not be in the page.
    counts : iterable of int
        Every count of students on the page.
    limit : int
        Privacy limit.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    CatchmentError
        As :func:`admit`.
    """
    admit(page, path.name, region, counts=counts, limit=limit)
    return write_page(page, path)


def admit(
    text: str,
    name: str,
    region: Region,
    *,
    counts: Iterable[int] = (),
    limit: int = PRIVACY_LIMIT,
) -> None:
    """Let a file for the public pass, or refuse it: the one gate for pages and slides.

    Parameters
    ----------
    text : str
        Everything that can be read in the file.
    name : str
        Its name, for the message.
    region : Region
        The county; its students' homes and codes must not be in the text.
    counts : iterable of int
        Every count of students in the file.
    limit : int
        Privacy limit.

    Raises
    ------
    CatchmentError
        When a count is below the limit, a student's code is in the text, or a pair of numbers in it
        lies within 50 m of a home and is not a village, school or site itself.
    """
    least = _checked(limit)
    small = sorted({int(c) for c in counts if c not in (FEWER, NONE, WITHHELD) and c < least})
    if small:
        raise CatchmentError(
            f"{name} 含有少于 {least} 人的学生数 {small[:5]}，未写出 / the page holds counts of "
            f"fewer than {least} students; not written"
        )
    codes = student_codes(region)
    if any(code in text for code in codes):
        raise CatchmentError(
            f"{name} 含有学生编号，未写出；请检查村名、校名和说明 / it holds a student's code; not written; "
            "look at names and notes"
        )
    near = homes_in(text, region)
    if near:
        raise CatchmentError(
            f"{name} 有 {near} 处坐标与学生住址相距不到 {HOME_METRES:g} 米，未写出 / {near} pairs of "
            "coordinates in it lie at a student's home; not written"
        )


def student_codes(region: Region) -> list[str]:
    """Codes of the students that are long enough to be told from other text.

    Parameters
    ----------
    region : Region
        The county.

    Returns
    -------
    list of str
        Sorted; codes of villages and schools are left out.
    """
    table = region.students
    if table is None or not len(table) or "student_id" not in table.columns:
        return []
    public = set(region.villages["village_id"].astype(str)) | set(
        region.schools["school_id"].astype(str)
    )
    return sorted({c for c in table["student_id"].astype(str) if len(c) >= 6} - public)


def homes_in(text: str, region: Region, *, metres: float = HOME_METRES) -> int:
    """Count pairs of numbers in a text that lie at a student's home.

    Degrees, steps of 1e-5 to 1e-7 degree and metres of the county's own system are tried, in
    either order.

    Parameters
    ----------
    text : str
        Any text.
    region : Region
        The county.
    metres : float
        How near is at home.

    Returns
    -------
    int
        Pairs, those at a village, school or candidate site's own point left out.
    """
    table = region.students
    if table is None or not len(table):
        return 0
    homes = _points(table)
    if not len(homes):
        return 0
    numbers = np.array([float(n) for n in _NUMBER.findall(text)])
    if len(numbers) < 2:
        return 0
    public = np.concatenate(
        [_points(t) for t in (region.villages, region.schools, region.sites)] or [np.zeros((0, 2))]
    )
    tree = cKDTree(homes)
    low, high = homes.min(axis=0) - 1000, homes.max(axis=0) + 1000
    back = Transformer.from_crs(CRS.from_epsg(4326), region.crs, always_xy=True)
    pairs = np.column_stack([numbers[:-1], numbers[1:]])
    found = 0
    for turned in (pairs, pairs[:, ::-1]):
        tried = [turned]
        for scale in _SCALES:
            degrees = turned / scale
            ok = (np.abs(degrees[:, 0]) <= 180) & (np.abs(degrees[:, 1]) <= 85)
            if ok.any():
                x, y = back.transform(degrees[ok, 0], degrees[ok, 1])
                tried.append(np.column_stack([x, y]))
        for at in tried:
            at = at[np.isfinite(at).all(axis=1)]
            at = at[((at > low) & (at < high)).all(axis=1)]
            if not len(at):
                continue
            close = tree.query(at)[0] < metres
            own = cKDTree(public).query(at)[0] < 2.0 if len(public) else np.zeros(len(at), bool)
            found += int((close & ~own).sum())
    return found


def _points(table: object) -> npt.NDArray[np.float64]:
    geometry = getattr(table, "geometry", None)
    if geometry is None or not len(geometry):
        return np.zeros((0, 2))
    there = geometry[geometry.notna() & ~geometry.is_empty]
    return np.column_stack([there.x.to_numpy(float), there.y.to_numpy(float)])
