"""What a worker process can do: full checks, the optimiser's jobs, documents, inspections."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InfeasibleError, InputError
from catchment.network.kept import Kept
from catchment.optimise import consolidation as model
from catchment.optimise.layout import scenario_plan
from catchment.plan import Plan
from catchment.region.check import check_region
from catchment.region.read import read_region
from catchment.rules.gate import VERDICT
from catchment.run import Run, pose, run_scenario
from catchment.run.keeping import keeping_told, price_told
from catchment.run.latitude import give_latitude
from catchment.run.question import loosened, nearest_breaks, pose_question
from catchment.run.spoken import names_of, spoken
from catchment.scenario import Catchments, Scenario, parse_scenario, start_of
from catchment.views.decisions import write_recipe
from catchment.views.files import write_text
from catchment.views.folder import write_documents, write_run
from catchment.views.payload import map_payload, text
from catchment.web.answer import Reckoner
from catchment.web.document import Document, parse_document, scenario_of
from catchment.web.ground import OpenCounty
from catchment.web.languages import halves

Plain = dict[str, Any]
Tell = Callable[..., None]

_CHECKED = ("indicators", "findings", "ledger", "conservation", "reasons", "classes")
_FIXING = ("keep", "downgrade", "merge", "build", "reopen", "expand")
_LINE = re.compile(
    r"plan ([-\d.]+|inf|nan) · .*bound ([-\d.]+|-?inf|nan) 万元 · ([-\d.]+|inf|nan) %"
)


@dataclass
class Table:
    """The county as a worker has it open.

    Attributes
    ----------
    county : OpenCounty
        The county.
    reckoner : Reckoner
        Quick plans.
    kept : Kept
        Memory of roads and searches.
    folder : Path
        Where it was read from.
    known : set or None
        Findings of today's arrangement.
    """

    county: OpenCounty
    reckoner: Reckoner
    kept: Kept
    folder: Path
    known: set[tuple[str, ...]] | None = None


def open_table(setup: Plain) -> Table:
    """Open the county.

    Parameters
    ----------
    setup : dict
        ``folder``, ``set_aside``, ``scenario``.

    Returns
    -------
    Table
        The county, open.
    """
    folder = Path(setup["folder"])
    region = read_region(folder, set_aside=bool(setup.get("set_aside")))
    county = OpenCounty(region, parse_scenario(setup["scenario"]))
    return Table(county, Reckoner(county), Kept(), folder)


def proof_of(plan: Plan) -> str:
    """Digest of what a plan decides, to compare two ways of making it.

    Parameters
    ----------
    plan : Plan
        The plan.

    Returns
    -------
    str
        Hexadecimal.
    """
    parts = (plan.site_of.astype("<i4"), plan.classes.astype("<i4"), plan.mode_of.astype("<i4"))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def check(table: Table, task: Plain, tell: Tell) -> Plain:
    """Go the whole way of a run: all rules, all years; compare with the quick plan.

    Parameters
    ----------
    table : Table
        The county.
    task : dict
        ``scenario`` and ``proof``.
    tell : callable
        Told what is being done.

    Returns
    -------
    dict
        Parts of the page's payload, the gate with its steps, and whether both ways agree.
    """
    if table.known is None:
        today = table.county.scenario
        table.known = _keys(run_scenario(today, table.county.region, kept=table.kept))
    run = run_scenario(parse_scenario(task["scenario"]), table.county.region, kept=table.kept)
    payload = map_payload(run)
    out = {key: payload[key] for key in _CHECKED}
    out["agrees"] = proof_of(run.plan) == task["proof"]
    if not out["agrees"]:
        out["plan"] = payload["plans"]["plan"]
    out["gate"] = _gate(run, table.county)
    rows = run.findings[run.findings["result"] != "pass"]
    out["new_findings"] = [
        k for k, key in enumerate(_row_keys(rows)) if key not in table.known
    ]  # fmt: skip
    out["notes"] = [text(n, longest=400) for n in (*run.notes, *run.plan.notes)]
    return out


def _row_keys(rows: Any) -> list[tuple[str, ...]]:
    columns = ("code", "id", "result", "severity")
    return list(zip(*(rows[c].astype(str) for c in columns), strict=True))


def _keys(run: Run) -> set[tuple[str, ...]]:
    return set(_row_keys(run.findings[run.findings["result"] != "pass"]))


def _gate(run: Run, county: OpenCounty) -> list[Plain]:
    """List the closing gate: every school that gives up a band, with every step."""
    codes = {r.code for r in county.book if "closing" in r.scope} | {VERDICT.code}
    place = {s: j for j, s in enumerate(run.problem.site_ids)}
    rows = run.findings[run.findings["code"].isin(codes) & run.findings["id"].isin(place)]
    verdicts = rows[rows["code"] == VERDICT.code]
    found: dict[tuple[str, int], Plain] = {
        (str(r["id"]), int(r["year"])): {
            "school": place[str(r["id"])], "year": int(r["year"]), "result": str(r["result"]),
            "zh": text(r["detail_zh"], longest=400), "en": text(r["detail_en"], longest=400),
            "steps": [],
        }
        for r in verdicts.to_dict("records")
    }  # fmt: skip
    for r in rows[rows["code"] != VERDICT.code].to_dict("records"):
        entry = found.get((str(r["id"]), int(r["year"])))
        if entry is not None:
            keys = (
                "code",
                "title_zh",
                "title_en",
                "result",
                "severity",
                "citation_zh",
                "citation_en",
            )
            step = {k: text(r[k], longest=400) for k in (*keys, "detail_zh", "detail_en")}
            entry["steps"].append(step)
    return list(found.values())


# ---------------------------------------------------------------------- the optimiser


def _teller(tell: Tell) -> Callable[[str], None]:
    """Read value, bound and gap out of the line that a search tells."""

    def said(line: str) -> None:
        zh, en = halves(line)
        found = _LINE.search(line)
        if found is None:
            tell(text(zh, longest=200), text(en, longest=200))
            return
        best, bound, gap = (float(g) for g in found.groups())
        tell(
            "求解中", "searching",
            best=best * 1e4 if math.isfinite(best) else None,
            bound=bound * 1e4 if math.isfinite(bound) else None,
            gap=gap / 100 if math.isfinite(gap) else None,
        )  # fmt: skip

    return said


def _question(
    table: Table, scenario: Scenario, task: Plain, free: str = ""
) -> tuple[Scenario, model.Question, set[str]]:
    """Pose the optimiser's question as ``catchment propose`` does; schools that are kept stay, too.

    Returns the recipe with all its years, the question, and the schools that are settled.
    """
    posed, question = pose_question(scenario, table.county.region, kept=table.kept)
    question, _ = give_latitude(
        question, posed, table.county.region,
        areas=0 if task.get("areas") else None, build=bool(task.get("build")),
        reopen=bool(task.get("reopen")), seed=scenario.seed,
    )  # fmt: skip
    acts = [(a.do, str(getattr(a, "school", getattr(a, "site", "")))) for a in scenario.actions]
    named = ({s for do, s in acts if do in _FIXING} | set(task["keep"])) - {free}
    # What the variant gives up is given up as it says; what it builds on or keeps is not closed.
    given_up = {s for do, s in acts if do in ("merge", "downgrade")}
    stays = np.array([s in named - given_up for s in question.problem.site_ids])
    return (
        posed.scenario,
        question.replace(
            may_close=question.may_close & ~stays, may_downgrade=question.may_downgrade & ~stays
        ),
        named,
    )


def require(
    question: model.Question, answer: model.Answer, seconds: float, names: Mapping[str, str]
) -> None:
    """Refuse an answer that is no plan, in words that say what to do.

    Parameters
    ----------
    question : Question
        What was asked.
    answer : Answer
        Of the optimiser.
    seconds : float
        Time it was given.
    names : mapping of str to str
        Names of villages and schools by code.

    Raises
    ------
    InfeasibleError
        When there is no plan, or none was found in that time.
    """
    if answer.plan.status == "infeasible":
        zh, en = halves(answer.reason or "未给出原因 / no reason was given")
        raise InfeasibleError(
            f"已证明没有可行方案：{zh}。请放宽限值、增加学位或少固定几所学校"
            f" / there is no plan that keeps every rule: {en}. Relax a limit, add places or keep fewer schools fixed"
        )
    if answer.plan.status == "unknown":
        zh, en = nearest_breaks(question, answer, names)
        raise InfeasibleError(
            f"{seconds:g} 秒内没有找到满足全部规则的方案，这不等于没有方案；"
            f"请把时间加长（至少 {max(45, 3 * seconds):g} 秒）再试。{zh}"
            f" / within {seconds:g} s no plan that keeps every rule was found, which does not mean that there is none; "
            f"give it more time ({max(45, 3 * seconds):g} s or more). {en}"
        )


def _document(
    table: Table, own: Document, scenario: Scenario, question: model.Question,
    answer: model.Answer, named: set[str], name: str,
) -> Plain:  # fmt: skip
    """Write the optimiser's plan as a document: its actions, and the villages that differ."""
    sites = set(table.county.region.sites["site_id"].astype(str))
    given = [a.model_dump(mode="json", by_alias=True, exclude_none=True) for a in scenario.actions]
    sites |= {str(a["site"]) for a in given if a["do"] == "build"}
    done = [
        a for a in model.actions(question, answer, candidates=sites, given=given)
        if a["do"] in ("expand", "move") or str(a.get("school", a.get("site"))) not in named
    ]  # fmt: skip
    # Every year was planned, and actions may lie in each.
    values = {**own.values(), "name": name, "years": list(scenario.years)}
    if question.transition == "finish":
        wanted = scenario.catchments or Catchments()
        values["catchments"] = wanted.model_copy(update={"grandfather": "band"}).model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
    drawn = parse_document({**values, "actions": [*given, *done]})
    return match(table, drawn, answer.plan.site_of).values()


