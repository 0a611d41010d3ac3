"""One section a township: who comes to which school, in how many classes, by which means."""

from __future__ import annotations

from typing import Any

import pandas as pd

from catchment.views import charts
from catchment.views.chapters.figures import some_years
from catchment.views.chapters.reasons import why_farther
from catchment.views.document import Block, Column, Heading, Paragraph, Picture, Table, Tone
from catchment.views.facts import LONGEST_NAME, WORSE_MINUTES, figure, rows_of, text_column, worse
from catchment.views.plain import decimal, plain, whole
from catchment.views.story import Story


def names(story: Story) -> list[str]:
    """Townships in the order of the county's own tables.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of str
        Each once; empty names last.
    """
    both = [*story.facts.villages["township"], *story.facts.sites["township"]]
    found = list(dict.fromkeys(both))
    return [t for t in found if t] + [t for t in found if not t]


def sections(story: Story, *, pictures: bool) -> list[Block]:
    """All townships.

    Parameters
    ----------
    story : Story
        The run.
    pictures : bool
        Whether a map is drawn for each.

    Returns
    -------
    list of Block
        The chapter.
    """
    blocks: list[Block] = [Heading(story.say("ch.townships"), 1, new_page=True)]
    for number, township in enumerate(names(story)):
        blocks += section(story, township, pictures=pictures, new_page=number > 0)
    return blocks


def section(story: Story, township: str, *, pictures: bool, new_page: bool) -> list[Block]:
    """One township.

    Parameters
    ----------
    story : Story
        The run.
    township : str
        Its name.
    pictures : bool
        Whether its map is drawn.
    new_page : bool
        Whether it begins a page.

    Returns
    -------
    list of Block
        The section.
    """
    title = township or story.say("town.none_name")
    year = story.facts.focus
    trips = _focus_trips(story)
    own = trips[trips["township"] == township]
    blocks: list[Block] = [
        Heading(title, 2, new_page=new_page),
        Paragraph(_intro(story, township, own)),
    ]
    if pictures:
        blocks.append(
            Picture(
                charts.township_map(
                    story.run, story.facts, township, lang=story.lang, base=story.base
                ),
                story.say("town.map_alt", township=title),
                story.say("town.map", township=title, year=year),
            )
        )
    blocks += [
        _catchments(story, township, trips),
        _classes(story, township),
        _needs(story, township, trips),
        Paragraph(story.say("town.needs_note"), "note"),
        _riders(story, own),
        worse_of(story, township),
        *why_farther(story, _longer_of(story, township)),
    ]
    lost = own[(own["site_id"] == "") & (own["students"] > 0)]
    if len(lost):
        blocks.append(_unserved(story, lost))
    return blocks


def _focus_trips(story: Story) -> pd.DataFrame:
    trips = story.facts.trips
    return trips[(trips["plan"] == "plan") & (trips["year"] == story.facts.focus)]


def _intro(story: Story, township: str, own: pd.DataFrame) -> str:
    facts, year = story.facts, story.facts.focus
    states = charts.site_states(story.run, facts)
    here = facts.sites[facts.sites["township"] == township]["site_id"]
    key = township
    return story.say(
        "town.intro",
        villages=whole((facts.villages["township"] == township).sum()),
        year=year,
        students=whole(own["students"].sum()),
        plan=decimal(figure(story.facts, "minutes_mean", year, "plan", scope="township", key=key)),
        same=decimal(figure(story.facts, "minutes_mean", year, "today", scope="township", key=key)),
        schools=whole(sum(states.get(code, "close") != "close" for code in here)),
        bus=whole(own.loc[own["mode"] == "bus", "students"].sum()),
        board=whole(own.loc[own["mode"] == "board", "students"].sum()),
        unserved=whole(own.loc[own["site_id"] == "", "students"].sum()),
    )


def _catchments(story: Story, township: str, trips: pd.DataFrame) -> Table:
    """List the villages that come to each school, a row for primary and one for junior."""
    facts = story.facts
    towns = dict(zip(facts.sites["site_id"], facts.sites["township"], strict=True))
    labels = dict(zip(facts.sites["site_id"], facts.sites["name"], strict=True))
    served = trips[(trips["site_id"] != "") & (trips["students"] > 0)]
    touching = served[(served["township"] == township) | (served["site_id"].map(towns) == township)]
    columns = (
        Column(story.say("school"), 1.7),
        Column(story.say("col.bands"), 1.4),
        Column(story.say("col.villages"), 6.0),
        Column(story.say("col.students"), 0.8, "right"),
    )
    rows = []
    stages = {b.band: b.stage for b in story.run.region.bands}
    stages = {band: stages.get(band, band) for band in story.run.problem.bands}
    inside = [c for c in facts.sites["site_id"] if towns[c] == township]
    outside = [c for c in facts.sites["site_id"] if towns[c] != township]
    by_site = dict(iter(touching.groupby("site_id", sort=False)))
    for code in (*inside, *outside):
        mine = by_site.get(code)
        if mine is None:
            continue
        own_school = towns[code] == township
        label = labels[code] if own_school else story.say("town.outside", name=labels[code])
        for stage in dict.fromkeys(stages.values()):
            bands = [b for b in story.run.problem.bands if stages[b] == stage]
            part = mine[mine["band"].isin(bands)]
            if part.empty:
                continue
            taught = [b for b in bands if (part["band"] == b).any()]
            rows.append(
                (
                    label,
                    story.list_of([story.band(b) for b in taught]),
                    _village_list(story, part, served, bands, township if own_school else ""),
                    whole(part["students"].sum()),
                )
            )
    caption = story.say("town.catchments", year=facts.focus)
    return Table(columns, tuple(rows), caption, story.say("town.catchments_empty"))


