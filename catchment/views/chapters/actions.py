"""What the plan does, year by year."""

from __future__ import annotations

from typing import Any

import pandas as pd

from catchment.views.document import Block, Column, Heading, Paragraph, Table, Tone
from catchment.views.facts import (
    figure,
    recipe_actions,
    rows_of,
)
from catchment.views.plain import plain, whole
from catchment.views.story import Story


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
                "seats_added": 0, "naps_added": 0, "students": 0, "receivers": "", "receiver_ids": "",
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


def chapter(story: Story) -> list[Block]:
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
            reason = story.parts([row["note"], *needs])
            school = story.placed(row["site"], row["township"])
            rows.append(
                (
                    story.name("change", row["kind"]), school, change_text(story, row),
                    whole(row["students"]) if row["students"] else "—",
                    story.schools(row["receiver_ids"]) or "—", reason or "—",
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
    if row["naps_added"]:
        parts.append(story.say("act.naps", count=row["naps_added"]))
    return story.parts(parts) or "—"


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
    return (" + " if story.lang == "en" else "＋").join(names) if names else "—"


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
    pattern = "{site}{year}：{change}" if story.lang == "zh" else "{site} {year}: {change}"
    names = [
        pattern.format(site=each["site"], year=each["year"], change=change_text(story, each))
        for each in rows_of(grown)
    ]
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
