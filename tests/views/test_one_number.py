"""A village has one school, one time and one number of students in everything a run writes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pptx
import pytest

from catchment.run import Run
from catchment.views.book import book_document
from catchment.views.comparison import read_runs, villages_that_differ
from catchment.views.deck import write_deck
from catchment.views.document import Document, Heading, Table
from catchment.views.facts import read_facts, worse
from catchment.views.folder import record
from catchment.views.parents import parents_payload
from catchment.views.payload import map_payload
from catchment.views.report import report_document
from catchment.views.workbook import write_ledger
from tests.views.document_run import document_run
from tests.views.test_comparison import save

BANDS = {"小学低年级": "lower", "小学高年级": "upper", "初中": "junior"}


@pytest.fixture(scope="module")
def run() -> Run:
    """A county whose villages have names of their own, so that a name tells the village."""
    made = document_run(villages=54)
    table = made.region.villages
    names = [f"{name}{k}" for k, name in enumerate(table["name"])]
    codes = table["village_id"].astype(str).tolist()
    known = dict(zip(codes, names, strict=True))
    schools = made.region.schools
    own = [
        f"{name}·{code}" for name, code in zip(schools["name"], schools["school_id"], strict=True)
    ]
    told = made.explanations.assign(village=made.explanations["village_id"].map(known))
    for end in ("from", "to"):
        label = dict(zip(schools["school_id"], own, strict=True))
        fallback = told[f"{end}_name"]
        told[f"{end}_name"] = told[f"{end}_site"].map(label).fillna(fallback)
    from dataclasses import replace

    return replace(
        made,
        region=made.region.replace(
            villages=table.assign(name=names), schools=schools.assign(name=own)
        ),
        explanations=told,
    )


@pytest.fixture(scope="module")
def truth(run: Run) -> pd.DataFrame:
    """What the plan says of every village and band in the focus year, straight from its arrays."""
    problem, t = run.problem, run.problem.years.index(read_facts(run).focus)
    names = run.region.villages.set_index("village_id")["name"]
    rows = []
    for i in range(len(problem.group_band)):
        j = int(run.plan.site_of[i, t])
        code = problem.village_ids[problem.group_village[i]]
        minutes = float(problem.minutes[problem.network[t], i, j]) if j >= 0 else np.nan
        site = problem.site_ids[j] if j >= 0 else ""
        rows.append((i, code, names[code], problem.bands[problem.group_band[i]], site,
                     round(minutes, 1), int(problem.students[i, :, t].sum())))  # fmt: skip
    columns = ["group", "village_id", "village", "band", "site", "minutes", "students"]
    return pd.DataFrame(rows, columns=columns)


def labels(run: Run) -> dict[str, str]:
    return dict(read_facts(run).sites[["name", "site_id"]].itertuples(index=False, name=None))


def yearly(values: list[Any], t: int) -> list[Any]:
    return yearly(values, values[t]) if isinstance(values[t], int) else values[t]


def test_map(run: Run, truth: pd.DataFrame) -> None:
    page, t = map_payload(run), run.problem.years.index(read_facts(run).focus)
    sites, demand = yearly(page["plans"]["plan"]["site"], t), yearly(page["demand"], t)
    for row in truth.itertuples():
        j = sites[row.group]
        assert (run.problem.site_ids[j] if j >= 0 else "") == row.site
        assert demand[row.group] == row.students
        if j >= 0:
            flat = page["trips"][page["network"][t]][row.group]
            trip = {flat[k]: flat[k + 1] for k in range(0, len(flat), 4)}
            assert trip[j] == row.minutes


def test_parents(run: Run, truth: pd.DataFrame) -> None:
    page, focus = parents_payload(run), read_facts(run).focus
    for row in truth.itertuples():
        steps = page["steps"][row.group]
        now = [s for s in steps if 0 < s[0] <= focus][-1]
        assert (run.problem.site_ids[now[1]] if now[1] >= 0 else "") == row.site
        if row.site:
            assert now[2] == row.minutes


def test_workbook(run: Run, truth: pd.DataFrame, tmp_path: Path) -> None:
    page = openpyxl.load_workbook(write_ledger(run, tmp_path / "l.xlsx"))["村前后对照"]
    heads = [cell.value for cell in page[3]]
    rows = [dict(zip(heads, r, strict=True)) for r in page.iter_rows(min_row=4, values_only=True)]
    shown = {(row["村代码"], BANDS[row["学段"]]): row for row in rows}
    assert len(shown) == len(truth)
    for row in truth.itertuples():
        mine = shown[row.village_id, row.band]
        assert mine["村"] == row.village
        assert (mine["方案就读学校代码"] or "") == row.site
        assert mine[f"学生（{read_facts(run).focus}方案）"] == row.students
        if row.site:
            assert mine["方案单程（分钟）"] == row.minutes


def test_classes_are_counted_alike_where_the_county_has_its_own(run: Run) -> None:
    """Two classes of one school that the rule of forming classes would not have made."""
    from dataclasses import replace

    from catchment import indicators

    problem = run.problem
    site = next(
        s for j, s in enumerate(problem.site_ids)
        if (problem.today == j).any() and (run.plan.site_of[:, 0] == run.today.site_of[:, 0]).any()
        and problem.students[problem.today == j, :, 0].sum() > 20
    )  # fmt: skip
    j = problem.site_ids.index(site)
    taught = np.flatnonzero(problem.students[problem.today == j, :, 0].sum(axis=0))
    rows = [
        {"school_id": site, "grade": int(problem.grades[k]), "class_no": str(c), "students": 7,
         "year": problem.years[0]}
        for k in taught for c in range(5)
    ]  # fmt: skip
    own = pd.DataFrame(rows)
    parts = [
        indicators.compute(problem, plan, which=name, actual=own)
        for name, plan in (("today", run.today), ("plan", run.plan))
    ]
    mine = replace(run, region=run.region.replace(classes=own), indicators=pd.concat(parts))
    facts, data = read_facts(mine), map_payload(mine)
    assert run.today.classes[j, :, 0].sum() != len(own)
    for name in ("today", "plan"):
        for t, year in enumerate(problem.years):
            county = facts.figures[("classes", "county", "", year, name)]
            table = facts.classes[(facts.classes["plan"] == name) & (facts.classes["year"] == year)]
            assert table["classes"].sum() == county
            shown = yearly(data["plans"][name]["classes"], t)
            assert sum(len(row) // 3 for row in shown) == county
            for code, part in table.groupby("site_id"):
                assert part["classes"].sum() == facts.figures[("classes", "site", code, year, name)]
    first = facts.classes[(facts.classes["plan"] == "today") & (facts.classes["site_id"] == site)]
    assert first[first["year"] == problem.years[0]]["classes"].sum() == len(own)


def test_geopackage_record_and_comparison(run: Run, truth: pd.DataFrame, tmp_path: Path) -> None:
    folder = save(run, tmp_path / "run")
    layer = gpd.read_file(folder / "plan.gpkg", layer="villages", engine="pyogrio")
    layer = layer.set_index("village_id")
    focus, name = str(read_facts(run).focus), {v: k for k, v in labels(run).items()}
    facts = {(a["village"], a["band"]): a for a in record(run)["assignment"]}
    for row in truth.itertuples():
        assert (facts[row.village_id, row.band]["site"][focus] or "") == row.site
        if row.site:
            assert facts[row.village_id, row.band]["minutes"][focus] == row.minutes
            assert layer.loc[row.village_id, f"{row.band}_min_plan"] == row.minutes
            assert layer.loc[row.village_id, f"{row.band}_school_plan"] == name[row.site]
    sums = truth.groupby("village_id")["students"].sum()
    assert (layer["students_plan"] == sums.reindex(layer.index)).all()
    if run.problem.years[-1] == int(focus):
        known = truth.set_index(["village_id", "band"])
        compared = read_runs([folder, Path(shutil.copytree(folder, tmp_path / "copy"))])
        for row in villages_that_differ(compared).to_dict("records"):
            mine = known.loc[(row["村代码"], BANDS[row["学段"]])]
            if mine["site"]:
                assert row[f"{compared.labels[0]} 分钟"] == mine["minutes"]
                assert labels(run)[row[compared.labels[0]]] == mine["site"]


def school_tables(document: Document) -> dict[str, Table]:
    """Table of the villages on the page of each school."""
    found, at = {}, ""
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 2:
            at = block.text.split("（")[0]
        elif isinstance(block, Table) and block.caption.startswith("来校的村"):
            found[at] = block
    return found


def test_book(run: Run, truth: pd.DataFrame) -> None:
    found, code, seen = school_tables(book_document(run, pictures=False)), labels(run), 0
    for school, table in found.items():
        for village, bands, students, _, minutes in table.rows:
            mine = truth[
                (truth["village"] == village) & (truth["site"] == code[school])
                & truth["band"].isin([BANDS[b] for b in bands.split("、")])
            ]  # fmt: skip
            assert len(mine) == len(bands.split("、"))
            assert int(students.rstrip("※").replace(",", "")) == mine["students"].sum()
            assert float(minutes) == mine["minutes"].max()
            seen += 1
    assert seen > 30


def test_report_and_deck(run: Run, truth: pd.DataFrame, tmp_path: Path) -> None:
    code, seen = labels(run), 0
    riders = [
        row
        for block in report_document(run, pictures=False).blocks
        if isinstance(block, Table) and block.caption.startswith("需要乘车或寄宿的村")
        for row in block.rows
    ]
    for village, bands, students, school, _, minutes in riders:
        mine = truth[(truth["village"] == village) & (truth["site"] == code[school])]
        mine = mine[mine["band"].isin([BANDS[b] for b in bands.split("、")])]
        assert int(students.rstrip("※").replace(",", "")) == mine["students"].sum()
        assert float(minutes) == mine["minutes"].max()
        seen += 1
    assert seen > 20
    slide = pptx.Presentation(write_deck(run, tmp_path / "d.pptx")).slides[6]
    table = next(shape.table for shape in slide.shapes if shape.has_table)
    problem = run.problem
    for cells in [[c.text for c in row.cells] for row in table.rows][1:]:
        mine = truth[(truth["village"] == cells[0]) & (truth["band"] == BANDS[cells[1]])].iloc[0]
        j, t = problem.site_ids.index(code[cells[4]]), problem.years.index(int(cells[2]))
        assert run.plan.site_of[mine["group"], t] == j
        minutes = problem.minutes[problem.network[t], mine["group"], j]
        assert float(cells[6]) == round(float(minutes), 1)


def test_growth_is_the_difference_of_what_is_shown(run: Run, tmp_path: Path) -> None:
    """Page, list, report, book and workbook subtract the same minutes."""
    page, problem = parents_payload(run), run.problem
    table, seen, uneven = worse(run), 0, 0
    at = {code: v for v, code in enumerate(problem.village_ids)}
    for row in table.to_dict("records"):
        band = problem.bands.index(row["band"])
        steps = page["steps"][at[row["village_id"]] * len(problem.bands) + band]
        now = [s for s in steps if 0 < s[0] <= row["year"]][-1]
        if problem.site_ids[now[1]] == row["to_site"]:
            assert row["growth"] == round(now[2] - steps[0][2], 1)
            seen += 1
        uneven += round(row["minutes_after"] - row["minutes_before"], 1) != row["growth"]
    assert seen > 10
    assert uneven > 0, "the case does not tell the two ways of rounding apart"
    listed = [
        row
        for document in (report_document(run, pictures=False), book_document(run, pictures=False))
        for block in document.blocks
        if isinstance(block, Table) and block.columns[-2].title == "增加"
        for row in block.rows
    ]
    assert len(listed) > 20
    for row in listed:
        assert float(row[-2]) == round(float(row[-3]) - float(row[-4]), 1)
    page = openpyxl.load_workbook(write_ledger(run, tmp_path / "l.xlsx"))["村前后对照"]
    heads = [cell.value for cell in page[3]]
    rows = [dict(zip(heads, r, strict=True)) for r in page.iter_rows(min_row=4, values_only=True)]
    assert len(rows) > 100
    for row in rows:
        if row["增加（分钟）"] is not None and row["原单程（分钟）"] is not None:
            assert row["增加（分钟）"] == round(
                round(row["方案单程（分钟）"], 1) - round(row["原单程（分钟）"], 1), 1
            )
