"""Schools that nobody attends any more wait, open, until their turn to close has come."""

from __future__ import annotations

import numpy as np

from catchment.optimise.phases.account import grade_sites
from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.decode import Decision, needed_states, trajectory
from catchment.optimise.phases.question import ALL, LOWEST, Question
from catchment.problem import Int8


def in_turn(question: Question, model: Model, decision: Decision) -> Int8 | None:
    """Return states in which no more schools close than may, where decisions empty too many.

    Parameters
    ----------
    question : Question
        The question.
    model : Model
        The question, compiled.
    decision : Decision
        Options and years of the moves.

    Returns
    -------
    (m, t) int8 or None
        The fewest states that hold the students, and of the schools that would close beyond the
        limits those left open that cost least; None where the limits on closures bind nothing.
        Whether such a school may stay open at all is for the check to say.
    """
    years = model.at_least.shape[1]
    where = grade_sites(question.problem, trajectory(model, decision, years), question.transition)
    state = needed_states(model, where, question.problem.students)
    # What is left open teaches as little as it may.
    least = np.where(model.downgrade | (model.was < ALL), LOWEST, ALL)
    waits = np.zeros(len(state), dtype=bool)
    closed, changed = 0, False
    for t in range(1, years):
        gone = np.flatnonzero((model.was >= LOWEST) & (state[:, t - 1] > 0) & (state[:, t] == 0))
        may = max(0, min(model.closures, model.closures_total - closed))
        forced = model.at_most[gone, t] < LOWEST
        # A small school may not stay; then whoever waits already; then whose upkeep is dearest.
        small = (t >= model.min_from) & (model.min_size > 0) & ~model.exempt[gone]
        order = np.lexsort((gone, -model.rent[gone, t], ~waits[gone], ~(forced | small)))
        held = gone[order[may:]]
        closed += min(may, len(gone))
        state[held, t], waits[held] = least[held], True
        changed |= len(held) > 0
    return np.asarray(state, dtype=np.int8) if changed else None
