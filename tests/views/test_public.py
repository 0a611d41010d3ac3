"""The gate of public files: joined back with the private points, nothing of a student is found."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pptx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from scipy.spatial import cKDTree

from catchment.errors import CatchmentError, InputError
from catchment.run import Run, execute
from catchment.scenario import read_scenario
from catchment.views.deck import deck_bytes
from catchment.views.files import write_text
from catchment.views.notice_sheet import write_notice
from catchment.views.page import POLICY_MARK
from catchment.views.parents import parents_payload, village_numbers, write_parents
from catchment.views.public import (
    DISTANCE_BANDS_KM,
    FEWER,
    PRIVACY_LIMIT,
    WITHHELD,
    distance_band,
    homes_in,
    limit_of,
    public_counts,
    publish,
    rounded_up,
)
from catchment.views.story import tell
from catchment.views.sums import known_of, listed, told_sum
from tests.views.map_county import build_run
from tests.views.poor_run import poor_run

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "merge-2028.toml"
PAGE = f"<html><head>{POLICY_MARK}</head><body>%s</body></html>"


@pytest.fixture(scope="module")
def demo() -> Run:
    if not DEMO.exists():
        pytest.skip("the shipped county is not in this checkout")
    return execute(DEMO)


@pytest.fixture(scope="module")
def public_files(demo: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every file of a run that is meant for the public."""
    folder = tmp_path_factory.mktemp("public")
    told = []
    for lang in ("zh", "en"):
        slides = pptx.Presentation(io.BytesIO(deck_bytes(demo, lang=lang))).slides
        frames = [s for slide in slides for s in slide.shapes]
        words = [s.text_frame.text for s in frames if s.has_text_frame]
        words += [c.text for s in frames if s.has_table for row in s.table.rows for c in row.cells]
        told.append(write_text(folder / f"deck.{lang}.txt", "\n".join(words)))
        told.append(write_notice(demo, folder / lang, lang=lang)[1])
    return [
        write_parents(demo, folder / "parents.html"),
        write_parents(demo, folder / "parents.en.html", lang="en"),
        *told,
    ]


def payload(path: Path) -> dict:
    found = re.search(
        r'<script type="application/json" id="parents-data">(.*?)</script>', path.read_text("utf-8")
    )
    assert found
    return json.loads(found.group(1))


def test_no_number_of_a_public_file_lies_at_a_home(demo: Run, public_files: list[Path]) -> None:
    homes = np.column_stack([demo.region.students.geometry.x, demo.region.students.geometry.y])
    assert len(homes) > 5000
    tree = cKDTree(homes)
    public = cKDTree(
        np.column_stack([demo.region.villages.geometry.x, demo.region.villages.geometry.y])
    )
    back = Transformer.from_crs(4326, demo.region.crs, always_xy=True)
    for path in public_files:
        text = path.read_text("utf-8")
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", text)]
        for scale in (1.0, 1e5, 1e6):
            pairs = np.column_stack([numbers[:-1], numbers[1:]]) / scale
            for turned in (pairs, pairs[:, ::-1]):
                lon, lat = turned.T
                for a, c in turned[(lon > 100) & (lon < 115) & (lat > 20) & (lat < 35)]:
                    at = back.transform(a, c)
                    assert tree.query(at)[0] > 50 or public.query(at)[0] < 2
        assert homes_in(text, demo.region) == 0
        for code in demo.region.students["student_id"].astype(str):
            assert code not in text


def test_counts_of_villages_are_above_the_limit_and_true(
    demo: Run, public_files: list[Path]
) -> None:
    problem, data = demo.problem, payload(public_files[0])
    exact = np.zeros(len(problem.village_ids), int)
    np.add.at(exact, problem.group_village, problem.students[:, :, 0].sum(axis=1))
    shown = np.array(data["students"]["villages"])
    assert ((shown == FEWER) | (shown >= PRIVACY_LIMIT)).all()
    assert (shown[exact < PRIVACY_LIMIT] == FEWER).all()
    told = shown != FEWER
    assert told.sum() > 20
    assert np.abs(shown[told] - exact[told]).max() <= 2
    assert (shown[told] % 5 == 0).all()
    sizes = {s[5] for steps in data["steps"] for s in steps}
    assert not {n for n in sizes if 0 <= n < PRIVACY_LIMIT}
    assert all(n < 0 or n % 5 == 0 for n in sizes)


