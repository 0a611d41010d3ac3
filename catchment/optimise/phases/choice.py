"""Choice instead of one answer: special plans, the price of a school, the frontier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError, NotFoundError
from catchment.optimise.phases.account import cost_asked, grade_sites, students_there
from catchment.optimise.phases.combined import classes_counted
from catchment.optimise.phases.compile import compile_model, settled_today, states
from catchment.optimise.phases.decode import answer_of, decision_of, keep_decision
from catchment.optimise.phases.question import SMALL, Answer, Question
from catchment.optimise.phases.solve import consolidate, polish
from catchment.optimise.phases.verify import check
from catchment.plan import Plan
from catchment.problem import Bool, Int32

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
    spent, riders, worst = _day_trips(question, where)
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


def _day_trips(question: Question, where: Int32) -> tuple[float, float, float]:
    """Student-minutes, students and longest trip of day students after the first year."""
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
class Price:
    """What it costs to have a school stay, or close, instead of what the best plan does.

    Attributes
    ----------
    site : str
        Code of the site.
    changed : bool
        Whether the plan had to change at all.
    yuan : float
        Cost of the changed plan less that of the given one.
    least, most : float
        Between what the difference of the two cheapest plans certainly lies. It may be below 0
        where a school that is kept need no longer have the least size (:func:`below_least`), or
        the user demands what it gives up (:func:`demanded`).
    teachers : float
        Teachers a year, changed less given.
    own_minutes, other_minutes : float
        Daily student-minutes one way, changed less given: of the villages whose school it is
        today, and of all others; mean over the years after today.
    answer : Answer
        The changed plan.
    given : Answer
        The plan it is compared with: the given one, or a better one that was found on the way.
    """

    site: str
    changed: bool
    yuan: float
    least: float
    most: float
    teachers: float
    own_minutes: float
    other_minutes: float
    answer: Answer
    given: Answer


def price_of_keeping(
    question: Question,
    answer: Answer,
    site: str,
    *,
    time_limit: float = 20.0,
    seed: int = 0,
    steps: int | None = None,
    near: bool = False,
) -> Price:
    """Return what the best plan that keeps a school costs more than the given plan.

    To keep means that the school teaches all its bands of today and that no village of its
    catchment moves. A school that is kept is not held to the least size: where it is smaller
    (:func:`below_least`), the plan that keeps it breaks a rule that the given plan keeps, and may be
    the cheaper one for that. So it may where the user demands that the school gives something up
    (:func:`demanded`): to keep it, that demand is left out.

    Parameters
    ----------
    question : Question
        The question.
    answer : Answer
        Its answer.
    site : str
        Code of a working school.
    time_limit, seed, steps : float, int, int
        As in :func:`consolidate`.
    near : bool
        Whether only the school and those around it are planned anew, exactly, and the rest of the
        county stays as in the plan: quick, the same on every machine, and an upper estimate of the
        true price, since the rest might yield as well.

    Returns
    -------
    Price
        The difference; all zero where the plan keeps the school as it is.

    Raises
    ------
    NotFoundError
        When there is no such working school.
    """
    j = _working(question, site)
    problem = question.problem
    if (answer.plan.open[j] == problem.today_open[j][:, None]).all():
        return Price(site, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, answer, answer)
    close, shrink = question.may_close.copy(), question.may_downgrade.copy()
    close[j] = shrink[j] = False
    site_of = answer.plan.site_of.copy()
    mine = site_of[:, 0] == j
    site_of[mine] = j
    stay = mine if question.stay is None else mine | question.stay
    asked = question.replace(
        may_close=close, may_downgrade=shrink, stay=stay, **_undemanded(question, j, mine)
    )
    start = answer.plan.replace(site_of=site_of)
    # With its own children alone it has the least size: then a plan that keeps it breaks no rule.
    holds = not demanded(question, j) and not below_least(question, keep_everything(asked), j)[0]
    if near:
        changed = _near(asked, start, j, seed)
        return _price(
            question, _nearest_best(question, answer, changed, j, seed), changed, site, mine, holds
        )
    changed = consolidate(asked, time_limit=0.6 * time_limit, seed=seed, start=start, steps=steps)
    given = _at_least_as_good(question, answer, changed, 0.4 * time_limit, seed, steps)
    return _price(question, given, changed, site, mine, holds)


def price_of_closing(
    question: Question,
    answer: Answer,
    site: str,
    *,
    time_limit: float = 20.0,
    seed: int = 0,
    steps: int | None = None,
    near: bool = False,
) -> Price:
    """Return what the best plan that closes a school costs more than the given plan.

    Parameters
    ----------
    question : Question
        The question; the mask that protects the school is lifted for it alone.
    answer : Answer
        Its answer.
    site : str
        Code of a working school.
    time_limit, seed, steps : float, int, int
        As in :func:`consolidate`.
    near : bool
        Whether only the school and those around it are planned anew, exactly, and the rest of the
        county stays as in the plan: quick, the same on every machine, and an upper estimate of the
        true price, since the rest might yield as well.

    Returns
    -------
    Price
        The difference; a plan of status ``infeasible`` where it cannot be closed, with the reason.

    Raises
    ------
    NotFoundError
        When there is no such working school.
    """
    j = _working(question, site)
    if not answer.plan.open[j, :, -1].any():
        return Price(site, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, answer, answer)
    years = len(question.problem.years)
    most = (
        np.full((len(question.problem.site_ids), years), 2, dtype=np.int8)
        if question.at_most is None
        else question.at_most.copy()
    )
    most[j, -1] = 0
    close = question.may_close.copy()
    close[j] = True
    asked = question.replace(at_most=most, may_close=close)
    if near:
        changed = _near(asked, answer.plan, j, seed)
    else:
        changed = consolidate(
            asked, time_limit=0.6 * time_limit, seed=seed, start=answer.plan, steps=steps
        )
    free = bool(question.may_close[j]) and question.at_most is None
    given = answer
    if free and near:
        given = _nearest_best(question, answer, changed, j, seed)
    elif free:
        given = _at_least_as_good(question, answer, changed, 0.4 * time_limit, seed, steps)
    return _price(question, given, changed, site, answer.plan.site_of[:, 0] == j, free)


def demanded(question: Question, site: int) -> bool:
    """Whether the user demands that a school gives up bands, or sends its villages elsewhere.

    Parameters
    ----------
    question : Question
        The question.
    site : int
        Position of a working school.

    Returns
    -------
    bool
        True where keeping it as it is goes against a demand.
    """
    mine = settled_today(question) == site
    return bool(_undemanded(question, site, mine))


def _undemanded(question: Question, site: int, mine: Bool) -> dict[str, npt.NDArray[Any]]:
    """Demands of the user that stand against keeping a school, left out for it alone."""
    out: dict[str, npt.NDArray[Any]] = {}
    was, _, _ = states(question)
    if question.at_most is not None and (question.at_most[site, 1:] < was[site]).any():
        out["at_most"] = question.at_most.copy()
        out["at_most"][site] = np.maximum(out["at_most"][site], was[site])
    if question.sent is not None:
        away = mine[:, None] & (question.sent >= 0) & (question.sent != site)
        if away.any():
            out["sent"] = np.where(away.any(axis=1)[:, None], -1, question.sent).astype(np.int32)
    return out


def below_least(question: Question, answer: Answer, site: int) -> tuple[int, int]:
    """Count how many students a school lacks of the least size in a plan, and from when on.

    Parameters
    ----------
    question : Question
        The question, in which the school is not demanded.
    answer : Answer
        A plan, of this question or of one in which the school is kept and exempt.
    site : int
        Position of the school.

    Returns
    -------
    short : int
        Students that it lacks in the worst year; 0 where it lacks none, or may not close at all.
    since : int
        First school year in which it lacks some, 0 for none.
    """
    limits, problem = question.limits, question.problem
    was, least, _ = states(question)
    first = max(limits.min_size_from, 1)
    if (was[site] > 0 and (least[site] > 0).all()) or not limits.min_size:
        return 0, 0
    where = grade_sites(problem, answer.plan.site_of, question.transition)
    there = students_there(problem, where)[site].sum(axis=0)
    lacks = np.where(answer.plan.open[site].any(axis=0), limits.min_size - there, 0)
    lacks[:first] = 0
    years = np.flatnonzero(lacks > 0)
    return (int(lacks.max()), int(problem.years[years[0]])) if len(years) else (0, 0)


def _near(asked: Question, start: Plan, j: int, seed: int) -> Answer:
    """Plan around a school anew; the whole county where its surroundings allow no plan."""
    found = polish(asked, start, j, seed=seed)
    if found.plan.status == "unknown":
        found = consolidate(asked, seed=seed, start=start, steps=1)
    return found


def _nearest_best(question: Question, given: Answer, changed: Answer, j: int, seed: int) -> Answer:
    """Return the given plan with the same surroundings planned anew, if that is better."""
    again = polish(question, given.plan, j, seed=seed)
    plans = [given] if again.plan.status == "unknown" else [given, again]
    if not check(question, changed):
        plans.append(changed)
    best = min(plans, key=lambda a: a.plan.objective)
    bound = min(given.plan.bound, best.plan.objective)
    return dataclasses.replace(best, plan=best.plan.replace(bound=bound))


def _at_least_as_good(
    question: Question,
    given: Answer,
    changed: Answer,
    time_limit: float,
    seed: int,
    steps: int | None,
) -> Answer:
    """Return the given plan, or a better one where the changed plan shows that there is one.

    A plan that also keeps (or closes) a school is a plan of the question itself. Where it is
    cheaper than the given one, the given one was not the cheapest, and the difference of the two
    would say nothing about the school.
    """
    if changed.plan.status not in ("optimal", "feasible"):
        return given
    if changed.plan.objective >= given.plan.objective:
        return given
    better = consolidate(
        question, time_limit=time_limit, seed=seed, start=changed.plan, steps=steps
    )
    plans = [given] if better.plan.status == "unknown" else [given, better]
    if not check(question, changed):
        plans.append(changed)
    best = min(plans, key=lambda a: a.plan.objective)
    bound = min(max(better.plan.bound, given.plan.bound), best.plan.objective)
    return dataclasses.replace(best, plan=best.plan.replace(bound=bound))


def _working(question: Question, site: str) -> int:
    problem = question.problem
    if site not in problem.site_ids:
        raise NotFoundError(f"没有校点 {site} / no such site: {site}")
    j = problem.site_ids.index(site)
    if not problem.today_open[j].any():
        raise NotFoundError(f"校点 {site} 今天不办学 / the site is no working school today: {site}")
    return j


def _price(
    question: Question,
    given: Answer,
    changed: Answer,
    site: str,
    mine: npt.NDArray[np.bool_],
    keeps: bool,
) -> Price:
    if changed.plan.status in ("infeasible", "unknown"):
        nan = float("nan")
        most = float("inf") if changed.plan.status == "infeasible" else nan
        return Price(site, True, most, most, most, nan, nan, nan, changed, given)
    before, after = figures(question, given), figures(question, changed)
    own = _minutes_of(question, changed, mine) - _minutes_of(question, given, mine)
    return Price(
        site=site,
        changed=True,
        yuan=changed.plan.objective - given.plan.objective,
        least=max(changed.plan.bound - given.plan.objective, 0.0 if keeps else -np.inf),
        most=changed.plan.objective - given.plan.bound,
        teachers=after.teachers - before.teachers,
        own_minutes=own,
        other_minutes=after.minutes - before.minutes - own,
        answer=changed,
        given=given,
    )


def _minutes_of(question: Question, answer: Answer, mine: npt.NDArray[np.bool_]) -> float:
    problem = question.problem
    where = grade_sites(problem, answer.plan.site_of, question.transition)
    spent, _, _ = _day_trips(question, np.where(mine[:, None, None], where, -1).astype(np.int32))
    return spent / max(len(problem.years) - 1, 1)


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
    if n < 5:
        raise InputError(f"方案数 {n} 应至少为 5 / ask for 5 plans or more")
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
