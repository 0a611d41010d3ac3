"""Carry a ledger over the years: read it back, continue it, check zero growth (零增量).

A person's edits are kept. What is missing, contradictory or cannot be read is answered row by row;
such a row is carried as far as it can be understood, never silently dropped.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import load_workbook

from catchment.errors import InputError
from catchment.places.ledger import COLUMNS
from catchment.places.limits import CATEGORIES, ClassLimits
from catchment.region.county_tables import office_rows

STATE_WORDS = {
    "": "open",
    "open": "open",
    "未销号": "open",
    "待消除": "open",
    "planned": "planned",
    "way chosen": "planned",
    "已定措施": "planned",
    "doing": "doing",
    "in progress": "doing",
    "整改中": "doing",
    "struck_off": "struck_off",
    "struck off": "struck_off",
    "已销号": "struck_off",
    "forecast": "forecast",
    "预警": "forecast",
}
"""Words for the states that a person may write."""

PROBLEM_COLUMNS = ("row", "column", "value", "problem_zh", "problem_en", "remedy_zh", "remedy_en")
"""Columns of the table of problems; ``row`` is the line in the sheet, 0 where there is none."""

LAST_GRADE = 9
"""Last grade of compulsory schooling: a class is at school for at most so many years."""

# What the program itself proposed is proposed anew from this year's figures.
_OWN_WORDS = ("建议：", "方案：", "毕业或升学后", "proposed:", "plan:", "ends when")
_KEPT = ("chosen", "responsible", "target_date", "note")


@dataclass(frozen=True)
class Continued:
    """A ledger carried into this year.

    Attributes
    ----------
    table : DataFrame
        The continued ledger: this year's rows with a person's entries kept, and rows struck off.
    problems : DataFrame
        Columns :data:`PROBLEM_COLUMNS`.
    new : DataFrame
        Classes above standard this year that no open row of the earlier ledger accounts for.
    zero_growth : bool
        Whether there are none.
    """

    table: pd.DataFrame
    problems: pd.DataFrame
    new: pd.DataFrame
    zero_growth: bool


class _Problems:
    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def add(
        self, row: int, column: str, value: object, zh: str, en: str, fix: str, do: str
    ) -> None:
        shown = "" if _blank(value) else str(value)
        self.rows.append((row, column, shown, zh, en, fix, do))

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=list(PROBLEM_COLUMNS))


@dataclass(frozen=True)
class ReadLedger:
    """A ledger that was read.

    Attributes
    ----------
    table : DataFrame
        Columns as in ``ledger_columns.csv``, as text, and ``row``: the line in the sheet.
    problems : DataFrame
        Columns :data:`PROBLEM_COLUMNS`: headings that are missing, twice, or not known.
    """

    table: pd.DataFrame
    problems: pd.DataFrame


@dataclass(frozen=True)
class ThisYear:
    """What this year's data say of schools and classes, to check striking off.

    Attributes
    ----------
    grades : mapping of str to (int, int)
        First and last grade of every school.
    classes : mapping of (str, int) to tuple of (str, int)
        Class number and students of every class by school and grade.
    """

    grades: Mapping[str, tuple[int, int]]
    classes: Mapping[tuple[str, int], tuple[tuple[str, int], ...]]


def read_ledger(path: Path) -> ReadLedger:
    """Read a ledger that a person has filled in.

    Parameters
    ----------
    path : Path
        A workbook (``.xlsx``) or a table (``.csv``, UTF-8 or GB18030); headings in Chinese or
        English, in any order, below any number of title rows.

    Returns
    -------
    ReadLedger
        Its rows, and what is wrong with its headings.

    Raises
    ------
    InputError
        When no row of headings can be found or the file cannot be read.
    """
    if path.suffix.lower() == ".csv":
        rows: list[list[Any]] = [list(r) for r in office_rows(path)]
        return _frame(rows, path.name)
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as fault:
        raise InputError(
            f"{path.name} 无法作为工作簿打开，请另存为 .xlsx / cannot be opened as a workbook; "
            "save it as .xlsx"
        ) from fault
    try:
        for sheet in book.worksheets:
            rows = [list(r) for r in sheet.iter_rows(values_only=True)]
            if _header(rows) is not None:
                return _frame(rows, path.name)
    finally:
        book.close()
    raise InputError(
        f"{path.name} 中没有找到台账表头（学年、学校代码、年级、班号、学生数） / "
        "no headings of a ledger were found"
    )


def carry(
    previous: pd.DataFrame,
    current: pd.DataFrame,
    *,
    today: dt.date,
    year: int | None = None,
    present: ThisYear | None = None,
    limits: ClassLimits | None = None,
) -> Continued:
    """Continue an earlier ledger with this year's classes.

    A class is followed with its grade: class 2 of grade 3 is class 2 of grade 4 a year later. An
    open row whose class is no longer above standard is struck off as of ``today``; one whose class
    still is keeps the person's entries.

    Parameters
    ----------
    previous : DataFrame
        Earlier ledger, as :func:`read_ledger` returns it.
    current : DataFrame
        This run's ledger (columns of :data:`catchment.places.ledger.COLUMNS`); its first year is
        this year.
    today : date
        Date written for rows struck off.
    year : int, optional
        This year; the first year of ``current`` when left out.
    present : ThisYear, optional
        Schools and classes of this year. A class is struck off only where its school and grade have
        classes this year and none of them that no row accounts for is above standard, or where the
        grade has left the school; otherwise the row stays open and is listed as a problem. Nothing
        is checked when left out.
    limits : ClassLimits, optional
        Limits, to check category and excess within a row; the national ones when left out.

    Returns
    -------
    Continued
        The continued ledger, what is wrong with the earlier one, and growth.
    """
    problems = _Problems()
    records: list[dict[str, Any]] = [
        dict(zip(previous.columns, r, strict=True)) for r in previous.itertuples(index=False)
    ]
    rows = [_checked(row, problems, today, limits or ClassLimits()) for row in records]
    if year is None:
        year = int(current["year"].min()) if len(current) else today.year
    now = current[current["year"] == year] if len(current) else current
    here = {
        (str(r["school_id"]), int(r["grade"]), _class(r["class_no"])): k
        for k, r in zip(now.index, now.to_dict("records"), strict=True)
    }
    table = current.copy()
    for column in _KEPT:
        table[column] = table[column].astype(object)
    past: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    followed: set[Any] = set()
    seen: dict[tuple[str, int, int, str], int] = {}
    for row in rows:
        if row is None:
            continue
        key = (row["school_id"], row["year"], row["grade"], _class(row["class_no"]))
        if key in seen:
            problems.add(
                row["row"], "class_no", row["class_no"], f"与第 {seen[key]} 行重复",
                f"repeats row {seen[key]}", "删去其中一行", "delete one of them",
            )  # fmt: skip
            continue
        seen[key] = row["row"]
        if row["state"] == "forecast":
            continue
        if row["year"] > year:
            problems.add(
                row["row"], "year", row["year"], f"年度晚于本年（{year}），未接续",
                f"later than this year ({year}); not continued",
                "改正年度", "correct the year",
            )  # fmt: skip
            continue
        at = here.get((row["school_id"], row["grade"] + year - row["year"], key[3]))
        if at is None:
            gone.append(row)
            continue
        if row["state"] == "struck_off":
            if row["year"] == year:
                problems.add(
                    row["row"], "state", "struck_off", "已销号，但该班本年仍超标准，已重新列入",
                    "struck off, but the class is still above standard; it is listed again",
                    "核对在籍人数后再销号", "check the enrolment before striking it off",
                )  # fmt: skip
            else:
                problems.add(
                    row["row"], "state", "struck_off", "上年已销号的班本年又超标准，按新增计",
                    "struck off earlier, above standard again; counted as growth",
                    "查明反弹原因", "find out why it came back",
                )  # fmt: skip
                past.append(_ended(row, today))
                continue
        followed.add(at)
        for column in _KEPT:
            if row[column] and not (column == "chosen" and row[column].startswith(_OWN_WORDS)):
                table.at[at, column] = row[column]
                if column == "chosen":
                    table.at[at, "chosen_en"] = row[column]
        table.at[at, "state"] = "open" if row["state"] == "struck_off" else row["state"]
        if row["target_date"] and row["target_date"] < today.isoformat():
            problems.add(
                row["row"], "target_date", row["target_date"], "已过完成时限，仍未消除",
                "past its target date and still above standard",
                "重定时限并写明原因", "set a new date and give the reason",
            )  # fmt: skip
    left = {
        (str(now.at[k, "school_id"]), int(str(now.at[k, "grade"])))
        for k in now.index
        if k not in followed
    }
    for row in gone:
        wrong = _not_ended(row, year, present, left)
        by_hand = row["state"] == "struck_off"
        if wrong is None or (by_hand and (row["year"] < year - 1 or wrong[0] != "class_no")):
            past.append(_ended(row, today))
            continue
        problems.add(row["row"], *wrong)
        # what a person struck off stays so, with the doubt listed
        past.append(_ended(row, today) if by_hand else {**row, "state": "open", "struck_off": ""})
    growth = now.loc[[k for k in now.index if k not in followed]]
    kept = pd.DataFrame(past, columns=list(COLUMNS))
    whole = pd.concat([x for x in (kept, table) if len(x)] or [table], ignore_index=True)
    order = ["year", "township", "school", "school_id", "grade", "class_no"]
    return Continued(
        table=whole.sort_values(order, kind="stable", ignore_index=True),
        problems=problems.table(),
        new=growth.reset_index(drop=True),
        zero_growth=growth.empty,
    )


def _not_ended(
    row: Mapping[str, Any], year: int, present: ThisYear | None, left: set[tuple[str, int]]
) -> tuple[str, object, str, str, str, str] | None:
    """Why a row whose class is not on this year's ledger is not struck off; None where it is."""
    school, grade = row["school_id"], row["grade"] + year - row["year"]
    # a class with another number in the same grade may be this one, renumbered
    if row["year"] < year - LAST_GRADE:
        return (
            "year", row["year"], f"该班登记已超过 {LAST_GRADE} 年，早应毕业，未自动销号",
            f"registered more than {LAST_GRADE} years ago, long gone; not struck off",
            "核对学年；确已毕业的由人工销号", "check the year; where they have left, strike it off by hand",
        )  # fmt: skip
    if (school, grade) in left:
        return (
            "class_no", row["class_no"], "本年该校该年级另有超标准的班未登记，班号可能改变，未自动销号",
            ("another class of the school and grade is above standard and on no row; it may have been "
            "renumbered; not struck off"),
            "核对班号", "check the class number",
        )  # fmt: skip
    if present is None:
        return None
    if school not in present.grades:
        return (
            "school_id", school, "本年数据中找不到该校，未自动销号",
            "school not found in this year's data; not struck off",
            "核对学校代码；学校撤并的写明去向后由人工销号",
            ("check the code; where the school was closed, say where the class went and strike it off "
            "by hand"),
        )  # fmt: skip
    first, last = present.grades[school]
    if not first <= row["grade"] <= last:
        return (
            "grade", row["grade"], f"该校只有 {first}–{last} 年级，未自动销号",
            f"the school teaches grades {first} to {last} only; not struck off",
            "核对年级和年度", "check grade and year",
        )  # fmt: skip
    if grade > last:
        return None
    if not present.classes.get((school, grade)):
        return (
            "class_no", row["class_no"], f"本年没有该校 {grade} 年级的班级数据，未自动销号",
            f"no class of grade {grade} of the school in this year's data; not struck off",
            "补报本年班级后再接续", "report this year's classes, then continue again",
        )  # fmt: skip
    return None


