"""Schools that bear one name: counted one by one, and told apart wherever the public reads."""

from __future__ import annotations

import dataclasses
import io

import pptx
import pytest

from catchment.run import Run
from catchment.views.deck import deck_bytes
from catchment.views.document import Paragraph, Table
from catchment.views.facts import distinct, read_facts
from catchment.views.notice_sheet import notice_document
from catchment.views.parents import parents_payload
from catchment.views.report import report_document
from tests.views.document_run import document_run

NAME = "新华小学"


@pytest.fixture(scope="module")
def run() -> Run:
    """All closed schools of a county bear one name, two of one township among them."""
    made = document_run(villages=54)
    changes = read_facts(made).changes
    closed = changes[changes["kind"] == "close"]["site_id"]
    schools = made.region.schools
    names = schools["name"].where(~schools["school_id"].isin(closed), NAME)
    return dataclasses.replace(made, region=made.region.replace(schools=schools.assign(name=names)))


def closed_of(run: Run) -> list[str]:
    changes = read_facts(run).changes
    return list(changes[changes["kind"] == "close"]["site_id"])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_schools_are_counted_not_names(run: Run, lang: str) -> None:
    count = len(closed_of(run))
    assert count > 5
    slides = pptx.Presentation(io.BytesIO(deck_bytes(run, lang=lang))).slides
    said = "\n".join(s.text_frame.text for s in slides[3].shapes if s.has_text_frame)
    told = f"撤并{count}所" if lang == "zh" else f"merge {count}"
    assert told in said.lower().replace(" ", "" if lang == "zh" else " ")
    words = [b.text for b in report_document(run, lang=lang, pictures=False).blocks
             if isinstance(b, Paragraph)]  # fmt: skip
    assert any(told in w.lower().replace(" ", "" if lang == "zh" else " ") for w in words)


def test_namesakes_are_told_apart_in_public(run: Run) -> None:
    called = distinct(read_facts(run).sites, "site_id")
    assert len(set(called.values())) == len(called)
    towns = {place for name, place in called.values() if name == NAME}
    assert len(towns) == len(closed_of(run))
    page = parents_payload(run)["sites"]
    assert len(set(page)) == len(page)
    (table,) = (b for b in notice_document(run).blocks if isinstance(b, Table))
    schools = [row[2] for row in table.rows if NAME in row[2]]
    assert len(set(schools)) == len(closed_of(run))
    slides = pptx.Presentation(io.BytesIO(deck_bytes(run))).slides
    for number in (6, 8):
        for row in next(s.table for s in slides[number].shapes if s.has_table).rows:
            for cell in row.cells:
                assert NAME not in cell.text.replace(f"{NAME}（", "")
