"""The sheet for the notice board (公示图): two maps, what changes in which year, how to respond.

It is public: no number of students stands on it, and it passes the gate of public files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catchment.run import Run
from catchment.views import charts
from catchment.views.chapters import actions
from catchment.views.document import (
    Block,
    Column,
    Document,
    Heading,
    Paragraph,
    Picture,
    Table,
)
from catchment.views.docx_writer import docx_bytes
from catchment.views.facts import rows_of
from catchment.views.files import write_bytes
from catchment.views.html_writer import html_bytes
from catchment.views.origin import origin
from catchment.views.plain import plain
from catchment.views.public import admit, limit_of
from catchment.views.report import footer_lines
from catchment.views.shares import shared_with, stays
from catchment.views.story import NOTICE, Story, notice_of, tell

if TYPE_CHECKING:
    from catchment.views.base_map import BaseMap

FILES = ("notice.docx", "notice.html")


def write_notice(
    run: Run, folder: Path, *, lang: str = "zh", base: BaseMap | None = None
) -> list[Path]:
    """Write ``notice.docx`` and ``notice.html``.

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Folder of the run.
    lang : {"zh", "en"}
        Language.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under both maps.

    Returns
    -------
    list of Path
        The two files; each written whole or not at all, the same bytes for the same run.

    Raises
    ------
    CatchmentError
        When the text holds a student's code or home.
    """
    document = notice_document(run, lang=lang, base=base)
    admit(_read(document), FILES[0], run.region, limit=limit_of(run))
    return [
        write_bytes(folder / FILES[0], docx_bytes(document)),
        write_bytes(folder / FILES[1], html_bytes(document)),
    ]


def notice_document(run: Run, *, lang: str = "zh", base: BaseMap | None = None) -> Document:
    """Build the content of the sheet.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"zh", "en"}
        Language.
    base : BaseMap, optional
        The user's own base map, in the county's metric system.

    Returns
    -------
    Document
        What both files show.
    """
    story = tell(run, lang, base=base)
    facts, county = story.facts, plain(run.region.name, longest=60)
    title = story.say("post.title", county=county)
    told = notice_of(run)
    blocks: list[Block] = [
        Heading(title, level=0),
        Paragraph(
            story.say("report.kicker", name=plain(run.name, longest=120), first=facts.first,
                      last=facts.last),
            "kicker",
        ),
    ]  # fmt: skip
    if run.region.note:
        note = story.say("report.note", note=story.half(plain(run.region.note, longest=300)))
        blocks.append(Paragraph(note, "warning"))
    blocks.append(Paragraph(story.say("deck.draft"), "center"))
    today, then = (
        Picture(
            charts.county_map(run, facts, lang=lang, plan=plan, base=base),
            story.say("overview.map_alt"), text, wide,
        )
        for plan, text, wide in (
            ("today", story.say("deck.map_today", year=facts.first), 104.0),
            ("plan", story.say("post.map", year=facts.focus), 166.0),
        )
    )  # fmt: skip
    blank = story.say("deck.blank")
    blocks += [
        # Read from a step away: what is proposed first, as wide as the sheet.
        then,
        _changes(story),
        Paragraph(story.moving()),
        Paragraph(story.say("deck.timetable_note"), "note"),
        today,
        Heading(story.say("post.respond"), 1),
        Paragraph(story.say("deck.respond_text")),
        *(Paragraph(story.say(f"deck.{key}", value=told.get(key) or blank)) for key in NOTICE),
        Paragraph(story.say("deck.respond_where")),
    ]
    return Document(
        title=title,
        lang=lang,
        blocks=tuple(blocks),
        footer=tuple(t for t in (*footer_lines(story), origin(run)["sources"][lang]) if t),
        page_words=(story.say("foot.page1"), story.say("foot.page2"), story.say("foot.page3")),
        year=facts.first,
        author=story.say("report.author", county=county),
        compact=True,
    )


def _changes(story: Story) -> Table:
    """List what is built, changed and closed by year; who receives, but not how many move."""
    columns = (
        Column(story.say("year"), 0.8, "center"), Column(story.say("col.action"), 1.1, "center"),
        Column(story.say("school"), 2.2), Column(story.say("col.change"), 2.4),
        Column(story.say("col.receivers"), 2.4),
    )  # fmt: skip
    called = story.distinct()
    rows = tuple(
        (
            str(row["year"]), story.name("change", row["kind"]),
            called.get(row["site_id"], row["site"]), actions.change_text(story, row),
            story.schools(" ".join(receivers_told(story.run, row))) or "—",
        )
        for row in rows_of(actions.listed_changes(story))
    )  # fmt: skip
    return Table(columns, rows, story.say("bk.actions"), story.say("deck.no_change"))


def receivers_told(run: Run, change: Mapping[str, Any]) -> list[str]:
    """Schools to which village-bands go from a school that changes, whether or not anybody moves.

    Only where children move would tell, beside the parents' page, which villages have none; most
    first would tell which have many.

    Parameters
    ----------
    run : Run
        A finished run.
    change : mapping
        ``site_id`` and ``year`` of a row of the changes.

    Returns
    -------
    list of str
        Codes in the order of the problem.
    """
    problem, plan = run.problem, run.plan
    if change["kind"] in ("keep", "road") or change["site_id"] not in problem.site_ids:
        return []
    j, t = problem.site_ids.index(change["site_id"]), problem.years.index(int(change["year"]))
    before = run.today.site_of[:, :1] if t == 0 else plan.site_of[:, t - 1 : t]
    shared, keeps = shared_with(plan), stays(plan)
    found: set[int] = set()
    for i, now in enumerate(plan.site_of[:, t].tolist()):
        band = int(problem.group_band[i])
        here = bool((before[i] == j).any()) and now != j
        if not plan.open[j, band, t]:
            # Whoever shared the school, or kept it when the village had left, must go now.
            grades = int((problem.grade_band == band).sum())
            past = {int(run.today.site_of[i, 0]) if t < grades else -1}
            past |= set(plan.site_of[i, max(0, t - grades) : t].tolist())
            here |= j in shared.get(i, ()) or (keeps and j in past)
        if here:
            found |= {int(now), *shared.get(i, ())}
    return [problem.site_ids[k] for k in sorted(found - {j, -1}) if plan.open[k, :, t].any()]


def _read(document: Document) -> str:
    """Everything that can be read on the sheet."""
    words = [document.title, document.author, *document.footer]
    for block in document.blocks:
        if isinstance(block, Heading | Paragraph):
            words.append(block.text)
        elif isinstance(block, Picture):
            words += [block.alt, block.caption]
        elif isinstance(block, Table):
            words += [block.caption, *(cell for row in block.rows for cell in row)]
    return " ".join(words)
