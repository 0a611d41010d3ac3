"""The tables behind the schema agree with each other."""

from __future__ import annotations

import string

import pandas as pd
import pandera.errors
import pytest

from catchment.region.faults import wordings
from catchment.region.schema import (
    grade_heading,
    heading_key,
    headings,
    layers,
    nearest_heading,
    plain,
    read_rows,
    table_schema,
    tidy,
    value_aliases,
)


def test_every_heading_means_one_column():
    for layer in layers().values():
        seen: dict[str, str] = {}
        for column in layer.columns:
            for name in (column.column, *column.aliases):
                key = heading_key(name)
                assert seen.setdefault(key, column.column) == column.column, (layer.layer, name)
        assert set(seen.items()) == set(headings(layer.layer).items())


def test_every_key_is_a_column():
    for layer in layers().values():
        for key in layer.key:
            layer.column(key)


def test_values_are_declared_and_spelt_once():
    declared = {
        (c.layer, c.column): set(c.values) for x in layers().values() for c in x.columns if c.values
    }
    for (layer, column), values in declared.items():
        assert set(value_aliases(layer, column).values()) <= values
    told: dict[tuple[str, str, str], str] = {}
    for row in read_rows("values.csv"):
        for spelling in (row["value"], *row["aliases"].split("|")):
            key = (row["layer"], row["column"], spelling)
            assert told.setdefault(key, row["value"]) == row["value"]


def test_wordings_are_complete_and_their_fields_known():
    for code, words in wordings().items():
        assert words["severity"] in {"error", "warning", "note"}, code
        assert words["effect"] in {"refuse", "row", "cell", "none"}, code
        assert (words["severity"] == "error") == (words["effect"] != "none"), code
        for part in ("what_zh", "what_en", "remedy_zh", "remedy_en"):
            assert words[part], code
            for _, field, _, _ in string.Formatter().parse(words[part]):
                assert field is None or field.isidentifier(), code


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("一年级", 1),
        ("９年级", 9),
        ("七年级人数", 7),
        ("G3", 3),
        ("初二", 8),
        ("1", None),
        ("年级", None),
    ],
)
def test_grade_headings(text, grade):
    assert grade_heading(text) == grade


def test_normalising():
    assert plain("\u3000Ａ１\u200b  ｂ ") == "A1 b"
    assert tidy("光明（东）村\u3000\ufeff") == "光明（东）村"
    assert heading_key(" 村 代码*（必填） ") == heading_key("村代码")
    assert nearest_heading("schools", "school_nam").startswith("name") or nearest_heading(
        "schools", "school_nam"
    ).startswith("school_id")


def test_pandera_schema_holds_the_declared_ranges():
    good = {
        "village_id": ["1"],
        "grade": [1.0],
        "year": [2026.0],
        "students": [3.0],
        "source": [None],
    }
    table_schema("children").validate(pd.DataFrame(good))
    for column, value in (("grade", 10.0), ("students", -1.0), ("source", "x"), ("year", None)):
        bad = pd.DataFrame({**good, column: [value]})
        with pytest.raises(pandera.errors.SchemaErrors):
            table_schema("children").validate(bad, lazy=True)
