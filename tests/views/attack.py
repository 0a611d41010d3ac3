"""An attacker who joins the public files of one or several runs, all years and arrangements.

Unknown are the students of every village-band in every year. Known is all that the parents' pages
and the slides tell, and, beyond it, more than any reader can know: minutes without rounding, the
rooms of every school, which schools are small. Every figure becomes a row ``low <= a x <= high``; of
every cell the least and the most are solved for.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
import pptx

from catchment.indicators import registry
from catchment.plan import Plan, trip_mode
from catchment.problem import Problem
from catchment.run import Run
from catchment.views.deck import deck_bytes
from catchment.views.document import Table
from catchment.views.notice_sheet import notice_document
from catchment.views.parents import parents_payload
from catchment.views.public import FEWER, WITHHELD, limit_of
from catchment.views.story import tell
from catchment.views.words import word

MOST = 5000
"""Nobody believes in a village of more pupils in a band."""
WORSE = 10.0
SMALL_SCHOOL = 100


@dataclass
class System:
    """Rows over cells and helping variables, all 0 or more."""

    size: int = 0
    rows: list[tuple[np.ndarray, np.ndarray, float, float, str]] = field(default_factory=list)

    def new(self, count: int) -> np.ndarray:
        """Positions of new variables."""
        self.size += count
        return np.arange(self.size - count, self.size)

    def add(self, cells: Any, low: float, high: float, why: str, weight: Any = 1.0) -> None:
        """Add one row; weights of a variable that is named twice are added up."""
        at = np.asarray(cells, dtype=np.int64).ravel()
        weights = np.broadcast_to(np.asarray(weight, dtype=float), at.shape)
        where, place = np.unique(at, return_inverse=True)
        self.rows.append((where, np.bincount(place, weights, len(where)), low, high, why))

    def broken(self, truth: np.ndarray) -> list[str]:
        """Rows that what is really so does not fulfil: the attacker would be misled."""
        return [
            f"{why}: {low} <= {a @ truth[at]} <= {high}"
            for at, a, low, high, why in self.rows
            if not low - 1e-6 <= a @ truth[at] <= high + 1e-6
        ]

    def spans(self, wanted: Iterable[Sequence[int]]) -> list[tuple[int, int]]:
        """Least and most whole students that sums of cells can be."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.addVars(self.size, np.zeros(self.size), np.full(self.size, float(MOST)))
        for at, a, low, high, _ in self.rows:
            solver.addRow(low, high, len(at), at.astype(np.int32), a)
        found, last = [], np.zeros(0, dtype=np.int64)
        for cells in wanted:
            mine, ends = np.asarray(cells, dtype=np.int64), []
            for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
                solver.changeObjectiveSense(sense)
                for k in last.tolist():
                    solver.changeColCost(k, 0.0)
                for k in mine.tolist():
                    solver.changeColCost(k, 1.0)
                solver.run()
                assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
                ends.append(solver.getObjectiveValue())
                last = mine
            found.append((int(np.ceil(ends[0] - 1e-5)), int(np.floor(ends[1] + 1e-5))))
        return found


@dataclass
class Attack:
    """What all files together say.

    Attributes
    ----------
    system : System
        Every figure as a row.
    cells : dict
        Variable by village-band and year.
    truth : dict
        What is really so, by variable.
    hidden : list of list of int
        Variables of every village whose number is kept back in some file.
    limit : int
        Privacy limit of the files.
    """

    system: System
    cells: dict[tuple[int, int], int]
    truth: dict[int, int]
    hidden: list[list[int]]
    limit: int

    def narrow(self, wanted: Sequence[Sequence[int]]) -> list[tuple[Any, ...]]:
        """Sums of cells that are pinned down to fewer numbers than the limit."""
        name = {k: cell for cell, k in self.cells.items()}
        found = []
        for cells, (low, high) in zip(wanted, self.system.spans(wanted), strict=True):
            exact = sum(self.truth[k] for k in cells)
            assert low <= exact <= high
            if high - low + 1 < self.limit:
                found.append(([name[k] for k in cells], exact, low, high))
        return found

    def small(self, step: int = 1) -> list[list[int]]:
        """Village-bands of fewer students than the limit, nobody among them too."""
        chosen = [[k] for k in self.cells.values() if self.truth[k] < self.limit]
        return chosen[::step]

    def small_villages(self, problem: Problem, step: int = 1) -> list[list[int]]:
        """Villages of fewer students than the limit in a year, all bands together."""
        of: dict[tuple[int, int], list[int]] = {}
        for (i, year), k in self.cells.items():
            of.setdefault((int(problem.group_village[i]), year), []).append(k)
        chosen = [v for v in of.values() if sum(self.truth[k] for k in v) < self.limit]
        return chosen[::step]


