"""The invented county's files, as a county office keeps them; the same bytes for the same seed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import osmium
import pyogrio
import rasterio
import shapely
import xlsxwriter
from pyproj import Transformer
from rasterio.transform import from_origin

from demo_county.roads import Way
from demo_county.schooling import GRADES, YEARS, Schooling
from demo_county.settlements import COUNTY_CODE, County
from demo_county.terrain import METRIC_CRS, Floats, height_at

_GRADE_WORDS = (
    "一年级",
    "二年级",
    "三年级",
    "四年级",
    "五年级",
    "六年级",
    "七年级",
    "八年级",
    "九年级",
)
_SCHOOL_HEADINGS = (
    *("学校标识码", "学校名称", "所在乡镇", "办学类型", "起始年级", "终止年级", "普通教室数"),
    *("片区代码", "城乡分类代码", "是否寄宿制", "床位数", "餐位数", "午休位", "教职工数"),
    *("在校生数", "状态", "经度", "纬度"),
)
_STAMP = "2026-09-01T00:00:00.000Z"
_NODATA = -32768
_TO_DEGREES = Transformer.from_crs(METRIC_CRS, "EPSG:4490", always_xy=True)
_TO_METRES = Transformer.from_crs("EPSG:4490", METRIC_CRS, always_xy=True)
_TO_ZONE_36 = Transformer.from_crs(METRIC_CRS, "EPSG:4524", always_xy=True)


def degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude (CGCS2000) of a place.

    Parameters
    ----------
    x, y : float
        Metres.

    Returns
    -------
    lon, lat : float
        Degrees, rounded to 1e-7.
    """
    lon, lat = _TO_DEGREES.transform(x, y)
    return round(float(lon), 7), round(float(lat), 7)


def gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Offset a position the way Chinese web maps do (GCJ-02, public formula).

    Parameters
    ----------
    lon, lat : float
        CGCS2000 or WGS84 degrees.

    Returns
    -------
    lon, lat : float
        Offset degrees, rounded to 1e-7.
    """
    x, y = lon - 105.0, lat - 35.0
    wave = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + wave
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (
        (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    )
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + wave
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (
        (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    )
    axis, squared = 6_378_245.0, 0.00669342162296594323
    phi = math.radians(lat)
    w = 1.0 - squared * math.sin(phi) ** 2
    dlat = math.degrees(north / (axis * (1.0 - squared) / (w * math.sqrt(w))))
    dlon = math.degrees(east / (axis / math.sqrt(w) * math.cos(phi)))
    return round(lon + dlon, 7), round(lat + dlat, 7)


def write_all(
    folder: Path,
    rng: np.random.Generator,
    county: County,
    schooling: Schooling,
    ways: Sequence[Way],
    names: Mapping[str, Any],
) -> None:
    """Write every file of the region folder, each by a temporary name.

    Parameters
    ----------
    folder : Path
        The region's folder; made when absent.
    rng : numpy.random.Generator
        Source of chance (homes within their village, voids of the raster).
    county : County
        Villages, townships, terrain.
    schooling : Schooling
        Children, schools, classes.
    ways : sequence of Way
        Roads.
    names : mapping
        Content of ``names.toml``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _STAMP})
    homes = _homes(rng, county, schooling)
    writers: list[tuple[str, Callable[[Path], None]]] = [
        ("region.toml", lambda p: _text(p, _manifest(names))),
        ("说明.txt", lambda p: _text(p, names["note"] + "\n")),
        (".gitattributes", lambda p: _text(p, "* -text\n")),
        ("村庄.gpkg", lambda p: _villages(p, county, schooling)),
        ("学龄人口.csv", lambda p: _children(p, county, schooling)),
        ("学生住址.gpkg", lambda p: _gpkg(p, "学生住址", homes, "EPSG:4524", index=False)),
        ("学校情况表.xlsx", lambda p: _schools(p, county, schooling, names)),
        ("班级情况表.xlsx", lambda p: _classes(p, schooling, names)),
        ("备选校址.geojson", lambda p: _sites(p, county, names)),
        ("行政区划.gpkg", lambda p: _boundaries(p, county, names)),
        ("片区表.xlsx", lambda p: _areas(p, county, schooling, names)),
        ("道路.osm.pbf", lambda p: _roads(p, county, ways)),
        ("高程.tif", lambda p: _elevation(p, rng, county)),
    ]
    for name, write in writers:
        suffix = "".join(Path(name).suffixes) or ".txt"
        temporary = folder / f".writing-{len(name)}{suffix}"
        temporary.unlink(missing_ok=True)
        write(temporary)
        temporary.replace(folder / name)


