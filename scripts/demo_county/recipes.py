"""The demo county's scenario recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo_county.schooling import PLANNED, School, Schooling
from demo_county.settlements import County

NEAR_M = 5_000.0
"""Straight metres within which a school is merged into the central school."""

_HEAD = """# {note}
name = "{name}"
region = ".."
years = [{years}]
seed = 1
time_limit = 120

[method]
assignment = "{method}"
stay_minutes = {stay_minutes}
connected = true
stages = ["primary", "junior"]

[rules]
books = ["national"]
"""


def write(folder: Path, county: County, schooling: Schooling, names: Mapping[str, Any]) -> None:
    """Write the recipes.

    Parameters
    ----------
    folder : Path
        Folder of the recipes; made when absent.
    county : County
        Villages and townships.
    schooling : Schooling
        Schools.
    names : mapping
        Content of ``names.toml``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    years = "2026, 2028, 2031, 2035"
    plans = {
        "today.toml": _head(names, "现状", "today", years),
        "capacity.toml": _head(names, "按学位就近划片", "capacity", years),
        "merge-2028.toml": _merge(county, schooling, names),
        "catchments.toml": _catchments(names),
    }
    for name, text in plans.items():
        temporary = folder / f".writing-{name}"
        temporary.write_bytes(text.encode("utf-8"))
        temporary.replace(folder / name)


def _head(
    names: Mapping[str, Any], name: str, method: str, years: str, *, stay_minutes: int = 0
) -> str:
    return _HEAD.format(
        note=names["note"], name=name, method=method, years=years, stay_minutes=stay_minutes
    )


_WISHES = """
# 新学区只从新生起，在校生和三成新生（随兄姐）留在原校
[catchments]
grandfather = true
siblings = 0.3
border = "township"
border_minutes = 10
ride_minutes = 30

# 县城两校共招，各收一半
[[catchments.shared]]
villages = ["桥头社区", "杨柳社区"]
schools = ["云岭县第一小学", "云岭县第二小学"]
shares = [0.5, 0.5]

# 同一街区的社区不分开
[[catchments.together]]
villages = ["书院社区", "车站社区"]
"""


def _catchments(names: Mapping[str, Any]) -> str:
    """Students keep their school, two villages share two schools, two go together."""
    text = _head(
        names,
        "学区调整：在校生不动、多校划片、乡镇为界",
        "capacity",
        "2026, 2027, 2028, 2031",
        stay_minutes=10,
    )
    method, rules = text.split("\n[rules]\n")
    return f"{method}{_WISHES}\n[rules]\n{rules}"


def _action(**values: object) -> str:
    lines = ["", "[[action]]"]
    for key, value in values.items():
        lines.append(f"{key} = " + (f'"{value}"' if isinstance(value, str) else str(value)))
    return "\n".join(lines) + "\n"


def _merge(county: County, schooling: Schooling, names: Mapping[str, Any]) -> str:
    """Keep Lijia, downgrade the far complete school, merge the rest, expand first, build in town."""
    centre, kept, lower, far, near = _parts(schooling)
    text = _head(
        names,
        f"{county.townships[PLANNED]}2028年片区化：保留李家坝、偏远教学点，其余并入中心小学",
        "capacity",
        "2026, 2027, 2028, 2031, 2035",
        stay_minutes=15,
    )
    text += _action(
        do="expand",
        year=2027,
        school=centre.code,
        rooms=6,
        beds=80,
        dining_seats=150,
        reason="先建后撤：中心小学先扩建",
    )
    text += _action(do="keep", year=2028, school=kept.code, reason="山高路远，保留低年级就近上学")
    text += _action(
        do="downgrade",
        year=2028,
        school=lower.code,
        into=centre.code,
        reason="高年级并入中心小学，低年级留在村里",
    )
    for school in sorted(far, key=lambda s: s.code):
        text += _action(
            do="keep",
            year=2028,
            school=school.code,
            reason="并入后低年级单程超过半小时，保留",
        )
    for school in sorted(near, key=lambda s: s.code):
        text += _action(
            do="merge",
            year=2028,
            school=school.code,
            into=centre.code,
            reason="生源极少，并入片区中心校",
        )
    text += _action(
        do="build",
        year=2028,
        site="BX01",
        rooms=30,
        beds=0,
        reason="县城学位不足，新建小学消除大班额",
    )
    return text


def merged_school(county: County, schooling: Schooling) -> School:
    """Return the school that the recipe merges first.

    Parameters
    ----------
    county : County
        Villages and townships.
    schooling : Schooling
        Schools.

    Returns
    -------
    School
        The merged school with the lowest code.
    """
    return min(_parts(schooling)[4], key=lambda s: s.code)


def _parts(
    schooling: Schooling,
) -> tuple[School, School, School, list[School], list[School]]:
    """Centre, the school kept, the one downgraded, those too far to merge, and those merged."""
    own = [s for s in schooling.schools if s.township == PLANNED and not s.closed]
    centre = next(s for s in own if s.role == "中心校")
    kept = next(s for s in own if s.name.startswith("李家坝"))
    complete = [s for s in own if s.role == "完全小学"]
    lower = max(complete, key=lambda s: _apart(s, centre))
    rest = [s for s in own if s.role in {"完全小学", "教学点"} and s not in {kept, lower}]
    # Beyond some kilometres in the hills the youngest would ride for more than half an hour.
    near = [s for s in rest if _apart(s, centre) <= NEAR_M]
    return centre, kept, lower, [s for s in rest if s not in near], near


def _apart(a: School, b: School) -> float:
    return float(((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5)
