"""Several runs side by side: figures, maps with one legend, what differs by school and village."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from catchment.errors import InputError
from catchment.indicators import registry
from catchment.views.chapters.figures import MAIN_FIGURES, shown, with_unit
from catchment.views.comparison_book import book_bytes
from catchment.views.comparison_pictures import (
    Panel,
    frontier,
    longest_of,
    panel,
    shares_of,
    side_by_side,
)
from catchment.views.document import (
    Block,
    Column,
    Document,
    Heading,
    Paragraph,
    Picture,
    Table,
    Tone,
)
from catchment.views.docx_writer import docx_bytes
from catchment.views.files import write_bytes, write_text
from catchment.views.folder import read_record
from catchment.views.html_writer import html_bytes
from catchment.views.plain import decimal, plain, whole
from catchment.views.story import half_of, mark_of, standing_of
from catchment.views.tables import frame_csv
from catchment.views.words import name_of, word

MOST_RUNS = 6
SHORT_NAME = 16
MOST_VILLAGES = 200
"""Most village rows in the page and the document; all are in the workbook and ``villages.csv``."""


@dataclass(frozen=True)
class Compared:
    """Runs read for a comparison.

    Attributes
    ----------
    folders : tuple of Path
        Folders of the runs.
    records : tuple of dict
        Their ``run.json``.
    figures : tuple of DataFrame
        Their county figures: ``indicator, unit, year, value, plan``.
    year : int
        Last year that all runs have: to it the comparison speaks.
    labels : tuple of str
        Number and name of each run.
    lang : str
        ``zh`` or ``en``.
    """

    folders: tuple[Path, ...]
    records: tuple[dict[str, Any], ...]
    figures: tuple[pd.DataFrame, ...]
    year: int
    labels: tuple[str, ...]
    lang: str

    def say(self, key: str, **values: Any) -> str:
        """Words of a key.

        Parameters
        ----------
        key : str
            Key of ``words.csv``.
        **values
            What is filled in.

        Returns
        -------
        str
            The words.
        """
        return word(key, self.lang, **values)

    def value(self, run: int, indicator: str, year: int, plan: str = "plan") -> float | None:
        """Figure of the county.

        Parameters
        ----------
        run : int
            Position of the run.
        indicator : str
            Code of the measure.
        year : int
            School year.
        plan : {"plan", "today"}
            Which arrangement.

        Returns
        -------
        float or None
            None where the run has no such figure.
        """
        table = self.figures[run]
        chosen = (table["indicator"] == indicator) & (table["year"] == year)
        found = table.loc[chosen & (table["plan"] == plan), "value"].dropna()
        return float(found.iloc[0]) if len(found) else None


def read_runs(runs: Sequence[Path], lang: str = "zh") -> Compared:
    """Read the folders of several runs of one county.

    Parameters
    ----------
    runs : sequence of Path
        Two to six folders of runs.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    Compared
        What the comparison needs.

    Raises
    ------
    InputError
        When there are too few or too many runs, a file is missing, the runs are of different
        counties or bands, or no year is common to all.
    """
    if lang not in ("zh", "en"):
        raise InputError(f"lang = {lang!r}：只有 zh 和 en / there is only zh and en")
    if not 2 <= len(runs) <= MOST_RUNS:
        raise InputError(
            f"给出了 {len(runs)} 个运行文件夹；请给出二至六个 / {len(runs)} run folders; give two to six"
        )
    records = tuple(read_record(folder) for folder in runs)
    for folder, record in zip(runs, records, strict=True):
        # A missing time must never be shown as a village without a school.
        if any("minutes" not in each for each in record.get("assignment", ())):
            raise InputError(
                f"{folder}: run.json 由旧版本写出，没有各村时间；请重新运行 / run.json is of an older version "
                "without times of the villages; run it again"
            )
    for part, zh in (("region", "县域"), ("bands", "学段")):
        found = [record.get(part) for record in records]
        if any(each != found[0] for each in found):
            raise InputError(
                f"各次运行的{zh}不同，不能比较：{found} / runs differ in their {part}; compare runs of one "
                "county with the same bands"
            )
    common = set.intersection(*(set(record["years"]) for record in records))
    if not common:
        raise InputError(
            "各次运行没有共同的学年，不能比较；请用相同的 years 重新运行 / the runs have no school year in "
            "common; run them again with the same years"
        )
    figures = tuple(_county(folder) for folder in runs)
    for folder in runs:
        if [other.resolve() for other in runs].count(folder.resolve()) > 1:
            raise InputError(
                f"{folder}: 同一个运行文件夹给出了两次，没有可比较的；请给出不同的运行 / this run folder is given "
                "twice; there is nothing to compare; name different runs"
            )
    return Compared(
        folders=tuple(runs),
        records=records,
        figures=figures,
        year=max(common),
        # Beside many columns a name is cut; the table of the runs has the whole of it.
        labels=tuple(
            f"{k} {plain(r['name'], longest=60 if len(records) < 3 else SHORT_NAME)}"
            for k, r in enumerate(records, start=1)
        ),
        lang=lang,
    )


def _county(folder: Path) -> pd.DataFrame:
    path = folder / "indicators.csv"
    if not path.is_file():
        raise InputError(
            f"{folder}: 缺少 indicators.csv；请重新运行 / indicators.csv is missing; run it again"
        )
    table = pd.read_csv(path, encoding="utf-8-sig", dtype={"id": str}, keep_default_na=False)
    lacking = sorted({"indicator", "unit", "scope", "year", "value", "plan"} - set(table.columns))
    if lacking:
        raise InputError(
            f"{path}: 缺少列 {lacking}；请重新运行 / columns are missing; run it again"
        )
    kept = table[table["scope"] == "county"]
    return kept.assign(value=pd.to_numeric(kept["value"], errors="coerce"))


def bases_of(compared: Compared) -> list[tuple[str, int]]:
    """Arrangements of today that the runs start from: one where they agree.

    Parameters
    ----------
    compared : Compared
        The runs.

    Returns
    -------
    list of (str, int)
        Numbers of the runs that share it (empty where all do), and the position of the first.
    """
    groups: dict[str, list[int]] = {}
    for k, (record, table) in enumerate(zip(compared.records, compared.figures, strict=True)):
        today = table[(table["plan"] == "today") & (table["year"] == compared.year)]
        values = today.sort_values("indicator")[["indicator", "value"]]
        villages = sorted(
            (str(e["village"]), str(e["band"]), str(e["today"]),
             str(e.get("today_minutes", {}).get(str(compared.year))))
            for e in record["assignment"]
        )  # fmt: skip
        schools = sorted(
            (str(s["id"]), *map(str, s["today"])) for s in record["sites"] if s["today"]
        )
        key = repr((values.to_csv(index=False), villages, schools))
        groups.setdefault(key, []).append(k)
    if len(groups) == 1:
        return [("", 0)]
    return [(between(compared.lang).join(str(k + 1) for k in runs), runs[0])
            for runs in groups.values()]  # fmt: skip


def between(lang: str) -> str:
    """Sign between two items of a list.

    Parameters
    ----------
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        A sign that stands in no number of a run.
    """
    return "、" if lang == "zh" else ", "


def _named_base(word_: str, runs: str) -> str:
    return f"{word_} {runs}" if runs else word_


def figures_of(compared: Compared) -> pd.DataFrame:
    """County figures of all years as numbers.

    Parameters
    ----------
    compared : Compared
        The runs.

    Returns
    -------
    DataFrame
        ``indicator, unit, year``, today's arrangement (one column for each that the runs start
        from), then one column a run.
    """
    key = ["indicator", "unit", "year"]
    columns: dict[str, Any] = {}
    for runs, k in bases_of(compared):
        base = compared.figures[k]
        label = _named_base(compared.say("today_kept"), runs)
        columns[label] = base[base["plan"] == "today"].set_index(key)["value"]
    for label, table in zip(compared.labels, compared.figures, strict=True):
        columns[label] = table[table["plan"] == "plan"].set_index(key)["value"]
    table = pd.DataFrame(columns).reset_index()
    order = {name: k for k, name in enumerate(registry())}
    place = table["indicator"].map(lambda name: order.get(name, len(order)))
    table = table.assign(_order=place).sort_values(["_order", "indicator", "year"], kind="stable")
    return table.drop(columns="_order").reset_index(drop=True)


def compare_table(runs: Sequence[Path], lang: str = "zh") -> pd.DataFrame:
    """County figures of several runs, today first.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    lang : {"zh", "en"}
        Language of headings and indicator names.

    Returns
    -------
    DataFrame
        One row an indicator and year; today, in as many columns as the runs start from different
        ones, and one column a run, as text.

    Raises
    ------
    CatchmentError
        When a folder holds no run, or the runs cannot be compared.
    """
    compared = read_runs(runs, lang)
    table = figures_of(compared)
    names = {code: (row.zh if lang == "zh" else row.en) for code, row in registry().items()}
    result = pd.DataFrame(
        {
            compared.say("col.indicator"): [names.get(c, plain(c)) for c in table["indicator"]],
            compared.say("col.unit"): [name_of("unit", unit, lang) for unit in table["unit"]],
            compared.say("year"): table["year"],
        }
    )
    for column in table.columns[3:]:
        pairs = zip(table["indicator"], table[column], strict=True)
        result[column] = ["" if pd.isna(v) else shown(code, float(v), lang)[0] for code, v in pairs]
    return result


def schools_that_differ(runs: Sequence[Path], lang: str = "zh") -> pd.DataFrame:
    """Schools whose bands differ between runs in the last common year, or from today.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    lang : {"zh", "en"}
        Language of headings.

    Returns
    -------
    DataFrame
        One row a school; the bands it teaches today and in each run.
    """
    return _schools(read_runs(runs, lang))


def _schools(compared: Compared) -> pd.DataFrame:
    heads = [compared.say(k) for k in ("x.school_id", "school")]
    bases = {k: _named_base(compared.say("today"), runs) for runs, k in bases_of(compared)}
    rows: dict[str, dict[str, str]] = {}
    for k, (label, record) in enumerate(zip(compared.labels, compared.records, strict=True)):
        for site in record["sites"]:
            code = str(site["id"])
            row = rows.setdefault(
                code, dict(zip(heads, (code, plain(site["name"], longest=40)), strict=True))
            )
            if k in bases:
                row[bases[k]] = _bands(compared, site["today"])
            row[label] = _bands(compared, site["open"][str(compared.year)])
    order = [*heads, *bases.values(), *compared.labels]
    table = pd.DataFrame(list(rows.values()), columns=order).fillna("—")
    differs = table.iloc[:, 2:].nunique(axis=1) > 1
    return table[differs].reset_index(drop=True)


def _bands(compared: Compared, bands: Sequence[str]) -> str:
    return (" + " if compared.lang == "en" else "＋").join(
        name_of("band", band, compared.lang) for band in bands
    ) or "—"


def villages_that_differ(compared: Compared) -> pd.DataFrame:
    """Villages whose school differs between runs, or from today, in the last common year.

    Parameters
    ----------
    compared : Compared
        The runs.

    Returns
    -------
    DataFrame
        One row a village and band: ``village_id, village, township, band``, then for today and
        every run the school and the one-way minutes, and ``spread``: the longest less the shortest
        trip. The largest spread first. Where children of a village go to several schools, all are
        named with their students, and the minutes are the longest of them.
    """
    say, year = compared.say, str(compared.year)
    sites: dict[str, str] = {}
    for record in compared.records:
        sites |= {
            str(s["id"]): plain(s["name"], longest=40) or str(s["id"]) for s in record["sites"]
        }
    names = panel_names(compared)
    minutes = say("cmp.minutes")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    bases = {k: _named_base(say("today"), runs) for runs, k in bases_of(compared)}
    for k, (label, record) in enumerate(zip(compared.labels, compared.records, strict=True)):
        for each in record["assignment"]:
            key = (str(each["village"]), str(each["band"]))
            if key not in rows:
                village, township = names.get(key[0], (key[0], ""))
                rows[key] = {
                    say("x.village_id"): key[0], say("village"): village,
                    say("township"): township, say("x.band"): name_of("band", key[1], compared.lang),
                }  # fmt: skip
            if k in bases:
                now = each["today"]
                rows[key][bases[k]] = sites.get(str(now), "") if now else say("unserved")
                rows[key][f"{bases[k]} {minutes}"] = each.get("today_minutes", {}).get(year)
            site = each["site"][year]
            rows[key][label] = sites.get(str(site), "") if site else say("unserved")
            rows[key][f"{label} {minutes}"] = each.get("minutes", {}).get(year)
        for each in shares_of(record, compared.year):
            row = rows[str(each["village"]), str(each["band"])]
            row[label] = _shares(compared, each["schools"], sites)
            row[f"{label} {minutes}"] = longest_of(each["schools"])
    ways = [*bases.values(), *compared.labels]
    heads = [say(k) for k in ("x.village_id", "village", "township", "x.band")]
    columns = [*heads, *(name for way in ways for name in (way, f"{way} {minutes}"))]
    table = pd.DataFrame(list(rows.values()), columns=columns)
    # A village that only some runs have is told as such, never as one without a school.
    table[ways] = table[ways].fillna("—")
    times = table[[f"{way} {minutes}" for way in ways]].apply(pd.to_numeric, errors="coerce")
    table[times.columns] = times
    table[say("cmp.spread")] = (times.max(axis=1) - times.min(axis=1)).round(1)
    table = table[table[ways].nunique(axis=1) > 1]
    order = [say("cmp.spread"), say("x.village_id"), say("x.band")]
    return table.sort_values(
        order, ascending=[False, True, True], kind="stable", na_position="last"
    ).reset_index(drop=True)


def _shares(compared: Compared, schools: list[dict[str, Any]], sites: dict[str, str]) -> str:
    """Schools of one village-band with their students, the village's own first."""
    texts = []
    for each in schools:
        if not each["students"]:
            continue
        name = sites.get(str(each["site"]), "") if each["site"] else compared.say("unserved")
        why = name_of("part", each["why"], compared.lang) if each["why"] == "kept" else ""
        text = compared.say("cmp.share", school=name, students=whole(each["students"]))
        reason = f"（{why}）" if compared.lang == "zh" else f" ({why})"
        texts.append(text + (reason if why else ""))
    return between(compared.lang).join(texts)


