"""Operations on jobs: the optimiser as a colleague, and all documents of a variant."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from catchment.errors import InputError
from catchment.views.plain import plain
from catchment.web import shapes as s
from catchment.web.api_variants import Why, told
from catchment.web.bench import Bench, reckon
from catchment.web.document import difference
from catchment.web.operations import Call, Operation, Reply, Strict
from catchment.web.store import Change, MissingError

Plain = dict[str, Any]
Code = Annotated[str, Field(min_length=1, max_length=100)]

_TYPES = {
    ".html": "text/html; charset=utf-8", ".csv": "text/csv; charset=utf-8",
    ".json": "application/json", ".txt": "text/plain; charset=utf-8",
    ".toml": "application/toml; charset=utf-8", ".gpkg": "application/geopackage+sqlite3",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}  # fmt: skip


class Asked(Strict):
    """A job wanted."""

    kind: Literal["finish", "three", "price", "assign", "documents"]
    variant: Annotated[int, Field(ge=1, le=10**12)]
    keep: Annotated[tuple[Code, ...], Field(max_length=2000)] = ()
    areas: bool = False
    build: bool = False
    reopen: bool = False
    school: Code | None = None
    seconds: Annotated[float, Field(ge=1, le=600)] = 45.0
    lang: Literal["zh", "en"] = "zh"
    why: Why = ""


def add(bench: Bench, call: Call) -> Reply:
    """Give the worker a job."""
    body = call.body
    kept = bench.store.variant(body.variant)
    document, _ = reckon(bench, kept["document"], None)
    known = bench.opened.county.codes
    own = {a.site for a in document.actions if a.do == "build"}
    wrong = [
        c for c in (*body.keep, *([body.school] if body.school else [])) if c not in known | own
    ]
    if wrong:
        raise InputError(
            f"没有学校 {'、'.join(wrong[:5])} / no such school: {', '.join(wrong[:5])}"
        )
    if body.kind == "price" and body.school is None:
        raise InputError("请给出学校代码 school / name the school whose keeping is priced")
    task: Plain = {
        "kind": body.kind, "document": document.values(), "keep": list(body.keep),
        "areas": body.areas, "build": body.build, "reopen": body.reopen,
        "seconds": body.seconds, "school": body.school, "lang": body.lang, "why": body.why,
    }  # fmt: skip
    if body.kind == "documents":
        task["folder"] = str(bench.files / f"documents-{kept['id']}-{kept['version']}-{body.lang}")
    about = {
        "variant": kept["id"], "version": kept["version"], "seconds": body.seconds,
        "folder": Path(task["folder"]).name if "folder" in task else None,
        "county": bench.opened.revision, "why": plain(body.why, longest=1000),
    }  # fmt: skip
    return Reply(shown(bench.jobs.add(body.kind, call.user, task, about)), 202)


def finished(bench: Bench, job: Plain, result: Plain) -> Plain:
    """Keep what a worker found: plans become variants.

    Parameters
    ----------
    bench : Bench
        The bench.
    job : dict
        The job.
    result : dict
        As the worker gives it.

    Returns
    -------
    dict
        What is kept of it.
    """
    made = []
    if result.get("documents") and job.get("county") != bench.opened.revision:
        raise InputError("县域数据已更换，结果作废 / the county was replaced; the result is void")
    for values in result.get("documents", ()):
        document, _ = reckon(bench, values, None)
        try:
            base = bench.store.variant(job["variant"])["document"]
        except MissingError:
            base = None
        lines = difference(bench.opened.county, base, document.values())
        change = Change(job["by"], job.get("why", ""), "job", lines)
        kept = bench.store.create(document.values(), change, f"job {job['id']}")
        told(bench, kept, change)
        made.append(kept["id"])
    out: Plain = {k: result[k] for k in ("prices", "figures", "saved", "violations") if k in result}
    if "files" in result:
        place = f"/api/jobs/{job['id']}/files/"
        out["files"] = [{**f, "href": place + f["name"]} for f in result["files"]]
        out["zip"] = f"/api/jobs/{job['id']}/files.zip"
    return {"variants": made, **out}


def shown(job: Plain) -> Plain:
    """Job as it is shown.

    Parameters
    ----------
    job : dict
        As kept.

    Returns
    -------
    dict
        Without what concerns the server alone.
    """
    return {k: v for k, v in job.items() if k not in ("folder", "county")}


def jobs(bench: Bench, call: Call) -> Reply:
    """List jobs."""
    return Reply({"jobs": [shown(j) for j in bench.jobs.jobs()]})


def job(bench: Bench, call: Call) -> Reply:
    """One job."""
    return Reply(shown(bench.jobs.job(call.path["id"])))


def stop(bench: Bench, call: Call) -> Reply:
    """Stop a job."""
    return Reply(shown(bench.jobs.stop(call.path["id"])))


def _files(bench: Bench, ident: int) -> list[Path]:
    held = bench.store.job(ident)
    names = [f["name"] for f in (held.get("result") or {}).get("files", ())]
    folder = bench.files / str(held.get("folder") or "-")
    # Names come from the state file, never from the address.
    return [folder / n for n in names if (folder / n).is_file()]


def one_file(bench: Bench, call: Call) -> Reply:
    """One document."""
    for path in _files(bench, call.path["id"]):
        if path.name == call.path["name"]:
            # Nothing of a document is run here: it is handed over as a file.
            headers = {"content-disposition": f'attachment; filename="{path.name}"'}
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            return Reply(path.read_bytes(), 200, headers, kind)
    raise MissingError("没有文件 / no such file")


def all_files(bench: Bench, call: Call) -> Reply:
    """Return all documents in one archive."""
    paths = _files(bench, call.path["id"])
    if not paths:
        raise MissingError("没有文件 / there are no files")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    headers = {"content-disposition": f'attachment; filename="documents-{call.path["id"]}.zip"'}
    return Reply(out.getvalue(), 200, headers, "application/zip")


_J = "/api/jobs/{id}"
OPERATIONS = (
    Operation("POST", "/api/jobs", "add_job", "交给求解器 / give the worker a job", add, "edit", Asked,
              answers={202: s.JOB}, refusals=(404, 422, 503), heavy=True),
    Operation("GET", "/api/jobs", "jobs", "任务列表 / jobs", jobs,
              answers={200: s.thing({"jobs": s.listed(s.JOB)})}),
    Operation("GET", _J, "job", "任务状态 / one job", job, answers={200: s.JOB}, refusals=(404,)),
    Operation("POST", _J + "/stop", "stop_job", "停止任务 / stop a job", stop, "edit",
              answers={200: s.JOB}, refusals=(404,)),
    Operation("GET", _J + "/files/{name}", "job_file", "下载文件 / one document", one_file,
              answers={200: {}}, refusals=(404,), media="application/octet-stream"),
    Operation("GET", _J + "/files.zip", "job_files", "下载全部文件 / all documents", all_files,
              answers={200: {}}, refusals=(404,), media="application/zip"),
)  # fmt: skip
"""Operations of this room."""
