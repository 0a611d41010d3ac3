"""The page for parents: find my village; today and the proposal in plain words.

Travel facts are told of every village, distances in bands; students only by village and township,
rounded, above the privacy limit and so that nothing kept back can be worked out. What the data
answers of what parents ask is answered; the rest is said to be undecided.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.errors import InputError
from catchment.indicators.measure import classes_listed
from catchment.plan import Plan, split, trip_mode
from catchment.problem import Problem
from catchment.views.facts import distinct, focus_year, villages_moving
from catchment.views.origin import origin
from catchment.views.page import (
    LANGS,
    POLICY_MARK,
    asset,
    data_block,
    pick_words,
    style,
)
from catchment.views.payload import (
    ROLES,
    headings,
    number,
    site_names,
    site_roles,
    site_townships,
    text,
    village_table,
)
from catchment.views.public import (
    DISTANCE_BANDS_KM,
    NONE,
    ROUND_TO,
    WITHHELD,
    distance_band,
    limit_of,
    public_counts,
    publish,
    rounded_up,
)
from catchment.views.shares import shared_with, stays
from catchment.views.story import (
    GATE_CODES,
    NOTICE,
    notice_of,
    open_findings,
)

if TYPE_CHECKING:
    from catchment.run import Run


def write_parents(
    run: Run, path: Path, *, lang: str = "zh", notice: Mapping[str, str] | None = None
) -> Path:
    """Write the parents' page of a run as one file that needs nothing else.

    Parameters
    ----------
    run : Run
        A whole run.
    path : Path
        The ``.html`` file wanted.
    lang : {"zh", "en"}
        Language the page opens in; it can be switched in the page.
    notice : mapping, optional
        How to respond: ``place``, ``contact``, ``phone``, ``until``; as the recipe tells it when
        left out.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        When the language or a key of the notice is unknown.
    CatchmentError
        When the file cannot be written.
    """
    if lang not in LANGS:
        raise InputError(f"语言 {lang!r} 不支持；请用 zh 或 en / language must be zh or en")
    payload = parents_payload(run, lang=lang, notice=notice)
    title = html.escape(f"{text(run.region.name)} · {text(run.name)}")
    page = "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{"zh-CN" if lang == "zh" else "en"}">',
            "<head>",
            '<meta charset="utf-8">',
            POLICY_MARK,
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{style('parents.css')}</style>",
            "</head>",
            f"<body>{asset('parents.html')}",
            data_block("parents-data", payload),
            f"<script>{asset('common.js')}</script>",
            f"<script>{asset('parents.js')}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )
    counts = [n for steps in payload["steps"] for step in steps for n in (step[5],)]
    counts += [step[5] for steps in payload["shared"].values() for step in steps]
    counts += [*payload["students"]["villages"], *payload["students"]["towns"].values()]
    return publish(page, path, run.region, counts=counts, limit=limit_of(run))


def parents_payload(
    run: Run, *, lang: str = "zh", notice: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Everything the parents' page shows.

    Parameters
    ----------
    run : Run
        A whole run.
    lang : {"zh", "en"}
        Language the page opens in.
    notice : mapping, optional
        How to respond.

    Returns
    -------
    dict
        Plain values; travel facts of every village-band, the size of the largest class rounded up
        to five, and students of villages and townships as of
        :func:`~catchment.views.public.public_counts`.

    Raises
    ------
    InputError
        When a key of the notice is unknown.
    """
    given = dict(notice_of(run) if notice is None else notice)
    unknown = sorted(set(given) - set(NOTICE))
    if unknown:
        raise InputError(
            f"公告中有不认识的项 {unknown}；可用 {list(NOTICE)} / unknown part of the notice"
        )
    problem = run.problem
    names, towns = village_table(run)
    largest = [
        largest_classes(run.problem_of(name), plan, run.region.classes)
        for name, plan in (("today", run.today), ("plan", run.plan))
    ]
    standard = np.stack(
        [
            problem.class_size[:, problem.grade_band == b].max(axis=1, initial=1)
            for b in range(len(problem.bands))
        ],
        axis=1,
    ).astype(np.int64)
    cells, totals = village_numbers(run)
    telling = _telling(run)
    return {
        "format": 1,
        "lang": lang,
        "words": pick_words("par", "role", "mode", "res", "map"),
        **headings(run),
        "limit": limit_of(run),
        "modes": list(problem.modes),
        "sites": _site_names(run),
        "villages": [
            {"id": text(v), "name": n, "town": w}
            for v, n, w in zip(problem.village_ids, names, towns, strict=True)
        ],
        "steps": [
            _steps(run, largest, standard, telling, i) for i in range(len(problem.group_village))
        ],
        "shared": _shared(run, largest, standard, telling),
        "stays": stays(run.plan),
        "distances": list(DISTANCE_BANDS_KM),
        "students": {
            "year": int(problem.years[0]),
            "villages": cells.tolist(),
            "towns": {str(name): count for name, count in totals.items()},
        },
        "standard": [int(n) for n in standard.max(axis=0)],
        "beds": problem.beds[:, -1].tolist(),
        "dining": problem.dining_seats[:, -1].tolist(),
        "works": _works(run),
        "moves": [[year, count] for year, count in villages_moving(run).items()],
        "focus": focus_year(run),
        "open": _open_points(run),
        **origin(run),
        "notice": {key: text(given.get(key, "")) for key in NOTICE},
    }


