"""Assignment: capacitated against pylmcf and HiGHS, what-ifs, and published districts."""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from benchmarks.racing import Contender, Times, race, table
from catchment.optimise import assignment, districting
from catchment.optimise.solution import Solution

MEASURED = tuple(
    f"catchment/optimise/{name}.py"
    for name in (
        "assignment",
        "flow",
        "adjust",
        "lean",
        "holdings",
        "auction",
        "paths",
        "ways",
        "districting",
        "regions",
        "course",
        "tasks",
        "crowd",
        "unions",
        "annealing",
        "partition",
        "redraw",
        "growth",
    )
)
_PARTS = ("transport", "whatif", "districts")
_PREFACE = """## Assignment

`transport` is exact: an auction gives a start, cheapest paths on the graph of the sites finish it,
and the bound is computed from the sites' prices and the input alone. Demand is clustered, students
1 to 30 a village, 15 % spare places; every village may go to its nearest sites. All contenders take
turns in one process and have to give the same optimum; what compares is the ratio of their
processor times. Building the peer's graph from the matrix is not counted.

OR-tools (its solver of flows of least cost) is asked in a process of its own, by the interpreter
that `CATCHMENT_ORTOOLS_PYTHON` names.

What-ifs close and reopen a random school; each answer, its total cost included, equals solving
again from the start. Loads and layouts other than the first are there to see where it is slow.

`districts` is searched; plans are recounted with networkx. The gap is to the best known value.
The search uses two threads: the processor seconds tell how much of them it got. With
`--processor` the limit itself is counted in processor seconds of both threads (60 s on two cores
are 120), so that other work on the machine does not shorten the search, and a search that meets
the best known value ends there.
"""
_SIZES = {
    "500 x 30": (500, 30, 25),
    "2,000 x 100": (2000, 100, 40),
    "20,000 x 300": (20000, 300, 50),
}

Float64 = npt.NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this theme."""
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--changes", type=int, default=1000, help="closings in the what-ifs")
    parser.add_argument("--others", type=int, default=60, help="closings in each other layout")
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of each district search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first seed of district searches")
    parser.add_argument(
        "--processor",
        action="store_true",
        help="count the limit of district searches in processor seconds, two a second",
    )
    parser.add_argument("--instances", nargs="*", default=[], help="all published ones by default")


def run(options: argparse.Namespace) -> str:
    """Run the parts asked for (all by default) and return their tables."""
    wanted = options.parts or _PARTS
    texts = [_PREFACE.strip()]
    if "transport" in wanted:
        texts.append(_transport(options.rounds))
    if "whatif" in wanted:
        texts.append(_what_if(options.changes, options.others))
    if "districts" in wanted:
        seeds = range(options.first, options.first + options.seeds)
        texts.append(_districts(options.seconds, seeds, options.instances, options.processor))
    return "\n\n".join(texts)


def _case(units: int, sites: int, near: int) -> tuple[Float64, Float64, Float64]:
    """Make a county: cost in whole tenths of a minute, students, places."""
    rng = np.random.default_rng(units)
    centres = rng.random((max(3, sites // 5), 2))
    where = centres[rng.integers(len(centres), size=units)] + 0.08 * rng.normal(size=(units, 2))
    stand = where[rng.choice(units, sites, replace=False)]
    cost = np.rint(6000 * np.hypot(*(where[:, None] - stand[None]).transpose(2, 0, 1)))
    demand = rng.integers(1, 31, units).astype(float)
    weight = rng.uniform(0.5, 1.5, sites)
    capacity = np.ceil(1.15 * demand.sum() * weight / weight.sum())
    farthest = np.partition(cost, near, axis=1)[:, near]
    # nearest sites only, as far as that leaves enough places
    trimmed = np.where(cost <= farthest[:, None], cost, np.inf)
    enough = assignment.transport(trimmed, demand, capacity).status == "optimal"
    return (trimmed if enough else cost), demand, capacity


def _lemon(cost: Float64, demand: Float64, capacity: Float64) -> Any:
    """Build the peer's graph; its ``solve`` is what is timed."""
    peer = importlib.import_module("pylmcf")
    n, m = cost.shape
    unit, site = np.nonzero(np.isfinite(cost))
    start = np.concatenate([unit, np.arange(n, n + m)]).astype(np.int32)
    end = np.concatenate([site + n, np.full(m, n + m)]).astype(np.int32)

    def ask() -> int:
        graph = peer.Graph(n + m + 1, start, end)
        graph.set_node_supply(np.concatenate([demand, np.zeros(m), [-demand.sum()]]).astype(int))
        graph.set_edge_capacities(np.concatenate([demand[unit], capacity]).astype(int))
        graph.set_edge_costs(np.concatenate([cost[unit, site], np.zeros(m)]).astype(int))
        graph.solve()
        return int(graph.total_cost())

    return ask


