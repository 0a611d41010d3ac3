"""Children and schools of the invented county: cohorts, school points, who goes where, classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from demo_county import roads
from demo_county.settlements import County, Village
from demo_county.terrain import COLUMNS, Floats

Ints = npt.NDArray[np.int64]

YEARS = tuple(range(2026, 2036))
GRADES = tuple(range(1, 10))
PLANNED = 2  # township whose village schools the example recipe merges
_UNCOUNTED = 4  # villages whose children nobody has counted
# Share of the cohort of 2018 that enters grade 1 in 2018 .. 2035.
_RURAL = (
    1.0,
    1.02,
    1.03,
    1.0,
    0.96,
    0.92,
    0.86,
    0.80,
    0.74,
    0.66,
    0.60,
    0.55,
    0.52,
    0.50,
    0.48,
    0.47,
    0.45,
    0.44,
)
_TOWN = (1.0, 1.03, 1.06, 1.09, 1.11, 1.12, 1.10, 1.07, 1.04, 0.99, 0.93, 0.87, 0.81, 0.76, 0.72, 0.68, 0.65, 0.62)  # fmt: skip


@dataclass(frozen=True)
class School:
    """One school or teaching point.

    Attributes
    ----------
    code, name : str
        Ten-digit code and name.
    township : int
        Position of its township.
    role : str
        Role in Chinese, as the county office writes it.
    first, last : int
        Grades taught.
    cell : int
        Its cell on the grid.
    x, y : float
        Metres.
    rooms, beds, dining, naps, teachers : int
        What it has.
    urban : str
        Urban-rural class code.
    closed : bool
        Whether it was closed years ago.
    """

    code: str
    name: str
    township: int
    role: str
    first: int
    last: int
    cell: int
    x: float
    y: float
    rooms: int = 0
    beds: int = 0
    dining: int = 0
    naps: int = 0
    teachers: int = 0
    urban: str = "220"
    closed: bool = False


@dataclass(frozen=True)
class Schooling:
    """Children, schools and who goes where today.

    Attributes
    ----------
    children : (villages, 9, years) int64
        Children by village, grade and year; zero for uncounted villages.
    counted : (villages,) bool
        Whether the village has rows in the table of children.
    population : (villages,) int64
        Residents.
    schools : tuple of School
        In order of code.
    designated : (villages, 3) int64
        Position of the school of grades 1-3, 4-6 and 7-9.
    classes : dict of (int, int) to tuple of int
        Size of every class by school and grade, first year.
    """

    children: Ints
    counted: npt.NDArray[np.bool_]
    population: Ints
    schools: tuple[School, ...]
    designated: Ints
    classes: dict[tuple[int, int], tuple[int, ...]]


def educate(
    rng: np.random.Generator, county: County, names: Mapping[str, Any]
) -> tuple[County, Schooling]:
    """Fill the county with children and schools.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    county : County
        Villages and roads.
    names : mapping
        Content of ``names.toml``.

    Returns
    -------
    County
        The county, its villages named for good.
    Schooling
        Tables that agree with each other to the last child.
    """
    villages = county.villages
    base = _sizes(rng, villages)
    by_road = _between_villages(county)
    hosts = _choose(villages, base, by_road, county)
    villages = _rename(villages, hosts)
    schools = _found(rng, county, villages, hosts, names)
    designated = _designate(county, villages, schools)
    ordinary = [k for k, v in enumerate(villages) if v.kind == "village" and k not in hosts]
    counted = np.ones(len(villages), dtype=bool)
    counted[rng.choice(ordinary, _UNCOUNTED, replace=False)] = False
    children = _cohorts(rng, villages, base)
    whole = children[:, :, 0].sum(axis=1)
    share = np.where([v.kind == "town" for v in villages], 0.128, 0.106)
    population = np.rint(whole / share * rng.uniform(0.93, 1.08, len(villages))).astype(np.int64)
    population = np.maximum(population, 18)
    children = children * counted[:, None, None]
    schools, classes = _equip(rng, schools, children[:, :, 0], designated)
    settled = replace(county, villages=villages)
    return settled, Schooling(children, counted, population, tuple(schools), designated, classes)


def _sizes(rng: np.random.Generator, villages: tuple[Village, ...]) -> Floats:
    """Children a cohort that each village had in 2018."""
    usual = {
        "town": 42.5,
        "suburb": 6.0,
        "seat": 17.0,
        "village": 3.15,
        "lonely": 0.5,
        "ferry": 1.6,
    }
    spread = {
        "town": 0.28,
        "suburb": 0.4,
        "seat": 0.25,
        "village": 0.62,
        "lonely": 0.2,
        "ferry": 0.3,
    }
    draws = rng.normal(size=len(villages))
    return np.array(
        [
            round(usual[v.kind] * np.exp(spread[v.kind] * d - spread[v.kind] ** 2 / 2), 6)
            for v, d in zip(villages, draws, strict=True)
        ]
    )


def _cohorts(rng: np.random.Generator, villages: tuple[Village, ...], base: Floats) -> Ints:
    """Follow every cohort through its nine grades: villages lose children, the town gains some."""
    result = np.zeros((len(villages), len(GRADES), len(YEARS)), dtype=np.int64)
    for k, village in enumerate(villages):
        town = village.kind == "town"
        trend = _TOWN if town else _RURAL
        for entry in range(2018, 2036):
            size = int(rng.poisson(base[k] * trend[entry - 2018]))
            for grade in range(1, 10):
                year = entry + grade - 1
                if year > YEARS[-1]:
                    break
                if grade > 1 and year > YEARS[0]:
                    size += (
                        int(rng.poisson(0.011 * size)) if town else -int(rng.binomial(size, 0.015))
                    )
                if year >= YEARS[0]:
                    result[k, grade - 1, year - YEARS[0]] = size
    return result


def _between_villages(county: County) -> Floats:
    cells = [v.cell for v in county.villages]
    return roads.distances(county.grid, cells)[:, cells]


def _choose(
    villages: tuple[Village, ...], base: Floats, by_road: Floats, county: County
) -> dict[int, str]:
    """Choose which villages have a school: far from the others first, larger ones complete."""
    hosts: dict[int, str] = {}
    for township in range(len(county.townships)):
        own = [k for k, v in enumerate(villages) if v.township == township]
        usable = [k for k in own if villages[k].kind in {"village", "suburb"}]
        centre = [k for k in own if villages[k].kind in {"seat", "town"}]
        chosen = centre[:1]
        wanted = 5 if township == 0 else max(3, round(len(own) / 5.6))
        picked: list[int] = []
        while len(picked) < wanted and usable:
            score = [
                min(by_road[k, c] for c in chosen)
                * (0.45 + min(_near(by_road, base, k, usable), 22) / 22)
                if np.isfinite(min(by_road[k, c] for c in chosen))
                else 0.0
                for k in usable
            ]
            best = usable[int(np.argmax(score))]
            chosen.append(best)
            picked.append(best)
            usable.remove(best)
        picked.sort(key=lambda k: -_near(by_road, base, k, own))
        complete = round(len(picked) * 0.46)
        for rank, k in enumerate(picked):
            hosts[k] = "完全小学" if rank < complete else "教学点"
    ferry = [k for k, v in enumerate(villages) if v.kind == "ferry"]
    if ferry:
        hosts[max(ferry, key=lambda k: (base[k], -k))] = "教学点"
    return hosts


def _near(by_road: Floats, base: Floats, k: int, among: list[int]) -> float:
    """Children a cohort within 2.5 km."""
    return float(sum(base[j] for j in among if by_road[k, j] <= 2500.0))


def _rename(villages: tuple[Village, ...], hosts: dict[int, str]) -> tuple[Village, ...]:
    """Give the smallest fitting teaching point's village of the third township the name 李家坝."""
    spot = next(
        k for k, role in hosts.items() if role == "教学点" and villages[k].township == PLANNED
    )
    return tuple(replace(v, name="李家坝") if k == spot else v for k, v in enumerate(villages))