def village_numbers(run: Run) -> tuple[npt.NDArray[np.int64], dict[object, int]]:
    """Students of the villages and townships in the first year, as the public may know them.

    Parameters
    ----------
    run : Run
        A whole run.

    Returns
    -------
    cells : (v,) int64
        As of :func:`~catchment.views.public.public_counts`.
    totals : dict
        By township.
    """
    problem = run.problem
    count = np.bincount(
        problem.group_village,
        weights=problem.students[:, :, 0].sum(axis=1),
        minlength=len(problem.village_ids),
    )
    towns = village_table(run)[1]
    # Of today alone, so that every run of the county keeps back the same villages: what one tells
    # and another keeps back would be subtracted.
    return public_counts(
        count.astype(np.int64), towns, limit=limit_of(run), floors=known_floors(run, "today")
    )


def known_floors(run: Run, which: str) -> npt.NDArray[np.int64]:
    """Students of the first year whom each village must have, going by the classes that are told.

    A class told as "at most 15" has 11 or more; what the other villages of that school and band
    cannot account for is this village's.

    Parameters
    ----------
    run : Run
        A whole run.
    which : {"today", "plan"}
        Which arrangement's classes.

    Returns
    -------
    (v,) int64
        Students by village, over all bands; 0 where nothing is known.
    """
    bands = len(run.problem.bands)
    answer = run.plan if which == "plan" else run.today
    sizes = largest_classes(run.problem_of(which), answer, run.region.classes)
    floors = np.zeros(len(run.problem.group_village), np.int64)
    # A village that several schools share has some of its children in the classes of each.
    problem, plan = split(run.problem, answer)
    count = problem.students[:, :, 0].sum(axis=1)
    site = plan.site_of[:, 0]
    whole = np.arange(len(count)) < len(floors)
    there = np.flatnonzero((site >= 0) & (whole | (count > 0)))
    key = site[there] * bands + problem.group_band[there]
    together = np.bincount(key, weights=count[there] + ROUND_TO // 2)
    told = rounded_up(sizes[site[there], problem.group_band[there], 0], limit=limit_of(run))
    others = together[key] - count[there] - ROUND_TO // 2
    least = told - ROUND_TO + 1 - others.astype(np.int64)
    of = problem.group_village[there] * bands + problem.group_band[there]
    np.add.at(floors, of, np.where(told > 0, np.maximum(least, 0), 0))
    return np.bincount(
        run.problem.group_village, weights=floors, minlength=len(run.problem.village_ids)
    ).astype(np.int64)


def _telling(run: Run) -> npt.NDArray[np.bool_]:
    """Classes of the proposal's first year that tell more of a village than today's classes do."""
    problem, plan = split(run.problem, run.plan)
    more = known_floors(run, "plan") > known_floors(run, "today")
    found = np.zeros(run.plan.open.shape[:2], dtype=bool)
    site = plan.site_of[:, 0]
    mine = more[problem.group_village] & (site >= 0)
    found[site[mine], problem.group_band[mine]] = True
    return found


def class_sizes(problem: Problem, plan: Plan) -> npt.NDArray[np.int64]:
    """Tell the largest class of every site by band and year, as the public may know it.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        An arrangement.

    Returns
    -------
    (m, b, t) int64
        Students of the largest class rounded up to five, so that classes of two years give no
        village away; -10 where there are fewer than the privacy limit, -1 where there is no class.
    """
    return rounded_up(largest_classes(problem, plan))


def largest_classes(
    problem: Problem, plan: Plan, actual: pd.DataFrame | None = None
) -> npt.NDArray[np.int64]:
    """Largest class of every site by band and year; not for the public.

    Parameters
    ----------
    problem : Problem
        The question.
    plan : Plan
        An arrangement.
    actual : DataFrame, optional
        The county's own classes of today.

    Returns
    -------
    (m, b, t) int64
        Students of the largest class; -1 where there is no class.
    """
    m, b, t = plan.open.shape
    largest = np.full((m, b, t), NONE, np.int64)
    table = classes_listed(problem, plan, actual)
    band = problem.grade_band
    for k in range(b):
        grades = np.flatnonzero(band == k)
        if not len(grades):
            continue
        mine = (table.grade <= grades[-1]) & (table.grade_to >= grades[0])
        np.maximum.at(largest, (table.site[mine], np.int32(k), table.year[mine]), table.size[mine])
    return np.where(largest == 0, NONE, largest)


def _steps(
    run: Run,
    largest: list[npt.NDArray[np.int64]],
    standard: npt.NDArray[np.int64],
    telling: npt.NDArray[np.bool_],
    i: int,
) -> list[list[Any]]:
    """Today's trip of a village-band, then every change of the proposal by year.

    Each is year, site, minutes, band of the distance, mode, largest class as the public may know it,
    and 1 if the trip is over its limit, plus 2 if the class is over the standard size.
    """
    questions = (run.problem_of("today"), run.problem)

    def state(p: int, t: int) -> list[Any]:
        problem, way = questions[p], (run.today, run.plan)[p]
        j, band = int(way.site_of[i, t]), int(problem.group_band[i])
        if j < 0:
            return [-1, None, -1, -1, NONE, 0]
        w = int(problem.network[t])
        cost = float(problem.minutes[w, i, j])
        mode = int(way.mode_of[i, t])
        boards = mode >= 0 and problem.modes[mode] == "board"
        over = cost > float(problem.trip_limit[band]) and not boards
        size, above = (
            _size(largest[p][j, band, t], limit_of(run)),
            largest[p][j, band, t] > standard[j, band],
        )
        if p and t == 0 and telling[j, band]:
            size, above = WITHHELD, False
        return [
            j,
            number(cost, 1),
            distance_band(float(problem.metres[w, i, j])),
            mode,
            size,
            int(over) + 2 * int(above),
        ]

    years = run.problem.years
    out = [[int(years[0]), *state(0, 0)]]
    last = out[0][1:5]
    for t, year in enumerate(years):
        now = state(1, t)
        if now[:4] != last:
            out.append([int(year), *now])
            last = now[:4]
    if len(out) == 1:
        out.append([int(years[-1]), *state(1, len(years) - 1)])
        out[1][0] = 0
    return out


def _size(largest: int, limit: int) -> int:
    """Largest class as the public may know it; no class would say that nobody is there."""
    return int(rounded_up(max(largest, 1), limit=limit))


def _shared(
    run: Run,
    largest: list[npt.NDArray[np.int64]],
    standard: npt.NDArray[np.int64],
    telling: npt.NDArray[np.bool_],
) -> dict[str, list[list[Any]]]:
    """Further schools of the village-bands that several schools share, as their steps are told.

    By position of the village-band: year from which it is shared, then as in a step. No numbers of
    students: who goes where is no matter of this page.
    """
    problem, plan = run.problem, run.plan
    out: dict[str, list[list[Any]]] = {}
    parts = plan.elsewhere
    for i, sites in shared_with(plan).items():
        band = int(problem.group_band[i])
        rows = []
        for j in sites:
            mine = parts is not None and (parts.group == i) & (parts.site == j) & parts.shared
            t = int(parts.year[mine].min()) if parts is not None else 0
            w = int(problem.network[t])
            cost = float(problem.minutes[w, i, j])
            mode = int(trip_mode(problem, np.array([i], np.int32), np.array([j], np.int32), t)[0])
            boards = mode >= 0 and problem.modes[mode] == "board"
            over = cost > float(problem.trip_limit[band]) and not boards
            size, above = (
                _size(largest[1][j, band, t], limit_of(run)),
                largest[1][j, band, t] > standard[j, band],
            )
            if t == 0 and telling[j, band]:
                size, above = WITHHELD, False
            rows.append(
                [
                    int(problem.years[t]), j, number(cost, 1),
                    distance_band(float(problem.metres[w, i, j])), mode, size,
                    int(over) + 2 * int(above),
                ]
            )  # fmt: skip
        out[str(i)] = rows
    return out


def _site_names(run: Run) -> list[str]:
    """Names of the sites, with the township where two schools bear the same: parents must know which."""
    names, towns = site_names(run), site_townships(run)
    table = pd.DataFrame({"site_id": run.problem.site_ids, "name": names, "township": towns})
    return [" · ".join(p for p in parts if p) for parts in distinct(table, "site_id").values()]


def _works(run: Run) -> list[list[Any]]:
    """List what is built, changed and closed: year, kind, site, rooms added."""
    problem, plan = run.problem, run.plan
    out: list[list[Any]] = []
    before = site_roles(run, run.today)
    after = site_roles(run, plan)
    point = ROLES.index("teaching_point")
    for j in range(len(problem.site_ids)):
        was_rooms, was = int(problem.rooms[j, 0]), int(before[j, 0])
        for t, year in enumerate(problem.years):
            now, rooms = int(after[j, t]), int(problem.rooms[j, t])
            if now and not was:
                kind = "reopen" if problem.existing[j] else "build"
                out.append([int(year), kind, j, rooms])
            elif was and not now:
                out.append([int(year), "close", j, 0])
            elif now and rooms > was_rooms:
                out.append([int(year), "expand", j, rooms - was_rooms])
            if now and was and now != was:
                out.append([int(year), "point" if now == point else "role", j, now])
            was, was_rooms = now, max(rooms, was_rooms)
    out.extend(
        [int(problem.years[t]), "road", -1, 0]
        for t in range(1, len(problem.years))
        if problem.network[t] != problem.network[t - 1]
    )
    order = {"road": 0, "build": 1, "reopen": 2, "expand": 3, "role": 4, "point": 5, "close": 6}
    return sorted(out, key=lambda w: (w[0], order[w[1]], w[2]))


def _open_points(run: Run) -> list[list[Any]]:
    """List rules not met, without data or awaiting evidence: result, titles, sources, places, sites.

    The same rows as the slides: of the plan, in the year to which the documents speak. Sites
    (positions) are told of what papers and the ground decide: they are shown with the villages of
    these schools. Rules that count students would say more of small schools than the page may.
    """
    table = open_findings(run.findings, focus_year(run))
    # One rule may ask for several things: notice, hearing and approval each stand for themselves.
    found: dict[tuple[str, str, str], list[Any]] = {}
    site = {code: j for j, code in enumerate(run.problem.site_ids)}
    for row in table.to_dict("records"):
        key = (str(row["result"]), str(row["code"]), str(row["title_zh"]))
        entry = found.setdefault(
            key,
            [
                text(row["result"]),
                *(
                    text(row[c], longest=300)
                    for c in ("title_zh", "title_en", "citation_zh", "citation_en")
                ),
                set(),
                set(),
            ],
        )
        entry[5].add(str(row["id"]))
        if str(row["id"]) in site and _of_ground_or_papers(*key[:2]):
            entry[6].add(site[str(row["id"])])
    order = {"fail": 0, "evidence": 1, "unknown": 2}
    listed = sorted(found, key=lambda k: (order[k[0]], k[1:]))
    return [[*found[k][:5], len(found[k][5]), sorted(found[k][6])] for k in listed]


def _of_ground_or_papers(result: str, code: str) -> bool:
    """Whether a finding of a school says nothing of how many students it has."""
    if code.startswith("R-SITE"):
        return True
    return result != "fail" and (code.startswith("R-CON") or code in GATE_CODES)
