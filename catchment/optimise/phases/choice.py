"""Choice instead of one answer: special plans, their figures, the frontier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError
from catchment.optimise.phases.account import cost_asked, grade_sites, students_there
from catchment.optimise.phases.combined import classes_counted
from catchment.optimise.phases.compile import compile_model
from catchment.optimise.phases.decode import answer_of, decision_of, keep_decision
from catchment.optimise.phases.question import SMALL, Answer, Question
from catchment.optimise.phases.solve import consolidate
from catchment.plan import Plan
from catchment.problem import Int32

Int64 = npt.NDArray[np.int64]


def keep_everything(question: Question) -> Answer:
    """Today's schools and catchments carried through all years.

    Parameters
    ----------
    question : Question
        The question.

    Returns
    -------
    Answer
        The plan with its cost; no bound, as nothing is chosen.
    """
    model = compile_model(question)
    return answer_of(
        question,
        model,
        keep_decision(model, len(question.problem.years)),
        status="feasible",
        bound=np.nan,
        seconds=0.0,
        seed=0,
        reason="维持现状 / keep everything",
    )


def a_year_earlier(question: Question, answer: Answer, site: int, t: int) -> Answer:
    """Return the plan with what a school gives up in a year given up a year earlier.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its answer.
    site : int
        Position of the school.
    t : int
        Position of the year, 2 or later.

    Returns
    -------
    Answer
        The changed plan, valid or not: :func:`catchment.optimise.phases.verify.check` tells what
        speaks against it.
    """
    model = compile_model(question)
    now = answer.plan.site_of
    gone = (now[:, t - 1] == site) & (now[:, t] != site) & (now[:, t] >= 0)
    option, when = decision_of(model, answer.plan.site_of)
    moved = np.flatnonzero(gone & (option >= 0))
    when[moved] = np.minimum(when[moved], t - 1)
    return answer_of(
        question, model, (option, when), status="feasible", bound=np.nan, seconds=0.0, seed=0
    )


def smaller_classes(question: Question, size: int) -> tuple[Question, Answer]:
    """Every school kept, and classes no larger than a size instead of closures.

    Parameters
    ----------
    question : Question
        The question.
    size : int
        Most students of a class (35 or 30, say).

    Returns
    -------
    question : Question
        The question with smaller classes, in which this plan is judged.
    answer : Answer
        The plan; the rooms that smaller classes need are built and paid for.
    """
    if size < 1:
        raise InputError(f"班额 {size} 应至少为 1 / class size must be 1 or more")
    problem = question.problem
    small = problem.replace(class_size=np.minimum(problem.class_size, size).astype(np.int32))
    nothing = np.zeros(len(problem.site_ids), dtype=bool)
    asked = question.replace(
        problem=small,
        may_close=nothing,
        may_downgrade=nothing,
        may_open=nothing,
        # Nobody is turned away for want of a room: what more classes take is part of the price.
        tolerate_shortage=False,
        extra_rooms=np.full_like(question.extra_rooms, 1000),
    )
    return asked, keep_everything(asked)


@dataclass(frozen=True)
class Figures:
    """The few figures by which plans are compared.

    Attributes
    ----------
    yuan : float
        Cost over all years at the question's own costs.
    teachers : float
        Teachers, mean over the years after today.
    minutes : float
        Daily student-minutes one way, boarders left out, mean over the years after today.
    mean_trip : float
        Minutes one way of a day student, likewise.
    worst_trip : float
        Longest daily trip of any student after today.
    schools, small_schools : int
        Schools open in the last year, and those of them with fewer than 100 students.
    small_kept : int
        Schools that are small today and still open in the last year.
    """

    yuan: float
    teachers: float
    minutes: float
    mean_trip: float
    worst_trip: float
    schools: int
    small_schools: int
    small_kept: int


def figures(question: Question, answer: Answer) -> Figures:
    """Figures of a plan.

    Parameters
    ----------
    question : Question
        The question whose costs count.
    answer : Answer
        A plan, of this question or of one like it.

    Returns
    -------
    Figures
        Cost, teachers, trips, schools.
    """
    problem, plan = question.problem, answer.plan
    where = grade_sites(problem, plan.site_of, question.transition)
    there = students_there(problem, where)
    classes = classes_counted(problem, there, plan.open, question.costs)
    spent, riders, worst = day_trips(question, where)
    size = there.sum(axis=1)
    runs = np.asarray(plan.open.any(axis=1))
    now = np.asarray(problem.today_open.any(axis=1))
    table = cost_asked(question, plan, answer.built)
    years = max(len(problem.years) - 1, 1)
    teachers = question.costs.teachers_per_class * float(classes[:, :, 1:].sum()) / years
    return Figures(
        yuan=table.total,
        teachers=teachers,
        minutes=spent / years,
        mean_trip=spent / max(riders, 1.0),
        worst_trip=worst,
        schools=int(runs[:, -1].sum()),
        small_schools=int((runs[:, -1] & (size[:, -1] < SMALL)).sum()),
        small_kept=int((runs[:, -1] & now & (size[:, 0] < SMALL)).sum()),
    )


def day_trips(question: Question, where: Int32) -> tuple[float, float, float]:
    """Sum up the daily trips of day students after the first year.

    Parameters
    ----------
    question : Question
        The question.
    where : Int32
        Position of the site by village, grade and year; -1 leaves the students there out.

    Returns
    -------
    spent : float
        Student-minutes one way, summed over the years.
    count : float
        Student-years.
    longest : float
        Minutes of the longest trip; 0 where nobody travels.
    """
    problem = question.problem
    i, g, t = np.nonzero((problem.students > 0) & (where >= 0))
    late = t > 0
    i, g, t = i[late], g[late], t[late]
    site = where[i, g, t]
    minutes = problem.minutes[problem.network[t], i, site].astype(np.float64)
    boards = np.array([m == "board" for m in problem.modes])
    mode = problem.mode[problem.network[t], i, site]
    day = np.isfinite(minutes) & (mode >= 0) & ~boards[np.maximum(mode, 0)]
    count = problem.students[i, g, t][day].astype(np.float64)
    return float(count @ minutes[day]), float(count.sum()), float(minutes[day].max(initial=0.0))


@dataclass(frozen=True)
class Choice:
    """One plan of the frontier.

    Attributes
    ----------
    name : str
        What was asked, in Chinese and English.
    question : Question
        The question whose bound the answer carries.
    answer : Answer
        The plan.
    figures : Figures
        Figures at the costs of the first question.
    dominated : bool
        Whether another plan of the list is at least as good in cost, minutes and small schools
        kept, and better in one, or an earlier one is as good in all.
    """

    name: str
    question: Question
    answer: Answer
    figures: Figures
    dominated: bool = False


KEPT = "维持现状 / keep everything"
CHEAPEST = "费用最低 / cheapest"
FEWEST_PLANS = 5
"""Plans of a frontier: three to compare with, and two between."""
FACTORS = (5, 20, 2, 3, 10, 50, 100, 200, 500, 1000)
"""How much more a student's minute weighs in the further plans, in order of interest."""

