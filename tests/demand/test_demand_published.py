"""Our projections against published ones, on the same data."""

from __future__ import annotations

import csv
import os
import unicodedata
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from catchment.demand import Assumptions, entry_rates, progression_rates, project

SHARED = Path(
    os.environ.get("CATCHMENT_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")
)
EDINBURGH = SHARED / "cases" / "edinburgh" / "Primary_Projections_2018_11_08_PUBLISHED.xlsx"
TAITUNG = SHARED / "cases" / "taitung" / "township_age_projection_medium"


def mape(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Mean absolute percentage error over the first axis."""
    return np.asarray(100 * np.abs(ours / theirs - 1).mean(axis=0))


def name_of(cell: object) -> str:
    text = unicodedata.normalize("NFKD", str(cell or "")).lower()
    text = "".join(c for c in text if c.isalnum() or c == " ").split("(")[0]
    return text.replace("primary school", "").replace(" rc", "").strip()


def sheet(book: openpyxl.Workbook, title: str) -> list[list[object]]:
    return [list(r) for r in book[title].iter_rows(values_only=True)]


def edinburgh() -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Schools, rolls (school, grade, 2012 to 2018), births (2009 to 2027), published, housing."""
    book = openpyxl.load_workbook(EDINBURGH, read_only=True, data_only=True)
    rolls = {}
    for row in sheet(book, "Rolls"):
        numbers = list(row[1:57])
        if isinstance(row[0], str) and isinstance(numbers[0], (int, float)):
            values = np.array([float(x or 0) for x in numbers]).reshape(7, 8)[:, :7]
            rolls[name_of(row[0])] = values.T
    published = {}
    lines = sheet(book, "Projection_Summary")
    head = next(r for r in lines if r and r[0] == "School")
    at = [k for k, x in enumerate(head) if isinstance(x, (int, float)) and 2019 <= x <= 2030]
    for row in lines:
        if isinstance(row[0], str) and all(isinstance(row[k], (int, float)) for k in at):
            published[name_of(row[0])] = np.array([float(row[k]) for k in at])
    births = {}
    lines = sheet(book, "Catchment Projections")
    where = next(k for k, r in enumerate(lines) if "School" in r)
    columns = [k for k, x in enumerate(lines[where]) if isinstance(x, (int, float))][:19]
    first = lines[where].index("School")
    for row in lines[where + 1 :]:
        values = [row[k] for k in columns]
        if isinstance(row[first], str) and all(isinstance(x, (int, float)) for x in values):
            births[name_of(row[first])] = np.array(values, dtype=float)
    schools = sorted(set(rolls) & set(published) & set(births))
    years = [int(head[k]) for k in at]
    housing = {}
    for row in sheet(book, "Cumulative pupils per year"):
        values = row[1:13]
        if isinstance(row[0], str) and all(isinstance(x, (int, float)) for x in values):
            housing[name_of(row[0])] = np.array(values, dtype=float)
    return (
        schools,
        np.array([rolls[s] for s in schools]),
        np.array([births[s] for s in schools]),
        np.array([published[s] for s in schools]),
        np.array([housing.get(s, np.zeros(12)) for s in schools]),
        years,
    )


@pytest.mark.shared
@pytest.mark.skipif(not EDINBURGH.is_file(), reason="the folder of real cases is not here")
def test_edinburgh_rolls_against_the_published_projection() -> None:
    schools, rolls, births, published, housing, years = edinburgh()
    assert len(schools) > 60
    # children born five years before enter P1; P1 of 2014 to 2018 came from births of 2009 to 2013
    rate = entry_rates(rolls[:, 0, 2:7], births[:, 0:5])
    coming = births[:, 5:17]
    flows = project(
        rolls[:, :, 6].astype(int), 12,
        Assumptions(progression=tuple(progression_rates(rolls))), births=coming, entry=rate,
    )  # fmt: skip
    ours = flows.counts[:, :, 1:].sum(axis=1).astype(float)
    by_school = mape(ours, published)
    by_city = mape(ours.sum(axis=0, keepdims=True), published.sum(axis=0, keepdims=True))
    built = ours + housing
    with_housing = mape(built, published)
    city_housing = mape(built.sum(axis=0, keepdims=True), published.sum(axis=0, keepdims=True))
    naive = mape(np.repeat(rolls[:, :, 6].sum(axis=1, keepdims=True), 12, axis=1), published)
    print(f"\nEdinburgh, {len(schools)} schools: mean absolute percentage error")
    print("year  school  city | with the council's pupils of new housing | today's roll kept")
    for row in zip(years, by_school, by_city, with_housing, city_housing, naive, strict=True):
        print("{}  {:5.1f} % {:5.1f} % | {:5.1f} % {:5.1f} % | {:5.1f} %".format(*row))
    # better than no projection in every year, near in the first, and right in the city's total
    # once the pupils of planned housing, which births cannot know, are added
    assert (by_school < naive).all()
    assert by_school[0] < 5
    assert by_city[0] < 2


def taitung() -> tuple[list[str], np.ndarray, list[int]]:
    """Townships, persons (township, year, age 0 to 17), years."""
    names, tables, years = [], [], []
    for path in sorted(TAITUNG.glob("*.csv")):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
        years = [int(r["year"]) for r in rows]
        names.append(path.stem)
        tables.append([[float(r[f"{a}m"]) + float(r[f"{a}f"]) for a in range(18)] for r in rows])
    return names, np.array(tables), years


@pytest.mark.shared
@pytest.mark.skipif(not TAITUNG.is_dir(), reason="the folder of real cases is not here")
def test_taitung_children_against_the_published_projection() -> None:
    names, persons, years = taitung()
    assert len(names) == 16
    start = years.index(2021)
    ages = slice(6, 12)
    horizon = 14
    # births of a year enter grade 1 six years later; the projection's own births are given
    coming = np.stack([persons[:, start + t + 1 - 6, 0] if start + t + 1 - 6 >= 0
                       else persons[:, 0, 6 - start - t - 1] for t in range(horizon)], axis=1)  # fmt: skip
    base = persons[:, start, ages].astype(int)
    past = np.transpose(persons[:, : start + 1, ages], (0, 2, 1))
    flows = project(
        base, horizon, Assumptions(progression=tuple(progression_rates(past))), births=coming
    )
    ours = flows.counts[:, :, 1:].sum(axis=1).astype(float)
    theirs = persons[:, start + 1 : start + 1 + horizon, ages].sum(axis=2)
    by_town = mape(ours, theirs)
    by_county = mape(ours.sum(axis=0, keepdims=True), theirs.sum(axis=0, keepdims=True))
    # the same without any births: entrants stay as the youngest grades are
    blind = project(base, horizon, Assumptions(progression=(1.0,) * 5)).counts[:, :, 1:]
    guess = blind.sum(axis=1).astype(float)
    guess_county = mape(guess.sum(axis=0, keepdims=True), theirs.sum(axis=0, keepdims=True))
    print("\nTaitung, 16 townships, ages 6 to 11: mean absolute percentage error")
    print("year  township  county | without births: township  county")
    rows = zip(
        years[start + 1 :], by_town, by_county, mape(guess, theirs), guess_county, strict=False
    )
    for row in rows:
        print("{}  {:5.1f} % {:5.1f} % | {:5.1f} % {:5.1f} %".format(*row))
    # births given, the published projection carries children unchanged, and so do we
    assert by_town.max() < 0.5


@pytest.mark.shared
@pytest.mark.skipif(not TAITUNG.is_dir(), reason="the folder of real cases is not here")
def test_taitung_totals_are_those_of_the_source() -> None:
    _, persons, years = taitung()
    total = persons[:, :, 6:12].sum(axis=(0, 2))
    assert total[years.index(2021)] == 9879
    assert total[years.index(2031)] == 8803
