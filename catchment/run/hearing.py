"""What a hearing asks: who travels how much longer, what keeping or closing a school costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from catchment.optimise import consolidation as model
from catchment.optimise.phases.account import grade_sites, students_there
from catchment.optimise.phases.singly import closed_alone, without_moves
from catchment.problem import Bool, Int32
from catchment.region.model import Region
from catchment.run.keeping import keeping_told, price_told
from catchment.run.model import names_of_sites
from catchment.run.offer import Offer
from catchment.run.reasons import WORSE
from catchment.run.spoken import names_of


def moves_table(offer: Offer) -> pd.DataFrame:
    """Villages whose school changes, with the minutes that their trip gains or loses.

    Parameters
    ----------
    offer : Offer
        A plan.

    Returns
    -------
    DataFrame
        The table of :func:`catchment.run.explain.explain` with ``minutes_more``, ``worse`` (more
        than :data:`WORSE` minutes longer one way every day) and ``boards`` (begins to board: its
        minutes are those of the weekly trip), those that lose most first,
        boarders last.
    """
    table = offer.changes
    table = table[table["students"] > 0].copy()
    more = table["minutes_after"] - table["minutes_before"]
    table["minutes_more"] = more.round(1)
    weekly = table["mode_after"] == "board"
    table["worse"] = (more > WORSE) & ~weekly
    table["boards"] = weekly & (table["mode_before"] != "board")
    order = ["boards", "minutes_more", "village_id", "band", "year"]
    return table.sort_values(
        order, ascending=[True, False, True, True, True], kind="stable"
    ).reset_index(drop=True)


@dataclass(frozen=True)
class _Changed:
    """A plan in which one school is kept, or closed, beside the plan that it is compared with.

    ``apart`` where it cuts villages off although it is asked not to.
    """

    yuan: float
    most: float
    answer: model.Answer
    given: model.Answer
    apart: bool = False


def schools_table(
    offer: Offer,
    region: Region,
    *,
    most: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return the hearing list: what keeping or closing each small school costs, and whom.

    Every working school stands in it that the plan changes or that is small today. Its figures come
    from the plan with this one school kept, or closed, and nobody else changed; for the first
    schools the surroundings are planned anew, too. Either way they are upper estimates: the rest of
    the county might yield as well.

    Parameters
    ----------
    offer : Offer
        The plan that is proposed.
    region : Region
        The county.
    most : int
        Schools whose surroundings are planned anew: those that the plan changes first, then by size.
    seed : int
        Seed of the surroundings.
    progress : callable, optional
        Told the name of each school that is planned anew.

    Returns
    -------
    DataFrame
        ``school, name, township, students_today, students_last, in_plan``, then with ``keep_`` and
        ``close_``: ``yuan`` (over all years, changed less given: an upper estimate), ``most`` (what
        it certainly does not exceed, nan where no bound is at hand), ``teachers`` (a year),
        ``own_minutes, other_minutes`` (daily student-minutes one way, boarders left out),
        ``boarders`` (students a year); then of closing, by the last year: ``close_villages`` and
        ``close_students`` who travel more than 10 minutes longer each day, of the school's own
        villages and of others, ``close_boarding``, ``close_longest`` trip, ``close_names`` (each
        such village with the minutes of its worst trip, before and after); ``keep_note`` (what must
        be said of the price of keeping: a least size that the school would be below, and what a
        price below 0, told as 0, means), ``close_note`` (why it cannot be closed); and ``how``:
        ``anew``, ``alone``, or ``apart`` where the plan that is priced cuts villages off from their
        school: a connected one may cost more, so that there is no ceiling.
    """
    question, answer = offer.question, offer.answer
    problem = question.problem
    names, called = names_of_sites(region), names_of(region)
    schools, villages = region.schools, region.villages
    town = dict(zip(schools["school_id"].astype(str), schools["township"].astype(str), strict=True))
    village = dict(
        zip(villages["village_id"].astype(str), villages["name"].astype(str), strict=True)
    )
    demand = problem.demand()
    asked = _asked(offer)
    home = [answer.plan.site_of[:, 0] == j for j in asked]
    kept = without_moves(question, answer, home)
    closed = closed_alone(question, answer, asked)
    rows = []
    for k, j in enumerate(asked):
        code, mine = problem.site_ids[j], home[k]
        anew = k < most
        if anew and progress is not None:
            progress(f"{names.get(code, code)}：保留与撤并的代价 / price of keeping and closing")
        row: dict[str, Any] = {
            "school": code,
            "name": names.get(code, ""),
            "township": town.get(code, ""),
            "students_today": int(demand[mine, 0].sum()),
            "students_last": int(demand[mine, -1].sum()),
            "in_plan": _state(offer, j),
        }
        keep = _kept(offer, j, kept[k], anew, seed)
        said = keeping_told(question, keep.answer, j, keep.yuan, called)
        close, note = _closing(offer, j, closed[k], anew, seed, village)
        row |= _figures(question, "keep", keep, mine) | _figures(question, "close", close, mine)
        row |= _closed(question, close, j, village)
        how = "anew" if anew else "alone"
        if keep.apart or (close is not None and close.apart):
            how = "apart"
        for key in ("keep_yuan", "keep_most"):
            row[key] = price_told(row[key])
        rows.append({**row, "keep_note": said, "close_note": note, "how": how})
    return pd.DataFrame(rows)


