"""The travel kernel against scipy, pyroutingkit, igraph, networkit and pandana."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from benchmarks.graphs import RoadGraph, road_graph
from benchmarks.racing import Contender, race, seconds, table
from catchment.network.arcs import Arcs, check_arcs
from catchment.network.shortest import PreparedNetwork, prepare
from catchment.network.trees import cost_and_measure

MEASURED = tuple(
    f"catchment/network/{name}.py"
    for name in (
        "shortest",
        "prepared",
        "trees",
        "rows",
        "sweep",
        "hierarchy",
        "contraction",
        "dijkstra",
        "arcs",
        "native",
        "journey",
    )
)
_OWN = "catchment"
_PREFACE = """## The travel kernel

`catchment.network.shortest` contracts a road graph once and then sweeps it for 32 sources side by
side; a few rows, or short limits, are searched by a bucket queue instead. It chooses by itself and
says which it took (`travel_matrix_explained`).

What is rounded: sums are formed in float64 but for at most 80 additions in float32 at the end of a
trip, so every value is within 5.1e-6 of the float64 value (relative), usually within 5e-7. Whether
a trip is within a limit is decided by its float64 value, summed arc by arc from the source as
Dijkstra's algorithm does; a trip of exactly the limit is within. Costs that float32 cannot tell
from the limit are judged again in float64.

Graphs are made from a seed: perturbed grid, Delaunay, spanning tree, thinned to 2.5 directed arcs
a node, three road classes, node ids shuffled. All contenders take turns in one process; what
compares is the ratio of their processor times, which an otherwise busy machine disturbs least.
Run it with `python scripts/benchmark.py network --write`.
"""
_PARTS = ("county", "paths", "start", "province", "growth")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this theme."""
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--province-side", type=int, default=1000, help="junctions along a side")


def run(options: argparse.Namespace) -> str:
    """Run the parts asked for (all by default) and return their tables."""
    texts = [_PREFACE.strip()]
    wanted = options.parts or _PARTS
    if "county" in wanted:
        texts.append(county(options.rounds))
    if "paths" in wanted:
        texts.append(paths(options.rounds))
    if "start" in wanted:
        texts.append(start())
    if "province" in wanted:
        texts.append(province(options.province_side, options.rounds))
    if "growth" in wanted:
        texts.append(growth(options.rounds))
    return "\n\n".join(texts)


def _module(name: str) -> Any | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _minutes(graph: RoadGraph) -> npt.NDArray[np.float64]:
    return graph.weight / 600.0


def _scipy(graph: RoadGraph) -> csr_array:
    return csr_array((_minutes(graph), graph.indices, graph.indptr))


def _tails(graph: RoadGraph) -> npt.NDArray[np.uint32]:
    return np.repeat(np.arange(graph.indptr.size - 1), np.diff(graph.indptr)).astype(np.uint32)


def _topology(peer: Any, graph: RoadGraph) -> Any:
    found = peer.CCHTopology()
    found.build(
        _tails(graph),
        graph.indices.astype(np.uint32),
        (graph.y / 111_000.0).astype(np.float32),
        (graph.x / 111_000.0).astype(np.float32),
        graph.indptr.size - 1,
    )
    return found


def _metric(peer: Any, topology: Any, graph: RoadGraph) -> Any:
    metric = peer.CCHMetric(topology)
    metric.customize(graph.weight.astype(np.uint32))
    return metric


def _peers(graph: RoadGraph, part: int) -> tuple[list[Contender], dict[str, str]]:
    """Contenders that answer a part of the matrix, prepared beforehand."""
    scale = graph.sites.size / part
    some = graph.sites[:part]
    note = f"{part} of {graph.sites.size} sources, scaled up" if scale > 1 else ""
    found, notes = [], {}
    if igraph := _module("igraph"):
        pairs = np.column_stack([_tails(graph), graph.indices])
        drawn = igraph.Graph(n=graph.indptr.size - 1, edges=pairs, directed=True)
        found.append(
            Contender(
                "igraph",
                lambda: np.asarray(
                    drawn.distances(some.tolist(), graph.homes.tolist(), _minutes(graph).tolist())
                ),
                scale,
            )
        )
        notes["igraph"] = note
    if networkit := _module("networkit"):
        networkit.setNumberOfThreads(1)
        net = networkit.Graph(graph.indptr.size - 1, weighted=True, directed=True)
        for tail, head, cost in zip(
            _tails(graph).tolist(), graph.indices.tolist(), _minutes(graph).tolist(), strict=True
        ):
            net.addEdge(tail, head, cost)

        def ask() -> Any:
            paths = networkit.distance.SPSP(net, some.tolist())
            paths.run()
            return np.asarray(paths.getDistances(asarray=True))[:, graph.homes]

        found.append(Contender("networkit", ask, scale))
        notes["networkit"] = note
    if pandana := _module("pandana"):
        found.append(_pandana(pandana, graph, some, scale))
        notes["pandana"] = note
    return found, notes


