"""Many counties: done once, resumed, quarantined, merged; the same bytes however they were run."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from catchment.batch import find_tasks, merge, run_batch, work
from catchment.batch.ledger import Ledger
from catchment.batch.work import carry_out, digest_of, finished
from catchment.errors import InputError, NotFoundError
from catchment.indicators import registry
from tests.batch.counties import spoil_rows, write_counties


class Here:
    """A pool that computes in this process, so that tests can look on."""

    def __init__(self, wrap=lambda arguments: None) -> None:
        self.queue, self.wrap, self.ran = [], wrap, []

    def submit(self, arguments) -> None:
        self.queue.append(arguments)

    def results(self):
        while self.queue:
            arguments = self.queue.pop(0)
            self.ran.append((arguments["plain"]["name"], arguments["alone"]))
            yield self.wrap(arguments) or carry_out(**arguments)

    def close(self) -> None:
        pass


@pytest.fixture
def here(monkeypatch):
    pool = Here()
    monkeypatch.setattr("catchment.batch.order.LocalPool", lambda *_: pool)
    return pool


@pytest.fixture(scope="module")
def province(tmp_path_factory) -> Path:
    return write_counties(tmp_path_factory.mktemp("province"), 3)


def test_counties_are_found_with_their_recipes_and_digests(province, tmp_path) -> None:
    tasks = find_tasks(province)
    assert [t.name for t in tasks] == [f"county-00{k}/scenario" for k in range(3)]
    assert len({t.digest for t in tasks}) == 3
    other = write_counties(tmp_path / "again", 3)
    assert [t.digest for t in find_tasks(other)] == [t.digest for t in tasks]
    (other / "county-001" / "scenario.toml").write_text("x = 1\n", encoding="utf-8")
    changed = [a.digest != b.digest for a, b in zip(find_tasks(other), tasks, strict=True)]
    assert changed == [False, True, False]
    with pytest.raises(NotFoundError):
        find_tasks(tmp_path / "again" / "county-000" / "nothing")


def test_a_batch_writes_counties_and_province_and_does_nothing_twice(
    province, tmp_path, here
) -> None:
    tasks = find_tasks(province)
    first = run_batch(tasks, tmp_path)
    assert first.table["state"].tolist() == ["done"] * 3
    assert [name for name, _ in here.ran] == [t.name for t in tasks]
    before = {p: p.read_bytes() for p in first.written}
    again = run_batch(tasks, tmp_path)
    assert len(here.ran) == 3
    assert {p: p.read_bytes() for p in again.written} == before
    (tmp_path / "counties" / tasks[1].name / "findings.csv").write_text("short", encoding="utf-8")
    third = run_batch(tasks, tmp_path)
    assert [name for name, _ in here.ran[3:]] == [tasks[1].name]
    assert {p: p.read_bytes() for p in third.written} == before


def test_students_of_the_province_are_those_of_its_counties(province, tmp_path, here) -> None:
    tasks = find_tasks(province)
    run_batch(tasks, tmp_path)
    merged = pd.read_csv(tmp_path / "province" / "indicators.csv", encoding="utf-8-sig")
    merged = merged[(merged["scope"] == "province") & (merged["plan"] == "plan")]
    total: dict[int, float] = {}
    weighted: dict[int, float] = {}
    worst: dict[int, float] = {}
    for task in tasks:
        each = pd.read_csv(
            tmp_path / "counties" / task.name / "indicators.csv", encoding="utf-8-sig"
        )
        each = each[(each["scope"] == "county") & (each["plan"] == "plan")]
        figures = each.pivot(index="year", columns="indicator", values="value")
        for year, row in figures.iterrows():
            total[year] = total.get(year, 0) + row["students"]
            weighted[year] = weighted.get(year, 0) + row["minutes_mean"] * row["served"]
            worst[year] = max(worst.get(year, 0), row["minutes_max"])
    found = merged.pivot(index="year", columns="indicator", values="value")
    for year, students in total.items():
        assert found.at[year, "students"] == students
        assert found.at[year, "minutes_mean"] == pytest.approx(weighted[year] / students)
        assert found.at[year, "minutes_max"] == worst[year]
    villages = gpd.read_parquet(tmp_path / "province" / "villages.parquet")
    assert villages.crs == "EPSG:4490"
    assert villages[villages["year"] == 2026]["students"].sum() == total[2026]
    assert villages.groupby(["county", "village_id", "band", "year"]).size().max() == 1


def test_every_indicator_says_how_it_is_merged() -> None:
    assert {rule.indicator for rule in merge.merging()} == set(registry())
    sums = {rule.indicator for rule in merge.merging() if rule.how == "sum"}
    for rule in merge.merging():
        assert set(rule.by.split()) <= sums or rule.how == "students"


def test_counties_are_ranked_by_hard_findings_first(province, tmp_path, here) -> None:
    tasks = find_tasks(province)
    run_batch(tasks, tmp_path)
    place = tmp_path / "counties" / tasks[2].name / "findings.csv"
    lines = place.read_text(encoding="utf-8-sig").splitlines()
    heads = lines[0].split(",")
    for k in range(1, len(lines)):
        if ",standard,fail," in lines[k]:
            lines[k] = lines[k].replace(",standard,fail,", ",hard,fail,", 1)
            break
    else:
        pytest.fail("the county has no finding that fails")
    assert "severity" in heads
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    folders = [(t.name, tmp_path / "counties" / t.name) for t in tasks]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ranking = merge.ranking(ledger.table(), folders)
    assert ranking["name"].tolist()[0] == tasks[2].name
    for row in ranking.to_dict("records"):
        found = (tmp_path / "counties" / row["name"] / "findings.csv").read_text("utf-8-sig")
        assert row["findings_hard"] == found.count(",hard,fail,") > 0
        assert row["findings_fail"] == found.count(",fail,")
    assert ranking["findings_hard"].is_monotonic_decreasing
    assert ranking["findings_hard"].nunique() == 2


def test_a_county_with_bad_data_is_refused_in_words_and_the_others_finish(tmp_path, here) -> None:
    folder = write_counties(tmp_path / "in", 3)
    spoil_rows(folder / "county-001")
    outcome = run_batch(find_tasks(folder), tmp_path / "out")
    table = outcome.table.set_index("name")
    assert table["state"].tolist() == ["done", "refused", "done"]
    assert "schools" in table.at["county-001/scenario", "said"]
    assert len([n for n, _ in here.ran if "001" in n]) == 1
    ranking = pd.read_csv(tmp_path / "out" / "province" / "counties.csv", encoding="utf-8-sig")
    assert ranking["state"].tolist()[-1] == "refused"
    assert sorted(ranking["rank"].dropna()) == [1, 2]


def test_a_county_that_fails_is_tried_three_times_the_last_time_alone(
    province, tmp_path, here, monkeypatch
) -> None:
    real = work.execute

    def poison(path, **options):
        if "county-001" in str(path):
            raise MemoryError("too much")
        return real(path, **options)

    monkeypatch.setattr(work, "execute", poison)
    outcome = run_batch(find_tasks(province), tmp_path)
    row = outcome.table.set_index("name").loc["county-001/scenario"]
    assert (row["state"], row["spoiled"]) == ("quarantined", 3)
    assert "too much" in row["said"]
    asked = [alone for name, alone in here.ran if "001" in name]
    # Two attempts, found suspect, the third alone, then named.
    assert asked == [False, False, False, True, True]
    monkeypatch.setattr(work, "execute", real)
    assert run_batch(find_tasks(province), tmp_path).table["state"].tolist()[1] == "quarantined"
    retried = run_batch(find_tasks(province), tmp_path, retry=True)
    assert retried.table["state"].tolist() == ["done"] * 3


def test_a_worker_that_dies_costs_an_attempt_and_leaves_nothing_half(
    province, tmp_path, monkeypatch
) -> None:
    died: list[str] = []

    def die_once(arguments):
        name = arguments["plain"]["name"]
        if "002" in name and not died:
            died.append(name)
            marks = Path(arguments["out"]) / "attempts" / name
            marks.mkdir(parents=True)
            (marks / f"{arguments['session']}-x").write_text("started", encoding="utf-8")
            return {"name": name, "state": "died"}
        return None

    monkeypatch.setattr("catchment.batch.order.LocalPool", lambda *_: Here(die_once))
    outcome = run_batch(find_tasks(province), tmp_path)
    assert outcome.table["state"].tolist() == ["done"] * 3
    assert outcome.table["spoiled"].tolist() == [0, 0, 1]
    assert not list((tmp_path / "counties").rglob(".*"))


def test_workers_that_cannot_even_start_do_not_keep_it_for_ever(
    province, tmp_path, monkeypatch
) -> None:
    pool = Here(lambda arguments: {"name": arguments["plain"]["name"], "state": "died"})
    monkeypatch.setattr("catchment.batch.order.LocalPool", lambda *_: pool)
    outcome = run_batch(find_tasks(province), tmp_path)
    assert outcome.table["state"].tolist() == ["quarantined"] * 3
    assert outcome.table["said"].str.contains("cannot start").all()
    assert len(pool.ran) == 12


def test_two_batches_do_not_share_a_folder_and_a_damaged_ledger_is_said(tmp_path) -> None:
    with (
        Ledger(tmp_path / "ledger.sqlite"),
        pytest.raises(InputError, match="another batch"),
    ):
        Ledger(tmp_path / "ledger.sqlite")
    with Ledger(tmp_path / "ledger.sqlite") as again:
        assert again.table().empty
    (tmp_path / "ledger.sqlite").write_bytes(b"nonsense" * 400)
    with pytest.raises(InputError, match="damaged"):
        Ledger(tmp_path / "ledger.sqlite")


def test_the_ledger_is_append_only_and_durable(province, tmp_path) -> None:
    tasks = find_tasks(province)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.enter(tasks)
        ledger.note(tasks[0].name, "refused", said="no")
        ledger.note(tasks[0].name, "done", output="abc")
        assert ledger.ended() == 1
    base = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert base.execute("select state from events order by number").fetchall() == [
        ("refused",),
        ("done",),
    ]
    assert base.execute("pragma journal_mode").fetchone() == ("wal",)
    base.close()


def test_real_processes_give_the_same_bytes_as_this_one(province, tmp_path) -> None:
    tasks = find_tasks(province)[:2]
    outcome = run_batch(tasks, tmp_path / "out", workers=1)
    assert outcome.table["state"].tolist() == ["done"] * 2
    here = carry_out(tasks[0].plain(), str(tmp_path / "here"), "s", 0, 3, alone=False)
    assert here["output"] == outcome.table["output"].tolist()[0]
    place = tmp_path / "out" / "counties" / tasks[0].name
    assert finished(place, tasks[0].digest) == here["output"] == digest_of(place)
    facts = json.loads((tmp_path / "out" / "province" / "batch.json").read_text(encoding="utf-8"))
    assert facts["counties"][tasks[0].name]["output"] == here["output"]
