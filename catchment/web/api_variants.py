"""Operations on the county, its variants and what follows from them."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from catchment.errors import InputError
from catchment.scenario import Scenario
from catchment.views.page import map_words
from catchment.views.plain import plain
from catchment.web import shapes as s
from catchment.web.answer import UNREACHED, Reckoned, answer, position_of
from catchment.web.bench import Bench, Opened, reckon
from catchment.web.document import (
    Document,
    difference,
    document_of_toml,
    parse_document,
    refuse_outlying,
    scenario_of,
    settled,
    toml_of,
)
from catchment.web.operations import Call, Operation, Reply, Strict
from catchment.web.store import Change
from catchment.web.tasks import proof_of

Plain = dict[str, Any]
Year = Annotated[int, Field(ge=1990, le=2100)]
Version = Annotated[int, Field(ge=1, le=10**12)]
Why = Annotated[str, Field(max_length=1000)]
Ask = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{0,64}$")]


class OfYear(Strict):
    """Query of an answer."""

    year: Year | None = None
    version: Version | None = None


class OfVersion(Strict):
    """Query of a variant or a check."""

    version: Version | None = None


class Since(Strict):
    """Query of the history."""

    after: Annotated[int, Field(ge=0, le=10**12)] = 0


class Listed(Strict):
    """Query of the list of variants."""

    deleted: bool = False


class Which(Strict):
    """Query of a comparison."""

    ids: Annotated[str, Field(pattern=r"^[0-9]{1,9}(,[0-9]{1,9}){0,5}$")]
    year: Year | None = None


class New(Strict):
    """A new variant."""

    document: Document
    why: Why = ""
    source: Annotated[int, Field(ge=1, le=10**12)] | None = Field(default=None, alias="from")
    year: Year | None = None
    answer: bool = True


class Saved(Strict):
    """A change of a variant."""

    expected: Version
    document: Document
    why: Why = ""
    year: Year | None = None
    answer: bool = True
    whole: bool = True
    ask: Ask = ""


class Step(Strict):
    """An undo or a redo."""

    expected: Version
    why: Why = ""
    year: Year | None = None
    answer: bool = True
    whole: bool = True
    ask: Ask = ""


class State(Strict):
    """An approval, its withdrawal, a variant put away or brought back."""

    expected: Version
    why: Why = ""


class Asked(Strict):
    """A document to be answered without being saved."""

    document: Document
    year: Year | None = None


class Whole(Strict):
    """A document to be checked without being saved."""

    document: Document


class Recipe(Strict):
    """A recipe sent in."""

    toml: Annotated[str, Field(max_length=150_000)]
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    why: Why = ""


def county(bench: Bench, call: Call) -> Reply:
    """Everything the page draws from."""
    opened = bench.opened
    tag = f'"{opened.tag}"'
    headers = {"etag": tag, "cache-control": "no-cache, private", "content-encoding": "gzip",
               "vary": "accept-encoding"}  # fmt: skip
    if call.request.headers.get("if-none-match") == tag:
        return Reply(b"", 304, {"etag": tag, "cache-control": "no-cache, private"})
    return Reply(opened.payload, 200, headers)


def words(bench: Bench, call: Call) -> Reply:
    """Words of the page and of the map."""
    both = map_words()
    table = {k: [both["zh"][k], both["en"].get(k, "")] for k in both["zh"]}
    return Reply({**table, **_own_words()})


@cache
def _own_words() -> dict[str, list[str]]:
    text = files("catchment.web").joinpath("words.csv").read_text(encoding="utf-8")
    return {row["key"]: [row["zh"], row["en"]] for row in csv.DictReader(text.splitlines())}


def variants(bench: Bench, call: Call) -> Reply:
    """List the variants."""
    return Reply({"variants": bench.store.variants(deleted=call.query.deleted)})


def variant(bench: Bench, call: Call) -> Reply:
    """One variant with its document."""
    return Reply(bench.store.variant(call.path["id"], call.query.version))


def _why(text: str) -> str:
    return plain(text, longest=1000)


def told(bench: Bench, kept: Plain, change: Change) -> None:
    """Tell everyone of a change, and have the variant checked.

    Parameters
    ----------
    bench : Bench
        The bench.
    kept : dict
        The variant as saved.
    change : Change
        What was done.
    """
    bench.hub.tell(
        "change",
        {
            "seq": bench.store.last(), "variant": kept["id"], "version": kept["version"],
            "by": change.by, "kind": change.kind, "words": change.words, "name": kept["name"],
            "state": kept["state"], "deleted": kept["deleted"],
        },
    )  # fmt: skip


def ask_check(bench: Bench, found: Reckoned, label: Plain | None) -> None:
    """Have a variant checked in full.

    Parameters
    ----------
    bench : Bench
        The bench.
    found : Reckoned
        The variant with its quick plan.
    label : dict or None
        ``variant`` and ``version``.
    """
    bench.checker.ask(
        found.digest,
        {
            "scenario": found.scenario.model_dump(mode="json", by_alias=True),
            "proof": proof_of(found.plan),
        },
        label,
    )


def _answered(bench: Bench, kept: Plain, year: int | None, *, whole: bool = True) -> Plain:
    """Answer a saved variant and ask for its check."""
    opened = bench.opened
    found = opened.reckoner.reckon(scenario_of(opened.county, parse_document(kept["document"])))
    years = found.scenario.years
    out = answer(opened.county, found, year if year in years else None, whole=whole)
    ask_check(bench, found, {"variant": kept["id"], "version": kept["version"]})
    return {"version": kept["version"], **out}


def _sound(opened: Opened, scenario: Scenario, *, answer: bool) -> None:
    """Refuse what cannot be carried out before it is saved."""
    refuse_outlying(opened.county, scenario)
    if answer:
        opened.reckoner.reckon(scenario)
    else:
        opened.reckoner.pose(scenario)


def create(bench: Bench, call: Call) -> Reply:
    """Add a variant."""
    opened = bench.opened
    scenario = scenario_of(opened.county, call.body.document)
    _sound(opened, scenario, answer=call.body.answer)
    document = settled(call.body.document, scenario)
    base = None
    if call.body.source is not None:
        base = bench.store.variant(call.body.source)["document"]
    change = Change(call.user, _why(call.body.why), "create", difference(opened.county, base, document.values()))  # fmt: skip
    source = f"variant {call.body.source}" if call.body.source is not None else None
    kept = bench.store.create(document.values(), change, source)
    told(bench, kept, change)
    found = _answered(bench, kept, call.body.year) if call.body.answer else None
    return Reply({"variant": kept, "answer": found}, 201)


def save(bench: Bench, call: Call) -> Reply:
    """Save a change; acknowledged means on disk."""
    opened, ident = bench.opened, call.path["id"]
    if (again := _again(bench, call)) is not None:
        return again
    before = bench.store.expect(ident, call.body.expected)["document"]
    scenario = scenario_of(opened.county, call.body.document)
    _sound(opened, scenario, answer=call.body.answer)
    document = settled(call.body.document, scenario)
    lines = difference(opened.county, before, document.values())
    change = Change(call.user, _why(call.body.why), "save", lines, call.body.ask)
    kept = bench.store.change(ident, call.body.expected, change, document.values())
    return _changed(bench, call, kept, change)


def _again(bench: Bench, call: Call) -> Reply | None:
    """Answer a request that was taken before as it would have been then: it is not done twice."""
    body = call.body
    kept = bench.store.taken(call.path["id"], call.user, body.ask) if body.ask else None
    if kept is None:
        return None
    found = _answered(bench, kept, body.year, whole=body.whole) if body.answer else None
    return Reply({"variant": kept, "answer": found})


def _changed(bench: Bench, call: Call, kept: Plain, change: Change) -> Reply:
    told(bench, kept, change)
    body = call.body
    found = _answered(bench, kept, body.year, whole=body.whole) if body.answer else None
    return Reply({"variant": kept, "answer": found})


def _stepped(bench: Bench, call: Call, kind: str, step: int) -> Reply:
    opened, ident = bench.opened, call.path["id"]
    if (again := _again(bench, call)) is not None:
        return again
    now = bench.store.expect(ident, call.body.expected)["document"]
    other = bench.store.neighbour(ident, step)
    if other is not None:
        # The county or its limits may be others than when that version was saved.
        _sound(opened, scenario_of(opened.county, parse_document(other)), answer=call.body.answer)
    lines = difference(opened.county, now, other or now)
    change = Change(call.user, _why(call.body.why), kind, lines, call.body.ask)
    kept = bench.store.change(ident, call.body.expected, change)
    return _changed(bench, call, kept, change)


def undo(bench: Bench, call: Call) -> Reply:
    """Take the last change back."""
    return _stepped(bench, call, "undo", -1)


def redo(bench: Bench, call: Call) -> Reply:
    """Make a change that was taken back once more."""
    return _stepped(bench, call, "redo", 1)


_STATES = {
    "approve": ("批准", "approved"), "reopen": ("退回草稿", "reopened"),
    "delete": ("删除", "put away"), "restore": ("恢复", "brought back"),
}  # fmt: skip


def _state(kind: str) -> Any:
    def act(bench: Bench, call: Call) -> Reply:
        zh, en = _STATES[kind]
        change = Change(call.user, _why(call.body.why), kind, {"zh": [zh], "en": [en]})
        kept = bench.store.change(call.path["id"], call.body.expected, change)
        told(bench, kept, change)
        return Reply(kept)

    return act


def history(bench: Bench, call: Call) -> Reply:
    """Say who changed what and why, one variant."""
    return Reply({"history": bench.store.history(call.path["id"], after=call.query.after)})


def all_history(bench: Bench, call: Call) -> Reply:
    """Say who changed what and why, all variants."""
    return Reply({"history": bench.store.history(after=call.query.after)})


def evaluate(bench: Bench, call: Call) -> Reply:
    """Answer a document without saving it."""
    _, found = reckon(bench, call.body.document, call.body.year)
    return Reply(found)


def answer_of(bench: Bench, call: Call) -> Reply:
    """Answer a saved variant."""
    kept = bench.store.variant(call.path["id"], call.query.version)
    _, found = reckon(bench, kept["document"], call.query.year)
    return Reply({"version": kept["version"], **found})


def check_of(bench: Bench, call: Call) -> Reply:
    """Full check of a saved variant: all rules, all years."""
    kept = bench.store.variant(call.path["id"], call.query.version)
    opened = bench.opened
    found = opened.reckoner.reckon(scenario_of(opened.county, parse_document(kept["document"])))
    done = bench.checker.found(found.digest)
    if done is None:
        ask_check(bench, found, {"variant": kept["id"], "version": kept["version"]})
        return Reply({"state": "pending", "version": kept["version"]}, 202)
    return Reply({"version": kept["version"], **done})


def check_document(bench: Bench, call: Call) -> Reply:
    """Full check of a document that is not saved."""
    opened = bench.opened
    found = opened.reckoner.reckon(scenario_of(opened.county, call.body.document))
    ask_check(bench, found, None)
    return Reply(bench.checker.wait(found.digest, 20.0))


def compare(bench: Bench, call: Call) -> Reply:
    """Figures of several variants beside today's, and the villages that differ."""
    opened = bench.opened
    idents = list(dict.fromkeys(int(x) for x in call.query.ids.split(",")))
    kept = [bench.store.variant(i) for i in idents]
    found = [
        opened.reckoner.reckon(scenario_of(opened.county, parse_document(k["document"])))
        for k in kept
    ]
    years = set.intersection(*(set(f.scenario.years) for f in found))
    if not years:
        raise InputError("这些方案没有共同的年份 / these variants have no year in common")
    year = call.query.year if call.query.year is not None else max(years)
    if year not in years:
        raise InputError(f"年份 {year} 不是共同年份 / not all of them hold year {year}")
    answers = [answer(opened.county, f, year) for f in found]
    columns = [{"id": 0, "name": "今日"}]
    # Variants number the schools they bring along alike, and mean others by it.
    columns += [
        {"id": k["id"], "name": k["name"], "version": k["version"], "sites_added": a["sites_added"]}
        for k, a in zip(kept, answers, strict=True)
    ]
    rows: dict[tuple[str, str, str], Plain] = {}
    for n, one in enumerate(answers):
        for row in one["figures"]:
            key = (row["scope"], row["id"], row["name"])
            held = rows.setdefault(
                key,
                {**{k: row[k] for k in ("name", "unit", "scope", "id")},
                 "values": [row["today"], *([None] * len(answers))]},
            )  # fmt: skip
            held["values"][n + 1] = row["plan"]
    return Reply(
        {"year": year, "columns": columns, "rows": list(rows.values()),
         "villages": _villages(found, answers, year)}
    )  # fmt: skip


