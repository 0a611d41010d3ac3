"""Kill commands at random moments and look at every file they leave.

Usage: python scripts/crash_runs.py [--kills 300] [--seed 0]

Two recipes take turns in one folder; ``run``, ``map``, ``report`` and ``check --fix`` are killed
(SIGKILL) at a random moment of their time. Afterwards every file must be one of the whole versions
known, every format must open, and a folder of files of two runs must refuse to be opened as one.
Exits with 1 at the first fault.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from catchment.errors import CatchmentError  # noqa: E402
from catchment.views.folder import UNFINISHED, read_record  # noqa: E402
from tests.tiny_files import write_tiny  # noqa: E402

_ENDS = {".html": "</html>", ".csv": "\n", ".toml": "\n"}


def _command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "catchment", *map(str, words)]


def opens(path: Path) -> str:
    """Say what is wrong with a file; nothing where it is whole."""
    try:
        if path.suffix in (".xlsx", ".docx", ".pptx"):
            with zipfile.ZipFile(path) as archive:
                return f"{path.name}: damaged" if archive.testzip() else ""
        if path.suffix == ".gpkg":
            with contextlib.closing(sqlite3.connect(path)) as base:
                said = base.execute("pragma integrity_check").fetchone()[0]
            return "" if said == "ok" else f"{path.name}: {said}"
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
            return ""
        text = path.read_text(encoding="utf-8-sig")
        whole = text.rstrip("\n").endswith(_ENDS[path.suffix].rstrip("\n")) and text
        return "" if whole or path.suffix not in _ENDS else f"{path.name}: short"
    except (OSError, ValueError, KeyError, sqlite3.Error, zipfile.BadZipFile) as fault:
        return f"{path.name}: {type(fault).__name__} {fault}"


def _digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in ("timing.json", UNFINISHED)
    }


def main() -> int:
    """Kill, look, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        county = write_tiny(home / "county")
        text = (county / "scenario.toml").read_text(encoding="utf-8")
        (county / "other.toml").write_text(text.split("[[action]]")[0], encoding="utf-8")
        recipes, out = (county / "scenario.toml", county / "other.toml"), home / "out"
        known: dict[str, set[str]] = {}
        took: dict[str, float] = {}

        def learn(folder: Path) -> None:
            for file, digest in _digests(folder).items():
                known.setdefault(file, set()).add(digest)

        commands = {
            "run": lambda: _command("run", dice.choice(recipes), "--out", out),
            "map": lambda: _command("map", out),
            "report": lambda: _command("report", out),
            "check --fix": lambda: _command("check", county, "--fix", "--out", home / "fixed"),
        }
        for recipe in recipes:
            subprocess.run(_command("run", recipe, "--out", out), check=True, capture_output=True)
            learn(out)
            for verb in ("map", "report"):
                began = time.perf_counter()
                subprocess.run(commands[verb](), check=True, capture_output=True)
                took[verb] = time.perf_counter() - began
                learn(out)
        for verb in ("run", "check --fix"):
            began = time.perf_counter()
            subprocess.run(commands[verb](), check=False, capture_output=True)
            took[verb] = time.perf_counter() - began
        source = _digests(county)
        learn(home / "fixed")
        killed: Counter[str] = Counter()
        mixed = 0
        while sum(killed.values()) < options.kills:
            verb = dice.choice(list(commands))
            process = subprocess.Popen(
                commands[verb](), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=took[verb] * dice.uniform(0.2, 1.0))
            if process.poll() is None:
                process.kill()
                killed[verb] += 1
            process.wait()
            for folder in (out, home / "fixed"):
                for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                    if path.name.startswith("."):
                        continue  # a stale temporary, swept by the next command
                    wrong = opens(path)
                    inside = path.relative_to(folder).as_posix()
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    if path.name not in ("timing.json", UNFINISHED) and not wrong:
                        wrong = "" if digest in known[inside] else f"{inside}: a version unknown"
                    if wrong:
                        print(f"after killing {verb}: {wrong}")
                        return 1
            if _digests(county) != source:
                print(f"after killing {verb}: the county's own files have changed")
                return 1
            if (out / UNFINISHED).is_file():
                mixed += 1
                with contextlib.suppress(CatchmentError):
                    read_record(out)
                    print("a folder of two runs was opened as one")
                    return 1
                subprocess.run(
                    _command("run", dice.choice(recipes), "--out", out),
                    check=True, capture_output=True,
                )  # fmt: skip
        left = [p.name for p in out.iterdir() if p.name.startswith(".")]
        subprocess.run(commands["run"](), check=True, capture_output=True)
        swept = not [p.name for p in out.iterdir() if p.name.startswith(".")]
        print("| command | killed | unreadable or short files |\n|---|---|---|")
        for verb, number in sorted(killed.items()):
            print(f"| {verb} | {number} | 0 |")
        print(f"\nInterrupted while writing: {mixed}; temporaries left {len(left)}, swept {swept}.")
        return 0 if swept else 1


if __name__ == "__main__":
    raise SystemExit(main())
