"""The document of a variant: what is saved, as a recipe, in words, as TOML."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catchment.english import counted
from catchment.errors import InputError
from catchment.run import names_of_sites
from catchment.scenario import (
    Action,
    Catchments,
    Consolidation,
    Method,
    Scenario,
    county_of,
    identify,
    parse_scenario,
)
from catchment.views.decisions import write_recipe
from catchment.views.plain import plain
from catchment.web.ground import OpenCounty

Minutes = Annotated[float, Field(ge=5, le=240)]
_KM_A_DEGREE = 111.2
_OUTLYING_KM = 20.0
"""No rule says how far: children of a neighbouring county live nearer, mistyped degrees lie farther."""

_DO_ZH = {
    "keep": "保留", "downgrade": "改教学点", "merge": "撤并", "expand": "扩建", "build": "新建",
    "reopen": "恢复", "road": "道路", "move": "调整学区",
}  # fmt: skip
_DO_EN = {
    "keep": "keep", "downgrade": "teaching point", "merge": "merge", "expand": "expand",
    "build": "build", "reopen": "reopen", "road": "road", "move": "move villages",
}  # fmt: skip


class Document(BaseModel):
    """What is saved of a variant.

    Attributes
    ----------
    name, note : str
        Name and note.
    actions : tuple of Action
        Actions of a recipe.
    years : tuple of int or None
        School years; those of the county's recipe when left out.
    method : Method or None
        Method; that of the county's recipe, villages staying, when left out.
    class_size : int or None
        Target of smaller classes.
    limits : dict of str to float
        Minutes one way by band.
    catchments : Catchments or None
        What is added to the catchments; that of the county's recipe when left out.
    consolidation : Consolidation or None
        What plans of the optimiser have to keep; that of the county's recipe when left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(min_length=1, max_length=200)
    note: str = Field(default="", max_length=2000)
    actions: tuple[Action, ...] = Field(default=(), max_length=2000)
    years: tuple[Annotated[int, Field(ge=1990, le=2100)], ...] | None = Field(
        default=None, min_length=1, max_length=30
    )
    method: Method | None = None
    class_size: int | None = Field(default=None, ge=10, le=60)
    limits: dict[str, Minutes] = Field(default={}, max_length=20)
    catchments: Catchments | None = None
    consolidation: Consolidation | None = None

    def values(self) -> dict[str, Any]:
        """Plain values, as they are saved and sent.

        Returns
        -------
        dict
            What JSON can hold; what is left out is not in it.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def scenario_of(county: OpenCounty, document: Document) -> Scenario:
    """Recipe of a document.

    Parameters
    ----------
    county : OpenCounty
        The county.
    document : Document
        The document.

    Returns
    -------
    Scenario
        Ids and years everywhere; not yet carried out.

    Raises
    ------
    InputError
        When the recipe cannot be on this county.
    """
    own = county.scenario
    staying = {"assignment": "today", "start": None}
    method = document.method or own.method.model_copy(update=staying)
    consolidation = document.consolidation or own.consolidation
    if method.assignment == "capacity":
        raise InputError(
            "按学位划片（capacity）需要较长计算：请用“按学位分配”交给求解器，结果会作为新方案返回 / assignment within "
            "places takes longer: hand it to the optimiser as job `assign`; it comes back as a variant"
        )
    catchments = document.catchments or undrawn(own.catchments)
    values = {
        "name": document.name,
        "region": ".",
        "years": list(document.years or own.years),
        "action": [a.model_dump(mode="json", by_alias=True) for a in document.actions],
        "method": method.model_dump(mode="json"),
        "rules": own.rules.model_dump(mode="json"),
        "seed": own.seed,
        "class_size": document.class_size,
        "limits": dict(document.limits),
        "catchments": None if catchments is None else _plain(catchments),
        "consolidation": None if consolidation is None else _plain(consolidation),
        "publication": _plain(own.publication),
        "notice": _plain(own.notice),
        "effort": own.effort,
        "time_limit": own.time_limit,
    }
    return _identified(county, parse_scenario(values, plain(document.name) or "variant"))


def _plain(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)


_DRAWN = (
    "size", "together", "apart", "never", "shared", "strict_limits", "border", "compactness",
)  # fmt: skip


def undrawn(wanted: Catchments | None) -> Catchments | None:
    """Leave out what only the method ``capacity`` knows, which is a job of its own here.

    Parameters
    ----------
    wanted : Catchments or None
        What a recipe adds to the catchments.

    Returns
    -------
    Catchments or None
        What holds whatever the method: who keeps the school, and how a ride counts.
    """
    if wanted is None:
        return None
    blank = Catchments()
    return wanted.model_copy(update={key: getattr(blank, key) for key in _DRAWN})


def refuse_outlying(county: OpenCounty, scenario: Scenario) -> None:
    """Refuse a new school far from every village and school: a slip of the hand or of a column.

    Parameters
    ----------
    county : OpenCounty
        The county.
    scenario : Scenario
        The recipe.

    Raises
    ------
    InputError
        When a school is placed more than 20 km outside the box of villages and schools.
    """
    west, south, east, north = county.bounds
    for action in scenario.actions:
        if action.do != "build" or action.at is None:
            continue
        lon, lat = action.at
        wide = _KM_A_DEGREE * math.cos(math.radians(min(abs(lat), 89.0)))
        across = max(west - lon, 0.0, lon - east) * wide
        along = max(south - lat, 0.0, lat - north) * _KM_A_DEGREE
        away = math.hypot(across, along)
        if away > _OUTLYING_KM:
            raise InputError(
                f"新校 {action.site}（{lon:.4f}, {lat:.4f}）在县域村庄与学校范围以外 {away:.0f} 千米；请核对坐标（先经度后"
                f"纬度）/ the new school {action.site} ({lon:.4f}, {lat:.4f}) lies {away:.0f} km outside the "
                "villages and schools of the county: check its coordinates (longitude first)"
            )


def _identified(county: OpenCounty, scenario: Scenario) -> Scenario:
    """Ids and years everywhere; nothing is looked up where they are there already."""
    known = county.codes
    built = {a.site for a in scenario.actions if a.do == "build"}
    for action in scenario.actions:
        named = [getattr(action, k, None) for k in ("school", "site", "into", "to")]
        villages = getattr(action, "villages", ())
        if (
            action.year is None
            or (action.do == "road")
            or any(n is not None and n not in known and n not in built for n in named)
            or not county.village_codes.issuperset(villages)
        ):
            return identify(scenario, county_of(scenario, county.region))
    into = [(a.school, a.into) for a in scenario.actions if a.do == "merge" and a.into]
    if {s for s, _ in into} & {t for _, t in into}:
        return identify(scenario, county_of(scenario, county.region))
    ordered = sorted(scenario.actions, key=lambda a: a.year or 0)
    return scenario.replace(actions=tuple(ordered))


def settled(document: Document, scenario: Scenario) -> Document:
    """Return the document with ids and years everywhere, as its recipe has them.

    Parameters
    ----------
    document : Document
        As sent.
    scenario : Scenario
        Its recipe.

    Returns
    -------
    Document
        As saved.
    """
    return document.model_copy(
        update={
            "name": plain(document.name, longest=200) or "方案",
            "note": plain(document.note, longest=2000),
            "actions": scenario.actions,
            "years": scenario.years,
        }
    )


def digest_of(scenario: Scenario) -> str:
    """Digest of all that an answer depends on.

    Parameters
    ----------
    scenario : Scenario
        The recipe.

    Returns
    -------
    str
        Hexadecimal; the name does not enter, the reasons of actions do: findings quote them.
    """
    values = scenario.model_dump(mode="json", by_alias=True, exclude={"name", "region"})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def parse_document(values: Any) -> Document:
    """Read a document.

    Parameters
    ----------
    values : object
        Plain values.

    Returns
    -------
    Document
        The document.

    Raises
    ------
    InputError
        Naming key and value.
    """
    try:
        return Document.model_validate(values)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise InputError(
            f"方案 {where}：{first['msg']} / document {where}: {first['msg']}"
        ) from fault


def toml_of(county: OpenCounty, document: Document) -> str:
    """Write a document as a recipe.

    Parameters
    ----------
    county : OpenCounty
        The county.
    document : Document
        The document.

    Returns
    -------
    str
        TOML that ``catchment run`` takes; ``region`` is the recipe's own folder.
    """
    scenario = scenario_of(county, document)
    base = scenario.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"actions"})
    base.pop("action", None)
    for key in ("limits", "catchments", "consolidation", "publication", "notice"):
        if not base.get(key):
            base.pop(key, None)
    listed = [a.model_dump(mode="json", by_alias=True, exclude_none=True) for a in scenario.actions]
    with tempfile.TemporaryDirectory() as folder:
        path = write_recipe(base, listed, Path(folder) / "scenario.toml")
        text = path.read_text(encoding="utf-8")
    note = plain(document.note, longest=2000)
    return f"# {note}\n{text}" if note else text


def document_of_toml(county: OpenCounty, text: str, name: str | None = None) -> Document:
    """Read a recipe as a document.

    Parameters
    ----------
    county : OpenCounty
        The county.
    text : str
        TOML.
    name : str, optional
        Another name.

    Returns
    -------
    Document
        Villages assigned by ``capacity`` start as they go today: that method is a job.

    Raises
    ------
    InputError
        When it is no recipe.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise InputError(f"不是有效的 TOML：{fault} / not valid TOML: {fault}") from fault
    scenario = parse_scenario(values)
    method = scenario.method
    if method.assignment == "capacity":
        method = method.model_copy(update={"assignment": "today"})
    return Document(
        name=plain(name or scenario.name, longest=200) or "方案",
        actions=scenario.actions,
        years=scenario.years,
        method=method,
        class_size=scenario.class_size,
        limits=scenario.limits,
        catchments=undrawn(scenario.catchments),
        consolidation=scenario.consolidation,
    )


