"""Streamed minutes against those of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import Point

from catchment.errors import InputError
from catchment.network.places import villages_of
from catchment.network.streaming import stream_times
from catchment.network.travel import TravelTimes, travel_times
from catchment.region.model import Region
from tests.network.ascii_map import network, place, region

GRID = """
A---B---C---D
|   |   |   |
E---F---G---H
|       |
I---J---K---L
"""


def county(seed: int, villages: int, schools: int) -> Region:
    rng = np.random.default_rng(seed)

    def points(letter: str, count: int) -> dict[str, Point]:
        return {f"{letter}{k}": place(rng.uniform(0, 12), rng.uniform(0, 4)) for k in range(count)}

    islands = {"island": place(300, 0)}
    return region(
        {**points("v", villages), **islands}, {**points("s", schools), "s": place(305, 0)}
    )


def matrix(times: TravelTimes, cutoff: float) -> dict[str, np.ndarray]:
    kept = np.where(times.minutes <= cutoff, times.minutes, np.inf)
    return {mode: kept[k].T for k, mode in enumerate(times.modes)}


@pytest.mark.parametrize("cutoff", [np.inf, 9.0])
def test_blocks_put_together_are_the_matrix(cutoff: float) -> None:
    county_, net = county(3, 40, 70), network(GRID)
    whole = matrix(travel_times(county_, net), cutoff)
    found = {mode: np.full_like(own, np.nan) for mode, own in whole.items()}
    said: list[tuple[int, int]] = []
    for block in stream_times(
        county_, net, villages_of(county_), cutoff=cutoff, progress=lambda *a: said.append(a)
    ):
        found[block.mode][block.first : block.first + len(block.minutes)] = block.minutes
    assert np.isfinite(whole["walk_junior"][:, -1]).any()  # the island walks straight
    for mode, own in whole.items():
        np.testing.assert_allclose(found[mode], own, rtol=5.1e-6)
    assert said[-1] == (142, 142)
    assert [done for done, _ in said] == sorted({done for done, _ in said})


def test_a_cutoff_must_be_positive() -> None:
    with pytest.raises(InputError, match="cutoff"):
        next(stream_times(county(1, 2, 2), network(GRID), villages_of(county(1, 2, 2)), cutoff=0))


def test_nothing_to_ask() -> None:
    empty = region({}, {"s": place(1, 0)})
    for block in stream_times(empty, network(GRID), villages_of(empty)):
        assert block.minutes.shape == (1, 0)
