"""The folder of one run: every file written whole or not at all, and a run opened again."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError, InputError, NotFoundError
from catchment.network.kept import Kept
from catchment.plan import Plan
from catchment.problem import Problem
from catchment.run import Run, execute, names_of_sites
from catchment.run.change import ImpossibleError
from catchment.views import notice_sheet
from catchment.views.base_map import BaseMap
from catchment.views.book import book_document, write_book
from catchment.views.deck import write_deck
from catchment.views.files import write_bytes, write_text
from catchment.views.geopackage import write_geopackage
from catchment.views.maps import write_map
from catchment.views.parents import write_parents
from catchment.views.pdf import write_pdf
from catchment.views.report import report_document, write_report
from catchment.views.shares import own_students, parts_of
from catchment.views.tables import frame_csv, write_tables
from catchment.views.workbook import write_ledger

IMPOSSIBLE = "impossible.json"
"""Witness and single changes where a recipe asks what no plan can give."""

WRITTEN_LATER = (
    "book.docx", "book.html", *notice_sheet.FILES, "book.pdf", "report.pdf", "catchments.parquet", "roads.parquet",
    "villages.parquet", "schools.parquet",
)  # fmt: skip
"""Files of a run that ``catchment report`` and ``catchment map`` write, but no run itself."""

UNFINISHED = "unfinished.json"
"""Record of a run whose files are being written."""


def write_run(
    run: Run,
    folder: Path,
    *,
    lang: str = "zh",
    recipe: Path | None = None,
    set_aside: bool = False,
    tiles: str | None = None,
    tianditu_key: str | None = None,
) -> list[Path]:
    """Write everything a run has to show.

    Files that only other commands write, such as the review book, are removed where the folder
    holds them from another run: they would stand beside other numbers.

    Parameters
    ----------
    run : Run
        The run.
    folder : Path
        Folder of the run; made if need be. Each file replaces its predecessor in one step.
    lang : {"zh", "en"}
        Language of maps and documents.
    recipe : Path, optional
        The recipe's file, so that the run can be opened again.
    set_aside : bool
        Whether rows in error were set aside.
    tiles, tianditu_key : str, optional
        Online base map, only when asked for.

    Returns
    -------
    list of Path
        Files written, ``run.json`` last. While the folder holds ``unfinished.json`` its files may
        be of two runs, and it is not opened; the next run of the same recipe goes on from there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = record(run)
    facts["recipe"] = _relative(recipe, folder)
    facts["set_aside"] = set_aside
    write_bytes(folder / UNFINISHED, _json(facts))
    _remove_older(run, folder, facts)
    written = [
        write_geopackage(run, folder / "plan.gpkg", lang=lang),
        *write_tables(run, folder),
        write_text(folder / "explanations.csv", frame_csv(run.explanations)),
        write_text(folder / "why.csv", frame_csv(run.why)),
        write_text(folder / "prices.csv", frame_csv(run.prices)),
        write_ledger(run, folder / "ledger.xlsx", lang=lang),
        write_map(run, folder / "map.html", lang=lang, tiles=tiles, tianditu_key=tianditu_key),
        write_parents(run, folder / "parents.html", lang=lang),
        *write_report(run, folder, lang=lang),
        write_deck(run, folder / "deck.pptx", lang=lang),
    ]
    timing = {"seconds": round(run.plan.seconds, 3)}
    written.append(write_bytes(folder / "timing.json", _json(timing)))
    # A table cannot bear the digest of its inputs, so the record bears that of each table.
    csv_files = [p for p in written if p.suffix == ".csv"]
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in csv_files}
    written.append(write_bytes(folder / "run.json", _json({**facts, "tables": sums})))
    (folder / UNFINISHED).unlink(missing_ok=True)
    return written


