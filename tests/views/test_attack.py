"""An attacker with every public file of a run solves all published sums at once.

Unknown are the students of each village and band in each year. Known is what the parents' page and
the slides say: counts of villages and townships, the largest class of each school and band, and the
county's sums over villages that the page lets anyone list (over the limit, without a school, on the
bus, clearly longer, changing school), today and under the proposal in the same year. For every cell
that is not told the attacker computes the least and the most it can hold.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pptx
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from catchment.run import Run, execute
from catchment.views import public
from catchment.views.deck import FEWEST, deck_bytes
from catchment.views.facts import read_facts
from catchment.views.parents import parents_payload
from catchment.views.public import FEWER, PRIVACY_LIMIT, SUM_ROUND_TO

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "merge-2028.toml"
"""A parent of the demo county reads names; the tests read positions, which say the same."""


class System:
    """Rows ``low <= a x <= high`` over the cells of one year."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.rows: list[np.ndarray[Any, Any]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, cells: np.ndarray[Any, Any], low: float, high: float, weight: Any = 1.0) -> None:
        row = np.zeros(self.n)
        row[cells] = weight
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

    def holds(self, truth: np.ndarray[Any, Any]) -> bool:
        at = np.array(self.rows) @ truth
        return bool(
            (at >= np.array(self.low) - 1e-6).all() and (at <= np.array(self.high) + 1e-6).all()
        )

    def span(self, cells: np.ndarray[Any, Any]) -> tuple[int, int]:
        """Least and most whole students that the sum of some cells can be."""
        a, low, high = sp.csr_matrix(np.array(self.rows)), np.array(self.low), np.array(self.high)
        below, above = np.isfinite(high), np.isfinite(low)
        matrix = sp.vstack([a[below], -a[above]]).tocsr()
        bound = np.r_[high[below], -low[above]]
        goal = np.zeros(self.n)
        goal[cells] = 1.0
        ends = []
        for sign in (1.0, -1.0):
            # Nobody believes in a village of more than 5,000 pupils in a band.
            found = linprog(sign * goal, A_ub=matrix, b_ub=bound, bounds=(0, 5000), method="highs")
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return int(np.ceil(ends[0] - 1e-6)), int(np.floor(ends[1] + 1e-6))


def told_at(page: dict[str, Any], i: int, year: int) -> dict[str, list[Any]]:
    """What the page says of a village-band in a year, today's arrangement and the proposal's."""
    steps = page["steps"][i]
    later = [s for s in steps[1:] if s[0] <= year]
    return {"today": steps[0], "plan": later[-1] if later else steps[0]}


def deck_tables(content: bytes) -> list[list[list[str]]]:
    slides = pptx.Presentation(io.BytesIO(content)).slides
    return [
        [[cell.text for cell in row.cells] for row in shape.table.rows]
        for slide in slides
        for shape in slide.shapes
        if shape.has_table
    ]


def read_sums(content: bytes) -> dict[tuple[str, int, str], str]:
    """Figures of the slides by name, year and arrangement."""
    found: dict[tuple[str, int, str], str] = {}
    for table in deck_tables(content):
        if table[0][0] != "指标":
            continue
        for row in table[1:]:
            for head, cell in zip(table[0][1:], row[1:], strict=True):
                year = int("".join(c for c in head if c.isdigit()))
                plan = "plan" if head.startswith("方案") else "today"
                found[row[0].split("（")[0], year, plan] = cell
    return found


def span_of(cell: str) -> tuple[float, float]:
    """What a rounded sum of the slides leaves open."""
    if cell.startswith("少于"):
        return 1, FEWEST - 1
    number = int(cell.replace(",", ""))
    return (0, 0) if number == 0 else (number - SUM_ROUND_TO / 2, number + SUM_ROUND_TO / 2 - 1)


