"""Rule books: national, provincial presets and a county's own table over them."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from catchment.errors import InputError, NotFoundError
from catchment.indicators.balance import RESOURCES, TABLE_COLUMNS
from catchment.places import ClassLimits, NeedFactors
from catchment.region.county_tables import FILES, factor_rows, office_rows, read_rows
from catchment.rules.clause import EVALUATIONS, OPERATORS, SEVERITIES, Rule
from catchment.rules.facts import EVIDENCE_COLUMNS

COUNTY_FILE = "rules.csv"
"""Name of a county's own table of rules in its folder."""

_HEADINGS = {
    "规则代码": "code",
    "代码": "code",
    "适用范围": "applies_to",
    "限值": "limit",
    "理由": "reason",
    "放宽理由": "reason",
}

_COLUMNS = tuple(f.name for f in dataclasses.fields(Rule) if f.name != "loosened")


def book_names() -> tuple[str, ...]:
    """Names of the shipped books.

    Returns
    -------
    tuple of str
        ``national`` first, then the presets by name.
    """
    found = sorted(
        p.name.removesuffix(".csv")
        for p in files("catchment.rules").iterdir()
        if p.name.endswith(".csv")
    )
    return ("national", *(n for n in found if n != "national"))


def read_books(
    names: Sequence[str] = ("national",), county_folder: Path | None = None
) -> tuple[Rule, ...]:
    """Read rule books and a county's changes to them.

    The county's ``rules.csv`` (UTF-8 or GB18030) names clauses by ``code`` (规则代码) and, where a
    code has several clauses, ``applies_to`` (适用范围); ``limit`` is 限值, ``reason`` 理由. A stricter ``limit`` is taken as it is; a looser one needs a ``reason``, which
    is shown with every finding. A code that no book knows is a rule of the county's own and needs
    every column.

    Parameters
    ----------
    names : sequence of str
        Books to read, such as ``("national", "sichuan")``; ``national`` is always read.
    county_folder : Path, optional
        Folder that may hold the county's ``rules.csv``.

    Returns
    -------
    tuple of Rule
        Clauses in the order of the books.

    Raises
    ------
    NotFoundError
        When a book does not exist.
    InputError
        When a row cannot be read, or loosens a limit without a reason.
    """
    known = book_names()
    rules: list[Rule] = []
    for name in dict.fromkeys(("national", *names)):
        if name not in known:
            raise NotFoundError(
                f"没有规则册 {name!r}；可用：{'、'.join(known)} / no such rule book; "
                f"available: {', '.join(known)}"
            )
        text = files("catchment.rules").joinpath(f"{name}.csv").read_text(encoding="utf-8")
        for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
            rules.append(_rule(row, f"{name}.csv", number))
    if county_folder is not None and (county_folder / COUNTY_FILE).is_file():
        rules = _override(rules, county_folder / COUNTY_FILE)
    return tuple(rules)


def class_limits(rules: Sequence[Rule]) -> ClassLimits:
    """Limits of class and school size that the books name.

    Parameters
    ----------
    rules : sequence of Rule
        Clauses.

    Returns
    -------
    ClassLimits
        National defaults where the books do not name a limit.
    """
    standard = ClassLimits()
    known = {(r.code, r.applies_to): r.limit for r in rules if r.limit is not None}
    both = "stage=primary|junior"
    return ClassLimits(
        primary=int(known.get(("R-CLS-01", "stage=primary"), standard.primary)),
        junior=int(known.get(("R-CLS-01", "stage=junior"), standard.junior)),
        large=int(known.get(("R-CLS-04", both), standard.large)),
        super_large=int(known.get(("R-CLS-03", both), standard.super_large)),
        small_school=int(known.get(("R-DEF-01", "stage=primary"), standard.small_school)),
        school=int(known.get(("R-SIZ-01", "role=school"), standard.school)),
        nine_year=int(known.get(("R-SIZ-01", "role=nine_year"), standard.nine_year)),
    )


def _rule(row: dict[str, str], where: str, number: int) -> Rule:
    at = f"{where} 第 {number} 行 / row {number}"
    missing = [c for c in _COLUMNS if row.get(c) is None]
    if missing:
        raise InputError(f"{at}: 缺少列 {'、'.join(missing)} / missing columns {missing}")
    values = {c: row[c].strip() for c in _COLUMNS}
    for column, allowed in (
        ("operator", OPERATORS),
        ("severity", SEVERITIES),
        ("evaluate", EVALUATIONS),
        ("verified", ("yes", "no")),
    ):
        if values[column] not in allowed:
            raise InputError(
                f"{at}: {column} = {values[column]!r}，应为 {'、'.join(x or '空' for x in allowed)} 之一"
                f" / must be one of {list(allowed)}"
            )
    for column in ("code", "title_zh", "title_en", "quantity", "unit", "document_zh"):
        if not values[column]:
            raise InputError(f"{at}: {column} 为空，请填写 / is empty; fill it in")
    limit = _number(values.pop("limit"), at)
    verified = values.pop("verified") == "yes"
    return Rule(**values, limit=limit, verified=verified)


