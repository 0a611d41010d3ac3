"""Real blocks of a school district redrawn: our catchments beside the four official options.

Run by hand: ``python scripts/baltimore.py --write`` (needs the shared cases) writes
``docs/baltimore.md`` and ``docs/images/baltimore.png``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix

from catchment.optimise import assignment
from catchment.optimise.solution import Solution

ROOT = Path(__file__).resolve().parents[1]
TODAY = "ES1516"
OPTIONS = ("NovOpt1", "NovOpt2", "NovOpt3", "NovOpt4")
ASIDE = "Edmondson Heights ES"  # not in the list of schools; no option changes its zone
METRIC = 26918  # NAD83 / UTM zone 18N
WORK = 15e6
STAY_KM = 1.0

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Blocks, schools, and zones as positions of schools.

    ``rated`` are the places by the state; ``used`` the greater of these and of the largest number
    of students that an official option sends there.
    """

    blocks: gpd.GeoDataFrame
    names: tuple[str, ...]
    points: gpd.GeoSeries
    demand: Float64
    km: Float64
    rated: Float64
    used: Float64
    touch: csr_matrix
    home: Int32
    zones: dict[str, Int32]


def read_case(folder: Path) -> Case:
    """Read blocks and schools and match them.

    Parameters
    ----------
    folder : Path
        Folder of the case.

    Returns
    -------
    Case
        Without the zone that has no school in the list.
    """
    blocks = gpd.read_file(folder / "151118.geo.json").to_crs(METRIC)
    blocks = blocks[blocks[TODAY] != ASIDE].reset_index(drop=True)
    schools = gpd.read_file(folder / "schoolLocations.geo.json").to_crs(METRIC)
    schools = schools[schools["TYPE"] == "ES"].set_index("NAME")
    names = tuple(sorted(set(blocks[TODAY]) | {n for o in OPTIONS for n in blocks[o]}))
    # the new building replaces the old one
    listed = ["NewCatonsville ES" if name == "Catonsville ES" else name for name in names]
    demand = blocks["K5LiveAtt"].astype(float).to_numpy()
    points = gpd.GeoSeries(schools.loc[listed, "geometry"].to_numpy(), crs=METRIC)
    middle = blocks.representative_point()
    km = np.column_stack([middle.distance(point) for point in points]) / 1000
    rated = schools.loc[listed, "SRC"].astype(float).to_numpy()
    position = {name: j for j, name in enumerate(names)}
    zones = {
        column: blocks[column].map(position).to_numpy(dtype=np.int32)
        for column in (TODAY, *OPTIONS)
    }
    loads = [np.bincount(zones[o], demand, minlength=len(names)) for o in OPTIONS]
    shapes = blocks.geometry
    pairs = shapes.sindex.query(shapes.buffer(1.0), predicate="intersects")
    edge = [
        i != j and shapes[i].buffer(1.0).intersection(shapes[j].buffer(1.0)).area > 100
        for i, j in pairs.T
    ]
    graph: nx.Graph[int] = nx.Graph(pairs[:, edge].T.tolist())
    graph.add_nodes_from(range(len(blocks)))
    for alone in sorted(nx.isolates(graph)):  # across a strip that belongs to no block
        graph.add_edge(alone, int(shapes.drop(alone).distance(shapes[alone]).idxmin()))
    touch = csr_matrix(nx.to_scipy_sparse_array(graph, nodelist=list(range(len(blocks)))) > 0)
    home = np.array([int(shapes.distance(point).argmin()) for point in points], dtype=np.int32)
    used = np.maximum(rated, np.max(loads, axis=0))
    return Case(blocks, names, points, demand, km, rated, used, touch, home, zones)


def drawn(case: Case, capacity: Float64, stay_km: float) -> Solution:
    """Draw catchments within places; leaving today's school costs ``stay_km`` a student.

    Parameters
    ----------
    case : Case
        The blocks.
    capacity : (m,) float64
        Places.
    stay_km : float
        Kilometres.

    Returns
    -------
    Solution
        The plan.
    """
    moved = case.zones[TODAY][:, None] != np.arange(len(case.names))[None]
    return assignment.districts(
        case.km + stay_km * moved,
        case.demand,
        capacity,
        case.touch,
        case.home,
        time_limit=600,
        seed=1,
        work=WORK,
    )


def judged(case: Case, site_of: Int32) -> dict[str, float]:
    """Measure a plan.

    Parameters
    ----------
    case : Case
        The blocks.
    site_of : (n,) int32
        School of each block.

    Returns
    -------
    dict
        Figures by name.
    """
    m = len(case.names)
    km = case.km[np.arange(len(site_of)), site_of]
    order = np.argsort(km)
    far = km[order][np.searchsorted(case.demand[order].cumsum(), 0.95 * case.demand.sum())]
    load = np.bincount(site_of, case.demand, minlength=m)
    graph = nx.from_scipy_sparse_array(case.touch)
    pieces = [
        nx.number_connected_components(graph.subgraph(np.flatnonzero(site_of == j).tolist()))
        for j in range(m)
    ]
    return {
        "mean km": float((case.demand * km).sum() / case.demand.sum()),
        "95 % of students within km": float(far),
        "students above rated places": float(np.maximum(load - case.rated, 0).sum()),
        "fullest school, % of rated places": float(100 * (load / case.rated).max()),
        "emptiest school, % of rated places": float(100 * (load / case.rated).min()),
        "students who change school": float(case.demand[site_of != case.zones[TODAY]].sum()),
        "zones in more than one piece": float(sum(p > 1 for p in pieces)),
    }


