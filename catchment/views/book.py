"""The township's review book: the county on a page, one page an area and a school, the stamp page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from catchment.run import Run
from catchment.views import charts, townships
from catchment.views.base_map import BaseMap
from catchment.views.chapters import actions, figures, overview, reasons
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
from catchment.views.facts import WORSE_MINUTES, figure, indicator_name, rows_of, text_column, worse
from catchment.views.files import write_bytes
from catchment.views.html_writer import html_bytes
from catchment.views.plain import decimal, plain, whole
from catchment.views.report import footer_lines, stamp_page
from catchment.views.story import Story, tell

MOST_VILLAGES = 4
"""Most villages listed by name in a row of their own on a school's page; the rest in one line."""
MOST_FINDINGS = 4
MOST_AREA_FINDINGS = 8

_SITE_FIGURES = (
    "students", "classes", "places", "place_shortfall",
)  # fmt: skip


def write_book(
    run: Run,
    folder: Path,
    *,
    lang: str = "zh",
    township: str = "",
    base: BaseMap | None = None,
) -> list[Path]:
    """Write ``book.docx`` and ``book.html``.

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Folder of the run.
    lang : {"zh", "en"}
        Language.
    township : str
        The township whose schools and villages are shown; empty for all.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    list of Path
        The two files; each written whole or not at all, the same bytes for the same run.
    """
    document = book_document(run, lang=lang, township=township, base=base)
    return [
        write_bytes(folder / "book.docx", docx_bytes(document)),
        write_bytes(folder / "book.html", html_bytes(document)),
    ]


def book_document(
    run: Run,
    *,
    lang: str = "zh",
    township: str = "",
    pictures: bool = True,
    base: BaseMap | None = None,
) -> Document:
    """Build the content of the review book.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"zh", "en"}
        Language.
    township : str
        The township whose schools and villages are shown; empty for all.
    pictures : bool
        Whether maps are drawn.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    Document
        What both files show.
    """
    story = tell(run, lang, base=base)
    county = plain(run.region.name, longest=60)
    title = story.say("bk.title", county=township or county)
    blocks: list[Block] = [
        Heading(title, level=0),
        Paragraph(
            story.say("report.kicker", name=plain(run.name, longest=120), first=story.facts.first,
                      last=story.facts.last),
            "kicker",
        ),
    ]  # fmt: skip
    if run.region.note:
        note = story.say("report.note", note=story.half(plain(run.region.note, longest=300)))
        blocks.append(Paragraph(note, "warning"))
    if pictures:
        band = story.band(run.problem.bands[0]) if run.problem.bands else ""
        text = story.say("overview.map", year=story.facts.focus, band=band)
        picture = charts.county_map(run, story.facts, lang=lang, base=base)
        blocks.append(Picture(picture, story.say("overview.map_alt"), text, 100.0))
    blocks.append(figures.figures_table(story, figures.SUMMARY_FIGURES))
    blocks += _longer(story, township)
    sites = _sites(story, township)
    trips = story.facts.trips
    by_site = dict(iter(trips[trips["students"] > 0].groupby("site_id", sort=False)))
    for name, codes in _areas(story, sites).items():
        blocks += _area_page(story, name, codes, pictures=pictures)
        for code in codes:
            mine = by_site.get(code, trips.iloc[0:0])
            blocks += _school_page(story, code, mine, pictures=pictures)
    _, *signing = stamp_page(story, [township] if township else None)
    blocks += [Heading(story.say("bk.stamp"), 1, new_page=True), *signing]
    return Document(
        title=title,
        lang=lang,
        blocks=tuple(blocks),
        footer=footer_lines(story),
        page_words=(story.say("foot.page1"), story.say("foot.page2"), story.say("foot.page3")),
        year=story.facts.first,
        author=story.say("report.author", county=county),
        compact=True,
    )


def _sites(story: Story, township: str) -> list[str]:
    """Sites that are open today or under the plan, in order of township and code."""
    table = story.facts.sites
    states = charts.site_states(story.run, story.facts)
    table = table[table["site_id"].isin(states)]
    if township:
        table = table[table["township"] == township]
    return list(table.sort_values(["township", "site_id"], kind="stable")["site_id"])


