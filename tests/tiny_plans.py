"""The best plan of a tiny consolidation question, by trying every one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import networkx as nx
import numpy as np
from numba import njit

from catchment.optimise.consolidation import Question
from catchment.problem import Problem
from tests.tiny_consolidation import homes


def brute_force(
    question: Question,
    most: int = 200_000,
    *,
    connected: bool = False,
    held: dict[int, tuple[int, int]] | None = None,
) -> float | None:
    """Least cost over all plans; inf if there is none, None if there are too many to try.

    Written from the words of the question alone. Nothing of the package's model is used. With
    `connected`, over the plans that cut no village off from its school. With `held`, over those in
    which these groups move to this site in this year (to their own after the last year: stay).
    """
    problem, costs = question.problem, question.costs
    years, m = len(problem.years), len(problem.site_ids)
    grades = len(problem.grades)
    w = [(1 + costs.discount_percent / 100) ** -(y - problem.years[0]) for y in problem.years]
    home = homes(problem)
    keep = np.zeros((m, grades, years), dtype=int)
    for i, s in enumerate(home):
        if s < 0:
            continue
        keep[s] += problem.students[i]
    size = problem.class_size.astype(np.int64)
    lowest = np.flatnonzero(problem.grade_band == 0)
    together = np.minimum(size[:, lowest].min(axis=1), int(costs.combined_class))
    together *= len(lowest) > 1
    point_today = [list(np.flatnonzero(problem.today_open[j])) == [0] for j in range(m)]
    keep_classes = np.array(
        [
            [
                _count(keep[j, :, t], size[j], together[j], lowest, point_today[j])
                for t in range(years)
            ]
            for j in range(m)
        ]
    )
    lacking = keep_classes > problem.rooms
    tolerate = question.tolerate_shortage
    room_cap = np.maximum(problem.rooms, keep_classes * tolerate)
    bed_cap = np.maximum(problem.beds, 0)
    # What is not reported binds nobody at a school of today; elsewhere there is nothing yet.
    blank = np.where(problem.today_open.any(axis=1), 10**6, 0)[:, None]
    seat_cap = np.where(problem.dining_seats < 0, blank, problem.dining_seats)
    told = problem.nap_places
    nap_cap = np.where(told < 0, blank, told) if told is not None else seat_cap * 0 + blank
    decisions = [_decisions(question, i, home[i], w, lacking & tolerate) for i in range(len(home))]
    for i, choice in (held or {}).items():
        decisions[i] = [d for d in decisions[i] if d[-1] == choice]
    if math.prod(len(d) for d in decisions) > most:
        return None
    first = sum(costs.class_year * float(keep_classes[j, 0]) for j in range(m))
    for j in range(m):
        taught = int(problem.today_open[j].sum())
        first += (costs.site_year + costs.band_year * (taught - 1)) if taught else 0.0
    paths = [_paths(question, j, w) for j in range(m)]
    if any(not p for p in paths):
        return math.inf
    whole = np.ones((len(problem.bands), 0), dtype=bool)
    stride = np.zeros(len(home), dtype=np.int64)
    if connected:
        whole, stride = _which_hold_together(problem, home, decisions, sent_ones(question))
    flat = [d for ds in decisions for d in ds]
    start = np.cumsum([0] + [len(ds) for ds in decisions])
    value = np.array([d[0] for d in flat])
    load = np.array([d[1] for d in flat])
    came = np.array([d[2] for d in flat])
    board = np.array([d[3] for d in flat])
    moved = np.array([d[4] for d in flat])
    used = np.array([d[5] for d in flat])
    count = np.array([len(p) for p in paths])
    path_state = np.zeros((m, count.max(), years), dtype=np.int64)
    path_cost = np.zeros((m, count.max()))
    exempt = np.zeros(m, dtype=bool)
    for j, p in enumerate(paths):
        for k, (cost, levels) in enumerate(p):
            path_cost[j, k], path_state[j, k] = cost, levels
        low, works = _least_level(question, j), problem.today_open[j].any()
        exempt[j] = works and all(x > 0 for x in low[1:])
    lim = question.limits
    year_cost = np.array(
        [
            [costs.class_year, costs.room_build / costs.building_life,
             costs.bed_build / costs.building_life, costs.seat_build / costs.building_life,
             costs.nap_build / costs.building_life]
        ]
    ) * np.array(w)[:, None]  # fmt: skip
    best = _try_all(
        start, value, load, came, board, moved, used, size, together, lowest,
        np.array([_can(question, j)[:1] == [0] for j in range(m)]),
        room_cap, bed_cap, seat_cap, nap_cap, question.limits.max_size,
        np.stack([question.extra_rooms, question.extra_beds, question.extra_seats,
                  question.extra_naps]),
        year_cost, count, path_state, path_cost, exempt, _children_kept(question, home),
        problem.group_band.astype(np.int64), whole, stride,
        question.transition == "finish", lim.min_size,
        max(lim.min_size_from, 1),
        10**6 if lim.closures_per_year is None else lim.closures_per_year,
        10**6 if lim.closures_total is None else lim.closures_total,
        10**6 if lim.moved_per_year is None else lim.moved_per_year,
    )  # fmt: skip
    return float(best + first)


@njit(cache=True)
def _count(load, size, together, lowest, point):
    """Fewest classes: at a teaching point, try every set of places where grades are parted."""
    alone = 0
    for g in range(len(load)):
        alone += -(-load[g] // size[g])
    if not point or together == 0:
        return alone
    upper = alone
    for g in lowest:
        upper -= -(-load[g] // size[g])
    fewest = alone
    for parted in range(1 << (len(lowest) - 1)):
        count, first = upper, 0
        for k in range(len(lowest)):
            if k == len(lowest) - 1 or (parted >> k) & 1:
                mine = load[lowest[first] : lowest[k] + 1]
                if mine.sum() <= together:
                    count += 1 if mine.sum() > 0 else 0
                elif k == first:
                    count += -(-mine[0] // size[lowest[k]])
                else:
                    count += 1 << 30
                first = k + 1
        fewest = min(fewest, count)
    return fewest


def _can(question, j):
    problem = question.problem
    can = [b for b in range(len(problem.bands)) if problem.can_host[j, b]]
    now = [b for b in range(len(problem.bands)) if problem.today_open[j, b]]
    return now if now and now not in (can, can[:1]) else can


def _level_today(question, j):
    now, can = int(question.problem.today_open[j].sum()), _can(question, j)
    return 0 if not now else (2 if now == len(can) and now > 1 else 1)


def _least_level(question, j):
    out = []
    for t in range(len(question.problem.years)):
        level = _level_today(question, j)
        if t and question.may_downgrade[j]:
            level = min(level, 1)
        if t and question.may_close[j]:
            level = 0
        if t and question.at_least is not None:
            level = max(level, int(question.at_least[j, t]))
        if t and question.at_most is not None:
            level = min(level, int(question.at_most[j, t]))
        out.append(level)
    return out


def _paths(question, j, w):
    """Every course of states a site may take, with what it costs from the second year on."""
    problem, costs = question.problem, question.costs
    years, today = len(problem.years), _level_today(question, j)
    bands = len(_can(question, j))
    top = min(2, bands)
    least = _least_level(question, j)
    out = []
    for levels in itertools.product(range(top + 1), repeat=years - 1):
        course = [today, *levels]
        good = True
        for t in range(1, years):
            now, before = course[t], course[t - 1]
            high = top if question.may_open[j] else today
            if question.at_least is not None:
                high = max(high, min(int(question.at_least[j, t]), top))
            if question.at_most is not None:
                high = min(high, int(question.at_most[j, t]))
            good &= least[t] <= now <= high
            low_gone, full_gone = now < 1 <= before, now < 2 <= before
            low_back, full_back = before < 1 <= now, before < 2 <= now
            good &= not (today >= 1 and low_back) and not (today < 1 and low_gone)
            good &= not (today >= 2 and full_back) and not (today < 2 and full_gone)
            good &= not (today == 2 and now == 1 and not question.may_downgrade[j])
        if good:
            cost = 0.0
            for t in range(1, years):
                if course[t]:
                    cost += w[t] * (
                        costs.site_year + costs.band_year * (bands - 1) * (course[t] == 2)
                    )
                    if not today:
                        own = question.site_build
                        dear = own is None or math.isnan(own[j])
                        cost += w[t] * (costs.site_build if dear else own[j]) / costs.building_life
            out.append((cost, course))
    return out


def _decisions(question, i, s, w, lacking):
    """Every decision about a group: yuan, loads, newcomers, boarders, moved, states used."""
    problem, costs = question.problem, question.costs
    years, m, grades = len(problem.years), len(problem.site_ids), len(problem.grades)
    band = int(problem.group_band[i])
    mine = [g for g in range(grades) if problem.grade_band[g] == band]
    total = problem.students[i].sum(axis=0)
    choices = [(s, years)]
    stays = question.stay is not None and question.stay[i]
    for j in range(m):
        if j == s or stays or band not in _can(question, j):
            continue
        if question.receives is not None and not question.receives[j]:
            continue
        if question.within is not None and not question.within[i, j]:
            continue
        fit = [_fits(question, i, j, t) and not lacking[j, t] for t in range(years)]
        for when in range(1, years):
            if total[when] and all(fit[t] for t in range(when, years) if total[t]):
                choices.append((j, when))
    if question.sent is not None and (question.sent[i] >= 0).any():
        # A demand is carried out in its year, or in the first one after with students, whatever
        # the limits; one that cannot be reached is none.
        first = int(np.flatnonzero(question.sent[i] >= 0)[0])
        j = int(question.sent[i, first])
        years_there = [t for t in range(first, years) if total[t]]
        possible = j != s and math.isfinite(_trip(problem, i, j, first)[0]) and years_there
        choices = [(j, years_there[0])] if possible else [(s, years)]
    out = []
    for j, when in choices:
        yuan = 0.0
        load = np.zeros((m, grades, years), dtype=np.int64)
        came, board = np.zeros((m, years), dtype=np.int64), np.zeros((m, years), dtype=np.int64)
        moved, used = np.zeros(years, dtype=np.int64), np.zeros((m, years), dtype=np.int64)
        for k, g in enumerate(mine):
            lag = k if question.transition == "finish" else 0
            for t in range(years):
                count = int(problem.students[i, g, t])
                at = j if t >= when + lag else s
                if not count:
                    continue
                minutes, metres, kind = _trip(problem, i, at, t) if at >= 0 else (math.inf, 0, "")
                if not math.isfinite(minutes):
                    # Whose way is cut in a year stays on the roll, and is without a school.
                    hosts = any(
                        problem.can_host[k, band] and math.isfinite(_trip(problem, i, k, t)[0])
                        for k in range(m)
                    )
                    yuan += w[t] * costs.unserved_year * count * (t > 0 and hosts)
                    if at >= 0:
                        load[at, g, t] += count
                        came[at, t] += count * (at != s)
                        used[at, t] = 1 if band == _can(question, at)[0] else 2
                    continue
                trips = 2 * (costs.school_weeks if kind == "board" else costs.school_days)
                each = costs.minute * trips * minutes
                if kind != "walk":
                    each += costs.bus_km * trips * metres / 1000
                if kind == "board":
                    each += costs.boarding_year
                    board[at, t] += count
                yuan += w[t] * each * count
                load[at, g, t] += count
                came[at, t] += count * (at != s)
                used[at, t] = 1 if band == _can(question, at)[0] else 2
        if when < years and s >= 0:
            new = mine if question.transition == "together" else mine[:1]
            moved[when] = sum(int(problem.students[i, g, when]) for g in new)
            yuan += w[when] * costs.move * moved[when]
        out.append((yuan, load, came, board, moved, used, (j, when)))
    return out


def _trip(problem, i, j, t):
    """Minutes, metres and mode of a trip in a year; inf where there is no way."""
    net = int(problem.network[t])
    minutes = float(problem.minutes[net, i, j])
    if not math.isfinite(minutes):
        return math.inf, 0.0, ""
    return minutes, float(problem.metres[net, i, j]), problem.modes[problem.mode[net, i, j]]


def _fits(question, i, j, t):
    """Whether a new trip keeps its limit in a year."""
    problem, limits = question.problem, question.limits
    minutes, _, kind = _trip(problem, i, j, t)
    if kind == "board":
        return minutes <= limits.boarding_minutes
    young = any(problem.students[i, g, t] for g, name in enumerate(problem.grades) if name <= 3)
    if young and minutes > limits.young_minutes:
        return False
    return minutes <= problem.trip_limit[problem.group_band[i]]


def courses(question: Question, i: int) -> list[tuple[int, ...]]:
    """Sites by year of every decision about a group: all that limits of its own leave it."""
    problem, home = question.problem, homes(question.problem)
    years = len(problem.years)
    lacking = np.zeros((len(problem.site_ids), years), dtype=bool)
    out = [d[-1] for d in _decisions(question, i, home[i], np.ones(years), lacking)]
    return [tuple(j if t >= when else home[i] for t in range(years)) for j, when in out]


def _which_hold_together(problem, home, decisions, sent):
    """For each band, which combinations of its groups' decisions cut nobody off; steps in them."""
    years = len(problem.years)
    stride = np.zeros(len(home), dtype=np.int64)
    rows = []
    for b in range(len(problem.bands)):
        mine = [i for i in range(len(home)) if problem.group_band[i] == b]
        step = 1
        for i in reversed(mine):
            stride[i] = step
            step *= len(decisions[i])
        sure = Together(problem, home, b, sent)
        rows.append(
            [
                sure.holds([
                    [j if t >= when else home[i] for t in range(years)]
                    for i, (j, when) in zip(mine, picked, strict=True)
                ])
                for picked in itertools.product(*([d[-1] for d in decisions[i]] for i in mine))
            ]
        )  # fmt: skip
    whole = np.zeros((len(rows), max(len(row) for row in rows)), dtype=bool)
    for b, row in enumerate(rows):
        whole[b, : len(row)] = row
    return whole, stride