def test_what_is_kept_back_cannot_be_worked_out(demo: Run, public_files: list[Path]) -> None:
    problem, data = demo.problem, payload(public_files[0])
    exact = np.zeros(len(problem.village_ids), int)
    np.add.at(exact, problem.group_village, problem.students[:, :, 0].sum(axis=1))
    towns = [v["town"] for v in data["villages"]]
    check_hidden(exact, np.array(data["students"]["villages"]), towns, data["students"]["towns"])


def check_hidden(exact: np.ndarray, shown: np.ndarray, groups: list, totals: dict) -> None:
    """Assert that subtraction leaves at least two hidden cells and at least the limit of students.

    Even one who knew every shown number exactly, not rounded.
    """
    for name, total in totals.items():
        mine = np.array([g == name for g in groups])
        hidden = mine & (shown == FEWER)
        if hidden.any() and total != FEWER:
            assert hidden.sum() >= 2
            assert exact[hidden].sum() >= PRIVACY_LIMIT
    back = [n for n, t in totals.items() if t == FEWER]
    if back and len(back) < len(totals):
        assert len(back) >= 2
        assert sum(exact[[g in back for g in groups]]) >= PRIVACY_LIMIT


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), min_size=1, max_size=30),
    st.integers(5, 20),
)
@settings(deadline=None, max_examples=200)
def test_suppression_holds_for_any_counts(cells: list[tuple[int, int]], limit: int) -> None:
    exact = np.array([c for c, _ in cells])
    groups = [f"g{g}" for _, g in cells]
    shown, totals = public_counts(exact, groups, limit=limit)
    assert (shown[exact < limit] == FEWER).all()
    told = shown != FEWER
    assert (np.abs(shown[told] - exact[told]) <= 2).all()
    for name, total in totals.items():
        mine = np.array([g == name for g in groups])
        hidden = mine & ~told
        if hidden.any() and total != FEWER:
            assert hidden.sum() >= 2 or hidden.sum() == mine.sum()
            assert exact[hidden].sum() >= limit
        if total != FEWER:
            assert exact[mine].sum() >= limit
    back = [n for n, t in totals.items() if t == FEWER]
    if back and len(back) < len(totals):
        assert len(back) >= 2
        assert sum(exact[[g in back for g in groups]]) >= limit


def test_limit_has_a_floor() -> None:
    with pytest.raises(InputError):
        public_counts([20], ["a"], limit=4)
    with pytest.raises(InputError):
        rounded_up([20], limit=0)


@given(st.integers(0, 3000))
@settings(deadline=None, max_examples=60)
def test_sizes_are_upper_bounds(size: int) -> None:
    told = int(rounded_up([size])[0])
    assert told == FEWER if 0 < size < PRIVACY_LIMIT else size <= told <= size + 4


def test_gate_refuses_homes_codes_and_small_counts(tmp_path: Path) -> None:
    region = build_run(villages=60).region
    home = region.students.geometry.iloc[0]
    lon, lat = Transformer.from_crs(region.crs, 4326, always_xy=True).transform(home.x, home.y)
    bad = (
        f"[{lon:.6f}, {lat:.6f}]",
        f"{lat:.5f} {lon:.5f}",
        f"[{lon * 1e5:.0f},{lat * 1e5:.0f}]",
        f"{lon + 0.0003:.6f};{lat:.6f}",
        f"x={home.x:.1f} y={home.y:.1f}",
        "HOMEPOINT-1",
    )
    for text in bad:
        with pytest.raises(CatchmentError):
            publish(PAGE % text, tmp_path / "a.html", region)
    with pytest.raises(CatchmentError):
        publish(PAGE % "x", tmp_path / "a.html", region, counts=[20, 9])
    assert not (tmp_path / "a.html").exists()
    village = region.villages.geometry.iloc[0]
    lon, lat = Transformer.from_crs(region.crs, 4326, always_xy=True).transform(
        village.x, village.y
    )
    fine = PAGE % f"[{lon:.6f}, {lat:.6f}]"
    assert publish(fine, tmp_path / "a.html", region, counts=[FEWER, 10, -1]).exists()


