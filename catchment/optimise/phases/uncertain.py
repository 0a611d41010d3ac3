"""Plans judged over many possible numbers of children."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.optimise.phases.account import cost_asked, grade_sites, movers, students_there
from catchment.optimise.phases.combined import classes_counted
from catchment.optimise.phases.compile import compile_model, settled_today, trips
from catchment.optimise.phases.decode import answer_of, decision_of
from catchment.optimise.phases.question import Answer, Building, Question
from catchment.optimise.phases.solve import consolidate
from catchment.optimise.phases.verify import check
from catchment.problem import Int32

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outlook:
    """What becomes of plans when children come otherwise than expected (p plans, d draws).

    Attributes
    ----------
    yuan : (p, d) float64
        Cost over all years, what is built as planned; for classes without a room (counted in
        ``short``) teachers are paid and rooms are built late, at the price of a room.
    short : (p, d) int64
        Classes without a room in the worst year, all schools together, beyond those that the same
        schools would lack with today's catchments.
    regret : (p, d) float64
        Yuan above the cheapest of the plans in the same draw.
    robust : int
        Position of the plan whose largest regret is smallest.
    """

    yuan: Float64
    short: npt.NDArray[np.int64]
    regret: Float64
    robust: int


def outlook(question: Question, answers: Sequence[Answer], draws: npt.NDArray[np.int32]) -> Outlook:
    """Judge plans over draws of the children.

    Parameters
    ----------
    question : Question
        The question whose costs count.
    answers : sequence of Answer
        Plans.
    draws : (d, n, g, t) int32
        Students of every draw; the first year is today's in all of them.

    Returns
    -------
    Outlook
        Costs, shortages, regrets.

    Raises
    ------
    InputError
        When the draws do not fit the question.
    """
    if not answers or draws.ndim != 4 or draws.shape[1:] != question.problem.students.shape:
        raise InputError(
            "抽样的形状与问题不符，或没有方案 / draws do not fit the question, or no plans"
        )
    weight = question.costs.weights(question.problem.years)
    cost, _, reach, _ = trips(question, weight)
    lost = np.where(reach, question.costs.unserved_year, 0.0) * weight
    lost[:, 0] = 0.0
    lacking = _lacking_today(question, draws)
    yuan = np.zeros((len(answers), len(draws)))
    short = np.zeros((len(answers), len(draws)), dtype=np.int64)
    for p, answer in enumerate(answers):
        for d, students in enumerate(draws):
            yuan[p, d], short[p, d] = _judged(
                question, answer, students, cost, lost, weight, lacking[d]
            )
    regret = yuan - yuan.min(axis=0)
    return Outlook(yuan, short, regret, int(regret.max(axis=1).argmin()))


def most_robust(
    question: Question,
    answers: Sequence[Answer],
    draws: npt.NDArray[np.int32],
    *,
    rounds: int = 4,
    seed: int = 0,
    steps: int | None = None,
    time_limit: float = 30.0,
    stopped: Callable[[], bool] | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Answer, Outlook, int]:
    """Search for a plan whose largest regret over the draws is small.

    In each round the draw that the best plan so far regrets most is planned for by itself. That
    plan, with what it builds, joins those compared, as a further choice and as a measure of what
    that draw could have cost.

    Parameters
    ----------
    question : Question
        The question, with the children expected.
    answers : sequence of Answer
        Plans to begin with.
    draws : (d, n, g, t) int32
        Students of every draw.
    rounds : int
        Draws planned for.
    seed, steps, time_limit : int, int, float
        As in :func:`catchment.optimise.phases.solve.consolidate`, for each round.
    stopped : callable, optional
        Asked before each round; True ends the search.
    progress : callable, optional
        Told the least largest regret of each round.

    Returns
    -------
    answer : Answer
        The plan whose largest regret is least among all compared; of equal ones the first. It is a
        valid plan of the question itself.
    result : Outlook
        All plans compared, the given ones first.
    planned : int
        Plans that the search has added.
    """
    pool, used = list(answers), set[int]()
    result = outlook(question, pool, draws)
    for _ in range(rounds):
        if stopped is not None and stopped():
            break
        order = [int(d) for d in np.argsort(-result.regret[result.robust], kind="stable")]
        left = [d for d in order if d not in used]
        if not left:
            break
        used.add(left[0])
        if progress is not None:
            worst = float(result.regret[result.robust].max())
            progress(f"稳健方案：最大遗憾 {worst:,.0f} 元 / robust plan: largest regret")
        asked = question.replace(problem=question.problem.replace(students=draws[left[0]]))
        start = pool[result.robust].plan
        found = consolidate(asked, time_limit=time_limit, seed=seed, start=start, steps=steps)
        made = _for_expected(question, found, answers[0].plan.bound)
        if made is None:
            continue
        pool.append(made)
        result = outlook(question, pool, draws)
    return pool[result.robust], result, len(pool) - len(answers)


def _for_expected(question: Question, found: Answer, bound: float) -> Answer | None:
    """Take a plan made for other children as a plan for those expected, None where it is invalid."""
    if found.plan.status not in ("optimal", "feasible"):
        return None
    model = compile_model(question)
    made = answer_of(
        question, model, decision_of(model, found.plan.site_of), status="feasible", bound=bound,
        seconds=found.plan.seconds, seed=found.plan.seed,
    )  # fmt: skip
    made = _built_at_least(question, made, found.built)
    return None if check(question, made) else made


def _built_at_least(question: Question, answer: Answer, wanted: Building) -> Answer:
    """Let a plan build what another one builds, too, where its school still runs."""
    runs = (answer.plan.open.sum(axis=1) > 0).sum(axis=1) == answer.plan.open.shape[2]
    built = Building(
        *(
            np.maximum(mine, np.where(runs[:, None], other, 0)).astype(np.int32)
            for mine, other in (
                (answer.built.rooms, wanted.rooms),
                (answer.built.beds, wanted.beds),
                (answer.built.seats, wanted.seats),
                (answer.built.naps, wanted.naps),
            )
        )
    )
    table = cost_asked(question, answer.plan, built)
    plan = answer.plan.replace(objective=table.total)
    return dataclasses.replace(answer, plan=plan, built=built, breakdown=table)


def _lacking_today(question: Question, draws: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Classes without a room if nobody moved, (d, m, t)."""
    problem = question.problem
    taught = np.repeat(problem.today_open[:, :, None], len(problem.years), axis=2)
    out = [
        classes_counted(problem, there.astype(np.int32), taught, question.costs).sum(axis=1)
        - problem.rooms
        for there in sizes_if_kept(question, draws)
    ]
    return np.asarray(np.maximum(np.stack(out), 0), dtype=np.int64)


