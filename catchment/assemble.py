"""Region + travel times + students + places -> Problem: the only place where ids become positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from catchment.demand import StudentsByVillage
from catchment.errors import InputError
from catchment.network.allowed import BOARD, BandMode, read_band_modes
from catchment.network.travel import TravelTimes, best_mode
from catchment.problem import Bool, Float32, Int32, Problem
from catchment.region.bands import Band
from catchment.region.model import Region

MODES = ("walk", "bus", "board")
"""Modes of a group's trip: on foot, by school bus, boarding during the week."""

_PARENTS = ("ebike", "car")  # follow the others where the county lets a band go by them


@dataclass(frozen=True)
class _Universe:
    """Sites of the whole question: today's schools first, then candidate sites."""

    ids: tuple[str, ...]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    grade_from: Int32
    grade_to: Int32


def used_bands(bands: Sequence[Band], stages: Sequence[str]) -> tuple[Band, ...]:
    """Bands of the chosen stages.

    Parameters
    ----------
    bands : sequence of Band
        Table of bands.
    stages : sequence of str
        ``primary``, ``junior``.

    Returns
    -------
    tuple of Band
        In order of grade.
    """
    return tuple(b for b in bands if b.stage in stages)


def assemble(
    regions: Sequence[Region],
    years: Sequence[int],
    times: Sequence[TravelTimes],
    network: Sequence[int],
    students: StudentsByVillage,
    neighbours: csr_matrix,
    bands: Sequence[Band],
    *,
    county: Region | None = None,
) -> Problem:
    """Bring the county of every year, its travel times and its students into one problem.

    Parameters
    ----------
    regions : sequence of Region
        The county of each year (see :func:`catchment.scenario.apply`).
    years : sequence of int
        (t) school years.
    times : sequence of TravelTimes
        Travel times of each different road network, rows the villages, columns all schools and
        candidate sites of the first region.
    network : sequence of int
        (t) which of ``times`` holds in each year.
    students : StudentsByVillage
        Students by village, grade and year.
    neighbours : csr_matrix of bool
        (v, v) villages whose cells touch.
    bands : sequence of Band
        Bands in use.
    county : Region, optional
        The county of today, before any action: sites, what is open today and where every village
        goes today are read from it; the first of ``regions`` when left out.

    Returns
    -------
    Problem
        Frozen arrays, sites ordered as schools then candidate sites.

    Raises
    ------
    InputError
        When a school teaches only a part of a band: the table of bands must match the county.
    """
    first = regions[0] if county is None else county
    universe = _universe(first)
    villages = tuple(first.villages["village_id"].astype(str))
    n_bands = len(bands)
    group_village = np.repeat(np.arange(len(villages), dtype=np.int32), n_bands)
    group_band = np.tile(np.arange(n_bands, dtype=np.int8), len(villages))
    grades = tuple(g for b in bands for g in b.grades)
    grade_band = np.array([k for k, b in enumerate(bands) for _ in b.grades], dtype=np.int8)
    by_group = _students_of_groups(students, villages, years, grades, grade_band, n_bands)
    state = [_state(region, universe, bands) for region in regions]
    present = _state(first, universe, bands)
    open_now = np.stack([s.open for s in state], axis=2)
    parents = {name for t in times for name in t.modes}
    modes = (*MODES, *(name for name in _PARENTS if name in parents))
    trips = [_trips(t, universe.ids, villages, bands, modes) for t in times]
    minutes = np.stack([t[0] for t in trips])
    metres = np.stack([t[1] for t in trips])
    mode = np.stack([t[2] for t in trips])
    beds = np.stack([s.beds for s in state], axis=1)
    daily = mode
    mode = _boarding(mode, minutes, beds, group_band, bands, times[0].allowed if times else ())
    today = _designated(first, villages, universe.ids, bands)
    fixed = _fixed(regions, today, villages, universe.ids, bands)
    village_xy = np.column_stack([first.villages.geometry.x, first.villages.geometry.y])
    home = cKDTree(village_xy).query(np.column_stack([universe.x, universe.y]))[1]
    can_host = np.column_stack(
        [(universe.grade_from <= b.grade_from) & (b.grade_to <= universe.grade_to) for b in bands]
    )
    position = {v: k for k, v in enumerate(students.village_ids)}
    order = [position[v] for v in villages]
    columns = [students.years.index(y) for y in years]
    return Problem(
        village_ids=villages,
        site_ids=universe.ids,
        bands=tuple(b.band for b in bands),
        grades=grades,
        grade_band=grade_band,
        years=tuple(years),
        group_village=group_village,
        group_band=group_band,
        students=by_group,
        estimated=np.asarray(students.estimated)[np.ix_(order, columns)].astype(bool),
        modes=modes,
        minutes=minutes,
        metres=metres,
        mode=mode,
        network=np.asarray(network, dtype=np.int32),
        rooms=np.stack([s.rooms for s in state], axis=1),
        beds=beds,
        dining_seats=np.stack([s.dining_seats for s in state], axis=1),
        nap_places=np.stack([s.nap_places for s in state], axis=1),
        class_size=np.tile(
            np.array([b.class_size for b in bands for _ in b.grades], dtype=np.int32),
            (len(universe.ids), 1),
        ),
        neighbours=neighbours,
        home=home.astype(np.int32),
        existing=np.asarray(present.open.any(axis=1)),
        today_open=present.open,
        can_host=can_host | open_now.any(axis=2) | present.open,
        must_open=open_now,
        must_close=~open_now,
        today=today,
        fixed_site=fixed,
        trip_limit=np.array([b.trip_limit_min for b in bands], dtype=np.float32),
        daily_mode=daily,
    )


