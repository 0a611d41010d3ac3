"""Everything a page of a run needs, as one dict that JSON can hold.

Counts of students are per village and band, never per student; home points are not read at all.
Geometry is that of :mod:`catchment.views.ground`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyproj import CRS

from catchment.indicators.measure import classes_listed
from catchment.indicators.registry import registry
from catchment.network.cells import neighbours, village_cells
from catchment.places import seats
from catchment.plan import Plan, students_at
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.views.ground import (
    Frame,
    Numbers,
    catchment_colours,
    frame_of,
    outlines,
    rings,
    roads,
    spots,
)
from catchment.views.page import pick_words
from catchment.views.plain import plain
from catchment.views.shares import parts_of
from catchment.views.trial import trial_data

if TYPE_CHECKING:
    from catchment.run import Run


PLANS = ("today", "plan")
ROLES = ("closed", "central", "complete", "teaching_point", "junior", "nine_year")
_LONGEST_NAME = 160
_WORDS = ("map", "role", "mode", "unit", "sev", "res", "cat")


def map_payload(run: Run, *, lang: str = "zh") -> dict[str, Any]:
    """Everything the planner's map shows.

    Parameters
    ----------
    run : Run
        A whole run.
    lang : {"zh", "en"}
        Language the page opens in; both are in it.

    Returns
    -------
    dict
        Plain values only. Positions refer to ``villages``, ``sites``, ``bands``, ``years``.
        Yearly series hold a list, or the position of an earlier year that is the same.
    """
    problem = run.problem
    frame = frame_of(run.region.crs)
    cells = village_cells(run.region).set_index("village_id").loc[list(problem.village_ids)]
    shapes = cells.geometry.to_numpy()
    touching = neighbours(cells, link_parts=False)
    ways = {"today": run.today, "plan": run.plan}
    demand = problem.demand()
    return {
        "format": 1,
        "lang": lang,
        "words": pick_words(*_WORDS),
        **headings(run),
        "grades": [int(g) for g in problem.grades],
        "modes": list(problem.modes),
        "roles": list(ROLES),
        "roads": roads(run.network, frame),
        "townships": outlines(run.region, "township", frame),
        "outline": outlines(run.region, "county", frame),
        "cells": [rings(shape, frame) for shape in shapes],
        "villages": _villages(run, frame),
        "sites": _sites(run, frame),
        "demand": series(demand),
        "estimated": series(problem.estimated.astype(int)),
        "trips": trips(problem, tuple(ways.values())),
        "network": [int(w) for w in problem.network],
        "trips_today": trips(run.problem_of("today"), (run.today,)),
        "network_today": [int(w) for w in run.problem_of("today").network],
        "colours": {
            p: [series(c) for c in bands]
            for p, bands in catchment_colours(problem, ways, touching).items()
        },
        "plans": {p: arrangement(run, p, ways[p]) for p in PLANS},
        "parts": {p: _parts(run.problem_of(p), ways[p]) for p in PLANS},
        "indicators": _indicators(run.indicators),
        "measures": {
            k: [m.zh, m.en, m.definition_zh, m.definition_en] for k, m in registry().items()
        },
        "findings": _findings(run),
        "ledger": _table(run.ledger, _LEDGER),
        "classes": _real_classes(run),
        "reasons": _reasons(run),
        "binding": _binding(run),
        "conservation": _table(run.conservation, _CONSERVATION),
        "areas": _areas(run),
        "trial": trial_data(run),
    }


_LEDGER = (
    "year", "school_id", "school", "grade", "class_no", "students", "category", "limit", "excess",
    "ways_out", "chosen", "responsible", "target_date", "state",
)  # fmt: skip
_CONSERVATION = ("year", "students_in", "served", "unserved", "rejected")


def headings(run: Run) -> dict[str, Any]:
    """Say where a page comes from.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    dict
        ``county``, ``scenario``, ``note``, ``digest``, ``seed``, ``method``, ``status``, ``crs``,
        ``bands``, ``years``.
    """
    used = {b.band: b for b in run.region.bands}
    return {
        "county": text(run.region.name),
        "scenario": text(run.name),
        "note": text(run.region.note),
        "digest": text(_digest(run.provenance)),
        "review": text(run.provenance.get("review_number")),
        "author": text(run.provenance.get("author")),
        "dates": text(run.provenance.get("data_dates"), longest=300),
        "seed": int(run.plan.seed),
        "method": text(run.plan.method),
        "status": text(run.plan.status),
        "notes": [text(n, longest=400) for n in run.plan.notes],
        "crs": text(_crs_name(run.region.crs)),
        "bands": [
            {
                "id": b,
                "zh": text(used[b].zh) if b in used else b,
                "en": text(used[b].en) if b in used else b,
                "from": used[b].grade_from if b in used else 0,
                "to": used[b].grade_to if b in used else 0,
                "limit": number(run.problem.trip_limit[k]),
            }
            for k, b in enumerate(run.problem.bands)
        ],
        "years": [int(y) for y in run.problem.years],
    }


def text(value: Any, *, longest: int = _LONGEST_NAME) -> str:
    """Text of the data as one line without control characters.

    Parameters
    ----------
    value : object
        A cell.
    longest : int
        Most characters kept.

    Returns
    -------
    str
        Text that is shown as text.
    """
    return plain(value, longest=longest)


def number(value: Any, places: int = 2) -> float | int | None:
    """Make a number that JSON can hold.

    Parameters
    ----------
    value : object
        A number, perhaps missing or infinite.
    places : int
        Decimals kept.

    Returns
    -------
    float or int or None
        None where there is no finite number.
    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(found):
        return None
    return int(found) if found == int(found) else round(found, places)