def panel_names(compared: Compared) -> dict[str, tuple[str, str]]:
    """Names and townships of the villages, from the first run's GeoPackage.

    Parameters
    ----------
    compared : Compared
        The runs.

    Returns
    -------
    dict
        By village id; empty where the file is missing.
    """
    import pyogrio

    path = compared.folders[0] / "plan.gpkg"
    if not path.is_file():
        return {}
    table = pyogrio.read_dataframe(
        path, layer="villages", columns=["village_id", "village", "township"], read_geometry=False
    )
    return {
        str(code): (plain(name, longest=40), plain(town, longest=40))
        for code, name, town in table.itertuples(index=False, name=None)
    }


def write_comparison(runs: Sequence[Path], folder: Path, lang: str = "zh") -> list[Path]:
    """Write the comparison as page, document, workbook and CSV.

    Parameters
    ----------
    runs : sequence of Path
        Two to six folders of runs.
    folder : Path
        Folder to write to.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    list of Path
        ``compare.csv``, ``schools.csv``, ``villages.csv``, ``compare.xlsx``, ``compare.docx`` and
        ``compare.html``: each whole or not at all, the same bytes for the same runs.
    """
    compared = read_runs(runs, lang)
    figures, schools = figures_of(compared), _schools(compared)
    villages = villages_that_differ(compared)
    document = comparison_document(compared, schools, villages)
    sheets = {
        "cmp.runs": _runs(compared), "cmp.figures": _named(compared, figures),
        "cmp.schools": schools, "cmp.villages": villages,
    }  # fmt: skip
    return [
        write_text(folder / "compare.csv", frame_csv(figures)),
        write_text(folder / "schools.csv", frame_csv(schools)),
        write_text(folder / "villages.csv", frame_csv(villages)),
        write_bytes(
            folder / "compare.xlsx",
            book_bytes(sheets, lang, compared.year, "; ".join(standings(compared))),
        ),
        write_bytes(folder / "compare.docx", docx_bytes(document)),
        write_bytes(folder / "compare.html", html_bytes(document)),
    ]


