"""Villages shared by schools: every document counts their children where they go."""

from __future__ import annotations

import dataclasses
import json
import types
from pathlib import Path
from typing import cast

import geopandas as gpd
import numpy as np
import openpyxl
import pptx
import pytest

from catchment.plan import students_at
from catchment.run import Run
from catchment.run.explain import explain
from catchment.scenario import Scenario
from catchment.views.book import MOST_VILLAGES, book_document
from catchment.views.comparison import read_runs, villages_that_differ
from catchment.views.deck import write_deck
from catchment.views.document import Table
from catchment.views.facts import read_facts, worse
from catchment.views.geopackage import write_geopackage
from catchment.views.parents import largest_classes, parents_payload
from catchment.views.payload import map_payload
from catchment.views.report import report_document
from catchment.views.words import name_of
from catchment.views.workbook import write_ledger
from tests.views.poor_run import counted
from tests.views.shared_run import shared_run
from tests.views.test_comparison import save
from tests.views.test_one_number import school_tables, yearly


@pytest.fixture(scope="module")
def run() -> Run:
    return shared_run()


def shares(run: Run, t: int) -> dict[tuple[int, int], int]:
    """Students by group and site, counted from the plan's own arrays."""
    found: dict[tuple[int, int], int] = {}
    parts, left = run.plan.elsewhere, run.problem.demand()[:, t].astype(int)
    assert parts is not None
    for k in np.flatnonzero(parts.year == t):
        i, j, n = int(parts.group[k]), int(parts.site[k]), int(parts.students[k])
        found[i, j] = found.get((i, j), 0) + n
        left[i] -= n
    for i, n in enumerate(left.tolist()):
        key = (i, int(run.plan.site_of[i, t]))
        found[key] = found.get(key, 0) + n
    return found


def focus_at(run: Run) -> int:
    return read_facts(run).focus_at


def test_trips_add_up_to_villages_and_to_schools(run: Run) -> None:
    problem, facts = run.problem, read_facts(run)
    mine = facts.trips[facts.trips["plan"] == "plan"]
    there = students_at(problem, run.plan).sum(axis=1)
    sums = mine.groupby(["site_id", "year"])["students"].sum()
    for j, code in enumerate(problem.site_ids):
        for t, year in enumerate(problem.years):
            assert sums.get((code, year), 0) == there[j, t]
    whole = mine.groupby(["village_id", "band", "year"])["students"].sum()
    demand = problem.demand()
    for i in range(len(problem.group_band)):
        code = problem.village_ids[problem.group_village[i]]
        for t, year in enumerate(problem.years):
            assert whole[code, problem.bands[problem.group_band[i]], year] == demand[i, t]
    assert set(mine["part"]) == {"", "shared", "kept"}


def test_map_tells_the_parts(run: Run) -> None:
    page, t = json.loads(json.dumps(map_payload(run))), focus_at(run)
    flat, demand = page["parts"]["plan"][t], yearly(page["demand"], t)
    sites = yearly(page["plans"]["plan"]["site"], t)
    found: dict[tuple[int, int], int] = {}
    for k in range(0, len(flat), 5):
        i, j, n = flat[k : k + 3]
        found[i, j] = found.get((i, j), 0) + n
        row = page["trips"][page["network"][t]][i]
        assert j in row[::4]
        demand[i] -= n
    for i, n in enumerate(demand):
        found[i, sites[i]] = found.get((i, sites[i]), 0) + n
    assert found == shares(run, t)
    assert page["parts"]["today"] == [[]] * len(run.problem.years)


def test_parents_see_every_school_and_no_number(run: Run) -> None:
    page, parts = parents_payload(run), run.plan.elsewhere
    assert parts is not None
    wanted: dict[int, set[int]] = {}
    for i, j in zip(parts.group[parts.shared], parts.site[parts.shared], strict=True):
        wanted.setdefault(int(i), set()).add(int(j))
    assert {int(i): {row[1] for row in rows} for i, rows in page["shared"].items()} == wanted
    for i, rows in page["shared"].items():
        for year, j, minutes, *_ in rows:
            w = run.problem.network[run.problem.years.index(year)]
            assert minutes == round(float(run.problem.minutes[w, int(i), j]), 1)
            assert len(rows[0]) == 7
    assert page["stays"] is True


