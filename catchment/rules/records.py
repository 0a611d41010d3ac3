"""Records of evidence: dated, named and in the right unit, or else they do not count.

A record speaks for one rule and item, for one school or for the county. What is not recorded stays
awaited; what is recorded without a readable date or value stays unknown; nothing is assumed.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from catchment.rules.clause import Rule

NAN = float("nan")
_DAY = re.compile(r"^(\d{4})(?:-|/|\.|年)?(\d{1,2})(?:-|/|\.|月)?(\d{1,2})日?$")
_YES = ("yes", "true", "1", "有", "是")
_NO = ("no", "false", "0", "无", "否", "没有")


@dataclass(frozen=True)
class Record:
    """What a record says of a rule.

    Attributes
    ----------
    result : str
        ``pass``, ``fail`` or ``unknown``.
    value : float
        Value recorded, nan where it cannot be read.
    zh, en : str
        Date, document, and what is wrong with them.
    """

    result: str
    value: float
    zh: str
    en: str


def read_day(text: object) -> dt.date | None:
    """Read a date as offices write it.

    Parameters
    ----------
    text : object
        Such as ``2026-05-01``, ``2026.5.1`` or ``2026年5月1日``.

    Returns
    -------
    date or None
        None where it is none.
    """
    found = _DAY.match(unicodedata.normalize("NFKC", str(text)).strip())
    if found is None:
        return None
    try:
        return dt.date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def read_share(text: object, unit: str) -> tuple[float, str]:
    """Read a value; a percentage is not a share.

    Parameters
    ----------
    text : object
        What was recorded.
    unit : str
        Unit of the rule.

    Returns
    -------
    value : float
        nan where it cannot be used.
    wrong : str
        What is wrong with it, Chinese / English; empty where nothing is.
    """
    plain = unicodedata.normalize("NFKC", str(text)).strip()
    try:
        value = float(plain.rstrip("%"))
    except ValueError:
        value = NAN
    if not np.isfinite(value):
        return NAN, "未写数值 / no value"
    if unit == "%" and (not 0 <= value <= 100 or (0 < value < 1 and not plain.endswith("%"))):
        return NAN, f"{plain} 应为百分数，如 80 / must be a percentage such as 80"
    return value, ""


def latest(
    table: pd.DataFrame, school: str, code: str, items: Collection[str]
) -> tuple[pd.Series, dt.date | None] | None:
    """Find the latest dated record of a rule.

    Parameters
    ----------
    table : DataFrame
        Records of evidence.
    school : str
        Code of the school; empty for the county.
    code : str
        Code of the rule.
    items : collection of str
        Names of the item; an empty one stands for records that name none.

    Returns
    -------
    (Series, date) or None
        The record and its date (None where it cannot be read); None where there is no record with
        a date. Of records of one day the later row counts.
    """
    if table.empty:
        return None
    # Plain lists: this is asked for every clause of every closing, while somebody waits.
    codes, schools = table["code"].tolist(), table["school_id"].tolist()
    named, dates = table["item"].tolist(), table["date"].tolist()
    mine = [
        k
        for k in range(len(codes))
        if _plain(codes[k]) == code
        and _plain(schools[k]) == school
        and _plain(named[k]) in items
        and _plain(dates[k])
    ]
    if not mine:
        return None
    days = [read_day(dates[k]) for k in mine]
    at = max(range(len(mine)), key=lambda k: (days[k] is not None, days[k] or dt.date.min, k))
    return table.iloc[mine[at]], days[at]


def _plain(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value).strip()


def judged(
    table: pd.DataFrame,
    rule: Rule,
    school: str,
    *,
    by: dt.date,
    alone: bool,
    late_zh: str = "日期不可读，或晚于该学年",
    late_en: str = "no readable date within the school year",
) -> Record | None:
    """Judge a rule by its latest record.

    Parameters
    ----------
    table : DataFrame
        Records of evidence.
    rule : Rule
        The clause.
    school : str
        Code of the school; empty for the county.
    by : date
        Last day that counts.
    alone : bool
        Whether the rule has one item only, so that a record may leave the item out.
    late_zh, late_en : str
        What is said of a record without a usable date.

    Returns
    -------
    Record or None
        None where nothing is recorded: evidence is awaited.
    """
    item = rule.scope.get("item", (rule.quantity,))[0]
    names = [item, rule.quantity, *([""] if alone else [])]
    found = latest(table, school, rule.code, names)
    if found is None:
        return None
    row, day = found
    if day is None or day > by:
        said = f"{row['date']} {row['document']}".strip()
        return Record("unknown", NAN, f"{said}：{late_zh}", f"{said}: {late_en}")
    value, wrong = read_share(row["value"], rule.unit)
    when = f"{day.isoformat()} {row['document']}".strip()
    if wrong or rule.limit is None:
        zh, _, en = (wrong or "规则没有限值 / the rule has no limit").partition(" / ")
        return Record("unknown", NAN, f"{when}：{zh}", f"{when}: {en}")
    return Record("pass" if rule.holds(value) else "fail", value, when, when)


def public_transport(table: pd.DataFrame, school: str, *, by: dt.date) -> bool | None:
    """Say whether public transport serves the way to a school.

    Parameters
    ----------
    table : DataFrame
        Records of evidence; code ``R-TRV-04``, item ``public_transport`` (公共交通), value yes or no
        (有、无), with a date and a document.
    school : str
        Code of the school. A record of the school goes before one of the county (no code).
    by : date
        Last day that counts.

    Returns
    -------
    bool or None
        None where nothing usable is recorded.
    """
    for place in (school, ""):
        found = latest(table, place, "R-TRV-04", ("public_transport", "公共交通"))
        if found is None:
            continue
        row, day = found
        said = unicodedata.normalize("NFKC", str(row["value"])).strip().lower()
        if day is None or day > by or not str(row["document"]).strip():
            return None
        return True if said in _YES else False if said in _NO else None
    return None
