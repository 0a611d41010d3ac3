"""What a run says about villages, schools, classes and changes, as tables with names.

Every document reads these tables, so that a village has the same number in all of them.
Nothing is decided here: figures come from the plan, the problem and the indicators of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from catchment.indicators import registry
from catchment.indicators.measure import classes_listed
from catchment.plan import Plan, students_at
from catchment.problem import Problem
from catchment.run import Run
from catchment.views.plain import plain
from catchment.views.shares import own_students, parts_of

LONGEST_NAME, LONGEST_NOTE = 40, 300
"""Most characters of a name and of a sentence from the data; the rest is cut with an ellipsis."""

WORSE_MINUTES = 10.0
"""A village gets worse where its trip grows by more than this (minutes, one way)."""


@dataclass(frozen=True)
class Facts:
    """Tables of one run that documents show.

    Attributes
    ----------
    sites : DataFrame
        One row a site in the order of the problem: ``site_id, name, township, kind, role, rooms,
        beds, dining_seats, teachers, estimated, x, y``; ``kind`` is ``existing``, ``closed`` or
        ``candidate``.
    villages : DataFrame
        One row a village in the order of the problem: ``village_id, name, township, x, y``.
    trips : DataFrame
        One row a plan, village, band and year: ``plan, village_id, village, township, band, year,
        students, site_id, site, minutes, metres, mode, over_limit, estimated, own, part``; an
        empty ``site_id`` is unserved. Where children of a village go to several schools, a row a
        school: ``own`` is the school of the village, ``part`` is ``shared`` (多校划片) or ``kept``
        (they keep the school they began at), empty where all go to one.
    classes : DataFrame
        One row a plan, site, grade and year with students or classes: ``plan, site_id, site,
        township, grade, year, students, classes, class_size``.
    changes : DataFrame
        What the plan changes: ``year, site_id, site, township, kind, bands_before, bands_after,
        rooms_before, rooms_after, beds_added, seats_added, naps_added, students, receivers, receiver_ids,
        note``; in order of year. ``kind`` is ``close``, ``downgrade``, ``extend``, ``expand``,
        ``build`` or ``reopen``; ids of receivers are joined by a space.
    figures : dict
        Values of the indicators by ``(indicator, scope, id, year, plan)``; see :func:`figure`.
    first, focus, last : int
        First year; the year in which the last change of a school is done, to which documents
        speak (the first where nothing changes); last year.
    focus_at : int
        Position of the focus year.
    """

    sites: pd.DataFrame
    villages: pd.DataFrame
    trips: pd.DataFrame
    classes: pd.DataFrame
    changes: pd.DataFrame
    figures: dict[tuple[str, str, str, int, str], float]
    first: int
    focus: int
    last: int
    focus_at: int


def read_facts(run: Run) -> Facts:
    """Collect the tables that documents show.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    Facts
        New tables; the run is untouched.
    """
    sites = _sites(run)
    villages = _villages(run)
    parts = [
        _trips(run.problem_of(name), plan, name, villages, sites)
        for name, plan in (("today", run.today), ("plan", run.plan))
    ]
    trips = pd.concat(parts, ignore_index=True)
    classes = pd.concat(
        [
            _classes(run.problem_of(name), plan, name, sites, run.region.classes)
            for name, plan in (("today", run.today), ("plan", run.plan))
        ],
        ignore_index=True,
    )
    years = run.problem.years
    changes = _changes(run, sites, trips)
    focus = int(changes["year"].max()) if len(changes) else years[0]
    return Facts(
        sites=sites,
        villages=villages,
        trips=trips,
        classes=classes,
        changes=changes,
        figures=_figures(run.indicators),
        first=years[0],
        focus=focus,
        last=years[-1],
        focus_at=years.index(focus),
    )


def figure(
    facts: Facts, indicator: str, year: int, plan: str, *, scope: str = "county", key: str = ""
) -> float | None:
    """Look one figure up in the run's indicators.

    Parameters
    ----------
    facts : Facts
        Tables of the run.
    indicator : str
        Name of the measure.
    year : int
        School year.
    plan : {"today", "plan"}
        Which arrangement.
    scope : str
        ``county``, ``band``, ``mode``, ``township``, ``village`` or ``site``.
    key : str
        Id within the scope; left out for the county.

    Returns
    -------
    float or None
        The value; None where the run has no such figure.
    """
    return facts.figures.get((indicator, scope, "" if scope == "county" else key, year, plan))


def _figures(table: pd.DataFrame) -> dict[tuple[str, str, str, int, str], float]:
    """Index the indicators once: documents ask for hundreds of figures."""
    names = ["indicator", "scope", "id", "year", "plan", "value"]
    if table.empty or not set(names) <= set(table.columns):
        return {}
    found: dict[tuple[str, str, str, int, str], float] = {}
    for indicator, scope, key, year, plan, value in table[names].itertuples(index=False, name=None):
        if not pd.isna(value):
            place = "" if scope == "county" else str(key)
            found.setdefault((indicator, scope, place, int(year), plan), float(value))
    return found


def indicator_name(indicator: str, lang: str) -> str:
    """Name of a measure, as its register gives it.

    Parameters
    ----------
    indicator : str
        Code of the measure.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        The code itself where the register does not know it.
    """
    known = registry().get(indicator)
    if known is None:
        return indicator
    return known.zh if lang == "zh" else known.en


def indicator_unit(indicator: str) -> str:
    """Look up the unit of a measure, as its register gives it.

    Parameters
    ----------
    indicator : str
        Code of the measure.

    Returns
    -------
    str
        Empty where the register does not know the measure.
    """
    known = registry().get(indicator)
    return "" if known is None else known.unit


def text_column(table: pd.DataFrame, *names: str) -> pd.Series:
    """First of several columns that a table has, as text.

    Parameters
    ----------
    table : DataFrame
        Any table.
    *names : str
        Names tried in order.

    Returns
    -------
    Series
        Plain text; empty text where the table has none of them.
    """
    for name in names:
        if name in table.columns:
            return table[name].map(lambda value: plain(value, longest=LONGEST_NOTE)).astype(object)
    return pd.Series([""] * len(table), index=table.index, dtype=object)


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain values by column name.

    Parameters
    ----------
    table : DataFrame
        Any table.

    Returns
    -------
    list of dict
        In order.
    """
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def worse(run: Run, facts: Facts | None = None) -> pd.DataFrame:
    """Villages whose trip grows by more than ten minutes over today's first year, in any year.

    Parameters
    ----------
    run : Run
        A finished run.
    facts : Facts, optional
        Its tables, where they are read already.

    Returns
    -------
    DataFrame
        One row a village and band in its worst year, and one a further school of a shared village,
        the largest growth first: ``village_id, village, township, band, year, from_site,
        from_name, to_site, to_name, minutes_before, minutes_after, mode_before, mode_after,
        students, growth``. ``growth`` is the difference of the minutes as they are shown, to a tenth;
        whether a village is listed is decided before. ``minutes_before`` is of today's school in the first year; a school that
        stays counts too where the road to it gets longer. Villages without students are listed as
        all others.
    """
    problem, asked, parts = run.problem, run.problem_of("today"), parts_of(run.problem, run.plan)
    groups, years = run.plan.site_of.shape
    shared = parts[parts["shared"] == 1]
    here = run.today.site_of[:, 0].astype(np.int64)
    old = asked.minutes[asked.network[0], np.arange(groups), np.maximum(here, 0)].astype(float)
    old = np.where((here >= 0) & np.isfinite(old), old, np.nan)
    group = np.r_[np.repeat(np.arange(groups), years), shared["group"].to_numpy(np.int64)]
    when = np.r_[np.tile(np.arange(years), groups), shared["year"].to_numpy(np.int64)]
    site = np.r_[run.plan.site_of.astype(np.int64).ravel(), shared["site"].to_numpy(np.int64)]
    mode = np.r_[run.plan.mode_of.astype(np.int64).ravel(), shared["mode"].to_numpy(np.int64)]
    count = np.r_[own_students(problem, parts).ravel(), shared["students"].to_numpy(np.int64)]
    now = problem.minutes[problem.network.astype(np.int64)[when], group, np.maximum(site, 0)]
    now = np.where(site >= 0, now, np.nan).astype(float)
    growth = now - old[group]
    table = pd.DataFrame(
        {"group": group, "t": when, "site": site, "mode": mode, "students": count,
         "minutes_before": old[group], "minutes_after": now, "growth": growth,
         "part": np.where(np.arange(len(group)) < groups * years, -1, site)}
    )  # fmt: skip
    table = table[growth > WORSE_MINUTES]
    table = table.sort_values(["growth", "t"], ascending=[False, True], kind="stable")
    table = table.drop_duplicates(["group", "part"])
    names = _named(run, facts, table)
    keys = ["village_id", "band", "year", "to_site"]
    return names.sort_values(
        ["growth", *keys], ascending=[False] + [True] * len(keys), kind="stable"
    ).reset_index(drop=True)