def _villages(found: list[Reckoned], answers: list[Plain], year: int) -> list[Plain]:
    """List village-bands whose site or minutes differ in some of the columns."""
    places = [position_of(f.scenario, year) for f in found]
    base = found[0].ground
    tables = [base.today.site_of[:, 0], *(f.plan.site_of[:, t] for f, t in zip(found, places, strict=True))]  # fmt: skip
    # Sites that a variant brings along have no common position.
    codes = [base.base.site_ids, *(f.problem.site_ids for f in found)]
    names = [
        np.array([*ids, ""], dtype=object)[sites] for ids, sites in zip(codes, tables, strict=True)
    ]
    count = found[0].problem.students[:, :, places[0]].sum(axis=1)
    at = base.base.minutes[0, np.arange(len(count)), np.maximum(tables[0], 0)].astype(np.float64)
    there = (tables[0] >= 0) & np.isfinite(at)
    today = np.where(there, np.rint(np.where(there, at, 0) * 10), UNREACHED).astype(np.int64)
    parts = []
    for one, t in zip(answers, places, strict=True):
        series = {k: one["plan"][k] for k in ("tenths", "over")}
        parts.append({k: v[v[t]] if isinstance(v[t], int) else v[t] for k, v in series.items()})
    differs = np.zeros(len(count), dtype=bool)
    for other, part in zip(names[1:], parts, strict=True):
        # A road closed or built changes the way to a school that stays the same.
        differs |= (other != names[0]) | (np.array(part["tenths"]) != today)
    return [
        {
            "village": int(base.base.group_village[i]),
            "band": int(base.base.group_band[i]),
            "students": int(count[i]),
            "sites": [int(t[i]) for t in tables],
            "site_ids": [str(n[i]) for n in names],
            "tenths": [int(today[i]), *(p["tenths"][i] for p in parts)],
            "over": [None, *(p["over"][i] for p in parts)],
        }
        for i in np.flatnonzero(differs & (count > 0)).tolist()
    ]


