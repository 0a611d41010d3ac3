"""What-ifs on the shipped county: every school closed and reopened, all indicators reckoned."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from catchment.indicators import compute
from catchment.optimise import assignment
from catchment.optimise.layout import scenario_plan
from catchment.optimise.whatif import UNREACHED, Answer, Start, places_by_band, start_of, whatif
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.region.read import read_region
from catchment.run.order import pose
from catchment.scenario import read_scenario

MEASURED = tuple(
    f"catchment/{name}.py"
    for name in (
        "optimise/adjust",
        "optimise/holdings",
        "optimise/paths",
        "optimise/ways",
        "optimise/whatif",
        "indicators/measure",
    )
)
DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "today.toml"
_PREFACE = """## What-ifs on the shipped county

Every open school of the first year is closed and reopened by itself. The exact plan (`Transport`,
each band by itself, in tenths of a minute) is compared with solving again; its places are those of
the year. The map's what-if moves whole villages and reckons trips, loads, classes and places with
it. Last, every indicator of the county, its bands, modes and townships, and of each village and
school, is reckoned afresh for that plan as it is for the documents of a run, in one year.
"""

Float64 = npt.NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this theme.

    Parameters
    ----------
    parser : ArgumentParser
        Of the theme.
    """
    parser.add_argument("--rounds", type=int, default=3)


def run(options: argparse.Namespace) -> str:
    """Close and reopen every school.

    Parameters
    ----------
    options : Namespace
        As declared.

    Returns
    -------
    str
        Markdown.
    """
    scenario = read_scenario(DEMO)
    region = read_region(DEMO.parent / scenario.region)
    posed = pose(scenario.replace(years=scenario.years[:1]), region)
    problem = posed.problem
    plan = scenario_plan(problem, "today")
    townships = region.villages["township"].astype(str).tolist()
    start = start_of(problem, plan, 0)
    times: dict[str, list[float]] = {}
    for _ in range(options.rounds + 1):
        times = {name: [] for name in ("close", "reopen", "moved", "all")}
        _exact(start, times)
        _whole(problem, plan, start, townships, times)
    names = {
        "close": "exact plan without a school, one band",
        "reopen": "exact plan with it again, one band",
        "moved": "whole villages moved, with the figures on the map",
        "all": "the same, with all indicators",
    }
    rows = [
        f"| {said} | {len(times[name])} | "
        + " | ".join(f"{1000 * np.quantile(times[name], q):.2f}" for q in (0.5, 0.95, 1.0))
        + " |"
        for name, said in names.items()
    ]
    n, m = start.tenths.shape
    size = f"{n} villages and bands, {m} sites, {int(start.opened.any(axis=1).sum())} open"
    head = [
        "| what | times | median ms | 95 % ms | longest ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    return _PREFACE + "\n" + size + ".\n\n" + "\n".join(head + rows)


def _exact(start: Start, times: dict[str, list[float]]) -> None:
    """Close and reopen each school in the exact plan of each band."""
    places = places_by_band(start, start.opened).astype(np.float64)
    demand = start.students.sum(axis=1).astype(np.float64)
    for band in range(start.opened.shape[1]):
        rows = np.flatnonzero((start.group_band == band) & (demand > 0))
        cost = start.tenths[rows].astype(np.float64)
        cost[start.tenths[rows] >= UNREACHED] = np.inf
        state = assignment.prepare(cost, demand[rows], places[:, band])
        state.close(0).reopen(0)
        for site in np.flatnonzero(start.opened[:, band]):
            began = time.process_time()
            closed = state.close(int(site))
            value, refused = closed.objective, closed.refused
            between = time.process_time()
            again = closed.reopen(int(site)).objective
            times["reopen"].append(time.process_time() - between)
            times["close"].append(between - began)
            cold = assignment.prepare(cost, demand[rows], closed.capacity)
            if (value, refused, again) != (cold.objective, cold.refused, state.objective):
                message = f"closing {site}: {value} not {cold.objective}, or not back: {again}"
                raise AssertionError(message)


def _whole(
    problem: Problem,
    plan: Plan,
    start: Start,
    townships: list[str],
    times: dict[str, list[float]],
) -> None:
    """Close each school on the map, then reckon all indicators of what follows."""
    for site in np.flatnonzero(start.opened.any(axis=1)):
        opened = start.opened.copy()
        opened[site] = False
        began = time.process_time()
        answer = whatif(start, opened)
        between = time.process_time()
        compute(problem, _plan(plan, opened, answer), townships=townships)
        times["all"].append(time.process_time() - began)
        times["moved"].append(between - began)


def _plan(plan: Plan, opened: npt.NDArray[np.bool_], answer: Answer) -> Plan:
    return plan.replace(
        open=opened[:, :, None],
        site_of=answer.site_of[:, None].astype(np.int32),
        classes=answer.classes[:, :, None].astype(np.int32),
        mode_of=answer.mode_of[:, None].astype(np.int8),
    )
