"""Why a village goes where it goes, and which schools are full: the run's own words, in documents."""

from __future__ import annotations

import pandas as pd

from catchment.views.document import Block, Column, Paragraph, Table
from catchment.views.facts import rows_of, text_column
from catchment.views.plain import plain, whole
from catchment.views.story import Story

LONGEST_REASON = 400


def reasons_of(story: Story) -> dict[tuple[str, str, int], str]:
    """Reasons of village-bands that change school or do not go to the nearest.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    dict
        In the story's language, by village, band and year; what the change says comes first.
    """
    found: dict[tuple[str, str, int], str] = {}
    why = story.run.why
    bound = why[why["limit"].fillna("") != ""] if len(why) else why
    for table in (story.run.explanations, bound):
        if not len(table):
            continue
        keys = zip(table["village_id"].astype(str), table["band"], table["year"], strict=True)
        for (village, band, year), text in zip(
            keys, text_column(table, f"reason_{story.lang}"), strict=True
        ):
            if text:
                key = (village, str(band), int(year))
                found.setdefault(key, plain(text, longest=LONGEST_REASON))
    return found


def why_farther(story: Story, longer: pd.DataFrame) -> list[Block]:
    """Say for villages that travel longer why they do.

    Parameters
    ----------
    story : Story
        The run.
    longer : DataFrame
        Rows of :func:`catchment.views.facts.worse`.

    Returns
    -------
    list of Block
        One table, or nothing where no reason is known.
    """
    known = reasons_of(story)
    rows = []
    for row in rows_of(longer):
        text = _last(known, str(row["village_id"]), str(row["band"]), int(row["year"]))
        if text:
            rows.append((row["village"], story.band(row["band"]), str(row["year"]), text))
    if not rows:
        return []
    columns = (
        Column(story.say("village"), 1.1), Column(story.say("col.bands"), 1.1),
        Column(story.say("year"), 0.8, "center"), Column(story.say("why.reason"), 6.0),
    )  # fmt: skip
    return [Table(columns, tuple(rows), story.say("why.farther"))]


def _last(known: dict[tuple[str, str, int], str], village: str, band: str, year: int) -> str:
    """Reason of the year, else of the last change before it: the arrangement still stands."""
    years = [y for v, b, y in known if v == village and b == band and y <= year]
    return known[village, band, max(years)] if years else ""


def full_schools(story: Story, site: str = "") -> pd.DataFrame:
    """List schools that have reached a limit in the focus year.

    Parameters
    ----------
    story : Story
        The run.
    site : str
        One school; all where left out.

    Returns
    -------
    DataFrame
        Rows of the run's prices.
    """
    prices = story.run.prices
    if not len(prices):
        return prices
    there = (prices["year"] == story.facts.focus) & (prices["limit"].fillna("") != "")
    if site:
        there &= prices["site_id"].astype(str) == site
    return prices[there]


def full_table(story: Story) -> list[Block]:
    """Say which schools are full in the focus year and what one more place would be worth.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    list of Block
        One table.
    """
    rows = tuple(
        (
            plain(row["site"], longest=40), story.band(str(row["band"])), whole(row["students"]),
            whole(row["places"]), plain(row[f"reason_{story.lang}"], longest=LONGEST_REASON),
        )
        for row in rows_of(full_schools(story))
    )  # fmt: skip
    columns = (
        Column(story.say("school"), 1.8), Column(story.say("col.bands"), 1.1),
        Column(story.say("col.students"), 0.9, "right"), Column(story.say("why.places"), 0.9, "right"),
        Column(story.say("why.full_reason"), 4.0),
    )  # fmt: skip
    year = story.facts.focus
    return [
        Table(columns, rows, story.say("why.full", year=year), story.say("why.none", year=year)),
        *([Paragraph(story.say("why.note"), "note")] if rows else []),
    ]


def full_lines(story: Story, site: str) -> list[Block]:
    """Say of one school which of its bands are full.

    Parameters
    ----------
    story : Story
        The run.
    site : str
        Its code.

    Returns
    -------
    list of Block
        A note, or nothing.
    """
    texts = [
        f"{story.band(str(row['band']))}{story.say('why.colon')}"
        + plain(row[f"reason_{story.lang}"], longest=LONGEST_REASON)
        for row in rows_of(full_schools(story, site))
    ]
    if not texts:
        return []
    return [Paragraph(story.say("why.full_here", reasons=story.parts(texts)), "note")]