def series(values: Numbers) -> list[Any]:
    """Yearly columns as lists; a year like an earlier one is given by that year's position.

    Parameters
    ----------
    values : (k, t) array
        One column a year.

    Returns
    -------
    list
        For every year a list of k numbers or an int.
    """
    out: list[Any] = []
    for t in range(values.shape[1]):
        same = next((s for s in range(t) if np.array_equal(values[:, s], values[:, t])), None)
        out.append(values[:, t].tolist() if same is None else same)
    return out


def trips(problem: Problem, plans: Sequence[Plan]) -> list[list[list[float]]]:
    """Trips that some plan uses.

    Parameters
    ----------
    problem : Problem
        The question.
    plans : sequence of Plan
        Arrangements to cover.

    Returns
    -------
    list
        By road network and group: flat ``site, minutes, metres, over the limit (0 or 1)``.
        Minutes have one decimal, -1 where unreachable; the limit is judged on the exact figure.
    """
    out: list[list[list[float]]] = []
    for w in range(problem.minutes.shape[0]):
        years = np.flatnonzero(problem.network == w)
        used = np.concatenate([p.site_of[:, years] for p in plans], axis=1)
        more = _sites_of_parts(plans, years)
        rows: list[list[float]] = []
        for i in range(used.shape[0]):
            row: list[float] = []
            for j in np.unique([*used[i].tolist(), *more.get(i, ())]):
                if j < 0:
                    continue
                cost = float(problem.minutes[w, i, j])
                over = cost > float(problem.trip_limit[problem.group_band[i]])
                row += [
                    int(j),
                    _or_missing(number(cost, 1)),
                    _or_missing(number(problem.metres[w, i, j], 0)),
                    int(over),
                ]
            rows.append(row)
        out.append(rows)
    return out


def _sites_of_parts(plans: Sequence[Plan], years: Numbers) -> dict[int, set[int]]:
    """Sites of the students who do not go where their group goes, by group."""
    out: dict[int, set[int]] = {}
    for parts in (p.elsewhere for p in plans):
        if parts is None:
            continue
        for k in np.flatnonzero(np.isin(parts.year, years)).tolist():
            out.setdefault(int(parts.group[k]), set()).add(int(parts.site[k]))
    return out


