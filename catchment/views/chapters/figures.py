"""Figures as the chapters show them."""

from __future__ import annotations

from typing import Any

from catchment.views.document import Column, Table
from catchment.views.facts import (
    indicator_name,
    indicator_unit,
)
from catchment.views.plain import decimal, percent, plain, whole
from catchment.views.story import Story
from catchment.views.words import name_of

MOST_ROWS = 40
"""Most findings listed in a chapter; the rest is in ``findings.csv``."""

SUMMARY_FIGURES = (
    "students", "unserved", "schools_open", "teaching_points", "minutes_mean", "minutes_max",
    "over_limit_students", "worsened_students", "place_shortfall", "over_standard_classes",
    "large_classes", "super_large_classes",
)  # fmt: skip
"""Figures of the first page, in order."""

MAIN_FIGURES = (
    "students", "served", "unserved", "no_trip_students", "schools_open", "teaching_points",
    "small_schools", "minutes_mean", "minutes_median", "minutes_p90", "minutes_max",
    "over_limit_students", "over_limit_share", "over_30_students", "student_km", "bus_riders",
    "boarders_need", "moved_students", "worsened_students", "places", "place_shortfall",
    "place_surplus", "classes", "combined_classes", "over_standard_classes", "large_classes",
    "super_large_classes", "room_shortage",
)  # fmt: skip
"""Figures of the county chapter, in order."""

YEAR_FIGURES = (
    "students", "schools_open", "teaching_points", "classes", "places", "place_shortfall",
    "over_standard_classes", "large_classes", "super_large_classes", "minutes_mean",
    "over_limit_students", "unserved",
)  # fmt: skip


def shown(indicator: str, value: float | None, lang: str) -> tuple[str, str]:
    """Show a figure with its unit.

    Parameters
    ----------
    indicator : str
        Code of the measure.
    value : float or None
        The figure.
    lang : {"zh", "en"}
        Language of the unit.

    Returns
    -------
    tuple of str
        The number and its unit.
    """
    unit = indicator_unit(indicator)
    if unit == "share":
        return percent(value), ""
    if unit in ("min", "km", "students/class", "student-km/day"):
        text = decimal(value)
    else:
        text = whole(value)
    return text, name_of("unit", unit, lang)


def with_unit(name: str, unit: str, lang: str) -> str:
    """Name of a measure with its unit, where the name does not say it.

    Parameters
    ----------
    name, unit : str
        Words in the language; the unit may be empty.
    lang : {"zh", "en"}
        Language.

    Returns
    -------
    str
        The unit in brackets.
    """
    if not unit or name.lower() == unit.lower():
        return name
    return f"{name}（{unit}）" if lang == "zh" else f"{name} ({unit})"


def quantity(story: Story, value: Any, unit: str) -> str:
    """Show a value of a finding: a number with its unit, or the words it holds.

    Parameters
    ----------
    story : Story
        The run.
    value : object
        A number, or words.
    unit : str
        Code of the unit; ``share`` is shown in per cent.

    Returns
    -------
    str
        A dash where there is none.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        return plain(value, longest=60) or "—"
    if number != number:
        return "—"
    if unit in ("share", "%"):
        return f"{number * 100:.1f}%" if unit == "share" else f"{number:.1f}%"
    text = whole(number) if number == round(number) else decimal(number)
    name = name_of("unit", unit, story.lang) if unit else ""
    return f"{text} {name}".strip()


def figures_table(story: Story, codes: tuple[str, ...]) -> Table:
    """Show figures of the county: today, nothing changed, the plan.

    Parameters
    ----------
    story : Story
        The run.
    codes : tuple of str
        Measures in order; those the run does not have are left out.

    Returns
    -------
    Table
        One row a measure.
    """
    first, focus, last = story.facts.first, story.facts.focus, story.facts.last
    lang = story.lang
    rows = []
    for code in codes:
        values = [
            story.county(code, first, "today"),
            story.county(code, focus, "today"),
            story.county(code, focus, "plan"),
            story.county(code, last, "plan"),
        ]
        if all(value is None for value in values):
            continue
        same, plan = values[1], values[2]
        difference = None if same is None or plan is None else plan - same
        text, unit = shown(code, difference, lang)
        sign = "+" if difference is not None and difference > 0 and text.strip("0.%") else ""
        name = with_unit(indicator_name(code, lang), unit, lang)
        cells = [shown(code, value, lang)[0] for value in values]
        rows.append((name, *cells[:3], sign + text, cells[3]))
    columns = [
        Column(story.say("col.indicator"), 3.0),
        Column(story.say("col.today_year", year=first), 1.2, "right"),
        Column(story.say("col.same_year", year=focus), 1.3, "right"),
        Column(story.say("col.plan_year", year=focus), 1.2, "right"),
        Column(story.say("col.difference"), 1.3, "right"),
        Column(story.say("col.plan_year", year=last), 1.2, "right"),
    ]
    # Columns that would say the same twice are left out.
    kept = [0, 1, 3, 4]
    if focus != first:
        kept.insert(2, 2)
    if last != focus:
        kept.append(5)
    return Table(
        tuple(columns[k] for k in kept),
        tuple(tuple(row[k] for k in kept) for row in rows),
        story.say("sum.figures"),
        story.say("sum.figures_empty"),
    )


def some_years(story: Story, most: int) -> list[int]:
    """Years shown in a table: the first, the last and the years of changes, else evenly spread.

    Parameters
    ----------
    story : Story
        The run.
    most : int
        Most years, at least 2.

    Returns
    -------
    list of int
        In order.
    """
    years = list(story.run.problem.years)
    if len(years) <= most:
        return years
    busy = [int(y) for y in dict.fromkeys(story.facts.changes["year"])]
    chosen = [years[0], years[-1]]
    spread = [years[round(k * (len(years) - 1) / (most - 1))] for k in range(most)]
    for year in (*busy, *spread):
        if year not in chosen and len(chosen) < most:
            chosen.append(year)
    return sorted(chosen)