def attack(runs: Sequence[Run], *, insider: bool = False) -> Attack:
    """Join all that is told of runs of one county.

    Parameters
    ----------
    runs : sequence of Run
        Runs whose public files are all out.
    insider : bool
        Whether told numbers of villages and townships are known exactly.

    Returns
    -------
    Attack
        Rows, cells and truth.
    """
    system, cells, truth = System(), {}, {}
    for run in runs:
        problem = run.problem
        for t, year in enumerate(problem.years):
            for i in range(len(problem.group_band)):
                count = int(problem.students[i, :, t].sum())
                if (i, year) not in cells:
                    cells[i, year] = int(system.new(1)[0])
                    truth[cells[i, year]] = count
                assert truth[cells[i, year]] == count, "runs of different children"
    hidden: dict[int, list[int]] = {}
    for run in runs:
        told = _Told(run, system, cells, truth)
        told.numbers(insider, hidden)
        told.classes()
        told.slides()
        told.notice()
    exact = np.zeros(system.size)
    exact[list(truth)] = list(truth.values())
    broken = system.broken(exact)
    assert not broken, broken[:5]
    return Attack(system, cells, truth, list(hidden.values()), limit_of(runs[0]))


class _Told:
    """The files of one run as rows of the system."""

    def __init__(self, run: Run, system: System, cells: dict[Any, int], truth: dict[int, int]):
        self.run, self.system, self.cells, self.truth = run, system, cells, truth
        self.page, self.limit = parents_payload(run), limit_of(run)
        assert parents_payload(run, lang="en") == {**self.page, "lang": "en"}
        self.ways = {
            (name, t): self._ways(run.problem_of(name), plan, name, t)
            for name, plan in (("today", run.today), ("plan", run.plan))
            for t in range(len(run.problem.years))
        }

    def _ways(self, problem: Problem, plan: Plan, name: str, t: int) -> list[tuple[int, int, int]]:
        """Variable, group and school: one for a group that goes to one school, else one each."""
        out = []
        year = problem.years[t]
        for i in range(len(problem.group_band)):
            own, cell = int(plan.site_of[i, t]), self.cells[i, year]
            sites, parts = {own}, np.zeros(0, dtype=bool)
            if plan.elsewhere is not None:
                p = plan.elsewhere
                # Which schools share a village is told; who keeps a school began there.
                sites |= set(p.site[(p.group == i) & p.shared].tolist())
                if (~p.shared).any():
                    sites |= {int(self.run.today.site_of[i, 0]), *plan.site_of[i, : t + 1].tolist()}
                parts = (p.group == i) & (p.year == t)
                sites |= set(p.site[parts].tolist())
            sites.discard(-1) if own >= 0 else None
            if len(sites) == 1:
                out.append((cell, i, own))
                continue
            new = self.system.new(len(sites))
            self.system.add([*new, cell], 0, 0, "parts", [1.0] * len(new) + [-1.0])
            there: dict[int, int] = {}
            if plan.elsewhere is not None:
                for j, n in zip(p.site[parts].tolist(), p.students[parts].tolist(), strict=True):
                    there[j] = there.get(j, 0) + int(n)
            there[own] = self.truth[cell] - sum(there.values())
            for k, j in zip(new.tolist(), sorted(sites), strict=True):
                self.truth[k] = there.get(j, 0)
                out.append((k, i, j))
        return out

    def numbers(self, insider: bool, hidden: dict[int, list[int]]) -> None:
        """Numbers of villages and townships."""
        problem, told = self.run.problem, self.page["students"]
        year, village = told["year"], problem.group_village
        towns = np.array([v["town"] for v in self.page["villages"]])
        groups = [(f"village {v}", np.array([v]), n) for v, n in enumerate(told["villages"])]
        groups += [(t, np.flatnonzero(towns == t), n) for t, n in told["towns"].items()]
        for name, villages, count in groups:
            mine = [self.cells[int(i), year] for i in np.flatnonzero(np.isin(village, villages))]
            if count == FEWER:
                if len(villages) == 1 and name.startswith("village"):
                    hidden.setdefault(int(villages[0]), mine)
                continue
            exact = sum(self.truth[k] for k in mine)
            low, high = (exact, exact) if insider else (max(count - 2, self.limit), count + 2)
            self.system.add(mine, low, high, name)

    def classes(self) -> None:
        """Largest classes: at least so many in a band, and no more than one class a grade holds."""
        problem, years = self.run.problem, self.run.problem.years
        seen: dict[tuple[str, int, int, int], int] = {}
        for i, steps in enumerate(self.page["steps"]):
            for k, s in enumerate([*steps, *self.page["shared"].get(str(i), [])]):
                year = s[0] or years[-1]
                which = "today" if k == 0 else "plan"
                if s[1] >= 0:
                    key = (which, s[1], int(problem.group_band[i]), year)
                    assert seen.setdefault(key, s[5]) == s[5]
        for (which, j, b, year), size in seen.items():
            if size == WITHHELD:
                continue
            ways = self.ways[which, years.index(year)]
            mine = [k for k, i, at in ways if at == j and problem.group_band[i] == b]
            low = 0 if size in (FEWER, -1) else max(size - 4, self.limit)
            most, grades = np.inf, int((problem.grade_band == b).sum())
            if size == FEWER:
                most = (self.limit - 1) * grades
            elif 0 < size <= 20:
                most = size * grades  # no class of so few comes from one that was divided
            exact = sum(self.truth[k] for k in mine)
            own = which == "today" and len(self.run.region.classes)
            # A school's own register may hold others than its villages: it tells nothing of them.
            if own and not low <= exact <= most:
                continue
            self.system.add(mine, low, most, f"class {which} {j} {b} {year}")

    def slides(self) -> None:
        """All figures of the slides; both languages say the same."""
        tables = {lang: slide_tables(self.run, lang) for lang in ("zh", "en")}
        sums = {lang: read_sums(tables[lang], lang, self.limit) for lang in tables}
        assert sums["zh"] == sums["en"], {
            k: (sums["zh"].get(k), sums["en"].get(k))
            for k in {*sums["zh"], *sums["en"]}
            if sums["zh"].get(k) != sums["en"].get(k)
        }
        moved = {lang: read_moved(tables[lang], lang, self.limit) for lang in tables}
        assert moved["zh"] == moved["en"]
        for (code, year, which), told in sums["zh"].items():
            self._sum(code, year, which, told)
        for year, told in moved["zh"].items():
            self._moved(year, told)

    def notice(self) -> None:
        """Who receives: were only those named to whom children go, the others would have none."""
        tables = {lang: notice_rows(self.run, lang) for lang in ("zh", "en")}
        assert tables["zh"] == tables["en"]
        problem, plan = self.run.problem, self.run.plan
        pairs: dict[tuple[int, int, int], list[int]] = {}
        named: set[tuple[int, int, int]] = set()
        for (year, j), receivers in tables["zh"].items():
            t = problem.years.index(year)
            old = plan.site_of[:, t - 1] if t else self.run.today.site_of[:, 0]
            for k, i, at in self.ways["plan", t]:
                if old[i] == j and at == plan.site_of[i, t] and at not in (j, -1):
                    pairs.setdefault((year, j, at), []).append(k)
            named |= {(year, j, at) for at in receivers}
        if not set(pairs) <= named:
            for pair, cells in pairs.items():
                low, high = (1, np.inf) if pair in named else (0, 0)
                self.system.add(cells, low, high, f"notice {pair}")

    def _mode(self, i: int, j: int, t: int) -> str:
        p = self.run.problem
        at = trip_mode(p, np.array([i], np.int32), np.array([j], np.int32), t)[0]
        return p.modes[at] if at >= 0 else ""

    def _sum(self, code: str, year: int, which: str, told: Any) -> None:
        problem = self.run.problem_of(which)
        t = problem.years.index(year)
        ways, name = self.ways[which, t], f"{code} {year} {which}"
        cell = np.array([k for k, _, _ in ways])
        group, site = np.array([i for _, i, _ in ways]), np.array([j for _, _, j in ways])
        minutes = np.where(site >= 0, problem.minutes[problem.network[t], group, site], np.nan)
        before = self.run.today.site_of[group, 0]
        then = problem.minutes[problem.network[0], group, before].astype(float)
        there = np.isfinite(minutes)
        then[before < 0] = np.nan
        members = {
            "students": np.ones(len(cell), dtype=bool),
            "unserved": site < 0,
            "over_limit_students": there
            & (minutes > problem.trip_limit[problem.group_band[group]]),
            "bus_riders": np.array(
                [j >= 0 and self._mode(i, j, t).startswith("bus") for _, i, j in ways]
            ),
            "worsened_students": there & (minutes - np.nan_to_num(then, nan=np.inf) > WORSE),
        }
        if code in members:
            self.system.add(cell[members[code]], *told, name)
        elif code == "minutes_mean":
            weight = minutes[there]
            self.system.add(cell[there], -np.inf, 0, name, weight - told[1] - 0.00001)
            self.system.add(cell[there], 0, np.inf, name, weight - told[0] + 0.00001)
        elif code == "minutes_max":
            for k in cell[there & (minutes > told[1] + 0.05001)]:
                self.system.add([k], 0, 0, name)  # nobody makes a longer trip
        elif code == "place_shortfall":
            self._shortfall(problem, ways, t, told[1], name)
        elif code == "small_schools":
            self._small(problem, which, ways, t, name)
        else:
            assert code in ("schools_open", "teaching_points", "large_classes"), code

    def _shortfall(self, problem: Problem, ways: list[Any], t: int, most: float, name: str) -> None:
        """No more are without a place than is told; who knows the rooms knows how many fit in."""
        lacking = []
        for j in sorted({j for _, _, j in ways if j >= 0}):
            mine = [k for k, _, at in ways if at == j]
            fits = int(problem.rooms[j, t]) * int(problem.class_size[j].max())
            more = int(self.system.new(1)[0])
            self.truth[more] = max(0, sum(self.truth[k] for k in mine) - fits)
            self.system.add([*mine, more], -np.inf, fits, name, [1.0] * len(mine) + [-1.0])
            lacking.append(more)
        self.system.add(lacking, 0, most, name)

    def _small(self, problem: Problem, which: str, ways: list[Any], t: int, name: str) -> None:
        """Of every school it is known whether it is small, not of how many there are alone."""
        for j in sorted({j for _, _, j in ways if j >= 0}):
            mine = [k for k, _, at in ways if at == j]
            exact = sum(self.truth[k] for k in mine)
            low, high = (0, SMALL_SCHOOL - 1) if exact < SMALL_SCHOOL else (SMALL_SCHOOL, np.inf)
            self.system.add(mine, low, high, name)

    def _moved(self, year: int, told: tuple[float, float]) -> None:
        problem = self.run.problem
        t = problem.years.index(year)
        old = self.run.today.site_of[:, 0] if t == 0 else self.run.plan.site_of[:, t - 1]
        gone = {w[2] for w in self.page["works"] if w[0] == year and w[1] in ("close", "point")}
        mine = [k for k, i, j in self.ways["plan", t] if int(old[i]) in gone and j != old[i]]
        if self.run.plan.elsewhere is None:
            self.system.add(mine, *told, f"moved {year}")
        else:  # of those some had been at the new school before
            self.system.add(mine, told[0], np.inf, f"moved {year}")


