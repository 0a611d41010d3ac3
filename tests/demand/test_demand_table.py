from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely.geometry import Point

from catchment.demand import largest_remainder, students_by_village
from catchment.errors import InputError
from catchment.region.bands import read_bands
from catchment.region.model import Region

Row = tuple[str, int, int, int, str]


def county(rows: list[Row], population: dict[str, float | None]) -> Region:
    crs = CRS.from_epsg(4547)
    villages = gpd.GeoDataFrame(
        {
            "village_id": list(population),
            "name": list(population),
            "township": "town",
            "population": list(population.values()),
        },
        geometry=[Point(k, 0) for k in range(len(population))],
        crs=crs,
    )
    empty = gpd.GeoDataFrame({"village_id": [], "grade": []}, geometry=[], crs=crs)
    return Region(
        name="test",
        crs=crs,
        bands=read_bands(),
        villages=villages,
        children=pd.DataFrame(rows, columns=["village_id", "grade", "year", "students", "source"]),
        schools=empty,
        classes=pd.DataFrame(),
        sites=empty,
        students=empty,
        roads=empty,
        boundaries=empty,
        areas=pd.DataFrame(),
    )


def full(village: str, year: int, counts: list[int], source: str = "enrolled") -> list[Row]:
    return [(village, g, year, n, source) for g, n in enumerate(counts, 1)]


def test_table_is_kept_as_it_stands() -> None:
    counts = [9, 8, 7, 6, 5, 4, 3, 2, 1]
    got = students_by_village(county(full("a", 2026, counts), {"a": 100.0}), [2026])
    assert got.counts[0, :, 0].tolist() == counts
    assert not got.estimated.any()
    assert got.counts.dtype == np.int32


def test_most_trusted_source_wins() -> None:
    rows = full("a", 2026, [10] * 9, "residents") + full("a", 2026, [8] * 9, "enrolled")
    rows += full("a", 2026, [12] * 9, "births") + full("a", 2026, [9] * 9, "registered")
    got = students_by_village(county(rows, {"a": 100.0}), [2026])
    assert (got.counts == 8).all()
    assert any("来源" in n for n in got.notes)


def test_cohorts_pass_through_unchanged() -> None:
    counts = [12, 11, 13, 10, 9, 14, 8, 7, 6]
    got = students_by_village(county(full("a", 2026, counts), {"a": 100.0}), range(2026, 2031))
    for t in range(1, 5):
        assert got.counts[0, t:, t].tolist() == counts[: 9 - t]
        assert bool(got.estimated[0, t])
    assert not got.estimated[0, 0]


def test_known_births_decide_later_entrants() -> None:
    rows = full("a", 2026, [10] * 9) + [("a", 1, y, 20 + y - 2026, "births") for y in (2027, 2028)]
    got = students_by_village(county(rows, {"a": 100.0}), [2026, 2027, 2028])
    assert got.counts[0, 0].tolist() == [10, 21, 22]
    assert got.counts[0, 1].tolist() == [10, 10, 21]


def test_steady_cohorts_give_steady_entrants() -> None:
    got = students_by_village(county(full("a", 2026, [30] * 9), {"a": 9.0}), range(2026, 2037))
    assert (got.counts == 30).all()


def test_falling_cohorts_keep_falling_by_the_same_rate() -> None:
    counts = [round(1000 * 1.05**k) for k in range(9)]
    got = students_by_village(county(full("a", 2026, counts), {"a": 9.0}), range(2026, 2032))
    entrants = got.counts[0, 0]
    assert entrants[1:] / entrants[:-1] == pytest.approx(np.full(5, 1 / 1.05), rel=0.005)


def test_missing_grade_in_a_tabled_year_is_nobody() -> None:
    rows = full("a", 2026, [5] * 9) + full("b", 2026, [3] * 6)
    got = students_by_village(county(rows, {"a": 1.0, "b": 1.0}), [2026])
    assert got.counts[1, :, 0].tolist() == [3] * 6 + [0] * 3
    assert not got.estimated.any()