def plans(case: Case) -> dict[str, tuple[Int32, str]]:
    """Today's zones, the official options and ours.

    Parameters
    ----------
    case : Case
        The blocks.

    Returns
    -------
    dict
        Plan and its status by name.
    """
    table = {"zones of 2015-16": (case.zones[TODAY], "official")}
    for option in OPTIONS:
        table[option.replace("NovOpt", "option ")] = (case.zones[option], "official")
    for name, capacity, stay in (
        ("ours, rated places", case.rated, STAY_KM),
        ("ours, places the options use", case.used, STAY_KM),
        ("ours, the same, least travel", case.used, 0.0),
    ):
        answer = drawn(case, capacity, stay)
        served = (answer.site_of >= 0).all()
        table[name] = (answer.site_of, answer.status if served else "no plan")
    return table


def _picture(case: Case, table: dict[str, tuple[Int32, str]], path: Path) -> None:
    import matplotlib.pyplot as plt

    shown = ["zones of 2015-16", "option 1", "ours, places the options use"]
    figure, axes = plt.subplots(1, len(shown), figsize=(15, 5), layout="constrained")
    colours = plt.get_cmap("tab10")(np.arange(len(case.names)))
    for axis, name in zip(axes, shown, strict=True):
        site_of = table[name][0]
        case.blocks.plot(ax=axis, color=colours[site_of], edgecolor="white", linewidth=0.3)
        moved = case.blocks[(site_of != case.zones[TODAY]) & (case.demand > 0)]
        if len(moved):
            moved.plot(ax=axis, facecolor="none", edgecolor="black", linewidth=0.9, hatch="////")
        case.points.plot(ax=axis, color="black", markersize=28, marker="^", zorder=3)
        for point, label in zip(case.points, case.names, strict=True):
            axis.annotate(
                label.removesuffix(" ES"), (point.x, point.y), (0, 7), fontsize=8,
                textcoords="offset points", ha="center",
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        axis.set_title(name)
        axis.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def page(case: Case, table: dict[str, tuple[Int32, str]]) -> str:
    """Write the page of the documentation.

    Parameters
    ----------
    case : Case
        The blocks.
    table : dict
        Plans by name.

    Returns
    -------
    str
        Markdown.
    """
    figures = pd.DataFrame(
        {name: judged(case, plan) for name, (plan, status) in table.items() if status != "no plan"}
    )
    rows = ["| | " + " | ".join(figures.columns) + " |", "|---" * (len(figures.columns) + 1) + "|"]
    for name, row in figures.iterrows():
        digits = 2 if "km" in str(name) else 0
        rows.append(f"| {name} | " + " | ".join(f"{x:,.{digits}f}" for x in row) + " |")
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    spare = case.rated.sum() - case.demand.sum()
    missing = [name for name, (_, status) in table.items() if status == "no plan"]
    return f"""# Real blocks: Baltimore County, south-west area, 2015

{len(case.blocks)} planning blocks, {case.demand.sum():,.0f} pupils of kindergarten to grade 5,
{len(case.names)} schools. The district published four options; ours are beside them. Kilometres are
straight lines from a point within the block to the school, for there are no roads in the case. The
zone of {ASIDE} is left out: the list of schools does not hold it, and no option changes it.
Rated places are the column SRC, {case.rated.sum():,.0f} in all, {spare:,.0f} more than pupils. The
options send more to Lansdowne and Relay than are listed there, so ours are drawn twice: within rated
places, and within the larger of these and what an option sends. Leaving the school of 2015-16 counts
as {STAY_KM:g} km a pupil, but in the last column. A block that touches none (two without pupils) counts as
neighbour of the nearest. Every plan is of whole blocks, recounted by
networkx. {"No plan of whole, connected blocks was found for: " + ", ".join(missing) + "." if missing else ""}

{chr(10).join(rows)}

Hatched: blocks with pupils that change school.

![zones of 2015-16, option 1 and ours](images/baltimore.png)

Measured at commit `{commit}` by `python scripts/baltimore.py --write`.
"""


def main() -> None:
    """Draw, measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/baltimore.md")
    options: Any = parser.parse_args()
    shared = Path(os.environ.get("CATCHMENT_SHARED", ROOT / ".." / "shared"))
    case = read_case(shared / "cases" / "baltimore")
    table = plans(case)
    text = page(case, table)
    print(text)
    if options.write:
        (ROOT / "docs" / "baltimore.md").write_text(text, encoding="utf-8")
        _picture(case, table, ROOT / "docs" / "images" / "baltimore.png")


if __name__ == "__main__":
    main()
