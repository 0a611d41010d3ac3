"""Siting against the solver's plain model and spopt with CBC, on published and made instances."""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path

from catchment.optimise import capacitated_model, siting
from catchment.optimise.seating import Question
from catchment.optimise.solution import Solution

MEASURED = tuple(
    f"catchment/optimise/{name}.py"
    for name in (
        "siting", "location", "lagrange", "covering", "seating", "capacitated",
        "capacitated_bound", "capacitated_model", "capacitated_search", "capacitated_tree",
        "capacitated_whole",
    )
)  # fmt: skip
SHARED = Path(
    os.environ.get("CATCHMENT_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")
)
Float64 = npt.NDArray[np.float64]
_PARTS = ("published", "larger", "sizes", "peers")
_PREFACE = """## Siting: median, centre, coverage, cover, capacitated

Every unit of demand offers a price; the prices bound all plans from below, say which sites are
decided, and lead the search for plans. What stays undecided is settled by branching on sites;
only single-source and least-load questions hand what is left to the solver. `gap` is the proved
distance of the plan from the bound; limits are wall clock, times are of the processor. Made
instances are of the families of the published ones: random graphs for the median; for capacitated
location 1,000 customers and 100 sites in a square, costs by distance with noise. Run it with `python scripts/benchmark.py siting --write`.
"""


