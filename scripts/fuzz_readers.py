"""Mutate a county's files at random and hold the readers to three promises.

No crash (anything but a refusal in words), no hang over 15 seconds, and no change in the total of
students that is not told: what an independent parser finds in the mutated file is what is read and
set aside, or a fault says otherwise.

    python scripts/fuzz_readers.py --seconds 600 --seed 1
    python scripts/fuzz_readers.py --atheris 300        (coverage-guided; Linux, pip install atheris)

The same seed gives the same files. A worker process reads them; the parent watches it, counts, and
starts the next worker behind the file that killed one.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import queue
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "trust")]
HANG_SECONDS = 15.0  # of processor
WAIT_SECONDS = 600.0  # of a process that uses none: it waits for what will not come
FORMATS = ("csv", "xlsx", "shp", "gpkg", "geojson", "osm", "osm.pbf", "toml")
TOKENS = (
    b"0", b"9", b"-1", b"1e9", b"99999999999", b"NaN", b"null", b'"', b",", b"\n", b"\r\n", b"\x00",
    b"\xff", b"\xef\xbb\xbf", "合计".encode(), "７".encode(), "\u3000".encode(), b"{", b"]", b"<", b"&",
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"../", b"\x80", b"E+17",
)  # fmt: skip


def seeds(folder: Path) -> dict[str, Path]:
    """Write one clean county a format; the layers whose files are mutated are in that format."""
    import dirty_files as make

    found = {}
    for kind in FORMATS:
        place = folder / kind.replace(".", "-")
        place.mkdir()
        if kind in {"csv", "xlsx", "shp", "gpkg", "geojson"}:
            make.DIRTY["clean"](place, kind)
        elif kind == "osm":
            make.DIRTY["osm_clean"](place, kind)
        elif kind == "osm.pbf":
            make.DIRTY["osm_pbf_clean"](place, kind)
        else:
            make.county(place)
        found[kind] = place
    return found


def target(folder: Path, kind: str, rng: np.random.Generator) -> Path:
    """Choose the file to mutate."""
    ends = {"shp": (".shp", ".shx", ".dbf", ".prj", ".cpg"), "toml": (".toml",)}.get(
        kind, (f".{kind}",)
    )
    files = sorted(p for p in folder.iterdir() if p.name.endswith(ends))
    return files[int(rng.integers(len(files)))]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Change bytes one to five times."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(out) + 1))
        size = int(rng.integers(1, 33))
        match int(rng.integers(0, 8)):
            case 0 if out:
                out[min(at, len(out) - 1)] = int(rng.integers(0, 256))
            case 1 if out:
                out[min(at, len(out) - 1)] ^= 1 << int(rng.integers(0, 8))
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = out[at : at + size]
            case 4:
                out[at:at] = TOKENS[int(rng.integers(len(TOKENS)))]
            case 5:
                token = TOKENS[int(rng.integers(len(TOKENS)))]
                out[at : at + len(token)] = token
            case 6:
                digits = [k for k, c in enumerate(out) if 48 <= c <= 57]
                if digits:
                    out[digits[int(rng.integers(len(digits)))]] = 48 + int(rng.integers(0, 10))
            case _ if rng.random() < 0.2:
                del out[at:]
            case _:
                pass
    return bytes(out)


def mutate_file(path: Path, rng: np.random.Generator) -> None:
    """Mutate a file; of a workbook, as often what is packed in it."""
    if path.suffix == ".xlsx" and rng.random() < 0.7:
        with zipfile.ZipFile(path) as archive:
            parts = {n: archive.read(n) for n in archive.namelist()}
        names = [
            n for n in parts if "sheet1" in n or "shared" in n or "workbook" in n or "styles" in n
        ]
        name = names[int(rng.integers(len(names)))]
        parts[name] = mutate(parts[name], rng)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for n, data in parts.items():
                archive.writestr(n, data)
        return
    path.write_bytes(mutate(path.read_bytes(), rng))


def independent_total(folder: Path, kind: str) -> int | None:
    """Students of the mutated file by another parser; None where that one cannot read it either."""
    import openpyxl
    import pyogrio

    try:
        path = next(
            p for p in folder.iterdir() if p.stem == "学龄人口" and p.name.endswith(f".{kind}")
        )
        if kind == "csv":
            text = path.read_bytes().decode("utf-8-sig")
            values = [row["学生数"] for row in csv.DictReader(io.StringIO(text, newline=""))]
        elif kind == "geojson":
            document = json.loads(path.read_text(encoding="utf-8-sig"))
            values = [f["properties"]["学生数"] for f in document["features"]]
        elif kind == "gpkg":
            with sqlite3.connect(f"file:{path.as_posix()}?mode=ro&immutable=1", uri=True) as base:
                values = [row[0] for row in base.execute("SELECT 学生数 FROM children")]
            base.close()
        elif kind == "xlsx":
            rows = list(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))
            at = rows[0].index("学生数")
            values = [row[at] for row in rows[1:]]
        else:
            values = pyogrio.read_dataframe(path, encoding="gb18030")["学生数"].tolist()
        return sum(int(v) for v in values if str(v).isascii() and str(v).isdigit())
    except Exception:
        return None


def outcome(folder: Path, kind: str, told: set[str], total: int) -> str:
    """Read a mutated county and say what became of it; anything but a refusal is raised."""
    from catchment.errors import CatchmentError
    from catchment.network.doubts import check_roads
    from catchment.region.read import gather, region_of

    try:
        reading = gather(folder)
        faults = [*reading.problems.faults, *check_roads(reading)]
        lines = {f.line() for f in faults} - told
        region = region_of(reading, set_aside=True)
    except CatchmentError as fault:
        return "refused" if " / " in str(fault) else "WORDLESS"
    seen = int(region.children["students"].sum()) + int(region.rejected["students"].sum())
    if lines:
        return "told"
    if kind in {"csv", "xlsx", "shp", "gpkg", "geojson"}:
        wanted = independent_total(folder, kind)
        if wanted is not None and wanted != seen:
            return f"UNTOLD {wanted} -> {seen}"
        return "unchanged" if seen == total else "other figures, as in the file"
    return "unchanged" if seen == total else f"UNTOLD {total} -> {seen}"


def work(seed: int, start: int, count: int) -> None:
    """Read mutated counties and print one line each: its number, format and outcome."""
    import shutil
    import warnings

    import dirty_files as make

    from catchment.network.doubts import check_roads
    from catchment.region.check import check_region

    warnings.simplefilter("ignore")
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as name:
        places = seeds(Path(name))
        clean = {
            kind: {f.line() for f in check_region(place, further=check_roads).faults}
            for kind, place in places.items()
        }
        for k in range(start, start + count):
            rng = np.random.default_rng([seed, k])
            kind = FORMATS[k % len(FORMATS)]
            folder = Path(name) / "case"
            shutil.copytree(places[kind], folder)
            path = target(folder, kind, rng)
            mutate_file(path, rng)
            print(f"{k} {kind} start", flush=True)
            try:
                said = outcome(folder, kind, clean[kind], make.TOTAL)
            except Exception:
                last = traceback.format_exc().strip().splitlines()
                said = f"CRASH {path.name} {last[-1]} {last[-3].strip() if len(last) > 2 else ''}"
            print(f"{k} {kind} {said}", flush=True)
            shutil.rmtree(folder)


def _is_hung(worker: subprocess.Popen[str], used: float, since: float) -> bool:
    """Say whether a file has cost too much: on a shared machine, processor time is what counts."""
    with contextlib.suppress(psutil.Error):
        if _processor(worker) - used > HANG_SECONDS:
            return True
    return time.monotonic() - since > WAIT_SECONDS


def _processor(worker: subprocess.Popen[str]) -> float:
    spent = psutil.Process(worker.pid).cpu_times()
    return float(spent.user + spent.system + spent.children_user + spent.children_system)


def watch(
    seed: int, seconds: float, first: int = 0
) -> tuple[Counter[tuple[str, str]], list[str], float]:
    """Keep a worker running until the time is over.

    Parameters
    ----------
    seed : int
        Seed of the files.
    seconds : float
        Wall time to spend.
    first : int
        Number of the first file.

    Returns
    -------
    counter, list of str, float
        Cases by format and outcome; what went wrong; most processor seconds a file took.
    """
    slowest = 0.0
    counts: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    end, k = time.monotonic() + seconds, first
    while time.monotonic() < end:
        worker = subprocess.Popen(
            [sys.executable, __file__, "--worker", str(seed), str(k), "1000"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_pour, args=(worker, lines), daemon=True).start()
        used, since, begun = 0.0, time.monotonic(), False
        while time.monotonic() < end:
            try:
                line = lines.get(timeout=1.0)
            except queue.Empty:
                if _is_hung(worker, used, since) and (begun or time.monotonic() - since > 300):
                    wrong.append(f"case {k}: no answer within {HANG_SECONDS:.0f} s of processor")
                    k += 1
                    break
                continue
            if not line:
                if worker.wait() != 0:
                    wrong.append(f"case {k}: the worker died with {worker.returncode}")
                    k += 1
                break
            number, kind, said = [*line.rstrip("\n").split(" ", 2), "", ""][:3]
            if kind not in FORMATS:
                continue  # a library's own words
            with contextlib.suppress(psutil.Error):
                now = _processor(worker)
                slowest = max(slowest, now - used) if begun else slowest
                used, begun = now, said == "start"
            since = time.monotonic()
            if said == "start":
                k = int(number)
                continue
            k = int(number) + 1
            counts[kind, said.split(" ")[0] if said.isupper() or said[:2].isupper() else said] += 1
            if said.split(" ")[0] in {"CRASH", "UNTOLD", "WORDLESS"}:
                wrong.append(f"case {number} ({kind}): {said}")
        worker.kill()
        worker.wait()
    return counts, wrong, slowest


def _pour(worker: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        lines.put(line)
    lines.put("")


def guided(seconds: int) -> None:
    """Fuzz our own parsers by coverage; atheris ends the process at the first crash."""
    import atheris

    with atheris.instrument_imports(include=["catchment.region", "catchment.coordinates"]):
        from catchment.coordinates import parse_crs
        from catchment.errors import CatchmentError
        from catchment.region.address import Village, match_addresses
        from catchment.region.clean import clean
        from catchment.region.faults import LayerError
        from catchment.region.guard import UnsafeError, bad_name, refuse_doctype
        from catchment.region.locate import read_manifest
        from catchment.region.raw import Place
        from catchment.region.schema import layers
        from catchment.region.soundness import pbf_blocks, shapes_sound
        from catchment.region.tables import read_csv
        from catchment.region.vector import _read_dbf, read_geojson

    folder = Path(tempfile.mkdtemp())
    path = folder / "x"

    def place(name: str) -> Place:
        return Place("children", path, name)

    def one(data: bytes) -> None:
        which, body = (data[0] % 8 if data else 0), data[1:]
        path.write_bytes(body)
        try:
            if which == 0:
                clean(read_csv(place("x.csv")), layers()["children"], "x.csv")
            elif which == 1:
                clean(read_geojson(place("x.geojson")), layers()["children"], "x.geojson")
            elif which == 2:
                _read_dbf(place("x.shp"), path, "", "")
            elif which == 3:
                shapes_sound(path, path)
            elif which == 4:
                pbf_blocks(path)
            elif which == 5:
                refuse_doctype(io.BytesIO(body))
            elif which == 6:
                read_manifest(path)
            else:
                text = body.decode("utf-8", "replace")
                bad_name(text)
                match_addresses(
                    [text], [Village("001", "东村", "甲镇"), Village("002", text[:5], "乙镇")]
                )
                parse_crs(text)
        except (CatchmentError, LayerError, UnsafeError):
            pass

    asked = ["-timeout=120", "-seed=1", "-rss_limit_mb=4000", "-max_len=4096", "-verbosity=1"]
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", *asked, str(_corpus(folder))],
        one,
    )
    atheris.Fuzz()


def _corpus(folder: Path) -> Path:
    """Write what the parsers accept: from nothing, coverage alone finds no format's first words."""
    found = folder / "corpus"
    found.mkdir()
    whole = folder / "whole"
    whole.mkdir()
    of_parser = (".csv", ".geojson", ".dbf", ".shp", ".osm.pbf", ".osm", ".toml")
    for place in seeds(whole).values():
        for path in sorted(p for p in place.iterdir() if p.is_file()):
            for which, end in enumerate(of_parser):
                if path.name.endswith(end) and path.stat().st_size < 4096:
                    name = f"{which}-{place.name}-{path.name}"
                    (found / name).write_bytes(bytes([which]) + path.read_bytes())
    for k, text in enumerate(("甲镇东村3组", "EPSG:4490", "CGCS2000 3度带 35", "..\\con.csv")):
        (found / f"7-{k}").write_bytes(bytes([7]) + text.encode())
    return found


def main() -> int:
    """Run and print a table; exit 1 when a promise was broken."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=60.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--first", type=int, default=0, help="number of the first file")
    words.add_argument("--atheris", type=int, default=0, metavar="SECONDS")
    words.add_argument("--worker", nargs=3, type=int, help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.worker:
        work(*asked.worker)
        return 0
    if asked.atheris:
        guided(asked.atheris)
        return 0
    counts, wrong, slowest = watch(asked.seed, asked.seconds, asked.first)
    print(
        f"seed {asked.seed}: {sum(counts.values())} files, at most {slowest:.1f} processor s each"
    )
    for (kind, said), count in sorted(counts.items()):
        print(f"{kind:8} {count:7} {said}")
    for line in wrong:
        print(line)
    print(f"broken promises: {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
