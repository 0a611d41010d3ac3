"""A county of four villages that everybody knows by heart, written in any format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]

VILLAGES: Rows = [
    {"村代码": "001", "村名": "东村", "乡镇": "甲镇", "人口": "300", "经度": 104.10, "纬度": 30.10},
    {"村代码": "002", "村名": "西村", "乡镇": "甲镇", "人口": "200", "经度": 104.12, "纬度": 30.11},
    {"村代码": "003", "村名": "南村", "乡镇": "乙镇", "人口": "100", "经度": 104.15, "纬度": 30.13},
    {"村代码": "010", "村名": "NA", "乡镇": "乙镇", "人口": "50", "经度": 104.16, "纬度": 30.16},
]
SCHOOLS: Rows = [
    {
        "学校代码": "0101",
        "学校名称": "中心小学",
        "乡镇": "甲镇",
        "办学类型": "中心校",
        "起始年级": "1",
        "终止年级": "6",
        "教室数": "12",
        "经度": 104.11,
        "纬度": 30.10,
    },
    {
        "学校代码": "0102",
        "学校名称": "乙镇九年制学校",
        "乡镇": "乙镇",
        "办学类型": "九年一贯制",
        "起始年级": "1",
        "终止年级": "9",
        "教室数": "18",
        "经度": 104.155,
        "纬度": 30.14,
    },
]
CHILDREN: Rows = [
    {"村代码": "001", "年级": "1", "年度": "2026", "学生数": "10"},
    {"村代码": "001", "年级": "2", "年度": "2026", "学生数": "12"},
    {"村代码": "002", "年级": "1", "年度": "2026", "学生数": "7"},
    {"村代码": "003", "年级": "7", "年度": "2026", "学生数": "5"},
    {"村代码": "010", "年级": "3", "年度": "2026", "学生数": "2"},
]
TOTAL = 36
FILES = {
    "villages": "村庄.csv",
    "schools": "学校.csv",
    "children": "学龄人口.csv",
    "classes": "班级.csv",
    "areas": "片区.csv",
    "sites": "备选校址.csv",
    "students": "学生住址.csv",
}
MANIFEST = 'name = "小县"\nnote = "虚构"\ncrs = "CGCS2000"\n'


def as_csv(rows: Rows) -> str:
    """Write rows as CSV text."""
    stream = io.StringIO(newline="")
    heads = list(dict.fromkeys(k for row in rows for k in row))
    writer = csv.DictWriter(stream, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def changed(rows: Rows, at: int, **cells: Any) -> Rows:
    """Copy rows with some cells of one row changed."""
    return [{**row, **cells} if k == at else dict(row) for k, row in enumerate(rows)]


def write_county(folder: Path, *, manifest: str = MANIFEST, **layers: Any) -> Path:
    """Write the county; a layer may be rows, text, bytes, a callable on the folder, or None."""
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, Any] = {
        "villages": VILLAGES,
        "schools": SCHOOLS,
        "children": CHILDREN,
        **layers,
    }
    for layer, content in contents.items():
        if content is None:
            continue
        path = folder / FILES.get(layer, f"{layer}.csv")
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8", newline="")
        elif isinstance(content, Callable):  # type: ignore[arg-type]
            content(folder)
        else:
            path.write_text(as_csv(content), encoding="utf-8", newline="")
    if manifest:
        (folder / "region.toml").write_text(manifest, encoding="utf-8")
    return folder
