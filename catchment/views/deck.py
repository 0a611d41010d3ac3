"""Ten plain slides for the hearing: what is proposed, for whom it gets worse, what stays open."""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pptx
from pptx.dml.color import RGBColor
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Inches, Pt

from catchment.errors import InputError
from catchment.run import Run
from catchment.views import charts
from catchment.views.base_map import BaseMap
from catchment.views.chapters import actions, findings, gate
from catchment.views.chapters.figures import shown, with_unit
from catchment.views.facts import (
    WORSE_MINUTES,
    indicator_name,
    indicator_unit,
    rows_of,
    text_column,
    worse,
)
from catchment.views.files import steady_zip, write_bytes
from catchment.views.plain import decimal, plain, whole
from catchment.views.public import FEWER, WITHHELD, admit, limit_of
from catchment.views.story import (
    NOTICE,
    RESULTS,
    Story,
    digest_of,
    notice_of,
    open_findings,
    origin_of,
    standing,
    tell,
)
from catchment.views.sums import Known, known_of, listed, mean_places, told_sum

FONT = "微软雅黑"
LATIN_FONT = "Microsoft YaHei"
SIZE = (13.333, 7.5)
"""Width and height of a slide in inches."""

_WHY = ("students", "small_schools", "large_classes", "place_shortfall", "over_limit_students")
_TODAY = (
    "students", "schools_open", "teaching_points", "small_schools", "minutes_mean",
    "over_limit_students", "large_classes", "place_shortfall",
)  # fmt: skip
_PLAN = (
    "students", "unserved", "schools_open", "teaching_points", "minutes_mean", "minutes_max",
    "over_limit_students", "worsened_students", "bus_riders", "large_classes", "place_shortfall",
)  # fmt: skip
_WORKS = ("build", "reopen", "expand", "extend", "road")
_INK, _BLUE, _RED, _HEAD, _BAND = (
    RGBColor.from_string(colour)  # type: ignore[no-untyped-call]
    for colour in ("1A1A1A", "0B3C6F", "9C1C10", "D9E2EC", "F7F9FB")
)
_NAMES = {"minutes_max": "deck.longest", "small_schools": "deck.small"}
"""Figures that the public reads under a plainer name than their own."""
_TOP, _BOTTOM, _LEFT = 1.35, 6.75, 0.6
_WIDE = SIZE[0] - 2 * _LEFT


