"""The shipped demo county, read again with plain libraries: counts, sums, places, roads, bytes."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import openpyxl
import osmium
import pytest
import rasterio
import shapely
from pyproj import Transformer
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo"
METRES = "EPSG:4545"
GRADES = ["一年级", "二年级", "三年级", "四年级", "五年级", "六年级", "七年级", "八年级", "九年级"]
TO_METRES = Transformer.from_crs("EPSG:4490", METRES, always_xy=True)


# --- reading, without the package -----------------------------------------------------------


@cache
def manifest() -> dict:
    return tomllib.loads((DEMO / "region.toml").read_text(encoding="utf-8"))


def path_of(layer: str) -> Path:
    return DEMO / manifest()["sources"][layer]["file"]


@cache
def villages() -> gpd.GeoDataFrame:
    return gpd.read_file(path_of("villages"), layer=manifest()["sources"]["villages"]["layer"])


@cache
def students() -> gpd.GeoDataFrame:
    return gpd.read_file(path_of("students"))


@cache
def boundaries() -> gpd.GeoDataFrame:
    return gpd.read_file(path_of("boundaries"))


@cache
def children() -> list[dict[str, str]]:
    text = path_of("children").read_bytes().decode("gb18030")
    return list(csv.DictReader(io.StringIO(text)))


@cache
def sheet(layer: str) -> list[dict]:
    source = manifest()["sources"][layer]
    page = openpyxl.load_workbook(DEMO / source["file"])[source["sheet"]]
    rows = list(page.iter_rows(values_only=True))
    assert any(r.min_row == 1 and r.max_col > 2 for r in page.merged_cells.ranges)
    assert "虚构" in rows[0][0]
    return [dict(zip(rows[1], row, strict=True)) for row in rows[2:]]


def gcj_forward(lon: float, lat: float) -> tuple[float, float]:
    """The public GCJ-02 formula in its usual form, written apart from the script's."""
    pi = math.pi

    def wobble(v: float, a: float, p: float, b: float, q: float) -> float:
        return (a * math.sin(v * p) + b * math.sin(v * q)) * 2 / 3

    x, y = lon - 105, lat - 35
    shared = wobble(x, 20, 6 * pi, 20, 2 * pi)
    dlat = (
        (-100 + 2 * x + 3 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * abs(x) ** 0.5)
        + shared
        + wobble(y, 20, pi, 40, pi / 3)
        + wobble(y, 160, pi / 12, 320, pi / 30)
    )
    dlon = (
        (300 + x + 2 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * abs(x) ** 0.5)
        + shared
        + wobble(x, 20, pi, 40, pi / 3)
        + wobble(x, 150, pi / 12, 300, pi / 30)
    )
    a, ee = 6378245.0, 0.00669342162296594323
    magic = 1 - ee * math.sin(lat / 180 * pi) ** 2
    dlat = dlat * 180 / (a * (1 - ee) / magic**1.5 * pi)
    dlon = dlon * 180 / (a / magic**0.5 * math.cos(lat / 180 * pi) * pi)
    return lon + dlon, lat + dlat


def gcj_undone(lon: float, lat: float) -> tuple[float, float]:
    x, y = lon, lat
    for _ in range(30):
        u, v = gcj_forward(x, y)
        x, y = x + lon - u, y + lat - v
    return x, y


@cache
def school_places() -> dict[str, tuple[float, float]]:
    """Schools in metres, the offset of their source undone."""
    return {
        r["学校标识码"]: TO_METRES.transform(*gcj_undone(r["经度"], r["纬度"]))
        for r in sheet("schools")
    }


@dataclass
class Osm:
    graph: nx.Graph
    xy: dict[int, tuple[float, float]]
    ways: list[tuple[dict[str, str], list[int]]]


