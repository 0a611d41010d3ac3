"""Short searches under changed demands, all of them within one time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from catchment.optimise import consolidation as model

PARTS = 12
"""Trials among which the time limit is shared."""
LEAST = 1.0
"""Seconds of one trial at least, as long as there is time."""


@dataclass(frozen=True)
class Trials:
    """Searches for a plan, one after the other, until the time is over.

    Attributes
    ----------
    seed : int
        Seed of the searches.
    seconds : float or None
        Seconds for all of them together; None for one round of search each, however long, so that
        they find the same on every machine.
    end : float
        When the time is over, as of ``time.perf_counter``.
    stopped : callable or None
        Whether the user has stopped the search.
    """

    seed: int
    seconds: float | None
    end: float
    stopped: Callable[[], bool] | None

    def over(self) -> bool:
        """Whether nothing more is to be tried.

        Returns
        -------
        bool
            True once the time is over or the user has stopped the search.
        """
        return time.perf_counter() >= self.end or (self.stopped is not None and self.stopped())

    def answer(self, question: model.Question) -> model.Answer | None:
        """Solve a question in a share of the time.

        Parameters
        ----------
        question : Question
            The question.

        Returns
        -------
        Answer or None
            The answer; None where the time was over before.
        """
        if self.over():
            return None
        if self.seconds is None:
            return model.consolidate(question, seed=self.seed, steps=1)
        left = self.end - time.perf_counter()
        each = min(max(self.seconds / PARTS, LEAST), left)
        return model.consolidate(question, seed=self.seed, time_limit=each)

    def plan(self, question: model.Question) -> model.Answer | None:
        """Look for a plan in a share of the time.

        Parameters
        ----------
        question : Question
            The question.

        Returns
        -------
        Answer or None
            A plan; None where none was found or the time was over before.
        """
        found = self.answer(question)
        if found is None or found.plan.status not in ("optimal", "feasible"):
            return None
        return found


def trials(
    seconds: float | None, *, seed: int = 0, stopped: Callable[[], bool] | None = None
) -> Trials:
    """Begin searches that share a time limit.

    Parameters
    ----------
    seconds : float or None
        Seconds for all of them together, None for one round of search each.
    seed : int
        Seed of the searches.
    stopped : callable, optional
        Whether the user has stopped the search.

    Returns
    -------
    Trials
        The clock runs from now.
    """
    end = float("inf") if seconds is None else time.perf_counter() + seconds
    return Trials(seed, seconds, end, stopped)
