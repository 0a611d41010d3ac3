"""A batch in bad weather: workers killed at random, one county that kills its worker every time.

Usage: python scripts/batch_storm.py [--counties 300] [--kills 40] [--cluster] [--seed 0]

Writes small counties, computes them undisturbed on local processes, then again while workers are
killed, and compares every digest. With ``--cluster`` the second run is on a Dask scheduler with two
workers, started here. One county more kills any worker that touches it; it must be named and
quarantined while all others finish. Exits with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from catchment.batch import find_tasks, run_batch  # noqa: E402
from tests.batch.counties import write_counties  # noqa: E402

_POISON = """
import os, signal
from catchment.batch import work
_execute = work.execute
def execute(path, **options):
    if "poison" in str(path):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return _execute(path, **options)
work.execute = execute
"""


class Storm(threading.Thread):
    """Kills a random worker now and then until all kills are spent."""

    def __init__(self, kills: int, every: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.left, self.done, self._every = kills, 0, every
        self._dice, self.over = random.Random(seed), threading.Event()  # noqa: S311

    def run(self) -> None:
        """Kill until all kills are spent or the batch is over."""
        while self.left and not self.over.wait(self._dice.uniform(0.3, 1.7) * self._every):
            found = [p for p in psutil.Process().children(recursive=True) if self._is_worker(p)]
            if found:
                with contextlib.suppress(psutil.Error):
                    self._dice.choice(found).kill()
                    self.left -= 1
                    self.done += 1

    def _is_worker(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            # Local workers and the children of Dask's nannies are both started by spawn.
            return "spawn_main" in " ".join(process.cmdline())
        return False


@contextlib.contextmanager
def cluster(workers: int, env: dict[str, str], folder: Path) -> Iterator[str]:
    """Start a Dask scheduler and workers with nannies, which start them anew."""
    from distributed import Client

    address = "tcp://127.0.0.1:18786"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    started = [
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "18786", "--no-dashboard"],
            env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    ]  # fmt: skip
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
    started += [
        subprocess.Popen(
            [*command, "--no-dashboard", "--death-timeout", "60"],
            env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(workers)
    ]  # fmt: skip
    try:
        with Client(address, timeout=60) as client:
            client.wait_for_workers(workers, timeout=120)
        yield address
    finally:
        for process in started:
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            process.kill()
            process.wait()


def main() -> int:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", type=int, default=300)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_counties(folder / "in", options.counties)
        tasks = find_tasks(folder / "in")
        began = time.perf_counter()
        calm = run_batch(tasks, folder / "calm", workers=2)
        took = time.perf_counter() - began
        write_counties(folder / "poison", 1)
        (folder / "poison" / "county-000").rename(folder / "in" / "poison")
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(_POISON, encoding="utf-8")
        path = os.pathsep.join([str(folder / "hook"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        os.environ["PYTHONPATH"] = path
        tasks = find_tasks(folder / "in")
        storm = Storm(options.kills, took / (options.kills + 1), options.seed)
        with contextlib.ExitStack() as stack:
            address = None
            if options.cluster:
                env = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "100"}
                address = stack.enter_context(cluster(2, env, folder))
            storm.start()
            rough = run_batch(tasks, folder / "rough", workers=2, scheduler=address)
            storm.over.set()
        named = rough.table[rough.table["state"] != "done"]
        same = calm.table.set_index("name")["output"].to_dict()
        now = rough.table.set_index("name")["output"].to_dict()
        differ = [name for name in same if now[name] != same[name]]
        print(f"counties {len(same)}, workers killed {storm.done}, undisturbed {took:.0f} s")
        print(f"not done: {named[['name', 'state', 'spoiled']].to_dict('records')}")
        print(f"digests that differ: {len(differ)} {differ[:5]}")
        good = named["name"].tolist() == ["poison/scenario"] and not differ
        good &= named["state"].tolist() == ["quarantined"]
        return 0 if good and storm.left == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