def _pandana(peer: Any, graph: RoadGraph, some: npt.NDArray[Any], scale: float) -> Contender:
    """Pairs one by one, the only question about distances between given nodes that it takes."""
    net = peer.Network(
        pd.Series(graph.x),
        pd.Series(graph.y),
        pd.Series(_tails(graph).astype(np.int64)),
        pd.Series(graph.indices.astype(np.int64)),
        pd.DataFrame({"minutes": _minutes(graph)}),
        twoway=False,
    )
    starts, ends = np.repeat(some, graph.homes.size), np.tile(graph.homes, some.size)
    return Contender("pandana", lambda: net.shortest_path_lengths(starts, ends), scale)


_OTHERS = ("pyroutingkit", "igraph", "networkit", "pandana")


def _absent() -> str:
    """Say which peers are missing here."""
    missing = [name for name in _OTHERS if _module(name) is None]
    if not missing:
        return "All peers are installed."
    return f"Not installed where this was measured: {', '.join(missing)}."


def county(rounds: int) -> str:
    """60,025 junctions, 150,062 arcs, 300 sources, 20,000 targets."""
    graph = road_graph(245, 300, 20_000)
    minutes = _minutes(graph)
    matrix = _scipy(graph)
    own = prepare(graph.indptr, graph.indices, minutes)
    site = graph.sites[:1]
    peer = _module("pyroutingkit")
    whole = [
        Contender(_OWN, lambda: own.matrix(graph.sites, graph.homes)),
        Contender("scipy", lambda: dijkstra(matrix, indices=graph.sites)[:, graph.homes]),
    ]
    fresh = [
        Contender(
            _OWN,
            lambda: prepare(graph.indptr, graph.indices, minutes).matrix(graph.sites, graph.homes),
        ),
        whole[1],
    ]
    row = [
        Contender(_OWN, lambda: own.matrix(site, graph.homes)),
        Contender("scipy", lambda: dijkstra(matrix, indices=site)[:, graph.homes]),
    ]
    if peer:
        topology = _topology(peer, graph)
        metric = _metric(peer, topology, graph)
        sites, homes = graph.sites.astype(np.uint32), graph.homes.astype(np.uint32)
        whole.append(Contender("pyroutingkit", lambda: metric.distances_many_to_many(sites, homes)))
        row.append(
            Contender("pyroutingkit", lambda: metric.distances_many_to_many(sites[:1], homes))
        )
        fresh.append(
            Contender(
                "pyroutingkit",
                lambda: _metric(peer, _topology(peer, graph), graph).distances_many_to_many(
                    sites, homes
                ),
            )
        )
    others, notes = _peers(graph, 10)
    half = [
        Contender(_OWN, lambda: own.matrix(graph.sites, graph.homes, cutoff=30.0)),
        Contender(
            "scipy", lambda: dijkstra(matrix, indices=graph.sites, limit=30.0)[:, graph.homes]
        ),
    ]
    check = dijkstra(matrix, indices=graph.sites)[:, graph.homes]
    worst = float(np.abs(own.matrix(graph.sites, graph.homes) - check).max()) * 60.0
    size = f"{graph.indptr.size - 1:,} nodes, {graph.indices.size:,} arcs"
    texts = [
        table(f"County: {size}; 300 x 20,000, prepared", race([*whole, *others], rounds), _OWN,
              notes),
        _absent(),
        f"Largest difference from float64 over the 6,000,000 pairs: {worst:.2g} s.",
        table("The same, preparing included", race(fresh, rounds), _OWN, {}),
        table("One more site: 1 x 20,000", race(row, 4 * rounds), _OWN, {}),
        table("300 x 20,000 within 30 minutes", race(half, rounds), _OWN, {}),
    ]  # fmt: skip
    return "\n\n".join(texts)


