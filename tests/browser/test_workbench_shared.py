"""Two browsers at one variant, a server that dies in the middle, and roles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.serving import Seat, Server
from tests.tiny_files import write_tiny

pytestmark = pytest.mark.browser
Sit = Callable[..., Seat]
FIRST, SECOND, THIRD = "冉家岩小学", "代家沟小学", "苦竹坎小学"


def close(seat: Seat, name: str) -> None:
    """Close a school without waiting for the answer."""
    seat.find(name)
    seat.page.click("[data-state=closed]")


def schools(seat: Seat) -> set[str]:
    """Names of the schools that the variant closes."""
    return {
        seat.page.evaluate("id => Catchment.workbench.model.siteName(Catchment.workbench.model.siteOf(id))", a["school"])
        for a in seat.document()["actions"] if a["do"] == "merge"
    }  # fmt: skip


def deaf(seat: Seat) -> None:
    """Let no event arrive, as when a line is slow: the page believes its version is the last."""
    seat.page.route("**/api/events", lambda route: route.abort())
    seat.quiet_about = ("ERR_FAILED", "409")
    seat.page.reload()
    seat.page.wait_for_selector("html[data-ready]")


@pytest.mark.parametrize("choice", ["mine", "copy", "theirs"])
def test_conflict_is_readable_and_leaves_the_choice(sit: Sit, server: Server, choice: str) -> None:
    one = sit(server)
    one.fresh(f"两人同改 {choice}")
    number = one.page.evaluate("Catchment.workbench.model.variant.id")
    two = sit(server, at=f"#v={number}")
    deaf(two)
    one.find(FIRST)
    one.page.fill("#why", "先改的理由")
    one.page.click("[data-state=closed]")
    one.saved()
    close(two, SECOND)
    two.page.wait_for_selector("#dialog .conflict")
    said = two.page.inner_text("#theirs")
    assert FIRST in said
    assert "先改的理由" in said
    assert SECOND in two.page.inner_text("#yours")
    two.page.click(f"#dialog [data-answer={choice}]")
    two.saved()
    if choice == "mine":
        two.page.wait_for_function(
            "() => Catchment.workbench.model.variant.document.actions.length === 2"
        )
        assert schools(two) == {FIRST, SECOND}
        one.page.wait_for_function(
            "() => Catchment.workbench.model.variant.document.actions.length === 2"
        )
    elif choice == "copy":
        two.page.wait_for_function("n => Catchment.workbench.model.variant.id !== n", arg=number)
        assert schools(two) == {SECOND}
        assert schools(one) == {FIRST}
    else:
        two.page.wait_for_function("() => Catchment.workbench.model.variant.version === 2")
        assert schools(two) == {FIRST}
    one.quiet()
    two.quiet()


def test_others_changes_arrive_by_themselves(sit: Sit, server: Server) -> None:
    one = sit(server)
    one.fresh("同看")
    two = sit(server, at=f"#v={one.page.evaluate('Catchment.workbench.model.variant.id')}")
    close(one, FIRST)
    two.page.wait_for_function(
        "() => Catchment.workbench.model.variant.document.actions.length === 1"
    )
    two.page.wait_for_function(
        "n => document.querySelector('#callouts').textContent.includes(n)", arg=FIRST
    )
    one.quiet()
    two.quiet()


def test_restart_in_the_middle_loses_nothing_acknowledged(sit: Sit, server: Server) -> None:
    seat = sit(server)
    seat.quiet_about = ("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "Failed to load", "ERR_")
    page = seat.page
    seat.fresh("断电")
    close(seat, FIRST)
    seat.saved()
    server.kill()
    page.wait_for_selector("#link-state.away")
    close(seat, SECOND)
    page.wait_for_timeout(300)
    assert "1" in page.inner_text("#link-state")
    assert schools(seat) == {FIRST}
    server.start()
    page.wait_for_selector("#link-state.saved", timeout=30_000)
    page.wait_for_function("() => Catchment.workbench.model.variant.document.actions.length === 2")
    assert schools(seat) == {FIRST, SECOND}
    # Events flow again, and what the page shows is what the file holds.
    close(seat, THIRD)
    page.wait_for_function("() => Catchment.workbench.model.variant.document.actions.length === 3")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert schools(seat) == {FIRST, SECOND, THIRD}
    page.click("#tab-history")
    page.wait_for_function("() => document.querySelectorAll('#history > li').length === 4")
    seat.quiet()


def test_an_answer_that_was_lost_is_not_taken_twice(sit: Sit, server: Server) -> None:
    seat = sit(server)
    seat.quiet_about = ("ERR_", "409", "Failed to load")
    page = seat.page
    seat.fresh("回执丢失")
    lost: list[int] = []

    def lose(route: Any) -> None:
        if route.request.method == "PUT" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/api/variants/*", lose)
    close(seat, FIRST)
    seat.saved()
    page.wait_for_function("() => Catchment.workbench.model.variant.version === 2")
    assert lost == [200]
    assert schools(seat) == {FIRST}
    assert page.locator("#dialog[open]").count() == 0
    page.click("#undo")
    page.wait_for_function("() => Catchment.workbench.model.variant.document.actions.length === 0")
    seat.quiet()


@pytest.mark.parametrize("mine", [True, False])
def test_an_undo_whose_answer_was_lost(sit: Sit, server: Server, mine: bool) -> None:
    """Taken once where it had arrived; asked about where it was another's that had."""
    seat = sit(server)
    seat.quiet_about = ("ERR_", "409", "Failed to load")
    page = seat.page
    seat.fresh(f"撤销回执丢失 {mine}")
    close(seat, FIRST)
    seat.saved()
    close(seat, SECOND)
    seat.saved()
    lost: list[int] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        sent = json.loads(route.request.post_data)
        theirs = {"expected": sent["expected"], "answer": False}
        lost.append(route.fetch(post_data=json.dumps(sent if mine else theirs)).status)
        route.abort()

    page.route("**/api/variants/*/undo", lose)
    page.click("#undo")
    if not mine:
        page.wait_for_selector("#dialog .conflict")
        page.click("#dialog [data-answer=mine]")
    count = 1 if mine else 0
    page.wait_for_function(
        "n => Catchment.workbench.model.variant.document.actions.length === n", arg=count
    )
    seat.saved()
    assert lost == [200]
    assert page.evaluate("Catchment.workbench.model.variant.version") == (4 if mine else 5)
    seat.quiet()


