"""The report for township and county offices: DOCX and HTML from one content."""

from __future__ import annotations

from pathlib import Path

from catchment.region.model import Source
from catchment.run import Run
from catchment.views import townships
from catchment.views.base_map import BaseMap
from catchment.views.chapters import (
    actions,
    figures,
    findings,
    gate,
    large_classes,
    methods,
    overview,
)
from catchment.views.document import Block, Column, Document, Heading, Paragraph, Table, Tone
from catchment.views.docx_writer import docx_bytes
from catchment.views.facts import WORSE_MINUTES, rows_of, worse
from catchment.views.files import write_bytes
from catchment.views.html_writer import html_bytes
from catchment.views.plain import decimal, plain, whole
from catchment.views.story import RESULTS, Story, digest_of, rules_of, standing, tell

ACTION_KINDS = ("close", "downgrade", "build", "reopen", "expand", "extend")


def write_report(
    run: Run, folder: Path, *, lang: str = "zh", base: BaseMap | None = None
) -> list[Path]:
    """Write ``report.docx`` and ``report.html``.

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Folder of the run.
    lang : {"zh", "en"}
        Language.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    list of Path
        The two files. Each is written whole or not at all; the same run gives the same bytes.
    """
    document = report_document(run, lang=lang, base=base)
    return [
        write_bytes(folder / "report.docx", docx_bytes(document)),
        write_bytes(folder / "report.html", html_bytes(document)),
    ]


def report_document(
    run: Run, *, lang: str = "zh", pictures: bool = True, base: BaseMap | None = None
) -> Document:
    """Build the content of the report.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"zh", "en"}
        Language.
    pictures : bool
        Whether maps and charts are drawn.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under the maps.

    Returns
    -------
    Document
        What both files show.
    """
    story = tell(run, lang, base=base)
    blocks: list[Block] = [*_front(story), *_summary(story), *_basis(story)]
    blocks += findings.chapter(story)
    blocks += actions.chapter(story)
    blocks += overview.chapter(story, pictures=pictures)
    blocks += townships.sections(story, pictures=pictures)
    blocks += large_classes.chapter(story)
    blocks += gate.chapter(story)
    blocks += methods.rules_chapter(story)
    blocks += methods.chapter(story)
    blocks += stamp_page(story)
    return Document(
        title=story.say("report.title", county=plain(run.region.name, longest=60)),
        lang=lang,
        blocks=tuple(blocks),
        footer=footer_lines(story),
        page_words=(story.say("foot.page1"), story.say("foot.page2"), story.say("foot.page3")),
        year=story.facts.first,
        author=story.say("report.author", county=plain(run.region.name, longest=60)),
    )


def footer_lines(story: Story) -> tuple[str, ...]:
    """Lines at the foot of every page: internal, and what identifies the run.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    tuple of str
        Two lines.
    """
    run = story.run
    return (
        standing(story),
        story.say(
            "foot.print",
            digest=digest_of(run),
            seed=plain(run.provenance.get("seed", run.plan.seed), longest=20),
            rules=rules_of(run),
            crs=plain(run.region.crs.to_string(), longest=40),
            version=plain(run.provenance.get("catchment"), longest=20) or "catchment",
        ),
    )


def _front(story: Story) -> list[Block]:
    run = story.run
    span = {"first": story.facts.first, "last": story.facts.last}
    blocks: list[Block] = [
        Heading(story.say("report.title", county=plain(run.region.name, longest=60)), level=0),
        Paragraph(story.say("report.kicker", name=plain(run.name, longest=120), **span), "kicker"),
    ]
    if run.region.note:
        blocks.append(
            Paragraph(
                story.say("report.note", note=story.half(plain(run.region.note, longest=300))),
                "warning",
            )
        )
    return blocks


def _summary(story: Story) -> list[Block]:
    focus = story.facts.focus
    items = _decision_items(story)
    if items:
        between = "；" if story.lang == "zh" else "; "
        decision = story.say("sum.decision", items=between.join(items))
    elif (story.run.plan.site_of != story.run.today.site_of).any():
        decision = story.say(
            "sum.reassign",
            method=story.name("method", story.run.plan.method),
            moved=whole(story.county("moved_students", focus, "plan")),
            year=focus,
        )
    else:
        decision = story.say("sum.nothing")
    travel = story.say(
        "sum.time",
        year=focus,
        plan=decimal(story.county("minutes_mean", focus, "plan")),
        same=decimal(story.county("minutes_mean", focus, "today")),
        plan_over=whole(story.county("over_limit_students", focus, "plan")),
        same_over=whole(story.county("over_limit_students", focus, "today")),
        unserved=whole(story.county("unserved", focus, "plan")),
    )
    blocks: list[Block] = [
        Heading(story.say("ch.summary"), 1),
        Paragraph(decision),
        figures.figures_table(story, figures.SUMMARY_FIGURES),
        Paragraph(travel + _worse_sentence(story)),
    ]
    sites = gate.closing(story)
    if len(sites):
        tally = gate.tally(story)
        schools = len(set(sites["site_id"]))
        text = story.say("sum.gate", schools=schools, **{k: tally[k] for k in RESULTS})
        blocks.append(Paragraph(text))
    return blocks


