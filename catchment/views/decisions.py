"""The way back: decisions filled in a workbook become the actions of a recipe."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from catchment.errors import InputError, NotFoundError
from catchment.scenario import parse_scenario
from catchment.views.files import write_text
from catchment.views.plain import plain
from catchment.views.words import LANGS, word, words

KINDS = {
    "close": "merge", "downgrade": "downgrade", "expand": "expand", "build": "build",
    "reopen": "reopen", "keep": "keep",
}  # fmt: skip
"""Word of the workbook to the word of a recipe."""

_ACTION_KEYS = (
    "year", "site_id", "action", "rooms_before", "rooms_after", "beds_added", "seats_added",
    "naps_added", "receiver_ids", "reason", "decision",
)  # fmt: skip
_COUNTS = ("year", "rooms_before", "rooms_after", "beds_added", "seats_added", "naps_added")
_LATER = {"naps_added"}
"""Columns that workbooks of earlier editions lack."""
_PLACES = ("rooms", "beds", "dining_seats", "nap_places")
_SCHOOL_KEYS = ("school_id", "rooms_first", "rooms_last", "decision")
_MOST_ROWS = 20_000


def read_actions(path: Path) -> list[dict[str, Any]]:
    """Read the actions that a workbook ends with, by stable codes.

    On the sheet of actions a row whose decision is blank stays as the plan has it; a decision
    takes the place of the action. A decision on the sheet of schools adds an action for a school
    that the sheet of actions does not name. Order of columns and rows does not matter.

    Parameters
    ----------
    path : Path
        The ledger workbook, Chinese or English.

    Returns
    -------
    list of dict
        Actions as a recipe writes them (``do``, ``year``, ``school`` or ``site``, ...), in order
        of year and code. Roads are not in the workbook: see :func:`write_recipe`.

    Raises
    ------
    NotFoundError
        When the file does not exist.
    InputError
        When it is no such workbook, or a row cannot be understood; the message names sheet and row.
    """
    if not path.is_file():
        raise NotFoundError(f"找不到工作簿 {path.name} / workbook not found: {path.name}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles it does not know
            book = load_workbook(path, read_only=True, data_only=True)
    except Exception as fault:
        raise InputError(
            f"{path.name} 无法作为工作簿打开，请另存为 .xlsx / cannot be opened as a workbook; save it "
            "as .xlsx"
        ) from fault
    try:
        sheet = _sheet(book, "book.actions")
        if sheet is None:
            raise InputError(
                f"{path.name} 没有工作表“{word('book.actions', 'zh')}”；请用本程序写出的 ledger.xlsx / "
                "no sheet of actions; use the ledger.xlsx that a run writes"
            )
        actions = [_action(row, sheet.title, n) for n, row in _rows(sheet, _ACTION_KEYS, path)]
        schools = _sheet(book, "book.schools")
        decided = (
            [] if schools is None
            else [(n, row) for n, row in _rows(schools, _SCHOOL_KEYS, path) if row["decision"]]
        )  # fmt: skip
        for n, row in decided:
            _add_school(actions, row, schools.title, n)
    finally:
        book.close()
    listed = [action for action in actions if action]
    return sorted(listed, key=lambda a: (a.get("year", 0), str(a.get("school", a.get("site")))))


def write_recipe(
    base: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], path: Path, *, name: str = ""
) -> Path:
    """Write a recipe with the actions of a workbook.

    Parameters
    ----------
    base : mapping
        The recipe of the run, as ``run.json`` holds it under ``scenario``: county, years, method
        and rules are taken from it, and its roads, which no workbook holds.
    actions : sequence of mapping
        See :func:`read_actions`.
    path : Path
        The ``.toml`` file; beside the old recipe, because the county's folder is told from there.
    name : str
        Name of the new scenario; the old one when left out.

    Returns
    -------
    Path
        ``path``; written whole or not at all.

    Raises
    ------
    InputError
        When the result is not a recipe.
    """
    roads = [a for a in base.get("action", base.get("actions", ())) if a.get("do") == "road"]
    data = {k: v for k, v in base.items() if k not in ("action", "actions") and v is not None}
    if name:
        data["name"] = plain(name, longest=200)
    data = {k: _without_none(v) for k, v in data.items()}
    listed = [_without_none(dict(a)) for a in (*roads, *actions)]
    parse_scenario({**data, "action": listed}, path.name)
    lines = [f"{k} = {_toml(v)}" for k, v in data.items() if not isinstance(v, dict)]
    for key, table in data.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_toml(v)}" for k, v in table.items())]
    for action in listed:
        lines += ["", "[[action]]", *(f"{k} = {_toml(v)}" for k, v in action.items())]
    return write_text(path, "\n".join(lines) + "\n")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    # A JSON string of plain text is a TOML basic string.
    return json.dumps(plain(value), ensure_ascii=False)


def _sheet(book: Any, key: str) -> Any:
    names = {word(key, lang)[:31] for lang in LANGS}
    return next((page for page in book.worksheets if page.title in names), None)


def _rows(sheet: Any, keys: Sequence[str], path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows below the headings by key, with their numbers; rows without a code are left out."""
    patterns = {key: _heading(key) for key in keys}
    where: dict[str, int] = {}
    found: list[tuple[int, dict[str, str]]] = []
    code = "site_id" if "site_id" in keys else "school_id"
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > _MOST_ROWS:
            raise InputError(
                f"{path.name} 工作表“{sheet.title}”超过 {_MOST_ROWS} 行 / too many rows in the sheet"
            )
        texts = ["" if v is None else plain(v) for v in cells]
        if not where:
            seen = {
                key: column
                for key, pattern in patterns.items()
                for column, text in enumerate(texts)
                if pattern.fullmatch(text)
            }
            if code in seen and "decision" in seen:
                where = seen
                lacking = sorted(set(keys) - set(where) - _LATER)
                if lacking:
                    raise InputError(
                        f"{path.name} 工作表“{sheet.title}”第 {number} 行缺少列：{'、'.join(lacking)}；请用程序"
                        f"写出的表头 / columns are missing: {', '.join(lacking)}"
                    )
            continue
        row = dict.fromkeys(keys, "")
        row |= {key: texts[column] for key, column in where.items() if column < len(texts)}
        if row[code]:
            found.append((number, row))
    if not where:
        raise InputError(
            f"{path.name} 工作表“{sheet.title}”没有表头行 / the sheet has no row of headings"
        )
    return found


