"""What a worker does with one task, wherever it runs; done twice it gives the same bytes.

A file ``started`` marks a task in work. It is gone when the task has ended by itself, so what is
left of it tells that the process died: a county that kills its workers is found out by that, on
this machine and on a cluster alike.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from catchment.batch.border import border_table
from catchment.batch.exchange import write_exchange
from catchment.batch.joint import Joint, joint_question, recipe_beside
from catchment.batch.left import catchments_table
from catchment.batch.offers import seats_table, ways_table
from catchment.batch.tasks import Task
from catchment.errors import CatchmentError
from catchment.files import folder_beside, put_folder, write_bytes, write_text
from catchment.run import Run, execute, names_of_sites
from catchment.views.folder import write_record, write_run
from catchment.views.tables import frame_csv, write_tables

RESULT = "task.json"
_TIMING = ("timing.json", RESULT)
ALONE_AFTER = 2
"""After so many failures a task runs again only when nothing else does."""


def carry_out(
    plain: dict[str, Any], out: str, session: str, spoiled: int, attempts: int, *, alone: bool
) -> dict[str, Any]:
    """Carry out one task and put its folder in place in one step.

    Parameters
    ----------
    plain : dict
        The task (:meth:`catchment.batch.tasks.Task.plain`).
    out : str
        Folder of the batch.
    session : str
        Name of this session of the batch; marks of other sessions do not count.
    spoiled : int
        Failures in earlier sessions.
    attempts : int
        Failures after which the task is quarantined.
    alone : bool
        Whether nothing else is running.

    Returns
    -------
    dict
        ``name``, ``state`` (``done``, ``refused``, ``failed``, ``suspect``, ``quarantined``),
        ``spoiled``, ``output`` (digest) and ``said`` (why it failed).
    """
    task = Task(**plain)
    place = Path(out) / "counties" / task.name
    marks = Path(out) / "attempts" / task.name
    marks.mkdir(parents=True, exist_ok=True)
    before = spoiled + len(list(marks.glob(f"{session}-*")))
    answer: dict[str, Any] = {"name": task.name, "spoiled": before, "output": "", "said": ""}
    ready = finished(place, task.digest)
    if ready is not None:
        return answer | {"state": "done", "output": ready}
    if before >= attempts:
        return answer | {"state": "quarantined", "said": _last_words(marks)}
    if before >= ALONE_AFTER and not alone:
        return answer | {"state": "suspect", "said": _last_words(marks)}
    mark = marks / f"{session}-{uuid.uuid4().hex}"
    mark.write_text("started", encoding="utf-8")
    try:
        with folder_beside(place) as beside:
            run = execute(Path(task.recipe), set_aside=task.set_aside)
            write_results(run, task, beside)
            output = digest_of(beside)
            facts = {"name": task.name, "input": task.digest, "output": output}
            write_bytes(beside / RESULT, json.dumps(facts, ensure_ascii=False).encode())
            put_folder(beside, place)
    except CatchmentError as fault:
        # The data or the recipe is at fault: trying again would change nothing.
        mark.unlink()
        if isinstance(fault, OSError):
            return _failed(answer, mark, fault)
        return answer | {"state": "refused", "said": str(fault)}
    except Exception as fault:  # whatever it is, it is an attempt and must not end the batch
        return _failed(answer, mark, fault)
    shutil.rmtree(marks, ignore_errors=True)
    return answer | {"state": "done", "output": output}


def _failed(answer: dict[str, Any], mark: Path, fault: Exception) -> dict[str, Any]:
    said = f"{type(fault).__name__}: {fault}"
    mark.write_text(said, encoding="utf-8", errors="backslashreplace")
    return answer | {"state": "failed", "said": said, "spoiled": answer["spoiled"] + 1}


def _last_words(marks: Path) -> str:
    found = sorted(p.read_text(encoding="utf-8") for p in marks.iterdir())
    words = [text for text in found if text != "started"]
    died = "工作进程在计算中被终止 / the worker died while computing"
    return words[-1] if words else died


def finished(place: Path, digest: str) -> str | None:
    """Digest of a folder that already holds the results of this very input.

    Parameters
    ----------
    place : Path
        Folder of a task.
    digest : str
        Digest of the input wanted.

    Returns
    -------
    str or None
        Digest of the output; None where there is no such folder or a file of it has changed.
    """
    try:
        facts = json.loads((place / RESULT).read_text(encoding="utf-8"))
        if facts["input"] == digest and facts["output"] == digest_of(place):
            return str(facts["output"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and bytes of all files of a folder, but those that tell time.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    str
        Hexadecimal digest.
    """
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in _TIMING):
        found.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def write_results(run: Run, task: Task, folder: Path) -> None:
    """Write what a batch keeps of a run.

    Parameters
    ----------
    run : Run
        The run.
    task : Task
        Its task; ``full`` asks for maps and documents too.
    folder : Path
        Folder to make.
    """
    folder.mkdir(parents=True)
    if task.full:
        write_run(run, folder, lang=task.lang, set_aside=task.set_aside)
    else:
        write_tables(run, folder)
        write_record(run, folder)
    if task.reach_km:
        write_border(run, task, folder)
    villages_of(run, task).to_parquet(folder / "villages.parquet", index=False)


