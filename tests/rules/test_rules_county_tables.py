"""A county's own tables: the templates are what the readers read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_county import plan_of
from world import good_world, resource_rows

from catchment.errors import InputError
from catchment.indicators.balance import TABLE_COLUMNS
from catchment.places import NeedFactors
from catchment.region.county_tables import FILES, own_columns, template_text
from catchment.region.write import write_templates
from catchment.rules import books
from catchment.rules.facts import EVIDENCE_COLUMNS
from catchment.rules.resources import balance_tables


def test_the_declared_columns_are_those_that_are_read() -> None:
    assert tuple(c.column for c in own_columns("evidence")) == EVIDENCE_COLUMNS
    assert {c.column for c in own_columns("resources")} == {
        *TABLE_COLUMNS, "students_primary", "students_junior",
    }  # fmt: skip
    for table in FILES:
        assert all(c.zh and c.en and c.meaning_zh and c.meaning_en for c in own_columns(table))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_empty_templates_are_read_as_nothing_known(tmp_path: Path, lang: str) -> None:
    write_templates(tmp_path, lang)  # type: ignore[arg-type]
    evidence, resources = books.read_evidence(tmp_path), books.read_resources(tmp_path)
    assert evidence is not None
    assert resources is not None
    assert evidence.empty
    assert resources.empty
    assert list(evidence.columns)[:6] == list(EVIDENCE_COLUMNS)
    rules = books.read_books()
    assert books.read_need_factors(tmp_path, rules) == NeedFactors()
    assert books.read_need_factors(None, rules) == NeedFactors()


def test_filled_templates_are_read(tmp_path: Path) -> None:
    text = template_text("evidence", "zh") + "0017,R-CON-01,,2026-05-01,12,会议纪要\r\n"
    (tmp_path / "evidence.csv").write_text(text, encoding="utf-8", newline="")
    got = books.read_evidence(tmp_path)
    assert got is not None
    assert got.iloc[0].tolist()[:3] == ["0017", "R-CON-01", ""]
    text = template_text("resources", "zh") + "0017,both,300,,12,4,3,2000,3000,700000,8,200,100\r\n"
    (tmp_path / "resources.csv").write_bytes(text.lstrip("\ufeff").encode("gb18030"))
    table = books.read_resources(tmp_path)
    assert table is not None
    assert table.iloc[0]["students_junior"] == 100.0


def test_factors_are_the_county_s_to_edit_and_the_books_go_before(tmp_path: Path) -> None:
    path = tmp_path / "need_factors.csv"
    path.write_text("factor,value\nclass_factor,2\nsittings,2\nlessons_pe,5\n", encoding="utf-8")
    rules = books.read_books()
    got = books.read_need_factors(tmp_path, rules)
    assert (got.class_factor, got.sittings, got.lessons_per_class[0]) == (2.0, 2.0, 5.0)
    (tmp_path / "rules.csv").write_text(
        "code,applies_to,limit\nR-STF-02,role=small,1.8\nR-STF-01,stage=junior,12\n",
        encoding="utf-8",
    )
    got = books.read_need_factors(tmp_path, books.read_books(["national"], tmp_path))
    assert (got.class_factor, got.junior_ratio, got.primary_ratio) == (1.8, 12.0, 19.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("factor,value\nmagic,2\n", "第 2 行.*magic"),
        ("factor,value\nclass_factor,-1\n", "非负"),
        ("factor,value\n\nclass_factor,two\n", "第 3 行"),
        ("factor\nclass_factor\n", "缺少列"),
        ("factor,value,value\nclass_factor,1,2\n", "重复"),
        ("factor,value\nclass_factor,1,000,5\n", "第 2 行"),
    ],
)
def test_bad_factors_are_answered_by_row(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "need_factors.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        books.read_need_factors(tmp_path, books.read_books())


def test_balance_before_and_after_are_those_of_the_assessment() -> None:
    world = good_world()
    plan = plan_of(world.problem, world.site_of, world.opened)
    today = plan_of(world.problem, world.problem.today, world.problem.today_open)
    bands = tuple(world.facts.bands.values())
    rows = resource_rows()
    county, schools, left_out = balance_tables(
        rows, (world.problem, today, 0), (world.problem, plan, 1), world.rules, bands
    )
    assert len(county) == 14
    assert set(county["limit"]) == {0.50, 0.45}
    assert (county["result_before"].isin(["pass", "fail"])).all()
    # by hand: sports ground a student in primary schools today, weighted by students
    at = world.problem.students[:, :6, 0].sum(axis=1)
    pupils = {s: int(at[world.problem.today == j].sum()) for j, s in enumerate("ABC")}
    amount = rows[rows["stage"] == "primary"].set_index("school_id")["sports_area"]
    total = sum(pupils.values())
    mean = sum(amount[s] for s in pupils) / total
    var = sum(n / total * (amount[s] / n - mean) ** 2 for s, n in pupils.items() if n)
    cell = county[(county["stage"] == "primary") & (county["indicator"] == "sports_area")].iloc[0]
    assert cell["cv_before"] == pytest.approx(var**0.5 / mean)
    # C closes: assessed before, no longer after
    closed = schools[(schools["school_id"] == "C") & (schools["stage"] == "primary")].iloc[0]
    assert closed["result_before"] == "pass"
    assert closed["result_after"] != closed["result_after"]
    assert any(x.startswith("C") for x in left_out)