def _worse_sentence(story: Story) -> str:
    table = worse(story.run, story.facts)
    told = {"minutes": round(WORSE_MINUTES), "first": story.facts.first}
    if table.empty:
        return story.say("sum.no_worse", **told)
    return story.say("sum.worse", villages=table["village_id"].nunique(), **told)


def _decision_items(story: Story) -> list[str]:
    items = []
    changes, called = actions.listed_changes(story), story.distinct()
    for kind in ACTION_KINDS:
        rows = changes[changes["kind"] == kind]
        # Schools are counted, not names: many a township has its own of the same name.
        told = {r["site_id"]: called.get(r["site_id"], r["site"]) for r in rows_of(rows)}
        names = list(told.values())
        if names:
            items.append(
                story.say(f"sum.{kind}", count=len(names), names=story.list_of(names, most=2))
            )
    return items


def _basis(story: Story) -> list[Block]:
    run = story.run
    blocks: list[Block] = [
        Heading(story.say("ch.basis"), 1, new_page=True),
        Paragraph(story.say("internal_report"), "note"),
        Paragraph(story.say("basis.intro")),
    ]
    blocks += [_sources(story), Paragraph(_estimates(story)), _conservation(story)]
    if len(run.region.rejected):
        blocks.append(Paragraph(story.say("basis.rejected", rows=len(run.region.rejected)), "note"))
    snaps = run.times.snaps
    if "beyond_limit" in snaps.columns:
        beyond = int(snaps["beyond_limit"].astype(bool).sum())
        if beyond:
            blocks.append(Paragraph(story.say("basis.snaps", points=beyond), "note"))
    return blocks


def _sources(story: Story) -> Table:
    columns = (
        Column(story.say("col.layer"), 1.4),
        Column(story.say("col.file"), 2.2),
        Column(story.say("col.rows"), 0.9, "right"),
        Column(story.say("col.crs"), 1.2),
        Column(story.say("col.digest"), 2.0),
        Column(story.say("col.notes"), 2.6),
    )
    rows = tuple(
        (
            story.name("layer", plain(s.layer, longest=40)), plain(s.file, longest=80), whole(s.rows), plain(s.crs, longest=30) or "—",
            plain(s.sha256)[:16], plain(story.parts([story.half(n) for n in s.notes]), longest=160) or "—",
        )
        for s in run_sources(story.run)
    )  # fmt: skip
    return Table(columns, rows, story.say("basis.sources"), story.say("basis.sources_empty"))


def run_sources(run: Run) -> list[Source]:
    """List the sources of a run in order of layer and file.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    list of Source
        Sorted.
    """
    return sorted(run.region.sources, key=lambda s: (s.layer, s.file))


def _estimates(story: Story) -> str:
    flags = story.run.problem.estimated
    schools = int(story.facts.sites["estimated"].astype(bool).sum())
    if not flags.any() and not schools:
        return story.say("basis.no_estimates")
    years = [
        story.say("basis.year_villages", year=year, villages=int(count))
        for year, count in zip(story.run.problem.years, flags.sum(axis=0), strict=True)
    ]
    existing = story.facts.sites["kind"] != "candidate"
    return story.say(
        "basis.estimates",
        years=story.list_of(years),
        all_villages=len(story.facts.villages),
        schools=schools,
        all_schools=int(existing.sum()),
    )


def _conservation(story: Story) -> Table:
    table = story.run.conservation
    names = ("year", "students_in", "served", "unserved", "rejected")
    columns = (
        Column(story.say("year"), 1.0, "center"),
        *(
            Column(story.say(f"col.{key}"), 1.2, "right")
            for key in ("in", "served", "unserved", "rejected")
        ),
        Column(story.say("col.check"), 1.0, "center"),
    )
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    if set(names) <= set(table.columns):
        for row in table[list(names)].itertuples(index=False):
            parts = [int(value) for value in row]
            even = parts[1] == parts[2] + parts[3] + parts[4]
            verdict = story.say("basis.balanced" if even else "basis.unbalanced")
            rows.append((str(parts[0]), *(whole(p) for p in parts[1:]), verdict))
            tones.append("" if even else "bad")
    return Table(
        columns, tuple(rows), story.say("basis.conservation"),
        story.say("basis.conservation_empty"), tuple(tones),
    )  # fmt: skip


def stamp_page(story: Story, names: list[str] | None = None) -> list[Block]:
    """Build the page on which townships and offices give their opinion.

    Parameters
    ----------
    story : Story
        The run.
    names : list of str, optional
        Townships that sign; all when left out.

    Returns
    -------
    list of Block
        The page.
    """
    county = plain(story.run.region.name, longest=60)
    signing = townships.names(story) if names is None else names
    columns = (
        Column(story.say("stamp.unit"), 1.6),
        Column(story.say("stamp.opinion"), 3.2),
        Column(story.say("stamp.signature"), 1.2),
        Column(story.say("stamp.seal"), 1.2),
        Column(story.say("stamp.date"), 1.4),
    )
    units = [*signing, story.say("stamp.office", county=county),
             story.say("stamp.county", county=county)]  # fmt: skip
    blank = story.say("stamp.date_line")
    rows = tuple((plain(unit), "", "", "", blank) for unit in units)
    return [
        Heading(story.say("ch.stamp"), 1, new_page=True),
        Paragraph(story.say("sum.sign")),
        Paragraph(story.say("stamp.intro")),
        Table(columns, rows, tall=True),
        Paragraph(story.say("stamp.note"), "note"),
    ]
