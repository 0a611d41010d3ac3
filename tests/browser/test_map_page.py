"""The map in a real browser: opens alone, switches, finds, prints, and runs nothing foreign."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.browser.conftest import PHONE, Watched
from tests.views.map_county import HOSTILE

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]

RATIO = """
selectors => selectors.flatMap(s => [...document.querySelectorAll(s)].slice(0, 3).map(e => {
  const light = c => { const v = c.match(/[\\d.]+/g).map(Number).slice(0, 3).map(x => {
    x /= 255; return x <= 0.03928 ? x / 12.92 : Math.pow((x + 0.055) / 1.055, 2.4); });
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  let back = e, colour = 'rgba(0, 0, 0, 0)';
  while (back && /, 0\\)$/.test(colour)) { colour = getComputedStyle(back).backgroundColor; back = back.parentElement; }
  if (/, 0\\)$/.test(colour)) { colour = 'rgb(255, 255, 255)'; }
  const a = light(getComputedStyle(e).color), b = light(colour);
  return [s, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
}))
"""


def test_opens_without_a_network(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    seen.quiet()
    assert seen.painted() < 3000
    assert pages["map"].stat().st_size < 2_000_000
    assert "虚构县" in seen.page.inner_text("h1")
    assert "虚构数据" in seen.page.inner_text("#note")
    assert "未经审核不得公开" in seen.page.inner_text(".foot")
    assert "0123456789abcdef" in seen.page.inner_text(".foot")


def test_before_and_after_show_different_maps_and_years_other_figures(
    visit: Visit, pages: dict[str, Path]
) -> None:
    seen = visit(pages["map"])
    page = seen.page
    plan, caption = seen.picture(), page.inner_text("#tag-a")
    assert "方案" in caption
    page.click("#view [data-value=today]")
    today = seen.picture()
    assert today != plan
    assert "现状" in page.inner_text("#tag-a")
    page.click("#view [data-value=plan]")
    assert seen.picture() == plan
    figures = page.inner_text(".tiles")
    page.focus("#year")
    page.keyboard.press("Home")
    assert page.inner_text("#year-out") == "2026"
    assert page.inner_text(".tiles") != figures
    assert seen.picture() != plan
    page.click("#band [data-value='2']")
    assert "7–9" in page.inner_text("#tag-a")
    for kind in ("minutes", "change"):
        before = seen.picture()
        page.select_option("#fill", kind)
        assert seen.picture() != before
    seen.quiet()


def test_switching_takes_less_than_a_tenth_of_a_second(
    visit: Visit, pages: dict[str, Path]
) -> None:
    page = visit(pages["map"]).page
    for _ in range(3):
        for value in ("today", "plan"):
            page.click(f"#view [data-value={value}]")
        for band in (1, 2, 0):
            page.click(f"#band [data-value='{band}']")
        page.focus("#year")
        for key in ("ArrowLeft", "ArrowLeft", "ArrowRight"):
            page.keyboard.press(key)
    page.wait_for_timeout(200)
    took = page.evaluate("performance.getEntriesByName('catchment:switch').map(e => e.duration)")
    assert len(took) >= 20
    assert statistics.median(took) < 100


def test_figures_of_the_panel_are_those_of_the_run(visit: Visit, pages: dict[str, Path]) -> None:
    from tests.views.map_county import build_run

    run = build_run()
    seen = visit(pages["map"])
    page = seen.page
    page.focus("#year")
    page.keyboard.press("End")
    table = run.indicators
    mine = table[(table["year"] == 2029) & (table["scope"] == "county")]
    for label, cell in (("today", 2), ("plan", 3)):
        for name, title in (("students", "学生数"), ("schools_open", "学校数")):
            value = mine[(mine["indicator"] == name) & (mine["plan"] == label)]["value"].item()
            row = page.locator(".grid tbody tr", has=page.locator(f"th:text-is('{title}')"))
            if not row.count():
                row = page.locator(f".grid tbody tr:has(th:has-text('{title}'))").first
            assert row.first.locator("td").nth(cell - 1).inner_text() == f"{value:,.0f}"


def test_search_finds_any_part_of_a_name_by_keyboard(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    page = seen.page
    page.focus("#find")
    page.keyboard.type("家湾")
    assert page.get_attribute("#find", "aria-expanded") == "true"
    rows = page.locator("#found [role=option]")
    assert rows.count() > 3
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert rows.nth(1).get_attribute("aria-selected") == "true"
    wanted = rows.nth(1).locator(".name").first.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    assert page.inner_text(".place h2") == wanted
    assert page.locator("#found").is_hidden()
    page.fill("#find", "没有这个地方")
    assert "没有找到" in page.inner_text("#found")
    page.keyboard.press("Escape")
    assert page.locator("#found").is_hidden()
    page.click("#back")
    assert page.locator(".tiles").is_visible()
    seen.quiet()


def test_school_and_village_panels_tell_what_they_should(
    visit: Visit, pages: dict[str, Path]
) -> None:
    seen = visit(pages["map"])
    page = seen.page
    page.focus("#year")
    page.keyboard.press("Home")
    page.fill("#find", "S000")
    page.keyboard.press("Enter")
    text = page.inner_text("#page")
    for word in (
        "办学类型",
        "学位",
        "最大班额",
        "学生来自哪些村",
        "班额不超过 45 人",
        "某文件 第三条",
    ):
        assert word in text, word
    page.locator("details:has(summary:has-text('学生来自')) .link").first.click()
    text = page.inner_text("#page")
    for word in ("单程分钟", "方式", "小学低年级", "初中"):
        assert word in text, word
    page.click("#tab-findings")
    page.click("#page [data-value=all]")
    text = page.inner_text("#page")
    assert "引文未核实" in text
    assert "硬性" in text
    page.focus("#year")
    page.keyboard.press("End")
    page.click("#tab-worse")
    assert "→" in page.inner_text("#page")
    page.click("#tab-classes")
    assert page.locator("#page h2").is_visible()
    seen.quiet()


def test_click_on_the_map_opens_a_place(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    box = seen.page.locator("#map_a").bounding_box()
    seen.page.mouse.click(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.5)
    assert seen.page.locator(".place h2").is_visible()
    seen.quiet()


def test_side_by_side_shows_both_and_moves_together(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    page = seen.page
    page.click("#view [data-value=both]")
    assert "现状" in page.inner_text("#tag-a")
    assert "方案" in page.inner_text("#tag-b")
    canvases = page.locator(".leaflet-pane canvas")
    assert canvases.count() == 6
    assert seen.picture(0) != seen.picture(3)
    before = seen.picture(3)
    page.focus("#map_a")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    assert seen.picture(3) != before
    page.click("#view [data-value=plan]")
    assert page.locator("#frame-b").is_hidden()
    seen.quiet()


def test_layers_can_be_switched_off(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    for layer, sheet in (("roads", 1), ("schools", 2), ("villages", 2), ("catchments", 0)):
        before = seen.picture(sheet)
        box = seen.page.locator(f"#layer-{layer}")
        box.focus()
        seen.page.keyboard.press("Space")
        assert not box.is_checked()
        assert seen.picture(sheet) != before
    seen.quiet()


def test_both_languages_and_names_stay(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    page = seen.page
    page.click("#lang")
    assert page.get_attribute("html", "lang") == "en"
    text = page.inner_text(".bar") + page.inner_text("#tabs")
    assert "Side by side" in text
    assert "虚构县" in page.inner_text("h1")
    page.click("#tab-findings")
    page.click("#page [data-value=all]")
    text = page.inner_text("#page")
    assert "citation not verified" in text
    assert "A rule, art. 3" in text
    page.click("#lang")
    assert "左右对比" in page.inner_text(".bar")
    seen.quiet()


def test_hostile_names_are_text_everywhere(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["hostile"])
    page = seen.page
    assert HOSTILE[0] in page.inner_text("#county")
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3], HOSTILE[11]):
        page.fill("#find", text)
        assert page.locator("#found [role=option]").count() > 0, text
        assert text in page.locator("#found .name").first.inner_text()
        page.keyboard.press("Enter")
        assert page.inner_text(".place h2") == text
    for tab in ("figures", "worse", "findings", "classes"):
        page.click(f"#tab-{tab}")
    page.click("#tab-findings")
    page.click("#page [data-value=all]")
    page.click("#lang")
    page.click("#view [data-value=both]")
    box = page.locator("#map_a").bounding_box()
    for k in range(4):
        page.mouse.move(box["x"] + 80 + 60 * k, box["y"] + 300)
    page.wait_for_timeout(200)
    assert page.locator("img, iframe, object, embed").count() == 0
    seen.quiet()


def test_problem_map_is_quiet_with_hostile_rows(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["problems"])
    assert seen.page.locator("article").count() == len(HOSTILE)
    seen.page.locator("article .link").nth(1).click()
    assert HOSTILE[1] in seen.page.inner_text("#page")
    seen.quiet()


def test_phone_has_no_sideways_scroll(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"], PHONE, has_touch=True, is_mobile=True)
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert page.locator("#map_a").bounding_box()["height"] > 250
    page.fill("#find", "坪")
    page.keyboard.press("Enter")
    assert page.locator(".place h2").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.tap("#grip")
    assert page.locator("#panel").bounding_box()["height"] > 0.4 * PHONE[1]
    seen.quiet()


def test_focus_is_visible_and_every_control_has_a_name(
    visit: Visit, pages: dict[str, Path]
) -> None:
    page = visit(pages["map"]).page
    visited = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            "return [e.id || e.className || e.tagName, s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
        )
        visited.add(style[0])
        assert style[1] == "solid", style
        assert style[2] >= 2
    assert {"find", "year", "fill"} <= visited
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter(e => !(e.textContent.trim()"
        " || e.getAttribute('aria-label') || (e.labels && e.labels.length))).map(e => e.outerHTML)"
    )
    assert nameless == []


@pytest.mark.parametrize("name", ["map", "parents"])
def test_text_has_contrast(visit: Visit, pages: dict[str, Path], name: str) -> None:
    page = visit(pages[name]).page
    pairs = page.evaluate(
        RATIO,
        ["h1", ".note", ".seg button", ".seg button[aria-pressed=true]", ".tabs button", ".quiet",
         ".diff.bad", ".diff.good", ".tag", ".foot", ".foot strong", ".legend li", "thead th",
         ".tile .what", ".badge", ".sub", "summary", ".small", "footer p", ".ask h2"],
    )  # fmt: skip
    assert len(pairs) > 5
    assert [p for p in pairs if p[1] < 4.5] == []


def test_prints_on_paper(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    paper = seen.page.pdf(prefer_css_page_size=True, print_background=True)
    assert paper[:5] == b"%PDF-"
    assert len(paper) > 50_000
    seen.quiet()


def test_tiles_ask_for_their_host_and_nothing_else(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["osm"])
    seen.page.wait_for_timeout(300)
    assert seen.requests
    assert {r.split("/")[2] for r in seen.requests} == {"tile.openstreetmap.org"}


def test_village_tells_other_schools_and_school_its_years(
    visit: Visit, pages: dict[str, Path]
) -> None:
    from tests.views.map_county import build_run

    run = build_run()
    problem = run.problem
    seen = visit(pages["map"])
    page = seen.page
    page.focus("#year")
    page.keyboard.press("End")
    page.fill("#find", problem.village_ids[7])
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    own = run.plan.site_of[21, -1]
    others = [j for j in range(len(problem.site_ids)) if run.plan.open[j, 0, -1] and j != own]
    others.sort(key=lambda j: float(problem.minutes[0, 21, j]))
    rows = page.locator("section.band").first.locator(".other tbody tr")
    assert rows.count() == 2
    for k, j in enumerate(others[:2]):
        shown = float(rows.nth(k).locator("td").first.inner_text().split()[0])
        assert abs(shown - problem.minutes[0, 21, j]) <= 0.1
    page.fill("#find", "S000")
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    page.locator("summary:has-text('各年各年级')").click()
    cells = page.locator(".years-table tbody tr").first.locator("td")
    assert cells.count() == len(problem.years)
    everything = np.array(
        [
            problem.students[run.plan.site_of[:, t] == 0, :, t].sum(axis=0)
            for t in range(len(problem.years))
        ]
    )
    load = everything[:, everything.any(axis=0).argmax()].tolist()
    assert [int(c.split()[0].replace(",", "")) for c in cells.all_inner_texts()] == load
    seen.quiet()


def test_every_colouring_draws_something_else(visit: Visit, pages: dict[str, Path]) -> None:
    seen = visit(pages["map"])
    page = seen.page
    page.fill("#find", "S000")
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    pictures = set()
    for kind in ("catchments", "minutes", "change", "reach", "rings", "modes"):
        page.select_option("#fill", kind)
        pictures.add(seen.picture(0))
    assert len(pictures) == 6
    seen.quiet()


def test_rings_around_a_school_hold_the_villages_of_the_travel_matrix(
    visit: Visit, pages: dict[str, Path]
) -> None:
    from tests.views.map_county import build_run

    run = build_run()
    problem = run.problem
    seen = visit(pages["map"])
    page = seen.page
    page.focus("#year")
    page.keyboard.press("End")
    page.fill("#find", "S000")
    page.keyboard.press("Enter")
    page.click("#rings > summary")
    page.click("#rings-show")
    assert page.input_value("#fill") == "rings"
    lower = np.flatnonzero(problem.group_band == 0)
    minutes = np.round(problem.minutes[0, lower, 0].astype(float), 1)
    demand = problem.demand()[lower, -1]
    own = run.plan.site_of[lower, -1] == 0
    wanted = []
    for low, high in ((-1.0, 15.0), (15.0, 30.0), (30.0, 40.0), (40.0, np.inf)):
        ring = (minutes > low) & (minutes <= high) & np.isfinite(minutes)
        wanted.append([ring.sum(), demand[ring].sum(), demand[ring & own].sum()])
    rows = page.locator("#rings > table > tbody > tr")
    shown = [
        [int(c.replace(",", "")) for c in rows.nth(k).locator(":scope > td").all_inner_texts()]
        for k in range(4)
    ]
    assert shown == [[int(n) for n in row] for row in wanted]
    assert sum(row[0] for row in shown) == np.isfinite(minutes).sum()
    seen.quiet()


def test_what_if_by_keyboard_alone(visit: Visit, pages: dict[str, Path]) -> None:
    page = visit(pages["map"]).page
    page.focus("#find")
    page.keyboard.type("S030")
    page.keyboard.press("Enter")
    page.wait_for_timeout(900)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.hasAttribute('data-try')"):
            break
    assert page.evaluate("document.activeElement.hasAttribute('data-try')")
    page.keyboard.press("Enter")
    assert page.locator("#trial-bar").is_visible()
    assert page.evaluate("document.activeElement.closest('.try-row') !== null")
    page.focus("#undo")
    page.keyboard.press("Enter")
    assert page.locator("#trial-bar").is_hidden()


def test_review_number_takes_the_place_of_the_warning(visit: Visit, tmp_path: Path) -> None:
    import dataclasses

    from catchment.views.maps import write_map
    from catchment.views.parents import write_parents
    from tests.views.map_county import build_run

    run = build_run(villages=80)
    known = {"review_number": "黔S（2026）012号", "author": HOSTILE[0], "data_dates": "2026-09"}
    given = dataclasses.replace(run, provenance={**run.provenance, **known})
    seen = visit(write_map(given, tmp_path / "map.html"))
    foot = seen.page.inner_text(".foot")
    assert "审图号：黔S（2026）012号" in foot
    assert HOSTILE[0] in foot
    assert "2026-09" in foot
    assert "未经审核" not in foot
    assert seen.page.locator(".water").first.is_hidden()
    seen.quiet()
    seen = visit(write_parents(given, tmp_path / "parents.html"))
    assert "审图号：黔S（2026）012号" in seen.page.inner_text("footer")
    seen.quiet()


def test_hostile_names_of_areas_and_provenance_are_text(visit: Visit, tmp_path: Path) -> None:
    from dataclasses import replace

    import pandas as pd

    from catchment.views.maps import write_map
    from tests.views.map_county import build_run

    run = build_run(villages=60, hostile=True)
    codes = run.region.schools["school_id"].astype(str).tolist()[: len(HOSTILE)]
    areas = pd.DataFrame(
        {
            "area_id": [f"A{k}" for k in range(len(codes))],
            "name": list(HOSTILE[: len(codes)]),
            "central_school_id": codes,
        }
    )
    told = {"author": HOSTILE[0], "review_number": HOSTILE[3], "data_dates": HOSTILE[1]}
    run = replace(
        run, region=run.region.replace(areas=areas), provenance={**run.provenance, **told}
    )
    seen = visit(write_map(run, tmp_path / "map.html"))
    seen.page.select_option("#fill", "areas")
    seen.page.fill("#find", codes[0])
    seen.page.keyboard.press("Enter")
    assert HOSTILE[0] in seen.page.inner_text("#page")
    assert HOSTILE[0] in seen.page.inner_text("#stamp")
    assert seen.page.locator("img").count() == 0
    seen.quiet()


def test_only_sheets_whose_picture_changes_are_drawn_again(
    visit: Visit, pages: dict[str, Path]
) -> None:
    seen = visit(pages["map"])
    page = seen.page
    page.evaluate(
        """() => {
        window.__drawn = [];
        const clear = CanvasRenderingContext2D.prototype.clearRect;
        CanvasRenderingContext2D.prototype.clearRect = function (...a) {
          window.__drawn.push(this.canvas.parentNode.className.match(/leaflet-(\\w+)-pane/)[1]);
          return clear.apply(this, a);
        };
        }"""
    )
    page.click("#tab-findings")
    assert page.evaluate("window.__drawn") == ["marks"]
    page.evaluate("window.__drawn = []")
    page.select_option("#fill", "minutes")
    assert page.evaluate("window.__drawn") == ["fill", "marks"]
    page.evaluate("window.__drawn = []")
    page.click("#layer-roads")
    assert page.evaluate("window.__drawn") == ["roads", "marks"]
    seen.quiet()


def test_what_is_chosen_bears_its_name_once(visit: Visit, pages: dict[str, Path]) -> None:
    page = visit(pages["map"]).page
    page.evaluate(
        """() => {
          window.told = new Map();  // what each sheet bears since it was wiped
          const draw = CanvasRenderingContext2D.prototype.fillText;
          const wipe = CanvasRenderingContext2D.prototype.clearRect;
          CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            window.told.set(this.canvas, [...(window.told.get(this.canvas) || []), text]);
            return draw.call(this, text, ...rest);
          };
          CanvasRenderingContext2D.prototype.clearRect = function (...rest) {
            window.told.set(this.canvas, []);
            return wipe.call(this, ...rest);
          };
        }"""
    )
    page.fill("#find", "S000")
    page.keyboard.press("Enter")
    page.wait_for_selector("#page h2")
    name = page.inner_text("#page h2")
    page.wait_for_timeout(600)
    shown = "n => [...window.told].filter(([c]) => c.isConnected).map(([, t]) => t.filter(x => x === n).length)"
    assert sum(page.evaluate(shown, name)) == 1


def test_every_printed_sheet_says_what_it_is(visit: Visit, tmp_path: Path) -> None:
    """Digest, system, rules and sources stand in a margin box of each sheet, in both languages."""
    import dataclasses

    from catchment.region.model import Source
    from catchment.views.maps import write_map
    from catchment.views.story import rules_of
    from tests.views.map_county import build_run

    run = build_run(villages=60)
    evil = '"; } body { display: none } </style>{{7*7}}'
    sources = (Source("villages", "村庄.gpkg", "ab", 3), Source("schools", evil, "cd", 3))
    region = dataclasses.replace(run.region, sources=sources)
    seen = visit(write_map(dataclasses.replace(run, region=region), tmp_path / "map.html"))
    page = seen.page
    for lang, words in (("zh", "未经审核不得公开"), ("en", "not for publication")):
        if lang == "en":
            page.click("#lang")
        assert page.evaluate("getComputedStyle(document.body).page") == f"sheet-{lang}"
        box = page.evaluate(
            """name => [...document.styleSheets].flatMap(s => [...s.cssRules])
            .filter(r => r.type === CSSRule.PAGE_RULE && r.selectorText === name)
            .map(r => r.cssText)""",
            f"sheet-{lang}",
        )
        assert len(box) == 1
        told = re.sub(r"\\([0-9a-f]+) ", lambda m: chr(int(m[1], 16)), box[0])
        for part in (words, "0123456789abcdef", "EPSG:", rules_of(run), "村庄.gpkg", "{{7*7}}"):
            assert part in told
    assert page.evaluate("getComputedStyle(document.body).display") == "flex"
    seen.quiet()
