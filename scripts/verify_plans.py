"""Random questions: solver against a second solver against the independent check; planted faults.

Usage: python scripts/verify_plans.py [--instances 10000] [--faults 1000] [--seed 0]

Prints one row a kind of question and exits with 1 at the first disagreement. A tenth of the
instances are whole plans (classes, modes, catchments), the others assignments and sitings; plans of
years (closures, moves, buildings, costs) and children taken in across county borders have faults of
their own planted, each of which must be found by its name.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from catchment.batch.seating import seat_guests  # noqa: E402
from catchment.optimise import assignment, consolidation, siting  # noqa: E402
from catchment.optimise.layout import scenario_plan  # noqa: E402
from catchment.verify import check_plan, check_proposal, check_solution  # noqa: E402
from catchment.verify.guests import check_guests, worth_of  # noqa: E402
from tests.batch.test_guests import allowed, random_crossing  # noqa: E402
from tests.verify.random_counties import SPOILS, in_pieces, random_problem  # noqa: E402
from tests.verify.random_proposals import SPOILS as YEARS  # noqa: E402
from tests.verify.random_proposals import sound  # noqa: E402

CASES = 60
"""Tiny plans of years that faults are planted into."""


def _arrays(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, m = int(rng.integers(2, 12)), int(rng.integers(2, 6))
    cost = rng.integers(0, 60, size=(n, m)).astype(float)
    cost[rng.random(cost.shape) < 0.1] = np.inf
    demand = rng.integers(0, 20, size=n).astype(float)
    share = rng.dirichlet(np.ones(m)) * demand.sum() * (0.8 + rng.random())
    return cost, demand, np.ceil(share)


def _second(cost: np.ndarray, demand: np.ndarray, capacity: np.ndarray) -> float | None:
    """Optimum by HiGHS's simplex on the plain model; None where there is no plan."""
    n, m = cost.shape
    pairs = [(i, j) for i in range(n) for j in range(m) if np.isfinite(cost[i, j])]
    rows = np.zeros((n, len(pairs)))
    seats = np.zeros((m, len(pairs)))
    for k, (i, j) in enumerate(pairs):
        rows[i, k], seats[j, k] = 1, 1
    if not pairs:
        return 0.0 if not demand.any() else None
    done = linprog(
        [cost[p] for p in pairs], A_ub=seats, b_ub=capacity, A_eq=rows, b_eq=demand, method="highs"
    )
    return float(done.fun) if done.status == 0 else None


def transport(rng: np.random.Generator) -> str:
    """Compare a splittable assignment."""
    cost, demand, capacity = _arrays(rng)
    answer = assignment.transport(cost, demand, capacity)
    other = _second(cost, demand, capacity)
    if other is None:
        return "" if answer.status == "infeasible" else f"infeasible, ours {answer.status}"
    if answer.status != "optimal" or abs(answer.objective - other) > 1e-6 * max(1.0, other):
        return f"second solver {other}, ours {answer.objective} ({answer.status})"
    faults = check_solution(cost, demand, capacity, answer)
    return "; ".join(fault.said()[1] for fault in faults)


def p_median(rng: np.random.Generator) -> str:
    """Compare a siting with the enumeration of all choices."""
    cost, demand, _ = _arrays(rng)
    cost[~np.isfinite(cost)] = 99
    p = int(rng.integers(1, cost.shape[1] + 1))
    answer = siting.p_median(cost, demand, p, time_limit=10)
    best = min(
        float((demand * cost[:, list(chosen)].min(axis=1)).sum())
        for chosen in itertools.combinations(range(cost.shape[1]), p)
    )
    if abs(answer.objective - best) > 1e-6 * max(1.0, best) or answer.status != "optimal":
        return f"enumeration {best}, ours {answer.objective} ({answer.status})"
    places = np.full(cost.shape[1], np.inf)
    return "; ".join(f.said()[1] for f in check_solution(cost, demand, places, answer))


def whole_plan(rng: np.random.Generator) -> str:
    """Check a plan of villages, classes and modes."""
    problem = random_problem(rng)
    plan = scenario_plan(problem, "nearest")
    faults = check_plan(problem, plan, connected_from=0)
    return "; ".join(f.said()[1] for f in faults if f.severity() == "broken")