@dataclass(frozen=True)
class _Grid:
    """A table of a slide: headings, widths in inches, rows, and columns set to the right."""

    heads: tuple[str, ...]
    widths: tuple[float, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()


def write_deck(
    run: Run,
    path: Path,
    *,
    lang: str = "zh",
    notice: Mapping[str, str] | None = None,
    base: BaseMap | None = None,
) -> Path:
    """Write the slides of the hearing.

    Parameters
    ----------
    run : Run
        A finished run.
    path : Path
        The ``.pptx`` file.
    lang : {"zh", "en"}
        Language.
    notice : mapping, optional
        How to respond: ``place``, ``contact``, ``phone``, ``until``; a line to fill in where left
        out.
    base : BaseMap, optional
        The user's own base map, in the county's metric system, under both maps.

    Returns
    -------
    Path
        ``path``; written whole or not at all, the same bytes for the same run.
    """
    return write_bytes(path, deck_bytes(run, lang=lang, notice=notice, base=base))


def deck_bytes(
    run: Run,
    *,
    lang: str = "zh",
    notice: Mapping[str, str] | None = None,
    base: BaseMap | None = None,
) -> bytes:
    """Make the slides of the hearing.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"zh", "en"}
        Language.
    notice : mapping, optional
        How to respond.
    base : BaseMap, optional
        The user's own base map under both maps.

    Returns
    -------
    bytes
        A ``.pptx`` file of ten slides. Fonts are named, never embedded.

    Raises
    ------
    InputError
        When the language or a key of the notice is unknown.
    """
    given = notice_of(run) if notice is None else notice
    given = {key: plain(value, longest=120) for key, value in given.items()}
    unknown = sorted(set(given) - set(NOTICE))
    if unknown:
        raise InputError(
            f"公告中有不认识的项 {unknown}；可用 {list(NOTICE)} / unknown part of the notice"
        )
    story = tell(run, lang)
    known = known_of(story)
    deck = pptx.Presentation()
    deck.slide_width, deck.slide_height = Inches(SIZE[0]), Inches(SIZE[1])
    _front(deck, story)
    _why(deck, story, known)
    _today(deck, story, known, base)
    _proposal(deck, story, known)
    _map(deck, story, base)
    _first(deck, story)
    _longer(deck, story)
    _open(deck, story)
    _timetable(deck, story, known)
    _respond(deck, story, given)
    _properties(deck, story)
    admit(_text(deck), "deck.pptx", run.region, counts=_told(deck, story), limit=limit_of(run))
    out = io.BytesIO()
    deck.save(out)
    return steady_zip(out.getvalue())


def fewest(run: Run) -> int:
    """Tell below which number sums of students are not shown: the slides are seen by the public.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    int
        Twice the privacy limit.
    """
    return 2 * limit_of(run)


def _text(deck: Any) -> str:
    """Everything that can be read in the finished slides: text, descriptions of pictures, title."""
    words = [mark.text or "" for s in deck.slides for mark in s._element.iter(qn("a:t"))]
    words += [m.get("descr") or "" for s in deck.slides for m in s._element.iter(qn("p:cNvPr"))]
    facts = deck.core_properties
    return " ".join([*words, facts.title, facts.author])


def _told(deck: Any, story: Story) -> list[int]:
    """Read the counts of students back from the tables of the finished slides."""
    unit, moved = story.name("unit", "students"), story.say("deck.students_moved")
    found: list[str] = []
    for shape in (shape for slide in deck.slides for shape in slide.shapes if shape.has_table):
        rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
        for row in rows[1:]:
            if row[0].endswith((f"（{unit}）", f"({unit})")) or row[0].lower() == unit:
                found += row[1:]
            found += [cell for head, cell in zip(rows[0], row, strict=True) if head == moved]
    numbers = [text.replace(",", "") for text in found]
    # Nobody at all in the whole county is no small cell.
    return [int(text) for text in numbers if text.isdigit() and int(text)]


def _front(deck: Any, story: Story) -> None:
    county = plain(story.run.region.name, longest=60)
    slide = _slide(deck, story, story.say("deck.title", county=county), top=2.2, size=38)
    lines = [
        story.say("deck.plan_name", name=plain(story.run.name, longest=120)),
        story.say("years_span", first=story.facts.first, last=story.facts.last),
    ]
    if story.run.region.note:
        lines.append(story.half(plain(story.run.region.note, longest=300)))
    lines += [story.say("deck.draft"), story.say("deck.rounded", limit=fewest(story.run))]
    _bullets(slide, story, lines, top=3.9, mark="", size=22)


def _why(deck: Any, story: Story, known: Known) -> None:
    first, last = story.facts.first, story.facts.last
    slide = _slide(deck, story, story.say("deck.why"))
    heads = (
        story.say("col.indicator"), story.say("col.today_year", year=first),
        story.say("col.same_year", year=last),
    )  # fmt: skip
    rows = _figures(story, known, _WHY, ((first, "today"), (last, "today")))
    _table(slide, story, _Grid(heads, (5.6, 2.6, 2.6), rows, (1, 2)), size=14, least=11)
    picture = charts.years_chart(story.run, story.facts, lang=story.lang, plan="today")
    note = story.say("deck.why_end")
    _picture(slide, story, picture, 2.3, 3.8, 8.2, story.say("overview.years"), note)


def _today(deck: Any, story: Story, known: Known, base: BaseMap | None) -> None:
    first = story.facts.first
    slide = _slide(deck, story, story.say("deck.today", year=first))
    picture = charts.county_map(story.run, story.facts, lang=story.lang, plan="today", base=base)
    _picture(
        slide, story, picture, _LEFT, _TOP, 6.4, story.say("overview.map_alt"),
        story.say("deck.map_today", year=first),
    )  # fmt: skip
    heads = (story.say("col.indicator"), story.say("col.today_year", year=first))
    _table(slide, story, _Grid(heads, (3.3, 2.0), _figures(story, known, _TODAY, ((first, "today"),)), (1,)),
           left=7.35, size=15, least=11)  # fmt: skip


def _proposal(deck: Any, story: Story, known: Known) -> None:
    first, focus = story.facts.first, story.facts.focus
    slide = _slide(deck, story, story.say("deck.proposal"))
    changes, called = actions.listed_changes(story), story.distinct()
    lines = []
    for kind in ("keep", "close", "downgrade", "build", "reopen", "expand", "extend"):
        # Schools are counted, not names: many a township has its own of the same name.
        mine = rows_of(changes[changes["kind"] == kind])
        names = list({r["site_id"]: called.get(r["site_id"], r["site"]) for r in mine}.values())
        if names:
            text = story.say(f"sum.{kind}", count=len(names), names=story.list_of(names, most=4))
            lines.append(text[:1].upper() + text[1:])
    lines = lines or [story.say("deck.no_change")]
    _bullets(slide, story, lines, width=5.7, size=17)
    heads = [story.say("col.indicator"), story.say("col.today_year", year=first)]
    columns = [(first, "today")]
    if focus != first:
        heads.append(story.say("col.same_year", year=focus))
        columns.append((focus, "today"))
    heads.append(story.say("col.plan_year", year=focus))
    columns.append((focus, "plan"))
    widths = (2.5, *(3.8 / len(columns) for _ in columns))
    grid = _Grid(tuple(heads), widths, _figures(story, known, _PLAN, tuple(columns)), (1, 2, 3))
    _table(slide, story, grid, left=6.45, size=12, least=9)


def _map(deck: Any, story: Story, base: BaseMap | None) -> None:
    focus = story.facts.focus
    slide = _slide(deck, story, story.say("deck.map", year=focus))
    picture = charts.county_map(story.run, story.facts, lang=story.lang, base=base)
    _picture(slide, story, picture, _LEFT, _TOP, 6.4, story.say("overview.map_alt"), "")
    states = charts.site_states(story.run, story.facts)
    count: dict[str, int] = {}
    for state in states.values():
        count[state] = count.get(state, 0) + 1
    order = [state for state in charts.STATES if state in count]
    rows = tuple((story.name("state", state), whole(count[state])) for state in order)
    heads = (story.say("col.state"), story.say("deck.schools"))
    _table(slide, story, _Grid(heads, (4.0, 1.3), rows, (1,)), left=7.35, size=15)


def _first(deck: Any, story: Story) -> None:
    slide = _slide(deck, story, story.say("deck.first"))
    changes = actions.listed_changes(story)
    works, called = changes[changes["kind"].isin(_WORKS)], story.distinct()
    rows = tuple(
        (str(row["year"]), story.name("change", row["kind"]), called.get(row["site_id"], row["site"]),
         actions.change_text(story, row))
        for row in rows_of(works)
    )  # fmt: skip
    heads = tuple(story.say(f"{key}") for key in ("year", "col.action", "school", "col.change"))
    _bullets(slide, story, [story.say("act.intro")], size=18, mark="", height=0.7)
    grid = _Grid(heads, (1.2, 1.6, 4.2, _WIDE - 7.0), rows)
    _table(slide, story, grid, top=2.15, size=15, empty=story.say("deck.first_none"))


def _longer(deck: Any, story: Story) -> None:
    slide = _slide(deck, story, story.say("deck.longer"))
    table = worse(story.run, story.facts)
    part = {name: text_column(table, name) for name in ("band", "year", "mode_after")}
    sites, villages = story.distinct(), story.distinct("village")
    rows = tuple(
        (
            villages.get(row["village_id"], row["village"]), story.band(part["band"][k]),
            part["year"][k], sites.get(row["from_site"], row["from_name"]),
            sites.get(row["to_site"], row["to_name"]), decimal(row["minutes_before"]), decimal(row["minutes_after"]),
            story.name("mode", part["mode_after"][k]),
        )
        for k, row in zip(table.index, rows_of(table), strict=True)
    )  # fmt: skip
    told = {"minutes": round(WORSE_MINUTES), "first": story.facts.first}
    lines = [story.say("deck.longer_count", villages=table["village_id"].nunique(), **told)]
    if len(table):
        # Trips are counted, not students: the list is public, and who rides in it would be a sum.
        bus, board = part["mode_after"].str.startswith("bus"), part["mode_after"] == "board"
        lines.append(
            story.say("deck.longer_help", trips=len(table), bus=int(bus.sum()),
                      board=int(board.sum()), others=int((~bus & ~board).sum()))
        )  # fmt: skip
    _bullets(slide, story, lines, size=18, height=1.65)
    heads = tuple(
        story.say(key) for key in ("village", "col.bands", "year", "col.from", "col.to", "col.before",
                                   "col.after", "col.mode")
    )  # fmt: skip
    widths = (1.5, 1.45, 0.85, 2.55, 2.45, 0.95, 0.95, _WIDE - 10.7)
    empty = story.say("town.worse_empty", **told)
    _table(slide, story, _Grid(heads, widths, rows, (5, 6)), top=3.1, size=13, empty=empty)


def _open(deck: Any, story: Story) -> None:
    slide = _slide(deck, story, story.say("deck.open"))
    tally = gate.tally(story)
    sites = gate.closing(story)
    lines = []
    if len(sites):
        schools = len(set(sites["site_id"]))
        lines.append(story.say("sum.gate", schools=schools, **{k: tally[k] for k in RESULTS}))
    lines.append(story.say("deck.open_note", year=story.facts.focus))
    _bullets(slide, story, lines, size=16, height=1.45)
    mine = open_findings(story.findings, story.facts.focus)
    order = {result: k for k, result in enumerate(RESULTS)}
    mine = mine.assign(
        rank=mine["result"].map(order), gravity=mine["severity"].map(findings.SEVERITIES).fillna(4)
    )
    groups = mine.groupby(["rank", "gravity", "code", "title"], sort=True)
    rows = tuple(
        (str(title), story.name("severity", part["severity"].iloc[0]),
         story.name("result", part["result"].iloc[0]), whole(part["id"].nunique()))
        for (_, _, _, title), part in groups
    )  # fmt: skip
    heads = tuple(story.say(k) for k in ("col.title", "col.severity", "col.result", "deck.places"))
    grid = _Grid(heads, (_WIDE - 5.0, 1.9, 1.8, 1.3), rows, (3,))
    _table(slide, story, grid, top=2.9, size=14, empty=story.say("deck.open_none"))


def _timetable(deck: Any, story: Story, known: Known) -> None:
    slide = _slide(deck, story, story.say("deck.timetable"))
    changes, called = actions.listed_changes(story), story.distinct()
    rows = []
    for year, part in changes[changes["kind"] != "keep"].groupby("year", sort=True):
        building = part["kind"].isin(_WORKS)
        closing = part["kind"].isin(["close", "downgrade"])
        cells = []
        for chosen in (part[building], part[closing]):
            texts = [
                f"{story.name('change', r['kind'])} {called.get(r['site_id'], r['site'])}"
                for r in rows_of(chosen)
            ]
            cells.append(story.list_of(list(dict.fromkeys(texts)), most=6) or "—")
        students = float(part.loc[closing, "students"].sum())
        from_here = _movers(story, int(str(year)), set(part.loc[closing, "site_id"]))
        rows.append((str(year), *cells, _told_sum(story, known, students, from_here)))
    lines = [story.say("deck.timetable_note"), story.moving()]
    _bullets(slide, story, lines, size=17, mark="", height=1.45)
    heads = tuple(
        story.say(k) for k in ("year", "deck.built_first", "deck.then", "deck.students_moved")
    )
    grid = _Grid(heads, (1.2, (_WIDE - 2.8) / 2, (_WIDE - 2.8) / 2, 1.6), tuple(rows), (3,))
    _table(slide, story, grid, top=2.9, size=14, least=10, empty=story.say("deck.no_change"))


def _respond(deck: Any, story: Story, given: Mapping[str, str]) -> None:
    slide = _slide(deck, story, story.say("deck.respond"))
    blank = story.say("deck.blank")
    lines = [story.say("deck.respond_text")]
    lines += [story.say(f"deck.{key}", value=given.get(key) or blank) for key in NOTICE]
    lines += [
        story.say("deck.respond_where"),
        story.say("deck.source", digest=digest_of(story.run)),
    ]
    _bullets(slide, story, lines, size=22)


def _movers(story: Story, year: int, sites: set[str]) -> pd.DataFrame:
    """Village-bands of a year that were at some schools a year before and are not any more."""
    trips, years = story.facts.trips, story.run.problem.years
    t = years.index(year)
    old = trips[
        (trips["plan"] == ("plan" if t else "today")) & (trips["year"] == years[max(t - 1, 0)])
    ]
    keys = ["village_id", "band"]
    gone = pd.MultiIndex.from_frame(old.loc[old["site_id"].isin(sites), keys])
    now = trips[(trips["plan"] == "plan") & (trips["year"] == year)]
    there = pd.MultiIndex.from_frame(now[keys]).isin(gone)
    return now[there & ~now["site_id"].isin(sites).to_numpy()]


def _told_sum(story: Story, known: Known, value: float, rows: pd.DataFrame | None) -> str:
    """Show a sum of students as the public may see it: in tens, small numbers not at all."""
    told = told_sum(story, known, value, rows)
    if told == WITHHELD:
        return story.say("deck.withheld")
    return story.say("deck.fewer", limit=fewest(story.run)) if told == FEWER else whole(told)


def _public(story: Story, known: Known, code: str, year: int, plan: str) -> str:
    """Show a figure as the public may see it."""
    value = story.county(code, year, plan)
    trips = story.facts.trips
    farthest = float(trips[(trips["plan"] == plan) & (trips["year"] == year)]["minutes"].max())
    if code == "minutes_max" and value is not None:
        # The longest trip of any student would tell that villages farther off have none.
        value = farthest
    if code == "minutes_mean" and value is not None:
        served = story.county("served", year, plan) or 0.0
        places = mean_places(served, farthest, limit_of(story.run))
        return story.say("deck.withheld") if places is None else decimal(value, places)
    if value is not None and (indicator_unit(code) == "students" or code == "place_shortfall"):
        return _told_sum(story, known, value, listed(story, code, year, plan))
    text, unit = shown(code, value, story.lang)
    return text + ("%" if unit == "%" and not text.endswith("%") else "")


def _figures(
    story: Story, known: Known, codes: Sequence[str], columns: tuple[tuple[int, str], ...]
) -> tuple[tuple[str, ...], ...]:
    rows = []
    for code in codes:
        values = [story.county(code, year, plan) for year, plan in columns]
        if all(value is None for value in values):
            continue
        unit = shown(code, values[0], story.lang)[1]
        # Of the public nobody knows that teaching points count among small schools but not among schools.
        name = story.say(_NAMES[code]) if code in _NAMES else ""
        name = with_unit(name or indicator_name(code, story.lang), unit, story.lang)
        rows.append((name, *(_public(story, known, code, year, plan) for year, plan in columns)))
    return tuple(rows)


def _slide(deck: Any, story: Story, title: str, *, top: float = 0.35, size: float = 30) -> Any:
    """Add a slide with its title, the internal note, the digest and the number of the page."""
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    head = slide.shapes.title
    head.left, head.top = Inches(_LEFT), Inches(top)
    head.width, head.height = Inches(_WIDE), Inches(1.3 if size > 30 else 0.8)
    frame = head.text_frame
    frame.word_wrap = True
    frame.vertical_anchor = MSO_ANCHOR.MIDDLE
    _write(frame.paragraphs[0], title, size, story.lang, bold=True, colour=_BLUE)
    frame.paragraphs[0].alignment = PP_ALIGN.CENTER if size > 30 else PP_ALIGN.LEFT
    foot = slide.shapes.add_textbox(Inches(_LEFT), Inches(7.02), Inches(_WIDE), Inches(0.35))
    foot.name = "footer"
    text = story.say(
        "deck.foot", internal=standing(story), digest=digest_of(story.run),
        page=len(deck.slides),
    )  # fmt: skip
    _write(foot.text_frame.paragraphs[0], text, 10, story.lang, colour=_RED)
    return slide


def _bullets(
    slide: Any,
    story: Story,
    lines: Sequence[str],
    *,
    left: float = _LEFT,
    top: float = _TOP,
    width: float = _WIDE,
    height: float = 0.0,
    size: float = 20,
    mark: str = "• ",
) -> None:
    """Write lines, smaller where they would not fit."""
    height = height or _BOTTOM - top
    while size > 10 and _height(lines, width - 0.2, size) > height:
        size -= 1
    box = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height))
    frame = box.text_frame
    frame.word_wrap = True
    for number, line in enumerate(lines):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.space_after = Pt(size * 0.4)
        _write(paragraph, mark + line, size, story.lang)


