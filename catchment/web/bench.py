"""What the server holds while it runs: the county now open, its state file, who is told what."""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError
from catchment.region.model import Region
from catchment.run import run_scenario
from catchment.scenario import Scenario
from catchment.views.payload import map_payload
from catchment.web.answer import Reckoner, answer
from catchment.web.document import Document, parse_document, scenario_of, settled, undrawn
from catchment.web.events import Hub
from catchment.web.ground import OpenCounty
from catchment.web.people import People
from catchment.web.store import Store
from catchment.web.workers import Checker, Jobs

Plain = dict[str, Any]


@dataclass(frozen=True)
class Opened:
    """A county as it is open now; replaced as a whole when another is accepted.

    Attributes
    ----------
    county : OpenCounty
        The county.
    reckoner : Reckoner
        Plans of variants.
    payload : bytes
        What the page draws from, JSON packed by gzip.
    tag : str
        Digest of it.
    revision : int
        How many counties have been opened before, and this one.
    folder : Path
        Where it was read from.
    set_aside : bool
        Whether rows in error were set aside.
    """

    county: OpenCounty
    reckoner: Reckoner
    payload: bytes
    tag: str
    revision: int
    folder: Path
    set_aside: bool


@dataclass
class Bench:
    """Everything that requests work with.

    Attributes
    ----------
    opened : Opened
        The county.
    store : Store
        Its state file.
    people : People
        Sessions and users.
    hub : Hub
        News.
    checker : Checker
        Full checks, in a process of its own.
    jobs : Jobs
        The optimiser and the documents, in a process of their own.
    boot : str
        Name of this run of the server.
    lang : str
        Language pages open in.
    files : Path
        Folder of uploads and documents.
    """

    opened: Opened
    store: Store
    people: People
    hub: Hub
    checker: Checker
    jobs: Jobs
    lang: str
    files: Path
    boot: str = ""

    def __post_init__(self) -> None:
        self.boot = self.boot or secrets.token_hex(8)


def open_county(
    region: Region, scenario: Scenario, *, folder: Path, revision: int = 1, lang: str = "zh",
    set_aside: bool = False,
) -> Opened:  # fmt: skip
    """Open a county: today's run, and what the page draws from.

    Parameters
    ----------
    region : Region
        The county as read.
    scenario : Scenario
        Recipe that variants start from; its actions are not taken.
    folder : Path
        Where it was read from.
    revision : int
        Number of this opening.
    lang : {"zh", "en"}
        Language the page opens in.
    set_aside : bool
        Whether rows in error were set aside.

    Returns
    -------
    Opened
        The county, open.
    """
    bare = scenario.replace(
        actions=(), class_size=None, limits={}, catchments=undrawn(scenario.catchments),
        method=scenario.method.model_copy(update={"assignment": "today", "start": None}),
    )  # fmt: skip
    county = OpenCounty(region, bare)
    run = run_scenario(bare, region)
    payload = map_payload(run, lang=lang)
    payload["workbench"] = {
        "revision": revision,
        "road_classes": sorted({c for c in county.network.classes if c}),
        "limits": {
            b.band: {"default": b.trip_limit_min, "min": 5, "max": 240} for b in region.bands
        },
        "class_size": {
            "default": max(b.class_size for b in region.bands), "min": 10, "max": 60,
            "by_band": {b.band: b.class_size for b in region.bands},
        },
        "methods": ["today", "nearest"],
        "stages": list(bare.method.stages),
        "stay_minutes": bare.method.stay_minutes,
        "candidates": _candidates(county, run.problem.site_ids),
    }  # fmt: skip
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)
    reckoner = Reckoner(county)
    reckoner.reckon(scenario_of(county, Document(name="today")))
    return Opened(
        county=county,
        reckoner=reckoner,
        payload=packed,
        tag=hashlib.sha256(packed).hexdigest()[:24],
        revision=revision,
        folder=folder,
        set_aside=set_aside,
    )


def _candidates(county: OpenCounty, site_ids: tuple[str, ...]) -> list[Plain]:
    """List the candidate sites: position, most classrooms, grades."""
    table = county.region.sites
    if not len(table):
        return []
    place = {s: j for j, s in enumerate(site_ids)}
    out = []
    for row in table.drop(columns="geometry").to_dict("records"):
        most = row.get("rooms_max")
        out.append(
            {
                "site": place[str(row["site_id"])],
                "rooms_max": int(most) if most is not None and most == most else None,
                "grades": [int(row["grade_from"]), int(row["grade_to"])],
            }
        )
    return out


def reckon(bench: Bench, values: Any, year: int | None) -> tuple[Document, Plain]:
    """Settle a document on the county and answer it.

    Parameters
    ----------
    bench : Bench
        The bench.
    values : object
        Document, or its plain values.
    year : int, optional
        Year of the figures.

    Returns
    -------
    document : Document
        Ids and years everywhere.
    found : dict
        The quick answer.

    Raises
    ------
    InputError
        When the recipe cannot be carried out.
    """
    opened = bench.opened
    document = values if isinstance(values, Document) else parse_document(values)
    scenario = scenario_of(opened.county, document)
    found = opened.reckoner.reckon(scenario)
    return settled(document, scenario), answer(opened.county, found, year)


def readable(bench: Bench, values: Any) -> str:
    """Say whether a saved document can still be carried out on the county now open.

    Parameters
    ----------
    bench : Bench
        The bench.
    values : object
        Plain values of the document.

    Returns
    -------
    str
        Empty, or what stands against it.
    """
    try:
        county = bench.opened.county
        bench.opened.reckoner.reckon(scenario_of(county, parse_document(values)))
    except CatchmentError as fault:
        return str(fault)
    return ""