def _parts(problem: Problem, plan: Plan) -> list[list[int]]:
    """By year: flat group, site, students, 1 where the village is shared, mode, of its parts."""
    out: list[list[int]] = [[] for _ in problem.years]
    table = parts_of(problem, plan)
    for i, t, j, shared, count, mode in table.itertuples(index=False, name=None):
        out[int(t)] += [int(i), int(j), int(count), int(shared), int(mode)]
    return out


def _crs_name(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"{crs.name} (EPSG:{code})" if code else crs.name


def _digest(provenance: dict[str, Any]) -> str:
    for key in ("digest", "sha256", "inputs_digest"):
        if provenance.get(key):
            return str(provenance[key])[:16]
    return ""


def _or_missing(value: float | None) -> float:
    return -1 if value is None else value


def _names(problem: Problem, region: Region) -> tuple[list[str], list[str], list[int], Numbers]:
    """Name, township, role and point of every site, in the order of the problem."""
    name: dict[str, str] = {}
    town: dict[str, str] = {}
    role: dict[str, int] = {}
    spot: dict[str, Any] = {}
    for table, key in ((region.sites, "site_id"), (region.schools, "school_id")):
        if not len(table):
            continue
        roles = table["role"] if "role" in table.columns else [""] * len(table)
        for code, n, w, r, p in zip(
            table[key].astype(str), table["name"], table["township"], roles, table.geometry,
            strict=True,
        ):  # fmt: skip
            name[code], town[code], spot[code] = text(n), text(w), p
            role[code] = ROLES.index(r) if r in ROLES else 0
    return (
        [name.get(s, s) for s in problem.site_ids],
        [town.get(s, "") for s in problem.site_ids],
        [role.get(s, 0) for s in problem.site_ids],
        np.array([spot.get(s) for s in problem.site_ids], dtype=object),
    )


def site_names(run: Run) -> list[str]:
    """Names of the sites in the order of the problem.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    list of str
        (m) names; the code where there is none.
    """
    return _names(run.problem, run.region)[0]


def site_townships(run: Run) -> list[str]:
    """Townships of the sites in the order of the problem.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    list of str
        (m) townships; empty where there is none.
    """
    return _names(run.problem, run.region)[1]


def village_table(run: Run) -> tuple[list[str], list[str]]:
    """Names and townships of the villages in the order of the problem.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    names, townships : list of str
        (v) each.
    """
    table = run.region.villages
    code = table["village_id"].astype(str)
    name = dict(zip(code, table["name"], strict=True))
    town = dict(zip(code, table["township"], strict=True))
    ids = run.problem.village_ids
    return [text(name.get(v, v)) or v for v in ids], [text(town.get(v, "")) for v in ids]


def _villages(run: Run, frame: Frame) -> dict[str, Any]:
    names, towns = village_table(run)
    listed = sorted(set(towns))
    table = run.region.villages
    points = table.set_index(table["village_id"].astype(str)).geometry
    return {
        "id": list(run.problem.village_ids),
        "name": names,
        "towns": listed,
        "town": [listed.index(w) for w in towns],
        "at": spots(points.reindex(list(run.problem.village_ids)).to_numpy(), frame),
    }


def _sites(run: Run, frame: Frame) -> dict[str, Any]:
    name, town, _, spot = _names(run.problem, run.region)
    schools = run.region.schools
    listed = set(schools["school_id"].astype(str))
    guess = []
    if "capacity_estimated" in schools.columns:
        flagged = schools["capacity_estimated"].fillna(value=False).astype(bool)
        estimated = set(schools["school_id"].astype(str)[flagged])
        guess = [k for k, s in enumerate(run.problem.site_ids) if s in estimated]
    return {
        "id": list(run.problem.site_ids),
        "name": name,
        "town": town,
        "at": spots(spot, frame),
        # Working or closed: what opens there is a school that reopens, elsewhere one that is built.
        "school": [int(s in listed) for s in run.problem.site_ids],
        "home": run.problem.home.tolist(),
        "guessed": guess,
    }


def site_loads(problem: Problem, plan: Plan) -> npt.NDArray[np.int64]:
    """Students of every site by grade and year.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        An arrangement.

    Returns
    -------
    (m, g, t) int64
        Unserved groups are in no site.
    """
    return students_at(problem, plan).astype(np.int64)


def site_roles(run: Run, plan: Plan) -> npt.NDArray[np.int8]:
    """Role of every site in every year.

    Parameters
    ----------
    run : Run
        A whole run.
    plan : Plan
        One of its arrangements.

    Returns
    -------
    (m, t) int8
        Position in :data:`ROLES`. A site that teaches what it teaches today keeps its declared
        role; otherwise the bands it teaches say what it is.
    """
    problem = run.problem
    declared = np.array(_names(problem, run.region)[2], dtype=np.int8)
    stage = {b.band: b.stage for b in run.region.bands}
    junior = np.array([stage.get(b) == "junior" for b in problem.bands])
    first = ~junior & (np.cumsum(~junior) == 1)
    taught = plan.open
    low = (taught & first[None, :, None]).any(axis=1)
    rest = (taught & (~junior & ~first)[None, :, None]).any(axis=1)
    high = (taught & junior[None, :, None]).any(axis=1)
    central = ROLES.index("central")
    primary = np.where((declared == central)[:, None], central, ROLES.index("complete"))
    role = np.where(low | rest, primary, 0)
    role = np.where(low & ~rest, ROLES.index("teaching_point"), role)
    role = np.where(high & (low | rest), ROLES.index("nine_year"), role)
    role = np.where(high & ~low & ~rest, ROLES.index("junior"), role)
    same = (taught == problem.today_open[:, :, None]).all(axis=1) & problem.existing[:, None]
    keeps = same & (declared > 0)[:, None] & taught.any(axis=1)
    return np.where(keeps, declared[:, None], role).astype(np.int8)


def arrangement(run: Run, label: str, plan: Plan) -> dict[str, Any]:
    """Who goes where and what stands where under one of a run's arrangements.

    Parameters
    ----------
    run : Run
        A whole run; its indicators may be empty.
    label : {"today", "plan"}
        Whose question the arrangement answers.
    plan : Plan
        The arrangement.

    Returns
    -------
    dict
        Yearly series ``site``, ``mode``, ``role``, ``rooms``, ``places``, ``load``, ``classes``,
        ``open``.
    """
    problem = run.problem_of(label)
    load = site_loads(problem, plan)
    hosted = plan.open[:, problem.grade_band, :]
    rooms = problem.rooms
    held, _, _ = seats(load, rooms, problem.class_size, hosted)
    known = _site_figures(run.indicators, label, "places", problem)
    held = np.where(np.isnan(known), held, np.nan_to_num(known)).astype(np.int64)
    table = classes_listed(problem, plan, run.region.classes)
    m, t = held.shape
    classes: list[Any] = [[[] for _ in range(m)] for _ in range(t)]
    for j, y, a, b, size in zip(
        table.site.tolist(), table.year.tolist(), table.grade.tolist(), table.grade_to.tolist(),
        table.size.tolist(), strict=True,
    ):  # fmt: skip
        classes[y][j] += [problem.grades[a], problem.grades[b], size]
    for y in range(t - 1, 0, -1):
        same = next((s for s in range(y) if classes[s] == classes[y]), None)
        classes[y] = classes[y] if same is None else same
    return {
        "site": series(plan.site_of),
        "mode": series(plan.mode_of),
        "role": series(site_roles(run, plan)),
        "rooms": series(rooms),
        "places": series(held),
        "load": series(load.reshape(-1, t)),
        "classes": classes,
        "open": series(_bits(plan.open)),
    }


def _bits(state: Numbers) -> Numbers:
    weight = (1 << np.arange(state.shape[1]))[None, :, None]
    return np.asarray((state * weight).sum(axis=1))


def _site_figures(table: pd.DataFrame, label: str, name: str, problem: Problem) -> Numbers:
    out = np.full((len(problem.site_ids), len(problem.years)), np.nan)
    if not len(table):
        return out
    rows = table[
        (table["indicator"] == name) & (table["scope"].isin(["site", "school"]))
        & (table["plan"] == label)
    ]  # fmt: skip
    site = {s: k for k, s in enumerate(problem.site_ids)}
    year = {y: k for k, y in enumerate(problem.years)}
    for code, when, value in zip(rows["id"].astype(str), rows["year"], rows["value"], strict=True):
        if code in site and when in year:
            out[site[code], year[when]] = value
    return out


def _indicators(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures of county, bands and townships: name, unit, and series by plan."""
    out: list[dict[str, Any]] = []
    if not len(table):
        return out
    rows = table[table["scope"].isin(["county", "band", "township"])]
    years = sorted(int(y) for y in rows["year"].unique())
    where = {y: k for k, y in enumerate(years)}
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for name, unit, scope, ident, year, value, label in zip(
        rows["indicator"], rows["unit"], rows["scope"], rows["id"], rows["year"], rows["value"],
        rows["plan"], strict=True,
    ):  # fmt: skip
        key = (str(name), str(scope), text(ident))
        entry = found.get(key)
        if entry is None:
            entry = found[key] = {
                "name": text(name), "unit": text(unit), "scope": str(scope), "id": key[2],
                "years": years, **{p: [None] * len(years) for p in PLANS},
            }  # fmt: skip
            out.append(entry)
        if label in PLANS:
            entry[label][where[int(year)]] = number(value, 4)
    return out


def _findings(run: Run) -> dict[str, Any]:
    """List findings that do not pass; count those that do."""
    table = run.findings
    if not len(table):
        return {"rules": [], "rows": [], "passed": 0}
    rules: dict[str, int] = {}
    heads: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    site = {s: k for k, s in enumerate(run.problem.site_ids)}
    village = {s: k for k, s in enumerate(run.problem.village_ids)}
    for row in table.to_dict("records"):
        if row["result"] == "pass":
            continue
        code = str(row["code"])
        if code not in rules:
            rules[code] = len(heads)
            heads.append(
                {
                    "code": text(code),
                    **{k: text(row[k], longest=400) for k in
                       ("title_zh", "title_en", "citation_zh", "citation_en", "unit", "severity")},
                    "verified": str(row["verified"]).lower() in ("true", "yes", "1"),
                }
            )  # fmt: skip
        first = str(row["id"]).partition("/")[0]
        rows.append(
            [
                rules[code],
                text(row["result"]),
                site.get(first, -1),
                village.get(first, -1),
                text(row["place"]),
                number(row["year"]),
                number(row["value"]),
                number(row["limit"]),
                number(row["excess"]),
                text(row["detail_zh"], longest=600),
                text(row["detail_en"], longest=600),
            ]
        )
    passed = int((table["result"] == "pass").sum())
    return {"rules": heads, "rows": rows, "passed": passed}


def _table(table: pd.DataFrame, columns: Sequence[str]) -> list[list[Any]]:
    """Rows of a table in the order of some columns; missing columns are empty."""
    if not len(table):
        return []
    parts: list[list[Any]] = []
    for column in columns:
        if column not in table.columns:
            parts.append([None] * len(table))
        elif pd.api.types.is_numeric_dtype(table[column].dtype):
            parts.append([number(x) for x in table[column]])
        else:
            parts.append([text(x, longest=400) for x in table[column]])
    return [list(row) for row in zip(*parts, strict=True)]


def _real_classes(run: Run) -> list[list[Any]]:
    """Classes as they are today: site, grade, class, students."""
    table = run.region.classes
    if not len(table):
        return []
    site = {s: k for k, s in enumerate(run.problem.site_ids)}
    if "year" in table.columns and table["year"].notna().any():
        years = pd.to_numeric(table["year"])
        wanted = run.problem.years[0] if (years == run.problem.years[0]).any() else years.max()
        table = table[years == wanted]
    return [
        [site[str(s)], int(g), text(c, longest=24), int(n)]
        for s, g, c, n in zip(
            table["school_id"], table["grade"], table["class_no"], table["students"], strict=True
        )
        if str(s) in site and pd.notna(g) and pd.notna(n)
    ]


def _areas(run: Run) -> dict[str, Any]:
    """List areas: name and central school, and the area of every site (-1 = none)."""
    table = run.region.areas
    site = {s: k for k, s in enumerate(run.problem.site_ids)}
    listed = table.sort_values("area_id") if len(table) else table
    ids = [str(a) for a in listed["area_id"]] if len(listed) else []
    of = [-1] * len(site)
    schools = run.region.schools
    if "area_id" in schools.columns:
        for school, area in zip(schools["school_id"].astype(str), schools["area_id"], strict=True):
            if school in site and str(area) in ids:
                of[site[school]] = ids.index(str(area))
    heads = []
    # Rows as records: a row as a Series fails on text that has no UTF-8.
    for k, row in enumerate(listed.to_dict("records")):
        centre = site.get(str(row.get("central_school_id", "")), -1)
        heads.append([text(row.get("name", "")) or ids[k], centre])
        if centre >= 0 and of[centre] < 0:
            of[centre] = k
    return {"list": heads, "of": of}


def _binding(run: Run) -> dict[str, Any]:
    """Which limit a school has reached: site, band, year and the text by position."""
    keys = ["site_id", "band", "year", "limit", "reason_zh", "reason_en"]
    table = run.prices.reindex(columns=keys)
    site = {s: j for j, s in enumerate(run.problem.site_ids)}
    band = {b: k for k, b in enumerate(run.problem.bands)}
    texts: dict[tuple[str, str], int] = {}
    rows = []
    for code, b, year, limit, zh, en in table.itertuples(index=False, name=None):
        if str(code) in site and b in band and isinstance(limit, str) and limit:
            pair = (text(zh, longest=300), text(en, longest=300))
            row = [site[str(code)], band[b], int(year), texts.setdefault(pair, len(texts))]
            rows.append(row)
    return {"texts": [list(p) for p in texts], "rows": rows}


def _reasons(run: Run) -> dict[str, Any]:
    """Why a village-band goes where it goes: village, band, year and the text by position.

    Who changes school is told why; who stays and does not go to the nearest, which limit it is.
    """
    keys = ["village_id", "band", "year", "reason_zh", "reason_en"]
    table = run.explanations.reindex(columns=keys)
    if len(run.why):
        more = run.why.loc[run.why["limit"] != "", keys]
        told = set(zip(table["village_id"], table["band"], table["year"], strict=True))
        new = [
            key not in told
            for key in zip(more["village_id"], more["band"], more["year"], strict=True)
        ]
        table = pd.concat([table, more[new]], ignore_index=True)
    if not len(table):
        return {"texts": [], "rows": []}
    village = {s: k for k, s in enumerate(run.problem.village_ids)}
    band = {b: k for k, b in enumerate(run.problem.bands)}
    texts: dict[tuple[str, str], int] = {}
    rows = []
    for v, b, y, zh, en in zip(
        table["village_id"].astype(str), table["band"], table["year"], table["reason_zh"],
        table["reason_en"], strict=True,
    ):  # fmt: skip
        if v not in village or b not in band:
            continue
        pair = (text(zh, longest=600), text(en, longest=600))
        rows.append([village[v], band[b], int(y), texts.setdefault(pair, len(texts))])
    return {"texts": [list(p) for p in texts], "rows": rows}