def _height(lines: Sequence[str], width: float, size: float) -> float:
    """Inches that lines take, wide characters counted twice."""
    return sum(_lines(line, width, size) * size * 1.35 + size * 0.4 for line in lines) / 72


def _lines(text: str, width: float, size: float) -> int:
    units = sum(1.0 if ord(c) > 0x2E7F else 0.62 for c in text)
    return max(1, math.ceil(units * size / 72 / max(width, 0.3)))


def _table(
    slide: Any,
    story: Story,
    grid: _Grid,
    *,
    left: float = _LEFT,
    top: float = _TOP,
    size: float = 14,
    least: float = 0,
    empty: str = "",
) -> None:
    """Draw as many rows as fit, smaller down to ``least`` points, and say how many are left out."""
    if not grid.rows:
        _bullets(slide, story, [empty or story.say("sum.figures_empty")], left=left, top=top,
                 width=sum(grid.widths), mark="")  # fmt: skip
        return
    tall = _heights(grid, size)
    while least and size > least and sum(tall) > _BOTTOM - top:
        size -= 1
        tall = _heights(grid, size)
    room, shown_rows = _BOTTOM - top - tall[0], 0
    for height in tall[1:]:
        if room - height < (0.35 if shown_rows + 1 < len(grid.rows) else 0.0):
            break
        room, shown_rows = room - height, shown_rows + 1
    shape = slide.shapes.add_table(
        shown_rows + 1, len(grid.heads), Inches(left), Inches(top), Inches(sum(grid.widths)),
        Inches(sum(tall[: shown_rows + 1])),
    )  # fmt: skip
    table = shape.table
    for column, width in zip(table.columns, grid.widths, strict=True):
        column.width = Inches(width)
    for number, (row, texts) in enumerate(
        zip(table.rows, (grid.heads, *grid.rows[:shown_rows]), strict=True)
    ):
        row.height = Inches(tall[number])
        for position, text in enumerate(texts):
            cell = table.cell(number, position)
            cell.margin_left = cell.margin_right = Inches(0.08)
            cell.margin_top = cell.margin_bottom = Inches(0.03)
            cell.vertical_anchor = MSO_ANCHOR.MIDDLE
            cell.fill.solid()
            cell.fill.fore_color.rgb = _HEAD if number == 0 else _BAND
            paragraph = cell.text_frame.paragraphs[0]
            _write(paragraph, text, size, story.lang, bold=number == 0)
            if position in grid.right:
                paragraph.alignment = PP_ALIGN.RIGHT
    left_out = len(grid.rows) - shown_rows
    if left_out:
        _bullets(slide, story, [story.say("deck.more", count=left_out)], left=left,
                 top=top + sum(tall[: shown_rows + 1]) + 0.02, width=sum(grid.widths), height=0.35,
                 size=13, mark="")  # fmt: skip


