"""Worker processes on this machine; one that dies costs its task an attempt and nothing else."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import time
import warnings
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from catchment.batch.work import carry_out

Arguments = dict[str, Any]


class LocalPool:
    """Processes that are started anew when they die.

    Parameters
    ----------
    workers : int
        How many, 1 or more.
    time_limit : float
        Seconds after which a worker is stopped; inf = never.
    """

    def __init__(self, workers: int, time_limit: float = float("inf")) -> None:
        self._context = mp.get_context("spawn")
        self._workers = [_Worker(self._context) for _ in range(max(workers, 1))]
        self._waiting: deque[Arguments] = deque()
        self._limit = time_limit

    def submit(self, arguments: Arguments) -> None:
        """Queue a task.

        Parameters
        ----------
        arguments : dict
            Arguments of :func:`catchment.batch.work.carry_out`.
        """
        self._waiting.append(arguments)

    def results(self) -> Iterator[dict[str, Any]]:
        """Answers as they come, until nothing is queued or in work.

        Yields
        ------
        dict
            An answer of :func:`catchment.batch.work.carry_out`; ``state`` is ``died`` where the
            process ended without one.
        """
        while self._waiting or any(w.task is not None for w in self._workers):
            for worker in self._workers:
                if worker.task is None and self._waiting:
                    worker.give(self._waiting.popleft(), self._context)
            busy = {w.pipe: w for w in self._workers if w.task is not None and w.pipe is not None}
            ready = wait(list(busy), timeout=1.0)
            late = [p for p, w in busy.items() if time.monotonic() - w.since > self._limit]
            for pipe in late:
                busy[pipe].stop()
            for pipe in [p for p in busy if p in ready or p in late]:
                yield busy[pipe].take()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.stop()


class _Worker:
    """One process and what it is doing."""

    def __init__(self, context: mp.context.SpawnContext) -> None:
        self.task: Arguments | None = None
        self.pipe: Connection | None = None
        self.process: SpawnProcess | None = None
        self.since = 0.0

    def give(self, arguments: Arguments, context: mp.context.SpawnContext) -> None:
        for _ in range(2):
            if self.process is None or not self.process.is_alive():
                self._start(context)
            assert self.pipe is not None
            try:
                self.pipe.send(arguments)
                break
            except OSError:  # it died while idle
                self.stop()
        self.task, self.since = arguments, time.monotonic()

    def _start(self, context: mp.context.SpawnContext) -> None:
        self.stop()
        ours, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe = ours

    def take(self) -> dict[str, Any]:
        assert self.task is not None
        task, self.task = self.task, None
        try:
            assert self.pipe is not None
            answer: dict[str, Any] = self.pipe.recv()
        except (EOFError, OSError, AssertionError):
            self.stop()
            return {"name": task["plain"]["name"], "state": "died"}
        return answer

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
        if self.pipe is not None:
            with contextlib.suppress(OSError):
                self.pipe.close()
            if self.task is None:
                self.pipe = None
        self.process = None


def _serve(pipe: Connection) -> None:
    warnings.simplefilter("ignore")
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            arguments = pipe.recv()
            pipe.send(carry_out(**arguments))