def test_a_county_without_junior_figures_gets_none_made_up() -> None:
    got = students_by_village(county(full("a", 2026, [10] * 6), {"a": 100.0}), [2026, 2027])
    assert got.counts[0, :, 0].tolist() == [10] * 6 + [0] * 3
    assert got.counts[0, 6:, 1].tolist() == [10, 0, 0]
    assert any("7、8、9" in n for n in got.notes)


def test_villages_without_rows_are_estimated_from_population() -> None:
    # 9 grades of 10 for 900 people: one student a grade for 90 people
    got = students_by_village(
        county(full("a", 2026, [10] * 9), {"a": 900, "b": 180, "c": None}), [2026]
    )
    assert got.counts[1, :, 0].tolist() == [2] * 9
    assert got.counts[2].sum() == 0
    assert got.estimated[:, 0].tolist() == [False, True, True]
    assert any("c" in n for n in got.notes)


def test_estimates_of_small_villages_add_up() -> None:
    people: dict[str, float | None] = {"a": 1000.0, **{f"v{k}": 7.0 for k in range(50)}}
    got = students_by_village(county(full("a", 2026, [11] * 9), people), [2026])
    # 350 people at 99 students for 1000 people: 34.65
    assert got.counts[1:].sum() == 35


def test_home_points_stand_in_for_the_table() -> None:
    region = county([], {"a": 1.0, "b": 1.0})
    points = gpd.GeoDataFrame(
        {"village_id": ["a", "a", "b"], "grade": [1, 1, 7]},
        geometry=[Point(0, 0)] * 3,
        crs=region.crs,
    )
    got = students_by_village(region.replace(students=points), [2026])
    assert got.counts[0, 0, 0] == 2
    assert got.counts[1, 6, 0] == 1


@pytest.mark.parametrize("bad", [-1, 2.5, None])
def test_bad_figures_name_the_row(bad: float) -> None:
    rows = [*full("a", 2026, [1] * 9), ("a", 1, 2027, bad, "enrolled")]
    with pytest.raises(InputError, match="第 10 行"):
        students_by_village(county(rows, {"a": 1.0}), [2026])  # type: ignore[arg-type]


def test_nothing_known_is_an_error() -> None:
    with pytest.raises(InputError, match="children"):
        students_by_village(county([], {"a": 1.0}), [2026])
    with pytest.raises(InputError, match="递增"):
        students_by_village(county(full("a", 2026, [1] * 9), {"a": 1.0}), [2027, 2026])


def test_years_before_the_table_are_flagged() -> None:
    got = students_by_village(county(full("a", 2028, [4] * 9), {"a": 1.0}), [2026, 2028])
    assert got.estimated[0].tolist() == [True, False]
    assert (got.counts == 4).all()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(0, 5000))
def test_largest_remainder_adds_up_and_stays_near(shares: list[int], total: int) -> None:
    parts = largest_remainder(shares, total)
    assert parts.sum() == total
    assert (parts >= 0).all()
    weight = np.array(shares, dtype=float)
    weight = weight if weight.sum() else np.ones_like(weight)
    assert np.abs(parts - weight / weight.sum() * total).max() < 1 + 1e-6


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_conservation_and_determinism(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people: dict[str, float | None] = {f"v{k}": float(rng.integers(0, 500)) for k in range(6)}
    rows = [
        (f"v{k}", g, 2026, int(rng.integers(0, 30)), "enrolled")
        for k in range(4)
        for g in range(1, 10)
        if rng.random() < 0.8
    ]
    if not rows:
        return
    region = county(rows, people)
    got = students_by_village(region, range(2026, 2037))
    again = students_by_village(region, range(2026, 2037))
    assert (got.counts == again.counts).all()
    assert (got.counts >= 0).all()
    assert got.counts[:4, :, 0].sum() == sum(r[3] for r in rows)
    # survival 1: whoever is in grades 1 to 8 is in grades 2 to 9 a year later
    known = got.counts[:4]
    assert (known[:, 1:, 1:] == known[:, :-1, :-1]).all()
    assert got.totals().to_numpy().sum() == got.counts.sum()
