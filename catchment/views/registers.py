"""Registers that a county keeps from year to year: cohorts, the continued ledger, the survey."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from catchment.demand import entrant_rate, largest_remainder, students_by_village
from catchment.demand.cohort import (
    Assumptions,
    Flows,
    compare_sources,
    compare_villages,
    ensemble,
    part_of,
    progression_rates,
    variants,
)
from catchment.errors import InputError
from catchment.indicators import ledger_facts, survey_names, survey_tables, with_answers
from catchment.places import classes_today
from catchment.places.carry import Continued, ThisYear, carry, read_ledger
from catchment.places.elimination import Elimination, eliminate
from catchment.places.survey import Survey, read_survey, survey_bytes
from catchment.plan import split
from catchment.region.county_tables import office_rows
from catchment.region.model import Region
from catchment.region.write import write_region
from catchment.rules.books import class_limits, read_books
from catchment.run import Run
from catchment.run.order import OWN_TABLES
from catchment.views.files import write_bytes
from catchment.views.tables import csv_text, frame_csv
from catchment.views.workbook import write_ledger

GRADE_HEADINGS = tuple(f"{n}年级" for n in "一二三四五六七八九")


@dataclass(frozen=True)
class Cohorts:
    """Children of the years to come, in three variants and an ensemble.

    Attributes
    ----------
    base : int
        Year of the children that are carried on.
    villages : tuple of str
        (v) codes.
    grades : tuple of int
        (g) grades.
    flows : mapping of str to Flows
        ``high``, ``middle``, ``low``.
    spread : (years + 1, 3) float64
        5th, 50th and 95th percentile of the county's children over the ensemble.
    progression : (g - 1,) float64
        Rates used.
    notes : tuple of str
        What had to be assumed.
    special : (v, g, years + 1) int64 or None
        Children with disabilities in ordinary classes (随班就读) of the middle variant, carried with
        their cohorts; None where none were told. Never written by village.
    """

    base: int
    villages: tuple[str, ...]
    grades: tuple[int, ...]
    flows: Mapping[str, Flows]
    spread: npt.NDArray[np.float64]
    progression: npt.NDArray[np.float64]
    notes: tuple[str, ...]
    special: npt.NDArray[np.int64] | None = None


def project_cohorts(
    region: Region,
    years: int = 10,
    *,
    base: int | None = None,
    migration: float = 0.0,
    incoming: Sequence[int] = (),
    special: Mapping[tuple[str, int], int] | None = None,
    spread: float = 0.01,
    draws: int = 200,
    seed: int = 0,
) -> Cohorts:
    """Carry a county's enrolled children through the years to come.

    Grade progression comes from the enrolled years up to the base year (1 where there is only one);
    entrants come from rows of source ``births`` or ``registered`` for grade 1 of later years, else
    from the sizes of the cohorts at school, by the rule that fills the table of demand.

    Parameters
    ----------
    region : Region
        The county.
    years : int
        Years to carry on, 1 to 40.
    base : int, optional
        Base year; the latest enrolled year when left out.
    migration : float
        Share of the children outside the town who move to the town each year; the town is the
        villages of urban class 111, 112, 121.
    incoming : sequence of int
        Children of migrant workers (随迁子女) who arrive in the town each year: by grade, or one
        number that is shared out to the grades like the town's own children.
    special : mapping of (str, int) to int, optional
        Children with disabilities in ordinary classes (随班就读) of the base year by village code
        and grade.
    spread : float
        Yearly difference of entrants between the variants, 0 or more.
    draws : int
        Draws of the ensemble, 1 or more.
    seed : int
        Seed of the ensemble.

    Returns
    -------
    Cohorts
        Whole children that add up from village to county.

    Raises
    ------
    InputError
        When no year of children is known.
    """
    if not 1 <= years <= 40:
        raise InputError(f"years = {years}: 应为 1–40 / must be 1 to 40")
    if not 0 <= spread < 1 or not 1 <= draws <= 10_000:
        raise InputError(
            f"spread = {spread:g}、draws = {draws}: 应为 0–1 之间的比率和 1–10000 次 / must be a share "
            "below 1 and 1 to 10000 draws"
        )
    children = region.children
    known = children[children["source"].isin(["enrolled", ""])]
    have = sorted(int(y) for y in (known if len(known) else children)["year"].unique())
    if not have:
        raise InputError("children 层没有任何年份 / the layer children holds no year")
    first = have[-1] if base is None else base
    if first not in have:
        raise InputError(
            f"base = {first}: 只有 {have[0]}–{have[-1]} 年有在籍学生 / no enrolled students"
        )
    past = [y for y in have if y <= first]
    run = [y for y in past if all(z in past for z in range(y, first + 1))]
    only = region.replace(children=children[children["year"].isin(run)])
    history = students_by_village(only, run)
    notes = []
    if len(run) > 1:
        progression = progression_rates(history.counts)
    else:
        progression = np.ones(len(history.grades) - 1)
        notes.append("只有一年在籍数，升级率按 1 / one enrolled year only: progression 1")
    births = _entrants_told(region, history.village_ids, first, years)
    if not np.isfinite(births).any():
        rate = float(np.expm1(entrant_rate(history.counts[:, :, -1])))
        notes.append(
            f"没有出生或户籍数，新生按在校各年级人数的趋势推算（目前每年 {rate:+.1%}） / no births known: "
            f"entrants follow the sizes of the cohorts at school (now {rate:+.1%} a year)"
        )
    town = region.villages["urban_class"].isin(["111", "112", "121"]).to_numpy()
    assumptions = Assumptions(
        progression=tuple(float(p) for p in progression),
        growth=None,
        migration=migration,
        incoming=_incoming(incoming, history.counts[:, :, -1], town),
    )
    start = history.counts[:, :, -1]
    flows = variants(start, years, assumptions, spread=spread, births=births, town=town)
    many = ensemble(start, years, assumptions, draws=draws, seed=seed, births=births, town=town)
    totals = np.array([np.asarray(c).sum(axis=(0, 1)) for c in many])
    return Cohorts(
        base=first,
        villages=history.village_ids,
        grades=history.grades,
        flows=flows,
        spread=np.percentile(totals, [5, 50, 95], axis=0).T,
        progression=progression,
        notes=tuple(notes),
        special=None
        if special is None
        else part_of(flows["middle"].counts, _part(special, history.village_ids, history.grades)),
    )


def _incoming(
    given: Sequence[int], children: npt.NDArray[np.int32], town: npt.NDArray[np.bool_]
) -> tuple[int, ...]:
    """Arrivals by grade: as given, or one number shared out like the town's children."""
    grades = children.shape[1]
    if len(given) != 1 or grades == 1:
        return tuple(int(n) for n in given)
    if given[0] < 0:
        raise InputError(f"incoming = {given[0]}: 不得为负 / must be 0 or more")
    own = children[town] if town.any() else children
    return tuple(int(n) for n in largest_remainder(own.sum(axis=0), int(given[0])))


