"""Sheets on needs, places, smaller classes and balanced development."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from catchment.indicators.provision import (
    estimated_sites,
    need_table,
    place_table,
    smaller_class_table,
)
from catchment.plan import split
from catchment.rules.books import read_books, read_need_factors, read_resources
from catchment.rules.resources import balance_tables
from catchment.views.facts import rows_of
from catchment.views.plain import plain
from catchment.views.sheet import Field, Sheet
from catchment.views.story import Story


def needs_sheets(story: Story) -> tuple[Sheet, ...]:
    """Make the sheets of needs, places, smaller classes and balanced development.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    tuple of Sheet
        In the order of the workbook.
    """
    return (_needs(story), _places(story), _smaller(story), *_balance(story))


def guessed_schools(story: Story) -> Callable[..., str]:
    """Tell of a school and year whether its students are projected or estimated.

    Parameters
    ----------
    story : Story
        The run.

    Returns
    -------
    callable
        Takes code and year (and ``today`` or ``plan``), returns yes or no in words; empty for a
        school or year that the run does not know.
    """
    run = story.run
    flags = {
        name: estimated_sites(run.problem_of(name), plan)
        for name, plan in (("today", run.today), ("plan", run.plan))
    }
    site = {s: j for j, s in enumerate(run.problem.site_ids)}
    at = {str(y): t for t, y in enumerate(run.problem.years)}

    def _guessed(code: Any, year: Any, which: str = "plan") -> str:
        j, t = site.get(str(code)), at.get(str(year))
        if j is None or t is None:
            return ""
        return story.say("yes" if flags[which][j, t] else "no")

    return _guessed


def _needs(story: Story) -> Sheet:
    run = story.run
    factors = read_need_factors(run.region.folder, _rules(story))
    table = need_table(*split(run.problem, run.plan), run.region, factors)
    fields = (
        Field("year", 6, "int"), Field("school_id", 12), Field("school", 18),
        Field("township", 9), Field("students", 7, "int"), Field("classes", 6, "int"),
        Field("staff_by_ratio", 8, "int"), Field("staff_by_class", 8, "int"),
        Field("staff_needed", 8, "int"), Field("staff_now", 8, "int"),
        Field("staff_short", 7, "int"), Field("subject_teachers", 44),
        Field("dining_needed", 7, "int"), Field("dining_now", 7, "int"),
        Field("dining_short", 7, "int"), Field("nap_needed", 7, "int"), Field("nap_now", 7, "int"),
        Field("nap_short", 7, "int"), Field("beds_needed", 7, "int"), Field("beds_now", 7, "int"),
        Field("beds_short", 7, "int"), Field("estimated", 9),
    )  # fmt: skip
    names = _sites(story)
    rows: list[tuple[Any, ...]] = []
    marks: dict[int, str] = {}
    for k, row in enumerate(rows_of(table)):
        if any(row[f"{x}_short"] > 0 for x in ("staff", "dining", "nap", "beds")):
            marks[k] = "warn"
        subjects = row["subject_teachers"]
        if story.lang == "en":
            for zh, en in zip(_SUBJECTS_ZH, _SUBJECTS_EN, strict=True):
                subjects = subjects.replace(zh, en)
            subjects = subjects.replace("、", ", ")
        rows.append(
            (
                row["year"], row["site_id"], *names(row["site_id"]), row["students"],
                row["classes"], row["staff_by_ratio"],
                row["staff_by_class"] if row["small"] else None,
                *(row[f"staff_{x}"] for x in ("needed", "now", "short")), subjects,
                *(row[f"dining_{x}"] for x in ("needed", "now", "short")),
                *(row[f"nap_{x}"] for x in ("needed", "now", "short")),
                *(row[f"beds_{x}"] for x in ("needed", "now", "short")),
                story.say("yes" if row["estimated"] else "no"),
            )
        )  # fmt: skip
    told = story.say(
        "book.needs_told", primary=f"{factors.primary_ratio:g}",
        junior=f"{factors.junior_ratio:g}", small=factors.small_school,
        factor=f"{factors.class_factor:g}", sittings=f"{factors.sittings:g}",
        nap=factors.nap_last_grade, lessons=f"{factors.lessons_per_teacher:g}",
    )  # fmt: skip
    return Sheet("needs", fields, rows, story.say("book.empty"), marks, told)


_SUBJECTS_ZH = ("体育", "音乐", "美术", "科学", "英语", "信息科技")
_SUBJECTS_EN = ("PE", "music", "art", "science", "English", "IT")


def _places(story: Story) -> Sheet:
    run = story.run
    table = place_table(*split(run.problem, run.plan))
    first, last = story.facts.first, story.facts.last
    fields = (
        Field("school_id", 12), Field("school", 20), Field("township", 10),
        Field("rooms_from", 9, "int", year=first), Field("rooms_to", 9, "int", year=last),
        Field("shortfall_years", 13), Field("shortfall_begins", 11),
        Field("shortfall_most", 10, "int"), Field("spare_from", 9, "int", year=first),
        Field("spare_to", 9, "int", year=last), Field("surplus_begins", 11),
        Field("estimated", 9),
    )  # fmt: skip
    names = _sites(story)
    rows: list[tuple[Any, ...]] = []
    marks: dict[int, str] = {}
    for k, row in enumerate(rows_of(table)):
        begin, end = row["shortfall_first_year"], row["shortfall_last_year"]
        if begin:
            marks[k] = "bad" if row["shortfall_begins"] else "warn"
        spell = "" if not begin else str(begin) if begin == end else f"{begin}–{end}"
        rows.append(
            (
                row["site_id"], *names(row["site_id"]), row["rooms_first"], row["rooms_last"],
                spell, str(row["shortfall_begins"] or ""), row["shortfall_most"],
                row["spare_rooms_first"], row["spare_rooms_last"],
                str(row["surplus_begins"] or ""), story.say("yes" if row["estimated"] else "no"),
            )
        )  # fmt: skip
    years = "、".join(str(y) for y in run.problem.years)
    told = story.say(
        "book.places_told", years=years if story.lang == "zh" else years.replace("、", ", ")
    )
    return Sheet("places", fields, rows, story.say("book.empty"), marks, told)


def _smaller(story: Story) -> Sheet:
    run = story.run
    table = smaller_class_table(*split(run.problem, run.plan))
    fields = (
        Field("policy", 22), Field("year", 7, "int"), Field("classes_needed", 11, "int"),
        Field("classes_more", 11, "int"), Field("rooms_spare", 11, "int"),
        Field("places", 10, "int"), Field("shortfall", 11, "int"), Field("sites_short", 11, "int"),
        Field("estimated", 7),
    )  # fmt: skip
    standard = table[table["target"] == 0].set_index("year")["classes_needed"]
    rows: list[tuple[Any, ...]] = []
    for row in rows_of(table):
        policy = (
            story.say("policy.standard")
            if row["target"] == 0
            else story.say("policy.smaller", size=row["target"])
        )
        rows.append(
            (
                policy, row["year"], row["classes_needed"],
                row["classes_needed"] - int(standard[row["year"]]), row["rooms_spare"],
                row["places"], row["shortfall"], row["sites_short"],
                story.say("yes" if row["estimated"] else "no"),
            )
        )  # fmt: skip
    return Sheet(
        "smaller", fields, rows, story.say("book.empty"), {}, story.say("book.smaller_told")
    )


def _balance(story: Story) -> tuple[Sheet, Sheet]:
    """Variation between schools, and each school's verdict; told where nothing is known."""
    run, facts = story.run, story.facts
    county_fields = (
        Field("stage", 8), Field("indicator", 34), Field("cv_limit", 9, "ratio"),
        Field("cv_before", 11, "ratio", year=facts.first), Field("result_before", 11),
        Field("cv_after", 11, "ratio", year=facts.focus), Field("result_after", 11),
    )  # fmt: skip
    school_fields = (
        Field("school_id", 12), Field("school", 22), Field("township", 10), Field("stage", 8),
        Field("met_before", 11, "int", year=facts.first), Field("worst_before", 11, "int"),
        Field("result_before", 10), Field("met_after", 11, "int", year=facts.focus),
        Field("worst_after", 11, "int"), Field("result_after", 10),
    )  # fmt: skip
    table = None if run.region.folder is None else read_resources(run.region.folder)
    if table is None or table.empty:
        empty = story.say("book.balance_missing")
        return (
            Sheet("balance", county_fields, [], empty, {}),
            Sheet("balance_schools", school_fields, [], empty, {}),
        )
    rules = _rules(story)
    county, schools, left_out = balance_tables(
        table,
        (run.problem_of("today"), run.today, 0),
        (run.problem, run.plan, facts.focus_at),
        rules,
        run.region.bands,
    )
    title = {r.quantity: (r.title_zh, r.title_en) for r in rules if r.code.startswith("R-YZ-")}
    rows: list[tuple[Any, ...]] = []
    marks: dict[int, str] = {}
    for k, row in enumerate(rows_of(county)):
        if row["result_after"] == "fail":
            marks[k] = "bad" if row["result_before"] != "fail" else "warn"
        name = title.get(row["indicator"], (row["indicator"],) * 2)[story.lang == "en"]
        rows.append(
            (
                story.name("stage", row["stage"]), name.split("（")[0].split(" (")[0], row["limit"],
                row["cv_before"], story.name("result", row["result_before"]), row["cv_after"],
                story.name("result", row["result_after"]),
            )
        )  # fmt: skip
    names = _sites(story)
    own: list[tuple[Any, ...]] = []
    own_marks: dict[int, str] = {}
    for k, row in enumerate(rows_of(schools)):
        if row["result_after"] == "fail":
            own_marks[k] = "bad" if row["result_before"] != "fail" else "warn"
        own.append(
            (
                row["school_id"], *names(row["school_id"]), story.name("stage", row["stage"]),
                row["met_before"], _percent(row["worst_before"]), _result(story, row["result_before"]),
                row["met_after"], _percent(row["worst_after"]), _result(story, row["result_after"]),
            )
        )  # fmt: skip
    told = story.say("book.balance_told", left=len(left_out))
    # what leaves a stage undecided is named: a new school's planned figures, a school's blank cell
    lacking = [r["school_id"] for r in rows_of(schools) if r["unknown_after"] > 0]
    if lacking:
        told += story.say(
            "book.balance_lacking",
            schools=("、" if story.lang == "zh" else ", ").join(
                f"{plain(names(c)[0] or c, longest=40)}（{c}）"
                if story.lang == "zh"
                else f"{plain(names(c)[0] or c, longest=40)} ({c})"
                for c in sorted(set(lacking))
            ),
        )
    return (
        Sheet("balance", county_fields, rows, story.say("book.empty"), marks, told),
        Sheet("balance_schools", school_fields, own, story.say("book.empty"), own_marks, told),
    )


def _percent(ratio: Any) -> float | None:
    return None if ratio is None or not math.isfinite(float(ratio)) else 100.0 * float(ratio)


def _result(story: Story, result: Any) -> str:
    return "" if result is None or result != result else story.name("result", result)


def _rules(story: Story) -> Any:
    names = story.run.scenario.get("rules", {}).get("books", ("national",))
    return read_books(tuple(names), county_folder=story.run.region.folder)


def _sites(story: Story) -> Callable[[Any], tuple[str, str]]:
    table: pd.DataFrame = story.facts.sites
    known = {
        str(s): (str(n), str(t))
        for s, n, t in zip(table["site_id"], table["name"], table["township"], strict=True)
    }
    return lambda code: known.get(str(code), ("", ""))
