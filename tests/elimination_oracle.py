"""Least cost of eliminating large classes by a second formulation and a second solver (CBC).

Written from the words of the method alone: the whole county at once, no groups of schools, no
search for schools in trouble, students of a school counted by year instead of flows with two ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pulp

from catchment.places import LedgerFacts


def least_cost(facts: LedgerFacts, size: list[int], room_weight: float) -> float:
    """Cost of moved entrants and new rooms with every class under its limit, rooms without end.

    Parameters
    ----------
    facts : LedgerFacts
        Students, classes, rooms, reach.
    size : list of int
        (g) most students of a class.
    room_weight : float
        Moved students that a room is worth.

    Returns
    -------
    float
        The least; any school, crowded or not, may send its entrants to any other.
    """
    now = facts.students.astype(int)
    schools, grades, years = (range(n) for n in now.shape)
    bare = ((now > 0) & (facts.classes == 0)).any(axis=1)
    shared = bare & (facts.classes.sum(axis=1) > 0)
    model = pulp.LpProblem("elimination", pulp.LpMinimize)
    cost: list[Any] = []
    gain: dict[tuple[int, int, int], list[Any]] = {
        (j, k, t): [] for j in schools for k in grades for t in years
    }
    for stage in (
        [k for k in grades if facts.grades[k] <= 6],
        [k for k in grades if facts.grades[k] > 6],
    ):
        for entry in range(facts.years[0] + 1, facts.years[-1] + 1):
            cells = [
                (t, k) for t in years for k in stage
                if facts.years[t] - facts.grades[k] == entry - facts.grades[stage[0]]
            ]  # fmt: skip
            for j in schools if cells else ():
                all_of_them = min(int(now[j, k, t]) for t, k in cells)
                first = cells[0][1]
                # groups of children and where each may go; by pairs of schools where no homes are told
                lots = [
                    ({int(n): 10**6 for n in np.flatnonzero(h.near[:, first])},
                     min(int(h.students[k, t]) for t, k in cells))
                    for h in facts.homes if h.site == j
                ] or [({n: int(facts.reach[j, n, first]) for n in schools}, all_of_them)]  # fmt: skip
                leaving = []
                for lot, (near, number) in enumerate(lots):
                    sent = []
                    for n, some in near.items():
                        most = min(some, number, all_of_them)
                        able = all(facts.hosted[n, k, t] and not shared[n, t] for t, k in cells)
                        if n == j or not able or most < 1:
                            continue
                        name = f"x{j}_{lot}_{n}_{stage[0]}_{entry}"
                        x = pulp.LpVariable(name, 0, most, "Integer")
                        sent.append(x)
                        for t, k in cells:
                            gain[j, k, t].append(-x)
                            gain[n, k, t].append(+x)
                    if sent:
                        model += pulp.lpSum(sent) <= number
                        leaving += sent
                if leaving:
                    model += pulp.lpSum(leaving) <= all_of_them
                    cost += leaving
    for j in schools:
        rooms = pulp.LpVariable(f"r{j}", 0, None, "Integer")
        cost.append(room_weight * rooms)
        for t in list(years)[1:]:
            if shared[j, t]:
                continue
            classes = []
            for k in grades:
                there = int(now[j, k, t]) + pulp.lpSum(gain[j, k, t])
                if gain[j, k, t]:
                    model += there >= 0
                if now[j, k, t] or gain[j, k, t]:
                    y = pulp.LpVariable(f"y{j}_{k}_{t}", 0, None, "Integer")
                    model += size[k] * y >= there
                    classes.append(y)
            have = max(int(facts.rooms[j, t]), int((now[j, :, t] > 0).sum()))
            model += pulp.lpSum(classes) <= have + rooms
    model += pulp.lpSum(cost)
    # its preprocessing works with a tolerance and was seen to stop one student above the least
    exact = ["preprocess off", "integerTolerance 1e-9"]
    model.solve(pulp.PULP_CBC_CMD(msg=False, gapRel=0, threads=1, options=exact))
    assert pulp.LpStatus[model.status] == "Optimal"
    return float(np.round(pulp.value(model.objective), 6))
