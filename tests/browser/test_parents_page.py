"""The parents' page in a real browser, at the width of a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catchment.views.facts import read_facts
from catchment.views.parents import write_parents
from tests.browser.conftest import PHONE, Watched
from tests.views.document_run import document_run
from tests.views.map_county import HOSTILE, build_run
from tests.views.stepped_run import by_bus_and_back

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]


def test_finds_my_village_and_says_what_changes(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["parents"], PHONE, has_touch=True, is_mobile=True)
    page = seen.page
    run = build_run()
    i = next(
        i
        for i in range(len(run.problem.group_village))
        if run.today.site_of[i, 0] != run.plan.site_of[i, -1] >= 0
    )
    village = run.problem.village_ids[run.problem.group_village[i]]
    page.fill("#find", village)
    page.keyboard.press("Enter")
    text = page.inner_text("#answer")
    names = dict(zip(run.region.schools["school_id"], run.region.schools["name"], strict=True))
    names |= dict(zip(run.region.sites["site_id"], run.region.sites["name"], strict=True))
    for site in (run.today.site_of[i, 0], run.plan.site_of[i, -1]):
        assert names[run.problem.site_ids[site]] in text
        minutes = run.problem.minutes[0, i, site]
        assert f"{minutes:,.1f} 分钟" in text
    assert "换学校" in text
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert float(page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")) >= 17
    seen.quiet()


def test_a_village_is_found_under_the_name_people_say(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["parents"], PHONE)
    page, name = seen.page, build_run().region.villages["name"].iloc[0]
    assert not name.endswith("村")
    for said in (name + "村", name + "自然村", name + "村委会"):
        page.fill("#find", said)
        assert name in page.inner_text("#found"), said
    page.fill("#find", "没有这个地方村")
    assert "没有找到" in page.inner_text("#found")
    seen.quiet()


def test_says_what_is_built_what_is_open_and_how_to_respond(
    visit: Visit, pages: dict[str, Path]
) -> None:
    seen = visit(pages["parents"], PHONE)
    seen.page.evaluate(
        "document.querySelectorAll('#common details').forEach(d => { d.open = true; })"
    )
    text = seen.page.inner_text("#common")
    for word in ("先建好", "扩建", "还没有落实的事", "听取家长意见", "怎样提意见", "截止日期"):
        assert word in text, word
    seen.page.click("#lang")
    assert "How to respond" in seen.page.inner_text("#common")
    seen.quiet()


def test_can_be_browsed_without_typing(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["parents"], PHONE)
    page = seen.page
    page.click("#browse > summary")
    page.locator("#towns summary").first.click()
    page.locator("#towns button").first.click()
    assert page.locator(".village h2").first.is_visible()
    seen.quiet()


def test_prints_a_sheet_a_village(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["parents"])
    page = seen.page
    page.fill("#find", "寨")
    page.keyboard.press("Enter")
    page.evaluate(
        "window.print = () => { window.__sheets = document.querySelectorAll('#sheets article').length; }"
    )
    town = page.inner_text(".village .town")
    page.click("#print-town")
    data = page.evaluate("JSON.parse(document.getElementById('parents-data').textContent).villages")
    wanted = sum(v["town"] == town for v in data)
    assert page.evaluate("window.__sheets") == wanted
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type /Page\b", paper)) == wanted
    seen.quiet()


def test_a_sheet_has_the_largest_type_that_fits(visit: Visit, pages: dict[str, Path]) -> None:
    """Each sheet is one page; raised by half a point, a smaller type would not fit on it."""
    seen = visit(pages["parents"])
    page = seen.page
    page.click("#browse > summary")
    page.evaluate("window.print = () => {}")
    for lang in ("zh", "en"):
        page.click("#print-all")
        data = page.evaluate("JSON.parse(document.getElementById('parents-data').textContent)")
        assert page.locator("#sheets article").count() == len(data["villages"])
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 695, "height": 1000})
        sheets = page.evaluate(
            """() => [...document.querySelectorAll('#sheets article')].map(a => {
              const size = parseFloat(a.style.getPropertyValue('--pt')), tall = a.offsetHeight;
              const told = [...a.querySelectorAll('*')].filter(e => [...e.childNodes].some(
                c => c.nodeType === 3 && c.textContent.trim()));
              const least = Math.min(...told.map(e => parseFloat(getComputedStyle(e).fontSize)));
              a.style.setProperty('--pt', size + 0.5);
              a.style.setProperty('--least', Math.min(size + 0.5, 9) + 'pt');
              a.classList.toggle('tight', size + 0.5 <= 10);
              const next = a.offsetHeight;
              a.style.setProperty('--pt', size);
              a.style.setProperty('--least', Math.min(size, 9) + 'pt');
              a.classList.toggle('tight', size <= 10);
              return [size, least * 0.75, tall, next, a.style.zoom]; })"""
        )
        page_tall = 277 * 96 / 25.4
        for size, least, tall, larger, zoom in sheets:
            assert least >= min(size, 9) - 1e-3
            assert zoom == ""
            assert tall <= page_tall
            assert size == 11.5 or larger > page_tall
        assert max(size for size, *_ in sheets) >= 10.5
        page.emulate_media(media="screen")
        if lang == "zh":
            page.set_viewport_size({"width": 1440, "height": 900})
            page.evaluate("window.dispatchEvent(new Event('afterprint'))")
            page.click("#lang")
    seen.quiet()


def test_a_phone_prints_the_same_sheets(visit: Visit, pages: dict[str, Path]) -> None:
    sizes = []
    for width in (1440, 390):
        page = visit(pages["parents"]).page
        page.set_viewport_size({"width": width, "height": 844})
        page.click("#browse > summary")
        page.evaluate("window.print = () => {}")
        page.click("#print-all")
        sizes.append(
            page.evaluate(
                "[...document.querySelectorAll('#sheets article')]"
                ".map(a => a.style.getPropertyValue('--pt'))"
            )
        )
    assert sizes[0] == sizes[1]
    assert len(set(sizes[0])) > 1


def test_hostile_names_are_text(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["hostile_parents"], PHONE)
    page = seen.page
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[11]):
        page.fill("#find", text)
        page.keyboard.press("Enter")
        assert page.inner_text(".village h2 >> nth=0") == text
    assert HOSTILE[0] in page.inner_text("#common")
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    seen.quiet()


def answered(page: Any, question: str) -> str:
    """What the page says to a question that parents ask."""
    return str(
        page.evaluate(
            "q => { const d = [...document.querySelectorAll('#answer .qa dt')].find(x => x.textContent === q);"
            " return d.nextElementSibling.textContent; }",
            question,
        )
    )


def test_a_bus_of_the_middle_years_is_not_denied(visit: Visit, tmp_path: Path) -> None:
    run, village, built = by_bus_and_back(document_run(villages=54))
    problem = run.problem
    years, code = problem.years, problem.village_ids[village]
    page_file = write_parents(run, tmp_path / "p.html", lang="en")
    seen = visit(page_file)
    page = seen.page
    page.fill("#find", code)
    page.keyboard.press("Enter")
    name = read_facts(run).sites["name"].iloc[built]
    said = answered(page, "How do children get there? Is there a bus?")
    assert "counts on a school bus" in said
    assert "no bus is needed" not in said
    assert f"{name} (from autumn {years[1]} until autumn {years[-1]})" in said
    first = answered(page, "Is the new school ready first?")
    assert name in first
    assert "is built" in first
    classes = answered(page, "Will classes be too large?")
    assert name in classes
    # A standard of 45 must not run together with the grades 4-6 that follow it on paper.
    page.emulate_media(media="print")
    gap = "getComputedStyle(document.querySelector('#answer .qa p'), '::after').content"
    assert page.evaluate(gap).strip('"') == "\u2002"
    seen.quiet()


def test_one_village_is_one_sheet_that_says_what_it_is(visit: Visit, tmp_path: Path) -> None:
    run = document_run(villages=54)
    seen = visit(write_parents(run, tmp_path / "p.html"))
    page = seen.page
    page.fill("#find", run.problem.village_ids[3])
    page.keyboard.press("Enter")
    page.evaluate("window.print = () => {}")
    page.click("#print-one")
    assert page.locator("#sheets article").count() == 1
    text = page.evaluate("document.querySelector('#sheets article').textContent")
    digest = str(run.provenance["digest"])[:16]
    for said in ("未经审核不得公开", "编制：未填写", digest, "村.csv", "学校.xlsx", "national"):
        assert said in text, said
        assert said in page.text_content("#stamp"), said
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type /Page\b", paper)) == 1
    seen.quiet()