def attack(
    run: Run, year: int, *, insider: bool = False
) -> tuple[System, np.ndarray[Any, Any], dict[str, Any]]:
    """Everything published about one year as one system, and the truth it is about."""
    problem, t = run.problem, run.problem.years.index(year)
    page = parents_payload(run)
    truth = problem.students[:, :, t].sum(axis=1)
    village, band = problem.group_village, problem.group_band
    system = System(len(truth))
    told = [told_at(page, i, year) for i in range(len(truth))]
    for which in ("today", "plan"):
        if which == "today" and t:
            continue  # the page tells of today's arrangement in the first year alone
        site = np.array([x[which][1] for x in told])
        size = np.array([x[which][5] for x in told])
        for j, b in {(int(j), int(b)) for j, b in zip(site, band, strict=True) if j >= 0}:
            mine = np.flatnonzero((site == j) & (band == b))
            tops = {int(n) for n in size[mine]}
            # Two sizes of one class are those of two years. How many classes there are is not told.
            if len(tops) == 1 and FEWER not in tops:
                least = tops.pop() - 4
                # A school's register may hold more than its villages: that tells nothing of them.
                if truth[mine].sum() >= least:
                    system.add(mine, least, np.inf)
    if t == 0:
        cells, totals = page["students"]["villages"], page["students"]["towns"]
        towns = np.array([v["town"] for v in page["villages"]])
        for v, count in enumerate(cells):
            mine = np.flatnonzero(village == v)
            if count != FEWER:
                exact = truth[mine].sum()
                system.add(mine, *((exact, exact) if insider else (max(count - 2, 10), count + 2)))
        for name, count in totals.items():
            mine = np.flatnonzero(np.isin(village, np.flatnonzero(towns == name)))
            if count != FEWER:
                exact = truth[mine].sum()
                system.add(mine, *((exact, exact) if insider else (max(count - 2, 10), count + 2)))
    add_sums(system, run, year, told, read_sums(deck_bytes(run)))
    return system, truth, page


def add_sums(
    system: System, run: Run, year: int, told: list[dict[str, Any]], sums: dict[Any, str]
) -> None:
    problem = run.problem
    every = np.arange(system.n)
    for plan in ("today", "plan"):
        step = [x[plan] for x in told]
        site = np.array([s[1] for s in step])
        minutes = np.array([np.nan if s[2] is None else s[2] for s in step], dtype=float)
        before = np.array(
            [np.nan if x["today"][2] is None else x["today"][2] for x in told], dtype=float
        )
        over = minutes > problem.trip_limit[problem.group_band]
        bus = np.array([s[4] >= 0 and problem.modes[s[4]] == "bus" for s in step])
        members = {
            "学生数": every,
            "无学校就读": np.flatnonzero(site < 0),
            "超时人数": np.flatnonzero(over),
            "校车人数": np.flatnonzero(bus),
            "路途明显变长人数": np.flatnonzero(minutes - before > 10),
        }
        for name, mine in members.items():
            if (name, year, plan) in sums:
                system.add(mine, *span_of(sums[name, year, plan]))
        mean = sums.get(("平均单程", year, plan))
        if mean is not None:
            there = np.flatnonzero(np.isfinite(minutes))
            system.add(there, -np.inf, 0, minutes[there] - 0.05 - float(mean) - 0.05)
            system.add(there, 0, np.inf, minutes[there] + 0.05 - float(mean) + 0.05)


def narrow(
    system: System, truth: np.ndarray[Any, Any], sets: Iterator[np.ndarray[Any, Any]]
) -> list[tuple[list[int], int, int, int]]:
    """Sets of cells that the attacker pins down to fewer numbers than the limit."""
    found = []
    for cells in sets:
        low, high = system.span(cells)
        assert low <= truth[cells].sum() <= high
        if high - low + 1 < PRIVACY_LIMIT:
            found.append((cells.tolist(), int(truth[cells].sum()), low, high))
    return found


def hidden_villages(run: Run, page: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    village = run.problem.group_village
    return [
        np.flatnonzero(village == v)
        for v, n in enumerate(page["students"]["villages"])
        if n == FEWER
    ]


def small_cells(truth: np.ndarray[Any, Any], most: int) -> list[np.ndarray[Any, Any]]:
    small = np.flatnonzero((truth > 0) & (truth < PRIVACY_LIMIT))
    return [np.array([i]) for i in small[:: max(1, len(small) // most)]]


@pytest.fixture(scope="module")
def demo() -> Run:
    if not DEMO.exists():
        pytest.skip("the shipped county is not in this checkout")
    return execute(DEMO)


@pytest.mark.parametrize("insider", [False, True])
def test_first_year_of_the_demo(demo: Run, insider: bool) -> None:
    system, truth, page = attack(demo, demo.problem.years[0], insider=insider)
    assert system.holds(truth)
    hidden = hidden_villages(demo, page)
    assert len(hidden) > 10
    assert narrow(system, truth, iter(hidden)) == []
    if not insider:
        assert narrow(system, truth, iter(small_cells(truth, 40))) == []


def test_year_of_the_change(demo: Run) -> None:
    """Two arrangements of one year, whose sums differ by few villages."""
    year = read_facts(demo).focus
    system, truth, _ = attack(demo, year)
    assert year != demo.problem.years[0]
    assert system.holds(truth)
    assert narrow(system, truth, iter(small_cells(truth, 40))) == []


def test_without_complementary_suppression_the_attack_succeeds(
    demo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "_complemented", lambda counts, shown, mine, least: shown)
    system, truth, page = attack(demo, demo.problem.years[0], insider=True)
    assert narrow(system, truth, iter(hidden_villages(demo, page))) != []