def planted(rng: np.random.Generator, k: int) -> str | None:
    """Spoil a sound plan; None where it cannot be spoiled so, words where nothing was found."""
    problem = random_problem(rng)
    plan = scenario_plan(problem, "nearest")
    spoil = (*SPOILS, in_pieces)[k % (len(SPOILS) + 1)]
    spoiled = spoil(problem, plan, rng)
    if spoiled is None:
        return None
    faults = check_plan(problem, spoiled, connected_from=0)
    return "" if any(f.severity() == "broken" for f in faults) else spoil.__name__


def one_too_many(rng: np.random.Generator) -> str | None:
    """Take one place from a full site of an optimal assignment."""
    cost, demand, capacity = _arrays(rng)
    answer = assignment.transport(cost, demand, capacity)
    if answer.status != "optimal" or answer.share is None or not demand.sum():
        return None
    load = np.asarray(answer.share.sum(axis=0)).ravel()
    full = int(np.argmax(load))
    tight = capacity.copy()
    tight[full] = load[full] - 1
    found = {f.code for f in check_solution(cost, demand, tight, answer)}
    return "" if "over_places" in found else f"one student too many at {full}"


def planted_in_years(rng: np.random.Generator, k: int) -> str | None:
    """Spoil a plan of years; None where it cannot be spoiled so."""
    case = sound(int(rng.integers(CASES)))
    if case is None:
        return None
    spoil = YEARS[k % len(YEARS)]
    spoilt = spoil(*case, rng)
    if spoilt is None:
        return None
    found = {fault.code for fault in check_proposal(*spoilt[:2])}
    return "" if spoilt[2] in found else f"{spoil.__name__}: {sorted(found)}"


def years_agree(k: int) -> str | None:
    """Compare the check with the model's own recheck on a sound plan; None where there is none."""
    case = sound(k)
    if case is None:
        return None
    return "; ".join(f.said()[1] for f in check_proposal(*case)) + "; ".join(
        str(v) for v in consolidation.check(*case)
    )


def across(rng: np.random.Generator) -> str:
    """Compare who is taken in across a border with the best of all ways of doing it."""
    crossing = random_crossing(rng)
    seated = seat_guests(crossing)
    faults = check_guests(crossing, seated, 2026)
    every = itertools.product(range(-1, len(crossing.hosts)), repeat=len(crossing.parties))
    worth = [worth_of(crossing, pick) for pick in every if allowed(crossing, pick)]
    best = max((*w[:3], -w[3]) for w in worth)
    if (*seated.worth[:3], -seated.worth[3]) != best or not seated.proved():
        return f"enumeration {best}, ours {seated}"
    return "; ".join(fault.said()[1] for fault in faults)


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--faults", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = [transport] * 6 + [p_median] * 3 + [whole_plan]
    agreed: Counter[str] = Counter()
    for k in range(options.instances):
        kind = kinds[k % len(kinds)]
        wrong = kind(np.random.default_rng([options.seed, k]))
        if wrong:
            print(f"{kind.__name__} {k}: {wrong}")
            return 1
        agreed[kind.__name__] += 1
    found: Counter[str] = Counter()
    k = 0
    while sum(found.values()) < options.faults:
        rng = np.random.default_rng([options.seed, 1, k])
        missed = one_too_many(rng) if k % 10 == 0 else planted(rng, k)
        k += 1
        if missed:
            print(f"planted fault not found, {k - 1}: {missed}")
            return 1
        if missed is not None:
            found["one_too_many" if (k - 1) % 10 == 0 else "planted"] += 1
    sums = {"plans of years": 0, "children across borders": 0}
    for k in range(CASES):
        wrong = years_agree(k)
        if wrong:
            print(f"plan of years {k}: {wrong}")
            return 1
        sums["plans of years"] += wrong is not None
    for k in range(options.instances // 10):
        wrong = across(np.random.default_rng([options.seed, 2, k]))
        if wrong:
            print(f"border {k}: {wrong}")
            return 1
        sums["children across borders"] += 1
    agreed.update(sums)
    k = 0
    kinds_found: Counter[str] = Counter()
    while kinds_found.total() < options.faults:
        missed = planted_in_years(np.random.default_rng([options.seed, 3, k]), k)
        if missed:
            print(f"planted fault in a plan of years not found, {k}: {missed}")
            return 1
        kinds_found[YEARS[k % len(YEARS)].__name__] += missed is not None
        k += 1
    found[f"plans of years, {len(+kinds_found)} kinds"] = kinds_found.total()
    print("| what | instances | disagreements |\n|---|---|---|")
    for name, number in sorted(agreed.items()):
        print(f"| {name} | {number:,} | 0 |")
    for name, number in sorted(found.items()):
        print(f"| faults planted, {name} | {number:,} | 0 missed |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
