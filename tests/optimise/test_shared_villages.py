"""Villages that several schools share, through the whole plan, against trying every assignment."""

from __future__ import annotations

import itertools
from functools import cache

import networkx as nx
import numpy as np
import pytest

from catchment.optimise.layout import scenario_plan
from catchment.optimise.layouts.drawing import OVER_LIMIT_MINUTES
from catchment.optimise.layouts.places import band_places
from catchment.optimise.wishes import RIDE_MINUTES, NoPlanError, Shared, Wishes
from catchment.plan import students_at
from tests.run.test_layout import problem_of
from tests.tiny_region import tiny_region

BAND = 0


@pytest.fixture(scope="module")
def county():
    return problem_of(tiny_region())


def asked(county, seed):
    """Draw few students by village, one or two shared villages, and wishes of every other kind."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(county.group_band == BAND)
    sites = np.flatnonzero(county.must_open[:, BAND].all(axis=1))
    students = np.zeros_like(county.students)
    first = int(np.flatnonzero(county.grade_band == BAND)[0])
    students[rows, first] = rng.integers(0, 6, len(rows))[:, None]
    problem = county.replace(students=students)
    # places about as many as students, so that they bind
    total = int(problem.demand()[rows, 0].sum())
    m, b = len(county.site_ids), len(county.bands)
    most, least = np.full((m, b), -1, dtype=np.int32), np.zeros((m, b), dtype=np.int32)
    for j in sites:
        if rng.random() < 0.7:
            most[j, BAND] = int(rng.integers(1, max(total, 2)))
        if rng.random() < 0.4:
            least[j, BAND] = int(rng.integers(1, max(total // 2, 2)))
    chosen = rng.choice(rows, int(rng.integers(1, 3)), replace=False)
    shared = []
    for i in chosen.tolist():
        among = tuple(
            rng.choice(sites, int(rng.integers(2, len(sites) + 1)), replace=False).tolist()
        )
        weight = rng.integers(1, 5, len(among)).astype(float)
        shares = tuple((weight / weight.sum()).tolist()) if rng.random() < 0.5 else ()
        shared.append(Shared((i,), among, shares))
    barred = (rng.random(county.minutes[0].shape) < 0.1) & (county.group_band == BAND)[:, None]
    for each in shared:
        barred[np.ix_(each.groups, each.sites)] = False
    pairs = [tuple(rng.choice(rows, 2, replace=False).tolist()) for _ in range(2)]
    given = rng.random(2) < 0.35
    return problem, Wishes(
        barred=barred, least=least, most=most, shared=tuple(shared),
        together=(pairs[0],) if given[0] else (), apart=(pairs[1],) if given[1] else (),
    )  # fmt: skip


def remainders(shares, total):
    """Whole students by largest remainders, the first school first among equals."""
    exact = [s / sum(shares) * total for s in shares]
    part = [int(x + 1e-9) for x in exact]
    order = sorted(range(len(part)), key=lambda k: (-(round(exact[k] - part[k], 12)), k))
    for k in order[: total - sum(part)]:
        part[k] += 1
    return part


@cache
def ways(total, count):
    """All ways to divide so many students among so many schools."""
    if count == 1:
        return [(total,)]
    return [(k, *rest) for k in range(total + 1) for rest in ways(total - k, count - 1)]


def weights(problem, wishes, rows):
    """Minutes as they count, inf where a village must not go."""
    usable = np.flatnonzero(problem.must_open[:, BAND, 0])
    minutes = problem.minutes[0][rows].astype(float)
    walks = problem.mode[0][rows] == problem.modes.index("walk")
    weight = minutes + np.where(walks, 0.0, RIDE_MINUTES)
    near = minutes[:, usable].min(axis=1, keepdims=True)
    weight += OVER_LIMIT_MINUTES * (minutes > np.maximum(problem.trip_limit[BAND], near))
    weight[wishes.barred[rows]] = np.inf
    for each in wishes.shared:
        others = np.setdiff1d(np.arange(weight.shape[1]), each.sites)
        weight[np.ix_(np.isin(rows, each.groups), others)] = np.inf
    return usable, weight


def every_plan(problem, wishes):
    """Every plan that is allowed but for places: loads by school and weight, the cheapest of equals.

    Whole villages go to one school; of a shared village at least one student goes to the school it
    is counted with; catchments lie in one piece with the school's own village.
    """
    rows = np.flatnonzero(problem.group_band == BAND)
    usable, weight = weights(problem, wishes, rows)
    demand = problem.demand()[rows, 0].tolist()
    village = problem.group_village[rows]
    graph = nx.from_scipy_sparse_array(problem.neighbours[village][:, village])
    at = {int(i): k for k, i in enumerate(rows)}
    graph.add_edges_from((at[a], at[b]) for a, b in wishes.together)
    part_of = {at[i]: each for each in wishes.shared for i in each.groups}
    choices = [[j for j in usable if np.isfinite(weight[k, j])] for k in range(len(rows))]
    for k, row in enumerate(rows):
        # a village without children that may go nowhere lies in any catchment
        if not choices[k] and not demand[k]:
            choices[k] = [j for j in usable if np.isfinite(problem.minutes[0][row, j])]
            weight[k, choices[k]] = 0.0
    found: dict[tuple[int, ...], float] = {}
    home = {j: int(np.flatnonzero(village == problem.home[j])[0]) for j in usable}
    for site in itertools.product(*choices):
        if any(np.isfinite(weight[h, j]) and site[h] != j and counts(part_of, h, j, demand)
               for j, h in home.items()):  # fmt: skip
            continue
        if any(site[at[a]] != site[at[b]] for a, b in wishes.together):
            continue
        groups = ([k for k, j in enumerate(site) if j == s] for s in set(site))
        if not all(nx.is_connected(graph.subgraph(each)) for each in groups):
            continue
        for plan in divided(site, part_of, demand, weight):
            where = [{j for j, n in each.items() if n} | {site[k]} for k, each in enumerate(plan)]
            if any(where[at[a]] & where[at[b]] for a, b in wishes.apart):
                continue
            load = tuple(sum(each.get(j, 0) for each in plan) for j in usable)
            value = sum(
                n * weight[k, j] for k, each in enumerate(plan) for j, n in each.items() if n
            )
            found[load] = min(found.get(load, np.inf), value)
    return usable, found


def counts(part_of, h, j, demand):
    """Whether a village can be counted with its own school: some of its children may go there."""
    each = part_of.get(h)
    if each is None or not each.shares or not demand[h]:
        return True
    return remainders(each.shares, demand[h])[each.sites.index(j)] > 0


def divided(site, part_of, demand, weight):
    """All ways to divide the shared villages of an assignment."""
    options = []
    for k, j in enumerate(site):
        each = part_of.get(k)
        if each is None:
            options.append([{j: demand[k]}])
            continue
        if each.shares:
            all_of = [tuple(remainders(each.shares, demand[k]))]
        else:
            all_of = ways(demand[k], len(each.sites))
        options.append([
            part for counts_ in all_of
            if (part := dict(zip(each.sites, counts_, strict=True))).get(j, 0) >= min(demand[k], 1)
            and all(np.isfinite(weight[k, s]) for s, n in part.items() if n)
        ])  # fmt: skip
    return itertools.product(*options)


def best(problem, wishes):
    """Weight of the best plan at the least excess of places, inf where no plan is allowed."""
    usable, found = every_plan(problem, wishes)
    places = band_places(problem, BAND, 0)[usable]
    assert places.min() > problem.demand().sum()  # no place is short but for the wishes
    most, least = wishes.most[usable, BAND], wishes.least[usable, BAND]
    allowed = [
        value
        for load, value in found.items()
        if all(x <= k or k < 0 for x, k in zip(load, most, strict=True))
        and all(x >= k for x, k in zip(load, least, strict=True))
    ]
    return min(allowed, default=np.inf)


def weighed(problem, wishes, plan):
    """Weight of a plan, everybody counted where they go."""
    rows = np.flatnonzero(problem.group_band == BAND)
    _, weight = weights(problem, wishes, rows)
    demand = problem.demand()[rows, 0]
    site = plan.site_of[rows, 0]
    total = float(np.where(demand > 0, demand * weight[np.arange(len(rows)), site], 0.0).sum())
    parts = plan.elsewhere
    if parts is not None:
        mine = (parts.year == 0) & parts.shared
        for i, j, n in zip(parts.group[mine], parts.site[mine], parts.students[mine], strict=True):
            k = int(np.flatnonzero(rows == i)[0])
            total += float(n * (weight[k, j] - weight[k, site[k]]))
    return total


def keeps_what_is_asked(problem, wishes, plan):
    """Whether sizes, shares, villages together and apart hold, everybody counted where they go."""
    load = students_at(problem, plan)[:, problem.grade_band == BAND, 0].sum(axis=1)
    limit = wishes.most[:, BAND]
    demand, parts = problem.demand()[:, 0], plan.elsewhere
    here = {
        i: {int(plan.site_of[i, 0]): int(demand[i])}
        for i in np.flatnonzero(problem.group_band == BAND).tolist()
    }
    if parts is not None:
        for i, t, j, n in zip(parts.group, parts.year, parts.site, parts.students, strict=True):
            if t == 0:
                here[i][int(j)] = here[i].get(int(j), 0) + int(n)
                here[i][int(plan.site_of[i, 0])] -= int(n)
    told = all(
        [here[i].get(j, 0) for j in each.sites] == remainders(each.shares, int(demand[i]))
        for each in wishes.shared if each.shares for i in each.groups
    )  # fmt: skip
    where = {i: {j for j, n in each.items() if n} | {int(plan.site_of[i, 0])}
             for i, each in here.items()}  # fmt: skip
    return (
        bool((load[limit >= 0] <= limit[limit >= 0]).all())
        and bool((load >= wishes.least[:, BAND] * problem.must_open[:, BAND, 0]).all())
        and told
        and all(plan.site_of[a, 0] == plan.site_of[b, 0] for a, b in wishes.together)
        and not any(where[a] & where[b] for a, b in wishes.apart)
    )


@pytest.mark.parametrize("block", range(4))
def test_shared_villages_are_divided_as_no_other_plan_does_better(county, block):
    possible = refused = 0
    for seed in [*range(40 * block, 40 * block + 40), 714]:  # 714: nobody lives in a shared one
        problem, wishes = asked(county, seed)
        value = best(problem, wishes)
        if np.isinf(value):
            with pytest.raises(NoPlanError) as stuck:
                scenario_plan(problem, "capacity", time_limit=600, effort=0.2, wishes=wishes)
            assert stuck.value.witness.band == BAND, seed
            assert stuck.value.witness.proved, seed
            refused += 1
            continue
        plan = scenario_plan(problem, "capacity", time_limit=600, effort=0.2, wishes=wishes)
        assert weighed(problem, wishes, plan) == pytest.approx(value, rel=1e-5, abs=1e-3), seed
        assert keeps_what_is_asked(problem, wishes, plan), seed
        possible += 1
    assert possible > 5
    assert refused > 2


def test_a_larger_question_is_divided_by_turns_and_nothing_false_is_said(county, monkeypatch):
    monkeypatch.setattr("catchment.optimise.wished.EXACT_PAIRS", 0)
    monkeypatch.setattr("catchment.optimise.wished_model.EXACT_PAIRS", 0)
    found, missed, worse = 0, 0, []
    for seed in range(80):
        problem, wishes = asked(county, seed)
        value = best(problem, wishes)
        try:
            plan = scenario_plan(problem, "capacity", time_limit=600, effort=0.2, wishes=wishes)
        except NoPlanError as stuck:
            missed += int(np.isfinite(value))
            proved = stuck.witness.proved
        else:
            found += 1
            proved = False
            assert np.isfinite(value), seed
            assert keeps_what_is_asked(problem, wishes, plan), seed
            worse.append(weighed(problem, wishes, plan) / max(value, 1e-9) - 1)
            assert worse[-1] > -1e-5, seed
        assert not (proved and np.isfinite(value)), seed
    # measured: of 27 that have a plan 20 are found, all of least weight; of 7 none is said to be found
    assert found >= 18
    assert missed <= 9
    assert np.mean(worse) < 0.02