def match(table: Table, document: Document, wanted: npt.NDArray[np.int32]) -> Document:
    """Add moves to a document until its villages go where a plan sends them.

    Parameters
    ----------
    table : Table
        The county.
    document : Document
        The document.
    wanted : (n, t) int32
        Site of each group; groups that a hand has moved stay where they were sent.

    Returns
    -------
    Document
        With as few moves as a year and band need.
    """
    held = {
        (v, b)
        for a in document.actions
        if a.do == "move"
        for v in a.villages
        for b in (a.bands or table.county.ground(scenario_of(table.county, document)).base.bands)
    }
    for t in range(wanted.shape[1]):
        found = table.reckoner.reckon(scenario_of(table.county, document))
        problem, plan = found.problem, found.plan
        off = np.flatnonzero((plan.site_of[:, t] != wanted[:, t]) & (wanted[:, t] >= 0))
        sent: dict[tuple[str, str], list[str]] = {}
        for i in off.tolist():
            village = problem.village_ids[problem.group_village[i]]
            band = problem.bands[problem.group_band[i]]
            able = problem.must_open[wanted[i, t], problem.group_band[i], t]
            if able and problem.students[i, :, t].any() and (village, band) not in held:
                sent.setdefault((problem.site_ids[wanted[i, t]], band), []).append(village)
        if not sent:
            continue
        moves = [
            {"do": "move", "villages": v, "to": to, "bands": [band], "year": problem.years[t]}
            for (to, band), v in sorted(sent.items())
        ]
        values = document.values()
        document = parse_document({**values, "actions": [*values["actions"], *moves]})
    return document