def test_compared_variants_name_their_own_new_schools(sit: Sit, tmp_path: Path) -> None:
    region = write_tiny(tmp_path / "tiny")
    alone = Server(region, tmp_path / "alone.sqlite").start()
    try:
        seat = sit(alone)
        page = seat.page
        ids = page.evaluate(
            """async () => {
              const out = [];
              for (const name of ["河东新校", "河西新校"]) {
                const actions = [{ do: "build", site: "NEW1", name, at: [108.016, 27.1119], rooms: 3, year: 2028 },
                  { do: "move", villages: ["V2"], to: "NEW1", year: 2028 }];
                out.push((await Catchment.workbench.variants.create({ name, actions })).id);
              }
              return out;
            }"""
        )
        seat.year(2028)
        page.evaluate("ids => Catchment.workbench.variants.compare(ids)", ids)
        page.wait_for_selector("#comparison")
        rows = page.locator("#comparison table.list tbody tr").all_inner_texts()
        named = [r for r in rows if "新校" in r]
        assert named
        assert all(r.index("河东新校") < r.index("河西新校") for r in named)
        seat.quiet()
    finally:
        alone.kill()


def test_meeting_mode_is_large_keyboard_driven_and_changes_nothing(
    sit: Sit, server: Server
) -> None:
    seat = sit(server)
    page = seat.page
    seat.fresh("会议一")
    close(seat, FIRST)
    seat.saved()
    version = page.evaluate("Catchment.workbench.model.variant.version")
    size = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('#headline b')).fontSize)"
    )
    page.click("#meeting")
    larger = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('#headline b')).fontSize)"
    )
    assert larger > 1.5 * size
    assert page.locator("#frame-b").is_visible()
    # The key that turns a page neither leaves the meeting nor opens the way to an undo.
    for key in ("Space", "Enter", "Control+z"):
        page.keyboard.press(key)
    page.focus("#meeting")
    for key in ("Space", "Enter", "Control+z"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.evaluate("Catchment.workbench.state.meeting")
    assert page.evaluate("Catchment.workbench.model.variant.version") == version
    for hidden in ("#undo", "#rail", "#limits", "#tab-colleague"):
        assert page.locator(hidden).is_hidden()
    page.evaluate("document.activeElement.blur()")
    year = page.inner_text("#year-out")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("y => document.getElementById('year-out').textContent !== y", arg=year)
    for key in ("t", "m", "x", "Delete", "Control+z", "Control+y"):
        page.keyboard.press(key)
    for _ in range(6):
        page.mouse.click(*seat.spot("site", seat.site(SECOND)))
    page.wait_for_timeout(300)
    assert page.evaluate("Catchment.workbench.model.variant.version") == version
    assert page.locator("[data-state], [data-send]").count() == 0
    # A parent asks where the child of a village goes.
    page.keyboard.press("/")
    page.keyboard.type("冉家岩")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#page .band")
    name = page.evaluate("Catchment.workbench.model.variantName()")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("PageDown")
    page.wait_for_function("n => Catchment.workbench.model.variantName() !== n", arg=name)
    for key in ("Enter", "Space", "Escape"):
        page.keyboard.press("Escape")
        page.wait_for_selector("#dialog[open]")
        page.keyboard.press(key)
        page.wait_for_selector("#dialog:not([open])", state="attached")
        assert page.locator("#rail").is_hidden()
    page.keyboard.press("Escape")
    page.click("#dialog [data-answer=ok]")
    page.wait_for_selector("#rail")
    page.click("#meeting")
    page.wait_for_selector("#rail", state="hidden")
    page.click("#meeting")
    page.wait_for_selector("#rail")
    seat.quiet()


def test_a_question_asked_while_the_one_before_closes_is_whole(sit: Sit, server: Server) -> None:
    """The browser tells of a closed dialog a moment later; it must not answer the next question."""
    seat = sit(server)
    page = seat.page
    seat.fresh("接连两问")
    page.click("#meeting")
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog [data-answer=ok]")
    page.evaluate(
        """() => {
          document.getElementById("dialog").close();
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
        }"""
    )
    page.wait_for_timeout(300)
    page.click("#dialog [data-answer=ok]", timeout=5_000)
    page.wait_for_selector("#rail")
    assert page.locator("#dialog[open]").count() == 0
    seat.quiet()


def test_in_an_office_a_viewer_looks_and_an_editor_changes(sit: Sit, tmp_path: Path) -> None:
    region, state = write_tiny(tmp_path / "tiny"), tmp_path / "office.sqlite"
    for who in ("editor:editor", "viewer:viewer"):
        subprocess.run(
            [sys.executable, "-m", "catchment", "serve", str(region), "--state", str(state),
             "--add-user", who],
            check=True, capture_output=True, timeout=60,
            env={**os.environ, "PYTHONUTF8": "1", "CATCHMENT_PASSWORD": "correct horse battery 9"},
        )  # fmt: skip
    office = Server(region, state, ("--office",)).start()
    try:
        one = sit(office, user=("editor", "correct horse battery 9"))
        one.fresh("办公室")
        close(one, "丁村教学点")
        one.saved()
        two = sit(office, user=("viewer", "correct horse battery 9"))
        two.page.wait_for_function("() => Catchment.workbench.model.variant")
        assert "查看" in two.page.inner_text("#me")
        assert two.document()["actions"][0]["do"] == "merge"
        two.find("丙村小学")
        assert two.page.locator("[data-state], [data-send], #why").count() == 0
        for hidden in ("#rail", "#undo", "#limits"):
            assert two.page.locator(hidden).is_hidden()
        two.page.click("#tab-colleague")
        assert two.page.locator("[data-job]").count() == 0
        # The server refuses too, whatever a page would allow.
        status = two.page.evaluate(
            """async () => (await fetch('/api/variants', {method: 'POST', headers: {'Content-Type': 'application/json'},
              body: JSON.stringify({document: {name: 'x', actions: []}, why: ''})})).status"""
        )
        assert status == 403
        two.quiet_about = ("401", "403")
        two.quiet()
        one.page.click("#tab-history")
        one.page.wait_for_function("() => document.querySelectorAll('#history > li').length === 2")
        assert "editor" in one.page.inner_text("#history")
    finally:
        office.kill()
