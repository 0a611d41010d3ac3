"""An attacker with every public file of one or several runs solves all that is told at once."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from catchment.run import Run, execute
from catchment.views import charts, deck, notice_sheet, public
from catchment.views.facts import read_facts
from tests.views.attack import Attack, attack
from tests.views.document_run import document_run
from tests.views.poor_run import counted, poor_run
from tests.views.shared_run import shared_run

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "scenarios" / "merge-2028.toml"


@pytest.fixture(scope="module", autouse=True)
def plain_pictures() -> Iterator[None]:
    """Pictures hold no number of students; drawing them takes longer than all the rest."""
    out = io.BytesIO()
    Image.new("RGB", (60, 50)).save(out, "png")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("county_map", "years_chart"):
            patch.setattr(charts, name, lambda *_, **__: out.getvalue())
        yield


@pytest.fixture(scope="module")
def demo() -> Run:
    if not DEMO.exists():
        pytest.skip("the shipped county is not in this checkout")
    return execute(DEMO)


def found(told: Attack, runs: list[Run], most: int) -> list[tuple[Any, ...]]:
    """Everything narrow among all villages kept back and so many small cells and villages."""
    cells, villages = told.small(), told.small_villages(runs[0].problem)
    wanted = [*told.hidden, *cells[:: max(1, len(cells) // most)]]
    return told.narrow([*wanted, *villages[:: max(1, len(villages) // most)]])


@pytest.mark.parametrize("insider", [False, True])
def test_demo_in_all_years(demo: Run, insider: bool) -> None:
    told = attack([demo], insider=insider)
    assert len(told.hidden) > 10
    assert found(told, [demo], 60) == []


def test_without_complementary_suppression_the_attack_succeeds(
    demo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "_complemented", lambda counts, shown, mine, least: shown)
    told = attack([demo], insider=True)
    assert told.narrow(told.hidden) != []


def test_runs_of_one_county_that_are_all_out() -> None:
    runs = [poor_run(54, 2, 0.25, variant=k) for k in range(3)]
    assert found(attack(runs), runs, 25) == []


def test_the_means_of_today_and_plan_do_not_pin_a_village_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A county of 330 students, whose two means to a tenth of a minute leave nine numbers open."""
    run = poor_run(60, 51, 0.12, variant=1)
    told = attack([run])
    cells = [[told.cells[i, 2029]] for i in (48, 78, 88)]
    assert told.narrow(cells) == []
    monkeypatch.setattr(deck, "mean_places", lambda *_: 1)
    assert attack([run]).narrow(cells) != []


@pytest.mark.parametrize("insider", [False, True])
def test_under_the_lowest_limit_a_recipe_may_set(insider: bool) -> None:
    """Fewer is kept back, and what is kept back still leaves as many numbers open as the limit."""
    made = poor_run(54, 3, 0.25)
    run = dataclasses.replace(made, scenario={"publication": {"privacy_limit": 5}})
    told, usual = attack([run], insider=insider), attack([made], insider=insider)
    assert told.limit == 5
    assert len(told.hidden) < len(usual.hidden)
    assert found(told, [run], 40) == []


def test_receivers_named_only_where_children_move_would_tell_who_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A closed school without a receiver on the notice, whose village the page sends elsewhere."""
    run = counted(document_run(villages=54))
    told = attack([run])
    empty = [[k] for k in told.cells.values() if told.truth[k] == 0]
    assert told.narrow(empty) == []
    moved = {
        (row["site_id"], row["year"]): row["receiver_ids"].split()
        for row in read_facts(run).changes.to_dict("records")
    }
    monkeypatch.setattr(
        notice_sheet, "receivers_told", lambda _, row: moved.get((row["site_id"], row["year"]), [])
    )
    told = attack([run])
    assert told.narrow(empty) != []


def test_villages_shared_by_schools() -> None:
    run = counted(shared_run(54))
    assert found(attack([run]), [run], 30) == []
