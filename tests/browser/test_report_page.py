"""The HTML report in a real Chromium without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from catchment.views.report import write_report
from tests.views.document_run import document_run, hostile_run

pytestmark = pytest.mark.browser
CHROMIUM = Path("/usr/bin/chromium")


@pytest.mark.parametrize("kind", ["plain", "hostile"])
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
def test_the_page_opens_without_a_complaint(kind: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    run = document_run(villages=60) if kind == "plain" else hostile_run(villages=54)
    page_file = write_report(run, tmp_path)[1]
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(offline=True).new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda fault: said.append(str(fault)))
        page.on("request", lambda r: asked.append(r.url) if r.url.startswith("http") else None)
        page.goto(page_file.as_uri())
        assert page.evaluate("window.hit") is None
        assert page.evaluate("document.scripts.length") == 0
        shapes = page.evaluate("[...document.images].map(i => i.naturalWidth)")
        assert len(shapes) >= 10
        assert min(shapes) > 500
        # Nothing is wider than a phone but the tables, which scroll by themselves.
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 392
        # The plan's column of the summary is seen without scrolling.
        edge = page.evaluate("document.querySelector('table').getBoundingClientRect().right")
        assert edge <= 390
        paper = page.pdf(prefer_css_page_size=True, print_background=True)
        browser.close()
    assert paper.startswith(b"%PDF")
    assert said == []
    assert asked == []