@cache
def osm() -> Osm:
    xy: dict[int, tuple[float, float]] = {}
    ways = []
    for item in osmium.FileProcessor(str(path_of("roads"))):
        if item.is_node():
            xy[item.id] = TO_METRES.transform(item.location.lon, item.location.lat)
        elif item.is_way():
            ways.append((dict(item.tags), [n.ref for n in item.nodes]))
    graph = nx.Graph()
    for tags, refs in ways:
        if "highway" in tags:
            for a, b in pairwise(refs):
                graph.add_edge(a, b, metres=math.dist(xy[a], xy[b]))
    return Osm(graph, xy, ways)


def village_xy() -> np.ndarray:
    points = villages().geometry
    return np.column_stack(TO_METRES.transform(points.x.to_numpy(), points.y.to_numpy()))


def town_mask() -> np.ndarray:
    return villages()["城乡分类代码"].to_numpy() == "111"


# --- the tests ------------------------------------------------------------------------------


def test_manifest_says_invented_and_names_every_file() -> None:
    assert "虚构" in manifest()["note"]
    assert "Invented" in manifest()["note"]
    layers = {r["layer"] for r in csv.DictReader(_package("layers.csv"))}
    assert set(manifest()["sources"]) == layers
    for layer in layers:
        assert path_of(layer).is_file()
    assert sum(p.stat().st_size for p in DEMO.rglob("*") if p.is_file()) < 6_000_000
    declared = [s["crs"] for s in manifest()["sources"].values() if "crs" in s]
    assert "GCJ-02" in declared


def _package(name: str) -> list[str]:
    return (ROOT / "catchment" / "region" / name).read_text(encoding="utf-8").splitlines()


def test_headings_are_known_to_the_schema() -> None:
    known: dict[str, set[str]] = defaultdict(set)
    for row in csv.DictReader(_package("columns.csv")):
        known[row["layer"]] |= {row["column"], *row["aliases"].split("|")}
    sites = gpd.read_file(path_of("sites"))
    used = {
        "villages": set(villages().columns) - {"geometry"},
        "students": set(students().columns) - {"geometry"},
        "boundaries": set(boundaries().columns) - {"geometry"},
        "sites": set(sites.columns) - {"geometry"},
        "children": set(children()[0]) - set(GRADES),
        **{layer: set(sheet(layer)[0]) for layer in ("schools", "classes", "areas")},
    }
    for layer, headings in used.items():
        assert headings <= known[layer], layer
        assert all(re.search("[一-鿿]", h) for h in headings)


def test_counts_are_those_of_a_mountain_county() -> None:
    frame = villages()
    assert len(frame) == 300
    assert frame["村代码"].is_unique
    assert frame["村代码"].str.fullmatch(r"\d{12}").all()
    assert frame["村名"].is_unique
    assert frame["乡镇"].nunique() == 14
    open_schools = [r for r in sheet("schools") if r["状态"] == "现有"]
    assert [r["状态"] for r in sheet("schools")].count("撤并") == 1
    roles = Counter(r["办学类型"] for r in open_schools)
    assert roles["初中"] + roles["九年一贯制"] == 10
    assert roles["九年一贯制"] == 1
    assert 60 <= roles["完全小学"] + roles["中心校"] + roles["教学点"] <= 80
    assert roles["教学点"] >= 20
    codes = [r["学校标识码"] for r in sheet("schools")]
    assert len(set(codes)) == len(codes)
    assert all(isinstance(c, str) and re.fullmatch(r"\d{10}", c) for c in codes)
    assert len({r["学校名称"] for r in sheet("schools")}) == len(codes)
    assert 14_000 <= len(students()) <= 16_000
    primary = [r["在校生数"] for r in open_schools if r["终止年级"] <= 6]
    assert sum(n < 30 for n in primary) >= 15
    assert sum(n < 10 for n in primary) >= 3
    assert any("李家" in r["学校名称"] and r["办学类型"] == "教学点" for r in open_schools)


