"""What is open, how to respond and what a sheet says of itself, on the parents' page."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import pandas as pd
import pptx
import pytest

from catchment.errors import InputError
from catchment.run import Run
from catchment.scenario import read_scenario
from catchment.views.deck import deck_bytes
from catchment.views.facts import focus_year, read_facts
from catchment.views.parents import parents_payload, write_parents
from tests.views.document_run import document_run, empty_run

NOTICE = {
    "place": "县教育局二楼",
    "contact": "王老师",
    "phone": "0851-1234567",
    "until": "2026-12-31",
}


@pytest.fixture(scope="module")
def run() -> Run:
    """The made-up county, whose findings speak of today, of years on the way and of the plan."""
    made = document_run(villages=54)
    focus, table = read_facts(made).focus, made.findings
    mine = table[table["code"] == "R-TRV-01"]
    then = mine.head(17).assign(year=focus, plan="plan", result="fail")
    kept = mine.head(31).assign(year=focus, plan="today", result="fail")
    way = mine.head(40).assign(year=made.problem.years[1], plan="plan", result="fail")
    assert focus not in made.problem.years[:2]
    gate = table[table["code"] == "R-CON-01"].assign(year=made.problem.years[1], code="R-CON-09",
                                                     title_zh="更早撤并", plan="plan")  # fmt: skip
    asked = [
        table[table["code"] == "R-CON-01"].head(1).assign(
            year=focus, plan="plan", code="R-CON-08", title_zh=title, result="evidence",
            id=made.problem.site_ids[k],
        )
        for k, title in enumerate(("撤并程序：公示", "撤并程序：听证"))
    ]  # fmt: skip
    parts = [table.assign(plan="plan"), then, kept, way, gate, *asked]
    return dataclasses.replace(
        made, findings=pd.concat(parts, ignore_index=True), scenario={"notice": NOTICE}
    )


def slides(run: Run) -> list[tuple[str, list[list[str]]]]:
    """Text and rows of the table of every slide."""
    found = []
    for slide in pptx.Presentation(io.BytesIO(deck_bytes(run))).slides:
        text = "\n".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
        tables = [s.table for s in slide.shapes if s.has_table]
        rows = [[c.text for c in row.cells] for table in tables for row in table.rows]
        found.append((text, rows))
    return found


def test_page_and_slide_count_the_same_open_points(run: Run) -> None:
    page = parents_payload(run)
    text, rows = slides(run)[7]
    words = {"不符合": "fail", "待补证据": "evidence", "无法判定": "unknown"}
    told = {(row[0], words[row[2]]): int(row[3]) for row in rows[1:]}
    open_points = {(o[1], o[0]): o[5] for o in page["open"]}
    assert told
    assert told.items() <= open_points.items()
    more = re.search(r"另有 (\d+) 项", text)
    assert len(open_points) == len(told) + int(more.group(1) if more else 0)
    assert open_points["一至三年级单程不超过半小时", "fail"] == 17
    assert ("更早撤并", "evidence") in open_points
    assert (
        open_points["撤并程序：公示", "evidence"] == open_points["撤并程序：听证", "evidence"] == 1
    )
    assert page["focus"] == focus_year(run) == read_facts(run).focus
    assert f"{page['focus']} 学年" in text


def test_schools_are_named_only_with_what_papers_and_the_ground_decide(run: Run) -> None:
    """A rule that counts students would tell more of a small school than the page may."""
    told = {(o[1], o[0]): o[6] for o in parents_payload(run)["open"]}
    assert told["撤并程序：公示", "evidence"] == [0]
    assert told["撤并程序：听证", "evidence"] == [1]
    papers = run.findings["code"].str.startswith(("R-CON", "R-SITE")) | (
        run.findings["code"] == "R-TRV-05"
    )
    counted = set(run.findings.loc[~papers, "title_zh"])
    assert counted
    for (title, result), sites in told.items():
        assert not sites or title not in counted
        assert (
            not sites
            or result != "fail"
            or title
            in set(run.findings.loc[run.findings["code"].str.startswith("R-SITE"), "title_zh"])
        )


def test_the_focus_year_is_one() -> None:
    for made in (document_run(villages=54), empty_run()):
        assert focus_year(made) == read_facts(made).focus


def test_nobody_is_sent_to_a_report_that_is_not_public(run: Run) -> None:
    for text, _ in slides(run):
        assert "审议报告" not in text


def test_the_slide_promises_nothing_and_counts_the_listed_trips(run: Run) -> None:
    text, _ = slides(run)[6]
    hit = re.search(r"计 (\d+) 项）校车 (\d+) 项、寄宿 (\d+) 项、其他 (\d+) 项", text)
    assert hit is not None
    count, *parts = map(int, hit.groups())
    assert count == sum(parts)
    assert "没有落实前不撤并" not in text
    assert "必须先落实" in text


def test_a_recipe_tells_how_to_respond(run: Run, tmp_path: Path) -> None:
    assert parents_payload(run)["notice"] == NOTICE
    text, _ = slides(run)[9]
    for value in NOTICE.values():
        assert value in text
    given = parents_payload(run, notice={"phone": "110"})["notice"]
    assert given == {"place": "", "contact": "", "until": "", "phone": "110"}
    recipe = tmp_path / "r.toml"
    body = 'name = "试"\nyears = [2026]\n[notice]\n'
    recipe.write_text(body + "".join(f'{k} = "{v}"\n' for k, v in NOTICE.items()), "utf-8")
    assert read_scenario(recipe).model_dump()["notice"] == NOTICE
    recipe.write_text(body + 'fax = "1"\n', "utf-8")
    with pytest.raises(InputError, match="fax"):
        read_scenario(recipe)


def test_the_page_says_what_it_is_and_where_it_comes_from(run: Run, tmp_path: Path) -> None:
    told = parents_payload(run)
    assert "未经审核不得公开" in told["standing"]["zh"]
    assert "not for publication" in told["standing"]["en"]
    for source in run.region.sources:
        assert source.file in told["sources"]["zh"]
        assert source.file in told["sources"]["en"]
    assert "national" in told["rules"]["zh"]
    reviewed = dataclasses.replace(run, provenance=run.provenance | {"review_number": "黔S 012"})
    page = write_parents(reviewed, tmp_path / "p.html").read_text("utf-8")
    block = re.search(r'id="parents-data">(.*?)</script>', page)
    assert block is not None
    assert "黔S 012" in json.loads(block.group(1))["standing"]["zh"]