def test_workbook_counts_whole_villages_and_lists_their_schools(run: Run, tmp_path: Path) -> None:
    page = openpyxl.load_workbook(write_ledger(run, tmp_path / "l.xlsx"))["村前后对照"]
    heads = [cell.value for cell in page[3]]
    rows = [dict(zip(heads, r, strict=True)) for r in page.iter_rows(min_row=4, values_only=True)]
    focus, t = read_facts(run).focus, focus_at(run)
    names, found = read_facts(run).sites["name"].tolist(), shares(run, t)
    assert len(rows) == len(run.problem.group_band)
    for i, row in enumerate(rows):
        assert row[f"学生（{focus}方案）"] == run.problem.demand()[i, t]
        mine = {names[j]: n for (g, j), n in found.items() if g == i and n}
        text = str(row["分到各校"] or "")
        if len(mine) > 1:
            assert all(f"{name} {n} 人" in text for name, n in mine.items())


def test_book_counts_at_each_school_who_comes(run: Run) -> None:
    facts, t = read_facts(run), focus_at(run)
    there = students_at(run.problem, run.plan).sum(axis=1)[:, t]
    code = dict(facts.sites[["name", "site_id"]].itertuples(index=False, name=None))
    seen = 0
    for school, table in school_tables(book_document(run, pictures=False)).items():
        j = run.problem.site_ids.index(code[school])
        if str(facts.focus) not in table.caption or not there[j]:
            continue
        if len(table.rows) < MOST_VILLAGES:
            assert sum(int(r[2].rstrip("※").replace(",", "")) for r in table.rows) == there[j]
            seen += 1
    assert seen > 3


def test_township_lists_say_that_a_village_is_shared(run: Run) -> None:
    tables = [b for b in report_document(run, pictures=False).blocks if isinstance(b, Table)]
    lists = [r for b in tables if len(b.columns) == 4 for r in b.rows if "多校划片" in r[2]]
    stay = [r for b in tables if len(b.columns) == 4 for r in b.rows if "在校生留原校" in r[2]]
    assert lists
    assert stay


def test_layer_counts_whole_villages(run: Run, tmp_path: Path) -> None:
    path = write_geopackage(run, tmp_path / "plan.gpkg")
    layer = gpd.read_file(path, layer="villages", engine="pyogrio").set_index("village_id")
    problem, t = run.problem, focus_at(run)
    sums = np.bincount(problem.group_village, weights=problem.demand()[:, t])
    assert layer["students_plan"].tolist() == sums[
        [problem.village_ids.index(v) for v in layer.index]
    ].tolist()  # fmt: skip
    assert sum(
        "、" in str(v) for c in layer.columns if c.endswith("_school_plan") for v in layer[c]
    )


def test_longer_trips_of_a_part_are_listed(run: Run, tmp_path: Path) -> None:
    problem, parts = run.problem, run.plan.elsewhere
    assert parts is not None
    table = worse(run)
    listed = set(zip(table["village_id"], table["band"], table["to_site"], strict=True))
    missing = 0
    for k in np.flatnonzero(parts.shared):
        i, t, j = int(parts.group[k]), int(parts.year[k]), int(parts.site[k])
        before = int(run.today.site_of[i, 0])
        if before < 0:
            continue
        grown = problem.minutes[problem.network[t], i, j] - problem.minutes[
            problem.network[0], i, before
        ]  # fmt: skip
        if grown > 10:
            key = (problem.village_ids[problem.group_village[i]],
                   problem.bands[problem.group_band[i]], problem.site_ids[j])  # fmt: skip
            assert key in listed
            missing += 1
    assert missing
    assert len(pptx.Presentation(str(write_deck(run, tmp_path / "d.pptx"))).slides) == 10


