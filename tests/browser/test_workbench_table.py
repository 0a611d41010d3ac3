"""The workbench at one table: change, see every figure follow, undo, and what a run says of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catchment.run import execute
from tests.browser.serving import Seat, Server

pytestmark = pytest.mark.browser
Sit = Callable[..., Seat]
SCHOOL, CENTRE, POINT = "冉家岩小学", "铜鼓岩中心小学", "桃子坳教学点"
TOWN_CENTRE, LIJIA = "桐子园中心小学", "李家坝教学点"


def number(text: str) -> float:
    """Read a figure as shown."""
    return float(text.replace(",", "").rstrip("%"))


def run_of(seat: Seat, server: Server, tmp_path: Path) -> tuple[Any, dict[str, Any]]:
    """Run the recipe that the page hands out, by the command's own way."""
    seat.page.click("#tab-files")
    with seat.page.expect_download() as waiting:
        seat.page.click("#scenario-out")
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    recipe = tomllib.loads(text)
    text = re.sub(r"(?m)^region = .*$", f'region = "{server.region.as_posix()}"', text)
    file = tmp_path / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    return execute(file), recipe


def test_opening_shows_today_and_the_link_opens_once(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    assert "#t=" not in page.url
    if page.evaluate("Boolean(Catchment.workbench.model.variant)"):
        # Left on the table by another test of this server; one without actions is today's.
        seat.fresh("照旧")
    run = execute(server.region / "scenarios" / "today.toml")
    seat.year(year := 2028)
    table = run.indicators
    mine = table[
        (table["scope"] == "county") & (table["plan"] == "today") & (table["year"] == year)
    ]
    value = mine.set_index("indicator")["value"]
    for name in ("over_limit_students", "schools_open", "large_classes"):
        assert number(seat.figure(name)) == value[name]
    assert number(seat.figure("minutes_mean")) == pytest.approx(value["minutes_mean"], abs=0.05)
    # Where another test has started the server again its new link is unused: one more uses it up.
    for last in (False, True):
        stranger = page.context.browser.new_context()
        other = stranger.new_page()
        other.goto(server.link)
        other.wait_for_selector("html[data-failed], html[data-ready]", state="attached")
        if last:
            assert other.evaluate("document.documentElement.hasAttribute('data-ready')") is False
            assert "新链接" in other.inner_text("#callouts")
        stranger.close()
    seat.quiet()


def test_closing_a_school_moves_every_figure_and_a_run_agrees(
    sit: Sit, server: Server, tmp_path: Path
) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("停办一所")
    before = number(seat.figure("schools_open"))
    assert "没有村比现状更远" in page.inner_text("#worse-sum")
    seat.find(SCHOOL)
    page.fill("#why", "生源不足")
    page.click("[data-state=closed]")
    seat.saved()
    assert number(seat.figure("schools_open")) == before - 1
    names = page.locator("#worse-table th .name").all_inner_texts()
    assert "冉家岩" in names
    assert page.get_attribute("[data-state=closed]", "aria-pressed") == "true"
    run, recipe = run_of(seat, server, tmp_path)
    assert [a["do"] for a in recipe["action"]] == ["merge"]
    assert recipe["action"][0]["reason"] == "生源不足"
    year = int(page.inner_text("#year-out"))
    table = run.indicators
    mine = table[(table["scope"] == "county") & (table["plan"] == "plan") & (table["year"] == year)]
    value = mine.set_index("indicator")["value"]
    page.click("#tab-figures")
    shown = {
        row.get_attribute("data-figure"): row.locator("td").nth(1).inner_text()
        for row in page.locator("#figures tbody tr").all()
    }
    checked = 0
    for name, text in shown.items():
        if name in value and text != "—":
            told = number(text) / (100 if text.endswith("%") else 1)
            close = 0.5 if abs(value[name]) >= 10_000 else 0.0006 if text.endswith("%") else 0.051
            assert told == pytest.approx(value[name], abs=close), name
            checked += 1
    assert checked > 12
    # What gets worse, by name and minutes, is what the run says.
    position = {v: k for k, v in enumerate(run.problem.village_ids)}
    t = run.problem.years.index(year)
    bands = len(run.problem.bands)
    answer = page.evaluate("Catchment.workbench.model.answer.worse")
    assert answer
    for row in answer:
        g = row["village"] * bands + row["band"]
        j = int(run.plan.site_of[g, t])
        assert j == row["to"]
        minutes = float(run.problem.minutes[run.problem.network[t], g, j])
        assert row["after"] / 10 == pytest.approx(minutes, abs=0.051)
    assert len(position) == len(run.problem.village_ids)
    page.click("#tab-checks")
    page.wait_for_selector(".gate .steps li", timeout=60_000)
    gate = run.findings[run.findings["code"] == "R-GATE"]
    assert len(gate) == page.locator(".gate").count() == 1
    seat.quiet()


def test_click_switches_a_school_round_and_every_step_can_be_undone(
    sit: Sit, server: Server
) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("点击切换")
    j = seat.site(SCHOOL)
    seat.find(SCHOOL)
    page.wait_for_timeout(800)
    page.keyboard.press("Escape")
    page.click("[data-tool=toggle]")
    states = []
    for _ in range(3):
        page.mouse.click(*seat.spot("site", j))
        page.wait_for_timeout(30)
        seat.saved()
        states.append(page.evaluate("j => Catchment.workbench.edit.stateOf(j)", j))
    assert states == ["point", "closed", "all"]
    assert seat.document()["actions"] == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    page.wait_for_function("j => Catchment.workbench.edit.stateOf(j) === 'closed'", arg=j)
    page.click("#undo")
    page.wait_for_function("j => Catchment.workbench.edit.stateOf(j) === 'point'", arg=j)
    page.click("#redo")
    page.wait_for_function("j => Catchment.workbench.edit.stateOf(j) === 'closed'", arg=j)
    page.click("#tab-history")
    page.wait_for_function("() => document.querySelectorAll('#history > li').length >= 7")
    kinds = page.evaluate("[...document.querySelectorAll('#history > li')].map(x => x.className)")
    assert kinds[:3] == ["kind-redo", "kind-undo", "kind-undo"]
    assert SCHOOL in page.inner_text("#history")
    seat.quiet()


def test_villages_are_dragged_and_lassoed_to_a_school(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("移村")
    j, to = seat.site(SCHOOL), seat.site(CENTRE)
    seat.find(SCHOOL)
    page.wait_for_timeout(800)
    mine = page.evaluate(
        """j => { const m = Catchment.workbench.model, out = [];
          for (let i = 0; i < m.nVillages; i++) { if (m.now().site[m.group(i, 0)] === j && m.demand()[m.group(i, 0)]) { out.push(i); } }
          return out; }""",
        j,
    )
    page.click("[data-tool=move]")
    page.mouse.move(*seat.spot("village", mine[-1]))
    page.mouse.down()
    page.mouse.move(*seat.spot("site", to), steps=6)
    page.mouse.up()
    seat.saved()
    actions = seat.document()["actions"]
    assert [a["do"] for a in actions] == ["move"]
    assert len(actions[0]["villages"]) == 1
    assert page.evaluate("g => Catchment.workbench.model.now().site[g]", mine[-1] * 3) == to
    # A line drawn round several villages, then a click on the school.
    spots = [seat.spot("village", i) for i in mine[:-1]]
    left, right = min(x for x, _ in spots) - 14, max(x for x, _ in spots) + 14
    top, low = min(y for _, y in spots) - 14, max(y for _, y in spots) + 14
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, low), (left, low), (left, top)):
        page.mouse.move(*corner, steps=5)
    page.mouse.up()
    held = page.evaluate("Catchment.workbench.tools.held().villages")
    assert set(mine[:-1]) <= set(held)
    page.mouse.click(*seat.spot("site", to))
    seat.saved()
    assert all(
        page.evaluate("g => Catchment.workbench.model.now().site[g]", i * 3) == to for i in mine
    )
    page.click("#undo")
    page.wait_for_function(
        "([g, j]) => Catchment.workbench.model.now().site[g] !== j", arg=[mine[0] * 3, to]
    )
    seat.quiet()


