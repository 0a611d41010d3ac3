"""The review book: a page an area and a school, the villages that travel longer, the stamp page."""

from __future__ import annotations

import ctypes.util
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import docx
import geopandas as gpd
import pytest

from catchment.errors import CatchmentError
from catchment.run import Run
from catchment.views import charts
from catchment.views.book import book_document, write_book
from catchment.views.document import Heading, Picture, Table
from catchment.views.facts import read_facts, worse
from catchment.views.geopackage import write_geopackage, write_geoparquet
from catchment.views.pdf import pdf_bytes
from tests.views.document_run import document_run, empty_run, hostile_run


@pytest.fixture(scope="module")
def run() -> Run:
    return document_run(villages=54)


def test_every_school_has_a_page_and_every_area(run: Run) -> None:
    document = book_document(run, pictures=False)
    facts = read_facts(run)
    states = charts.site_states(run, facts)
    pages = [b.text for b in document.blocks if isinstance(b, Heading) and b.level == 2]
    names = facts.sites.set_index("site_id").loc[list(states), "name"]
    assert len(pages) == len(states)
    assert sorted(p.split("（")[0] for p in pages) == sorted(names)
    areas = [b.text for b in document.blocks if isinstance(b, Heading) and b.level == 1]
    assert set(facts.sites.loc[facts.sites["site_id"].isin(states), "township"]) <= set(areas)
    assert all(b.new_page for b in document.blocks if isinstance(b, Heading) and b.level)


def test_figures_of_a_school_are_those_of_the_run(run: Run) -> None:
    problem, document, facts = run.problem, book_document(run, pictures=False), read_facts(run)
    at, tables = -1, {}
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 2:
            at += 1
        elif isinstance(block, Table) and at >= 0 and block.caption == "学生、班级和学位":
            tables[at] = {row[0]: row[1:] for row in block.rows}
    pages = [
        b.text.split("（")[0] for b in document.blocks if isinstance(b, Heading) and b.level == 2
    ]
    t, seen = problem.years.index(facts.focus), 0
    names = facts.sites["name"].tolist()
    for k, name in enumerate(pages):
        if names.count(name) > 1:
            continue
        j = names.index(name)
        mine = run.plan.site_of[:, t] == j
        shown = tables[k]["学生数"][-1] if "学生数" in tables[k] else "0"
        assert int(shown.replace(",", "")) == problem.students[mine, :, t].sum()
        seen += 1
    assert seen > 20


def test_villages_that_travel_longer_are_all_there(run: Run) -> None:
    tables = [b for b in book_document(run, pictures=False).blocks if isinstance(b, Table)]
    listed = next(t for t in tables if t.caption.startswith("单程时间增加超过"))
    assert len(listed.rows) == len(worse(run))


def test_a_township_gets_its_own_book(run: Run, tmp_path: Path) -> None:
    town = str(run.region.villages["township"].iloc[0])
    document = book_document(run, township=town)
    facts = read_facts(run)
    states = charts.site_states(run, facts)
    own = facts.sites[(facts.sites["township"] == town) & facts.sites["site_id"].isin(states)]
    assert len([b for b in document.blocks if isinstance(b, Heading) and b.level == 2]) == len(own)
    # The county, the one area of this township, and every school.
    assert len([b for b in document.blocks if isinstance(b, Picture)]) == len(own) + 2
    signing = next(b for b in document.blocks if isinstance(b, Table) and b.tall)
    assert signing.rows[0][0] == town
    assert len(signing.rows) == 3
    files = write_book(run, tmp_path, township=town)
    assert [p.name for p in files] == ["book.docx", "book.html"]
    before = [p.read_bytes() for p in files]
    write_book(run, tmp_path, township=town)
    assert [p.read_bytes() for p in files] == before
    assert len(docx.Document(files[0]).inline_shapes) == len(own) + 2


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_hostile_and_empty_runs_are_told(lang: str) -> None:
    assert book_document(hostile_run(villages=54), lang=lang, pictures=False).blocks
    document = book_document(empty_run(), lang=lang, pictures=False)
    if lang == "en":
        for block in document.blocks:
            for column in getattr(block, "columns", ()):
                assert not re.search("[\u4e00-\u9fff]", column.title)


@pytest.mark.skipif(
    importlib.util.find_spec("weasyprint") is None or ctypes.util.find_library("pango-1.0") is None,
    reason="WeasyPrint (extra pdf) or the Pango library it needs is absent",
)
def test_the_pdf_is_steady(run: Run) -> None:
    town = str(run.region.villages["township"].iloc[0])
    document = book_document(run, township=town, pictures=False)
    content = pdf_bytes(document)
    assert content.startswith(b"%PDF-")
    assert pdf_bytes(document) == content


def test_without_the_extra_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(CatchmentError, match="浏览器"):
        pdf_bytes(book_document(run, pictures=False))


def test_importing_the_documents_does_not_import_the_extra() -> None:
    code = "import sys, catchment.views.pdf, catchment.views.folder; print('weasyprint' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_area_has_its_map_and_its_findings(run: Run) -> None:
    found, at = {}, ""
    for block in book_document(run).blocks:
        if isinstance(block, Heading):
            at = block.text if block.level == 1 else ""
        elif at:
            found.setdefault(at, []).append(block)
    areas = {name: blocks for name, blocks in found.items() if isinstance(blocks[0], Picture)}
    facts, seen = read_facts(run), 0
    assert len(areas) >= len(set(facts.sites["township"])) - 1
    for name, blocks in areas.items():
        codes = facts.sites.loc[facts.sites["township"] == name, "site_id"]
        mine = run.findings[run.findings["id"].isin(codes) & (run.findings["result"] != "pass")]
        table = blocks[-1]
        assert isinstance(table, Table)
        counts = mine.groupby(["result", "code"])["id"].nunique()
        assert len(table.rows) == min(len(counts), 8)
        told = sorted(int(row[-1]) for row in table.rows)
        if len(counts) <= 8:
            assert told == sorted(counts.tolist())
        seen += len(told)
    assert seen > 0


def test_the_layers_come_as_geoparquet_too(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_geopackage(run, tmp_path / "plan.gpkg")
    written = write_geoparquet(run, tmp_path)
    assert len(written) >= 3
    for path in written:
        same = gpd.read_file(tmp_path / "plan.gpkg", layer=path.stem, engine="pyogrio")
        table = gpd.read_parquet(path)
        assert table.crs == same.crs
        assert list(table.columns) == list(same.columns)
        assert table.geometry.geom_equals_exact(same.geometry, 1e-6).all()
