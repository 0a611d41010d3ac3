"""Who is cut off from a school, against networkx; mended plans are valid, whole and dearer at most."""

from __future__ import annotations

import networkx as nx
import numpy as np

from catchment.optimise.consolidation import (
    Question,
    check,
    connect,
    consolidate,
    cut_off,
    cut_off_today,
    keep_everything,
)
from catchment.optimise.phases.compile import settled_today
from tests.tiny_consolidation import in_a_landscape


def plainly(question: Question, site_of: np.ndarray) -> np.ndarray:
    """The definition in networkx, year by year, band by band, school by school."""
    problem = question.problem
    whole = nx.from_scipy_sparse_array(problem.neighbours)
    today = settled_today(question)

    def lost(course: np.ndarray, t: int, out: np.ndarray, stray: bool) -> None:
        for b in range(len(problem.bands)):
            group = {
                int(problem.group_village[i]): i for i in np.flatnonzero(problem.group_band == b)
            }
            idle = {v for v, i in group.items() if problem.students[i, :, t].sum() == 0}
            for j in {int(course[i, t]) for v, i in group.items() if v not in idle} - {-1}:
                mine = {v for v, i in group.items() if v not in idle and course[i, t] == j}
                pieces = list(nx.connected_components(whole.subgraph(mine | idle)))
                own = int(problem.home[j])
                if own in mine | idle:
                    kept = next(p for p in pieces if own in p)
                else:
                    kept = max(pieces, key=lambda p: (len(p & mine), -min(p & mine, default=10**6)))
                    if stray and today[group[own]] == j:
                        out[group[own], t] = True
                for v in mine - kept:
                    out[group[v], t] = True

    base = np.zeros_like(site_of, dtype=bool)
    lost(np.repeat(today[:, None], site_of.shape[1], axis=1), 0, base, False)
    out = np.zeros_like(site_of, dtype=bool)
    for t in range(1, site_of.shape[1]):
        lost(site_of, t, out, True)
        stays = base[:, 0] & (site_of[:, t] == today)
        own = {
            int(i) for j in range(len(problem.home)) for i in range(len(today))
            if problem.group_village[i] == problem.home[j] and today[i] == j
            and site_of[i, t] != j
        }  # fmt: skip
        out[:, t] &= ~(stays & ~np.isin(np.arange(len(today)), list(own)))
    assert np.array_equal(base[:, 0], cut_off_today(question))
    return out


def test_who_is_cut_off_is_what_networkx_says():
    seen = 0
    rng = np.random.default_rng(1)
    for seed in range(40):
        question = in_a_landscape(seed)
        n, years = len(question.problem.today), len(question.problem.years)
        course = rng.integers(0, len(question.problem.site_ids), (n, years)).astype(np.int32)
        course[:, 0] = settled_today(question)
        told = cut_off(question, course)
        assert np.array_equal(told, plainly(question, course)), seed
        seen += int(told.any())
    assert seen > 20


def test_a_mended_plan_is_valid_whole_and_says_what_it_costs():
    mended = 0
    for seed in range(60):
        question = in_a_landscape(seed)
        answer = consolidate(question, time_limit=5)
        if answer.plan.status not in ("optimal", "feasible"):
            continue
        before = cut_off(question, answer.plan.site_of).any()
        made = connect(question, answer, seed=1, steps=3000)
        assert check(question, made) == []
        if not before:
            assert made is answer
            continue
        if cut_off(question, made.plan.site_of).any():
            # Never half mended: the given plan, or a whole one.
            assert np.array_equal(made.plan.site_of, answer.plan.site_of)
            continue
        mended += 1
        # The given plan was the best of all, connected or not.
        assert made.plan.objective >= answer.plan.objective - 1e-6
        assert made.mended == max(made.plan.objective - answer.plan.objective, 0.0)
        assert made.plan.bound <= made.plan.objective
        again = connect(question, answer, seed=1, steps=3000)
        assert np.array_equal(again.plan.site_of, made.plan.site_of)
    assert mended >= 5


def test_todays_catchments_cut_nobody_off_by_plan():
    for seed in range(20):
        question = in_a_landscape(seed).replace(at_most=None, at_least=None, sent=None)
        kept = keep_everything(question)
        course = np.where(kept.plan.site_of >= 0, settled_today(question)[:, None], -1)
        stays = course[:, 1:] == course[:, :1]
        lost = cut_off(question, course.astype(np.int32))[:, 1:]
        # Children who appear later can change which piece is the largest, nothing else can.
        apart = cut_off_today(question)
        assert not (lost & stays & apart[:, None]).any()