def test_names_fit_their_place() -> None:
    at = {r["学校名称"]: school_places()[r["学校标识码"]] for r in sheet("schools")}
    assert at["云岭县城南小学"][1] < at["云岭县第一小学"][1] < at["云岭县城北小学"][1]


def test_large_classes_stand_in_town() -> None:
    town = {
        r["学校标识码"]
        for r in sheet("schools")
        if r["所在乡镇"] == "云城镇" and r["城乡分类代码"] == "121"
    }
    large = [r for r in sheet("classes") if r["人数"] >= 56]
    assert len(large) >= 30
    assert sum(r["人数"] >= 66 for r in large) >= 5
    assert {r["学校标识码"] for r in large} <= town
    stages = {r["学校标识码"]: r["终止年级"] for r in sheet("schools")}
    assert {stages[r["学校标识码"]] for r in large} == {6, 9}


def test_sums_agree_across_all_layers() -> None:
    designated = {
        r["村代码"]: (r["低年级就读学校"], r["高年级就读学校"], r["初中学校"])
        for _, r in villages().iterrows()
    }
    grades_of = {r["学校标识码"]: (r["起始年级"], r["终止年级"]) for r in sheet("schools")}
    closed = {r["学校标识码"] for r in sheet("schools") if r["状态"] != "现有"}
    by_school: Counter[tuple[str, int]] = Counter()
    by_village: Counter[tuple[str, int]] = Counter()
    for row in children():
        if row["年度"] != "2026":
            continue
        assert row["来源"] == "在籍"
        for grade, word in enumerate(GRADES, start=1):
            school = designated[row["村代码"]][(grade - 1) // 3]
            low, high = grades_of[school]
            assert low <= grade <= high
            assert school not in closed
            by_village[row["村代码"], grade] += int(row[word])
            by_school[school, grade] += int(row[word])
    in_classes: Counter[tuple[str, int]] = Counter()
    rooms_used: Counter[str] = Counter()
    for row in sheet("classes"):
        assert row["年度"] == 2026
        assert 1 <= row["人数"] <= 80
        in_classes[row["学校标识码"], GRADES.index(row["年级"]) + 1] += row["人数"]
        rooms_used[row["学校标识码"]] += 1
    assert +in_classes == +by_school
    homes = Counter(zip(students()["村代码"], students()["年级"].astype(int), strict=True))
    assert +homes == +by_village
    for row in students().itertuples():
        assert row.就读学校 == designated[row.村代码][(row.年级 - 1) // 3]
    for row in sheet("schools"):
        total = sum(n for (s, _), n in in_classes.items() if s == row["学校标识码"])
        assert row["在校生数"] == total
        assert rooms_used[row["学校标识码"]] <= row["普通教室数"]


def test_every_counted_village_has_every_year_and_a_few_are_uncounted() -> None:
    years = defaultdict(list)
    for row in children():
        years[row["村代码"]].append(int(row["年度"]))
        assert all(int(row[word]) >= 0 for word in GRADES)
    assert all(v == list(range(2026, 2036)) for v in years.values())
    without = set(villages()["村代码"]) - set(years)
    assert 3 <= len(without) <= 5
    assert not set(years) - set(villages()["村代码"])
    assert (villages().set_index("村代码").loc[sorted(without), "常住人口"] > 0).all()
    with pytest.raises(UnicodeDecodeError):
        path_of("children").read_bytes().decode("utf-8")


def test_cohorts_fall_and_the_town_is_short_first_then_has_room() -> None:
    town = set(villages()["村代码"][town_mask()])
    total: Counter[tuple[bool, int]] = Counter()
    for row in children():
        number = sum(int(row[word]) for word in GRADES[:6])
        total[row["村代码"] in town, int(row["年度"])] += number
    assert total[False, 2035] < 0.62 * total[False, 2026]
    assert total[False, 2035] / total[False, 2026] < total[True, 2035] / total[True, 2026] < 0.9
    serving = {
        s for band in ("低年级就读学校", "高年级就读学校") for s in villages()[band][town_mask()]
    }
    places = sum(45 * r["普通教室数"] for r in sheet("schools") if r["学校标识码"] in serving)
    assert total[True, 2026] > places
    assert total[True, 2035] < places
    elsewhere = [
        r
        for r in sheet("schools")
        if r["学校标识码"] not in serving and r["终止年级"] <= 6 and r["状态"] == "现有"
    ]
    used = Counter(r["学校标识码"] for r in sheet("classes"))
    empty = sum(r["普通教室数"] - used[r["学校标识码"]] for r in elsewhere)
    assert empty > 100


def test_schools_lie_by_their_village_and_road_once_the_offset_is_undone() -> None:
    lines = [
        shapely.LineString([osm().xy[n] for n in refs])
        for tags, refs in osm().ways
        if "highway" in tags
    ]
    tree = shapely.STRtree(lines)
    places = school_places()
    right = np.array(list(places.values()))
    wrong = np.array([TO_METRES.transform(r["经度"], r["纬度"]) for r in sheet("schools")])

    def off_road(points: np.ndarray) -> np.ndarray:
        found = tree.query_nearest(shapely.points(points), return_distance=True, all_matches=False)
        return np.asarray(found[1])

    assert off_road(right).max() < 90.0
    assert np.median(off_road(wrong)) > 2 * np.median(off_road(right))
    assert 200 < np.median(np.hypot(*(wrong - right).T)) < 900
    assert cKDTree(village_xy()).query(right)[0].max() < 650.0


def test_offset_of_the_script_is_undone_to_a_metre() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from demo_county.files import gcj02
    finally:
        sys.path.pop(0)
    chance = np.random.default_rng(5)
    for lon, lat in zip(
        chance.uniform(107.2, 107.7, 200), chance.uniform(27.1, 27.6, 200), strict=True
    ):
        assert gcj02(lon, lat) == pytest.approx(gcj_forward(lon, lat), abs=2e-7)
        back = gcj_undone(*gcj02(lon, lat))
        metres = np.subtract(TO_METRES.transform(*back), TO_METRES.transform(lon, lat))
        assert np.hypot(*metres) < 0.1


def test_homes_are_in_the_declared_zone_and_around_their_village() -> None:
    frame = students()
    assert frame.crs.to_epsg() == 4524
    assert frame.geometry.x.between(36_400_000, 36_500_000).all()
    assert set(frame.columns) == {"村代码", "年级", "就读学校", "学生编号", "geometry"}
    assert frame["学生编号"].is_unique
    homes = frame.to_crs(METRES).geometry
    at = dict(zip(villages()["村代码"], village_xy(), strict=True))
    away = np.hypot(
        homes.x - [at[c][0] for c in frame["村代码"]], homes.y - [at[c][1] for c in frame["村代码"]]
    )
    assert away.max() < 800
    assert away.median() < 350


def test_roads_form_one_main_part_and_one_behind_the_ferry() -> None:
    parts = sorted(nx.connected_components(osm().graph), key=len, reverse=True)
    assert len(parts) == 2
    assert len(parts[0]) / osm().graph.number_of_nodes() >= 0.95
    assert min(d["metres"] for _, _, d in osm().graph.edges(data=True)) > 1.0
    used = {k: {t.get(k) for t, _ in osm().ways} for k in ("highway", "bridge", "oneway")}
    assert {"primary", "secondary", "tertiary", "unclassified", "residential"} <= used["highway"]
    assert {"track", "path"} <= used["highway"]
    assert used["bridge"] == {None, "yes"}
    assert used["oneway"] == {None, "yes"}
    for tag in ("railway", "hazard", "ref", "maxspeed", "name", "waterway"):
        assert any(tag in t for t, _ in osm().ways)
    ferry = [refs for t, refs in osm().ways if t.get("route") == "ferry"]
    assert len(ferry) == 1
    assert not set(ferry[0]) & set(osm().graph)
    nodes = np.array([osm().xy[n] for n in osm().graph])
    behind = np.array([n in parts[1] for n in osm().graph])
    away, nearest = cKDTree(nodes).query(village_xy())
    assert 3 <= int((behind[nearest] & (away < 500)).sum()) <= 5
    # A street one way must not be a trap: every place can be left and reached again.
    directed = nx.DiGraph()
    for tags, refs in osm().ways:
        if tags.get("highway", "path") not in {"path", "track"}:
            nx.add_path(directed, refs)
            if tags.get("oneway") != "yes":
                nx.add_path(directed, refs[::-1])
    assert sum(1 for _ in nx.strongly_connected_components(directed)) == 2


def test_a_few_villages_have_no_mapped_road_and_all_others_do() -> None:
    lines = [
        shapely.LineString([osm().xy[n] for n in refs])
        for tags, refs in osm().ways
        if "highway" in tags
    ]
    tree = shapely.STRtree(lines)
    found = tree.query_nearest(
        shapely.points(village_xy()), return_distance=True, all_matches=False
    )
    far = found[1] > 2000.0
    assert 3 <= int(far.sum()) <= 6
    assert found[1][~far].max() < 250.0


def test_the_river_is_crossed_on_bridges_only() -> None:
    river = next(
        shapely.LineString([osm().xy[n] for n in refs])
        for tags, refs in osm().ways
        if tags.get("waterway") == "river"
    )
    bridges = 0
    for tags, refs in osm().ways:
        if "highway" not in tags:
            continue
        crosses = shapely.LineString([osm().xy[n] for n in refs]).intersects(river)
        bridges += crosses
        assert not crosses or tags.get("bridge") == "yes", tags
    assert 2 <= bridges <= 12


def test_townships_tile_the_county() -> None:
    frame = boundaries()
    assert frame.crs.to_epsg() == 4545
    county = frame[frame["级别"] == "县"].geometry.iloc[0]
    parts = frame[frame["级别"] == "乡镇"]
    assert len(parts) == 14
    assert set(parts["名称"]) == set(villages()["乡镇"])
    assert frame.is_valid.all()
    assert (frame.geom_type == "Polygon").all()
    assert parts.area.sum() == pytest.approx(county.area, rel=1e-9)
    assert shapely.union_all(parts.geometry).symmetric_difference(county).area < 1.0
    assert shapely.coverage_is_valid(parts.geometry.to_numpy())
    at = dict(zip(parts["名称"], parts.geometry, strict=True))
    inside = [
        at[t].distance(shapely.Point(p))
        for t, p in zip(villages()["乡镇"], village_xy(), strict=True)
    ]
    assert max(inside) < 1.0
    assert 800e6 < county.area < 2500e6


def test_elevation_has_voids_and_valleys_that_roads_follow() -> None:
    with rasterio.open(path_of("elevation")) as source:
        assert source.crs.to_epsg() == 4490
        level = source.read(1)
        void = level == source.nodata
        assert 5 <= void.sum() < 0.01 * level.size
        west, south, east, north = source.bounds
        back = Transformer.from_crs(METRES, "EPSG:4490", always_xy=True)

        def heights(points: np.ndarray) -> np.ndarray:
            lon, lat = back.transform(points[:, 0], points[:, 1])
            values = np.array(
                [v[0] for v in source.sample(zip(lon, lat, strict=True))], dtype=float
            )
            values[values == source.nodata] = np.nan
            return values

        bounds = boundaries().to_crs("EPSG:4490").total_bounds
        assert west < bounds[0]
        assert south < bounds[1]
        assert east > bounds[2]
        assert north > bounds[3]
        ground = level[~void]
        assert ground.max() - ground.min() > 500
        road = heights(np.array([osm().xy[n] for n in osm().graph]))
        road = road[road != 0]
        assert np.nanmedian(road) < np.median(ground)
        river = next(r for t, r in osm().ways if t.get("waterway") == "river")
        down = heights(np.array([osm().xy[n] for n in river]))
        down = down[np.isfinite(down) & (down > 0)]
        assert down[:10].mean() - down[-10:].mean() > 100
        # Grade over whole ways of passable roads: steep in places, but roads.
        grades = []
        for tags, refs in osm().ways:
            if tags.get("highway") in {"primary", "secondary", "tertiary", "unclassified"}:
                line = shapely.LineString([osm().xy[n] for n in refs])
                ends = heights(np.array([line.coords[0], line.coords[-1]]))
                if line.length > 300 and np.isfinite(ends).all() and ends.min() > 0:
                    grades.append(abs(ends[1] - ends[0]) / line.length)
        assert np.percentile(grades, 95) < 0.12


def test_most_villages_go_to_the_nearest_school_and_a_few_do_not() -> None:
    graph = osm().graph
    ids = list(graph)
    tree = cKDTree([osm().xy[n] for n in ids])
    node = {c: ids[tree.query(p)[1]] for c, p in school_places().items()}
    homes = [ids[k] for k in tree.query(village_xy())[1]]
    lower = {
        r["学校标识码"] for r in sheet("schools") if r["起始年级"] == 1 and r["状态"] == "现有"
    }
    metres = {
        c: nx.single_source_dijkstra_path_length(graph, node[c], weight="metres") for c in lower
    }
    farther = over = 0
    for home, own in zip(homes, villages()["低年级就读学校"], strict=True):
        to = {c: d[home] for c, d in metres.items() if home in d}
        if own in to:
            farther += to[own] > min(to.values()) + 500
            over += to[own] > 9000
    assert 5 <= farther <= 60
    assert 1 <= over <= 25


def test_recipes_name_what_exists() -> None:
    found = {p.name: tomllib.loads(p.read_text(encoding="utf-8")) for p in _recipes()}
    assert set(found) == {"today.toml", "merge-2028.toml", "capacity.toml", "catchments.toml"}
    schools = {r["学校标识码"]: r for r in sheet("schools")}
    wishes = found["catchments.toml"]["catchments"]
    known = set(villages()["村名"])
    for one in (*wishes["shared"], *wishes["together"]):
        assert set(one["villages"]) <= known
    assert set(wishes["shared"][0]["schools"]) <= {r["学校名称"] for r in schools.values()}
    sites = set(gpd.read_file(path_of("sites"))["校址代码"])
    assert 4 <= len(sites) <= 6
    for recipe in found.values():
        assert (DEMO / "scenarios" / recipe["region"]).resolve() == DEMO
    actions = found["merge-2028.toml"]["action"]
    assert {"keep", "downgrade", "merge", "expand", "build"} == {a["do"] for a in actions}
    for action in actions:
        assert action.get("site", "BX01") in sites
        for key in ("school", "into"):
            assert action.get(key) is None or schools[action[key]]["状态"] == "现有"
    keep = next(a for a in actions if a["do"] == "keep")
    assert schools[keep["school"]]["学校名称"] == "李家坝教学点"
    named = {a["school"] for a in actions if "school" in a}
    township = schools[keep["school"]]["所在乡镇"]
    rest = {
        c
        for c, r in schools.items()
        if r["所在乡镇"] == township and r["办学类型"] in {"完全小学", "教学点", "中心校"}
    }
    assert rest == named
    expand = next(a for a in actions if a["do"] == "expand")
    assert all(a["year"] > expand["year"] for a in actions if a["do"] == "merge")


def _own(name: str) -> list[dict[str, str]]:
    text = (DEMO / name).read_text(encoding="utf-8-sig")
    assert "虚构" in text
    return [r for r in csv.DictReader(io.StringIO(text)) if not r["学校代码"].startswith("#")]


def test_resources_name_every_open_school_with_its_students() -> None:
    schools = {r["学校标识码"]: r for r in sheet("schools") if r["状态"] == "现有"}
    rows = {r["学校代码"]: r for r in _own("resources.csv")}
    assert set(rows) == {c for c, r in schools.items() if r["在校生数"]}
    for code, row in rows.items():
        school = schools[code]
        assert int(row["学生数"]) == school["在校生数"]
        first, last = school["起始年级"], school["终止年级"]
        wanted = "both" if first <= 6 < last else "primary" if last <= 6 else "junior"
        assert row["学段"] == wanted
        assert (row["类别"] == "teaching_point") == (school["办学类型"] == "教学点")
        if wanted == "both":
            assert int(row["小学部学生数"]) + int(row["初中部学生数"]) == school["在校生数"]
        assert all(float(row[h]) >= 0 for h in list(row)[4:11])


def test_evidence_is_of_schools_and_rules_that_exist_and_not_complete() -> None:
    codes = {r["学校标识码"] for r in sheet("schools")}
    rules = ROOT / "catchment" / "rules" / "national.csv"
    known = {r["code"] for r in csv.DictReader(rules.read_text(encoding="utf-8").splitlines())}
    rows = _own("evidence.csv")
    assert {r["学校代码"] for r in rows} <= codes | {""}
    assert {r["规则代码"] for r in rows} <= known
    assert all("虚构" in r["文件"] for r in rows)
    assert any(not r["日期"] for r in rows)
    merged = {
        a["school"]
        for p in _recipes()
        for a in tomllib.loads(p.read_text(encoding="utf-8")).get("action", [])
        if a["do"] == "merge"
    }
    assert merged & {r["学校代码"] for r in rows}
    # no hearing and no approval: the gate stays shut
    assert not {r["事项"] for r in rows} & {"hearing", "approval"}


def test_staff_of_the_nine_year_school_is_by_grades() -> None:
    one = next(r for r in sheet("schools") if r["办学类型"] == "九年一贯制")
    count = Counter(
        GRADES.index(r["年级"]) >= 6
        for r in sheet("classes")
        if r["学校标识码"] == one["学校标识码"]
        for _ in range(r["人数"])
    )
    need = count[False] / 19 + count[True] / 13.5
    assert 0.9 * need <= one["教职工数"] <= 1.2 * need


def _recipes() -> list[Path]:
    return sorted((DEMO / "scenarios").glob("*.toml"))


def test_areas_have_a_central_school_that_exists() -> None:
    schools = {r["学校标识码"]: r for r in sheet("schools")}
    areas = {r["片区代码"]: r["片区中心校"] for r in sheet("areas")}
    assert len(areas) == 14
    assert set(areas) == set(villages()["片区代码"])
    assert {schools[c]["办学类型"] for c in areas.values()} == {"中心校", "九年一贯制"}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    runs = []
    for number in (1, 2):  # two processes with different hash seeds, side by side
        out = tmp_path / str(number)
        runs.append(
            subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "make_demo.py"), "--out", str(out)],
                env={**os.environ, "PYTHONHASHSEED": str(number)},
                stdout=subprocess.DEVNULL,
            )
        )
    assert [run.wait() for run in runs] == [0, 0]
    first = {p.relative_to(tmp_path / "1"): p.read_bytes() for p in _files(tmp_path / "1")}
    second = {p.relative_to(tmp_path / "2"): p.read_bytes() for p in _files(tmp_path / "2")}
    assert set(first) == set(second)
    assert [n for n in first if first[n] != second[n]] == []
    shipped = {p.relative_to(DEMO) for p in _files(DEMO)}
    assert shipped == set(first)
    # Binary formats hold versions of their libraries; text does not and must be up to date.
    text = [n for n in first if n.suffix in {".csv", ".toml", ".txt", ".geojson"}]
    assert [n for n in text if (DEMO / n).read_bytes() != first[n]] == []


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())