def _part(
    told: Mapping[tuple[str, int], int], villages: tuple[str, ...], grades: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    out = np.zeros((len(villages), len(grades)), dtype=np.int64)
    row, column = ({x: k for k, x in enumerate(names)} for names in (villages, grades))
    for (village, grade), number in told.items():
        if village not in row or grade not in column:
            raise InputError(
                f"随班就读表：数据中没有村 {village} 或 {grade} 年级 / no such village or grade"
            )
        out[row[village], column[grade]] = number
    return out


def read_special(path: Path) -> dict[tuple[str, int], int]:
    """Read children with disabilities in ordinary classes (随班就读) by village and grade.

    Parameters
    ----------
    path : Path
        Table (``.csv``, UTF-8 or GB18030): 村代码 (``village_id``) and one column a grade (一年级 …
        九年级, or g1 … g9). Counts alone; no names.

    Returns
    -------
    dict of (str, int) to int
        Counts above 0.

    Raises
    ------
    InputError
        With the row, where a number is not whole and 0 or more, or columns are missing.
    """
    lines = office_rows(path)
    heads = [h.strip() for h in lines[0]] if lines else []
    code = next((k for k, h in enumerate(heads) if h in ("村代码", "village_id")), None)
    at = {
        n: k
        for k, h in enumerate(heads)
        for n, name in enumerate(GRADE_HEADINGS, start=1)
        if h in (name, f"g{n}", f"{n}年级")
    }
    if code is None or not at:
        raise InputError(
            f"{path.name}: 需要“村代码”和“一年级”等列 / needs village_id and one column a grade"
        )
    out: dict[tuple[str, int], int] = {}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(c.strip() for c in cells):
            continue
        padded = [c.strip() for c in [*cells, *[""] * len(heads)]]
        for grade, k in at.items():
            if not padded[k].isdigit() and padded[k]:
                raise InputError(
                    f"{path.name} 第 {number} 行 {grade} 年级 = {padded[k]!r}，应为非负整数 / row "
                    f"{number}: must be a whole number, 0 or more"
                )
            if padded[k] and int(padded[k]):
                key = (padded[code], grade)
                out[key] = out.get(key, 0) + int(padded[k])
    return out


def _entrants_told(
    region: Region, villages: tuple[str, ...], base: int, years: int
) -> npt.NDArray[np.float64]:
    out = np.full((len(villages), years), np.nan)
    row = {v: k for k, v in enumerate(villages)}
    told = region.children[region.children["grade"] == 1]
    for source in ("registered", "births"):
        for one in told[told["source"] == source].itertuples(index=False):
            t = int(str(one.year)) - base - 1
            if 0 <= t < years and one.village_id in row:
                out[row[str(one.village_id)], t] = float(str(one.students))
    return out


def write_cohorts(cohorts: Cohorts, region: Region, folder: Path) -> list[Path]:
    """Write the variants as layers of children, and the sources side by side.

    Parameters
    ----------
    cohorts : Cohorts
        See :func:`project_cohorts`.
    region : Region
        The county.
    folder : Path
        Folder to write to.

    Returns
    -------
    list of Path
        ``children-high.csv`` and so on (each can stand as the county's layer of children), a
        table of county and township totals, and the sources compared.
    """
    written = []
    town = dict(zip(region.villages["village_id"], region.villages["township"], strict=True))
    heads = ("村代码", "年度", *(GRADE_HEADINGS[g - 1] for g in cohorts.grades), "来源")
    totals = []
    for name, flows in cohorts.flows.items():
        counts = np.asarray(flows.counts)
        rows = [
            (v, cohorts.base + t, *(int(n) for n in counts[i, :, t]), "在籍" if t == 0 else "预测")
            for i, v in enumerate(cohorts.villages)
            for t in range(counts.shape[2])
        ]
        path = folder / f"children-{name}.csv"
        written.append(write_bytes(path, csv_text(heads, rows).encode("utf-8")))
        by_town: dict[str, npt.NDArray[np.int64]] = {}
        for i, v in enumerate(cohorts.villages):
            place = str(town.get(v, ""))
            by_town[place] = by_town.get(place, np.zeros(counts.shape[2], np.int64)) + counts[
                i
            ].sum(axis=0)
        for place, numbers in [*sorted(by_town.items()), ("全县", counts.sum(axis=(0, 1)))]:
            totals += [(name, place, cohorts.base + t, int(n)) for t, n in enumerate(numbers)]
    written.append(
        write_bytes(
            folder / "totals.csv",
            csv_text(("variant", "township", "year", "students"), totals).encode("utf-8"),
        )
    )
    band = [
        (cohorts.base + t, *(round(float(p)) for p in row)) for t, row in enumerate(cohorts.spread)
    ]
    written.append(
        write_bytes(
            folder / "uncertainty.csv",
            csv_text(("year", "p05", "p50", "p95"), band).encode("utf-8"),
        )
    )
    for name, compared in (
        ("sources", compare_sources(region, cohorts.base)),
        ("sources-villages", compare_villages(region, cohorts.base)),
    ):
        written.append(write_bytes(folder / f"{name}.csv", frame_csv(compared).encode("utf-8")))
    if cohorts.special is not None:
        columns = ("township", "year", "students")
        hidden = _special_rows(cohorts, [str(town.get(v, "")) for v in cohorts.villages])
        path = folder / "special-needs.csv"
        written.append(write_bytes(path, csv_text(columns, hidden).encode("utf-8")))
    return written


def _special_rows(cohorts: Cohorts, towns: list[str]) -> list[tuple[object, ...]]:
    """County and township totals; fewer than five stay hidden, and so does a second township.

    With one figure hidden the county's total would give it away.
    """
    part = np.asarray(cohorts.special).sum(axis=1)
    names = sorted(set(towns))
    rows: list[tuple[object, ...]] = []
    for t in range(part.shape[1]):
        year = cohorts.base + t
        total = {n: int(part[[k for k, x in enumerate(towns) if x == n], t].sum()) for n in names}
        hidden = {n for n, number in total.items() if 0 < number < 5}
        if len(hidden) == 1 and (rest := [n for n in names if n not in hidden and total[n]]):
            hidden.add(min(rest, key=lambda n: (total[n], n)))
        rows += [(n, year, "*" if n in hidden else total[n]) for n in names]
        rows.append(("全县", year, sum(total.values())))
    return rows


def continue_ledger(run: Run, previous: Path, today: dt.date) -> Continued:
    """Continue an earlier ledger with a run's classes.

    Parameters
    ----------
    run : Run
        The run.
    previous : Path
        Earlier ledger, as a person has filled it in.
    today : date
        Date for rows struck off.

    Returns
    -------
    Continued
        The continued ledger, its problems row by row, and whether nothing grew (零增量).
    """
    read = read_ledger(previous)
    facts = ledger_facts(*split(run.problem, run.plan), run.region)
    names = run.scenario.get("rules", {}).get("books", ("national",))
    schools = run.region.schools
    carried = carry(
        read.table,
        run.ledger,
        today=today,
        year=int(run.problem.years[0]),
        present=ThisYear(
            grades={
                str(code): (int(first), int(last))
                for code, first, last in zip(
                    schools["school_id"], schools["grade_from"], schools["grade_to"], strict=True
                )
            },
            classes=classes_today(facts, run.region.classes),
        ),
        limits=class_limits(read_books(tuple(names), county_folder=run.region.folder)),
    )
    parts = [t for t in (read.problems, carried.problems) if len(t)]
    problems = pd.concat(parts, ignore_index=True) if parts else carried.problems
    return replace(carried, problems=problems)


def write_continued(run: Run, carried: Continued, folder: Path, *, lang: str = "zh") -> list[Path]:
    """Write a continued ledger as the workbook, and its problems and growth as tables.

    Parameters
    ----------
    run : Run
        The run that it was continued with.
    carried : Continued
        See :func:`continue_ledger`.
    folder : Path
        Folder to write to.
    lang : {"zh", "en"}
        Language of the workbook.

    Returns
    -------
    list of Path
        ``ledger-continued.xlsx`` (the ledger workbook with the person's entries, choice lists and
        print titles), ``ledger-problems.csv``, ``ledger-new.csv``.
    """
    whole = replace(run, ledger=carried.table)
    return [
        write_ledger(whole, folder / "ledger-continued.xlsx", lang=lang),
        write_bytes(folder / "ledger-problems.csv", frame_csv(carried.problems).encode("utf-8")),
        write_bytes(folder / "ledger-new.csv", frame_csv(carried.new).encode("utf-8")),
    ]


def elimination_of(
    run: Run, *, target: str = "over_standard", transfers: bool = False, time_limit: float = 10.0
) -> Elimination:
    """Plan by year how every class of a run comes under its limit at the least disruption.

    Parameters
    ----------
    run : Run
        The run.
    target : {"over_standard", "large", "super_large"}
        Category to be emptied.
    transfers : bool
        Whether cohorts already at school may move.
    time_limit : float
        Seconds.

    Returns
    -------
    Elimination
        The plan with its bound, and where it cannot be done.
    """
    if len(run.problem.years) < 2:
        raise InputError(
            "消除计划至少需要两个学年；请在方案的 years 中加上以后的年份 / an elimination plan needs two "
            "school years or more; add later years to the recipe"
        )
    facts = ledger_facts(*split(run.problem, run.plan), run.region)
    names = run.scenario.get("rules", {}).get("books", ("national",))
    limits = class_limits(read_books(tuple(names), county_folder=run.region.folder))
    return eliminate(
        facts, limits=limits, target=target, transfers=transfers, time_limit=time_limit
    )


def write_elimination(plan: Elimination, folder: Path) -> list[Path]:
    """Write an elimination plan.

    Parameters
    ----------
    plan : Elimination
        See :func:`elimination_of`.
    folder : Path
        Folder to write to.

    Returns
    -------
    list of Path
        Tables of moves, rooms and of what stands in the way.
    """
    tables = {"moves": plan.moves, "rooms": plan.rooms, "blocked": plan.blocked}
    return [
        write_bytes(folder / f"elimination-{name}.csv", frame_csv(table).encode("utf-8"))
        for name, table in tables.items()
    ]


def write_survey(run: Run, path: Path) -> Path:
    """Write the baseline survey (摸清底数) filled with what the layers know.

    Parameters
    ----------
    run : Run
        Any run of the county.
    path : Path
        Workbook to write.

    Returns
    -------
    Path
        ``path``.
    """
    return write_bytes(
        path, survey_bytes(survey_tables(run.region, run.problem), note=run.region.note)
    )


def survey_read(path: Path, region: Region) -> Survey:
    """Read the survey back and compare it with the county.

    Parameters
    ----------
    path : Path
        Workbook filled in by the townships.
    region : Region
        The county that it was made for.

    Returns
    -------
    Survey
        Tables, problems row by row (unknown codes, deleted rows and renamed columns among them),
        and what is missing by township.
    """
    return read_survey(path, survey_names(region))


def write_answers(survey: Survey, region: Region, folder: Path) -> tuple[list[Path], int]:
    """Write the answers as layers of a new folder.

    Parameters
    ----------
    survey : Survey
        See :func:`survey_read`.
    region : Region
        The county; its own folder is never written to.
    folder : Path
        New folder; made when absent.

    Returns
    -------
    written : list of Path
        ``county.gpkg`` (all layers with the answers in them; without students' home points) with
        the files that go with it, copies of the county's own tables, the answers themselves
        (``survey-schools.csv``, ``survey-villages.csv``), ``survey-problems.csv`` and
        ``survey-missing.csv``.
    problems : int
        Rows of ``survey-problems.csv``.

    Raises
    ------
    InputError
        When the folder is the county's own or lies in it, or holds a county already.
    """
    target = folder.resolve()
    source = None if region.folder is None else region.folder.resolve()
    if source is not None and (target == source or source in target.parents):
        raise InputError(
            "摸底结果不写入原数据文件夹，请用 --out 另选一个 / answers are never written into the "
            "county's own folder; choose another with --out"
        )
    if (target / "county.gpkg").exists():
        raise InputError(
            f"{folder} 中已有 county.gpkg，请另选文件夹 / holds a county already; choose another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    changed, more = with_answers(region, survey)
    parts = [t for t in (survey.problems, more) if len(t)]
    problems = pd.concat(parts, ignore_index=True) if parts else survey.problems
    tables = {
        "survey-schools": survey.forms["school"],
        "survey-villages": survey.forms["village"],
        "survey-problems": problems,
        "survey-missing": survey.missing,
    }
    written = list(write_region(changed, folder / "county.gpkg"))
    written += [
        write_bytes(folder / name, (source / name).read_bytes())
        for name in OWN_TABLES
        if source is not None and (source / name).is_file() and name != "region.toml"
    ]
    written += [
        write_bytes(folder / f"{name}.csv", frame_csv(table).encode("utf-8"))
        for name, table in tables.items()
    ]
    return written, len(problems)
