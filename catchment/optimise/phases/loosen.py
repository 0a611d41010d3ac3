"""Catchments in one piece as far as that goes: whom it cannot be asked of, and of whom it still is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from catchment.optimise.phases.contiguous import cut_off
from catchment.optimise.phases.question import Answer, Memory, Question
from catchment.optimise.phases.solve import consolidate
from catchment.optimise.phases.verify import check
from catchment.problem import Bool

TRIES = 12
"""Times that it is tried to ask connection of some village-bands again."""
APART, AGAIN = 0.4, 0.3
"""Shares of a second time limit for a plan of which connection is not asked, and for these tries."""


def connected_as_far(
    question: Question,
    *,
    time_limit: float = 60.0,
    seed: int = 0,
    steps: int | None = None,
    memory: Memory | None = None,
    stopped: Callable[[], bool] | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Question, Answer]:
    """Plan with connected catchments; where there is no such plan, loosen as few as can be found.

    Where no plan has all catchments in one piece, it is planned without asking for that, and
    whoever such a plan cuts off need no longer be connected; of all others it is asked as before.
    Then it is asked of these again, half of them at a time, then fewer, as long as a plan is found.

    Parameters
    ----------
    question : Question
        The question.
    time_limit : float
        Seconds, twice where catchments cannot be connected.
    seed, steps, memory
        As in :func:`catchment.optimise.phases.solve.consolidate`.
    stopped : callable, optional
        Whether the user has stopped the search: nothing is then tried any more.
    progress : callable, optional
        Told a line of text as plan and bound improve, and when it is looked for whom to loosen.

    Returns
    -------
    question : Question
        The question answered: the given one, or the same with ``loose`` village-bands, or without
        connected catchments where there is no plan either way.
    answer : Answer
        The best plan found.
    """
    best = consolidate(
        question, time_limit=time_limit, seed=seed, steps=steps, memory=memory, progress=progress
    )
    if not question.connected or best.plan.status in ("optimal", "feasible"):
        return question, best
    if progress is not None:
        progress(
            "未找到学区全部连片的方案：找出哪些村连不上 / no plan with all catchments in one piece was found: "
            "looking for whom it cannot be asked of"
        )
    apart = question.replace(connected=False)
    share = APART * time_limit
    found = consolidate(
        apart, time_limit=share, seed=seed, steps=steps, memory=memory, progress=progress
    )
    if found.plan.status == "unknown" and steps is None:
        share = time_limit
        found = consolidate(
            apart, time_limit=(1 - APART) * time_limit, seed=seed, memory=found.memory,
            progress=progress,
        )  # fmt: skip
    if found.plan.status not in ("optimal", "feasible"):
        return apart, found
    # What the search for connected plans came to may cut fewer off than the cheapest plan does.
    trial = found
    if best.plan.status == "unknown" and not check(apart, best):
        trial = min(found, best, key=lambda answer: int(_cut(question, answer).sum()))
    halted = stopped or (lambda: False)
    trial = _firmer(question, trial, AGAIN * time_limit / TRIES, seed, steps, halted)
    asked = question.replace(loose=_cut(question, trial))
    left = max((1 - AGAIN) * time_limit - share, 0.05 * time_limit)
    if not halted():
        again = consolidate(
            asked, time_limit=left, seed=seed, steps=steps, start=trial.plan, memory=found.memory,
            progress=progress,
        )  # fmt: skip
        if again.plan.status in ("optimal", "feasible"):
            trial = again
    # A bound of plans of which less is asked is one of those of which more is.
    return question.replace(loose=_cut(question, trial)), trial


def _firmer(
    question: Question,
    trial: Answer,
    time_limit: float,
    seed: int,
    steps: int | None,
    halted: Callable[[], bool],
) -> Answer:
    """Look for a plan that cuts fewer off, asking more and more of them to be connected."""
    loose = _cut(question, trial)
    waiting = _halves(loose) if loose.sum() > 1 else []
    for _ in range(TRIES):
        part = next((mine & loose for mine in waiting if (mine & loose).any()), None)
        if part is None or halted():
            break
        waiting = [mine for mine in waiting if (mine & loose & ~part).any()]
        found = consolidate(
            question.replace(loose=loose & ~part), time_limit=time_limit, seed=seed,
            steps=None if steps is None else 1, start=trial.plan,
        )  # fmt: skip
        if found.plan.status in ("optimal", "feasible"):
            trial, loose = found, _cut(question, found)
        elif part.sum() > 1:
            waiting = _halves(part) + waiting
    return trial


def _halves(groups: Bool) -> list[Bool]:
    """Two halves of some village-bands."""
    out = []
    for rows in np.array_split(np.flatnonzero(groups), 2):
        mine = np.zeros(len(groups), dtype=np.bool_)
        mine[rows] = True
        out.append(mine)
    return out


def _cut(question: Question, answer: Answer) -> Bool:
    """Village-bands that a plan cuts off in any year."""
    return np.asarray(cut_off(question, answer.plan.site_of).any(axis=1))