SPARE = 4
"""Plans more than asked for that are made, at most, in place of dominated ones."""


def frontier(
    question: Question,
    n: int = 8,
    *,
    time_limit: float = 120.0,
    seed: int = 0,
    steps: int | None = None,
    cheapest: Answer | None = None,
    stopped: Callable[[], bool] | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Choice, ...]:
    """Plans between cost, travel burden and the number of small schools kept.

    The first keeps everything, the second is the cheapest; between them at most so many schools
    close; the last ones weigh a student's minute five and twenty times as much, and other factors
    where fewer plans lie between. Every plan but the first has a bound of its own question. Plans
    that another one dominates give way to further factors, as far as these find any.

    Parameters
    ----------
    question : Question
        The question.
    n : int
        Plans, 5 or more.
    time_limit : float
        Seconds for all plans together.
    seed : int
        Seed of the searches.
    steps : int, optional
        Rounds for each plan instead of seconds.
    cheapest : Answer, optional
        The question's own answer, where there is one already.
    stopped : callable, optional
        Asked before each plan; True ends the list early.
    progress : callable, optional
        Told the name of each plan before it is made.

    Returns
    -------
    tuple of Choice
        In the order told above.

    Raises
    ------
    InputError
        When fewer than 5 plans are asked for.
    """
    if n < FEWEST_PLANS:
        raise InputError(
            f"方案数 {n} 应至少为 {FEWEST_PLANS} / ask for {FEWEST_PLANS} plans or more"
        )
    share = time_limit / (n - 1)

    def _made(name: str, asked: Question, answer: Answer) -> Choice:
        """Bring a plan into the list."""
        return Choice(name, asked, answer, figures(question, answer))

    def _find(name: str, asked: Question, start: Plan | None) -> Answer:
        """Search for one plan."""
        if progress is not None:
            progress(name)
        return consolidate(asked, time_limit=share, seed=seed, start=start, steps=steps)

    kept = keep_everything(question)
    out = [Choice(KEPT, question, kept, figures(question, kept))]
    least = _find(CHEAPEST, question, None) if cheapest is None else cheapest
    out.append(_made(CHEAPEST, question, least))
    for name, asked, answer in _capped(question, least, n, _find, stopped):
        out.append(_made(name, asked, answer))
    # Where few schools close there are few plans between; the journey is weighed more often then.
    for factor in FACTORS:
        good = sum(not c.dominated for c in mark_dominated(out))
        wanted = len(out) < n or (good < n and len(out) < n + SPARE)
        if not wanted or (stopped is not None and stopped()):
            break
        costs = question.costs.replace(minute=question.costs.minute * factor)
        name = f"路途时间权重 ×{factor} / minutes weigh {factor} times"
        asked = question.replace(costs=costs)
        answer = _find(name, asked, least.plan)
        if answer.plan.status in ("optimal", "feasible"):
            out.append(_made(name, asked, answer))
    # A plan made for another wish can be cheaper than the one that was searched for being cheap.
    cheaper = min(out[2:], key=lambda c: c.figures.yuan, default=out[1])
    if cheaper.figures.yuan < out[1].figures.yuan - 1.0 and not (stopped and stopped()):
        again = _find(CHEAPEST, question, cheaper.answer.plan)
        bound = min(max(again.plan.bound, least.plan.bound), again.plan.objective)
        again = dataclasses.replace(again, plan=again.plan.replace(bound=bound))
        if again.plan.objective < least.plan.objective:
            out[1] = _made(CHEAPEST, question, again)
    told = mark_dominated(out)
    spare = [k for k in range(len(told) - 1, 1, -1) if told[k].dominated]
    drop = set(spare[: max(len(told) - n, 0)])
    return tuple(c for k, c in enumerate(told) if k not in drop)


