"""Hostile text in every field of the layers, in every file of a run: it stays text."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pytest

from catchment.views.book import write_book
from catchment.views.folder import write_run
from tests.views.document_run import HOSTILE_TEXT, hostile_run

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    run = hostile_run(villages=54)
    write_run(run, made)
    write_book(run, made)
    return made


def test_office_files_are_whole_and_reach_nothing(folder: Path) -> None:
    for name in ("report.docx", "book.docx", "deck.pptx", "ledger.xlsx"):
        with zipfile.ZipFile(folder / name) as archive:
            for part in archive.namelist():
                content = archive.read(part)
                if not part.endswith((".xml", ".rels")):
                    continue
                tree = ET.fromstring(content)
                assert b'TargetMode="External"' not in content, (name, part)
                assert b"hlinkClick" not in content
                assert b"<f>" not in content
                for code in tree.iter(f"{W}instrText"):
                    assert str(code.text).strip() in ("PAGE", "NUMPAGES")
                assert not re.search(b"(?i)oleObject|vbaProject|altChunk", content)


def test_names_of_areas_are_told_as_text(folder: Path) -> None:
    with zipfile.ZipFile(folder / "book.docx") as archive:
        root = ET.fromstring(archive.read("word/document.xml"))
    words = ["".join(t.text or "" for t in p.iter(f"{W}t")) for p in root.iter(f"{W}p")]
    assert HOSTILE_TEXT[4] in words
    assert HOSTILE_TEXT[0] in words


def test_workbook_and_tables_hold_no_formula(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "ledger.xlsx")
    for page in book.worksheets:
        for row in page.iter_rows():
            assert not [c.coordinate for c in row if c.data_type == "f" or c.hyperlink]
    for path in folder.glob("*.csv"):
        text = path.read_text(encoding="utf-8-sig")
        for row in csv.reader(io.StringIO(text)):
            for cell in row:
                number = re.fullmatch(r"-?[\d.]+", cell)
                assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), path.name


def test_pages_hold_no_element_from_data(folder: Path) -> None:
    for name in ("report.html", "book.html", "map.html", "parents.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text
        assert not re.search(r"<img[^>]*onerror", text)
        assert "<script>window.hit" not in text
        markup = re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)
        assert not re.search(r"(?:href|src)=[\"']?(?:https?:|javascript:)", markup)


def test_the_geopackage_runs_nothing_from_data(folder: Path) -> None:
    with sqlite3.connect(f"file:{(folder / 'plan.gpkg').as_posix()}?mode=ro", uri=True) as base:
        assert base.execute("pragma integrity_check").fetchone() == ("ok",)
        styles = base.execute("select styleQML from layer_styles").fetchall()
        for (style,) in styles:
            tree = ET.fromstring(style)
            # Names of bands stand in labels and aliases as text; no expression is made of data.
            for mark in tree.iter():
                for key, value in mark.attrib.items():
                    text = (mark.tag, key) in (("rule", "label"), ("alias", "name"))
                    assert text or "HYPERLINK" not in value, (mark.tag, key)
            assert "<img" not in style
    base.close()
