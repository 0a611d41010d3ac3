"""Threads of an answer: some search plans, one raises the bound; the asker alone takes over both.

The compiled loops and the solver leave the interpreter free.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import numpy as np

from catchment.optimise.phases import bound as low
from catchment.optimise.phases.compile import Model
from catchment.optimise.phases.population import Population
from catchment.optimise.phases.siteyears import Parts

SEARCHERS = 4
"""Threads that search at most, and one for each processor."""
LOOK = 0.1
"""Seconds between two looks at what the threads have found."""


def climbed(model: Model, parts: Parts, prices: low.Prices, value: float, rounds: int) -> float:
    """Take some steps towards a better bound.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Its parts by site and year.
    prices : Prices
        Changed in place.
    value : float
        Yuan of the best plan; inf for none.
    rounds : int
        Steps.

    Returns
    -------
    float
        The bound, a little less for rounding.
    """
    target = value if np.isfinite(value) else prices.best * 1.2
    if not np.isfinite(target):
        target = abs(model.fixed_cost) * model.at_least.shape[1]
    # Whole villages take several times as long as divisible ones.
    count = max(rounds // 5, 1) if prices.whole else rounds
    found = low.improve(model, parts, prices, target, count)
    return found - 1e-9 * abs(found)


class Workers:
    """Threads at work; leaving the context stops them.

    Parameters
    ----------
    model : Model
        The compiled question.
    parts : Parts
        Its parts by site and year.
    prices : Prices
        Prices of the bound.
    population : Population
        What is searched.
    end : float
        When to stop, by :func:`time.perf_counter`.
    """

    def __init__(
        self, model: Model, parts: Parts, prices: low.Prices, population: Population, end: float
    ) -> None:
        self._model, self._parts, self._prices = model, parts, prices
        self._population, self._end = population, end
        self._stop, self._fault = threading.Event(), threading.Event()
        self._why: Exception | None = None
        self.bound = -np.inf
        count = max(min(os.cpu_count() or 1, SEARCHERS), 1)
        seconds = count * max(end - time.perf_counter(), 0.0)
        # The bound takes its part of the processors.
        population.begin(seconds * count / (count + 1))

        def search() -> None:
            population.work(seconds, end, self._stop.is_set)

        self._threads = [self._thread(f"search {k}", search) for k in range(count)]
        self._threads.append(self._thread("bound", self._raise))

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            # Whatever a thread fails with is kept, and raised by the thread that asked (wait, exit):
            # raised here it would end this thread alone, unseen.
            except Exception as fault:
                self._why = fault
                self._fault.set()

        return threading.Thread(target=guarded, name=name, daemon=True)

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if kind is None and self._why is not None:
            raise self._why

    def wait(self) -> None:
        """Wait a moment; what a thread has failed with is raised here."""
        self._fault.wait(min(LOOK, max(self._end - time.perf_counter(), 0.0)))
        if self._why is not None:
            raise self._why

    def _raise(self) -> None:
        while not (self._stop.is_set() or self._prices.done):
            value = self._population.value + self._model.fixed_cost
            found = climbed(self._model, self._parts, self._prices, value, 10)
            self.bound = max(self.bound, found)