def _alone(question: model.Question, given: model.Answer, changed: model.Answer) -> _Changed:
    """Compare a plan changed at one school alone; no ceiling follows from one in pieces."""
    cut = model.cut_off(question, changed.plan.site_of).any(axis=1)
    if question.loose is not None:
        cut &= ~question.loose
    apart = question.connected and bool(cut.any())
    most = float("nan") if apart else changed.plan.objective - given.plan.bound
    return _Changed(changed.plan.objective - given.plan.objective, most, changed, given, apart)


def _kept(offer: Offer, j: int, alone: model.Answer, anew: bool, seed: int) -> _Changed:
    """Return the plan with a school kept."""
    question, answer = offer.question, offer.answer
    changes = bool((answer.plan.open[j] != question.problem.today_open[j][:, None]).any())
    if anew and changes:
        code = question.problem.site_ids[j]
        price = model.price_of_keeping(question, answer, code, seed=seed, near=True)
        if price.answer.plan.status in ("optimal", "feasible"):
            return _Changed(price.yuan, price.most, price.answer, price.given)
    return _alone(question, answer, alone)


def _closing(
    offer: Offer,
    j: int,
    alone: tuple[model.Answer | None, Int32],
    anew: bool,
    seed: int,
    names: dict[str, str],
) -> tuple[_Changed | None, str]:
    """Return the plan with a school closed, and why it cannot be where it cannot."""
    question, answer = offer.question, offer.answer
    if anew or not answer.plan.open[j, :, -1].any():
        code = question.problem.site_ids[j]
        price = model.price_of_closing(question, answer, code, seed=seed, near=True)
        if price.answer.plan.status in ("optimal", "feasible"):
            return _Changed(price.yuan, price.most, price.answer, price.given), ""
        return None, price.answer.reason
    closed, stuck = alone
    if closed is None:
        problem = question.problem
        codes = [problem.village_ids[int(problem.group_village[i])] for i in stuck]
        who = "、".join(dict.fromkeys(names.get(code, code) for code in codes))
        return (
            None,
            f"行程上限内没有可接收的学校：{who} / no school may receive within the limits of trips: {who}",
        )
    return _alone(question, answer, closed), ""


def _figures(
    question: model.Question, head: str, changed: _Changed | None, mine: Bool
) -> dict[str, float]:
    """Figures of a changed plan less those of the plan it is compared with."""
    keys = ("yuan", "most", "teachers", "own_minutes", "other_minutes", "boarders")
    if changed is None:
        return dict.fromkeys((f"{head}_{key}" for key in keys), float("nan"))
    after, before = changed.answer, changed.given
    now = _sums(question, after, mine)
    then = now if before is after else _sums(question, before, mine)
    teachers, own, others, boarders = (a - b for a, b in zip(now, then, strict=True))
    values = (
        round(changed.yuan, 0),
        round(changed.most, 0),
        round(teachers, 2),
        round(own, 1),
        round(others, 1),
        round(boarders, 1),
    )
    return {f"{head}_{key}": value + 0.0 for key, value in zip(keys, values, strict=True)}