def _areas(story: Story, sites: list[str]) -> dict[str, list[str]]:
    """Sites by area, where the county has areas, else by township; the central school first."""
    region = story.run.region
    areas = region.areas.to_dict("records") if len(region.areas) else []
    central = {str(a.get("central_school_id")): plain(a.get("name"), longest=40) for a in areas}
    named = {str(a.get("area_id")): plain(a.get("name"), longest=40) for a in areas}
    towns = dict(zip(story.facts.sites["site_id"], story.facts.sites["township"], strict=True))
    given: dict[str, str] = {}
    if "area_id" in region.schools.columns:
        given = {
            str(code): named[str(area)]
            for code, area in zip(
                region.schools["school_id"], region.schools["area_id"], strict=True
            )
            if str(area) in named
        }
    # A school that names no area belongs to that of its township's central school.
    by_town = {towns[code]: name for code, name in central.items() if code in towns}
    found: dict[str, list[str]] = {}
    for code in sites:
        name = central.get(code) or given.get(code) or by_town.get(towns[code]) or towns[code]
        place = found.setdefault(name or story.say("town.none_name"), [])
        place.insert(0, code) if code in central else place.append(code)
    return found


def _longer(story: Story, township: str) -> list[Block]:
    table = worse(story.run, story.facts)
    town = text_column(table, "township")
    names = townships.names(story) if not township else [township]
    limit = round(WORSE_MINUTES)
    blocks: list[Block] = [Heading(story.say("bk.longer"), 1, new_page=True)]
    listed = [name for name in names if (town == name).any()]
    if not listed:
        return [
            *blocks,
            Paragraph(story.say("town.worse_empty", minutes=limit, first=story.facts.first)),
        ]
    tables = [townships.worse_of(story, name) for name in listed]
    rows = tuple(
        (name, *row) for name, table in zip(listed, tables, strict=True) for row in table.rows
    )
    columns = (Column(story.say("township"), 1.3), *tables[0].columns)
    mine = table[town.isin(listed)]
    return [*blocks, Table(columns, rows, tables[0].caption), *reasons.why_farther(story, mine)]


