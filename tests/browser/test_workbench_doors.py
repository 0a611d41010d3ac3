"""Import with its problems, the optimiser as a colleague, comparison, documents, recipes."""

from __future__ import annotations

import json
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.serving import DEMO, Seat, Server
from tests.tiny_files import write_tiny

pytestmark = pytest.mark.browser
Sit = Callable[..., Seat]
SCHOOL, OTHER = "冉家岩小学", "代家沟小学"
TINY, TINY_OTHER = "丁村教学点", "丙村小学"
LONG = 120_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the county everybody knows by heart: the optimiser is done with it in seconds."""
    folder = tmp_path_factory.mktemp("small")
    running = Server(write_tiny(folder / "tiny"), folder / "state.sqlite").start()
    yield running
    running.kill()


def finished(page: Any, kind: str) -> str:
    """Wait for the last job of a kind and say how it ended."""
    page.wait_for_function(
        """k => { const c = [...document.querySelectorAll('[data-job-id]')].find(x => x.textContent.includes(k));
          return c && !['queued', 'running'].includes(c.getAttribute('data-state')); }""",
        arg=kind,
        timeout=LONG,
    )
    return str(
        page.evaluate(
            "k => [...document.querySelectorAll('[data-job-id]')].find(x => x.textContent.includes(k)).getAttribute('data-state')",
            kind,
        )
    )


def close(seat: Seat, name: str) -> None:
    """Close a school."""
    seat.find(name)
    seat.page.click("[data-state=closed]")
    seat.saved()


def test_import_shows_its_problems_in_table_and_on_map(
    sit: Sit, server: Server, tmp_path: Path
) -> None:
    seat = sit(server)
    page = seat.page
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as out:
        for file in sorted(DEMO.iterdir()):
            if file.name == "学龄人口.csv":
                lines = file.read_text(encoding="gb18030").splitlines()
                cells = lines[1].split(",")
                cells[2] = "-5"
                lines[1] = ",".join(cells)
                out.writestr(file.name, "\r\n".join(lines).encode("gb18030"))
            elif file.is_file() and not file.name.startswith("."):
                out.write(file, file.name)
    page.click("#tab-files")
    page.set_input_files("#import-files", bad)
    page.wait_for_selector("#import-result", timeout=LONG)
    assert "错误" in page.inner_text("#import-result .callout")
    rows = page.locator("#problems tr.error")
    assert rows.count() >= 1
    assert "-5" in page.inner_text("#problems")
    assert page.locator("#import-accept").count() == 0
    if page.locator("#problems [data-keep^=problem-]").count():
        page.locator("#problems [data-keep^=problem-]").first.click()
    good = tmp_path / "good.zip"
    with zipfile.ZipFile(good, "w") as out:
        for file in sorted(DEMO.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                out.write(file, file.name)
    page.set_input_files("#import-files", good)
    page.wait_for_selector("#import-accept", timeout=LONG)
    seat.quiet()


def test_finish_this_comes_back_as_a_variant_and_compares(sit: Sit, small: Server) -> None:
    seat = sit(small)
    page = seat.page
    seat.fresh("请接着做")
    close(seat, TINY)
    own = page.evaluate("Catchment.workbench.model.variant.id")
    page.click("#tab-colleague")
    page.fill("#job-seconds", "8")
    page.select_option("#keep-add", label=TINY_OTHER)
    # One school is closed, there is nowhere to build and there are no areas: one box, not ticked.
    assert page.locator("fieldset.allow input").count() == 1
    assert not page.is_checked("#allow-reopen")
    page.check("#allow-reopen")
    page.select_option("#keep-add", index=1)
    assert page.is_checked("#allow-reopen")
    page.locator("[data-keep^=drop-]").last.click()
    with page.expect_request("**/api/jobs") as sent:
        page.click("[data-job=finish]")
    asked = json.loads(sent.value.post_data)
    assert (asked["reopen"], asked["build"], asked["areas"]) == (True, False, False)
    page.wait_for_selector("[data-job-id][data-state=running], [data-job-id][data-state=done]")
    assert finished(page, "接着做完") == "done"
    page.locator("[data-job-id] [data-variant]").first.click()
    page.wait_for_function("n => Catchment.workbench.model.variant.id !== n", arg=own)
    actions = seat.document()["actions"]
    closed = page.evaluate(
        "n => Catchment.workbench.model.siteId(Catchment.workbench.model.payload.sites.name.indexOf(n))",
        TINY,
    )
    kept = page.evaluate(
        "n => Catchment.workbench.model.siteId(Catchment.workbench.model.payload.sites.name.indexOf(n))",
        TINY_OTHER,
    )
    assert any(a["do"] == "merge" and a.get("school") == closed for a in actions)
    assert not any(a["do"] in ("merge", "downgrade") and a.get("school") == kept for a in actions)
    page.click("#tab-colleague")
    page.locator("[data-keep^=compare-]").first.click()
    page.wait_for_selector("#comparison")
    heads = page.locator("#comparison table >> nth=0 >> thead th")
    assert heads.count() >= 4
    assert page.locator("#comparison tr[data-figure=minutes_mean]").count() == 1
    seat.quiet()


def test_a_closed_school_is_reopened_by_hand(sit: Sit, small: Server) -> None:
    """A school that is closed is no building site: the action is to reopen it, and it is taken."""
    seat = sit(small)
    page = seat.page
    seat.fresh("恢复")
    seat.find("戊村小学")
    page.click("[data-state=all]")
    seat.saved()
    assert [(a["do"], a["school"]) for a in seat.document()["actions"]] == [("reopen", "X1")]
    seat.quiet()


def test_three_plans_come_back_side_by_side(sit: Sit, small: Server) -> None:
    seat = sit(small)
    page = seat.page
    seat.fresh("三个方案")
    page.click("#tab-colleague")
    page.fill("#job-seconds", "10")
    page.click("[data-job=three]")
    page.wait_for_selector("[data-job-id]")
    assert finished(page, "三个不同方案") == "done"
    card = page.locator("[data-job-id]").filter(has_text="三个不同方案").first
    plans = card.locator("[data-variant]").count()
    assert 1 <= plans <= 3
    assert card.locator("tbody tr").count() == plans
    seat.quiet()


def test_a_job_can_be_stopped_while_changes_go_on(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("停下")
    close(seat, SCHOOL)
    page.click("#tab-colleague")
    page.fill("#job-seconds", "120")
    page.click("[data-job=three]")
    page.wait_for_selector("[data-stop]")
    close(seat, OTHER)
    assert len(seat.document()["actions"]) == 2
    page.click("#tab-colleague")
    page.locator("[data-stop]").first.click()
    assert finished(page, "三个不同方案") in ("stopped", "done")
    seat.quiet()


def test_price_of_keeping_a_school(sit: Sit, small: Server) -> None:
    seat = sit(small)
    page = seat.page
    seat.fresh("保留的代价")
    page.click("#tab-colleague")
    page.fill("#job-seconds", "10")
    seat.find(TINY)
    page.click("[data-keep=price]")
    page.wait_for_selector("[data-job-id]")
    assert finished(page, "代价") == "done"
    card = page.locator("[data-job-id]").filter(has_text="代价").first.inner_text()
    assert TINY in card
    assert "元" in card
    seat.quiet()


def test_documents_by_button(sit: Sit, small: Server) -> None:
    seat = sit(small)
    page = seat.page
    seat.fresh("成套文件")
    close(seat, TINY)
    page.click("#tab-files")
    page.click("#documents")
    page.wait_for_selector("[data-job-id][data-state=done]", timeout=LONG)
    names = page.locator(".file-list a").all_inner_texts()
    for wanted in ("map.html", "parents.html", "report.docx"):
        assert any(wanted in n for n in names), names
    with page.expect_download() as waiting:
        page.locator(".file-list a").filter(has_text="map.html").first.click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert "成套文件" in text
    seat.quiet()


def test_recipe_out_and_in_again(sit: Sit, server: Server, tmp_path: Path) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("出与入")
    close(seat, SCHOOL)
    figure = seat.figure("minutes_mean")
    page.click("#tab-files")
    with page.expect_download() as waiting:
        page.click("#scenario-out")
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert tomllib.loads(text)["action"][0]["do"] == "merge"
    own = page.evaluate("Catchment.workbench.model.variant.id")
    file = tmp_path / "again.toml"
    file.write_text(text, encoding="utf-8")
    page.set_input_files("#scenario-file", file)
    page.wait_for_function("n => Catchment.workbench.model.variant.id !== n", arg=own)
    assert seat.figure("minutes_mean") == figure
    file.write_text("name = 'x'\nyears = [2026]\nnonsense = 1\n", encoding="utf-8")
    page.set_input_files("#scenario-file", file)
    page.wait_for_selector("#callouts .bad")
    assert "nonsense" in page.inner_text("#callouts")
    seat.quiet_about = ("422", "400")
    seat.quiet()