def area_id(township: int) -> str:
    """Code of a township's area.

    Parameters
    ----------
    township : int
        Position of the township.

    Returns
    -------
    str
        Code.
    """
    return f"PQ{township + 1:02d}"


def _text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))


def _manifest(names: Mapping[str, Any]) -> str:
    return f'''# {names["note"]}
name = "{names["county"]}"
note = "{names["note"]}"
crs = "EPSG:4490"

[sources.villages]
file = "村庄.gpkg"
layer = "村庄"
crs = "EPSG:4490"

[sources.children]
file = "学龄人口.csv"
encoding = "gb18030"

[sources.students]
file = "学生住址.gpkg"
layer = "学生住址"
crs = "EPSG:4524"

[sources.schools]
file = "学校情况表.xlsx"
sheet = "学校情况"
crs = "GCJ-02"

[sources.classes]
file = "班级情况表.xlsx"
sheet = "班级情况"

[sources.sites]
file = "备选校址.geojson"
crs = "EPSG:4326"

[sources.boundaries]
file = "行政区划.gpkg"
layer = "行政区划"
crs = "EPSG:4545"

[sources.areas]
file = "片区表.xlsx"
sheet = "片区"

[sources.roads]
file = "道路.osm.pbf"
crs = "EPSG:4326"

[sources.elevation]
file = "高程.tif"
crs = "EPSG:4490"
'''


def _gpkg(
    path: Path, layer: str, columns: Mapping[str, Any], crs: str, *, index: bool = True
) -> None:
    frame = gpd.GeoDataFrame(columns, geometry="geometry", crs=crs)
    frame.to_file(
        path, layer=layer, driver="GPKG", engine="pyogrio", SPATIAL_INDEX="YES" if index else "NO"
    )


def _villages(path: Path, county: County, schooling: Schooling) -> None:
    villages, schools = county.villages, schooling.schools
    kind = {"town": "111", "suburb": "122", "seat": "121", "village": "220"}
    today = [[schools[j].code for j in schooling.designated[:, b]] for b in range(3)]
    columns = {
        "村代码": [v.code for v in villages],
        "村名": [v.name for v in villages],
        "乡镇": [county.townships[v.township] for v in villages],
        "片区代码": [area_id(v.township) for v in villages],
        "常住人口": schooling.population,
        "城乡分类代码": [kind.get(v.kind, "220") for v in villages],
        "低年级就读学校": today[0],
        "高年级就读学校": today[1],
        "初中学校": today[2],
        "geometry": [shapely.Point(*degrees(v.x, v.y)) for v in villages],
    }
    _gpkg(path, "村庄", columns, "EPSG:4490")


def _children(path: Path, county: County, schooling: Schooling) -> None:
    lines = [",".join(["村代码", "年度", *_GRADE_WORDS, "来源"])]
    for k, village in enumerate(county.villages):
        if not schooling.counted[k]:
            continue
        for t, year in enumerate(YEARS):
            row = schooling.children[k, :, t].tolist()
            source = "在籍" if t == 0 else "预测"
            lines.append(",".join([village.code, str(year), *map(str, row), source]))
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("gb18030"))


