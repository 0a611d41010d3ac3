"""A county everybody knows by heart: five villages on one road, three schools, one candidate site.

The road runs east along y = 0; villages V1..V5 stand at x = 0, 1000, 2000, 3000, 4000 metres.
S1 (central, all primary grades, 6 rooms) stands at V1, S2 (complete, 6 rooms) at V3, T1 (teaching
point, grades 1-3, 3 rooms) at V4, J1 (junior) at V2; C1 is a site at V5; X1 at V5 is closed.
Every village has ten students in every grade in 2026.
"""

from __future__ import annotations

import itertools

import geopandas as gpd
import pandas as pd
from pyproj import CRS
from shapely.geometry import LineString, Point, box

from catchment.region.bands import read_bands
from catchment.region.model import Region

METRIC = CRS.from_epsg(4545)
X0, Y0 = 500_000.0, 3_000_000.0


def _points(columns: dict[str, list[object]], xs: list[float]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=[Point(X0 + x, Y0) for x in xs], crs=METRIC)


def tiny_region(students: int = 10, naps: int = 0) -> Region:
    """Build the county; with nap places nothing needs to be built for those who move."""
    villages = _points(
        {
            "village_id": ["V1", "V2", "V3", "V4", "V5"],
            "name": ["甲村", "乙村", "丙村", "丁村", "戊村"],
            "township": ["东乡", "东乡", "西乡", "西乡", "西乡"],
            "area_id": ["A1"] * 5,
            "population": [500.0] * 5,
            "urban_class": ["220"] * 5,
            "school_lower": ["S1", "S1", "S2", "T1", "T1"],
            "school_upper": ["S1", "S1", "S2", "S2", "S2"],
            "school_junior": ["J1"] * 5,
        },
        [0, 1000, 2000, 3000, 4000],
    )
    schools = _points(
        {
            "school_id": ["S1", "S2", "T1", "J1", "X1"],
            "name": ["东乡中心校", "丙村小学", "丁村教学点", "东乡初中", "戊村小学"],
            "township": ["东乡", "西乡", "西乡", "东乡", "西乡"],
            "role": ["central", "complete", "teaching_point", "junior", "complete"],
            "grade_from": [1, 1, 1, 7, 1],
            "grade_to": [6, 6, 3, 9, 6],
            "rooms": [6, 6, 3, 6, 4],
            "capacity_estimated": [False] * 5,
            "area_id": ["A1"] * 5,
            "urban_class": ["220"] * 5,
            "boarding": [False, False, False, True, False],
            "beds": [0, 0, 0, 100, 0],
            "dining_seats": [200, 100, 20, 200, 0],
            "nap_places": [naps] * 5,
            "teachers": [12, 8, 3, 20, 0],
            "students": [120, 90, 60, 150, 0],
            "status": ["existing"] * 4 + ["closed"],
        },
        [50, 2050, 3050, 1050, 4050],
    )
    sites = _points(
        {
            "site_id": ["C1"],
            "name": ["戊村备选"],
            "township": ["西乡"],
            "grade_from": [1],
            "grade_to": [6],
            "rooms_max": [12],
            "cost_yuan": [1e6],
        },
        [3950],
    )
    children = pd.DataFrame(
        [
            {
                "village_id": f"V{v}",
                "grade": g,
                "year": 2026,
                "students": students,
                "source": "enrolled",
            }
            for v in range(1, 6)
            for g in range(1, 10)
        ]
    )
    xs = [-500, 0, 1000, 2000, 3000, 4000, 4500]
    roads = gpd.GeoDataFrame(
        {
            "road_id": [f"R{k}" for k in range(6)],
            "highway": ["tertiary"] * 6,
            "name": ["大路"] * 6,
            "oneway": ["no"] * 6,
            "surface": [""] * 6,
            "maxspeed": [""] * 6,
            "bridge": [""] * 6,
            "hazard": [False] * 6,
        },
        geometry=[LineString([(X0 + a, Y0), (X0 + b, Y0)]) for a, b in itertools.pairwise(xs)],
        crs=METRIC,
    )
    boundaries = gpd.GeoDataFrame(
        {"boundary_id": ["C"], "name": ["小县"], "kind": ["county"]},
        geometry=[box(X0 - 800, Y0 - 800, X0 + 4800, Y0 + 800)],
        crs=METRIC,
    )
    empty = gpd.GeoDataFrame(
        {"student_id": [], "village_id": [], "grade": [], "school_id": []}, geometry=[], crs=METRIC
    )
    return Region(
        name="小县",
        crs=METRIC,
        bands=read_bands(),
        villages=villages,
        children=children,
        schools=schools,
        classes=pd.DataFrame(columns=["school_id", "grade", "class_no", "students", "year"]),
        sites=sites,
        students=empty,
        roads=roads,
        boundaries=boundaries,
        areas=pd.DataFrame({"area_id": ["A1"], "name": ["一片区"], "central_school_id": ["S1"]}),
        rejected=pd.DataFrame(
            columns=["layer", "row", "village_id", "grade", "year", "students", "reason"]
        ),
    )