def _village_list(
    story: Story, part: pd.DataFrame, served: pd.DataFrame, bands: list[str], township: str
) -> str:
    """Name villages with their students; one whose other band goes elsewhere names its band."""
    elsewhere = served[
        served["village_id"].isin(part["village_id"])
        & served["band"].isin(bands)
        & ~served.index.isin(part.index)
    ]
    split = set(elsewhere["village_id"])
    sums: dict[str, list[Any]] = {}
    for row in rows_of(part):
        entry = sums.setdefault(row["village_id"], [row["village"], row["township"], 0, False, []])
        entry[2] += int(row["students"])
        entry[3] = entry[3] or bool(row["estimated"])
        note = [story.name("part", row["part"])] if row["part"] else []
        told = story.band(row["band"]) + "".join(f"·{each}" for each in note)
        if told not in entry[4]:
            entry[4].append(told)
    texts = []
    for code, (name, town, students, estimated, taught) in sums.items():
        inner = f"{students}{story.mark(estimated)}"
        if code in split:
            inner += ("，" if story.lang == "zh" else ", ") + story.list_of(taught)
        place = f"{town}{name}" if township and town != township else name
        texts.append(f"{place}（{inner}）" if story.lang == "zh" else f"{place} ({inner})")
    return plain(story.list_of(texts), longest=6000)


def _classes(story: Story, township: str) -> Table:
    towns = story.facts.sites["township"] == township
    return classes_of(story, story.facts.sites.loc[towns, "site_id"].tolist())


def classes_of(story: Story, codes: list[str], *, most: int = 4) -> Table:
    """Show students and classes of schools by grade in some years.

    Parameters
    ----------
    story : Story
        The run.
    codes : list of str
        Sites in order; those without students or classes are left out.
    most : int
        Most years shown, at least 2.

    Returns
    -------
    Table
        One row a school and year.
    """
    table = story.facts.classes
    mine = table[(table["plan"] == "plan") & table["site_id"].isin(codes)]
    grades = sorted(set(mine["grade"].tolist()))
    columns = (
        Column(story.say("school"), 2.2),
        Column(story.say("year"), 0.9, "center"),
        *(Column(str(grade), 0.8, "center") for grade in grades),
        Column(story.say("col.total"), 0.8, "right"),
        Column(story.say("col.rooms"), 0.8, "right"),
    )
    place = {code: j for j, code in enumerate(story.run.problem.site_ids)}
    years = {year: t for t, year in enumerate(story.run.problem.years)}
    wanted = some_years(story, most)
    parts = dict(iter(mine[mine["year"].isin(wanted)].groupby(["site_id", "year"])))
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for code in codes:
        for year in wanted:
            part = parts.get((code, year))
            if part is None:
                continue
            pairs = zip(part["students"], part["classes"], strict=True)
            cells = dict(zip(part["grade"], pairs, strict=True))
            total = int(part["classes"].sum())
            rooms = int(story.run.problem.rooms[place[code], years[year]])
            shown = (f"{cells[g][0]}/{cells[g][1]}" if g in cells else "" for g in grades)
            rows.append((part["site"].iloc[0], str(year), *shown, whole(total), whole(rooms)))
            tones.append("bad" if total > rooms else "")
    return Table(
        columns, tuple(rows), story.say("town.classes"), story.say("town.classes_empty"),
        tuple(tones),
    )  # fmt: skip