def sent_ones(question: Question) -> list[int]:
    """Groups that the user sends to a site, and those of which connection is not asked."""
    sent = [] if question.sent is None else question.sent
    return sorted(
        {i for i, row in enumerate(sent) if any(j >= 0 for j in row)}
        | (
            {i for i, free in enumerate(question.loose) if free}
            if question.loose is not None
            else set()
        )
    )


class Together:
    """Whether a plan cuts no village of a band off from its school, in networkx.

    A catchment holds together where every village of it is reached from the school's own village
    over neighbouring villages of the catchment, or without children of the band in the year. Where
    the school's own village goes elsewhere, the largest part counts, and that village is cut off
    unless it goes elsewhere today. What is cut off today already and stays is geography; groups
    that are sent somewhere are not looked at.
    """

    def __init__(
        self, problem: Problem, home: list[int], band: int, sent: Iterable[int] = ()
    ) -> None:
        self._ground = nx.Graph()
        self._ground.add_nodes_from(range(len(problem.village_ids)))
        self._ground.add_edges_from(zip(*problem.neighbours.nonzero(), strict=True))
        self._own = [int(v) for v in problem.home]
        group = {
            int(problem.group_village[i]): i for i in np.flatnonzero(problem.group_band == band)
        }
        self._group = [group[v] for v in range(len(problem.village_ids))]
        self._there = [
            [bool(problem.students[i, :, t].any()) for t in range(len(problem.years))]
            for i in self._group
        ]
        self._today = [home[i] for i in self._group]
        self._sent = {v for v, i in enumerate(self._group) if i in set(sent)}
        self._known: dict[tuple[int | None, ...], frozenset[int]] = {}
        self._apart = self._lost(self._where(self._today, 0))

    def holds(self, course: list[list[int]]) -> bool:
        """Site of each village by year; the first year is not looked at."""
        for t in range(1, len(course[0])):
            where = self._where([row[t] for row in course], t)
            for v in self._lost(where):
                if v in self._sent:
                    continue
                if v not in self._apart or where[v] != self._today[v]:
                    return False
            for j in {j for j in where if j is not None and j >= 0}:
                v = self._own[j]
                if v in self._sent:
                    continue
                if where[v] is not None and where[v] != j and self._today[v] == j:
                    return False
        return True

    def _where(self, site: list[int], t: int) -> tuple[int | None, ...]:
        return tuple(j if there[t] else None for j, there in zip(site, self._there, strict=True))

    def _lost(self, where: tuple[int | None, ...]) -> frozenset[int]:
        """Villages that are not reached within the catchment of their school."""
        if where in self._known:
            return self._known[where]
        out: set[int] = set()
        for j in {j for j in where if j is not None and j >= 0}:
            mine = {v for v, at in enumerate(where) if at == j}
            land = self._ground.subgraph(mine | {v for v, at in enumerate(where) if at is None})
            if self._own[j] in land:
                reached = nx.node_connected_component(land, self._own[j])
            else:
                parts = [set(part) for part in nx.connected_components(land) if part & mine]
                reached = max(parts, key=lambda part: (len(part & mine), -min(part & mine)))
            out |= mine - reached
        self._known[where] = frozenset(out)
        return self._known[where]


