"""Why a village goes where it goes, and the price of a place, recounted by hand and by solving anew."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from catchment.optimise import assignment
from catchment.optimise.layouts.places import band_places
from catchment.run import Run
from tests.run.test_wishes import run


@pytest.fixture(scope="module")
def tight() -> Run:
    # S1 may have one village of the upper band: V2 must pass it by
    return run({"size": [{"school": "S1", "bands": ["upper"], "max": 30}]}, years=[2026, 2028])


def _optimum(done: Run, more: int = 0, pinned: tuple[int, int] | None = None) -> float:
    """Least student-minutes of the upper band in the last year, villages divided, by another way."""
    problem, b, t = done.problem, done.problem.bands.index("upper"), 1
    members = np.flatnonzero(problem.group_band == b)
    cost = problem.minutes[0, members].astype(float)
    cost[:, ~done.plan.open[:, b, t]] = np.inf
    places = band_places(problem, b, t).astype(float)
    places[0] = 30 + more
    if pinned is not None:
        cost[pinned[0], [j for j in range(len(places)) if j != pinned[1]]] = np.inf
    return assignment.transport(cost, problem.demand()[members, t].astype(float), places).objective


def test_the_price_of_a_place_is_the_difference_of_two_optima(tight: Run) -> None:
    row = tight.prices.query("site_id == 'S1' and band == 'upper' and year == 2028").iloc[0]
    assert (row["students"], row["most"], row["limit"]) == (30, 30, "most")
    saved = _optimum(tight) - _optimum(tight, more=1)
    assert row["price_student_minutes"] == pytest.approx(saved, abs=0.06)
    assert saved > 0
    free = tight.prices.query("site_id == 'S2' and band == 'upper' and year == 2028").iloc[0]
    assert free["price_student_minutes"] == 0.0


def test_every_village_is_told_why_and_what_the_nearest_would_cost(tight: Run) -> None:
    table = tight.why
    problem = tight.problem
    assert len(table) == len(problem.group_band) * len(problem.years)
    row = table.query("village_id == 'V2' and band == 'upper' and year == 2028").iloc[0]
    assert (row["site_id"], row["nearest_id"], row["limit"]) == ("S2", "S1", "most")
    assert row["places_short"] == 30
    assert "最大规模" in row["reason_zh"]
    # V2 at S1 needs the place of V1: V1 goes to S2 then
    cost = _optimum(tight, pinned=(1, 0)) - _optimum(tight)
    assert row["student_minutes"] == pytest.approx(cost, abs=0.06)
    for told in table.itertuples():
        if told.limit == "" and told.site_id:
            assert told.site_id == told.nearest_id or told.farther <= 0.1


def test_catchments_fill_the_county_without_overlap_also_where_shared() -> None:
    done = run(
        {"shared": [{"villages": ["V2"], "schools": ["S1", "S2"], "bands": ["upper"],
                     "shares": [0.5, 0.5]}]}, years=[2026, 2028]
    )  # fmt: skip
    county = done.region.boundaries.geometry.iloc[0]
    for _, drawn in done.catchments.groupby(["plan", "band", "year"]):
        shapes = drawn.geometry.to_numpy()
        whole = shapely.union_all(shapes)
        assert shapely.area(shapes).sum() == pytest.approx(whole.area, rel=1e-9)
        assert whole.symmetric_difference(county).area < 1e-6 * county.area
        parts = shapely.get_parts(shapely.union_all(shapes))
        assert all(p.area > 1000 for p in shapely.get_parts(shapes))
        assert sum(len(p.interiors) for p in parts) == 0
    zone = done.catchments.query("shared != '' and year == 2028")
    assert zone[["band", "villages", "shared"]].to_numpy().tolist() == [["upper", 1, "S1、S2"]]