_ORTOOLS = """
import sys, time
import numpy as np
from ortools.graph.python import min_cost_flow
data = np.load(sys.argv[1])
times = []
for number in range(int(sys.argv[2]) + 1):
    solver = min_cost_flow.SimpleMinCostFlow()
    began = time.process_time()
    solver.add_arcs_with_capacity_and_unit_cost(*(data[name] for name in ("a", "b", "c", "d")))
    solver.set_nodes_supplies(np.arange(data["e"].size), data["e"])
    assert solver.solve() == solver.OPTIMAL
    times += [time.process_time() - began] * (number > 0)
print(solver.optimal_cost(), *times)
"""


def _ortools(
    cost: Float64, demand: Float64, capacity: Float64, rounds: int
) -> tuple[int, Times] | None:
    """Ask OR-tools in a process of its own; None where it is not installed."""
    n, m = cost.shape
    unit, site = np.nonzero(np.isfinite(cost))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.npz"
        np.savez(
            path,
            a=np.concatenate([unit, np.arange(n, n + m)]),
            b=np.concatenate([site + n, np.full(m, n + m)]),
            c=np.concatenate([demand[unit], capacity]).astype(np.int64),
            d=np.concatenate([cost[unit, site], np.zeros(m)]).astype(np.int64),
            e=np.concatenate([demand, np.zeros(m), [-demand.sum()]]).astype(np.int64),
        )
        python = os.environ.get("CATCHMENT_ORTOOLS_PYTHON", sys.executable)
        command = [python, "-c", _ORTOOLS, str(path), str(rounds)]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        return None
    value, *spent = asked.stdout.split()
    return int(value), Times([float(s) for s in spent], [float(s) for s in spent])


def _linear(cost: Float64, demand: Float64, capacity: Float64) -> Any:
    unit, site = np.nonzero(np.isfinite(cost))
    ones, pair = np.ones(unit.size), np.arange(unit.size)
    out = csr_matrix((ones, (unit, pair)), shape=(cost.shape[0], unit.size))
    into = csr_matrix((ones, (site, pair)), shape=(cost.shape[1], unit.size))
    value = cost[unit, site]

    def ask() -> float:
        answer = linprog(value, A_ub=into, b_ub=capacity, A_eq=out, b_eq=demand, method="highs")
        return float(answer.fun)

    return ask


def _transport(rounds: int) -> str:
    texts = []
    for name, size in _SIZES.items():
        cost, demand, capacity = _case(*size)

        def own(c: Float64 = cost, d: Float64 = demand, u: Float64 = capacity) -> float:
            return assignment.transport(c, d, u).objective

        asked = {"catchment": own, "pylmcf": _lemon(cost, demand, capacity)}
        if size[0] <= 2000:
            asked["HiGHS (scipy)"] = _linear(cost, demand, capacity)
        values = {peer: round(ask()) for peer, ask in asked.items()}
        other = _ortools(cost, demand, capacity, rounds)
        if other:
            values["OR-tools"] = other[0]
        if len(set(values.values())) > 1:
            message = f"optima differ: {values}"
            raise AssertionError(message)
        times = race([Contender(peer, ask) for peer, ask in asked.items()], rounds)
        if other:
            times["OR-tools"] = other[1]
        title = f"{name} (villages x schools), {np.isfinite(cost).sum():,} pairs"
        texts.append(table(title, times, "catchment", {}))
    return "\n\n".join(texts)


