"""Properties of reading that hold for any spelling, order and format."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from small_county import CHILDREN, SCHOOLS, VILLAGES, as_csv, write_county

from catchment.region.read import read_region
from catchment.region.schema import headings, layers

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def respelt(rows, layer, draw):
    """Write rows with other accepted headings, another order of columns and full-width digits."""
    declared = layers()[layer]
    names = {}
    for head in rows[0]:
        column = declared.column(headings(layer)[head])
        names[head] = draw(st.sampled_from([column.column, *column.aliases, f" {head}\u3000"]))
    order = draw(st.permutations(list(rows[0])))
    wide = draw(st.booleans())
    return [
        {
            names[h]: str(row[h]).translate(FULL_WIDTH) if wide and h != "村名" else row[h]
            for h in order
        }
        for row in rows
    ]


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_spelling_and_order_of_columns_do_not_matter(data):
    with tempfile.TemporaryDirectory() as folder:
        plain = read_region(write_county(Path(folder) / "a"))
        encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
        other = read_region(
            write_county(
                Path(folder) / "b",
                villages=as_csv(respelt(VILLAGES, "villages", data.draw)).encode(encoding),
                schools=as_csv(respelt(SCHOOLS, "schools", data.draw)).encode(encoding),
                children=as_csv(respelt(CHILDREN, "children", data.draw)).encode(encoding),
            )
        )
        for name in ("villages", "schools", "children"):
            pd.testing.assert_frame_equal(
                pd.DataFrame(getattr(plain, name)), pd.DataFrame(getattr(other, name))
            )


CELLS = {
    **{str(k): max(k, 0) for k in range(-5, 61)},
    **dict.fromkeys(["", "x", "85人", "1,0", "7.5", "—", "1e3", "٣"], 0),
    "１２": 12,
    "1,000": 1000,
}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["001", "002", "003", "010", "999", ""]),
            st.sampled_from(["1", "2", "九年级", "10", ""]),
            st.integers(1985, 2030).map(str),
            st.sampled_from(sorted(CELLS)),
        ),
        max_size=25,
        unique_by=lambda row: (row[0], row[1], row[2]),
    )
)
def test_students_in_are_kept_or_set_aside_exactly(rows):
    every = [("001", "1", "2050", "3"), *rows]
    heads = ("村代码", "年级", "年度", "学生数")
    children = [dict(zip(heads, row, strict=True)) for row in every]
    with tempfile.TemporaryDirectory() as folder:
        region = read_region(write_county(Path(folder), children=children), set_aside=True)
    kept = int(region.children["students"].sum())
    aside = region.rejected[region.rejected["layer"] == "children"]
    assert kept + int(aside["students"].sum()) == sum(CELLS[row[3]] for row in every)
    assert len(region.children) + len(aside) == len(every)