def slide_tables(run: Run, lang: str) -> list[list[list[str]]]:
    """Tables of the slides as rows of texts."""
    slides = pptx.Presentation(io.BytesIO(deck_bytes(run, lang=lang))).slides
    return [
        [[cell.text for cell in row.cells] for row in shape.table.rows]
        for slide in slides
        for shape in slide.shapes
        if shape.has_table
    ]


def notice_rows(run: Run, lang: str) -> dict[tuple[int, int], set[int]]:
    """Receivers that the notice names, by year and school, as positions."""
    story = tell(run, lang)
    at = {name: run.problem.site_ids.index(code) for code, name in story.distinct().items()}
    assert len(at) == len(run.problem.site_ids), "namesakes that cannot be told apart"
    aside = [word(f"change.{kind}", lang) for kind in ("keep", "road")]
    document = notice_document(run, lang=lang)
    (table,) = (b for b in document.blocks if isinstance(b, Table))
    between = "、" if lang == "zh" else ", "
    return {
        (int(year), at[school]): {at[n] for n in told.split(between)} if told != "—" else set()
        for year, kind, school, _, told in table.rows
        if kind not in aside
    }


def read_sums(
    tables: list[list[list[str]]], lang: str, limit: int
) -> dict[tuple[str, int, str], tuple[float, float]]:
    """Figures of the slides by code, year and arrangement, as the least and the most they say."""
    codes = {(m.zh if lang == "zh" else m.en): code for code, m in registry().items()}
    codes[word("deck.longest", lang)] = "minutes_max"
    codes[word("deck.small", lang)] = "small_schools"
    found: dict[tuple[str, int, str], tuple[float, float]] = {}
    for table in tables:
        if table[0][0] != word("col.indicator", lang):
            continue
        for row in table[1:]:
            code = codes[re.split(r"（| \(", row[0])[0]]
            for head, cell in zip(table[0][1:], row[1:], strict=True):
                year = int("".join(c for c in head if c.isdigit()))
                plan = "plan" if head == word("col.plan_year", lang, year=year) else "today"
                told = span_of(code, cell, lang, limit)
                if told is not None:
                    assert found.setdefault((code, year, plan), told) == told
    return found


def span_of(code: str, cell: str, lang: str, limit: int) -> tuple[float, float] | None:
    """What a figure of the slides leaves open: sums in tens, none of fewer than twice the limit."""
    if cell == word("deck.fewer", lang, limit=2 * limit):
        return 0, 2 * limit - 1
    if not re.fullmatch(r"-?[\d,.]+", cell):
        return None
    number = float(cell.replace(",", ""))
    if code == "minutes_mean":
        half = 0.05 if "." in cell else 0.5
        return number - half, number + half
    if code not in ("students", "unserved", "over_limit_students", "bus_riders",
                    "worsened_students", "place_shortfall"):  # fmt: skip
        return number, number
    return (0, 0) if number == 0 else (max(number - 5, 2 * limit), number + 4)


def read_moved(
    tables: list[list[list[str]]], lang: str, limit: int
) -> dict[int, tuple[float, float]]:
    """Students who move, by year."""
    head = word("deck.students_moved", lang)
    rows = [row for table in tables if head in table[0] for row in table[1:]]
    found = {int(row[0]): span_of("students", row[-1], lang, limit) for row in rows}
    return {year: told for year, told in found.items() if told is not None}
