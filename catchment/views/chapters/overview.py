"""The county as a whole: map, charts, figures, schools."""

from __future__ import annotations

from catchment.views import charts
from catchment.views.chapters.figures import MAIN_FIGURES, YEAR_FIGURES, figures_table, some_years
from catchment.views.chapters.reasons import full_table
from catchment.views.document import Block, Column, Heading, Picture, Table, Tone
from catchment.views.facts import (
    figure,
    indicator_name,
    indicator_unit,
)
from catchment.views.plain import decimal, whole
from catchment.views.story import Story


def chapter(story: Story, *, pictures: bool) -> list[Block]:
    """Show the county as a whole: map, charts, the tables behind them, the list of schools.

    Parameters
    ----------
    story : Story
        The run.
    pictures : bool
        Whether pictures are drawn.

    Returns
    -------
    list of Block
        The chapter.
    """
    run, facts, focus = story.run, story.facts, story.facts.focus
    blocks: list[Block] = [Heading(story.say("ch.overview"), 1, new_page=True)]
    if pictures:
        band = story.band(run.problem.bands[0]) if run.problem.bands else ""
        blocks += [
            Picture(
                charts.county_map(run, facts, lang=story.lang, base=story.base), story.say("overview.map_alt"),
                story.say("overview.map", year=focus, band=band),
            ),
            Picture(
                charts.minutes_chart(run, facts, lang=story.lang),
                story.say("overview.minutes", year=focus), story.say("overview.minutes", year=focus),
            ),
        ]  # fmt: skip
        if len(run.problem.years) > 1:
            text = story.say("overview.years")
            blocks.append(Picture(charts.years_chart(run, facts, lang=story.lang), text, text))
    blocks += [figures_table(story, MAIN_FIGURES), _years_table(story), _schools_table(story)]
    blocks += full_table(story)
    return blocks


def _years_table(story: Story) -> Table:
    years = some_years(story, 7)
    columns = (
        Column(story.say("col.indicator"), 3.0),
        *(Column(str(year), 1.0, "right") for year in years),
    )
    rows = []
    for code in YEAR_FIGURES:
        values = [story.county(code, year, "plan") for year in years]
        if all(value is None for value in values):
            continue
        show = decimal if indicator_unit(code) == "min" else whole
        rows.append((indicator_name(code, story.lang), *(show(value) for value in values)))
    return Table(
        columns, tuple(rows), story.say("overview.years_table"), story.say("sum.figures_empty")
    )


def _schools_table(story: Story) -> Table:
    facts, run = story.facts, story.run
    states = charts.site_states(run, facts)
    columns = (
        Column(story.say("township"), 1.1),
        Column(story.say("school"), 2.2),
        Column(story.say("col.kind"), 2.1),
        Column(story.say("col.state"), 1.4),
        Column(story.say("x.students_first", year=facts.first), 1.1, "right"),
        Column(story.say("x.students_last", year=facts.focus), 1.1, "right"),
        Column(story.say("x.classes_last", year=facts.focus), 1.1, "right"),
        Column(story.say("x.places_last", year=facts.focus), 1.1, "right"),
    )
    rows: list[tuple[str, ...]] = []
    tones: list[Tone] = []
    table = facts.sites[facts.sites["site_id"].isin(states)]
    for row in table.sort_values(["township", "site_id"], kind="stable").to_dict("records"):
        code, state = row["site_id"], states[row["site_id"]]
        rows.append(
            (
                row["township"], row["name"] + ("※" if row["estimated"] else ""),
                story.name("role", row["role"]), state_text(story, state),
                whole(site_total(story, code, facts.first, "today", "students")),
                whole(site_total(story, code, facts.focus, "plan", "students")),
                whole(site_total(story, code, facts.focus, "plan", "classes")),
                whole(figure(facts, "places", facts.focus, "plan", scope="site", key=code) or 0),
            )
        )  # fmt: skip
        tones.append("warn" if state in ("close", "downgrade") else "")
    caption = story.say("overview.schools", year=facts.focus)
    return Table(columns, tuple(rows), caption, story.say("none"), tuple(tones))


def state_text(story: Story, state: str) -> str:
    """Words for the state of a site under the plan.

    Parameters
    ----------
    story : Story
        The run.
    state : str
        A state of ``charts.site_states``, ``candidate`` or ``closed``.

    Returns
    -------
    str
        What becomes of it.
    """
    if state in ("kept", "central", "existing"):
        return story.say("change.keep")
    known = story.name("change", state)
    return story.name("state", state) if known == state else known


def site_total(story: Story, code: str, year: int, plan: str, what: str) -> int:
    """Students or classes of a site in a year.

    Parameters
    ----------
    story : Story
        The run.
    code : str
        Id of the site.
    year : int
        School year.
    plan : {"today", "plan"}
        Which arrangement.
    what : {"students", "classes"}
        What is counted.

    Returns
    -------
    int
        The sum over grades.
    """
    table = story.facts.classes
    chosen = (table["site_id"] == code) & (table["year"] == year) & (table["plan"] == plan)
    return int(table.loc[chosen, what].sum())
