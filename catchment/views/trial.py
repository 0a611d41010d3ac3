"""What the page needs to answer "close this school" by itself: minutes, modes, students, rooms.

Numbers are those of :mod:`catchment.optimise.whatif`, packed as bytes: the page unpacks them and
follows the same rule.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.optimise.whatif import limits_of, start_of, tenths_of
from catchment.plan import split
from catchment.problem import Problem

if TYPE_CHECKING:
    from catchment.run import Run

_NO_MODE = 15


def trial_data(run: Run) -> dict[str, Any]:
    """Everything the what-if of the page reckons with.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    dict
        ``travel`` by road network and band: ``sites``, ``tenths`` (uint16, base64) and ``modes``
        (two a byte, 15 = none) of every village; ``students`` by year (uint16, base64, grades of
        the group's own band); ``rooms`` by year; ``size``, ``limit``;
        ``may`` and ``today`` = bands each site can teach and teaches today, a bit a band. Where
        children of a village go to several schools, each part is a group of its own that follows
        after all villages, a block of bands each: ``of`` = its village, ``site`` and ``mode`` by
        year of these groups alone.
    """
    problem, plan = split(run.problem, run.plan)
    first, bands = len(run.problem.group_band), len(problem.bands)
    most = most_rooms(run)
    starts = [start_of(problem, plan, t, most_rooms=most) for t in range(len(problem.years))]
    may = problem.can_host | problem.today_open | plan.open.any(axis=2) | run.today.open.any(axis=2)
    if len(problem.modes) > _NO_MODE:  # cannot happen with the shipped table of modes
        raise ValueError("too many modes to pack")
    return {
        "travel": [
            [_block(run, w, b, may[:, b]) for b in range(bands)]
            for w in range(problem.minutes.shape[0])
        ],
        "students": _years([_own_grades(problem, t) for t in range(len(problem.years))]),
        "of": problem.group_village[first::bands].tolist(),
        "site": _lists(plan.site_of[first:].T.tolist()),
        "mode": _lists(plan.mode_of[first:].T.tolist()),
        "rooms": _lists([s.rooms.tolist() for s in starts]),
        "size": problem.class_size.ravel().tolist(),
        "limit": limits_of(problem).tolist(),
        "may": (may * (1 << np.arange(may.shape[1]))).sum(axis=1).tolist(),
        "today": (problem.today_open * (1 << np.arange(may.shape[1]))).sum(axis=1).tolist(),
    }


def _block(run: Run, network: int, band: int, may: npt.NDArray[np.bool_]) -> dict[str, Any]:
    rows = np.flatnonzero(run.problem.group_band == band)
    sites = np.flatnonzero(may)
    tenths = tenths_of(run.problem, network)[np.ix_(rows, sites)]
    mode = run.problem.mode[network][np.ix_(rows, sites)].astype(np.int64).ravel()
    nibble = np.where(mode < 0, _NO_MODE, mode)
    nibble = np.append(nibble, np.zeros(len(nibble) % 2, np.int64)).reshape(-1, 2)
    return {
        "sites": sites.tolist(),
        "tenths": _packed(tenths),
        "modes": base64.b64encode((nibble[:, 0] | nibble[:, 1] << 4).astype(np.uint8)).decode(),
    }


def _own_grades(problem: Problem, year: int) -> str:
    """Students of each group by grade of its band, padded to the longest band."""
    grades = [np.flatnonzero(problem.grade_band == b) for b in range(len(problem.bands))]
    out = np.zeros((len(problem.group_band), max((len(g) for g in grades), default=0)), np.int64)
    for b, own in enumerate(grades):
        rows = np.flatnonzero(problem.group_band == b)
        out[rows, : len(own)] = problem.students[:, :, year][np.ix_(rows, own)]
    return _packed(out)


def _packed(numbers: npt.NDArray[np.int64]) -> str:
    return base64.b64encode(numbers.astype("<u2").tobytes()).decode()


def _years(texts: list[str]) -> list[Any]:
    return [texts.index(x) if texts.index(x) < k else x for k, x in enumerate(texts)]


def _lists(rows: list[list[int]]) -> list[Any]:
    return [rows.index(x) if rows.index(x) < k else x for k, x in enumerate(rows)]


def most_rooms(run: Run) -> npt.NDArray[np.int64]:
    """Most classrooms that candidate sites can hold.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    (m,) int64
        0 where nothing is known.
    """
    table = run.region.sites
    if not len(table) or "rooms_max" not in table.columns:
        return np.zeros(len(run.problem.site_ids), np.int64)
    given = pd.to_numeric(table["rooms_max"], errors="coerce").fillna(0).astype(int)
    known = dict(zip(table["site_id"].astype(str), given, strict=True))
    return np.array([max(int(known.get(s, 0)), 0) for s in run.problem.site_ids], np.int64)