def _homes(rng: np.random.Generator, county: County, schooling: Schooling) -> dict[str, list[Any]]:
    """One home a child of the first year, around its village, in an order that tells nothing."""
    columns: dict[str, list[Any]] = {"村代码": [], "年级": [], "就读学校": []}
    x, y = [], []
    for k, village in enumerate(county.villages):
        spread = {"town": 150.0, "suburb": 240.0, "seat": 170.0}.get(village.kind, 190.0)
        for grade in GRADES:
            count = int(schooling.children[k, grade - 1, 0])
            away = np.minimum(spread * np.sqrt(-2.0 * np.log(1.0 - rng.random(count))), 3 * spread)
            angle = rng.uniform(0.0, 2.0 * np.pi, count)
            x += (village.x + away * np.cos(angle)).tolist()
            y += (village.y + away * np.sin(angle)).tolist()
            school = schooling.schools[schooling.designated[k, (grade - 1) // 3]].code
            columns["村代码"] += [village.code] * count
            columns["年级"] += [grade] * count
            columns["就读学校"] += [school] * count
    order = rng.permutation(len(x))
    east, north = _TO_ZONE_36.transform(np.array(x)[order], np.array(y)[order])
    result = {key: [values[k] for k in order] for key, values in columns.items()}
    result["学生编号"] = [f"S{k + 1:06d}" for k in range(len(order))]
    result["geometry"] = shapely.points(np.round(east, 1), np.round(north, 1)).tolist()
    return result


def _book(
    path: Path, sheet: str, title: str, rows: Sequence[Sequence[Any]], widths: Sequence[int]
) -> None:
    """Write a sheet with a merged title, headings below it, and codes as text."""
    with xlsxwriter.Workbook(
        str(path), {"strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        book.set_properties(
            {"title": title, "author": "云岭县（虚构）", "created": datetime(2026, 9, 1)}  # noqa: DTZ001
        )
        page = book.add_worksheet(sheet)
        bold = book.add_format({"bold": True, "align": "center", "font_size": 14})
        head = book.add_format({"bold": True, "border": 1, "bg_color": "#DDEBF7"})
        text = book.add_format({"num_format": "@"})
        page.merge_range(0, 0, 0, len(rows[0]) - 1, title, bold)
        page.write_row(1, 0, rows[0], head)
        for k, row in enumerate(rows[1:], start=2):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    page.write_string(k, column, value, text)
                elif value is not None:
                    page.write_number(k, column, value)
        for column, width in enumerate(widths):
            page.set_column(column, column, width)
        page.freeze_panes(2, 2)


def _schools(path: Path, county: County, schooling: Schooling, names: Mapping[str, Any]) -> None:
    rows: list[list[Any]] = [list(_SCHOOL_HEADINGS)]
    enrolled = [0] * len(schooling.schools)
    for (j, _), sizes in schooling.classes.items():
        enrolled[j] += sum(sizes)
    for s, total in zip(schooling.schools, enrolled, strict=True):
        lon, lat = gcj02(*degrees(s.x, s.y))
        rows.append(
            [
                *(s.code, s.name, county.townships[s.township], s.role, s.first, s.last, s.rooms),
                *(area_id(s.township), s.urban, "是" if s.beds else "否"),
                *(s.beds, s.dining, s.naps, s.teachers, total),
                *("撤并" if s.closed else "现有", lon, lat),
            ]
        )
    title = f"{names['county']}义务教育学校情况表（2026年秋季，虚构数据）"
    _book(path, "学校情况", title, rows, [13, 24, 12, 12] + [9] * 14)


def _classes(path: Path, schooling: Schooling, names: Mapping[str, Any]) -> None:
    rows: list[list[Any]] = [["学校标识码", "年度", "年级", "班号", "人数"]]
    for (j, grade), sizes in sorted(schooling.classes.items()):
        school = schooling.schools[j]
        for number, size in enumerate(sizes, start=1):
            rows.append([school.code, YEARS[0], _GRADE_WORDS[grade - 1], f"{number}班", size])
    title = f"{names['county']}义务教育班级情况表（2026年秋季，虚构数据）"
    _book(path, "班级情况", title, rows, [13, 8, 9, 8, 8])


def _areas(path: Path, county: County, schooling: Schooling, names: Mapping[str, Any]) -> None:
    rows: list[list[Any]] = [["片区代码", "片区名称", "片区中心校"]]
    for township, name in enumerate(county.townships):
        centre = next(
            s
            for s in schooling.schools
            if s.township == township and s.role in {"中心校", "九年一贯制"}
        )
        rows.append([area_id(township), f"{name[:-1]}片区", centre.code])
    _book(path, "片区", f"{names['county']}片区表（虚构数据）", rows, [12, 16, 14])


def _sites(path: Path, county: County, names: Mapping[str, Any]) -> None:
    features = []
    for site in names["site"]:
        seat = county.grid.spot[county.seats[site["township"]]]
        on = np.flatnonzero(county.grid.on_road())
        wish = seat + 1000.0 * np.array(site["offset"])
        at = county.grid.spot[on[np.argmin(np.hypot(*(county.grid.spot[on] - wish).T))]]
        x, y = at + np.array([38.0, 27.0])
        lon, lat = degrees(float(x), float(y))
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "校址代码": site["id"],
                    "校址名称": site["name"],
                    "所在乡镇": county.townships[site["township"]],
                    "起始年级": site["first"],
                    "终止年级": site["last"],
                    "最多教室数": site["rooms"],
                    "建设投资": site["cost"],
                },
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
            }
        )
    content = {
        "type": "FeatureCollection",
        "name": "备选校址",
        "note": names["note"],
        "features": features,
    }
    _text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _boundaries(path: Path, county: County, names: Mapping[str, Any]) -> None:
    whole = shapely.union_all(list(county.polygons))
    codes = [f"{COUNTY_CODE}{_township_part(t):03d}000" for t in range(len(county.townships))]
    columns = {
        "区划代码": [f"{COUNTY_CODE}000000", *codes],
        "名称": [names["county"], *county.townships],
        "级别": ["县"] + ["乡镇"] * len(codes),
        "geometry": [whole, *county.polygons],
    }
    _gpkg(path, "行政区划", columns, METRIC_CRS)