def recipe_out(bench: Bench, call: Call) -> Reply:
    """Write the variant as a recipe (TOML)."""
    kept = bench.store.variant(call.path["id"], call.query.version)
    text = toml_of(bench.opened.county, parse_document(kept["document"]))
    headers = {"content-disposition": f'attachment; filename="variant-{kept["id"]}.toml"'}
    return Reply(text.encode("utf-8"), 200, headers, "application/toml; charset=utf-8")


def recipe_in(bench: Bench, call: Call) -> Reply:
    """Take a recipe (TOML) as a new variant."""
    document = document_of_toml(bench.opened.county, call.body.toml, call.body.name)
    refuse_outlying(bench.opened.county, scenario_of(bench.opened.county, document))
    document, _ = reckon(bench, document, None)
    lines = difference(bench.opened.county, None, document.values())
    change = Change(call.user, _why(call.body.why), "create", lines)
    kept = bench.store.create(document.values(), change, "scenario.toml")
    told(bench, kept, change)
    return Reply({"variant": kept, "answer": _answered(bench, kept, None)}, 201)


_V = "/api/variants/{id}"
OPERATIONS = (
    Operation("GET", "/api/county", "county", "县域底图与今日现状 / the county and today", county,
              answers={200: s.OBJECT, 304: {}}, swift=True),
    Operation("GET", "/api/words", "words", "界面用语 / words of the page", words, "open"),
    Operation("GET", "/api/variants", "variants", "方案列表 / list of variants", variants,
              query=Listed, answers={200: s.thing({"variants": s.listed(s.ENTRY)}), 304: {}},
              kept=True),
    Operation("POST", "/api/variants", "create", "新建方案 / add a variant", create, "edit", New,
              answers={201: s.CHANGED}, refusals=(404, 422), heavy=True),
    Operation("GET", _V, "variant", "读取方案 / one variant", variant, query=OfVersion,
              answers={200: s.VARIANT, 304: {}}, refusals=(404,), kept=True),
    Operation("PUT", _V, "save", "保存修改 / save a change", save, "edit", Saved,
              answers={200: s.CHANGED}, refusals=(404, 409, 422), heavy=True),
    Operation("DELETE", _V, "delete", "删除（可恢复）/ put away", _state("delete"), "edit", State,
              answers={200: s.VARIANT}, refusals=(404, 409)),
    Operation("POST", _V + "/restore", "restore", "恢复已删除的方案 / bring back", _state("restore"),
              "edit", State, answers={200: s.VARIANT}, refusals=(404, 409, 422)),
    Operation("POST", _V + "/undo", "undo", "撤销 / undo", undo, "edit", Step,
              answers={200: s.CHANGED}, refusals=(404, 409, 422), heavy=True),
    Operation("POST", _V + "/redo", "redo", "重做 / redo", redo, "edit", Step,
              answers={200: s.CHANGED}, refusals=(404, 409, 422), heavy=True),
    Operation("POST", _V + "/approve", "approve", "批准 / approve", _state("approve"), "approve",
              State, answers={200: s.VARIANT}, refusals=(404, 409, 422)),
    Operation("POST", _V + "/reopen", "reopen", "退回草稿 / reopen", _state("reopen"), "approve",
              State, answers={200: s.VARIANT}, refusals=(404, 409, 422)),
    Operation("GET", _V + "/history", "history", "修改记录 / history of a variant", history,
              query=Since, answers={200: s.thing({"history": s.listed(s.CHANGE)}), 304: {}},
              refusals=(404,), kept=True),
    Operation("GET", "/api/history", "all_history", "全部修改记录 / history of all", all_history,
              query=Since, answers={200: s.thing({"history": s.listed(s.CHANGE)}), 304: {}},
              kept=True),
    Operation("POST", "/api/evaluate", "evaluate", "试算（不保存）/ answer without saving", evaluate,
              body=Asked, answers={200: s.ANSWER}, refusals=(422,), heavy=True),
    Operation("GET", _V + "/answer", "answer", "方案的即时结果 / quick answer", answer_of,
              query=OfYear, answers={200: s.ANSWER}, refusals=(404, 422), heavy=True),
    Operation("GET", _V + "/check", "check", "完整核查 / full check", check_of, query=OfVersion,
              answers={200: s.CHECK, 202: s.CHECK}, refusals=(404, 422), heavy=True),
    Operation("POST", "/api/check", "check_document", "完整核查（不保存）/ full check, nothing saved",
              check_document, body=Whole, answers={200: s.CHECK}, refusals=(422, 503), heavy=False),
    Operation("GET", "/api/compare", "compare", "方案比较 / compare variants", compare, query=Which,
              answers={200: s.COMPARISON}, refusals=(404, 422), heavy=True),
    Operation("GET", _V + "/scenario.toml", "recipe_out", "导出方案文件 / recipe", recipe_out,
              query=OfVersion, answers={200: s.TEXT}, refusals=(404, 422),
              media="application/toml"),
    Operation("POST", "/api/scenario", "recipe_in", "导入方案文件 / take a recipe in", recipe_in,
              "edit", Recipe, answers={201: s.CHANGED}, refusals=(422,), heavy=True),
)  # fmt: skip
"""Operations of this room."""