def _worth(answer: model.Answer) -> Plain:
    plan = answer.plan
    return {
        "best": float(plan.objective) if math.isfinite(plan.objective) else None,
        "bound": float(plan.bound) if math.isfinite(plan.bound) else None,
        "gap": float(answer.gap) if math.isfinite(answer.gap) else None,
    }


def _broken(
    table: Table, scenario: Scenario, question: model.Question, answer: model.Answer
) -> list[Plain]:
    """Say in words what a plan breaks: what is demanded, and villages that stay cut off."""
    names = names_of(table.county.region)
    said = [spoken(v, names) for v in model.check(question, answer)]
    if scenario.method.connected and question.loose is not None:
        zh, _, en = loosened(question, answer, names).partition(" / ")
        said += [(zh, en)] if zh else []
    return [{"zh": text(zh, longest=1000), "en": text(en, longest=1000)} for zh, en in said]


def finish(table: Table, task: Plain, tell: Tell) -> Plain:
    """Optimise what the variant leaves open.

    Parameters
    ----------
    table, task, tell
        See :func:`check`; ``document``, ``keep``, ``seconds``; ``areas``, ``build``, ``reopen``
        where nobody may leave the county's areas, and sites that pass or are closed may open.

    Returns
    -------
    dict
        ``documents``, ``best``, ``bound``, ``gap``, ``saved``, ``violations``.
    """
    own = parse_document(task["document"])
    scenario = scenario_of(table.county, own)
    scenario, question, named = _question(table, scenario, task)
    tell("求解中", "searching")
    question, answer = model.connected_as_far(
        question, time_limit=task["seconds"], seed=scenario.seed, progress=_teller(tell)
    )
    require(question, answer, task["seconds"], names_of(table.county.region))
    tell("写成方案", "writing it down", last=True, **_worth(answer))
    kept = model.keep_everything(question)
    made = _document(table, own, scenario, question, answer, named, f"{own.name[:180]}（优化）")
    return {
        "documents": [made],
        "saved": float(kept.plan.objective - answer.plan.objective),
        "violations": _broken(table, scenario, question, answer),
        **_worth(answer),
    }


