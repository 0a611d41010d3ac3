"""Operations that take a county in: checked like any other, shown, then accepted."""

from __future__ import annotations

import contextlib
import hashlib
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
from catchment.views.plain import plain
from catchment.web import shapes as s
from catchment.web.bench import Bench, Opened, open_county
from catchment.web.languages import halves
from catchment.web.operations import Call, Operation, Reply, Strict, packed, said
from catchment.web.people import can
from catchment.web.store import Change, MissingError
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
    change, document = _told_of(old, opened, call)
    # On disk first: what is opened without a trace would be gone after a restart.
    # Whoever may not reopen a variant may not do so by the way round of an import.
    withdrawn = bench.store.replace_county(
        change, document, _note(opened), opened.revision, withdraw="approve" in can(call.role)
    )
    bench.opened = opened
    setup = setup_of(bench)
    bench.checker.replace(setup)
    bench.jobs.replace(setup)
    bench.hub.tell("county", {"revision": opened.revision, "by": call.user, "withdrawn": withdrawn})
    return Reply({"revision": opened.revision, "county": region.name, "withdrawn": withdrawn})


def _told_of(old: Opened, new: Opened, call: Call) -> tuple[Change, Plain]:
    """Word the replacing of a county, with the digests of both."""
    before, after = _files_digest(old), _files_digest(new)
    aside = (["出错的行已搁置"], ["rows in error were set aside"]) if new.set_aside else ([], [])
    zh = f"县域数据更换：第 {old.revision} 份 {before[:12]} → 第 {new.revision} 份 {after[:12]}"
    en = f"county replaced: no. {old.revision} {before[:12]} → no. {new.revision} {after[:12]}"
    words = {"zh": [zh, *aside[0]], "en": [en, *aside[1]]}
    why = plain(call.body.why, longest=1000)
    document = {"name": new.county.region.name, "before": before, "after": after}
    return Change(call.user, why, "import", words), document


def _files_digest(opened: Opened) -> str:
    """Digest the files a county was read from."""
    files = sorted((f.layer, f.file, f.sha256) for f in opened.county.region.sources)
    return hashlib.sha256(json.dumps([files, opened.set_aside]).encode()).hexdigest()


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


def _note(opened: Opened) -> str:
    """Say which county is open, so that a restart opens the same."""
    name = opened.folder.name
    return json.dumps({"folder": name, "set_aside": opened.set_aside, "revision": opened.revision})


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
              answers={200: s.thing({"revision": s.WHOLE, "county": s.TEXT,
                                    "withdrawn": s.listed(s.WHOLE)})},
              refusals=(404, 409, 422), heavy=True),
)  # fmt: skip
"""Operations of this room."""