def _found(
    rng: np.random.Generator,
    county: County,
    villages: tuple[Village, ...],
    hosts: dict[int, str],
    names: Mapping[str, Any],
) -> list[School]:
    """Found all schools, without codes' gaps, each beside a road near its village."""
    grid = county.grid
    found: list[School] = []

    def add(
        name: str, township: int, role: str, grades: tuple[int, int], cell: int, **more: Any
    ) -> None:
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(25, 70)
        x = float(round(grid.spot[cell, 0] + away * np.cos(angle), 1))
        y = float(round(grid.spot[cell, 1] + away * np.sin(angle), 1))
        number = (
            sum(s.first != 7 for s in found) if grades[0] != 7 else sum(s.first == 7 for s in found)
        )
        kind = "31" if grades[0] == 7 else "21"
        code = f"{kind}52{number * 7 + 270_018 + township:06d}"
        found.append(School(code, name, township, role, *grades, cell, x, y, **more))

    town_cells = [v.cell for v in villages if v.kind == "town"]
    spread = [town_cells[0]]
    for _ in range(6):
        far = cKDTree(grid.spot[spread]).query(grid.spot[town_cells])[0]
        spread.append(town_cells[int(np.argmax(far))])
    spread = [_beside(grid, cell, set(town_cells)) for cell in spread]
    spread[3:5] = sorted(spread[3:5], key=lambda c: grid.spot[c, 1])  # the south's, the north's
    for name, cell in zip(names["town"]["primary"], spread, strict=False):
        add(
            name,
            0,
            "完全小学" if name != names["town"]["primary"][0] else "中心校",
            (1, 6),
            cell,
            urban="121",
        )
    for name, cell in zip(names["town"]["junior"], spread[5:], strict=True):
        add(name, 0, "初中", (7, 9), cell, urban="121")
    with_junior = _junior_townships(county, villages)
    for township in range(1, len(county.townships)):
        short = county.townships[township][:-1]
        kind = "121" if county.townships[township].endswith("镇") else "210"
        seat = county.seats[township]
        if township == with_junior[-1]:
            cell = _beside(grid, seat, {seat})
            add(f"{short}九年一贯制学校", township, "九年一贯制", (1, 9), cell, urban=kind)
            continue
        add(f"{short}中心小学", township, "中心校", (1, 6), _beside(grid, seat, {seat}), urban=kind)
        if township in with_junior:
            cell = _beside(grid, seat, {seat, found[-1].cell})
            add(f"{short}初级中学", township, "初中", (7, 9), cell, urban=kind)
    for k in sorted(hosts):
        village, role = villages[k], hosts[k]
        word, last = ("小学", 6) if role == "完全小学" else ("教学点", 3)
        add(f"{village.name}{word}", village.township, role, (1, last), village.cell)
    closed = max(
        (
            k
            for k, v in enumerate(villages)
            if v.kind == "village" and k not in hosts and v.township == 7
        ),
        key=lambda k: np.hypot(villages[k].x - 423_000, villages[k].y - 3_020_000),
    )
    village = villages[closed]
    add(f"{village.name}小学", village.township, "完全小学", (1, 6), village.cell, closed=True)
    return found


