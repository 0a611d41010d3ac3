"""Why a village goes farther and which schools are full stand in report and book as in the run."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from catchment.run import Run
from catchment.views.book import book_document
from catchment.views.chapters.reasons import reasons_of
from catchment.views.document import Document, Paragraph, Table
from catchment.views.facts import read_facts, worse
from catchment.views.report import report_document
from catchment.views.story import tell
from catchment.views.words import word
from tests.views.document_run import document_run, empty_run


@pytest.fixture(scope="module")
def run() -> Run:
    """A run whose reasons and prices name what they are about."""
    made = document_run(villages=54)
    facts = read_facts(made)
    longer = worse(made, facts)
    assert len(longer) > 2
    first, second = longer.iloc[0], longer.iloc[1]
    early = made.problem.years[0]
    explained = pd.DataFrame(
        [
            _told(first["village_id"], first["band"], first["year"], "变更"),
            _told(second["village_id"], second["band"], early, "早先变更"),
        ]
    )
    why = pd.DataFrame(
        [
            {**_told(first["village_id"], first["band"], first["year"], "不就近"), "limit": "places"},
            {**_told(longer.iloc[2]["village_id"], longer.iloc[2]["band"], early, "就近"), "limit": ""},
        ]
    )  # fmt: skip
    site = facts.changes.iloc[0]["site_id"] if len(facts.changes) else made.problem.site_ids[0]
    prices = pd.DataFrame(
        [
            {"site_id": site, "site": "甲校", "band": made.problem.bands[0], "year": year,
             "students": 50, "places": 45, "limit": limit, "price_student_minutes": 2.0,
             "reason_zh": f"满{year}{limit}", "reason_en": f"full{year}{limit}"}
            for year, limit in ((facts.focus, "over"), (facts.focus, ""), (facts.first, "full"))
        ]
    )  # fmt: skip
    return dataclasses.replace(made, explanations=explained, why=why, prices=prices)


def _told(village: str, band: str, year: int, text: str) -> dict[str, object]:
    return {
        "village_id": village, "band": band, "year": year,
        "reason_zh": f"{text}{village}", "reason_en": f"because {text}{village}",
    }  # fmt: skip


def tables(document: Document, caption: str) -> list[Table]:
    return [b for b in document.blocks if isinstance(b, Table) and b.caption == caption]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_villages_that_travel_longer_are_told_why(run: Run, lang: str) -> None:
    longer = worse(run, read_facts(run))
    first, second = (longer.iloc[k]["village_id"] for k in (0, 1))
    for document in (
        report_document(run, lang=lang, pictures=False),
        book_document(run, lang=lang, pictures=False),
    ):
        rows = [r for t in tables(document, word("why.farther", lang)) for r in t.rows]
        # The change is told before the limit; an earlier change still stands; the nearest is none.
        said = ("" if lang == "zh" else "because ") + f"变更{first}"
        assert sum(r[-1] == said for r in rows) == 1
        assert any(r[-1].endswith(f"早先变更{second}") for r in rows)
        assert not any("就近" in r[-1] for r in rows)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_full_schools_are_those_of_the_year_the_documents_speak_of(run: Run, lang: str) -> None:
    focus = read_facts(run).focus
    report = report_document(run, lang=lang, pictures=False)
    (table,) = tables(report, word("why.full", lang, year=focus))
    full = "满" if lang == "zh" else "full"
    assert [r[-1] for r in table.rows] == [f"{full}{focus}over"]
    book = book_document(run, lang=lang, pictures=False)
    lines = [b.text for b in book.blocks if isinstance(b, Paragraph) and f"{full}{focus}" in b.text]
    assert len(lines) == 1


def test_nothing_is_said_where_nothing_is_known() -> None:
    run = empty_run()
    assert reasons_of(tell(run, "zh")) == {}
    assert tables(book_document(run, pictures=False), word("why.farther", "zh")) == []
