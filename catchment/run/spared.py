"""Schools below the smallest size asked for that stay all the same, and why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from catchment.english import counted
from catchment.optimise import consolidation as model
from catchment.plan import students_at
from catchment.rules.terms import Terms
from catchment.run.demands import LEADING, terms_of
from catchment.run.order import Posed
from catchment.scenario import Keep

NAMED = 20
"""Most schools that are named, the smallest first."""


def below_smallest(
    posed: Posed, question: model.Question, answer: model.Answer, names: Mapping[str, str]
) -> list[str]:
    """Name schools that a plan leaves below the smallest size, because they may not close.

    Parameters
    ----------
    posed : Posed
        The recipe on the county.
    question : Question
        Its question.
    answer : Answer
        A plan.
    names : mapping of str to str
        Names of schools by code.

    Returns
    -------
    list of str
        One sentence, "中文 / English", with every such school, its fewest students and the reason;
        none where no school is.
    """
    least, first = question.limits.min_size, max(question.limits.min_size_from, 1)
    problem, plan = question.problem, answer.plan
    there = students_at(problem, plan).sum(axis=1)
    runs = plan.open.any(axis=1)
    low = runs & (there < least)
    low[:, :first] = False
    # What may close is held to the size, and would have been closed or filled.
    exempt = problem.today_open.any(axis=1) & ~question.may_close
    rows = []
    spared = np.flatnonzero(low.any(axis=1) & exempt).tolist()
    if not spared:
        return []
    terms = terms_of(posed)
    for j in spared:
        count = int(there[j][low[j]].min())
        name = names.get(problem.site_ids[j], problem.site_ids[j])
        rows.append((name, count, *_why(posed, terms, j)))
    rows.sort(key=lambda row: row[1])
    more_zh, more_en = ("；等", "; and more") if len(rows) > NAMED else ("", "")
    zh = "；".join(f"{name} {count} 人（{why}）" for name, count, why, _ in rows[:NAMED])
    en = "; ".join(f"{name} {count} ({why})" for name, count, _, why in rows[:NAMED])
    below = ("is below", "stays, as it") if len(rows) == 1 else ("are below", "stay, as they")
    note = (
        f"{len(rows)} 所学校低于所定最少 {least} 人，因不得撤并而保留：{zh}{more_zh} / {len(rows)} of the "
        f"schools {below[0]} the {counted(least, 'student')} asked for and {below[1]} may not close: "
        f"{en}{more_en}"
    )
    return [note]


def _why(posed: Posed, terms: Terms, j: int) -> tuple[str, str]:
    """Why a school may not close, the recipe's word first."""
    problem, code = posed.problem, posed.problem.site_ids[j]
    if any(isinstance(a, Keep) and a.school == code for a in posed.scenario.actions):
        return "方案要求保留", "kept by the recipe"
    schools = posed.regions[0].schools
    role = schools.loc[schools["school_id"].astype(str) == code, "role"].astype(str)
    if role.isin(LEADING).any():
        return "中心校或九年一贯制学校", "a central or nine-year school"
    if terms.opposed[j]:
        return "多数家长或代表反对，R-CON-01", "most parents or delegates opposed, R-CON-01"
    here = problem.today == j
    size = problem.demand()[here].sum(axis=0)
    small = min(terms.small, model.SMALL)
    if (size[: max(len(size) - 1, 1)] >= small).any():
        return (
            f"今天的学区最多 {int(size.max())} 人，满 {small:g} 人的学校不撤，R-CON-07",
            (
                f"{counted(int(size.max()), 'student')} of today's catchment; schools of {small:g} "
                "and more stay, R-CON-07"
            ),
        )
    return "有村到校的路不明", "the way of some village to it is unknown"
