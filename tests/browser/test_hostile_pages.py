"""Hostile names in every file that a browser opens: comparison, book and notice beside the maps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from catchment.views.book import write_book
from catchment.views.comparison import write_comparison
from catchment.views.files import write_text
from catchment.views.folder import _json, record
from catchment.views.geopackage import write_geopackage
from catchment.views.notice_sheet import write_notice
from catchment.views.tables import write_tables
from tests.views.document_run import hostile_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of runs all of whose texts try to be markup, scripts or formulas."""
    made = tmp_path_factory.mktemp("hostile")
    run = hostile_run(villages=54)
    one = made / "one"
    one.mkdir()
    write_geopackage(run, one / "plan.gpkg")
    write_tables(run, one)
    write_text(one / "run.json", _json(record(run)).decode("utf-8"))
    shutil.copytree(one, made / "two")
    for lang in ("zh", "en"):
        write_comparison([one, made / "two"], made / f"compare.{lang}", lang)
        write_notice(run, made / f"notice.{lang}", lang=lang)
    write_book(run, made / "book")
    return made


@pytest.fixture(scope="module")
def watched(browser: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """What each page did when it was opened offline, on a desk and on a phone, and printed."""
    seen: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*/*.html")):
        said: list[str] = []
        asked: list[str] = []
        context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
        page = context.new_page()
        page.on("console", lambda message, to=said: to.append(message.text))
        page.on("pageerror", lambda fault, to=said: to.append(str(fault)))
        page.on("dialog", lambda box, to=said: (to.append(box.message), box.dismiss()))
        page.on("request", lambda request, to=asked: to.append(request.url))
        page.goto(path.as_uri())
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(media="print")
        seen[path.relative_to(folder).as_posix()] = {
            "said": said,
            "asked": [a for a in asked if a != path.as_uri() and not a.startswith("data:")],
            "hit": page.evaluate("[window.hit, window.__hit]"),
            "active": page.evaluate(
                """document.querySelectorAll('script, iframe, object, embed, form, link, base,'
                + ' a[href]:not([href^="#"]), [onerror], [onload], [onclick], [style]').length"""
            ),
            "strange": page.evaluate(
                "[...document.images].filter(i => !i.src.startsWith('data:image/png')).length"
            ),
            "text": page.inner_text("body"),
            "policy": page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content"),
        }
        context.close()
    return seen


def test_every_kind_of_page_is_opened(watched: dict[str, dict[str, Any]]) -> None:
    assert sorted(watched) == [
        "book/book.html", "compare.en/compare.html", "compare.zh/compare.html",
        "notice.en/notice.html", "notice.zh/notice.html",
    ]  # fmt: skip


def test_nothing_runs_and_nothing_is_asked_for(watched: dict[str, dict[str, Any]]) -> None:
    for name, page in watched.items():
        assert page["said"] == [], name
        assert page["asked"] == [], name
        assert page["hit"] == [None, None], name
        assert (page["active"], page["strange"]) == (0, 0), name
        assert "<script>window.hit=1</script>" in page["text"], name


def test_the_policy_lets_nothing_in(watched: dict[str, dict[str, Any]]) -> None:
    for name, page in watched.items():
        rules = dict(part.strip().split(" ", 1) for part in page["policy"].split(";"))
        assert rules["default-src"] == "'none'", name
        assert "script-src" not in rules, name
        assert re.fullmatch(r"'sha256-[\w+/=]+'", rules["style-src"]), name
        assert rules["img-src"] == "data:", name
