"""Prices of keeping and of closing one school: what the best plan that does so costs more."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catchment.errors import NotFoundError
from catchment.optimise.phases.account import grade_sites, students_there
from catchment.optimise.phases.choice import day_trips, figures, keep_everything
from catchment.optimise.phases.compile import settled_today, states
from catchment.optimise.phases.question import Answer, Question
from catchment.optimise.phases.solve import PRICE_MOVES, consolidate, polish
from catchment.optimise.phases.verify import check
from catchment.plan import Plan
from catchment.problem import Bool

WIDER = 3
"""How much wider the surroundings of a school are where the narrower ones allow no plan."""


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
    """Plan around a school anew, wider where that gives no plan, and at last the whole county."""
    for wider in (1, WIDER):
        found = polish(asked, start, j, seed=seed, moves=wider * PRICE_MOVES)
        if found.plan.status != "unknown":
            return found
    return consolidate(asked, seed=seed, start=start, steps=1)


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
    spent, _, _ = day_trips(question, np.where(mine[:, None, None], where, -1).astype(np.int32))
    return spent / max(len(problem.years) - 1, 1)
