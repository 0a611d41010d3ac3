"""The siting questions asked of a county: brute force over all choices of sites agrees."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catchment.cli import main
from catchment.errors import InputError
from catchment.run import pose
from catchment.run.siting import Ask, Sited, Wanted, site_schools
from catchment.scenario import Scenario, parse_scenario
from tests.tiny_files import write_tiny
from tests.tiny_region import tiny_region

PRIMARY = {"stages": ["primary"]}


def asked(**more: object) -> Scenario:
    return parse_scenario({"name": "试", "years": [2026, 2028], "method": PRIMARY, **more})


def brute(ask: str, count: int | None, within: float, build: bool, must: tuple[str, ...] = ()):
    """Best value over every choice of sites, from plain loops."""
    problem = pose(asked(), tiny_region(students=3)).problem
    usable = [
        j for j, code in enumerate(problem.site_ids)
        if problem.today_open[j].any() or (build and code == "C1")
    ]  # fmt: skip
    units = [
        (i, int(problem.students[i, :, -1].sum())) for i in range(len(problem.group_band))
        if problem.students[i, :, -1].sum()
    ]  # fmt: skip
    best: list[float] = []
    sizes = [count] if count else range(1, len(usable) + 1)
    for size in sizes:
        for chosen in itertools.combinations(usable, int(size)):
            if any(problem.site_ids.index(code) not in chosen for code in must):
                continue
            trips = [
                min(
                    (
                        float(problem.minutes[problem.network[-1], i, j])
                        for j in chosen if problem.can_host[j, problem.group_band[i]]
                    ),
                    default=np.inf,
                )
                for i, _ in units
            ]  # fmt: skip
            if ask == "median":
                best.append(
                    sum(n * x for (_, n), x in zip(units, trips, strict=True))
                    / sum(n for _, n in units)
                )
            elif ask == "centre":
                best.append(max(trips))
            elif ask == "coverage":
                best.append(-sum(n for (_, n), x in zip(units, trips, strict=True) if x <= within))
            elif all(x <= within for x in trips):
                best.append(len(chosen))
    return min(best)


@pytest.mark.parametrize("build", [False, True])
@pytest.mark.parametrize(
    ("ask", "count", "within"),
    [
        ("median", 1, 0),
        ("median", 2, 0),
        ("centre", 2, 0),
        ("coverage", 2, 8.0),
        ("cover", None, 16.0),
    ],
)
def test_the_answer_is_the_best_of_all_choices(
    ask: Ask, count: int | None, within: float, build: bool
) -> None:
    wanted = Wanted(ask, count, within or None, build=build)
    found = site_schools(asked(), tiny_region(students=3), wanted)
    best = brute(ask, count, within, build)
    value = -found.objective if ask == "coverage" else found.objective
    assert found.status == "optimal"
    assert value == pytest.approx(best, rel=1e-6)
    assert found.bound == pytest.approx(found.objective, rel=1e-6)
    recounted(found, ask)


def recounted(found: Sited, ask: str) -> None:
    """What the tables say adds up to the objective."""
    villages = found.villages
    if ask == "median":
        mean = float(villages["students"] @ villages["minutes"]) / villages["students"].sum()
        assert found.objective == pytest.approx(mean, abs=0.06)
    if ask == "centre":
        assert found.objective == pytest.approx(villages["minutes"].max(), abs=0.06)
    if ask == "coverage":
        near = villages["minutes"] <= villages["limit"]
        assert found.objective == villages.loc[near, "students"].sum()
    chosen = set(found.sites.loc[found.sites["chosen"], "site"])
    assert set(villages["site"]) <= chosen
    assert found.sites["students"].sum() == villages["students"].sum()


def test_schools_that_the_recipe_keeps_stay_and_those_it_merges_are_no_choice() -> None:
    region = tiny_region(students=3)
    keep = {"do": "keep", "school": "T1", "year": 2026}
    found = site_schools(asked(action=[keep]), region, Wanted("median", 2))
    assert found.objective == pytest.approx(brute("median", 2, 0, False, ("T1",)), rel=1e-6)
    assert found.sites.set_index("site").loc["T1", "chosen"]
    merge = {"do": "merge", "school": "S2", "year": 2028}
    gone = site_schools(asked(action=[merge]), region, Wanted("cover", within=60.0))
    assert "S2" not in set(gone.sites["site"])
    stay = site_schools(asked(), region, Wanted("median", 4, stay=True, build=True))
    assert stay.sites["chosen"].sum() == 4
    assert set(stay.sites.loc[stay.sites["chosen"], "site"]) == {"S1", "S2", "T1", "C1"}


def test_places_are_kept_with_rooms_that_are_added() -> None:
    region = tiny_region(students=12)
    found = site_schools(asked(), region, Wanted("places"))
    problem = pose(asked(), region).problem
    place = {code: j for j, code in enumerate(problem.site_ids)}
    for row in found.sites[found.sites["chosen"]].itertuples():
        j = place[row.site]
        rooms = int(problem.rooms[j, -1]) + row.rooms_added
        assert row.students <= rooms * int(problem.class_size[j].min())
    assert found.villages["students"].sum() == problem.demand()[:, -1].sum()


def test_villages_that_no_site_serves_are_named_and_the_rest_is_answered() -> None:
    found = site_schools(asked(), tiny_region(students=3), Wanted("cover", within=5.0))
    left = found.villages[~found.villages["reached"]]
    problem = pose(asked(), tiny_region(students=3)).problem
    usable = problem.today_open.any(axis=1)
    far = {
        problem.village_ids[int(problem.group_village[i])]
        for i in range(len(problem.group_band))
        if problem.minutes[problem.network[-1], i, usable & problem.can_host[:, problem.group_band[i]]].min() > 5.0
    }  # fmt: skip
    assert set(left["village_id"]) == far != set()
    assert found.status == "optimal"
    near = found.villages[found.villages["reached"]]
    assert (near["minutes"] <= 5.0).all()


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        (Wanted("median"), "--count"),
        (Wanted("cover", 3), "coverage"),
        (Wanted("median", 2, 30.0), "cover"),
        (Wanted("median", 9), "--build"),
        (Wanted("median", 1, stay=True), "东乡中心校"),
        (Wanted("median", 1, bands=("senior",)), "lower"),
        (Wanted("median", 1, year=2031), "2026"),
    ],
)
def test_what_makes_no_question_is_refused_with_the_remedy(wanted: Wanted, word: str) -> None:
    with pytest.raises(InputError, match=word):
        site_schools(asked(), tiny_region(students=3), wanted)


def test_the_command_answers_in_a_sentence_and_writes_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    county = write_tiny(tmp_path / "county")
    before = {p.name: p.read_bytes() for p in county.iterdir()}
    command = ["site", str(county / "scenario.toml"), "--ask", "cover", "--within", "60"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--out", str(tmp_path / "out")])
    assert end.value.code in (0, None)
    assert "至少需要" in capsys.readouterr().out
    for name in ("sites", "villages", "figures", "proof"):
        assert len(pd.read_csv(tmp_path / "out" / f"{name}.csv", encoding="utf-8-sig"))
    with pytest.raises(SystemExit) as end:
        main([*command, "--out", str(county)])
    assert end.value.code == 2
    assert {p.name: p.read_bytes() for p in county.iterdir()} == before
