"""What would have to give where no plan meets the demands: villages, schools, limits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from catchment.optimise import consolidation as model
from catchment.problem import Problem


def relaxations(
    problem: Problem,
    question: model.Question,
    answer: model.Answer,
    names: dict[str, str],
    *,
    seed: int = 0,
) -> list[str]:
    """Say which single demand would have to give for a plan to exist, and how far.

    Parameters
    ----------
    problem : Problem
        The question's arrays.
    question : Question
        A question without a plan.
    answer : Answer
        Its answer, ``infeasible`` or ``unknown``.
    names : dict
        Names of schools by code.
    seed : int
        Seed of the searches.

    Returns
    -------
    list of str
        One line a village that has nowhere to go, then one line a limit whose giving alone lets a
        plan be found, with the figure that plan needs.
    """
    stuck = model.stranded(question)
    lines = [_village(problem, names, row) for row in stuck[:20]]
    if stuck:
        return lines
    limits = question.limits
    for name, text in (
        ("closures_per_year", "每年撤并所数 / closures a year"),
        ("closures_total", "撤并总数 / closures in all"),
        ("moved_per_year", "每年转学人数 / students moved a year"),
    ):
        now = getattr(limits, name)
        if now is None:
            continue
        asked = question.replace(limits=_without(limits, name))
        found = model.consolidate(asked, seed=seed, steps=1)
        if found.plan.status in ("optimal", "feasible"):
            need = _needed(problem, found, name)
            lines.append(
                f"放宽 {text}：由 {now} 到 {need} 即有方案 / from {now} to {need} there is a plan"
            )
    if limits.min_size:
        asked = question.replace(limits=dataclasses.replace(limits, min_size=0))
        found = model.consolidate(asked, seed=seed, steps=1)
        if found.plan.status in ("optimal", "feasible"):
            lines.append(
                f"取消最小规模 {limits.min_size} 人即有方案 / without the smallest size there is a plan"
            )
    more = question.replace(
        extra_rooms=np.where(question.extra_rooms >= 0, 200, 0).astype(np.int32),
        extra_beds=np.full_like(question.extra_beds, 5000),
        extra_seats=np.full_like(question.extra_seats, 5000),
        limits=dataclasses.replace(limits, max_size=100_000),
    )
    found = model.consolidate(more, seed=seed, steps=1)
    if found.plan.status in ("optimal", "feasible"):
        lines += _places(question, found, names)
    return lines or ["放宽任何单项都找不到方案 / no single demand, given up, lets a plan be found"]


def _without(limits: model.Limits, name: str) -> model.Limits:
    free: dict[str, Any] = {name: None}
    return dataclasses.replace(limits, **free)


def _village(problem: Problem, names: dict[str, str], row: tuple[int, int, float, float]) -> str:
    i, j, minutes, limit = row
    village = problem.village_ids[int(problem.group_village[i])]
    band = problem.bands[int(problem.group_band[i])]
    if j < 0:
        return f"{village}（{band}）：没有可到达的其他学校 / no other school can be reached"
    code = problem.site_ids[j]
    return (
        f"{village}（{band}）：最近的可去学校 {names.get(code, code)}，单程 {minutes:.1f} 分钟，上限 {limit:g} "
        f"分钟；把上限放宽到 {minutes:.1f} 分钟或保留其学校 / nearest school {code}: {minutes:.1f} min, "
        f"limit {limit:g}; allow {minutes:.1f} min or keep its school"
    )


def _needed(problem: Problem, found: model.Answer, name: str) -> int:
    runs = np.asarray(found.plan.open.any(axis=1))
    gone = (runs[:, :-1] & ~runs[:, 1:]).sum(axis=0)
    if name == "closures_per_year":
        return int(gone.max(initial=0))
    if name == "closures_total":
        return int((runs[:, 0] & ~runs[:, -1]).sum())
    return int(model.movers(problem, found.plan.site_of, "together").sum(axis=0).max(initial=0))


def _places(question: model.Question, found: model.Answer, names: dict[str, str]) -> list[str]:
    """Name the building beyond what is allowed that the plan found needs."""
    lines = []
    for built, allowed, what in (
        (found.built.rooms, question.extra_rooms, "教室 / rooms"),
        (found.built.beds, question.extra_beds, "床位 / beds"),
        (found.built.seats, question.extra_seats, "餐位 / dining seats"),
    ):
        for j in np.flatnonzero(built[:, -1] > allowed):
            code = question.problem.site_ids[int(j)]
            lines.append(
                f"{names.get(code, code)}：{what} 允许增加 {int(allowed[j])}，需要 {int(built[j, -1])} / "
                f"allowed {int(allowed[j])}, needed {int(built[j, -1])}"
            )
    return lines
