"""Children beyond a county border: who is taken in, worked by hand, tried out, counted again."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest

from catchment.batch import find_tasks, run_batch
from catchment.batch.exchange import read_exchange, write_exchange
from catchment.batch.guests import COUNTIES, NO_SCHOOL, NO_SEAT, settle_guests
from catchment.batch.joint import joint_question
from catchment.batch.left import CATCHMENTS, left_behind
from catchment.batch.offers import SEATS, WAYS
from catchment.batch.order import Outcome
from catchment.batch.seating import seat_guests
from catchment.batch.work import digest_of
from catchment.cli.provinces import batch
from catchment.errors import CatchmentError
from catchment.run import execute
from catchment.verify.guests import (
    Catchment,
    Crossing,
    Host,
    Party,
    Seated,
    check_guests,
    check_left,
    worth_of,
)
from tests.batch.counties import moved_east, write_counties
from tests.batch.test_batch import Here

LIMIT = "[limits]\nupper = 20\n\n[method]"


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    """The second county's road begins at V5; the first one lets upper grades travel 20 minutes."""
    folder = write_counties(tmp_path_factory.mktemp("pair"), 2)
    moved_east(folder / "county-001", 4000.0)
    recipe = folder / "county-000" / "scenario.toml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("[method]", LIMIT), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def province(pair, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    run_batch(find_tasks(pair, reach_km=20), out, workers=2)
    return out / "province"