def _named(compared: Compared, figures: pd.DataFrame) -> pd.DataFrame:
    names = {c: (m.zh if compared.lang == "zh" else m.en) for c, m in registry().items()}
    heads = ("col.indicator", "col.unit", "year")
    table = figures.assign(
        indicator=[names.get(code, plain(code)) for code in figures["indicator"]],
        unit=[name_of("unit", unit, compared.lang) for unit in figures["unit"]],
    )
    return table.rename(
        columns=dict(zip(("indicator", "unit", "year"), map(compared.say, heads), strict=True))
    )


def _runs(compared: Compared) -> pd.DataFrame:
    rows = []
    for k, record in enumerate(compared.records, start=1):
        label = f"{k} {plain(record['name'], longest=60)}"
        plan, facts, years = record["plan"], record["provenance"], record["years"]
        rows.append(
            {
                compared.say("plan"): label,
                compared.say("cmp.method"): name_of("method", plan["method"], compared.lang),
                compared.say("cmp.status"): name_of("status", plan["status"], compared.lang),
                compared.say("cmp.years"): f"{years[0]}—{years[-1]}",
                compared.say("cmp.objective"): plan["objective_student_minutes"],
                compared.say("cmp.bound"): plan["bound_student_minutes"],
                compared.say("cmp.seed"): plan["seed"],
                compared.say("cmp.digest"): plain(facts.get("digest"))[:16],
            }
        )
    return pd.DataFrame(rows)


