"""Assembly and layouts on the county everybody knows by heart, against figures worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from catchment.assemble import assemble, used_bands
from catchment.demand import students_by_village
from catchment.errors import InputError
from catchment.network.cells import neighbours, village_cells
from catchment.network.load import load_network
from catchment.network.travel import travel_times
from catchment.optimise.layout import scenario_plan, today_plan
from catchment.optimise.layouts.places import band_places
from catchment.plan import students_at
from catchment.problem import Problem
from catchment.region.model import Region
from catchment.run import conserve, run_scenario
from catchment.scenario import apply, parse_scenario, resolve
from tests.tiny_region import tiny_region

YEARS = (2026, 2028)


def problem_of(region: Region, *actions: dict[str, Any]) -> Problem:
    scenario = resolve(
        parse_scenario({"name": "试", "years": list(YEARS), "action": list(actions)}), region
    )
    network = load_network(region)
    bands = used_bands(region.bands, scenario.method.stages)
    return assemble(
        [apply(scenario, region, y) for y in YEARS],
        YEARS,
        [travel_times(region, network)],
        [0, 0],
        students_by_village(region, YEARS),
        neighbours(village_cells(region)),
        bands,
        county=region,
    )


@pytest.fixture(scope="module")
def today() -> Problem:
    return problem_of(tiny_region())


def sites(problem: Problem, site_of: Any, band: str, t: int = 0) -> list[str]:
    members = np.flatnonzero(problem.group_band == problem.bands.index(band))
    return [problem.site_ids[j] if j >= 0 else "" for j in site_of[members, t]]


def test_the_problem_holds_the_county(today: Problem) -> None:
    assert today.site_ids == ("S1", "S2", "T1", "J1", "X1", "C1")
    assert today.bands == ("lower", "upper", "junior")
    assert today.today_open.astype(int).tolist() == [
        [1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0],
    ]  # fmt: skip
    assert today.demand().sum(axis=0).tolist()[0] == 5 * 9 * 10
    assert today.existing.tolist() == [True, True, True, True, False, False]
    # V1 -> S1: 50 m of road at 3.2 km/h, plus nothing off the road.
    assert today.minutes[0, 0, 0] == pytest.approx(50 / 3200 * 60, rel=1e-3)
    # V5, grades 1-3, walks 1950 m to S2: 36.6 minutes is over the 30 of a walk, so it rides.
    walk = 1950 / 3200 * 60
    lower_v5 = 4 * 3
    assert today.modes[today.mode[0, lower_v5, 1]] == "bus" or today.minutes[
        0, lower_v5, 1
    ] == pytest.approx(walk, rel=1e-3)
    chain = today.neighbours.toarray()
    assert chain.sum() == 8
    assert all(chain[i, i + 1] for i in range(4))


def test_today_keeps_every_designated_school(today: Problem) -> None:
    plan = today_plan(today)
    assert sites(today, plan.site_of, "lower") == ["S1", "S1", "S2", "T1", "T1"]
    assert sites(today, plan.site_of, "upper", 1) == ["S1", "S1", "S2", "S2", "S2"]
    at = students_at(today, plan)
    assert at[:, :, 0].sum(axis=1).tolist() == [120, 120, 60, 150, 0, 0]
    # 20 students a grade at S1, one class each; 50 a grade at J1, one class of 50.
    assert plan.classes[0, :6, 0].tolist() == [1] * 6
    assert plan.classes[3, 6:, 0].tolist() == [1] * 3


def test_nearest_sends_each_village_to_the_nearest_open_school(today: Problem) -> None:
    plan = scenario_plan(today, "nearest")
    # V2 stands 950 m from S1 and 1050 m from S2.
    assert sites(today, plan.site_of, "lower") == ["S1", "S1", "S2", "T1", "T1"]
    assert sites(today, plan.site_of, "upper") == ["S1", "S1", "S2", "S2", "S2"]


def test_a_merger_is_obeyed_by_every_method() -> None:
    problem = problem_of(tiny_region(), {"do": "merge", "school": "T1", "into": "S1", "year": 2028})
    for method in ("today", "nearest", "capacity"):
        plan = scenario_plan(problem, method, time_limit=2)
        assert sites(problem, plan.site_of, "lower", 1)[3:] == ["S1", "S1"], method
        assert not plan.open[2, :, 1].any()
        assert sites(problem, plan.site_of, "lower", 0)[3:] == ["T1", "T1"], method


def test_capacity_is_respected_and_what_is_short_is_told() -> None:
    region = tiny_region(students=50)
    schools = region.schools.copy()
    # Grades 1-3: 150 students a village, 750 in all; S1 with 18 rooms holds 405 of a band,
    # S2 with 12 holds 270, T1 with 3 holds 135: 810 places.
    schools.loc[schools["school_id"] == "S1", "rooms"] = 18
    schools.loc[schools["school_id"] == "S2", "rooms"] = 12
    problem = problem_of(region.replace(schools=schools))
    assert band_places(problem, 0, 0).tolist()[:3] == [405, 270, 135]
    plan = scenario_plan(problem, "capacity", time_limit=6)
    lower = np.flatnonzero(problem.group_band == 0)
    assert (plan.site_of[lower] >= 0).all()
    load = np.bincount(plan.site_of[lower, 0], weights=problem.demand()[lower, 0], minlength=6)
    assert load.sum() == 750
    # T1 cannot take a whole village of 150 within its 135 places: the plan must say so, or leave it.
    assert load[2] == 0 or any("放宽" in n or "缺口" in n for n in plan.notes)


def test_who_is_short_of_places_is_named_so_that_a_person_can_count_it() -> None:
    region = tiny_region(students=50)
    schools = region.schools.copy()
    # one band of 750 students; S1, S2 and T1 have 135 places each, and everybody may go to them
    schools.loc[schools["school_id"].isin(["S1", "S2"]), "rooms"] = 6
    problem = problem_of(region.replace(schools=schools))
    places = band_places(problem, 0, 0)
    assert places.sum() < 750
    plan = scenario_plan(problem, "capacity", time_limit=6)
    named = [note for note in plan.notes if "too few by" in note and "lower" in note]
    assert len(named) == 1
    text = named[0].split("2026: ")[1].split(";")[0]
    who, figures = text.split("，", 1)
    villages, at = (side.split("、") for side in who.split(" → "))
    lower = np.flatnonzero(problem.group_band == 0)
    at_positions = [problem.site_ids.index(j) for j in at]
    rows = [i for i in lower if problem.village_ids[problem.group_village[i]] in villages]
    students = int(problem.demand()[rows, 0].sum())
    seats = int(places[at_positions].sum())
    assert students > seats
    assert figures == f"{students} / {seats}，{students - seats}"
    # nobody of them may go to a school that is not named
    others = [j for j in np.flatnonzero(problem.must_open[:, 0, 0]) if j not in at_positions]
    assert not np.isfinite(problem.minutes[0][np.ix_(rows, others)]).any()


def test_students_are_conserved_with_rows_set_aside(today: Problem) -> None:
    region = tiny_region()
    rejected = pd.DataFrame(
        {
            "layer": ["children"], "row": [7], "village_id": ["V9"], "grade": [2], "year": [2026],
            "students": [4], "reason": ["x"],
        }
    )  # fmt: skip
    students = students_by_village(region, YEARS)
    table = conserve(today, today_plan(today), region.replace(rejected=rejected), students)
    assert table.iloc[0].tolist() == [2026, 454, 450, 0, 4]
    # The year 2028 is not in the table: it has as many set aside as the last year that is.
    assert table.iloc[1].tolist()[-1] == 4


def test_an_island_is_listed_as_unserved_and_conserved() -> None:
    region = tiny_region()
    roads = region.roads[region.roads["road_id"] != "R4"]  # cuts V5 off from V4
    sites_ = region.sites.iloc[:0]
    problem = problem_of(region.replace(roads=roads, sites=sites_))
    plan = scenario_plan(problem, "nearest")
    lost = np.flatnonzero(problem.group_village == 4)
    assert (plan.site_of[lost] == -1).all()
    table = conserve(problem, plan, region, students_by_village(region, YEARS))
    assert table["unserved"].tolist()[0] == 90
    assert (table["students_in"] == table["served"] + table["unserved"]).all()


def test_a_school_of_part_of_a_band_is_refused_with_the_remedy() -> None:
    region = tiny_region()
    schools = region.schools.copy()
    schools.loc[schools["school_id"] == "T1", "grade_to"] = 2
    with pytest.raises(InputError, match=r"丁村教学点.*bands\.csv"):
        problem_of(region.replace(schools=schools))


def test_smaller_classes_are_a_switch_of_the_recipe() -> None:
    region = tiny_region(students=20)
    recipe = {"name": "小班", "years": [2026], "class_size": 30}
    run = run_scenario(parse_scenario(recipe), region)
    # 40 students a grade at S1: one class of 40 by the standard, two of 20 with the target of 30,
    # but six rooms hold six classes only.
    assert run.today.classes[0, :6, 0].tolist() == [1] * 6
    schools = region.schools.copy()
    schools.loc[schools["school_id"] == "S1", "rooms"] = 12
    roomy = run_scenario(parse_scenario(recipe), region.replace(schools=schools))
    assert roomy.today.classes[0, :6, 0].tolist() == [1] * 6
    assert roomy.plan.classes[0, :6, 0].tolist() == [2] * 6


def test_a_school_made_a_teaching_point_shares_classes_from_that_year_on() -> None:
    # One room and three grades of the lower band: apart in the first year, together in the second.
    region = tiny_region()
    problem = problem_of(region, {"do": "downgrade", "school": "S1", "year": YEARS[1]})
    rooms = problem.rooms.copy()
    rooms[problem.site_ids.index("S1")] = 1
    plan = scenario_plan(problem.replace(rooms=rooms), "today")
    at = plan.classes[problem.site_ids.index("S1")]
    students = students_at(problem, plan)[problem.site_ids.index("S1")]
    assert (students[:6, 0] > 0).all()
    assert (at[:6, 0] > 0).all()  # a whole school forms a class for every grade
    assert (students[:3, 1] > 0).all()
    assert at[:, 1].sum() == 1  # a teaching point of one room holds all its grades together
