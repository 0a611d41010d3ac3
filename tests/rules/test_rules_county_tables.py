"""A county's own tables: the templates are what the readers read."""

from __future__ import annotations

from pathlib import Path

import pytest

from catchment.errors import InputError
from catchment.indicators.balance import TABLE_COLUMNS
from catchment.places import NeedFactors
from catchment.region.county_tables import FILES, own_columns, template_text
from catchment.region.write import write_templates
from catchment.rules import books
from catchment.rules.facts import EVIDENCE_COLUMNS


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