def comparison_document(
    compared: Compared, schools: pd.DataFrame, villages: pd.DataFrame, *, pictures: bool = True
) -> Document:
    """Build the content of the comparison.

    Parameters
    ----------
    compared : Compared
        The runs.
    schools, villages : DataFrame
        What differs.
    pictures : bool
        Whether maps and the frontier are drawn.

    Returns
    -------
    Document
        What page and document show.
    """
    say = compared.say
    first = compared.records[0]
    county = plain(first["region"], longest=60)
    blocks: list[Block] = [
        Heading(say("cmp.title", county=county), level=0),
        Paragraph(say("cmp.kicker", count=len(compared.records), year=compared.year), "kicker"),
    ]
    if first.get("note"):
        note = half_of(plain(first["note"], longest=300), compared.lang)
        blocks.append(Paragraph(say("report.note", note=note), "warning"))
    if _data_differ(compared):
        blocks.append(Paragraph(say("cmp.data_differ"), "warning"))
    blocks += [
        Paragraph(say("cmp.same", runs=numbers), "warning") for numbers in _same_runs(compared)
    ]
    blocks += [
        Heading(say("cmp.runs"), 1),
        _table(
            # The digests stand in the foot; sixteen letters in a cell leave no room for names.
            _runs(compared).drop(columns=say("cmp.digest")), say("cmp.runs"),
            (3.6, 1.4, 1.0, 1.2, 1.2, 1.1, 0.7),
        ),
        Heading(say("cmp.figures"), 1),
        _main_figures(compared),
    ]  # fmt: skip
    if pictures:
        panels = _panels(compared)
        mark = mark_of([r["provenance"] for r in compared.records], compared.lang)
        blocks += [
            Picture(
                frontier(_points(compared), compared.lang, mark), say("cmp.frontier_alt"),
                say("cmp.frontier", year=compared.year),
            ),
            Heading(say("cmp.maps"), 1, new_page=True),
        ]  # fmt: skip
        if panels:
            blocks.append(
                Picture(side_by_side(panels, compared.lang, mark), say("cmp.maps_alt"),
                        say("cmp.maps_caption", year=compared.year))
            )  # fmt: skip
        else:
            blocks.append(Paragraph(say("cmp.no_maps"), "note"))
    blocks += [
        Heading(say("cmp.schools"), 1, new_page=True),
        _table(schools, say("cmp.schools"), (1.3, 1.8, *(1.3 for _ in schools.columns[2:]))),
        Heading(say("cmp.villages"), 1, new_page=True),
        *_village_blocks(compared, villages),
    ]
    return Document(
        title=say("cmp.title", county=county),
        lang=compared.lang,
        blocks=tuple(blocks),
        footer=(*standings(compared), _origins(compared)),
        page_words=(say("foot.page1"), say("foot.page2"), say("foot.page3")),
        year=int(first["years"][0]),
        author=say("report.author", county=county),
    )


