"""Least cost of eliminating large classes by a second formulation and a second solver (CBC).

Written from the words of the method alone: the whole county at once, no groups of schools, no
search for schools in trouble, students of a school counted by year instead of flows with two ends.
"""

from __future__ import annotations

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
    cost: list[pulp.LpVariable] = []
    gain = {(j, k, t): [] for j in schools for k in grades for t in years}
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
                sent = []
                for n in schools:
                    near = int(facts.reach[j, n, cells[0][1]])
                    able = all(facts.hosted[n, k, t] and not shared[n, t] for t, k in cells)
                    if n == j or not able or min(near, all_of_them) < 1:
                        continue
                    x = pulp.LpVariable(
                        f"x{j}_{n}_{stage[0]}_{entry}", 0, min(near, all_of_them), "Integer"
                    )
                    sent.append(x)
                    for t, k in cells:
                        gain[j, k, t].append(-x)
                        gain[n, k, t].append(+x)
                if sent:
                    model += pulp.lpSum(sent) <= all_of_them
                    cost += sent
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
    model.solve(pulp.PULP_CBC_CMD(msg=False, gapRel=0, threads=1))
    assert pulp.LpStatus[model.status] == "Optimal"
    return float(np.round(pulp.value(model.objective), 6))
