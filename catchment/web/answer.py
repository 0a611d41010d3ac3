"""The quick answer: what follows from a variant, in the time of a click.

The plan is made by the very function that a run uses, for all years; the figures are those of a
run, for the year that is shown. All rules and all years follow in the full check, which goes the
whole way of a run and compares (:mod:`catchment.web.checker`).
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment import indicators
from catchment.errors import InputError
from catchment.indicators.registry import registry
from catchment.optimise.layout import scenario_plan
from catchment.plan import Elsewhere, Plan, split
from catchment.problem import Problem
from catchment.rules.facts import Facts, case_of
from catchment.rules.findings import Findings
from catchment.rules.gate import VERDICT, check_gate
from catchment.run import Run, pose
from catchment.run.wanted import wishes_of
from catchment.scenario import Scenario, start_of
from catchment.views.ground import frame_of, spots
from catchment.views.payload import arrangement, series, text
from catchment.web.document import digest_of
from catchment.web.ground import Ground, OpenCounty, Shelf, county_figures
from catchment.web.languages import halves
from catchment.web.restate import DoubtError, question_of

UNREACHED = 65535
"""Tenths of a minute where there is no way, and for those without a school."""
_CLEARLY = 5
"""Tenths of a minute from which a trip counts as longer or shorter."""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reckoned:
    """A variant with its plan.

    Attributes
    ----------
    ground : Ground
        What it shares with others.
    scenario : Scenario
        Its recipe.
    problem : Problem
        The question.
    plan : Plan
        The plan of all years.
    digest : str
        Digest of the recipe.
    """

    ground: Ground
    scenario: Scenario
    problem: Problem
    plan: Plan
    digest: str


class Reckoner:
    """Reckons variants of one county and keeps the last of them.

    Parameters
    ----------
    county : OpenCounty
        The county.
    """

    def __init__(self, county: OpenCounty) -> None:
        self.county = county
        self._kept: Shelf[Reckoned] = Shelf(48)

    def reckon(self, scenario: Scenario) -> Reckoned:
        """Make the plan of a recipe.

        Parameters
        ----------
        scenario : Scenario
            Ids and years everywhere.

        Returns
        -------
        Reckoned
            The plan of all years.

        Raises
        ------
        InputError
            When the recipe cannot be carried out, in words.
        """
        digest = digest_of(scenario)
        return self._kept.get(digest, lambda: self._reckon(scenario, digest))

    def pose(self, scenario: Scenario) -> tuple[Ground, Problem]:
        """Carry out the actions of a recipe without making its plan.

        Parameters
        ----------
        scenario : Scenario
            Ids and years everywhere.

        Returns
        -------
        ground : Ground
            What it shares with others.
        problem : Problem
            The question it poses.

        Raises
        ------
        InputError
            When the recipe cannot be carried out, in words.
        """
        ground = self.county.ground(scenario)
        try:
            return ground, question_of(ground, scenario)
        except DoubtError:
            # The slow way says what is wrong, or carries out what was only doubted.
            return ground, pose(scenario, self.county.region).problem

    def _reckon(self, scenario: Scenario, digest: str) -> Reckoned:
        ground, problem = self.pose(scenario)
        plan = scenario_plan(
            problem,
            scenario.method.assignment,
            connected=scenario.method.connected,
            stay_minutes=scenario.method.stay_minutes,
            start=start_of(scenario),
            seed=scenario.seed,
            wishes=wishes_of(problem, ground.region, scenario),
        )
        return Reckoned(ground, scenario, problem, plan, digest)


def position_of(scenario: Scenario, year: int | None) -> int:
    """Position of a year among those of a recipe.

    Parameters
    ----------
    scenario : Scenario
        The recipe.
    year : int or None
        School year; the last when left out.

    Returns
    -------
    int
        Position.

    Raises
    ------
    InputError
        When the recipe does not hold the year.
    """
    if year is None:
        return len(scenario.years) - 1
    if year not in scenario.years:
        raise InputError(
            f"年份 {year} 不在方案的年份 {list(scenario.years)} 中 / the recipe does not hold year {year}"
        )
    return scenario.years.index(year)


def light_run(county: OpenCounty, found: Reckoned) -> Run:
    """Return a run without figures, findings and outlines, as drawing needs it.

    Parameters
    ----------
    county : OpenCounty
        The county.
    found : Reckoned
        A variant.

    Returns
    -------
    Run
        Its tables are empty.
    """
    ground, none = found.ground, pd.DataFrame()
    return Run(
        name=found.scenario.name,
        scenario={},
        region=ground.region,
        network=county.network,
        times=ground.times,
        problem=found.problem,
        today=ground.today,
        plan=found.plan,
        indicators=none,
        findings=none,
        ledger=none,
        catchments=gpd.GeoDataFrame(),
        conservation=none,
        explanations=none,
        base=ground.base,
    )


def answer(
    county: OpenCounty, found: Reckoned, year: int | None = None, *, whole: bool = True
) -> dict[str, Any]:
    """Everything that follows from a variant, as the page draws it.

    Parameters
    ----------
    county : OpenCounty
        The county.
    found : Reckoned
        The variant with its plan.
    year : int, optional
        Year of the figures; the last when left out.
    whole : bool
        Whether ``plan`` holds all years. Where it does not, the other years are None but for
        ``open``: a click is answered with what is in sight.

    Returns
    -------
    dict
        See ``docs/workbench.md``; plain values only.
    """
    began = time.perf_counter()
    t = position_of(found.scenario, year)
    trip = _trips(found.problem, found.plan)
    before = _trips(found.ground.base, found.ground.today)
    worse = _worse(found, before, trip, t)
    return {
        "year": found.scenario.years[t],
        "years": list(found.scenario.years),
        "digest": found.digest,
        "sites_added": _added(county, found),
        "plan": _whole(county, found, trip) if whole else _one_year(county, found, trip, t),
        "network": found.problem.network.tolist(),
        "limits": {
            b: float(x) for b, x in zip(found.problem.bands, found.problem.trip_limit, strict=True)
        },
        "figures": _figures(county, found, t),
        **worse,
        "gate": _gate(county, found),
        "notes": _notes(found),
        "check": "pending",
        "ms": round((time.perf_counter() - began) * 1000 + found.plan.seconds * 1000, 1),
    }


def _whole(county: OpenCounty, found: Reckoned, trip: _Trips) -> dict[str, Any]:
    """Who goes where in all years."""
    return {
        **arrangement(light_run(county, found), "plan", found.plan),
        "tenths": series(trip.tenths),
        "metres": series(trip.metres),
        "over": series(trip.over.astype(int)),
    }


def _one_year(county: OpenCounty, found: Reckoned, trip: _Trips, t: int) -> dict[str, Any]:
    """Return the same of one year: None for the others, but for what is open in them."""
    run = light_run(county, found)
    asked, part = _cut(found.problem, found.plan, [t])
    # The county's own classes speak of the first year alone.
    region = run.region if t == 0 else run.region.replace(classes=run.region.classes.iloc[:0])
    shown = arrangement(dataclasses.replace(run, problem=asked, region=region), "plan", part)
    shown |= {
        "tenths": [trip.tenths[:, t].tolist()],
        "metres": [trip.metres[:, t].tolist()],
        "over": [trip.over[:, t].astype(int).tolist()],
    }
    years = range(len(found.problem.years))
    bits = (found.plan.open * (1 << np.arange(len(found.problem.bands)))[None, :, None]).sum(axis=1)
    return {
        **{name: [values[0] if y == t else None for y in years] for name, values in shown.items()},
        "open": series(bits),
    }


def _cut(problem: Problem, plan: Plan, keep: list[int]) -> tuple[Problem, Plan]:
    """Question and plan of some years, as far as figures and drawings read them."""
    asked = problem.replace(
        years=tuple(problem.years[k] for k in keep),
        students=problem.students[:, :, keep],
        network=problem.network[keep],
        rooms=problem.rooms[:, keep],
        estimated=problem.estimated[:, keep],
    )
    parts = plan.elsewhere
    if parts is not None:
        mine = np.isin(parts.year, keep)
        place = np.searchsorted(keep, parts.year[mine]).astype(np.int32)
        rows = {k: v[mine] for k, v in vars(parts).items()}
        parts = Elsewhere(**{**rows, "year": place})
    part = plan.replace(
        elsewhere=parts,
        open=plan.open[:, :, keep],
        site_of=plan.site_of[:, keep],
        mode_of=plan.mode_of[:, keep],
        classes=plan.classes[:, :, keep],
    )
    return asked, part


@dataclass(frozen=True)
class _Trips:
    tenths: Int64
    metres: Int64
    over: npt.NDArray[np.bool_]


def _trips(problem: Problem, plan: Plan) -> _Trips:
    """Trips of every group and year; the limit is judged on the exact minutes."""
    n, t = plan.site_of.shape
    rows = np.broadcast_to(np.arange(n)[:, None], (n, t))
    net = np.broadcast_to(problem.network[None, :], (n, t))
    at = np.maximum(plan.site_of, 0)
    minutes = np.where(plan.site_of >= 0, problem.minutes[net, rows, at], np.inf).astype(np.float64)
    metres = np.where(plan.site_of >= 0, problem.metres[net, rows, at], np.inf).astype(np.float64)
    there = np.isfinite(minutes)
    rounded = np.rint(np.where(there, minutes, 0) * 10)
    board = problem.modes.index("board") if "board" in problem.modes else -2
    limit = problem.trip_limit[problem.group_band].astype(np.float64)[:, None]
    return _Trips(
        tenths=np.where(there, np.minimum(rounded, UNREACHED - 1), UNREACHED).astype(np.int64),
        metres=np.where(np.isfinite(metres), np.where(np.isfinite(metres), metres, 0), -1).astype(
            np.int64
        ),
        over=there & (minutes > limit) & (plan.mode_of != board),
    )


def _worse(found: Reckoned, before: _Trips, after: _Trips, t: int) -> dict[str, Any]:
    """Village-bands whose trip is longer than today's of the first year, most student-minutes first.

    Documents, indicators and the map of a run compare with the same trip.
    """
    whole = found.problem
    problem, plan = split(whole, found.plan)
    if problem is not whole:
        # Those who keep their school are counted where they go.
        after = _trips(problem, plan)
    group = problem.group_village * len(problem.bands) + problem.group_band
    here = found.ground.today.site_of[group]
    count = problem.students[:, :, t].sum(axis=1, dtype=np.int64)
    was, now = before.tenths[group, 0], after.tenths[:, t]
    gone = (plan.site_of[:, t] < 0) & (here[:, 0] >= 0)
    known = (was < UNREACHED) & (now < UNREACHED)
    longer = np.where(known, now - was, 0)
    mine = (count > 0) & ((longer > _CLEARLY) | gone | ((was < UNREACHED) & (now >= UNREACHED)))
    weight = np.where(known, longer, 10_000) * count
    order = sorted(np.flatnonzero(mine).tolist(), key=lambda i: (-int(weight[i]), i))
    modes = (*problem.modes, "")
    return {
        "worse": [
            {
                "village": int(problem.group_village[i]),
                "band": int(problem.group_band[i]),
                "students": int(count[i]),
                "from": int(here[i, 0]),
                "to": int(plan.site_of[i, t]),
                "before": int(was[i]),
                "after": int(now[i]),
                "mode": modes[int(plan.mode_of[i, t])],
                "over": int(after.over[i, t]),
            }
            for i in order
        ],
        "worse_students": int(count[mine].sum()),
        "better_students": int(count[(count > 0) & known & (longer < -_CLEARLY)].sum()),
        "moved_students": int(count[(here[:, t] >= 0) & (plan.site_of[:, t] != here[:, t])].sum()),
    }


def _figures(county: OpenCounty, found: Reckoned, t: int) -> list[dict[str, Any]]:
    """Figures of the county and its bands in one year, beside those of today's arrangement."""
    problem, plan = split(found.problem, found.plan)
    # Own classes speak of the first year alone, and today's trips are on the first year's roads;
    # where the year has the same roads it can be reckoned by itself.
    alone = t == 0 or problem.network[t] == problem.network[0]
    asked, part = _cut(problem, plan, [t] if alone else [0, t])
    table = indicators.compute(
        asked,
        part,
        bands=found.ground.bands,
        limits=county.class_limits,
        actual=found.ground.facts.classes if t == 0 else None,
        detail=False,
    )
    year = problem.years[t]
    now = county_figures(table).get(year, {})
    was = found.ground.figures.get(year, {})
    return [
        {
            "name": key[0],
            "unit": registry()[key[0]].unit,
            "scope": key[1],
            "id": key[2],
            "today": was.get(key),
            "plan": now.get(key),
        }
        for key in sorted({*now, *was}, key=lambda k: (k[1] != "county", k[2], k[0]))
    ]