def difference(
    county: OpenCounty, old: Mapping[str, Any] | None, new: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Say what changed from one document to the next.

    Parameters
    ----------
    county : OpenCounty
        The county, for names.
    old, new : mapping
        Plain values of the documents.

    Returns
    -------
    dict
        ``zh`` and ``en``: lines, at most 30 of each.
    """
    names = names_of_sites(county.region)
    before = {_key(a): a for a in (old or {}).get("actions", ())}
    after = {_key(a): a for a in new.get("actions", ())}
    zh: list[str] = []
    en: list[str] = []
    for key, action in after.items():
        if key not in before:
            say = _words(action, names)
            zh.append(say[0])
            en.append(say[1])
    for key, action in before.items():
        if key not in after:
            say = _words(action, names)
            zh.append(f"取消 {say[0]}")
            en.append(f"no more: {say[1]}")
    for key, word_zh, word_en in (
        ("name", "名称", "name"), ("note", "备注", "note"), ("class_size", "班额", "class size"),
        ("limits", "时限", "limits"), ("method", "分配办法", "method"), ("years", "年份", "years"),
        ("catchments", "学区要求", "catchments"), ("consolidation", "撤并要求", "consolidation"),
    ):  # fmt: skip
        if old is not None and (old.get(key) or None) != (new.get(key) or None):
            shown = plain(json.dumps(new.get(key), ensure_ascii=False), longest=80)
            zh.append(f"{word_zh}：{shown}")
            en.append(f"{word_en}: {shown}")
    return {"zh": _short(zh, "项"), "en": _short(en, "more")}


def _short(lines: list[str], word: str, most: int = 30) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"… +{len(lines) - most} {word}"]


def _key(action: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in action.items() if k != "reason"}, sort_keys=True)


def _words(action: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str]:
    do = str(action.get("do", ""))
    code = str(action.get("school") or action.get("site") or action.get("to") or "")
    name = plain(names.get(code) or action.get("name") or code, longest=60)
    if do == "road":
        name = "修路" if action.get("road") == "new" else "断路"
    tail = f"（{action.get('year')}）"
    zh, en = f"{_DO_ZH.get(do, do)}：{name}", f"{_DO_EN.get(do, do)}: {name}"
    if action.get("into"):
        into = plain(names.get(str(action["into"])) or action["into"], longest=60)
        zh, en = f"{zh} → {into}", f"{en} → {into}"
    if do == "move":
        zh, en = (
            f"{zh}，{len(action['villages'])} 个村",
            f"{en}, {counted(len(action['villages']), 'village')}",
        )
    if action.get("rooms"):
        zh, en = f"{zh} {action['rooms']} 间", f"{en}, {counted(action['rooms'], 'room')}"
    return zh + tail, f"{en} ({action.get('year')})"
