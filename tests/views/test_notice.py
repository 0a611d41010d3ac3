"""The sheet for the notice board: public, without numbers of students, with the county's answers."""

from __future__ import annotations

import dataclasses
import io
import itertools
import re
from pathlib import Path

import docx
import pptx
import pytest

from catchment.errors import CatchmentError
from catchment.run import Run
from catchment.views.deck import deck_bytes
from catchment.views.document import Paragraph, Picture, Table
from catchment.views.notice_sheet import notice_document, write_notice
from catchment.views.parents import parents_payload
from tests.views.document_run import document_run, empty_run

NOTICE = {"place": "县教育局二楼", "phone": "0851-1234567"}


@pytest.fixture(scope="module")
def run() -> Run:
    return dataclasses.replace(document_run(villages=54), scenario={"notice": NOTICE})


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_two_maps_the_years_and_how_to_respond(run: Run, lang: str, tmp_path: Path) -> None:
    written = write_notice(run, tmp_path, lang=lang)
    again = write_notice(run, tmp_path / "again", lang=lang)
    assert [p.read_bytes() for p in written] == [p.read_bytes() for p in again]
    document = notice_document(run, lang=lang)
    assert len([b for b in document.blocks if isinstance(b, Picture)]) == 2
    told = " ".join(b.text for b in document.blocks if isinstance(b, Paragraph))
    assert NOTICE["place"] in told
    assert NOTICE["phone"] in told
    assert told.count("____") + told.count("＿＿＿＿") >= 2
    foot = " ".join(document.footer)
    for part in ("EPSG:", "0123456789abcdef"):
        assert part in foot
    paper = docx.Document(str(written[0]))
    assert len(paper.inline_shapes) == 2


def test_no_column_counts_students(run: Run) -> None:
    for lang, students in (("zh", "学生"), ("en", "Students")):
        document = notice_document(run, lang=lang)
        for table in (b for b in document.blocks if isinstance(b, Table)):
            assert not [c.title for c in table.columns if students in c.title]
            for row in table.rows:
                assert not re.search(r"\d+ (students|人)", " ".join(row))


def test_a_students_code_keeps_the_sheet_back(run: Run, tmp_path: Path) -> None:
    table = run.region.students
    assert table is not None
    code = next(c for c in table["student_id"].astype(str) if len(c) >= 6)
    told = dataclasses.replace(run, scenario={"notice": {"contact": code}})
    with pytest.raises(CatchmentError, match="学生编号"):
        write_notice(told, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_schools_has_a_sheet_too(tmp_path: Path) -> None:
    assert len(write_notice(empty_run(), tmp_path)) == 2


def test_villages_that_change_school_are_told_everywhere_in_public(run: Run) -> None:
    """Most children change because catchments are drawn anew, not because their school closes."""
    page, problem = parents_payload(run), run.problem
    bands, told = len(problem.bands), dict(page["moves"])
    for t, year in enumerate(problem.years):
        before = run.plan.site_of[:, t - 1] if t else run.today.site_of[:, 0]
        moved = {int(i) // bands for i in (run.plan.site_of[:, t] != before).nonzero()[0]}
        assert told.get(year, 0) == len(moved)
        assert moved == {
            i // bands
            for i, steps in enumerate(page["steps"])
            for a, b in itertools.pairwise(steps)
            if b[0] == year and a[1] != b[1]
        }
    assert told
    slides = pptx.Presentation(io.BytesIO(deck_bytes(run))).slides
    said = "\n".join(s.text_frame.text for s in slides[8].shapes if s.has_text_frame)
    board = " ".join(b.text for b in notice_document(run).blocks if isinstance(b, Paragraph))
    for year, count in told.items():
        assert f"{year} 学年 {count} 个" in said
        assert f"{year} 学年 {count} 个" in board
