"""The table of operations from a browser's seat."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from catchment.run import run_scenario
from catchment.web import api_variants
from catchment.web.answer import answer
from catchment.web.bench import Bench
from catchment.web.document import Document, parse_document, scenario_of
from catchment.web.store import Change
from tests.web.conftest import MERGE, Client


def test_save_undo_redo_and_history(client: Client) -> None:
    entry = client.add()
    path = f"/api/variants/{entry['id']}"
    saved = client.send_json(
        "PUT", path, {"expected": 1, "document": {"name": "甲", "actions": [MERGE]}, "why": "人少", "year": 2028}
    ).json()  # fmt: skip
    assert saved["variant"]["version"] == 2
    assert saved["answer"]["year"] == 2028
    # V4 had the school in the village; V5 rides either way.
    assert [w["village"] for w in saved["answer"]["worse"]] == [3]
    undone = client.send_json("POST", path + "/undo", {"expected": 2}).json()
    assert undone["variant"]["version"] == 3
    assert undone["variant"]["document"]["actions"] == []
    assert undone["variant"]["can_redo"]
    redone = client.send_json("POST", path + "/redo", {"expected": 3}).json()
    assert redone["variant"]["document"]["actions"][0]["do"] == "merge"
    rows = client.get(path + "/history").json()["history"]
    assert [r["kind"] for r in rows] == ["redo", "undo", "save", "create"]
    assert rows[2]["why"] == "人少"
    assert rows[2]["words"]["zh"] == ["撤并：丁村教学点 → 丙村小学（2028）"]
    assert client.send_json("POST", path + "/redo", {"expected": 4}).status_code == 422


@pytest.mark.parametrize("answer", [True, False])
def test_a_step_that_cannot_be_answered_is_not_taken(
    client: Client, bench: Bench, answer: bool
) -> None:
    lost = {"name": "旧", "actions": [{**MERGE, "school": "GONE"}]}
    words: dict[str, list[str]] = {"zh": [], "en": []}
    ident = bench.store.create(lost, Change("甲", "", "create", words))["id"]
    path = f"/api/variants/{ident}"
    sound = {"expected": 1, "document": {"name": "新", "actions": []}}
    assert client.send_json("PUT", path, sound).status_code == 200
    refused = client.send_json("POST", path + "/undo", {"expected": 2, "answer": answer})
    assert refused.status_code == 422
    kept = client.get(path).json()
    assert (kept["version"], kept["name"]) == (2, "新")


def test_a_request_that_comes_again_is_known_by_its_name_alone(client: Client) -> None:
    path = f"/api/variants/{client.add()['id']}"
    for k, actions in enumerate(([MERGE], [])):
        body = {"expected": 1 + k, "document": {"name": "甲", "actions": actions}, "ask": f"s-{k}"}
        for _ in range(2):
            found = client.send_json("PUT", path, body)
            assert (found.status_code, found.json()["variant"]["version"]) == (200, 2 + k)
    mine = {"expected": 3, "ask": "u-1"}
    versions = [client.send_json("POST", path + "/undo", mine).json()["variant"]["version"] for _ in range(2)]  # fmt: skip
    assert versions == [4, 4]
    # Another's undo took the version mine was for: mine was never taken.
    late = client.send_json("POST", path + "/undo", {"expected": 3, "ask": "u-2"})
    assert (late.status_code, late.json()["error"]) == (409, "conflict")
    kinds = [h["kind"] for h in client.get(path + "/history").json()["history"]]
    assert kinds == ["undo", "save", "save", "create"]


def test_steps_that_change_nothing_are_refused(client: Client) -> None:
    path = f"/api/variants/{client.add()['id']}"

    def step(what: str, version: int) -> int:
        return int(client.send_json("POST", f"{path}/{what}", {"expected": version}).status_code)

    assert [step("restore", 1), step("reopen", 1), step("approve", 1)] == [422, 422, 200]
    assert [step("approve", 2), step("restore", 2), step("reopen", 2)] == [422, 422, 200]
    kinds = [h["kind"] for h in client.get(path + "/history").json()["history"]]
    assert kinds == ["reopen", "approve", "create"]


def test_conflict_is_readable(client: Client) -> None:
    entry = client.add()
    path = f"/api/variants/{entry['id']}"
    mine = {"expected": 1, "document": {"name": "甲", "actions": [MERGE]}}
    assert client.send_json("PUT", path, mine).status_code == 200
    clash = client.send_json("PUT", path, mine)
    assert clash.status_code == 409
    found = clash.json()
    assert found["error"] == "conflict"
    assert (found["expected"], found["version"]) == (1, 2)
    assert found["changes"][0]["by"] == "本机"
    assert "丁村教学点" in found["zh"]
    assert found["variant"]["document"]["actions"]


def test_figures_are_those_of_a_run(client: Client, bench: Bench) -> None:
    actions = [MERGE, {"do": "expand", "school": "S2", "rooms": 1, "year": 2026}]
    document = {"name": "甲", "actions": actions}
    found = client.send_json("POST", "/api/evaluate", {"document": document, "year": 2028}).json()
    county = bench.opened.county
    run = run_scenario(scenario_of(county, parse_document(document)), county.region)
    table = run.indicators[(run.indicators["year"] == 2028)]
    for row in found["figures"]:
        mine = table[
            (table["indicator"] == row["name"]) & (table["scope"] == row["scope"])
            & (table["id"] == row["id"])
        ]  # fmt: skip
        for label in ("today", "plan"):
            values = mine[mine["plan"] == label]["value"].tolist()
            assert [] if row[label] is None else [row[label]] == pytest.approx(values, abs=1e-4)
    t = list(run.problem.years).index(2028)
    assert found["plan"]["site"][t] == run.plan.site_of[:, t].tolist()
    gate = run.findings[run.findings["code"] == "R-GATE"]
    assert [g["result"] for g in found["gate"]] == gate["result"].tolist()


def test_a_variant_is_added_without_an_answer_where_none_is_asked_for(client: Client) -> None:
    body = {"document": {"name": "首个方案", "actions": []}, "answer": False}
    made = client.send_json("POST", "/api/variants", body)
    assert made.status_code == 201
    assert made.json()["answer"] is None
    assert made.json()["variant"]["version"] == 1
    # It is judged all the same.
    body["document"] = {"name": "x", "actions": [{**MERGE, "into": "T1"}]}
    assert client.send_json("POST", "/api/variants", body).status_code == 422


@pytest.mark.parametrize(
    "document",
    [
        {"name": "x", "actions": [{"do": "merge", "school": "nobody", "year": 2028}]},
        {"name": "x", "actions": [{**MERGE, "into": "T1"}]},
        {"name": "x", "actions": [MERGE, {"do": "keep", "school": "T1", "year": 2028}]},
        {"name": "x", "years": [2028, 2026]},
        {"name": "x", "limits": {"nobody": 30}},
        {"name": "x", "method": {"assignment": "capacity"}},
        {"name": "x", "actions": [{"do": "build", "site": "N1", "at": [500, 500], "rooms": 3, "year": 2028}]},
        {"name": "x", "actions": [{"do": "road", "from": [0, 0], "to": [1, 1], "year": 2028}]},
    ],
)  # fmt: skip
def test_impossible_recipes_are_refused_in_words(client: Client, document: Any) -> None:
    found = client.send_json("POST", "/api/evaluate", {"document": document})
    assert found.status_code == 422, found.text
    assert found.json()["zh"]
    assert found.json()["en"]
    before = len(client.get("/api/variants").json()["variants"])
    assert client.send_json("POST", "/api/variants", {"document": document}).status_code == 422
    assert len(client.get("/api/variants").json()["variants"]) == before


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"{", b'{"document": {}}', b'{"document": {"name": "a", "more": 1}}',
        b'{"document": {"name": "\\ud800"}}', b'{"document": {"name": NaN}}',
        b'{"document": {"name": "a", "class_size": 1e999}}', b'{"document": {"name": 5}}',
        b"[" * 200_000, b'\xff\xfe{"document"',
        b'{"document": {"name": "a", "actions": [{"do": "fly"}]}}',
    ],
)  # fmt: skip
def test_malformed_bodies(client: Client, raw: bytes) -> None:
    found = client.request(
        "POST", "/api/evaluate", content=raw, headers={"content-type": "application/json"}
    )
    assert found.status_code == 400
    assert found.json()["error"] == "malformed"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/variants/999999", 404), ("/api/variants/x", 404), ("/api/variants/٣", 404),
        ("/api/variants/99999999999999999999999", 404), ("/api/variants?deleted=perhaps", 400),
        ("/api/variants?more=1", 400), ("/api/compare?ids=1;drop", 400), ("/api/nothing", 404),
        ("/api/jobs/1/files/..%2f..%2fetc%2fpasswd", 404), ("/api/history?after=-1", 400),
    ],
)  # fmt: skip
def test_wrong_addresses(client: Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_roles(as_role: Callable[[str], Client]) -> None:
    editor, viewer, approver = as_role("编"), as_role("看"), as_role("批")
    entry = editor.add("办公")
    path = f"/api/variants/{entry['id']}"
    body = {"expected": 1, "document": {"name": "改"}}
    assert viewer.get(path).status_code == 200
    for method, where, data in (
        ("PUT", path, body), ("POST", "/api/variants", {"document": {"name": "乙"}}),
        ("DELETE", path, {"expected": 1}), ("POST", path + "/approve", {"expected": 1}),
        ("POST", "/api/jobs", {"kind": "documents", "variant": entry["id"]}),
    ):  # fmt: skip
        assert viewer.send_json(method, where, data).status_code == 403
    assert (
        viewer.send_json("POST", "/api/evaluate", {"document": {"name": "试"}}).status_code == 200
    )
    assert editor.send_json("POST", path + "/approve", {"expected": 1}).status_code == 403
    assert approver.send_json("POST", path + "/approve", {"expected": 1}).status_code == 200
    closed = editor.send_json("PUT", path, {**body, "expected": 2})
    assert (closed.status_code, closed.json()["error"]) == (409, "approved")
    assert approver.send_json("POST", path + "/reopen", {"expected": 2}).status_code == 200
    saved = editor.send_json("PUT", path, {**body, "expected": 3}).json()
    assert saved["variant"]["by"] == "编"


def test_put_away_and_brought_back(client: Client) -> None:
    entry = client.add()
    path = f"/api/variants/{entry['id']}"
    assert client.send_json("DELETE", path, {"expected": 1}).status_code == 200
    assert entry["id"] not in {v["id"] for v in client.get("/api/variants").json()["variants"]}
    assert (
        client.send_json("PUT", path, {"expected": 2, "document": {"name": "x"}}).status_code == 404
    )
    assert client.send_json("POST", path + "/restore", {"expected": 2}).status_code == 200
    assert entry["id"] in {v["id"] for v in client.get("/api/variants").json()["variants"]}


def test_recipe_out_and_in(client: Client) -> None:
    actions = [
        {"do": "build", "site": "新1", "at": [108.016, 27.1119], "rooms": 3, "year": 2028},
        {"do": "move", "villages": ["V2"], "bands": ["lower"], "to": "新1", "year": 2028},
        {**MERGE, "reason": '说"明"\\'},
    ]
    entry = client.add("出", actions)
    text = client.get(f"/api/variants/{entry['id']}/scenario.toml").text
    back = client.send_json("POST", "/api/scenario", {"toml": text})
    assert back.status_code == 201, back.text
    again = back.json()["variant"]["document"]
    assert again["actions"] == entry["document"]["actions"]
    assert client.send_json("POST", "/api/scenario", {"toml": "name = "}).status_code == 422


def test_own_site_has_a_place_and_takes_villages(client: Client) -> None:
    actions = [
        {"do": "build", "site": "N1", "at": [108.016, 27.1119], "rooms": 3, "year": 2028},
        {"do": "move", "villages": ["V2", "V3"], "to": "N1", "year": 2028},
    ]
    found = client.send_json(
        "POST", "/api/evaluate", {"document": {"name": "x", "actions": actions}, "year": 2028}
    ).json()
    (site,) = found["sites_added"]
    assert (site["id"], site["at"]) == ("N1", [10801600, 2711190])
    last = found["plan"]["site"][1]
    assert {last[i] for i in (3, 4, 6, 7)} == {site["position"]}


@pytest.mark.parametrize(
    ("at", "status"), [([108.2, 27.1119], 201), ([108.6, 27.1119], 422), ([27.1119, 108.016], 422)]
)
def test_a_school_far_outside_the_county_is_refused(
    client: Client, at: list[float], status: int
) -> None:
    build = {"do": "build", "site": "N1", "at": at, "rooms": 3, "year": 2028}
    body = {"document": {"name": "远", "actions": [build]}}
    found = client.send_json("POST", "/api/variants", body)
    assert found.status_code == status, found.text
    assert status == 201 or "千米" in found.json()["zh"]


def test_compare(client: Client) -> None:
    one, two = client.add("一", [MERGE]), client.add("二")
    found = client.get(f"/api/compare?ids={one['id']},{two['id']}&year=2028").json()
    assert [c["name"] for c in found["columns"]] == ["今日", "一", "二"]
    moved = next(
        r for r in found["rows"] if r["name"] == "moved_students" and r["scope"] == "county"
    )
    assert moved["values"][2] == 0 < moved["values"][1]
    assert {v["village"] for v in found["villages"]} == {3, 4}


def test_compare_names_each_columns_own_schools(client: Client) -> None:
    ids = []
    for name, at in (("河东新校", [108.016, 27.1119]), ("河西新校", [108.0161, 27.112])):
        build = {"do": "build", "site": "NEW1", "name": name, "at": at, "rooms": 3, "year": 2028}
        move = {"do": "move", "villages": ["V2"], "to": "NEW1", "year": 2028}
        ids.append(client.add(name, [build, move])["id"])
    found = client.get(f"/api/compare?ids={ids[0]},{ids[1]}&year=2028").json()
    row = next(v for v in found["villages"] if v["site_ids"][1:] == ["NEW1", "NEW1"])
    shown = [
        next(s["name"] for s in column["sites_added"] if s["position"] == site)
        for column, site in zip(found["columns"][1:], row["sites"][1:], strict=True)
    ]
    assert shown == ["河东新校", "河西新校"]


def test_county_is_packed_and_remembered_by_the_browser(client: Client) -> None:
    first = client.get("/api/county")
    assert first.headers["content-encoding"] == "gzip"
    assert first.json()["villages"]["id"] == ["V1", "V2", "V3", "V4", "V5"]
    again = client.get("/api/county", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


def test_document_of_the_api_names_every_operation(client: Client) -> None:
    found = json.loads(client.get("/api/openapi.json").content)
    assert found["openapi"].startswith("3.1")
    assert {"/api/variants/{id}", "/api/import", "/api/events", "/api/jobs"} <= set(found["paths"])


def test_what_is_kept_written_out_is_never_old(client: Client) -> None:
    """Lists and variants are answered from memory until something is written."""
    entry = client.add("一")
    path = f"/api/variants/{entry['id']}"
    first = client.get(path)
    tag = first.headers["etag"]
    assert client.get(path, headers={"if-none-match": tag}).status_code == 304
    assert client.get(f"{path}?version=1").json() == first.json()
    names = [v["name"] for v in client.get("/api/variants").json()["variants"]]
    body = {"expected": 1, "document": {"name": "二", "actions": [MERGE]}}
    assert client.send_json("PUT", path, body).status_code == 200
    again = client.get(path, headers={"if-none-match": tag})
    assert (again.status_code, again.json()["version"]) == (200, 2)
    now = [v["name"] for v in client.get("/api/variants").json()["variants"]]
    assert now == [*names[:-1], "二"]
    assert len(client.get(f"{path}/history").json()["history"]) == 2
    assert client.get(f"{path}?version=1&version=2").status_code == 400


def test_compare_lists_villages_that_keep_their_school_on_another_way(bench: Bench) -> None:
    county = bench.opened.county
    found = bench.opened.reckoner.reckon(scenario_of(county, Document(name="空")))
    same = answer(county, found, found.scenario.years[0])
    assert api_variants._villages([found], [same], found.scenario.years[0]) == []
    tenths = list(same["plan"]["tenths"][0])
    k = next(i for i, n in enumerate(found.problem.students[:, :, 0].sum(axis=1)) if n)
    tenths[k] += 70
    longer = {**same, "plan": {**same["plan"], "tenths": [tenths, *same["plan"]["tenths"][1:]]}}
    (row,) = api_variants._villages([found], [longer], found.scenario.years[0])
    assert row["tenths"] == [tenths[k] - 70, tenths[k]]
    assert row["sites"][0] == row["sites"][1]