def test_a_village_is_sent_by_keyboard(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("键盘")
    seat.find("冉家岩")
    page.locator("[data-send]").first.focus()
    to = int(page.locator("[data-send]").first.get_attribute("data-send"))
    page.keyboard.press("Enter")
    seat.saved()
    assert seat.document()["actions"][0]["to"] == page.evaluate(
        "j => Catchment.workbench.model.siteId(j)", to
    )
    assert page.evaluate("document.getElementById('page').contains(document.activeElement)")
    seat.quiet()


def test_a_school_is_placed_a_road_closed_and_one_built(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("新校与道路")
    count = page.evaluate("Catchment.workbench.model.nSites")
    seat.find("冉家岩")
    page.wait_for_timeout(800)
    page.click("[data-tool=place]")
    x, y = seat.spot("site", seat.site(CENTRE))
    page.mouse.click(x + 24, y + 30)
    page.fill("#dialog input[name=name]", "<b>新希望</b>小学")
    page.keyboard.press("Enter")
    seat.saved()
    assert page.evaluate("Catchment.workbench.model.nSites") == count + 1
    assert page.evaluate("k => Catchment.workbench.model.siteName(k)", count) == "<b>新希望</b>小学"
    assert page.evaluate("k => Catchment.workbench.model.now().open[k]", count) > 0
    page.click("[data-tool=cut]")
    page.mouse.click(x + 3, y + 3)
    seat.saved()
    page.wait_for_function("() => Catchment.workbench.model.variant.document.actions.length === 2")
    page.click("[data-tool=road]")
    page.mouse.click(*seat.spot("village", 279))
    page.mouse.click(x, y + 6)
    page.click("#dialog [data-answer=ok]")
    page.wait_for_function(
        "() => Catchment.workbench.model.variant.document.actions.length === 3 || "
        "document.querySelector('#callouts .bad')"
    )
    said = page.inner_text("#callouts")
    assert seat.document()["actions"][-1]["do"] == "road", said
    page.keyboard.press("Escape")
    assert page.locator("#page b").filter(has_text="新希望").count() == 0
    seat.quiet()


def test_a_school_is_placed_and_a_road_cut_by_keyboard(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("键盘")
    count = page.evaluate("Catchment.workbench.model.nSites")
    page.focus("#map_a")
    page.keyboard.press("n")
    page.focus("#map_a")
    where = "(() => { const c = Catchment.workbench.scene.boards[0].map.getCenter(); return [c.lng, c.lat]; })()"
    first = page.evaluate(where)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("f => f[0] < " + where + "[0]", arg=first)
    page.wait_for_timeout(400)
    page.keyboard.press("Enter")
    page.fill("#dialog input[name=name]", "新校")
    page.keyboard.press("Enter")
    seat.saved()
    assert page.evaluate("Catchment.workbench.model.nSites") == count + 1
    at = seat.document()["actions"][0]["at"]
    assert at == pytest.approx(page.evaluate(where), abs=0.01)
    assert page.evaluate("Catchment.workbench.state.tool") == "look"
    page.focus("#map_a")
    page.keyboard.press("Enter")
    assert page.locator("#dialog[open]").count() == 0
    seat.quiet()


def test_the_year_is_turned_before_and_after_the_rest_has_come(sit: Sit, server: Server) -> None:
    """A click is answered with one year; turning the year never shows another year's plan."""
    seat = sit(server)
    page = seat.page
    seat.fresh("年份")
    seat.find(SCHOOL)
    page.click("[data-state=closed]")
    seat.saved()
    first = page.evaluate("Catchment.workbench.state.year")
    for key in ("]", "]", "["):
        page.keyboard.press(key)
    page.wait_for_function(
        "() => Catchment.workbench.turning === null && Catchment.workbench.model.fresh()"
    )
    state = page.evaluate(
        """async () => { const a = Catchment.workbench, m = a.model, v = m.variant, y = a.state.year;
          const full = await (await fetch(`/api/variants/${v.id}/answer?year=${m.years[y]}`)).json();
          const list = full.plan.site, mine = typeof list[y] === 'number' ? list[list[y]] : list[y];
          return [m.years[y], document.getElementById('year-out').textContent, JSON.stringify(m.now().site) === JSON.stringify(mine)]; }"""
    )
    assert state[1] == str(state[0])
    assert state[2]
    assert page.evaluate("Catchment.workbench.state.year") == first + 1
    seat.quiet()


def test_sliders_show_what_they_would_do_before_they_are_kept(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("限值")
    before = number(seat.figure("over_limit_students"))
    page.click("#limits")
    for name in ("lower", "upper"):
        if page.locator(f"#set-{name}").count():
            page.focus(f"#set-{name}")
            page.keyboard.press("Home")
    page.wait_for_function(
        "n => Number(document.querySelector('#headline [data-figure=over_limit_students] .big b')"
        ".textContent.replace(/,/g, '')) > n",
        arg=before,
    )
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog:not([open])", state="attached")
    seat.saved()
    page.wait_for_function(
        "n => Number(document.querySelector('#headline [data-figure=over_limit_students] .big b')"
        ".textContent.replace(/,/g, '')) === n",
        arg=before,
    )
    page.click("#limits")
    page.focus("#set-class_size")
    page.keyboard.press("Home")
    page.click("#dialog [data-answer=ok]")
    seat.saved()
    page.wait_for_function("() => Catchment.workbench.model.variant.document.class_size > 0")
    seat.quiet()


def test_planner_keeps_lijia_and_merges_the_rest_in_one_change(
    sit: Sit, server: Server, tmp_path: Path
) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("保留李家坝")
    seat.year(2028)
    seat.find(TOWN_CENTRE)
    page.click("[data-keep=gather]")
    row = page.locator("#dialog tr").filter(has_text=LIJIA)
    row.locator("select").select_option("keep")
    page.click("#dialog [data-answer=all]")
    page.click("#dialog [data-answer=ok]")
    page.wait_for_function("() => Catchment.workbench.model.variant.version >= 2")
    seat.saved()
    actions = seat.document()["actions"]
    assert [a["school"] for a in actions if a["do"] == "keep"] == ["2152270216"]
    merged = [a for a in actions if a["do"] == "merge"]
    assert len(merged) >= 3
    assert {a["into"] for a in merged} == {"2152270062"}
    assert {a["year"] for a in merged} == {2028}
    assert page.evaluate("Catchment.workbench.model.variant.version") == 2
    run, _ = run_of(seat, server, tmp_path)
    value = run.indicators[
        (run.indicators["scope"] == "county")
        & (run.indicators["plan"] == "plan")
        & (run.indicators["year"] == 2028)
    ].set_index("indicator")["value"]
    assert number(seat.figure("over_limit_students")) == value["over_limit_students"]
    assert number(seat.figure("schools_open")) == value["schools_open"]
    seat.quiet()


def test_clerk_reads_who_comes_how_and_in_how_many_classes(sit: Sit, server: Server) -> None:
    seat = sit(server)
    page = seat.page
    seat.find(CENTRE)
    needs = page.inner_text("#needs")
    counts = [int(n.replace(",", "")) for n in re.findall(r"[\d,]+", needs)]
    rows = page.locator("#origins tbody tr")
    total = sum(number(rows.nth(k).locator("td").nth(1).inner_text()) for k in range(rows.count()))
    assert total == page.evaluate(
        "j => Catchment.workbench.model.load(Catchment.workbench.model.now(), j)", seat.site(CENTRE)
    )
    assert sum(counts[: page.locator("#needs .need:not(.bad)").count()]) == total
    seat.quiet()
