"""The ledger workbook of a run.

Every text is stored as text: the writer's guesses at formulas and addresses are switched off.
Rows bear stable codes, so that a workbook edited by people can be matched when it is read back.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import xlsxwriter

from catchment.files import TEXT_STAYS_TEXT
from catchment.run import Run
from catchment.views import charts
from catchment.views.chapters import actions, large_classes, overview
from catchment.views.facts import WORSE_MINUTES, figure, rows_of, shown_growth, text_column
from catchment.views.files import steady_zip, write_bytes
from catchment.views.needs_sheets import guessed_schools, needs_sheets
from catchment.views.plain import plain
from catchment.views.shares import whole
from catchment.views.sheet import Field, Sheet
from catchment.views.story import Story, digest_of, origin_of, rules_of, standing, tell

LONGEST_CELL = 2000
_LOOKED_AT, _WIDEST_WORD = 200, 20.0
WAYS = ("free_room", "teacher", "neighbour", "extra_rooms", "new_site")
STATES = ("open", "forecast", "planned", "doing", "struck_off")
DECISIONS = ("keep", "close", "downgrade", "expand", "build", "reopen")
SMALLEST_DATE = dt.date(2000, 1, 1)


def write_ledger(run: Run, path: Path, *, lang: str = "zh") -> Path:
    """Write the large-class ledger with schools, classes, villages, actions and a dictionary.

    Parameters
    ----------
    run : Run
        A finished run.
    path : Path
        The ``.xlsx`` file.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    Path
        ``path``; written whole or not at all, the same bytes for the same run.
    """
    return write_bytes(path, ledger_bytes(run, lang=lang))


def ledger_bytes(run: Run, *, lang: str = "zh") -> bytes:
    """Make the ledger workbook.

    Parameters
    ----------
    run : Run
        A finished run.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    bytes
        An ``.xlsx`` file.
    """
    story = tell(run, lang)
    sheets = (
        _ledger(story), _schools(story), _classes(story), _villages(story), _actions(story),
        *needs_sheets(story),
    )  # fmt: skip
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, TEXT_STAYS_TEXT)
    title = story.say(
        "book.ledger_title",
        county=plain(run.region.name, longest=60),
        name=plain(run.name, longest=60),
    )
    book.set_properties(
        {
            "title": title,
            "author": story.say("report.author", county=plain(run.region.name, longest=60)),
            "created": dt.datetime(story.facts.first, 9, 1),  # noqa: DTZ001 - the format has no zone
            "keywords": origin_of(run),
        }
    )
    looks = _looks(book)
    lists = _lists(story)
    pages = {sheet.key: book.add_worksheet(story.say(f"book.{sheet.key}")[:31]) for sheet in sheets}
    dictionary = book.add_worksheet(story.say("book.dictionary")[:31])
    hidden = book.add_worksheet(story.say("book.lists")[:31])
    places = _write_lists(book, hidden, lists, story)
    for sheet in sheets:
        _write_sheet(story, book, pages[sheet.key], sheet, looks, places)
    _write_dictionary(story, dictionary, sheets, looks)
    book.close()
    return steady_zip(out.getvalue())


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _looks(book: Any) -> dict[str, Any]:
    font = {"font_name": "宋体", "font_size": 10, "valign": "vcenter"}
    cell = {**font, "border": 1, "text_wrap": True}
    # Text cells are formatted as text, so that codes keep their zeros when a person edits them.
    looks = {
        "title": {"font_name": "黑体", "font_size": 16, "align": "center", "valign": "vcenter",
                  "text_wrap": True},
        "note": {**font, "font_size": 9, "text_wrap": True, "font_color": "#9C1C10"},
        "head": {**cell, "bold": True, "align": "center", "bg_color": "#D9E2EC"},
        "head_edit": {**cell, "bold": True, "align": "center", "bg_color": "#FFF2CC"},
        "text": {**cell, "num_format": "@", "align": "left", "indent": 1},
        # Room at the right, so that a number does not run into the text beside it.
        "int": {**cell, "num_format": "#,##0", "align": "right", "indent": 1},
        "year": {**cell, "num_format": "0", "align": "center"},
        "decimal": {**cell, "num_format": "#,##0.0", "align": "right", "indent": 1},
        "ratio": {**cell, "num_format": "0.000", "align": "right", "indent": 1},
        "date": {**cell, "num_format": "yyyy-mm-dd", "align": "center"},
    }  # fmt: skip
    shades = {"bad": "#F6DAD3", "warn": "#FBF1D0"}
    made = {name: book.add_format(look) for name, look in looks.items()}
    for kind in ("text", "int", "year", "decimal", "ratio", "date"):
        for shade, colour in shades.items():
            made[f"{kind}_{shade}"] = book.add_format({**looks[kind], "bg_color": colour})
    return made


def _lists(story: Story) -> dict[str, list[str]]:
    return {
        "chosen": [story.name("way", way) for way in WAYS],
        "state": [story.name("ledger_state", state) for state in STATES],
        "decision": [story.name("change", kind) for kind in DECISIONS],
    }


def _write_lists(book: Any, page: Any, lists: dict[str, list[str]], story: Story) -> dict[str, str]:
    """Write lists on a sheet of their own: a validation itself holds 255 characters only."""
    places = {}
    name = story.say("book.lists")[:31]
    for column, (key, values) in enumerate(lists.items()):
        page.write_string(0, column, story.say(f"x.{key}"))
        for row, value in enumerate(values, start=1):
            page.write_string(row, column, value)
        letter = chr(ord("A") + column)
        places[key] = f"='{name}'!${letter}$2:${letter}${len(values) + 1}"
        page.set_column(column, column, 36)
    page.hide()
    return places


def _write_sheet(
    story: Story, book: Any, page: Any, sheet: Sheet, looks: dict[str, Any], places: dict[str, str]
) -> None:
    run, last = story.run, len(sheet.fields) - 1
    sheet = replace(sheet, fields=tuple(_fitted(story, sheet, k) for k in range(len(sheet.fields))))
    title = story.say(
        f"book.{sheet.key}_title",
        county=plain(run.region.name, longest=60),
        name=plain(run.name, longest=60),
    )
    page.merge_range(0, 0, 0, last, "", looks["title"])
    page.write_string(0, 0, title, looks["title"])
    wide = sum(field.width for field in sheet.fields) > 120
    page.set_row(0, 34 if wide else 52)
    # A reviewed map does not make numbers of students by village public.
    internal = standing(story)
    if plain(run.provenance.get("review_number")):
        internal = f"{internal}　{story.say('internal_report')}"
    note = story.say(
        "book.note", note=story.half(plain(run.region.note, longest=200)), internal=internal
    )
    between = "　" if story.lang == "zh" else " "
    note = f"{sheet.told}{between}{note}" if sheet.told else note
    page.merge_range(1, 0, 1, last, "", looks["note"])
    page.write_string(1, 0, note.strip(), looks["note"])
    page.set_row(1, max(26, 13 + 13 * (len(note) // (110 if wide else 60))))
    for column, field in enumerate(sheet.fields):
        page.set_column(column, column, field.width)
        page.write_string(
            2, column, _heading(story, field), looks["head_edit" if field.edit else "head"]
        )
    heads = (_lines((f,), (_heading(story, f),)) for f in sheet.fields)
    page.set_row(2, max(32.0, 14.0 * max(heads, default=1) + 4))
    for number, row in enumerate(sheet.rows):
        for column, (field, value) in enumerate(zip(sheet.fields, row, strict=True)):
            _write_cell(page, number + 3, column, field, value, looks, sheet.marks.get(number, ""))
        page.set_row(number + 3, 14.0 * _lines(sheet.fields, row))
    if not sheet.rows:
        page.merge_range(3, 0, 3, last, "", looks["text"])
        page.write_string(3, 0, sheet.empty, looks["text"])
    bottom = max(len(sheet.rows) + 2, 3)
    _validate(story, page, sheet, places, bottom)
    page.freeze_panes(3, 3 if sheet.key == "ledger" else 4)
    page.autofilter(2, 0, bottom, last)
    page.repeat_rows(0, 2)
    if sheet.key == "ledger":
        # Remarks and the code serve the way back into the program; on paper they cost legibility.
        page.print_area(0, 0, bottom, last - 2)
    elif not sheet.printed:
        page.print_area(0, 0, 2, last)
    page.set_landscape()
    # A wide register on A4 would be set in letters of five points.
    page.set_paper(8 if sum(field.width for field in sheet.fields) > 170 else 9)
    page.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.8)
    page.fit_to_pages(1, 0)
    page.set_footer(_footer(story))


def _footer(story: Story) -> str:
    """Foot of the printed page; ``&`` begins a code there and is doubled, 255 characters fit."""
    parts = f"{standing(story)}  {digest_of(story.run)}  {rules_of(story.run)}"
    text = plain(parts, longest=180).replace("&", "&&")
    return f"&C&8{text}\n&P / &N"


def _fitted(story: Story, sheet: Sheet, column: int) -> Field:
    """Widen a column so that no word of its heading and of its names is broken."""
    field = sheet.fields[column]
    words = re.findall("[!-~]+", _heading(story, field))
    if field.kind == "text":
        short = (plain(row[column], longest=40) for row in sheet.rows[:_LOOKED_AT])
        words += [word for text in short for word in re.findall("[A-Za-z]+", text)]
    longest = max(map(len, words), default=0)
    return replace(field, width=max(field.width, min(1.2 * longest + 2.5, _WIDEST_WORD)))


def _heading(story: Story, field: Field) -> str:
    return (
        story.say(f"x.{field.key}", year=field.year) if field.year else story.say(f"x.{field.key}")
    )


def _write_cell(
    page: Any, row: int, column: int, field: Field, value: Any, looks: dict[str, Any], shade: str
) -> None:
    kind = "year" if field.key in ("year", "grade", "no") else field.kind
    look = looks[f"{kind}_{shade}" if shade else kind]
    if field.kind in ("int", "decimal", "ratio"):
        number = _number(value)
        if number is not None:
            rounded = round(number, {"int": 0, "decimal": 1, "ratio": 4}[field.kind])
            page.write_number(row, column, rounded, look)
            return
    text = plain(value, longest=LONGEST_CELL)
    day = _day(text) if field.kind == "date" else None
    if day is not None:
        page.write_datetime(row, column, day, look)
    elif text:
        page.write_string(row, column, text, look)
    else:
        page.write_blank(row, column, None, look)


def _lines(fields: Sequence[Field], row: Sequence[Any]) -> int:
    """Count the lines that the tallest cell of a row needs: programs differ in fitting heights themselves."""
    most = 1
    for field, value in zip(fields, row, strict=True):
        if field.kind == "text":
            text = plain(value, longest=LONGEST_CELL)
            # Latin letters of a stand-in font may be wider than the figures columns are counted in.
            width = sum(2 if ord(c) > 0x2E7F else 1.15 for c in text)
            most = max(most, math.ceil(width / max(field.width - 2.0, 1.0)))
    return min(most, 25)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return None


def _validate(story: Story, page: Any, sheet: Sheet, places: dict[str, str], bottom: int) -> None:
    # Room is left below the last row, so that rows added by hand are checked too.
    last = bottom + 200
    for column, field in enumerate(sheet.fields):
        if field.choice:
            page.data_validation(
                3, column, last, column,
                {"validate": "list", "source": places[field.choice], "ignore_blank": True,
                 "error_type": "warning"},
            )  # fmt: skip
        elif field.kind == "date":
            page.data_validation(
                3, column, last, column,
                {"validate": "date", "criteria": ">=", "value": SMALLEST_DATE,
                 "ignore_blank": True, "error_type": "warning"},
            )  # fmt: skip


def _write_dictionary(
    story: Story, page: Any, sheets: Sequence[Sheet], looks: dict[str, Any]
) -> None:
    heads = [story.say(f"dict.{key}") for key in ("sheet", "column", "key", "meaning", "fill")]
    page.merge_range(0, 0, 0, 4, "", looks["title"])
    page.write_string(0, 0, story.say("book.dictionary_title"), looks["title"])
    page.set_row(0, 30)
    for column, (head, width) in enumerate(zip(heads, (14, 24, 16, 60, 20), strict=True)):
        page.set_column(column, column, width)
        page.write_string(1, column, head, looks["head"])
    line = 2
    for sheet in sheets:
        for field in sheet.fields:
            fill = story.say("dict.fill_yes" if field.edit else "dict.fill_no")
            cells = (
                story.say(f"book.{sheet.key}"), _heading(story, field), field.key,
                story.say(f"m.{field.key}"), fill,
            )  # fmt: skip
            for column, text in enumerate(cells):
                page.write_string(line, column, text, looks["text_warn" if field.edit else "text"])
            line += 1
    page.freeze_panes(2, 0)
    page.autofilter(1, 0, line - 1, 4)
    page.repeat_rows(0, 1)
    page.set_landscape()
    page.set_paper(9)
    page.set_footer(_footer(story))
    page.fit_to_pages(1, 0)


def row_code(year: Any, school: Any, grade: Any, class_no: Any) -> str:
    """Stable code of a ledger row.

    Parameters
    ----------
    year, school, grade, class_no : object
        What identifies a class.

    Returns
    -------
    str
        The four parts joined by ``/``.
    """
    return "/".join(
        plain(part, longest=60).replace("/", "_") for part in (year, school, grade, class_no)
    )


def _ledger(story: Story) -> Sheet:
    table = story.run.ledger.reset_index(drop=True)
    fields = (
        Field("no", 5, "int"), Field("year", 6, "int"), Field("school", 17),
        Field("school_id", 12), Field("township", 9), Field("grade", 5, "int"),
        Field("class_no", 6), Field("students", 7, "int"), Field("category", 15),
        Field("limit", 9, "int"), Field("excess", 8, "int"), Field("ways_out", 54),
        Field("chosen", 28, choice="chosen", edit=True), Field("responsible", 15, edit=True),
        Field("target_date", 11, "date", edit=True),
        Field("state", 10, choice="state", edit=True),
        Field("struck_off", 11, "date", edit=True), Field("estimated", 9),
        Field("note", 14, edit=True), Field("row_id", 24),
    )  # fmt: skip
    part = {
        name: text_column(table, name)
        for name in ("year", "school_id", "school", "township", "grade", "class_no", "students",
                     "category", "limit", "excess", "ways_out", "chosen", "responsible",
                     "target_date", "state", "struck_off", "note")
    }  # fmt: skip
    for name in ("ways_out", "chosen"):
        part[name] = text_column(table, f"{name}_{story.lang}", name)
    guessed = guessed_schools(story)
    rows, marks = [], {}
    for k in table.index:
        code = row_code(*(part[n][k] for n in ("year", "school_id", "grade", "class_no")))
        category = part["category"][k]
        if category == "super_large":
            marks[k] = "bad"
        elif category == "large":
            marks[k] = "warn"
        rows.append(
            (
                k + 1, part["year"][k], part["school"][k], part["school_id"][k],
                part["township"][k], part["grade"][k], part["class_no"][k], part["students"][k],
                story.name("category", category), part["limit"][k], part["excess"][k],
                large_classes.ways_text(story, part["ways_out"][k]),
                large_classes.ways_text(story, part["chosen"][k]), part["responsible"][k],
                part["target_date"][k],
                story.name("ledger_state", part["state"][k]) if part["state"][k] else "",
                part["struck_off"][k],
                guessed(part["school_id"][k], part["year"][k]), part["note"][k], code,
            )
        )  # fmt: skip
    return Sheet("ledger", fields, rows, story.say("book.ledger_empty"), marks)


def _schools(story: Story) -> Sheet:
    facts, run = story.facts, story.run
    first, last = facts.first, facts.focus
    states = charts.site_states(run, facts)
    fields = (
        Field("no", 5, "int"), Field("school_id", 12), Field("township", 9), Field("school", 20),
        Field("role", 11), Field("kind", 7), Field("state_plan", 11),
        Field("rooms_first", 8, "int", year=first), Field("rooms_last", 8, "int", year=last),
        Field("estimated", 9), Field("beds", 7, "int"), Field("dining_seats", 7, "int"),
        Field("students_first", 9, "int", year=first), Field("students_same", 9, "int", year=last),
        Field("students_last", 9, "int", year=last), Field("classes_first", 8, "int", year=first),
        Field("classes_last", 8, "int", year=last), Field("places_first", 8, "int", year=first),
        Field("places_last", 8, "int", year=last),
        Field("decision", 12, choice="decision", edit=True),
    )  # fmt: skip
    count = _totals(story)
    rows, marks = [], {}
    for k, row in enumerate(rows_of(facts.sites)):
        code = row["site_id"]
        state = states.get(code, row["kind"])
        if state in ("close", "downgrade"):
            marks[k] = "warn"
        kind = "kept" if row["kind"] == "existing" else row["kind"]
        rows.append(
            (
                k + 1, code, row["township"], row["name"], story.name("role", row["role"]),
                story.say("x_kind.existing") if kind == "kept" else story.name("state", kind),
                overview.state_text(story, state), row["rooms"],
                int(run.problem.rooms[k, facts.focus_at]), story.say("yes" if row["estimated"] else "no"),
                row["beds"] if row["beds"] >= 0 else None,
                row["dining_seats"] if row["dining_seats"] >= 0 else None,
                count(code, first, "today", "students"), count(code, last, "today", "students"),
                count(code, last, "plan", "students"), count(code, first, "today", "classes"),
                count(code, last, "plan", "classes"),
                figure(facts, "places", first, "today", scope="site", key=code),
                figure(facts, "places", last, "plan", scope="site", key=code), "",
            )
        )  # fmt: skip
    return Sheet("schools", fields, rows, story.say("book.empty"), marks)


def _totals(story: Story) -> Callable[[str, int, str, str], int]:
    table = story.facts.classes
    sums = table.groupby(["site_id", "year", "plan"])[["students", "classes"]].sum()
    known = sums.to_dict("index")

    def count(code: str, year: int, plan: str, what: str) -> int:
        return int(known.get((code, year, plan), {}).get(what, 0))

    return count


def _classes(story: Story) -> Sheet:
    fields = (
        Field("no", 6, "int"), Field("school_id", 14), Field("school", 24), Field("plan", 10),
        Field("township", 12), Field("year", 8, "int"), Field("grade", 7, "int"),
        Field("students", 9, "int"), Field("classes", 8, "int"), Field("class_size", 9, "int"),
        Field("estimated", 9),
    )  # fmt: skip
    guessed = guessed_schools(story)
    table = story.facts.classes
    table = table[(table["plan"] == "plan") | (table["year"] == story.facts.first)]
    rows = [
        (
            k + 1, row["site_id"], row["site"],
            story.say("today" if row["plan"] == "today" else "plan"), row["township"], row["year"],
            row["grade"], row["students"], row["classes"], row["class_size"],
            guessed(row["site_id"], row["year"], row["plan"]),
        )
        for k, row in enumerate(rows_of(table))
    ]  # fmt: skip
    told = story.say("book.not_printed")
    return Sheet("classes", fields, rows, story.say("book.empty"), {}, told, printed=False)


def _villages(story: Story) -> Sheet:
    facts = story.facts
    fields: tuple[Field, ...] = (
        Field("no", 5, "int"), Field("village_id", 15), Field("village", 13), Field("band", 13),
        Field("township", 9), Field("students_first", 8, "int", year=facts.first),
        Field("students_last", 8, "int", year=facts.focus), Field("estimated", 9),
        Field("from_id", 11), Field("from", 17), Field("to_id", 11), Field("to", 17),
        Field("minutes_before", 8, "decimal"), Field("minutes_after", 8, "decimal"),
        Field("growth", 8, "decimal"), Field("mode_before", 12), Field("mode_after", 12),
        Field("over_limit", 7), Field("reason", 64),
    )  # fmt: skip
    trips = facts.trips
    now = trips[(trips["plan"] == "today") & (trips["year"] == facts.first)]
    then = trips[(trips["plan"] == "plan") & (trips["year"] == facts.focus)]
    reasons = _reasons(story)
    several = not trips["own"].all()
    if several:
        fields = (*fields, Field("shares", 24))
    rows, marks = [], {}
    pairs = zip(whole(now), whole(then), strict=True)
    for k, (old, new) in enumerate(pairs):
        longer = new["minutes"] - old["minutes"]
        growth = float(shown_growth(old["minutes"], new["minutes"])[0])
        if not new["site_id"] and new["students"]:
            marks[k] = "bad"
        elif longer > WORSE_MINUTES:
            marks[k] = "warn"
        rows.append(
            (
                k + 1, new["village_id"], new["village"], story.band(new["band"]), new["township"],
                old["students"], new["students"],
                story.say("yes" if old["estimated"] or new["estimated"] else "no"),
                old["site_id"], old["site"], new["site_id"],
                new["site"] or story.say("unserved"), old["minutes"], new["minutes"], growth,
                story.name("mode", old["mode"]), story.name("mode", new["mode"]),
                story.say("yes" if new["over_limit"] else "no"),
                reasons.get((new["village_id"], new["band"]), ""),
                *((story.shares(new["parts"]),) if several else ()),
            )
        )  # fmt: skip
    return Sheet("villages", fields, rows, story.say("book.empty"), marks)


def _reasons(story: Story) -> dict[tuple[str, str], str]:
    """Reason of the last change of each village and band."""
    table = story.run.explanations.reset_index(drop=True)
    parts = {name: text_column(table, name) for name in ("village_id", "band")}
    words = text_column(table, f"reason_{story.lang}", "reason", "reason_zh")
    return {(parts["village_id"][k], parts["band"][k]): words[k] for k in table.index if words[k]}


def _actions(story: Story) -> Sheet:
    fields = (
        Field("no", 5, "int"), Field("year", 6, "int"), Field("site_id", 11), Field("site", 18),
        Field("township", 9), Field("action", 14), Field("bands_before", 22),
        Field("bands_after", 22), Field("rooms_before", 7, "int"), Field("rooms_after", 7, "int"),
        Field("beds_added", 7, "int"), Field("seats_added", 7, "int"), Field("naps_added", 7, "int"),
        Field("students", 7, "int"),
        Field("receivers", 24), Field("receiver_ids", 14), Field("reason", 36),
        Field("responsible", 12, edit=True), Field("target_date", 11, "date", edit=True),
        Field("decision", 10, choice="decision", edit=True),
    )  # fmt: skip
    rows = [
        (
            k + 1, row["year"], row["site_id"], row["site"], row["township"],
            story.name("change", row["kind"]), actions.bands_text(story, row["bands_before"]),
            actions.bands_text(story, row["bands_after"]), row["rooms_before"],
            row["rooms_after"], row["beds_added"], row["seats_added"], row["naps_added"], row["students"],
            story.schools(row["receiver_ids"]), row["receiver_ids"], row["note"], "", "", "",
        )
        for k, row in enumerate(rows_of(actions.listed_changes(story)))
    ]  # fmt: skip
    return Sheet("actions", fields, rows, story.say("book.empty"), {})
