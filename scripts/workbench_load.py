"""Load, kill and toggle measurements of the workbench, on loopback.

python -m scripts.workbench_load save|read|toggle|kill [REGION] [--editors 50] [--saves 200] ...
Every measurement starts its own server and ends it; nothing outside a temporary folder is written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from catchment.web.store import Store

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"


class Server:
    """One server process over a state file."""

    def __init__(self, region: Path, state: Path) -> None:
        self.region, self.state, self.port = region, state, 0
        self.process: subprocess.Popen[str] | None = None
        self.home = self.link = ""
        self._cookie: dict[str, str] = {}

    def start(self) -> None:
        """Start and wait for the link."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "catchment", "serve", str(self.region), "--port", str(self.port),
             "--no-browser", "--state", str(self.state)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("http"):
                self.home, _, self.link = line.strip().partition("/#t=")
                self.port = int(self.home.rpartition(":")[2])
                return
        raise SystemExit("the server did not start")

    def kill(self) -> None:
        """End at once (kill -9 where there is such a thing)."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def cookie(self) -> dict[str, str]:
        """Open the link, the first time; the session outlives the server."""
        if self._cookie:
            return dict(self._cookie)
        with httpx.Client(base_url=self.home, headers={"origin": self.home}) as client:
            client.post("/api/session", json={"token": self.link}).raise_for_status()
            self._cookie = dict(client.cookies)
        return dict(self._cookie)


def client_of(server: Server, cookie: dict[str, str]) -> httpx.AsyncClient:
    """Open a browser of its own."""
    limits = httpx.Limits(max_connections=4)
    # Loopback without TLS: reading the certificates of the machine for each of 200 clients would
    # keep the one loop that measures busy for seconds.
    return httpx.AsyncClient(
        base_url=server.home, headers={"origin": server.home}, cookies=cookie, timeout=60, limits=limits,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False,
    )  # fmt: skip


def spread(times: Sequence[float]) -> str:
    """Median, 95 %, 99 % and worst, in milliseconds."""
    ordered = sorted(times)

    def at(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000

    return f"n={len(ordered)} p50={at(0.5):.0f} p95={at(0.95):.0f} p99={at(0.99):.0f} max={ordered[-1] * 1000:.0f} ms"


async def save(server: Server, editors: int, saves: int, schools: list[str]) -> None:
    """Let editors save; every other one shares a variant with a neighbour."""
    cookie = server.cookie()
    acknowledged: dict[int, dict[int, str]] = {}
    conflicts, errors, times = 0, [], []
    async with client_of(server, cookie) as first:
        for k in range((editors + 1) // 2):
            found = await first.post("/api/variants", json={"document": {"name": f"v{k}"}})
            acknowledged[found.json()["variant"]["id"]] = {1: f"v{k}"}
    idents = list(acknowledged)

    async def edit(who: int) -> None:
        nonlocal conflicts
        dice = random.Random(who)  # noqa: S311
        ident = idents[who // 2]
        async with client_of(server, cookie) as client:
            version = 1
            for k in range(saves):
                name = f"{who}.{k}"
                chosen = dice.sample(schools, 2)
                body = {"expected": version, "answer": False, "document": {"name": name, "actions": [
                    {"do": "keep", "school": s, "year": 2028} for s in chosen]}}  # fmt: skip
                while True:
                    began = time.perf_counter()
                    found = await client.put(f"/api/variants/{ident}", json=body)
                    times.append(time.perf_counter() - began)
                    if found.status_code == 200:
                        version = found.json()["variant"]["version"]
                        acknowledged[ident][version] = name
                        break
                    if found.status_code == 409:
                        conflicts += 1
                        body["expected"] = version = found.json()["version"]
                        continue
                    if found.status_code == 429:
                        await asyncio.sleep(0.2)
                        continue
                    errors.append(found.text[:200])
                    break

    began = time.perf_counter()
    await asyncio.gather(*(edit(n) for n in range(editors)))
    seconds = time.perf_counter() - began
    server.kill()
    store = Store(server.state)
    wrong, total = store.sound(), 0
    for ident, versions in acknowledged.items():
        total += len(versions) - 1
        top = store.variant(ident)["version"]
        if top != max(versions) or sorted(versions) != list(range(1, top + 1)):
            wrong.append(f"variant {ident}: {top} kept, {len(versions)} acknowledged")
        for version, name in versions.items():
            if store.variant(ident, version)["document"]["name"] != name:
                wrong.append(f"variant {ident} version {version} is another's")
    print(f"save: {editors} editors x {saves}: acknowledged {total}, conflicts told {conflicts}, errors {len(errors)} {errors[:1]}, wrong {wrong[:3]}, {seconds:.0f} s, {spread(times)}")  # fmt: skip


async def read(server: Server, connections: int, requests: int) -> None:
    """Let many connections read."""
    cookie = server.cookie()
    times, errors = [], []
    async with client_of(server, cookie) as first:
        found = await first.post("/api/variants", json={"document": {"name": "v"}})
        ident = found.json()["variant"]["id"]
        tag = (await first.get("/api/county")).headers["etag"]
    paths = [
        "/api/variants",
        f"/api/variants/{ident}",
        f"/api/variants/{ident}/history",
        "/api/session",
    ]

    async def look(who: int) -> None:
        dice = random.Random(who)  # noqa: S311
        async with client_of(server, cookie) as client:
            for _ in range(requests):
                path = dice.choice([*paths, "/api/county"])
                began = time.perf_counter()
                found = await client.get(path, headers={"if-none-match": tag})
                times.append(time.perf_counter() - began)
                if found.status_code == 429:
                    times.pop()
                    await asyncio.sleep(0.3)
                elif found.status_code not in (200, 304):
                    errors.append(found.status_code)
                # A person reads what has come before asking again.
                await asyncio.sleep(dice.uniform(0.5, 1.5))

    await asyncio.gather(*(look(n) for n in range(connections)))
    print(f"read: {connections} connections x {requests}: errors {len(errors)}, {spread(times)}")


async def toggle(server: Server, clicks: int, schools: list[str], optimise: bool) -> None:
    """Toggle schools, with or without the optimiser running."""
    cookie = server.cookie()
    dice, times, inner = random.Random(1), [], []  # noqa: S311
    async with client_of(server, cookie) as client:
        found = await client.post("/api/variants", json={"document": {"name": "v"}})
        ident, version = found.json()["variant"]["id"], 1
        if optimise:
            body = {"kind": "finish", "variant": ident, "seconds": 600}
            job = (await client.post("/api/jobs", json=body)).json()["id"]
            while (await client.get(f"/api/jobs/{job}")).json()["text"]["en"] != "searching":
                await asyncio.sleep(0.5)
        closed: list[str] = []
        for _ in range(clicks):
            school = dice.choice(schools)
            closed = (
                [s for s in closed if s != school] if school in closed else [*closed, school][-12:]
            )
            actions = [{"do": "merge", "school": s, "year": 2028} for s in closed]
            began = time.perf_counter()
            found = await client.put(f"/api/variants/{ident}", json={
                "expected": version, "year": 2028, "document": {"name": "v", "actions": actions}})  # fmt: skip
            times.append(time.perf_counter() - began)
            found.raise_for_status()
            version = found.json()["variant"]["version"]
            inner.append(found.json()["answer"]["ms"])
            await asyncio.sleep(0.7)
        if optimise:
            state = (await client.get(f"/api/jobs/{job}")).json()
            await client.post(f"/api/jobs/{job}/stop")
            print(
                f"optimiser meanwhile: {state['state']}, {state['elapsed']} s, gap {state['gap']}"
            )
    print(f"toggle (optimiser {'running' if optimise else 'idle'}): {spread(times)}, reckoning median {statistics.median(inner):.0f} ms")  # fmt: skip


async def kill(server: Server, kills: int, seed: int) -> None:
    """End the server at random moments while saves go on; look for what was acknowledged."""
    dice = random.Random(seed)  # noqa: S311
    told: dict[int, dict[int, str]] = {}
    lost: list[Any] = []
    unsure = total = 0
    cookie = server.cookie()
    for round_ in range(kills):
        async with client_of(server, cookie) as client:
            stop = asyncio.Event()

            async def edit(
                client: httpx.AsyncClient = client, stop: asyncio.Event = stop, round_: int = round_
            ) -> None:
                nonlocal unsure, total
                try:
                    found = await client.post(
                        "/api/variants", json={"document": {"name": f"{round_}"}}
                    )
                    ident, version = found.json()["variant"]["id"], 1
                    told.setdefault(ident, {})[1] = f"{round_}"
                    while not stop.is_set():
                        name = f"{round_}.{version}"
                        body = {"expected": version, "answer": False, "document": {"name": name}}
                        found = await client.put(f"/api/variants/{ident}", json=body)
                        if found.status_code != 200:
                            continue
                        version = found.json()["variant"]["version"]
                        told[ident][version] = name
                        total += 1
                except httpx.HTTPError:
                    unsure += 1

            hands = [asyncio.create_task(edit()) for _ in range(3)]
            await asyncio.sleep(dice.uniform(0.02, 0.8))
            server.kill()
            stop.set()
            await asyncio.gather(*hands)
        store = Store(server.state)
        for ident, versions in told.items():
            top = store.variant(ident)["version"]
            if top < max(versions):
                lost.append((round_, ident, top, max(versions)))
        if wrong := store.sound():
            lost.append((round_, wrong[:2]))
        # A run that is cut short has still said what it saw.
        print(
            f"kill {round_ + 1}: {total} acknowledged so far, lost or unreadable: {lost[:3]}",
            flush=True,
        )
        if round_ + 1 < kills:
            server.start()
    for ident, versions in told.items():
        for version, name in versions.items():
            if Store(server.state).variant(ident, version)["document"]["name"] != name:
                lost.append((ident, version))
    print(f"kill: {kills} kills, {total} saves acknowledged, {unsure} cut off unanswered, lost or unreadable: {lost[:5]}")  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["save", "read", "toggle", "kill"])
    parser.add_argument("region", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--tiny", action="store_true", help="the five villages of the tests")
    parser.add_argument("--editors", type=int, default=50)
    parser.add_argument("--saves", type=int, default=200)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--requests", type=int, default=30)
    parser.add_argument("--clicks", type=int, default=60)
    parser.add_argument("--optimise", action="store_true")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.tiny:
            from tests.tiny_files import write_tiny

            given.region = write_tiny(Path(folder) / "tiny")
        server = Server(given.region, Path(folder) / "state.sqlite")
        server.start()
        schools = _schools(server) if given.what in ("save", "toggle") else []
        try:
            if given.what == "save":
                asyncio.run(save(server, given.editors, given.saves, schools))
            elif given.what == "read":
                asyncio.run(read(server, given.connections, given.requests))
            elif given.what == "toggle":
                asyncio.run(toggle(server, given.clicks, schools, given.optimise))
            else:
                asyncio.run(kill(server, given.kills, given.seed))
        finally:
            server.kill()


def _schools(server: Server) -> list[str]:
    """Small working schools of the county."""
    with httpx.Client(base_url=server.home, cookies=server.cookie(), timeout=60) as client:
        county: dict[str, Any] = json.loads(client.get("/api/county").content)
    working = county["trial"]["today"]
    return [code for j, code in enumerate(county["sites"]["id"]) if working[j]][:40]


if __name__ == "__main__":
    main()