def _remove_older(run: Run, folder: Path, facts: Mapping[str, Any]) -> None:
    """Remove what a run does not write itself, where the folder holds another run's."""
    try:
        before = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(before, dict) and {
        k: v for k, v in before.items() if k != "tables"
    } == json.loads(_json(facts)):
        return
    home = run.region.folder
    layers = home is not None and home.resolve() == folder.resolve()
    for name in WRITTEN_LATER:
        # In the county's own folder a table of that name may be a layer of the county.
        path = folder / name
        if path.is_file() and not (layers and path.suffix == ".parquet"):
            try:
                path.unlink()
            except OSError as fault:
                raise CatchmentError(
                    f"{path.name} 属于上一次运行，无法删除（{fault.strerror}）；请关闭打开它的程序后重试 / "
                    f"{path.name} is of an earlier run and cannot be removed; close the program "
                    "that has it open and try again"
                ) from fault


def execute_again(
    recipe: Path,
    folder: Path,
    *,
    set_aside: bool = False,
    progress: Callable[[str], None] | None = None,
    kept: Kept | None = None,
) -> Run:
    """Carry out a recipe, taking the plan that an interrupted run had already found.

    Parameters
    ----------
    recipe : Path
        The recipe.
    folder : Path
        Folder of the run, where an interrupted run may have left its record.
    set_aside : bool
        Whether rows in error are set aside.
    progress : callable, optional
        Told a line of text before each step.
    kept : Kept, optional
        Memory of road networks and searches.

    Returns
    -------
    Run
        The same run with and without the record: it counts only where the digest of every input,
        the version and the seed are those of this run.

    Raises
    ------
    ImpossibleError
        When no plan does all that the recipe asks; ``impossible.json`` in the folder then holds
        the witness and the single changes that would do.
    """
    facts = _left_behind(folder)
    digest = hashlib.sha256(recipe.read_bytes()).hexdigest() if recipe.is_file() else ""
    if facts is not None and facts["provenance"].get("recipe_sha256") == digest:
        if progress is not None:
            progress("接着上次中断的运行 / going on from an interrupted run")
        try:
            run = execute(recipe, set_aside=set_aside, recorded=facts, progress=progress, kept=kept)
        except (
            CatchmentError,
            LookupError,
            TypeError,
            ValueError,
        ):  # a record of other layers, or a damaged one
            run = None
        if run is not None and run.provenance["digest"] == facts["provenance"].get("digest"):
            return run
    (folder / IMPOSSIBLE).unlink(missing_ok=True)
    try:
        return execute(recipe, set_aside=set_aside, progress=progress, kept=kept)
    except ImpossibleError as fault:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / IMPOSSIBLE, _json({"recipe_sha256": digest, **fault.why.record()}))
        raise