@dataclass(frozen=True)
class SiteYears:
    """What a recipe does to the sites and the villages' schools, year by year.

    Attributes
    ----------
    opened : (m, b, t) bool
        Bands taught.
    rooms, beds, dining_seats, nap_places : (m, t) int32
        Classrooms usable; beds, dining seats and nap places, -1 where unknown.
    designated : (n, t) int32
        School of each group by the county's word or a hand, -1 where none.
    """

    opened: Bool
    rooms: Int32
    beds: Int32
    dining_seats: Int32
    nap_places: Int32
    designated: Int32


def restate(
    problem: Problem, years: SiteYears, bands: Sequence[Band], allowed: Sequence[BandMode] = ()
) -> Problem:
    """Pose the same question with other sites, rooms and designations in its years.

    Parameters
    ----------
    problem : Problem
        A question of the same county and years; its trips are kept.
    years : SiteYears
        What holds in each year.
    bands : sequence of Band
        Bands in use.
    allowed : sequence of BandMode
        Modes and limits of the bands, as in the travel times.

    Returns
    -------
    Problem
        What :func:`assemble` makes of the counties of those years.
    """
    daily = problem.mode if problem.daily_mode is None else problem.daily_mode
    now = years.designated
    return problem.replace(
        mode=_boarding(daily, problem.minutes, years.beds, problem.group_band, bands, allowed),
        rooms=years.rooms,
        beds=years.beds,
        dining_seats=years.dining_seats,
        nap_places=years.nap_places,
        can_host=problem.can_host | years.opened.any(axis=2),
        must_open=years.opened,
        must_close=~years.opened,
        fixed_site=np.where(now != problem.today[:, None], now, -1).astype(np.int32),
    )


def _universe(region: Region) -> _Universe:
    schools, sites = region.schools, region.sites
    ids = (*schools["school_id"].astype(str), *sites["site_id"].astype(str))
    both = set(schools["school_id"].astype(str)) & set(sites["site_id"].astype(str))
    if both:
        raise InputError(
            f"schools、sites: 代码重复 {', '.join(sorted(both))}；备选校址须用不同代码 / "
            "a candidate site bears the code of a school"
        )
    return _Universe(
        ids=ids,
        x=np.concatenate([schools.geometry.x.to_numpy(), sites.geometry.x.to_numpy()]),
        y=np.concatenate([schools.geometry.y.to_numpy(), sites.geometry.y.to_numpy()]),
        grade_from=np.concatenate([_ints(schools["grade_from"]), _ints(sites["grade_from"])]),
        grade_to=np.concatenate([_ints(schools["grade_to"]), _ints(sites["grade_to"])]),
    )


def _ints(column: pd.Series, missing: int = 0) -> Int32:
    return np.asarray(pd.to_numeric(column).fillna(missing).to_numpy(), dtype=np.int32)


@dataclass(frozen=True)
class _State:
    open: Bool
    rooms: Int32
    beds: Int32
    dining_seats: Int32
    nap_places: Int32


def _state(region: Region, universe: _Universe, bands: Sequence[Band]) -> _State:
    """Return what every site of the universe is in one year's county."""
    schools = region.schools.set_index("school_id").reindex(list(universe.ids))
    working = (schools["status"] == "existing").to_numpy()
    first = _ints(schools["grade_from"], 99)
    last = _ints(schools["grade_to"], 0)
    whole, part = [], []
    for band in bands:
        whole.append(working & (first <= band.grade_from) & (band.grade_to <= last))
        part.append(working & (first <= band.grade_to) & (band.grade_from <= last))
    partial = np.asarray(np.any(np.array(part) & ~np.array(whole), axis=0))
    if partial.any():
        rows = ", ".join(
            f"{schools['name'].iloc[j]}（{universe.ids[j]}，{first[j]}–{last[j]} 年级）"
            for j in np.flatnonzero(partial)[:10]
        )
        raise InputError(
            f"schools: {rows} 只办了某学段的一部分年级；请在县文件夹中放一份与实际相符的 bands.csv，"
            "或改正起止年级 / these schools teach only a part of a band: put a bands.csv that matches "
            "the county into its folder, or correct grade_from and grade_to"
        )

    def column(name: str, missing: int) -> Int32:
        if name not in schools.columns:
            return np.full(len(universe.ids), missing, dtype=np.int32)
        return _ints(schools[name], missing)

    rooms = np.where(working, column("rooms", 0), 0).astype(np.int32)
    return _State(
        open=np.array(whole).T.reshape(len(universe.ids), len(bands)),
        rooms=rooms,
        beds=column("beds", -1),
        dining_seats=column("dining_seats", -1),
        nap_places=column("nap_places", -1),
    )


