"""The order of a batch: enter, hand out, judge failures, merge."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from catchment.batch.cluster import ClusterPool
from catchment.batch.ledger import Ledger
from catchment.batch.merge import write_province
from catchment.batch.pool import LocalPool
from catchment.batch.tasks import Task
from catchment.batch.work import finished

Progress = Callable[[str], None]


class Pool(Protocol):
    """What hands tasks to processes."""

    def submit(self, arguments: dict[str, Any]) -> None:
        """Queue a task (arguments of :func:`catchment.batch.work.carry_out`).

        Parameters
        ----------
        arguments : dict
            Arguments.
        """

    def results(self) -> Iterator[dict[str, Any]]:
        """Answers as they come, until nothing is queued or in work."""

    def close(self) -> None:
        """Let the processes go."""


@dataclass(frozen=True)
class Outcome:
    """What has become of a batch.

    Attributes
    ----------
    table : DataFrame
        ``name, input, state, spoiled, output, said``, one row a task.
    written : tuple of Path
        Files of the merged result.
    """

    table: pd.DataFrame
    written: tuple[Path, ...]


def run_batch(
    tasks: tuple[Task, ...],
    out: Path,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    attempts: int = 3,
    time_limit: float = float("inf"),
    retry: bool = False,
    lang: str = "zh",
    progress: Progress | None = None,
) -> Outcome:
    """Carry out all tasks and merge what they found; what is done already is not done again.

    Parameters
    ----------
    tasks : tuple of Task
        All tasks.
    out : Path
        Folder of the batch: ``counties/``, ``province/``, ``ledger.sqlite``.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler instead.
    attempts : int
        Failures after which a task is quarantined while the others go on. From the second one on
        it runs when nothing else does, so that a neighbour's hunger is not held against it.
    time_limit : float
        Seconds a task may take on this machine.
    retry : bool
        Whether refused and quarantined tasks are tried again.
    lang : {"zh", "en"}
        Language of the merged page.
    progress : callable, optional
        Told a line of text after each task.

    Returns
    -------
    Outcome
        Table of all tasks and the merged files. Interrupting it (KeyboardInterrupt) leaves every
        finished county in place; the same call goes on from there.

    Raises
    ------
    InputError
        When another batch is at work in the folder.
    CatchmentError
        When the scheduler cannot be reached.
    """
    session = uuid.uuid4().hex[:12]
    with Ledger(out / "ledger.sqlite") as ledger:
        ledger.enter(tasks, retry=retry)
        todo = _open_tasks(tasks, ledger, out)
        if todo:
            pool: Pool = LocalPool(workers, time_limit) if scheduler is None else _join(scheduler)
            try:
                judge = _Judge(ledger, out, session, attempts, len(tasks), progress)
                suspects = judge.run(pool, todo, alone=False)
                for task in suspects:
                    judge.run(pool, [task], alone=True)
            finally:
                pool.close()
        table = ledger.table()
    written = write_province(table, out, lang=lang)
    return Outcome(table, tuple(written))


def _join(scheduler: str) -> Pool:
    return ClusterPool(scheduler)


def _open_tasks(tasks: tuple[Task, ...], ledger: Ledger, out: Path) -> list[tuple[Task, int]]:
    """Tasks still to be done, with their failures; finished folders are recognised."""
    known = {row["name"]: row for row in ledger.table().to_dict("records")}
    todo = []
    for task in tasks:
        state, spoiled = str(known[task.name]["state"]), int(known[task.name]["spoiled"])
        if state in ("refused", "quarantined"):
            continue
        ready = finished(out / "counties" / task.name, task.digest)
        if ready is None:
            todo.append((task, spoiled))
        elif state != "done" or known[task.name]["output"] != ready:
            ledger.note(task.name, "done", spoiled=spoiled, output=ready)
    return todo


class _Judge:
    """Hands tasks out and decides what an answer means."""

    def __init__(
        self,
        ledger: Ledger,
        out: Path,
        session: str,
        attempts: int,
        total: int,
        progress: Progress | None,
    ) -> None:
        self._ledger, self._out, self._session = ledger, out, session
        self._attempts, self._total, self._progress = attempts, total, progress

    def run(
        self, pool: Pool, todo: list[tuple[Task, int]], *, alone: bool
    ) -> list[tuple[Task, int]]:
        """Carry out tasks; return those that must run when nothing else does."""
        tasks = {task.name: (task, spoiled) for task, spoiled in todo}
        suspects: list[tuple[Task, int]] = []
        ends: Counter[str] = Counter()
        for task, spoiled in todo:
            pool.submit(self._arguments(task, spoiled, alone=alone))
        for answer in pool.results():
            task, spoiled = tasks[answer["name"]]
            if answer["state"] in ("died", "failed"):
                ends[task.name] += 1
                if ends[task.name] > self._attempts:
                    # Workers that die before they can leave a mark would be asked for ever.
                    said = "工作进程无法启动 / the worker cannot start"
                    failed = {"name": task.name, "state": "quarantined", "output": ""}
                    self._settle(failed | {"spoiled": ends[task.name], "said": said})
                    continue
                # Its mark is on the disk: the next attempt will count it.
                pool.submit(self._arguments(task, spoiled, alone=alone))
            elif answer["state"] == "suspect":
                suspects.append((task, spoiled))
            else:
                self._settle(answer)
        return suspects

    def _settle(self, answer: dict[str, Any]) -> None:
        name, state = str(answer["name"]), str(answer["state"])
        self._ledger.note(
            name, state, spoiled=answer["spoiled"], output=answer["output"], said=answer["said"]
        )
        if self._progress is not None:
            said = f"：{answer['said']}" if answer["said"] else ""
            self._progress(f"{self._ledger.ended()}/{self._total} {name} {state}{said}")

    def _arguments(self, task: Task, spoiled: int, *, alone: bool) -> dict[str, Any]:
        return {
            "plain": task.plain(),
            "out": str(self._out.resolve()),
            "session": self._session,
            "spoiled": spoiled,
            "attempts": self._attempts,
            "alone": alone,
        }