def three(table: Table, task: Plain, tell: Tell) -> Plain:
    """Make three different plans: the cheapest found, then shortest trips, then small schools.

    Parameters
    ----------
    table, task, tell
        See :func:`finish`.

    Returns
    -------
    dict
        ``documents`` and ``figures`` of each.
    """
    own = parse_document(task["document"])
    scenario = scenario_of(table.county, own)
    scenario, question, named = _question(table, scenario, task)
    share = task["seconds"] / 4
    question, best = model.connected_as_far(
        question, time_limit=share, seed=scenario.seed, progress=_teller(tell)
    )
    names = names_of(table.county.region)
    require(question, best, share, names)
    choices = model.frontier(
        question, 5, time_limit=3 * share, seed=scenario.seed, cheapest=best,
        progress=_teller(tell),
    )  # fmt: skip
    picked = _different(choices[1:])
    documents, figures = [], []
    for letter, (name, choice) in zip("ABC", picked, strict=True):
        require(choice.question, choice.answer, task["seconds"], names)
        zh, en = halves(name)
        tell(f"写成方案 {letter}：{zh}", f"writing plan {letter}: {en}", last=True)
        shown = f"{own.name[:120]} {letter}（{zh}）"
        documents.append(
            _document(table, own, scenario, choice.question, choice.answer, named, shown)
        )
        plain = {k: float(v) for k, v in vars(choice.figures).items()}
        figures.append({"name": name, "asked": choice.name, **plain})
    return {"documents": documents, "figures": figures, **_worth(picked[0][1].answer)}


def _different(choices: Sequence[model.Choice]) -> list[tuple[str, model.Choice]]:
    """Pick three by what they turned out to be, so that no plan bears a name it does not earn."""
    left = list(choices)
    out = []
    for name, worth in (
        ("费用最低 / cheapest", lambda c: c.figures.yuan),
        ("路途最短 / shortest trips", lambda c: c.figures.minutes),
        ("保留小规模学校最多 / most small schools kept", lambda c: -c.figures.small_kept),
    ):
        best = min(left, key=worth)
        left.remove(best)
        out.append((name, best))
    return out


def price(table: Table, task: Plain, tell: Tell) -> Plain:
    """Price the keeping of a school against the best plan.

    Parameters
    ----------
    table, task, tell
        See :func:`finish`; ``school``.

    Returns
    -------
    dict
        ``prices``: one row; ``violations``: what must be said of the price.
    """
    own = parse_document(task["document"])
    code = task["school"]
    trimmed = [a for a in own.actions if str(getattr(a, "school", "")) != code]
    scenario = scenario_of(table.county, own.model_copy(update={"actions": tuple(trimmed)}))
    _, question, _ = _question(table, scenario, task, free=code)
    if code not in question.problem.site_ids:
        raise InputError(f"没有学校 {code} / no school {code}")
    question, answer = model.connected_as_far(
        question, time_limit=task["seconds"] / 2, seed=scenario.seed, progress=_teller(tell)
    )
    called = names_of(table.county.region)
    require(question, answer, task["seconds"] / 2, called)
    # Both sides alike: a connected plan must not be held against one that need not be.
    if question.loose is None:
        tell("计算保留的代价（两边均连片）", "pricing the keeping (both sides connected)")
    else:
        tell(
            "计算保留的代价（个别村连不上，两边同样不再要求）",
            "pricing the keeping (of some villages connection is not asked, on neither side)",
        )
    found = model.price_of_keeping(
        question, answer, code, time_limit=task["seconds"] / 2, seed=scenario.seed
    )
    names = ("yuan", "least", "most", "teachers", "own_minutes", "other_minutes")
    values = {k: float(getattr(found, k)) for k in names}
    for key in ("yuan", "least", "most"):
        values[key] = price_told(values[key])
    row = {k: v if math.isfinite(v) else None for k, v in values.items()}
    said = ""
    if found.answer.plan.status in ("optimal", "feasible"):
        j = question.problem.site_ids.index(code)
        said = keeping_told(question, found.answer, j, float(found.yuan), called)
    zh, _, en = said.partition(" / ")
    return {
        "prices": [{"school": code, "changed": bool(found.changed), **row}],
        "violations": [{"zh": text(zh, longest=1000), "en": text(en, longest=1000)}]
        if said
        else [],
        **_worth(answer),
    }


