"""Multi-year consolidation on the demo county: plan and certified gap by time and seed."""

from __future__ import annotations

import argparse
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from catchment.optimise.consolidation import (
    Answer,
    Limits,
    Question,
    check,
    consolidate,
    cut_off,
    question_of,
)
from catchment.optimise.phases import bound as low
from catchment.optimise.phases.compile import compile_model, hosting
from catchment.optimise.phases.decode import decision_of
from catchment.optimise.phases.siteyears import owners, split
from catchment.problem import Problem
from catchment.region.read import read_region
from catchment.run import pose
from catchment.run.demands import costs_of, question_of_recipe
from catchment.scenario import parse_scenario

MEASURED = (
    "catchment/optimise/consolidation.py",
    "catchment/optimise/costs.csv",
    "catchment/optimise/phases",
    "catchment/rules/terms.py",
    "catchment/run/demands.py",
)
_BY_SITE = (
    "may_close", "may_downgrade", "may_open", "extra_rooms", "extra_beds", "extra_seats",
    "extra_naps", "receives", "site_build",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parents[2]
_DEMO = _ROOT / "data" / "demo"
_DOCUMENT = _ROOT / "docs" / "benchmarks.md"
_BEST = "Best plan ever found, 万元: "
_PREFACE = """## Multi-year consolidation

Demo county, primary bands, 2026-2035, the question that `catchment propose` asks of a recipe
without actions (rules of a closing included), at most 6 closures and 400 moved students a year.
Costs are those of `costs.csv`, most of them assumptions. The plan's distance is to the best plan
of all tables so far; the gap is to the bound proved in the same run, the unchanging first year
included in both. Every plan has been rechecked, its catchments are in one piece. Two threads search
and one raises the bound, on two processors; processor seconds tell how much the machine really gave.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this theme."""
    parser.add_argument("--seconds", type=float, nargs="*", default=[30.0, 120.0])
    parser.add_argument("--townships", action="store_true")
    parser.add_argument("--pieces", action="store_true")
    parser.add_argument("--larger", type=float, nargs="*", default=[], metavar="SECONDS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])


def demo_question(last: int = 2035, limits: Limits | None = None) -> Question:
    """Pose what `catchment propose` asks of the demo county: primary bands, 2026 on, no actions."""
    region = read_region(_DEMO)
    asked = {
        "name": "demo",
        "years": list(range(2026, last + 1)),
        "method": {"stages": ["primary"]},
    }
    posed = pose(parse_scenario(asked), region)
    question = question_of_recipe(posed, costs=costs_of(region.folder), limits=limits)
    return question.replace(connected=posed.scenario.method.connected)


def demo_problem(last: int = 2035) -> Problem:
    """Assemble the demo county's primary bands from 2026 on."""
    return demo_question(last).problem


def part_of_question(
    question: Question, villages: npt.NDArray[np.int64], years: int, limits: Limits | None = None
) -> Question:
    """Cut some villages, the sites that stand in them and the first years out of a question."""
    given = question.limits
    limits = Limits() if limits is None else limits
    sites = np.flatnonzero(np.isin(question.problem.home, villages))
    masks = {
        name: None if getattr(question, name) is None else getattr(question, name)[sites]
        for name in _BY_SITE
    }
    lawful = replace(
        limits,
        young_minutes=min(limits.young_minutes, given.young_minutes),
        max_size=min(limits.max_size, given.max_size),
    )
    return question.replace(
        problem=part_of(question.problem, villages, years), limits=lawful, **masks
    )


def part_of(problem: Problem, villages: npt.NDArray[np.int64], years: int) -> Problem:
    """Cut some villages, the sites that stand in them and the first years out of a problem."""
    groups = np.flatnonzero(np.isin(problem.group_village, villages))
    sites = np.flatnonzero(np.isin(problem.home, villages))
    place = np.full(len(problem.site_ids) + 1, -1, dtype=np.int32)
    place[sites] = np.arange(len(sites))
    row = np.full(len(problem.village_ids), -1, dtype=np.int32)
    row[villages] = np.arange(len(villages))
    cut = np.ix_(np.arange(len(problem.minutes)), groups, sites)
    return problem.replace(
        village_ids=tuple(problem.village_ids[v] for v in villages),
        site_ids=tuple(problem.site_ids[j] for j in sites),
        years=problem.years[:years],
        group_village=row[problem.group_village[groups]],
        group_band=problem.group_band[groups],
        students=problem.students[groups][:, :, :years],
        estimated=problem.estimated[villages][:, :years],
        minutes=problem.minutes[cut],
        metres=problem.metres[cut],
        mode=problem.mode[cut],
        network=problem.network[:years],
        rooms=problem.rooms[sites][:, :years],
        beds=problem.beds[sites][:, :years],
        dining_seats=problem.dining_seats[sites][:, :years],
        nap_places=None if problem.nap_places is None else problem.nap_places[sites][:, :years],
        class_size=problem.class_size[sites],
        neighbours=problem.neighbours[villages][:, villages],
        home=row[problem.home[sites]],
        existing=problem.existing[sites],
        today_open=problem.today_open[sites],
        can_host=problem.can_host[sites],
        must_open=problem.must_open[sites][:, :, :years],
        must_close=problem.must_close[sites][:, :, :years],
        today=place[problem.today[groups]],
        fixed_site=problem.fixed_site[groups][:, :years],
        daily_mode=None,
    )


def townships(problem: Problem, least: int = 50) -> list[npt.NDArray[np.int64]]:
    """Villages around each of some central villages, 50 to 60 connected ones each."""
    graph = problem.neighbours.tocsr()
    out = []
    for start in range(0, len(problem.village_ids), max(len(problem.village_ids) // 4, 1)):
        taken, queue = {start}, [start]
        while queue and len(taken) < least:
            v = queue.pop(0)
            for w in graph.indices[graph.indptr[v] : graph.indptr[v + 1]]:
                if int(w) not in taken:
                    taken.add(int(w))
                    queue.append(int(w))
        out.append(np.array(sorted(taken), dtype=np.int64))
    return out[:4]


def _townships(whole: Question) -> str:
    lines = [
        "",
        (
            "Parts of the county of a township's size (connected villages and the schools in them), three "
            "years, 60 seconds, seed 1:"
        ),
        "",
        "| villages | sites | processor s | status | certified gap | rules broken |",
        "|---|---|---|---|---|---|",
    ]
    for villages in townships(whole.problem):
        question = part_of_question(whole, villages, 3)
        before = time.process_time()
        answer = consolidate(question, time_limit=60.0, seed=1)
        spent = time.process_time() - before
        _tell((len(villages), spent, 100 * answer.gap))
        lines.append(
            f"| {len(villages)} | {len(question.problem.site_ids)} | {spent:.0f} | {answer.plan.status} "
            f"| {100 * answer.gap:.2f} % | {_broken(question, answer)} |"
        )
    return "\n".join(lines)


def larger(problem: Problem, villages: int = 800, sites: int = 150, seed: int = 1) -> Problem:
    """Invent a larger county: villages of the demo county drawn anew, on a plane as thinly settled.

    Trips are on foot to 2.5 km, else by bus; the upper band boards from 40 minutes on. Every
    village with a site in it has one that teaches today what its model does.
    """
    rng = np.random.default_rng(seed)
    years, bands = len(problem.years), len(problem.bands)
    like = rng.integers(0, len(problem.village_ids), villages)
    place = rng.uniform(0.0, 60_000.0 * np.sqrt(villages / 300), (villages, 2))
    home = np.sort(rng.choice(villages, sites, replace=False))
    model_site = rng.choice(np.flatnonzero(problem.existing), sites)
    village, band = np.repeat(np.arange(villages), bands), np.tile(np.arange(bands), villages)
    row = np.zeros((len(problem.village_ids), bands), dtype=np.int64)
    row[problem.group_village, problem.group_band] = np.arange(len(problem.group_village))
    students = problem.students[row[like[village], band]]
    apart = 1.5 * np.linalg.norm(place[village][:, None] - place[home][None], axis=2)
    metres = np.maximum(apart, 50.0)
    walks = metres <= 2500.0
    minutes = np.where(walks, metres * 0.0161, 8.0 + metres * 0.0018)
    mode = np.where(walks, 0, np.where((band[:, None] == 1) & (minutes > 40.0), 2, 1))
    can = problem.can_host[model_site]
    teaches = problem.today_open[model_site]
    reach = np.where(teaches[:, band].T, minutes, np.inf)
    today = reach.argmin(axis=1)
    load = np.zeros((sites, len(problem.grades)), dtype=np.int64)
    np.add.at(load, today, students[:, :, 0])
    rooms = -(-load // problem.class_size[model_site]).sum(axis=1) + rng.integers(0, 4, sites)
    near = np.argsort(((place[:, None] - place[None]) ** 2).sum(axis=2), axis=1)[:, 1:6]
    graph = np.zeros((villages, villages), dtype=bool)
    graph[np.arange(villages)[:, None], near] = True
    forbid = np.zeros((sites, bands, years), dtype=bool)
    return problem.replace(
        village_ids=tuple(f"v{v:04d}" for v in range(villages)),
        site_ids=tuple(f"s{j:04d}" for j in range(sites)),
        group_village=village.astype(np.int32),
        group_band=band.astype(np.int8),
        students=students,
        estimated=np.zeros((villages, years), dtype=bool),
        minutes=minutes[None].astype(np.float32),
        metres=metres[None].astype(np.float32),
        mode=mode[None].astype(np.int8),
        network=np.zeros(years, dtype=np.int32),
        rooms=np.repeat(rooms[:, None], years, axis=1).astype(np.int32),
        beds=problem.beds[model_site],
        dining_seats=problem.dining_seats[model_site],
        nap_places=None if problem.nap_places is None else problem.nap_places[model_site],
        class_size=problem.class_size[model_site],
        neighbours=csr_matrix(graph | graph.T),
        home=home.astype(np.int32),
        existing=np.ones(sites, dtype=bool),
        today_open=teaches,
        can_host=can,
        must_open=forbid,
        must_close=forbid,
        today=today.astype(np.int32),
        fixed_site=np.full((len(village), years), -1, dtype=np.int32),
        daily_mode=None,
    )


def pieces(question: Question, answer: Answer, steps: int = 1200) -> list[tuple[str, float]]:
    """Gap that is left when parts of the plan are given to the bound.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        A plan of it.
    steps : int
        Steps of the bound for every line.

    Returns
    -------
    list of (str, float)
        What is given, and the share of the plan's cost that stays unproved.
    """
    problem, site_of = question.problem, answer.plan.site_of
    bands, hosts = answer.plan.open.sum(axis=1), hosting(question).sum(axis=1)[:, None]
    state = np.where(bands == 0, 0, np.where(bands < hosts, 1, np.where(hosts > 1, 2, 1)))
    given = question.replace(at_least=state.astype(np.int8), at_most=state.astype(np.int8))
    out = []
    for name, asked in (
        ("nothing", question),
        ("which sites teach what, by year", given),
        ("where each village-band may be at all, not when", question),
        ("where each village-band is in each year", question),
    ):
        model = compile_model(asked)
        parts = split(model, problem.group_band, problem.grade_band)
        if name.startswith("where"):
            value, owner = parts.value.copy(), owners(model, parts)
            for j in range(len(parts.sites)):
                for k in range(parts.start[j, 0], parts.start[j, -1]):
                    mine = site_of[owner[parts.unit[k]][0]]
                    value[k, mine != j if name.endswith("year") else not (mine == j).any()] = np.inf
            parts = parts._replace(value=value)
        prices = low.first_prices(model, parts, decision_of(model, site_of))
        cost = answer.plan.objective
        out.append((name, 1.0 - low.improve(model, parts, prices, cost, steps) / cost))
        _tell((len(out), 100 * out[-1][1]))
    return out


def _pieces(question: Question) -> str:
    answer = consolidate(question, time_limit=60.0, seed=1)
    lines = [
        "",
        "What of one plan (60 seconds, seed 1) is given to the bound, and what stays unproved:",
    ]
    lines += ["", "| given | gap |", "|---|---|"]
    lines += [f"| {name} | {100 * gap:.2f} % |" for name, gap in pieces(question, answer)]
    return "\n".join(lines)


def _larger(problem: Problem, limits: list[float]) -> str:
    county = larger(problem)
    limit = Limits(closures_per_year=16, moved_per_year=1100, young_minutes=30.0)
    question = question_of(county, limits=limit, connected=True)
    lines = [
        "",
        (
            f"An invented county of {len(county.village_ids)} villages and {len(county.site_ids)} sites "
            "(`larger`), ten years, seed 1, the plan and bound on the way:"
        ),
        "",
        (
            "| limit s | processor s | plan 万元 | above its best | certified gap "
            "| peak memory GB | rules broken |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    rows = []
    for seconds in limits:
        before = time.process_time()
        answer = consolidate(question, time_limit=seconds, seed=1)
        spent = time.process_time() - before
        plan = answer.plan.objective
        rows.append((seconds, spent, plan, answer.gap, _peak(), _broken(question, answer)))
        _tell(rows[-1])
    best = min(r[2] for r in rows)
    lines += [
        f"| {limit:g} | {spent:.0f} | {plan / 1e4:.1f} "
        f"| {100 * (plan / best - 1):.2f} % | {100 * gap:.2f} % | {peak / 1e9:.2f} | {broken} |"
        for limit, spent, plan, gap, peak, broken in rows
    ]
    return "\n".join(lines)


def _broken(question: Question, answer: Answer) -> int:
    """Rules that a plan breaks, and village-bands that it cuts off from their school."""
    return len(check(question, answer)) + int(cut_off(question, answer.plan.site_of).sum())


def _peak() -> float:
    """Most memory of this process so far, in bytes (Linux)."""
    import resource

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024


def _tell(row: tuple[float, ...]) -> None:
    sys.stderr.write(" ".join(f"{value:g}" for value in row) + "\n")


def _document() -> str:
    return _DOCUMENT.read_text(encoding="utf-8") if _DOCUMENT.exists() else ""


def _best_so_far() -> float:
    """Best plan that the document tells of, in yuan; inf without one."""
    found = re.search(re.escape(_BEST) + r"([0-9]+(?:[.][0-9]+)?)", _document())
    return float(found[1]) * 1e4 if found else np.inf


def _rows_so_far() -> list[_Measured]:
    """Rows of the document's table, so that one call need not measure all of them."""
    row = re.compile(
        r"^[|] ([0-9.]+) [|] ([0-9]+) [|] ([0-9]+) [|] ([0-9.]+) [|] [0-9.]+ % [|] ([0-9.]+) % "
        r"[|] ([0-9]+) [|] `([0-9a-f]+[+]?)` [|]$",
        re.MULTILINE,
    )
    return [
        _Measured(float(a), int(b), float(c), float(d) * 1e4, float(e) / 100, int(f), g)
        for a, b, c, d, e, f, g in row.findall(_document())
    ]


def _kept(name: str, text: str, measured_at: str) -> str:
    """Return a part of the page as measured now, else as the document has it."""
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    if text:
        return f"\n{begin}\n{text.strip()}\n\nMeasured at commit `{measured_at}`.\n{end}"
    before = _document()
    if begin not in before:
        return ""
    return "\n" + before[before.index(begin) : before.index(end) + len(end)]


class _Measured(NamedTuple):
    """One row of the table, yuan."""

    limit: float
    seed: int
    spent: float
    plan: float
    gap: float
    broken: int
    commit: str


def run(options: argparse.Namespace) -> str:
    """Measure what was asked; what was measured before stays, each row with its commit."""
    limits = Limits(closures_per_year=6, moved_per_year=400)
    question = demo_question(limits=limits)
    problem = question.problem
    # Loops are compiled once a machine; that is not what is measured.
    consolidate(question, steps=1)
    rows = []
    for seconds in options.seconds:
        for seed in options.seeds:
            before = time.process_time()
            answer = consolidate(question, time_limit=seconds, seed=seed)
            spent = time.process_time() - before
            broken = _broken(question, answer)
            rows.append(
                _Measured(
                    seconds, seed, spent, answer.plan.objective, answer.gap, broken,
                    options.measured_at,
                )
            )  # fmt: skip
            _tell(rows[-1][:6])
    now = {(r.limit, r.seed) for r in rows}
    rows = sorted(rows + [r for r in _rows_so_far() if (r.limit, r.seed) not in now])
    best = min([_best_so_far(), *(r.plan for r in rows)])
    lines = [
        _PREFACE,
        f"{_BEST}{best / 1e4:.1f}.",
        "",
        (
            "| limit s | seed | processor s | plan 万元 | above the best "
            "| certified gap | rules broken | commit |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.limit:g} | {r.seed} | {r.spent:.0f} | {r.plan / 1e4:.1f} "
        f"| {100 * (r.plan / best - 1):.2f} % | {100 * r.gap:.2f} % | {r.broken} | `{r.commit}` |"
        for r in rows
    ]
    parts = {
        "pieces": _pieces(question) if options.pieces else "",
        "townships": _townships(question) if options.townships else "",
        "larger": _larger(problem, options.larger) if options.larger else "",
    }
    text = "\n".join(lines)
    for name, part in parts.items():
        text += _kept(f"consolidation {name}", part, options.measured_at)
    return text
