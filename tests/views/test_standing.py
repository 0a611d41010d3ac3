"""What a sheet says about itself, from the recipe to every document."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest

from catchment.run import Run, execute
from catchment.views import comparison
from catchment.views.book import write_book
from catchment.views.comparison import write_comparison
from catchment.views.deck import deck_bytes
from catchment.views.document import Picture
from catchment.views.files import write_text
from catchment.views.folder import _json, record
from catchment.views.geopackage import write_geopackage
from catchment.views.maps import write_map
from catchment.views.parents import write_parents
from catchment.views.report import write_report
from catchment.views.story import mark_of
from catchment.views.tables import write_tables
from catchment.views.workbook import ledger_bytes
from tests.views.document_run import document_run

TOLD = {
    "author": "云岭县教育局 & 规划股",
    "review_number": "黔S（2026）012号",
    "data_dates": "2026-09",
}
DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def run() -> Run:
    made = document_run(villages=54)
    return dataclasses.replace(made, provenance=made.provenance | TOLD)


def save(run: Run, folder: Path) -> Path:
    write_geopackage(run, folder / "plan.gpkg")
    write_tables(run, folder)
    facts = record(run) | {"recipe": "", "set_aside": False}
    write_text(folder / "run.json", _json(facts).decode("utf-8"))
    return folder


def says_all(text: str) -> None:
    for value in TOLD.values():
        assert value in text or value.replace("&", "&amp;") in text, value
    assert "未经审核不得公开" not in text


def feet(content: bytes) -> list[str]:
    """The printed foot of every shown sheet of a workbook."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    pages = [page for page in book.worksheets if page.sheet_state == "visible"]
    return [str(page.oddFooter.center.text).replace("&&", "&") for page in pages]


def test_a_recipe_names_author_review_number_and_dates(tmp_path: Path) -> None:
    if not DEMO.exists():
        pytest.skip("the shipped county is not here")
    text = (DEMO / "scenarios" / "today.toml").read_text(encoding="utf-8")
    publication = "".join(f'{key} = "{value}"\n' for key, value in TOLD.items())
    text = text.replace('region = ".."', f'region = "{DEMO.as_posix()}"')
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"{text}\n[publication]\n{publication}", encoding="utf-8")
    provenance = execute(recipe).provenance
    assert {key: provenance[key] for key in TOLD} == TOLD


def test_pages_and_documents(run: Run, tmp_path: Path) -> None:
    for path in (
        write_map(run, tmp_path / "map.html"),
        write_parents(run, tmp_path / "parents.html"),
    ):
        text = path.read_text(encoding="utf-8").replace("\\u0026", "&")
        assert all(value in text for value in TOLD.values())
    for path in (*write_report(run, tmp_path), *write_book(run, tmp_path)):
        if path.suffix == ".html":
            foot = path.read_text(encoding="utf-8").split("<footer>")[1]
        else:
            foot = "".join(p.text for p in docx.Document(path).sections[0].footer.paragraphs)
        says_all(foot)
    for slide in pptx.Presentation(io.BytesIO(deck_bytes(run))).slides:
        says_all(" ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame))


def test_every_sheet_of_the_ledger(run: Run) -> None:
    content = ledger_bytes(run)
    book = openpyxl.load_workbook(io.BytesIO(content))
    for page in book.worksheets[:5]:
        says_all(str(page["A2"].value))
        assert "不得对外公开" in str(page["A2"].value)
    for foot in feet(content):
        assert len(foot) <= 255
        says_all(foot)


def test_a_comparison_is_internal_until_every_run_is_reviewed(run: Run, tmp_path: Path) -> None:
    other = dataclasses.replace(run, name="另案")
    bare = {key: value for key, value in run.provenance.items() if key != "review_number"}
    runs = [
        save(each, tmp_path / str(k))
        for k, each in enumerate((run, other, dataclasses.replace(run, provenance=bare)))
    ]
    write_comparison(runs[:2], tmp_path)
    says_all((tmp_path / "compare.html").read_text(encoding="utf-8").split("<footer>")[1])
    document = docx.Document(tmp_path / "compare.docx")
    says_all("".join(p.text for p in document.sections[0].footer.paragraphs))
    for foot in feet((tmp_path / "compare.xlsx").read_bytes()):
        says_all(foot)
    write_comparison([runs[0], runs[2]], tmp_path)
    foot = (tmp_path / "compare.html").read_text(encoding="utf-8").split("<footer>")[1]
    assert foot.startswith("<p>内部工作用图 未经审核不得公开</p>")
    assert TOLD["review_number"] in foot
    with zipfile.ZipFile(tmp_path / "compare.xlsx") as archive:
        assert "未经审核不得公开" in archive.read("xl/worksheets/sheet1.xml").decode("utf-8")


def test_every_picture_tells_its_standing(run: Run) -> None:
    """The same picture with and without a review number: only the mark can differ."""
    from catchment.views import charts
    from catchment.views.facts import read_facts

    facts = read_facts(run)
    bare = dataclasses.replace(run, provenance=run.provenance | {"review_number": ""})
    site = next(
        code for code, state in charts.site_states(run, facts).items() if state == "central"
    )
    town = str(facts.villages["township"].iloc[0])
    for lang in ("zh", "en"):
        for draw in (
            lambda r, lang=lang: charts.county_map(r, facts, lang=lang),
            lambda r, lang=lang: charts.township_map(r, facts, town, lang=lang),
            lambda r, lang=lang: charts.school_map(r, facts, site, lang=lang),
            lambda r, lang=lang: charts.minutes_chart(r, facts, lang=lang),
            lambda r, lang=lang: charts.years_chart(r, facts, lang=lang),
        ):
            assert draw(run) == draw(run)
            assert draw(run) != draw(bare)


def test_pictures_of_a_comparison_tell_its_standing(run: Run, tmp_path: Path) -> None:
    bare = dataclasses.replace(run, provenance=run.provenance | {"review_number": ""})
    found = {}
    for name, each in (("told", run), ("bare", bare)):
        runs = [save(each, tmp_path / f"{name}{k}") for k in range(2)]
        compared = comparison.read_runs(runs, "zh")
        document = comparison.comparison_document(
            compared, comparison.schools_that_differ(runs, "zh"),
            comparison.villages_that_differ(compared),
        )  # fmt: skip
        found[name] = [block.png for block in document.blocks if isinstance(block, Picture)]
    assert len(found["told"]) == 2
    assert all(a != b for a, b in zip(found["told"], found["bare"], strict=True))
    assert mark_of([run.provenance, run.provenance], "zh") == f"审图号：{TOLD['review_number']}"
    assert mark_of([run.provenance, bare.provenance], "zh") == "内部工作用图 未经审核不得公开"
    assert mark_of([], "zh") == "内部工作用图 未经审核不得公开"


def test_a_note_in_both_languages_is_told_in_one(run: Run, tmp_path: Path) -> None:
    note = "示范数据，不得用于真实决定。 Demonstration data, not for real decisions"
    noted = dataclasses.replace(run, region=run.region.replace(note=note))
    content = ledger_bytes(noted, lang="en")
    line = str(openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]["A2"].value)
    assert "Demonstration data" in line
    assert "示范数据" not in line
    runs = [
        save(each, tmp_path / each.name) for each in (noted, dataclasses.replace(noted, name="b"))
    ]
    write_comparison(runs, tmp_path, "en")
    body = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "Demonstration data" in body
    assert "示范数据" not in body