def _judged(
    question: Question,
    answer: Answer,
    students: Int32,
    cost: Float64,
    lost: Float64,
    weight: Float64,
    lacking: npt.NDArray[np.int64],
) -> tuple[float, int]:
    """Yuan of a plan with other children, and classes without a room in the worst year."""
    costs, plan = question.costs, answer.plan
    problem = question.problem.replace(students=students)
    where = grade_sites(problem, plan.site_of, question.transition)
    there = students_there(problem, where)
    classes = classes_counted(problem, there, plan.open, costs)
    rooms = problem.rooms + answer.built.rooms
    short = np.maximum(np.maximum(classes.sum(axis=1) - rooms, 0) - lacking, 0)
    total = float((classes.sum(axis=(0, 1)) * costs.class_year) @ weight)
    late = np.maximum.accumulate(np.where(np.arange(short.shape[1]) > 0, short, 0), axis=1)
    total += costs.room_build / costs.building_life * float(late.sum(axis=0) @ weight)
    i, g, t = np.nonzero(students)
    j = where[i, g, t]
    each = np.where(j >= 0, cost[i, np.maximum(j, 0), t], np.inf)
    each = np.where(np.isfinite(each), each, lost[i, t])
    total += float(students[i, g, t] @ each)
    moved = movers(problem, plan.site_of, question.transition).sum(axis=0)
    moved[0] = 0
    total += float((moved * costs.move) @ weight)
    fixed = ("sites", "rooms", "beds", "seats", "naps", "new_sites")
    total += sum(answer.breakdown.of(item) for item in fixed)
    return total, int(short[:, 1:].sum(axis=0).max(initial=0))


def sizes_if_kept(question: Question, draws: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Students of every school if nobody moved.

    Parameters
    ----------
    question : Question
        The question.
    draws : (d, n, g, t) int32
        Students of every draw.

    Returns
    -------
    (d, m, g, t) int64
        Students by site, grade and year.
    """
    today = settled_today(question)
    served = np.flatnonzero(today >= 0)
    m = len(question.problem.site_ids)
    out = np.zeros((len(draws), m, *draws.shape[2:]), dtype=np.int64)
    for d, students in enumerate(draws):
        np.add.at(out[d], today[served], students[served])
    return out


def in_every_good_plan(
    actions: Sequence[Sequence[tuple[str, str, int]]], yuan: Float64, within: float = 0.05
) -> list[tuple[str, str, int, int]]:
    """Actions that no good plan does without.

    Parameters
    ----------
    actions : sequence of sequences of (str, str, int)
        For each plan what is done to which school in which year.
    yuan : (p, d) float64
        Cost of the plans by draw.
    within : float
        A plan is good if its mean cost is within this share of the cheapest plan's.

    Returns
    -------
    list of (str, str, int, int)
        What, which school, first and last year among the good plans.
    """
    mean = yuan.mean(axis=1)
    good = [k for k in range(len(mean)) if mean[k] <= mean.min() * (1 + within)]
    sets = [{(do, school) for do, school, _ in actions[k]} for k in good]
    common = set.intersection(*sets) if sets else set()
    out = []
    for do, school in sorted(common):
        years = [y for k in good for d, s, y in actions[k] if (d, s) == (do, school)]
        out.append((do, school, min(years), max(years)))
    return out
