"""Decisions written into the workbook come back as actions of a recipe."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from catchment.errors import InputError, NotFoundError
from catchment.run import Run
from catchment.scenario import read_scenario
from catchment.views.decisions import read_actions, write_recipe
from catchment.views.facts import read_facts
from catchment.views.workbook import write_ledger
from tests.views.document_run import document_run, hostile_run

NAMES = {"zh": ("行动清单", "学校清单", "审议结论", "校点代码", "学校代码"),
         "en": ("Actions", "Schools", "Decision", "Site code", "School code")}  # fmt: skip


@pytest.fixture(scope="module")
def run() -> Run:
    return document_run(villages=54)


def edit(path: Path, sheet: str, code_head: str, code: str, changes: dict[str, object]) -> int:
    """Fill cells of the row of a code, as a person would; return the row."""
    book = openpyxl.load_workbook(path)
    page = book[sheet]
    heads = [cell.value for cell in page[3]]
    rows = [
        r
        for r in range(4, page.max_row + 1)
        if page.cell(r, heads.index(code_head) + 1).value == code
    ]
    for head, value in changes.items():
        page.cell(rows[0], heads.index(head) + 1).value = value
    book.save(path)
    return rows[0]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_untouched_workbook_gives_the_plan_back(run: Run, lang: str, tmp_path: Path) -> None:
    actions = read_actions(write_ledger(run, tmp_path / "l.xlsx", lang=lang))
    changes = read_facts(run).changes
    words = {"close": "merge"}
    wanted = {(words.get(r.kind, r.kind), r.year, r.site_id) for r in changes.itertuples()}
    wanted.add(("keep", 2026, "S003"))
    assert {(a["do"], a["year"], a.get("school") or a["site"]) for a in actions} == wanted
    built = next(a for a in actions if a["do"] == "build")
    row = changes[changes["kind"] == "build"].iloc[0]
    assert built["rooms"] == row["rooms_after"]
    grown = next(a for a in actions if a["do"] == "expand")
    row = changes[changes["kind"] == "expand"].iloc[0]
    assert grown["rooms"] == row["rooms_after"] - row["rooms_before"]
    for action in actions:
        if "into" in action:
            row = changes[changes["site_id"] == action["school"]].iloc[0]
            assert row["receiver_ids"] == action["into"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_decision_takes_the_place_of_the_action(run: Run, lang: str, tmp_path: Path) -> None:
    path = write_ledger(run, tmp_path / "l.xlsx", lang=lang)
    actions_sheet, schools_sheet, decision, site, school = NAMES[lang]
    closed = next(r.site_id for r in read_facts(run).changes.itertuples() if r.kind == "close")
    keep, merge = ("保留", "撤并") if lang == "zh" else ("Keep", "Merge")
    edit(path, actions_sheet, site, closed, {decision: keep})
    edit(path, schools_sheet, school, "S005", {decision: merge})
    actions = {a.get("school") or a["site"]: a for a in read_actions(path)}
    assert actions[closed]["do"] == "keep"
    assert "into" not in actions[closed]
    assert actions["S005"] == {"do": "merge", "school": "S005"}


def test_columns_in_another_order_and_a_row_by_hand(run: Run, tmp_path: Path) -> None:
    path = write_ledger(run, tmp_path / "l.xlsx")
    before = read_actions(path)
    book = openpyxl.load_workbook(path)
    page = book["行动清单"]
    for merged in list(page.merged_cells.ranges):
        page.unmerge_cells(str(merged))
    heads = [cell.value for cell in page[3]]
    rows = [list(r) for r in page.iter_rows(min_row=4, values_only=True)]
    given = {"学年": 2028, "校点代码": "S007", "审议结论": "扩建", "新增床位": 40,
             "新增午休位": 25}  # fmt: skip
    assert set(given) <= set(heads)
    new = [given.get(str(head)) for head in heads]
    page.delete_rows(1, page.max_row)
    page.append(heads[::-1])
    for row in [*rows[::-1], new]:
        page.append(row[::-1])
    book.save(path)
    after = read_actions(path)
    extra = [a for a in after if a not in before]
    assert [a for a in after if a in before] == before
    assert extra == [
        {"do": "expand", "year": 2028, "school": "S007", "rooms": 0, "beds": 40, "dining_seats": 0,
         "nap_places": 25}
    ]  # fmt: skip


def test_a_workbook_without_nap_places_is_read(run: Run, tmp_path: Path) -> None:
    path = write_ledger(run, tmp_path / "ledger.xlsx")
    before = read_actions(path)
    book = openpyxl.load_workbook(path)
    page = book["行动清单"]
    for merged in list(page.merged_cells.ranges):
        page.unmerge_cells(str(merged))
    column = next(cell.column for cell in page[3] if cell.value == "新增午休位")
    page.delete_cols(column)
    book.save(path)
    assert read_actions(path) == before


def test_what_cannot_be_understood_is_named(run: Run, tmp_path: Path) -> None:
    closed = next(r.site_id for r in read_facts(run).changes.itertuples() if r.kind == "close")
    for name, changes, words in (
        ("a", {"审议结论": "搬走"}, "搬走"), ("b", {"审议结论": "扩建"}, "没有写明教室"),
        ("c", {"学年": "明年"}, "不是整数"),
    ):  # fmt: skip
        path = write_ledger(run, tmp_path / f"{name}.xlsx")
        row = edit(path, "行动清单", "校点代码", closed, changes)
        with pytest.raises(InputError, match=rf"第 {row} 行.*{words}"):
            read_actions(path)
    path = write_ledger(run, tmp_path / "d.xlsx")
    edit(path, "学校清单", "学校代码", closed, {"审议结论": "改为教学点"})
    with pytest.raises(InputError, match="不一致"):
        read_actions(path)
    (tmp_path / "e.xlsx").write_bytes(b"no workbook")
    with pytest.raises(InputError, match="无法作为工作簿打开"):
        read_actions(tmp_path / "e.xlsx")
    openpyxl.Workbook().save(tmp_path / "f.xlsx")
    with pytest.raises(InputError, match="行动清单"):
        read_actions(tmp_path / "f.xlsx")
    with pytest.raises(NotFoundError):
        read_actions(tmp_path / "none.xlsx")


def test_the_recipe_is_a_recipe(run: Run, tmp_path: Path) -> None:
    road = {
        "do": "road",
        "year": 2027,
        "from": [103.0, 27.5],
        "to": [103.1, 27.6],
        "class": "tertiary",
    }
    base = {
        "name": '原"方案"\\', "region": "..", "years": list(run.problem.years), "seed": 3,
        "time_limit": 10.0, "class_size": None,
        "method": {"assignment": "capacity", "stay_minutes": 15.0, "start": None, "stages": ["primary"]},
        "rules": {"books": ["national"]}, "action": [road, {"do": "keep", "school": "S001"}],
    }  # fmt: skip
    actions = read_actions(write_ledger(run, tmp_path / "l.xlsx"))
    path = write_recipe(base, actions, tmp_path / "new.toml", name="审议后")
    scenario = read_scenario(path)
    assert scenario.name == "审议后"
    assert scenario.method.stay_minutes == 15
    assert len(scenario.actions) == len(actions) + 1
    assert scenario.actions[0].do == "road"
    assert [a.do for a in scenario.actions[1:]] == [a["do"] for a in actions]
    with pytest.raises(InputError, match="1999"):
        write_recipe(base, [{"do": "keep", "school": "S001", "year": 1999}], tmp_path / "bad.toml")
    assert not (tmp_path / "bad.toml").exists()


def test_hostile_names_come_back_as_text(tmp_path: Path) -> None:
    actions = read_actions(write_ledger(hostile_run(villages=54), tmp_path / "l.xlsx"))
    base = {"name": "x", "years": [2026, 2027, 2028, 2029]}
    scenario = read_scenario(write_recipe(base, actions, tmp_path / "s.toml"))
    assert len(scenario.actions) == len(actions) > 5
