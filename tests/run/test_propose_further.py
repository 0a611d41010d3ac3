"""Screening and building, plans by hand beside the optimum, robust plans, Ctrl-C, connected plans."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, box

from catchment.cli.propose import _by_hand, ctrl_c
from catchment.errors import InputError
from catchment.network.load import load_network
from catchment.optimise import consolidation as model
from catchment.run import Wish, pose, propose, run_scenario
from catchment.run.demands import question_of_recipe, with_building, with_reopening
from catchment.run.screen import checks_of, rooms_of_fit, screen_sites
from catchment.scenario import parse_scenario
from tests.tiny_region import METRIC, tiny_region

YEARS = [2026, 2027, 2028]


def asked(**more: object):
    return parse_scenario({"name": "试", "years": YEARS, **more})


def value(table, check: str):
    row = table[table["check"] == check].iloc[0]
    return float(row["value"]), str(row["result"]), bool(row["excluded"])


def test_a_candidate_site_is_measured_and_what_nobody_tells_is_unknown():
    region = tiny_region()
    table = screen_sites(region, load_network(region))
    assert value(table, "railway")[1:] == ("unknown", False)
    assert value(table, "hazard")[1:] == ("unknown", False)
    assert not table.loc[table["result"] == "unknown", "excluded"].any()


def test_railway_hazard_and_the_countys_own_limits_exclude(tmp_path: Path):
    region = dataclasses.replace(tiny_region(), folder=tmp_path)
    at = region.sites.geometry.iloc[0]
    rail = gpd.GeoDataFrame(
        {"kind": ["railway"]},
        geometry=[LineString([(at.x - 5000, at.y + 120), (at.x + 5000, at.y + 120)])],
        crs=METRIC,
    )
    rail.to_file(tmp_path / "barriers.gpkg")
    gpd.GeoDataFrame(
        {"name": ["滑坡"]}, geometry=[box(at.x - 10, at.y - 10, at.x + 10, at.y + 10)], crs=METRIC
    ).to_file(tmp_path / "hazards.gpkg")
    network = load_network(region)
    table = screen_sites(region, network)
    assert value(table, "railway") == (120.0, "fail", True)
    assert value(table, "hazard") == (-1.0, "fail", True)
    assert rooms_of_fit(region, table) == {}
    (tmp_path / "screen.csv").write_text(
        "check,limit,excludes\nrailway,100,\nhazard,,no\n", encoding="utf-8"
    )
    table = screen_sites(region, network)
    assert value(table, "railway") == (120.0, "pass", False)
    assert value(table, "hazard") == (-1.0, "fail", False)
    assert list(rooms_of_fit(region, table)) == ["C1"]
    (tmp_path / "screen.csv").write_text("check,limit\nrailroad,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="railroad"):
        checks_of(tmp_path)


def test_slope_is_that_of_the_ground():
    from catchment.region.elevation import Elevation

    region = tiny_region()
    at = region.sites.geometry.iloc[0]
    # One metre up for every five to the east: 20 per cent, whatever the direction north.
    columns = np.arange(100, dtype=np.float32) * 2.0
    heights = np.repeat(columns[None, :], 100, axis=0)
    raster = Elevation(heights, (10.0, 0.0, at.x - 500, 0.0, -10.0, at.y + 500), "EPSG:4545")
    table = screen_sites(region.replace(elevation=raster), load_network(region))
    slope, result, _ = value(table, "slope")
    assert slope == pytest.approx(20.0, abs=0.1)
    assert result == "pass"


def test_a_school_is_built_where_that_is_cheaper_and_the_recipe_says_so():
    region = tiny_region(students=12)
    posed = pose(asked(), region)
    free = question_of_recipe(posed)
    # Land and building cost nothing here, and a minute of a child is dear.
    costs = free.costs.replace(site_build=0.0, room_build=0.0, minute=20.0)
    shut = model.consolidate(free.replace(costs=costs), steps=1)
    opens = with_building(free.replace(costs=costs), {"C1": 12})
    built = model.consolidate(opens, steps=1)
    assert model.check(opens, built) == []
    j = opens.problem.site_ids.index("C1")
    assert built.plan.open[j, :, -1].any()
    assert built.plan.objective < shut.plan.objective
    # A site that did not pass stays shut.
    assert not with_building(free, {}).may_open.any()
    done = model.actions(opens, built, candidates={"C1"})
    assert [a["site"] for a in done if a["do"] == "build"] == ["C1"]


def test_a_plan_by_hand_stands_beside_the_optimum():
    region = tiny_region(students=3)
    hand = parse_scenario(
        {
            "name": "手工", "years": YEARS,
            "action": [{"do": "merge", "school": "T1", "into": "S2", "year": 2027}],
        }
    )  # fmt: skip
    found = propose(asked(), region, wish=Wish(steps=1), hands=[asked(), hand])
    table = found.byhand
    assert table["name"].tolist()[1:] == ["试", "手工"]
    kept = table.iloc[1]
    # Nothing done by hand is keeping everything, to the yuan.
    assert kept["yuan"] == pytest.approx(found.costs["keep"].sum(), rel=1e-9)
    for row in table.itertuples():
        assert row.gap == pytest.approx((row.yuan - row.bound) / row.yuan)
        assert row.demands_broken or row.yuan >= row.bound - 1e-6
    # The same children go where the run sends them, and cost what an independent count says.
    run = run_scenario(hand, region)
    question = question_of_recipe(pose(hand, region))
    again = model.cost_of(run.problem, run.plan, question.costs)
    assert table.iloc[2]["yuan"] == pytest.approx(again.total, rel=1e-9)
    other = parse_scenario({"name": "别", "years": [2026, 2027]})
    with pytest.raises(InputError, match="years"):
        propose(asked(), region, wish=Wish(steps=1), hands=[other])


def test_a_robust_plan_is_regretted_least_of_all_that_were_compared():
    posed = pose(asked(), tiny_region(students=3))
    question = question_of_recipe(posed)
    base = question.problem.students
    rng = np.random.default_rng(0)
    draws = np.stack([rng.poisson(base * f) for f in (0.3, 1.0, 2.5)]).astype(np.int32)
    draws[:, :, :, 0] = base[:, :, 0]
    first = [model.keep_everything(question), model.consolidate(question, steps=1)]
    answer, result, planned = model.most_robust(question, first, draws, rounds=3, steps=1)
    assert result.yuan.shape == (2 + planned, 3)
    assert model.check(question, answer) == []
    least = result.regret.max(axis=1)
    assert least[result.robust] == least.min()
    # Strictly: no plan begun with is better, over all that were compared.
    assert least[result.robust] <= least[:2].min()
    again = model.outlook(question, [answer, *first], draws)
    assert again.regret[0].max() <= again.regret[1:].max(axis=1).min() + 1e-6


def test_a_stopped_search_still_gives_plan_and_bound():
    region = tiny_region(students=3)
    wish = Wish(steps=1, plans=8, prices=2, draws=4)
    found = propose(asked(), region, wish=wish, stopped=lambda: True)
    assert found.stopped
    assert len(found.offers) == 2
    assert found.violations == ()
    assert found.bound <= found.objective * (1 + 1e-9)


def test_the_first_ctrl_c_is_remembered_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ctrl_c() as stopped:
            assert not stopped()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert stopped()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_smallest_relaxation_is_where_plans_begin_to_exist():
    from catchment.run.relax import relaxations

    recipe = {
        "name": "试", "years": [2026, 2027],
        "action": [{"do": "merge", "school": "T1", "year": 2027}],
    }  # fmt: skip
    posed = pose(parse_scenario(recipe), tiny_region(students=2))
    free = question_of_recipe(posed)
    gone = posed.problem.demand()[posed.problem.today == posed.problem.site_ids.index("T1"), 1]
    limits = model.Limits(moved_per_year=1)
    asked_for = free.replace(limits=limits)
    answer = model.consolidate(asked_for, steps=1)
    assert answer.plan.status == "infeasible"
    lines = relaxations(posed.problem, asked_for, answer, {})
    told = next(line for line in lines if "moved" in line)
    # All who are at the school that must close move in that year, no fewer and no more.
    assert f"由 1 到 {int(gone.sum())} 即有方案" in told
    assert "已证明无方案" in told
    for most, status in ((int(gone.sum()), {"optimal"}), (int(gone.sum()) - 1, {"infeasible"})):
        tried = free.replace(limits=model.Limits(moved_per_year=most))
        assert model.consolidate(tried, steps=1).plan.status in status


def _too_few_may_move():
    recipe = {
        "name": "试", "years": [2026, 2027],
        "action": [{"do": "merge", "school": "T1", "year": 2027}],
    }  # fmt: skip
    posed = pose(parse_scenario(recipe), tiny_region(students=2))
    question = question_of_recipe(posed).replace(limits=model.Limits(moved_per_year=1))
    return posed.problem, question, model.consolidate(question, steps=1)


def test_a_relaxation_that_was_not_tried_for_want_of_time_is_not_said_to_fail():
    from catchment.run.relax import relaxations
    from catchment.run.trials import trials

    case = _too_few_may_move()
    plenty = relaxations(*case, {}, tries=trials(120))
    assert plenty == relaxations(*case, {})
    assert any("moved" in line for line in plenty)
    for tries in (trials(0), trials(None, stopped=lambda: True)):
        (told,) = relaxations(*case, {}, tries=tries)
        assert "其余未试" in told
        assert "not proved smallest" in told
        assert "放宽任何单项" not in told


def test_trials_share_one_time_limit_and_stop_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from catchment.run import trials as module
    from catchment.run.relax import relaxations

    problem, question, answer = _too_few_may_move()
    now, spent = [100.0], []

    def slow(asked, *, time_limit, seed):
        # A county: every search takes all the time it is given, and finds plans.
        spent.append(time_limit)
        now[0] += time_limit
        free = asked.replace(limits=model.Limits())
        return model.consolidate(free, steps=1, seed=seed)

    class Clock:
        perf_counter = staticmethod(lambda: now[0])

    class Slow:
        consolidate = staticmethod(slow)

    monkeypatch.setattr(module, "time", Clock)
    monkeypatch.setattr(module, "model", Slow)
    lines = relaxations(problem, question, answer, {}, tries=module.trials(24.0))
    assert len(spent) > 2
    assert sum(spent) <= 24.0 + 1e-9
    assert max(spent) <= 2.0 + 1e-9
    assert any("moved" in line for line in lines)
    # Less than the first search asks for: what was found until then is told, and that time is over.
    spent.clear()
    short = relaxations(problem, question, answer, {}, tries=module.trials(1.0))
    assert spent == [1.0]
    assert "其间未试" in short[0]
    assert "未证明" in short[0]
    assert "(1 s) is over" in short[-1]


def test_a_site_costs_what_its_layer_says_and_a_closed_school_its_repair():
    question = question_of_recipe(pose(asked(), tiny_region(students=12)))
    problem, yuan = question.problem, question.site_build
    assert yuan is not None
    assert yuan[problem.site_ids.index("C1")] == 1e6
    assert yuan[problem.site_ids.index("X1")] == question.costs.site_reopen
    assert np.isnan(yuan[problem.site_ids.index("S1")])
    opens = with_building(question, {"C1": 12})
    j = problem.site_ids.index("C1")
    must = np.zeros((len(problem.site_ids), len(YEARS)), dtype=np.int8)
    must[j, 1:] = 2
    built = model.consolidate(opens.replace(at_least=must), steps=1)
    assert model.check(opens.replace(at_least=must), built) == []
    life = question.costs.building_life
    assert built.breakdown.of("new_sites") == pytest.approx((len(YEARS) - 1) * 1e6 / life)
    # Without a figure in the layer it is that of the costs.
    plain = opens.replace(at_least=must, site_build=None)
    dear = model.consolidate(plain, steps=1)
    assert dear.breakdown.of("new_sites") == pytest.approx(
        (len(YEARS) - 1) * question.costs.site_build / life
    )


def test_a_closed_school_opens_again_where_that_is_cheaper_and_the_recipe_does_it():
    region = tiny_region(students=12)
    wish = Wish(steps=1, reopen=True)
    dear = {"minute": 50.0, "site_reopen": 0.0, "site_year": 0.0}
    posed = pose(asked(), region)
    free = question_of_recipe(posed, costs=model.read_costs().replace(**dear))
    shut = model.consolidate(free, steps=1)
    asks = with_reopening(free, region)
    j = asks.problem.site_ids.index("X1")
    assert not free.may_open.any()
    assert np.flatnonzero(asks.may_open).tolist() == [j]
    assert (asks.problem.rooms[j] == [0, 4, 4]).all()
    again = model.consolidate(asks, steps=1)
    assert model.check(asks, again) == []
    assert again.plan.objective < shut.plan.objective
    done = model.actions(asks, again, candidates={"C1"})
    reopened = [a for a in done if a["do"] == "reopen"]
    assert [a["school"] for a in reopened] == ["X1"]
    assert reopened[0]["rooms"] >= 4
    # Through the whole order, whatever is cheapest, the recipe gives the plan itself.
    result = propose(asked(), region, wish=wish)
    assert result.violations == ()


def test_a_run_that_builds_tells_how_far_railways_and_trunk_roads_are():
    region = tiny_region(students=12)
    build = {"do": "build", "site": "C1", "year": 2027, "rooms": 6}
    found = run_scenario(asked(action=[build]), region).findings
    rows = found[found["code"] == "R-SITE-01"]
    # The tiny county has no trunk road, and nobody has told of railways.
    told = dict(zip(rows["title_en"], rows["result"], strict=True))
    assert sorted(told.values()) == ["pass", "unknown"]
    assert told["Distance of classrooms from railways"] == "unknown"
    assert rows.loc[rows["result"] == "unknown", "id"].tolist() == ["C1"]
    idle = run_scenario(asked(), region).findings
    assert set(idle.loc[idle["code"] == "R-SITE-01", "result"]) == {"pass"}


def test_a_plan_by_hand_is_priced_with_what_it_lacks_beside_it():
    region = tiny_region(students=20)
    years = [2026, 2027, 2028, 2029]
    merge = [{"do": "merge", "school": "S2", "into": "S1", "year": 2027}]
    hand = parse_scenario({"name": "手工", "years": years, "action": merge})
    free = parse_scenario({"name": "试", "years": years})
    found = propose(free, region, wish=Wish(steps=1), hands=[free, hand])
    table, demands = found.byhand, found.demands
    row = table.iloc[2]
    lacking = {k: row[f"{k}_lacking"] for k in ("rooms", "beds", "seats", "naps")}
    # The optimiser builds what the same merger, demanded of it, takes: another way to the figure.
    asked_for = parse_scenario({"name": "试", "years": years, "action": merge})
    question = question_of_recipe(pose(asked_for, region))
    whole = model.keep_everything(question)
    assert lacking == {k: getattr(whole.built, k)[:, -1].sum() for k in lacking}
    assert lacking["rooms"] > 0
    assert lacking["seats"] > 0
    assert row["built_yuan"] == pytest.approx(whole.breakdown.total, rel=1e-9)
    assert row["built_yuan"] > row["yuan"]
    assert row["built_more_yuan"] == pytest.approx(row["built_yuan"] - table.iloc[0]["yuan"])
    assert row["built_gap"] == pytest.approx(1 - row["bound"] / row["built_yuan"])
    # What no building mends stays broken: the school may not close.
    assert 0 < row["built_demands_broken"] < row["demands_broken"]
    # A plan that changes nothing lacks nothing new.
    assert table.iloc[1]["built_yuan"] == table.iloc[1]["yuan"]
    # Each lack once, whatever the years it goes on.
    assert not demands.duplicated(["name", "where", "zh"]).any()
    seats = demands[demands["zh"].str.contains("餐位")]
    assert seats[["year", "year_to"]].to_numpy().tolist() == [[2027, 2029]]
    assert "2027–2029 年" in seats["zh"].iloc[0]
    zh, en = _by_hand(row.to_dict())
    assert f"补建后 {whole.breakdown.total:,.0f} 元" in zh
    assert f"with that built {whole.breakdown.total:,.0f} yuan" in en


@pytest.mark.parametrize(
    "actions",
    [
        [{"do": "merge", "school": "T1", "year": 2027}],
        [{"do": "downgrade", "school": "S2", "year": 2027}],
        [
            {
                "do": "build", "site": "C9", "at": [108.0398359, 27.1116299], "name": "戊村新校",
                "rooms": 6, "dining_seats": 200, "nap_places": 200, "year": 2027,
            }
        ],
    ],
    ids=("merged into no school in particular", "downgraded", "built where no site is listed"),
)  # fmt: skip
def test_recipes_that_leave_something_open_are_planned_and_run(actions) -> None:
    recipe = parse_scenario({"name": "试", "years": [2026, 2027, 2028], "action": actions})
    region = tiny_region(students=3)
    found = propose(recipe, region, wish=Wish(steps=1, plans=5))
    for offer in found.offers:
        done = parse_scenario(offer.recipe)
        mine = [a for a in done.actions if a.do == actions[0]["do"]]
        assert mine, offer.name
        made = run_scenario(done, region)
        assert (made.conservation["unserved"] == 0).all(), offer.name