def test_a_shared_village_that_keeps_its_school_is_explained(run: Run) -> None:
    nothing = types.SimpleNamespace(actions=())
    table = explain(run.problem, run.today, run.plan, run.region, cast("Scenario", nothing))
    parts, problem = run.plan.elsewhere, run.problem
    assert parts is not None
    rows = {(r["village_id"], r["band"], r["year"]): r for r in table.to_dict("records")}
    stays = 0
    for i in sorted(set(parts.group[parts.shared].tolist())):
        first = int(parts.year[parts.shared & (parts.group == i)].min())
        if run.plan.site_of[i, first] != run.today.site_of[i, 0] or first:
            continue
        row = rows[problem.village_ids[problem.group_village[i]],
                   problem.bands[problem.group_band[i]], problem.years[first]]  # fmt: skip
        assert row["from_site"] == row["to_site"]
        mine = parts.shared & (parts.group == i) & (parts.year == first)
        for j in set(parts.site[mine].tolist()):
            count = int(parts.students[mine & (parts.site == j)].sum())
            assert f" {count} 人" in row["reason_zh"]
        stays += 1
    assert stays > 5
    assert (table["from_site"] != table["to_site"]).any()


def test_comparison_names_every_school_of_a_shared_village(run: Run, tmp_path: Path) -> None:
    plain = dataclasses.replace(run, name="不共招", plan=run.plan.replace(elsewhere=None))
    folders = [save(run, tmp_path / "a"), save(plain, tmp_path / "b")]
    problem, t = run.problem, len(run.problem.years) - 1
    names, found = read_facts(run).sites["name"].tolist(), shares(run, t)
    for lang, one in (("zh", "{} {} 人"), ("en", "{}: {}")):
        compared = read_runs(folders, lang)
        table = villages_that_differ(compared)
        label = compared.labels[0]
        heads = [compared.say("x.village_id"), compared.say("x.band")]
        rows = {(r[heads[0]], r[heads[1]]): r for r in table.to_dict("records")}
        seen = 0
        for i in range(len(problem.group_band)):
            mine = {j: n for (g, j), n in found.items() if g == i and n}
            if len(mine) < 2:
                continue
            band = name_of("band", problem.bands[problem.group_band[i]], lang)
            row = rows[problem.village_ids[problem.group_village[i]], band]
            assert all(one.format(names[j], n) in row[label] for j, n in mine.items())
            minutes = [problem.minutes[problem.network[t], i, j] for j in mine]
            assert row[f"{label} {compared.say('cmp.minutes')}"] == round(float(max(minutes)), 1)
            seen += 1
        assert seen > 10


def test_classes_are_those_of_who_goes_there(run: Run, tmp_path: Path) -> None:
    """The largest class, the classes and the needs of a school count shared villages by part."""
    made = counted(run)
    problem, there = made.problem, students_at(made.problem, made.plan)
    size = np.ceil(there / np.maximum(np.ceil(there / problem.class_size[:, :, None]), 1))
    told = largest_classes(problem, made.plan)
    whole = students_at(problem, made.plan.replace(elsewhere=None))
    assert (whole != there).any()
    for b in range(len(problem.bands)):
        grades = problem.grade_band == b
        expected = size[:, grades, :].max(axis=1)
        # Where nobody comes there is no class.
        assert (np.where(expected > 0, expected, -1) == told[:, b, :]).all()
    page = openpyxl.load_workbook(write_ledger(made, tmp_path / "l.xlsx"))["人员与生活设施"]
    heads = [cell.value for cell in page[3]]
    code, year, count = (heads.index(name) for name in ("学校代码", "学年", "学生数"))
    for row in page.iter_rows(min_row=4, values_only=True):
        j, t = problem.site_ids.index(row[code]), problem.years.index(int(row[year]))
        assert row[count] == there[j, :, t].sum()
