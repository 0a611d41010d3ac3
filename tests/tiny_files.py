"""The tiny county as files that a county office might keep, for tests that spoil one of them."""

from __future__ import annotations

import json
from pathlib import Path

from pyproj import Transformer

from tests.tiny_region import METRIC, tiny_region

_TO_DEGREES = Transformer.from_crs(METRIC, "EPSG:4490", always_xy=True)


def write_tiny(folder: Path) -> Path:
    """Write the county as CSV and GeoJSON with a manifest; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    region = tiny_region()
    headings = {
        "villages": {
            "village_id": "村代码", "name": "村名", "township": "乡镇", "population": "人口",
            "school_lower": "低年级就读学校", "school_upper": "高年级就读学校",
            "school_junior": "初中学校",
        },
        "schools": {
            "school_id": "学校代码", "name": "学校名称", "township": "乡镇", "role": "办学类型",
            "grade_from": "起始年级", "grade_to": "终止年级", "rooms": "教室数", "beds": "床位",
            "dining_seats": "餐位", "status": "状态",
        },
    }  # fmt: skip
    for layer, columns in headings.items():
        table = getattr(region, layer)
        lines = [",".join([*columns.values(), "经度", "纬度"])]
        for _, row in table.iterrows():
            lon, lat = _TO_DEGREES.transform(row.geometry.x, row.geometry.y)
            lines.append(",".join([*(str(row[c]) for c in columns), f"{lon:.8f}", f"{lat:.8f}"]))
        (folder / f"{layer}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    wide = ["村代码,年度," + ",".join(f"{g}年级" for g in range(1, 10))]
    wide += [f"V{v},2026," + ",".join(["10"] * 9) for v in range(1, 6)]
    (folder / "children.csv").write_text("\n".join(wide) + "\n", encoding="utf-8")
    for layer in ("roads", "boundaries"):
        table = getattr(region, layer).to_crs("EPSG:4326")
        data = json.loads(table.to_json())
        for feature in data["features"]:
            feature.pop("id", None)
        data.pop("crs", None)
        (folder / f"{layer}.geojson").write_text(
            json.dumps(data, ensure_ascii=False), encoding="utf-8"
        )
    (folder / "region.toml").write_text('name = "小县"\ncrs = "EPSG:4490"\n', encoding="utf-8")
    (folder / "scenario.toml").write_text(
        'name = "试"\nregion = "."\nyears = [2026, 2028]\n\n'
        '[method]\nassignment = "today"\n\n'
        '[[action]]\ndo = "merge"\nschool = "T1"\ninto = "S2"\nyear = 2028\n',
        encoding="utf-8",
    )
    return folder
