"""The page of a province in a real browser: map, ranking, children taken in across borders."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catchment.batch import find_tasks, run_batch
from catchment.views.province import write_province_map
from tests.batch.counties import moved_east, spoil_rows, write_counties
from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.views.map_county import HOSTILE

pytestmark = pytest.mark.browser
Visit = Callable[..., Watched]
PURPLE = (0x6B, 0x1F, 0xA8)


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two counties on one road, the first sends V5 across, and one whose rows are refused."""
    folder = write_counties(tmp_path_factory.mktemp("counties"), 3)
    moved_east(folder / "county-001", 4000.0)
    moved_east(folder / "county-002", 60_000.0)
    spoil_rows(folder / "county-002")
    recipe = folder / "county-000" / "scenario.toml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(
        text.replace("[method]", "[limits]\nupper = 20\n\n[method]"), encoding="utf-8"
    )
    out = tmp_path_factory.mktemp("out")
    run_batch(find_tasks(folder, reach_km=20), out, workers=1)
    return out / "province"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counties, villages, schools and words of refusal that try to be markup."""
    rows = [
        {"rank": k + 1, "name": f"c{k}/{bad}", "county_name": bad, "state": "done", "said": "",
         "findings_hard": k, "findings_fail": k}
        for k, bad in enumerate(HOSTILE)
    ]  # fmt: skip
    rows.append({"rank": None, "name": "x/y", "county_name": None, "state": "refused",
                 "said": HOSTILE[0]})  # fmt: skip
    outlines = {
        str(row["name"]): (
            [
                (104 + k / 9, 30.0),
                (104.1 + k / 9, 30.0),
                (104.1 + k / 9, 30.1),
                (104 + k / 9, 30.0),
            ],
            [(104.05 + k / 9, 30.02)],
        )
        for k, row in enumerate(rows[:-1])
    }
    links = [
        {"from": (104.05, 30.02), "to": (104.2, 30.05), "village": bad, "school": bad,
         "county": bad, "host": bad, "students": 1234}
        for bad in HOSTILE
    ]  # fmt: skip
    left = [
        {"county": bad, "school": bad, "grade_from": 1, "grade_to": 3, "cut_off": 1,
         "cut_off_villages": bad, "cut_off_students": 7}
        for bad in HOSTILE
    ]  # fmt: skip
    left.append(left[0] | {"cut_off": 0, "cut_off_villages": "", "cut_off_students": 0})
    path = tmp_path_factory.mktemp("hostile") / "province.html"
    return write_province_map(pd.DataFrame(rows), outlines, path, links=links, left=left)


def purple_pixels(seen: Watched) -> int:
    """Pixels of the map's sheet in the colour of the ways across borders."""
    return int(
        seen.page.evaluate(
            """([r, g, b]) => {
              const c = document.querySelector('.leaflet-pane canvas'), x = c.getContext('2d');
              const d = x.getImageData(0, 0, c.width, c.height).data; let n = 0;
              for (let k = 0; k < d.length; k += 4)
                if (Math.abs(d[k]-r) < 9 && Math.abs(d[k+1]-g) < 9 && Math.abs(d[k+2]-b) < 9
                    && d[k+3] > 200) n++;
              return n; }""",
            PURPLE,
        )
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_ranking_and_children_across_borders_are_told(
    visit: Visit, province: Path, size: tuple[int, int]
) -> None:
    seen = visit(province / "province.html", size)
    page = seen.page
    ranked = pd.read_csv(province / "counties.csv", encoding="utf-8-sig", keep_default_na=False)
    cards = page.locator("article.finding").all_inner_texts()
    assert len(cards) == len(ranked) == 3
    for card, row in zip(cards, ranked.to_dict("records"), strict=True):
        assert str(row["name"]) in card
        if row["state"] == "done":
            assert str(row["county_name"]) in card
            assert f"第 {row['rank']} 位" in card
            assert f"学生 {int(row['students'])} 人" in card
            assert f"硬性条款不符合 {row['findings_hard']} 条" in card
        else:
            # A county that is not done says why, with the row to mend.
            assert "数据或方案有误" in card
            assert "schools" in card
    text = page.inner_text("#page")
    guests = pd.read_csv(province / "guests.csv", encoding="utf-8-sig").query("year == 2028")
    names = {
        str(n).split("/")[0]: c for n, c in zip(ranked["name"], ranked["county_name"], strict=True)
    }
    for row in guests.to_dict("records"):
        home, host = names[row["county"]], names[row["host_county"]]
        assert f"{home} {row['village']} → {host} {row['school']}" in text
        assert f"{row['students']} 人" in text
    assert "有村离开的 1 个学区（学校、学段）中，1 个" in text
    assert "飞地" not in text
    assert purple_pixels(seen) > 30
    page.click("#lang")
    text = page.inner_text("#page")
    assert "2 of 3 done" in text
    assert "Of 1 catchments (school and band)" in text
    assert "data or recipe refused" in text
    assert page.evaluate("document.documentElement.lang").startswith("en")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    seen.quiet()


def test_a_county_is_chosen_by_its_card_and_on_the_map(visit: Visit, province: Path) -> None:
    seen = visit(province / "province.html")
    page = seen.page
    before = seen.picture()
    page.locator("article.finding button").nth(1).click()
    assert "moved" in str(page.locator("article.finding").nth(1).get_attribute("class"))
    assert seen.picture() != before
    name = page.locator("article.finding").nth(1).locator("h3").inner_text()
    page.keyboard.press("Tab")
    page.locator("article.finding button").nth(0).press("Enter")
    chosen = page.locator("article.finding.moved")
    assert chosen.count() == 1
    assert chosen.locator("h3").inner_text() != name
    seen.quiet()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_names_stay_text(visit: Visit, hostile: Path, size: tuple[int, int]) -> None:
    seen = visit(hostile, size)
    page = seen.page
    for _ in range(2):
        assert page.locator("#page img, #page script, #page iframe, #page svg").count() == 0
        said = page.inner_text("#page")
        # Four in the line of who is taken in, three in that of the cut off, two in the card, and
        # the words of the county refused.
        assert said.count(HOSTILE[0]) == 4 + 3 + 2 + 1
        page.locator("article.finding button").first.click()
        page.click("#lang")
    assert "飞地" in page.inner_text("#page")
    assert f"有村离开的 {len(HOSTILE) + 1} 个学区" in page.inner_text("#page")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    seen.quiet()


def test_counties_of_equal_findings_have_one_colour(visit: Visit, tmp_path: Path) -> None:
    """Not one darker than the other by the order of their names; none is dark where nothing fails."""
    counts = [(5, 9), (2, 4), (2, 4), (0, 0)]
    rows = [
        {"rank": k + 1, "name": f"c{k}", "county_name": f"县{k}", "state": "done", "said": "",
         "findings_hard": hard, "findings_fail": fail}
        for k, (hard, fail) in enumerate(counts)
    ]  # fmt: skip
    outlines = {
        f"c{k}": (
            [(104 + k / 5, 30.0), (104.15 + k / 5, 30.0), (104.15 + k / 5, 30.1),
             (104 + k / 5, 30.1), (104 + k / 5, 30.0)],
            [],
        )
        for k in range(len(rows))
    }  # fmt: skip
    seen = visit(write_province_map(pd.DataFrame(rows), outlines, tmp_path / "p.html"))
    seen.page.wait_for_timeout(300)
    sheet = np.asarray(Image.open(io.BytesIO(seen.page.screenshot(clip={
        "x": 0, "y": 60, "width": 960, "height": 640,
    }))).convert("RGB"))  # fmt: skip
    colours, number = np.unique(sheet.reshape(-1, 3), axis=0, return_counts=True)
    large = {tuple(c) for c, n in zip(colours.tolist(), number, strict=True) if n > 3000}
    large -= {(255, 255, 255)}  # the panel beside the map
    # Four counties in three colours, and the ground.
    assert len(large) == 4, large
    light = sorted(sum(c) for c in large)
    assert light[0] < 400 < light[1]
    seen.quiet()