def _children_kept(question, home):
    """Students to keep (part, site, year, grade); in year 0 a mark for the grades of the part."""
    problem = question.problem
    m, years, grades = len(problem.site_ids), len(problem.years), len(problem.grades)
    out = np.zeros((2, m, years, grades))
    for j in range(m):
        today = _level_today(question, j)
        most = [today]
        for t in range(1, years):
            high = min(2, len(_can(question, j))) if question.may_open[j] else today
            if question.at_least is not None:
                high = max(high, min(int(question.at_least[j, t]), min(2, len(_can(question, j)))))
            if question.at_most is not None:
                high = min(high, int(question.at_most[j, t]))
            most.append(high)
        for part in range(2):
            if min(most) <= part or today <= part:
                continue
            bands = _can(question, j)[:1] if part == 0 else _can(question, j)[1:]
            mine = [g for g in range(grades) if problem.grade_band[g] in bands]
            for t in range(1, years):
                count = 0
                for i, s in enumerate(home):
                    sent = question.sent is not None and (question.sent[i] >= 0).any()
                    if s == j and not sent:
                        count += sum(int(problem.students[i, g, t]) for g in mine)
                out[part, j, t, mine] = question.limits.kept_share * count
            out[part, j, 0, mine] = 1
    return out


@njit(cache=True)
def _try_all(
    start, value, load, came, board, moved, used, size, together, lowest, may_share,
    room_cap, bed_cap, seat_cap, nap_cap, largest, extra, year_cost,
    count, path_state, path_cost, exempt, keeps, band, whole, stride, finish, min_size, min_from, closures, in_all, most_moved,
):  # fmt: skip
    n = len(start) - 1
    m, grades, years = load.shape[1], load.shape[2], load.shape[3]
    pick = start[:-1].copy()
    formed = np.zeros(path_cost.shape)
    best = np.inf
    while True:
        total = 0.0
        here = np.zeros((m, grades, years), dtype=np.int64)
        new = np.zeros((m, years), dtype=np.int64)
        boarders = np.zeros((m, years), dtype=np.int64)
        move = np.zeros(years, dtype=np.int64)
        need = np.zeros((m, years), dtype=np.int64)
        for i in range(n):
            d = pick[i]
            total += value[d]
            here += load[d]
            new += came[d]
            boarders += board[d]
            move += moved[d]
            need = np.maximum(need, used[d])
        ok = total < best and move.max() <= most_moved
        if ok and whole.shape[1]:
            place = np.zeros(len(whole), dtype=np.int64)
            for i in range(n):
                place[band[i]] += (pick[i] - start[i]) * stride[i]
            for b in range(len(whole)):
                ok = ok and whole[b, place[b]]
        if ok:
            for j in range(m):
                stock = np.zeros(4, dtype=np.int64)
                for t in range(1, years):
                    if new[j, t] > 0:
                        everyone = here[j, :, t].sum()
                        stock[1] = max(stock[1], boarders[j, t] - bed_cap[j, t])
                        stock[2] = max(stock[2], everyone - seat_cap[j, t])
                        stock[3] = max(stock[3], new[j, t] - nap_cap[j, t])
                        if everyone > largest:
                            ok = False
                    for k in range(1, 4):
                        total += stock[k] * year_cost[t, k + 1]
                        if stock[k] > extra[k, j]:
                            ok = False
        if ok and total < best:
            # Classes, and the rooms for them, depend on whether the site is a teaching point.
            for j in range(m):
                for p in range(count[j]):
                    lacks = 0
                    formed[j, p] = 0.0
                    for t in range(1, years):
                        point = path_state[j, p, t] == 1 and may_share[j]
                        classes = _count(here[j, :, t], size[j], together[j], lowest, point)
                        lacks = max(lacks, classes - room_cap[j, t])
                        formed[j, p] += classes * year_cost[t, 0] + lacks * year_cost[t, 1]
                    if lacks > extra[0, j]:
                        formed[j, p] = np.inf
        if ok and total < best:
            choice = np.zeros(m, dtype=np.int64)
            while True:
                cost, good = total, True
                gone = np.zeros(years, dtype=np.int64)
                for j in range(m):
                    course = path_state[j, choice[j]]
                    cost += path_cost[j, choice[j]] + formed[j, choice[j]]
                    for t in range(1, years):
                        if course[t] < need[j, t]:
                            good = False
                        if course[t - 1] > 0 and course[t] == 0:
                            gone[t] += 1
                        there = here[j, :, t].sum()
                        if course[t] > 0 and t >= min_from and not exempt[j] and there < min_size:
                            good = False
                        # What is still taught has not been emptied.
                        for part in range(2):
                            if course[years - 1 if finish else t] > part:
                                rest = 0
                                for g in range(grades):
                                    if keeps[part, j, 0, g] > 0:
                                        rest += here[j, g, t]
                                for g in range(grades):
                                    asked = keeps[part, j, t, g]
                                    if keeps[part, j, 0, g] > 0 and rest < asked - 1e-9:
                                        good = False
                if good and gone.max() <= closures and gone.sum() <= in_all and cost < best:
                    best = cost
                k = 0
                while k < m:
                    choice[k] += 1
                    if choice[k] < count[k]:
                        break
                    choice[k] = 0
                    k += 1
                if k == m:
                    break
        i = 0
        while i < n:
            pick[i] += 1
            if pick[i] < start[i + 1]:
                break
            pick[i] = start[i]
            i += 1
        if i == n:
            return best