def standings(compared: Compared) -> tuple[str, ...]:
    """Say what the sheets of a comparison are: review number, author and dates of every run.

    Parameters
    ----------
    compared : Compared
        The runs.

    Returns
    -------
    tuple of str
        One line where all runs say the same; else what is internal comes first, one line a run.
    """
    lines = [standing_of(r["provenance"], compared.lang) for r in compared.records]
    if len(set(lines)) == 1:
        return (lines[0],)
    # One run without a review number keeps the whole sheet inside.
    reviewed = all(plain(r["provenance"].get("review_number")) for r in compared.records)
    first = () if reviewed else (compared.say("internal"),)
    return (*first, *(f"{k}. {line}" for k, line in enumerate(lines, start=1)))


def _origins(compared: Compared) -> str:
    """Digests, rule books and coordinate system of the runs, each once."""
    given = [r["provenance"] for r in compared.records]
    books = ["+".join(plain(b, longest=40) for b in g.get("rule_books") or ()) for g in given]
    told = {
        "digests": [plain(g.get("digest"))[:16] for g in given],
        "rules": [
            f"{names} (n={g['rules']})" if isinstance(g.get("rules"), int) else names
            for names, g in zip(books, given, strict=True)
        ],
        "crs": [plain(g.get("crs"), longest=40) for g in given],
        "sources": [plain(s.get("file"), longest=40) for g in given for s in g.get("sources", ())],
    }
    sign = between(compared.lang)
    return compared.say(
        "cmp.foot",
        **{k: sign.join(dict.fromkeys(t for t in v if t)) or "—" for k, v in told.items()},
    )