def _grid(heads: list[str], rows: list[list[str]]) -> str:
    """Write rows as a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _layout(sites: int, load: float, clustered: bool) -> tuple[Float64, Float64, Float64]:
    """Make another county of 20,000 villages, all its sites allowed to all."""
    rng = np.random.default_rng([sites, round(100 * load), clustered])
    where = rng.random((20_000, 2))
    if clustered:
        where = where[rng.integers(sites // 5, size=20_000)] + 0.08 * rng.normal(size=where.shape)
    stand = where[rng.choice(20_000, sites, replace=False)]
    cost = np.rint(6000 * np.hypot(*(where[:, None] - stand[None]).transpose(2, 0, 1)))
    demand = rng.integers(1, 31, 20_000).astype(float)
    weight = rng.uniform(0.5, 1.5, sites)
    return cost, demand, np.ceil(demand.sum() / load * weight / weight.sum())


def _what_if(changes: int, others: int) -> str:
    cost, demand, capacity = _case(*_SIZES["20,000 x 300"])
    taken = _changed(cost, demand, capacity, changes)
    both = 1000 * np.quantile(taken["close"] + taken["reopen"], 0.95)
    peers = {"pylmcf": race([Contender("", _lemon(cost, demand, capacity))], 3)[""].median}
    other = _ortools(cost, demand, capacity, 3)
    if other:
        peers["OR-tools"] = other[1].median
    fastest = min(peers, key=lambda peer: peers[peer])
    rows = [["20,000 x 300, as above", name, *_quantiles(times)] for name, times in taken.items()]
    for sites, load, clustered in (
        (300, 0.6, True), (300, 0.6, False), (300, 0.87, False), (300, 0.95, True),
        (300, 0.95, False), (30, 0.87, True), (1000, 0.87, True),
    ):  # fmt: skip
        taken = _changed(*_layout(sites, load, clustered), others)
        name = f"20,000 x {sites}, {'clustered' if clustered else 'even'}, {load:.0%} full"
        rows += [[name, kind, *_quantiles(times)] for kind, times in taken.items()]
    said = (
        f"{changes:,} closings and as many reopenings, each compared; 95 % of all within "
        f"{both:.1f} ms. The fastest peer in the same run ({fastest}) solves again in "
        f"{1000 * peers[fastest]:.0f} ms, {1000 * peers[fastest] / both:.0f} times that."
    )
    heads = ["villages x schools", "change", "median ms", "95 % ms", "longest ms"]
    return f"{said}\n\n{_grid(heads, rows)}"


def _quantiles(times: list[float]) -> list[str]:
    return [f"{1000 * np.quantile(times, share):.1f}" for share in (0.5, 0.95, 1.0)]


def _changed(
    cost: Float64, demand: Float64, capacity: Float64, changes: int
) -> dict[str, list[float]]:
    """Time closings and reopenings; stop where one differs from solving again."""
    today = assignment.prepare(cost, demand, capacity)
    rng = np.random.default_rng(0)
    taken: dict[str, list[float]] = {"close": [], "reopen": []}
    today.close(0).reopen(0)
    for _ in range(changes):
        site = int(rng.integers(capacity.size))
        began = time.process_time()
        closed = today.close(site)
        value = closed.objective
        between = time.process_time()
        again = closed.reopen(site).objective
        taken["reopen"].append(time.process_time() - between)
        taken["close"].append(between - began)
        cold = assignment.transport(cost, demand, closed.capacity)
        if value != cold.objective or again != today.objective:
            message = f"closing {site}: {value} not {cold.objective}, or not back: {again}"
            raise AssertionError(message)
    return taken


def _districts(limit: float, seeds: range, names: list[str], processor: bool) -> str:
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("CATCHMENT_SHARED", root / ".." / "shared"))
    folder = folder / "benchmarks" / "districting"
    with (folder / "published.csv").open(encoding="utf-8") as file:
        best = {row["instance"]: float(row["best_known"]) for row in csv.DictReader(file)}
    rows: list[list[str]] = []
    gaps: dict[str, list[float]] = {}
    for name in names or sorted(best):
        problem = _published(folder, name)
        found, spent = [], []
        for seed in seeds:
            began = time.process_time()
            answer = _drawn(problem, limit, seed, processor, best[name])
            spent.append(time.process_time() - began)
            holds = answer.status in ("feasible", "optimal")
            total = _recounted(problem, answer.site_of) if holds else np.inf
            found.append(100 * (total / best[name] - 1))
        gaps.setdefault(name.split("_")[0], []).extend(found)
        rows.append([name, *(f"{g:.3f}" for g in found), f"{np.mean(spent):.0f}"])
        # a run takes hours: whoever ends it early keeps what was measured
        print("| " + " | ".join(rows[-1]) + " |", file=sys.stderr, flush=True)
    for family, values in gaps.items():
        rows.append([f"**{family}, mean**", f"**{np.mean(values):.3f}**", *[""] * len(seeds)])
    heads = [f"gap %, seed {seed}" for seed in seeds]
    unit = f"{2 * limit:g} processor s" if processor else f"{limit:g} s"
    return _grid([f"instance, {unit}", *heads, "processor s"], rows)


def _drawn(
    problem: tuple[Any, ...], limit: float, seed: int, processor: bool, enough: float
) -> Solution:
    """Search for a plan; by processor time, a search also ends where it meets the best known."""
    if not processor:
        return assignment.districts(*problem, time_limit=limit, seed=seed)
    cost, demand, capacity = assignment.checked(*problem[:3])
    return districting.solve(
        cost,
        demand,
        capacity,
        *problem[3:],
        began=time.process_time(),
        time_limit=2 * limit,
        seed=seed,
        clock=time.process_time,
        enough=enough * (1 + 1e-6),
    )


def _published(folder: Path, name: str) -> tuple[Any, ...]:
    with (folder / f"{name}.txt").open(encoding="utf-8") as file:
        lines = [line.split("\t") for line in file.read().splitlines()[1:] if line.strip()]
    units = np.array([[float(cell) for cell in line[:7]] for line in lines])
    position = {int(row[0]): i for i, row in enumerate(units)}
    home = np.flatnonzero(units[:, 6] > 0).astype(np.int32)
    where = units[:, 2:4] / 1000
    cost = np.hypot(*(where[:, None] - where[None, home]).transpose(2, 0, 1))
    family = name.split("_")[0]
    with (folder / f"{family}_connectivity.txt").open(encoding="utf-8") as file:
        pairs = [line.split(",")[1:3] for line in file.read().splitlines()[1:] if line.strip()]
    ends = np.array([[position[int(a)], position[int(b)]] for a, b in pairs])
    shape = (len(units), len(units))
    touch = csr_matrix((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=shape)
    return cost, units[:, 1], units[home, 6], touch, home


def _recounted(problem: tuple[Any, ...], site_of: npt.NDArray[np.int32]) -> float:
    cost, demand, capacity, touch, home = problem
    graph: Any = nx.Graph(list(zip(*touch.nonzero(), strict=True)))
    for j in range(capacity.size):
        units = np.flatnonzero(site_of == j)
        assert demand[units].sum() <= capacity[j]
        assert home[j] in units
        assert nx.is_connected(graph.subgraph(units.tolist()))
    return float((demand * cost[np.arange(len(demand)), site_of]).sum())