def read(province: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(province / name, encoding="utf-8-sig", keep_default_na=False)


def test_a_village_over_the_limit_is_taken_in_by_the_neighbour(pair, province) -> None:
    # V5 stands at 4,000 m: 1,950 m to S2 at home are 29.25 minutes at 4 km/h, over the 20 allowed;
    # the neighbour's S1 at 4,050 m is 0.75 minutes away.
    children = pd.read_csv(pair / "county-000" / "children.csv").set_index("村代码").loc["V5"]
    guests = read(province, "guests.csv").query("year == 2026")
    assert guests[["county", "village_id", "band", "need"]].values.tolist() == [
        ["county-000", "V5", "upper", "over_limit"]
    ]
    row = guests.iloc[0]
    assert row["grades"] == " ".join(f"{g}:{children[f'{g}年级']}" for g in (4, 5, 6))
    assert row["students"] == children[["4年级", "5年级", "6年级"]].sum()
    assert (row["minutes_home"], row["minutes"]) == pytest.approx((29.25, 0.75), abs=0.02)
    assert (row["host_county"], row["school_id"], row["mode"]) == ("county-001", "S1", "walk")


def test_both_counties_say_so_and_every_student_is_counted_once(pair, province) -> None:
    counties = read(province, "border_counties.csv")
    assert list(counties.columns) == list(COUNTIES)
    for year in (2026, 2028):
        home, host = counties[counties["year"] == year].to_dict("records")
        assert home["served_abroad"] == host["guests"] == home["over_limit_before"] > 0
        assert home["guests"] == host["served_abroad"] == home["over_limit_after"] == 0
        for row in (home, host):
            kinds = ("served_home", "served_abroad", "unserved", "rejected")
            assert row["students_in"] == sum(row[k] for k in kinds)
    hosts = read(province, "hosts.csv").query("year == 2026").iloc[0]
    children = pd.read_csv(pair / "county-001" / "children.csv").set_index("村代码")
    # S1 teaches its own five or six villages' grades in one class each; the guests fit beside them.
    assert (hosts["classes_own"], hosts["classes"], hosts["rooms"]) == (6, 6, 6)
    assert hosts["guests"] == 25
    assert hosts["students_own"] < children.to_numpy()[:, 1:].sum()
    villages = gpd.read_parquet(province / "villages.parquet")
    assert villages.crs == "EPSG:4490"
    assert villages.groupby(["county", "village_id", "band", "year"]).size().max() == 1
    now = villages[villages["year"] == 2026]
    assert now["students"].sum() == counties[counties["year"] == 2026]["students_in"].sum()
    away = now[now["school_county"] != now["county"]]
    assert away["village_id"].tolist() == ["V5"]
    assert away["students"].sum() == 25
    assert away["over_limit"].tolist() == [True]
    assert away["over_limit_after"].tolist() == [False]
    ranked = read(province, "counties.csv").set_index("name")
    assert ranked.at["county-000/scenario", "served_abroad"] == "25" or (
        ranked.at["county-000/scenario", "served_abroad"] == 25
    )
    assert int(ranked.at["county-001/scenario", "guests"]) == 25
    page = (province / "province.html").read_text(encoding="utf-8")
    assert '"line":[' in page.replace(" ", "")


def test_the_catchment_they_leave_is_told_to_be_whole(province) -> None:
    # V3, V4 and V5 on one road go to S2 in V3: without V5 at its end the rest is in one piece.
    left = read(province, "left_behind.csv").query("year == 2026")
    kinds = ["county", "school_id", "band", "grade_from", "grade_to", "villages", "leaving"]
    kinds += ["pieces_before", "pieces_after", "cut_off", "cut_off_villages"]
    assert left[kinds].values.tolist() == [
        ["county-000", "S2", "upper", 4, 6, 3, 1, 1, 1, 0, ""],
    ]
    page = (province / "province.html").read_text(encoding="utf-8").replace(" ", "")
    assert '"left":{"all":1,"whole":1,"cut":[]}' in page


@pytest.mark.parametrize("cut", [0, 1])
def test_the_command_says_how_many_go_and_what_they_cut(
    pair, province, tmp_path, monkeypatch, capsys, cut
) -> None:
    shutil.copytree(province, tmp_path / "province")
    left = read(tmp_path / "province", "left_behind.csv").assign(cut_off=cut)
    left.to_csv(tmp_path / "province" / "left_behind.csv", index=False, encoding="utf-8-sig")
    ledger = pd.DataFrame({"name": ["a", "b"], "state": "done", "said": ""})
    outcome = Outcome(ledger, (tmp_path / "province" / "guests.csv",))
    monkeypatch.setattr("catchment.batch.run_batch", lambda *_, **__: outcome)
    batch(pair, out=tmp_path, border=20.0, lang="en")
    said = " ".join("".join(capsys.readouterr()).split())
    assert "of 25 students with a way there, neighbours take in 25 in 2028" in said
    assert ("those who leave cut 1 catchment (school and band) in pieces" in said) == bool(cut)


def test_the_province_counts_them_as_served_within_the_limit(province) -> None:
    table = read(province, "indicators.csv")
    table = table[(table["scope"] == "province") & (table["year"] == 2026)]
    plan, border = (
        table[table["plan"] == k].set_index("indicator")["value"].astype(float)
        for k in ("plan", "border")
    )
    assert border["students"] == plan["students"]
    assert border["served"] == plan["served"]
    assert plan["over_limit_students"] - border["over_limit_students"] == 25
    gone = plan["student_minutes"] - border["student_minutes"]
    assert gone == pytest.approx(25 * (29.25 - 0.75), abs=0.1)
    assert border["minutes_mean"] == pytest.approx(border["student_minutes"] / border["served"])


def test_the_same_bytes_however_many_workers(pair, province, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("catchment.batch.order.LocalPool", lambda *_: Here())
    run_batch(find_tasks(pair, reach_km=20), tmp_path)
    assert digest_of(tmp_path / "province") == digest_of(province)


def test_a_road_that_the_neighbour_closes_is_not_travelled(pair, tmp_path) -> None:
    shutil.copytree(pair, tmp_path / "in")
    before = find_tasks(pair, reach_km=20)[0].digest
    schools = pd.read_csv(tmp_path / "in" / "county-001" / "schools.csv", dtype=str)
    lon, lat = schools.set_index("学校代码").loc["S1", ["经度", "纬度"]].astype(float)
    recipe = tmp_path / "in" / "county-001" / "scenario.toml"
    closed = f'\n[[action]]\ndo = "road"\nroad = "closed"\nfrom = [{lon + 0.00807:.6f}, {lat}]\n'
    recipe.write_text(recipe.read_text(encoding="utf-8") + closed, encoding="utf-8")
    assert find_tasks(tmp_path / "in", reach_km=20)[0].digest != before
    # Both files hold the road from 4,000 to 5,000 m. Closed at 4,850 m by one recipe, it is gone from
    # both, and nothing else leads from V5 at 4,000 m to the neighbour's S2 at 6,050 m.
    run = execute(tmp_path / "in" / "county-000" / "scenario.toml")
    minutes = []
    for beside in (None, recipe):
        both = joint_question(run, tmp_path / "in" / "county-001", 20.0, recipe=beside)
        assert both is not None
        problem = both.problem
        group = 4 * len(problem.bands) + problem.bands.index("upper")
        assert problem.village_ids[problem.group_village[group]] == "V5"
        there = problem.site_ids.index("第1县:S2")
        minutes.append(float(problem.minutes[problem.network[0], group, there]))
    assert minutes[0] < 40.0
    assert minutes[1] == np.inf


def test_codes_that_look_like_formulas_cross_the_border_as_they_are(pair, tmp_path, monkeypatch):
    shutil.copytree(pair, tmp_path / "in")
    for county, old, new in (("county-000", "V5", "-5"), ("county-001", "S1", "=S1")):
        for path in (tmp_path / "in" / county).iterdir():
            if path.suffix in (".csv", ".toml"):
                text = path.read_text(encoding="utf-8")
                path.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr("catchment.batch.order.LocalPool", lambda *_: Here())
    run_batch(find_tasks(tmp_path / "in", reach_km=20), tmp_path / "out")
    villages = gpd.read_parquet(tmp_path / "out" / "province" / "villages.parquet")
    away = villages[villages["school_county"] != villages["county"]]
    assert set(away["village_id"]) == {"-5"}
    # In the table for people a spreadsheet must take neither for a formula.
    guests = read(tmp_path / "out" / "province", "guests.csv")
    assert set(guests["village_id"]) == {"'-5"}
    assert set(guests["school_id"]) == {"'=S1"}


def test_what_counties_exchange_is_read_as_it_was_written(tmp_path) -> None:
    table = pd.DataFrame(
        {"a": ["=1", "-V", "'x", "", "a\nb\x00" * 300], "b": [0.1, None, 3.0, 1e-9, 1e15],
         "c": [1, 2, 3, 4, 5]}
    )  # fmt: skip
    back = read_exchange(write_exchange(table, tmp_path / "t.parquet"), ["c", "a", "b"])
    assert back["a"].tolist() == table["a"].tolist()
    assert back["b"].tolist()[:3] == ["0.1", "", "3"]
    assert [float(v) for v in back["b"] if v] == [0.1, 3.0, 1e-9, 1e15]
    assert back["c"].tolist() == ["1", "2", "3", "4", "5"]


# --- from written files alone --------------------------------------------------------------------


def told(
    folder: Path,
    ways: list[tuple],
    seats: list[tuple],
    counts: dict[str, tuple],
    catchments: list[tuple] = (),
) -> list:
    """Folders of counties with what they tell each other, in the year 2026."""
    found = []
    for county, (students, served, over) in counts.items():
        place = folder / county / "plan"
        place.mkdir(parents=True)
        for stem, rows, columns in (
            ("ways", ways, WAYS),
            ("seats", seats, SEATS),
            ("catchments", catchments, CATCHMENTS),
        ):
            mine = pd.DataFrame([r for r in rows if r[0] == county], columns=list(columns))
            write_exchange(mine, place / f"{stem}.parquet")
        row = {"year": 2026, "students_in": students, "served": served, "rejected": 0}
        row["unserved"] = students - served
        (place / "run.json").write_text(json.dumps({"conservation": [row]}), encoding="utf-8")
        (place / "indicators.csv").write_text(
            "indicator,unit,scope,id,year,value,plan\n"
            f"over_limit_students,students,county,x,2026,{over},plan\n",
            encoding="utf-8",
        )
        found.append((f"{county}/plan", place))
    return found


def way(county: str, village: str, need: str, grades: str, host: str, school: str, minutes: float):
    students = sum(int(pair.split(":")[1]) for pair in grades.split())
    return (county, "镇", village, village, "low", 2026, need, students, grades, 50 if need !=
            "unserved" else "", "H" if need != "unserved" else "", 40.0, host, school, school,
            minutes, "walk")  # fmt: skip


def seat(county: str, site: str, rooms: int, grade: int, students: int, size: int = 45):
    return (county, site, site, 2026, rooms, grade, students, size, 104.0, 30.0)


def test_unserved_come_first_then_the_fewest_minutes(tmp_path) -> None:
    # One room's worth of places: 45 - 20 = 25. The unserved 20 get them, though the 25 who are over
    # the limit would fill them; the second school has no room left for another class.
    folders = told(
        tmp_path,
        [
            way("a", "U", "unserved", "1:20", "b", "S", 30.0),
            way("a", "O", "over_limit", "1:25", "b", "S", 5.0),
            way("a", "O", "over_limit", "1:25", "b", "F", 5.0),
            way("a", "N", "unserved", "1:5", "b", "closed", 5.0),
        ],
        [seat("b", "S", 1, 1, 20), seat("b", "F", 1, 1, 21)],
        {"a": (100, 75, 25), "b": (41, 41, 0)},
    )
    found = settle_guests(folders)
    assert found is not None
    table = found.guests.set_index("village_id")
    assert table["school_id"].to_dict() == {"U": "S", "O": "", "N": ""}
    assert table.at["O", "reason"] == NO_SEAT
    assert table.at["N", "reason"] == NO_SCHOOL
    assert found.hosts[["students_own", "guests", "classes_own", "classes"]].values.tolist() == [
        [20, 20, 1, 1]
    ]
    counted = found.counties.set_index("county").to_dict("index")
    assert counted["a"]["served_home"] == 75
    assert counted["a"]["served_abroad"] == 20
    assert counted["a"]["unserved"] == 5
    assert counted["a"]["over_limit_after"] == 25
    assert counted["b"]["guests"] == 20


def test_a_county_that_counts_its_students_wrong_is_found(tmp_path) -> None:
    folders = told(
        tmp_path,
        [way("a", "U", "unserved", "1:20", "b", "S", 30.0)],
        [seat("b", "S", 1, 1, 20)],
        {"a": (100, 90, 0), "b": (20, 20, 0)},
    )
    with pytest.raises(CatchmentError, match="not conserved"):
        settle_guests(folders)


def villages_of_h(*rows: tuple[str, str, int, int]) -> list[tuple]:
    """Catchment of school H in county a: villages with what they touch, students, own village."""
    return [
        ("a", 2026, "low", 1, 3, "H", "甲校", code, f"{code}村", students, home, near)
        for code, near, students, home in rows
    ]


def test_villages_that_leavers_cut_off_are_named(tmp_path) -> None:
    # Home - Gap - End in a row, and Side beside Home. Gap leaves, End stays and is cut off.
    folders = told(
        tmp_path,
        [
            way("a", "Gap", "over_limit", "1:10", "b", "S", 5.0),
            way("a", "End", "over_limit", "1:30", "b", "S", 35.0),
        ],
        [seat("b", "S", 1, 1, 34)],
        {"a": (60, 60, 40), "b": (34, 34, 0)},
        villages_of_h(("Home", "1 3", 12, 1), ("Gap", "0 2", 10, 0), ("End", "1", 30, 0),
                      ("Side", "0", 8, 0)),
    )  # fmt: skip
    found = settle_guests(folders)
    assert found is not None
    assert found.guests.set_index("village_id")["school_id"].to_dict() == {"Gap": "S", "End": ""}
    row = found.left.iloc[0].to_dict()
    assert (row["villages"], row["leaving"]) == (4, 1)
    assert (row["pieces_before"], row["pieces_after"], row["cut_off"]) == (1, 2, 1)
    assert row["cut_off_villages"] == "End村（End）"
    assert row["cut_off_students"] == 30


@pytest.mark.parametrize("seed", range(40))
def test_pieces_are_those_of_another_library(seed) -> None:
    rng = np.random.default_rng([seed, 5])
    n = int(rng.integers(2, 12))
    graph = nx.gnp_random_graph(n, float(rng.uniform(0.1, 0.5)), seed=seed)
    home = int(rng.integers(n)) if rng.random() < 0.7 else -1
    leaving = sorted(rng.choice(n, int(rng.integers(1, n + 1)), replace=False).tolist())
    table = pd.DataFrame(
        villages_of_h(
            *((f"v{v}", " ".join(map(str, sorted(graph[v]))), 1 + v, v == home) for v in range(n))
        ),
        columns=list(CATCHMENTS),
    )
    gone = [
        {"county": "a", "band": "low", "school_home": "H", "village_id": f"v{v}",
         "school_id": "S", "need": "over_limit"}
        for v in leaving
    ]  # fmt: skip
    [(row, catchment, left)] = left_behind(table, gone)
    rest = graph.copy()
    rest.remove_nodes_from(leaving)
    assert row["pieces_before"] == nx.number_connected_components(graph)
    assert row["pieces_after"] == nx.number_connected_components(rest)

    def main_of(these: nx.Graph) -> set[int]:
        parts = sorted(
            nx.connected_components(these), key=lambda c: (home not in c, -len(c), min(c))
        )
        return parts[0] if parts else set()

    lost = main_of(graph) & set(rest) - main_of(rest)
    assert row["cut_off"] == len(lost)
    assert row["cut_off_students"] == sum(1 + v for v in lost)
    assert check_left(catchment, left, 2026) == ()
    wrong = {
        "pieces_left": dataclasses.replace(left, pieces_after=left.pieces_after + 1),
        "cut_off": dataclasses.replace(left, cut_off=(*left.cut_off, leaving[0])),
        "unknown_leaver": dataclasses.replace(left, leaving=(*leaving, n)),
    }
    for code, spoiled in wrong.items():
        assert {f.code for f in check_left(catchment, spoiled, 2026)} == {code}


def test_a_piece_that_was_apart_before_is_no_leavers_doing() -> None:
    # 0 (the school's village) - 1, and 2 - 3 apart already; 1 leaves.
    catchment = Catchment("H", "low", ((1,), (0,), (3,), (2,)), 0)
    table = pd.DataFrame(
        villages_of_h(("A", "1", 5, 1), ("B", "0", 5, 0), ("C", "3", 5, 0), ("D", "2", 5, 0)),
        columns=list(CATCHMENTS),
    )
    gone = {"county": "a", "band": "low", "school_home": "H", "village_id": "B"}
    [(row, asked, _)] = left_behind(table, [gone | {"school_id": "S", "need": "over_limit"}])
    assert asked == catchment
    assert (row["pieces_before"], row["pieces_after"], row["cut_off"]) == (2, 2, 0)


def random_crossing(rng: np.random.Generator) -> Crossing:
    parties = []
    for p in range(int(rng.integers(1, 6))):
        some = sorted(rng.choice([1, 2, 3], size=int(rng.integers(1, 4)), replace=False).tolist())
        grades = tuple((int(g), int(rng.integers(1, 25))) for g in some)
        parties.append(Party("ab"[p % 2], f"v{p}", "low", bool(rng.integers(2)), grades, 40.0))
    hosts = tuple(
        Host(
            "b" if rng.random() < 0.4 else "c",
            f"s{h}",
            int(rng.integers(2, 7)),
            tuple(
                (g, int(rng.integers(0, 60)), int(rng.choice([30, 45])))
                for g in (1, 2, 3)
                if rng.random() < 0.9
            ),
        )
        for h in range(int(rng.integers(1, 4)))
    )
    pairs = itertools.product(range(len(parties)), range(len(hosts)))
    ways = tuple(
        (p, h, round(float(rng.uniform(5, 45)), 3)) for p, h in pairs if rng.random() < 0.8
    )
    before = tuple(int(rng.integers(-1, len(hosts))) for _ in parties)
    return Crossing(tuple(parties), hosts, ways, before)


def allowed(crossing: Crossing, host_of: tuple[int, ...]) -> bool:
    """Say whether an answer may be, written anew from the words of the rule."""
    minutes = {(p, h): m for p, h, m in crossing.ways}
    for p, h in enumerate(host_of):
        if h < 0:
            continue
        party, host = crossing.parties[p], crossing.hosts[h]
        if minutes.get((p, h), 99.0) > 40.0 or party.county == host.county:
            return False
        if {g for g, _ in party.grades} - {g for g, _, _ in host.grades}:
            return False
    for h, host in enumerate(crossing.hosts):
        if h in host_of:
            classes = 0
            for g, own, size in host.grades:
                here = own + sum(
                    dict(crossing.parties[p].grades).get(g, 0)
                    for p, at in enumerate(host_of)
                    if at == h
                )
                classes += -(-here // size)
            if classes > host.rooms:
                return False
    return True


@pytest.mark.parametrize("seed", range(60))
def test_no_other_answer_is_better(seed) -> None:
    crossing = random_crossing(np.random.default_rng([seed, 11]))
    seated = seat_guests(crossing)
    assert check_guests(crossing, seated, 2026) == ()
    assert seated.proved()
    every = itertools.product(range(-1, len(crossing.hosts)), repeat=len(crossing.parties))
    worth = [worth_of(crossing, pick) for pick in every if allowed(crossing, pick)]
    best = max((*w[:3], -w[3]) for w in worth)
    assert (*seated.worth[:3], -seated.worth[3]) == best


def test_planted_faults_are_found() -> None:
    crossing = Crossing(
        (
            Party("a", "U", "low", True, ((1, 20),), 40.0),
            Party("b", "O", "low", False, ((1, 25), (2, 3)), 40.0),
        ),
        (Host("b", "S", 1, ((1, 20, 45),)), Host("c", "T", 3, ((1, 20, 45), (2, 0, 45)))),
        ((0, 0, 10.0), (0, 1, 41.0), (1, 0, 5.0), (1, 1, 7.0)),
        (-1, -1),
    )
    sound = seat_guests(crossing)
    assert sound.host_of == (0, 1)
    assert check_guests(crossing, sound, 2026) == ()

    def codes(**changes) -> set[str]:
        found = check_guests(crossing, dataclasses.replace(sound, **changes), 2026)
        assert all(fault.severity() == "broken" and fault.said()[1] for fault in found)
        return {fault.code for fault in found}

    assert "over_limit" in codes(host_of=(1, 1))
    assert {"own_county", "not_taught", "guest_rooms"} <= codes(host_of=(0, 0))
    assert "unknown_site" in codes(host_of=(0, 2))
    assert "shape" in codes(host_of=(0,))
    assert "objective" in codes(worth=(20, 27, 0, sound.worth[3]))
    assert "bound" in codes(bound=(19, 28, 0, sound.worth[3]))
    assert "bound" in codes(bound=(*sound.bound[:3], sound.worth[3] + 1))
    fewer = dataclasses.replace(crossing, ways=crossing.ways[1:])
    assert {f.code for f in check_guests(fewer, sound, 2026)} == {"no_way"}
    assert check_guests(crossing, Seated((0, -1), (20, 0, 0, 200_000), (20, 28, 0, 0)), 1) == ()
