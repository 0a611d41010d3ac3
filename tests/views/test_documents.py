"""Report, workbook, flat tables and GeoPackage of a run."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import docx
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from docx.oxml.ns import qn
from docx.shared import Pt

from catchment.run import Run
from catchment.views import charts
from catchment.views.document import MANY_COLUMNS, Column, Document, Table
from catchment.views.docx_writer import docx_bytes
from catchment.views.facts import read_facts
from catchment.views.geopackage import write_geopackage
from catchment.views.html_writer import html_bytes
from catchment.views.report import report_document, write_report
from catchment.views.story import tell
from catchment.views.tables import write_tables
from catchment.views.workbook import write_ledger
from tests.views.document_run import document_run, empty_run, hostile_run

FILES = ("report.docx", "report.html", "ledger.xlsx", "indicators.csv", "findings.csv", "plan.gpkg")


def write_all(run: Run, folder: Path, lang: str = "zh") -> Path:
    write_report(run, folder, lang=lang)
    write_ledger(run, folder / "ledger.xlsx", lang=lang)
    write_tables(run, folder)
    write_geopackage(run, folder / "plan.gpkg", lang=lang)
    return folder


@pytest.fixture(scope="module")
def run() -> Run:
    return document_run(villages=60)


@pytest.fixture(scope="module")
def folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(run, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(hostile_run(villages=54), tmp_path_factory.mktemp("hostile"))


def test_nothing_but_the_wanted_files_is_left(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)


def test_the_same_run_gives_the_same_bytes(run: Run, folder: Path, tmp_path: Path) -> None:
    again = write_all(run, tmp_path)
    for name in FILES:
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_figures_of_the_summary_are_those_of_the_indicators(run: Run, folder: Path) -> None:
    paper = docx.Document(folder / "report.docx")
    table = next(t for t in paper.tables if t.cell(0, 0).text == "指标")
    heads = [cell.text for cell in table.rows[0].cells]
    focus = read_facts(run).focus
    assert heads == [
        "指标", "现状（2026）", f"不调整（{focus}）", f"方案（{focus}）", "方案与不调整之差",
    ]  # fmt: skip
    figures = run.indicators[run.indicators["scope"] == "county"].set_index(
        ["indicator", "year", "plan"]
    )["value"]
    wanted = {
        "学生数（人）": "students", "平均单程（分钟）": "minutes_mean", "学校数（所）": "schools_open",
        "大班额班级（个）": "large_classes", "超时人数（人）": "over_limit_students",
    }  # fmt: skip
    seen = 0
    for row in table.rows[1:]:
        cells = [cell.text for cell in row.cells]
        if cells[0] not in wanted:
            continue
        seen += 1
        code, values = wanted[cells[0]], [float(c.replace(",", "")) for c in cells[1:]]
        expected = [
            figures[code, 2026, "today"], figures[code, focus, "today"],
            figures[code, focus, "plan"],
        ]  # fmt: skip
        expected.append(expected[2] - expected[1])
        places = 1 if code == "minutes_mean" else 0
        assert values == pytest.approx([round(v, places) for v in expected], abs=0.0501), cells
    assert seen == len(wanted)


def test_trips_agree_with_the_indicators(run: Run) -> None:
    trips = read_facts(run).trips
    county = run.indicators[run.indicators["scope"] == "county"]
    for plan in ("today", "plan"):
        for year in run.problem.years:
            mine = trips[(trips["plan"] == plan) & (trips["year"] == year)]
            given = county[(county["plan"] == plan) & (county["year"] == year)].set_index(
                "indicator"
            )
            assert mine["students"].sum() == given.loc["students", "value"]
            over = mine.loc[mine["over_limit"], "students"].sum()
            assert over == given.loc["over_limit_students", "value"]
            lost = mine.loc[mine["site_id"] == "", "students"].sum()
            assert lost == given.loc["unserved", "value"]


def test_students_of_the_townships_add_up(run: Run, folder: Path) -> None:
    text = "\n".join(p.text for p in docx.Document(folder / "report.docx").paragraphs)
    parts = [int(n.replace(",", "")) for n in re.findall(r"个村，\d{4} 学年学生 ([\d,]+) 人", text)]
    focus = run.problem.years.index(read_facts(run).focus)
    assert len(parts) >= 5
    assert sum(parts) == int(run.problem.students[:, :, focus].sum())


def test_a_village_has_one_number_everywhere(run: Run, folder: Path) -> None:
    facts = read_facts(run)
    book = openpyxl.load_workbook(folder / "ledger.xlsx")["村前后对照"]
    heads = [cell.value for cell in book[3]]
    layer = gpd.read_file(folder / "plan.gpkg", layer="villages", engine="pyogrio").set_index(
        "village_id"
    )
    t, seen = run.problem.years.index(facts.focus), 0
    for row in book.iter_rows(min_row=4, values_only=True):
        values = dict(zip(heads, row, strict=True))
        band = {"小学低年级": "lower", "小学高年级": "upper", "初中": "junior"}[values["学段"]]
        i = run.problem.village_ids.index(values["村代码"]) * 3 + run.problem.bands.index(band)
        site = run.plan.site_of[i, t]
        assert values[f"学生（{facts.focus}方案）"] == run.problem.students[i, :, t].sum()
        if site < 0:
            assert values["方案就读学校"] == "未落实就读学校"
            continue
        assert values["方案就读学校代码"] == run.problem.site_ids[site]
        minutes = run.problem.minutes[0, i, site]
        assert values["方案单程（分钟）"] == pytest.approx(minutes, abs=0.051)
        assert layer.loc[values["村代码"], f"{band}_min_plan"] == values["方案单程（分钟）"]
        seen += 1
    assert seen > 80


def test_official_layout(folder: Path) -> None:
    paper = docx.Document(folder / "report.docx")
    page = paper.sections[0]
    assert (round(page.page_width.mm), round(page.page_height.mm)) == (210, 297)
    margins = (page.top_margin, page.bottom_margin, page.left_margin, page.right_margin)
    assert [round(m.mm) for m in margins] == [37, 35, 28, 26]
    fonts = {"Title": "方正小标宋简体", "cat body": "仿宋_GB2312", "Heading 1": "黑体",
             "Heading 2": "楷体_GB2312", "cat cell": "仿宋_GB2312"}  # fmt: skip
    for name, font in fonts.items():
        marks = paper.styles[name].element.rPr.rFonts
        assert marks.get(qn("w:eastAsia")) == font
        assert marks.get(qn("w:eastAsiaTheme")) is None
    body = paper.styles["cat body"]
    assert (body.font.size, body.paragraph_format.line_spacing) == (Pt(16), Pt(28))
    assert body.element.pPr.ind.get(qn("w:firstLineChars")) == "200"
    assert paper.styles["Title"].font.size == Pt(22)
    used = {p.style.name for p in paper.paragraphs}
    assert used <= {"Title", "Heading 1", "Heading 2", "Heading 3"} | {
        s for s in used if s.startswith("cat ")
    }
    foot = "\n".join(p.text for p in page.footer.paragraphs)
    assert "内部工作用图 未经审核不得公开" in foot
    assert "0123456789abcdef" in foot
    assert "随机种子 1" in foot
    assert "national" in foot


def test_tables_repeat_their_heads_and_fit_the_page(folder: Path) -> None:
    paper = docx.Document(folder / "report.docx")
    assert len(paper.tables) > 20
    for table in paper.tables:
        first = table._tbl.tr_lst[0]
        assert first.trPr.find(qn("w:tblHeader")) is not None
        widths = [int(c.get(qn("w:w"))) for c in table._tbl.tblGrid.findall(qn("w:gridCol"))]
        assert sum(widths) <= 156 * 56.7 + len(widths)


def test_the_report_says_what_a_township_asks(run: Run, folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in (
        "虚构数据", "各校接收的村", "各校分年级班数", "需要校车、床位和餐位的学校", "先建：",
        "大班额", "撤并审查", "待补证据", "无法判定", "不符合", "未核实", "审核与盖章", "负责人签字",
        "学生数平衡表", "a" * 16,
    ):  # fmt: skip
        assert words in page, words
    for name in run.region.villages["name"]:
        assert name in page


def test_villages_that_get_worse_are_named(run: Run) -> None:
    document = report_document(run, pictures=False)
    tables = [
        b for b in document.blocks if getattr(b, "caption", "").startswith("单程时间增加超过")
    ]
    named = {(row[0], row[2], row[7]) for t in tables for row in t.rows}
    problem, names = run.problem, run.region.villages.set_index("village_id")["name"]
    wanted = set()
    for i in range(len(problem.group_band)):
        here = int(run.today.site_of[i, 0])
        trips = [
            (float(problem.minutes[problem.network[t], i, j]), -t)
            for t, j in enumerate(run.plan.site_of[i])
            if here >= 0 and j >= 0
        ]
        longest, when = max(trips, default=(0.0, 0))
        if trips and longest - float(problem.minutes[problem.network[0], i, here]) > 10:
            name = names[problem.village_ids[problem.group_village[i]]]
            wanted.add((name, str(problem.years[-when]), f"{longest:,.1f}"))
    assert wanted
    assert named == wanted


def test_the_gate_never_passes_what_is_open(run: Run) -> None:
    story = tell(run, "zh")
    text = " ".join(getattr(b, "text", "") for b in report_document(run, pictures=False).blocks)
    assert "不得实施：不得因撤并产生大班额" in text
    assert "尚不能决定" in text
    assert "项均符合" not in text
    bare = tell(replace(run, findings=run.findings.iloc[0:0]), "zh")
    from catchment.views.chapters.gate import chapter as gate

    words = [b.text for b in gate(bare) if hasattr(b, "text")]
    assert sum("不能据此认定可以撤并" in w for w in words) == len(
        bare.facts.changes[bare.facts.changes["kind"].isin(["close", "downgrade"])]
    )
    odd = run.findings.assign(result="fine")
    assert set(tell(replace(run, findings=odd), "zh").findings["result"]) == {"unknown"}
    assert len(story.findings) == len(run.findings)


def test_findings_of_the_plan_are_not_called_findings_of_today(run: Run) -> None:
    from catchment.views.chapters.findings import today_findings

    site_of = run.plan.site_of.copy()
    site_of[0, 0] = (site_of[0, 0] + 1) % len(run.problem.site_ids)
    moved = replace(run, plan=run.plan.replace(site_of=site_of))
    assert today_findings(tell(moved, "zh"))[1] == "plan"
    text = " ".join(getattr(b, "text", "") for b in report_document(moved, pictures=False).blocks)
    assert "本方案拟议事项" in text
    rooms = run.problem.rooms.copy()
    rooms[:] = rooms[:, :1]
    idle = replace(
        moved,
        plan=run.today.replace(site_of=site_of),
        problem=run.problem.replace(rooms=rooms),
        scenario={},
    )
    text = " ".join(getattr(b, "text", "") for b in report_document(idle, pictures=False).blocks)
    assert "重新划定各村就读学校" in text
    assert "以下为现状核查" not in text
    still = replace(run, plan=run.today)
    assert today_findings(tell(still, "zh"))[1] == "today"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("src", "href", "action", "srcset"):
                self.addresses.append((value or "")[:22])


@pytest.mark.parametrize("which", ["folder", "hostile"])
def test_the_page_holds_no_script_and_no_address(
    which: str, request: pytest.FixtureRequest
) -> None:
    page = (request.getfixturevalue(which) / "report.html").read_text(encoding="utf-8")
    found = _Tags()
    found.feed(page)
    assert found.tags <= {
        "html", "head", "meta", "title", "style", "body", "main", "footer", "h1", "h2", "h3", "h4",
        "p", "div", "table", "caption", "colgroup", "col", "thead", "tbody", "tr", "th", "td",
        "figure", "img", "figcaption", "nav", "ol", "li", "a",
    }  # fmt: skip
    assert not {a for a in found.attributes if a.startswith("on")}
    assert "style" not in found.attributes
    jumps = [address for address in found.addresses if address.startswith("#")]
    assert set(found.addresses) - set(jumps) <= {"data:image/png;base64,"}
    # The contents lead to every chapter and township, inside the file.
    assert len(jumps) == len(set(jumps)) > 10
    assert all(page.count(f'id="{jump[1:]}"') == 1 for jump in jumps)
    assert "default-src 'none'" in page
    assert "unsafe" not in page
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha256(style[1].encode("utf-8")).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page
    assert "url(" not in style[1]


def test_hostile_text_is_text_in_the_workbook(hostile: Path) -> None:
    with zipfile.ZipFile(hostile / "ledger.xlsx") as archive:
        for name in archive.namelist():
            content = archive.read(name)
            ET.fromstring(content)
            assert b"<f>" not in content
            assert b"<hyperlink" not in content
            assert b'TargetMode="External"' not in content
    book = openpyxl.load_workbook(hostile / "ledger.xlsx")
    cells = [c for page in book for row in page.iter_rows() for c in row if c.value is not None]
    assert any(str(c.value).startswith("=HYPERLINK") for c in cells)
    assert all(c.data_type in ("s", "n", "d") and c.hyperlink is None for c in cells)


def test_hostile_text_is_text_in_the_document(hostile: Path) -> None:
    with zipfile.ZipFile(hostile / "report.docx") as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                ET.fromstring(archive.read(name))
        body = archive.read("word/document.xml").decode("utf-8")
        assert "TargetMode" not in archive.read("word/_rels/document.xml.rels").decode("utf-8")
    text = "\n".join(p.text for p in docx.Document(hostile / "report.docx").paragraphs)
    assert "<script>window.hit=1</script>" in text
    assert "w:hyperlink" not in body
    assert "\x00" not in body


@pytest.mark.parametrize("name", ["indicators.csv", "findings.csv"])
def test_no_cell_of_a_flat_table_is_a_formula(name: str, hostile: Path) -> None:
    content = (hostile / name).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len({len(row) for row in rows}) == 1
    for row in rows[1:]:
        for cell in row:
            if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
                float(cell)
    if name == "findings.csv":
        assert any("'=HYPERLINK" in cell for row in rows for cell in row)


def test_flat_indicators_hold_every_value_in_full(run: Run, folder: Path) -> None:
    table = pd.read_csv(folder / "indicators.csv", encoding="utf-8-sig", dtype={"id": str})
    assert list(table.columns) == ["indicator", "unit", "scope", "id", "year", "value", "plan"]
    np.testing.assert_allclose(table["value"], run.indicators["value"], rtol=1e-15, atol=0)
    text = (folder / "indicators.csv").read_text(encoding="utf-8-sig")
    assert not re.search(r",-?\d+(\.\d+)?e[+-]\d", text)


def test_the_ledger_is_a_working_sheet(run: Run, folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "ledger.xlsx")
    assert book.sheetnames == [
        "大班额销号台账", "学校清单", "班级与学生", "村前后对照", "行动清单", "人员与生活设施",
        "学位余缺年份", "小班化比较", "优质均衡差异系数", "优质均衡各校达标", "字段说明", "选项",
    ]  # fmt: skip
    for page in book.worksheets[:10]:
        assert "A1" in {r.start_cell.coordinate for r in page.merged_cells.ranges}
        assert page.freeze_panes is not None
        assert page.auto_filter.ref is not None
        assert page.print_title_rows == "$1:$3"
        assert page.page_setup.orientation == "landscape"
        # A4, or A3 for a wide register; letters of ten points are printed with seven at least.
        paper = {"9": 297.0, "8": 420.0}[str(page.page_setup.paperSize)]
        widths = [page.column_dimensions[c.column_letter].width for c in page[3]]
        printed = widths[:-2] if page.title == "大班额销号台账" else widths
        assert (paper - 25.4) / (sum(printed) * 1.96) > 0.7, page.title
        assert page.page_setup.fitToWidth in (None, 1)  # one page wide is the default
        assert page.page_setup.fitToHeight == 0
        assert page.sheet_properties.pageSetUpPr.fitToPage
        assert "内部工作用图" in page.oddFooter.center.text
    page = book["大班额销号台账"]
    heads = [cell.value for cell in page[3]]
    rows = [dict(zip(heads, r, strict=True)) for r in page.iter_rows(min_row=4, values_only=True)]
    assert len(rows) == len(run.ledger)
    codes = [row["台账编号"] for row in rows]
    assert len(set(codes)) == len(codes)
    assert codes[0] == "2026/S000/1/1"
    assert [row["序号"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["类别"] for row in rows] == ["超大班额", "大班额"]
    lists = [v for v in page.data_validations.dataValidation if v.type == "list"]
    assert len(lists) == 2
    assert book["选项"].sheet_state == "hidden"
    for each in lists:
        sheet, cells = each.formula1.replace("'", "").split("!")
        values = [c[0].value for c in book[sheet][cells.replace("$", "")]]
        assert all(values)


def test_the_dictionary_explains_every_column(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "ledger.xlsx")
    known = {
        (row[0], row[1])
        for row in book["字段说明"].iter_rows(min_row=3, values_only=True)
        if all(row)
    }  # fmt: skip
    for page in book.worksheets[:10]:
        for cell in page[3]:
            assert (page.title, cell.value) in known


def test_codes_keep_their_zeros(run: Run, tmp_path: Path) -> None:
    ledger = run.ledger.assign(school_id="0012345678", class_no="01")
    path = write_ledger(replace(run, ledger=ledger), tmp_path / "l.xlsx")
    page = openpyxl.load_workbook(path)["大班额销号台账"]
    heads = [cell.value for cell in page[3]]
    row = dict(zip(heads, [c.value for c in page[4]], strict=True))
    assert row["学校代码"] == "0012345678"
    assert row["班号"] == "01"


def test_the_geopackage_opens_styled(run: Run, folder: Path) -> None:
    path = folder / "plan.gpkg"
    listed = {str(name) for name in gpd.list_layers(path)["name"]}
    assert listed == {"villages", "schools", "catchments", "roads", "layer_styles"}
    counts = {"villages": len(run.region.villages), "schools": len(run.problem.site_ids),
              "catchments": len(run.catchments), "roads": len(run.network.length)}  # fmt: skip
    with sqlite3.connect(path) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        styles = base.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
        titles = dict(
            base.execute(
                "SELECT column_name, title FROM gpkg_data_columns WHERE table_name = 'villages'"
            )
        )
        stamps = set(base.execute("SELECT last_change FROM gpkg_contents"))
    base.close()
    assert stamps == {("2000-01-01T00:00:00.000Z",)}
    assert titles["lower_min_plan"] == "小学低年级 方案单程（分钟）"
    assert {row[0] for row in styles} == set(counts)
    for layer, column, qml, default in styles:
        table = gpd.read_file(path, layer=layer, engine="pyogrio")
        assert len(table) == counts[layer]
        assert table.crs == run.region.crs
        assert table.geometry.notna().all()
        assert (column, default) == ("geom", 1)
        tree = ET.fromstring(qml.split("?>")[-1].split("'SYSTEM'>")[-1])
        aliases = tree.findall("aliases/alias")
        assert {a.get("field") for a in aliases} == set(table.columns) - {"geometry"}
        symbols = {s.get("name") for s in tree.iter("symbol")}
        used = {e.get("symbol") for e in [*tree.iter("category"), *tree.iter("rule")]} - {None}
        assert used <= symbols
    schools = gpd.read_file(path, layer="schools", engine="pyogrio")
    tree = ET.fromstring(next(s[2] for s in styles if s[0] == "schools").split("'SYSTEM'>")[-1])
    assert set(schools["state"]) <= {c.get("value") for c in tree.iter("category")}


def test_homes_are_in_no_output(run: Run, folder: Path) -> None:
    home = run.region.students.geometry.iloc[0]
    for name in FILES:
        content = (folder / name).read_bytes()
        parts = [content]
        if name.endswith(("docx", "xlsx")):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                parts = [archive.read(member) for member in archive.namelist()]
        for part in parts:
            assert b"HOMEPOINT" not in part
            assert f"{home.x:.0f}".encode() not in part
    for layer in ("villages", "schools", "catchments", "roads"):
        shapes = gpd.read_file(folder / "plan.gpkg", layer=layer, engine="pyogrio").geometry
        points = shapes[shapes.geom_type == "Point"]
        assert not len(points) or points.distance(home).min() > 50


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_run_with_nothing_in_it_is_told(lang: str, tmp_path: Path) -> None:
    folder = write_all(empty_run(), tmp_path, lang)
    page = (folder / "report.html").read_text(encoding="utf-8")
    said = "本次运行没有核查结果" if lang == "zh" else "This run has no findings"
    assert said in page
    assert ("台账为空" if lang == "zh" else "the ledger is empty") in page
    assert len(openpyxl.load_workbook(folder / "ledger.xlsx").sheetnames) == 12


def test_english_documents_are_english(run: Run, tmp_path: Path) -> None:
    write_ledger(run, tmp_path / "ledger.xlsx", lang="en")
    book = openpyxl.load_workbook(tmp_path / "ledger.xlsx")
    for page in book.worksheets[:10]:
        for cell in page[3]:
            assert not re.search("[\u4e00-\u9fff]", str(cell.value))
    document = report_document(run, lang="en", pictures=False)
    for block in document.blocks:
        for column in getattr(block, "columns", ()):
            assert not re.search("[\u4e00-\u9fff]", column.title)
        if hasattr(block, "level") and block.level == 1:
            assert not re.search("[\u4e00-\u9fff]", block.text)


def test_pictures_are_steady_and_not_empty(run: Run) -> None:
    from PIL import Image

    facts = read_facts(run)
    town = str(run.region.villages["township"].iloc[0])
    for draw in (
        lambda: charts.county_map(run, facts, lang="zh"),
        lambda: charts.township_map(run, facts, town, lang="en"),
        lambda: charts.minutes_chart(run, facts, lang="zh"),
        lambda: charts.years_chart(run, facts, lang="zh"),
    ):
        first = draw()
        assert first == draw()
        picture = Image.open(io.BytesIO(first)).convert("L")
        assert picture.size[0] >= 900
        assert np.asarray(picture).std() > 10


def _captions(run: Run) -> Iterator[str]:
    for block in report_document(run, pictures=False).blocks:
        yield getattr(block, "caption", "")


def test_actions_of_every_year_are_listed(run: Run) -> None:
    listed = {c for c in _captions(run) if c.endswith("学年行动")}
    years = {int(y) for y in read_facts(run).changes["year"]} | {2026}
    assert listed == {f"{year} 学年行动" for year in years}


def test_the_summary_counts_the_items_of_the_gate_that_are_listed(run: Run) -> None:
    from catchment.views.chapters.gate import chapter as gate

    shown = {"符合": 0, "不符合": 0, "无法判定": 0, "待补证据": 0}
    for block in gate(tell(run, "zh")):
        for row in getattr(block, "rows", ()):
            shown[row[2]] += 1
    text = " ".join(getattr(b, "text", "") for b in report_document(run, pictures=False).blocks)
    for words, count in shown.items():
        assert re.search(rf"[：，]{words} {count} 项", text), (words, count)


def test_columns_leave_no_word_broken_and_names_have_what_is_left() -> None:
    heads = ("Township", "Village", "Grades", "School year", "Students", "From", "To",
             "Before (min)", "After (min)", "Growth", "Mode")  # fmt: skip
    row = ("云城镇", "周家岩", "Grades 7-9", "2027", "4", "云岭县第二初级中学", "石笋初级中学",
           "22.8", "47.7", "+24.9", "School bus")  # fmt: skip
    table = Table(tuple(Column(head, 1.0) for head in heads), (row,))
    letter, wide = 1.45, 166.0
    given = dict(zip(heads, table.shares(wide, letter), strict=True))
    assert sum(given.values()) == pytest.approx(1.0)
    for head in heads:
        longest = max(len(part) for part in head.split())
        assert given[head] * wide >= longest * letter, head
    # A Chinese character takes 1.8 letters: a name of nine stands in three lines at most.
    assert given["From"] * wide >= 3 * 1.8 * letter
    assert given["From"] > given["Growth"]


def test_a_table_of_many_columns_is_set_in_smaller_type_in_both_files() -> None:
    few, many = (
        Table(tuple(Column(f"c{k}") for k in range(n)), (tuple(map(str, range(n))),))
        for n in (MANY_COLUMNS - 1, MANY_COLUMNS)
    )
    document = Document("t", "en", (few, many))
    assert html_bytes(document).count(b'<table class="dense">') == 1
    paper = docx.Document(io.BytesIO(docx_bytes(document)))
    styles = [t.rows[0].cells[0].paragraphs[0].style.name for t in paper.tables]
    assert styles == ["cat head", "cat densehead"]
    sizes = [paper.styles[name].font.size.pt for name in styles]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_word_of_a_heading_of_the_workbook_is_broken(
    run: Run, lang: str, tmp_path: Path
) -> None:
    book = openpyxl.load_workbook(write_ledger(run, tmp_path / "ledger.xlsx", lang=lang))
    told = 0
    for page in book.worksheets:
        if page.sheet_state != "visible":
            continue
        for cell in page[3]:
            words = re.findall(r"[A-Za-z]+", str(cell.value or ""))
            width = page.column_dimensions[cell.column_letter].width
            assert width > max(map(len, words), default=0), (page.title, cell.value)
            told += len(words)
    assert told > (0 if lang == "zh" else 50)
