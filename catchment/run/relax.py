"""What would have to give where no plan meets the demands: villages, schools, limits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from catchment.optimise import consolidation as model
from catchment.problem import Problem
from catchment.run.trials import Trials, trials

PROBES = 7
"""Values of one limit that are tried."""


_CAPS = (
    ("closures_per_year", "每年撤并所数 / closures a year"),
    ("closures_total", "撤并总数 / closures in all"),
    ("moved_per_year", "每年转学人数 / students moved a year"),
)


def relaxations(
    problem: Problem,
    question: model.Question,
    answer: model.Answer,
    names: dict[str, str],
    *,
    bare: bool = True,
    tries: Trials | None = None,
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
    bare : bool
        Whether it is said that nothing helps where nothing does.
    tries : Trials, optional
        The searches and the time they have; one round of search each by default.

    Returns
    -------
    list of str
        One line a village that has nowhere to go, then one line a limit whose giving alone lets a
        plan be found, with the figure that plan needs; last, where the time was over before all was
        tried, that it was.
    """
    tries = trials(None) if tries is None else tries
    lines = _given(problem, question, names, tries)
    if tries.over():
        spent = "" if tries.seconds is None else f"{tries.seconds:g} "
        return [
            *lines,
            (
                f"试算放宽的时间（{spent}秒）已用完或已停止：其余未试，以上放宽未证明最小；把时间加长可再试 / the "
                f"time for trying what would have to give ({spent}s) is over, or it was stopped: the rest "
                "was not tried, and what is named is not proved smallest; give it more time"
            ),
        ]
    if lines or not bare:
        return lines
    return ["放宽任何单项都找不到方案 / no single demand, given up, lets a plan be found"]


def _given(
    problem: Problem, question: model.Question, names: dict[str, str], tries: Trials
) -> list[str]:
    """Say what was found to help, as far as the time went."""
    stuck = model.stranded(question)
    lines = [_village(question, names, row) for row in stuck[:20]]
    if stuck:
        return lines + _longer_trips(problem, question, stuck, tries)
    limits = question.limits
    for name, text in _CAPS:
        now = getattr(limits, name)
        if now is None:
            continue
        found = tries.plan(question.replace(limits=_without(limits, name)))
        if found is not None:
            need = _needed(problem, found, name)
            lines.append(_smallest(question, name, text, now, max(need, now + 1), tries))
    if limits.min_size:
        found = tries.plan(question.replace(limits=dataclasses.replace(limits, min_size=0)))
        if found is not None:
            text = "最小规模 / smallest size"
            lines.append(_smallest(question, "min_size", text, limits.min_size, 0, tries))
    if limits.kept_share > 0:
        free = question.replace(limits=dataclasses.replace(limits, kept_share=0.0))
        if tries.plan(free) is not None:
            lines.append(
                f"不撤的学校留下学生的比例：从 {limits.kept_share:g} 放宽到 0 / share of children that "
                f"schools which stay keep: 0 instead of {limits.kept_share:g}"
            )
    more = question.replace(
        extra_rooms=np.where(question.extra_rooms >= 0, 200, 0).astype(np.int32),
        extra_beds=np.full_like(question.extra_beds, 5000),
        extra_seats=np.full_like(question.extra_seats, 5000),
        extra_naps=np.full_like(question.extra_naps, 5000),
        limits=dataclasses.replace(limits, max_size=100_000),
    )
    found = tries.plan(more)
    if found is not None:
        lines += _places(question, found, names, tries)
    return lines


def held_back(
    question: model.Question,
    answer: model.Answer,
    *,
    time_limit: float,
    steps: int | None,
    seed: int,
) -> list[str]:
    """Say which of the user's caps keeps a plan from changing anything.

    Each cap, then all together, is given up by way of trial and the question solved again; a cap
    of nought says itself that nothing is to change.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its plan.
    time_limit : float
        Seconds for each trial.
    steps : int or None
        Rounds instead of seconds.
    seed : int
        Seed of the searches.

    Returns
    -------
    list of str
        Sentences; none where the plan changes something or no cap is to blame.
    """
    limits = question.limits
    caps = [(n, t) for n, t in _CAPS if (getattr(limits, n) or 0) > 0]
    if not caps or _changes(answer):
        return []
    out = []
    trials = [[cap] for cap in caps] + ([caps] if len(caps) > 1 else [])
    for given in trials:
        free = limits
        for name, _ in given:
            free = _without(free, name)
        found = model.consolidate(
            question.replace(limits=free), time_limit=time_limit, steps=steps, seed=seed
        )
        saved = answer.plan.objective - found.plan.objective
        if found.plan.status not in ("optimal", "feasible") or not _changes(found) or saved <= 0:
            continue
        told = [
            (*text.split(" / "), getattr(limits, name), _needed(question.problem, found, name))
            for name, text in given
        ]
        zh = "、".join(f"{z} {now}（该方案用到 {need}）" for z, _, now, need in told)
        en = ", ".join(f"{e} {now} (that plan takes {need})" for _, e, now, need in told)
        out.append(
            f"方案没有任何变动，是因为所定上限：{zh}；不设该上限则有少 {saved:,.0f} 元的方案（已另行求解） / nothing "
            f"changes because of your limits: {en}; without them a plan costs {saved:,.0f} yuan less "
            "(solved again)"
        )
        break
    return out