def _gate(county: OpenCounty, found: Reckoned) -> list[dict[str, Any]]:
    """Verdicts of the closing gate on every school that gives up a band."""
    ground = found.ground
    if (found.plan.open >= found.problem.today_open[:, :, None]).all():
        return []
    problem, plan = split(found.problem, found.plan)
    case = case_of(
        problem, plan, ground.today, _facts(ground, problem, plan), county.book, county.class_limits,
        pd.DataFrame(), ground.base,
    )  # fmt: skip
    out = Findings()
    check_gate(case, out)
    rows = [r for r in out.rows if r["code"] == VERDICT.code and r["id"] in ground.site]
    return [
        {
            "school": ground.site[r["id"]],
            "year": int(r["year"]),
            "result": r["result"],
            "students": int(r["students"]),
            "zh": text(r["detail_zh"], longest=300),
            "en": text(r["detail_en"], longest=300),
        }
        for r in rows
    ]


def _facts(ground: Ground, problem: Problem, plan: Plan) -> Facts:
    """Facts with what the gate looks up for these closings, and no more.

    That is the record of evidence of the schools that give up a band, and the classes of those
    that take their students in.
    """
    lost = problem.today_open[:, :, None] & ~plan.open
    less = np.asarray(lost.any(axis=(1, 2)), dtype=np.bool_)
    loses = (problem.today >= 0) & less[problem.today]
    takes = np.zeros(len(problem.site_ids), dtype=np.bool_)
    takes[plan.site_of[loses][plan.site_of[loses] >= 0]] = True

    def rows(table: pd.DataFrame, place: dict[str, list[int]], flag: Any) -> pd.DataFrame:
        wanted = [place.get(problem.site_ids[j], []) for j in np.flatnonzero(flag)]
        return table.iloc[sorted(k for one in wanted for k in one)]

    facts = ground.facts
    return dataclasses.replace(
        facts,
        classes=rows(facts.classes, ground.class_rows, takes),
        evidence=rows(facts.evidence, ground.evidence_rows, less).astype(object),
    )


def _added(county: OpenCounty, found: Reckoned) -> list[dict[str, Any]]:
    problem, table = found.problem, found.ground.region.sites
    fresh = [j for j, s in enumerate(problem.site_ids) if s not in county.codes]
    if not fresh:
        return []
    rows = table.set_index(table["site_id"].astype(str))
    frame = frame_of(county.region.crs)
    points = spots(rows.geometry.reindex([problem.site_ids[j] for j in fresh]).to_numpy(), frame)
    return [
        {
            "position": j,
            "id": problem.site_ids[j],
            "name": text(rows.loc[problem.site_ids[j], "name"]),
            "town": text(rows.loc[problem.site_ids[j], "township"]),
            "at": points[k],
            "home": int(problem.home[j]),
            "bands": int((problem.can_host[j] * (1 << np.arange(len(problem.bands)))).sum()),
        }
        for k, j in enumerate(fresh)
    ]


def _notes(found: Reckoned) -> list[dict[str, str]]:
    notes = []
    for note in found.plan.notes:
        zh, en = halves(note)
        notes.append({"zh": text(zh, longest=400), "en": text(en, longest=400)})
    return notes