class Case(NamedTuple):
    """One question with what is published about it."""

    name: str
    model: str
    question: dict[str, Any]
    optimum: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this theme."""
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each question")


def run(options: argparse.Namespace) -> str:
    """Run the parts asked for (all by default) and return their tables."""
    texts = [_PREFACE.strip()]
    wanted = options.parts or _PARTS
    _warm()
    if "published" in wanted:
        texts += [
            _table("Published p-median", medians(), options.limit),
            _table("Published capacitated location, demand split", locations(), options.limit),
            _table("Published capacitated p-median, units whole", whole(), options.limit),
        ]
    if "larger" in wanted:
        texts.append(_table("Made p-median, up to 900 vertices", made_medians(), options.limit))
        texts.append(
            _table("Made capacitated location, 100 x 1,000", made_locations(), options.limit)
        )
        texts.append(_table("Made single-source location", made_whole(), options.limit))
    if "sizes" in wanted:
        texts.append(_table("A county: the five models", county(), options.limit))
    if "peers" in wanted:
        texts.append(_peers(options.limit))
    return "\n\n".join(texts)


def _warm() -> None:
    """Compile before anything is timed."""
    far = np.abs(np.arange(4)[:, None] - np.arange(4)[None, :]).astype(float)
    siting.p_median(far, None, 2)
    siting.capacitated(far, np.ones(4), np.full(4, 2.0), 1.0)


def ask(case: Case, limit: float) -> Solution:
    """Answer one question."""
    model: Callable[..., Solution] = getattr(siting, case.model)
    return model(**case.question, time_limit=limit)


def _table(title: str, cases: Iterator[Case], limit: float) -> str:
    head = "| | best known | plan | gap | status | processor seconds |\n|---|---|---|---|---|---|"
    rows, total = [head], 0.0
    for case in cases:
        began = time.process_time()
        answer = ask(case, limit)
        spent = time.process_time() - began
        total += spent
        gap = abs(answer.objective - answer.bound) / max(abs(answer.objective), 1e-12)
        known = "" if case.optimum is None else f"{case.optimum:,.10g}"
        rows.append(
            f"| {case.name} | {known} | {answer.objective:,.10g} | {100 * gap:.4f} % "
            f"| {answer.status} | {spent:.2f} |"
        )
    return f"**{title}** ({total:.1f} processor seconds together)\n\n" + "\n".join(rows)


def _published(folder: str) -> Iterator[tuple[str, float, list[float]]]:
    place = SHARED / "benchmarks" / folder
    with (place / "published.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            words = (place / f"{row['instance']}.txt").read_text(encoding="utf-8").split()
            yield row["instance"], float(row["optimum"]), [float(word) for word in words]


def medians() -> Iterator[Case]:
    """Read the published p-median instances."""
    for name, optimum, data in _published("p-median"):
        n, edges, p = (int(value) for value in data[:3])
        table = np.zeros((n, n))
        for i, j, length in np.array(data[3 : 3 + 3 * edges]).reshape(-1, 3):
            table[int(i) - 1, int(j) - 1] = table[int(j) - 1, int(i) - 1] = length
        cost = shortest_path(csr_matrix(table), directed=False)
        label = f"{name} ({n}, {p})"
        yield Case(label, "p_median", {"cost": cost, "weight": None, "p": p}, optimum)


def locations() -> Iterator[Case]:
    """Read the published capacitated location instances."""
    for name, optimum, data in _published("capacitated-location"):
        m, n = int(data[0]), int(data[1])
        sites = np.array(data[2 : 2 + 2 * m]).reshape(m, 2)
        rows = np.array(data[2 + 2 * m :]).reshape(n, m + 1)
        question = {
            "cost": rows[:, 1:] / rows[:, :1],
            "demand": rows[:, 0],
            "capacity": sites[:, 0],
            "fixed_cost": sites[:, 1],
        }
        yield Case(f"{name} ({n} x {m})", "capacitated", question, optimum)


def whole() -> Iterator[Case]:
    """Read the published capacitated p-median instances."""
    for name, optimum, data in _published("capacitated-p-median"):
        n, p, places = int(data[2]), int(data[3]), data[4]
        rows = np.array(data[5 : 5 + 4 * n]).reshape(n, 4)
        far = np.floor(np.sqrt(((rows[:, None, 1:3] - rows[None, :, 1:3]) ** 2).sum(axis=2)))
        question = {
            "cost": far / rows[:, 3:],
            "demand": rows[:, 3],
            "capacity": np.full(n, places),
            "fixed_cost": None,
            "p": p,
            "single_source": True,
        }
        yield Case(f"{name} ({n}, {p})", "capacitated", question, optimum)


def made_medians() -> Iterator[Case]:
    """Make random graphs of the published family."""
    for n, p in (
        (500, 5), (500, 50), (600, 5), (600, 60), (700, 10), (700, 140),
        (800, 5), (800, 67), (900, 5), (900, 10), (900, 20), (900, 50), (900, 90),
    ):  # fmt: skip
        rng = np.random.default_rng(n + p)
        table = np.zeros((n, n))
        for i in range(n - 1):
            table[i, i + 1] = table[i + 1, i] = rng.integers(1, 100)
        for _ in range(n * n // 50 - n + 1):
            i, j = rng.integers(0, n, 2)
            if i != j:
                table[i, j] = table[j, i] = rng.integers(1, 100)
        cost = shortest_path(csr_matrix(table), directed=False)
        yield Case(f"n = {n}, p = {p}", "p_median", {"cost": cost, "weight": None, "p": p}, None)


def square(
    n: int, m: int, places: float, rent: float, seed: int, *, equal: bool = True
) -> dict[str, Any]:
    """Make customers and sites in a square of 1,000 x 1,000."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 1000, (n, 2)), rng.uniform(0, 1000, (m, 2))
    demand = rng.integers(1, 116, n).astype(float)
    far = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    size = np.full(m, places) if equal else np.round(places * rng.uniform(0.6, 1.4, m))
    return {
        "cost": np.round(far * rng.uniform(1, 1.25, (n, m)), 3),
        "demand": demand,
        "capacity": size,
        "fixed_cost": np.round(rent * rng.uniform(0.5, 1.5, m)),
    }


def made_locations() -> Iterator[Case]:
    """Make capacitated location with dear and cheap sites, equal and unequal places."""
    for places, rent, equal, seed in (
        (8000, 1e6, True, 0), (8000, 1e6, True, 1), (10000, 2e6, True, 2), (5000, 5e5, True, 3),
        (14000, 4e6, True, 4), (8000, 1e6, False, 5), (4000, 3e5, False, 6), (2500, 1e5, True, 7),
    ):  # fmt: skip
        kind = "equal" if equal else "unequal"
        name = f"{kind} places {places:,}, fixed cost {rent:,.0f}"
        yield Case(name, "capacitated", square(1000, 100, places, rent, seed, equal=equal), None)


def made_whole() -> Iterator[Case]:
    """Make single-source location of growing size."""
    for n, m, places, rent in ((100, 20, 700, 1e5), (200, 30, 1000, 1e5), (300, 60, 1200, 1e5)):
        question = {**square(n, m, places, rent, n), "single_source": True}
        yield Case(f"{n} x {m}", "capacitated", question, None)