def _changes(answer: model.Answer) -> bool:
    """Whether a plan opens, closes or moves anything after today."""
    plan = answer.plan
    moved = (plan.site_of != plan.site_of[:, :1]) & (plan.site_of >= 0) & (plan.site_of[:, :1] >= 0)
    return bool(moved.any() or (plan.open != plan.open[:, :, :1]).any())


def _smallest(
    question: model.Question, name: str, text: str, now: int, enough: int, tries: Trials
) -> str:
    """Say how far one limit must give, by solving again at values between.

    The smallest value at which a plan was found is told, and whether the next tighter one was
    proved impossible or merely gave no plan.
    """
    towards = 1 if enough > now else -1
    good, bad, proved = enough, now, False
    for _ in range(PROBES):
        if abs(good - bad) <= 1:
            break
        middle = (good + bad) // 2
        change: dict[str, Any] = {name: middle}
        found = tries.answer(
            question.replace(limits=dataclasses.replace(question.limits, **change))
        )
        if found is None:
            break
        if found.plan.status in ("optimal", "feasible"):
            good = middle
        else:
            bad, proved = middle, found.plan.status == "infeasible"
    if bad == now:
        again = tries.answer(question)
        proved = again is not None and again.plan.status == "infeasible"
    zh = "已证明无方案" if proved else "未找到方案（未证明）"
    en = "is proved to have no plan" if proved else "gave no plan (not proved)"
    between = "" if good - bad == towards else "，其间未试 / not all between were tried"
    return (
        f"放宽 {text}：由 {now} 到 {good} 即有方案（已重新求解）；{bad} {zh}{between} / from {now} to "
        f"{good} there is a plan (solved again); {bad} {en}"
    )


def _longer_trips(
    problem: Problem,
    question: model.Question,
    stuck: list[tuple[int, int, float, float]],
    tries: Trials,
) -> list[str]:
    """Solve again with the bands' limits raised as far as the stranded villages need."""
    limit = problem.trip_limit.astype(np.float64)
    needed, young = limit.copy(), question.limits.young_minutes
    for i, j, minutes, strictest in stuck:
        if j >= 0:
            band = int(problem.group_band[i])
            least = np.ceil(minutes * 10) / 10
            needed[band] = max(needed[band], least)
            young = max(young, least) if strictest <= question.limits.young_minutes else young
    told = [f"{problem.bands[b]} {needed[b]:g}" for b in np.flatnonzero(needed > limit)]
    if young > question.limits.young_minutes:
        told.append(f"grades 1-3 (R-TRV-01) {young:g}")
        young += 1e-3
    if not told:
        return []
    raised = "、".join(told)
    asked = question.replace(
        problem=question.problem.replace(trip_limit=(needed + 1e-3).astype(np.float32)),
        limits=dataclasses.replace(question.limits, young_minutes=young),
    )
    found = tries.answer(asked)
    if found is None:
        return []
    if found.plan.status == "unknown":
        return [
            (
                f"把行程上限放宽到 {raised} 分钟后重新求解：短时间内未找到方案（未证明不够） / solved again with the "
                f"limits of trips raised to {raised} minutes: no plan was found in short time (not proved "
                "too little)"
            )
        ]
    if found.plan.status != "infeasible":
        return [
            (
                f"把行程上限放宽到 {raised} 分钟后重新求解：有方案 / solved again with the limits of trips raised "
                f"to {raised} minutes: there is a plan"
            )
        ]
    return [
        (
            f"只把行程上限放宽到 {raised} 分钟还不够：重新求解，已证明无方案 / raising the limits of trips to "
            f"{raised} minutes is not enough: solved again, it is proved to have no plan"
        )
    ]