def _heights(grid: _Grid, size: float) -> list[float]:
    """Inches that the rows of a table take, its heading first."""
    return [
        max(_lines(text, width - 0.16, size) for text, width in zip(row, grid.widths, strict=True))
        * size * 1.4 / 72 + 0.1
        for row in (grid.heads, *grid.rows)
    ]  # fmt: skip


def _picture(
    slide: Any, story: Story, png: bytes, left: float, top: float, width: float, alt: str,
    caption: str,
) -> None:  # fmt: skip
    picture = slide.shapes.add_picture(io.BytesIO(png), Inches(left), Inches(top), Inches(width))
    picture._element.nvPicPr.cNvPr.set("descr", plain(alt))
    if caption:
        under = top + picture.height / 914400 + 0.02
        box = slide.shapes.add_textbox(Inches(left), Inches(under), Inches(width), Inches(0.35))
        box.text_frame.word_wrap = True
        _write(box.text_frame.paragraphs[0], caption, 12, story.lang)
        box.text_frame.paragraphs[0].alignment = PP_ALIGN.CENTER


def _write(
    paragraph: Any, text: str, size: float, lang: str, *, bold: bool = False, colour: Any = _INK
) -> None:
    """Write text in a font that is named for Chinese too: without ``ea`` the theme's own wins."""
    run = paragraph.add_run()
    run.text = plain(text, longest=600)
    font = run.font
    font.size, font.bold, font.name = Pt(size), bold, LATIN_FONT
    font.color.rgb = colour
    properties = run._r.get_or_add_rPr()
    properties.set("lang", "zh-CN" if lang == "zh" else "en-US")
    latin = properties.find(qn("a:latin"))
    for tag in ("a:cs", "a:ea"):
        mark = properties.makeelement(qn(tag), {"typeface": FONT})
        latin.addnext(mark)


def _properties(deck: Any, story: Story) -> None:
    county = plain(story.run.region.name, longest=60)
    facts = deck.core_properties
    facts.title = story.say("deck.title", county=county)
    facts.author = facts.last_modified_by = story.say("report.author", county=county)
    facts.created = facts.modified = dt.datetime(story.facts.first, 9, 1)  # noqa: DTZ001 - no zone in the format
    facts.language = "zh-CN" if story.lang == "zh" else "en"
    facts.keywords = origin_of(story.run)[:255]
    facts.revision = 1