def _heading(key: str) -> re.Pattern[str]:
    """Match the heading of a column in either language, whatever year stands in it."""
    texts = [re.escape(words()[f"x.{key}"][lang]).replace(r"\{year\}", r"\d{4}") for lang in LANGS]
    return re.compile("|".join(texts))


def _kind(text: str, sheet: str, number: int) -> str:
    """Read a word of the workbook for an action: a word of either language, or its code."""
    codes = [key.removeprefix("change.") for key in words() if key.startswith("change.")]
    for code in codes:
        if text in (code, *(word(f"change.{code}", lang) for lang in LANGS)):
            return code
    allowed = "、".join(word(f"change.{code}", "zh") for code in KINDS)
    raise InputError(
        f"工作表“{sheet}”第 {number} 行：“{text}”不是可选的行动；请填 {allowed} / row {number} of {sheet}: "
        f"{text!r} is no action; use one of {', '.join(word(f'change.{c}', 'en') for c in KINDS)}"
    )


def _number(text: str, column: str, sheet: str, number: int) -> int:
    try:
        value = float(text.replace(",", "") or 0)
    except ValueError:
        value = float("nan")
    if value != value or value != round(value) or abs(value) > 1_000_000:
        head = word(f"x.{column}", "zh")
        raise InputError(
            f"工作表“{sheet}”第 {number} 行“{head}”：“{text}”不是整数 / row {number} of {sheet}, {column}: "
            f"{text!r} is not a whole number"
        )
    return int(value)


def _action(row: Mapping[str, str], sheet: str, number: int) -> dict[str, Any]:
    kind = _kind(row["decision"] or row["action"], sheet, number)
    if kind == "road":
        return {}
    if kind not in KINDS:
        raise InputError(
            f"工作表“{sheet}”第 {number} 行：“{row['action']}”不能写成方案行动；请在“"
            f"{word('x.decision', 'zh')}”填写保留或扩建 / row {number} of {sheet}: this cannot be an action of a "
            "recipe; decide to keep or to expand"
        )
    count = {key: _number(row[key], key, sheet, number) for key in _COUNTS}
    added = max(count["rooms_after"] - count["rooms_before"], 0)
    action = _recipe_action(kind, row["site_id"], added, count["rooms_after"], sheet, number)
    if kind in ("expand", "build"):
        action |= {"beds": count["beds_added"], "dining_seats": count["seats_added"]}
        if count["naps_added"]:
            action["nap_places"] = count["naps_added"]
        if kind == "expand" and not any(action.get(k) for k in _PLACES):
            raise InputError(_nothing_added(sheet, number))
    same = not row["decision"] or _kind(row["decision"], sheet, number) == _kind(
        row["action"] or row["decision"], sheet, number
    )
    receivers = row["receiver_ids"].split()
    if kind in ("close", "downgrade") and same and len(receivers) == 1:
        action["into"] = receivers[0]
    if count["year"]:
        action = {"do": action.pop("do"), "year": count["year"], **action}
    if row["reason"]:
        action["reason"] = row["reason"]
    return action


def _recipe_action(
    kind: str, code: str, added: int, rooms: int, sheet: str, number: int
) -> dict[str, Any]:
    action: dict[str, Any] = {"do": KINDS[kind], "site" if kind == "build" else "school": code}
    if kind == "expand":
        action["rooms"] = added
    elif kind == "build":
        if rooms < 1:
            raise InputError(_nothing_added(sheet, number))
        action["rooms"] = rooms
    return action


def _nothing_added(sheet: str, number: int) -> str:
    return (
        f"工作表“{sheet}”第 {number} 行：扩建或新建没有写明教室、床位、餐位或午休位；请在行动清单填写 / row {number} of "
        f"{sheet}: no classrooms, beds, seats or nap places to build; fill them in on the sheet of actions"
    )


def _add_school(
    actions: list[dict[str, Any]], row: Mapping[str, str], sheet: str, number: int
) -> None:
    """Add the decision of a school that the sheet of actions does not name."""
    kind = _kind(row["decision"], sheet, number)
    if kind not in KINDS:
        raise InputError(
            f"工作表“{sheet}”第 {number} 行：“{row['decision']}”不能写成方案行动 / row {number} of {sheet}: this "
            "cannot be an action of a recipe"
        )
    code = row["school_id"]
    named = [a for a in actions if code in (a.get("school"), a.get("site"))]
    if named:
        if all(a["do"] != KINDS[kind] for a in named):
            raise InputError(
                f"工作表“{sheet}”第 {number} 行：{code} 的审议结论与行动清单不一致；请改为一致 / row {number} of "
                f"{sheet}: the decision on {code} is not that of the sheet of actions; make them agree"
            )
        return
    first = _number(row["rooms_first"], "rooms_first", sheet, number)
    last = _number(row["rooms_last"], "rooms_last", sheet, number)
    action = _recipe_action(kind, code, max(last - first, 0), last, sheet, number)
    if kind == "expand" and not action["rooms"]:
        raise InputError(_nothing_added(sheet, number))
    actions.append(action)