def _same_runs(compared: Compared) -> list[str]:
    """Numbers of runs that are copies of one another, for example in two languages."""
    groups: dict[str, list[int]] = {}
    for k, record in enumerate(compared.records, start=1):
        told = {key: value for key, value in record.items() if key not in ("recipe", "tables")}
        groups.setdefault(json.dumps(told, sort_keys=True), []).append(k)
    return [
        between(compared.lang).join(map(str, runs)) for runs in groups.values() if len(runs) > 1
    ]


def _data_differ(compared: Compared) -> bool:
    found = [
        sorted((str(s.get("layer")), str(s.get("sha256"))) for s in r["provenance"].get("sources", ()))
        for r in compared.records
    ]  # fmt: skip
    return any(each != found[0] for each in found)


def _main_figures(compared: Compared) -> Table:
    rows, year, lang, bases = [], compared.year, compared.lang, bases_of(compared)
    every = list(dict.fromkeys([*MAIN_FIGURES, *costs_of(compared)]))
    for code in every:
        values = [compared.value(k, code, year, "today") for _, k in bases]
        values += [compared.value(k, code, year) for k in range(len(compared.records))]
        if all(value is None for value in values):
            continue
        known = registry().get(code)
        name = code if known is None else known.zh if lang == "zh" else known.en
        cells = [shown(code, value, lang) for value in values]
        rows.append((plain(with_unit(name, cells[0][1], lang)), *(cell for cell, _ in cells)))
    columns = (
        Column(compared.say("col.indicator"), 2.4),
        *(Column(_named_base(compared.say("today_kept"), runs), 1.0, "right") for runs, _ in bases),
        *(Column(label, 1.2, "right") for label in compared.labels),
    )
    caption = compared.say("cmp.figures_caption", year=year)
    return Table(columns, tuple(rows), caption, compared.say("sum.figures_empty"))


def costs_of(compared: Compared) -> list[str]:
    """Measures of cost that the runs have.

    Parameters
    ----------
    compared : Compared
        The runs.

    Returns
    -------
    list of str
        Codes of county measures in yuan.
    """
    table = pd.concat(compared.figures)
    return list(dict.fromkeys(table[table["unit"].astype(str).str.startswith("yuan")]["indicator"]))


