"""Regions built from the real cases that lie beside the project, written as a county would keep them.

Nothing of the cases is copied into the project; capacities and children are estimates and say so.
Run ``python -m tests.cases.real_regions rutland FOLDER`` to keep one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

SHARED = Path(
    os.environ.get("CATCHMENT_SHARED", Path(__file__).resolve().parents[2].parent / "shared")
)
CASES = SHARED / "cases"

SCENARIO = """name = "{name}"
region = ".."
years = [{years}]
seed = 1

[method]
assignment = "{method}"
"""


def write_rutland(folder: Path) -> Path:
    """Rutland: OSM roads, 61 settlements, schools of OSM; children and classrooms estimated."""
    case = CASES / "rutland"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(case / "rutland-latest.osm.pbf", folder / "roads.osm.pbf")
    settlements = gpd.read_file(case / "rutland.gpkg", layer="settlements")
    schools = gpd.read_file(case / "rutland.gpkg", layer="schools")
    stage = schools["stage_by_name"]
    primary = schools[stage.isin(["state primary (by name)", "unnamed"])]
    # One school stands in the data twice, as a point and as an unnamed polygon.
    primary = primary[primary["osm"] != "w298805072"]
    secondary = schools[stage == "state secondary (by name)"]
    _write_villages(folder, settlements)
    # primary_age_est is for six grades; junior grades are taken to be as large.
    children = {
        village: [int((float(total) + 6 - min(g, 6)) // 6) for g in range(1, 10)]
        for village, total in zip(
            settlements["osm"], settlements["primary_age_est"].fillna(0), strict=True
        )
    }
    _write_children(folder, children)
    population = float(settlements["population"].sum())
    parts = []
    for table, role, first, last, size in (
        (primary, "complete", 1, 6, 45),
        (secondary, "junior", 7, 9, 50),
    ):
        nearest = settlements.to_crs(27700).sjoin_nearest(
            table[["osm", "geometry"]].rename(columns={"osm": "school"}).to_crs(27700)
        )
        people = nearest.groupby("school")["population"].sum()
        own = table["osm"].map(people).fillna(0).to_numpy()
        # Children of a grade are taken as 1.25 % of the population; a school as big as its
        # neighbourhood needs, at least one classroom a grade.
        rooms = [
            (last - first + 1) * max(1, math.ceil(0.0125 * p / size)) if p else last - first + 1
            for p in own
        ]
        names = (
            table["name"]
            .fillna("")
            .where(table["name"].fillna("") != "", table["near_settlement"] + " (unnamed school)")
        )
        parts.append(
            gpd.GeoDataFrame(
                {
                    "school_id": table["osm"].to_numpy(),
                    "name": names.to_numpy(),
                    "township": table["near_settlement"].to_numpy(),
                    "role": role,
                    "grade_from": first,
                    "grade_to": last,
                    "rooms": rooms,
                    "capacity_estimated": "yes",
                    "status": "existing",
                },
                geometry=table.geometry.to_numpy(),
                crs=4326,
            )
        )
    gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=4326).to_file(
        folder / "schools.geojson", driver="GeoJSON"
    )
    boundary = gpd.read_file(case / "rutland.gpkg", layer="boundary")
    gpd.GeoDataFrame(
        {"boundary_id": ["rutland"], "name": ["Rutland"], "kind": ["county"]},
        geometry=boundary.geometry.to_numpy(),
        crs=4326,
    ).to_file(folder / "boundaries.geojson", driver="GeoJSON")
    assert population > 38_000
    (folder / "region.toml").write_text(
        'name = "Rutland"\ncrs = "EPSG:4326"\n'
        'note = "Roads and schools: OpenStreetMap contributors (ODbL). Children and classrooms are '
        'estimates."\n\n[sources.roads]\nfile = "roads.osm.pbf"\n',
        encoding="utf-8",
    )
    _scenario(folder, "Rutland, nearest school", "nearest")
    return folder


def _write_villages(folder: Path, settlements: gpd.GeoDataFrame) -> None:
    gpd.GeoDataFrame(
        {
            "village_id": settlements["osm"].to_numpy(),
            "name": settlements["name"].to_numpy(),
            "township": settlements["unit"].fillna("").replace("", "Rutland").to_numpy(),
            "population": settlements["population"].to_numpy(),
        },
        geometry=settlements.geometry.to_numpy(),
        crs=4326,
    ).to_file(folder / "villages.geojson", driver="GeoJSON")


def _write_children(folder: Path, by_village: dict[str, list[int]]) -> None:
    lines = ["village_id,grade,year,students,source"]
    for village, counts in by_village.items():
        lines += [f"{village},{g},2026,{n},estimated" for g, n in enumerate(counts, start=1)]
    (folder / "children.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _scenario(folder: Path, name: str, method: str) -> None:
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / "scenarios" / "run.toml").write_text(
        SCENARIO.format(name=name, years="2026", method=method), encoding="utf-8"
    )


def write_taitung(folder: Path) -> Path:
    """Taitung: provincial highways and inhabited areas; one invented school a township seat.

    The areas of a township are clustered to points of at most a kilometre; the data hold no school,
    so the largest cluster of every township stands in for its school, and says so.
    """
    case = CASES / "taitung"
    folder.mkdir(parents=True, exist_ok=True)
    areas = gpd.read_file(case / "inhabited_areas.gpkg")
    metric = areas.to_crs(3826)
    cell = (
        (metric.geometry.x // 2000).astype(int).astype(str)
        + "_"
        + (metric.geometry.y // 2000).astype(int).astype(str)
    )
    rows = []
    for (town, key), group in metric.assign(cell=cell).groupby(["town", "cell"], sort=True):
        weight = group["P_CNT"].to_numpy()
        people = float(weight.sum())
        rows.append(
            {
                "village_id": f"{group['TOWN_ID'].iloc[0]}_{key}",
                "name": f"{town}{key}",
                "township": town,
                "population": people,
                "age6_11": float(group["age6_11_est"].sum()),
                "x": float(np.average(group.geometry.x, weights=weight)),
                "y": float(np.average(group.geometry.y, weights=weight)),
            }
        )
    villages = pd.DataFrame(rows)
    points = gpd.GeoDataFrame(
        villages.drop(columns=["x", "y", "age6_11"]),
        geometry=gpd.points_from_xy(villages["x"], villages["y"]),
        crs=3826,
    ).to_crs(4326)
    points.to_file(folder / "villages.geojson", driver="GeoJSON")
    _write_children(
        folder,
        {
            row.village_id: [int((row.age6_11 + 6 - grade) // 6) for grade in range(1, 7)]
            for row in villages.itertuples(index=False)
        },
    )
    seats = villages.loc[villages.groupby("township")["population"].idxmax()]
    schools = gpd.GeoDataFrame(
        {
            "school_id": ["S" + v for v in seats["village_id"]],
            "name": [f"{t}國小（示意）" for t in seats["township"]],
            "township": seats["township"].to_numpy(),
            "role": "central",
            "grade_from": 1,
            "grade_to": 6,
            "rooms": 60,
            "capacity_estimated": "yes",
            "status": "existing",
        },
        geometry=gpd.points_from_xy(seats["x"], seats["y"]),
        crs=3826,
    ).to_crs(4326)
    schools.to_file(folder / "schools.geojson", driver="GeoJSON")
    highways = json.loads((case / "provincial_highways.geojson").read_text(encoding="utf-8"))
    for feature in highways["features"]:
        feature["properties"] = {
            "highway": "省道",
            "name": str(feature["properties"].get("num", "")),
        }
    (folder / "roads.geojson").write_text(
        json.dumps(highways, ensure_ascii=False), encoding="utf-8"
    )
    (folder / "region.toml").write_text(
        'name = "臺東縣"\ncrs = "EPSG:4326"\nnote = "學校為示意，學齡人口為推估。"\n',
        encoding="utf-8",
    )
    _scenario(folder, "臺東就近入學", "nearest")
    text = (folder / "scenarios" / "run.toml").read_text(encoding="utf-8")
    (folder / "scenarios" / "run.toml").write_text(
        text + 'stages = ["primary"]\n', encoding="utf-8"
    )
    return folder


if __name__ == "__main__":
    {"rutland": write_rutland, "taitung": write_taitung}[sys.argv[1]](Path(sys.argv[2]))
