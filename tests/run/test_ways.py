"""What runs find out about the way beyond its minutes: crossings, the way home, straight walks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, Point

from catchment.region.elevation import Elevation
from catchment.region.model import Region
from catchment.run import run_scenario
from catchment.scenario import parse_scenario
from tests.tiny_region import METRIC, X0, Y0, tiny_region

RECIPE = {"name": "试", "years": [2026], "method": {"stages": ["primary"]}}


def findings(region: Region, code: str) -> pd.DataFrame:
    table = run_scenario(parse_scenario(RECIPE), region).findings
    return table[table["code"] == code]


def with_railway(folder: Path, x: float, kind: str = "railway") -> Region:
    line = LineString([(X0 + x, Y0 - 300), (X0 + x, Y0 + 300)])
    layer = gpd.GeoDataFrame({"kind": [kind], "name": ["小铁"]}, geometry=[line], crs=METRIC)
    layer.to_file(folder / "barriers.gpkg", driver="GPKG")
    return dataclasses.replace(tiny_region(), folder=folder)


def test_a_walk_across_a_railway_has_its_finding(tmp_path: Path) -> None:
    # Only V2's children, at x = 1000, pass x = 500 on the way to S1.
    found = findings(with_railway(tmp_path, 500), "R-TRV-08")
    assert found["result"].tolist() == ["fail", "fail"]
    assert found["id"].tolist() == ["V2/lower", "V2/upper"]
    assert found["value"].tolist() == [1.0, 1.0]
    assert found["students"].tolist() == [30, 30]
    assert found["detail_zh"].str.contains("穿越铁路 1 处（小铁）").all()
    assert found["detail_en"].str.contains("railway").all()


def test_a_river_is_not_laid_to_a_clause_that_names_none(tmp_path: Path) -> None:
    found = findings(with_railway(tmp_path, 500, "river"), "R-TRV-08")
    assert found["result"].tolist() == ["fail", "fail"]
    assert found["detail_zh"].str.contains("所引条文未列河流，按地方惯例提示").all()
    assert found["detail_en"].str.contains("not named by the clause cited").all()


def test_walks_that_cross_nothing_pass(tmp_path: Path) -> None:
    found = findings(with_railway(tmp_path, -300), "R-TRV-08")
    assert found["result"].tolist() == ["pass"]


def test_without_a_source_of_railways_and_rivers_walks_cannot_be_judged() -> None:
    found = findings(tiny_region(), "R-TRV-08")
    assert set(found["result"]) == {"unknown"}
    assert "V1/lower" in set(found["id"])


def test_a_main_road_walked_along_is_found_without_any_source() -> None:
    region = tiny_region()
    roads = region.roads.copy()
    roads.loc[1, "highway"] = "primary"  # from x = 0 to 1000
    found = findings(region.replace(roads=roads), "R-TRV-08").set_index("id")
    assert found.loc["V2/lower", "result"] == "fail"
    assert "沿干线公路步行" in str(found.loc["V2/lower", "detail_zh"])
    assert found.loc["V4/lower", "result"] == "unknown"


def test_the_longer_of_both_ways_is_judged() -> None:
    # 20 % up to the east: V2 (950 m) walks to S1 in 25 minutes and home in 36.
    heights = np.tile(np.arange(0.0, 2000.0, 20.0), (20, 1)).astype(np.float32)
    raster = Elevation(heights, (100.0, 0.0, X0 - 1000, 0.0, -100.0, Y0 + 1000), METRIC.to_string())
    region = tiny_region().replace(elevation=raster)
    run = run_scenario(parse_scenario(RECIPE), region)
    i = run.problem.village_ids.index("V2") * len(run.problem.bands)
    there = float(run.problem.minutes[0, i, run.problem.site_ids.index("S1")])
    back = there * np.exp(3.5 * 0.2) / np.exp(3.5 * 0.1)
    assert there < 30 < back
    found = run.findings[run.findings["code"] == "R-TRV-01"].set_index("id")
    assert found.loc["V2/lower", "result"] == "fail"
    assert found.loc["V2/lower", "value"] == pytest.approx(back, rel=0.01)
    assert "回家较长" in str(found.loc["V2/lower", "detail_zh"])


def test_a_straight_walk_is_served_and_flagged(tmp_path: Path) -> None:
    region = tiny_region()
    villages, schools = region.villages.copy(), region.schools.copy()
    villages.loc[4, "geometry"] = Point(X0 + 20_000, Y0)
    schools.loc[2, "geometry"] = Point(X0 + 20_500, Y0)
    far = region.replace(villages=villages, schools=schools, boundaries=region.boundaries[:0])
    run = run_scenario(parse_scenario(RECIPE), far)
    found = run.findings[(run.findings["code"] == "R-NEAR-01")]
    flagged = found[found["id"] == "V5/lower"]
    assert flagged["result"].tolist() == ["unknown"]
    assert flagged["detail_zh"].str.contains("直线步行").all()
    assert found[found["id"] == "V5/upper"]["result"].tolist() == ["fail"]  # S2 is 18 km away
    assert any("直线步行" in note for note in run.notes)