def _junior_townships(county: County, villages: tuple[Village, ...]) -> list[int]:
    """Pick the eight townships with grades 7-9: the most peopled; the last keeps one nine-year school."""
    count = [sum(v.township == t for v in villages) for t in range(len(county.townships))]
    ranked = sorted(range(1, len(count)), key=lambda t: (-count[t], t))
    return ranked[:8]


def _beside(grid: roads.Grid, cell: int, taken: set[int]) -> int:
    """Find a road cell one or two steps from a cell."""
    on = grid.on_road()
    row, column = divmod(cell, COLUMNS)
    for reach in (1, 2, 3):
        for dr in range(-reach, reach + 1):
            for dc in range(-reach, reach + 1):
                other = (row + dr) * COLUMNS + column + dc
                if max(abs(dr), abs(dc)) == reach and on[other] and other not in taken:
                    return other
    return cell


def _designate(county: County, villages: tuple[Village, ...], schools: list[School]) -> Ints:
    """Designate schools as offices do: in the own township, even where another is nearer."""
    cells = [s.cell for s in schools]
    at = [v.cell for v in villages]
    walked = roads.distances(county.grid, cells)[:, at].T
    driven = roads.distances(county.grid, cells, roads.RANK["unclassified"])[:, at].T
    metres = np.where(walked <= 2_200.0, walked, driven)
    straight = np.hypot(
        np.array([[v.x] for v in villages]) - np.array([s.x for s in schools]),
        np.array([[v.y] for v in villages]) - np.array([s.y for s in schools]),
    )
    metres = np.where(np.isfinite(metres), metres, 50_000.0 + straight)
    result = np.zeros((len(villages), 3), dtype=np.int64)
    seats = [
        next(k for k, v in enumerate(villages) if v.township == t and v.kind in {"seat", "town"})
        for t in range(len(county.townships))
    ]
    for band, grade in enumerate((1, 4, 7)):
        hosts = [j for j, s in enumerate(schools) if s.first <= grade <= s.last and not s.closed]
        for k, village in enumerate(villages):
            own = [j for j in hosts if schools[j].township == village.township]
            start = k
            if band == 2 and village.township != 0:
                own, start = hosts, seats[village.township]
            if village.kind == "town":
                own = [j for j in own if schools[j].urban == "121"]
            best = min(own, key=lambda j: (metres[start, j], j), default=hosts[0])
            other = min(hosts, key=lambda j: (metres[k, j], j))
            # Over the border only where the own township's school is out of all proportion.
            absurd = metres[k, best] > max(
                9_000.0 if band < 2 else 34_000.0, 1.7 * metres[k, other]
            )
            result[k, band] = other if absurd else best
    return _town_loads(villages, schools, metres, result)