def _points(compared: Compared) -> list[tuple[str, dict[str, float | None]]]:
    """Mean trip, schools kept and, where the runs have it, cost, for today and every run."""
    cost = next(iter(costs_of(compared)), "")
    found = []
    short = compared.say("cmp.today_short")
    every = [(_named_base(short, runs), "today", k) for runs, k in bases_of(compared)]
    every += [(str(k + 1), "plan", k) for k in range(len(compared.records))]
    for label, plan, run in every:
        kept = [
            compared.value(run, code, compared.year, plan)
            for code in ("schools_open", "teaching_points")
        ]
        known = [value for value in kept if value is not None]
        found.append(
            (
                label,
                {
                    "minutes": compared.value(run, "minutes_mean", compared.year, plan),
                    "schools": sum(known) if known else None,
                    "cost": compared.value(run, cost, compared.year, plan) if cost else None,
                },
            )
        )
    return found


def _panels(compared: Compared) -> list[Panel]:
    """Today kept, once or once a base, then every run; runs without ``plan.gpkg`` are left out."""
    panels: list[Panel] = []
    bases = bases_of(compared)
    told = set()
    for k, (folder, record) in enumerate(zip(compared.folders, compared.records, strict=True)):
        if not (folder / "plan.gpkg").is_file():
            continue
        at = next((n for n, (runs, first) in enumerate(bases) if k == first or not runs), -1)
        if at >= 0 and at not in told:
            told.add(at)
            title = _named_base(compared.say("today_kept"), bases[at][0])
            panels.append(panel(folder, record, title, compared.year, today=True))
        panels.append(panel(folder, record, compared.labels[k], compared.year))
    return panels


def _village_blocks(compared: Compared, villages: pd.DataFrame) -> list[Block]:
    """One cell a way: the school and its minutes; an equals sign where it is today's."""
    say, minutes = compared.say, compared.say("cmp.minutes")
    own: dict[str, str] = {}
    bases = bases_of(compared)
    for runs, _ in bases:
        base = _named_base(say("today"), runs)
        mine = (
            [int(n) - 1 for n in runs.split(between(compared.lang))]
            if runs
            else range(len(compared.labels))
        )
        own |= {compared.labels[k]: base for k in mine}
    ways = [*(_named_base(say("today"), runs) for runs, _ in bases), *compared.labels]
    heads = (
        Column(say("village"), 1.6), Column(say("x.band"), 1.1),
        *(Column(way, 1.5) for way in ways), Column(say("cmp.spread"), 0.8, "right"),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for row in villages.head(MOST_VILLAGES).to_dict("records"):
        cells = []
        for way in ways:
            same = way in own and row[way] == row[own[way]]
            text = decimal(row[f"{way} {minutes}"])
            cells.append(f"＝ {text}" if same else f"{row[way]} {text}")
        town = row[say("township")]
        village = row[say("village")]
        if town:
            village = f"{village}（{town}）" if compared.lang == "zh" else f"{village} ({town})"
        spread = row[say("cmp.spread")]
        rows.append((village, row[say("x.band")], *cells, decimal(spread)))
        tones.append("warn" if spread > 10 else "")
    blocks: list[Block] = [
        Paragraph(say("cmp.villages_note"), "note"),
        Table(heads, tuple(rows), say("cmp.villages"), say("cmp.villages_empty"), tuple(tones)),
    ]
    if len(villages) > MOST_VILLAGES:
        more = whole(len(villages) - MOST_VILLAGES)
        blocks.append(Paragraph(say("cmp.more", count=more), "note"))
    return blocks


def _table(frame: pd.DataFrame, caption: str, widths: Sequence[float]) -> Table:
    columns = tuple(
        Column(str(name), width) for name, width in zip(frame.columns, widths, strict=True)
    )
    rows = tuple(
        tuple(whole(v) if isinstance(v, float) else plain(v, longest=200) or "—" for v in row)
        for row in frame.itertuples(index=False, name=None)
    )
    return Table(columns, rows, caption, "—")
