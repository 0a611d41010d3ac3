"""A made-up county with everything a map shows, and the same county full of hostile names."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS
from scipy.sparse import csr_matrix
from scipy.spatial import Delaunay
from shapely import Polygon, box, voronoi_polygons
from shapely.geometry import MultiPoint

from catchment.network.graph import RoadNetwork
from catchment.network.travel import TravelTimes
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.bands import read_bands
from catchment.region.model import Region
from catchment.run import Run

HOSTILE = (
    '<img src=x onerror="window.__hit=1">',
    "${window.__hit=2}",
    "`+(window.__hit=3)+`",
    "</script><script>window.__hit=4</script>",
    "\u202eevil\u202c‮村",
    'O\'Brien "quoted" & <b>bold</b>',
    "很长的名字" * 40,
    "村😀👩‍👩‍👧‍👦🏫",
    "javascript:window.__hit=5",
    "\u2028line\u2029sep",
    "--><!--<script>window.__hit=6</script>",
    "{{7*7}}{% raw %}",
    '=HYPERLINK("http://example.invalid")',
    "\\u003cimg\\u003e\\",
    "__proto__",
)
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
_PLACES = ("家湾", "家坪", "家沟", "岭", "坝", "石", "河口", "家寨")
_TOWNS = (
    "青溪", "云岭", "石门", "双河", "白沙", "龙潭", "花坪", "高寨", "柳林", "大湾", "桃园",
    "松坡", "金竹", "梅江",
)  # fmt: skip


def build_run(
    *,
    villages: int = 300,
    seed: int = 7,
    hostile: bool = False,
    village_schools: int = 52,
    pieces: int = 6,
) -> Run:
    """Build a whole run without the pipeline."""
    rng = np.random.default_rng(seed)
    crs = CRS.from_epsg(4544)
    bands = read_bands()
    west, south, wide, high = 470_000.0, 3_040_000.0, 46_000.0, 34_000.0
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = 1 + 0.13 * np.sin(3 * angle + 1) + 0.06 * np.sin(7 * angle)
    county = Polygon(
        np.c_[
            west + wide / 2 * (1 + 0.86 * radius * np.cos(angle)),
            south + high / 2 * (1 + 0.86 * radius * np.sin(angle)),
        ]
    )
    towns = _inside(county, len(_TOWNS), rng)
    spots = _inside(county, villages, rng)
    town_of = np.argmin(((spots[:, None] - towns[None]) ** 2).sum(2), axis=1)
    village_ids = tuple(f"52{k:010d}" for k in range(villages))
    names = [
        _SURNAMES[rng.integers(len(_SURNAMES))] + _PLACES[rng.integers(len(_PLACES))]
        for _ in range(villages)
    ]
    town_names = list(_TOWNS)
    if hostile:
        names = [HOSTILE[k % len(HOSTILE)] for k in range(villages)]
        town_names = [HOSTILE[k % len(HOSTILE)] + str(k) for k in range(len(_TOWNS))]
    else:
        town_names = [f"{t}{'镇' if k % 2 else '乡'}" for k, t in enumerate(town_names)]

    # Sites: central and junior schools at town seats, village schools in villages, two candidates.
    picks = rng.choice(villages, village_schools, replace=False)
    spot_list, role, town, name = [], [], [], []
    for k, seat in enumerate(towns):
        spot_list.append(seat)
        role.append("central")
        town.append(k)
        name.append(f"{_TOWNS[k]}中心小学")
    for k in range(10):
        spot_list.append(towns[k] + 250)
        role.append("nine_year" if k == 9 else "junior")
        town.append(k)
        name.append(f"{_TOWNS[k]}中学")
    for k, v in enumerate(picks):
        spot_list.append(spots[v] + 60)
        role.append("teaching_point" if k % 2 else "complete")
        town.append(int(town_of[v]))
        name.append(f"{names[v][:12]}{'教学点' if k % 2 else '小学'}")
    for k in range(2):
        spot_list.append((towns[k] + towns[k + 2]) / 2)
        role.append("candidate")
        town.append(k)
        name.append(f"备选校址{k + 1}")
    if hostile:
        name = [HOSTILE[k % len(HOSTILE)] for k in range(len(name))]
    at = np.array(spot_list)
    m = len(at)
    site_ids = tuple(f"S{k:03d}" for k in range(m))
    spans = {
        "central": (1, 6), "complete": (1, 6), "teaching_point": (1, 3), "junior": (7, 9),
        "nine_year": (1, 9), "candidate": (1, 6),
    }  # fmt: skip
    points = gpd.points_from_xy(at[:, 0], at[:, 1])
    school = np.array([r != "candidate" for r in role])
    rooms0 = np.array([{"central": 14, "junior": 16, "nine_year": 20}.get(r, 6) for r in role])
    rooms0[0] = 8
    schools = gpd.GeoDataFrame(
        {
            "school_id": [site_ids[j] for j in range(m) if school[j]],
            "name": [name[j] for j in range(m) if school[j]],
            "township": [town_names[town[j]] for j in range(m) if school[j]],
            "role": [role[j] for j in range(m) if school[j]],
            "grade_from": [spans[role[j]][0] for j in range(m) if school[j]],
            "grade_to": [spans[role[j]][1] for j in range(m) if school[j]],
            "rooms": rooms0[school],
            "status": "existing",
        },
        geometry=points[school],
        crs=crs,
    )
    sites = gpd.GeoDataFrame(
        {
            "site_id": [site_ids[j] for j in range(m) if not school[j]],
            "name": [name[j] for j in range(m) if not school[j]],
            "township": [town_names[town[j]] for j in range(m) if not school[j]],
            "grade_from": 1,
            "grade_to": 6,
            "rooms_max": 12,
        },
        geometry=points[~school],
        crs=crs,
    )
    ground = gpd.GeoDataFrame(
        {
            "village_id": village_ids,
            "name": names,
            "township": [town_names[k] for k in town_of],
            "population": rng.integers(200, 2000, villages).astype(float),
        },
        geometry=gpd.points_from_xy(spots[:, 0], spots[:, 1]),
        crs=crs,
    )
    cells = voronoi_polygons(MultiPoint(towns), extend_to=box(*county.bounds)).geoms
    shape = [next(c for c in cells if c.contains(MultiPoint([p]))) for p in towns]
    boundaries = gpd.GeoDataFrame(
        {
            "boundary_id": ["520001"] + [f"5200{k:02d}" for k in range(2, len(towns) + 2)],
            "name": ["虚构县", *town_names],
            "kind": ["county"] + ["township"] * len(towns),
        },
        geometry=[county] + [s.intersection(county) for s in shape],
        crs=crs,
    )

    years = (2026, 2027, 2028, 2029)
    v, b, t, g = villages, 3, len(years), 9
    n = v * b
    group_village = np.repeat(np.arange(v), b).astype(np.int32)
    group_band = np.tile(np.arange(b), v).astype(np.int8)
    grade_band = np.repeat(np.arange(3), 3).astype(np.int8)
    students = np.zeros((n, g, t), np.int32)
    weight = rng.gamma(1.4, 3.2, v) * np.where(town_of == 0, 3.5, 1)
    for k in range(g):
        of_band = group_band == grade_band[k]
        for i in range(t):
            students[of_band, k, i] = rng.poisson(weight * (1 - 0.07 * i))
    far = np.hypot(*(spots[:, None] - at[None]).transpose(2, 0, 1)) * 1.35 + 80
    walk = far[group_village] / (np.array([3.2, 4.0, 4.5])[group_band][:, None] * 1000 / 60)
    bus = far[group_village] / 420 + 8
    limit = np.array([30, 40, 40])[group_band][:, None]
    mode = np.where(walk <= limit, 0, 1).astype(np.int8)
    minutes = np.where(mode == 0, walk, bus).astype(np.float32)
    hosts = np.array([[spans[r][0] <= lo <= spans[r][1] for lo in (1, 4, 7)] for r in role])
    existing = school.copy()
    today_open = hosts & existing[:, None]
    opens_today = np.repeat(today_open[:, :, None], t, axis=2)
    opens = opens_today.copy()
    for j in range(24, 24 + 52):
        if j % 4 == 1:
            opens[j, :, 1 + j % 3 :] = False
        elif j % 4 == 2 and hosts[j, 1]:
            opens[j, 1, 2:] = False
    opens[m - 2, :2, 2:] = True

    def send(state: np.ndarray) -> np.ndarray:
        answer = np.full((n, t), -1, np.int32)
        for i in range(t):
            usable = state[:, group_band, i].T
            cost = np.where(usable, minutes, np.inf)
            answer[:, i] = np.where(np.isfinite(cost).any(1), cost.argmin(1), -1)
        return answer

    size = np.where(np.arange(g) < 6, 45, 50)[None, :].repeat(m, axis=0).astype(np.int32)
    rooms = np.repeat(rooms0[:, None], t, axis=1).astype(np.int32)
    rooms[1, 2:] += 6
    rooms[m - 2, 2:] = 12
    rooms[m - 1] = 0
    rooms[m - 2, :2] = 0

    def arrangement(state: np.ndarray, method: str) -> Plan:
        site_of = send(state)
        if method == "nearest":
            site_of[5, :] = -1
        load = np.zeros((m, g, t), np.int32)
        for i in range(t):
            ok = site_of[:, i] >= 0
            np.add.at(load[:, :, i], site_of[ok, i], students[ok, :, i])
        classes = np.ceil(load / 58).astype(np.int32)
        rows = np.arange(n)
        mode_of = np.stack(
            [np.where(site_of[:, i] >= 0, mode[rows, site_of[:, i]], -1) for i in range(t)], 1
        ).astype(np.int8)
        return Plan(state, site_of, classes, mode_of, method, "feasible", 1.0, float("nan"), 0.1, 1)

    today, plan = arrangement(opens_today, "today"), arrangement(opens, "nearest")
    first = today.site_of[:, 0].copy()
    problem = Problem(
        village_ids=village_ids, site_ids=site_ids, bands=tuple(x.band for x in bands),
        grades=tuple(range(1, 10)), grade_band=grade_band, years=years,
        group_village=group_village, group_band=group_band, students=students,
        estimated=np.zeros((v, t), bool), modes=("walk", "bus"), minutes=minutes[None],
        metres=far[group_village][None].astype(np.float32), mode=mode[None],
        network=np.zeros(t, np.int32), rooms=rooms,
        beds=np.full((m, t), -1, np.int32), dining_seats=np.full((m, t), -1, np.int32),
        class_size=size, neighbours=csr_matrix((v, v), dtype=bool),
        home=far.argmin(0).astype(np.int32), existing=existing, today_open=today_open,
        can_host=hosts, must_open=np.zeros((m, b, t), bool), must_close=np.zeros((m, b, t), bool),
        today=first, fixed_site=np.full((n, t), -1, np.int32),
        trip_limit=np.array([x.trip_limit_min for x in bands], np.float32),
    )  # fmt: skip
    students_points = gpd.GeoDataFrame(
        {"student_id": ["HOMEPOINT-1"], "village_id": [village_ids[0]], "grade": [1]},
        geometry=gpd.points_from_xy([spots[0, 0] + 333.3], [spots[0, 1] + 333.3]),
        crs=crs,
    )
    region = Region(
        name=HOSTILE[0] if hostile else "虚构县", crs=crs, bands=bands, villages=ground,
        children=pd.DataFrame(), schools=schools,
        classes=pd.DataFrame(
            {"school_id": ["S000", "S000"], "grade": [1, 1], "class_no": ["1", HOSTILE[0]],
             "students": [58, 67]}
        ),
        sites=sites, students=students_points,
        roads=gpd.GeoDataFrame(geometry=[], crs=crs), boundaries=boundaries, areas=pd.DataFrame(),
        note=HOSTILE[3] if hostile else "虚构数据：地名、学校和数字均为编造",
    )  # fmt: skip
    return Run(
        name=HOSTILE[1] if hostile else "合并方案 2028", scenario={}, region=region,
        network=_roads(spots, rng, pieces),
        times=TravelTimes(("walk",), village_ids, site_ids, minutes[None], minutes[None],
                          pd.DataFrame(), pd.DataFrame()),
        problem=problem, today=today, plan=plan,
        indicators=_indicators(problem, today, plan, town_names),
        findings=_findings(site_ids, name, village_ids, names, hostile=hostile),
        ledger=pd.DataFrame(
            {
                "year": [2026, 2027], "school_id": ["S000"] * 2, "school": [name[0]] * 2,
                "township": [town_names[0]] * 2, "grade": [1, 2], "class_no": ["1", "2"],
                "students": [67, 58], "category": ["super_large", "large"], "limit": [45, 45],
                "excess": [22, 13], "ways_out": ["增加一个班；分流", "分流"],
                "chosen": ["增加一个班", ""], "responsible": ["", ""], "target_date": ["", ""],
                "state": ["open", "open"], "struck_off": ["", ""],
            }
        ),
        catchments=gpd.GeoDataFrame(geometry=[], crs=crs),
        conservation=pd.DataFrame(
            [(y, 9000 - 300 * k, 8990 - 300 * k, 10, 0) for k, y in enumerate(years)],
            columns=["year", "students_in", "served", "unserved", "rejected"],
        ),
        explanations=_explanations(problem, today, plan, names, town_names, town_of, name,
                                   hostile=hostile),
        provenance={"digest": "0123456789abcdef" * 4, "seed": 1},
    )  # fmt: skip


def _inside(shape: Polygon, count: int, rng: np.random.Generator) -> np.ndarray:
    """Spread points in a polygon, none too near another."""
    west, south, east, north = shape.bounds
    kept: list[tuple[float, float]] = []
    gap = 0.55 * (shape.area / count) ** 0.5
    while len(kept) < count:
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        if shape.contains(MultiPoint([(x, y)])) and all(
            (x - a) ** 2 + (y - c) ** 2 > gap**2 for a, c in kept
        ):
            kept.append((x, y))
        gap *= 0.9997
    return np.array(kept)


def _roads(spots: np.ndarray, rng: np.random.Generator, pieces: int = 6) -> RoadNetwork:
    """Connect neighbouring villages by winding roads cut into short segments."""
    mesh = Delaunay(spots)
    pairs = {
        (int(min(a, c)), int(max(a, c)))
        for s in mesh.simplices
        for a, c in zip(s, np.roll(s, 1), strict=True)
    }
    node: list[np.ndarray] = [*spots]
    tail, head, shape, offsets, cls = [], [], [], [0], []
    for a, c in sorted(pairs):
        if np.hypot(*(spots[a] - spots[c])) > 6000:
            continue
        along = np.linspace(0, 1, 3 * pieces + 1)[:, None]
        line = spots[a] * (1 - along) + spots[c] * along
        line[1:-1] += rng.normal(0, 55, (len(line) - 2, 2))
        rank = int((a * 7 + c) % 5)
        ends = [a, *range(len(node), len(node) + pieces - 1), c]
        node.extend(line[3::3][:-1])
        for k in range(pieces):
            part = line[3 * k : 3 * k + 4]
            shape.append(part)
            offsets.append(offsets[-1] + len(part))
            tail.append(ends[k])
            head.append(ends[k + 1])
            cls.append(rank)
    e = len(tail)
    where = np.array(node)
    yes = np.ones(e, bool)
    return RoadNetwork(
        x=where[:, 0], y=where[:, 1], tail=np.array(tail, np.int32), head=np.array(head, np.int32),
        length=np.ones(e), road_class=np.array(cls, np.int8),
        classes=("primary", "secondary", "tertiary", "unclassified", "track"), walk=yes,
        drive_forward=yes, drive_backward=yes, hazard=np.arange(e) % 97 == 0,
        maxspeed=np.full(e, np.nan, np.float32), climb=np.zeros(e, np.float32),
        offsets=np.array(offsets, np.int64), shape=np.concatenate(shape), names=("",) * e,
    )  # fmt: skip


def _indicators(problem: Problem, today: Plan, plan: Plan, towns: list[str]) -> pd.DataFrame:
    """Measure a few things in the plainest way."""
    rows = []
    demand = problem.students.sum(axis=1)
    for label, p in (("today", today), ("plan", plan)):
        for i, year in enumerate(problem.years):
            for scope, ident, pick in [("county", "county", slice(None))] + [
                ("band", band, problem.group_band == k) for k, band in enumerate(problem.bands)
            ]:
                site = p.site_of[pick, i]
                here = np.where(site >= 0, site, 0)
                mine = np.arange(len(problem.group_band))[pick]
                cost = problem.minutes[0, mine, here]
                load = np.where(site >= 0, demand[pick, i], 0)
                over = cost > problem.trip_limit[problem.group_band[pick]]
                worst = cost[load > 0].max()
                for name, unit, value in (
                    ("students", "students", float(demand[pick, i].sum())),
                    ("minutes_mean", "min", float((cost * load).sum() / load.sum())),
                    ("minutes_max", "min", float(worst)),
                    ("over_limit_share", "share", float(load[over].sum() / load.sum())),
                    ("over_limit_students", "students", float(load[over].sum())),
                    ("unserved", "students", float(demand[pick, i].sum() - load.sum())),
                ):
                    rows.append((name, unit, scope, ident, year, value, label))
            rows.append(
                ("schools_open", "schools", "county", "county", year,
                 float(p.open[:, :, i].any(1).sum()), label)
            )  # fmt: skip
            rows.append(
                (
                    "classes",
                    "classes",
                    "county",
                    "county",
                    year,
                    float(p.classes[:, :, i].sum()),
                    label,
                )
            )
            rows.append(("large_classes", "classes", "county", "county", year, 9.0 - 2 * i, label))
            rows.extend(("minutes_mean", "min", "township", w, year, 20.0, label) for w in towns)
    return pd.DataFrame(rows, columns=["indicator", "unit", "scope", "id", "year", "value", "plan"])


def _findings(
    site_ids: tuple[str, ...], sites: list[str], village_ids: tuple[str, ...], names: list[str],
    *, hostile: bool,
) -> pd.DataFrame:  # fmt: skip
    bad = HOSTILE[0] if hostile else ""
    rows = [
        ("CLS-45", "班额不超过 45 人", "Class size at most 45", "site", site_ids[0], sites[0], 2026,
         67.0, 45.0, 22.0, "students", "standard", "fail", "某文件 第三条" + bad, "A rule, art. 3",
         True, "一年级 1 班 67 人" + bad, "Grade 1 class 1 has 67"),
        ("TRV-30", "低年级单程不超过 30 分钟", "Grades 1-3 at most 30 minutes", "village",
         village_ids[3], names[3], 2029, 44.2, 30.0, 14.2, "min", "hard", "fail", "某办法 第五条",
         "A rule, art. 5", False, "步行过远" + bad, "Too far on foot"),
        ("CON-01", "听取家长意见", "Parents are heard", "county", "", "全县", 2029, np.nan, np.nan,
         np.nan, "", "process", "evidence", "某意见", "An opinion", True, "待补材料", "Awaited"),
        ("DIN-01", "餐位满足需要", "Dining seats suffice", "site", site_ids[1], sites[1], 2029,
         np.nan, np.nan, np.nan, "seats", "soft", "unknown", "某标准", "A standard", False,
         "缺餐位数", "Seats unknown"),
        ("CLS-66", "无超大班额", "No super-large class", "county", "", "全县", 2029, 0.0, 0.0,
         np.nan, "classes", "hard", "pass", "某规划", "A plan", True, "", ""),
    ]  # fmt: skip
    return pd.DataFrame(
        rows,
        columns=["code", "title_zh", "title_en", "kind", "id", "place", "year", "value", "limit",
                 "excess", "unit", "severity", "result", "citation_zh", "citation_en", "verified",
                 "detail_zh", "detail_en"],
    )  # fmt: skip


def _explanations(
    problem: Problem, today: Plan, plan: Plan, names: list[str], towns: list[str],
    town_of: np.ndarray, sites: list[str], *, hostile: bool,
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for i in range(len(problem.group_band)):
        for k, year in enumerate(problem.years):
            a, c = today.site_of[i, k], plan.site_of[i, k]
            if a == c or min(a, c) < 0:
                continue
            if k and plan.site_of[i, k - 1] == c and today.site_of[i, k - 1] == a:
                continue
            w = int(problem.group_village[i])
            rows.append(
                {
                    "village_id": problem.village_ids[w], "village": names[w],
                    "township": towns[town_of[w]], "band": problem.bands[problem.group_band[i]],
                    "year": year, "from_site": problem.site_ids[a], "from_name": sites[a],
                    "to_site": problem.site_ids[c], "to_name": sites[c],
                    "minutes_before": float(problem.minutes[0, i, a]),
                    "minutes_after": float(problem.minutes[0, i, c]),
                    "mode_before": "walk", "mode_after": "bus", "students": 3,
                    "reason_zh": HOSTILE[3] if hostile else "原校不再招收该学段，就近转入",
                    "reason_en": HOSTILE[1] if hostile else "The school no longer teaches the band",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
