"""What the nation would cost: measured counties, then a simulation of 2,800 of them.

Usage: python scripts/scale.py [--write] [--counties 2800] [--villages 500000] [--seed 0]

Parts of the shipped county (by township) are computed one after another in processes of their own;
processor seconds, peak memory and bytes written give a line over the number of villages. The look
across a border is measured with the whole shipped county laid on top as the neighbour, so that every
village lies within reach: dearer than any real border. Counties of the nation are drawn (log-normal
numbers of villages, scaled to the total), each with six neighbours; preparing, tasks, and merging
with the settling of borders are added up as the batch does them. ``--write`` puts the tables into
docs/scale.md.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "scale.md"
SHARES = (0.1, 0.25, 0.5, 1.0)
REACH_KM, NEIGHBOURS = 10.0, 6  # a planar map has fewer than six neighbours a county on average
MARK = "<!-- measured -->"


def measure(share: float) -> dict[str, float]:
    """Compute a part of the shipped county here and tell what it took."""
    from catchment.batch import merge, work
    from catchment.batch.guests import settle_guests
    from catchment.batch.tasks import Task
    from catchment.files import write_bytes
    from catchment.region.read import read_region, village_box
    from catchment.run import run_scenario
    from catchment.scenario import read_scenario

    before = time.process_time()
    home = ROOT / "data" / "demo"
    recipe = home / "scenarios" / "merge-2028.toml"
    region = read_region(home)
    keep = region.villages.iloc[: max(round(len(region.villages) * share), 1)]
    codes = set(keep["village_id"])
    part = region.replace(
        villages=keep.reset_index(drop=True),
        children=region.children[region.children["village_id"].isin(codes)].reset_index(drop=True),
        students=region.students[region.students["village_id"].isin(codes)].reset_index(drop=True),
    )
    run = run_scenario(read_scenario(recipe), part)
    with tempfile.TemporaryDirectory() as name:
        folders = []
        for county, other in (("a", "b"), ("b", "a")):
            task = Task(
                name=f"{county}/merge", recipe=str(recipe), region="", digest="",
                neighbours=((other, str(home)),),
            )  # fmt: skip
            folder = Path(name) / "counties" / task.name
            work.write_results(run, task, folder)
            write_bytes(folder / work.RESULT, b"{}")
            folders.append((task.name, folder))
            if county == "a":
                spent = time.process_time() - before
                plain = _size(folder)
            begun = time.process_time()
            work.write_border(run, replace(task, reach_km=REACH_KM), folder)
            border = time.process_time() - begun
        peak = _peak()
        size = _size(folders[0][1]) - plain
        begun = time.process_time()
        settled = settle_guests(folders)
        merge.merged_indicators(folders)
        for _, folder in folders:
            merge.outline_of(folder)
        merged = (time.process_time() - begun) / 2
    assert settled is not None
    begun = time.process_time()
    village_box(home)
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        hashlib.sha256(path.read_bytes())
    read = time.process_time() - begun
    return {
        "villages": len(keep),
        "seconds": spent,
        "border": border,
        "bytes": float(plain),
        "border_bytes": float(size),
        "peak": float(peak),
        "merge": merged,
        "read": read,
        "asked": float(len(settled.guests) / 2),
    }


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _peak() -> int:
    memory = psutil.Process().memory_info()
    peak = getattr(memory, "peak_wset", 0)
    if not peak:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(peak)


def settle(counties: int) -> str:
    """Settle the borders of so many counties in a ring, each with the needs of the shipped one."""
    from catchment.batch import work
    from catchment.batch.exchange import write_exchange
    from catchment.batch.guests import settle_guests
    from catchment.batch.tasks import Task
    from catchment.region.read import read_region
    from catchment.run import run_scenario
    from catchment.scenario import read_scenario

    home = ROOT / "data" / "demo"
    recipe = home / "scenarios" / "merge-2028.toml"
    run = run_scenario(read_scenario(recipe), read_region(home))
    with tempfile.TemporaryDirectory() as name:
        base = Path(name) / "base"
        task = Task(
            name="a/merge", recipe=str(recipe), region="", digest="",
            neighbours=(("b", str(home)),), reach_km=REACH_KM,
        )  # fmt: skip
        work.write_results(run, task, base)
        told = {stem: pd.read_parquet(base / f"{stem}.parquet") for stem in
                ("ways", "seats", "catchments")}  # fmt: skip
        folders = []
        for k in range(counties):
            folder = Path(name) / f"c{k:04d}" / "merge"
            folder.mkdir(parents=True)
            for file in ("run.json", "indicators.csv"):
                shutil.copy(base / file, folder / file)
            for stem, table in told.items():
                mine = table.assign(county=f"c{k:04d}")
                if stem == "ways":
                    mine = mine.assign(neighbour=f"c{(k + 1) % counties:04d}")
                write_exchange(mine, folder / f"{stem}.parquet")
            folders.append((f"c{k:04d}/merge", folder))
        begun = time.process_time()
        found = settle_guests(folders)
        spent = time.process_time() - begun
    assert found is not None
    proved = bool((found.proofs["value"] == found.proofs["bound"]).all())
    seated = int((found.guests["school_id"] != "").sum())
    return (
        f"{counties} counties in a ring: {len(found.guests):,} villages and bands asked, {seated:,} "
        f"taken in, all proved: {proved}, {spent:.1f} processor s"
    )


def ledger_seconds() -> float:
    """Seconds of one durable line in the batch's ledger."""
    from catchment.batch.ledger import Ledger
    from catchment.batch.tasks import Task

    with tempfile.TemporaryDirectory() as name, Ledger(Path(name) / "ledger.sqlite") as ledger:
        ledger.enter([Task(name="a/b", recipe="", region="", digest="")])
        began = time.perf_counter()
        for _ in range(100):
            ledger.note("a/b", "running")
        return (time.perf_counter() - began) / 100


