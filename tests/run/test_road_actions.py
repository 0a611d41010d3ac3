"""Road actions: a bridge shortens the way, a closed road cuts it, and nobody else notices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer
from shapely.geometry import LineString, Point

from catchment.errors import InputError
from catchment.network.build import build_road, close_road
from catchment.network.load import load_network
from catchment.network.travel import travel_times
from catchment.region.elevation import Elevation
from catchment.run import run_scenario
from catchment.scenario import parse_scenario
from tests.tiny_region import METRIC, X0, Y0, tiny_region

_DEGREES = Transformer.from_crs(METRIC, "EPSG:4326", always_xy=True)


def place(x: float, y: float = 0.0) -> tuple[float, float]:
    lon, lat = _DEGREES.transform(X0 + x, Y0 + y)
    return (lon, lat)


def test_a_closed_road_cuts_the_villages_beyond() -> None:
    region = tiny_region()
    network = load_network(region)
    shut = close_road(network, place(2500), region.crs)
    before = travel_times(region, network).minutes
    after = travel_times(region, shut).minutes
    assert np.isfinite(before[0, 4, 0])
    assert not np.isfinite(after[0, 4, 0])
    assert after[0, 1, 0] == before[0, 1, 0]
    assert network.walk.all()


def test_a_new_road_joins_again_and_climbs_with_the_land() -> None:
    region = tiny_region()
    network = close_road(load_network(region), place(2500), region.crs)
    level = build_road(network, place(2000), place(3000), region.crs, "tertiary")
    assert travel_times(region, level).minutes[0, 4, 0] == pytest.approx(
        travel_times(region, load_network(region)).minutes[0, 4, 0], rel=1e-6
    )
    heights = np.tile(np.arange(60, dtype=np.float32) * 20, (20, 1))
    slope = Elevation(heights, (100.0, 0.0, X0 - 900, 0.0, -100.0, Y0 + 1000), METRIC.to_string())
    steep = build_road(network, place(2000), place(3000), region.crs, "tertiary", slope)
    assert steep.climb[-1] == pytest.approx(200, abs=1)


@pytest.mark.parametrize(
    ("start", "end", "word"),
    [((0.0, 0.0), (0.1, 0.1), "路口"), (place(2000), place(2010), "同一路口")],
)
def test_a_road_from_nowhere_is_refused(
    start: tuple[float, float], end: tuple[float, float], word: str
) -> None:
    region = tiny_region()
    with pytest.raises(InputError, match=word):
        build_road(load_network(region), start, end, region.crs, "tertiary")


def test_a_road_closed_in_a_year_holds_from_that_year() -> None:
    region = tiny_region()
    action = {"do": "road", "road": "closed", "from": list(place(3500)), "year": 2028}
    run = run_scenario(
        parse_scenario({"name": "断路", "years": [2026, 2028], "action": [action]}), region
    )
    lost = run.problem.group_village == 4
    assert (run.plan.site_of[lost, 0] >= 0).all()
    # T1 stands before the gap: V5 is cut off from every open school.
    assert (run.plan.site_of[lost, 1] == -1).all()
    assert run.conservation["unserved"].tolist() == [0, 90]


def test_a_new_road_past_the_door_that_leads_astray_lengthens_no_trip() -> None:
    region = tiny_region()
    villages = region.villages.copy()
    villages.loc[1, "geometry"] = Point(X0 + 1000, Y0 + 150)
    more = region.roads.iloc[[0, 0]].copy()
    # A spur at the far end, and a bit of road that joins nothing; the new road links the two and
    # passes the door of V2, whose school lies the other way.
    more.geometry = [
        LineString([(X0 + 4000, Y0), (X0 + 4000, Y0 + 200)]),
        LineString([(X0 + 500, Y0 + 200), (X0 + 500, Y0 + 260)]),
    ]
    roads = pd.concat([region.roads, more], ignore_index=True)
    action = {"do": "road", "from": list(place(4000, 200)), "to": list(place(500, 200)),
              "year": 2028}  # fmt: skip
    recipe = {"name": "修路", "years": [2026, 2028], "action": [action]}
    run = run_scenario(parse_scenario(recipe), region.replace(roads=roads, villages=villages))
    problem = run.problem
    assert len(problem.minutes) == 2
    assert (problem.minutes[1] <= problem.minutes[0]).all()
    assert np.isfinite(problem.minutes[0]).any()
    assert not [note for note in run.notes if "改接另一条道路" in note]
