"""Chapters of the report about the whole county."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pandas as pd

from catchment.views import charts
from catchment.views.document import Block, Column, Heading, Paragraph, Picture, Table, Tone
from catchment.views.facts import (
    figure,
    indicator_name,
    indicator_unit,
    recipe_actions,
    rows_of,
    text_column,
)
from catchment.views.plain import decimal, percent, plain, whole
from catchment.views.story import RESULTS, Story
from catchment.views.words import name_of

MOST_ROWS = 40
"""Most findings listed in a chapter; the rest is in ``findings.csv``."""

SUMMARY_FIGURES = (
    "students", "unserved", "schools_open", "teaching_points", "minutes_mean", "minutes_max",
    "over_limit_students", "worsened_students", "place_shortfall", "over_standard_classes",
    "large_classes", "super_large_classes",
)  # fmt: skip
"""Figures of the first page, in order."""

MAIN_FIGURES = (
    "students", "served", "unserved", "no_trip_students", "schools_open", "teaching_points",
    "small_schools", "minutes_mean", "minutes_median", "minutes_p90", "minutes_max",
    "over_limit_students", "over_limit_share", "over_30_students", "student_km", "bus_riders",
    "boarders_need", "moved_students", "worsened_students", "places", "place_shortfall",
    "place_surplus", "classes", "combined_classes", "over_standard_classes", "large_classes",
    "super_large_classes", "room_shortage",
)  # fmt: skip
"""Figures of the county chapter, in order."""

YEAR_FIGURES = (
    "students", "schools_open", "teaching_points", "classes", "places", "place_shortfall",
    "over_standard_classes", "large_classes", "super_large_classes", "minutes_mean",
    "over_limit_students", "unserved",
)  # fmt: skip

_BRACKETS = re.compile(r"[（(]([^（）()]+)[）)]")

GATE_CODES = ("R-TRV-05",)
"""Rules of the closing gate beside those whose code begins with ``R-CON``."""

_SEVERITIES = {"hard": 0, "standard": 1, "process": 2, "soft": 3}
_TONES: dict[str, Tone] = {"fail": "bad", "unknown": "warn", "evidence": "warn", "pass": ""}


def listed_changes(story: Story) -> pd.DataFrame:
    """List changes of the plan, with the schools and roads that only the recipe names.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    DataFrame
        Columns of ``Facts.changes``; ``kind`` may also be ``keep`` and ``road``.
    """
    table = story.facts.changes
    names = dict(zip(story.facts.sites["site_id"], story.facts.sites["name"], strict=True))
    towns = dict(zip(story.facts.sites["site_id"], story.facts.sites["township"], strict=True))
    extra = []
    for action in recipe_actions(story.run):
        kind = action.get("do")
        if kind not in ("keep", "road"):
            continue
        code = plain(action.get("school"), longest=60)
        if kind == "road":
            new = action.get("road", "new") == "new"
            text = (
                story.say("act.road_new", **{"class": plain(action.get("class"), longest=40)})
                if new
                else story.say("act.road_closed")
            )
        else:
            text = names.get(code, code)
        extra.append(
            {
                "year": int(action.get("year") or story.facts.first), "site_id": code, "site": text,
                "township": towns.get(code, ""), "kind": kind, "bands_before": "",
                "bands_after": "", "rooms_before": 0, "rooms_after": 0, "beds_added": 0,
                "seats_added": 0, "students": 0, "receivers": "", "receiver_ids": "",
                "note": plain(action.get("reason"), longest=300),
            }
        )  # fmt: skip
    if not extra:
        return table
    both = [*table.to_dict("records"), *extra]
    return (
        pd.DataFrame(both, columns=list(table.columns))
        .sort_values(["year", "township", "site_id"], kind="stable")
        .reset_index(drop=True)
    )


def today(story: Story) -> list[Block]:
    """Tell what the rules find today, and under the plan.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        The chapter.
    """
    first, focus = story.facts.first, story.facts.focus
    found = story.findings
    blocks: list[Block] = [Heading(story.say("ch.today"), 1, new_page=True)]
    if found.empty:
        return [*blocks, Paragraph(story.say("today.none"))]
    now, kind = today_findings(story)
    then = found[(found["year"] == focus) & found["plan"].isin(["", "plan"])]
    blocks += [
        Paragraph(story.say(f"today.intro_{kind}", year=first)),
        _tally_table(story, now, story.say(f"today.summary_{kind}", year=first)),
    ]
    if focus != first or kind == "today":
        blocks.append(_tally_table(story, then, story.say("today.plan_summary", year=focus)))
    return [*blocks, *_failed_table(story, now, kind)]


def today_findings(story: Story) -> tuple[pd.DataFrame, str]:
    """Find the findings of the first year, and whether they speak of today or of the plan.

    A plan may assign students anew in its first year; what is found then is not found today.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    tuple of DataFrame and str
        The findings, and ``today`` or ``plan``.
    """
    found, run = story.findings, story.run
    mine = found[found["year"].isin([story.facts.first, 0])]
    if (mine["plan"] == "today").any():
        return mine[mine["plan"] == "today"], "today"
    same = (run.plan.site_of[:, 0] == run.today.site_of[:, 0]).all()
    same = same and (run.plan.open[:, :, 0] == run.today.open[:, :, 0]).all()
    return mine, "today" if same else "plan"


def _failed_table(story: Story, now: pd.DataFrame, kind: str) -> list[Block]:
    """List what is not met, one row a rule and place, the gravest first."""
    first = story.facts.first
    failed = now[now["result"] == "fail"]
    failed = failed.assign(
        gravity=failed["severity"].map(_SEVERITIES).fillna(4),
        over=-pd.to_numeric(failed["excess"], errors="coerce").fillna(0),
    ).sort_values(["gravity", "code", "title", "over", "id"], kind="stable")
    places: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows_of(failed):
        places.setdefault((row["code"], row["title"], row["place"]), []).append(row)
    columns = (
        Column(story.say("col.code"), 1.3),
        Column(story.say("col.title"), 3.0),
        Column(story.say("col.place"), 2.0),
        Column(story.say("col.cases"), 0.7, "right"),
        Column(story.say("col.worst"), 1.2, "right"),
        Column(story.say("col.limit"), 1.2, "right"),
        Column(story.say("col.severity"), 1.5, "center"),
    )
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for (code, title, place), part in list(places.items())[:MOST_ROWS]:
        worst = part[0]
        rows.append(
            (
                code, title, place, whole(len(part)),
                _quantity(story, worst["value"], worst["unit"]),
                _quantity(story, worst["limit"], worst["unit"]),
                story.name("severity", worst["severity"]),
            )
        )  # fmt: skip
        tones.append("bad" if worst["severity"] == "hard" else "")
    caption = story.say(f"today.list_{kind}", year=first)
    blocks: list[Block] = [
        Table(columns, tuple(rows), caption, story.say("today.empty"), tuple(tones))
    ]
    if len(places) > MOST_ROWS:
        blocks.append(Paragraph(story.say("today.more", count=len(places) - MOST_ROWS), "note"))
    return blocks


def _tally_table(story: Story, found: pd.DataFrame, caption: str) -> Table:
    columns = (
        Column(story.say("col.code"), 1.2),
        Column(story.say("col.title"), 4.0),
        Column(story.say("col.severity"), 1.5, "center"),
        *(Column(story.say(f"col.{result}"), 0.9, "right") for result in RESULTS),
    )
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    order = found.assign(gravity=found["severity"].map(_SEVERITIES).fillna(4))
    for (_, code, title), part in order.groupby(["gravity", "code", "title"], sort=True):
        count = Counter(part["result"])
        rows.append(
            (
                str(code), str(title),
                story.name("severity", part["severity"].iloc[0]),
                *(whole(count.get(result, 0)) for result in RESULTS),
            )
        )  # fmt: skip
        gravest = next(r for r in RESULTS if count.get(r))
        tones.append(_TONES[gravest])
    return Table(columns, tuple(rows), caption, story.say("today.none"), tuple(tones))


def actions(story: Story) -> list[Block]:
    """Tell what the plan does, year by year, and what must be built before.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        The chapter.
    """
    changes = listed_changes(story)
    blocks: list[Block] = [Heading(story.say("ch.actions"), 1, new_page=True)]
    if changes.empty:
        return [*blocks, Paragraph(story.say("act.none"))]
    blocks.append(Paragraph(story.say("act.intro")))
    columns = (
        Column(story.say("col.action"), 0.9, "center"),
        Column(story.say("school"), 1.9),
        Column(story.say("col.change"), 1.7),
        Column(story.say("col.students"), 0.7, "right"),
        Column(story.say("col.receivers"), 1.7),
        Column(story.say("col.reason"), 2.6),
    )
    for year, part in changes.groupby("year", sort=True):
        rows: list[tuple[str, ...]] = []
        tones: list[Tone] = []
        for row in rows_of(part):
            needs, short = _needs_first(story, row)
            reason = "；".join(x for x in (row["note"], *needs) if x)
            school = f"{row['site']}（{row['township']}）" if row["township"] else row["site"]
            rows.append(
                (
                    story.name("change", row["kind"]), school, change_text(story, row),
                    whole(row["students"]) if row["students"] else "—",
                    row["receivers"] or "—", reason or "—",
                )
            )  # fmt: skip
            tones.append("bad" if short else "")
        blocks.append(
            Table(columns, tuple(rows), story.say("act.table", year=year), "", tuple(tones))
        )
    return blocks


def change_text(story: Story, row: dict[str, Any]) -> str:
    """Say what changes at a site: grades, rooms, beds, seats.

    Parameters
    ----------
    story : Story
        The run.
    row : dict
        A row of ``Facts.changes``.

    Returns
    -------
    str
        Words; a dash where nothing does.
    """
    parts = []
    before, after = bands_text(story, row["bands_before"]), bands_text(story, row["bands_after"])
    if row["kind"] == "close":
        parts.append(story.say("act.bands", before=before, after=story.say("act.closed")))
    elif row["kind"] in ("build", "reopen"):
        parts.append(story.say("act.bands", before=story.say("act.new"), after=after))
    elif before != after:
        parts.append(story.say("act.bands", before=before, after=after))
    if row["kind"] != "close" and row["rooms_before"] != row["rooms_after"]:
        parts.append(story.say("act.rooms", before=row["rooms_before"], after=row["rooms_after"]))
    if row["beds_added"]:
        parts.append(story.say("act.beds", count=row["beds_added"]))
    if row["seats_added"]:
        parts.append(story.say("act.seats", count=row["seats_added"]))
    return "；".join(parts) or "—"


def bands_text(story: Story, joined: str) -> str:
    """Names of bands joined in a table of changes.

    Parameters
    ----------
    story : Story
        The run.
    joined : str
        Codes joined by ``+``.

    Returns
    -------
    str
        Names; a dash where there are none.
    """
    names = [story.band(band) for band in joined.split("+") if band]
    return "＋".join(names) if names else "—"


def _needs_first(story: Story, row: dict[str, Any]) -> tuple[list[str], bool]:
    """Say what must stand before students arrive, and whether a receiver still lacks places."""
    if row["kind"] not in ("close", "downgrade") or not row["receiver_ids"]:
        return [], False
    changes = story.facts.changes
    codes = row["receiver_ids"].split(" ")
    grown = changes[
        changes["site_id"].isin(codes)
        & (changes["year"] <= row["year"])
        & changes["kind"].isin(["expand", "build", "reopen", "extend"])
    ]
    names = [f"{each['site']}{each['year']}：{change_text(story, each)}" for each in rows_of(grown)]
    words = [story.say("act.first", items=story.list_of(names))] if names else []
    short = False
    labels = dict(zip(story.facts.sites["site_id"], story.facts.sites["name"], strict=True))
    for code in codes:
        lacking = figure(
            story.facts, "place_shortfall", int(row["year"]), "plan", scope="site", key=code
        )
        if lacking:
            short = True
            words.append(
                story.say("act.short", school=labels.get(code, code), count=whole(lacking))
            )
    return words or [story.say("act.need_none")], short


def overview(story: Story, *, pictures: bool) -> list[Block]:
    """Show the county as a whole: map, charts, the tables behind them, the list of schools.

    Parameters
    ----------
    story : Story
        The run.
    pictures : bool
        Whether pictures are drawn.

    Returns
    -------
    list of Block
        The chapter.
    """
    run, facts, focus = story.run, story.facts, story.facts.focus
    blocks: list[Block] = [Heading(story.say("ch.overview"), 1, new_page=True)]
    if pictures:
        band = story.band(run.problem.bands[0]) if run.problem.bands else ""
        blocks += [
            Picture(
                charts.county_map(run, facts, lang=story.lang), story.say("overview.map_alt"),
                story.say("overview.map", year=focus, band=band),
            ),
            Picture(
                charts.minutes_chart(run, facts, lang=story.lang),
                story.say("overview.minutes", year=focus), story.say("overview.minutes", year=focus),
            ),
        ]  # fmt: skip
        if len(run.problem.years) > 1:
            text = story.say("overview.years")
            blocks.append(Picture(charts.years_chart(run, facts, lang=story.lang), text, text))
    blocks += [figures_table(story, MAIN_FIGURES), _years_table(story), _schools_table(story)]
    return blocks


def shown(indicator: str, value: float | None, lang: str) -> tuple[str, str]:
    """Show a figure with its unit.

    Parameters
    ----------
    indicator : str
        Code of the measure.
    value : float or None
        The figure.
    lang : {"zh", "en"}
        Language of the unit.

    Returns
    -------
    tuple of str
        The number and its unit.
    """
    unit = indicator_unit(indicator)
    if unit == "share":
        return percent(value), ""
    if unit in ("min", "km", "students/class", "student-km/day"):
        text = decimal(value)
    else:
        text = whole(value)
    return text, name_of("unit", unit, lang)


def figures_table(story: Story, codes: tuple[str, ...]) -> Table:
    """Show figures of the county: today, nothing changed, the plan.

    Parameters
    ----------
    story : Story
        The run.
    codes : tuple of str
        Measures in order; those the run does not have are left out.

    Returns
    -------
    Table
        One row a measure.
    """
    first, focus, last = story.facts.first, story.facts.focus, story.facts.last
    lang = story.lang
    rows = []
    for code in codes:
        values = [
            story.county(code, first, "today"),
            story.county(code, focus, "today"),
            story.county(code, focus, "plan"),
            story.county(code, last, "plan"),
        ]
        if all(value is None for value in values):
            continue
        same, plan = values[1], values[2]
        difference = None if same is None or plan is None else plan - same
        text, unit = shown(code, difference, lang)
        sign = "+" if difference is not None and difference > 0 and text.strip("0.%") else ""
        name = indicator_name(code, lang)
        if unit:
            name = f"{name}（{unit}）" if lang == "zh" else f"{name} ({unit})"
        cells = [shown(code, value, lang)[0] for value in values]
        rows.append((name, *cells[:3], sign + text, cells[3]))
    columns = [
        Column(story.say("col.indicator"), 3.0),
        Column(story.say("col.today_year", year=first), 1.2, "right"),
        Column(story.say("col.same_year", year=focus), 1.3, "right"),
        Column(story.say("col.plan_year", year=focus), 1.2, "right"),
        Column(story.say("col.difference"), 1.3, "right"),
        Column(story.say("col.plan_year", year=last), 1.2, "right"),
    ]
    # Columns that would say the same twice are left out.
    kept = [0, 1, 3, 4]
    if focus != first:
        kept.insert(2, 2)
    if last != focus:
        kept.append(5)
    return Table(
        tuple(columns[k] for k in kept),
        tuple(tuple(row[k] for k in kept) for row in rows),
        story.say("sum.figures"),
        story.say("sum.figures_empty"),
    )


def some_years(story: Story, most: int) -> list[int]:
    """Years shown in a table: the first, the last and the years of changes, else evenly spread.

    Parameters
    ----------
    story : Story
        The run.
    most : int
        Most years, at least 2.

    Returns
    -------
    list of int
        In order.
    """
    years = list(story.run.problem.years)
    if len(years) <= most:
        return years
    busy = [int(y) for y in dict.fromkeys(story.facts.changes["year"])]
    chosen = [years[0], years[-1]]
    spread = [years[round(k * (len(years) - 1) / (most - 1))] for k in range(most)]
    for year in (*busy, *spread):
        if year not in chosen and len(chosen) < most:
            chosen.append(year)
    return sorted(chosen)


def _years_table(story: Story) -> Table:
    years = some_years(story, 7)
    columns = (
        Column(story.say("col.indicator"), 3.0),
        *(Column(str(year), 1.0, "right") for year in years),
    )
    rows = []
    for code in YEAR_FIGURES:
        values = [story.county(code, year, "plan") for year in years]
        if all(value is None for value in values):
            continue
        show = decimal if indicator_unit(code) == "min" else whole
        rows.append((indicator_name(code, story.lang), *(show(value) for value in values)))
    return Table(
        columns, tuple(rows), story.say("overview.years_table"), story.say("sum.figures_empty")
    )


def _schools_table(story: Story) -> Table:
    facts, run = story.facts, story.run
    states = charts.site_states(run, facts)
    columns = (
        Column(story.say("township"), 1.1),
        Column(story.say("school"), 2.2),
        Column(story.say("col.kind"), 1.5),
        Column(story.say("col.state"), 1.4),
        Column(story.say("x.students_first", year=facts.first), 1.1, "right"),
        Column(story.say("x.students_last", year=facts.focus), 1.1, "right"),
        Column(story.say("x.classes_last", year=facts.focus), 1.1, "right"),
        Column(story.say("x.places_last", year=facts.focus), 1.1, "right"),
    )
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    table = facts.sites[facts.sites["site_id"].isin(states)]
    for row in table.sort_values(["township", "site_id"], kind="stable").to_dict("records"):
        code, state = row["site_id"], states[row["site_id"]]
        rows.append(
            (
                row["township"], row["name"] + ("※" if row["estimated"] else ""),
                story.name("role", row["role"]), state_text(story, state),
                whole(site_total(story, code, facts.first, "today", "students")),
                whole(site_total(story, code, facts.focus, "plan", "students")),
                whole(site_total(story, code, facts.focus, "plan", "classes")),
                whole(figure(facts, "places", facts.focus, "plan", scope="site", key=code) or 0),
            )
        )  # fmt: skip
        tones.append("warn" if state in ("close", "downgrade") else "")
    caption = story.say("overview.schools", year=facts.focus)
    return Table(columns, tuple(rows), caption, story.say("none"), tuple(tones))


def state_text(story: Story, state: str) -> str:
    """Words for the state of a site under the plan.

    Parameters
    ----------
    story : Story
        The run.
    state : str
        A state of ``charts.site_states``, ``candidate`` or ``closed``.

    Returns
    -------
    str
        What becomes of it.
    """
    if state in ("kept", "central", "existing"):
        return story.say("change.keep")
    known = story.name("change", state)
    return story.name("state", state) if known == state else known


def site_total(story: Story, code: str, year: int, plan: str, what: str) -> int:
    """Students or classes of a site in a year.

    Parameters
    ----------
    story : Story
        The run.
    code : str
        Id of the site.
    year : int
        School year.
    plan : {"today", "plan"}
        Which arrangement.
    what : {"students", "classes"}
        What is counted.

    Returns
    -------
    int
        The sum over grades.
    """
    table = story.facts.classes
    chosen = (table["site_id"] == code) & (table["year"] == year) & (table["plan"] == plan)
    return int(table.loc[chosen, what].sum())


def large_classes(story: Story) -> list[Block]:
    """Tell the large-class ledger in brief.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        The chapter.
    """
    table = story.run.ledger.reset_index(drop=True)
    blocks: list[Block] = [Heading(story.say("ch.ledger"), 1, new_page=True)]
    if table.empty:
        return [*blocks, Paragraph(story.say("ledger.empty"))]
    category = text_column(table, "category")
    count = Counter(category)
    graver = count["large"] + count["super_large"]
    blocks.append(
        Paragraph(
            story.say(
                "ledger.intro", rows=whole(len(table)), over=whole(len(table) - graver),
                large=whole(count["large"]), super=whole(count["super_large"]),
            )
        )
    )  # fmt: skip
    kinds = ("over_standard", "large", "super_large")
    columns = (
        Column(story.say("township"), 2.0),
        *(Column(story.name("category", kind), 1.0, "right") for kind in kinds),
    )
    town = text_column(table, "township")
    rows = []
    for name in dict.fromkeys(town):
        mine = Counter(category[town == name])
        plain_over = sum(mine.values()) - mine["large"] - mine["super_large"]
        rows.append((name or story.say("town.none_name"), whole(plain_over), whole(mine["large"]),
                     whole(mine["super_large"])))  # fmt: skip
    blocks.append(Table(columns, tuple(rows), story.say("ledger.by_township"), story.say("none")))
    blocks.append(_large_table(story, table[category.isin(["large", "super_large"])]))
    return blocks


def _large_table(story: Story, table: pd.DataFrame) -> Table:
    columns = (
        Column(story.say("year"), 0.8, "center"),
        Column(story.say("school"), 2.2),
        Column(story.say("col.class_no"), 1.3, "center"),
        Column(story.say("col.students"), 0.8, "right"),
        Column(story.say("col.category"), 1.1, "center"),
        Column(story.say("col.ways"), 3.0),
        Column(story.say("col.chosen"), 1.6),
    )
    names = ("year", "school", "grade", "class_no", "students", "category", "ways_out", "chosen")
    parts = {name: text_column(table, name) for name in names}
    for name in ("ways_out", "chosen"):
        parts[name] = text_column(table, f"{name}_{story.lang}", name)
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for k in table.index[: 2 * MOST_ROWS]:
        grade = story.say("grade", grade=parts["grade"][k])
        rows.append(
            (
                parts["year"][k], parts["school"][k], f"{grade} {parts['class_no'][k]}".strip(),
                parts["students"][k], story.name("category", parts["category"][k]),
                ways_text(story, parts["ways_out"][k]) or "—",
                ways_text(story, parts["chosen"][k]) or "—",
            )
        )  # fmt: skip
        tones.append("bad" if parts["category"][k] == "super_large" else "")
    return Table(columns, tuple(rows), story.say("ledger.large"), story.say("none"), tuple(tones))


def ways_text(story: Story, value: str) -> str:
    """Words for the ways out of a large class, which a ledger may hold as codes or as words.

    Parameters
    ----------
    story : Story
        The run.
    value : str
        Codes or words, joined by ``；``, ``;`` or ``|``.

    Returns
    -------
    str
        Words.
    """
    parts = value.replace("|", "；").replace(";", "；").split("；")
    return "；".join(story.name("way", part.strip()) for part in parts if part.strip())


def gate_sites(story: Story) -> pd.DataFrame:
    """Schools that the plan closes or downgrades.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    DataFrame
        Rows of ``Facts.changes``.
    """
    changes = story.facts.changes
    return changes[changes["kind"].isin(["close", "downgrade"])]


def gate_items(story: Story, code: str, year: int = 0) -> pd.DataFrame:
    """Items of the closing gate for one school, the gravest first.

    Parameters
    ----------
    story : Story
        The run.
    code : str
        Id of the school.
    year : int
        Year of the change; items of other years are left out where this one has its own.

    Returns
    -------
    DataFrame
        Rows of the findings.
    """
    found = story.findings
    gate_codes = found["code"].str.startswith("R-CON") | found["code"].isin(GATE_CODES)
    mine = found[(found["id"] == code) & gate_codes]
    if (mine["year"] == year).any():
        mine = mine[mine["year"] == year]
    order = {result: k for k, result in enumerate(RESULTS)}
    return mine.assign(
        rank=mine["result"].map(order), gravity=mine["severity"].map(_SEVERITIES).fillna(4)
    ).sort_values(["rank", "gravity", "code", "year"], kind="stable")


def gate_tally(story: Story) -> Counter[str]:
    """Count the results of all items of the closing gate.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    Counter
        Number of items by result.
    """
    total: Counter[str] = Counter()
    for row in rows_of(gate_sites(story)):
        total.update(gate_items(story, row["site_id"], int(row["year"]))["result"])
    return total


def gate(story: Story) -> list[Block]:
    """Go through the closing gate, school by school and item by item.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        The chapter.
    """
    sites = gate_sites(story)
    blocks: list[Block] = [Heading(story.say("ch.gate"), 1, new_page=True)]
    if sites.empty:
        return [*blocks, Paragraph(story.say("gate.none"))]
    blocks.append(Paragraph(story.say("gate.intro")))
    columns = (
        Column(story.say("col.code"), 1.3),
        Column(story.say("col.title"), 2.4),
        Column(story.say("col.result"), 1.1, "center"),
        Column(story.say("col.value"), 1.1, "right"),
        Column(story.say("col.limit"), 1.1, "right"),
        Column(story.say("col.detail"), 2.4),
        Column(story.say("col.citation"), 1.8),
    )
    for row in rows_of(sites):
        change = story.name("change", row["kind"])
        blocks.append(
            Heading(
                story.say("gate.school", school=row["site"], township=row["township"],
                          year=row["year"], change=change), 2,
            )
        )  # fmt: skip
        items = gate_items(story, row["site_id"], int(row["year"]))
        blocks.append(Paragraph(_verdict(story, row["site_id"], items), "note", keep=True))
        rows = tuple(
            (
                each["code"], each["title"], story.name("result", each["result"]),
                _quantity(story, each["value"], each["unit"]),
                _quantity(story, each["limit"], each["unit"]), plain(each["detail"], longest=300),
                _citation(story, each),
            )
            for each in rows_of(items)
        )  # fmt: skip
        tones = tuple(_TONES[result] for result in items["result"])
        if rows:
            blocks.append(Table(columns, rows, "", "", tones))
    return blocks


def _verdict(story: Story, code: str, items: pd.DataFrame) -> str:
    if items.empty:
        return story.say("gate.no_items")
    failed = items[items["result"] == "fail"]
    hard = failed[failed["severity"] == "hard"]
    if len(hard):
        return story.say(
            "gate.blocked", count=len(hard), items=story.list_of(list(dict.fromkeys(hard["title"])))
        )
    # The rule check's own verdict is never softened here.
    found = story.findings
    own = found[(found["code"] == "R-GATE") & (found["id"] == code) & (found["result"] == "fail")]
    if len(own):
        return story.say("gate.blocked", count=len(own), items=own["detail"].iloc[0])
    if len(failed):
        return story.say(
            "gate.failed",
            count=len(failed),
            items=story.list_of(list(dict.fromkeys(failed["title"]))),
        )
    count = Counter(items["result"])
    if count["unknown"] or count["evidence"]:
        return story.say("gate.open", unknown=count["unknown"], evidence=count["evidence"])
    return story.say("gate.passed", count=len(items))


def _citation(story: Story, row: dict[str, Any]) -> str:
    """Cite the number of the document alone; the chapter of rules gives the full citation."""
    text = plain(row["citation"])
    inside = [part for part in _BRACKETS.findall(text) if re.search(r"\d{4}", part)]
    short = plain(inside[0] if inside else text, longest=60)
    return short if row["verified"] else f"{short}〔{story.say('rules.not_verified')}〕"


def rules(story: Story) -> list[Block]:
    """Rules used, their sources and whether they were verified.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        The chapter.
    """
    columns = (
        Column(story.say("col.code"), 1.3),
        Column(story.say("col.title"), 2.8),
        Column(story.say("col.severity"), 1.5, "center"),
        Column(story.say("col.citation"), 3.4),
        Column(story.say("col.verified"), 1.5, "center"),
    )
    used = story.findings.drop_duplicates(["code", "title"])
    used = used.sort_values(["code", "title"], kind="stable")
    rows = tuple(
        (
            row["code"], row["title"], story.name("severity", row["severity"]), row["citation"],
            story.say("rules.verified" if row["verified"] else "rules.unverified"),
        )
        for row in used.to_dict("records")
    )  # fmt: skip
    tones: tuple[Tone, ...] = tuple("" if checked else "warn" for checked in used["verified"])
    return [
        Heading(story.say("ch.rules"), 1, new_page=True),
        Paragraph(story.say("rules.note"), "note"),
        Table(columns, rows, story.say("rules.table"), story.say("rules.empty"), tones),
    ]


def methods(story: Story) -> list[Block]:
    """Methods in brief.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        The chapter.
    """
    run, problem = story.run, story.run.problem
    limits = [
        story.say("methods.limit", band=story.band(band), minutes=round(float(limit)))
        for band, limit in zip(problem.bands, problem.trip_limit, strict=True)
    ]
    bound = run.plan.bound
    blocks: list[Block] = [
        Heading(story.say("ch.methods"), 1),
        Paragraph(story.say("methods.travel")),
        Paragraph(story.say("methods.over", limits=story.list_of(limits))),
        Paragraph(story.say("methods.classes")),
        Paragraph(
            story.say(
                "methods.plan", method=story.name("method", run.plan.method),
                status=story.name("status", run.plan.status), objective=whole(run.plan.objective),
                bound=story.say("methods.not_proved") if bound != bound else whole(bound),
            )
        ),
        Paragraph(story.say("methods.assume")),
    ]  # fmt: skip
    blocks += [
        Paragraph(story.say("methods.note", note=plain(story.half(note), longest=400)), "note")
        for note in (*run.plan.notes, *run.times.notes)[:12]
    ]
    return blocks


def _quantity(story: Story, value: Any, unit: str) -> str:
    """Show a value of a finding: a number with its unit, or the words it holds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return plain(value, longest=60) or "—"
    if number != number:
        return "—"
    if unit in ("share", "%"):
        return f"{number * 100:.1f}%" if unit == "share" else f"{number:.1f}%"
    text = whole(number) if number == round(number) else decimal(number)
    name = name_of("unit", unit, story.lang) if unit else ""
    return f"{text} {name}".strip()