def _sums(question: model.Question, answer: model.Answer, mine: Bool) -> tuple[float, ...]:
    """Teachers, daily student-minutes one way of some groups and of all others, boarders.

    Means over the years after today.
    """
    problem = question.problem
    where = grade_sites(problem, answer.plan.site_of, question.transition)
    there = students_there(problem, where)
    classes = model.classes_counted(problem, there, answer.plan.open, question.costs)
    i, g, t = np.nonzero((problem.students > 0) & (where >= 0))
    late = t > 0
    i, g, t = i[late], g[late], t[late]
    site = where[i, g, t]
    minutes = problem.minutes[problem.network[t], i, site].astype(np.float64)
    mode = problem.mode[problem.network[t], i, site]
    good = np.isfinite(minutes) & (mode >= 0)
    boards = np.array([m == "board" for m in problem.modes])[np.maximum(mode, 0)] & good
    spent = np.where(good & ~boards, problem.students[i, g, t] * minutes, 0.0)
    years = max(len(problem.years) - 1, 1)
    return (
        question.costs.teachers_per_class * float(classes[:, :, 1:].sum()) / years,
        float(spent[mine[i]].sum()) / years,
        float(spent[~mine[i]].sum()) / years,
        float(problem.students[i, g, t][boards].sum()) / years,
    )


def _asked(offer: Offer) -> list[int]:
    """Schools that the plan changes, then other small ones, each by size."""
    problem, plan = offer.question.problem, offer.answer.plan
    works = np.asarray(problem.today_open.any(axis=1))
    changed = works & (plan.open[:, :, -1] != problem.today_open).any(axis=1)
    small = offer.question.may_close | offer.question.may_downgrade
    size = np.bincount(
        np.maximum(plan.site_of[:, 0], 0),
        np.where(plan.site_of[:, 0] >= 0, problem.demand()[:, 0], 0),
        minlength=len(works),
    )
    order = [(not changed[j], size[j], j) for j in np.flatnonzero(works & (changed | small))]
    return [int(j) for _, _, j in sorted(order)]


def _state(offer: Offer, j: int) -> str:
    plan, problem = offer.answer.plan, offer.question.problem
    bands = plan.open[j].sum(axis=0)
    for name, hit in (("merge", bands == 0), ("downgrade", bands < bands[0])):
        if hit.any():
            return f"{name} {problem.years[int(np.flatnonzero(hit)[0])]}"
    return "keep"


def _closed(
    question: model.Question, close: _Changed | None, j: int, names: dict[str, str]
) -> dict[str, Any]:
    """Tell who travels how much longer each day if the school closes, by the last year.

    Its own villages beside today; others, whom its closing sends on, beside the plan.
    """
    problem = question.problem
    if close is None:
        return {
            "close_villages": 0, "close_students": 0, "close_boarding": 0,
            "close_longest": float("nan"), "close_names": "",
        }  # fmt: skip
    plan, given = close.answer.plan, close.given.plan
    students = problem.demand()[:, -1]
    net, first = int(problem.network[-1]), int(problem.network[0])
    there = plan.site_of[:, -1]
    rows = np.arange(len(there))
    own = plan.site_of[:, 0] == j
    other = ~own & (there != given.site_of[:, -1]) & (given.site_of[:, -1] >= 0)
    hit = np.flatnonzero((own | other) & (students > 0) & (there >= 0))
    after = problem.minutes[net, rows, np.maximum(there, 0)].astype(float)
    before = np.where(
        own,
        problem.minutes[first, :, j].astype(float),
        problem.minutes[net, rows, np.maximum(given.site_of[:, -1], 0)].astype(float),
    )
    mode = problem.mode[net, rows, np.maximum(there, 0)]
    weekly = np.array([problem.modes[max(int(k), 0)] == "board" and k >= 0 for k in mode])
    worse = [int(i) for i in hit if after[i] - before[i] > WORSE and not weekly[i]]
    boards = [int(i) for i in hit if weekly[i]]
    told: dict[str, str] = {}
    for i in sorted(worse, key=lambda i: before[i] - after[i]):
        code = problem.village_ids[int(problem.group_village[i])]
        told.setdefault(names.get(code, code), f"{before[i]:.1f}→{after[i]:.1f}")
    return {
        "close_villages": len(told),
        "close_students": int(students[worse].sum()),
        "close_boarding": int(students[boards].sum()),
        "close_longest": round(max((after[i] for i in hit if not weekly[i]), default=0.0), 1),
        "close_names": "、".join(f"{name} {minutes}" for name, minutes in told.items()),
    }