def assign(table: Table, task: Plain, tell: Tell) -> Plain:
    """Send whole villages to schools within their places, every catchment connected.

    Parameters
    ----------
    table, task, tell
        See :func:`finish`.

    Returns
    -------
    dict
        ``documents``.
    """
    own = parse_document(task["document"])
    scenario = scenario_of(table.county, own)
    problem = pose(scenario, table.county.region, kept=table.kept).problem
    plan = scenario_plan(
        problem,
        "capacity",
        connected=True,
        stay_minutes=scenario.method.stay_minutes,
        start=start_of(scenario),
        time_limit=task["seconds"],
        seed=scenario.seed,
        progress=_teller(tell),
    )
    tell("写成方案", "writing it down", last=True)
    named = own.model_copy(update={"name": f"{own.name[:180]}（按学位分配）"})
    return {"documents": [match(table, named, plan.site_of).values()]}


def documents(table: Table, task: Plain, tell: Tell) -> Plain:
    """Write all documents of a variant.

    Parameters
    ----------
    table, task, tell
        See :func:`check`; ``document``, ``folder``, ``lang``.

    Returns
    -------
    dict
        ``files``: names and sizes.
    """
    own = parse_document(task["document"])
    scenario = scenario_of(table.county, own)
    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    base = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    listed = base.pop("action")
    try:
        place = Path(os.path.relpath(table.folder.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        place = "."
    recipe = write_recipe({**base, "region": place}, listed, folder / "scenario.toml")
    digest = hashlib.sha256(recipe.read_bytes()).hexdigest()
    tell("计算", "reckoning")
    run = run_scenario(
        scenario.replace(region=place), table.county.region, recipe=digest, kept=table.kept,
        progress=_teller(tell),
    )  # fmt: skip
    tell("写出地图、报告和台账", "writing map, report and ledger")
    write_run(run, folder, lang=task["lang"], recipe=recipe)
    tell("写出审议册", "writing the review book")
    write_documents(run, folder, lang=task["lang"])
    write_text(folder / "README.txt", f"{text(own.name)}\n{text(own.note, longest=2000)}\n")
    made = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return {"files": [{"name": p.name, "size": p.stat().st_size} for p in made]}


def inspect(table: Table | None, task: Plain, tell: Tell) -> Plain:
    """Check the files of a county that was sent in.

    Parameters
    ----------
    table : Table or None
        Not needed.
    task : dict
        ``folder``.
    tell : callable
        Told what is being done.

    Returns
    -------
    dict
        ``problems`` (rows of students without their place), counts, and whether it can be read.
    """
    tell("检查", "checking")
    found = check_region(Path(task["folder"]))
    frame = found.table()
    rows = [_problem(r) for r in frame.head(5000).to_dict("records")]
    out: Plain = {
        "ok": found.ok,
        "errors": len(found.errors),
        "warnings": len(found.warnings),
        "problems": rows,
        "more": max(len(frame) - len(rows), 0),
        "counts": {},
        "county": "",
        "can_set_aside": not any(f.spoils == "refuse" for f in found.errors),
    }
    if out["can_set_aside"]:
        region = read_region(Path(task["folder"]), set_aside=True)
        layers = ("villages", "schools", "children", "sites", "students", "roads", "boundaries")
        out["counts"] = {name: len(getattr(region, name)) for name in layers}
        out["county"] = text(region.name)
    return out


def _problem(row: Mapping[Any, Any]) -> Plain:
    # A pupil's home is shown to nobody, not even as the place of a mistake.
    private = str(row["layer"]) == "students"
    x, y = float(row["x"]), float(row["y"])
    there = math.isfinite(x) and math.isfinite(y) and not private
    number = row["row"]
    return {
        "layer": text(row["layer"]),
        "row": None if number is None or number != number or str(number) == "<NA>" else int(number),
        "column": text(row["column"]),
        "value": "" if private else text(row["value"], longest=200),
        "code": text(row["code"]),
        "severity": text(row["severity"]),
        "zh": text(row["what_zh"], longest=400),
        "en": text(row["what_en"], longest=400),
        "remedy_zh": text(row["remedy_zh"], longest=400),
        "remedy_en": text(row["remedy_en"], longest=400),
        "at": [round(x, 5), round(y, 5)] if there else None,
    }


def warm(table: Table, task: Plain, tell: Tell) -> Plain:
    """Make ready for checks: today's findings, and everything that is kept.

    Parameters
    ----------
    table, task, tell
        See :func:`check`.

    Returns
    -------
    dict
        Empty.
    """
    table.known = _keys(run_scenario(table.county.scenario, table.county.region, kept=table.kept))
    return {}


TASKS: dict[str, Callable[[Any, Plain, Tell], Plain]] = {
    "warm": warm,
    "check": check,
    "finish": finish,
    "three": three,
    "price": price,
    "assign": assign,
    "documents": documents,
    "inspect": inspect,
}
"""Tasks by name."""
