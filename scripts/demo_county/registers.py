"""Registers of the demo county: resources of its schools, and the record of evidence. All invented."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from demo_county.recipes import merged_school
from demo_county.schooling import School, Schooling
from demo_county.settlements import County

_STANDARD = {
    "小学": (4.2, 1.0, 0.9, 4.5, 7.5, 2000.0, 2.3),
    "初中": (5.3, 1.0, 0.9, 5.8, 10.2, 2500.0, 2.4),
}
"""What the seven resources should be, for 100 students, a student or (the last) 100 students."""

_PER = (100.0, 100.0, 100.0, 1.0, 1.0, 1.0, 100.0)
_HEADS = (
    "学校代码", "学段", "学生数", "类别", "高于规定学历教师数", "县级以上骨干教师数",
    "体育艺术专任教师数", "教学及辅助用房面积", "体育运动场馆面积", "教学仪器设备值",
    "网络多媒体教室数", "小学部学生数", "初中部学生数",
)  # fmt: skip


def write(
    folder: Path, rng: np.random.Generator, county: County, schooling: Schooling, note: str
) -> None:
    """Write ``resources.csv`` and ``evidence.csv``.

    Parameters
    ----------
    folder : Path
        The region's folder.
    rng : numpy.random.Generator
        Source of chance.
    county : County
        Villages and townships.
    schooling : Schooling
        Schools and classes.
    note : str
        That everything is invented.
    """
    _table(folder / "resources.csv", note, _HEADS, _resources(rng, schooling))
    heads = ("学校代码", "规则代码", "事项", "日期", "数值", "文件")
    _table(folder / "evidence.csv", note, heads, _evidence(county, schooling))


def _resources(rng: np.random.Generator, schooling: Schooling) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for j, school in enumerate(schooling.schools):
        count = {
            g: sum(schooling.classes.get((j, g), ())) for g in range(school.first, school.last + 1)
        }
        everyone = sum(count.values())
        if school.closed or everyone == 0:
            continue
        primary = sum(n for g, n in count.items() if g <= 6)
        both = school.first <= 6 < school.last
        stage = "both" if both else "primary" if school.last <= 6 else "junior"
        rows.append(
            (
                school.code, stage, everyone,
                "teaching_point" if school.role == "教学点" else "",
                *_amounts(rng, school, everyone),
                *((primary, everyone - primary) if both else ("", "")),
            )
        )  # fmt: skip
    return rows


def _amounts(rng: np.random.Generator, school: School, students: int) -> list[object]:
    """Crowded town schools have many teachers and little ground; small ones the other way round."""
    town = school.urban == "121" and school.township == 0
    # teachers, key teachers, arts teachers, rooms, grounds, equipment, multimedia rooms
    level = (
        (1.5, 1.9, 1.2, 0.84, 0.55, 1.25, 0.95) if town
        else (1.05, 0.75, 0.8, 2.2, 2.0, 0.95, 1.5) if students < 150
        else (1.2, 1.1, 1.05, 1.35, 1.4, 1.1, 1.15)
    )  # fmt: skip
    standard = _STANDARD["小学" if school.last <= 6 else "初中"]
    out: list[object] = []
    for n, (least, per, times) in enumerate(zip(standard, _PER, level, strict=True)):
        amount = least / per * times * students * rng.uniform(0.8, 1.25)
        persons = n in (0, 1, 2, 6)
        out.append(round(amount) if persons else int(round(amount, -2 if n == 5 else 0)))
    return out


def _evidence(county: County, schooling: Schooling) -> list[tuple[object, ...]]:
    """One merger on its way: some steps done, the hearing not held, one paper without a date."""
    merged = merged_school(county, schooling).code
    town = next(
        s for s in schooling.schools if s.urban == "121" and s.last <= 6 and not s.closed
    ).code
    return [
        (merged, "R-CON-01", "", "2027-11-20", 18, "家长意见调查统计表（虚构）"),
        (merged, "R-CON-08", "feasibility", "2027-10-15", 1, "撤并可行性论证报告（虚构）"),
        (merged, "R-CON-08", "notice", "", 1, "公示稿，日期待补（虚构）"),
        (merged, "R-CON-11", "", "2027-12-01", 1, "闲置校舍改办幼儿园意见（虚构）"),
        (town, "R-TRV-04", "public_transport", "2026-08-20", "有", "城区公交线路表（虚构）"),
        ("", "R-CLS-05", "", "2026-03-01", 1, "消除大班额工作台账制度（虚构）"),
    ]


def _table(path: Path, note: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerow([f"# {note}"])
    writer.writerows(rows)
    temporary = path.with_name(f".writing-{path.name}")
    temporary.write_bytes(("\ufeff" + out.getvalue()).encode("utf-8"))
    temporary.replace(path)
