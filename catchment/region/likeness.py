"""What looks as if columns had changed places, or one village had been entered twice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from catchment.region.faults import Fault
from catchment.region.relations import Table
from catchment.region.schema import value_key

_CODE = re.compile(r"[0-9]{2,}")
_WORD = re.compile(r"[\u3400-\u9fff]")
LEAST_ROWS = 3
ROOMS_A_GRADE = 2
"""More classrooms than this a grade are many for a school with fewer students than rooms."""
ROOMS_MOST = 15
"""More classrooms than this a grade are no school but square metres, or students."""
PEOPLE_MOST, PEOPLE_TIMES = 20_000.0, 30.0
"""A village of more people, and of so many times the median, has digits too many."""
TWIN_METRES = 500.0
"""Villages of one name in two townships are two; this close to each other they are one."""


def check_likeness(tables: Mapping[str, Table]) -> list[Fault]:
    """Look for columns that stand for each other and for villages that stand twice.

    Parameters
    ----------
    tables : mapping of str to Table
        All layers.

    Returns
    -------
    list of Fault
        Warnings only: each row is read as it stands.
    """
    found = []
    for name, key in (("villages", "village_id"), ("schools", "school_id")):
        found.extend(_code_and_name(tables[name], key))
    found.extend(_township_and_name(tables["villages"]))
    found.extend(_rooms_and_students(tables["schools"]))
    found.extend(_villages_twice(tables["villages"]))
    found.extend(_people(tables["villages"]))
    return found


def _texts(table: Table, column: str) -> list[str]:
    return ["" if v is None or v != v else str(v) for v in table.frame[column]]


def _swapped(table: Table, one: str, other: str) -> Fault:
    details = {"other": table.title(other)}
    return Fault("columns_swapped", table.layer.layer, column=table.title(one), details=details,
                 file=table.file)  # fmt: skip


def _code_and_name(table: Table, key: str) -> list[Fault]:
    """Find names that are numbers beside codes that are words, in most rows."""
    codes, names = _texts(table, key), _texts(table, "name")
    odd = sum(
        bool(_CODE.fullmatch(name) and _WORD.search(code))
        for code, name in zip(codes, names, strict=True)
    )
    return [_swapped(table, key, "name")] if odd and 2 * odd > len(codes) else []


def _township_and_name(villages: Table) -> list[Fault]:
    """Find townships that are more than the villages' names: there are villages to a township."""
    names, towns = (set(filter(None, _texts(villages, c))) for c in ("name", "township"))
    if len(villages.rows) < LEAST_ROWS or len(towns) <= len(names):
        return []
    return [_swapped(villages, "name", "township")]


def _rooms_and_students(schools: Table) -> list[Fault]:
    """Find schools with more classrooms than students, or than any school has."""
    found = []
    columns = (schools.frame[c] for c in ("students", "rooms", "grade_from", "grade_to"))
    for k, (students, *others) in enumerate(zip(*columns, strict=True)):
        if any(v is None or v != v for v in others):
            continue
        rooms, low, high = (int(v) for v in others)
        grades = max(high - low + 1, 1)
        count = 0 if students is None or students != students else int(students)
        if rooms > count > 0 and rooms > ROOMS_A_GRADE * grades:
            found.append(schools.fault("rooms_many", k, "rooms", rooms, students=count))
        elif rooms > ROOMS_MOST * grades:
            found.append(schools.fault("rooms_huge", k, "rooms", rooms, limit=ROOMS_MOST))
    return found


def _people(villages: Table) -> list[Fault]:
    """Find villages with far more people than the others; children may be estimated from them."""
    people = np.asarray(
        [np.nan if v is None else float(v) for v in villages.frame["population"]], dtype=np.float64
    )
    known = people[np.isfinite(people) & (people > 0)]
    if len(known) < LEAST_ROWS:
        return []
    most = max(PEOPLE_MOST, PEOPLE_TIMES * float(np.median(known)))
    return [
        villages.fault("population_odd", int(k), "population", f"{people[k]:,.0f}",
                       usual=f"{float(np.median(known)):,.0f}")
        for k in np.flatnonzero(people > most)
    ]  # fmt: skip


def _villages_twice(villages: Table) -> list[Fault]:
    """Find villages of one name in one township, or of one name side by side in two."""
    seen: dict[str, list[int]] = {}
    found = []
    names, towns = _texts(villages, "name"), _texts(villages, "township")
    for k, (name, town) in enumerate(zip(names, towns, strict=True)):
        if not name:
            continue
        for before in seen.setdefault(value_key(name), []):
            same = value_key(town) == value_key(towns[before])
            if same or _metres(villages, k, before) <= TWIN_METRES:
                first = int(villages.rows[before])
                found.append(villages.fault("village_twice", k, "name", name, first=first))
                break
        seen[value_key(name)].append(k)
    return found


def _metres(table: Table, one: int, other: int) -> float:
    x: Any = table.x
    away = float(np.hypot(x[one] - x[other], table.y[one] - table.y[other]))
    return away if np.isfinite(away) else np.inf
