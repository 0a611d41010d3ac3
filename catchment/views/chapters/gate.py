"""The closing gate, school by school and item by item."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pandas as pd

from catchment.views.chapters.figures import quantity
from catchment.views.chapters.findings import SEVERITIES, TONES
from catchment.views.document import Block, Column, Heading, Paragraph, Table
from catchment.views.facts import (
    rows_of,
)
from catchment.views.plain import plain
from catchment.views.story import RESULTS, Story, of_gate

_BRACKETS = re.compile(r"[（(]([^（）()]+)[）)]")


def closing(story: Story) -> pd.DataFrame:
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


def items_of(story: Story, code: str, year: int = 0) -> pd.DataFrame:
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
    mine = found[(found["id"] == code) & of_gate(found["code"])]
    if (mine["year"] == year).any():
        mine = mine[mine["year"] == year]
    order = {result: k for k, result in enumerate(RESULTS)}
    return mine.assign(
        rank=mine["result"].map(order), gravity=mine["severity"].map(SEVERITIES).fillna(4)
    ).sort_values(["rank", "gravity", "code", "year"], kind="stable")


def tally(story: Story) -> Counter[str]:
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
    for row in rows_of(closing(story)):
        total.update(items_of(story, row["site_id"], int(row["year"]))["result"])
    return total


def chapter(story: Story) -> list[Block]:
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
    sites = closing(story)
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
        items = items_of(story, row["site_id"], int(row["year"]))
        blocks.append(Paragraph(_verdict(story, row["site_id"], items), "note", keep=True))
        rows = tuple(
            (
                each["code"], each["title"], story.name("result", each["result"]),
                quantity(story, each["value"], each["unit"]),
                quantity(story, each["limit"], each["unit"]), plain(each["detail"], longest=300),
                _citation(story, each),
            )
            for each in rows_of(items)
        )  # fmt: skip
        tones = tuple(TONES[result] for result in items["result"])
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