def paths(rounds: int) -> str:
    """Minutes and metres, as runs ask for them: 300 sites, 2,000 villages."""
    graph = road_graph(245, 300, 2_000)
    rng = np.random.default_rng(1)
    # Lengths of real roads are no whole numbers, so that ties are rare.
    minutes = _minutes(graph) * rng.uniform(0.999, 1.001, graph.weight.size)
    metres = graph.weight * rng.uniform(0.5, 2.0, graph.weight.size)
    arcs = check_arcs(graph.indptr, graph.indices, minutes)
    own = prepare(graph.indptr, graph.indices, minutes)
    some = graph.sites[:30]
    turned = csr_array((minutes, graph.indices, graph.indptr)).T.tocsr()

    def first() -> Any:
        return [_walked(turned, arcs, metres, int(site), graph.homes) for site in some]

    ask = [
        Contender(
            _OWN, lambda: cost_and_measure(own, metres, graph.sites, graph.homes, reverse=True)
        ),
        Contender(
            "preparing included",
            lambda: cost_and_measure(
                prepare(graph.indptr, graph.indices, minutes), metres, graph.sites, graph.homes,
                reverse=True,
            ),
        ),
        Contender(
            "Dijkstra's trees, compiled",
            lambda: cost_and_measure(arcs, metres, some, graph.homes, reverse=True),
            10.0,
        ),
        Contender("scipy, as runs did before", first, 10.0),
    ]  # fmt: skip
    notes = {c.name: "30 of 300 sources, scaled up" for c in ask if c.scale > 1}
    return table(
        "Minutes and metres of the same trips in float64, as runs and `catchment times` ask: "
        "300 x 2,000 on the county graph",
        race(ask, rounds), _OWN, notes,
    )  # fmt: skip


def _walked(
    turned: csr_array, arcs: Arcs, metres: Any, site: int, homes: npt.NDArray[Any]
) -> tuple[Any, Any]:
    """Costs by scipy, and metres along its tree by doubling the steps taken at a time."""
    k = arcs.nodes
    far, onward = dijkstra(turned, indices=site, return_predecessors=True)
    pair = np.repeat(np.arange(k, dtype=np.int64), np.diff(arcs.start)) * k + arcs.head
    moving = onward >= 0
    ahead = np.where(moving, onward, np.arange(k)).astype(np.int64)
    total = np.zeros(k)
    total[moving] = metres[np.searchsorted(pair, np.flatnonzero(moving) * k + ahead[moving])]
    while not np.array_equal(further := ahead[ahead], ahead):
        total += total[ahead]
        ahead = further
    return far[homes], total[homes]


def start() -> str:
    """How soon a second process has its first matrix."""
    code = """
import json, sys, time
sys.path.insert(0, "scripts")
from benchmarks.graphs import road_graph
graph = road_graph(245, 300, 20_000)
t, c = time.perf_counter(), time.process_time()
from catchment.network.shortest import prepare, travel_matrix
u, d = time.perf_counter(), time.process_time()
travel_matrix(graph.indptr, graph.indices, graph.weight, graph.sites[:1], graph.homes)
v, e = time.perf_counter(), time.process_time()
prepare(graph.indptr, graph.indices, graph.weight).matrix(graph.sites, graph.homes)
w, f = time.perf_counter(), time.process_time()
print(json.dumps([u - t, d - c, v - u, e - d, w - v, f - e]))
"""
    found = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_root()
        )
        found.append(json.loads(done.stdout))
    t = [seconds(value) for value in np.median(np.array(found), axis=0)]
    return (
        "**A second process** (machine code read from disk; county graph; wall, and processor "
        f"time in brackets): import {t[0]} ({t[1]}); first matrix, 1 x 20,000, {t[2]} ({t[3]}); "
        f"then first network prepared and its 300 x 20,000 matrix {t[4]} ({t[5]})."
    )


def _root() -> str:
    from pathlib import Path

    return str(Path(__file__).resolve().parents[2])


def _drain(own: PreparedNetwork, graph: RoadGraph, cutoff: float) -> Callable[[], float]:
    def ask() -> float:
        total = 0.0
        for _, block in own.stream(graph.sites, graph.homes, cutoff=cutoff):
            total += float(block[0, 0])
        return total

    return ask