def _without(limits: model.Limits, name: str) -> model.Limits:
    free: dict[str, Any] = {name: None}
    return dataclasses.replace(limits, **free)


def _village(
    question: model.Question, names: dict[str, str], row: tuple[int, int, float, float]
) -> str:
    problem = question.problem
    i, j, minutes, limit = row
    code = problem.village_ids[int(problem.group_village[i])]
    village = f"{names[code]} {code}" if code in names else code
    band = problem.bands[int(problem.group_band[i])]
    barred = _barred(question, i)
    if barred and (j < 0 or minutes > limit):
        listed = "、".join(names.get(s, s) for s in barred)
        return (
            f"{village}（{band}）：时限内的 {listed} 现有班额超标，不得接收并入学生（R-CON-05）；先消除大班额，或保留其学校 / "
            f"within the limit only {', '.join(barred)}: classes over standard, so they receive nobody "
            "(R-CON-05); split those classes first or keep its school"
        )
    if j < 0:
        return f"{village}（{band}）：没有可到达的其他学校 / no other school can be reached"
    code = problem.site_ids[j]
    return (
        f"{village}（{band}）：最近的可去学校 {names.get(code, code)}，单程 {minutes:.1f} 分钟，上限 {limit:g} "
        f"分钟；把上限放宽到 {minutes:.1f} 分钟或保留其学校 / nearest school {code}: {minutes:.1f} min, "
        f"limit {limit:g}; allow {minutes:.1f} min or keep its school"
    )


def _barred(question: model.Question, i: int) -> list[str]:
    """Schools near enough for a group that receive nobody for the size of their classes."""
    problem, receives = question.problem, question.receives
    if receives is None:
        return []
    minutes = problem.minutes[int(problem.network[-1]), i]
    band = int(problem.group_band[i])
    near = problem.today_open[:, band] & (minutes <= problem.trip_limit[band]) & ~receives
    near[max(int(problem.today[i]), 0)] &= problem.today[i] < 0
    return [problem.site_ids[j] for j in np.flatnonzero(near)]


def _needed(problem: Problem, found: model.Answer, name: str) -> int:
    runs = np.asarray(found.plan.open.any(axis=1))
    gone = (runs[:, :-1] & ~runs[:, 1:]).sum(axis=0)
    if name == "closures_per_year":
        return int(gone.max(initial=0))
    if name == "closures_total":
        return int((runs[:, 0] & ~runs[:, -1]).sum())
    return int(model.movers(problem, found.plan.site_of, "together").sum(axis=0).max(initial=0))


def _places(
    question: model.Question, found: model.Answer, names: dict[str, str], tries: Trials
) -> list[str]:
    """Name the building beyond what is allowed that the plan found needs, tried by itself."""
    lines = []
    for built, allowed, what in (
        (found.built.rooms, question.extra_rooms, "教室 / rooms"),
        (found.built.beds, question.extra_beds, "床位 / beds"),
        (found.built.seats, question.extra_seats, "餐位 / dining seats"),
        (found.built.naps, question.extra_naps, "午休位 / nap places"),
    ):
        for j in np.flatnonzero(built[:, -1] > allowed):
            code = question.problem.site_ids[int(j)]
            lines.append(
                f"{names.get(code, code)}：{what} 允许增加 {int(allowed[j])}，需要 {int(built[j, -1])} / "
                f"allowed {int(allowed[j])}, needed {int(built[j, -1])}"
            )
    if not lines:
        return lines
    exact = question.replace(
        extra_rooms=np.maximum(question.extra_rooms, found.built.rooms[:, -1]),
        extra_beds=np.maximum(question.extra_beds, found.built.beds[:, -1]),
        extra_seats=np.maximum(question.extra_seats, found.built.seats[:, -1]),
        extra_naps=np.maximum(question.extra_naps, found.built.naps[:, -1]),
    )
    enough = tries.answer(exact)
    if enough is None:
        return lines
    said = {
        "infeasible": "仅此还不够，学校最大规模也须放宽 / not enough alone: the largest size must give, too",
        "unknown": (
            "只加建这些，短时间内未找到方案（未证明不够） / with exactly this no plan was found in short time "
            "(not proved too little)"
        ),
    }
    have = "以上加建量已重新求解：有方案 / solved again with exactly this: there is a plan"
    return [*lines, said.get(enough.plan.status, have)]
