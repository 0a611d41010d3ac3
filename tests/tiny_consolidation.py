"""Tiny consolidation questions, and their best plan by trying every one."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from catchment.optimise.consolidation import Limits, Question, read_costs
from catchment.problem import Problem


def tiny_problem(rng: np.random.Generator, villages=5, sites=3, years=3) -> Problem:
    """5 villages, 3 sites, 2 bands of 1 to 3 grades, 3 years."""
    bands, per = 2, int(rng.integers(1, 4))
    grades = bands * per
    grade_band = np.repeat(np.arange(bands), per).astype(np.int8)
    group_village = np.repeat(np.arange(villages), bands).astype(np.int32)
    group_band = np.tile(np.arange(bands), villages).astype(np.int8)
    n = villages * bands
    students = np.zeros((n, grades, years), dtype=np.int32)
    for i in range(n):
        for g in np.flatnonzero(grade_band == group_band[i]):
            students[i, g] = rng.integers(0, 7, size=years)
    xy, at = rng.random((villages, 2)), rng.random((sites, 2))
    away = np.hypot(*(xy[:, None, :] - at[None, :, :]).transpose(2, 0, 1))
    minutes = np.repeat(away * 45 + rng.random((villages, sites)) * 5, bands, axis=0)
    minutes[rng.random(minutes.shape) < 0.05] = np.inf
    mode = np.where(minutes < 15, 0, 1).astype(np.int8)
    limit = np.array([25.0, 30.0], dtype=np.float32)
    beds = np.where(rng.random(sites) < 0.5, rng.integers(0, 20, sites), 0).astype(np.int32)
    boards = (minutes > limit[group_band][:, None]) & (group_band[:, None] == 1) & (beds > 0)
    mode = np.where(np.isfinite(minutes), np.where(boards, 2, mode), -1).astype(np.int8)
    can = np.ones((sites, bands), dtype=bool)
    today_open = np.ones((sites, bands), dtype=bool)
    for j in range(1, sites):
        kind = rng.random()
        if kind < 0.15:
            today_open[j] = False
        elif kind < 0.3:
            today_open[j] = [True, False]
            can[j, 1] = rng.random() < 0.5
    reach = np.where(today_open[:, group_band].T, minutes, np.inf)
    today = np.where(np.isfinite(reach).any(axis=1), reach.argmin(axis=1), -1)
    stray = (rng.random(n) < 0.2) & today_open[0, group_band]
    today = np.where(stray, 0, today).astype(np.int32)
    rooms = rng.integers(1, 9, size=sites)
    seats = np.where(rng.random(sites) < 0.5, rng.integers(0, 25, sites), -1)
    own = np.random.default_rng(int(rooms.sum()) * 1009 + int(students.sum()))
    naps = np.where(own.random(sites) < 0.5, own.integers(0, 15, sites), -1).astype(np.int32)
    whole = np.ones((sites, 1), dtype=np.int32)
    return Problem(
        village_ids=tuple(f"V{k}" for k in range(villages)),
        site_ids=tuple(f"S{k}" for k in range(sites)),
        bands=("lower", "upper"),
        grades=tuple(range(1, grades + 1)),
        grade_band=grade_band,
        years=tuple(range(2026, 2026 + years)),
        group_village=group_village,
        group_band=group_band,
        students=students,
        estimated=np.zeros((villages, years), dtype=bool),
        modes=("walk", "bus", "board"),
        minutes=minutes[None].astype(np.float32),
        metres=(minutes[None] * 300).astype(np.float32),
        mode=mode[None],
        network=np.zeros(years, dtype=np.int32),
        rooms=np.repeat(np.where(today_open.any(axis=1), rooms, 0)[:, None], years, axis=1).astype(
            np.int32
        ),
        beds=np.repeat(beds[:, None], years, axis=1),
        dining_seats=np.repeat(seats[:, None], years, axis=1).astype(np.int32),
        class_size=(whole * int(rng.integers(4, 10))).repeat(grades, axis=1),
        neighbours=csr_matrix(np.ones((villages, villages), dtype=bool)),
        home=np.zeros(sites, dtype=np.int32),
        existing=today_open.any(axis=1),
        today_open=today_open,
        can_host=can,
        must_open=np.zeros((sites, bands, years), dtype=bool),
        must_close=np.zeros((sites, bands, years), dtype=bool),
        today=today,
        fixed_site=np.full((n, years), -1, dtype=np.int32),
        trip_limit=limit,
        nap_places=np.repeat(naps[:, None], years, axis=1) if own.random() < 0.8 else None,
    )


def tiny_question(seed: int) -> Question:
    """A question with limits of every kind, some of which bind."""
    rng = np.random.default_rng(seed)
    problem = tiny_problem(rng)
    m, years = len(problem.site_ids), len(problem.years)
    costs = read_costs().replace(
        teacher_year=float(rng.choice([2000, 20000])),
        site_year=float(rng.choice([1000, 20000])),
        band_year=float(rng.choice([0, 4000])),
        site_build=float(rng.choice([0, 400000])),
        minute=float(rng.choice([0.05, 0.5])),
        discount_percent=float(rng.choice([0, 4])),
    )
    limits = Limits(
        min_size=int(rng.choice([0, 0, 4, 8])),
        min_size_from=int(rng.integers(1, 3)),
        max_size=int(rng.choice([2000, 40, 60])),
        closures_per_year=None if rng.random() < 0.5 else int(rng.integers(0, 2)),
        closures_total=None if rng.random() < 0.7 else int(rng.integers(0, 2)),
        moved_per_year=None if rng.random() < 0.5 else int(rng.integers(0, 30)),
        boarding_minutes=40.0,
        young_minutes=float(np.random.default_rng(seed + 10**7).choice([np.inf, np.inf, 18.0])),
        kept_share=float(np.random.default_rng(seed + 10**6).choice([0, 0, 0.5, 0.8, 1])),
    )
    at_least = at_most = None
    if rng.random() < 0.2:
        at_most = np.full((m, years), 2, dtype=np.int8)
        at_most[int(rng.integers(1, m)), -1] = rng.integers(0, 2)
    if rng.random() < 0.2:
        at_least = np.zeros((m, years), dtype=np.int8)
        at_least[int(rng.integers(1, m)), 1:] = 1
    together = float(rng.choice([0, 3, 6, 30]))
    n = len(problem.group_band)
    within = rng.random((n, m)) < 0.7 if rng.random() < 0.2 else None
    sent = None
    if rng.random() < 0.2:
        sent = np.full((n, years), -1, dtype=np.int32)
        i, j = int(rng.integers(n)), int(rng.integers(m))
        if problem.can_host[j, problem.group_band[i]] and problem.today_open[j].all():
            sent[i, int(rng.integers(1, years)) :] = j
    own = np.random.default_rng(seed + 10**8)
    return Question(
        receives=own.random(m) < 0.7 if own.random() < 0.25 else None,
        extra_naps=own.integers(0, 40, m).astype(np.int32),
        within=within,
        sent=sent,
        problem=problem,
        costs=costs.replace(combined_class=together),
        limits=limits,
        may_close=rng.random(m) < 0.7,
        may_downgrade=rng.random(m) < 0.6,
        may_open=rng.random(m) < 0.6,
        extra_rooms=rng.integers(0, 6, m).astype(np.int32),
        extra_beds=rng.integers(0, 20, m).astype(np.int32),
        extra_seats=rng.integers(0, 60, m).astype(np.int32),
        transition="finish" if rng.random() < 0.3 else "together",
        tolerate_shortage=bool(rng.random() < 0.8),
        at_least=at_least,
        at_most=at_most,
        site_build=rng.choice([np.nan, 0.0, 900_000.0], m) if rng.random() < 0.3 else None,
    )


def brute_force(question: Question, most: int = 200_000) -> float | None:
    """Least cost over all plans; inf if there is none, None if there are too many to try.

    Written from the words of the question alone. Nothing of the package's model is used.
    """
    problem, costs = question.problem, question.costs
    years, m = len(problem.years), len(problem.site_ids)
    grades = len(problem.grades)
    w = [(1 + costs.discount_percent / 100) ** -t for t in range(years)]
    home = []
    for i in range(len(problem.group_band)):
        near = [
            (float(problem.minutes[0, i, j]), j)
            for j in range(m)
            if problem.today_open[j, problem.group_band[i]]
            and math.isfinite(problem.minutes[0, i, j])
        ]
        mine = int(problem.today[i])
        home.append(mine if mine in [j for _, j in near] else (min(near)[1] if near else -1))
    keep = np.zeros((m, grades, years), dtype=int)
    for i, s in enumerate(home):
        if s < 0:
            continue
        keep[s] += problem.students[i]
    size = problem.class_size[0, 0]
    together = int(min(size, costs.combined_class)) if grades > 2 else 0
    lowest = np.flatnonzero(problem.grade_band == 0)
    point_today = [list(problem.today_open[j]) == [True, False] for j in range(m)]
    keep_classes = np.array(
        [
            [_count(keep[j, :, t], size, together, lowest, point_today[j]) for t in range(years)]
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
    if math.prod(len(d) for d in decisions) > most:
        return None
    first = sum(costs.class_year * float(keep_classes[j, 0]) for j in range(m))
    for j in range(m):
        taught = int(problem.today_open[j].sum())
        first += (costs.site_year + costs.band_year * (taught - 1)) if taught else 0.0
    paths = [_paths(question, j, w) for j in range(m)]
    if any(not p for p in paths):
        return math.inf
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
        alone += -(-load[g] // size)
    if not point or together == 0:
        return alone
    upper = alone
    for g in lowest:
        upper -= -(-load[g] // size)
    fewest = alone
    for parted in range(1 << (len(lowest) - 1)):
        count, first = upper, 0
        for k in range(len(lowest)):
            if k == len(lowest) - 1 or (parted >> k) & 1:
                mine = load[lowest[first] : lowest[k] + 1]
                if mine.sum() <= together:
                    count += 1 if mine.sum() > 0 else 0
                elif k == first:
                    count += -(-mine[0] // size)
                else:
                    count += 1 << 30
                first = k + 1
        fewest = min(fewest, count)
    return fewest


def _can(question, j):
    problem = question.problem
    can = [b for b in range(2) if problem.can_host[j, b]]
    now = [b for b in range(2) if problem.today_open[j, b]]
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
    hosts = any(
        problem.can_host[j, band] and math.isfinite(problem.minutes[0, i, j]) for j in range(m)
    )
    choices = [(s, years)]
    for j in range(m):
        if j == s or band not in _can(question, j):
            continue
        minutes = float(problem.minutes[0, i, j])
        kind = problem.modes[problem.mode[0, i, j]] if math.isfinite(minutes) else ""
        limit = question.limits.boarding_minutes if kind == "board" else problem.trip_limit[band]
        if question.receives is not None and not question.receives[j]:
            continue
        young = [kind != "board" and problem.students[i, :3, t].sum() > 0 for t in range(years)]
        brief = minutes <= question.limits.young_minutes
        for when in range(1, years):
            there = [t for t in range(when, years) if total[t]]
            near = question.within is None or question.within[i, j]
            if any(young[t] and not brief for t in there):
                continue
            if total[when] and minutes <= limit and near and not any(lacking[j, t] for t in there):
                choices.append((j, when))
    if question.sent is not None and (question.sent[i] >= 0).any():
        # A demand is carried out in its year, or in the first one after with students, whatever
        # the limits; one that cannot be reached is none.
        first = int(np.flatnonzero(question.sent[i] >= 0)[0])
        j = int(question.sent[i, first])
        years_there = [t for t in range(first, years) if total[t]]
        possible = j != s and math.isfinite(problem.minutes[0, i, j]) and years_there
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
                if at < 0:
                    yuan += w[t] * costs.unserved_year * count * (t > 0 and hosts)
                    continue
                minutes = float(problem.minutes[0, i, at])
                kind = problem.modes[problem.mode[0, i, at]]
                trips = 2 * (costs.school_weeks if kind == "board" else costs.school_days)
                each = costs.minute * trips * minutes
                if kind != "walk":
                    each += costs.bus_km * trips * float(problem.metres[0, i, at]) / 1000
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
        out.append((yuan, load, came, board, moved, used))
    return out


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
    count, path_state, path_cost, exempt, keeps, finish, min_size, min_from, closures, in_all, most_moved,
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
                        classes = _count(here[j, :, t], size, together, lowest, point)
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
