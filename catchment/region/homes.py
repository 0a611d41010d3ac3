"""Students without a home point: placed in their village by code or address, never guessed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from catchment.english import counted
from catchment.region.address import Match, Village, match_addresses
from catchment.region.clean import Cleaned
from catchment.region.faults import Fault
from catchment.region.raw import Raw
from catchment.region.relations import Table

_LAYER = "students"
_LOST = frozenset({"address_ambiguous", "address_unmatched", "place_missing"})


def by_address(
    cleaned: Cleaned, raw: Raw, villages: pd.DataFrame, file: str, county: str = ""
) -> tuple[Cleaned, list[Fault]]:
    """Fill in the village of students who state an address and no village.

    Parameters
    ----------
    cleaned : Cleaned
        Rows of the layer of students.
    raw : Raw
        Its source, for its geometry.
    villages : DataFrame
        Typed rows of the layer of villages.
    file : str
        File name for the faults.
    county : str
        Name of the county; villages of another one are not its own, whatever their names.

    Returns
    -------
    Cleaned, list of Fault
        Rows with villages filled in and without their addresses, which are in no output; how many
        were placed, and one fault a row whose address is ambiguous or fits no village.
    """
    if "address" not in cleaned.titles:
        return cleaned, []
    table = cleaned.table.copy()
    addresses = [_text(v) for v in table["address"]]
    table["address"] = None
    wanted = [k for k, code in enumerate(table["village_id"]) if not _text(code) and addresses[k]]
    known = [
        Village(_text(a), _text(b), _text(c))
        for a, b, c in zip(
            villages["village_id"], villages["name"], villages["township"], strict=True
        )
        if _text(a)
    ]
    matches = match_addresses([addresses[k] for k in wanted], known, county)
    placed = _placed(cleaned, raw)
    faults = []
    codes = table["village_id"].tolist()
    for k, match in zip(wanted, matches, strict=True):
        if match.code:
            codes[k] = match.code
        else:
            faults.append(_open(match, int(cleaned.rows[k]), bool(placed[k]), cleaned, file))
    table["village_id"] = pd.Series(codes, dtype=object)
    ways = [m.way for m in matches if m.code]
    if ways:
        details = {"by_code": ways.count("code"), "by_name": ways.count("name")}
        faults.append(
            Fault("address_matched", _LAYER, value=str(len(ways)), details=details, file=file)
        )
    return replace(cleaned, table=table), faults


def _open(match: Match, row: int, placed: bool, cleaned: Cleaned, file: str) -> Fault:
    """Word an address that names no one village; the address itself is never shown."""
    code = f"address_{match.way}" + ("_placed" if placed else "")
    shown = "、".join(match.candidates) or "-"
    title = cleaned.titles["address"]
    return Fault(code, _LAYER, row, title, details={"candidates": shown}, file=file)


def _placed(cleaned: Cleaned, raw: Raw) -> npt.NDArray[np.bool_]:
    """Tell which rows state a place of their own."""
    if raw.geometry is not None:
        shapes = raw.geometry[cleaned.source]
        return np.asarray([g is not None and not g.is_empty for g in shapes], dtype=bool)
    held = np.zeros(len(cleaned.rows), dtype=bool)
    for pair in (("lon", "lat"), ("easting", "northing")):
        held |= cleaned.table[list(pair)].notna().all(axis=1).to_numpy(dtype=bool)
    return held


def at_villages(students: Table, villages: Table, faults: list[Fault]) -> tuple[Table, list[Fault]]:
    """Let students without a home point live at the point of their village.

    Parameters
    ----------
    students, villages : Table
        Placed rows.
    faults : list of Fault
        Everything found so far.

    Returns
    -------
    Table, list of Fault
        Students with the places of their villages; the faults without those of the rows that were
        placed or whose address has been told already, and with one note that counts them.
    """
    missing = {f.row for f in faults if f.layer == _LAYER and f.code == "place_missing"}
    if not missing:
        return students, faults
    at = {
        code: k for k, code in enumerate(villages.frame["village_id"]) if np.isfinite(villages.x[k])
    }
    told = {f.row for f in faults if f.code in {"address_ambiguous", "address_unmatched"}}
    rows = students.rows.tolist()
    homes = {
        k: at[code]
        for k, code in enumerate(students.frame["village_id"])
        if rows[k] in missing and code in at
    }
    solved = {rows[k] for k in homes} | told
    kept = [
        f
        for f in faults
        if not (f.layer == _LAYER and f.code == "place_missing" and f.row in solved)
    ]
    if not homes:
        return students, kept
    own, village = np.asarray(list(homes)), np.asarray(list(homes.values()))
    changed = {}
    for name in ("x", "y", "lon", "lat"):
        values = getattr(students, name).copy()
        values[own] = getattr(villages, name)[village]
        changed[name] = values
    geometry = students.geometry.copy()
    geometry[own] = shapely.points(changed["x"][own], changed["y"][own])
    detail = {
        "detail_zh": f"{len(homes)} 名学生没有住址点，按所属村的位置",
        "detail_en": f"no home point, placed at the village's: {counted(len(homes), 'student')}",
    }
    note = Fault("repaired", _LAYER, details=detail, file=students.file)
    return replace(students, geometry=geometry, **changed), [*kept, note]


def without_village(
    students: Table, children: Table, villages: Table, faults: list[Fault]
) -> list[Fault]:
    """Find home points that would count for no village in a county without a layer of children.

    Parameters
    ----------
    students, children, villages : Table
        Placed rows.
    faults : list of Fault
        Everything found so far.

    Returns
    -------
    list of Fault
        One a student without a village whose row is not in error already. With a layer of children
        the homes count nobody, and none is returned.
    """
    if len(children.rows) or not len(villages.rows):
        return []
    told = {f.row for f in faults if f.layer == _LAYER and f.row is not None and f.code in _LOST}
    return [
        students.fault("home_without_village", k, "village_id")
        for k, code in enumerate(students.frame["village_id"])
        if not _text(code) and int(students.rows[k]) not in told
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
