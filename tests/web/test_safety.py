"""Probes: what must be refused, each refused."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer

from catchment.errors import InputError
from catchment.web.app import OPERATIONS
from catchment.web.bench import Bench
from catchment.web.guard import Rate
from catchment.web.uploads import safe_name, take
from tests.web.conftest import MERGE, Client, client_of

READS = ("/api/county", "/api/variants", "/api/history", "/api/jobs", "/api/events")


def test_no_session_no_answer(bench: Bench) -> None:
    nobody = client_of(bench)
    for path in READS:
        assert nobody.get(path).status_code == 401
    for method, path in (
        ("POST", "/api/evaluate"),
        ("PUT", "/api/variants/1"),
        ("POST", "/api/import"),
    ):
        assert nobody.send_json(method, path, {}).status_code == 401
    nobody.cookies.set("catchment_8765", "x" * 43)
    assert nobody.get("/api/variants").status_code == 401
    assert nobody.get("/").status_code in (200, 404)
    assert nobody.get("/api/openapi.json").status_code == 200
    assert nobody.get("/api/words").status_code == 200  # the form of an office needs them


def test_no_operation_is_forgotten(bench: Bench) -> None:
    """Every operation of the table but the entrances, asked for without and with a wrong token."""
    nobody = client_of(bench)
    asked = 0
    for operation in OPERATIONS:
        if operation.need == "open":
            continue
        path = re.sub(r"\{[a-z]+\}", "1", operation.path)
        for cookie in (None, "y" * 43):
            nobody.cookies.clear()
            if cookie:
                nobody.cookies.set("catchment_8765", cookie)
            found = nobody.send_json(operation.method, path, {})
            assert (found.status_code, found.json()["error"]) == (401, "session"), path
            asked += 1
    assert asked > 40


def test_the_link_works_once(bench: Bench) -> None:
    one, two = client_of(bench), client_of(bench)
    link = bench.people.new_link()
    assert two.send_json("POST", "/api/session", {"token": link[:-1] + "A"}).status_code == 401
    found = one.send_json("POST", "/api/session", {"token": link})
    assert found.status_code == 200
    cookie = found.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert two.send_json("POST", "/api/session", {"token": link}).status_code == 401
    assert one.get("/api/session").json()["can"] == ["read", "edit", "approve"]
    assert one.request("POST", "/api/logout").status_code == 204
    assert one.get("/api/variants").status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost:8766", "127.0.0.1:8765.evil.example",
     "", "[::1]:8765", "127.0.0.1:8765@evil.example"],
)  # fmt: skip
def test_rebinding(client: Client, host: str) -> None:
    for path in ("/", "/api/variants", "/assets/main.js"):
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://127.0.0.1:8765"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://localhost:8765"}, 403),
        ({}, 200),
    ],
)
def test_cross_site_posts(client: Client, headers: dict[str, str], status: int) -> None:
    body = {"document": {"name": "x"}}
    assert client.send_json("POST", "/api/evaluate", body, **headers).status_code == status


def test_cross_site_reads_and_posts_without_origin(client: Client) -> None:
    assert client.get("/api/variants", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    client.own.headers.pop("origin")
    assert client.send_json("POST", "/api/evaluate", {"document": {"name": "x"}}).status_code == 403
    assert client.get("/api/variants").status_code == 200


def test_forms_of_another_page_are_no_json(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        found = client.request(
            "POST", "/api/evaluate", content=b'{"document":{"name":"x"}}', headers={"content-type": kind}
        )  # fmt: skip
        assert found.status_code == 415


def test_headers_keep_the_page_to_itself(client: Client) -> None:
    for path in ("/", "/api/variants", "/api/nothing"):
        found = client.get(path).headers
        assert "default-src 'none'" in found["content-security-policy"]
        assert "unsafe" not in found["content-security-policy"]
        assert found["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in found
    assert client.request("OPTIONS", "/api/variants").status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/app.py", "/assets/shared/../../errors.py",
     "/assets//etc/passwd", "/assets/C:/windows/win.ini", "/assets/..\\app.py", "/assets/%00", "/assets/.git",
     "/assets/shared/%5c%5cevil%5cshare"],
)  # fmt: skip
def test_no_way_out_of_the_assets(client: Client, path: str) -> None:
    found = client.get(path)
    assert found.status_code in (404, 405)
    assert b"import" not in found.content


def test_large_bodies(client: Client) -> None:
    big = json.dumps({"document": {"name": "x", "note": "长" * 400_000}})
    for headers in ({"content-type": "application/json"},):
        found = client.request("POST", "/api/evaluate", content=big.encode(), headers=headers)
        assert found.status_code == 413

    async def drip() -> Any:
        for _ in range(40):
            yield b"x" * 50_000

    found = client.request(
        "POST", "/api/evaluate", content=drip(), headers={"content-type": "application/json"}
    )
    assert found.status_code == 413


@pytest.mark.parametrize("length", ["200000001", "99999999999999999", "-1", "1e9"])
def test_uploads_that_say_they_are_too_large(client: Client, length: str) -> None:
    """Refused by what they declare, before a byte of them is read."""
    found = client.request(
        "POST", "/api/import", content=b"x", headers={"content-length": length, "content-type": "multipart/form-data; boundary=x"}
    )  # fmt: skip
    assert found.status_code == 413
    assert found.headers["connection"] == "close"


def test_too_many_requests(bench: Bench) -> None:
    found = client_of(bench, Rate(each=0.01, reserve=5))
    answers = [found.get("/api/variants").status_code for _ in range(8)]
    assert answers == [401] * 5 + [429] * 3
    assert int(found.get("/api/variants").headers["retry-after"]) > 0


def test_passwords_cannot_be_tried_for_ever(office: Bench) -> None:
    found = client_of(office)
    answers = [
        found.send_json("POST", "/api/login", {"user": "编", "password": f"wrong-{k}"}) for k in range(9)
    ]  # fmt: skip
    codes = [a.status_code for a in answers]
    assert set(codes) == {401, 429}
    assert codes[-1] == 429
    assert answers[0].json()["error"] == "login"


def test_spellings_of_a_name_share_one_limit(
    office: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    limit = Rate(each=1e-9, reserve=2)

    def wait(key: str) -> float:
        asked.append(key)
        # The address is the same for all of them; the name alone is looked at here.
        return limit.wait(key) if key.startswith("n:") else 0.0

    monkeypatch.setattr(office.people.tries, "wait", wait)
    found = client_of(office)
    spellings = ("editor", "\uff45ditor", " editor ", "edi\uff54or", "editor\u200b")
    codes = [
        found.send_json("POST", "/api/login", {"user": u, "password": "wrong-wrong"}).status_code
        for u in spellings
    ]
    assert codes == [401, 401, 429, 429, 429]
    assert len({k for k in asked if k.startswith("n:")}) == 1


def test_log_in(office: Bench) -> None:
    office.people.tries = Rate(each=10, reserve=100)
    found = client_of(office)
    wrong = found.send_json(
        "POST", "/api/login", {"user": "无此人", "password": "pass-word-editor"}
    )
    assert wrong.status_code == 401
    good = found.send_json("POST", "/api/login", {"user": "编", "password": "pass-word-editor"})
    assert good.json()["role"] == "editor"
    assert found.get("/api/variants").status_code == 200
    link = found.send_json("POST", "/api/session", {"token": "anything"})
    assert link.status_code == 401
    with office.store._open() as db:  # what the file holds is a hash
        held = db.execute("SELECT secret FROM users").fetchall()
    assert all(r[0].startswith("$argon2id$") for r in held)


# ------------------------------------------------------------------ uploads


@pytest.mark.parametrize(
    "name",
    ["../x.csv", "..", "a/b.csv", "a\\b.csv", "/etc/passwd", "C:x.csv", "x.csv\x00.txt", "CON.csv", "nul", ".hidden.csv",
     "x.exe", "x.py", "x.vrt", "", "a" * 300 + ".csv", "x.csv ", "x\u202e.csv", "x.pkl", "x.html"],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        safe_name(name)


def _zip(
    members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(info)
            archive.writestr(info, content)
    return out.getvalue()


def _link(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o120777 << 16


@pytest.mark.parametrize(
    "content",
    [
        _zip({"../../x.csv": b"a"}),
        _zip({"/x.csv": b"a"}),
        _zip({"..\\x.csv": b"a"}),
        _zip({"a/x.csv": b"a", "b/y.csv": b"a"}),
        _zip({"x.csv": b"a", "X.CSV": b"b"}),
        _zip({"x.csv": b"a"}, _link),
        _zip({"x.csv": b"0" * 40_000_000}),
        _zip({f"{k}.csv": b"a" for k in range(300)}),
        _zip({}),
        b"PK\x03\x04 no archive",
        _zip({"x.csv": b"a" * 1000})[:-30],
        _zip({"x.zip": b"a"}),
    ],
)
def test_hostile_archives(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(InputError):
        take([("county.zip", io.BytesIO(content))], folder)
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents]
    assert outside == []


def test_an_archive_that_lies_about_its_size(tmp_path: Path) -> None:
    honest = _zip({"x.csv": b"0" * 9_000_000})
    lying = honest.replace((9_000_000).to_bytes(4, "little"), (900).to_bytes(4, "little"))
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(InputError):
        take([("county.zip", io.BytesIO(lying))], folder)


def test_upload_is_checked_and_homes_stay_here(
    client: Client, tiny_folder: Path, bench: Bench
) -> None:
    files = {p.name: p.read_bytes() for p in tiny_folder.iterdir() if p.is_file()}
    files["schools.csv"] = files["schools.csv"].replace(b",6,", b",-6,", 1)
    files["students.csv"] = files["students.csv"].replace(b"P0,V1,1", b"P0,V1,99")
    found = client.request(
        "POST", "/api/import", files={"files": ("county.zip", _zip(files), "application/zip")}
    )
    assert found.status_code == 200, found.text
    answer = found.json()
    assert not answer["ok"]
    assert {p["layer"] for p in answer["problems"]} >= {"schools", "students"}
    assert all(p["at"] is None for p in answer["problems"] if p["layer"] == "students")
    refused = client.send_json("POST", f"/api/import/{answer['import']}/accept", {})
    assert refused.status_code == 422
    assert client.send_json("POST", "/api/import/zz/accept", {}).status_code == 404
    plain = client.request(
        "POST", "/api/import", content=b"x", headers={"content-type": "text/csv"}
    )
    assert plain.status_code == 415
    hostile = client.request(
        "POST", "/api/import", files={"files": ("../../x.csv", b"a", "text/csv")}
    )
    assert hostile.status_code == 422


# ------------------------------------------------------------------ students


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [x for v in value.values() for x in _numbers(v)]
    if isinstance(value, list):
        return [x for v in value for x in _numbers(v)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_no_answer_holds_a_home(client: Client, bench: Bench) -> None:
    region = bench.opened.county.region
    assert len(region.students) == 5
    to = Transformer.from_crs(region.crs, "EPSG:4326", always_xy=True)
    homes = [to.transform(p.x, p.y) for p in region.students.geometry]
    entry = client.add("隐私", [MERGE])
    ident = entry["id"]
    seen = [client.get("/api/county").json(), entry]
    seen += [
        client.get(p).json() for p in ("/api/history", f"/api/variants/{ident}/answer", "/api/jobs")
    ]
    full = client.send_json("POST", "/api/check", {"document": {"name": "x", "actions": [MERGE]}})
    assert full.status_code == 200, full.text
    seen.append(full.json())
    step = 50 / 111_000
    for answer in seen:
        flat = np.array(_numbers(answer))
        # Wherever two numbers stand side by side, as degrees or as steps of 1e-5 degree.
        for scale in (1.0, 1e5):
            lon, lat = flat[:-1] / scale, flat[1:] / scale
            for x, y in homes:
                near = (np.abs(lon - x) < step) & (np.abs(lat - y) < step)
                assert not near.any()
    text = json.dumps(seen, ensure_ascii=False)
    assert all(f'"P{k}"' not in text for k in range(5))
