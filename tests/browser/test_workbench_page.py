"""The page itself: text stays text, both languages whole, keyboard, contrast, phone, print."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import PHONE
from tests.browser.serving import Seat, Server

pytestmark = pytest.mark.browser
Sit = Callable[..., Seat]
SCHOOL = "冉家岩小学"
ASSETS = Path(__file__).resolve().parents[2] / "catchment" / "web" / "assets"
HOSTILE = (
    '<img src=x onerror="window.__hit=1">',
    "${window.__hit=2}",
    "</script><script>window.__hit=3</script>",
    'O\'Brien "x" & <b>b</b>',
    '=HYPERLINK("http://example.invalid")',
    "\u202eevil",
    "__proto__",
)


def test_no_asset_holds_inline_code_or_asks_the_world() -> None:
    page = (ASSETS / "workbench.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\son\w+=|\sstyle=|<style", page)
    for file in sorted(ASSETS.iterdir()):
        text = file.read_text(encoding="utf-8")
        hosts = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not hosts, file.name
        if file.suffix == ".js":
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
                text,
            ), file.name


def test_every_word_is_there_in_both_languages(sit: Sit, server: Server) -> None:
    import csv

    rows: dict[str, list[str]] = {}
    for table in (ASSETS.parent / "words.csv", ASSETS.parents[1] / "views" / "map_words.csv"):
        with table.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                assert row["key"] not in rows, row["key"]
                rows[row["key"]] = [row["zh"], row["en"]]
                assert row["zh"]
                assert row["en"]
                assert set(re.findall(r"\{\w+\}", row["zh"])) == set(
                    re.findall(r"\{\w+\}", row["en"])
                ), row["key"]
    used = set()
    for file in ASSETS.iterdir():
        used |= set(
            re.findall(
                r'"((?:web|map|unit|role)\.[a-z_0-9]+[a-z0-9])"', file.read_text(encoding="utf-8")
            )
        )
    assert used - set(rows) == set()
    seat = sit(server)
    page = seat.page
    # The name of the variant stands in the captions, in whatever language it was given.
    seat.fresh("words")
    page.click("#lang")
    for tab in ("figures", "checks", "colleague", "variants", "history", "files"):
        page.click(f"#tab-{tab}")
        left = page.evaluate(
            """() => { const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walk.nextNode()) { const n = walk.currentNode, p = n.parentElement;
                if (/[\\u4e00-\\u9fff]/.test(n.data) && p.checkVisibility() && !p.closest('bdi, option, #lang, #me, #note, .foot')) { out.push(n.data); } }
              return out; }"""
        )
        assert [x for x in left if "云岭" not in x] == [], tab
    seat.quiet()


def test_text_of_people_is_text(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    for bad in HOSTILE:
        known = page.evaluate("Catchment.workbench.variants.list().length")
        page.click("#tab-variants")
        page.click("#variant-new")
        page.fill("#dialog input[name=name]", bad)
        page.fill("#dialog textarea", bad)
        page.keyboard.press("Tab")
        page.click("#dialog [data-answer=ok]")
        page.wait_for_function("k => Catchment.workbench.variants.list().length > k", arg=known)
        page.wait_for_selector("#dialog:not([open])", state="attached")
    seat.find(SCHOOL)
    page.fill("#why", HOSTILE[0])
    page.click("[data-state=closed]")
    seat.saved()
    page.click("#tab-history")
    page.wait_for_function("() => document.querySelectorAll('#history > li').length > 1")
    assert HOSTILE[0] in page.inner_text("#history")
    page.click("#tab-variants")
    assert HOSTILE[0] in page.inner_text(".variant-list")
    assert page.locator("#page img, #page script, #page b > b").count() == 0
    seat.quiet()


def test_everything_has_a_name_and_can_be_reached_by_keyboard(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, a, input, select, [role=tab], [tabindex="0"]')].filter(n => n.checkVisibility()).filter(n =>
          !(n.textContent.trim() || n.getAttribute('aria-label') || n.getAttribute('aria-labelledby') || (n.labels && n.labels.length) || n.title)).map(n => n.outerHTML.slice(0, 90))"""
    )
    assert [n for n in nameless if "leaflet" not in n and "map_a" not in n] == []
    page.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.getAttribute('data-tool') || document.activeElement.className"
            )
        )
    for wanted in (
        "variant",
        "find",
        "meeting",
        "year",
        "fill",
        "limits",
        "toggle",
        "tab-figures",
        "page",
    ):
        assert wanted in seen, wanted
    page.focus("#tab-figures")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-checks", "aria-selected") == "true"
    seat.quiet()


def test_contrast_is_enough(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    page.wait_for_timeout(300)
    low = page.evaluate(
        """() => { const lum = c => { const f = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
          const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
          const back = n => { for (; n; n = n.parentElement) { const c = rgb(getComputedStyle(n).backgroundColor); if (c.length === 3 || c[3] > 0.6) { return c.slice(0, 3); } } return [255, 255, 255]; };
          const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) { const p = walk.currentNode.parentElement; if (!walk.currentNode.data.trim() || !p.checkVisibility() || p.closest(':disabled, .tile, [aria-hidden=true], .leaflet-control')) { continue; }
            const a = lum(rgb(getComputedStyle(p).color).slice(0, 3)), b = lum(back(p)), r = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (r < 4.5) { out.push([walk.currentNode.data.trim().slice(0, 20), r.toFixed(2), p.className]); } }
          return out; }"""
    )
    assert low == []


@pytest.mark.parametrize("size", [PHONE, (820, 1180)])
def test_phone_and_tablet_show_all_without_scrolling_sideways(
    sit: Sit, server: Server, size: tuple[int, int]
) -> None:
    seat = sit(server, size=size, has_touch=True)
    page = seat.page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for wanted in ("#headline", "#worse", "#map_a", "#rail", "#year"):
        assert page.locator(wanted).is_visible()
    small = page.evaluate(
        "[...document.querySelectorAll('#rail button, #tabs button')].filter(n => { const r = n.getBoundingClientRect(); return r.height < 40 || r.width < 40; }).length"
    )
    assert small == 0
    seat.find(SCHOOL)
    # tap() scrolls by itself, and looks again where the card has just been drawn anew
    page.locator("[data-state=point]").tap()
    seat.saved()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    seat.quiet()


def test_figures_are_printed_with_what_gets_worse(sit: Sit, server: Server, tmp_path: Path) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("打印")
    seat.find(SCHOOL)
    page.click("[data-state=closed]")
    seat.saved()
    page.click("#tab-figures")
    file = tmp_path / "print.pdf"
    page.pdf(path=str(file), format="A4")
    assert file.stat().st_size > 20_000
    page.emulate_media(media="print")
    assert page.locator("#figures").is_visible()
    assert page.locator("#worse-table").is_visible()
    assert page.locator(".rail").is_hidden()
    # What goes from hand to hand says what it is: year, version, not for publication, invented.
    year = page.evaluate("Catchment.workbench.model.years[Catchment.workbench.state.year]")
    said = page.inner_text("#paper")
    assert str(year) in said
    assert page.inner_text("#link-state") in said
    assert page.locator(".foot strong").is_visible()
    assert page.locator("#stamp").is_visible()
    assert page.locator("[data-figure=minutes_mean] .big small").is_visible()
    # The whole list stands on paper; nobody can press "more" there.
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#worse-table tbody tr").count() == page.evaluate(
        "Catchment.workbench.model.worse().length"
    )
    assert page.locator("#worse .wide").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    seat.quiet()