def write_border(run: Run, task: Task, folder: Path) -> None:
    """Write what concerns the neighbours: nearer schools there, ways for who is in need, seats.

    Parameters
    ----------
    run : Run
        The run.
    task : Task
        Its task, with neighbours and reach.
    folder : Path
        Its folder.
    """
    county = task.name.split("/")[0]
    joints: dict[str, Joint] = {}
    refused: list[tuple[str, str]] = []
    for name, place in task.neighbours:
        beside = recipe_beside(Path(task.recipe), Path(place))
        try:
            joint = joint_question(
                run, Path(place), task.reach_km, recipe=beside, set_aside=task.set_aside
            )
        except CatchmentError as fault:
            refused.append((name, str(fault).splitlines()[0]))
            continue
        if joint is not None:
            joints[name] = joint
    border = border_table(run, county, joints.values(), refused)
    write_text(folder / "border.csv", frame_csv(border))
    ways = ways_table(run, county, joints)
    write_exchange(ways, folder / "ways.parquet")
    write_exchange(catchments_table(run, county, ways), folder / "catchments.parquet")
    write_exchange(seats_table(run, county), folder / "seats.parquet")


def villages_of(run: Run, task: Task) -> gpd.GeoDataFrame:
    """One row a village, band and year, with the village's public point in degrees.

    Parameters
    ----------
    run : Run
        The run.
    task : Task
        Its task.

    Returns
    -------
    GeoDataFrame
        ``county, recipe, county_name, township, village_id, village, band, year, students,
        school_today, school, minutes_today, minutes, over_limit, geometry`` (EPSG:4490).
    """
    problem, plan, base = run.problem, run.plan, run.problem_of("today")
    names = names_of_sites(run.region)
    village = run.region.villages.set_index(run.region.villages["village_id"].astype(str))
    points = village.geometry.to_crs("EPSG:4490")
    demand = problem.demand()
    rows: list[dict[str, Any]] = []
    for i, (v, b) in enumerate(zip(problem.group_village, problem.group_band, strict=True)):
        code = problem.village_ids[v]
        for t, year in enumerate(problem.years):
            now, then = int(run.today.site_of[i, t]), int(plan.site_of[i, t])
            minutes = float(problem.minutes[problem.network[t], i, then]) if then >= 0 else np.nan
            before = float(base.minutes[base.network[t], i, now]) if now >= 0 else np.nan
            rows.append(
                {
                    "county": task.name.split("/")[0],
                    "recipe": task.name.split("/")[-1],
                    "county_name": run.region.name,
                    "township": str(village.at[code, "township"]),
                    "village_id": code,
                    "village": str(village.at[code, "name"]),
                    "band": problem.bands[b],
                    "year": int(year),
                    "students": int(demand[i, t]),
                    "school_today": names.get(problem.site_ids[now], "") if now >= 0 else "",
                    "school": names.get(problem.site_ids[then], "") if then >= 0 else "",
                    "minutes_today": round(before, 1),
                    "minutes": round(minutes, 1),
                    "over_limit": bool(minutes > float(problem.trip_limit[b])),
                    "geometry": points.at[code],
                }
            )
    table = pd.DataFrame(rows)
    return gpd.GeoDataFrame(table, geometry="geometry", crs="EPSG:4490")
