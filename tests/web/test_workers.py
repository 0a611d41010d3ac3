"""Work in processes of its own: checked, optimised, stopped, killed."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from catchment.web.bench import Bench
from tests.web.conftest import MERGE, Client


def _until(client: Client, ident: int, states: tuple[str, ...], seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = client.get(f"/api/jobs/{ident}").json()
        if job["state"] in states:
            return job
        time.sleep(0.1)
    raise AssertionError(job)


def test_full_check_agrees_with_the_quick_answer(client: Client) -> None:
    entry = client.add("查", [MERGE])
    path = f"/api/variants/{entry['id']}/check"
    until = time.monotonic() + 60
    while (found := client.get(path)).status_code == 202 and time.monotonic() < until:
        time.sleep(0.1)
    check = found.json()
    assert check["state"] == "done"
    assert check["agrees"] is True
    quick = client.get(f"/api/variants/{entry['id']}/answer?year=2028").json()
    assert [(g["school"], g["result"]) for g in check["gate"]] == [
        (g["school"], g["result"]) for g in quick["gate"]
    ]
    assert check["gate"][0]["steps"]
    rows = check["findings"]["rows"]
    assert all(0 <= k < len(rows) for k in check["new_findings"])
    county = {
        (i["name"], i["scope"]): i["plan"][i["years"].index(2028)]
        for i in check["indicators"]
        if i["scope"] == "county"
    }
    for row in quick["figures"]:
        if row["scope"] == "county":
            assert county[row["name"], "county"] == row["plan"]


def test_finish_keeps_what_is_named_and_a_killed_worker_is_told(
    client: Client, bench: Bench
) -> None:
    entry = client.add("成", [{"do": "keep", "school": "T1", "year": 2028}])
    body = {"kind": "finish", "variant": entry["id"], "seconds": 2, "keep": ["S2"], "why": "试排"}
    job = client.send_json("POST", "/api/jobs", body).json()
    done = _until(client, job["id"], ("done", "failed"))
    assert done["state"] == "done", done
    made = client.get(f"/api/variants/{done['result']['variants'][0]}").json()
    assert made["from"] == f"job {job['id']}"
    (row,) = client.get(f"/api/variants/{made['id']}/history").json()["history"]
    assert (row["kind"], row["why"], done["why"]) == ("job", "试排", "试排")
    closed = {a["school"] for a in made["document"]["actions"] if a["do"] in ("merge", "downgrade")}
    assert not closed & {"T1", "S2"}
    assert done["best"] >= (done["bound"] or 0)

    body = {"kind": "three", "variant": entry["id"], "seconds": 60}
    job = client.send_json("POST", "/api/jobs", body).json()
    _until(client, job["id"], ("running",))
    until = time.monotonic() + 20
    while bench.jobs.pid is None and time.monotonic() < until:
        time.sleep(0.05)
    assert bench.jobs.pid is not None
    os.kill(bench.jobs.pid, signal.SIGTERM)
    lost = _until(client, job["id"], ("lost", "done"))
    assert lost["state"] == "lost"
    assert "意外中断" in lost["error"]["zh"]


def test_assign_and_documents(client: Client) -> None:
    entry = client.add("文", [MERGE])
    ident = entry["id"]
    job = client.send_json(
        "POST", "/api/jobs", {"kind": "assign", "variant": ident, "seconds": 3}
    ).json()
    waiting = client.send_json("POST", "/api/jobs", {"kind": "documents", "variant": ident}).json()
    other = client.send_json("POST", "/api/jobs", {"kind": "price", "variant": ident, "school": "T1", "seconds": 2}).json()  # fmt: skip
    stopped = client.send_json("POST", f"/api/jobs/{other['id']}/stop", {}).json()
    assert stopped["state"] == "stopped"
    assert _until(client, job["id"], ("done", "failed"))["state"] == "done"
    done = _until(client, waiting["id"], ("done", "failed"), 90)
    assert done["state"] == "done", done
    names = {f["name"] for f in done["result"]["files"]}
    assert {
        "map.html",
        "report.docx",
        "book.docx",
        "ledger.xlsx",
        "scenario.toml",
        "run.json",
    } <= names
    file = client.get(done["result"]["files"][0]["href"])
    assert file.status_code == 200
    assert "attachment" in file.headers["content-disposition"]
    archive = client.get(done["result"]["zip"])
    assert archive.content[:2] == b"PK"
    assert client.get(f"/api/jobs/{waiting['id']}/files/state.sqlite").status_code == 404


def test_price_needs_a_school(client: Client) -> None:
    entry = client.add("价")
    for body in (
        {"kind": "price", "variant": entry["id"]},
        {"kind": "price", "variant": entry["id"], "school": "nobody"},
        {"kind": "finish", "variant": entry["id"], "keep": ["nobody"]},
    ):
        assert client.send_json("POST", "/api/jobs", body).status_code == 422
    missing = client.send_json("POST", "/api/jobs", {"kind": "finish", "variant": 10**9})
    assert missing.status_code == 404
