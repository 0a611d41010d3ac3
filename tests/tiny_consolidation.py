"""Tiny consolidation questions, to be answered by trying every plan (tests/tiny_plans.py)."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_matrix

from catchment.optimise.consolidation import Limits, Question, read_costs
from catchment.problem import Problem

BANDS = ("lower", "upper", "junior")
"""Names of the bands, of which a question has the first two or all."""


def tiny_problem(
    rng: np.random.Generator, villages=5, sites=3, years=3, bands=2, per_band=None
) -> Problem:
    """5 villages, 3 sites, 2 bands of 1 to 3 grades, 3 years."""
    per = int(rng.integers(1, 4))
    grade_band = np.repeat(np.arange(bands), per if per_band is None else per_band).astype(np.int8)
    grades = len(grade_band)
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
    limit = np.array([25.0, 30.0, 35.0][:bands], dtype=np.float32)
    beds = np.where(rng.random(sites) < 0.5, rng.integers(0, 20, sites), 0).astype(np.int32)
    mode = _modes(minutes, limit[group_band], group_band, beds)
    can = np.ones((sites, bands), dtype=bool)
    today_open = np.ones((sites, bands), dtype=bool)
    for j in range(1, sites):
        kind = rng.random()
        if kind < 0.15:
            today_open[j] = False
        elif kind < 0.3:
            today_open[j, 1:] = False
            can[j, 1:] = rng.random() < 0.5
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
        bands=BANDS[:bands],
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


def _modes(minutes, limit, group_band, beds):
    """Walk the short way, go by bus the longer; upper bands board where that is too far."""
    boards = (minutes > limit[:, None]) & (group_band[:, None] >= 1) & (beds > 0)
    mode = np.where(boards, 2, np.where(minutes < 15, 0, 1))
    return np.where(np.isfinite(minutes), mode, -1).astype(np.int8)


def tiny_question(seed: int, **sizes) -> Question:
    """A question with limits of every kind, some of which bind; sizes as of `tiny_problem`."""
    rng = np.random.default_rng(seed)
    problem = tiny_problem(rng, **sizes)
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


def wide_question(seed: int, *, cut: bool = False) -> Question:
    """A tiny question of which more differs: 2 to 4 years, 2 or 3 bands, sizes and roads by year.

    Class sizes by site and grade, bands of unlike length, village-bands without children in some
    years, schools of some of the bands only, travel times, modes and stocks that change with the
    year, years that are not consecutive. Each of them in some of the questions. With `cut` also
    ways to the school of today, or of the user's demand, that are cut in some years.
    """
    own = np.random.default_rng(seed + 10**9)
    bands, years = (3 if own.random() < 0.25 else 2), int(own.integers(2, 5))
    question = tiny_question(
        seed,
        villages=3 if bands == 3 else (4 if years == 4 else 5),
        years=years,
        bands=bands,
        per_band=own.integers(1, 4 if bands == 2 else 3, bands) if own.random() < 0.5 else None,
    )
    problem = question.problem
    if own.random() < 0.7:
        sizes = own.integers(3, 11, problem.class_size.shape)
        problem = problem.replace(class_size=sizes.astype(np.int32))
    if own.random() < 0.6:
        without = own.random((len(problem.group_band), 1, years)) < 0.2
        problem = problem.replace(students=np.where(without, 0, problem.students))
    if own.random() < 0.4 and question.sent is None:
        problem = _some_bands(problem, own)
    if own.random() < 0.6:
        problem = _roads_by_year(problem, question.sent, cut, own)
    if own.random() < 0.4:
        problem = _stocks_by_year(problem, own)
    if question.transition == "together" and own.random() < 0.4:
        gaps = np.cumsum(own.integers(1, 4, years))
        problem = problem.replace(years=tuple(int(2025 + gap) for gap in gaps))
    if own.random() < 0.3 and question.sent is None:
        question = question.replace(stay=own.random(len(problem.group_band)) < 0.2)
    return question.replace(problem=problem)


def _some_bands(problem: Problem, own: np.random.Generator) -> Problem:
    """Let working schools teach, and sites host, any of the bands."""
    opened, can = problem.today_open.copy(), problem.can_host.copy()
    for j in np.flatnonzero(problem.existing):
        if j and own.random() < 0.5:
            opened[j] = own.random(len(problem.bands)) < 0.6
            opened[j, own.integers(len(problem.bands))] = True
            can[j] = opened[j] | (own.random(len(problem.bands)) < 0.6)
    for j in np.flatnonzero(~problem.existing):
        if own.random() < 0.5:
            can[j] = own.random(len(problem.bands)) < 0.6
            can[j, own.integers(len(problem.bands))] = True
    return problem.replace(today_open=opened, can_host=can)


def _roads_by_year(problem: Problem, sent, cut, own: np.random.Generator) -> Problem:
    """Two networks of roads: trips of other minutes, metres and modes; some end, some begin."""
    minutes = problem.minutes[0].astype(np.float64)
    other = minutes * own.choice([0.5, 0.8, 1.0, 1.3, 1.8], minutes.shape)
    begins = ~np.isfinite(minutes) & (own.random(minutes.shape) < 0.5)
    other = np.where(begins, own.uniform(5, 40, minutes.shape), other)
    other[own.random(minutes.shape) < 0.08] = np.inf
    years = len(problem.years)
    network = np.arange(years) >= own.integers(1, years)
    if own.random() < 0.3:
        network = own.random(years) < 0.5
    network = network.astype(np.int32)
    ways = np.stack([minutes, other])
    used = list(enumerate(homes(problem.replace(minutes=ways, network=network))))
    used += [] if sent is None else [(i, sent[i].max()) for i in range(len(sent))]
    for i, j in used:
        if j >= 0 and not cut:
            ways[:, i, j] = np.where(np.isfinite(ways[:, i, j]), ways[:, i, j], 20.0)
    beds = problem.beds[:, 0]
    limit = problem.trip_limit[problem.group_band]
    return problem.replace(
        minutes=ways.astype(np.float32),
        metres=(ways * np.array([300, 400])[:, None, None]).astype(np.float32),
        mode=np.stack([_modes(way, limit, problem.group_band, beds) for way in ways]),
        network=network,
    )


def _stocks_by_year(problem: Problem, own: np.random.Generator) -> Problem:
    """Classrooms, beds, seats and nap places that come and go."""

    def changed(stock, most):
        more = own.integers(-most, most + 1, stock.shape)
        more[:, 0] = 0
        return np.where(stock > 0, np.maximum(stock + more, 0), stock).astype(np.int32)

    naps = problem.nap_places
    return problem.replace(
        rooms=changed(problem.rooms, 2),
        beds=changed(problem.beds, 6),
        dining_seats=changed(problem.dining_seats, 8),
        nap_places=None if naps is None else changed(naps, 6),
    )


def in_a_landscape(seed: int, question: Question | None = None) -> Question:
    """A tiny question whose villages neighbour few others and whose schools stand in villages."""
    rng = np.random.default_rng(seed)
    question = tiny_question(seed) if question is None else question
    problem = question.problem
    v, m = len(problem.village_ids), len(problem.site_ids)
    touch = np.zeros((v, v), dtype=bool)
    for a in range(v - 1):
        touch[a, a + 1] = True
    extra = rng.integers(0, v, (2, 2))
    touch[extra[:, 0], extra[:, 1]] = True
    touch |= touch.T
    np.fill_diagonal(touch, False)
    home = rng.choice(v, m, replace=False).astype(np.int32)
    return question.replace(problem=problem.replace(neighbours=csr_matrix(touch), home=home))


def homes(problem: Problem) -> list[int]:
    """Site of each group today, the nearest one where none is known; -1 where none is reached."""
    minutes = problem.minutes[problem.network[0]]
    out = []
    for i, band in enumerate(problem.group_band):
        near = [
            (float(minutes[i, j]), j)
            for j in range(len(problem.site_ids))
            if problem.today_open[j, band] and math.isfinite(minutes[i, j])
        ]
        mine = int(problem.today[i])
        out.append(mine if mine in [j for _, j in near] else (min(near)[1] if near else -1))
    return out