def _students_of_groups(
    students: StudentsByVillage,
    villages: Sequence[str],
    years: Sequence[int],
    grades: Sequence[int],
    grade_band: npt.NDArray[np.int8],
    n_bands: int,
) -> Int32:
    row = {v: k for k, v in enumerate(students.village_ids)}
    counts = np.asarray(students.counts)[
        np.ix_(
            [row[v] for v in villages],
            [students.grades.index(g) for g in grades],
            [students.years.index(y) for y in years],
        )
    ]
    out = np.zeros((len(villages), n_bands, len(grades), len(years)), dtype=np.int32)
    for position, band in enumerate(grade_band):
        out[:, band, position, :] = counts[:, position, :]
    return out.reshape(len(villages) * n_bands, len(grades), len(years))


def _trips(
    times: TravelTimes,
    site_ids: Sequence[str],
    villages: Sequence[str],
    bands: Sequence[Band],
    modes: Sequence[str],
) -> tuple[Float32, Float32, npt.NDArray[np.int8]]:
    """Best daily trip of each group to each site of the universe, in this problem's modes."""
    minutes, metres, mode = best_mode(times, bands)
    column = {s: k for k, s in enumerate(times.sites)}
    row = {v: k for k, v in enumerate(times.villages)}
    columns = np.array([column[s] for s in site_ids])
    n_bands = len(bands)
    rows = np.array([row[v] * n_bands + k for v in villages for k in range(n_bands)])
    # best_mode answers in the modes of the travel times (walk_<band>, bus); a plan only asks
    # whether the child walks or rides.
    kind = np.array([modes.index("walk" if m.startswith("walk") else m) for m in times.modes])
    chosen = mode[np.ix_(rows, columns)]
    return (
        minutes[np.ix_(rows, columns)].astype(np.float32),
        metres[np.ix_(rows, columns)].astype(np.float32),
        np.where(chosen < 0, -1, kind[np.maximum(chosen, 0)]).astype(np.int8),
    )


def _boarding(
    mode: npt.NDArray[np.int8],
    minutes: Float32,
    beds: Int32,
    group_band: npt.NDArray[np.int8],
    bands: Sequence[Band],
    allowed: Sequence[BandMode],
) -> npt.NDArray[np.int8]:
    """Beyond the daily limit a band that may board does so where the school has beds."""
    rows = {row.band: row for row in (*read_band_modes(bands), *allowed) if row.mode == BOARD}
    limit = np.array([rows[b.band].limit_of(b) for b in bands])[group_band]
    may = np.array([rows[b.band].allowed for b in bands])[group_band]
    has_beds = np.asarray((beds > 0).any(axis=1))
    boards = (
        np.isfinite(minutes)
        & (minutes > limit[None, :, None])
        & may[None, :, None]
        & has_beds[None, None, :]
    )
    return np.where(boards, MODES.index(BOARD), mode).astype(np.int8)


def _designated(
    region: Region, villages: Sequence[str], site_ids: Sequence[str], bands: Sequence[Band]
) -> Int32:
    position = {s: k for k, s in enumerate(site_ids)}
    table = region.villages.set_index(region.villages["village_id"].astype(str))
    out = np.full((len(villages), len(bands)), -1, dtype=np.int32)
    for k, band in enumerate(bands):
        column = f"school_{band.band}"
        if column not in table.columns:
            continue
        for i, school in enumerate(table[column].reindex(list(villages))):
            if isinstance(school, str) and school:
                if school not in position:
                    raise InputError(
                        f"villages, {column}: 村 {villages[i]} 的学校代码 {school} 不存在；请核对学校表 / "
                        f"village {villages[i]} names a school that does not exist"
                    )
                out[i, k] = position[school]
    return out.reshape(-1)


def _fixed(
    regions: Sequence[Region],
    today: Int32,
    villages: Sequence[str],
    site_ids: Sequence[str],
    bands: Sequence[Band],
) -> Int32:
    """Return where an action sends a group: its designated school differs from today's."""
    fixed = np.full((len(today), len(regions)), -1, dtype=np.int32)
    for t, region in enumerate(regions):
        now = _designated(region, villages, site_ids, bands)
        fixed[:, t] = np.where(now != today, now, -1)
    return fixed