def county() -> Iterator[Case]:
    """Make a county of 2,000 villages and 150 sites: minutes by road, children by village."""
    rng = np.random.default_rng(11)
    n, m = 2000, 150
    village = rng.normal(rng.uniform(0, 60, (14, 2))[rng.integers(0, 14, n)], 6.0)
    site = village[rng.choice(n, m, replace=False)] + rng.normal(0, 0.3, (m, 2))
    far = np.hypot(*(village[:, None] - site[None]).transpose(2, 0, 1))
    minutes = np.round(far * rng.uniform(1.2, 1.8, (n, m)) * 2, 1)
    children = rng.geometric(0.12, n).astype(float)
    places = np.round(rng.uniform(0.6, 1.8, m) * children.sum() / 60)
    yield Case("p_median, p = 60", "p_median", {"cost": minutes, "weight": children, "p": 60}, None)
    yield Case("p_center, p = 60", "p_center", {"cost": minutes, "p": 60}, None)
    yield Case(
        "max_coverage, p = 40, 15 min",
        "max_coverage",
        {"cost": minutes, "weight": children, "p": 40, "limit": 15.0},
        None,
    )
    yield Case("set_cover, 60 min", "set_cover", {"cost": minutes, "limit": 60.0}, None)
    sized = {"cost": minutes, "demand": children, "capacity": places, "fixed_cost": 3000.0}
    yield Case("capacitated, split", "capacitated", sized, None)
    yield Case("capacitated, split, p = 70", "capacitated", {**sized, "p": 70}, None)


def _peers(limit: float) -> str:
    """Compare with the plain model and, where it is installed, spopt."""
    rows = ["| | catchment | HiGHS, plain model | spopt with CBC |\n|---|---|---|---|"]
    picked = [case for case in medians() if case.name.split()[0] in ("pmed1", "pmed6", "pmed20")]
    picked += list(made_locations())[:2] + list(whole())[6:8]
    for case in picked:
        answer = ask(case, limit)
        rows.append(
            f"| {case.name} | {answer.objective:,.10g} {answer.status}, {answer.seconds:.2f} s "
            f"| {_highs(case, limit)} | {_spopt(case, limit)} |"
        )
    return f"**Peers, {limit:.0f} s each** (wall clock, models built included)\n\n" + "\n".join(
        rows
    )


def _highs(case: Case, limit: float) -> str:
    words = case.question
    cost = words["cost"]
    n, m = cost.shape
    question = Question(
        cost,
        words.get("demand", np.ones(n)),
        words.get("capacity", np.full(m, float(n))),
        np.zeros(m) if words.get("fixed_cost") is None else words["fixed_cost"],
        np.zeros(m),
        np.zeros(m, dtype=np.int8),
        words.get("p"),
        bool(words.get("single_source", False)),
    )
    began = time.perf_counter()
    bound, plan = capacitated_model.optimise(question, until=began + limit)
    spent = time.perf_counter() - began
    if plan is None:
        return f"no plan, bound {bound:,.10g}, {spent:.1f} s"
    chosen, site_of = plan
    value = question.rent[chosen].sum()
    value += (question.demand * cost[np.arange(n), site_of]).sum()
    about = "" if question.whole or "capacity" not in words else "about "
    return f"{about}{value:,.10g}, bound {bound:,.10g}, {spent:.1f} s"


def _spopt(case: Case, limit: float) -> str:
    if case.model != "p_median":
        return "no such model"
    try:
        import pulp
        from spopt.locate import PMedian
    except ImportError:
        return "not installed"
    began = time.perf_counter()
    cost = case.question["cost"]
    model = PMedian.from_cost_matrix(cost, np.ones(len(cost)), case.question["p"])
    solver = pulp.PULP_CBC_CMD(msg=False, timeLimit=limit)
    try:
        model = model.solve(solver)
    except RuntimeError as error:
        return f"{error}, {time.perf_counter() - began:.1f} s"
    value = pulp.value(model.problem.objective)
    return f"{value:,.10g}, {time.perf_counter() - began:.1f} s"
