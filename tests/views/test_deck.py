"""Slides of the hearing: ten, figures of the run, fonts named for Chinese, text is text."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from pathlib import Path

import pptx
import pytest
from pptx.oxml.ns import qn

from catchment.errors import CatchmentError, InputError
from catchment.run import Run
from catchment.views.chapters import gate
from catchment.views.deck import deck_bytes, write_deck
from catchment.views.facts import read_facts, worse
from catchment.views.public import PRIVACY_LIMIT
from catchment.views.story import tell
from tests.views.document_run import document_run, empty_run, hostile_run

FEWEST = 2 * PRIVACY_LIMIT


@pytest.fixture(scope="module")
def run() -> Run:
    return document_run(villages=54)


@pytest.fixture(scope="module")
def deck(run: Run) -> bytes:
    return deck_bytes(run)


def texts(deck: bytes) -> list[str]:
    """All words of each slide, tables included."""
    found = []
    for slide in pptx.Presentation(io.BytesIO(deck)).slides:
        words = []
        for shape in slide.shapes:
            if shape.has_text_frame:
                words.append(shape.text_frame.text)
            if shape.has_table:
                words += [cell.text for row in shape.table.rows for cell in row.cells]
        found.append("\n".join(words))
    return found


def tables(deck: bytes, slide: int) -> list[list[str]]:
    shapes = pptx.Presentation(io.BytesIO(deck)).slides[slide].shapes
    table = next(shape.table for shape in shapes if shape.has_table)
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_ten_slides_with_titles_inside_the_page(deck: bytes) -> None:
    slides = pptx.Presentation(io.BytesIO(deck))
    assert len(slides.slides) == 10
    for slide in slides.slides:
        assert slide.shapes.title.text_frame.text.strip()
        for shape in slide.shapes:
            assert shape.left >= 0
            assert shape.top >= 0
            assert shape.left + shape.width <= slides.slide_width
            assert shape.top + shape.height <= slides.slide_height
            if shape.shape_type == 13:
                assert len(shape._element.nvPicPr.cNvPr.get("descr")) > 5
    pictures = [s.shape_type for slide in slides.slides for s in slide.shapes].count(13)
    assert pictures == 3


def test_every_run_of_text_names_a_chinese_font(deck: bytes) -> None:
    seen = 0
    for slide in pptx.Presentation(io.BytesIO(deck)).slides:
        for mark in slide._element.iter(qn("a:r")):
            east = mark.find(qn("a:rPr")).find(qn("a:ea"))
            assert east is not None
            assert east.get("typeface") == "微软雅黑"
            seen += 1
    assert seen > 80


def test_figures_are_those_of_the_run(run: Run, deck: bytes) -> None:
    county = run.indicators[run.indicators["scope"] == "county"].set_index(
        ["indicator", "year", "plan"]
    )["value"]
    focus = read_facts(run).focus
    rows = {row[0]: row[1:] for row in tables(deck, 3)}
    wanted = {
        "学生数（人）": "students",
        "学校数（所）": "schools_open",
        "平均单程（分钟）": "minutes_mean",
    }
    for name, code in wanted.items():
        expected = [
            county[code, 2026, "today"],
            county[code, focus, "today"],
            county[code, focus, "plan"],
        ]
        shown = [float(cell.replace(",", "")) for cell in rows[name]]
        if code == "students":
            assert all(n % 10 == 0 for n in shown)
        # A county of so few students tells its means in whole minutes.
        whole = code == "minutes_mean" and all(cell.isdigit() for cell in rows[name])
        off = 5 if code == "students" else 0.51 if whole else 0.051
        assert shown == pytest.approx(expected, abs=off)
        assert whole == (code == "minutes_mean" and county["served", 2026, "today"] < 10_000)
    table = worse(run)
    assert f"{table['village_id'].nunique()} 个村" in texts(deck)[6]
    first = tables(deck, 6)[1]
    assert first[0] == table["village"].iloc[0]
    assert first[2] == str(table["year"].iloc[0])
    assert first[6] == f"{table['minutes_after'].iloc[0]:,.1f}"
    tally = gate.tally(tell(run, "zh"))
    assert f"不符合 {tally['fail']} 项" in texts(deck)[7]


def test_small_numbers_of_students_are_not_told(deck: bytes) -> None:
    for slide in (1, 2, 3):
        for row in tables(deck, slide)[1:]:
            if "（人）" in row[0]:
                for cell in row[1:]:
                    number = re.fullmatch(r"[\d,]+", cell)
                    assert not number or not 0 < int(cell.replace(",", "")) < FEWEST, row
    for row in tables(deck, 8)[1:]:
        assert row[-1] == f"少于 {FEWEST}" or not 0 < int(row[-1].replace(",", "")) < FEWEST


def test_the_same_run_gives_the_same_bytes(run: Run, deck: bytes, tmp_path: Path) -> None:
    assert write_deck(run, tmp_path / "deck.pptx").read_bytes() == deck


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_hostile_and_empty_runs_are_told(lang: str) -> None:
    for made in (hostile_run(villages=54), empty_run()):
        content = deck_bytes(made, lang=lang)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith((".xml", ".rels")):
                    ET.fromstring(archive.read(name))
                if name.startswith("ppt/slides/"):
                    assert b"External" not in archive.read(name)
                    assert b"hlinkClick" not in archive.read(name)
        assert len(texts(content)) == 10


def test_the_notice_is_shown_and_checked(run: Run) -> None:
    given = {"place": "县教育局一楼", "until": "2027-03-01"}
    last = texts(deck_bytes(run, notice=given))[9]
    assert "县教育局一楼" in last
    assert "2027-03-01" in last
    assert "待填写" in last
    with pytest.raises(InputError, match="email"):
        deck_bytes(run, notice={"email": "x"})


def test_a_code_of_a_student_is_refused(run: Run) -> None:
    students = run.region.students.assign(student_id="STU-000001")
    named = replace(run, name="方案 STU-000001", region=run.region.replace(students=students))
    with pytest.raises(CatchmentError, match="学生编号"):
        deck_bytes(named)


def test_english_slides_are_english(run: Run) -> None:
    for slide in pptx.Presentation(io.BytesIO(deck_bytes(run, lang="en"))).slides:
        title = slide.shapes.title.text_frame.text.replace(run.region.name, "")
        assert not re.search("[\u4e00-\u9fff]", title)


def test_slides_pass_the_gate_of_public_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from catchment.views import deck as module

    given: dict[str, object] = {}

    def watch(text: str, name: str, region: object, **more: object) -> None:
        given.update(text=text, **more)

    monkeypatch.setattr(module, "admit", watch)
    deck_bytes(run)
    assert run.region.name in str(given["text"])
    counts = given["counts"]
    assert isinstance(counts, list)
    assert len(counts) > 10
    assert min(counts) >= FEWEST