def _left_behind(folder: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((folder / UNFINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    fits = isinstance(facts, dict) and isinstance(facts.get("provenance"), dict)
    return facts if fits else None


def write_documents(
    run: Run,
    folder: Path,
    *,
    lang: str = "zh",
    township: str = "",
    pdf: bool = False,
    base: BaseMap | None = None,
) -> list[Path]:
    """Write the documents of a run again, and review book and notice, which a run does not write.

    Parameters
    ----------
    run : Run
        The run.
    folder : Path
        Folder of the run.
    lang : {"zh", "en"}
        Language.
    township : str
        The township whose schools and villages the review book shows; empty for all.
    pdf : bool
        Whether report and book are written as PDF too; needs the extra ``pdf``.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under every map.

    Returns
    -------
    list of Path
        ``report``, ``book`` (DOCX, HTML and, when asked for, PDF), ``deck.pptx`` and the sheet for
        the notice board.

    Raises
    ------
    CatchmentError
        When a PDF is asked for and the extra is not installed.
    """
    written = [
        *write_report(run, folder, lang=lang, base=base),
        *write_book(run, folder, lang=lang, township=township, base=base),
        write_deck(run, folder / "deck.pptx", lang=lang, base=base),
        *notice_sheet.write_notice(run, folder, lang=lang, base=base),
    ]
    if pdf:
        book = book_document(run, lang=lang, township=township, base=base)
        report = report_document(run, lang=lang, base=base)
        written.append(write_pdf(report, folder / "report.pdf"))
        written.append(write_pdf(book, folder / "book.pdf"))
    return written


def record(run: Run) -> dict[str, Any]:
    """Everything of a run that another program needs, as plain values.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    dict
        The same run gives the same values: the time it took is in ``timing.json``.
    """
    problem, plan = run.problem, run.plan
    names = names_of_sites(run.region)
    sites = problem.site_ids
    return {
        "name": run.name,
        "region": run.region.name,
        "note": run.region.note,
        "years": list(problem.years),
        "bands": list(problem.bands),
        "plan": {
            "method": plan.method,
            "status": plan.status,
            "objective_student_minutes": _number(plan.objective),
            "bound_student_minutes": _number(plan.bound),
            "seed": plan.seed,
            "notes": list(plan.notes),
        },
        "today_objective_student_minutes": _number(run.today.objective),
        "conservation": run.conservation.to_dict(orient="records"),
        "scenario": run.scenario,
        "sites": [
            {
                "id": site,
                "name": names.get(site, ""),
                "today": [b for k, b in enumerate(problem.bands) if problem.today_open[j, k]],
                "open": {
                    str(year): [b for k, b in enumerate(problem.bands) if plan.open[j, k, t]]
                    for t, year in enumerate(problem.years)
                },
                "rooms": {
                    str(year): int(problem.rooms[j, t]) for t, year in enumerate(problem.years)
                },
                "classes": {
                    str(year): {
                        str(g): int(plan.classes[j, k, t])
                        for k, g in enumerate(problem.grades)
                        if plan.classes[j, k, t]
                    }
                    for t, year in enumerate(problem.years)
                },
            }
            for j, site in enumerate(sites)
        ],
        "assignment": [
            {
                "village": problem.village_ids[problem.group_village[i]],
                "band": problem.bands[problem.group_band[i]],
                "today": _site(sites, int(run.today.site_of[i, 0])),
                "site": {
                    str(year): _site(sites, int(plan.site_of[i, t]))
                    for t, year in enumerate(problem.years)
                },
                "today_minutes": _minutes(run.problem_of("today"), run.today, i),
                "minutes": _minutes(problem, plan, i),
            }
            for i in range(len(problem.group_band))
        ],
        **_elsewhere(problem, plan),
        "provenance": run.provenance,
    }


def _elsewhere(problem: Problem, plan: Plan) -> dict[str, Any]:
    """Students who do not go to the school of their village; nothing where all do."""
    parts = plan.elsewhere
    if parts is None:
        return {}
    columns = (parts.group, parts.grade, parts.year, parts.site, parts.students, parts.shared)
    rows = zip(*columns, strict=True)
    return {
        "elsewhere": [
            {
                "village": problem.village_ids[problem.group_village[i]],
                "band": problem.bands[problem.group_band[i]],
                "grade": int(problem.grades[g]),
                "year": int(problem.years[t]),
                "site": problem.site_ids[j],
                "students": int(k),
                "shared": bool(s),
            }
            for i, g, t, j, k, s in rows
        ],
        "shares": _shares(problem, plan),
    }


def _shares(problem: Problem, plan: Plan) -> list[dict[str, Any]]:
    """Every village-band and year whose children go to several schools, its own school first."""
    parts = parts_of(problem, plan)
    own = own_students(problem, parts)
    found: dict[tuple[int, int], list[tuple[int, int, str]]] = {}
    for i, t, j, shared, count, _ in parts.itertuples(index=False, name=None):
        first = (int(plan.site_of[i, t]), int(own[i, t]), "own")
        why = "shared" if shared else "kept"
        found.setdefault((int(i), int(t)), [first]).append((int(j), int(count), why))
    return [
        {
            "village": problem.village_ids[problem.group_village[i]],
            "band": problem.bands[problem.group_band[i]],
            "year": int(problem.years[t]),
            "schools": [
                {
                    "site": _site(problem.site_ids, j),
                    "students": count,
                    "why": why,
                    "minutes": _one_way(problem, i, j, t),
                }
                for j, count, why in listed
            ],
        }
        for (i, t), listed in sorted(found.items())
    ]


def write_record(run: Run, folder: Path) -> Path:
    """Write the record of a run alone, for programs that need no more.

    Parameters
    ----------
    run : Run
        The run.
    folder : Path
        Folder to write to.

    Returns
    -------
    Path
        ``run.json``; it names no recipe, so that it is not opened as a run again.
    """
    return write_bytes(folder / "run.json", _json(record(run)))


def reload_run(folder: Path, *, progress: Callable[[str], None] | None = None) -> Run:
    """Open the run of a folder again, from the same recipe and the same layers.

    Parameters
    ----------
    folder : Path
        Folder of a run.
    progress : callable, optional
        Told a line of text before each step.

    Returns
    -------
    Run
        The same run.

    Raises
    ------
    NotFoundError
        When the folder holds no run, or the recipe is gone.
    InputError
        When the recipe or a layer has changed since.
    """
    facts = read_record(folder)
    if not facts.get("recipe"):
        raise NotFoundError(
            f"{folder}: run.json 没有记录方案文件；请用 catchment run 重新运行 / "
            "run.json names no recipe; run it again"
        )
    recipe = folder / facts["recipe"]
    run = execute(recipe, set_aside=bool(facts.get("set_aside")), recorded=facts, progress=progress)
    if run.provenance["digest"] != facts["provenance"]["digest"]:
        raise InputError(
            f"{folder}: 方案或数据在运行之后改过；请用 catchment run {recipe} 重新运行 / the recipe or a "
            "layer has changed since this run; run it again"
        )
    return run


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json`` of a folder.

    Parameters
    ----------
    folder : Path
        Folder of a run.

    Returns
    -------
    dict
        Its values (see :func:`record`).

    Raises
    ------
    NotFoundError
        When there is none.
    InputError
        When it is not the record of a run.
    """
    path = folder / "run.json"
    if (folder / UNFINISHED).is_file():
        raise InputError(
            f"{folder}: 上次写入未完成，其中的文件可能属于两次运行；请重新运行同一方案，会接着做完 / the last "
            "run into this folder was interrupted and its files may be of two runs; run the recipe "
            "again, it goes on from there"
        )
    if not path.is_file():
        raise NotFoundError(
            f"{folder} 不是运行文件夹（没有 run.json）；请先 catchment run / not the folder of a run"
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: 文件损坏：{fault} / damaged file") from fault
    if not isinstance(facts, dict) or "provenance" not in facts:
        raise InputError(f"{path}: 不是运行记录 / not the record of a run")
    return facts


def _relative(recipe: Path | None, folder: Path) -> str:
    if recipe is None:
        return ""
    try:
        return Path(os.path.relpath(recipe.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows: the place cannot be told without naming it
        return ""


def _site(sites: tuple[str, ...], position: int) -> str | None:
    return sites[position] if position >= 0 else None


def _minutes(problem: Problem, plan: Plan, i: int) -> dict[str, float | None]:
    """One-way minutes of a village and band by year, as all documents round them."""
    found: dict[str, float | None] = {}
    for t, year in enumerate(problem.years):
        found[str(year)] = _one_way(problem, i, int(plan.site_of[i, t]), t)
    return found


def _one_way(problem: Problem, i: int, j: int, t: int) -> float | None:
    cost = float(problem.minutes[problem.network[t], i, j]) if j >= 0 else math.inf
    return round(cost, 1) if math.isfinite(cost) else None


def _number(value: float) -> float | None:
    return round(float(value), 3) if math.isfinite(value) else None


def _json(facts: Any) -> bytes:
    # A lone surrogate has no UTF-8; its escape is good JSON and reads back as it was.
    text = json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")