@cache
def _known() -> tuple[dict[str, str], ...]:
    text = files("catchment.places").joinpath("ledger_columns.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def _heading() -> dict[str, str]:
    out: dict[str, str] = {}
    for row in _known():
        for name in (row["column"], row["zh"], row["en"], *row["aliases"].split("|")):
            if name:
                out[_plain(name)] = row["column"]
    return out


def _plain(text: object) -> str:
    """Text as compared: no spaces, half-width brackets, lower case."""
    shown = "" if _blank(text) else unicodedata.normalize("NFKC", str(text))
    return "".join(shown.split()).lower().replace("_", "")


def _header(rows: list[list[Any]]) -> int | None:
    need = {r["column"] for r in _known() if r["required"] == "yes"}
    for number, row in enumerate(rows[:20]):
        if need <= {_heading().get(_plain(cell), "") for cell in row}:
            return number
    return None


def _headings(cells: list[Any], row: int) -> pd.DataFrame:
    """List what is wrong with the headings: renamed, deleted, or twice."""
    problems = _Problems()
    names = [_heading().get(_plain(c), "") for c in cells]
    strange = [str(c).strip() for c, n in zip(cells, names, strict=True) if not n and _plain(c)]
    for column in (r for r in _known() if r["kind"] != "own"):
        times = names.count(column["column"])
        if times == 0 and column["kept"] == "yes":
            seen = f"；不认识的列：{'、'.join(strange)}" if strange else ""
            told = f"; unknown headings: {', '.join(strange)}" if strange else ""
            problems.add(
                row, column["column"], "", f"没有“{column['zh']}”一列，其内容没有读入{seen}",
                f"no column {column['en']!r}: what it held was not read{told}",
                "恢复原列名", "restore the heading",
            )  # fmt: skip
        if times > 1:
            problems.add(
                row, column["column"], column["zh"], "列名重复，只读最后一列", "heading twice; the last is read",
                "删去或改名", "delete or rename one",
            )  # fmt: skip
    for name in strange:
        problems.add(
            row, "", name, "不认识的列，没有读入", "unknown heading; not read",
            "如是原有列改名，请恢复原名；自加的列请写入备注",
            "restore the name if it was renamed; put additions into the note",
        )  # fmt: skip
    return problems.table()


def _frame(rows: list[list[Any]], name: str) -> ReadLedger:
    at = _header(rows)
    if at is None:
        raise InputError(
            f"{name} 中没有找到台账表头（学年、学校代码、年级、班号、学生数） / "
            "no headings of a ledger were found"
        )
    place = {_heading().get(_plain(cell), ""): k for k, cell in enumerate(rows[at])}
    columns = [r["column"] for r in _known()]
    out = []
    for number, row in enumerate(rows[at + 1 :], start=at + 2):
        values = {
            c: _text(row[place[c]]) if c in place and place[c] < len(row) else "" for c in columns
        }
        if any(v for c, v in values.items() if c not in ("row_id", "no")):
            out.append({"row": number, **values})
    return ReadLedger(
        table=pd.DataFrame(out, columns=["row", *columns]), problems=_headings(rows[at], at + 1)
    )


def _text(value: object) -> str:
    if _blank(value):
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _blank(value: object) -> bool:
    return value is None or value != value


_DIGITS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十")


_WHOLE = {
    False: (
        "空缺或不是非负整数", "missing or not a whole number", "填写整数", "enter a whole number"
    ),
    True: (
        f"空缺或不是 1–{LAST_GRADE} 的整数", f"missing or not a whole number from 1 to {LAST_GRADE}",
        f"填写 1–{LAST_GRADE}", f"enter 1 to {LAST_GRADE}",
    ),
}  # fmt: skip


def _class(value: object) -> str:
    name = _plain(value).removesuffix("班").strip("()")
    return str(_DIGITS.index(name) + 1) if name in _DIGITS else name


def _checked(
    row: dict[str, Any], problems: _Problems, today: dt.date, limits: ClassLimits
) -> dict[str, Any] | None:
    """One row as far as it can be understood; None where it cannot be placed at all."""
    number = int(row.get("row", 0) or 0)
    out: dict[str, Any] = {c: _text(row.get(c)) for c in COLUMNS} | {"row": number}
    usable = True
    for column in ("year", "grade", "students"):
        text = out[column]
        try:
            if not math.isfinite(float(text)):
                raise ValueError(text)
            whole = int(float(text))
            if whole != float(text) or whole < (1 if column != "students" else 0):
                raise ValueError(text)
            if column == "grade" and whole > LAST_GRADE:
                raise ValueError(text)
            out[column] = whole
        except ValueError:
            problems.add(
                number, column, text, *_WHOLE[column == "grade"],
            )  # fmt: skip
            usable = usable and column == "students"
            out[column] = 0
    for column in ("school_id", "class_no"):
        if not out[column]:
            problems.add(number, column, "", "空缺", "missing", "补填", "fill it in")
            usable = False
    _dates(out, problems, number)
    if usable:
        _contradictions(out, problems, number, limits)
    said = out["state"].strip().lower()
    state = "forecast" if said.startswith(("预测", "forecast")) else STATE_WORDS.get(said)
    if state is None:
        problems.add(
            number, "state", out["state"], "不认识的销号状态，按未销号处理",
            "unknown state; taken as open", "从未销号、已定措施、整改中、已销号中选一个",
            "choose open, way chosen, in progress or struck off",
        )  # fmt: skip
        state = "open"
    if state == "struck_off" and not out["struck_off"]:
        problems.add(
            number, "struck_off", "", "已销号但没有销号日期", "struck off without a date",
            "补填销号日期", "enter the date",
        )  # fmt: skip
    if state != "struck_off" and out["struck_off"]:
        problems.add(
            number, "state", out["state"], "有销号日期但状态不是已销号，按未销号处理",
            "has a date but is not struck off; taken as open", "改正状态或删去日期",
            "correct the state or delete the date",
        )  # fmt: skip
    if state == "struck_off" and out["struck_off"] > today.isoformat():
        problems.add(
            number, "struck_off", out["struck_off"], "销号日期在今天之后", "a date to come",
            "改正日期", "correct the date",
        )  # fmt: skip
    begun = f"{out['year']}-09-01" if usable else ""
    for column, of in (("struck_off", "销号日期"), ("target_date", "完成时限")):
        if begun and out[column] and out[column] < begun and state != "forecast":
            problems.add(
                number, column, out[column], f"{of}早于该班登记的学年开始（{begun}）",
                f"before the school year in which the class was registered ({begun})",
                "改正日期或学年", "correct the date or the year",
            )  # fmt: skip
    out["state"] = state
    return out if usable else None


MOST_STUDENTS = 200
"""A class with more students is taken for a slip of the pen and asked about."""

CATEGORY_WORDS = {
    "over_standard": "over_standard", "超标班额": "over_standard", "超标准班额": "over_standard",
    "over standard": "over_standard", "large": "large", "大班额": "large",
    "super_large": "super_large", "super-large": "super_large", "超大班额": "super_large",
}  # fmt: skip
"""Words for the categories as ledgers have them."""


def _contradictions(
    out: Mapping[str, Any], problems: _Problems, number: int, limits: ClassLimits
) -> None:
    """Figures of one row that do not agree with each other."""
    students, standard = out["students"], limits.standard(out["grade"])
    level = int(limits.category([students], [out["grade"]])[0])
    said = out["category"].strip().lower()
    if said and students:
        known = CATEGORY_WORDS.get(said)
        if known is None or known != CATEGORIES[level]:
            problems.add(
                number, "category", out["category"],
                f"{students} 人的班不是这一类别" if known else "不认识的类别",
                f"a class of {students} is not in this category" if known else "unknown category",
                "按学生数改正", "correct it by the students",
            )  # fmt: skip
    if level == 0 and not said and students and out["state"] != "struck_off":
        problems.add(
            number, "students", students, f"{students} 人没有超过标准 {standard} 人，不应在册",
            f"{students} students are not above the standard of {standard}",
            "核对人数；已降到标准以内的填写销号日期", "check the number, or strike the class off",
        )  # fmt: skip
    if students > MOST_STUDENTS:
        problems.add(
            number, "students", students, f"一个班不可能有 {students} 人",
            f"no class has {students} students", "改正学生数", "correct the number",
        )  # fmt: skip
    given: dict[str, int | None] = {}
    for column in ("limit", "excess"):
        try:
            given[column] = int(float(out[column])) if out[column] else None
        except (ValueError, OverflowError):
            given[column] = None
            problems.add(
                number, column, out[column], "不是整数", "not a whole number",
                "改正数字", "correct the number",
            )  # fmt: skip
    limit = given["limit"] if given["limit"] is not None else standard
    if students and given["excess"] is not None and given["excess"] != students - limit:
        problems.add(
            number, "excess", out["excess"],
            f"学生数 {students} 减标准 {limit} 应为 {students - limit}",
            f"{students} students less the standard of {limit} make {students - limit}",
            "改正学生数、标准或超出人数", "correct students, standard or excess",
        )  # fmt: skip


def _dates(out: dict[str, Any], problems: _Problems, number: int) -> None:
    for column in ("target_date", "struck_off"):
        text = out[column]
        if not text:
            continue
        # a time of day after the date says nothing, and 20270831 is a date too
        day = re.sub(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$", "", text)
        day = re.sub(r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3", day)
        plain = (
            day.replace("年", "-").replace("月", "-").replace("日", "")
            .replace("/", "-").replace(".", "-").strip("-")
        )  # fmt: skip
        parts = plain.split("-")
        try:
            if len(parts) == 2:
                parts = [*parts, "1"]
            out[column] = dt.date(*(int(p) for p in parts)).isoformat()
        except (TypeError, ValueError, OverflowError):
            problems.add(
                number, column, text, "不是日期", "not a date",
                "写成 2027-08-31 的样子", "write it like 2027-08-31",
            )  # fmt: skip
            out[column] = ""


def _ended(row: dict[str, Any], today: dt.date) -> dict[str, Any]:
    """Return a row of the past: struck off now where it was still open."""
    out = {c: row.get(c, "") for c in COLUMNS}
    if out["state"] != "struck_off":
        out["state"] = "struck_off"
        out["struck_off"] = today.isoformat()
    return out
