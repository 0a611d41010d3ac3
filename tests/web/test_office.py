"""An office's server as a process: TLS with a certificate of its own, named users, three roles."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.tiny_files import write_tiny
from tests.web.conftest import MERGE

WORD = "correct horse battery 9"
ENV = {**os.environ, "PYTHONUTF8": "1", "CATCHMENT_PASSWORD": WORD}
OPENSSL = shutil.which("openssl")


def _catchment(*words: str) -> list[str]:
    return [sys.executable, "-m", "catchment", "serve", *words]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of an office's server and the certificate that it shows."""
    if OPENSSL is None:
        # Where everything is checked nothing may be left out unseen.
        assert not os.environ.get("CI"), "the machine that checks everything needs openssl"
        pytest.skip("openssl makes the certificate, and is not on this machine")
    folder = tmp_path_factory.mktemp("office")
    region, state = write_tiny(folder / "tiny"), folder / "state.sqlite"
    cert, key = folder / "plan.pem", folder / "plan.key"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for who in ("李工:editor", "王主任:approver", "张老师:viewer"):
        subprocess.run(
            _catchment(str(region), "--state", str(state), "--add-user", who),
            check=True, capture_output=True, timeout=60, env=ENV,
        )  # fmt: skip
    process = subprocess.Popen(
        _catchment(str(region), "--state", str(state), "--office", "--port", "0", "--no-browser",
                   "--tls-cert", str(cert), "--tls-key", str(key)),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=ENV,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield next(line.strip().rstrip("/") for line in process.stdout if "http" in line), cert
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def _enter(home: str, cert: Path, user: str) -> httpx.Client:
    trust = ssl.create_default_context(cafile=str(cert))
    client = httpx.Client(
        base_url=home, headers={"origin": home}, verify=trust, timeout=30, trust_env=False
    )
    found = client.post("/api/login", json={"user": user, "password": WORD})
    found.raise_for_status()
    cookie = found.headers["set-cookie"]
    assert all(word in cookie for word in ("; Secure", "HttpOnly", "SameSite=Strict"))
    return client


def test_three_roles_over_tls(office: tuple[str, Path]) -> None:
    home, cert = office
    assert home.startswith("https://")
    document = {"name": "甲", "actions": []}
    with (
        contextlib.closing(_enter(home, cert, "李工")) as editor,
        contextlib.closing(_enter(home, cert, "王主任")) as approver,
        contextlib.closing(_enter(home, cert, "张老师")) as viewer,
    ):
        made = editor.post("/api/variants", json={"document": document}).json()["variant"]
        path = f"/api/variants/{made['id']}"
        change = {"expected": 1, "document": {**document, "actions": [MERGE]}, "why": "生源减少"}
        assert viewer.put(path, json=change).status_code == 403
        assert editor.put(path, json=change).status_code == 200
        assert viewer.get(path).json()["version"] == 2
        assert editor.post(f"{path}/approve", json={"expected": 2}).status_code == 403
        assert approver.post(f"{path}/approve", json={"expected": 2}).json()["state"] == "approved"
        closed = editor.put(path, json={**change, "expected": 3})
        assert (closed.status_code, closed.json()["error"]) == (409, "approved")
        assert approver.post(f"{path}/reopen", json={"expected": 3}).json()["state"] == "draft"
        rows = viewer.get(f"{path}/history").json()["history"]
        assert [(r["kind"], r["by"]) for r in rows] == [
            ("reopen", "王主任"), ("approve", "王主任"), ("save", "李工"), ("create", "李工"),
        ]  # fmt: skip
        assert rows[2]["why"] == "生源减少"


def test_what_an_office_refuses(office: tuple[str, Path]) -> None:
    home, cert = office
    trust = ssl.create_default_context(cafile=str(cert))
    with httpx.Client(base_url=home, verify=trust, timeout=30, trust_env=False) as stranger:
        assert stranger.get("/api/county").status_code == 401
        own = {"origin": home}
        wrong = stranger.post(
            "/api/login", json={"user": "李工", "password": "x" * 12}, headers=own
        )
        assert wrong.status_code == 401
        assert (
            stranger.post("/api/session", json={"token": "x" * 40}, headers=own).status_code == 401
        )
        # The page of the same host without TLS is another origin.
        plain = {"origin": home.replace("https", "http")}
        assert stranger.post("/api/login", json={"user": "李工", "password": WORD}, headers=plain).status_code == 403  # fmt: skip
        assert stranger.get("/", headers={"host": "plan.example.org"}).status_code == 421
    with pytest.raises(httpx.HTTPError), httpx.Client(trust_env=False, timeout=10) as unsafe:
        unsafe.get(home.replace("https", "http"))