def test_distance_bands_hold_the_distance() -> None:
    for metres in (0.0, 500.0, 999.9, 4999.0, 5000.0, 31_000.0, 90_000.0):
        k = distance_band(metres)
        assert DISTANCE_BANDS_KM[k] * 1000 <= metres
        if k + 1 < len(DISTANCE_BANDS_KM):
            assert metres < DISTANCE_BANDS_KM[k + 1] * 1000


def test_parents_page_tells_no_exact_distance(demo: Run, public_files: list[Path]) -> None:
    data = payload(public_files[0])
    assert {s[3] for steps in data["steps"] for s in steps} <= set(
        range(-1, len(DISTANCE_BANDS_KM))
    )


def test_a_sum_that_tells_a_village_is_kept_back() -> None:
    run = poor_run(54, 4, 0.5)
    story, problem = tell(run, "zh"), run.problem
    known = known_of(story)
    first = problem.years[0]
    trips = listed(story, "students", first, "today")
    assert trips is not None
    cells = village_numbers(run)[0]
    told = int(np.flatnonzero(cells >= 20)[0])
    mine = trips[trips["village_id"] == problem.village_ids[told]]
    count = int(mine["students"].sum())
    assert told_sum(story, known, count, mine) == WITHHELD
    # With a village of a few more in the sum it would say how few.
    small = trips[
        trips["village_id"] == problem.village_ids[int(np.flatnonzero(cells == FEWER)[0])]
    ]
    assert told_sum(story, known, count + 3, pd.concat([mine, small])) == WITHHELD
    everybody = int(trips["students"].sum())
    assert abs(told_sum(story, known, everybody, trips) - everybody) <= 5
    assert told_sum(story, known, 0, small) == FEWER
    assert told_sum(story, known, 0, small.iloc[:0]) == 0


def test_every_run_keeps_back_the_same_villages() -> None:
    numbers = [village_numbers(poor_run(54, 5, 0.5, variant=k)) for k in range(3)]
    assert all((n[0] == numbers[0][0]).all() and n[1] == numbers[0][1] for n in numbers)


def test_a_recipe_lowers_the_limit_to_five_and_no_further(tmp_path: Path) -> None:
    for told, fits in ((4, False), (5, True), (10, True), (11, False)):
        recipe = tmp_path / f"{told}.toml"
        recipe.write_text(
            f'name = "x"\nregion = "."\nyears = [2026]\n\n[publication]\nprivacy_limit = {told}\n',
            encoding="utf-8",
        )
        if fits:
            assert read_scenario(recipe).publication.privacy_limit == told
        else:
            with pytest.raises(InputError, match="privacy_limit"):
                read_scenario(recipe)
    run = build_run(villages=54)
    usual = parents_payload(run)
    assert limit_of(run) == PRIVACY_LIMIT
    low = parents_payload(dataclasses.replace(run, scenario={"publication": {"privacy_limit": 5}}))
    assert (usual["limit"], low["limit"]) == (10, 5)
    shown = [[n for n in page["students"]["villages"] if n > 0] for page in (usual, low)]
    assert len(shown[1]) >= len(shown[0])
    assert min(shown[1]) >= 5
    with pytest.raises(InputError, match="不得低于"):
        limit_of(dataclasses.replace(run, scenario={"publication": {"privacy_limit": 4}}))
