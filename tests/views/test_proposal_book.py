"""The workbook of a proposal: every table, in one language, with headings for people."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook

from catchment.run import Proposal, Wish, propose
from catchment.scenario import parse_scenario
from catchment.views.proposal_book import ORDER, book_of, heading
from tests.tiny_region import tiny_region

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    recipe = parse_scenario({"name": "试", "years": [2026, 2027, 2028]})
    hand = recipe.replace(name="手工")
    found: Proposal = propose(
        recipe, tiny_region(students=3), wish=Wish(steps=1, plans=5, draws=3, areas=0, build=True),
        hands=[hand],
    )  # fmt: skip
    # Whatever the plans break, the columns are those of the findings.
    broken = pd.DataFrame([dict.fromkeys(found.broken.columns, "x")]).assign(
        severity="hard", year=2027
    )
    return {
        "plans": found.plans, "costs": found.costs, "actions": found.actions,
        "villages": found.moves, "hearing": found.schools, "broken": broken,
        "outlook": found.outlook, "futures": found.futures, "certain": found.certain,
        "areas": found.areas, "screening": found.screening, "byhand": found.byhand,
        "demands": found.demands,
    }  # fmt: skip


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_table_is_a_sheet_with_headings_for_people(
    tables: dict[str, pd.DataFrame], lang: str
) -> None:
    filled = [name for name in ORDER if len(tables.get(name, ()))]
    assert {"plans", "actions", "villages", "hearing", "broken"} <= set(filled)
    book = load_workbook(io.BytesIO(book_of(tables, lang, 2026)))
    assert len(book.sheetnames) == len(filled)
    for name, page in zip(filled, book.worksheets, strict=True):
        assert bool(CHINESE.search(page.title)) == (lang == "zh")
        rows = list(page.iter_rows(values_only=True))
        heads = {heading(name, str(c), lang) for c in tables[name].columns}
        top = next(k for k, row in enumerate(rows) if row[0] in heads and len(set(row)) > 1)
        assert len(rows) - top - 1 == len(tables[name])
        for head in rows[top]:
            assert bool(CHINESE.search(str(head))) == (lang == "zh"), (name, head)
        # No column of the other language, none twice.
        assert len(set(rows[top])) == len(rows[top])


def test_values_are_told_as_the_reader_says_them(tables: dict[str, pd.DataFrame]) -> None:
    zh = load_workbook(io.BytesIO(book_of(tables, "zh", 2026)))
    texts = [str(c) for page in zh for row in page.iter_rows(values_only=True) for c in row]
    assert any(re.fullmatch(r"20\d\d 年撤并", t) for t in texts)
    for code in ("merge", "anew", "alone", "True", "False", "walk", "lower", "hard", "nan"):
        assert code not in texts, code
    assert not [t for t in texts if " / " in t and CHINESE.search(t) and "村" not in t]
    en = load_workbook(io.BytesIO(book_of(tables, "en", 2026)))
    texts = [str(c) for page in en for row in page.iter_rows(values_only=True) for c in row]
    assert any(re.fullmatch(r"merge 20\d\d", t) for t in texts)
    assert "all else unchanged" in texts


def test_text_of_the_county_is_text_and_the_same_tables_give_the_same_bytes() -> None:
    table = pd.DataFrame(
        {
            "name": ["=1+1", "merge"], "do": ["merge", "keep"], "saves_yuan": [1.5, np.nan],
            "worse_names": ["@SUM(A1)", "http://x"],
        }
    )  # fmt: skip
    content = book_of({"actions": table}, "zh", 2026)
    assert content == book_of({"actions": table}, "zh", 2026)
    page = load_workbook(io.BytesIO(content)).worksheets[0]
    rows = list(page.iter_rows(values_only=True))[-2:]
    # A school may be called as it likes; only codes of the program are translated.
    assert rows[1][:2] == ("保留", "merge")
    assert rows[0][:2] == ("撤并", "=1+1")
    assert rows[1][2] is None
    assert rows[0][3] == "@SUM(A1)"
    for row in page.iter_rows():
        for cell in row:
            assert cell.data_type in ("s", "n"), cell.value
            assert cell.hyperlink is None


@pytest.mark.parametrize(
    ("lang", "said"),
    [("zh", {"2028 年撤并 S1", "人"}), ("en", {"merge S1 2028", "students"})],
)
def test_units_and_demands_of_broken_rules_are_in_words(lang: str, said: set[str]) -> None:
    table = pd.DataFrame([{"code": "R", "unit": "students", "demand": "merge S1 2028"}])
    page = load_workbook(io.BytesIO(book_of({"broken": table}, lang, 2026))).worksheets[0]
    cells = {c for row in page.iter_rows(values_only=True) for c in row}
    assert said <= cells
