"""The large-class ledger in brief."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from catchment.views.chapters.figures import MOST_ROWS
from catchment.views.document import Block, Column, Heading, Paragraph, Table, Tone
from catchment.views.facts import (
    text_column,
)
from catchment.views.plain import whole
from catchment.views.story import Story


def chapter(story: Story) -> list[Block]:
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
    return story.parts([story.name("way", part.strip()) for part in parts if part.strip()])
