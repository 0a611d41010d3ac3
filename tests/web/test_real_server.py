"""The real server as a process: news, kills, a wrong start, and the document of its API."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.workbench_fuzz import fuzz
from scripts.workbench_load import Server, kill, save
from tests.tiny_files import write_tiny


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("real")
    found = Server(write_tiny(folder / "tiny"), folder / "state.sqlite")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def server(running: Server) -> Server:
    # A start costs seconds: the tests share one server, and start what they have ended.
    if running.process is None or running.process.poll() is not None:
        running.start()
    return running


def test_the_document_of_the_api_is_true(server: Server) -> None:
    found = fuzz(server, 2, seed=3, phases="fuzzing")
    assert found.returncode == 0, found.stdout[-3000:]
    cases = re.search(r"(\d+) generated", found.stdout)
    assert cases is not None
    assert int(cases.group(1)) > 50


def test_killed_at_random_moments(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(kill(server, 2, seed=7))
    said = capsys.readouterr().out
    assert said.rstrip().endswith("lost or unreadable: []"), said
    server.start()
    # A session outlives the server, and so does what was saved.
    with httpx.Client(base_url=server.home, cookies=server.cookie(), timeout=20) as client:
        assert len(client.get("/api/variants").json()["variants"]) >= 1


def test_editors_and_news(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    cookie = server.cookie()
    with (
        httpx.Client(base_url=server.home, cookies=cookie, timeout=20) as listener,
        httpx.Client(base_url=server.home, cookies=cookie, headers={"origin": server.home}, timeout=20) as editor,
        listener.stream("GET", "/api/events") as stream,
    ):  # fmt: skip
        lines = stream.iter_lines()
        heard = [next(lines) for _ in range(4)]
        assert "event: hello" in heard
        editor.post("/api/variants", json={"document": {"name": "新闻"}}).raise_for_status()
        for line in lines:
            if line.startswith("data:"):
                news = json.loads(line.removeprefix("data:"))
                assert (news["kind"], news["name"]) == ("create", "新闻")
                break
    asyncio.run(save(server, 8, 6, ["S1", "S2", "T1", "J1"]))
    said = capsys.readouterr().out
    assert "acknowledged 48" in said
    assert "errors 0 [], wrong []" in said


def _serve(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "catchment", "serve", *words],
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


def test_starts_that_are_refused(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    state = ("--state", str(tmp_path / "s.sqlite"), "--no-browser", "--port", "0")
    opened = _serve(str(folder), *state, "--host", "0.0.0.0")
    assert opened.returncode == 2
    assert "--office" in opened.stderr
    nobody = _serve(str(folder), *state, "--office")
    assert nobody.returncode == 2
    assert "--add-user" in nobody.stderr
    assert "Traceback" not in opened.stderr + nobody.stderr


def test_a_second_server_on_a_state_file_is_refused_and_a_killed_one_leaves_no_lock(
    server: Server,
) -> None:
    second = _serve(str(server.region), "--state", str(server.state), "--no-browser", "--port", "0")
    assert second.returncode == 2
    assert server.state.name in second.stderr
    assert "已有一个工作台在用" in second.stderr
    assert "Traceback" not in second.stderr
    with httpx.Client(base_url=server.home, cookies=server.cookie(), timeout=20) as client:
        assert client.get("/api/variants").status_code == 200
    server.kill()
    server.start()
    with httpx.Client(base_url=server.home, cookies=server.cookie(), timeout=20) as client:
        assert client.get("/api/variants").status_code == 200