def _area_page(story: Story, name: str, codes: list[str], *, pictures: bool) -> list[Block]:
    focus = story.facts.focus
    labels = dict(zip(story.facts.sites["site_id"], story.facts.sites["name"], strict=True))
    states = charts.site_states(story.run, story.facts)
    columns = (
        Column(story.say("school"), 2.4), Column(story.say("col.state"), 1.6),
        Column(story.say("x.students_first", year=story.facts.first), 1.1, "right"),
        Column(story.say("x.students_last", year=focus), 1.1, "right"),
        Column(story.say("x.classes_last", year=focus), 1.1, "right"),
        Column(story.say("x.places_last", year=focus), 1.1, "right"),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for code in codes:
        rows.append(
            (
                labels[code], overview.state_text(story, states[code]),
                whole(overview.site_total(story, code, story.facts.first, "today", "students")),
                whole(overview.site_total(story, code, focus, "plan", "students")),
                whole(overview.site_total(story, code, focus, "plan", "classes")),
                whole(figure(story.facts, "places", focus, "plan", scope="site", key=code) or 0),
            )
        )  # fmt: skip
        tones.append("warn" if states[code] in ("close", "downgrade") else "")
    changes = actions.listed_changes(story)
    mine = changes[changes["site_id"].isin(codes)]
    blocks: list[Block] = [Heading(name, 1, new_page=True)]
    if pictures:
        text = story.say("bk.area_map", area=name, year=focus)
        picture = charts.area_map(story.run, story.facts, codes, lang=story.lang, base=story.base)
        # The map gives way where many schools and actions share the page with it.
        wide = min(max(120.0 - 6.0 * (len(rows) + 2 * len(mine) - 11), 70.0), 120.0)
        blocks.append(Picture(picture, text, text, wide))
    return [
        *blocks,
        Table(columns, tuple(rows), story.say("bk.area", year=focus), "", tuple(tones)),
        _actions(story, mine),
        _area_findings(story, codes),
    ]


def _area_findings(story: Story, codes: list[str]) -> Table:
    """List what is not met or open at the schools of an area, and at how many of them."""
    found = story.findings
    mine = found[
        found["id"].isin(codes) & (found["result"] != "pass") & found["plan"].isin(["", "plan"])
    ]
    counts = (
        mine.groupby(["result", "code", "title", "severity"], sort=True)["id"]
        .nunique()
        .reset_index(name="schools")
    )
    order = {"fail": 0, "unknown": 1, "evidence": 2}
    counts = counts.assign(rank=counts["result"].map(order)).sort_values(
        ["rank", "schools", "code"], ascending=[True, False, True], kind="stable"
    )
    columns = (
        Column(story.say("col.title"), 4.0), Column(story.say("col.severity"), 1.4, "center"),
        Column(story.say("col.result"), 1.2, "center"), Column(story.say("deck.schools"), 1.0, "right"),
    )  # fmt: skip
    listed = counts.head(MOST_AREA_FINDINGS)
    rows = tuple(
        (
            plain(row["title"], longest=200), story.name("severity", row["severity"]),
            story.name("result", row["result"]), whole(row["schools"]),
        )
        for row in rows_of(listed)
    )  # fmt: skip
    tones: tuple[Tone, ...] = tuple(
        "bad" if result == "fail" else "warn" for result in listed["result"]
    )
    caption = story.say("bk.findings")
    if len(counts) > len(listed):
        caption = story.say("bk.findings_more", count=len(counts) - len(listed))
    return Table(columns, rows, caption, story.say("bk.area_findings_empty"), tones)


def _actions(story: Story, table: pd.DataFrame) -> Table:
    columns = (
        Column(story.say("year"), 0.8, "center"), Column(story.say("col.action"), 1.1, "center"),
        Column(story.say("school"), 2.2), Column(story.say("col.change"), 2.4),
        Column(story.say("col.receivers"), 2.4),
    )  # fmt: skip
    rows = tuple(
        (
            str(row["year"]), story.name("change", row["kind"]), row["site"],
            actions.change_text(story, row), story.schools(row["receiver_ids"]) or "—",
        )
        for row in rows_of(table)
    )  # fmt: skip
    return Table(columns, rows, story.say("bk.actions"), story.say("bk.actions_empty"))


def _school_page(story: Story, code: str, trips: pd.DataFrame, *, pictures: bool) -> list[Block]:
    facts = story.facts
    site = rows_of(facts.sites[facts.sites["site_id"] == code])[0]
    state = overview.state_text(story, charts.site_states(story.run, facts)[code])
    place = story.placed(site["name"], site["township"])
    blocks: list[Block] = [
        Heading(story.say("bk.school", school=place, state=state), 2, new_page=True),
        Paragraph(
            story.say("bk.school_line", code=code, role=story.name("role", site["role"]),
                      rooms=site["rooms"],
                      estimated=story.say("yes" if site["estimated"] else "no")),
            "note",
        ),
    ]  # fmt: skip
    if pictures and site["x"] == site["x"]:
        text = story.say("bk.map", school=site["name"], year=facts.focus)
        blocks.append(
            Picture(
                charts.school_map(
                    story.run, facts, code, lang=story.lang, trips=trips, base=story.base
                ),
                text,
                text,
            )
        )
    blocks += [
        _site_figures(story, code), *reasons.full_lines(story, code), townships.classes_of(story, [code], most=3),
        *_villages(story, trips), _findings(story, code),
    ]  # fmt: skip
    changes = actions.listed_changes(story)
    codes = changes["receiver_ids"].map(lambda text: code in str(text).split(" "))
    mine = changes[(changes["site_id"] == code) | codes]
    return [*blocks, _actions(story, mine)]


def _site_figures(story: Story, code: str) -> Table:
    facts = story.facts
    years = list(dict.fromkeys([(facts.first, "today"), (facts.focus, "today"), (facts.focus, "plan"),
                                (facts.last, "plan")]))  # fmt: skip
    words = {"today": "col.same_year", "plan": "col.plan_year"}
    heads = [
        story.say("col.today_year" if k == 0 else words[plan], year=year)
        for k, (year, plan) in enumerate(years)
    ]
    rows = []
    for name in _SITE_FIGURES:
        values = [figure(facts, name, y, plan, scope="site", key=code) for y, plan in years]
        if any(value is not None for value in values):
            label = indicator_name(name, story.lang)
            rows.append((label, *(whole(value or 0) for value in values)))
    columns = (
        Column(story.say("col.indicator"), 2.4), *(Column(head, 1.2, "right") for head in heads)
    )  # fmt: skip
    return Table(columns, tuple(rows), story.say("bk.figures"), story.say("sum.figures_empty"))


def _villages(story: Story, trips: pd.DataFrame) -> list[Block]:
    """Villages of the school: who comes today and under the plan, a row a village and band."""
    facts = story.facts
    columns = (
        Column(story.say("village"), 2.0), Column(story.say("col.bands"), 2.0),
        Column(story.say("col.students"), 0.9, "right"), Column(story.say("col.mode"), 1.0, "center"),
        Column(story.say("chart.minutes"), 1.4, "right"),
    )  # fmt: skip
    chosen = trips[(trips["plan"] == "plan") & (trips["year"] == facts.focus)]
    caption = story.say("bk.villages", year=facts.focus)
    if chosen.empty:
        chosen = trips[(trips["plan"] == "today") & (trips["year"] == facts.first)]
        caption = story.say("bk.villages_today", year=facts.first)
    merged: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for trip in rows_of(chosen):
        merged.setdefault((trip["village_id"], trip["mode"], trip["part"]), []).append(trip)
    parts = [merged[key] for key in sorted(merged)]
    parts.sort(key=lambda part: -max(row["minutes"] for row in part))
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for part in parts[:MOST_VILLAGES]:
        rows.append(
            (
                _named(story, part), story.list_of([story.band(row["band"]) for row in part]),
                whole(sum(row["students"] for row in part)) + story.mark(part[0]["estimated"]),
                story.name("mode", part[0]["mode"]), decimal(max(row["minutes"] for row in part)),
            )
        )  # fmt: skip
        tones.append("warn" if any(row["over_limit"] for row in part) else "")
    blocks: list[Block] = [
        Table(columns, tuple(rows), caption, story.say("bk.villages_empty"), tuple(tones))
    ]
    if len(parts) > MOST_VILLAGES:
        rest: dict[str, float] = {}
        for part in parts[MOST_VILLAGES:]:
            longest = max(row["minutes"] for row in part)
            rest[part[0]["village"]] = max(rest.get(part[0]["village"], 0.0), longest)
        text = story.say(
            "bk.more_villages", names=story.list_of([f"{n} {decimal(m)}" for n, m in rest.items()])
        )
        blocks.append(Paragraph(plain(text, longest=900), "note"))
    return blocks


def _named(story: Story, part: list[dict[str, Any]]) -> str:
    """Village of a row; of one whose children go to several schools, which of them come here."""
    name = str(part[0]["village"])
    return f"{name} · {story.name('part', part[0]['part'])}" if part[0]["part"] else name


def _findings(story: Story, code: str) -> Table:
    found = story.findings
    mine = found[(found["id"] == code) & (found["result"] != "pass")]
    order = {"fail": 0, "unknown": 1, "evidence": 2}
    mine = mine.assign(rank=mine["result"].map(order)).sort_values(
        ["rank", "code", "year"], kind="stable"
    )
    mine = mine.drop_duplicates(["code", "title", "result"])
    columns = (
        Column(story.say("col.title"), 4.0), Column(story.say("col.severity"), 1.4, "center"),
        Column(story.say("col.result"), 1.2, "center"), Column(story.say("col.value"), 1.2, "right"),
        Column(story.say("col.limit"), 1.2, "right"),
    )  # fmt: skip
    rows = tuple(
        (
            row["title"], story.name("severity", row["severity"]),
            story.name("result", row["result"]),
            figures.quantity(story, row["value"], row["unit"]),
            figures.quantity(story, row["limit"], row["unit"]),
        )
        for row in rows_of(mine)[:MOST_FINDINGS]
    )  # fmt: skip
    tones: tuple[Tone, ...] = tuple(
        "bad" if result == "fail" else "warn" for result in mine["result"].head(MOST_FINDINGS)
    )
    caption = story.say("bk.findings")
    if len(mine) > MOST_FINDINGS:
        caption = story.say("bk.findings_more", count=len(mine) - MOST_FINDINGS)
    return Table(columns, rows, caption, story.say("bk.findings_empty"), tones)