def _number(text: str, at: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as fault:
        raise InputError(f"{at}: limit = {text!r} 不是数 / is not a number") from fault
    if not math.isfinite(value):
        raise InputError(f"{at}: limit = {text!r} 不是有限的数 / is not a finite number")
    return value


def _override(rules: list[Rule], path: Path) -> list[Rule]:
    lines = office_rows(path)
    heads = [_HEADINGS.get(h.strip(), h.strip()) for h in lines[0]] if lines else []
    out = list(rules)
    done: dict[int, int] = {}
    for number, cells in enumerate(lines[1:], start=2):
        padded = [*cells, *[""] * len(heads)]
        row = {h: v.strip() for h, v in zip(heads, padded, strict=False)}
        at = f"{path.name} 第 {number} 行 / row {number}"
        if not any(row.values()):
            continue
        code, scope = row.get("code", ""), row.get("applies_to", "")
        places = [k for k, r in enumerate(out) if r.code == code and scope in ("", r.applies_to)]
        if not places and any(r.code == code for r in out):
            options = "、".join(repr(r.applies_to) for r in out if r.code == code)
            raise InputError(
                f"{at}: {code} 没有适用范围 {scope!r}；可用：{options} / no such applies_to"
            )
        if not places:
            out.append(_rule(row, path.name, number))
            continue
        if len(places) > 1:
            options = "、".join(repr(out[k].applies_to) for k in places)
            raise InputError(
                f"{at}: {code} 有多条，请在 applies_to 中写明：{options} / name one in applies_to"
            )
        if places[0] in done:
            raise InputError(
                f"{at}: {code} 与第 {done[places[0]]} 行重复，只留一行 / repeats row {done[places[0]]}; "
                "keep one"
            )
        done[places[0]] = number
        out[places[0]] = _changed(out[places[0]], row, at)
    _sane(class_limits(out), out, path.name)
    return out


def _sane(limits: ClassLimits, rules: Sequence[Rule], where: str) -> None:
    """Refuse limits of classes that contradict each other or are no whole numbers of students."""
    codes = ("R-CLS-01", "R-CLS-03", "R-CLS-04", "R-DEF-01", "R-SIZ-01")
    for rule in rules:
        counted = rule.code in codes and rule.unit != "%" and rule.limit is not None
        if counted and rule.limit != int(rule.limit or 0):
            raise InputError(
                f"{where}: {rule.code} = {rule.limit:g}，应为整数 / must be a whole number"
            )
    if not max(limits.primary, limits.junior) < limits.large < limits.super_large:
        raise InputError(
            f"{where}: 班额标准 {limits.primary}/{limits.junior}、大班额 {limits.large}、超大班额 "
            f"{limits.super_large} 应依次增大；同时改动相关各条 / standard, large and super-large class "
            "must rise in this order; change the clauses together"
        )


def _changed(rule: Rule, row: dict[str, str], at: str) -> Rule:
    limit = _number(row.get("limit", ""), at)
    if limit is None:
        raise InputError(f"{at}: 没有 limit，请填写数值 / no limit; enter a number")
    least = rule.limit is not None and rule.limit > 0 and rule.operator in ("<=", "<")
    if limit < 0 or (least and limit == 0):
        raise InputError(
            f"{at}: {rule.code} 的 limit = {limit:g}，应大于 0 / must be above 0: nothing could meet it"
            if least
            else f"{at}: {rule.code} 的 limit = {limit:g}，不得为负 / must be 0 or more"
        )
    reason = row.get("reason", "")
    looser = rule.limit is not None and _looser(rule.operator, rule.limit, limit)
    if looser and not _says_why(reason):
        raise InputError(
            f"{at}: {rule.code} 由 {rule.limit:g} 放宽为 {limit:g}，必须在 reason 列写明理由"
            f"（“{reason}”不是理由，至少四个字）/ a looser limit needs a reason in words"
        )
    return dataclasses.replace(
        rule,
        limit=limit,
        loosened=f"{rule.limit:g} → {limit:g}：{reason}" if looser else rule.loosened,
        note_zh="；".join(x for x in (rule.note_zh, f"县级取值 {limit:g}") if x),
        note_en="; ".join(x for x in (rule.note_en, f"county value {limit:g}") if x),
    )


_EMPTY_WORDS = ("无", "暂无", "没有", "同意", "未知", "不详", "待补", "待定", "理由", "原因")


def _says_why(reason: str) -> bool:
    """Whether a reason is one: words, not a dash, a repeated sign or a word that says nothing.

    It is printed beside every finding, so it has to tell a committee something.
    """
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", reason))
    letters = "".join(words)
    han = sum("\u4e00" <= c <= "\u9fff" for c in letters)
    if letters in _EMPTY_WORDS or len(set(letters.lower())) < 3:
        return False
    return han >= 4 or sum(len(w) > 1 for w in words if w.isascii()) >= 2


def _looser(operator: str, before: float, after: float) -> bool:
    if operator in ("<=", "<"):
        return after > before
    if operator in (">=", ">"):
        return after < before
    return after != before


def read_evidence(county_folder: Path) -> pd.DataFrame | None:
    """Read a county's record of evidence (hearings, notices, approvals, opinions).

    Parameters
    ----------
    county_folder : Path
        Folder that may hold ``evidence.csv``: ``school_id, code, item, date, value, document``.

    Returns
    -------
    DataFrame or None
        Text columns; None where there is no such file.

    Raises
    ------
    InputError
        When a column is missing.
    """
    return _table(county_folder, "evidence", EVIDENCE_COLUMNS, ())


def read_resources(county_folder: Path) -> pd.DataFrame | None:
    """Read a county's table of school resources for balanced development.

    Parameters
    ----------
    county_folder : Path
        Folder that may hold ``resources.csv`` with the columns of
        :data:`catchment.indicators.balance.TABLE_COLUMNS`.

    Returns
    -------
    DataFrame or None
        Numbers where numbers are meant, nan where blank; None where there is no such file.

    Raises
    ------
    InputError
        When a column is missing or a number cannot be read.
    """
    numbers = ("students", "students_primary", "students_junior", *RESOURCES)
    return _table(county_folder, "resources", TABLE_COLUMNS, numbers)


def _table(
    folder: Path, name: str, columns: Sequence[str], numbers: Sequence[str]
) -> pd.DataFrame | None:
    rows = read_rows(folder, name, columns)
    if rows is None:
        return None
    heads = [*columns, *sorted({k for r in rows for k in r if k} - set(columns) - {"row"})]
    table = pd.DataFrame([{h: r.get(h, "") for h in heads} for r in rows], columns=heads)
    table = table.astype(object)
    for column in (c for c in numbers if c in table.columns):
        values = pd.to_numeric(table[column].replace("", None), errors="coerce")
        bad = values.isna() & (table[column].astype(str) != "") | (values < 0)
        bad |= np.isinf(values.astype(float))
        if bad.any():
            at = int(bad.to_numpy().argmax())
            raise InputError(
                f"{FILES[name]} 第 {rows[at]['row']} 行 {column} = {table[column].iloc[at]!r}，"
                f"应为非负数 / row {rows[at]['row']}: must be a number, 0 or more"
            )
        table[column] = values.astype(float)
    return table


def read_need_factors(county_folder: Path | None, rules: Sequence[Rule]) -> NeedFactors:
    """Read the factors by which needs are counted.

    Parameters
    ----------
    county_folder : Path or None
        Folder that may hold ``need_factors.csv`` (``factor, value``).
    rules : sequence of Rule
        Clauses: staff ratios (``R-STF-01``), staff for each class of a small school (``R-STF-02``,
        where the county has entered one) and what a small school is (``R-DEF-01``).

    Returns
    -------
    NeedFactors
        Usual values where the county names none.

    Raises
    ------
    InputError
        When a factor is not known or its value is no number, 0 or more.
    """
    value = {r["factor"]: float(r["value"]) for r in factor_rows()}
    rows = (
        None
        if county_folder is None
        else read_rows(county_folder, "need_factors", ("factor", "value"))
    )
    for row in rows or []:
        at = f"{FILES['need_factors']} 第 {row['row']} 行 / row {row['row']}"
        if row["factor"] not in value:
            raise InputError(
                f"{at}: 不认识的系数 {row['factor']!r}；可用：{'、'.join(value)} / unknown factor"
            )
        given = _number(row["value"], at)
        if given is None:
            continue
        if given < 0:
            raise InputError(f"{at}: {row['factor']} = {given:g}，应为非负数 / must be 0 or more")
        value[row["factor"]] = given
    by_class = next((r.limit for r in rules if r.code == "R-STF-02" and r.limit), None)
    ratio = staff_ratios(rules)
    lessons = tuple(
        v for k, v in value.items() if k.startswith("lessons_") and k != "lessons_per_teacher"
    )
    return NeedFactors(
        primary_ratio=ratio["primary"],
        junior_ratio=ratio["junior"],
        class_factor=value["class_factor"] if by_class is None else by_class,
        small_school=class_limits(rules).small_school,
        sittings=value["sittings"],
        nap_last_grade=int(value["nap_last_grade"]),
        lessons_per_class=lessons,
        lessons_per_teacher=value["lessons_per_teacher"],
    )


def staff_ratios(rules: Sequence[Rule]) -> dict[str, float]:
    """Students for one member of staff by stage, as the books have it.

    Parameters
    ----------
    rules : sequence of Rule
        Clauses.

    Returns
    -------
    dict of str to float
        ``primary`` and ``junior``; 19 and 13.5 where the books name none.
    """
    usual = NeedFactors()
    out = {"primary": usual.primary_ratio, "junior": usual.junior_ratio}
    for rule in rules:
        if rule.quantity == "students_per_staff" and rule.limit:
            for stage in rule.scope.get("stage", ()):
                out[stage] = rule.limit
    return out
