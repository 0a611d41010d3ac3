"""Multi-year consolidation on the demo county: plan and certified gap by time and seed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from catchment.assemble import assemble, used_bands
from catchment.demand import students_by_village
from catchment.network.cells import neighbours, village_cells
from catchment.network.load import load_network
from catchment.network.travel import travel_times
from catchment.optimise.consolidation import Limits, check, consolidate, question_of
from catchment.problem import Problem
from catchment.region.read import read_region

MEASURED = (
    "catchment/optimise/consolidation.py",
    "catchment/optimise/costs.csv",
    "catchment/optimise/phases",
)
_DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
_PREFACE = """## Multi-year consolidation

Demo county, primary bands, 2026-2035, the masks that `question_of` suggests, at most 6 closures
and 400 moved students a year. Costs are those of `costs.csv`, most of them assumptions. The plan's
distance is to the best plan of this table; the gap is to the bound proved in the same run, the
unchanging first year included in both. Every plan has been rechecked. Processor seconds tell how
much of the time the machine really gave.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this theme."""
    parser.add_argument("--seconds", type=float, nargs="+", default=[30.0, 120.0])
    parser.add_argument("--townships", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])


def demo_problem(last: int = 2035) -> Problem:
    """Assemble the demo county's primary bands from 2026 on."""
    region = read_region(_DEMO)
    years = tuple(range(2026, last + 1))
    bands = used_bands(region.bands, ("primary",))
    times = travel_times(region, load_network(region))
    return assemble(
        [region] * len(years),
        years,
        [times],
        [0] * len(years),
        students_by_village(region, years),
        neighbours(village_cells(region)),
        bands,
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


def _townships(problem: Problem) -> str:
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
    for villages in townships(problem):
        part = part_of(problem, villages, 3)
        question = question_of(part)
        before = time.process_time()
        answer = consolidate(question, time_limit=60.0, seed=1)
        spent = time.process_time() - before
        lines.append(
            f"| {len(villages)} | {len(part.site_ids)} | {spent:.0f} | {answer.plan.status} "
            f"| {100 * answer.gap:.2f} % | {len(check(question, answer))} |"
        )
    return "\n".join(lines)


def run(options: argparse.Namespace) -> str:
    """Measure every time and seed, and return the table."""
    limits = Limits(closures_per_year=6, moved_per_year=400)
    problem = demo_problem()
    question = question_of(problem, limits=limits)
    # Loops are compiled once a machine; that is not what is measured.
    consolidate(question, steps=1)
    rows = []
    for seconds in options.seconds:
        for seed in options.seeds:
            before = time.process_time()
            answer = consolidate(question, time_limit=seconds, seed=seed)
            spent = time.process_time() - before
            broken = len(check(question, answer))
            rows.append((seconds, seed, spent, answer.plan.objective, answer.gap, broken))
    best = min(r[3] for r in rows)
    lines = [
        _PREFACE,
        "| limit s | seed | processor s | plan 万元 | above the best | certified gap | rules broken |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {limit:g} | {seed} | {spent:.0f} | {plan / 1e4:.1f} | {100 * (plan / best - 1):.2f} % "
        f"| {100 * gap:.2f} % | {broken} |"
        for limit, seed, spent, plan, gap, broken in rows
    ]
    return "\n".join(lines) + ("\n" + _townships(problem) if options.townships else "")
