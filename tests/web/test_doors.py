"""A county in by the front door, a running job stopped, and refusals in both languages."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.errors import InfeasibleError
from catchment.network.kept import Kept
from catchment.web import tasks
from catchment.web.api_import import remembered
from catchment.web.bench import Bench
from catchment.web.languages import halves
from catchment.web.tasks import Table, finish, require
from catchment.web.uploads import take
from tests.web.conftest import MERGE, Client, client_of


def _packed(folder: Path, more: dict[str, bytes], under: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.iterdir() if p.is_file()):
            archive.writestr(under + path.name, path.read_bytes())
        for name, content in more.items():
            archive.writestr(name, content)
    return out.getvalue()


JUNK = {
    "__MACOSX/county/._villages.csv": b"\x00\x05", "__MACOSX/._county": b"\x00", "county/.DS_Store": b"x",
    "county/._schools.csv": b"x", "county/.git/config": b"x", "county/Thumbs.db": b"x",
    "county/desktop.ini": b"x", "county/~$ledger.xlsx": b"x",
}  # fmt: skip


def test_what_a_computer_adds_is_left_out_and_told(tmp_path: Path, tiny_folder: Path) -> None:
    taken = take([("c.zip", io.BytesIO(_packed(tiny_folder, JUNK, "county/")))], tmp_path)
    wanted = {p.name for p in tiny_folder.iterdir() if p.is_file()}
    assert set(taken.names) == wanted == {p.name for p in tmp_path.iterdir()}
    assert set(taken.skipped) == set(JUNK)


def test_files_one_by_one_and_what_lies_beside_them(tmp_path: Path) -> None:
    taken = take([(".DS_Store", io.BytesIO(b"x")), ("a.csv", io.BytesIO(b"a"))], tmp_path)
    assert (taken.names, taken.skipped) == (("a.csv",), (".DS_Store",))


def test_a_good_county_is_accepted_and_stays_open(
    make_bench: Callable[..., Bench], tiny_folder: Path, tmp_path: Path
) -> None:
    bench = make_bench()
    client = client_of(bench)
    client.send_json("POST", "/api/session", {"token": bench.people.new_link()})
    entry = client.add("旧数据上的方案", [MERGE])
    before = client.get("/api/county").headers["etag"]
    renamed = tmp_path / "renamed"
    shutil.copytree(tiny_folder, renamed)
    schools = renamed / "schools.csv"
    schools.write_text(
        schools.read_text(encoding="utf-8").replace("丁村教学点", "丁村新教学点"), encoding="utf-8"
    )
    content = _packed(renamed, JUNK, "county/")
    found = client.request("POST", "/api/import", files={"files": ("county.zip", content, "application/zip")})  # fmt: skip
    assert found.status_code == 200, found.text
    sent = found.json()
    assert sent["ok"], sent["problems"]
    assert set(sent["skipped"]) == set(JUNK)
    assert client.get("/api/county").headers["etag"] == before  # checked, and nothing changed
    done = client.send_json("POST", f"/api/import/{sent['import']}/accept", {"why": "新学年"})
    assert done.status_code == 200, done.text
    assert done.json() == {
        "revision": 2,
        "county": bench.opened.county.region.name,
        "withdrawn": [],
    }
    own, of_county = client.get("/api/history").json()["history"][:2]
    for row in (own, of_county):
        assert (row["kind"], row["by"], row["why"]) == ("import", "本机", "新学年")
    assert (own["variant"], own["version"]) == (entry["id"], 2)
    assert (of_county["variant"], of_county["version"]) == (0, 2)
    with bench.store._open() as db:
        text = db.execute("SELECT document FROM history WHERE variant = 0").fetchone()[0]
    digests = json.loads(text)
    assert digests["before"] != digests["after"]
    for side in ("before", "after"):
        assert digests[side][:12] in own["words"]["zh"][0]
    kept = client.get(f"/api/variants/{entry['id']}").json()
    assert (kept["version"], kept["document"]) == (2, entry["document"])
    assert bench.store.sound() == []
    county = client.get("/api/county")
    assert county.headers["etag"] != before
    assert county.json()["workbench"]["revision"] == 2
    assert "丁村新教学点" in county.text
    answer = client.get(f"/api/variants/{entry['id']}/answer?year=2028").json()
    assert [w["village"] for w in answer["worse"]] == [3]
    kept = remembered(bench.store, bench.files)
    assert kept is not None
    assert kept == (bench.opened.folder, False, 2)


def test_an_import_withdraws_approvals_and_not_everybody_may(
    make_bench: Callable[..., Bench], tiny_folder: Path
) -> None:
    bench = make_bench(office=True)
    clients = {}
    for name, role in (("编", "editor"), ("批", "approver")):
        clients[name] = client_of(bench)
        token = bench.people.log_in(name, f"pass-word-{role}")
        clients[name].cookies.set("catchment_8765", token or "")
    entry = clients["编"].add("将审定", [MERGE])
    path = f"/api/variants/{entry['id']}"
    assert clients["批"].send_json("POST", path + "/approve", {"expected": 1}).status_code == 200
    content = _packed(tiny_folder, {})
    sent = (
        clients["编"]
        .request("POST", "/api/import", files={"files": ("county.zip", content, "application/zip")})
        .json()
    )
    accept = f"/api/import/{sent['import']}/accept"
    refused = clients["编"].send_json("POST", accept, {})
    assert (refused.status_code, refused.json()["error"]) == (409, "approved")
    assert bench.opened.revision == 1
    assert clients["编"].get(path).json()["version"] == 2
    done = clients["批"].send_json("POST", accept, {"why": "更正"})
    assert done.json()["withdrawn"] == [entry["id"]]
    row = clients["编"].get(path + "/history").json()["history"][0]
    assert (row["by"], row["kind"], row["words"]["zh"][-1]) == ("批", "import", "审定随之撤销")
    assert clients["编"].get(path).json()["state"] == "draft"
    late = clients["编"].send_json("PUT", path, {"expected": 2, "document": entry["document"]})
    assert late.status_code == 409


def _until(client: Client, ident: int, done: Callable[[Any], bool], seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = client.get(f"/api/jobs/{ident}").json()
        if done(job):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def test_a_search_that_is_stopped_gives_the_best_so_far(bench: Bench) -> None:
    opened = bench.opened
    table = Table(opened.county, opened.reckoner, Kept(), opened.folder)
    stopped: list[str] = []

    def tell(zh: str, en: str, **more: Any) -> None:
        if more.get("best") is not None and not stopped:
            stopped.append(en)
            raise KeyboardInterrupt

    found = finish(table, {"document": {"name": "停"}, "keep": [], "seconds": 60}, tell)
    assert stopped == ["searching"]
    assert found["best"] is not None
    assert found["violations"] == []
    assert len(found["documents"]) == 1


def test_a_running_job_is_stopped_and_the_next_is_done(client: Client) -> None:
    entry = client.add("停")
    body = {"kind": "three", "variant": entry["id"], "seconds": 600}
    job = client.send_json("POST", "/api/jobs", body).json()
    _until(client, job["id"], lambda j: j["state"] == "running")
    asked = time.monotonic()
    assert client.send_json("POST", f"/api/jobs/{job['id']}/stop", {}).status_code == 200
    ended = _until(client, job["id"], lambda j: j["state"] not in ("queued", "running"))
    assert time.monotonic() - asked < 45
    assert ended["state"] == "stopped"
    assert ended["error"] is None
    for made in (ended["result"] or {}).get("variants", ()):
        assert client.get(f"/api/variants/{made}").json()["from"] == f"job {job['id']}"
    after = client.send_json(
        "POST", "/api/jobs", {"kind": "finish", "variant": entry["id"], "seconds": 1}
    ).json()
    done = _until(client, after["id"], lambda j: j["state"] not in ("queued", "running"))
    assert done["state"] == "done", done


def test_reasons_belong_to_the_variant_that_gives_them(client: Client) -> None:
    first, second = (
        client.add(why, [{**MERGE, "reason": why}]) for why in ("甲的理由", "乙的理由")
    )
    for entry, why in ((first, "甲的理由"), (second, "乙的理由")):
        held = client.get(f"/api/variants/{entry['id']}").json()["document"]
        assert [a["reason"] for a in held["actions"]] == [why]
        assert why in client.get(f"/api/variants/{entry['id']}/scenario.toml").content.decode()
    digests = {
        client.get(f"/api/variants/{e['id']}/answer").json()["digest"] for e in (first, second)
    }
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("said", "zh", "en"),
    [
        ("没有学校 / no such school", "没有学校", "no such school"),
        ("只有一句", "只有一句", "只有一句"),
        ("only one", "only one", "only one"),
        ("学校“甲 / 乙”没有 / no school “甲 / 乙” is there", "学校“甲 / 乙”没有", "no school “甲 / 乙” is there"),
        ("路径 a / b 不行 / the path a / b is refused", "路径 a / b 不行", "the path a / b is refused"),
        ("甲 / 乙两校 / both of the schools", "甲 / 乙两校", "both of the schools"),
        ("限值 3 / too low / or too high", "限值 3", "too low / or too high"),
    ],
)  # fmt: skip
def test_two_languages_are_taken_apart(said: str, zh: str, en: str) -> None:
    assert halves(said) == (zh, en)


@settings(deadline=None, max_examples=60)
@given(
    zh=st.text("村校学位分钟 ", min_size=6).map(str.strip).filter(lambda s: len(s) > 5),
    en=st.text("abcdefgh ", min_size=6).map(str.strip).filter(lambda s: len(s) > 5),
    value=st.sampled_from(["x / y", "甲 / 乙", "1 / 2", "S1"]),
)
def test_a_quoted_value_may_hold_the_mark(zh: str, en: str, value: str) -> None:
    left, right = f"{zh}“{value}”{zh}", f"{en} “{value}” {en}"
    assert halves(f"{left} / {right}") == (left, right)


@pytest.mark.parametrize(
    ("status", "zh", "en"),
    [("unknown", "8 秒内没有找到", "within 8 s"), ("infeasible", "已证明", "there is no plan")],
)
def test_no_plan_is_told_in_plain_words(
    status: str, zh: str, en: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ("最接近的方案违反：路程（甲 / 乙）", "the nearest breaks: trip (甲 / 乙)")
    monkeypatch.setattr(tasks, "nearest_breaks", lambda *_: said)
    answer: Any = SimpleNamespace(plan=SimpleNamespace(status=status), reason=" / ".join(said))
    question: Any = None
    with pytest.raises(InfeasibleError) as fault:
        require(question, answer, 8, {})
    chinese, english = halves(str(fault.value))
    assert zh in chinese
    assert "最接近的方案违反：路程（甲 / 乙）" in chinese
    assert en in english
    assert english.count("the nearest breaks: trip (甲 / 乙)") == 1
    assert "最接近" not in english