def _township_part(township: int) -> int:
    return 100 + township if township < 8 else 192 + township


def _roads(path: Path, county: County, ways: Sequence[Way]) -> None:
    header = osmium.io.Header()
    header.set("generator", "make_demo")
    box = shapely.union_all(list(county.polygons)).bounds
    west, south = degrees(box[0], box[1])
    east, north = degrees(box[2], box[3])
    header.add_box(osmium.osm.Box(west, south, east, north))
    lines: list[tuple[Floats, dict[str, str], tuple[int, ...]]] = [
        (w.points, w.tags, w.cells) for w in ways
    ]
    lines += _other_lines(county)
    node_of: dict[int, int] = {}
    nodes: list[tuple[float, float]] = []
    members: list[list[int]] = []
    for points, _, cells in lines:
        lon, lat = _TO_DEGREES.transform(points[:, 0], points[:, 1])
        ids = []
        for k in range(len(points)):
            end = cells[0] if k == 0 else cells[-1] if k == len(points) - 1 else -1
            if end >= 0 and end in node_of and cells:
                ids.append(node_of[end])
                continue
            nodes.append((round(float(lon[k]), 7), round(float(lat[k]), 7)))
            ids.append(len(nodes))
            if end >= 0:
                node_of[end] = len(nodes)
        members.append(ids)
    writer = osmium.SimpleWriter(str(path), header=header)
    try:
        for number, place in enumerate(nodes, start=1):
            writer.add_node(osmium.osm.mutable.Node(id=number, location=place))
        for number, (ids, (_, tags, _)) in enumerate(zip(members, lines, strict=True), start=1):
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=ids, tags=tags))
    finally:
        writer.close()


def _other_lines(county: County) -> list[tuple[Floats, dict[str, str], tuple[int, ...]]]:
    """Water, the ferry and the railway: lines that are no roads."""
    result: list[tuple[Floats, dict[str, str], tuple[int, ...]]] = []
    for stream in county.terrain.streams:
        if stream.kind == "side":
            continue
        tags = {"waterway": "river" if stream.kind == "main" else "stream"}
        if stream.kind == "main":
            tags["name"] = "云水河"
        result.append((stream.points[::2], tags, (-1,)))
    result.append((county.ferry, {"route": "ferry", "name": "古渡"}, (-1,)))
    main = county.terrain.streams[0].points[::12]
    along = np.gradient(main, axis=0)
    normal = np.column_stack([-along[:, 1], along[:, 0]]) / np.hypot(*along.T)[:, None]
    result.append((main + 520.0 * normal, {"railway": "rail", "name": "云岭铁路"}, (-1,)))
    return result


def _elevation(path: Path, rng: np.random.Generator, county: County) -> None:
    """Whole metres on three-second cells in degrees, with a few voids."""
    box = shapely.union_all(list(county.polygons)).buffer(1500.0).bounds
    west, south = degrees(box[0], box[1])
    east, north = degrees(box[2], box[3])
    step = 1.0 / 1200.0
    columns, rows = int((east - west) / step), int((north - south) / step)
    lon, lat = np.meshgrid(
        west + (np.arange(columns) + 0.5) * step, north - (np.arange(rows) + 0.5) * step
    )
    x, y = _TO_METRES.transform(lon.ravel(), lat.ravel())
    level = height_at(county.terrain, np.asarray(x), np.asarray(y)).reshape(rows, columns)
    cells: npt.NDArray[np.int16] = np.rint(level).astype(np.int16)
    for _ in range(6):
        r, c = int(rng.integers(60, rows - 60)), int(rng.integers(60, columns - 60))
        across, down = np.meshgrid(np.arange(columns) - c, np.arange(rows) - r)
        cells[across**2 / 30.0 + down**2 / 12.0 < rng.uniform(0.6, 1.6)] = _NODATA
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=columns,
        height=rows,
        count=1,
        dtype="int16",
        crs="EPSG:4490",
        transform=from_origin(west, north, step, step),
        nodata=_NODATA,
        compress="deflate",
        predictor=2,
        zlevel=9,
    ) as target:
        target.write(cells, 1)
