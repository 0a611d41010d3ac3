"""Contenders raced on the same case in the same process, round by round."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contender:
    """One way to answer a case.

    Attributes
    ----------
    name : str
        As printed.
    ask : callable
        Computes the answer; timed.
    scale : float, default 1
        By what the time is multiplied, where only a part of the case is asked.
    """

    name: str
    ask: Callable[[], Any]
    scale: float = 1.0


@dataclass
class Times:
    """Processor and wall seconds of every round, already scaled."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of processor seconds."""
        return statistics.median(self.cpu)

    @property
    def median_wall(self) -> float:
        """Median of wall seconds."""
        return statistics.median(self.wall)


def race(contenders: Sequence[Contender], rounds: int = 5) -> dict[str, Times]:
    """Time every contender once a round, after one round that does not count.

    Parameters
    ----------
    contenders : sequence of Contender
        Who races.
    rounds : int, default 5
        Rounds that count.

    Returns
    -------
    dict of str to Times
        By name of the contender.
    """
    times = {c.name: Times() for c in contenders}
    for number in range(rounds + 1):
        for c in contenders:
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            answer = c.ask()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            del answer
            if number:
                times[c.name].cpu.append(cpu * c.scale)
                times[c.name].wall.append(wall * c.scale)
    return times


def seconds(value: float) -> str:
    """Write a time with three figures.

    Parameters
    ----------
    value : float
        Seconds.

    Returns
    -------
    str
        In s or ms.
    """
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


def table(title: str, times: dict[str, Times], first: str, notes: dict[str, str]) -> str:
    """Write a race as a Markdown table.

    Parameters
    ----------
    title : str
        What was asked.
    times : dict of str to Times
        From ``race``.
    first : str
        Whose time is 1 in the column of ratios.
    notes : dict of str to str
        Remarks by contender.

    Returns
    -------
    str
        Markdown.
    """
    base = times[first].median
    lines = [
        f"**{title}**",
        "",
        f"| | processor time, median | wall | slower than {first} | |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {seconds(t.median)} | {seconds(t.median_wall)} | {t.median / base:.3g} x | "
        f"{notes.get(name, '')} |"
        for name, t in times.items()
    ]
    return "\n".join(lines)
