"""Rules used, and methods in brief."""

from __future__ import annotations

from catchment.views.document import Block, Column, Heading, Paragraph, Table, Tone
from catchment.views.plain import plain, whole
from catchment.views.story import Story


def rules_chapter(story: Story) -> list[Block]:
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


def chapter(story: Story) -> list[Block]:
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
