"""Kill commands at random moments and look at every file they leave.

Usage: python scripts/crash_runs.py [--kills 300] [--seed 0] [--minutes inf]

Two recipes take turns in one folder; ``run``, ``map``, ``report`` and ``check --fix`` (of a county
with rows to mend) are killed (SIGKILL). The moments are spread over the work: a phase is chosen,
one the command tells on its way (reading, roads, plan, ..., writing; writing as often as all others),
and the process is killed after a random share of the time that this phase takes undisturbed.
Afterwards every file must be one of the whole versions known, every format must open, a folder of
files of two runs must refuse to be opened as one, and the mended copy must be there whole with its
list, or not at all. Exits with 1 at the first fault.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import queue
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from catchment.errors import CatchmentError  # noqa: E402
from catchment.views.folder import UNFINISHED, read_record  # noqa: E402
from tests.tiny_files import write_tiny  # noqa: E402

VERBS = ("run", "map", "report", "check --fix")
WRITING = ("writing", "map", "report", "mending")  # phases in which files are put in place
EVERY = 25  # kills between two tables
_START = "start-up"
_ENDS = {".html": "</html>"}


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
        if path.suffix in (".json", ".geojson"):
            json.loads(path.read_text(encoding="utf-8"))
            return ""
        text = path.read_text(encoding="utf-8-sig")
        whole = text and text.rstrip("\n").endswith(_ENDS.get(path.suffix, ""))
        return "" if whole else f"{path.name}: short"
    except (OSError, ValueError, KeyError, sqlite3.Error, zipfile.BadZipFile) as fault:
        return f"{path.name}: {type(fault).__name__} {fault}"


def _digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in ("timing.json", UNFINISHED)
    }


class Child:
    """A command whose phases are heard as it tells them."""

    def __init__(self, words: Sequence[str]) -> None:
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        self._heard: queue.Queue[tuple[str, float]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            # Lines of single years and bands belong to the phase they are part of.
            if line.startswith("· ") and " / " in line:
                self._heard.put((line.rsplit(" / ", 1)[1].strip(), time.perf_counter()))
        self._heard.put(("", time.perf_counter()))

    def phases(self) -> list[tuple[str, float]]:
        """Wait for the end; return each phase with its seconds."""
        told = [(_START, self.began)]
        while (heard := self._heard.get())[0]:
            told.append(heard)
        self.process.wait()
        ends = [at for _, at in told[1:]] + [heard[1]]
        return [(name, end - at) for (name, at), end in zip(told, ends, strict=True)]

    def kill_in(self, phase: str, wait: float) -> bool:
        """Kill so many seconds after a phase began; False where the command was over before."""
        at = self.began
        while phase != _START and (heard := self._heard.get())[0] != phase:
            if not heard[0]:
                self.process.wait()
                return False
            at = heard[1]
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=max(at + wait - time.perf_counter(), 0.001))
        alive = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        return alive


@dataclass(frozen=True)
class Scene:
    """Folders of one experiment."""

    county: Path
    dirty: Path
    out: Path
    fixed: Path

    def recipes(self) -> tuple[Path, Path]:
        """Return the two recipes that take turns."""
        return self.county / "scenario.toml", self.county / "other.toml"

    def command(self, verb: str, recipe: Path) -> list[str]:
        """Return the words of a command."""
        if verb == "run":
            return _command("run", recipe, "--out", self.out)
        if verb == "check --fix":
            return _command("check", self.dirty, "--fix", "--out", self.fixed)
        return _command(verb, self.out)


def lay_out(home: Path) -> Scene:
    """Write a county with two recipes, and one with rows to mend."""
    county = write_tiny(home / "county")
    text = (county / "scenario.toml").read_text(encoding="utf-8")
    (county / "other.toml").write_text(text.split("[[action]]")[0], encoding="utf-8")
    dirty = write_tiny(home / "dirty")
    for name, clean, soiled in (
        ("children.csv", "V1,2026,10", "V1,2026,１０人"),
        ("villages.csv", "V2,", "Ｖ２,"),
        ("schools.csv", ",6,", ",６,"),
    ):
        text = (dirty / name).read_text(encoding="utf-8")
        assert clean in text, name
        (dirty / name).write_text(text.replace(clean, soiled, 1), encoding="utf-8")
    return Scene(county, dirty, home / "out", home / "fixed")


class Known:
    """Whole versions of every file, and the phases of every command."""

    def __init__(self, scene: Scene) -> None:
        self.digests: dict[str, set[str]] = {}
        self.phases: dict[str, list[tuple[str, float]]] = {}
        for recipe in scene.recipes():
            for verb in VERBS:
                self.phases[verb] = Child(scene.command(verb, recipe)).phases()
                self._learn(scene.out)
        self._learn(scene.fixed)
        self.mended = set(_digests(scene.fixed / "mended"))
        assert self.mended, "the soiled county has nothing to mend"
        self.sources = _digests(scene.county), _digests(scene.dirty)

    def _learn(self, folder: Path) -> None:
        for file, digest in _digests(folder).items():
            self.digests.setdefault(file, set()).add(digest)

    def choose(self, verb: str, dice: random.Random) -> tuple[str, float]:
        """Choose a phase and a moment in it."""
        phases = self.phases[verb]
        weights = [len(phases) if name in WRITING else 1 for name, _ in phases]
        name, seconds = dice.choices(phases, weights)[0]
        return name, dice.random() * seconds


def wrong_in(scene: Scene, known: Known) -> str:
    """Say what is wrong with what is there; nothing where all is well."""
    for folder in (scene.out, scene.fixed):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            inside = path.relative_to(folder)
            if any(part.startswith(".") for part in inside.parts):
                continue  # a stale temporary, swept by the next command
            wrong = opens(path)
            if wrong:
                return wrong
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            told = path.name in ("timing.json", UNFINISHED)
            if not told and digest not in known.digests[inside.as_posix()]:
                return f"{inside}: a version unknown"
    if (scene.fixed / "mended").exists():
        if set(_digests(scene.fixed / "mended")) != known.mended:
            return "half a mended folder"
        if not (scene.fixed / "repairs.csv").is_file():
            return "a mended folder without its list"
    if (_digests(scene.county), _digests(scene.dirty)) != known.sources:
        return "the county's own files have changed"
    if (scene.out / UNFINISHED).is_file():
        with contextlib.suppress(CatchmentError):
            read_record(scene.out)
            return "a folder of two runs was opened as one"
    return ""


def _stale(scene: Scene) -> list[str]:
    return [
        p.name
        for folder in (scene.out, scene.fixed)
        if folder.is_dir()
        for p in folder.iterdir()
        if p.name.startswith(".")
    ]


def _tell(known: Known, killed: Counter[tuple[str, str]], resumed: int) -> None:
    print(f"| killed while | {' | '.join(VERBS)} |\n|---|{'---|' * len(VERBS)}")
    for phase in dict.fromkeys(name for verb in VERBS for name, _ in known.phases[verb]):
        print(f"| {phase} | {' | '.join(str(killed[verb, phase]) for verb in VERBS)} |")
    print(f"\nKills: {killed.total()}; files unreadable, short or of two runs: 0.")
    print(f"Runs interrupted between their files and gone on from: {resumed}.", flush=True)


def main() -> int:
    """Kill, look, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        scene = lay_out(Path(name))
        known = Known(scene)
        killed: Counter[tuple[str, str]] = Counter()
        resumed = left = tries = told = 0
        end = time.monotonic() + 60 * options.minutes
        while killed.total() < options.kills and time.monotonic() < end:
            verb = VERBS[tries % len(VERBS)]
            tries += 1
            if verb == "check --fix":
                # What it had made must be made again, but what a kill left is there to be swept.
                for old in (scene.fixed / "mended", scene.fixed / "repairs.csv"):
                    shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
            phase, wait = known.choose(verb, dice)
            child = Child(scene.command(verb, dice.choice(scene.recipes())))
            if child.kill_in(phase, wait):
                killed[verb, phase] += 1
            left += bool(_stale(scene))
            wrong = wrong_in(scene, known)
            if wrong:
                print(f"after killing {verb} while {phase}: {wrong}")
                return 1
            if (scene.out / UNFINISHED).is_file():
                resumed += 1
                again = scene.command("run", dice.choice(scene.recipes()))
                subprocess.run(again, check=True, capture_output=True)
                wrong = wrong_in(scene, known)
                if wrong or (scene.out / UNFINISHED).is_file():
                    print(f"after going on from a kill while {phase}: {wrong}")
                    return 1
            if killed.total() >= told + EVERY:
                told = killed.total()
                _tell(known, killed, resumed)  # a long run that is stopped has lost little
        for verb in ("run", "check --fix"):
            last = scene.command(verb, scene.recipes()[0])
            subprocess.run(last, check=False, capture_output=True)
        swept = not _stale(scene) and not wrong_in(scene, known)
        _tell(known, killed, resumed)
        print(f"Kills that left temporaries: {left}; all swept by the next command: {swept}.")
        return 0 if swept else 1


if __name__ == "__main__":
    raise SystemExit(main())