def _capped(
    question: Question,
    least: Answer,
    n: int,
    find: Callable[[str, Question, Plan | None], Answer],
    stopped: Callable[[], bool] | None,
) -> list[tuple[str, Question, Answer]]:
    """Plans between the cheapest and today's in which at most so many schools close."""
    runs = np.asarray(least.plan.open.any(axis=1))
    gone = int((runs[:, 0] & ~runs[:, -1]).sum())
    wanted = {round(gone * k / (n - 3)) for k in range(1, n - 3)} - {0, gone}
    found: list[tuple[str, Question, Answer]] = []
    start = least
    for total in sorted(wanted, reverse=True):
        if stopped is not None and stopped():
            return found
        limits = dataclasses.replace(question.limits, closures_total=total)
        name = f"至多撤并 {total} 所 / at most {total} close"
        asked = question.replace(limits=limits)
        answer = find(name, asked, _fewer_closures(asked, start, total))
        if answer.plan.status in ("optimal", "feasible"):
            start = answer
            found.append((name, asked, answer))
    # Who may close more may also close fewer: no plan is dearer than one with a tighter limit.
    for k in range(len(found) - 2, -1, -1):
        name, asked, answer = found[k]
        tighter = found[k + 1][2]
        if tighter.plan.objective < answer.plan.objective:
            again = find(name, asked, tighter.plan)
            bound = max(again.plan.bound, answer.plan.bound)
            again = dataclasses.replace(
                again, plan=again.plan.replace(bound=min(bound, again.plan.objective))
            )
            found[k] = (name, asked, again)
    return found


def _fewer_closures(question: Question, answer: Answer, total: int) -> Plan:
    """Start of a plan that may close fewer schools: the largest of those closed take back villages.

    A school that may be a teaching point takes back its lowest band alone.
    """
    plan, problem = answer.plan, question.problem
    runs = np.asarray(plan.open.any(axis=1))
    gone = np.flatnonzero(runs[:, 0] & ~runs[:, -1])
    demand = problem.demand()[:, 0]
    home = plan.site_of[:, 0]
    size = [int(demand[home == j].sum()) for j in gone]
    back = gone[np.argsort(size, kind="stable")][total:]
    site_of = plan.site_of.copy()
    lowest = problem.can_host.argmax(axis=1)
    part = question.may_downgrade[home] & (problem.group_band != lowest[home])
    mine = np.isin(home, back) & (home >= 0) & ~part
    site_of[mine] = home[mine, None]
    return plan.replace(site_of=site_of)


def mark_dominated(choices: Sequence[Choice]) -> list[Choice]:
    """Mark the plans that another one dominates.

    Parameters
    ----------
    choices : sequence of Choice
        Plans of one question.

    Returns
    -------
    list of Choice
        The same plans, ``dominated`` as it is among them.
    """

    def _merits(c: Choice) -> tuple[float, float, float]:
        """More is better."""
        return (-c.figures.yuan, -c.figures.minutes, float(c.figures.small_kept))

    out = []
    for k, c in enumerate(choices):
        mine = _merits(c)
        # One plan found twice is one choice.
        worse = any(_merits(o) == mine for o in choices[:k]) or any(
            all(a >= b for a, b in zip(_merits(o), mine, strict=True)) and _merits(o) != mine
            for o in choices
            if o is not c
        )
        out.append(dataclasses.replace(c, dominated=worse))
    return out