def shown_growth(before: Any, after: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Growth of trips as every file shows it: the difference of the minutes beside it.

    Parameters
    ----------
    before, after : array-like of float
        Minutes one way, not rounded.

    Returns
    -------
    array of float64
        To a tenth of a minute; who subtracts what is shown finds the same.
    """
    pairs = zip(np.atleast_1d(np.asarray(before, float)), np.atleast_1d(after), strict=True)
    # ``round`` of Python: as the minutes themselves are rounded, which NumPy's at times is not.
    return np.array([round(round(float(b), 1) - round(float(a), 1), 1) for a, b in pairs], float)


def distinct(table: pd.DataFrame, code: str) -> dict[str, tuple[str, str]]:
    """Names of schools or villages that tell them apart.

    Parameters
    ----------
    table : DataFrame
        ``Facts.sites`` or ``Facts.villages``.
    code : str
        Column of the codes.

    Returns
    -------
    dict
        By code: the name, and what tells it from its namesakes: the township, with the code where
        two of one township bear the name; empty where the name is the only one.
    """
    names = table["name"].astype(str)
    places = table["township"].astype(str)
    alone = ~names.duplicated(keep=False)
    known = ~pd.DataFrame({"n": names, "p": places}).duplicated(keep=False) & (places != "")
    found = {}
    for key, name, place, one, town in zip(
        table[code].astype(str), names, places, alone, known, strict=True
    ):
        found[key] = (name, "" if one else place if town else f"{place} {key}".strip())
    return found


def villages_moving(run: Run) -> dict[int, int]:
    """Villages some band of which gets another school, by year; counted whoever lives there.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    dict
        Number of villages by year, years without any left out; the first year is against today's
        schools, and a village that several schools come to share counts in the year it begins.
    """
    problem, plan = run.problem, run.plan
    before = np.concatenate([run.today.site_of[:, :1], plan.site_of[:, :-1]], axis=1)
    moved = plan.site_of != before
    if plan.elsewhere is not None:
        parts = plan.elsewhere
        for i in np.unique(parts.group[parts.shared]).tolist():
            moved[i, int(parts.year[(parts.group == i) & parts.shared].min())] = True
    count = [len(np.unique(problem.group_village[moved[:, t]])) for t in range(moved.shape[1])]
    return {year: n for year, n in zip(problem.years, count, strict=True) if n}


def _named(run: Run, facts: Facts | None, table: pd.DataFrame) -> pd.DataFrame:
    """Put names to the positions of village-bands, years, schools and modes."""
    problem = run.problem
    sites = _sites(run) if facts is None else facts.sites
    villages = _villages(run) if facts is None else facts.villages
    group = table["group"].to_numpy(np.int64)
    village, before = problem.group_village[group], run.today.site_of[group, 0]
    codes, labels = ([*sites[c].tolist(), ""] for c in ("site_id", "name"))
    modes = [*problem.modes, ""]
    after, t = table["site"].to_numpy(np.int64), table["t"].to_numpy(np.int64)
    return pd.DataFrame(
        {
            **{
                name: villages[column].to_numpy(object)[village]
                for name, column in (
                    ("village_id", "village_id"), ("village", "name"), ("township", "township"),
                )
            },
            "band": [problem.bands[b] for b in problem.group_band[group]],
            "year": [problem.years[k] for k in t],
            "from_site": [codes[j] for j in before],
            "from_name": [labels[j] for j in before],
            "to_site": [codes[j] for j in after],
            "to_name": [labels[j] for j in after],
            "minutes_before": table["minutes_before"].to_numpy(float),
            "minutes_after": table["minutes_after"].to_numpy(float),
            "mode_before": [modes[k] for k in run.today.mode_of[group, 0]],
            "mode_after": [modes[k] for k in table["mode"]],
            "students": table["students"].to_numpy(np.int64),
            "growth": shown_growth(table["minutes_before"], table["minutes_after"]),
        }
    )  # fmt: skip


def _sites(run: Run) -> pd.DataFrame:
    known: dict[str, dict[str, Any]] = {}
    for row in _records(run.region.sites):
        known[str(row["site_id"])] = {**row, "kind": "candidate"}
    for row in _records(run.region.schools):
        status = row.get("status")
        kind = "closed" if status == "closed" else "existing"
        known[str(row["school_id"])] = {**row, "kind": kind}
    rows = []
    for j, code in enumerate(run.problem.site_ids):
        row = known.get(code, {})
        kind = row.get("kind", "candidate")
        rows.append(
            {
                "site_id": code,
                "name": plain(row.get("name"), longest=LONGEST_NAME) or code,
                "township": plain(row.get("township"), longest=LONGEST_NAME),
                "kind": kind,
                "role": plain(row.get("role"), longest=LONGEST_NAME),
                "rooms": int(run.problem.rooms[j, 0]),
                "beds": int(run.problem.beds[j, 0]),
                "dining_seats": int(run.problem.dining_seats[j, 0]),
                "teachers": row.get("teachers"),
                "estimated": row.get("capacity_estimated") in (True, 1, "true", "True"),
                "x": row.get("x", np.nan),
                "y": row.get("y", np.nan),
            }
        )
    return pd.DataFrame(
        rows,
        columns=[
            "site_id", "name", "township", "kind", "role", "rooms", "beds", "dining_seats",
            "teachers", "estimated", "x", "y",
        ],
    )  # fmt: skip


def _villages(run: Run) -> pd.DataFrame:
    known = {str(row["village_id"]): row for row in _records(run.region.villages)}
    rows = []
    for code in run.problem.village_ids:
        row = known.get(code, {})
        rows.append(
            {
                "village_id": code,
                "name": plain(row.get("name"), longest=LONGEST_NAME) or code,
                "township": plain(row.get("township"), longest=LONGEST_NAME),
                "x": row.get("x", np.nan),
                "y": row.get("y", np.nan),
            }
        )
    return pd.DataFrame(rows, columns=["village_id", "name", "township", "x", "y"])


def _records(table: Any) -> list[dict[str, Any]]:
    """Rows of a layer as plain values, with the position of the point as ``x`` and ``y``."""
    if len(table) == 0:
        return []
    frame = pd.DataFrame(table.drop(columns="geometry", errors="ignore"))
    rows = rows_of(frame)
    if "geometry" in table.columns:
        for row, shape in zip(rows, table["geometry"], strict=True):
            if shape is not None and not shape.is_empty:
                spot = shape.representative_point() if shape.geom_type != "Point" else shape
                row["x"], row["y"] = float(spot.x), float(spot.y)
    return rows


def _trips(
    problem: Problem, plan: Plan, name: str, villages: pd.DataFrame, sites: pd.DataFrame
) -> pd.DataFrame:
    groups, years = plan.site_of.shape
    parts = parts_of(problem, plan)
    rows = np.r_[np.repeat(np.arange(groups), years), parts["group"].to_numpy(np.int64)]
    when = np.r_[np.tile(np.arange(years), groups), parts["year"].to_numpy(np.int64)]
    site = np.r_[plan.site_of.astype(np.int64).ravel(), parts["site"].to_numpy(np.int64)]
    mode = np.r_[plan.mode_of.astype(np.int64).ravel(), parts["mode"].to_numpy(np.int64)]
    own = np.arange(len(rows)) < groups * years
    served = site >= 0
    safe = np.where(served, site, 0)
    layer = problem.network.astype(np.int64)[when]
    if len(sites):
        minutes = np.where(served, problem.minutes[layer, rows, safe], np.nan).astype(float)
        metres = np.where(served, problem.metres[layer, rows, safe], np.nan).astype(float)
        codes = np.where(served, sites["site_id"].to_numpy(object)[safe], "")
        names = np.where(served, sites["name"].to_numpy(object)[safe], "")
    else:
        minutes = metres = np.full(len(rows), np.nan)
        codes = names = np.full(len(rows), "", dtype=object)
    mode_names = np.array([*problem.modes, ""], dtype=object)
    village = problem.group_village.astype(np.int64)[rows]
    band = problem.group_band.astype(np.int64)[rows]
    limit = problem.trip_limit[band].astype(float)
    count = np.r_[own_students(problem, parts).ravel(), parts["students"].to_numpy(np.int64)]
    shared = np.zeros((groups, years), dtype=bool)
    of_shared = parts["shared"].to_numpy(bool)
    shared[rows[~own][of_shared], when[~own][of_shared]] = True
    label = np.where(np.r_[shared.ravel(), of_shared], "shared", np.where(own, "", "kept"))
    flat: dict[str, Any] = {
        "plan": name,
        "village_id": villages["village_id"].to_numpy(object)[village],
        "village": villages["name"].to_numpy(object)[village],
        "township": villages["township"].to_numpy(object)[village],
        "band": np.array(problem.bands, dtype=object)[band],
        "year": np.array(problem.years, dtype=np.int64)[when],
        "students": count.astype(np.int64),
        "site_id": codes,
        "site": names,
        "minutes": minutes,
        "metres": metres,
        "mode": mode_names[mode],
        "over_limit": served & np.isfinite(minutes) & (minutes > limit),
        "estimated": problem.estimated[village, when],
        "own": own,
        "part": label.astype(object),
    }
    return pd.DataFrame(flat)


def _classes(
    problem: Problem, plan: Plan, name: str, sites: pd.DataFrame, actual: pd.DataFrame
) -> pd.DataFrame:
    """Classes by site, grade and year: those that the indicators count, the county's own too."""
    m, g, t = plan.classes.shape
    students = students_by_site(problem, plan)
    listed = classes_listed(problem, plan, actual)
    classes = np.zeros((m, g, t), dtype=np.int64)
    np.add.at(classes, (listed.site, listed.grade, listed.year), 1)
    j, k, y = np.nonzero((students > 0) | (classes > 0))
    columns: dict[str, Any] = {
        "plan": name,
        "site_id": sites["site_id"].to_numpy(object)[j] if m else [],
        "site": sites["name"].to_numpy(object)[j] if m else [],
        "township": sites["township"].to_numpy(object)[j] if m else [],
        "grade": np.array(problem.grades, dtype=np.int64)[k] if g else [],
        "year": np.array(problem.years, dtype=np.int64)[y] if t else [],
        "students": students[j, k, y],
        "classes": classes[j, k, y],
        "class_size": problem.class_size[j, k].astype(np.int64),
    }
    return pd.DataFrame(columns)


def students_by_site(problem: Problem, plan: Plan) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Students of each site, grade and year under a plan.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        The answer.

    Returns
    -------
    (m, g, t) int64
        Unserved students are in none.
    """
    return students_at(problem, plan).astype(np.int64)


def focus_year(run: Run) -> int:
    """Year in which the last change of a school is done, to which documents speak.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    int
        The first year where nothing changes; the same as ``Facts.focus``.
    """
    problem, plan = run.problem, run.plan
    last = 0
    for j in range(len(problem.site_ids)):
        before, rooms = problem.today_open[j], int(problem.rooms[j, 0])
        for t in range(len(problem.years)):
            now = plan.open[j, :, t]
            added = (problem.beds[j], problem.dining_seats[j], _naps(problem, j))
            more = int(problem.rooms[j, t]) > rooms or any(_added(row, t) > 0 for row in added)
            if _kind(before, now, bool(problem.existing[j]), more, ""):
                last = max(last, t)
            before, rooms = now, int(problem.rooms[j, t])
    return problem.years[last]


def _changes(run: Run, sites: pd.DataFrame, trips: pd.DataFrame) -> pd.DataFrame:
    problem, plan = run.problem, run.plan
    wishes = _wishes(run)
    rows: list[dict[str, Any]] = []
    for j, row in enumerate(sites.to_dict("records")):
        before, rooms = problem.today_open[j], int(problem.rooms[j, 0])
        for t, year in enumerate(problem.years):
            now, rooms_now = plan.open[j, :, t], int(problem.rooms[j, t])
            beds = _added(problem.beds[j], t)
            seats = _added(problem.dining_seats[j], t)
            naps = _added(_naps(problem, j), t)
            more = rooms_now > rooms or beds > 0 or seats > 0 or naps > 0
            kind = _kind(before, now, bool(problem.existing[j]), more, row["kind"])
            if kind:
                earlier = problem.years[max(t - 1, 0)]
                pupils, receivers, codes = _moved(trips, row["site_id"], year, earlier)
                rows.append(
                    {
                        "year": year,
                        "site_id": row["site_id"],
                        "site": row["name"],
                        "township": row["township"],
                        "kind": kind,
                        "bands_before": "+".join(np.array(problem.bands)[before]),
                        "bands_after": "+".join(np.array(problem.bands)[now]),
                        "rooms_before": rooms,
                        "rooms_after": rooms_now,
                        "beds_added": beds,
                        "seats_added": seats,
                        "naps_added": naps,
                        "students": pupils,
                        "receivers": receivers,
                        "receiver_ids": codes,
                        "note": wishes.get((row["site_id"], kind), ""),
                    }
                )
            before, rooms = now, rooms_now
    columns = ["year", "site_id", "site", "township", "kind", "bands_before", "bands_after",
               "rooms_before", "rooms_after", "beds_added", "seats_added", "naps_added", "students",
               "receivers", "receiver_ids", "note"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["year", "township", "site_id"], kind="stable").reset_index(drop=True)


def _naps(problem: Problem, j: int) -> np.ndarray[Any, Any]:
    """Nap places of a site by year, -1 where unknown."""
    if problem.nap_places is None:
        return np.full(len(problem.years), -1)
    return np.asarray(problem.nap_places[j])


def _added(row: np.ndarray[Any, Any], t: int) -> int:
    """Beds or seats added in a year; -1 is unknown and counts as none."""
    return max(int(max(row[t], 0) - max(row[max(t - 1, 0)], 0)), 0)


def _kind(
    before: np.ndarray[Any, Any],
    now: np.ndarray[Any, Any],
    existing: bool,
    more: bool,
    status: str,
) -> str:
    if before.any() and not now.any():
        return "close"
    if not before.any() and now.any():
        if existing or status == "closed":
            return "reopen"
        return "build"
    if before.any() and (before & ~now).any():
        return "downgrade"
    if (now & ~before).any():
        return "extend"
    return "expand" if more and now.any() else ""


def _moved(trips: pd.DataFrame, site: str, year: int, earlier: int) -> tuple[int, str, str]:
    """Students who leave a site in a year, and who receives them: names and ids, most first."""
    plan = trips[trips["plan"] == "plan"]
    old = plan[(plan["year"] == earlier) & (plan["site_id"] == site)]
    if earlier == year:
        today = trips[trips["plan"] == "today"]
        old = today[(today["year"] == year) & (today["site_id"] == site)]
    keys = ["village_id", "band"]
    new = plan[plan["year"] == year].merge(old[keys].drop_duplicates(), on=keys)
    new = new[(new["site_id"] != site) & (new["students"] > 0)]
    if not trips["own"].all():
        # Children of the village who were at that school already do not come from this one.
        was = (trips["plan"] == ("today" if earlier == year else "plan")) & (
            trips["year"] == earlier
        )
        there = trips[was].groupby([*keys, "site_id"], as_index=False)["students"].sum()
        new = new.merge(there, on=[*keys, "site_id"], how="left", suffixes=("", "_then"))
        new["students"] -= new["students_then"].fillna(0).astype(np.int64)
        new = new[new["students"] > 0]
    if new.empty:
        return 0, "", ""
    sums = new.groupby("site_id", sort=True)["students"].sum()
    codes = [str(c) for c in sums.sort_values(ascending=False, kind="stable").index if c]
    names = dict(zip(new["site_id"], new["site"], strict=True))
    return int(sums.sum()), "、".join(str(names[c]) for c in codes), " ".join(codes)


def _wishes(run: Run) -> dict[tuple[str, str], str]:
    """Reasons that the recipe itself gives for its actions, by site and kind of change."""
    kinds = {"merge": "close"}
    found: dict[tuple[str, str], str] = {}
    for action in recipe_actions(run):
        kind = str(action.get("do") or action.get("action") or "")
        place = action.get("school") or action.get("site")
        if kind and place:
            found[(str(place), kinds.get(kind, kind))] = plain(
                action.get("reason"), longest=LONGEST_NOTE
            )
    return found


def recipe_actions(run: Run) -> list[dict[str, Any]]:
    """Actions as the recipe names them.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    list of dict
        Empty where the recipe has none.
    """
    listed = run.scenario.get("actions") or run.scenario.get("action") or ()
    if not isinstance(listed, list | tuple):
        return []
    return [action for action in listed if isinstance(action, dict)]
