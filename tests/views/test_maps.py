"""The map without a browser: what is in the file, what is not, and that it does not change."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely

from catchment.errors import CatchmentError, InputError
from catchment.indicators.registry import registry
from catchment.network.cells import neighbours, village_cells
from catchment.run import Run
from catchment.run.colours import PLAIN_COLOURS, stable_colours
from catchment.run.why import SCHOOLS
from catchment.views import maps, payload
from catchment.views.ground import catchment_colours, frame_of
from catchment.views.maps import write_map
from catchment.views.page import asset, data_block, map_words, seal, style
from catchment.views.problem_map import MOST_ROWS, problem_payload, write_problem_map
from tests.views.map_county import HOSTILE, build_run


@pytest.fixture(scope="module")
def run() -> Run:
    return build_run(villages=120)


@pytest.fixture(scope="module")
def data(run: Run) -> dict:
    return payload.map_payload(run)


def read_payload(path: Path) -> dict:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="catchment-data">(.*?)</script>', text)
    assert found
    return json.loads(found.group(1))


def year(series: list, t: int) -> list:
    return series[series[t]] if isinstance(series[t], int) else series[t]


def test_vendored_files_are_those_of_the_manifest() -> None:
    folder = files("catchment.views").joinpath("assets", "leaflet")
    rows = list(csv.DictReader(folder.joinpath("MANIFEST.csv").read_text("utf-8").splitlines()))
    assert {r["file"] for r in rows} >= {"leaflet.js", "leaflet.css", "LICENSE.txt"}
    for row in rows:
        assert (
            hashlib.sha256(folder.joinpath(row["file"]).read_bytes()).hexdigest() == (row["sha256"])
        ), row["file"]
    assert "BSD 2-Clause" in folder.joinpath("LICENSE.txt").read_text("utf-8")


def test_same_run_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    first = write_map(run, tmp_path / "a.html").read_bytes()
    assert write_map(run, tmp_path / "b.html").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_nothing_is_loaded_from_outside(run: Run, tmp_path: Path) -> None:
    text = write_map(run, tmp_path / "map.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=", text)
    assert "sourceMappingURL" not in text
    assert "@import" not in text
    assert not re.findall(r"url\((?!data:|#)", text)
    for word in ("jquery", "bootstrap", "awesome", "cdn."):
        assert word not in text.lower()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    assert "default-src 'none'" in policy.group(1)
    assert "unsafe" not in policy.group(1)
    assert "img-src data:;" in policy.group(1)
    assert text.index("Content-Security-Policy") < text.index("<script")


def test_no_home_point_and_no_student_row(run: Run, tmp_path: Path) -> None:
    text = write_map(run, tmp_path / "map.html").read_text(encoding="utf-8")
    assert "HOMEPOINT" not in text
    spot = frame_of(run.region.crs).points(
        run.region.students.geometry.x.to_numpy(), run.region.students.geometry.y.to_numpy()
    )[0]
    assert f"{spot[0]},{spot[1]}" not in text


def test_hostile_text_cannot_end_the_data_block(tmp_path: Path) -> None:
    run = build_run(villages=60, hostile=True)
    path = write_map(run, tmp_path / "map.html")
    text = path.read_text(encoding="utf-8")
    block = text[text.index('id="catchment-data">') + len('id="catchment-data">') :]
    block = block[: block.index("</script>")]
    for sign in "<>&\u2028\u2029":
        assert sign not in block
    data = json.loads(block)
    assert HOSTILE[0] in data["villages"]["name"]
    assert "<img" not in text
    # Nothing was taken for a template on the way: neither evaluated nor swallowed.
    assert "{{7*7}}{% raw %}" in data["villages"]["name"]


def test_data_block_survives_half_characters() -> None:
    assert json.loads(re.sub("<[^>]+>", "", data_block("x", {"a": "\ud800</script>"}))) == {
        "a": "?</script>"
    }


def test_unknown_link_is_refused() -> None:
    with pytest.raises(CatchmentError, match=r"cdn\.example"):
        maps._vendored("https://cdn.example/leaflet.js")


@pytest.mark.parametrize(
    "body",
    [
        '<script src="https://x.example/a.js"></script>',
        '<img src="a.png">',
        '<link rel="stylesheet" href="a.css">',
        '<p onclick="x()">a</p>',
        '<p style="color:red">a</p>',
    ],
)
def test_page_that_is_not_self_contained_is_refused(body: str) -> None:
    with pytest.raises(CatchmentError):
        seal(f"<head><!--policy--></head>{body}")


def test_pictures_of_styles_are_inlined_or_left_out() -> None:
    assert "url(images" in asset("leaflet/leaflet.css")
    assert "url(images" not in style("leaflet/leaflet.css")


def test_tiles_only_when_asked_for(run: Run, tmp_path: Path) -> None:
    def policy(path: Path) -> str:
        return path.read_text(encoding="utf-8").split('Policy" content="')[1].split('"')[0]

    osm = policy(write_map(run, tmp_path / "osm.html", tiles="osm"))
    assert "img-src data: https://tile.openstreetmap.org;" in osm
    key = "abc123"
    path = write_map(run, tmp_path / "t.html", tiles="tianditu", tianditu_key=key)
    assert "img-src data: https://t0.tianditu.gov.cn;" in policy(path)
    assert all(f"tk={key}" in layer["url"] for layer in read_payload(path)["tiles"]["layers"])
    for bad in ({"tiles": "tianditu"}, {"tiles": "x"}, {"lang": "fr"}):
        with pytest.raises(InputError):
            write_map(run, tmp_path / "bad.html", **bad)
    with pytest.raises(InputError):
        write_map(run, tmp_path / "bad.html", tiles="tianditu", tianditu_key='"><script>')
    assert not (tmp_path / "bad.html").exists()


def test_trips_are_those_of_the_problem(run: Run, data: dict) -> None:
    problem = run.problem
    for label, plan in (("today", run.today), ("plan", run.plan)):
        for t in range(len(problem.years)):
            sites = year(data["plans"][label]["site"], t)
            assert sites == plan.site_of[:, t].tolist()
            for i in range(0, len(sites), 7):
                if sites[i] < 0:
                    continue
                row = data["trips"][data["network"][t]][i]
                entry = row[row.index(sites[i]) :] if row[0] == sites[i] else None
                for k in range(0, len(row), 4):
                    if row[k] == sites[i]:
                        entry = row[k : k + 4]
                assert entry is not None
                exact = float(problem.minutes[0, i, sites[i]])
                assert entry[1] == pytest.approx(exact, abs=0.05001)
                limit = problem.trip_limit[problem.group_band[i]]
                assert bool(entry[3]) == (exact > limit)


def test_every_student_served_is_in_a_class(run: Run, data: dict) -> None:
    problem = run.problem
    for label, plan in (("today", run.today), ("plan", run.plan)):
        for t in range(len(problem.years)):
            served = problem.demand()[plan.site_of[:, t] >= 0, t].sum()
            assert sum(year(data["plans"][label]["load"], t)) == served
            by_grade = np.array(year(data["plans"][label]["load"], t))
            loads = by_grade.reshape(len(problem.site_ids), -1).sum(axis=1).tolist()
            classes = year(data["plans"][label]["classes"], t)
            own = run.region.classes.groupby("school_id")["students"].sum()
            for site, load, listed in zip(problem.site_ids, loads, classes, strict=True):
                if sum(listed[2::3]) != load:
                    # In the first year a school's own classes stand in for formed ones.
                    assert t == 0
                    assert sum(listed[2::3]) == own[site]


def test_roles_follow_what_is_taught(run: Run, data: dict) -> None:
    roles = data["roles"]
    for t in range(len(run.problem.years)):
        for j, r in enumerate(year(data["plans"]["plan"]["role"], t)):
            taught = run.plan.open[j, :, t]
            assert (roles[r] == "closed") == (not taught.any())
            if taught.tolist() == [True, False, False]:
                assert roles[r] == "teaching_point"
    schools = run.region.schools
    today = dict(zip(schools["school_id"], schools["role"], strict=True))
    for j, r in enumerate(year(data["plans"]["today"]["role"], 0)):
        assert roles[r] == today.get(run.problem.site_ids[j], "closed")


def test_cells_come_back_within_two_metres(run: Run, data: dict) -> None:
    cells = village_cells(run.region).to_crs(4326)
    for shape, flat in list(zip(cells.geometry, data["cells"], strict=True))[::9]:
        k, rings = 0, []
        while k < len(flat):
            n = flat[k]
            steps = np.array(flat[k + 1 : k + 1 + 2 * n]).reshape(n, 2)
            rings.append(np.cumsum(steps, axis=0) / 1e5)
            k += 1 + 2 * n
        back = shapely.Polygon(rings[0], rings[1:])
        assert shapely.hausdorff_distance(back, shape) < 2e-5


def test_roads_keep_their_length(run: Run, data: dict) -> None:
    total = 0.0
    for part in data["roads"]:
        flat, k, x, y = part["line"], 0, 0, 0
        while k < len(flat):
            n = flat[k]
            steps = np.array(flat[k + 1 : k + 1 + 2 * n]).reshape(n, 2)
            points = np.cumsum(np.vstack([[x, y], steps]), axis=0)[1:]
            x, y = points[-1]
            k += 1 + 2 * n
            scale = np.array([np.cos(np.radians(points[0, 1] / 1e5)), 1.0])
            total += np.hypot(*(np.diff(points / 1e5, axis=0) * scale).T).sum() * 111_320
    net = run.network
    exact = sum(
        np.hypot(*np.diff(net.shape[a:b], axis=0).T).sum()
        for a, b in zip(net.offsets, net.offsets[1:], strict=False)
    )
    assert total == pytest.approx(exact, rel=0.01)


def test_neighbouring_catchments_differ_in_colour(run: Run) -> None:
    problem, ways = run.problem, {"today": run.today, "plan": run.plan}
    touching = neighbours(village_cells(run.region), link_parts=False).tocoo()
    colours = catchment_colours(problem, ways, touching.tocsr())
    for label, plan in ways.items():
        for b in range(len(problem.bands)):
            rows = np.flatnonzero(problem.group_band == b)
            for t in range(len(problem.years)):
                site = plan.site_of[rows, t]
                a, c = site[touching.row], site[touching.col]
                differ = (a != c) & (a >= 0) & (c >= 0)
                seen = colours[label][b][:, t]
                assert (seen[a[differ]] != seen[c[differ]]).all()
                hatched = np.isin(np.unique(site[site >= 0]), np.flatnonzero(seen >= PLAIN_COLOURS))
                assert hatched.mean() < 0.08


def test_colours_stay_where_they_can() -> None:
    ring = nx.cycle_graph(7)
    wheel = nx.wheel_graph(8)
    complete = nx.complete_graph(5)
    out = stable_colours([ring, wheel, complete, ring], 9)
    for graph, colour in zip([ring, wheel, complete, ring], out, strict=True):
        assert all(colour[a] != colour[b] for a, b in graph.edges)
    first, again = stable_colours([ring, ring], 7)
    assert (first == again).all()


def test_findings_keep_severity_citation_and_doubt(data: dict, run: Run) -> None:
    rules = {r["code"]: r for r in data["findings"]["rules"]}
    assert rules["CLS-45"]["verified"] is True
    assert rules["TRV-30"]["verified"] is False
    assert rules["TRV-30"]["severity"] == "hard"
    assert rules["TRV-30"]["citation_zh"] == "某办法 第五条"
    passed = int((run.findings["result"] == "pass").sum())
    assert data["findings"]["passed"] == passed
    assert len(data["findings"]["rows"]) == len(run.findings) - passed
    assert any(row[2] == 0 for row in data["findings"]["rows"])
    assert any(row[3] == 3 for row in data["findings"]["rows"])


def test_every_word_asked_for_is_in_both_languages() -> None:
    table = map_words()
    assert set(table["zh"]) == set(table["en"])
    asked: set[str] = set()
    for name in ("map.js", "trial.js", "parents.js", "problems.js", "common.js"):
        asked |= set(re.findall(r'\bt\("([a-z]+\.[a-zA-Z_0-9]+)"', asset(name)))
    for name in ("map.html", "parents.html", "problems.html"):
        asked |= set(re.findall(r'data-(?:w|label|hint)="([^"]+)"', asset(name)))
    asked = {k for k in asked if not k.endswith("_")}
    assert asked
    assert not asked - set(table["zh"])
    for text in table["en"].values():
        assert not re.search("[\u4e00-\u9fff]", text), text
    holes = {k: set(re.findall(r"\{(\w+)\}", v)) for k, v in table["zh"].items()}
    assert {k: set(re.findall(r"\{(\w+)\}", v)) for k, v in table["en"].items()} == holes


def test_every_unit_and_severity_of_the_tables_has_a_word() -> None:
    known = set(map_words()["zh"])
    units = {m.unit for m in registry().values()}
    severities = set()
    for book in files("catchment.rules").iterdir():
        if book.name.endswith(".csv"):
            for row in csv.DictReader(book.read_text(encoding="utf-8").splitlines()):
                units.add(row.get("unit") or "share")
                severities.add(row.get("severity") or "hard")
    assert not {f"unit.{u}" for u in units - {"share"}} - known
    assert not {f"sev.{s}" for s in severities} - known


def test_word_missing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "map_words.csv").write_text("key,zh,en\nmap.a,甲,\n", encoding="utf-8")
    monkeypatch.setattr("catchment.views.page.files", lambda _: tmp_path)
    with pytest.raises(ValueError, match=r"map\.a"):
        map_words.__wrapped__()


def test_a_county_without_boundaries_classes_or_findings(tmp_path: Path) -> None:

    run = build_run(villages=60)
    bare = dataclasses.replace(
        run,
        region=run.region.replace(
            boundaries=run.region.boundaries.iloc[:0], classes=pd.DataFrame(), note=""
        ),
        findings=pd.DataFrame(), ledger=pd.DataFrame(), explanations=pd.DataFrame(),
        indicators=run.indicators.iloc[:0], conservation=pd.DataFrame(),
    )  # fmt: skip
    data = read_payload(write_map(bare, tmp_path / "map.html"))
    assert data["outline"] == []
    assert data["findings"]["rows"] == []
    assert all(data["cells"])


def test_problem_map_lists_errors_first_and_draws_rows_with_a_place(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [
            ("villages", 3, "lon", HOSTILE[0], "error", HOSTILE[3], "bad", 105.2, 27.4),
            ("schools", 9, "rooms", "-1", "warning", "负数", "negative", None, None),
            ("villages", 4, "lon", "999", "error", "经度", "longitude", 999.0, 27.4),
        ],
        columns=["layer", "row", "column", "value", "severity", "what_zh", "what_en", "x", "y"],
    )
    data = problem_payload(table)
    assert [row[4] for row in data["rows"]] == ["error", "error", "warning"]
    assert data["counts"] == [2, 1, 0]
    assert [row[9:11] for row in data["rows"]] == [
        [10_520_000, 2_740_000], [None, None], [None, None],
    ]  # fmt: skip
    assert data["layers"]["villages"] == ["村", "Villages"]
    many = problem_payload(pd.concat([table] * 900, ignore_index=True))
    assert len(many["rows"]) == MOST_ROWS
    assert {row[4] for row in many["rows"][:1800]} == {"error"}
    assert many["left_out"] == 2700 - MOST_ROWS
    assert sum(many["counts"]) == 2700
    path = write_problem_map(table, tmp_path / "p.html", "en")
    assert read_payload(path)["lang"] == "en"


def test_areas_name_their_schools_and_today_goes_by_its_own_roads(tmp_path: Path) -> None:
    run = build_run(villages=70)
    areas = pd.DataFrame(
        {
            "area_id": ["B", "A"],
            "name": [HOSTILE[0], "甲片区"],
            "central_school_id": ["S001", "S000"],
        }
    )
    schools = run.region.schools.assign(
        area_id=["A" if k % 2 else "B" for k in range(len(run.region.schools))]
    )
    slower = run.problem.replace(minutes=run.problem.minutes * np.float32(1.5))
    run = dataclasses.replace(
        run, region=run.region.replace(areas=areas, schools=schools), base=slower
    )
    data = read_payload(write_map(run, tmp_path / "map.html"))
    assert data["areas"]["list"] == [["甲片区", 0], [HOSTILE[0], 1]]
    at = dict(zip(schools["school_id"], schools["area_id"], strict=True))
    for code, k in zip(run.problem.site_ids, data["areas"]["of"], strict=True):
        assert k == {"A": 0, "B": 1}.get(at.get(code, ""), -1)
    row = data["trips_today"][0][30]
    j = int(run.today.site_of[30, 0])
    assert row[0] == j
    assert row[1] == pytest.approx(float(slower.minutes[0, 30, j]), abs=0.05001)


def test_trial_carries_the_matrix_whole(run: Run, data: dict) -> None:
    problem, trial = run.problem, data["trial"]
    for b, block in enumerate(trial["travel"][0]):
        rows = np.flatnonzero(problem.group_band == b)
        tenths = np.frombuffer(base64.b64decode(block["tenths"]), "<u2")
        tenths = tenths.reshape(len(rows), len(block["sites"]))
        exact = problem.minutes[0][np.ix_(rows, block["sites"])]
        there = np.isfinite(exact)
        assert (tenths[~there] == 65535).all()
        assert np.abs(tenths[there] / 10 - exact[there]).max() <= 0.1
        over = exact > problem.trip_limit[b]
        assert ((tenths > trial["limit"][b]) == over).all()
        packed = np.frombuffer(base64.b64decode(block["modes"]), np.uint8)
        modes = np.column_stack([packed & 15, packed >> 4]).ravel()[: tenths.size]
        mine = problem.mode[0][np.ix_(rows, block["sites"])].ravel()
        assert (np.where(modes == 15, -1, modes) == mine).all()
    students = np.frombuffer(base64.b64decode(trial["students"][0]), "<u2")
    assert students.sum() == problem.students[:, :, 0].sum()


def test_limits_that_a_school_has_reached_are_told() -> None:
    run = build_run(villages=54)
    row = dict.fromkeys(SCHOOLS, 0.0)
    prices = pd.DataFrame(
        [
            row | {"site_id": "S003", "band": run.problem.bands[1], "year": 2027, "limit": "full",
                   "reason_zh": "学位已满", "reason_en": "full"},
            row | {"site_id": "S004", "band": run.problem.bands[0], "year": 2027, "limit": "",
                   "reason_zh": "", "reason_en": ""},
        ]
    )  # fmt: skip
    told = payload.map_payload(dataclasses.replace(run, prices=prices))["binding"]
    assert told == {"texts": [["学位已满", "full"]], "rows": [[3, 1, 2027, 0]]}
    assert payload.map_payload(run)["binding"] == {"texts": [], "rows": []}
