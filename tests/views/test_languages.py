"""English outputs of a county with Latin names hold no Chinese outside names and citations."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pptx
import pytest

from catchment.run import Run
from catchment.views.book import book_document
from catchment.views.comparison import (
    comparison_document,
    read_runs,
    schools_that_differ,
    villages_that_differ,
)
from catchment.views.deck import write_deck
from catchment.views.document import Document, Heading, Paragraph, Picture, Table
from catchment.views.report import report_document
from catchment.views.workbook import write_ledger
from tests.views.document_run import document_run
from tests.views.test_comparison import save

CJK = re.compile("[\u2e80-\u9fff\uff00-\uffef]")


def latin(value: object) -> object:
    """Write a name in Latin letters, the same name the same way."""
    if not isinstance(value, str) or not CJK.search(value):
        return value
    return "".join(f"{ord(c):x}" if CJK.match(c) else c for c in value)


@pytest.fixture(scope="module")
def run() -> Run:
    made = document_run(villages=54)

    def names(table: pd.DataFrame) -> pd.DataFrame:
        kept = {"geometry", *(c for c in table.columns if c.endswith(("_zh", "_en")))}
        return table.assign(
            **{c: table[c].map(latin) for c in table.columns
               if c not in kept and not pd.api.types.is_numeric_dtype(table[c].dtype)}
        )  # fmt: skip

    region = made.region
    parts = {
        key: names(getattr(region, key))
        for key in ("villages", "schools", "sites", "boundaries", "areas", "classes")
    }
    sources = tuple(replace(s, file="layer.csv", notes=()) for s in region.sources)
    region = region.replace(name="Latin County", note="Invented data.", sources=sources, **parts)
    scenario = {"actions": [{"do": "keep", "school": "S003", "year": 2026, "reason": "far"}]}
    plan = made.plan.replace(notes=()) if hasattr(made.plan, "replace") else made.plan
    return replace(
        made, name="Merging 2028", region=region, plan=plan, scenario=scenario,
        findings=names(made.findings), explanations=names(made.explanations),
        ledger=names(made.ledger),
        indicators=names(made.indicators),
    )  # fmt: skip


def words_of(document: Document) -> list[str]:
    found = [document.title, document.author, *document.footer, *document.page_words]
    for block in document.blocks:
        if isinstance(block, Heading | Paragraph):
            found.append(block.text)
        elif isinstance(block, Picture):
            found += [block.alt, block.caption]
        elif isinstance(block, Table):
            found += [block.caption, block.empty, *(c.title for c in block.columns)]
            cited = [k for k, c in enumerate(block.columns) if "itation" in c.title]
            found += [c for row in block.rows for k, c in enumerate(row) if k not in cited]
    return found


def chinese(texts: list[str]) -> list[str]:
    return sorted({text for text in texts if CJK.search(text)})


@pytest.mark.parametrize("make", [report_document, book_document])
def test_documents(run: Run, make) -> None:  # type: ignore[no-untyped-def]
    found = words_of(make(run, lang="en", pictures=False))
    assert len(found) > 300
    assert chinese(found) == []


def test_slides(run: Run, tmp_path: Path) -> None:
    deck = pptx.Presentation(str(write_deck(run, tmp_path / "d.pptx", lang="en")))
    texts = [s.text_frame.text for slide in deck.slides for s in slide.shapes if s.has_text_frame]
    for shape in (s for slide in deck.slides for s in slide.shapes if s.has_table):
        texts += [cell.text for row in shape.table.rows for cell in row.cells]
    assert chinese(texts) == []


def test_workbook(run: Run, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_ledger(run, tmp_path / "l.xlsx", lang="en"))
    texts = [
        str(c.value)
        for page in book
        for row in page.iter_rows()
        for c in row
        if c.value is not None
    ]
    assert len(texts) > 1000
    assert chinese([*texts, *book.sheetnames]) == []


def test_comparison(run: Run, tmp_path: Path) -> None:
    folders = [save(run, tmp_path / "a"), save(run, tmp_path / "b")]
    compared = read_runs(folders, "en")
    document = comparison_document(
        compared, schools_that_differ(folders, "en"), villages_that_differ(compared),
        pictures=False,
    )  # fmt: skip
    assert chinese(words_of(document)) == []