def simulate(seconds: np.ndarray, workers: int, durable: float, fails: np.ndarray) -> float:
    """Wall seconds until the last task of a list is done, one durable line a task."""
    free = [0.0] * workers
    heapq.heapify(free)
    coordinator = last = 0.0
    for cost, failed in zip(seconds, fails, strict=True):
        start = heapq.heappop(free)
        coordinator = max(coordinator, start) + durable
        end = coordinator + cost * (1.5 if failed else 1.0)
        heapq.heappush(free, end)
        last = max(last, end)
    return max(last, coordinator)


def tables(counties: int, villages: int, seed: int) -> str:
    """Measure, simulate, and return Markdown."""
    found = []
    for share in SHARES:
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(share)],
            check=True, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip
        found.append(json.loads(done.stdout.splitlines()[-1]))
    size = np.array([f["villages"] for f in found])
    kinds = ("seconds", "border", "bytes", "border_bytes", "peak", "merge")
    lines = {key: np.polyfit(size, [f[key] for f in found], 1) for key in kinds}
    durable = ledger_seconds()
    rng = np.random.default_rng(seed)
    drawn = rng.lognormal(0.0, 0.6, counties)
    drawn = np.maximum(np.round(drawn * villages / drawn.sum()), 3)
    at = {key: np.maximum(np.polyval(line, drawn), 0) for key, line in lines.items()}
    text = [
        (
            "| villages | processor s | across one border, s | peak memory, MB | written, MB "
            "| of it for borders, MB | merging and settling, s |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    text += [
        f"| {f['villages']:.0f} | {f['seconds']:.1f} | {f['border']:.1f} | {f['peak'] / 1e6:.0f} "
        f"| {(f['bytes'] + f['border_bytes']) / 1e6:.2f} | {f['border_bytes'] / 1e6:.2f} "
        f"| {f['merge']:.2f} |"
        for f in found
    ]
    # The coordinator reads each county's villages for the box around them, and hashes its files.
    preparing = counties * float(np.mean([f["read"] for f in found])) / 60
    alone, across = at["seconds"], NEIGHBOURS * at["border"]
    written = (at["bytes"] + NEIGHBOURS * at["border_bytes"]).sum() / 1e9
    text += [
        "",
        (
            f"Nation: {counties:,} counties, {drawn.sum():,.0f} villages (largest county "
            f"{drawn.max():,.0f}), one recipe each: **{alone.sum() / 3600:.1f} processor hours**, and "
            f"{across.sum() / 3600:.1f} more for looking across {NEIGHBOURS} borders a county; "
            f"{written:.1f} GB written, at most {at['peak'].max() / 1e9:.1f} GB a worker; one durable "
            f"line of the ledger takes {durable * 1000:.1f} ms here."
        ),
        "",
        (
            "| workers | borders | preparing (one process), min | computing, min "
            "| merging (one process), min | whole, min | memory of all, GB |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    fails = rng.random(counties) < 0.01
    merging = at["merge"].sum() / 60
    for workers in (2, 16, 64, 256, 1024):
        memory = np.sort(at["peak"])[-min(workers, counties) :].sum() / 1e9
        for word, cost, before in (("no", alone, 0.0), ("yes", alone + across, preparing)):
            wall = simulate(cost, workers, durable, fails) / 60
            text.append(
                f"| {workers} | {word} | {before:.1f} | {wall:.1f} | {merging:.1f} "
                f"| {before + wall + merging:.1f} | {memory:.0f} |"
            )
    return "\n".join(text)


def main() -> int:
    """Measure one part, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", type=float)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--counties", type=int, default=2800)
    parser.add_argument("--villages", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settle", type=int, help="counties whose borders are settled at once")
    options = parser.parse_args()
    if options.settle is not None:
        print(settle(options.settle))
        return 0
    if options.measure is not None:
        print(json.dumps(measure(options.measure)))
        return 0
    text = tables(options.counties, options.villages, options.seed)
    print(text)
    if options.write:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.strip()  # fmt: skip
        head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARK)
        tail = rest.partition(MARK)[2]
        body = f"{MARK}\nMeasured at `{commit}`.\n\n{text}\n{MARK}"
        PAGE.write_text(head + body + tail, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