def _peak_gigabytes() -> float:
    try:
        import resource
    except ImportError:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def province(side: int, rounds: int) -> str:
    """1,000,000 junctions, 2,500,000 arcs, 2,000 sources, 500,000 targets, streamed."""
    graph = road_graph(side, 2000, side * side // 2)
    minutes = _minutes(graph)
    wall, cpu = time.perf_counter(), time.process_time()
    own = prepare(graph.indptr, graph.indices, minutes)
    prepared = (time.process_time() - cpu, time.perf_counter() - wall)
    _drain(own, graph, 60.0)()
    limited = (time.process_time() - cpu, time.perf_counter() - wall)
    peak = _peak_gigabytes()
    matrix = _scipy(graph)
    contenders = [
        Contender(_OWN, _drain(own, graph, np.inf)),
        Contender("scipy", lambda: dijkstra(matrix, indices=graph.sites[:2])[:, graph.homes], 1e3),
    ]
    row = [
        Contender(_OWN, lambda: own.matrix(graph.sites[:1], graph.homes)),
        Contender("scipy", lambda: dijkstra(matrix, indices=graph.sites[:1])[:, graph.homes]),
    ]
    notes = {"scipy": "2 of 2,000 sources, scaled up"}
    extra = ""
    if peer := _module("pyroutingkit"):
        cpu = time.process_time()
        metric = _metric(peer, _topology(peer, graph), graph)
        extra = f" pyroutingkit prepares in {seconds(time.process_time() - cpu)} of processor time."
        some, homes = graph.sites[:4].astype(np.uint32), graph.homes.astype(np.uint32)
        contenders.append(
            Contender("pyroutingkit", lambda: metric.distances_many_to_many(some, homes), 500.0)
        )
        row.append(
            Contender("pyroutingkit", lambda: metric.distances_many_to_many(some[:1], homes))
        )
        notes["pyroutingkit"] = "4 of 2,000 sources, scaled up"
    times = race(contenders, rounds)
    size = f"{graph.indptr.size - 1:,} nodes, {graph.indices.size:,} arcs"
    homes_text = f"{graph.homes.size:,}"
    return "\n\n".join(
        [
            table(
                f"Province: {size}; 2,000 x {homes_text}, prepared, streamed", times, _OWN, notes
            ),
            (
                f"Preparing takes {seconds(prepared[0])} of processor time ({seconds(prepared[1])} "
                f"wall).{extra}"
            ),
            (
                f"2,000 x {homes_text} within 60 minutes, preparing included: {seconds(limited[1])} "
                f"wall, {seconds(limited[0])} of processor time; the process held at most "
                f"{peak:.2f} GB, the graph and what made it included."
            ),
            table(f"One more site: 1 x {homes_text}", race(row, rounds), _OWN, {}),
        ]
    )


def growth(rounds: int) -> str:
    """Cost against nodes and sources, with the physical floor."""
    lines = [
        (
            "**How cost grows** (processor time; targets: a third of the nodes; floor: reading every "
            "arc and its two rows once for 32 sources and writing the matrix once at the speed of a "
            "copy)"
        ),
        "",
        "| nodes | preparing | 30 sites | 300 sites | 2,000 sites | floor, 2,000 sites |",
        "|---|---|---|---|---|---|",
    ]
    source = np.zeros(2**24, np.float32)
    copied = np.empty_like(source)
    np.copyto(copied, source)
    cpu = time.process_time()
    np.copyto(copied, source)
    per_byte = (time.process_time() - cpu) / (2 * source.nbytes)
    figures: dict[int, list[float]] = {}
    for side in (100, 173, 316, 548, 1000):
        graph = road_graph(side, 2000, side * side // 3)
        cpu = time.process_time()
        own = prepare(graph.indptr, graph.indices, _minutes(graph))
        cells = [time.process_time() - cpu]
        for sites in (30, 300, 2000):
            some = graph.sites[:sites]

            def ask(own: PreparedNetwork = own, graph: RoadGraph = graph, some: Any = some) -> None:
                for _ in own.stream(some, graph.homes):
                    pass

            times = race([Contender(_OWN, ask)], min(rounds, 3))
            cells.append(times[_OWN].median)
        h = own.hierarchy
        arcs = 0 if h is None else h.down_node.size
        moved = 2000 / 32 * (arcs * 8 + own.nodes * 2 * 128) + 2000 * graph.homes.size * 4
        cells.append(moved * per_byte)
        figures[own.nodes] = cells
        lines.append(f"| {own.nodes:,} | {' | '.join(map(seconds, cells))} |")
    lines += ["", _drawn(figures)]
    return "\n".join(lines)


def _drawn(figures: dict[int, list[float]]) -> str:
    """Draw the growth beside the document; return the line that shows it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    nodes = sorted(figures)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(
        xscale="log", yscale="log", xlabel="nodes", ylabel="processor seconds"
    )
    names = ("preparing", "30 sites", "300 sites", "2,000 sites", "floor, 2,000 sites")
    for k, name in enumerate(names):
        style = "--" if "floor" in name else "o-"
        axes.plot(nodes, [figures[n][k] for n in nodes], style, label=name)
    axes.grid(alpha=0.3)
    axes.legend()
    place = Path(_root()) / "docs" / "images"
    place.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "growth"}):
        figure.savefig(place / "network_growth.svg", metadata={"Date": None})
    return "![How cost grows with nodes and sites](images/network_growth.svg)"
