"""Multi-year consolidation on the demo county: plan and certified gap by time and seed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

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


def run(options: argparse.Namespace) -> str:
    """Measure every time and seed, and return the table."""
    limits = Limits(closures_per_year=6, moved_per_year=400)
    question = question_of(demo_problem(), limits=limits)
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
    return "\n".join(lines)