def _town_loads(
    villages: tuple[Village, ...], schools: list[School], metres: Floats, result: Ints
) -> Ints:
    """Share the town's communities so that the first schools are the fullest."""
    for bands, grade, weights in (((0, 1), 1, (5, 4, 3, 2, 2)), ((2,), 7, (9, 7))):
        own = [
            j
            for j, s in enumerate(schools)
            if s.township == 0 and s.urban == "121" and s.first <= grade <= s.last
        ]
        towns = [k for k, v in enumerate(villages) if v.kind == "town"]
        room = dict(zip(own, weights, strict=True))
        for k in sorted(towns, key=lambda k: float(min(metres[k, j] for j in own))):
            best = min((j for j in own if room[j] > 0), key=lambda j: (metres[k, j], j))
            room[best] -= 1
            for band in bands:
                result[k, band] = best
    return result


def _equip(
    rng: np.random.Generator, schools: list[School], today: Ints, designated: Ints
) -> tuple[list[School], dict[tuple[int, int], tuple[int, ...]]]:
    """Form today's classes and give every school what it has."""
    classes: dict[tuple[int, int], tuple[int, ...]] = {}
    crowded = iter((66.0, 60.0, 57.0, 52.0, 44.0))
    crowded_junior = iter((62.0, 55.0))
    result = []
    for j, school in enumerate(schools):
        total = {
            g: int(today[designated[:, (g - 1) // 3] == j, g - 1].sum())
            for g in range(school.first, school.last + 1)
        }
        if school.township == 0 and school.urban == "121":
            size = next(crowded_junior if school.first == 7 else crowded)
            count = {g: max(1, round(n / size)) for g, n in total.items()}
            rooms = sum(count.values())
        else:
            count = {g: -(-n // (45 if g <= 6 else 50)) for g, n in total.items()}
            built = {"教学点": (4, 6), "完全小学": (8, 12), "中心校": (14, 20)}
            low, high = built.get(school.role, (sum(count.values()) + 2, sum(count.values()) + 6))
            rooms = max(int(rng.integers(low, high + 1)), sum(count.values()) + 1)
            if school.township == PLANNED and school.role == "中心校":
                rooms = sum(count.values()) + 1  # has to be built before others are merged into it
        for g, n in total.items():
            if n > 0:
                classes[j, g] = _split(n, count[g])
        result.append(_furnish(rng, school, total, rooms, sum(count.values())))
    return result, classes


def _furnish(
    rng: np.random.Generator, school: School, total: dict[int, int], rooms: int, classes: int
) -> School:
    everyone = sum(total.values())
    junior = sum(n for g, n in total.items() if g >= 7)
    beds = dining = naps = 0
    in_town = school.township == 0 and school.urban == "121"
    if junior:
        beds = int(round(junior * (0.35 if in_town else rng.uniform(0.75, 1.0)), -1))
    elif school.role == "中心校" and not in_town:
        upper = sum(n for g, n in total.items() if 4 <= g <= 6)
        beds = int(round(upper * rng.uniform(0.2, 0.45), -1))
    if school.role != "教学点" and not school.closed:
        dining = int(round(everyone * (0.5 if in_town else rng.uniform(0.75, 1.1)), -1))
        naps = int(round(everyone * (0.1 if in_town else rng.uniform(0.3, 0.7)), -1))
    by_ratio = (everyone - junior) / 19.0 + junior / 13.5
    need = max(by_ratio, 1.7 * classes if school.role == "完全小学" else 0.0)
    teachers = 0 if school.closed else max(1, round(need * rng.uniform(0.95, 1.12)))
    if school.role == "教学点":
        teachers = max(1, min(4, -(-everyone // 9)))
    return replace(school, rooms=rooms, beds=beds, dining=dining, naps=naps, teachers=teachers)


def _split(students: int, classes: int) -> tuple[int, ...]:
    """Split a grade into classes that differ by one at most."""
    low, more = divmod(students, classes)
    return tuple(low + (k < more) for k in range(classes))
