"""What the rules find today and under the plan."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from catchment.views.chapters.figures import MOST_ROWS, quantity
from catchment.views.document import Block, Column, Heading, Paragraph, Table, Tone
from catchment.views.facts import (
    rows_of,
)
from catchment.views.plain import whole
from catchment.views.story import RESULTS, Story

SEVERITIES = {"hard": 0, "standard": 1, "process": 2, "soft": 3}
"""Natures of a rule, the gravest first."""

TONES: dict[str, Tone] = {"fail": "bad", "unknown": "warn", "evidence": "warn", "pass": ""}
"""Shade of a row by its result."""


def chapter(story: Story) -> list[Block]:
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
        gravity=failed["severity"].map(SEVERITIES).fillna(4),
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
                quantity(story, worst["value"], worst["unit"]),
                quantity(story, worst["limit"], worst["unit"]),
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
    order = found.assign(gravity=found["severity"].map(SEVERITIES).fillna(4))
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
        tones.append(TONES[gravest])
    return Table(columns, tuple(rows), caption, story.say("today.none"), tuple(tones))
