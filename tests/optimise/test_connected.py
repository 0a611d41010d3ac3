"""Who is cut off from a school, against networkx; connected plans are valid, whole, no cheaper."""

from __future__ import annotations

import dataclasses

import networkx as nx
import numpy as np

from catchment.optimise.consolidation import (
    Question,
    check,
    consolidate,
    cut_off,
    cut_off_today,
    keep_everything,
)
from catchment.optimise.dice import dice
from catchment.optimise.phases.anneal import anneal, rises
from catchment.optimise.phases.compile import compile_model, settled_today
from catchment.optimise.phases.contiguous import ground_of, room_for
from catchment.optimise.phases.decode import keep_decision, trajectory
from catchment.optimise.phases.table import begin, tabulate
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
    if question.sent is not None:
        out[(question.sent >= 0).any(axis=1)] = False
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


def test_the_search_counts_what_is_cut_off_as_the_definition_says():
    apart = 0
    for seed in range(120):
        question = in_a_landscape(seed)
        model = compile_model(question)
        years = len(question.problem.years)
        table, ground = tabulate(model), ground_of(question)
        cuts = room_for(ground)
        rng = np.random.default_rng(seed)
        option, when = keep_decision(model, years)
        for i in range(len(option)):
            if model.first[i + 1] > model.first[i] and rng.random() < 0.6:
                o = int(rng.integers(model.first[i], model.first[i + 1]))
                allowed = np.flatnonzero(table.allowed[o])
                if len(allowed):
                    option[i], when[i] = o, rng.choice(allowed)
        run = begin(table, (option, when), dice(seed))
        _, cut = anneal(table, run, ground, cuts, 0, 1.0, 1.0, 1.0, True, 1.0)
        told = cut_off(question, trajectory(model, (option, when), years))
        assert (cut > 0) == told.any(), seed
        apart += int(told.any())
        # What is carried along is what a count from the start gives.
        anneal(table, run, ground, cuts, 500, 1e6, 1e5, 1.0, True, 1e4)
        carried = cuts.lost.copy()
        anneal(table, run, ground, cuts, 0, 1.0, 1.0, 1.0, True, 1.0)
        assert np.array_equal(carried, cuts.lost), seed
        for rest in (cuts.member, cuts.counted, cuts.reach, cuts.waiting):
            assert not rest.any(), seed
    assert apart > 40


def test_measuring_takes_no_plan_for_the_best():
    question = in_a_landscape(3)
    model = compile_model(question)
    table, ground = tabulate(model), ground_of(question)
    run = begin(table, keep_decision(model, len(question.problem.years)), dice(1))
    rises(table, run, ground, room_for(ground), 200, 1e5)
    # What is cut off is not counted there, so nothing is known to be whole.
    assert run.best_value[0] == np.inf


def test_a_connected_plan_is_valid_whole_and_no_cheaper():
    dearer = 0
    for seed in range(60):
        question = in_a_landscape(seed)
        answer = consolidate(question, steps=1)
        whole = consolidate(question.replace(connected=True), steps=1)
        if whole.plan.status == "infeasible":
            continue
        assert check(question.replace(connected=True), whole) == []
        assert not cut_off(question, whole.plan.site_of).any()
        assert whole.plan.objective >= answer.plan.objective - 1e-6
        dearer += whole.plan.objective > answer.plan.objective + 1e-6
        if cut_off(question, answer.plan.site_of).any():
            rules = {v.rule for v in check(question.replace(connected=True), answer)}
            assert rules & {"reached through its catchment", "its own village"}
            assert check(question, answer) == []
    assert dearer >= 5


def test_the_recheck_says_who_is_cut_off_as_the_definition_does():
    rng = np.random.default_rng(2)
    apart = whole = 0
    for seed in range(80):
        question = in_a_landscape(seed).replace(connected=True)
        kept = keep_everything(question)
        course = kept.plan.site_of.copy()
        for i in np.flatnonzero(rng.random(len(course)) < 0.3):
            course[i, int(rng.integers(1, course.shape[1])) :] = rng.integers(0, 3)
        trial = dataclasses.replace(kept, plan=kept.plan.replace(site_of=course))
        rules = {v.rule for v in check(question, trial)}
        told = bool(rules & {"reached through its catchment", "its own village"})
        assert told == cut_off(question, course).any(), seed
        apart, whole = apart + told, whole + (not told)
    assert min(apart, whole) > 15


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