def _needs(story: Story, township: str, trips: pd.DataFrame) -> Table:
    facts, problem = story.facts, story.run.problem
    columns = (
        Column(story.say("school"), 2.4),
        *(Column(story.say(f"col.{key}"), 1.0, "right") for key in
          ("walkers", "bus", "boarders", "beds", "bed_gap", "seats", "seat_gap")),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for row in facts.sites[facts.sites["township"] == township].to_dict("records"):
        mine = trips[trips["site_id"] == row["site_id"]]
        count = {m: int(mine.loc[mine["mode"] == m, "students"].sum()) for m in
                 ("walk", "bus", "board")}  # fmt: skip
        if not count["bus"] and not count["board"]:
            continue
        j = problem.site_ids.index(row["site_id"])
        beds, seats = (
            int(problem.beds[j, facts.focus_at]),
            int(problem.dining_seats[j, facts.focus_at]),
        )
        bed_gap = None if beds < 0 else max(count["board"] - beds, 0)
        seat_gap = None if seats < 0 else max(int(mine["students"].sum()) - seats, 0)
        rows.append(
            (
                row["name"], whole(count["walk"]), whole(count["bus"]), whole(count["board"]),
                whole(None if beds < 0 else beds), whole(bed_gap),
                whole(None if seats < 0 else seats), whole(seat_gap),
            )
        )  # fmt: skip
        tones.append("bad" if bed_gap or seat_gap else "")
    return Table(
        columns, tuple(rows), story.say("town.needs", year=facts.focus),
        story.say("town.needs_empty"), tuple(tones),
    )  # fmt: skip


def _riders(story: Story, own: pd.DataFrame) -> Table:
    columns = (
        Column(story.say("village"), 1.5),
        Column(story.say("col.bands"), 2.4),
        Column(story.say("col.students"), 0.8, "right"),
        Column(story.say("school"), 2.0),
        Column(story.say("col.mode"), 0.9, "center"),
        Column(story.say("col.after"), 0.9, "right"),
    )
    ride = own[own["mode"].isin(["bus", "board"]) & (own["students"] > 0)]
    merged: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for trip in rows_of(ride):
        merged.setdefault((trip["village_id"], trip["site_id"], trip["mode"]), []).append(trip)
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    for part in merged.values():
        estimated = any(trip["estimated"] for trip in part)
        rows.append(
            (
                part[0]["village"],
                story.list_of([story.band(trip["band"]) for trip in part]),
                whole(sum(trip["students"] for trip in part)) + story.mark(estimated),
                part[0]["site"],
                story.name("mode", part[0]["mode"]),
                decimal(max(trip["minutes"] for trip in part)),
            )
        )
        tones.append("warn" if any(trip["over_limit"] for trip in part) else "")
    return Table(
        columns, tuple(rows), story.say("town.riders", year=story.facts.focus),
        story.say("town.riders_empty"), tuple(tones),
    )  # fmt: skip


def _longer_of(story: Story, township: str) -> pd.DataFrame:
    table = worse(story.run, story.facts)
    town = text_column(table, "township").map(lambda name: plain(name, longest=LONGEST_NAME))
    return table[town == township]


def worse_of(story: Story, township: str) -> Table:
    """List the villages of a township that travel clearly longer.

    Parameters
    ----------
    story : Story
        The run.
    township : str
        Its name.

    Returns
    -------
    Table
        One row a village, band and year, the largest growth first.
    """
    table = _longer_of(story, township)
    columns = (
        Column(story.say("village"), 1.2),
        Column(story.say("col.bands"), 1.5),
        Column(story.say("year"), 0.65, "center"),
        Column(story.say("col.students"), 0.65, "right"),
        Column(story.say("col.from"), 2.4),
        Column(story.say("col.to"), 2.4),
        Column(story.say("col.before"), 0.8, "right"),
        Column(story.say("col.after"), 0.8, "right"),
        Column(story.say("col.growth"), 0.8, "right"),
        Column(story.say("col.mode"), 0.8, "center"),
    )
    part = {
        name: text_column(table, name)
        for name in ("village", "band", "year", "from_name", "to_name", "mode_after")
    }
    rows = []
    for k, row in zip(table.index, table.to_dict("records"), strict=True):
        rows.append(
            (
                part["village"][k], story.band(part["band"][k]), part["year"][k],
                whole(row.get("students")), part["from_name"][k], part["to_name"][k],
                decimal(row["minutes_before"]), decimal(row["minutes_after"]),
                "+" + decimal(row["growth"]), story.name("mode", part["mode_after"][k]),
            )
        )  # fmt: skip
    told = {"minutes": round(WORSE_MINUTES), "first": story.facts.first}
    return Table(
        columns, tuple(rows), story.say("town.worse", **told),
        story.say("town.worse_empty", **told),
    )  # fmt: skip


def _unserved(story: Story, lost: pd.DataFrame) -> Table:
    columns = (
        Column(story.say("village"), 2.0),
        Column(story.say("col.bands"), 1.4),
        Column(story.say("col.students"), 0.8, "right"),
    )
    rows = tuple(
        (row["village"], story.band(row["band"]), whole(row["students"]))
        for row in lost.to_dict("records")
    )
    tones: tuple[Tone, ...] = tuple("bad" for _ in rows)
    return Table(
        columns, rows, story.say("town.unserved", year=story.facts.focus), story.say("none"),
        tones,
    )  # fmt: skip
