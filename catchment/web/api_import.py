"""Operations that take a county in: checked like any other, shown, then accepted."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import threading
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from catchment.errors import CatchmentError, InputError
from catchment.region.read import read_region
from catchment.web import shapes as s
from catchment.web.bench import Bench, open_county
from catchment.web.languages import halves
from catchment.web.operations import Call, Operation, Reply, Strict, packed, said
from catchment.web.people import can
from catchment.web.store import MissingError
from catchment.web.uploads import MOST_FILES, take
from catchment.web.workers import ask_once

Plain = dict[str, Any]
_SECONDS = 180.0
_TOKEN = re.compile(r"[0-9a-f]{24}")


class Accepted(Strict):
    """How a county that was sent in is accepted."""

    set_aside: bool = False
    why: Annotated[str, Field(max_length=1000)] = ""


class Imports:
    """Uploads, one at a time.

    Parameters
    ----------
    bench : Bench
        The bench.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._one = threading.Lock()

    async def receive(self, request: Request) -> Response:
        """Take files in and say what is wrong with them.

        Parameters
        ----------
        request : Request
            ``multipart/form-data`` with the field ``files``.

        Returns
        -------
        Response
            Problems for map and table.
        """
        held = request.scope["catchment"]["who"] or ("", "")
        if "edit" not in can(held[1]):
            return said(403, "role", "您的角色不能导入", "your role may not import")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "multipart/form-data":
            return said(415, "media", "请以 multipart/form-data 发送", "send multipart/form-data")
        if not self._one.acquire(blocking=False):
            zh, en = "另一次导入正在进行，请稍候", "another import is going on"
            return said(503, "busy", zh, en, headers={"retry-after": "5"})
        try:
            async with request.form(max_files=MOST_FILES, max_fields=20) as form:
                sent = [f for f in form.getlist("files") if isinstance(f, UploadFile)]
                return await anyio.to_thread.run_sync(self._take, sent)
        except HTTPException as fault:
            if fault.status_code == 413:
                raise
            return said(400, "malformed", "上传内容不完整", "the upload is malformed", details=[str(fault.detail)[:200]])  # fmt: skip
        finally:
            self._one.release()

    def _take(self, sent: list[UploadFile]) -> Response:
        token = secrets.token_hex(12)
        folder = self.bench.files / f"import-{token}"
        folder.mkdir(parents=True)
        try:
            taken = take([(f.filename or "", f.file) for f in sent], folder)
            found = ask_once({"kind": "inspect", "folder": str(folder)}, _SECONDS)
        except CatchmentError as fault:
            shutil.rmtree(folder, ignore_errors=True)
            zh, en = halves(str(fault))
            return said(422, "refused", zh[:2000], en[:2000])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._sweep(folder)
        return Response(
            packed({"import": token, "skipped": list(taken.skipped), **found}),
            200,
            media_type="application/json",
        )

    def _sweep(self, newest: Path) -> None:
        """Keep the newest upload and the county in use; the others held homes of students."""
        for folder in self.bench.files.glob("import-*"):
            if folder not in (newest, self.bench.opened.folder):
                shutil.rmtree(folder, ignore_errors=True)


def accept(bench: Bench, call: Call) -> Reply:
    """Open the county that was sent in, in place of the one now open."""
    token = call.path["name"]
    folder = bench.files / f"import-{token}"
    if not _TOKEN.fullmatch(token) or not folder.is_dir():
        raise MissingError("没有导入 / no such import")
    old = bench.opened
    region = read_region(folder, set_aside=call.body.set_aside)
    if {b.band for b in region.bands} != {b.band for b in old.county.region.bands}:
        raise InputError(
            "新数据的学段与现有不同，请用新数据另开工作台 / the bands differ; open a workbench of its own"
        )
    opened = open_county(
        region, old.county.scenario, folder=folder, revision=old.revision + 1, lang=bench.lang,
        set_aside=call.body.set_aside,
    )  # fmt: skip
    bench.opened = opened
    setup = setup_of(bench)
    bench.checker.replace(setup)
    bench.jobs.replace(setup)
    remember(bench)
    bench.hub.tell("county", {"revision": opened.revision, "by": call.user})
    return Reply({"revision": opened.revision, "county": region.name})


def setup_of(bench: Bench) -> Plain:
    """Say what a worker opens.

    Parameters
    ----------
    bench : Bench
        The bench.

    Returns
    -------
    dict
        ``folder``, ``set_aside``, ``scenario``.
    """
    opened = bench.opened
    return {
        "folder": str(opened.folder),
        "set_aside": opened.set_aside,
        "scenario": opened.county.scenario.model_dump(mode="json", by_alias=True),
    }


def remember(bench: Bench) -> None:
    """Keep which county is open, so that a restart opens the same.

    Parameters
    ----------
    bench : Bench
        The bench.
    """
    opened = bench.opened
    name = opened.folder.name
    bench.store.set_meta(
        "county",
        json.dumps({"folder": name, "set_aside": opened.set_aside, "revision": opened.revision}),
    )


def remembered(store: Any, files: Path) -> tuple[Path, bool, int] | None:
    """Find the county that was accepted last.

    Parameters
    ----------
    store : Store
        The state file.
    files : Path
        Folder of uploads.

    Returns
    -------
    (Path, bool, int) or None
        Folder, whether rows are set aside, revision; None where none was accepted.
    """
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found = json.loads(store.meta("county") or "")
        folder = files / str(found["folder"])
        if folder.is_dir():
            return folder, bool(found["set_aside"]), int(found["revision"])
    return None


OPERATIONS = (
    Operation("POST", "/api/import/{name}/accept", "accept_import", "启用导入的数据 / accept", accept,
              "edit", Accepted,
              answers={200: s.thing({"revision": s.WHOLE, "county": s.TEXT})},
              refusals=(404, 422), heavy=True),
)  # fmt: skip
"""Operations of this room."""
